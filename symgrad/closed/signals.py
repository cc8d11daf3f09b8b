"""Derivatives of one signal with respect to another, at symbolic times.

    dq_T/ds_k = (∂q/∂z)_T M_T ⋯ M_{k+1} dz_k/ds_k

with z the states; a fixed number of steps is written out path by path.
"""

from __future__ import annotations

from symgrad.adjoint.steps import (
    at_time,
    entry_column,
    read_out,
    step_paths,
    within_step,
)
from symgrad.cell import Cell
from symgrad.closed.forms import Form, Recurrence
from symgrad.closed.transition import Transition, mul_all, state_names
from symgrad.errors import UsageError
from symgrad.lang.affine import ONE, Affine, T, as_affine, symbol, t
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Condition,
    Name,
    Node,
    Signal,
    block,
    cases,
    derivative,
    full,
    substitute_indices,
    walk,
)
from symgrad.verify.times import Times

_k = symbol("k")


def signal_form(cell: Cell, of: Signal, wrt: Signal, along: tuple[str, ...]) -> Form:
    """dq/ds at the times that ``of`` and ``wrt`` carry; ``along`` restricts the paths.

    Raises:
        UsageError: ``wrt`` comes later than ``of``, or ``along`` does not lead between them.
    """
    gap = of.time - wrt.time
    if gap.is_const and gap.const < 0:
        raise UsageError(
            f"{of!r} does not depend on {wrt!r}, which comes later; ask for a time up to {of.time}"
        )
    if along:
        _check_along(cell, of, wrt, along)
    moving = Transition(cell, along)
    right = _signal_right(cell, of, wrt, moving, along)
    kind = "restricted" if along else "total"
    left = derivative(kind, of, wrt, along=along)
    times = _free_times(cell, of, wrt, moving, along)
    recurrence = _signal_recurrence(cell, of, wrt, moving, left)
    return Form(
        "restricted" if along else "expanded",
        left,
        right,
        moving.where if _uses(right, moving.where) else (),
        times,
        _first_horizon(cell, of, wrt, times, _trivial_entry(cell, wrt, moving, along)),
        recurrence,
    )


def _check_along(cell: Cell, of: Signal, wrt: Signal, along: tuple[str, ...]) -> None:
    known = [s.name for s in (*cell.signals, *cell.inputs)]
    for entry in along:
        if entry not in known:
            raise UsageError(
                f"--along names {entry!r}; the signals of {cell.name!r} are {', '.join(known)}"
            )
    for end in (of, wrt):
        if end.name not in along:
            raise UsageError(
                f"a derivative restricted to paths through {', '.join(along)} must begin and end "
                f"there, but {end!r} is not among them; add {end.name} to --along"
            )
    if not any(cell.is_state(entry) for entry in along):
        raise UsageError(
            f"no state is among {', '.join(along)}, so no path leads from one step to the next; "
            f"the states are {', '.join(s.name for s in cell.states)}"
        )


def _uses(right: Node, where: tuple[tuple[Name, Node], ...]) -> bool:
    names = {entry.name for entry, _ in where}
    return any(isinstance(item, Name) and item.name in names for item in walk(right))


def _signal_recurrence(
    cell: Cell, of: Signal, wrt: Signal, moving: Transition, left: Node
) -> Recurrence | None:
    """D_T = ∂h_T/∂h_{T-1} D_{T-1} with D = 1 at the start, where one state is in play."""
    if not cell.is_scalar or len(moving.states) != 1 or of.time != T:
        return None
    if (
        of.name != moving.states[0].name
        or wrt.name != of.name
        or wrt.time not in (_k, as_affine(0))
    ):
        return None
    previous = substitute_indices(left, {"T": T - 1})
    step = at_time(moving.body, T) * previous
    return Recurrence(previous, step, full("identity", SCALAR), wrt.time)


def _trivial_entry(cell: Cell, wrt: Signal, moving: Transition, along: tuple[str, ...]) -> bool:
    """Whether a state influences nothing else within its own step."""
    if not cell.is_state(wrt.name):
        return False
    return _column(cell, wrt.at(t), along) is _unit_column(wrt, moving)


def _free_times(
    cell: Cell, of: Signal, wrt: Signal, moving: Transition, along: tuple[str, ...]
) -> Times:
    """The free times with their ranges: every signal exists from t = 1, states from 0."""
    earliest = 0 if _trivial_entry(cell, wrt, moving, along) else 1
    of_earliest = 0 if cell.is_state(of.name) and earliest == 0 else 1
    times: list[tuple[str, Affine, Affine]] = []
    names = sorted((of.time.names | wrt.time.names) - {"T"}, key=lambda n: (n != "t", n))
    for free in names:
        low = ONE
        bounds = []
        if wrt.time.names == {free}:
            bounds.append(earliest - wrt.time.const)
        if of.time.names == {free}:
            bounds.append(of_earliest - of.time.const)
        if bounds:
            low = as_affine(max(bounds))
        last = T
        for time in (of.time, wrt.time):
            if time.names == {free} and time.const > 0:
                last = T - time.const
        if of.time != T and free in wrt.time.names and free not in of.time.names:
            last = of.time - wrt.time.const
        times.append((free, low, last))
    return tuple(times)


def _first_horizon(
    cell: Cell,
    of: Signal,
    wrt: Signal,
    times: Times,
    trivial: bool,
) -> int:
    """The smallest T at which both signals exist: only states have a value at time 0."""
    lows = [low.const for _, low, _ in times if low.is_const]
    for time, earliest in (
        (of.time, 0 if cell.is_state(of.name) else 1),
        (wrt.time, 0 if trivial or wrt.time.is_const else 1),
    ):
        if time.is_const:
            lows.append(time.const)
        elif time.names == {"T"}:
            lows.append(earliest - time.const)
    return max([0, *lows])


def _signal_right(
    cell: Cell, of: Signal, wrt: Signal, moving: Transition, along: tuple[str, ...]
) -> Node:
    if wrt.time.is_const and wrt.time.const == 0:
        return _from_initial(cell, of, wrt, moving)
    gap = of.time - wrt.time
    shape = (of.shape[0], wrt.shape[0])
    if gap.is_const and gap.const == 0:
        return at_time(_same_step(cell, of, wrt, along), of.time)
    if gap.is_const and gap.const == 1 and not along:
        paths = [path.product for path in step_paths(cell, wrt.at(t - 1), of.at(t))]
        return at_time(OPERATORS["add"](*paths) if paths else full("zeros", shape), of.time)
    column = at_time(_column(cell, wrt.at(t), along), wrt.time)
    now, before = _read_out(cell, of, moving, along)
    parts: list[Node] = []
    for row, last in ((now, of.time), (before, of.time - 1)):
        if row is not None:
            parts.append(mul_all(at_time(row, of.time), moving.product(last, wrt.time), column))
    general = OPERATORS["add"](*parts) if parts else full("zeros", shape)
    if gap.is_const or (before is None and cell.is_state(of.name)):
        return general
    same = at_time(_same_step(cell, of, wrt, along), of.time)
    if before is None and _direct(cell, of, wrt) is None:
        return general
    return cases([(same, (Condition(wrt.time, "=", of.time),)), (general, ())])


def _direct(cell: Cell, of: Signal, wrt: Signal) -> Node | None:
    """The part of a derivative within one step that passes no state."""
    stop = tuple(s for s in state_names(cell) if s != wrt.name)
    return (
        within_step(cell, wrt.at(t), stop=stop).get(of.name)
        if not cell.is_state(wrt.name)
        else None
    )


def _read_out(
    cell: Cell, of: Signal, moving: Transition, along: tuple[str, ...]
) -> tuple[Node | None, Node | None]:
    if cell.is_state(of.name):
        return moving.unit_row(of), None
    if along:
        raise UsageError(f"{of!r} is not a state; restricted derivatives are between states")
    return read_out(cell, of.at(t))


def _same_step(cell: Cell, of: Signal, wrt: Signal, along: tuple[str, ...]) -> Node:
    others = tuple(s.name for s in cell.signals if along and s.name not in along)
    found = within_step(cell, wrt.at(t), stop=others).get(of.name)
    return full("zeros", (of.shape[0], wrt.shape[0])) if found is None else found


def _column(cell: Cell, source: Signal, along: tuple[str, ...]) -> Node:
    """What a signal does to the states within its own step."""
    if not along:
        return entry_column(cell, source)
    others = tuple(s.name for s in cell.signals if s.name not in along)
    known = within_step(cell, source, stop=others)
    return block(
        [
            (known.get(s.name, full("zeros", (s.shape[0], source.shape[0]))),)
            for s in cell.states
            if s.name in along
        ]
    )


def _unit_column(wrt: Signal, moving: Transition) -> Node:
    return block(
        [
            (full("identity" if s.name == wrt.name else "zeros", (s.shape[0], wrt.shape[0])),)
            for s in moving.states
        ]
    )


def _from_initial(cell: Cell, of: Signal, wrt: Signal, moving: Transition) -> Node:
    """With respect to an initial state: nothing is computed within step 0."""
    if not cell.is_state(wrt.name):
        raise UsageError(
            f"{wrt!r}: {wrt.name} has no value at time 0; only the states "
            f"{', '.join(state_names(cell))} have one"
        )
    if of.time == ONE and len(moving.states) == len(cell.states):
        entry = within_step(cell, wrt.at(t - 1)).get(of.name)
        zero = full("zeros", (of.shape[0], wrt.shape[0]))
        return zero if entry is None else at_time(entry, ONE)
    column = _unit_column(wrt, moving)
    now, before = (
        read_out(cell, of.at(t))
        if len(moving.states) == len(cell.states)
        else (moving.unit_row(of), None)
    )
    parts: list[Node] = []
    for row, last in ((now, of.time), (before, of.time - 1)):
        if row is not None:
            chain = moving.product(last, as_affine(0))
            parts.append(mul_all(at_time(row, of.time), chain, column))
    return OPERATORS["add"](*parts) if parts else full("zeros", (of.shape[0], wrt.shape[0]))
