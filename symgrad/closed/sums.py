"""Expanded forms: sums over time of products of Jacobians, with symbolic T.

    dz_T/dθ = Σ_{k=1}^{T} (M_T ⋯ M_{k+1}) ∂⁺z_k/∂θ

(Pascanu, Mikolov and Bengio 2013, eqs. 4-5.) The scalar reading gives derivatives, the
vector reading gradients of ⟨s, q_T⟩ for parameters and Jacobians for signals.
"""

from __future__ import annotations

from dataclasses import replace

from symgrad.adjoint.objective import (
    Objective,
    cotangent_for,
    final,
    loss,
    loss_gradient,
    summed,
)
from symgrad.adjoint.steps import (
    at_time,
    entry_column,
    read_out,
    step_jacobian,
    step_pull_back,
    within_step,
)
from symgrad.cell import Cell
from symgrad.cell.quantity import as_quantity, as_signal
from symgrad.closed.forms import Form, Recurrence
from symgrad.closed.signals import signal_form
from symgrad.closed.transition import Transition, mul_all, state_names
from symgrad.lang.affine import Affine, T, as_affine, symbol, t
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Name,
    Node,
    Param,
    Signal,
    block,
    const,
    derivative,
    full,
    index_value,
    name,
    substitute_indices,
    sum_over,
)

_k = symbol("k")


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
        form = _param_form(cell, of.at(T) if of.time == t else of, wrt)
        # The gradient of ⟨s, q_T⟩ does not name the time it looks at.
        return at_time_t(form) if of.time == t and cell.is_scalar else form
    assert isinstance(wrt, Signal)
    return signal_form(cell, of, wrt, along)


# ---- with respect to a parameter ----------------------------------------------------


def at_time_t(form: Form) -> Form:
    """A form of q_T as one of q_t, for every t up to T."""
    to_t = {"T": t}
    return replace(
        form,
        left=substitute_indices(form.left, to_t),
        right=substitute_indices(form.right, to_t),
        times=(("t", as_affine(form.first_horizon), T),),
        recurrence=None,
    )


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
    objective = None if cell.is_scalar else final(cell, of)
    return Form("expanded", left, right, where, (), first, recurrence, objective=objective)


def scalar_param_sum(
    cell: Cell, of: Signal, wrt: Param
) -> tuple[Node, tuple[tuple[Name, Node], ...]]:
    """Σ_k (row · M_T ⋯ M_{k+1}) · ∂⁺z_k/∂θ in the scalar reading."""
    moving = Transition(cell)
    column = at_time(entry_column(cell, wrt), _k)
    now, before = read_out(cell, of.at(t))
    direct = within_step(cell, wrt, stop=state_names(cell)).get(of.name)
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
            total.append(sum_over("k", 1, last, at_time(pulled, _k)))
    if not cell.is_state(of.name):
        direct = step_pull_back(cell, {of.name: cotangent}, stop=state_names(cell)).get(wrt)
        if direct is not None:
            total.append(at_time(direct, of.time))
    zero = full("zeros", wrt.shape)
    return (OPERATORS["add"](*total) if total else zero), moving.where


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


def loss_expanded(cell: Cell, of: Signal, wrt: Param, objective: Objective | None = None) -> Form:
    """dL/dθ for L = Σ_t ℓ_t(q_t): Σ_t of the form of q_t with the cotangent ∂ℓ_t/∂q_t.

    ``objective``: the same with a mean or weight decay.
    """
    return _over_time(cell, of, wrt, loss_gradient(of.at(_r)), objective or loss(cell, of))


def summed_expanded(cell: Cell, of: Signal, wrt: Param, objective: Objective | None = None) -> Form:
    """dL/dθ for L = Σ_t ⟨s, q_t⟩; ``objective``: the same with a mean or weight decay."""
    return _over_time(cell, of, wrt, cotangent_for(cell, of), objective or summed(cell, of))


#: The step of a loss term: not t, which stands for the step that is being differentiated.
_r = symbol("r")


def _over_time(cell: Cell, of: Signal, wrt: Param, cotangent: Node, objective: Objective) -> Form:
    at_r = of.at(_r)
    if cell.is_scalar:
        inner, where = scalar_param_sum(cell, at_r, wrt)
        body = cotangent * inner
    else:
        body, where = vector_param_sum(cell, at_r, wrt, cotangent)
    left = derivative("gradient", name("L"), wrt)
    right = sum_over("r", 1, T, body)
    first = 0
    if objective.mean:
        right, first = const(1) / index_value(T) * right, 1
    for theta, rho in objective.decay:
        if theta is wrt:
            right = rho * theta + right
    return Form("expanded", left, right, where, first_horizon=first, objective=objective)


__all__ = ["Transition", "expanded_form", "loss_expanded", "mul_all", "summed_expanded"]
