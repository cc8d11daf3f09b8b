"""A derivation as a document: statements become displays, proofs lists, verdicts tables."""

from __future__ import annotations

from symgrad.derivation.model import (
    Derivation,
    FormsTable,
    InductionProof,
    Item,
    Picture,
    Prose,
    Step,
)
from symgrad.derivation.model import Text as PlainText
from symgrad.lang.nodes import Node
from symgrad.render.blocks import (
    Block,
    Display,
    Document,
    Figure,
    Heading,
    Items,
    Listing,
    Paragraph,
    Proof,
    Table,
    Text,
)
from symgrad.render.graph_picture import picture
from symgrad.render.inline import inline
from symgrad.render.layout import Box, Op, Row
from symgrad.render.notation import Reading, box
from symgrad.render.notation_list import notation_list
from symgrad.render.picture_latex import picture_latex
from symgrad.render.svg import svg
from symgrad.verify.induction import Induction
from symgrad.verify.verdict import Verdict


def document(derivation: Derivation) -> Document:
    """The derivation with its evidence table, ready to be printed in any format."""
    blocks: list[Block] = []
    for section in derivation.sections:
        blocks.append(Heading(1, inline(section.title)))
        for item in section.items:
            blocks.extend(_blocks(item))
    blocks.append(Heading(1, ("Evidence",)))
    blocks.append(Paragraph((_EVIDENCE,)))
    blocks.append(evidence_table(derivation))
    blocks.append(Heading(1, ("Notation",)))
    blocks.append(Items(notation_list(derivation)))
    return Document(derivation.name, derivation.title, derivation.summary, tuple(blocks))


_EVIDENCE = (
    "Every displayed equation has a verdict. Given: a definition. Proved: for all values in the "
    "scope, by a proof that can be recomputed. Checked: exact, for the finite scope that is named."
)


def evidence_table(derivation: Derivation) -> Table:
    """Verdict, scope and evidence of every equation; neighbours with the same are one row."""
    groups: list[tuple[list[str], Verdict]] = []
    for step in derivation.steps():
        verdict = step.verdict
        same = groups and (groups[-1][1].status, groups[-1][1].whole_scope, groups[-1][1].how) == (
            verdict.status,
            verdict.whole_scope,
            verdict.how,
        )
        if same:
            groups[-1][0].append(step.label)
        else:
            groups.append(([step.label], verdict))
    rows = tuple(
        (
            (_labels(labels),),
            (verdict.status,),
            _plain_math(verdict.whole_scope or "–"),
            _plain_math("; ".join(verdict.how) or "definition"),
        )
        for labels, verdict in groups
    )
    header: tuple[Text, ...] = (("Equation",), ("Verdict",), ("Scope",), ("How",))
    return Table(header, rows, ("Evidence for every equation",))


def _labels(labels: list[str]) -> str:
    if len(labels) > 2:
        return f"({labels[0]})–({labels[-1]})"
    return ", ".join(f"({label})" for label in labels)


def _plain_math(text: str) -> Text:
    return (text,)


def _blocks(item: Item) -> list[Block]:
    if isinstance(item, Prose):
        return [Paragraph(inline(item.text))]
    if isinstance(item, Step):
        return [display(item)]
    if isinstance(item, Picture):
        return [_figure(item)]
    if isinstance(item, InductionProof):
        return [proof(item)]
    if isinstance(item, FormsTable):
        return [_forms(item)]
    assert isinstance(item, PlainText)
    return [Listing(item.text, item.language)]


def display(step: Step) -> Display:
    """A step as a displayed equation."""
    return Display(
        step.label,
        box(step.left, reading=step.reading),
        "=",
        tuple(box(part, reading=step.reading) for part in step.chain),
        inline(step.rule),
        step.verdict.status,
        inline(step.condition) if step.condition else (),
    )


def _figure(item: Picture) -> Figure:
    drawn = picture(item.graph)
    words = ". ".join(f"{edge.source!r} leads to {edge.target!r}" for edge in item.graph.edges[:60])
    return Figure(
        svg(drawn), picture_latex(drawn), inline(item.caption), f"{item.caption} {words}."
    )


def _equation(left: Box, right: Box) -> Box:
    return Row((left, Op("=", "relation"), right))


def proof(item: InductionProof) -> Proof:
    """An induction line by line."""
    lines: list[tuple[Text, Text]] = []
    induction: Induction = item.induction
    claim = _equation(_box(induction.name, item.reading), _box(induction.right, item.reading))
    lines.append(((*inline(f"Claim, for all $T ≥ {induction.first}$: "), claim), ()))
    for line in induction.lines:
        left = _box(line.left, item.reading)
        for number, (value, reason) in enumerate(line.chain):
            right = _box(value, item.reading)
            start: Text = (Row((Op("=", "relation"), right)),)
            if number == 0:
                start = (*inline(_titled(line.title)), _equation(left, right))
            lines.append((start, (reason,)))
    return Proof((*inline("Proof by induction on $T$. "), f"{item.title}."), tuple(lines))


def _titled(title: str) -> str:
    """The words of a line, then its times as mathematics."""
    words, mark, times = title.partition("T")
    return f"{words}${mark}{times}$: " if mark else f"{title}: "


def _box(node: Node, reading: Reading) -> Box:
    return box(node, reading=reading)


def _forms(item: FormsTable) -> Table:
    header: tuple[Text, ...] = (
        ("Form",),
        ("Equation",),
        ("Holds for",),
        ("Cost of evaluation",),
        ("Verdict",),
    )
    rows = tuple(
        (
            (row.name,),
            (", ".join(f"({label})" for label in row.equations) or "–",),
            (row.scope or "–",),
            inline(row.cost),
            (row.verdict.status,),
        )
        for row in item.rows
    )
    return Table(header, rows, inline(item.caption))


__all__ = ["display", "document", "evidence_table", "proof"]
