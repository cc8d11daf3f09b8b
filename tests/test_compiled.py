"""Compiled functions against oracles that share nothing with their code.

The reference runs the same equations node by node (``lang.program``); the complex step goes
through the compiled forward pass; autograd differentiates passes written by hand in
``test_gradients_numeric``; published numbers are compared in every digit that is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from symgrad.adjoint import Objective, backward, final, loss, summed
from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.cells import CATALOGUE
from symgrad.errors import UsageError
from symgrad.evaluate.compiled import compile as compile_
from symgrad.evaluate.compiled.problem import rank_of
from symgrad.lang import affine
from symgrad.lang.algebra import Floats
from symgrad.lang.nodes import Node, index_value
from symgrad.lang.program import Inputs, Runner
from symgrad.ops import (
    absolute,
    concat,
    dot,
    exp,
    log,
    logsumexp,
    maximum,
    mean,
    relu,
    rows,
    sigma,
    softmax,
    softplus,
    sqrt,
    tanh,
    total,
    variance,
)
from symgrad.verify.oracles import compare

OBJECTIVES: dict[str, Callable[[Cell], Objective]] = {
    "final": final,
    "summed": summed,
    "loss": loss,
    "squared": lambda cell: loss(cell, squared=True),
    "last loss": lambda cell: loss(cell, squared=True, last_only=True),
    "last general loss": lambda cell: loss(cell, last_only=True),
}


def own_cells() -> Iterator[Cell]:
    """Cells with what the catalogue's do not have."""
    n, m = sizes("n m")
    h, c, y, x = signal("h", n), signal("c", n), signal("y", m), input_signal("x", m)
    z, r, s = signal("z", n), signal("r", n), signal("score")
    W, U, b, v = param("W", n, m), param("U", n, n), param("b", n), param("v", n)
    V, Q, row, a = param("P", m, n), param("Q", n, n + m), param("R", 1, n), param("alpha")

    def call(f: Callable[[Node], Node], node: Node) -> Node:
        return f(node)

    yield Cell("leaky", [(h, (1 - a) * h.prev + a * (W @ x))], inputs=[x])
    yield Cell(
        "gated",
        [
            (z, sigma(W @ x + U @ h.prev + b)),
            (r, sigma(param("W_r", n, m) @ x + param("U_r", n, n) @ h.prev + param("b_r", n))),
            (c, tanh(param("W_c", n, m) @ x + param("U_c", n, n) @ (r * h.prev) + v * c.prev)),
            (h, (1 - z) * h.prev + z * c),
        ],
        inputs=[x],
    )
    yield Cell("rows", [(h, tanh(Q @ concat(h.prev, x))), (s, row @ h)], inputs=[x], output=s)
    yield Cell("parts", [(h, tanh(rows(Q @ concat(h.prev, x), 0, n) * v)), (y, V @ h)], inputs=[x])
    yield Cell(
        "functions",
        [
            (c, softplus(U @ c.prev) / (2 + exp(b)) - relu(W @ x, 0) + absolute(v * c.prev, 0)),
            (h, sqrt(1 + c * c) * log(2 + c**2) + maximum(c, h.prev, Fraction(1, 2))),
        ],
        inputs=[x],
    )
    yield Cell(
        "attention",
        [
            (z, softmax(W @ x + h.prev)),
            (c, (z - mean(z)) / sqrt(variance(U @ h.prev) + 1)),
            (h, tanh(U @ (z * h.prev) + dot(z, b) * v + logsumexp(z) * b - total(z**3) + c)),
        ],
        inputs=[x],
    )
    yield Cell(
        "same", [(c, h.prev), (h, -tanh(U @ h.prev) + a), (z, h), (y, x)], inputs=[x], output=z
    )
    u = input_signal("input", n)
    # Gradients of inputs that are what came back, beside a new value of it.
    yield Cell("passing", [(h, tanh(U @ h.prev) + u), (c, c.prev * b + h.prev)], inputs=[u])
    left = index_value(affine.T - affine.t + 2)
    yield Cell("timed", [(h, sigma(U @ h.prev * index_value(affine.t) + left * b) + a)])
    # States that pass each other on: what comes back is what came to another one.
    yield Cell("shift", [(c, h.prev), (h, z.prev), (z, c.prev * a + u)], inputs=[u], output=z)
    yield Cell("residual", [(h, h.prev + tanh(U @ h.prev + W @ x))], inputs=[x])
    inner = a * h.prev + b / 2
    powers = h.prev**5 * a + a**2 / (2 + h.prev) - a * b * h.prev + inner**3
    yield Cell("powers", [(h, call(sigma, powers))])


OWN = {cell.name: cell for cell in own_cells()}
ALL = {**CATALOGUE, **OWN}
SIZES = [
    {"n": 1, "m": 1, "q": 1},
    {"n": 2, "m": 3, "q": 1},
    {"n": 3, "m": 2, "q": 4},
    {"n": 5, "m": 4, "q": 2},
]


def cell_of(name: str, reading: str) -> Cell:
    return ALL[name] if reading == "vector" else ALL[name].scalar()


@dataclass
class Case:
    """A compiled function and random arguments."""

    cell: Cell
    objective: Objective
    f: Any
    sizes: dict[str, int]
    T: int
    B: int | None
    params: dict[str, Any]
    inputs: dict[str, Any]
    initial: dict[str, Any]
    given: dict[str, Any]

    def gradient(self, **options: Any) -> Any:
        return self.f.gradient(
            self.params, self.inputs, self.initial, T=self.T, **self.given, **options
        )

    def sample(self, b: int) -> Inputs:
        """The arguments of one sample for the reference."""
        shapes = {p.name: p.shape for p in self.cell.params}
        label = next((v.label for v in self.f.plan.givens), "")
        (given,) = self.given.values() or (None,)
        params = {
            key: np.reshape(value, self._shape(shapes[key]))[()]
            for key, value in self.params.items()
        }
        if "cotangent" in self.given:
            params[label] = self._column(given if self.B is None else given[b])
        timed = self.objective.when == "sum"

        def signals(name: str, t: int) -> Any:
            data = given if name == label else self.inputs[name]
            over_time = timed or name != label
            one = data if self.B is None else data[:, b] if over_time else data[b]
            return self._column(one[t - 1] if over_time else one)

        initial = {
            key: self._column(value if self.B is None else value[b])
            for key, value in self.initial.items()
        }
        return Inputs(params, initial, signals, self.sizes)

    def _shape(self, shape: Any) -> tuple[int, ...]:
        return () if self.cell.is_scalar else tuple(size.value(self.sizes) for size in shape)

    def _column(self, value: Any) -> Any:
        return value if self.cell.is_scalar else np.reshape(value, (-1, 1))


def make(
    name: str,
    reading: str,
    kind: str,
    given_sizes: dict[str, int],
    T: int,
    B: int | None,
    **options: Any,
) -> Case:
    cell = cell_of(name, reading)
    objective = OBJECTIVES[kind](cell)
    f = compile_(cell, objective, **options)
    random = np.random.default_rng([T, B or 0, *given_sizes.values(), len(kind), len(name)])

    def draw(value: Any, *lead: int) -> Any:
        entries = [size.value(given_sizes) for size in value.shape[: rank_of(value)]]
        return random.uniform(0.2, 1, (*lead, *entries)) * random.choice([-1, 1], (*lead, *entries))

    batch = () if B is None else (B,)
    plan = f.plan
    given = {}
    for value in plan.givens:
        key = {"cotangent": "cotangent"}.get(value.role) or (
            "dl" if value.label.startswith("dl_") else "targets"
        )
        timed = plan.when == "sum" and value.role == "given"
        given[key] = draw(value, *((T,) if timed else ()), *batch)
    return Case(
        cell,
        objective,
        f,
        given_sizes,
        T,
        B,
        {v.label: draw(v) for v in plan.params},
        {v.label: draw(v, T, *batch) for v in plan.inputs},
        {v.label: draw(v, *batch) for v in plan.states},
        given,
    )


def near(value: Any, reference: Any, terms: Any = 0.0, tolerance: float = 1e-11) -> bool:
    """Entry by entry, relative to the reference or to the summands it is the sum of."""
    value, reference = np.asarray(value), np.asarray(reference)
    assert value.shape == reference.shape, (value.shape, reference.shape)
    # A sum of terms that cancel is off by the rounding of the terms.
    scale = np.maximum(np.abs(reference), 1e-3 * np.asarray(terms))
    return bool(np.all(np.abs(value - reference) <= tolerance * scale))


def reference(
    case: Case,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Per sample: gradients of parameters, of initial states and of inputs."""
    gradient = backward(case.cell, case.objective)
    names = [s.name for s in case.cell.inputs]
    program = gradient.with_signal_adjoints(*names)
    runs = [Runner(program, Floats()).run(case.sample(b), case.T) for b in range(case.B or 1)]
    sums = [{k: flat(case, k, v) for k, v in run.totals.items()} for run in runs]
    starts = [
        {s.name: line(run.values[f"lam_{s.name}", 0]) for s in case.cell.states} for run in runs
    ]
    moved = [
        {
            name: np.array([line(run.values[f"lam_{name}", t]) for t in range(1, case.T + 1)])
            for name in names
        }
        for run in runs
    ]
    return sums, starts, moved


def line(value: Any) -> Any:
    return value[:, 0] if np.ndim(value) == 2 else value


def flat(case: Case, name: str, value: Any) -> Any:
    """In the shape of the parameter that the user passed."""
    return np.reshape(value, np.shape(case.params[name]))


READINGS = [(name, reading) for name in ALL for reading in ("vector", "scalar")]
#: Every objective with every cell; sizes and horizons go round.
_ROUND = ((0, 7), (1, 0), (2, 1), (3, 2), (1, 7))
CASES = [
    (name, reading, kind, *_ROUND[(i + j + shift) % len(_ROUND)])
    for i, (name, reading) in enumerate(READINGS)
    for j, kind in enumerate(OBJECTIVES)
    for shift in (0, 2)
]


@pytest.mark.parametrize(("name", "reading", "kind", "number", "T"), CASES)
def test_against_the_reference(name: str, reading: str, kind: str, number: int, T: int) -> None:
    case = make(name, reading, kind, SIZES[number], T, 3)
    if case.f.plan.first_horizon > T:
        with pytest.raises(Exception, match="no value at time 0"):
            case.gradient()
        return
    sums, starts, moved = reference(case)

    found = case.gradient(wrt_inputs=True)
    for key in case.params:
        terms = sum(np.abs(s[key]) for s in sums)
        assert near(found.params[key], sum(s[key] for s in sums), terms + 1e-3 * np.max(terms)), key
    for key in case.initial:
        assert near(found.initial[key], np.stack([s[key] for s in starts])), key
    for key in case.inputs:
        expected = np.stack([s[key] for s in moved], axis=1)
        assert near(found.inputs[key], np.reshape(expected, found.inputs[key].shape)), key

    apart = case.gradient(per_sample=True)
    for key in case.params:
        expected = np.stack([s[key] for s in sums])
        assert near(apart.params[key], expected, np.max(np.abs(expected))), key


@pytest.mark.parametrize(("name", "reading"), READINGS)
def test_parameters_of_each_sample(name: str, reading: str) -> None:
    case = make(name, reading, "squared", SIZES[2], 3, 4)
    shared = case.gradient(per_sample=True, value=True, wrt_inputs=True)
    case.params = {k: np.broadcast_to(v, (4, *np.shape(v))) for k, v in case.params.items()}
    for found in (case.gradient(value=True, wrt_inputs=True, per_sample=True), case.gradient()):
        for key in case.params:
            terms = np.max(np.abs(shared.params[key]), initial=0.0)
            assert near(found.params[key], shared.params[key], terms), key
        for key in case.initial:
            assert near(found.initial[key], shared.initial[key]), key
    forward = case.f.forward(case.params, case.inputs, case.initial, T=case.T)
    assert all(np.shape(v)[:2] == (3, 4) for v in forward.values())


@pytest.mark.parametrize(("name", "reading"), READINGS)
def test_without_a_batch(name: str, reading: str) -> None:
    case = make(name, reading, "squared", SIZES[1], 3, 1)
    found = case.gradient(wrt_inputs=True, value=True)
    signals = case.f.forward(case.params, case.inputs, case.initial, T=3)
    case.inputs = {k: v[:, 0] for k, v in case.inputs.items()}
    case.initial = {k: v[0] for k, v in case.initial.items()}
    case.given = {k: v[:, 0] for k, v in case.given.items()}
    alone = case.gradient(wrt_inputs=True, value=True)
    for key, value in case.f.forward(case.params, case.inputs, case.initial, T=3).items():
        assert near(value, signals[key][:, 0])
    assert near(alone.value, found.value)
    for key in case.params:
        assert near(alone.params[key], found.params[key])
        assert np.shape(alone.params[key]) == np.shape(case.params[key])
    for key in case.initial:
        assert near(alone.initial[key], found.initial[key][0])
    for key in case.inputs:
        assert near(alone.inputs[key], found.inputs[key][:, 0])


@pytest.mark.parametrize("reading", ["vector", "scalar"])
def test_what_all_samples_share_gets_the_sum(reading: str) -> None:
    case = make("gated", reading, "squared", SIZES[2], 3, 4)
    case.initial = {k: np.broadcast_to(v[0], v.shape) for k, v in case.initial.items()}
    case.inputs = {k: np.broadcast_to(v[:, :1], v.shape) for k, v in case.inputs.items()}
    expected = case.gradient(wrt_inputs=True)
    case.initial = {k: v[0] for k, v in case.initial.items()}
    case.inputs = {k: v[:, 0] for k, v in case.inputs.items()}
    found = case.gradient(wrt_inputs=True)
    apart = case.gradient(wrt_inputs=True, per_sample=True)
    for key, value in expected.initial.items():
        terms = np.sum(np.abs(value), axis=0)
        assert near(found.initial[key], np.sum(value, axis=0), terms)
        assert near(apart.initial[key], value)
    assert found.inputs is not None
    for key, value in expected.inputs.items():
        terms = np.sum(np.abs(value), axis=1)
        assert near(found.inputs[key], np.sum(value, axis=1), terms)
        assert near(apart.inputs[key], value)


@pytest.mark.parametrize(("name", "reading"), READINGS)
def test_forward_and_value_against_the_reference(name: str, reading: str) -> None:
    case = make(name, reading, "squared", SIZES[2], 4, 3)
    found = case.f.forward(case.params, case.inputs, case.initial, T=4)
    output = case.objective.signal.name
    gap = found[output] - case.given["targets"]
    assert near(case.gradient(value=True).value, np.sum(gap**2) / 2)
    each = case.gradient(value=True, per_sample=True).value
    assert near(each, np.sum(gap**2, axis=(0, *range(2, gap.ndim))) / 2)
    for b in range(3):
        run = Runner(case.cell.program, Floats()).run(case.sample(b), 4)
        for entry in case.cell.signals:
            expected = np.array([line(run.signal(entry.name, t)) for t in range(1, 5)])
            assert near(
                found[entry.name][:, b], np.reshape(expected, found[entry.name][:, b].shape)
            )


@pytest.mark.parametrize("kind", OBJECTIVES)
@pytest.mark.parametrize("T", [1, 5])
def test_the_value_is_what_is_differentiated(kind: str, T: int) -> None:
    case = make("rnn", "vector", kind, SIZES[2], T, 2)
    if "general" in kind or kind == "loss":
        with pytest.raises(Exception, match="gradient dl alone"):
            case.gradient(value=True)
        return
    case.f = compile_(case.cell, case.objective, dtype=np.complex128)
    gradient = case.gradient(value=True)
    moved = dict(case.params)
    step = np.zeros(case.params["W_h"].shape)
    step[1, 2] = 1e-30
    case.params = moved | {"W_h": moved["W_h"] + 1j * step}
    slope = np.imag(case.gradient(value=True).value) / 1e-30
    assert compare(slope, np.real(gradient.params["W_h"][1, 2])) < 1e-11


# ---- sizes ---------------------------------------------------------------------------------


def test_a_size_may_be_called_as_the_batch_is() -> None:
    n, B = sizes("n B")
    h, x = signal("h", n), input_signal("x", B)
    cell = Cell("sized", [(h, h.prev + param("W", n, B) @ x)], inputs=[x])
    f = compile_(cell, loss(cell, squared=True))
    weights, targets = np.ones((3, 2)), np.zeros((4, 5, 3))
    found = f.gradient({"W": weights}, {"x": np.ones((4, 5, 2))}, targets=targets)
    # h_t = 2 t, so Σ_t Σ_{s ≤ t} h_t = Σ_t 2 t² = 60 for each of 5 samples.
    assert found["W"].shape == (3, 2)
    assert np.all(found["W"] == 5 * 60)


@pytest.mark.parametrize("columns", [4, 6])
def test_a_size_that_is_a_sum_is_checked_and_told_apart(columns: int) -> None:
    n, m = sizes("n m")
    h, x, z = signal("h", n), input_signal("x", m), input_signal("z", n + m)
    cell = Cell("joined", [(h, param("W", n, n + m) @ (concat(h.prev, x) + z))], inputs=[x, z])
    f = compile_(cell)
    inputs = {"x": np.ones((2, 2)), "z": np.ones((2, 5))}
    assert f.forward({"W": np.ones((3, 5))}, inputs)["h"].shape == (2, 3)
    with pytest.raises(UsageError, match=r"shape \(2, 2\); it must be \(T, m\)"):
        f.forward({"W": np.ones((3, columns))}, inputs)


def test_a_batch_has_a_sample() -> None:
    cell = CATALOGUE["linear-input"]
    f = compile_(cell)
    params = {p.name: np.ones([2] * sum(str(s) != "1" for s in p.shape)) for p in cell.params}
    with pytest.raises(UsageError, match="a batch without a sample"):
        f.forward(params, {"x": np.ones((3, 0, 2))})


def test_what_comes_back_is_the_same_for_all_samples() -> None:
    """L = (1/T) Σ w^t h_0: dL/dw is 2.5 and dL/dh_0 is 3 at T = 2, w = 2, h_0 = 1."""
    cell = CATALOGUE["linear"].scalar()
    for backend in ("numpy", "mpmath"):
        run = compile_(cell, summed(cell).over_mean(), backend=backend)
        found = run.gradient({"w": 2.0}, initial={"h": 1.0}, T=2)
        assert (found["w"], found["h"]) == (2.5, 3.0)
        found = run.gradient({"w": 2.0}, initial={"h": [1.0, 3.0]}, T=2)
        assert found["w"] == 10.0
        assert list(found["h"]) == [3.0, 3.0]
