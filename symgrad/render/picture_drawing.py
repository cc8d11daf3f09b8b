"""A picture with a place for everything: lines, tips, borders and texts.

What ``layered`` makes and ``svg`` and ``picture_latex`` print; y grows downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from symgrad.render.layout import Box, Words
from symgrad.render.picture_text import extent, runs, width

Flow = Literal["forward", "backward"]
Point = tuple[float, float]

NODE, EDGE, NOTE = 15.0, 12.5, 12.5  # font sizes
MARGIN = 10.0
BOLD = 1.12  # how much wider a tag is than the same letters in regular type


@dataclass(frozen=True, slots=True)
class Text:
    """A formula or words; ``y`` is the baseline, ``x`` the start or the middle."""

    x: float
    y: float
    box: Box
    size: float
    anchor: Literal["start", "middle"] = "start"
    role: Literal["node", "edge", "tag", "adjoint", "note"] = "note"

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, by the estimated widths."""
        parts = runs(self.box)
        wide = width(parts, self.size) * (BOLD if self.role == "tag" else 1.0)
        up, down = extent(parts, self.size)
        left = self.x - wide / 2 if self.anchor == "middle" else self.x
        return left, self.y - up, left + wide, self.y + down


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line with right angles; its corners may be rounded."""

    points: tuple[Point, ...]
    flow: Flow


@dataclass(frozen=True, slots=True)
class Head:
    """The tip of an arrow: filled for forward, open for backward."""

    x: float
    y: float
    toward: Literal["left", "right", "up", "down"]
    flow: Flow


@dataclass(frozen=True, slots=True)
class Frame:
    """The border of a node, by its kind."""

    x: float
    y: float
    width: float
    height: float
    kind: Literal["input", "initial", "state", "signal", "output"]


@dataclass(frozen=True, slots=True)
class Band:
    """The area of one time step, shaded in every second step."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything with its place."""

    width: float
    height: float
    bands: tuple[Band, ...]
    strokes: tuple[Stroke, ...]
    dots: tuple[Point, ...]
    heads: tuple[Head, ...]
    frames: tuple[Frame, ...]
    texts: tuple[Text, ...]


def length(a: Point, b: Point) -> float:
    """The length of a horizontal or vertical stretch."""
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def toward(a: Point, b: Point, distance: float) -> Point:
    """The point at a distance from ``a`` on the way to ``b``."""
    whole = length(a, b) or 1.0
    return a[0] + (b[0] - a[0]) * distance / whole, a[1] + (b[1] - a[1]) * distance / whole


def wrapped(words: str, room: float) -> list[str]:
    """Words on lines that fit; a word longer than a line has one of its own."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(runs(Words(longer)), NOTE) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
