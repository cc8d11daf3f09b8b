"""What users get: gradients in the shapes of their arguments, and runs to be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.evaluate.compiled.plan import Plan
from symgrad.evaluate.compiled.prepared import Gradients, Prepared
from symgrad.evaluate.compiled.problem import Array, rank_of


@dataclass(frozen=True)
class GradientValues:
    """The gradient of L; each array has the shape of what it belongs to.

    Attributes:
        params: dL/dθ by name.
        initial: dL/ds_0 by state.
        inputs: dL/dx_t by input, time first; None unless it was asked for.
        value: L; None unless it was asked for.
    """

    params: dict[str, Any]
    initial: dict[str, Any]
    inputs: dict[str, Any] | None
    value: Any

    def __getitem__(self, name: str) -> Any:
        """The gradient of a parameter, an initial state or an input by its name."""
        for found in (self.params, self.initial, self.inputs or {}):
            if name in found:
                return found[name]
        known = [*self.params, *self.initial, *(self.inputs or {})]
        raise KeyError(f"no gradient of {name!r}; there is {', '.join(known)}")


class Repeated:
    """A gradient whose arguments are in arrays that may be changed between calls.

    Attributes:
        params, inputs, initial, given: the arrays by name, in the shapes of the arguments;
            write into them (``run.params["w"][...] = 0.5``), and call again. ``given`` holds
            targets, dl or the cotangent by label (``target_h``).
    """

    def __init__(
        self,
        plan: Plan,
        prepared: Prepared,
        *,
        per_sample: bool,
        wrt_inputs: bool,
        coefficients: Mapping[str, Array],
    ) -> None:
        self._prepared = prepared
        self._per_sample, self._wrt_inputs = per_sample, wrt_inputs
        # Views of results that are in the same arrays as in the run before, by name.
        self._views: dict[tuple[str, str], tuple[Array, Any]] = {}
        self._before: tuple[Gradients, GradientValues] | None = None
        problem = prepared.problem
        ranks = {v.label: rank_of(v) for v in plan.params}
        self.params = {
            key: np.moveaxis(array, -1, 0)
            if key in problem.varying
            else array[:, 0]
            if ranks[key] == 1
            else array
            for key, array in problem.params.items()
        } | dict(coefficients)
        batched = problem.batched
        self.inputs = {k: outward(v, batched, timed=True) for k, v in problem.inputs.items()}
        self.initial = {k: outward(v, batched, timed=False) for k, v in problem.initial.items()}
        timed = {v.label: v.role == "given" and plan.when == "sum" for v in plan.givens}
        self.given = {k: outward(v, batched, timed=timed[k]) for k, v in problem.given.items()}

    def run(self) -> None:
        """Compute, and leave the results where they are; ``result`` reads them."""
        self._prepared.run()

    def result(self) -> GradientValues:
        """What the last run gave; its arrays may be written over by the next run."""
        problem, per_sample = self._prepared.problem, self._per_sample
        found = self._prepared.result()
        batched = problem.batched
        if self._before is not None and self._before[0] is found:
            return self._before[1]

        def params(key: str, array: Array) -> Any:
            if not (per_sample or key in problem.varying):
                return plain(array)
            return self._seen("params", key, array, timed=False)

        def state(kind: str, key: str, array: Array, *, timed: bool) -> Any:
            if batched and key in problem.shared and not per_sample:
                return plain(array.sum(axis=-1))
            return self._seen(kind, key, array, timed=timed)

        moved = None
        if self._wrt_inputs:
            moved = {
                k: state("inputs", k, found.inputs[k] if k in found.inputs else 0 * x, timed=True)
                for k, x in problem.inputs.items()
            }
        value = found.value
        if value is not None:
            value = value if per_sample and batched else plain(value.sum())
        values = GradientValues(
            {key: params(key, array) for key, array in found.params.items()},
            {k: state("initial", k, array, timed=False) for k, array in found.initial.items()},
            moved,
            value,
        )
        if per_sample and batched:
            # All of them are views: where the arrays are the same, so are the results.
            self._before = (found, values)
        return values

    def _seen(self, kind: str, key: str, array: Array, *, timed: bool) -> Any:
        """``outward``, once for each array: for small runs this takes longer than the run."""
        before = self._views.get((kind, key))
        if before is not None and before[0] is array and self._prepared.problem.batched:
            return before[1]
        view = outward(array, self._prepared.problem.batched, timed=timed)
        self._views[kind, key] = (array, view)
        return view

    def __call__(self) -> GradientValues:
        """Compute and give the results."""
        self.run()
        return self.result()


def outward(array: Array, batched: bool, *, timed: bool) -> Any:
    """From (T, …, B) to (T, B, …), or without the batch where none was given."""
    if not batched:
        return plain(array[..., 0])
    # np.moveaxis says the same and takes ten times as long.
    last = array.ndim - 1
    order = (0, last, *range(1, last)) if timed else (last, *range(last))
    return array.transpose(order) if last > timed else array


def plain(array: Array) -> Any:
    """An array; of no axis, its number."""
    return np.asarray(array)[()]
