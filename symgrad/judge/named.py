"""σ(W x_t + …) where the cell has a signal of that value: the signal itself."""

from __future__ import annotations

from symgrad.cell import Cell
from symgrad.lang.nodes import Apply, Node, Signal, signals_in, substitute_indices, transform
from symgrad.parse import arranged


def in_signals(cell: Cell, formula: Node) -> Node:
    """The formula with every activation that is a signal of the cell under its name.

    Equal to it by the equations of the cell, at every time at which these hold.
    """
    known = [
        (equation.target, equation.value)
        for equation in cell.equations
        if isinstance(equation.value, Apply) and equation.value.head.elementwise
    ]

    def named(item: Node) -> Node:
        if not isinstance(item, Apply) or not item.head.elementwise:
            return item
        found = (_at(target, value, item) for target, value in known)
        return next((signal for signal in found if signal is not None), item)

    return transform(formula, named)


def _at(target: Signal, value: Apply, item: Apply) -> Signal | None:
    """The signal at the time at which its equation is the item."""
    if value.head is not item.head:
        return None
    first = next(iter(signals_in(value)), None)
    for other in signals_in(item):
        if first is None or other.label != first.label:
            continue
        # The equation has it at t or t - 1.
        time = other.time - first.time.const
        if arranged(substitute_indices(value, {"t": time})) is arranged(item):
            return target.at(time)
    return None
