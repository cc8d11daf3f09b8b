"""Backpropagation through time: from a cell's equations to equations run backwards.

The cost depends on the cell and not on T. Each signal s gets an adjoint
λ^s_t = dL/ds_t; where its equation is an activation of a pre-activation, the adjoint
of that is δ^s_t. What reaches s_t through step t + 1 carries that step's index.
Source: Werbos, Backpropagation through time, Proc. IEEE 78(10), 1990.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from symgrad.adjoint.objective import Objective
from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.lang.affine import as_affine, t
from symgrad.lang.display import Displayable
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Node,
    Param,
    Signal,
    const,
    full,
    signal,
    signals_in,
    substitute_indices,
    transform,
)
from symgrad.lang.program import Accumulator, Equation, Program, Sweep
from symgrad.ops.chain import pull_back


def lam(of: Signal) -> Signal:
    """λ^s_t = dL/ds_t."""
    return signal(of.name, of.shape, of.time, "lam")


def delta(of: Signal) -> Signal:
    """δ^s_t: the derivative of L with respect to the pre-activation of s_t."""
    return signal(of.name, of.shape, of.time, "delta")


@dataclass(frozen=True, repr=False)
class Gradient(Displayable):
    """The derivative of an objective as equations that run backwards in time.

    Attributes:
        cell, objective: what was differentiated.
        adjoints: dL/ds_t of every signal and input, as a formula at the generic time
            t in the adjoints that have an equation.
        equations: the adjoint equations that are run, in their order at one time.
        terms: for each parameter θ the term whose sum over t = 1..T is dL/dθ.
        start: dL/ds_0 of every state.
        now: what reaches dL/ds_t of every signal within step t, the objective included.
        back: what reaches dL/ds_{t-1} of every state through step t.
        extra: what weight decay adds to dL/dθ.
    """

    display_kind: ClassVar[str] = "gradient"

    cell: Cell
    objective: Objective
    adjoints: dict[str, Node]
    equations: tuple[Equation, ...]
    terms: dict[str, Node]
    start: dict[str, Node]
    now: dict[str, Node]
    back: dict[str, Node]
    extra: dict[str, Node] = field(default_factory=dict)

    @cached_property
    def program(self) -> Program:
        """The forward sweep, then the backward sweep with its accumulators."""
        cell = self.cell
        at_start = tuple(
            Equation(lam(state).at(0), self.start[state.name]) for state in cell.states
        )
        accumulators = tuple(
            Accumulator(name, term, self.extra.get(name)) for name, term in self.terms.items()
        )
        backward_sweep = Sweep(-1, self.equations, at_start, accumulators)
        return Program(
            (*cell.program.sweeps, backward_sweep), cell.params, cell.inputs, cell.states
        )

    @property
    def first_horizon(self) -> int:
        """The smallest T for which L exists: only states have a value at time 0."""
        objective = self.objective
        looks_at_last = objective.when == "final"
        return 1 if looks_at_last and not self.cell.is_state(objective.signal.name) else 0

    def with_signal_adjoints(self, *names: str) -> Program:
        """The program, with dL/d(signal_t) computed for the named signals too."""
        have = {e.target.label for e in self.equations}
        all_signals = {s.name: s for s in (*self.cell.signals, *self.cell.inputs)}
        extra = tuple(
            Equation(lam(all_signals[name]), self.adjoints[name])
            for name in names
            if f"lam_{name}" not in have
        )
        sweep = self.program.sweeps[1]
        longer = Sweep(-1, (*sweep.equations, *extra), sweep.at_start, sweep.accumulators)
        return Program(
            (self.program.sweeps[0], longer), self.cell.params, self.cell.inputs, self.cell.states
        )


def backward(cell: Cell, objective: Objective) -> Gradient:
    """Differentiate an objective of a cell in reverse mode.

    Raises:
        NotSupportedYet: an operation in the cell has no derivative.
    """
    if not isinstance(cell, Cell) or not isinstance(objective, Objective):
        raise UsageError(
            f"backward takes a cell and an objective, such as loss(cell), not "
            f"{type(cell).__name__} and {type(objective).__name__}"
        )
    if objective.signal not in cell.signals:
        raise UsageError(
            f"the objective looks at {objective.signal!r}, which is no signal of cell "
            f"{cell.name!r} in the {cell.reading} reading"
        )
    for theta, rho in objective.decay:
        if rho in cell.params:
            raise UsageError(
                f"the coefficient {rho!r} of the weight decay of {theta!r} is a parameter of cell "
                f"{cell.name!r} too; give another: with_decay({theta!r}, rho=symgrad.param('eta'))"
            )
    return _Reverse(cell, objective).gradient()


class _Reverse:
    """One differentiation: collects what reaches each signal, then writes the equations."""

    def __init__(self, cell: Cell, objective: Objective) -> None:
        self.cell = cell
        self.objective = objective
        self.activated = {
            e.target.name
            for e in cell.equations
            if isinstance(e.value, Apply) and e.value.head.elementwise
        }
        # Calls with a name of their own, other than activations of what is their own inner.
        self.named: dict[Node, Node] = {
            e.value: e.target
            for e in cell.equations
            if isinstance(e.value, Apply) and e.value.head.pull is not None
        }
        # What reaches a signal within the step, one step later, and each parameter.
        self.now: dict[str, list[Node]] = {}
        self.later: dict[str, list[Node]] = {}
        self.params: dict[str, list[Node]] = {}

    def gradient(self) -> Gradient:
        cell = self.cell
        alive = self._alive()
        for equation in cell.equations:
            if equation.target.name in alive:
                self._collect(equation)
        signals = (*cell.signals, *cell.inputs)
        adjoints = {s.name: self._adjoint(s) for s in signals}
        equations: list[Equation] = []
        inlined: dict[Node, Node] = {}
        for signal_t in reversed(cell.signals):
            if signal_t.name not in alive:
                adjoints[signal_t.name] = full("zeros", signal_t.shape)
                continue
            value = _replace(adjoints[signal_t.name], inlined)
            adjoints[signal_t.name] = value
            if self._keeps_adjoint(signal_t):
                equations.append(Equation(lam(signal_t), value))
                value = lam(signal_t)
            else:
                inlined[lam(signal_t)] = value
            if signal_t.name in self.activated:
                equations.append(Equation(delta(signal_t), self._through(signal_t, value)))
        for input_t in cell.inputs:
            adjoints[input_t.name] = _replace(adjoints[input_t.name], inlined)
        terms = {
            p.name: _replace(_sum(self.params.get(p.name, []), p), inlined) for p in cell.params
        }
        start = {s.name: _replace(self._start(s), inlined) for s in cell.states}
        return Gradient(
            cell,
            self.objective,
            adjoints,
            tuple(equations),
            terms,
            start,
            {s.name: _replace(self._now(s), inlined) for s in cell.signals},
            {s.name: _replace(self._back(s), inlined) for s in cell.states},
            self._extra(),
        )

    def _extra(self) -> dict[str, Node]:
        """d(ρ/2 ‖θ‖²)/dθ."""
        found: dict[str, Node] = {}
        for leaf, piece in pull_back(self.objective.penalty, const(1)).items():
            if isinstance(leaf, Param) and leaf in self.cell.params:
                found[leaf.name] = piece
        return found

    def _now(self, signal_t: Signal) -> Node:
        parts = list(self.now.get(signal_t.name, []))
        if signal_t == self.objective.signal:
            parts.insert(0, self.objective.seed)
        return _sum(parts, signal_t)

    def _back(self, state: Signal) -> Node:
        later = _sum(self.later.get(state.name, []), state)
        return substitute_indices(later, {"t": t - 1})

    def _alive(self) -> set[str]:
        """The signals that L depends on at all."""
        alive = {self.objective.signal.name}
        while True:
            more = {
                used.name
                for e in self.cell.equations
                if e.target.name in alive
                for used in signals_in(e.value)
            }
            if more <= alive:
                return alive
            alive |= more

    def _keeps_adjoint(self, signal_t: Signal) -> bool:
        """Whether λ has an equation of its own or is written out where it is used.

        States keep theirs. So does a signal without δ, unless λ is a bare seed that is
        used within its own step only.
        """
        if self.cell.is_state(signal_t.name):
            return True
        if signal_t.name in self.activated:
            return False
        lagged = any(s.time == t - 1 for s in signals_in(self.cell.equation_of(signal_t)))
        return lagged or bool(self.now.get(signal_t.name))

    def _through(self, signal_t: Signal, cotangent: Node) -> Node:
        """δ = λ ⊙ φ'(…), written with the activated value."""
        value = self.cell.equation_of(signal_t)
        assert isinstance(value, Apply)
        assert value.head.partials is not None
        (partial,) = value.head.partials(signal_t, *value.args)
        return cotangent * partial

    def _collect(self, equation: Equation) -> None:
        target, value = equation.target, equation.value
        cotangent = lam(target)
        if target.name in self.activated:
            (value,), cotangent = value.args, delta(target)
        for leaf, piece in pull_back(value, cotangent).items():
            part = self._with_names(piece)
            if isinstance(leaf, Param):
                self.params.setdefault(leaf.name, []).append(part)
            elif isinstance(leaf, Signal) and leaf.time == t:
                self.now.setdefault(leaf.name, []).append(part)
            elif isinstance(leaf, Signal):
                next_step = substitute_indices(part, {"t": t + 1})
                self.later.setdefault(leaf.name, []).append(next_step)

    def _with_names(self, part: Node) -> Node:
        """A call that the cell gives a name, such as p_t = softmax(o_t), by that name."""
        return transform(part, lambda item: self.named.get(item, item)) if self.named else part

    def _adjoint(self, signal_t: Signal) -> Node:
        parts = [*self.now.get(signal_t.name, []), *self.later.get(signal_t.name, [])]
        if signal_t == self.objective.signal:
            parts.insert(0, self.objective.seed)
        return _sum(parts, signal_t)

    def _start(self, state: Signal) -> Node:
        """dL/ds_0: only what comes back from step 1, and L itself at T = 0."""
        parts = list(self.later.get(state.name, []))
        if state == self.objective.signal and self.objective.when == "final":
            parts.insert(0, self.objective.seed)
        return substitute_indices(_sum(parts, state), {"t": as_affine(0)})


def _sum(parts: list[Node], like: Node) -> Node:
    return OPERATORS["add"](*parts) if parts else full("zeros", like.shape)


def _replace(value: Node, known: dict[Node, Node]) -> Node:
    """Write inlined adjoints out, at whatever time they are used."""
    by_label = {s.label: v for s, v in known.items() if isinstance(s, Signal)}

    def change(item: Node) -> Node:
        if isinstance(item, Signal) and item.label in by_label:
            return substitute_indices(by_label[item.label], {"t": item.time})
        return item

    return transform(value, change) if by_label else value


__all__ = ["Gradient", "backward", "delta", "lam"]
