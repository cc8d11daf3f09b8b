"""Computation graphs to pictures: which nodes, edges and labels are drawn, and which left out.

Roles are rows and times are columns; every edge carries its local Jacobian, every
computed signal and every initial state the adjoint that flows back into it. A long
graph shows its first and last steps and says in words which steps are missing.
"""

from __future__ import annotations

from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.graph import Edge, Graph
from symgrad.lang.nodes import Signal
from symgrad.render.notation import Reading, box, signal_box
from symgrad.render.picture import Kind, Picture, PictureAdjoint, PictureEdge, PictureNode


def picture(graph: Graph, *, first: int = 2, last: int = 1, limit: int = 8) -> Picture:
    """The picture of a graph; of more than ``limit`` steps the ``first`` and ``last`` ones.

    The cost depends on the steps drawn, not on T.

    Raises:
        UsageError: ``first`` or ``last`` is not positive.
    """
    for name, value in (("first", first), ("last", last)):
        if value < 1:
            raise UsageError(f"{name}={value}: at least one step is drawn on each side of a gap")
    cell, steps = graph.cell, graph.T
    if steps <= limit or first + last >= steps:
        drawn = list(range(1, steps + 1))
        times: tuple[int | None, ...] = tuple(range(steps + 1))
        gap = ""
    else:
        after = steps - last  # the states there are what the last steps start from
        drawn = [*range(1, first + 1), *range(after + 1, steps + 1)]
        times = (*range(first + 1), None, *range(after, steps + 1))
        gap = _left_out(first + 1, after, steps)
    nodes = [_node(cell, s.at(0), "initial") for s in cell.states]
    for time in drawn:
        if time - 1 not in (0, *drawn):
            nodes += [_node(cell, s.at(time - 1), _kind(cell, s)) for s in cell.states]
        nodes += [_node(cell, s.at(time), _kind(cell, s)) for s in (*cell.inputs, *cell.signals)]
    edges = [edge for time in drawn for edge in _edges(graph, time)]
    # λ and not δ: what the arrows that arrive at a node add up to is dL/d(node).
    adjoints = [
        PictureAdjoint(node.key, signal_box(node.role, node.time, "lam"))
        for node in nodes
        if node.kind != "input"
    ]
    return Picture(
        title=f"{cell.title}: computation graph of {_count(steps)}",
        roles=tuple(s.name for s in (*cell.inputs, *cell.signals)) if steps else _states(cell),
        times=times,
        nodes=tuple(nodes),
        edges=tuple(edges),
        adjoints=tuple(adjoints),
        parameters=tuple(box(p) for p in cell.params),
        gap_label=gap,
    )


def _left_out(start: int, end: int, steps: int) -> str:
    if start == end:
        return f"step {start} of {steps} is not drawn"
    return f"steps {start} to {end} of {steps} are not drawn"


def _count(steps: int) -> str:
    return {0: "no step", 1: "1 step"}.get(steps, f"{steps} steps")


def _states(cell: Cell) -> tuple[str, ...]:
    return tuple(s.name for s in cell.states)


def _key(signal: Signal) -> str:
    return f"{signal.name}@{signal.time}"


def _node(cell: Cell, signal: Signal, kind: Kind) -> PictureNode:
    label = box(signal, reading=cell.reading)
    return PictureNode(_key(signal), signal.time.const, signal.name, label, kind)


def _kind(cell: Cell, signal: Signal) -> Kind:
    if signal in cell.inputs:
        return "input"
    if cell.is_state(signal.name):
        return "state"
    return "output" if signal == cell.output else "signal"


def _edges(graph: Graph, time: int) -> list[PictureEdge]:
    reading = graph.cell.reading
    pairs = zip(graph.edges_at(time), graph.step_edges, strict=True)
    return [_edge(edge, general, reading) for edge, general in pairs]


def _edge(edge: Edge, general: Edge, reading: Reading) -> PictureEdge:
    return PictureEdge(
        _key(edge.source),
        _key(edge.target),
        box(edge.jacobian, reading=reading),
        box(general.jacobian, reading=reading),
    )
