"""Weight decay: what ρ/2 ‖θ‖² adds to L and to its gradient, beside the generated code.

It depends on parameters alone, so it costs the same for every T and is evaluated once for a
run. L is that of one sample, so the gradient of parameters that a batch shares, a sum over
the samples, holds it once for each sample: divided by B both are those of the mean loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from symgrad.adjoint import Gradient
from symgrad.errors import UsageError
from symgrad.evaluate.compiled.prepared import Gradients
from symgrad.evaluate.compiled.problem import Array, Convert, Problem
from symgrad.lang.algebra import Algebra
from symgrad.lang.nodes import Param, walk
from symgrad.lang.tape import Environment, Tape


class Decay:
    """The decay of one gradient.

    Attributes:
        coefficients: names of the parameters, such as ρ, that are not the cell's own.
    """

    def __init__(self, gradient: Gradient, algebra: Algebra) -> None:
        penalty = gradient.objective.penalty
        own = {p.name for p in gradient.cell.params}
        used = dict.fromkeys(p.name for p in walk(penalty) if isinstance(p, Param))
        self.coefficients = tuple(name for name in used if name not in own)
        self.names = tuple(gradient.extra)
        self._read = tuple(name for name in used if name in own)
        self._tape = Tape([penalty, *gradient.extra.values()], algebra)

    def split(
        self, params: Mapping[str, Any], convert: Convert, cell: str
    ) -> tuple[dict[str, Any], dict[str, Array]]:
        """The cell's own parameters, and the coefficients as numbers.

        Raises:
            UsageError: a coefficient is missing, or is no single number.
        """
        found: dict[str, Array] = {}
        for name in self.coefficients:
            if name not in params:
                raise UsageError(
                    f"no value of {name!r}, the coefficient of weight decay; give it among the "
                    f"parameters of {cell!r}"
                )
            value = convert(params[name], f"coefficient {name!r}")
            if value.ndim:
                raise UsageError(
                    f"coefficient {name!r} of weight decay has shape {value.shape}; "
                    "it is one number"
                )
            found[name] = np.array(value)
        return {k: v for k, v in params.items() if k not in self.coefficients}, found

    def add(
        self,
        found: Gradients,
        problem: Problem,
        coefficients: Mapping[str, Array],
        separate: frozenset[str],
    ) -> Gradients:
        """The gradients with the decay; ``separate`` names those that are kept per sample."""
        values = {name: array.reshape(1, 1) for name, array in coefficients.items()}
        for name in self._read:
            values[name] = _as_matrix(problem.params[name], name in problem.varying)
        penalty, *extra = self._tape.run(Environment(values, _no_signal, {}, problem.sizes))
        params = dict(found.params)
        for name, value in zip(self.names, extra, strict=True):
            before, varies = params[name], np.ndim(value) > 2
            if name not in separate:
                value = value.sum(axis=0) if varies else np.asarray(value) * problem.B
                params[name] = before + value.reshape(before.shape)
            elif varies:
                params[name] = before + np.moveaxis(value, 0, -1).reshape(before.shape)
            else:
                params[name] = before + np.reshape(value, (*before.shape[:-1], 1))
        value = None if found.value is None else found.value + np.reshape(penalty, -1)
        return Gradients(params, found.initial, found.inputs, value)


def _as_matrix(array: Array, varying: bool) -> Array:
    """Rows and columns last, samples in front; inside the samples come last."""
    if varying:
        array = np.moveaxis(array, -1, 0)
        rank = array.ndim - 1
        return array.reshape((*array.shape, *(1,) * (2 - rank)))
    return array.reshape((*array.shape, *(1,) * (2 - array.ndim)))


def _no_signal(label: str, time: int) -> Any:
    raise KeyError(f"weight decay reads no signal: {label} at {time}")
