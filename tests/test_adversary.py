"""Statements that are wrong at few places only, and conditions that a verdict has to tell."""

from __future__ import annotations

import signal

import pytest

import symgrad as sg
from symgrad.cell import Cell
from symgrad.errors import SymgradError
from symgrad.parse import parse_formula
from symgrad.parse.errors import ParseError
from symgrad.verify.verdict import Verdict

SCALAR = {name: cell.scalar() for name, cell in sg.CATALOGUE.items()}
VECTOR = dict(sg.CATALOGUE)
FIRST, SECOND = 2**61 - 1, 2**61 - 31
BOTH = FIRST * SECOND


def silent(*_: object) -> None:
    """What the program of a witness prints to."""


def told(verdict: Verdict) -> bool:
    """Whether a verdict that holds says where."""
    return bool(verdict.conditions) or not verdict.holds


# ---- numbers that vanish modulo the primes ---------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("linear", f"h_t = {BOTH + 1} w h_{{t-1}}"),
        ("linear", f"h_T = w^T h_0 + {BOTH} h_0"),
        ("linear", f"h_T = w^T h_0 + ({FIRST} w) ({SECOND} w)"),
        ("linear-input", f"dh_t/dx_t = u + {BOTH}"),
        ("linear-input", f"exp(x_t + {BOTH} u) = exp(x_t)"),
    ],
)
def test_a_multiple_of_both_primes_is_not_zero(cell: str, text: str) -> None:
    assert not sg.check(SCALAR[cell], text).holds


def test_a_multiple_of_both_primes_in_a_matrix_formula() -> None:
    assert not sg.check(VECTOR["linear"], f"dh_t/dh_{{t-1}} = {BOTH + 1} W").holds


def test_a_multiple_of_both_primes_in_a_gradient() -> None:
    cell = SCALAR["rnn"]
    text = f"dL/dw_h = sum_{{t=1}}^T {BOTH + 1} δ_t^h h_{{t-1}}"
    assert not sg.check(cell, text, objective=sg.loss(cell)).holds


@pytest.mark.parametrize(
    "text",
    [
        f"h_T = w^T h_0 + {FIRST} (sum_{{k=4}}^T w^k)",
        f"h_t = w^t h_0 + {FIRST} (sum_{{k=4}}^t w^k)",
        f"dh_T/dw = (sum_{{k=1}}^T w^(T-k) h_{{k-1}}) + {FIRST} (sum_{{k=4}}^T w^k)",
    ],
)
def test_a_multiple_of_one_prime_that_appears_late(text: str) -> None:
    """The second prime was used for the first three T alone."""
    assert not sg.check(SCALAR["linear"], text).holds


def test_a_multiple_of_one_prime_that_adds_up() -> None:
    """No number in it is large, nor would be if they were collected term by term."""
    part = f"{2**59} h_0"
    added = f"{part} + {2**59} w + {part} - {2**59} w + {part} + {2**59 - 1} h_0"
    text = f"h_T = w^T h_0 + {{{added} if T = 30; 0 otherwise}}"
    assert not sg.check(SCALAR["linear"], text).holds


# ---- wrong beyond what is evaluated ------------------------------------------------------------


def test_an_index_inside_is_no_shift_of_the_range_around_it() -> None:
    """Σ_k Σ_j f_j o_{k+j} was shifted by j, which left nothing of o_{k+j} but o_k."""
    double = "(sum_{{k=0}}^5 sum_{{j=1}}^(T-5) {0}_j o_{{k+j}}) (sum_{{j=1}}^(T-5) {1}_j)"
    one, two = double.format("f", "g"), double.format("g", "f")
    text = f"h_T = h_T + {{{one} - {two} if T ≥ 60; 0 otherwise}}"
    assert sg.check(SCALAR["lstm"], text).status != "proved"


def test_a_derivative_by_a_parameter_that_equals_another() -> None:
    """At w = u, dh_T/dw became dh_T/du."""
    text = "{dh_T/du if w = u; dh_T/dw otherwise}"
    text = f"dh_T/dw = {{{text} if T ≥ 60; dh_T/dw otherwise}}"
    assert sg.check(SCALAR["linear-input"], text).status != "proved"


# ---- cases that meet at single points --------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "h_T = h_T + {1 if w = 1; 0 otherwise} {1 if u = 3; 0 otherwise}",
        "h_T = {{2 h_T if u = 3; h_T otherwise} if w = 1; h_T otherwise}",
        "h_T = h_T + {1 if w = u; 0 otherwise} {1 if w = 3; 0 otherwise}",
        "h_T = {0 if w = u and u = 1; h_T otherwise}",
    ],
)
def test_cases_of_two_parameters_at_once(text: str) -> None:
    """Each case was imposed alone, and w = u before u = 1."""
    assert not sg.check(SCALAR["linear-input"], text).holds


def test_the_order_of_two_equations_of_a_case_does_not_matter() -> None:
    for row in ("w = u and u = 1", "u = 1 and w = u"):
        text = f"h_T = {{0 if {row}; h_T otherwise}}"
        assert sg.check(SCALAR["linear-input"], text).status == "refuted", row


def test_a_denominator_inside_a_case() -> None:
    text = "h_T = {(h_T (u-3))/(u-3) if w = 1; h_T otherwise}"
    assert told(sg.check(SCALAR["linear-input"], text))


# ---- conditions that were lost ---------------------------------------------------------------


def reciprocal() -> Cell:
    """A cell that divides by its earlier state."""
    h, b, w = sg.signal("h"), sg.param("b"), sg.param("w")
    return sg.Cell("reciprocal", [(h, b + w / h.prev)]).scalar()


def positive() -> Cell:
    """A cell whose state is positive from the first step on."""
    h, w = sg.signal("h"), sg.param("w")
    return sg.Cell("positive", [(h, sg.exp(w * h.prev))]).scalar()


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        # Only the first of two ranges was asked.
        (positive(), "h_T = h_T + (sum_{k=1}^T h_k/h_k) - (sum_{k=0}^T h_k/h_k) + 1"),
        # What a case compares.
        (SCALAR["linear-input"], "h_T = {w^T h_0 if T = 0 and u = 1/w; h_T otherwise}"),
        # k + 1 was positive for every k.
        (
            SCALAR["linear"],
            "h_T = w^T h_0 + (sum_{k=-1}^0 w/(k+1+w^2)) - (sum_{k=-1}^0 w/(k+1+w^2))",
        ),
    ],
)
def test_a_divisor_that_vanishes_at_one_time_only(cell: Cell, text: str) -> None:
    assert told(sg.check(cell, text))


def test_dividing_by_the_last_state_of_a_cell_that_divides_by_earlier_ones() -> None:
    """h_t may be 0, where h_{t+1} does not occur."""
    for text in ("h_T = h_T^2/h_T", "dh_t/dh_{t-1} = -(w/h_{t-1}^2) (h_t/h_t)"):
        assert told(sg.check(reciprocal(), text)), text


@pytest.mark.parametrize("text", ["h_T = h_T (h_0/h_0)", "dh_t/dh_{t-1} = w h_t (h_{t-1}/h_{t-1})"])
def test_an_initial_state_is_not_positive_as_later_ones_are(text: str) -> None:
    assert told(sg.check(positive(), text))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("linear", "h_T = w^T h_0^(1-T) h_0^T"),
        ("linear-input", "h_T = h_T x_T^(1-T) x_T^(T-1)"),
        ("linear", "h_T = (w^2 - 1)^(1-T) (w^2 - 1)^(T-1) h_T"),
    ],
)
def test_a_power_with_an_exponent_that_becomes_negative(cell: str, text: str) -> None:
    assert told(sg.check(SCALAR[cell], text))


@pytest.mark.parametrize("text", ["h_T = (w^T/w^T) w^T h_0", "h_t = (w^t/w^t) w^t h_0"])
def test_a_condition_of_a_proof_is_not_for_the_evaluated_times_alone(text: str) -> None:
    """0^T/0^T has no value at T = 51 either."""
    verdict = sg.check(SCALAR["linear"], text)
    assert verdict.status == "proved"
    assert not any(words.endswith(("8", "50")) for words in verdict.conditions)


@pytest.mark.parametrize(
    "text",
    ["relu(x_t)/x_t = step_0(x_t)", "1/(w-1) + step(x_t) = step_0(x_t) + 1/(w-1)"],
)
def test_conditions_where_the_evaluation_decides_nothing(text: str) -> None:
    assert told(sg.check(SCALAR["linear-input"], text))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("linear-input", "h_t = h_t + log(x_t) - log(x_t)"),
        ("linear-input", "h_t = h_t + sqrt(x_t) - sqrt(x_t)"),
        ("linear", "h_T = w^T h_0 + log(h_0) - log(h_0)"),
        ("linear", "log(-1) = log(-1)"),
    ],
)
def test_where_a_logarithm_or_a_root_has_no_value(cell: str, text: str) -> None:
    assert told(sg.check(SCALAR[cell], text))


@pytest.mark.parametrize(
    "text",
    [
        "h_T = w^T h_0 + (sum_{k=1}^T 1/k) - (sum_{k=1}^T 1/k)",
        "h_T = w^T h_0 + (sum_{k=1}^T h_k/h_k) - (sum_{k=1}^T h_k/h_k)",
    ],
)
def test_a_condition_about_an_index_has_its_name(text: str) -> None:
    assert "#" not in str(sg.check(SCALAR["linear"], text))


# ---- scopes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("dh_T/du = (sum_{j=0}^{T-1} w^j x_{T-j}) + x_T - x_T", "T ≥ 1"),
        ("dh_T/du = (sum_{j=0}^{T-1} w^j x_{T-j}) + x_5 - x_5", "T ≥ 5"),
        ("dh_t/du = (sum_{j=0}^{t-1} w^j x_{t-j}) + x_{t-3} - x_{t-3}", "t ≥ 4"),
    ],
)
def test_the_scope_begins_where_all_signals_exist(text: str, scope: str) -> None:
    verdict = sg.check(SCALAR["linear-input"], text)
    assert verdict.status != "proved" or scope in verdict.scope


def test_the_scope_of_a_gradient_begins_where_all_signals_exist() -> None:
    cell = SCALAR["rnn"]
    text = "dL/dw_h = (sum_{t=1}^T h_{t-1} δ_t^h) + x_T - x_T"
    verdict = sg.check(cell, text, objective=sg.loss(cell))
    assert verdict.status != "proved" or "T ≥ 1" in verdict.scope


def test_two_free_times_in_both_orders() -> None:
    """dh_3/dh_1 is w^2: k was never greater than t."""
    verdict = sg.check(SCALAR["linear"], "dh_k/dh_t = {1 if t = k; 0 otherwise}")
    assert not verdict.holds or "k ≤ t" in str(verdict)


def test_a_state_after_the_last_step_is_no_place_for_a_witness() -> None:
    try:
        verdict = sg.check(SCALAR["linear"], "dh_{T+1}/dw = 0")
    except SymgradError:
        return
    if verdict.witness is not None:
        exec(compile(verdict.witness.numpy_lines(), "witness", "exec"), {"print": silent})


# ---- what is read ----------------------------------------------------------------------------


def test_the_exponent_minus_one_at_the_name_of_a_function_is_its_inverse() -> None:
    for text, syntax in ((r"\tanh^{-1}(x_T)", "latex"), ("tanh^-1(x_T)", "text")):
        with pytest.raises(ParseError):
            parse_formula(text, SCALAR["linear-input"], syntax=syntax)  # type: ignore[arg-type]


def test_a_power_of_a_power_is_asked_for_with_a_time_as_with_a_number() -> None:
    """w^T^2 was (w^T)^2, and w^2^3 is refused."""
    for text, syntax in (("w^T^2", "text"), ("w^T^2", "latex")):
        with pytest.raises(ParseError):
            parse_formula(text, SCALAR["linear"], syntax=syntax)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["h_0", "h_1", "x_1", "h_T", "h_t"])
def test_a_parameter_is_not_called_like_a_signal_at_a_time(name: str) -> None:
    """dL/dx_1 was about the parameter, and h_0 in a witness either of the two."""
    h, x, w, b = sg.signal("h"), sg.input_signal("x"), sg.param("w"), sg.param(name)
    with pytest.raises(SymgradError):
        sg.Cell("confusing", [(h, w * h.prev + x + b)], inputs=[x])


# ---- no tracebacks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "(1/(w/(w+u) + u/(w+u) - 1)) h_t = (2/(w/(w+u) + u/(w+u) - 1)) h_{t-1}",
        "h_T = {h_T if w ≥ 1; 0 otherwise}",
        "h_T = {0 if x_T < 1; h_T otherwise}",
        "dh_T/dT = 0",
        "h_0 = ((((w^64)^64)^64)^64) h_0",
    ],
)
def test_no_statement_ends_in_a_traceback(text: str) -> None:
    try:
        verdict = sg.check(SCALAR["linear-input"], text)
    except SymgradError:
        return
    assert not verdict.holds


def test_the_first_time_of_an_induction_at_which_a_side_divides_by_zero() -> None:
    left = "h_T + (sum_{k=1}^T k)/(T-60)"
    text = f"{left} = {{h_T + (T(T+1)/2 + 5)/(T-60) if T ≥ 60; {left} otherwise}}"
    assert sg.check(SCALAR["linear"], text).status != "proved"


def test_a_signal_that_is_written_out_as_a_call_of_itself() -> None:
    """f_T was σ(…), which was f_T."""
    gate = "sigma(w_f x_T + u_f h_{T-1} + b_f)"
    text = f"f_T = {{{gate} if T ≥ 3; f_T otherwise}}"
    assert sg.check(SCALAR["lstm"], text).status == "proved"
    wrong = f"f_T = {{1 - {gate} if T ≥ 60; f_T otherwise}}"
    assert sg.check(SCALAR["lstm"], wrong).status != "proved"


def test_an_output_of_an_input_in_a_linear_cell() -> None:
    h, x, g = sg.signal("h"), sg.input_signal("x"), sg.signal("g")
    w, v = sg.param("w"), sg.param("v")
    cell = sg.Cell("driven", [(g, sg.tanh(v * x)), (h, w * h.prev + g)], inputs=[x]).scalar()
    assert sg.check(cell, "g_T = {g_T if T < 3; tanh(v x_T) otherwise}").status == "proved"
    assert sg.check(cell, "g_T = {g_T if T < 60; tanh(-v x_T) otherwise}").status != "proved"


def test_an_input_alone_on_the_left() -> None:
    """No form is derived of an input, so none was found: StopIteration."""
    assert sg.check(SCALAR["linear-input"], "x_T = w^T x_T - w^T x_T + x_T").holds


# ---- names -----------------------------------------------------------------------------------


def test_the_coefficient_of_decay_is_no_parameter_of_the_cell() -> None:
    """With a parameter rho in the cell, dL/drho had ½ w² added, and was proved."""
    h, w, rho = sg.signal("h"), sg.param("w"), sg.param("rho")
    cell = sg.Cell("leaky", [(h, rho * h.prev + w)]).scalar()
    try:
        objective = sg.loss(cell).with_decay(w)
        verdict = sg.check(cell, "dL/drho = sum_{t=1}^T λ_t^h h_{t-1}", objective=objective)
    except SymgradError:
        return
    assert verdict.holds


# ---- conditions that begin late --------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "h_T = {h_T (w/w) if T = 20; h_T otherwise}",
        "h_T = {h_T (w/w) if T ≥ 20; h_T otherwise}",
        "h_T = {h_T (w/w) if T = 60; h_T otherwise}",
        "h_t = {h_t (w/w) if t = 20; h_t otherwise}",
        "h_t = {(h_t w)/(w-1) - h_t/(w-1) if t ≥ 20; h_t otherwise}",
        "dh_T/dw = sum_{k=1}^T w^(T-k) h_{k-1} {w/w if k = 20; 1 otherwise}",
    ],
)
def test_a_divisor_that_occurs_at_late_times_only(text: str) -> None:
    """A value at four T running was taken for a value at every later T."""
    assert told(sg.check(SCALAR["linear"], text))


def test_a_condition_names_every_time_at_which_it_is_needed() -> None:
    """It was w ≠ 0 at T = 1; at T = 20 there is no value at w = 0 either."""
    cases = "{w/w if T = 1; 1 otherwise} {w/w if T = 20; 1 otherwise}"
    verdict = sg.check(SCALAR["linear"], f"h_T = h_T {cases}")
    assert told(verdict)
    assert not verdict.holds or "w ≠ 0 at T = 1" not in verdict.conditions


# ---- signals inside sums that do not exist at every T ----------------------------------------


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        # h_2 exists from T = 2 on.
        ("linear", "(sum_{j=1}^3 h_{j-1}) = (sum_{j=1}^2 h_{j-1}) + (sum_{j=3}^3 h_{j-1})"),
        ("linear", "(sum_{j=1}^3 dh_j/dw) = (sum_{j=1}^3 dh_{4-j}/dw)"),
        # x_{T+1} and x_0 never exist.
        ("linear-input", "(sum_{j=1}^{T+1} x_j) = (sum_{j=0}^T x_{j+1})"),
        ("linear-input", "(sum_{j=0}^T x_j) = (sum_{j=0}^T x_{T-j})"),
    ],
)
def test_the_scope_begins_where_all_terms_of_a_sum_exist(cell: str, text: str) -> None:
    verdict = sg.check(SCALAR[cell], text)
    assert not verdict.holds or "T ≥ 0" not in verdict.scope


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("linear-input", "(sum_{j=0}^T x_j) = (sum_{j=1}^T x_j)"),
        ("linear-input", "(sum_{j=1}^{T+2} x_j) = (sum_{j=1}^T x_j)"),
        ("linear-input", "(sum_{j=-1}^T x_j) = 0"),
    ],
)
def test_no_witness_puts_a_number_in_an_input_outside_of_the_run(cell: str, text: str) -> None:
    """A state there leaves a statement undecided; an input at 0, -1 or T + 1 was a number."""
    verdict = sg.check(SCALAR[cell], text)
    if verdict.witness is not None:
        assert verdict.witness.horizon is not None
        times = [int(name[2:]) for name, _ in verdict.witness.values if name.startswith("x_")]
        assert all(1 <= time <= verdict.witness.horizon for time in times)


@pytest.mark.parametrize("text", ["(sum_{j=0}^3 dh_T/dh_j) = 0", "(sum_{j=0}^{T+1} dh_j/dw) = 0"])
def test_a_derivative_at_a_later_time_is_no_place_for_a_witness(text: str) -> None:
    """At T = 0 the program of the witness asked for h[1]: KeyError."""
    verdict = sg.check(SCALAR["linear"], text)
    if verdict.witness is not None:
        exec(compile(verdict.witness.numpy_lines(), "witness", "exec"), {"print": silent})


# ---- the mean over no steps ------------------------------------------------------------------


def test_the_mean_over_no_steps_has_no_gradient() -> None:
    """(1/T) Σ ℓ_t has no value at T = 0, so the scope begins at T = 1."""
    cell = SCALAR["rnn"]
    mean = sg.loss(cell).over_mean()
    inside = "dL/dw_y = sum_{t=1}^T (1/T) (∂ℓ_t/∂y_t) h_t"
    assert "T ≥ 1" in sg.check(cell, inside, objective=mean).scope
    outside = "dL/dw_y = (1/T) (sum_{t=1}^T (∂ℓ_t/∂y_t) h_t)"
    assert sg.check(cell, outside, objective=mean).holds


# ---- time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "dh_t/dh_0 = (prod_{j=1}^t w_h (1-h_j^2)) + [t = 12]",
        "dh_t/dh_0 = {0 if t = 11; (prod_{j=1}^t w_h (1-h_j^2)) otherwise}",
    ],
)
def test_a_case_at_one_late_time_is_judged_soon(text: str) -> None:
    """There the product is written out, with 2^t terms: no verdict came in 20 seconds."""

    def late(*_: object) -> None:
        raise TimeoutError(text)

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    try:
        assert sg.check(SCALAR["rnn"], text).status != "proved"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# ---- kinks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "step_0(w) + step_0(-w) = 1",
        "step_0(x_t) + step_0(-x_t) = 1",
        "step_half(w)^2 = step_half(w)",
        "step_0(w) = step_1(w)",
    ],
)
def test_what_is_wrong_at_a_kink_alone_is_refuted_there(text: str) -> None:
    """A verdict was asked whether it is true, which is a TypeError."""
    verdict = sg.check(SCALAR["linear-input"], text)
    assert verdict.status == "refuted"
    assert verdict.witness is not None
    exec(compile(verdict.witness.numpy_lines(), "witness", "exec"), {"print": silent})
