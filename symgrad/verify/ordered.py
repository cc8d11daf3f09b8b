"""Matrix formulas over time compared in the kernel's normal form, for all sizes.

The kernel never turns a sum round and keeps a diagonal matrix beside a column apart from an
elementwise product; both are brought to one form before.
"""

from __future__ import annotations

from symgrad.lang.affine import symbol
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Fold,
    Node,
    Power,
    Signal,
    fold,
    open_fold,
    signal,
    substitute_indices,
    transform,
    walk,
)
from symgrad.verify import kernel
from symgrad.verify.encoding import NotEncoded, encode
from symgrad.verify.regions import Region


def same_matrices(left: Node, right: Node, region: Region) -> bool:
    """Whether the kernel's normal forms agree; False says nothing."""
    context = region.context
    try:
        one, two = (kernel.read("t", encode(prepared(side))) for side in (left, right))
        return bool(kernel.normal(one, context) == kernel.normal(two, context))
    except (NotEncoded, kernel.Refused):
        return False


def prepared(node: Node) -> Node:
    """The formula with sums in one direction, u ⊙ v for diag(u) v, and plain names for adjoints."""
    return transform(node, _prepared)


def _prepared(node: Node) -> Node:
    if isinstance(node, Fold) and node.kind == "sum":
        return _directed(node)
    if isinstance(node, Signal) and node.adjoint:
        return signal(f"{node.adjoint}'{node.name}", node.shape, node.time)
    if isinstance(node, Apply) and node.head.name == "matmul":
        left, right = node.args
        if (
            isinstance(left, Apply)
            and left.head.name == "diag"
            and right.shape == left.args[0].shape
        ):
            return OPERATORS["mul"](left.args[0], right)
    return node


def _directed(node: Fold) -> Node:
    """The sum in the direction in which fewer times run against the index."""
    fresh, body = open_fold(node)
    lower, upper = node.lower, node.upper
    back = substitute_indices(body, {fresh: lower + upper - symbol(fresh)})
    one, two = _backwards(body, fresh), _backwards(back, fresh)
    if one == two:  # any rule will do that does not ask where the range begins
        from_zero = {fresh: lower + symbol("i")}
        first, second = (repr(substitute_indices(side, from_zero)) for side in (body, back))
        turn = second < first
    else:
        turn = two < one
    return fold("sum", fresh, lower, upper, back) if turn else node


def _backwards(body: Node, index: str) -> tuple[int, int]:
    """Times of signals and limits that run against an index; then how powers grow with it."""
    times = growth = 0
    for node in walk(body):
        if isinstance(node, Signal):
            times += node.time.coefficient(index) < 0
        elif isinstance(node, Fold):
            times += (node.lower.coefficient(index) < 0) + (node.upper.coefficient(index) < 0)
        elif isinstance(node, Power):
            growth += node.exponent.coefficient(index)
    return times, growth
