"""Forward-mode derivatives by dual numbers: an oracle that reads no table of derivatives.

A value carries its tangent. The ring operations propagate it, ``exp`` by dE = E dx, and
every other function through its definition, so a derivative obtained here is
independent of the reverse sweep and of the table it reads. (Griewank and Walther,
Evaluating Derivatives, 2nd ed., section 3.1.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np

from symgrad.lang.algebra import Algebra, Value, as_matrix

#: Proved derivatives by name: the call as an atom, its slope from its value and its argument.
Calls = Mapping[str, tuple[Callable[[Value], Value], Callable[[Value, Value], Value]]]


@dataclass(slots=True)
class Pair:
    """A value and its tangent; ``None`` is a tangent of zero."""

    value: Value
    tangent: Value | None = None

    @property
    def shape(self) -> Any:
        # Numbers of no library have none; ``np.shape`` says the same ten times slower.
        return getattr(self.value, "shape", ())

    @property
    def ndim(self) -> int:
        return np.ndim(self.value)


class Dual(Algebra):
    """Dual numbers over another algebra.

    ``entries`` may give, by name, a proved derivative ``(value of the call, its argument) ->
    partial``; such a call is then an atom of the base algebra instead of its definition.
    """

    def __init__(
        self,
        base: Algebra,
        entries: Calls | None = None,
    ) -> None:
        self.base = base
        bounds = getattr(base, "dual_calls", None)
        self.direct: Mapping[str, Callable[[Value], Value]] = (
            bounds(Pair)
            if bounds
            else {
                name: self._entry(call, partial)
                for name, (call, partial) in (entries or {}).items()
            }
        )

    def _entry(
        self, call: Callable[[Value], Value], partial: Callable[[Value, Value], Value]
    ) -> Callable[[Value], Value]:
        def apply(argument: Pair) -> Pair:
            value = call(argument.value)
            if argument.tangent is None:
                return Pair(value)
            slope = partial(value, argument.value)
            return Pair(value, self.base.mul(slope, argument.tangent))

        return apply

    def const(self, value: Fraction) -> Value:
        return Pair(self.base.const(value))

    def index(self, value: Any) -> Value:
        return Pair(self.base.index(value))

    def share(self, size: Any) -> Value:
        return Pair(self.base.share(size))

    def _linear(self, operation: Callable[[Value], Value], pair: Pair) -> Pair:
        tangent = None if pair.tangent is None else operation(pair.tangent)
        return Pair(operation(pair.value), tangent)

    def add(self, left: Value, right: Value) -> Value:
        plus = self.base.add
        one, other = left.value, right.value
        # Plain numbers are all of one shape.
        array = isinstance(one, np.ndarray) or isinstance(other, np.ndarray)
        if array and left.shape != right.shape:
            left, right = self._widen(left, right)
        first, second = left.tangent, right.tangent
        if first is None or second is None:
            return Pair(plus(one, other), second if first is None else first)
        return Pair(plus(one, other), plus(first, second))

    def _widen(self, left: Pair, right: Pair) -> tuple[Pair, Pair]:
        """Broadcast both tangents to the shape of the sum, so that they add entry by entry."""
        total = self.base.add(left.value, right.value)
        zero = self.base.mul(total, self.base.const(Fraction(0)))

        def wide(pair: Pair) -> Pair:
            if pair.tangent is None:
                return pair
            return Pair(pair.value, self.base.add(zero, pair.tangent))

        return wide(left), wide(right)

    def neg(self, value: Value) -> Value:
        return self._linear(self.base.neg, value)

    def _bilinear(self, operation: Callable[[Value, Value], Value], a: Pair, b: Pair) -> Pair:
        one, other = a.value, b.value
        if a.tangent is None:
            second = None if b.tangent is None else operation(one, b.tangent)
            return Pair(operation(one, other), second)
        first = operation(a.tangent, other)
        if b.tangent is not None:
            first = self.base.add(first, operation(one, b.tangent))
        return Pair(operation(one, other), first)

    def mul(self, left: Value, right: Value) -> Value:
        return self._bilinear(self.base.mul, left, right)

    def matmul(self, left: Value, right: Value) -> Value:
        return self._bilinear(self.base.matmul, left, right)

    def transpose(self, value: Value) -> Value:
        return self._linear(self.base.transpose, value)

    def total(self, value: Value) -> Value:
        return self._linear(self.base.total, value)

    def diagonal(self, value: Value) -> Value:
        return self._linear(self.base.diagonal, value)

    def filled(self, rows: int, columns: int, value: Fraction) -> Value:
        return Pair(self.base.filled(rows, columns, value))

    def eye(self, size: int) -> Value:
        return Pair(self.base.eye(size))

    def inverse(self, value: Value) -> Value:
        inverse = self.base.inverse(value.value)
        if value.tangent is None:
            return Pair(inverse)
        slope = self.base.neg(self.base.mul(inverse, inverse))
        return Pair(inverse, self.base.mul(slope, value.tangent))

    def div(self, left: Value, right: Value) -> Value:
        return self.mul(left, self.inverse(right))

    def through(self, name: str, definition: Callable[..., Value], argument: Value) -> Value:
        return self.base.through(name, lambda base, x: definition(self, x), argument)

    def exp(self, value: Value) -> Value:
        result = self.base.exp(value.value)
        if value.tangent is None:
            return Pair(result)
        return Pair(result, self.base.mul(result, value.tangent))

    # The inverse of exp, the root of a square: what their definitions say of a tangent.

    def log(self, value: Value) -> Value:
        result = self.base.log(value.value)
        if value.tangent is None:
            return Pair(result)
        return Pair(result, self.base.div(value.tangent, value.value))

    def sqrt(self, value: Value) -> Value:
        result = self.base.sqrt(value.value)
        if value.tangent is None:
            return Pair(result)
        twice = self.base.add(result, result)
        return Pair(result, self.base.div(value.tangent, twice))

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        return Pair(self.base.step(value.value, at_zero))

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        result = self.base.positive_part(value.value, at_zero)
        if value.tangent is None:
            return Pair(result)
        return Pair(result, self.base.mul(self.base.step(value.value, at_zero), value.tangent))

    def opaque(self, name: str, order: int, value: Value) -> Value:
        result = self.base.opaque(name, order, value.value)
        if value.tangent is None:
            return Pair(result)
        slope = self.base.opaque(name, order + 1, value.value)
        return Pair(result, self.base.mul(slope, value.tangent))

    def part(self, value: Value, start: tuple[int, int], shape: tuple[int, int]) -> Value:
        return self._linear(lambda entries: self.base.part(entries, start, shape), value)

    def blocks(self, rows: list[list[Value]]) -> Value:
        value = self.base.blocks([[pair.value for pair in row] for row in rows])
        if all(pair.tangent is None for row in rows for pair in row):
            return Pair(value)
        tangents = [[self.tangent(pair) for pair in row] for row in rows]
        stacked = [t for row in tangents for t in row if np.ndim(t) > 2]
        if stacked:
            # Zeros among tangents in many directions.
            many = stacked[0].shape[:-2]
            matrices = [[as_matrix(t) for t in row] for row in tangents]
            tangents = [[np.broadcast_to(t, many + t.shape[-2:]) for t in row] for row in matrices]
        return Pair(value, self.base.blocks(tangents))

    def tangent(self, pair: Pair) -> Value:
        """The tangent as a value of the base algebra."""
        if pair.tangent is None:
            return self.base.mul(pair.value, self.base.const(Fraction(0)))
        return pair.tangent


def dual_of(algebra: Algebra) -> Dual:
    """The dual numbers over an algebra, made once and kept with it, and their tapes with them."""
    found = algebra.tapes.get(Dual)
    if found is None:
        found = algebra.tapes[Dual] = Dual(algebra)
    return cast(Dual, found)
