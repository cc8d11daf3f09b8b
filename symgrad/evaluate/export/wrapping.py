"""Lines of code that are not too long, broken as formatters of Python do."""

from __future__ import annotations

import re

WIDTH = 100
_OPEN, _CLOSE = "([{", ")]}"


def statement(start: str, expression: str, indent: int, end: str = "") -> list[str]:
    """``start`` and an expression; in parentheses over several lines where it is long.

    ``start`` ends where the expression begins: ``h = ``, ``return ``; ``end`` is a comma.
    """
    pad = " " * indent
    line = f"{pad}{start}{expression}{end}"
    if len(line) <= WIDTH:
        return [line]
    if expression[0] in _OPEN and _closing(expression, 0) == len(expression) - 1:
        first, *rest = _broken(expression, indent, whole=False)
        return [f"{pad}{start}{first.lstrip()}", *rest[:-1], rest[-1] + end]
    return [f"{pad}{start}(", *_broken(expression, indent + 4), f"{pad}){end}"]


def _broken(text: str, indent: int, *, whole: bool = True, room: int = 0) -> list[str]:
    """An expression inside brackets, over as many lines as it needs.

    ``whole``: it may stay on one line where it fits; ``room`` is kept free in each line.
    """
    pad = " " * indent
    if whole and len(pad) + len(text) + room <= WIDTH:
        return [pad + text]
    for operators in ((" + ", " - "), (" * ", " @ ", " / ")):
        pieces = _split(text, operators)
        if len(pieces) > 1:
            lines: list[str] = []
            for operator, piece in pieces:
                first, *rest = _broken(piece, indent, room=room + len(operator))
                lines += [f"{pad}{operator}{first.lstrip()}", *rest]
            return lines
    start = next((i for i, letter in enumerate(text) if letter in _OPEN), None)
    if start is None:
        return [pad + text]
    end = _closing(text, start)
    inner = text[start + 1 : end]
    lines = [pad + text[: start + 1]]
    comprehension = _split(inner, (" for ",))
    entries = [piece for _, piece in _split(inner, (", ",))]
    if len(comprehension) == 2:
        (_, value), (_, clause) = comprehension
        lines += [*_broken(value, indent + 4), f"{pad}    for {clause}"]
    else:
        for entry in entries:
            lines += _broken(entry.removesuffix(","), indent + 4, room=1)
            lines[-1] += ","
        # Of one argument, or an expression in parentheses, a comma would make a tuple.
        if len(entries) == 1 and text[start] == "(" and not inner.endswith(","):
            lines[-1] = lines[-1][:-1]
    return [*lines, pad + text[end:]]


def _closing(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        depth += (text[position] in _OPEN) - (text[position] in _CLOSE)
        if depth == 0:
            return position
    raise ValueError(f"a bracket is not closed: {text!r}")


def _split(text: str, operators: tuple[str, ...]) -> list[tuple[str, str]]:
    """The operands at the outermost level, each with the operator that stands before it."""
    pieces: list[tuple[str, str]] = []
    depth, begin, before = 0, 0, ""
    position = 0
    while position < len(text):
        letter = text[position]
        depth += (letter in _OPEN) - (letter in _CLOSE)
        found = next((o for o in operators if text.startswith(o, position)), None)
        if depth == 0 and found:
            pieces.append((before, text[begin:position]))
            before = "" if found == ", " else found.lstrip()
            begin = position = position + len(found)
            continue
        position += 1
    return [*pieces, (before, text[begin:])]


def comment(text: str, indent: int) -> list[str]:
    """A comment; what does not fit goes on, indented, on the next line."""
    start, more = " " * indent + "# ", " " * indent + "#     "
    lines, current = [], start
    # At a sign where there is one, else at any space.
    for term in re.split(r" (?=[+-] )", text):
        for word in [term] if len(more) + len(term) <= WIDTH else term.split(" "):
            if len(current) + len(word) > WIDTH and current not in (start, more):
                lines.append(current.rstrip())
                current = more
            current += word + " "
    return [*lines, current.rstrip()]
