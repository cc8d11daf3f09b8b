"""The picture with a place for everything: columns, rows, ports, tracks and labels.

Every node is entered on its left and left on its right, except an input below or an
output above its only partner. What leaves a node is one net: a trunk along the
node's own row, verticals in the channels between columns, and one branch to each
target, with a dot where it leaves. A dashed line runs beside every line of the net,
the other way. Labels stand above the last stretch of their branch, where no other
net runs; so nothing crosses a text or a foreign node by construction.
"""

from __future__ import annotations

from typing import Literal

from symgrad.render.layout import Box, Ident, Number, Op, Row, Words
from symgrad.render.picture import Picture, legend_entries
from symgrad.render.picture_drawing import (
    BOLD,
    EDGE,
    MARGIN,
    NODE,
    NOTE,
    Band,
    Drawing,
    Frame,
    Head,
    Point,
    Stroke,
    Text,
    wrapped,
)
from symgrad.render.picture_legend import edge_tags, place_legend
from symgrad.render.picture_nets import Branch, Net, Nets, Spot
from symgrad.render.picture_order import Upright, arrange, track_order
from symgrad.render.picture_text import extent, runs, width

PAIR = 5.0  # distance of a dashed line from its solid one
TRACK = 14.0  # distance of neighbouring verticals
PORT = 20.0  # least distance of neighbouring ports
HEAD = 8.0  # length of an arrow head, and the room it is given


def place(picture: Picture) -> Drawing:
    """Give everything in the picture its place."""
    layout = _Layout(picture)
    layout.rows()
    layout.columns()
    layout.emit_nodes()
    layout.emit_nets()
    layout.emit_labels()
    layout.emit_margins()
    return layout.drawing()


class _Layout(Nets):
    """The working state of ``place``: first heights, then widths, then drawing."""

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

    # ---- heights -------------------------------------------------------------------

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

    # ---- widths --------------------------------------------------------------------

    def columns(self) -> None:
        """Columns from left to right, with the tracks and label room before each."""
        count = sum(len(group) for group in self.groups)
        starts = {group[0]: i for i, group in enumerate(self.groups)}
        names = [width(runs(_role_box(r)), NOTE) for r in self.arrangement.rows]
        right = MARGIN + max(names, default=0.0) + 8
        edges: list[float] = []
        header = 0.0
        for column in range(count):
            if column in starts:
                right = max(right, header)
                edges.append(right + (6 if column else 0))
                header = edges[-1] + self._header_width(starts[column]) + 8
                right = edges[-1]
            left, reach = self._column_reach(column)
            right = self._channel(column, right + (4 if column in starts else 0), left)
            self.x.append(right + left)
            for source, target, _ in self.riding:
                if self.spots[source].column == column:
                    ends = sorted((self._y(source), self._y(target)))
                    self.verticals.append((self.x[column] + PAIR, ends[0], ends[1]))
            right = self.x[column] + reach + HEAD
        self.edges = [*edges, max(right, header)]

    def _header_width(self, entry: int) -> float:
        time = self.picture.times[entry]
        if time is None:
            return max((width(runs(Words(li)), NOTE) for li in self._gap_lines()), default=0.0)
        return width(runs(_time_box(time)), NOTE)

    def _column_reach(self, column: int) -> tuple[float, float]:
        """How far a column's nodes and texts reach to the left and right of its middle."""
        left = right = 16.0
        for i, spot in enumerate(self.spots):
            if spot.column != column:
                continue
            left, right = max(left, spot.half), max(right, spot.half)
            right = max(right, self._adjoint_reach(i))
        for source, _, edge in self.riding:
            if self.spots[source].column == column:
                right = max(right, PAIR + 8 + self._label_width(self.label(edge)))
        for entry, group in enumerate(self.groups):
            if self.picture.times[entry] is None and group == [column]:
                wide = self._header_width(entry) / 2 + 4
                left, right = max(left, wide), max(right, wide)
        return left, right

    def _adjoint_reach(self, i: int) -> float:
        """How far the adjoint beside a vertical edge reaches to the right of the middle."""
        node = self.spots[i].node
        if node is None or node.key not in self.adjoints or not self._passed_above(i):
            return 0.0
        return PAIR / 2 + 5 + width(runs(self.adjoints[node.key]), EDGE)

    def _label_width(self, label: Box) -> float:
        return width(runs(label), EDGE) * (BOLD if self.tags is not None else 1.0)

    def _passed_above(self, i: int) -> bool:
        """Whether a rider's edge runs straight up from the top of this spot."""
        return any(
            i in (source, target) and self._y(i) == max(self._y(source), self._y(target))
            for source, target, _ in self.riding
        )

    def _y(self, spot: int) -> float:
        return self.line[self.spots[spot].role]

    def _channel(self, column: int, start: float, left: float) -> float:
        """Place the tracks before a column; return where its left reach may begin."""
        uprights: list[Upright] = []
        room = 0.0
        arrows = False
        for number, net in enumerate(self.nets):
            into = [b for b in net.branches if self.spots[b.target].column == column]
            arrows = arrows or bool(into)
            bent = [b for b in into if not self.straight(net, b)]
            for branch in bent:
                if branch.label is not None:
                    room = max(room, self._label_width(branch.label))
            trunk = self._trunk(net)
            heights = tuple(self._port(net, branch) for branch in bent)
            if bent:
                uprights.append(Upright(number, (trunk,), heights))
            elif net.lane and self.spots[net.source].column + 1 == column:
                uprights.append(Upright(number, (self._y(net.source),), (trunk,)))
        x = start + 6
        for upright in track_order(uprights):
            self.track_x[column, upright.net] = x
            low, high = upright.span
            self.verticals.append((x + PAIR, low, high))
            x += TRACK
        if uprights:
            x -= TRACK - PAIR - 3
        end = x + (room + 8 if room else 0.0) + (HEAD + 4 if arrows else 0.0)
        inset = min((left - s.half for s in self.spots if s.column == column), default=0.0)
        for net in self.nets:
            for branch in net.branches:
                if self.straight(net, branch) and self.spots[branch.target].column == column:
                    end = max(end, self._straight_room(net, branch) - inset)
        return end

    def _straight_room(self, net: Net, branch: Branch) -> float:
        """Where the target may begin so that a straight edge has room for its label."""
        source = self.spots[net.source]
        y = self._y(net.source)
        reach = max(source.half + HEAD + 2, self._adjoint_reach(net.source))
        begin = self.x[source.column] + reach
        for x, low, high in self.verticals:
            if x > self.x[source.column] + source.half and low <= y + PAIR and high >= y - PORT:
                begin = max(begin, x + 2)
        self.free_start[net.source, branch.target] = begin
        wide = 4.0 if branch.label is None else self._label_width(branch.label) + 8
        return begin + wide + HEAD + 2

    def _trunk(self, net: Net) -> float:
        return self._y(net.source) if net.lane is None else self.lane_y[net.lane]

    def _port(self, net: Net, branch: Branch) -> float:
        return self._y(branch.target) + self.spots[branch.target].ports[net.source]

    # ---- drawing -------------------------------------------------------------------

    def emit_nodes(self) -> None:
        """Borders, labels inside, adjoints above; a gap mark is three dots."""
        for i, spot in enumerate(self.spots):
            x, y = self.x[spot.column], self._y(i)
            if spot.node is None:
                self.texts.append(_centred(x, y, Words("⋯"), NODE, "node"))
                continue
            top, tall = y + spot.top, spot.bottom - spot.top
            self.frames.append(Frame(x - spot.half, top, 2 * spot.half, tall, spot.node.kind))
            self.texts.append(_centred(x, top + tall / 2, spot.node.label, NODE, "node"))
            label = self.adjoints.get(spot.node.key)
            if label is not None:
                base = top - 3 - extent(runs(label), EDGE)[1]
                if self._passed_above(i):
                    self.texts.append(Text(x + PAIR / 2 + 5, base, label, EDGE, "start", "adjoint"))
                else:
                    self.texts.append(Text(x, base, label, EDGE, "middle", "adjoint"))

    def emit_nets(self) -> None:
        """Solid lines with their dots and heads, and the dashed lines beside them."""
        for number, net in enumerate(self.nets):
            self._emit_net(number, net)
        for source, target, _ in self.riding:
            self._emit_riding(source, target)

    def _emit_net(self, number: int, net: Net) -> None:
        """The trunk to the farthest branch in one line, then what leaves it on the way."""
        spot = self.spots[net.source]
        y0 = self._trunk(net) - PAIR / 2
        x0 = self.x[spot.column] + spot.half
        own = self._y(net.source) - PAIR / 2
        start: list[Point] = [(x0, own)]
        joined = self.trunk_end.get(net.source)  # how far an earlier net of the source runs
        last = max(self.spots[b.target].column for b in net.branches)
        shift = 0.0
        if net.lane is None:
            ends = [b for b in net.branches if self.spots[b.target].column == last]
            reached = [self._left(b) for b in ends if self.straight(net, b)]
            rises = any(self._port(net, b) < self._y(net.source) for b in ends)
            self.trunk_end[net.source] = (
                max(reached, default=self.track_x.get((last, number), x0)),
                PAIR if rises else -PAIR,
            )
        else:
            x = self.track_x[spot.column + 1, number]
            start += [(x, own), (x, y0)]
            if joined is None:
                self.trunk_end[net.source] = (x, PAIR if y0 < own else -PAIR)
            elif joined[0] >= x:
                start = start[1:]
            else:
                start[0], shift = (joined[0], own), joined[1]
            if joined is not None:
                self.dots.append(start[0])
        drawn = False
        for column in sorted({self.spots[b.target].column for b in net.branches}, reverse=True):
            here = [b for b in net.branches if self.spots[b.target].column == column]
            straight = [b for b in here if self.straight(net, b)]
            bent = [b for b in here if not self.straight(net, b)]
            for branch in straight:
                self._pair([*start, (self._left(branch), y0)])
                drawn = True
            for up in (True, False):
                side = [b for b in bent if (self._port(net, b) - PAIR / 2 < y0) is up]
                if not side:
                    continue
                side.sort(key=lambda b: self._port(net, b), reverse=not up)
                x = self.track_x[column, number]
                far, *rest = side
                y = self._port(net, far) - PAIR / 2
                tail: list[Point] = [(x, y0), (x, y), (self._left(far), y)]
                if column == last and not drawn:
                    self._pair([*start, *tail], shift)
                else:
                    self._pair(tail)
                    self.dots.append((x, y0))
                drawn = True
                for branch in rest:
                    y = self._port(net, branch) - PAIR / 2
                    self._pair([(x, y), (self._left(branch), y)], PAIR if up else -PAIR)
                    self.dots.append((x, y))
            for branch in here:
                at = self._port(net, branch) - PAIR / 2
                self.heads.append(Head(self._left(branch), at, "right", "forward"))
        if joined is None:
            self.heads.append(Head(x0, own + PAIR, "left", "backward"))

    def _left(self, branch: Branch) -> float:
        spot = self.spots[branch.target]
        return self.x[spot.column] - spot.half

    def _pair(self, points: list[Point], shift: float = 0.0) -> None:
        """A solid line, and the dashed one beside it, below and outside."""
        self.strokes.append(Stroke(tuple(points), "forward"))
        beside: list[Point] = []
        for i, (x, y) in enumerate(points):
            near = points[i + 1] if i + 1 < len(points) and points[i + 1][0] == x else None
            if near is not None:
                dx = PAIR if near[1] < y else -PAIR
            elif i and points[i - 1][0] == x:
                dx = PAIR if y < points[i - 1][1] else -PAIR
            else:
                dx = shift if i == 0 else 0.0
            beside.append((x + dx, y + PAIR))
        self.strokes.append(Stroke(tuple(reversed(beside)), "backward"))

    def _emit_riding(self, source: int, target: int) -> None:
        """The vertical edge of an input below, or an output above, its partner."""
        a, b = self.spots[source], self.spots[target]
        x = self.x[a.column] - PAIR / 2
        up = self._y(target) < self._y(source)
        begin = self._y(source) + (a.top if up else a.bottom)
        end = self._y(target) + (b.bottom if up else b.top)
        self.strokes.append(Stroke(((x, begin), (x, end)), "forward"))
        self.strokes.append(Stroke(((x + PAIR, end), (x + PAIR, begin)), "backward"))
        self.heads.append(Head(x, end, "up" if up else "down", "forward"))
        self.heads.append(Head(x + PAIR, begin, "down" if up else "up", "backward"))

    def emit_labels(self) -> None:
        """Jacobians or tags above the last stretch of their edges, beside vertical ones."""
        tagged = self.tags is not None
        role: Literal["tag", "edge"] = "tag" if tagged else "edge"
        for net in self.nets:
            for branch in net.branches:
                if branch.label is None:
                    continue
                below = 0.0 if tagged else extent(runs(branch.label), EDGE)[1] - 1
                y = self._port(net, branch) - PAIR / 2 - 3.5 - below
                wide = self._label_width(branch.label)
                right = self._left(branch) - HEAD - 3
                x = right - wide / 2
                if not tagged and self.straight(net, branch):
                    x = (self.free_start[net.source, branch.target] + right) / 2
                self.texts.append(Text(x, y, branch.label, EDGE, "middle", role))
        for source, target, edge in self.riding:
            rider = source if self.spots[source].role in self.arrangement.riders else target
            top, bottom = self.rider_gap[self.spots[rider].role]
            x = self.x[self.spots[source].column] + PAIR / 2 + 6
            label = self.label(edge)
            up, down = extent(runs(label), EDGE)
            y = (top + bottom) / 2 + (up - down) / 2
            self.texts.append(Text(x, y, label, EDGE, "start", role))

    def emit_margins(self) -> None:
        """Time headers and role names."""
        for entry, time in enumerate(self.picture.times):
            left, right = self.edges[entry], self.edges[entry + 1]
            middle = (left + right) / 2
            if time is None:
                for i, words in enumerate(self._gap_lines()):
                    y = MARGIN + 12 + 16 * i
                    self.texts.append(Text(middle, y, Words(words), NOTE, "middle"))
                continue
            self.texts.append(Text(middle, MARGIN + 12, _time_box(time), NOTE, "middle"))
        for role in self.arrangement.rows:
            up, down = extent(runs(_role_box(role)), NOTE)
            y = self.line[role] + (up - down) / 2
            self.texts.append(Text(MARGIN, y, _role_box(role), NOTE))

    def drawing(self) -> Drawing:
        """All of it, with the bands behind and the legend below."""
        legend = place_legend(
            self.picture, self.entries, self.tags, self.edges[-1] + MARGIN, self.bottom
        )
        bands = tuple(
            Band(left, MARGIN - 4, self.edges[i + 1] - left, self.bottom - MARGIN + 8)
            for i, left in enumerate(self.edges[:-1])
            if i % 2 and self.picture.times[i] is not None
        )
        return Drawing(
            legend.width,
            legend.y,
            bands,
            tuple(self.strokes + legend.strokes),
            tuple(self.dots),
            tuple(self.heads + legend.heads),
            tuple(self.frames + legend.frames),
            tuple(self.texts + legend.texts),
        )


def _centred(x: float, y: float, box: Box, size: float, role: Literal["node"]) -> Text:
    """A text whose letters, scripts aside, are centred on a point."""
    return Text(x, y + 0.33 * size, box, size, "middle", role)


def _time_box(time: int) -> Box:
    return Row((Ident("t"), Op("=", "relation"), Number(str(time))))


def _role_box(role: str) -> Box:
    return Ident(role, "italic" if len(role) == 1 else "upright")
