"""Medians and ratios with their spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Spread:
    """A median with the smallest and the largest value behind it."""

    median: float
    low: float
    high: float
    count: int

    def as_json(self) -> dict[str, Any]:
        return {"median": self.median, "low": self.low, "high": self.high, "count": self.count}


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(median(values), min(values), max(values), len(values))


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Ratios within each repetition: what slows the machine down slows both sides.

    A side with fewer repetitions is compared by as many as both have; with one repetition
    on a side, by its single value against all of the other's.
    """
    if len(over) == 1 or len(under) == 1:
        return spread([a / b for a in over for b in under])
    return spread([a / b for a, b in zip(over, under, strict=False)])
