"""Counting operations: +, -, ×, ÷ and each activation call count one.

Equal subexpressions of one time step are one operation, as in a program that names
them. Constants, indices and transposes cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from symgrad.lang.nodes import Apply, Const, Node, Power, walk


def operations(roots: Iterable[Node]) -> int:
    """Operations of some formulas evaluated together, each distinct one once."""
    nodes = walk(*roots)
    # A negated term of a sum is a subtraction, counted with the sum.
    absorbed = {
        term
        for node in nodes
        if isinstance(node, Apply) and node.head.name == "add"
        for term in node.args
        if isinstance(term, Apply) and term.head.name == "neg"
    }
    return sum(_cost(node) for node in nodes if node not in absorbed)


def _cost(node: Node) -> int:
    if isinstance(node, Apply):
        return node.head.cost(len(node.args))
    if isinstance(node, Power) and node.exponent.is_const:
        return 0 if isinstance(node.base, Const) else max(abs(node.exponent.const) - 1, 1)
    return 0
