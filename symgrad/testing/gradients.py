"""``check_gradient``: a gradient function of somebody's, judged against the derived gradient.

The derived gradient is computed in as many digits as it takes. The difference of each entry
is compared with what rounding can do to that entry, and with nothing else: where gradients
vanish, an absolute tolerance accepts 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import mpmath
import numpy as np

from symgrad.adjoint import Objective
from symgrad.cell import Cell
from symgrad.errors import OutsideDomain, UsageError
from symgrad.evaluate.compiled.problem import Array
from symgrad.lang.nodes import Node, Param, params_in
from symgrad.testing.oracles import SAFETY, Agreement, agree, by_name, number_text
from symgrad.testing.rounding import bounded_gradient
from symgrad.testing.runs import DATA, Run, make_run, user_shape
from symgrad.testing.shrinking import shrunk
from symgrad.verify.claims import all_sizes
from symgrad.verify.verdict import Verdict, Witness

#: The T that are tried where none are given.
HORIZONS = (1, 2, 3, 5, 8, 13, 21)
#: Factors of all parameters: ordinary runs, and runs in which gradients vanish.
SCALES = (1.0, 0.15, 0.01)

#: As ``Compiled.gradient``: called with params, inputs, initial, and T= and data by name.
GradientFunction = Callable[..., Any]


def check_gradient(
    cell: Cell,
    objective: Objective,
    function: GradientFunction,
    *,
    at: Mapping[str, Any] | None = None,
    horizons: Iterable[int] = HORIZONS,
    digits: int | None = None,
) -> Verdict:
    """Judge a function that computes dL/dθ, dL/ds_0 and dL/dx_t, or some of them.

    Args:
        function: called as ``function(params, inputs, initial, T=T)``, with ``targets=``,
            ``dl=`` or ``cotangent=`` where the objective takes it; arguments as those of
            ``Compiled.gradient`` without a batch. Gives a mapping from names to arrays, in the
            shapes of what they belong to; what it leaves out is not judged.
        at: the arguments of one run (``params``, ``inputs``, ``initial``, ``T``, …) to be
            judged at; default: several for each T, ordinary ones and such in which
            gradients vanish.
        horizons: the T of the default runs.
        digits: numbers of so many digits instead of float64, in object arrays; plain NumPy
            code takes them. What lies below the rounding of float64 is seen there.

    Returns:
        ``tested`` with the largest relative error; ``refuted`` with a witness, the
        smallest T, then sizes, then simple numbers, whose ``numpy_lines()`` call the function
        there; ``undecided`` where L has no gradient at any of the runs.

    Raises:
        UsageError: arguments or results do not fit; says which and why.
    """
    judge = _Judge(function, digits)
    runs = [make_run(cell, objective, **at)] if at is not None else _runs(cell, objective, horizons)
    tried: list[Run] = []
    for run in runs:
        try:
            found = judge(run)
        except (OutsideDomain, ZeroDivisionError):
            continue
        tried.append(run)
        if not found:
            return _refuted(run, found, judge)
    if not tried:
        return Verdict("undecided", "", ("L has no gradient at any of the runs that were tried",))
    horizon = sorted({run.horizon for run in tried})
    how = (
        f"{judge.words} against the derived gradient in more digits, {len(tried)} "
        f"run{'s' * (len(tried) > 1)}: {', '.join(judge.names)}",
        f"largest relative error {judge.worst:.2g}; rounding bounds by running error analysis, "
        f"times {SAFETY}",
    )
    return Verdict("tested", f"T = {', '.join(map(str, horizon))}", how)


class _Judge:
    """Compares a function with the derived gradient, run by run."""

    def __init__(self, function: GradientFunction, digits: int | None) -> None:
        if digits is not None and not (type(digits) is int and digits >= 17):
            raise UsageError(f"digits={digits!r}: an integer from 17 on, or None for float64")
        self.function, self.digits = function, digits
        self.words = "float64" if digits is None else f"{digits} digits"
        self.names: dict[str, None] = {}
        self.worst = 0.0

    def __call__(self, run: Run) -> Agreement:
        truth = bounded_gradient(run, digits=self.digits)
        values = by_name(truth.values)
        convert = _plain if self.digits is None else _many_digits(self.digits)
        positional, named = run.arguments(convert)
        found = by_name(self.function(*positional, **named))
        unknown = [name for name in found if name not in values]
        if unknown or not found:
            raise UsageError(
                f"the function gives a gradient of {unknown[0] if unknown else 'nothing'!r}; there "
                f"are {', '.join(values)}"
            )
        for name, value in found.items():
            shape, kind = np.shape(value), np.asarray(value).dtype.kind
            if shape != values[name].shape:
                raise UsageError(
                    f"the gradient of {name!r} has shape {shape}; that of {name!r} is "
                    f"{values[name].shape}"
                )
            if self.digits is not None and kind != "O":
                raise UsageError(
                    f"the gradient of {name!r} came back as {np.asarray(value).dtype}, though the "
                    f"arguments had {self.digits} digits; leave out digits="
                )
        if self.digits is not None:
            found = {name: _released(value, self.digits) for name, value in found.items()}
        self.names |= dict.fromkeys(found)
        result = agree(found, {name: values[name] for name in found}, rounding=truth.errors)
        if result:
            self.worst = max(self.worst, result.largest)
        return result

    def failure(self, run: Run) -> Agreement | None:
        """What is wrong at a run that the search for a witness made up; None where nothing is."""
        try:
            with np.errstate(all="ignore"):
                found = self(run)
        except (ArithmeticError, ValueError, TypeError, LookupError):
            # It may have no gradient, or be a run that the function was not made for.
            return None
        return None if found else found


def _plain(array: Array) -> Any:
    return np.array(array)[()]


def _many_digits(digits: int) -> Callable[[Array], Any]:
    """Makes object arrays of mpmath numbers that NumPy's functions take."""
    context = mpmath.MPContext()
    context.dps = digits
    kind: Any = context.mpf

    def method(name: str) -> Callable[[Any], Any]:
        function = getattr(context, name)
        return lambda number: function(number)

    for name in ("exp", "expm1", "log", "log1p", "tanh", "sinh", "cosh", "sqrt"):
        # np.tanh of an object array calls the method ``tanh`` of its entries.
        setattr(kind, name, method(name))

    def refuse(number: Any) -> float:
        raise TypeError(f"a number of {digits} digits would be rounded to float64")

    kind.__float__ = refuse
    convert: Any = np.frompyfunc(lambda entry: kind(float(entry)), 1, 1)
    return lambda array: convert(np.array(array))


def _released(value: Any, digits: int) -> Array:
    """The same numbers, as mpmath numbers that may be rounded to float64 where they are shown."""
    context = mpmath.MPContext()
    context.dps = 2 * digits
    return np.asarray(np.frompyfunc(context.mpf, 1, 1)(value), dtype=object)


# ---- runs -----------------------------------------------------------------------------------


def _runs(cell: Cell, objective: Objective, horizons: Iterable[int]) -> Iterator[Run]:
    """For each T and each scale one run, with sizes in turn; short decimal numbers."""
    sizes = ((),) if cell.is_scalar else all_sizes(cell.size_names)
    for number, horizon in enumerate(horizons):
        for turn, scale in enumerate(SCALES):
            chosen = dict(sizes[(number + turn) % len(sizes)])
            try:
                yield _drawn(cell, objective, horizon, chosen, scale, number)
            except UsageError:
                if horizon > 0:
                    raise


def _drawn(
    cell: Cell, objective: Objective, T: int, sizes: Mapping[str, int], scale: float, seed: int
) -> Run:
    random = np.random.default_rng([seed, T])

    def draw(shape: tuple[int, ...]) -> Array:
        # Of three digits: hardly any two products are the same, so hardly any terms cancel.
        signs = random.choice([-1.0, 1.0], shape)
        return np.asarray(random.integers(100, 1000, shape) / 1000 * signs)

    def of(node: Node, *time: int) -> Array:
        return draw((*time, *(() if cell.is_scalar else user_shape(node.shape, sizes))))

    params = {p.name: of(p) * scale for p in cell.params}
    own = {p.name for p in cell.params}
    params |= {p.name: draw(()) for p in params_in(objective.penalty) if p.name not in own}
    data = {}
    kind = DATA[objective.kind]
    if kind != "cotangent" or isinstance(objective.cotangent, Param):
        timed = (T,) if kind != "cotangent" and objective.when == "sum" else ()
        data[kind] = of(objective.signal, *timed)
    return make_run(
        cell,
        objective,
        params,
        {x.name: of(x, T) for x in cell.inputs},
        {s.name: of(s) for s in cell.states},
        T=T,
        **data,
    )


# ---- witnesses ------------------------------------------------------------------------------


def _refuted(run: Run, found: Agreement, judge: _Judge) -> Verdict:
    run, found = shrunk(run, found, judge.failure)
    time, entry = _place(run, found)
    witness = Witness(
        run.horizon,
        tuple(sorted(run.sizes.items())),
        tuple(run.labelled()),
        left=number_text(found.theirs),
        right=number_text(found.ours),
        times=time,
        lines=tuple(_lines(run, found, judge)),
    )
    how = (
        f"dL/d{found.name}{entry} has a relative error of {found.error:.2g}, of which rounding of "
        f"{judge.words} explains {found.bound:.2g}; left side: derived, right side: the function"
    )
    return Verdict("refuted", f"T = {run.horizon}", (how,), witness)


def _place(run: Run, found: Agreement) -> tuple[tuple[tuple[str, int], ...], str]:
    """The time and the entry of what differs; entries are counted from 0, times from 1."""
    entry = found.entry
    time: tuple[tuple[str, int], ...] = ()
    if found.name in run.inputs:
        time, entry = (("t", entry[0] + 1),), entry[1:]
    named = f"_{time[0][1]}" if time else "_0" if found.name in run.initial else ""
    return time, named + (f"[{', '.join(map(str, entry))}]" if entry else "")


def _lines(run: Run, found: Agreement, judge: _Judge) -> Iterator[str]:
    """A program that calls the function at the run; it finds the function by its name."""
    name = getattr(judge.function, "__name__", "gradient")
    called = name if name.isidentifier() else "gradient"
    positional, named = run.arguments()
    yield "import numpy as np"
    for label, arrays in zip(("params", "inputs", "initial"), positional, strict=True):
        yield f"{label} = {_mapping(arrays)}"
    given = ", ".join(
        f"{key}={value if key == 'T' else _array(value)}" for key, value in named.items()
    )
    place = f"[{', '.join(map(str, found.entry))}]" if found.entry else ""
    if judge.digits is not None:
        yield f"# Seen with numbers of {judge.digits} digits; float64 may round it away."
    yield f"found = {called}(params, inputs, initial, {given})"
    yield f"print(found[{found.name!r}]{place})  # has to be {number_text(found.theirs)}"


def _mapping(arrays: Mapping[str, Array]) -> str:
    return "{" + ", ".join(f"{name!r}: {_array(array)}" for name, array in arrays.items()) + "}"


def _array(array: Array) -> str:
    if not array.ndim:
        return f"np.float64({array.item()!r})"
    # An empty list has lost the sizes of its entries.
    return f"np.array({array.tolist()!r})" + f".reshape({array.shape})" * (0 in array.shape)


__all__ = ["HORIZONS", "check_gradient"]
