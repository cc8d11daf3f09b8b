"""Gradients by others, from the forward equations of a cell alone, and how to compare them.

``gradients_by`` never reads a derivative of symgrad's: the frameworks differentiate the
forward pass themselves, the complex step and the differences only evaluate it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from symgrad.adjoint import Objective
from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.evaluate.compiled.problem import Array
from symgrad.evaluate.compiled.results import GradientValues
from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.program import Inputs, Runner, Trace
from symgrad.testing.frameworks import PACKAGES, differentiated
from symgrad.testing.runs import L, Run, make_run
from symgrad.verify.oracles import (
    Direction,
    compare,
    complex_step,
    high_precision_difference,
    unit_directions,
)

#: What ``gradients_by`` can ask, the ones that need no package first.
METHODS = ("complex step", "differences", *PACKAGES)

#: The relative error of a float64 gradient that no cancellation makes worse: 64 steps of
#: a hundred roundings each.
ROUNDING = 64 * 100 * 2.0**-53


def gradients_by(
    method: str,
    cell: Cell,
    objective: Objective,
    params: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    *,
    T: int | None = None,
    targets: Any = None,
    dl: Any = None,
    cotangent: Any = None,
    wrt_inputs: bool = False,
) -> GradientValues:
    """The gradient of L that another method finds from the forward equations.

    Args:
        method: ``complex step`` (float64, no cancellation), ``differences`` (mpmath numbers,
            20 correct digits, judged by the order of convergence), or one of the packages
            ``torch``, ``jax`` and ``autograd`` (float64).
        params, inputs, initial, T, targets, dl, cotangent: as of ``Compiled.gradient``,
            without a batch.
        wrt_inputs: dL/dx_t too.

    Raises:
        UsageError: no such method, its package is not installed, or arguments do not fit.
        NotSupportedYet: the cell has a generic activation.
        FailedCheck: the differences do not converge.
        OutsideDomain: a derivative is asked for where there is none.
    """
    if method not in METHODS:
        raise UsageError(f"method={method!r}: use one of {', '.join(map(repr, METHODS))}")
    run = make_run(
        cell, objective, params, inputs, initial,
        T=T, targets=targets, dl=dl, cotangent=cotangent,
    )  # fmt: skip
    leaves = [("params", name) for name in run.params]
    leaves += [("initial", name) for name in run.initial]
    leaves += [("inputs", name) for name in run.inputs] if wrt_inputs else []
    if method in PACKAGES:
        found = _by_framework(method, run, leaves)
    else:
        found = [_by_entries(method, run, group, name) for group, name in leaves]
    results: dict[str, dict[str, Any]] = {"params": {}, "initial": {}, "inputs": {}}
    for (group, name), slope in zip(leaves, found, strict=True):
        results[group][name] = slope[()]
    moved = results["inputs"] if wrt_inputs else None
    return GradientValues(results["params"], results["initial"], moved, None)


def _by_framework(method: str, run: Run, leaves: Sequence[tuple[str, str]]) -> list[Array]:
    """All gradients at once; arrays that are leaves stand in the place of their numbers."""

    def objective(given: Sequence[Value], algebra: Algebra) -> Value:
        arrays = {leaf: given[i] for i, leaf in enumerate(leaves)}
        constant: Callable[[Any], Value] = algebra.array  # type: ignore[attr-defined]
        program = run.program
        values = run.values(constant)

        def leaf(group: str, name: str, time: int | None = None) -> Value:
            array = arrays[group, name]
            return run.entries(array if time is None else array[time - 1], name)

        def signals(label: str, time: int) -> Value:
            if ("inputs", label) in arrays:
                return leaf("inputs", label, time)
            return values.signals(label, time)

        moved = Inputs(
            {**values.params, **{n: leaf("params", n) for g, n in leaves if g == "params"}},
            {n: leaf("initial", n) for g, n in leaves if g == "initial"},
            signals,
            values.sizes,
        )
        return Runner(program, algebra).run(moved, run.horizon).totals[L]

    return differentiated(method, objective, [getattr(run, g)[name] for g, name in leaves])


def _by_entries(method: str, run: Run, group: str, name: str) -> Array:
    """One entry after the other, by directions that move one number."""
    array = getattr(run, group)[name]
    exact = method == "differences"
    result = np.empty(array.shape, dtype=object if exact else np.float64)
    program, values = run.program, run.values()
    for position, unit in _directions(run, group, name):
        found = (
            high_precision_difference(program, values, run.horizon, _objective, unit).value
            if exact
            else complex_step(program, values, run.horizon, _objective, unit)
        )
        result[position] = found
    return result


def _directions(run: Run, group: str, name: str) -> Iterator[tuple[tuple[int, ...], Direction]]:
    array = getattr(run, group)[name]
    make: Callable[[Value], Direction]
    for position, unit in unit_directions(array):
        if group == "inputs":
            time = position[0]
            change = run.entries(np.asarray(unit)[time], name)
            yield position, Direction(signals={(name, time + 1): change})
            continue
        make = partial(_moved, group, name)
        yield position, make(run.entries(np.asarray(unit), name))


def _moved(group: str, name: str, change: Value) -> Direction:
    return Direction({name: change}) if group == "params" else Direction(initial={name: change})


def _objective(trace: Trace) -> Value:
    return trace.totals[L]


# ---- comparison -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Agreement:
    """How far two gradients are apart, entry by entry; true where all are within the bound.

    Attributes:
        error: the largest relative difference |ours - theirs| / |theirs| of an entry.
        bound: what it was compared with.
        name, entry: where it is.
        ours, theirs: both values there.
    """

    error: float
    bound: float
    name: str = ""
    entry: tuple[int, ...] = ()
    ours: Any = None
    theirs: Any = None

    def __bool__(self) -> bool:
        return self.error <= self.bound

    def __str__(self) -> str:
        if self:
            return f"agree: largest relative difference {self.error:.2g}, bound {self.bound:.2g}"
        at = f"{list(self.entry)}" if self.entry else ""
        return (
            f"differ in {self.name}{at}: {self.ours} and {self.theirs}, relative difference "
            f"{self.error:.2g} above the bound {self.bound:.2g}"
        )


def agree(ours: Any, theirs: Any, *, bound: float = ROUNDING, terms: Any = None) -> Agreement:
    """Compare two gradients by the relative error of each entry; no absolute tolerance.

    Args:
        ours, theirs: ``GradientValues`` or mappings by name; ``theirs`` is the reference. What
            only one of them has is not compared; they must share a name.
        bound: the largest relative error that counts as rounding; default ``ROUNDING``.
        terms: by name, the largest magnitude of the summands of an entry, for sums that
            cancel exactly: a value within 1e-15 of it counts as 0 where the reference is 0.

    Raises:
        UsageError: no name in common.
        ValueError: shapes differ.
    """
    first, second = by_name(ours), by_name(theirs)
    names = [name for name in first if name in second]
    if not names:
        raise UsageError(
            f"nothing to compare: {', '.join(first) or 'nothing'} and {', '.join(second)} have no "
            "name in common"
        )
    sizes = dict(terms or {})
    worst = Agreement(0.0, bound)
    for name in names:
        a, b = (np.asarray(side[name], dtype=object) for side in (first, second))
        if a.shape != b.shape:
            raise ValueError(f"gradients of {name!r} have the shapes {a.shape} and {b.shape}")
        largest = np.broadcast_to(np.asarray(sizes.get(name, 0), dtype=object), a.shape)
        for entry in np.ndindex(a.shape):
            error = compare(a[entry], b[entry], terms=largest[entry])
            if error > worst.error:
                worst = Agreement(error, bound, name, entry, a[entry], b[entry])
    return worst


def by_name(gradient: Any) -> dict[str, Any]:
    """The entries of a gradient by name, whichever way it comes."""
    if isinstance(gradient, GradientValues):
        return {**gradient.params, **gradient.initial, **(gradient.inputs or {})}
    if not isinstance(gradient, Mapping):
        raise UsageError(
            "a gradient is a mapping from names to arrays or what Compiled.gradient gives, got "
            f"{type(gradient).__name__}"
        )
    return dict(gradient)


__all__ = ["METHODS", "ROUNDING", "Agreement", "agree", "by_name", "gradients_by"]
