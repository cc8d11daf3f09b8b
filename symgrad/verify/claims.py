"""Claims that two quantities are equal, decided by exact evaluation at random points.

A claim is evaluated modulo 2^61 - 1 for a range of T and some sizes: linear in T, and
it sees what floating point cannot. Agreement is ``checked`` with an error bound from
the degrees; a difference is ``refuted`` once it is confirmed with 60 and more digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Any, Protocol

import mpmath
import numpy as np

from symgrad.errors import OutsideDomain
from symgrad.lang.algebra import (
    MERSENNE_61,
    Algebra,
    Multiprecision,
    PrimeField,
    Value,
    is_array,
)
from symgrad.verify.degree import Degree, Degrees, error_bound
from symgrad.verify.sampling import Sampler, residues, simple_fraction
from symgrad.verify.verdict import Verdict, Witness

#: Both sides at horizon T, a list of values each (one per value of the free times).
Session = Callable[[int], tuple[list[Value], list[Value]]]

HORIZONS: tuple[int, ...] = tuple(range(51))
LARGEST_ERROR = 2.0**-40
#: Primes below 2^61 - 1: what is a multiple of one prime is none of the others.
OTHER_PRIMES = (2**61 - 31, 2**61 - 45)
_MOST_POINTS = 6
_MOST_DRAWS = 20
_POINTS_CONFIRMED = 8
_MOST_POINTS_CONFIRMED = 40


class Claim(Protocol):
    """Two sides that can be evaluated in any algebra."""

    def session(self, algebra: Algebra, sampler: Sampler) -> Session:
        """Both sides for one set of values, as a function of T."""
        ...


@dataclass(frozen=True)
class Scope:
    """Where a claim is evaluated.

    Attributes:
        horizons: the T, ascending; statements that start at T = 1 leave out 0.
        sizes: one mapping per set of sizes; a single empty one in the scalar reading.
        scalar: the scalar reading (plain numbers instead of arrays).
    """

    horizons: tuple[int, ...] = HORIZONS
    sizes: tuple[tuple[tuple[str, int], ...], ...] = ((),)
    scalar: bool = True

    def words(self) -> str:
        first, last = self.horizons[0], self.horizons[-1]
        whole = len(self.horizons) == last - first + 1
        span = (
            f"T = {first}..{last}"
            if whole
            else f"{len(self.horizons)} values of T in {first}..{last}"
        )
        if self.scalar:
            return f"{span}, scalar"
        names = ", ".join(name for name, _ in self.sizes[0])
        values = ", ".join("(" + ",".join(str(v) for _, v in s) + ")" for s in self.sizes)
        return f"{span}, ({names}) = {values}"


def check(claim: Claim, scope: Scope) -> Verdict:
    """``checked``, ``refuted`` with the smallest T and sizes of the scope, or ``undecided``."""
    worst = 0.0
    points = 0
    if not scope.horizons:
        return Verdict("undecided", "", ("no T is left to evaluate it at",))
    for sizes in scope.sizes:
        single = _error(claim, scope, dict(sizes))
        needed = _points(single)
        if needed is None:
            return Verdict(
                "undecided",
                scope.words(),
                (
                    f"the degree is too high for arithmetic modulo a prime: bound {single:.1g} "
                    "at one point; a proof by induction would decide it",
                ),
            )
        worst, points = max(worst, single**needed), max(points, needed)
        # One more point with another prime, for a few T: it sees multiples of the first prime.
        few = replace(scope, horizons=scope.horizons[:3])
        for point, part in [*((i, scope) for i in range(needed)), (needed, few)]:
            try:
                found = _first_difference(claim, part, dict(sizes), point, other=part is few)
            except ZeroDivisionError as error:
                return Verdict("undecided", scope.words(), (str(error),))
            if found == ():
                return Verdict("undecided", scope.words(), ("there is no time to evaluate it at",))
            if found is not None:
                return _confirm(claim, scope, found[0], dict(sizes))
    return Verdict(
        "checked",
        scope.words(),
        (
            f"exact evaluation modulo 2^61 - 1 at {points} random point{'s' * (points > 1)}, "
            f"error probability below 2^{_ceil_log(worst)}",
        ),
    )


def _ceil_log(bound: float) -> int:
    return -999 if bound <= 0.0 else int(np.ceil(log2(bound)))


def _error(claim: Claim, scope: Scope, sizes: Mapping[str, int]) -> float:
    entries = max(sizes.values(), default=1)
    algebra = Degrees(entries**2)
    sampler = Sampler(lambda label: Degree(1), sizes, scalar=True)
    sampler.draw = lambda label, shape: Degree(1)  # type: ignore[method-assign]
    left, right = claim.session(algebra, sampler)(scope.horizons[-1])
    degree = max((_top(a, b, algebra) for a, b in zip(left, right, strict=True)), default=1)
    return error_bound(
        max(degree, 1), algebra.calls * entries, algebra.argument, PrimeField().prime
    )


def _top(left: Any, right: Any, algebra: Degrees) -> int:
    return algebra.whole(algebra.add(left, right))


def _points(single: float) -> int | None:
    if single > 0.5:
        return None
    for points in range(1, _MOST_POINTS + 1):
        if single**points <= LARGEST_ERROR:
            return points
    return None


def _first_difference(
    claim: Claim, scope: Scope, sizes: Mapping[str, int], point: int, *, other: bool = False
) -> tuple[int, ...] | None:
    """The first T at which the sides differ; None: they agree, (): nothing was compared."""
    for draw in range(_MOST_DRAWS):
        prime = OTHER_PRIMES[draw % len(OTHER_PRIMES)] if other or draw else MERSENNE_61
        algebra = PrimeField(prime, seed=point + 1000 * draw)
        compared = 0
        try:
            session = claim.session(algebra, Sampler(residues(algebra), sizes, scalar=scope.scalar))
            for horizon in scope.horizons:
                left, right = session(horizon)
                compared += len(left)
                if not all(algebra.equal(a, b) for a, b in zip(left, right, strict=True)):
                    return (horizon,)
            return None if compared or other else ()
        except (ZeroDivisionError, ValueError):
            # A denominator, or that of a literal, vanishes here: another point, another prime.
            continue
    raise ZeroDivisionError(f"a denominator vanished at {_MOST_DRAWS} random points")


def _confirm(claim: Claim, scope: Scope, horizon: int, sizes: Mapping[str, int]) -> Verdict:
    """Confirm a difference: it must stay the same when the digits are doubled."""
    # The logarithm of a negative number, a derivative at a kink: another point. Most cells
    # have none of these, and then the first point serves.
    met = 0
    for seed in range(_MOST_POINTS_CONFIRMED):
        if met == _POINTS_CONFIRMED:
            break
        used: dict[str, str] = {}
        before: list[tuple[Any, Any]] | None = None
        for digits in (60, 120, 240, 480):
            pairs = _sides(claim, scope, horizon, sizes, seed, digits, used)
            if pairs is None:
                break
            met += before is None
            found = None if before is None else _gap(before, pairs, digits // 2)
            if found is not None:
                values = tuple(sorted((k.replace("@", "_"), v) for k, v in used.items()))
                witness = Witness(horizon, tuple(sizes.items()), values, *found)
                how = f"confirmed with {digits // 2} and {digits} digits"
                return Verdict("refuted", scope.words(), (how,), witness)
            before = pairs
    return Verdict(
        "undecided",
        scope.words(),
        (
            f"the sides differ modulo a prime at T = {horizon} but not with 480 digits: they may "
            "be equal through a relation between activations that is not declared",
        ),
    )


def _sides(
    claim: Claim,
    scope: Scope,
    horizon: int,
    sizes: Mapping[str, int],
    seed: int,
    digits: int,
    used: dict[str, str],
) -> list[tuple[Any, Any]] | None:
    """All pairs of entries at a point with short numbers; None where something is divided by 0."""
    algebra = Multiprecision(digits)

    def source(label: str) -> Value:
        value = simple_fraction(seed, label)
        used[label] = str(value)
        return algebra.const(value)

    try:
        session = claim.session(algebra, Sampler(source, sizes, scalar=scope.scalar))
        left, right = session(horizon)
    except (ZeroDivisionError, OutsideDomain):
        return None
    return [p for x, y in zip(left, right, strict=True) for p in _entries(x, y)]


def _gap(
    before: list[tuple[Any, Any]], now: list[tuple[Any, Any]], digits: int
) -> tuple[str, str] | None:
    """Both values where their difference is the same at both precisions, and no rounding."""
    for (a, b), (c, d) in zip(before, now, strict=True):
        gap = c - d
        size = max(abs(c), abs(d))
        stable = abs(gap - (a - b)) * 1000 < abs(gap)
        if gap and stable and abs(gap) > size * mpmath.mpf(10) ** (10 - digits):
            return _apart(c, d, 2 * digits)
    return None


def _entries(left: Value, right: Value) -> list[tuple[Any, Any]]:
    if is_array(left) or is_array(right):
        first, second = np.broadcast_arrays(left, right)
        return list(zip(first.ravel(), second.ravel(), strict=True))
    return [(left, right)]


def _apart(left: Any, right: Any, digits: int) -> tuple[str, str]:
    """Both values with as many digits as it takes to see that they differ."""
    shown = ("", "")
    for count in range(12, digits + 1, 4):
        shown = (str(mpmath.nstr(left, count)), str(mpmath.nstr(right, count)))
        if shown[0] != shown[1]:
            break
    return shown


def all_sizes(names: Sequence[str]) -> tuple[tuple[tuple[str, int], ...], ...]:
    """The sizes at which matrix equations are checked: all 1, then none equal to its neighbour.

    For two sizes these are (1,1), (2,3) and (3,2); a third alternates with them.
    """
    if not names:
        return ((),)
    sets = [[1] * len(names), [], []]
    for i, _ in enumerate(names):
        sets[1].append((2, 3, 1, 4)[i % 4])
        sets[2].append((3, 2, 4, 1)[i % 4])
    return tuple(tuple(zip(names, values, strict=True)) for values in sets)
