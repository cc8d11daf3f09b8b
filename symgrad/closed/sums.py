"""Expanded forms: sums over time of products of Jacobians, with symbolic T.

    dz_T/dθ = Σ_{k=1}^{T} (M_T ⋯ M_{k+1}) ∂⁺z_k/∂θ

(Pascanu, Mikolov and Bengio 2013, eqs. 4-5.) The scalar reading gives derivatives, the
vector reading gradients of ⟨s, q_T⟩ for parameters and Jacobians for signals.
"""

from __future__ import annotations

from symgrad.adjoint.objective import cotangent_for, loss_gradient
from symgrad.adjoint.steps import (
    at_time,
    entry_column,
    read_out,
    step_jacobian,
    step_paths,
    step_pull_back,
    within_step,
)
from symgrad.cell import Cell
from symgrad.cell.quantity import as_quantity, as_signal
from symgrad.closed.forms import Form, Recurrence, product_over
from symgrad.errors import UsageError
from symgrad.lang.affine import ONE, Affine, T, as_affine, symbol, t
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Block,
    Condition,
    Name,
    Node,
    Param,
    Signal,
    block,
    cases,
    derivative,
    full,
    name,
    substitute_indices,
    sum_over,
    walk,
)

_k = symbol("k")
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
    result = factors[-1]
    for factor in reversed(factors[:-1]):
        result = OPERATORS["matmul"](factor, result)
    return result


def expanded_form(
    cell: Cell, of: Signal | str, wrt: Node | str, *, along: tuple[str, ...] = ()
) -> Form:
    """The derivative of a signal at T (or t) with respect to a parameter or a signal.

    Args:
        of: a signal at an affine time, or its name: ``"h_T"``, ``"c_t"``.
        wrt: a parameter or a signal at an affine time, or its name: ``"W_h"``, ``"c_{t-1}"``.
        along: only paths through these signals.

    Raises:
        UsageError: the times are in the wrong order, or the names are not the cell's.
    """
    of, wrt = as_signal(cell, of), as_quantity(cell, wrt)
    if isinstance(wrt, Param):
        return _param_form(cell, of, wrt)
    assert isinstance(wrt, Signal)
    return _signal_form(cell, of, wrt, along)


# ---- with respect to a parameter ----------------------------------------------------


def _param_form(cell: Cell, of: Signal, wrt: Param) -> Form:
    if cell.is_scalar:
        right, where = scalar_param_sum(cell, of, wrt)
        left = derivative("total", of, wrt)
        recurrence = _scalar_recurrence(cell, of, wrt)
    else:
        s = cotangent_for(cell, of)
        right, where = vector_param_sum(cell, of, wrt, s)
        left = derivative("gradient", name("L"), wrt)
        recurrence = None
    first = 0 if cell.is_state(of.name) else 1
    return Form("expanded", left, right, where, (), first, recurrence)


def scalar_param_sum(
    cell: Cell, of: Signal, wrt: Param
) -> tuple[Node, tuple[tuple[Name, Node], ...]]:
    """Σ_k (row · M_T ⋯ M_{k+1}) · ∂⁺z_k/∂θ in the scalar reading."""
    moving = Transition(cell)
    column = at_time(entry_column(cell, wrt), _k)
    now, before = read_out(cell, of.at(t))
    direct = within_step(cell, wrt, stop=_state_names(cell)).get(of.name)
    total: list[Node] = []
    for row, last in ((now, of.time), (before, of.time - 1)):
        if row is not None:
            row_at = at_time(row, of.time)
            chain = moving.product(last, _k)
            total.append(_pulled_sum(cell, last, row_at, chain, column))
    if direct is not None and not cell.is_state(of.name):
        total.append(at_time(direct, of.time))
    return OPERATORS["add"](*total) if total else full("zeros", SCALAR), moving.where


def _pulled_sum(cell: Cell, last: Affine, row: Node, chain: Node, column: Node) -> Node:
    """Σ_k row · chain · column; a scalar row does not depend on k and stands in front."""
    if len(cell.states) == 1:
        if column.shape == SCALAR and _is_zero(column):
            return full("zeros", SCALAR)
        return OPERATORS["mul"](row, sum_over("k", 1, last, OPERATORS["mul"](chain, column)))
    return sum_over("k", 1, last, mul_all(row, chain, column))


def _is_zero(node: Node) -> bool:
    return node is full("zeros", SCALAR)


def _state_names(cell: Cell) -> tuple[str, ...]:
    return tuple(s.name for s in cell.states)


def _scalar_recurrence(cell: Cell, of: Signal, wrt: Param) -> Recurrence | None:
    """D_T = ∂h_T/∂h_{T-1} D_{T-1} + ∂⁺h_T/∂θ, D_0 = 0, for a cell of one state."""
    if len(cell.states) != 1 or of.name != cell.states[0].name or of.time != T:
        return None
    previous = derivative("total", of.at(T - 1), wrt)
    step = at_time(step_jacobian(cell), T) * previous + at_time(entry_column(cell, wrt), T)
    return Recurrence(previous, step, full("zeros", SCALAR))


def vector_param_sum(
    cell: Cell, of: Signal, wrt: Param, cotangent: Node
) -> tuple[Node, tuple[tuple[Name, Node], ...]]:
    """The gradient of ⟨s, q_T⟩: immediate gradients at step k of what comes back to z_k."""
    moving = Transition(cell)
    now, before = read_out(cell, of.at(t))
    total: list[Node] = []
    for row, last in ((now, of.time), (before, of.time - 1)):
        if row is None:
            continue
        back = mul_all(moving.product(last, _k).T, at_time(row, of.time).T, cotangent)
        pulled = step_pull_back(cell, _split(cell, back)).get(wrt)
        if pulled is not None:
            total.append(sum_over("k", 1, last, _move(pulled, _k)))
    if not cell.is_state(of.name):
        direct = step_pull_back(cell, {of.name: cotangent}, stop=_state_names(cell)).get(wrt)
        if direct is not None:
            total.append(at_time(direct, of.time))
    zero = full("zeros", wrt.shape)
    return (OPERATORS["add"](*total) if total else zero), moving.where


def _move(node: Node, time: Affine) -> Node:
    """A one-step formula to another time; what already stands at k stays."""
    return substitute_indices(node, {"t": time})


def _split(cell: Cell, back: Node) -> dict[str, Node]:
    """The blocks of a column over the states."""
    if len(cell.states) == 1:
        return {cell.states[0].name: back}
    result: dict[str, Node] = {}
    for state in cell.states:
        selector = block(
            [
                tuple(
                    full(
                        "identity" if other == state else "zeros", (state.shape[0], other.shape[0])
                    )
                    for other in cell.states
                )
            ]
        )
        result[state.name] = OPERATORS["matmul"](selector, back)
    return result


def loss_expanded(cell: Cell, of: Signal, wrt: Param) -> Form:
    """dL/dθ for L = Σ_t ℓ_t(q_t): Σ_t of the form of q_t with the cotangent ∂ℓ_t/∂q_t."""
    return _over_time(cell, of, wrt, loss_gradient(of.at(_r)))


def summed_expanded(cell: Cell, of: Signal, wrt: Param) -> Form:
    """dL/dθ for L = Σ_t ⟨s, q_t⟩."""
    return _over_time(cell, of, wrt, cotangent_for(cell, of))


#: The step of a loss term: not t, which stands for the step that is being differentiated.
_r = symbol("r")


def _over_time(cell: Cell, of: Signal, wrt: Param, cotangent: Node) -> Form:
    at_r = of.at(_r)
    if cell.is_scalar:
        inner, where = scalar_param_sum(cell, at_r, wrt)
        body = cotangent * inner
    else:
        body, where = vector_param_sum(cell, at_r, wrt, cotangent)
    left = derivative("gradient", name("L"), wrt)
    return Form("expanded", left, sum_over("r", 1, T, body), where)


# ---- with respect to a signal ---------------------------------------------------------


def _signal_form(cell: Cell, of: Signal, wrt: Signal, along: tuple[str, ...]) -> Form:
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
        _first_horizon(of, wrt, times),
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


def _trivial_entry(
    cell: Cell, wrt: Signal, moving: Transition, along: tuple[str, ...]
) -> bool:
    """Whether a state influences nothing else within its own step, as the initial state does not."""
    if not cell.is_state(wrt.name):
        return False
    return _column(cell, wrt.at(t), along) is _unit_column(wrt, moving)


def _free_times(
    cell: Cell, of: Signal, wrt: Signal, moving: Transition, along: tuple[str, ...]
) -> tuple[tuple[str, Affine, Affine], ...]:
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


def _first_horizon(of: Signal, wrt: Signal, times: tuple[tuple[str, Affine, Affine], ...]) -> int:
    lows = [low.const for _, low, _ in times if low.is_const]
    if wrt.time.is_const:
        lows.append(wrt.time.const)
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
    stop = tuple(s for s in _state_names(cell) if s != wrt.name)
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
            f"{', '.join(_state_names(cell))} have one"
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


__all__ = ["Transition", "expanded_form", "loss_expanded", "mul_all", "summed_expanded"]
