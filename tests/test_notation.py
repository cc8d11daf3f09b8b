"""The mathematical notation: one table of formulas, and printed formulas that read back."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from symgrad.cell import param, signal, sizes
from symgrad.derivation.model import Derivation, Section, Step
from symgrad.lang import nodes
from symgrad.lang.affine import ONE, T, as_affine, j, k, symbol, t
from symgrad.lang.algebra import PrimeField
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Condition,
    Full,
    Node,
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
from symgrad.lang.tape import Environment, evaluate
from symgrad.ops import (
    absolute,
    activation,
    concat,
    diag,
    exp,
    log,
    logsumexp,
    maximum,
    mean,
    relu,
    rows,
    sigma,
    sign,
    softmax,
    softplus,
    sqrt,
    step,
    tanh,
    total,
)
from symgrad.ops.build import make
from symgrad.ops.elementwise import opaque
from symgrad.ops.table import PRIMITIVES
from symgrad.render.latex_math import latex
from symgrad.render.layout import Big, Box, Call, Fence, Frac, Ident, Number, Op, Row, Script
from symgrad.render.notation import affine_box, box, condition_box, statement_box, sum_box
from symgrad.render.notation_list import notation_list
from symgrad.render.text_math import plain, unicode_text
from symgrad.verify.verdict import Verdict

n, m = sizes("n m")
W, U, V = param("W_h", n, n), param("U", n, m), param("V", n, n)
b, s, a = param("b", n), param("s", n), param("alpha")
w, u = param("w"), param("w_h")
h, c, x, f = signal("h", n), signal("c", n), signal("x", m), signal("f", n)
p, q, o = signal("p"), signal("q"), signal("o")  # scalar signals
L = name("L")
V_x, b_4 = param("V", n + n, n + m), param("b", 4 * n)
HALF = Fraction(1, 2)
phi, w_kji = activation("phi"), param("w_k_j_i")


def columns(whole: Node, start: Any, count: Any) -> Node:
    """Some columns of a matrix."""
    return nodes.part(whole, (as_affine(0), as_affine(start)), (whole.shape[0], as_affine(count)))


def primed(name: str, order: int, argument: Node) -> Node:
    """A derivative of a generic activation."""
    return make(opaque(name, order), argument)


def adjoint(of: nodes.Signal, kind: str) -> nodes.Signal:
    return nodes.signal(of.name, of.shape, of.time, kind)


def number(form: Any) -> Node:
    return index_value(form)


# ---- names, products, sums ----------------------------------------------------------------

UNICODE = [
    # names
    (W, "W_h"),
    (a, "α"),
    (param("bias"), "bias"),
    (param("W_h_2"), "W_{h,2}"),
    (param("W_alpha"), "W_α"),
    (h.prev, "h_{t-1}"),
    (h.at(0), "h_0"),
    (h.at(T - k), "h_{T-k}"),
    (signal("h_a", n), "h_{a,t}"),
    (adjoint(h, "lam"), "λ_t^h"),
    (adjoint(f.at(t + 1), "delta"), "δ_{t+1}^f"),
    (adjoint(signal("h_a", n), "lam"), "λ_t^{h_a}"),
    (adjoint(h, "dl"), "∂ℓ_t/∂h_t"),
    (adjoint(h.at(T), "target"), "h_T^*"),
    (name("M", SCALAR, t), "M_t"),
    # products in the vector reading
    (W @ h.prev + b, "W_h h_{t-1} + b"),
    (f * c.prev, "f_t ⊙ c_{t-1}"),
    (a * h, "α h_t"),
    (h * a, "α h_t"),
    (2 * a * h, "2 α h_t"),
    (a * h * c, "α h_t ⊙ c_t"),
    ((W @ h) * c, "(W_h h_t) ⊙ c_t"),
    (W @ (h * c), "W_h (h_t ⊙ c_t)"),
    (W @ (a * h), "α W_h h_t"),
    (a * (W @ h), "α W_h h_t"),
    ((h * c) * (f * h), "h_t ⊙ c_t ⊙ f_t ⊙ h_t"),
    ((W @ V) @ (W @ h), "W_h V W_h h_t"),
    (V @ W @ h, "V W_h h_t"),
    (W @ (h + c), "W_h (h_t + c_t)"),
    ((W + V) @ h, "(W_h + V) h_t"),
    (adjoint(h, "delta") @ h.prev.T, "δ_t^h h_{t-1}^⊤"),
    ((s.T @ h) * c, "(s^⊤ h_t) c_t"),
    (s.T @ h, "s^⊤ h_t"),
    (diag(1 - h**2) @ W, "diag(1 - h_t^2) W_h"),
    # products in the scalar reading
    (number(T) * o.at(0) * w ** (T - 1), "T w^{T-1} o_0"),
    (adjoint(o.at(t + 1), "delta") * u, "w_h δ_{t+1}^o"),
    ((1 - o.at(k) ** 2) * o.at(k - 1), "(1 - o_k^2) o_{k-1}"),
    ((1 - o**2) * u, "w_h (1 - o_t^2)"),
    (number(T - k) * w ** (T - k - 1), "(T - k) w^{T-k-1}"),
    (p * q * o, "p_t q_t o_t"),
    (2 * (3 * p**2), "6 p_t^2"),
    (p * const(Fraction(1, 2)) * w, "(1/2) w p_t"),
    (const(3) * OPERATORS["power"](const(2), T) * p, "3 · 2^T p_t"),
    ((1 - w**T) / (1 - w) * p, "((1 - w^T)/(1 - w)) p_t"),
    (p * ((1 - w**T) / (1 - w)), "((1 - w^T)/(1 - w)) p_t"),
    # sums and signs
    (p - q, "p_t - q_t"),
    (-p + q, "-p_t + q_t"),
    (p - (q + o), "p_t - (q_t + o_t)"),
    (p + (q - o), "p_t + q_t - o_t"),
    (p + (-q) * o, "p_t - q_t o_t"),
    ((-p) * (-q), "p_t q_t"),
    (-(p * q), "-p_t q_t"),
    (p * -3, "-3 p_t"),
    (p - const(Fraction(1, 2)), "p_t - 1/2"),
    (2 * (p + q), "2 (p_t + q_t)"),
    (W @ -h, "-W_h h_t"),
    # transposes and powers
    (W.T @ h, "W_h^⊤ h_t"),
    (OPERATORS["transpose"](W**2), "(W_h^⊤)^2"),
    (W.T ** (T - t), "(W_h^⊤)^{T-t}"),
    (adjoint(h, "lam").T, "(λ_t^h)^⊤"),
    (adjoint(h, "dl").T, "(∂ℓ_t/∂h_t)^⊤"),
    ((W @ h).T, "(W_h h_t)^⊤"),
    (tanh(c).T, "tanh(c_t)^⊤"),
    (h**2, "h_t^2"),
    (adjoint(p, "lam") ** 2, "(λ_t^p)^2"),
    ((p + q) ** 2, "(p_t + q_t)^2"),
    ((p * q) ** 2, "(p_t q_t)^2"),
    ((p**2) ** 3, "(p_t^2)^3"),
    ((p / q) ** 2, "(p_t/q_t)^2"),
    (OPERATORS["power"](const(-2), T), "(-2)^T"),
    (OPERATORS["power"](const(Fraction(1, 2)), T), "(1/2)^T"),
    (OPERATORS["power"](number(T - k), as_affine(2)), "(T - k)^2"),
    (tanh(c) ** 2, "tanh^2(c_t)"),
    (tanh(c) ** (T - t), "tanh(c_t)^{T-t}"),
    (tanh(p) ** -1, "tanh(p_t)^{-1}"),
    (sigma(p) ** 2, "σ^2(p_t)"),
    (1 - tanh(c) ** 2, "1 - tanh^2(c_t)"),
    # functions
    (sigma(W @ h + b), "σ(W_h h_t + b)"),
    (exp(-p), "exp(-p_t)"),
    (total(h), "sum(h_t)"),
    (absolute(p), "|p_t|"),
    (absolute(p, 0), "|p_t|_0"),
    (absolute(p) ** 2, "|p_t|^2"),
    (absolute(p, 0) ** 2, "|p_t|_0^2"),
    (absolute(h).T, "|h_t|^⊤"),
    (sqrt(total(h * h)), "sqrt(sum(h_t ⊙ h_t))"),
    (sqrt(p) ** 2, "(sqrt(p_t))^2"),
    (w * sqrt(p + q), "w sqrt(p_t + q_t)"),
    (log(p) ** 2, "log^2(p_t)"),
    (relu(h), "relu(h_t)"),
    (relu(h, 0) ** 2, "relu_0^2(h_t)"),
    (relu(h, HALF).T, "relu_{1/2}(h_t)^⊤"),
    (step(h, 1) * h, "step_1(h_t) ⊙ h_t"),
    (maximum(p, q - 1, HALF) ** 2, "max_{1/2}(p_t, q_t - 1)^2"),
    (maximum(h, 0), "max(h_t, 0)"),
    (sign(p, 0), "sign_0(p_t)"),
    (softmax(W @ h), "softmax(W_h h_t)"),
    (logsumexp(h), "logsumexp(h_t)"),
    (softplus(p), "softplus(p_t)"),
    (phi(h) ** 2, "φ^2(h_t)"),
    (primed("phi", 1, h) ** 2, "φ′(h_t)^2"),
    (primed("phi", 2, h).T, "φ′′(h_t)^⊤"),
    (activation("g_2")(p), "g_2(p_t)"),
    (primed("g_2", 1, p), "g′_2(p_t)"),
    # parts of matrices, counted from 1
    (columns(V_x, 0, n), "V_{:,1:n}"),
    (columns(V_x, n, m), "V_{:,n+1:n+m}"),
    (columns(V_x, n, m).T @ h, "V_{:,n+1:n+m}^⊤ h_t"),
    (rows(columns(V_x, 0, n), n, n), "V_{n+1:2n,1:n}"),
    (columns(V_x, 3, 1), "V_{:,4}"),
    (rows(b_4, n, n), "b_{n+1:2n}"),
    (rows(signal("a", 4 * n), 0, n), "(a_t)_{1:n}"),
    (rows(exp(b_4), n + n, n), "(exp(b))_{2n+1:3n}"),
    (rows(param("W_h", n + n, n), 0, n), "(W_h)_{1:n,:}"),
    # m is a size here, not an index
    (
        sum_over("r", 1, T, w_kji * (columns(V_x, n, m) @ x.at(symbol("r")))),
        "∑_{p=1}^T w_{k,j,i} V_{:,n+1:n+m} x_p",
    ),
    # columns below each other
    (V_x @ concat(h.prev, x), "V [h_{t-1}; x_t]"),
    (h @ concat(h.prev, x).T, "h_t [h_{t-1}^⊤, x_t^⊤]"),
    # fractions
    (h / c, "h_t/c_t"),
    (h * (c / f), "h_t ⊙ (c_t/f_t)"),
    (p / q / o, "p_t/(q_t o_t)"),
    (p / q / q / o / q, "p_t/(q_t^3 o_t)"),
    (h / p / c, "h_t/(p_t c_t)"),
    (-p / q, "-p_t/q_t"),
    (h - (-c) / p, "h_t + c_t/p_t"),
    ((p - q) / o, "(p_t - q_t)/o_t"),
    (1 / (2 * sqrt(p)), "1/(2 sqrt(p_t))"),
    (p * (1 / q), "(1/q_t) p_t"),
    (2 * (p * (1 / (2 * q))), "(1/q_t) p_t"),
    (const(Fraction(3, 2)) * ((1 / q) * (1 / (q * o)) * h), "(3/(2 q_t^2 o_t)) h_t"),
    (2 * (-1 / q) * p, "-(2/q_t) p_t"),
    (mean(h), "mean(h_t)"),
    (total(h) / index_value(n), "sum(h_t)/n"),
    (mean((h - mean(h)) ** 2), "var(h_t)"),
    (p * (2 / (total(h) / index_value(n))), "(2/(sum(h_t)/n)) p_t"),
    # sums of all entries
    (total(-h * c), "-sum(h_t ⊙ c_t)"),
    (total((2 * p) * (h * -c)) * q, "-2 p_t sum(h_t ⊙ c_t) q_t"),
    (total(h - c), "sum(h_t - c_t)"),
    (total(c * (h / p) / p) * (1 / (2 * p)), "(1/(2 p_t^3)) sum(c_t ⊙ h_t)"),
    (total(h / c), "sum(h_t/c_t)"),
    # a column of ones beside another
    ((p * full("ones", (n, ONE))) * h, "p_t h_t"),
    (p * full("ones", (n, ONE)), "p_t 𝟏"),
    (diag(full("ones", (n, ONE)) * p), "diag(p_t 𝟏)"),
    # Σ and Π
    (sum_over("k", 1, T, o.at(k)), "∑_{k=1}^T o_k"),
    (sum_over("r", 1, T, o.at(symbol("r"))), "∑_{k=1}^T o_k"),
    (sum_over("k", 1, T, o.at(k) + p.at(k)), "∑_{k=1}^T (o_k + p_k)"),
    (sum_over("k", 1, T, -o.at(k)), "∑_{k=1}^T (-o_k)"),
    (prod_over("j", k + 1, T, w * o.at(j)), "∏_{j=k+1}^T w o_j"),
    (
        sum_over("k", 1, T, prod_over("j", k + 1, T, 1 - o.at(j) ** 2) * o.at(k - 1)),
        "∑_{k=1}^T (∏_{j=k+1}^T (1 - o_j^2)) o_{k-1}",
    ),
    (prod_over("j", 1, T, o.at(j)) * w, "w (∏_{j=1}^T o_j)"),
    (prod_over("j", 1, T, o.at(j)) ** 2, "(∏_{j=1}^T o_j)^2"),
    (p + prod_over("j", 1, T, o.at(j)), "p_t + ∏_{j=1}^T o_j"),
    (sum_over("k", 1, T, o.at(k)) - p, "∑_{k=1}^T o_k - p_t"),
    (prod_over("j", 1, T, diag(f.at(j)) @ W).T @ s, "(∏_{j=1}^T diag(f_j) W_h)^⊤ s"),
    (sum_over("r", 1, t, number(k) * o.at(symbol("r"))), "∑_{j=1}^t k o_j"),
    # a parameter called k, as in k_j, would be mistaken for the index
    (sum_over("r", 1, T, param("b_k") * o.at(symbol("r"))), "∑_{j=1}^T b_k o_j"),
    # the rest
    (iverson(T - t), "[t = T]"),
    (iverson(T), "[T = 0]"),
    (iverson(T - t - 1), "[t = T - 1]"),
    (iverson(k - 3), "[k = 3]"),
    (W.T @ (iverson(T - t) * s), "[t = T] W_h^⊤ s"),
    (full("identity", (n, n)), "I"),
    (full("zeros", (n, m)), "0"),
    (full("ones", (n, ONE)), "𝟏"),
    (full("ones", (ONE, n)) @ h, "𝟏^⊤ h_t"),
    (number(T.scale(2) - 1), "2T - 1"),
    (p - number(T - k), "p_t - (T - k)"),
    (block([(W, V), (full("zeros", (n, n)), W.T)]), "[W_h, V; 0, W_h^⊤]"),
    (
        cases([(o.at(0), (Condition(T, "=", as_affine(0)),)), (p, ())]),
        "{o_0 if T = 0; p_t otherwise}",
    ),
    (
        2 * cases([(o, (Condition(w, "≠", const(1)), Condition(T, "≥", as_affine(2)))), (p, ())]),
        "2 ({o_t if w ≠ 1 and T ≥ 2; p_t otherwise})",
    ),
    # derivatives
    (derivative("total", h.at(T), W, shape=SCALAR), "dh_T/dW_h"),
    (derivative("immediate", h, h.prev), "∂^+h_t/∂^+h_{t-1}"),
    (derivative("gradient", L, W), "dL/dW_h"),
    (derivative("loss", name("ℓ", SCALAR, t), h), "∂ℓ_t/∂h_t"),
    (derivative("restricted", c.at(T), c.at(k), along=("c",)), "(dc_T/dc_k) |_c"),
    (derivative("restricted", c.at(T), c.at(k), along=("c", "h_a")), "(dc_T/dc_k) |_{c, h_a}"),
    (derivative("total", sqrt(p), p), "dsqrt(p_t)/dp_t"),
    (derivative("total", p + q, p), "d(p_t + q_t)/dp_t"),
]


@pytest.mark.parametrize(("node", "expected"), UNICODE, ids=[e for _, e in UNICODE])
def test_unicode(node: Node, expected: str) -> None:
    assert unicode_text(box(node)) == expected


LATEX = [
    (sqrt(total(h * h)), r"\sqrt{\operatorname{sum}(h_t \odot h_t)}"),
    (absolute(p, 0) * q, r"\lvert p_t\rvert_0\,q_t"),
    (relu(h, HALF), r"\operatorname{relu}_{1/2}(h_t)"),
    (maximum(p, q, 0), r"{\max}_0(p_t, q_t)"),
    (primed("phi", 2, p), r"\varphi''(p_t)"),
    (primed("g_2", 1, p), r"{g'}_2(p_t)"),
    (columns(V_x, n, m).T @ h, r"V_{{:},n+1{:}n+m}^{\top}\,h_t"),
    (rows(signal("a", 4 * n), 0, n), r"(a_t)_{1{:}n}"),
    (V_x @ concat(h, x), r"V\,\begin{bmatrix} h_t \\ x_t \end{bmatrix}"),
    (p / q / q, r"\frac{p_t}{q_t^2}"),
    (W @ h.prev + b, r"W_h\,h_{t-1} + b"),
    (f * c.prev, r"f_t \odot c_{t-1}"),
    (W.T @ adjoint(h.at(t + 1), "delta"), r"W_h^{\top}\,\delta_{t+1}^h"),
    (adjoint(h, "lam") * (1 - h**2), r"\lambda_t^h \odot (1 - h_t^2)"),
    (number(T) * w ** (T - 1) * o.at(0), r"T\,w^{T-1}\,o_0"),
    (signal("h_a", n), r"h_{a,t}"),
    (adjoint(h, "target"), r"h_t^{*}"),
    (1 - tanh(c) ** 2, r"1 - \tanh^2(c_t)"),
    (o * exp(p) ** 3, r"o_t\,\exp^3(p_t)"),
    (sigma(c) ** 2, r"\sigma^2(c_t)"),
    (full("ones", (ONE, n)) @ full("ones", (n, ONE)), r"\mathbf{1}^{\top}\,\mathbf{1}"),
    (adjoint(h, "dl"), r"\frac{\partial\ell_t}{\partial h_t}"),
    (derivative("gradient", L, W), r"\frac{\mathrm{d}L}{\mathrm{d}W_h}"),
    (derivative("immediate", p, w), r"\frac{\partial^{+}p_t}{\partial^{+}w}"),
    (
        derivative("restricted", c.at(T), c.at(k), along=("c",)),
        r"\left. \frac{\mathrm{d}c_T}{\mathrm{d}c_k} \right|_{c}",
    ),
    (
        sum_over("k", 1, T, prod_over("j", k + 1, T, 1 - o.at(j) ** 2) * w),
        r"\sum_{k=1}^{T} w\,\biggl(\prod_{j=k+1}^{T} (1 - o_j^2)\biggr)",
    ),
    (
        cases([(const(0), (Condition(T, "=", as_affine(0)),)), (p, ())]),
        r"\begin{cases} 0 & T = 0 \\ p_t & \text{otherwise} \end{cases}",
    ),
    (block([(W, V)]), r"\begin{bmatrix} W_h & V \end{bmatrix}"),
]


@pytest.mark.parametrize(("node", "expected"), LATEX, ids=[e for _, e in LATEX])
def test_latex(node: Node, expected: str) -> None:
    assert latex(box(node)) == expected


def test_the_scalar_reading_commutes_whatever_the_shapes_are() -> None:
    assert unicode_text(box(h * c, reading="scalar")) == "h_t c_t"
    assert unicode_text(box(W @ h + b, reading="scalar")) == "W_h h_t + b"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (T - k - 1, "T - k - 1"),
        (T.scale(2) + 1, "2T + 1"),
        (as_affine(-3), "-3"),
        (-k, "-k"),
        (as_affine(0), "0"),
        (symbol("n_h"), "n_h"),
    ],
)
def test_affine_forms(form: Any, expected: str) -> None:
    assert unicode_text(affine_box(form)) == expected


def test_statements_conditions_and_named_sums() -> None:
    assert unicode_text(statement_box(h, W @ h.prev)) == "h_t = W_h h_{t-1}"
    assert unicode_text(condition_box(Condition(w, "≠", const(1)))) == "w ≠ 1"
    assert unicode_text(condition_box(Condition(t, "<", T - 1))) == "t < T - 1"
    assert unicode_text(sum_box("t", 1, T, p + q)) == "∑_{t=1}^T (p_t + q_t)"


def test_operands_that_do_not_conform_still_print() -> None:
    assert unicode_text(box(U @ h)) == "U h_t"
    assert unicode_text(box((U @ h) + b)) == "U h_t + b"


def test_every_class_of_nodes_has_a_notation() -> None:
    """The tables above hold every class, so a new one cannot be forgotten."""
    covered = {type(item) for node, _ in UNICODE for item in walk(node)} | {nodes.Misfit}
    missing = [cls.__name__ for cls in Node.__subclasses__() if cls not in covered]

    assert missing == []


# ---- the list of signs at the end of a document -------------------------------------------------


def signs(*chain: Node) -> list[str]:
    """The lines that only some documents have."""
    done = Verdict("given")
    step_ = Step("1", name("y"), chain, "", done)
    derivation = Derivation("d", "D", "", (Section("S", (step_,)),))
    return [plain(line) for line in notation_list(derivation)][4:]


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (h * c + W @ h, ()),
        (p**2 + p / q + 1, ()),
        (W**2 @ h, ()),
        (h**2, ("Powers and fractions of vectors",)),
        (c * (p / h), ("Powers and fractions of vectors",)),
        (1 - h, ("A number added to a vector",)),
        (W @ (h + p), ("A number added to a vector",)),
        (total(h), ("sum(v)",)),
        (V_x @ concat(h, x), ("Vectors below each other",)),
        (columns(V_x, 0, n) @ h, ("W_{:,i:j}",)),
        (softmax(h), ("softmax(z) = exp(z)/sum(exp(z))",)),
        (logsumexp(h), ("logsumexp(z)",)),
        (softplus(h), ("softplus(x)",)),
        (relu(p, 0), ("relu(x) = max(x, 0)", "step(x) is 1", "A subscript at step")),
        (step(p), ("step(x) is 1", "A subscript at step")),
        (absolute(p, 0), ("sign(x) is 1", "A subscript at step")),
        (primed("phi", 1, h), ("φ(x) is any differentiable function",)),
        (phi(primed("_f_", 2, h)), ("_f_(x) is any", "φ(x) is any")),
    ],
    ids=lambda value: repr(value) if isinstance(value, Node) else "",
)
def test_a_document_explains_the_signs_that_occur_in_it(node: Node, words: tuple[str, ...]) -> None:
    found = signs(const(2), node)

    assert len(found) == len(words)
    assert all(line.startswith(start) for line, start in zip(found, words, strict=True)), found


# ---- what is printed reads back as the same formula ---------------------------------------------
#
# An independent reader of boxes with the usual rules: sums bind weakest, then ⊙, then
# juxtaposition; a formula and its printed form must have the same value modulo p.

SIZE = 2
FIELD = PrimeField()


def random_value(key: str, shape: tuple[int, int]) -> Any:
    entries = np.empty(shape, dtype=object)
    for place in np.ndindex(shape):
        entries[place] = Random(f"{key} {place}").randrange(1, FIELD.prime)
    return entries


SHAPES = {
    **dict.fromkeys(("a", "d", "y", "z"), (1, 1)),
    **dict.fromkeys(("v", "g", "r"), (SIZE, 1)),
    **dict.fromkeys(("A", "B"), (SIZE, SIZE)),
}


class Reader:
    """The value of a box."""

    def __init__(self) -> None:
        self.indices = {"t": 3, "T": 4}

    def read(self, item: Box) -> Any:
        match item:
            case Number(digits):
                return np.array([[int(digits)]], dtype=object)
            case Fence(body):
                return self.read(body)
            case Frac(over, under):
                return FIELD.div(self.read(over), self.read(under))
            case Ident(text) if text in SHAPES:
                return random_value(text, SHAPES[text])
            case Script(Ident(text), sub, None) if sub is not None:
                return random_value(f"{text}@{self.index(sub)}", SHAPES[text])
            case Script(base, sub, sup):
                inner = base if sub is None else Script(base, sub)
                return self.raised(self.read(inner), sup)
            case Call(function, (argument,)):
                return self.called(function, self.read(argument))
            case Big(sign, Row((Ident(letter), _, *lower)), upper, body):
                return self.folded(sign, letter, Row(tuple(lower)), upper, body)
            case Row(items):
                return self.sum(list(items))
        raise AssertionError(f"unexpected {item}")

    def index(self, item: Box) -> int:
        total, sign = 0, 1
        for part in item.items if isinstance(item, Row) else (item,):
            if isinstance(part, Op):
                sign = -1 if part.text == "−" else 1
            else:
                value = int(part.text) if isinstance(part, Number) else None
                total += sign * (self.indices[part.text] if value is None else value)  # type: ignore[attr-defined]
        return total

    def raised(self, base: Any, sup: Box | None) -> Any:
        if isinstance(sup, Op):
            return base.T
        assert isinstance(sup, Number)
        square = base.shape == (SIZE, SIZE)
        result = base
        for _ in range(int(sup.text) - 1):
            result = FIELD.matmul(result, base) if square else FIELD.mul(result, base)
        return result

    def called(self, function: str, value: Any) -> Any:
        return PRIMITIVES[{"σ": "sigma", "sum": "total"}.get(function, function)].evaluate(
            FIELD, value
        )

    def folded(self, sign: str, letter: str, lower: Box, upper: Box, body: Box) -> Any:
        assert letter not in self.indices
        values = []
        for place in range(self.index(lower), self.index(upper) + 1):
            self.indices[letter] = place
            values.append(self.read(body))
        del self.indices[letter]
        result = values[0]
        for value in values[1:]:
            square = value.shape == (SIZE, SIZE)
            multiply = FIELD.matmul if square else FIELD.mul
            result = FIELD.add(result, value) if sign == "∑" else multiply(value, result)
        return result

    def sum(self, items: list[Box]) -> Any:
        terms: list[tuple[bool, list[Box]]] = [(False, [])]
        for item in items:
            if isinstance(item, Op) and item.text in ("+", "−"):
                negative = item.text == "−"
                if item.kind == "prefix":
                    assert terms == [(False, [])], "a sign in the middle of a product"
                    terms = [(negative, [])]
                else:
                    terms.append((negative, []))
            else:
                terms[-1][1].append(item)
        values = [self.hadamard(term) for _, term in terms]
        signed = [FIELD.neg(v) if minus else v for (minus, _), v in zip(terms, values, strict=True)]
        total = signed[0]
        for value in signed[1:]:
            total = FIELD.add(total, value)
        return total

    def hadamard(self, items: list[Box]) -> Any:
        parts: list[list[Box]] = [[]]
        for item in items:
            if isinstance(item, Op) and item.text == "⊙":
                parts.append([])
            else:
                parts[-1].append(item)
        values = [self.chain(part, alone=len(parts) == 1) for part in parts]
        result = values[0]
        for value in values[1:]:
            assert result.shape == value.shape or 1 in (result.size, value.size)
            result = FIELD.mul(result, value)
        return result

    def chain(self, items: list[Box], *, alone: bool) -> Any:
        values: list[Any] = []
        for place, item in enumerate(items):
            following = items[place + 1] if place + 1 < len(items) else None
            if isinstance(item, Op):
                assert item.kind == "invisible" or item.text == "·"
            elif isinstance(item, Script) and item.sub is None and _is_function(item.base):
                assert isinstance(following, Fence)
                applied = self.called(item.base.text, self.read(following.body))  # type: ignore[attr-defined]
                values.append(self.raised(applied, item.sup))
            elif not (place and _powered(items[place - 1])):
                assert not isinstance(item, Big) or len(items) == 1, "a Σ inside a product"
                values.append(self.read(item))
        result = values[0]
        for value in values[1:]:
            numbers = result.size == 1 or value.size == 1
            assert numbers or alone, "a matrix product beside ⊙ without parentheses"
            result = FIELD.mul(result, value) if numbers else FIELD.matmul(result, value)
        return result


def _is_function(item: Box) -> bool:
    return isinstance(item, Ident) and item.text in ("tanh", "σ")


def _powered(item: Box) -> bool:
    return isinstance(item, Script) and item.sub is None and _is_function(item.base)


def _environment() -> Environment:
    values = {key: random_value(key, shape) for key, shape in SHAPES.items()}

    def value_at(label: str, time: int) -> Any:
        return random_value(f"{label}@{time}", SHAPES[label])

    return Environment(values, value_at, {"t": 3, "T": 4}, {"n": SIZE})


def _leaves() -> dict[str, st.SearchStrategy[Node]]:
    y, v, times = signal("y"), signal("g", n), st.sampled_from([t, t - 1, T, as_affine(0)])
    numbers = st.sampled_from([const(2), const(-3), const(Fraction(1, 2)), const(Fraction(-5, 3))])
    return {
        "scalar": st.one_of(
            numbers,
            st.sampled_from([param("a"), param("d")]),
            times.map(y.at),
            times.map(signal("z").at),
        ),
        "vector": st.one_of(st.just(param("v", n)), times.map(v.at), times.map(signal("r", n).at)),
        "matrix": st.sampled_from([param("A", n, n), param("B", n, n)]),
    }


def _denominators(kind: str) -> list[Node]:
    """What is not zero modulo p, so that dividing by it is no accident."""
    if kind == "vector":
        return [param("v", n), 2 * signal("r", n), param("a") * param("v", n)]
    return [param("a"), param("a") + param("d"), -3 * param("a"), total(param("v", n))]


@st.composite
def formulas(draw: st.DrawFn, kind: str = "", depth: int = 4) -> Node:
    """A random formula of one kind: scalar, vector or matrix."""
    kind = kind or draw(st.sampled_from(["scalar", "vector", "matrix"]))
    if depth == 0:
        return draw(_leaves()[kind])

    def one(of: str = kind) -> Node:
        return draw(formulas(of, draw(st.integers(0, depth - 1))))

    choices: list[Any] = [
        lambda: one() + one(),
        lambda: one() - one(),
        lambda: OPERATORS["add"](one(), one(), one()),
        lambda: -one(),
        lambda: one() * one(),
        lambda: one("scalar") * one(),
        lambda: one() * one("scalar"),
        lambda: one() / draw(st.sampled_from(_denominators("scalar"))),
        lambda: (
            const(draw(st.sampled_from([Fraction(1), Fraction(-2), HALF]))) / param("d") * one()
        ),
        lambda: one() ** draw(st.sampled_from([2, 3])),
        lambda: _folded(draw(st.sampled_from(["sum", "prod"])), one(), one()),
    ]
    if kind == "matrix":
        choices += [
            lambda: one() @ one(),
            lambda: OPERATORS["transpose"](one()),
            lambda: one("vector") @ one("vector").T,
            lambda: diag(one("vector")),
        ]
    else:
        choices += [lambda: tanh(one()), lambda: sigma(one()) ** 2]
    if kind == "vector":
        choices += [
            lambda: one("matrix") @ one(),
            lambda: one("matrix").T @ one(),
            lambda: one() / draw(st.sampled_from(_denominators("vector"))),
            lambda: one("scalar") / draw(st.sampled_from(_denominators("vector"))),
        ]
    if kind == "scalar":
        choices += [lambda: one("vector").T @ one("vector"), lambda: total(one("vector"))]
    made: Node = draw(st.sampled_from(choices))()
    return made


def _folded(kind: str, body: Node, other: Node) -> Node:
    """A Σ or Π whose body depends on its index through one signal."""
    y = signal("y")
    inner = y.at(k) * body if kind == "sum" else body * y.at(k) + other
    return nodes.fold(kind, "k", 1, T - 1, inner)


@settings(max_examples=400, deadline=None)
@given(formulas())
def test_what_is_printed_reads_back_as_the_same_value(node: Node) -> None:
    """No parenthesis is lost, no sign, no order of a matrix product."""
    assume(not any(isinstance(item, Full | nodes.Misfit) for item in walk(node)))
    expected = evaluate(node, FIELD, _environment())

    assert FIELD.equal(Reader().read(box(node)), expected), unicode_text(box(node))


@settings(max_examples=100, deadline=None)
@given(formulas("scalar"))
def test_both_readings_of_scalar_formulas_print_alike(node: Node) -> None:
    assume(all(item.is_scalar for item in walk(node)))

    assert box(node, reading="scalar") == box(node)


def test_the_same_formula_prints_to_the_same_box() -> None:
    first = sum_over("k", 1, T, prod_over("j", k + 1, T, w * o.at(j)))
    again = sum_over("i", 1, T, prod_over("q", symbol("i") + 1, T, w * o.at(symbol("q"))))

    assert box(first) == box(again)
