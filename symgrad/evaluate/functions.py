"""Functions of numbers as SymPy has them, by the name of their primitive.

The value is the same for every convention at a kink, so ``relu_0`` and ``relu_1`` are both
``Max(0, x)``; the convention shows in derivatives, where ``step_0(x)`` is
``Heaviside(x, 0)``. A step without a convention has no value at 0: ``Heaviside(x, nan)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy

from symgrad.evaluate.names import Expr
from symgrad.ops.elementwise import CONVENTIONS


def logistic(x: Expr) -> Expr:
    """1 / (1 + exp(-x)), as SymPy has no logistic function of its own."""
    return 1 / (1 + sympy.exp(-x))


def _softplus(x: Expr) -> Expr:
    return sympy.log(1 + sympy.exp(x))


def _relu(x: Expr) -> Expr:
    # Not Piecewise: SymPy lifts its cases out of a Σ, bound index and all.
    return sympy.Max(0, x)


def _step(at_zero: Expr) -> Callable[[Expr], Expr]:
    return lambda x: sympy.Heaviside(x, at_zero)


def _sign(x: Expr) -> Expr:
    # SymPy's own sign is 0 at 0.
    return 2 * sympy.Heaviside(x, sympy.nan) - 1


_AT_ZERO = {
    suffix: sympy.nan if value is None else sympy.Rational(value.numerator, value.denominator)
    for suffix, value in CONVENTIONS.items()
}

ARITHMETIC: Mapping[str, Callable[..., Expr]] = {
    "add": sympy.Add,
    "mul": sympy.Mul,
    "neg": lambda a: -a,
    "div": lambda a, b: a / b,
}

FUNCTIONS: Mapping[str, Callable[..., Expr]] = {
    "tanh": sympy.tanh,
    "sigma": logistic,
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "softplus": _softplus,
    **{f"step{suffix}": _step(value) for suffix, value in _AT_ZERO.items()},
    **{f"relu{suffix}": _relu for suffix in _AT_ZERO},
    **{f"max{suffix}": sympy.Max for suffix in _AT_ZERO},
    **dict.fromkeys(("abs", "abs_0"), sympy.Abs),
    "sign": _sign,
    "sign_0": sympy.sign,
}
