"""One task: everything symgrad derives of a cell, at one T and size, against the oracles.

Exactly: entry by entry modulo a prime at random points, against tangents of dual numbers,
with a bound on the probability of an error. Numerically: along random directions at points
drawn from the seed, in as many digits as needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import mpmath

from symgrad.testing.sweep.numbers import Comparison, Point, compare, points
from symgrad.testing.sweep.pieces import Piece, pieces
from symgrad.testing.sweep.results import Outcome
from symgrad.testing.sweep.tasks import Task
from symgrad.verify.claims import Scope
from symgrad.verify.claims import check as exactly
from symgrad.verify.verdict import Verdict


def check(task: Task) -> Outcome:
    """The outcome of a task; deterministic.

    ``checked``: every piece exactly, and no oracle contradicts. ``tested``: a degree is too
    high for arithmetic modulo a prime somewhere, and the numbers agree. ``refuted``: with a
    witness. ``undecided``: anything else.

    Raises:
        SymgradError: the cell or the statement cannot be read here.
    """
    cell = task.read_cell()
    tally = _Tally()
    drawn = list(points(task.seed, dict(task.sizes), cell.is_scalar, task.T))
    for place, piece in enumerate(pieces(task, cell)):
        verdict = _exact(piece, Scope((task.T,), (task.sizes,), cell.is_scalar, task.seed))
        tally.exact += verdict.holds
        if verdict.status == "refuted":
            tally.refute(piece, verdict)
            continue
        # Differences take most of the time: a third of the pieces each time, all in turn.
        differences = (place + task.T + task.seed) % 3 == 0
        numbers = _numbers(piece, drawn, tally, differences)
        if not verdict.holds and not _only_the_degree(verdict, numbers):
            tally.undecided.append(f"{piece.label}: {'; '.join(verdict.how)}")
        elif not verdict.holds:
            tally.tested.append(f"{piece.label}: {'; '.join(verdict.how)}")
    return tally.outcome()


@dataclass
class _Tally:
    exact: int = 0
    numerical: int = 0
    error: Any = 0
    refuted: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    witness: str = ""
    numpy: str = ""

    def refute(self, piece: Piece, verdict: Verdict) -> None:
        witness = verdict.witness
        assert witness is not None
        self.refuted.append(f"{piece.label} does not hold")
        if not self.witness:
            self.witness = f"{piece.label} {witness}"
            self.numpy = witness.numpy_lines()

    def outcome(self) -> Outcome:
        why = (*self.refuted, *self.undecided, *self.tested, *self.unresolved)
        compared = (self.exact, self.numerical)
        error = "" if not self.numerical else mpmath.nstr(self.error, 2, min_fixed=1, max_fixed=0)
        if self.refuted:
            return Outcome("refuted", error, compared, why, self.witness, self.numpy)
        if self.undecided or (not self.exact and not self.numerical):
            return Outcome("undecided", error, compared, why or ("nothing was compared",))
        return Outcome("tested" if self.tested else "checked", error, compared, why)


def _exact(piece: Piece, scope: Scope) -> Verdict:
    verdict = exactly(piece.claim, scope)
    if verdict.status == "refuted" and piece.shown is not None:
        # As a formula it is refuted with lines that anybody can run.
        again = exactly(piece.shown, scope)
        return again if again.status == "refuted" else verdict
    return verdict


def _numbers(piece: Piece, drawn: list[Point], tally: _Tally, differences: bool) -> int:
    """Compare at all points; the number of agreements."""
    agreed = 0
    for point in drawn if piece.numerical is not None else ():
        assert piece.numerical is not None
        found = compare(piece.numerical, point, differences=differences)
        if found.status != "unresolved":
            tally.numerical += 1
            tally.error = max([tally.error, *found.errors.values()])
        where = f"{piece.label} at {point.regime} numbers of seed {point.seed}"
        agreed += found.status == "agrees"
        _record(tally, found, where, point)
    return agreed


def _record(tally: _Tally, found: Comparison, where: str, point: Point) -> None:
    if found.status == "differs":
        tally.refuted.append(f"{where}: {found.why}")
        tally.witness = tally.witness or f"{where}, T = {point.horizon}: {found.why}"
    elif found.status == "undecided":
        tally.undecided.append(f"{where}: {found.why}")
    elif found.why:
        tally.unresolved.append(f"{where}: {found.why}")


def _only_the_degree(verdict: Verdict, agreed: int) -> bool:
    """Whether numbers may stand in: nothing differs, and enough was compared."""
    return agreed > 0 and any("degree is too high" in line for line in verdict.how)


__all__ = ["check"]
