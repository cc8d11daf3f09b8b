"""Statements of backpropagation through time: adjoint equations and the gradients they give."""

from __future__ import annotations

from symgrad.adjoint.objective import Objective
from symgrad.adjoint.reverse import Gradient, backward
from symgrad.cell import Cell
from symgrad.derivation.claiming import gradient_sum, pre_activation
from symgrad.derivation.model import Step
from symgrad.derivation.writer import Writer
from symgrad.lang.affine import Affine, T, as_affine
from symgrad.lang.nodes import (
    OPERATORS,
    Node,
    Signal,
    derivative,
    name,
    substitute_indices,
)
from symgrad.lang.program import at_last_step, before_last_step

_L = name("L")


def adjoint_equations(write: Writer, cell: Cell, objective: Objective) -> Gradient:
    """Backpropagation through time: λ and δ, last step first."""
    gradient = backward(cell, objective)
    signals = {s.name: s for s in cell.signals}
    for equation in gradient.equations:
        target = equation.target
        of = signals[target.name]
        source = pre_activation(of) if target.adjoint == "delta" else of
        rule = _adjoint_rule(cell, gradient, target)
        last, before = at_last_step(equation.value), before_last_step(equation.value)
        left = derivative("gradient", _L, source)
        if last is before:
            _adjoint_line(write, cell, gradient, target, left, last, rule, T, "$t = 1, …, T$")
            continue
        at_T = {"t": T}
        _adjoint_line(
            write,
            cell,
            gradient,
            target.at(T),
            substitute_indices(left, at_T),
            substitute_indices(last, at_T),
            "last step: nothing comes back from $T + 1$",
            None,
            "",
        )
        _adjoint_line(write, cell, gradient, target, left, before, rule, T - 1, "$1 ≤ t < T$")
    return gradient


def _adjoint_rule(cell: Cell, gradient: Gradient, target: Signal) -> str:
    if target.adjoint == "delta":
        return "through the activation"
    parts = []
    if not _vanishes(before_last_step(gradient.now[target.name])):
        seeded = target.name == gradient.objective.signal.name
        parts.append("the loss of the step" if seeded else "what follows within the step")
    if cell.is_state(target.name):
        parts.append("what comes back from step $t + 1$")
    return "chain rule: " + " and ".join(parts) if parts else "chain rule within the step"


def _adjoint_line(
    write: Writer,
    cell: Cell,
    gradient: Gradient,
    shown: Signal,
    left: Node,
    right: Node,
    rule: str,
    last: Affine | None,
    condition: str,
) -> Step:
    times = () if last is None else (("t", as_affine(1), last),)
    first = 1 if last is None or last == T else 2
    evidence = write.evidence(cell)
    return write.state(
        cell,
        shown,
        (right,),
        rule,
        lambda: evidence.adjoint(gradient, left, right, times, first),
        condition,
    )


def gradients(write: Writer, cell: Cell, gradient: Gradient) -> dict[str, Step]:
    """dL/dθ = Σ_t … for every parameter, and dL/ds_0 for every initial state."""
    evidence = write.evidence(cell)
    steps: dict[str, Step] = {}
    first = gradient.first_horizon
    for parameter in cell.params:
        left = derivative("gradient", _L, parameter)
        right = gradient_sum(gradient, parameter.name)
        steps[parameter.name] = write.state(
            cell,
            left,
            (right,),
            "one immediate term per step, as the parameter is shared",
            lambda left=left, right=right: evidence.adjoint(  # type: ignore[misc]
                gradient, left, right, (), first
            ),
            "$T ≥ 1$" if first else "",
        )
    for state in cell.states:
        left = derivative("gradient", _L, state.at(0))
        right = before_last_step(gradient.start[state.name])
        steps[f"{state.name}_0"] = write.state(
            cell,
            left,
            (right,),
            "what comes back from the first step",
            lambda left=left, right=right: evidence.adjoint(gradient, left, right, (), 1),  # type: ignore[misc]
            "$T ≥ 1$",
        )
    for entry in cell.inputs:
        left = derivative("gradient", _L, entry)
        right = gradient.adjoints[entry.name]
        steps[entry.name] = write.state(
            cell,
            left,
            (right,),
            "the input enters at its own step only",
            lambda left=left, right=right: evidence.adjoint(  # type: ignore[misc]
                gradient, left, right, (("t", as_affine(1), T),), 1
            ),
            "$t = 1, …, T$",
        )
    return steps


def _vanishes(node: Node) -> bool:
    return node is OPERATORS["full"]("zeros", node.shape)
