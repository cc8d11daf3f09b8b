"""What printed formulas are made of: pieces of text with their strength, kinds of shapes."""

from __future__ import annotations

from fractions import Fraction

from symgrad.lang.affine import ONE
from symgrad.lang.nodes import OPERATORS, Apply, Const, Node, Signal, const, walk

#: Binding strengths: a part stands in parentheses when it binds weaker than its place.
SUM, PRODUCT, PREFIX, POWER, ATOM = range(5)

Part = tuple[str, int]


def kind(node: Node) -> str:
    """scalar, column, row or matrix."""
    if node.is_scalar:
        return "scalar"
    if node.shape[1] == ONE:
        return "column"
    return "row" if node.shape[0] == ONE else "matrix"


def is_batched(node: Node) -> bool:
    """Whether a value has one entry per sample: whether a signal occurs in it."""
    return any(isinstance(item, Signal) for item in walk(node))


def is_call(node: Node, *names: str) -> bool:
    """Whether a formula applies one of these heads."""
    return isinstance(node, Apply) and node.head.name in names


def at(part: Part, place: int) -> str:
    """A printed part, in parentheses where it binds weaker than its place."""
    return part[0] if part[1] >= place else f"({part[0]})"


def number(value: Fraction) -> Part:
    """A literal: an integer, a short decimal that is exact, or a quotient."""
    if value.denominator == 1:
        return str(value.numerator), ATOM if value >= 0 else PREFIX
    if value.denominator in (2, 4, 8, 16) and abs(value.numerator) < 1000:
        return repr(float(value)), ATOM if value >= 0 else PREFIX
    return f"{value.numerator} / {value.denominator}", PRODUCT if value >= 0 else PREFIX


def opposite_of(term: Node) -> Node | None:
    """What a term of a sum subtracts; None for one that is added."""
    if is_call(term, "neg"):
        return term.args[0]
    if isinstance(term, Const) and term.value < 0:
        return const(-term.value)
    first = term.args[0] if is_call(term, "mul") else None
    if isinstance(first, Const) and first.value < 0:
        return OPERATORS["mul"](const(-first.value), *term.args[1:])
    return None
