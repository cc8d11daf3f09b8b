"""Readouts and losses as equations of a cell: the loss of a step is a signal like any other.

A cell with a loss has the target as an input and the signal ``ell``, one number per step;
L is its sum over time. Whatever can be derived of a signal can be derived of a loss.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from symgrad.cell.cell import Cell
from symgrad.cell.names import input_signal, param, signal, symbol_size
from symgrad.errors import UsageError
from symgrad.lang.nodes import Apply, Node, Signal
from symgrad.ops import dot, logsumexp, softmax, total

#: The name of a step's loss.
LOSS = "ell"

_TARGETS = ("y", "d", "q", "y_ref")
_SIZES = ("p", "q", "r", "o_1")


def with_readout(
    cell: Cell, *, of: Signal | str | None = None, name: str = "y", size: str | None = None
) -> Cell:
    """The cell with a linear output layer, y_t = W_y h_t + b_y, as its output.

    Args:
        of: the signal it reads; default: the cell's output.
        name: the output's name; its parameters are ``W_<name>`` and ``b_<name>``.
        size: the name of its size; default: one that is free.
    """
    source = _signal_of(cell, of)
    letter = size or _free(cell, _SIZES, "size")
    rows = symbol_size(letter)
    output = signal(name, rows)
    value = param(f"W_{name}", rows, source.shape[0]) @ source + param(f"b_{name}", rows)
    return _extended(cell, [(output, value)], cell.inputs, output)


def with_loss(
    cell: Cell,
    kind: str = "squared",
    *,
    of: Signal | str | None = None,
    target: str | None = None,
) -> Cell:
    """The cell with the loss of each step as the signal ``ell``, its output.

    Args:
        kind: ``squared`` for ½ ‖o - y‖², ``cross_entropy`` for softmax with cross-entropy,
            -Σ_i y_i log softmax(o)_i, for any targets y; they need not sum to 1. Where o is
            a softmax already it is the prediction, and the loss is -Σ_i y_i log o_i.
        of: the signal o that is compared; default: the cell's output.
        target: the name of the target y, a further input; default: one that is free.

    Raises:
        UsageError: no such loss, or no such signal.
    """
    if kind not in LOSSES:
        raise UsageError(f"there is no loss {kind!r}; use one of {', '.join(LOSSES)}")
    o = _signal_of(cell, of)
    y = input_signal(target or _free(cell, _TARGETS, "target"), o.shape[0])
    return _extended(cell, LOSSES[kind](cell, o, y), (*cell.inputs, y), signal(LOSS))


def _squared(cell: Cell, o: Signal, y: Signal) -> list[tuple[Signal, Node]]:
    return [(signal(LOSS), Fraction(1, 2) * total((o - y) ** 2))]


def _cross_entropy(cell: Cell, o: Signal, y: Signal) -> list[tuple[Signal, Node]]:
    value = cell.equation_of(o)
    if isinstance(value, Apply) and value.head.name == "softmax":
        # The output is the prediction itself; a second softmax would be another loss.
        (z,) = value.args
        return [(signal(LOSS), total(y) * logsumexp(z) - dot(y, z))]
    p = signal(_free(cell, ("p", "pi", "p_1"), "prediction"), o.shape[0])
    return [(p, softmax(o)), (signal(LOSS), total(y) * logsumexp(o) - dot(y, o))]


#: The losses by name: the equations of one step from the signal and its target.
LOSSES: dict[str, Callable[[Cell, Signal, Signal], list[tuple[Signal, Node]]]] = {
    "squared": _squared,
    "cross_entropy": _cross_entropy,
}


def _signal_of(cell: Cell, of: Signal | str | None) -> Signal:
    if cell.is_scalar:
        raise UsageError("add readouts and losses to the vector reading, then take .scalar()")
    wanted = cell.output.name if of is None else of if isinstance(of, str) else of.name
    known = cell.declared_name(wanted)
    for candidate in cell.signals:
        if candidate.name == known:
            return candidate
    raise UsageError(
        f"cell {cell.name!r} computes no signal {wanted!r}; it has "
        f"{', '.join(s.name for s in cell.signals)}"
    )


def _free(cell: Cell, names: tuple[str, ...], what: str) -> str:
    taken = {p.name.lower() for p in cell.params}
    taken |= {s.name.lower() for s in (*cell.signals, *cell.inputs)}
    taken |= {name.lower() for name in cell.size_names}
    for name in names:
        if name not in taken:
            return name
    raise UsageError(f"every usual name of a {what} is taken in cell {cell.name!r}; give one")


def _extended(
    cell: Cell,
    equations: list[tuple[Signal, Node]],
    inputs: tuple[Signal, ...],
    output: Signal,
) -> Cell:
    return Cell(
        cell.name,
        [*((e.target, e.value) for e in cell.equations), *equations],
        inputs=inputs,
        output=next(target for target, _ in equations if target.name == output.name),
        title=cell.title,
        variant=cell.variant,
        source=cell.source,
    )
