"""Derivatives along a run, by dual numbers: what the names on the left of equations mean.

``dq_T/dθ``, ``dq_T/ds_k``, ``∂⁺q_t/∂θ`` and path-restricted derivatives are evaluated by
propagating tangents through the forward program. No derivation is used, so a formula
that agrees was derived right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from symgrad.lang.algebra import Algebra, Value, as_matrix, is_array
from symgrad.lang.nodes import Node, Param, Signal
from symgrad.lang.program import Inputs, Program
from symgrad.lang.tape import Environment, tape_of
from symgrad.verify.dual import Calls, Dual, Pair, dual_of

Kind = Literal["total", "immediate", "restricted"]


@dataclass(frozen=True)
class Source:
    """Where a tangent enters: a parameter (time None), or a signal at a time.

    ``every``: in an array a direction for each of its entries, column after column; tangents are
    then stacked, one direction above the other, in an axis before rows and columns.
    """

    label: str
    time: int | None
    every: bool


class Forward:
    """A forward run with tangents on demand, as far as they are asked for."""

    def __init__(
        self,
        program: Program,
        algebra: Algebra,
        inputs: Inputs,
        *,
        entries: Calls | None = None,
        initial_tangents: Mapping[str, Value] | None = None,
    ) -> None:
        self.program = program
        self.algebra = algebra
        self.inputs = inputs
        self.dual = Dual(algebra, entries) if entries else dual_of(algebra)
        # For derivatives with respect to parameters over a window of time that does not
        # begin at 0: the tangents that the states bring along.
        self.initial_tangents = dict(initial_tangents or {})
        (sweep, *_) = program.sweeps
        self.targets = [equation.target for equation in sweep.equations]
        # One tape per equation: a tangent may enter at any signal on the way.
        self.tapes = [tape_of([equation.value], self.dual) for equation in sweep.equations]
        self._runs: dict[tuple[Source, Kind, tuple[str, ...]], _Tangents] = {}

    def tangents(
        self, source: Source, kind: Kind = "total", along: tuple[str, ...] = ()
    ) -> _Tangents:
        key = (source, kind, along)
        if key not in self._runs:
            self._runs[key] = _Tangents(self, source, kind, along)
        return self._runs[key]

    def jacobian(
        self,
        of: tuple[str, int],
        wrt: Node,
        wrt_time: int | None,
        kind: Kind,
        along: tuple[str, ...],
    ) -> Value:
        """The derivative of a signal at a time; columns run over the entries of ``wrt``."""
        label = wrt.label if isinstance(wrt, Signal) else _param_name(wrt)
        every = is_array(self.value_of(label, wrt_time))
        found = self.tangents(Source(label, wrt_time, every=every), kind, along).at(*of)
        return np.concatenate(list(found), axis=-1) if every else found

    def gradient(
        self,
        weights: Mapping[tuple[str, int], Value],
        wrt: Node,
        wrt_time: int | None,
        penalty: Node | None = None,
    ) -> Value:
        """Σ ⟨weight, derivative of the signal⟩, in the shape of ``wrt``.

        ``penalty``: a formula in the parameters alone whose derivative is added.
        """
        label = wrt.label if isinstance(wrt, Signal) else _param_name(wrt)
        value = self.value_of(label, wrt_time)
        tangents = self.tangents(Source(label, wrt_time, every=is_array(value)))
        total = self.algebra.const(Fraction(0))
        for (name, time), weight in weights.items():
            part = self.algebra.mul(weight, tangents.at(name, time))
            total = self.algebra.add(total, self.algebra.total(part))
        if penalty is not None and wrt_time is None:
            env = Environment(tangents.params, self._no_signal, {}, self.inputs.sizes)
            slope = tangents.of(tape_of([penalty], self.dual).run(env)[0])
            total = self.algebra.add(total, slope)
        if not is_array(value):
            return total
        rows, columns = value.shape[-2:]
        result = self.algebra.zeros(rows, columns)
        for c, r in np.ndindex(columns, rows):
            result[r, c] = total[c * rows + r, 0, 0] if is_array(total) else total
        return result

    def value_of(self, label: str, time: int | None) -> Value:
        if time is None:
            return self.inputs.params[label]
        if time == 0 and label in self.inputs.initial:
            return self.inputs.initial[label]
        if label in [target.label for target in self.targets]:
            shape = next(t.shape for t in self.targets if t.label == label)
            if not any(is_array(v) for v in self.inputs.initial.values()):
                return self.algebra.const(Fraction(0))
            return self.algebra.zeros(*(size.value(self.inputs.sizes) for size in shape))
        return self.inputs.signals(label, time)

    @staticmethod
    def _no_signal(label: str, time: int) -> Value:
        raise KeyError(f"{label} at {time} in what depends on parameters alone")

    def unit(self, like: Value, *, every: bool) -> Value:
        """1, or for an array a stack of matrices with a single 1, one for each entry."""
        if not every:
            return self.algebra.one
        rows, columns = like.shape[-2:]
        directions = [self.algebra.zeros(rows, columns) for _ in range(rows * columns)]
        for direction, (c, r) in zip(directions, np.ndindex(columns, rows), strict=True):
            direction[r, c] = self.algebra.one
        return np.stack(directions)


def _param_name(node: Node) -> str:
    if not isinstance(node, Param):
        raise TypeError(f"cannot differentiate with respect to {node!r}")
    return node.name


class _Tangents:
    """The tangents of all signals for one source, computed step by step as far as asked."""

    def __init__(self, owner: Forward, source: Source, kind: Kind, along: tuple[str, ...]) -> None:
        self.owner = owner
        self.source = source
        self.kind = kind
        self.along = along
        self.pairs: dict[tuple[str, int], Pair] = {}
        self.done = 0
        like = owner.value_of(source.label, source.time) if source.every else None
        self.directions = like.shape[-2] * like.shape[-1] if like is not None else 0
        dual, inputs = owner.dual, owner.inputs
        self.params = {name: Pair(value) for name, value in inputs.params.items()}
        if source.time is None:
            value = inputs.params[source.label]
            self.params[source.label] = Pair(value, owner.unit(value, every=source.every))
        for name, value in inputs.initial.items():
            pair = Pair(value)
            if (name, 0) == (source.label, source.time):
                pair = Pair(value, owner.unit(value, every=source.every))
            elif source.time is None and kind == "total" and name in owner.initial_tangents:
                pair = Pair(value, owner.initial_tangents[name])
            self.pairs[name, 0] = pair
        self.dual = dual

    def at(self, label: str, time: int) -> Value:
        while self.done < time:
            self._step(self.done + 1)
        return self.of(self._read(label, time))

    def of(self, pair: Pair) -> Value:
        """The tangent of a pair, in all directions even if it is zero."""
        found = self.dual.tangent(pair)
        if self.directions and np.ndim(found) < 3:
            matrix = as_matrix(found)
            found = np.broadcast_to(matrix, (self.directions, *matrix.shape))
        return found

    def value(self, label: str, time: int) -> Value:
        while self.done < time:
            self._step(self.done + 1)
        return self._read(label, time).value

    def _read(self, label: str, time: int) -> Pair:
        found = self.pairs.get((label, time))
        if found is None:
            value = self.owner.inputs.signals(label, time)
            found = Pair(value)
            if (label, time) == (self.source.label, self.source.time):
                found = Pair(value, self.owner.unit(value, every=self.source.every))
            self.pairs[label, time] = found
        return found

    def _step(self, time: int) -> None:
        inputs = self.owner.inputs
        start = (self.source.label, self.source.time)

        def signal(label: str, when: int) -> Pair:
            pair = self._read(label, when)
            # Immediate: what step t received from earlier steps is held fixed.
            if self.kind == "immediate" and when < time:
                return pair if (label, when) == start else Pair(pair.value)
            return pair

        env = Environment(self.params, signal, {"t": time}, inputs.sizes)
        for target, tape in zip(self.owner.targets, self.owner.tapes, strict=True):
            pair: Pair = tape.run(env)[0]
            if self.kind == "restricted" and target.label not in self.along:
                pair = Pair(pair.value)
            if (target.label, time) == (self.source.label, self.source.time):
                unit = self.owner.unit(pair.value, every=self.source.every)
                tangent = (
                    unit if pair.tangent is None else self.owner.algebra.add(pair.tangent, unit)
                )
                pair = Pair(pair.value, tangent)
            self.pairs[target.label, time] = pair
        self.done = time
