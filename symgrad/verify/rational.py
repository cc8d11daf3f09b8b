"""Rational functions over atoms, as an algebra: numerator and denominator polynomials."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from symgrad.lang.affine import Affine
from symgrad.lang.algebra import Algebra, Value, is_array
from symgrad.verify.polynomial import Atom, Poly


@dataclass(frozen=True, slots=True)
class Ratio:
    """``over / under``; the denominator is not the zero polynomial."""

    over: Poly
    under: Poly

    def __add__(self, other: Ratio) -> Ratio:
        if self.under == other.under:
            return Ratio(self.over + other.over, self.under)
        return Ratio(self.over * other.under + other.over * self.under, self.under * other.under)

    def __neg__(self) -> Ratio:
        return Ratio(-self.over, self.under)

    def __mul__(self, other: Ratio) -> Ratio:
        return Ratio(self.over * other.over, self.under * other.under)

    def same(self, other: Ratio) -> bool:
        """Equal as rational functions."""
        return (self.over * other.under - other.over * self.under).is_zero


_ONE = Poly.const(1)


def generator(kind: str, *data: object) -> Ratio:
    """An atom as a value."""
    return Ratio(Poly.atom(Atom(kind, data), Affine(const=1)), _ONE)


def _only_entry(value: Value) -> Value:
    """The entry of a 1 × 1 array; a product of blocks may end in one."""
    return value[0, 0] if is_array(value) and value.size == 1 else value


class RationalFunctions(Algebra):
    """Exact arithmetic with atoms; calls are atoms named by their argument.

    ``names``: the functions whose calls are atoms; others go through their definition.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.direct = {name: self._caller(name) for name in names}

    def _caller(self, name: str) -> Callable[[Value], Value]:
        return lambda argument: self.map(lambda entry: self.call(name, entry), argument)

    def const(self, value: Fraction) -> Value:
        return Ratio(Poly.const(value), _ONE)

    def inverse(self, value: Value) -> Value:
        return self.map(self.inverse_entry, value)

    def inverse_entry(self, value: Ratio) -> Ratio:
        if value.over.is_zero:
            raise ZeroDivisionError("division by the zero polynomial")
        return Ratio(value.under, value.over)

    def equal(self, left: Value, right: Value) -> bool:
        left, right = _only_entry(left), _only_entry(right)
        if is_array(left) and is_array(right):
            pairs = zip(left.ravel(), right.ravel(), strict=True)
            return left.shape == right.shape and all(a.same(b) for a, b in pairs)
        return bool(left.same(right))

    def is_zero(self, value: Value) -> bool:
        if is_array(value):
            return all(entry.over.is_zero for entry in value.ravel())
        return bool(value.over.is_zero)

    def exp(self, value: Value) -> Value:
        return self.map(lambda entry: self.call("exp", entry), value)

    def log(self, value: Value) -> Value:
        return self.map(lambda entry: self.call("log", entry), value)

    def sqrt(self, value: Value) -> Value:
        return self.map(lambda entry: self.call("sqrt", entry), value)

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        return self.map(lambda entry: self.call(f"step {at_zero}", entry), value)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        return self.mul(value, self.step(value, at_zero))

    def opaque(self, name: str, order: int, value: Value) -> Value:
        return self.map(lambda entry: self.call(name + "'" * order, entry), value)

    def call(self, name: str, argument: Ratio) -> Ratio:
        """An activation call as an atom: equal arguments give the same atom."""
        return generator("call", name, repr(argument.over), repr(argument.under))
