"""Formulas that divide: where they have no value is said, and what is there is tried."""

from __future__ import annotations

import pytest

from symgrad import check, read_cell
from symgrad.cells import CATALOGUE
from symgrad.derivation.evidence import Evidence
from symgrad.lang.nodes import const, param
from symgrad.ops import exp, sigma, softplus, sqrt
from symgrad.parse import ParseError, parse_statement
from symgrad.verify.needs import Needs, is_positive
from symgrad.verify.regions import region_of
from symgrad.verify.verdict import Verdict

LINEAR = CATALOGUE["linear"].scalar()
LSTM = CATALOGUE["lstm"].scalar()


def judge(text: str) -> Verdict:
    syntax = "latex" if "\\" in text else "text"
    return Evidence(LINEAR).formula(*parse_statement(text, LINEAR, syntax=syntax))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("h_T = w^T h_0", ()),
        ("dh_T/dw = T w^{T-1} h_0", ("w ≠ 0 at T = 0",)),
        ("h_T = w^{T+1} h_0 / w", ("w ≠ 0",)),
        ("dh_T/dw = T h_T / w", ("w ≠ 0",)),
        (r"\sum_{k=0}^{T} w^k = (w^{T+1} - 1)/(w - 1)", ("w ≠ 1",)),
        (r"\sum_{k=0}^{T} w^k = \frac{2 w^{T+1} - 2}{2 w - 2}", ("w ≠ 1",)),
        (r"\sum_{k=0}^{T} w^k = \frac{1 - w^{T+1}}{(1 - w)}", ("w ≠ 1",)),
        (r"h_T = w^T h_0 \frac{3 w + 1}{3 w + 1}", ("w ≠ -1/3",)),
        ("h_T = (w^2 - 1) w^T h_0/(w^2 - 1)", ("w^2 - 1 ≠ 0",)),
        ("h_T = w^T h_0 (1 + w^2)/(w^2 + 1)", ()),
    ],
)
def test_conditions_are_stated(text: str, conditions: tuple[str, ...]) -> None:
    verdict = judge(text)
    assert verdict.status == "checked"
    assert verdict.conditions == conditions
    for words in conditions:
        assert words in str(verdict)


def test_a_branch_at_the_value_where_a_denominator_vanishes() -> None:
    rows = r"{value} & w = 1 \\ \frac{{w^{{T+1}} - 1}}{{w - 1}} & \text{{otherwise}}"
    for value, status in (("T + 1", "checked"), ("T", "refuted")):
        cases = rf"\begin{{cases}} {rows.format(value=value)} \end{{cases}}"
        verdict = judge(rf"\sum_{{k=0}}^{{T}} w^k = {cases}")
        assert verdict.status == status
        assert verdict.conditions == ()


def test_functions_that_are_positive_need_no_condition() -> None:
    w, b = param("w"), param("b")
    for node in (exp(w), 1 + exp(-w), sigma(w) + softplus(b), 1 + w * w, sqrt(1 + w**2), const(2)):
        assert is_positive(node)
    for node in (w, 1 + w, w * w, exp(w) - 1, sqrt(w), w**2, const(0), const(-1)):
        assert not is_positive(node)


def test_sigma_written_out_needs_no_condition() -> None:
    z = "w_f x_T + u_f h_{T-1} + b_f"
    text = f"f_T = exp({z})/(1 + exp({z}))"
    left, right = parse_statement(text, LSTM)
    verdict = Evidence(LSTM).formula(left, right, first=1)
    assert verdict.status == "checked"
    assert verdict.conditions == ()


def test_factors_are_listed_singly() -> None:
    w, b = param("w"), param("b")
    found = Needs(region_of((), 0)).of(1 / ((w - 1) ** 2 * b * 3) + w**-1)
    assert {need.formula for need in found} == {w - 1, b, w}


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("1/(1 - 1/w) = w/(w - 1)", {"w ≠ 0", "w ≠ 1", "1 - 1 / w ≠ 0"}),
        ("1/(2 + 1/w) = w/(2 * w + 1)", {"w ≠ 0", "w ≠ -1/2", "2 + 1 / w ≠ 0"}),
        ("1/(w^T - 1) = w^T/(w^(2T) - w^T)", {"w^T - 1 ≠ 0", "w^(2T) - w^T ≠ 0"}),
        ("w^(T-1) = w^T/w", {"w ≠ 0"}),
        ("w^(T-1) * w = w^T", {"w ≠ 0 at T = 0"}),
    ],
)
def test_quotients_are_proved_where_they_have_a_value(text: str, conditions: set[str]) -> None:
    verdict = check(LINEAR, text)
    assert verdict.status == "proved"
    assert set(verdict.conditions) == conditions


@pytest.mark.parametrize(
    "text",
    [
        "1/(1 - 1/w) = w/(w - 2)",
        "1/(2 + 1/w) = w/(2 * w + 1.000000001)",
        "1/(w^T - 1) = w^T/(w^(2T) - w^(T+1))",
        "w^(T-1) = w^T/w^2",
    ],
)
def test_wrong_quotients_are_refuted(text: str) -> None:
    assert check(LINEAR, text).status == "refuted"


def test_a_time_without_a_value_is_left_out_and_told() -> None:
    verdict = check(LINEAR, "(h_T - h_0)/T = (w^T - 1) h_0 / T")
    assert verdict.status == "checked"
    assert verdict.scope == "T = 1..50, scalar"
    assert verdict.how[-1].startswith("at T = 0 a denominator vanishes")
    # The bias correction of Adam (Kingma and Ba 2015, algorithm 1), with m_0 that is not 0.
    adam = read_cell("m_t = beta * m_{t-1} + (1 - beta) * x_t", name="adam").scalar()
    mean = "(1 - beta)/(1 - beta^T) * (sum_{k=1}^T beta^(T-k) x_k)"
    wrong = check(adam, f"m_T/(1 - beta^T) = {mean}")
    assert wrong.status == "refuted"
    assert wrong.witness is not None
    assert wrong.witness.horizon == 1
    right = check(adam, f"m_T/(1 - beta^T) = beta^T m_0/(1 - beta^T) + {mean}")
    assert right.holds
    assert right.conditions == ("1 - beta^T ≠ 0",)


@pytest.mark.parametrize(
    "text",
    [
        # At another t of the same T the sides have values, and differ.
        "h_t/(t - 1) = -h_t",
        "h_t/(t - 5) = {h_t/(t - 5) if t < 5; 0 otherwise}",
        "h_t h_k/(t - k - 1) = -h_t h_k for 0 ≤ k ≤ t ≤ T",
        # Five T and more without a value.
        "h_T/((T - 1) (T - 2) (T - 3) (T - 4) (T - 5)) = {0 if T ≥ 6; h_T otherwise}",
    ],
)
def test_times_without_a_value_hide_nothing(text: str) -> None:
    assert check(LINEAR, text).status in ("undecided", "refuted")
    if "h_k" not in text:
        assert check(CATALOGUE["linear"], text).status in ("undecided", "refuted")


def test_a_time_without_a_value_for_one_size_hides_nothing() -> None:
    """The variance of one number is 0, that of two is not."""
    cell = read_cell("h_t = tanh(W h_{t-1})", name="plain")
    quotient = "{variance(h_T)/variance(h_T) if T = 3; 1 otherwise}"
    assert not check(cell, f"{quotient} = {{2 if T = 3; 1 otherwise}}").holds


def test_a_range_at_which_it_divides_by_zero_is_refused() -> None:
    with pytest.raises(ParseError, match="for t = T the statement divides by zero"):
        check(LINEAR, "h_{t-1}/(t - T) = h_{t-1}/(t - T) for t = T")


def test_where_there_is_never_a_value_nothing_is_said() -> None:
    assert check(LINEAR, "1/(w - w) = 1").status == "undecided"
    assert check(LINEAR, "1/(h_T - w^T h_0) = 1/(w^T h_0 - h_T)").status == "undecided"


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("step(w) + step(-w) = 1", "w ≠ 0"),
        ("sign(h_t) * abs(h_t) = h_t", "h_t ≠ 0"),
        ("relu(w - 1) = (w - 1) step(w - 1)", "w ≠ 1"),
        ("step_half(w) + step_half(-w) = 1", ""),
        ("abs(w)^2 = w^2", ""),
    ],
)
def test_a_step_has_no_value_at_0(text: str, condition: str) -> None:
    verdict = check(LINEAR, text)
    assert verdict.holds
    assert verdict.conditions == ((condition,) if condition else ())


def test_beside_derivatives_of_a_smooth_cell_a_step_is_told() -> None:
    cell = CATALOGUE["rnn"].scalar()
    verdict = check(cell, "step(h_T) + step(-h_T) + dh_T/db_h = 1 + dh_T/db_h")
    assert verdict.holds
    assert verdict.conditions == ("h_T ≠ 0",)


def test_beside_derivatives_a_kink_goes_without_saying() -> None:
    cell = read_cell("h_t = relu(w h_{t-1})", name="kink").scalar()
    assert check(cell, "dh_t/dh_{t-1} = w step(w h_{t-1})").conditions == ()
