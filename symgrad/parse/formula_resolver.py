"""Trees of formulas: sums over time, cases, brackets, times as numbers, powers of T."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from symgrad.lang.affine import Affine, as_affine
from symgrad.parse.claim_errors import NO_CONDITIONS
from symgrad.parse.derivatives import DerivativeResolver
from symgrad.parse.errors import Source
from symgrad.parse.expressions import (
    Bracketed,
    ByCases,
    Compared,
    Expr,
    Folded,
    Index,
    Number,
    Raised,
    Special,
    Stacked,
    Transposed,
)
from symgrad.parse.formula_names import FormulaNameReader, FormulaScope
from symgrad.parse.formula_shapes import FormulaShapes, zero_blocks
from symgrad.parse.formula_trees import limits_of
from symgrad.parse.spelling import Name, affine_of
from symgrad.parse.table import form_of
from symgrad.parse.tree import (
    Atom,
    Big,
    CaseList,
    CaseRow,
    Chain,
    Group,
    Juxt,
    Num,
    Relation,
    Script,
    Sum,
    Tree,
)

#: What ^T means where both a power and a transpose conform.
Horizon = Literal["ask", "power", "transpose"]


class FormulaResolver(DerivativeResolver):
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
            joined = self.with_derivatives(tree)
            if not isinstance(joined, Chain):
                return self.read(joined)
            tree = joined
        found = super().read(tree)
        if isinstance(found, Stacked):
            # Only a literal 0 is a scalar there: what else is one decides for itself.
            forms = [[self.form_of(cell) for cell in row] for row in found.rows]
            found = zero_blocks(found, forms)
        return found

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
                'for the power read with horizon="power", on the command line with --power power',
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
        limits = limits_of(tree)
        if isinstance(limits, str):
            raise self.error(limits, tree)
        body = tree.body
        if tree.word and isinstance(body, Chain) and isinstance(body.operands[0], Group):
            raise self.error(
                f"{tree.kind}_{{…}} (a) {body.operators[0]} b can end after (a) and after b: put "
                "parentheses around the whole product, or around the sum",
                body,
            )
        lower, upper = self._limit(limits.lower), self._limit(limits.upper)
        index = limits.index.base
        if limits.chained and index in lower.names | upper.names:
            raise self.error(f"{index} stands between bounds that use {index}: name it anew", tree)
        if index in self.scope.timeless:
            raise self.error(f"{index} is a name of this cell; call the index k or j", tree)
        if ("T" in lower.names - upper.names) or (
            lower.names and upper.is_const and upper.const < 2
        ):
            raise self.error(
                f"{tree.kind} from {lower} to {upper} counts down: the smaller limit stands below, "
                f"{index}={upper}; of matrices the factors of later times stand on the left",
                tree,
            )
        lower, upper = lower + limits.after, upper - limits.before
        return Folded(
            kind=tree.kind,
            index=index,
            lower=lower,
            upper=upper,
            body=self.read(tree.body),
            at=tree.at,
            end=tree.end,
        )

    def _limit(self, tree: Tree) -> Affine:
        form = affine_of(tree, self.reader.letters)
        if form is None:
            raise self.error("the limits of a sum over time are times: 1, T, t-1", tree)
        return form

    def _cases(self, tree: CaseList) -> Expr:
        rows = tuple(self._case(row) for row in tree.rows)
        if rows[-1][1] or any(not conditions for _, conditions in rows[:-1]):
            raise self.error("cases need conditions, and the last one is otherwise", tree)
        if any(self.form_of(value) != "S" for value, _ in rows):
            # A literal 0 is the zero of the shape of the other cases.
            rows = tuple((_zeros(value), conditions) for value, conditions in rows)
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
        if tree.sign in ("≠", "≥", "≤") and (left is None or right is None):
            raise self.error(NO_CONDITIONS, tree)
        if tree.sign != "=" or left is None or right is None:
            raise self.error("a relation cannot stand inside a formula", tree)
        return Bracketed(form=left - right, at=tree.at, end=tree.end)

    def time_in(self, group: Group) -> Affine | None:
        """As in cells, and a number: ``h[0]``."""
        found = super().time_in(group)
        if found is None and group.bracket in ("(", "[") and len(group.items) == 1:
            (item,) = group.items
            return affine_of(item, frozenset()) if isinstance(item, Num) else None
        return found

    def takes_time(self, name: Name) -> bool:
        plain = name.spelling.plain
        return (
            super().takes_time(name)
            and plain in self.scope.signals
            and plain not in self.scope.timeless
        )


def _zeros(expr: Expr) -> Expr:
    if isinstance(expr, Number) and expr.value == 0:
        return Special(kind="zeros", at=expr.at, end=expr.end)
    return expr
