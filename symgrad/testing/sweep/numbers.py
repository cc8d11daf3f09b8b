"""Numerical oracles at points drawn from a seed: ordinary, saturating, tiny and huge numbers.

The derivative that is judged is compared along a direction with three values that know no
rule of differentiation: a tangent of dual numbers, the complex step, and central differences
of the forward pass. All are in as many digits as it takes until two precisions agree, so a
state saturated at 1 - 1e-40 is followed. Only relative errors count.

A difference refutes when two oracles agree with each other and not with the derivative; any
other disagreement is undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from symgrad.errors import FailedCheck
from symgrad.lang.algebra import Algebra, Floats, Multiprecision, Value
from symgrad.lang.nodes import Node, Param, Shape, Signal
from symgrad.lang.program import Inputs, Program, Runner, Trace
from symgrad.testing.sweep.pieces import Numerical, with_numbers
from symgrad.verify.dual import Dual, Pair
from symgrad.verify.oracles import Direction, complex_step, high_precision_difference
from symgrad.verify.sampling import Sampler, digest

ORDINARY = "ordinary"
EXTREMES = ("saturating", "tiny", "huge", "mixed")
#: Two values are the same from this relative difference down.
_SAME = mpmath.mpf(10) ** -18
#: What float64 leaves of a derivative at an ordinary point; else more digits decide.
_ROUGH = 1e-9
_DIGITS = (60, 120, 240, 480, 960)


def number(seed: int, regime: str, label: str) -> Fraction:
    """A number of a point: it depends on these three alone."""
    drawn = digest(seed, f"{regime} {label}")
    ordinary = Fraction(drawn % 4000 - 2000 or 1, 1000)
    sign = 1 if ordinary > 0 else -1
    choice = drawn // 4000 % 64
    parameter = "@" not in label
    if regime == "saturating" and parameter and choice < 24:
        return sign * Fraction(20 + choice)
    if regime == "tiny" and choice < 40:
        return sign * Fraction(1, 10 ** (8 * (choice % 39) + 1))
    if regime == "huge" and choice < 8:
        return sign * Fraction(100 + 50 * choice)
    if regime == "mixed" and choice < 32:
        return sign * _MIXED[choice % len(_MIXED)]
    return ordinary


_MIXED = (
    *(Fraction(0), Fraction(1), Fraction(40), Fraction(1, 10**300)),
    *(Fraction(1, 10**9), Fraction(2), Fraction(1, 2), Fraction(300)),
)


@dataclass
class Comparison:
    """What the oracles say of one piece at one point.

    Attributes:
        status: ``agrees``, ``differs``, ``unresolved`` (no precision tried is enough) or
            ``undecided``.
        errors: relative differences by oracle.
        why: words for everything but agreement.
    """

    status: str
    errors: dict[str, Any] = field(default_factory=dict)
    why: str = ""


@dataclass
class Point:
    """Values of all names, the same in every algebra; runs are kept by their digits."""

    seed: int
    regime: str
    sizes: dict[str, int]
    scalar: bool
    horizon: int
    _runs: dict[tuple[Program, int], Trace] = field(default_factory=dict)

    def sampler(self, algebra: Algebra) -> Sampler:
        """The point's numbers as those of an algebra."""
        return Sampler(
            lambda label: algebra.const(number(self.seed, self.regime, label)),
            self.sizes,
            scalar=self.scalar,
        )

    def run(self, how: Numerical, algebra: Multiprecision, digits: int) -> Trace:
        """The program of the judged side."""
        key = (how.program, digits)
        if key not in self._runs:
            inputs = self.sampler(algebra).inputs(how.program, how.given)
            self._runs[key] = Runner(how.program, algebra).run(inputs, self.horizon)
        return self._runs[key]

    def direction(self, how: Numerical, algebra: Algebra) -> Callable[[str, int | None], Value]:
        """Where to: numbers between 1/2 and 3/2 of either sign, of the shape of what moves."""

        def entry(label: str) -> Value:
            drawn = digest(self.seed, f"direction {label}") % 2001 - 1000
            size = Fraction(1, 2) + Fraction(abs(drawn), 1000)
            return algebra.const(size if drawn > 0 else -size)

        sampler = Sampler(entry, self.sizes, scalar=self.scalar)
        shape = _shape(how.wrt)
        return lambda label, when: sampler.draw(label if when is None else f"{label}@{when}", shape)


def _shape(wrt: Node) -> Shape:
    assert isinstance(wrt, Param | Signal)
    return wrt.shape


def compare(how: Numerical, point: Point, *, differences: bool = True) -> Comparison:
    """The judged derivative at a point against the oracles, with differences or without.

    A point outside of the domain of a function (log of a negative number) is ``unresolved``.
    """
    try:
        return _compared(how, point, differences)
    except (ArithmeticError, FailedCheck) as error:
        return Comparison("unresolved", why=str(error))


def _compared(how: Numerical, point: Point, differences: bool) -> Comparison:
    before: list[list[Any]] | None = None
    now: list[list[Any]] = []
    stable = False
    for digits in _DIGITS:
        now = [_judged(how, point, digits), _tangent(how, point, digits)]
        now.append(_complex(how, point, digits))
        stable = before is not None and all(map(_close, before, now))
        # A number that three ways lead to is right; a 0 may be what rounding left of it.
        if (stable or all(now[0])) and _close(now[0], now[1]) and _close(now[0], now[2]):
            return _agreement(how, point, now, differences)
        before = now
    judged, tangent, step = now
    errors = {"tangents": _gap(judged, tangent), "complex step": _gap(judged, step)}
    if not stable or not _large_enough(judged, tangent):
        words = f"not settled with {_DIGITS[-1]} digits"
        return Comparison("unresolved", errors, words)
    if _close(tangent, step):
        return Comparison("differs", errors, f"{_shown(judged)} instead of {_shown(tangent)}")
    if _kinks(how, point).exactly_there:
        # There a derivative is what the cell declares, and the complex step knows nothing of it.
        return Comparison("unresolved", errors, "a function is asked exactly at its kink")
    words = (
        f"the oracles differ: derived {_shown(judged)}, tangents {_shown(tangent)}, "
        f"complex step {_shown(step)}"
    )
    return Comparison("undecided", errors, words)


def _large_enough(judged: list[Any], truth: list[Any]) -> bool:
    """Whether a 0 beside a number cannot be what rounding has left of it."""
    least = mpmath.mpf(10) ** -(_DIGITS[-1] // 4)
    return all(a or not b or abs(b) > least for a, b in zip(judged, truth, strict=True))


def _agreement(how: Numerical, point: Point, now: list[list[Any]], differences: bool) -> Comparison:
    judged, tangent, step = now
    errors = {"tangents": _gap(judged, tangent), "complex step": _gap(judged, step)}
    found = Comparison("agrees", errors)
    if len(judged) > 1:
        return found
    if point.regime == ORDINARY:
        # In float64 as well, where that is enough: rounding there is no difference.
        rough = _rough(how, point)
        if rough is not None and (gap := _gap(judged, [mpmath.mpf(rough)])) < _ROUGH:
            errors["complex step in float64"] = gap
    if not differences or _kinks(how, point).asked:
        return found
    estimate = _difference(how, point)
    if estimate.value == 0:
        # Nothing moved in all digits: a bound, and no value to divide by.
        agrees = abs(judged[0]) <= estimate.error
    else:
        errors["differences"] = _gap(judged, [estimate.value])
        agrees = errors["differences"] < _SAME
    if not agrees:
        words = f"derived {_shown(judged)}, differences give {mpmath.nstr(estimate.value, 12)}"
        return Comparison("undecided", errors, words)
    return found


# ---- values ------------------------------------------------------------------------------


def _judged(how: Numerical, point: Point, digits: int) -> list[Any]:
    algebra = Multiprecision(digits)
    trace = point.run(how, algebra, digits)
    return _entries(how.along(trace, algebra, point.direction(how, algebra)))


def _tangent(how: Numerical, point: Point, digits: int) -> list[Any]:
    base = Multiprecision(digits)
    dual = Dual(base)
    direction = point.direction(how, base)
    inputs = point.sampler(base).inputs(how.forward, how.given)
    pairs = with_numbers(
        inputs,
        lambda label, when, value: Pair(
            value, direction(label, when) if _is_moved(how.wrt, label, when) else None
        ),
    )
    trace = Runner(how.forward, dual).run(pairs, point.horizon)
    found = how.of(trace, dual)
    return _entries(dual.tangent(found))


def _complex(how: Numerical, point: Point, digits: int) -> list[Any]:
    """Im f(x + iεd) / ε; the next term is smaller by ε², so nothing is lost to it."""
    algebra = Multiprecision(digits)
    epsilon = algebra.context.mpf(10) ** -digits
    step = algebra.context.mpc(0, epsilon)
    direction = point.direction(how, algebra)
    inputs = point.sampler(algebra).inputs(how.forward, how.given)
    moved = with_numbers(
        inputs,
        lambda label, when, value: (
            value + direction(label, when) * step if _is_moved(how.wrt, label, when) else value
        ),
    )
    trace = Runner(how.forward, algebra).run(moved, point.horizon)
    return [algebra.context.mpc(v).imag / epsilon for v in _entries(how.of(trace, algebra))]


def _is_moved(wrt: Node, label: str, when: int | None) -> bool:
    if isinstance(wrt, Param):
        return when is None and label == wrt.name
    assert isinstance(wrt, Signal)
    if label != wrt.label or when is None:
        return False
    return when == wrt.time.const if wrt.time.is_const else when > 0


def _directions(how: Numerical, point: Point, algebra: Algebra) -> Direction:
    drawn = point.direction(how, algebra)
    wrt = how.wrt
    if isinstance(wrt, Param):
        return Direction(params={wrt.name: drawn(wrt.name, None)})
    assert isinstance(wrt, Signal)
    if wrt.time.is_const:
        return Direction(initial={wrt.label: drawn(wrt.label, 0)})
    times = range(1, point.horizon + 1)
    return Direction(signals={(wrt.label, time): drawn(wrt.label, time) for time in times})


class _Fractions(Algebra):
    """Numbers as they are drawn: the oracles convert them."""


def _exactly(how: Numerical, point: Point) -> Inputs:
    return point.sampler(_Fractions()).inputs(how.forward, how.given)


def _rough(how: Numerical, point: Point) -> float | None:
    algebra = Floats()
    inputs = point.sampler(algebra).inputs(how.forward, how.given)
    as_floats = with_numbers(inputs, lambda label, when, value: np.asarray(value, float)[()])
    complexes = Floats(np.complex128)
    direction = _directions(how, point, algebra)
    direction = Direction(
        {key: np.asarray(v, float)[()] for key, v in direction.params.items()},
        {key: np.asarray(v, float)[()] for key, v in direction.initial.items()},
        {key: np.asarray(v, float)[()] for key, v in direction.signals.items()},
    )
    with np.errstate(all="ignore"):
        found = complex_step(
            *(how.forward, as_floats, point.horizon),
            lambda trace: how.of(trace, complexes),
            direction,
        )
    value = float(found)
    return value if np.isfinite(value) else None


def _difference(how: Numerical, point: Point) -> Any:
    return high_precision_difference(
        *(how.forward, _exactly(how, point), point.horizon),
        lambda trace: how.of(trace, _algebra_of(trace)),
        _directions(how, point, _Fractions()),
        most_digits=_DIGITS[-1],
    )


def _algebra_of(trace: Trace) -> Multiprecision:
    """The arithmetic of a run in mpmath numbers: that of their context."""
    values = (*trace.inputs.initial.values(), *trace.inputs.params.values())
    (first, *_) = _entries(values[0])
    return Multiprecision(first.context.dps, first.context)


class _Kinks(Multiprecision):
    """mpmath numbers that remember where functions with a kink were asked."""

    asked = False
    exactly_there = False

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        self._note(value)
        return super().step(value, at_zero)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        self._note(value)
        return super().positive_part(value, at_zero)

    def _note(self, value: Value) -> None:
        self.asked = True
        self.exactly_there = self.exactly_there or not all(_entries(value))


def _kinks(how: Numerical, point: Point) -> _Kinks:
    """A run that has noted its kinks: a difference would reach over them."""
    algebra = _Kinks(_DIGITS[0])
    inputs = point.sampler(algebra).inputs(how.forward, how.given)
    how.of(Runner(how.forward, algebra).run(inputs, point.horizon), algebra)
    return algebra


# ---- comparing ---------------------------------------------------------------------------


def _entries(value: Value) -> list[Any]:
    return list(value.ravel()) if isinstance(value, np.ndarray) else [value]


def _gap(found: list[Any], truth: list[Any]) -> Any:
    """The largest relative difference of the entries."""
    return max(map(_relative, found, truth), default=mpmath.mpf(0))


def _relative(found: Any, truth: Any) -> Any:
    gap = abs(found - truth)
    if not gap:
        return mpmath.mpf(0)
    return gap / abs(truth) if truth else mpmath.inf


def _close(found: list[Any], truth: list[Any]) -> bool:
    return bool(_gap(found, truth) < _SAME)


def _shown(values: list[Any]) -> str:
    return ", ".join(mpmath.nstr(value, 12) for value in values)


def points(task_seed: int, sizes: dict[str, int], scalar: bool, horizon: int) -> Iterator[Point]:
    """An ordinary point, and one of the extreme kinds, which take turns with the seed."""
    for regime in (ORDINARY, EXTREMES[task_seed % len(EXTREMES)]):
        yield Point(task_seed, regime, sizes, scalar, horizon)


__all__ = ["EXTREMES", "ORDINARY", "Comparison", "Point", "compare", "number", "points"]
