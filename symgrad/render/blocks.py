"""The pieces of a document, before any output language is chosen.

A derivation becomes a ``Document`` once; HTML, LaTeX and Markdown are printers
of it. Text is a tuple of ``str`` and ``Box``: a string is prose and is escaped by
the printer, a box is inline mathematics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from symgrad.render.layout import Box

Text = tuple["str | Box", ...]
VerdictName = Literal["given", "proved", "checked", "tested", "refuted", "undecided"]


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section or a subsection."""

    level: int  # 1 = section, 2 = subsection
    text: Text


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Prose with formulas."""

    text: Text


@dataclass(frozen=True, slots=True)
class Display:
    """One displayed equation: ``left = right`` possibly over several lines.

    ``right`` holds one box per line of a chain ``left = r1 = r2 …``; a printer may
    break each further, before a top-level binary operator, when it is too wide.
    ``label`` is the document-wide number ("3" prints as "(3)" and is the anchor
    ``eq-3``); ``rule`` says in words which rule gives the equation; ``conditions``
    is the scope in words and mathematics ("for t ≥ 2").
    """

    label: str
    left: Box
    relation: str  # "=", "≠", "≤" …
    right: tuple[Box, ...]
    rule: Text
    verdict: VerdictName
    conditions: Text = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a header; every row is as long as the header."""

    header: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]
    caption: Text = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture in each language: inline SVG, LaTeX code, and words for everybody else."""

    svg: str
    latex: str
    caption: Text
    alternative: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Preformatted text: a printed graph, an induction, a piece of Python."""

    text: str
    language: str = "text"


@dataclass(frozen=True, slots=True)
class Items:
    """A list with bullets."""

    items: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """An induction or another proof: a title and lines, each an equation with its reason."""

    title: Text
    lines: tuple[tuple[Text, Text], ...]  # (statement, reason)


Block = Heading | Paragraph | Display | Table | Figure | Listing | Items | Proof


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that is printed, in order, before any output format is chosen."""

    name: str  # file name without suffix
    title: str
    summary: str  # one sentence for the index page
    blocks: tuple[Block, ...]
