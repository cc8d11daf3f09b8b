"""Numbers published or recomputed elsewhere, from cells as their papers write them.

The instances and worked examples are those of the corpus of published formulas, part 2:
gradients by complex step to 1e-10, forward passes to the digits that were printed. Each
cell is read from its equations in text or LaTeX, so that reading, derivation and
evaluation are tested together.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from symgrad.adjoint import Objective, backward, loss, summed
from symgrad.cell import Cell
from symgrad.cell.losses import with_loss
from symgrad.closed import expanded_form
from symgrad.derivation import verdict_of
from symgrad.evaluate import form_value
from symgrad.lang.algebra import Floats, Multiprecision, Rationals
from symgrad.lang.program import Inputs, Runner, Trace
from symgrad.parse import read_cell

#: None of it is about how far T goes.
pytestmark = pytest.mark.usefixtures("quick")

X = (0.5, -1.0, 0.8)
TARGETS = (0.2, -0.4, 0.3)


def scalar_run(
    cell: Cell,
    objective: Objective,
    params: dict[str, float],
    start: dict[str, float],
    given: dict[str, tuple[float, ...]],
    T: int,
) -> Trace:
    inputs = Inputs(
        {name.lower(): np.float64(value) for name, value in params.items()},
        {name: np.float64(value) for name, value in start.items()},
        lambda label, time: np.float64(given[label][time - 1]),
    )
    return Runner(backward(cell, objective).program, Floats()).run(inputs, T)


def squared_error(cell: Cell) -> tuple[Cell, Objective, str]:
    found = with_loss(cell, "squared").scalar()
    return found, summed(found), found.inputs[-1].name


def close(value: Any, published: float, digits: float = 1e-8) -> bool:
    """To the digits printed: an error of half a unit or so in the last of ten."""
    return bool(abs(value - published) <= digits * max(abs(published), 1e-3))


# ---- GRU-S: who keeps the old state, and where the reset acts ---------------------------

KEEP_Z = r"h_t = z_t \odot h_{t-1} + (1 - z_t) \odot n_t"
KEEP_REST = r"h_t = (1 - z_t) \odot h_{t-1} + z_t \odot n_t"
BEFORE = r"n_t = \tanh(W_h x_t + U_h (r_t \odot h_{t-1}) + b_h)"
AFTER = r"n_t = \tanh(W_h x_t + b_h + r_t \odot (U_h h_{t-1} + b_{hr}))"
GRU = {
    (KEEP_Z, BEFORE): (
        ".0753512939 .0460246 -.01903952 .02040581 .00957938 -.00095123 .00615563 .00438836 "
        ".00642929 -.04814808"
    ),
    (KEEP_Z, AFTER): (
        ".0922256243 -.04250625 .00558392 .0215524 -.01497062 .01676207 .04180128 -.09413999 "
        ".0635874 .2283404 .14807202"
    ),
    (KEEP_REST, BEFORE): (
        ".1613701103 .15690082 -.03572254 -.0588758 .00048952 .01469071 .04380199 .05496338 "
        ".09391266 .49214489"
    ),
    (KEEP_REST, AFTER): (
        ".2604607729 .19790028 -.02843774 -.00901206 -.00442847 .03745935 .10326484 .00252976 "
        ".13600407 .61542015 .36816654"
    ),
}
GRU_PARAMS = {
    "W_z": 0.5, "U_z": -0.7, "b_z": 0.1, "W_r": -0.4, "U_r": 0.6, "b_r": 0.2,
    "W_h": 0.9, "U_h": 1.2, "b_h": -0.05, "b_hr": 0.3,
}  # fmt: skip


@pytest.mark.parametrize(("update", "candidate"), GRU)
def test_the_gru_in_its_four_variants(update: str, candidate: str) -> None:
    latex = rf"""
    \begin{{align}}
    z_t &= \sigma(W_z x_t + U_z h_{{t-1}} + b_z), \\
    r_t &= \sigma(W_r x_t + U_r h_{{t-1}} + b_r), \\
    {candidate.replace("n_t =", "n_t &=")}, \\
    {update.replace("h_t =", "h_t &=")}.
    \end{{align}}
    """
    cell, objective, target = squared_error(read_cell(latex, "latex", name="gru"))
    trace = scalar_run(
        cell, objective, GRU_PARAMS, {"h": 0.3}, {"x": X, target: TARGETS}, 3
    )  # fmt: skip
    published = [float(number) for number in GRU[update, candidate].split()]
    total = sum(trace.signal("ell", t) for t in (1, 2, 3))
    assert close(total, published[0])
    for name, value in zip(GRU_PARAMS, published[1:], strict=False):
        assert abs(trace.totals[name.lower()] - value) <= 6e-9


@pytest.mark.parametrize(("update", "candidate"), [(KEEP_REST, AFTER), (KEEP_Z, BEFORE)])
def test_the_gradient_of_the_gru_is_proved(update: str, candidate: str) -> None:
    equations = [
        r"z_t = \sigma(W_z x_t + U_z h_{t-1} + b_z)",
        r"r_t = \sigma(W_r x_t + U_r h_{t-1} + b_r)",
        candidate,
        update,
    ]
    cell = read_cell(r" \\ ".join(equations), "latex", name="gru")
    verdict = verdict_of(cell, backward(cell, loss(cell)))
    assert verdict.status == "proved"
    assert "all sizes" in verdict.scope
    scalar = cell.scalar()
    assert verdict_of(scalar, backward(scalar, loss(scalar))).status == "proved"
    for wrt in ("u_z", "u_r", "u_h"):
        assert verdict_of(scalar, expanded_form(scalar, "h_T", wrt)).status == "proved"


# ---- LSTM-P: peepholes ------------------------------------------------------------------


def test_the_lstm_with_peepholes() -> None:
    text = """
    i_t = sigmoid(W_i x_t + U_i h_{t-1} + p_i * c_{t-1} + b_i)
    f_t = sigmoid(W_f x_t + U_f h_{t-1} + p_f * c_{t-1} + b_f)
    g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)
    c_t = f_t * c_{t-1} + i_t * g_t
    o_t = sigmoid(W_o x_t + U_o h_{t-1} + p_o * c_t + b_o)
    h_t = o_t * tanh(c_t)
    """
    plain = read_cell(text, name="peephole")
    cell, objective, target = squared_error(plain)
    params = {
        "W_f": 0.4, "U_f": -0.6, "b_f": 0.1, "W_i": -0.3, "U_i": 0.5, "b_i": 0.2,
        "W_o": 0.7, "U_o": 0.9, "b_o": -0.1, "W_g": 0.8, "U_g": -1.1, "b_g": 0.05,
        "p_i": -0.4, "p_f": 0.6, "p_o": 0.3,
    }  # fmt: skip
    trace = scalar_run(
        cell, objective, params, {"h": 0.1, "c": 0.2}, {"x": X, target: TARGETS}, 3
    )  # fmt: skip
    # The corpus prints 0.0669756758; plain Python gives 0.0669756858, as here: a slip in a digit.
    assert close(sum(trace.signal("ell", t) for t in (1, 2, 3)), 0.0669756858)
    published = {
        "w_f": 0.00548919, "b_g": -0.03764975, "p_i": 0.00502496, "p_f": -0.00290367,
        "p_o": 0.00464540,
    }  # fmt: skip
    for name, value in published.items():
        assert abs(trace.totals[name] - value) <= 6e-9
    assert verdict_of(plain, backward(plain, loss(plain))).status == "proved"


# ---- worked examples --------------------------------------------------------------------


def test_cross_entropy_of_four_characters() -> None:
    """W2: the logits of the 'hello' example, loss and gradient."""
    base = read_cell("h_t = U h_{t-1} + x_t\nU : n x n\nx_t : n", name="logits")
    cell = with_loss(base, "cross_entropy")
    target = cell.inputs[-1].name
    zero = np.zeros((4, 4))
    given = {
        "x": np.array([[1.0], [2.2], [-3.0], [4.1]]),
        target: np.array([[0.0], [1.0], [0.0], [0.0]]),
    }
    inputs = Inputs(
        {"U": zero}, {"h": np.zeros((4, 1))}, lambda label, time: given[label], {"n": 4}
    )
    program = backward(cell, summed(cell)).with_signal_adjoints("x")
    trace = Runner(program, Floats()).run(inputs, 1)
    probabilities = [0.03768411, 0.12511565, 0.00069021, 0.83651003]
    (name,) = {s.name for s in cell.signals} - {"h", "ell"}
    for found, value in zip(trace.signal(name, 1)[:, 0], probabilities, strict=True):
        assert abs(found - value) <= 6e-9
    assert close(trace.signal("ell", 1).item(), 2.0785167666)
    gradient = [0.03768411, -0.87488435, 0.00069021, 0.83651003]
    for found, value in zip(trace.values["lam_x", 1][:, 0], gradient, strict=True):
        assert abs(found - value) <= 6e-9


def test_saturated_steps_of_a_tanh_rnn() -> None:
    """W3: five factors dh_t/dh_{t-1} multiply to 1.654e-5."""
    cell = read_cell("h_t = tanh(W_x x_t + W_h h_{t-1})", name="vasim").scalar()
    form = expanded_form(cell, "h_T", "h_0")
    inputs = Inputs(
        {"w_x": np.float64(0.01), "w_h": np.float64(0.5)},
        {"h": np.float64(0)},
        lambda label, time: np.float64((100, 102, 105, 103, 108)[time - 1]),
    )
    trace = Runner(cell.program, Floats()).run(inputs, 5)
    published = (0.76159416, 0.88552382, 0.90383168, 0.90182631, 0.91058072)
    for t, value in enumerate(published, start=1):
        # The last digit is cut off there, not rounded.
        assert abs(trace.signal("h", t) - value) <= 1e-8
    assert close(form_value(cell, form, inputs, 5, Floats()), 1.6544094e-05, 1e-7)


FOUR_GATES = """
f_t = sigmoid(U_f h_{t-1} + W_f x_t + b_f)
i_t = sigmoid(U_i h_{t-1} + W_i x_t + b_i)
g_t = tanh(U_g h_{t-1} + W_g x_t + b_g)
c_t = f_t * c_{t-1} + i_t * g_t
o_t = sigmoid(U_o h_{t-1} + W_o x_t + b_o)
h_t = o_t * tanh(c_t)
"""


def test_the_lstm_of_a_video_course() -> None:
    """W4: two companies over four days."""
    cell = read_cell(FOUR_GATES, name="statquest").scalar()
    numbers = {
        "f": (2.70, 1.63, 1.62), "i": (2.00, 1.65, 0.62), "g": (1.41, 0.94, -0.32),
        "o": (4.38, -0.19, 0.59),
    }  # fmt: skip
    params = {
        f"{letter}_{gate}": np.float64(value)
        for gate, values in numbers.items()
        for letter, value in zip("uwb", values, strict=True)
    }

    def run(xs: tuple[float, ...], c: float, h: float) -> Trace:
        start = {"c": np.float64(c), "h": np.float64(h)}
        inputs = Inputs(params, start, lambda label, time: np.float64(xs[time - 1]))
        return Runner(cell.program, Floats()).run(inputs, len(xs))

    for first, state, output in ((0.0, 0.01526957, 0.00639316), (1.0, 2.40909317, 0.96939346)):
        trace = run((first, 0.5, 0.25, 1.0), 0.0, 0.0)
        assert abs(trace.signal("c", 4) - state) <= 6e-9
        assert abs(trace.signal("h", 4) - output) <= 6e-9
    single = run((1.0,), 2.0, 1.0)
    published = {"f": 0.99740093, "i": 0.98621101, "g": 0.96608693, "c": 2.94756743,
                 "o": 0.99167391, "h": 0.98622913}  # fmt: skip
    for name, value in published.items():
        assert abs(single.signal(name, 1) - value) <= 6e-9


def test_an_exercise_with_two_inputs() -> None:
    """W5: two steps with given states."""
    cell = read_cell(FOUR_GATES, name="exercise")
    weights = {
        "f": (0.1, 0.2, 0.5, 0.1), "i": (0.6, 0.3, 0.8, 0.2), "g": (0.4, 0.7, 0.1, 0.3),
        "o": (0.5, 0.8, 0.9, 0.4),
    }  # fmt: skip
    params = {}
    for gate, (first, second, back, bias) in weights.items():
        params[f"W_{gate}"] = np.array([[first, second]])
        params[f"U_{gate}"] = np.array([[back]])
        params[f"b_{gate}"] = np.array([[bias]])
    xs = (np.array([[0.5], [0.7]]), np.array([[0.3], [0.2]]))
    sizes = {"m": 2, "n": 1}
    start = {"h": np.array([[0.9]]), "c": np.array([[0.7]])}
    inputs = Inputs(params, start, lambda label, time: xs[time - 1], sizes)
    trace = Runner(cell.program, Floats()).run(inputs, 2)
    published = {
        1: (0.67699586, 0.80690132, 0.79319910, 0.88288101, 1.11393049, 0.71111419),
        2: (0.62844628, 0.73280313, 0.55881704, 0.79413008, 1.10954835, 0.63840330),
    }
    for t, values in published.items():
        for name, value in zip("figoch", values, strict=True):
            assert abs(trace.signal(name, t).item() - value) <= 6e-9


def test_the_sum_of_bits() -> None:
    """W6: exact numbers of a linear RNN."""
    cell = read_cell("S_t = w_x * x_t + w_rec * S_{t-1}\nS_t scalar\nx_t scalar", name="bits")
    scalar = cell.scalar()
    bits = (1, 0, 1, 1, 0)
    at = {"w_x": Fraction(6, 5), "w_rec": Fraction(6, 5)}
    inputs = Inputs(at, {"s": Fraction(0)}, lambda label, time: Fraction(bits[time - 1]))
    for wrt, value in (("w_x", "4.7136"), ("w_rec", "12.3744")):
        form = expanded_form(scalar, "s_T", wrt)
        assert form_value(scalar, form, inputs, 5, Rationals()) == Fraction(value)


@pytest.mark.parametrize(
    ("u", "T", "fixed", "through"),
    [("6", 10, "256", "1024"), ("2", 7, "1/2", "1"), ("-2", 5, "0", "0"), ("0", 10, None, None)],
)
def test_the_family_around_the_zero_fixed_point(
    u: str, T: int, fixed: str | None, through: str | None
) -> None:
    """W8: all parameters 0 but U_g = u: the state grows by 1/2 + u/4 a step.

    dc_T/dc_0 with h_0 held fixed; what h_0 = o_0 tanh(c_0) would add is the derivative with
    respect to h_0 times o_0 = 1/2.
    """
    cell = read_cell(FOUR_GATES, name="family").scalar()
    algebra = Multiprecision(40)
    zero = algebra.const(Fraction(0))
    params = {p.name: zero for p in cell.params} | {"u_g": algebra.const(Fraction(u))}
    inputs = Inputs(params, {"c": zero, "h": zero}, lambda label, time: zero)
    by_c = form_value(cell, expanded_form(cell, "c_T", "c_0"), inputs, T, algebra)
    by_h = form_value(cell, expanded_form(cell, "c_T", "h_0"), inputs, T, algebra)
    growth = Fraction(1, 2) + Fraction(u) / 4
    both = by_c + by_h / 2
    assert abs(both - algebra.const(growth) ** T) < algebra.const(Fraction(1, 10**30))
    if fixed is not None and through is not None and u == "6":
        assert by_c == algebra.const(Fraction(fixed))
        assert both == algebra.const(Fraction(through))
