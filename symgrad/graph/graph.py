"""The computation graph of T steps: one named node per signal and time, parameters shared.

Nothing is substituted into anything: an equation at time 3 is the equation at time t
with t = 3. What belongs to every step alike (which signals an equation reads, its
Jacobians) is worked out once for a generic step, so that everything here is linear in
T except the list of all paths, which is an iterator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import ClassVar, Literal

from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.lang.affine import Affine, as_affine, t
from symgrad.lang.display import Displayable
from symgrad.lang.nodes import Apply, Node, Param, Signal, signals_in, substitute_indices
from symgrad.lang.program import Equation
from symgrad.lang.text import text
from symgrad.ops.chain import jacobian

Role = Literal["input", "initial", "signal"]
_Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A signal at a concrete time: given from outside, given at time 0, or computed."""

    signal: Signal
    role: Role


@dataclass(frozen=True, slots=True)
class Edge:
    """``source`` stands in the equation of ``target``; ``jacobian`` = ∂target/∂source.

    The immediate Jacobian in numerator layout: everything else the equation reads is
    held fixed. Where the equation is an activation it is written with the target itself.
    """

    source: Signal
    target: Signal
    jacobian: Node


@dataclass(frozen=True, eq=False, repr=False)
class Graph(Displayable):
    """A cell unrolled over t = 1..T. ``str`` prints one equation a line."""

    display_kind: ClassVar[str] = "graph"

    cell: Cell
    T: int

    @property
    def parameters(self) -> tuple[Param, ...]:
        """The parameters: one node each, shared by all steps."""
        return self.cell.params

    @cached_property
    def nodes(self) -> tuple[GraphNode, ...]:
        """The initial states, then for each step its inputs and its signals in order."""
        found = [GraphNode(state.at(0), "initial") for state in self.cell.states]
        for time in range(1, self.T + 1):
            found += [GraphNode(entry.at(time), "input") for entry in self.cell.inputs]
            found += [GraphNode(entry.at(time), "signal") for entry in self.cell.signals]
        return tuple(found)

    @cached_property
    def equations(self) -> tuple[Equation, ...]:
        """One equation a computed node, all times concrete, in the order of evaluation."""
        return tuple(e for time in range(1, self.T + 1) for e in self.equations_at(time))

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Every edge, in the order of the equations.

        Raises:
            NotSupportedYet: an equation has no Jacobian with respect to a signal it reads.
        """
        return tuple(edge for time in range(1, self.T + 1) for edge in self.edges_at(time))

    def equations_at(self, time: int) -> tuple[Equation, ...]:
        """The equations of one step, 1 ≤ time ≤ T."""
        values = self._times(time)
        return tuple(
            Equation(e.target.at(time), substitute_indices(e.value, values))
            for e in self.cell.equations
        )

    def edges_at(self, time: int) -> tuple[Edge, ...]:
        """The edges that end in one step, 1 ≤ time ≤ T."""
        values = self._times(time)
        return tuple(
            Edge(
                edge.source.at(edge.source.time.substitute(values)),
                edge.target.at(time),
                substitute_indices(edge.jacobian, values),
            )
            for edge in self.step_edges
        )

    @cached_property
    def step_edges(self) -> tuple[Edge, ...]:
        """The edges that end in the generic step t."""
        return tuple(
            Edge(source, target, _local_jacobian(value, source, target))
            for target, value in ((e.target, e.value) for e in self.cell.equations)
            for source in signals_in(value)
        )

    def paths(
        self, source: Signal, target: Signal, along: Iterable[Signal | str] | None = None
    ) -> Iterator[tuple[Signal, ...]]:
        """Every path from ``source`` to ``target``, as its signals from first to last.

        ``along``: only paths whose signals between the two ends carry these names. There
        can be exponentially many paths; they are made one at a time, and no dead end is
        entered. A node has one path to itself.
        """
        start, end, names = self._ends(source, target, along)
        return self._paths(start, end, names)

    def count_paths(
        self, source: Signal, target: Signal, along: Iterable[Signal | str] | None = None
    ) -> int:
        """How many paths ``paths`` would yield, without making them: linear in T."""
        start, end, names = self._ends(source, target, along)
        return self._counts(end, start[1], names).get(start, 0)

    def __str__(self) -> str:
        head = f"{self.cell.name}, {self.cell.reading} reading, T = {self.T}"
        given = [text(n.signal) for n in self.nodes if n.role != "signal"]
        shared = [text(p) for p in self.parameters]
        lines = [f"{text(e.target)} = {text(e.value)}" for e in self.equations]
        return "\n".join(
            [head, f"given: {', '.join(given)}", f"shared: {', '.join(shared)}", *lines]
        )

    def __repr__(self) -> str:
        return f"unroll({self.cell.name!r} ({self.cell.reading}), T={self.T})"

    # ---- places: a node as the name of its signal and its time --------------------------

    def _times(self, time: int) -> dict[str, Affine]:
        if not 1 <= time <= self.T:
            raise UsageError(f"step {time} is not one of 1..{self.T}; unroll more steps")
        return {"t": as_affine(time)}

    @cached_property
    def _signals(self) -> dict[str, Signal]:
        return {s.name: s for s in (*self.cell.inputs, *self.cell.signals)}

    @cached_property
    def _readers(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """For each signal the signals that read it and how many steps later, 0 or 1."""
        found: dict[str, list[tuple[str, int]]] = {name: [] for name in self._signals}
        for equation in self.cell.equations:
            for source in signals_in(equation.value):
                found[source.name].append((equation.target.name, (t - source.time).const))
        # Within the step first: a path to a near node comes before one to a far node.
        return {name: tuple(sorted(users, key=lambda u: u[1])) for name, users in found.items()}

    def _after(self, place: _Place) -> list[_Place]:
        name, time = place
        if time == 0:
            # Of time 0 only the states exist; nothing is computed within it.
            return [(user, 1) for user, lag in self._readers[name] if lag == 1 and self.T]
        return [(user, time + lag) for user, lag in self._readers[name] if time + lag <= self.T]

    def _ends(
        self, source: Signal, target: Signal, along: Iterable[Signal | str] | None
    ) -> tuple[_Place, _Place, frozenset[str] | None]:
        if isinstance(along, str):
            raise UsageError(f"along={along!r} is one string; write along=[{along!r}]")
        names = None
        if along is not None:
            names = frozenset(self._known(a if isinstance(a, str) else a.name) for a in along)
        return self._place(source), self._place(target), names

    def _known(self, name: str) -> str:
        if name not in self._signals:
            raise UsageError(
                f"cell {self.cell.name!r} has no signal {name!r} in the {self.cell.reading} "
                f"reading; it has {', '.join(self._signals)}"
            )
        return name

    def _place(self, node: Signal) -> _Place:
        if not isinstance(node, Signal) or node.adjoint or not node.time.is_const:
            raise UsageError(
                f"{node!r} is not a node of the graph; give a signal at a concrete time, "
                "such as h.at(0)"
            )
        name, time = self._known(node.name), node.time.const
        if time == 0 and not self.cell.is_state(name):
            states = ", ".join(s.name for s in self.cell.states)
            raise UsageError(f"{node!r} does not exist: at time 0 there are the states {states}")
        if not 0 <= time <= self.T:
            raise UsageError(f"{node!r} does not exist: the times are 0..{self.T}")
        return name, time

    def _node(self, place: _Place) -> Signal:
        return self._signals[place[0]].at(place[1])

    @cached_property
    def _backwards(self) -> tuple[str, ...]:
        """The signals of one step, each after all that read it within the step."""
        return (*[s.name for s in reversed(self.cell.signals)], *[s.name for s in self.cell.inputs])

    def _counts(self, end: _Place, first: int, names: frozenset[str] | None) -> dict[_Place, int]:
        """The number of paths to ``end`` from every place at ``first`` or later that has one."""
        counts = {end: 1}
        for time in range(end[1], first - 1, -1):
            for name in self._backwards:
                if (name, time) != end:
                    total = sum(
                        counts.get(place, 0)
                        for place in self._after((name, time))
                        if place == end or names is None or place[0] in names
                    )
                    if total:
                        counts[name, time] = total
        return counts

    def _paths(
        self, start: _Place, end: _Place, names: frozenset[str] | None
    ) -> Iterator[tuple[Signal, ...]]:
        leads = self._counts(end, start[1], names)
        if start not in leads:
            return
        path = [start]
        # Own stack: a path is as long as T, which may exceed Python's recursion limit.
        pending = [iter([] if start == end else self._after(start))]
        if start == end:
            yield (self._node(start),)
        while pending:
            place = next(pending[-1], None)
            if place is None:
                pending.pop()
                path.pop()
            elif place == end:
                yield tuple(self._node(p) for p in (*path, end))
            elif place in leads and (names is None or place[0] in names):
                path.append(place)
                pending.append(iter(self._after(place)))


def _local_jacobian(value: Node, source: Signal, target: Signal) -> Node:
    activated = isinstance(value, Apply) and value.head.elementwise
    return jacobian(value, source, at=target if activated else None)


def unroll(cell: Cell, T: int) -> Graph:
    """The computation graph of T steps; T = 0 holds the initial states only.

    Raises:
        UsageError: T is negative or not an integer.
    """
    try:
        steps = -1 if isinstance(T, bool) else index(T)
    except TypeError:
        steps = -1
    if steps < 0:
        raise UsageError(
            f"T={T!r} ({type(T).__name__}) is no number of steps; give an integer, 0 or more"
        )
    return Graph(cell, steps)
