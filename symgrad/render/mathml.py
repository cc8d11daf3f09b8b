"""Mathematics to MathML Core: a box in, one ``<math>`` element out.

Browsers draw it without a script, screen readers read it, and the LaTeX travels along
as an annotation for copying. Only what Chromium, Firefox and Safari share is used:
alignment by CSS, no mfenced, no menclose, bold as Unicode mathematical letters.
Every name is escaped. ``mathml_lines`` sets the lines of one displayed equation.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Literal

from symgrad.render.breaking import DisplayLine
from symgrad.render.latex_math import latex
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
from symgrad.render.symbols import head_box, height, is_letter, spaced_words, split_name

# As in TeX: limits go above and below only in display style, scripts have no space.
_Style = Literal["display", "text", "script"]
_ACCENTS = {"\u0302": "^", "\u0304": "¯", "\u0303": "~", "\u0307": "˙"}
_SPACES = {
    "binary": ("0.2222em", "0.2222em"),
    "relation": ("0.2778em", "0.2778em"),
    "punctuation": ("0", "0.2222em"),
    "prefix": ("0", "0"),
    "ordinary": ("0", "0"),
}
# Letters among the operators: as <mi> they get the shape and spacing of letters.
_LETTER_LIKE = {"∂": "<mi>∂</mi>", "∇": '<mi mathvariant="normal">∇</mi>'}
_INDENT = '<mspace width="2em"/>'
# Chromium moves blocks, and every row of mathematics is one, only for its own values.
_ALIGN = {
    "left": "text-align:left",
    "center": "text-align:center;text-align:-webkit-center",
    "right": "text-align:right;text-align:-webkit-right",
}
_CELL = "padding:0.28em 0"
_TIGHT = 'lspace="0" rspace="0"'


def mathml(box: Box, display: bool) -> str:
    """The formula as one ``<math>`` element, displayed or inside a line of text."""
    return math_element(_print(box, "display" if display else "text"), latex(box), display)


def math_element(content: str, tex: str, display: bool) -> str:
    """A ``<math>`` element around printed content, with its LaTeX annotation."""
    kind = "block" if display else "inline"
    return (
        f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="{kind}">'
        f"<semantics><mrow>{content}</mrow>"
        f'<annotation encoding="application/x-tex">{escape(tex)}</annotation></semantics></math>'
    )


def mathml_lines(lines: Sequence[DisplayLine], tex: str) -> str:
    """Aligned lines of one equation: left side, then relation and right side."""
    if len(lines) == 1:
        return math_element("".join(_cells(lines[0])), tex, display=True)
    if not lines[0].relation:
        # The left side fills a line of its own: nothing to align with.
        (left, _), *others = map(_cells, lines)
        rows = ["".join(cells) for cells in others]
        indents = [_INDENT * (1 + line.continued) for line in lines[1:]]
        return _stack([left, *map(str.__add__, indents, rows)], tex)
    rows = []
    for line in lines:
        left, right = _cells(line)
        indent = _INDENT if line.continued else ""
        rows.append(
            f'<mtr><mtd style="{_ALIGN["right"]};{_CELL}"><mrow>{left}</mrow></mtd>'
            f'<mtd style="{_ALIGN["left"]};{_CELL}"><mrow>{indent}{right}</mrow></mtd></mtr>'
        )
    return _math_table(rows, tex)


def mathml_stack(boxes: Sequence[Box], tex: str) -> str:
    """The lines of a broken formula without a left side, all but the first indented."""
    if len(boxes) == 1:
        return math_element(_print(boxes[0], "display"), tex, display=True)
    first, *more = (_print(box, "display") for box in boxes)
    return _stack([first, *(_INDENT + line for line in more)], tex)


def _stack(lines: Sequence[str], tex: str) -> str:
    cell = f'<mtd style="{_ALIGN["left"]};{_CELL}"><mrow>'
    return _math_table([f"<mtr>{cell}{line}</mrow></mtd></mtr>" for line in lines], tex)


def _math_table(rows: Sequence[str], tex: str) -> str:
    return math_element(f'<mtable displaystyle="true">{"".join(rows)}</mtable>', tex, display=True)


def _cells(line: DisplayLine) -> tuple[str, str]:
    left = "" if line.left is None else _print(line.left, "display")
    relation = _operator(Op(line.relation, "relation"), "display") if line.relation else ""
    return left, relation + _print(line.body, "display")


def _print(box: Box, style: _Style) -> str:
    match box:
        case Ident(text, shape):
            return _identifier(text, shape)
        case Number(text):
            return f"<mn>{escape(text)}</mn>"
        case Op():
            return _operator(box, style)
        case Words(text):
            return f"<mtext>{escape(text)}</mtext>"
        case Row(items):
            return f"<mrow>{_items(items, style)}</mrow>"
        case Script(base, sub, sup):
            return _script(_print(base, style), sub, sup)
        case Frac(over, under):
            return f"<mfrac>{_print(over, _smaller(style))}{_print(under, _smaller(style))}</mfrac>"
        case Big():
            return _big(box, style)
        case Fence(body, left, right):
            return _fence(_print(body, style), left, right, height(body))
        case Root(body):
            return f"<msqrt>{_print(body, style)}</msqrt>"
        case Call():
            return _call(box, style)
        case Grid(rows, bracket):
            right = "]" if bracket == "[" else ")"
            return _fence(_table(rows, "center", _smaller(style)), bracket, right, 2)
        case Cases(pairs):
            return _fence(_table(pairs, "left", _smaller(style)), "{", "", 2)
        case Restrict(body, sub):
            bar = '<mo stretchy="true" symmetric="true" fence="true" form="postfix">|</mo>'
            return _script(f"<mrow>{_print(body, style)}{bar}</mrow>", sub, None)
        case Under(body, remark):
            braced = f'<munder>{_print(body, style)}<mo stretchy="true">⏟</mo></munder>'
            return f"<munder>{braced}{_print(remark, 'script')}</munder>"
    raise TypeError(f"no MathML for a {type(box).__name__}")


def _identifier(text: str, shape: str) -> str:
    base, accent, primes = split_name(text)
    if shape == "bold":
        core = f"<mi>{escape(''.join(map(_bold, base)))}</mi>"
    elif len(base) == 1 and (shape == "upright" or not is_letter(base)):
        core = f'<mi mathvariant="normal">{escape(base)}</mi>'
    else:
        core = f"<mi>{escape(base)}</mi>"
    if accent:
        mark = f'<mo stretchy="false">{_ACCENTS[accent]}</mo>'
        core = f'<mover accent="true">{core}{mark}</mover>'
    return f"<msup>{core}<mo {_TIGHT}>{primes}</mo></msup>" if primes else core


def _bold(character: str) -> str:
    """The bold italic mathematical letter: browsers ignore mathvariant="bold-italic"."""
    for first, last, target in (("A", "Z", 0x1D468), ("a", "z", 0x1D482), ("α", "ω", 0x1D736)):
        if first <= character <= last:
            return chr(target + ord(character) - ord(first))
    return character


def _operator(op: Op, style: _Style) -> str:
    if op.kind == "invisible":
        # The thin space tells two factors from one name of two letters.
        return '<mo lspace="0" rspace="0.1667em">&#x2062;</mo>'
    if op.text in _LETTER_LIKE:
        return _LETTER_LIKE[op.text]
    if op.text == "d" or op.text == "⊤":
        return f'<mi mathvariant="normal">{op.text}</mi>'
    before, after = ("0", "0") if style == "script" else _SPACES[op.kind]
    # Firefox enlarges ⊙ and stretches bars unless told not to.
    fixed = 'stretchy="false" largeop="false" fence="false"'
    text = "−" if op.text == "-" else op.text
    return f'<mo lspace="{before}" rspace="{after}" {fixed}>{escape(text)}</mo>'


def _items(items: tuple[Box, ...], style: _Style) -> str:
    printed = []
    for place, item in enumerate(items):
        if isinstance(item, Words):
            text = spaced_words(items, place).replace(" ", "\u00a0")
            printed.append(f"<mtext>{escape(text)}</mtext>")
        else:
            if place and _is_word(item) and getattr(items[place - 1], "kind", "") == "prefix":
                # d tanh(a): TeX spaces the names of functions by itself.
                printed.append('<mspace width="0.1667em"/>')
            printed.append(_print(item, style))
    return "".join(printed)


def _is_word(box: Box) -> bool:
    return isinstance(box, Call) and len(split_name(box.name)[0]) > 1


def _script(base: str, sub: Box | None, sup: Box | None) -> str:
    below = "" if sub is None else _print(sub, "script")
    above = "" if sup is None else _print(sup, "script")
    if below and above:
        return f"<msubsup>{base}{below}{above}</msubsup>"
    return f"<msub>{base}{below}</msub>" if below else f"<msup>{base}{above}</msup>"


def _big(box: Big, style: _Style) -> str:
    element = "munderover" if style == "display" else "msubsup"
    sign = f'<mo movablelimits="false" {_TIGHT}>{box.text}</mo>'
    limits = _print(box.lower, "script") + _print(box.upper, "script")
    space = '<mspace width="0.1667em"/>'
    body = _print(box.body, style)
    return f"<mrow><{element}>{sign}{limits}</{element}>{space}{body}</mrow>"


def _fence(content: str, left: str, right: str, tall: int) -> str:
    # Around a sum the fence covers the sign, not its limits.
    size = ('stretchy="false"', 'stretchy="true" maxsize="2em"', 'stretchy="true"')[tall]
    opening = f'<mo fence="true" form="prefix" {_TIGHT} {size}>{escape(left)}</mo>'
    closing = f'<mo fence="true" form="postfix" {_TIGHT} {size}>{escape(right)}</mo>'
    return f"<mrow>{opening if left else ''}{content}{closing if right else ''}</mrow>"


def _call(call: Call, style: _Style) -> str:
    comma = _operator(Op(",", "punctuation"), style)
    inside = comma.join(_print(argument, style) for argument in call.arguments)
    tall = height(call)
    head = _print(head_box(call), style)
    return f"<mrow>{head}<mo {_TIGHT}>&#x2061;</mo>{_fence(inside, '(', ')', tall)}</mrow>"


def _table(rows: tuple[tuple[Box, ...], ...], align: str, style: _Style) -> str:
    lines = (_table_row(row, align, style) for row in rows)
    return f"<mtable>{''.join(lines)}</mtable>"


def _table_row(row: tuple[Box, ...], align: str, style: _Style) -> str:
    cells = []
    for place, box in enumerate(row):
        left, right = "0.5em" if place else "0.1em", "0.5em" if place < len(row) - 1 else "0.1em"
        cell = f'<mtd style="{_ALIGN[align]};padding:0.25em {right} 0.25em {left}">'
        cells.append(cell + "<mrow>" + _print(box, style) + "</mrow></mtd>")
    return f"<mtr>{''.join(cells)}</mtr>"


def _smaller(style: _Style) -> _Style:
    return "script" if style == "script" else "text"
