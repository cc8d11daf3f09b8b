"""What L is, where a statement says it: ``dL/dW_h = …, where L = s^⊤ h_T``."""

from __future__ import annotations

from symgrad.adjoint import Objective, final, summed
from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.lang.affine import Affine
from symgrad.lang.nodes import (
    Cases,
    Derivative,
    Name,
    Node,
    Param,
    Signal,
    name,
    params_in,
    signals_in,
    walk,
)
from symgrad.lang.program import Equation
from symgrad.parse import ParseError, arranged
from symgrad.parse.claims import ClaimText
from symgrad.parse.formulas import Horizon


def further_names(cell: Cell, objective: Objective | None) -> list[Param]:
    """The names that an objective brings along: the cotangent, the coefficient of weight decay."""
    extra = () if objective is None else params_in(objective.seed, objective.penalty)
    return [theta for theta in extra if theta not in cell.params]


def mentions_loss(*sides: Node) -> bool:
    """Whether a formula is about L."""
    return any(isinstance(item, Name) and item is name("L") for item in walk(*sides))


def is_backward(*sides: Node) -> bool:
    """Whether a formula is about L, its adjoints or the losses and targets of the steps."""
    return mentions_loss(*sides) or any(item.adjoint for item in signals_in(*sides))


def stated_objective(
    text: ClaimText, cell: Cell, objective: Objective | None, horizon: Horizon
) -> Objective | None:
    """The objective that is given, or the one that the text says L is.

    Raises:
        ParseError: the text says something that is neither; the message has the place.
    """
    if text.meaning is None:
        return objective
    candidates = [objective] if objective is not None else _linear(cell)
    for candidate in candidates:
        value = candidate.value
        if value is None:
            continue
        try:
            found = text.read_meaning(further_names(cell, candidate), horizon)
        except ParseError:
            continue  # the cotangent has the shape of another signal
        if arranged(found) is arranged(value):
            return candidate
    place = text.meaning.right
    if objective is not None:
        known = objective.value
        said = "a sum of losses that are not known" if known is None else repr(known)
        message = f"the objective that is given is {said}; say the same, or leave this out"
    else:
        message = (
            f"what L is can be said of a final value or a sum over time, "
            f"{_linear(cell)[-2].value!r} or {_linear(cell)[-1].value!r}{_scaled(cell)}; another L "
            "is passed as objective=, such as symgrad.loss(cell)"
        )
    raise text.source.error(message, place.at, place.end)


def _linear(cell: Cell) -> list[Objective]:
    """⟨s, q_T⟩ and its sum over time, for every signal q; of a scalar q also without s."""
    found: list[Objective] = []
    for q in cell.signals:
        made = [final(cell, q), summed(cell, q)]
        if q.is_scalar:
            found += [objective.with_free_cotangent(cell) for objective in made]
        found += made
    return found


def _scaled(cell: Cell) -> str:
    """That a scalar may have a factor."""
    signal = cell.signals[-1]
    if not signal.is_scalar:
        return ""
    cotangent = final(cell, signal).with_free_cotangent(cell).cotangent
    return f", or {cotangent!r} times that"


def check_loss(
    text: ClaimText | None, cell: Cell, objective: Objective | None, sides: tuple[Node, Node]
) -> None:
    """Refuse a statement about L that nothing says what it is, and an L that nothing is about.

    Raises:
        UsageError: there is no objective, a loss of another signal, a target that L does not have.
        ParseError: the text says what L is, and the statement is not about L.
    """
    for item in signals_in(*sides):
        if item.adjoint == "dl" and not _is_given(item, objective):
            latex = text is not None and text.syntax == "latex"
            raise UsageError(_other_loss(item, objective, latex=latex))
        if item.adjoint == "target" and not _has_target(item, objective):
            raise UsageError(_no_target(item, cell, objective))
    about = mentions_loss(*sides)
    if about and objective is None:
        raise UsageError(
            "the statement is about L; say what L is: objective=symgrad.loss(cell), or "
            "symgrad.final(cell, 'h')"
        )
    if text is not None and text.meaning is not None and not is_backward(*sides):
        left = text.meaning.left
        raise text.source.error(
            "L is defined, but the statement does not use it; remove it", left.at, left.end
        )


def refuse_what_has_no_meaning(*sides: Node) -> None:
    """Refuse what can be written and cannot be judged.

    Raises:
        UsageError: a derivative by a time, formulas compared by size.
    """
    for node in walk(*sides):
        if isinstance(node, Derivative) and not isinstance(node.wrt, Param | Signal):
            raise UsageError(
                f"{node!r}: there are derivatives by parameters and signals, not by {node.wrt!r}"
            )
        for condition in (
            (c for row in node.conditions for c in row) if isinstance(node, Cases) else ()
        ):
            of_times = isinstance(condition.left, Affine) and isinstance(condition.right, Affine)
            if condition.relation in ("≥", "<") and not of_times:
                raise UsageError(
                    f"the case {condition.left!r} {condition.relation} {condition.right!r}: times "
                    "are compared with =, ≠, ≥ and <, other formulas with = and ≠ only"
                )


def _is_given(item: Signal, objective: Objective | None) -> bool:
    """Whether ∂ℓ_t/∂s_t is a given number: of the signal that a generic loss looks at."""
    if objective is None or objective.kind != "loss":
        return False
    return item.name == objective.signal.name


def _has_target(item: Signal, objective: Objective | None) -> bool:
    """Whether s_t^* is a given number: of the signal whose squared error L sums."""
    if objective is None or objective.kind != "squared":
        return False
    return item.name == objective.signal.name


def _no_target(item: Signal, cell: Cell, objective: Objective | None) -> str:
    """What is written in place of a target that L does not have."""
    shown = f"{item.name}_t^*"
    if objective is not None and objective.kind == "squared":
        return f"{shown}: L has the target {objective.signal.name}_t^* only; write that"
    inputs = [] if objective is None else _compared(item, cell, objective)
    if inputs:
        names = " or ".join(f"{name}_t" for name in inputs)
        return (
            f"{shown}: the loss of this cell is one of its equations, in which the target is the "
            f"input {names}: write {names} for {shown}"
        )
    for equation in _unread(cell, objective):
        read = signals_in(equation.value)
        inputs = [s.name for s in read if s.name in {x.name for x in cell.inputs}]
        if inputs and item.name in {s.name for s in read}:
            loss, names = equation.target.name, " or ".join(f"{name}_t" for name in inputs)
            return (
                f"{shown} is a target, and L has none: {loss}_t compares {item.name}_t with the "
                f"input {names}; write {names} for {shown}, "
                f"and say where L = sum_{{t=1}}^T {loss}_t"
            )
    return (
        f"{shown} is a target, and L has none: say that L is the squared error, "
        f"objective=symgrad.loss(cell, {item.name!r}, squared=True), or put the loss into the cell "
        "with symgrad.with_loss, on the command line --loss squared, and write its target, an input"
    )


def _unread(cell: Cell, objective: Objective | None) -> list[Equation]:
    """The equations of scalars that nothing reads, beside the signal that L looks at."""
    read = {s.name for e in cell.equations for s in signals_in(e.value)}
    read |= {objective.signal.name} if objective is not None else set()
    return [e for e in cell.equations if e.target.is_scalar and e.target.name not in read]


def _compared(item: Signal, cell: Cell, objective: Objective) -> list[str]:
    """The inputs of the shape of a signal that an equation of the loss reads beside it."""
    given = {s.name for s in cell.inputs}
    if objective.kind != "linear":
        return []
    own = [e for e in cell.equations if e.target.name == objective.signal.name]
    beside = [e for e in cell.equations if any(s.name == item.name for s in signals_in(e.value))]
    for equation in (*own, *beside):
        read = [s.name for s in signals_in(equation.value) if s.shape == item.shape]
        found = [name for name in dict.fromkeys(read) if name in given]
        if found:
            return found
    return []


def _other_loss(item: Signal, objective: Objective | None, *, latex: bool) -> str:
    if objective is None or objective.kind == "linear":
        return (
            f"the statement has the derivative of a loss ℓ_t by {item.name}_t; say that L is a sum "
            f"of losses: objective=symgrad.loss(cell, {item.name!r})"
        )
    name = objective.signal.name
    if objective.kind == "squared":
        return f"ℓ_t is half the squared error of {name}: write {name}_t - {name}_t^*"
    at = "".join(str(item.time).split())
    of, by = (f"{part}_{{{at}}}" if len(at) > 1 else f"{part}_{at}" for part in (name, item.name))
    ell = f"_{{{at}}}" if len(at) > 1 else f"_{at}"
    if latex:
        first = rf"\frac{{\partial \ell{ell}}}{{\partial {of}}}"
        second = rf"\frac{{\partial {of}}}{{\partial {by}}}"
        second = second if item.is_scalar else rf"\left({second}\right)^\top"
    else:
        first, second = f"(∂ℓ{ell}/∂{of})", f"(∂{of}/∂{by})"
        second = second if item.is_scalar else f"{second}^⊤"
    both = f"{first} {second}" if item.is_scalar else f"{second} {first}"
    return f"ℓ{ell} is a loss of {of}: write {both} for its derivative by {by}"
