"""Wrong formulas: one thing changed, of the kinds that are found in papers and programs."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from symgrad.cell import Cell
from symgrad.lang.affine import T
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Cases,
    Const,
    Fold,
    IndexValue,
    Node,
    Param,
    Power,
    Signal,
    cases,
    index_value,
    param,
    signal,
    signals_in,
)
from symgrad.ops.table import PRIMITIVES
from symgrad.testing.places import everywhere, is_call

FACTOR: Final = "factor dropped"
SIGN: Final = "sign"
INDEX: Final = "index shifted"
TRANSPOSE: Final = "transpose lost or added"
SLOPE: Final = "σ' for tanh' or tanh' for σ'"
ACTIVATED: Final = "derivative of the activated value"
SUM_BOUND: Final = "sum bound off by one"
PRODUCT_BOUND: Final = "product bound off by one"
PATH: Final = "path missing"
INITIAL: Final = "initial-state term dropped"
PRODUCT: Final = "⊙ for @, or factors of @ swapped"
COEFFICIENT: Final = "coefficient off by 1e-9"
GATE: Final = "gate swapped"
HORIZON: Final = "T - 1 for T, or an exponent off by one"
BRANCHES: Final = "branches swapped or dropped"

CLASSES: Final = (
    *(FACTOR, SIGN, INDEX, TRANSPOSE, SLOPE, ACTIVATED, SUM_BOUND, PRODUCT_BOUND, PATH),
    *(INITIAL, PRODUCT, COEFFICIENT, GATE, HORIZON, BRANCHES),
)
_TINY = 1 + Fraction(1, 10**9)


def mutants(cell: Cell, right: Node) -> dict[Node, str]:
    """Every formula that differs from ``right`` in one place, with the class of the change.

    They are wrong as a rule and not by construction: a swapped gate can be right by symmetry,
    a bound off by one where the summand vanishes. Some read signals outside of the run.
    """

    def local(node: Node) -> Iterator[tuple[str, Node]]:
        yield from _operations(node)
        yield from _slopes(node)
        yield from _bounds(node)
        yield from _names(cell, node)

    found: dict[Node, str] = {}
    for label, made in everywhere(right, local):
        found.setdefault(made, label)
    return found


def _operations(node: Node) -> Iterator[tuple[str, Node]]:
    """Terms, factors, signs, products, transposes, coefficients."""
    if is_call(node, "add"):
        for place, term in enumerate(node.args):
            rest = (*node.args[:place], *node.args[place + 1 :])
            starts = any(s.time.is_const and s.time.const == 0 for s in signals_in(term))
            yield INITIAL if starts else PATH, OPERATORS["add"](*rest)
            yield SIGN, OPERATORS["add"](*node.args[:place], -term, *node.args[place + 1 :])
    if is_call(node, "mul"):
        for place in range(len(node.args)):
            rest = (*node.args[:place], *node.args[place + 1 :])
            yield FACTOR, OPERATORS["mul"](*rest)
    if is_call(node, "matmul"):
        left, right = node.args
        yield FACTOR, right
        yield FACTOR, left
        yield PRODUCT, OPERATORS["matmul"](right, left)
        if left.shape == right.shape:
            yield PRODUCT, OPERATORS["mul"](left, right)
    if is_call(node, "transpose"):
        yield TRANSPOSE, node.args[0]
    if isinstance(node, Param) and not node.is_scalar:
        yield TRANSPOSE, OPERATORS["transpose"](node)
    if isinstance(node, Apply | Signal | Fold | Param | Power):
        yield COEFFICIENT, OPERATORS["mul"](_TINY, node)
    if isinstance(node, Signal | Fold | Param):
        yield SIGN, -node


def _slopes(node: Node) -> Iterator[tuple[str, Node]]:
    """1 - h² and s (1 - s)."""
    value = _one_minus(node)
    if isinstance(value, Power) and value.exponent.const == 2 and value.exponent.is_const:
        yield SLOPE, value.base * (1 - value.base)
        yield ACTIVATED, 1 - OPERATORS["call"](PRIMITIVES["tanh"], value.base) ** 2
    if is_call(node, "mul"):
        for place, factor in enumerate(node.args):
            value = _one_minus(factor)
            if value is None or value not in node.args:
                continue
            rest = [a for i, a in enumerate(node.args) if i != place]
            rest.remove(value)
            again = OPERATORS["call"](PRIMITIVES["sigma"], value)
            yield SLOPE, OPERATORS["mul"](*rest, 1 - value**2)
            yield ACTIVATED, OPERATORS["mul"](*rest, again, 1 - again)


def _one_minus(node: Node) -> Node | None:
    """a where the node is 1 - a."""
    if is_call(node, "add") and len(node.args) == 2:
        one, rest = node.args
        if isinstance(one, Const) and one.value == 1 and is_call(rest, "neg"):
            return rest.args[0]
    return None


def _bounds(node: Node) -> Iterator[tuple[str, Node]]:
    """Ranges, exponents, indices as numbers, cases."""
    if isinstance(node, Fold):
        label = SUM_BOUND if node.kind == "sum" else PRODUCT_BOUND
        for low, high in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            key = (node.kind, node.index, node.lower + low, node.upper + high)
            yield label, Fold(key, node.args, node.shape)
    if isinstance(node, Power) and not node.exponent.is_const:
        for shift in (-1, 1):
            yield HORIZON, OPERATORS["power"](node.base, node.exponent + shift)
    if isinstance(node, IndexValue):
        for shift in (-1, 1):
            yield HORIZON, index_value(node.form + shift)
    if isinstance(node, Signal) and node.time.coefficient("T"):
        yield HORIZON, node.at(node.time.substitute({"T": T - 1}))
    if isinstance(node, Cases):
        values, rest = node.values, node.args[len(node.values) :]
        for place in range(len(values) - 1):
            swapped = list(values)
            swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
            yield BRANCHES, node.with_args((*swapped, *rest))
            yield BRANCHES, values[place + 1] if len(values) == 2 else _without(node, place)


def _without(node: Cases, place: int) -> Node:
    rows = list(zip(node.values, node.conditions, strict=True))
    return cases([*rows[:place], *rows[place + 1 :]])


def _names(cell: Cell, node: Node) -> Iterator[tuple[str, Node]]:
    """Signals at other times; a gate or its parameters for another."""
    if isinstance(node, Signal):
        shifts = (1,) if node.time.is_const else (-1, 1)
        for shift in shifts:
            yield INDEX, node.at(node.time + shift)
        gates = [s for s in cell.signals if not cell.is_state(s.name) and s.shape == node.shape]
        if node.name in [g.name for g in gates]:
            for gate in gates:
                if gate.name != node.name:
                    yield GATE, signal(gate.name, gate.shape, node.time, node.adjoint)
    if isinstance(node, Param):
        for other in cell.params:
            family = other.name.split("_")[0] == node.name.split("_")[0]
            if other is not node and family and other.shape == node.shape:
                yield GATE, param(other.name, other.shape)


__all__ = ["CLASSES", "mutants"]
