"""The table, part three: functions of a whole column.

``pull`` takes the cotangent of the result to that of the argument; ``factor`` is the
Jacobian.
"""

from __future__ import annotations

from symgrad.errors import ShapeError
from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.nodes import OPERATORS, SCALAR, Node, Primitive, Shape, full, index_value
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


def _variance_shape(shape: Shape) -> Shape:
    _column("variance", shape)
    return SCALAR


def _mean_shape(shape: Shape) -> Shape:
    _column("mean", shape)
    return SCALAR


def _mean(algebra: Algebra, a: Value) -> Value:
    shape = tuple(getattr(a, "shape", ()))
    size = shape[-2] if len(shape) >= 2 else 1
    return algebra.mul(algebra.share(size), algebra.total(a))


def _variance(algebra: Algebra, a: Value) -> Value:
    gap = algebra.add(a, algebra.neg(_mean(algebra, a)))
    return _mean(algebra, algebra.mul(gap, gap))


def _share(a: Node) -> Node:
    """1/n for a column of n entries."""
    return OPERATORS["div"](1, index_value(a.shape[0]))


def _slope_of_variance(a: Node) -> Node:
    # What comes through the mean adds up to nothing: Σ (a_i - mean(a)) = 0.
    return 2 * _share(a) * (a - OPERATORS["mean"](a))


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
MEAN = register(
    Primitive(
        "mean",
        _mean_shape,
        _mean,
        pull=lambda i, g, ans, args: g * _share(args[0]) * full("ones", args[0].shape),
        factor=lambda i, args, ans: _share(args[0]) * full("ones", args[0].shape[::-1]),
    )
)
VARIANCE = register(
    Primitive(
        "variance",
        _variance_shape,
        _variance,
        cost=lambda count: 3,
        pull=lambda i, g, ans, args: g * _slope_of_variance(args[0]),
        factor=lambda i, args, ans: _slope_of_variance(args[0]).T,
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
