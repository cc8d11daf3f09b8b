"""The straight-line program of a gradient for a given T: named values, one operation list.

The equations of the sweeps at concrete times, with a name for every part that is used
more than once within a step. Its length is linear in T: nothing is substituted into
anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.errors import UsageError
from symgrad.lang.affine import as_affine
from symgrad.lang.counting import operations
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Name,
    Node,
    Power,
    Signal,
    full,
    name,
    signals_in,
    substitute_indices,
    transform,
    walk,
)
from symgrad.lang.program import Program, Sweep, at_last_step, before_last_step


@dataclass(frozen=True)
class Assignment:
    """``target = value`` where everything in ``value`` is given or assigned before."""

    target: Node  # a signal at a number, or a name
    value: Node


@dataclass(frozen=True)
class StraightLine:
    """A program without loops.

    Attributes:
        assignments: in the order of evaluation.
        results: the accumulated gradients by parameter, weight decay included.
    """

    horizon: int
    assignments: tuple[Assignment, ...]
    results: dict[str, Node]

    @property
    def operations(self) -> int:
        """How many operations it does."""
        return sum(operations([a.value]) for a in self.assignments)

    def without_unused(self, *wanted: Node) -> StraightLine:
        """Only what the wanted values need."""
        needed: set[Node] = set(wanted) | {n for n in walk(*wanted) if isinstance(n, Signal | Name)}
        kept: list[Assignment] = []
        for assignment in reversed(self.assignments):
            if assignment.target in needed:
                kept.append(assignment)
                needed.update(n for n in walk(assignment.value) if isinstance(n, Signal | Name))
        return StraightLine(self.horizon, tuple(reversed(kept)), self.results)


def straight_line(program: Program, horizon: int) -> StraightLine:
    """Unroll the sweeps of a program over T = horizon steps.

    Raises:
        UsageError: the horizon is not a nonnegative integer.
    """
    if not isinstance(horizon, int) or isinstance(horizon, bool) or horizon < 0:
        raise UsageError(f"T={horizon!r} must be a nonnegative integer")
    writer = _Writer(horizon)
    for sweep in program.sweeps:
        writer.sweep(sweep)
    return StraightLine(horizon, tuple(writer.lines), writer.results)


class _Writer:
    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self.lines: list[Assignment] = []
        self.results: dict[str, Node] = {}
        self.count = 0

    def sweep(self, sweep: Sweep) -> None:
        forward = sweep.direction == 1
        for accumulator in sweep.accumulators:
            if accumulator.start is not None:
                self.results[accumulator.name] = accumulator.start
        steps = range(1, self.horizon + 1) if forward else range(self.horizon, 0, -1)
        for time in steps:
            self._step(sweep, time, forward)
        if not forward:
            for equation in sweep.at_start:
                value = self._version(equation.value, 0, last=self.horizon == 0)
                self.lines.append(Assignment(equation.target, value))
        for accumulator in sweep.accumulators:
            self.results.setdefault(accumulator.name, full("zeros", accumulator.term.shape))

    def _version(self, value: Node, time: int, *, last: bool) -> Node:
        """The right-hand side at a number; what comes back from T + 1 is zero."""
        chosen = at_last_step(value) if last else before_last_step(value)
        at = {"t": as_affine(time), "T": as_affine(self.horizon)}
        return substitute_indices(chosen, at)

    def _step(self, sweep: Sweep, time: int, forward: bool) -> None:
        last = not forward and time == self.horizon
        targets: list[Node] = [e.target.at(time) for e in sweep.equations]
        values = [self._at(e.value, time, last, forward) for e in sweep.equations]
        sums: list[tuple[str, Node]] = []
        for accumulator in sweep.accumulators:
            sums.append((accumulator.name, self._at(accumulator.term, time, last, forward)))
        values += [term for _, term in sums]
        shared = _shared(values)
        known: dict[Node, Node] = {}
        for target, value in zip(targets, values, strict=False):
            self.lines.append(Assignment(target, self._named(value, shared, known)))
        for key, term in sums:
            self._accumulate(key, self._named(term, shared, known), time)

    def _at(self, value: Node, time: int, last: bool, forward: bool) -> Node:
        if forward:
            return substitute_indices(value, {"t": as_affine(time)})
        return self._version(value, time, last=last)

    def _accumulate(self, key: str, term: Node, time: int) -> None:
        before = self.results.get(key)
        if before is None and term is full("zeros", term.shape):
            return
        total = term if before is None else OPERATORS["add"](before, term)
        if total is before:
            return
        target = name(f"grad_{key}_{time}", term.shape)
        self.lines.append(Assignment(target, total))
        self.results[key] = target

    def _named(self, value: Node, shared: set[Node], known: dict[Node, Node]) -> Node:
        """The value with shared parts by name; their assignments are written first."""
        for part in walk(value):
            if part in shared and part not in known and part is not value:
                written = transform(part, lambda n: known.get(n, n))
                self.count += 1
                known[part] = name(f"v{self.count}", part.shape)
                self.lines.append(Assignment(known[part], written))
        return transform(value, lambda n: known.get(n, n))


def _shared(values: list[Node]) -> set[Node]:
    """Parts that cost something and are used more than once."""
    uses: dict[Node, int] = {}
    for node in walk(*values):
        for argument in set(node.args):
            uses[argument] = uses.get(argument, 0) + 1
    for value in values:
        uses[value] = uses.get(value, 0) + 1
    return {
        node
        for node, count in uses.items()
        if count > 1 and isinstance(node, Apply | Power) and signals_in(node) and operations([node])
    }
