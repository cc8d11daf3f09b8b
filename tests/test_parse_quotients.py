"""Quotients by several factors: grouped they are read, without parentheses they are refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import symgrad as sg
from symgrad.cli.main import main
from symgrad.lang.affine import T
from symgrad.lang.nodes import Node, const, index_value
from symgrad.parse import ParseError, arranged, parse_formula, read_cell
from symgrad.parse.grammar import Syntax
from test_parse_formulas import printed

RNN = sg.CATALOGUE["rnn"].scalar()
h = parse_formula("h_0", RNN)
w, u = (parse_formula(text, RNN) for text in ("w_h", "w_x"))
_T = index_value(T)

#: (text, its value); LaTeX reads the same.
GROUPED: list[tuple[str, Node]] = [
    ("h_0/(2 w_h)", h / (2 * w)),
    ("h_0/(2·w_h)", h / (2 * w)),
    ("h_0/(T w_h)", h / (_T * w)),
    ("1/((1 - w_h)(1 + w_h))", 1 / ((1 - w) * (1 + w))),
    ("h_0/((2 w_h))", h / (2 * w)),
    ("(h_0/(2 w_h)) w_x", h / (2 * w) * u),
    ("h_0/(-2 w_h)", h / -(2 * w)),
    ("h_0/-(2 w_h)", h / -(2 * w)),
    ("h_0/-w_h", h / -w),
    ("h_0/(2 T)", h / index_value(2 * T)),
]


@pytest.mark.parametrize(("text", "value"), GROUPED)
def test_a_denominator_in_parentheses(text: str, value: Node) -> None:
    for syntax in ("text", "latex"):
        found = parse_formula(text, RNN, syntax=syntax)
        assert arranged(found) is arranged(value)


@pytest.mark.parametrize("syntax", ["text", "latex"])
@pytest.mark.parametrize(
    "text",
    [
        "h_0 / 2 w_h",
        "h_0 / 2 · w_h",
        "h_0 / (2 w_h) w_x",
        "h_0 / (w_h)(w_x)",
        "h_0 / 2 T",
        "h_0 / T (T-1)",
        "h_0 / -2 w_h",
        "h_0 / - - 2 w_h",
        "h_0 / -(w_h) w_x",
    ],
)
def test_a_denominator_without_parentheses(text: str, syntax: Syntax) -> None:
    with pytest.raises(ParseError, match=r"a / b c can be \(a / b\) c and a / \(b c\)"):
        parse_formula(text, RNN, syntax=syntax)


@pytest.mark.parametrize("text", ["h_0/{2 w_h}", "h_0/{-2 w_h}", "h_0/-{2 w_h}"])
def test_braces_are_not_seen(text: str) -> None:
    with pytest.raises(ParseError, match="put parentheses around one of them"):
        parse_formula(text, RNN, syntax="latex")


@pytest.mark.parametrize("syntax", ["text", "latex"])
@pytest.mark.parametrize("value", [value for _, value in GROUPED])
def test_a_quotient_is_read_as_it_is_printed(value: Node, syntax: Syntax) -> None:
    text = printed(value, RNN, syntax)
    assert arranged(parse_formula(text, RNN, syntax=syntax)) is arranged(value)


OWN = """\
reading: scalar
beta in R
epsilon in R
m_t = beta m_{t-1} + x_t
v_t = beta v_{t-1} + x_t^2
q_t = m_t / (sqrt(v_t) + epsilon)
"""


@pytest.mark.parametrize(("change", "code"), [("", 0), ("2 sqrt", 1)])
def test_a_derivative_of_a_quotient_is_proved_as_printed(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    code: int,
) -> None:
    path = tmp_path / "own.cell"
    path.write_text(OWN)
    assert main(["derive", str(path), "--of", "q_t", "--wrt", "v_t", "--scalar"]) == 0
    printed_line = capsys.readouterr().out
    if change:
        assert change in printed_line
        printed_line = printed_line.replace(change, change.replace("2", "3"))
    monkeypatch.setattr("sys.stdin", io.StringIO(printed_line))
    found = main(["check", "-", "--cell", str(path), "--scalar"])
    assert found == code
    assert ("proved" if code == 0 else "refuted") in capsys.readouterr().out


def test_a_quotient_in_a_cell() -> None:
    cell = read_cell("reading: scalar\nu in R\nw in R\nh_t = w h_{t-1} / (2 u) + x_t\n")
    equation = cell.equations[0].value
    states = [parse_formula(text, cell) for text in ("w h_{t-1}", "2 u", "x_t")]
    assert equation is states[0] / states[1] + states[2]
    assert sg.check(cell, "h_t = (w/2) h_{t-1} (1/u) + x_t").status == "proved"
    assert sg.check(cell, "h_t = (w/2) h_{t-1} u + x_t").status == "refuted"
    with pytest.raises(ParseError, match="a / b c"):
        read_cell("u in R\nw in R\nh_t = w h_{t-1} / 2 u + x_t\n")


@pytest.mark.parametrize("text", ["h_0 / (2T)", "(2T)^2", "h_0 / (2T)^2", "(-T)^2", "2T * w_h"])
def test_multiples_of_a_time_in_formulas_as_python_shows_them(text: str) -> None:
    assert repr(parse_formula(text, RNN)) == text


def test_a_number_over_factors() -> None:
    assert parse_formula("1/(w_h w_x)", RNN) is const(1) / (w * u)
