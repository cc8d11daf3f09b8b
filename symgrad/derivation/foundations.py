"""What an induction rests on: the recurrence, proved as an identity of one step.

An induction proves a formula from a recurrence. That the cell satisfies the recurrence
is a statement about one step, proved from its equations; where the step has the earlier
state in closed form, that closed form is a lemma with an induction of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symgrad.adjoint.reverse import Gradient
from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.closed.linear import linear_state
from symgrad.closed.solutions import forward_form, written_states
from symgrad.closed.sums import expanded_form
from symgrad.lang.affine import as_affine, t
from symgrad.lang.nodes import (
    SCALAR,
    Derivative,
    Node,
    Param,
    Signal,
    const,
    full,
    name,
    substitute_indices,
    transform,
    walk,
)
from symgrad.lang.program import at_last_step, before_last_step
from symgrad.verify.atoms import same_for_all_sizes
from symgrad.verify.axioms import Entry
from symgrad.verify.formula import FormulaClaim
from symgrad.verify.induction import Induction, holds_from
from symgrad.verify.normal import NoNormalForm, difference
from symgrad.verify.onestep import StepProof, same_at_every_time
from symgrad.verify.verdict import Replayable


@dataclass(frozen=True)
class ProofParts:
    """A proof made of several: all must replay. The last is the conclusion."""

    parts: tuple[Replayable, ...]

    def replay(self) -> bool:
        """Whether every part holds."""
        return all(part.replay() for part in self.parts)

    @property
    def induction(self) -> Induction | None:
        """The induction that concludes it, if one does."""
        last = self.parts[-1]
        return last if isinstance(last, Induction) else None


@dataclass(frozen=True)
class SameStep:
    """Two ways of writing a formula, equal as polynomials.

    ``start``: the smallest T at which they are equal; a step of a recurrence begins at 1.
    """

    left: Node
    right: Node
    start: int = 1

    def replay(self) -> bool:
        """Whether the normal forms agree; for matrices, entry by entry for all sizes."""
        if self.left is self.right:
            return True
        if any(item.shape != SCALAR for item in walk(self.left, self.right)):
            return same_for_all_sizes(self.left, self.right)
        try:
            gap, needs = difference(self.left, self.right)
        except NoNormalForm:
            return False
        return gap.is_zero and all(holds_from(need, {"T": as_affine(self.start)}) for need in needs)


def foundations(
    cell: Cell, form: Form, entries: Mapping[str, Entry]
) -> tuple[Replayable, ...] | None:
    """The proofs below the induction of a scalar form that has a recurrence.

    None where the recurrence does not begin as the cell does.
    """
    assert form.recurrence is not None
    step = form.recurrence.step
    left = form.left
    if not _begins_right(form):
        return None
    if isinstance(left, Derivative) and isinstance(left.wrt, Param):
        return _of_parameter(cell, form, left, entries)
    at_start = {"k": as_affine(0)}
    proof = _one_step(
        cell, substitute_indices(left, at_start), substitute_indices(step, at_start), entries
    )
    return (proof,) if same_at_every_time(proof.claim.left, proof.claim.right) else None


def _begins_right(form: Form) -> bool:
    """Whether the recurrence begins where the cell does: h_0, dh_0/dθ = 0, dh_k/dh_k = 1."""
    left, recurrence = form.left, form.recurrence
    assert recurrence is not None
    if recurrence.second is not None:
        return False
    if isinstance(left, Signal):
        return recurrence.first == as_affine(0) and recurrence.start is left.at(0)
    if not isinstance(left, Derivative) or not isinstance(left.of, Signal):
        return False
    wrt = left.wrt
    if isinstance(wrt, Param):
        return recurrence.first == as_affine(0) and recurrence.start is const(0)
    return (
        isinstance(wrt, Signal)
        and wrt.name == left.of.name
        and recurrence.first == wrt.time
        and recurrence.start is const(1)
    )


def _one_step(cell: Cell, left: Node, step: Node, entries: Mapping[str, Entry]) -> StepProof:
    """``left`` at T = 1, whatever the states and tangents before."""
    return StepProof(FormulaClaim(cell.program, left, step), entries, 1, ())


def _of_parameter(
    cell: Cell, form: Form, left: Derivative, entries: Mapping[str, Entry]
) -> tuple[Replayable, ...] | None:
    assert isinstance(left.of, Signal)
    assert form.recurrence is not None
    general = expanded_form(cell, left.of, left.wrt).recurrence
    if general is None or not same_at_every_time(general.step):
        return None
    proofs: list[Replayable] = [_one_step(cell, left, general.step, entries)]
    if form.recurrence.step is not general.step:
        linear = linear_state(cell, left.of)
        lemma = forward_form(cell, left.of)
        below = foundations(cell, lemma, entries)
        if below is None:
            return None
        proofs += [*below, as_induction(lemma)]
        # y_{T-1} is a name here: the state inside it is not to be written out.
        unknown = name("y")
        given = _with_name(form.recurrence.step, form.recurrence.previous, unknown)
        written = written_states(cell, linear, _with_name(general.step, general.previous, unknown))
        proofs.append(SameStep(written, given))
    return tuple(proofs)


def equations_as_proved(gradient: Gradient) -> tuple[SameStep, ...]:
    """The equations that run, against the pieces of the adjoint identity of one step."""
    same: list[SameStep] = []
    states = {state.name for state in gradient.cell.states}
    for equation in gradient.equations:
        label = equation.target.name
        if equation.target.adjoint != "lam":
            continue
        now, back = gradient.now[label], full("zeros", equation.target.shape)
        if label in states:
            back = substitute_indices(gradient.back[label], {"t": t + 1})
        value = equation.value
        same.append(SameStep(before_last_step(value), before_last_step(now) + back))
        same.append(SameStep(at_last_step(value), at_last_step(now)))
        same.append(SameStep(gradient.adjoints[label], value))
    objective = gradient.objective
    for state in gradient.cell.states:
        start = gradient.start[state.name]
        back_at_start = substitute_indices(gradient.back[state.name], {"t": as_affine(1)})
        same.append(SameStep(before_last_step(start), back_at_start))
        looks_here = objective.when == "final" and objective.signal.name == state.name
        seed = objective.seed if looks_here else full("zeros", state.shape)
        at_zero = substitute_indices(at_last_step(seed), {"t": as_affine(0)})
        same.append(SameStep(at_last_step(start), at_zero))
    return tuple(same)


def _with_name(step: Node, previous: Node, unknown: Node) -> Node:
    return transform(step, lambda item: unknown if item is previous else item)


def as_induction(form: Form) -> Induction:
    """The induction on T of a form with a recurrence."""
    recurrence = form.recurrence
    assert recurrence is not None
    return Induction(
        form.left,
        form.right,
        recurrence.previous,
        recurrence.step,
        recurrence.start,
        recurrence.second,
        recurrence.first,
    )
