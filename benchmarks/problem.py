"""What every peer computes: the loss of an LSTM, and a reference for its gradient.

L = ½ Σ_t ‖h_t - y_t‖² in float64, from given h_0 and c_0. The reference is the complex step: it
runs the forward equations only, so it shares no derivative with anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any

GATES = ("f", "i", "o", "g")
#: The parameters in the order of every gradient: w_f, u_f, b_f, w_i, …
SCALAR_NAMES = tuple(f"{kind}_{gate}" for gate in GATES for kind in "wub")
VECTOR_NAMES = tuple(f"{kind}_{gate}" for gate in GATES for kind in "WUb")

#: A gradient further than this from the reference is that of something else.
TOLERANCE = 1e-9

#: How many samples the complex step is taken for: it runs the forward pass per parameter.
CHECKED_SAMPLES = 200


@dataclass(frozen=True)
class Scalar:
    """The scalar LSTM: parameters shared, the gradient of every sample asked for.

    ``params`` is (12,), ``x`` and ``y`` are (T, B), ``h_0`` and ``c_0`` (B,). A gradient
    is (12, B): with respect to the parameters.
    """

    params: Array
    x: Array
    y: Array
    h_0: Array
    c_0: Array

    @property
    def horizon(self) -> int:
        return int(self.x.shape[0])

    @property
    def batch(self) -> int:
        return int(self.x.shape[1])


@dataclass(frozen=True)
class Vector:
    """The LSTM of n units over n inputs: weights shared, the gradient of the whole batch.

    ``params`` holds W_f, U_f (n, n), b_f (n,), …; ``x`` and ``y`` are (T, B, n), ``h_0``
    and ``c_0`` (B, n).
    """

    params: Mapping[str, Array]
    x: Array
    y: Array
    h_0: Array
    c_0: Array

    @property
    def size(self) -> int:
        return int(self.x.shape[2])


def scalar_problem(horizon: int, batch: int) -> Scalar:
    """Random numbers of an ordinary size; the same for every peer and every run."""
    rng = np.random.default_rng(horizon * 1_000_003 + batch)
    params = rng.normal(0.0, 0.6, len(SCALAR_NAMES))
    x, y = rng.normal(size=(2, horizon, batch))
    return Scalar(params, x, y, *rng.normal(size=(2, batch)))


def vector_problem(size: int, horizon: int, batch: int) -> Vector:
    """As ``scalar_problem``; weights are scaled so that units do not saturate."""
    rng = np.random.default_rng((size * 1_009 + horizon) * 1_000_003 + batch)
    params = {}
    for name in VECTOR_NAMES:
        shape = (size,) if name.startswith("b") else (size, size)
        params[name] = rng.normal(0.0, 0.7 / np.sqrt(size), shape)
    x, y = rng.normal(size=(2, horizon, batch, size))
    return Vector(params, x, y, *rng.normal(size=(2, batch, size)))


# ---- the reference ---------------------------------------------------------------------


def _sigma(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def scalar_loss(params: Array, x: Array, y: Array, h: Array, c: Array) -> Array:
    """L of every sample, from h_0 and c_0; ``params`` may be complex."""
    p = dict(zip(SCALAR_NAMES, params, strict=True))
    loss = np.zeros(())
    for x_t, y_t in zip(x, y, strict=True):
        f, i, o, g = (p[f"w_{k}"] * x_t + p[f"u_{k}"] * h + p[f"b_{k}"] for k in GATES)
        c = _sigma(f) * c + _sigma(i) * np.tanh(g)
        h = _sigma(o) * np.tanh(c)
        loss = loss + (h - y_t) ** 2 / 2
    return loss


def scalar_reference(problem: Scalar) -> tuple[Array, Array]:
    """Samples and the gradient for them by the complex step, (12, samples)."""
    samples = np.unique(np.linspace(0, problem.batch - 1, CHECKED_SAMPLES).astype(int))
    x, y = problem.x[:, samples], problem.y[:, samples]
    h, c = problem.h_0[samples], problem.c_0[samples]
    step = 1e-30
    rows = []
    for k in range(len(SCALAR_NAMES)):
        params = problem.params.astype(complex)
        params[k] += 1j * step
        rows.append(scalar_loss(params, x, y, h, c).imag / step)
    return samples, np.stack(rows)


def vector_loss(params: Mapping[str, Array], problem: Vector) -> Array:
    """L of the batch; parameters may be complex."""
    p, h, c = params, problem.h_0, problem.c_0
    loss = 0.0
    for x_t, y_t in zip(problem.x, problem.y, strict=True):
        f, i, o, g = (x_t @ p[f"W_{k}"].T + h @ p[f"U_{k}"].T + p[f"b_{k}"] for k in GATES)
        c = _sigma(f) * c + _sigma(i) * np.tanh(g)
        h = _sigma(o) * np.tanh(c)
        loss = loss + ((h - y_t) ** 2).sum() / 2
    return loss


def directional_error(problem: Vector, gradient: Mapping[str, Array]) -> float:
    """How far ⟨gradient, v⟩ is from the complex step along v, for random v in each parameter.

    Relative to ‖gradient‖ ‖v‖ of that parameter: a random direction may be nearly orthogonal.
    """
    rng = np.random.default_rng(7)
    step, worst = 1e-30, 0.0
    for name, value in problem.params.items():
        for _ in range(2):
            direction = rng.normal(size=value.shape)
            params = {**problem.params, name: value + 1j * step * direction}
            expected = vector_loss(params, problem).imag / step
            found = float((gradient[name] * direction).sum())
            scale = float(np.linalg.norm(gradient[name]) * np.linalg.norm(direction))
            worst = max(worst, abs(found - expected) / max(scale, abs(expected)))
    return worst


# ---- comparison ------------------------------------------------------------------------


def relative_error(found: Array, expected: Array) -> float:
    """The largest |found - expected| of a row, relative to the row's largest entry.

    A row is one parameter over all samples. Not finite or of another shape: infinite.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    rows = (found - expected).reshape(len(expected), -1), expected.reshape(len(expected), -1)
    difference, scale = (np.abs(part).max(axis=1) for part in rows)
    # Where the truth is 0 anything but 0 is infinitely wrong.
    ratio = np.divide(difference, scale, out=np.where(difference > 0, np.inf, 0.0), where=scale > 0)
    return float(ratio.max())


def scalar_error(problem: Scalar, gradient: Array) -> float:
    """Relative error of a gradient (12, B) against the complex step, also sample by sample."""
    gradient = np.asarray(gradient)
    if gradient.shape != (len(SCALAR_NAMES), problem.batch) or not np.isfinite(gradient).all():
        return float("inf")
    samples, expected = scalar_reference(problem)
    found = gradient[:, samples]
    return max(relative_error(found, expected), relative_error(found.T, expected.T))


def vector_error(found: Mapping[str, Array], expected: Mapping[str, Array]) -> float:
    """Relative error, the worst parameter's."""
    if set(found) != set(expected):
        return float("inf")
    flat = [(np.asarray(found[n]).ravel()[None], np.ravel(expected[n])[None]) for n in expected]
    return max(relative_error(left, right) for left, right in flat)
