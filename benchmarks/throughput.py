"""Part 2: gradients per second of the scalar LSTM (every sample's) and of the vector LSTM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.peers import by_hand
from benchmarks.problem import (
    TOLERANCE,
    Scalar,
    Vector,
    directional_error,
    scalar_error,
    scalar_problem,
    vector_error,
    vector_problem,
)
from benchmarks.sessions import Entry, Missing, PeerError
from benchmarks.spread import Spread, spread

Kind = Literal["scalar", "vector"]


@dataclass(frozen=True)
class Case:
    """One column of a table."""

    kind: Kind
    horizon: int
    batch: int
    size: int = 1

    @property
    def title(self) -> str:
        units = f"n = {self.size}, " if self.kind == "vector" else ""
        return f"{units}T = {self.horizon}, B = {self.batch}"


SCALAR_CASES = (
    *(Case("scalar", horizon, batch) for horizon in (10, 100, 1000) for batch in (1, 1000)),
    Case("scalar", 10, 100_000),
)
VECTOR_CASES = tuple(
    Case("vector", horizon, batch, size)
    for size in (4, 32)
    for horizon in (10, 100)
    for batch in (1, 1000)
)
QUICK_CASES = (
    Case("scalar", 10, 1),
    Case("scalar", 10, 1000),
    Case("scalar", 100, 1),
    Case("scalar", 100, 1000),
    Case("vector", 10, 1000, 4),
    Case("vector", 10, 1000, 32),
)

SCALAR_ENTRIES = (
    Entry("symgrad NumPy", "benchmarks.peers.with_symgrad_compiled", "NumPy"),
    Entry("symgrad C", "benchmarks.peers.with_symgrad_compiled", "C"),
    Entry("symgrad Numba", "benchmarks.peers.with_symgrad_compiled", "Numba", ("numba",)),
    Entry("NumPy by hand", "benchmarks.peers.by_hand", "Throughput"),
    Entry("JAX jit(vmap(grad(scan)))", "benchmarks.peers.with_jax", "Throughput", ("jax",)),
    Entry("PyTorch loop", "benchmarks.peers.with_torch", "Loop", ("torch",)),
    Entry("CasADi SX, mapped", "benchmarks.peers.with_casadi", "Throughput", ("casadi",)),
    Entry("HIPS autograd", "benchmarks.peers.with_autograd", "Throughput", ("autograd",)),
)
#: symgrad's C and Numba backends evaluate scalar cells only.
VECTOR_ENTRIES = (
    Entry("symgrad NumPy", "benchmarks.peers.with_symgrad_compiled", "NumPy"),
    Entry("NumPy by hand", "benchmarks.peers.by_hand", "Throughput"),
    Entry("JAX jit(grad(scan))", "benchmarks.peers.with_jax", "Throughput", ("jax",)),
    Entry("PyTorch nn.LSTM", "benchmarks.peers.with_torch", "Module", ("torch",)),
    Entry("PyTorch loop", "benchmarks.peers.with_torch", "Loop", ("torch",)),
    Entry("HIPS autograd", "benchmarks.peers.with_autograd", "Throughput", ("autograd",)),
)


@dataclass
class Result:
    """One peer in one case."""

    seconds: list[float] = field(default_factory=list)
    #: From the problem to the first gradient: compilation, layout of the data, one call.
    ready_seconds: float | None = None
    error: float | None = None
    why_not: str = ""

    def rate(self, case: Case) -> Spread | None:
        """Samples per second."""
        return spread([case.batch / s for s in self.seconds]) if self.seconds else None


@dataclass
class Row:
    """One peer in all cases of one kind."""

    name: str
    kind: Kind
    results: dict[Case, Result] = field(default_factory=dict)
    missing: str = ""
    refused: str = ""


def run(
    open_session: Callable[[Entry], Any],
    cases: Sequence[Case],
    *,
    scalar_entries: Sequence[Entry] = SCALAR_ENTRIES,
    vector_entries: Sequence[Entry] = VECTOR_ENTRIES,
    repetitions: int = 7,
    limit: float = 60.0,
    patience: float = 4.0,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Every peer in every case, in turn within each repetition; gradients checked first."""
    entries = {"scalar": scalar_entries, "vector": vector_entries}
    rows: list[Row] = []
    for kind in ("scalar", "vector"):
        of_kind = [case for case in cases if case.kind == kind]
        if not of_kind:
            continue
        sessions: dict[str, Any] = {}
        new = [Row(entry.name, kind) for entry in entries[kind]]  # type: ignore[arg-type]
        for row, entry in zip(new, entries[kind], strict=True):
            try:
                sessions[row.name] = open_session(entry)
            except Missing as error:
                row.missing = str(error)
            except PeerError as error:
                row.missing = f"does not run here ({error})"
        for case in of_kind:
            _measure(case, new, sessions, repetitions, limit, patience)
            tell(f"throughput: {case.kind}, {case.title}")
        for session in sessions.values():
            session.close()
        rows += new
    return rows


def _measure(
    case: Case,
    rows: Sequence[Row],
    sessions: dict[str, Any],
    repetitions: int,
    limit: float,
    patience: float,
) -> None:
    problem = make_problem(case)
    error_of = checker(case, problem)
    active: list[tuple[Row, Result, int]] = []
    for row in rows:
        if row.missing or row.refused:
            continue
        result = row.results[case] = Result()
        session = sessions.get(row.name)
        if session is None:
            result.why_not = "not tried: its process ended"
            continue
        try:
            ready, gradient = session.ask("prepare", case.kind, problem, limit=limit)
            result.error = error_of(gradient)
            del gradient
            if not result.error <= TOLERANCE:
                refuse(row, f"relative error {result.error:.1e} at {case.title}")
                sessions.pop(row.name).close()
                continue
            result.ready_seconds = ready
            active.append((row, result, session.ask("calibrate", limit=limit)))
        except PeerError as error:
            result.why_not = str(error)
            # A process that is over its limit was ended; one that reports an error lives.
            if not session.alive:
                sessions.pop(row.name)
    for _ in range(repetitions):
        for row, result, count in active:
            if row.name not in sessions or sum(result.seconds) * count > patience:
                continue
            try:
                result.seconds.append(sessions[row.name].ask("measure", count, limit=limit))
            except PeerError as error:
                result.why_not = str(error)
                result.seconds.clear()
                sessions.pop(row.name).close()


def refuse(row: Row, why: str) -> None:
    """Take a peer out of the table: it computes something else."""
    row.refused = why
    row.results.clear()


def make_problem(case: Case) -> Scalar | Vector:
    """The numbers of a case."""
    if case.kind == "scalar":
        return scalar_problem(case.horizon, case.batch)
    return vector_problem(case.size, case.horizon, case.batch)


def checker(case: Case, problem: Any) -> Callable[[Any], float]:
    """What tells how far a gradient is from the reference.

    In the vector reading the reference is our own NumPy code by hand, itself compared with
    the complex step along random directions; there it is only as large as that allows.
    """
    if case.kind == "scalar":
        return lambda gradient: scalar_error(problem, gradient)
    small = vector_problem(case.size, case.horizon, min(case.batch, 3))
    error = directional_error(small, by_hand.vector_gradient(small))
    if not error <= TOLERANCE:
        raise ArithmeticError(f"the reference gradient is wrong: relative error {error:.1e}")
    reference = by_hand.vector_gradient(problem)
    return lambda gradient: vector_error(gradient, reference)


def listed(rows: Sequence[Row], kind: Kind) -> list[Row]:
    """The rows of the table: everybody whose gradient was right."""
    return [row for row in rows if row.kind == kind and not row.refused and not row.missing]


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """All raw numbers."""
    found = []
    for row in rows:
        cases = []
        for case, result in row.results.items():
            rate = result.rate(case)
            cases.append(
                {
                    "T": case.horizon,
                    "B": case.batch,
                    "n": case.size,
                    "seconds": result.seconds,
                    "samples_per_second": rate.as_json() if rate else None,
                    "ready_seconds": result.ready_seconds,
                    "relative_error": result.error,
                    "why_not": result.why_not,
                }
            )
        found.append(
            {
                "peer": row.name,
                "kind": row.kind,
                "missing": row.missing,
                "refused": row.refused,
                "cases": cases,
            }
        )
    return found
