"""The chain rule on one formula: cotangents of its leaves, Jacobians with respect to one.

Knows no derivative: it asks the heads of the nodes.
"""

from __future__ import annotations

from symgrad.errors import NotSupportedYet
from symgrad.lang.affine import Affine, as_affine
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Apply,
    Block,
    Node,
    Param,
    Power,
    Shape,
    Signal,
    Slice,
    block,
    const,
    full,
    index_value,
    params_in,
    part,
    signals_in,
    walk,
)

_ZERO = as_affine(0)


def pull_back(value: Node, cotangent: Node, *, at: Node | None = None) -> dict[Node, Node]:
    """The cotangent of every signal and parameter in ``value``, given that of ``value``.

    ``at``: a signal that stands for the value itself, so that derivatives are written
    with it (1 - h_t² instead of 1 - tanh(…)²).
    """
    received: dict[Node, list[Node]] = {value: [cotangent]}
    leaves: dict[Node, Node] = {}
    for node in reversed(walk(value)):
        parts = received.get(node)
        if not parts:
            continue
        total = parts[0] if len(parts) == 1 else OPERATORS["add"](*_positive_first(parts))
        if isinstance(node, Signal | Param):
            leaves[node] = total
            continue
        answer = at if node is value and at is not None else node
        for argument, piece in zip(node.args, _parts(node, answer, total), strict=True):
            received.setdefault(argument, []).append(piece)
    # In the order in which the leaves stand in the formula.
    order: list[Node] = [*signals_in(value), *params_in(value)]
    return {leaf: leaves[leaf] for leaf in order if leaf in leaves}


def _positive_first(parts: list[Node]) -> list[Node]:
    """What is subtracted comes last: p - y, not -y + p."""

    def negative(part: Node) -> bool:
        return isinstance(part, Apply) and part.head.name == "neg"

    return sorted(parts, key=negative)


def _parts(node: Node, answer: Node, cotangent: Node) -> list[Node]:
    """The cotangents of the node's arguments."""
    if not node.args:
        return []
    if not (signals_in(node) or params_in(node)):
        return [cotangent] * len(node.args)
    if isinstance(node, Apply):
        head = node.head
        if head.pull is not None:
            return [head.pull(i, cotangent, answer, node.args) for i in range(len(node.args))]
        if head.transpose is not None:
            return [head.transpose(i, cotangent, node.args) for i in range(len(node.args))]
        if head.partials is not None:
            partials = head.partials(answer, *node.args)
            return [
                _narrow(cotangent * partial, argument)
                for partial, argument in zip(partials, node.args, strict=True)
            ]
    if isinstance(node, Power) and not node.is_matrix_power:
        exponent = node.exponent
        inner = index_value(exponent) * node.base ** (exponent - 1)
        return [cotangent * inner]
    if isinstance(node, Block):
        return [part(cotangent, start, cell.shape) for start, cell in _cells(node)]
    if isinstance(node, Slice):
        return [_padded(cotangent, node.start, node.args[0].shape)]
    raise NotSupportedYet(
        f"no derivative for {_describe(node)} in {node!r}; write it with the primitives "
        "that have one"
    )


def jacobian(value: Node, wrt: Node, *, at: Node | None = None) -> Node:
    """The Jacobian of ``value`` (a column) with respect to the column ``wrt``.

    Numerator layout: row i is the gradient of entry i. ``at`` as in ``pull_back``.

    Raises:
        NotSupportedYet: the differential of ``wrt`` does not stand on the right.
    """
    moving = {wrt}
    for node in walk(value):
        if any(argument in moving for argument in node.args):
            moving.add(node)
    known: dict[Node, Node] = {wrt: full("identity", (wrt.shape[0], wrt.shape[0]))}

    def of(node: Node) -> Node:
        if node in known:
            return known[node]
        answer = at if node is value and at is not None else node
        if node.is_scalar and not wrt.is_scalar:
            # The gradient as a row: inner products have no factor of their own.
            found = pull_back(node, const(1), at=answer)[wrt].T
        elif (product := _as_elementwise(node)) is not None and node.args[0] in moving:
            found = of(product)
        else:
            parts = [
                OPERATORS["matmul"](_factor(node, i, answer), of(argument))
                for i, argument in enumerate(node.args)
                if argument in moving
            ]
            found = OPERATORS["add"](*_positive_first(parts))
        known[node] = found
        return found

    if value not in moving:
        return full("zeros", (value.shape[0], wrt.shape[0]))
    return of(value)


def _as_elementwise(node: Node) -> Apply | None:
    """``diag(a) u`` of columns as a ⊙ u."""
    if not (isinstance(node, Apply) and node.head.name == "matmul"):
        return None
    left, right = node.args
    if isinstance(left, Apply) and left.head.name == "diag" and right.shape[1] == SCALAR[1]:
        product = OPERATORS["mul"](left.args[0], right)
        return product if isinstance(product, Apply) else None
    return None


def _factor(node: Node, i: int, answer: Node) -> Node:
    """The matrix M with d(node) = M d(argument i)."""
    if isinstance(node, Apply):
        head = node.head
        if head.factor is not None:
            factor = head.factor(i, node.args, answer)
            if factor is not None:
                return factor
        elif head.partials is not None:
            partial = head.partials(answer, *node.args)[i]
            if node.args[i].is_scalar:
                return partial
            # The partial of a vector over a scalar is a scalar: one entry per row.
            return OPERATORS["diag"](partial * full("ones", node.shape))
    if isinstance(node, Power) and not node.is_matrix_power:
        inner = index_value(node.exponent) * node.base ** (node.exponent - 1)
        return OPERATORS["diag"](inner)
    if isinstance(node, Block) and node.grid[1] == 1:
        size = node.args[i].shape[0]
        eye = full("identity", (size, size))
        return _padded(eye, (_cells(node)[i][0][0], _ZERO), (node.shape[0], size))
    if isinstance(node, Slice) and node.shape[1] == SCALAR[1]:
        rows = node.args[0].shape[0]
        return part(full("identity", (rows, rows)), node.start, (node.shape[0], rows))
    raise NotSupportedYet(
        f"no Jacobian through argument {i + 1} of {_describe(node)} in {node!r}; ask for the "
        "gradient of a scalar objective instead"
    )


def _cells(node: Block) -> list[tuple[tuple[Affine, Affine], Node]]:
    """The blocks in order, each with the row and the column where it begins."""
    found: list[tuple[tuple[Affine, Affine], Node]] = []
    above = _ZERO
    for row in node.rows:
        left = _ZERO
        for cell in row:
            found.append(((above, left), cell))
            left = left + cell.shape[1]
        above = above + row[0].shape[0]
    return found


def _padded(inner: Node, start: tuple[Affine, Affine], shape: Shape) -> Node:
    """``inner`` as a part of zeros."""
    heights = [start[0], inner.shape[0], shape[0] - start[0] - inner.shape[0]]
    widths = [start[1], inner.shape[1], shape[1] - start[1] - inner.shape[1]]
    grid = [
        tuple(
            inner if (r, c) == (1, 1) else full("zeros", (height, width))
            for c, width in enumerate(widths)
            if width != _ZERO
        )
        for r, height in enumerate(heights)
        if height != _ZERO
    ]
    return block(grid)


def _narrow(piece: Node, argument: Node) -> Node:
    """The cotangent of an argument: a broadcast scalar collects all entries."""
    return OPERATORS["total"](piece) if argument.shape == SCALAR else piece


def _describe(node: Node) -> str:
    return repr(node.head.name) if isinstance(node, Apply) else type(node).__name__.lower()
