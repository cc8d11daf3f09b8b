"""Published formulas about gradients of recurrent networks, right and wrong, as a user asks.

Each line is one statement from the literature with what was judged of it by hand: by
derivation and by numbers, not by running symgrad. ``refuted`` is for what is false as
printed; of a true one the line says the least status that is accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

import symgrad as sg
from symgrad.adjoint import Objective
from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.parse import ParseError, read_cell

_GATES = r"""
f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f) \\ i_t = \sigma(W_i x_t + U_i h_{t-1} + b_i) \\
o_t = \sigma(W_o x_t + U_o h_{t-1} + b_o) \\ g_t = \tanh(W_g x_t + U_g h_{t-1} + b_g) \\
c_t = f_t \odot c_{t-1} + i_t \odot g_t \\
"""
_GRU = r"""
z_t = \sigma(W_z x_t + U_z h_{t-1} + b_z) \\ r_t = \sigma(W_r x_t + U_r h_{t-1} + b_r) \\
n_t = \tanh(W_h x_t + %s) \\ h_t = %s
"""
_BEFORE, _AFTER = r"U_h (r_t \odot h_{t-1}) + b_h", r"b_i + r_t \odot (U_h h_{t-1} + b_h)"
_CHO = r"z_t \odot h_{t-1} + (1 - z_t) \odot n_t"
_CHUNG = r"(1 - z_t) \odot h_{t-1} + z_t \odot n_t"

CELLS = {
    "linear": "h_t = w h_{t-1}",
    "d2l": r"h_t = W_{hx} x_t + W_{hh} h_{t-1} \\ o_t = W_{qh} h_t",
    "generic": r"h_t = \phi(w_x x_t + w_h h_{t-1})",
    "tanh": r"h_t = \tanh(U x_t + W h_{t-1} + b)",
    "baeldung": r"h_t = \tanh(w^x x_t + w^h h_{t-1} + b_h), \\ y_t = w_y h_t + b_y",
    "book": r"a^{(t)} = b + W h^{(t-1)} + U x^{(t)} \\ h^{(t)} = \tanh(a^{(t)}) \\"
    r"o^{(t)} = c + V h^{(t)}",
    "wildml": r"s_t = \tanh(U x_t + W s_{t-1}) \\ y_t = V s_t",
    "softmax": r"q_t = W x_t + U q_{t-1} \\ \hat y_t = \operatorname{softmax}(q_t)",
    "arbel": r"c_t = \sigma(W_{rec} c_{t-1} + W_{in} x_t)",
    "weberna": r"h_t = f(W_I x_t + W_R h_{t-1})",
    "rows": r"h_t = \phi(W_{xh}^\top x_t + W_{hh}^\top h_{t-1} + b_h)",
    "pascanu": r"x_t = W_{rec} \sigma(x_{t-1}) + W_{in} u_t + b",
    "graves": r"a_t = W x_t + U b_{t-1} \\ b_t = \phi(a_t) \\ o_t = V b_t",
    "roelants": r"S_t = S_{t-1} w_{rec} + x_t w_x",
    "karpathy": r"h_t = \tanh(W_{xh} x_t + W_{hh} h_{t-1} + b_h) \\ y_t = W_{hy} h_t + b_y",
    "leaky": r"s_t = (1-\alpha) s_{t-1} + \alpha \tanh(A s_{t-1} + B y_t)",
    "bayer": r"h_t = \sigma(w h_{t-1})",
    "lstm": _GATES + r"h_t = o_t \odot \tanh(c_t)",
    "jimenez": _GATES + r"h_t = o_t \odot c_t",
    "greff": r"\bar z^t = W_z x^t + R_z y^{t-1} + b_z \\ z^t = \tanh(\bar z^t) \\"
    r"\bar i^t = W_i x^t + R_i y^{t-1} + p_i \odot c^{t-1} + b_i \\ i^t = \sigma(\bar i^t) \\"
    r"\bar f^t = W_f x^t + R_f y^{t-1} + p_f \odot c^{t-1} + b_f \\ f^t = \sigma(\bar f^t) \\"
    r"c^t = z^t \odot i^t + c^{t-1} \odot f^t \\"
    r"\bar o^t = W_o x^t + R_o y^{t-1} + p_o \odot c^t + b_o \\ o^t = \sigma(\bar o^t) \\"
    r"y^t = \tanh(c^t) \odot o^t",
    "cho": _GRU % (_BEFORE, _CHO),
    "chung": _GRU % (_BEFORE, _CHUNG),
    "cudnn": _GRU % (_AFTER, _CHO),
    "mgu": r"f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f) \\"
    r"n_t = \tanh(W x_t + U (f_t \odot h_{t-1}) + b) \\"
    r"h_t = (1 - f_t) \odot h_{t-1} + f_t \odot n_t",
    "mingru": r"z_t = \sigma(W_z x_t + b_z) \\ n_t = W_n x_t + b_n \\ h_t = " + _CHUNG,
    "sru": r"f_t = \sigma(W_f x_t + v_f \odot c_{t-1} + b_f) \\"
    r"c_t = f_t \odot c_{t-1} + (1 - f_t) \odot (W x_t)",
    "qrnn": r"z_t = \tanh(W_z x_t) \\ f_t = \sigma(W_f x_t) \\"
    r"c_t = f_t \odot c_{t-1} + (1 - f_t) \odot z_t",
    "indrnn": r"h_t = \sigma(W x_t + u \odot h_{t-1} + b)",
    "cornn": r"z_t = z_{t-1} + \Delta t (\tanh(W y_{t-1} + \mathcal{W} z_{t-1} + V u_t + b)"
    r" - \gamma y_{t-1} - \epsilon z_{t-1}) \\ y_t = y_{t-1} + \Delta t z_t",
    "resnet": r"x_t = x_{t-1} + F(x_{t-1})",
    "stacked": r"z_t = W h_{t-1} + U x_t \\ h_t = \tanh(z_t) \\"
    r"q_t = R s_{t-1} + V h_t \\ s_t = \tanh(q_t) \\ o_t = A s_t",
    "latch": r"a_t = w \tanh(a_{t-1}) + u_t",
}

OBJECTIVES: dict[str, Callable[[Cell], Objective]] = {
    "loss": sg.loss,
    "mean": lambda cell: sg.loss(cell, mean=True),
    "last": lambda cell: sg.loss(cell, last_only=True),
}


@cache
def cell_of(key: str) -> Cell:
    """A cell by its name, a star behind it for the vector reading."""
    cell = read_cell(CELLS[key.rstrip("*")], "latex")
    return cell if key.endswith("*") else cell.scalar()


_PRE = r"W_%s x_t + U_%s h_{t-1} + b_%s"
_SIGMA_F, _SIGMA_I = (rf"\sigma'({_PRE % (3 * (gate,))})" for gate in "fi")
_FOUR = (
    rf"\frac{{\partial c_t}}{{\partial c_{{t-1}}}} = {_SIGMA_F} U_f o_{{t-1}} \tanh'(c_{{t-1}}) "
    rf"c_{{t-1}} + f_t + {_SIGMA_I} U_i o_{{t-1}} \tanh'(c_{{t-1}}) g_t + "
)
_ONE_STEP_C = (
    r"(f_j + (c_{j-1} f_j (1-f_j) U_f + g_j i_j (1-i_j) U_i + i_j (1-g_j^2) U_g) "
    r"o_{j-1} (1-\tanh(c_{j-1})^2))"
)
_GRU_STEP = (
    r"\frac{\partial h_t}{\partial h_{t-1}} = (1-z_t)\{U_r U_h (1-n_t^2) h_{t-1} r_t (1-r_t) + "
    r"U_h (1-n_t^2) r_t\} %s U_z (h_{t-1}-n_t) z_t (1-z_t) + z_t"
)
_CARRY = (
    r"\lambda^c_t = \lambda^y_t \odot o^t \odot \tanh'(c^t) %s + "
    r"p_i \odot \lambda^{\bar i}_{t+1} + p_f \odot \lambda^{\bar f}_{t+1} + "
    r"\lambda^c_{t+1} \odot f^{t+1}"
)
_O_TANH = r"o_t (1-\tanh^2(c_t))"

#: The entry, its cell (a star for the vector reading), what L is, the statement, the verdict.
TABLE = [
    # Yang 2022, LSTM gradient
    ("000.1", "linear", "", r"h_t = w^t h_0", "proved"),
    ("000.2", "linear", "", r"\frac{dh_t}{dw} = t\,w^{t-1} h_0", "checked"),
    ("000.6", "lstm", "", r"\partial c_t/\partial c_{t-1} = f_t", "refuted"),
    # Baeldung, preventing the vanishing gradient with LSTM
    ("002.3", "baeldung", "",
     r"\frac{\partial h_T}{\partial h_t} = \prod_{k=t+1}^T (1-h_k^2) w^h", "checked"),
    ("002.4", "baeldung", "loss",
     r"\frac{\partial L}{\partial w^h} = \sum_t \lambda_t^h (1-h_t^2) h_{t-1}", "proved"),
    ("002.4 λ", "baeldung", "loss",
     r"\lambda_t^h = w_y \lambda_t^y + w^h (1-h_{t+1}^2) \lambda_{t+1}^h", "proved"),
    # Arbel 2018, how LSTM networks solve the problem of vanishing gradients
    ("003.3", "arbel*", "",
     r"\frac{\partial c_t}{\partial c_{t-1}} = "
     r"\operatorname{diag}(\sigma'(W_{rec} c_{t-1} + W_{in} x_t)) W_{rec}", "proved"),
    ("003.4", "arbel", "",
     r"\frac{\partial c_T}{\partial W_{rec}} = \left(\prod_{t=2}^T \sigma'(W_{rec} c_{t-1} + "
     r"W_{in} x_t) W_{rec}\right) \frac{\partial c_1}{\partial W_{rec}}", "refuted"),
    ("003.6", "lstm", "",
     r"\frac{\partial c_t}{\partial c_{t-1}} = \frac{\partial f_t}{\partial c_{t-1}} c_{t-1} + f_t "
     r"+ \frac{\partial i_t}{\partial c_{t-1}} g_t + \frac{\partial g_t}{\partial c_{t-1}} i_t",
     "proved"),
    ("003.11", "lstm", "",
     _FOUR + rf"\tanh'({_PRE % ('g', 'g', 'g')}) U_g o_{{t-1}} \tanh'(c_{{t-1}}) i_t", "proved"),
    ("003.10", "lstm", "",
     _FOUR + rf"\sigma'({_PRE % ('g', 'g', 'g')}) U_g o_{{t-1}} \tanh'(c_{{t-1}}) i_t", "refuted"),
    ("003.13", "lstm", "",
     r"\frac{\partial f_t}{\partial c_{t-1}} = " + _SIGMA_F
     + r"\cdot U_f\cdot o_{t-1}\otimes\tanh'(c_{t-1})", "proved"),
    ("004.4", "resnet*", "",
     r"\frac{\partial x_t}{\partial x_{t-1}} = I + \operatorname{diag}(F'(x_{t-1}))", "proved"),
    # Dive into Deep Learning, backpropagation through time
    ("F002", "generic", "",
     r"\frac{\partial h_t}{\partial w_h} = \frac{\partial^+ h_t}{\partial^+ w_h} + "
     r"\frac{\partial^+ h_t}{\partial^+ h_{t-1}} \frac{\partial h_{t-1}}{\partial w_h}", "checked"),
    ("F003", "generic", "",
     r"\frac{\partial h_t}{\partial w_h} = \frac{\partial^+ h_t}{\partial^+ w_h} + \sum_{i=1}^{t-1}"
     r"\Big(\prod_{j=i+1}^t \frac{\partial h_j}{\partial h_{j-1}}\Big) "
     r"\frac{\partial^+ h_i}{\partial^+ w_h}", "checked"),
    ("F006", "d2l*", "mean",
     r"\frac{\partial L}{\partial h_t} = W_{hh}^\top \frac{\partial L}{\partial h_{t+1}} + "
     r"W_{qh}^\top \frac{\partial L}{\partial o_t}", "checked"),
    ("F006 T", "d2l*", "mean",
     r"\frac{\partial L}{\partial h_T} = W_{qh}^\top \frac{\partial L}{\partial o_T}", "proved"),
    ("F008", "d2l*", "mean",
     r"\frac{\partial L}{\partial W_{hh}} = \sum_t \frac{\partial L}{\partial h_t} h_{t-1}^\top",
     "proved"),
    ("F009", "d2l", "", r"\partial_{W_{hh}} h_t = \sum_{j=1}^t W_{hh}^{t-j} h_j", "refuted"),
    ("F009 right", "d2l", "",
     r"\partial_{W_{hh}} h_t = \sum_{j=1}^t W_{hh}^{t-j} h_{j-1}", "checked"),
    ("F010", "d2l*", "", r"\partial_{h_t} h_{t+1} = W_{hh}^\top", "refuted"),
    ("F010 scalar", "d2l", "",
     r"\frac{\partial h_T}{\partial h_t} = (W_{hh}^\top)^{T-t}", "proved"),
    # Goodfellow, Bengio, Courville 2016, chapter 10
    ("F011 n = 1", "book", "loss",
     r"\nabla_{h^{(t)}} L = W^\top (\nabla_{h^{(t+1)}} L)\,\mathrm{diag}\big(1-(h^{(t+1)})^2\big) "
     r"+ V^\top (\nabla_{o^{(t)}} L)", "proved"),
    ("F011 right", "book*", "loss",
     r"\nabla_{h^{(t)}} L = W^\top \mathrm{diag}\big(1-(h^{(t+1)})^2\big) (\nabla_{h^{(t+1)}} L) "
     r"+ V^\top (\nabla_{o^{(t)}} L)", "proved"),
    ("F012", "book", "loss",
     r"\nabla_W L = \sum_t \mathrm{diag}(1-(h^{(t)})^2) (\nabla_{h^{(t)}} L) h^{(t-1)\top}",
     "checked"),
    ("F015", "softmax*", "",
     r"\frac{\partial\hat y_t}{\partial q_t} = \operatorname{diag}(\hat y_t) - "
     r"\hat y_t \hat y_t^\top", "proved"),
    # Britz 2015, WildML part 3
    ("F016", "wildml", "",
     r"\frac{\partial y_3}{\partial W} = \sum_{k=0}^3 \frac{\partial y_3}{\partial s_3} "
     r"\frac{\partial s_3}{\partial s_k} \frac{\partial s_k}{\partial W}", "refuted"),
    ("F016 immediate", "wildml", "",
     r"\frac{\partial y_3}{\partial W} = \sum_{k=1}^3 \frac{\partial y_3}{\partial s_3} "
     r"\frac{\partial s_3}{\partial s_k} \frac{\partial^+ s_k}{\partial^+ W}", "checked"),
    # Stanford CS231n, course notes on RNN
    ("F018", "tanh", "",
     r"\frac{\partial h_T}{\partial W} = \Big(\prod_{t=2}^T \frac{\partial h_t}{\partial h_{t-1}}"
     r"\Big) \frac{\partial h_1}{\partial W}", "refuted"),
    ("F019", "tanh", "",
     r"\frac{\partial h_T}{\partial W} = \Big(\prod_{t=2}^T \tanh'(W h_{t-1} + U x_t + b)\,"
     r"W^{T-1}\Big) \frac{\partial h_1}{\partial W}", "refuted"),
    # Webern 2017, why LSTMs stop your gradients from vanishing
    ("F020", "tanh*", "",
     r"\frac{\partial h_t}{\partial h_{t-1}} = \mathrm{diag}\big(1-h_t^2\big) W", "proved"),
    ("F021", "weberna*", "",
     r"\frac{\partial h_{k+1}}{\partial h_k} = "
     r"\mathrm{diag}\big(f'(W_I x_i + W_R h_{i-1})\big) W_R",
     "refuted"),
    ("F021 right", "weberna*", "",
     r"\frac{\partial h_{k+1}}{\partial h_k} = "
     r"\mathrm{diag}\big(f'(W_I x_{k+1} + W_R h_k)\big) W_R",
     "checked"),
    ("F022", "rows*", "",
     r"\frac{\partial h_{j+1}}{\partial h_j} = \mathrm{diag}\big(\phi'(W_{xh}^\top x_{j+1} + "
     r"W_{hh}^\top h_j + b_h)\big) W_{hh}", "refuted"),
    # Pascanu, Mikolov, Bengio 2013, equation (5), and its correction
    ("F024", "pascanu*", "",
     r"\frac{\partial x_t}{\partial x_k} = \prod_{i=k+1}^t W_{rec}^\top\,"
     r"\mathrm{diag}(\sigma'(x_{i-1}))", "refuted"),
    ("F025", "pascanu*", "",
     r"\frac{\partial x_t}{\partial x_{t-1}} = W_{rec}\,\mathrm{diag}(\sigma'(x_{t-1}))", "proved"),
    # Graves 2012, chapter 3, and an expansion of it
    ("F027", "graves", "loss",
     r"\lambda_t^a = \phi'(a_t) (V \lambda_t^o + U \lambda_{t+1}^a)", "checked"),
    ("F028", "graves", "loss",
     r"\lambda_t^a = \phi'(a_t) V \lambda_t^o + \sum_{m=1}^{T-t} "
     r"(\prod_{l=1}^{m-1} \phi'(a_{t+l}) U) V \lambda^o_{t+m}", "refuted"),
    # Chen 2016, the sum over a sequence
    ("F034", "tanh", "loss",
     r"\frac{\partial L}{\partial W} = \sum_{t=0}^{T-1} \sum_{k=1}^{t+1} \frac{\partial \ell_{t+1}}"
     r"{\partial h_{t+1}} \left(\prod_{j=k+1}^{t+1} W (1-h_j^2)\right) (1-h_k^2) h_{k-1}",
     "checked"),
    # Roelants, RNN implementation part 1
    ("F035", "roelants", "loss",
     r"\frac{\partial L}{\partial w_x} = \sum_{k=0}^T \frac{\partial L}{\partial S_k} x_k",
     "undecided"),  # there is no x_0
    ("F035 second", "roelants", "loss",
     r"\frac{\partial L}{\partial w_{rec}} = \sum_{k=1}^T \frac{\partial L}{\partial S_k} S_{k-1}",
     "proved"),
    ("F036", "roelants", "", r"\frac{\partial S_k}{\partial S_{k-m}} = w_{rec}^m", "checked"),
    # Karpathy, min-char-rnn, and slips of programs like it
    ("F037", "karpathy*", "loss",
     r"\frac{dL}{dh_t} = W_{hy}^\top \frac{dL}{dy_t} + "
     r"W_{hh}^\top ((1-h_{t+1}^2) \odot \frac{dL}{dh_{t+1}})", "proved"),
    ("F038", "karpathy", "loss",
     r"\frac{dL}{dW_{hh}} = \sum_t (1-\tanh^2(h_t)) \lambda^h_t h_{t-1}", "refuted"),
    ("F039", "karpathy", "loss",
     r"\frac{dL}{dW_{hh}} = (1-h_1^2) \lambda^h_1 h_T + \sum_{t=2}^T (1-h_t^2) \lambda^h_t h_{t-1}",
     "refuted"),
    ("F040", "karpathy", "loss", r"\frac{dL}{db_y} = 0", "refuted"),
    ("F042", "tanh", "", r"\tanh'(x_t) = 1 + \tanh^2(x_t)", "refuted"),
    ("F044", "tanh", "", r"\tanh'(x_t) = -(\tanh x_t)^2", "refuted"),
    ("F048", "leaky*", "",
     r"\frac{\partial s_{t+1}}{\partial s_t} = (1-\alpha) I + "
     r"\alpha \big[I - \mathrm{diag}(\tanh^2(A s_t + B y_{t+1}))\big] A", "checked"),
    # Cross Validated 185639
    ("F062", "bayer", "",
     r"\frac{\partial h_T}{\partial h_t} = w^{T-t} \prod_{k=1}^{T-t} \sigma'(w h_{T-k})",
     "checked"),
    ("F063", "lstm", "",
     r"\frac{\partial c_T}{\partial c_t} = \prod_{k=1}^{T-t} f_{t+k}", "refuted"),
    ("F068", "tanh", "", r"\sigma'(x_t) = \sigma(x_t) (1-\sigma(x_t))", "proved"),
    # Hochreiter, Schmidhuber 1997: the squashing function h
    ("F069", "tanh", "", r"\frac{2}{1+e^{-x_t}} - 1 = \tanh(x_t/2)", "proved"),
    # Gomez 2016, Kouridi, Kristiadi: the backward pass of an LSTM
    ("F072 c", "lstm", "loss",
     rf"\lambda^c_t = \lambda^h_t \odot {_O_TANH} + \lambda^c_{{t+1}} \odot f_{{t+1}}", "proved"),
    ("F072 g", "lstm*", "loss", r"\delta^g_t = \lambda^c_t \odot i_t \odot (1-g_t^2)", "proved"),
    ("F072 o", "lstm", "loss",
     r"\delta^o_t = \lambda^h_t \odot \tanh(c_t) \odot o_t \odot (1-o_t)", "proved"),
    ("F074", "lstm", "loss", r"\frac{dL}{db_f} = \sum_{t=1}^{T-1} \delta^f_{t+1}", "refuted"),
    # Greff et al. 2017, appendix, and a slip of implementations
    ("F075", "greff", "loss", _CARRY % r"+ p_o \odot \lambda^{\bar o}_t", "proved"),
    ("F077", "greff", "loss", _CARRY % "", "refuted"),
    # Trujello 2023; hanbt; microsoft/ai-edu; Coursera; CRAN rnn; notebooks
    ("F079", "lstm", "loss", r"\lambda^c_t = o_t \tanh'(c_t) \lambda^h_t", "refuted"),
    ("F079 T", "lstm", "loss", r"\lambda^c_T = o_T \tanh'(c_T) \lambda^h_T", "proved"),
    ("F081", "lstm", "loss",
     rf"\delta^f_t = \lambda^h_t {_O_TANH} c_{{t-1}} f_t (1-f_t)", "refuted"),
    ("F082", "lstm", "loss",
     r"\lambda^h_k = \prod_{j=k}^{T-1} (\delta^o_j U_o + \delta^f_j U_f + \delta^i_j U_i + "
     r"\delta^g_j U_g)", "refuted"),
    ("F083", "karpathy", "loss",
     r"\lambda^h_t = \frac{\partial \ell_t}{\partial y_t} W_{hy}", "refuted"),
    ("F085", "lstm", "loss",
     r"\delta^g_t = \lambda^c_{t+1} * i_t + o_t (1-\tanh(c_t)^2) * i_t * \lambda^h_t * g_t * "
     r"(1-\tanh(g_t)^2)", "refuted"),
    ("F088", "lstm", "loss", r"\delta^o_t = \lambda^h_t * \tanh(c_t) * o_t (1-o_t)", "proved"),
    ("F089", "lstm", "loss",
     rf"\lambda^c_t = \lambda^h_t {_O_TANH} * \lambda^c_{{t+1}} f_{{t+1}}", "refuted"),
    ("F090", "lstm", "loss", r"\delta^o_t = \sigma'(o_t) \lambda^h_t \tanh(c_t)", "refuted"),
    # Jimenez 2014, simple LSTM
    ("F093", "jimenez", "loss",
     r"\lambda^c_t = o_t \odot \lambda^h_t + \lambda^c_{t+1} \odot f_{t+1}", "proved"),
    ("F093 o", "jimenez", "loss", r"\frac{dL}{do_t} = c_t \odot \frac{dL}{dh_t}", "proved"),
    ("F094", "lstm", "loss",
     r"\frac{dL}{db_g} = \sum_{t=1}^T \lambda^h_t \frac{dh_t}{db_g}", "refuted"),
    ("F095", "lstm", "loss",
     rf"\frac{{dL}}{{dc_t}} = \frac{{dL}}{{dh_t}} {_O_TANH} + \frac{{dL}}{{dh_{{t+1}}}} o_{{t+1}} "
     r"(1-\tanh^2(c_{t+1})) f_{t+1}", "refuted"),
    # Kim, NLP with deep learning
    ("F097", "lstm", "",
     r"\frac{\partial c_t}{\partial W_f} = \sum_{i=1}^t c_0 f_1 (1-f_1) x_1 "
     r"\prod_{j=1}^{i-1} f_{j+1}", "refuted"),
    ("F099", "lstm", "",
     r"\frac{\partial c_T}{\partial c_k} = \prod_{j=k+1}^T " + _ONE_STEP_C, "refuted"),
    ("F103", "lstm*", "",
     r"\frac{\partial c_t}{\partial c_{t-1}} = \operatorname{diag}(f_t)", "refuted"),
    ("F103 direct", "lstm*", "",
     r"\frac{\partial^+ c_t}{\partial^+ c_{t-1}} = \operatorname{diag}(f_t)", "proved"),
    ("F104", "lstm", "",
     r"\frac{\partial c_t}{\partial c_{t-1}} = \frac{\partial f_t}{\partial c_{t-1}}", "refuted"),
    # GRU: Rehmer, Kroll; PyTorch; Kristiadi; Zhou et al. 2016; Feng et al. 2024
    ("F121", "cho", "", _GRU_STEP % "+", "proved"),
    ("F121 sign", "cho", "", _GRU_STEP % "-", "refuted"),
    ("F122", "cho", "", r"\frac{\partial h_t}{\partial h_{t-1}} = z_t", "refuted"),
    ("F123", "cudnn", "",
     r"\frac{\partial h_t}{\partial h_{t-1}} = z_t + (1-z_t)(1-n_t^2)\big[r_t U_h + "
     r"(U_h h_{t-1}+b_h) r_t(1-r_t) U_r\big] + (h_{t-1}-n_t) z_t(1-z_t) U_z", "proved"),
    ("F124", "chung", "loss",
     r"\lambda^h_{t-1} = \frac{\partial \ell_{t-1}}{\partial h_{t-1}} + (1-z_t) \lambda^h_t + "
     r"r_t (U_h^\top \delta^n_t) + U_r^\top \delta^r_t + U_z^\top \delta^z_t", "proved"),
    ("F124 z", "chung", "loss", r"\lambda^z_t = (n_t - h_{t-1}) \lambda^h_t", "proved"),
    ("F133", "mgu", "",
     r"\frac{\partial h_t}{\partial h_{t-1}} = (1-f_t) + f_t(1-n_t^2) U "
     r"\big(f_t + h_{t-1} f_t(1-f_t) U_f\big) + (n_t-h_{t-1}) f_t(1-f_t) U_f", "proved"),
    ("F134", "mingru*", "",
     r"\frac{\partial h_T}{\partial h_t} = \prod_{k=t+1}^T \mathrm{diag}(1-z_k)", "checked"),
    # Lei et al. 2018; Bradbury et al. 2016; Li et al. 2018; Rusch, Mishra 2021
    ("F136", "sru", "",
     r"\frac{\partial c_t}{\partial c_{t-1}} = f_t + (c_{t-1} - W x_t) f_t (1-f_t) v_f", "proved"),
    ("F137", "qrnn", "",
     r"\frac{\partial c_T}{\partial c_t} = \prod_{k=t+1}^T f_k", "checked"),
    ("F138", "indrnn", "last",
     r"\frac{\partial L}{\partial h_t} = \frac{\partial L}{\partial h_T}\,u^{T-t} "
     r"\prod_{k=t}^{T-1} \sigma'(W x_{k+1} + u h_k + b)", "checked"),
    ("F144", "cornn", "",
     r"\frac{\partial^+ y_t}{\partial^+ y_{t-1}} = 1 + \Delta t^2 \left((1 - \tanh^2(W y_{t-1} + "
     r"\mathcal{W} z_{t-1} + V u_t + b)) W - \gamma\right)", "proved"),
    # He et al. 2016 and a misreading of it; microsoft/ai-edu; Bengio et al. 1994
    ("F150", "resnet", "",
     r"\frac{\partial x_T}{\partial x_t} = \prod_{k=t}^{T-1} (1+F'(x_k))", "checked"),
    ("F151", "resnet", "",
     r"\frac{\partial x_T}{\partial x_t} = 1 + \sum_{i=t}^{T-1} F'(x_i)", "refuted"),
    ("F162", "stacked", "loss", r"\lambda^h_t = W^\top \lambda^z_{t+1}", "refuted"),
    ("F162 right", "stacked", "loss",
     r"\lambda^h_t = W^\top \lambda^z_{t+1} + V^\top \lambda^q_t", "checked"),
    ("F164", "tanh", "loss",
     r"\frac{\partial L}{\partial W} = \sum_{t=T-2}^T \frac{\partial L}{\partial h_t} (1-h_t^2) "
     r"h_{t-1}", "refuted"),
    ("F171", "tanh", "loss",
     r"\frac{\partial L}{\partial W} = \sum_t \frac{\partial \ell_t}{\partial h_t} "
     r"\frac{\partial h_t}{\partial W}", "checked"),
    ("F173", "latch", "",
     r"\frac{\partial a_t}{\partial a_0} = \prod_{k=0}^{t-1} w \tanh'(a_k)", "proved"),
    ("F180", "greff", "",
     r"\frac{\partial^+ c^t}{\partial^+ c^{t-1}} = f^t", "refuted"),
    ("F181", "tanh", "last",
     r"\frac{\partial L}{\partial W} = \frac{\partial L}{\partial h_T} \prod_{t=1}^T "
     r"\frac{\partial h_t}{\partial h_{t-1}}", "refuted"),
    ("F182", "tanh", "loss",
     r"\frac{\partial L}{\partial W} = \sum_{t=1}^T \frac{\partial L}{\partial h_t} "
     r"\frac{\partial^+ h_t}{\partial^+ W}", "checked"),
    ("F184", "lstm", "loss",
     r"\lambda^h_{t-1} = \frac{\partial \ell_{t-1}}{\partial h_{t-1}} + o_t(1-o_t) U_o \lambda^o_t "
     r"+ i_t(1-i_t) U_i \lambda^i_t + f_t(1-f_t) U_f \lambda^f_t + (1-g_t^2) U_g \lambda^g_t",
     "proved"),
]  # fmt: skip

_ACCEPTED = {
    "undecided": ("undecided",),
    "refuted": ("refuted",),
    "checked": ("checked", "proved"),
    "proved": ("proved",),
}


@pytest.mark.parametrize(
    ("key", "objective", "text", "expected"),
    [line[1:] for line in TABLE],
    ids=[line[0] for line in TABLE],
)
def test_what_is_judged_of_a_published_formula(
    key: str, objective: str, text: str, expected: str
) -> None:
    cell = cell_of(key)
    about = OBJECTIVES[objective](cell) if objective else None
    verdict = sg.check(cell, text, syntax="latex", objective=about)
    assert verdict.status in _ACCEPTED[expected], verdict


#: Formulas that are wrong because no sizes but 1 fit them, with what the error says.
MISSHAPEN = [
    ("F011", "book*", "loss",
     r"\nabla_{h^{(t)}} L = W^\top (\nabla_{h^{(t+1)}} L)\,\mathrm{diag}\big(1-(h^{(t+1)})^2\big) "
     r"+ V^\top (\nabla_{o^{(t)}} L)", "have no product in this order"),
    ("F046", "karpathy*", "loss",
     r"\frac{dL}{dW_{hh}} = \sum_t h_{t-1}^\top \delta^h_t", "an outer product is a bᵀ"),
    ("F137", "qrnn*", "",
     r"\frac{\partial c_T}{\partial c_t} = \prod_{k=t+1}^T f_k", "diag"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "objective", "text", "says"),
    [line[1:] for line in MISSHAPEN],
    ids=[line[0] for line in MISSHAPEN],
)
def test_what_fits_scalars_only_is_refused(key: str, objective: str, text: str, says: str) -> None:
    cell = cell_of(key)
    about = OBJECTIVES[objective](cell) if objective else None
    with pytest.raises((ParseError, UsageError)) as caught:
        sg.check(cell, text, syntax="latex", objective=about)
    assert says in str(caught.value)
