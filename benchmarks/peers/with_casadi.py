"""CasADi: SX unrolled over T, and mapaccum of one step."""

from __future__ import annotations

from typing import Any

import casadi as ca
import numpy as np

from benchmarks.problem import Array, Scalar

#: Instructions that copy or make nothing.
_FREE = {ca.OP_INPUT, ca.OP_OUTPUT, ca.OP_CONST, ca.OP_ASSIGN, ca.OP_PARAMETER}


def _sigma(z: Any) -> Any:
    return 1 / (1 + ca.exp(-z))


def _step(h: Any, c: Any, x: Any, p: Any) -> tuple[Any, Any]:
    f, i, o, g = (p[3 * k] * x + p[3 * k + 1] * h + p[3 * k + 2] for k in range(4))
    c = _sigma(f) * c + _sigma(i) * ca.tanh(g)
    return _sigma(o) * ca.tanh(c), c


def unrolled(horizon: int) -> Any:
    """Function (params, x, y, start) -> gradient over scalar instructions."""
    p, x, y = ca.SX.sym("p", 12), ca.SX.sym("x", horizon), ca.SX.sym("y", horizon)
    start = ca.SX.sym("start", 2)
    (h, c), loss = ca.vertsplit(start), ca.SX(0)
    for t in range(horizon):
        h, c = _step(h, c, x[t], p)
        loss += (h - y[t]) ** 2 / 2
    return ca.Function("gradient", [p, x, y, start], [ca.gradient(loss, p)])


def map_accumulated(horizon: int) -> Any:
    """Function (params, x, y, start) -> gradient with one step repeated by ``mapaccum``."""
    state, x_t, y_t, p_t = ca.SX.sym("s", 3), ca.SX.sym("x"), ca.SX.sym("y"), ca.SX.sym("p", 12)
    h, c = _step(state[0], state[1], x_t, p_t)
    following = ca.vertcat(h, c, state[2] + (h - y_t) ** 2 / 2)
    step = ca.Function("step", [state, x_t, y_t, p_t], [following])
    p, x, y = ca.MX.sym("p", 12), ca.MX.sym("x", horizon), ca.MX.sym("y", horizon)
    start = ca.MX.sym("start", 2)
    every = ca.repmat(p, 1, horizon)
    states = step.mapaccum("steps", horizon)(ca.vertcat(start, 0), x.T, y.T, every)
    return ca.Function("gradient", [p, x, y, start], [ca.gradient(states[2, -1], p)])


class _Derivation:
    def gradient(self, function: Any, problem: Scalar) -> Array:
        start = [problem.h_0[0], problem.c_0[0]]
        found = function(problem.params, problem.x[:, 0], problem.y[:, 0], start)
        return np.array(found).reshape(12, 1)

    def _count(self, function: Any, horizon: int) -> float:
        # σ is four instructions here: negation, exp, addition and division.
        kinds = [function.instruction_id(k) for k in range(function.n_instructions())]
        return sum(kind not in _FREE for kind in kinds) - 3 * 3 * horizon


class Unrolled(_Derivation):
    """SX: every instruction of every step is written out."""

    def derive(self, horizon: int) -> Any:
        return unrolled(horizon)

    def operations(self, function: Any, horizon: int) -> float | None:
        return self._count(function, horizon)


class MapAccum(_Derivation):
    """MX around one SX step: the text does not grow with T."""

    def derive(self, horizon: int) -> Any:
        return map_accumulated(horizon)

    def operations(self, function: Any, horizon: int) -> float | None:
        # Written out for counting only, which takes long for many steps.
        return self._count(function.expand(), horizon) if horizon <= 100 else None


class Throughput:
    """The unrolled function, mapped over the batch; CasADi's virtual machine."""

    def __init__(self) -> None:
        self.known: dict[int, Any] = {}

    def scalar(self, problem: Scalar) -> tuple[Any, Any]:
        single = self.known.setdefault(problem.horizon, unrolled(problem.horizon))
        mapped = single.map(problem.batch)
        params = ca.DM(np.tile(problem.params[:, None], (1, problem.batch)))
        x, y = ca.DM(problem.x), ca.DM(problem.y)
        start = ca.DM(np.stack([problem.h_0, problem.c_0]))
        # Into and out of CasADi's own matrices: no conversion is timed.
        return lambda: mapped(params, x, y, start), np.array
