"""Names as they are written, and the names symgrad gives them.

``\\tilde{c}_t`` is ``c_tilde`` at t, ``W_{xh}`` is ``W_xh``, ``U^{(f)}`` is ``U_f``. Two
names that are written differently never become one, and no name is a reserved one.
"""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.lang.affine import Affine, as_affine, symbol
from symgrad.parse.errors import Source
from symgrad.parse.letters import GREEK_WORDS, VARIANTS
from symgrad.parse.tree import (
    Atom,
    Chain,
    Group,
    Juxt,
    Mark,
    Num,
    Relation,
    Script,
    Scripted,
    Sum,
    Tree,
)

_RESERVED = frozenset(["T", "t", "k", "j", "L"])
_RESERVED_STARTS = frozenset(["lam", "delta", "dl", "target", "pre", "mu"])
_GREEK = frozenset(GREEK_WORDS.values()) | {"varepsilon", "varphi"}
#: Marks a label that was written as single letters side by side, so that no word equals it.
LETTERS = "\\"
_MARKS = {"*": "star", "'": "prime", "+": "plus", "-": "minus", "dagger": "dagger"}


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name as it is written, without its time and its font."""

    base: str
    accents: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    uppers: tuple[str, ...] = ()
    primes: int = 0

    @property
    def plain(self) -> str:
        """The name it gets where nothing else has it."""
        labels = [_plain_label(label) for label in (*self.labels, *self.uppers)]
        base = VARIANTS.get(self.base, self.base)
        return "_".join((base, *self.accents, *labels, *["prime"] * self.primes))

    @property
    def is_bare(self) -> bool:
        """Whether it is one letter or word, without anything at it."""
        return not (self.accents or self.labels or self.uppers or self.primes)


@dataclass(frozen=True, slots=True)
class Name:
    """One occurrence of a name: how it is spelt, its time, and scripts left over."""

    spelling: Spelling
    font: str
    time: Affine | None
    rest: tuple[Script, ...]
    at: int
    end: int
    function: bool = False


def _plain_label(label: str) -> str:
    """Letters that run into the name of a Greek letter stay apart: W_{xi} is no W_ξ."""
    label = VARIANTS.get(label, label)
    if label.startswith(LETTERS):
        letters = label.removeprefix(LETTERS)
        return "_".join(letters) if letters in _GREEK else letters
    return label


class Spellings:
    """The names of one text: spelling -> name, one to one."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.names: dict[Spelling, str] = {}
        self._fonts: dict[Spelling, tuple[str, int]] = {}

    def name_of(self, name: Name) -> str:
        """The name of a spelling, made at its first occurrence.

        Raises:
            ParseError: the same letter in two fonts.
        """
        font, place = self._fonts.setdefault(name.spelling, (name.font, name.at))
        if font != name.font:
            shown = name.spelling.plain
            raise self.source.error(
                f"{shown} is {name.font or 'plain'} here and {font or 'plain'} in line "
                f"{self.source.line_of(place)}: write it in one way, or give one of the two "
                "another letter",
                name.at,
                name.end,
            )
        found = self.names.get(name.spelling)
        if found is None:
            found = self.names[name.spelling] = self._new(name.spelling)
        return found

    def _new(self, spelling: Spelling) -> str:
        words = spelling.plain.split("_")
        if len(words) > 1 and words[0] in _RESERVED_STARTS:
            # delta_x would be the adjoint of x.
            words = [words[0] + words[1], *words[2:]]
        wanted = "_".join(words)
        taken = set(self.names.values())
        if wanted not in _RESERVED and wanted not in taken:
            return wanted
        numbers = (f"{wanted}_{i}" for i in range(1 if wanted in _RESERVED else 2, 10_000))
        return next(name for name in numbers if name not in taken)


def affine_of(tree: Tree, letters: frozenset[str]) -> Affine | None:
    """An affine form over the letters; None where the tree is none."""
    match tree:
        case Num(value=value):
            whole = value.denominator == 1 and abs(value) < 10**6
            return as_affine(int(value)) if whole else None
        case Atom(base=base, accents=(), labels=(), function=False) if base in letters:
            return symbol(base)
        case Group(bracket="(" | "", items=(inner,)):
            return affine_of(inner, letters)
        case Sum(terms=terms):
            total = as_affine(0)
            for sign, term in terms:
                form = affine_of(term, letters)
                if form is None:
                    return None
                total = total + (form if sign == "+" else -form)
            return total
        case (
            Juxt(factors=(first, second)) | Chain(operands=(first, second), operators=("*" | "·",))
        ):
            left, right = affine_of(first, letters), affine_of(second, letters)
            if left is None or right is None or not (left.is_const or right.is_const):
                return None
            return right.scale(left.const) if left.is_const else left.scale(right.const)
    return None


def label_of(tree: Tree) -> tuple[str, ...] | None:
    """The labels that a script spells: ``xh``, ``(f)``, ``\\text{in}``; None where it is none."""
    match tree:
        case Atom(base=base, accents=accents, labels=labels, font=font):
            # \text{xi} is written with these two letters.
            base = LETTERS + base if font and base in _GREEK else base
            return None if base in "∂⁺𝟏" else (base, *labels, *accents)
        case Num(text=text):
            return (text,) if text.isdigit() else None
        case Mark(text=text):
            return (_MARKS[text],) if text in _MARKS else None
        case Group(items=items):
            parts = [label_of(item) for item in items]
            return None if None in parts else tuple(w for part in parts for w in part or ())
        case Scripted(base=base_tree, scripts=scripts):
            found = label_of(base_tree)
            for script in scripts:
                for item in script.items:
                    more = label_of(item)
                    if found is None or more is None:
                        return None
                    found = (*found, *more)
            return found
        case Relation(sign="→", left=left, right=right):
            first, second = label_of(left), label_of(right)
            return None if first is None or second is None else (*first, "to", *second)
        case Juxt(factors=factors):
            words: list[str] = []
            for factor in factors:
                part = label_of(factor)
                if part is None:
                    return None
                words += part
            # Letters run together into one label, as people write W_{xh}; words stay apart.
            if any(len(word) > 1 for word in words):
                return tuple(words)
            return (LETTERS + "".join(words),)
    return None
