"""Documents of cells that symgrad has never seen, built from their equations alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.cells import CATALOGUE
from symgrad.cli import main
from symgrad.derivation.model import FormsTable, Prose, Step
from symgrad.derivation.standard import standard_document
from symgrad.derivation.writer import Writer
from symgrad.lang.nodes import Derivative
from symgrad.ops import activation, concat, mean, softmax, sqrt, tanh

#: None of it is about how far T goes.
pytestmark = pytest.mark.usefixtures("quick")

FILE = """
import symgrad as sg
n, m = sg.sizes("n m")
h, x = sg.signal("h", n), sg.input_signal("x", m)
W, U, alpha = sg.param("W", n, n), sg.param("U", n, m), sg.param("alpha")
leaky = sg.Cell("leaky", [(h, (1 - alpha) * h.prev + alpha * (W @ h.prev + U @ x))],
                inputs=[x], title="Leaky $RNN$ & co")
v = sg.input_signal("v", n)
squares = sg.Cell("squares", [(h, h.prev**2 + v)], inputs=[v])
"""


def concatenated() -> Cell:
    n, m, p = sizes("n m p")
    h, x, y = signal("h", n), input_signal("x", m), signal("y", p)
    W, b, V = param("W", n, n + m), param("b", n), param("V", p, n)
    return Cell(
        "joint", [(h, tanh(W @ concat(h.prev, x) + b)), (y, softmax(V @ h))], inputs=[x]
    )  # fmt: skip


def layer_norm() -> Cell:
    n, m = sizes("n m")
    h, a, s, x = signal("h", n), signal("a", n), signal("s"), input_signal("x", m)
    W, U, gamma = param("W", n, n), param("U", n, m), param("gamma", n)
    phi = activation("phi")
    spread = sqrt(mean((a - mean(a)) ** 2) + Fraction(1, 100))
    return Cell(
        "norm",
        [(a, W @ h.prev + U @ x), (s, spread), (h, phi(gamma * ((a - mean(a)) / s)))],
        inputs=[x],
    )


@pytest.mark.parametrize("make", [concatenated, layer_norm, lambda: CATALOGUE["linear-input"]])
def test_every_equation_of_the_document_holds(make: object) -> None:
    cell: Cell = make()  # type: ignore[operator]
    write = Writer(cell.name, cell.title, "")
    standard_document(write, cell)
    made = write.finish()
    steps = [item for section in made.sections for item in section.items if isinstance(item, Step)]
    assert len(steps) > 20
    assert all(step.verdict.holds or step.verdict.status == "given" for step in steps)
    # Every parameter has its gradient, in both readings.
    for reading, names in (("vector", cell.params), ("scalar", cell.scalar().params)):
        stated = {
            step.left.wrt
            for step in steps
            if step.reading == reading
            and isinstance(step.left, Derivative)
            and step.left.kind == "gradient"
        }
        assert set(names) <= stated
    proved = [s for s in steps if s.reading == "scalar" and s.verdict.status != "given"]
    assert sum(s.verdict.status == "proved" for s in proved) >= len(proved) / 2


def test_what_cannot_be_derived_is_left_out_with_its_reason() -> None:
    write = Writer("joint", "", "")
    standard_document(write, concatenated())
    prose = [
        item.text
        for section in write.finish().sections
        for item in section.items
        if isinstance(item, Prose)
    ]
    assert any(text.startswith("Left out: no closed form known") for text in prose)


def test_a_linear_cell_has_its_closed_form() -> None:
    write = Writer("linear-input", "", "")
    standard_document(write, CATALOGUE["linear-input"])
    tables = [
        item
        for section in write.finish().sections
        for item in section.items
        if isinstance(item, FormsTable)
    ]
    assert [row.name for table in tables for row in table.rows].count("closed") == 1


def test_the_command_builds_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    out = tmp_path / "out"
    cell = f"{tmp_path / 'mine.py'}:leaky"
    arguments = ["build", cell, "--out", str(out), "--format", "html,tex"]
    assert main(arguments) == 0
    assert "1 of 1 documents" in capsys.readouterr().out
    assert sorted(p.name for p in out.iterdir()) == ["index.html", "leaky.html", "leaky.tex"]
    page = (out / "leaky.html").read_text()
    assert "Leaky $RNN$ &amp; co" in page
    first = page
    assert main(arguments) == 0
    assert (out / "leaky.html").read_text() == first
    assert "leaky.html" in (out / "index.html").read_text()


def test_a_cell_with_the_name_of_a_document_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "leaky.py").write_text("TITLE = SUMMARY = ''")
    cell = f"{tmp_path / 'mine.py'}:leaky"
    code = main(["build", cell, "--from", str(tmp_path), "--out", str(tmp_path / "out")])
    assert code == 2
    assert "there is a document 'leaky' already" in capsys.readouterr().err


def test_a_state_that_is_squared_builds_too(tmp_path: Path) -> None:
    """The degree doubles every step: what cannot be decided is said for fewer T or left out."""
    (tmp_path / "mine.py").write_text(FILE)
    out = tmp_path / "out"
    cell = f"{tmp_path / 'mine.py'}:squares"
    assert main(["build", cell, "--out", str(out), "--format", "md"]) == 0
    assert (out / "squares.md").is_file()
