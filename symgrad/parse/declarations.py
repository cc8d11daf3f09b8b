"""Declarations: ``W : n x m``, ``x_t in R^m``, ``\\alpha \\in \\mathbb{R}``."""

from __future__ import annotations

from symgrad.cell import sizes
from symgrad.errors import DeclarationError
from symgrad.lang.affine import ONE, Affine, as_affine, symbol
from symgrad.lang.nodes import SCALAR, Shape
from symgrad.parse.errors import ParseError, Source
from symgrad.parse.names import NameReader, base_of
from symgrad.parse.tree import Atom, Chain, Group, Juxt, Num, Scripted, Statement, Sum, Tree

_LARGEST_SIZE = 10**6


class Declarations:
    """Reads the right-hand sides of declarations."""

    def __init__(self, source: Source, reader: NameReader) -> None:
        self.source, self.reader = source, reader
        self.size_names: set[str] = set()

    def split(self, group: list[Statement]) -> tuple[list[Tree], Shape] | None:
        """The names and the shape of a declaration; None where the group is none."""
        last = group[-1]
        if last.relations in ((":",), ("in",)):
            names = [item for statement in group[:-1] for item in statement.items]
            return [*names, last.items[0]], self._shape(last.items[1], last.relations[0])
        item = last.items[-1]
        if last.relations or not isinstance(item, Juxt) or len(item.factors) != 2:
            return None
        name, word = item.factors
        if isinstance(word, Atom) and word.base == "scalar" and not word.labels:
            names = [item for statement in group[:-1] for item in statement.items]
            return [*names, name], SCALAR
        return None

    def _shape(self, tree: Tree, relation: str) -> Shape:
        if isinstance(tree, Atom) and tree.base == "scalar" and not tree.labels:
            return SCALAR
        space = self._space(tree)
        if space is not None:
            return space
        if relation == "in":
            raise self._bad(tree)
        return self._sizes(tree)

    def _space(self, tree: Tree) -> Shape | None:
        """``R``, ``R^n``, ``R^{n x m}``, also an interval in place of R."""
        base = tree.base if isinstance(tree, Scripted) else tree
        interval = isinstance(base, Group) and base.bracket in ("(", "[") and len(base.items) == 2
        interval = interval and (not isinstance(base, Group) or base.separators == (",",))
        reals = isinstance(base, Atom) and base.base in ("R", "ℝ") and not base.labels
        if isinstance(base, Atom) and base.font in ("", "roman", "bold", "blackboard") and reals:
            pass
        elif not interval or (isinstance(base, Group) and not self._numbers(base)):
            return None
        if not isinstance(tree, Scripted):
            return SCALAR
        (script, *more) = tree.scripts
        if script.kind != "^" or more or len(script.items) != 1:
            raise self._bad(tree)
        return self._sizes(script.items[0])

    @staticmethod
    def _numbers(group: Group) -> bool:
        """Whether both ends of an interval are numbers."""
        ends = [
            item.terms[0][1] if isinstance(item, Sum) and len(item.terms) == 1 else item
            for item in group.items
        ]
        return all(isinstance(end, Num) for end in ends)

    def _bad(self, tree: Tree) -> ParseError:
        return self.source.error(
            "expected a shape: R^n, R^{n x m} or scalar (in LaTeX \\mathbb{R}^{n \\times m})",
            tree.at,
            tree.end,
        )

    def _sizes(self, tree: Tree) -> Shape:
        parts = self._parts(tree)
        if len(parts) > 2:
            raise self.source.error(
                f"{len(parts)} sizes; give at most two, rows and columns", tree.at, tree.end
            )
        found = [self._size(part) for part in parts]
        return (found[0], found[1] if len(found) == 2 else ONE)

    def _parts(self, tree: Tree) -> list[Tree]:
        """The two sides of ``n x m``, or one size."""
        if isinstance(tree, Group) and len(tree.items) == 2:
            return list(tree.items)
        if isinstance(tree, Chain) and set(tree.operators) <= {"×", "·"}:
            return list(tree.operands)
        if not isinstance(tree, Juxt):
            return [tree]
        parts: list[list[Tree]] = [[]]
        for factor in tree.factors:
            if isinstance(factor, Atom) and factor.base in ("x", "by") and parts[-1]:
                parts.append([])
            else:
                parts[-1].append(factor)
        if not parts[-1]:
            parts = [list(tree.factors)]
        return [
            part[0]
            if len(part) == 1
            else Juxt(factors=tuple(part), at=part[0].at, end=part[-1].end)
            for part in parts
        ]

    def _size(self, tree: Tree) -> Affine:
        size = self._affine(tree)
        coefficients = [] if size is None else [c for _, c in size.terms]
        if size is None or (size.is_const and not 1 <= size.const <= _LARGEST_SIZE):
            raise self.source.error(
                "expected a size: a letter, a positive number, or a sum of these", tree.at, tree.end
            )
        if size.const < 0 or any(c < 0 for c in coefficients):
            raise self.source.error("a size may not be a difference", tree.at, tree.end)
        self.size_names |= size.names
        return size

    def _affine(self, tree: Tree) -> Affine | None:
        match tree:
            case Num(value=value):
                return as_affine(int(value)) if value.denominator == 1 else None
            case Group(bracket="(" | "", items=(inner,)):
                return self._affine(inner)
            case Sum(terms=terms):
                total = as_affine(0)
                for sign, term in terms:
                    part = self._affine(term)
                    if part is None:
                        return None
                    total = total + (part if sign == "+" else -part)
                return total
            case Juxt(factors=(first, second)) | Chain(operands=(first, second)):
                left, right = self._affine(first), self._affine(second)
                if left is None or right is None or not left.is_const:
                    return None
                return right.scale(left.const)
        if base_of(tree) is None:
            return None
        name = self.reader.read(tree)
        if name is None or name.rest or name.time is not None:
            return None
        word = name.spelling.plain
        try:
            sizes(word)
        except DeclarationError as error:
            raise self.source.error(str(error), tree.at, tree.end) from None
        return symbol(word)
