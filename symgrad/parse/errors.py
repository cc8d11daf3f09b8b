"""``ParseError``, and the text it points into: file, line, column and a caret."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from symgrad.errors import SymgradError

#: Larger texts are refused: no cell is that long.
LARGEST = 64 * 1024
#: Deeper nesting is refused, so that nothing that walks a formula can run out of stack.
DEEPEST = 100

_WIDEST = 100


class ParseError(SymgradError):
    """Text that cannot be read: where, what was expected, and the repair."""


@dataclass(frozen=True)
class Source:
    """A text and what to call it in messages; offsets count characters."""

    text: str
    name: str
    latex: bool = False

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(i + 1 for i, c in enumerate(self.text) if c == "\n")]

    def line_of(self, at: int) -> int:
        """The line number, counted from 1."""
        return bisect_right(self._starts, at)

    def line_text(self, line: int) -> str:
        start = self._starts[line - 1]
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end]

    def place(self, at: int) -> str:
        """``file:line:column``."""
        line = self.line_of(at)
        return f"{self.name}:{line}:{at - self._starts[line - 1] + 1}"

    def error(self, message: str, at: int, end: int | None = None) -> ParseError:
        """The error at a place: location, message, the line, and a caret under it."""
        at = max(0, min(at, len(self.text)))
        line = self.line_of(at)
        start = self._starts[line - 1]
        raw = self.line_text(line).rstrip("\r")
        column = min(at - start, len(raw))
        stop = max(column + 1, min(len(raw), (end if end is not None else at + 1) - start))
        shift = max(0, column - _WIDEST + 20)
        shown = _printable(raw[shift : shift + _WIDEST])
        # Combining marks take no place of their own under the caret.
        before = _width(_printable(raw[shift:column]))
        width = max(1, _width(_printable(raw[column : min(stop, shift + _WIDEST)])))
        caret = " " * before + "^" + "~" * (width - 1)
        return ParseError(f"{self.place(at)}: {message}\n    {shown}\n    {caret}")

    def declaration(self, name: str, *sizes: str) -> str:
        """The line that declares a name, in the syntax of the text; no size is a scalar."""
        if not self.latex:
            return f"{name} : {' x '.join(sizes) or 'scalar'}"
        inside = r" \times ".join(sizes)
        power = f"^{{{inside}}}" if sizes else ""
        return rf"{name} \in \mathbb{{R}}{power}"

    def asked(self, *names: str) -> str:
        """Lines of declarations to choose from, below an error's message."""
        return "".join(f"\n        {name}" for name in names)


def _printable(text: str) -> str:
    return "".join(
        c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _width(text: str) -> int:
    return sum(not unicodedata.combining(c) for c in text)


def did_you_mean(word: str, known: list[str], *, cutoff: float = 0.6) -> str:
    """``did you mean X? ``, or nothing."""
    lower = {name.lower(): name for name in reversed(known)}
    near = get_close_matches(word.lower(), lower, n=1, cutoff=cutoff)
    return f"did you mean {lower[near[0]]}? " if near else ""
