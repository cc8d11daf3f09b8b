"""Formulas in the names of a cell: ``parse_formula``, and what statements read them with."""

from __future__ import annotations

from collections.abc import Iterable

from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.lang.nodes import Node, name
from symgrad.parse.errors import ParseError, Source
from symgrad.parse.formula_names import FormulaNameReader, FormulaScope
from symgrad.parse.formula_resolver import FormulaResolver, Horizon
from symgrad.parse.formula_shapes import FormulaBuilder, FormulaShapes
from symgrad.parse.formula_trees import bound_letters, further_times
from symgrad.parse.grammar import Syntax, read_statements
from symgrad.parse.latex_rows import latex_rows
from symgrad.parse.rows import Rows, text_rows
from symgrad.parse.spelling import Name
from symgrad.parse.tree import Statement, Tree

#: The letters of times; sums over time bring further ones.
TIMES = frozenset(["T", "t", "k", "j"])


def parse_formula(
    text: str,
    cell: Cell,
    *,
    syntax: Syntax = "text",
    extra: Iterable[Node] = (),
    horizon: Horizon = "ask",
) -> Node:
    """The node that a formula in the names of a cell means.

    Args:
        syntax: ``text``, as symgrad prints it or as one types it, or ``latex``.
        extra: further names: parameters, signals, and names that stand for formulas.
        horizon: what ``^T`` at a square matrix is: ``power``, ``transpose``, or an error.

    Raises:
        ParseError: it is no formula of this cell; the message has the place.
    """
    source = Source(text, "<formula>", latex=syntax == "latex")
    rows = formula_rows(source, syntax)
    if len(rows.rows) != 1:
        raise ParseError(f"<formula>: expected one formula, found {len(rows.rows)}")
    statement = one_statement(source, rows.cleaned, *rows.rows[0], syntax)
    if statement.relations:
        raise source.error(
            "this is an equation: read it with parse_statement", statement.at, statement.end
        )
    letters = time_letters(cell, statement)
    return FormulaReader(source, syntax, cell, extra, horizon, letters).read(statement.items[0])


def formula_rows(source: Source, syntax: Syntax) -> Rows:
    """The rows of a text that is a formula or a statement.

    Raises:
        UsageError: there is no such syntax.
        ParseError: brackets that do not pair, macros that are not known.
    """
    if syntax not in ("text", "latex"):
        raise UsageError(f"syntax={syntax!r}: use 'text' or 'latex'")
    return text_rows(source) if syntax == "text" else latex_rows(source, formula=True)


def one_statement(source: Source, cleaned: str, start: int, end: int, syntax: Syntax) -> Statement:
    """The one formula or equation that stands between two places.

    Raises:
        ParseError: there are none or several.
    """
    groups = read_statements(source, cleaned, start, end, syntax)
    if len(groups) != 1 or len(groups[0]) != 1:
        raise source.error("expected one formula", start, end)
    return groups[0][0]


class FormulaReader:
    """Formulas of one text on their way to nodes."""

    def __init__(
        self,
        source: Source,
        syntax: Syntax,
        cell: Cell,
        extra: Iterable[Node],
        horizon: Horizon,
        letters: frozenset[str],
    ) -> None:
        reader = FormulaNameReader(source, syntax, letters, cell)
        scope = FormulaScope(source, reader, cell, [name("L"), *extra], letters)
        self.source = source
        self.shapes = FormulaShapes(source, scope.nodes)
        self.resolver = FormulaResolver(source, reader, scope, self.shapes, horizon)

    def read(self, tree: Tree) -> Node:
        """The node of a tree.

        Raises:
            ParseError: it means nothing in the names of the cell.
        """
        expr = self.resolver.read(tree)
        self.shapes.of(expr)
        self.shapes.settle()
        return FormulaBuilder(self.source, self.shapes).build(expr)


def time_letters(cell: Cell, *trees: Tree) -> frozenset[str]:
    """The letters that are times in some trees: the usual ones, and what they use as times."""
    found = TIMES.union(*map(bound_letters, trees))
    return found.union(*(further_times(tree) - set(cell.size_names) for tree in trees))


__all__ = ["FormulaReader", "Horizon", "Name", "parse_formula"]
