"""Numeric oracles: derivatives of a forward program that know no rule of differentiation.

Two, with different weaknesses: the complex step (float64 speed, no cancellation, but
nothing left of a derivative below 1e-300) and central differences in many digits, which
follow saturated, tiny and huge values as far as needed. Only forward values are computed
here; a head is evaluated and never asked for its derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.errors import FailedCheck
from symgrad.lang.algebra import Algebra, Floats, Multiprecision, Value
from symgrad.lang.program import Inputs, Program, Runner, Trace

Objective = Callable[[Trace], Value]

_STEP = 1e-30


@dataclass(frozen=True)
class Direction:
    """Where to: a change of parameters, initial states and given signals; the rest stays.

    Attributes:
        params, initial: the change by name, of the shape of what changes.
        signals: the change by (label, time).
    """

    params: Mapping[str, Value] = field(default_factory=dict)
    initial: Mapping[str, Value] = field(default_factory=dict)
    signals: Mapping[tuple[str, int], Value] = field(default_factory=dict)


def unit_directions(value: Value) -> Iterator[tuple[tuple[int, ...], Value]]:
    """One direction per entry of a parameter or a state: its position, and 1 there."""
    shape = np.shape(value)
    if not shape:
        yield (), 1.0
        return
    for position in np.ndindex(shape):
        unit = np.zeros(shape)
        unit[position] = 1.0
        yield position, unit


def complex_step(
    program: Program, inputs: Inputs, T: int, objective: Objective, direction: Direction
) -> Value:
    """dL/dε at ε = 0 along a direction, in float64: Im L(iε)/ε with ε = 1e-30.

    No difference is taken, so nothing cancels: the relative error is that of the forward
    pass, about 1e-15. The objective must be analytic (no ``abs``, no conjugate).
    Source: Squire and Trapp, SIAM Review 40(1), 1998.
    """
    step = complex(0.0, _STEP)
    moved = _moved(inputs, direction, lambda value: np.asarray(value, dtype=complex)[()], step)
    result = _number(objective(Runner(program, Floats(np.complex128)).run(moved, T)))
    return np.imag(result) / _STEP


@dataclass(frozen=True)
class Estimate:
    """A derivative in mpmath numbers, an estimate of its error, and the digits it took."""

    value: Value
    error: Value
    digits: int


def high_precision_difference(
    program: Program,
    inputs: Inputs,
    T: int,
    objective: Objective,
    direction: Direction,
    digits: int = 60,
    *,
    wanted: int = 20,
    most_digits: int = 2000,
) -> Estimate:
    """dL/dε at ε = 0 by central differences, to ``wanted`` correct digits.

    With steps h, h/2 and h/4 successive values must differ by a factor of four (the order
    of the rule, or sixteen where its first error term is absent), or by rounding only. Two
    extrapolations (Richardson 1911) leave an error of order h⁶. Digits are doubled until
    two levels agree. Nothing but rounding at every level up to ``most_digits`` is a zero,
    with its error: a state saturated at 1 - 1e-800 does not move in 400 digits. What has
    moved by then is followed to twice as many digits, where the error that a level shows by
    itself is enough.

    Raises:
        FailedCheck: no agreement.
    """
    before: Estimate | None = None
    moved = False
    while True:
        found = _at_precision(program, inputs, T, objective, direction, digits, wanted)
        if found is not None and abs(found.value) > 100 * found.error:
            moved = True
            if before is not None:
                gap = abs(found.value - before.value)
                if gap * 10**wanted <= abs(found.value):
                    return Estimate(found.value, max(gap, found.error), digits)
        if digits >= most_digits and found is not None and not moved:
            return Estimate(0 * found.value, abs(found.value) + found.error, digits)
        if digits >= 2 * most_digits:
            if found is not None and found.error * 10**wanted <= abs(found.value):
                return found
            raise FailedCheck(
                f"no stable derivative with {digits} digits: raise most_digits, or the "
                "objective is not smooth along this direction"
            )
        before, digits = found, 2 * digits


def _at_precision(
    program: Program,
    inputs: Inputs,
    T: int,
    objective: Objective,
    direction: Direction,
    digits: int,
    wanted: int,
) -> Estimate | None:
    """The extrapolated difference at one precision; None where the order is not seen."""
    algebra = Multiprecision(digits)
    context = algebra.context
    runner = Runner(program, algebra)
    convert = _into(algebra)

    def objective_at(step: Value) -> Value:
        return _number(objective(runner.run(_moved(inputs, direction, convert, step), T)))

    h = context.mpf(10) ** -(digits // 10)
    size = context.mpf(0)
    rough: list[Value] = []
    for step in (h, h / 2, h / 4):
        above, below = objective_at(step), objective_at(-step)
        size = max(size, abs(above), abs(below))
        rough.append((above - below) / (2 * step))
    first, second = rough[0] - rough[1], rough[1] - rough[2]
    better = [(4 * rough[1] - rough[0]) / 3, (4 * rough[2] - rough[1]) / 3]
    value = (16 * better[1] - better[0]) / 15
    rounding = 100 * size * context.eps / h
    if abs(second) > rounding and any(
        abs(first / second / factor - 1) < context.mpf("0.02") for factor in (4, 16)
    ):
        return Estimate(value, max(abs(value - better[1]), rounding), digits)
    # Where terms in L cancel, rounding is more than the size of L says: measured here.
    noise = max(abs(first), abs(second), rounding)
    if abs(second) <= rounding or noise * 10 ** (wanted + 5) <= abs(value):
        return Estimate(value, noise, digits)
    return None


def compare(value: Value, reference: Value, *, terms: Value = 0) -> float:
    """The largest relative difference of the entries, |value - reference| / |reference|.

    There is no absolute tolerance: where gradients vanish, 0 is within 1e-8 of the truth
    and entirely wrong. Where the reference is exactly 0 the difference is 0 if the value
    is 0 too, and infinite otherwise, with one exception. A float64 value that is a sum
    which cancels, a - a', is off by the rounding of a and not of the result; so whoever
    knows the summands gives ``terms``, their largest magnitude (for all entries, or one
    for each), and a value below their rounding, 1e-15 of it, counts as 0.
    A value or a reference that is not finite is infinitely far from everything.
    """
    if np.shape(value) != np.shape(reference):
        raise ValueError(f"shapes {np.shape(value)} and {np.shape(reference)} differ")
    largest = 0.0
    entries = [np.asarray(side, dtype=object) for side in (value, reference, terms)]
    for found, expected, term in np.broadcast(*entries):
        gap = abs(found - expected)
        if not gap < float("inf"):
            return float("inf")
        if expected == 0:
            difference = 0.0 if gap <= abs(term) * 1e-15 else float("inf")
        else:
            difference = float(gap / abs(expected))
        largest = max(largest, difference)
    return largest


def _moved(
    inputs: Inputs, direction: Direction, convert: Callable[[Value], Value], step: Value
) -> Inputs:
    """The inputs ``step`` along the direction, all values converted."""
    for what, given, known in (
        ("parameter", direction.params, inputs.params),
        ("state", direction.initial, inputs.initial),
    ):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise ValueError(f"no {what} {unknown[0]!r} to move; there is {', '.join(known)}")

    def along(values: Mapping[str, Value], change: Mapping[str, Value]) -> dict[str, Value]:
        return {
            name: convert(value) + convert(change[name]) * step
            if name in change
            else convert(value)
            for name, value in values.items()
        }

    def signals(label: str, time: int) -> Value:
        value = convert(inputs.signals(label, time))
        change = direction.signals.get((label, time))
        return value if change is None else value + convert(change) * step

    return Inputs(
        along(inputs.params, direction.params),
        along(inputs.initial, direction.initial),
        signals,
        inputs.sizes,
    )


def _into(algebra: Multiprecision) -> Callable[[Value], Value]:
    """Numbers and arrays as mpmath numbers, without loss."""

    def number(value: Any) -> Value:
        if isinstance(value, Fraction):
            return algebra.const(value)
        # NumPy's integers and floats are not Python's to mpmath.
        return algebra.context.mpf(value.item() if isinstance(value, np.generic) else value)

    def convert(value: Value) -> Value:
        if isinstance(value, np.ndarray):
            return Algebra.map(number, value) if value.ndim else number(value.item())
        return number(value)

    return convert


def _number(value: Value) -> Value:
    """The one number that an objective gives, also as an array of one entry."""
    return value.item() if isinstance(value, np.ndarray) else value
