"""What stands below a picture: the meaning of lines, borders and tags.

Edges whose formulas are short carry them; otherwise each kind of edge has a tag, the
same at every step, and the legend gives its Jacobian at a general step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symgrad.render.layout import Box, Ident, Op, Row, Words
from symgrad.render.picture import EdgeKind, Kind, LegendEntry, Picture, identifiers
from symgrad.render.picture_drawing import (
    EDGE,
    MARGIN,
    NOTE,
    Frame,
    Head,
    Stroke,
    Text,
    wrapped,
)
from symgrad.render.picture_order import Arrangement
from symgrad.render.picture_text import runs, width

LEAST_WIDTH = 580.0  # of a picture with a legend
TAGS = "ABCDEFGHKLMNPRSTUVWXYZ"  # without I, J, O and Q: too like other signs, or too deep
WIDEST_FORMULA, MOST_FORMULAS = 150.0, 4  # beyond these, edges carry tags


def edge_tags(
    picture: Picture,
    entries: tuple[LegendEntry, ...],
    arrangement: Arrangement,
) -> dict[EdgeKind, str] | None:
    """A capital per kind of edge, or None when the formulas themselves fit."""
    widest = max((width(runs(edge.jacobian), EDGE) for edge in picture.edges), default=0.0)
    if len(entries) <= MOST_FORMULAS and widest <= WIDEST_FORMULA:
        return None
    taken = {name for entry in entries for name in identifiers(entry.jacobian)}
    taken |= {name for node in picture.nodes for name in identifiers(node.label)}
    letters = [letter for letter in TAGS if letter not in taken]
    names = iter([*letters, *(a + b for a in letters for b in letters)])
    depth, rows = arrangement.depth, arrangement.rows
    order = sorted(
        (entry.kind for entry in entries),
        key=lambda kind: (depth[kind[1]], rows.index(kind[1]), rows.index(kind[0]), kind),
    )
    return {kind: next(names) for kind in order}


@dataclass(slots=True)
class Legend:
    """The parts of a legend, how wide it is, and the height ``y`` where it ends."""

    width: float
    y: float
    strokes: list[Stroke] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


def place_legend(
    picture: Picture,
    entries: tuple[LegendEntry, ...],
    tags: Mapping[EdgeKind, str] | None,
    room: float,
    y: float,
) -> Legend:
    """The legend below a picture that is ``room`` wide and ends at ``y``."""
    legend = Legend(max(room, LEAST_WIDTH), y + 22)
    _lines_key(legend)
    _frames_key(legend, {node.kind for node in picture.nodes})
    if picture.parameters:
        _parameters(legend, picture.parameters)
    if tags is not None:
        _jacobians(legend, entries, tags)
    return legend


def _lines_key(legend: Legend) -> None:
    """What solid and dashed mean; on one line where that fits."""
    x, y = MARGIN, legend.y
    legend.strokes.append(Stroke(((x, y), (x + 34, y)), "forward"))
    legend.heads.append(Head(x + 34, y, "right", "forward"))
    forward = Text(x + 42, y + 4, Words("forward pass"), NOTE)
    said = (
        "gradient: each arrow multiplies by the transposed Jacobian on its edge, "
        "and where arrows join they add"
    )
    x = forward.bounds()[2] + 22
    lines = wrapped(said, legend.width - MARGIN - x - 42)
    if len(lines) > 1:
        x, y = MARGIN, y + 20
        lines = wrapped(said, legend.width - MARGIN - x - 42)
    legend.strokes.append(Stroke(((x + 34, y), (x, y)), "backward"))
    legend.heads.append(Head(x, y, "left", "backward"))
    legend.texts.append(forward)
    for i, line in enumerate(lines):
        legend.texts.append(Text(x + 42, y + 4 + 17 * i, Words(line), NOTE))
    legend.y = y + 17 * len(lines) + 6


_NAMES: dict[Kind, str] = {
    "input": "input",
    "initial": "initial state",
    "signal": "signal within the step",
    "state": "state",
    "output": "output",
}


def _frames_key(legend: Legend, present: set[Kind]) -> None:
    """What the borders mean, for the kinds that occur."""
    x, y = MARGIN, legend.y
    for kind, name in _NAMES.items():
        if kind not in present:
            continue
        words = Text(x + 34, y + 4, Words(name), NOTE)
        if words.bounds()[2] > legend.width - MARGIN:
            x, y = MARGIN, y + 22
            words = Text(x + 34, y + 4, Words(name), NOTE)
        legend.frames.append(Frame(x, y - 8, 26, 16, kind))
        legend.texts.append(words)
        x = words.bounds()[2] + 22
    legend.y = y + 24


def _parameters(legend: Legend, parameters: tuple[Box, ...]) -> None:
    """The parameters every step shares, on as many lines as they need."""
    line: list[Box] = [Words("shared by every step: ")]
    for i, parameter in enumerate(parameters):
        comma: list[Box] = [Op(",", "punctuation")] if i else []
        whole = Row((*line, *comma, parameter))
        if i and width(runs(whole), NOTE) > legend.width - 2 * MARGIN:
            legend.texts.append(Text(MARGIN, legend.y + 4, Row((*line, *comma)), NOTE))
            legend.y += 20
            line = [parameter]
        else:
            line += [*comma, parameter]
    legend.texts.append(Text(MARGIN, legend.y + 4, Row(tuple(line)), NOTE))
    legend.y += 24


def _jacobians(
    legend: Legend, entries: tuple[LegendEntry, ...], tags: Mapping[EdgeKind, str]
) -> None:
    """Tag, edge and Jacobian of every kind of edge, in columns."""
    names = list(tags.values())
    ordered = sorted(entries, key=lambda entry: names.index(tags[entry.kind]))
    ways = [Row((e.source, Op("→", "relation"), e.target)) for e in ordered]
    tag_room = 8 + max(width(runs(Words(name)), EDGE) for name in names)
    way_room = max(width(runs(way), NOTE) for way in ways) + 16
    formula_room = max(width(runs(entry.jacobian), NOTE) for entry in ordered)
    whole = tag_room + way_room + formula_room + 28
    across = max(1, int((legend.width - 2 * MARGIN + 28) // whole))
    down = -(-len(ordered) // across)
    for i, (entry, way) in enumerate(zip(ordered, ways, strict=True)):
        x, y = MARGIN + whole * (i // down), legend.y + 4 + 21 * (i % down)
        tag = Ident(tags[entry.kind], "upright")
        legend.texts.append(Text(x, y, tag, EDGE, "start", "tag"))
        legend.texts.append(Text(x + tag_room, y, way, NOTE))
        formula = Text(x + tag_room + way_room, y, entry.jacobian, NOTE)
        legend.texts.append(formula)
        legend.width = max(legend.width, formula.bounds()[2] + MARGIN)
    legend.y += 21 * down
