"""Any number of digits: the NumPy code over arrays of mpmath numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from symgrad.errors import OutsideDomain, UsageError
from symgrad.evaluate.compiled.functions import KINKS, Function
from symgrad.evaluate.compiled.numbers import Numbers
from symgrad.evaluate.compiled.numpy_backend import NumpyBackend
from symgrad.evaluate.compiled.problem import Array
from symgrad.lang.algebra import Multiprecision


class MpBackend(NumpyBackend):
    """A plan over mpmath numbers of so many digits."""

    name = "mpmath"

    def __init__(self, digits: int, own: Mapping[str, Callable[..., Any]]) -> None:
        if not isinstance(digits, int) or isinstance(digits, bool) or digits < 1:
            raise UsageError(f"digits={digits!r}: use a positive number of decimal digits")
        self.context = mpmath.MPContext()
        self.context.dps = digits
        numbers = Numbers(np.dtype(object), self._number, mp_functions(self.context))
        one_by_one = {name: np.frompyfunc(f, 1, 1) for name, f in own.items()}
        super().__init__(numbers, one_by_one, Multiprecision(digits, self.context))

    def _number(self, value: Any) -> Any:
        """A number with all its digits; a text such as "0.1" is read with all of them too."""
        if isinstance(value, Fraction):
            return self.context.mpf(value.numerator) / value.denominator
        if isinstance(value, np.longdouble):
            return self._number(Fraction(*value.as_integer_ratio()))
        return self.context.convert(value.item() if isinstance(value, np.generic) else value)

    def convert(self, value: Any, where: str) -> Array:
        """An object array of mpmath numbers; numbers and texts are taken.

        Raises:
            UsageError: it holds something else.
        """
        given = value if isinstance(value, np.ndarray) else np.array(value, dtype=object)
        result = np.empty(given.shape, dtype=object)
        try:
            for position in np.ndindex(given.shape):
                result[position] = self._number(given[position])
        except (TypeError, ValueError) as error:
            raise UsageError(f"{where} is no array of numbers: {error}") from None
        return result


def mp_functions(context: Any) -> dict[str, Function]:
    """The functions of the primitives on single numbers, as NumPy functions."""

    def sigma(x: Any) -> Any:
        # exp of a large positive number would be a number of as many digits for nothing.
        if x.real >= 0:
            return 1 / (1 + context.exp(-x))
        small = context.exp(x)
        return small / (1 + small)

    def softplus(x: Any) -> Any:
        top = x if x.real > 0 else 0 * x
        return top + context.log1p(context.exp(-x if x.real > 0 else x))

    def log(x: Any) -> Any:
        if not x.real > 0:
            raise OutsideDomain(f"log of {x}, which is not positive")
        return context.log(x)

    def sqrt(x: Any) -> Any:
        if x.real < 0:
            raise OutsideDomain(f"sqrt of {x}, which is negative")
        return context.sqrt(x)

    def step(at_zero: Fraction | None) -> Callable[[Any], Any]:
        def value(x: Any) -> Any:
            if x.real == 0 and at_zero is None:
                raise OutsideDomain(
                    "a function with a kink (relu, max, abs) is differentiated exactly at its "
                    "kink; choose a convention there, such as relu_0, or move the point"
                )
            at = at_zero or Fraction(0)
            there = context.mpf(at.numerator) / at.denominator
            return there if x.real == 0 else context.mpf(1 if x.real > 0 else 0)

        return value

    def sign(at_zero: Fraction | None) -> Callable[[Any], Any]:
        half = step(at_zero)
        return lambda x: 2 * half(x) - 1

    single: dict[str, Callable[[Any], Any]] = {
        "exp": context.exp,
        "tanh": context.tanh,
        "sigma": sigma,
        "softplus": softplus,
        "log": log,
        "sqrt": sqrt,
        "sign": sign(None),
        "sign_0": sign(Fraction(1, 2)),
        "abs": lambda x: -x if x.real < 0 else x,
        "abs_0": lambda x: -x if x.real < 0 else x,
    }
    pairs: dict[str, Callable[[Any, Any], Any]] = {}
    for suffix, at_zero in KINKS.items():
        single[f"step{suffix}"] = step(at_zero)
        single[f"relu{suffix}"] = lambda x: x if x.real > 0 else 0 * x
        pairs[f"max{suffix}"] = lambda a, b: a if a.real > b.real else b
    return {name: np.frompyfunc(f, 1, 1) for name, f in single.items()} | {
        name: np.frompyfunc(f, 2, 1) for name, f in pairs.items()
    }
