"""Elementary closed forms for zero, constant and geometric inputs.

With y_{S+1} = a y_S + G(S) and G a sum of polynomials in S times powers β^S, a particular
solution is a polynomial times β^S; where β = a its degree is one higher (resonance).
So the solution has one branch in which a differs from every β and one for each way in
which it does not. Every branch is proved by induction afterwards; SymPy's rational
functions only help to find it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import sympy

from symgrad.cell import Cell
from symgrad.cell.quantity import as_quantity, as_signal
from symgrad.closed.forms import Branch, Form, Recurrence
from symgrad.closed.linear import LinearState, at, linear_state
from symgrad.closed.recurrences import COUNT, STEP, Expr, Sequence, Translator, solve
from symgrad.closed.solutions import closed_form, forward_form
from symgrad.errors import NoClosedForm, UsageError
from symgrad.lang.affine import T, as_affine, symbol, t
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Apply,
    Condition,
    Const,
    Node,
    Param,
    Signal,
    cases,
    const,
    derivative,
    full,
    param,
    substitute_indices,
    transform,
    walk,
)
from symgrad.ops.chain import jacobian
from symgrad.ops.parts import is_zero
from symgrad.verify.normal import Normalizer

InputKind = Literal["zero", "constant", "geometric"]


def input_values(cell: Cell, kind: str) -> dict[str, Node]:
    """Each input as a formula in t: 0, x, or x ρ^{t-1}.

    Raises:
        UsageError: no such kind of input.
    """
    if kind == "zero":
        return {x.name: const(0) for x in cell.inputs}
    if kind == "constant":
        return {x.name: param(x.name) for x in cell.inputs}
    if kind == "geometric":
        used = {p.name for p in cell.params} | {s.name for s in (*cell.signals, *cell.inputs)}
        ratio = next(r for r in ("rho", "r", "q", "ratio") if r not in used)
        return {x.name: param(x.name) * param(ratio) ** (t - 1) for x in cell.inputs}
    raise UsageError(f"no input {kind!r}; it may be zero, constant or geometric")


def with_inputs(node: Node, values: Mapping[str, Node]) -> Node:
    """A formula with the inputs replaced at whatever time they are used."""

    def change(item: Node) -> Node:
        if isinstance(item, Signal) and item.name in values and not item.adjoint:
            return at(values[item.name], item.time)
        return item

    return transform(node, change)


@dataclass(frozen=True)
class _Problem:
    """One derivative (or the state itself) of a linear state with given inputs, as nodes in t."""

    linear: LinearState
    factor: Node
    forcing: Node
    wrt: Node | None
    slope: Node
    push: Node
    initial: Node


def elementary_form(cell: Cell, of: Signal | str, wrt: Node | str | None, kind: str) -> Form:
    """h_T (``wrt`` None) or dh_T/dθ in elementary functions of T for inputs of one kind.

    Raises:
        NoClosedForm: none is known; the message says why.
        UsageError: the cell is not in the scalar reading, or the derivative is not asked
            for a parameter or the initial state.
    """
    of = as_signal(cell, of)
    wrt = None if wrt is None else as_quantity(cell, wrt)
    if not cell.is_scalar:
        raise UsageError("elementary forms exist in the scalar reading; ask for --scalar")
    linear = linear_state(cell, of)
    if of.name != linear.state.name or of.time != T:
        raise NoClosedForm(
            f"no elementary form known for {of!r}; ask for the state {linear.state.at(T)!r}"
        )
    if isinstance(wrt, Signal) and wrt != linear.state.at(0):
        raise UsageError(f"elementary forms are with respect to a parameter or h_0, not {wrt!r}")
    values = input_values(cell, kind)
    factor = with_inputs(linear.factor, values)
    if at(factor, symbol("⋆")) is not factor:
        raise NoClosedForm(f"no elementary form known: the factor {factor!r} depends on time")
    zero = full("zeros", SCALAR)
    of_param = isinstance(wrt, Param)
    problem = _Problem(
        linear,
        factor,
        with_inputs(linear.forcing, values),
        wrt,
        with_inputs(jacobian(linear.factor, wrt), values) if of_param and wrt is not None else zero,
        with_inputs(jacobian(linear.forcing, wrt), values)
        if of_param and wrt is not None
        else zero,
        linear.state.at(0),
    )
    form = _form(problem)
    general = forward_form(cell, of) if wrt is None else closed_form(cell, of, wrt)
    return replace(form, stable=with_inputs(general.right, values))


@lru_cache(maxsize=64)
def _form(problem: _Problem) -> Form:
    state = problem.linear.state
    left = state.at(T) if problem.wrt is None else derivative("total", state.at(T), problem.wrt)
    generic = _branch(problem, (), [])
    coincidences = [pair for pair in _coincidences(problem) if _singular(generic.right, pair)]
    branches = [_branch(problem, conditions, coincidences) for conditions in _subsets(coincidences)]
    rows: list[tuple[Node, tuple[Condition, ...]]] = []
    start, after = zero_start(problem), _value_at_one(problem)
    if any(branch.first > 0 for branch in branches):
        rows.append((start, (Condition(T, "=", as_affine(0)),)))
    for branch in branches:
        when = tuple(Condition(a, "=", b) for a, b in branch.conditions)
        if branch.first > 1:
            value = _imposed(after, branch.conditions)
            rows.append((value, (Condition(T, "=", as_affine(1)), *when)))
        rows.append((branch.right, when))
    return Form("elementary", left, cases(rows), branches=tuple(branches))


def _singular(right: Node, pair: tuple[Node, Node]) -> bool:
    """Whether a denominator of the formula vanishes under a coincidence."""
    normal = Normalizer()
    return any(
        isinstance(item, Apply)
        and item.head.name == "div"
        and normal(_imposed(item.args[1], (pair,))).is_zero
        for item in walk(right)
    )


def _value_at_one(problem: _Problem) -> Node:
    """The value at T = 1, from one step of the recurrence."""
    one = as_affine(1)
    value = at(problem.factor, one) * zero_start(problem)
    if problem.wrt is None:
        return value + at(problem.forcing, one)
    return value + at(problem.slope, one) * problem.initial + at(problem.push, one)


def zero_start(problem: _Problem) -> Node:
    """The value at T = 0."""
    if problem.wrt is None:
        return problem.initial
    return const(1 if problem.wrt is problem.initial else 0)


def _coincidences(problem: _Problem) -> list[tuple[Node, Node]]:
    """The bases of the forcing that the factor may equal, as (parameter, value) to impose."""
    translator = Translator()
    a = translator.expr(problem.factor)
    bases: list[Expr] = []
    for part in (problem.forcing, problem.push):
        if not is_zero(part):
            bases += [base for _, base in translator.sequence(part).terms]
    found: list[tuple[Node, Node]] = []
    seen: list[Expr] = []
    if problem.wrt is problem.initial:
        return []
    for base in bases:
        gap = sympy.expand(a - base)
        if gap == 0 or any(sympy.expand(gap - other) == 0 for other in seen):
            continue
        seen.append(gap)
        if gap.is_number:
            continue
        found.append(_impose(translator, a, gap))
    return sorted(found, key=lambda pair: (not isinstance(pair[1], Const), repr(pair)))


def _impose(translator: Translator, a: Expr, gap: Expr) -> tuple[Node, Node]:
    """gap = 0 solved for one parameter in which it is linear with a number as coefficient."""
    symbols = sorted(a.free_symbols, key=str) + sorted(gap.free_symbols - a.free_symbols, key=str)
    for candidate in symbols:
        slope = sympy.diff(gap, candidate)
        node = translator.nodes[candidate]
        if slope.is_number and slope != 0 and isinstance(node, Param):
            value = sympy.expand(candidate - gap / slope)
            return node, translator.node(value, {})
    raise NoClosedForm(
        "no elementary form known: its special case cannot be solved for a parameter"
    )


def _subsets(pairs: list[tuple[Node, Node]]) -> list[tuple[tuple[Node, Node], ...]]:
    """All sets of coincidences, the largest first, none last."""
    subsets: list[tuple[tuple[Node, Node], ...]] = [()]
    for pair in pairs:
        subsets += [(*known, pair) for known in subsets]
    return sorted(subsets, key=lambda s: -len(s))


def resolved(conditions: tuple[tuple[Node, Node], ...]) -> tuple[tuple[Param, Node], ...]:
    """Conditions as parameters to replace one after the other: w = 1, w = ρ is w := 1, ρ := 1."""
    found: list[tuple[Param, Node]] = []
    for target, value in conditions:
        for earlier, replacement in found:
            target = _replaced(target, earlier, replacement)
            value = _replaced(value, earlier, replacement)
        if target is value:
            continue
        if not isinstance(target, Param):
            target, value = value, target
        assert isinstance(target, Param)
        found.append((target, value))
    return tuple(found)


def _replaced(node: Node, target: Node, value: Node) -> Node:
    return transform(node, lambda item: value if item is target else item)


def _imposed(node: Node, conditions: tuple[tuple[Node, Node], ...]) -> Node:
    """A formula under the conditions."""
    for target, value in resolved(conditions):
        node = _replaced(node, target, value)
    return node


def _branch(
    problem: _Problem, conditions: tuple[tuple[Node, Node], ...], every: list[tuple[Node, Node]]
) -> Branch:
    def here(node: Node) -> Node:
        return _imposed(node, conditions)

    factor, forcing = here(problem.factor), here(problem.forcing)
    slope, push = here(problem.slope), here(problem.push)
    translator = Translator()
    a = translator.expr(factor)
    solved = _Solved(translator, a, forcing, translator.opaque(problem.initial))
    if problem.wrt is None:
        parts = solved.state()
    elif problem.wrt is problem.initial:
        parts = [solve(a, Sequence(), a)]
    else:
        parts = solved.derivative(slope, push)
    right, first = _written(translator, parts, zero_start(problem))
    if is_zero(factor):
        # The state before is forgotten at once: the formula speaks of T >= 1 only.
        first = max(first, 1)
    recurrence = _recurrence(problem, conditions, here)
    others = tuple(
        OPERATORS["sub"](target, value)
        for target, value in (
            every if not conditions else [p for p in every if p not in conditions]
        )
    )
    return Branch(conditions, others, right, recurrence, first)


class _Solved:
    """The solution from each source apart (h_0, each base of the forcing): linear in them."""

    def __init__(self, translator: Translator, a: Expr, forcing: Node, initial: Expr) -> None:
        self.translator = translator
        self.a = a
        self.initial = initial
        self.forcing = (
            [Sequence([term]) for term in translator.sequence(forcing).terms]
            if not is_zero(forcing)
            else []
        )

    def state(self) -> list[Sequence]:
        """h at T = S + 1: from h_0, then from each part of the forcing."""
        parts = [solve(self.a, Sequence(), self.a * self.initial)]
        for source in self.forcing:
            parts.append(solve(self.a, _shifted(source), source.value(0)))
        return parts

    def derivative(self, slope: Node, push: Node) -> list[Sequence]:
        """D_{S+1} = a D_S + a' h_S + b'_{S+1} in T, so in S + 1: driven by h at T = S + 1."""
        da = self.translator.expr(slope) if not is_zero(slope) else sympy.Integer(0)
        parts: list[Sequence] = []
        if da != 0:
            initials = [self.initial, *([sympy.Integer(0)] * len(self.forcing))]
            for state, start in zip(self.state(), initials, strict=True):
                drive = Sequence().plus(state, da)
                parts.append(solve(self.a, drive, da * start))
        if not is_zero(push):
            for term in self.translator.sequence(push).terms:
                source = Sequence([term])
                parts.append(solve(self.a, _shifted(source), source.value(0)))
        return parts


def _shifted(source: Sequence) -> Sequence:
    """The sequence at S + 1, as a sequence in S."""
    return Sequence([(sympy.expand(c.subs(STEP, STEP + 1) * b), b) for c, b in source.terms])


def _written(translator: Translator, parts: list[Sequence], start: Node) -> tuple[Node, int]:
    """The parts as one formula in T, and the first T for which it holds."""
    written = [_write(translator, part) for part in parts]
    kept = [node for node, _ in written if not is_zero(node)]
    first = max((low for _, low in written), default=0)
    right = OPERATORS["add"](*kept) if kept else full("zeros", SCALAR)
    return right, first


def _write(translator: Translator, part: Sequence) -> tuple[Node, int]:
    """One part: β^{T-1} becomes β^T where its coefficient has a factor β."""
    total: Expr = sympy.Integer(0)
    powers: dict[Expr, Node] = {}
    first = 0
    bases = [(sympy.factor(c), b) for c, b in part.terms if sympy.cancel(c) != 0]
    for number, (coefficient, base) in enumerate(bases):
        in_n = coefficient.subs(STEP, COUNT - 1)
        if base == 1:
            total += in_n
            continue
        stand_in = sympy.Symbol(f"B{number}")
        # β^{T-1} c(T) as β^{T-m} c(T) β^{m-1}, with m as small as leaves no β below.
        for drop in (0, 1, 2):
            reduced = sympy.cancel(in_n * base ** (drop - 1))
            if base.is_number or not _divides(base, sympy.fraction(sympy.together(reduced))[1]):
                powers[stand_in] = translator.node(base, {}) ** (T - drop)
                total += reduced * stand_in
                first = max(first, drop)
                break
        else:
            raise NoClosedForm("no closed form known: it divides by a factor that may vanish")
    if total == 0:
        return full("zeros", SCALAR), 0
    return translator.node(sympy.factor(sympy.together(total)), powers), first


def _divides(base: Expr, polynomial: Expr) -> bool:
    generators = sorted(base.free_symbols, key=str)
    return bool(sympy.rem(polynomial, base, generators[0]) == 0)


def _recurrence(
    problem: _Problem, conditions: tuple[tuple[Node, Node], ...], here: Callable[[Node], Node]
) -> Recurrence:
    """What the branch satisfies; h_{T-1} in it is written in the elementary form of its branch."""
    state = problem.linear.state
    start, second = zero_start(problem), here(_value_at_one(problem))
    if problem.wrt is None:
        previous: Node = state.at(T - 1)
        step = here(at(problem.factor, T)) * previous + here(at(problem.forcing, T))
        return Recurrence(previous, step, start, second=second)
    previous = derivative("total", state.at(T - 1), problem.wrt)
    step = here(at(problem.factor, T)) * previous
    if isinstance(problem.wrt, Param):
        lemma: Node = state.at(T - 1)
        if not is_zero(problem.slope):
            inner = replace(problem, wrt=None, slope=const(0), push=const(0))
            lemma = substitute_indices(_branch(inner, conditions, []).right, {"T": T - 1})
        step = step + here(at(problem.slope, T)) * lemma + here(at(problem.push, T))
    return Recurrence(previous, step, start, second=second)
