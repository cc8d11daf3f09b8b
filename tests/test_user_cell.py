"""Cells of users: about ten lines of declaration, and everything symgrad does follows."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest

import symgrad
from symgrad import (
    Cell,
    backward,
    closed_form,
    elementary_form,
    expanded_form,
    final,
    forward_form,
    input_signal,
    loss,
    param,
    sigma,
    signal,
    sizes,
    summed,
    tanh,
    unroll,
    verdict_of,
)
from symgrad.cli import main
from symgrad.errors import NoClosedForm
from symgrad.lang.algebra import Floats
from symgrad.lang.program import Inputs, Runner

FILE = '''\
"""Three cells of a user."""
from symgrad import Cell, input_signal, param, sigma, signal, sizes, tanh

n, m, q = sizes("n m q")
x = input_signal("x", m)

v, a, b = signal("v", n), param("a"), param("b", n)
leaky = Cell("leaky", [(v, a * v.prev + (1 - a) * (param("W", n, m) @ x) + b)], inputs=[x],
             title="Leaky integrator")

g, s, h = signal("g", n), signal("s", n), signal("h", n)
gated = Cell("gated", [
    (g, sigma(param("W_g", n, m) @ x + param("U_g", n, n) @ h.prev + param("b_g", n))),
    (s, g * s.prev + (1 - g) * tanh(param("W_s", n, m) @ x)),
    (h, tanh(s + param("V", n, n) @ h.prev)),
], inputs=[x])

r, y = signal("r", n), signal("y", q)
readout = Cell("readout", [
    (r, tanh(param("p") * r.prev + param("A", n, m) @ x)),
    (y, param("C", q, n) @ r + param("d", q)),
], inputs=[x])
'''

#: None of it is about how far T goes.
pytestmark = pytest.mark.usefixtures("quick")

DOCUMENT = """\
from cells import {name} as cell
from symgrad import loss
from symgrad.derivation import statements
TITLE, SUMMARY = "A cell of mine", "Everything about it."
def derive(write):
    write.section("The network")
    statements.declare(write, cell)
    write.picture(cell, 3, "Three steps of it.")
    statements.one_step_jacobian(write, cell, "chain rule")
    write.section("Its gradients")
    scalar = cell.scalar()
    statements.gradients(write, scalar, statements.adjoint_equations(write, scalar, loss(scalar)))
    for parameter in scalar.params:
        statements.expanded_of(write, scalar, cell.output.name, parameter.name, "summed over time",
                               condition="$T ≥ 1$")
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("user") / "cells.py"
    path.write_text(FILE)
    return path


@pytest.fixture(scope="module")
def cells(file: Path) -> dict[str, Cell]:
    space: dict[str, object] = {}
    exec(compile(FILE, "cells.py", "exec"), space)
    return {name: cell for name, cell in space.items() if isinstance(cell, Cell)}


NAMES = ("leaky", "gated", "readout")


# ---- forms and gradients ------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_proved_where_all_sizes_are_one(cells: dict[str, Cell], name: str) -> None:
    cell = cells[name].scalar()
    for objective in (final(cell), summed(cell), loss(cell), loss(cell, squared=True)):
        verdict = verdict_of(cell, backward(cell, objective))
        assert verdict.status == "proved", verdict
        assert verdict.scope == "all T ≥ 0" or cell.name == "readout"


@pytest.mark.parametrize("name", ["leaky", "readout"])
def test_gradients_of_vectors_are_proved(cells: dict[str, Cell], name: str) -> None:
    """The gated cell, which takes ten times as long, is checked on the command line below."""
    cell = cells[name]
    verdict = verdict_of(cell, backward(cell, loss(cell)))
    assert verdict.status == "proved", verdict
    assert "all sizes" in verdict.scope


@pytest.mark.parametrize("name", NAMES)
def test_expanded_forms_are_verified(cells: dict[str, Cell], name: str) -> None:
    scalar, vector = cells[name].scalar(), cells[name]
    of, state = f"{vector.output.name}_T", vector.states[0].name
    for parameter in scalar.params:
        verdict = verdict_of(scalar, expanded_form(scalar, of, parameter))
        assert verdict.status in ("proved", "checked"), (parameter, verdict)
    form = expanded_form(vector, of, vector.params[0])
    assert verdict_of(vector, form, objective=final(vector)).status == "proved"
    for cell in (scalar, vector) if name != "gated" else (scalar,):
        for wrt in (f"{state}_0", f"{state}_k", "x_k"):
            assert verdict_of(cell, expanded_form(cell, f"{state}_T", wrt)).holds, wrt


def test_the_leaky_integrator_has_closed_forms(cells: dict[str, Cell]) -> None:
    cell = cells["leaky"].scalar()
    assert verdict_of(cell, forward_form(cell, "v_T")).status == "proved"
    for name in ("a", "w", "b", "v_0"):
        verdict = verdict_of(cell, closed_form(cell, "v_T", name))
        assert verdict.status == "proved", (name, verdict)
        for kind in ("zero", "constant", "geometric"):
            form = elementary_form(cell, "v_T", name, kind)
            assert verdict_of(cell, form, inputs=kind).status == "proved", (name, kind)


def test_the_others_have_none_and_say_why(cells: dict[str, Cell]) -> None:
    with pytest.raises(NoClosedForm, match=r"not linear in r_\{t-1\}"):
        closed_form(cells["readout"].scalar(), "r_T", "p")
    with pytest.raises(NoClosedForm, match=r"2 states \(s, h\)"):
        closed_form(cells["gated"].scalar(), "h_T", "u_g")


def test_a_wrong_form_of_a_users_cell_is_refuted(cells: dict[str, Cell]) -> None:
    from dataclasses import replace

    for name in NAMES:
        cell = cells[name].scalar()
        form = expanded_form(cell, f"{cell.output.name}_T", cell.params[0])
        wrong = replace(form, right=form.right * 2, recurrence=None)
        verdict = verdict_of(cell, wrong)
        assert verdict.status == "refuted"
        assert verdict.witness is not None


@pytest.mark.parametrize("name", NAMES)
def test_values_agree_with_the_complex_step(cells: dict[str, Cell], name: str) -> None:
    """Vectors with n = 2, m = 3, q = 2: every entry of every gradient."""
    import numpy as np

    cell, T, draw = cells[name], 4, np.random.default_rng(7)
    of = {"n": 2, "m": 3, "q": 2}

    def shape(node: object) -> tuple[int, ...]:
        return tuple(s.value(of) for s in node.shape)  # type: ignore[attr-defined]

    params = {p.name: draw.uniform(-1, 1, shape(p)) for p in cell.params}
    initial = {s.name: draw.uniform(-1, 1, shape(s)) for s in cell.states}
    series = [draw.uniform(-1, 1, (3, 1)) for _ in range(T + 1)]
    s = draw.uniform(-1, 1, shape(cell.output))

    def inputs(changed: dict[str, object]) -> Inputs:
        return Inputs({**params, **changed}, initial, lambda label, t: series[t], of)

    objective = final(cell)
    cotangent = objective.cotangent.name  # type: ignore[attr-defined]
    program = backward(cell, objective).program
    totals = Runner(program, Floats(float)).run(inputs({cotangent: s}), T).totals
    for parameter, value in params.items():
        for entry in np.ndindex(value.shape):
            moved = value.astype(complex)
            moved[entry] += 1e-200j
            run = Runner(cell.program, Floats(complex)).run(inputs({parameter: moved}), T)
            expected = (s * run.values[cell.output.name, T]).sum().imag / 1e-200
            assert totals[parameter][entry] == pytest.approx(expected, rel=1e-9, abs=0), parameter


# ---- showing ------------------------------------------------------------------------------


class _Nesting(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("br", "img", "hr", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", NAMES)
def test_they_show_themselves(cells: dict[str, Cell], name: str) -> None:
    cell = cells[name]
    scalar = cell.scalar()
    gradient = backward(cell, final(cell))
    form = expanded_form(scalar, f"{cell.output.name}_T", scalar.params[0])
    for shown in (cell, scalar, gradient, form, verdict_of(scalar, form)):
        text = repr(shown)
        assert " object at 0x" not in text
        latex = shown._repr_latex_()
        if latex is not None:
            assert latex.count("{") == latex.count("}")
            assert "λ" not in latex
        html = shown._repr_html_()
        if html is not None:
            assert not _Nesting(html).open
    assert cell._repr_latex_()
    assert cell._repr_html_()
    assert str(cell.output.name) in repr(cell)
    picture = unroll(cell, 3)._repr_svg_()
    assert picture is not None
    root = ElementTree.fromstring(picture)
    assert root.tag.endswith("svg")
    assert "".join(root.itertext()).strip()


# ---- documents and the command line ---------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_they_get_a_document(file: Path, tmp_path: Path, name: str, capsys) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "mine.py").write_text(
        f"import sys\nsys.path.insert(0, {str(file.parent)!r})\n" + DOCUMENT.format(name=name)
    )
    code = main(
        [
            "build",
            "--from",
            str(tmp_path / "from"),
            "--out",
            str(tmp_path / "out"),
            "--format",
            "html,tex,md",
        ]
    )
    assert code == 0, capsys.readouterr().err
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "mine.html",
        "mine.tex",
        "mine.md",
        "mine-1.svg",
        "index.html",
    }
    page = (tmp_path / "out" / "mine.html").read_text()
    assert page.count('<div class="eq"') > 10
    assert page.count('<span class="v ') == page.count('<div class="eq"')
    assert '<span class="v refuted' not in page


@pytest.mark.parametrize(
    ("name", "of", "wrt"),
    [
        ("leaky", "v_T", "a"),
        ("gated", "h_T", "U_g"),
        ("readout", "y_T", "p"),
        ("readout", "L", "C"),
    ],
)
def test_every_form_from_the_command_line(
    file: Path, name: str, of: str, wrt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("expanded", "closed", "recursive", "unrolled"):
        # The unrolled form carries the verdict of the recursive one; vectors take their time.
        slow = form == "unrolled"
        for reading in (("--scalar",),) if slow else ((), ("--scalar",)):
            code = main(
                [
                    "derive",
                    f"{file}:{name}",
                    "--of",
                    of,
                    "--wrt",
                    wrt,
                    "--form",
                    form,
                    "--T",
                    "3",
                    "--format",
                    "json",
                    *reading,
                ]
            )
            out = capsys.readouterr().out
            if form == "closed" and name != "leaky":
                assert (code, out) == (3, "")
                continue
            assert code == 0
            result = json.loads(out)
            assert result["cell"] == name
            assert result["verdict"] in ("proved", "checked")


def test_a_value_of_the_leaky_integrator(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = Random(5)
    a, w, b, v, x = (round(draw.uniform(0.1, 1), 3) for _ in range(5))
    for form in ("closed", "expanded", "recursive"):
        code = main(
            [
                "derive",
                f"{file}:leaky",
                "--of",
                "v_T",
                "--wrt",
                "a",
                "--form",
                form,
                "--T",
                "6",
                "--at",
                f"a={a},w={w},b={b},v_0={v},x={x}",
            ]
        )
        out = capsys.readouterr().out
        assert code == 0
        state, tangent = v, 0.0
        for _ in range(6):
            state, tangent = a * state + (1 - a) * w * x + b, state - w * x + a * tangent
        shown = float(out.splitlines()[-1].split()[1])
        assert shown == pytest.approx(tangent, rel=1e-12, abs=0)


def test_the_catalogue_does_not_know_them(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cells", "leaky"]) == 2
    capsys.readouterr()
    assert main(["cells", f"{file}:leaky"]) == 0
    assert capsys.readouterr().out.startswith("Leaky integrator (leaky, vector reading)")
    assert set(NAMES).isdisjoint(symgrad.CATALOGUE)


def test_one_declared_in_place() -> None:
    """As in the guide: no file, nothing registered."""
    (n,) = sizes("n")
    p, u = signal("p", n), input_signal("u", n)
    z, c = signal("z", n), param("c", n)
    cell = Cell(
        "pair", [(z, sigma(c * p.prev + u)), (p, (1 - z) * p.prev + z * tanh(u))], inputs=[u]
    )
    assert [s.name for s in cell.states] == ["p"]
    for each in (cell, cell.scalar()):
        assert verdict_of(each, backward(each, final(each))).holds
        assert verdict_of(each, expanded_form(each, "p_T", "c"), objective=final(each)).holds
