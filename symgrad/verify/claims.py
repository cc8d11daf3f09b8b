"""Claims that two quantities are equal, decided by exact evaluation at random points.

A claim is evaluated modulo 2^61 - 1 for a range of T and some sizes: linear in T, and
it sees what floating point cannot. Agreement is ``checked`` with an error bound from
the degrees; a difference is ``refuted`` once it is confirmed with 60 and more digits,
with the smallest T, then the smallest sizes, then simple numbers as its witness.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import log2
from typing import Any

import numpy as np

from symgrad.lang.algebra import MERSENNE_61, PrimeField
from symgrad.verify.degree import Degree, Degrees, error_bound, points_needed
from symgrad.verify.domain import Pole, poles
from symgrad.verify.kinks import at_kink
from symgrad.verify.primes import LEAST_PRIME, is_heavy, prime_of
from symgrad.verify.related_check import Place, related
from symgrad.verify.relations import using
from symgrad.verify.reproduce import reproducible
from symgrad.verify.sampling import Claim as Claim
from symgrad.verify.sampling import Sampler, residues
from symgrad.verify.sampling import Session as Session
from symgrad.verify.special import NotMet, special_claims
from symgrad.verify.verdict import Verdict
from symgrad.verify.witness import find

#: Reasons of a verdict for which no two values were compared at all.
NOTHING_COMPARED = ("no T is left to evaluate it at", "there is no time to evaluate it at")
HORIZONS: tuple[int, ...] = tuple(range(51))
LARGEST_ERROR = 2.0**-40
_MOST_DRAWS = 20
#: At so many T a side may have no value; a statement with more is not judged.
_MOST_WITHOUT = 4
#: Runs modulo the first two primes serve many claims about one cell.
SECOND_PRIME = 2**61 - 31
#: Sizes below those of a difference that are tried for a smaller witness.
_MOST_SIZES = 64


@dataclass(frozen=True)
class Scope:
    """Where a claim is evaluated.

    Attributes:
        horizons: the T, ascending; statements that start at T = 1 leave out 0.
        sizes: one mapping per set of sizes; a single empty one in the scalar reading.
        scalar: the scalar reading (plain numbers instead of arrays).
        seed: tells the random points of one evaluation apart from those of another.
    """

    horizons: tuple[int, ...] = HORIZONS
    sizes: tuple[tuple[tuple[str, int], ...], ...] = ((),)
    scalar: bool = True
    seed: int = 0

    def words(self) -> str:
        first, last = self.horizons[0], self.horizons[-1]
        whole = len(self.horizons) == last - first + 1
        span = (
            f"T = {first}"
            if first == last
            else f"T = {first}..{last}"
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
    try:
        verdict = _checked(claim, scope)
        if not verdict.holds:
            return (
                verdict if verdict.status == "refuted" else _with_conditions(claim, scope, verdict)
            )
        verdict = _where_defined(claim, scope, verdict)
        for words, special in special_claims(claim) if verdict.holds else ():
            there = _checked(special, scope)
            if not there.holds:
                return replace(there, how=(*there.how, f"where {words}"))
            verdict = replace(verdict, how=(*verdict.how, f"and where {words}"))
            verdict = _where_defined(special, scope, verdict, words)
        return verdict
    except NotMet as error:
        reason = f"the case {error} is met by no random point, so it was not evaluated"
    except KeyError as error:
        reason = f"a side has no value, such as outside of the run: {error.args[0]}"
    except ArithmeticError as error:
        reason = str(error)
    return Verdict("undecided", scope.words(), (reason,))


def _poles(claim: Claim, scope: Scope) -> Iterator[Pole]:
    first = scope.horizons[0] if scope.horizons else 0
    return poles(claim, getattr(claim, "program", None), first)


def _with_conditions(claim: Claim, scope: Scope, verdict: Verdict) -> Verdict:
    """An open verdict with what both sides need: a proof may rest on it."""
    words = tuple(dict.fromkeys(pole.words for pole in _poles(claim, scope)))
    return replace(verdict, conditions=words)


def _where_defined(claim: Claim, scope: Scope, verdict: Verdict, case: str = "") -> Verdict:
    """The verdict with the conditions that both sides have a value; ``refuted`` where not equal.

    No random point meets a value at which a denominator vanishes: it is tried.

    ``case``: the values of parameters that are imposed already, in words.
    """
    conditions: dict[str, None] = {}
    for pole in _poles(claim, scope):
        if pole.condition:
            conditions[pole.condition] = None
        if pole.claim is None:
            continue
        rest = tuple(h for h in scope.horizons if not pole.is_without_value(h))
        if not rest:
            continue
        try:
            there = _checked(pole.claim, replace(scope, horizons=rest))
        except (ArithmeticError, KeyError):
            conditions[pole.words] = None
            continue
        if there.status == "refuted":
            theta, value = pole.claim.imposed[-1]
            return replace(there, how=(*there.how, f"where {theta!r} = {value!r}"))
    where = f" where {case}" if case else ""
    new = [words + where for words in conditions if words not in verdict.conditions]
    return replace(verdict, conditions=(*verdict.conditions, *new)) if new else verdict


#: How the reason begins where a side has no value at some T.
NO_VALUE = "a side has no value at"


class NoValue(ZeroDivisionError):
    """A denominator vanishes at a T, whatever the numbers are."""

    def __init__(self, horizon: int) -> None:
        super().__init__(
            f"{NO_VALUE} T = {horizon}: a denominator vanishes there, whatever the numbers are; "
            "state a range without such times"
        )
        self.horizon = horizon


def _checked(claim: Claim, scope: Scope) -> Verdict:
    """Evaluated at all T of a scope but those at which a side has no value for any sizes."""
    without: list[str] = []
    while True:
        try:
            verdict = _checked_everywhere(claim, scope)
            break
        except NoValue as error:
            rest = tuple(h for h in scope.horizons if h != error.horizon)
            # With free times, others at this T may have a value, and be a counterexample.
            has_times = bool(getattr(claim, "times", None))
            if not rest or has_times or len(without) == _MOST_WITHOUT:
                raise
            if not all(_is_without_value(claim, scope, error.horizon, s) for s in scope.sizes):
                raise
            without.append(str(error.horizon))
            scope = replace(scope, horizons=rest)
    if not without:
        return verdict
    words = f"at T = {', '.join(without)} a denominator vanishes, and there is nothing to compare"
    return replace(verdict, how=(*verdict.how, words))


def _is_without_value(
    claim: Claim, scope: Scope, horizon: int, sizes: tuple[tuple[str, int], ...]
) -> bool:
    """Whether a side has no value at a T and some sizes."""
    try:
        _first_difference(claim, replace(scope, horizons=(horizon,)), dict(sizes), 0)
    except NoValue:
        return True
    return False


def _checked_everywhere(claim: Claim, scope: Scope) -> Verdict:
    worst = 0.0
    points = 0
    if not scope.horizons:
        return Verdict("undecided", "", NOTHING_COMPARED[:1])
    for sizes in scope.sizes:
        single = _error(claim, scope, dict(sizes))
        needed = points_needed(single, LARGEST_ERROR)
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
        # Every second point is taken modulo another prime, which sees multiples of the first; and
        # one modulo a prime of the claim's own, for a few T, which sees multiples of both.
        parts: list[tuple[Scope, int | None]] = []
        parts += [(scope, SECOND_PRIME if i % 2 else MERSENNE_61) for i in range(needed)]
        own = scope if is_heavy(claim, scope.horizons[-1]) else _few(scope)
        if own == scope and needed > 1:
            # It is one of the points.
            parts.pop()
        parts.append((own, None))
        for point, (part, prime) in enumerate(parts):
            found = _first_difference(claim, part, dict(sizes), point, prime=prime)
            if found == ():
                return Verdict("undecided", scope.words(), NOTHING_COMPARED[1:])
            if found is not None:
                verdict = _refuted(claim, scope, found[0], sizes)
                return verdict if verdict.witness else _with_relations(claim, scope, verdict)
    return Verdict("checked", scope.words(), (_evidence(points, worst, both=points > 1),))


def _few(scope: Scope) -> Scope:
    """The first horizons of a scope, and the last."""
    return replace(scope, horizons=tuple(dict.fromkeys((*scope.horizons[:3], scope.horizons[-1]))))


def _with_relations(claim: Claim, scope: Scope, before: Verdict) -> Verdict:
    """What is known once declared relations between calls are used."""
    try:
        found = related(
            claim, scope.horizons, scope.sizes, scalar=scope.scalar, least=LARGEST_ERROR
        )
    except ArithmeticError:
        return before
    if found is None:
        return before
    if isinstance(found, Place):
        later = _refuted(claim, scope, found.horizon, found.sizes)
        if later.witness is not None:
            return later
        kink = _only_at_kink(claim, scope, found)
        return before if kink is None else kink
    how = _evidence(found.points, found.error)
    return Verdict("checked", scope.words(), (how, *using(found.relations)))


def _only_at_kink(claim: Claim, scope: Scope, place: Place) -> Verdict | None:
    at_place = at_kink(claim, place.horizon, dict(place.sizes), scalar=scope.scalar)
    if at_place is None:
        return None
    shown = reproducible(claim, *at_place, scalar=scope.scalar)
    return Verdict("refuted", scope.words(), ("exact, at a kink with its convention",), shown)


def _evidence(points: int, error: float, *, both: bool = False) -> str:
    return (
        f"exact evaluation modulo 2^61 - 1{' and another prime' * both} at {points} random "
        f"point{'s' * (points > 1)}, "
        f"error probability below 2^{_ceil_log(error)}"
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
    return error_bound(max(degree, 1), algebra.calls * entries, algebra.argument, LEAST_PRIME)


def _top(left: Any, right: Any, algebra: Degrees) -> int:
    return algebra.whole(algebra.add(left, right))


def _first_difference(
    claim: Claim,
    scope: Scope,
    sizes: Mapping[str, int],
    point: int,
    *,
    prime: int | None = MERSENNE_61,
) -> tuple[int, ...] | None:
    """The first T at which the sides differ; None: they agree, (): nothing was compared.

    ``prime``: None for one of the claim's own.
    """
    failed: set[int] = set()
    for draw in range(_MOST_DRAWS):
        horizon = -1
        modulus = prime_of(claim, draw) if prime is None or draw else prime
        algebra = PrimeField(modulus, seed=point + 1000 * draw + 10**6 * scope.seed)
        compared = 0
        try:
            session = claim.session(algebra, Sampler(residues(algebra), sizes, scalar=scope.scalar))
            for horizon in scope.horizons:
                left, right = session(horizon)
                compared += len(left)
                if not all(algebra.equal(a, b) for a, b in zip(left, right, strict=True)):
                    return (horizon,)
            return None if compared or prime is None else ()
        except ZeroDivisionError:
            # A denominator vanishes here: another point, another prime.
            failed.add(horizon)
        except ValueError:
            # That of a literal has no inverse: another prime.
            failed.add(-1)
    if len(failed) == 1 and failed != {-1}:
        raise NoValue(*failed)
    raise ZeroDivisionError(f"a denominator vanished at {_MOST_DRAWS} random points")


def _refuted(
    claim: Claim, scope: Scope, horizon: int, sizes: tuple[tuple[str, int], ...]
) -> Verdict:
    """``refuted`` with the smallest T, then sizes, that confirm it; else ``undecided``."""
    for place in scope.sizes[scope.sizes.index(sizes) + 1 :]:
        # Larger sizes may show a difference at a smaller T.
        below = replace(scope, horizons=tuple(h for h in scope.horizons if h < horizon))
        found = _differs(claim, below, place)
        if found is not None:
            horizon, sizes = found, place
    for place in _sizes_up_to(sizes):
        at = replace(scope, horizons=(horizon,))
        if place != sizes and _differs(claim, at, place) is None:
            continue
        at_place = find(claim, horizon, dict(place), scalar=scope.scalar)
        if at_place is not None:
            witness, point = at_place
            how = "exact at simple numbers" if witness.exact else "confirmed at two precisions"
            shown = reproducible(claim, witness, point, scalar=scope.scalar)
            return Verdict("refuted", scope.words(), (how,), shown)
    return Verdict(
        "undecided",
        scope.words(),
        (
            f"the sides differ modulo a prime at T = {horizon} but not with 480 digits: they may "
            "be equal through a relation between activations that is not declared",
        ),
    )


def _differs(claim: Claim, scope: Scope, sizes: tuple[tuple[str, int], ...]) -> int | None:
    """The first T of the scope at which the sides differ at one random point."""
    try:
        found = _first_difference(claim, scope, dict(sizes), 0)
    except (ArithmeticError, KeyError):
        return None
    return found[0] if found else None


def _sizes_up_to(
    sizes: tuple[tuple[str, int], ...],
) -> list[tuple[tuple[str, int], ...]]:
    """Sizes of no larger total, ordered by it, then lexicographically."""
    total = sum(value for _, value in sizes)
    names = [name for name, _ in sizes]
    grid = product(range(1, total - len(names) + 2), repeat=len(names))
    below = sorted((sum(v), v) for v in grid if sum(v) <= total)
    found = [tuple(zip(names, values, strict=True)) for _, values in below]
    return list(dict.fromkeys([*found[:_MOST_SIZES], sizes]))


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
