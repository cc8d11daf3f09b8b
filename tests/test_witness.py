"""Witnesses: the smallest T, sizes and numbers, and NumPy lines that print the same sides."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

import symgrad as sg
from symgrad.adjoint import Objective
from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.derivation.evidence import Evidence
from symgrad.lang.affine import T, as_affine, symbol, t
from symgrad.lang.nodes import (
    Condition,
    Node,
    Signal,
    cases,
    const,
    derivative,
    iverson,
    name,
    transform,
)
from symgrad.testing.score import agrees
from symgrad.verify import witness as search
from symgrad.verify.numpy_text import Names
from symgrad.verify.verdict import Verdict, Witness

LINEAR, DRIVEN = sg.CATALOGUE["linear"], sg.CATALOGUE["linear-input"]
RNN, LSTM = sg.CATALOGUE["rnn"], sg.CATALOGUE["lstm"]
TINY = 1 + Fraction(1, 10**9)


def judged(cell: Cell, form: Form, right: Node) -> Verdict:
    return sg.verdict_of(cell, replace(form, right=right, where=()))


def witness_of(verdict: Verdict) -> Witness:
    assert verdict.status == "refuted", verdict
    assert verdict.witness is not None
    return verdict.witness


def expanded(cell: Cell, of: str, wrt: str, change: Callable[[Node], Node]) -> Witness:
    form = sg.expanded_form(cell, of, wrt)
    return witness_of(judged(cell, form, change(form.full)))


def printed(witness: Witness) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", witness.numpy_lines()], capture_output=True, text=True, check=True
    )
    return run.stdout.splitlines()


# ---- the smallest ------------------------------------------------------------------------


def test_the_smallest_horizon_is_0_where_the_statement_claims_it() -> None:
    form = sg.closed_form(LINEAR.scalar(), "h_T", "h_0")
    found = witness_of(judged(LINEAR.scalar(), form, form.right + 1))
    assert (found.horizon, found.left, found.right) == (0, "1", "2")
    assert set(dict(found.values).values()) == {"0"}
    assert "all values 0" in str(found)


def test_the_smallest_horizon_is_the_first_that_differs() -> None:
    found = expanded(RNN.scalar(), "h_T", "w_h", lambda right: right + iverson(T - 5))
    assert found.horizon == 5


def test_free_times_are_named_with_their_smallest_values() -> None:
    cell = LSTM.scalar()
    form = sg.expanded_form(cell, "c_T", "c_k", along=("c",))
    found = witness_of(judged(cell, form, form.full + iverson(symbol("k") - 2)))
    assert found.horizon == 2
    assert found.times == (("k", 2),)
    assert "T = 2, k = 2" in str(found)


def test_the_sizes_are_the_smallest_that_show_it() -> None:
    def lost(right: Node) -> Node:
        return transform(right, lambda n: n.args[0] if n is W.T else n)

    gradient = sg.backward(RNN, sg.loss(RNN))
    (W,) = (p for p in RNN.params if p.name == "W_h")
    (lam,) = (e for e in gradient.equations if e.target.label == "lam_h")
    left = derivative("gradient", name("L"), RNN.signals[0])
    times = (("t", as_affine(1), T - 1),)
    right = transform(lam.value, lambda n: const(0) if n.key[:1] == (T - t,) else n)
    assert lost(right) is not right
    found = witness_of(Evidence(RNN).adjoint(gradient, left, lost(right), times, 2))
    assert dict(found.sizes) == {"m": 1, "n": 2, "q": 1}
    assert found.horizon == 2
    assert found.entry is not None
    assert agrees(found, printed(found))


def test_larger_sizes_may_show_it_at_a_smaller_horizon() -> None:
    """At n = 1 the transpose is missed; what is wrong from T = 5 on does not hide it."""
    form = sg.expanded_form(LINEAR, "h_T", "h_0")
    wrong = judged(LINEAR, form, form.right.T + iverson(T - 5))
    found = witness_of(wrong)
    assert found.horizon == 1
    assert dict(found.sizes) == {"n": 2}


# ---- simple numbers ----------------------------------------------------------------------


def test_exact_values_where_they_suffice() -> None:
    found = expanded(RNN.scalar(), "h_T", "w_h", lambda right: right * TINY)
    assert found.exact
    assert (found.left, found.right) == ("1", "1000000001/1000000000")
    assert [pair for pair in found.values if pair[1] != "0"] == [("h_0", "1")]


def test_decimals_where_an_activation_has_to_be_rounded() -> None:
    def late(right: Node) -> Node:
        def change(item: Node) -> Node:
            gate = isinstance(item, Signal) and item.name == "o"
            return item.at(item.time + 1) if gate and isinstance(item, Signal) else item

        return transform(right, change)

    found = expanded(LSTM.scalar(), "c_t", "c_{t-1}", late)
    assert not found.exact
    assert sum(value != "0" for _, value in found.values) <= 4
    assert {value for _, value in found.values} <= {"0", "1"}
    assert agrees(found, printed(found))


def test_the_search_is_the_same_every_time_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    whole = search._Search._entries

    def counted(self: object, algebra: object, numbers: object) -> object:
        asked.append(1)
        return whole(self, algebra, numbers)  # type: ignore[arg-type]

    monkeypatch.setattr(search._Search, "_entries", counted)
    first = expanded(LSTM, "h_T", "W_f", lambda right: right * 2)
    assert 10 < len(asked) < 600
    assert expanded(LSTM, "h_T", "W_f", lambda right: right * 2) == first


def test_a_kink_is_no_place_for_a_witness() -> None:
    """relu' at 0 by two conventions: the difference is there alone."""
    h, w = sg.signal("h"), sg.param("w")
    cell = Cell("kink", [(h, sg.relu(w * h.prev, 0))]).scalar()
    form = sg.expanded_form(cell, "h_t", "h_{t-1}")
    other = sg.step(w * h.prev, 1) * w
    assert judged(cell, form, other).status == "undecided"
    found = witness_of(judged(cell, form, other * 2))
    assert agrees(found, printed(found))
    assert "0" not in {value for key, value in found.values if key in ("w", "h_0")}


def test_a_case_at_a_single_value_is_evaluated_there() -> None:
    cell = DRIVEN.scalar()
    form = sg.elementary_form(cell, "h_T", "w", "constant")
    wrong = transform(
        form.right,
        lambda n: cases([(n.values[0], n.conditions[0]), (const(0), n.conditions[1]),
                         (n.values[2], ())]) if n is form.right else n,
    )  # fmt: skip
    verdict = sg.verdict_of(cell, replace(form, right=wrong), inputs="constant")
    found = witness_of(verdict)
    assert dict(found.values)["w"] == "1"
    assert any("w = 1" in line for line in verdict.how)
    assert agrees(found, printed(found))


def test_a_case_about_a_state_is_not_passed_over() -> None:
    cell = LINEAR.scalar()
    form = sg.closed_form(cell, "h_T", "h_0")
    h_0 = cell.states[0].at(0)
    late = cases([(const(3), (Condition(h_0, "=", const(1)),)), (form.right, ())])
    assert judged(cell, form, late).status == "undecided"


def test_what_reads_outside_of_the_run_is_undecided() -> None:
    form = sg.expanded_form(LINEAR.scalar(), "h_T", "w")
    h = LINEAR.scalar().states[0]
    for outside in (h.at(-1), h.at(T + 1)):
        verdict = judged(LINEAR.scalar(), form, form.right + outside)
        assert verdict.status == "undecided"
        assert any("outside of the run" in line for line in verdict.how)


# ---- the lines ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    """A wrong statement and how it is judged."""

    judge: Callable[[], Verdict]


def objective_case(cell: Cell, objective: Objective, wrt: str) -> Callable[[], Verdict]:
    def judge() -> Verdict:
        gradient = sg.backward(cell, objective)
        (theta,) = (p for p in cell.params if p.name == wrt)
        from symgrad.derivation.claiming import gradient_sum

        left = derivative("gradient", name("L"), theta)
        right = gradient_sum(gradient, wrt) * TINY
        return Evidence(cell).adjoint(gradient, left, right, (), gradient.first_horizon)

    return judge


def form_case(cell: Cell, form: Form, factor: Fraction = TINY) -> Callable[[], Verdict]:
    return lambda: judged(cell, form, form.full * factor)


def gated() -> Cell:
    n, m = sg.sizes("n m")
    x, z, r, h = sg.input_signal("x", m), *(sg.signal(s, n) for s in "zrh")
    W, U = (lambda g: sg.param(f"W_{g}", n, m)), (lambda g: sg.param(f"U_{g}", n, n))
    return Cell(
        "gated",
        [
            (z, sg.sigma(W("z") @ x + U("z") @ h.prev)),
            (r, sg.sigma(W("r") @ x + U("r") @ h.prev)),
            (h, z * h.prev + (1 - z) * sg.tanh(W("h") @ x + U("h") @ (r * h.prev))),
        ],
        inputs=[x],
    )


def hostile() -> Cell:
    """Names that mean something to Python or to the program."""
    n, m = sg.sizes("print range")
    x, h = sg.input_signal("np", m), sg.signal("lambda", n)
    W, U, b = sg.param("import", n, n), sg.param("move", n, m), sg.param("forward", n)
    return Cell("hostile", [(h, sg.tanh(W @ h.prev + U @ x + b))], inputs=[x])


def squashed() -> Cell:
    n, m = sg.sizes("n m")
    x, h, y = sg.input_signal("x", m), sg.signal("h", n), sg.signal("y", n)
    W = sg.param("W", n, n + m)
    return Cell(
        "squashed",
        [(h, sg.tanh(W @ sg.concat(h.prev, x))), (y, sg.softmax(sg.softplus(h)))],
        inputs=[x],
    )


GATED, HOSTILE, SQUASHED = gated(), hostile(), squashed()
HOSTILE_FORM = sg.expanded_form(HOSTILE, "lambda_T", "import")
PROGRAMS: dict[str, Callable[[], Verdict]] = {
    "parameter, scalar": form_case(LSTM.scalar(), sg.expanded_form(LSTM.scalar(), "h_T", "u_i")),
    "parameter, vector": form_case(LSTM, sg.expanded_form(LSTM, "h_T", "U_o")),
    "Jacobian": form_case(RNN, sg.expanded_form(RNN, "h_T", "x_k")),
    "restricted": form_case(LSTM, sg.expanded_form(LSTM, "c_T", "c_k", along=("c",))),
    "one step": form_case(GATED, sg.expanded_form(GATED, "h_t", "h_{t-1}")),
    "closed": form_case(DRIVEN, sg.closed_form(DRIVEN, "h_T", "W")),
    "no derivative": form_case(DRIVEN, sg.forward_form(DRIVEN, "h_T")),
    "names of Python": form_case(HOSTILE, HOSTILE_FORM),
    "blocks, softmax": form_case(SQUASHED, sg.expanded_form(SQUASHED, "y_T", "W")),
    "adjoints": objective_case(GATED, sg.loss(GATED), "U_h"),
    "squared loss": objective_case(RNN, sg.loss(RNN, squared=True), "W_h"),
    "mean, decay": objective_case(
        RNN.scalar(),
        sg.loss(RNN.scalar(), mean=True).with_decay(RNN.scalar().params[1]),
        "w_h",
    ),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_the_lines_print_both_sides(case: str) -> None:
    found = witness_of(PROGRAMS[case]())
    lines = found.numpy_lines()
    assert lines.startswith("import numpy as np\n")
    assert len(found.lines) < 70
    assert agrees(found, printed(found)), (str(found), lines, printed(found))


def test_the_immediate_derivative_is_reproduced() -> None:
    cell = LSTM.scalar()
    c = cell.signals[4]
    left = derivative("immediate", c, cell.params[0])
    f, x = cell.signals[0], cell.inputs[0]
    right = c.prev * f * (1 - f) * x
    times = (("t", as_affine(1), T),)
    evidence = Evidence(cell)
    assert evidence.formula(left, right, times=times, first=1).status == "checked"
    found = witness_of(evidence.formula(left, right * f, times=times, first=1))
    assert agrees(found, printed(found))


def test_names_become_identifiers() -> None:
    names = Names()
    hostile_names = ["x); import os  #", "x", "x ", "np", "lambda", "1", "é", "'", "", "T", "_"]
    made = [names.of("param", text) for text in hostile_names]
    assert len(set(made)) == len(made)
    assert all(text.isidentifier() and text.isascii() for text in made)
    assert not {"np", "lambda", "T"} & set(made)
    assert names.of("index", "T") == "T"


def test_printed_sides_that_are_others_are_no_reproduction() -> None:
    one = Witness(1, (), (), "1", "1000000001/1000000000", exact=True)
    assert agrees(one, ["left 1.0", "right 1.000000001"])
    assert not agrees(one, ["left 1.0", "right 1.0"])
    assert not agrees(one, ["left 1.000000001", "right 1.0"])
    assert not agrees(one, ["left 1.0"])
    assert not agrees(one, ["error ValueError"])
    tiny = Witness(1, (), (), "0", "1/1000000000", exact=True)
    assert agrees(tiny, ["left 0.0", "right 1.0000000827e-09"])
    assert not agrees(tiny, ["left 0.0", "right 1.1e-09"])


def test_sides_that_are_one_number_in_float64_are_told_apart_in_words() -> None:
    rnn = sg.CATALOGUE["rnn"].scalar()
    jacobian = "dh_t/dh_{t-1} = w_h (1 - h_t^2)"
    tiny = sg.check(rnn, f"{jacobian} + (1/10^39) tanh(w_h)").witness
    assert tiny is not None
    assert tiny.numpy_lines().splitlines()[-2:] == [
        f"#   left  {tiny.left}",
        f"#   right {tiny.right}",
    ]
    seen = sg.check(rnn, f"{jacobian} + (1/10^9) tanh(w_h)").witness
    assert seen is not None
    assert "#   left" not in seen.numpy_lines()
