"""Sums and products taken apart, before they are printed.

Nested sums and products flatten; signs and scalar factors come to the front of a
product, and scalar factors get their order. Matrix products keep theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from symgrad.lang.nodes import (
    Apply,
    Const,
    IndexValue,
    Iverson,
    Misfit,
    Node,
    Param,
    Power,
    const,
    index_value,
    signals_in,
)


@dataclass(frozen=True, slots=True)
class Product:
    """A product taken apart: sign, scalar factors, then a chain of ``@`` or of ⊙.

    An item is a node, or a product of the other kind that needs parentheses.
    """

    negative: bool
    scalars: tuple[Item, ...]
    chain: tuple[Item, ...] = ()
    kind: Literal["matmul", "mul"] = "matmul"

    def joined(self, kind: Literal["matmul", "mul"]) -> tuple[Item, ...]:
        """Its chain as items of a longer chain of that kind."""
        if len(self.chain) < 2 or self.kind == kind:
            return self.chain
        return (Product(False, (), self.chain, self.kind),)


Item = Node | Product


def operation_of(node: Node) -> str:
    """The operation's name, of one that fits as of one that does not; else empty."""
    if isinstance(node, Apply):
        return node.head.name
    return node.operation if isinstance(node, Misfit) else ""


def terms_of(node: Node) -> list[tuple[bool, Node]]:
    """The terms of nested sums, each with whether it is subtracted."""
    operation = operation_of(node)
    if operation not in ("add", "sub"):
        return [(False, node)]
    terms = [term for argument in node.args[:1] for term in terms_of(argument)]
    for argument in node.args[1:]:
        terms += [(True, argument)] if operation == "sub" else terms_of(argument)
    return terms


def is_signed_leaf(node: Node) -> bool:
    """A negative number or ``-k``, whose sign is that of the product around it."""
    if isinstance(node, Const):
        return node.value < 0
    if not isinstance(node, IndexValue) or node.form.const:
        return False
    return len(node.form.terms) == 1 and node.form.terms[0][1] < 0


def taken_apart(node: Node, scalar: bool) -> Product:
    """The factors of nested products; ``scalar``: read everything as scalars."""
    operation = operation_of(node)
    if is_signed_leaf(node):
        return Product(True, (_negated(node),))
    if operation == "neg":
        inner = taken_apart(node.args[0], scalar)
        return Product(not inner.negative, inner.scalars, inner.chain, inner.kind)
    if operation not in ("mul", "matmul"):
        commutes = scalar or node.is_scalar
        return Product(False, (node,)) if commutes else Product(False, (), (node,))
    parts = [taken_apart(argument, scalar) for argument in node.args]
    negative = sum(part.negative for part in parts) % 2 == 1
    scalars = [item for part in parts for item in part.scalars]
    if operation == "matmul":
        items = tuple(item for part in parts for item in part.joined("matmul"))
        return Product(negative, tuple(scalars), items, "matmul")
    chains: list[Product] = []
    for argument, part in zip(node.args, parts, strict=True):
        if part.chain and argument.is_scalar:
            # An inner product is one number: it keeps its parentheses.
            scalars.append(Product(False, (), part.chain, part.kind))
        elif part.chain:
            chains.append(part)
    if len(chains) == 1:
        return Product(negative, tuple(scalars), chains[0].chain, chains[0].kind)
    items = tuple(item for part in chains for item in part.joined("mul"))
    return Product(negative, tuple(scalars), items, "mul")


def _negated(node: Node) -> Node:
    if isinstance(node, Const):
        return const(-node.value)
    assert isinstance(node, IndexValue)
    return index_value(-node.form)


def rank(item: Item) -> int:
    """Where a scalar factor stands: numbers, times, parameters, everything else."""
    if isinstance(item, Power):
        item = item.base
    if isinstance(item, Const):
        return 0
    if isinstance(item, IndexValue | Iverson):
        return 1
    if isinstance(item, Param):
        return 2
    if isinstance(item, Node) and operation_of(item) == "div":
        return 3 if signals_in(item) else 2
    return 3
