"""A claimed formula about a cell: is it right, for which T and sizes, and if not, where not."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from symgrad.adjoint import Gradient, Objective, backward
from symgrad.cell import Cell
from symgrad.derivation.evidence import Evidence
from symgrad.errors import UsageError
from symgrad.judge.proofs import Claimed
from symgrad.lang.affine import Affine, T, as_affine
from symgrad.lang.nodes import (
    Cases,
    Const,
    Derivative,
    Fold,
    IndexValue,
    Iverson,
    Name,
    Node,
    Param,
    Power,
    Signal,
    name,
    params_in,
    signals_in,
    substitute_indices,
    walk,
)
from symgrad.ops.build import shape_text
from symgrad.parse import parse_statement
from symgrad.parse.formulas import Horizon
from symgrad.parse.grammar import Syntax
from symgrad.verify.onestep import same_at_every_time
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
            f"{shape_text(right.shape)}: such sides are equal for no sizes; look for a transpose"
        )
    _refuse_what_has_no_meaning(left, right)
    about_loss = any(isinstance(item, Name) and item is name("L") for item in walk(left, right))
    if about_loss and objective is None:
        raise UsageError(
            "the statement is about L; say what L is: objective=symgrad.loss(cell), or "
            "symgrad.final(cell, 'h')"
        )
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


@dataclass(frozen=True)
class _Claim:
    """Both sides, and what they are about."""

    cell: Cell
    left: Node
    right: Node
    objective: Objective | None

    def verdict(self) -> Verdict:
        evidence = Evidence(self.cell)
        times, first = self.times(), self.first()
        gradient = None if self.objective is None else backward(self.cell, self.objective)
        if gradient is not None:
            return self._about_loss(evidence, gradient, times, max(first, gradient.first_horizon))
        span = self._span()
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
        names = {letter for form in _forms(*sides) for letter in form.names}
        bound = {node.index for node in walk(*sides) if isinstance(node, Fold)}
        if "t" not in names or "T" in names | bound:
            return self
        left, right = (substitute_indices(side, {"t": T}) for side in sides)
        return replace(self, left=left, right=right)

    # ---- times ----

    def _signals(self) -> list[Signal]:
        return signals_in(self.left, self.right)

    def _earliest(self, item: Signal) -> int:
        """The first time at which it exists: of losses, targets and δ there are none at 0."""
        return 0 if self.cell.is_state(item.name) and item.adjoint in ("", "lam") else 1

    def times(self) -> Times:
        """The free times with their ranges: t, then k up to it."""
        nodes = walk(self.left, self.right)
        taken = {node.index for node in nodes if isinstance(node, Fold)} | {"T"}
        taken |= {letter for node in nodes for side in node.shape for letter in side.names}
        forms = _forms(self.left, self.right)
        free = dict.fromkeys(
            letter for form in forms for letter in sorted(form.names) if letter not in taken
        )
        found: list[tuple[str, Affine, Affine]] = []
        last = T
        for letter in sorted(free, key=lambda letter: "tkji".find(letter)):
            mine = [s for s in self._signals() if s.time.names == {letter}]
            low = max((self._earliest(s) - s.time.const for s in mine), default=0)
            high = max((s.time.const for s in mine), default=0)
            found.append((letter, as_affine(max(low, 0)), last - max(high, 0)))
            last = Affine(((letter, 1),))
        return tuple(found)

    def first(self) -> int:
        """The smallest T at which every signal exists."""
        at_end = [s for s in self._signals() if s.time.names == {"T"}]
        numbers = [s.time.const for s in self._signals() if s.time.is_const]
        low = max((self._earliest(s) - s.time.const for s in at_end), default=0)
        return max([low, *numbers, 0])

    def _span(self) -> tuple[str, int, int] | None:
        """The letter of a statement of few steps, how many, and how far back they end."""
        letters = {letter for item in self._signals() for letter in item.time.names}
        if len(letters) != 1 or not same_at_every_time(self.left, self.right):
            return None
        if any(item.time.is_const for item in self._signals()):
            return None
        (letter,) = letters
        # What the states bring along is another tangent for each parameter.
        derivatives = [n for n in walk(self.left, self.right) if isinstance(n, Derivative)]
        if any(not isinstance(node.wrt, Signal) for node in derivatives):
            return None
        later = max(item.time.const for item in self._signals())
        gap = max(self._earliest(item) - item.time.const for item in self._signals())
        if any(item.time.coefficient(letter) != 1 for item in self._signals()):
            return None
        return (letter, gap + later, -later) if later <= 0 and gap + later >= 1 else None


def _forms(*sides: Node) -> list[Affine]:
    """Every time in a formula: of signals, in exponents, bounds and conditions."""
    found: list[Affine] = []
    for node in walk(*sides):
        if isinstance(node, Signal):
            found.append(node.time)
        elif isinstance(node, IndexValue | Iverson):
            found.append(node.form)
        elif isinstance(node, Power):
            found.append(node.exponent)
        elif isinstance(node, Fold):
            found += [node.lower, node.upper]
        elif isinstance(node, Cases):
            conditions = [c for row in node.conditions for c in row]
            found += [s for c in conditions for s in (c.left, c.right) if isinstance(s, Affine)]
    return found


def _with(proof: Verdict | None, checked: Verdict) -> Verdict:
    """A proof with what was evaluated besides, or that alone."""
    if proof is None:
        return checked
    how = [line for line in proof.how if not line.startswith("evaluated exactly for")]
    if checked.status == "checked":
        how.append(f"evaluated exactly for {checked.scope}")
    return replace(proof, how=tuple(how), conditions=checked.conditions)
