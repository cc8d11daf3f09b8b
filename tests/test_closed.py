"""Closed and elementary forms against exact differentiation of plain loops.

The references know nothing of symgrad: each cell is a loop written out here, run on dual
numbers over fractions, so values and derivatives are exact, special values included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from symgrad.cell import Cell, input_signal, param, signal
from symgrad.cells import CATALOGUE
from symgrad.closed import Form, closed_form, elementary_form, forward_form
from symgrad.derivation import verdict_of
from symgrad.errors import NoClosedForm, UsageError
from symgrad.evaluate.forms import form_value
from symgrad.lang.affine import T, symbol
from symgrad.lang.algebra import Algebra, Floats, Multiprecision, Rationals
from symgrad.lang.nodes import Param, Signal, signals_in
from symgrad.lang.program import Inputs
from symgrad.ops import sigma

#: None of it is about how far T goes.
pytestmark = pytest.mark.usefixtures("quick")

k = symbol("k")
F = Fraction
NEARLY_ONE = 1 + F(1, 10**9)
HORIZONS = (0, 1, 2, 3, 5, 8)


# ---- the reference: exact dual numbers ---------------------------------------------------


@dataclass(frozen=True)
class Dual:
    """a + b ε with ε² = 0."""

    value: Any
    slope: Any = 0

    def __add__(self, other: Any) -> Dual:
        other = dual(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other: Any) -> Dual:
        other = dual(other)
        return Dual(self.value - other.value, self.slope - other.slope)

    def __mul__(self, other: Any) -> Dual:
        other = dual(other)
        return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)

    def __truediv__(self, other: Any) -> Dual:
        other = dual(other)
        value = self.value / other.value
        return Dual(value, (self.slope - value * other.slope) / other.value)

    def __rsub__(self, other: Any) -> Dual:
        return dual(other) - self

    __radd__, __rmul__ = __add__, __mul__


def dual(number: Any) -> Dual:
    return number if isinstance(number, Dual) else Dual(number)


Values = Mapping[str, Any]
Loop = Callable[[Values, Any, list[Any]], Any]


def leaky(p: Values, h: Any, xs: list[Any]) -> Any:
    for x in xs:
        h = (1 - p["alpha"]) * h + p["alpha"] * p["w"] * x
    return h


def varying(p: Values, h: Any, xs: list[Any]) -> Any:
    for x in xs:
        h = x * p["w"] * h + p["b"]
    return h


def gated(p: Values, h: Any, xs: list[Any]) -> Any:
    for x in xs:
        z = p["w"] * x + p["b"]
        h = (1 - z) * h + z * x
    return h


def with_output(p: Values, h: Any, xs: list[Any]) -> Any:
    for x in xs:
        h = p["w"] * h + p["u"] * x
    return p["w_y"] * h + p["b_y"]


def with_late_output(p: Values, h: Any, xs: list[Any]) -> Any:
    y = None
    for x in xs:
        before, h = h, p["w"] * h + p["u"] * x
        y = p["v"] * h + p["u"] * before + x
    return y


def halved(p: Values, h: Any, xs: list[Any]) -> Any:
    for x in xs:
        h = h / 2 + x
    return h


def literals(p: Values, h: Any, xs: list[Any]) -> Any:
    for x in xs:
        h = F(-2, 3) * h + p["w"] * x + 3
    return h


def shared(p: Values, h: Any, xs: list[Any]) -> Any:
    for x in xs:
        h = p["w"] * h + p["w"] * x + p["b"]
    return h


def squared(p: Values, h: Any, xs: list[Any]) -> Any:
    for x in xs:
        h = p["w"] * p["w"] * h + p["u"] * x
    return h


def quotient(p: Values, h: Any, xs: list[Any]) -> Any:
    for x in xs:
        h = h / p["v"] + p["u"] * x
    return h


def linear(p: Values, h: Any, xs: list[Any]) -> Any:
    for _ in xs:
        h = p["w"] * h
    return h


def linear_input(p: Values, h: Any, xs: list[Any]) -> Any:
    for x in xs:
        h = p["w"] * h + p["u"] * x + p["b"]
    return h


def declared() -> dict[str, tuple[Cell, Loop]]:
    h, y, z, x = signal("h"), signal("y"), signal("z"), input_signal("x")
    w, u, b, v, alpha = (param(name) for name in ("w", "u", "b", "v", "alpha"))
    w_y, b_y = param("w_y"), param("b_y")
    made: dict[str, tuple[list[Any], Loop]] = {
        "leaky": ([(h, (1 - alpha) * h.prev + alpha * (w * x))], leaky),
        "varying": ([(h, x * w * h.prev + b)], varying),
        "gated": ([(z, w * x + b), (h, (1 - z) * h.prev + z * x)], gated),
        "output": ([(h, w * h.prev + u * x), (y, w_y * h + b_y)], with_output),
        "late output": ([(h, w * h.prev + u * x), (y, v * h + u * h.prev + x)], with_late_output),
        "halved": ([(h, h.prev / 2 + x)], halved),
        "literals": ([(h, F(-2, 3) * h.prev + w * x + 3)], literals),
        "shared": ([(h, w * h.prev + w * x + b)], shared),
        "squared": ([(h, w * w * h.prev + u * x)], squared),
        "quotient": ([(h, h.prev / v + u * x)], quotient),
    }
    cells = {
        name: (Cell(name.replace(" ", "-"), equations, inputs=[x]).scalar(), loop)
        for name, (equations, loop) in made.items()
    }
    cells["linear"] = CATALOGUE["linear"].scalar(), linear
    cells["linear-input"] = CATALOGUE["linear-input"].scalar(), linear_input
    return cells


CELLS = declared()
SPECIAL = (F(0), F(1), F(-1), NEARLY_ONE, F(2, 3))
START, XS = F(3, 7), [F(n) for n in ("1/2", "-1", "4/5", "0", "2", "-3/4", "1", "5/3")]
GENERIC = [F(n) for n in ("3/5", "-4/3", "7/2", "-2/9")]


def points(cell: Cell) -> list[dict[str, Fraction]]:
    """Each parameter at each special value, the others generic; the last: all generic."""
    names = [p.name for p in cell.params]
    plain = dict(zip(names, GENERIC, strict=False))
    moved = [{**plain, name: value} for name, value in product(names, SPECIAL)]
    return [point for point in moved if point.get("v") != 0] + [plain]


def inputs_of(params: Values, xs: list[Any], start: Any = START) -> Inputs:
    return Inputs(params, {"h": start}, lambda label, time: xs[time - 1])


def exact(cell: Cell, form: Form, params: Values, horizon: int, **indices: int) -> Fraction:
    assert horizon >= form.first_horizon
    value: Fraction = form_value(cell, form, inputs_of(params, XS), horizon, Rationals(), indices)
    return value


def first_time(cell: Cell) -> int:
    """An output has no value at T = 0."""
    return 0 if cell.is_state(cell.output.name) else 1


def free_of_states(cell: Cell, form: Form) -> bool:
    """No computed signal but the initial state."""
    computed = {s.name for s in cell.signals}
    used = [s for s in signals_in(form.full) if s.name in computed]
    return all(s is cell.states[0].at(0) for s in used)


# ---- closed forms -------------------------------------------------------------------------


@pytest.mark.parametrize("name", CELLS)
def test_the_state_itself(name: str) -> None:
    cell, loop = CELLS[name]
    form = forward_form(cell, cell.output)
    assert free_of_states(cell, form)
    for params, horizon in product(points(cell), HORIZONS):
        if horizon >= first_time(cell):
            assert exact(cell, form, params, horizon) == loop(params, START, XS[:horizon])


@pytest.mark.parametrize("name", CELLS)
def test_derivatives_by_parameters(name: str) -> None:
    cell, loop = CELLS[name]
    for parameter in cell.params:
        form = closed_form(cell, cell.output.at(T), parameter)
        assert free_of_states(cell, form)
        for params, horizon in product(points(cell), HORIZONS):
            if horizon < first_time(cell):
                continue
            moved = {**params, parameter.name: Dual(params[parameter.name], F(1))}
            expected = dual(loop(moved, Dual(START), [Dual(x) for x in XS[:horizon]])).slope
            assert exact(cell, form, params, horizon) == expected, (parameter, params, horizon)


@pytest.mark.parametrize("name", CELLS)
def test_derivatives_by_the_initial_state(name: str) -> None:
    cell, loop = CELLS[name]
    form = closed_form(cell, cell.output.at(T), cell.states[0].at(0))
    assert free_of_states(cell, form)
    for params, horizon in product(points(cell), HORIZONS):
        if horizon >= first_time(cell):
            expected = dual(loop(params, Dual(START, F(1)), XS[:horizon])).slope
            assert exact(cell, form, params, horizon) == expected, (params, horizon)


@pytest.mark.parametrize("name", [name for name in CELLS if name != "linear"])
def test_derivatives_by_each_input(name: str) -> None:
    cell, loop = CELLS[name]
    form = closed_form(cell, cell.output.at(T), cell.inputs[0].at(k))
    assert free_of_states(cell, form)
    for params, horizon in product(points(cell), HORIZONS):
        for position in range(1, horizon + 1):
            xs: list[Any] = list(XS[:horizon])
            xs[position - 1] = Dual(xs[position - 1], F(1))
            expected = dual(loop(params, START, xs)).slope
            found = exact(cell, form, params, horizon, k=position)
            assert found == expected, (params, horizon, position)


@pytest.mark.parametrize("name", [n for n in CELLS if "output" not in n])
def test_derivatives_by_each_earlier_state(name: str) -> None:
    cell, loop = CELLS[name]
    form = closed_form(cell, cell.output.at(T), cell.states[0].at(k))
    for params, horizon in product(points(cell), HORIZONS):
        for position in range(horizon + 1):
            here = loop(params, START, XS[:position])
            expected = dual(loop(params, Dual(here, F(1)), XS[position:horizon])).slope
            found = exact(cell, form, params, horizon, k=position)
            assert found == expected, (params, horizon, position)


@pytest.mark.parametrize("name", [n for n in CELLS if "output" not in n])
def test_scalar_closed_forms_are_proved(name: str) -> None:
    cell, _ = CELLS[name]
    forms = [forward_form(cell, cell.output)]
    for wrt in (*cell.params, cell.states[0].at(0), cell.states[0].at(k)):
        forms.append(closed_form(cell, cell.output.at(T), wrt))
    for form in forms:
        verdict = verdict_of(cell, form)
        assert verdict.status == "proved", (form, verdict)
        assert verdict.proof.replay()  # type: ignore[union-attr]


def test_a_gate_with_an_activation_of_the_input_only() -> None:
    h, z, x, w, b = signal("h"), signal("z"), input_signal("x"), param("w"), param("b")
    cell = Cell("gate", [(z, sigma(w * x + b)), (h, (1 - z) * h.prev + z * x)], inputs=[x]).scalar()
    algebra = Multiprecision(50)
    number, exp = algebra.context.mpf, algebra.context.exp

    def logistic(a: Dual) -> Dual:
        value = 1 / (1 + exp(-a.value))
        return Dual(value, a.slope / (exp(a.value) + 2 + exp(-a.value)))

    def loop(p: Values, state: Any, xs: list[Any]) -> Dual:
        state = dual(state)
        for x in xs:
            gate = logistic(dual(p["w"] * x + p["b"]))
            state = (1 - gate) * state + gate * x
        return state

    params = {"w": number("0.7"), "b": number("-0.4")}
    xs = [number(v.numerator) / v.denominator for v in XS]
    for wrt, horizon in product((*cell.params, h.at(0)), (0, 1, 2, 5, 8)):
        form = closed_form(cell, h.at(T), wrt)
        moved = {n: Dual(v, number(n == wrt.name)) for n, v in params.items()}
        start = Dual(number("0.3"), number(wrt.name == "h"))
        found = form_value(cell, form, inputs_of(params, xs, start.value), horizon, algebra)
        expected = loop(moved, start, xs[:horizon]).slope
        assert abs(found - expected) <= abs(expected) * number(10) ** -45, (wrt, horizon)


def test_the_binary_counter_of_roelants() -> None:
    """S = Σ bits for w_x = w_rec = 1; the gradients at 1.2 (P. Roelants, RNN tutorial part 1)."""
    s, x, w_x, w_rec = signal("s"), input_signal("x"), param("w_x"), param("w_rec")
    cell = Cell("count", [(s, w_x * x + w_rec * s.prev)], inputs=[x]).scalar()
    bits = [F(bit) for bit in (1, 0, 1, 1, 0)]

    def at(form: Form, weight: Fraction) -> Fraction:
        values = Inputs({"w_x": weight, "w_rec": weight}, {"s": F(0)}, lambda _, t: bits[t - 1])
        value: Fraction = form_value(cell, form, values, 5, Rationals())
        return value

    assert at(forward_form(cell, s), F(1)) == 3
    assert at(closed_form(cell, s.at(T), w_x), F(6, 5)) == F("4.7136")
    assert at(closed_form(cell, s.at(T), w_rec), F(6, 5)) == F("12.3744")


# ---- vector closed forms ------------------------------------------------------------------

SIZES = ({"n": 1, "m": 1}, {"n": 2, "m": 3}, {"n": 3, "m": 2})


def fractions(*shape: int, seed: int) -> Any:
    random = np.random.default_rng([seed, *shape])
    entries = np.empty(shape, dtype=object)
    for place in np.ndindex(*shape):
        entries[place] = F(int(random.integers(-9, 10)), int(random.integers(1, 6)))
    return entries


def test_the_gradient_of_a_matrix_power() -> None:
    """d(sᵀ W^T h_0)/dW at T = 2: entry by entry [[35, 79], [24, 51]], not SymPy's answer."""
    cell = CATALOGUE["linear"]
    form = closed_form(cell, cell.output.at(T), cell.params[0])
    column = lambda *entries: np.array([[F(e)] for e in entries], dtype=object)  # noqa: E731
    W = np.array([[F(2), F(3)], [F(5), F(7)]], dtype=object)
    values = Inputs({"W": W, "s": column(3, 1)}, {"h": column(1, 2)}, lambda *_: None, {"n": 2})
    found = {T_: form_value(cell, form, values, T_, Rationals()).tolist() for T_ in (0, 1, 2)}
    assert found == {0: [[0, 0], [0, 0]], 1: [[3, 6], [1, 2]], 2: [[35, 79], [24, 51]]}


@pytest.mark.parametrize("name", ["linear", "linear-input"])
@pytest.mark.parametrize("number", range(3))
def test_vector_closed_forms(name: str, number: int) -> None:
    cell, sizes = CATALOGUE[name], SIZES[number]
    n, m = sizes["n"], sizes["m"]
    params = {
        "W": fractions(n, n, seed=1),
        "U": fractions(n, m, seed=2),
        "b": fractions(n, 1, seed=3),
    }
    start, s = fractions(n, 1, seed=4), fractions(n, 1, seed=5)
    xs = [fractions(m, 1, seed=6 + t) for t in range(5)]

    def run(p: Values, h: Any, xs: list[Any]) -> Any:
        for x in xs:
            h = p["W"] @ h if name == "linear" else p["W"] @ h + p["U"] @ x + p["b"]
        return h

    def slopes(result: Any) -> list[Fraction]:
        return [dual(entry).slope for entry in result.ravel()]

    def moved(array: Any, place: tuple[int, int]) -> Any:
        copy = array.copy()
        copy[place] = Dual(copy[place], F(1))
        return copy

    values = Inputs({**params, "s": s}, {"h": start}, lambda _, t: xs[t - 1], sizes)
    forward = forward_form(cell, cell.output)
    for horizon in (0, 1, 2, 3, 5):

        def found(form: Form, T_: int = horizon, **indices: int) -> Any:
            return form_value(cell, form, values, T_, Rationals(), indices)

        inputs = xs[:horizon]
        assert (found(forward) == run(params, start, inputs)).all()
        for wrt in cell.params:
            got = found(closed_form(cell, cell.output.at(T), wrt))
            array = params[wrt.name]
            assert got.shape == array.shape
            for place in np.ndindex(*array.shape):
                changed = {**params, wrt.name: moved(array, place)}
                expected = sum(
                    a * b
                    for a, b in zip(s.ravel(), slopes(run(changed, start, inputs)), strict=True)
                )
                assert got[place] == expected, (wrt, horizon, place)
        jacobian = found(closed_form(cell, cell.output.at(T), cell.output.at(0)))
        for column in range(n):
            got = list(jacobian[:, column])
            assert got == slopes(run(params, moved(start, (column, 0)), inputs))
        for entry in cell.inputs:
            form = closed_form(cell, cell.output.at(T), entry.at(k))
            for position, column in product(range(1, horizon + 1), range(m)):
                changed = list(inputs)
                changed[position - 1] = moved(changed[position - 1], (column, 0))
                expected = slopes(run(params, start, changed))
                assert list(found(form, k=position)[:, column]) == expected


@pytest.mark.parametrize("name", ["linear", "linear-input"])
def test_vector_closed_forms_are_proved_for_all_sizes(name: str) -> None:
    cell = CATALOGUE[name]
    for wrt in (cell.params[0], cell.params[-1]):
        verdict = verdict_of(cell, closed_form(cell, cell.output.at(T), wrt))
        assert verdict.status == "proved"
        assert verdict.scope.startswith("all T ≥ 0, all sizes ")
        assert verdict.how[0] == "proof replayed by the kernel"
        assert verdict.proof is not None
        assert verdict.proof.replay()


# ---- elementary forms -----------------------------------------------------------------------

X = F(5, 4)
RATIOS = (F(0), F(1), F(-1), F(2, 3), F(3, 2), NEARLY_ONE)


def driven(kind: str, ratio: Any, x: Any, horizon: int) -> list[Any]:
    if kind == "zero":
        return [F(0)] * horizon
    found, value = [], x
    for _ in range(horizon):
        found.append(value)
        value = value * (ratio if kind == "geometric" else 1)
    return found


def elementary_value(
    cell: Cell, form: Form, params: Values, horizon: int, algebra: Algebra, start: Any = START
) -> Any:
    def nothing(label: str, time: int) -> Any:
        raise AssertionError(f"{label}_{time} is in an elementary form")

    return form_value(cell, form, Inputs(params, {"h": start}, nothing), horizon, algebra)


ELEMENTARY = ("linear", "linear-input", "leaky", "shared", "halved", "literals")
KINDS = ("zero", "constant", "geometric")


def special_points(cell: Cell, kind: str) -> list[dict[str, Fraction]]:
    """Points where factors, bases and inputs coincide, and points where they do not."""
    names = [p.name for p in cell.params]
    plain = dict(zip(names, GENERIC, strict=False))
    ratios = RATIOS if kind == "geometric" else (F(1),)
    found = []
    for ratio in ratios:
        for name, value in product(names or [""], {*SPECIAL, ratio, 1 - ratio}):
            found.append({**plain, **({name: value} if name else {}), "x": X, "rho": ratio})
    for ratio in (F(1, 2), F(-2, 3)):  # the literals' own factors
        found.append({**plain, "x": X, "rho": ratio})
    return found


@lru_cache
def elementary(name: str, wrt: Param | Signal | None, kind: str) -> Form:
    """An elementary form, derived once for all tests."""
    cell, _ = CELLS[name]
    return elementary_form(cell, cell.states[0].at(T), wrt, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ELEMENTARY)
def test_elementary_forms(name: str, kind: str) -> None:
    cell, loop = CELLS[name]
    state = cell.states[0]
    for wrt in (None, *cell.params, state.at(0)):
        form = elementary(name, wrt, kind)
        for params, horizon in product(special_points(cell, kind), (0, 1, 2, 3, 8)):
            moved = {n: Dual(v, F(wrt is not None and n == wrt.name)) for n, v in params.items()}
            start = Dual(START, F(wrt is state.at(0)))
            result = dual(loop(moved, start, driven(kind, params["rho"], X, horizon)))
            expected = result.value if wrt is None else result.slope
            found = elementary_value(cell, form, params, horizon, Rationals())
            assert found == expected, (wrt, params, horizon)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, kind) for name in ("linear-input", "leaky") for kind in KINDS),
        ("literals", "constant"),
    ],
)
def test_elementary_forms_are_proved(name: str, kind: str) -> None:
    cell, _ = CELLS[name]
    state = cell.states[0]
    for wrt in (None, *cell.params, state.at(0)):
        form = elementary(name, wrt, kind)
        verdict = verdict_of(cell, form, inputs=kind)
        assert (verdict.status, verdict.scope) == ("proved", "all T ≥ 0"), (form, verdict)
        assert verdict.proof.replay()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("constant", [("w", "1"), ("w", "1"), ("w", "1")]),
        ("geometric", [("w", "rho"), ("w", "1")]),
    ],
)
def test_branches_name_their_conditions(kind: str, texts: list[tuple[str, str]]) -> None:
    cell, _ = CELLS["linear-input"]
    form = elementary("linear-input", cell.params[0], kind)
    named = {(repr(a), repr(b)) for branch in form.branches for a, b in branch.conditions}
    assert named == set(texts)
    assert not form.branches[-1].conditions
    assert {repr(gap) for gap in form.branches[-1].excluded} == {f"{a} - {b}" for a, b in texts}


NEAR = [F(s) * F(10) ** -e for s in (1, -1) for e in (9, 6, 3, 1)]


@pytest.mark.parametrize("kind", ["constant", "geometric"])
@pytest.mark.parametrize("where", ["w near 1", "w near rho", "both near 1", "alpha near 0"])
def test_float64_near_an_excluded_point(kind: str, where: str) -> None:
    name = "leaky" if where == "alpha near 0" else "linear-input"
    cell, loop = CELLS[name]
    # dh_T/dw of the leaky cell: see the end of this file.
    slopes = cell.params[:1] if where == "alpha near 0" else cell.params
    for wrt in (None, *slopes):
        form = elementary(name, wrt, kind)
        for gap, horizon in product(NEAR, (1, 2, 40)):
            rounded = {
                "w near 1": {"w": 1 + gap, "rho": F(1, 2)},
                "w near rho": {"w": F(1, 2) + gap, "rho": F(1, 2)},
                "both near 1": {"w": 1 + gap, "rho": 1 - gap / 3},
                "alpha near 0": {"alpha": abs(gap), "w": F(3, 4), "rho": F(1, 2)},
            }[where]
            floats = {
                n: float(v) for n, v in {**rounded, "u": F(3, 5), "b": F(7, 9), "x": X}.items()
            }
            # The reference starts from the numbers as float64 holds them.
            held = {n: F(v) for n, v in floats.items()}
            moved = {n: Dual(v, F(wrt is not None and n == wrt.name)) for n, v in held.items()}
            xs = driven(kind, held["rho"], held["x"], horizon)
            result = dual(loop(moved, Dual(F(1, 4)), xs))
            expected = result.value if wrt is None else result.slope
            found = elementary_value(cell, form, floats, horizon, Floats(), 0.25)
            assert abs(F(float(found)) - expected) <= F(10) ** -12 * abs(expected), (
                wrt,
                gap,
                horizon,
            )


def test_the_geometric_form_itself_has_no_digit_near_one() -> None:
    """Why the Σ form is evaluated there: (1 - w^T)/(1 - w) at w = 1 + 1e-9 and its derivative."""
    w, horizon = 1 + 1e-9, 8
    naive = (1 - w**horizon) / (1 - w) ** 2 - horizon * w ** (horizon - 1) / (1 - w)
    expected = float(sum(i * F(w) ** (i - 1) for i in range(horizon)))
    assert abs(naive - expected) > 0.5 * expected


# ---- answers that are "no" ------------------------------------------------------------------


def reasons() -> dict[str, tuple[Cell, str]]:
    h, g, x, w, u = signal("h"), signal("g"), input_signal("x"), param("w"), param("u")
    quadratic = Cell("quadratic", [(h, w * h.prev * h.prev + u * x)], inputs=[x])
    two = Cell("two", [(g, w * h.prev), (h, u * g.prev + x)], inputs=[x])
    return {
        "rnn": (CATALOGUE["rnn"].scalar(), r"h_t is not linear in h_{t-1}.*depends on the state"),
        "lstm": (CATALOGUE["lstm"].scalar(), r"depends on 2 states \(c, h\)"),
        "vector rnn": (CATALOGUE["rnn"], r"not linear in h_{t-1}"),
        "vector lstm": (CATALOGUE["lstm"], r"depends on 2 states"),
        "quadratic": (quadratic.scalar(), r"h_t is not linear in h_{t-1}, its derivative"),
        "two": (two.scalar(), r"depends on 2 states \(g, h\)"),
    }


@pytest.mark.parametrize("name", reasons())
def test_no_closed_form_is_an_answer_with_its_reason(name: str) -> None:
    cell, reason = reasons()[name]
    state = cell.states[-1]
    with pytest.raises(NoClosedForm, match=reason):
        forward_form(cell, state)
    for wrt in (*cell.params, state.at(0), *[x.at(k) for x in cell.inputs]):
        with pytest.raises(NoClosedForm, match=reason):
            closed_form(cell, state.at(T), wrt)
        if cell.is_scalar:
            with pytest.raises(NoClosedForm, match=reason):
                elementary_form(cell, state.at(T), wrt, "constant")


def test_elementary_forms_that_do_not_exist() -> None:
    varying_cell, _ = CELLS["varying"]
    with pytest.raises(NoClosedForm, match="depends on time"):
        elementary_form(varying_cell, varying_cell.output.at(T), None, "geometric")
    output_cell, _ = CELLS["output"]
    with pytest.raises(NoClosedForm, match="ask for the state h_T"):
        elementary_form(output_cell, output_cell.output.at(T), None, "constant")
    cell, _ = CELLS["linear-input"]
    with pytest.raises(UsageError, match="a parameter or h_0"):
        elementary_form(cell, cell.output.at(T), cell.inputs[0].at(k), "constant")
    with pytest.raises(UsageError, match="no input 'sine'"):
        elementary_form(cell, cell.output.at(T), None, "sine")
    with pytest.raises(UsageError, match="scalar reading"):
        elementary_form(CATALOGUE["linear"], CATALOGUE["linear"].output.at(T), None, "zero")


# ---- found while these tests were written ------------------------------------------------------


@pytest.mark.parametrize("which", ["h_T", "dh_T/dh_0", "dh_T/db"])
def test_elementary_forms_of_a_factor_that_vanishes(which: str) -> None:
    cell, loop = CELLS["varying"]
    state = cell.states[0]
    wrt = {"h_T": None, "dh_T/dh_0": state.at(0), "dh_T/db": cell.params[1]}[which]
    form = elementary_form(cell, state.at(T), wrt, "zero")
    params = {"w": F(2), "b": F(3), "x": F(0), "rho": F(0)}
    for horizon in (0, 1, 2):
        moved = {n: Dual(v, F(wrt is not None and n == wrt.name)) for n, v in params.items()}
        result = dual(loop(moved, Dual(START, F(wrt is state.at(0))), [F(0)] * horizon))
        expected = result.value if wrt is None else result.slope
        assert elementary_value(cell, form, params, horizon, Rationals()) == expected, horizon


@pytest.mark.xfail(reason="PolynomialError of SymPy for a factor 1/v", strict=True)
def test_elementary_forms_of_a_quotient() -> None:
    cell, loop = CELLS["quotient"]
    try:
        form = elementary_form(cell, cell.output.at(T), None, "constant")
    except NoClosedForm:
        return
    params = {"v": F(2), "u": F(3), "x": X}
    assert elementary_value(cell, form, params, 3, Rationals()) == loop(params, START, [X] * 3)


@pytest.mark.xfail(reason="x (1 - (1 - alpha)^T) cancels and has no Σ form near it", strict=True)
def test_float64_where_a_denominator_cancelled() -> None:
    cell, loop = CELLS["leaky"]
    form = elementary_form(cell, cell.output.at(T), cell.params[1], "constant")
    floats = {"alpha": 1e-9, "w": 0.75, "x": 1.25}
    held = {**{n: F(v) for n, v in floats.items()}, "w": Dual(F(0.75), F(1))}
    expected = loop(held, Dual(F(1, 4)), [F(1.25)] * 3).slope
    found = elementary_value(cell, form, floats, 3, Floats(), 0.25)
    assert abs(F(float(found)) - expected) <= F(10) ** -12 * expected


@pytest.mark.parametrize("wrt", ["h_0", "h_k"])
def test_an_output_by_states_has_a_verdict(wrt: str) -> None:
    cell, _ = CELLS["output"]
    at = cell.states[0].at(0 if wrt == "h_0" else k)
    assert verdict_of(cell, closed_form(cell, cell.output.at(T), at)).holds
