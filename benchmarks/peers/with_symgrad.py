"""symgrad itself: from the equations of the cell to the recursive gradient program."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problem import GATES, SCALAR_NAMES, Array, Scalar
from symgrad import Cell, backward, input_signal, loss, param, sigma, signal, sizes, tanh
from symgrad.evaluate.compiled import compile as compiled
from symgrad.evaluate.compiled import plan_of
from symgrad.lang.algebra import Floats
from symgrad.lang.counting import operations
from symgrad.lang.program import Inputs, Runner, at_last_step, before_last_step


def declare() -> Cell:
    """The LSTM, declared anew: the other peers trace or build theirs each time too."""
    n, m = sizes("n m")
    x = input_signal("x", m)
    f, i, o, g = (signal(name, n) for name in GATES)
    c, h = signal("c", n), signal("h", n)

    def affine(gate: str) -> Any:
        W, U = param(f"W_{gate}", n, m), param(f"U_{gate}", n, n)
        return W @ x + U @ h.prev + param(f"b_{gate}", n)

    equations = [
        (f, sigma(affine("f"))),
        (i, sigma(affine("i"))),
        (o, sigma(affine("o"))),
        (g, tanh(affine("g"))),
        (c, f * c.prev + i * g),
        (h, o * tanh(c)),
    ]
    return Cell("lstm", equations, inputs=[x])


def _gradient_of_lstm() -> Any:
    cell = declare().scalar()
    return backward(cell, loss(cell, squared=True))


class Derivation:
    """``backward`` of the scalar LSTM: one program for every T."""

    def derive(self, horizon: int) -> Any:
        return _gradient_of_lstm().program

    def operations(self, program: Any, horizon: int) -> float:
        """Over T steps: values, adjoints, terms of the sums, and the additions of the sums.

        Within a step equal formulas count once. The adjoints of the initial states, which
        no other peer computes here, are left out.
        """
        forward, backward = program.sweeps
        values = [e.value for e in forward.equations]
        terms = [e.value for e in backward.equations] + [a.term for a in backward.accumulators]
        step = operations([*values, *map(before_last_step, terms)])
        last = operations([*values, *map(at_last_step, terms)])
        sums = len(backward.accumulators) * (horizon - 1)
        return (horizon - 1) * step + last + sums

    def gradient(self, program: Any, problem: Scalar) -> Array:
        given = {"x": problem.x[:, 0], "target_h": problem.y[:, 0]}
        inputs = Inputs(
            dict(zip(SCALAR_NAMES, problem.params, strict=True)),
            {"h": problem.h_0[0], "c": problem.c_0[0]},
            lambda label, time: given[label][time - 1],
        )
        totals = Runner(program, Floats()).run(inputs, problem.horizon).totals
        return np.array([[totals[name]] for name in SCALAR_NAMES])


class Planned:
    """The same, lowered to the assignments that code is generated from: common parts once."""

    def derive(self, horizon: int) -> Any:
        gradient = _gradient_of_lstm()
        return gradient, plan_of(gradient)

    def operations(self, derived: Any, horizon: int) -> float:
        """Those of the initial states' gradients, which come with the first step, included."""
        _, plan = derived
        sums = len(plan.step.accumulate) * (horizon - 1)
        back = (horizon - 1) * plan.step.cost + plan.last.cost
        return float(plan.setup.cost + horizon * plan.forward.cost + back + sums)

    def gradient(self, derived: Any, problem: Scalar) -> Array:
        gradient, _ = derived
        params = dict(zip(SCALAR_NAMES, problem.params, strict=True))
        initial = {"h": problem.h_0, "c": problem.c_0}
        found = compiled(gradient).gradient(params, {"x": problem.x}, initial, targets=problem.y)
        return np.array([[found[name]] for name in SCALAR_NAMES])
