"""The picture of a computation graph: what is drawn, before anything has a place.

Time runs to the right and every role (a gate, a state, the input) has a row. The
caller names the nodes, the forward edges with their local Jacobians and the
adjoints that flow back; ``layered`` gives them places, ``svg`` and
``picture_latex`` draw them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Literal, cast

from symgrad.render.layout import Box, Ident, Number, Op, Row, Script

Kind = Literal["input", "initial", "state", "signal", "output"]
EdgeKind = tuple[str, str, int]
"""Role of the source, role of the target, and how many steps (0 or 1) it crosses."""


@dataclass(frozen=True, slots=True)
class PictureNode:
    """One signal at one time step; ``label`` is what stands inside its border."""

    key: str
    time: int
    role: str
    label: Box
    kind: Kind


@dataclass(frozen=True, slots=True)
class PictureEdge:
    """A forward edge from ``source`` to ``target`` (keys), with its local Jacobian.

    An edge stays within its step or goes from step t-1 to step t. ``general`` is the
    Jacobian at a general t, for the legend; without it, it is read off ``jacobian``.
    """

    source: str
    target: str
    jacobian: Box
    general: Box | None = None


@dataclass(frozen=True, slots=True)
class PictureAdjoint:
    """The adjoint that flows back into ``node`` (a key)."""

    node: str
    label: Box


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph to draw.

    ``times`` are the steps from left to right; ``None`` is a gap, and ``gap_label``
    says what it leaves out. The states from which the first step after a gap starts
    are ordinary nodes at the time before that step: with the first two and the last
    of 100 steps, ``times`` is ``(0, 1, 2, None, 99, 100)`` and the nodes at 99 are
    the states only. ``parameters`` are shared by every step and are drawn once.
    """

    title: str
    roles: tuple[str, ...]
    times: tuple[int | None, ...]
    nodes: tuple[PictureNode, ...]
    edges: tuple[PictureEdge, ...]
    adjoints: tuple[PictureAdjoint, ...] = ()
    parameters: tuple[Box, ...] = ()
    gap_label: str = ""

    def __post_init__(self) -> None:
        """Refuse a picture that names what it does not hold."""
        keys = {node.key: node for node in self.nodes}
        if len(keys) != len(self.nodes):
            raise ValueError("two nodes of the picture have the same key")
        places = {(node.time, node.role) for node in self.nodes}
        if len(places) != len(self.nodes):
            raise ValueError("two nodes of the picture have the same role and time")
        steps = [time for time in self.times if time is not None]
        if steps != sorted(set(steps)):
            raise ValueError(f"times must increase from left to right, got {self.times}")
        for node in self.nodes:
            if node.role not in self.roles or node.time not in self.times:
                raise ValueError(
                    f"node {node.key!r} has role {node.role!r} and time {node.time}, "
                    "one of which is not in the picture's roles and times"
                )
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in keys:
                    raise ValueError(f"an edge ends at {end!r}, which is not a node")
            if keys[edge.target].time - keys[edge.source].time not in (0, 1):
                raise ValueError(
                    f"edge {edge.source!r} to {edge.target!r} must stay within its step "
                    "or go to the next one"
                )
        for adjoint in self.adjoints:
            if adjoint.node not in keys:
                raise ValueError(f"an adjoint belongs to {adjoint.node!r}, which is not a node")


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One kind of edge, at a general step: ``source → target`` and its Jacobian."""

    kind: EdgeKind
    source: Box
    target: Box
    jacobian: Box


def edge_kind(picture: Picture, edge: PictureEdge) -> EdgeKind:
    """The kind of an edge: the same at every time step."""
    nodes = {node.key: node for node in picture.nodes}
    source, target = nodes[edge.source], nodes[edge.target]
    return source.role, target.role, target.time - source.time


def legend_entries(picture: Picture) -> tuple[LegendEntry, ...]:
    """Every kind of edge once, in the order in which the edges first appear."""
    nodes = {node.key: node for node in picture.nodes}
    last: dict[EdgeKind, PictureEdge] = {}
    for edge in picture.edges:
        last[edge_kind(picture, edge)] = edge  # keeps the first place, takes the last step
    entries = []
    for kind, edge in last.items():
        source, target = nodes[edge.source], nodes[edge.target]
        jacobian = edge.general
        if jacobian is None:
            jacobian = at_general_time(edge.jacobian, target.time)
        entries.append(
            LegendEntry(
                kind,
                at_general_time(source.label, target.time),
                at_general_time(target.label, target.time),
                jacobian,
            )
        )
    return tuple(entries)


def at_general_time(box: Box, time: int) -> Box:
    """The box with the index ``time`` printed as t, and ``time`` - 1 as t-1.

    Only whole subscripts are read as indices, so that a coefficient 2 stays a 2.
    """
    t = Ident("t")
    general: dict[Box, Box] = {
        Number(str(time)): t,
        Number(str(time - 1)): Row((t, Op("−"), Number("1"))),
    }
    if isinstance(box, Script):
        sub = None if box.sub is None else general.get(box.sub, box.sub)
        sup = None if box.sup is None else at_general_time(box.sup, time)
        return Script(at_general_time(box.base, time), sub, sup)
    changes: dict[str, object] = {}
    for entry in fields(box):
        value = getattr(box, entry.name)
        changes[entry.name] = _general_value(value, time)
    return replace(box, **changes)


def _general_value(value: object, time: int) -> object:
    """A field of a box: a box, a tuple of such, or text, which stays as it is."""
    if isinstance(value, Box):
        return at_general_time(value, time)
    if isinstance(value, tuple):
        return tuple(_general_value(item, time) for item in value)
    return value


def identifiers(box: Box) -> Iterator[str]:
    """The text of every identifier in a box."""
    if isinstance(box, Ident):
        yield box.text
    pending = [getattr(box, entry.name) for entry in fields(box)]
    while pending:
        value = pending.pop()
        if isinstance(value, Box):
            yield from identifiers(value)
        elif isinstance(value, tuple):
            pending.extend(cast("tuple[object, ...]", value))
