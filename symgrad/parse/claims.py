"""Statements as people write them: an equation, its range, and what its names stand for.

dh_T/dw = sum_{k=1}^T a_k h_{k-1}   for T ≥ 1, where a_k = w^(T-k)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from symgrad.cell import Cell
from symgrad.closed.forms import write_out
from symgrad.lang.affine import Affine, symbol
from symgrad.lang.nodes import Name, Node, Param, name, walk
from symgrad.parse.claim_errors import NO_CONDITIONS, about_values, is_activation, no_equation
from symgrad.parse.claim_parts import Part, claim_parts
from symgrad.parse.errors import ParseError, Source
from symgrad.parse.formula_names import FormulaNameReader
from symgrad.parse.formula_trees import bound_letters, operator
from symgrad.parse.formulas import (
    FormulaReader,
    Horizon,
    formula_rows,
    one_statement,
    time_letters,
)
from symgrad.parse.functions import FUNCTIONS
from symgrad.parse.grammar import Syntax
from symgrad.parse.names import base_of, parts_of
from symgrad.parse.spelling import Name as Written
from symgrad.parse.time_ranges import StatedRange
from symgrad.parse.tree import Statement, Tree
from symgrad.verify.times import free_letters

#: Written out, a statement is not larger than this; names inside names grow it fast.
LARGEST = 200_000


@dataclass(frozen=True)
class Claim:
    """``left = right``, the names in it, and the times for which it is said.

    Attributes:
        where: definitions of names, each after those that it uses.
        stated: the range behind the statement; None for all times.
        meaning: what the text says that L is.
    """

    left: Node
    right: Node
    where: tuple[tuple[Name, Node], ...] = ()
    stated: StatedRange | None = None
    meaning: Node | None = None

    @property
    def full(self) -> tuple[Node, Node]:
        """Both sides with the names written out."""
        return write_out(self.left, self.where), write_out(self.right, self.where)


@dataclass(frozen=True)
class _Definition:
    """``a_k = …`` before its right side is read; ``letter`` is the time it is written at."""

    name: str
    letter: str | None
    left: Tree
    right: Tree


class ClaimText:
    """The text of one statement, taken apart; ``read`` makes nodes of it."""

    def __init__(self, text: str, cell: Cell, syntax: Syntax) -> None:
        self.cell, self.syntax = cell, syntax
        self.source = Source(text, "<statement>", latex=syntax == "latex")
        rows = formula_rows(self.source, syntax)
        if not rows.rows:
            raise ParseError("<statement>: expected a statement, left = right; found no text")
        cleaned, parts = claim_parts(rows)
        self.equation, *definitions = (
            self._equation(cleaned, part.start, part.end) for part in parts if part.kind != "range"
        )
        self.stated: StatedRange | None = None
        for part in parts:
            if part.kind == "range":
                self.stated = self.stated or StatedRange(self.source)
                self._read_range(cleaned, part)
        self.letters = time_letters(cell, self.equation, *definitions)
        self.letters = self.letters.union(self._range_letters())
        self.names = FormulaNameReader(self.source, syntax, self.letters, cell)
        found = [self._definition(statement) for statement in definitions]
        self.meaning = next((item for item in found if item.name == "L"), None)
        self.definitions = [item for item in found if item.name != "L"]
        self._check_once(found)

    def _equation(self, cleaned: str, start: int, end: int) -> Statement:
        statement = one_statement(self.source, cleaned, start, end, self.syntax)
        if statement.relations != ("=",):
            raise no_equation(self.source, statement)
        return statement

    def _read_range(self, cleaned: str, part: Part) -> None:
        assert self.stated is not None
        try:
            self.stated.read(cleaned, part.start, part.end)
        except ParseError:
            words = cleaned[part.start : part.end]
            if not about_values(words, self._known):
                raise
            start = part.end - len(words.lstrip())
            raise self.source.error(NO_CONDITIONS, start, part.end) from None

    @cached_property
    def _known(self) -> frozenset[str]:
        """The names of the cell."""
        cell = self.cell
        signals = [item.name for item in (*cell.signals, *cell.inputs)]
        return frozenset([*cell.size_names, *signals, *(p.name for p in cell.params)])

    def _range_letters(self) -> Iterator[str]:
        """Letters that only the range tells to be times: 0 ≤ i ≤ T."""
        for letter in self.stated.letters if self.stated else ():
            if letter in self._known:
                assert self.stated is not None
                if letter in {p.name for p in self.cell.params}:
                    raise self.stated.error(
                        f"{letter} is a name of this cell: call a time t, k or j; {NO_CONDITIONS}",
                        letter,
                    )
                raise self.stated.error(
                    f"{letter} is a name of this cell; call the time t, k or j", letter
                )
            yield letter

    # ---- definitions -------------------------------------------------------------------

    def _definition(self, statement: Statement) -> _Definition:
        left, right = statement.items
        written = self.names.read(left) if base_of(left) is not None else None
        if written is None or written.rest:
            raise self.source.error(
                "expected a definition: one name with or without a time, such as a_t = …; one "
                "statement is judged at a time",
                left.at,
                left.end,
            )
        plain, time = self._timed(written)
        if is_activation(right) and plain not in self._known:
            raise self.source.error(
                f"{plain} is a function of the cell: say which one it is in the cell, {plain} = "
                "tanh on a line of its own; a statement holds for every function",
                left.at,
                right.end,
            )
        if (
            plain in {*self._known, *self.letters, "I"}
            or plain in FUNCTIONS
            or (plain == "L" and time is not None)
        ):
            raise self.source.error(
                f"{plain} has a meaning here already; give what is defined another name (one "
                "statement is judged at a time)",
                left.at,
                left.end,
            )
        letter = None
        if time is not None:
            if len(time.terms) != 1 or time.const or time.terms[0][1] != 1 or "T" in time.names:
                raise self.source.error(
                    f"a definition is for every time: write {plain}_t = …", left.at, left.end
                )
            (letter,) = time.names
        return _Definition(plain, letter, left, right)

    def _timed(self, written: Written) -> tuple[str, Affine | None]:
        """The name and the time of a spelling; in plain text the last label can be a time."""
        spelling, time = written.spelling, written.time
        plain = spelling.plain
        if time is None and spelling.labels:
            last = spelling.labels[-1].lstrip("\\")
            if last in self.letters or last.isdigit():
                shorter = plain.removesuffix(f"_{last}")
                return shorter, symbol(last) if last in self.letters else Affine(const=int(last))
        return plain, time

    def _check_once(self, found: list[_Definition]) -> None:
        seen: dict[str, _Definition] = {}
        for item in found:
            if item.name in seen:
                raise self._at(item, f"{item.name} is defined twice; remove one")
            seen[item.name] = item

    def _at(self, item: _Definition, message: str) -> ParseError:
        return self.source.error(message, item.left.at, item.left.end)

    def _uses(self, tree: Tree) -> list[str]:
        """The defined names in a tree, in the order of their definitions."""
        names: set[str] = set()
        stack = [tree]
        while stack:
            item = stack.pop()
            stack.extend(parts_of(item))
            by_name = base_of(item) is not None and operator(item) is None
            written = self.names.read(item) if by_name else None
            if written is not None:
                plain = self._timed(written)[0]
                names |= {written.spelling.plain, plain}
                if self.syntax == "text" and plain not in self._known:
                    names.add(plain.removeprefix("d"))  # in da_t/dw, which is refused later
        return [item.name for item in self.definitions if item.name in names]

    def _ordered(self) -> list[_Definition]:
        """The definitions, each after those that it uses.

        Raises:
            ParseError: one is defined through itself, or is not used.
        """
        known = {item.name: item for item in self.definitions}
        uses = {item.name: self._uses(item.right) for item in self.definitions}
        ordered: dict[str, _Definition] = {}

        def visit(key: str, path: tuple[str, ...]) -> None:
            if key in path:
                way = " → ".join((*path[path.index(key) :], key))
                raise self._at(known[key], f"{key} is defined through itself: {way}")
            if key in ordered:
                return
            for other in uses[key]:
                visit(other, (*path, key))
            ordered[key] = known[key]

        for key in self._uses(self.equation):
            visit(key, ())
        used = set(ordered)
        for key in known:
            visit(key, ())  # names the circle before it says that nothing uses it
            if key not in used:
                raise self._at(
                    known[key], f"{key} is defined, but the statement does not use it; remove it"
                )
        return list(ordered.values())

    # ---- nodes -------------------------------------------------------------------------

    def read(self, extra: Iterable[Node], horizon: Horizon) -> Claim:
        """The nodes of the statement and of its definitions.

        Raises:
            ParseError: a name that is not known, a circle of definitions, a range that is none.
        """
        given = list(extra)
        where: list[tuple[Name, Node]] = []
        ordered = self._ordered()
        for item in ordered:
            if any(isinstance(node, Param) and node.name == item.name for node in given):
                raise self._at(item, f"{item.name} has a meaning here already: a cotangent")
            value = self._reader(given, horizon).read(item.right)
            time = None if item.letter is None else symbol(item.letter)
            made = name(item.name, value.shape, time)
            assert isinstance(made, Name)
            where.append((made, value))
            given.append(made)
        reader = self._reader(given, horizon)
        left, right = (reader.read(item) for item in self.equation.items)
        meaning = None if self.meaning is None else self.read_meaning(extra, horizon)
        found = Claim(left, right, tuple(where), self.stated, meaning)
        self._check_size(found)
        self._check_letters(found)
        return found

    def read_meaning(self, extra: Iterable[Node], horizon: Horizon) -> Node:
        """What the text says that L is."""
        assert self.meaning is not None
        return self._reader(extra, horizon).read(self.meaning.right)

    def _reader(self, extra: Iterable[Node], horizon: Horizon) -> FormulaReader:
        return FormulaReader(self.source, self.syntax, self.cell, extra, horizon, self.letters)

    def _check_size(self, claim: Claim) -> None:
        if claim.where and max(map(_size, claim.full)) > LARGEST:
            raise self.source.error(
                f"written out, the statement has more than {LARGEST} operations: names in names "
                "grow fast; state less at once",
                self.equation.at,
                self.equation.end,
            )

    def _check_letters(self, claim: Claim) -> None:
        if claim.stated is None:
            return
        free = free_letters(*claim.full)
        bound = bound_letters(self.equation)
        for letter in claim.stated.letters:
            if letter in free or letter == "T":
                continue
            reason = "is the index of a sum" if letter in bound else "does not occur"
            listed = ", ".join(["T", *(x for x in sorted(free) if x != "T")])
            raise claim.stated.error(
                f"{letter} {reason} in the statement; its free times are {listed}", letter
            )


def parse_claim(
    text: str,
    cell: Cell,
    *,
    syntax: Syntax = "text",
    extra: Iterable[Node] = (),
    horizon: Horizon = "ask",
) -> Claim:
    """A statement with the range and the definitions that stand beside it.

    Raises:
        ParseError: as ``parse_formula``; a range or a definition that makes no sense.
    """
    return ClaimText(text, cell, syntax).read(extra, horizon)


def parse_statement(
    text: str,
    cell: Cell,
    *,
    syntax: Syntax = "text",
    extra: Iterable[Node] = (),
    horizon: Horizon = "ask",
) -> tuple[Node, Node]:
    """Both sides of ``left = right``, names written out; the range after it is left out.

    Raises:
        ParseError: as ``parse_claim``.
    """
    return parse_claim(text, cell, syntax=syntax, extra=extra, horizon=horizon).full


def _size(root: Node) -> int:
    """How many nodes a formula has where it is printed."""
    sizes: dict[Node, int] = {}
    for item in walk(root):
        sizes[item] = 1 + sum(sizes[argument] for argument in item.args)
    return sizes[root]


__all__ = ["Claim", "ClaimText", "parse_claim", "parse_statement"]
