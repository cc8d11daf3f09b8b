"""Exact evaluation with declared relations between calls, where free atoms were not enough.

The same evaluation modulo a prime as in ``claims``, in ``RelatedField``: first with sums as
single residues, then with their summands apart. It can only agree where the sides are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from symgrad.lang.algebra import MERSENNE_61, Value
from symgrad.verify.degree import Degree, Degrees, error_bound, points_needed
from symgrad.verify.primes import prime_of
from symgrad.verify.related_field import MOST_POWER, RelatedField
from symgrad.verify.relations import Relation
from symgrad.verify.sampling import Claim, Sampler, digest

Sizes = tuple[tuple[str, int], ...]

#: Summands kept apart in an argument of a call; 1 sees signs and factors of whole sums only.
_WIDTHS = (1, 24)
_MOST_DRAWS = 8


@dataclass(frozen=True)
class Place:
    """Where the sides differ although all declared relations were used.

    ``kinks``: whether a step had a value at its kink.
    """

    horizon: int
    sizes: Sizes
    kinks: bool


@dataclass(frozen=True)
class Agreement:
    """The sides agree: at how many points, the chance that it is an accident, what was used."""

    points: int
    error: float
    relations: tuple[Relation, ...]


class RelatedDegrees(Degrees):
    """Degrees of an evaluation with relations: every call by its definition.

    ``norm``: the degree of the norm of a denominator with roots, relative to its own.
    """

    def __init__(self, entries: int, norm: int) -> None:
        super().__init__(entries)
        self.direct = {}
        self.norm = norm
        self.logarithms = 0

    def dual_calls(self, pair: Any) -> Mapping[str, Any]:
        return {}

    def inverse(self, value: Value) -> Value:
        return super().inverse(Degree(value.over * self.norm, value.under))

    def log(self, value: Value) -> Value:
        # It may be an argument of an earlier exp: log(exp(x)) = x.
        self._call(value)
        self.logarithms += 1
        largest = max(self.argument, 1)
        self._weights.append(largest)
        return Degree(largest, {len(self._weights) - 1: 1})

    def exp(self, value: Value) -> Value:
        # It may be a power of what a logarithm was taken of: exp(log(x)) = x.
        found = self._call(value)
        if not self.logarithms:
            return found
        largest = max(self.argument, 1) * MOST_POWER
        self._weights.append(largest)
        return Degree(largest, {len(self._weights) - 1: 1})

    def sqrt(self, value: Value) -> Value:
        self._call(value)
        return Degree(max(self.whole(value), 1))


def related(
    claim: Claim, horizons: tuple[int, ...], sizes: tuple[Sizes, ...], *, scalar: bool, least: float
) -> Agreement | Place | None:
    """Whether the sides agree once relations are used.

    ``least``: the error probability to fall below. None: the degrees are too high for it.

    Raises:
        ArithmeticError: a denominator vanishes at every point, or too many roots and steps.
        KeyError: a side has no value.
    """
    found: Agreement | Place | None = None
    for width in _WIDTHS:
        for own_kinks in (False, True):
            field = partial(RelatedField, width=width, own_kinks=own_kinks)
            found = _in_field(claim, horizons, sizes, field, scalar=scalar, least=least)
            if not isinstance(found, Place):
                return found
            if not found.kinks:
                break
    return found


def _in_field(
    claim: Claim,
    horizons: tuple[int, ...],
    sizes: tuple[Sizes, ...],
    field: Callable[..., RelatedField],
    *,
    scalar: bool,
    least: float,
) -> Agreement | Place | None:
    most, worst = 1, 0.0
    used: dict[Relation, None] = {}
    for place in sizes:
        first = _evaluated(claim, horizons, place, field, 0, scalar=scalar)
        if isinstance(first, Place):
            return first
        single = _single_error(claim, horizons[-1], place, first)
        points = points_needed(single, least)
        if points is None:
            return None
        rest = [(point, MERSENNE_61) for point in range(1, points)]
        for point, prime in [*rest, (points, prime_of(claim))]:
            later = _evaluated(claim, horizons, place, field, point, scalar=scalar, prime=prime)
            if isinstance(later, Place):
                return later
        most, worst = max(most, points), max(worst, single**points)
        used |= dict.fromkeys(first.relations())
    return Agreement(most, worst, tuple(used))


def _evaluated(
    claim: Claim,
    horizons: tuple[int, ...],
    sizes: Sizes,
    field: Callable[..., RelatedField],
    point: int,
    *,
    scalar: bool,
    prime: int = MERSENNE_61,
) -> RelatedField | Place:
    """The algebra after an evaluation in which the sides agree, or where they do not."""
    for draw in range(_MOST_DRAWS):
        algebra = field(prime, seed=point + 1000 * draw)
        try:
            found = _difference(claim, algebra, horizons, dict(sizes), scalar=scalar)
        except (ZeroDivisionError, ValueError):
            continue
        return algebra if found is None else Place(found, sizes, algebra.kinks)
    raise ZeroDivisionError(f"a denominator vanished at {_MOST_DRAWS} random points")


def _difference(
    claim: Claim,
    algebra: RelatedField,
    horizons: tuple[int, ...],
    sizes: Mapping[str, int],
    *,
    scalar: bool,
) -> int | None:
    """The first T at which the sides differ."""

    def source(label: str) -> Value:
        return algebra.number(digest(algebra.seed + 1, label))

    session = claim.session(algebra, Sampler(source, sizes, scalar=scalar))
    # The longest run first: the shorter ones are parts of it.
    session(horizons[-1])
    for horizon in horizons:
        left, right = session(horizon)
        if not all(algebra.equal(a, b) for a, b in zip(left, right, strict=True)):
            return horizon
    return None


def _single_error(claim: Claim, horizon: int, sizes: Sizes, first: RelatedField) -> float:
    """The chance of agreement by accident at one point.

    Calls of exp are Laurent monomials in independent numbers, of degree at most ``steepest``.
    A Laurent polynomial all of whose monomials have absolute degree at most D vanishes with
    probability at most 2 D / (p - 1), by induction as in the Schwartz-Zippel lemma. Summands
    that were told apart by their residues coincide with the probability of their degree.
    """
    entries = max((value for _, value in sizes), default=1) ** 2
    degrees = RelatedDegrees(entries, 2**first.ring.most_generators)
    sampler = Sampler(lambda label: Degree(1), dict(sizes), scalar=True)
    sampler.draw = lambda label, shape: Degree(1)  # type: ignore[method-assign]
    left, right = claim.session(degrees, sampler)(horizon)
    tops = [degrees.whole(degrees.add(a, b)) for a, b in zip(left, right, strict=True)]
    slope = 2 * first.steepest
    degree = slope * max([1, *tops]) + slope * max(degrees.argument, 1) * first.ring.compared
    return error_bound(degree, first.atoms, 2 * slope * degrees.argument, first.prime)
