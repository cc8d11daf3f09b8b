"""One call that judges what the calculus made of a cell."""

from __future__ import annotations

from symgrad.adjoint.objective import Objective
from symgrad.adjoint.reverse import Gradient
from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.derivation.claiming import gradient_sum
from symgrad.derivation.evidence import Evidence
from symgrad.errors import UsageError
from symgrad.lang.affine import T, as_affine, t
from symgrad.lang.nodes import (
    Condition,
    Derivative,
    Name,
    cases,
    derivative,
    name,
    signals_in,
)
from symgrad.lang.program import at_last_step, before_last_step
from symgrad.verify.verdict import Verdict, weakest


def verdict_of(
    cell: Cell,
    subject: Form | Gradient,
    *,
    objective: Objective | None = None,
    inputs: str | None = None,
) -> Verdict:
    """What is known about a form or a gradient of a cell, checked anew.

    Args:
        cell: the cell, in the reading that ``subject`` was derived in.
        subject: a ``Form`` (expanded, closed, elementary) or a ``Gradient``.
        objective: what L is, for forms of dL/dθ; default: what the form was derived for.
        inputs: for elementary forms: zero, constant or geometric.

    Raises:
        UsageError: an elementary form without its kind of input.
        FailedCheck: the table of primitives is wrong.
    """
    evidence = Evidence(cell)
    _check_reading(cell, subject)
    if isinstance(subject, Gradient):
        return _gradient_verdict(evidence, subject)
    if subject.kind == "elementary":
        if inputs is None:
            raise UsageError("an elementary form holds for one kind of input; give inputs=")
        return evidence.elementary(subject, inputs)
    left = subject.left
    objective = objective or subject.objective
    if objective is None and isinstance(left, Derivative) and isinstance(left.of, Name):
        raise UsageError(
            "the form is a derivative of L; say what L is: objective=symgrad.final(cell, 'h') or "
            "symgrad.loss(cell)"
        )
    return evidence.form(subject, objective=objective)


def _check_reading(cell: Cell, subject: Form | Gradient) -> None:
    """Refuse a subject whose names are those of another cell or another reading.

    Raises:
        UsageError: a parameter or a signal that the cell does not have.
    """
    if isinstance(subject, Gradient):
        if subject.cell != cell:
            raise UsageError(
                f"the gradient is of cell {subject.cell.name!r} in the {subject.cell.reading} "
                f"reading, not of {cell.name!r} in the {cell.reading} reading; pass that cell"
            )
        return
    known = {(s.name, s.shape) for s in (*cell.signals, *cell.inputs)}
    for item in signals_in(subject.left, subject.full):
        if not item.adjoint and (item.name, item.shape) not in known:
            raise UsageError(
                f"{item!r} of the form is no signal of cell {cell.name!r} in the {cell.reading} "
                "reading; pass the cell that the form was derived from (cell or cell.scalar())"
            )


def _gradient_verdict(evidence: Evidence, gradient: Gradient) -> Verdict:
    cell, verdicts = gradient.cell, []
    for parameter in cell.params:
        left = derivative("gradient", name("L"), parameter)
        right = gradient_sum(gradient, parameter.name)
        verdicts.append(evidence.adjoint(gradient, left, right, (), gradient.first_horizon))
    for state in cell.states:
        left = derivative("gradient", name("L"), state.at(0))
        value = gradient.start[state.name]
        right = before_last_step(value)
        if gradient.first_horizon == 0:
            at_zero = (Condition(T, "=", as_affine(0)),)
            right = cases([(at_last_step(value), at_zero), (right, ())])
        verdicts.append(evidence.adjoint(gradient, left, right, (), gradient.first_horizon))
    for entry in cell.inputs:
        left = derivative("gradient", name("L"), entry)
        value = gradient.adjoints[entry.name]
        at_end = (Condition(t, "=", T),)
        right = cases([(at_last_step(value), at_end), (before_last_step(value), ())])
        times = (("t", as_affine(1), T),)
        verdicts.append(evidence.adjoint(gradient, left, right, times, 1))
    return weakest(verdicts)
