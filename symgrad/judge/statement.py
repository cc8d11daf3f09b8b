"""A claimed formula about a cell: is it right, for which T and sizes, and if not, where not."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from symgrad.adjoint import Gradient, Objective, backward
from symgrad.adjoint.reverse import lam
from symgrad.cell import Cell
from symgrad.derivation.claiming import pre_activation
from symgrad.derivation.evidence import Evidence
from symgrad.errors import UsageError
from symgrad.judge.proofs import Claimed
from symgrad.judge.times import FreeTimes, times_in
from symgrad.lang.affine import ONE, Affine, T
from symgrad.lang.nodes import (
    SCALAR,
    Cases,
    Const,
    Derivative,
    Fold,
    Name,
    Node,
    Param,
    Shape,
    Signal,
    derivative,
    name,
    params_in,
    signals_in,
    substitute_indices,
    transform,
    walk,
)
from symgrad.ops.build import shape_text
from symgrad.parse import parse_statement
from symgrad.parse.formulas import Horizon
from symgrad.parse.grammar import Syntax
from symgrad.verify.times import Times
from symgrad.verify.verdict import Verdict

#: A range after a statement, as symgrad prints it.
_RANGE = re.compile(r"\s(for\s.*|\\q?quad.*)$", re.DOTALL)


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
            T are free: the statement is judged at every time at which its signals exist.
        syntax: of a text: ``text``, as one types it and as symgrad prints it, or ``latex``.
        horizon: what ``^T`` at a square matrix means in a text: ``power`` or ``transpose``.
        objective: what L is, for a statement about dL/dθ.

    Returns:
        ``proved`` for all T (and sizes) where the statement is one of a step, or equals a form
        that is proved; ``checked`` exactly in a finite scope; ``refuted`` with a witness;
        ``undecided`` with the reason.

    Raises:
        ParseError: the text is no statement about this cell; the message has the place.
        UsageError: L without its objective.
    """
    if isinstance(statement, str) and (found := _RANGE.search(statement)):
        raise UsageError(
            f"{found[0].strip()!r}: check judges a statement at all times at which its signals "
            "exist; leave the range out, or write cases: {a if T = 0; b otherwise}"
        )
    if isinstance(statement, str):
        # The cotangent, the coefficient of weight decay.
        extra = () if objective is None else params_in(objective.seed, objective.penalty)
        known = [theta for theta in extra if theta not in cell.params]
        left, right = parse_statement(statement, cell, syntax=syntax, extra=known, horizon=horizon)
    else:
        left, right = statement
    if left.shape != right.shape and not isinstance(right, Const):
        raise UsageError(
            f"the left side is {shape_text(left.shape)}, the right side "
            f"{shape_text(right.shape)}: such sides are equal for no sizes; "
            f"{_repair(left.shape, right.shape)}"
        )
    _refuse_what_has_no_meaning(left, right)
    about_loss = any(isinstance(item, Name) and item is name("L") for item in walk(left, right))
    if about_loss and objective is None:
        raise UsageError(
            "the statement is about L; say what L is: objective=symgrad.loss(cell), or "
            "symgrad.final(cell, 'h')"
        )
    for item in signals_in(left, right):
        if item.adjoint == "dl" and not _is_given(item, objective):
            raise UsageError(_other_loss(item, objective))
    return _Claim(cell, left, right, objective).verdict()


def _refuse_what_has_no_meaning(*sides: Node) -> None:
    """Refuse what can be written and cannot be judged.

    Raises:
        UsageError: a derivative by a time, formulas compared by size.
    """
    for node in walk(*sides):
        if isinstance(node, Derivative) and not isinstance(node.wrt, Param | Signal):
            raise UsageError(
                f"{node!r}: there are derivatives by parameters and signals, not by {node.wrt!r}"
            )
        for condition in (
            (c for row in node.conditions for c in row) if isinstance(node, Cases) else ()
        ):
            of_times = isinstance(condition.left, Affine) and isinstance(condition.right, Affine)
            if condition.relation in ("≥", "<") and not of_times:
                raise UsageError(
                    f"the case {condition.left!r} {condition.relation} {condition.right!r}: times "
                    "are compared with =, ≠, ≥ and <, other formulas with = and ≠ only"
                )


def _is_given(item: Signal, objective: Objective | None) -> bool:
    """Whether ∂ℓ_t/∂s_t is a given number: of the signal that a generic loss looks at."""
    if objective is None or objective.kind != "loss":
        return False
    return item.name == objective.signal.name


def _other_loss(item: Signal, objective: Objective | None) -> str:
    if objective is None or objective.kind == "linear":
        return (
            f"the statement has the derivative of a loss ℓ_t by {item.name}_t; say that L is a sum "
            f"of losses: objective=symgrad.loss(cell, {item.name!r})"
        )
    name = objective.signal.name
    if objective.kind == "squared":
        return f"ℓ_t is half the squared error of {name}: write {name}_t - {name}_t^*"
    return (
        f"ℓ_t is a loss of {name}_t: write ∂ℓ_t/∂{name}_t and what {item.name}_t adds to {name}_t"
    )


@dataclass(frozen=True)
class _Claim(FreeTimes):
    """Both sides, and what they are about."""

    objective: Objective | None

    def verdict(self) -> Verdict:
        evidence = Evidence(self.cell)
        times, first = self.times(), self.first()
        gradient = None if self.objective is None else backward(self.cell, self.objective)
        if gradient is not None:
            first = max(first, gradient.first_horizon)
            return self.with_adjoints(gradient)._about_loss(evidence, gradient, times, first)
        span = self.span()
        if span is not None:
            letter, gap, shift = span
            # The same at the latest times: h_{t-8} is a state like h_t.
            there = {letter: Affine(((letter, 1),), shift)}
            left, right = (substitute_indices(side, there) for side in (self.left, self.right))
            moved = replace(self, left=left, right=right)
            return evidence.one_step(
                left,
                right,
                times=moved.times(),
                horizon=gap,
                indices={letter: gap} if letter != "T" else {},
                scope=f"all {letter} ≥ {gap + shift}",
                first=max(moved.first(), gap),
                later=True,
            )
        checked = evidence.formula(self.left, self.right, times=times, first=first)
        if not checked.holds:
            return checked
        return self._with_proof(evidence, checked)

    def with_adjoints(self, gradient: Gradient) -> _Claim:
        """λ_t^h alone on the left is dL/dh_t, and inside a formula dL/dh_t is λ_t^h."""

        def named(item: Node) -> Node:
            if isinstance(item, Derivative) and item.of is name("L"):
                wrt = item.wrt
                if isinstance(wrt, Signal) and not wrt.adjoint:
                    return lam(wrt)
            return item

        known = {e.target.label for e in gradient.equations}
        for item in self.signals():
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

    def _about_loss(
        self, evidence: Evidence, gradient: Gradient, times: Times, first: int
    ) -> Verdict:
        found = evidence.adjoint(gradient, self.left, self.right, times, first)
        if found.status != "checked":
            return found
        claimed = Claimed(self.cell, self.left, self.right, times, first)
        return _with(claimed.proof_about_loss(evidence, gradient), found)

    def _with_proof(self, evidence: Evidence, checked: Verdict) -> Verdict:
        """The verdict with a proof at all its times, where one is found."""
        claim = self._at_horizon()
        claimed = Claimed(self.cell, claim.left, claim.right, claim.times(), claim.first())
        proof = claimed.proof(evidence)
        if proof is not None and claim is not self:
            proof = replace(proof, scope=proof.scope.replace("T", "t"))
        return _with(proof, checked)

    def _at_horizon(self) -> _Claim:
        """The same about T instead of t, where T does not occur at all."""
        sides = (self.left, self.right)
        names = {letter for form in times_in(*sides) for letter in form.names}
        bound = {node.index for node in walk(*sides) if isinstance(node, Fold)}
        if "t" not in names or "T" in names | bound:
            return self
        left, right = (substitute_indices(side, {"t": T}) for side in sides)
        return replace(self, left=left, right=right)


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
