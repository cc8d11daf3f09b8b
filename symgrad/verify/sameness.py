"""Equality of two formulas for all times of a region: proved, or not known.

The region is split where cases, brackets and empty ranges ask for it; in each part both sides
have one normal form, or the difference of the sides at T is a multiple of that at T - 1 and
zero at the first T (induction). Formulas of matrices are compared in the kernel's normal form,
for all sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from symgrad.lang.affine import Affine, symbol
from symgrad.lang.nodes import (
    SCALAR,
    Apply,
    Derivative,
    Fold,
    Node,
    Param,
    params_in,
    substitute_indices,
    transform,
    walk,
)
from symgrad.verify.atoms import same_for_all_sizes
from symgrad.verify.folding import clear_bases, peel, substitute
from symgrad.verify.normal import NoNormalForm, Normalizer, Requirement, call_atom
from symgrad.verify.ordered import same_matrices
from symgrad.verify.polynomial import Mono, Poly, TooManyTerms, mono_times
from symgrad.verify.regions import Region
from symgrad.verify.related_calls import RelatedCalls
from symgrad.verify.relations import RELATIONS, Relation
from symgrad.verify.resolution import (
    Open,
    OpenValue,
    Resolver,
    Rewriting,
    Unequal,
    Unresolved,
    as_it_is,
)

#: Parts into which a region is split at the most.
_MOST_PARTS = 60
#: Functions that are related to themselves or to each other.
_RELATED = ("sigma", "tanh", "exp")
#: Terms of a difference for which an induction is tried.
_MOST_TERMS = 120


@dataclass(frozen=True)
class Sameness:
    """``left = right`` at all times of a region, for all values and all sizes.

    ``rewriting``: equations that are known besides, each used where it holds.
    """

    left: Node
    right: Node
    region: Region
    rewriting: Rewriting = as_it_is

    def replay(self) -> bool:
        """Whether it is proved; False says nothing."""
        return self.relations() is not None

    def relations(self) -> tuple[Relation, ...] | None:
        """The relations between calls with which it is proved; None where it is not."""
        if self.left is self.right:
            return ()
        if self.left.shape != self.right.shape:
            return None
        search = _Search(self.rewriting)
        try:
            found = search.same(self.left, self.right, self.region, frozenset())
        except ArithmeticError:  # at a time that has a value a side divides by zero
            return None
        if not found:
            return None
        return tuple(relation for relation in RELATIONS.values() if relation in search.used)


class _Search:
    """One proof: how many parts are left, and whether an induction is under way."""

    def __init__(self, rewriting: Rewriting) -> None:
        self.rewriting = rewriting
        self.parts = _MOST_PARTS
        self.used: set[Relation] = set()

    def same(
        self, left: Node, right: Node, region: Region, unequal: Unequal, *, inside: bool = False
    ) -> bool:
        while not region.is_empty and (pin := region.pinned()) is not None:
            name, value = pin
            left, right = (substitute_indices(side, {name: value}) for side in (left, right))
            region = region.where(name, value)
        if region.is_empty:
            return True
        self.parts -= 1
        if self.parts < 0:
            return False
        resolver = Resolver(unequal, self.rewriting)
        try:
            sides = resolver(left, region), resolver(right, region)
        except Open as gap:
            parts = (region.also(gap.form), region.also(-gap.form - 1))
            return all(self.same(left, right, p, unequal, inside=inside) for p in parts)
        except OpenValue as values:
            return self.by_value(left, right, region, unequal, values, inside=inside)
        except (Unresolved, ArithmeticError):
            return False
        return self.without_cases(*sides, region, inside=inside)

    def by_value(
        self,
        left: Node,
        right: Node,
        region: Region,
        unequal: Unequal,
        values: OpenValue,
        *,
        inside: bool,
    ) -> bool:
        """Where a parameter has a value of its own, and everywhere else."""
        for target, value in (values.sides, values.sides[::-1]):
            if isinstance(target, Param) and target.is_scalar and target not in params_in(value):
                break
        else:
            return False
        if any(isinstance(x, Derivative) and x.wrt is target for x in walk(left, right)):
            return False  # dh_T/dw at w = u is not dh_T/du

        def at_value(node: Node) -> Node:
            return transform(node, lambda item: value if item is target else item)

        try:
            special = at_value(left), at_value(right)
        except ArithmeticError:
            return False
        # Elsewhere an identity of rational functions needs not to know what is excluded.
        return self.same(*special, region, unequal, inside=inside) and self.same(
            left, right, region, unequal | {values.sides}, inside=inside
        )

    def without_cases(self, left: Node, right: Node, region: Region, *, inside: bool) -> bool:
        if left is right:
            return True
        if any(item.shape != SCALAR for item in walk(left, right)):
            return same_for_all_sizes(left, right) or same_matrices(left, right, region)
        try:
            gap = _Gap(left, right)
            if not gap.holds(region):
                return False
            if gap.vanishes() or _Gap(left, right, from_one=True).vanishes():
                return True
            if self.with_relations(left, right):
                return True
        except (NoNormalForm, TooManyTerms, ZeroDivisionError):
            return False
        return not inside and any(
            self.by_induction(left, right, gap, region, name) for name in _inductive(region)
        )

    def with_relations(self, left: Node, right: Node) -> bool:
        """Whether the normal forms agree once calls are related."""
        if not any(isinstance(x, Apply) and x.head.name in _RELATED for x in walk(left, right)):
            return False
        unit = 1
        for through_sigma in (False, False, True):
            calls = RelatedCalls(through_sigma=through_sigma, unit=unit)
            if _Gap(left, right, calls=calls).vanishes():
                self.used |= set(calls.relations)
                return True
            unit = calls.denominator
        return False

    def by_induction(self, left: Node, right: Node, gap: _Gap, region: Region, name: str) -> bool:
        """The difference at T is a multiple of that at T - 1, and zero at the first T."""
        start = region.start_of(name)
        assert start is not None
        try:
            if not gap.is_multiple_of_before(name):
                return False
        except (NoNormalForm, TooManyTerms, ZeroDivisionError):
            return False
        first = Affine(const=start)
        one, two = (substitute_indices(side, {name: first}) for side in (left, right))
        return self.same(one, two, region.where(name, first), frozenset(), inside=True)


class _Gap:
    """left - right as a polynomial, and what its normal form needs of the times."""

    def __init__(
        self,
        left: Node,
        right: Node,
        *,
        from_one: bool = False,
        calls: Callable[[str, Poly], Poly] = call_atom,
    ) -> None:
        normal = Normalizer(from_one=from_one, calls=calls)
        self.raw = normal(left) - normal(right)
        self.needs = normal.requirements
        self.names = {n for node in walk(left, right) for n in _ends_of(node)}

    def holds(self, region: Region) -> bool:
        return all(_follows(need, region) for need in self.needs)

    def vanishes(self) -> bool:
        """Whether it is zero, if need be after the last terms of Σ and Π are split off."""
        poly = self.raw
        if clear_bases(poly).is_zero:
            return True
        for name in sorted(self.names):
            poly = peel(poly, name)
        return clear_bases(poly).is_zero

    def is_multiple_of_before(self, name: str) -> bool:
        """Whether the difference is a multiple of the one a step before, at every time."""
        now = clear_bases(peel(self.raw, name))
        earlier = substitute(self.raw, {name: symbol(name) - 1})
        before = clear_bases(peel(earlier, name))
        if now.is_zero:
            return True
        if not before.terms or max(len(now.terms), len(before.terms)) > _MOST_TERMS:
            return False
        return any(_has_ratio(now, times) for times in _multiples(before, now, name))


def _multiples(before: Poly, now: Poly, name: str) -> Iterator[Poly]:
    """The difference before, as it is and times the last factors of products."""
    yield before
    seen: set[Poly] = set()
    for mono in now.terms:
        for atom, _ in mono:
            if atom.kind == "prod":
                index, _, body = atom.data
                factor = substitute(body, {index: symbol(name)})
                if factor not in seen:
                    seen.add(factor)
                    yield clear_bases(before * factor)


def _has_ratio(now: Poly, before: Poly) -> bool:
    """Whether one is the other times a monomial."""
    if len(now.terms) != len(before.terms):
        return False
    mono, coefficient = min(before.terms.items(), key=lambda term: repr(term[0]))
    inverse: Mono = tuple((atom, -exponent) for atom, exponent in mono)
    for other, c in now.terms.items():
        ratio = mono_times(other, inverse)
        if before.times_mono(ratio).scale(Fraction(c) / coefficient) == now:
            return True
    return False


def _follows(need: Requirement, region: Region) -> bool:
    return region.also(*need.premises).implies(need.bound)


def _ends_of(node: Node) -> frozenset[str]:
    """The free times at which the sums and products in a formula end."""
    return node.upper.names if isinstance(node, Fold) else frozenset()


def _inductive(region: Region) -> list[str]:
    """The times that an induction may run over: T first."""
    names = {name for form in region.premises for name in form.names}
    return sorted(
        (name for name in names if region.start_of(name) is not None),
        key=lambda name: (name != "T", name),
    )
