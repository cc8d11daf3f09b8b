"""How formulas, cells, gradients and graphs show themselves, in notebooks and in text.

Importing this module fills ``lang.display.RENDERERS``. A cell or a gradient becomes
statements (left side, right side, when it holds) once; LaTeX, HTML and text print them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from symgrad.adjoint import Gradient
from symgrad.adjoint.objective import target
from symgrad.cell import Cell
from symgrad.graph import Graph
from symgrad.lang.affine import T
from symgrad.lang.display import RENDERERS
from symgrad.lang.nodes import (
    SCALAR,
    Node,
    Shape,
    Signal,
    const,
    derivative,
    name,
    substitute_indices,
)
from symgrad.lang.program import at_last_step, before_last_step
from symgrad.ops.parts import is_zero
from symgrad.render.breaking import break_lines
from symgrad.render.graph_picture import picture
from symgrad.render.inline import read_math
from symgrad.render.latex_math import latex
from symgrad.render.layout import Big, Box, Fence, Frac, Ident, Number, Op, Row, Script, Words
from symgrad.render.mathml import mathml
from symgrad.render.notation import Reading, affine_box, box, sum_box
from symgrad.render.notation_names import in_row
from symgrad.render.notation_products import terms_of
from symgrad.render.svg import svg
from symgrad.render.text_math import unicode_text

_WIDEST = 42.0  # em; longer right-hand sides are broken
_COMMA = Op(",", "punctuation")
_EVERY_STEP = read_math(r"1 \le t \le T")
_INTERIOR = read_math(r"1 \le t < T")
_SOME_STEP = read_math(r"T \ge 1")
_NO_STEP = read_math("T = 0")


@dataclass(frozen=True, slots=True)
class Statement:
    """``left = right``, and when it holds; None where it always does."""

    left: Box
    right: Box
    when: Box | None = None


def cell_statements(cell: Cell) -> tuple[Statement, ...]:
    """The equations of one step."""
    return tuple(
        Statement(box(e.target, reading=cell.reading), box(e.value, reading=cell.reading))
        for e in cell.equations
    )


def gradient_statements(gradient: Gradient) -> tuple[Statement, ...]:
    """L, the adjoint equations at T, before T and at 0, then dL/d of inputs and parameters."""
    return tuple(_gradient_statements(gradient))


def _gradient_statements(gradient: Gradient) -> Iterator[Statement]:
    cell, reading = gradient.cell, gradient.cell.reading
    yield Statement(box(name("L")), _objective(gradient))
    for equation in gradient.equations:
        yield from _in_time(equation.target, equation.value, reading)
    for equation in gradient.program.sweeps[1].at_start:
        left = box(equation.target)
        inner, alone = before_last_step(equation.value), at_last_step(equation.value)
        yield Statement(left, box(inner, reading=reading), None if inner is alone else _SOME_STEP)
        if inner is not alone:
            yield Statement(left, box(alone, reading=reading), _NO_STEP)
    for entry in cell.inputs:
        yield from _in_time(entry, gradient.adjoints[entry.name], reading)
    for param in cell.params:
        term = gradient.terms[param.name]
        parts: list[Box] = []
        if param.name in gradient.extra:
            parts = [box(gradient.extra[param.name], reading=reading)]
        if not is_zero(term):
            parts += [Op("+")] if parts else []
            parts.append(sum_box("t", 1, T, term, reading=reading))
        total = in_row(*parts) if parts else box(const(0))
        yield Statement(box(derivative("gradient", name("L"), param)), total)


def _in_time(signal_t: Signal, value: Node, reading: Reading) -> Iterator[Statement]:
    """The last step and the steps before it, or one line where they read alike."""

    def left(signal: Signal) -> Box:
        return box(signal if signal.adjoint else derivative("gradient", name("L"), signal))

    inner, last = before_last_step(value), at_last_step(value)
    if inner is last:
        yield Statement(left(signal_t), box(inner, reading=reading), _EVERY_STEP)
        return
    last = substitute_indices(last, {"t": T})
    yield Statement(left(signal_t.at(T)), box(last, reading=reading), _SOME_STEP)
    yield Statement(left(signal_t), box(inner, reading=reading), _INTERIOR)


def _objective(gradient: Gradient) -> Box:
    """The right-hand side of L = …: the losses, their mean where it is one, and weight decay."""
    found: list[Box] = []
    for _, term in terms_of(gradient.objective.penalty):
        if not is_zero(term):
            found += [box(term, reading=gradient.cell.reading), Op("+")]
    if gradient.objective.mean:
        found += [Frac(Number("1"), Ident("T")), Op("", "invisible")]
    return in_row(*found, _losses(gradient))


def _losses(gradient: Gradient) -> Box:
    """The final value, its sum over time, or the losses of the steps."""
    objective, reading = gradient.objective, gradient.cell.reading
    final = objective.when == "final"
    looked_at = objective.signal.at(T) if final else objective.signal
    if objective.kind == "linear":
        scalar = looked_at.shape == SCALAR
        value = looked_at if scalar else objective.cotangent.T @ looked_at
        return box(value, reading=reading) if final else sum_box("t", 1, T, value, reading=reading)
    if objective.kind == "loss":
        loss = Script(read_math(r"\ell"), affine_box(looked_at.time))
        term: Box = Row((loss, Fence(box(looked_at))))
    else:
        gap = box(looked_at - target(looked_at), reading=reading)
        norm = Fence(gap) if looked_at.shape == SCALAR else Fence(gap, "‖", "‖")
        half, square = Frac(Number("1"), Number("2")), Script(norm, None, Number("2"))
        term = Row((half, Op("", "invisible"), square))
    return term if final else Big("∑", read_math("t = 1"), affine_box(T), term)


# ---- statements to text --------------------------------------------------------------


def latex_statements(statements: tuple[Statement, ...]) -> str:
    """One ``aligned`` environment: left side, right side, when it holds."""
    timed = any(s.when is not None for s in statements)
    rows = []
    for s in statements:
        first, *more = break_lines(s.right, _WIDEST)
        when = f" && {latex(_condition(s.when))}" if s.when is not None else ""
        rows.append(f"{latex(s.left)} &= {latex(first)}{when}")
        rows += [rf"&\qquad {latex(line)}" for line in more]
    ending = " \\\\[0.6ex]\n" if timed else " \\\\\n"
    return "\\begin{aligned}\n" + ending.join(rows) + "\n\\end{aligned}"


def html_statements(statements: tuple[Statement, ...]) -> str:
    """A table with a row for each line of a statement; formulas are MathML."""
    rows = []
    for s in statements:
        first, *more = break_lines(s.right, _WIDEST)
        when = "" if s.when is None else mathml(_condition(s.when), display=False)
        rows.append(_html_row(_displayed(s.left), _displayed(_equals(first)), when))
        rows += [_html_row("", _displayed(line), "") for line in more]
    return _html_table(rows)


def text_statements(statements: tuple[Statement, ...]) -> str:
    """One statement a line, in Unicode; conditions aligned behind the formulas."""
    lines = [unicode_text(Row((s.left, Op("=", "relation"), s.right))) for s in statements]
    widest = max(map(len, lines))
    whens = ["" if s.when is None else f"   {unicode_text(_condition(s.when))}" for s in statements]
    return "\n".join(
        (line.ljust(widest) + when).rstrip() for line, when in zip(lines, whens, strict=True)
    )


def _condition(when: Box | None) -> Box:
    assert when is not None
    return Row((Words("for"), when))


def _equals(body: Box) -> Box:
    return Row((Op("=", "relation"), body))


def _displayed(body: Box) -> str:
    # Sums with their limits above and below, on a line of the table and not centred.
    return (
        mathml(body, display=True)
        .replace('display="block"', 'display="inline"', 1)
        .replace("<semantics><mrow>", '<semantics><mrow displaystyle="true">', 1)
    )


def _html_row(*cells: str) -> str:
    sides = ("right", "left", "left")
    inside = "".join(
        f'<td style="text-align:{side};padding:0.15em 0.5em">{cell}</td>'
        for side, cell in zip(sides, cells, strict=False)
    )
    return f"<tr>{inside}</tr>"


def _html_table(rows: list[str]) -> str:
    return (
        '<div style="overflow:auto hidden"><table style="border-collapse:collapse"><tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table></div>"
    )


# ---- cells, gradients, graphs ------------------------------------------------------------


def _shapes(cell: Cell) -> list[tuple[Box, Box]]:
    """Signals and parameters that share a shape, and that shape."""
    groups: dict[Shape, list[Box]] = {}
    for node in (*cell.inputs, *cell.signals, *cell.params):
        groups.setdefault(node.shape, []).append(box(node))
    return [
        (Row(tuple(part for b in boxes for part in (_COMMA, b))[1:]), _shape_box(shape))
        for shape, boxes in groups.items()
    ]


def _shape_box(shape: Shape) -> Box:
    if shape == SCALAR:
        return Words("scalar")
    if shape[1] == SCALAR[1]:
        return affine_box(shape[0])
    rows, columns = (
        Fence(side) if isinstance(side := affine_box(size), Row) else side for size in shape
    )
    return Row((rows, Op("×"), columns))


def _heading(cell: Cell) -> str:
    variant = f": {cell.variant}" if cell.variant else ""
    return f"{cell.title} ({cell.name}, {cell.reading} reading){variant}"


def _cell_html(cell: Cell) -> str:
    shapes = [
        _html_row(mathml(names, display=False), mathml(shape, display=False))
        for names, shape in _shapes(cell)
    ]
    parts = [f"<p>{escape(_heading(cell))}</p>", html_statements(cell_statements(cell))]
    parts += ["<p>Shapes</p>", _html_table(shapes)]
    parts += [f"<p>Source: {escape(cell.source)}</p>"] if cell.source else []
    return "<div>\n" + "\n".join(parts) + "\n</div>"


def _cell_text(cell: Cell) -> str:
    shapes = [f"{unicode_text(names)}: {unicode_text(shape)}" for names, shape in _shapes(cell)]
    lines = [_heading(cell), text_statements(cell_statements(cell)), *shapes]
    return "\n".join([*lines, f"source: {cell.source}"] if cell.source else lines)


def _gradient_html(gradient: Gradient) -> str:
    heading = f"<p>{escape(_gradient_heading(gradient))}</p>"
    return f"<div>\n{heading}\n{html_statements(gradient_statements(gradient))}\n</div>"


def _gradient_text(gradient: Gradient) -> str:
    statements = text_statements(gradient_statements(gradient))
    return f"{_gradient_heading(gradient)}\n{statements}"


def _gradient_heading(gradient: Gradient) -> str:
    cell = gradient.cell
    return f"Gradient of {cell.title} ({cell.name}, {cell.reading} reading)"


RENDERERS.update(
    {
        ("node", "latex"): lambda node: latex(box(node)),
        ("node", "html"): lambda node: mathml(box(node), display=True),
        ("cell", "latex"): lambda cell: latex_statements(cell_statements(cell)),
        ("cell", "html"): _cell_html,
        ("cell", "text"): _cell_text,
        ("gradient", "latex"): lambda gradient: latex_statements(gradient_statements(gradient)),
        ("gradient", "html"): _gradient_html,
        ("gradient", "text"): _gradient_text,
        ("graph", "svg"): lambda graph: svg(picture(graph)),
        ("graph", "text"): Graph.__str__,
    }
)
