"""``--at``: numbers for names, and the value of what was derived there."""

from __future__ import annotations

import re
from fractions import Fraction

from symgrad.cell import Cell
from symgrad.cell.quantity import cell_param, read_signal
from symgrad.derivation.request import Answer, Request
from symgrad.errors import UsageError
from symgrad.evaluate.forms import form_value
from symgrad.lang.algebra import Algebra, Multiprecision, Rationals, Value
from symgrad.lang.nodes import Apply, Param, Signal, params_in, walk
from symgrad.lang.program import Inputs, Runner

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?(/\d+)?")


def read_values(cell: Cell, text: str) -> dict[str, Fraction]:
    """``w=0.9,h_0=1,x=2,x_3=5`` as exact numbers by name.

    An input without a time has that value at every time.

    Raises:
        UsageError: what is not NAME=NUMBER, or a name that is not declared.
    """
    found: dict[str, Fraction] = {}
    for part in text.split(","):
        name, separator, number = part.partition("=")
        name, number = name.strip(), number.strip()
        if not separator or not _NUMBER.fullmatch(number) or len(number) > 60:
            raise UsageError(f"--at: {part.strip()!r} is not NAME=NUMBER, such as w=0.9 or h_0=1")
        if number.count("/") and not number.partition("/")[2].strip("0"):
            raise UsageError(f"--at: {part.strip()!r} divides by zero")
        found[_key(cell, name)] = _fraction(number)
    return found


def _fraction(number: str) -> Fraction:
    over, _, under = number.partition("/")
    return Fraction(over) / Fraction(under or 1)


def _key(cell: Cell, name: str) -> str:
    if name in ("k", "t"):
        return name
    if name in ("rho", "r", "q", "ratio") and cell_param(cell, name) is None:
        return name
    found = cell_param(cell, name)
    if found is not None:
        return found.name
    if name in {x.name for x in cell.inputs}:
        return name
    signal_t = read_signal(cell, name)
    assert signal_t is not None
    if not signal_t.time.is_const:
        raise UsageError(f"--at: {name!r} needs a time that is a number, such as {signal_t.name}_0")
    return f"{signal_t.name}_{signal_t.time.const}"


def evaluated(request: Request, found: Answer, values: dict[str, Fraction]) -> str:
    """The value of the last equation's right side.

    Exact where nothing transcendental occurs, else from 60 digits; near an excluded
    point nothing is lost either way.

    Raises:
        UsageError: T or the value of a name is missing.
    """
    if request.horizon is None:
        raise UsageError("--at needs a horizon: --T 5")
    cell, horizon = request.cell, request.horizon
    roots = [line.right for line in found.lines] + [e.value for e in cell.equations]
    calls = any(isinstance(n, Apply) and n.head.elementwise for n in walk(*roots))
    algebra: Algebra = Multiprecision(60) if calls else Rationals()
    inputs = _inputs(request, found, values, algebra)
    try:
        value = _value(request, found, values, inputs, horizon, algebra)
    except KeyError as error:
        raise UsageError(f"--at gives no value for {error.args[0]}; add it as NAME=NUMBER") from error
    return _shown(value)


def _value(
    request: Request, found: Answer, values: dict[str, Fraction], inputs: Inputs, horizon: int,
    algebra: Algebra,
) -> Value:
    if found.form is not None:
        indices = {n: int(values[n]) for n in ("k", "t") if n in values}
        for index, low, last in found.form.times:
            if index not in indices:
                raise KeyError(index)
            here = {**indices, "T": horizon}
            if not low.value(here) <= indices[index] <= last.value(here):
                raise UsageError(f"--at: {index}={indices[index]} is not in {low} … {last}")
        return form_value(request.cell, found.form, inputs, horizon, algebra, indices)
    from symgrad.adjoint.reverse import backward
    from symgrad.derivation.request import _objective

    gradient = backward(request.cell, _objective(request))
    trace = Runner(gradient.program, algebra).run(inputs, horizon)
    wrt = request.wrt
    if isinstance(wrt, Param):
        return trace.totals[wrt.name]
    assert isinstance(wrt, Signal)
    if wrt.time.is_const and wrt.time.const == 0:
        return trace.values[f"lam_{wrt.name}", 0]
    program = gradient.with_signal_adjoints(wrt.name)
    time = wrt.time.const if wrt.time.is_const else int(values["k"])
    return Runner(program, algebra).run(inputs, horizon).values[f"lam_{wrt.name}", time]


def _inputs(
    request: Request, found: Answer, values: dict[str, Fraction], algebra: Algebra
) -> Inputs:
    cell = request.cell
    numbers = {name: algebra.const(value) for name, value in values.items()}
    names = {p.name for p in (*cell.params, *params_in(*[line.right for line in found.lines]))}
    params = {name: numbers[name] for name in names if name in numbers}
    initial = {s.name: numbers[f"{s.name}_0"] for s in cell.states if f"{s.name}_0" in numbers}

    def signals(label: str, time: int) -> Value:
        for key in (f"{label}_{time}", label):
            if key in numbers:
                return numbers[key]
        raise KeyError(f"{label}_{time}")

    return Inputs(params, initial, signals)


def _shown(value: Value) -> str:
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return str(value.numerator)
        digits = f"{float(value):.15g}"
        exact = str(value) if len(str(value)) <= 40 else ""
        return digits if Fraction(digits) == value or not exact else f"{digits} (exactly {exact})"
    import mpmath

    return str(mpmath.nstr(value, 15))


__all__ = ["evaluated", "read_values"]
