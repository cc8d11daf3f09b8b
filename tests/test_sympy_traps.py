"""Wrong or missing answers of SymPy that symgrad must not inherit, one by one.

Each right answer is a number known without SymPy and without symgrad: worked out by hand, or
a sum written out. What SymPy 1.14 says instead is in the docstrings; nothing depends on it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from sympy.core.function import AppliedUndef

import symgrad as sg
from symgrad.cli import main
from symgrad.errors import DeclarationError, SymgradError
from symgrad.evaluate.exchange import python_text
from symgrad.evaluate.lambdified import lambdified
from symgrad.lang.affine import T, t
from symgrad.lang.algebra import Rationals
from symgrad.lang.nodes import Node, const, param, prod_over, sum_over
from symgrad.lang.program import Inputs
from symgrad.parse import parse_formula, read_cell

F = Fraction
LINEAR, DRIVEN = sg.CATALOGUE["linear"].scalar(), sg.CATALOGUE["linear-input"].scalar()
RNN, LSTM = sg.CATALOGUE["rnn"].scalar(), sg.CATALOGUE["lstm"].scalar()


def matrix(rows: Any) -> Any:
    entries = np.empty(np.shape(rows), dtype=object)
    for place in np.ndindex(entries.shape):
        entries[place] = F(np.asarray(rows)[place].item())
    return entries


ZERO = F(0)


def exactly(
    cell: sg.Cell, form: Any, T: int, params: Any, h_0: Any = ZERO, x: Any = (), **indices: int
) -> Any:
    """The value of a form in exact numbers; x_1 is the first entry of x."""
    inputs = Inputs(params, {"h": h_0}, lambda label, time: x[time - 1], {"n": 2, "m": 2})
    return sg.form_value(cell, form, inputs, T, Rationals(), indices)


def numbers(form: Any) -> Any:
    """The right side of a form in SymPy, its states and parameters free."""
    return sg.to_sympy(form.full)


def at(expression: Any, **values: Any) -> Any:
    """An expression with numbers for symbols, by name, put in one after the other."""
    for name, value in values.items():
        found = [s for s in expression.free_symbols if s.name == name]
        expression = expression.subs(dict.fromkeys(found, value))
    return expression.doit()


# ---- 1, 2: matrices ---------------------------------------------------------------------------

# c^T W² h with W = [[2, 3], [5, 7]], h = (1, 2), c = (3, 1).
W_0, H_0, C_0 = matrix([[2, 3], [5, 7]]), matrix([[1], [2]]), matrix([[3], [1]])
#: c (W h)^T + (W^T c) h^T.
TRUE_SLOPE = [[35, 79], [24, 51]]


def test_1_a_matrix_power_is_no_elementwise_power() -> None:
    cell = sg.CATALOGUE["linear"]
    for form in (sg.expanded_form(cell, "h_T", "W"), sg.closed_form(cell, "h_T", "W")):
        found = exactly(cell, form, 2, {"W": W_0, "s": C_0}, H_0)
        assert found.tolist() == TRUE_SLOPE
    run = sg.compile(cell, sg.final(cell))
    compiled = run.gradient(
        {"W": [[2.0, 3.0], [5.0, 7.0]]}, initial={"h": [1.0, 2.0]}, T=2, cotangent=[3.0, 1.0]
    )
    assert compiled["W"].tolist() == TRUE_SLOPE


def test_2_elementwise_functions_inside_products_have_a_derivative() -> None:
    """tanh(V tanh(W h)): SymPy raises. W h = 0 here, so both slopes are 1."""
    (n,) = sg.sizes("n")
    h, V, W = sg.signal("h", n), sg.param("V", n, n), sg.param("W", n, n)
    cell = sg.Cell("deep", [(h, sg.tanh(V @ sg.tanh(W @ h.prev)))])
    found = sg.compile(cell, sg.final(cell)).gradient(
        {"V": [[1.0, 2.0], [3.0, 4.0]], "W": [[1.0, 1.0], [2.0, 2.0]]},
        initial={"h": [1.0, -1.0]},
        T=1,
        cotangent=[1.0, 1.0],
    )
    assert found["W"].tolist() == [[4, -4], [6, -6]]
    assert not found["V"].any()
    assert sg.verdict_of(cell, sg.backward(cell, sg.final(cell))).holds


def test_2_products_of_jacobians_keep_their_order() -> None:
    """h_t = x_t ⊙ (W h_{t-1}): the latest step stands on the left."""
    (n,) = sg.sizes("n")
    h, x, W = sg.signal("h", n), sg.input_signal("x", n), sg.param("W", n, n)
    cell = sg.Cell("gated", [(h, x * (W @ h.prev))], inputs=[x])
    steps = [matrix([[7], [7]]), matrix([[1], [2]]), matrix([[3], [1]])]
    form = sg.expanded_form(cell, "h_T", "h_k")
    found = exactly(cell, form, 3, {"W": matrix([[0, 1], [1, 1]])}, matrix([[1], [1]]), steps, k=1)
    # [[0, 3], [1, 1]] [[0, 1], [2, 2]], and not the other way round, [[1, 1], [2, 8]].
    assert found.tolist() == [[6, 6], [2, 3]]


# ---- 3, 4: deciding equality ------------------------------------------------------------------


def test_3_a_geometric_sum_is_not_called_different() -> None:
    """.equals says False to Σ_{k<T} w^k = (1 - w^T)/(1 - w)."""
    form = sg.elementary_form(DRIVEN, "h_T", None, "constant")
    assert sg.verdict_of(DRIVEN, form, inputs="constant").status == "proved"
    wrong = replace(form, right=form.right * (1 + const(F(1, 10**12))))
    verdict = sg.verdict_of(DRIVEN, wrong, inputs="constant")
    assert verdict.status == "refuted"
    # Never without numbers at which the sides differ.
    assert verdict.witness is not None
    assert F(verdict.witness.left) != F(verdict.witness.right)


def test_4_a_gradient_of_four_lstm_steps_is_decided_both_ways() -> None:
    """SymPy's .equals takes half a minute where it is true, and does not return where not."""
    form = sg.expanded_form(LSTM, "c_T", "u_f")
    assert sg.verdict_of(LSTM, form).holds
    verdict = sg.verdict_of(LSTM, replace(form, right=form.right * (1 + const(F(1, 10**9)))))
    assert verdict.status == "refuted"


# ---- 5, 6: special values ---------------------------------------------------------------------


def test_5_the_derivative_at_the_special_branch() -> None:
    """d/dw Σ_{k=0}^{4} w^k at w = 1 is 1 + 2 + 3 + 4; SymPy says 0."""
    form = sg.elementary_form(DRIVEN, "h_T", "w", "constant")
    one = {"u": F(1), "b": F(0), "x": F(1)}
    for weight, truth in ((1, 10), (2, 1 + 4 + 12 + 32), (0, 1), (-1, 1 - 2 + 3 - 4)):
        assert exactly(DRIVEN, form, 5, {**one, "w": F(weight)}) == truth
        expression = numbers(form).replace(
            lambda e: isinstance(e, AppliedUndef), lambda e: sympy.Integer(0)
        )
        assert at(expression, w=weight, u=1, b=0, x=1, T=5) == truth
        assert at(expression, T=5, x=1, b=0, u=1, w=weight) == truth


@pytest.mark.parametrize(("steps", "slope"), [(0, 0), (1, 1), (2, 0), (7, 0)])
def test_6_a_power_at_zero(steps: int, slope: int) -> None:
    """d(w^T)/dw at w = 0: SymPy's T w^T / w is no number, and depends on what is put in first."""
    form = sg.closed_form(LINEAR, "h_T", "w")
    assert exactly(LINEAR, form, steps, {"w": F(0)}, F(1)) == slope
    expression = numbers(form).replace(
        lambda e: isinstance(e, AppliedUndef), lambda e: sympy.Integer(1)
    )
    assert at(expression, w=0, T=steps) == slope
    assert at(expression, T=steps, w=0) == slope


# ---- 7: recurrences ---------------------------------------------------------------------------


def test_7_a_recurrence_with_an_input_sequence_is_solved() -> None:
    """rsolve refuses h_t = w h_{t-1} + u x_t for a sequence x; dh_3/du = w² x_1 + w x_2 + x_3."""
    form = sg.closed_form(DRIVEN, "h_T", "u")
    assert sg.verdict_of(DRIVEN, form).status == "proved"
    values = {"w": F(2), "u": F(5), "b": F(3)}
    assert exactly(DRIVEN, form, 3, values, F(1), [F(1), F(10), F(100)]) == 4 + 20 + 100
    # dh_3/dw = 3 w² h_0 + 2 w (b + u x_1) + (b + u x_2).
    form = sg.closed_form(DRIVEN, "h_T", "w")
    found = exactly(DRIVEN, form, 3, values, F(1), [F(1), F(10), F(100)])
    assert found == 3 * 4 + 2 * 2 * 8 + 53


# ---- 8, 9: ranges and bound letters -----------------------------------------------------------


@pytest.mark.parametrize("steps", range(6))
def test_8_empty_ranges_are_empty(steps: int) -> None:
    """SymPy counts backwards: Σ_{k=1}^{-2} k is 1 there, and 0 when lambdified."""
    total = parse_formula("∑_{k=1}^{T-3} k", LINEAR)
    product = parse_formula("∏_{k=1}^{T-3} (k + 1)", LINEAR)
    sums = [0, 0, 0, 0, 1, 3]
    products = [1, 1, 1, 1, 2, 6]
    for node, truth in ((total, sums[steps]), (product, products[steps])):
        assert at(sg.to_sympy(node), T=steps) == truth
        assert lambdified(node)({}, lambda label, time: 0.0, steps) == truth


def test_8_sums_inside_sums_are_nested_the_right_way() -> None:
    """Σ_{t=1}^{T} Σ_{k=1}^{t} k = 1 + 3 + 6 + 10; lambdify of SymPy loops in the wrong order."""
    node = parse_formula("∑_{t=1}^T ∑_{k=1}^t k", LINEAR)
    assert lambdified(node)({}, lambda label, time: 0.0, 4) == 20
    assert at(sg.to_sympy(node), T=4) == 20


def test_9_sums_written_another_way_are_the_same() -> None:
    form = sg.closed_form(DRIVEN, "h_T", "u")
    same = [
        "x_T + ∑_{k=1}^{T-1} w^{T-k} x_k",
        "∑_{j=0}^{T-1} w^{T-j-1} x_{j+1}",
        "∑_{k=0}^{T-1} w^k x_{T-k}",
    ]
    for text in same:
        right = parse_formula(text, DRIVEN)
        verdict = sg.verdict_of(DRIVEN, replace(form, right=right, first_horizon=1))
        assert verdict.holds, (text, verdict)
    wrong = parse_formula("∑_{k=1}^{T-1} w^{T-k} x_k", DRIVEN)
    assert sg.verdict_of(DRIVEN, replace(form, right=wrong)).status == "refuted"


# ---- 10: text that stays the same -------------------------------------------------------------

_PRINTED = """
import sympy, symgrad as sg
for key in ("rnn", "lstm"):
    cell = sg.CATALOGUE[key].scalar()
    for wrt in cell.params[:3]:
        form = sg.expanded_form(cell, "h_T", wrt.name)
        found = sg.to_sympy(form.full)
        print(found, sympy.latex(found), form)
"""


def test_10_no_dummy_leaks_and_every_process_prints_the_same() -> None:
    outputs = set()
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", _PRINTED],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(run.stdout)
    (output,) = outputs
    assert output
    assert "Dummy" not in output
    assert "_{" in output


# ---- 11, 12: size and assumptions -------------------------------------------------------------


def test_11_unrolled_equations_do_not_swell() -> None:
    """Written into one expression the LSTM has 51 operations at T = 1, and 56 351 at T = 4."""
    counts = {}
    for steps in (1, 4, 40):
        equations = sg.sympy_equations(LSTM.unroll(steps))
        counts[steps] = sum(int(e.rhs.count_ops()) for e in equations)
    per_step = counts[1]
    assert counts[4] == 4 * per_step
    assert counts[40] == 40 * per_step
    assert per_step < 100


def test_12_all_symbols_follow_one_policy() -> None:
    """Some real and some complex symbols make SymPy's diff exponential in T."""
    expressions = [e for eq in sg.sympy_equations(RNN.unroll(2)) for e in eq.args]
    expressions.append(numbers(sg.expanded_form(LSTM, "c_T", "u_f")))
    for expression in expressions:
        for symbol in expression.free_symbols:
            assert symbol.is_real
        for call in expression.atoms(AppliedUndef):
            assert call.is_real


# ---- 13, 14: what people type -----------------------------------------------------------------

CODE = "__import__('os').abort()"


def test_13_a_name_that_is_code_names_nothing() -> None:
    for make in (sg.param, sg.signal, sg.input_signal, sg.activation):
        with pytest.raises((SymgradError, ValueError)):
            make(CODE)


@pytest.mark.parametrize(
    "text",
    [
        f"h_t = {CODE}",
        f"h_t = h_{{t-1}} + {CODE}",
        "h_t = h_{t-1}^(9^9^9)",
        "h_t = 9**9**9 * h_{t-1}",
        "h_t = lambda: 0",
    ],
)
def test_13_text_is_never_run(text: str) -> None:
    with pytest.raises(SymgradError):
        read_cell(text)


@pytest.mark.parametrize("value", [CODE, "9**9**9", "2**10**10", "[1]*10**10"])
def test_13_values_on_the_command_line_are_never_run(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at_value = f"w={value},h_0=1"
    command = ["derive", "linear", "--of", "h_T", "--wrt", "w", "--scalar", "--form", "closed"]
    assert main([*command, "--T", "2", "--at", at_value]) == 2
    assert "w" in capsys.readouterr().err


def test_14_latex_is_read_as_it_is_meant() -> None:
    r"""SymPy's reader takes \odot for a variable and W_{xh}, W_{hx} for one symbol."""
    cell = read_cell(
        r"""\begin{align}
        z_t &= \sigma(W_{xh} x_t + W_{hx} h_{t-1}) \\
        h_t &= z_t \odot h_{t-1} + \operatorname{diag}(z_t) W_{xh} x_t
        \end{align}""",
        "latex",
    )
    assert [p.name for p in cell.params] == ["W_xh", "W_hx"]
    assert {s.name for s in (*cell.signals, *cell.inputs)} == {"z", "h", "x"}
    scalar = cell.scalar()
    z, h = scalar.signals
    w, x = scalar.params[0], scalar.inputs[0]
    assert scalar.equation_of(h) == z * h.prev + z * (w * x)


def test_14_nothing_after_the_equation_is_dropped() -> None:
    with pytest.raises(SymgradError):
        read_cell(r"h_t = W h_{t-1} \end{align} + U x_t", "latex")
    with pytest.raises(SymgradError):
        read_cell(r"h_t = W h_{t-1} ) + x_t", "latex")


# ---- 15: lambdify -----------------------------------------------------------------------------


def test_15_products_are_lambdified() -> None:
    """NumPy's printer of SymPy has no Product. Π_{j=2}^{4} w (1 - h_j²) with h_j = 1/j, w = 2."""
    form = sg.expanded_form(RNN, "h_T", "h_k")
    function = lambdified(form.full)
    found = function({"w_h": 2.0}, lambda label, time: 1.0 / time, 4, k=1)
    truth = 2**3 * (1 - F(1, 4)) * (1 - F(1, 9)) * (1 - F(1, 16))
    assert abs(F(found) - truth) <= truth / 10**14


# ---- 17, 18: what a derivative means ----------------------------------------------------------


def test_17_a_state_is_no_constant() -> None:
    """h_2 = w² h_0: its derivative is 2 w h_0; SymPy says h_1 = w h_0 of w h(t - 1)."""
    total = sg.expanded_form(LINEAR, "h_T", "w")
    assert exactly(LINEAR, total, 2, {"w": F(3)}, F(5)) == 30


def test_18_values_do_not_depend_on_what_is_put_in_first() -> None:
    """Σ_t Σ_{k<t} w^{t-k-1} and its like at w = 0, in any order; 1 for each t from 2 on."""
    node = parse_formula("∑_{t=1}^T ∑_{k=1}^{t-1} w^{t-k-1}", LINEAR)
    expression = sg.to_sympy(node)
    for weight, truth in ((0, 3), (1, 6), (2, 1 + 3 + 7)):
        assert at(expression, w=weight, T=4) == truth
        assert at(expression, T=4, w=weight) == truth
        assert at(expression.doit(), T=4, w=weight) == truth


# ---- 19: printing -----------------------------------------------------------------------------


def test_19_latex_is_the_fields_and_not_sympys(capsys: pytest.CaptureFixture[str]) -> None:
    for wrt in ("h_{t-1}", "W_h"):
        of = "h_t" if wrt != "W_h" else "h_T"
        assert main(["derive", "rnn", "--of", of, "--wrt", wrt, "--format", "latex"]) == 0
        printed = capsys.readouterr().out
        assert "\\odot" in printed or "diag" in printed
        for foreign in (r"\circ", r"\mapsto", "applyfunc", "Dummy", "HadamardProduct"):
            assert foreign not in printed


# ---- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["S", "E", "I", "N", "O", "Q", "beta", "gamma", "zeta", "pi", "re", "lambda", "Sum"]
)
def test_names_of_sympy_stay_names(name: str) -> None:
    """E is no 2.718…, I no imaginary unit, S no way to run text: d(c² h_0)/dc = 2 c h_0."""
    h = sg.signal("h")
    try:
        cell = sg.Cell("named", [(h, sg.param(name) * h.prev)]).scalar()
    except DeclarationError:
        pytest.skip(f"{name} cannot be declared")
    (weight,) = cell.params
    form = sg.closed_form(cell, "h_T", weight.name)
    assert exactly(cell, form, 2, {weight.name: F(3)}, F(5)) == 30
    expression = numbers(form)
    symbols = {s.name for s in expression.free_symbols} - {"T"}
    assert len(symbols) == 1
    (symbol,) = symbols
    value = at(expression, **{symbol: 3}, T=2)
    assert value.replace(lambda e: isinstance(e, AppliedUndef), lambda e: sympy.Integer(5)) == 30
    # As text it is read back by SymPy as the same formula.
    again = sympy.sympify(python_text(form.full))
    assert {s.name for s in again.free_symbols} == {symbol, "T"}


def test_a_bound_letter_never_catches_a_parameter() -> None:
    """Parameters called k and j inside Σ_k Π_j: 3 steps of k j, each."""
    product: Node = prod_over("j", t + 1, T, param("k"))
    node = sum_over("t", 1, T, param("j") * product)
    expression = sg.to_sympy(node)
    values = {s.name: s for s in expression.free_symbols}
    found = expression.subs({values["k"]: 2, values["j"]: 5}).subs({values["T"]: 3}).doit()
    assert found == 5 * (4 + 2 + 1)


def test_cases_inside_a_sum_stay_inside() -> None:
    """SymPy lifts a Piecewise out of a Σ, bound index and all: Σ_t max(h_t, 0) over -1, 2, 3."""
    h = sg.signal("h")
    node = sum_over("t", 1, T, sg.relu(h, at_kink=0))
    values = {1: -1, 2: 2, 3: 3}
    expression = at(sg.to_sympy(node), T=3)
    found = expression.replace(
        lambda e: isinstance(e, AppliedUndef), lambda e: sympy.Integer(values[int(e.args[0])])
    )
    assert found == 5
