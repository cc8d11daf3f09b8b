"""Names of a cell, its definition, the table entries it uses, forms with their evidence."""

from __future__ import annotations

from symgrad.adjoint.objective import Objective
from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.derivation.entries import cell_entries, entry_verdicts
from symgrad.derivation.model import Step
from symgrad.derivation.writer import Writer
from symgrad.errors import UsageError
from symgrad.lang.nodes import (
    Apply,
    Node,
    Param,
    Signal,
    derivative,
    param,
    transform,
)


def signal_of(cell: Cell, text: str) -> Signal:
    """A signal of the cell at time t."""
    for entry in (*cell.signals, *cell.inputs):
        if entry.name == text:
            return entry
    raise UsageError(f"cell {cell.name!r} has no signal {text!r}")


def param_of(cell: Cell, text: str) -> Param:
    """A parameter of the cell; either case."""
    known = cell.declared_name(text)
    for entry in cell.params:
        if entry.name == known:
            return entry
    raise UsageError(f"cell {cell.name!r} has no parameter {text!r}")


def declare(write: Writer, cell: Cell) -> None:
    """The cell's equations, as given."""
    for equation in cell.equations:
        write.given(
            cell, equation.target, equation.value, "definition of the cell", "$t = 1, …, T$"
        )


def table_entries(write: Writer, cell: Cell) -> None:
    """The derivatives of the activations, each proved from its definition."""
    verdicts = entry_verdicts(cell)
    for key, entry in cell_entries(cell).items():
        argument = param("a")
        call = Apply((entry.primitive,), (argument,), argument.shape)

        def written(node: Node, call: Node = call, answer: Node = entry.answer) -> Node:
            return call if node is answer else node

        right = transform(entry.claim, written)
        write.state(
            cell,
            derivative("total", call, argument),
            (right,),
            f"derivative of the activation, from {entry.primitive.definition_text}",
            lambda key=key: verdicts[key],  # type: ignore[misc]
        )


def written_form(
    write: Writer,
    cell: Cell,
    form: Form,
    rule: str,
    condition: str = "",
    *,
    objective: Objective | None = None,
    at_least: str = "tested",
) -> Step:
    """A form with its evidence, after the definitions of the names in it."""
    evidence = write.evidence(cell)
    return write.state(
        cell,
        form.left,
        (form.right,),
        rule,
        lambda: evidence.form(form, objective=objective),
        condition,
        at_least,
    )
