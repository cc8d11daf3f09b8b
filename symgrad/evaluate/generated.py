"""Python code for formulas, as ``lambdify`` generates it, and the arithmetic it runs in.

Σ and Π keep our empty ranges, 0 and 1; SymPy's NumPy printer has no Π at all. A literal
is a number of the arithmetic and never a float, so 1/3 has all the digits asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import mpmath
import numpy as np
import sympy
from sympy.printing.pycode import PythonCodePrinter

from symgrad.errors import OutsideDomain
from symgrad.evaluate.names import Expr
from symgrad.lang.algebra import at_kink, some_function
from symgrad.ops.elementwise import CONVENTIONS

Number = Any


@dataclass(frozen=True)
class Arithmetic:
    """The numbers a formula is evaluated in: how to make one, and its functions."""

    number: Callable[[Any], Number]
    functions: Mapping[str, Callable[..., Number]]
    #: A generic activation, or its derivative of an order: ``(name, order, value)``.
    opaque: Callable[[str, int, Number], Number]


def _logistic(exp: Callable[[Number], Number]) -> Callable[[Number], Number]:
    def sigma(x: Number) -> Number:
        # exp of a positive number overflows; written so, it never sees one.
        if x.real >= 0:
            return 1 / (1 + exp(-x))
        small = exp(x)
        return small / (1 + small)

    return sigma


def _functions(library: Any) -> dict[str, Callable[..., Number]]:
    """The functions by the name of their primitive. What is complex is judged by its real part."""

    def positive(function: str, x: Number, *, or_zero: bool = False) -> Number:
        if x.real > 0 or (or_zero and x.real == 0):
            return getattr(library, function)(x)
        what = "negative" if or_zero else "not positive"
        raise OutsideDomain(f"{function} of {x}, which is {what}")

    def softplus(x: Number) -> Number:
        # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): exp never overflows.
        over = x if x.real > 0 else 0
        return over + log1p(library.exp(-x if x.real > 0 else x))

    def log1p(x: Number) -> Number:
        if not isinstance(x, complex):
            return library.log1p(x)
        # NumPy's own adds 1 first where the number is complex, and so forgets a small one.
        square = x.real * (2 + x.real) + x.imag * x.imag
        return library.log1p(square) / 2 + 1j * library.arctan2(x.imag, 1 + x.real)

    def step(at_zero: Fraction | None, x: Number) -> Number:
        if x.real:
            return int(x.real > 0)
        if at_zero is None:
            raise at_kink()
        return float(at_zero)  # 0, 1/2 or 1: exact

    def sign(at_zero: Fraction | None, x: Number) -> Number:
        return 2 * step(at_zero, x) - 1

    def by_convention(name: str, function: Callable[..., Number]) -> dict[str, Any]:
        return {f"{name}{suffix}": function for suffix in CONVENTIONS}

    return {
        "exp": library.exp,
        "tanh": library.tanh,
        "sigma": _logistic(library.exp),
        "log": partial(positive, "log"),
        "sqrt": partial(positive, "sqrt", or_zero=True),
        "softplus": softplus,
        **{f"step{suffix}": partial(step, value) for suffix, value in CONVENTIONS.items()},
        **by_convention("relu", lambda x: x if x.real > 0 else 0),
        **by_convention("max", lambda a, b: a if a.real > b.real else b),
        **dict.fromkeys(("abs", "abs_0"), lambda x: -x if x.real < 0 else x),
        "sign": partial(sign, None),
        "sign_0": partial(sign, Fraction(1, 2)),
    }


def _numpy(number: Callable[[Any], Number]) -> Arithmetic:
    return Arithmetic(number, _functions(np), partial(some_function, np))


_NAMES = tuple(_functions(np))

FLOAT64 = _numpy(np.float64)
COMPLEX128 = _numpy(np.complex128)


def multiprecision(digits: int) -> Arithmetic:
    """mpmath numbers with so many digits."""
    context = mpmath.MPContext()
    context.dps = digits

    def number(value: Any) -> Number:
        if isinstance(value, Fraction):
            return context.mpf(value.numerator) / value.denominator
        # NumPy's numbers are not Python's to mpmath.
        return context.mpf(value.item() if isinstance(value, np.generic) else value)

    return Arithmetic(number, _functions(context), partial(some_function, context))


class Kept(sympy.Function):  # type: ignore[misc]  # SymPy has no types
    """A function by its number, not written out in others: 1/(1 + exp(-x)) overflows."""


def kept(name: str) -> Callable[..., Expr]:
    """The function of that name, not written out."""
    return lambda *arguments: Kept(_NAMES.index(name), *arguments)


class Generic(sympy.Function):  # type: ignore[misc]  # SymPy has no types
    """A generic activation or its derivative: its number, the order, the argument."""


class Ordered(sympy.Expr):  # type: ignore[misc]  # SymPy has no types
    """row · (product of matrices, the highest index on the left) · column, not written out."""

    is_commutative = True


class CodePrinter(PythonCodePrinter):  # type: ignore[misc]  # SymPy has no types
    """Python code over the helpers; a literal is a number of the arithmetic, never a float."""

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        super().__init__({**(settings or {}), "allow_unknown_functions": True})

    def _print_Sum(self, expr: Expr) -> str:
        return self._fold("sum_", expr)

    def _print_Product(self, expr: Expr) -> str:
        return self._fold("prod_", expr)

    def _fold(self, helper: str, expr: Expr) -> str:
        text = str(self._print(expr.function))
        # SymPy merges Σ Σ into one: the first limits are the innermost.
        for index, lower, upper in expr.limits:
            bounds = f"{self._print(lower)}, {self._print(upper)}"
            text = f"{helper}(lambda {self._print(index)}: {text}, {bounds})"
        return text

    def _print_Ordered(self, expr: Expr) -> str:
        row, entries, column, index, lower, upper = expr.args
        return (
            f"ordered_({self._list(row)}, lambda {self._print(index)}: {self._list(entries)}, "
            f"{self._list(column)}, {self._print(lower)}, {self._print(upper)})"
        )

    def _list(self, entries: Expr) -> str:
        return f"[{', '.join(self._print(e) for e in entries)}]"

    def _print_Pow(self, expr: Expr, rational: bool = False) -> str:
        return f"power_({self._print(expr.base)}, {self._print(expr.exp)})"

    def _print_Rational(self, expr: Expr) -> str:
        return f"(number_({expr.p})/number_({expr.q}))"

    def _print_Half(self, expr: Expr) -> str:
        return self._print_Rational(expr)

    def _print_tanh(self, expr: Expr) -> str:
        return f"tanh_({self._print(expr.args[0])})"

    def _print_exp(self, expr: Expr) -> str:
        return f"exp_({self._print(expr.args[0])})"

    def _print_Kept(self, expr: Expr) -> str:
        place, *arguments = expr.args
        return f"{_NAMES[int(place)]}_({', '.join(self._print(a) for a in arguments)})"

    def _print_Generic(self, expr: Expr) -> str:
        return f"generic_({', '.join(self._print(a) for a in expr.args)})"

    def _print_Mul(self, expr: Expr) -> str:
        return "(" + "*".join(f"({self._print(f)})" for f in expr.args) + ")"


def helpers(arithmetic: Arithmetic, generic: Sequence[str] = ()) -> dict[str, Any]:
    """What the generated code calls; ``generic`` names generic activations by their number."""
    number = arithmetic.number

    def power(base: Any, exponent: int) -> Number:
        return number(base) ** int(exponent)

    def fold_sum(body: Callable[[int], Number], lower: int, upper: int) -> Number:
        return sum((body(i) for i in range(lower, upper + 1)), number(0))

    def fold_product(body: Callable[[int], Number], lower: int, upper: int) -> Number:
        result = number(1)
        for i in range(lower, upper + 1):
            result = body(i) * result
        return result

    def ordered(
        row: list[Number],
        factor: Callable[[int], list[Number]],
        column: list[Number],
        lower: int,
        upper: int,
    ) -> Number:
        size = len(row)
        for i in range(lower, upper + 1):
            entries = factor(i)
            rows = [entries[r * size : (r + 1) * size] for r in range(size)]
            column = [sum(a * b for a, b in zip(line, column, strict=True)) for line in rows]
        return sum(a * b for a, b in zip(row, column, strict=True))

    def of_number(function: Callable[..., Number]) -> Callable[..., Number]:
        return lambda *values: function(*[number(value) for value in values])

    def opaque(place: int, order: int, value: Any) -> Number:
        return arithmetic.opaque(generic[place], order, number(value))

    functions = {f"{name}_": of_number(f) for name, f in arithmetic.functions.items()}
    return {
        "number_": number,
        "power_": power,
        "sum_": fold_sum,
        "prod_": fold_product,
        "ordered_": ordered,
        "generic_": opaque,
        **functions,
    }
