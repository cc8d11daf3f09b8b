"""One run of a cell with an objective: all its numbers, checked, and L as a forward program.

Shapes are those of ``symgrad.compile`` without a batch: ``()``, ``(n,)``, ``(n, m)``, with
time first for inputs. No derivative is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from symgrad.adjoint import Objective
from symgrad.adjoint.objective import loss_gradient, target
from symgrad.cell import Cell
from symgrad.errors import NotSupportedYet, UsageError
from symgrad.evaluate.compiled.build import plan_of
from symgrad.evaluate.compiled.problem import Arguments, Array, Problem, real_array
from symgrad.lang.affine import ONE, T, as_affine, t
from symgrad.lang.algebra import Value
from symgrad.lang.nodes import (
    SCALAR,
    Apply,
    Node,
    Param,
    Shape,
    const,
    index_value,
    iverson,
    params_in,
    substitute_indices,
    walk,
)
from symgrad.lang.program import Accumulator, Inputs, Program, Sweep
from symgrad.ops import GENERIC, total
from symgrad.testing.pasting import (
    array_expression,
    cell_expression,
    mapping_expression,
    objective_expression,
)

#: How the data of an objective is called as an argument, by the objective's kind.
DATA = {"squared": "targets", "loss": "dl", "linear": "cotangent"}

#: The name under which a run of the forward program sums up L.
L = "L"


@dataclass(frozen=True, repr=False)
class Run:
    """All that one run of a cell needs; made by ``make_run``.

    Attributes:
        horizon: T.
        sizes: n, m, … by name; empty in the scalar reading.
        params, inputs, initial: arrays of float64 by name.
        data: ``targets``, ``dl`` or ``cotangent``, whichever the objective takes.
        coefficients: of weight decay, by name.
    """

    cell: Cell
    objective: Objective
    horizon: int
    sizes: dict[str, int]
    params: dict[str, Array]
    inputs: dict[str, Array]
    initial: dict[str, Array]
    data: dict[str, Array] = field(default_factory=dict)
    coefficients: dict[str, Array] = field(default_factory=dict)

    def __repr__(self) -> str:
        """The call of ``make_run`` that makes it again, to be pasted."""
        parts = [
            f"cell := {cell_expression(self.cell)}",
            objective_expression(self.objective),
            mapping_expression({**self.params, **self.coefficients}),
            mapping_expression(self.inputs),
            mapping_expression(self.initial),
            f"T={self.horizon}",
            *(f"{name}={array_expression(array)}" for name, array in self.data.items()),
        ]
        return f"make_run({', '.join(parts)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis and IPython print the fields of a dataclass unless this is here.
        printer.text(repr(self))

    def groups(self) -> Iterator[tuple[str, dict[str, Array]]]:
        """Every mapping of arrays with its name, the ones with few entries first."""
        for group in ("params", "coefficients", "initial", "inputs", "data"):
            yield group, getattr(self, group)

    def labelled(self) -> Iterator[tuple[str, str]]:
        """Every number with its name: ``w``, ``W[0, 1]``, ``x_3``, ``h_0[2]``, ``target_h_3``."""
        labels = {"targets": target(self.objective.signal).label}
        labels["dl"] = loss_gradient(self.objective.signal).label
        labels["cotangent"] = getattr(self.objective.cotangent, "name", "")
        for group, arrays in self.groups():
            for name, array in arrays.items():
                label = labels[name] if group == "data" else name
                rank = len(self.user_shape(name, self.sizes))
                for position in np.ndindex(array.shape):
                    time, entry = position[: array.ndim - rank], position[array.ndim - rank :]
                    at = f"_{time[0] + 1}" if time else "_0" if group == "initial" else ""
                    inside = f"[{', '.join(map(str, entry))}]" if entry else ""
                    yield f"{label}{at}{inside}", repr(float(array[position])).removesuffix(".0")

    def with_array(self, group: str, name: str, array: Array) -> Run:
        """The same run with another array."""
        return replace(self, **{group: {**getattr(self, group), name: array}})  # type: ignore[arg-type]

    def arguments(
        self, convert: Callable[[Array], Any] = np.array
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Positional and keyword arguments of a gradient function such as ``Compiled.gradient``."""

        def taken(arrays: Mapping[str, Array]) -> dict[str, Any]:
            return {name: convert(array) for name, array in arrays.items()}

        params = taken({**self.params, **self.coefficients})
        return [params, taken(self.inputs), taken(self.initial)], {
            "T": self.horizon,
            **taken(self.data),
        }

    def values(self, convert: Callable[[Array], Value] = np.asarray) -> Inputs:
        """The numbers as a program reads them: matrices, or numbers in the scalar reading.

        ``convert`` takes an array of float64 to an array of other numbers.
        """
        params = {**self.params, **self.coefficients}
        given, timeless = dict(self.inputs), set()
        of, data = self.objective.signal, self.data
        if isinstance(self.objective.cotangent, Param) and "cotangent" in data:
            params[self.objective.cotangent.name] = data["cotangent"]
        for key, node in (("targets", target(of)), ("dl", loss_gradient(of))):
            if key in data:
                given[node.label] = data[key]
                timeless |= {node.label} if self.objective.when == "final" else set()
        made = {label: convert(array) for label, array in given.items()}

        def signals(label: str, time: int) -> Value:
            if label not in made:
                raise KeyError(f"no value for {label} at time {time}")
            array = made[label]
            return self.entries(array if label in timeless else array[time - 1], label)

        return Inputs(
            {name: self.entries(convert(array), name) for name, array in params.items()},
            {name: self.entries(convert(array), name) for name, array in self.initial.items()},
            signals,
            self.sizes,
        )

    def entries(self, array: Any, label: str) -> Value:
        """What belongs to a label in the shape of the language: a matrix, or one number."""
        if self.cell.is_scalar:
            return array[()] if isinstance(array, np.ndarray) else array
        rows, columns = self._shapes[label]
        return array.reshape((rows.value(self.sizes), columns.value(self.sizes)))

    def user_shape(self, name: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of one value of a name as an argument, without time: (), (n,) or (n, m)."""
        return user_shape(self._shapes.get(name, self.objective.signal.shape), sizes)

    @cached_property
    def _shapes(self) -> dict[str, Shape]:
        cell, of = self.cell, self.objective.signal
        found = dict.fromkeys(self.coefficients, SCALAR)
        found |= {p.name: p.shape for p in cell.params}
        found |= {s.name: s.shape for s in (*cell.signals, *cell.inputs)}
        found |= {target(of).label: of.shape, loss_gradient(of).label: of.shape}
        if isinstance(self.objective.cotangent, Param):
            found[self.objective.cotangent.name] = of.shape
        return found

    @property
    def program(self) -> Program:
        """The forward pass with L as the sum ``totals["L"]`` of a trace."""
        objective, cell = self.objective, self.cell
        step = _step(objective)
        start = objective.penalty
        if objective.when == "final":
            if self.horizon == 0:
                start = start + substitute_indices(step, {"t": as_affine(0)})
            step = iverson(T - t) * step
        elif objective.mean and self.horizon > 0:
            step = const(Fraction(1)) / index_value(T) * step
        sweep = Sweep(1, cell.equations, (), (Accumulator(L, step, start),))
        return Program((sweep,), cell.params, cell.inputs, cell.states)


def user_shape(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """(), (n,) or (n, m): the shape of an array that users pass."""
    rank = 0 if shape == SCALAR else 1 if shape[1] == ONE else 2
    return tuple(size.value(sizes) for size in shape[:rank])


def _step(objective: Objective) -> Node:
    """What one step adds to L."""
    of = objective.signal
    if objective.kind == "squared":
        gap = of - target(of)
        return const(Fraction(1, 2)) * total(gap * gap)
    if objective.kind == "loss":
        # Known by its gradient alone, and every loss with this gradient has these slopes.
        return total(loss_gradient(of) * of)
    return objective.cotangent * of if of.is_scalar else objective.cotangent.T @ of


def make_run(
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
) -> Run:
    """The numbers of one run, checked; arguments as those of ``Compiled.gradient``.

    Raises:
        UsageError: a name is missing or unknown, a shape does not fit, or there is a batch.
        NotSupportedYet: the cell has a generic activation, which has no values.
    """
    for equation in cell.equations:
        for node in walk(equation.value):
            if isinstance(node, Apply) and node.head.name.rstrip("'") in GENERIC:
                raise NotSupportedYet(
                    f"cell {cell.name!r} has the generic activation {node.head.name!r}, which has "
                    "no values; write the function that it stands for"
                )
    plan = plan_of(cell)
    own, coefficients = _split(cell, objective, params)
    problem = Arguments(plan).problem(real_array, own, inputs, initial, None, T)
    if problem.batched:
        raise UsageError(f"{cell.name!r}: one sample at a time; leave out the batch axis")
    run = Run(
        cell,
        objective,
        problem.T,
        problem.sizes,
        {p.name: _plain(problem.params[p.name], p.shape) for p in cell.params},
        {x.name: problem.inputs[x.name][..., 0] for x in cell.inputs},
        {s.name: problem.initial[s.name][..., 0] for s in cell.states},
        _data(objective, problem, {"targets": targets, "dl": dl, "cotangent": cotangent}),
        coefficients,
    )
    if objective.when == "final" and problem.T == 0 and not cell.is_state(objective.signal.name):
        raise UsageError(
            f"{objective.signal.name!r} has no value at time 0, so L does not exist at T = 0; "
            "T must be at least 1"
        )
    return run


def _plain(array: Array, shape: Shape) -> Array:
    return array[:, 0] if array.ndim == 2 and shape[1] == ONE else array


def _split(
    cell: Cell, objective: Objective, params: Mapping[str, Any]
) -> tuple[Any, dict[str, Array]]:
    """The cell's own parameters, and the coefficients of weight decay."""
    known = {p.name for p in cell.params}
    names = [p.name for p in params_in(objective.penalty) if p.name not in known]
    if not names or not isinstance(params, Mapping):
        return params, {}
    found = {}
    for name in names:
        if name not in params:
            raise UsageError(
                f"no value of {name!r}, the coefficient of weight decay; give it among the "
                f"parameters of {cell.name!r}"
            )
        found[name] = real_array(params[name], f"coefficient {name!r}")
        if found[name].ndim:
            raise UsageError(f"coefficient {name!r} of weight decay is one number")
    return {key: value for key, value in params.items() if key not in names}, found


def _data(objective: Objective, problem: Problem, arguments: Mapping[str, Any]) -> dict[str, Array]:
    """Targets, dl or cotangent: exactly what the objective needs must be there."""
    kind = DATA[objective.kind]
    needed = kind != "cotangent" or isinstance(objective.cotangent, Param)
    found: dict[str, Array] = {}
    for name, value in arguments.items():
        if (value is not None) != (needed and name == kind):
            takes = f"takes {kind}=" if needed else "takes none of targets, dl and cotangent"
            raise UsageError(f"{name}=… does not fit: the objective {takes}")
        if value is not None:
            found[name] = real_array(value, name)
            shape = user_shape(objective.signal.shape, problem.sizes)
            if kind != "cotangent" and objective.when == "sum":
                shape = (problem.T, *shape)
            if found[name].shape != shape:
                raise UsageError(f"{name} has shape {found[name].shape}; it must be {shape}")
    return found


__all__ = ["DATA", "L", "Run", "make_run", "user_shape"]
