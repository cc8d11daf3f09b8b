"""What ``--format python`` prints is read back with SymPy and evaluated at T = 0, 1, 2, 5.

Nothing of symgrad takes part in the evaluation: states, and derivatives by complex step,
come from the loops below, which were written from the cells' definitions.
"""

from __future__ import annotations

import cmath
import contextlib
import io
import random
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import pytest
import sympy
from sympy.core.function import AppliedUndef

from symgrad.cli import main
from symgrad.derivation import request
from symgrad.derivation.evidence import Evidence

TIMES = (0, 1, 2, 5)
EXACT = 1e-9

Values = dict[str, Any]
Signals = dict[tuple[str, int], complex]


# ---- the cells, once more ------------------------------------------------------------


def linear(v: Values, x: complex, before: Values) -> Values:
    return {"h": v["w"] * before["h"]}


def linear_input(v: Values, x: complex, before: Values) -> Values:
    return {"h": v["w"] * before["h"] + v["u"] * x + v["b"]}


def rnn(v: Values, x: complex, before: Values) -> Values:
    h = cmath.tanh(v["w_x"] * x + v["w_h"] * before["h"] + v["b_h"])
    return {"h": h, "y": v["w_y"] * h + v["b_y"]}


def lstm(v: Values, x: complex, before: Values) -> Values:
    def gate(name: str) -> complex:
        return v[f"w_{name}"] * x + v[f"u_{name}"] * before["h"] + v[f"b_{name}"]

    f, i, o = (1 / (1 + cmath.exp(-gate(name))) for name in "fio")
    g = cmath.tanh(gate("g"))
    c = f * before["c"] + i * g
    return {"f": f, "i": i, "o": o, "g": g, "c": c, "h": o * cmath.tanh(c)}


CELLS: dict[str, tuple[Callable[..., Values], tuple[str, ...], tuple[str, ...]]] = {
    "linear": (linear, ("w",), ("h",)),
    "linear-input": (linear_input, ("w", "u", "b"), ("h",)),
    "rnn": (rnn, ("w_x", "w_h", "b_h", "w_y", "b_y"), ("h",)),
    "lstm": (lstm, tuple(f"{a}_{g}" for g in "fiog" for a in "wub"), ("c", "h")),
}


def point(cell: str, **fixed: float) -> Values:
    """Values of parameters, initial states, inputs and loss gradients by name."""
    draw = random.Random(cell)
    _, params, states = CELLS[cell]
    found: Values = {name: draw.uniform(0.3, 1.4) * draw.choice((-1, 1)) for name in params}
    found |= {f"{state}_0": draw.uniform(0.4, 1.2) for state in states}
    found |= {f"x_{t}": draw.uniform(-1.5, 1.5) for t in range(1, 7)}
    found |= {f"dl_{t}": draw.uniform(0.5, 2.0) for t in range(7)}
    return found | fixed


def run(
    cell: str, values: Values, T: int, nudge: tuple[str, int, complex] | None = None
) -> Signals:
    """Every signal at every time; ``nudge`` is added to one of them as it is computed."""
    step, _, states = CELLS[cell]
    now = {name: values[f"{name}_0"] for name in states}
    found: Signals = {(name, 0): value for name, value in now.items()}
    for t in range(1, T + 1):
        now = step(values, values[f"x_{t}"], now)
        if nudge and nudge[1] == t:
            assert nudge[0] == "h", "what follows from the signal within the step is not redone"
            now["h"] += nudge[2]
        found |= {(name, t): value for name, value in now.items()}
        found["x", t] = values[f"x_{t}"]
    return found


def objective(cell: str, of: str, when: str, values: Values, T: int, **options: Any) -> complex:
    signals = run(cell, values, T, **options)
    if of == "L":
        out = "y" if cell == "rnn" else "h"
        times = range(1, T + 1) if when == "sum" else (T,)
        # A loss with the gradient dl_t: to first order nothing else matters.
        return sum(values[f"dl_{t}"] * signals[out, t] for t in times)
    times = range(1, T + 1) if when == "sum" else (T,)
    return sum(signals[of, t] for t in times)


def derivative(cell: str, of: str, when: str, values: Values, wrt: str, T: int) -> float:
    """By complex step: no subtraction, so no rounding error to speak of."""
    nudged = values | {wrt: values[wrt] + 1e-200j}
    return objective(cell, of, when, nudged, T).imag / 1e-200


# ---- the command line, read back -------------------------------------------------------


@cache
def printed(*arguments: str) -> tuple[str, ...]:
    """The lines on stdout of one command."""
    out = io.StringIO()
    # What is printed is judged here by its values; the command's own checks may be short.
    quick = partial(Evidence, thorough=False)
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        patch.setattr(request, "Evidence", quick)
        code = main(["derive", *arguments, "--scalar", "--format", "python"])
    assert code == 0, arguments
    return tuple(out.getvalue().splitlines())


def read(line: str) -> Any:
    """A line by ``sympify``, its names declared as a reader would: functions and symbols."""
    names = {name: sympy.Symbol(name) for name in ("b", "u", "w", "x", "T", "t", "k")}
    called = {n for n in ("h", "c", "f", "i", "o", "g", "y", "x") if f"{n}(" in line}
    return sympy.sympify(line, locals=names | {n: sympy.Function(n) for n in called})


def numbers(expression: Any, values: Values, signals: Signals, times: dict[str, int]) -> Any:
    """Names replaced by numbers, sums and products carried out."""
    fixed = {s: times[s.name] for s in expression.free_symbols if s.name in times}
    plain = {
        s: values[s.name] for s in expression.free_symbols if s.name in values and s not in fixed
    }
    done = expression.subs(fixed).subs(plain).doit()
    calls = {}
    for call in done.atoms(AppliedUndef):
        label, time = call.func.__name__, int(call.args[0])
        calls[call] = values[f"dl_{time}"] if label.startswith("dl_") else signals[label, time].real
    return done.subs(calls).doit()


def close(found: Any, expected: float) -> bool:
    """Relative, with zero for zero."""
    value = complex(found)
    assert value.imag == 0
    return abs(value.real - expected) <= EXACT * abs(expected)


# ---- one formula ---------------------------------------------------------------------


def _formulas() -> Iterator[tuple[str, str, str, str]]:
    for cell, (_, params, states) in CELLS.items():
        forms = ("closed", "expanded") if cell.startswith("linear") else ("expanded",)
        wanted = params if cell != "lstm" else ("u_f", "b_o")
        for form in forms:
            for wrt in (*wanted, *(f"{s}_0" for s in states)):
                yield cell, form, "h_T", wrt
    yield "rnn", "expanded", "y_T", "w_h"
    yield "rnn", "expanded", "y_T", "w_y"
    yield "rnn", "expanded", "L", "w_h"
    yield "linear-input", "expanded", "L", "w"


@pytest.mark.parametrize(("cell", "form", "of", "wrt"), list(_formulas()))
def test_a_formula_read_back_has_the_value_of_the_derivative(
    cell: str, form: str, of: str, wrt: str
) -> None:
    (line,) = printed(cell, "--of", of, "--wrt", wrt, "--form", form)
    formula = read(line)
    values = point(cell)
    name, when = of.removesuffix("_T"), "sum" if of == "L" else "final"
    # SymPy takes seconds for the LSTM's paths at T = 5; the test after this one goes there.
    last = 5 if cell != "lstm" else 2
    for T in {min(T, last) for T in TIMES}:
        if T == 0 and name == "y":
            continue  # there is no y_0
        found = numbers(formula, values, run(cell, values, T), {"T": T})
        assert close(found, derivative(cell, name, when, values, wrt, T)), (T, found)


def test_the_paths_of_the_lstm_over_four_steps() -> None:
    (line,) = printed("lstm", "--of", "h_T", "--wrt", "u_f")
    values, T = point("lstm"), 4
    found = numbers(read(line), values, run("lstm", values, T), {"T": T})
    assert close(found, derivative("lstm", "h", "final", values, "u_f", T))


def test_the_closed_form_of_a_sum_over_time() -> None:
    (line,) = printed("linear-input", "--of", "L", "--wrt", "w", "--form", "closed")
    assert {s.name for s in read(line).free_symbols} <= {"w", "u", "b", "T"}
    values = point("linear-input")
    for T in TIMES:
        found = numbers(read(line), values, run("linear-input", values, T), {"T": T})
        assert close(found, derivative("linear-input", "L", "sum", values, "w", T)), (T, found)


@pytest.mark.parametrize("cell", ["linear-input", "rnn"])
@pytest.mark.parametrize("form", ["closed", "expanded"])
def test_the_derivative_with_respect_to_an_input(cell: str, form: str) -> None:
    if (cell, form) == ("rnn", "closed"):
        return  # none is known
    (line,) = printed(cell, "--of", "h_T", "--wrt", "x_k", "--form", form)
    formula, values = read(line), point(cell)
    for T in (1, 2, 5):
        for k in range(1, T + 1):
            found = numbers(formula, values, run(cell, values, T), {"T": T, "k": k})
            assert close(found, derivative(cell, "h", "final", values, f"x_{k}", T)), (T, k)


def test_the_state_itself_in_closed_form() -> None:
    (line,) = printed("linear-input", "--of", "h_T")
    formula, values = read(line), point("linear-input")
    for T in TIMES:
        signals = run("linear-input", values, T)
        assert close(numbers(formula, values, signals, {"T": T}), signals["h", T].real)


@pytest.mark.parametrize("w", [0, 1, -1])
@pytest.mark.parametrize("cell", ["linear", "linear-input"])
@pytest.mark.parametrize("wrt", ["w", "u", "b", "h_0"])
def test_closed_forms_hold_at_the_special_weights(cell: str, wrt: str, w: int) -> None:
    values = point(cell, w=w)
    if wrt not in values:
        return
    for form in ("closed", "expanded"):
        (line,) = printed(cell, "--of", "h_T", "--wrt", wrt, "--form", form)
        for T in TIMES:
            found = numbers(read(line), values, run(cell, values, T), {"T": T})
            assert close(found, derivative(cell, "h", "final", values, wrt, T)), (form, T, found)


@pytest.mark.parametrize("w", [0, 1, 0.75])
@pytest.mark.parametrize(
    ("kind", "rho"),
    [("zero", 2.0), ("constant", 1.0), ("geometric", 0.5), ("geometric", 1.0), ("geometric", 0.75)],
)
def test_elementary_forms_with_their_conditions(kind: str, rho: float, w: float) -> None:
    x = 0.0 if kind == "zero" else 1.7
    values = point("linear-input", w=w) | {f"x_{t}": x * rho ** (t - 1) for t in range(1, 7)}
    exact = {name: sympy.Rational(value) for name, value in (values | {"x": x, "rho": rho}).items()}
    for wrt in ("w", "u", "b", None):
        asked = ("--wrt", wrt) if wrt else ()
        (line,) = printed("linear-input", "--of", "h_T", *asked, "--input", kind)
        names = {name: sympy.Symbol(name) for name in ("w", "u", "b", "x", "rho", "T")}
        formula = sympy.sympify(line, locals=names)
        for T in TIMES:
            found = formula.subs(names["T"], T).subs(
                {names[n]: exact[n] for n in names if n != "T"}
            )
            found = found.subs(sympy.Function("h")(0), exact["h_0"]).doit()
            if wrt:
                expected = derivative("linear-input", "h", "final", values, wrt, T)
            else:
                expected = run("linear-input", values, T)["h", T].real
            assert close(found, expected), (wrt, T, found)


def test_the_direct_path_is_the_product_of_forget_gates() -> None:
    (line,) = printed("lstm", "--of", "c_T", "--wrt", "c_k", "--along", "c")
    formula, values = read(line), point("lstm")
    for T in TIMES:
        signals = run("lstm", values, T)
        for k in range(T + 1):
            expected = 1.0
            for j in range(k + 1, T + 1):
                expected *= signals["f", j].real
            assert close(numbers(formula, values, signals, {"T": T, "k": k}), expected)


# ---- equations ---------------------------------------------------------------------------


class Equations:
    """Runs printed ``Eq`` lines from what they say: forwards, then backwards in time."""

    def __init__(
        self, lines: tuple[str, ...], values: Values, T: int, k: int | None = None
    ) -> None:
        self.values, self.T = values, T
        self.signals: dict[tuple[str, int], float] = {
            (n.removesuffix("_0"), 0): v for n, v in values.items() if n in ("h_0", "c_0")
        }
        self.signals |= {("x", t): values[f"x_{t}"] for t in range(1, T + 1)}
        *equations, (_, self.asked) = [self.sides(line) for line in lines]
        adjoint = [e for e in equations if e[0].func.__name__.startswith(("lam_", "delta_"))]
        forward = [e for e in equations if e not in adjoint]
        self.adjoints = {left.func.__name__ for left, _ in adjoint}
        for t in range(1, T + 1):
            for left, right in forward:
                self.signals[left.func.__name__, t] = self.value(right, {"t": t})
        for t in range(T, 0, -1):
            for left, right in adjoint:
                self.signals[left.func.__name__, t] = self.value(right, {"t": t})
        self.result = self.value(self.asked, {} if k is None else {"k": k})

    @staticmethod
    def sides(line: str) -> tuple[Any, Any]:
        assert line.startswith("Eq(")
        assert line.endswith(")")
        whole = line[3:-1]
        depth = 0
        for position, letter in enumerate(whole):
            depth += (letter == "(") - (letter == ")")
            if letter == "," and depth == 0:
                return read(whole[:position]), read(whole[position + 1 :])
        raise AssertionError(line)

    def value(self, right: Any, times: dict[str, int]) -> float:
        here = {
            s: ({"T": self.T} | times)[s.name]
            for s in right.free_symbols
            if s.name in ({"T": self.T} | times)
        }
        done = right.subs(here).doit()
        calls = {call: self.call(call) for call in done.atoms(AppliedUndef)}
        plain = {s: self.values[s.name] for s in done.free_symbols if s.name in self.values}
        return float(done.subs(calls).subs(plain))

    def call(self, call: Any) -> float:
        label, time = call.func.__name__, int(call.args[0])
        if label.startswith("dl_"):
            return self.values[f"dl_{time}"]
        if label in self.adjoints and time == self.T + 1:
            return 0.0
        return self.signals[label, time]


def _equations() -> Iterator[tuple[str, str, str, str]]:
    for cell, (_, params, states) in CELLS.items():
        wanted = params if cell != "lstm" else ("w_f", "u_f", "u_i", "b_o", "u_g")
        for wrt in (*wanted, *(f"{s}_0" for s in states)):
            yield cell, "h_T", "final", wrt
        yield cell, "h_T", "sum", params[0]
    yield "rnn", "y_T", "final", "w_h"
    yield "rnn", "y_T", "final", "w_y"
    yield "rnn", "y_T", "final", "h_0"
    for when in ("sum", "final"):
        for wrt in ("w_h", "w_y", "h_0"):
            yield "rnn", "L", when, wrt
        yield "lstm", "L", when, "u_o"
        yield "lstm", "L", when, "c_0"
        yield "linear-input", "L", when, "u"


@pytest.mark.parametrize(("cell", "of", "when", "wrt"), list(_equations()))
@pytest.mark.parametrize("form", ["recursive", "unrolled"])
def test_equations_read_back_compute_the_derivative(
    cell: str, of: str, when: str, wrt: str, form: str
) -> None:
    if form == "unrolled" and cell == "lstm" and wrt not in ("u_f", "h_0", "c_0"):
        return  # the same sweeps as the recursive form, which is run
    name, values = of.removesuffix("_T"), point(cell)
    # Every command is checked anew, which takes a third of a second for the LSTM.
    for T in (2,) if form == "unrolled" and cell == "lstm" and wrt != "u_f" else TIMES:
        if T == 0 and cell == "rnn" and (name == "y" or (name == "L" and when == "final")):
            continue  # there is no y_0
        asked = [cell, "--of", of, "--wrt", wrt, "--form", form, "--objective", when]
        if form == "unrolled":
            asked += ["--T", str(T)]
        lines = printed(*asked)
        found = (
            Equations(lines, values, T).result if form == "recursive" else straight(lines, values)
        )
        assert close(found, derivative(cell, name, when, values, wrt, T)), (T, found)


@pytest.mark.parametrize("cell", ["linear-input", "rnn", "lstm"])
def test_equations_for_an_input_or_a_state_in_between(cell: str) -> None:
    values = point(cell)
    for wrt in ("x", "h"):
        lines = printed(cell, "--of", "h_T", "--wrt", f"{wrt}_k", "--form", "recursive")
        for T, times in ((1, (1,)), (2, (1, 2)), (5, (3,))):
            for k in times if cell == "lstm" else range(1, T + 1):
                if wrt == "x":
                    expected = derivative(cell, "h", "final", values, f"x_{k}", T)
                else:
                    moved = objective(cell, "h", "final", values, T, nudge=("h", k, 1e-200j))
                    expected = moved.imag / 1e-200
                assert close(Equations(lines, values, T, k).result, expected), (wrt, T, k)
                asked = (cell, "--of", "h_T", "--wrt", f"{wrt}_{k}", "--form", "unrolled")
                found = straight(printed(*asked, "--T", str(T)), values)
                assert close(found, expected), (wrt, T, k)


def straight(lines: tuple[str, ...], values: Values) -> float:
    """Runs assignments in the order in which they are printed; nothing may be used before."""
    known: dict[Any, float] = {}
    result = 0.0
    for line in lines:
        left, right = Equations.sides(line)
        calls: dict[Any, float] = {}
        for call in right.atoms(AppliedUndef):
            label, time = call.func.__name__, int(call.args[0])
            given = f"dl_{time}" if label.startswith("dl_") else f"{label}_{time}"
            calls[call] = known[call] if call in known else values[given]
        plain = {s: known[s] if s in known else values[s.name] for s in right.free_symbols}
        result = known[left] = float(right.subs(calls).subs(plain))
    return result


def test_the_printed_name_says_of_what_and_at_which_time() -> None:
    assert printed("linear", "--of", "h_T", "--wrt", "w", "--form", "recursive")[-1].startswith(
        "Eq(dh_dw(T), "
    )
    last = printed("linear", "--of", "h_T", "--wrt", "w", "--form", "unrolled", "--T", "2")[-1]
    assert last.startswith("Eq(dh_dw(2), ")
