"""Calls of σ and tanh in normal forms, related as ``relations`` declares.

σ(-a) is 1 - σ(a) and tanh(-a) is -tanh(a), so of a and -a one is chosen; tanh(a) may be written
as 2 σ(2 a) - 1. exp of a sum is a product of powers of exp.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

from symgrad.lang.affine import Affine
from symgrad.verify.normal import call_atom
from symgrad.verify.polynomial import Atom, Mono, Poly
from symgrad.verify.relations import RELATIONS, Relation

_ONE = Poly.const(1)


class RelatedCalls:
    """Writes calls in as few atoms as the relations allow, and notes which it used.

    Args:
        through_sigma: tanh in terms of σ.
        unit: exp is written in powers of exp of this part of a monomial.
    """

    def __init__(self, *, through_sigma: bool, unit: int = 1) -> None:
        self.through_sigma = through_sigma
        self.unit = unit
        #: The unit that the arguments which occurred would need.
        self.denominator = 1
        self._used: set[str] = set()

    @property
    def relations(self) -> tuple[Relation, ...]:
        """The relations that were used, in the order of declaration."""
        return tuple(relation for name, relation in RELATIONS.items() if name in self._used)

    def __call__(self, name: str, argument: Poly) -> Poly:
        """A call with the normal form of its argument."""
        if name == "tanh" and self.through_sigma:
            self._used.add("tanh sigma")
            return self("sigma", argument.scale(Fraction(2))).scale(Fraction(2)) - _ONE
        if name == "exp":
            return self._exponential(argument)
        if name in ("sigma", "tanh") and _is_turned(argument):
            self._used.add(f"{name} negative")
            turned = call_atom(name, -argument)
            return _ONE - turned if name == "sigma" else -turned
        return call_atom(name, argument)

    def _exponential(self, argument: Poly) -> Poly:
        result = _ONE
        for mono, c in argument.terms.items():
            self.denominator = lcm(self.denominator, c.denominator)
            factor = c * self.unit
            whole, part = (
                factor.numerator,
                Poly({mono: Fraction(1, self.unit * factor.denominator)}),
            )
            if len(argument.terms) > 1:
                self._used.add("exp sum")
            if abs(whole) != 1:
                self._used.add("exp multiple")
            elif whole < 0:
                self._used.add("exp negative")
            result = result * Poly.atom(Atom("call", ("exp", part)), Affine(const=whole))
        return result


def _is_turned(argument: Poly) -> bool:
    """Whether -a is the one of a and -a that is called; times have no part in it."""
    if argument.is_zero:
        return False
    groups: dict[str, Fraction] = {}
    for mono, c in argument.terms.items():
        groups[_timeless(mono)] = groups.get(_timeless(mono), Fraction(0)) + c
    for _, c in sorted(groups.items()):
        if c:
            return c < 0
    first = min(argument.terms, key=repr)
    return argument.terms[first] < 0


def _timeless(mono: Mono) -> str:
    """What a monomial is of, whatever the times of its signals."""
    named = ("var", "sig")
    return "|".join(str(a.data[0]) if a.kind in named else a.kind for a, _ in mono)
