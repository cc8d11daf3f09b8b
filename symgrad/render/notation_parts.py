"""Parts of formulas that need no formula around them: numbers, functions, ranges of rows.

Each comes with how strongly it binds, so that ``notation`` knows where parentheses go.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

from symgrad.lang.affine import ONE, Affine
from symgrad.lang.nodes import SCALAR, Cases, Const, Full, Name, Node, Param, Signal, Slice, walk
from symgrad.lang.text import slice_names
from symgrad.ops.elementwise import CONVENTIONS
from symgrad.render.layout import Box, Call, Fence, Frac, Ident, Number, Op, Root, Row, Script
from symgrad.render.notation_names import (
    EQUALS,
    affine_box,
    in_row,
    name_box,
    name_parts,
    signal_box,
)

# Binding strengths: a part gets parentheses where it binds weaker than its place asks.
OPEN, SUM, PREFIX, PRODUCT, FACTOR, ATOM = range(6)
Part: TypeAlias = tuple[Box, int]

TRANSPOSED = Op("⊤", "ordinary")
_COLON, _COMMA = Op(":", "ordinary"), Op(",", "ordinary")
#: Functions with a kink: what follows the underscore in their name is the convention there.
_KINKED = ("step", "relu", "max", "sign", "abs")


def within(part: Part, place: int) -> Box:
    """The part, in parentheses where it binds weaker than its place asks."""
    return Fence(part[0]) if part[1] < place else part[0]


def raised(base: Box, exponent: Box) -> Box:
    """``base`` with an exponent, beside its subscript if it has one."""
    if isinstance(base, Script) and base.sup is None:
        return Script(base.base, base.sub, exponent)
    return Script(base, None, exponent)


_SHORT = {"total": "sum", "variance": "var"}


def applied(operation: str, arguments: tuple[Box, ...]) -> Part:
    """A function applied: tanh(…), relu₀(…), φ′(…), √…, |…|."""
    if operation == "sqrt":
        return Root(arguments[0]), FACTOR
    name, sub = _head(operation)
    if name == "abs" and len(arguments) == 1:
        bars = Fence(arguments[0], "|", "|")
        return bars if sub is None else Script(bars, sub), ATOM
    return Call(name, arguments, sub), ATOM


def _head(operation: str) -> tuple[str, Box | None]:
    """The name of a function as it is read, and its subscript."""
    if operation in _SHORT:
        return _SHORT[operation], None
    plain = operation.rstrip("'")
    first, mark, rest = plain.partition("_")
    if first in _KINKED and mark + rest in CONVENTIONS:
        at_kink = CONVENTIONS[mark + rest]
        return first, None if at_kink is None else _slanted(at_kink)
    primes = "′" * (len(operation) - len(plain))
    if "" in plain.split("_"):
        return plain + primes, None
    base, sub = name_parts(plain)
    assert isinstance(base, Ident)
    return base.text + primes, sub


def _slanted(value: Fraction) -> Box:
    """A fraction as it stands in a script: 1/2."""
    if value.denominator == 1:
        return Number(str(value))
    slash = Op("/", "ordinary")
    return Row((Number(str(value.numerator)), slash, Number(str(value.denominator))))


def number_part(node: Const) -> Part:
    """A literal that is not negative."""
    value = node.value
    if value.denominator == 1:
        return Number(str(value)), ATOM
    return Frac(Number(str(value.numerator)), Number(str(value.denominator))), FACTOR


def full_part(node: Full) -> Part:
    """I, 0, or a column or a row of ones."""
    strength = ATOM if node.shape[0] != SCALAR[0] else FACTOR
    if node.kind == "identity":
        return Ident("I"), strength
    if node.kind == "zeros":
        return Number("0"), strength
    ones = Ident("𝟏", "upright")
    row = node.shape[0] == SCALAR[0] and node.shape[1] != SCALAR[1]
    return raised(ones, TRANSPOSED) if row else ones, strength


def named_box(node: Name) -> Box:
    """A name that stands for a formula."""
    return name_box(node.name) if node.time is None else signal_box(node.name, node.time)


def affine_part(form: Affine) -> Part:
    """An affine form as a factor or a term."""
    if len(form.terms) + bool(form.const) > 1:
        return affine_box(form), SUM
    return affine_box(form), ATOM if form.is_const or form.terms[0][1] == 1 else FACTOR


def vanishing_box(form: Affine) -> Box:
    """``form = 0`` with what is subtracted on the left: ``t = T``."""
    left = Affine(tuple((name, -size) for name, size in form.terms if size < 0))
    if not left.terms:
        return in_row(affine_box(form - form.const), EQUALS, affine_box(-form.const))
    return in_row(affine_box(left), EQUALS, affine_box(form + left))


def ranges_box(node: Slice) -> Box:
    """Rows, then columns, counted from 1 and the last one included: ``:,n+1:n+m``."""
    ranges: list[Box] = []
    for start, size, whole in zip(node.start, node.shape, node.whole.shape, strict=True):
        if size == whole:
            ranges.append(_COLON)
        elif size == ONE:
            ranges.append(affine_box(start + 1))
        else:
            ranges.append(in_row(affine_box(start + 1), _COLON, _end(start, size)))
    # The one column of a column is not spoken of.
    return ranges[0] if node.whole.shape[1] == ONE else in_row(ranges[0], _COMMA, ranges[1])


def _end(start: Affine, size: Affine) -> Box:
    """The last row of a range: n + m where it starts behind n, not m + n."""
    if start.names & size.names or start.const or size.const or not start.terms:
        return affine_box(start + size)
    return in_row(affine_box(start), Op("+"), affine_box(size))


def taken_letters(body: Node) -> frozenset[str]:
    """Letters that a bound index must not be mistaken for."""
    names: set[str] = set()
    for node in walk(body):
        if isinstance(node, Param | Signal | Name):
            names.update((node.name, *node.name.split("_")))
        elif isinstance(node, Slice):
            names |= slice_names(node)
        elif isinstance(node, Cases):
            for row in node.conditions:
                for condition in row:
                    for side in (condition.left, condition.right):
                        names |= side.names if isinstance(side, Affine) else frozenset()
    return frozenset(names)
