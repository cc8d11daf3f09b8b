"""Cells typed as text: the ways to write one thing, the rules for shapes, headers, files."""

from __future__ import annotations

import doctest
import re
from fractions import Fraction
from pathlib import Path

import pytest

from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.cli import main
from symgrad.errors import UsageError
from symgrad.lang.nodes import Node
from symgrad.ops import (
    absolute,
    activation,
    concat,
    diag,
    dot,
    exp,
    log,
    logsumexp,
    maximum,
    mean,
    minimum,
    norm,
    outer,
    relu,
    rows,
    sigma,
    softmax,
    softplus,
    sqrt,
    step,
    tanh,
    total,
    variance,
)
from symgrad.parse import read_cell, read_cell_file

n, m, p = sizes("n m p")
h, c, x = signal("h", n), signal("c", n), input_signal("x", m)
W, U, b = param("W", n, m), param("U", n, n), param("b", n)
alpha, w, v = param("alpha"), param("w"), param("v", n)
HALF = Fraction(1, 2)


def value_of(right: str, declarations: str = "") -> Node:
    """The right-hand side of h_t, in a cell of its own."""
    return read_cell(f"{declarations}\nh_t = {right}\n").equations[-1].value


def test_the_example_of_the_guide() -> None:
    found = read_cell(
        "# a leaky RNN\n"
        "name: leaky\n"
        "title: Leaky RNN\n"
        "h_t = (1 - alpha) * h_{t-1} + alpha * tanh(W @ x_t + U @ h_{t-1} + b)  # the state\n"
        "y_t = V h_t + c\n"
    )
    y = signal("y", p)

    assert found == Cell(
        "leaky",
        [
            (h, (1 - alpha) * h.prev + alpha * tanh(W @ x + U @ h.prev + b)),
            (y, param("V", p, n) @ h + param("c", p)),
        ],
        inputs=[x],
        title="Leaky RNN",
    )


@pytest.mark.parametrize(
    "written",
    [
        "tanh(W @ x_t + U @ h_{t-1} + b)",
        "tanh(W x_t + U h_{t-1} + b)",
        "tanh(W·x_t + U·h_{t-1} + b)",
        "tanh(W x[t] + U h[t-1] + b)",
        "tanh(W x(t) + U h(t-1) + b)",
        "tanh(W x_{t} + U h.prev + b)",
        "tanh(W @ x_t + U @ h_t.prev + b)",
        "tanh (W x_t\n   + U h_{t-1}\n   + b)",
        "tanh(W x_t + U h_{t-1} + b) \\\n",
        "tanh(  W  (x_t) + (U) h_{t-1} + b )",
    ],
)
def test_one_thing_written_in_many_ways(written: str) -> None:
    assert value_of(written) is tanh(W @ x + U @ h.prev + b)


@pytest.mark.parametrize("sign", [".*", "⊙", "∘", "⊗"])
def test_elementwise_products(sign: str) -> None:
    assert value_of(f"tanh(W x_t + u {sign} h_{{t-1}})") is tanh(W @ x + param("u", n) * h.prev)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("sigma(h_{t-1})", sigma(h.prev)),
        ("sigmoid(h_{t-1})", sigma(h.prev)),
        ("σ(h_{t-1})", sigma(h.prev)),
        ("exp(-h_{t-1})", exp(-h.prev)),
        ("e^{-h_{t-1}}", exp(-h.prev)),
        ("log(h_{t-1})", log(h.prev)),
        ("ln(h_{t-1})", log(h.prev)),
        ("sqrt(h_{t-1})", sqrt(h.prev)),
        ("softplus(h_{t-1})", softplus(h.prev)),
        ("relu(h_{t-1})", relu(h.prev)),
        ("ReLU(h_{t-1})", relu(h.prev)),
        ("relu_0(h_{t-1})", relu(h.prev, 0)),
        ("relu_half(h_{t-1})", relu(h.prev, HALF)),
        ("relu_{1/2}(h_{t-1})", relu(h.prev, HALF)),
        ("relu_1(h_{t-1})", relu(h.prev, 1)),
        ("step_0(h_{t-1})", step(h.prev, 0)),
        ("max(h_{t-1}, 0)", maximum(h.prev, 0)),
        ("max_half(h_{t-1}, 0)", maximum(h.prev, 0, HALF)),
        ("min(h_{t-1}, 1)", minimum(h.prev, 1)),
        ("abs(h_{t-1})", absolute(h.prev)),
        ("|h_{t-1}|", absolute(h.prev)),
        ("|h_{t-1}|_0", absolute(h.prev, 0)),
        ("abs_0(h_{t-1})", absolute(h.prev, 0)),
        ("softmax(h_{t-1})", softmax(h.prev)),
        ("logsumexp(h_{t-1}) h_{t-1}", logsumexp(h.prev) * h.prev),
        ("sum(h_{t-1}) h_{t-1}", total(h.prev) * h.prev),
        ("mean(h_{t-1}) h_{t-1}", mean(h.prev) * h.prev),
        ("var(h_{t-1}) h_{t-1}", variance(h.prev) * h.prev),
        ("norm(h_{t-1}) h_{t-1}", norm(h.prev) * h.prev),
        ("dot(v, h_{t-1}) h_{t-1}", dot(v, h.prev) * h.prev),
        ("(v^T h_{t-1}) h_{t-1}", dot(v, h.prev) * h.prev),
        ("(v.T @ h_{t-1}) h_{t-1}", dot(v, h.prev) * h.prev),
        ("outer(v, h_{t-1}) h_{t-1}", outer(v, h.prev) @ h.prev),
        ("diag(v) U h_{t-1}", diag(v) @ (U @ h.prev)),
        ("U^T h_{t-1}", U.T @ h.prev),
        ("U^⊤ h_{t-1}", U.T @ h.prev),
        ("U.T @ h_{t-1}", U.T @ h.prev),
        ("U^2 h_{t-1}", U**2 @ h.prev),
        ("h_{t-1}^2", h.prev**2),
        ("h_{t-1}**2", h.prev**2),
        ("h_{t-1}²", h.prev**2),
        ("h_{t-1}^-1", h.prev ** (-1)),
        ("tanh(h_{t-1})^2", tanh(h.prev) ** 2),
        ("tanh^2(h_{t-1})", tanh(h.prev) ** 2),
        ("-h_{t-1}^2", -(h.prev**2)),
        ("h_{t-1} / 2", h.prev / 2),
        ("(1/2) h_{t-1}", HALF * h.prev),
        ("0.5 h_{t-1}", HALF * h.prev),
        ("5e-1 * h_{t-1}", HALF * h.prev),
        ("alpha h_{t-1}", alpha * h.prev),
        ("α h_{t-1}", alpha * h.prev),
        ("α * U @ h_{t-1}", alpha * (U @ h.prev)),
        ("2 * U h_{t-1} * α", 2 * (U @ h.prev) * alpha),
        ("1 - h_{t-1} - h_{t-1}", 1 - h.prev - h.prev),
        ("phi(h_{t-1})", activation("phi")(h.prev)),
        ("φ(h_{t-1})", activation("phi")(h.prev)),
        ("f(h_{t-1})", activation("f")(h.prev)),
        ("Z [h_{t-1}, x_t]", param("Z", n, n + m) @ concat(h.prev, x)),
        ("Z [h_{t-1}; x_t]", param("Z", n, n + m) @ concat(h.prev, x)),
        ("(U + alpha I) h_{t-1}", (U + alpha * U**0) @ h.prev),
        ("w h_{t-1} + b", w * h.prev + b),
    ],
)
def test_functions_and_operators(written: str, expected: Node) -> None:
    assert value_of(written) is expected


@pytest.mark.parametrize(
    ("declarations", "right", "expected"),
    [
        ("w : n\nh_t : n", "w * h_{t-1}", param("w", n) * h.prev),
        ("w in R^n", "w * h_{t-1}", param("w", n) * h.prev),
        ("w : n x n", "w h_{t-1}", param("w", n, n) @ h.prev),
        ("w in R^{n x n}", "w h_{t-1}", param("w", n, n) @ h.prev),
        ("w in R^{n × n}", "w h_{t-1}", param("w", n, n) @ h.prev),
        ("w : (n, n)", "w h_{t-1}", param("w", n, n) @ h.prev),
        ("W scalar", "W h_{t-1}", param("W") * h.prev),
        ("a, W : scalar\nh_t : n", "a W h_{t-1}", param("a") * param("W") * h.prev),
        ("b : scalar", "tanh(U h_{t-1} + b)", tanh(U @ h.prev + param("b"))),
        ("h_t : scalar", "W h_{t-1}", param("W") * signal("h").prev),
        (
            "h_t : 2n\nz : n x 2n",
            "[z h_{t-1}; (z h_{t-1})[0:n]]",
            concat(
                param("z", n, n + n) @ signal("h", n + n).prev,
                rows(param("z", n, n + n) @ signal("h", n + n).prev, 0, n),
            ),
        ),
        ("h_t : 3", "U h_{t-1}", param("U", 3, 3) @ signal("h", 3).prev),
    ],
)
def test_declarations_decide(declarations: str, right: str, expected: Node) -> None:
    assert value_of(right, declarations) is expected


def test_gates_without_a_time_are_signals_at_t() -> None:
    f = signal("f", n)
    found = read_cell("c_t = f * c_{t-1}\nf = sigma(W x_t)\n")

    assert [(e.target, e.value) for e in found.equations] == [
        (f, sigma(W @ x)),
        (c, f * c.prev),
    ]


def test_the_order_of_evaluation_is_kept_where_it_is_one() -> None:
    found = read_cell("b_t = h_{t-1}\na_t = h_{t-1}\nh_t = a_t + b_t\n")
    assert [e.target.name for e in found.equations] == ["b", "a", "h"]


def test_a_letter_defined_as_a_function_is_that_function() -> None:
    found = read_cell("phi = tanh\nh_t = phi(U h_{t-1})\n")
    assert found.equations[0].value is tanh(U @ h.prev)


def test_sizes_never_take_a_name_of_the_cell() -> None:
    found = read_cell("n_t = tanh(W x_t + U n_{t-1})\nm_t = V n_t\n")

    assert found.size_names == ("d", "p", "q")
    assert {"n", "m"}.isdisjoint(found.size_names)


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("k_t = tanh(U k_{t-1})", "k_1"),
        ("h_t = T h_{t-1}", "T_1"),
        ("h_t = delta_x h_{t-1}", "deltax"),
        ("h_t = mu_h h_{t-1}", "muh"),
    ],
)
def test_reserved_names_are_renamed(text: str, renamed: str) -> None:
    found = read_cell(text)
    assert renamed in {node.name for node in (*found.params, *found.signals)}


def test_names_that_differ_stay_different() -> None:
    found = read_cell(
        r"h_t = \tanh(W_{xh} x_t + W_{x,h} x_t + W^{(xh)} x_t + W_{\xi} x_t + W_{xi} x_t "
        r"+ U h_{t-1})",
        "latex",
    )
    assert [node.name for node in found.params] == [
        "W_xh",
        "W_x_h",
        "W_xh_2",
        "W_xi",
        "W_x_i",
        "U",
    ]


def test_headers_choose_inputs_and_output() -> None:
    found = read_cell(
        "name: two\nvariant: with two inputs\nsource: a book, # 3\ninputs: v, x\noutput: h\n"
        "y_t = h_t\nh_t = tanh(U h_{t-1} + x_t + v_t)\n"
    )
    assert (found.name, found.variant, found.source) == ("two", "with two inputs", "a book, # 3")
    assert [s.name for s in found.inputs] == ["v", "x"]
    assert found.output.name == "h"


def test_commands_take_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, tex = tmp_path / "mine.cell", tmp_path / "mine.tex"
    text.write_text("h_t = tanh(W x_t + U h_{t-1})\n", encoding="utf-8")
    tex.write_text("\\[ h_t = \\tanh(W x_t + U h_{t-1}) \\]\n", encoding="utf-8")

    assert main(["cells", str(text)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("mine (mine, vector reading)\nh_t = tanh(W x_t + U h_{t-1})\n")
    assert main(["cells", str(tex)]) == 0
    assert capsys.readouterr().out == shown
    assert main(["derive", str(text), "--of", "h_T", "--wrt", "U", "--scalar"]) == 0
    assert capsys.readouterr().out == (
        "dh_T/du = ∑_{k=1}^T (∏_{j=k+1}^T u (1 - h_j^2)) (1 - h_k^2) h_{k-1}\n"
    )


@pytest.mark.parametrize(
    ("name", "says"), [("none.cell", "no file"), ("odd.txt", "are read from .cell")]
)
def test_files_that_are_none(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        read_cell_file(tmp_path / name)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.cell"
    path.write_bytes(b"h_t = \xe9 h_{t-1}\n")
    with pytest.raises(UsageError, match="save it as UTF-8"):
        read_cell_file(path)


# ---- the guide -----------------------------------------------------------------------------

GUIDE = Path(__file__).parent.parent / "docs" / "cells.md"


def test_the_guide_prints_what_it_says() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    source = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(source, {}, "cells.md", str(GUIDE), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)

    assert len(test.examples) > 12
    assert runner.run(test).failed == 0


def test_the_cell_of_the_guide_is_the_one_declared_in_python() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    (block, *_) = re.findall(r"```\n(# a leaky RNN\n.*?)```", text, re.DOTALL)
    names = "\n".join(re.findall(r"^>>> (.*)$", text, re.MULTILINE)).partition("from symgrad")[0]
    made: dict[str, Cell] = {}
    exec(names, made)
    assert read_cell(block) == made["leaky"]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("W_{xh}", "W_xh"),
        ("U^{(f)}", "U_f"),
        ("W_f^{x}", "W_f_x"),
        ("W_{x,h}", "W_x_h"),
        (r"\tilde{w}", "w_tilde"),
        ("c'", "c_prime"),
        (r"\alpha", "alpha"),
        (r"\varepsilon", "epsilon"),
        (r"\mathcal{W}", "W_cal"),
        ("W_{xi}", "W_x_i"),
        (r"W_{\xi}", "W_xi"),
        ("L", "L_1"),
        (r"\delta_x", "deltax"),
        (r"\mu_h", "muh"),
        (r"\Delta t", "dt"),
        (r"W_{\text{in}}", "W_in"),
        (r"\boldsymbol{\theta}", "theta"),
        (r"W_{x\to h}", "W_x_to_h"),
    ],
)
def test_names_of_the_guide(written: str, name: str) -> None:
    found = read_cell(rf"h_t = \tanh({written} h_{{t-1}}) + V h_{{t-1}}", "latex")
    assert [node.name for node in found.params] == [name, "V"]
