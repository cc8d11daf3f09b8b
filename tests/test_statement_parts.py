"""Derivatives in products, and names that are defined beside a statement."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache

import pytest

import symgrad as sg
from symgrad.cell import Cell
from symgrad.cli.main import main
from symgrad.lang.affine import symbol
from symgrad.lang.nodes import Node, derivative, name
from symgrad.parse import ParseError, parse_claim, parse_formula, read_cell_file
from symgrad.parse.grammar import Syntax

LINEAR = sg.CATALOGUE["linear"].scalar()
RNN, LSTM = sg.CATALOGUE["rnn"].scalar(), sg.CATALOGUE["lstm"].scalar()

# ---- derivatives in products -----------------------------------------------------------------


def _d(cell: Cell, of: str, wrt: str, kind: str = "total") -> Node:
    left, right = (parse_formula(text, cell) for text in (of, wrt))
    return derivative(kind, left, right)


DERIVATIVES = [
    (RNN, "w_h dh_{t-1}/dw_h", "h_{t-1}", "w_h", "w_h *"),
    (LSTM, "dc_{t-1}/dw_f f_t", "c_{t-1}", "w_f", "* f_t"),
    (LSTM, "f_t ∂c_{t-1}/∂w_f", "c_{t-1}", "w_f", "f_t *"),
    (LSTM, "f_t * dc_{t-1}/dw_f", "c_{t-1}", "w_f", "f_t *"),
    (LSTM, "2 dc_{t-1}/dw_f", "c_{t-1}", "w_f", "2 *"),
]


@pytest.mark.parametrize(("cell", "text", "of", "wrt", "rest"), DERIVATIVES)
def test_a_slash_between_differentials_binds_them(
    cell: Cell, text: str, of: str, wrt: str, rest: str
) -> None:
    d = _d(cell, of, wrt)
    factor = parse_formula(rest.replace("*", "").strip(), cell)
    assert parse_formula(text, cell) is (factor * d if rest.endswith("*") else d * factor)


def test_derivatives_side_by_side() -> None:
    before = _d(RNN, "h_t", "h_{t-1}")
    after = _d(RNN, "h_{t-1}", "w_h")
    immediate = _d(RNN, "h_t", "w_h", "immediate")

    assert parse_formula("dh_t/dh_{t-1} dh_{t-1}/dw_h", RNN) is before * after
    text = "dh_t/dh_{t-1} dh_{t-1}/dw_h + ∂⁺h_t/∂⁺w_h"
    assert parse_formula(text, RNN) is before * after + immediate
    assert parse_formula("dh_t/dh_{t-1} / w_h", RNN) is before / parse_formula("w_h", RNN)
    for tex in (
        r"\frac{\partial h_t}{\partial h_{t-1}} \frac{\partial h_{t-1}}{\partial w_h}",
        r"\frac{dh_t}{dh_{t-1}} \, \frac{\mathrm{d} h_{t-1}}{\mathrm{d} w_h}",
        r"dh_t/dh_{t-1} dh_{t-1}/dw_h",
    ):
        assert parse_formula(tex, RNN, syntax="latex") is before * after
    restricted = "f_T (dc_{T-1}/dc_k) |_c"
    assert parse_formula("f_T dc_{T-1}/dc_k |_c", LSTM) is parse_formula(restricted, LSTM)


CELL = "dc_t/dw_f = f_t dc_{t-1}/dw_f"


@pytest.mark.parametrize(
    ("cell", "text", "right"),
    [
        (RNN, "dh_t/dw_h = (1 - h_t^2) (h_{t-1} + w_h dh_{t-1}/dw_h)", True),
        (RNN, "dh_t/dw_h = (1 - h_t^2) (h_t + w_h dh_{t-1}/dw_h)", False),
        (RNN, "dh_t/dw_h = dh_t/dh_{t-1} dh_{t-1}/dw_h + ∂⁺h_t/∂⁺w_h", True),
        (RNN, "dh_t/dw_h = dh_t/dh_{t-1} dh_{t-1}/dw_h", False),
        (LSTM, f"{CELL} + c_{{t-1}} df_t/dw_f + g_t di_t/dw_f + i_t dg_t/dw_f", True),
        (LSTM, f"{CELL} + c_{{t-1}} df_t/dw_f", False),
    ],
)
def test_recursions_with_derivatives_on_the_right(cell: Cell, text: str, right: bool) -> None:
    assert sg.check(cell, text).status in (("proved", "checked") if right else ("refuted",))


def with_d() -> Cell:
    """A cell in which a name that begins with d is there beside the name without it."""
    h, dh = sg.signal("h"), sg.signal("dh")
    w, dw, d = sg.param("w"), sg.param("dw"), sg.param("d")
    return sg.Cell("with d", [(h, w * h.prev), (dh, dw * dh.prev + d * h)]).scalar()


@pytest.mark.parametrize(
    ("syntax", "text"),
    [
        ("text", "w dh_t/dw"),
        ("text", "dh_t/dh_t"),
        ("text", "dh_t/dd"),
        ("latex", r"\frac{dh_t}{dw}"),
        ("latex", r"w dh_t/dw"),
    ],
)
def test_what_can_be_a_derivative_and_a_quotient_is_asked_for(syntax: Syntax, text: str) -> None:
    with pytest.raises(ParseError, match=r"for the derivative, .* for a quotient"):
        parse_formula(text, with_d(), syntax=syntax)


@pytest.mark.parametrize(
    ("syntax", "text", "shown"),
    [
        ("text", "(dh_t)/(dw)", "dh_t / dw"),
        ("text", "dh_t/w", "dh_t / w"),
        ("text", "∂h_t/∂w", "dh_t/dw"),
        ("latex", r"\frac{\mathrm{d}h_t}{\mathrm{d}w}", "dh_t/dw"),
        ("latex", r"\frac{d \cdot h_t}{d \cdot w}", "d * h_t / (d * w)"),
    ],
)
def test_how_to_say_which(syntax: Syntax, text: str, shown: str) -> None:
    assert repr(parse_formula(text, with_d(), syntax=syntax)) == shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("w_h / dh_t/dw_h", "put parentheses around the derivative"),
        ("w_h/2 dh_t/dw_h", "put parentheses around one of them"),
        ("dh_t/dw_h^2", "a script at a derivative"),
        ("dh_t^2/dw_h", "a script at a derivative"),
        ("dg_t/dw_h", "declares no g"),
        ("w_h dh_t/dv", "declares no v"),
        ("dh_t/dT", "a derivative is with respect to a signal"),
    ],
)
def test_derivatives_that_are_none(text: str, says: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_formula(text, RNN)
    assert says in str(caught.value)


# ---- definitions -----------------------------------------------------------------------------

TEX = r"\frac{dh_T}{dw} = \sum_{k=1}^T a_k h_{k-1}"
SUM = "dh_T/dw = sum_{k=1}^T a_k h_{k-1}"


@pytest.mark.parametrize(
    ("syntax", "text", "right"),
    [
        ("text", f"{SUM}, where a_k = w^(T-k)", True),
        ("text", f"{SUM}; a_t = w^(T-t)", True),
        ("text", f"{SUM}\nwhere a_j = w^(T-j)", True),
        ("text", f"{SUM}\na_t = b_t c\nb_t = w^(T-t-1)\nc = w", True),
        ("text", f"{SUM} for T ≥ 1, where a_k = w^(T-k)", True),
        ("text", f"{SUM}; a_t = w^(T-t+1)", False),
        ("text", "dh_t/dw = sum_{k=1}^t a_k h_{k-1}, where a_k = w^(t-k)", True),
        ("text", "dh_t/dw = h_{t-1} + w a_{t-1}, where a_k = dh_k/dw", True),
        ("text", "dh_t/dw = h_{t-1} + w a_t, where a_k = dh_k/dw", False),
        ("latex", rf"{TEX}, \text{{ where }} a_k = w^{{T-k}}", True),
        ("latex", rf"{TEX} \\ a_t = w^{{T-t}}", True),
    ],
)
def test_definitions_are_put_in_at_their_times(syntax: Syntax, text: str, right: bool) -> None:
    verdict = sg.check(LINEAR, text, syntax=syntax)
    assert verdict.status in (("proved", "checked") if right else ("refuted",)), verdict


def test_a_definition_stays_a_name() -> None:
    claim = parse_claim(f"{SUM}; a_k = w^(T-k)", LINEAR)
    ((made, value),) = claim.where

    assert made is name("a", time=symbol("k"))
    assert value is parse_formula("w^(T-k)", LINEAR)
    assert claim.right is parse_formula(
        "sum_{k=1}^T a_k h_{k-1}", LINEAR, extra=[name("a", time=symbol("t"))]
    )
    assert claim.full[1] is parse_formula("sum_{k=1}^T w^(T-k) h_{k-1}", LINEAR)


def test_nested_definitions_do_not_blow_up() -> None:
    names = "".join(f"\na{i}_t = a{i + 1}_t a{i + 1}_{{t-1}}" for i in range(60))
    with pytest.raises(ParseError, match="more than 200000 operations"):
        sg.check(LINEAR, f"h_T = a0_T{names}\na60_t = w")


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("h_T = a_T; a_t = b_t; b_t = a_t", "1:12", "defined through itself: a → b → a"),
        ("h_T = a_T; a_t = w a_{t-1}", "1:12", "defined through itself: a → a"),
        ("h_T = w, where a_t = w", "1:16", "the statement does not use it"),
        ("h_T = a_T; a_t = w; b_t = a_t", "1:21", "b is defined, but the statement does not"),
        ("h_T = w; w = 2", "1:10", "w has a meaning here already"),
        ("h_T = h_0, h_t = w", "1:12", "one statement is judged at a time"),
        ("h_T = tanh(w), tanh = w", "1:16", "tanh has a meaning here already"),
        ("h_T = a_T; a_t = w\na_t = 2", "2:1", "a is defined twice"),
        ("h_T = a_T; a_3 = w", "1:12", "write a_t = …"),
        ("h_T = a_T; a_{t-1} = w", "1:12", "write a_t = …"),
        ("h_T = a_T; a_t^2 = w", "1:12", "expected a definition"),
        ("h_T = a_T; a_t = w for t ≥ 1", "1:24", "a range behind a definition"),
        ("h_T = a_T; a_t = w h", "1:20", "h is a signal and needs a time"),
        ("h_T = da_T/dw; a_t = w", "1:7", "not of a name that is defined"),
        ("h_T = h_0; L = h_T", "1:12", "L is defined, but the statement does not use it"),
        ("dL/dw = h_0; L = 2 h_T", "1:18", "a final value or a sum over time"),
    ],
)
def test_definitions_that_are_none(text: str, place: str, says: str) -> None:
    with pytest.raises(ParseError) as caught:
        sg.check(LINEAR, text)
    assert says in str(caught.value)
    assert f"<statement>:{place}: " in str(caught.value)


def test_what_the_statement_says_that_L_is() -> None:
    cell = sg.CATALOGUE["linear"]
    text = "dL/dW = sum_{k=1}^T (W^⊤)^{T-k} s h_{k-1}^⊤; L = s^⊤ h_T"

    assert sg.check(cell, text).holds
    assert sg.check(cell, text, objective=sg.final(cell)).holds
    assert sg.check(cell, text.replace("s^⊤ h_T", "sum_{t=1}^T s^⊤ h_t")).status == "refuted"
    with pytest.raises(ParseError, match="the objective that is given is sum"):
        sg.check(cell, text, objective=sg.summed(cell))
    scalar = "dL/dw = T w^(T-1) h_0; L = h_T"
    assert sg.check(LINEAR, scalar).holds


# ---- everything that derive prints -----------------------------------------------------------

GRU, LEAKY = "examples/gru.tex", "examples/leaky.cell"
#: One of each kind; all questions about all cells were asked once, by hand.
QUESTIONS = [
    "linear --of h_T --wrt W --form closed",
    "linear --of h_T --wrt w --form closed --scalar",
    "linear-input --of h_T --wrt x_k",
    "linear-input --of L --wrt h_0 --form recursive",
    "rnn --of L --wrt h_k --form recursive",
    "rnn --of h_T --wrt W_h",
    "lstm --of h_T --wrt u_f --scalar",
    "lstm --of h_T --wrt c_k --scalar",
    "lstm --of c_T --wrt c_k --along c --scalar",
    "lstm --of c_t --wrt c_{t-1} --scalar",
    f"{GRU} --of h_t --wrt h_{{t-1}}",
    f"{GRU} --of h_t --wrt h_{{t-1}} --immediate --scalar",
    f"{LEAKY} --of h_T --wrt alpha --form recursive",
    f"{LEAKY} --of h_T --wrt W --scalar",
]


@cache
def printed(question: str, syntax: Syntax) -> tuple[str, ...]:
    """What the command prints, each line with the definitions that belong to it."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        assert main(["derive", *question.split(), "--format", syntax]) == 0
    return tuple(_statements(out.getvalue().splitlines(), syntax))


def _statements(lines: list[str], syntax: Syntax) -> Iterator[str]:
    """The last equation has the definitions behind it: M_t, and what L is."""

    def defines(line: str) -> bool:
        return line.startswith(("where", "L =", "M_t =") if syntax == "latex" else "where")

    equations = [line for line in lines if not defines(line)]
    yield from equations[:-1]
    yield "\n".join([equations[-1], *filter(defines, lines)])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("syntax", ["text", "latex"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_what_derive_prints_goes_back_through_check(question: str, syntax: Syntax) -> None:
    place = question.split()[0]
    cell = read_cell_file(place) if "/" in place else sg.CATALOGUE[place]
    cell = cell.scalar() if "--scalar" in question else cell
    for text in printed(question, syntax):
        told = "L =" in text
        objective = None if told else sg.loss(cell) if "--of L" in question else sg.final(cell, "h")
        verdict = sg.check(cell, text, syntax=syntax, horizon="power", objective=objective)
        assert verdict.status in ("proved", "checked"), (text, verdict)
