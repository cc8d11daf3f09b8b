"""``check_gradient``: a gradient function of somebody's, judged against the derived gradient.

The derived gradient is computed in as many digits as it takes. The difference of each entry
is compared with what rounding can do to that entry, and with nothing else: where gradients
vanish, an absolute tolerance accepts 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np

from symgrad.adjoint import Objective
from symgrad.cell import Cell
from symgrad.errors import OutsideDomain, UsageError
from symgrad.evaluate.compiled.problem import Array
from symgrad.testing.oracles import SAFETY, Agreement, agree, by_name, number_text
from symgrad.testing.rounding import Bounded, DType, bounded_gradient
from symgrad.testing.runs import Run, make_run
from symgrad.testing.shrinking import shrunk
from symgrad.testing.tried import HORIZONS, tried_runs
from symgrad.verify.verdict import Verdict, Witness

#: As ``Compiled.gradient``: called with params, inputs, initial, and T= and data by name.
GradientFunction = Callable[..., Any]

#: A difference from here on may be the rounding of float32; that of float64 is far below.
_SINGLE = 2.0**-36


def check_gradient(
    cell: Cell,
    objective: Objective,
    function: GradientFunction,
    *,
    at: Mapping[str, Any] | None = None,
    horizons: Iterable[int] = HORIZONS,
    dtype: DType = np.float64,
    digits: int | None = None,
) -> Verdict:
    """Judge a function that computes dL/dθ, dL/ds_0 and dL/dx_t, or some of them.

    Args:
        function: called as ``function(params, inputs, initial, T=T)``, with ``targets=``,
            ``dl=`` or ``cotangent=`` where the objective takes it; arguments as those of
            ``Compiled.gradient`` without a batch. Gives a mapping from names to arrays, in the
            shapes of what they belong to; what it leaves out is not judged, and the verdict
            says so.
        at: the arguments of one run (``params``, ``inputs``, ``initial``, ``T``, …) to be
            judged at; default: several for each T, ordinary ones, and such in which gradients
            vanish or are large, units saturate, or many numbers are 0, -0, 1 or -1.
        horizons: the T of the default runs.
        dtype: float64, or float32 for a function that computes in it: the arguments are of
            this type, and its rounding is what is allowed.
        digits: numbers of so many digits instead, in object arrays; plain NumPy code takes
            them. What lies below the rounding of float64 is seen there.

    Returns:
        ``tested`` with the largest relative error; ``refuted`` with a witness, the
        smallest T, then sizes, then simple numbers, whose ``numpy_lines()`` call the function
        there; ``undecided`` where L has no gradient at any of the runs.

    Raises:
        UsageError: arguments or results do not fit; says which and why.
        Exception: whatever the function raises, with the run as a note; at the T = 0 of the
            default runs the verdict says it instead.
    """
    judge = _Judge(function, digits, dtype)
    given = at is not None
    runs = [make_run(cell, objective, **at)] if at is not None else None
    tried: list[Run] = []
    for run in runs or tried_runs(cell, objective, horizons):
        try:
            truth = judge.truth(run)
        except (OutsideDomain, ArithmeticError):
            continue
        try:
            with np.errstate(all="ignore"):
                # What comes back is judged, so a warning would add nothing.
                returned = judge.call(run)
        except Exception as error:
            if given or run.horizon > 0:
                error.add_note(f"raised by the gradient function at {run!r}")
                raise
            kind = type(error).__name__
            judge.failed = f"at T = 0 the function raises {kind}; not judged there"
            continue
        found = judge.compared(returned, truth)
        tried.append(run)
        if not found:
            return _refuted(run, found, judge, judge.hint(run, returned, found))
    if not tried:
        why = "L has no gradient at any of the runs that were tried"
        return Verdict("undecided", "", (judge.failed or why,))
    horizon = sorted({run.horizon for run in tried})
    how = (
        f"{judge.words} against the derived gradient in more digits, {len(tried)} "
        f"run{'s' * (len(tried) > 1)}: {', '.join(judge.judged)}",
        f"largest relative error {judge.worst:.2g}; rounding bounds by running error analysis, "
        f"times {SAFETY}",
        *judge.omissions(),
        *([judge.failed] if judge.failed else []),
    )
    return Verdict("tested", f"T = {', '.join(map(str, horizon))}", how)


class _Judge:
    """Compares a function with the derived gradient, run by run."""

    def __init__(self, function: GradientFunction, digits: int | None, dtype: DType) -> None:
        if digits is not None and not (type(digits) is int and digits >= 17):
            raise UsageError(f"digits={digits!r}: an integer from 17 on, or None for float64")
        self.function, self.digits, self.dtype = function, digits, np.dtype(dtype)
        if self.dtype not in (np.float64, np.float32):
            raise UsageError(f"dtype={self.dtype}: float64 or float32")
        if digits is not None and self.dtype != np.float64:
            raise UsageError(f"digits={digits} and dtype={self.dtype}: give one of them")
        self.words = self.dtype.name if digits is None else f"{digits} digits"
        #: All names, and whether each was given at every run.
        self.names: dict[str, bool] = {}
        self.worst, self.failed = 0.0, ""

    def truth(self, run: Run) -> Bounded:
        """The derived gradient at the numbers that the function gets."""
        return bounded_gradient(_rounded(run, self.dtype), digits=self.digits, dtype=self.dtype)

    def call(self, run: Run) -> dict[str, Any]:
        """What the function gives, by name."""
        convert = self._plain if self.digits is None else _many_digits(self.digits)
        positional, named = run.arguments(convert)
        return by_name(self.function(*positional, **named))

    def _plain(self, array: Array) -> Any:
        return np.array(array, self.dtype)[()]

    def compared(self, found: dict[str, Any], truth: Bounded) -> Agreement:
        """What the function gave beside the derived gradient.

        Raises:
            UsageError: a name that there is not, a shape, or numbers of another kind.
        """
        values = by_name(truth.values)
        _check_names(found, values)
        for name, value in found.items():
            self._check_array(name, value, values[name].shape)
        if self.digits is not None:
            found = {name: _released(value, self.digits) for name, value in found.items()}
        self.names = {n: n in found and self.names.get(n, True) for n in values}
        wanted = {name: values[name] for name in found}
        result = agree(found, wanted, rounding=truth.errors, dtype=self.dtype)
        if result:
            self.worst = max(self.worst, result.largest)
        return result

    def _check_array(self, name: str, value: Any, shape: tuple[int, ...]) -> None:
        array = np.asarray(value)
        if array.shape != shape:
            raise UsageError(
                f"the gradient of {name!r} has shape {array.shape}; that of {name!r} is {shape}"
            )
        if self.digits is not None and array.dtype.kind != "O":
            raise UsageError(
                f"the gradient of {name!r} came back as {array.dtype}, though the "
                f"arguments had {self.digits} digits; leave out digits="
            )
        if self.digits is None and array.dtype.kind not in "fiu":
            kind = type(value).__name__ if array.dtype.kind == "O" else array.dtype
            raise UsageError(f"the gradient of {name!r} is no array of real numbers, but {kind}")

    @property
    def judged(self) -> list[str]:
        """The names that were given at every run."""
        return [name for name, always in self.names.items() if always]

    def omissions(self) -> list[str]:
        """A line about what was not judged."""
        names = [name for name, always in self.names.items() if not always]
        return [f"not judged, as the function leaves it out: {', '.join(names)}"] if names else []

    def failure(self, run: Run) -> Agreement | None:
        """What is wrong at a run that the search for a witness made up; None where nothing is."""
        try:
            with np.errstate(all="ignore"):
                found = self.compared(self.call(run), self.truth(run))
        except (ArithmeticError, ValueError, TypeError, LookupError):
            # It may have no gradient, or be a run that the function was not made for.
            return None
        return None if found else found

    def hint(self, run: Run, returned: dict[str, Any], found: Agreement) -> list[str]:
        """Words about float32 where a function that is given float64 may compute in it."""
        if self.digits is not None or self.dtype == np.float32:
            return []
        single = bounded_gradient(run, dtype=np.float32)
        values, bound = by_name(single.values), single.errors
        explained = agree(returned, values, rounding=bound, dtype=np.float32).holds
        advice = "give dtype=np.float32 to judge it by the rounding of float32"
        names = [name for name, v in returned.items() if np.asarray(v).dtype == np.float32]
        if names:
            back = f"{', '.join(names)} came back as float32"
            return [f"{back}; {advice}" if explained else f"{back}, which does not explain this"]
        if explained and found.error > _SINGLE:
            return [f"as far off as float32 would be; if the function computes in it, {advice}"]
        return []


def _check_names(found: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    there = f"there are {', '.join(values)}"
    if not found:
        raise UsageError(f"the function gives no gradient at all; {there}")
    unknown = [name for name in found if name not in values]
    if unknown:
        near = [known for known in values if known.lower() == str(unknown[0]).lower()]
        raise UsageError(
            f"the function gives a gradient of {', '.join(map(repr, unknown))}; {there}"
            + (f"; did you mean {near[0]!r}?" if near else "")
        )


def _rounded(run: Run, dtype: np.dtype[Any]) -> Run:
    """The run with numbers that the dtype has."""
    if dtype == np.float64:
        return run
    changed: dict[str, dict[str, Array]] = {}
    for group, arrays in run.groups():
        with np.errstate(over="ignore"):
            changed[group] = {
                name: a.astype(dtype).astype(np.float64) for name, a in arrays.items()
            }
        for name, array in changed[group].items():
            if not np.all(np.isfinite(array)):
                raise UsageError(f"{name!r} has a number that is too large for {dtype}")
    return replace(run, **changed)  # type: ignore[arg-type]


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


# ---- witnesses ------------------------------------------------------------------------------


def _refuted(run: Run, found: Agreement, judge: _Judge, hint: list[str]) -> Verdict:
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
    return Verdict("refuted", f"T = {run.horizon}", (how, *hint, *judge.omissions()), witness)


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
        entries = (f"{key!r}: {_array(array, judge.dtype)}" for key, array in arrays.items())
        yield f"{label} = {{{', '.join(entries)}}}"
    given = ", ".join(
        f"{key}={value if key == 'T' else _array(value, judge.dtype)}"
        for key, value in named.items()
    )
    place = f"[{', '.join(map(str, found.entry))}]" if found.entry else ""
    if judge.digits is not None:
        yield f"# Seen with numbers of {judge.digits} digits; float64 may round it away."
    yield f"found = {called}(params, inputs, initial, {given})"
    yield f"print(found[{found.name!r}]{place})  # has to be {number_text(found.theirs)}"


def _array(array: Array, dtype: np.dtype[Any]) -> str:
    if not array.ndim:
        return f"np.{dtype.name}({array.item()!r})"
    named = f", np.{dtype.name}" if dtype != np.float64 else ""
    # An empty list has lost the sizes of its entries.
    shape = f".reshape({array.shape})" if 0 in array.shape else ""
    return f"np.array({array.tolist()!r}{named}){shape}"


__all__ = ["HORIZONS", "check_gradient"]
