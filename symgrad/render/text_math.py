"""Mathematics to one line of Unicode text: h_{t-1}, ∑_{k=1}^{T} (…), W_h^⊤.

For terminals, alternative texts and column labels. It can be read aloud and typed;
it is not meant to be parsed.
"""

from __future__ import annotations

import re

from symgrad.render.blocks import Text
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
from symgrad.render.symbols import head_box, is_multiple, is_product, spaced_words


def unicode_text(box: Box) -> str:
    """One line of plain text for one box."""
    match box:
        case Ident(text) | Number(text) | Words(text):
            return text
        case Op():
            return _operator(box)
        case Row(items):
            return "".join(_item(items, place) for place in range(len(items))).strip()
        case Script(base, sub, sup):
            core = unicode_text(base)
            if isinstance(base, (Row, Frac, Big, Script)):
                core = f"({core})"
            return core + _script("_", sub) + _script("^", sup)
        case Frac(over, under):
            return f"{_operand(over)}/{_operand(under, below=True)}"
        case Big(text, lower, upper, body):
            return f"{text}{_script('_', lower)}{_script('^', upper)} {unicode_text(body)}"
        case Fence(body, left, right):
            return f"{left}{unicode_text(body)}{right}"
        case Root(body):
            return f"sqrt({unicode_text(body)})"
        case Call(_, arguments):
            return f"{unicode_text(head_box(box))}({', '.join(map(unicode_text, arguments))})"
        case Grid(rows, bracket):
            inside = "; ".join(", ".join(map(unicode_text, row)) for row in rows)
            return f"[{inside}]" if bracket == "[" else f"({inside})"
        case Cases(pairs):
            return "{" + "; ".join(_case(value, condition) for value, condition in pairs) + "}"
        case Restrict(body, sub):
            return f"{_operand(body)} |{_script('_', sub)}"
        case Under(body, remark):
            return f"{unicode_text(body)} [{unicode_text(remark)}]"
    raise TypeError(f"no text for a {type(box).__name__}")


def _operator(op: Op) -> str:
    # ASCII characters can be typed and pasted into a program.
    text = {"−": "-", "∗": "*"}.get(op.text, op.text)
    if op.kind == "invisible":
        return " "
    if op.kind in ("binary", "relation"):
        return f" {text} "
    return f"{text} " if op.kind == "punctuation" else text


def _item(items: tuple[Box, ...], place: int) -> str:
    item = items[place]
    if isinstance(item, Words):
        return spaced_words(items, place)
    neighbours = items[max(place - 1, 0) : place + 2]
    if isinstance(item, Frac) and any(is_product(neighbour) for neighbour in neighbours):
        return f"({unicode_text(item)})"
    return unicode_text(item)


def _operand(box: Box, *, below: bool = False) -> str:
    """With parentheses unless it reads as one thing beside a slash, or below it."""
    text = unicode_text(box)
    if isinstance(box, Row):
        if below and is_multiple(box):
            return f"({text})"
        loose = any(isinstance(item, Op) and item.kind not in _TIGHT for item in box.items)
        return f"({text})" if loose or any(isinstance(i, Words) for i in box.items) else text
    return f"({text})" if isinstance(box, (Frac, Big)) else text


_TIGHT = ("prefix", "ordinary")


def _script(mark: str, box: Box | None) -> str:
    if box is None:
        return ""
    text = unicode_text(box)
    if len(text) == 1:
        return mark + text
    return f"{mark}{{{re.sub(' ([-+=<>≤≥≠∈→]) ', _CLOSED_UP, text)}}}"


_CLOSED_UP = r"\1"


def _case(value: Box, condition: Box) -> str:
    first = condition.items[0] if isinstance(condition, Row) and condition.items else condition
    word = "" if isinstance(first, Words) else "if "
    return f"{unicode_text(value)} {word}{unicode_text(condition)}"


def plain(text: Text) -> str:
    """Prose with its formulas as plain text."""
    return "".join(part if isinstance(part, str) else unicode_text(part) for part in text)
