"""The table, part two: sums, products, matrices, division.

An operation that is linear in each argument gives ``transpose``, the adjoint of the
linear map "argument i -> result" applied to the cotangent, and ``factor``, the matrix M
with d(result) = M d(argument i) for a column argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from symgrad.errors import ShapeError
from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.nodes import OPERATORS, SCALAR, Node, Primitive, Shape
from symgrad.ops.build import broadcast_shape, shape_text
from symgrad.ops.registry import register


def _same(shape: Shape) -> Shape:
    return shape


def _narrow(g: Node, shape: Shape) -> Node:
    """The cotangent of an operand of ``shape``: a broadcast scalar collects all entries."""
    return OPERATORS["total"](g) if shape == SCALAR and not g.is_scalar else g


def _add_shape(*shapes: Shape) -> Shape:
    return broadcast_shape("+", *shapes)


@dataclass(frozen=True)
class _ByMethod:
    """Evaluation by a method of the algebra, from the left where there are many arguments."""

    method: str

    def __call__(self, algebra: Algebra, *values: Value) -> Value:
        operation = self.bind(algebra)
        return operation(*values) if len(values) < 2 else reduce(operation, values)

    def bind(self, algebra: Algebra) -> Callable[..., Value]:
        """The method itself, for whoever calls it very often."""
        operation: Callable[..., Value] = getattr(algebra, self.method)
        return operation


def _identity_like(argument: Node, result: Node) -> Node:
    """d(result) = I d(argument), or a column of ones for a broadcast scalar."""
    if argument.is_scalar:
        return OPERATORS["full"]("ones", result.shape)
    return OPERATORS["full"]("identity", (argument.shape[0], argument.shape[0]))


def _others(i: int, args: tuple[Node, ...]) -> Node:
    rest = [a for position, a in enumerate(args) if position != i]
    return OPERATORS["mul"](*rest)


def _mul_factor(i: int, args: tuple[Node, ...], result: Node) -> Node:
    others = _others(i, args)
    if args[i].is_scalar:
        return others
    if others.is_scalar:
        return others * OPERATORS["full"]("identity", (result.shape[0], result.shape[0]))
    return OPERATORS["diag"](others)


def _matmul_shape(left: Shape, right: Shape) -> Shape:
    if left[1] != right[0]:
        raise ShapeError(
            f"@ needs inner sizes that agree, got {shape_text(left)} @ {shape_text(right)}"
        )
    return (left[0], right[1])


def _diag_shape(shape: Shape) -> Shape:
    if shape[1] != SCALAR[1]:
        raise ShapeError(
            f"diag needs a column, got {shape_text(shape)}; leave diag out, or give it a column"
        )
    return (shape[0], shape[0])


ADD = register(
    Primitive(
        "add",
        _add_shape,
        _ByMethod("add"),
        cost=lambda count: count - 1,
        transpose=lambda i, g, args: _narrow(g, args[i].shape),
        factor=lambda i, args, result: _identity_like(args[i], result),
    )
)
NEG = register(
    Primitive(
        "neg",
        _same,
        _ByMethod("neg"),
        transpose=lambda i, g, args: -g,
        factor=lambda i, args, result: -_identity_like(args[i], result),
    )
)
MUL = register(
    Primitive(
        "mul",
        lambda *shapes: broadcast_shape("*", *shapes),
        _ByMethod("mul"),
        cost=lambda count: count - 1,
        transpose=lambda i, g, args: _narrow(OPERATORS["mul"](g, _others(i, args)), args[i].shape),
        factor=_mul_factor,
    )
)
DIV = register(
    Primitive(
        "div",
        lambda left, right: broadcast_shape("/", left, right),
        _ByMethod("div"),
        partials=lambda ans, over, under: (1 / under, -(ans / under)),
    )
)
MATMUL = register(
    Primitive(
        "matmul",
        _matmul_shape,
        _ByMethod("matmul"),
        transpose=lambda i, g, args: g @ args[1].T if i == 0 else args[0].T @ g,
        factor=lambda i, args, result: None if i == 0 else args[0],
    )
)
TRANSPOSE = register(
    Primitive(
        "transpose",
        lambda shape: (shape[1], shape[0]),
        lambda algebra, a: algebra.transpose(a),
        cost=lambda count: 0,
        transpose=lambda i, g, args: g.T,
    )
)
DIAG = register(
    Primitive(
        "diag",
        _diag_shape,
        lambda algebra, a: algebra.diagonal(a),
        cost=lambda count: 0,
        # The diagonal of g, as a column: what lies beside it does not count.
        transpose=lambda i, g, args: (
            (g * OPERATORS["full"]("identity", g.shape)) @ OPERATORS["full"]("ones", args[0].shape)
        ),
    )
)
TOTAL = register(
    Primitive(
        "total",
        lambda shape: SCALAR,
        lambda algebra, a: algebra.total(a),
        transpose=lambda i, g, args: g * OPERATORS["full"]("ones", args[0].shape),
        factor=lambda i, args, result: OPERATORS["full"]("ones", args[0].shape).T,
    )
)
