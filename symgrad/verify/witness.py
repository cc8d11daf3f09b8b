"""Witnesses: where two sides of a refuted statement differ, with numbers as simple as possible.

The first point has short nonzero numbers and is confirmed with 60 and more digits. Then as
many numbers as possible become 0 and the rest 1, with all activations at exact values if
that can be (tanh 0 = 0, σ(0) = 1/2, exp 0 = 1: both sides are fractions), else in decimals
that two precisions agree on. The search is deterministic; its evaluations are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

import mpmath
import numpy as np

from symgrad.lang.algebra import Algebra, Rationals, Value, is_array
from symgrad.lang.program import Program, Runner
from symgrad.lang.tape import Environment, Tape
from symgrad.verify.known_values import AwayFromKinks, ExactValues
from symgrad.verify.sampling import Claim, Sampler, digest, simple_fraction
from symgrad.verify.times import choices
from symgrad.verify.verdict import Witness

_POINTS = 8
_MOST_POINTS = 40
_DIGITS = (60, 120, 240, 480)
#: Evaluations that the search for simple numbers may take.
_MOST_EVALUATIONS = 240
_SIMPLEST = (Fraction(1), Fraction(-1), Fraction(2), Fraction(1, 2))

Point = dict[str, Fraction]
#: Both values of every entry of every pair, with the positions of pair and entry.
Entries = list[tuple[int, tuple[int, int] | None, Any, Any]]


def find(
    claim: Claim, horizon: int, sizes: Mapping[str, int], *, scalar: bool
) -> tuple[Witness, Point] | None:
    """A confirmed witness at T and these sizes, simplified, and its numbers by label.

    None if no point confirms a difference.

    Raises:
        KeyError: a formula reads a signal outside of the run.
    """
    search = _Search(claim, horizon, dict(sizes), scalar)
    found = search.confirmed()
    if found is None:
        return None
    return search.exact(found) or search.sparse(found)


#: Fractions with more bits are no simple numbers, and Python refuses to print longer ones.
_MOST_BITS = 4096


def _is_short(value: Any) -> bool:
    bits = (
        getattr(value, "numerator", 0).bit_length() + getattr(value, "denominator", 1).bit_length()
    )
    return bool(bits <= _MOST_BITS)


def find_exactly(
    claim: Claim, horizon: int, sizes: Mapping[str, int], algebra: Algebra, *, scalar: bool
) -> tuple[Witness, Point] | None:
    """A witness in an exact algebra, at 0 and at other points where the run is exact."""
    search = _Search(claim, horizon, dict(sizes), scalar, algebra)
    used: Point = {}
    search._entries(algebra, _Recorder(used, lambda label: Fraction(0)))
    for point in (used, *_exact_starts(search, list(used))):
        for pair in range(len(free_times(claim, horizon))):
            found = search._exactly(point, pair)
            if found is not None:
                return search._witness(search._simplified(found, search._exactly))
    return None


@dataclass(frozen=True)
class _Found:
    """A difference: at which point, in which pair and entry, both values, how many digits."""

    point: Point
    pair: int
    entry: tuple[int, int] | None
    left: str
    right: str
    digits: int | None  # None: exact


@dataclass
class _Search:
    claim: Claim
    horizon: int
    sizes: dict[str, int]
    scalar: bool
    fractions: Algebra = field(default_factory=ExactValues)
    evaluations: int = field(default=0)
    decimals: dict[int, Algebra] = field(default_factory=dict)

    def _decimals(self, digits: int) -> Algebra:
        """Numbers with so many digits: one algebra for all points, whose tapes are kept."""
        if digits not in self.decimals:
            self.decimals[digits] = AwayFromKinks(digits)
        return self.decimals[digits]

    # ---- a first point ----

    def confirmed(self) -> _Found | None:
        """A point of short numbers at which the difference stays when the digits are doubled."""
        met = 0
        for seed in range(_MOST_POINTS):
            if met == _POINTS:
                break
            used: Point = {}
            source = _Recorder(used, partial(simple_fraction, seed))
            before: Entries | None = None
            for digits in _DIGITS:
                now = self._entries(self._decimals(digits), source)
                if now is None:
                    break
                met += before is None
                found = None if before is None else _gap(before, now, digits // 2)
                if found is not None:
                    pair, entry, left, right = found
                    return _Found(used, pair, entry, left, right, digits)
                before = now
        return None

    # ---- simple numbers ----

    def exact(self, first: _Found) -> tuple[Witness, Point] | None:
        """A witness whose sides are fractions, with as many zeros as the search finds."""
        self.evaluations = 0
        for point in _exact_starts(self, list(first.point)):
            found = self._exactly(point, first.pair)
            if found is not None:
                return self._witness(self._simplified(found, self._exactly))
        return None

    def sparse(self, first: _Found) -> tuple[Witness, Point]:
        """A witness in decimals, with as many zeros as the search finds."""
        self.evaluations = 0
        digits = first.digits
        assert digits is not None

        def certified(point: Point, pair: int) -> _Found | None:
            return self._certified(point, pair, digits)

        return self._witness(self._simplified(first, certified))

    def _simplified(self, found: _Found, attempt: Callable[[Point, int], _Found | None]) -> _Found:
        """Greedily to 0 in ever smaller groups, then what is left to the simplest numbers."""
        labels = sorted(found.point, key=_order)
        size = len(labels)
        while size:
            for start in range(0, len(labels), size):
                group = [name for name in labels[start : start + size] if found.point[name]]
                changed = {**found.point, **dict.fromkeys(group, Fraction(0))}
                if group and self.evaluations < _MOST_EVALUATIONS:
                    found = attempt(changed, found.pair) or found
            size = size // 2
        left = [name for name in labels if found.point[name]]
        ones = {**found.point, **dict.fromkeys(left, Fraction(1))}
        together = attempt(ones, found.pair)
        if together is not None:
            return together
        for name in left:
            for value in _SIMPLEST:
                if value == found.point[name] or self.evaluations >= _MOST_EVALUATIONS:
                    break
                better = attempt({**found.point, name: value}, found.pair)
                if better is not None:
                    found = better
                    break
        return found

    def _exactly(self, point: Point, pair: int) -> _Found | None:
        entries = self._entries(self.fractions, lambda label: point.get(label, Fraction(0)))
        for position, entry, left, right in entries or ():
            if position == pair and left != right and _is_short(left) and _is_short(right):
                return _Found(point, pair, entry, str(left), str(right), None)
        return None

    def _certified(self, point: Point, pair: int, digits: int) -> _Found | None:
        def source(label: str) -> Fraction:
            return point.get(label, Fraction(0))

        before = self._entries(self._decimals(digits // 2), source)
        if before is None or not any(a != b for i, _, a, b in before if i == pair):
            return None
        now = self._entries(self._decimals(digits), source)
        if now is None:
            return None
        found = _gap(before, now, digits // 2, only=pair)
        return None if found is None else _Found(point, pair, *found[1:], digits)

    def _entries(self, algebra: Algebra, numbers: Callable[[str], Fraction]) -> Entries | None:
        """All pairs of entries; None where the point is outside the domain or not exact."""
        self.evaluations += 1
        sampler = Sampler(
            lambda label: algebra.const(numbers(label)), self.sizes, scalar=self.scalar
        )
        try:
            left, right = self.claim.session(algebra, sampler)(self.horizon)
        except ArithmeticError:
            return None
        pairs = enumerate(zip(left, right, strict=True))
        return [(i, place, a, b) for i, (x, y) in pairs for place, a, b in _places(x, y)]

    def _witness(self, found: _Found) -> tuple[Witness, Point]:
        point = {**found.point, **self._imposed(found.point)}
        values = sorted((name.replace("@", "_"), str(v)) for name, v in point.items())
        witness = Witness(
            self.horizon,
            tuple(self.sizes.items()),
            tuple(values),
            found.left,
            found.right,
            free_times(self.claim, self.horizon)[found.pair],
            found.entry,
            found.digits is None,
        )
        return witness, point

    def _imposed(self, point: Point) -> Point:
        """Parameters that are not free: what stands for them is not what was drawn."""
        known = dict(point)
        for target, value in getattr(self.claim, "imposed", ()):
            env = Environment(known, _no_signal, {})
            known[target.name] = Tape([value], Rationals()).run(env)[0]
        return known


class _Recorder:
    """A source of numbers that remembers what it was asked."""

    def __init__(self, used: Point, numbers: Callable[[str], Fraction]) -> None:
        self.used, self.numbers = used, numbers

    def __call__(self, label: str) -> Fraction:
        value = self.used[label] = self.numbers(label)
        return value


def _no_signal(label: str, time: int) -> Value:
    raise KeyError(f"{label} at {time} in the value of a parameter")


def free_times(claim: Claim, horizon: int) -> list[tuple[tuple[str, int], ...]]:
    """The values of a claim's free times in the order in which its session evaluates them."""
    found = choices(getattr(claim, "times", ()), horizon)
    return [tuple(known.items()) for known in found]


def _order(label: str) -> tuple[bool, int, str]:
    """Parameters first, then later times before earlier: what is 0 should be at the end."""
    name, _, rest = label.partition("@")
    time = int(rest.partition("[")[0]) if rest else 0
    return bool(rest), -time, name + label


def _exact_starts(search: _Search, labels: list[str]) -> Iterator[Point]:
    """Points at which every activation of the run is exact, with many nonzero numbers.

    Names are taken up one after the other, in several orders, each if the run stays exact:
    W with x = 0, x with W = 0, U with h_0 = 0, and so on. In a linear network all are.
    """
    point = {label: _SIMPLEST[digest(0, label) % len(_SIMPLEST)] for label in labels}
    groups: dict[tuple[int, str], list[str]] = {}
    for label in labels:
        name, _, rest = label.partition("@")
        kind = 0 if not rest else 2 if rest.partition("[")[0] == "0" else 1
        groups.setdefault((kind, name.partition("[")[0]), []).append(label)
    params, inputs, states = ([g for (k, _), g in groups.items() if k == kind] for kind in range(3))
    runs = _exact_run(search)
    orders = (
        [*params, *inputs, *states],
        [*inputs, *states, *params],
        [*states, *params, *inputs],
        [*inputs, *params, *states],
        [*states[::-1], *inputs, *params[::-1]],
        [*params[::-1], *states, *inputs],
    )
    seen: list[Point] = []
    for order in orders:
        taken = dict.fromkeys(labels, Fraction(0))
        for group in order:
            more = {**taken, **{label: point[label] for label in group}}
            if runs(more):
                taken = more
        if taken not in seen:
            seen.append(taken)
            yield taken


def _exact_run(search: _Search) -> Callable[[Point], bool]:
    """Whether the forward pass is exact at a point; always, where there is no program."""
    program = getattr(search.claim, "program", None)
    if not isinstance(program, Program):
        return lambda point: True
    runner = Runner(program, search.fractions)

    def exact(point: Point) -> bool:
        sampler = Sampler(
            lambda label: point.get(label, Fraction(0)), search.sizes, scalar=search.scalar
        )
        try:
            runner.run(sampler.inputs(program), search.horizon)
        except (ArithmeticError, KeyError):
            return False
        return True

    return exact


def _gap(
    before: Entries, now: Entries, digits: int, *, only: int | None = None
) -> tuple[int, tuple[int, int] | None, str, str] | None:
    """The first pair whose difference is the same at both precisions, and no rounding."""
    for (_, _, a, b), (pair, entry, c, d) in zip(before, now, strict=True):
        gap = c - d
        size = max(abs(c), abs(d))
        stable = abs(gap - (a - b)) * 1000 < abs(gap)
        certain = gap and stable and abs(gap) > size * mpmath.mpf(10) ** (10 - digits)
        if certain and only in (None, pair):
            return (pair, entry, *_apart(c, d, 2 * digits))
    return None


def _places(left: Value, right: Value) -> Iterator[tuple[tuple[int, int] | None, Any, Any]]:
    if not is_array(left) and not is_array(right):
        yield None, left, right
        return
    first, second = np.broadcast_arrays(left, right)
    for place in np.ndindex(*first.shape):
        entry = (place[-2], place[-1]) if first.size > 1 else None
        yield entry, first[place], second[place]


def _apart(left: Any, right: Any, digits: int) -> tuple[str, str]:
    """Both values with as many digits as it takes to see that they differ."""
    shown = ("", "")
    for count in range(16, digits + 1, 4):
        shown = (str(mpmath.nstr(left, count)), str(mpmath.nstr(right, count)))
        if shown[0] != shown[1]:
            break
    return shown
