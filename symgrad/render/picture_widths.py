"""The second half of placing a picture: the columns and the tracks between them."""

from __future__ import annotations

from symgrad.render.layout import Box, Words
from symgrad.render.picture_drawing import (
    BOLD,
    EDGE,
    MARGIN,
    NOTE,
)
from symgrad.render.picture_heights import HEAD, PAIR, PORT, TRACK, Heights, role_box, time_box
from symgrad.render.picture_nets import Branch, Net
from symgrad.render.picture_order import Upright, track_order
from symgrad.render.picture_text import runs, width


class Widths(Heights):
    """Where the columns of a picture stand, and the tracks in the channels between them."""

    def columns(self) -> None:
        """Columns from left to right, with the tracks and label room before each."""
        count = sum(len(group) for group in self.groups)
        starts = {group[0]: i for i, group in enumerate(self.groups)}
        names = [width(runs(role_box(r)), NOTE) for r in self.arrangement.rows]
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
        return width(runs(time_box(time)), NOTE)

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
