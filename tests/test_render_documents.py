"""The printers of documents: HTML, LaTeX, Markdown, and the PDF that TeX makes of it."""

from __future__ import annotations

import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from symgrad.render.blocks import (
    Display,
    Document,
    Figure,
    Heading,
    Items,
    Listing,
    Paragraph,
    Proof,
    Table,
)
from symgrad.render.html import IndexEntry, html_index, html_page
from symgrad.render.inline import inline, read_math
from symgrad.render.latex_document import latex_document
from symgrad.render.layout import Fence, Grid, Ident, Op, Row
from symgrad.render.markdown import markdown_document, markdown_figures
from symgrad.render.pdf import PdfError, compile_pdf
from tools import require_tool

HOSTILE = r"<b>&\input{x} 50% $a_b ^~#{"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 40"><path d="M0 9h900"/></svg>'
PICTURE = r"\begin{picture}(300,10)\put(0,5){\line(1,0){300}}\end{picture}"
TERMS = tuple(part for n in range(40) for part in (Op("+"), Ident("x"), Ident(f"w{n}")))[1:]
WIDE = Row((Ident("h"), Op("⊙"), Fence(Row(TERMS))))
MATRIX = Grid((tuple(Ident(f"entry{n}") for n in range(24)),))

DOCUMENT = Document(
    name="sample",
    title=f"A title with {HOSTILE}",
    summary=f"A summary with λ and {HOSTILE}",
    blocks=(
        Heading(1, inline("First: $\\lambda_t$")),
        Paragraph((HOSTILE, *inline(" and $h_{t-1}$ in a sentence"))),
        Display(
            "1",
            read_math("h_t"),
            "=",
            (read_math(r"\tanh(W_h h_{t-1})"), WIDE),
            inline("Chain rule for $h_t$"),
            "proved",
            inline(r"for $t \ge 1$"),
        ),
        Display("2", Ident(HOSTILE, "upright"), "≠", (MATRIX,), (HOSTILE,), "refuted"),
        Display("3", WIDE, "=", (WIDE,), ("long on both sides",), "tested"),
        Heading(2, ("Second",)),
        Table(
            (("how",), ("scope",), ("a third",)),
            ((inline("$T$ steps"), (HOSTILE,), (WIDE,)), (("plain",), ("words " * 30,), ("c",))),
            caption=inline("All of $T$"),
        ),
        Table((("n",), ("count",)), tuple(((str(n),), (str(n * n),)) for n in range(15))),
        Figure(SVG, PICTURE, inline("The chain of $h_t$"), f"a line {HOSTILE}"),
        Proof(inline("Proof for $T$"), ((inline("$x = x$"), ("trivial",)), ((WIDE,), ()))),
        Items((("one",), inline("$x$ two"))),
        Listing("a ─> λ_1\n```\n\\end{verbatim} <b> & 100% '`\n" + "long line " * 14),
    ),
)  # fmt: skip

FOREIGN = re.compile(r"https?://(?!www\.w3\.org/(1998/Math/MathML|2000/svg|1999/xhtml)\b)")


class _Tags(HTMLParser):
    """Checks that every element is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _parsed(page: str) -> _Tags:
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    return tags


INDEX = html_index(
    [
        IndexEntry("sample", "One", HOSTILE, (("HTML", "sample.html"), ("PDF", "sample.pdf"))),
        DOCUMENT,
    ],
    version="1.2",
)


@pytest.mark.parametrize("page", [html_page(DOCUMENT, version="1.2"), INDEX], ids=["page", "index"])
def test_html_is_self_contained(page: str) -> None:
    tags = _parsed(page)

    assert FOREIGN.search(page) is None
    assert not {"script", "link", "img", "iframe", "b"} & {
        tag for tag, _ in tags.seen if tag != "b"
    }
    assert ("html", {"lang": "en"}) in tags.seen
    assert page.count("<title>") == 1
    assert 'name="viewport"' in page
    assert "data:font/woff2;base64," in page


def test_html_escapes_what_a_user_wrote() -> None:
    page = html_page(DOCUMENT, version="1.2")

    assert "<b>&\\input" not in page
    assert "&lt;b&gt;&amp;\\input{x}" in page


def test_html_numbers_equations_and_headings() -> None:
    page = html_page(DOCUMENT, version="1.2")
    ids = [attributes["id"] for _, attributes in _parsed(page).seen if "id" in attributes]

    assert len(ids) == len(set(ids))
    assert {"eq-1", "eq-2", "eq-3", "section-1", "section-1-1", "figure-1"} <= set(ids)
    assert all(f'href="#{anchor}"' in page for anchor in ("eq-1", "section-1-1"))


def test_verdicts_are_words() -> None:
    for text in (html_page(DOCUMENT, version="1"), markdown_document(DOCUMENT, version="1")):
        assert re.search(r"proved\b", text)
        assert re.search(r"refuted\b", text)


def test_index_links_the_documents() -> None:
    assert '<a href="sample.html">One</a>' in INDEX
    assert '<a href="sample.pdf">PDF</a>' in INDEX


def test_printing_twice_gives_the_same() -> None:
    for printer in (html_page, latex_document, markdown_document):
        assert printer(DOCUMENT, version="1") == printer(DOCUMENT, version="1")


def test_markdown() -> None:
    text = markdown_document(DOCUMENT, version="1.2")

    assert text.startswith("# A title with &lt;b&gt;&amp;\\\\input\\{x\\} 50% \\$a\\_b")
    assert (
        '<a id="eq-1"></a>\n\n$$\n\\begin{aligned}\nh_t & = \\tanh(W_h\\thinspace h_{t-1})' in text
    )
    assert (
        "\\end{aligned}\\tag{1}\n$$\n\n∎ **proved** · Chain rule for $h_t$ — for $t \\ge 1$" in text
    )
    assert "](<sample-1.svg>)" in text
    assert "````text\na ─> λ_1" in text
    assert "| --- | --- | --- |" in text
    assert markdown_figures(DOCUMENT) == (("sample-1.svg", SVG),)


def test_markdown_formulas_survive_backslash_escapes() -> None:
    """Between dollar signs no backslash stands before a character Markdown unescapes."""
    text = markdown_document(DOCUMENT, version="1.2")

    for formula in re.findall(r"^\$\$\n(.*?)\n\$\$$", text, flags=re.DOTALL | re.MULTILINE):
        assert re.search(r"\\[^A-Za-z]", formula) is None
    assert re.search(r"^```math\n[^`]*\\_b", text, flags=re.MULTILINE)


def test_latex_escapes_what_a_user_wrote() -> None:
    text = latex_document(DOCUMENT, version="1.2")

    assert r"\input" not in text
    assert r"\textbackslash{}input\{x\}" in text
    assert r"\end{verbatim}" not in text
    packages = re.findall(r"\\usepackage(?:\[.*?\])?\{(.*?)\}", text)
    assert not {"cleveref", "tikz", "tcolorbox", "enumitem"} & set(",".join(packages).split(","))


def test_pdf_is_byte_identical() -> None:
    require_tool("pdflatex")
    text = latex_document(DOCUMENT, version="1.2")
    first = compile_pdf(text, name="sample")

    assert first.startswith(b"%PDF-")
    assert first == compile_pdf(text, name="sample")


def test_nothing_runs_over_the_margin(tmp_path: Path) -> None:
    pdflatex = require_tool("pdflatex")
    (tmp_path / "sample.tex").write_text(latex_document(DOCUMENT, version="1.2"), encoding="utf-8")
    subprocess.run(
        [pdflatex, "-interaction=nonstopmode", "sample.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    log = (tmp_path / "sample.log").read_text(encoding="utf-8", errors="replace")

    assert re.findall(r"Overfull \\hbox \((?:[1-9]|\d{2,})\..*", log) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (r"\undefinedmacro", r"(?s)bad: TeX failed\n! Undefined control sequence.*undefinedmacro"),
        (r"\input{/etc/hostname}", "bad: TeX failed"),
    ],
)
def test_pdf_errors_say_why(body: str, message: str) -> None:
    require_tool("pdflatex")
    text = rf"\documentclass{{article}}\begin{{document}}{body} x\end{{document}}"

    with pytest.raises(PdfError, match=message):
        compile_pdf(text, name="bad")


def test_pages_never_scroll_sideways(tmp_path: Path) -> None:
    chromium = require_tool("chromium")
    frames = [(page, width) for page in (html_page(DOCUMENT, version="1"), INDEX)
              for width in (400, 1000)]  # fmt: skip
    sources = json.dumps(frames).replace("</", "<\\/")
    (tmp_path / "frames.html").write_text(
        f"""<!DOCTYPE html><meta charset="utf-8"><body><script>
        for (const [page, width] of {sources}) {{
          const frame = document.createElement("iframe");
          frame.style = `border:0;height:800px;width:${{width}}px`;
          frame.srcdoc = page;
          frame.onload = () => {{
            const root = frame.contentDocument.documentElement;
            const result = document.createElement("samp");
            result.textContent = `${{width}}:${{root.scrollWidth}}:${{root.clientWidth}}`;
            document.body.append(result);
          }};
          document.body.append(frame);
        }}</script>""",
        encoding="utf-8",
    )
    shown = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
         (tmp_path / "frames.html").as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    measured = re.findall(r"<samp>(\d+):(\d+):(\d+)</samp>", shown.stdout)

    assert sorted(int(width) for width, _, _ in measured) == [400, 400, 1000, 1000]
    assert all(int(scroll) <= int(client) for _, scroll, client in measured)
