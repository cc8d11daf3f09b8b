"""Verdicts on statements that are false: none may be ``proved``, none of the true ``refuted``."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

import symgrad as sg
from symgrad.errors import UsageError
from symgrad.lang.affine import T, as_affine, t
from symgrad.lang.nodes import Condition, Node, cases, const, index_value, iverson
from symgrad.ops import total
from symgrad.verify.claims import MERSENNE_61

LINEAR = sg.CATALOGUE["linear"].scalar()
DRIVEN = sg.CATALOGUE["linear-input"].scalar()
RNN = sg.CATALOGUE["rnn"].scalar()
LSTM = sg.CATALOGUE["lstm"].scalar()


def vanishing_until_50(time: object) -> Node:
    """Π_{j=0}^{50} (time - j): zero at every T that is evaluated."""
    result: Node = const(1)
    for j in range(51):
        result = result * index_value(time - j)  # type: ignore[operator]
    return result


def test_an_elementary_form_is_judged_as_it_is_shown() -> None:
    form = sg.elementary_form(DRIVEN, "h_T", "w", "constant")
    assert sg.verdict_of(DRIVEN, form, inputs="constant").status == "proved"

    for wrong in (
        replace(form, right=const(42)),
        replace(form, branches=form.branches[:1], right=form.branches[0].right),
    ):
        assert sg.verdict_of(DRIVEN, wrong, inputs="constant").status == "refuted"
    assert sg.verdict_of(DRIVEN, replace(form, branches=()), inputs="constant").status != "proved"


def test_a_proof_of_one_step_is_none_of_a_statement_about_absolute_time() -> None:
    form = sg.expanded_form(LSTM, "c_t", "c_{t-1}")

    wrong = replace(form, right=form.right + iverson(t - 20))

    assert sg.verdict_of(LSTM, wrong).status != "proved"


def test_an_induction_needs_a_recurrence_that_is_the_cells() -> None:
    form = sg.forward_form(LINEAR, "h_T")
    assert form.recurrence is not None
    w = LINEAR.params[0]
    late = vanishing_until_50(T)
    step = form.recurrence.step + late - w * vanishing_until_50(T - 1)

    wrong = replace(form, right=form.right + late, recurrence=replace(form.recurrence, step=step))

    assert sg.verdict_of(LINEAR, wrong).status != "proved"


def test_an_induction_begins_where_the_cell_begins() -> None:
    form = sg.forward_form(LINEAR, "h_T")
    assert form.recurrence is not None
    (w,), h_0 = LINEAR.params, LINEAR.states[0].at(0)
    recurrence = replace(form.recurrence, start=const(5), second=w * h_0)
    right = cases([(const(5), (Condition(T, "=", as_affine(0)),)), (form.right, ())])

    wrong = replace(form, right=right, recurrence=recurrence, first_horizon=1)

    assert sg.verdict_of(LINEAR, wrong).status != "proved"


def test_cases_of_an_induction_are_single_values() -> None:
    form = sg.forward_form(LINEAR, "h_T")
    (w,), h_0 = LINEAR.params, LINEAR.states[0].at(0)
    late = (w**51 * h_0, (Condition(T, "≥", as_affine(51)),))

    wrong = replace(form, right=cases([late, (form.right, ())]))

    assert sg.verdict_of(LINEAR, wrong).status != "proved"


@pytest.mark.parametrize("part", ["terms", "equations", "start", "adjoints"])
def test_a_gradient_is_judged_in_all_its_parts(part: str) -> None:
    right = sg.backward(DRIVEN, sg.final(DRIVEN))
    assert sg.verdict_of(DRIVEN, right).status == "proved"
    late = vanishing_until_50(t)
    w = DRIVEN.params[0]
    wrong = {
        "terms": lambda: replace(right, terms={**right.terms, "w": right.terms["w"] + late}),
        "equations": lambda: replace(
            right,
            equations=tuple(replace(e, value=e.value + late) for e in right.equations),
        ),
        "start": lambda: replace(right, start={"h": right.equations[0].target.at(1) * w}),
        "adjoints": lambda: replace(
            right, adjoints={**right.adjoints, "x": right.adjoints["x"] * 7}
        ),
    }[part]()

    assert sg.verdict_of(DRIVEN, wrong).status != "proved"


def test_a_scalar_parameter_over_a_vector_is_no_refutation() -> None:
    """The tangent of a broadcast scalar is as wide as what it is added to."""
    (n,) = sg.sizes("n")
    h, W, b, beta = sg.signal("h", n), sg.param("W", n, n), sg.param("b", n), sg.param("beta")
    for step in (W @ h.prev + beta, sg.tanh(W @ h.prev) * total(h.prev * b + beta)):
        cell = sg.Cell("broadcast", [(h, step)])

        assert sg.verdict_of(cell, sg.backward(cell, sg.loss(cell))).status == "proved"


@pytest.mark.parametrize("gain", [1, 170, 300])
def test_saturation_refutes_nothing_that_is_true(gain: int) -> None:
    """1 - tanh² a = 4 σ(2a) (1 - σ(2a)), also where both are 1e-41."""
    h, w = sg.signal("h"), sg.param("w")
    cell = sg.Cell("saturated", [(h, sg.tanh(gain * (w * h.prev)))]).scalar()
    form = sg.expanded_form(cell, "h_t", "h_{t-1}")
    a = 2 * gain * (w * cell.states[0].prev)

    other = replace(form, right=4 * sg.sigma(a) * (1 - sg.sigma(a)) * gain * w)

    assert sg.verdict_of(cell, other).status != "refuted"


def test_a_multiple_of_the_prime_is_seen() -> None:
    form = sg.expanded_form(RNN, "h_T", "w_h")

    for wrong in (form.right + const(MERSENNE_61), form.right * const(MERSENNE_61 + 1)):
        assert sg.verdict_of(RNN, replace(form, right=wrong)).status == "refuted"
    true = form.right * const(MERSENNE_61) * const(Fraction(1, MERSENNE_61))
    assert sg.verdict_of(RNN, replace(form, right=true)).status == "proved"


def test_a_form_of_another_reading_is_refused() -> None:
    vector = sg.CATALOGUE["linear-input"]
    form = sg.expanded_form(vector.scalar(), "h_T", "u")

    with pytest.raises(UsageError, match=r"pass the cell that the form was derived from"):
        sg.verdict_of(vector, form)


def test_a_derivative_of_L_knows_its_objective() -> None:
    vector = sg.CATALOGUE["lstm"]
    form = sg.expanded_form(vector, "c_T", "W_f")

    assert sg.verdict_of(vector, form).status == "proved"
    with pytest.raises(UsageError, match="say what L is"):
        sg.verdict_of(vector, replace(form, objective=None))


def test_an_input_that_kills_the_state_leaves_T_0_alone() -> None:
    """h_t = x_t h_{t-1} + b with x = 0: h_T = b for T >= 1, h_0 at T = 0."""
    h, x, b = sg.signal("h"), sg.input_signal("x"), sg.param("b")
    cell = sg.Cell("forgets", [(h, x * h.prev + b)], inputs=[x]).scalar()

    form = sg.elementary_form(cell, "h_T", None, "zero")

    assert sg.verdict_of(cell, form, inputs="zero").status == "proved"
