"""Backpropagation through time in NumPy as one would write it by hand, and for speed.

All four gates are one array, so a step makes few calls; σ(z) = (1 + tanh(z/2))/2, so the four
activations are one tanh; results are written where they are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.problem import GATES, VECTOR_NAMES, Array, Scalar, Vector

#: Samples at a time: all arrays of a step then stay in the cache.
BLOCK = 2048

#: Forget, input and output gate are σ, the last is tanh: σ(z) = ½ tanh(½ z) + ½.
_HALF = np.array([0.5, 0.5, 0.5, 1.0])[:, None]


def scalar_gradient(
    params: Array, x: Array, y: Array, h_0: Array, c_0: Array, known: dict[Any, Array] | None = None
) -> Array:
    """The gradient of every sample, (12, B), in the order w_f, u_f, b_f, w_i, …

    ``known`` keeps the arrays of a run for the next one, as everybody's are who has some.
    """
    batch = x.shape[1]
    known = {} if known is None else known
    if batch <= BLOCK:
        return _scalar_block(params, x, y, h_0, c_0, known)
    result = np.empty((12, batch))
    for start in range(0, batch, BLOCK):
        part = slice(start, start + BLOCK)
        block = (params, x[:, part], y[:, part], h_0[part], c_0[part])
        result[:, part] = _scalar_block(*block, known)
    return result


def _keeper(known: dict[Any, Array]) -> Callable[..., Array]:
    """Arrays by name and shape, made once."""

    def array(name: str, *shape: int) -> Array:
        key = (name, shape)
        if key not in known:
            known[key] = np.empty(shape)
        return known[key]

    return array


def _scalar_block(
    params: Array, x: Array, y: Array, h_0: Array, c_0: Array, known: dict[Any, Array]
) -> Array:
    horizon, batch = x.shape
    array = _keeper(known)
    W, U, b = (params[k::3, None] for k in range(3))
    W_half, U_half, b_half = _HALF * W, _HALF * U, _HALF * b
    gates = array("gates", horizon, 4, batch)
    h = array("h", horizon + 1, batch)
    c = array("c", horizon + 1, batch)
    tanh_c = array("tanh_c", horizon, batch)
    h[0], c[0] = h_0, c_0
    scratch = array("scratch", 4, batch)
    row = array("row", batch)
    for t in range(horizon):
        z = gates[t]
        np.multiply(W_half, x[t], out=z)
        np.multiply(U_half, h[t], out=scratch)
        z += scratch
        z += b_half
        np.tanh(z, out=z)
        z[:3] *= 0.5
        z[:3] += 0.5
        np.multiply(z[0], c[t], out=c[t + 1])
        np.multiply(z[1], z[3], out=row)
        c[t + 1] += row
        np.tanh(c[t + 1], out=tanh_c[t])
        np.multiply(z[2], tanh_c[t], out=h[t + 1])
    result = np.zeros((4, 3, batch))
    dW, dU, db = result[:, 0], result[:, 1], result[:, 2]
    dh, dc = np.zeros(batch), np.zeros(batch)
    delta = array("delta", 4, batch)
    for t in range(horizon - 1, -1, -1):
        f, i, o, g = gates[t]
        dh += h[t + 1]
        dh -= y[t]
        # 1 - tanh(c)², then what reaches c through h.
        np.multiply(tanh_c[t], tanh_c[t], out=row)
        np.subtract(1.0, row, out=row)
        row *= o
        row *= dh
        dc += row
        # σ' = σ (1 - σ) for three gates at once, 1 - g² for the fourth.
        np.subtract(1.0, gates[t, :3], out=delta[:3])
        delta[:3] *= gates[t, :3]
        np.multiply(g, g, out=delta[3])
        np.subtract(1.0, delta[3], out=delta[3])
        delta[0] *= c[t]
        delta[1] *= g
        delta[3] *= i
        delta[:2] *= dc
        delta[3] *= dc
        delta[2] *= tanh_c[t]
        delta[2] *= dh
        np.multiply(delta, x[t], out=scratch)
        dW += scratch
        np.multiply(delta, h[t], out=scratch)
        dU += scratch
        db += delta
        np.multiply(U, delta, out=scratch)
        np.add.reduce(scratch, axis=0, out=dh)
        dc *= f
    return result.reshape(12, batch)


def vector_gradient(problem: Vector) -> dict[str, Array]:
    """The gradient of the whole batch by parameter."""
    return named(_vector(*stacked(problem), problem, {}))


def stacked(problem: Vector) -> tuple[Array, Array, Array]:
    """W and U as (inputs, 4 n) and b as (4 n,): one product serves all gates."""
    p = problem.params
    W, U = (np.concatenate([p[f"{kind}_{g}"].T for g in GATES], axis=1) for kind in "WU")
    return W, U, np.concatenate([p[f"b_{g}"] for g in GATES])


def named(found: Sequence[Array]) -> dict[str, Array]:
    """Gradients by parameter, from those of the stacked weights."""
    parts = dict(zip("WUb", [np.split(a, 4, axis=-1) for a in found], strict=True))
    return {name: parts[name[0]][GATES.index(name[2])].T for name in VECTOR_NAMES}


def _vector(
    W: Array, U: Array, b: Array, problem: Vector, known: dict[Any, Array]
) -> tuple[Array, Array, Array]:
    x, y = problem.x, problem.y
    horizon, batch, size = x.shape
    array = _keeper(known)
    half = np.repeat([0.5, 0.5, 0.5, 1.0], size)
    sigmas = 3 * size
    # What does not wait for h: one large product for all steps.
    gates = array("gates", horizon, batch, 4 * size)
    np.matmul(x.reshape(-1, size), W * half, out=gates.reshape(-1, 4 * size))
    gates += b * half
    U_half = U * half
    h = array("h", horizon + 1, batch, size)
    c = array("c", horizon + 1, batch, size)
    tanh_c = array("tanh_c", horizon, batch, size)
    h[0], c[0] = problem.h_0, problem.c_0
    wide, row = array("wide", batch, 4 * size), array("row", batch, size)
    for t in range(horizon):
        z = gates[t]
        np.matmul(h[t], U_half, out=wide)
        z += wide
        np.tanh(z, out=z)
        z[:, :sigmas] *= 0.5
        z[:, :sigmas] += 0.5
        f, i, o, g = (z[:, k * size : (k + 1) * size] for k in range(4))
        np.multiply(f, c[t], out=c[t + 1])
        np.multiply(i, g, out=row)
        c[t + 1] += row
        np.tanh(c[t + 1], out=tanh_c[t])
        np.multiply(o, tanh_c[t], out=h[t + 1])
    dh, dc = np.zeros((batch, size)), np.zeros((batch, size))
    delta = array("delta", horizon, batch, 4 * size)
    U_back = np.ascontiguousarray(U.T)
    for t in range(horizon - 1, -1, -1):
        z, d = gates[t], delta[t]
        f, i, o, g = (z[:, k * size : (k + 1) * size] for k in range(4))
        d_f, d_i, d_o, d_g = (d[:, k * size : (k + 1) * size] for k in range(4))
        dh += h[t + 1]
        dh -= y[t]
        np.multiply(tanh_c[t], tanh_c[t], out=row)
        np.subtract(1.0, row, out=row)
        row *= o
        row *= dh
        dc += row
        np.subtract(1.0, z[:, :sigmas], out=d[:, :sigmas])
        d[:, :sigmas] *= z[:, :sigmas]
        np.multiply(g, g, out=d_g)
        np.subtract(1.0, d_g, out=d_g)
        d_f *= c[t]
        d_i *= g
        d_g *= i
        for part in (d_f, d_i, d_g):
            part *= dc
        d_o *= tanh_c[t]
        d_o *= dh
        np.matmul(d, U_back, out=dh)
        dc *= f
    # The sums over time and batch: one large product each.
    flat = delta.reshape(-1, 4 * size)
    dW = x.reshape(-1, size).T @ flat
    dU = h[:-1].reshape(-1, size).T @ flat
    return dW, dU, flat.sum(axis=0)


class Throughput:
    """The functions above, with the weights stacked beforehand."""

    def scalar(self, problem: Scalar) -> tuple[Any, Any]:
        p, known = problem, dict[Any, Array]()
        return lambda: scalar_gradient(p.params, p.x, p.y, p.h_0, p.c_0, known), lambda found: found

    def vector(self, problem: Vector) -> tuple[Any, Any]:
        parts, known = stacked(problem), dict[Any, Array]()
        return lambda: _vector(*parts, problem, known), named
