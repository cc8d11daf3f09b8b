"""What an induction rests on: the recurrence, proved as an identity of one step.

An induction proves a formula from a recurrence. That the cell satisfies the recurrence
is a statement about one step, proved from its equations; where the step has the earlier
state in closed form, that closed form is a lemma with an induction of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.closed.linear import linear_state
from symgrad.closed.solutions import forward_form, written_states
from symgrad.closed.sums import expanded_form
from symgrad.lang.affine import as_affine
from symgrad.lang.nodes import (
    Derivative,
    Node,
    Param,
    Signal,
    name,
    substitute_indices,
    transform,
)
from symgrad.verify.axioms import Entry
from symgrad.verify.formula import FormulaClaim
from symgrad.verify.induction import Induction
from symgrad.verify.normal import NoNormalForm, difference
from symgrad.verify.onestep import StepProof
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
    """Two ways of writing one step of a recurrence, equal as polynomials."""

    left: Node
    right: Node

    def replay(self) -> bool:
        """Whether the normal forms agree."""
        try:
            gap, _ = difference(self.left, self.right)
        except NoNormalForm:
            return False
        return gap.is_zero


def foundations(cell: Cell, form: Form, entries: Mapping[str, Entry]) -> tuple[Replayable, ...]:
    """The proofs below the induction of a scalar form that has a recurrence."""
    assert form.recurrence is not None
    step = form.recurrence.step
    left = form.left
    if isinstance(left, Derivative) and isinstance(left.wrt, Param):
        return _of_parameter(cell, form, left, entries)
    at_start = {"k": as_affine(0)}
    return (
        _one_step(
            cell, substitute_indices(left, at_start), substitute_indices(step, at_start), entries
        ),
    )


def _one_step(cell: Cell, left: Node, step: Node, entries: Mapping[str, Entry]) -> StepProof:
    """``left`` at T = 1, whatever the states and tangents before."""
    return StepProof(FormulaClaim(cell.program, left, step), entries, 1, ())


def _of_parameter(
    cell: Cell, form: Form, left: Derivative, entries: Mapping[str, Entry]
) -> tuple[Replayable, ...]:
    assert isinstance(left.of, Signal)
    assert form.recurrence is not None
    general = expanded_form(cell, left.of, left.wrt).recurrence
    assert general is not None
    proofs: list[Replayable] = [_one_step(cell, left, general.step, entries)]
    if form.recurrence.step is not general.step:
        linear = linear_state(cell, left.of)
        lemma = forward_form(cell, left.of)
        proofs += [*foundations(cell, lemma, entries), as_induction(lemma)]
        # y_{T-1} is a name here: the state inside it is not to be written out.
        unknown = name("y")
        given = _with_name(form.recurrence.step, form.recurrence.previous, unknown)
        written = written_states(
            cell, linear, _with_name(general.step, general.previous, unknown)
        )
        proofs.append(SameStep(written, given))
    return tuple(proofs)


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
