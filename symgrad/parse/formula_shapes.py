"""Shapes and nodes of formulas: all names have shapes, and only I, 0 and 𝟏 are inferred."""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.lang.affine import Affine
from symgrad.lang.nodes import (
    SCALAR,
    Apply,
    Condition,
    Node,
    Shape,
    Signal,
    cases,
    derivative,
    fold,
    iverson,
)
from symgrad.lang.nodes import Name as NameNode
from symgrad.parse.build import Builder
from symgrad.parse.errors import Source
from symgrad.parse.expressions import (
    Bracketed,
    ByCases,
    Called,
    Compared,
    Derived,
    Expr,
    Folded,
    Index,
    Number,
    Ref,
    Special,
    Stacked,
)
from symgrad.parse.functions import FUNCTIONS
from symgrad.parse.shapes import Shapes
from symgrad.parse.table import Names, form_of


class FormulaShapes(Shapes):
    """Shapes of the expressions of one formula."""

    def __init__(self, source: Source, nodes: dict[str, Node]) -> None:
        super().__init__(source, Names())
        self.nodes = nodes

    def leaf(self, expr: Ref) -> Shape:
        return self.nodes[expr.name].shape

    def blocks(self, expr: Stacked, forms: Sequence[Sequence[str]]) -> tuple[tuple[Expr, ...], ...]:
        """``[0, 1]`` of scalars is a row here, as the printer writes it."""
        if expr.listed and any(form == "C" for row in forms for form in row):
            return super().blocks(expr, forms)
        return expr.rows

    def other(self, expr: Expr) -> Shape:
        match expr:
            case Folded(body=body):
                return self.of(body)
            case ByCases(rows=rows):
                for _, conditions in rows:
                    for condition in conditions:
                        sides = [condition.left, condition.right]
                        self._equal(condition.relation, sides, condition)
                values = [value for value, _ in rows]
                self._fit_zeros(values)
                return self._equal("a case", values, expr)
            case Derived(kind="loss", wrt=wrt):
                return self.of(wrt)
            case Derived(of=of, wrt=wrt):
                return self._derivative(self.of(of), self.of(wrt), of)
        return SCALAR

    def _fit_zeros(self, values: list[Expr]) -> None:
        """A case that is 0 has the shape of the others."""
        zeros = [v for v in values if isinstance(v, Special) and v.kind == "zeros"]
        others = [self.of(v) for v in values if v not in zeros]
        wide = next((shape for shape in others if form_of(shape) != "S"), None)
        for value in zeros if wide else ():
            assert wide is not None
            self.parts.append(value)
            self.special[id(value)] = wide

    def _derivative(self, of: Shape, wrt: Shape, quantity: Expr) -> Shape:
        return wrt if self.is_named(quantity) else (of[0], wrt[0])

    def is_named(self, quantity: Expr) -> bool:
        """Whether it is L, or another name: its derivative is a gradient."""
        return isinstance(quantity, Ref) and isinstance(self.nodes[quantity.name], NameNode)

    def settle(self) -> None:
        """Sizes that nothing determines become 1 by 1: a literal stays a literal."""
        for key, shape in self.special.items():
            self.special[key] = self.sizes.shape(shape)


class FormulaBuilder(Builder):
    """Nodes of a formula."""

    def leaf(self, expr: Ref) -> Node:
        assert isinstance(self.shapes, FormulaShapes)
        return self.shapes.nodes[expr.name]

    def other(self, expr: Expr) -> Node:
        match expr:
            case Folded(kind=kind, index=index, lower=lower, upper=upper, body=body):
                return fold(kind, index, lower, upper, self.build(body))
            case ByCases(rows=rows):
                return cases(
                    [
                        (self.build(value), tuple(self.condition(c) for c in conditions))
                        for value, conditions in rows
                    ]
                )
            case Bracketed(form=form):
                return iverson(form)
            case Derived(kind=kind, of=of, wrt=wrt, along=along):
                return self.derivative(kind, self.build(of), self.build(wrt), along)
        return super().other(expr)

    def _called(self, expr: Called) -> Node:
        """σ'(x) of a function of the table: its derivative, as the table has it."""
        function = FUNCTIONS.get(expr.function.rstrip("'"))
        if not expr.generic or function is None:
            return super()._called(expr)
        argument = self.build(expr.args[0])
        value = function.apply(argument)
        if not isinstance(value, Apply) or value.head.partials is None:
            raise TypeError(f"{expr.function} of {argument!r}: write this derivative out")
        (partial,) = value.head.partials(value, argument)
        return partial

    def derivative(self, kind: str, of: Node, wrt: Node, along: tuple[str, ...]) -> Node:
        """The derivative by name; of a scalar L it is a gradient."""
        if kind == "loss":
            assert isinstance(wrt, Signal)
            return Signal((wrt.name, wrt.time, "dl"), (), wrt.shape)
        if kind == "total" and isinstance(of, NameNode):
            return derivative("gradient", of, wrt)
        return derivative("restricted" if along else kind, of, wrt, along=along)

    def condition(self, compared: Compared) -> Condition:
        """``T = 0`` compares times, ``w = 1`` numbers."""
        relation = compared.relation
        left, right = self._side(compared.left), self._side(compared.right)
        if left is not None and right is not None:
            return Condition(left, relation, right)  # type: ignore[arg-type]  # one of four
        sides = self.build(compared.left), self.build(compared.right)
        return Condition(sides[0], relation, sides[1])  # type: ignore[arg-type]  # as above

    @staticmethod
    def _side(expr: Expr) -> Affine | None:
        if isinstance(expr, Index):
            return expr.form
        if isinstance(expr, Number) and expr.value.denominator == 1:
            return Affine(const=int(expr.value))
        return None


def zero_blocks(expr: Stacked, forms: Sequence[Sequence[str | None]]) -> Stacked:
    """Literals 0 among blocks that are no scalars are blocks of zeros."""
    wide = any(form != "S" for row in forms for form in row)
    if not wide:
        return expr
    rows = tuple(
        tuple(
            Special(kind="zeros", at=cell.at, end=cell.end)
            if isinstance(cell, Number) and cell.value == 0
            else cell
            for cell in row
        )
        for row in expr.rows
    )
    return Stacked(rows=rows, listed=expr.listed, at=expr.at, end=expr.end)
