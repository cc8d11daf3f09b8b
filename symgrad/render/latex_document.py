r"""Documents to LaTeX: a ``Document`` in, one complete article for pdfLaTeX out.

It needs texlive-latex-base, texlive-latex-recommended and lmodern, nothing else.
Displayed equations are broken by ``breaking`` and, where that is not enough, scaled
to the line by ``\fit``, so that nothing runs over the margin. Compiled twice it gives
the same bytes (with SOURCE_DATE_EPOCH set, see ``pdf``).
"""

from __future__ import annotations

from symgrad.render.blocks import (
    Block,
    Display,
    Document,
    Figure,
    Heading,
    Items,
    Listing,
    Paragraph,
    Proof,
    Table,
    Text,
    VerdictName,
)
from symgrad.render.breaking import break_lines, display_lines, width
from symgrad.render.latex_math import latex, latex_lines, latex_stack
from symgrad.render.latex_text import escape, escape_cells
from symgrad.render.symbols import GREEK, OPERATORS
from symgrad.render.text_math import plain

LINE = 35.0  # em: what a displayed equation may fill beside its number
_INLINE = 20.0  # em: a wider formula in a sentence is displayed in a proof, fitted in a table
_TABLE = 38.0  # em: the width of the text, as columns see it
_LONG = 12  # lines or rows: more than these may be parted by the end of a page

_SIGNS: dict[VerdictName, str] = {
    "given": r"\mathrel{:=}",
    "proved": r"\blacksquare",
    "checked": r"\checkmark",
    "tested": r"\approx",
    "refuted": r"\ne",
    "undecided": "?",
}

_PREAMBLE = r"""\ifdefined\pdftrailerid\pdftrailerid{}\fi
\ifdefined\pdfinfoomitdate\pdfinfoomitdate=1\fi
\ifdefined\pdfsuppressptexinfo\pdfsuppressptexinfo=-1\fi
\documentclass[11pt,a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
\usepackage{lmodern}
\usepackage[a4paper,hmargin=29mm,top=27mm,bottom=30mm]{geometry}
\usepackage{amssymb}
\usepackage[fleqn]{amsmath}
\usepackage{mathtools}
\usepackage{graphicx}
\usepackage{array,booktabs,longtable}
\usepackage{xcolor}
\usepackage[final,babel=false]{microtype}
\DisableLigatures{family=tt*}
\usepackage[hidelinks,unicode,bookmarksnumbered]{hyperref}

\definecolor{given}{HTML}{5D6068}
\definecolor{proved}{HTML}{22643C}
\definecolor{checked}{HTML}{245A8C}
\definecolor{tested}{HTML}{85590B}
\definecolor{refuted}{HTML}{A3262A}
\definecolor{undecided}{HTML}{A3262A}
\definecolor{soft}{HTML}{55585F}

\setlength{\mathindent}{2em}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.55\baselineskip plus 0.15\baselineskip}
\setlength{\emergencystretch}{3em}
\setlength{\LTleft}{0pt}
\setcounter{MaxMatrixCols}{64}
\setcounter{tocdepth}{2}
\allowdisplaybreaks
\raggedbottom

% \fit{width}{formula}: as it is when it fits, else scaled down to the width.
\newsavebox{\fitbox}
\newcommand{\fit}[2]{\sbox{\fitbox}{$\displaystyle #2$}\shrink{#1}}
\newcommand{\fitpicture}[2]{\sbox{\fitbox}{#2}\shrink{#1}}
\newcommand{\shrink}[1]{%
  \ifdim\wd\fitbox>\dimexpr#1\relax
    \resizebox{\dimexpr#1\relax}{!}{\usebox{\fitbox}}%
  \else\usebox{\fitbox}\fi}
% A display begins a paragraph of its own, whose empty line \displaystart takes back.
\AtBeginDocument{\abovedisplayskip=0pt\abovedisplayshortskip=0pt
  \belowdisplayskip=0.75\baselineskip\belowdisplayshortskip=0.75\baselineskip
  \postdisplaypenalty=10000 }
\newcommand{\displaystart}{\par\vspace{-0.7\baselineskip}}
\newlength{\displayroom}
\setlength{\displayroom}{\dimexpr\linewidth-\mathindent-3.2em\relax}

% Below an equation: its verdict, the rule that gives it, its scope.
\newcommand{\why}[1]{\par\nobreak\vspace{-0.55\baselineskip}%
  {\leftskip=\mathindent\rightskip=0pt plus 4em\small\noindent\color{soft}#1\par}%
  \vspace{0.35\baselineskip}}
\newcommand{\verdict}[3]{{\color{#1}$#2$~#3}\hspace{0.9em}}
\newcommand{\picturecaption}[2]{\par\vspace{0.7\baselineskip}%
  {\small\color{soft}\raggedright\textbf{Figure #1.} #2\par}}
\newenvironment{picturebox}
  {\par\vspace{0.5\baselineskip}\noindent\begin{minipage}{\linewidth}\centering}
  {\end{minipage}\par\vspace{0.4\baselineskip}}
\newenvironment{tablebox}
  {\par\vspace{0.4\baselineskip}\noindent\begin{minipage}{\linewidth}}
  {\end{minipage}\par\vspace{0.4\baselineskip}}
\newcommand{\tablecaption}[1]{{\noindent\color{soft}#1\par}\nobreak\vspace{0.5\baselineskip}}
% One character of a listing that the typewriter font does not have.
\newcommand{\cell}[1]{\hbox to 0.525em{\hss#1\hss}}
\newcommand{\statement}[1]{\par\vspace{0.25\baselineskip}\noindent#1}
\newcommand{\reason}[1]{\par\nobreak\vspace{-0.45\baselineskip}{\noindent\small\color{soft}#1\par}}
\newenvironment{proofof}[1]
  {\par\vspace{0.4\baselineskip}\noindent\textbf{#1}\par\nobreak\leftskip=1.2em
   \setlength{\displayroom}{\dimexpr\linewidth-1.4em\relax}}
  {\par\vspace{0.4\baselineskip}}
"""


def latex_document(document: Document, *, version: str) -> str:
    """The whole article as text."""
    figures = 0
    body = []
    for block in document.blocks:
        figures += isinstance(block, Figure)
        body.append(_block(block, figures))
    title, summary = escape(document.title), escape(document.summary)
    contents = "{\\parskip=0pt\\tableofcontents}\n" if _sections(document) > 1 else ""
    return f"""{_PREAMBLE}
\\hypersetup{{pdftitle={{{_bookmark(document.title)}}},pdfsubject={{{_bookmark(document.summary)}}},
  pdfcreator={{symgrad {escape(version)}}},pdflang={{en}}}}

\\begin{{document}}
{{\\LARGE\\bfseries\\raggedright {title}\\par}}
\\vspace{{0.3\\baselineskip}}
{{\\large\\color{{soft}}\\raggedright {summary}\\par}}
\\vspace{{0.6\\baselineskip}}
{contents}
{"".join(body)}
\\vspace{{\\baselineskip}}
{{\\small\\color{{soft}}Derived and printed by symgrad {escape(version)}.\\par}}
\\end{{document}}
"""


def _bookmark(text: str) -> str:
    """Text for the outline and the metadata of the PDF, which know no mathematics."""
    named = GREEK | OPERATORS | {"T": "T", "d": "d", "⊤": "T", "·": "·", "…": "..."}
    return escape("".join(named.get(character, character).strip("\\") for character in text))


def _sections(document: Document) -> int:
    return sum(isinstance(block, Heading) for block in document.blocks)


def _text(text: Text) -> str:
    return "".join(escape(part) if isinstance(part, str) else f"${latex(part)}$" for part in text)


def _block(block: Block, figures: int) -> str:
    match block:
        case Heading(level, text):
            command = "section" if level == 1 else "subsection"
            words = "".join(
                escape(part)
                if isinstance(part, str)
                else rf"\texorpdfstring{{${latex(part)}$}}{{{_bookmark(plain((part,)))}}}"
                for part in text
            )
            return f"\\{command}{{{words}}}\n\n"
        case Paragraph(text):
            return f"{_text(text)}\n\n"
        case Display():
            return _display(block)
        case Table():
            return _table(block)
        case Figure(_, picture, caption):
            drawing = rf"\fitpicture{{\linewidth}}{{{picture}}}"
            words = rf"\picturecaption{{{figures}}}{{{_text(caption)}}}"
            return f"\\begin{{picturebox}}\n{drawing}\n{words}\n\\end{{picturebox}}\n\n"
        case Listing(text):
            return _listing(text)
        case Items(items):
            lines = "".join(f"\\item {_text(item)}\n" for item in items)
            return f"\\begin{{itemize}}\n{lines}\\end{{itemize}}\n\n"
        case Proof():
            return _proof(block)
    raise TypeError(f"no LaTeX for a {type(block).__name__}")


def _display(display: Display) -> str:
    lines = display_lines(display, LINE)
    label = escape(display.label)
    if len(lines) <= _LONG:
        formula = rf"\fit{{\displayroom}}{{{latex_lines(lines)}}}"
        shown = (
            f"\\displaystart\n\\begin{{equation*}}\n{formula}\\tag{{{label}}}\n\\end{{equation*}}\n"
        )
    else:
        rows = (
            latex_lines(lines).removeprefix("\\begin{aligned}\n").removesuffix("\n\\end{aligned}")
        )
        shown = f"\\displaystart\n\\begin{{align*}}\n{rows}\\tag{{{label}}}\n\\end{{align*}}\n"
    sign = rf"\verdict{{{display.verdict}}}{{{_SIGNS[display.verdict]}}}{{{display.verdict}}}"
    scope = f" --- {_text(display.conditions)}" if display.conditions else ""
    return f"{shown}\\why{{{sign}{_text(display.rule)}{scope}}}\n\n"


def _table(table: Table) -> str:
    columns = _columns(table)
    rows = "".join(f"{' & '.join(map(_cell, row))} \\\\\n" for row in table.rows)
    head = " & ".join(rf"\textbf{{{_text(cell)}}}" for cell in table.header)
    long = len(table.rows) > _LONG
    kind, repeated = ("longtable", "\\endhead\n") if long else ("tabular", "")
    caption = rf"\tablecaption{{{_text(table.caption)}}}" + "\n" if table.caption else ""
    printed = (
        f"{caption}\\begin{{{kind}}}{{@{{}}{columns}@{{}}}}\n\\toprule\n{head} \\\\\n\\midrule\n"
        f"{repeated}{rows}\\bottomrule\n\\end{{{kind}}}"
    )
    # A short table stays on one page.
    kept = printed if long else f"\\begin{{tablebox}}\n{printed}\n\\end{{tablebox}}"
    return f"{{\\small\n{kept}\\par}}\n\n"


def _cell(text: Text) -> str:
    fitted = (
        escape(part)
        if isinstance(part, str)
        else (
            rf"\fit{{\linewidth}}{{{latex(part)}}}" if width(part) > _INLINE else f"${latex(part)}$"
        )
        for part in text
    )
    return "".join(fitted)


def _columns(table: Table) -> str:
    """Natural columns when they fit, else paragraphs whose widths share the line."""
    wanted = [
        max(_text_width(row[place]) for row in (table.header, *table.rows))
        for place in range(len(table.header))
    ]
    room = _TABLE * 1.08 - 1.2 * (len(wanted) - 1)  # in em of \small
    if sum(wanted) <= room:
        return "l" * len(wanted)
    # Narrow columns keep their width; the wide ones share what is left.
    fair = room / len(wanted)
    for _ in wanted:
        kept = sum(size for size in wanted if size <= fair)
        wide = [size for size in wanted if size > fair]
        fair = max(fair, (room - kept) / len(wide)) if wide else fair
    shares = [min(size, fair) / (room + 1.2 * (len(wanted) - 1)) for size in wanted]
    return "".join(
        rf">{{\raggedright\arraybackslash}}p{{{share:.3f}\linewidth}}" for share in shares
    )


def _text_width(text: Text) -> float:
    return sum(0.5 * len(part) if isinstance(part, str) else width(part) for part in text)


def _listing(text: str) -> str:
    lines = text.rstrip().expandtabs(4).split("\n")
    longest = max(map(len, lines))
    size = r"\footnotesize" if longest <= 88 else r"\scriptsize"
    body = "\\\\\n".join(escape_cells(line) or r"\strut" for line in lines)
    setting = rf"{size}\ttfamily\raggedright\frenchspacing\parskip=0pt"
    return f"\\medskip\n{{{setting}\n{body}\\par}}\n\\medskip\n\n"


def _proof(proof: Proof) -> str:
    lines = []
    for statement, reason in proof.lines:
        lines.append(rf"\statement{{{_statement(statement)}}}")
        if reason:
            lines.append(rf"\reason{{{_text(reason)}}}")
    body = "\n".join(lines)
    return f"\\begin{{proofof}}{{{_text(proof.title)}}}\n{body}\n\\end{{proofof}}\n\n"


def _statement(statement: Text) -> str:
    """A line of a proof; a formula alone or a wide one is set in display style and fitted."""
    pieces = []
    for part in statement:
        if isinstance(part, str):
            pieces.append(escape(part))
        elif len(statement) == 1 or width(part) > _INLINE:
            pieces.append(rf"\fit{{\displayroom}}{{{latex_stack(break_lines(part, LINE))}}}")
        else:
            pieces.append(f"${latex(part)}$")
    return "".join(pieces)
