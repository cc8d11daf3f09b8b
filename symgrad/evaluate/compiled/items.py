"""Sums and products of one section, and the sharing of their common parts.

Formulas are broken into items: atoms, n-ary sums with signs, n-ary products, and other
operations. ``share`` then gives pairs that several products (or sums) have in common an
item of their own, the most frequent pair first (Breuer, Generation of optimal code for
expressions via factorization, CACM 12(6), 1969). Ties go to the pair that came first, so the
result depends on the formulas alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, TypeAlias

from symgrad.evaluate.compiled.plan import Number, Operand, Value
from symgrad.lang.base import SCALAR, Shape

#: A sign and the number of an item.
Signed: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Item:
    """``add`` of ``terms``; ``mul`` of their numbers; ``atom``; or another head.

    Signs in ``terms`` matter for ``add`` only.
    """

    head: str
    terms: tuple[Signed, ...]
    shape: Shape
    fixed: bool
    data: tuple[Any, ...] = ()
    operand: Operand | None = None


class Items:
    """The items of one section, equal ones once."""

    def __init__(self) -> None:
        self.all: list[Item] = []
        self._numbers: dict[Item, int] = {}

    def number(self, item: Item) -> int:
        found = self._numbers.get(item)
        if found is None:
            found = self._numbers[item] = len(self.all)
            self.all.append(item)
        return found

    def atom(self, operand: Operand, *, fixed: bool) -> int:
        fixed = fixed or isinstance(operand, Number)
        return self.number(Item("atom", (), operand.shape, fixed, operand=operand))

    def combine(self, head: str, terms: list[Signed], shape: Shape | None = None) -> Signed:
        """A sum or a product; one positive term is that term."""
        sign = 1
        if head == "mul":
            for factor_sign, _ in terms:
                sign *= factor_sign
            terms = [(1, i) for _, i in terms]
        elif all(s < 0 for s, _ in terms):
            sign, terms = -1, [(1, i) for _, i in terms]
        if len(terms) == 1:
            return sign * terms[0][0], terms[0][1]
        fixed = all(self.all[i].fixed for _, i in terms)
        wide = next((s for _, i in terms if (s := self.all[i].shape) != SCALAR), SCALAR)
        ordered = tuple(sorted(terms, key=lambda term: term[1]))
        return sign, self.number(Item(head, ordered, shape or wide, fixed))

    def apply(
        self, head: str, numbers: list[int], shape: Shape, data: tuple[Any, ...], *, fixed: bool
    ) -> int:
        fixed = fixed and all(self.all[i].fixed for i in numbers)
        return self.number(Item(head, tuple((1, i) for i in numbers), shape, fixed, data))

    def share(self) -> None:
        """Give what several products, or several sums, have in common an item of its own."""
        for head in ("mul", "add"):
            self._hoist(head)
            self._share(head)

    def _hoist(self, head: str) -> None:
        """Factors (terms) that do not depend on time are multiplied (added) once."""
        for number in range(len(self.all)):
            item = self.all[number]
            if item.head != head or item.fixed:
                continue
            still = [term for term in item.terms if self.all[term[1]].fixed]
            if len(still) < 2:
                continue
            moving = [term for term in item.terms if not self.all[term[1]].fixed]
            self._replace(number, [*moving, self.combine(head, still)])

    def _share(self, head: str) -> None:
        while True:
            bags = {n: item.terms for n, item in enumerate(self.all) if item.head == head}
            counts: Counter[tuple[int, int, int]] = Counter()
            for terms in bags.values():
                counts.update(_pairs(terms))
            best = max(counts.values(), default=0)
            if best < 2:
                return
            first, second, relative = min(pair for pair, count in counts.items() if count == best)
            sign, pair = self.combine(head, [(1, first), (relative, second)])
            assert sign == 1
            for number, terms in bags.items():
                if number != pair:
                    changed = _without(terms, first, second, relative, pair)
                    if changed is not None:
                        self._replace(number, changed)

    def _replace(self, number: int, terms: list[Signed]) -> None:
        item = self.all[number]
        ordered = tuple(sorted(terms, key=lambda term: term[1]))
        # An item that is now one other item stays, as a name of that item.
        head = item.head if len(ordered) > 1 else "same" if ordered[0][0] > 0 else "neg"
        self.all[number] = Item(head, ordered, item.shape, item.fixed, item.data)


def _pairs(terms: tuple[Signed, ...]) -> Counter[tuple[int, int, int]]:
    """How many disjoint times each pair occurs; signs up to a common one."""
    counts = Counter(terms)
    distinct = sorted(counts, key=lambda term: term[1])
    pairs: Counter[tuple[int, int, int]] = Counter()
    for position, (sign, number) in enumerate(distinct):
        times = counts[sign, number]
        if times >= 2:
            pairs[number, number, 1] += times // 2
        for other_sign, other in distinct[position + 1 :]:
            if other != number:
                pairs[number, other, sign * other_sign] += min(times, counts[other_sign, other])
    return pairs


def _without(
    terms: tuple[Signed, ...], first: int, second: int, relative: int, pair: int
) -> list[Signed] | None:
    """The terms with the pair replaced wherever it occurs; None where it does not."""
    rest = list(terms)
    changed = False
    for sign in (1, -1):
        one, two = (sign, first), (sign * relative, second)
        while rest.count(one) >= (2 if one == two else 1) and two in rest:
            rest.remove(one)
            rest.remove(two)
            rest.append((sign, pair))
            changed = True
    return rest if changed else None


def is_fixed(operand: Operand, setup: set[Value]) -> bool:
    """Whether an operand depends on parameters only."""
    return isinstance(operand, Number) or operand.role == "param" or operand in setup
