"""Mathematics to LaTeX: a box in, text for math mode out.

The text needs amsmath and nothing else, runs in MathJax and KaTeX as well, and holds
no character that a user chose without its being escaped. Precedence is not decided
here: a pair of parentheses is printed where there is a ``Fence``, nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgrad.render.breaking import DisplayLine
from symgrad.render.latex_text import escape
from symgrad.render.layout import (
    Big,
    Box,
    Call,
    Cases,
    Fence,
    Frac,
    Grid,
    Ident,
    Number,
    Op,
    Restrict,
    Root,
    Row,
    Script,
    Under,
    Words,
)
from symgrad.render.symbols import (
    ACCENTS,
    FUNCTIONS,
    GREEK,
    LIMITS,
    OPERATORS,
    height,
    spaced_words,
    split_name,
)

_NAME_CHARACTERS = {
    "\\": r"\backslash ",
    "^": r"{\wedge}",
    "~": r"{\sim}",
    " ": r"\ ",
    "-": r"\text{-}",
    "<": "{<}",
    ">": "{>}",
    '"': r"''",
    "*": r"{\ast}",
} | {character: "\\" + character for character in "{}$&#%_"}
_LEFT = {"{": r"\{", "⟨": r"\langle", "|": r"\lvert", "‖": r"\lVert", "": "."}
_RIGHT = {"}": r"\}", "⟩": r"\rangle", "|": r"\rvert", "‖": r"\rVert", "": "."}


def latex(box: Box) -> str:
    """LaTeX for one box, without the dollar signs."""
    match box:
        case Ident(text, style):
            return _identifier(text, style)
        case Number(text):
            return "".join(_name_character(character) for character in text)
        case Op():
            return _operator(box)
        case Row(items):
            return _row(items)
        case Script(base, sub, sup):
            return _script(base, sub, sup)
        case Frac(over, under):
            return rf"\frac{{{latex(over)}}}{{{latex(under)}}}"
        case Big(text, lower, upper, body):
            sign = f"{OPERATORS[text]}_{{{_closed_up(lower)}}}^{{{_closed_up(upper)}}}"
            return f"{sign} {latex(body)}"
        case Fence(body, left, right):
            return _fence(body, left, right)
        case Root(body):
            return rf"\sqrt{{{latex(body)}}}"
        case Call(name, arguments, sub):
            head = function_name(name)
            if sub is not None:
                # Braces as for a name with scripts: beside \max, and below a prime.
                braced = name in LIMITS or "'" in head
                head = (f"{{{head}}}" if braced else head) + f"_{_argument(sub)}"
            return join((head, _fence(Row(_with_commas(arguments)), "(", ")")))
        case Grid(rows, bracket):
            kind = "bmatrix" if bracket == "[" else "pmatrix"
            return _environment(kind, rows)
        case Cases(rows):
            return _environment("cases", rows)
        case Restrict(body, sub):
            return rf"\left. {latex(body)} \right|_{{{latex(sub)}}}"
        case Under(body, remark):
            return rf"\underbrace{{{latex(body)}}}_{{{latex(remark)}}}"
        case Words(text):
            return rf"\text{{{escape(text)}}}"
    raise TypeError(f"no LaTeX for a {type(box).__name__}")


def join(parts: tuple[str, ...] | list[str]) -> str:
    """Tokens side by side, with a space where two would otherwise run into one."""
    text = ""
    for part in parts:
        if re.search(r"\\[A-Za-z]+$", text) and part[:1].isalpha():
            text += " "
        text += part
    return text


def function_name(name: str) -> str:
    """The name of a function: its own macro, a letter, or an ``\\operatorname``."""
    base, accent, primes = split_name(name)
    if accent or base in GREEK or len(base) == 1:
        return _identifier(name, "italic")
    macro = "\\" + base if base in FUNCTIONS else rf"\operatorname{{{_escape_name(base)}}}"
    return macro + "'" * len(primes)


def _escape_name(text: str) -> str:
    return "".join(_name_character(character) for character in text)


def _name_character(character: str) -> str:
    if character in _NAME_CHARACTERS:
        return _NAME_CHARACTERS[character]
    if character in GREEK:
        return f"{{{GREEK[character]}}}"
    if character.isascii() and character.isprintable():
        return character
    return rf"\text{{{escape(character)}}}"


def _identifier(text: str, style: str) -> str:
    base, accent, primes = split_name(text)
    if base in GREEK:
        core = GREEK[base]
    elif base == "𝟏":
        core = r"\mathbf{1}"
    elif style == "upright" and base in FUNCTIONS:
        core = "\\" + base
    else:
        core = _escape_name(base)
        letter = len(base) == 1 and base.isascii() and base.isalpha()
        if not letter or style == "upright":
            core = rf"\mathrm{{{core}}}"
    if style == "bold":
        core = rf"\boldsymbol{{{core}}}"
    if accent:
        core = rf"{ACCENTS[accent]}{{{core}}}"
    return core + "'" * len(primes)


def _operator(op: Op) -> str:
    if op.kind == "invisible":
        return r"\,"
    text = _sign(op)
    if op.kind in ("binary", "relation"):
        return f" {text} "
    if op.kind == "punctuation":
        return f"{text} "
    # Braces make an ordinary symbol of an operator: no space around it.
    return f"{{{text}}}" if op.kind == "ordinary" and op.text in "+−-=<>|:*∗·⊙×" else text


def _sign(op: Op) -> str:
    return OPERATORS.get(op.text) or (op.text if op.text in "<>*" else _escape_name(op.text))


def _row(items: tuple[Box, ...]) -> str:
    parts = []
    for place, item in enumerate(items):
        if isinstance(item, Words):
            parts.append(rf"\text{{{escape(spaced_words(items, place))}}}")
        elif place == 0 and isinstance(item, Op) and item.kind == "binary":
            # A row that starts with a binary operator continues another line.
            parts.append("{}" + _operator(item))
        else:
            parts.append(latex(item))
    return re.sub(r"(?<=[^\\]) {2,}", " ", join(parts)).strip(" ")


def _script(base: Box, sub: Box | None, sup: Box | None) -> str:
    core = latex(base)
    single = isinstance(base, (Ident, Number, Op, Fence, Call, Grid, Restrict))
    # Braces make an ordinary symbol of \max: the subscript stays beside it in a display.
    below = sub is not None and isinstance(base, Ident) and base.text in LIMITS
    if not single or below or (isinstance(base, Ident) and "'" in core):
        core = f"{{{core}}}"
    if sub is not None:
        core += f"_{_argument(sub)}"
    if sup is not None:
        core += f"^{_argument(sup)}"
    return core


def _argument(box: Box) -> str:
    text = _closed_up(box)
    return text if len(text) == 1 and text.isalnum() else f"{{{text}}}"


def _closed_up(box: Box) -> str:
    """In a script TeX sets no space around operators, so none is printed."""
    if isinstance(box, Op):
        return _sign(box)
    return re.sub(r" ([-+=]) ", r"\1", latex(box)).strip()


def _fence(body: Box, left: str, right: str) -> str:
    inside = latex(body)
    opening, closing = _LEFT.get(left, left), _RIGHT.get(right, right)
    tall = height(body)
    if tall == 2:
        return rf"\left{_spaced(opening)}{inside} \right{closing}"
    opening, closing = ("" if side == "." else side for side in (opening, closing))
    if tall == 1:
        # Around a sum, \left and \right would cover its limits as well.
        opening = rf"\biggl{_spaced(opening)}" if opening else ""
        closing = rf"\biggr{closing}" if closing else ""
    return join((opening, inside, closing))


def _spaced(delimiter: str) -> str:
    return delimiter + " " if delimiter[-1:].isalpha() else delimiter


def _with_commas(arguments: tuple[Box, ...]) -> tuple[Box, ...]:
    comma = Op(",", "punctuation")
    return tuple(part for argument in arguments for part in (comma, argument))[1:]


def _environment(kind: str, rows: tuple[tuple[Box, ...], ...]) -> str:
    tall = any(height(cell) for row in rows for cell in row)
    separator = r" \\[0.6ex] " if tall else r" \\ "
    lines = separator.join(" & ".join(latex(cell) for cell in row) for row in rows)
    return rf"\begin{{{kind}}} {lines} \end{{{kind}}}"


def latex_lines(lines: Sequence[DisplayLine]) -> str:
    """The lines of one equation: bare when there is one, else ``aligned``."""
    if len(lines) == 1:
        return " ".join(_sides(lines[0])).strip()
    # A left side that fills a line of its own leaves nothing to align with.
    alone = not lines[0].relation
    rows = []
    for place, line in enumerate(lines):
        left, right = _sides(line)
        indent = r"\qquad " * (line.continued + alone if place else 0)
        rows.append(f"& {left}{indent}{right}" if alone else f"{left} & {indent}{right}".strip())
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def latex_stack(boxes: Sequence[Box]) -> str:
    """The lines of a broken formula without a left side, all but the first indented."""
    if len(boxes) == 1:
        return latex(boxes[0])
    first, *more = map(latex, boxes)
    rows = [f"& {first}", *(rf"& \qquad {line}" for line in more)]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _sides(line: DisplayLine) -> tuple[str, str]:
    left = "" if line.left is None else latex(line.left)
    relation = _operator(Op(line.relation, "relation")).strip() if line.relation else ""
    return left, f"{relation} {latex(line.body)}".strip()
