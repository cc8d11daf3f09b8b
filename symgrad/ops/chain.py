"""The chain rule on one formula: cotangents of its leaves, Jacobians with respect to one.

Knows no derivative: it asks the heads of the nodes.
"""

from __future__ import annotations

from symgrad.errors import NotSupportedYet
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Apply,
    Node,
    Param,
    Power,
    Signal,
    full,
    index_value,
    params_in,
    signals_in,
    walk,
)


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
        total = parts[0] if len(parts) == 1 else OPERATORS["add"](*parts)
        if isinstance(node, Signal | Param):
            leaves[node] = total
            continue
        answer = at if node is value and at is not None else node
        for argument, part in zip(node.args, _parts(node, answer, total), strict=True):
            received.setdefault(argument, []).append(part)
    # In the order in which the leaves stand in the formula.
    order: list[Node] = [*signals_in(value), *params_in(value)]
    return {leaf: leaves[leaf] for leaf in order if leaf in leaves}


def _parts(node: Node, answer: Node, cotangent: Node) -> list[Node]:
    """The cotangents of the node's arguments."""
    if not node.args:
        return []
    if not (signals_in(node) or params_in(node)):
        return [cotangent] * len(node.args)
    if isinstance(node, Apply):
        head = node.head
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
    size = (wrt.shape[0], wrt.shape[0])
    known: dict[Node, Node | None] = {wrt: full("identity", size)}
    for node in walk(value):
        if node in known:
            continue
        answer = at if node is value and at is not None else node
        parts = [
            OPERATORS["matmul"](_factor(node, i, answer), inner)
            for i, argument in enumerate(node.args)
            if (inner := known[argument]) is not None
        ]
        known[node] = OPERATORS["add"](*parts) if parts else None
    found = known[value]
    return full("zeros", (value.shape[0], wrt.shape[0])) if found is None else found


def _factor(node: Node, i: int, answer: Node) -> Node:
    """The matrix M with d(node) = M d(argument i)."""
    if isinstance(node, Apply):
        head = node.head
        if head.factor is not None:
            factor = head.factor(i, node.args, node)
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
    raise NotSupportedYet(
        f"no Jacobian through argument {i + 1} of {_describe(node)} in {node!r}; ask for the "
        "gradient of a scalar objective instead"
    )


def _narrow(part: Node, argument: Node) -> Node:
    return OPERATORS["total"](part) if argument.shape == SCALAR else part


def _describe(node: Node) -> str:
    return repr(node.head.name) if isinstance(node, Apply) else type(node).__name__.lower()
