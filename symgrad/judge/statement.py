"""A claimed formula about a cell: is it right, for which T and sizes, and if not, where not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from symgrad.adjoint import Gradient, Objective, backward
from symgrad.adjoint.reverse import lam
from symgrad.cell import Cell
from symgrad.closed import closed_form, expanded_form, forward_form
from symgrad.closed.forms import Form
from symgrad.closed.solutions import direct_form
from symgrad.derivation.claiming import own_equations, pre_activation, written_out
from symgrad.derivation.evidence import Evidence
from symgrad.derivation.foundations import ProofParts, SameStep
from symgrad.errors import SymgradError, UsageError
from symgrad.judge.named import in_signals
from symgrad.judge.times import FreeTimes, times_in
from symgrad.lang.affine import ONE, Affine, T, symbol, t
from symgrad.lang.nodes import (
    SCALAR,
    Const,
    Derivative,
    Fold,
    Name,
    Node,
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
from symgrad.verify.polynomial import TooManyTerms
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
        return self._with_proof(evidence, checked, first)

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
        claimed = self._written_out(gradient, self.right)
        for known in own_equations(gradient, self.left, times, first):
            same = _same(self._written_out(gradient, known), claimed, first)
            if same is None:
                continue
            proof = evidence.adjoint(gradient, self.left, known, times, first)
            if proof.status == "proved":
                return self._stated(_through(proof, same, first), found)
        return found

    def _written_out(self, gradient: Gradient, formula: Node) -> Node:
        return in_signals(self.cell, written_out(gradient, formula))

    def _with_proof(self, evidence: Evidence, checked: Verdict, first: int) -> Verdict:
        """The proof of a derived form that has the same normal form."""
        letters = self._own_letters()
        moved = self._renamed({mine: symbol(theirs) for theirs, mine in letters.items()})
        claimed = in_signals(self.cell, moved.right)
        for form in moved._known():
            same = _same(in_signals(self.cell, form.full), claimed, first)
            if same is None:
                continue
            known = evidence.form(form)
            if known.status == "proved" and form.first_horizon <= first:
                found = _through(known, same, first)
                scope = "".join(letters.get(character, character) for character in found.scope)
                return self._stated(replace(found, scope=scope), checked)
        return checked

    def _stated(self, proof: Verdict, checked: Verdict) -> Verdict:
        """A proof of another formula that is equal, with what was evaluated of this one."""
        how = [line for line in proof.how if not line.startswith("evaluated exactly for T = 0..")]
        if checked.status == "checked":
            how.append(f"evaluated exactly for {checked.scope}")
        return replace(proof, how=tuple(how), conditions=checked.conditions)

    def _own_letters(self) -> dict[str, str]:
        """What T and k of a derived form are called here: q_t by s_k, q_T by s_t."""
        sides = (self.left, self.right)
        names = {letter for form in times_in(*sides) for letter in form.names}
        names |= {node.index for node in walk(*sides) if isinstance(node, Fold)}
        if "t" in names and "T" not in names:
            return {"T": "t"}
        return {"k": "t"} if {"t", "T"} <= names and not self._occurs("k") else {}

    def _occurs(self, letter: str) -> bool:
        """Whether a letter is free."""
        return any(letter == name for name, _, _ in self.times())

    def _renamed(self, letters: dict[str, Affine]) -> _Claim:
        if not letters:
            return self
        left, right = (substitute_indices(side, letters) for side in (self.left, self.right))
        return replace(self, left=left, right=right)

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


def _repair(left: Shape, right: Shape) -> str:
    """What to look for where the sides have different shapes."""
    for matrix, column in ((left, right), (right, left)):
        if matrix[0] == matrix[1] == column[0] and column[1] == ONE != column[0]:
            return "a Jacobian of what acts entry by entry is a matrix: write diag(…)"
        if matrix != SCALAR and column == SCALAR:
            return "an outer product is a bᵀ, an inner one aᵀ b; a number times the identity is a I"
    return "look for a transpose"


def _same_limits(left: Fold, right: Fold) -> bool:
    return (left.kind, left.index, left.lower, left.upper) == (
        right.kind,
        right.index,
        right.lower,
        right.upper,
    )


def _same(known: Node, claimed: Node, first: int) -> SameStep | None:
    """The proof that two formulas are equal from T = first on, or from 1 on."""
    if known.shape != claimed.shape:
        return None
    if isinstance(known, Fold) and isinstance(claimed, Fold) and _same_limits(known, claimed):
        # Term by term, if the whole has no normal form.
        by_terms = _same(known.body, claimed.body, first)
        if by_terms is not None:
            return by_terms
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
