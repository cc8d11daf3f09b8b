"""Sizes by unification: every equation is walked once, and sizes that meet become one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

from symgrad.lang.affine import ONE, Affine
from symgrad.lang.nodes import SCALAR, Shape
from symgrad.parse.expressions import (
    Add,
    Called,
    Entrywise,
    Expr,
    Portion,
    Product,
    Raised,
    Ref,
    Sliced,
    Special,
    Stacked,
    Transposed,
)
from symgrad.parse.functions import FUNCTIONS
from symgrad.parse.shape_base import ShapeBase
from symgrad.parse.table import FORM_WORDS, form_of, shown


class Shapes(ShapeBase):
    """The shapes of all names and expressions of one text."""

    # ---- shapes -----------------------------------------------------------------------

    def of(self, expr: Expr) -> Shape:
        """The shape, with every size known that is known by now.

        Raises:
            ParseError: operands that do not conform.
        """
        found = self.known.get(id(expr))
        if found is None:
            # Each part is looked at once, however often its shape is asked for; it is kept, or
            # a later one could get its id.
            self.parts.append(expr)
            found = self.known[id(expr)] = self._of(expr)
        return self.sizes.shape(found)

    def _of(self, expr: Expr) -> Shape:
        match expr:
            case Ref():
                return self.leaf(expr)
            case Special(kind=kind):
                if id(expr) not in self.special:
                    size = self.sizes.fresh()
                    other = {"identity": size, "ones": ONE, "zeros": None}[kind]
                    self.special[id(expr)] = (size, other or self.sizes.fresh())
                return self.special[id(expr)]
            case Add(terms=terms):
                return self._equal("+", [term for _, term in terms], expr)
            case Entrywise(sign=sign, left=left, right=right):
                return self._equal(sign, [left, right], expr)
            case Product():
                return self._product(expr)
            case Raised(base=base, exponent=exponent):
                shape = self.of(base)
                if form_of(shape) == "M" and not self.sizes.unify(*shape):
                    raise self.clash(
                        expr,
                        f"{self.shown_as(base, shape)}, and only a square matrix has powers",
                        base,
                    )
                if form_of(shape) == "M" and exponent.is_const and exponent.const < 0:
                    raise self.clash(expr, "inverses of matrices are not supported", base)
                return shape
            case Transposed(body=body):
                shape = self.of(body)
                if form_of(shape) == "S" and expr.letter:
                    raise self.clash(
                        expr,
                        f"{self.text(body)} is a scalar, so ^T is no transpose, and the horizon T "
                        "is no exponent of a cell: leave it out",
                        body,
                    )
                return (shape[1], shape[0])
            case Called():
                return self._called(expr)
            case Stacked():
                return self._stacked(expr)
            case Sliced():
                return self._sliced(expr)
            case Portion():
                return self._portion(expr)
        return self.other(expr)

    def leaf(self, expr: Ref) -> Shape:
        shape = self.names.entries[expr.name].shape
        assert shape is not None
        return shape

    def other(self, expr: Expr) -> Shape:
        return SCALAR

    def _equal(self, sign: str, parts: list[Expr], where: Expr) -> Shape:
        """Operands entry by entry: equal shapes, scalars broadcast."""
        wide: tuple[Expr, Shape] | None = None
        for part in parts:
            shape = self.of(part)
            if form_of(shape) == "S":
                continue
            if wide is None:
                wide = (part, shape)
                continue
            first, before = wide[0], self.sizes.shape(wide[1])
            same = form_of(before) == form_of(shape) and self.sizes.unify_all(
                zip(before, shape, strict=True)
            )
            if not same:
                self._unequal(sign, first, before, part, shape, where)
        return SCALAR if wide is None else self.sizes.shape(wide[1])

    def _unequal(
        self, sign: str, first: Expr, before: Shape, part: Expr, shape: Shape, where: Expr
    ) -> NoReturn:
        hint = "make the shapes equal with a declaration, or change the formula"
        if sign in ("*", "⊙") and "M" in (form_of(before), form_of(shape)):
            hint = "write @ for the matrix product" if sign == "*" else "leave the ⊙ out"
        raise self.clash(
            where,
            f"{sign} needs equal shapes, but {self.shown_as(first, before)} and "
            f"{self.shown_as(part, shape)}; {hint}",
            first,
            part,
        )

    def _product(self, expr: Product) -> Shape:
        factors = [(factor, self.of(factor)) for factor in expr.factors]
        wide = [(factor, shape) for factor, shape in factors if form_of(shape) != "S"]
        if not wide:
            return SCALAR
        forms = [form_of(shape) for _, shape in wide]
        if len(wide) > 1 and forms[0] == "C" and all(form == "M" for form in forms[1:]):
            return self._row_product(expr, wide)
        for (left, before), (right, after) in pairwise(wide):
            before, after = self.sizes.shape(before), self.sizes.shape(after)
            self._conform(expr, left, before, right, after)
        if "C" in forms[1:] and "M" in forms:
            self.column_product = self.column_product or expr
            self._one_convention(expr)
        return (self.sizes.find(wide[0][1][0]), self.sizes.find(wide[-1][1][1]))

    def _conform(self, expr: Product, left: Expr, before: Shape, right: Expr, after: Shape) -> None:
        one, other = form_of(before), form_of(after)
        if one == other == "C":
            a, b = self.text(left), self.text(right)
            raise self.clash(
                expr,
                f"{a} and {b} are both columns, and a product of two columns can be two things: "
                f"write {a} ⊙ {b} (\\odot) for the product entry by entry, "
                f"dot({a}, {b}) ({a}^\\top {b}) for the inner product",
                left,
                right,
            )
        if (one in "CM" and other == "R") or one + other in ("MM", "MC", "RC", "RM"):
            if one == "C" or self._blocks_meet(left, right):
                return
            if self.sizes.unify(before[1], after[0]):
                return
            raise self.clash(
                expr,
                f"{self.shown_as(left, before)} and {self.shown_as(right, after)}: the inner sizes "
                f"{self.sizes.find(before[1])} and {self.sizes.find(after[0])} differ",
                left,
                right,
            )
        hint = "transpose one of them, or change their order"
        raise self.clash(
            expr,
            f"{self.text(left)} is {FORM_WORDS[one]} and {self.text(right)} is "
            f"{FORM_WORDS[other]}, which have no product in this order; {hint}",
            left,
            right,
        )

    def _blocks_meet(self, left: Expr, right: Expr) -> bool:
        """Unify block by block: [U W] with [h; x] needs U with h and W with x."""
        if not (isinstance(left, Stacked) and isinstance(right, Stacked)):
            return False
        forms = [[form_of(self.of(cell)) for cell in row] for row in right.rows]
        rows = self.blocks(right, forms)
        if len(left.rows[0]) != len(rows):
            return False
        pairs = zip(left.rows[0], rows, strict=True)
        return self.sizes.unify_all((self.of(a)[1], self.of(row[0])[0]) for a, row in pairs)

    def _row_product(self, expr: Product, wide: list[tuple[Expr, Shape]]) -> Shape:
        """x W where signals are rows: the column Wᵀ x."""
        self.row_product = self.row_product or expr
        self._one_convention(expr)
        size = wide[0][1][0]
        last = wide[0][0]
        for factor, shape in wide[1:]:
            shape = self.sizes.shape(shape)
            if not self.sizes.unify(size, shape[0]):
                raise self.clash(
                    expr,
                    f"{self.text(last)} is a row of {self.sizes.find(size)} and "
                    f"{self.shown_as(factor, shape)}: the inner sizes differ",
                    last,
                    factor,
                )
            size, last = shape[1], factor
        return (self.sizes.find(size), ONE)

    def _one_convention(self, expr: Product) -> None:
        rows, columns = self.row_product, self.column_product
        if rows is not None and columns is not None:
            other = columns if expr is rows else rows
            raise self.clash(
                expr,
                f"{self.text(rows)} has its matrix right of the vector, and "
                f"{self.text(columns)} (line {self.source.line_of(other.at)} and here) left of "
                "it: write all vectors as columns, or all as rows",
            )

    def _called(self, expr: Called) -> Shape:
        acts = "entries" if expr.generic else FUNCTIONS[expr.function].acts
        if acts == "entries":
            return self.of(expr.args[0])
        if acts in ("pair", "many"):
            return self._equal(f"{expr.function}(a, b)", list(expr.args), expr)
        shapes = [self.of(argument) for argument in expr.args]
        for argument, shape in zip(expr.args, shapes, strict=True):
            if form_of(shape) in "RM" and expr.function not in ("sum", "total"):
                raise self.clash(
                    expr,
                    f"{expr.function} needs a column, but {self.shown_as(argument, shape)}",
                    argument,
                )
        if acts == "dot":
            self._equal("dot", list(expr.args), expr)
        size = self.sizes.find(shapes[0][0])
        other = self.sizes.find(shapes[-1][0])
        return {
            "column": (size, ONE),
            "reduce": SCALAR,
            "dot": SCALAR,
            "outer": (size, other),
            "diag": (size, size),
        }[acts]

    def _stacked(self, expr: Stacked) -> Shape:
        rows = self.blocks(expr, [[form_of(self.of(c)) for c in row] for row in expr.rows])
        heights: list[Affine] = []
        widths = [self.of(cell)[1] for cell in rows[0]]
        for row in rows:
            height = self.of(row[0])[0]
            heights.append(height)
            for width, cell in zip(widths, row, strict=True):
                shape = self.of(cell)
                fits = self.sizes.unify(height, shape[0]) and self.sizes.unify(width, shape[1])
                if not fits:
                    raise self.clash(
                        expr,
                        f"{self.shown_as(cell, shape)} does not fit beside the other blocks",
                        cell,
                        row[0],
                    )
        total = sum(heights[1:], heights[0]), sum(widths[1:], widths[0])
        return self.sizes.shape(total)

    def _sliced(self, expr: Sliced) -> Shape:
        whole = self.of(expr.body)
        found: list[Affine] = []
        for start, count, size in zip(expr.start, expr.count, whole, strict=True):
            if count is None:
                found.append(size)
                continue
            left = size - start - count
            inside = all(c >= 0 for _, c in left.terms) and left.const >= 0
            signs = [*(c for _, c in (*start.terms, *count.terms)), start.const, count.const]
            if not inside or min(signs) < 0 or (count.is_const and not count.const):
                raise self.clash(
                    expr,
                    f"{self.shown_as(expr.body, whole)} does not have these rows and columns",
                    expr.body,
                )
            found.append(count)
        return (found[0], found[1])

    def _portion(self, expr: Portion) -> Shape:
        whole = self.of(expr.body)
        sizes = [self.leaf(ref)[0] for ref in expr.signals]
        total = sum(sizes[1:], sizes[0])
        if form_of(whole) != "C" or not self.sizes.unify(whole[0], total):
            raise self.clash(
                expr,
                f"{self.shown_as(expr.body, whole)} does not have the rows of the left side",
                expr.body,
            )
        return (self.sizes.find(sizes[expr.place]), ONE)

    def blocks(self, expr: Stacked, forms: Sequence[Sequence[str]]) -> tuple[tuple[Expr, ...], ...]:
        """The blocks as rows: ``[a, b]`` of columns stands below each other."""
        if expr.listed and not any(form == "M" for row in forms for form in row):
            return tuple((cell,) for cell in expr.rows[0])
        return expr.rows

    # ---- equations --------------------------------------------------------------------

    def equate(self, target: Ref, value: Expr) -> None:
        """The left side has the shape of the right side."""
        shape = self.of(value)
        entry = self.names.entries[target.name]
        left = self.sizes.shape(self.leaf(target))
        if form_of(shape) in "RM":
            raise self.clash(
                value,
                f"the right side is {FORM_WORDS[form_of(shape)]}, {shown(shape)}: no signal is "
                "one; make it a column",
                value,
            )
        fits = form_of(left) == form_of(shape) and self.sizes.unify(left[0], shape[0])
        if not fits:
            self.provisional()
            left, shape = self.sizes.shape(left), self.sizes.shape(shape)
            size = [] if form_of(shape) == "S" else [str(shape[0])]
            loop = left[0].names & shape[0].names
            repair = (
                ""
                if loop
                else (f"declare {self.source.declaration(self.text(target), *size)}, or ")
            )
            raise self.clash(
                value,
                f"{entry.name} is {shown(left)} but the right side is {shown(shape)}; "
                f"{repair}change the formula",
                target,
                value,
            )
