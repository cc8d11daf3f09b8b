r"""A picture as a LaTeX ``picture`` environment, in the places that ``layered`` chose.

Only horizontal and vertical lines, quadratic curves and discs are drawn, which every
LaTeX can do by itself: the preamble needs xcolor and amsmath, and pict2e may be
loaded but need not be.
"""

from __future__ import annotations

from symgrad.render.latex_math import latex
from symgrad.render.layered import place
from symgrad.render.layout import Ident
from symgrad.render.picture import Picture
from symgrad.render.picture_drawing import Band, Frame, Head, Point, Stroke, Text, length, toward
from symgrad.render.picture_text import flat

_UNIT = 0.72  # points per unit: node labels of 15 units stand beside 10 point letters
_ACCENT = r"\color[HTML]{B5420F}"
_ROUND = 5.0
_DASH, _DASH_GAP = 3.5, 2.5
_DOT, _DOT_GAP = 1.1, 2.3


def picture_latex(picture: Picture) -> str:
    r"""The environment, to be put into a ``\resizebox`` of the width of the line."""
    drawing = place(picture)
    pen = _Pen(drawing.height)
    back = [s for s in drawing.strokes if s.flow == "backward"]
    lines = [
        r"\begingroup",
        rf"\setlength{{\unitlength}}{{{_UNIT}pt}}",
        rf"\begin{{picture}}({_n(drawing.width)},{_n(drawing.height)})",
        *[pen.band(band) for band in drawing.bands],
        "{" + _ACCENT + r"\linethickness{0.45pt}",
        *[line for stroke in back for line in pen.stroke(stroke)],
        *[pen.open_head(head) for head in drawing.heads if head.flow == "backward"],
        "}{" + r"\linethickness{0.6pt}",
        *[line for s in drawing.strokes if s.flow == "forward" for line in pen.stroke(s)],
        *[pen.filled_head(head) for head in drawing.heads if head.flow == "forward"],
        *[pen.dot(dot) for dot in drawing.dots],
        *[line for frame in drawing.frames for line in pen.frame(frame)],
        "}",
        *[pen.text(text) for text in drawing.texts],
        r"\end{picture}",
        r"\endgroup",
    ]
    return "%\n".join(lines) + "%\n"


def _n(value: float) -> str:
    """A coordinate with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


class _Pen:
    """Turns things with y downwards into commands with y upwards."""

    def __init__(self, height: float) -> None:
        self.height = height

    def at(self, x: float, y: float) -> str:
        return f"({_n(x)},{_n(self.height - y)})"

    def band(self, band: Band) -> str:
        rule = rf"\rule{{{_n(band.width)}\unitlength}}{{{_n(band.height)}\unitlength}}"
        return rf"\put{self.at(band.x, band.y + band.height)}{{\color[gray]{{0.95}}{rule}}}"

    def dot(self, point: Point) -> str:
        return rf"\put{self.at(*point)}{{\circle*{{4.2}}}}"

    def stroke(self, stroke: Stroke) -> list[str]:
        """Straight stretches, and a quarter of a circle at each corner."""
        dash = (_DASH, _DASH_GAP) if stroke.flow == "backward" else None
        return self.path(stroke.points, _ROUND, dash)

    def path(
        self, points: tuple[Point, ...], radius: float, dash: tuple[float, float] | None
    ) -> list[str]:
        """A rounded path; ``dash`` is the length of a dash and of the room after it."""
        out: list[str] = []
        start = points[0]
        for before, here, after in zip(points, points[1:], points[2:], strict=False):
            bend = min(radius, length(before, here) / 2, length(here, after) / 2)
            a, b = toward(here, before, bend), toward(here, after, bend)
            out += self.straight(start, a, dash)
            dots = "[5]" if dash == (_DOT, _DOT_GAP) else ""
            out.append(rf"\qbezier{dots}{self.at(*a)}{self.at(*here)}{self.at(*b)}")
            start = b
        return out + self.straight(start, points[-1], dash)

    def straight(self, a: Point, b: Point, dash: tuple[float, float] | None) -> list[str]:
        """A horizontal or vertical line from its lower or left end, whole or in dashes."""
        whole = length(a, b)
        if whole < 0.01:
            return []
        level = abs(a[1] - b[1]) < abs(a[0] - b[0])
        x, y = min(a[0], b[0]), max(a[1], b[1])
        way = "(1,0)" if level else "(0,1)"
        if dash is None:
            return [rf"\put{self.at(x, y)}{{\line{way}{{{_n(whole)}}}}}"]
        count = max(1, round((whole + dash[1]) / sum(dash)))
        period = (whole + dash[1]) / count
        step = f"({_n(period)},0)" if level else f"(0,{_n(period)})"
        piece = rf"\line{way}{{{_n(min(whole, period - dash[1]))}}}"
        return [rf"\multiput{self.at(x, y)}{step}{{{count}}}{{{piece}}}"]

    def filled_head(self, head: Head) -> str:
        way = {"right": "(1,0)", "left": "(-1,0)", "up": "(0,1)", "down": "(0,-1)"}[head.toward]
        return rf"\put{self.at(head.x, head.y)}{{\thicklines\vector{way}{{0}}}}"

    def open_head(self, head: Head) -> str:
        """Two short strokes that meet at the tip."""
        along = {"right": (-1, 0), "left": (1, 0), "up": (0, 1), "down": (0, -1)}[head.toward]
        out = ""
        for side in (-3.2, 3.2):
            x = head.x + along[0] * 6.5 + along[1] * side
            y = head.y + along[1] * 6.5 + along[0] * side
            middle = ((x + head.x) / 2, (y + head.y) / 2)
            out += rf"\qbezier{self.at(x, y)}{self.at(*middle)}{self.at(head.x, head.y)}"
        return out

    def frame(self, frame: Frame) -> list[str]:
        """Square for inputs and outputs (thick), rounded for the rest, double for states."""
        if frame.kind == "input":
            return self.box(frame, 0.0, 0.0, None)
        if frame.kind == "output":
            thick = self.box(frame, 0.0, 0.0, None) + self.box(frame, 1.0, 0.0, None)
            return thick + self.box(frame, 0.5, 0.0, None)
        if frame.kind == "signal":
            return self.box(frame, 0.0, 8.0, None)
        if frame.kind == "initial":
            return self.box(frame, 0.0, 9.0, (_DOT, _DOT_GAP))
        return self.box(frame, 0.0, 11.0, None) + self.box(frame, 3.0, 8.0, None)

    def box(
        self, frame: Frame, inset: float, radius: float, dash: tuple[float, float] | None
    ) -> list[str]:
        """A rectangle, begun in the middle of its upper side so that four corners bend."""
        left, top = frame.x + inset, frame.y + inset
        right, bottom = frame.x + frame.width - inset, frame.y + frame.height - inset
        middle = (left + right) / 2
        if radius == 0.0:
            sides = (((left, top), (right, top)), ((left, bottom), (right, bottom)))
            ends = (((left, top), (left, bottom)), ((right, top), (right, bottom)))
            return [line for a, b in sides + ends for line in self.straight(a, b, dash)]
        radius = min(radius, (bottom - top) / 2)
        corners = ((middle, top), (right, top), (right, bottom), (left, bottom), (left, top))
        return self.path((*corners, (middle, top)), radius, dash)

    def text(self, text: Text) -> str:
        """Mathematics at its baseline; tags in a bold sans serif."""
        size = r"\normalsize" if text.role == "node" else r"\small"
        shown = rf"{size}$\mathstrut {latex(flat(text.box))}$"
        if text.role == "tag" and isinstance(text.box, Ident):
            shown = rf"\footnotesize\textsf{{\textbf{{{text.box.text}}}}}"
        if text.role == "adjoint":
            shown = _ACCENT + shown
        if text.anchor == "middle":
            shown = rf"\makebox[0pt]{{{shown}}}"
        return rf"\put{self.at(text.x, text.y)}{{{shown}}}"
