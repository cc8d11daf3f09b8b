"""A statement taken apart: the equation, the range behind it, definitions beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from symgrad.parse.formulas import TIMES
from symgrad.parse.rows import FOR, SPACE, Rows

_BREAK = re.compile(
    r"(?P<open>\\begin\s*\{[^{}]*\}|[(\[{])|(?P<close>\\end\s*\{[^{}]*\}|[)\]}])|(?P<break>[,;∀\ue006\ue007]"
    r"|(?<![\w\\.])(?:for|if|when|where|with|and)(?!\w))"
)
_DOTS = re.compile(r",?\s*(?:…|\.{2,3})\s*,?")
_COMPARES = re.compile(r"[≤≥<>]|\\(?:le|leq|ge|geq)(?![A-Za-z])")
_DIFFERS = re.compile(r"≠|\\neq?(?![A-Za-z])")
_ONLY_TIMES = re.compile(
    r"(?:[\s()0-9.…∧+−=≤≥<>-]|\\(?:le|leq|ge|geq)(?![A-Za-z])|(?<![A-Za-z\\])[A-Za-z](?![\w]))*"
)
_KINDS = {
    "for": "for", "if": "for", "when": "for", "∀": "for", FOR: "for", "where": "where",
    "with": "where", SPACE: "space",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A stretch of the text: ``equation``, ``range`` or ``definition``."""

    kind: str
    start: int
    end: int


def claim_parts(rows: Rows) -> tuple[str, list[Part]]:
    """The text without marks and words between, and its parts in order.

    Raises:
        ParseError: a range behind a definition, or nothing at all.
    """
    text = _DOTS.sub(lambda m: "…".ljust(len(m[0])), rows.cleaned)
    found: list[Part] = []
    for kind, start, end in _stretches(text, rows):
        words = text[start:end]
        if not words.strip(" \t\r\n."):
            if kind == "for":
                raise rows.source.error("no range stands here: write for 1 ≤ t < T", start - 1, end)
            continue
        if not found:
            found.append(Part("equation", start, end))
        elif kind == "space" and _goes_on(words):
            found[-1] = Part(found[-1].kind, found[-1].start, end)
        elif kind == "for" or (kind != "where" and is_range(words)):
            if any(part.kind == "definition" for part in found):
                raise rows.source.error(
                    "a range behind a definition: the range of a statement stands right behind "
                    "it, and a definition is used at whatever times the statement needs",
                    start + len(words) - len(words.lstrip()),
                    end,
                )
            found.append(Part("range", start, end))
        else:
            found.append(Part("definition", start, end))
    text = text.replace(FOR, " ").replace(SPACE, " ")
    if not found:
        raise rows.source.error("expected one formula", 0, len(text))
    return text, found


def _goes_on(words: str) -> bool:
    """Whether what stands behind a wide space still belongs to the formula before it."""
    relates = "=" in words or _COMPARES.search(words) or _DIFFERS.search(words)
    return not relates or words.lstrip().startswith("=")


def is_range(words: str) -> bool:
    """Whether a stretch compares times, and is no definition."""
    if not _ONLY_TIMES.fullmatch(words):
        return bool(_COMPARES.search(words.partition("=")[0]))
    letters = set(re.findall(r"(?<!\\)\b[A-Za-z]\b", words.partition("=")[0]))
    return bool(_COMPARES.search(words)) or letters <= TIMES


def _stretches(text: str, rows: Rows) -> Iterator[tuple[str, int, int]]:
    """What stands between breaks outside of all brackets, with the word before it."""
    for start, end in rows.rows:
        kind, at, depth = "row", start, 0
        for match in _BREAK.finditer(text, start, end):
            if match["open"] or match["close"]:
                depth += 1 if match["open"] else -1
            elif not depth:
                yield kind, at, match.start()
                kind, at = _KINDS.get(match["break"], match["break"]), match.end()
        yield kind, at, end
