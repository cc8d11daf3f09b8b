"""Terms of matrix formulas: products of entries, with indices that are open or summed over.

Terms that differ by the names of their summed indices only have one form here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations, product
from math import factorial, prod
from typing import TypeAlias

from symgrad.lang.affine import Affine
from symgrad.verify.polynomial import Atom

#: An entry of an atom: the atom and its indices; the exponent is kept beside it.
Entry: TypeAlias = tuple[Atom, tuple[int, ...]]
Entries: TypeAlias = dict[Entry, int]

#: Orders of alike indices that are tried; beyond, equal terms may be taken for different.
_MOST_ORDERS = 720


@dataclass(frozen=True, slots=True)
class Term:
    """A product of entries; indices are numbered, the open ones first.

    Attributes:
        entries: with their exponents, sorted.
        row, column: the open indices; None where there is one row or one column only. They are
            the same where only the diagonal is not zero.
        sizes: what each index runs over.
    """

    entries: tuple[tuple[Entry, int], ...]
    row: int | None
    column: int | None
    sizes: tuple[Affine, ...]

    def __repr__(self) -> str:
        words = [
            f"{atom.key}{list(indices) if indices else ''}{'' if e == 1 else f'^{e}'}"
            for (atom, indices), e in self.entries
        ]
        return f"<{self.row},{self.column}|{' '.join(words)}|{self.sizes}>"

    @property
    def is_open(self) -> bool:
        """Whether no index is summed over."""
        return len(self.sizes) == len({self.row, self.column} - {None})


class Work:
    """A term in the making: indices may be merged, and its one form is not yet chosen."""

    def __init__(
        self, entries: Entries, row: int | None, column: int | None, sizes: list[Affine]
    ) -> None:
        self.entries = entries
        self.row, self.column = row, column
        self.sizes = sizes
        self.indices = set(range(len(sizes)))
        self._same: dict[int, int] = {}

    def fresh(self, size: Affine) -> int:
        """A new index."""
        self.sizes.append(size)
        self.indices.add(len(self.sizes) - 1)
        return len(self.sizes) - 1

    def times(self, entry: Entry, exponent: int = 1) -> None:
        """Multiply by an entry."""
        e = self.entries.pop(entry, 0) + exponent
        if e:
            self.entries[entry] = e

    def merge(self, keep: int, drop: int) -> None:
        """Two indices are the same from now on."""
        keep, drop = self._now(keep), self._now(drop)
        if keep == drop:
            return
        self._same[drop] = keep
        self.indices.discard(drop)
        before, self.entries = self.entries, {}
        for (name, indices), e in before.items():
            self.times((name, tuple(keep if i == drop else i for i in indices)), e)
        self.row = keep if self.row == drop else self.row
        self.column = keep if self.column == drop else self.column

    def _now(self, index: int) -> int:
        while index in self._same:
            index = self._same[index]
        return index

    def terms(self, c: Fraction) -> Iterator[tuple[Term, Fraction]]:
        """The term in its one form; an index over nothing is the number of its values."""
        if not self._without_units():
            return
        used = {i for _, indices in self.entries for i in indices}
        idle = [i for i in sorted(self.indices - used) if i not in (self.row, self.column)]
        self.indices -= set(idle)
        sizes = [
            [*((Atom("size", (name,)), Fraction(f)) for name, f in size.terms)]
            + ([(None, Fraction(size.const))] if size.const else [])
            for size in (self.sizes[i] for i in idle)
        ]
        whole = self.entries
        for choice in product(*sizes):
            self.entries = dict(whole)
            for name, _ in choice:
                if name is not None:
                    self.times((name, ()))
            yield self._canonical(), c * prod((f for _, f in choice), start=Fraction(1))

    def _without_units(self) -> bool:
        """Columns of one identity multiplied out; False where the product is zero.

        E_a^⊤ E_b is the identity for the same part, zero for parts that lie apart; the sum of a
        column is 1.
        """
        while (pair := self._units()) is not None:
            (one, first), (two, second) = pair
            if one != two:
                return False
            self.entries.pop((two, second))
            self.times((one, first), 1 - self.entries[one, first])
            for keep, drop in zip(first[1:], second[1:], strict=True):
                self.merge(keep, drop)
        for (name, indices), e in list(self.entries.items()):
            if name.kind != "unit":
                continue
            if e != 1:
                # Its entries are 0 and 1.
                if e < 0:
                    raise ZeroDivisionError("division by what has zeros")
                self.entries[name, indices] = 1
            whole = indices[0]
            others = [i for other, i in self.entries if (other, i) != (name, indices)]
            if whole not in (self.row, self.column) and all(whole not in i for i in others):
                del self.entries[name, indices]
                self.indices.discard(whole)
        return True

    def _units(self) -> tuple[Entry, Entry] | None:
        """Two columns with the same place in the whole, of the same part or of parts apart."""
        units = sorted(
            (entry for entry in self.entries if entry[0].kind == "unit"),
            key=lambda entry: (entry[0].key, entry[1]),
        )
        for position, one in enumerate(units):
            for two in units[position + 1 :]:
                if one[1][0] == two[1][0] and (one[0] == two[0] or _apart(one[0], two[0])):
                    return one, two
        return None

    def _canonical(self) -> Term:
        """Indices numbered in an order that their names have no part in."""
        opened = list(dict.fromkeys(i for i in (self.row, self.column) if i is not None))
        best: tuple[object, ...] | None = None
        found: Term | None = None
        for order in self._orders(opened):
            to = {index: place for place, index in enumerate([*opened, *order])}
            entries = sorted(
                (
                    ((name, tuple(to[i] for i in indices)), e)
                    for (name, indices), e in self.entries.items()
                ),
                key=_sorting,
            )
            key = tuple(map(_sorting, entries))
            if best is None or key < best:
                best = key
                found = Term(
                    tuple(entries),
                    None if self.row is None else to[self.row],
                    None if self.column is None else to[self.column],
                    tuple(self.sizes[i] for i in to),
                )
        assert found is not None
        return found

    def _orders(self, opened: list[int]) -> Iterator[list[int]]:
        """Orders of the summed indices: by what they stand in, all orders of those alike."""
        bound = sorted(self.indices - set(opened))
        if not bound:
            yield []
            return
        colors = {index: place for place, index in enumerate(opened)}
        sizes = sorted({str(self.sizes[i]) for i in bound})
        colors |= {i: len(opened) + sizes.index(str(self.sizes[i])) for i in bound}
        for _ in bound:
            marks = {i: (colors[i], self._surroundings(i, colors)) for i in bound}
            ranks = {mark: rank for rank, mark in enumerate(sorted(set(marks.values())))}
            new = {i: len(opened) + ranks[marks[i]] for i in bound}
            if len(set(new.values())) == len({colors[i] for i in bound}):
                colors |= new
                break
            colors |= new
        classes = [
            [i for i in bound if colors[i] == color] for color in sorted({colors[i] for i in bound})
        ]
        if prod(factorial(len(alike)) for alike in classes) > _MOST_ORDERS:
            yield [i for alike in classes for i in alike]
            return
        for choice in product(*(permutations(alike) for alike in classes)):
            yield [i for alike in choice for i in alike]

    def _surroundings(self, index: int, colors: Mapping[int, int]) -> tuple[object, ...]:
        found = [
            (name.key, e, place, tuple(colors[i] for i in indices))
            for (name, indices), e in self.entries.items()
            for place, i in enumerate(indices)
            if i == index
        ]
        return tuple(sorted(found))


def _sorting(item: tuple[Entry, int]) -> tuple[str, tuple[int, ...], int]:
    (name, indices), e = item
    return name.key, indices, e


def _apart(one: Atom, two: Atom) -> bool:
    """Whether two parts of one whole have nothing in common, for all sizes."""
    (start, count, _), (begin, number_of, _) = one.data, two.data
    gaps = (begin - start - count, start - begin - number_of)
    return any(gap.const >= 0 and all(f >= 0 for _, f in gap.terms) for gap in gaps)
