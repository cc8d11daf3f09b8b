"""Formulas in the names of a cell: ``parse_formula`` and ``parse_statement``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.lang.affine import Affine, as_affine
from symgrad.lang.nodes import Node, name
from symgrad.parse.errors import ParseError, Source
from symgrad.parse.expressions import (
    Bracketed,
    ByCases,
    Compared,
    Derived,
    Expr,
    Folded,
    Index,
    Number,
    Raised,
    Stacked,
    Transposed,
)
from symgrad.parse.formula_names import FormulaNameReader, FormulaScope
from symgrad.parse.formula_shapes import FormulaBuilder, FormulaShapes, zero_blocks
from symgrad.parse.formula_trees import (
    all_steps,
    bound_letters,
    further_times,
    operator,
    raised_partial,
)
from symgrad.parse.grammar import Syntax, read_statements
from symgrad.parse.latex_rows import latex_rows
from symgrad.parse.names import base_of
from symgrad.parse.resolve import Resolver
from symgrad.parse.rows import text_rows
from symgrad.parse.spelling import Name, Spelling, affine_of, label_of
from symgrad.parse.table import form_of
from symgrad.parse.tree import (
    Atom,
    Big,
    CaseList,
    CaseRow,
    Chain,
    Group,
    Juxt,
    Relation,
    Script,
    Scripted,
    Statement,
    Sum,
    Tree,
)

#: What ^T means where both a power and a transpose conform.
Horizon = Literal["ask", "power", "transpose"]

_TIMES = frozenset(["T", "t", "k", "j"])
_RANGE = re.compile(r"\s(for\s.*|\\qquad\s*\(.*\\l[et].*\)\s*)$", re.DOTALL)


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
    source, statement = _one_statement(text, syntax)
    if statement.relations:
        raise source.error(
            "this is an equation: read it with parse_statement", statement.at, statement.end
        )
    return _FormulaReader(source, syntax, cell, extra, horizon, statement).read(statement.items[0])


def parse_statement(
    text: str,
    cell: Cell,
    *,
    syntax: Syntax = "text",
    extra: Iterable[Node] = (),
    horizon: Horizon = "ask",
) -> tuple[Node, Node]:
    """Both sides of ``left = right``; a range such as ``for 1 ≤ t ≤ T`` after it is left out.

    Raises:
        ParseError: as ``parse_formula``.
    """
    source, statement = _one_statement(_RANGE.sub("", text), syntax)
    if statement.relations != ("=",):
        raise source.error("expected one equals sign", statement.at, statement.end)
    reader = _FormulaReader(source, syntax, cell, extra, horizon, statement)
    left, right = (reader.read(item) for item in statement.items)
    return left, right


def _one_statement(text: str, syntax: Syntax) -> tuple[Source, Statement]:
    if syntax not in ("text", "latex"):
        raise UsageError(f"syntax={syntax!r}: use 'text' or 'latex'")
    source = Source(text, "<formula>", latex=syntax == "latex")
    rows = text_rows(source) if syntax == "text" else latex_rows(source, formula=True)
    if len(rows.rows) != 1:
        raise ParseError(f"<formula>: expected one formula, found {len(rows.rows)}")
    start, end = rows.rows[0]
    groups = read_statements(source, rows.cleaned, start, end, syntax)
    if len(groups) != 1 or len(groups[0]) != 1:
        raise source.error("expected one formula", start, end)
    return source, groups[0][0]


class _FormulaReader:
    """One formula or equation on its way to nodes."""

    def __init__(
        self,
        source: Source,
        syntax: Syntax,
        cell: Cell,
        extra: Iterable[Node],
        horizon: Horizon,
        statement: Statement,
    ) -> None:
        letters = _TIMES | bound_letters(statement)
        letters |= further_times(statement) - set(cell.size_names)
        reader = FormulaNameReader(source, syntax, letters)
        scope = FormulaScope(source, reader, cell, [name("L"), *extra], letters)
        self.source = source
        self.shapes = FormulaShapes(source, scope.nodes)
        self.resolver = _FormulaResolver(source, reader, scope, self.shapes, horizon)

    def read(self, tree: Tree) -> Node:
        expr = self.resolver.read(tree)
        self.shapes.of(expr)
        self.shapes.settle()
        return FormulaBuilder(self.source, self.shapes).build(expr)


class _FormulaResolver(Resolver):
    """Trees of formulas: sums over time, cases, derivatives, times as numbers."""

    def __init__(
        self,
        source: Source,
        reader: FormulaNameReader,
        scope: FormulaScope,
        shapes: FormulaShapes,
        horizon: Horizon,
    ) -> None:
        super().__init__(source, reader, scope.refer, scope.function)
        self.scope, self.shapes, self.horizon = scope, shapes, horizon
        self.size_letters = scope.sizes
        self.index_letters = reader.letters | scope.sizes

    def read(self, tree: Tree) -> Expr:
        form = self._index(tree)
        if form is not None:
            return Index(form=form, at=tree.at, end=tree.end)
        if isinstance(tree, Chain):
            ratio = self._ratio(tree)
            if ratio is not None:
                return ratio
        found = super().read(tree)
        if isinstance(found, Stacked):
            # Only a literal 0 is a scalar there: what else is one decides for itself.
            forms = [[self._form(cell) for cell in row] for row in found.rows]
            found = zero_blocks(found, forms)
        return found

    def _form(self, expr: Expr) -> str:
        return "S" if isinstance(expr, Number | Index) else form_of(self.shapes.of(expr))

    def _index(self, tree: Tree) -> Affine | None:
        """A time as a number: T - k. A letter that is a name of the cell is none."""
        if isinstance(tree, Sum | Juxt | Atom | Group):
            form = affine_of(tree, self.index_letters)
            if form is not None and form.names and not form.names & self.scope.timeless.keys():
                return form
        return None

    def exponent(self, item: Tree) -> Affine | None:
        return affine_of(item, self.index_letters)

    def raised(self, base: Expr, script: Script) -> Expr:
        found = super().raised(base, script)
        if not (isinstance(found, Transposed) and found.letter):
            return found
        rows, columns = self.shapes.of(base)
        square = rows == columns
        if square and form_of((rows, columns)) == "M" and self.horizon == "ask":
            text = " ".join(self.source.text[base.at : base.end].split())
            raise self.error(
                f"{text}^T can be a power and a transpose: write ^\\top or .T for the transpose; "
                'for the power read with horizon="power"',
                script,
            )
        if square and (form_of((rows, columns)) == "S" or self.horizon == "power"):
            power = as_affine(0) + affine_of(script.items[0], self.reader.letters)  # type: ignore[operator]  # T is a time
            return Raised(base=base, exponent=power, at=base.at, end=script.end)
        return replace(found, letter=False)

    def known(self, name: str) -> bool:
        return name in self.scope.timeless

    # ---- sums, cases, brackets ---------------------------------------------------------

    def other(self, tree: Tree) -> Expr:
        if isinstance(tree, Big):
            return self._fold(tree)
        if isinstance(tree, CaseList):
            return self._cases(tree)
        if isinstance(tree, Relation):
            return self._bracket(tree)
        return super().other(tree)

    def _fold(self, tree: Big) -> Expr:
        below = next((s for s in tree.scripts if s.kind == "_"), None)
        above = next((s for s in tree.scripts if s.kind == "^"), None)
        bound = below.items[0] if below is not None and len(below.items) == 1 else None
        if above is None and isinstance(bound, Atom) and bound.base == "t":
            bound, above = all_steps(bound)
        if (
            not isinstance(bound, Relation)
            or bound.sign != "="
            or not isinstance(bound.left, Atom)
            or above is None
            or len(above.items) != 1
        ):
            raise self.error("expected both limits of a sum over time: sum_{k=1}^{T}", tree)
        body = tree.body
        if tree.word and isinstance(body, Chain) and isinstance(body.operands[0], Group):
            raise self.error(
                f"{tree.kind}_{{…}} (a) {body.operators[0]} b can end after (a) and after b: put "
                "parentheses around the whole product, or around the sum",
                body,
            )
        lower = affine_of(bound.right, self.reader.letters)
        upper = affine_of(above.items[0], self.reader.letters)
        if lower is None or upper is None:
            raise self.error("the limits of a sum over time are times: 1, T, t-1", tree)
        return Folded(
            kind=tree.kind,
            index=bound.left.base,
            lower=lower,
            upper=upper,
            body=self.read(tree.body),
            at=tree.at,
            end=tree.end,
        )

    def _cases(self, tree: CaseList) -> Expr:
        rows = tuple(self._case(row) for row in tree.rows)
        if rows[-1][1] or any(not conditions for _, conditions in rows[:-1]):
            raise self.error("cases need conditions, and the last one is otherwise", tree)
        return ByCases(rows=rows, at=tree.at, end=tree.end)

    def _case(self, row: CaseRow) -> tuple[Expr, tuple[Compared, ...]]:
        found = []
        for condition in row.conditions:
            if condition.sign not in ("=", "≠", "≥", "<"):
                raise self.error(f"{condition.sign} is no condition here; use = ≠ ≥ <", condition)
            found.append(
                Compared(
                    left=self.read(condition.left),
                    relation=condition.sign,
                    right=self.read(condition.right),
                    at=condition.at,
                    end=condition.end,
                )
            )
        return self.read(row.value), tuple(found)

    def _bracket(self, tree: Relation) -> Expr:
        """``[t = T]``."""
        left = affine_of(tree.left, self.reader.letters)
        right = affine_of(tree.right, self.reader.letters)
        if tree.sign != "=" or left is None or right is None:
            raise self.error("a relation cannot stand inside a formula", tree)
        return Bracketed(form=left - right, at=tree.at, end=tree.end)

    # ---- derivatives -------------------------------------------------------------------

    def _factor(self, tree: Tree, following: Tree | None, rest: list[Tree]) -> tuple[Expr, int]:
        """``∇_{h_t} L`` and ``∂_{w} h_t`` take what follows them."""
        wrt = operator(tree)
        if wrt is None or following is None:
            return super()._factor(tree, following, rest)
        place = replace(tree, end=following.end)
        found = self._derived("d", following, self.read(wrt), place)
        atom = base_of(tree)
        assert atom is not None
        if atom.base == "∂" or found.kind == "loss":
            return found, 2
        if self._form(found.of) != "S":
            raise self.error("∇ is the gradient of a scalar; write ∂ for a Jacobian", place)
        if self.shapes.is_named(found.of):
            return found, 2
        # The derivative of a signal is a row.
        return Transposed(body=found, at=place.at, end=place.end), 2

    def fraction(self, over: Tree, under: Tree, tree: Tree) -> Expr:
        return self._derivative(over, under, tree) or super().fraction(over, under, tree)

    def _ratio(self, tree: Chain) -> Expr | None:
        if tree.operators != ("/",):
            return None
        over, under = tree.operands
        bars: tuple[Script, ...] = ()
        if isinstance(under, Scripted) and under.scripts[-1].kind == "|":
            # The restriction is one of the whole quotient.
            bars = under.scripts[-1:]
            kept = under.scripts[:-1]
            under = replace(under, scripts=kept) if kept else under.base
        found = self._derivative(over, under, tree)
        return None if found is None else self.scripted(found, bars)

    def takes_time(self, name: Name) -> bool:
        plain = name.spelling.plain
        return (
            super().takes_time(name)
            and plain in self.scope.signals
            and plain not in self.scope.timeless
        )

    def _derivative(self, over: Tree, under: Tree, tree: Tree) -> Expr | None:
        """``dh_T/dw``, ``∂⁺h_t/∂⁺h_{t-1}``, ``∂ℓ_t/∂y_t``; None for an ordinary quotient."""
        first, second = self._differential(over), self._differential(under)
        if first is None or second is None or first[0] != second[0]:
            return None
        return self._derived(first[0], first[1], self.read(second[1]), tree)

    def _derived(self, sign: str, quantity: Tree, wrt: Expr, tree: Tree) -> Derived:
        name = self.reader.read(quantity) if base_of(quantity) is not None else None
        if name is not None and name.spelling.base == "ell" and self.scope.find(name) is None:
            self.scope.check_loss(name, wrt)
            return Derived(kind="loss", of=wrt, wrt=wrt, at=tree.at, end=tree.end)
        kind = "immediate" if sign == "∂⁺" else "total"
        return Derived(kind=kind, of=self.read(quantity), wrt=wrt, at=tree.at, end=tree.end)

    def _differential(self, tree: Tree) -> tuple[str, Tree] | None:
        """The sign of a differential and what it is of."""
        if isinstance(tree, Juxt) and len(tree.factors) == 2:
            head, inner = tree.factors
            mark = head.base if isinstance(head, Atom) else raised_partial(head)
            if mark in ("∂", "∂⁺"):
                return ("∂⁺" if mark == "∂⁺" else "d"), inner
            if mark == "d" and "d" not in self.scope.timeless:
                return "d", inner
        atom = base_of(tree)
        if (
            atom is None
            or atom.base[:1] != "d"
            or len(atom.base) < 2
            or self.reader.syntax != "text"
        ):
            return None
        name = self.reader.read(tree)
        if name is None or self.scope.find(name) is not None:
            return None
        short = replace(atom, base=atom.base[1:])
        return "d", replace(tree, base=short) if isinstance(tree, Scripted) else short

    def scripted(self, base: Expr, scripts: tuple[Script, ...]) -> Expr:
        if scripts and scripts[0].kind == "|":
            along = tuple(word for item in scripts[0].items for word in (self._signal_name(item),))
            if not isinstance(base, Derived):
                raise self.error("only a derivative is restricted to paths", scripts[0])
            return self.scripted(replace(base, along=along), scripts[1:])
        return super().scripted(base, scripts)

    def _signal_name(self, item: Tree) -> str:
        labels = label_of(item)
        if labels is None:
            raise self.error("expected the names of signals", item)
        return Spelling(labels[0].lstrip("\\"), (), labels[1:]).plain


__all__ = ["Horizon", "Name", "parse_formula", "parse_statement"]
