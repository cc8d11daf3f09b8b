"""Part 1: how long a derivation takes over T, and how many operations it leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.problem import TOLERANCE, scalar_error, scalar_problem
from benchmarks.sessions import Entry, Missing, PeerError, TooSlow
from benchmarks.spread import Spread, spread

HORIZONS = (1, 3, 5, 10, 50, 100, 1000)

#: Operations of one step of the forward pass with its loss: four gates of 4 operations and
#: an activation each, 3 for c, 2 for h, 4 for the loss.
FORWARD_OPERATIONS = 29

ENTRIES = (
    Entry("symgrad", "benchmarks.peers.with_symgrad", "Derivation"),
    Entry("symgrad, with the plan of code", "benchmarks.peers.with_symgrad", "Planned"),
    Entry("CasADi SX, unrolled", "benchmarks.peers.with_casadi", "Unrolled", ("casadi",)),
    Entry("CasADi mapaccum", "benchmarks.peers.with_casadi", "MapAccum", ("casadi",)),
    Entry("JAX scan, jaxpr of the gradient", "benchmarks.peers.with_jax", "ScanJaxpr", ("jax",)),
    Entry("JAX unrolled, jaxpr of the gradient", "benchmarks.peers.with_jax", "LoopJaxpr",
          ("jax",)),
    Entry("SymEngine diff + cse", "benchmarks.peers.with_symengine", "Derivation",
          ("symengine",)),
    Entry("SymPy diff + cse", "benchmarks.peers.with_sympy", "Derivation", ("sympy",)),
)  # fmt: skip


@dataclass
class Point:
    """One peer at one T."""

    seconds: list[float] = field(default_factory=list)
    operations: float | None = None
    error: float | None = None
    why_not: str = ""

    @property
    def spread(self) -> Spread | None:
        return spread(self.seconds) if self.seconds else None


@dataclass
class Row:
    """One peer."""

    name: str
    points: dict[int, Point] = field(default_factory=dict)
    cold: list[float] = field(default_factory=list)
    missing: str = ""
    refused: str = ""
    #: Why larger T are not tried.
    stopped: str = ""


Open = Callable[[Entry], Any]


def run(
    open_session: Open,
    entries: Sequence[Entry] = ENTRIES,
    horizons: Sequence[int] = HORIZONS,
    *,
    repetitions: int = 5,
    cold_starts: int = 3,
    limit: float = 20.0,
    patience: float = 4.0,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Every peer at every T, in turn within each repetition.

    A derivation is checked before it is timed: the gradient it gives must be the
    reference's. A peer that exceeds ``limit`` at one T is not asked for larger ones; it is
    repeated no more once it has taken ``patience`` seconds at this T.
    """
    rows = [Row(entry.name) for entry in entries]
    sessions: dict[str, Any] = {}
    for start in range(cold_starts):
        for row, entry in zip(rows, entries, strict=True):
            if row.missing or row.refused:
                continue
            if entry.name in sessions:
                sessions.pop(entry.name).close()
            try:
                sessions[entry.name] = open_session(entry)
                # T = 3: what is measured is the start, not the length.
                row.cold.append(sessions[entry.name].ask("derive", 3, limit=limit))
            except Missing as error:
                row.missing = str(error)
            except PeerError as error:
                row.missing = f"does not run here ({error})"
        tell(f"derivation: cold start {start + 1} of {cold_starts}")
    for horizon in horizons:
        _at(horizon, rows, sessions, repetitions, limit, patience)
        tell(f"derivation: T = {horizon}")
    for session in sessions.values():
        session.close()
    return rows


def _at(
    horizon: int,
    rows: Sequence[Row],
    sessions: dict[str, Any],
    repetitions: int,
    limit: float,
    patience: float,
) -> None:
    problem = scalar_problem(horizon, 1)
    active = []
    for row in rows:
        if row.missing or row.refused:
            continue
        point = row.points[horizon] = Point()
        session = sessions.get(row.name)
        if session is None:
            point.why_not = row.stopped
            continue
        try:
            first = session.ask("derive", horizon, limit=limit)
            point.operations, gradient = session.ask("examine", horizon, problem, limit=3 * limit)
        except TooSlow as error:
            point.why_not = str(error)
            row.stopped = f"not tried: {error} at T = {horizon}"
            sessions.pop(row.name)
            continue
        except PeerError as error:
            point.why_not = row.stopped = str(error)
            sessions.pop(row.name).close()
            continue
        point.error = scalar_error(problem, gradient)
        if not point.error <= TOLERANCE:
            refuse(row, f"relative error {point.error:.1e} at T = {horizon}")
            sessions.pop(row.name).close()
            continue
        active.append((row, point, first))
    for repetition in range(repetitions):
        for row, point, first in active:
            spent = sum(point.seconds)
            if spent > patience or row.name not in sessions:
                continue
            if repetition == 0 and first > patience:
                # Long enough that the start does not show; a second run tells nothing new.
                point.seconds.append(first)
                continue
            try:
                point.seconds.append(sessions[row.name].ask("derive", horizon, limit=limit))
            except PeerError:
                # The first took less than the limit, so this one was disturbed: what is
                # there counts.
                point.seconds = point.seconds or [first]
                sessions.pop(row.name, None)


def refuse(row: Row, why: str) -> None:
    """Take a peer out of the table: it computes something else."""
    row.refused = why
    row.points.clear()
    row.cold.clear()


def operation_ratio(point: Point, horizon: int) -> float | None:
    """Operations of the gradient program over those of the forward pass with its loss."""
    if point.operations is None:
        return None
    return point.operations / (FORWARD_OPERATIONS * horizon)


def listed(rows: Sequence[Row]) -> list[Row]:
    """The rows of the table: everybody whose gradient was right."""
    return [row for row in rows if not row.refused and not row.missing]


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """All raw numbers."""
    return [
        {
            "peer": row.name,
            "missing": row.missing,
            "refused": row.refused,
            "cold_seconds": row.cold,
            "points": {
                str(horizon): {
                    "seconds": point.seconds,
                    "median": point.spread.median if point.spread else None,
                    "operations": point.operations,
                    "ratio": operation_ratio(point, horizon),
                    "relative_error": point.error,
                    "why_not": point.why_not,
                }
                for horizon, point in row.points.items()
            },
        }
        for row in rows
    ]
