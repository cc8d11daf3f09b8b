"""Products of step Jacobians: M_T ⋯ M_{k+1}, whole or restricted to some paths."""

from __future__ import annotations

from symgrad.adjoint.steps import (
    at_time,
    step_jacobian,
    within_step,
)
from symgrad.cell import Cell
from symgrad.closed.forms import product_over
from symgrad.lang.affine import Affine, symbol, t
from symgrad.lang.nodes import (
    OPERATORS,
    Block,
    Name,
    Node,
    Signal,
    block,
    full,
    name,
)

_j = symbol("j")


class Transition:
    """The products M_b ⋯ M_{a+1} of a cell's step Jacobians.

    ``along``: only paths through these signals; the states in play are those among them.
    """

    def __init__(self, cell: Cell, along: tuple[str, ...] = ()) -> None:
        self.cell = cell
        self.states = tuple(s for s in cell.states if not along or s.name in along)
        self.jacobian = restricted_jacobian(cell, along) if along else step_jacobian(cell)
        self.where: tuple[tuple[Name, Node], ...] = ()
        self.body = self.jacobian
        if isinstance(self.jacobian, Block):
            used = {p.name for p in cell.params} | {s.name for s in cell.signals}
            letter = next(m for m in ("M", "J", "A", "Q", "M_0") if m not in used)
            named = name(letter, self.jacobian.shape, t)
            assert isinstance(named, Name)
            self.body = named
            self.where = ((named, self.jacobian),)

    def product(self, last: Affine, first: Affine) -> Node:
        """M_last ⋯ M_{first+1}; the identity when last = first."""
        length = last - first
        if length.is_const and 0 <= length.const <= 3:
            result = full("identity", self.body.shape)
            for step in range(1, length.const + 1):
                result = OPERATORS["matmul"](at_time(self.body, first + step), result)
            return result
        return product_over("j", first + 1, last, at_time(self.body, _j))

    def unit_row(self, of: Signal) -> Node:
        """The block row that picks a state."""
        return block(
            [
                tuple(
                    full("identity" if s.name == of.name else "zeros", (of.shape[0], s.shape[0]))
                    for s in self.states
                )
            ]
        )


def restricted_jacobian(cell: Cell, along: tuple[str, ...]) -> Node:
    """M_t with only the paths through the signals ``along``."""
    others = tuple(s.name for s in cell.signals if s.name not in along)
    states = [s for s in cell.states if s.name in along]
    columns = [within_step(cell, state.prev, stop=others) for state in states]
    return block(
        [
            tuple(
                column.get(state.name, full("zeros", (state.shape[0], source.shape[0])))
                for column, source in zip(columns, states, strict=True)
            )
            for state in states
        ]
    )


def mul_all(*factors: Node) -> Node:
    """The matrix product of the factors, from the right."""
    result = factors[-1]
    for factor in reversed(factors[:-1]):
        result = OPERATORS["matmul"](factor, result)
    return result


def state_names(cell: Cell) -> tuple[str, ...]:
    """The names of a cell's states, in the order of their equations."""
    return tuple(s.name for s in cell.states)
