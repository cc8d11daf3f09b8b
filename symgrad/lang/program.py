"""Programs: ordered sweeps of named equations over time, forwards or backwards.

A forward sweep runs t = 1..T and reads signals at lag -1; a backward sweep runs
t = T..1 and reads adjoints at lag +1, which are zero at T + 1. Nothing is ever
substituted into one expression: a program has the same few equations for every T,
and evaluating it costs one pass over them per time step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.environment import Kept
from symgrad.lang.nodes import Iverson, Node, Param, Signal, const, full, transform
from symgrad.lang.tape import Environment, tape_of


@dataclass(frozen=True, slots=True)
class Equation:
    """``target = value`` at the generic time ``t``."""

    target: Signal
    value: Node


@dataclass(frozen=True, slots=True)
class Accumulator:
    """``start + Σ_{t=1}^{T} term``: the gradient with respect to the parameter ``name``.

    ``start`` does not depend on time (the part of weight decay); None is zero.
    """

    name: str
    term: Node
    start: Node | None = None


@dataclass(frozen=True)
class Sweep:
    """One pass over time.

    Attributes:
        direction: +1 for t = 1..T, -1 for t = T..1.
        equations: in the order of evaluation at one time.
        at_start: for a backward sweep, the equations at t = 0, evaluated after t = 1.
        accumulators: sums over t of a term, collected on the way.
    """

    direction: Literal[1, -1]
    equations: tuple[Equation, ...]
    at_start: tuple[Equation, ...] = ()
    accumulators: tuple[Accumulator, ...] = ()


@dataclass(frozen=True)
class Program:
    """Sweeps in order, the parameters they use and the states given at time 0."""

    sweeps: tuple[Sweep, ...]
    params: tuple[Param, ...]
    inputs: tuple[Signal, ...]
    states: tuple[Signal, ...]


def at_last_step(value: Node) -> Node:
    """The right-hand side at t = T: what would come back from T + 1 is zero."""

    def vanish(item: Node) -> Node:
        if isinstance(item, Signal) and item.adjoint and item.time.const == 1:
            return full("zeros", item.shape)
        return const(1) if isinstance(item, Iverson) else item

    return transform(value, vanish)


def before_last_step(value: Node) -> Node:
    """The right-hand side for t < T: the bracket ``[t = T]`` is zero."""
    return transform(value, lambda item: const(0) if isinstance(item, Iverson) else item)


@dataclass
class Inputs:
    """Values for one run.

    Attributes:
        params: by name. In the vector reading arrays of shape (rows, columns).
        initial: value of each state at time 0, by name.
        signals: the given signals (inputs, per-step loss gradients), from name and time.
        sizes: n, m, … (not needed in the scalar reading).
    """

    params: Mapping[str, Value]
    initial: Mapping[str, Value]
    signals: Callable[[str, int], Value]
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Trace:
    """Every value of a run: signals by (label, time), accumulated sums by name.

    ``kept``: parts of sums and products of formulas over this run.
    """

    inputs: Inputs
    horizon: int
    values: dict[tuple[str, int], Value]
    totals: dict[str, Value]
    kept: Kept = field(default_factory=dict)

    def signal(self, label: str, time: int) -> Value:
        """A computed value, an initial state or a given signal."""
        found = self.values.get((label, time))
        if found is None:
            if time == 0 and label in self.inputs.initial:
                return self.inputs.initial[label]
            return self.inputs.signals(label, time)
        return found

    def environment(self, **indices: int) -> Environment:
        """Where formulas over this run can be evaluated."""
        return Environment(
            self.inputs.params,
            self.signal,
            {"T": self.horizon, **indices},
            self.inputs.sizes,
        )


class Runner:
    """A program made ready for one algebra; ``run`` may be called for many T and inputs."""

    def __init__(self, program: Program, algebra: Algebra) -> None:
        self.program = program
        self.algebra = algebra
        self._sweeps = [_CompiledSweep(sweep, algebra) for sweep in program.sweeps]

    def run(self, inputs: Inputs, horizon: int) -> Trace:
        trace = Trace(inputs, horizon, {}, {})
        for sweep in self._sweeps:
            sweep.run(trace)
        return trace


class _CompiledSweep:
    def __init__(self, sweep: Sweep, algebra: Algebra) -> None:
        self.sweep = sweep
        self.algebra = algebra
        self.labels = [equation.target.label for equation in sweep.equations]
        self.start_labels = [equation.target.label for equation in sweep.at_start]
        if sweep.direction == 1:
            self.generic = self.last = self._tape(_as_it_is)
        else:
            self.generic = self._tape(before_last_step)
            self.last = self._tape(at_last_step)
            self.start = tape_of([before_last_step(e.value) for e in sweep.at_start], algebra)
            self.start_last = tape_of([at_last_step(e.value) for e in sweep.at_start], algebra)

    def _tape(self, version: Callable[[Node], Node]) -> _StepTape:
        return _StepTape(self.sweep, self.algebra, version)

    def run(self, trace: Trace) -> None:
        horizon = trace.horizon
        env = trace.environment()
        forward = self.sweep.direction == 1
        for time in range(1, horizon + 1) if forward else range(horizon, 0, -1):
            env.indices["t"] = time
            tape = self.last if time == horizon else self.generic
            tape.run(trace, env, time)
        if not forward and self.start_labels:
            env.indices["t"] = 0
            results = (self.start_last if horizon == 0 else self.start).run(env)
            for label, value in zip(self.start_labels, results, strict=True):
                trace.values[label, 0] = value
        for accumulator in self.sweep.accumulators:
            name, shape = accumulator.name, accumulator.term.shape
            if name not in trace.totals:
                trace.totals[name] = tape_of([full("zeros", shape)], self.algebra).run(env)[0]
            if accumulator.start is not None:
                start = tape_of([accumulator.start], self.algebra).run(env)[0]
                trace.totals[name] = self.algebra.add(start, trace.totals[name])


def _as_it_is(value: Node) -> Node:
    return value


@lru_cache(maxsize=512)
def _step_roots(sweep: Sweep, version: Callable[[Node], Node]) -> tuple[Node, ...]:
    """The right-hand sides of a step in what is given to it, then the terms of its sums.

    Within a step an equation reads earlier results by substitution of their nodes: a tape then
    shares them, and no dictionary is asked. The same for every algebra, so it is made once.
    """
    known: dict[Signal, Node] = {}

    def resolve(item: Node) -> Node:
        return known.get(item, item) if isinstance(item, Signal) else item

    roots: list[Node] = []
    for equation in sweep.equations:
        value = transform(version(equation.value), resolve)
        roots.append(value)
        known[equation.target] = value
    for accumulator in sweep.accumulators:
        roots.append(transform(version(accumulator.term), resolve))
    return tuple(roots)


class _StepTape:
    """The equations of one time step; an equation may read the targets before it."""

    def __init__(self, sweep: Sweep, algebra: Algebra, version: Callable[[Node], Node]) -> None:
        self.algebra = algebra
        self.labels = [equation.target.label for equation in sweep.equations]
        self.names = [accumulator.name for accumulator in sweep.accumulators]
        self.tape = tape_of(_step_roots(sweep, version), algebra)

    def run(self, trace: Trace, env: Environment, time: int) -> None:
        results = self.tape.run(env)
        count = len(self.labels)
        for label, value in zip(self.labels, results, strict=False):
            trace.values[label, time] = value
        for name, term in zip(self.names, results[count:], strict=True):
            before = trace.totals.get(name)
            trace.totals[name] = term if before is None else self.algebra.add(before, term)
