"""What symgrad set out to reach, and whether this run says that it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import derivation, throughput
from benchmarks.spread import Spread, ratio
from benchmarks.throughput import Case


@dataclass(frozen=True)
class Aim:
    """One line of the table of aims; ``measured`` is None where this run has no number."""

    text: str
    wanted: str
    measured: Spread | None
    met: bool | None

    @property
    def verdict(self) -> str:
        return {True: "yes", False: "no", None: "not measured"}[self.met]


def _aim(text: str, wanted: str, measured: Spread | None, test: Callable[[float], bool]) -> Aim:
    return Aim(text, wanted, measured, None if measured is None else test(measured.median))


def derivation_aims(rows: Sequence[derivation.Row]) -> list[Aim]:
    """Against CasADi and JAX at the largest T that is measured, and the operations."""
    found = {row.name: row for row in derivation.listed(rows)}
    horizons = [t for t, p in _points(found.get("symgrad")).items() if p.seconds]
    longest = max(horizons, default=1000)
    casadi = _times_faster(found, "CasADi SX, unrolled", longest)
    jax = _times_faster(found, "JAX scan, jaxpr of the gradient", longest)
    at = f"at T = {longest}"
    # The program as it is derived, and as code is generated from it: the smaller counts.
    points = [row.points.get(longest) for name, row in found.items() if name.startswith("symgrad")]
    counts = [derivation.operation_ratio(p, longest) for p in points if p is not None]
    known = [count for count in counts if count is not None]
    spread = Spread(min(known), min(known), min(known), 1) if known else None
    return [
        _aim(f"derivation {at}, CasADi SX over symgrad", "≥ 40", casadi, lambda r: r >= 40),
        _aim(f"derivation {at}, JAX scan over symgrad", "> 1", jax, lambda r: r > 1),
        _aim(f"operations {at}, gradient over forward pass", "≤ 2.6", spread, lambda r: r <= 2.6),
    ]


def _points(row: derivation.Row | None) -> dict[int, derivation.Point]:
    return {} if row is None else row.points


def _times_faster(found: dict[str, derivation.Row], peer: str, horizon: int) -> Spread | None:
    theirs, ours = (_points(found.get(name)).get(horizon) for name in (peer, "symgrad"))
    if theirs is None or ours is None or not theirs.seconds or not ours.seconds:
        return None
    return ratio(theirs.seconds, ours.seconds)


def throughput_aims(rows: Sequence[throughput.Row]) -> list[Aim]:
    """Against code by hand, JAX and the best peer; the worst of the cases counts."""
    scalar = {row.name: row for row in throughput.listed(rows, "scalar")}
    vector = {row.name: row for row in throughput.listed(rows, "vector")}
    jax = next((row for name, row in scalar.items() if name.startswith("JAX")), None)
    cases = list(dict.fromkeys(case for row in scalar.values() for case in row.results))
    wide = [case for case in cases if case.batch >= 1000]
    one = [case for case in cases if (case.horizon, case.batch) == (100, 1)]
    return [
        _aim(
            "scalar, B ≥ 1000, symgrad NumPy over NumPy by hand, the worst case",
            "≥ 0.9",
            _worst(scalar.get("symgrad NumPy"), scalar.get("NumPy by hand"), wide),
            lambda r: r >= 0.9,
        ),
        _aim(
            "scalar, B ≥ 1000, symgrad C over JAX, the worst case",
            "≥ 4",
            _worst(scalar.get("symgrad C"), jax, wide),
            lambda r: r >= 4,
        ),
        _aim(
            "scalar, T = 100, B = 1, symgrad Numba over JAX",
            "≥ 4",
            _worst(scalar.get("symgrad Numba"), jax, one),
            lambda r: r >= 4,
        ),
        _aim(
            "vector, n = 32, B = 1000, best of symgrad over best peer, the worst case",
            "≥ 0.7",
            _against_best(vector),
            lambda r: r >= 0.7,
        ),
    ]


def rate_ratio(ours: throughput.Row, theirs: throughput.Row, case: Case) -> Spread | None:
    """Samples per second of the one over the other, repetition by repetition."""
    left, right = ours.results.get(case), theirs.results.get(case)
    if left is None or right is None or not left.seconds or not right.seconds:
        return None
    return ratio(right.seconds, left.seconds)


def _worst(
    ours: throughput.Row | None, theirs: throughput.Row | None, cases: Sequence[Case]
) -> Spread | None:
    if ours is None or theirs is None:
        return None
    ratios = [r for case in cases if (r := rate_ratio(ours, theirs, case)) is not None]
    return min(ratios, key=lambda r: r.median, default=None)


def _against_best(rows: dict[str, throughput.Row]) -> Spread | None:
    found = []
    cases = list(dict.fromkeys(case for row in rows.values() for case in row.results))
    for case in cases:
        if (case.size, case.batch) != (32, 1000):
            continue
        ours = best([r for n, r in rows.items() if n.startswith("symgrad")], case)
        theirs = best([r for n, r in rows.items() if not n.startswith("symgrad")], case)
        if ours and theirs and (value := rate_ratio(ours, theirs, case)):
            found.append(value)
    return min(found, key=lambda r: r.median, default=None)


def best(rows: Sequence[throughput.Row], case: Case) -> throughput.Row | None:
    """The fastest in a case."""
    rates = {
        row.name: rate.median
        for row in rows
        if case in row.results and (rate := row.results[case].rate(case))
    }
    return max((r for r in rows if r.name in rates), key=lambda r: rates[r.name], default=None)
