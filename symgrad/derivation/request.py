"""One question about a cell, answered in one of its forms, with its verdict.

This is what ``symgrad derive`` asks: which derivative, in which form. The answer is a
list of equations as nodes; printing them is somebody else's work.
"""

from __future__ import annotations

from dataclasses import replace

from symgrad.adjoint.objective import Objective, cotangent_for, loss, summed
from symgrad.adjoint.objective import final as final_value
from symgrad.adjoint.reverse import Gradient, backward, lam
from symgrad.adjoint.steps import at_time, step_pull_back, within_step
from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.closed.series import elementary_form
from symgrad.closed.solutions import closed_form, forward_form
from symgrad.closed.sums import expanded_form, loss_expanded, summed_expanded
from symgrad.derivation.claiming import collapsed_sum, gradient_sum
from symgrad.derivation.evidence import Evidence
from symgrad.derivation.question import Answer, Line, Request
from symgrad.derivation.unrolled_check import check_lines
from symgrad.errors import FailedCheck, UsageError
from symgrad.evaluate.unrolled import straight_line
from symgrad.lang.affine import Affine, T, as_affine, symbol, t
from symgrad.lang.nodes import (
    OPERATORS,
    Condition,
    Name,
    Node,
    Param,
    Signal,
    cases,
    derivative,
    full,
    name,
    substitute_indices,
    sum_over,
    transform,
)
from symgrad.lang.program import at_last_step, before_last_step
from symgrad.verify.times import Times

#: The largest T for which a program is written out.
LONGEST = 10_000

#: The largest number that a time in a formula may be: formulas are checked up to T = 50.
LAST_NUMBER = 40


def answer(request: Request) -> Answer:
    """Derive, and check what was derived.

    Raises:
        UsageError: the question makes no sense for this cell.
        NoClosedForm: there is no closed form, or none is known.
        FailedCheck: what was derived does not hold; nothing is returned then.
    """
    found = _answer(request)
    if found.verdict.status == "refuted":
        raise FailedCheck(
            f"what was derived does not hold, {found.lines[-1].left!r} = "
            f"{found.lines[-1].right!r}: {found.verdict!r}"
        )
    return found


def _answer(request: Request) -> Answer:
    if request.wrt is None:
        return _state(request)
    if request.immediate:
        if request.inputs is not None:
            raise UsageError("--immediate is about one step, --input about all; ask for one")
        return _immediate(request)
    if request.form in ("recursive", "unrolled"):
        if request.along:
            raise UsageError("--along has an expanded form only")
        return _recursive(request) if request.form == "recursive" else _unrolled(request)
    return _one_form(request, _form(request))


# ---- one formula ------------------------------------------------------------------------


def _state(request: Request) -> Answer:
    if request.of is None:
        raise UsageError("--of L needs --wrt")
    if request.immediate or request.along or request.when == "sum":
        raise UsageError("--immediate, --along and --objective are about derivatives: give --wrt")
    if request.inputs is not None:
        form = elementary_form(request.cell, request.of, None, request.inputs)
    else:
        if request.of.time != T:
            raise UsageError(f"the closed form of a state is for the time T: {request.of.at(T)!r}")
        form = forward_form(request.cell, request.of)
    return _one_form(request, form)


def _form(request: Request) -> Form:
    cell, of, wrt = request.cell, request.of, request.wrt
    assert wrt is not None
    if request.inputs is not None:
        if request.along:
            raise UsageError("--along has an expanded form only")
        if of is None or request.when == "sum":
            raise UsageError("--input gives the elementary form of a state at T; ask --of h_T")
        return elementary_form(cell, of, wrt, request.inputs)
    if of is None or request.when == "sum":
        return _summed_form(request)
    if request.form == "closed":
        if request.along:
            raise UsageError("--along has an expanded form only")
        return closed_form(cell, of, wrt)
    if isinstance(wrt, Param) and of.time not in (T, t):
        raise UsageError(f"derivatives by parameters are of {of.at(T)!r} or {of.at(t)!r}")
    if isinstance(wrt, Param) and request.along:
        raise UsageError("--along restricts a derivative with respect to a state, such as c_k")
    for item in (of, wrt):
        if isinstance(item, Signal) and item.time.is_const and item.time.const > LAST_NUMBER:
            raise UsageError(f"{item!r}: times that are numbers go up to {LAST_NUMBER}")
    form = expanded_form(cell, of, wrt, along=request.along)
    if isinstance(wrt, Signal):
        form = replace(form, first_horizon=max(form.first_horizon, _first_horizon(request, wrt)))
    return form


def _first_horizon(request: Request, wrt: Signal) -> int:
    """The smallest T at which both signals exist; outside their free times."""
    cell, of = request.cell, request.of
    assert of is not None
    if of.time.is_const:
        return of.time.const
    if of.time.names != {"T"}:
        return 0
    if wrt.time.names != {"T"}:
        return 0 if cell.is_state(of.name) else 1
    at_t = [item.at(item.time.substitute({"T": t})) for item in (of, wrt)]
    times = expanded_form(cell, at_t[0], at_t[1], along=request.along).times
    return max([low.const for _, low, _ in times if low.is_const], default=0)


def _summed_form(request: Request) -> Form:
    cell, wrt = request.cell, request.wrt
    of = cell.output if request.of is None else request.of
    if request.of is not None and request.of.time not in (T, t):
        raise UsageError(f"a sum over time is of {of.at(t)!r}")
    if request.when == "final":
        raise UsageError(
            "the last loss alone has a recursive and an unrolled form; for the others ask for the "
            f"derivative of {cell.output.at(T)!r} and multiply by that of the loss"
        )
    if not isinstance(wrt, Param):
        raise UsageError(
            "the derivative of a sum with respect to a signal has a recursive form only: "
            "--form recursive"
        )
    objective = objective_of(request)
    if objective.kind == "loss":
        form = loss_expanded(cell, of, wrt, objective)
    else:
        form = summed_expanded(cell, objective.signal, wrt, objective)
    if request.form == "closed":
        return _closed_sum(cell, form)
    return form


def _closed_sum(cell: Cell, form: Form) -> Form:
    """The expanded double sum with the states in closed form."""
    right = form.full
    states = {s.name for s in cell.signals}

    def change(item: Node) -> Node:
        if isinstance(item, Signal) and item.name in states and not item.adjoint:
            if item.time.is_const and item.time.const == 0:
                return item
            value = forward_form(cell, item.at(t)).right
            return substitute_indices(value, {"T": item.time})
        return item

    return replace(form, kind="closed", right=transform(right, change), where=())


def _one_form(request: Request, form: Form) -> Answer:
    evidence = Evidence(request.cell)
    if form.kind == "elementary":
        assert request.inputs is not None
        verdict = evidence.elementary(form, request.inputs)
    else:
        verdict = evidence.form(form, objective=objective_of(request))
    condition = ", ".join(_range(*time) for time in form.times)
    if not form.times and form.first_horizon and request.inputs is None:
        condition = f"T ≥ {form.first_horizon}"
    line = Line(form.left, form.right, condition)
    where = (*_meaning_of_L(request, form.left), *form.where)
    return Answer((line,), verdict, True, form, where, form.first_horizon)


def _meaning_of_L(request: Request, left: Node) -> tuple[tuple[Node, Node], ...]:
    """L = s^⊤ q_T, or its sum over time, where the vector reading differentiates that."""
    cell, of = request.cell, request.of
    if request.objective is not None:
        value = request.objective.value
        return () if value is None else ((name("L"), value),)
    if of is None or cell.is_scalar or not isinstance(left.args[0] if left.args else None, Name):
        return ()
    row = cotangent_for(cell, of).T
    if request.when == "sum":
        return ((name("L"), sum_over("t", 1, T, OPERATORS["matmul"](row, of.at(t)))),)
    return ((name("L"), OPERATORS["matmul"](row, of.at(T))),)


def _range(index: str, low: object, high: object) -> str:
    return f"{low} ≤ {index} ≤ {high}"


def objective_of(request: Request) -> Objective:
    """What L is."""
    cell, of = request.cell, request.of
    if request.objective is not None:
        return request.objective
    if of is None:
        return loss(cell, last_only=request.when == "final")
    return summed(cell, of.at(t)) if request.when == "sum" else final_value(cell, of.at(t))


def _immediate(request: Request) -> Answer:
    """∂⁺q_t/∂θ: one step, the states before held fixed."""
    cell, of, wrt = request.cell, request.of, request.wrt
    if of is None or request.form in ("recursive", "unrolled") or wrt is None:
        raise UsageError("--immediate is about one step: --of h_t --wrt W_h or --wrt h_{t-1}")
    if request.along:
        raise UsageError("--immediate and --along are two different derivatives; ask for one")
    if isinstance(wrt, Signal) and wrt.time not in (of.time, of.time - 1):
        raise UsageError(
            f"an immediate derivative of {of!r} is with respect to something at {of.time} or "
            f"{of.time - 1}, not {wrt!r}"
        )
    source: Node = wrt if isinstance(wrt, Param) else wrt.at(wrt.time - of.time + t)  # type: ignore[attr-defined]
    evidence = Evidence(cell)
    times = (("t", as_affine(1), T),) if of.time == t else ()
    if isinstance(wrt, Param) and not cell.is_scalar:
        s = cotangent_for(cell, of)
        pulled = step_pull_back(cell, {of.name: s}).get(wrt, full("zeros", wrt.shape))
        raise UsageError(
            f"the immediate derivative of a vector with respect to {wrt!r} is no matrix; with the "
            f"cotangent {s!r} it is {pulled!r}; ask for --scalar"
        )
    found = within_step(cell, source).get(of.name, full("zeros", (of.shape[0], wrt.shape[0])))
    left = derivative("immediate", of, wrt)
    form = Form("immediate", left, at_time(found, of.time), (), times, 1)
    verdict = evidence.form(form)
    condition = ", ".join(_range(*time) for time in times)
    line = Line(form.left, form.right, condition)
    return Answer((line,), verdict, True, form, first=form.first_horizon)


# ---- equations -----------------------------------------------------------------------------


def _gradient(request: Request) -> Gradient:
    if request.of is not None and request.of.time not in (T, t):
        raise UsageError(
            f"the recursive and unrolled forms are of {request.of.at(T)!r}, not of {request.of!r}"
        )
    return backward(request.cell, objective_of(request))


def _left(request: Request, wrt: Node, last: Affine = T) -> Node:
    cell, of = request.cell, request.of
    if of is None or request.when == "sum" or not cell.is_scalar:
        return derivative("gradient", name("L"), wrt)
    return derivative("total", of.at(last), wrt)


def _exists_at_start(gradient: Gradient) -> bool:
    """Whether L has a value at T = 0: of the signals only states do."""
    objective = gradient.objective
    return objective.when == "sum" or gradient.cell.is_state(objective.signal.name)


def _at_start(value: Node, otherwise: Node) -> Node:
    """``value`` at T = 0."""
    return cases([(value, (Condition(T, "=", as_affine(0)),)), (otherwise, ())])


def _recursive(request: Request) -> Answer:
    """Forward equations, adjoint equations, and the gradient that was asked for."""
    gradient = _gradient(request)
    cell, wrt = request.cell, request.wrt
    assert wrt is not None
    lines = [Line(e.target, e.value, "1 ≤ t ≤ T") for e in cell.equations]
    for equation in gradient.equations:
        last, before = at_last_step(equation.value), before_last_step(equation.value)
        value = before
        if last is not before:
            value = cases([(last, (Condition(t, "=", T),)), (before, ())])
        lines.append(Line(equation.target, value, "1 ≤ t ≤ T"))
    evidence = Evidence(cell)
    left = _left(request, wrt)
    times: Times = ()
    first = 0 if _exists_at_start(gradient) else 1
    if isinstance(wrt, Param):
        term = gradient.terms[wrt.name]
        right = gradient_sum(gradient, wrt.name)
        if not first and collapsed_sum(term) is not sum_over("t", 1, T, term):
            right = _at_start(gradient.extra.get(wrt.name, full("zeros", wrt.shape)), right)
    elif isinstance(wrt, Signal) and wrt.time == as_affine(0):
        if not cell.is_state(wrt.name):
            raise UsageError(f"{wrt!r}: only states have a value at time 0")
        value = gradient.start[wrt.name]
        last, right = at_last_step(value), before_last_step(value)
        if not first and last is not right:
            right = _at_start(last, right)
    else:
        assert isinstance(wrt, Signal)
        right, times = _adjoint_of(gradient, wrt)
        first = 1
    condition = ", ".join(_range(*time) for time in times)
    if first and not times:
        condition = "T ≥ 1"
    lines.append(Line(left, right, condition))
    claimed = derivative("gradient", name("L"), wrt)
    verdict = evidence.adjoint(gradient, claimed, right, times, first)
    if first and verdict.status == "proved":
        verdict = replace(verdict, scope="all T ≥ 1")
    where = _meaning_of_L(request, left)
    return Answer(tuple(lines), verdict, False, where=where, first=first)


def _adjoint_of(gradient: Gradient, wrt: Signal) -> tuple[Node, Times]:
    (index,) = wrt.time.names or ("",)
    if not index or wrt.time.const or index == "T":
        raise UsageError(f"ask for {wrt.name} at a free time: {wrt.name}_k")
    value = gradient.adjoints[wrt.name]
    last, before = at_last_step(value), before_last_step(value)
    chosen = before
    if last is not before:
        chosen = cases([(last, (Condition(t, "=", T),)), (before, ())])
    right = substitute_indices(chosen, {"t": wrt.time})
    return right, ((index, as_affine(1), T),)


def _unrolled(request: Request) -> Answer:
    """The straight-line program for a given T."""
    if request.horizon is None:
        raise UsageError("--form unrolled needs a horizon: --T 5")
    gradient = _gradient(request)
    cell, wrt, horizon = request.cell, request.wrt, request.horizon
    assert wrt is not None
    if horizon > LONGEST:
        raise UsageError(f"--T {horizon}: programs are written out up to T = {LONGEST}")
    if horizon == 0 and not _exists_at_start(gradient):
        raise UsageError(f"{gradient.objective.signal.name} has no value at time 0: --T 1 or more")
    if horizon == 0 and gradient.objective.mean:
        raise UsageError("L is a mean over time, of which there is none at T = 0: --T 1 or more")
    program = gradient.program
    if isinstance(wrt, Signal) and wrt.time != as_affine(0):
        program = gradient.with_signal_adjoints(wrt.name)
    unrolled = straight_line(program, horizon)
    if isinstance(wrt, Param):
        result = unrolled.results[wrt.name]
    else:
        assert isinstance(wrt, Signal)
        first = 0 if cell.is_state(wrt.name) else 1
        if not wrt.time.is_const or not first <= wrt.time.const <= horizon:
            raise UsageError(
                "the unrolled form is for times that are numbers: "
                f"{wrt.name}_{first} to {wrt.name}_{horizon}"
            )
        result = lam(wrt)
    kept = unrolled.without_unused(result)
    check_lines(gradient, program, kept, wrt, result)
    lines = [Line(a.target, a.value) for a in kept.assignments]
    lines.append(Line(_left(request, wrt, as_affine(horizon)), result))
    verdict = _recursive(replace(request, wrt=_free(wrt))).verdict
    return Answer(tuple(lines), verdict, False)


def _free(wrt: Node) -> Node:
    if isinstance(wrt, Signal) and wrt.time != as_affine(0):
        return wrt.at(symbol("k"))
    return wrt


__all__ = ["Answer", "Line", "Request", "answer", "objective_of"]
