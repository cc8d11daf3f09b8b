"""A claimed formula about a cell: is it right, for which T and sizes, and if not, where not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from symgrad.adjoint import Gradient, Objective
from symgrad.adjoint.reverse import lam
from symgrad.cell import Cell
from symgrad.derivation.claiming import pre_activation
from symgrad.derivation.evidence import Evidence
from symgrad.errors import UsageError
from symgrad.judge.meaning import (
    check_loss,
    further_names,
    is_backward,
    refuse_what_has_no_meaning,
    stated_objective,
)
from symgrad.judge.proofs import Claimed
from symgrad.judge.steps import judged_at_a_step, steps_of
from symgrad.judge.times import (
    beyond_the_run,
    missing,
    stated_times,
    times_of,
    within,
)
from symgrad.lang.affine import ONE, Affine
from symgrad.lang.nodes import (
    SCALAR,
    Const,
    Derivative,
    Node,
    Shape,
    Signal,
    derivative,
    name,
    signals_in,
    transform,
)
from symgrad.ops.build import shape_text
from symgrad.parse.claims import ClaimText
from symgrad.parse.formulas import Horizon
from symgrad.parse.grammar import Syntax
from symgrad.verify.ranges import TimeRange
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
            f"{shape_text(right.shape)}: such sides are equal for no sizes; "
            f"{_repair(left.shape, right.shape)}"
        )
    refuse_what_has_no_meaning(left, right)
    check_loss(text, cell, objective, (left, right))
    objective = objective if is_backward(left, right) else None
    left, right, stated = stated_times(cell, left, right, stated_range)
    claim = _Claim(cell, left, right, objective, stated.constraints)
    found = claim.verdict(Evidence(cell))
    times = times_of(cell, left, right, stated.constraints)
    # That k goes up to t is said even where nobody asked.
    silent = stated_range is None and (found.status == "proved" or len(times.letters) < 2)
    if silent:
        return found
    outside = beyond_the_run(cell, left, right, stated.constraints)
    if outside and found.holds:
        words = f"nothing is said of the times of the range at which {outside[0]} is in no run"
        found = replace(found, how=(*found.how, words))
    return within(found, times, stated)


def judged(
    evidence: Evidence,
    left: Node,
    right: Node,
    *,
    objective: Objective | None = None,
    stated: tuple[Affine, ...] = (),
) -> Verdict:
    """What ``check`` says of both sides; the evidence may serve many statements about one cell.

    Args:
        stated: the range, as forms that are at least 0.
    """
    return _Claim(evidence.cell, left, right, objective, stated).verdict(evidence)


@dataclass(frozen=True)
class _Claim:
    """Both sides, and what they are about."""

    cell: Cell
    left: Node
    right: Node
    objective: Objective | None
    stated: tuple[Affine, ...] = ()

    def verdict(self, evidence: Evidence) -> Verdict:
        if self.range.is_empty:
            return Verdict("undecided", "", (missing(self.cell, self.left, self.right),))
        times, first, last = self.range.times, self.range.first(), self.range.last
        if self.objective is not None:
            gradient = evidence.gradient(self.objective)
            return self.with_adjoints(gradient)._about_loss(evidence, gradient)
        steps = steps_of(self.cell, self.left, self.right)
        if steps is not None:
            return judged_at_a_step(evidence, steps, self.left, self.right, self.stated)
        checked = evidence.formula(self.left, self.right, times=times, first=first, last=last)
        if not checked.holds:
            return checked
        claimed = Claimed(self.cell, self.left, self.right, self.range, first)
        return _with(claimed.proof(evidence), checked)

    def with_adjoints(self, gradient: Gradient) -> _Claim:
        """λ_t^h alone on the left is dL/dh_t, and inside a formula dL/dh_t is λ_t^h."""

        def named(item: Node) -> Node:
            if isinstance(item, Derivative) and item.of is name("L"):
                wrt = item.wrt
                if isinstance(wrt, Signal) and not wrt.adjoint:
                    return lam(wrt)
            return item

        known = {e.target.label for e in gradient.equations}
        for item in signals_in(self.left, self.right):
            if item.adjoint == "delta" and item.label not in known:
                raise UsageError(
                    f"the equation of {item.name} is no activation of something, so there is no "
                    f"δ^{item.name}; dL/d{item.name} is λ^{item.name}"
                )
        left = self.left
        if isinstance(left, Signal) and left.adjoint in ("lam", "delta"):
            of = Signal((left.name, left.time, ""), (), left.shape)
            left = derivative(
                "gradient", name("L"), of if left.adjoint == "lam" else pre_activation(of)
            )
        elif not isinstance(left, Derivative):
            left = transform(left, named)
        return replace(self, left=left, right=transform(self.right, named))

    def _about_loss(self, evidence: Evidence, gradient: Gradient) -> Verdict:
        times, last = self.range.times, self.range.last
        # There is no mean over no steps.
        first = max(self.range.first(), gradient.first_horizon, int(gradient.objective.mean))
        found = evidence.adjoint(gradient, self.left, self.right, times, first, last)
        if found.status != "checked":
            return found
        claimed = Claimed(self.cell, self.left, self.right, self.range, first)
        return _with(claimed.proof_about_loss(evidence, gradient), found)

    # ---- times ----

    @cached_property
    def range(self) -> TimeRange:
        """The times that it is about."""
        return times_of(self.cell, self.left, self.right, self.stated)


def _repair(left: Shape, right: Shape) -> str:
    """What to look for where the sides have different shapes."""
    for matrix, column in ((left, right), (right, left)):
        if matrix[0] == matrix[1] == column[0] and column[1] == ONE != column[0]:
            return "a Jacobian of what acts entry by entry is a matrix: write diag(…)"
        if matrix != SCALAR and column == SCALAR:
            return "an outer product is a bᵀ, an inner one aᵀ b; a number times the identity is a I"
    return "look for a transpose"


def _with(proof: Verdict | None, checked: Verdict) -> Verdict:
    """A proof with what was evaluated besides, or that alone."""
    if proof is None:
        return checked
    how = [line for line in proof.how if not line.startswith("evaluated exactly for")]
    if checked.status == "checked":
        how.append(f"evaluated exactly for {checked.scope}")
    return replace(proof, how=tuple(how), conditions=checked.conditions)
