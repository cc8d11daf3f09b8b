"""True formulas: the same value written in another way, each by a rule that always holds.

- sums and entrywise products are reordered: both commute (``@`` does not and stays);
- Σ_{k=a}^{b} f(k) = Σ_{k=a+1}^{b+1} f(k-1) = Σ_{k=a}^{b} f(a+b-k), for empty ranges too;
- the first or last term of Σ, factor of Π or of a power is split off where the range is not
  empty (b ≥ a), by cases that keep the empty range as it is;
- products are expanded over sums, and Σ(f + g) = Σf + Σg, c Σf = Σ c f;
- a common factor is taken out of a sum, and what does not depend on k out of Σ_k;
- AB = (BᵀAᵀ)ᵀ; diag(a) b = a ⊙ b for a column b;
- 1 - h² = (1 - h)(1 + h); h² = h h; e = (e + p) - p; e = e/3 + 2e/3; ab = (-a)(-b).

No rule divides, so none needs a number not to be zero; none uses what functions satisfy.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from symgrad.cell import Cell
from symgrad.lang.affine import Affine, symbol
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Apply,
    Condition,
    Const,
    Fold,
    Node,
    Param,
    Power,
    Signal,
    cases,
    const,
    fold,
    full,
    open_fold,
    substitute_indices,
)
from symgrad.ops.build import make
from symgrad.ops.table import PRIMITIVES
from symgrad.testing.places import everywhere, is_call


def rewritings(cell: Cell, right: Node) -> dict[Node, str]:
    """Every formula that one rule makes of ``right`` at one place, with the name of the rule."""
    spare = next((p for p in cell.params if p.is_scalar), const(7))

    def local(node: Node) -> Iterator[tuple[str, Node]]:
        yield from _orders(node)
        yield from _ranges(node)
        yield from _products(node)
        yield from _terms(node, spare)

    found: dict[Node, str] = {}
    for label, made in everywhere(right, local):
        found.setdefault(made, label)
    return found


def _orders(node: Node) -> Iterator[tuple[str, Node]]:
    if is_call(node, "add", "mul"):
        assert isinstance(node, Apply)
        build = OPERATORS[node.head.name]
        yield "reordered", build(*reversed(node.args))
        if len(node.args) > 2:
            yield "reordered", build(*node.args[1:], node.args[0])


def _ranges(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, Power):
        yield from _powers(node)
    if not isinstance(node, Fold):
        return
    index, body = open_fold(node)
    k, low, high = symbol(index), node.lower, node.upper

    def at(time: Affine) -> Node:
        return substitute_indices(body, {index: time})

    def over(a: Affine, b: Affine, inner: Node) -> Node:
        return fold(node.kind, index, a, b, inner)

    for shift in (1, -2):
        yield "reindexed", over(low + shift, high + shift, at(k - shift))
    matrices = node.kind == "prod" and node.shape != SCALAR
    if not matrices:
        yield "reindexed", over(low, high, at(low + high - k))
    if matrices and node.shape[0] != node.shape[1]:
        return
    join = OPERATORS["add"] if node.kind == "sum" else OPERATORS["matmul"]
    if node.kind == "prod" and not matrices:
        join = OPERATORS["mul"]
    unit = full("zeros" if node.kind == "sum" else "identity", node.shape)
    some = (Condition(high, "≥", low),)
    yield "split", cases([(join(at(high), over(low, high - 1, body)), some), (unit, ())])
    yield "split", cases([(join(over(low + 1, high, body), at(low)), some), (unit, ())])
    alike = all(a.shape == body.shape for a in body.args)
    if node.kind == "sum" and is_call(body, "add") and alike:
        yield "expanded", OPERATORS["add"](*[over(low, high, a) for a in body.args])
    if node.kind == "sum" and is_call(body, "mul"):
        outer = [a for a in body.args if substitute_indices(a, {index: Affine((("⋆", 1),))}) is a]
        inner = [a for a in body.args if a not in outer]
        if outer and inner:
            summed = over(low, high, OPERATORS["mul"](*inner))
            yield "factored", OPERATORS["mul"](*outer, summed)


def _powers(node: Power) -> Iterator[tuple[str, Node]]:
    join = OPERATORS["matmul"] if node.is_matrix_power else OPERATORS["mul"]
    if node.exponent.is_const:
        if node.exponent.const == 2:
            yield "expanded", make(PRIMITIVES[_name(node)], node.base, node.base)
        return
    split = join(node.base, OPERATORS["power"](node.base, node.exponent - 1))
    unit = full("identity" if node.is_matrix_power else "ones", node.shape)
    yield (
        "split",
        cases(
            [
                (split, (Condition(node.exponent, "≥", Affine(const=1)),)),
                (unit, (Condition(node.exponent, "=", Affine()),)),
                (node, ()),
            ]
        ),
    )


def _name(node: Power) -> str:
    return "matmul" if node.is_matrix_power else "mul"


def _products(node: Node) -> Iterator[tuple[str, Node]]:
    if is_call(node, "mul"):
        for place, factor in enumerate(node.args):
            rest = (*node.args[:place], *node.args[place + 1 :])
            if is_call(factor, "add"):
                terms = [OPERATORS["mul"](*rest, term) for term in factor.args]
                yield "expanded", OPERATORS["add"](*terms)
            if isinstance(factor, Fold) and factor.kind == "sum":
                index, body = open_fold(factor)
                inner = OPERATORS["mul"](*rest, body)
                yield "expanded", fold("sum", index, factor.lower, factor.upper, inner)
    if is_call(node, "matmul"):
        left, right = node.args
        if is_call(right, "add") and all(t.shape == right.shape for t in right.args):
            yield "expanded", OPERATORS["add"](*[OPERATORS["matmul"](left, t) for t in right.args])
        if is_call(left, "add") and all(t.shape == left.shape for t in left.args):
            yield "expanded", OPERATORS["add"](*[OPERATORS["matmul"](t, right) for t in left.args])
        turned = make(PRIMITIVES["matmul"], right.T, left.T)
        yield "transposed", make(PRIMITIVES["transpose"], turned)
        if is_call(left, "diag") and right.shape == left.args[0].shape:
            yield "entrywise", OPERATORS["mul"](left.args[0], right)
    if is_call(node, "mul") and len(node.args) == 2 and node.shape[1] == SCALAR[1]:
        first, second = node.args
        if first.shape == second.shape and first.shape != SCALAR:
            yield "entrywise", make(PRIMITIVES["matmul"], OPERATORS["diag"](first), second)
    if is_call(node, "add") and len(node.args) == 2:
        yield from _factored(*node.args)


def _factored(one: Node, two: Node) -> Iterator[tuple[str, Node]]:
    """a b + a c = a (b + c)."""
    sides = [n.args if is_call(n, "mul") else (n,) for n in (one, two)]
    for common in sides[0]:
        if common in sides[1] and not isinstance(common, Const):
            rest = []
            for side in sides:
                left = list(side)
                left.remove(common)
                rest.append(OPERATORS["mul"](*left) if left else const(1))
            yield "factored", OPERATORS["mul"](common, OPERATORS["add"](*rest))


def _terms(node: Node, spare: Node) -> Iterator[tuple[str, Node]]:
    if is_call(node, "add") and len(node.args) == 2:
        one, rest = node.args
        square = rest.args[0] if is_call(rest, "neg") else None
        if isinstance(one, Const) and one.value == 1 and isinstance(square, Power):
            exponent = square.exponent
            if exponent.is_const and exponent.const == 2 and not square.is_matrix_power:
                yield "factored", (1 - square.base) * (1 + square.base)
    if isinstance(node, Signal | Param | Fold) or is_call(node, "mul", "matmul"):
        yield "added and subtracted", (node + spare) - spare
        yield "in two parts", Fraction(1, 3) * node + Fraction(2, 3) * node
    if is_call(node, "mul") and len(node.args) >= 2:
        minus = [make(PRIMITIVES["neg"], a) for a in node.args[:2]]
        yield "signs", make(PRIMITIVES["mul"], *minus, *node.args[2:])
