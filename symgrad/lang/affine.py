"""Integer affine forms over symbols: times ``t - 1``, exponents ``T - k - 1``, sizes ``2n``.

A form is kept sorted and without zero coefficients, so equal forms are equal values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Affine:
    """``sum(coefficient * symbol) + const`` with integer coefficients."""

    terms: tuple[tuple[str, int], ...] = ()
    const: int = 0

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.terms)

    @property
    def is_const(self) -> bool:
        return not self.terms

    def __add__(self, other: Affine | int) -> Affine:
        right = as_affine(other)
        return _collect((*self.terms, *right.terms), self.const + right.const)

    __radd__ = __add__

    def __neg__(self) -> Affine:
        return Affine(tuple((name, -c) for name, c in self.terms), -self.const)

    def __sub__(self, other: Affine | int) -> Affine:
        return self + (-as_affine(other))

    def __rsub__(self, other: int) -> Affine:
        return (-self) + other

    def __mul__(self, factor: int) -> Affine:
        return self.scale(factor) if isinstance(factor, int) else NotImplemented

    __rmul__ = __mul__

    def scale(self, factor: int) -> Affine:
        if factor == 0:
            return Affine()
        return Affine(tuple((name, c * factor) for name, c in self.terms), self.const * factor)

    def coefficient(self, name: str) -> int:
        return dict(self.terms).get(name, 0)

    def substitute(self, values: Mapping[str, Affine]) -> Affine:
        """Replace symbols by forms; symbols not named stay."""
        if not any(name in values for name, _ in self.terms):
            return self
        result = Affine(const=self.const)
        for name, coefficient in self.terms:
            result = result + values.get(name, symbol(name)).scale(coefficient)
        return result

    def value(self, values: Mapping[str, int]) -> int:
        """The number it stands for.

        Raises:
            KeyError: a symbol has no value.
        """
        total = self.const
        for name, coefficient in self.terms:
            total += coefficient * values[name]
        return total

    def __str__(self) -> str:
        parts: list[str] = []
        # Positive terms first, so that T - k reads as people write it.
        for name, c in sorted(self.terms, key=lambda item: (item[1] < 0, item[0])):
            size = name if abs(c) == 1 else f"{abs(c)}{name}"
            if not parts:
                parts.append(size if c > 0 else f"-{size}")
            else:
                parts.append(f" {'+' if c > 0 else '-'} {size}")
        if self.const or not parts:
            if not parts:
                parts.append(str(self.const))
            else:
                parts.append(f" {'+' if self.const > 0 else '-'} {abs(self.const)}")
        return "".join(parts)


def _collect(terms: Iterable[tuple[str, int]], const: int) -> Affine:
    totals: dict[str, int] = {}
    for name, coefficient in terms:
        totals[name] = totals.get(name, 0) + coefficient
    return Affine(tuple(sorted((n, c) for n, c in totals.items() if c)), const)


def as_affine(value: Affine | int) -> Affine:
    """An affine form, or an integer as one.

    Raises:
        TypeError: anything else, such as a float or a fraction.
    """
    if isinstance(value, Affine):
        return value
    if not isinstance(value, int):
        raise TypeError(
            f"{value!r} ({type(value).__name__}) cannot be a time, an exponent or a size; use an "
            "integer or a form such as T - 1"
        )
    return Affine(const=value)


def symbol(name: str) -> Affine:
    """The form that is one symbol."""
    return Affine(((name, 1),))


T = symbol("T")
t = symbol("t")
k = symbol("k")
j = symbol("j")
ONE = Affine(const=1)
