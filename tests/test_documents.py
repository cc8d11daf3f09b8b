"""``symgrad build``: what it writes, that it writes the same again, and what it does not write."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

import symgrad
from symgrad.cli import main
from symgrad.derivation.model import Derivation
from symgrad.derivation.writer import Writer
from tools import require_tool

ROOT = Path(symgrad.__file__).parent.parent
DOCUMENTS = ("linear", "lstm", "rnn")
HOLDING = {"given", "proved", "checked", "tested"}

GOOD = """\
from symgrad import CATALOGUE
from symgrad.derivation import statements
TITLE, SUMMARY = "Good", "A document that builds."
def derive(write):
    write.section("One")
    write.text("All is well with $h_t$.")
    statements.declare(write, CATALOGUE["linear"].scalar())
    statements.declare(write, CATALOGUE["rnn"].scalar())
"""

STATED = """\
from dataclasses import replace
from symgrad import CATALOGUE, expanded_form, final, verdict_of
TITLE, SUMMARY = "Stated", "Says what it should not."
def derive(write):
    write.section("One")
    cell = CATALOGUE["linear"]{reading}
    form = expanded_form(cell, "h_T", "w")
    said = replace(form, right={right}, recurrence=None)
    write.state(cell, form.left, (said.right,), "so it is said",
                lambda: verdict_of(cell, said, objective=final(cell)), at_least={least!r})
"""


class Page(HTMLParser):
    """Anchors, links, equations and their verdicts; refuses tags that do not nest."""

    VOID = frozenset({"meta", "link", "br", "hr", "img", "input", "wbr", "col"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.equations = 0
        self.verdicts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert len(given) == len(attrs), f"an attribute twice in <{tag}>"
        if "id" in given:
            self.anchors.append(given["id"])
        if "href" in given:
            self.links.append(given["href"])
        self.sources += [
            given[name] for name in ("src", "action", "data", "srcset") if name in given
        ]
        classes = given.get("class", "").split()
        self.equations += "eq" in classes
        if "v" in classes and tag == "span":
            self.verdicts.append(next(c for c in classes if c != "v"))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> closes <{self._open[-1]}>"
        self._open.pop()


class Built:
    def __init__(self, out: Path, derivations: dict[str, Derivation]) -> None:
        self.out, self.derivations = out, derivations

    def text(self, name: str) -> str:
        return (self.out / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """All three documents, once."""
    out = tmp_path_factory.mktemp("built") / "new" / "folder"
    made: dict[str, Derivation] = {}
    finish = Writer.finish

    def keep(writer: Writer) -> Derivation:
        made[writer.name] = finish(writer)
        return made[writer.name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, "finish", keep)
        code = main(
            [
                "build",
                "--from",
                str(ROOT / "derivations"),
                "--out",
                str(out),
                "--format",
                "html,tex,md",
            ]
        )
    assert code == 0
    return Built(out, made)


# ---- what is written ------------------------------------------------------------------------


def test_every_document_in_every_format_and_an_index(built: Built) -> None:
    names = {path.name for path in built.out.iterdir()}
    expected = {f"{name}.{form}" for name in DOCUMENTS for form in ("html", "tex", "md")}
    figures = {name for name in names if re.fullmatch(r"\w+-\d+\.svg", name)}
    assert names == expected | figures | {"index.html"}
    assert {f"{name}-1.svg" for name in DOCUMENTS} <= figures


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_displayed_equation_has_a_verdict(built: Built, name: str) -> None:
    steps = list(built.derivations[name].steps())
    assert len(steps) > 20
    assert {step.verdict.status for step in steps} <= HOLDING
    page = Page(built.text(f"{name}.html"))
    assert page.equations == len(steps)
    for step in steps:
        assert f"eq-{step.label}" in page.anchors
    displayed = re.findall(
        r'<div class="eq" id="eq-(\d+)">.*?<p class="why"><span class="v (\w+)">',
        built.text(f"{name}.html"),
        re.S,
    )
    assert displayed == [(step.label, step.verdict.status) for step in steps]
    markdown = built.text(f"{name}.md")
    said = re.findall(r"\\tag\{(\d+)\}\n\$\$\n\n\S+ \*\*(\w+)\*\*", markdown)
    assert said == displayed
    labels = re.findall(r"\\tag\{(\d+)\}", built.text(f"{name}.tex"))
    assert labels == [step.label for step in steps]


@pytest.mark.parametrize("name", [*DOCUMENTS, "index"])
def test_pages_nest_and_anchors_are_unique_and_lead_somewhere(built: Built, name: str) -> None:
    page = Page(built.text(f"{name}.html"))
    assert [a for a, count in Counter(page.anchors).items() if count > 1] == []
    files = {path.name for path in built.out.iterdir()}
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.anchors, link
        elif not link.startswith("data:"):
            assert link.partition("#")[0] in files, link
    assert all(source.startswith("data:") for source in page.sources)


def test_the_index_links_every_document_in_every_format(built: Built) -> None:
    links = Page(built.text("index.html")).links
    for name in DOCUMENTS:
        for form in ("html", "tex", "md"):
            assert f"{name}.{form}" in links
    assert not [link for link in links if link.endswith(".pdf")]


def test_pages_ask_nothing_of_the_network(built: Built) -> None:
    for path in built.out.iterdir():
        text = path.read_text(encoding="utf-8")
        # Names of XML languages and of a font's licence are no references.
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}", text))
        addresses -= {"http://www.w3.org", "https://openfontlicense.org"}
        if path.suffix == ".html":
            assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
            assert not re.search(r"url\((?!['\"]?(?:data:|#))", text)
            assert "@import" not in text
        assert not addresses, (path.name, addresses)


def test_nothing_internal_leaks_into_the_output(built: Built) -> None:
    machine = {str(ROOT), str(Path.home()), str(built.out), os.getcwd(), tempfile.gettempdir()}
    for path in built.out.iterdir():
        text = path.read_text(encoding="utf-8")
        for leak in ("Dummy", "object at 0x", "<class ", "<lambda>", "Traceback", *machine):
            assert leak not in text, (path.name, leak)
        plain = re.sub(r"base64,[\w+/=]+", "", text)
        assert not re.search(r"\b(nan|None|inf)\b", plain), path.name


# ---- the same again ----------------------------------------------------------------------


def build(
    *arguments: str, seed: str = "0", code: str | None = None
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = ["-m", "symgrad"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *command, "build", *arguments],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
    )


def test_a_second_build_elsewhere_gives_the_same_bytes(built: Built, tmp_path: Path) -> None:
    """In another process, with other hashes and in another folder."""
    found = build(
        "linear",
        "--from",
        str(ROOT / "derivations"),
        "--out",
        str(tmp_path / "b"),
        "--format",
        "html,tex,md",
        seed="4711",
    )
    assert found.returncode == 0, found.stderr
    compared = [path for path in (tmp_path / "b").iterdir() if path.name != "index.html"]
    assert len(compared) == 4
    for path in compared:
        assert path.read_bytes() == (built.out / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_the_long_documents_print_the_same_twice(built: Built, name: str) -> None:
    """Their checks take 15 s and are not repeated; the printing is."""
    from symgrad.cli.build import _printed
    from symgrad.cli.progress import Progress
    from symgrad.render.derivation_document import document

    again = _printed(document(built.derivations[name]), ("html", "tex", "md"), Progress())
    for file, content in again.items():
        assert content == (built.out / file).read_bytes(), file


def test_pdf_is_the_same_in_another_folder(tmp_path: Path) -> None:
    require_tool("pdflatex")
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "good.py").write_text(GOOD)
    contents = []
    for folder, seed in (("a", "1"), ("b-longer", "2")):
        found = build("--from", str(tmp_path / "from"), "--out", str(tmp_path / folder), seed=seed)
        assert found.returncode == 0, found.stderr
        names = {path.name for path in (tmp_path / folder).iterdir()}
        assert names == {"good.html", "good.tex", "good.md", "good.pdf", "index.html"}
        contents.append({name: (tmp_path / folder / name).read_bytes() for name in sorted(names)})
    assert contents[0]["good.pdf"].startswith(b"%PDF-")
    assert contents[0] == contents[1]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_is_accepted_by_tex(built: Built, name: str) -> None:
    require_tool("pdflatex")
    from symgrad.render.pdf import compile_pdf

    assert compile_pdf(built.text(f"{name}.tex"), name=name).startswith(b"%PDF-")


# ---- what does not build --------------------------------------------------------------------


class Folder:
    """A folder of documents and the files built from them."""

    def __init__(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.source, self.out, self.capsys = place / "from", place / "out", capsys
        self.source.mkdir()

    def write(self, name: str, text: str) -> None:
        (self.source / f"{name}.py").write_text(text)

    def build(self, *names: str) -> tuple[int, str]:
        code = main(
            [
                "build",
                *names,
                "--from",
                str(self.source),
                "--out",
                str(self.out),
                "--format",
                "html,tex,md",
            ]
        )
        streams = self.capsys.readouterr()
        assert streams.out.count("\n") <= 1
        return code, streams.err

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.out.iterdir()}


BUILT = {"good.html", "good.md", "good.tex", "index.html"}


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    made = Folder(tmp_path, capsys)
    made.write("good", GOOD)
    return made


def stated(right: str, *, least: str = "tested", scalar: bool = True) -> str:
    return STATED.format(right=right, least=least, reading=".scalar()" if scalar else "")


def test_a_wrong_equation_stops_its_document_and_no_other(folder: Folder) -> None:
    folder.write("other", stated("form.right"))
    assert folder.build() == (
        0,
        "symgrad: built good (good.html, good.md, good.tex)\n"
        "symgrad: built other (other.html, other.md, other.tex)\n",
    )
    (folder.out / "other-1.svg").write_text("an old figure")
    (folder.out / "other.pdf").write_text("an old file")
    (folder.out / "otherwise.html").write_text("of somebody else")
    old = (folder.out / "good.html").read_bytes()
    folder.write("other", stated("form.right + cell.params[0]"))
    code, errors = folder.build()
    assert code == 1
    # The equation by number, both sides, and where they differ.
    assert "symgrad: error: document 'other', equation (1), dh_T/dw = " in errors
    assert "refuted" in errors
    assert re.search(r"at T = \d+, .*w = .*left side .*, right side ", errors), errors
    assert "symgrad: built good" in errors
    assert folder.files == BUILT | {"otherwise.html"}
    assert (folder.out / "good.html").read_bytes() == old
    assert "other" not in (folder.out / "index.html").read_text().replace("otherwise", "")


def test_a_small_error_late_in_the_sum_is_found(folder: Folder) -> None:
    """One part in 10^12, at w = 0.9: floating point would not mind."""
    wrong = "form.right + cell.params[0]**40 * (cell.params[0] * 0 + 1) / 10**12"
    folder.write("other", stated(wrong))
    code, errors = folder.build("other")
    assert code == 1
    assert "refuted" in errors


def test_falling_below_what_a_document_asks_for(folder: Folder) -> None:
    same = "form.right * cell.params[0] / cell.params[0]"
    folder.write("other", stated(same, least="proved"))
    code, errors = folder.build("other")
    assert code == 1
    assert "equation (1)" in errors
    assert "checked" in errors
    assert "(at least proved is asked for)" in errors
    assert not folder.files & {"other.html", "other.md", "other.tex"}
    folder.write("other", stated(same, least="checked"))
    assert folder.build("other")[0] == 0


def test_a_wrong_entry_of_the_table_stops_what_uses_it(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "uses.py").write_text(
        GOOD.replace('CATALOGUE["linear"]', 'CATALOGUE["rnn"]')
        + "    from symgrad import expanded_form, verdict_of\n"
        + '    cell = CATALOGUE["rnn"].scalar()\n'
        + '    form = expanded_form(cell, "h_T", "w_h")\n'
        + '    write.state(cell, form.left, (form.right,), "", lambda: verdict_of(cell, form))\n'
    )
    (tmp_path / "from" / "without.py").write_text(stated("form.right"))
    broken = (
        "import sys\n"
        "from symgrad.cli import main\n"
        "from symgrad.lang.nodes import const\n"
        "from symgrad.ops import tanh\n"
        "from symgrad.lang.nodes import param\n"
        "head = tanh(param('a')).head\n"
        "object.__setattr__(head, 'partials', lambda ans, a: (const(1) - ans,))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    found = build(
        "--from",
        str(tmp_path / "from"),
        "--out",
        str(tmp_path / "out"),
        "--format",
        "html",
        code=broken,
    )
    assert found.returncode == 1, found.stderr
    assert "the table of primitives is wrong at tanh" in found.stderr
    assert "symgrad/ops/table.py" in found.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"without.html", "index.html"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def derive(write): pass\n", "needs the strings TITLE and SUMMARY"),
        ("TITLE = SUMMARY = 'x'\n", "has no function derive(write)"),
        ("TITLE = SUMMARY = 'x'\ndef derive(write): 1/0\n", "document 'other': ZeroDivisionError"),
        ("TITLE = SUMMARY = 'x'\ndef derive(write): write.text('x')\n", "begin with a section"),
        ("1/0\n", "cannot be imported: ZeroDivisionError"),
    ],
)
def test_modules_that_are_no_documents(folder: Folder, text: str, words: str) -> None:
    folder.write("other", text)
    code, errors = folder.build()
    assert code == 1
    assert words in errors
    assert "Traceback" not in errors
    assert folder.files == BUILT


def test_a_document_that_cannot_be_written_leaves_nothing_behind(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == "good.md":
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    code, errors = folder.build()
    assert code == 1
    assert "No space left on device" in errors
    assert folder.files == {"index.html"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], "no document 'nope' in"),
        (["--from", "nowhere"], "no folder nowhere"),
        (["--format", "html,docx"], "--format has 'docx'"),
        (["--format", ","], "--format is empty"),
    ],
)
def test_what_cannot_be_built_is_said_first(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "derivations").mkdir()
    (tmp_path / "derivations" / "good.py").write_text(GOOD)
    assert main(["build", *arguments]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert words in streams.err
    assert not (tmp_path / "build").exists()


def test_without_tex_pdf_is_left_out_with_a_word(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import symgrad.cli.build as building

    monkeypatch.setattr(building, "pdf_available", lambda: None)
    assert main(["build", "--from", str(folder.source), "--out", str(folder.out)]) == 0
    assert "no TeX found" in capsys.readouterr().err
    assert folder.files == BUILT
    assert (
        main(["build", "--from", str(folder.source), "--out", str(folder.out), "--format", "pdf"])
        == 2
    )
    assert "install TeX" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.out.write_text("a file")
    assert main(["build", "--from", str(folder.source), "--out", str(folder.out)]) == 2
    assert "name another folder with --out" in capsys.readouterr().err
