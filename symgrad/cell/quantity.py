"""Names with times as people write them: ``h_T``, ``c_{t-1}``, ``x_k``, ``W_h``.

Read by a small reader of our own: a user's text is never evaluated. A name is the
longest declared name, followed by ``_time``.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from symgrad.cell.cell import Cell
from symgrad.errors import UsageError
from symgrad.lang.affine import Affine, as_affine, symbol
from symgrad.lang.nodes import Node, Param, Signal

_TIME = re.compile(r"\{?(?:([TtkjK])?\s*([+-]\s*\d+)?|(\d+))\}?")


def read_time(text: str, where: str) -> Affine:
    """A time: T, t, k, j, a number, or one of these plus or minus a number.

    Raises:
        UsageError: anything else.
    """
    plain = text.strip()
    braced = plain.startswith("{") == plain.endswith("}")
    match = _TIME.fullmatch(plain)
    if not plain or match is None or not braced or plain in ("{}", "{", "}"):
        raise UsageError(
            f"{where!r}: {text!r} is not a time; write T, t, k, a number, or t-1 as {{t-1}}"
        )
    letter, shift, number = match.groups()
    if number is not None:
        return as_affine(int(number))
    offset = int(shift.replace(" ", "")) if shift else 0
    if letter is None:
        if offset < 0:
            raise UsageError(f"{where!r}: the time {offset} is negative; times start at 0")
        return as_affine(offset)
    return symbol(letter) + offset


def read_signal(cell: Cell, text: str) -> Signal | None:
    """A signal or input with its time; None where the text names a parameter.

    Raises:
        UsageError: no such name; the nearest one is suggested.
    """
    if cell_param(cell, text) is not None:
        return None
    for position in range(len(text) - 1, 0, -1):
        if text[position] != "_":
            continue
        declared = cell.declared_name(text[:position])
        found = _signal(cell, declared)
        if found is not None:
            return found.at(read_time(text[position + 1 :], text))
    declared = cell.declared_name(text)
    if _signal(cell, declared) is not None:
        raise UsageError(f"{text!r} is a signal and needs a time: {text}_T, {text}_t or {text}_0")
    raise unknown(cell, text)


def _signal(cell: Cell, name: str | None) -> Signal | None:
    return next((s for s in (*cell.signals, *cell.inputs) if s.name == name), None)


def cell_param(cell: Cell, text: str) -> Param | None:
    """A parameter; either case is accepted."""
    declared = cell.declared_name(text)
    return next((p for p in cell.params if p.name == declared), None)


def read_name(cell: Cell, text: str) -> Node:
    """A parameter or a signal with its time."""
    found = cell_param(cell, text)
    if found is not None:
        return found
    signal_t = read_signal(cell, text)
    assert signal_t is not None
    return signal_t


def as_quantity(cell: Cell, given: Node | str) -> Node:
    """A node as it is; a name with its time, such as ``"h_T"`` or ``"W_h"``, as what it means.

    Raises:
        UsageError: no such name.
    """
    return read_name(cell, given) if isinstance(given, str) else given


def as_signal(cell: Cell, given: Signal | str) -> Signal:
    """As ``as_quantity``, for a signal."""
    found = as_quantity(cell, given)
    if not isinstance(found, Signal):
        raise UsageError(
            f"{given!r} is a parameter; a signal with its time is asked for, such as h_T"
        )
    return found


def unknown(cell: Cell, text: str) -> UsageError:
    """The error for a name that is not declared."""
    signals = [s.name for s in (*cell.signals, *cell.inputs)]
    names = [p.name for p in cell.params] + signals
    timed = {known.lower(): known for known in (*names, *(f"{s}_T" for s in signals))}
    near = get_close_matches(text.lower(), timed, n=1, cutoff=0.5)
    hint = f"did you mean {timed[near[0]]!r}? " if near else ""
    return UsageError(
        f"cell {cell.name!r} declares no {text!r}; {hint}it has the signals {', '.join(signals)} "
        f"and the parameters {', '.join(p.name for p in cell.params)}"
    )
