"""Which column and which row a role of a picture has, and in which order tracks run.

Only order is decided here; ``layered`` turns it into distances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations

from symgrad.render.picture import EdgeKind, Picture, edge_kind

_EXHAUSTIVE = 6  # up to this many rows every order is tried


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Rows from top to bottom, the depth of each role within its step, and the riders.

    A rider is an input or output with a single edge: it stands right below or above
    its partner, in the same column. ``lagged`` roles reach into the next step.
    """

    rows: tuple[str, ...]
    depth: dict[str, int]
    riders: dict[str, str]
    lagged: frozenset[str]


def arrange(picture: Picture) -> Arrangement:
    """Choose rows and depths; riders that would stand on another node are let go."""
    kinds = tuple(dict.fromkeys(edge_kind(picture, edge) for edge in picture.edges))
    riders = _possible_riders(picture, kinds)
    while True:
        depth = _depths(picture.roles, kinds, riders)
        rows = _rows(picture, kinds, depth, riders)
        blocked = [role for role in riders if _blocked(role, riders[role], rows, depth)]
        if not blocked:
            lagged = frozenset(source for source, _, lag in kinds if lag)
            return Arrangement(rows, depth, riders, lagged)
        del riders[blocked[0]]


def _kind_of(picture: Picture, role: str) -> str:
    """The kind of a role's nodes; an initial state counts as a state."""
    found = {node.kind for node in picture.nodes if node.role == role}
    for kind in ("input", "output"):
        if found == {kind}:
            return kind
    return "state" if found & {"state", "initial"} else "signal"


def _possible_riders(picture: Picture, kinds: Sequence[EdgeKind]) -> dict[str, str]:
    """Inputs and outputs whose only edge stays within the step, with their partners."""
    riders: dict[str, str] = {}
    for role in picture.roles:
        touching = [kind for kind in kinds if role in kind[:2]]
        if len(touching) != 1 or touching[0][2]:
            continue
        source, target, _ = touching[0]
        partner = target if role == source else source
        if _kind_of(picture, role) in ("input", "output") and partner not in riders:
            riders[role] = partner
    return riders


def _depths(
    roles: Sequence[str], kinds: Sequence[EdgeKind], riders: dict[str, str]
) -> dict[str, int]:
    """Longest path within the step; what nothing enters stands as late as it can."""
    within = [(s, t) for s, t, lag in kinds if not lag and s not in riders and t not in riders]
    depth = dict.fromkeys(roles, 0)
    for _ in roles:
        for source, target in within:
            depth[target] = max(depth[target], depth[source] + 1)
    if any(depth[source] >= depth[target] for source, target in within):
        raise ValueError("the edges within a step form a cycle")
    for role in roles:
        after = [depth[target] for source, target in within if source == role]
        if after and all(role != target for _, target, _ in kinds):
            depth[role] = min(after) - 1
    for role, partner in riders.items():
        depth[role] = depth[partner]
    return depth


def _blocked(role: str, partner: str, rows: Sequence[str], depth: dict[str, int]) -> bool:
    """Whether another role of the same column stands between a rider and its partner."""
    low, high = sorted((rows.index(role), rows.index(partner)))
    return any(depth[between] == depth[role] for between in rows[low + 1 : high])


def _rows(
    picture: Picture,
    kinds: Sequence[EdgeKind],
    depth: dict[str, int],
    riders: dict[str, str],
) -> tuple[str, ...]:
    """Outputs on top, inputs at the bottom, and between them the order of least cost."""
    of_kind = {role: _kind_of(picture, role) for role in picture.roles}
    top = tuple(role for role in picture.roles if of_kind[role] == "output")
    bottom = tuple(role for role in picture.roles if of_kind[role] == "input")
    free = tuple(role for role in picture.roles if role not in top + bottom)
    nets = [kind for kind in kinds if kind[0] not in riders and kind[1] not in riders]

    def cost(order: tuple[str, ...]) -> float:
        return _cost((*top, *order, *bottom), nets, depth)

    few = len(free) <= _EXHAUSTIVE
    best = min(permutations(free), key=cost) if few else _descend(free, cost)
    return (*top, *best, *bottom)


def _descend(order: tuple[str, ...], cost: Callable[[tuple[str, ...]], float]) -> tuple[str, ...]:
    """Swap pairs for as long as that lowers the cost."""
    improved = True
    while improved:
        improved = False
        for i in range(len(order)):
            for j in range(i + 1, len(order)):
                swapped = list(order)
                swapped[i], swapped[j] = swapped[j], swapped[i]
                if cost(tuple(swapped)) < cost(order):
                    order, improved = tuple(swapped), True
    return order


def _cost(rows: Sequence[str], kinds: Sequence[EdgeKind], depth: dict[str, int]) -> float:
    """Vertical way of all nets, and four times the crossings of trunks with verticals."""
    row = {role: index for index, role in enumerate(rows)}
    period = max(depth.values()) + 1
    spans: dict[tuple[str, int], list[int]] = {}
    reach: dict[str, int] = {}
    for source, target, lag in kinds:
        column = depth[target] + lag * period
        reach[source] = max(reach.get(source, 0), column)
        if row[source] != row[target]:
            spans.setdefault((source, column), [row[source]]).append(row[target])
    total = 0.0
    for (source, column), ends in spans.items():
        low, high = min(ends), max(ends)
        total += high - low
        for other, end in reach.items():
            if other == source or not low < row[other] < high:
                continue
            for shift in (-period, 0, period):
                if depth[other] + shift < column < end + shift:
                    total += 4
                elif column == end + shift:
                    total += 2
    return total


@dataclass(frozen=True, slots=True)
class Upright:
    """The vertical part of a net in one channel, with the heights at which it is met."""

    net: int
    left: tuple[float, ...]
    right: tuple[float, ...]

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest coordinate of the vertical."""
        ends = self.left + self.right
        return min(ends), max(ends)


def track_order(uprights: Sequence[Upright]) -> tuple[Upright, ...]:
    """The verticals of a channel from left to right, with as few crossings as possible."""

    def crossings(order: tuple[Upright, ...]) -> int:
        return sum(
            _between(first.right, second.span) + _between(second.left, first.span)
            for i, first in enumerate(order)
            for second in order[i + 1 :]
        )

    if len(uprights) <= _EXHAUSTIVE:
        return min(permutations(uprights), key=crossings)
    return tuple(sorted(uprights, key=lambda upright: upright.span))


def _between(heights: Sequence[float], span: tuple[float, float]) -> int:
    return sum(span[0] < height < span[1] for height in heights)
