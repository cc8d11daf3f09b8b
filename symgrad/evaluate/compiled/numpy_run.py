"""One run of generated NumPy code: its arrays, and the calls."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from symgrad.evaluate.compiled.functions import Function, functions_for
from symgrad.evaluate.compiled.load import load
from symgrad.evaluate.compiled.numbers import Numbers, helpers
from symgrad.evaluate.compiled.numpy_names import Layout
from symgrad.evaluate.compiled.numpy_source import Printer
from symgrad.evaluate.compiled.packs import Packing
from symgrad.evaluate.compiled.plan import Plan, Value
from symgrad.evaluate.compiled.prepared import Gradients
from symgrad.evaluate.compiled.problem import Array, Problem
from symgrad.evaluate.compiled.units import Home
from symgrad.lang.affine import ONE
from symgrad.lang.base import Shape


def entries(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The axes of the entries of what has a batch: (), (n,) for rows too, (n, m)."""
    return tuple([size.value(sizes) for size in shape if size != ONE])


def user_shape(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of a parameter for people: (), (n,) or (n, m), a row being (1, n)."""
    if shape == (ONE, ONE):
        return ()
    rows, columns = (size.value(sizes) for size in shape)
    return (rows,) if shape[1] == ONE else (rows, columns)


class Shapes:
    """Shapes of the arrays of a run, without T and B; made once for given sizes."""

    def __init__(self, passes: Passes, sizes: Mapping[str, int], itemsize: int) -> None:
        plan, layout = passes.plan, passes.layout

        def shape(value: Value | Shape, count: int = 1) -> tuple[int, ...]:
            entry = value.shape if isinstance(value, Value) else value
            return (*([count] if count > 1 else []), *entries(entry, sizes))

        self.sizes = [sizes[name] for name in plan.sizes]
        self.states = [shape(v) for v in plan.states]
        self.kept = [shape(home.values[0], home.count) for home in layout.kept]
        self.extra = [shape(plan.forward.results[k].shape) for k in layout.extra]
        self.buffers = [shape(entry, count) for count, entry in layout.buffers]
        self.setup = [shape(v) for v in layout.setup]
        self.carries = [shape(v) for v in plan.carries.values()]
        self.inputs = [shape(v) for v in plan.inputs]
        self.sums = []
        for values in layout.accumulators:
            apart = values[0].label in passes.packing.separate
            lone = values[0].is_scalar and len(values) == 1 and not apart
            self.sums.append(((1,) if lone else shape(values[0], len(values)), apart))
        self.params = {v.label: user_shape(v.shape, sizes) for v in plan.params}
        kept = sum(math.prod(s) for s in (*self.kept, *self.states))
        used = kept + sum(math.prod(s) for s in self.buffers)
        self.kept_bytes, self.step_bytes = max(kept, 1) * itemsize, max(used, 1) * itemsize


class Passes:
    """The generated functions for one choice of what is kept and what is per sample."""

    def __init__(
        self,
        plan: Plan,
        varying: frozenset[str],
        separate: frozenset[str],
        labels: tuple[str, ...] | None,
        value: bool,
        numbers: Numbers,
        own: Mapping[str, Function],
        name: str,
    ) -> None:
        self.plan = plan
        self.itemsize = numbers.dtype.itemsize
        made = {op.target for op in plan.forward.ops}
        wanted = list(plan.stored if labels is None else plan.forward.results.values())
        if value and plan.loss is not None:
            wanted += [a for op in plan.loss.ops for a in op.args]
        kept = frozenset(v for v in wanted if isinstance(v, Value) and v in made)
        self.packing = Packing(plan, kept, varying, separate)
        self.printer = Printer(plan, self.packing)
        owned = set(self.printer.owner)
        results = plan.forward.results
        extra = tuple(k for k in labels or () if results[k] not in kept | owned)
        self.source = self.printer.source(extra=extra, value=value)
        self.layout: Layout = self.printer.layout
        self.module = load(self.source)
        found = functions_for(
            frozenset(self.layout.functions), numbers.functions, own, name, frozenset(),
        )  # fmt: skip
        self.functions = [found[head] for head in self.layout.functions]
        self.helpers = helpers(numbers)
        self.constants = [numbers.fraction(n.value) for n in self.layout.numbers]
        self._shapes: dict[tuple[int, ...], Shapes] = {}

    def shapes(self, sizes: Mapping[str, int]) -> Shapes:
        """The shapes of arrays for given sizes."""
        key = tuple([sizes[name] for name in self.plan.sizes])
        found = self._shapes.get(key)
        if found is None:
            found = self._shapes[key] = Shapes(self, dict(sizes), self.itemsize)
        return found


class Run:
    """One run over one block: the arrays by the letters of the generated code, and the calls."""

    def __init__(self, numbers: Numbers, plan: Plan, problem: Problem, passes: Passes) -> None:
        self.numbers, self.plan, self.passes = numbers, plan, passes
        self.problem = problem
        self.shapes = shapes = passes.shapes(problem.sizes)
        self.T, self.B = problem.T, problem.B
        self.sizes = shapes.sizes
        self.helpers = passes.helpers
        self.S = [self._empty(self.T + 1, *s) for s in shapes.states]
        self.K = [self._empty(self.T, *s) for s in shapes.kept]
        self.W = [self._empty(*s) for s in shapes.buffers]
        self.U = [self._empty(*s) for s in shapes.setup]
        self.F = passes.functions
        self.N = passes.constants
        self.P: list[Array] = []
        self.X: list[Array] = []
        self.Q: list[Array] = []
        self.G: list[Array] = []
        self.L: Array | None = None
        self.R: list[Array] = []
        self.C: list[Array] = []
        self.A: list[Array] = []
        self.D: list[Array] = []
        self.E: list[Array] = []
        self.take(problem)

    def take(self, problem: Problem) -> None:
        """Take another block of the same width; what is not a result is used again."""
        plan = self.plan
        self.problem = problem
        self.P = [self._param(v) for v in plan.params]
        self.X = [np.ascontiguousarray(problem.inputs[v.label]) for v in plan.inputs]
        for array, state in zip(self.S, plan.states, strict=True):
            array[0] = problem.initial[state.label]
        self.G = [
            np.ascontiguousarray(problem.given[v.label])
            for v in plan.givens
            if v.label in problem.given
        ]
        self.Q = [self._pack(home) for home in self.passes.layout.packs]

    def _empty(self, *shape: int) -> Array:
        return np.empty((*shape, self.B), dtype=self.numbers.dtype)

    def _zeros(self, *shape: int) -> Array:
        return self.numbers.zeros(*shape, self.B)

    def _param(self, value: Value) -> Array:
        array = self.problem.params[value.label]
        row = value.label in self.problem.varying and value.shape[0] == ONE != value.shape[1]
        return array[0] if row else array

    def _pack(self, home: Home) -> Array:
        stacked = np.stack([self.problem.params[v.label] for v in home.values])
        return stacked[:, None] if stacked.ndim == 1 else stacked

    def forward(self) -> None:
        """Run the forward pass."""
        self.L = self._zeros()
        self.R = [self._empty(self.T, *s) for s in self.shapes.extra]
        with np.errstate(over="ignore", under="ignore"):
            self.passes.module.forward(self)

    def backward(self) -> None:
        """Run the backward pass, or what there is of it at T = 0."""
        plan, shapes = self.plan, self.shapes
        self.C = [self._zeros(*s) for s in shapes.carries]
        self.A = [self._zeros(*s) if apart else self.numbers.zeros(*s) for s, apart in shapes.sums]
        wanted = plan.last.inputs.keys() | plan.step.inputs.keys()
        self.D = [
            self._zeros(self.T if v.label in wanted else 0, *s)
            for v, s in zip(plan.inputs, shapes.inputs, strict=True)
        ]
        self.E = [] if self.T else [self._zeros(*s) for s in shapes.states]
        with np.errstate(over="ignore", under="ignore"):
            if self.T:
                self.passes.module.backward(self)
            else:
                self.passes.module.empty(self)

    def signal(self, label: str) -> Array:
        """A signal over t = 1..T."""
        operand = self.plan.forward.results[label]
        printer, layout = self.passes.printer, self.passes.layout
        if label in layout.extra:
            return self.R[layout.extra.index(label)]
        if operand in printer.owner:
            return self.S[printer.owner[operand]][1:]
        assert isinstance(operand, Value)
        home = self.passes.packing.home(operand)
        kept = self.K[layout.kept.index(home)]
        return kept if home.count == 1 else kept[:, home.values.index(operand)]

    def gradients(self, value: bool) -> Gradients:
        """The results of this block."""
        return Gradients(
            self.param_gradients(),
            self.initial_gradients(),
            self.input_gradients(),
            self.L if value else None,
        )

    def param_gradients(self) -> dict[str, Array]:
        """By name: (…) summed over the batch, or (…, B) where it is kept per sample."""
        separate, shapes = self.passes.packing.separate, self.shapes.params
        found: dict[str, Array] = {}
        for values, array in zip(self.passes.layout.accumulators, self.A, strict=True):
            for position, value in enumerate(values):
                one = array[position : position + 1] if len(values) > 1 else array
                tail = (self.B,) if value.label in separate else ()
                found[value.label] = one.reshape((*shapes[value.label], *tail))
        for label, shape in shapes.items():
            if label not in found:
                found[label] = (
                    self._zeros(*shape) if label in separate else self.numbers.zeros(*shape)
                )
        return {label: found[label] for label in shapes}

    def initial_gradients(self) -> dict[str, Array]:
        """dL/ds_0 by state, (…, B)."""
        plan = self.plan
        if not self.T:
            return {v.label: array for v, array in zip(plan.states, self.E, strict=True)}
        found = dict(zip(plan.carries, self.C, strict=True))
        return {
            v.label: found[v.label] if v.label in found else self._zeros(*s)
            for v, s in zip(plan.states, self.shapes.states, strict=True)
        }

    def input_gradients(self) -> dict[str, Array]:
        """dL/dx_t by input, (T, …, B)."""
        wanted = self.plan.last.inputs.keys() | self.plan.step.inputs.keys()
        return {
            v.label: array
            for v, array in zip(self.plan.inputs, self.D, strict=True)
            if v.label in wanted
        }
