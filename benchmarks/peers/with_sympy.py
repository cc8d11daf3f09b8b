"""SymPy in its strongest setup: functions of our own whose derivative is one expression.

Plain symbols with ``tanh`` and ``1/(1 + exp(-z))`` are some thirty times slower: their
assumptions are asked while the expression is built.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from benchmarks.problem import SCALAR_NAMES, Array, Scalar


class Sigma(sp.Function):
    """σ by name."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return self * (1 - self)


class Tanh(sp.Function):
    """tanh by name."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return 1 - self**2


class Derivation:
    """``diff`` per parameter, then ``cse`` over all twelve."""

    def derive(self, horizon: int) -> Any:
        sp.core.cache.clear_cache()
        p = sp.symbols(SCALAR_NAMES, real=True)
        x = sp.symbols(f"x_1:{horizon + 1}", real=True)
        y = sp.symbols(f"y_1:{horizon + 1}", real=True)
        h, c = start = sp.symbols("h_0 c_0", real=True)
        loss = sp.Integer(0)
        for x_t, y_t in zip(x, y, strict=True):
            f, i, o, g = (p[3 * k] * x_t + p[3 * k + 1] * h + p[3 * k + 2] for k in range(4))
            c = Sigma(f) * c + Sigma(i) * Tanh(g)
            h = Sigma(o) * Tanh(c)
            loss = loss + (h - y_t) ** 2 / 2
        return (*p, *x, *y, *start), sp.cse([sp.diff(loss, name) for name in p])

    def operations(self, derived: Any, horizon: int) -> float:
        _, (shared, results) = derived
        return int(sp.count_ops([value for _, value in shared]) + sp.count_ops(results))

    def gradient(self, derived: Any, problem: Scalar) -> Array:
        symbols, (shared, results) = derived
        functions = {"Sigma": lambda z: 1 / (1 + np.exp(-z)), "Tanh": np.tanh}
        numbers = [*problem.params, *problem.x[:, 0], *problem.y[:, 0], *problem.h_0, *problem.c_0]
        values = dict(zip(symbols, numbers, strict=True))
        for name, expression in shared:
            values[name] = _value(expression, values, functions)
        return np.array([[_value(expression, values, functions)] for expression in results])


def _value(expression: Any, values: dict[Any, Any], functions: dict[str, Any]) -> float:
    names = sorted(expression.free_symbols, key=str)
    evaluate = sp.lambdify(names, expression, modules=[functions, "numpy"])
    return float(evaluate(*[values[name] for name in names]))
