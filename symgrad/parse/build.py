"""Expressions with known shapes to nodes, by the constructors that a declaration uses."""

from __future__ import annotations

from collections.abc import Callable

from symgrad.errors import SymgradError
from symgrad.lang.affine import ONE, as_affine, t
from symgrad.lang.nodes import (
    OPERATORS,
    Const,
    Misfit,
    Node,
    Signal,
    block,
    const,
    full,
    index_value,
    param,
    part,
    signal,
)
from symgrad.ops import activation, concat
from symgrad.ops.build import make
from symgrad.ops.elementwise import opaque
from symgrad.parse.errors import ParseError, Source
from symgrad.parse.expressions import (
    Add,
    Called,
    Entrywise,
    Expr,
    Index,
    Number,
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
from symgrad.parse.shapes import Shapes
from symgrad.parse.table import form_of

_MOST_BITS = 4096


class Builder:
    """Nodes of the expressions of one text; the shapes must be closed."""

    def __init__(self, source: Source, shapes: Shapes) -> None:
        self.source, self.shapes = source, shapes

    def build(self, expr: Expr) -> Node:
        """The node of an expression.

        Raises:
            ParseError: something that cannot be built, such as a division by zero.
        """
        try:
            node = self._build(expr)
        except ParseError:
            raise
        except (SymgradError, TypeError, ValueError, ZeroDivisionError) as error:
            raise self.source.error(_said(error), expr.at, expr.end) from None
        if isinstance(node, Misfit):
            raise self.source.error(node.message, expr.at, expr.end)
        if isinstance(node, Const) and (
            node.value.numerator.bit_length() > _MOST_BITS
            or node.value.denominator.bit_length() > _MOST_BITS
        ):
            raise self.source.error("this number is too long; use a parameter", expr.at, expr.end)
        return node

    def _build(self, expr: Expr) -> Node:
        match expr:
            case Number(value=value):
                return const(value)
            case Index(form=form):
                return index_value(form)
            case Ref():
                return self.leaf(expr)
            case Special(kind=kind):
                return full(kind, self.shapes.of(expr))
            case Add(terms=terms):
                return self._sum(terms)
            case Product():
                return self._product(expr)
            case Entrywise(sign=sign, left=left, right=right):
                return self._entrywise(sign, self.build(left), self.build(right))
            case Raised(base=base, exponent=exponent):
                inner = self.build(base)
                negative = exponent.is_const and exponent.const < 0
                if isinstance(inner, Const) and not inner.value and negative:
                    raise ZeroDivisionError
                return OPERATORS["power"](inner, exponent)
            case Transposed(body=body):
                return self.build(body).T
            case Called():
                return self._called(expr)
            case Stacked():
                return self._stacked(expr)
            case Portion(body=body, signals=signals, place=place):
                sizes = [self.shapes.of(ref)[0] for ref in signals]
                first = sum(sizes[:place], as_affine(0))
                return part(self.build(body), (first, as_affine(0)), (sizes[place], ONE))
            case Sliced(body=body, start=start):
                return part(self.build(body), start, self.shapes.of(expr))
        return self.other(expr)

    def leaf(self, expr: Ref) -> Node:
        entry = self.shapes.names.entries[expr.name]
        assert entry.shape is not None
        if expr.time is None:
            return param(entry.name, entry.shape)
        return signal(entry.name, entry.shape, expr.time, expr.adjoint)

    def other(self, expr: Expr) -> Node:
        raise TypeError(f"no node for {type(expr).__name__}")

    def _sum(self, terms: tuple[tuple[str, Expr], ...]) -> Node:
        (sign, first), *rest = terms
        total = self.build(first)
        if sign == "-":
            total = -total
        for sign, term in rest:
            node = self.build(term)
            total = total + node if sign == "+" else total - node
        return total

    def _entrywise(self, sign: str, left: Node, right: Node) -> Node:
        return left / right if sign == "/" else left * right

    def _product(self, expr: Product) -> Node:
        """Scalars scale the matrix product of the rest, which is taken from the right."""
        before: list[Node] = []
        after: list[Node] = []
        wide: list[Node] = []
        for factor in expr.factors:
            node = self.build(factor)
            if not node.is_scalar:
                # Scalars between matrices come to the front: they commute.
                before, after = [*before, *after], []
                wide.append(node)
            else:
                (after if wide else before).append(node)
        rows = [form_of(node.shape) for node in wide]
        if len(wide) > 1 and rows[0] == "C" and all(form == "M" for form in rows[1:]):
            # Signals as rows: (x W)ᵀ = Wᵀ xᵀ.
            wide = [node.T for node in reversed(wide[1:])] + wide[:1]
        parts = [*before, *([_chained(wide)] if wide else []), *after]
        scale = _folded(OPERATORS["mul"], before) if before else None
        if not wide:
            return _folded(OPERATORS["mul"], parts)
        result = _chained(wide)
        if scale is not None:
            result = scale * result
        return _folded(OPERATORS["mul"], [result, *after])

    def _called(self, expr: Called) -> Node:
        arguments = [self.build(argument) for argument in expr.args]
        if expr.generic:
            name = expr.function.rstrip("'")
            order = len(expr.function) - len(name)
            # φ' is a function of its own, known by its name only.
            apply = activation(name)
            return make(opaque(name, order), arguments[0]) if order else apply(arguments[0])
        return FUNCTIONS[expr.function].apply(*arguments)

    def _stacked(self, expr: Stacked) -> Node:
        forms = [[form_of(self.shapes.of(cell)) for cell in row] for row in expr.rows]
        rows = [tuple(self.build(cell) for cell in row) for row in self.shapes.blocks(expr, forms)]
        if all(len(row) == 1 and row[0].shape[1] == ONE for row in rows):
            return concat(*[row[0] for row in rows])
        return block(rows)


def _chained(wide: list[Node]) -> Node:
    result = wide[-1]
    for node in reversed(wide[:-1]):
        result = node @ result
    return result


def _folded(operation: Callable[..., Node], parts: list[Node]) -> Node:
    result = parts[0]
    for item in parts[1:]:
        result = operation(result, item)
    return result


def _said(error: Exception) -> str:
    if isinstance(error, ZeroDivisionError):
        return "division by zero; change the denominator"
    return str(error)


def signal_at_t(name: str, shapes: Shapes) -> Signal:
    """A signal of the cell at time t."""
    shape = shapes.names.entries[name].shape
    assert shape is not None
    return signal(name, shape, t)
