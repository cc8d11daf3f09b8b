"""Numbers in which witnesses are searched: fractions where functions are exact, and decimals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from symgrad.errors import OutsideDomain
from symgrad.lang.algebra import Multiprecision, Rationals, Value


class NotExact(ArithmeticError):
    """A function at an argument where its value is no fraction that is known."""


class ExactValues(Rationals):
    """Fractions; exp and log, and what is made of them, only where they are rational."""

    def exp(self, value: Value) -> Value:
        return self.map(lambda x: _known(x, 0, Fraction(1)), value)

    def log(self, value: Value) -> Value:
        return self.map(lambda x: _known(x, 1, Fraction(0)), value)

    def sqrt(self, value: Value) -> Value:
        return self.map(lambda x: _known(x, 1, Fraction(1)), value)

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        return super().step(away_from_kinks(value), at_zero)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        return super().positive_part(away_from_kinks(value), at_zero)

    def opaque(self, name: str, order: int, value: Value) -> Value:
        raise NotExact(f"{name} is not known")


class AwayFromKinks(Multiprecision):
    """mpmath numbers; a kink is no place for a witness, whatever the convention there."""

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        return super().step(away_from_kinks(value), at_zero)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        return super().positive_part(away_from_kinks(value), at_zero)


def _known(argument: Fraction, at: int, value: Fraction) -> Fraction:
    if argument != at:
        raise NotExact(f"the value at {argument} is no fraction")
    return value


def away_from_kinks(value: Value) -> Value:
    """The value, if no entry of it is 0."""
    if np.any(np.asarray(value, dtype=object) == 0):
        raise OutsideDomain("a function with a kink is asked exactly there")
    return value
