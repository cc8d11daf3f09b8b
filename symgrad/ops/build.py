"""Smart constructors: the only places where a formula is simplified while it is built.

They fold constants, drop zeros and ones, and push transposes inwards; they never
expand, reorder or decide equality.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from symgrad.errors import ShapeError
from symgrad.lang.affine import ONE, Affine
from symgrad.lang.nodes import (
    SCALAR,
    Apply,
    Block,
    Const,
    Full,
    Misfit,
    Node,
    Param,
    Power,
    Primitive,
    Shape,
    block,
    const,
    full,
)
from symgrad.ops.parts import block_product, is_value, is_zero


def shape_text(shape: Shape) -> str:
    """A shape as people say it: scalar, n, n × m."""
    if shape == SCALAR:
        return "scalar"
    rows, columns = shape
    if columns == SCALAR[1]:
        return f"{rows}"
    sides = [f"({side})" if len(side.terms) + bool(side.const) > 1 else f"{side}" for side in shape]
    return " × ".join(sides)


def as_node(value: Node | int | Fraction) -> Node:
    """A node, or a literal as one; floats are refused because they are not exact."""
    if isinstance(value, Node):
        return value
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return const(value)
    repair = "use an integer or fractions.Fraction"
    if isinstance(value, float):
        repair = f"floats are not exact: write Fraction({str(value)!r})"
    if type(value).__name__ in ("list", "tuple"):
        repair = "the values below each other are concat(a, b)"
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot stand in a formula; {repair}")


def _product_message(left: Node, right: Node) -> str:
    message = (
        f"{left!r} @ {right!r}: {left!r} is {shape_text(left.shape)} and "
        f"{right!r} is {shape_text(right.shape)}, so the inner sizes {left.shape[1]} and "
        f"{right.shape[0]} differ"
    )
    if left.is_scalar or right.is_scalar:
        return f"{message}; write * for a product with a scalar"
    if left.shape[0] == right.shape[0]:
        return (
            f"{message}; write {left!r}.T @ {right!r}, or declare {left!r} with "
            f"{right.shape[0]} columns"
        )
    if left.shape == right.shape:
        return f"{message}; write * for the elementwise product"
    return f"{message}; declare {left!r} with {right.shape[0]} columns"


def broadcast_shape(name: str, *shapes: Shape) -> Shape:
    """The common shape of elementwise operands; scalars broadcast."""
    wide = [shape for shape in shapes if shape != SCALAR]
    for shape in wide[1:]:
        if shape != wide[0]:
            raise ShapeError(
                f"{name} needs equal shapes, got {shape_text(wide[0])} and {shape_text(shape)}"
            )
    return wide[0] if wide else SCALAR


def _multiple_of_identity(node: Node) -> Node | None:
    """c where the node is the matrix c I."""
    if isinstance(node, Apply) and node.head.name == "mul" and len(node.args) == 2:
        scale, matrix = node.args
        if scale.is_scalar and isinstance(matrix, Full) and matrix.kind == "identity":
            return scale
    return None


def _common_shape(name: str, operands: list[Node]) -> Shape:
    """As ``broadcast_shape``, with the operands named in the error."""
    try:
        return broadcast_shape(name, *[operand.shape for operand in operands])
    except ShapeError as error:
        shapes = ", ".join(f"{o!r} is {shape_text(o.shape)}" for o in operands)
        hint = "make the sizes equal"
        if name == "*" and any(o.shape[1] != SCALAR[1] for o in operands):
            hint = "write @ for the matrix product"
        raise ShapeError(f"{error}: {shapes}; {hint}") from None


def square(node: Node) -> Node:
    """x² entry by entry; of a square matrix ``**`` is the matrix power."""
    return node * node if ONE not in node.shape else node**2


def make(head: Primitive, *args: Node) -> Node:
    """The bare application."""
    return Apply((head,), args, head.shape(*[a.shape for a in args]))


def bind(table: dict[str, Primitive], operators: dict[str, Callable[..., Node]]) -> None:
    """Register the operators of nodes over the primitives of the table."""

    def add(*operands: Node | int | Fraction) -> Node:
        terms = [as_node(o) for o in operands]
        shape = _common_shape("+", terms)
        kept = [term for term in terms if not is_zero(term)]
        if not kept:
            return full("zeros", shape)
        constants = [term for term in kept if isinstance(term, Const)]
        if len(constants) > 1:
            total = sum((c.value for c in constants), Fraction(0))
            rest = [term for term in kept if not isinstance(term, Const)]
            return add(*rest, const(total)) if rest else const(total)
        joined = collect(kept) or diagonals_joined(kept)
        if joined is not None:
            return add(full("zeros", shape), *joined)
        if len(kept) == 1 and kept[0].shape == shape:
            return kept[0]
        if len(kept) == 1:
            # A scalar that broadcasts over zeros: keep the widening explicit.
            return mul(kept[0], full("ones", shape))
        return make(table["add"], *kept)

    def is_negative(node: Node) -> bool:
        return isinstance(node, Apply) and node.head is table["neg"]

    def diagonals_joined(terms: list[Node]) -> list[Node] | None:
        """diag(a) + diag(b) is diag(a + b); None where there are no two."""
        inner: list[Node] = []
        rest: list[Node] = []
        for term in terms:
            plain = term.args[0] if is_negative(term) else term
            if isinstance(plain, Apply) and plain.head is table["diag"]:
                inner.append(neg(plain.args[0]) if is_negative(term) else plain.args[0])
            else:
                rest.append(term)
        return None if len(inner) < 2 else [diag(add(*inner)), *rest]

    def collect(terms: list[Node]) -> list[Node] | None:
        """Equal terms counted: x + x is 2 x; None where all differ, or where some cancel."""
        counts: dict[Node, int] = {}
        for term in terms:
            negative = isinstance(term, Apply) and term.head is table["neg"]
            plain = term.args[0] if negative else term
            counts[plain] = counts.get(plain, 0) + (-1 if negative else 1)
        # x - x stays: a denominator that vanishes is to be seen by whoever evaluates it.
        if len(counts) == len(terms) or 0 in counts.values():
            return None
        return [mul(count, term) for term, count in counts.items()]

    def numbers_out(factor: Node) -> tuple[Node, ...]:
        """The factors of a product with a number in it: 1/2 * (2 * x) is x."""
        if not isinstance(factor, Apply) or factor.head is not table["mul"]:
            return (factor,)
        if any(isinstance(a, Const) or is_value(a, 1) for a in factor.args):
            return factor.args
        return (factor,)

    def neg(operand: Node | int | Fraction) -> Node:
        node = as_node(operand)
        if isinstance(node, Const):
            return const(-node.value)
        if is_zero(node):
            return node
        if isinstance(node, Apply) and node.head is table["neg"]:
            return node.args[0]
        return make(table["neg"], node)

    def sub(left: Node | int | Fraction, right: Node | int | Fraction) -> Node:
        return add(left, neg(right))

    def mul(*operands: Node | int | Fraction) -> Node:
        factors = [as_node(o) for o in operands]
        shape = _common_shape("*", factors)
        if len(factors) > 1:
            factors = [part for factor in factors for part in numbers_out(factor)]
        if any(is_zero(factor) for factor in factors):
            return full("zeros", shape)
        kept = [factor for factor in factors if not is_value(factor, 1)]
        if not kept:
            return full("ones", shape)
        if broadcast_shape("*", *[factor.shape for factor in kept]) != shape:
            kept.append(full("ones", shape))
        if len(kept) == 1:
            return kept[0]
        constants = [factor for factor in kept if isinstance(factor, Const)]
        if len(constants) > 1:
            product = Fraction(1)
            for constant in constants:
                product *= constant.value
            rest = [factor for factor in kept if not isinstance(factor, Const)]
            return mul(const(product), *rest)
        negative = [f for f in kept if isinstance(f, Apply) and f.head is table["neg"]]
        if negative:
            bare = [f.args[0] if f in negative else f for f in kept]
            return neg(mul(*bare)) if len(negative) % 2 else mul(*bare)
        if any(f is const(-1) for f in kept):
            return neg(mul(*[f for f in kept if f is not const(-1)]))
        return make(table["mul"], *kept)

    def div(left: Node | int | Fraction, right: Node | int | Fraction) -> Node:
        over, under = as_node(left), as_node(right)
        if is_zero(under):
            raise ZeroDivisionError(f"{over!r} divided by zero")
        if is_value(under, 1) and under.is_scalar:
            return over
        if isinstance(over, Const) and isinstance(under, Const):
            return const(over.value / under.value)
        shape = _common_shape("/", [over, under])
        if is_zero(over):
            return full("zeros", shape)
        return make(table["div"], over, under)

    def matmul(*operands: Node) -> Node:
        factors = [as_node(o) for o in operands]
        if len(factors) == 1:
            return factors[0]
        if len(factors) > 2:
            return matmul(factors[0], matmul(*factors[1:]))
        left, right = factors
        if left.shape[1] != right.shape[0]:
            raise ShapeError(_product_message(left, right))
        shape = (left.shape[0], right.shape[1])
        if is_zero(left) or is_zero(right):
            return full("zeros", shape)
        bare = [f.args[0] if is_negative(f) else f for f in factors]
        if bare != factors and not all(is_negative(f) for f in factors):
            return neg(matmul(*bare))
        if left.is_scalar or right.is_scalar:
            # A 1 × 1 matrix scales the row or the column beside it.
            return mul(left, right)
        for one, other in ((left, right), (right, left)):
            if isinstance(one, Full) and one.kind == "identity":
                return other
            if one.is_scalar and is_value(one, 1):
                return other
        scale = _multiple_of_identity(left)
        if scale is not None:
            return mul(scale, right)
        if isinstance(left, Param) and isinstance(right, Block) and right.grid[1] == 1:
            # W [0; u] is the columns of W that meet u, times u.
            found = block_product(left, right)
            if found is not None:
                return found
        column = right.shape[1] == SCALAR[1]
        if column and isinstance(left, Apply) and left.head is table["matmul"]:
            return matmul(left.args[0], matmul(left.args[1], right))
        if all(isinstance(f, Apply) and f.head is table["diag"] for f in factors):
            return diag(mul(left.args[0], right.args[0]))
        if isinstance(right, Apply) and right.head is table["matmul"]:
            inner = right.args[0]
            if all(isinstance(f, Apply) and f.head is table["diag"] for f in (left, inner)):
                return matmul(matmul(left, inner), right.args[1])
        return make(table["matmul"], left, right)

    def transpose(operand: Node) -> Node:
        node = as_node(operand)
        if node.is_scalar:
            return node
        if isinstance(node, Full):
            return full(node.kind, (node.shape[1], node.shape[0]))
        if isinstance(node, Apply):
            if node.head is table["transpose"]:
                return node.args[0]
            if node.head is table["diag"]:
                return node
            if node.shape[1] == SCALAR[1] and node.head.name in ("add", "matmul"):
                # A column is transposed as a whole: (W^k h)ᵀ reads better than hᵀ(Wᵀ)^k.
                return make(table["transpose"], node)
            if node.head is table["matmul"]:
                return matmul(transpose(node.args[1]), transpose(node.args[0]))
            if node.head.name in ("add", "neg", "mul"):
                return node.with_args(tuple(transpose(a) for a in node.args))
        if isinstance(node, Power) and node.is_matrix_power:
            return power(transpose(node.base), node.exponent)
        if isinstance(node, Block):
            columns = list(zip(*node.rows, strict=True))
            return block([tuple(transpose(cell) for cell in column) for column in columns])
        return make(table["transpose"], node)

    def diag(operand: Node) -> Node:
        node = as_node(operand)
        if node.is_scalar:
            return node
        if is_zero(node):
            return full("zeros", (node.shape[0], node.shape[0]))
        if is_value(node, 1):
            return full("identity", (node.shape[0], node.shape[0]))
        return make(table["diag"], node)

    def total(operand: Node) -> Node:
        node = as_node(operand)
        if node.is_scalar or is_zero(node):
            return const(0) if is_zero(node) else node
        return make(table["total"], node)

    def power(base: Node, exponent: Affine) -> Node:
        node = as_node(base)
        if exponent.is_const:
            if exponent.const == 1:
                return node
            if exponent.const == 0:
                square = node.shape[0] == node.shape[1]
                return full("identity" if square else "ones", node.shape)
            if isinstance(node, Const) and (node.value or exponent.const > 0):
                return const(node.value**exponent.const)
        scale = _multiple_of_identity(node)
        if scale is not None:
            return mul(power(scale, exponent), full("identity", node.shape))
        if is_value(node, 1) and (node.is_scalar or node.shape[0] != node.shape[1]):
            return node
        return Power((exponent,), (node,), node.shape)

    def call(head: Primitive, operand: Node) -> Node:
        return make(head, as_node(operand))

    def binary(head: Primitive, left: Node, right: Node) -> Node:
        _common_shape(head.name, [left, right])
        return make(head, left, right)

    def softmax(operand: Node) -> Node:
        node = as_node(operand)
        return const(1) if node.is_scalar else make(table["softmax"], node)

    def mean(operand: Node) -> Node:
        node = as_node(operand)
        return node if node.is_scalar else make(table["mean"], node)

    def variance(operand: Node) -> Node:
        node = as_node(operand)
        return const(0) if node.is_scalar else make(table["variance"], node)

    def logsumexp(operand: Node) -> Node:
        node = as_node(operand)
        return node if node.is_scalar else make(table["logsumexp"], node)

    operations = (add, neg, sub, mul, div, matmul, transpose, diag, total, power)
    functions = (call, binary, softmax, logsumexp, mean, variance)
    for operation in (*operations, *functions):
        operators[operation.__name__] = _keeping_misfits(operation)


def _keeping_misfits(operation: Callable[..., Node]) -> Callable[..., Node]:
    """The operation, with operands that do not conform kept as a ``Misfit``."""

    def build(*operands: Any) -> Node:
        try:
            wrong = next((o for o in operands if isinstance(o, Misfit)), None)
            if wrong is None:
                return operation(*operands)
            message = wrong.message
        except ShapeError as error:
            message = str(error)
        nodes = tuple(as_node(o) for o in operands if not isinstance(o, Affine | Primitive))
        named = next((o.name for o in operands if isinstance(o, Primitive)), operation.__name__)
        return Misfit((message, named), nodes, SCALAR)

    build.__name__ = operation.__name__
    return build
