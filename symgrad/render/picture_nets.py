"""What a picture's layout has to place: spots in columns, and nets that join them.

A spot is a node or the mark of a gap. What leaves a spot is one net with a branch to
each target, so that edges from the same node share their way as long as they can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symgrad.render.layout import Box, Ident
from symgrad.render.picture import EdgeKind, Picture, PictureEdge, PictureNode, edge_kind
from symgrad.render.picture_drawing import NODE
from symgrad.render.picture_order import Arrangement
from symgrad.render.picture_text import runs, width


@dataclass(slots=True)
class Spot:
    """A node, or a gap mark, with its column and (once known) its measures."""

    node: PictureNode | None
    role: str
    column: int
    half: float
    top: float = 0.0  # relative to the row's line
    bottom: float = 0.0
    ports: dict[int, float] = field(default_factory=dict)  # by source spot


@dataclass(slots=True)
class Branch:
    """One edge, or a stub into a gap, of a net."""

    target: int
    label: Box | None


@dataclass(slots=True)
class Net:
    """Branches of one source that share a trunk; ``lane`` is a trunk off the own row."""

    source: int
    branches: list[Branch]
    lane: tuple[str, int] | None = None


class Nets:
    """Spots, the columns of each entry of ``times``, nets, and the riders' edges."""

    def __init__(
        self,
        picture: Picture,
        arrangement: Arrangement,
        tags: Mapping[EdgeKind, str] | None,
    ) -> None:
        self.picture = picture
        self.arrangement = arrangement
        self.tags = tags
        self.row = {role: i for i, role in enumerate(arrangement.rows)}
        self.groups: list[list[int]] = []
        self.spots: list[Spot] = []
        self.index: dict[str, int] = {}
        self.nets: list[Net] = []
        self.riding: list[tuple[int, int, PictureEdge]] = []
        self._time = {node.key: node.time for node in picture.nodes}
        self._make_spots()
        self._make_nets()

    def label(self, edge: PictureEdge) -> Box:
        """What stands on an edge: its Jacobian, or the tag of its kind."""
        if self.tags is None:
            return edge.jacobian
        return Ident(self.tags[edge_kind(self.picture, edge)], "upright")

    def straight(self, net: Net, branch: Branch) -> bool:
        """Whether a branch runs along its net's own row."""
        return net.lane is None and self.spots[branch.target].role == self.spots[net.source].role

    def _make_spots(self) -> None:
        """One spot per node and per gap mark, with its column."""
        depth = self.arrangement.depth
        inner = {
            self._time[edge.target]
            for edge in self.picture.edges
            if self._time[edge.source] == self._time[edge.target]
        }
        column = 0
        for entry, time in enumerate(self.picture.times):
            if time is None:
                for role in self._through_gap(entry):
                    self.spots.append(Spot(None, role, column, 10.0))
                self.groups.append([column])
                column += 1
                continue
            nodes = [node for node in self.picture.nodes if node.time == time]
            used = sorted({depth[node.role] for node in nodes}) if time in inner else [0]
            for node in nodes:
                offset = used.index(depth[node.role]) if time in inner else 0
                half = max(16.0, width(runs(node.label), NODE) / 2 + 7)
                if node.kind == "state":
                    half += 2
                self.index[node.key] = len(self.spots)
                self.spots.append(Spot(node, node.role, column + offset, half))
            self.groups.append(list(range(column, column + max(1, len(used)))))
            column += max(1, len(used))

    def _through_gap(self, entry: int) -> list[str]:
        """The roles that continue into the gap or come out of it."""
        times = self.picture.times
        around = {times[i] for i in (entry - 1, entry + 1) if 0 <= i < len(times)}
        present = {node.role for node in self.picture.nodes if node.time in around}
        return [r for r in self.arrangement.rows if r in self.arrangement.lagged & present]

    def _make_nets(self) -> None:
        """Group edges by source; long ways round a node of the same row get a lane."""
        riders = self.arrangement.riders
        by_source: dict[int, list[Branch]] = {}
        for edge in self.picture.edges:
            kind = edge_kind(self.picture, edge)
            source, target = self.index[edge.source], self.index[edge.target]
            if kind[0] in riders or kind[1] in riders:
                self.riding.append((source, target, edge))
                continue
            branch = Branch(target, self.label(edge))
            by_source.setdefault(source, []).append(branch)
        entered = {branch.target for found in by_source.values() for branch in found}
        for mark, spot in enumerate(self.spots):
            if spot.node is not None:
                continue
            before, after = self._beside_gap(spot)
            if before is not None:
                by_source.setdefault(before, []).append(Branch(mark, None))
            if after is not None and after not in entered:
                by_source.setdefault(mark, []).append(Branch(after, None))
        for source in sorted(by_source):
            self._split(source, by_source[source])

    def _beside_gap(self, mark: Spot) -> tuple[int | None, int | None]:
        """The spots of the same role just before and just after a gap mark."""
        entry = next(i for i, group in enumerate(self.groups) if mark.column in group)
        found: list[int | None] = []
        for other in (entry - 1, entry + 1):
            columns = self.groups[other] if 0 <= other < len(self.groups) else []
            found.append(
                next(
                    (
                        i
                        for i, spot in enumerate(self.spots)
                        if spot.role == mark.role and spot.column in columns
                    ),
                    None,
                )
            )
        return found[0], found[1]

    def _split(self, source: int, branches: list[Branch]) -> None:
        """One net along the row, and one on a lane for targets behind a node of the row."""
        spot = self.spots[source]
        later = [s.column for s in self.spots if s.role == spot.role and s.column > spot.column]
        stop = min(later, default=len(self.spots) + 1)
        direct = [b for b in branches if self.spots[b.target].column <= stop]
        behind = [b for b in branches if self.spots[b.target].column > stop]
        if direct:
            self.nets.append(Net(source, direct))
        for below in (False, True):
            side = [
                b
                for b in behind
                if (self.row[self.spots[b.target].role] >= self.row[spot.role]) is below
            ]
            if side:
                assert spot.node is not None
                lane = 2 * int(below) + spot.node.time % 2
                self.nets.append(Net(source, side, (spot.role, lane)))
