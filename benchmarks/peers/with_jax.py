"""JAX: the gradient of a scan as a jaxpr, and compiled."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.peers import by_hand
from benchmarks.problem import Array, Scalar, Vector

#: Primitives that count one operation per call, on scalars.
_COUNTED = {
    "add", "add_any", "sub", "mul", "div", "neg", "tanh", "logistic", "exp", "square",
}  # fmt: skip


def _step(p: Any, h: Any, c: Any, x: Any) -> tuple[Any, Any]:
    f, i, o, g = (p[3 * k] * x + p[3 * k + 1] * h + p[3 * k + 2] for k in range(4))
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def scanned(p: Any, x: Any, y: Any, h_0: Any, c_0: Any) -> Any:
    """L by ``lax.scan``; ``p`` is a tuple of twelve scalars."""

    def body(carry: Any, given: Any) -> tuple[Any, None]:
        h, c, loss = carry
        h, c = _step(p, h, c, given[0])
        return (h, c, loss + (h - given[1]) ** 2 / 2), None

    return lax.scan(body, (h_0, c_0, jnp.zeros(())), (x, y))[0][2]


def looped(p: Any, x: Any, y: Any, h: Any, c: Any) -> Any:
    """L by a Python loop over tuples of scalars."""
    loss = jnp.zeros(())
    for x_t, y_t in zip(x, y, strict=True):
        h, c = _step(p, h, c, x_t)
        loss = loss + (h - y_t) ** 2 / 2
    return loss


def _operations(jaxpr: Any) -> int:
    """Operations of one run; a scan's body counts once per step."""
    total = 0
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        inner = [v for v in equation.params.values() if hasattr(v, "jaxpr") or hasattr(v, "eqns")]
        times = equation.params["length"] if name == "scan" else 1
        total += times * sum(_operations(getattr(v, "jaxpr", v)) for v in inner)
        if name == "integer_pow":
            total += max(abs(equation.params["y"]) - 1, 1)
        elif name in _COUNTED:
            total += 1
    return total


class ScanJaxpr:
    """``make_jaxpr(grad(loss))``: traced and differentiated, not compiled."""

    loss = staticmethod(scanned)
    largest = 10**9

    def arguments(self, problem: Scalar) -> tuple[Any, ...]:
        params = tuple(jnp.asarray(value) for value in problem.params)
        given = (problem.x, problem.y, problem.h_0, problem.c_0)
        return params, *[jnp.asarray(value[..., 0]) for value in given]

    def shapes(self, horizon: int) -> tuple[Any, ...]:
        number = jax.ShapeDtypeStruct((), jnp.float64)
        series = jax.ShapeDtypeStruct((horizon,), jnp.float64)
        return (number,) * 12, series, series, number, number

    def derive(self, horizon: int) -> Any:
        if horizon > self.largest:
            raise ValueError(f"unrolled up to T = {self.largest} only")
        # A new function each time: JAX remembers what it has traced.
        return jax.make_jaxpr(jax.grad(lambda *given: self.loss(*given)))(*self.shapes(horizon))

    def operations(self, jaxpr: Any, horizon: int) -> float:
        return _operations(jaxpr.jaxpr)

    def gradient(self, jaxpr: Any, problem: Scalar) -> Array:
        flat = jax.tree_util.tree_leaves(self.arguments(problem))
        values = jax.core.eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *flat)
        return np.array([[float(value)] for value in values])


class LoopJaxpr(ScanJaxpr):
    """The same, with every step written out."""

    loss = staticmethod(looped)
    #: Tracing takes about 10 ms a step.
    largest = 100

    def shapes(self, horizon: int) -> tuple[Any, ...]:
        number = jax.ShapeDtypeStruct((), jnp.float64)
        return (number,) * 12, (number,) * horizon, (number,) * horizon, number, number

    def arguments(self, problem: Scalar) -> tuple[Any, ...]:
        params, x, y, *start = super().arguments(problem)
        return params, tuple(x), tuple(y), *start


def _vector_loss(p: Any, x: Any, y: Any, h_0: Any, c_0: Any) -> Any:
    W, U, b = p
    # One product for all steps and gates; only U h_{t-1} has to wait.
    z = x @ W + b

    def body(carry: Any, given: Any) -> tuple[Any, None]:
        h, c, loss = carry
        f, i, o, g = jnp.split(given[0] + h @ U, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c, loss + ((h - given[1]) ** 2).sum() / 2), None

    return lax.scan(body, (h_0, c_0, jnp.zeros(())), (z, y))[0][2]


class Throughput:
    """``jit(vmap(grad(scan)))`` per sample; ``jit(grad(scan))`` with shared weights."""

    def scalar(self, problem: Scalar) -> tuple[Any, Any]:
        compiled = jax.jit(jax.vmap(jax.grad(scanned), in_axes=(None, 1, 1, 0, 0)))
        params = tuple(jnp.asarray(value) for value in problem.params)
        given = [jnp.asarray(a) for a in (problem.x, problem.y, problem.h_0, problem.c_0)]
        return lambda: jax.block_until_ready(compiled(params, *given)), np.stack

    def vector(self, problem: Vector) -> tuple[Any, Any]:
        compiled = jax.jit(jax.grad(_vector_loss))
        params = tuple(jnp.asarray(array) for array in by_hand.stacked(problem))
        given = [jnp.asarray(a) for a in (problem.x, problem.y, problem.h_0, problem.c_0)]

        def read(found: Any) -> dict[str, Array]:
            return by_hand.named([np.asarray(array) for array in found])

        return lambda: jax.block_until_ready(compiled(params, *given)), read
