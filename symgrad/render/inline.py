r"""Prose with mathematics between dollar signs to text: ``"Here $h_t$ is …"``.

Reads the small part of TeX our own sentences need: letters, numbers, scripts, braces,
Greek by macro or character, \frac, \sqrt, \sum, \prod, \bar, \hat, \operatorname, \mathrm,
\text and the usual signs. A blank between two factors is a product. Anything else is
a ValueError that names the column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from symgrad.render.blocks import Text
from symgrad.render.layout import (
    Big,
    Box,
    Call,
    Fence,
    Frac,
    Ident,
    Number,
    Op,
    Root,
    Row,
    Script,
    Words,
)
from symgrad.render.symbols import ACCENTS, FUNCTIONS, GREEK, OPERATORS

_Kind = Literal["binary", "relation", "prefix", "punctuation", "ordinary"]
_SIGNS: tuple[tuple[_Kind, str], ...] = (
    ("binary", "+−⊙⊗·×∘±"),
    ("relation", "=<>≠≥≤≈≡∼≔∈∣→↦←⇒⇔"),
    ("punctuation", ",;:"),
    ("prefix", "∂∇"),
    ("ordinary", "⊤∞…⋯∀|‖!/"),
)
_KINDS = {sign: kind for kind, signs in _SIGNS for sign in signs}
_MACROS = (
    {macro: character for character, macro in reversed(OPERATORS.items()) if character in _KINDS}
    | {macro: letter for letter, macro in reversed(GREEK.items()) if macro != "o"}
    | {r"\geq": "≥", r"\leq": "≤", r"\neq": "≠", r"\ldots": "…", r"\rightarrow": "→"}
    | {r"\phi": "φ", r"\epsilon": "ε", r"\|": "‖", r"\langle": "⟨", r"\rangle": "⟩"}
)
_ACCENTED = {macro: mark for mark, macro in ACCENTS.items()}
_ENDS = ("", ")", "]", "}", "⟩", r"\}")
_CLOSING = {"(": ")", "[": "]", r"\{": r"\}", "⟨": "⟩"}
_TOKEN = re.compile(r"(?P<blank>\s+)|(?P<number>\d+(\.\d+)?)|(?P<macro>\\([A-Za-z]+|.))|(?P<one>.)")


def inline(text: str) -> Text:
    """Strings and boxes in turn; a dollar sign itself is written ``\\$``."""
    parts: list[str | Box] = []
    pieces = re.split(r"(?<!\\)\$", text)
    if len(pieces) % 2 == 0:
        column = text.rindex("$") + 1
        raise ValueError(f"{text!r}: the dollar sign in column {column} has no partner")
    column = 1
    for place, piece in enumerate(pieces):
        if place % 2:
            parts.append(read_math(piece, start=column))
        elif piece:
            parts.append(piece.replace(r"\$", "$"))
        column += len(piece) + 1
    return tuple(parts)


def read_math(source: str, *, start: int = 1) -> Box:
    """The box of one formula; ``start`` is the column of its first character."""
    reader = _Reader(source, start, list(_tokens(source)))
    box = reader.row()
    if reader.peek().text:
        raise reader.error(f"{reader.peek().text!r} closes nothing")
    return box


@dataclass(frozen=True, slots=True)
class _Token:
    text: str  # "" at the end
    place: int
    blank: bool  # whether a blank stands before it


def _tokens(source: str) -> tuple[_Token, ...]:
    tokens, blank = [], False
    for match in _TOKEN.finditer(source):
        if match.lastgroup == "blank":
            blank = True
            continue
        text = match.group()
        tokens.append(_Token(_MACROS.get(text, text), match.start(), blank))
        # A control word takes the blank after it, as in TeX.
        blank = False
    return (*tokens, _Token("", len(source), blank))


class _Reader:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, source: str, start: int, tokens: list[_Token]) -> None:
        self.source, self.start, self.tokens = source, start, tokens
        self.at = 0

    def peek(self) -> _Token:
        return self.tokens[self.at]

    def take(self, expected: str = "") -> _Token:
        token = self.peek()
        if expected and token.text != expected:
            found = repr(token.text) if token.text else "the end"
            raise self.error(f"expected {expected!r}, found {found}")
        self.at += 1
        return token

    def error(self, message: str, token: _Token | None = None) -> ValueError:
        column = self.start + (token or self.peek()).place
        return ValueError(f"${self.source}$, column {column}: {message}")

    def row(self, *, stop: str = "") -> Box:
        """Items up to a closing bracket or a sign in ``stop``, which is left in place."""
        items: list[Box] = []
        while (following := self.peek().text) not in _ENDS and following not in tuple(stop):
            blank = self.peek().blank
            item = self.scripted(leading=not items or _awaits_operand(items[-1]))
            if blank and items and _is_factor(items[-1]) and _is_factor(item):
                items.append(Op("", "invisible"))
            items.append(item)
        return items[0] if len(items) == 1 else Row(tuple(items))

    def scripted(self, *, leading: bool) -> Box:
        base = self.atom(leading=leading)
        if isinstance(base, Ident):
            base = self.primed(base)
            if self.is_function(base):
                base = self.call(base)
        sub, sup = self.scripts()
        if isinstance(base, Op) and base.text in ("∑", "∏"):
            return self.big(base, sub, sup)
        return base if sub is None and sup is None else Script(base, sub, sup)

    def primed(self, name: Ident) -> Ident:
        while self.peek().text in ("'", "′"):
            self.take()
            name = Ident(name.text + "′", name.style)
        return name

    def scripts(self) -> tuple[Box | None, Box | None]:
        found: dict[str, Box] = {}
        while (mark := self.peek()).text in ("_", "^"):
            if mark.text in found:
                raise self.error(f"a second {mark.text!r}")
            self.take()
            found[mark.text] = _closed_up(self.argument())
        return found.get("_"), found.get("^")

    def is_function(self, name: Ident) -> bool:
        word = name.text.rstrip("′")
        called = name.style == "upright" or word in ("σ", "φ")
        return called and self.peek().text == "("

    def call(self, name: Ident) -> Box:
        self.take("(")
        body = self.row()
        self.take(")")
        return Call(name.text, _arguments(body))

    def big(self, sign: Op, lower: Box | None, upper: Box | None) -> Box:
        if lower is None or upper is None:
            raise self.error(f"{sign.text} needs both limits")
        return Big("∑" if sign.text == "∑" else "∏", lower, upper, self.row(stop="+-−,=<>≠≥≤"))

    def argument(self) -> Box:
        if self.peek().text == "{":
            return self.group()
        return self.atom(leading=True)

    def group(self) -> Box:
        self.take("{")
        box = self.row()
        self.take("}")
        return box

    def word(self) -> str:
        """The raw characters between braces."""
        opening = self.take("{")
        end = self.source.find("}", opening.place)
        if end < 0:
            raise self.error("this brace is not closed", opening)
        while self.peek().text and self.peek().place < end:
            self.take()
        self.take("}")
        return self.source[opening.place + 1 : end]

    def atom(self, *, leading: bool) -> Box:
        token = self.take()
        text = token.text
        if text in GREEK or (len(text) == 1 and text.isascii() and text.isalpha()):
            return Ident(text)
        if text[:1].isdigit():
            return Number(text)
        if text in ("∑", "∏", r"\sum", r"\prod"):
            return Op("∑" if text in ("∑", r"\sum") else "∏", "ordinary")
        if text in ("-", "−", "+"):
            sign = "−" if text in ("-", "−") else "+"
            return Op(sign, "ordinary" if leading else "binary")
        if text in _KINDS:
            return Op(text, _KINDS[text])
        if text in _CLOSING:
            body = self.row()
            self.take(_CLOSING[text])
            return Fence(body, text[-1], _CLOSING[text][-1])
        if text == "{":
            self.at -= 1
            return self.group()
        return self.macro(token)

    def macro(self, token: _Token) -> Box:
        text = token.text
        if text[1:] in FUNCTIONS:
            return Ident(text[1:], "upright")
        if text in (r"\operatorname", r"\mathrm"):
            return Ident(self.word(), "upright")
        if text == r"\text":
            return Words(self.word())
        if text == r"\frac":
            return Frac(self.group(), self.group())
        if text == r"\sqrt":
            return Root(self.group())
        if text in _ACCENTED:
            letter = self.argument()
            if not isinstance(letter, Ident):
                raise self.error(f"{text} goes on one letter", token)
            return Ident(letter.text + _ACCENTED[text], letter.style)
        if not text:
            raise self.error("something is missing at the end", token)
        raise self.error(f"{text!r} is not known here", token)


def _closed_up(script: Box) -> Box:
    """Commas and colons without room behind them: ``W_{:,i:j}``."""
    if not isinstance(script, Row):
        return script
    signs = {Op(sign, "punctuation"): Op(sign, "ordinary") for sign in ",:"}
    return Row(
        tuple(signs.get(item, item) if isinstance(item, Op) else item for item in script.items)
    )


def _is_factor(box: Box) -> bool:
    core = box.base if isinstance(box, Script) else box
    return not isinstance(core, (Op, Words))


def _awaits_operand(box: Box) -> bool:
    """After this a minus is a sign, not a difference."""
    return isinstance(box, Op) and box.kind in ("binary", "relation", "punctuation")


def _arguments(body: Box) -> tuple[Box, ...]:
    items = body.items if isinstance(body, Row) else (body,)
    groups: list[list[Box]] = [[]]
    for item in items:
        if isinstance(item, Op) and item.text == ",":
            groups.append([])
        else:
            groups[-1].append(item)
    return tuple(group[0] if len(group) == 1 else Row(tuple(group)) for group in groups)
