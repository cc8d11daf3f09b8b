"""HIPS autograd: NumPy code, differentiated while it runs."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
from autograd import grad

from benchmarks.peers import by_hand
from benchmarks.problem import Array, Scalar, Vector


def _sigma(z: Array) -> Array:
    return (1 + np.tanh(z / 2)) / 2


def _scalar_loss(params: Any, x: Array, y: Array, h: Array, c: Array) -> Any:
    W, U, b = params
    loss = 0.0
    for x_t, y_t in zip(x, y, strict=True):
        z = W * x_t + U * h + b
        gates = _sigma(z[:3])
        c = gates[0] * c + gates[1] * np.tanh(z[3])
        h = gates[2] * np.tanh(c)
        loss = loss + np.sum((h - y_t) ** 2) / 2
    return loss


def _vector_loss(params: Any, x: Array, y: Array, h: Array, c: Array) -> Any:
    W, U, b = params
    size = h.shape[1]
    loss = 0.0
    projected = np.dot(x, W) + b
    for t in range(len(x)):
        z = projected[t] + np.dot(h, U)
        f, i, o, g = (z[:, k * size : (k + 1) * size] for k in range(4))
        c = _sigma(f) * c + _sigma(i) * np.tanh(g)
        h = _sigma(o) * np.tanh(c)
        loss = loss + np.sum((h - y[t]) ** 2) / 2
    return loss


class Throughput:
    """``grad`` of the loss; with one copy of the parameters per sample where each has its own."""

    def scalar(self, problem: Scalar) -> tuple[Any, Any]:
        p = problem
        shape = (4, p.batch)
        params = tuple(np.array(np.broadcast_to(p.params[k::3, None], shape)) for k in range(3))
        gradient = grad(_scalar_loss)

        def run() -> Any:
            return gradient(params, p.x, p.y, p.h_0, p.c_0)

        return run, lambda found: np.stack(found, axis=1).reshape(12, -1)

    def vector(self, problem: Vector) -> tuple[Any, Any]:
        p = problem
        params = by_hand.stacked(p)
        gradient = grad(_vector_loss)
        return lambda: gradient(params, p.x, p.y, p.h_0, p.c_0), by_hand.named
