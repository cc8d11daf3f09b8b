"""THE table of primitives: shapes, values, costs and derivatives, each written once.

An elementwise function gives its derivative as a formula in its own output ``ans``
and its argument; an operation that is linear in each argument gives the adjoint map
and the Jacobian factor of each argument. The elementwise entries are the axioms of
every proof: ``verify.axioms`` proves each from ``definition`` without reading
``partials``, so that a wrong entry stops everything.
"""

from __future__ import annotations

from collections.abc import Callable

from symgrad.errors import ShapeError
from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.nodes import OPERATORS, SCALAR, Node, Primitive, Shape
from symgrad.ops.build import as_node, bind, broadcast_shape, make, shape_text

PRIMITIVES: dict[str, Primitive] = {}


def _register(primitive: Primitive) -> Primitive:
    PRIMITIVES[primitive.name] = primitive
    return primitive


# ---- elementwise functions ------------------------------------------------------


def _same(shape: Shape) -> Shape:
    return shape


def _elementwise(
    name: str,
    definition: Callable[[Algebra, Value], Value],
    partial: Callable[[Node, Node], Node],
    *,
    definition_text: str,
    latex_name: str,
) -> Primitive:
    def evaluate(algebra: Algebra, argument: Value) -> Value:
        direct = algebra.direct.get(name)
        return definition(algebra, argument) if direct is None else direct(argument)

    return _register(
        Primitive(
            name,
            _same,
            evaluate,
            elementwise=True,
            partials=lambda ans, argument: (partial(ans, argument),),
            definition=definition,
            definition_text=definition_text,
            latex_name=latex_name,
        )
    )


def _sigma_definition(algebra: Algebra, x: Value) -> Value:
    e = algebra.exp(x)
    return algebra.div(e, algebra.add(algebra.one, e))


def _tanh_definition(algebra: Algebra, x: Value) -> Value:
    e = algebra.exp(x)
    square = algebra.mul(e, e)
    return algebra.div(
        algebra.add(square, algebra.neg(algebra.one)), algebra.add(square, algebra.one)
    )


EXP = _elementwise(
    "exp",
    lambda algebra, x: algebra.exp(x),
    lambda ans, x: ans,
    definition_text="E with dE = E dx",
    latex_name=r"\exp",
)
SIGMA = _elementwise(
    "sigma",
    _sigma_definition,
    lambda ans, x: ans * (1 - ans),
    definition_text="E / (1 + E) with E = exp(x), dE = E dx",
    latex_name=r"\sigma",
)
TANH = _elementwise(
    "tanh",
    _tanh_definition,
    lambda ans, x: 1 - ans**2,
    definition_text="(E² - 1) / (E² + 1) with E = exp(x), dE = E dx",
    latex_name=r"\tanh",
)


# ---- operations linear in each argument -------------------------------------------
#
# transposes[i](g, args): the adjoint of the linear map "argument i -> result", applied
# to the cotangent g. factors[i](args): the matrix M with d(result) = M d(argument i)
# for a column argument.


def _narrow(g: Node, shape: Shape) -> Node:
    """The cotangent of an operand of ``shape``: a broadcast scalar collects all entries."""
    return OPERATORS["total"](g) if shape == SCALAR and not g.is_scalar else g


def _add_shape(*shapes: Shape) -> Shape:
    return broadcast_shape("+", *shapes)


def _fold_values(
    operation: Callable[[Algebra, Value, Value], Value],
) -> Callable[..., Value]:
    def evaluate(algebra: Algebra, *values: Value) -> Value:
        result = values[0]
        for value in values[1:]:
            result = operation(algebra, result, value)
        return result

    return evaluate


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


ADD = _register(
    Primitive(
        "add",
        _add_shape,
        _fold_values(lambda algebra, a, b: algebra.add(a, b)),
        cost=lambda count: count - 1,
        transpose=lambda i, g, args: _narrow(g, args[i].shape),
        factor=lambda i, args, result: _identity_like(args[i], result),
    )
)
NEG = _register(
    Primitive(
        "neg",
        _same,
        lambda algebra, a: algebra.neg(a),
        transpose=lambda i, g, args: -g,
        factor=lambda i, args, result: -_identity_like(args[i], result),
    )
)
MUL = _register(
    Primitive(
        "mul",
        lambda *shapes: broadcast_shape("*", *shapes),
        _fold_values(lambda algebra, a, b: algebra.mul(a, b)),
        cost=lambda count: count - 1,
        transpose=lambda i, g, args: _narrow(OPERATORS["mul"](g, _others(i, args)), args[i].shape),
        factor=_mul_factor,
    )
)
DIV = _register(
    Primitive(
        "div",
        lambda left, right: broadcast_shape("/", left, right),
        lambda algebra, a, b: algebra.div(a, b),
        partials=lambda ans, over, under: (1 / under, -(ans / under)),
    )
)
MATMUL = _register(
    Primitive(
        "matmul",
        _matmul_shape,
        lambda algebra, a, b: algebra.matmul(a, b),
        transpose=lambda i, g, args: g @ args[1].T if i == 0 else args[0].T @ g,
        factor=lambda i, args, result: None if i == 0 else args[0],
    )
)
TRANSPOSE = _register(
    Primitive(
        "transpose",
        lambda shape: (shape[1], shape[0]),
        lambda algebra, a: algebra.transpose(a),
        cost=lambda count: 0,
        transpose=lambda i, g, args: g.T,
    )
)
DIAG = _register(
    Primitive(
        "diag",
        _diag_shape,
        lambda algebra, a: algebra.diagonal(a),
        cost=lambda count: 0,
    )
)
TOTAL = _register(
    Primitive(
        "total",
        lambda shape: SCALAR,
        lambda algebra, a: algebra.total(a),
        transpose=lambda i, g, args: g * OPERATORS["full"]("ones", args[0].shape),
        factor=lambda i, args, result: OPERATORS["full"]("ones", args[0].shape).T,
    )
)

bind(PRIMITIVES, OPERATORS)


# ---- what a declaration writes -----------------------------------------------------


def tanh(x: Node) -> Node:
    """The hyperbolic tangent, entry by entry."""
    return make(TANH, as_node(x))


def sigma(x: Node) -> Node:
    """The logistic function 1 / (1 + exp(-x)), entry by entry."""
    return make(SIGMA, as_node(x))


def exp(x: Node) -> Node:
    """The exponential function, entry by entry."""
    return make(EXP, as_node(x))


def diag(x: Node) -> Node:
    """The diagonal matrix of a column; a scalar stays as it is."""
    return OPERATORS["diag"](as_node(x))


def total(x: Node) -> Node:
    """The sum of all entries."""
    return OPERATORS["total"](as_node(x))
