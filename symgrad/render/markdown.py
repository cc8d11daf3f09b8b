"""Documents to GitHub-flavoured Markdown: a ``Document`` in, one text out.

Formulas are LaTeX between dollar signs. Markdown eats a backslash before punctuation
inside them on some sites, so macros of letters are used where there are any, and
GitHub's fenced forms where there are none. Pictures are files beside the text:
``markdown_figures`` lists them.
"""

from __future__ import annotations

import re

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
from symgrad.render.breaking import display_lines
from symgrad.render.html import VERDICT_SIGNS
from symgrad.render.latex_math import latex, latex_lines
from symgrad.render.layout import Box

LINE = 40.0  # em: the width of a page of a repository

_LETTERED = {
    "\\\\": r"\cr ",
    r"\,": r"\thinspace ",
    r"\{": r"\lbrace ",
    r"\}": r"\rbrace ",
    r"\ ": r"\space ",
}


def markdown_document(document: Document, *, version: str) -> str:
    """The document as Markdown; its pictures are referred to as ``NAME-1.svg`` …"""
    figures = 0
    blocks = []
    for block in document.blocks:
        figures += isinstance(block, Figure)
        blocks.append(_block(block, _figure_name(document, figures)))
    title, summary = _prose(document.title), _prose(document.summary)
    foot = f"<sub>Derived and printed by symgrad {_prose(version)}.</sub>"
    return "\n\n".join([f"# {title}", summary, *blocks, foot]) + "\n"


def markdown_figures(document: Document) -> tuple[tuple[str, str], ...]:
    """(file name, SVG text) of the pictures the Markdown text refers to, in order."""
    figures = [block for block in document.blocks if isinstance(block, Figure)]
    return tuple(
        (_figure_name(document, number), figure.svg)
        for number, figure in enumerate(figures, start=1)
    )


def _figure_name(document: Document, number: int) -> str:
    return f"{document.name}-{number}.svg"


def _block(block: Block, figure_name: str) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * (level + 1)} {_text(text)}"
        case Paragraph(text):
            return _text(text)
        case Display():
            return _display(block)
        case Table():
            return _table(block)
        case Figure(_, _, caption, alternative):
            return f"![{_prose(alternative)}](<{figure_name}>)\n\n*{_text(caption)}*"
        case Listing(text, language):
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
            return f"{fence}{language}\n{text.rstrip()}\n{fence}"
        case Items(items):
            return "\n".join(f"- {_text(item)}" for item in items)
        case Proof(title, lines):
            steps = "\n".join(
                f"- {_text(statement)}" + (f"<br><sub>{_text(reason)}</sub>" if reason else "")
                for statement, reason in lines
            )
            return f"**{_text(title)}**\n\n{steps}"
    raise TypeError(f"no Markdown for a {type(block).__name__}")


def _prose(text: str) -> str:
    """Prose with everything escaped that Markdown, HTML or a table would read."""
    text = re.sub(r"([\\`*_{}\[\]|$~#])", r"\\\1", text)
    text = re.sub(r"(?m)^(\s*\d*)([-+.)])(?=\s)", r"\1\\\2", text)  # not the start of a list
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(text: Text) -> str:
    return "".join(_prose(part) if isinstance(part, str) else _inline(part) for part in text)


def _inline(box: Box) -> str:
    tex = _lettered(latex(box)).replace("|", r"\vert ").strip()
    # Between dollar and backtick GitHub leaves the LaTeX alone; elsewhere it is less known.
    return f"$`{tex}`$" if _is_eaten(tex) else f"${tex}$"


def _lettered(tex: str) -> str:
    without_gaps = re.sub(r"(?<=\\\\)\[[\d.]+ex\]", "", tex)  # \cr takes no extra space
    return re.sub(r"\\[\\,{} ]\s*", lambda match: _LETTERED[match.group()[:2]], without_gaps)


def _is_eaten(tex: str) -> bool:
    return re.search(r"\\[^A-Za-z]", tex) is not None


def _display(display: Display) -> str:
    formula = _lettered(latex_lines(display_lines(display, LINE))).strip()
    formula += rf"\tag{{{_label(display.label)}}}"
    formula = re.sub(r"[ \t]+\n", "\n", formula)
    shown = f"```math\n{formula}\n```" if _is_eaten(formula) else f"$$\n{formula}\n$$"
    sign = f"{VERDICT_SIGNS[display.verdict]} **{display.verdict}**"
    scope = f" — {_text(display.conditions)}" if display.conditions else ""
    anchor = f'<a id="eq-{_prose(display.label)}"></a>'
    return f"{anchor}\n\n{shown}\n\n{sign} · {_text(display.rule)}{scope}"


def _label(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9.′'-]", "", label)


def _table(table: Table) -> str:
    rows = (table.header, *table.rows)
    lines = [f"| {' | '.join(map(_text, row))} |" for row in rows]
    lines.insert(1, f"|{' --- |' * len(table.header)}")
    caption = f"{_text(table.caption)}\n\n" if table.caption else ""
    return caption + "\n".join(lines)
