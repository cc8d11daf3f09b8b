"""Texts that are no cells: each gives one error with its place and the repair, no traceback."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from symgrad.cell import Cell
from symgrad.cli import main
from symgrad.errors import DeclarationError
from symgrad.parse import ParseError, read_cell
from symgrad.parse.grammar import Syntax

#: (syntax, text, line:column, what the message says)
MALFORMED: list[tuple[Syntax, str, str, str]] = [
    (
        "text",
        "h_t = tanh(W x_t",
        "1:11",
        "this ( is not closed: add )",
    ),
    (
        "text",
        "h_t = tanh W x_t)",
        "1:17",
        "this ) closes nothing: remove it, or open it before",
    ),
    (
        "text",
        "h_t = [h_{t-1}, x_t)",
        "1:7",
        "this [ is not closed: add ] before the ) in line 1",
    ),
    (
        "text",
        "h_t = ",
        "1:5",
        "the formula breaks off: expected a name, a number or an opening parenthesis",
    ),
    (
        "text",
        "= h_t",
        "1:1",
        "unexpected '=': expected a name, a number or an opening parenthesis; one equation a",
    ),
    (
        "text",
        "h_t",
        "1:1",
        "this is no equation: expected an equals sign, h_t = …",
    ),
    (
        "text",
        "h_t = a + * b",
        "1:11",
        "unexpected '*': expected a name, a number or an opening parenthesis",
    ),
    (
        "text",
        "h_t = a b +",
        "1:11",
        "the formula breaks off: expected a name, a number or an opening parenthesis",
    ),
    (
        "text",
        "h_t = h_{t-1} = 2",
        "1:17",
        "several relations in one line: write one equation h_t = … a line",
    ),
    (
        "text",
        "h_t = 3 ? 4",
        "1:9",
        "unexpected '?': expected an operator, a factor, or the end of the line",
    ),
    (
        "text",
        "h_t = h_{t-1}'",
        "1:14",
        "a prime is not read here: write .T for the transpose, h_prime for a name",
    ),
    (
        "text",
        "h_t = |h_{t-1}",
        "1:7",
        "this | is not closed: add |, or write abs(x)",
    ),
    (
        "text",
        "h_t = {h_{t-1}}",
        "1:15",
        "unexpected '}': expected the end of the line",
    ),
    (
        "text",
        r"h_t = \tanh(x_t)",
        "1:7",
        "a backslash only continues a line here; LaTeX equations stand in a .tex file",
    ),
    (
        "text",
        "h_t = a h_{t-1} ! 3",
        "1:17",
        "unexpected '!': there is no factorial here",
    ),
    (
        "text",
        "h_t == h_{t-1}",
        "1:6",
        "unexpected '=': expected a name, a number or an opening parenthesis; one equation a",
    ),
    (
        "text",
        "f_t, i_t = sigma(W x_t)",
        "1:1",
        "this has no equals sign: one equation for each signal, h_t = …, or a declaration, W :",
    ),
    (
        "text",
        "h_t = h_{t-1}^2^3",
        "1:16",
        "a second exponent; write one, or put parentheses around the power",
    ),
    (
        "text",
        "h_t = 1/2 h_{t-1}",
        "1:9",
        "a / b c can be (a / b) c and a / (b c): put parentheses around one of them",
    ),
    (
        "text",
        "h_t = h_{t-1} 2",
        "1:15",
        "the number 2 follows another factor: write * between, or put it first",
    ),
    (
        "text",
        "",
        "",
        "no equation; write one, such as h_t = tanh(W x_t + U h_{t-1})",
    ),
    (
        "text",
        "# nothing",
        "",
        "no equation; write one, such as h_t = tanh(W x_t + U h_{t-1})",
    ),
    ("text", "\0", "1:1", "a character that is no text; remove it"),
    (
        "text",
        "h_t = " + "(" * 300 + "h_{t-1}" + ")" * 300,
        "1:107",
        "brackets nest deeper than 100 levels; give a part a name with an equation of its own",
    ),
    (
        "text",
        "h_t = " + "- " * 300 + "h_{t-1}",
        "1:9",
        "unexpected '-': expected a name, a number or an opening parenthesis; put parentheses",
    ),
    (
        "text",
        "h_t = h_{t-1}^100000",
        "1:15",
        "exponents go up to 64",
    ),
    (
        "text",
        "h_t = 9^64^64",
        "1:11",
        "a second exponent; write one, or put parentheses around the power",
    ),
    (
        "text",
        "h_t = ((9^64)^64)^64 * h_{t-1}",
        "1:9",
        "this number is too long; use a parameter",
    ),
    (
        "text",
        "h_t = 1e500 h_{t-1}",
        "1:7",
        "a number of more than 40 digits; give it a name, as a parameter",
    ),
    (
        "text",
        "h_t = h_{t-1}/0",
        "1:7",
        "division by zero; change the denominator",
    ),
    (
        "text",
        "h_t = 0^-1 h_{t-1}",
        "1:7",
        "division by zero; change the denominator",
    ),
    (
        "text",
        "h_t = tanh(W x_t + U h_{t-2})",
        "1:22",
        "h at t-2: a step knows t and t-1 only; carry the value in a state of its own: add",
    ),
    (
        "text",
        "h_t = tanh(W x_{t-1} + U h_{t-1})",
        "1:14",
        "x has no equation, so it is an input, and an input is known at t only: add the",
    ),
    (
        "text",
        "h_t = h_{t+1}",
        "1:7",
        "h at t+1 lies ahead: a step knows t and t-1 only; shift the equation back in time",
    ),
    (
        "text",
        "h_{t-1} = tanh(x_t)",
        "1:1",
        "the left side is h at t - 1: shift the equation in time so that it defines the value",
    ),
    (
        "text",
        "h_{t+1} = tanh(h_t)",
        "1:1",
        "the left side is h at t + 1: shift the equation in time so that it defines the value",
    ),
    (
        "text",
        "h_t = tanh(W x + U h_{t-1})",
        "1:14",
        "x has no time and no equation, so it is a parameter, but it stands where a signal is",
    ),
    (
        "text",
        "h_t = sigmod(h_{t-1})",
        "1:7",
        "sigmod is no function here: did you mean sigmoid? a parameter called sigmod needs a",
    ),
    (
        "text",
        "h_t = foo(h_{t-1})",
        "1:7",
        "foo is no function here: a parameter called foo needs a declaration to be multiplied,",
    ),
    (
        "text",
        "h_t = tanh(h_{t-1}, x_t)",
        "1:7",
        "tanh takes 1 argument, found 2",
    ),
    (
        "text",
        "h_t = max(h_{t-1})",
        "1:7",
        "max takes 2 arguments, found 1",
    ),
    (
        "text",
        "h_t = h_{2t}",
        "1:7",
        "h at the time 2t: times are t and t-1",
    ),
    (
        "text",
        "h_t = h_{a+b}",
        "1:10",
        "this subscript is neither a time, such as t-1, nor a label, such as xh; a time is t",
    ),
    (
        "text",
        "h_t = tanh(W x_t + U h_{t-1})\nh_t = x_t",
        "2:1",
        "h has two equations, the first in line 1: give the second signal another name",
    ),
    (
        "text",
        "h_t = a_t\na_t = h_t",
        "1:1",
        "the equations go in a circle within one step: h_t needs a_t needs h_t; use the value",
    ),
    (
        "text",
        "h_t = tanh(x_t)",
        "1:1",
        "cell 'cell', equation h_t = tanh(x_t): there is no state, because no equation uses",
    ),
    (
        "text",
        "h_t = t h_{t-1}",
        "1:7",
        "t is the time; it stands in subscripts only",
    ),
    (
        "text",
        "h_t = W x_t + x h_{t-1}",
        "1:15",
        "x stands without a time here and with one in line 1: write x_t, or give one of the",
    ),
    (
        "text",
        "h_0 = 0\nh_t = tanh(W x_t + U h_{t-1})\n",
        "1:1",
        "h_0 is free in symgrad: remove this equation, and give the value where numbers are",
    ),
    (
        "text",
        "h_t = H h_{t-1} + h_{t-1}",
        "1:1",
        "cell 'cell', equation h_t = H @ h_{t-1} + h_{t-1}: the names H and h coincide in",
    ),
    (
        "text",
        "h_t = tanh h_{t-1} x_t",
        "1:7",
        "tanh without parentheses, and several factors after it: write tanh(…) around what it",
    ),
    (
        "text",
        "h_t = tanh",
        "1:7",
        "the function tanh has no argument; write tanh(…)",
    ),
    (
        "text",
        "W = 3\nh_t = W",
        "1:1",
        "cell 'cell', equation W_t = 3: there is no state, because no equation uses the value",
    ),
    (
        "text",
        "h_t = f_t h_{t-1}\nf_t = sigma(W x_t)",
        "1:7",
        "f_t and h_{t-1} are both columns, and a product of two columns can be two things:",
    ),
    (
        "text",
        "h_t : n\nx_t : m\nh_t = h_{t-1} + x_t",
        "3:7",
        "+ needs equal shapes, but h_{t-1} is n and x_t is m; make the shapes equal with a",
    ),
    (
        "text",
        "W : n x m\nh_t : n\nh_t = W h_{t-1}",
        "3:7",
        "W is n × m and h_{t-1} is n: the inner sizes m and n differ",
    ),
    (
        "text",
        "h_t = [h_{t-1}, x_t]",
        "1:7",
        "h is n but the right side is m + n; change the formula",
    ),
    (
        "text",
        "h_t = W * h_{t-1}",
        "1:7",
        "the shape of W does not follow from the equations: declare it with a line such as one",
    ),
    (
        "text",
        "h_t = max(h_{t-1}, a)",
        "1:20",
        "the shape of a does not follow from the equations: declare it with a line such as one",
    ),
    (
        "text",
        "W : n x m x p\nh_t = tanh(W x_t + U h_{t-1})\n",
        "1:5",
        "3 sizes; give at most two, rows and columns",
    ),
    (
        "text",
        "W : n - m\nh_t = tanh(W x_t + U h_{t-1})\n",
        "1:5",
        "a size may not be a difference",
    ),
    (
        "text",
        "V : n x m\nh_t = tanh(W x_t + U h_{t-1})\n",
        "1:1",
        "V is declared, but no equation uses it: remove the declaration, or use the name",
    ),
    (
        "text",
        "W : n x m\nW : n x n\nh_t = tanh(W x_t + U h_{t-1})\n",
        "2:1",
        "W is declared twice, first in line 1; remove one",
    ),
    (
        "text",
        "W : 0 x n\nh_t = tanh(W x_t + U h_{t-1})\n",
        "1:5",
        "expected a size: a letter, a positive number, or a sum of these",
    ),
    (
        "text",
        "W : T x n\nh_t = tanh(W x_t + U h_{t-1})\n",
        "1:5",
        "'T' cannot name a size: T is the horizon, t, k and j are times, L is the objective;",
    ),
    (
        "text",
        "h_t = outer(h_{t-1}, x_t)",
        "1:7",
        "the right side is a matrix, ? × ?: no signal is one; make it a column",
    ),
    (
        "text",
        "h_t : 3\nh_t = sum(h_{t-1})",
        "2:7",
        "h is 3 but the right side is scalar; declare h_t : scalar, or change the formula",
    ),
    (
        "text",
        "h_t = x_t W + U h_{t-1}",
        "1:15",
        "x_t W has its matrix right of the vector, and U h_{t-1} (line 1 and here) left of it:",
    ),
    (
        "text",
        "a scalar\nh_t = a^T h_{t-1}",
        "2:7",
        "a is a scalar, so ^T is no transpose, and the horizon T is no exponent of a cell:",
    ),
    (
        "text",
        "h_t = softmax(W) + h_{t-1}\nW : n x n",
        "1:7",
        "softmax needs a column, but W is n × n",
    ),
    (
        "text",
        "h_t = W^-1 h_{t-1}",
        "1:7",
        "inverses of matrices are not supported",
    ),
    (
        "text",
        "output: q\nh_t = tanh(W x_t + U h_{t-1})\n",
        "1:1",
        "the output q has no equation: choose one of h",
    ),
    (
        "text",
        "inputs: q\nh_t = tanh(W x_t + U h_{t-1})\n",
        "1:1",
        "the header inputs must list each input once; the inputs are x",
    ),
    (
        "text",
        "name: a\nname: b\nh_t = tanh(W x_t + U h_{t-1})\n",
        "2:1",
        "the header name stands twice; remove one",
    ),
    (
        "text",
        "name: a/b\nh_t = tanh(W x_t + U h_{t-1})\n",
        "2:1",
        "'a/b' cannot name a cell: use a short word such as 'gru'",
    ),
    (
        "text",
        'title: "a"b"\nh_t = tanh(W x_t + U h_{t-1})\n',
        "1:1",
        "the value of title is no string: escape quotation marks inside, or leave out those",
    ),
    (
        "text",
        "reading: odd\nh_t = tanh(W x_t + U h_{t-1})\n",
        "1:1",
        "the reading 'odd' is neither vector nor scalar",
    ),
    (
        "latex",
        r"h_t = h_{t-1} + 1 - 1 \\ = h_{t-1}",
        "1:28",
        "several relations in one line",
    ),
    (
        "latex",
        "h_t = tanh(h_{t-1})",
        "1:7",
        r"tanh( in LaTeX is a product of letters: write \tanh(",
    ),
    (
        "latex",
        "h_t = softmax (h_{t-1})",
        "1:7",
        r"write \operatorname{softmax}(",
    ),
    (
        "text",
        "h_t = tanh(Wx_t + Uh_{t-1})",
        "1:19",
        "Uh is one name here: write U h_{t-1} with a blank",
    ),
    (
        "latex",
        r"h_t = \sigmod(W x_t + h_{t-1})",
        "1:7",
        r"\sigmod is not known here: did you mean \sigma?",
    ),
    (
        "latex",
        r"\begin{align} h_t = h_{t-1}",
        "1:1",
        r"this environment is not closed: add \end{align}",
    ),
    (
        "latex",
        r"\begin{align} h_t = h_{t-1} \end{equation}",
        "1:1",
        r"this environment is not closed: add \end{align} before \end{equation} in line 1",
    ),
    (
        "latex",
        r"h_t = \left( h_{t-1}",
        "1:7",
        r"\left( has no \right; add it",
    ),
    (
        "latex",
        r"h_t = h_{t-1} \right)",
        "1:15",
        r"this \right has no \left; remove it",
    ),
    (
        "latex",
        "h_t = {h_{t-1}",
        "1:7",
        "this { is not closed: add }",
    ),
    (
        "latex",
        "h_t = h_{t-1}}",
        "1:14",
        "this } closes nothing: remove it, or open it before",
    ),
    (
        "latex",
        r"\begin{cases} h_t = 1 \end{cases}",
        "1:1",
        "cases: a cell has one formula for each signal; write relu, max or abs where one of",
    ),
    (
        "latex",
        r"h_t = \begin{cases} 1 & x_t > 0 \\ 0 & x_t < 0 \end{cases}",
        "1:7",
        "cases: a cell has one formula for each signal; write relu, max or abs where one of",
    ),
    (
        "latex",
        "$h_t = h_{t-1}",
        "1:1",
        "the mathematics that begins here is not closed",
    ),
    (
        "latex",
        "prose with h_t = 3 and $h_t = h_{t-1}$",
        "1:13",
        "'_' stands outside mathematics: put the formula between dollar signs or in an",
    ),
    (
        "latex",
        r"h_t = \sum_{j} W_{ij} h_{t-1}",
        "1:7",
        "an equation of a cell is about one step: write products of matrices and vectors in",
    ),
    (
        "latex",
        r"h_t = \input{/etc/passwd}",
        "1:7",
        r"\input: macros are not expanded here; write it out",
    ),
    (
        "latex",
        r"\newcommand{\W}{W} h_t = \W h_{t-1}",
        "1:1",
        r"\newcommand: macros are not expanded here; write it out",
    ),
    (
        "latex",
        r"h_t = W x_t + \mathbf{W} h_{t-1}",
        "1:15",
        "W is bold here and plain in line 1: write it in one way, or give one of the two",
    ),
    (
        "latex",
        r"h_t = \tanh^2(h_{t-1}) ^ 2 ^ 3",
        "1:24",
        "a second exponent; write one, or put parentheses around the power",
    ),
    (
        "latex",
        "h_t = W * h_{t-1}",
        "1:7",
        "the shape of W does not follow from the equations: declare it with a line such as one",
    ),
    (
        "latex",
        r"h_t = f_t \cdot h_{t-1} \\ f_t = \sigma(W x_t)",
        "1:7",
        "f_t and h_{t-1} are both columns, and a product of two columns can be two things:",
    ),
    (
        "latex",
        "h_t = h_{t-1}^{1/2}",
        "1:16",
        "this exponent is no whole number; write sqrt(x), exp(x) or a name for the power",
    ),
    (
        "latex",
        "h_t = h_{t-1}^{10}^{2}",
        "1:19",
        "a second exponent; write one, or put parentheses around the power",
    ),
    (
        "latex",
        "h_t = h_{t-1}^10",
        "1:15",
        "TeX takes one digit without braces: write {10}",
    ),
    (
        "latex",
        "h_t = a, b",
        "1:10",
        "this is no equation: expected an equals sign, h_t = …",
    ),
    (
        "latex",
        r"h_t = W x_t \ldots",
        "1:13",
        r"\ldots: write all terms; nothing is guessed",
    ),
    (
        "latex",
        r"\hat{a b} = 1",
        "1:1",
        r"\hat stands over one letter",
    ),
    (
        "latex",
        r"h_t = \frac{1}{h_{t-1}",
        "1:15",
        "this { is not closed: add }",
    ),
    (
        "latex",
        r"h_t = \operatorname{LN}(h_{t-1})",
        "1:7",
        "LN is no function here: write it out: a_t = W x_t, h_t = (a_t - mean(a_t)) /",
    ),
    (
        "latex",
        r"h_t = \text{Linear}_{d}(x_t) + h_{t-1}",
        "1:7",
        "Linear_d is no function here: write a layer out with parameters of its own",
    ),
    (
        "latex",
        r"h_t = \hat{\mathbf{W}} * h_{t-1}",
        "1:7",
        r"the shape of \hat{\mathbf{W}} does not follow from the equations",
    ),
    (
        "latex",
        r"h_t = \mathbf{in}_t + h_{t-1}",
        "1:18",
        "a subscript stands at a name only",
    ),
    (
        "latex",
        r"h_t = \sqrt[3]{h_{t-1}}",
        "1:13",
        "only square roots are read; write a power",
    ),
    (
        "latex",
        r"h_t &= \begin{pmatrix} h_{t-1} \\ x_t & 1 \end{pmatrix}",
        "1:8",
        "the rows of this matrix differ in length",
    ),
    (
        "latex",
        r"\begin{foo} h_t = h_{t-1} \end{foo}",
        "1:1",
        "the environment foo is not known here; use align or equation",
    ),
    (
        "latex",
        "h_t = |h_{t-1}",
        "1:7",
        "this | is not closed: add |",
    ),
    (
        "latex",
        "y_{t,i} = W_{i,t-2} h_{t-1}",
        "1:11",
        "W_i has no equation, so it is an input, and an input is known at t only: add the",
    ),
    (
        "latex",
        "h_t = (W h)_t",
        "1:12",
        "a subscript stands at a name only: entries of vectors have no notation here",
    ),
    (
        "latex",
        r"h_t = \sin(h_{t-1})",
        "1:7",
        "sin is not supported; it has no derivative here yet",
    ),
    (
        "latex",
        r"h_t = h_{t-1} \\ c_t = \phi",
        "1:24",
        r"the shape of \phi does not follow from the equations: declare it with a line such as",
    ),
    (
        "latex",
        r"W \in \mathbb{Z}^n \\ h_t = W h_{t-1}",
        "1:7",
        r"expected a shape: R^n, R^{n x m} or scalar (in LaTeX \mathbb{R}^{n \times m})",
    ),
]

_BAD_LOOKS = re.compile(r"\b(LPAR|RPAR|LBRACE|NAME|NUMBER|\$END|Token|Traceback|None|\?\d)\b")


@pytest.mark.parametrize(("syntax", "text", "place", "says"), MALFORMED)
def test_a_malformed_text_gives_one_located_error(
    syntax: Syntax, text: str, place: str, says: str
) -> None:
    with pytest.raises((ParseError, DeclarationError)) as caught:
        read_cell(text, syntax, file="mine")
    message = str(caught.value)

    assert says in message
    assert message.startswith(f"mine:{place}: " if place else "mine: ")
    assert _BAD_LOOKS.search(message.partition("\n    ")[0]) is None
    assert caught.value.exit_code == 2


def test_there_are_enough_of_them() -> None:
    assert len(MALFORMED) >= 60


def test_the_caret_stands_under_the_place() -> None:
    with pytest.raises(ParseError) as caught:
        read_cell("\n  h_t = tanh(W x_t + U h_{t-1}\n", file="mine")

    assert str(caught.value).splitlines() == [
        "mine:2:13: this ( is not closed: add )",
        "      h_t = tanh(W x_t + U h_{t-1}",
        "                ^",
    ]


def test_a_shape_clash_tells_where_the_shapes_come_from() -> None:
    with pytest.raises(ParseError) as caught:
        read_cell("c_t : n\nx_t : m\nc_t = c_{t-1} ⊙ sigma(W c_{t-1}) + W x_t\n")
    message = str(caught.value)

    assert "W is n × n and x_t is m: the inner sizes n and m differ" in message
    assert "W is n × n: a capital letter left of a column in line 3" in message
    assert "x is m: declared in line 2" in message


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ParseError, match="70000 characters"):
        read_cell("x" * 70_000)


def refused(text: str, syntax: Syntax) -> str:
    """The message that refuses the text, empty for a cell; anything else is raised."""
    try:
        assert isinstance(read_cell(text, syntax), Cell)
    except (ParseError, DeclarationError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("opening", ["(", "[x_t, ", "\\tanh(", "-(", "W (", "1 - (", "{"])
@pytest.mark.parametrize("syntax", ["text", "latex"])
@pytest.mark.parametrize("depth", [12, 90, 5_000])
def test_deep_nesting_ends_in_an_answer(opening: str, syntax: Syntax, depth: int) -> None:
    closing = "".join({"(": ")", "[": "]", "{": "}"}.get(c, "") for c in opening)
    text = f"h_t = {opening * depth}h_{{t-1}}{closing * depth}"
    text = text if syntax == "latex" else text.replace("\\", "")
    error = refused(text, syntax)

    # Concatenation grows, and braces do not group in plain text: no cell, but an answer.
    assert not error or depth > 12 or opening in ("[x_t, ", "{")


@pytest.mark.parametrize("piece", ["a^", "- ", "+a", "*a", " a", "h_{t-1}", "{", "$", "&", "\\\\"])
@pytest.mark.parametrize("syntax", ["text", "latex"])
def test_long_chains_end_in_an_error(piece: str, syntax: Syntax) -> None:
    with pytest.raises((ParseError, DeclarationError)):
        read_cell("h_t = " + piece * 5_000, syntax)


def test_the_command_ends_with_2_and_one_message(
    tmp_path: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.cell"  # type: ignore[operator]
    path.write_text("h_t = tanh(W x_t + U h_{t-2})\n", encoding="utf-8")

    assert main(["cells", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"symgrad: error: {path}:1:22: h at t-2: a step knows t and t-1 only")
    assert "Traceback" not in error


# ---- whatever is typed -------------------------------------------------------------------

_PIECES = [
    "h_t",
    "x_t",
    "W",
    "U",
    "alpha",
    "\\alpha",
    "b",
    "h_{t-1}",
    "h[t-1]",
    "h(t)",
    "x^{(t)}",
    "c'_t",
    "\\tilde{c}_t",
    "=",
    ":=",
    "+",
    "-",
    "*",
    "/",
    "@",
    "^",
    "_",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "_{",
    "^{",
    ",",
    ";",
    ".",
    ":",
    "\\\\",
    "&",
    "\\odot",
    "\\cdot",
    "\\top",
    "^T",
    ".T",
    ".prev",
    "\\tanh",
    "\\sigma(",
    "tanh(",
    "sigma(",
    "max(",
    "\\frac",
    "\\sqrt",
    "\\left(",
    "\\right)",
    "|",
    "\\|",
    "\\begin{align}",
    "\\end{align}",
    "\\begin{pmatrix}",
    "\\end{pmatrix}",
    "$",
    "$$",
    "\\[",
    "\\]",
    "\\quad",
    "\\text{a}",
    "\\mathbf{W}",
    "\\mathbb{R}^{n}",
    "\\in",
    "in",
    "R^n",
    ":",
    "scalar",
    "n",
    "x",
    "m",
    "0",
    "1",
    "2",
    "1/2",
    "0.5",
    "e",
    "T",
    "t",
    "I",
    "#",
    "%",
    "name:",
    "inputs:",
    "𝟏",
    "⊙",
    "λ",
    "ŷ",
    "\n",
]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(_PIECES), max_size=24).map(" ".join),
    st.sampled_from(["text", "latex"]),
)
@example("h_tta = tanh", "text")
def test_nothing_but_a_cell_or_an_error_comes_out(text: str, syntax: Syntax) -> None:
    refused("h_t = h_{t-1} + " + text, syntax)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["text", "latex"]))
def test_any_characters_at_all(text: str, syntax: Syntax) -> None:
    refused(text, syntax)
