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

from symgrad.render.layout import Box, Words
from symgrad.render.picture import Picture
from symgrad.render.picture_drawing import (
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
)
from symgrad.render.picture_heights import HEAD, PAIR, role_box, time_box
from symgrad.render.picture_legend import place_legend
from symgrad.render.picture_nets import Branch, Net
from symgrad.render.picture_text import extent, runs
from symgrad.render.picture_widths import Widths


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


class _Layout(Widths):
    """The working state of ``place``: heights, then widths, then drawing."""

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
            self.texts.append(Text(middle, MARGIN + 12, time_box(time), NOTE, "middle"))
        for role in self.arrangement.rows:
            up, down = extent(runs(role_box(role)), NOTE)
            y = self.line[role] + (up - down) / 2
            self.texts.append(Text(MARGIN, y, role_box(role), NOTE))

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
