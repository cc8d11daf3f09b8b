"""Runs that fail, made smaller: the smallest T, then sizes, then simple numbers.

What counts as a failure is told by a function; nothing is known of gradients here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from symgrad.evaluate.compiled.problem import Array
from symgrad.testing.runs import Run

#: What is known of a failure; None where there is none.
Fails = Callable[[Run], Any]

#: Numbers from the simplest on; what is none of them is rounded to a few digits.
SIMPLE = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
_MOST_EVALUATIONS = 160
_MOST_ENTRIES = 60


def shrunk(run: Run, found: Any, fails: Fails) -> tuple[Run, Any]:
    """A run that fails too and is as simple as the search finds, with its failure."""
    search = _Search(run, found, fails)
    # Not to T = 0: few functions are made for no step at all.
    search.try_first(shorter(run, T) for T in range(1, run.horizon))
    search.try_first(list(_smaller(search.run)))
    for group, name in _arrays(search.run):
        search.simplify_array(group, name)
    for group, name in _arrays(search.run):
        search.simplify_entries(group, name)
    return search.run, search.found


class _Search:
    """The simplest failing run so far."""

    def __init__(self, run: Run, found: Any, fails: Fails) -> None:
        self.run, self.found, self.fails = run, found, fails
        self.left = _MOST_EVALUATIONS

    def attempt(self, run: Run | None) -> bool:
        """Take a run if it fails."""
        if run is None or self.left <= 0:
            return False
        self.left -= 1
        found = self.fails(run)
        if found is not None:
            self.run, self.found = run, found
        return found is not None

    def try_first(self, runs: Any) -> None:
        """Take the first of some runs that fails."""
        any(self.attempt(run) for run in runs)

    def simplify_array(self, group: str, name: str) -> None:
        """All entries 0, else all 1."""
        array = getattr(self.run, group)[name]
        for value in (0.0, 1.0):
            same = np.full(array.shape, value)
            if np.array_equal(same, array) or self.attempt(self.run.with_array(group, name, same)):
                return

    def simplify_entries(self, group: str, name: str) -> None:
        """Each entry to the simplest number that fails."""
        for position in list(np.ndindex(getattr(self.run, group)[name].shape))[:_MOST_ENTRIES]:
            array = getattr(self.run, group)[name]
            for value in simpler(float(array[position])):
                changed = np.array(array)
                changed[position] = value
                if self.attempt(self.run.with_array(group, name, changed)):
                    break


def simpler(value: float) -> Iterator[float]:
    """Numbers simpler than this one, the simplest first."""
    for simple in SIMPLE:
        if simple == value:
            return
        yield simple
    for digits in (1, 2, 3):
        rounded = float(f"{value:.{digits}g}")
        if rounded == value:
            return
        yield rounded


def shorter(run: Run, T: int) -> Run | None:
    """The first T steps of a run; None where L does not exist there."""
    objective = run.objective
    if T == 0 and objective.when == "final" and not run.cell.is_state(objective.signal.name):
        return None
    inputs = {name: array[:T] for name, array in run.inputs.items()}
    data = dict(run.data)
    if objective.when == "sum":
        data = {k: v if k == "cotangent" else v[:T] for k, v in data.items()}
    return replace(run, horizon=T, inputs=inputs, data=data)


def _smaller(run: Run) -> Iterator[Run]:
    """The run with fewer rows and columns, all sizes that are not larger."""
    names = sorted(run.sizes)
    grid = product(*(range(1, run.sizes[name] + 1) for name in names))
    for values in sorted(grid, key=lambda v: (sum(v), v))[:-1]:
        yield cut(run, dict(zip(names, values, strict=True)))


def cut(run: Run, sizes: dict[str, int]) -> Run:
    """The leading rows and columns of every array, for smaller sizes."""

    def leading(arrays: dict[str, Array]) -> dict[str, Array]:
        found = {}
        for name, array in arrays.items():
            wanted = run.user_shape(name, sizes)
            timed = array.ndim - len(wanted)
            found[name] = array[(slice(None),) * timed + tuple(slice(n) for n in wanted)]
        return found

    return replace(
        run,
        sizes=sizes,
        params=leading(run.params),
        inputs=leading(run.inputs),
        initial=leading(run.initial),
        data=leading(run.data),
    )


def _arrays(run: Run) -> list[tuple[str, str]]:
    return [(group, name) for group, arrays in run.groups() for name in arrays]


__all__ = ["SIMPLE", "shrunk", "simpler"]
