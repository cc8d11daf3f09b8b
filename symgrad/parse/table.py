"""The names of a cell: what each is, its shape as far as it is known, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from symgrad.lang.affine import ONE, Affine, symbol
from symgrad.lang.nodes import Shape
from symgrad.ops.build import shape_text

#: The forms of a quantity: scalar, column, row, matrix.
Form = Literal["S", "C", "R", "M"]

FORM_WORDS: dict[Form, str] = {"S": "a scalar", "C": "a column", "R": "a row", "M": "a matrix"}


@dataclass
class Entry:
    """One name.

    ``form`` and ``shape`` are filled by inference; ``declared`` is what a declaration
    says; ``why`` tells people where the form comes from.
    """

    name: str
    role: Literal["signal", "input", "parameter"]
    at: int
    end: int
    base: str
    declared: Shape | None = None
    declared_at: int | None = None
    form: Form | None = None
    shape: Shape | None = None
    why: str = ""
    used: bool = False

    @property
    def looks_like_matrix(self) -> bool:
        """Whether its letter is one that papers use for matrices: a capital."""
        return self.base[:1].isupper()


def form_of(shape: Shape) -> Form:
    """The form of a shape whose entries of 1 are written as 1."""
    one_row, one_column = shape[0] == ONE, shape[1] == ONE
    if one_row:
        return "S" if one_column else "R"
    return "C" if one_column else "M"


class Sizes:
    """Symbolic sizes as unknowns, solved by unification.

    An unknown is called ``?1``, ``?2`` …; a size is an affine form over unknowns and the
    declared sizes, with positive coefficients.
    """

    def __init__(self) -> None:
        self.values: dict[str, Affine] = {}
        self.waiting: list[tuple[Affine, Affine]] = []
        self.count = 0

    def fresh(self) -> Affine:
        self.count += 1
        return symbol(f"?{self.count}")

    def find(self, size: Affine) -> Affine:
        """The size with everything known put in."""
        while size.names & self.values.keys():
            size = size.substitute(self.values)
        return size

    def shape(self, shape: Shape) -> Shape:
        return (self.find(shape[0]), self.find(shape[1]))

    def unify(self, left: Affine, right: Affine) -> bool:
        """Make two sizes equal; False where they cannot be."""
        gap = self.find(left) - self.find(right)
        if not gap.terms and not gap.const:
            return True
        unknown = [(name, c) for name, c in gap.terms if name.startswith("?")]
        if not unknown:
            return False
        # Youngest first, so that sizes of signals stay and those of products go.
        for name, c in sorted(unknown, key=lambda item: -int(item[0][1:])):
            if abs(c) != 1:
                continue
            value = (gap - symbol(name).scale(c)).scale(-c)
            if all(size > 0 for _, size in value.terms) and value.const >= 0:
                if value.is_const and value.const < 1:
                    return False
                self.values[name] = value
                return self._retry()
        coefficients = [c for _, c in gap.terms] + ([gap.const] if gap.const else [])
        if all(c > 0 for c in coefficients) or all(c < 0 for c in coefficients):
            return False
        self.waiting.append((left, right))
        return True

    def _retry(self) -> bool:
        waiting, self.waiting = self.waiting, []
        return self.unify_all(waiting)

    def unify_all(self, pairs: Iterable[tuple[Affine, Affine]]) -> bool:
        """Make sizes equal in pairs, all of them; False where one pair cannot be."""
        found = True
        for left, right in pairs:
            found &= self.unify(left, right)
        return found


@dataclass
class Names:
    """All entries by name, and the declared sizes."""

    entries: dict[str, Entry] = field(default_factory=dict)
    size_names: set[str] = field(default_factory=set)

    def taken(self) -> set[str]:
        """What a new size may not be called, in lower case."""
        words = {name.lower() for name in self.entries} | {n.lower() for n in self.size_names}
        return words | {"t", "k", "j", "l", "e", "i"}


def shown(shape: Shape) -> str:
    """A shape for people; what is not known yet is written as a question mark."""
    text = shape_text(shape)
    return (
        text
        if "?" not in text
        else " × ".join("?" if "?" in str(size) else str(size) for size in shape if size != ONE)
    )
