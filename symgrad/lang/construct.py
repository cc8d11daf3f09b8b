"""Constructors of nodes, and the ways to walk and rebuild a formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import count

from symgrad.lang.affine import Affine, as_affine, symbol
from symgrad.lang.base import OPERATORS, SCALAR, Node, Shape
from symgrad.lang.compounds import Cases, Condition, Fold, Power
from symgrad.lang.leaves import (
    Const,
    Derivative,
    Full,
    IndexValue,
    Iverson,
    Name,
    Param,
    Signal,
)


def const(value: int | Fraction) -> Const:
    """A rational literal."""
    return Const((Fraction(value),), (), SCALAR)


def param(name: str, shape: Shape = SCALAR) -> Param:
    """A parameter."""
    return Param((name,), (), shape)


def index_value(form: Affine) -> Node:
    """An affine form as a number."""
    return const(form.const) if form.is_const else IndexValue((form,), (), SCALAR)


def full(kind: str, shape: Shape) -> Node:
    """Identity, zeros or ones; a number where the shape is that of a scalar."""
    if shape == SCALAR:
        return const(0 if kind == "zeros" else 1)
    return Full((kind,), (), shape)


OPERATORS["full"] = full


def iverson(form: Affine) -> Node:
    """``[form = 0]``, folded where the form is a number."""
    if form.is_const:
        return const(1 if form.const == 0 else 0)
    return Iverson((form,), (), SCALAR)


def name(text: str, shape: Shape = SCALAR, time: Affine | None = None) -> Node:
    """A name that stands for a formula."""
    return Name((text, time, False), (), shape)


def derivative(
    kind: str, of: Node, wrt: Node, *, along: tuple[str, ...] = (), shape: Shape | None = None
) -> Node:
    """A derivative as a name. A gradient has the shape of ``wrt``; a Jacobian (rows of ``of``)."""
    if shape is None:
        scalar = kind in ("gradient", "loss")
        shape = wrt.shape if scalar else (of.shape[0], wrt.shape[0])
    return Derivative((kind, tuple(along)), (of, wrt), shape)


def binder_height(node: Node) -> int:
    """How deep Σ and Π nest inside."""
    cache: dict[Node, int] = {}

    def height(item: Node) -> int:
        if item not in cache:
            inner = max((height(a) for a in item.args), default=0)
            cache[item] = inner + 1 if isinstance(item, Fold) else inner
        return cache[item]

    return height(node)


def fold(kind: str, index: str, lower: Affine | int, upper: Affine | int, body: Node) -> Node:
    """Σ or Π of ``body`` over ``index`` = lower..upper, with the canonical bound index."""
    from_name = f"#{binder_height(body) + 1}"
    low, high = as_affine(lower), as_affine(upper)
    if index != from_name:
        body = rename_index(body, index, from_name)
    return Fold((kind, from_name, low, high), (body,), body.shape)


def sum_over(index: str, lower: Affine | int, upper: Affine | int, body: Node) -> Node:
    """Σ of ``body`` over ``index`` = lower..upper."""
    return fold("sum", index, lower, upper, body)


def prod_over(index: str, lower: Affine | int, upper: Affine | int, body: Node) -> Node:
    """Π of ``body`` over ``index`` = lower..upper; of matrices with the latest on the left."""
    return fold("prod", index, lower, upper, body)


def cases(rows: list[tuple[Node, tuple[Condition, ...]]]) -> Node:
    """The first value whose conditions hold; the last row's conditions must be empty."""
    if rows[-1][1]:
        raise ValueError("the last case must have no condition")
    if all(value is rows[0][0] for value, _ in rows):
        return rows[0][0]
    compared: list[Node] = []

    def entry(side: Affine | Node) -> Affine | int:
        if isinstance(side, Affine):
            return side
        compared.append(side)
        return len(compared) - 1

    key = tuple(
        tuple((entry(c.left), c.relation, entry(c.right)) for c in conditions)
        for _, conditions in rows
    )
    return Cases((key,), (*[value for value, _ in rows], *compared), rows[0][0].shape)


def _with_indices(node: Node, values: Mapping[str, Affine]) -> Node:
    """The node with its own affine forms substituted; arguments untouched."""
    if isinstance(node, Signal):
        return node.at(node.time.substitute(values))
    if isinstance(node, IndexValue):
        return index_value(node.form.substitute(values))
    if isinstance(node, Iverson):
        return iverson(node.form.substitute(values))
    if isinstance(node, Name) and node.time is not None:
        return name(node.name, node.shape, node.time.substitute(values))
    if isinstance(node, Power):
        exponent = node.exponent.substitute(values)
        if exponent != node.exponent:
            return OPERATORS["power"](node.base, exponent)
    if isinstance(node, Fold):
        return Fold(
            (node.kind, node.index, node.lower.substitute(values), node.upper.substitute(values)),
            node.args,
            node.shape,
        )
    if isinstance(node, Cases):
        key = tuple(
            tuple(
                (
                    left if isinstance(left, int) else left.substitute(values),
                    relation,
                    right if isinstance(right, int) else right.substitute(values),
                )
                for left, relation, right in row
            )
            for row in node.key[0]
        )
        return Cases((key,), node.args, node.shape)
    return node


def substitute_indices(node: Node, values: Mapping[str, Affine]) -> Node:
    """Replace times and free indices by affine forms, everywhere in a formula."""
    return transform(node, lambda item: _with_indices(item, values))


def rename_index(node: Node, old: str, new: str) -> Node:
    """Rename a free index where no binder inside can capture the new name."""
    values = {old: symbol(new)}
    done: dict[Node, Node] = {}
    for item in walk(node):
        done[item] = _with_indices(item.with_args(tuple(done[a] for a in item.args)), values)
    return done[node]


_fresh = count()


def open_fold(node: Fold) -> tuple[str, Node]:
    """A name that occurs nowhere else, and the body with the bound index called so."""
    fresh = f"%{next(_fresh)}"
    return fresh, rename_index(node.body, node.index, fresh)


def transform(node: Node, change: Callable[[Node], Node]) -> Node:
    """Rebuild a formula from its leaves, each rebuilt node passed through ``change`` once.

    Bound indices are opened with fresh names on the way, so what ``change`` puts in
    can never be captured by a binder.
    """
    done: dict[Node, Node] = {}

    def rebuild(item: Node) -> Node:
        found = done.get(item)
        if found is not None:
            return found
        if isinstance(item, Fold):
            fresh, body = open_fold(item)
            result = fold(item.kind, fresh, item.lower, item.upper, rebuild(body))
        else:
            result = item.with_args(tuple(rebuild(a) for a in item.args))
        result = done[item] = change(result)
        return result

    return rebuild(node)


def walk(*roots: Node) -> list[Node]:
    """Every distinct node below the roots, arguments before the nodes that use them."""
    seen: dict[Node, None] = {}
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        item, ready = stack.pop()
        if item in seen:
            continue
        if ready:
            seen[item] = None
        else:
            stack.append((item, True))
            stack.extend((a, False) for a in reversed(item.args) if a not in seen)
    return list(seen)


def signals_in(*roots: Node) -> list[Signal]:
    """The signals, each at each of its times once, in the order of first use."""
    return [node for node in walk(*roots) if isinstance(node, Signal)]


def params_in(*roots: Node) -> list[Param]:
    """The parameters in the order of first use."""
    return [node for node in walk(*roots) if isinstance(node, Param)]
