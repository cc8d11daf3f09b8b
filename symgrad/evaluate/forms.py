"""Values of forms: the stable branch near an excluded point, never a division by little."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.lang.algebra import Algebra, Floats, Multiprecision, Value
from symgrad.lang.nodes import Apply, Node, Signal, walk
from symgrad.lang.program import Inputs, Runner
from symgrad.lang.tape import Environment, Tape
from symgrad.lang.text import free_names

#: A denominator below this loses digits in floating point: the Σ form is evaluated instead.
_NEAR = 0.125


def form_value(
    cell: Cell,
    form: Form,
    inputs: Inputs,
    horizon: int,
    algebra: Algebra,
    indices: Mapping[str, int] | None = None,
) -> Value:
    """The right side of a form at T = horizon for given values.

    Elementary forms are evaluated through their Σ form wherever a denominator is small,
    not only where it is zero: the geometric form has no correct digit at w = 1 + 1e-9.

    Args:
        cell: the cell in the reading of the form; run forward where states occur.
        inputs: values of parameters, initial states and inputs.
        indices: values of the free times, such as k.
    """
    right = form.full
    env = _environment(cell, right, inputs, horizon, algebra)
    env.indices.update(indices or {})
    inexact = isinstance(algebra, Floats | Multiprecision)
    if form.stable is not None and inexact and _near_excluded(form, algebra, env):
        right = form.stable
    return Tape([right], algebra).run(env)[0]


def _near_excluded(form: Form, algebra: Algebra, env: Environment) -> bool:
    denominators = [
        item.args[1]
        for item in walk(form.right)
        if isinstance(item, Apply) and item.head.name == "div" and not _is_bound(item)
    ]
    values = Tape(denominators, algebra).run(env)
    return any(bool(np.any(abs(value) < _NEAR)) for value in values)


def _is_bound(item: Node) -> bool:
    """Whether it stands below a Σ or Π and depends on its index: it has no one value."""
    return any(name.startswith("#") for name in free_names(item))


def _environment(
    cell: Cell, right: Node, inputs: Inputs, horizon: int, algebra: Algebra
) -> Environment:
    trace = (
        Runner(cell.program, algebra).run(inputs, horizon) if _reads_states(cell, right) else None
    )
    signal = inputs_only(inputs) if trace is None else trace.signal
    return Environment(inputs.params, signal, {"T": horizon}, inputs.sizes)


def _reads_states(cell: Cell, right: Node) -> bool:
    computed = {s.name for s in cell.signals}
    return any(
        isinstance(n, Signal) and n.name in computed and not (n.time.is_const and n.time.const == 0)
        for n in walk(right)
    )


def inputs_only(inputs: Inputs) -> Callable[[str, int], Value]:
    """Signals where nothing is computed: initial states and inputs."""

    def signal(label: str, time: int) -> Value:
        if time == 0 and label in inputs.initial:
            return inputs.initial[label]
        return inputs.signals(label, time)

    return signal
