"""Delimiters of LaTeX: their sizes go, bars get characters for opening and closing."""

from __future__ import annotations

import re

from symgrad.parse.errors import Source

_DELIMITER = (
    r"(\\[{}|]|\\[lr]?[vV]ert(?![A-Za-z])|\\[lr](brace|brack|angle)(?![A-Za-z])|[()\[\]|./<>])"
)
SIZED = re.compile(r"\\(left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])\s*" + _DELIMITER)


class Delimiters:
    """A text that is blanked in place, and the delimiters that are open in it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.out = list(source.text)
        self.sized: list[tuple[str, int]] = []
        self.open_bars: dict[str, int | None] = {"|": None, "‖": None}

    def blank(self, start: int, end: int) -> None:
        """Put blanks in place of what only sets type; line ends stay."""
        for i in range(start, min(end, len(self.out))):
            if self.out[i] != "\n":
                self.out[i] = " "

    def delimiter(self, match: re.Match[str]) -> int:
        """``\\left( … \\right)``: the size goes, the bracket stays."""
        name, sign = match.group(1), match.group(2)
        start, end = match.span()
        where = end - len(sign)
        opening = name == "left" or name.endswith("l")
        self.blank(start, where)
        kind = {"|": "|", "\\vert": "|", "\\lvert": "|", "\\rvert": "|"}.get(sign, "")
        kind = kind or {"\\|": "‖", "\\Vert": "‖", "\\lVert": "‖", "\\rVert": "‖"}.get(sign, "")
        if name == "left":
            self.sized.append((sign, start))
        if name == "right":
            if not self.sized:
                raise self.source.error("this \\right has no \\left; remove it", start, end)
            before, _ = self.sized.pop()
            if before == "." and kind == "|":
                self.blank(where, end)
                self.out[where] = "\ue005"
                return end
        if sign in (".", "/"):
            self.blank(where, end)
        elif kind:
            if name[-1] in "gm":  # \big: neither left nor right
                self.bar(where, end, kind)
            else:
                self._put_bar(where, end, kind, opening)
        return end

    def bar(self, start: int, end: int, kind: str) -> None:
        """A bar that opens and closes alike: the first opens."""
        opened = self.open_bars[kind]
        self.open_bars[kind] = start if opened is None else None
        self._put_bar(start, end, kind, opened is None)

    def _put_bar(self, start: int, end: int, kind: str, opening: bool) -> None:
        self.blank(start, end)
        self.out[start] = {
            ("|", True): "\ue000",
            ("|", False): "\ue001",
            ("‖", True): "\ue002",
            ("‖", False): "\ue003",
        }[kind, opening]
