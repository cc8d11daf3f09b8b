"""The straight-line program: right, linear in T, and not much dearer than the forward pass."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest

from symgrad import (
    CATALOGUE,
    Cell,
    backward,
    exp,
    expanded_form,
    final,
    input_signal,
    loss,
    param,
    sigma,
    signal,
    sizes,
    tanh,
)
from symgrad.errors import UsageError
from symgrad.evaluate.unrolled import StraightLine, straight_line
from symgrad.lang.algebra import Floats
from symgrad.lang.counting import operations
from symgrad.lang.nodes import Name, Signal, transform, walk
from symgrad.lang.program import Inputs, Runner
from symgrad.lang.tape import Environment, evaluate

HORIZONS = (3, 4, 5, 20, 21)


def gru() -> Cell:
    n, m = sizes("n m")
    x, z, r, c, h = input_signal("x", m), *(signal(s, n) for s in "zrch")

    def affine(gate: str, state: Any) -> Any:
        return (
            param(f"W_{gate}", n, m) @ x + param(f"U_{gate}", n, n) @ state + param(f"b_{gate}", n)
        )

    return Cell(
        "gru",
        [
            (z, sigma(affine("z", h.prev))),
            (r, sigma(affine("r", h.prev))),
            (c, tanh(affine("c", r * h.prev))),
            (h, (1 - z) * h.prev + z * c),
        ],
        inputs=[x],
    )


def peephole() -> Cell:
    """Two states, an output layer, a scalar parameter and an exponential."""
    n, m = sizes("n m")
    x, f, c, h, y = input_signal("x", m), *(signal(s, n) for s in "fchy")
    W, U, V, p, a = param("W", n, m), param("U", n, n), param("V", n, n), param("p", n), param("a")
    return Cell(
        "peephole",
        [
            (f, sigma(W @ x + U @ h.prev + p * c.prev)),
            (c, f * c.prev + (1 - f) * tanh(W @ x)),
            (h, exp(-a * c * c) * tanh(c)),
            (y, V @ h),
        ],
        inputs=[x],
    )


def shared() -> Cell:
    """One weight at three places."""
    h, x, w = signal("h"), input_signal("x"), param("w")
    return Cell("shared", [(h, tanh(w * h.prev + w * x) * w)], inputs=[x])


CELLS = [*CATALOGUE.values(), gru(), peephole(), shared()]


def counts(cell: Cell, T: int) -> tuple[int, int]:
    """Operations of the forward pass with the squared error of every step, and of the gradient."""
    # Residual, square, half and accumulation at every step.
    forward = straight_line(cell.program, T).operations + 4 * T
    both = straight_line(backward(cell, loss(cell, squared=True)).program, T).operations
    return forward, both


# ---- counts ---------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_the_program_is_linear_in_the_horizon(cell: Cell) -> None:
    scalar = cell.scalar()
    for program in (scalar.program, backward(scalar, loss(scalar, squared=True)).program):
        found = {T: straight_line(program, T) for T in HORIZONS}
        per_step = found[21].operations - found[20].operations
        assert per_step == found[5].operations - found[4].operations
        assert per_step == found[4].operations - found[3].operations
        assert found[20].operations == found[5].operations + 15 * per_step
        lengths = [len(found[T].assignments) for T in (3, 4, 5)]
        assert lengths[2] - lengths[1] == lengths[1] - lengths[0]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_the_gradient_costs_a_small_multiple_of_the_forward_pass(cell: Cell) -> None:
    most = 3 if cell.name in ("rnn", "lstm") else 5
    for T in HORIZONS:
        forward, both = counts(cell.scalar(), T)
        assert forward < both <= most * forward, (T, forward, both, both / forward)


def test_counting_by_hand() -> None:
    """h_t = w h_{t-1}: a product a step; backwards two products and an addition."""
    cell = CATALOGUE["linear"].scalar()
    assert straight_line(cell.program, 7).operations == 7
    # Forward 7; residuals 7; adjoints: product and sum at 6 steps; gradient: 7 products and
    # 6 sums; and dL/dh_0, one product.
    assert counts(cell, 7)[1] == 7 + 7 + 12 + 13 + 1


def test_parts_used_twice_are_computed_once() -> None:
    """tanh(c_t) stands in three adjoint equations of the LSTM; one call a step beyond forward."""
    cell = CATALOGUE["lstm"].scalar()
    program = straight_line(backward(cell, loss(cell, squared=True)).program, 4)
    for time in (1, 2, 3, 4):
        c = cell.states[0].at(time)
        calls = [a for a in program.assignments if tanh(c) in walk(a.value)]
        assert len(calls) == 2, [a.target for a in calls]


def test_what_is_derived_does_not_depend_on_the_horizon() -> None:
    """Equations with symbolic time: built once, whatever T is put in later."""
    for cell in (CATALOGUE["rnn"].scalar(), CATALOGUE["lstm"].scalar()):
        gradient = backward(cell, final(cell))
        form = expanded_form(cell, "h_T", cell.params[0])
        size = len(walk(*[e.value for e in gradient.equations], form.full))
        for T in (1, 10, 100):
            straight_line(gradient.program, T)
        assert len(walk(*[e.value for e in gradient.equations], form.full)) == size
        assert size < 400
        assert operations([form.full]) < 100


# ---- values -----------------------------------------------------------------------------


def numbers(cell: Cell) -> dict[str, complex]:
    draw = Random(cell.name)
    found = {p.name: draw.uniform(0.2, 1.2) for p in cell.params}
    found |= {f"{s.name}_0": draw.uniform(-1.0, 1.0) for s in cell.states}
    for entry in (*(x.name for x in cell.inputs), f"target_{cell.output.name}"):
        found |= {f"{entry}_{t}": draw.uniform(-1.0, 1.0) for t in range(9)}
    return found


def inputs(cell: Cell, values: dict[str, complex]) -> Inputs:
    return Inputs(
        {p.name: values[p.name] for p in cell.params},
        {s.name: values[f"{s.name}_0"] for s in cell.states},
        lambda label, time: values[f"{label}_{time}"],
    )


def squared_error(cell: Cell, values: dict[str, complex], T: int) -> complex:
    trace = Runner(cell.program, Floats(complex)).run(inputs(cell, values), T)
    out = cell.output.name
    errors = [trace.values[out, t] - values[f"target_{out}_{t}"] for t in range(1, T + 1)]
    return sum(0.5 * complex(error) ** 2 for error in errors)


def executed(program: StraightLine, values: dict[str, complex]) -> dict[Any, float]:
    """The assignments in order; a name that was not assigned before is an error."""
    known: dict[Any, float] = {}
    for assignment in program.assignments:
        stand_ins = {}

        def read(label: str, time: int) -> float:
            key = (label, time)
            return known[key] if key in known else values[f"{label}_{time}"]

        for node in walk(assignment.value):
            if isinstance(node, Name):
                stand_ins[node.name] = known[node.name]
        value = assignment.value
        env = Environment({**values, **stand_ins}, read, {"T": program.horizon})
        found = float(evaluate(_named(value), Floats(float), env))
        target = assignment.target
        key = (target.label, target.time.const) if isinstance(target, Signal) else target.name
        assert key not in known, f"{key} is assigned twice"
        known[key] = found
    return known


def _named(value: Any) -> Any:
    """Names as parameters, which evaluation knows how to read."""
    return transform(value, lambda n: param(n.name) if isinstance(n, Name) else n)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
@pytest.mark.parametrize("T", [1, 2, 5])
def test_the_assignments_in_order_give_the_gradient(cell: Cell, T: int) -> None:
    scalar = cell.scalar()
    values = numbers(scalar)
    program = straight_line(backward(scalar, loss(scalar, squared=True)).program, T)
    known = executed(program, values)
    wanted = [(p.name, program.results[p.name]) for p in scalar.params]
    for key, result in wanted:
        found = known[result.name] if isinstance(result, Name) else 0.0
        step = {**values, key: values[key] + 1e-200j}
        expected = squared_error(scalar, step, T).imag / 1e-200
        assert found == pytest.approx(expected, rel=1e-9, abs=0), key
    for state in scalar.states:
        step = {**values, f"{state.name}_0": values[f"{state.name}_0"] + 1e-200j}
        expected = squared_error(scalar, step, T).imag / 1e-200
        assert known[f"lam_{state.name}", 0] == pytest.approx(expected, rel=1e-9, abs=0)


def test_only_what_is_wanted_is_kept_and_in_order() -> None:
    cell = CATALOGUE["lstm"].scalar()
    program = straight_line(backward(cell, final(cell)).program, 3)
    kept = program.without_unused(program.results["u_f"])
    assert len(kept.assignments) < len(program.assignments)
    order = [program.assignments.index(a) for a in kept.assignments]
    assert all(a < b for a, b in pairwise(order))
    targets = {a.target for a in kept.assignments}
    assert program.results["u_f"] in targets
    assert program.results["b_o"] not in targets
    values = numbers(cell)
    whole, part = executed(program, values), executed(kept, values)
    assert part.items() <= whole.items()


def test_no_steps_no_gradient() -> None:
    cell = CATALOGUE["rnn"].scalar()
    program = straight_line(backward(cell, loss(cell)).program, 0)
    assert program.operations == 0
    assert all(repr(result) == "0" for result in program.results.values())


@pytest.mark.parametrize("horizon", [-1, 2.0, True, "3", None])
def test_a_horizon_is_a_number_of_steps(horizon: Any) -> None:
    with pytest.raises(UsageError, match="must be a nonnegative integer"):
        straight_line(CATALOGUE["rnn"].program, horizon)
