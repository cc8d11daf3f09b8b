"""What notebooks and texts show: formulas, cells, gradients and graphs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

import symgrad.render.displays  # noqa: F401  fills the registry
from symgrad.adjoint import Gradient, Objective, backward, final, loss, summed
from symgrad.cell import Cell, param, signal, sizes
from symgrad.cells import CATALOGUE
from symgrad.errors import UsageError
from symgrad.graph import unroll
from symgrad.lang.display import RENDERERS
from symgrad.ops import sigma, tanh
from symgrad.render.graph_picture import picture
from symgrad.render.text_math import unicode_text

CELLS = {f"{c.name}-{c.reading}": c for cell in CATALOGUE.values() for c in (cell, cell.scalar())}
every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)

OBJECTIVES: dict[str, Callable[[Cell], Objective]] = {
    "final": final,
    "summed": summed,
    "loss": loss,
    "squared": lambda cell: loss(cell, squared=True),
    "last": lambda cell: loss(cell, squared=True, last_only=True),
}


def lines(gradient: Gradient) -> list[str]:
    """The printed lines after the heading, with single spaces."""
    return [re.sub(" +", " ", line) for line in gradient.plain_text().splitlines()[1:]]


def well_formed(markup: str | None) -> ET.Element:
    assert markup is not None
    return ET.fromstring(markup)


# ---- formulas and cells -----------------------------------------------------------------


def test_a_formula_shows_itself() -> None:
    h = signal("h", *sizes("n"))

    assert (h.prev + h)._repr_latex_() == r"$\displaystyle h_{t-1} + h_t$"
    assert well_formed((h + h.prev)._repr_html_()).tag.endswith("math")


def test_a_cell_shows_its_equations_aligned() -> None:
    assert CATALOGUE["rnn"]._repr_latex_() == (
        "$\\displaystyle \\begin{aligned}\n"
        "h_t &= \\tanh(W_x\\,x_t + W_h\\,h_{t-1} + b_h) \\\\\n"
        "y_t &= W_y\\,h_t + b_y\n"
        "\\end{aligned}$"
    )


def test_a_cell_as_text() -> None:
    assert CATALOGUE["rnn"].plain_text().splitlines()[:9] == [
        (
            "tanh RNN with output layer (rnn, vector reading): state after the activation, "
            "linear output"
        ),
        "h_t = tanh(W_x x_t + W_h h_{t-1} + b_h)",
        "y_t = W_y h_t + b_y",
        "x_t: m",
        "h_t, b_h: n",
        "y_t, b_y: q",
        "W_x: n × m",
        "W_h: n × n",
        "W_y: q × n",
    ]


@every_cell
def test_cells_in_html_name_every_part(cell: Cell) -> None:
    page = well_formed(cell._repr_html_())
    annotations = [e.text or "" for e in page.iter() if e.tag.endswith("annotation")]

    assert len(page.findall(".//tr")) >= len(cell.equations) + 1
    for node in (*cell.params, *cell.signals, *cell.inputs):
        shown = RENDERERS["node", "latex"](node)
        assert any(shown in text for text in annotations), shown


def test_names_that_users_choose_are_escaped_in_html() -> None:
    h = signal("h", *sizes("n"))
    cell = Cell("a<b", [(h, tanh(h.prev))], title="<script>", variant="&", source='"<i>"')
    html = cell._repr_html_()

    well_formed(html)
    assert html is not None
    assert "<script>" not in html
    assert "<i>" not in html


# ---- gradients ------------------------------------------------------------------------------


def test_the_gradient_of_the_final_output() -> None:
    """The boundary at T, the steps before it, t = 0, and the sums: as derived by hand."""
    cell = CATALOGUE["rnn"]

    assert lines(backward(cell, final(cell))) == [
        "L = s^⊤ y_T",
        "λ_T^h = W_y^⊤ s for T ≥ 1",
        "λ_t^h = W_h^⊤ δ_{t+1}^h for 1 ≤ t < T",
        "δ_t^h = λ_t^h ⊙ (1 - h_t^2) for 1 ≤ t ≤ T",
        "λ_0^h = W_h^⊤ δ_1^h for T ≥ 1",
        "λ_0^h = 0 for T = 0",
        "dL/dx_t = W_x^⊤ δ_t^h for 1 ≤ t ≤ T",
        "dL/dW_x = ∑_{t=1}^T δ_t^h x_t^⊤",
        "dL/dW_h = ∑_{t=1}^T δ_t^h h_{t-1}^⊤",
        "dL/db_h = ∑_{t=1}^T δ_t^h",
        "dL/dW_y = ∑_{t=1}^T [t = T] s h_t^⊤",
        "dL/db_y = ∑_{t=1}^T [t = T] s",
    ]


def test_the_gradient_of_a_state_at_time_zero() -> None:
    """With T = 0 the final state is the initial one, so dL/dh_0 = s."""
    cell = CATALOGUE["linear"]

    assert lines(backward(cell, final(cell))) == [
        "L = s^⊤ h_T",
        "λ_T^h = s for T ≥ 1",
        "λ_t^h = W^⊤ λ_{t+1}^h for 1 ≤ t < T",
        "λ_0^h = W^⊤ λ_1^h for T ≥ 1",
        "λ_0^h = s for T = 0",
        "dL/dW = ∑_{t=1}^T λ_t^h h_{t-1}^⊤",
    ]


def test_the_boundary_is_written_at_the_last_step() -> None:
    """What stands at t inside is written at T on the boundary, and nothing of T + 1."""
    cell = CATALOGUE["rnn"]

    assert lines(backward(cell, loss(cell)))[1:3] == [
        "λ_T^h = W_y^⊤ (∂ℓ_T/∂y_T) for T ≥ 1",
        "λ_t^h = W_y^⊤ (∂ℓ_t/∂y_t) + W_h^⊤ δ_{t+1}^h for 1 ≤ t < T",
    ]


def test_a_parameter_without_influence_has_gradient_zero() -> None:
    cell = CATALOGUE["rnn"].scalar()

    assert "dL/dw_y = 0" in lines(backward(cell, final(cell, "h")))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("final", "L = s^⊤ y_T"),
        ("summed", "L = ∑_{t=1}^T s^⊤ y_t"),
        ("loss", "L = ∑_{t=1}^T ℓ_t(y_t)"),
        ("squared", "L = ∑_{t=1}^T (1/2) ‖y_t - y_t^*‖^2"),
        ("last", "L = (1/2) ‖y_T - y_T^*‖^2"),
    ],
)
def test_the_objective_is_written_out(name: str, expected: str) -> None:
    cell = CATALOGUE["rnn"]

    assert lines(backward(cell, OBJECTIVES[name](cell)))[0] == expected


@every_cell
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_show_themselves_in_every_format(cell: Cell, objective: str) -> None:
    gradient = backward(cell, OBJECTIVES[objective](cell))
    page = well_formed(gradient._repr_html_())
    latex = gradient._repr_latex_()

    assert latex is not None
    assert latex.count("&=") == len(lines(gradient)) <= len(page.findall(".//tr"))
    assert gradient._repr_latex_() == latex


# ---- graphs -----------------------------------------------------------------------------------


@every_cell
@pytest.mark.parametrize("T", [0, 1, 3, 8, 9, 10**6])
def test_graphs_draw_themselves(cell: Cell, T: int) -> None:
    """Any T, the longest as fast as the others: only what is drawn is built."""
    drawing = well_formed(unroll(cell, T)._repr_svg_())

    assert drawing.tag.endswith("svg")
    assert drawing[0].text is not None
    assert drawing[0].text.startswith(cell.title)


def test_a_graph_as_text_is_one_equation_a_line() -> None:
    graph = unroll(CATALOGUE["rnn"], 2)

    assert graph.plain_text() == str(graph)


def test_the_picture_holds_the_whole_graph() -> None:
    graph = unroll(CATALOGUE["lstm"], 3)
    drawn = picture(graph)

    assert drawn.times == (0, 1, 2, 3)
    assert drawn.gap_label == ""
    assert len(drawn.nodes) == len(graph.nodes)
    assert len(drawn.edges) == len(graph.edges)
    kinds = {node.role: node.kind for node in drawn.nodes if node.time}
    assert kinds == {
        "x": "input", "f": "signal", "i": "signal", "o": "signal", "g": "signal",
        "c": "state", "h": "state",
    }  # fmt: skip
    labels = {a.node: unicode_text(a.label) for a in drawn.adjoints}
    assert labels["h@2"] == "λ_2^h"
    # What the arrows into f_2 add up to is dL/df_2, before the activation's derivative.
    assert labels["f@2"] == "λ_2^f"
    assert "x@2" not in labels


def test_edges_carry_their_jacobians_at_their_time_and_in_general() -> None:
    edges = picture(unroll(CATALOGUE["rnn"], 2)).edges
    (edge,) = [e for e in edges if (e.source, e.target) == ("h@1", "h@2")]

    assert edge.general is not None
    assert unicode_text(edge.jacobian) == "diag(1 - h_2^2) W_h"
    assert unicode_text(edge.general) == "diag(1 - h_t^2) W_h"


@pytest.mark.parametrize(
    ("T", "first", "last", "times", "words"),
    [
        (100, 2, 1, (0, 1, 2, None, 99, 100), "steps 3 to 99 of 100 are not drawn"),
        (9, 2, 1, (0, 1, 2, None, 8, 9), "steps 3 to 8 of 9 are not drawn"),
        (9, 1, 2, (0, 1, None, 7, 8, 9), "steps 2 to 7 of 9 are not drawn"),
        (9, 5, 3, (0, 1, 2, 3, 4, 5, None, 6, 7, 8, 9), "step 6 of 9 is not drawn"),
        (9, 5, 4, tuple(range(10)), ""),
        (8, 2, 1, tuple(range(9)), ""),
    ],
)
def test_long_graphs_show_their_ends(
    T: int, first: int, last: int, times: tuple[int | None, ...], words: str
) -> None:
    drawn = picture(unroll(CATALOGUE["rnn"], T), first=first, last=last)

    assert drawn.times == times
    assert drawn.gap_label == words
    if words:
        start = T - last
        # Before the last steps stand the states that they start from, and nothing else.
        assert [n.role for n in drawn.nodes if n.time == start] == ["h"]
        assert ("h@" + str(start), "h@" + str(start + 1)) in {
            (e.source, e.target) for e in drawn.edges
        }


@pytest.mark.parametrize("bad", [{"first": 0}, {"last": 0}])
def test_pictures_without_an_end_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="=0: at least one step"):
        picture(unroll(CATALOGUE["rnn"], 100), **bad)


def test_a_cell_whose_output_is_no_state_marks_it() -> None:
    h, y = signal("h", *sizes("n")), signal("y", *sizes("n"))
    cell = Cell("two", [(h, sigma(param("W", *sizes("n n")) @ h.prev)), (y, 2 * h)])
    drawn = picture(unroll(cell, 1))

    assert {n.role: n.kind for n in drawn.nodes if n.time == 1} == {"h": "state", "y": "output"}
