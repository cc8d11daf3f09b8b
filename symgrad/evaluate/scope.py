"""Where a part of a formula stands: its indices, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import sympy

from symgrad.evaluate.names import Expr
from symgrad.evaluate.ranges import Constraints, always
from symgrad.lang.affine import Affine, symbol

RELATIONS = {"=": sympy.Eq, "≠": sympy.Ne, "≥": sympy.Ge, "<": sympy.Lt}


Range: TypeAlias = tuple[Affine, Affine]


@dataclass(frozen=True, eq=False)
class Scope:
    """What a formula may refer to.

    Attributes:
        indices: the symbol of each index, by its name in the formula.
        known: constraints on the indices.
        bounds: lower and upper bound of each bound index over all values of the other
            bound ones: forms in free indices.
        kinds: the kinds of the enclosing binders.
    """

    indices: dict[str, Expr]
    known: Constraints
    bounds: dict[str, Range] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()

    @property
    def letters(self) -> frozenset[str]:
        return frozenset(symbol.name for symbol in self.indices.values())

    def inside(self, name: str, letter: Expr, kind: str, lower: Affine, upper: Affine) -> Scope:
        """The scope of the body of a binder over ``lower`` .. ``upper``."""
        bound = symbol(name)
        return Scope(
            {**self.indices, name: letter},
            (*self.known, bound - lower, upper - bound),
            {**self.bounds, name: self.widest(lower, upper)},
            self.kinds | {kind},
        )

    def where(self, known: Constraints) -> Scope:
        return replace(self, known=known)

    def widest(self, lower: Affine, upper: Affine) -> Range:
        """The range over all values of the enclosing bound indices."""
        return self._extreme(lower, 0), self._extreme(upper, 1)

    def _extreme(self, form: Affine, side: int) -> Affine:
        ends = {
            name: self.bounds[name][side if coefficient > 0 else 1 - side]
            for name, coefficient in form.terms
            if name in self.bounds
        }
        return form.substitute(ends)

    def always(self, form: Affine) -> bool:
        """Whether ``form >= 0`` here."""
        return always(self.known, form)

    def affine(self, form: Affine) -> Expr:
        terms = [coefficient * self.indices[name] for name, coefficient in form.terms]
        return sympy.Add(*terms, sympy.Integer(form.const))

    def compare(self, left: Affine, relation: str, right: Affine) -> Expr:
        """A relation between affine forms, each term on the side where its sign is plus."""
        gap = left - right
        plus = Affine(tuple((n, c) for n, c in gap.terms if c > 0), max(gap.const, 0))
        minus = Affine(tuple((n, -c) for n, c in gap.terms if c < 0), max(-gap.const, 0))
        return RELATIONS[relation](self.affine(plus), self.affine(minus))

    def guarded(self, value: Expr, lower: Affine, upper: Affine, empty: Expr) -> Expr:
        """``value``, or ``empty`` where the range is emptier than SymPy's convention allows."""
        if self.always(upper - lower + 1):
            return value
        return sympy.Piecewise((value, self.compare(upper, "≥", lower)), (empty, True))


def piecewise(values: Sequence[Expr], conditions: Sequence[Expr]) -> Expr:
    """The first value whose condition holds."""
    return sympy.Piecewise(*zip(values, conditions, strict=True))
