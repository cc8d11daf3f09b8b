"""What a claim about a cell needs to know: given signals, weights of dL, programs to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from symgrad.adjoint.objective import Objective
from symgrad.adjoint.reverse import Gradient
from symgrad.cell import Cell
from symgrad.closed.series import input_values, with_inputs
from symgrad.lang.affine import Affine, T, as_affine, t
from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.nodes import (
    Apply,
    Condition,
    Derivative,
    Node,
    Param,
    Signal,
    cases,
    param,
    params_in,
    signal,
    signals_in,
    substitute_indices,
    sum_over,
)
from symgrad.lang.program import Equation, Program, Sweep, at_last_step, before_last_step
from symgrad.lang.tape import Environment, tape_of
from symgrad.ops.parts import is_zero
from symgrad.verify.axioms import Entry
from symgrad.verify.formula import Weights
from symgrad.verify.onestep import AdjointProof
from symgrad.verify.times import Times


def objective_weights(objective: Objective) -> Weights:
    """dL as a weight on the signal at each time."""
    label = objective.signal.label
    # At every time t, without the bracket.
    seed = replace(objective, when="sum").seed

    def weights(horizon: int, algebra: Algebra, env: Environment) -> dict[tuple[str, int], Value]:
        first = horizon if objective.when == "final" else 1
        tape = tape_of([seed], algebra)
        found = {}
        for time in range(max(first, 0), horizon + 1):
            env.indices["t"] = time
            found[label, time] = tape.run(env)[0]
        return found

    return weights


def given_nodes(
    cell: Cell, program: Program, left: Node, right: Node, objective: Objective | None
) -> dict[str, Node]:
    """Names in the formulas that are neither the cell's nor adjoints: cotangents, targets …"""
    given: dict[str, Node] = {}
    roots = [left, right]
    if objective is not None:
        roots += [objective.seed, objective.penalty]
    known = {p.name for p in program.params}
    for entry in params_in(*roots):
        if entry.name not in known:
            given[entry.name] = entry
    for item in signals_in(*roots):
        if item.adjoint in ("dl", "target"):
            given[item.label] = item
    return given


def pre_activation(of: Signal) -> Signal:
    """The pre-activation of a signal as a signal of its own."""
    return signal(of.name, of.shape, of.time, "pre")


def explicit_pre_activations(cell: Cell) -> Program:
    """The forward program with every pre-activation as a signal, so that δ can be checked."""
    equations: list[Equation] = []
    for equation in cell.equations:
        value = equation.value
        if isinstance(value, Apply) and value.head.elementwise:
            inner = pre_activation(equation.target)
            equations.append(Equation(inner, value.args[0]))
            equations.append(Equation(equation.target, Apply(value.key, (inner,), value.shape)))
        else:
            equations.append(equation)
    return Program((Sweep(1, tuple(equations)),), cell.params, cell.inputs, cell.states)


def input_program(cell: Cell, kind: str) -> Program:
    """The forward program with the inputs of one kind."""
    values = input_values(cell, kind)
    equations = tuple(Equation(e.target, with_inputs(e.value, values)) for e in cell.equations)
    used = params_in(*[e.value for e in equations])
    params = tuple(dict.fromkeys((*cell.params, *used)))
    return Program((Sweep(1, equations),), params, cell.inputs, cell.states)


def adjoint_proof(cell: Cell, gradient: Gradient, entries: Mapping[str, Entry]) -> AdjointProof:
    """The pieces of the adjoint identity of one step."""
    equations: list[tuple[Signal, Node]] = []
    for equation in gradient.equations:
        value = equation.value
        if equation.target.adjoint == "lam":
            value = gradient.now[equation.target.name]
            if cell.is_state(equation.target.name):
                value = value + param(f"mu_{equation.target.name}", equation.target.shape)
        equations.append((equation.target, value))
    objective = gradient.objective
    given: dict[str, Node] = {
        item.label: item for item in signals_in(objective.seed) if item.adjoint in ("dl", "target")
    }
    # A free cotangent.
    given |= {p.name: p for p in params_in(objective.seed) if p not in cell.params}
    return AdjointProof(
        cell.program,
        entries,
        tuple(equations),
        {objective.signal.name: objective.seed},
        gradient.back,
        gradient.terms,
        {x.name: gradient.adjoints[x.name] for x in cell.inputs},
        given,
        objective.penalty,
        gradient.extra,
    )


def stated_by(
    gradient: Gradient, left: Node, right: Node, times: Times = (), first: int = 0
) -> bool:
    """Whether a statement is one of the gradient's own equations, at the times it holds at.

    Args:
        times: the free times with their ranges.
        first: the smallest T.
    """
    return right in own_equations(gradient, left, times, first)


def own_equations(gradient: Gradient, left: Node, times: Times = (), first: int = 0) -> list[Node]:
    """What the gradient says that a derivative of L is, in each way it writes it."""
    if not isinstance(left, Derivative):
        return []
    wrt = left.wrt
    if isinstance(wrt, Param):
        term = gradient.terms.get(wrt.name)
        if term is None:
            return []
        if wrt.name in gradient.extra:
            return [gradient_sum(gradient, wrt.name)]
        return [collapsed_sum(term), sum_over("t", 1, T, term)]
    if not isinstance(wrt, Signal):
        return []
    if wrt.adjoint == "pre":
        values = _deltas(gradient, wrt.name)
        return [same for value in values for same in _versions(value, wrt.time, times, first)]
    if wrt.time == as_affine(0):
        value = gradient.start.get(wrt.name)
        return [] if value is None else _versions_at_start(value, first)
    kept = _versions(gradient.adjoints[wrt.name], wrt.time, times, first)
    if _after_start(wrt.time, times, first):
        return kept
    start = gradient.start.get(wrt.name)
    return [same for same in kept if _states_start(start, wrt.time, same, times, first)]


def stated_value(gradient: Gradient, wrt: Param | Signal) -> Node | None:
    """What a gradient says of dL/d(wrt) at every time; the last step is a case of its own."""
    if isinstance(wrt, Param):
        return gradient_sum(gradient, wrt.name) if wrt.name in gradient.terms else None
    if wrt.adjoint == "pre":
        values = _deltas(gradient, wrt.name)
        return _versions(values[0], wrt.time, (), 0)[0] if values else None
    if wrt.time == as_affine(0):
        value = gradient.start.get(wrt.name)
        return None if value is None else _versions_at_start(value, 0)[0]
    value = gradient.adjoints.get(wrt.name)
    if value is None:
        return None
    later, start = _versions(value, wrt.time, (), 0)[0], gradient.start.get(wrt.name)
    if start is None:
        return later
    at_start = (Condition(wrt.time, "=", as_affine(0)),)
    return cases([(_versions_at_start(start, 0)[0], at_start), (later, ())])


def _deltas(gradient: Gradient, name: str) -> list[Node]:
    """What δ of a signal is; nothing where its equation is no activation of something."""
    targets = [(e.target, e.value) for e in gradient.equations]
    return [value for item, value in targets if (item.adjoint, item.name) == ("delta", name)]


def _after_start(time: Affine, times: Times, first: int) -> bool:
    """Whether a time is 1 or later, where the equations of a step are about it."""
    lows = {"T": as_affine(first)}
    for name, low, _ in times:
        if low.is_const:
            lows[name] = max(low, lows.get(name, low), key=lambda form: form.const)
    earliest = time.substitute(lows)
    return earliest.is_const and earliest.const >= 1


def _states_start(value: Node | None, time: Affine, right: Node, times: Times, first: int) -> bool:
    """Whether an equation at a time from 0 on is that of the initial state at 0 as well.

    ``value``: dL/ds_0; None where the signal has no value at 0.
    """
    if value is None or len(time.names) != 1:
        return False
    (letter,) = time.names
    if time.coefficient(letter) != 1:
        return False
    at_zero = substitute_indices(right, {letter: as_affine(-time.const)})
    if letter == "T":
        return at_zero is substitute_indices(at_last_step(value), {"T": as_affine(0)})
    # Where t < T, there is no T = 0 at which t is 0.
    gaps = [T - high for name, _, high in times if name == letter]
    later = any(gap.is_const and gap.const - time.const >= 1 for gap in gaps)
    return at_zero in _versions_at_start(value, max(first, int(later)))


def _versions(value: Node, time: Affine, times: Times, first: int) -> list[Node]:
    """An equation at a time: by cases, and the last step's or the others' where it is that."""
    last, before = at_last_step(value), before_last_step(value)
    found = [cases([(last, (Condition(t, "=", T),)), (before, ())])]
    if time == T:
        found.append(last)
    elif time.is_const:
        found += [before] if first > time.const else []
    elif len(time.names) == 1:
        (letter,) = time.names
        highs = [high for name, _, high in times if name == letter] or [T]
        gaps = [T - time.substitute({letter: high}) for high in highs]
        if time.coefficient(letter) > 0 and any(g.is_const and g.const >= 1 for g in gaps):
            found.append(before)
    if last is before:
        found.append(last)
    return [substitute_indices(node, {"t": time}) for node in found]


def _versions_at_start(value: Node, first: int) -> list[Node]:
    """The equation of an initial state: T = 0 is a case of its own."""
    last, before = at_last_step(value), before_last_step(value)
    both = cases([(last, (Condition(T, "=", as_affine(0)),)), (before, ())])
    return [both, *([before] if first >= 1 or last is before else [])]


def gradient_sum(gradient: Gradient, parameter: str) -> Node:
    """dL/dθ as it is displayed: the sum over time, and what weight decay adds."""
    extra = gradient.extra.get(parameter)
    found = collapsed_sum(gradient.terms[parameter])
    return found if extra is None else extra + found


def collapsed_sum(term: Node) -> Node:
    """Σ_t of a term; a term with the bracket [t = T] is its value at T alone."""
    if is_zero(term):
        return term
    if before_last_step(term) is not term and is_zero(before_last_step(term)):
        return substitute_indices(at_last_step(term), {"t": T})
    return sum_over("t", 1, T, term)
