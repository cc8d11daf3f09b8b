"""Free times of a statement, and the values that they take."""

from __future__ import annotations

from typing import TypeAlias

from symgrad.lang.affine import Affine

#: Times that a statement holds for all values of: a name, its first value and its last, in T
#: and in the names before it.
Times: TypeAlias = tuple[tuple[str, Affine, Affine], ...]


def choices(times: Times, horizon: int) -> list[dict[str, int]]:
    """Every choice of the free times at T, in order."""
    found: list[dict[str, int]] = [{}]
    for name, first, last in times:
        found = [
            {**known, name: value}
            for known in found
            for value in range(
                first.value({"T": horizon, **known}), last.value({"T": horizon, **known}) + 1
            )
        ]
    return found


def range_words(times: Times, first: int) -> str:
    """The times in words: ``0 ≤ k ≤ T``; T on its own where nothing else says it."""
    words = [f"{low} ≤ {name} ≤ {last}" for name, low, last in times]
    implied = max((low.const for _, low, _ in times), default=-1)
    if first > implied:
        words.append(f"T ≥ {first}")
    return ", ".join(words)
