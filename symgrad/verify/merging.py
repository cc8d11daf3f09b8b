"""Sums and products over time put together again: M_T · Π_{j=k+1}^{T-1} M_j is Π_{j=k+1}^{T} M_j.

A factor (or a summand) beside a product that continues it is taken in, at either end; two
products that meet become one. Ranges are known to have at least one value where this is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.lang.affine import Affine
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Fold,
    Node,
    Power,
    fold,
    open_fold,
    substitute_indices,
)


def merged(node: Node) -> Node:
    """A sum or product whose parts over time are as few as can be; other nodes as they are."""
    if not isinstance(node, Apply) or node.head.name not in _KINDS:
        return node
    head = node.head.name
    if head == "mul" and not node.is_scalar:
        return node
    parts = _flat(node, head)
    if not any(isinstance(part, Fold | Power) for part in parts):
        return node
    before = list(parts)
    while (found := _step(parts, head)) is not None:
        parts = found
    if parts == before:
        return node
    result = parts[0]
    for part in parts[1:]:
        result = OPERATORS[head](result, part)
    return result


#: What Σ or Π is made of, by the operation between its terms.
_KINDS = {"add": "sum", "mul": "prod", "matmul": "prod"}


def _flat(node: Node, head: str) -> list[Node]:
    """The parts of nested sums or products, in order."""
    if isinstance(node, Apply) and node.head.name == head and (head != "mul" or node.is_scalar):
        return [part for argument in node.args for part in _flat(argument, head)]
    return [node]


def _step(parts: Sequence[Node], head: str) -> list[Node] | None:
    return _taken_in_order(parts) if head == "matmul" else _taken_in(parts, head)


def _ends(product: Fold) -> tuple[tuple[Affine, Fold], tuple[Affine, Fold]]:
    """The index before the first and after the last, each with the longer product."""
    fresh, body = open_fold(product)
    lower, upper = product.lower, product.upper
    earlier, later = (
        fold(product.kind, fresh, first, last, body)
        for first, last in ((lower - 1, upper), (lower, upper + 1))
    )
    assert isinstance(earlier, Fold)
    assert isinstance(later, Fold)
    return (lower - 1, earlier), (upper + 1, later)


def _factor_at(product: Fold, time: Affine, head: str) -> list[Node]:
    fresh, body = open_fold(product)
    return _flat(substitute_indices(body, {fresh: time}), head)


def _joined(one: Node, two: Node) -> Node | None:
    """A later and an earlier range as one, where they meet."""
    if not (isinstance(one, Fold) and isinstance(two, Fold) and one.kind == two.kind):
        return None
    if one.body is not two.body or one.index != two.index or one.lower != two.upper + 1:
        return None
    fresh, body = open_fold(one)
    return fold(one.kind, fresh, two.lower, one.upper, body)


def _taken_in(factors: Sequence[Node], head: str) -> list[Node] | None:
    """One step, for parts that commute; None where there is none."""
    for place, factor in enumerate(factors):
        rest = [*factors[:place], *factors[place + 1 :]]
        if not isinstance(factor, Fold) or factor.kind != _KINDS[head]:
            continue
        for time, longer in _ends(factor):
            left = _without(rest, _factor_at(factor, time, head))
            if left is not None:
                return [longer, *left]
        for other in rest:
            whole = _joined(factor, other)
            if whole is not None:
                left = _without(rest, [other])
                assert left is not None
                return [whole, *left]
    return None


def _without(factors: Sequence[Node], wanted: Sequence[Node]) -> list[Node] | None:
    """The factors left after some are taken out; None where they are not among them."""
    left = list(factors)
    for factor in wanted:
        if factor not in left:
            return None
        left.remove(factor)
    return left


def _taken_in_order(factors: Sequence[Node]) -> list[Node] | None:
    """One step, for matrices: the later factor stands on the left; powers of one matrix join."""
    for place, factor in enumerate(factors):
        if place and (power := _power(factors[place - 1], factor)) is not None:
            return [*factors[: place - 1], power, *factors[place + 1 :]]
        if not isinstance(factor, Fold) or factor.kind != "prod":
            continue
        (before, earlier), (after, later) = _ends(factor)
        left, right = list(factors[:place]), list(factors[place + 1 :])
        wanted = _factor_at(factor, before, "matmul")
        if right[: len(wanted)] == wanted:
            return [*left, earlier, *right[len(wanted) :]]
        wanted = _factor_at(factor, after, "matmul")
        if left[len(left) - len(wanted) :] == wanted and len(left) >= len(wanted):
            return [*left[: len(left) - len(wanted)], later, *right]
        whole = _joined(factor, right[0]) if right else None
        if whole is not None:
            return [*left, whole, *right[1:]]
    return None


def _power(left: Node, right: Node) -> Node | None:
    """W^a W^b as one power, where a power with a symbolic exponent is one of the two."""
    (one, a), (two, b) = (_base(side) for side in (left, right))
    if one is not two or not any(isinstance(side, Power) for side in (left, right)):
        return None
    return OPERATORS["power"](one, a + b)


def _base(node: Node) -> tuple[Node, Affine]:
    """Base and exponent; exponents of matrices are not negative."""
    if isinstance(node, Power) and node.is_matrix_power:
        return node.base, node.exponent
    return node, Affine(const=1)
