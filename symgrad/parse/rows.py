"""What both syntaxes do before the grammar: header lines, brackets that pair, rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from symgrad.parse.errors import DEEPEST, LARGEST, ParseError, Source, did_you_mean

HEADERS = ("name", "title", "variant", "source", "inputs", "output", "functions", "reading")
#: What LaTeX that is a formula gets for ``\\text{for}`` and for a wide space.
FOR, SPACE = "\ue006", "\ue007"
_PAIRS = {")": "(", "]": "[", "}": "{"}
_CLOSING = {opening: closing for closing, opening in _PAIRS.items()}


@dataclass(frozen=True)
class Header:
    """``key: value`` and where it stands."""

    value: str
    at: int


@dataclass
class Rows:
    """A text taken apart: headers, the text with what means nothing blanked, its rows."""

    source: Source
    cleaned: str
    headers: dict[str, Header] = field(default_factory=dict)
    rows: list[tuple[int, int]] = field(default_factory=list)


def check_size(source: Source) -> None:
    """Refuse a text that is too long, or that holds characters that are no text."""
    if len(source.text) > LARGEST:
        raise ParseError(
            f"{source.name}: {len(source.text)} characters; a text of more than {LARGEST} is "
            "refused: give the equations alone"
        )
    at = next(
        (
            i
            for i, c in enumerate(source.text)
            if c in "\0\ue000\ue001\ue002\ue003\ue004\ue005\ue006\ue007"
            or "\ud800" <= c <= "\udfff"
        ),
        -1,
    )
    if at >= 0:
        raise source.error("a character that is no text; remove it", at)


def read_header(rows: Rows, key: str, raw: str, at: int) -> None:
    """Keep one header line."""
    if key in rows.headers:
        raise rows.source.error(f"the header {key} stands twice; remove one", at)
    value = raw.strip()
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        try:
            value = str(json.loads(value))
        except (ValueError, RecursionError):
            raise rows.source.error(
                f"the value of {key} is no string: escape quotation marks inside, or leave out "
                "those around",
                at,
            ) from None
    rows.headers[key] = Header(value, at)


def written_header(value: str) -> str:
    """A value as ``read_header`` reads it: quoted where that is needed."""
    plain = value.strip() == value and value.isprintable() and not value.startswith('"')
    return value if plain and value else json.dumps(value)


def brackets(source: Source, cleaned: str, start: int, end: int) -> int | None:
    """The place of a bracket still open at the end, or None.

    Raises:
        ParseError: one that closes nothing, or closes one of another kind.
    """
    stack: list[tuple[str, int]] = []
    for at in range(start, end):
        character = cleaned[at]
        if character not in "()[]{}":
            continue
        shown = character
        if at and cleaned[at - 1] == "\\" and character in "{}":
            shown = "\\" + character
        if character in "([{":
            stack.append((shown, at))
            if len(stack) > DEEPEST:
                raise source.error(
                    f"brackets nest deeper than {DEEPEST} levels; give a part a name with an "
                    "equation of its own",
                    at,
                )
            continue
        opening = _PAIRS[character] if len(shown) == 1 else "\\{"
        if not stack:
            raise source.error(f"this {shown} closes nothing: remove it, or open it before", at)
        before, place = stack.pop()
        if before != opening:
            wanted = "\\}" if before == "\\{" else _CLOSING[before]
            raise source.error(
                f"this {before} is not closed: add {wanted} before the {shown} in line "
                f"{source.line_of(at)}",
                place,
            )
    return stack[0][1] if stack else None


def not_closed(source: Source, at: int) -> ParseError:
    """The error for a bracket that stays open; it points at the opening one."""
    opening = source.text[at]
    return source.error(f"this {opening} is not closed: add {_CLOSING[opening]}", at)


# ---- plain text ------------------------------------------------------------------------

_HEADER = re.compile(rf"\s*({'|'.join(HEADERS)})\s*:(.*)")
_ENDS_OPEN = re.compile(r"(\\+|[-+*@/⊙∘·=,]|\.\*)\s*$")
_STARTS_OPEN = re.compile(r"\s*([-+*@/⊙∘·]|\.\*)")


def text_rows(source: Source) -> Rows:
    """The logical lines of a ``.cell`` file: comments blanked, continued lines joined."""
    check_size(source)
    lines = list(_lines(source.text))
    rows = Rows(source, "")
    cleaned = list(source.text)
    plain: list[tuple[int, int]] = []
    for start, end in lines:
        line = source.text[start:end]
        match = _HEADER.fullmatch(line)
        if match is not None:
            read_header(rows, match.group(1), match.group(2), start + match.start(1))
            cleaned[start:end] = " " * (end - start)
            continue
        comment = line.find("#")
        if comment >= 0:
            cleaned[start + comment : end] = " " * (end - start - comment)
            end = start + comment
        plain.append((start, end))
        _pair_bars(source, cleaned, start, end)
    rows.cleaned = "".join(cleaned)
    rows.rows = _joined(rows, plain)
    rows.cleaned = "".join(" " if c == "\\" else c for c in rows.cleaned)
    return rows


def _pair_bars(source: Source, cleaned: list[str], start: int, end: int) -> None:
    """Bars that open and those that close, as characters of their own."""
    opened = -1
    for at in range(start, end):
        if cleaned[at] == "|" and "".join(cleaned[at : at + 2]) != "|_":
            cleaned[at] = "\ue000" if opened < 0 else "\ue001"
            opened = at if opened < 0 else -1
        elif cleaned[at] == "|" and opened >= 0:
            # |x|_0 closes; a restriction follows a derivative, outside of bars.
            cleaned[at], opened = "\ue001", -1
    if opened >= 0:
        raise source.error("this | is not closed: add |, or write abs(x)", opened)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in re.finditer(r"\r\n|\r|\n|$", text):
        yield start, match.start()
        start = match.end()


def _joined(rows: Rows, lines: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Lines with open brackets, or with an operator at the seam, belong together."""
    found: list[tuple[int, int]] = []
    open_end = False
    for start, end in lines:
        part = rows.cleaned[start:end]
        if not part.strip():
            continue
        backslash = re.search(r"\\(?!\s*$|\\)", part)
        if backslash is not None:
            raise rows.source.error(
                "a backslash only continues a line here; LaTeX equations stand in a .tex file",
                start + backslash.start(),
            )
        if found and (open_end or _STARTS_OPEN.match(part)):
            start = found.pop()[0]
        still = brackets(rows.source, rows.cleaned, start, end)
        found.append((start, end))
        open_end = still is not None or _ENDS_OPEN.search(part) is not None
    if found and (still := brackets(rows.source, rows.cleaned, *found[-1])) is not None:
        raise not_closed(rows.source, still)
    return found


def unknown_macro(source: Source, name: str, at: int, known: list[str]) -> ParseError:
    """The error for a macro that is not known here."""
    end = at + len(name) + 1
    if name in ("newcommand", "renewcommand", "def", "let", "DeclareMathOperator", "input"):
        return source.error(f"\\{name}: macros are not expanded here; write it out", at, end)
    hint = did_you_mean("\\" + name, ["\\" + word for word in known])
    return source.error(
        f"\\{name} is not known here: {hint or 'write it with known macros'}".rstrip(), at, end
    )
