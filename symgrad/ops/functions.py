"""What a declaration writes: functions of nodes over the table of primitives."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from symgrad.errors import DeclarationError
from symgrad.lang.affine import Affine, as_affine
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Misfit,
    Node,
    Power,
    Primitive,
    block,
    part,
    walk,
)
from symgrad.ops.build import as_node, shape_text, square
from symgrad.ops.elementwise import (
    CONVENTIONS,
    EXP,
    GENERIC,
    LOG,
    SIGMA,
    SOFTPLUS,
    SQRT,
    TANH,
    opaque,
)
from symgrad.ops.table import PRIMITIVES

Operand = Node | int | Fraction


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
#: Names that stand for functions of a declaration, and are printed.
_TAKEN = frozenset(["sum", "sub", "dot", "outer", "norm", "concat", "rows", "min"])


def tanh(x: Operand) -> Node:
    """The hyperbolic tangent, entry by entry."""
    return _call(TANH, x)


def sigma(x: Operand) -> Node:
    """The logistic function 1 / (1 + exp(-x)), entry by entry."""
    return _call(SIGMA, x)


def exp(x: Operand) -> Node:
    """The exponential function, entry by entry."""
    return _call(EXP, x)


def cosh(x: Operand) -> Node:
    """(exp(x) + exp(-x)) / 2, entry by entry."""
    return (exp(x) + exp(-as_node(x))) / 2


def sinh(x: Operand) -> Node:
    """(exp(x) - exp(-x)) / 2, entry by entry."""
    return (exp(x) - exp(-as_node(x))) / 2


def sech(x: Operand) -> Node:
    """1 / cosh(x), entry by entry."""
    return 2 / (exp(x) + exp(-as_node(x)))


def log(x: Operand) -> Node:
    """The natural logarithm, entry by entry; of positive numbers."""
    return _call(LOG, x)


def sqrt(x: Operand) -> Node:
    """The square root, entry by entry; of positive numbers."""
    return _call(SQRT, x)


def softplus(x: Operand) -> Node:
    """log(1 + exp(x)), entry by entry."""
    return _call(SOFTPLUS, x)


def relu(x: Operand, at_kink: int | Fraction | None = None) -> Node:
    """max(x, 0), entry by entry; ``at_kink`` is the derivative at 0: 0, 1/2, 1 or None.

    With None, taking the derivative at exactly 0 is refused.
    """
    return _call(PRIMITIVES[_named("relu", at_kink)], x)


def step(x: Operand, at_kink: int | Fraction | None = None) -> Node:
    """1 for x > 0 and 0 for x < 0; ``at_kink`` is the value at 0, refused if None."""
    return _call(PRIMITIVES[_named("step", at_kink)], x)


def maximum(a: Operand, b: Operand, at_kink: int | Fraction | None = None) -> Node:
    """The larger of two, entry by entry; ``at_kink`` is ∂/∂a at a tie: 0, 1/2, 1 or None."""
    name = _named("max", at_kink)
    return OPERATORS["binary"](PRIMITIVES[name], as_node(a), as_node(b))


def minimum(a: Operand, b: Operand, at_kink: int | Fraction | None = None) -> Node:
    """The smaller of two, entry by entry; ``at_kink`` is ∂/∂a at a tie: 0, 1/2, 1 or None."""
    return -maximum(-as_node(a), -as_node(b), at_kink)


def absolute(x: Operand, at_kink: int | None = None) -> Node:
    """|x|, entry by entry; ``at_kink`` is the derivative at 0: 0, or None to refuse it."""
    if at_kink not in (None, 0):
        raise DeclarationError(f"at_kink={at_kink!r}: the derivative of |x| at 0 is 0 or None")
    return _call(PRIMITIVES["abs" if at_kink is None else "abs_0"], x)


def sign(x: Operand, at_kink: int | None = None) -> Node:
    """-1 or 1, entry by entry; ``at_kink`` is the value at 0: 0, or None to refuse it."""
    if at_kink not in (None, 0):
        raise DeclarationError(f"at_kink={at_kink!r}: the sign of 0 is 0 or None")
    return _call(PRIMITIVES["sign" if at_kink is None else "sign_0"], x)


def activation(name: str) -> Callable[[Operand], Node]:
    """A generic activation φ: any differentiable function, applied entry by entry.

    Its derivatives are called φ', φ''. ``phi = activation("phi"); phi(W @ x)``.
    """
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise DeclarationError(
            f"{name!r} cannot name an activation: use letters, digits and single underscores, a "
            "letter first, such as 'phi'"
        )
    if (name in PRIMITIVES and name not in GENERIC) or name in _TAKEN:
        raise DeclarationError(f"{name!r} is a function of its own; choose another name")
    head = opaque(name)
    return lambda x: _call(head, x)


def softmax(z: Node) -> Node:
    """exp(z) / sum(exp(z)) of a column."""
    return OPERATORS["softmax"](as_node(z))


def logsumexp(z: Node) -> Node:
    """log(sum(exp(z))) of a column: a scalar."""
    return OPERATORS["logsumexp"](as_node(z))


def diag(x: Node) -> Node:
    """The diagonal matrix of a column; a scalar stays as it is."""
    return OPERATORS["diag"](as_node(x))


def total(x: Node) -> Node:
    """The sum of all entries."""
    return OPERATORS["total"](as_node(x))


def mean(x: Node) -> Node:
    """The mean of the entries of a column."""
    node = as_node(x)
    centred = _square_from_mean(node)
    return OPERATORS["mean"](node) if centred is None else OPERATORS["variance"](centred)


def variance(x: Node) -> Node:
    """The mean of (x - mean(x))², entry by entry, of a column."""
    return OPERATORS["variance"](as_node(x))


def _square_from_mean(node: Node) -> Node | None:
    """a, where the node is (a - mean(a))²: its mean is the variance of a."""
    if not (isinstance(node, Power) and node.exponent == as_affine(2)):
        return None
    for inner in walk(node.base):
        if inner.shape == node.shape and node.base is inner - OPERATORS["mean"](inner):
            return inner
    return None


def dot(a: Node, b: Node) -> Node:
    """The inner product of two columns."""
    return as_node(a).T @ as_node(b)


def outer(a: Node, b: Node) -> Node:
    """The matrix a bᵀ of two columns."""
    return as_node(a) @ as_node(b).T


def norm(x: Node) -> Node:
    """√(Σ x_i²) over all entries: of a column, or of a matrix; not differentiable at 0."""
    return sqrt(total(square(as_node(x))))


def concat(*columns: Node) -> Node:
    """Columns below each other: ``[h_{t-1}, x_t]`` as papers write it."""
    nodes = [as_node(column) for column in columns]
    wrong = next((node for node in nodes if isinstance(node, Misfit)), None)
    if wrong is not None:
        return wrong
    for node in nodes:
        if node.shape[1] != SCALAR[1]:
            message = f"concat needs columns, got {node!r} of shape {shape_text(node.shape)}"
            return _misfit("concat", message, *nodes)
    return block([(node,) for node in nodes])


def rows(x: Node, start: Affine | int, count: Affine | int) -> Node:
    """``count`` rows of a column from row ``start`` (the first is 0) on."""
    node = as_node(x)
    return part(node, (as_affine(start), as_affine(0)), (as_affine(count), node.shape[1]))


def _call(head: Primitive, x: Operand) -> Node:
    return OPERATORS["call"](head, as_node(x))


def _named(name: str, at_kink: int | Fraction | None) -> str:
    for suffix, value in CONVENTIONS.items():
        if (value is None) == (at_kink is None) and value == at_kink:
            return name + suffix
    raise DeclarationError(f"at_kink={at_kink!r} of {name}: use 0, Fraction(1, 2), 1 or None")


def _misfit(operation: str, message: str, *nodes: Node) -> Node:
    return Misfit((message, operation), tuple(nodes), SCALAR)
