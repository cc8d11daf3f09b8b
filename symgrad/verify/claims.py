"""Claims that two quantities are equal, decided by exact evaluation at random points.

A claim is evaluated modulo 2^61 - 1 for a range of T and some sizes: linear in T, and
it sees what floating point cannot. Agreement is ``checked`` with an error bound from
the degrees; a difference is ``refuted`` once it is confirmed with 60 and more digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, Protocol

import mpmath
import numpy as np

from symgrad.lang.algebra import Algebra, Multiprecision, PrimeField, Value, is_array
from symgrad.verify.degree import Degrees, error_bound
from symgrad.verify.sampling import Sampler, residues, simple_fraction
from symgrad.verify.verdict import Verdict, Witness

#: Both sides at horizon T, a list of values each (one per value of the free times).
Session = Callable[[int], tuple[list[Value], list[Value]]]

HORIZONS: tuple[int, ...] = tuple(range(51))
LARGEST_ERROR = 2.0**-40
_MOST_POINTS = 6
_MOST_DRAWS = 20


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
    for sizes in scope.sizes:
        single = _error(claim, scope, dict(sizes))
        needed = _points(single)
        if needed is None:
            return Verdict(
                "undecided",
                scope.words(),
                (
                    f"the degree is too high for arithmetic modulo a prime: error bound {single:.1g} "
                    "at one point; a proof by induction would decide it",
                ),
            )
        worst, points = max(worst, single**needed), max(points, needed)
        for point in range(needed):
            found = _first_difference(claim, scope, dict(sizes), point)
            if found is not None:
                return _confirm(claim, scope, found[0], found[1])
    return Verdict(
        "checked",
        scope.words(),
        (
            f"exact evaluation modulo 2^61 - 1 at {points} random point{'s' if points > 1 else ''}, "
            f"error probability below 2^{_ceil_log(worst)}",
        ),
    )


def _ceil_log(bound: float) -> int:
    return -999 if bound <= 0.0 else int(np.ceil(log2(bound)))


def _error(claim: Claim, scope: Scope, sizes: Mapping[str, int]) -> float:
    algebra = Degrees()
    sampler = Sampler(lambda label: (1, 0), sizes, scalar=True)
    sampler.draw = lambda label, shape: (1, 0)  # type: ignore[method-assign]
    left, right = claim.session(algebra, sampler)(scope.horizons[-1])
    degree = max((_top(a, b, algebra) for a, b in zip(left, right, strict=True)), default=1)
    entries = max(sizes.values(), default=1)
    return error_bound(
        max(degree, 1), algebra.calls * entries, algebra.argument, PrimeField().prime
    )


def _top(left: Any, right: Any, algebra: Degrees) -> int:
    difference = algebra.add(left, right)
    return int(difference[0] + difference[1])


def _points(single: float) -> int | None:
    if single > 0.5:
        return None
    for points in range(1, _MOST_POINTS + 1):
        if single**points <= LARGEST_ERROR:
            return points
    return None


def _first_difference(
    claim: Claim, scope: Scope, sizes: Mapping[str, int], point: int
) -> tuple[int, Mapping[str, int]] | None:
    for draw in range(_MOST_DRAWS):
        algebra = PrimeField(seed=point + 1000 * draw)
        session = claim.session(algebra, Sampler(residues(algebra), sizes, scalar=scope.scalar))
        try:
            for horizon in scope.horizons:
                left, right = session(horizon)
                if not all(algebra.equal(a, b) for a, b in zip(left, right, strict=True)):
                    return horizon, sizes
            return None
        except ZeroDivisionError:
            continue
    raise ZeroDivisionError(f"a denominator vanished at {_MOST_DRAWS} random points")


def _confirm(claim: Claim, scope: Scope, horizon: int, sizes: Mapping[str, int]) -> Verdict:
    """Confirm a difference with certified digits; try some points with short numbers."""
    for seed in range(8):
        used: dict[str, str] = {}
        for digits in (60, 120, 240):
            algebra = Multiprecision(digits)

            def source(
                label: str,
                algebra: Algebra = algebra,
                seed: int = seed,
                used: dict[str, str] = used,
            ) -> Value:
                value = simple_fraction(seed, label)
                used[label] = str(value)
                return algebra.const(value)

            try:
                session = claim.session(algebra, Sampler(source, sizes, scalar=scope.scalar))
                left, right = session(horizon)
            except ZeroDivisionError:
                break
            found = _gap(left, right, digits)
            if found is not None:
                witness = Witness(
                    horizon, tuple(sizes.items()), tuple(sorted(used.items())), *found
                )
                return Verdict(
                    "refuted",
                    scope.words(),
                    (f"confirmed with {digits} digits",),
                    witness,
                )
    return Verdict(
        "undecided",
        scope.words(),
        (
            f"the sides differ modulo a prime at T = {horizon} but not with 240 digits: they may be "
            "equal through a relation between activations that is not declared",
        ),
    )


def _gap(left: list[Value], right: list[Value], digits: int) -> tuple[str, str] | None:
    """Both values as text where they differ by more than rounding, relative to their size."""
    pairs = [p for x, y in zip(left, right, strict=True) for p in _entries(x, y)]
    for a, b in pairs:
        size = max(abs(a), abs(b))
        if size and abs(a - b) > size * 10 ** (-digits // 2):
            return _short(a), _short(b)
    return None


def _entries(left: Value, right: Value) -> list[tuple[Any, Any]]:
    if is_array(left) or is_array(right):
        first, second = np.broadcast_arrays(left, right)
        return list(zip(first.ravel(), second.ravel(), strict=True))
    return [(left, right)]


def _short(value: Any) -> str:
    return str(mpmath.nstr(value, 12))


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
