"""Gradients of every cell against oracles that share nothing with the derivation.

The complex step uses the cell's own equations; autograd differentiates forward passes
written out here by hand; saturated values are compared in as many digits as they need;
published numbers are compared in every digit that is printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.adjoint import Objective, backward, final, loss, summed
from symgrad.cell import Cell
from symgrad.cells import CATALOGUE
from symgrad.lang.algebra import Floats, Multiprecision
from symgrad.lang.nodes import Param, Shape
from symgrad.lang.program import Inputs, Runner, Trace
from symgrad.strategies import cells, horizons, initial_states, parameters, sequences, sizes
from symgrad.verify.oracles import (
    Direction,
    compare,
    complex_step,
    high_precision_difference,
    unit_directions,
)

#: n, m, q; cells without one of them ignore it.
SIZES = [{"n": 1, "m": 1, "q": 1}, {"n": 2, "m": 3, "q": 1}, {"n": 3, "m": 2, "q": 4}]
OBJECTIVES: dict[str, Callable[[Cell], Objective]] = {
    "final": final,
    "summed": summed,
    "loss": loss,
    "squared": lambda cell: loss(cell, squared=True),
    "last loss": lambda cell: loss(cell, squared=True, last_only=True),
}
READINGS = [(name, reading) for name in CATALOGUE for reading in ("vector", "scalar")]


def cell_of(name: str, reading: str) -> Cell:
    return CATALOGUE[name] if reading == "vector" else CATALOGUE[name].scalar()


# ---- forward passes by hand -------------------------------------------------------------


def linear(p: dict[str, Any], start: dict[str, Any], xs: list[Any], T: int) -> list[Any]:
    h, out = start["h"], []
    for _ in range(T):
        h = anp.dot(p["W"], h)
        out.append(h)
    return out


def linear_input(p: dict[str, Any], start: dict[str, Any], xs: list[Any], T: int) -> list[Any]:
    h, out = start["h"], []
    for x in xs:
        h = anp.dot(p["W"], h) + anp.dot(p["U"], x) + p["b"]
        out.append(h)
    return out


def rnn(p: dict[str, Any], start: dict[str, Any], xs: list[Any], T: int) -> list[Any]:
    h, out = start["h"], []
    for x in xs:
        h = anp.tanh(anp.dot(p["W_x"], x) + anp.dot(p["W_h"], h) + p["b_h"])
        out.append(anp.dot(p["W_y"], h) + p["b_y"])
    return out


def lstm(p: dict[str, Any], start: dict[str, Any], xs: list[Any], T: int) -> list[Any]:
    h, c, out = start["h"], start["c"], []
    for x in xs:
        f, i, o, g = (
            anp.dot(p[f"W_{gate}"], x) + anp.dot(p[f"U_{gate}"], h) + p[f"b_{gate}"]
            for gate in "fiog"
        )
        c = c / (1 + anp.exp(-f)) + anp.tanh(g) / (1 + anp.exp(-i))
        h = anp.tanh(c) / (1 + anp.exp(-o))
        out.append(h)
    return out


FORWARD: dict[str, Callable[..., list[Any]]] = {
    "linear": linear,
    "linear-input": linear_input,
    "rnn": rnn,
    "lstm": lstm,
}


def test_every_cell_has_a_forward_pass_by_hand() -> None:
    assert set(FORWARD) == set(CATALOGUE)


# ---- one run ------------------------------------------------------------------------------


@dataclass
class Case:
    """A cell, an objective, and random values for everything."""

    cell: Cell
    objective: Objective
    sizes: dict[str, int]
    T: int
    params: dict[str, Any]
    initial: dict[str, Any]
    signals: dict[tuple[str, int], Any]
    cotangent: Any

    @property
    def inputs(self) -> Inputs:
        params = dict(self.params)
        if self.cotangent is not None:
            assert isinstance(self.objective.cotangent, Param)
            params[self.objective.cotangent.name] = self.cotangent
        return Inputs(params, self.initial, lambda label, t: self.signals[label, t], self.sizes)

    @property
    def starts_with_output(self) -> bool:
        return self.cell.is_state(self.objective.signal.name)

    def value(self, out: Callable[[int], Any], total: Callable[[Any], Any]) -> Any:
        """L from the output at each time."""
        name, kind = self.objective.signal.name, self.objective.kind
        if self.objective.when == "final":
            times = [self.T] if self.T > 0 or self.starts_with_output else []
        else:
            times = list(range(1, self.T + 1))
        result = 0.0
        for t in times:
            if kind == "linear":
                s = 1.0 if self.cotangent is None else self.cotangent
                result = result + total(s * out(t))
            elif kind == "loss":
                # Any ℓ_t with this gradient will do.
                result = result + total(self.signals[f"dl_{name}", t] * out(t))
            else:
                gap = out(t) - self.signals[f"target_{name}", t]
                result = result + total(gap * gap) / 2
        return result


def make_case(name: str, reading: str, kind: str, given_sizes: dict[str, int], T: int) -> Case:
    cell = cell_of(name, reading)
    objective = OBJECTIVES[kind](cell)
    random = np.random.default_rng([T, *given_sizes.values(), len(kind), len(name)])

    def draw(shape: Shape) -> Any:
        if cell.is_scalar:
            return float(random.uniform(-1, 1))
        return random.uniform(-1, 1, (shape[0].value(given_sizes), shape[1].value(given_sizes)))

    of = objective.signal
    labels = {entry.name: entry.shape for entry in cell.inputs}
    labels |= {f"dl_{of.name}": of.shape, f"target_{of.name}": of.shape}
    return Case(
        cell,
        objective,
        given_sizes,
        T,
        {p.name: draw(p.shape) for p in cell.params},
        {s.name: draw(s.shape) for s in cell.states},
        {(label, t): draw(shape) for label, shape in labels.items() for t in range(T + 1)},
        draw(of.shape) if objective.kind == "linear" and not cell.is_scalar else None,
    )


def derived(case: Case) -> tuple[dict[str, Any], dict[str, Any], dict[int, Any]]:
    """The gradients with respect to parameters, initial states and inputs."""
    gradient = backward(case.cell, case.objective)
    names = [entry.name for entry in case.cell.inputs]
    trace = Runner(gradient.with_signal_adjoints(*names), Floats()).run(case.inputs, case.T)
    starts = {s.name: trace.values[f"lam_{s.name}", 0] for s in case.cell.states}
    moved = {t: trace.values["lam_x", t] for t in range(1, case.T + 1)} if names else {}
    return trace.totals, starts, moved


CASES = [
    (name, reading, kind, number, T)
    for name, reading in READINGS
    for kind in OBJECTIVES
    for number, _ in enumerate(SIZES)
    for T in ((0, 1, 2, 3, 8) if number == 2 else (1, 4, 6) if number == 1 else (0, 2, 5, 7, 30))
    if reading == "vector" or number == 0
]


# At T = 0 autograd says that nothing depends on the parameters.
@pytest.mark.filterwarnings("ignore:Output seems independent of input")
@pytest.mark.parametrize(("name", "reading", "kind", "number", "T"), CASES)
def test_against_autograd(name: str, reading: str, kind: str, number: int, T: int) -> None:
    case = make_case(name, reading, kind, SIZES[number], T)
    xs = [case.signals["x", t] for t in range(1, T + 1)] if case.cell.inputs else []

    def objective(params: Any, start: Any, xs: Any) -> Any:
        named = {
            known.name: params[lower] for known, lower in zip(vector_params, lowered, strict=True)
        }
        outs = FORWARD[name](named, start, xs, T)
        return case.value(
            lambda t: outs[t - 1] if t else start[case.objective.signal.name], anp.sum
        )

    vector_params, lowered = CATALOGUE[name].params, [p.name for p in case.cell.params]
    expected = [
        autograd.grad(objective, place)(case.params, case.initial, xs) if place < 2 or xs else []
        for place in range(3)
    ]
    totals, starts, moved = derived(case)
    for found, reference in [(totals, expected[0]), (starts, expected[1])]:
        assert found.keys() == reference.keys()
        for key, value in found.items():
            assert compare(value, reference[key]) < 1e-11, key
    for t, value in moved.items():
        assert compare(value, expected[2][t - 1]) < 1e-11, t


@pytest.mark.parametrize(("name", "reading"), READINGS)
@pytest.mark.parametrize("kind", OBJECTIVES)
@pytest.mark.parametrize("T", [0, 1, 2, 3, 4, 5, 6, 7, 8, 25])
def test_against_complex_step(name: str, reading: str, kind: str, T: int) -> None:
    case = make_case(name, reading, kind, SIZES[T % 3], T)
    totals, starts, moved = derived(case)

    def objective(trace: Trace) -> Any:
        return case.value(lambda t: trace.signal(case.objective.signal.name, t), np.sum)

    random = np.random.default_rng(T)
    for found, values in ((totals, "params"), (starts, "initial")):
        for key, gradient in found.items():
            direction = random.uniform(0.5, 1.5, np.shape(gradient))[()]
            reference = complex_step(
                case.cell.program,
                case.inputs,
                T,
                objective,
                Direction(**{values: {key: direction}}),
            )
            terms = np.sum(np.abs(gradient * direction))
            assert close(np.sum(gradient * direction), reference, terms), key
    for t, gradient in list(moved.items())[:2]:
        reference = complex_step(
            case.cell.program,
            case.inputs,
            T,
            objective,
            Direction(signals={("x", t): np.ones(np.shape(gradient))[()]}),
        )
        assert close(np.sum(gradient), reference, np.sum(np.abs(gradient))), t


def close(value: float, reference: float, terms: float) -> bool:
    """Equal up to the rounding of a sum over entries of this total magnitude."""
    return abs(value - reference) <= 1e-12 * terms


# ---- saturated, tiny and huge values ------------------------------------------------------


def precise(case: Case, digits: int) -> Trace:
    """The gradient program in so many digits."""
    algebra = Multiprecision(digits)
    inputs = case.inputs

    def exactly(value: Any) -> Any:
        return algebra.map(lambda entry: algebra.context.mpf(float(entry)), value)

    exact = Inputs(
        {key: exactly(value) for key, value in inputs.params.items()},
        {key: exactly(value) for key, value in inputs.initial.items()},
        lambda label, t: exactly(inputs.signals(label, t)),
        inputs.sizes,
    )
    return Runner(backward(case.cell, case.objective).program, algebra).run(exact, case.T)


def check_precisely(
    case: Case, key: str, *, state: bool = False, position: tuple[int, ...] = ()
) -> None:
    """One entry of the gradient against differences, to 18 digits or the error of a zero."""
    unit = dict(unit_directions((case.initial if state else case.params)[key]))[position]
    direction = Direction(initial={key: unit}) if state else Direction({key: unit})
    reference = high_precision_difference(
        case.cell.program,
        case.inputs,
        case.T,
        lambda trace: case.value(lambda t: trace.signal(case.objective.signal.name, t), np.sum),
        direction,
        most_digits=480,
    )
    trace = precise(case, 2 * reference.digits)
    gradient = trace.values[f"lam_{key}", 0] if state else trace.totals[key]
    found = gradient[position] if position else gradient
    if reference.value == 0:
        assert abs(found) <= reference.error
    else:
        assert compare(found, reference.value) < 1e-18


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("scale", [40.0, 1e3, 1e-3, 1e-200])
def test_saturated_tiny_and_huge(name: str, scale: float) -> None:
    case = make_case(name, "scalar", "squared", SIZES[0], 3)
    case.params = {key: value * scale for key, value in case.params.items()}
    for key in case.params:
        check_precisely(case, key)
    for key in case.initial:
        check_precisely(case, key, state=True)


def test_float64_alone_would_refute_a_right_gradient() -> None:
    case = make_case("rnn", "scalar", "final", SIZES[0], 1)
    case.params |= {"w_x": 0.0, "w_h": 0.0, "b_h": 20.0, "w_y": 1.0}
    exact = precise(case, 60).totals["b_h"]
    totals, _, _ = derived(case)
    assert compare(float(totals["b_h"]), float(exact)) > 0.5


@settings(max_examples=25)
@given(st.data())
def test_extreme_values_in_many_digits(data: st.DataObject) -> None:
    cell = data.draw(cells(reading="scalar"))
    T = data.draw(horizons(3))
    objective = data.draw(st.sampled_from([final, summed]))(cell)
    xs = data.draw(sequences(cell, T))
    case = Case(
        cell,
        objective,
        {},
        T,
        data.draw(parameters(cell)),
        data.draw(initial_states(cell)),
        {(key, t): x for key, values in xs.items() for t, x in enumerate(values, 1)},
        None,
    )
    check_precisely(case, data.draw(st.sampled_from(sorted(case.params))))


@settings(max_examples=25)
@given(st.data())
def test_any_sizes_in_many_digits(data: st.DataObject) -> None:
    cell = data.draw(cells(reading="vector"))
    chosen = data.draw(sizes(cell))
    T = data.draw(horizons(4))
    xs = data.draw(sequences(cell, T, chosen))
    case = Case(
        cell,
        summed(cell),
        chosen,
        T,
        data.draw(parameters(cell, chosen, extreme=False)),
        data.draw(initial_states(cell, chosen)),
        {(key, t): x for key, values in xs.items() for t, x in enumerate(values, 1)},
        np.ones((cell.output.shape[0].value(chosen), 1)),
    )
    key = data.draw(st.sampled_from(sorted(case.params)))
    position = data.draw(st.sampled_from([p for p, _ in unit_directions(case.params[key])]))
    check_precisely(case, key, position=position)


# ---- published numbers --------------------------------------------------------------------

XS = (0.5, -1.0, 0.8)
TARGETS = (0.2, -0.4, 0.3)
RNN_S = {"w_x": 0.7, "w_h": 1.3, "b_h": 0.1, "w_y": 0.9, "b_y": 0.0}
LSTM_S = {
    "w_f": 0.4, "u_f": -0.6, "b_f": 0.1, "w_i": -0.3, "u_i": 0.5, "b_i": 0.2,
    "w_o": 0.7, "u_o": 0.9, "b_o": -0.1, "w_g": 0.8, "u_g": -1.1, "b_g": 0.05,
}  # fmt: skip


def published(
    name: str,
    params: dict[str, float],
    initial: dict[str, float],
    objective: Callable[[Cell], Objective],
    T: int = 3,
) -> Trace:
    """A run of an instance of the corpus of published formulas."""
    cell = CATALOGUE[name].scalar()
    program = backward(cell, objective(cell)).program
    given_values = Inputs(
        params, initial, lambda label, t: XS[t - 1] if label == "x" else TARGETS[t - 1]
    )
    return Runner(program, Floats()).run(given_values, T)


def printed(value: Any, text: str) -> bool:
    """Whether the value, rounded to as many places, is what is printed."""
    places = len(text.split(".")[1])
    return f"{float(value):.{places}f}" == f"{float(text):.{places}f}"


def squared(cell: Cell) -> Objective:
    return loss(cell, squared=True)


def test_the_plain_rnn_of_the_corpus() -> None:
    """Instance RNN-S of the corpus of published formulas."""
    run = published("rnn", RNN_S, {"h": 0.2}, squared)
    for t, text in enumerate(("0.6106768328", "0.1914865846", "0.7206195222"), 1):
        assert printed(run.signal("h", t), text)
    for key, text in {
        "w_x": "-0.1865422222",
        "w_h": "0.5983848352",
        "b_h": "1.5916374120",
        "w_y": "0.5742706324",
    }.items():
        assert printed(run.totals[key], text), key
    assert printed(run.signal("lam_h", 0), "0.9825030122")
    for t, text in enumerate(("0.8152", "1.2523", "0.6249"), 1):
        assert printed(RNN_S["w_h"] * (1 - run.signal("h", t) ** 2), text)
    of_state = published("rnn", RNN_S, {"h": 0.2}, lambda cell: final(cell, "h"))
    assert printed(of_state.totals["w_h"], "0.5578305346")
    product = run.signal("h", 1)
    factors = [RNN_S["w_h"] * (1 - run.signal("h", t) ** 2) for t in (1, 2, 3)]
    assert compare(of_state.signal("lam_h", 0), np.prod(factors)) < 1e-15, product


@pytest.mark.parametrize(("start", "text"), [(0.2, "0.1749924500"), (0.0, "0.0571921327")])
def test_the_last_loss_of_the_plain_rnn_of_the_corpus(start: float, text: str) -> None:
    """dL_3/dw of instance RNN-S of the corpus of published formulas."""
    run = published(
        "rnn", RNN_S, {"h": start}, lambda cell: loss(cell, squared=True, last_only=True)
    )
    assert printed(run.totals["w_h"], text)


def test_the_lstm_of_the_corpus() -> None:
    """Instance LSTM-S of the corpus of published formulas."""
    run = published("lstm", LSTM_S, {"h": 0.1, "c": 0.2}, squared)
    table = (
        "0.55971365 0.52497919 0.58419052 0.32747739 0.28386155 0.16151422",
        "0.40205532 0.64124160 0.34194532 -0.72950369 -0.35366006 -0.11613060",
        "0.62003066 0.47550330 0.58794643 0.67383992 0.10113303 0.05925891",
    )
    for t, row in enumerate(table, 1):
        for label, text in zip("fiogch", row.split(), strict=True):
            assert printed(run.signal(label, t), text), (label, t)
    value = sum((run.signal("h", t) - TARGETS[t - 1]) ** 2 for t in (1, 2, 3)) / 2
    assert printed(value, "0.0700096313")
    gradients = {
        "w_f": "0.0083066894", "u_f": "-0.0014677178", "b_f": "0.0103922887",
        "w_i": "-0.0194721565", "u_i": "0.0023751381", "b_i": "-0.0267426608",
        "w_o": "0.0161656740", "u_o": "-0.0034265172", "b_o": "-0.0328762843",
        "w_g": "-0.0375766062", "u_g": "0.0029425340", "b_g": "-0.0498887023",
    }  # fmt: skip
    for key, text in gradients.items():
        assert printed(run.totals[key], text), key
    assert printed(run.signal("lam_h", 0), "0.0121018147")
    assert printed(run.signal("lam_c", 0), "-0.0175138668")


def test_derivatives_of_the_cell_state_of_the_corpus() -> None:
    """dc_T/dc_1 and dc_3/dW_f of instance LSTM-S of the corpus of published formulas."""
    start = {"h": 0.1, "c": 0.2}
    two, three = (
        published("lstm", LSTM_S, start, lambda cell: final(cell, "c"), T) for T in (2, 3)
    )
    assert printed(two.signal("lam_c", 1), "0.1566506285")
    assert printed(three.signal("lam_c", 1), "0.0955705048")
    assert printed(three.totals["w_f"], "-0.1034846151")
