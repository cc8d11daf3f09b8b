"""Sums and products taken apart, before they are printed.

Nested sums and products flatten; signs and scalar factors come to the front of a
product, and scalar factors get their order. Matrix products keep theirs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from symgrad.lang.affine import as_affine
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Const,
    Full,
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

    def is_only(self, node: Node) -> bool:
        """Whether it is that node and nothing else."""
        return not self.negative and (*self.scalars, *self.chain) == (node,)

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
    if is_signed_leaf(node):
        return Product(True, (_negated(node),))
    if isinstance(node, Apply):
        simpler = {"div": one_fraction, "total": scaled_total}.get(node.head.name)
        plain = node if simpler is None else simpler(node)
        if plain is not node:
            return taken_apart(plain, scalar)
    operation = operation_of(node)
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
    # A column of ones only makes a number as long as what it stands beside.
    chains = [part for part in chains if not _is_ones(part)] or chains[:1]
    if len(chains) == 1:
        return Product(negative, tuple(scalars), chains[0].chain, chains[0].kind)
    items = tuple(item for part in chains for item in part.joined("mul"))
    return Product(negative, tuple(scalars), items, "mul")


def _negated(node: Node) -> Node:
    if isinstance(node, Const):
        return const(-node.value)
    assert isinstance(node, IndexValue)
    return index_value(-node.form)


def _is_ones(part: Product) -> bool:
    item = part.chain[0] if len(part.chain) == 1 else None
    return isinstance(item, Full) and item.kind == "ones"


def one_fraction(node: Apply) -> Node:
    """``x / y / z`` as x / (y z), its sign in front of it."""
    over, unders = node.args[0], [node.args[1]]
    while operation_of(over) == "div" and not is_square(node):
        unders.append(over.args[1])
        over = over.args[0]
    under = unders[0]
    if len(unders) > 1:
        under = _product_of(unders[::-1])
    fraction = OPERATORS["div"]
    if operation_of(over) not in ("add", "sub") and taken_apart(over, True).negative:
        return OPERATORS["neg"](fraction(OPERATORS["neg"](over), under))
    return node if len(unders) == 1 else fraction(over, under)


def is_square(node: Node) -> bool:
    """Whether a power of it would be one of matrices."""
    return not node.is_scalar and node.shape[0] == node.shape[1]


def scaled_total(node: Apply) -> Node:
    """The sum of all entries, its sign and its scalar factors in front of it."""
    scales, rest = _scales(node.args[0])
    if not scales:
        return node
    return OPERATORS["mul"](*scales, OPERATORS["total"](rest))


def _scales(node: Node) -> tuple[list[Node], Node]:
    """Numbers that multiply every entry, and what they multiply."""
    operation = operation_of(node)
    if operation == "neg":
        scales, rest = _scales(node.args[0])
        return [const(-1), *scales], rest
    if operation == "div" and node.args[1].is_scalar:
        scales, rest = _scales(node.args[0])
        return [*scales, OPERATORS["div"](const(1), node.args[1])], rest
    if operation != "mul" or node.is_scalar:
        return [], node
    inner = [([a], None) if a.is_scalar else _scales(a) for a in node.args]
    scales = [scale for found, _ in inner for scale in found]
    rests = [rest for _, rest in inner if rest is not None]
    return scales, OPERATORS["mul"](*rests) if scales else node


def gathered(scalars: tuple[Item, ...]) -> tuple[Item, ...]:
    """Numbers and reciprocals as one fraction: ``2 (1/n) (1/(2 s))`` is 1/(n s)."""
    value, unders = Fraction(1), []
    rest: list[Item] = []
    for item in scalars:
        over, under = item, None
        if isinstance(item, Apply) and item.head.name == "div":
            over, under = item.args
        if not isinstance(over, Const):
            rest.append(item)
            continue
        value *= over.value
        if under is not None:
            unders.append(under)
    if not unders or len(rest) + 1 == len(scalars):
        return scalars
    factors: list[Node] = []
    for under in unders:
        for factor in under.args if operation_of(under) == "mul" else (under,):
            if isinstance(factor, Const):
                value /= factor.value
            else:
                factors.append(factor)
    below = _product_of([const(value.denominator), *factors])
    return (OPERATORS["div"](const(value.numerator), below), *rest)


def _product_of(factors: list[Node]) -> Node:
    """The product of factors that commute, equal ones as a power."""
    counts: Counter[Node] = Counter()
    for factor in factors:
        known = isinstance(factor, Power) and factor.exponent.is_const
        if isinstance(factor, Power) and known and factor.exponent.const > 0:
            counts[factor.base] += factor.exponent.const
        else:
            counts[factor] += 1
    powers = [OPERATORS["power"](f, as_affine(count)) for f, count in counts.items()]
    return OPERATORS["mul"](*powers)


def rank(item: Item) -> int:
    """Where a scalar factor stands: numbers, times, reciprocals, parameters, all else."""
    if isinstance(item, Power):
        item = item.base
    if isinstance(item, Const):
        return 0
    if isinstance(item, IndexValue | Iverson):
        return 1
    if isinstance(item, Node) and operation_of(item) == "div":
        if isinstance(item.args[0], Const):
            return 2
        return 4 if signals_in(item) else 3
    return 3 if isinstance(item, Param) else 4
