"""A proof and an evaluation as one verdict; branches with their first values."""

from __future__ import annotations

from dataclasses import replace

from symgrad.closed.forms import Branch
from symgrad.lang.affine import T, as_affine
from symgrad.lang.nodes import Condition, Node, cases
from symgrad.verify.claims import NOTHING_COMPARED
from symgrad.verify.verdict import Verdict


def combined(proof: Verdict, checked: Verdict) -> Verdict:
    """A refutation wins; then the proof; then the check."""
    if checked.status == "refuted":
        return checked
    if checked.how in (NOTHING_COMPARED[:1], NOTHING_COMPARED[1:]):
        # No proof stands alone: nothing would notice that it is about another range of times.
        return Verdict("undecided", checked.scope, checked.how)
    if proof.status == "proved":
        return replace(proof, how=(*proof.how, *_evaluated(checked)), conditions=checked.conditions)
    if checked.holds:
        return checked
    return Verdict("undecided", checked.scope, (*proof.how, *checked.how))


def _evaluated(checked: Verdict) -> tuple[str, ...]:
    return (f"evaluated exactly for {checked.scope}",) if checked.status == "checked" else ()


def branch_cases(branch: Branch) -> Node:
    """A branch with its first values, where the formula begins at T = 1 or 2."""
    recurrence = branch.recurrence
    values = (recurrence.start, recurrence.second)
    rows: list[tuple[Node, tuple[Condition, ...]]] = []
    for position in range(branch.first):
        value = values[position]
        assert value is not None
        rows.append((value, (Condition(T, "=", as_affine(position)),)))
    return cases([*rows, (branch.right, ())])
