"""What is true of a cell: derivatives in every form, each with the call that judges it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from symgrad.adjoint import loss
from symgrad.adjoint.reverse import Gradient
from symgrad.cell import Cell
from symgrad.closed import closed_form, elementary_form, expanded_form, forward_form
from symgrad.closed.forms import Form
from symgrad.derivation.claiming import (
    explicit_pre_activations,
    gradient_sum,
    input_program,
    pre_activation,
)
from symgrad.derivation.evidence import Evidence
from symgrad.errors import NoClosedForm
from symgrad.judge.statement import judged
from symgrad.lang.affine import Affine, T, as_affine, symbol, t
from symgrad.lang.nodes import Condition, Node, cases, derivative, name
from symgrad.lang.program import at_last_step, before_last_step
from symgrad.verify.formula import FormulaClaim
from symgrad.verify.times import Times
from symgrad.verify.verdict import Verdict


@dataclass(frozen=True)
class Statement:
    """``left = right`` for a cell, and how any other right side is judged.

    Attributes:
        label: what it is, in words.
        times, first: the free times, the smallest T.
        judge: the verdict on a right side.
        claim: the claim that both sides agree, for whoever evaluates it in another way.
    """

    label: str
    left: Node
    right: Node
    times: Times
    first: int
    judge: Callable[[Node], Verdict]
    claim: Callable[[Node], FormulaClaim]


def statements(cell: Cell, *, thorough: bool = True) -> list[Statement]:
    """Expanded, one-step, restricted and closed forms and the equations of the gradient.

    ``thorough``: judged for T up to 50, else up to 8.
    """
    evidence = Evidence(cell, thorough)
    found = [_of_form(evidence, form) for form in forms(cell)]
    found += _elementary(evidence)
    gradient = evidence.gradient(loss(cell))
    found += list(_of_gradient(evidence, gradient))
    return list({(s.left, s.right, s.times): s for s in found}.values())


def forms(cell: Cell) -> Iterator[Form]:
    """Expanded, one-step, restricted and closed forms of the derivatives of a cell's states."""
    states, k = cell.states, symbol("k")
    for state in states:
        for parameter in cell.params:
            yield expanded_form(cell, state.at(T), parameter)
    for of in states:
        for wrt in states:
            yield expanded_form(cell, of, wrt.prev)
            yield expanded_form(cell, of.at(T), wrt.at(k))
            yield expanded_form(cell, of.at(T), wrt.at(0))
    for entry in cell.inputs:
        yield expanded_form(cell, states[-1].at(T), entry.at(k))
    if len(states) > 1:
        yield expanded_form(cell, states[0].at(T), states[0].at(k), along=(states[0].name,))
    yield from _closed(cell)


def _closed(cell: Cell) -> Iterator[Form]:
    if len(cell.states) != 1:
        return
    (state,) = cell.states
    try:
        yield forward_form(cell, state.at(T))
        for wrt in (*cell.params, state.at(0), state.at(symbol("k"))):
            yield closed_form(cell, state.at(T), wrt)
    except NoClosedForm:
        return


def _of_form(evidence: Evidence, form: Form) -> Statement:
    def judge(right: Node) -> Verdict:
        return judged(evidence, form.left, right, objective=form.objective)

    def claim(right: Node) -> FormulaClaim:
        return evidence.claim(form.left, right, form.times, form.objective)

    label = f"{form.kind} form of {form.left!r}"
    return Statement(label, form.left, form.full, form.times, form.first_horizon, judge, claim)


def _elementary(evidence: Evidence) -> list[Statement]:
    cell = evidence.cell
    if not cell.is_scalar or not cell.inputs or len(cell.states) != 1:
        return []
    found = []
    for parameter in (None, *cell.params):
        try:
            form = elementary_form(cell, cell.states[0].at(T), parameter, "constant")
        except NoClosedForm:
            return []

        def judge(right: Node, form: Form = form) -> Verdict:
            return evidence.elementary(replace(form, right=right), "constant")

        claim = partial(_claim_of_inputs, evidence, form.left)
        label = f"elementary form of {form.left!r}"
        found.append(Statement(label, form.left, form.right, (), 0, judge, claim))
    return found


def _claim_of_inputs(evidence: Evidence, left: Node, right: Node) -> FormulaClaim:
    return evidence.claim(left, right, program=input_program(evidence.cell, "constant"))


def _of_gradient(evidence: Evidence, gradient: Gradient) -> Iterator[Statement]:
    """The adjoint equations, for t < T and for all t, and the gradients made of them."""
    cell, of_loss = gradient.cell, name("L")
    signals = {s.name: s for s in (*cell.signals, *cell.inputs)}
    program = explicit_pre_activations(cell)

    def statement(left: Node, right: Node, times: Times, first: int) -> Statement:
        def judge(shown: Node) -> Verdict:
            stated = (T - first, *(f for name, *ends in times for f in _between(name, *ends)))
            return judged(evidence, left, shown, objective=gradient.objective, stated=stated)

        def claim(shown: Node) -> FormulaClaim:
            return evidence.claim(left, shown, times, gradient.objective, gradient, program)

        return Statement(f"gradient {left!r}", left, right, times, first, judge, claim)

    for equation in gradient.equations:
        of = signals[equation.target.name]
        source = pre_activation(of) if equation.target.adjoint == "delta" else of
        left = derivative("gradient", of_loss, source)
        inner = (("t", as_affine(1), T - 1),)
        yield statement(left, before_last_step(equation.value), inner, 2)
    for parameter in cell.params:
        left = derivative("gradient", of_loss, parameter)
        yield statement(left, gradient_sum(gradient, parameter.name), (), 0)
    for state in cell.states:
        left = derivative("gradient", of_loss, state.at(0))
        value = gradient.start[state.name]
        at_zero = (Condition(T, "=", as_affine(0)),)
        right = cases([(at_last_step(value), at_zero), (before_last_step(value), ())])
        yield statement(left, right, (), 0)
    for entry in cell.inputs:
        left = derivative("gradient", of_loss, entry)
        value = gradient.adjoints[entry.name]
        if before_last_step(value) is value:
            right = value
        else:
            at_end = (Condition(t, "=", T),)
            right = cases([(at_last_step(value), at_end), (before_last_step(value), ())])
        yield statement(left, right, (("t", as_affine(1), T),), 1)


def _between(name: str, low: Affine, last: Affine) -> tuple[Affine, Affine]:
    return symbol(name) - low, last - symbol(name)


__all__ = ["Statement", "forms", "statements"]
