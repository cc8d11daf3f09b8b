"""Statements with symbolic T: sums over time, products of Jacobians, closed forms."""

from __future__ import annotations

from symgrad.adjoint.objective import final, loss
from symgrad.cell import Cell
from symgrad.closed.series import elementary_form
from symgrad.closed.solutions import closed_form, direct_form, forward_form
from symgrad.closed.sums import expanded_form, loss_expanded
from symgrad.derivation.model import Step
from symgrad.derivation.statements.basic import param_of, signal_of, written_form
from symgrad.derivation.writer import Writer
from symgrad.errors import UsageError
from symgrad.lang.affine import Affine, T


def recurrence_of(write: Writer, cell: Cell, of: str, wrt: str, rule: str) -> Step:
    """dh_T/dθ in terms of dh_{T-1}/dθ: the recurrence that inductions rest on."""
    form = expanded_form(cell, signal_of(cell, of).at(T), param_of(cell, wrt))
    if form.recurrence is None:
        raise UsageError(f"{form.left!r} satisfies no recurrence in one unknown")
    evidence = write.evidence(cell)
    return write.state(
        cell, form.left, (form.recurrence.step,), rule, lambda: evidence.recurrence(form), "$T ≥ 1$"
    )


def expanded_of(
    write: Writer,
    cell: Cell,
    of: str,
    wrt: str,
    rule: str,
    *,
    condition: str = "$T ≥ 0$",
    at_least: str = "tested",
) -> Step:
    """The sum over time of products of Jacobians."""
    signal_t = signal_of(cell, of)
    form = expanded_form(cell, signal_t.at(T), param_of(cell, wrt))
    objective = None if cell.is_scalar else final(cell, signal_t)
    return written_form(write, cell, form, rule, condition, objective=objective, at_least=at_least)


def loss_expanded_of(write: Writer, cell: Cell, wrt: str, rule: str) -> Step:
    """dL/dθ for a sum of per-step losses as a double sum."""
    form = loss_expanded(cell, cell.output, param_of(cell, wrt))
    return written_form(write, cell, form, rule, "$T ≥ 0$", objective=loss(cell))


def state_to_state(
    write: Writer,
    cell: Cell,
    of: str,
    wrt: str,
    rule: str,
    *,
    along: tuple[str, ...] = (),
    at_least: str = "tested",
) -> Step:
    """dq_T/ds_k through every path, or only through the signals ``along``."""
    k = Affine((("k", 1),))
    form = expanded_form(cell, signal_of(cell, of).at(T), signal_of(cell, wrt).at(k), along=along)
    low = form.times[0][1]
    return written_form(write, cell, form, rule, f"${low} ≤ k ≤ T$", at_least=at_least)


def initial_to_state(
    write: Writer, cell: Cell, of: str, wrt: str, rule: str, *, at_least: str = "tested"
) -> Step:
    """dq_T/ds_0."""
    form = expanded_form(cell, signal_of(cell, of).at(T), signal_of(cell, wrt).at(0))
    return written_form(write, cell, form, rule, "$T ≥ 0$", at_least=at_least)


def forward_of(write: Writer, cell: Cell, of: str, rule: str, *, at_least: str = "tested") -> Step:
    """The state itself in closed form."""
    form = forward_form(cell, signal_of(cell, of))
    return written_form(write, cell, form, rule, "$T ≥ 0$", at_least=at_least)


def direct_of(write: Writer, cell: Cell, of: str, rule: str, *, at_least: str = "tested") -> Step:
    """A state as a weighted sum of what was written into it, the other signals given."""
    form = direct_form(cell, signal_of(cell, of))
    return written_form(write, cell, form, rule, "$T ≥ 0$", at_least=at_least)


def closed_of(
    write: Writer, cell: Cell, of: str, wrt: str, rule: str, *, at_least: str = "tested"
) -> Step:
    """A derivative with no state in it but the initial one."""
    signal_t = signal_of(cell, of)
    form = closed_form(cell, signal_t.at(T), param_of(cell, wrt))
    objective = None if cell.is_scalar else final(cell, signal_t)
    return written_form(write, cell, form, rule, "$T ≥ 0$", objective=objective, at_least=at_least)


def elementary_of(
    write: Writer,
    cell: Cell,
    of: str,
    wrt: str | None,
    kind: str,
    rule: str,
    *,
    at_least: str = "tested",
) -> Step:
    """An elementary form for zero, constant or geometric inputs; ``wrt`` None: the state."""
    signal_t = signal_of(cell, of)
    form = elementary_form(cell, signal_t.at(T), None if wrt is None else param_of(cell, wrt), kind)
    evidence = write.evidence(cell)
    return write.state(
        cell,
        form.left,
        (form.right,),
        rule,
        lambda: evidence.elementary(form, kind),
        "$T ≥ 0$",
        at_least,
    )
