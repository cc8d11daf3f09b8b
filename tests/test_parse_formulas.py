"""Formulas in the names of a cell: what symgrad derives and prints is read back.

The printer flattens sums and products and sorts scalar factors, so a formula is compared
after ``arranged``; where it changes nothing, what is read is the printed node itself.
"""

from __future__ import annotations

from functools import cache

import pytest

from symgrad.adjoint import backward, loss
from symgrad.cell import Cell, param, signal, sizes
from symgrad.cells import CATALOGUE
from symgrad.derivation.request import answer
from symgrad.lang.affine import T, as_affine, j, k, symbol, t
from symgrad.lang.nodes import (
    Condition,
    Name,
    Node,
    Param,
    Signal,
    block,
    cases,
    const,
    derivative,
    full,
    index_value,
    iverson,
    name,
    prod_over,
    sum_over,
    walk,
)
from symgrad.ops import activation, diag, mean, relu, sigma, tanh
from symgrad.ops.build import make
from symgrad.ops.elementwise import opaque
from symgrad.parse import ParseError, arranged, parse_formula, parse_statement, read_cell
from symgrad.parse.grammar import Syntax
from symgrad.render.latex_math import latex
from symgrad.render.notation import box
from symgrad.render.text_math import unicode_text

#: None of it is about how far T goes.
pytestmark = pytest.mark.usefixtures("quick")

RNN, LSTM = CATALOGUE["rnn"], CATALOGUE["lstm"]
LINEAR = CATALOGUE["linear"].scalar()
n, q = sizes("n q")
h, y, f, c = signal("h", n), signal("y", q), signal("f", n), signal("c", n)
W_h, W_y = param("W_h", n, n), param("W_y", q, n)
w, hs = param("w"), signal("h")


def printed(node: Node, cell: Cell, syntax: Syntax) -> str:
    """The node as ``symgrad derive`` prints it."""
    layout = box(node, reading=cell.reading)
    return unicode_text(layout) if syntax == "text" else latex(layout)


def strangers(nodes: list[Node], cell: Cell) -> list[Node]:
    """The names in formulas that are not the cell's: s, M_t, a constant input."""
    leaves = [item for node in nodes for item in walk(node)]
    own = {*cell.params, *(s.name for s in (*cell.signals, *cell.inputs))}
    return [
        leaf
        for leaf in leaves
        if (isinstance(leaf, Param) and leaf not in own)
        or (isinstance(leaf, Signal) and leaf.name not in own)
        or isinstance(leaf, Name)
    ]


# ---- what derive prints ------------------------------------------------------------------

QUESTIONS = [
    f"{cell} --of {of} --wrt {wrt} {rest}".strip()
    for cell, weight in (("linear", "W"), ("linear-input", "W"), ("rnn", "W_h"), ("lstm", "U_f"))
    for reading in ("", "--scalar")
    for of, wrt, rest in (
        ("h_T", weight, f"--form expanded {reading}"),
        ("h_T", weight, f"--form recursive {reading}"),
        ("L", weight, reading),
        ("h_t", "h_{t-1}", reading),
        ("h_t", "h_{t-1}", f"--immediate {reading}"),
    )
    # Proving this one takes most of a minute, and its formula has nothing the others lack.
    if (cell, of, reading) != ("lstm", "L", "")
] + [
    "linear --of h_T --wrt W --form closed",
    "linear --of h_T --wrt W --form closed --scalar",
    "linear-input --of h_T --wrt W --form closed",
    "linear-input --of h_T --wrt w --form closed --scalar",
    "linear-input --of h_T --wrt w --input constant --scalar",
    "linear-input --of h_T --wrt w --input geometric --scalar",
    "lstm --of c_T --wrt c_k --along c --scalar",
    "rnn --of h_T --wrt w_h --form unrolled --T 2 --scalar",
]


@cache
def asked(question: str) -> tuple[Cell, list[tuple[Node, Node]]]:
    from symgrad.cli.derive import read_request
    from symgrad.cli.main import parser

    request = read_request(parser().parse_args(["derive", *question.split()]))
    found = answer(request)
    return request.cell, [*((line.left, line.right) for line in found.lines), *found.where]


@pytest.mark.parametrize("syntax", ["text", "latex"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_what_derive_prints_is_read_back(question: str, syntax: Syntax) -> None:
    cell, pairs = asked(question)
    extra = strangers([side for pair in pairs for side in pair], cell)
    for pair in pairs:
        for node in pair:
            text = printed(node, cell, syntax)
            found = parse_formula(text, cell, syntax=syntax, extra=extra, horizon="power")
            assert arranged(found) is arranged(node), text


@pytest.mark.parametrize("syntax", ["text", "latex"])
@pytest.mark.parametrize("cell", [RNN, LSTM, RNN.scalar(), LSTM.scalar()])
def test_gradient_equations_are_read_back(cell: Cell, syntax: Syntax) -> None:
    gradient = backward(cell, loss(cell))
    nodes = [side for e in gradient.equations for side in (e.target, e.value)]
    for node in nodes:
        found = parse_formula(printed(node, cell, syntax), cell, syntax=syntax)
        assert arranged(found) is arranged(node)


def test_a_line_of_derive_is_a_statement() -> None:
    left, right = parse_statement("h_t = tanh(W_x x_t + W_h h_{t-1} + b_h)   for 1 ≤ t ≤ T", RNN)
    assert (left, right) == (h, RNN.equation_of(h))
    text = r"h_t = \tanh(W_x\,x_t + W_h\,h_{t-1} + b_h) \qquad (1 \le t \le T)"
    assert parse_statement(text, RNN, syntax="latex") == (h, right)


def test_another_formula_is_another_node() -> None:
    cell, ((_, right),) = asked("rnn --of h_T --wrt W_h --form expanded --scalar")
    text = printed(right, cell, "text")

    assert arranged(parse_formula(text, cell)) is arranged(right)
    for old, new in (("k+1", "k"), ("h_{k-1}", "h_k"), ("1 - h_k^2", "1 + h_k^2"), ("^T", "^k")):
        wrong = parse_formula(text.replace(old, new, 1), cell)
        assert arranged(wrong) is not arranged(right)


# ---- one by one --------------------------------------------------------------------------

_s = param("s", n)
#: (cell, text, LaTeX, node)
FORMULAS: list[tuple[Cell, str, str, Node]] = [
    (LINEAR, "w^{T-k} h_0", "w^{T-k}\\,h_0", w ** (T - k) * hs.at(0)),
    (LINEAR, "w^T h_0", "w^T h_0", w**T * hs.at(0)),
    (LINEAR, "(T - k) w", "(T - k) w", index_value(T - k) * w),
    (LINEAR, "T w^(T-1) h_0", "T w^{T-1} h_0", index_value(T) * w ** (T - 1) * hs.at(0)),
    (
        LINEAR,
        "sum_{k=1}^{T} w^(T-k) * h_{k-1}",
        r"\sum_{k=1}^{T} w^{T-k} h_{k-1}",
        sum_over("k", 1, T, w ** (T - k) * hs.at(k - 1)),
    ),
    (
        LINEAR,
        "Σ_{i=1}^T Π_{j=i+1}^T w",
        r"\sum_{i=1}^T \prod_{j=i+1}^{T} w",
        sum_over("k", 1, T, prod_over("j", k + 1, T, w)),
    ),
    (
        LINEAR,
        "{0 if T = 0; w otherwise}",
        r"\begin{cases} 0 & \text{if } T = 0 \\ w & \text{otherwise} \end{cases}",
        cases([(const(0), (Condition(T, "=", as_affine(0)),)), (w, ())]),
    ),
    (
        LINEAR,
        "{1 if w ≠ 1 and T ≥ 2; w otherwise}",
        r"\begin{cases} 1 & w \ne 1 \text{ and } T \ge 2 \\ w & \text{otherwise} \end{cases}",
        cases(
            [
                (const(1), (Condition(w, "≠", const(1)), Condition(T, "≥", as_affine(2)))),
                (w, ()),
            ]
        ),
    ),
    (LINEAR, "[t = T] w", "[t = T] w", iverson(t - T) * w),
    (LINEAR, "dh_T/dw", r"\frac{\mathrm{d}h_T}{\mathrm{d}w}", derivative("total", hs.at(T), w)),
    (LINEAR, "dh_T/dh_0", r"\frac{dh_T}{dh_0}", derivative("total", hs.at(T), hs.at(0))),
    (
        LINEAR,
        "∂⁺h_t/∂⁺h_{t-1}",
        r"\frac{\partial^{+} h_t}{\partial^{+} h_{t-1}}",
        derivative("immediate", hs, hs.prev),
    ),
    (LINEAR, "∂h_T/∂w", r"\frac{\partial h_T}{\partial w}", derivative("total", hs.at(T), w)),
    (RNN, "dL/dW_h", r"\frac{dL}{dW_h}", derivative("gradient", name("L"), W_h)),
    (
        LSTM,
        "(dc_T/dc_k) |_c",
        r"\left. \frac{\mathrm{d}c_T}{\mathrm{d}c_k} \right|_{c}",
        derivative("restricted", c.at(T), c.at(k), along=("c",)),
    ),
    (
        RNN,
        "∂ℓ_t/∂y_t",
        r"\frac{\partial \ell_t}{\partial y_t}",
        Signal(("y", t, "dl"), (), y.shape),
    ),
    (RNN, "λ_t^h", r"\lambda^h_t", Signal(("h", t, "lam"), (), h.shape)),
    (RNN, "lam_h_t", r"\lambda_t^{h}", Signal(("h", t, "lam"), (), h.shape)),
    (LSTM, "δ_{t+1}^f", r"\delta^f_{t+1}", Signal(("f", t + 1, "delta"), (), f.shape)),
    (LSTM, "delta_f_t ⊙ f_t", r"\delta_t^f \odot f_t", Signal(("f", t, "delta"), (), f.shape) * f),
    (RNN, "diag(1 - h_t^2) W_h", r"\operatorname{diag}(1 - h_t^2) W_h", diag(1 - h**2) @ W_h),
    (RNN, "W_h^⊤ h_T", r"W_h^\top h_T", W_h.T @ h.at(T)),
    (RNN, "W_y.T @ y_t", r"W_y^{\mathsf T} y_t", W_y.T @ y),
    (RNN, "W_y^T y_t", "W_y^T y_t", W_y.T @ y),
    (RNN, "h_t h_{t-1}^⊤", r"h_t h_{t-1}^{\intercal}", h @ h.prev.T),
    (RNN, "s h_3^⊤", r"s h_3^\top", _s @ h.at(3).T),
    (RNN, "tanh^2(h_T)", r"\tanh^2(h_T)", tanh(h.at(T)) ** 2),
    (RNN, "relu_{1/2}(h_t)", r"\operatorname{relu}_{1/2}(h_t)", relu(h, const(1).value / 2)),
    (RNN, "φ(h_t)", r"\varphi(h_t)", activation("phi")(h)),
    (
        RNN,
        "tanh'(h_t) + sigma'(h_t)",
        r"\tanh'(h_t) + \sigma'(h_t)",
        (1 - tanh(h) ** 2) + sigma(h) * (1 - sigma(h)),
    ),
    (RNN, "φ'(h_t)", r"\varphi'(h_t)", make(opaque("phi", 1), h)),
    (RNN, "∇_{W_h} L", r"\nabla_{W_h} L", derivative("gradient", name("L"), W_h)),
    (RNN, "∂_{h_{t-1}} h_t", r"\partial_{h_{t-1}} h_t", derivative("total", h, h.prev)),
    (
        RNN,
        "∇_{y_t} ℓ_t",
        r"\nabla_{y_t} \ell_t",
        Signal(("y", t, "dl"), (), y.shape),
    ),
    (RNN, "sum_{t} h_t", r"\sum_t h_t", sum_over("t", 1, T, h)),
    (RNN, "h_t h_{t-1}^⊤", r"h^{(t)} h^{(t-1)\top}", h @ h.prev.T),
    (RNN, "h_t h_{t-1}^⊤", r"h^t (h^{t-1})^\top", h @ h.prev.T),
    (RNN, "h_t^2", r"(h^t)^2", h**2),
    (
        LSTM,
        "dc_i/dc_{i-1}",
        r"\frac{dc_i}{dc_{i-1}}",
        derivative("total", c.at(symbol("i")), c.at(symbol("i") - 1)),
    ),
    (
        RNN.scalar(),
        "W_h W_y h_{T-m}",
        r"W_h W_y h_{T-m}",
        param("w_h") * param("w_y") * hs.at(T - symbol("m")),
    ),
    (RNN, "mean(h_t)", r"\operatorname{mean}(h_t)", mean(h)),
    (RNN, "-h_t / 2", r"-\frac{h_t}{2}", -(h / 2)),
    (
        RNN,
        "[W_h, I; 0, W_h]",
        r"\begin{bmatrix} W_h & I \\ 0 & W_h \end{bmatrix}",
        block([(W_h, full("identity", (n, n))), (full("zeros", (n, n)), W_h)]),
    ),
]


@pytest.mark.parametrize(("cell", "text", "tex", "node"), FORMULAS)
def test_formulas_one_by_one(cell: Cell, text: str, tex: str, node: Node) -> None:
    assert parse_formula(text, cell, extra=[_s]) is node
    assert parse_formula(tex, cell, syntax="latex", extra=[_s]) is node


def test_names_that_stand_for_formulas() -> None:
    found = parse_formula("∏_{j=k+1}^T M_j", RNN, extra=[name("M", (n, n), t)])
    assert found is prod_over("j", k + 1, T, name("M", (n, n), j))


def test_a_t_at_a_square_matrix_is_asked_for() -> None:
    with pytest.raises(ParseError, match="can be a power and a transpose"):
        parse_formula("W_h^T h_0", RNN)
    assert parse_formula("W_h^T h_0", RNN, horizon="power") is W_h**T @ h.at(0)
    assert parse_formula("W_h^T h_0", RNN, horizon="transpose") is W_h.T @ h.at(0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("h", "h is a signal and needs a time: h_t, h_T or h_0"),
        ("g_t", "rnn declares no g: it has the signals h, y, x and the parameters W_x, W_h,"),
        ("W_hh h_t", "did you mean W_h?"),
        ("sigmod(h_t)", "sigmod is no function here"),
        ("sum_{k} h_k", "expected both limits"),
        ("sum_{k=1}^{h_t} h_k", "the limits of a sum over time are times"),
        ("sum_{k=1}^{T} (h_k) * h_k", "can end after"),
        ("h_t h_t", "are both columns"),
        ("W_h h_t + y_t", "+ needs equal shapes"),
        ("{h_t if T = 0}", "the last one is otherwise"),
        ("h_t = y_t", "read it with parse_statement"),
        ("h_t, y_t", "expected one formula"),
        ("W_h^{h_t}", "rnn declares no W_h_h_t: did you mean W_h?"),
        ("W_h' h_t", "a prime is not read here"),
        ("tanh''(h_t)", "only the first derivative is read"),
        ("∇_{h_{t-1}} h_t", "the gradient of a scalar"),
        ("∂ℓ_t/∂W_h", "with_loss"),
        ("∂ℓ_t/∂y_{t-1}", "at the same time"),
        ("∂ℓ_T/∂y_t", "at the same time"),
        ("(h_t", "is not closed"),
        ("", "expected one formula"),
    ],
)
def test_formulas_that_are_none(text: str, says: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_formula(text, RNN)
    assert says in str(caught.value)


def test_the_sign_of_an_immediate_derivative_is_a_plus() -> None:
    with pytest.raises(ParseError):
        parse_formula(r"\frac{\partial^- h_t}{\partial^+ h_{t-1}}", RNN, syntax="latex")


def test_a_cell_read_from_text_reads_its_formulas() -> None:
    cell = read_cell(r"\tilde{h}_t = \tanh(W_{xh} x_t + U \tilde{h}_{t-1})", "latex")
    tilde = cell.signals[0]

    assert parse_formula(r"\tilde{h}_T", cell, syntax="latex") is tilde.at(T)
    assert parse_formula("h̃_T", cell) is tilde.at(T)
    assert parse_formula("h_tilde_T", cell) is tilde.at(T)
