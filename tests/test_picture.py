"""Pictures of computation graphs: nothing overlaps, nothing leaves, nothing leaks."""

from __future__ import annotations

import html
import json
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from symgrad.render.layered import place
from symgrad.render.layout import Box, Call, Ident, Number, Op, Row, Script, Words
from symgrad.render.picture import (
    Kind,
    Picture,
    PictureAdjoint,
    PictureEdge,
    PictureNode,
    at_general_time,
)
from symgrad.render.picture_drawing import Drawing, Frame, Text
from symgrad.render.picture_latex import picture_latex
from symgrad.render.svg import svg
from tools import require_tool

# ---- sample pictures -------------------------------------------------------------------

Times = tuple[int | None, ...]
GAP: Times = (0, 1, 2, None, 99, 100)


def at(name: str, time: int) -> Box:
    return Script(Ident(name), Number(str(time)))


def matrix(name: str, role: str) -> Box:
    return Script(Ident(name), Ident(role))


def minus(box: Box) -> Box:
    return Row((Op("(", "ordinary"), Number("1"), Op("−"), box, Op(")", "ordinary")))


def times_op(*boxes: Box) -> Box:
    out: list[Box] = []
    for box in boxes:
        out += [Op("⊙"), box] if out else [box]
    return Row(tuple(out))


def diag(box: Box) -> Box:
    return Call("diag", (box,))


def adjoint(role: str, time: int) -> Box:
    return Script(Ident("λ"), Number(str(time)), Ident(role))


def sample(
    title: str,
    times: Times,
    kinds: dict[str, Kind],
    edges: list[tuple[str, str, int, Callable[[int], Box]]],
    parameters: tuple[Box, ...],
) -> Picture:
    """Nodes of every role at every drawn step, states only at the first time and after a gap."""
    nodes: list[PictureNode] = []
    for i, time in enumerate(times):
        if time is None:
            continue
        starts = i == 0 or times[i - 1] is None
        for role, kind in kinds.items():
            if starts and kind != "state":
                continue
            shown: Kind = "initial" if time == 0 else kind
            nodes.append(PictureNode(f"{role}_{time}", time, role, at(role, time), shown))
    present = {node.key for node in nodes}
    drawn = []
    full = {node.time for node in nodes if node.kind == "input"}
    for time in sorted(full):
        for source, target, lag, jacobian in edges:
            first = f"{source}_{time - lag}"
            if first in present:
                drawn.append(PictureEdge(first, f"{target}_{time}", jacobian(time)))
    adjoints = tuple(
        PictureAdjoint(node.key, adjoint(node.role, node.time))
        for node in nodes
        if kinds[node.role] == "state"
    )
    gap = "steps 3 to 99 are not drawn" if None in times else ""
    return Picture(
        title, tuple(kinds), times, tuple(nodes), tuple(drawn), adjoints, parameters, gap
    )


def linear(times: Times) -> Picture:
    return sample(
        "A linear recurrent network",
        times,
        {"x": "input", "h": "state"},
        [
            ("x", "h", 0, lambda t: matrix("W", "x")),
            ("h", "h", 1, lambda t: matrix("W", "h")),
        ],
        (matrix("W", "x"), matrix("W", "h")),
    )


def tanh(times: Times) -> Picture:
    def slope(t: int) -> Box:
        square = Script(Ident("h"), Number(str(t)), Number("2"))
        return diag(Row((Number("1"), Op("−"), square)))

    return sample(
        "A tanh recurrent network",
        times,
        {"x": "input", "h": "state", "y": "output"},
        [
            ("x", "h", 0, lambda t: Row((slope(t), matrix("W", "x")))),
            ("h", "h", 1, lambda t: Row((slope(t), matrix("W", "h")))),
            ("h", "y", 0, lambda t: matrix("W", "y")),
        ],
        (matrix("W", "x"), matrix("W", "h"), matrix("W", "y"), matrix("b", "h")),
    )


def lstm(times: Times) -> Picture:
    edges: list[tuple[str, str, int, Callable[[int], Box]]] = []

    def gate(role: str, letter: str) -> Callable[[int], Box]:
        def jacobian(t: int) -> Box:
            value = at(role, t)
            if role == "g":
                slope: Box = Row(
                    (Number("1"), Op("−"), Script(Ident("g"), Number(str(t)), Number("2")))
                )
            else:
                slope = times_op(value, minus(value))
            return Row((diag(slope), matrix(letter, role)))

        return jacobian

    for role in "fiog":
        edges.append(("x", role, 0, gate(role, "W")))
        edges.append(("h", role, 1, gate(role, "U")))

    def cell_slope(t: int) -> Box:
        squared = Script(Call("tanh", (at("c", t),)), None, Number("2"))
        return diag(
            times_op(
                at("o", t),
                Row((Op("(", "ordinary"), Number("1"), Op("−"), squared, Op(")", "ordinary"))),
            )
        )

    edges += [
        ("c", "c", 1, lambda t: diag(at("f", t))),
        ("f", "c", 0, lambda t: diag(at("c", t - 1))),
        ("i", "c", 0, lambda t: diag(at("g", t))),
        ("g", "c", 0, lambda t: diag(at("i", t))),
        ("c", "h", 0, cell_slope),
        ("o", "h", 0, lambda t: diag(Call("tanh", (at("c", t),)))),
    ]
    kinds: dict[str, Kind] = {"x": "input"}
    for role in "fiog":
        kinds[role] = "signal"
    kinds |= {"c": "state", "h": "state"}
    parameters = tuple(matrix(letter, role) for role in "fiog" for letter in "WUb")
    return sample("A long short-term memory", times, kinds, edges, parameters)


SAMPLES = {
    f"{build.__name__}-{name}": build(times)
    for build in (linear, tanh, lstm)
    for name, times in {
        "T1": tuple(range(2)),
        "T3": tuple(range(4)),
        "T6": tuple(range(7)),
        "gap": GAP,
    }.items()
}
every_sample = pytest.mark.parametrize("name", SAMPLES)

# ---- what the layout says of itself ----------------------------------------------------

Bounds = tuple[float, float, float, float]


def overlap(a: Bounds, b: Bounds, slack: float = 0.0) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > slack and min(a[3], b[3]) - max(a[1], b[1]) > slack


def ink(text: Text) -> Bounds:
    """The bounds without the room for accents and descenders a line might touch."""
    left, top, right, bottom = text.bounds()
    if text.role == "tag":
        return left, text.y - 0.73 * text.size, right, text.y
    return left, top + 0.1 * text.size, right, bottom - 0.1 * text.size


def frame_bounds(frame: Frame) -> Bounds:
    return frame.x, frame.y, frame.x + frame.width, frame.y + frame.height


def stretches(drawing: Drawing) -> list[Bounds]:
    """Every straight piece of every line, as a box without area."""
    return [
        (min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))
        for stroke in drawing.strokes
        for a, b in zip(stroke.points, stroke.points[1:], strict=False)
    ]


def meets(line: Bounds, box: Bounds) -> bool:
    """Whether a line passes through the inside of a box."""
    inside = 0.5
    return (
        line[2] > box[0] + inside
        and line[0] < box[2] - inside
        and line[3] > box[1] + inside
        and line[1] < box[3] - inside
    )


def collisions(drawing: Drawing) -> list[str]:
    """Everything that should not touch and does, in words."""
    found = []
    for a, b in combinations(drawing.texts, 2):
        if overlap(a.bounds(), b.bounds()):
            found.append(f"texts {a} and {b}")
    for text in drawing.texts:
        left, top, right, bottom = text.bounds()
        if left < 0 or top < 0 or right > drawing.width or bottom > drawing.height:
            found.append(f"text {text} leaves the picture")
        for frame in drawing.frames:
            border = frame_bounds(frame)
            within = border[0] <= left and right <= border[2] and text.role == "node"
            if overlap(ink(text), border) and not within:
                found.append(f"text {text} and border {frame}")
        for line in stretches(drawing):
            if meets(line, ink(text)):
                found.append(f"text {text} and line {line}")
        for head in drawing.heads:
            tip = (head.x - 4, head.y - 4, head.x + 4, head.y + 4)
            if text.role != "node" and overlap(ink(text), tip, 1.0):
                found.append(f"text {text} and arrow head {head}")
    for frame in drawing.frames:
        for line in stretches(drawing):
            if meets(line, frame_bounds(frame)):
                found.append(f"border {frame} and line {line}")
    for one, other in combinations(drawing.frames, 2):
        if overlap(frame_bounds(one), frame_bounds(other)):
            found.append(f"borders {one} and {other}")
    return found


def too_close(drawing: Drawing) -> list[str]:
    """Parallel lines that a reader could not tell apart: on top of each other, or nearly."""
    found = []
    for a, b in combinations(stretches(drawing), 2):
        along_x = min(a[2], b[2]) - max(a[0], b[0]) > 0.5
        along_y = min(a[3], b[3]) - max(a[1], b[1]) > 0.5
        level = a[1] == a[3] and b[1] == b[3] and abs(a[1] - b[1]) < 4.5 and along_x
        upright = a[0] == a[2] and b[0] == b[2] and abs(a[0] - b[0]) < 4.5 and along_y
        if level or upright:
            found.append(f"{a} and {b}")
    return found


@every_sample
def test_nothing_collides(name: str) -> None:
    drawing = place(SAMPLES[name])
    assert collisions(drawing) == []
    assert too_close(drawing) == []


def test_a_moved_text_is_noticed() -> None:
    drawing = place(lstm((0, 1)))
    tags = [text for text in drawing.texts if text.role == "tag"]
    for dx, dy in ((0.0, 6.0), (12.0, 0.0), (-2000.0, 0.0)):
        moved = replace(tags[0], x=tags[0].x + dx, y=tags[0].y + dy)
        texts = tuple(moved if text is tags[0] else text for text in drawing.texts)
        assert collisions(replace(drawing, texts=texts))


@every_sample
def test_every_edge_has_a_head_a_label_and_a_way_back(name: str) -> None:
    picture = SAMPLES[name]
    drawing = place(picture)
    shown = [text for text in drawing.texts if text.role in ("edge", "tag")]
    legend = [text for text in shown if text.y > max(f.y for f in drawing.frames)]
    assert len(shown) - len(legend) == len(picture.edges)
    stubs = 2 * sum(text.box == Words("⋯") for text in drawing.texts)
    solid = [head for head in drawing.heads if head.flow == "forward"]
    assert len(solid) == len(picture.edges) + stubs + 1  # and one in the legend
    sources = {edge.source for edge in picture.edges}
    dashed = [head for head in drawing.heads if head.flow == "backward"]
    assert len(dashed) >= len(sources) + stubs // 2 + 1


def test_time_runs_to_the_right_and_roles_are_rows() -> None:
    drawing = place(lstm((0, 1, 2, 3)))
    where = {text.box: text for text in drawing.texts if text.role == "node"}
    for role in "fiogch":
        row = [where[at(role, time)] for time in (1, 2, 3)]
        assert len({text.y for text in row}) == 1
        assert row[0].x < row[1].x < row[2].x
    for time in (1, 2, 3):
        x, f, c, h = (where[at(role, time)].x for role in "xfch")
        assert x < f < c < h


def test_an_edge_that_skips_its_own_row_runs_on_a_lane() -> None:
    """x at t-1 enters c, past x at t: the trunk may not run through x's next node."""
    base = lstm((0, 1, 2, 3))
    added = tuple(PictureEdge(f"x_{time - 1}", f"c_{time}", matrix("V", "x")) for time in (2, 3))
    picture = replace(base, edges=base.edges + added)
    drawing = place(picture)
    assert collisions(drawing) == []
    assert too_close(drawing) == []


# ---- general times ---------------------------------------------------------------------


def test_legend_gives_general_times() -> None:
    t = Ident("t")
    assert at_general_time(diag(at("c", 2)), 3) == diag(
        Script(Ident("c"), Row((t, Op("−"), Number("1"))))
    )
    square = Script(Ident("h"), Number("2"), Number("2"))
    assert at_general_time(square, 2) == Script(Ident("h"), t, Number("2"))


# ---- refusals --------------------------------------------------------------------------


def test_a_picture_with_unknown_ends_is_refused() -> None:
    picture = linear((0, 1))
    with pytest.raises(ValueError, match="not a node"):
        replace(picture, edges=(PictureEdge("h_0", "h_7", Number("1")),))
    with pytest.raises(ValueError, match="adjoint"):
        replace(picture, adjoints=(PictureAdjoint("z_1", Number("1")),))
    with pytest.raises(ValueError, match="same key"):
        replace(picture, nodes=picture.nodes + picture.nodes[:1])
    with pytest.raises(ValueError, match="next one"):
        replace(picture, edges=(PictureEdge("h_1", "h_0", Number("1")),))


# ---- SVG -------------------------------------------------------------------------------


@every_sample
def test_svg_is_well_formed_and_self_contained(name: str) -> None:
    text = svg(SAMPLES[name])
    root = ET.fromstring(text)
    assert root.attrib["role"] == "img"
    assert "viewBox" in root.attrib
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "title", "desc", "g", "path", "rect", "circle", "text", "tspan"}
    assert not re.search(r"\b(href|src|on\w+)=|url\(|@import", text)
    described = next(e.text for e in root if e.tag.endswith("desc")) or ""
    assert described.count("Jacobian ") >= len(SAMPLES[name].edges)


@every_sample
def test_repeated_calls_give_the_same_bytes(name: str) -> None:
    picture = SAMPLES[name]
    assert svg(picture) == svg(replace(picture))


def test_hostile_names_are_escaped() -> None:
    names = ["<script>alert(1)</script>", "a&b", '"x', "\x00\x1b]]>", "{%$#_^~\\"]
    nodes = [
        PictureNode(name, i % 2, name, Ident(name, "upright"), "signal")
        for i, name in enumerate(names)
    ]
    picture = Picture(
        names[0],
        tuple(names),
        (0, None, 1),
        tuple(nodes),
        (PictureEdge(names[0], names[2], Ident(names[1])),),
        (PictureAdjoint(names[0], Ident(names[2])),),
        tuple(Ident(name, "upright") for name in names),
        names[0],
    )
    text = svg(picture)
    root = ET.fromstring(text)
    assert all(hostile not in text for hostile in ("<script", "a&b", "\x00"))
    title = next(element.text for element in root if element.tag.endswith("title"))
    assert title == names[0]
    assert collisions(place(picture)) == []


# ---- measured in a browser -------------------------------------------------------------

MEASURE = """
const out = {};
for (const picture of document.querySelectorAll('svg')) {
  const texts = [...picture.querySelectorAll('text')];
  const boxes = texts.map(text => text.getBBox());
  const view = picture.viewBox.baseVal;
  const found = [];
  const cap = text => text.dataset.role === 'tag' ? 3 : 1.5;
  boxes.forEach((a, i) => {
    if (a.x < 0 || a.y < 0 || a.x + a.width > view.width || a.y + a.height > view.height)
      found.push(texts[i].textContent + ' leaves the picture');
    boxes.forEach((b, j) => {
      if (j <= i) return;
      const w = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
      const h = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
      if (w > 0 && h > Math.max(cap(texts[i]), cap(texts[j])))
        found.push(texts[i].textContent + ' over ' + texts[j].textContent);
    });
  });
  out[picture.parentNode.id] = {count: texts.length, found: found};
}
document.body.textContent = 'MEASURED' + JSON.stringify(out) + 'END';
"""


def measured(pictures: dict[str, str], folder: Path) -> dict[str, dict[str, object]]:
    """Overlapping texts of each picture, by Chromium's own measure of every text."""
    browser = require_tool("chromium", "chromium-browser")
    divisions = "".join(f'<div id="{name}">{text}</div>' for name, text in pictures.items())
    page = folder / "page.html"
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><body>{divisions}<script>{MEASURE}</script>',
        encoding="utf-8",
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'user'}"]
    result = subprocess.run(
        [browser, *options, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r"MEASURED(\{.*\})END", result.stdout, re.DOTALL)
    assert found, result.stdout[-2000:] + result.stderr[-2000:]
    answer: dict[str, dict[str, object]] = json.loads(html.unescape(found[1]))
    return answer


def test_no_texts_overlap_in_a_browser(tmp_path: Path) -> None:
    pictures = {name: svg(picture) for name, picture in SAMPLES.items()}
    tag = r'(<text x=")[\d.]+(" y=")[\d.]+("[^>]*data-role="tag")'
    pictures["spoiled"] = re.sub(tag, r"\g<1>100\g<2>100\g<3>", pictures["lstm-T1"], count=2)
    answer = measured(pictures, tmp_path)
    spoiled = answer.pop("spoiled")
    assert spoiled["found"], "two texts in one place must be noticed"
    assert set(answer) == set(SAMPLES)
    for name, picture in SAMPLES.items():
        assert answer[name]["count"] == len(place(picture).texts)
    assert {name: entry["found"] for name, entry in answer.items() if entry["found"]} == {}


# ---- LaTeX -----------------------------------------------------------------------------


@every_sample
def test_latex_holds_every_text_once(name: str) -> None:
    picture = SAMPLES[name]
    text = picture_latex(picture)
    assert text == picture_latex(replace(picture))
    assert text.count(r"\begin{picture}") == text.count(r"\end{picture}") == 1
    placed = re.findall(r"^\\put.*(?:\$|\\textsf)", text, re.MULTILINE)
    assert len(placed) == len(place(picture).texts)
    assert text.count("{") == text.count("}")


def test_latex_compiles(tmp_path: Path) -> None:
    pdflatex = require_tool("pdflatex")
    pictures = "\n\n".join(
        "\\noindent\\resizebox{\\linewidth}{!}{%\n" + picture_latex(SAMPLES[name]) + "}"
        for name in ("linear-T1", "tanh-T3", "lstm-gap")
    )
    (tmp_path / "p.tex").write_text(
        "\\documentclass{article}\\usepackage{amsmath,graphicx,xcolor}\n"
        "\\begin{document}\n" + pictures + "\n\\end{document}\n",
        encoding="utf-8",
    )
    result = subprocess.run(
        [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "p.tex"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    log = result.stdout.decode("utf-8", "replace")
    assert result.returncode == 0, log[-2000:]
    assert "Overfull" not in log
