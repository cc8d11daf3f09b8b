"""Claimed formulas, right and wrong, through the public function."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import symgrad as sg
from symgrad.adjoint import Objective
from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.lang.affine import as_affine
from symgrad.lang.nodes import const, derivative, name, substitute_indices
from symgrad.lang.program import at_last_step
from symgrad.parse import parse_statement
from symgrad.parse.errors import ParseError

SCALAR = {name: cell.scalar() for name, cell in sg.CATALOGUE.items()}
VECTOR = dict(sg.CATALOGUE)

PROVED = [
    ("linear", "h_T = w^T h_0"),
    ("linear", "h_t = w^t h_0"),
    ("linear", "dh_T/dh_0 = w^T"),
    ("linear", "dh_t/dh_k = w^(t-k)"),
    ("linear-input", "h_T = w^T h_0 + sum_{k=1}^T w^(T-k) (u x_k + b)"),
    ("linear-input", "dh_T/du = sum_{j=0}^{T-1} w^j x_{T-j}"),
    ("rnn", "dh_t/dh_{t-1} = w_h (1 - h_t^2)"),
    ("rnn", "dh_T/dw_h = sum_{k=1}^T (1 - h_k^2) h_{k-1} (prod_{i=k+1}^T (1 - h_i^2) w_h)"),
    ("lstm", "h_t = o_t tanh(c_t)"),
    ("lstm", "dh_t/dc_t = o_t (1 - tanh(c_t)^2)"),
    ("lstm", "c_T = (prod_{j=1}^T f_j) c_0 + sum_{k=1}^T (prod_{j=k+1}^T f_j) i_k g_k"),
]

REFUTED = [
    ("linear", "h_T = w^(T-1) h_0"),
    ("linear", "dh_T/dw = T w^T h_0"),
    ("linear-input", "h_T = w^T h_0 + sum_{k=1}^T w^(T-k+1) (u x_k + b)"),
    ("rnn", "dh_t/dh_{t-1} = w_h (1 - h_{t-1}^2)"),
    ("rnn", "dh_T/dw_h = sum_{k=1}^T (prod_{j=k}^T w_h (1 - h_j^2)) (1 - h_k^2) h_{k-1}"),
    ("rnn", "dh_T/dw_h = sum_{k=2}^T (prod_{j=k+1}^T w_h (1 - h_j^2)) (1 - h_k^2) h_{k-1}"),
    ("lstm", "dc_t/dc_{t-1} = f_t"),
    ("lstm", "dc_T/dc_k = prod_{j=k+1}^T f_j"),
    ("lstm", "dh_t/dc_t = o_t (1 - c_t^2)"),
]


@pytest.mark.parametrize(("cell", "text"), PROVED)
def test_right_formulas_are_proved(cell: str, text: str) -> None:
    verdict = sg.check(SCALAR[cell], text)
    assert verdict.status == "proved", verdict
    assert verdict.proof is not None
    assert verdict.proof.replay()


@pytest.mark.parametrize(("cell", "text"), REFUTED)
def test_wrong_formulas_have_a_witness_that_reproduces(cell: str, text: str) -> None:
    verdict = sg.check(SCALAR[cell], text)
    assert verdict.status == "refuted", verdict
    assert verdict.witness is not None
    printed: list[str] = []
    program = verdict.witness.numpy_lines()
    assert program
    exec(  # the lines are ours, made to be pasted
        compile(program, "witness", "exec"), {"print": lambda *a: printed.append(str(a[-1]))}
    )
    left, right = (line.split()[-1] for line in printed[-2:])
    assert left != right


CHECKED = [
    ("linear", "dh_T/dw = T w^(T-1) h_0", ("w ≠ 0 at T = 0",), "T = 0..50"),
    ("linear", "dh_T/dw = (T/w) h_T", ("w ≠ 0",), "T = 0..50"),
    ("linear", "h_5 = w^5 h_0", (), "T = 5..50"),
    ("linear-input", "h_T = w^T h_0 + sum_{j=0}^{T-1} w^j (b + x_{T-j} u)", (), "T = 0..50"),
]


@pytest.mark.parametrize(("cell", "text", "conditions", "scope"), CHECKED)
def test_scopes_and_conditions(cell: str, text: str, conditions: Any, scope: str) -> None:
    verdict = sg.check(SCALAR[cell], text)
    assert verdict.status in ("checked", "proved"), verdict
    assert verdict.conditions == conditions
    if verdict.status == "checked":
        assert scope in verdict.scope


VECTOR_CLAIMS = [
    ("rnn", "dh_t/dh_{t-1} = diag(1 - h_t^2) W_h", True),
    ("rnn", "dh_t/dh_{t-1} = W_h diag(1 - h_t^2)", False),
    ("rnn", "dh_t/dh_{t-1} = W_h^⊤ diag(1 - h_t^2)", False),
    ("lstm", "dh_t/dc_t = diag(o_t ⊙ (1 - tanh^2(c_t)))", True),
    ("lstm", "dc_t/dc_{t-1} = diag(f_t)", False),
]


@pytest.mark.parametrize(("cell", "text", "right"), VECTOR_CLAIMS)
def test_matrix_formulas(cell: str, text: str, right: bool) -> None:
    verdict = sg.check(VECTOR[cell], text)
    assert verdict.status == ("proved" if right else "refuted"), verdict
    assert not right or "all sizes" in verdict.scope


LOSSES: list[tuple[Callable[[Cell], Objective], str, bool]] = [
    (sg.loss, "dL/dW_h = sum_{t=1}^T δ_t^h h_{t-1}^⊤", True),
    (sg.loss, "dL/dW_h = sum_{t=1}^T λ_t^h h_{t-1}^⊤", False),
    (sg.loss, "dL/dW_h = sum_{t=1}^T δ_t^h h_t^⊤", False),
    (sg.loss, "dL/db_h = sum_{t=1}^T δ_t^h", True),
    (sg.loss, "dL/dW_h = sum_{t=2}^T δ_t^h h_{t-1}^⊤", False),
    (sg.summed, "dL/dW_y = sum_{t=1}^T s h_t^⊤", True),
]


@pytest.mark.parametrize(("objective", "text", "right"), LOSSES)
def test_gradients_of_a_loss(
    objective: Callable[[Cell], Objective], text: str, right: bool
) -> None:
    cell = VECTOR["rnn"]
    verdict = sg.check(cell, text, objective=objective(cell))
    assert (verdict.status == "refuted") is not right, verdict
    assert verdict.status != "undecided"


def test_another_way_of_writing_a_gradient_is_proved_through_normal_forms() -> None:
    cell = SCALAR["rnn"]
    verdict = sg.check(cell, "dL/dw_h = sum_{t=1}^T h_{t-1} δ_t^h", objective=sg.loss(cell))
    assert verdict.status == "proved"
    assert "equal to it by normal forms" in str(verdict)


def test_nodes_are_taken_as_well_as_text() -> None:
    cell = SCALAR["linear"]
    left, right = parse_statement("h_T = w^T h_0", cell)
    assert sg.check(cell, (left, right)).status == "proved"
    assert sg.check(cell, (left, right + const(0) * right + right)).status == "refuted"


def test_latex() -> None:
    text = r"\frac{d h_T}{d w} = \sum_{k=1}^{T} w^{T-k} h_{k-1}"
    assert sg.check(SCALAR["linear"], text, syntax="latex").status in ("proved", "checked")


def test_L_needs_its_objective() -> None:
    with pytest.raises(UsageError, match="say what L is"):
        sg.check(SCALAR["rnn"], "dL/dw_h = 0")


def test_the_power_of_a_matrix_is_asked_for() -> None:
    cell = VECTOR["linear"]
    assert sg.check(cell, "h_T = W^T h_0", horizon="power").holds
    with pytest.raises(ParseError, match="a power and a transpose"):
        sg.check(cell, "h_T = W^T h_0")


def test_a_second_formula_has_its_own_shapes() -> None:
    """Shapes were kept by the identity of expressions that were gone."""
    cell = VECTOR["lstm"]
    for _ in range(20):
        for text in ("diag(f_t ⊙ (1 - o_t))", "U_f", "diag(o_t ⊙ (1 - tanh^2(c_t)))"):
            assert str(parse_statement(f"dh_t/dc_t = {text}", cell)[1].shape[0]) == "n"


# ---- statements that are right only in part --------------------------------------------------


def two_states() -> Cell:
    c, h = sg.signal("c"), sg.signal("h")
    w, u, v = sg.param("w"), sg.param("u"), sg.param("v")
    return sg.Cell("two", [(c, w * c.prev + u * h.prev), (h, v * c)]).scalar()


@pytest.mark.parametrize(
    "text",
    [
        "dc_t/dc_{t-1} = w",  # at t = 1, where h_0 is given
        "dc_{t-8}/dc_{t-9} = w",
        "dc_{T-50}/dc_{T-51} = w",
    ],
)
def test_what_holds_at_the_first_time_only_is_refuted(text: str) -> None:
    assert sg.check(two_states(), text).status == "refuted"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("linear-input", "0 = dh_{t-10}/dw - dh_{t-10}/du"),
        ("rnn", "dh_t/dh_{t-1} = w_h (1 - h_t^2) + (dh_{t-1}/dw_h) - (dh_{t-1}/dw_x)"),
        ("linear", "h_t = w^t h_0 + (T-t) (sum_{k=9}^t w^k)"),
        ("linear-input", "dh_t/db = (sum_{k=1}^t w^(t-k)) + (T-t) (sum_{k=9}^t w^k)"),
        ("linear", "h_60 = w^61 h_0"),
    ],
)
def test_no_proof_of_what_is_wrong_later(cell: str, text: str) -> None:
    assert sg.check(SCALAR[cell], text).status != "proved"


def test_an_equation_of_the_last_step_at_a_fixed_time() -> None:
    cell = VECTOR["linear"]
    objective = sg.loss(cell)
    last = at_last_step(sg.backward(cell, objective).adjoints["h"])
    left = derivative("gradient", name("L"), cell.states[0].at(9))
    claim = (left, substitute_indices(last, {"t": as_affine(9)}))
    assert sg.check(cell, claim, objective=objective).status == "refuted"


def test_conditions_of_a_gradient_are_kept() -> None:
    cell = SCALAR["rnn"]
    text = "dL/dw_h = ((w_h^2 - w_h)/(w_h - 1)) (1/w_h) (sum_{t=1}^T h_{t-1} δ_t^h)"
    verdict = sg.check(cell, text, objective=sg.loss(cell))
    assert set(verdict.conditions) == {"w_h ≠ 1", "w_h ≠ 0"}


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("λ_T^h = W_y^⊤ (∂ℓ_T/∂y_T)", True),
        ("λ_t^h = W_y^⊤ (∂ℓ_t/∂y_t) + W_h^⊤ δ_{t+1}^h", True),
        ("δ_t^h = λ_t^h ⊙ (1 - h_t^2)", True),
        ("λ_0^h = W_h^⊤ δ_1^h", True),
        ("λ_t^h = λ_{t+1}^h", False),
        ("δ_t^h = λ_t^h", False),
    ],
)
def test_backward_equations(text: str, right: bool) -> None:
    cell = VECTOR["rnn"]
    verdict = sg.check(cell, text, objective=sg.loss(cell))
    assert verdict.status in (("proved", "checked") if right else ("refuted",)), verdict


def test_a_range_is_not_passed_over() -> None:
    assert sg.check(SCALAR["linear"], "h_T = h_0 for T = 0").scope == "T = 0"
    assert sg.check(SCALAR["linear"], "h_T = h_0 for T ≥ 0").status == "refuted"
    with pytest.raises(ParseError, match="'banana' is no range of times"):
        sg.check(SCALAR["linear"], "dh_T/dh_k = w^{T-k}   for banana")
    cases = "dh_T/dw = {0 if T = 0; T w^{T-1} h_0 otherwise}"
    assert sg.check(SCALAR["linear"], cases).holds


def test_sides_of_different_shapes() -> None:
    cell = VECTOR["rnn"]
    with pytest.raises(UsageError, match="n × m, the right side m × n"):
        sg.check(cell, "dh_t/dx_t = W_x^⊤ diag(1 - h_t^2)")


# ---- what papers write -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "text", "scope"),
    [
        ("linear", "dh_T/dh_t = w^(T-t)", "all 0 ≤ t ≤ T"),
        (
            "rnn",
            "dh_T/dh_t = prod_{j=t+1}^T W_h tanh'(W_x x_j + W_h h_{j-1} + b_h)",
            "all 0 ≤ t ≤ T",
        ),
        ("lstm", "dh_t/dc_t = o_t tanh'(c_t)", "all t ≥ 1"),
    ],
)
def test_letters_and_spellings_of_papers_are_proved(cell: str, text: str, scope: str) -> None:
    verdict = sg.check(SCALAR[cell], text)
    assert (verdict.status, verdict.scope) == ("proved", scope), verdict


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("linear", "dh_k/dh_{k-m} = w^m"),
        ("linear", "dh_{t+k}/dh_t = w^k"),
        ("linear", "dh_T/dh_{T-m} = w^m"),
        ("linear", "dh_i/dh_{i-1} = w"),
        ("lstm", "f_t c_{t-1} = c_t - i_t g_t"),
    ],
)
def test_times_with_two_letters_stay_in_the_run(cell: str, text: str) -> None:
    assert sg.check(SCALAR[cell], text).holds


def test_a_product_begins_where_its_factors_exist() -> None:
    """o_{j-1} at j = k + 1 needs k ≥ 1; without it there is nothing to say about k = 0."""
    verdict = sg.check(
        SCALAR["lstm"], "dc_T/dc_k = prod_{j=k+1}^T (f_j + u_o o_{j-1} - u_o o_{j-1})"
    )
    assert verdict.status == "refuted"
    assert sg.check(SCALAR["rnn"], "sum_{t=T-2}^T h_{t-1} = h_{T-3} + h_{T-2} + h_{T-1}").holds


@pytest.mark.parametrize(
    ("cell", "text", "status"),
    [
        ("rnn", "λ_t^h = W_y^⊤ λ_t^y + W_h^⊤ δ_{t+1}^h", "proved"),
        ("rnn", "dL/dh_t = W_y^⊤ (dL/dy_t) + W_h^⊤ ((1 - h_{t+1}^2) ⊙ (dL/dh_{t+1}))", "proved"),
        ("rnn", "dL/dW_h = sum_{t} diag(1 - h_t^2) (dL/dh_t) h_{t-1}^⊤", "proved"),
        ("rnn", "dL/dW_h = sum_{t} diag(1 - h_t^2) (dL/dh_t) h_t^⊤", "refuted"),
        ("lstm", "λ_t^f = c_{t-1} ⊙ λ_t^c", "proved"),
        ("lstm", "λ_t^f = c_t ⊙ λ_t^c", "refuted"),
        ("lstm", "λ_t^o = λ_t^h ⊙ tanh(c_t)", "proved"),
    ],
)
def test_adjoints_of_all_signals(cell: str, text: str, status: str) -> None:
    cell_ = VECTOR[cell]
    verdict = sg.check(cell_, text, objective=sg.loss(cell_))
    assert verdict.status == status, verdict


@pytest.mark.parametrize(
    ("objective", "text", "says"),
    [
        (sg.loss, "λ_t^h = ∂ℓ_t/∂h_t + W_h^⊤ δ_{t+1}^h", "ℓ_t is a loss of y_t"),
        (sg.final, "λ_t^y = ∂ℓ_t/∂y_t", "objective=symgrad.loss"),
        (lambda cell: sg.loss(cell, squared=True), "λ_t^y = ∂ℓ_t/∂y_t", "write y_t - y_t"),
        (sg.loss, "δ_t^y = ∂ℓ_t/∂y_t", "no δ^y; dL/dy is λ^y"),
        (sg.loss, "dL/dW_h = sum_{t} h_{t-1}^⊤ δ_t^h", "an outer product is a bᵀ"),
        (sg.loss, "dh_t/dh_{t-1} = 1 - h_t^2", "write diag"),
    ],
)
def test_what_a_statement_about_L_cannot_say(
    objective: Callable[[Cell], Objective], text: str, says: str
) -> None:
    cell = VECTOR["rnn"]
    with pytest.raises(UsageError, match=re.escape(says)):
        sg.check(cell, text, objective=objective(cell))
