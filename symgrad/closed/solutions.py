"""Closed forms: no state but the initial one, for symbolic T, with their conditions.

From h_T = A(T,0) h_0 + Σ_k A(T,k) b_k with A(T,k) = a_T ⋯ a_{k+1}. For a constant
factor a, d/dθ a^n = n a^{n-1} da/dθ gives

    dh_T/dθ = T a^{T-1} a' h_0 + Σ_{k=1}^{T-1} (T-k) a^{T-k-1} a' b_k + Σ_{k=1}^{T} a^{T-k} b'_k.
"""

from __future__ import annotations

from symgrad.adjoint.steps import within_step
from symgrad.cell import Cell
from symgrad.cell.quantity import as_quantity, as_signal
from symgrad.closed.forms import Form, Recurrence
from symgrad.closed.linear import LinearState, at, linear_state, written_out
from symgrad.closed.sums import expanded_form
from symgrad.errors import NoClosedForm, UsageError
from symgrad.lang.affine import T, as_affine, symbol, t
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Condition,
    Const,
    Node,
    Param,
    Signal,
    cases,
    const,
    derivative,
    full,
    index_value,
    signals_in,
    sum_over,
    transform,
)
from symgrad.ops.chain import jacobian
from symgrad.ops.parts import is_zero

_k = symbol("k")


def forward_form(cell: Cell, of: Signal | str) -> Form:
    """h_T in terms of h_0, the inputs and the parameters; ``of`` may be the name ``"h_T"``.

    Raises:
        NoClosedForm: none is known; the message says why.
    """
    of = as_signal(cell, of)
    linear = linear_state(cell, of)
    if of.name != linear.state.name:
        value = written_out(cell, of.at(t))
        right = _without_states(linear, at(value, T))
        return Form("closed", of.at(T), right, first_horizon=1)
    previous = linear.state.at(T - 1)
    step = OPERATORS["matmul"](at(linear.factor, T), previous) + at(linear.forcing, T)
    recurrence = Recurrence(previous, step, linear.state.at(0))
    scalar = linear.state.shape == SCALAR
    return Form(
        "closed", linear.state.at(T), linear.value(T), recurrence=recurrence if scalar else None
    )


def direct_form(cell: Cell, of: Signal) -> Form:
    """A state as what its own equation makes of it, the other signals taken as given.

    For the LSTM's cell state: c_T = (Π f_j) c_0 + Σ_k (Π_{j>k} f_j) i_k g_k.

    Raises:
        NoClosedForm: the state's equation is not affine in its own earlier value.
    """
    value = cell.equation_of(of)
    factor = jacobian(value, of.prev)
    if any(s.name == of.name for s in signals_in(factor)):
        raise NoClosedForm(f"{of!r} is not affine in {of.prev!r}")
    forcing = transform(value, lambda n: full("zeros", n.shape) if n is of.prev else n)
    linear = LinearState(cell, of, factor, forcing)
    previous = of.at(T - 1)
    step = OPERATORS["matmul"](at(factor, T), previous) + at(forcing, T)
    recurrence = Recurrence(previous, step, of.at(0)) if of.shape == SCALAR else None
    return Form("closed", of.at(T), linear.value(T), recurrence=recurrence)


def _without_states(linear: LinearState, value: Node) -> Node:
    """A formula with every state after the first replaced by its closed form."""

    def change(item: Node) -> Node:
        if isinstance(item, Signal) and item.name == linear.state.name:
            if item.time.is_const and item.time.const == 0:
                return item
            return linear.value(item.time)
        return item

    result = transform(value, change)
    computed = {s.name for s in linear.cell.signals} - {linear.state.name}
    left = [s for s in signals_in(result) if s.name in computed]
    if left:
        raise NoClosedForm(f"no closed form known: {left[0]!r} remains")
    return result


def closed_form(cell: Cell, of: Signal | str, wrt: Node | str) -> Form:
    """A derivative in closed form; ``of`` and ``wrt`` may be names such as ``"h_T"`` and ``"w"``.

    Raises:
        NoClosedForm: none is known; the message says why.
    """
    of, wrt = as_signal(cell, of), as_quantity(cell, wrt)
    linear = linear_state(cell, of)
    if of.time != T:
        raise UsageError(f"closed forms are for the time T, not {of.time}; ask for {of.at(T)!r}")
    if not cell.is_scalar or of.name != linear.state.name:
        return _written_out(cell, linear, of, wrt)
    if isinstance(wrt, Param):
        return _param(linear, wrt)
    assert isinstance(wrt, Signal)
    return _signal(linear, wrt)


def _written_out(cell: Cell, linear: LinearState, of: Signal, wrt: Node) -> Form:
    """The expanded form with the states replaced by their closed forms."""
    form = expanded_form(cell, of, wrt)
    right = written_states(cell, linear, form.full)
    return Form(
        "closed", form.left, right, (), form.times, form.first_horizon, objective=form.objective
    )


def written_states(cell: Cell, linear: LinearState, value: Node) -> Node:
    """A formula with every signal in closed form: no state in it but the initial one."""

    def change(item: Node) -> Node:
        if isinstance(item, Signal) and item.name in {s.name for s in cell.signals}:
            if item.name != linear.state.name and cell.is_state(item.name):
                raise NoClosedForm(f"no closed form known: {item!r} is a second state")
            if item.name != linear.state.name:
                whole = written_out(cell, cell.equation_of(item))
                return transform(at(whole, item.time), change)
            if not (item.time.is_const and item.time.const == 0):
                return linear.value(item.time)
        return item

    return transform(value, change)


def _param(linear: LinearState, wrt: Param) -> Form:
    state = linear.state
    slope, push = jacobian(linear.factor, wrt), jacobian(linear.forcing, wrt)
    right = (
        _constant_factor(linear, slope, push)
        if linear.constant
        else _varying_factor(linear, slope, push)
    )
    previous = derivative("total", state.at(T - 1), wrt)
    immediate = within_step(linear.cell, wrt).get(state.name, full("zeros", SCALAR))
    step = at(linear.factor, T) * previous + at(_written(linear, immediate), T)
    recurrence = Recurrence(previous, step, full("zeros", SCALAR))
    return Form("closed", derivative("total", state.at(T), wrt), right, recurrence=recurrence)


def _written(linear: LinearState, immediate: Node) -> Node:
    """The immediate derivative at t with h_{t-1} in closed form."""
    return written_states(linear.cell, linear, written_out(linear.cell, immediate))


def _constant_factor(linear: LinearState, slope: Node, push: Node) -> Node:
    a, b, h_0 = linear.factor, linear.forcing, linear.state.at(0)
    terms: list[Node] = []
    if not is_zero(slope):
        # A factor -1, as in (1 - α)', stands before the terms and not inside Σ.
        negative = isinstance(slope, Const) and slope.value < 0
        size = -slope if negative else slope
        grown = [OPERATORS["mul"](index_value(T), a ** (T - 1), size, h_0)]
        if not is_zero(b):
            weight = OPERATORS["mul"](index_value(T - _k), a ** (T - _k - 1), size)
            grown.append(sum_over("k", 1, T - 1, OPERATORS["mul"](weight, at(b, _k))))
        terms += [-term if negative else term for term in grown]
    if not is_zero(push):
        terms.append(sum_over("k", 1, T, OPERATORS["mul"](a ** (T - _k), at(push, _k))))
    if not terms:
        return full("zeros", SCALAR)
    total = OPERATORS["add"](*terms)
    if is_zero(slope):
        return total
    # T a^{T-1} has no meaning at T = 0, where h_0 does not depend on any parameter.
    return cases([(const(0), (Condition(T, "=", as_affine(0)),)), (total, ())])


def _varying_factor(linear: LinearState, slope: Node, push: Node) -> Node:
    inner: list[Node] = []
    if not is_zero(slope):
        inner.append(at(slope, _k) * linear.value(_k - 1))
    if not is_zero(push):
        inner.append(at(push, _k))
    if not inner:
        return full("zeros", SCALAR)
    return sum_over("k", 1, T, linear.product(T, _k) * OPERATORS["add"](*inner))


def _signal(linear: LinearState, wrt: Signal) -> Form:
    state = linear.state
    left = derivative("total", state.at(T), wrt)
    if wrt.name == state.name:
        right = linear.product(T, wrt.time)
        low = as_affine(0)
        recurrence = None
        if wrt.time in (_k, as_affine(0)):
            previous = derivative("total", state.at(T - 1), wrt)
            recurrence = Recurrence(previous, at(linear.factor, T) * previous, const(1), wrt.time)
    else:
        local = within_step(linear.cell, wrt.at(t)).get(state.name, full("zeros", SCALAR))
        right = linear.product(T, wrt.time) * _written(linear, at(local, wrt.time))
        low = as_affine(1)
        recurrence = None
    times = ((next(iter(wrt.time.names)), low, T),) if wrt.time.names - {"T"} else ()
    return Form("closed", left, right, (), times, recurrence=recurrence)


__all__ = ["closed_form", "direct_form", "forward_form", "written_states"]
