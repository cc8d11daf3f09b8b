"""Formulas up to what print does not show: how sums and products nest, the order of scalars.

The printer writes ``a + b + c`` and ``A B c`` for either nesting, draws signs and scalar
factors of a product to the front, and sorts them. Two formulas that differ in nothing else
are arranged to one node; no value changes.
"""

from __future__ import annotations

from fractions import Fraction

from symgrad.lang.affine import Affine, as_affine, symbol
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Const,
    IndexValue,
    Node,
    const,
    index_value,
    transform,
)


def arranged(node: Node) -> Node:
    """The formula with flat sums and products and its scalar factors in one order.

    What ``parse_formula`` makes of printed text and the formula that was printed are
    arranged to the same node.
    """
    return transform(node, _change)


def _change(node: Node) -> Node:
    name = _name(node)
    if name in ("mul", "matmul", "neg") or isinstance(node, IndexValue | Const):
        sign, scalars, wide, kind = _factors(node)
        return _product(sign, scalars, wide, kind)
    if name == "add":
        return _sum(node)
    return node


def _name(node: Node) -> str:
    return node.head.name if isinstance(node, Apply) else ""


def _sum(node: Node) -> Node:
    found: list[Node] = []
    for term in node.args:
        found += term.args if _name(term) == "add" else (term,)
    # T - 1 prints alike as one time and as a time less a number.
    forms = [_time_in(term) for term in found]
    terms = [term for term, form in zip(found, forms, strict=True) if form is None]
    times = sum([form for form in forms if form is not None], as_affine(0))
    if times != as_affine(0) or not terms:
        terms.append(index_value(times))
    total = terms[0]
    for term in terms[1:]:
        total = OPERATORS["add"](total, term)
    return total


def _time_in(term: Node) -> Affine | None:
    """A time or a whole number as an affine form."""
    if isinstance(term, IndexValue):
        return term.form
    if isinstance(term, Const) and term.value.denominator == 1:
        return as_affine(int(term.value))
    if isinstance(term, Apply) and _name(term) == "neg":
        inner = _time_in(term.args[0])
        return None if inner is None else -inner
    return None


def _factors(node: Node) -> tuple[Fraction, list[Node], list[Node], str]:
    """The numeric factor, the scalar factors, the others in order, and how those multiply."""
    name = _name(node)
    if isinstance(node, Const):
        return node.value, [], [], "mul"
    if isinstance(node, IndexValue) and len(node.form.terms) == 1 and not node.form.const:
        ((letter, count),) = node.form.terms
        return Fraction(count), [index_value(symbol(letter))], [], "mul"
    if name == "neg":
        value, scalars, wide, kind = _factors(node.args[0])
        return -value, scalars, wide, kind
    if name not in ("mul", "matmul"):
        return Fraction(1), [node] if node.is_scalar else [], [] if node.is_scalar else [node], name
    value, found, rest = Fraction(1), list[Node](), list[Node]()
    for argument in node.args:
        number, scalars, wide, kind = _factors(argument)
        value *= number
        if argument.is_scalar and wide:
            # An inner product is one scalar.
            found += [*scalars, _chain(wide, kind)]
            continue
        found += scalars
        if len(wide) > 1 and kind != name:
            rest.append(_chain(wide, kind))
        else:
            rest += wide
    if len(rest) == 1 and _name(rest[0]) in ("mul", "matmul"):
        inner = _name(rest[0])
        return value, found, _unchained(rest[0], inner), inner
    return value, found, rest, name


def _unchained(node: Node, kind: str) -> list[Node]:
    if _name(node) != kind:
        return [node]
    return [part for argument in node.args for part in _unchained(argument, kind)]


def _chain(wide: list[Node], kind: str) -> Node:
    operation = OPERATORS["matmul" if kind == "matmul" else "mul"]
    result = wide[-1]
    for node in reversed(wide[:-1]):
        result = operation(node, result)
    return result


def _product(value: Fraction, scalars: list[Node], wide: list[Node], kind: str) -> Node:
    parts = sorted(scalars, key=repr)
    negative = value < 0
    if abs(value) != 1 or not (parts or wide):
        parts.insert(0, const(abs(value)))
    if wide:
        parts.append(_chain(wide, kind))
    result = parts[0]
    for part in parts[1:]:
        result = OPERATORS["mul"](result, part)
    return -result if negative else result
