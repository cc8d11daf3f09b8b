"""Layout of mathematics: what stands where, before any output language is chosen.

A formula becomes a tree of boxes once (``notation``); LaTeX, MathML, plain text
and SVG text are four printers of that tree, so the same symbols appear in every
output. Boxes hold text and structure only: they compute nothing, and they are
compared by value, so the same formula always prints to the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Box:
    """Base of all boxes."""


@dataclass(frozen=True, slots=True)
class Ident(Box):
    """An identifier: one letter, a Greek letter by its Unicode character, or a word.

    ``style``: ``italic`` for scalars and indices, ``bold`` for nothing by default,
    ``upright`` for words such as a user's multi-letter name.
    """

    text: str
    style: Literal["italic", "bold", "upright"] = "italic"


@dataclass(frozen=True, slots=True)
class Number(Box):
    """A literal number, as it is to be read."""

    text: str


@dataclass(frozen=True, slots=True)
class Op(Box):
    """An operator character: ``+ − = ⊙ · , ≠ ≥ ≤ ∈ … ⋯ ∣ ∂ d ⊤`` and the like.

    ``kind`` decides the spacing. ``invisible`` is the product by juxtaposition.
    """

    text: str
    kind: Literal["binary", "relation", "prefix", "punctuation", "ordinary", "invisible"] = "binary"


@dataclass(frozen=True, slots=True)
class Row(Box):
    """Boxes side by side. A line may be broken before a top-level binary ``Op``."""

    items: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Script(Box):
    """A base with a subscript, a superscript, or both (either may be None)."""

    base: Box
    sub: Box | None = None
    sup: Box | None = None


@dataclass(frozen=True, slots=True)
class Frac(Box):
    """A fraction."""

    over: Box
    under: Box


@dataclass(frozen=True, slots=True)
class Root(Box):
    """A square root."""

    body: Box


@dataclass(frozen=True, slots=True)
class Big(Box):
    """A sum or a product with limits: ``text`` is ``∑`` or ``∏``."""

    text: Literal["∑", "∏"]
    lower: Box
    upper: Box
    body: Box


@dataclass(frozen=True, slots=True)
class Fence(Box):
    """Something between delimiters: ``(``, ``[``, ``{``, ``⟨``, ``|``, ``‖``."""

    body: Box
    left: str = "("
    right: str = ")"


@dataclass(frozen=True, slots=True)
class Call(Box):
    """A named function applied: tanh(…), σ(…), diag(…); ``sub`` stands at the name: relu₀(…)."""

    name: str
    arguments: tuple[Box, ...]
    sub: Box | None = None


@dataclass(frozen=True, slots=True)
class Grid(Box):
    """A matrix of boxes between brackets (``[`` or ``(``)."""

    rows: tuple[tuple[Box, ...], ...]
    bracket: Literal["[", "("] = "["


@dataclass(frozen=True, slots=True)
class Cases(Box):
    """A function by cases: (value, condition) per row, left brace."""

    rows: tuple[tuple[Box, Box], ...]


@dataclass(frozen=True, slots=True)
class Restrict(Box):
    """``body |_{sub}``: a derivative restricted to paths through ``sub``."""

    body: Box
    sub: Box


@dataclass(frozen=True, slots=True)
class Words(Box):
    """Upright text inside a formula, such as ``for t < T`` or ``otherwise``."""

    text: str


@dataclass(frozen=True, slots=True)
class Under(Box):
    """A formula with a brace below it and a remark under the brace."""

    body: Box
    remark: Box = field(default_factory=lambda: Words(""))
