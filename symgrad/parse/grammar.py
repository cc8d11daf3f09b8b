"""The two grammars as parsers: a stretch of a source to statements, or one located error."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Literal

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken
from lark.utils import TextSlice

from symgrad.parse.atombuilder import BadTree
from symgrad.parse.errors import ParseError, Source
from symgrad.parse.tree import Statement
from symgrad.parse.treebuilder import LatexTreeBuilder, TreeBuilder

Syntax = Literal["text", "latex"]

_OPERAND = "a name, a number or an opening parenthesis"
_WORDS = {
    "RPAR": "a closing parenthesis",
    "RBRACKET": "a closing bracket",
    "RBRACE": "a closing brace",
    "REL": "an equals sign",
    "SUB": "a subscript",
    "SUBOPEN": "a subscript",
}


@cache
def _parser(syntax: Syntax) -> Lark:
    text = files("symgrad.parse").joinpath(f"{syntax}.lark").read_text(encoding="utf-8")
    return Lark(
        text,
        parser="lalr",
        lexer="contextual",
        transformer=TreeBuilder() if syntax == "text" else LatexTreeBuilder(),
        keep_all_tokens=True,
        maybe_placeholders=False,
    )


def read_statements(
    source: Source, cleaned: str, start: int, end: int, syntax: Syntax
) -> list[list[Statement]]:
    """The statements of one row, grouped: ``W, U in R^n`` is one group of two.

    ``cleaned`` is the source's text with what carries no meaning blanked.

    Raises:
        ParseError: it is no row of the grammar.
    """
    try:
        parts = _parser(syntax).parse(TextSlice(cleaned, start, end))
    except BadTree as error:
        raise source.error(error.message, error.at, error.end) from None
    except UnexpectedCharacters as error:
        raise _bad_character(source, cleaned, error, end) from None
    except (UnexpectedToken, UnexpectedEOF) as error:
        raise _unexpected(source, cleaned, error, start, end) from None
    groups: list[list[Statement]] = []
    waiting: list[Statement] = []
    for part in parts:  # type: ignore[attr-defined]  # lark cannot know what callbacks return
        if not isinstance(part, Statement):
            continue
        waiting.append(part)
        if part.relations:
            groups.append(waiting)
            waiting = []
    return [*groups, waiting] if waiting else groups


def _bad_character(
    source: Source, cleaned: str, error: UnexpectedCharacters, end: int
) -> ParseError:
    at = int(error.pos_in_stream or 0)
    character = cleaned[at]
    known = {
        "|": "the bar opens and closes alike: write abs(x), norm(x), or \\lvert x \\rvert",
        "‖": "write norm(x), or one bar, |_c, behind a derivative along paths through c alone",
        "'": "a prime does not transpose: write .T, or ^\\top in LaTeX",
        "!": "there is no factorial here",
        "{": "braces only group in LaTeX, and scripts in plain text: write parentheses",
        "\\": "this macro cannot stand here",
        "=": "an equals sign cannot stand here",
        "&": "an alignment mark cannot stand here",
    }.get(character)
    if known is None:
        expected = _expected(set(error.allowed or ()))
        known = f"expected {expected}" if expected else "it has no meaning here"
    return source.error(f"unexpected {character!r}: {known}", at)


def _unexpected(
    source: Source, cleaned: str, error: UnexpectedToken | UnexpectedEOF, start: int, end: int
) -> ParseError:
    expected = _expected(set(getattr(error, "accepts", None) or error.expected))
    token = getattr(error, "token", None)
    if not isinstance(token, Token) or token.type == "$END":
        last = start + len(cleaned[start:end].rstrip())
        return source.error(f"the formula breaks off: expected {expected}", max(start, last - 1))
    at, stop = token.start_pos or start, token.end_pos or end
    found = _found(token)
    extra = ""
    if token == "\ue003":
        extra = "; behind a derivative along paths through c alone stands one bar, \\right|_{c}"
    if token.type == "SIGN":
        extra = "; put parentheses around a sign after an operator: a + (-b)"
    if token.type == "REL" or token.type == "COLON":
        extra = "; one equation a line"
    return source.error(f"unexpected {found}: expected {expected}{extra}", at, stop)


def _found(token: Token) -> str:
    names = {"\ue001": "\\right|", "\ue003": "\\right\\|", "\ue004": "\\\\", "\ue005": "\\right|"}
    text = names.get(str(token), str(token))
    return {"^": "second superscript or superscript", "_": "subscript"}.get(text, repr(text))


def _expected(terminals: set[str]) -> str:
    """What may follow, in words."""
    if {"LETTER", "NAME"} & terminals:
        if "SIGN" in terminals and "REL" in terminals:
            return "an operator, a factor, or the end of the line"
        if "LOOSE" in terminals:
            closing = [_WORDS[t] for t in ("RPAR", "RBRACKET", "RBRACE") if t in terminals]
            return " or ".join(["an operator", "a factor", *closing])
        return _OPERAND
    words = [word for terminal, word in _WORDS.items() if terminal in terminals]
    return " or ".join(dict.fromkeys(words)) if words else "the end of the line"


@cache
def _latex_terminals() -> list[re.Pattern[str]]:
    terminals = _parser("latex").terminals
    return [
        re.compile(terminal.pattern.to_regexp())
        for terminal in terminals
        if "\\\\" in terminal.pattern.to_regexp()
    ]


def macro_at(text: str, at: int) -> int:
    """Where the longest token that begins here with a macro ends; ``at`` where none does."""
    ends = [m.end() for p in _latex_terminals() if (m := p.match(text, at)) is not None]
    return max(ends, default=at)
