"""How forms, verdicts and derivations show themselves; fills the registry like ``displays``."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from symgrad import __version__
from symgrad.closed.forms import Form
from symgrad.derivation.model import Derivation, Step
from symgrad.lang.display import RENDERERS
from symgrad.lang.nodes import SCALAR, Node, walk
from symgrad.render.derivation_document import document
from symgrad.render.displays import (
    Statement,
    html_statements,
    latex_statements,
    text_statements,
)
from symgrad.render.html import VERDICT_SIGNS, html_page
from symgrad.render.inline import read_math
from symgrad.render.layout import Box
from symgrad.render.notation import Reading, box
from symgrad.verify.verdict import Verdict


def form_statements(form: Form) -> tuple[Statement, ...]:
    """The form, then the names in it."""
    reading = _reading(form)
    lines = [
        Statement(box(form.left, reading=reading), box(form.right, reading=reading), _when(form))
    ]
    lines += [Statement(box(n), box(value, reading=reading)) for n, value in form.where]
    return tuple(lines)


def _reading(form: Form) -> Reading:
    """Scalar where every name is a scalar; blocks of scalars may stand in between."""
    roots: list[Node] = [form.left, form.right, *(value for _, value in form.where)]
    leaves = [node for node in walk(*roots) if not node.args and node.key[0:1] != ("identity",)]
    names = [n for n in leaves if type(n).__name__ in ("Param", "Signal")]
    return "scalar" if all(n.shape == SCALAR for n in names) else "vector"


def _when(form: Form) -> Box | None:
    if not form.times:
        return None
    return read_math(", ".join(f"{low} ≤ {index} ≤ {last}" for index, low, last in form.times))


def _verdict_html(verdict: Verdict) -> str:
    sign = VERDICT_SIGNS.get(verdict.status, "")
    scope = f" for {escape(verdict.whole_scope)}" if verdict.whole_scope else ""
    how = "".join(f"<li>{escape(line)}</li>" for line in verdict.how)
    witness = f"<p>{escape(str(verdict.witness))}</p>" if verdict.witness is not None else ""
    return (
        f"<div><p><strong>{sign} {verdict.status}</strong>{scope}</p><ul>{how}</ul>{witness}</div>"
    )


def _step_statements(step: Step) -> tuple[Statement, ...]:
    left = box(step.left, reading=step.reading)
    return tuple(Statement(left, box(part, reading=step.reading)) for part in step.chain)


def _step_html(step: Step) -> str:
    return html_statements(_step_statements(step)) + _verdict_html(step.verdict)


def _derivation_text(derivation: Derivation) -> str:
    lines = [derivation.title]
    for section in derivation.sections:
        lines += ["", section.title]
        lines += [
            f"({item.label}) {text_statements(_step_statements(item))}  [{item.verdict.status}]"
            for item in section.items
            if isinstance(item, Step)
        ]
    return "\n".join(lines)


def _derivation_html(derivation: Derivation) -> str:
    """The whole page in a frame of its own, so that its styles stay its own."""
    page = html_page(document(derivation), version=__version__)
    return (
        f'<iframe srcdoc="{escape(page)}" title="{escape(derivation.title)}" '
        'style="width:100%;height:40em;border:1px solid #ccc"></iframe>'
    )


_PRINTERS: dict[tuple[str, str], Callable[[Any], str]] = {
    ("form", "text"): lambda form: text_statements(form_statements(form)),
    ("form", "latex"): lambda form: latex_statements(form_statements(form)),
    ("form", "html"): lambda form: html_statements(form_statements(form)),
    ("verdict", "html"): _verdict_html,
    ("step", "text"): lambda step: text_statements(_step_statements(step)),
    ("step", "latex"): lambda step: latex_statements(_step_statements(step)),
    ("step", "html"): _step_html,
    ("derivation", "text"): _derivation_text,
    ("derivation", "html"): _derivation_html,
}
RENDERERS.update(_PRINTERS)
