"""Parts of matrices: rows and columns of products, blocks and sums, where they can be seen."""

from __future__ import annotations

from symgrad.lang.affine import Affine, as_affine
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Block,
    Const,
    Full,
    Node,
    Shape,
    Slice,
    full,
    part,
)

_ZERO = as_affine(0)


def is_value(node: Node, value: int) -> bool:
    """Whether the node is the literal 0 or 1, or a matrix full of it."""
    if isinstance(node, Const):
        return node.value == value
    return isinstance(node, Full) and (
        (value == 0 and node.kind == "zeros") or (value == 1 and node.kind == "ones")
    )


def is_zero(node: Node) -> bool:
    """Whether the node is the literal 0 or a matrix of zeros."""
    return is_value(node, 0)


def _simpler(whole: Node, start: tuple[Affine, Affine], shape: Shape) -> Node | None:
    """The part written with parts of what the whole is made of; None where it is a part."""
    if isinstance(whole, Full) and whole.kind != "identity":
        return full(whole.kind, shape)
    if isinstance(whole, Slice):
        moved = (whole.start[0] + start[0], whole.start[1] + start[1])
        return part(whole.whole, moved, shape)
    if isinstance(whole, Block):
        return _of_block(whole, start, shape)
    if not isinstance(whole, Apply):
        return None
    name, args = whole.head.name, whole.args
    if name in ("add", "neg", "mul"):
        wide = [a if a.is_scalar else part(a, start, shape) for a in args]
        return OPERATORS[name](*wide)
    if name == "transpose":
        return part(args[0], start[::-1], shape[::-1]).T
    if name == "matmul":
        left, right = args
        rows = part(left, (start[0], _ZERO), (shape[0], left.shape[1]))
        return rows @ part(right, (_ZERO, start[1]), (right.shape[0], shape[1]))
    return None


def _of_block(whole: Block, start: tuple[Affine, Affine], shape: Shape) -> Node | None:
    """The block that has exactly these rows and columns, if there is one."""
    above = _ZERO
    for row in whole.rows:
        left = _ZERO
        for cell in row:
            if (above, left) == start and cell.shape == shape:
                return cell
            left = left + cell.shape[1]
        above = above + row[0].shape[0]
    return None


def block_product(left: Node, right: Block) -> Node | None:
    """``left @ right`` where only one block of the column ``right`` is not zero."""
    kept: list[tuple[Affine, Node]] = []
    above = _ZERO
    for (cell,) in right.rows:
        if not is_zero(cell):
            kept.append((above, cell))
        above = above + cell.shape[0]
    if len(kept) != 1:
        return None
    (start, cell) = kept[0]
    return part(left, (_ZERO, start), (left.shape[0], cell.shape[0])) @ cell


def _part(whole: Node, start: tuple[Affine, Affine], shape: Shape) -> Node:
    simpler = _simpler(whole, start, shape)
    return Slice(start, (whole,), shape) if simpler is None else simpler


OPERATORS["part"] = _part
