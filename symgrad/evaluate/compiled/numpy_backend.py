"""Running a plan with NumPy, block by block of the batch.

The generated functions are in ``numpy_source``. Object arrays of mpmath numbers take the
same way; only numbers and functions differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from symgrad.errors import UsageError
from symgrad.evaluate.compiled.functions import Function, functions_for
from symgrad.evaluate.compiled.numbers import Numbers
from symgrad.evaluate.compiled.numpy_ops import STRUCTURAL
from symgrad.evaluate.compiled.numpy_run import Passes, Run
from symgrad.evaluate.compiled.plan import Plan
from symgrad.evaluate.compiled.prepared import Gradients, Prepared
from symgrad.evaluate.compiled.problem import Array, Problem
from symgrad.lang.algebra import Algebra, Floats


class NumpyBackend:
    """A plan as functions over NumPy arrays.

    Raises:
        NotSupportedYet: an operation has no code here; it is named.
    """

    name = "numpy"

    def __init__(
        self, numbers: Numbers, own: Mapping[str, Function], algebra: Algebra | None = None
    ) -> None:
        self.numbers = numbers
        self.algebra = Floats(numbers.dtype) if algebra is None else algebra
        self.own = own
        self._compiled: dict[tuple[object, ...], Passes] = {}

    def convert(self, value: Any, where: str) -> Array:
        """An array of this backend's numbers.

        Raises:
            UsageError: it holds something else.
        """
        try:
            array = np.asarray(value)
            if array.dtype.kind == "c" and self.numbers.dtype.kind != "c":
                raise TypeError("complex numbers need dtype=numpy.complex128")
            return np.asarray(array, dtype=self.numbers.dtype)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{where} is no array of numbers: {error}") from None

    def check(self, plan: Plan) -> None:
        """Refuse heads without code."""
        functions_for(plan.heads, self.numbers.functions, self.own, self.name, STRUCTURAL)

    def forward(self, plan: Plan, problem: Problem) -> dict[str, Array]:
        """Every signal over t = 1..T, (T, …, B)."""
        labels = tuple(plan.forward.results)
        passes = self._passes(plan, problem, frozenset(), labels, False)
        blocks = []
        for run in self._runs(plan, problem, passes):
            run.forward()
            # The arrays are written over by the next block.
            blocks.append({label: run.signal(label).copy() for label in labels})
        return {label: np.concatenate([b[label] for b in blocks], axis=-1) for label in labels}

    def prepare(
        self, plan: Plan, problem: Problem, separate: frozenset[str], *, value: bool
    ) -> Prepared:
        """The gradient program, block by block of the batch."""
        passes = self._passes(plan, problem, separate, None, value)
        # What all samples share is stored once and seen B times: views, so that changes show.
        found: list[Gradients] = []
        kept: dict[int, Run] = {}

        def run() -> None:
            results = []
            for block in self._runs(plan, problem, passes, kept):
                block.forward()
                block.backward()
                results.append(block.gradients(value))
            found[:] = [joined(results, separate)]

        return Prepared(problem, run, lambda: found[0])

    def _passes(
        self,
        plan: Plan,
        problem: Problem,
        separate: frozenset[str],
        labels: tuple[str, ...] | None,
        value: bool,
    ) -> Passes:
        key = (id(plan), problem.varying, separate, labels, value)
        found = self._compiled.get(key)
        if found is None:
            found = Passes(
                plan, problem.varying, separate, labels, value, self.numbers, self.own, self.name
            )
            self._compiled[key] = found
        return found

    def _runs(
        self, plan: Plan, problem: Problem, passes: Passes, kept: dict[int, Run] | None = None
    ) -> Iterator[Run]:
        """A run for each block of the batch; blocks of one width share the arrays in ``kept``."""
        width = block_width(problem, passes)
        kept = {} if kept is None else kept
        for start in range(0, max(problem.B, 1), width):
            block = part(problem, start, min(start + width, problem.B))
            run = kept.get(block.B)
            if run is None:
                run = kept[block.B] = Run(self.numbers, plan, block, passes)
            else:
                run.take(block)
            yield run


#: Bytes of one step that a block may have in use, so that they stay in the second-level
#: cache, and bytes of all steps, so that a long run does not fill the memory.
STEP_BYTES, RUN_BYTES = 1 << 20, 1 << 28


def block_width(problem: Problem, passes: Passes) -> int:
    """How many samples make a block: enough to pay for the calls, few enough for the cache."""
    shapes = passes.shapes(problem.sizes)
    kept, used = shapes.kept_bytes, shapes.step_bytes
    widest = min(STEP_BYTES // used, RUN_BYTES // (kept * max(problem.T, 1)))
    # Whole cache lines, and blocks of nearly equal width.
    blocks = -(-problem.B // max(widest, 512))
    return max(-(-problem.B // max(blocks, 1) // 8) * 8, 8)


def part(problem: Problem, start: int, stop: int) -> Problem:
    """Some samples of a problem."""
    if (start, stop) == (0, problem.B):
        return problem
    cut = slice(start, stop)

    def some(values: dict[str, Array]) -> dict[str, Array]:
        return {key: value[..., cut] for key, value in values.items()}

    params = {k: v[..., cut] if k in problem.varying else v for k, v in problem.params.items()}
    return Problem(
        problem.T, stop - start, problem.batched, problem.sizes, params, some(problem.inputs),
        some(problem.initial), some(problem.given), problem.varying, problem.shared,
    )  # fmt: skip


def joined(results: list[Gradients], separate: frozenset[str]) -> Gradients:
    """The results of all blocks: what is shared is added, what is per sample put side by side."""
    if len(results) == 1:
        return results[0]

    def beside(parts: list[dict[str, Array]]) -> dict[str, Array]:
        return {key: np.concatenate([p[key] for p in parts], axis=-1) for key in parts[0]}

    params = {
        key: np.concatenate([r.params[key] for r in results], axis=-1)
        if key in separate
        else sum((r.params[key] for r in results[1:]), results[0].params[key])
        for key in results[0].params
    }
    values = [r.value for r in results if r.value is not None]
    return Gradients(
        params,
        beside([r.initial for r in results]),
        beside([r.inputs for r in results]),
        np.concatenate(values) if values else None,
    )
