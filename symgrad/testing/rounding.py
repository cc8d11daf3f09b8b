"""How far rounding can take a gradient: running error analysis of its program.

Every number carries its value in many digits and a bound on the error that float64 (or
another precision) makes on the way to it, to first order and a little more (Wilkinson;
Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.3). Where terms
cancel or a unit saturates the bound is larger than the value, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from symgrad.adjoint import backward
from symgrad.errors import OutsideDomain
from symgrad.evaluate.compiled.problem import Array
from symgrad.evaluate.compiled.results import GradientValues
from symgrad.lang.algebra import Algebra, Multiprecision, Value, at_kink
from symgrad.lang.program import Runner
from symgrad.testing.runs import Run

#: What a type of floating point is called by, such as ``np.float32`` or ``"float32"``.
DType: TypeAlias = Any
#: Digits of the values beyond those of the arithmetic that is analysed.
_GUARD = 40


@dataclass(frozen=True, slots=True)
class Rounded:
    """A number in many digits, and how far the number that is computed may be from it."""

    value: Any
    error: Any
    of: RunningErrors

    @property
    def real(self) -> Any:
        """The value, by which functions with a kink choose their side."""
        return self.value

    # An array to the right is left to NumPy, which comes back entry by entry.

    def __add__(self, other: Value) -> Rounded:
        if not isinstance(other, Rounded):
            return NotImplemented
        return self.of.made(self.value + other.value, self.error + other.error)

    def __neg__(self) -> Rounded:
        return Rounded(-self.value, self.error, self.of)

    def __mul__(self, other: Value) -> Rounded:
        if not isinstance(other, Rounded):
            return NotImplemented
        error = abs(self.value) * other.error + (abs(other.value) + other.error) * self.error
        return self.of.made(self.value * other.value, error)

    def __truediv__(self, other: Value) -> Rounded:
        if not isinstance(other, Rounded):
            return NotImplemented
        if other.value == 0:
            raise ZeroDivisionError("division by zero")
        value, least = self.value / other.value, abs(other.value) - other.error
        error = self.of.infinity
        if least > 0:
            error = (self.error + abs(value) * other.error) / least
        return self.of.made(value, error)


class RunningErrors(Algebra):
    """Arithmetic on ``Rounded`` numbers.

    ``unit``: the relative rounding error of one operation of what is analysed; that of
    ``dtype``, with its range, or of so many digits, which have no smallest and largest number.
    """

    def __init__(self, digits: int | None = None, dtype: DType = np.float64) -> None:
        self.exact = Multiprecision((16 if digits is None else digits) + _GUARD)
        context = self.context = self.exact.context
        limits, self.infinity = np.finfo(dtype), context.inf
        self.unit = context.mpf(float(limits.eps)) / 2
        self.smallest = context.mpf(float(limits.smallest_subnormal))
        self.largest = context.mpf(float(limits.max))
        if digits is not None:
            self.unit = context.mpf(10) ** (1 - digits)
            self.smallest, self.largest = context.mpf(0), context.inf
        self.direct = {
            "tanh": lambda v: self.map(self._tanh, v),
            "sigma": lambda v: self.map(self._sigma, v),
            "softplus": lambda v: self.map(self._softplus, v),
            "softmax": self._softmax,
            "logsumexp": self._logsumexp,
        }

    def number(self, value: Any) -> Rounded:
        """A number that is given, so it has no error."""
        return Rounded(self.context.mpf(float(value)), self.context.mpf(0), self)

    def made(self, value: Any, error: Any, roundings: int = 1) -> Rounded:
        """The result of an operation: what came in, and its own rounding."""
        # 0 times something without a bound has none either: mpmath says nan.
        if abs(value) > self.largest or not error < self.infinity:
            return Rounded(value, self.infinity, self)
        own = roundings * self.unit * (abs(value) + error) + self.smallest
        return Rounded(value, error + own if value or error else error, self)

    def const(self, value: Fraction) -> Value:
        exact = self.exact.const(value)
        binary = value.denominator & (value.denominator - 1) == 0
        return Rounded(exact, self.unit * abs(exact) * (not binary), self)

    def diagonal(self, value: Value) -> Value:
        return value * self.eye(value.shape[-2]) if np.ndim(value) else value

    def inverse(self, value: Value) -> Value:
        one = self.one
        return self.map(lambda x: one / x, value)

    def div(self, left: Value, right: Value) -> Value:
        return left / right

    def exp(self, value: Value) -> Value:
        return self.map(self._exp, value)

    def log(self, value: Value) -> Value:
        return self.map(self._log, value)

    def sqrt(self, value: Value) -> Value:
        return self.map(self._sqrt, value)

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        return self.map(lambda x: self._step(x, at_zero), value)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        nothing = self.const(Fraction(0))
        return self.map(
            lambda x: x if x.value > 0 else Rounded(nothing.value, x.error, self), value
        )

    def is_zero(self, value: Value) -> bool:
        return all(x.value == 0 for x in np.ravel(np.asarray(value, dtype=object)))

    def _exp(self, x: Rounded) -> Rounded:
        value = self.context.exp(x.value)
        if x.error > 1:
            return self.made(value, self.infinity)
        return self.made(value, value * self.context.expm1(x.error), 2)

    def _smooth(self, x: Rounded, value: Any, slope: Callable[[Any], Any]) -> Rounded:
        """A function whose slope is largest, within the error of x, at what is nearest to 0."""
        size = abs(x.value) - x.error
        return self.made(value, x.error * slope(size if size > 0 else self.context.mpf(0)), 2)

    def _tanh(self, x: Rounded) -> Rounded:
        context = self.context
        return self._smooth(x, context.tanh(x.value), lambda a: context.sech(a) ** 2)

    def _sigma(self, x: Rounded) -> Rounded:
        context = self.context
        # 1 / (1 + e^-x) with both signs at hand: nothing cancels.
        small = context.exp(-abs(x.value))
        value = (1 if x.value >= 0 else small) / (1 + small)
        found = self._smooth(x, value, lambda a: 1 / (2 * context.cosh(a / 2)) ** 2)
        # Some compute it as (1 + tanh(x/2))/2, which leaves few digits of what is near 0.
        return Rounded(value, found.error + self.unit, self)

    def _softplus(self, x: Rounded) -> Rounded:
        context = self.context
        small = context.log1p(context.exp(-abs(x.value)))
        value = small + (x.value if x.value > 0 else 0)
        slope = 1 / (1 + context.exp(-(x.value + x.error)))
        return self.made(value, x.error * slope, 3)

    # As everybody computes them, so that exp does not overflow.

    def _shifted(self, column: Value) -> tuple[Value, Rounded]:
        largest = max(np.ravel(np.asarray(column, dtype=object)), key=lambda x: x.value)
        none = self.const(Fraction(0))
        return self.map(
            lambda x: self._exp(none if x is largest else x + -largest), column
        ), largest

    def _softmax(self, column: Value) -> Value:
        powers, _ = self._shifted(column)
        return powers / self.total(powers)

    def _logsumexp(self, column: Value) -> Value:
        powers, largest = self._shifted(column)
        return self.map(lambda total: self._log(total) + largest, self.total(powers))

    def _log(self, x: Rounded) -> Rounded:
        if not x.value > 0:
            raise OutsideDomain("log of a number that is not positive")
        least = x.value - x.error
        value = self.context.log(x.value)
        return self.made(value, x.error / least if least > 0 else self.infinity, 2)

    def _sqrt(self, x: Rounded) -> Rounded:
        if x.value < 0:
            raise OutsideDomain("sqrt of a negative number")
        value, least = self.context.sqrt(x.value), x.value - x.error
        if x.error == 0:
            return self.made(value, x.error)
        # √x - √(x - e) = e / (√x + √(x - e)); below 0 there is no root.
        error = self.infinity if least < 0 else x.error / (value + self.context.sqrt(least))
        return self.made(value, error)

    def _step(self, x: Rounded, at_zero: Fraction | None) -> Rounded:
        if x.value == 0 and at_zero is None:
            raise at_kink()
        found = self.const(Fraction(int(x.value > 0)) if x.value else at_zero or Fraction(0))
        # Computed, it may lie on the other side of the kink.
        return found if abs(x.value) > x.error or not x.error else self.made(found.value, 1)


@dataclass(frozen=True)
class Bounded:
    """A derived gradient in many digits, and what rounding may add to each of its entries.

    Attributes:
        values, errors: by name, in the shapes of what they belong to; mpmath numbers.
    """

    values: GradientValues
    errors: dict[str, Array]


def bounded_gradient(
    run: Run, *, digits: int | None = None, dtype: DType = np.float64, wrt_inputs: bool = True
) -> Bounded:
    """The derived gradient of a run, and the rounding errors of a dtype or of so many digits.

    The bound belongs to the order of operations of symgrad's own program; another order may
    err a few times as much.

    Raises:
        OutsideDomain, ZeroDivisionError: there is no gradient at these values.
    """
    algebra = RunningErrors(digits, dtype)
    gradient = backward(run.cell, run.objective)
    program = gradient.with_signal_adjoints(*(x.name for x in run.cell.inputs))
    convert: Any = np.frompyfunc(algebra.number, 1, 1)
    values = run.values(lambda array: np.asarray(convert(array), dtype=object))
    trace = Runner(program, algebra).run(values, run.horizon)
    found: dict[str, dict[str, Array]] = {"params": {}, "initial": {}, "inputs": {}}
    for name, like in run.params.items():
        found["params"][name] = _like(trace.totals[name], like)
    for name, like in run.initial.items():
        found["initial"][name] = _like(trace.values[f"lam_{name}", 0], like)
    for name, like in run.inputs.items() if wrt_inputs else ():
        entries = np.empty(like.shape, dtype=object)
        for time in range(run.horizon):
            entries[time] = _like(trace.values[f"lam_{name}", time + 1], like[time])[()]
        found["inputs"][name] = entries
    value: Any = np.frompyfunc(lambda x: x.value, 1, 1)
    error: Any = np.frompyfunc(lambda x: x.error, 1, 1)

    def parts(group: str, of: Any) -> dict[str, Any]:
        return {name: np.asarray(of(array), dtype=object) for name, array in found[group].items()}

    exact = GradientValues(
        parts("params", value),
        parts("initial", value),
        parts("inputs", value) if wrt_inputs else None,
        None,
    )
    errors = {name: array for group in found for name, array in parts(group, error).items()}
    return Bounded(exact, _at_least_one_rounding(algebra, exact, errors))


def _at_least_one_rounding(
    algebra: RunningErrors, exact: GradientValues, errors: Mapping[str, Array]
) -> dict[str, Array]:
    """Bounds for others, who may round where symgrad's own program does not.

    An entry that is exactly 0 there may be a - a in another, so it is allowed one rounding of
    the largest entry of the gradient; any other entry one of its own.
    """
    values = {**exact.params, **exact.initial, **(exact.inputs or {})}
    largest = max((abs(v) for array in values.values() for v in np.ravel(array)), default=0)

    def bound(error: Any, value: Any) -> Any:
        return max(error, algebra.unit * (abs(value) or largest))

    least: Any = np.frompyfunc(bound, 2, 1)
    return {
        name: np.asarray(least(array, values[name]), dtype=object) for name, array in errors.items()
    }


def _like(found: Value, like: Any) -> Array:
    """A matrix or a number in the shape of what it belongs to."""
    array = np.empty(np.shape(like), dtype=object)
    array[...] = found if not np.shape(found) else np.reshape(found, np.shape(like))
    return array
