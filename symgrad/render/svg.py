"""A picture as self-contained SVG: no scripts, no outside references, no fonts of its own.

Lines and letters take the colour of the surrounding text, so the picture follows a
dark page; the gradient has a colour of its own (``--symgrad-gradient`` overrides it),
but is told by its dashes and open heads alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from html import escape

from symgrad.render.layered import place
from symgrad.render.picture import Picture
from symgrad.render.picture_drawing import Band, Frame, Head, Point, Stroke, Text, length, toward
from symgrad.render.picture_text import Run, plain, runs

SERIF = "'STIX Two Text','Times New Roman','Liberation Serif','DejaVu Serif',serif"
SANS = "'Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif"
_ACCENT = "#c8551d"
_BACK = f'stroke="{_ACCENT}" style="stroke:var(--symgrad-gradient,{_ACCENT})"'
_BACK_TEXT = f'fill="{_ACCENT}" style="fill:var(--symgrad-gradient,{_ACCENT})"'
_ROUND = 5.0
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(picture: Picture) -> str:
    """The picture as one ``<svg>`` element, ready for a page or a file of its own."""
    drawing = place(picture)
    body = [
        _group('stroke="none" fill="currentColor" fill-opacity="0.05"', map(_band, drawing.bands)),
        _group(
            f'fill="none" stroke-width="1" stroke-dasharray="3.5 2.5" {_BACK}',
            [_path(s) for s in drawing.strokes if s.flow == "backward"],
        ),
        _group(
            'fill="none" stroke="currentColor" stroke-width="1.2"',
            [_path(s) for s in drawing.strokes if s.flow == "forward"],
        ),
        _group('fill="currentColor" stroke="none"', map(_dot, drawing.dots)),
        _group(
            'fill="currentColor" stroke="none"',
            [_head(h) for h in drawing.heads if h.flow == "forward"],
        ),
        _group(
            f'fill="none" stroke-width="1.1" {_BACK}',
            [_head(h) for h in drawing.heads if h.flow == "backward"],
        ),
        _group('fill="none" stroke="currentColor" stroke-width="1.2"', map(_frame, drawing.frames)),
        _group(
            f'fill="currentColor" stroke="none" font-family="{SERIF}"', map(_text, drawing.texts)
        ),
    ]
    described = _description(picture)
    name = "p" + sha256(repr(picture).encode()).hexdigest()[:12]
    wide, tall = _n(drawing.width), _n(drawing.height)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {wide} {tall}" '
            f'width="{wide}" height="{tall}" '
            f'aria-labelledby="{name}-title {name}-desc">',
            f'<title id="{name}-title">{_safe(picture.title)}</title>',
            f'<desc id="{name}-desc">{_safe(described)}</desc>',
            *filter(None, body),
            "</svg>\n",
        ]
    )


def _description(picture: Picture) -> str:
    """Every edge in words, for those who do not see the picture."""
    labels = {node.key: plain(node.label) for node in picture.nodes}
    said = [
        f"{labels[edge.source]} to {labels[edge.target]}, Jacobian {plain(edge.jacobian)}"
        for edge in picture.edges
    ]
    parts = ["Computation graph, time to the right. Forward edges: " + "; ".join(said) + "."]
    parts.append("The gradient runs back along every edge, by the transposed Jacobian.")
    if picture.adjoints:
        adjoints = [f"{plain(a.label)} at {labels[a.node]}" for a in picture.adjoints]
        parts.append("Adjoints: " + ", ".join(adjoints) + ".")
    if picture.gap_label and None in picture.times:
        parts.append(f"Gap: {picture.gap_label}.")
    if picture.parameters:
        parts.append("Shared by every step: " + ", ".join(map(plain, picture.parameters)) + ".")
    return " ".join(parts)


def _group(attributes: str, items: Iterable[str]) -> str:
    """The items under common attributes; nothing for no items."""
    lines = list(items)
    return "\n".join([f"<g {attributes}>", *lines, "</g>"]) if lines else ""


def _n(value: float) -> str:
    """A coordinate with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _safe(text: str) -> str:
    """Text for XML: markup escaped, characters that XML forbids replaced."""
    return escape(_FORBIDDEN.sub("\ufffd", text), quote=True)


def _band(band: Band) -> str:
    x, y, wide, tall = map(_n, (band.x, band.y, band.width, band.height))
    return f'<rect x="{x}" y="{y}" width="{wide}" height="{tall}" rx="6"/>'


def _dot(point: Point) -> str:
    return f'<circle cx="{_n(point[0])}" cy="{_n(point[1])}" r="2.4"/>'


def _path(stroke: Stroke) -> str:
    """A line whose right angles are rounded as far as its stretches allow."""
    points = stroke.points
    out = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_ROUND, length(before, here) / 2, length(here, after) / 2)
        a, b = toward(here, before, radius), toward(here, after, radius)
        out.append(f"L{_n(a[0])} {_n(a[1])}Q{_n(here[0])} {_n(here[1])} {_n(b[0])} {_n(b[1])}")
    out.append(f"L{_n(points[-1][0])} {_n(points[-1][1])}")
    return f'<path d="{"".join(out)}"/>'


_TURN = {"right": 0, "down": 90, "left": 180, "up": 270}


def _head(head: Head) -> str:
    shape = "M0 0L-8 -3.2L-8 3.2Z" if head.flow == "forward" else "M-6.5 -3.2L-0.6 0L-6.5 3.2"
    turn = f" rotate({_TURN[head.toward]})" if _TURN[head.toward] else ""
    return f'<path d="{shape}" transform="translate({_n(head.x)} {_n(head.y)}){turn}"/>'


def _frame(frame: Frame) -> str:
    """Square for inputs and outputs (thick), rounded for the rest, double for states."""
    extra = {
        "input": "",
        "output": ' stroke-width="2.4"',
        "signal": ' rx="8"',
        "state": ' rx="11"',
        "initial": ' rx="11" stroke-dasharray="1.3 2.6" stroke-linecap="round" stroke-width="1.5"',
    }[frame.kind]
    out = _rectangle(frame, 0.0, extra)
    if frame.kind == "state":
        out += _rectangle(frame, 3.0, ' rx="8"')
    return out


def _rectangle(frame: Frame, inset: float, extra: str) -> str:
    x, y = _n(frame.x + inset), _n(frame.y + inset)
    wide, tall = _n(frame.width - 2 * inset), _n(frame.height - 2 * inset)
    return f'<rect x="{x}" y="{y}" width="{wide}" height="{tall}"{extra}/>'


def _text(text: Text) -> str:
    """One ``<text>``; scripts are shifted by dy and taken back by the next run's dy."""
    attributes = f'x="{_n(text.x)}" y="{_n(text.y)}" font-size="{_n(text.size)}"'
    if text.anchor == "middle":
        attributes += ' text-anchor="middle"'
    if text.role == "tag":
        attributes += f' font-family="{SANS}" font-weight="bold"'
    if text.role == "adjoint":
        attributes += f" {_BACK_TEXT}"
    height = 0.0
    spans = []
    for run in runs(text.box):
        spans.append(_span(run, text.size, height))
        height = run.shift
    return f'<text {attributes} data-role="{text.role}">{"".join(spans)}</text>'


def _span(run: Run, size: float, height: float) -> str:
    attributes = ""
    if run.kern:
        attributes += f' dx="{_n(run.kern * size)}"'
    if run.shift != height:
        attributes += f' dy="{_n((height - run.shift) * size)}"'
    if run.scale != 1.0:
        attributes += f' font-size="{_n(run.scale * size)}"'
    if run.style == "italic":
        attributes += ' font-style="italic"'
    if run.style == "bold":
        attributes += ' font-weight="bold"'
    return f"<tspan{attributes}>{_safe(run.text)}</tspan>"
