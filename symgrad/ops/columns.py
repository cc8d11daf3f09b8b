"""The table, part three: functions of a whole column.

``pull`` takes the cotangent of the result to that of the argument; ``factor`` is the
Jacobian.
"""

from __future__ import annotations

from symgrad.errors import ShapeError
from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.nodes import OPERATORS, SCALAR, Node, Primitive, Shape
from symgrad.ops.build import make, shape_text
from symgrad.ops.registry import register


def _column(name: str, shape: Shape) -> None:
    if shape[1] != SCALAR[1]:
        raise ShapeError(f"{name} needs a column, got {shape_text(shape)}; transpose it with .T")


def _softmax_shape(shape: Shape) -> Shape:
    _column("softmax", shape)
    return shape


def _logsumexp_shape(shape: Shape) -> Shape:
    _column("logsumexp", shape)
    return SCALAR


def _softmax(algebra: Algebra, z: Value) -> Value:
    direct = algebra.direct.get("softmax")
    if direct is not None:
        return direct(z)
    e = algebra.exp(z)
    return algebra.div(e, algebra.total(e))


def _logsumexp(algebra: Algebra, z: Value) -> Value:
    direct = algebra.direct.get("logsumexp")
    if direct is not None:
        return direct(z)
    return algebra.log(algebra.total(algebra.exp(z)))


def _softmax_pull(i: int, g: Node, ans: Node, args: tuple[Node, ...]) -> Node:
    return ans * (g - OPERATORS["total"](g * ans))


SOFTMAX = register(
    Primitive(
        "softmax",
        _softmax_shape,
        _softmax,
        pull=_softmax_pull,
        factor=lambda i, args, ans: OPERATORS["diag"](ans) - ans @ ans.T,
    )
)
LOGSUMEXP = register(
    Primitive(
        "logsumexp",
        _logsumexp_shape,
        _logsumexp,
        pull=lambda i, g, ans, args: g * make(SOFTMAX, args[0]),
        factor=lambda i, args, ans: make(SOFTMAX, args[0]).T,
    )
)
