"""A claimed formula about a cell: is it right, for which T and sizes, and if not, where not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

from symgrad.adjoint import Gradient, Objective, backward
from symgrad.cell import Cell
from symgrad.closed import closed_form, expanded_form, forward_form
from symgrad.closed.forms import Form
from symgrad.closed.solutions import direct_form
from symgrad.derivation.claiming import gradient_sum
from symgrad.derivation.evidence import Evidence
from symgrad.derivation.foundations import ProofParts, SameStep
from symgrad.errors import SymgradError, UsageError
from symgrad.judge.meaning import check_loss, further_names, is_backward, stated_objective
from symgrad.judge.steps import judged_at_a_step, steps_of
from symgrad.judge.times import stated_times, times_of, within
from symgrad.lang.affine import Affine, T, t
from symgrad.lang.nodes import (
    Const,
    Derivative,
    Node,
    Param,
    Signal,
    derivative,
    name,
    substitute_indices,
)
from symgrad.ops.build import shape_text
from symgrad.parse.claims import ClaimText
from symgrad.parse.formulas import Horizon
from symgrad.parse.grammar import Syntax
from symgrad.verify.polynomial import TooManyTerms
from symgrad.verify.ranges import TimeRange
from symgrad.verify.times import Times, free_letters
from symgrad.verify.verdict import Verdict


def check(
    cell: Cell,
    statement: str | tuple[Node, Node],
    *,
    syntax: Syntax = "text",
    horizon: Horizon = "ask",
    objective: Objective | None = None,
) -> Verdict:
    """Judge ``left = right``: for all values of what is free in it.

    Args:
        cell: in the reading that the statement is meant in.
        statement: a text such as ``dh_T/dw = T w^(T-1) h_0``, or both sides. Times other than
            T are free: the statement is judged at every time at which its signals exist, or
            in the range behind it, ``for 1 ≤ t < T``. Names may be defined beside it:
            ``dh_T/dw = sum_{k=1}^T a_k h_{k-1}, where a_k = w^(T-k)``.
        syntax: of a text: ``text``, as one types it and as symgrad prints it, or ``latex``.
        horizon: what ``^T`` at a square matrix means in a text: ``power`` or ``transpose``.
        objective: what L is, for a statement about dL/dθ; not needed where the text says it:
            ``where L = s^⊤ h_T``.

    Returns:
        ``proved`` for all T (and sizes) where the statement is one of a step, or equals a form
        that is proved; ``checked`` exactly in a finite scope; ``refuted`` with a witness;
        ``undecided`` with the reason.

    Raises:
        ParseError: the text is no statement about this cell; the message has the place.
        UsageError: L without its objective.
    """
    text, stated_range = None, None
    if isinstance(statement, str):
        text = ClaimText(statement, cell, syntax)
        objective = stated_objective(text, cell, objective, horizon)
        left, right = text.read(further_names(cell, objective), horizon).full
        stated_range = text.stated
    else:
        left, right = statement
    if left.shape != right.shape and not isinstance(right, Const):
        raise UsageError(
            f"the left side is {shape_text(left.shape)}, the right side "
            f"{shape_text(right.shape)}: such sides are equal for no sizes; look for a transpose"
        )
    check_loss(text, objective, (left, right))
    objective = objective if is_backward(left, right) else None
    left, right, stated = stated_times(cell, left, right, stated_range)
    found = _Claim(cell, left, right, objective, stated.constraints).verdict()
    if stated_range is None:
        return found
    return within(found, times_of(cell, left, right, stated.constraints), stated)


@dataclass(frozen=True)
class _Claim:
    """Both sides, and what they are about."""

    cell: Cell
    left: Node
    right: Node
    objective: Objective | None
    stated: tuple[Affine, ...] = ()

    def verdict(self) -> Verdict:
        evidence = Evidence(self.cell)
        if self.range.is_empty:
            return Verdict("undecided", "", ("there is no time at which all its signals exist",))
        times, first, last = self.range.times, self.range.first(), self.range.last
        gradient = None if self.objective is None else backward(self.cell, self.objective)
        if gradient is not None:
            first = max(first, gradient.first_horizon)
            return self._about_loss(evidence, gradient, times, first, last)
        steps = steps_of(self.cell, self.left, self.right)
        if steps is not None:
            return judged_at_a_step(evidence, steps, self.left, self.right, self.stated)
        checked = evidence.formula(self.left, self.right, times=times, first=first, last=last)
        if not checked.holds or not self._is_usual():
            return checked
        moved = self._at_horizon() is not self
        return self._with_proof(evidence, checked, self.range.first("t" if moved else "T"))

    def _about_loss(
        self, evidence: Evidence, gradient: Gradient, times: Times, first: int, last: int | None
    ) -> Verdict:
        found = evidence.adjoint(gradient, self.left, self.right, times, first, last)
        wrt = self.left.wrt if isinstance(self.left, Derivative) else None
        if found.status != "checked" or not isinstance(wrt, Param) or times:
            return found
        known = gradient_sum(gradient, wrt.name)
        same = _same(known, self.right, first)
        if same is None:
            return found
        left = derivative("gradient", name("L"), wrt)
        proof = evidence.adjoint(gradient, left, known, (), gradient.first_horizon)
        if proof.status != "proved":
            return found
        return self._stated(_through(proof, same, first), found)

    def _with_proof(self, evidence: Evidence, checked: Verdict, first: int) -> Verdict:
        """The proof of a derived form that has the same normal form."""
        for form in self._at_horizon()._known():
            same = _same(form.full, self._at_horizon().right, first)
            if same is None:
                continue
            known = evidence.form(form)
            if known.status == "proved" and form.first_horizon <= first:
                found = _through(known, same, first)
                moved = self._at_horizon() is not self
                scope = found.scope.replace("T", "t") if moved else found.scope
                return self._stated(replace(found, scope=scope), checked)
        return checked

    def _stated(self, proof: Verdict, checked: Verdict) -> Verdict:
        """A proof of another formula that is equal, with what was evaluated of this one."""
        how = [line for line in proof.how if not line.startswith("evaluated exactly for T = 0..")]
        if checked.status == "checked":
            how.append(f"evaluated exactly for {checked.scope}")
        return replace(proof, how=tuple(how), conditions=checked.conditions)

    def _at_horizon(self) -> _Claim:
        """The same about T instead of t, where T does not occur at all."""
        sides = (self.left, self.right)
        names = free_letters(*sides)
        if "t" not in names or "T" in names:
            return self
        left, right = (substitute_indices(side, {"t": T}) for side in sides)
        return replace(self, left=left, right=right, stated=())

    def _known(self) -> Iterator[Form]:
        """What symgrad derives for the left side."""
        left = self.left
        of, wrt = (left.of, left.wrt) if isinstance(left, Derivative) else (left, None)
        if not isinstance(of, Signal) or of.time != T:
            return
        if isinstance(left, Derivative) and left.kind != "total":
            return
        derived: list[Callable[[], Form]] = [
            partial(f, self.cell, of.at(t)) if f is direct_form else partial(f, self.cell, of)
            for f in (forward_form, direct_form)
        ]
        if wrt is not None:
            derived = [partial(f, self.cell, of, wrt) for f in (expanded_form, closed_form)]
        for derive in derived:
            try:
                yield derive()
            except SymgradError:
                continue  # no such form

    # ---- times ----

    @cached_property
    def range(self) -> TimeRange:
        """The times that it is about."""
        return times_of(self.cell, self.left, self.right, self.stated)

    def _is_usual(self) -> bool:
        """Whether it says nothing beyond the times that derived forms are about: k after t."""
        return self.range.within(times_of(self.cell, self.left, self.right))


def _same(known: Node, claimed: Node, first: int) -> SameStep | None:
    """The proof that two formulas are equal from T = first on, or from 1 on."""
    if known.shape != claimed.shape:
        return None
    for start in dict.fromkeys((first, max(first, 1))):
        same = SameStep(known, claimed, start)
        try:
            if same.replay():
                return same
        except TooManyTerms:
            return None
    return None


def _through(proof: Verdict, same: SameStep, first: int) -> Verdict:
    """The proof of a derived formula with the identity that takes it to the claimed one."""
    if same.left is same.right or proof.proof is None:
        return proof
    parts = ProofParts((proof.proof, same))
    how = (*proof.how, "equal to it by normal forms")
    found = replace(proof, how=how, proof=parts)
    if same.start == first:
        return found
    # At T = 0 the normal form says nothing; there the sides were compared exactly.
    scope = found.scope.replace("T ≥ 0", f"T ≥ {same.start}")
    return replace(found, scope=scope, how=(*how, "evaluated exactly for T = 0"))
