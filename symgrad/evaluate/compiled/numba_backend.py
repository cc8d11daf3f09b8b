"""Running a scalar plan with Numba: single samples and long runs, without overhead of calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from symgrad.errors import NotSupportedYet, UsageError
from symgrad.evaluate.compiled.load import load
from symgrad.evaluate.compiled.numba_source import NumbaSource
from symgrad.evaluate.compiled.plan import Plan
from symgrad.evaluate.compiled.prepared import Gradients, Prepared
from symgrad.evaluate.compiled.problem import Array, Problem, real_array
from symgrad.evaluate.compiled.scalar_source import check_scalar
from symgrad.lang.algebra import Algebra, Floats


class NumbaBackend:
    """A scalar plan compiled by Numba in float64; the loop over the batch is outermost."""

    name = "numba"

    def __init__(self, dtype: Any, own: Any) -> None:
        if dtype is not None and np.dtype(dtype) != np.float64:
            raise UsageError(f"the numba backend computes in float64, not {np.dtype(dtype)}")
        if own:
            raise NotSupportedYet("the numba backend takes no functions=; use backend='numpy'")
        try:
            import numba
        except ModuleNotFoundError as error:
            if error.name != "numba":
                raise
            raise UsageError(
                "backend='numba' needs Numba; install it with: pip install 'symgrad[numba]'"
            ) from error
        self.algebra: Algebra = Floats()
        # Division by zero gives infinity, as in NumPy; a product and a sum may be one operation.
        self._njit = numba.njit(error_model="numpy", fastmath={"contract"})
        self._made: dict[tuple[object, ...], tuple[NumbaSource, Any]] = {}

    def check(self, plan: Plan) -> None:
        """Refuse vectors, and heads without code."""
        check_scalar(
            plan, self.name,
            "use cell.scalar(), or backend='numpy', which multiplies matrices with BLAS",
        )  # fmt: skip

    def convert(self, value: Any, where: str) -> Array:
        """An array of float64.

        Raises:
            UsageError: it holds something else.
        """
        return real_array(value, where)

    def forward(self, plan: Plan, problem: Problem) -> dict[str, Array]:
        """Every signal, (T, B)."""
        source, run = self._function(plan, "forward", value=False)
        arrays = _Arrays(plan, problem, source.record)
        signals = np.empty((len(plan.forward.results), problem.B, problem.T))
        run(problem.T, problem.B, arrays.P, arrays.X, arrays.I, signals, arrays.work)
        return {label: signals[i].T for i, label in enumerate(plan.forward.results)}

    def prepare(
        self, plan: Plan, problem: Problem, separate: frozenset[str], *, value: bool
    ) -> Prepared:
        """The gradient program with arrays of its own."""
        source, run = self._function(plan, "gradient", value=value)
        T, B = problem.T, problem.B
        arrays = _Arrays(plan, problem, source.record)
        sums, total = np.zeros((len(plan.params), B)), np.zeros(B)
        wanted = plan.last.inputs.keys() | plan.step.inputs.keys()
        moved = np.zeros((len(plan.inputs), B, T if wanted else 0))
        starts = np.zeros((len(plan.states), B))
        arguments = (
            T, B, arrays.P, arrays.X, arrays.I, arrays.G, sums, moved, starts, total, arrays.work,
        )  # fmt: skip

        # Views of arrays that stay the same, made once.
        rows = {v.label: sums[i] for i, v in enumerate(plan.params)}
        initial = {v.label: starts[i] for i, v in enumerate(plan.states)}
        inputs = {v.label: moved[i].T for i, v in enumerate(plan.inputs) if v.label in wanted}

        samples = total if value else None
        fixed: Gradients | None = None
        if rows.keys() <= separate:
            fixed = Gradients(rows, initial, inputs, samples)

        def result() -> Gradients:
            if fixed is not None:
                return fixed
            params = {k: row if k in separate else row.sum() for k, row in rows.items()}
            return Gradients(params, initial, inputs, samples)

        return Prepared(arrays.problem, lambda: run(*arguments), result)

    def _function(self, plan: Plan, kind: str, *, value: bool) -> tuple[NumbaSource, Any]:
        key = (id(plan), kind, value)
        found = self._made.get(key)
        if found is None:
            source = NumbaSource(plan, value=value)
            module = load(source.source(kind), {"njit": self._njit})
            found = self._made[key] = (source, module.run)
        return found


class _Arrays:
    """The arguments of one run in few arrays, a sample's values side by side."""

    def __init__(self, plan: Plan, problem: Problem, record: int) -> None:
        T, B = problem.T, problem.B
        self.P = np.empty((len(plan.params), B if problem.varying else 1))
        for i, value in enumerate(plan.params):
            self.P[i] = problem.params[value.label]
        self.X = np.empty((len(plan.inputs), B, T))
        for i, value in enumerate(plan.inputs):
            self.X[i] = problem.inputs[value.label].T
        self.I = np.empty((len(plan.states), B))
        for i, value in enumerate(plan.states):
            self.I[i] = problem.initial[value.label]
        given = [problem.given[v.label] for v in plan.givens if v.label in problem.given]
        self.G = np.ascontiguousarray(given[0].T).reshape(B, -1) if given else np.empty((B, 0))
        self.work = np.empty((T + 1, max(record, 1)))
        # The same problem, its arrays those that are read.
        self.problem = replace(
            problem,
            params={
                v.label: self.P[i] if v.label in problem.varying else self.P[i, :1].reshape(())
                for i, v in enumerate(plan.params)
            },
            inputs={v.label: self.X[i].T for i, v in enumerate(plan.inputs)},
            initial={v.label: self.I[i] for i, v in enumerate(plan.states)},
            given={
                v.label: self.G.T if problem.given[v.label].ndim == 2 else self.G[:, 0]
                for v in plan.givens
                if v.label in problem.given
            },
        )
