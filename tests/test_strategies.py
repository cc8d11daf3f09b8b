"""The strategies for users: what they draw, how it shrinks, and what a failure prints."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

import symgrad as sg
from symgrad.strategies import (
    KINDS,
    cells,
    horizons,
    initial_states,
    objectives,
    parameters,
    random_cells,
    runs,
    sequences,
    sizes,
    values,
)
from symgrad.testing import Run, agree, check_gradient, gradients_by, make_run
from symgrad.testing.oracles import by_name
from symgrad.testing.rounding import bounded_gradient

slow = settings(
    max_examples=25, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
#: Another order of operations may err a few times as much as the one that is analysed.
OTHER_ORDER = 16


def pasted(text: str) -> Run:
    """What somebody gets who pastes the text after the imports that docs/testing.md names."""
    run = eval(text, {"sg": sg, "np": np, "make_run": make_run})
    assert isinstance(run, Run)
    return run


# ---- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_value_is_drawn(kind: str) -> None:
    for value in KINDS[kind]:

        def same(drawn: float, value: float = value) -> bool:
            return drawn == value and math.copysign(1, drawn) == math.copysign(1, value)

        assert same(find(values(), same))
        assert same(find(values(kinds=[kind]), same))


def test_kinds_that_are_not_asked_for_are_not_drawn() -> None:
    @settings(max_examples=200)
    @given(values(kinds=["tiny"]), values(extreme=False), values(kinds=[]))
    def drawn(tiny: float, ordinary: float, none: float) -> None:
        assert abs(tiny) <= 2
        assert abs(ordinary) <= 2
        assert abs(none) <= 2

    drawn()
    with pytest.raises(ValueError, match=r"kinds=\['large'\]: use some of unit, signed zero"):
        values(kinds=["large"])


def test_subnormal_values_are_subnormal() -> None:
    assert all(0 < abs(value) < 2.0**-1022 for value in KINDS["subnormal"])


# ---- cells ------------------------------------------------------------------------------------


def has(text: str) -> Callable[[sg.Cell], bool]:
    return lambda cell: any(text in repr(equation.value) for equation in cell.equations)


@pytest.mark.parametrize(
    "text", ["softplus(", "exp(", "/ (1 + ", "r_t * h_{t-1}", "(1 - z_t)", "(1 - alpha)", "x_t"]
)
def test_random_cells_are_of_every_kind(text: str) -> None:
    found = find(random_cells(reading="vector"), has(text))
    assert not found.is_scalar
    # Nothing else is in the smallest cell that has it, but what it needs.
    assert len(found.equations) <= 2


def test_the_smallest_random_cells() -> None:
    assert len(find(random_cells(), lambda cell: True).equations) == 1
    two = find(random_cells(), lambda cell: len(cell.states) == 2)
    assert [state.name for state in two.states] == ["c", "h"]


@pytest.mark.parametrize("strategy", [cells, random_cells])
@pytest.mark.parametrize("reading", ["vector", "scalar", "matrix"])
def test_readings(strategy: Any, reading: str) -> None:
    if reading == "matrix":
        with pytest.raises(ValueError, match="reading='matrix'"):
            find(strategy(reading=reading), lambda cell: True)
    else:
        assert find(strategy(reading=reading), lambda cell: True).reading == reading


def widened(errors: Any) -> Any:
    return {name: OTHER_ORDER * error for name, error in errors.items()}


@slow
@given(st.data())
def test_gradients_of_random_cells_are_right(data: st.DataObject) -> None:
    """By complex steps through the forward pass, which knows no rule of differentiation."""
    cell = data.draw(random_cells())
    run = data.draw(runs(cell, T=horizons(3, smallest=1), largest_size=2, extreme=False))
    positional, named = run.arguments()
    bounded = bounded_gradient(run)

    theirs = gradients_by(
        "complex step", cell, run.objective, *positional, **named, wrt_inputs=True
    )

    assert agree(theirs, bounded.values, rounding=widened(bounded.errors))


# ---- runs -------------------------------------------------------------------------------------


@slow
@given(runs())
def test_a_run_prints_what_makes_it_again(run: Run) -> None:
    again = pasted(repr(run))

    assert (again.cell, again.objective) == (run.cell, run.objective)
    for (_, first), (_, second) in zip(run.groups(), again.groups(), strict=True):
        for name, array in first.items():
            # Bit by bit: -0.0 is not 0.0.
            assert array.tobytes() == second[name].tobytes()
            assert array.shape == second[name].shape


@pytest.mark.parametrize(
    "made",
    [
        lambda cell: sg.loss(cell, squared=True, mean=True).with_decay(*cell.params[:2]),
        lambda cell: sg.summed(cell, "h").over_mean(),
        lambda cell: sg.final(cell, "h").with_decay(cell.params[0], rho=sg.param("mu")),
    ],
)
def test_objectives_print_what_makes_them_again(made: Callable[[sg.Cell], Any]) -> None:
    cell = sg.CATALOGUE["rnn"]
    objective = made(cell)
    run = find(runs(cell, objective, T=1, largest_size=1), lambda run: True)
    text = repr(run).replace("rho=mu", "rho=sg.param('mu')")
    assert pasted(text).objective == objective


def test_no_steps_keep_their_shape() -> None:
    cell = sg.CATALOGUE["linear-input"]
    run = find(runs(cell, sg.final(cell), T=0), lambda run: True)
    assert pasted(repr(run)).inputs["x"].shape == run.inputs["x"].shape == (0, 1)


@slow
@given(runs(T=horizons(5, smallest=1)))
def test_float64_is_within_its_rounding_bounds_at_extreme_values(run: Run) -> None:
    positional, named = run.arguments()
    compiled = sg.compile(run.cell, run.objective)
    with np.errstate(all="ignore"):
        found = compiled.gradient(*positional, **named, wrt_inputs=True)
    bounded = bounded_gradient(run)

    assert agree(found, bounded.values, rounding=widened(bounded.errors))


def test_a_failure_prints_a_witness_that_reproduces() -> None:
    """A gradient that forgets the last but one step: the smallest T, simple numbers."""
    cell = sg.CATALOGUE["linear"].scalar()

    def forgetful(params: Any, inputs: Any, initial: Any, T: int) -> dict[str, Any]:
        w, h = params["w"], initial["h"]
        return {"w": (T if T < 3 else T - 1) * w ** (T - 1) * h}

    def wrong(run: Run) -> bool:
        positional, named = run.arguments()
        bounded = bounded_gradient(run)
        return not agree(forgetful(*positional, **named), bounded.values, rounding=bounded.errors)

    @settings(max_examples=500, derandomize=True, database=None)
    @given(runs(cell, sg.final(cell), T=horizons(9, smallest=1)))
    def holds(run: Run) -> None:
        assert not wrong(run)

    with pytest.raises(AssertionError) as caught:
        holds()

    text = "".join(caught.value.__notes__)
    start = text.index("run=make_run(") + len("run=")
    witness = pasted(text[start : text.rindex(",\n)")])
    assert wrong(witness)
    assert witness.horizon == 3
    assert all(abs(value) <= 1 for value in (witness.params["w"], witness.initial["h"]))
    # The judge of gradient functions finds the same one without Hypothesis.
    verdict = check_gradient(cell, sg.final(cell), forgetful)
    assert verdict.witness is not None
    assert verdict.witness.horizon == 3


# ---- parts ------------------------------------------------------------------------------------


@given(st.data())
def test_parts_have_the_shapes_of_the_language(data: st.DataObject) -> None:
    cell = data.draw(cells(reading="vector"))
    size = data.draw(sizes(cell))
    T = data.draw(horizons(3))
    for node in cell.params:
        array = data.draw(parameters(cell, size, kinds=["subnormal"]))[node.name]
        assert array.shape == tuple(s.value(size) for s in node.shape)
    for state, array in data.draw(initial_states(cell, size)).items():
        assert array.shape[1] == 1, state
    for steps in data.draw(sequences(cell, T, size)).values():
        assert len(steps) == T
    assert data.draw(objectives(cell)).signal == cell.output


def test_sizes_are_asked_for() -> None:
    with pytest.raises(ValueError, match="needs sizes: no value of"):
        parameters(sg.CATALOGUE["lstm"])


def test_names_are_those_of_the_cell() -> None:
    # Any run will do, and need not be the smallest.
    first = settings(max_examples=1, phases=[Phase.generate])
    run = find(runs(sg.CATALOGUE["lstm"], T=1), lambda run: True, settings=first)
    assert set(by_name(bounded_gradient(run).values)) == {
        *(p.name for p in sg.CATALOGUE["lstm"].params),
        *("h", "c", "x"),
    }
