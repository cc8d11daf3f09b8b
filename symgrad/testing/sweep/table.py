"""The summary of a sweep: the same text for the same results, in whatever order they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import mpmath

from symgrad.testing.sweep.results import HOLDS, STATUSES, Outcome
from symgrad.testing.sweep.tasks import Task

_NOT_RUN = "not run"
#: Reasons that are listed; the file has all.
_MOST_LISTED = 20


def table(results: Iterable[tuple[Task, Outcome | None]]) -> str:
    """One row for each cell, sizes and objective; then what does not hold, and why."""
    found = list(results)
    groups: dict[tuple[str, ...], list[Outcome | None]] = {}
    for task, outcome in found:
        key = (task.cell.name, task.place, task.objective)
        groups.setdefault(key, []).append(outcome)
    statuses = [s for s in (*STATUSES, _NOT_RUN) if any(_status(o) == s for _, o in found)]
    head = ["cell", "sizes", "objective", "tasks", *statuses, "exact", "numerical"]
    rows = [[*head, "largest relative error"]]
    for names, outcomes in groups.items():
        counts = Counter(map(_status, outcomes))
        numbers = [len(outcomes), *(counts[s] for s in statuses)]
        known = [o for o in outcomes if o is not None]
        compared = [sum(o.compared[i] for o in known) for i in (0, 1)]
        rows.append([*names, *map(str, (*numbers, *compared)), _largest(known)])
    return "\n".join([*_aligned(rows), *_listed(found)]) + "\n"


def _status(outcome: Outcome | None) -> str:
    return _NOT_RUN if outcome is None else outcome.status


def _largest(outcomes: list[Outcome]) -> str:
    errors = [o.error for o in outcomes if o.error]
    return max(errors, key=mpmath.mpf, default="")


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        # Words to the left, numbers to the right.
        cells = [
            text.ljust(width) if place < 3 else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _listed(found: list[tuple[Task, Outcome | None]]) -> list[str]:
    lines: list[str] = []
    open_ones = [(t, o) for t, o in found if o is not None and o.status not in HOLDS]
    for task, outcome in sorted(open_ones, key=lambda pair: pair[1].status != "refuted"):
        if len(lines) == _MOST_LISTED:
            lines.append(f"and {len(open_ones) - _MOST_LISTED} more, in the file")
            break
        reason = outcome.witness or "; ".join(outcome.why)
        lines.append(f"{outcome.status}: {task.key}: {reason}")
    return ["", *lines] if lines else []


def exit_code(results: Iterable[tuple[Task, Outcome | None]]) -> int:
    """0: all hold; 1: something is refuted; 3: something is not decided."""
    statuses = {_status(outcome) for _, outcome in results}
    if "refuted" in statuses:
        return 1
    return 0 if statuses <= set(HOLDS) else 3


__all__ = ["exit_code", "table"]
