"""Proofs of claimed formulas: through formulas that are proved, or by an induction of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from symgrad.adjoint import Gradient
from symgrad.cell import Cell
from symgrad.closed import closed_form
from symgrad.closed.forms import Form
from symgrad.closed.sums import expanded_form, loss_expanded, summed_expanded
from symgrad.derivation.claiming import stated_value
from symgrad.derivation.evidence import Evidence
from symgrad.derivation.foundations import ProofParts
from symgrad.errors import SymgradError
from symgrad.judge.rewriting import KINDS, Adjoints, Known
from symgrad.lang.affine import T
from symgrad.lang.nodes import Derivative, Name, Node, Param, Signal
from symgrad.verify.ranges import TimeRange
from symgrad.verify.regions import Region
from symgrad.verify.relations import using
from symgrad.verify.sameness import Sameness
from symgrad.verify.times import free_letters
from symgrad.verify.verdict import Replayable, Verdict

BY_NORMAL_FORMS = "equal to it by normal forms"


@dataclass(frozen=True)
class Claimed:
    """A claim, and where it is said to hold.

    Attributes:
        range: its times.
        first: the smallest T.
    """

    cell: Cell
    left: Node
    right: Node
    range: TimeRange
    first: int

    @cached_property
    def region(self) -> Region:
        """Where it is to be proved."""
        return Region().also(*self.range.constraints, T - self.first)

    @property
    def scope(self) -> str:
        """All its times, and all sizes."""
        sizes = () if self.cell.is_scalar else self.cell.size_names
        within = self.range.and_also([T - self.first])
        words = within.words()
        if within.letters == ("t",) and "T" not in free_letters(self.left, self.right):
            low, high = within.first("t"), within.times[0][2]
            words = f"t ≥ {low}" if high == T and within.first() == low else words
        words = f"all {words}"
        return f"{words}, all sizes {', '.join(sizes)}" if sizes else words

    # ---- formulas without L ----

    def proof(self, evidence: Evidence) -> Verdict | None:
        """A proof at all its times; None where none is found."""
        for kind in KINDS:
            known = Known(self.cell, kind, self._names())
            same = Sameness(self.left, self.right, self.region, known)
            if not same.replay():
                continue
            below = [evidence.known(form) for form in known.used.values()]
            if all(v.status == "proved" for v in below):
                forms = list(known.used.values())
                return self._made(below, same, forms[0].full if len(forms) == 1 else None)
        return self._own_induction(evidence)

    def _names(self) -> frozenset[str]:
        return frozenset({self.left.name} if isinstance(self.left, Signal) else ())

    def _made(self, below: list[Verdict], same: Sameness, displayed: Node | None) -> Verdict:
        """What the formulas below and the equality prove together.

        ``displayed``: what is proved of the left side, if that is one formula.
        """
        lines: dict[str, None] = {}
        for verdict in below:
            lines |= dict.fromkeys(h for h in verdict.how if not h.startswith("evaluated exactly"))
        how = [*lines]
        if displayed is not self.right:
            how.append(BY_NORMAL_FORMS if below else "equal by normal forms")
        how += using(same.relations() or ())
        parts: list[Replayable] = [v.proof for v in below if v.proof is not None]
        return Verdict("proved", self.scope, tuple(how), proof=ProofParts((*parts, same)))

    def _own_induction(self, evidence: Evidence) -> Verdict | None:
        """The claimed formula satisfies the recurrence itself."""
        left = self.left
        if not isinstance(left, Derivative) or not isinstance(left.of, Signal):
            return None
        if left.of.time != T or left.kind != "total":
            return None
        try:
            form = expanded_form(self.cell, left.of, left.wrt)
        except SymgradError:
            return None
        if form.left is not left or form.recurrence is None:
            return None
        if self.range.letters or self.range.last is not None or form.first_horizon != self.first:
            return None
        own = replace(form, right=self.right, where=())
        found = evidence.form(own)
        return replace(found, scope=self.scope) if found.status == "proved" else None

    # ---- gradients of L ----

    def proof_about_loss(self, evidence: Evidence, gradient: Gradient) -> Verdict | None:
        """Through the equations of the backward pass, or the expanded form of the gradient."""
        left = self.left
        if not isinstance(left, Derivative) or not isinstance(left.of, Name):
            return None
        rewriting = Adjoints(gradient)
        value = stated_value(gradient, left.wrt) if isinstance(left.wrt, Param | Signal) else None
        for shown in (left if value is None else value, left):
            same = Sameness(shown, self.right, self.region, rewriting)
            if same.replay():
                found = evidence.adjoint_identity(gradient)
                if found.status == "proved":
                    return self._made([found], same, shown)
        for form in self._expanded(gradient):
            if form.left is not left or form.first_horizon > self.first or self.range.letters:
                continue
            same = Sameness(form.full, self.right, self.region, Known(self.cell, "expanded"))
            if same.replay():
                found = evidence.known(form, gradient.objective)
                if found.status == "proved":
                    return self._made([found], same, form.full)
        return None

    def _expanded(self, gradient: Gradient) -> Iterator[Form]:
        """dL/dθ as a sum over time of products of Jacobians."""
        objective, left = gradient.objective, self.left
        wrt = left.wrt if isinstance(left, Derivative) else None
        if not isinstance(wrt, Param):
            return
        of = objective.signal
        try:
            if objective.when == "final" and objective.kind == "linear":
                yield expanded_form(self.cell, of.at(T), wrt)
                yield closed_form(self.cell, of.at(T), wrt)
            elif objective.when == "sum" and objective.kind == "linear":
                yield summed_expanded(self.cell, of, wrt, objective)
            elif objective.when == "sum":
                yield loss_expanded(self.cell, of, wrt, objective)
        except SymgradError:
            return


__all__ = ["BY_NORMAL_FORMS", "Claimed"]
