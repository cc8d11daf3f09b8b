"""The statements of a textbook derivation, ready to be written into a document.

Each function states what the calculus derived and asks for its evidence; documents
choose which to call and write the prose between.
"""

from __future__ import annotations

from symgrad.adjoint.objective import Objective, final, loss
from symgrad.adjoint.reverse import Gradient, backward
from symgrad.adjoint.steps import step_jacobian, step_paths
from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.closed.series import elementary_form
from symgrad.closed.solutions import closed_form, direct_form, forward_form
from symgrad.closed.sums import expanded_form, loss_expanded
from symgrad.derivation.entries import cell_entries, entry_verdicts
from symgrad.derivation.evidence import pre_activation
from symgrad.derivation.model import Step
from symgrad.derivation.writer import Writer
from symgrad.errors import UsageError
from symgrad.lang.affine import Affine, T, as_affine, t
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Block,
    Node,
    Param,
    Signal,
    block,
    derivative,
    name,
    param,
    substitute_indices,
    sum_over,
    transform,
)
from symgrad.lang.program import at_last_step, before_last_step

_L = name("L")


def signal_of(cell: Cell, text: str) -> Signal:
    """A signal of the cell at time t."""
    for entry in (*cell.signals, *cell.inputs):
        if entry.name == text:
            return entry
    raise UsageError(f"cell {cell.name!r} has no signal {text!r}")


def param_of(cell: Cell, text: str) -> Param:
    """A parameter of the cell; either case."""
    known = cell.declared_name(text)
    for entry in cell.params:
        if entry.name == known:
            return entry
    raise UsageError(f"cell {cell.name!r} has no parameter {text!r}")


def declare(write: Writer, cell: Cell) -> None:
    """The cell's equations, as given."""
    for equation in cell.equations:
        write.given(
            cell, equation.target, equation.value, "definition of the cell", "$t = 1, …, T$"
        )


def table_entries(write: Writer, cell: Cell) -> None:
    """The derivatives of the activations, each proved from its definition."""
    verdicts = entry_verdicts(cell)
    for key, entry in cell_entries(cell).items():
        argument = param("a")
        call = Apply((entry.primitive,), (argument,), argument.shape)

        def written(node: Node, call: Node = call, answer: Node = entry.answer) -> Node:
            return call if node is answer else node

        right = transform(entry.claim, written)
        write.state(
            cell,
            derivative("total", call, argument),
            (right,),
            f"derivative of the activation, from {entry.primitive.definition_text}",
            lambda key=key: verdicts[key],  # type: ignore[misc]
        )


def written_form(
    write: Writer,
    cell: Cell,
    form: Form,
    rule: str,
    condition: str = "",
    *,
    objective: Objective | None = None,
    at_least: str = "tested",
) -> Step:
    """A form with its evidence, after the definitions of the names in it."""
    evidence = write.evidence(cell)
    return write.state(
        cell,
        form.left,
        (form.right,),
        rule,
        lambda: evidence.form(form, objective=objective),
        condition,
        at_least,
    )


# ---- one step ------------------------------------------------------------------------


def one_step_jacobian(write: Writer, cell: Cell, rule: str) -> Step:
    """M_t, the Jacobian of the states with respect to the states one step back."""
    evidence = write.evidence(cell)
    right = step_jacobian(cell)
    if not isinstance(right, Block):
        state = cell.states[0]
        return written_form(write, cell, expanded_form(cell, state, state.prev), rule, "$t ≥ 1$")
    names: dict[Node, Node] = {}

    def shortened(node: Node) -> Node:
        return names.get(node, node)

    rows: list[tuple[Node, ...]] = []
    left_rows: list[tuple[Node, ...]] = []
    for row_state, row in zip(cell.states, right.rows, strict=True):
        shown: list[Node] = []
        for column_state, entry in zip(cell.states, row, strict=True):
            left = derivative("immediate", row_state, column_state.prev)
            if isinstance(entry, Apply) and entry.head.name == "add":
                _jacobian_entry(write, cell, left, transform(entry, shortened))
                names[entry] = left
            shown.append(shortened(entry))
        rows.append(tuple(shown))
        left_rows.append(
            tuple(derivative("immediate", row_state, column.prev) for column in cell.states)
        )
    left, right = block(left_rows), block(rows)
    named = name("M", right.shape, t)
    return write.state(
        cell,
        named,
        (left, right),
        rule,
        lambda: evidence.one_step(left, right, times=(("t", as_affine(1), T),)),
        "$t ≥ 1$",
    )


def _jacobian_entry(write: Writer, cell: Cell, left: Node, right: Node) -> Step:
    """An entry of M_t that is a sum, stated before the matrix."""
    evidence = write.evidence(cell)
    return write.state(
        cell,
        left,
        (right,),
        "chain rule within the step, one term a path",
        lambda: evidence.one_step(left, right, times=(("t", as_affine(1), T),)),
        "$t ≥ 1$",
    )


def one_step_total(write: Writer, cell: Cell, of: str, rule: str, condition: str) -> Step:
    """ds_t/ds_{t-1} through every path, one term a path."""
    signal_t = signal_of(cell, of)
    return written_form(write, cell, expanded_form(cell, signal_t, signal_t.prev), rule, condition)


def first_step(write: Writer, cell: Cell, of: str, rule: str) -> Step:
    """ds_1/ds_0: the initial states do not depend on each other."""
    signal_t = signal_of(cell, of)
    one = as_affine(1)
    form = expanded_form(cell, signal_t.at(one), signal_t.at(0))
    return written_form(write, cell, form, rule, "$t = 1$")


def two_step_total(write: Writer, cell: Cell, of: str, rule: str) -> Step:
    """ds_t/ds_{t-2} as the product of one-step derivatives plus the paths that avoid s_{t-1}."""
    signal_t = signal_of(cell, of)
    before, earlier = signal_t.at(t - 1), signal_t.at(t - 2)
    product = OPERATORS["matmul"](
        derivative("total", signal_t, before), derivative("total", before, earlier)
    )
    around = [path.product for path in step_paths(cell, earlier, signal_t, avoid=(before,))]
    right = OPERATORS["add"](product, *around)
    left = derivative("total", signal_t, earlier)
    evidence = write.evidence(cell)
    times = (("t", as_affine(3), T),)
    return write.state(
        cell,
        left,
        (right,),
        rule,
        lambda: evidence.one_step(
            left, right, times=times, horizon=3, indices={"t": 3}, scope="all t ≥ 3", first=3
        ),
        "$t ≥ 3$",
    )


def path_count(cell: Cell, of: str, *, avoiding: bool) -> int:
    """Paths from s_{t-2} to s_t; all, or those that avoid s_{t-1}."""
    signal_t = signal_of(cell, of)
    avoid = (signal_t.at(t - 1),) if avoiding else ()
    return len(step_paths(cell, signal_t.at(t - 2), signal_t, avoid=avoid))


# ---- the backward sweep ----------------------------------------------------------------


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
        _adjoint_line(write, cell, gradient, target, left, before, rule, T - 1, "$t < T$")
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
    for parameter in cell.params:
        left = derivative("gradient", _L, parameter)
        right = collapsed_sum(gradient.terms[parameter.name])
        steps[parameter.name] = write.state(
            cell,
            left,
            (right,),
            "one immediate term per step, as the parameter is shared",
            lambda left=left, right=right: evidence.adjoint(gradient, left, right, (), 1),  # type: ignore[misc]
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


def collapsed_sum(term: Node) -> Node:
    """Σ_t of a term; a term with the bracket [t = T] is its value at T alone."""
    if before_last_step(term) is not term and _vanishes(before_last_step(term)):
        return substitute_indices(at_last_step(term), {"t": T})
    return sum_over("t", 1, T, term)


def _vanishes(node: Node) -> bool:
    return node is OPERATORS["full"]("zeros", node.shape)


# ---- symbolic T ------------------------------------------------------------------------


def recurrence_of(write: Writer, cell: Cell, of: str, wrt: str, rule: str) -> Step:
    """dh_T/dθ in terms of dh_{T-1}/dθ: the recurrence that inductions rest on."""
    form = expanded_form(cell, signal_of(cell, of).at(T), param_of(cell, wrt))
    if form.recurrence is None:
        raise UsageError(f"{form.left!r} satisfies no recurrence in one unknown")
    evidence = write.evidence(cell)
    return write.state(
        cell, form.left, (form.recurrence.step,), rule, lambda: evidence.recurrence(form), "$T ≥ 1$"
    )


def expanded_of(
    write: Writer,
    cell: Cell,
    of: str,
    wrt: str,
    rule: str,
    *,
    condition: str = "$T ≥ 0$",
    at_least: str = "tested",
) -> Step:
    """The sum over time of products of Jacobians."""
    signal_t = signal_of(cell, of)
    form = expanded_form(cell, signal_t.at(T), param_of(cell, wrt))
    objective = None if cell.is_scalar else final(cell, signal_t)
    return written_form(write, cell, form, rule, condition, objective=objective, at_least=at_least)


def loss_expanded_of(write: Writer, cell: Cell, wrt: str, rule: str) -> Step:
    """dL/dθ for a sum of per-step losses as a double sum."""
    form = loss_expanded(cell, cell.output, param_of(cell, wrt))
    return written_form(write, cell, form, rule, "$T ≥ 0$", objective=loss(cell))


def state_to_state(
    write: Writer,
    cell: Cell,
    of: str,
    wrt: str,
    rule: str,
    *,
    along: tuple[str, ...] = (),
    at_least: str = "tested",
) -> Step:
    """dq_T/ds_k through every path, or only through the signals ``along``."""
    k = Affine((("k", 1),))
    form = expanded_form(cell, signal_of(cell, of).at(T), signal_of(cell, wrt).at(k), along=along)
    low = form.times[0][1]
    return written_form(write, cell, form, rule, f"${low} ≤ k ≤ T$", at_least=at_least)


def initial_to_state(
    write: Writer, cell: Cell, of: str, wrt: str, rule: str, *, at_least: str = "tested"
) -> Step:
    """dq_T/ds_0."""
    form = expanded_form(cell, signal_of(cell, of).at(T), signal_of(cell, wrt).at(0))
    return written_form(write, cell, form, rule, "$T ≥ 0$", at_least=at_least)


def forward_of(write: Writer, cell: Cell, of: str, rule: str, *, at_least: str = "tested") -> Step:
    """The state itself in closed form."""
    form = forward_form(cell, signal_of(cell, of))
    return written_form(write, cell, form, rule, "$T ≥ 0$", at_least=at_least)


def direct_of(write: Writer, cell: Cell, of: str, rule: str, *, at_least: str = "tested") -> Step:
    """A state as a weighted sum of what was written into it, the other signals given."""
    form = direct_form(cell, signal_of(cell, of))
    return written_form(write, cell, form, rule, "$T ≥ 0$", at_least=at_least)


def closed_of(
    write: Writer, cell: Cell, of: str, wrt: str, rule: str, *, at_least: str = "tested"
) -> Step:
    """A derivative with no state in it but the initial one."""
    signal_t = signal_of(cell, of)
    form = closed_form(cell, signal_t.at(T), param_of(cell, wrt))
    objective = None if cell.is_scalar else final(cell, signal_t)
    return written_form(write, cell, form, rule, "$T ≥ 0$", objective=objective, at_least=at_least)


def elementary_of(
    write: Writer,
    cell: Cell,
    of: str,
    wrt: str | None,
    kind: str,
    rule: str,
    *,
    at_least: str = "tested",
) -> Step:
    """An elementary form for zero, constant or geometric inputs; ``wrt`` None: the state."""
    signal_t = signal_of(cell, of)
    form = elementary_form(cell, signal_t.at(T), None if wrt is None else param_of(cell, wrt), kind)
    evidence = write.evidence(cell)
    return write.state(
        cell,
        form.left,
        (form.right,),
        rule,
        lambda: evidence.elementary(form, kind),
        "$T ≥ 0$",
        at_least,
    )


__all__ = [
    "adjoint_equations",
    "closed_of",
    "declare",
    "direct_of",
    "elementary_of",
    "expanded_of",
    "first_step",
    "forward_of",
    "gradients",
    "initial_to_state",
    "loss_expanded_of",
    "one_step_jacobian",
    "one_step_total",
    "path_count",
    "recurrence_of",
    "state_to_state",
    "table_entries",
    "two_step_total",
]
