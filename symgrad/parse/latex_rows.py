r"""LaTeX as people paste it, to rows: what only sets type is blanked, places are kept.

Environments, alignment, labels, spacing, sizes of delimiters, comments and prose go;
what is left is for the grammar. The blanked text has the length of the source.
"""

from __future__ import annotations

import re

from symgrad.parse.errors import Source
from symgrad.parse.grammar import macro_at
from symgrad.parse.latex_delimiters import SIZED, Delimiters
from symgrad.parse.latex_pieces import Break, assembled, has_relation
from symgrad.parse.latex_words import LAYOUT, MACROS, PROSE, SPACES, SUGGESTED, WITH_ARGUMENT
from symgrad.parse.rows import (
    FOR,
    HEADERS,
    SPACE,
    Rows,
    check_size,
    not_closed,
    read_header,
    unknown_macro,
)

_GRID = re.compile(r"[bpvBV]?(small)?matrix|d?cases")
_BEGIN = re.compile(r"\\(begin|end)\s*\{([^{}]*)\}")
_TEXT = re.compile(r"\\(text|mbox|textrm|textnormal|textit|textbf|hbox|intertext)\s*\{([^{}]*)\}")
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_ROW_END = re.compile(r"\\(\\\*?|newline|cr)(\s*\[\s*-?[\d.]+\s*[a-z]{2}\s*\])?")
_MATH_NAMES = "|".join(re.escape(name) for name in sorted(LAYOUT | {"array"}))
_MATH_STARTS = re.compile(r"(?<!\\)(\$|\\\[|\\\()|\\begin\s*\{(" + _MATH_NAMES + r")\}")
_HEADER = re.compile(rf"%+\s*({'|'.join(HEADERS)})\s*:(.*)")
_WORD_CALL = re.compile(
    r"(?<![\\A-Za-z{])(tanh|exp|log|ln|max|min|sqrt|sigmoid|softmax|softplus|relu|ReLU)\s*\("
)
_INTRODUCES = re.compile(
    r"\s*[,;.]?\s*(for|if|when|where|with)(?:\s+(?:all|every|each|any))?(?![A-Za-z])"
)
#: A bar with a subscript behind a derivative.
RESTRICTED = "; a derivative along paths through c alone is written \\left.\\frac{…}{…}\\right|_{c}"
_MOST_BRACES = 50
_MOST_NESTED = 20


class LatexRows(Delimiters):
    """One pass over a text; ``rows`` is what comes out."""

    def __init__(self, source: Source, *, formula: bool = False) -> None:
        check_size(source)
        super().__init__(source)
        self.text, self.formula = source.text, formula
        self.rows = Rows(source, "")
        self.breaks: list[Break] = []
        self.environments: list[tuple[str, int]] = []
        #: Remarks below braces: from here, to there.
        self.skipped: dict[int, int] = {}
        #: Where formulas in running text begin; those without a relation are only mentioned.
        self.inline: set[int] = set()

    def read(self) -> Rows:
        self._comments()
        self._document()
        text = "".join(self.out)
        # Dollar signs in \text{for $t < T$} begin no mathematics of their own.
        outside = _TEXT.sub("", text) if self.formula else text
        self.bare = _MATH_STARTS.search(outside) is None
        self.math = self.bare
        at = 0
        while at < len(text):
            at = self.skipped.pop(at) if at in self.skipped else self._step(text, at)
        self._ended()
        self.rows.cleaned = "".join(self.out)
        self._no_bare_words()
        self.rows.rows = assembled(self.rows, self.breaks, self.inline)
        return self.rows

    def _no_bare_words(self) -> None:
        """``tanh(`` without a backslash is a product of letters, and never meant."""
        word = _WORD_CALL.search(self.rows.cleaned)
        if word is not None:
            name = word.group(1)
            macro = rf"\{name}" if name in MACROS else rf"\operatorname{{{name}}}"
            raise self.source.error(
                f"{name}( in LaTeX is a product of letters: write {macro}(",
                word.start(),
                word.end(1),
            )

    # ---- the outside ------------------------------------------------------------------

    def _comments(self) -> None:
        for match in re.finditer(r"(?<!\\)%[^\n]*", self.text):
            header = _HEADER.fullmatch(match.group().rstrip("\r"))
            if header is not None:
                read_header(self.rows, header.group(1), header.group(2), match.start())
            self.blank(match.start(), match.end())

    def _document(self) -> None:
        text = "".join(self.out)
        begin = re.search(r"\\begin\s*\{document\}", text)
        if begin is not None:
            self.blank(0, begin.end())
            end = text.find("\\end{document}")
            if end >= 0:
                self.blank(end, len(text))

    def _step(self, text: str, at: int) -> int:
        """Handle what stands at a place; the place after it."""
        character = text[at]
        if character == "$":
            width = 2 if text.startswith("$$", at) else 1
            if width == 1 and not self.math:
                self.inline.add(at)
            return self._switch(at, at + width, not self.math)
        if character == "\\":
            return self._command(text, at)
        if not self.math:
            if character in "=_^":
                raise self.source.error(
                    f"{character!r} stands outside mathematics: put the formula between dollar "
                    "signs or in an environment",
                    at,
                )
            self.blank(at, at + 1)
            return at + 1
        if character == "\n" and self.bare and not self._in_grid():
            self.breaks.append((at, "line"))
        elif character == "&" and not self._in_grid():
            self.blank(at, at + 1)
            self.breaks.append((at, "soft"))
        elif character in "|‖":
            self.bar(at, at + 1, character)
        elif text.startswith("{}", at):
            self.blank(at, at + 2)
            return at + 2
        elif text.startswith("{:}", at):
            self.out[at : at + 3] = " : "
            return at + 3
        return at + 1

    def _switch(self, start: int, end: int, math: bool) -> int:
        self.blank(start, end)
        self.breaks.append((start, "hard"))
        self.math = math or self.bare
        return end

    # ---- commands ---------------------------------------------------------------------

    def _command(self, text: str, at: int) -> int:
        pair = text[at : at + 2]
        if pair == "\\(":
            self.inline.add(at)
        if pair in ("\\[", "\\("):
            return self._switch(at, at + 2, True)
        if pair in ("\\]", "\\)"):
            return self._switch(at, at + 2, False)
        begin = _BEGIN.match(text, at)
        if begin is not None:
            return self._environment(text, begin)
        command = _COMMAND.match(text, at)
        if not self.math:
            end = command.end() if command else at + 2
            if command and command.group(1) in WITH_ARGUMENT:
                end = self._argument(text, end) or end
            self.blank(at, end)
            return end
        if pair == "\\\\" or re.match(r"\\(newline|cr)(?![A-Za-z])", text[at : at + 9]):
            return self._row_end(text, at)
        if pair == "\\|":
            self.bar(at, at + 2, "‖")
            return at + 2
        if pair in ("\\{", "\\}", "\\_"):
            return at + 2
        if command is None:
            if len(pair) == 2 and pair[1] in ",;:! \n/-":
                self.blank(at, at + 2)
                return at + 2
            raise self.source.error(f"{pair} has no meaning here; remove it", at, at + 2)
        return self._word(text, at, command.group(1), command.end())

    def _word(self, text: str, at: int, name: str, end: int) -> int:
        sized = SIZED.match(text, at)
        if sized is not None:
            return self.delimiter(sized)
        remark = _TEXT.match(text, at)
        if remark is not None:
            return self._remark(text, remark)
        if name in ("quad", "qquad"):
            self.blank(at, end)
            if self.formula:
                self.out[at] = SPACE
            self.breaks.append((at, "soft"))
            return end
        if name in WITH_ARGUMENT:
            stop = self._argument(text, end) or end
            self.blank(at, stop)
            return stop
        if name in ("underbrace", "overbrace"):
            if len(self.skipped) > _MOST_BRACES:
                raise self.source.error("too many braces with remarks; remove them", at, end)
            self.blank(at, end)
            body = self._argument(text, end) or end
            mark = re.compile(r"\s*[_^]\s*(?=\{)").match(text, body)
            if mark is not None:
                stop = self._argument(text, mark.end()) or mark.end()
                self.blank(body, stop)
                self.skipped[body] = stop
            return end
        if name in SPACES:
            self.blank(at, end)
            return end
        if name in ("dots", "ldots", "cdots"):
            if self.formula and re.search(r"=\s*\w+\s*,\s*$", text[:at]):
                # The range t = 1, …, T.
                self.blank(at, end)
                self.out[at] = "…"
                return end
            raise self.source.error(f"\\{name}: write all terms; nothing is guessed", at, end)
        if macro_at(text, at) < at + len(name) + 1:
            raise unknown_macro(self.source, name, at, SUGGESTED)
        return end

    def _argument(self, text: str, at: int) -> int | None:
        """The place after a group in braces that begins here; None where none does.

        Raises:
            ParseError: it is not closed.
        """
        while at < len(text) and text[at].isspace():
            at += 1
        if at >= len(text) or text[at] != "{":
            return None
        depth = 0
        for place in range(at, len(text)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                return place + 1
        raise not_closed(self.source, at)

    def _row_end(self, text: str, at: int) -> int:
        match = _ROW_END.match(text, at)
        assert match is not None
        self.blank(at, match.end())
        if self._in_grid():
            self.out[at] = "\ue004"
        else:
            self.breaks.append((at, "row"))
        return match.end()

    def _remark(self, text: str, match: re.Match[str]) -> int:
        """``\\text{…}``: a name where it is a word, a remark otherwise."""
        words = match.group(2).strip().rstrip(":.,")
        start, end = match.span()
        if self._in_grid("cases"):
            return end
        if words in ("and", "where", "with", "then", "so"):
            self.blank(start, end)
            self.breaks.append((start, "hard"))
        elif self.formula and (intro := _INTRODUCES.match(match.group(2))):
            return self._introduced(match, intro)
        elif re.match(r"(for|if|when)\b", words):
            stop = self._row_stop(text, end)
            self.blank(start, stop)
            return stop
        elif (
            not re.fullmatch(r"[A-Za-z0-9](\\?[_-]?[A-Za-z0-9])*", words)
            or match.group(1) in ("mbox", "hbox", "intertext")
            or self._is_column_of_words(text, start, end)
        ):
            self.blank(start, end)
        return end

    def _introduced(self, match: re.Match[str], intro: re.Match[str]) -> int:
        """``\\text{for all $t$}`` and ``\\text{, where}``: the word is marked, its text is kept."""
        start, end = match.span()
        inside = match.start(2)
        rest = [i for i in range(inside + intro.end(), match.end(2)) if self.out[i] != "$"]
        kept = [(i, self.out[i]) for i in rest]
        self.blank(start, end)
        for place, character in kept:
            self.out[place] = character
        if intro[1] in ("for", "if", "when"):
            self.out[start] = FOR
        else:
            self.breaks.append((start, "hard"))
        return end

    @staticmethod
    def _is_column_of_words(text: str, start: int, end: int) -> bool:
        """Whether nothing but a word stands between a tab or a wide space and the row's end."""
        before = re.search(r"(&|\\q?quad)\s*$", text[:start])
        after = re.match(r"\s*[.,;]?\s*(\\\\|\\end|\\\]|\$|$)", text[end:])
        return before is not None and after is not None

    @staticmethod
    def _row_stop(text: str, at: int) -> int:
        stop = re.compile(r"\\\\|\\end|\\\]|\\\)|\$|\n\s*\n").search(text, at)
        return stop.start() if stop else len(text)

    # ---- environments -----------------------------------------------------------------

    def _in_grid(self, *kinds: str) -> bool:
        if not self.environments:
            return False
        name = self.environments[-1][0]
        return name.endswith(kinds) if kinds else bool(_GRID.fullmatch(name)) or name == "array"

    def _environment(self, text: str, match: re.Match[str]) -> int:
        word, name = match.group(1), match.group(2).strip()
        start, end = match.span()
        if word == "end":
            return self._environment_end(name, start, end)
        if name.endswith("cases") and not self.formula:
            raise self.source.error(
                "cases: a cell has one formula for each signal; write relu, max or abs where one "
                "of them is meant",
                start,
                end,
            )
        if len(self.environments) >= _MOST_NESTED:
            raise self.source.error("too many environments inside each other", start, end)
        if name == "array":
            columns = re.compile(r"\s*(\[[a-z]\])?\s*\{[^{}]*\}").match(text, end)
            end = columns.end() if columns else end
            inside = text[end : text.find("\\end{array}", end)]
            if has_relation(inside):
                name = "layout array"
        elif name in ("alignat", "alignat*", "alignedat"):
            columns = re.compile(r"\s*\{[^{}]*\}").match(text, end)
            end = columns.end() if columns else end
        self.environments.append((name, start))
        if _GRID.fullmatch(name) or name == "array":
            return end
        if name in LAYOUT or name == "layout array":
            if not self.math or self.environments[0][1] == start:
                self.breaks.append((start, "hard"))
            self.blank(start, end)
            self.math = True
            return end
        if name in PROSE and not self.math:
            self.blank(start, end)
            return end
        raise self.source.error(
            f"the environment {name} is not known here; use align or equation", start, end
        )

    def _environment_end(self, name: str, start: int, end: int) -> int:
        opened = self.environments.pop() if self.environments else ("", start)
        if opened[0].removeprefix("layout ") != name:
            if not opened[0]:
                raise self.source.error(f"\\end{{{name}}} closes nothing; remove it", start, end)
            raise self.source.error(
                f"this environment is not closed: add \\end{{{opened[0]}}} before "
                f"\\end{{{name}}} in line {self.source.line_of(start)}",
                opened[1],
            )
        if _GRID.fullmatch(name) or opened[0] == "array":
            return end
        self.blank(start, end)
        if not any(inner in LAYOUT for inner, _ in self.environments):
            self.breaks.append((start, "hard"))
            self.math = self.bare
        else:
            self.breaks.append((start, "row"))
        return end

    def _ended(self) -> None:
        """Everything that was opened is closed."""
        if self.environments:
            name, at = self.environments[-1]
            raise self.source.error(f"this environment is not closed: add \\end{{{name}}}", at)
        if self.sized:
            sign, at = self.sized[-1]
            raise self.source.error(f"\\left{sign} has no \\right; add it", at)
        for kind, place in self.open_bars.items():
            if place is not None:
                message = f"this {kind} is not closed: add {kind}"
                if re.match(r"(\||‖|\\\||\\[a-zA-Z]+)\s*_", self.text[place:]):
                    message += RESTRICTED
                raise self.source.error(message, place)
        if self.math and not self.bare:
            start = max((at for at, kind in self.breaks if kind == "hard"), default=0)
            raise self.source.error("the mathematics that begins here is not closed", start)


def latex_rows(source: Source, *, formula: bool = False) -> Rows:
    """The rows of a LaTeX text, one equation or declaration each.

    Raises:
        ParseError: something that is not closed, an unknown macro or environment, cases.
    """
    return LatexRows(source, formula=formula).read()
