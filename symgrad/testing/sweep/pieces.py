"""What one task compares: each derivative that symgrad derives, beside what it has to equal.

A piece has both sides entry by entry, for exact evaluation with dual numbers as the truth,
and the derivative along a direction, for the numerical oracles. Neither truth reads a rule
of differentiation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from symgrad.adjoint import backward
from symgrad.adjoint.objective import Objective, loss_gradient
from symgrad.adjoint.reverse import Gradient, lam
from symgrad.cell import Cell
from symgrad.closed import elementary_form
from symgrad.closed.forms import Form
from symgrad.derivation.claiming import (
    given_nodes,
    gradient_sum,
    input_program,
    objective_weights,
)
from symgrad.derivation.evidence import Evidence
from symgrad.errors import NoClosedForm, UsageError
from symgrad.lang.affine import T as HORIZON
from symgrad.lang.affine import as_affine
from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.nodes import Derivative, Name, Node, Param, Signal, const, derivative, name
from symgrad.lang.program import Inputs, Program, Runner, Trace
from symgrad.lang.tape import Tape
from symgrad.parse import parse_statement
from symgrad.testing.statements import forms
from symgrad.testing.sweep.tasks import ALL, Task, objective_of
from symgrad.verify.claims import Session
from symgrad.verify.formula import FormulaClaim
from symgrad.verify.forward import Forward
from symgrad.verify.sampling import Claim, Sampler
from symgrad.verify.times import Times

#: The value whose derivative is taken, on a run in any algebra.
Quantity = Callable[[Trace, Algebra], Value]
#: The derivative that is judged times a direction, by the label and time of what moves.
Along = Callable[[Trace, Algebra, Callable[[str, int | None], Value]], Value]


@dataclass(frozen=True)
class Numerical:
    """How a piece is compared along a direction.

    Attributes:
        forward: the program whose runs are differentiated.
        program: the program that the judged side reads: with a backward sweep, or forward.
        given: nodes by label that tell the shapes of given signals and parameters.
        wrt: what moves: a parameter, a state at 0, or an input at all times.
        of: the value that is differentiated.
        along: the judged derivative along the direction.
    """

    forward: Program
    program: Program
    given: Mapping[str, Node]
    wrt: Node
    of: Quantity
    along: Along


@dataclass(frozen=True)
class Piece:
    """One derivative to compare.

    Attributes:
        label: what it is, as it is printed: ``dL/dW_h``.
        claim: both sides, entry by entry.
        numerical: how to compare along a direction; None where only ``claim`` applies.
        shown: the same as a formula, whose witness can be printed as a program.
    """

    label: str
    claim: Claim
    numerical: Numerical | None = None
    shown: FormulaClaim | None = None


def pieces(task: Task, cell: Cell) -> Iterator[Piece]:
    """What a task compares: a claimed statement, or the gradients and forms of its cell.

    Raises:
        UsageError, ParseError: the statement is none that can be judged.
    """
    objective = objective_of(cell, task.objective)
    if task.statement:
        yield _stated(cell, task, objective)
        return
    chosen = None if task.quantity == ALL else cell.declared_name(task.quantity)
    yield from _of_gradient(cell, backward(cell, objective), chosen, task.T)
    evidence = Evidence(cell)
    for form in forms(cell):
        if form.first_horizon <= task.T and chosen in (None, _wrt_name(form.left)):
            claim = evidence.claim(form.left, form.full, form.times, form.objective)
            yield Piece(_label(form), claim, _numerical(claim, form.objective))
    for form in _elementary(cell):
        if chosen in (None, _wrt_name(form.left)):
            program = input_program(cell, "constant")
            claim = evidence.claim(form.left, form.right, program=program)
            yield Piece(f"{_label(form)}, constant input", claim, _numerical(claim, None))


def _label(form: Form) -> str:
    return f"{form.kind} form of {form.left!r}"


def _wrt_name(left: Node) -> str | None:
    if not isinstance(left, Derivative):
        return ""
    return left.wrt.name if isinstance(left.wrt, Param | Signal) else ""


def _elementary(cell: Cell) -> Iterator[Form]:
    if cell.is_scalar and cell.inputs and len(cell.states) == 1:
        for parameter in (None, *cell.params):
            try:
                yield elementary_form(cell, cell.states[0].at(HORIZON), parameter, "constant")
            except NoClosedForm:
                return


# ---- the adjoint program -----------------------------------------------------------------


@dataclass
class _Runs:
    """Runs of one gradient, shared by its pieces: at the same values in the same algebra."""

    gradient: Gradient
    program: Program
    given: Mapping[str, Node]
    kept: dict[object, tuple[Forward, dict[int, Trace]]] = field(default_factory=dict)

    def at(self, algebra: Algebra, sampler: Sampler) -> tuple[Forward, dict[int, Trace]]:
        key = (algebra.key, tuple(sorted(sampler.sizes.items())))
        if algebra.key is not None and key in self.kept:
            return self.kept[key]
        forward = self.gradient.cell.program
        found: tuple[Forward, dict[int, Trace]] = (
            Forward(forward, algebra, sampler.inputs(forward, self.given)),
            {},
        )
        if algebra.key is not None:
            self.kept[key] = found
        return found


@dataclass(frozen=True)
class GradientClaim:
    """What the adjoint program gives for one quantity, against tangents of the forward pass."""

    runs: _Runs
    wrt: Node

    @property
    def program(self) -> Program:
        """The forward pass."""
        return self.runs.gradient.cell.program

    @property
    def times(self) -> Times:
        """An input is one at each time."""
        if self.wrt in self.runs.gradient.cell.inputs:
            return (("t", as_affine(1), HORIZON),)
        return ()

    def session(self, algebra: Algebra, sampler: Sampler) -> Session:
        """Tangents on the left, results of the adjoint program on the right."""
        forward, traces = self.runs.at(algebra, sampler)
        runner = Runner(self.runs.program, algebra)
        objective = self.runs.gradient.objective
        weights = objective_weights(objective)

        def at(horizon: int) -> tuple[list[Value], list[Value]]:
            if horizon not in traces:
                traces[horizon] = runner.run(forward.inputs, horizon)
            trace = traces[horizon]
            weight = weights(horizon, algebra, trace.environment())
            whens = list(_whens(self.wrt, horizon))
            left = [forward.gradient(weight, self.wrt, when) for when in whens]
            return left, [_result(trace, algebra, self.wrt, when) for when in whens]

        return at


def _whens(wrt: Node, horizon: int) -> Iterator[int | None]:
    if isinstance(wrt, Param):
        yield None
    elif isinstance(wrt, Signal) and wrt.time == as_affine(0):
        yield 0
    else:
        yield from range(1, horizon + 1)


def _result(trace: Trace, algebra: Algebra, wrt: Node, when: int | None) -> Value:
    """dL/d(wrt) as the adjoint program leaves it; without a single step there is no sum."""
    if isinstance(wrt, Signal):
        assert when is not None
        return trace.values[lam(wrt).label, when]
    assert isinstance(wrt, Param)
    return trace.totals[wrt.name]


def _of_gradient(
    cell: Cell, gradient: Gradient, chosen: str | None, horizon: int
) -> Iterator[Piece]:
    program = gradient.with_signal_adjoints(*[x.name for x in cell.inputs])
    objective = gradient.objective
    given = given_nodes(cell, cell.program, const(0), const(0), objective)
    runs = _Runs(gradient, program, given)
    evidence = Evidence(cell)
    of = _value_of(objective)
    everything: list[Node] = [*cell.params, *(s.at(0) for s in cell.states)]
    # Without a step there is no input.
    everything += cell.inputs if horizon else ()
    for wrt in everything:
        assert isinstance(wrt, Param | Signal)
        if chosen not in (None, wrt.name):
            continue
        left = derivative("gradient", name("L"), wrt)
        shown = None
        if isinstance(wrt, Param):
            right = gradient_sum(gradient, wrt.name)
            shown = evidence.claim(left, right, (), objective, gradient)
        numerical = Numerical(cell.program, program, given, wrt, of, _along_program(wrt))
        yield Piece(repr(left), GradientClaim(runs, wrt), numerical, shown)


def _along_program(wrt: Node) -> Along:
    label = wrt.name if isinstance(wrt, Param) else wrt.label if isinstance(wrt, Signal) else ""

    def along(
        trace: Trace, algebra: Algebra, direction: Callable[[str, int | None], Value]
    ) -> Value:
        total = algebra.const(const(0).value)
        for when in _whens(wrt, trace.horizon):
            part = algebra.mul(_result(trace, algebra, wrt, when), direction(label, when))
            total = algebra.add(total, algebra.total(part))
        return total

    return along


def _value_of(objective: Objective) -> Quantity:
    """L on a run: its formula, or Σ ⟨∂ℓ_t, signal_t⟩, any losses that have these gradients."""
    formula = objective.value

    def value(trace: Trace, algebra: Algebra) -> Value:
        if formula is not None:
            return Tape([formula], algebra).run(trace.environment())[0]
        total = algebra.const(const(0).value)
        label = loss_gradient(objective.signal).label
        for time in range(1, trace.horizon + 1):
            signal = trace.signal(objective.signal.label, time)
            part = algebra.total(algebra.mul(trace.signal(label, time), signal))
            total = algebra.add(total, part)
        return total

    return value


# ---- formulas ----------------------------------------------------------------------------


def _numerical(claim: FormulaClaim, objective: Objective | None) -> Numerical | None:
    """For total derivatives at T with respect to a parameter or an initial state."""
    left = claim.left
    if not isinstance(left, Derivative) or left.kind not in ("total", "gradient") or claim.times:
        return None
    wrt = left.wrt
    if isinstance(wrt, Signal) and wrt.time != as_affine(0):
        return None
    if not isinstance(wrt, Param | Signal):
        return None
    if isinstance(left.of, Name):
        if objective is None:
            return None
        of = _value_of(objective)
    elif isinstance(left.of, Signal) and left.of.time == HORIZON:
        of = _value_at_T(left.of)
    else:
        return None
    label, when = (wrt.name, None) if isinstance(wrt, Param) else (wrt.label, 0)
    jacobian = isinstance(wrt, Signal) and left.kind == "total"

    def along(
        trace: Trace, algebra: Algebra, direction: Callable[[str, int | None], Value]
    ) -> Value:
        (right,) = Tape([claim.right], algebra).run(trace.environment())
        moved = direction(label, when)
        if jacobian:
            return algebra.matmul(right, moved)
        return algebra.total(algebra.mul(right, moved))

    program = claim.backward or claim.program
    return Numerical(claim.program, program, claim.given, wrt, of, along)


def _value_at_T(of: Signal) -> Quantity:
    return lambda trace, algebra: Tape([of], algebra).run(trace.environment())[0]


def _stated(cell: Cell, task: Task, objective: Objective) -> Piece:
    left, right = parse_statement(task.statement, cell, extra=_cotangents(objective))
    if isinstance(left, Derivative):
        ends = [node for node in (left.of, left.wrt) if isinstance(node, Signal)]
        free = sorted({n for node in ends for n in node.time.names} - {"T"})
        if free:
            raise UsageError(
                f"{task.statement!r}: a sweep takes one T after the other, and no other time; "
                f"{left!r} has {', '.join(free)}"
            )
    gradient = backward(cell, objective)
    claim = Evidence(cell).claim(left, right, (), objective, gradient)
    return Piece(repr(left), claim, _numerical(claim, objective))


def _cotangents(objective: Objective) -> tuple[Node, ...]:
    return (objective.cotangent,) if isinstance(objective.cotangent, Param) else ()


def with_numbers(inputs: Inputs, change: Callable[[str, int | None, Value], Value]) -> Inputs:
    """The inputs of a run, each value changed by what it is: parameters have no time."""
    return replace(
        inputs,
        params={key: change(key, None, value) for key, value in inputs.params.items()},
        initial={key: change(key, 0, value) for key, value in inputs.initial.items()},
        signals=lambda label, time: change(label, time, inputs.signals(label, time)),
    )


__all__ = ["GradientClaim", "Numerical", "Piece", "pieces", "with_numbers"]
