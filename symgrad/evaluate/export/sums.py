"""What a step adds to the gradient of a parameter: its term, summed over the batch.

``δ x^⊤`` summed over samples is one product, ``delta.T @ x``; what has no such form is
written out per sample and summed.
"""

from __future__ import annotations

from symgrad.evaluate.export.expressions import Expressions
from symgrad.evaluate.export.parts import (
    ATOM,
    PREFIX,
    PRODUCT,
    SUM,
    Part,
    at,
    is_batched,
    is_call,
    kind,
    opposite_of,
)
from symgrad.lang.nodes import OPERATORS, Apply, Block, Node


def batch_sum(write: Expressions, node: Node) -> Part:
    """The sum over all samples, in the shape of the formula."""
    if not is_batched(node):
        return f"batch * {write.at(node, PREFIX)}", PRODUCT
    if write.flat or node.is_scalar:
        return f"{write.dialect.np}.sum({write.text(node)})", ATOM
    if is_call(node, "add"):
        return _sum_of_sums(write, node)
    if is_call(node, "neg"):
        return f"-{at(batch_sum(write, node.args[0]), PREFIX)}", PREFIX
    if is_call(node, "mul"):
        found = _product(write, node)
        if found is not None:
            return found
    if kind(node) == "matrix":
        if is_call(node, "matmul"):
            found = _matrix(write, *node.args)
            if found is not None:
                return found
        if is_call(node, "transpose"):
            return f"{at(batch_sum(write, node.args[0]), ATOM)}.T", ATOM
        if isinstance(node, Block):
            found = _block(write, node)
            if found is not None:
                return found
    return write.dialect.sum_batch(write.text(node)), ATOM


def _sum_of_sums(write: Expressions, node: Node) -> Part:
    if any(a.shape != node.shape for a in node.args):
        return write.dialect.sum_batch(write.text(node)), ATOM
    text = ""
    for position, term in enumerate(node.args):
        opposite = opposite_of(term)
        negative = opposite is not None
        part = at(batch_sum(write, term if opposite is None else opposite), PRODUCT)
        sign = "-" if negative else "+"
        text += f" {sign} {part}" if position else (f"-{part}" if negative else part)
    return text, SUM


def _product(write: Expressions, node: Node) -> Part | None:
    """Factors without a batch stand before the sum."""
    outside = [a for a in node.args if not is_batched(a)]
    inside = [a for a in node.args if is_batched(a)]
    if outside and inside:
        rest = batch_sum(write, OPERATORS["mul"](*inside))
        factors = [write.at(a, PRODUCT if i == 0 else PREFIX) for i, a in enumerate(outside)]
        return f"{' * '.join(factors)} * {at(rest, PREFIX)}", PRODUCT
    # A scalar per sample beside an outer product belongs to its column.
    products = [a for a in inside if is_call(a, "matmul") and kind(a) == "matrix"]
    scalars = [a for a in inside if a.is_scalar]
    if len(products) == 1 and len(scalars) == len(inside) - 1:
        column, row = products[0].args
        if kind(column) == "column" and kind(row) == "row" and is_batched(row):
            return _outer(write, OPERATORS["mul"](*scalars, column), row)
    return None


def _matrix(write: Expressions, left: Node, right: Node) -> Part | None:
    if kind(left) == "column" and kind(right) == "row":
        return _outer(write, left, right) if is_batched(left) and is_batched(right) else None
    if not is_batched(left):
        return f"{write.at(left, PREFIX)} @ {at(batch_sum(write, right), PREFIX)}", PRODUCT
    if not is_batched(right):
        return f"{at(batch_sum(write, left), PREFIX)} @ {write.at(right, PREFIX)}", PRODUCT
    return None


def _outer(write: Expressions, column: Node, row: Node) -> Part:
    return f"{write.at(column, ATOM)}.T @ {write.at(row, PREFIX)}", PRODUCT


def _block(write: Expressions, node: Block) -> Part | None:
    """Blocks side by side, each summed for itself, where all are matrices."""
    if any(kind(cell) != "matrix" for cell in node.args):
        return None

    def cell_text(cell: Node) -> str:
        if isinstance(cell, Apply) or is_batched(cell):
            return batch_sum(write, cell)[0]
        return write.text(cell)

    rows = []
    for row in node.rows:
        cells = [cell_text(cell) for cell in row]
        rows.append(cells[0] if len(cells) == 1 else write.dialect.joined(cells, 1))
    return (rows[0] if len(rows) == 1 else write.dialect.joined(rows, 0)), ATOM
