"""A module of source code: docstring, helpers, forward pass, objective and gradient."""

from __future__ import annotations

import textwrap

from symgrad.adjoint import Objective, backward
from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.evaluate.export.dialects import DIALECTS
from symgrad.evaluate.export.names import quoted
from symgrad.evaluate.export.steps import Steps
from symgrad.evaluate.export.told import given_shapes, objective_text, shapes
from symgrad.evaluate.export.wrapping import WIDTH, statement
from symgrad.evaluate.export.writers import gradient_lines, objective_lines, run_lines
from symgrad.lang.text import text as plain

#: What ``export`` can write.
TARGETS = tuple(DIALECTS)


def export(cell: Cell, objective: Objective, target: str = "numpy") -> str:
    """The source of a module with the cell's forward pass and the gradient of an objective.

    Args:
        cell: in the vector reading over batches (T, B, size), or in the scalar one (T, B).
        objective: as for ``backward``.
        target: ``numpy`` and ``torch`` for a loop over time, ``jax`` for two scans.

    Returns:
        The text of a module that needs the target only; the same for the same cell.

    Raises:
        UsageError: there is no such target.
        NotSupportedYet: a formula has no array code; the message names it.
    """
    dialect = DIALECTS.get(target)
    if dialect is None:
        raise UsageError(f"no target {target!r} to export to; there are {', '.join(TARGETS)}")
    steps = Steps(cell, backward(cell, objective), dialect)
    parts = [run_lines(steps), objective_lines(steps), gradient_lines(steps)]
    body = [[*part] for part in parts if part]
    lines = [*_docstring(steps), "", *dialect.imports]
    for stub in _stubs(steps):
        lines += ["", "", *stub]
    for name in steps.helpers:
        lines += ["", "", *_short(dialect.helper_lines(name))]
    for part in body:
        lines += ["", "", *part]
    return "\n".join(lines) + "\n"


def _short(lines: list[str]) -> list[str]:
    """A helper with its long line broken."""
    found: list[str] = []
    for line in lines:
        start, separator, expression = line.partition("return ")
        found += statement(start.lstrip() + separator, expression, 4) if separator else [line]
    return found


def _docstring(steps: Steps) -> list[str]:
    """Title, source, equations and shapes. What people wrote is text here and cannot end it."""
    cell = steps.cell
    told = [f"{cell.title} ({cell.name})."]
    if cell.variant:
        told += ["", f"Variant: {cell.variant}."]
    if cell.source:
        told += [*([] if cell.variant else [""]), f"Source: {cell.source}."]
    lines = []
    for paragraph in told:
        wrapped = textwrap.wrap(_harmless(paragraph), WIDTH - 4) or [""]
        # After the wrapping, which may end a line between the two halves of an escape.
        lines += [line.replace("\\", "\\\\") for line in wrapped]
    lines += ["", "Equations of step t = 1..T:"]
    for equation in cell.equations:
        lines += _indented(f"{plain(equation.target)} = {plain(equation.value)}")
    lines += ["", f"Objective: {objective_text(steps)}."]
    lines += ["", "Shapes, B being the size of the batch and time the first axis:"]
    for heading, entries in shapes(steps).items():
        for key, shape in entries.items():
            lines += [f"    {heading}[{quoted(key)}]: {shape}"]
    lines += [f"    {name}: {shape}" for name, shape in given_shapes(steps).items()]
    lines[0] = f'"""{lines[0]}'
    return [line.rstrip() for line in [*lines, '"""']]


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="        ",
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def _harmless(text: str) -> str:
    """Text that cannot end the docstring, or start a line of its own."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line.replace('"', "'")


def _stubs(steps: Steps) -> list[list[str]]:
    """Generic activations: functions to be filled in."""
    found = []
    for head, name in steps.generic.items():
        order = len(head) - len(head.rstrip("'"))
        base = steps.generic.get(head[: len(head) - 1], head[:-1]) if order else ""
        said = f"The derivative of {base}." if order else "Fill in: a differentiable function."
        problem = f"write the function {name} of this module"
        found.append(
            [
                f"def {name}(z):",
                f'    """{said} Acts entry by entry."""',
                f'    raise NotImplementedError("{problem}")',
            ]
        )
    return found
