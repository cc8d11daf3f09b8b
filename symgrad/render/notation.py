"""Formulas to boxes: the one place where the mathematical notation is decided.

A node comes in, the layout of its formula goes out; LaTeX, MathML and plain text are
printers of the same boxes. Matrix products keep their order. Scalar factors commute
and stand as people write them: numbers, times such as (T − k), parameters, then the
rest in the order given. Signs and scalar factors are drawn to the front of a product;
nothing else is rewritten, and nothing is decided about equality.
"""

from __future__ import annotations

from typing import Literal

from symgrad.lang.affine import Affine, as_affine
from symgrad.lang.nodes import (
    Apply,
    Block,
    Condition,
    Const,
    Derivative,
    Fold,
    Full,
    IndexValue,
    Iverson,
    Misfit,
    Name,
    Node,
    Param,
    Power,
    Signal,
    Slice,
)
from symgrad.lang.nodes import Cases as CasesNode
from symgrad.lang.text import named_body
from symgrad.render.layout import (
    Big,
    Box,
    Call,
    Cases,
    Fence,
    Frac,
    Grid,
    Ident,
    Number,
    Op,
    Restrict,
    Root,
    Row,
    Script,
    Words,
)
from symgrad.render.notation_names import (
    EQUALS,
    NEGATIVE,
    PARTIAL,
    affine_box,
    in_row,
    join_term,
    limit_box,
    name_box,
    signal_box,
)
from symgrad.render.notation_parts import (
    ATOM,
    FACTOR,
    OPEN,
    PREFIX,
    PRODUCT,
    SUM,
    TRANSPOSED,
    Part,
    affine_part,
    applied,
    full_part,
    named_box,
    number_part,
    raised,
    ranges_box,
    taken_letters,
    vanishing_box,
    within,
)
from symgrad.render.notation_products import (
    Item,
    Product,
    gathered,
    is_signed_leaf,
    operation_of,
    rank,
    taken_apart,
    terms_of,
)
from symgrad.render.symbols import head_box

__all__ = [
    "Reading",
    "affine_box",
    "box",
    "condition_box",
    "name_box",
    "signal_box",
    "statement_box",
    "sum_box",
]

Reading = Literal["vector", "scalar"]

_OPERATIONS = ("neg", "mul", "matmul", "div", "total")
_TIMES = Op("", "invisible")
_DOT = Op("·")
_HADAMARD = Op("⊙")
_TOTAL_D: Box = Op("d", "prefix")
_IMMEDIATE_D: Box = Script(PARTIAL, None, Op("+", "ordinary"))


def box(node: Node, *, reading: Reading = "vector") -> Box:
    """The formula as a box.

    In the vector reading shapes decide: ⊙ between vectors, juxtaposition for matrix
    products and scalar factors. In the scalar reading everything commutes.
    """
    return _Writer(reading).part(node, frozenset())[0]


def statement_box(left: Node, right: Node, *, reading: Reading = "vector") -> Box:
    """``left = right``."""
    sides = (box(left, reading=reading), EQUALS, box(right, reading=reading))
    return in_row(*sides)


def sum_box(
    index: str,
    lower: Affine | int,
    upper: Affine | int,
    body: Node,
    *,
    reading: Reading = "vector",
) -> Box:
    """``Σ_{index=lower}^{upper} body`` with the index called as the caller wants."""
    inner = within(_Writer(reading).part(body, frozenset({index})), PRODUCT)
    return Big("∑", limit_box(index, as_affine(lower)), affine_box(upper), inner)


def condition_box(condition: Condition, *, reading: Reading = "vector") -> Box:
    """``T = 0``, ``w ≠ 1``."""

    def side(value: Affine | Node) -> Box:
        return affine_box(value) if isinstance(value, Affine) else box(value, reading=reading)

    return in_row(side(condition.left), Op(condition.relation, "relation"), side(condition.right))


class _Writer:
    """One formula in one reading; ``used`` holds the letters of the enclosing binders."""

    def __init__(self, reading: Reading) -> None:
        self.scalar = reading == "scalar"

    def part(self, node: Node, used: frozenset[str]) -> Part:
        """The box and how strongly it binds."""
        operation = operation_of(node)
        if operation in ("add", "sub"):
            return self.sum(node, used)
        if operation in _OPERATIONS or is_signed_leaf(node):
            product = taken_apart(node, self.scalar)
            if not product.is_only(node):
                return self.product(product, used)
        return self.single(node, used)

    # ---- sums and products -----------------------------------------------------------

    def sum(self, node: Node, used: frozenset[str]) -> Part:
        parts: list[Box] = []
        for negative, term in terms_of(node):
            product = taken_apart(term, self.scalar)
            join_term(parts, negative != product.negative)
            unsigned = Product(False, product.scalars, product.chain, product.kind)
            parts.append(within(self.product(unsigned, used), PRODUCT))
        return in_row(*parts), SUM if len(parts) > 1 else PRODUCT

    def product(self, product: Product, used: frozenset[str]) -> Part:
        scalars = sorted(gathered(product.scalars), key=rank)
        count = len(scalars) + len(product.chain)
        if count == 1:
            part = self.item((*scalars, *product.chain)[0], used)
        else:
            boxes: list[Box] = []
            for place, item in enumerate((*scalars, *product.chain)):
                inner = within(self.item(item, used), FACTOR)
                if place > len(scalars) and product.kind == "mul":
                    boxes.append(_HADAMARD)
                elif boxes:
                    boxes.append(_DOT if _starts_with_digit(inner) else _TIMES)
                boxes.append(inner)
            part = (in_row(*boxes), PRODUCT)
        if product.negative:
            return in_row(NEGATIVE, within(part, PRODUCT)), PREFIX
        return part

    def item(self, item: Item, used: frozenset[str]) -> Part:
        if isinstance(item, Product):
            return self.product(item, used)
        # Its sign and its factors have been taken already: it is no product itself.
        return self.part(item, used)

    # ---- everything else -------------------------------------------------------------

    def single(self, node: Node, used: frozenset[str]) -> Part:
        match node:
            case Const():
                return number_part(node)
            case Param():
                return name_box(node.name), ATOM
            case Signal():
                kind = node.adjoint
                return signal_box(node.name, node.time, kind), FACTOR if kind else ATOM
            case Name():
                return named_box(node), ATOM
            case IndexValue():
                return affine_part(node.form)
            case Iverson():
                return Fence(vanishing_box(node.form), "[", "]"), ATOM
            case Full():
                return full_part(node)
            case Power():
                return self.power(node, used)
            case Fold():
                return self.fold(node, used)
            case Block():
                rows = tuple(tuple(self.part(c, used)[0] for c in row) for row in node.rows)
                return Grid(rows), ATOM
            case Slice():
                return self.slice(node, used), ATOM
            case CasesNode():
                return self.cases(node, used), OPEN
            case Derivative():
                return self.derivative(node, used), FACTOR
            case Apply() | Misfit():
                return self.application(node, used)
        raise TypeError(f"no notation for {type(node).__name__}")

    def application(self, node: Node, used: frozenset[str]) -> Part:
        operation = operation_of(node)
        if operation == "div":
            over, under = (self.part(a, used)[0] for a in node.args)
            return Frac(over, under), FACTOR
        if operation == "transpose":
            return raised(within(self.part(node.args[0], used), ATOM), TRANSPOSED), FACTOR
        return applied(operation, tuple(self.part(a, used)[0] for a in node.args))

    def power(self, node: Power, used: frozenset[str]) -> Part:
        base, exponent = node.base, affine_box(node.exponent)
        part = self.part(base, used)
        called = isinstance(base, Apply) and base.head.elementwise and isinstance(part[0], Call)
        if called and node.exponent.is_const and node.exponent.const > 0:
            # tanh²(c); a general exponent would read as iteration, -1 as the inverse.
            call = part[0]
            assert isinstance(call, Call)
            if "′" not in call.name:
                return in_row(raised(head_box(call), exponent), Fence(call.arguments[0])), FACTOR
        return raised(within(part, ATOM), exponent), FACTOR

    def fold(self, node: Fold, used: frozenset[str]) -> Part:
        letter, body = named_body(node, used | taken_letters(node.body))
        inner = within(self.part(body, used | {letter}), PRODUCT)
        sign: Literal["∑", "∏"] = "∑" if node.kind == "sum" else "∏"
        return Big(sign, limit_box(letter, node.lower), affine_box(node.upper), inner), PRODUCT

    def slice(self, node: Slice, used: frozenset[str]) -> Box:
        base, strength = self.part(node.whole, used)
        plain = isinstance(base, Ident) and strength == ATOM
        return Script(base if plain else Fence(base), ranges_box(node))

    def cases(self, node: CasesNode, used: frozenset[str]) -> Box:
        reading: Reading = "scalar" if self.scalar else "vector"
        rows: list[tuple[Box, Box]] = []
        for value, conditions in zip(node.values, node.conditions, strict=True):
            when: list[Box] = []
            for condition in conditions:
                when += [Words("and")] if when else []
                when.append(condition_box(condition, reading=reading))
            rows.append((self.part(value, used)[0], in_row(*when) if when else Words("otherwise")))
        return Cases(tuple(rows))

    def derivative(self, node: Derivative, used: frozenset[str]) -> Box:
        d = {"immediate": _IMMEDIATE_D, "loss": PARTIAL}.get(node.kind, _TOTAL_D)
        over, under = (self.differentiated(a, used) for a in (node.of, node.wrt))
        ratio = Frac(in_row(d, over), in_row(d, under))
        if not node.along:
            return ratio
        names: list[Box] = []
        for name in node.along:
            names += [Op(",", "punctuation")] if names else []
            names.append(name_box(name))
        return Restrict(ratio, in_row(*names))

    def differentiated(self, node: Node, used: frozenset[str]) -> Box:
        part = self.part(node, used)
        bare = isinstance(node, Signal) or isinstance(part[0], Root)
        return within(part, FACTOR if bare else ATOM)


def _starts_with_digit(item: Box) -> bool:
    """Whether juxtaposition would read as a longer number or as a mixed fraction."""
    match item:
        case Row(items):
            return _starts_with_digit(items[0])
        case Script(base):
            return _starts_with_digit(base)
        case Frac(over):
            return _starts_with_digit(over)
    return isinstance(item, Number)
