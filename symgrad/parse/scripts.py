"""What stands at names and brackets: powers, transposes, rows and columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from symgrad.lang.affine import Affine, as_affine
from symgrad.parse.errors import ParseError, Source
from symgrad.parse.expressions import Called, Expr, Raised, Sliced, Transposed
from symgrad.parse.names import NameReader, is_transpose
from symgrad.parse.spelling import Name, affine_of
from symgrad.parse.tree import Atom, Range, Script, Tree

#: Powers of literals and symbols beyond these are refused.
LARGEST_EXPONENT = 64


class ScriptResolver:
    """Reads scripts; ``read`` reads trees.

    Args:
        reader: reads names and their scripts.
        refer: the expression of a name that is a parameter or a signal.
        function: the function that a name means, if it is one: its name, and whether it
            is a generic one.
    """

    def __init__(
        self,
        source: Source,
        reader: NameReader,
        refer: Callable[[Name], Expr],
        function: Callable[[Name, bool, bool], tuple[str, bool] | None],
    ) -> None:
        self.source, self.reader = source, reader
        self.refer, self.function = refer, function
        #: The sizes that ranges of rows may be written with.
        self.size_letters: frozenset[str] = frozenset()

    def error(self, message: str, tree: Tree | Script | Expr | Name) -> ParseError:
        return self.source.error(message, tree.at, tree.end)

    def read(self, tree: Tree) -> Expr:
        """The expression of a tree."""
        raise NotImplementedError

    def named(self, name: Name) -> Expr:
        """A name, and the powers and transposes at it."""
        if name.spelling.plain == "e" and name.rest and name.time is None:
            special = self.exponential(name)
            if special is not None:
                return special
        bare = replace(name, rest=(), end=min([name.end, *(s.at for s in name.rest)]))
        return self.scripted(self.refer(bare), name.rest)

    def exponential(self, name: Name) -> Expr | None:
        """``e^{…}``, unless e is a name of the text."""
        script = name.rest[0]
        if script.kind != "^" or len(script.items) != 1 or self.known("e"):
            return None
        inner = self.read(script.items[0])
        called = Called(function="exp", args=(inner,), at=name.at, end=script.end)
        return self.scripted(called, name.rest[1:])

    def known(self, name: str) -> bool:
        """Whether the text uses the name otherwise."""
        return False

    def scripted(self, base: Expr, scripts: tuple[Script, ...]) -> Expr:
        """The expression with its powers, transposes and ranges.

        Raises:
            ParseError: a script that means nothing there.
        """
        powers = 0
        for script in scripts:
            # ^T is a power in the eyes of whoever reads it; ^\\top is none.
            if script.kind == "^":
                item = script.items[0]
                letter = isinstance(item, Atom) and item.base == "T"
                powers += letter or not is_transpose(item)
            if powers > 1:
                raise self.error(
                    "a second exponent; write one, or put parentheses around the power", script
                )
            if script.kind == "T":
                base = Transposed(body=base, at=base.at, end=script.end)
            elif script.kind == "^" and len(script.items) == 1:
                base = self.raised(base, script)
            elif script.kind == "_" and self._is_part(script):
                base = self.sliced(base, script.items, script, first=1)
            elif script.kind == "'":
                raise self.error(
                    "a prime stands at a name only; write .T or ^\\top for a transpose", script
                )
            else:
                raise self.error(
                    "a subscript stands at a name only: entries of vectors have no notation here",
                    script,
                )
        return base

    def _is_part(self, script: Script) -> bool:
        """Whether a subscript is rows and columns: numbers and ranges."""
        letters = self.size_letters
        return all(
            isinstance(item, Range) or affine_of(item, letters) is not None for item in script.items
        )

    def sliced(
        self, body: Expr, items: tuple[Tree, ...], where: Tree | Script, *, first: int
    ) -> Expr:
        """Some rows and columns; ``first`` is the number of the first row.

        Counted from 0 a range ends before its end, counted from 1 it ends with it.
        """
        if len(items) > 2:
            raise self.error("a matrix has rows and columns: give at most two ranges", where)
        starts: list[Affine] = []
        counts: list[Affine | None] = []
        for item in items:
            low, high = (item.low, item.high) if isinstance(item, Range) else (item, item)
            if low is None and high is None:
                starts.append(as_affine(0))
                counts.append(None)
                continue
            begin = as_affine(first) if low is None else affine_of(low, self.size_letters)
            end = None if high is None else affine_of(high, self.size_letters)
            if begin is None or end is None:
                raise self.error(
                    "give both ends of a range, as numbers and declared sizes: W[0:n, :]", where
                )
            inclusive = first == 1 or not isinstance(item, Range)
            starts.append(begin - first)
            counts.append(end - begin + (1 if inclusive else 0))
        if len(items) == 1:
            starts.append(as_affine(0))
            counts.append(None)
        return Sliced(
            body=body,
            start=(starts[0], starts[1]),
            count=(counts[0], counts[1]),
            at=body.at,
            end=where.end,
        )

    def raised(self, base: Expr, script: Script) -> Expr:
        """A power or a transpose."""
        item = script.items[0]
        if is_transpose(item):
            letter = isinstance(item, Atom) and item.base == "T"
            return Transposed(body=base, letter=letter, at=base.at, end=script.end)
        exponent = self.exponent(item)
        if exponent is None:
            raise self.error(
                "this exponent is no whole number; write sqrt(x), exp(x) or a name for the power",
                item,
            )
        if exponent.is_const and abs(exponent.const) > LARGEST_EXPONENT:
            raise self.error(f"exponents go up to {LARGEST_EXPONENT}", item)
        return Raised(base=base, exponent=exponent, at=base.at, end=script.end)

    def exponent(self, item: Tree) -> Affine | None:
        """The whole number, or in formulas the time, that a superscript is."""
        form = affine_of(item, self.reader.letters)
        return form if form is not None and form.is_const else None
