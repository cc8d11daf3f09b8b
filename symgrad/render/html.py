"""Documents to HTML: a ``Document`` in, one self-contained page out.

The page needs no network, no script and no installed font: style and mathematics font
are inside it, formulas are MathML. It never scrolls sideways; what is too wide scrolls
in its own container. ``html_index`` prints the page that lists the documents.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

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
    VerdictName,
)
from symgrad.render.breaking import break_lines, display_lines, width
from symgrad.render.latex_math import latex, latex_lines
from symgrad.render.layout import Box
from symgrad.render.mathml import mathml, mathml_lines, mathml_stack
from symgrad.render.text_math import plain

LINE = 39.0  # em: what a displayed equation may fill beside its number
_NARROW = 20.0  # em: the same on a telephone
_INLINE = 17.0  # em: a wider formula in a sentence gets a container that can scroll

# A sign and a word, so that a verdict can be read without its colour.
VERDICT_SIGNS: dict[VerdictName, str] = {
    "given": "≔",
    "proved": "∎",
    "checked": "✓",
    "tested": "≈",
    "refuted": "≠",
    "undecided": "?",
}


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A document on the index page, with the files it was printed to."""

    name: str
    title: str
    summary: str
    links: tuple[tuple[str, str], ...]  # (words, relative address); the first is the main one


def html_page(document: Document, *, version: str) -> str:
    """The document as one HTML page."""
    headings = _number_headings(document.blocks)
    figures = 0
    body = []
    for place, block in enumerate(document.blocks):
        figures += isinstance(block, Figure)
        body.append(headings[place].html if place in headings else _block(block, figures))
    main = f"{_contents(list(headings.values()))}<main>\n{''.join(body)}</main>"
    return _page(document.title, document.summary, main, version)


def html_index(documents: Sequence[Document | IndexEntry], *, version: str) -> str:
    """The page that lists the documents; a bare ``Document`` is linked as ``NAME.html``."""
    entries = "".join(_entry(document) for document in documents)
    main = f'<main><ul class="entries">\n{entries}</ul></main>'
    return _page("Derivations", "Gradients of recurrent networks, step by step.", main, version)


@cache
def _style() -> str:
    data = files("symgrad.render") / "data"
    font = b64encode((data / "stix-two-math-subset.woff2").read_bytes()).decode("ascii")
    return (data / "page.css").read_text(encoding="utf-8").replace("FONT", font, 1)


def _page(title: str, summary: str, main: str, version: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{escape(summary)}">
<meta name="generator" content="symgrad {escape(version)}">
<title>{escape(title)}</title>
<style>
{_style()}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p class="summary">{escape(summary)}</p>
</header>
{main}
<footer>Derived and printed by symgrad {escape(version)}.</footer>
</body>
</html>
"""


def _entry(document: Document | IndexEntry) -> str:
    if isinstance(document, Document):
        links: tuple[tuple[str, str], ...] = (("HTML", f"{document.name}.html"),)
    else:
        links = document.links
    anchors = [f'<a href="{escape(address)}">{escape(words)}</a>' for words, address in links]
    title = escape(document.title)
    if links:
        title = f'<a href="{escape(links[0][1])}">{title}</a>'
    listed = f'<p class="links">{" · ".join(anchors)}</p>' if len(anchors) > 1 else ""
    return f"<li><h2>{title}</h2>\n<p>{escape(document.summary)}</p>{listed}</li>\n"


@dataclass(frozen=True, slots=True)
class _Numbered:
    level: int
    number: str
    anchor: str
    text: str

    @property
    def html(self) -> str:
        tag = f"h{self.level + 1}"
        number = f'<span class="no">{self.number}</span>'
        return f'<{tag} id="{self.anchor}">{number}{self.text}</{tag}>\n'


def _number_headings(blocks: tuple[Block, ...]) -> dict[int, _Numbered]:
    """Place in the document to heading, numbered 1, 1.1, 1.2, 2 …"""
    headings: dict[int, _Numbered] = {}
    section = subsection = 0
    for place, block in enumerate(blocks):
        if not isinstance(block, Heading):
            continue
        if block.level == 1:
            section, subsection = section + 1, 0
            number = str(section)
        else:
            subsection += 1
            number = f"{section}.{subsection}"
        level = 1 if block.level == 1 else 2
        anchor = f"section-{number.replace('.', '-')}"
        headings[place] = _Numbered(level, number, anchor, _text(block.text))
    return headings


def _contents(headings: list[_Numbered]) -> str:
    if len(headings) < 2:
        return ""
    lines = []
    for heading in headings:
        indent = ' style="padding-left:1.7em"' if heading.level == 2 else ""
        number = f'<span class="no">{heading.number}</span>'
        link = f'<a href="#{heading.anchor}">{number}{heading.text}</a>'
        lines.append(f"<li{indent}>{link}</li>\n")
    title = '<h2 id="contents">Contents</h2>'
    return f'<nav aria-labelledby="contents">{title}\n<ol>\n{"".join(lines)}</ol></nav>\n'


def _text(text: Text) -> str:
    return "".join(escape(part) if isinstance(part, str) else _inline(part) for part in text)


def _inline(box: Box) -> str:
    printed = mathml(box, False)
    return f'<span class="wide">{printed}</span>' if width(box) > _INLINE else printed


def _block(block: Block, figures: int) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{_text(text)}</p>\n"
        case Display():
            return _display(block)
        case Table():
            return _table(block)
        case Figure():
            return _figure(block, figures)
        case Listing(text):
            return f'<pre tabindex="0"><code>{escape(text.rstrip())}</code></pre>\n'
        case Items(items):
            lines = "".join(f"<li>{_text(item)}</li>\n" for item in items)
            return f"<ul>\n{lines}</ul>\n"
        case Proof():
            return _proof(block)
    raise TypeError(f"no HTML for a {type(block).__name__}")


def _display(display: Display) -> str:
    formula = _broken(display)
    anchor, label = f"eq-{escape(display.label)}", escape(display.label)
    tag = f'<a class="tag" href="#{anchor}" aria-label="Equation {label}">({label})</a>'
    sign = VERDICT_SIGNS[display.verdict]
    verdict = (
        f'<span class="v {display.verdict}"><span aria-hidden="true">{sign}</span>'
        f"{display.verdict}</span>"
    )
    scope = f' <span class="when">{_text(display.conditions)}</span>' if display.conditions else ""
    return (
        f'<div class="eq" id="{anchor}">\n<div><div class="m">{formula}</div>{tag}</div>\n'
        f'<p class="why">{verdict}{_text(display.rule)}{scope}</p>\n</div>\n'
    )


def _broken(display: Display) -> str:
    """The equation in lines for a wide page and, where they differ, for a narrow one."""
    wide, narrow = display_lines(display, LINE), display_lines(display, _NARROW)
    tex = latex_lines(wide)
    if wide == narrow:
        return mathml_lines(wide, tex)
    return (
        f'<div class="at-wide">{mathml_lines(wide, tex)}</div>'
        f'<div class="at-narrow">{mathml_lines(narrow, tex)}</div>'
    )


def _table(table: Table) -> str:
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption else ""
    # The roles survive where the style turns cells into blocks on a narrow screen.
    head = "".join(f'<th scope="col" role="columnheader">{_text(h)}</th>' for h in table.header)
    labels = [escape(plain(h)) for h in table.header]
    rows = []
    for row in table.rows:
        cells = (
            f'<td role="cell" data-label="{label}"><span>{_text(cell)}</span></td>'
            for label, cell in zip(labels, row, strict=True)
        )
        rows.append(f'<tr role="row">{"".join(cells)}</tr>\n')
    stacked = " stack" if len(labels) > 2 else ""
    return (
        f'<div class="scroll{stacked}"><table role="table">{caption}\n'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{"".join(rows)}</tbody></table></div>\n'
    )


def _figure(figure: Figure, number: int) -> str:
    # A drawing that does not take the colour of the text stays on white paper.
    card = "" if "currentColor" in figure.svg else " card"
    svg = re.sub(r"^\s*(<\?xml.*?\?>|<!DOCTYPE.*?>)\s*", "", figure.svg, flags=re.DOTALL)
    # Shrunk further than this the labels could not be read: then the picture scrolls.
    least = re.search(r'<svg[^>]*?\bviewBox="\S+ \S+ ([\d.]+)', svg)
    style = f' style="min-width:min({float(least[1]):g}px,32em)"' if least else ""
    svg = svg.replace("<svg", f"<svg{style}", 1).strip()
    caption = f"<b>Figure {number}.</b> {_text(figure.caption)}"
    return (
        f'<figure id="figure-{number}"><div class="pic{card}" role="img" tabindex="0" '
        f'aria-label="{escape(figure.alternative)}">{svg}</div>\n'
        f"<figcaption>{caption}</figcaption></figure>\n"
    )


def _proof(proof: Proof) -> str:
    lines = "".join(
        f'<li><div class="s">{_statement(statement)}</div>'
        + (f'<div class="r">{_text(reason)}</div>' if reason else "")
        + "</li>\n"
        for statement, reason in proof.lines
    )
    return (
        f'<section class="proof"><h4>{_text(proof.title)}</h4>\n'
        f'<ol>\n{lines}</ol></section>\n'
    )  # fmt: skip


def _statement(statement: Text) -> str:
    """A line of a proof; a formula alone or a wide one is displayed, and broken if need be."""
    pieces = []
    for part in statement:
        if isinstance(part, str):
            pieces.append(escape(part))
        elif len(statement) == 1 or width(part) > _INLINE:
            pieces.append(mathml_stack(break_lines(part, LINE), latex(part)))
        else:
            pieces.append(mathml(part, False))
    return "".join(pieces)
