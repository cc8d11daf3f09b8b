"""Free times of a statement, and the values that they take."""

from __future__ import annotations

from typing import TypeAlias

from symgrad.lang.affine import Affine
from symgrad.lang.nodes import (
    Cases,
    Fold,
    IndexValue,
    Iverson,
    Name,
    Node,
    Power,
    Signal,
    walk,
)

#: Times that a statement holds for all values of: a name, its first value and its last, in T
#: and in the names before it. A name may stand there again: then both ranges apply.
Times: TypeAlias = tuple[tuple[str, Affine, Affine], ...]


def choices(times: Times, horizon: int) -> list[dict[str, int]]:
    """Every choice of the free times at T, in order."""
    found: list[dict[str, int]] = [{}]
    for name, first, last in times:
        wider, found = found, []
        for known in wider:
            values = {"T": horizon, **known}
            inside = range(first.value(values), last.value(values) + 1)
            if name in known:
                found += [known] if known[name] in inside else []
            else:
                found += [{**known, name: value} for value in inside]
    return found


def range_words(times: Times, first: int) -> str:
    """The times in words: ``0 ≤ k ≤ T``; T on its own where nothing else says it."""
    words = [f"{low} ≤ {name} ≤ {last}" for name, low, last in times]
    implied = max((low.const for _, low, _ in times), default=-1)
    if first > implied:
        words.append(f"T ≥ {first}")
    return ", ".join(words)


def times_in(*roots: Node) -> list[Affine]:
    """Every time in a formula: of signals, in exponents, bounds and conditions."""
    found: list[Affine] = []
    for node in walk(*roots):
        if isinstance(node, Signal | Name):
            found += [] if node.time is None else [node.time]
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


def free_letters(*roots: Node) -> set[str]:
    """The times that a formula leaves free, T among them; neither indices of sums nor sizes."""
    nodes = walk(*roots)
    taken = {node.index for node in nodes if isinstance(node, Fold)}
    taken |= {letter for node in nodes for side in node.shape for letter in side.names}
    return {letter for form in times_in(*roots) for letter in form.names} - taken
