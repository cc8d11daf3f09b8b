"""The truth to 60 digits, from differences of the forward pass: no derivative is known here.

It decides about formulas that were not refuted: a mutant that it cannot tell from the truth
at several random points, T and sizes is equivalent to it; one that it can was missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from symgrad.lang.algebra import Multiprecision, Value, is_array
from symgrad.lang.nodes import Derivative, Name, Node, Param, Signal, signal
from symgrad.lang.program import Equation, Inputs, Program, Runner, Sweep, Trace
from symgrad.lang.tape import Environment, Tape
from symgrad.verify.claims import Scope
from symgrad.verify.formula import FormulaClaim
from symgrad.verify.oracles import Direction, high_precision_difference
from symgrad.verify.sampling import Sampler, digest
from symgrad.verify.special import special_claims
from symgrad.verify.witness import free_times

DIGITS = 60
_WORKING = 160


def told_apart(claim: FormulaClaim, scope: Scope, *, horizons: int = 4, points: int = 2) -> bool:
    """Whether the right side differs from the truth by more than 1e-60 of it, anywhere tried.

    Raises:
        NotImplementedError: the left side is nothing that differences can compute.
    """
    claims = [claim, *(special for _, special in special_claims(claim))]
    for at, sizes in product(claims, scope.sizes[-2:]):
        for horizon, seed in product(scope.horizons[:horizons], range(points)):
            if _Point(at, dict(sizes), horizon, seed, scope.scalar).differs():
                return True
    return False


def outside(claim: FormulaClaim, scope: Scope) -> bool:
    """Whether a side reads a signal before the initial state or after T, or has no value."""
    algebra = Multiprecision(20)
    sampler = Sampler(
        lambda label: algebra.const(Fraction(digest(0, label) % 1999 + 1, 1000)),
        dict(scope.sizes[0]),
        scalar=scope.scalar,
    )
    session = claim.session(algebra, sampler)
    for horizon in scope.horizons:
        try:
            session(horizon)
        except ZeroDivisionError:
            continue
        except (KeyError, ArithmeticError):
            return True
    return False


@dataclass
class _Point:
    """One run with random numbers between -2 and 2."""

    claim: FormulaClaim
    sizes: Mapping[str, int]
    horizon: int
    seed: int
    scalar: bool

    def __post_init__(self) -> None:
        self.algebra = Multiprecision(_WORKING)

        def source(label: str) -> Value:
            number = Fraction(digest(self.seed, label) % 4001 - 2000, 1000)
            return self.algebra.const(number or Fraction(1, 7))

        sampler = Sampler(source, self.sizes, scalar=self.scalar)
        self.inputs = sampler.inputs(self.claim.program, self.claim.given)
        for target, value in self.claim.imposed:
            env = Environment(self.inputs.params, self.inputs.signals, {})
            fixed = Tape([value], self.algebra).run(env)[0]
            self.inputs = replace(self.inputs, params={**self.inputs.params, target.name: fixed})
        program = self.claim.backward or self.claim.program
        self.trace = Runner(program, self.algebra).run(self.inputs, self.horizon)
        self.forward = Runner(self.claim.program, self.algebra).run(self.inputs, self.horizon)

    def differs(self) -> bool:
        for times in free_times(self.claim, self.horizon):
            env = self._environment(dict(times))
            try:
                left = self._truth(self.claim.left, env)
                (right,) = Tape([self.claim.right], self.algebra).run(env)
            except ZeroDivisionError:
                continue
            if not _same(left, right):
                return True
        return False

    def _environment(self, times: dict[str, int]) -> Environment:
        indices = {"T": self.horizon, **times}
        env = Environment(self.inputs.params, self.trace.signal, indices, self.sizes)
        env.named = lambda node: self._truth(node, env)
        return env

    def _truth(self, node: Node, env: Environment) -> Value:
        if not isinstance(node, Derivative):
            return Tape([node], self.algebra).run(env)[0]
        if node.kind == "immediate":
            raise NotImplementedError(f"{node!r}")
        wrt = node.wrt
        when = wrt.time.value(env.indices) if isinstance(wrt, Signal) else None
        if isinstance(node.of, Name):
            assert self.claim.weights is not None
            at_run = Environment(
                self.inputs.params, self.forward.signal, {"T": self.horizon}, self.sizes
            )
            weights = self.claim.weights(self.horizon, self.algebra, at_run)
            objective = partial(_weighted, weights)
            entries = self._slopes(objective, wrt, when, ())
            return _shaped(entries, self._like(wrt, when))
        assert isinstance(node.of, Signal)
        at = (node.of.label, node.of.time.value(env.indices))
        like = self.forward.signal(*at)
        rows = range(like.shape[0]) if is_array(like) else [None]
        columns = [self._slopes(partial(_entry, at, r), wrt, when, node.along) for r in rows]
        if not is_array(like):
            return columns[0][0]
        result = np.empty((len(columns), len(columns[0])), dtype=object)
        for r, c in np.ndindex(*result.shape):
            result[r, c] = columns[r][c]
        return result

    def _like(self, wrt: Node, when: int | None) -> Value:
        if isinstance(wrt, Param):
            return self.inputs.params[wrt.name]
        assert isinstance(wrt, Signal)
        assert when is not None
        return self.forward.signal(wrt.label, when)

    def _slopes(
        self, objective: Any, wrt: Node, when: int | None, along: tuple[str, ...]
    ) -> list[Value]:
        """d(objective) with respect to each entry, down the columns."""
        program, inputs = self._with_bumps(along)
        like = self._like(wrt, when)
        places: list[Any] = [None]
        if is_array(like):
            places = [(r, c) for c in range(like.shape[1]) for r in range(like.shape[0])]
        found = []
        for place in places:
            unit: Any = 1
            if place is not None:
                unit = np.zeros(like.shape, dtype=int)
                unit[place] = 1
            estimate = high_precision_difference(
                *(program, inputs, self.horizon, objective, self._direction(wrt, when, unit)),
                digits=4 * DIGITS,
                wanted=DIGITS,
            )
            found.append(estimate.value)
        return found

    def _direction(self, wrt: Node, when: int | None, unit: Any) -> Direction:
        if isinstance(wrt, Param):
            return Direction(params={wrt.name: unit})
        assert isinstance(wrt, Signal)
        assert when is not None
        if when == 0 and wrt.label in self.inputs.initial:
            return Direction(initial={wrt.label: unit})
        computed = {e.target.label for e in self.claim.program.sweeps[0].equations}
        label = f"bump_{wrt.label}" if wrt.label in computed else wrt.label
        return Direction(signals={(label, when): unit})

    def _with_bumps(self, along: tuple[str, ...]) -> tuple[Program, Inputs]:
        """The program with something added to each signal; what is not ``along`` is held."""
        (sweep, *_) = self.claim.program.sweeps
        equations = tuple(
            Equation(e.target, e.value + _bump(e.target))
            for e in sweep.equations
            if not along or e.target.label in along
        )
        program = replace(self.claim.program, sweeps=(Sweep(1, equations),))
        shapes = {e.target.label: self.forward for e in sweep.equations}

        def given(label: str, time: int) -> Value:
            if label.startswith("bump_") and label[5:] in shapes:
                like = self.forward.signal(label[5:], time)
                return like * 0
            if label in shapes:
                return self.forward.signal(label, time)
            return self.inputs.signals(label, time)

        return program, replace(self.inputs, signals=given)


def _bump(target: Signal) -> Signal:
    return signal(target.label, target.shape, target.time, "bump")


def _entry(at: tuple[str, int], row: int | None, trace: Trace) -> Value:
    value = trace.signal(*at)
    return value if row is None else value[row, 0]


def _weighted(weights: Mapping[tuple[str, int], Value], trace: Trace) -> Value:
    total: Value = 0
    for (label, time), weight in weights.items():
        part = weight * trace.signal(label, time)
        total = total + (part.sum() if is_array(part) else part)
    return total


def _shaped(entries: list[Value], like: Value) -> Value:
    if not is_array(like):
        return entries[0]
    result = np.empty(like.shape, dtype=object)
    places = [(r, c) for c in range(like.shape[1]) for r in range(like.shape[0])]
    for place, value in zip(places, entries, strict=True):
        result[place] = value
    return result


def _same(left: Value, right: Value) -> bool:
    first, second = np.broadcast_arrays(
        np.asarray(left, dtype=object), np.asarray(right, dtype=object)
    )
    for a, b in zip(first.ravel(), second.ravel(), strict=True):
        size = max(abs(a), abs(b))
        if size and abs(a - b) * 10 ** (DIGITS - 4) > size:
            return False
    return True
