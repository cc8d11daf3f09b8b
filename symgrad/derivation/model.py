"""A derivation as data: sections of prose, statements with verdicts, pictures and proofs.

Nothing here prints. A ``Step`` keeps the check that gave its verdict, so a derivation
can recompute all of its evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from symgrad.graph import Graph
from symgrad.lang.display import Displayable
from symgrad.lang.nodes import Node
from symgrad.verify.induction import Induction
from symgrad.verify.verdict import Verdict, weakest


@dataclass(frozen=True, repr=False)
class Step(Displayable):
    """One displayed equation ``left = chain[0] = chain[1] = …``.

    Attributes:
        label: its number in the document.
        rule: which rule gives it, as prose with ``$…$``.
        condition: for which times, as prose.
        reading: vector or scalar, for the notation of products.
        check: recomputes the verdict.
    """

    display_kind: ClassVar[str] = "step"

    label: str
    left: Node
    chain: tuple[Node, ...]
    rule: str
    verdict: Verdict
    condition: str = ""
    reading: Literal["vector", "scalar"] = "vector"
    check: Callable[[], Verdict] | None = field(default=None, compare=False, repr=False)

    def replay(self) -> Verdict:
        """The verdict, computed again."""
        return self.verdict if self.check is None else self.check()


@dataclass(frozen=True)
class Prose:
    """A paragraph; ``$…$`` is mathematics."""

    text: str


@dataclass(frozen=True)
class Picture:
    """The unrolled computation graph."""

    graph: Graph
    caption: str


@dataclass(frozen=True)
class InductionProof:
    """An induction in full."""

    title: str
    induction: Induction
    reading: Literal["vector", "scalar"]


@dataclass(frozen=True)
class FormRow:
    """A form of a gradient in the table of forms."""

    name: str
    equations: tuple[str, ...]  # labels
    scope: str
    cost: str
    verdict: Verdict


@dataclass(frozen=True)
class FormsTable:
    """The forms of one gradient side by side."""

    caption: str
    rows: tuple[FormRow, ...]


@dataclass(frozen=True)
class Text:
    """Preformatted text, such as a straight-line program."""

    text: str
    language: str = "text"


Item = Prose | Step | Picture | InductionProof | FormsTable | Text


@dataclass(frozen=True)
class Section:
    """A titled part of a document."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True, repr=False)
class Derivation(Displayable):
    """A whole document before rendering."""

    display_kind: ClassVar[str] = "derivation"

    name: str
    title: str
    summary: str
    sections: tuple[Section, ...]

    def steps(self) -> Iterator[Step]:
        """Every displayed equation, in order."""
        for section in self.sections:
            for item in section.items:
                if isinstance(item, Step):
                    yield item

    @property
    def verdict(self) -> Verdict:
        """The weakest verdict of all equations."""
        return weakest([step.verdict for step in self.steps()])

    def replay(self) -> Verdict:
        """Recompute every verdict; the weakest."""
        return weakest([step.replay() for step in self.steps()])
