"""Values for the names of a program, in any algebra, from a seed and a name.

The value of a name does not depend on what else is asked, so two formulas over the
same names see the same point, and every run sees the same points.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from symgrad.lang.algebra import Algebra, PrimeField, Value
from symgrad.lang.nodes import SCALAR, Node, Shape
from symgrad.lang.program import Inputs, Program
from symgrad.lang.tape import Environment

#: One number from a label: ``w`` or ``W[0,1]`` for a parameter, ``x@3`` for a signal at 3.
Source = Callable[[str], Value]

#: Both sides at horizon T, a list of values each (one per value of the free times).
Session = Callable[[int], tuple[list[Value], list[Value]]]

#: dL as weights on signals, from T and where formulas have a value on the run.
Weights = Callable[[int, Algebra, Environment], dict[tuple[str, int], Value]]


def digest(seed: int, label: str) -> int:
    """A number that depends on the seed and the label alone."""
    return int.from_bytes(
        hashlib.blake2b(f"{seed}|{label}".encode(), digest_size=16).digest(), "big"
    )


def residues(field: PrimeField) -> Source:
    """Uniform residues of a prime field."""
    return lambda label: digest(field.seed + 1, label) % field.prime


#: Small numbers for witnesses: short to print, no two products alike by accident.
_SIMPLE = [Fraction(n, d) for d in (2, 3, 5, 4, 7) for n in (1, -1, 2, -2, 3) if n % d]


def simple_fraction(seed: int, label: str) -> Fraction:
    """A short fraction that depends on the label alone."""
    return _SIMPLE[digest(seed, label) % len(_SIMPLE)]


class Sampler:
    """Draws arrays (or plain numbers, for scalars in the scalar reading) from a source."""

    def __init__(self, source: Source, sizes: Mapping[str, int], *, scalar: bool) -> None:
        self.source = source
        self.sizes = dict(sizes)
        self.scalar = scalar

    def draw(self, label: str, shape: Shape) -> Value:
        if self.scalar and shape == SCALAR:
            return self.source(label)
        rows, columns = shape[0].value(self.sizes), shape[1].value(self.sizes)
        entries: Any = np.empty((rows, columns), dtype=object)
        for r, c in np.ndindex(rows, columns):
            entries[r, c] = self.source(f"{label}[{r},{c}]")
        return entries

    def inputs(self, program: Program, given: Mapping[str, Node] | None = None) -> Inputs:
        """Values for a program: parameters, states at 0, inputs and other given signals.

        ``given``: nodes by label whose shapes tell how to draw further signals and
        parameters (a free cotangent, a loss gradient, a target).
        """
        shapes = {signal.label: signal.shape for signal in program.inputs}
        params = {p.name: self.draw(p.name, p.shape) for p in program.params}
        for label, node in (given or {}).items():
            shapes[label] = node.shape
            params.setdefault(label, self.draw(label, node.shape))
        initial = {s.name: self.draw(f"{s.name}@0", s.shape) for s in program.states}
        cache: dict[tuple[str, int], Value] = {}

        def signals(label: str, time: int) -> Value:
            key = (label, time)
            if key not in cache:
                if label not in shapes:
                    raise KeyError(f"no value for {label} at time {time}")
                cache[key] = self.draw(f"{label}@{time}", shapes[label])
            return cache[key]

        return Inputs(params, initial, signals, self.sizes)


class Claim(Protocol):
    """Two sides that can be evaluated in any algebra."""

    def session(self, algebra: Algebra, sampler: Sampler) -> Session:
        """Both sides for one set of values, as a function of T."""
        ...
