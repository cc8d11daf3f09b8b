"""Statements in the notation of papers: ∂⁺ above alone, calligraphic L, bounds in a chain."""

from __future__ import annotations

import pytest

import symgrad as sg
from symgrad.cell import Cell
from symgrad.errors import SymgradError
from symgrad.lang.affine import Affine, as_affine, k, symbol, t
from symgrad.lang.nodes import name, prod_over, sum_over
from symgrad.parse import ParseError, parse_formula, read_cell
from symgrad.parse.grammar import Syntax

RNN, LINEAR = sg.CATALOGUE["rnn"], sg.CATALOGUE["linear"].scalar()
SCALAR = RNN.scalar()


def _refused(text: str, cell: Cell, syntax: Syntax = "text") -> str:
    with pytest.raises(SymgradError) as caught:
        sg.check(cell, text, syntax=syntax, objective=sg.loss(cell))
    return str(caught.value)


# ---- the plus of immediate derivatives -------------------------------------------------------


@pytest.mark.parametrize(
    ("syntax", "text"),
    [
        ("latex", r"\frac{\partial^+ h_t}{\partial W_h}"),
        ("latex", r"\frac{\partial^{+} h_t}{\partial W_h}"),
        ("latex", r"\partial^+ h_t / \partial W_h"),
        ("text", "∂⁺h_t/∂W_h"),
        ("text", "∂^+h_t/∂W_h"),
    ],
)
def test_a_plus_above_alone_is_the_immediate_derivative(syntax: Syntax, text: str) -> None:
    found = parse_formula(text, RNN, syntax=syntax)
    assert found is parse_formula("∂⁺h_t/∂⁺W_h", RNN)
    assert found is not parse_formula("∂h_t/∂W_h", RNN)


@pytest.mark.parametrize(
    ("syntax", "text"),
    [
        ("latex", r"\frac{\partial h_t}{\partial^+ W_h}"),
        ("latex", r"\frac{\partial^+ h_t}{d W_h}"),
        ("text", "∂h_t/∂⁺W_h"),
        ("text", "∂⁺h_t/dW_h"),
        ("text", "dh_t/∂⁺W_h"),
    ],
)
def test_other_single_pluses_are_refused(syntax: Syntax, text: str) -> None:
    with pytest.raises(ParseError, match="a plus at one differential alone: write ∂⁺h_t/∂⁺w or"):
        parse_formula(text, RNN, syntax=syntax)


def test_the_sum_of_pascanu_et_al() -> None:
    text = (
        r"\frac{\partial \mathcal{L}}{\partial w_h} = \sum_{1 \leq k \leq T} "
        r"\frac{\partial \mathcal{L}}{\partial h_k} \frac{\partial^+ h_k}{\partial w_h}"
    )
    objective = sg.loss(SCALAR)
    assert sg.check(SCALAR, text, syntax="latex", objective=objective).holds
    wrong = text.replace(r"\partial^+", r"\partial")
    assert sg.check(SCALAR, wrong, syntax="latex", objective=objective).status == "refuted"


# ---- L in other fonts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "letter", [r"\mathcal{L}", r"\mathcal L", r"\mathscr{L}", r"\mathrm{L}", r"\text{L}"]
)
def test_the_letters_of_L(letter: str) -> None:
    found = parse_formula(rf"\frac{{\partial {letter}}}{{\partial W_h}}", RNN, syntax="latex")
    assert found is parse_formula("dL/dW_h", RNN)
    text = rf"\frac{{d {letter}}}{{dw}} = T w^{{T-1}} h_0 \text{{ where }} {letter} = h_T"
    assert sg.check(LINEAR, text, syntax="latex").status in ("proved", "checked")
    assert sg.check(LINEAR, text.replace("h_0", "h_1"), syntax="latex").status == "refuted"


def test_a_calligraphic_L_of_the_cell_is_its_own() -> None:
    for sign in (r"\mathcal{L}_t", r"\mathcal{L}"):
        left = sign if "_t" in sign else "h_t"
        factor = sign if left == "h_t" else "w"
        cell = read_cell(rf"{left} = {factor} {left.replace('_t', '_{t-1}')} + x_t", "latex")
        read = parse_formula(sign, cell, syntax="latex")
        assert read is not name("L")
        assert "L_cal" in repr(read)


@pytest.mark.parametrize("letter", [r"\mathfrak{L}", r"\mathbb{L}", r"\hat{L}", r"\mathcal{W}"])
def test_other_letters_are_not_L(letter: str) -> None:
    with pytest.raises(ParseError, match="declares no"):
        parse_formula(rf"\frac{{\partial {letter}}}{{\partial W_h}}", RNN, syntax="latex")


def test_L_is_said_once() -> None:
    text = r"\frac{dL}{dw} = h_0 \text{ where } L = h_T, \mathcal{L} = h_T"
    assert "L is defined twice" in _refused(text, LINEAR, "latex")


# ---- bounds in a chain -----------------------------------------------------------------------

_i = symbol("i")


@pytest.mark.parametrize(
    ("syntax", "bounds", "lower", "upper"),
    [
        ("text", "1 ≤ i ≤ t", as_affine(1), t),
        ("text", "1 <= i < t", as_affine(1), t - 1),
        ("text", "k < i ≤ t", k + 1, t),
        ("text", "t ≥ i > k", k + 1, t),
        ("text", "t > i >= k", k, t - 1),
        ("text", "t-1>i>k+1", k + 2, t - 2),
        ("latex", r"1 \leq i \leq t", as_affine(1), t),
        ("latex", r"1 ≤ i ≤ t", as_affine(1), t),
        ("latex", r"k < i \le t", k + 1, t),
        ("latex", r"t \geq i > k", k + 1, t),
        ("latex", r"t > i \ge k", k, t - 1),
    ],
)
def test_an_index_between_two_bounds(
    syntax: Syntax, bounds: str, lower: Affine, upper: Affine
) -> None:
    state = sg.signal("h", RNN.signals[0].shape[0])
    backslash = "\\" if syntax == "latex" else ""
    found = parse_formula(f"{backslash}sum_{{{bounds}}} h_i", RNN, syntax=syntax)
    assert found is sum_over("i", lower, upper, state.at(_i))
    found = parse_formula(f"{backslash}prod_{{{bounds}}} W_h", RNN, syntax=syntax)
    assert found is prod_over("i", lower, upper, RNN.param("W_h"))


@pytest.mark.parametrize("bounds", [r"t \geq i > k", r"k < i \leq t"])
def test_later_factors_stand_on_the_left(bounds: str) -> None:
    text = r"\frac{\partial h_t}{\partial h_k} = \prod_{B} \frac{\partial h_i}{\partial h_{i-1}}"
    text = text.replace("B", bounds)
    assert sg.check(RNN, text, syntax="latex").status == "proved"
    wrong = text.replace(">", r"\geq").replace("<", r"\leq")
    assert sg.check(RNN, wrong, syntax="latex").status == "refuted"
    # The other order is another matrix.
    jacobian = r"\frac{\partial h_i}{\partial h_{i-1}}"
    reversed_ = text.replace(jacobian, rf"\left({jacobian}\right)^\top")
    assert sg.check(RNN, reversed_, syntax="latex").status == "refuted"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sum_{i ≤ t} h_i", "one bound of i: give both, as in sum_{1 ≤ i ≤ T} or sum_{i=1}^{T}"),
        ("prod_{i > k} W_h", "one bound of i: give both"),
        ("sum_{1 ≤ i ≤ t}^{T} h_i", "limits below and above"),
        ("sum_{1 ≤ i ≥ t} h_i", "bounds go one way: write 1 ≤ i ≤ t"),
        ("sum_{1 ≤ i ≠ t} h_i", "bounds go one way"),
        ("sum_{1 = i ≤ t} h_i", "bounds go one way"),
        ("sum_{1 ≤ i < j ≤ t} h_i", "write a sum inside a sum"),
        ("sum_{1 ≤ i ≤ i} h_i", "i stands between bounds that use i"),
        ("sum_{1 ≤ i_1 ≤ t} h_t", "expected both limits"),
        ("sum_{i_1=1}^t h_t", "expected both limits"),
        ("sum_{1 ≤ i ≤ W_h} h_i", "the limits of a sum over time are times"),
        ("sum_{1 ⟨ i ⟨ t} h_i", "⟨ compares nothing: write < or >"),
        ("prod_{i=T}^{k+1} W_h", "counts down: the smaller limit stands below"),
        ("sum_{i=t}^{1} h_i", "counts down: the smaller limit stands below"),
        ("h_{1 ≤ t}", "neither a time"),
    ],
)
def test_bounds_that_are_none(text: str, says: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_formula(text, RNN)
    assert says in str(caught.value)


@pytest.mark.parametrize("bounds", ["w=1}^{T", "1 ≤ w ≤ T"])
def test_an_index_is_no_name_of_the_cell(bounds: str) -> None:
    with pytest.raises(ParseError, match="w is a name of this cell; call the index k or j"):
        parse_formula(f"sum_{{{bounds}}} w", LINEAR)


# ---- targets ---------------------------------------------------------------------------------

SQUARED = "dL/db_y = sum_{t=1}^T (y_t - y_t^*)"


def test_a_target_that_L_has() -> None:
    assert sg.check(SCALAR, SQUARED, objective=sg.loss(SCALAR, squared=True)).status == "proved"


@pytest.mark.parametrize("scalar", [True, False])
def test_a_target_that_is_an_input_is_named(scalar: bool) -> None:
    cell = sg.with_loss(RNN, "squared")
    cell = cell.scalar() if scalar else cell
    with pytest.raises(SymgradError, match=r"write d_t for y_t\^\*"):
        sg.check(cell, SQUARED, objective=sg.summed(cell))
    right = SQUARED.replace("y_t^*", "d_t")
    assert sg.check(cell, right, objective=sg.summed(cell)).status in ("proved", "checked")


def test_the_target_of_a_prediction() -> None:
    cell = sg.with_loss(RNN, "cross_entropy")
    with pytest.raises(SymgradError, match=r"write d_t for p_t\^\*"):
        sg.check(cell, "dL/db_y = sum_{t=1}^T (p_t - p_t^*)", objective=sg.summed(cell))


def test_a_target_that_nothing_has() -> None:
    assert "say that L is the squared error" in _refused(SQUARED, SCALAR)
    with pytest.raises(SymgradError, match=r"L has the target y_t\^\* only"):
        sg.check(
            SCALAR,
            "dL/db_y = sum_{t=1}^T (h_t - h_t^*)",
            objective=sg.loss(SCALAR, squared=True),
        )


# ---- a final value with a factor -------------------------------------------------------------


@pytest.mark.parametrize("meaning", ["s h_T", "h_T s", "s^⊤ h_T"])
def test_a_free_cotangent_of_a_scalar(meaning: str) -> None:
    text = f"dL/dw = s T w^(T-1) h_0 where L = {meaning}"
    assert sg.check(LINEAR, text).status in ("proved", "checked")
    assert sg.check(LINEAR, text.replace("= s T", "= T")).status == "refuted"
    assert "s times that" in _refused_meaning(text.replace(meaning, "2 h_T"))


def _refused_meaning(text: str) -> str:
    with pytest.raises(ParseError) as caught:
        sg.check(LINEAR, text.replace("= s T", "= T"))
    return str(caught.value)


def test_other_forms_of_scalars() -> None:
    assert sg.check(LINEAR, "dL/dw = T w^(T-1) h_0 where L = h_T").status in ("proved", "checked")
    total = "dL/dh_t = s sum_{k=t}^T w^(k-t) for t ≥ 1, where L = sum_{t=1}^T s h_t"
    assert sg.check(LINEAR, total).status in ("proved", "checked")
    assert sg.check(LINEAR, total.replace("= s sum", "= sum")).status == "refuted"


# ---- what is refused says what to write ------------------------------------------------------

LSTM, MATRIX = sg.CATALOGUE["lstm"].scalar(), sg.CATALOGUE["linear"]
NO_CONDITIONS = "a statement has no conditions on parameters and signals: leave it out"
TRUE = "dh_T/dw = T w^(T-1) h_0"
TEX = r"\frac{dh_T}{dw} = T w^{T-1} h_0"


@pytest.mark.parametrize(
    ("syntax", "text"),
    [
        ("text", "h_T = w h_{T-1} = w^2 h_{T-2}"),
        ("latex", "h_T = w h_{T-1} = w^2 h_{T-2}"),
        ("latex", r"h_T &= w h_{T-1} \\ &= w^2 h_{T-2}"),
    ],
)
def test_a_chain_of_equations(syntax: Syntax, text: str) -> None:
    says = "state one at a time, h_T = w h_{T-1} and w h_{T-1} = w^2 h_{T-2}"
    assert says in _refused(text, LINEAR, syntax)


@pytest.mark.parametrize(
    ("syntax", "text"),
    [
        ("text", f"{TRUE} for w ≠ 1"),
        ("text", f"{TRUE} for w != 0"),
        ("text", f"{TRUE}, w ≠ 0"),
        ("text", f"{TRUE} where w ≠ 0"),
        ("text", f"{TRUE} (w ≠ 1)"),
        ("text", f"{TRUE} if w > 0"),
        ("text", f"{TRUE} for |w| < 1"),
        ("text", f"{TRUE} for T ≥ 1, w ≠ 0"),
        ("latex", rf"{TEX} \quad (w \neq 1)"),
        ("latex", rf"{TEX}, \quad w \neq 1"),
        ("latex", rf"{TEX} \text{{ for }} w \ne 1"),
        ("latex", rf"{TEX} \quad \text{{if }} w \neq 1"),
    ],
)
def test_conditions_on_parameters(syntax: Syntax, text: str) -> None:
    assert NO_CONDITIONS in _refused(text, LINEAR, syntax)


def test_conditions_on_times_stay() -> None:
    assert "write t < T in place of t ≠ T" in _refused(f"{TRUE} for t ≠ 1", LINEAR)
    assert NO_CONDITIONS in _refused("dh_t/dw_h = 0 for w_h ≠ 1", SCALAR)
    assert "a relation cannot stand" in _refused("h_T = [T ≠ 1] h_0", LINEAR)


@pytest.mark.parametrize(
    ("syntax", "text"),
    [
        ("text", "delta_t = (1 - h_t^2) λ_t^h"),
        ("text", "δ_t = (1 - h_t^2) λ_t^h"),
        ("text", "δ h_t = 0"),
        ("text", "λ_t = 0"),
        ("latex", r"\delta_{t-1} = 0"),
        ("latex", r"\delta h_t = 0"),
    ],
)
def test_an_adjoint_of_nothing(syntax: Syntax, text: str) -> None:
    says = _refused(text, SCALAR, syntax)
    assert "δ_t^h is the derivative of L by the argument of the activation of h_t" in says
    assert "λ_t^h or dL/dh_t the one by h_t" in says
    assert "declares no lambda" in _refused("dL/dw_h = λ w_h", SCALAR)


def test_the_adjoint_that_the_message_names_is_read() -> None:
    right = "δ_t^h = (1 - h_t^2) λ_t^h"
    assert sg.check(SCALAR, right, objective=sg.loss(SCALAR)).status in ("proved", "checked")
    wrong = right.replace("(1 - h_t^2)", "h_t")
    assert sg.check(SCALAR, wrong, objective=sg.loss(SCALAR)).status == "refuted"
    # In the LSTM h is no activation, f is.
    assert "δ_t^f is the derivative" in _refused(r"\delta c_t = 0", LSTM, "latex")


@pytest.mark.parametrize(
    ("syntax", "text"),
    [
        ("text", "dh_t/dh_{t-1} = U, where phi = tanh"),
        ("text", "dh_t/dh_{t-1} = U, phi = tanh"),
        ("latex", r"\frac{dh_t}{dh_{t-1}} = U \text{ where } \phi = \tanh"),
    ],
)
def test_an_activation_is_no_definition(syntax: Syntax, text: str) -> None:
    cell = read_cell("h_t = phi(W x_t + U h_{t-1})")
    assert "say which one it is in the cell, phi = tanh" in _refused(text, cell, syntax)


@pytest.mark.parametrize("text", ["h[T] = w^T h[0]", "h(T) = w^T h(0)", "h[3] = w h[2]"])
def test_times_in_brackets(text: str) -> None:
    assert sg.check(LINEAR, text).status == "proved"
    assert sg.check(LINEAR, text.replace("w", "2 w")).status == "refuted"
    assert "as a subscript, dh_T/dw" in _refused("dh[T]/dw = 0", LINEAR)


@pytest.mark.parametrize("bar", [r"\Big\|", r"\|", r"\Big|", "|", r"\bigg\Vert"])
def test_bars_of_restrictions(bar: str) -> None:
    text = rf"\frac{{\partial c_T}}{{\partial c_k}}{bar}_{{c}} = \prod_{{j=k+1}}^T f_j"
    assert r"is written \left.\frac{…}{…}\right|_{c}" in _refused(text, LSTM, "latex")
    right = text.replace(r"\frac{\partial c_T}", r"\left.\frac{\partial c_T}")
    right = right.replace(bar + "_", r"\right|_")
    assert sg.check(LSTM, right, syntax="latex").status == "proved"


def test_a_double_bar_that_closes_nothing() -> None:
    text = r"\left.\frac{\partial c_T}{\partial c_k}\right\|_{c} = 0"
    assert r"stands one bar, \right|_{c}" in _refused(text, LSTM, "latex")


def test_a_power_or_a_transpose_on_the_command_line() -> None:
    assert "--power power" in _refused("dh_T/dh_0 = W^T", MATRIX)


@pytest.mark.parametrize(
    ("cell", "syntax", "text"),
    [
        (SCALAR, "text", "(∂ℓ_t/∂y_t) (∂y_t/∂h_t)"),
        (RNN, "text", "(∂y_t/∂h_t)^⊤ (∂ℓ_t/∂y_t)"),
        (
            RNN,
            "latex",
            r"\left(\frac{\partial y_t}{\partial h_t}\right)^\top "
            r"\frac{\partial \ell_t}{\partial y_t}",
        ),
    ],
)
def test_a_loss_by_another_signal(cell: Cell, syntax: Syntax, text: str) -> None:
    left, loss_ = ("dL/dh_t", "dℓ_t/dh_t")
    if syntax == "latex":
        left = r"\frac{dL}{dh_t}"
        loss_ = r"\frac{\partial \ell_t}{\partial h_t}"
    behind = r" \text{ for } t = T, T \ge 1" if syntax == "latex" else " for t = T, T ≥ 1"
    assert f"write {text} for" in _refused(f"{left} = {loss_}{behind}", cell, syntax)
    claim = f"{left} = {text}{behind}"
    found = sg.check(cell, claim, syntax=syntax, objective=sg.loss(cell))
    assert found.status in ("proved", "checked")


# ---- definitions whose names begin with d ----------------------------------------------------


def test_a_definition_called_d() -> None:
    text = "dh_t/dw_h = d_t h_{t-1} + w_h d_t dh_{t-1}/dw_h, where d_t = 1 - h_t^2"
    assert sg.check(SCALAR, text).status in ("proved", "checked")
    assert sg.check(SCALAR, text.replace("1 - h_t^2", "1 + h_t^2")).status == "refuted"
    assert parse_formula("w_h d h_t/dw_h", SCALAR) is parse_formula("w_h (dh_t/dw_h)", SCALAR)


@pytest.mark.parametrize(
    ("syntax", "text"), [("text", "dL_T/dw_h = 0"), ("latex", r"d\mathcal{L}_t/dw_h = 0")]
)
def test_L_at_a_time(syntax: Syntax, text: str) -> None:
    assert "L has no time: write ℓ_t for the loss of a step" in _refused(text, SCALAR, syntax)


def test_a_loss_of_the_cell_that_L_is_not() -> None:
    text = (
        "reading: scalar\nb in R\nh_t = w h_{t-1} + x_t\ny_t = v h_t + b\ne_t = (y_t - d_t)^2 / 2\n"
    )
    cell = read_cell(text)
    says = _refused("dL/db = sum_{t=1}^T (y_t - y_t^*)", cell)
    assert "write d_t for y_t^*, and say where L = sum_{t=1}^T e_t" in says
    right = "dL/db = sum_{t=1}^T (y_t - d_t), where L = sum_{t=1}^T e_t"
    assert sg.check(cell, right).status == "proved"
    assert sg.check(cell, right.replace("- d_t", "+ d_t")).status == "refuted"
