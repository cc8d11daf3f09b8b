"""Gradients by others, from the forward equations of a cell alone, and how to compare them.

``gradients_by`` never reads a derivative of symgrad's: the frameworks differentiate the
forward pass themselves, the complex step and the differences only evaluate it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import mpmath
import numpy as np

from symgrad.adjoint import Objective
from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.evaluate.compiled.problem import Array
from symgrad.evaluate.compiled.results import GradientValues
from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.program import Inputs, Runner, Trace
from symgrad.testing.frameworks import PACKAGES, differentiated
from symgrad.testing.rounding import DType, bounded_gradient
from symgrad.testing.runs import L, Run, make_run
from symgrad.verify.oracles import (
    Direction,
    complex_step,
    high_precision_difference,
    unit_directions,
)

#: What ``gradients_by`` can ask, the ones that need no package first.
METHODS = ("complex step", "differences", *PACKAGES)

#: The relative error of a float64 gradient that no cancellation makes worse: 64 steps of
#: a hundred roundings each.
ROUNDING = 64 * 100 * 2.0**-53

#: How many times the bound of a running error analysis is allowed: it belongs to one order of
#: operations, and others err a few times as much.
SAFETY = 16


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
        holds: whether all are.
        error: the relative difference |ours - theirs| / |theirs| of the entry that is nearest
            to its bound, or farthest beyond it.
        bound: what rounding explains there, relative to |theirs| too.
        name, entry: where it is.
        ours, theirs: both values there.
        largest: the largest relative difference, of the entries of which rounding leaves at
            least half of the digits.
    """

    holds: bool
    error: float
    bound: float
    name: str = ""
    entry: tuple[int, ...] = ()
    ours: Any = None
    theirs: Any = None
    largest: float = 0.0

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        at = f"[{', '.join(map(str, self.entry))}]" if self.entry else ""
        where = f"{self.name}{at}: {number_text(self.ours)} and {number_text(self.theirs)}, "
        sizes = f"relative difference {self.error:.2g}, rounding explains {self.bound:.2g}"
        return f"agree; nearest to the bound in {where}{sizes}" if self else f"{where}{sizes}"


def agree(
    ours: Any,
    theirs: Any,
    *,
    bound: float = ROUNDING,
    rounding: Mapping[str, Any] | None = None,
    dtype: DType = np.float64,
) -> Agreement:
    """Compare two gradients by the relative difference of each entry; no absolute tolerance.

    Args:
        ours, theirs: ``GradientValues`` or mappings by name; ``theirs`` is the reference. What
            only one of them has is not compared; they must share a name.
        bound: the largest relative difference that counts as rounding where ``rounding`` is
            not given. It knows nothing of terms that cancel and units that saturate.
        rounding: what rounding may do to each entry, by name, from ``rounding_of``; `SAFETY`
            times as much is allowed.
        dtype: in which ``ours`` was computed; with ``rounding``, entries below its normal
            range are not told apart.

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
    worst, share, largest = Agreement(True, 0.0, bound), -1.0, 0.0
    normal, half = (
        float(np.finfo(dtype).smallest_normal),
        SAFETY * float(np.finfo(dtype).eps) ** 0.5,
    )
    for name in names:
        a, b = (np.asarray(side[name], dtype=object) for side in (first, second))
        if a.shape != b.shape:
            raise ValueError(f"gradients of {name!r} have the shapes {a.shape} and {b.shape}")
        known = None if rounding is None else np.asarray(rounding[name], dtype=object)
        for entry in np.ndindex(a.shape):
            limit = None if known is None else SAFETY * known[entry]
            holds, found, error, allowed = _judged(a[entry], b[entry], bound, limit, normal)
            largest = max(largest, error if b[entry] != 0 and allowed <= half else 0.0)
            if (not holds, found) > (not worst.holds, share):
                share = found
                worst = Agreement(holds, error, allowed, name, entry, a[entry], b[entry])
    return replace(worst, largest=largest)


def _judged(
    ours: Any, theirs: Any, bound: float, limit: Any, normal: float
) -> tuple[bool, float, float, float]:
    """Whether an entry is within its bound; what part of the bound it takes; both, relatively."""
    infinity = float("inf")
    size, gap = abs(theirs), abs(ours - theirs)
    known = limit is not None
    if limit is None:
        limit = bound * size
    if not gap < infinity:
        # Beyond the range of float64 nothing can be said; anywhere else it is wrong.
        return limit == infinity, infinity, infinity, infinity
    if known and isinstance(ours, float) and max(abs(ours), size) < normal:
        # Products of floats below the normal range keep few digits, or none, depending on the
        # order they are taken in; ask for more digits to tell such gradients apart.
        return True, 0.0, 0.0, infinity
    share = float(gap / limit) if limit else (infinity if gap else 0.0)
    error = float(gap / size) if size else (infinity if gap else 0.0)
    return bool(gap <= limit), share, error, float(limit / size) if size else infinity


def rounding_of(
    cell: Cell,
    objective: Objective,
    params: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    *,
    dtype: DType = np.float64,
    **others: Any,
) -> dict[str, Any]:
    """What rounding may do to each entry of the gradient, by name: a running error analysis.

    Arguments as of ``gradients_by``, and the ``dtype``, float64 or float32, that is computed
    in. The bound is large beside the entry where terms cancel or a unit saturates, and a few
    roundings elsewhere.
    """
    run = make_run(cell, objective, params, inputs, initial, **others)
    return dict(bounded_gradient(run, dtype=dtype).errors)


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


def number_text(value: Any) -> str:
    """A number in enough digits to see the difference of float64 numbers."""
    if isinstance(value, np.generic):
        value = value.item()
    text: str = repr(value) if isinstance(value, int | float) else mpmath.nstr(value, 20)
    return text


__all__ = [
    "METHODS", "ROUNDING", "SAFETY", "Agreement", "agree", "by_name", "gradients_by",
    "number_text", "rounding_of",
]  # fmt: skip
