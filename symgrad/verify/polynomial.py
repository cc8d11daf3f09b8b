"""Laurent polynomials over atoms, with exponents that may be symbolic.

A monomial maps atoms to exponents that are affine forms (``w^{T-1}``), so that
``w · w^{T-1}`` and ``w^T`` are one monomial. Coefficients are fractions. What an atom
means is ``normal``'s business; here only its key counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from symgrad.lang.affine import Affine, as_affine


@dataclass(frozen=True, eq=False)
class Atom:
    """A generator: a parameter, a signal at a time, an activation call, a Σ, a Π …"""

    kind: str
    data: tuple[Any, ...]
    key: str = field(default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.kind}{self.data!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return self.key


Mono = tuple[tuple[Atom, Affine], ...]
_UNIT: Mono = ()
_ZERO = Affine()


def mono_times(left: Mono, right: Mono) -> Mono:
    """The product of two monomials: exponents add."""
    if not left:
        return right
    if not right:
        return left
    exponents = dict(left)
    for atom, exponent in right:
        exponents[atom] = exponents.get(atom, _ZERO) + exponent
    return mono_of(exponents.items())


def mono_of(items: Iterable[tuple[Atom, Affine]]) -> Mono:
    """A monomial from atoms with exponents, sorted, without zero exponents."""
    kept = [(atom, exponent) for atom, exponent in items if exponent != _ZERO]
    return tuple(sorted(kept, key=lambda item: item[0].key))


#: Products of terms in one multiplication: the LSTM's identities need some hundreds.
MOST_PRODUCTS = 100_000


class TooManyTerms(ArithmeticError):
    """A normal form that would take minutes; whoever asked says that nothing was decided."""


class Poly:
    """An immutable sum of monomials with fractions as coefficients."""

    __slots__ = ("_text", "terms")

    def __init__(self, terms: dict[Mono, Fraction]) -> None:
        self.terms = {mono: c for mono, c in terms.items() if c}
        self._text: str | None = None

    @staticmethod
    def const(value: Fraction | int) -> Poly:
        return Poly({_UNIT: Fraction(value)})

    @staticmethod
    def atom(atom: Atom, exponent: Affine | int = 1) -> Poly:
        return Poly({mono_of([(atom, as_affine(exponent))]): Fraction(1)})

    @property
    def is_zero(self) -> bool:
        return not self.terms

    @property
    def constant(self) -> Fraction | None:
        """Its value if it is a number, else None."""
        if not self.terms:
            return Fraction(0)
        if len(self.terms) == 1 and _UNIT in self.terms:
            return self.terms[_UNIT]
        return None

    def __add__(self, other: Poly) -> Poly:
        if len(self.terms) < len(other.terms):
            self, other = other, self
        terms = dict(self.terms)
        for mono, c in other.terms.items():
            terms[mono] = terms.get(mono, Fraction(0)) + c
        return Poly(terms)

    def __neg__(self) -> Poly:
        return Poly({mono: -c for mono, c in self.terms.items()})

    def __sub__(self, other: Poly) -> Poly:
        return self + (-other)

    def __mul__(self, other: Poly) -> Poly:
        if len(self.terms) * len(other.terms) > MOST_PRODUCTS:
            raise TooManyTerms(
                f"a product of {len(self.terms)} and {len(other.terms)} terms is too long"
            )
        terms: dict[Mono, Fraction] = {}
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                mono = mono_times(left, right)
                terms[mono] = terms.get(mono, Fraction(0)) + a * b
        return Poly(terms)

    def scale(self, factor: Fraction) -> Poly:
        return Poly({mono: c * factor for mono, c in self.terms.items()})

    def power(self, exponent: int) -> Poly:
        """A nonnegative power."""
        result = Poly.const(1)
        for _ in range(exponent):
            result = result * self
        return result

    def times_mono(self, mono: Mono) -> Poly:
        return Poly({mono_times(m, mono): c for m, c in self.terms.items()})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        """Canonical: equal polynomials have equal text."""
        if self._text is None:
            parts = sorted(f"{c}*{mono!r}" for mono, c in self.terms.items())
            self._text = "<" + " + ".join(parts) + ">"
        return self._text
