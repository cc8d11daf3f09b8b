"""The first half of placing a picture: the height of every row, port and lane."""

from __future__ import annotations

from symgrad.render.layout import Box, Ident, Number, Op, Row
from symgrad.render.picture import Picture, legend_entries
from symgrad.render.picture_drawing import (
    EDGE,
    MARGIN,
    Frame,
    Head,
    Point,
    Stroke,
    Text,
    wrapped,
)
from symgrad.render.picture_legend import edge_tags
from symgrad.render.picture_nets import Nets, Spot
from symgrad.render.picture_order import arrange
from symgrad.render.picture_text import extent, runs, width

PAIR = 5.0  # distance of a dashed line from its solid one
TRACK = 14.0  # distance of neighbouring verticals
PORT = 20.0  # least distance of neighbouring ports
HEAD = 8.0  # length of an arrow head, and the room it is given


class Heights(Nets):
    """Where the rows of a picture stand: lines of nodes, ports, lanes, headers."""

    def __init__(self, picture: Picture) -> None:
        arrangement = arrange(picture)
        self.entries = legend_entries(picture)
        tags = edge_tags(picture, self.entries, arrangement)
        super().__init__(picture, arrangement, tags)
        self.adjoints = {adjoint.node: adjoint.label for adjoint in picture.adjoints}
        for spot in self.spots:
            if spot.node is not None and spot.node.key in self.adjoints:
                wide = width(runs(self.adjoints[spot.node.key]), EDGE)
                spot.half = max(spot.half, wide / 2)
        self.line: dict[str, float] = {}  # the height of each row's line
        self.lane_y: dict[tuple[str, int], float] = {}
        self.rider_gap: dict[str, tuple[float, float]] = {}
        self.bottom = 0.0
        self.x: list[float] = []  # the middle of each column
        self.edges: list[float] = []  # where each time step begins, and where the last ends
        self.track_x: dict[tuple[int, int], float] = {}  # by channel and net
        self.verticals: list[tuple[float, float, float]] = []  # x, top and bottom
        self.free_start: dict[tuple[int, int], float] = {}  # of straight labels, by spots
        self.trunk_end: dict[int, tuple[float, float]] = {}  # along a source's row, by spot
        self.strokes: list[Stroke] = []
        self.dots: list[Point] = []
        self.heads: list[Head] = []
        self.frames: list[Frame] = []
        self.texts: list[Text] = []

    def rows(self) -> None:
        """Ports and node heights, then the height of each row's line and of the lanes."""
        label_height = PORT
        if self.tags is None:
            for edge in self.picture.edges:
                label_height = max(label_height, sum(extent(runs(edge.jacobian), EDGE)) + 9)
        for i, spot in enumerate(self.spots):
            self._ports(i, spot, label_height)
        y = MARGIN + self._header_height() + 6
        rows = self.arrangement.rows
        for entry, role in enumerate(rows):
            spots = [spot for spot in self.spots if spot.role == role]
            up = max((-spot.top + self._adjoint_height(spot) for spot in spots), default=16.0)
            up = max([up, *(label_height - offset for s in spots for offset in s.ports.values())])
            down = max((spot.bottom for spot in spots), default=16.0)
            y += self._lanes(role, 0, y)
            self.line[role] = y + up
            y += up + down
            y += self._lanes(role, 2, y)
            if entry + 1 < len(rows):
                y = self._gap_below(role, rows[entry + 1], y)
        self.bottom = y

    def _ports(self, i: int, spot: Spot, pitch: float) -> None:
        """Where each net enters: sources from top to bottom, the own row's straight on."""
        incoming = [net for net in self.nets if any(b.target == i for b in net.branches)]
        straight = [n for n in incoming if self.spots[n.source].role == spot.role and not n.lane]
        order = sorted(
            incoming,
            key=lambda n: (self.row[self.spots[n.source].role], self.spots[n.source].column),
        )
        count = len(order)
        if straight:
            zero = float(order.index(straight[0]))
        else:
            zero = (count - 1) / 2
            if spot.role in self.arrangement.lagged and count % 2:
                zero += 0.5  # the row's own line stays free
        for position, net in enumerate(order):
            spot.ports[net.source] = (position - zero) * pitch
        offsets = [0.0, *spot.ports.values()]
        spot.top, spot.bottom = min(-16.0, min(offsets) - 12), max(16.0, max(offsets) + 12)

    def _adjoint_height(self, spot: Spot) -> float:
        if spot.node is None or spot.node.key not in self.adjoints:
            return 0.0
        return sum(extent(runs(self.adjoints[spot.node.key]), EDGE)) + 4

    def _lanes(self, role: str, first: int, y: float) -> float:
        """Room for the lanes beside a row, and their heights."""
        lanes = sorted({n.lane for n in self.nets if n.lane and n.lane[0] == role})
        used = [lane for lane in lanes if first <= lane[1] < first + 2]
        for position, lane in enumerate(used):
            self.lane_y[lane] = y + 10 + TRACK * position
        return TRACK * len(used) + 8 if used else 0.0

    def _gap_below(self, upper: str, lower: str, y: float) -> float:
        """The room between two rows; more of it where a rider's edge has its label."""
        riders = self.arrangement.riders
        room = 0.0
        for rider, partner in riders.items():
            toward = self.row[partner] > self.row[rider]
            if (rider == upper and toward) or (rider == lower and not toward):
                labels = [
                    self.label(edge)
                    for s, t, edge in self.riding
                    if rider in (self.spots[s].role, self.spots[t].role)
                ]
                tall = max((sum(extent(runs(label), EDGE)) for label in labels), default=0.0)
                room = max(room, tall + 26)
                self.rider_gap[rider] = (y, y + max(room, 12.0))
        return y + max(room, 12.0)

    def _header_height(self) -> float:
        return 16.0 * max(1, len(self._gap_lines())) + 2

    def _gap_lines(self) -> list[str]:
        if None not in self.picture.times:
            return []
        return wrapped(self.picture.gap_label, 96.0)


def time_box(time: int) -> Box:
    """The heading of a time step."""
    return Row((Ident("t"), Op("=", "relation"), Number(str(time))))


def role_box(role: str) -> Box:
    """The heading of a row."""
    return Ident(role, "italic" if len(role) == 1 else "upright")
