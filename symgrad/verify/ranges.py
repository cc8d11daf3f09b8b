"""Ranges of times as differences: ``1 ≤ t < T`` is t - 1 ≥ 0 and T - t - 1 ≥ 0.

Each constraint bounds the difference of two times, or one time by a number. The bounds that
follow from all of them together are shortest paths (Floyd 1962, Warshall 1962), so whether a
range is empty, what it implies and the values that a time takes are decided exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import product

from symgrad.lang.affine import Affine, T, as_affine, symbol
from symgrad.verify.times import Times

#: Stands for the number 0 among the times.
_ZERO = ""


def is_difference(form: Affine) -> bool:
    """Whether a form bounds a difference of two times, or one time."""
    signs = sorted(count for _, count in form.terms)
    return signs in ([], [1], [-1], [-1, 1])


class TimeRange:
    """The values of T and of some free times, in order, at which all constraints hold.

    Args:
        letters: the free times, outermost first; T is none of them.
        constraints: forms that are at least 0; 0 ≤ letter ≤ T goes without saying.
    """

    def __init__(self, letters: Iterable[str], constraints: Iterable[Affine]) -> None:
        self.letters = tuple(letters)
        always = [T, *(symbol(x) for x in self.letters), *(T - symbol(x) for x in self.letters)]
        self.constraints = tuple(dict.fromkeys((*always, *constraints)))
        self._contradiction = False
        self._least = self._closed()

    def _closed(self) -> dict[tuple[str, str], int]:
        """``bounds[x, y] = c``: y - x ≥ c follows."""
        names = (_ZERO, "T", *self.letters)
        bounds = {(x, x): 0 for x in names}
        for form in self.constraints:
            if not is_difference(form):
                raise ValueError(f"{form} bounds no difference of two times")
            up = next((name for name, count in form.terms if count == 1), _ZERO)
            down = next((name for name, count in form.terms if count == -1), _ZERO)
            if up == down:
                self._contradiction |= form.const < 0
                continue
            bounds[down, up] = max(bounds.get((down, up), -form.const), -form.const)
        for middle, x, y in product(names, names, names):
            if (x, middle) in bounds and (middle, y) in bounds:
                way = bounds[x, middle] + bounds[middle, y]
                bounds[x, y] = max(bounds.get((x, y), way), way)
        self._contradiction |= any(bounds[x, x] > 0 for x in names)
        return bounds

    @property
    def is_empty(self) -> bool:
        """Whether there are no such times, whatever T is."""
        return self._contradiction

    def implies(self, form: Affine) -> bool:
        """Whether a form is at least 0 at all these times."""
        if self.is_empty or form.is_const:
            return self.is_empty or form.const >= 0
        up = next((name for name, count in form.terms if count == 1), _ZERO)
        down = next((name for name, count in form.terms if count == -1), _ZERO)
        known = self._least.get((down, up))
        return is_difference(form) and known is not None and known + form.const >= 0

    def within(self, other: TimeRange) -> bool:
        """Whether all these times are among those of another range over the same letters."""
        return all(self.implies(form) for form in other.constraints)

    def and_also(self, constraints: Iterable[Affine]) -> TimeRange:
        """The times of this range at which further constraints hold."""
        return TimeRange(self.letters, (*self.constraints, *constraints))

    def first(self, letter: str = "T") -> int:
        """The smallest value of a time, over all T."""
        return self._least[_ZERO, letter]

    @property
    def last(self) -> int | None:
        """The largest T; None where there is none."""
        found = self._least.get(("T", _ZERO))
        return None if found is None else -found

    @cached_property
    def times(self) -> Times:
        """The free times with their first and last values."""
        found: list[tuple[str, Affine, Affine]] = []
        for place, letter in enumerate(self.letters):
            before = self.letters[:place][::-1]
            lows = self._bounds(letter, (_ZERO, *before, "T"), lower=True)
            highs = self._bounds(letter, (*before, "T", _ZERO), lower=False)
            for number in range(max(len(lows), len(highs))):
                low = lows[number] if number < len(lows) else lows[0]
                high = highs[number] if number < len(highs) else highs[0]
                found.append((letter, low, high))
        return tuple(found)

    def _bounds(self, letter: str, others: tuple[str, ...], *, lower: bool) -> list[Affine]:
        """Bounds of a letter by what stands before it, without those that follow from others."""

        def least(x: str, y: str) -> int | None:
            return self._least.get((x, y) if lower else (y, x))

        kept = {x: bound for x in others if (bound := least(x, letter)) is not None}
        for x in reversed([*kept]):
            bound = kept[x]
            if any(
                y != x and (step := least(x, y)) is not None and step + kept[y] >= bound
                for y in kept
            ):
                del kept[x]
        return [_form(x) + (bound if lower else -bound) for x, bound in kept.items()]

    def words(self) -> str:
        """``1 ≤ t < T``, ``T ≥ 1``, ``T = 0``."""
        parts = [_between(low, letter, high) for letter, low, high in self.times]
        if self.last is not None:
            parts.append(_between(as_affine(self.first()), "T", as_affine(self.last)))
        elif not parts or TimeRange(self.letters, self._spoken()).first() < self.first():
            parts.append(f"T ≥ {self.first()}")
        return ", ".join(parts)

    def _spoken(self) -> list[Affine]:
        """The constraints that the ranges of the free times say."""
        return [
            form
            for letter, low, high in self.times
            for form in (symbol(letter) - low, high - symbol(letter))
        ]


def _form(name: str) -> Affine:
    return as_affine(0) if name == _ZERO else symbol(name)


def _between(low: Affine, letter: str, high: Affine) -> str:
    """``k < t ≤ T`` rather than ``k + 1 ≤ t ≤ T``."""
    if low == high:
        return f"{letter} = {low}"
    first = f"{low} ≤" if low.is_const or low.const != 1 else f"{low - 1} <"
    last = f"≤ {high}" if high.is_const or high.const != -1 else f"< {high + 1}"
    return f"{first} {letter} {last}"
