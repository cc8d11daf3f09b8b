"""What backends give back: gradients, and runs that are ready to be repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symgrad.evaluate.compiled.problem import Array, Problem


@dataclass
class Gradients:
    """What a run gives in the layout used inside: entries, then the batch.

    ``params`` are per sample where they are kept so, else shared; ``value`` is per sample.
    """

    params: dict[str, Array]
    initial: dict[str, Array]
    inputs: dict[str, Array]
    value: Array | None


@dataclass
class Prepared:
    """A run of the gradient program with its arrays.

    Attributes:
        problem: the arguments; its arrays are read anew at every run.
        run: computes.
        result: what the last run gave; arrays may be written over by the next.
    """

    problem: Problem
    run: Callable[[], object]
    result: Callable[[], Gradients]
