"""SymEngine: differentiate the unrolled loss by each parameter, then share subexpressions."""

from __future__ import annotations

from typing import Any

import numpy as np
import symengine as se

from benchmarks.problem import SCALAR_NAMES, Array, Scalar


def _sigma(z: Any) -> Any:
    return 1 / (1 + se.exp(-z))


class Derivation:
    """``diff`` per parameter, then ``cse`` over all twelve.

    The derivative of a function of its own would stay a formal Derivative, so σ is written
    with exp.
    """

    def derive(self, horizon: int) -> Any:
        p = [se.Symbol(name) for name in SCALAR_NAMES]
        x = [se.Symbol(f"x_{t}") for t in range(1, horizon + 1)]
        y = [se.Symbol(f"y_{t}") for t in range(1, horizon + 1)]
        h, c = start = [se.Symbol("h_0"), se.Symbol("c_0")]
        loss = se.Integer(0)
        for x_t, y_t in zip(x, y, strict=True):
            f, i, o, g = (p[3 * k] * x_t + p[3 * k + 1] * h + p[3 * k + 2] for k in range(4))
            c = _sigma(f) * c + _sigma(i) * se.tanh(g)
            h = _sigma(o) * se.tanh(c)
            loss = loss + (h - y_t) ** 2 / 2
        return [*p, *x, *y, *start], se.cse([loss.diff(name) for name in p])

    def operations(self, derived: Any, horizon: int) -> float:
        _, (shared, results) = derived
        seen: set[Any] = set()
        total = sum(_count(value, seen) for _, value in shared)
        total += sum(_count(value, seen) for value in results)
        # σ is four operations here, written with exp.
        return total - 3 * 3 * horizon

    def gradient(self, derived: Any, problem: Scalar) -> Array:
        symbols, (shared, results) = derived
        numbers = [*problem.params, *problem.x[:, 0], *problem.y[:, 0], *problem.h_0, *problem.c_0]
        values = {s: se.RealDouble(float(v)) for s, v in zip(symbols, numbers, strict=True)}
        for name, expression in shared:
            values[name] = expression.subs(_used(expression, values)).n(real=True)
        found = [expression.subs(_used(expression, values)) for expression in results]
        return np.array([[float(value.n(real=True))] for value in found])


def _used(expression: Any, values: dict[Any, Any]) -> dict[Any, Any]:
    return {symbol: values[symbol] for symbol in expression.free_symbols}


def _is_negative(term: Any) -> bool:
    return bool(term.is_Mul and term.args[0].is_Number and term.args[0].is_negative)


def _count(expression: Any, seen: set[Any]) -> int:
    """+, -, ×, ÷ and calls, equal parts once; a minus sign in a sum is a subtraction."""
    if not expression.args or expression in seen:
        return 0
    seen.add(expression)
    arguments = expression.args
    if expression.is_Pow:
        exponent = arguments[1]
        whole = exponent.is_Integer
        own = max(abs(int(exponent)) - 1, 0) + (int(exponent) < 0) if whole else 1
        return own + _count(arguments[0], seen)
    if expression.is_Add:
        total = len(arguments) - 1
        for term in arguments:
            total += _count(-term if _is_negative(term) else term, seen)
        return total
    if expression.is_Mul:
        # exp(-z) and 1/u as factors are counted where they are; a sign costs a negation.
        return len(arguments) - 1 + sum(_count(a, seen) for a in arguments)
    return 1 + sum(_count(a, seen) for a in arguments)
