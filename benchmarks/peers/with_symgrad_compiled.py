"""symgrad's compiled gradients, by backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problem import SCALAR_NAMES, VECTOR_NAMES, Array, Scalar, Vector
from symgrad import CATALOGUE, loss
from symgrad.evaluate.compiled import compile as compiled


class NumPy:
    """A loop of NumPy calls, generated from the plan; prepared, as JAX's is for its shapes."""

    backend: Any = "numpy"

    def __init__(self) -> None:
        self.known: dict[bool, Any] = {}
        # A backend that is not there is one missing row, not an error in every case.
        self.function(scalar=True)

    def function(self, *, scalar: bool) -> Any:
        """The gradient, compiled once for all sizes and lengths."""
        if scalar not in self.known:
            cell = CATALOGUE["lstm"].scalar() if scalar else CATALOGUE["lstm"]
            made = compiled(cell, loss(cell, squared=True), backend=self.backend)
            if made.backend.name != self.backend:
                raise RuntimeError(f"the backend {self.backend} is not there")
            self.known[scalar] = made
        return self.known[scalar]

    def scalar(self, problem: Scalar) -> tuple[Any, Any]:
        params = dict(zip(SCALAR_NAMES, problem.params.tolist(), strict=True))
        run = self.function(scalar=True).prepare(
            params, *_given(problem), targets=problem.y, per_sample=True
        )
        return run, lambda found: np.stack([found[name] for name in SCALAR_NAMES])

    def vector(self, problem: Vector) -> tuple[Any, Any]:
        run = self.function(scalar=False).prepare(
            problem.params, *_given(problem), targets=problem.y
        )
        return run, lambda found: {name: np.array(found[name]) for name in VECTOR_NAMES}


def _given(problem: Scalar | Vector) -> tuple[dict[str, Array], dict[str, Array]]:
    return {"x": problem.x}, {"h": problem.h_0, "c": problem.c_0}


class C(NumPy):
    """C code, compiled by the C compiler of the machine."""

    backend = "c"


class Numba(NumPy):
    """Loops compiled by Numba."""

    backend = "numba"
