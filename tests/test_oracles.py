"""The oracles, tested with gradients that are wrong by little."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symgrad.adjoint import backward, final
from symgrad.cells import CATALOGUE
from symgrad.errors import FailedCheck
from symgrad.lang.algebra import Floats, Multiprecision
from symgrad.lang.nodes import SCALAR, signal
from symgrad.lang.program import Equation, Inputs, Program, Runner, Sweep, Trace
from symgrad.ops import PRIMITIVES, sigma, tanh
from symgrad.verify.oracles import (
    Direction,
    compare,
    complex_step,
    high_precision_difference,
    unit_directions,
)

RNN = CATALOGUE["rnn"].scalar()
VANISHING = {"w_x": 0.5, "w_h": 0.15, "b_h": 0.1, "w_y": 1.0, "b_y": 0.0}
STEPS = 20


def given(label: str, time: int) -> float:
    return 0.1 * (time % 3) - 0.05


def inputs(**params: float) -> Inputs:
    return Inputs({**VANISHING, **params}, {"h": 0.2}, given)


def last_state(trace: Trace) -> Any:
    return trace.signal("h", trace.horizon)


W_H = Direction({"w_h": 1.0})


def summands(digits: int) -> list[Any]:
    """δ_t h_{t-1} for t = 1..T: the summands of dh_T/dw_h."""
    algebra = Multiprecision(digits)
    number = algebra.context.mpf
    exact = Inputs(
        {name: number(value) for name, value in VANISHING.items()},
        {"h": number(0.2)},
        lambda label, time: number(given(label, time)),
    )
    trace = Runner(backward(RNN, final(RNN, "h")).program, algebra).run(exact, STEPS)
    return [
        trace.signal("delta_h", time) * trace.signal("h", time - 1) for time in range(1, STEPS + 1)
    ]


def test_few_digits_to_begin_with_end_in_as_many_as_wanted() -> None:
    rough = high_precision_difference(
        RNN.program, inputs(), STEPS, last_state, W_H, digits=10, wanted=20
    )
    assert compare(rough.value, sum(summands(120))) < 1e-20


WRONG = {
    "a factor 1 + 1e-9": lambda parts: sum(parts) * (1 + type(parts[0])(10) ** -9),
    "the earliest summand missing": lambda parts: sum(parts[1:]),
    "truncated after 12 steps": lambda parts: sum(parts[-12:]),
    "an index shifted": lambda parts: sum(parts[:-1]),
    "zero": lambda parts: parts[0] * 0,
}


def test_a_right_gradient_passes() -> None:
    reference = high_precision_difference(RNN.program, inputs(), STEPS, last_state, W_H, wanted=30)
    assert compare(sum(summands(120)), reference.value) < 1e-30
    assert reference.error <= abs(reference.value) * 1e-30
    assert (
        compare(complex_step(RNN.program, inputs(), STEPS, last_state, W_H), float(reference.value))
        < 1e-15
    )


@pytest.mark.parametrize("case", WRONG)
def test_a_gradient_wrong_by_little_is_told_apart(case: str) -> None:
    parts = summands(120)
    reference = high_precision_difference(RNN.program, inputs(), STEPS, last_state, W_H, wanted=30)
    off = compare(WRONG[case](parts), reference.value)
    assert off > 1e-20
    # The reference itself is far better than what it tells apart.
    assert off * abs(reference.value) > 1e8 * reference.error


def test_float64_cannot_see_the_earliest_summand() -> None:
    parts = summands(60)
    reference = complex_step(RNN.program, inputs(), STEPS, last_state, W_H)
    assert compare(float(sum(parts[1:])), reference) < 1e-15
    assert compare(float(sum(parts[-12:])), reference) > 1e-14
    assert compare(float(sum(parts)) * (1 + 1e-9), reference) > 0.9e-9


@pytest.mark.parametrize("start", [1.0, 20.0, -40.0, 400.0])
def test_saturated_states_need_digits(start: float) -> None:
    h = signal("h", SCALAR, 0)
    program = forward(tanh)
    found = high_precision_difference(
        program, Inputs({}, {h.name: start}, given), 1, last_state, Direction(initial={"h": 1.0})
    )
    context = Multiprecision(found.digits).context
    assert compare(found.value, context.sech(start) ** 2) < 1e-20
    # In float64 1 - h² is far off already at 20, and 0 from there on.
    if start == 20.0:
        assert compare(float(1 - np.tanh(start) ** 2), float(found.value)) > 0.5


def forward(function: Any) -> Program:
    """h_t = function(h_{t-1})."""
    h = signal("h", SCALAR, 0).at(RNN.signals[0].time)
    return Program((Sweep(1, (Equation(h, function(h.prev)),)),), (), (), (h,))


@pytest.mark.parametrize("start", [0.0, -0.0, 1e-300, -1e-300, 30.0, -30.0])
@pytest.mark.parametrize("function", [sigma, tanh])
def test_complex_step_at_special_values(function: Any, start: float) -> None:
    program = forward(function)
    given_inputs = Inputs({}, {"h": start}, given)
    direction = Direction(initial={"h": 1.0})
    found = complex_step(program, given_inputs, 1, last_state, direction)
    reference = high_precision_difference(program, given_inputs, 1, last_state, direction)
    assert compare(found, float(reference.value)) < 1e-14


def test_complex_sigma_does_not_overflow() -> None:
    algebra = Floats(np.complex128)
    for value in (800.0, -800.0):
        assert np.isfinite(algebra.direct["sigma"](complex(value, 1e-30)))


def test_zero_is_believed_only_with_its_error() -> None:
    found = high_precision_difference(
        RNN.program, inputs(), 3, last_state, Direction({"b_y": 1.0}), most_digits=240
    )
    assert (found.value, found.digits) == (0, 240)
    assert found.error < 1e-200


def test_saturation_beyond_the_digits_is_a_zero_with_an_error_that_covers_it() -> None:
    found = high_precision_difference(
        forward(tanh),
        Inputs({}, {"h": 1000.0}, given),
        1,
        last_state,
        Direction(initial={"h": 1.0}),
        most_digits=120,
    )
    truth = Multiprecision(1000).context.sech(1000) ** 2
    assert found.value == 0
    assert truth < found.error


def test_terms_that_cancel_in_the_objective() -> None:
    # h_1 = -1 + 1: the rounding of the terms is far above that of the sum.
    cell = CATALOGUE["linear-input"].scalar()
    cancelling = Inputs({"w": 0.0, "u": 1.0, "b": 1.0}, {"h": 0.0}, lambda label, time: -1.0)
    found = high_precision_difference(
        cell.program, cancelling, 1, last_state, Direction({"b": 1.0})
    )
    assert compare(found.value, 1) < 1e-20


def test_a_derivative_at_the_limit_of_the_digits_is_followed_further() -> None:
    found = high_precision_difference(
        forward(tanh),
        Inputs({}, {"h": 120.0}, given),
        1,
        last_state,
        Direction(initial={"h": 1.0}),
        most_digits=120,
    )
    assert found.digits == 240
    assert compare(found.value, Multiprecision(300).context.sech(120) ** 2) < 1e-20


def test_an_objective_that_is_not_smooth_is_refused() -> None:
    def rounded(trace: Trace) -> Any:
        # Through float64: a staircase.
        return type(last_state(trace))(float(last_state(trace)))

    with pytest.raises(FailedCheck, match="not smooth"):
        high_precision_difference(RNN.program, inputs(), 3, rounded, W_H, most_digits=240)


def test_directions_along_states_and_inputs() -> None:
    for direction in (Direction(initial={"h": 1.0}), Direction(signals={("x", 2): 1.0})):
        rough = complex_step(RNN.program, inputs(), 3, last_state, direction)
        fine = high_precision_difference(RNN.program, inputs(), 3, last_state, direction)
        assert rough != 0
        assert compare(rough, float(fine.value)) < 1e-14
    with pytest.raises(ValueError, match="no parameter 'W'"):
        complex_step(RNN.program, inputs(), 3, last_state, Direction({"W": 1.0}))


def test_unit_directions() -> None:
    assert list(unit_directions(0.5)) == [((), 1.0)]
    positions = [position for position, unit in unit_directions(np.ones((2, 3)))]
    assert positions == [(r, c) for r in range(2) for c in range(3)]


def test_compare_is_relative_only() -> None:
    assert compare(1e-300 * (1 + 1e-9), 1e-300) > 0.9e-9
    assert compare(0.0, 1e-300) == 1.0
    assert compare(1e-300, 0.0) == float("inf")
    assert compare(0.0, -0.0) == 0.0
    assert compare(float("nan"), 1.0) == float("inf")
    assert compare(float("inf"), float("inf")) == float("inf")
    assert compare(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 0.5
    # a - a' with |a| = 3: below the rounding of the terms, and above it.
    assert compare(1e-16, 0.0, terms=3.0) == 0.0
    assert compare(1e-13, 0.0, terms=3.0) == float("inf")
    with pytest.raises(ValueError, match="shapes"):
        compare(np.ones(2), np.ones(3))


def test_oracles_read_no_derivative() -> None:
    def refuse(*args: Any) -> Any:
        raise AssertionError("an oracle read a derivative")

    saved = {p: (p.partials, p.transpose, p.factor) for p in PRIMITIVES.values()}
    try:
        for primitive in saved:
            for entry in ("partials", "transpose", "factor"):
                object.__setattr__(primitive, entry, refuse)
        assert complex_step(RNN.program, inputs(), 3, last_state, W_H) != 0
        assert high_precision_difference(RNN.program, inputs(), 3, last_state, W_H).value != 0
    finally:
        for primitive, (partials, transpose, factor) in saved.items():
            object.__setattr__(primitive, "partials", partials)
            object.__setattr__(primitive, "transpose", transpose)
            object.__setattr__(primitive, "factor", factor)
