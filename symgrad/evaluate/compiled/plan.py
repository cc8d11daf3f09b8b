"""The plan: one time step of a cell and of its gradient as ordered assignments.

A plan is what every printer of code reads (NumPy, C, Numba, and code for people). It holds
no expression trees: a ``Section`` is a list of ``Op``, each ``target = head(args)`` with
arguments that were assigned before. Nothing is unrolled; a plan has the same size for all T.

How to run a plan::

    setup                                   once; depends on parameters only
    previous[s] = initial state s           for every state
    for t = 1 .. T:                         forward pass
        forward
        keep every value of ``stored`` (and of ``stored_previous``: the state at t - 1)
        previous[s] = forward.results[s]    for every state
    L = sum over t of loss.results["L"]     (``when == "sum"``), or its value at t = T

    for t = T .. 1:                         backward pass
        run ``last`` at t = T and ``step`` at t < T
            a kept value stands for its value at t; role "previous" for the state at t - 1
        dL/dθ += sign * term                for each of ``section.accumulate``
        carry[s] = section.carries[s]       what reaches dL/ds_{t-1} through step t
    dL/ds_0 = carry[s]

At T = 0 the gradients of the initial states are ``empty.results[s]``, L is
``empty.results["L"]`` where the objective has a value there, and all sums are zero. A state
that is missing in ``carries`` or in ``empty.results`` has the gradient zero there.

Values:
    param       the same at every time
    input       an input at t
    given       ``target_…`` or ``dl_…`` of the objective: at t where it sums over all
                steps, one value for the last step where it looks at the last step only
    cotangent   s of L = ⟨s, h_T⟩, the same at every time
    previous    a state at t - 1 (in ``empty``: at time 0)
    signal      computed by ``forward``; the label is its declared name
    adjoint     λ or δ at t: ``lam_h``, ``delta_f``
    carry       what came back from step t + 1: read by ``step`` only
    temp        everything else, no label; those assigned in ``forward`` may be in ``stored``

Operations (``Op.head``):
    add         Σ ± args, ``data`` holds one sign, 1 or -1, per argument; the first is 1
                wherever one is. Scalars broadcast.
    mul         product of the args, entry by entry; scalars broadcast
    neg div     -a, a / b, entry by entry
    power       ``a ** data[0]`` entry by entry; the exponent is an affine form in t, T, sizes
    matpower    the same for a square matrix
    matmul transpose diag total     as in the language; ``total`` is the sum of all entries
    block       ``data = (rows, columns)``: blocks, row by row
    slice       ``data = (row, rows, column, columns)``, affine forms in sizes
    full        ``data = (kind,)``: identity, zeros or ones, of the target's shape
    index       ``data = (form,)``: an affine form in t, T and sizes, as a number
    iverson     ``data = (form,)``: 1 where the form vanishes, else 0
    other heads are functions of the table of primitives, or the user's own (phi, phi', …)

A shape is (rows, columns) in affine forms of sizes; a scalar is (1, 1), a vector (n, 1).
Names of values are ``v0``, ``v1``, …: identifiers in every language, unique in the plan.
What a user declared is in ``label`` only and is data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from symgrad.lang.base import SCALAR, Shape

Role = Literal[
    "param", "input", "given", "cotangent", "previous", "signal", "adjoint", "carry", "temp"
]


@dataclass(frozen=True, slots=True)
class Value:
    """A variable of a plan: ``name`` is unique, ``label`` is what a person calls it."""

    name: str
    role: Role
    label: str
    shape: Shape

    @property
    def is_scalar(self) -> bool:
        return self.shape == SCALAR


@dataclass(frozen=True, slots=True)
class Number:
    """A rational literal as an argument; never negative."""

    value: Fraction

    @property
    def shape(self) -> Shape:
        return SCALAR

    @property
    def is_scalar(self) -> bool:
        return True


Operand: TypeAlias = Value | Number


@dataclass(frozen=True, slots=True)
class Op:
    """``target = head(args)``; ``data`` holds what is no value: signs, forms, kinds."""

    target: Value
    head: str
    args: tuple[Operand, ...]
    data: tuple[Any, ...] = ()

    @property
    def cost(self) -> int:
        """Operations, as the language counts them: +, -, ×, ÷ and each call are one."""
        if self.head in ("transpose", "diag", "full", "index", "iverson", "slice", "block"):
            return 0
        if self.head == "add":
            return len(self.args) - (1 if 1 in self.data else 0)
        if self.head == "mul":
            return len(self.args) - 1
        if self.head == "variance":
            return 3
        return 1


@dataclass(frozen=True, slots=True)
class Accumulate:
    """``dL/d(param) += sign * term``; the term is often ``matmul(δ, transpose(x))``."""

    param: Value
    term: Operand
    sign: int = 1


@dataclass(frozen=True)
class Section:
    """Assignments in order, and what they give.

    Attributes:
        ops: in the order of evaluation.
        results: by label: signals at t (forward), ``L`` (loss), dL/ds_0 by state (empty).
    """

    ops: tuple[Op, ...] = ()
    results: Mapping[str, Operand] = field(default_factory=dict)

    @property
    def cost(self) -> int:
        return sum(op.cost for op in self.ops)

    @property
    def definitions(self) -> dict[Value, Op]:
        """The assignment of every value that this section assigns."""
        return {op.target: op for op in self.ops}


@dataclass(frozen=True)
class BackwardSection(Section):
    """One step of the backward pass.

    Attributes:
        results: λ and δ by label (``lam_h``, ``delta_f``).
        carries: by state, what goes back to t - 1; a missing state gets zero.
        accumulate: what is added to the gradients of the parameters.
        inputs: dL/dx_t by input, where the plan was made with them; missing is zero.
    """

    carries: Mapping[str, Operand] = field(default_factory=dict)
    accumulate: tuple[Accumulate, ...] = ()
    inputs: Mapping[str, Operand] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A cell and, where an objective was given, its gradient; see the module's docstring.

    Attributes:
        name: of the cell.
        scalar: whether every shape is (1, 1).
        sizes: names of the symbolic sizes, sorted.
        params, inputs, givens, states: what is given from outside; ``states`` holds the
            values of role ``previous``, ``givens`` targets, dl and the cotangent.
        when: ``sum`` or ``final``; None without an objective.
        first_horizon: the smallest T for which L exists.
        stored: values of ``forward`` that the backward pass reads at the same t.
        stored_previous: states that the backward pass reads at t - 1.
    """

    name: str
    scalar: bool
    sizes: tuple[str, ...]
    params: tuple[Value, ...]
    inputs: tuple[Value, ...]
    givens: tuple[Value, ...]
    states: tuple[Value, ...]
    setup: Section
    forward: Section
    when: Literal["sum", "final"] | None = None
    first_horizon: int = 0
    loss: Section | None = None
    last: BackwardSection = field(default_factory=BackwardSection)
    step: BackwardSection = field(default_factory=BackwardSection)
    empty: Section = field(default_factory=Section)
    carries: Mapping[str, Value] = field(default_factory=dict)
    stored: tuple[Value, ...] = ()
    stored_previous: tuple[Value, ...] = ()

    @property
    def sections(self) -> tuple[Section, ...]:
        """Every section, in the order of a run."""
        loss = () if self.loss is None else (self.loss,)
        return (self.setup, self.forward, *loss, self.last, self.step, self.empty)

    @property
    def heads(self) -> frozenset[str]:
        """The heads that occur anywhere."""
        return frozenset(op.head for section in self.sections for op in section.ops)


def reads(section: Section) -> dict[Value, int]:
    """How often each value is read in a section, its results included.

    A printer for people may write a temp that is read once where it is read. λ and δ in
    ``results`` of a backward section are names only and are not counted.
    """
    counts: dict[Value, int] = {}
    operands: list[Operand] = [a for op in section.ops for a in op.args]
    operands += results_of(section)
    for operand in operands:
        if isinstance(operand, Value):
            counts[operand] = counts.get(operand, 0) + 1
    return counts


def results_of(section: Section) -> list[Operand]:
    """What is read after the ops of a section: its results, carries and sums."""
    if not isinstance(section, BackwardSection):
        return list(section.results.values())
    terms = [item.term for item in section.accumulate]
    return [*section.carries.values(), *terms, *section.inputs.values()]


def listing(plan: Plan) -> str:
    """The plan as text, one assignment a line: for tests and for reading."""
    names: dict[Value, str] = {}

    def name(operand: Operand) -> str:
        if isinstance(operand, Number):
            return str(operand.value)
        return names.get(operand, operand.label or operand.name)

    for value in plan.states:
        names[value] = f"{value.label}_prev"
    for value in plan.carries.values():
        names[value] = f"{value.label}_carry"

    def line(op: Op) -> str:
        args = ", ".join(name(a) for a in op.args)
        data = f" {[str(d) for d in op.data]}" if op.data else ""
        return f"  {name(op.target)} = {op.head}({args}){data}"

    lines: list[str] = []
    titles = ("setup", "forward", *(("loss",) if plan.loss else ()), "last", "step", "empty")
    for title, section in zip(titles, plan.sections, strict=True):
        lines += [f"{title}:", *(line(op) for op in section.ops)]
        lines += [f"  {key} -> {name(value)}" for key, value in section.results.items()]
        if isinstance(section, BackwardSection):
            signs = {1: "+=", -1: "-="}
            lines += [f"  back {key} -> {name(v)}" for key, v in section.carries.items()]
            lines += [
                f"  d{a.param.label} {signs[a.sign]} {name(a.term)}" for a in section.accumulate
            ]
            lines += [f"  dL/d{key} -> {name(v)}" for key, v in section.inputs.items()]
    lines.append(f"stored: {', '.join(name(v) for v in plan.stored)}")
    return "\n".join(lines)
