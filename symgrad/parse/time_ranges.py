"""Ranges of times behind a statement: ``for 1 ≤ t < T``, ``for all t ≥ 2, k < t``, ``t = T``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from symgrad.lang.affine import Affine, as_affine, symbol
from symgrad.parse.errors import ParseError, Source
from symgrad.verify.ranges import is_difference

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+)|(?P<word>[^\W\d_]+)|(?P<sign>[-+−])"
    r"|(?P<relation><=|>=|!=|[≤≥≠<>=]|\\(?:le|leq|ge|geq|ne|neq)(?![A-Za-z]))"
    r"|(?P<dots>…)|(?P<between>[,;∧])|(?P<bracket>[()])|(?P<other>\S))"
)
_RELATIONS = {
    "<=": "≤", ">=": "≥", "!=": "≠", "\\le": "≤", "\\leq": "≤", "\\ge": "≥", "\\geq": "≥",
    "\\ne": "≠", "\\neq": "≠",
}  # fmt: skip
_FILLING = frozenset(["all", "every", "each", "any"])
_SHOWN = "a range compares times: for 1 ≤ t < T"
_LARGEST = 10_000


@dataclass(frozen=True)
class Comparison:
    """``left relation right``: one link of a chain such as ``1 ≤ t < T``, with its place."""

    left: Affine
    relation: str
    right: Affine
    at: int
    end: int

    @property
    def constraints(self) -> tuple[Affine, ...]:
        """Forms that are at least 0."""
        up, down = self.right - self.left, self.left - self.right
        return {
            "≤": (up,),
            "<": (up - 1,),
            "≥": (down,),
            ">": (down - 1,),
            "=": (up, down),
        }[self.relation]


@dataclass
class StatedRange:
    """What stands behind a statement: comparisons, and where each letter is first mentioned."""

    source: Source
    comparisons: list[Comparison] = field(default_factory=list)
    letters: dict[str, int] = field(default_factory=dict)
    #: A letter that stood alone so far: t in ``for all t``.
    alone: str = ""

    @property
    def constraints(self) -> tuple[Affine, ...]:
        """Forms that are at least 0."""
        return tuple(form for item in self.comparisons for form in item.constraints)

    @property
    def place(self) -> tuple[int, int]:
        """From the first comparison to the last."""
        if not self.comparisons:
            at = min(self.letters.values(), default=0)
            return at, at + 1
        return min(c.at for c in self.comparisons), max(c.end for c in self.comparisons)

    def error(self, message: str, letter: str = "") -> ParseError:
        """The error at a letter, or at the whole range."""
        if letter:
            return self.source.error(message, self.letters[letter])
        return self.source.error(message, *self.place)

    def read(self, cleaned: str, start: int, end: int) -> None:
        """Add the comparisons that stand between two places.

        Raises:
            ParseError: what stands there compares no times.
        """
        _RangeReader(self, [*_tokens(cleaned, start, end)], end).read()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int
    end: int


def _tokens(text: str, start: int, end: int) -> Iterator[_Token]:
    at = start
    while (match := _TOKEN.match(text, at, end)) is not None:
        kind = str(match.lastgroup)
        yield _Token(kind, match[kind], match.start(kind), match.end(kind))
        at = match.end()


class _RangeReader:
    """Chains of comparisons, with commas or ``and`` between them."""

    def __init__(self, found: StatedRange, tokens: list[_Token], end: int) -> None:
        self.found, self.source, self.end = found, found.source, end
        self.tokens = _unwrapped(tokens)

    def read(self) -> None:
        chains = [chain for chain in self._chains() if chain]
        if not chains:
            raise self.source.error(f"no range stands here; {_SHOWN}", self.end - 1, self.end)
        for chain in chains:
            if self.found.alone and len(chain) > 1:
                first = self.found.alone
                raise self.found.error(
                    f"{first} and what follows it: say the range of each time, {first} ≥ 1, k ≥ 1",
                    first,
                )
            self._chain(chain)
            self.found.alone = chain[0].text if len(chain) == 1 else ""

    def _chains(self) -> list[list[_Token]]:
        chains: list[list[_Token]] = [[]]
        for token in self.tokens:
            if token.kind == "between" or (token.kind == "word" and token.text == "and"):
                chains.append([])
            elif token.kind == "word" and token.text in _FILLING and not chains[-1]:
                continue
            else:
                chains[-1].append(token)
        return chains

    def _chain(self, chain: list[_Token]) -> None:
        sides: list[list[_Token]] = [[]]
        relations: list[_Token] = []
        for token in chain:
            if token.kind in ("relation", "dots"):
                relations.append(token)
                sides.append([])
            else:
                sides[-1].append(token)
        forms = [self._form(side, chain) for side in sides]
        if not relations and (len(chain) > 1 or chain[0].kind != "word"):
            raise self._refused(chain[0], chain[-1])
        for place, token in enumerate(relations):
            sign = _RELATIONS.get(token.text, token.text)
            left = forms[place]
            if sign == "≠":
                raise self.source.error(
                    "a range is from one time to another: write t < T in place of t ≠ T",
                    token.at,
                    token.end,
                )
            if token.kind == "dots":
                # t = 1, …, T: the sign before said that t is 1.
                if not place or relations[place - 1].text != "=":
                    raise self._refused(token, token)
                self.found.comparisons.pop()
                first = (forms[place - 1], "≥", left)
                links = [first, (forms[place - 1], "≤", forms[place + 1])]
            else:
                links = [(left, sign, forms[place + 1])]
            for low, relation, high in links:
                self._link(Comparison(low, relation, high, chain[0].at, chain[-1].end))

    def _link(self, link: Comparison) -> None:
        if not all(map(is_difference, link.constraints)):
            raise self.source.error(
                f"{link.left} {link.relation} {link.right}: a range compares one time with another "
                "or with a number; write k ≤ t - 1, 2 ≤ t",
                link.at,
                link.end,
            )
        self.found.comparisons.append(link)

    def _form(self, side: list[_Token], chain: list[_Token]) -> Affine:
        """A time: T, t - 1, 3."""
        if not side:
            raise self._refused(chain[0], chain[-1])
        total, sign, wanted = as_affine(0), 1, True
        for token in side:
            if token.kind == "sign":
                if wanted and token is not side[0]:
                    raise self._refused(token, token)
                sign, wanted = 1 if token.text == "+" else -1, True
                continue
            if not wanted or token.kind not in ("number", "word"):
                raise self._refused(token, token)
            total += self._term(token).scale(sign)
            wanted = False
        if wanted:
            raise self._refused(side[0], side[-1])
        return total

    def _term(self, token: _Token) -> Affine:
        if token.kind == "number":
            if int(token.text[:6]) > _LARGEST or len(token.text) > 5:
                raise self.source.error(
                    f"times that are numbers go up to {_LARGEST}", token.at, token.end
                )
            return as_affine(int(token.text))
        if len(token.text) != 1 or not token.text.isascii():
            raise self._refused(token, token)
        self.found.letters.setdefault(token.text, token.at)
        return symbol(token.text)

    def _refused(self, first: _Token, last: _Token) -> ParseError:
        text = " ".join(self.source.text[first.at : last.end].split())
        return self.source.error(f"{text!r} is no range of times; {_SHOWN}", first.at, last.end)


def _unwrapped(tokens: list[_Token]) -> list[_Token]:
    """``(1 ≤ t ≤ T)`` without the parentheses, and without a full stop behind."""
    if tokens and tokens[-1].text == ".":
        tokens = tokens[:-1]
    if tokens and (tokens[0].text, tokens[-1].text) == ("(", ")"):
        return tokens[1:-1]
    return tokens
