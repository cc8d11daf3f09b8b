"""Writing a derivation: what a document module calls, in the order of reading.

Each method states equations, gets their evidence and fails at once when one does not
hold: a document with a refuted or undecided equation does not exist.
"""

from __future__ import annotations

from collections.abc import Callable

from symgrad.cell import Cell
from symgrad.derivation.evidence import Evidence
from symgrad.derivation.foundations import ProofParts
from symgrad.derivation.model import (
    Derivation,
    InductionProof,
    Item,
    Picture,
    Prose,
    Section,
    Step,
    Text,
)
from symgrad.errors import FailedCheck, Undecided, UsageError
from symgrad.graph import unroll
from symgrad.lang.nodes import Node
from symgrad.verify.verdict import GIVEN, Verdict

Progress = Callable[[str], None]


def _silent(message: str) -> None:
    """No progress is shown."""


class Writer:
    """Collects the sections of one document.

    Args:
        name: file name without suffix.
        title, summary: for the page and the index.
        progress: told each equation before it is checked.
    """

    def __init__(self, name: str, title: str, summary: str, progress: Progress = _silent) -> None:
        self.name = name
        self.title = title
        self.summary = summary
        self._progress = progress
        self._sections: list[tuple[str, list[Item]]] = []
        self._count = 0
        self._evidence: dict[int, tuple[Cell, Evidence]] = {}

    @property
    def count(self) -> int:
        """How many equations have been written."""
        return self._count

    # ---- structure ----

    def section(self, title: str) -> None:
        """Begin a section."""
        self._sections.append((title, []))

    def text(self, text: str) -> None:
        """A paragraph of prose; ``$…$`` is mathematics."""
        self.add(Prose(" ".join(text.split())))

    def listing(self, text: str, language: str = "text") -> None:
        """Preformatted text."""
        self.add(Text(text, language))

    def picture(self, cell: Cell, T: int, caption: str) -> None:
        """The graph unrolled over T steps."""
        self.add(Picture(unroll(cell, T), caption))

    def add(self, item: Item) -> None:
        if not self._sections:
            raise UsageError(f"document {self.name!r}: begin with a section")
        self._sections[-1][1].append(item)

    def finish(self) -> Derivation:
        """The derivation as written."""
        sections = tuple(Section(title, tuple(items)) for title, items in self._sections)
        return Derivation(self.name, self.title, self.summary, sections)

    # ---- statements ----

    def evidence(self, cell: Cell) -> Evidence:
        """Checks about a cell, shared by its statements."""
        found = self._evidence.get(id(cell))
        if found is None:
            found = self._evidence[id(cell)] = (cell, Evidence(cell))
        return found[1]

    def given(self, cell: Cell, left: Node, right: Node, rule: str, condition: str = "") -> Step:
        """A definition or an assumption."""
        return self.state(cell, left, (right,), rule, lambda: GIVEN, condition)

    def state(
        self,
        cell: Cell,
        left: Node,
        chain: tuple[Node, ...],
        rule: str,
        check: Callable[[], Verdict],
        condition: str = "",
        at_least: str = "tested",
    ) -> Step:
        """An equation with its evidence.

        Raises:
            FailedCheck: it does not hold, or falls below ``at_least``; the message names
                the equation and the witness.
        """
        label = str(self._count + 1)
        self._progress(f"{self.name}: equation {label}")
        verdict = check()
        if not verdict.reaches(at_least):
            shown = f"{left!r} = {chain[-1]!r}"
            wanted = "" if not verdict.holds else f" (at least {at_least} is asked for)"
            kind = Undecided if verdict.status == "undecided" else FailedCheck
            raise kind(f"document {self.name!r}, equation ({label}), {shown}: {verdict!r}{wanted}")
        self._count += 1
        step = Step(label, left, chain, rule, verdict, condition, cell.reading, check)
        self.add(step)
        return step

    def induction(self, step: Step, title: str) -> None:
        """Print the induction that proves a step."""
        proof = step.verdict.proof
        found = proof.induction if isinstance(proof, ProofParts) else None
        if found is None:
            raise UsageError(
                f"document {self.name!r}: equation ({step.label}) is not proved by one induction"
            )
        self.add(InductionProof(title, found, step.reading))
