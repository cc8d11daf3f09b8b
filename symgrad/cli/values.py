"""``--at``: numbers for names, and the value of what was derived there."""

from __future__ import annotations

import re
from fractions import Fraction

from symgrad.adjoint.objective import loss_gradient
from symgrad.adjoint.reverse import backward, lam
from symgrad.cell import Cell
from symgrad.cell.quantity import cell_param, read_signal
from symgrad.derivation.question import Answer, Request
from symgrad.derivation.request import objective_of
from symgrad.errors import UsageError
from symgrad.evaluate.forms import form_value
from symgrad.lang.affine import Affine, T, as_affine
from symgrad.lang.algebra import Algebra, Multiprecision, Rationals, Value
from symgrad.lang.nodes import Apply, Param, Signal, params_in, walk
from symgrad.lang.program import Inputs, Runner

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?(/\d+)?", re.ASCII)

#: Evaluation runs step by step; beyond this the sums alone would take minutes.
_LAST_HORIZON = 10_000

#: Exact numbers longer than this are given up for 60 digits: at T = 10000 they grow long.
_LONGEST = 40_000


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
        key = _key(cell, name)
        if key in found:
            raise UsageError(f"--at gives {name!r} twice")
        found[key] = _fraction(number)
        if key in _TIMES and (found[key].denominator != 1 or found[key] < 0):
            raise UsageError(f"--at: {part.strip()!r}: a time is a nonnegative integer")
    return found


def _fraction(number: str) -> Fraction:
    over, _, under = number.partition("/")
    return Fraction(over) / Fraction(under or 1)


_TIMES = ("k", "t", "j")


def _key(cell: Cell, name: str) -> str:
    if name in _TIMES:
        return name
    if name in ("rho", "r", "q", "ratio") and cell.declared_name(name) is None:
        return name
    found = cell_param(cell, name)
    if found is not None:
        return found.name
    given = [x.name for x in cell.inputs] + [loss_gradient(s).label for s in cell.signals]
    if name in given:
        return name
    label = next((g for g in given if name.startswith("dl_") and name.startswith(f"{g}_")), None)
    if label is not None and name.removeprefix(f"{label}_").isdecimal():
        return name
    signal_t = read_signal(cell, name)
    assert signal_t is not None
    if not signal_t.time.is_const:
        raise UsageError(f"--at: {name!r} needs a time that is a number, such as {signal_t.name}_0")
    time = signal_t.time.const
    if signal_t.name not in given and (time or not cell.is_state(signal_t.name)):
        states = ", ".join(f"{state.name}_0" for state in cell.states)
        raise UsageError(f"--at: {name!r} follows from the other values; give {states} and inputs")
    return f"{signal_t.name}_{time}"


class _TooLong(Exception):
    """An exact number has grown beyond use."""


class _ShortRationals(Rationals):
    """Exact numbers while they are short."""

    def reduce(self, value: Value) -> Value:
        if isinstance(value, Fraction) and _bits(value) > _LONGEST:
            raise _TooLong
        return value


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def evaluated(request: Request, found: Answer, values: dict[str, Fraction]) -> str:
    """The value of the last equation's right side.

    Exact where nothing transcendental occurs and the numbers stay short, else from 60
    digits; near an excluded point nothing is lost either way.

    Raises:
        UsageError: T or the value of a name is missing, or T is too large.
    """
    if request.horizon is None:
        raise UsageError("--at needs a horizon: --T 5")
    cell, horizon = request.cell, request.horizon
    if horizon > _LAST_HORIZON:
        raise UsageError(f"--at evaluates up to T = {_LAST_HORIZON}, not {horizon}")
    if horizon < found.first:
        left = found.lines[-1].left
        raise UsageError(f"{left!r} is said for T ≥ {found.first}, not T = {horizon}")
    roots = [line.right for line in found.lines] + [e.value for e in cell.equations]
    calls = any(isinstance(n, Apply) and n.head.elementwise for n in walk(*roots))
    algebras: list[Algebra] = [Multiprecision(60)]
    if not calls:
        algebras.insert(0, _ShortRationals())
    for algebra in algebras:
        inputs = _inputs(request, found, values, algebra)
        try:
            return _shown(_value(request, found, values, inputs, horizon, algebra))
        except _TooLong:
            continue
        except KeyError as error:
            raise UsageError(
                f"--at gives no value for {error.args[0]}; add it as NAME=NUMBER"
            ) from error
        except ZeroDivisionError as error:
            raise UsageError("--at: a denominator is zero at these values") from error
    raise AssertionError("60 digits are never too long")


def _value(
    request: Request,
    found: Answer,
    values: dict[str, Fraction],
    inputs: Inputs,
    horizon: int,
    algebra: Algebra,
) -> Value:
    if found.form is not None:
        for index, low, last in found.form.times:
            _in_range(values, index, low, last, horizon)
        indices = {n: int(values[n]) for n in _TIMES if n in values}
        return form_value(request.cell, found.form, inputs, horizon, algebra, indices)
    gradient = backward(request.cell, objective_of(request))
    wrt = request.wrt
    if isinstance(wrt, Param):
        return Runner(gradient.program, algebra).run(inputs, horizon).totals[wrt.name]
    assert isinstance(wrt, Signal)
    if wrt.time == as_affine(0):
        return Runner(gradient.program, algebra).run(inputs, horizon).values[lam(wrt).label, 0]
    if wrt.time.is_const:
        time = wrt.time.const
    else:
        (index,) = wrt.time.names
        time = _in_range(values, index, as_affine(1), T, horizon)
    program = gradient.with_signal_adjoints(wrt.name)
    return Runner(program, algebra).run(inputs, horizon).values[lam(wrt).label, time]


def _in_range(
    values: dict[str, Fraction], index: str, low: Affine, last: Affine, horizon: int
) -> int:
    """The value of a free time.

    Raises:
        UsageError: it has none, or one outside its range.
    """
    if index not in values:
        raise KeyError(index)
    value = int(values[index])
    here = {**{n: int(values[n]) for n in _TIMES if n in values}, "T": horizon}
    if not low.value(here) <= value <= last.value(here):
        raise UsageError(f"--at: {index}={value} is not in {low} … {last} (T = {horizon})")
    return value


def _inputs(
    request: Request, found: Answer, values: dict[str, Fraction], algebra: Algebra
) -> Inputs:
    cell = request.cell
    numbers = {name: algebra.const(value) for name, value in values.items()}
    shown = [line.right for line in found.lines]
    if request.of is None:
        shown.append(objective_of(request).penalty)
    names = {p.name for p in (*cell.params, *params_in(*shown))}
    params = {name: numbers[name] for name in names if name in numbers}
    initial = {s.name: numbers[f"{s.name}_0"] for s in cell.states if f"{s.name}_0" in numbers}

    def signals(label: str, time: int) -> Value:
        for key in (f"{label}_{time}", label):
            if key in numbers:
                return numbers[key]
        raise KeyError(f"{label}_{time}")

    return Inputs(params, initial, signals)


def _shown(value: Value) -> str:
    """Exactly where that is short, else 15 digits."""
    import mpmath

    if not isinstance(value, Fraction):
        return str(mpmath.nstr(value, 15))
    exact = str(value) if _bits(value) <= 200 else ""
    if value.denominator == 1 and exact:
        return exact
    context = mpmath.MPContext()
    digits = str(context.nstr(context.mpf(value.numerator) / value.denominator, 15))
    if not exact or Fraction(digits) == value or len(exact) > 40:
        return digits
    return f"{digits} (exactly {exact})"


__all__ = ["evaluated", "read_values"]
