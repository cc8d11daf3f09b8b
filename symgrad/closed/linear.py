"""First-order linear recurrences inside cells: h_t = a_t h_{t-1} + b_t, free of states.

The finder looks at equations, not at names: it differentiates the state's equation
with respect to the state one step back, and what it claims is proved as a polynomial
identity before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.cell import Cell
from symgrad.closed.forms import product_over
from symgrad.errors import NoClosedForm
from symgrad.lang.affine import Affine, as_affine, symbol
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Node,
    Signal,
    full,
    signals_in,
    substitute_indices,
    sum_over,
    transform,
)
from symgrad.ops.chain import jacobian
from symgrad.ops.parts import is_zero
from symgrad.verify.normal import NoNormalForm, difference

_k, _j = symbol("k"), symbol("j")


@dataclass(frozen=True)
class LinearState:
    """A state with h_t = factor_t h_{t-1} + forcing_t; both free of states."""

    cell: Cell
    state: Signal
    factor: Node
    forcing: Node

    @property
    def constant(self) -> bool:
        """Whether the factor does not depend on time."""
        return not _depends_on_time(self.factor)

    def product(self, last: Affine, first: Affine) -> Node:
        """a_last ⋯ a_{first+1}; 1 when last = first."""
        gap = last - first
        if gap.is_const and gap.const == 0:
            return full("identity", self.factor.shape)
        return product_over("j", first + 1, last, at(self.factor, _j))

    def value(self, time: Affine) -> Node:
        """The forward closed form h_time, no state in it but h_0."""
        matmul = OPERATORS["matmul"]
        homogeneous = matmul(self.product(time, as_affine(0)), self.state.at(0))
        if is_zero(self.forcing):
            return homogeneous
        index = "i" if "k" in time.names else "k"
        position = symbol(index)
        term = matmul(self.product(time, position), at(self.forcing, position))
        return homogeneous + sum_over(index, 1, time, term)


def at(node: Node, time: Affine) -> Node:
    """A formula in t at another time."""
    return substitute_indices(node, {"t": time})


def _depends_on_time(node: Node) -> bool:
    return bool(signals_in(node)) or substitute_indices(node, {"t": symbol("⋆")}) is not node


def needed_states(cell: Cell, of: Signal) -> tuple[Signal, ...]:
    """The states that a signal depends on, through any number of steps."""
    seen = {of.name}
    while True:
        more = {
            used.name
            for equation in cell.equations
            if equation.target.name in seen
            for used in signals_in(equation.value)
        }
        if more <= seen:
            return tuple(s for s in cell.states if s.name in seen)
        seen |= more


def written_out(cell: Cell, value: Node) -> Node:
    """A formula of step t with the non-states of the step replaced by their equations."""
    states = {s.name for s in cell.states}
    computed = {e.target: e.value for e in cell.equations if e.target.name not in states}

    def change(item: Node) -> Node:
        if isinstance(item, Signal) and item in computed:
            return transform(computed[item], change)
        return item

    return transform(value, change)


def linear_state(cell: Cell, of: Signal) -> LinearState:
    """The one linear state that a signal depends on.

    Raises:
        NoClosedForm: there are several states, or the step is not affine in the state.
    """
    states = needed_states(cell, of)
    if len(states) != 1:
        names = ", ".join(s.name for s in states)
        raise NoClosedForm(
            f"no closed form known: {of.name} of {cell.name!r} depends on {len(states)} states "
            f"({names}), and only first-order linear recurrences in one state are solved; the "
            "expanded form holds for every T"
        )
    (state,) = states
    step = written_out(cell, cell.equation_of(state))
    factor = jacobian(step, state.prev)
    inside = [s for s in signals_in(factor) if s.name == state.name]
    if inside:
        raise NoClosedForm(
            f"no closed form known: {state!r} is not linear in {state.prev!r}, its derivative "
            f"{factor!r} depends on the state; the expanded form holds for every T"
        )
    forcing = transform(step, lambda n: full("zeros", n.shape) if n is state.prev else n)
    if any(s.name == state.name for s in signals_in(forcing)):
        raise NoClosedForm(f"no closed form known: {state!r} depends on itself within a step")
    _confirm(state, step, factor, forcing)
    return LinearState(cell, state, factor, forcing)


def _confirm(state: Signal, step: Node, factor: Node, forcing: Node) -> None:
    """The step really is factor · state + forcing (scalars; vectors are checked as forms)."""
    if state.shape != SCALAR:
        return
    try:
        gap, _ = difference(step, factor * state.prev + forcing)
    except NoNormalForm as error:
        raise NoClosedForm(f"no closed form known: {error}") from None
    if not gap.is_zero:
        raise NoClosedForm(
            f"no closed form known: the step of {state!r} is not affine in {state.prev!r}"
        )
