"""Where the rows of LaTeX begin and end, once what only sets type is blanked.

A row is one equation or declaration. A piece between two alignment marks or line breaks
that relates nothing, or begins with an operator, belongs to the row before it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise

from symgrad.parse.rows import Rows, brackets, not_closed

_RELATION = re.compile(
    r"[=∈≔]|:\s*=|\\(in|leftarrow|gets|coloneqq|triangleq|equiv)(?![A-Za-z])|\\mathrel"
)
_BRACKET_OR_RELATION = re.compile(rf"[(\[{{]|[)\]}}]|{_RELATION.pattern}")
_CONTINUES = re.compile(r"\s*([-+/⊙·×∘=]|\\(odot|circ|otimes|cdot|times)(?![A-Za-z]))")
_MOST_BREAKS = 2000

#: (place, kind): ``hard`` between formulas, ``row`` at \\\\, ``soft`` at & or \\quad, ``line``.
Break = tuple[int, str]


class _Piece:
    """What stands between two places where a row could end."""

    def __init__(self, start: int, end: int, kind: str, text: str) -> None:
        self.start, self.end, self.kind, self.text = start, end, kind, text
        self.relates = has_relation(text)
        self.depth = sum(text.count(c) for c in "([{") - sum(text.count(c) for c in ")]}")
        self.continues = _CONTINUES.match(text) is not None
        self.rest_relates = False


def assembled(rows: Rows, breaks: list[Break], inline: Collection[int]) -> list[tuple[int, int]]:
    """The rows of a text; ``inline`` holds where formulas in running text begin.

    Raises:
        ParseError: a bracket that is not closed within its row, or too many rows.
    """
    if len(breaks) > _MOST_BREAKS:
        raise rows.source.error(
            f"more than {_MOST_BREAKS} rows; give the equations of one step",
            breaks[_MOST_BREAKS][0],
        )
    found: list[tuple[int, int]] = []
    hard = [0, *(at for at, kind in breaks if kind == "hard"), len(rows.cleaned)]
    for start, end in pairwise(hard):
        inner = [(at, kind) for at, kind in breaks if start <= at < end and kind != "hard"]
        points = [(start, "row"), *inner, (end, "row")]
        pieces = [
            _Piece(low, high, kind, rows.cleaned[low:high])
            for (low, kind), (high, _) in pairwise(points)
        ]
        segment = _segment(pieces)
        if start in inline and not has_relation(rows.cleaned[start:end]):
            # A formula in running text that relates nothing is only mentioned.
            segment = []
        found += segment
    for start, end in found:
        still = brackets(rows.source, rows.cleaned, start, end)
        if still is not None:
            raise not_closed(rows.source, still)
    return found


def _segment(pieces: list[_Piece]) -> list[tuple[int, int]]:
    """The rows between two formula boundaries."""
    following, after = False, None
    for piece in reversed(pieces):
        joined = after is not None and after.kind == "soft"
        following = piece.relates or (following and joined)
        piece.rest_relates, after = following, piece
    rows: list[tuple[int, int]] = []
    depth, whole = 0, False
    for piece in pieces:
        if not piece.text.strip():
            continue
        if rows and (not whole or depth or piece.continues or not piece.rest_relates):
            rows.append((rows.pop()[0], piece.end))
        else:
            rows.append((piece.start, piece.end))
            depth, whole = 0, False
        whole = whole or (piece.relates and not depth)
        depth += piece.depth
    return rows


def has_relation(text: str) -> bool:
    """Whether an equals sign or the like stands outside all brackets."""
    depth = 0
    for match in _BRACKET_OR_RELATION.finditer(text):
        character = match.group()
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth <= 0:
            return True
    return False
