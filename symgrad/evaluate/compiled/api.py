"""``compile``: the equations of a cell and of its gradient as fast functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import numpy as np

from symgrad.adjoint import Gradient, Objective, backward
from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.evaluate.compiled.build import plan_of
from symgrad.evaluate.compiled.c_backend import CBackend
from symgrad.evaluate.compiled.decay import Decay
from symgrad.evaluate.compiled.mp_backend import MpBackend
from symgrad.evaluate.compiled.numba_backend import NumbaBackend
from symgrad.evaluate.compiled.numbers import numpy_numbers
from symgrad.evaluate.compiled.numpy_backend import NumpyBackend
from symgrad.evaluate.compiled.plan import Plan
from symgrad.evaluate.compiled.prepared import Gradients, Prepared
from symgrad.evaluate.compiled.problem import (
    Arguments,
    Array,
    Problem,
    with_own_arrays,
)
from symgrad.evaluate.compiled.results import GradientValues, Repeated, outward
from symgrad.lang.algebra import Algebra

BackendName = Literal["numpy", "mpmath", "numba", "c"]


class Backend(Protocol):
    """What runs a plan."""

    name: str
    #: The same arithmetic for what is evaluated without generated code.
    algebra: Algebra

    def convert(self, value: Any, where: str) -> Array:
        """An array of the backend's numbers."""
        ...

    def check(self, plan: Plan) -> None:
        """Refuse a plan that it has no code for."""
        ...

    def forward(self, plan: Plan, problem: Problem) -> dict[str, Array]:
        """Every signal, (T, …, B)."""
        ...

    def prepare(
        self, plan: Plan, problem: Problem, separate: frozenset[str], *, value: bool
    ) -> Prepared:
        """The gradient program over the arrays; parameters in ``separate`` per sample."""
        ...


class Compiled:
    """A cell, and its gradient where there is an objective, as functions of arrays.

    Scalars have shape (), vectors (n,), matrices (n, m). Inputs and targets have time
    first. A batch axis comes right after time, or first where there is no time:

        inputs, targets, dl     (T, m) or (T, B, m); of a scalar (T,) or (T, B)
        initial states          (n,) or (B, n); of a scalar () or (B,)
        parameters              their own shape, or with a batch axis first, (B, n, m)

    What has no batch axis is the same for all samples. A gradient has the shape of what it
    belongs to, so that of shared parameters is the sum over the batch; ``per_sample=True``
    keeps all samples apart, with a batch axis everywhere.
    """

    def __init__(
        self, source: Cell | Gradient, objective: Objective | None, backend: Backend
    ) -> None:
        self.source = source
        self.objective = source.objective if isinstance(source, Gradient) else objective
        self.backend = backend
        self.plan = plan_of(source, objective)
        self.decay: Decay | None = None
        if self.objective is not None and self.objective.decay:
            gradient = source if isinstance(source, Gradient) else None
            if gradient is None:
                assert isinstance(source, Cell)
                gradient = backward(source, self.objective)
            self.decay = Decay(gradient, backend.algebra)
        self._with_inputs: Plan | None = None
        self._readers: dict[int, Arguments] = {}
        backend.check(self.plan)

    def forward(
        self,
        params: Mapping[str, Any],
        inputs: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
        *,
        T: int | None = None,
    ) -> dict[str, Array]:
        """Every signal at t = 1..T by name: (T, n) or (T, B, n), of a scalar (T,) or (T, B).

        ``initial`` may be left out: zeros. ``T`` is needed only where no input tells it.

        Raises:
            UsageError: a name is missing or unknown, or a shape does not fit.
        """
        problem = self._arguments(self.plan).problem(
            self.backend.convert, params, inputs, initial, None, T
        )
        found = self.backend.forward(self.plan, problem)
        return {key: outward(array, problem.batched, timed=True) for key, array in found.items()}

    def gradient(
        self,
        params: Mapping[str, Any],
        inputs: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
        *,
        T: int | None = None,
        targets: Any = None,
        dl: Any = None,
        cotangent: Any = None,
        per_sample: bool = False,
        wrt_inputs: bool = False,
        value: bool = False,
    ) -> GradientValues:
        """dL/dθ of every parameter and dL/ds_0 of every state, in the shapes of these.

        Args:
            targets: of the squared error: (T, n) or (T, B, n); without the time axis where L
                looks at the last step only.
            dl: for a general loss, ∂ℓ_t/∂signal_t in the same shapes.
            cotangent: s of L = ⟨s, h_T⟩ in the vector reading: (n,) or (B, n).
            per_sample: keep the samples apart, with a batch axis in every result.
            wrt_inputs: dL/dx_t too.
            value: L too, summed over the batch unless per sample.

        Raises:
            UsageError: a name is missing or unknown, a shape does not fit, or L does not exist
                at this T.
        """
        return self._ready(
            params, inputs, initial, T, {"targets": targets, "dl": dl, "cotangent": cotangent},
            per_sample, wrt_inputs, value, own=False,
        )()  # fmt: skip

    def prepare(
        self,
        params: Mapping[str, Any],
        inputs: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
        *,
        T: int | None = None,
        targets: Any = None,
        dl: Any = None,
        cotangent: Any = None,
        per_sample: bool = False,
        wrt_inputs: bool = False,
        value: bool = False,
    ) -> Repeated:
        """``gradient`` made ready to be repeated: checks and copies are done once.

        For small T and B, where they take longer than the computation. Arguments and errors
        are those of ``gradient``.
        """
        return self._ready(
            params, inputs, initial, T, {"targets": targets, "dl": dl, "cotangent": cotangent},
            per_sample, wrt_inputs, value, own=True,
        )  # fmt: skip

    def _ready(
        self,
        params: Mapping[str, Any],
        inputs: Mapping[str, Any] | None,
        initial: Mapping[str, Any] | None,
        T: int | None,
        data: Mapping[str, Any],
        per_sample: bool,
        wrt_inputs: bool,
        value: bool,
        *,
        own: bool,
    ) -> Repeated:
        """A run with checked arguments, in arrays of its own where they may be changed."""
        if self.objective is None:
            raise UsageError(
                f"{self.plan.name!r} was compiled without an objective, so there is no gradient; "
                "compile it with one: compile(cell, loss(cell, squared=True))"
            )
        plan = self._plan(wrt_inputs)
        given = self._given(plan, data)
        coefficients: dict[str, Array] = {}
        # What is no mapping is refused where parameters are read.
        if self.decay is not None and isinstance(params, Mapping):
            params, coefficients = self.decay.split(params, self.backend.convert, plan.name)
        problem = self._arguments(plan).problem(
            self.backend.convert, params, inputs, initial, given, T
        )
        if plan.first_horizon > problem.T:
            raise UsageError(
                f"{self.objective.signal.name!r} has no value at time 0, so L does not exist at "
                f"T = {problem.T}; T must be at least {plan.first_horizon}"
            )
        if value and plan.loss is None:
            raise UsageError("L has no value here: the loss is given by its gradient dl alone")
        if own:
            problem = with_own_arrays(problem)
        names = frozenset(v.label for v in plan.params)
        separate = names if per_sample else problem.varying
        prepared = self.backend.prepare(plan, problem, separate, value=value)
        if self.decay is not None:
            prepared = _decayed(prepared, self.decay, coefficients, separate)
        return Repeated(
            plan, prepared, per_sample=per_sample, wrt_inputs=wrt_inputs, coefficients=coefficients
        )

    def _arguments(self, plan: Plan) -> Arguments:
        found = self._readers.get(id(plan))
        if found is None:
            found = self._readers[id(plan)] = Arguments(plan)
        return found

    def _plan(self, wrt_inputs: bool) -> Plan:
        if not wrt_inputs:
            return self.plan
        if self._with_inputs is None:
            objective = None if isinstance(self.source, Gradient) else self.objective
            self._with_inputs = plan_of(self.source, objective, inputs=True)
            self.backend.check(self._with_inputs)
        return self._with_inputs

    def _given(self, plan: Plan, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The objective's data by label; exactly what it needs must be there."""
        assert self.objective is not None
        kind = {"squared": "targets", "loss": "dl", "linear": "cotangent"}[self.objective.kind]
        needed = bool(plan.givens)
        for name, data in arguments.items():
            if data is not None and (name != kind or not needed):
                takes = f"takes {kind}=" if needed else "takes none of targets, dl and cotangent"
                raise UsageError(f"{name}= was given, but the objective of {plan.name!r} {takes}")
            if data is None and name == kind and needed:
                raise UsageError(f"the objective of {plan.name!r} needs {kind}=")
        return {plan.givens[0].label: arguments[kind]} if needed else {}


def _decayed(
    prepared: Prepared, decay: Decay, coefficients: dict[str, Array], separate: frozenset[str]
) -> Prepared:
    """The same run, its results with weight decay."""

    def result() -> Gradients:
        return decay.add(prepared.result(), prepared.problem, coefficients, separate)

    return Prepared(prepared.problem, prepared.run, result)


def compile(  # the public name; nothing here compiles Python
    source: Cell | Gradient,
    objective: Objective | None = None,
    *,
    backend: BackendName = "numpy",
    dtype: Any = None,
    digits: int = 50,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> Compiled:
    """A cell with an objective, or a gradient, as functions: ``f.forward``, ``f.gradient``.

    Args:
        source: a cell, or a gradient, which has its objective.
        objective: what is differentiated, such as ``loss(cell, squared=True)``; without one
            there is ``f.forward`` alone.
        backend: ``numpy`` for batches and vector cells; ``c`` (a C compiler) for large batches
            and ``numba`` for single samples of scalar cells; ``mpmath`` for any number of digits.
        dtype: of ``numpy``: float64, float32, longdouble, complex128.
        digits: decimal digits of ``mpmath``.
        functions: for generic activations, functions of arrays by name: phi, phi', …

    Raises:
        UsageError: arguments that do not go together; no such backend, compiler or package.
        NotSupportedYet: an operation that the backend has no code for.
    """
    if not isinstance(source, Cell | Gradient):
        raise UsageError(f"compile takes a cell or a gradient, not {type(source).__name__}")
    if objective is not None and not isinstance(objective, Objective):
        raise UsageError(
            f"the objective is {objective!r:.60}; make one with loss(cell), summed(cell) or "
            "final(cell)"
        )
    own = dict(functions or {})
    if backend == "numpy":
        made: Backend = NumpyBackend(numpy_numbers(np.float64 if dtype is None else dtype), own)
    elif backend == "c":
        made = CBackend(dtype, own)
    elif backend == "numba":
        made = NumbaBackend(dtype, own)
    elif backend == "mpmath":
        if dtype is not None:
            raise UsageError("the mpmath backend takes digits=, no dtype=")
        made = MpBackend(digits, own)
    else:
        raise UsageError(f"backend={backend!r}: use 'numpy', 'mpmath', 'numba' or 'c'")
    return Compiled(source, objective, made)
