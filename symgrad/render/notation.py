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
    SCALAR,
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
    walk,
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
    letter_box,
    letter_name,
    limit_box,
    name_box,
    signal_box,
)
from symgrad.render.notation_products import (
    Item,
    Product,
    is_signed_leaf,
    operation_of,
    rank,
    taken_apart,
    terms_of,
)

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

# Binding strengths: a part gets parentheses where it binds weaker than its place asks.
OPEN, SUM, PREFIX, PRODUCT, FACTOR, ATOM = range(6)
_Part = tuple[Box, int]

_FUNCTIONS = {"sigma": "σ", "total": "sum"}
_OPERATIONS = ("add", "sub", "neg", "mul", "matmul")
_TIMES = Op("", "invisible")
_DOT = Op("·")
_HADAMARD = Op("⊙")
_TRANSPOSED = Op("⊤", "ordinary")
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
    inner = _within(_Writer(reading).part(body, frozenset({index})), PRODUCT)
    return Big("∑", limit_box(index, as_affine(lower)), affine_box(upper), inner)


def condition_box(condition: Condition, *, reading: Reading = "vector") -> Box:
    """``T = 0``, ``w ≠ 1``."""

    def side(value: Affine | Node) -> Box:
        return affine_box(value) if isinstance(value, Affine) else box(value, reading=reading)

    return in_row(side(condition.left), Op(condition.relation, "relation"), side(condition.right))


def _within(part: _Part, place: int) -> Box:
    return Fence(part[0]) if part[1] < place else part[0]


class _Writer:
    """One formula in one reading; ``used`` holds the letters of the enclosing binders."""

    def __init__(self, reading: Reading) -> None:
        self.scalar = reading == "scalar"

    def part(self, node: Node, used: frozenset[str]) -> _Part:
        """The box and how strongly it binds."""
        operation = operation_of(node)
        if operation in ("add", "sub"):
            return self.sum(node, used)
        if operation in _OPERATIONS or is_signed_leaf(node):
            return self.product(taken_apart(node, self.scalar), used)
        return self.single(node, used)

    # ---- sums and products -----------------------------------------------------------

    def sum(self, node: Node, used: frozenset[str]) -> _Part:
        parts: list[Box] = []
        for negative, term in terms_of(node):
            product = taken_apart(term, self.scalar)
            join_term(parts, negative != product.negative)
            unsigned = Product(False, product.scalars, product.chain, product.kind)
            parts.append(_within(self.product(unsigned, used), PRODUCT))
        return in_row(*parts), SUM if len(parts) > 1 else PRODUCT

    def product(self, product: Product, used: frozenset[str]) -> _Part:
        scalars = sorted(product.scalars, key=rank)
        count = len(scalars) + len(product.chain)
        if count == 1:
            part = self.item((*scalars, *product.chain)[0], used)
        else:
            boxes: list[Box] = []
            for place, item in enumerate((*scalars, *product.chain)):
                inner = _within(self.item(item, used), FACTOR)
                if place > len(scalars) and product.kind == "mul":
                    boxes.append(_HADAMARD)
                elif boxes:
                    boxes.append(_DOT if _starts_with_digit(inner) else _TIMES)
                boxes.append(inner)
            part = (in_row(*boxes), PRODUCT)
        if product.negative:
            return in_row(NEGATIVE, _within(part, PRODUCT)), PREFIX
        return part

    def item(self, item: Item, used: frozenset[str]) -> _Part:
        if isinstance(item, Product):
            return self.product(item, used)
        # Its sign and its factors have been taken already: it is no product itself.
        return self.part(item, used)

    # ---- everything else -------------------------------------------------------------

    def single(self, node: Node, used: frozenset[str]) -> _Part:
        match node:
            case Const():
                return _number(node)
            case Param():
                return name_box(node.name), ATOM
            case Signal():
                kind = node.adjoint
                return signal_box(node.name, node.time, kind), FACTOR if kind else ATOM
            case Name():
                return _named(node), ATOM
            case IndexValue():
                return affine_box(node.form), _affine_strength(node.form)
            case Iverson():
                return Fence(_vanishing(node.form), "[", "]"), ATOM
            case Full():
                return _full(node), ATOM if node.shape[0] != SCALAR[0] else FACTOR
            case Power():
                return self.power(node, used)
            case Fold():
                return self.fold(node, used)
            case Block():
                rows = tuple(tuple(self.part(c, used)[0] for c in row) for row in node.rows)
                return Grid(rows), ATOM
            case CasesNode():
                return self.cases(node, used), OPEN
            case Derivative():
                return self.derivative(node, used), FACTOR
            case Apply() | Misfit():
                return self.application(node, used)
        raise TypeError(f"no notation for {type(node).__name__}")

    def application(self, node: Node, used: frozenset[str]) -> _Part:
        operation = operation_of(node)
        if operation == "div":
            over, under = (self.part(a, used)[0] for a in node.args)
            return Frac(over, under), FACTOR
        if operation == "transpose":
            return _raised(_within(self.part(node.args[0], used), ATOM), _TRANSPOSED), FACTOR
        return Call(_function(operation), tuple(self.part(a, used)[0] for a in node.args)), ATOM

    def power(self, node: Power, used: frozenset[str]) -> _Part:
        base, exponent = node.base, affine_box(node.exponent)
        applied = isinstance(base, Apply) and base.head.elementwise
        if applied and node.exponent.is_const and node.exponent.const > 0:
            # tanh²(c); a general exponent would read as iteration, -1 as the inverse.
            name = letter_box(_function(operation_of(base)))
            inner = Fence(self.part(base.args[0], used)[0])
            return in_row(Script(name, None, exponent), inner), FACTOR
        return _raised(_within(self.part(base, used), ATOM), exponent), FACTOR

    def fold(self, node: Fold, used: frozenset[str]) -> _Part:
        letter, body = named_body(node, used | _taken(node.body))
        inner = _within(self.part(body, used | {letter}), PRODUCT)
        sign: Literal["∑", "∏"] = "∑" if node.kind == "sum" else "∏"
        return Big(sign, limit_box(letter, node.lower), affine_box(node.upper), inner), PRODUCT

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
        place = FACTOR if isinstance(node, Signal) else ATOM
        return _within(self.part(node, used), place)


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


# ---- small parts -----------------------------------------------------------------------


def _raised(base: Box, exponent: Box) -> Box:
    if isinstance(base, Script) and base.sup is None:
        return Script(base.base, base.sub, exponent)
    return Script(base, None, exponent)


def _number(node: Const) -> _Part:
    value = node.value
    if value.denominator == 1:
        return Number(str(value)), ATOM
    return Frac(Number(str(value.numerator)), Number(str(value.denominator))), FACTOR


def _full(node: Full) -> Box:
    if node.kind == "identity":
        return Ident("I")
    if node.kind == "zeros":
        return Number("0")
    ones = Ident("𝟏", "upright")
    row = node.shape[0] == SCALAR[0] and node.shape[1] != SCALAR[1]
    return _raised(ones, _TRANSPOSED) if row else ones


def _named(node: Name) -> Box:
    return name_box(node.name) if node.time is None else signal_box(node.name, node.time)


def _affine_strength(form: Affine) -> int:
    if len(form.terms) + bool(form.const) > 1:
        return SUM
    return ATOM if form.is_const or form.terms[0][1] == 1 else FACTOR


def _vanishing(form: Affine) -> Box:
    """``form = 0`` with what is subtracted on the left: ``t = T``."""
    left = Affine(tuple((name, -size) for name, size in form.terms if size < 0))
    if not left.terms:
        return in_row(affine_box(form - form.const), EQUALS, affine_box(-form.const))
    return in_row(affine_box(left), EQUALS, affine_box(form + left))


def _function(operation: str) -> str:
    return letter_name(_FUNCTIONS.get(operation, operation))


def _taken(body: Node) -> frozenset[str]:
    """Letters that a bound index must not be mistaken for."""
    names: set[str] = set()
    for node in walk(body):
        if isinstance(node, Param | Signal | Name):
            names.update((node.name, *node.name.split("_")))
        elif isinstance(node, CasesNode):
            for row in node.conditions:
                for condition in row:
                    for side in (condition.left, condition.right):
                        names |= side.names if isinstance(side, Affine) else frozenset()
    return frozenset(names)
