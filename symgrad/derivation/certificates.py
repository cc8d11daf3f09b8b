"""Proofs as JSON: written from a cell and a form, replayed by the kernel, compared with both.

The kernel returns a theorem with its hypotheses and knows nothing of cells. Here is decided
whether it is the theorem that was wanted: its claim is the displayed formula, and each of its
hypotheses is one that may be made about the cell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from symgrad.adjoint.objective import Objective
from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.derivation.foundations import ProofParts
from symgrad.derivation.prooflines import written
from symgrad.derivation.proofwriter import NoCertificate, ProofWriter
from symgrad.errors import NoClosedForm
from symgrad.verify import kernel
from symgrad.verify.encoding import NotEncoded, affine, canonical
from symgrad.verify.times import range_words
from symgrad.verify.verdict import Verdict

#: What a verdict says of a statement whose proof the kernel accepts.
REPLAYED = "replayed by the kernel"


@dataclass(frozen=True)
class Certificate:
    """A proof in JSON with the theorem that the kernel found it to prove."""

    proof: str
    theorem: dict[str, Any]

    def replay(self) -> bool:
        """Whether the kernel accepts the proof and finds the same theorem again."""
        try:
            return kernel.check(self.proof) == self.theorem
        except kernel.Refused:
            return False


def certificate(cell: Cell, form: Form) -> Certificate:
    """A proof that the form holds, accepted by the kernel and compared with cell and form.

    Raises:
        NoCertificate: none is known, or the kernel refuses it, or it proves something else.
        FailedCheck: the table of primitives is wrong.
    """
    try:
        writer = ProofWriter(cell, form)
        proof = written(writer.conclusion())
        theorem = kernel.check(proof)
        fault = difference(theorem, cell, form)
    except (NotEncoded, NoClosedForm) as error:
        raise NoCertificate(f"no proof in JSON is known: {error}") from None
    except kernel.Refused as error:
        raise NoCertificate(f"no proof in JSON is known that the kernel accepts: {error}") from None
    if fault:
        raise NoCertificate(fault)
    return Certificate(proof, theorem)


def difference(theorem: dict[str, Any], cell: Cell, form: Form) -> str:
    """How a theorem differs from what the form says of the cell; empty where it does not."""
    writer = ProofWriter(cell, form)
    wanted = writer.claim()
    if canonical(theorem["claims"]) != canonical([[*wanted]]):
        return "the theorem claims another formula than the one displayed"
    times = sorted(canonical(affine(form)) for form in writer.when())
    if sorted(map(canonical, theorem["when"])) != times:
        return "the theorem is for other times than the formula"
    allowed = {canonical(line) for line in writer.allowed()}
    for line in theorem["hypotheses"]:
        if canonical(line) not in allowed:
            return f"a hypothesis of the theorem is no equation of the cell: {canonical(line)}"
    return ""


def certified(cell: Cell, form: Form, objective: Objective | None, verdict: Verdict) -> Verdict:
    """The verdict with the proof that the kernel accepts, where there is one.

    A statement that was evaluated for some T and sizes is then proved for all.
    """
    if verdict.status not in ("proved", "checked"):
        return verdict
    try:
        found = certificate(cell, form if objective is None else replace(form, objective=objective))
    except NoCertificate:
        return verdict
    if verdict.status == "checked":
        lines = (f"proof {REPLAYED}", f"evaluated exactly for {verdict.scope}")
        return replace(verdict, status="proved", scope=_scope(cell, form), how=lines, proof=found)
    (*before, last) = verdict.how
    evaluated = last.startswith("evaluated exactly")
    how = (*before, REPLAYED, last) if evaluated else (*before, last, REPLAYED)
    below = () if verdict.proof is None else (verdict.proof,)
    parts = verdict.proof.parts if isinstance(verdict.proof, ProofParts) else below
    return replace(verdict, how=how, proof=ProofParts((found, *parts)))


def certificate_in(verdict: Verdict) -> Certificate | None:
    """The proof in JSON that a verdict rests on."""
    proof = verdict.proof
    parts = proof.parts if isinstance(proof, ProofParts) else (proof,)
    return next((part for part in parts if isinstance(part, Certificate)), None)


def _scope(cell: Cell, form: Form) -> str:
    """All times for which the form is said, and all sizes."""
    sizes = [f"all sizes {', '.join(cell.size_names)}"] if cell.size_names else []
    return ", ".join([f"all {range_words(form.times, form.first_horizon)}", *sizes])
