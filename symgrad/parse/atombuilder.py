"""What the callbacks of both grammars share, and those for atoms: names, numbers, groups."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypedDict

from lark import Token, Transformer

from symgrad.parse.errors import DEEPEST
from symgrad.parse.letters import ACCENT_WORDS, FONTS, GREEK_WORDS, WORD_FONTS
from symgrad.parse.tree import (
    Atom,
    Bracket,
    CaseList,
    CaseRow,
    Fenced,
    Frac,
    Grid,
    Group,
    Juxt,
    Num,
    Relation,
    Root,
    Scripted,
    Tree,
)

_RELATIONS = {
    ":=": "=", "≔": "=", "←": "=", "<-": "=", "coloneqq": "=", "leftarrow": "=", "gets": "=",
    "triangleq": "=", "equiv": "=", "in": "in", "∈": "in", "ne": "≠", "neq": "≠", "!=": "≠",
    "ge": "≥", "geq": "≥", ">=": "≥", "le": "≤", "leq": "≤", "<=": "≤", "colon": ":",
    "langle": "<", "rangle": ">", "⟨": "<", "⟩": ">",
}  # fmt: skip
_LONGEST_NUMBER = 40


class Where(TypedDict):
    """The place of a tree, and how deep it nests."""

    at: int
    end: int
    depth: int


class BadTree(Exception):
    """A tree that is refused while it is made: the message and the place."""

    def __init__(self, message: str, at: int, end: int) -> None:
        super().__init__(message)
        self.message, self.at, self.end = message, at, end


@dataclass(frozen=True, slots=True)
class Items:
    """Trees in a row, with what stands around them."""

    at: int
    end: int
    items: list[Tree]
    separators: tuple[str, ...] = ()
    braced: bool = False


def at_of(part: Any) -> int:
    """Where a token or a tree begins."""
    return int(part.start_pos or 0) if isinstance(part, Token) else int(part.at)


def end_of(part: Any) -> int:
    """Where a token or a tree ends."""
    return int(part.end_pos or 0) if isinstance(part, Token) else int(part.end)


def trees_in(parts: list[Any]) -> list[Tree]:
    """The trees among the parts of a rule."""
    return [part for part in parts if isinstance(part, Tree)]


def depth_of(trees: list[Tree], more: int = 1) -> int:
    """How deep something nests that holds the trees."""
    return more + max((tree.depth for tree in trees), default=0)


def macro(token: str) -> str:
    """A macro without its backslash; anything else as it is."""
    return str(token[1:] if token.startswith("\\") and token[1:2].isalpha() else token)


class AtomBuilder(Transformer[Token, list[Any]]):
    """The callbacks of atoms."""

    def place(self, parts: list[Any], depth: int) -> Where:
        at, end = at_of(parts[0]), end_of(parts[-1])
        if depth > DEEPEST:
            raise BadTree(
                f"nested or chained deeper than {DEEPEST} levels; give a part of it a name with "
                "an equation of its own",
                at,
                end,
            )
        return {"at": at, "end": end, "depth": depth}

    @staticmethod
    def span(parts: list[Any]) -> tuple[int, int]:
        return at_of(parts[0]), end_of(parts[-1])

    @staticmethod
    def relation(token: Token) -> str:
        word = "".join(c for c in token if c not in "{} ")
        word = ":=" if "mathrel" in word else macro(word)
        return _RELATIONS.get(word, word)

    def related(self, parts: list[Any], sign: str) -> Relation:
        trees = trees_in(parts)
        return Relation(
            sign=sign, left=trees[0], right=trees[1], **self.place(parts, depth_of(trees))
        )

    def atom(self, parts: list[Any]) -> Any:
        return parts[0]

    def number(self, parts: list[Token]) -> Num:
        token = parts[0]
        mantissa, _, exponent = token.lower().partition("e")
        if len(mantissa) > _LONGEST_NUMBER or len(exponent) > 3 or abs(int(exponent or 0)) > 99:
            raise BadTree(
                f"a number of more than {_LONGEST_NUMBER} digits; give it a name, as a parameter",
                at_of(token),
                end_of(token),
            )
        return Num(value=Fraction(str(token)), text=str(token), **self.place(parts, 1))

    def name(self, parts: list[Token]) -> Atom:
        """A name of plain text: its parts between underscores are labels."""
        words = [self._plain_word(word, parts[0]) for word in str(parts[0]).split("_")]
        base, accents = words[0]
        labels = [label for word, marks in words[1:] for label in (word, *marks)]
        return Atom(base=base, accents=accents, labels=tuple(labels), **self.place(parts, 1))

    @staticmethod
    def _plain_word(word: str, token: Token) -> tuple[str, tuple[str, ...]]:
        marks = []
        letters = ""
        for character in unicodedata.normalize("NFD", word):
            if character in ACCENT_WORDS:
                marks.append(ACCENT_WORDS[character])
            else:
                letters += character
        letters = "dt" if letters == "Δt" else GREEK_WORDS.get(letters, letters)
        if letters[:1] == "d" and letters[1:] in GREEK_WORDS:
            # The denominator of dL/dα.
            letters = "d" + GREEK_WORDS[letters[1:]]
        if not re.fullmatch(r"[A-Za-z0-9]+", letters):
            raise BadTree(
                f"{word!r} is no name: write Latin letters and digits, or one Greek letter, and a "
                "blank between two names",
                at_of(token),
                end_of(token),
            )
        return letters, tuple(marks)

    def letter(self, parts: list[Token]) -> Atom:
        word = {"ell": "ell", "ℓ": "ell", "imath": "i", "jmath": "j"}.get(
            macro(parts[0]), macro(parts[0])
        )
        return Atom(base=word, **self.place(parts, 1))

    def greek(self, parts: list[Token]) -> Atom:
        word = macro(parts[0])
        if not word.isascii():
            word = GREEK_WORDS.get(word, "")
            if not word:
                raise BadTree("this letter is not known; write its macro", *self.span(parts))
        return Atom(base=word, **self.place(parts, 1))

    def function(self, parts: list[Token]) -> Atom:
        return Atom(base=macro(parts[0]), function=True, **self.place(parts, 1))

    def word(self, parts: list[Token]) -> Tree:
        """A word in a font of words; in a font of letters, letters side by side."""
        match = re.fullmatch(r"\\(\w+)\*?\s*\{(.*)\}", parts[0], re.DOTALL)
        assert match is not None
        macro, inside = match.groups()
        text = inside.strip()
        place = self.place(parts, 1)
        font = FONTS.get(macro, macro)
        if len(text) == 1 or macro in WORD_FONTS:
            labels = [label for label in re.split(r"[ -]+|\\_", text) if label]
            if text == "1" and font in ("bold", "blackboard"):
                return Atom(base="𝟏", font=font, **place)
            if text.isdigit() or not labels:
                return Num(value=Fraction(text or "0"), text=text, **place)
            return Atom(base=labels[0], labels=tuple(labels[1:]), font=font, **place)
        letters = [
            Num(value=Fraction(c), text=c, **place)
            if c.isdigit()
            else Atom(base=c, font=font, **place)
            for c in re.sub(r"[^A-Za-z0-9]", "", text)
        ]
        return Juxt(factors=tuple(letters), **self.place(parts, 1 + len(letters)))

    def partial(self, parts: list[Token]) -> Atom:
        base = "∂⁺" if "+" in parts[0] or "⁺" in parts[0] else "∂"
        return Atom(base=base, **self.place(parts, 1))

    def nabla(self, parts: list[Token]) -> Atom:
        return Atom(base="∇", **self.place(parts, 1))

    def ones(self, parts: list[Token]) -> Atom:
        return Atom(base="𝟏", **self.place(parts, 1))

    def group(self, parts: list[Any]) -> Group:
        opening = {"\\{": "{", "\\lbrace": "{", "\\lbrack": "["}.get(parts[0], str(parts[0]))
        bracket: Bracket = "(" if opening == "(" else "[" if opening == "[" else "{"
        if parts[0].type == "LBRACE":
            bracket = ""
        inner = parts[1]
        if not isinstance(inner, Items):
            inner = Items(inner.at, inner.end, [inner])
        return Group(
            bracket=bracket,
            items=tuple(inner.items),
            separators=inner.separators,
            **self.place(parts, depth_of(inner.items)),
        )

    def entries(self, parts: list[Any]) -> Items:
        separators = tuple(str(p) for p in parts if isinstance(p, Token))
        return Items(*self.span(parts), trees_in(parts), separators)

    def item(self, parts: list[Any]) -> Tree:
        if len(parts) == 1:
            found: Tree = parts[0]
            return found
        return self.related(parts, self.relation(parts[1]))

    def plain(self, parts: list[Any]) -> Any:
        if len(parts) < 3:
            return parts[0]
        # Messages quote a name from the text: with its brace, as in \hat{W}.
        return replace(parts[1], end=end_of(parts[2]))

    def accent(self, parts: list[Any]) -> Tree:
        word = ACCENT_WORDS[macro(parts[0])]
        return self._decorate(parts[1], parts, accent=word)

    def font(self, parts: list[Any]) -> Tree:
        word = macro(parts[0]).rstrip("*")
        return self._decorate(parts[1], parts, font=FONTS.get(word, word))

    def _decorate(self, inner: Tree, parts: list[Any], *, font: str = "", accent: str = "") -> Tree:
        """The tree with a font or an accent on its letters; an accent goes on one name."""
        if isinstance(inner, Atom):
            accents = (*inner.accents, accent) if accent else inner.accents
            return Atom(
                base=inner.base,
                font=font or inner.font,
                accents=accents,
                labels=inner.labels,
                function=inner.function,
                **self.place(parts, 1),
            )
        if isinstance(inner, Scripted):
            base = self._decorate(inner.base, [inner.base], font=font, accent=accent)
            return Scripted(base=base, scripts=inner.scripts, **self.place(parts, inner.depth))
        if font and isinstance(inner, Num):
            if inner.value == 1 and font in ("bold", "blackboard"):
                return Atom(base="𝟏", font=font, **self.place(parts, 1))
            return inner
        if font and isinstance(inner, Juxt):
            factors = tuple(self._decorate(f, [f], font=font) for f in inner.factors)
            return Juxt(factors=factors, **self.place(parts, inner.depth))
        if font:
            return Group(bracket="", items=(inner,), **self.place(parts, inner.depth + 1))
        raise BadTree(f"{parts[0]} stands over one letter", *self.span(parts))

    def frac(self, parts: list[Any]) -> Frac:
        return Frac(over=parts[1], under=parts[2], **self.place(parts, depth_of(parts[1:])))

    def short_frac(self, parts: list[Token]) -> Frac:
        place = self.place(parts, 1)
        over, under = (Num(value=Fraction(d), text=d, **place) for d in parts[0][-2:])
        return Frac(over=over, under=under, **self.place(parts, 2))

    def root(self, parts: list[Any]) -> Root:
        trees = trees_in(parts)
        degree = trees[0] if len(trees) == 2 else None
        return Root(body=trees[-1], degree=degree, **self.place(parts, depth_of(trees)))

    def magnitude(self, parts: list[Any]) -> Fenced:
        return Fenced(kind="abs", body=parts[1], **self.place(parts, parts[1].depth + 1))

    def norm(self, parts: list[Any]) -> Fenced:
        return Fenced(kind="norm", body=parts[1], **self.place(parts, parts[1].depth + 1))

    def grid_row(self, parts: list[Any]) -> Any:
        return tuple(trees_in(parts))

    def grid(self, parts: list[Any]) -> Grid:
        rows = tuple(row for row in parts if isinstance(row, tuple) and row)
        cells = [cell for row in rows for cell in row]
        if not rows or len({len(row) for row in rows}) != 1:
            raise BadTree("the rows of this matrix differ in length", *self.span(parts))
        return Grid(rows=rows, **self.place(parts, depth_of(cells)))

    def case(self, parts: list[Any]) -> CaseRow:
        trees = trees_in(parts)
        conditions = tuple(tree for tree in trees[1:] if isinstance(tree, Relation))
        return CaseRow(value=trees[0], conditions=conditions, **self.place(parts, depth_of(trees)))

    def condition(self, parts: list[Any]) -> Relation:
        return self.related(parts, self.relation(parts[1]))

    def cases(self, parts: list[Any]) -> CaseList:
        rows = [part for part in parts if isinstance(part, CaseRow)]
        return CaseList(rows=tuple(rows), **self.place(parts, depth_of([*rows])))
