"""What makes a declaration a cell: every rule, its message and its repair."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from typing import NamedTuple

from symgrad.cell.names import check_name
from symgrad.errors import DeclarationError, ShapeError
from symgrad.lang.affine import t
from symgrad.lang.nodes import (
    SCALAR,
    Misfit,
    Node,
    Param,
    Shape,
    Signal,
    signals_in,
    walk,
)
from symgrad.lang.program import Equation
from symgrad.ops.build import shape_text


def check_cell(
    name: str,
    equations: tuple[tuple[Signal, Node], ...],
    inputs: tuple[Signal, ...],
    output: Signal | None,
) -> tuple[Equation, ...]:
    """The equations, if they declare a cell.

    Raises:
        DeclarationError: the first rule that is broken, with the equation and the repair.
    """
    where = f"cell {name!r}"
    if not isinstance(name, str) or not name or any(c in name for c in "/\\\0\n"):
        raise DeclarationError(f"{name!r} cannot name a cell: use a short word such as 'gru'")
    if not equations:
        raise DeclarationError(f"{where} has no equation: give pairs (signal, formula)")
    made = tuple(_equation(where, i, pair) for i, pair in enumerate(equations, start=1))
    _check_inputs(where, made, inputs)
    _check_names(where, made, inputs)
    _check_shapes(where, made)
    _check_order(where, made, inputs)
    _check_recurrence(where, made)
    if output is not None and output not in [e.target for e in made]:
        raise DeclarationError(
            f"{where}: the output {output!r} has no equation; choose one of "
            f"{_listed([e.target.name for e in made])}"
        )
    return made


def _equation(where: str, number: int, pair: object) -> Equation:
    if not (isinstance(pair, tuple) and len(pair) == 2):
        raise DeclarationError(
            f"{where}, equation {number} is {pair!r}; write it as a pair (signal, formula)"
        )
    target, value = pair
    if not isinstance(target, Signal) or target.time != t or target.adjoint:
        raise DeclarationError(
            f"{where}, equation {number}: the left side is {target!r}; it must be a signal at "
            'time t, made with signal("h", n)'
        )
    if not isinstance(value, Node):
        raise DeclarationError(
            f"{where}, equation {target!r} = {value!r}: the right side is no formula but of type "
            f"{type(value).__name__}; write it with signals and parameters"
        )
    return Equation(target, value)


def _shown(equation: Equation) -> str:
    return f"equation {equation.target!r} = {equation.value!r}"


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def _check_inputs(where: str, equations: tuple[Equation, ...], inputs: tuple[Signal, ...]) -> None:
    targets = {e.target.name: e for e in equations}
    for entry in inputs:
        if not isinstance(entry, Signal) or entry.time != t:
            raise DeclarationError(
                f"{where}: the input {entry!r} is not a signal at time t; make it with "
                'input_signal("x", m)'
            )
        if entry.name in targets:
            raise DeclarationError(
                f"{where}, {_shown(targets[entry.name])}: {entry.name} is listed in inputs and "
                "has an equation; remove one of the two"
            )


def _check_names(where: str, equations: tuple[Equation, ...], inputs: tuple[Signal, ...]) -> None:
    seen: dict[str, Equation] = {}
    for equation in equations:
        name = equation.target.name
        if name in seen:
            raise DeclarationError(
                f"{where}: {name} has two equations, {_shown(seen[name])} and {_shown(equation)}; "
                "give the second signal another name"
            )
        seen[name] = equation
    for i, entry in enumerate(inputs):
        if entry.name in [other.name for other in inputs[:i]]:
            raise DeclarationError(f"{where}: the input {entry.name} is listed twice; remove one")
    uses: dict[str, _Use] = {}
    for equation in equations:
        # Written out only where it is needed: the text of a formula can be long.
        place = partial(_place, where, equation)
        for node in (*walk(equation.value), equation.target):
            if isinstance(node, Param):
                _same_use(uses, node.name, _Use("parameter", node.shape, place))
            elif isinstance(node, Signal):
                _same_use(uses, node.name, _Use("signal", node.shape, place))
    for entry in inputs:
        given = partial("{}, the input {!r}".format, where, entry)
        _same_use(uses, entry.name, _Use("signal", entry.shape, given))
    lower: dict[str, str] = {}
    for name, use in uses.items():
        other = lower.setdefault(name.lower(), name)
        if other != name:
            raise DeclarationError(
                f"{use.place()}: the names {other} and {name} coincide in lower case, where the "
                f"scalar reading prints them; rename one, for instance {name} to {name}_2"
            )
    for name, use in uses.items():
        check_name(name, use.kind)
        signal_name, _, time = name.rpartition("_")
        timed = time in ("t", "T") or time.isdigit()
        if timed and signal_name in uses and uses[signal_name].kind == "signal":
            raise DeclarationError(
                f"{use.place()}: the {use.kind} {name} reads like the signal {signal_name} at time "
                f"{time}; rename one of the two"
            )


class _Use(NamedTuple):
    """What a name stands for, and where it says so."""

    kind: str
    shape: Shape
    place: Callable[[], str]


def _place(where: str, equation: Equation) -> str:
    return f"{where}, {_shown(equation)}"


def _same_use(uses: dict[str, _Use], name: str, use: _Use) -> None:
    before = uses.setdefault(name, use)
    if before.kind != use.kind:
        raise DeclarationError(
            f"{use.place()}: {name} is used as a {use.kind} and as a {before.kind}; "
            "rename one of the two"
        )
    if before.shape != use.shape:
        raise ShapeError(
            f"{use.place()}: {name} is used with the shapes {shape_text(before.shape)} and "
            f"{shape_text(use.shape)}; declare it once and reuse it"
        )


def _check_shapes(where: str, equations: tuple[Equation, ...]) -> None:
    for equation in equations:
        if isinstance(equation.value, Misfit):
            raise ShapeError(f"{where}, {_shown(equation)}: {equation.value.message}")
        for node in walk(equation.value):
            if isinstance(node, Misfit):
                raise ShapeError(f"{where}, {_shown(equation)}: {node.message}")
        left, right = equation.target.shape, equation.value.shape
        if left != right:
            name = equation.target.name
            repair = f"declare {name} with the size {shape_text(right)} or change the formula"
            if right == SCALAR:
                repair = f"declare {name} without a size or change the formula"
            elif right[1] != SCALAR[1]:
                repair = "change the formula to a column: no signal is a matrix"
            raise ShapeError(
                f"{where}, {_shown(equation)}: {name} is {shape_text(left)} but the right side is "
                f"{shape_text(right)}; {repair}"
            )


def _check_order(where: str, equations: tuple[Equation, ...], inputs: tuple[Signal, ...]) -> None:
    given = {entry.name for entry in inputs}
    all_targets = {e.target.name for e in equations}
    defined: set[str] = set()
    for equation in equations:
        for used in signals_in(equation.value):
            name, lag = used.name, (used.time - t)
            if not lag.is_const or lag.const not in (0, -1) or used.adjoint:
                raise DeclarationError(
                    f"{where}, {_shown(equation)}: {used!r} is neither at time t nor at t - 1; "
                    "carry longer memories in a state of their own"
                )
            if name in given:
                if lag.const == -1:
                    raise DeclarationError(
                        f"{where}, {_shown(equation)}: {used!r} is an input one step back; define "
                        f"a state that stores it, such as ({name}_old, {name}), and use "
                        f"{name}_old.prev"
                    )
                continue
            if name not in all_targets:
                near = get_close_matches(name, [*all_targets, *given], n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                what = "state" if lag.const == -1 else "signal"
                raise DeclarationError(
                    f"{where}, {_shown(equation)}: the {what} {name} has no equation{hint}; add "
                    f"({name}, …) to the equations or list {name} in inputs"
                )
            if lag.const == 0 and name not in defined:
                raise DeclarationError(
                    f"{where}, {_shown(equation)}: {name} is used before it is defined; move its "
                    f"equation above this one, or use {name}.prev for its value one step back"
                )
        defined.add(equation.target.name)


def _check_recurrence(where: str, equations: tuple[Equation, ...]) -> None:
    used = signals_in(*[e.value for e in equations])
    if not any(s.time == t - 1 for s in used):
        raise DeclarationError(
            f"{where}, {_shown(equations[0])}: there is no state, because no equation uses the "
            f"value of a signal one step back; use one, such as {equations[0].target.name}.prev"
        )
