"""Running a scalar plan as C: compiled into a private folder, loaded with ctypes.

The compiler is ``$CC``, or the first of cc, gcc and clang that is found. The folder is
temporary and gone once the code is loaded; nothing is written anywhere else.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import NotSupportedYet, UsageError
from symgrad.evaluate.compiled.c_source import CSource
from symgrad.evaluate.compiled.plan import Plan
from symgrad.evaluate.compiled.prepared import Gradients, Prepared
from symgrad.evaluate.compiled.problem import Array, Problem, real_array
from symgrad.evaluate.compiled.scalar_source import check_scalar
from symgrad.lang.algebra import Algebra, Floats

#: Samples of a block, and from how many samples on: a few vectors of the machine, so that one
#: waits while others compute, and not many more than there are samples.
WIDTHS = ((64, 256), (16, 9), (8, 0))
#: From the most to the least that a compiler may know; the first that works is taken.
FLAGS = (
    ("-march=native", "-mprefer-vector-width=512", "-DVECTOR_MATH"),
    ("-march=native", "-DVECTOR_MATH"),
    ("-march=native",),
    (),
)
#: No errno and no floating-point traps, which vector code has not; everything else is strict.
COMMON = ("-O3", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC", "-w")


def find_compiler() -> list[str]:
    """The command of the C compiler.

    Raises:
        UsageError: there is none.
    """
    named = shlex.split(os.environ.get("CC", ""))
    if named:
        if shutil.which(named[0]) is None:
            raise UsageError(f"CC={os.environ['CC']!r} is no program; set it to a C compiler")
        return named
    for name in ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path is not None:
            return [path]
    raise UsageError(
        "the c backend needs a C compiler and found none of cc, gcc and clang; install one, set "
        "CC, or use backend='numpy'"
    )


def width_of(samples: int) -> int:
    """How many samples make a block."""
    return next(width for width, least in WIDTHS if samples >= least)


def aligned(shape: int | tuple[int, ...]) -> Array:
    """An array of float64 that begins with a line of the cache, where no vector crosses two."""
    count = int(np.prod(shape))
    memory = np.empty(count + 7)
    start = -(memory.ctypes.data // 8) % 8
    return memory[start : start + count].reshape(shape)


def zeros(shape: int | tuple[int, ...]) -> Array:
    """The same, filled with zeros."""
    array = aligned(shape)
    array[...] = 0.0
    return array


def compile_c(source: str, width: int) -> Any:
    """The function ``run`` of a C source for blocks of so many samples.

    Raises:
        UsageError: there is no compiler, or it fails; its message is shown.
    """
    command = find_compiler()
    message = ""
    with tempfile.TemporaryDirectory(prefix="symgrad-") as folder:
        path = Path(folder) / "step.c"
        path.write_text(source, encoding="ascii")
        for number, flags in enumerate(FLAGS):
            library = Path(folder) / f"step{number}.so"
            files = ["-o", str(library), str(path), "-lm", "-Wl,-z,defs"]
            done = subprocess.run(
                [*command, *COMMON, *flags, f"-DW={width}", *files],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return ctypes.CDLL(str(library)).run
            message = done.stderr.strip() or f"exit code {done.returncode}"
    raise UsageError(f"the C compiler {' '.join(command)} failed:\n{message}")


class CBackend:
    """A scalar plan as C, in float64; blocks of samples in the innermost loop."""

    name = "c"

    def __init__(self, dtype: Any, own: Any) -> None:
        if dtype is not None and np.dtype(dtype) != np.float64:
            raise UsageError(f"the c backend computes in float64, not {np.dtype(dtype)}")
        if own:
            raise NotSupportedYet("the c backend takes no functions=; use backend='numpy'")
        find_compiler()
        self.algebra: Algebra = Floats()
        self._loaded: dict[tuple[str, int], Any] = {}
        self._made: dict[tuple[object, ...], tuple[CSource, Any]] = {}

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
        source, run = self._function(plan, problem, frozenset(), "forward", value=False)
        call = _Call(plan, problem, source.record)
        signals = [aligned((problem.T, call.B)) for _ in plan.forward.results]
        run(*call.arguments(O=signals))
        return {
            label: array[:, : problem.B]
            for label, array in zip(plan.forward.results, signals, strict=True)
        }

    def prepare(
        self, plan: Plan, problem: Problem, separate: frozenset[str], *, value: bool
    ) -> Prepared:
        """The gradient program with arrays of its own."""
        source, function = self._function(plan, problem, separate, "gradient", value=value)
        call = _Call(plan, problem, source.record)
        B = problem.B
        apart = [v.label in separate for v in plan.params]
        sums = [zeros(call.B if each else 1) for each in apart]
        wanted = plan.last.inputs.keys() | plan.step.inputs.keys()
        moved = [zeros((problem.T if v.label in wanted else 0, call.B)) for v in plan.inputs]
        starts = [aligned(call.B) for _ in plan.states]
        total = aligned(call.B)
        arguments = call.arguments(A=sums, D=moved, E=starts, L=total)
        shared = [array for array, each in zip(sums, apart, strict=True) if not each]
        # Views of arrays that stay the same, made once.
        seen = [array[:B] if each else array for array, each in zip(sums, apart, strict=True)]
        initial = {v.label: array[:B] for v, array in zip(plan.states, starts, strict=True)}
        inputs = {
            v.label: array[:, :B]
            for v, array in zip(plan.inputs, moved, strict=True)
            if v.label in wanted
        }
        samples = total[:B] if value else None

        def run() -> None:
            for array in shared:
                array[0] = 0.0
            call.repeat_last()
            function(*arguments)

        fixed: Gradients | None = None
        if all(apart):
            params = dict(zip([v.label for v in plan.params], seen, strict=True))
            fixed = Gradients(params, initial, inputs, samples)

        def result() -> Gradients:
            if fixed is not None:
                return fixed
            params = {
                v.label: array if each else array[0]
                for v, array, each in zip(plan.params, seen, apart, strict=True)
            }
            return Gradients(params, initial, inputs, samples)

        return Prepared(call.problem, run, result)

    def _function(
        self, plan: Plan, problem: Problem, separate: frozenset[str], kind: str, *, value: bool
    ) -> tuple[CSource, Any]:
        width = width_of(problem.B)
        key = (id(plan), problem.varying, separate, kind, value, width)
        found = self._made.get(key)
        if found is None:
            source = CSource(plan, problem.varying, separate, value=value)
            text = source.source(kind)
            if (text, width) not in self._loaded:
                self._loaded[text, width] = compile_c(text, width)
            found = self._made[key] = (source, self._loaded[text, width])
        return found


class _Call:
    """The arguments of one call in arrays of their own, the batch padded to whole blocks."""

    def __init__(self, plan: Plan, problem: Problem, record: int) -> None:
        width = width_of(problem.B)
        self.B = -(-problem.B // width) * width
        self.samples = problem.B
        self.padded: list[Array] = []
        params = {key: self._own(array) for key, array in problem.params.items()}
        inputs = {key: self._own(array) for key, array in problem.inputs.items()}
        initial = {key: self._own(array) for key, array in problem.initial.items()}
        given = {key: self._own(array) for key, array in problem.given.items()}
        self.repeat_last()
        self.lists = [
            [params[v.label] for v in plan.params],
            [inputs[v.label] for v in plan.inputs],
            [initial[v.label] for v in plan.states],
            [given[v.label] for v in plan.givens if v.label in given],
        ]
        self.work = aligned((problem.T + 1) * max(record, 1) * width)

        def seen(arrays: dict[str, Array]) -> dict[str, Array]:
            return {k: v[..., : problem.B] if v.ndim else v for k, v in arrays.items()}

        self.problem = replace(
            problem, params=seen(params), inputs=seen(inputs), initial=seen(initial),
            given=seen(given),
        )  # fmt: skip

    def _own(self, array: Array) -> Array:
        if array.ndim == 0:
            return array.copy()
        own = aligned((*array.shape[:-1], self.B))
        own[..., : self.samples] = array
        if self.samples < self.B:
            self.padded.append(own)
        return own

    def repeat_last(self) -> None:
        """Fill whole blocks with the last sample: numbers that are as good as the others."""
        for array in self.padded:
            if self.samples:
                array[..., self.samples :] = array[..., self.samples - 1 : self.samples]

    def arguments(
        self,
        *,
        O: list[Array] | None = None,  # noqa: E741  # the letters of the generated code
        A: list[Array] | None = None,
        D: list[Array] | None = None,
        E: list[Array] | None = None,
        L: Array | None = None,
    ) -> tuple[Any, ...]:
        """What the generated function takes; the arrays must live as long as it is used."""
        lists = [*self.lists, O or [], A or [], D or [], E or []]
        scalar = self.work if L is None else L
        sizes = (self.problem.T, self.B, self.samples)
        return (
            *[ctypes.c_long(size) for size in sizes],
            *[_pointers(arrays) for arrays in lists],
            ctypes.c_void_p(scalar.ctypes.data),
            ctypes.c_void_p(self.work.ctypes.data),
        )


def _pointers(arrays: list[Array]) -> Any:
    return (ctypes.c_void_p * max(len(arrays), 1))(*[array.ctypes.data for array in arrays])
