"""The document of any cell: definition, one step, backpropagation, sums over time, scalar reading.

What a hand-written document says of a cell of the catalogue, said of a cell that is known
by its equations alone. What cannot be derived or decided is left out with its reason; what
does not hold ends the document.
"""

from __future__ import annotations

from collections.abc import Callable

from symgrad.adjoint.objective import final, loss
from symgrad.cell import Cell
from symgrad.derivation import statements
from symgrad.derivation.forms_table import forms_table
from symgrad.derivation.model import Step
from symgrad.derivation.writer import Writer
from symgrad.errors import NoClosedForm, NotSupportedYet, Undecided
from symgrad.lang.nodes import SCALAR, Param
from symgrad.ops.build import shape_text

_LEFT_OUT = (NoClosedForm, NotSupportedYet, Undecided)


def summary_of(cell: Cell) -> str:
    """One line for the index."""
    return f"Gradients of the cell {cell.name}, derived from its equations."


def standard_document(write: Writer, cell: Cell) -> None:
    """Write the document of a cell in the vector reading.

    Raises:
        FailedCheck: an equation does not hold.
    """
    _network(write, cell)
    _one_step(write, cell)
    _backpropagation(write, cell)
    _over_time(write, cell)
    scalar = cell.scalar()
    if scalar is not cell:
        _scalar(write, scalar)


def _network(write: Writer, cell: Cell) -> None:
    write.section("The network")
    about = ". ".join(part for part in (cell.title, cell.variant, cell.source) if part)
    write.text(f"{_plain(about)}. {_sizes(cell)}")
    statements.declare(write, cell)
    write.picture(cell, 3, "The network unrolled over three steps.")
    write.text("The derivatives of the functions in it, in terms of their own values:")
    if not _optional(write, lambda: statements.table_entries(write, cell)):
        return


def _plain(text: str) -> str:
    """A user's words as prose: no mathematics begins in them."""
    return text.replace("\\", "\\\\").replace("$", "\\$")


def _named(name: str, time: str = "") -> str:
    """A declared name in prose: ``W_{f,h}``, with its time if it has one."""
    first, *rest = name.split("_")
    accent = rest.pop(0) if rest and rest[0] in ("tilde", "hat", "bar", "dot") else ""
    below = ",".join([*rest, *([time] if time else [])])
    base = f"\\{accent} {first}" if accent else first
    return f"{base}_{{{below}}}" if below else base


def _sizes(cell: Cell) -> str:
    """What has which size, in words."""
    found: dict[str, list[str]] = {}
    named = [(_named(entry.name, "t"), entry.shape) for entry in (*cell.inputs, *cell.signals)]
    for shown, shape in (*named, *((_named(entry.name), entry.shape) for entry in cell.params)):
        size = "1" if shape == SCALAR else shape_text(shape)
        found.setdefault(size, []).append(f"${shown}$")
    parts = [f"{', '.join(names)}: ${size}$" for size, names in found.items()]
    states = ", ".join(f"${_named(state.name, '0')}$" for state in cell.states)
    verb = "is" if len(cell.states) == 1 else "are"
    return f"Sizes: {'; '.join(parts)}. {states} {verb} given."


def _one_step(write: Writer, cell: Cell) -> None:
    write.section("One step")
    write.text(
        "How the state of a step depends on the one before, inputs held fixed. In numerator "
        "layout the later state has the rows."
    )
    _optional(write, lambda: statements.one_step_jacobian(write, cell, "chain rule within a step"))


def _backpropagation(write: Writer, cell: Cell) -> None:
    write.section("Backpropagation through time")
    output = _named(cell.output.name, "t")
    write.text(
        f"Let $L = ℓ_1 + … + ℓ_T$ be a sum of losses, each looking at ${output}$ of its "
        "own step. $λ_t$ is the total derivative of $L$ with respect to a signal, through "
        "every later step; $δ_t$ that with respect to the argument of an activation."
    )
    gradient = statements.adjoint_equations(write, cell, loss(cell))
    write.text("Every parameter collects one term per step:")
    statements.gradients(write, cell, gradient)


def _over_time(write: Writer, cell: Cell) -> None:
    write.section("The gradient as a sum over time")
    write.text(
        "Here $L = s^⊤ q_T$ looks at one state $q$ of the last step, through a fixed cotangent "
        "$s$. The gradient sums, over the step $k$ at which a parameter acts, the immediate effect "
        "at $k$ and its way to $T$:"
    )
    state = cell.states[-1]
    for entry in _some_params(cell):
        _optional(
            write,
            lambda entry=entry: statements.expanded_of(  # type: ignore[misc]
                write, cell, state.name, entry.name, "immediate effect at $k$, carried to $T$"
            ),
        )


def _scalar(write: Writer, cell: Cell) -> None:
    write.section("The scalar network")
    write.text(
        "With all sizes equal to one everything commutes, and statements are proved for every T. "
        "Matrices and vectors are written in lower case."
    )
    statements.declare(write, cell)
    _optional(write, lambda: statements.one_step_jacobian(write, cell, "chain rule"))
    state = cell.states[-1]
    some = _some_params(cell)
    expanded: dict[str, Step] = {}

    def expand(entry: Param) -> None:
        expanded[entry.name] = statements.expanded_of(
            write, cell, state.name, entry.name, "immediate effect at $k$, carried to $T$"
        )

    for entry in some:
        _optional(write, lambda entry=entry: expand(entry))  # type: ignore[misc]
    _optional(
        write,
        lambda: statements.state_to_state(
            write, cell, state.name, state.name, "one Jacobian per step, the latest on the left"
        ),
    )
    write.text(
        f"The adjoint equations of $L = {_named(state.name, 'T')}$, and the gradients they give:"
    )
    gradient = statements.adjoint_equations(write, cell, final(cell, state))
    recursive = statements.gradients(write, cell, gradient)
    closed: dict[str, Step] = {}

    def close(entry: Param) -> None:
        closed[entry.name] = statements.closed_of(
            write, cell, state.name, entry.name, "the states written out"
        )

    if some:
        write.text("With no state but the initial one:")
        _optional(write, lambda: close(some[0]))
    if some and some[0].name in expanded:
        key = some[0].name
        forms_table(
            write,
            cell,
            state.name,
            key,
            recursive[key],
            expanded=expanded[key],
            closed=closed.get(key),
            caption=f"Forms of $d{_named(state.name, 'T')}/d{_named(key)}$",
        )


def _some_params(cell: Cell) -> list[Param]:
    """One parameter of each shape that the last state depends on: enough to see the pattern."""
    found: dict[object, Param] = {}
    for entry in cell.params:
        kind = len(found) if cell.is_scalar and len(found) < 3 else entry.shape
        found.setdefault(kind, entry)
    return list(found.values())


def _optional(write: Writer, statement: Callable[[], object]) -> bool:
    """A statement that is left out, with the reason, where it cannot be derived or decided."""
    try:
        statement()
    except _LEFT_OUT as error:
        write.text(f"Left out: {_plain(str(error))}.")
        return False
    return True
