"""Expanded forms: sums over time of products of Jacobians, against oracles and published numbers.

The references are the complex step through the cell's own equations and, for the
published instances, plain loops in mpmath; neither reads a table of derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest

from symgrad.adjoint import final, summed
from symgrad.cell import Cell, param, signal
from symgrad.cells import CATALOGUE
from symgrad.closed import Form, expanded_form
from symgrad.closed.sums import loss_expanded, summed_expanded
from symgrad.derivation import Writer, verdict_of
from symgrad.derivation.statements import two_step_total
from symgrad.errors import UsageError
from symgrad.evaluate.forms import form_value
from symgrad.lang.affine import T, as_affine, symbol, t
from symgrad.lang.algebra import Floats
from symgrad.lang.nodes import Apply, Node, Param, Shape, Signal, derivative
from symgrad.lang.program import Inputs, Runner, Trace
from symgrad.lang.tape import Environment, evaluate
from symgrad.ops import sigma, tanh
from symgrad.verify.oracles import Direction, complex_step

#: None of it is about how far T goes.
pytestmark = pytest.mark.usefixtures("quick")

k = symbol("k")
HORIZONS = range(7)
SIZES = ({"n": 1, "m": 1, "q": 1}, {"n": 2, "m": 3, "q": 1}, {"n": 3, "m": 2, "q": 4})
READINGS = [(name, number) for name in CATALOGUE for number in (None, 0, 1, 2)]


# ---- the reference: complex steps, with restarts at a signal inside the run -----------------


@dataclass
class Run:
    """A cell with values for everything, and derivatives by perturbing one number."""

    cell: Cell
    inputs: Inputs

    def signal(self, label: str, time: int) -> Any:
        return _trace(self, 8).signal(label, time)

    def by_parameter(self, of: str, time: int, name: str) -> Any:
        """Columns over the entries of the parameter, first index fastest."""
        return self._columns(
            self.inputs.params[name],
            lambda unit: self._step(self.inputs, time, of, Direction({name: unit}), time),
        )

    def by_signal(self, of: str, time: int, label: str, at: int) -> Any:
        """The derivative by a signal at a time, whatever made it."""
        if at == 0:
            value = self.inputs.initial[label]
            return self._columns(
                value,
                lambda unit: self._step(
                    self.inputs, time, of, Direction(initial={label: unit}), time
                ),
            )
        if label in [x.name for x in self.cell.inputs]:
            value = self.inputs.signals(label, at)
            return self._columns(
                value,
                lambda unit: self._step(
                    self.inputs, time, of, Direction(signals={(label, at): unit}), time
                ),
            )
        value = self.signal(label, at)
        return self._columns(value, lambda unit: self._restarted(of, time, label, at, unit))

    def _step(self, inputs: Inputs, T_: int, of: str, direction: Direction, time: int) -> Any:
        pieces = []
        for place in np.ndindex(*np.shape(self.signal(of, time))):
            pieces.append(
                complex_step(
                    self.cell.program,
                    inputs,
                    T_,
                    lambda trace, p=place: _entry(trace.signal(of, time), p),
                    direction,
                )
            )
        return np.reshape(pieces, (-1, 1))

    def _restarted(self, of: str, time: int, label: str, at: int, unit: Any) -> Any:
        """Run from time ``at`` - 1 by hand, adding i·ε to the signal when it is computed."""
        step = 1e-200
        algebra = Floats(np.complex128)
        inputs = self.inputs
        values: dict[tuple[str, int], Any] = {}

        def read(name: str, when: int) -> Any:
            if (name, when) in values:
                return values[name, when]
            if when < at and name in [s.name for s in self.cell.signals]:
                return self.signal(name, when) + 0j
            return inputs.signals(name, when) + 0j

        params = {n: v + 0j for n, v in inputs.params.items()}
        for when in range(at, time + 1):
            env = Environment(params, read, {"t": when}, inputs.sizes)
            for equation in self.cell.equations:
                value = evaluate(equation.value, algebra, env)
                if (equation.target.name, when) == (label, at):
                    value = value + 1j * step * unit
                values[equation.target.name, when] = value
        found = values[of, time] if (of, time) in values else self.signal(of, time) * 0j
        return np.reshape(np.imag(found) / step, (-1, 1))

    def _columns(self, value: Any, column: Any) -> Any:
        if np.ndim(value) == 0:
            return column(1.0)[0, 0]
        units = []
        for c, r in product(range(value.shape[1]), range(value.shape[0])):
            unit = np.zeros(value.shape)
            unit[r, c] = 1.0
            units.append(column(unit))
        return np.concatenate(units, axis=1)

    def __hash__(self) -> int:
        return id(self)


def _entry(value: Any, place: tuple[int, ...]) -> Any:
    return value[place] if place else value


@lru_cache(maxsize=64)
def _trace(run: Run, horizon: int) -> Trace:
    return Runner(run.cell.program, Floats()).run(run.inputs, horizon)


@lru_cache(maxsize=64)
def run_of(name: str, number: int | None) -> Run:
    cell = CATALOGUE[name] if number is not None else CATALOGUE[name].scalar()
    sizes = SIZES[number or 0]
    random = np.random.default_rng([7, number or 0, len(name)])

    def draw(shape: Shape) -> Any:
        if cell.is_scalar:
            return float(random.uniform(0.2, 1.2) * random.choice([-1, 1]))
        return random.uniform(-1, 1, (shape[0].value(sizes), shape[1].value(sizes)))

    signals = {
        (label, time): draw(shape)
        for label, shape in [
            *[(x.name, x.shape) for x in cell.inputs],
            *[(f"dl_{s.name}", s.shape) for s in cell.signals],
        ]
        for time in range(10)
    }
    params = {p.name: draw(p.shape) for p in cell.params}
    initial = {s.name: draw(s.shape) for s in cell.states}
    # A cotangent for each signal, whatever letter it has.
    return Run(cell, Inputs(params, initial, lambda label, time: signals[label, time], sizes))


def value_of(run: Run, form: Form, horizon: int, s: Any = None, **indices: int) -> Any:
    inputs = run.inputs
    if s is not None:
        inputs = Inputs({**inputs.params, **s}, inputs.initial, inputs.signals, inputs.sizes)
    return form_value(run.cell, form, inputs, horizon, Floats(), indices)


def close(found: Any, expected: Any) -> bool:
    """Relative, entry by entry; sums that cancel may be off by the rounding of their largest."""
    terms = float(np.max(np.abs(expected))) if np.size(expected) else 0.0
    found, expected = np.broadcast_arrays(found, expected)
    off = np.abs(found - expected)
    return bool(np.all(off <= 1e-12 * np.abs(expected) + 1e-14 * terms))


# ---- every pair of the catalogue --------------------------------------------------------------


@pytest.mark.parametrize(("name", "number"), READINGS)
def test_every_signal_by_every_parameter(name: str, number: int | None) -> None:
    run = run_of(name, number)
    cell = run.cell
    for of, wrt in product(cell.signals, cell.params):
        form = expanded_form(cell, of.at(T), wrt)
        horizons = [h for h in HORIZONS if h >= max(form.first_horizon, 0)]
        assert form.first_horizon == (0 if cell.is_state(of.name) else 1)
        for horizon in horizons if cell.is_scalar else (horizons[0], 3):
            jacobian = run.by_parameter(of.name, horizon, wrt.name)
            if cell.is_scalar:
                assert close(value_of(run, form, horizon), jacobian), (of, wrt, horizon)
                continue
            cotangent = final(cell, of).cotangent
            assert isinstance(cotangent, Param)
            s = np.random.default_rng(horizon).uniform(-1, 1, np.shape(run.signal(of.name, 1)))
            rows, columns = run.inputs.params[wrt.name].shape
            expected = (s.T @ jacobian).reshape(columns, rows).T
            found = value_of(run, form, horizon, {cotangent.name: s})
            assert found.shape == (rows, columns)
            assert close(found, expected), (of, wrt, horizon)


def signal_pairs(cell: Cell) -> list[tuple[Signal, Signal]]:
    return list(product(cell.signals, (*cell.signals, *cell.inputs)))


@pytest.mark.parametrize(("name", "number"), READINGS)
def test_every_signal_by_every_signal_at_k(name: str, number: int | None) -> None:
    run = run_of(name, number)
    cell = run.cell
    for of, wrt in signal_pairs(cell):
        form = expanded_form(cell, of.at(T), wrt.at(k))
        ((_, low, high),) = form.times
        assert high == T
        for horizon in range(max(form.first_horizon, 1), 6 if cell.is_scalar else 4):
            for at in range(low.const, horizon + 1):
                expected = run.by_signal(of.name, horizon, wrt.name, at)
                found = value_of(run, form, horizon, k=at)
                assert close(found, expected), (of, wrt, horizon, at)


@pytest.mark.parametrize(("name", "number"), READINGS)
def test_every_signal_by_every_initial_state(name: str, number: int | None) -> None:
    run = run_of(name, number)
    cell = run.cell
    for of, wrt in product(cell.signals, cell.states):
        form = expanded_form(cell, of.at(T), wrt.at(0))
        for horizon in range(0 if cell.is_state(of.name) else 1, 7 if cell.is_scalar else 4):
            expected = run.by_signal(of.name, horizon, wrt.name, 0)
            if horizon == 0:
                unit = (
                    np.eye(np.shape(run.inputs.initial[wrt.name])[0]) if number is not None else 1.0
                )
                expected = unit * float(of == wrt)
            assert close(value_of(run, form, horizon), expected), (of, wrt, horizon)


@pytest.mark.parametrize(("name", "number"), [(n, i) for n, i in READINGS if i in (None, 2)])
def test_fixed_distances(name: str, number: int | None) -> None:
    """ds_t/dr_{t-d} for d = 0, 1, 2, 3: one term a path for d = 1, products for the others."""
    run = run_of(name, number)
    cell = run.cell
    for (of, wrt), distance in product(signal_pairs(cell), range(4)):
        form = expanded_form(cell, of.at(t), wrt.at(t - distance))
        ((_, low, _),) = form.times
        for time in {low.const, 4}:
            expected = run.by_signal(of.name, time, wrt.name, time - distance)
            if time == 0:
                continue
            found = value_of(run, form, 5, t=time)
            assert close(found, expected), (of, wrt, distance, time)


@pytest.mark.parametrize(("name", "number"), READINGS)
def test_sums_over_time(name: str, number: int | None) -> None:
    """dL/dθ for Σ_t ⟨s, q_t⟩ and Σ_t ℓ_t(q_t): the same sums with a cotangent for each t."""
    run = run_of(name, number)
    cell, of = run.cell, run.cell.output
    s = np.random.default_rng(1).uniform(-1, 1, np.shape(run.signal(of.name, 1)))
    cotangent = summed(cell, of).cotangent
    given = {cotangent.name: s} if isinstance(cotangent, Param) else {}
    for wrt in cell.params:
        for made, weight in (
            (summed_expanded, lambda _: s if given else 1.0),
            (loss_expanded, lambda time: run.inputs.signals(f"dl_{of.name}", time)),
        ):
            form = made(cell, of, wrt)
            for horizon in (0, 3):
                expected = np.zeros(np.shape(run.inputs.params[wrt.name]))
                for time in range(1, horizon + 1):
                    jacobian = run.by_parameter(of.name, time, wrt.name)
                    if cell.is_scalar:
                        expected = expected + weight(time) * jacobian
                    else:
                        rows, columns = expected.shape
                        expected += (weight(time).T @ jacobian).reshape(columns, rows).T
                found = value_of(run, form, horizon, given)
                assert close(found, expected), (wrt, horizon, made)


@pytest.mark.parametrize("name", CATALOGUE)
def test_scalar_forms_by_parameters_have_verdicts(name: str) -> None:
    cell = CATALOGUE[name].scalar()
    params = cell.params if len(cell.states) == 1 else (cell.params[0], cell.params[7])
    for of, wrt in product(cell.states[-1:], params):
        form = expanded_form(cell, of.at(T), wrt)
        assert verdict_of(cell, form).status == "proved", (of, wrt)


def test_times_in_the_wrong_order_are_refused() -> None:
    cell = CATALOGUE["rnn"].scalar()
    h = cell.states[0]
    with pytest.raises(UsageError, match="comes later"):
        expanded_form(cell, h.at(t - 1), h.at(t))
    with pytest.raises(UsageError, match="not among them"):
        expanded_form(CATALOGUE["lstm"], cell.output.at(T), h.at(k), along=("c",))


# ---- published instances ------------------------------------------------------------------------

NUMBER = mpmath.MPContext()
NUMBER.dps = 50
LSTM_S = {
    "w_f": "0.4", "u_f": "-0.6", "b_f": "0.1", "w_i": "-0.3", "u_i": "0.5", "b_i": "0.2",
    "w_o": "0.7", "u_o": "0.9", "b_o": "-0.1", "w_g": "0.8", "u_g": "-1.1", "b_g": "0.05",
}  # fmt: skip
XS = ("0.5", "-1.0", "0.8")


def lstm_inputs() -> Inputs:
    return Inputs(
        {name: float(value) for name, value in LSTM_S.items()},
        {"h": 0.1, "c": 0.2},
        lambda label, time: float(XS[time - 1]),
    )


def sigmoid(x: Any) -> Any:
    return 1 / (1 + NUMBER.exp(-x))


def lstm_step(p: dict[str, Any], x: Any, h: Any, c: Any, **fixed: Any) -> dict[str, Any]:
    """One step by hand; a gate in ``fixed`` is not computed but given."""
    s: dict[str, Any] = {}
    for gate in "fiog":
        squash = NUMBER.tanh if gate == "g" else sigmoid
        s[gate] = fixed.get(gate, squash(p[f"w_{gate}"] * x + p[f"u_{gate}"] * h + p[f"b_{gate}"]))
    s["c"] = s["f"] * c + s["i"] * s["g"]
    s["h"] = s["o"] * NUMBER.tanh(s["c"])
    return s


def lstm_states() -> list[dict[str, Any]]:
    p = {name: NUMBER.mpf(value) for name, value in LSTM_S.items()}
    states = [{"h": NUMBER.mpf("0.1"), "c": NUMBER.mpf("0.2")}]
    for x in XS:
        states.append(lstm_step(p, NUMBER.mpf(x), states[-1]["h"], states[-1]["c"]))
    return states


def c_from_c_1(c_1: Any, last: int) -> Any:
    """c_last as a function of c_1 alone: h_1 = o_1 tanh c_1 follows, o_1 does not."""
    p = {name: NUMBER.mpf(value) for name, value in LSTM_S.items()}
    o_1 = lstm_states()[1]["o"]
    state = {"c": c_1, "h": o_1 * NUMBER.tanh(c_1)}
    for x in XS[1:last]:
        state = lstm_step(p, NUMBER.mpf(x), state["h"], state["c"])
    return state["c"]


def lstm_value(form: Form, horizon: int, **indices: int) -> float:
    return number(form_value(LSTM, form, lstm_inputs(), horizon, Floats(), indices))


LSTM = CATALOGUE["lstm"].scalar()
F_, I_, O_, G_, C_, H_ = LSTM.signals


def number(value: Any) -> float:
    """The one number of a value; products of blocks give it as an array."""
    return float(np.asarray(value).item())


def printed(value: Any, text: str) -> bool:
    """All digits that are printed."""
    return f"{float(value):.{len(text.split('.')[1])}f}" == text


def test_the_one_step_derivative_of_the_cell_state_has_four_terms() -> None:
    form = expanded_form(LSTM, C_, C_.prev)
    assert isinstance(form.right, Apply)
    assert form.right.head.name == "add"
    assert len(form.right.args) == 4
    assert form.right.args[0] is F_  # the direct one first, then through h_{t-1} to f, i, g
    total = lstm_value(form, 3, t=2)
    assert printed(total, "0.1566506285")
    # Each term apart, by moving what one gate sees of h_1 and nothing else.
    p = {name: NUMBER.mpf(value) for name, value in LSTM_S.items()}
    states = lstm_states()
    c_1, o_1 = states[1]["c"], states[1]["o"]

    def through(gate: str) -> Any:
        def c_2(moved: Any) -> Any:
            h = o_1 * NUMBER.tanh(moved)
            seen = lstm_step(p, NUMBER.mpf(XS[1]), h, c_1)[gate]
            fixed = {g: states[2][g] for g in "fiog"} | {gate: seen}
            return lstm_step(p, NUMBER.mpf(XS[1]), h, c_1, **fixed)["c"]

        return NUMBER.diff(c_2, c_1)

    expected = {"f": through("f"), "i": through("i"), "g": through("g"), "c": states[2]["f"]}
    inputs = lstm_inputs()
    terms = [
        number(form_value(LSTM, Form("expanded", form.left, term), inputs, 3, Floats(), {"t": 2}))
        for term in form.right.args
    ]
    matched = sorted(float(v) for v in expected.values())
    assert all(close(a, b) for a, b in zip(sorted(terms), matched, strict=True))
    assert sum(abs(term) for term in terms) > 2 * abs(total)  # none of them is negligible


def test_longer_derivatives_of_the_cell_state() -> None:
    at_k = expanded_form(LSTM, C_.at(T), C_.at(k))
    assert printed(lstm_value(at_k, 2, k=1), "0.1566506285")
    assert printed(lstm_value(at_k, 3, k=1), "0.0955705048")
    for last in (2, 3):
        reference = NUMBER.diff(lambda c, last=last: c_from_c_1(c, last), lstm_states()[1]["c"])
        assert close(lstm_value(at_k, last, k=1), float(reference))
    assert printed(lstm_value(expanded_form(LSTM, C_.at(T), LSTM.params[0]), 3), "-0.1034846151")
    assert LSTM.params[0].name == "w_f"


def test_the_product_of_one_step_derivatives_is_another_thing() -> None:
    """dc_3/dc_1 is not dc_3/dc_2 · dc_2/dc_1: the paths c_1 → h_1 → o_2 → h_2 → c_3 are missing."""
    one_step = expanded_form(LSTM, C_, C_.prev)
    product_of_steps = lstm_value(one_step, 3, t=3) * lstm_value(one_step, 3, t=2)
    total = lstm_value(expanded_form(LSTM, C_.at(T), C_.at(k)), 3, k=1)
    assert printed(total, "0.0955705048")
    assert abs(product_of_steps - total) > 0.05 * abs(total)
    # What is missing is the way around c_2: h_2 = o_2 tanh c_2 moves with o_2 as well.
    p = {name: NUMBER.mpf(value) for name, value in LSTM_S.items()}
    states = lstm_states()

    def around(c_1: Any) -> Any:
        h_1 = states[1]["o"] * NUMBER.tanh(c_1)
        o_2 = lstm_step(p, NUMBER.mpf(XS[1]), h_1, states[1]["c"])["o"]
        h_2 = o_2 * NUMBER.tanh(states[2]["c"])
        return lstm_step(p, NUMBER.mpf(XS[2]), h_2, states[2]["c"])["c"]

    missing = float(NUMBER.diff(around, states[1]["c"]))
    assert abs(product_of_steps + missing - total) <= 1e-13 * abs(total)


def test_the_two_step_identity() -> None:
    write = Writer("two", "two", "two")
    write.section("two steps")
    step = two_step_total(write, LSTM, "c", "two steps")
    assert step.verdict.status == "proved"
    assert step.verdict.scope == "all t ≥ 3"
    assert step.replay().status == "proved"
    (right,) = step.chain
    assert isinstance(right, Apply)
    # The product alone is what C003 of the corpus claims, and it is refuted.
    around = right.args[1:]
    assert len(around) == 3
    evidence = write.evidence(LSTM)
    for dropped in around:
        rest = [term for term in right.args if term is not dropped]
        wrong = rest[0]
        for term in rest[1:]:
            wrong = wrong + term
        verdict = evidence.one_step(
            step.left, wrong, times=(("t", as_affine(3), T),), horizon=3, indices={"t": 3}, first=3
        )
        assert verdict.status == "refuted"


def test_paths_through_the_cell_state_only() -> None:
    """dc_T/dc_k |_c = Π f_j, and it is not the total derivative."""
    form = expanded_form(LSTM, C_.at(T), C_.at(k), along=("c",))
    assert form.kind == "restricted"
    assert verdict_of(LSTM, form).status == "proved"
    total = expanded_form(LSTM, C_.at(T), C_.at(k))
    fs = [state.get("f") for state in lstm_states()]
    for last in range(4):
        for first in range(last + 1):
            expected = float(NUMBER.fprod(fs[first + 1 : last + 1]))
            assert close(lstm_value(form, last, k=first), expected)
            if 0 < first < last:
                assert abs(lstm_value(total, last, k=first) - expected) > 0.05 * expected


def test_paths_that_leave_the_named_signals_within_a_step_do_not_count() -> None:
    """c_{t-1} → z_t → c_t and c_{t-1} → a_t → c_t are left out, c_{t-1} → c_t stays."""
    a, c, z = signal("a"), signal("c"), signal("z")
    w, u = param("w"), param("u")
    equations = [(z, sigma(w * c.prev)), (a, tanh(u * c.prev)), (c, a + z * c.prev * c.prev)]
    cell = Cell("leaving", equations).scalar()
    form = expanded_form(cell, c.at(T), c.at(k), along=("c",))
    also = expanded_form(cell, c.at(T), c.at(k), along=("c", "z"))
    inputs = Inputs({"w": 0.7, "u": -0.4}, {"c": 0.6}, lambda label, time: 0.0)
    trace = Runner(cell.program, Floats()).run(inputs, 4)
    only, with_z = 1.0, 1.0
    for time in range(2, 5):
        before, gate = trace.signal("c", time - 1), trace.signal("z", time)
        only *= 2 * gate * before
        with_z *= 2 * gate * before + 0.7 * gate * (1 - gate) * before**2
    assert close(number(form_value(cell, form, inputs, 4, Floats(), {"k": 1})), only)
    assert close(number(form_value(cell, also, inputs, 4, Floats(), {"k": 1})), with_z)
    assert verdict_of(cell, form).holds


def test_paths_through_every_state_are_all_paths() -> None:
    for source in (H_, C_):
        whole = expanded_form(LSTM, C_.at(T), source.at(k))
        named = expanded_form(LSTM, C_.at(T), source.at(k), along=tuple("fiogch"))
        for first in (1, 2):
            assert close(lstm_value(named, 3, k=first), lstm_value(whole, 3, k=first))


def test_the_vector_product_of_forget_gates() -> None:
    cell = CATALOGUE["lstm"]
    c = cell.signals[4]
    form = expanded_form(cell, c.at(T), c.at(k), along=("c",))
    run = run_of("lstm", 2)
    for first, last in ((0, 3), (1, 3), (2, 2)):
        expected = np.eye(3)
        for time in range(first + 1, last + 1):
            expected = np.diag(run.signal("f", time)[:, 0]) @ expected
        assert close(value_of(run, form, last, k=first), expected)


@pytest.mark.parametrize(
    ("u", "h_fixed", "follows", "of_h"), [(6, 256, 1024, 768), (-2, None, 0, 0), (0, None, None, 0)]
)
def test_the_exact_family(u: int, h_fixed: Any, follows: Any, of_h: int) -> None:
    """All parameters 0 but U_g = u, inputs and states 0: M = [[1/2, u/2], [1/4, u/4]] exactly."""
    params = dict.fromkeys(LSTM_S, 0.0) | {"u_g": float(u)}
    inputs = Inputs(params, {"h": 0.0, "c": 0.0}, lambda label, time: 0.0)

    def at(form: Form, horizon: int, **indices: int) -> float:
        return number(form_value(LSTM, form, inputs, horizon, Floats(), indices))

    by_c, by_h = (expanded_form(LSTM, C_.at(T), s.at(0)) for s in (C_, H_))
    M = np.array([[0.5, u / 2], [0.25, u / 4]])
    for horizon in (1, 2, 5, 10):
        power = np.linalg.matrix_power(M, horizon)
        assert at(by_c, horizon) == power[0, 0]
        assert at(by_h, horizon) == power[0, 1]
        assert at(expanded_form(LSTM, H_.at(T), H_.at(0)), horizon) == power[1, 1]
        # With h_0 = o_0 tanh c_0 moving along: what a step in the middle of a run sees.
        inner = at(expanded_form(LSTM, C_.at(T), C_.at(k)), horizon + 1, k=1)
        assert inner == power[0, 0] + power[0, 1] / 2
    if h_fixed is not None:
        assert at(by_c, 10) == h_fixed
    if follows is not None:
        assert at(expanded_form(LSTM, C_.at(T), C_.at(k)), 11, k=1) == follows
    assert at(expanded_form(LSTM, H_.at(T), H_.at(0)), 10) == of_h
    if u == 0:
        assert at(by_c, 10) == 2.0**-10
    restricted = expanded_form(LSTM, C_.at(T), C_.at(k), along=("c",))
    assert at(restricted, 10, k=0) == 2.0**-10


def test_the_constant_member_of_the_family() -> None:
    params = dict.fromkeys(LSTM_S, 0.0) | {"u_g": 2.0}
    inputs = Inputs(params, {"h": 0.0, "c": 0.0}, lambda label, time: 0.0)
    form = expanded_form(LSTM, C_.at(T), C_.at(k))
    values = {
        number(form_value(LSTM, form, inputs, 12, Floats(), {"k": at})) for at in range(1, 12)
    }
    assert values == {1.0}


def test_the_plain_rnn_of_the_corpus() -> None:
    """Instance RNN-S: dh_3/dw, the factors, and their product as dh_3/dh_0."""
    cell = CATALOGUE["rnn"].scalar()
    h = cell.states[0]
    params = {"w_x": 0.7, "w_h": 1.3, "b_h": 0.1, "w_y": 0.9, "b_y": 0.0}
    inputs = Inputs(params, {"h": 0.2}, lambda label, time: float(XS[time - 1]))

    def at(form: Form, horizon: int, **indices: int) -> float:
        return number(form_value(cell, form, inputs, horizon, Floats(), indices))

    w_h = next(p for p in cell.params if p.name == "w_h")
    assert printed(at(expanded_form(cell, h.at(T), w_h), 3), "0.5578305346")
    one_step = expanded_form(cell, h, h.prev)
    factors = [at(one_step, 3, t=time) for time in (1, 2, 3)]
    for value, text in zip(factors, ("0.8152", "1.2523", "0.6249"), strict=True):
        assert printed(value, text)
    whole = at(expanded_form(cell, h.at(T), h.at(0)), 3)
    assert close(whole, factors[0] * factors[1] * factors[2])
    x = NUMBER.mpf

    def last(h_0: Any) -> Any:
        for value in XS:
            h_0 = NUMBER.tanh(x("0.7") * x(value) + x("1.3") * h_0 + x("0.1"))
        return h_0

    assert close(whole, float(NUMBER.diff(last, x("0.2"))))


def test_the_loss_of_the_lstm_of_the_corpus() -> None:
    """dL/dθ as a double sum; L = Σ (h_t - y_t)² / 2 of instance LSTM-S."""
    targets = (0.2, -0.4, 0.3)
    h = [float(state["h"]) for state in lstm_states()]
    inputs = lstm_inputs()
    inputs.signals = lambda label, time: (
        h[time] - targets[time - 1] if label == "dl_h" else float(XS[time - 1])
    )
    published = {"w_f": "0.0083066894", "u_g": "0.0029425340", "b_o": "-0.0328762843"}
    for parameter in LSTM.params:
        if parameter.name in published:
            form = loss_expanded(LSTM, H_, parameter)
            found = number(form_value(LSTM, form, inputs, 3, Floats()))
            assert printed(found, published[parameter.name])


# ---- found while these tests were written --------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "of", "wrt", "back"),
    [
        ("rnn", "h", "h", 1),
        ("rnn", "y", "h", 0),
        ("lstm", "c", "c", 1),
        ("lstm", "h", "o", 0),
        ("linear-input", "h", "x", 0),
    ],
)
def test_a_fixed_distance_from_the_last_step(name: str, of: str, wrt: str, back: int) -> None:
    cell = CATALOGUE[name].scalar()
    signals: dict[str, Node] = {s.name: s for s in (*cell.signals, *cell.inputs)}
    end, begin = signals[of], signals[wrt]
    assert isinstance(end, Signal)
    assert isinstance(begin, Signal)
    form = expanded_form(cell, end.at(T), begin.at(T - back))
    assert form.left is derivative("total", end.at(T), begin.at(T - back))
    assert verdict_of(cell, form).holds


@pytest.mark.parametrize("at", ["0", "k"])
def test_an_output_by_a_state_has_a_verdict(at: str) -> None:
    cell = CATALOGUE["rnn"].scalar()
    h, y = cell.signals
    form = expanded_form(cell, y.at(T), h.at(0 if at == "0" else k))
    assert verdict_of(cell, form).holds
