"""Formulas without cases in a region of times: each case, bracket and empty range decided.

Where a region does not decide, ``Open`` names the form whose sign would; whoever asks then
splits the region there. Inside Σ and Π the range is split instead, so that
Σ_k {a if k = T; b otherwise} becomes a sum of b and one a.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from symgrad.lang.affine import Affine, symbol
from symgrad.lang.nodes import (
    Cases,
    Condition,
    Const,
    Derivative,
    Fold,
    Iverson,
    Node,
    Param,
    Power,
    const,
    fold,
    full,
    open_fold,
    substitute_indices,
)
from symgrad.verify.merging import merged
from symgrad.verify.regions import Region


class Open(Exception):
    """Whether ``form`` is at least 0 is not decided."""

    def __init__(self, form: Affine) -> None:
        super().__init__(str(form))
        self.form = form


class OpenValue(Exception):
    """Whether two numbers, such as a parameter and 1, are equal is not decided."""

    def __init__(self, left: Node, right: Node) -> None:
        super().__init__(f"{left!r} = {right!r}")
        self.sides = (left, right)


class Unresolved(Exception):
    """A case that no split decides; the message names it."""


#: Σ and Π split so often at the most, one inside the other.
_MOST_PARTS = 40

Unequal: TypeAlias = frozenset[tuple[Node, Node]]
#: What a node is equal to in a region, or the node itself; may raise ``Open``.
Rewriting: TypeAlias = Callable[[Node, Region], Node]


def as_it_is(node: Node, region: Region) -> Node:
    """No rewriting at all."""
    return node


class Resolver:
    """Rebuilds formulas.

    Args:
        unequal: pairs of numbers that are known to differ.
        rewriting: equations that may be used, each where it holds.
    """

    def __init__(self, unequal: Unequal = frozenset(), rewriting: Rewriting = as_it_is) -> None:
        self.unequal = unequal
        self.rewriting = rewriting
        self._parts = 0
        self._known: dict[tuple[Node, Region], Node] = {}

    def __call__(self, node: Node, region: Region) -> Node:
        """The formula in a region, without cases.

        Raises:
            Open: the region has to be split.
            OpenValue: values of parameters have to be told apart.
            Unresolved: no split decides it.
        """
        found = self._known.get((node, region))
        if found is None:
            found = self._known[node, region] = self._rebuilt(node, region)
        return found

    def _rebuilt(self, node: Node, region: Region) -> Node:
        if isinstance(node, Fold):
            return self._fold(node, region)
        if isinstance(node, Cases):
            return self(self._chosen(node, region), region)
        if isinstance(node, Iverson):
            return const(1 if _is_zero(node.form, region) else 0)
        if isinstance(node, Power):
            self._exponent(node, region)
        if not isinstance(node, Derivative):  # what it is of and by are names
            node = node.with_args(tuple(self(argument, region) for argument in node.args))
            node = merged(node)
        other = self.rewriting(node, region)
        return node if other is node else self(other, region)

    def _exponent(self, node: Power, region: Region) -> None:
        exponent = node.exponent
        if region.implies(exponent) or (exponent.is_const and node.is_scalar):
            return
        if not region.excludes(exponent):
            raise Open(exponent)
        # 1/w has a value but for w = 0, which the verdict says; of others nobody looks.
        if not isinstance(node.base, Param) or not node.is_scalar:
            raise Unresolved(f"{node!r} with a negative exponent")

    def _chosen(self, node: Cases, region: Region) -> Node:
        rows = zip(node.values, node.conditions, strict=True)
        return next(value for value, row in rows if all(self._holds(c, region) for c in row))

    def _holds(self, condition: Condition, region: Region) -> bool:
        left, right, relation = condition.left, condition.right, condition.relation
        if isinstance(left, Affine) and isinstance(right, Affine):
            gap = left - right
            if relation in ("=", "≠"):
                return _is_zero(gap, region) is (relation == "=")
            return _is_positive(gap, region) is (relation == "≥")
        if relation not in ("=", "≠") or isinstance(left, Affine) or isinstance(right, Affine):
            raise Unresolved(f"{left!r} {relation} {right!r}")
        return self._are_equal(left, right) is (relation == "=")

    def _are_equal(self, left: Node, right: Node) -> bool:
        if left is right:
            return True
        if isinstance(left, Const) and isinstance(right, Const):
            return left.value == right.value
        if (left, right) in self.unequal or (right, left) in self.unequal:
            return False
        raise OpenValue(left, right)

    # ---- Σ and Π ----

    def _fold(self, node: Fold, region: Region) -> Node:
        lower, upper = node.lower, node.upper
        if node.kind == "prod" and node.shape[0] != node.shape[1]:
            raise Unresolved("a product over time of columns")
        if region.implies(lower - upper - 1):
            return _over_nothing(node)
        if not region.implies(upper - lower):
            raise Open(upper - lower)
        if lower == upper:
            fresh, body = open_fold(node)
            return self(substitute_indices(body, {fresh: lower}), region)
        fresh, body = open_fold(node)
        inner = region.also(symbol(fresh) - lower, upper - symbol(fresh))
        try:
            return fold(node.kind, fresh, lower, upper, self(body, inner))
        except Open as gap:
            if fresh not in gap.form.names:
                raise
            return self._split(node, region, gap.form, fresh)

    def _split(self, node: Fold, region: Region, form: Affine, fresh: str) -> Node:
        """The range in two, where ``form`` changes its sign."""
        slope = form.coefficient(fresh)
        rest = form - symbol(fresh).scale(slope)
        if abs(slope) != 1 or self._parts == _MOST_PARTS:
            raise Unresolved(f"{form} in a range")
        self._parts += 1
        # The first index of the later part: fresh >= -rest, or fresh >= rest + 1.
        middle = -rest if slope == 1 else rest + 1
        lower, upper = node.lower, node.upper
        for needed in (middle - lower, upper + 1 - middle):
            if not region.implies(needed):
                raise Open(needed)
        earlier, later = (
            self(Fold((node.kind, node.index, first, last), node.args, node.shape), region)
            for first, last in ((lower, middle - 1), (middle, upper))
        )
        if node.kind == "sum":
            return earlier + later
        # The latest factor stands on the left.
        return later * earlier if node.is_scalar else later @ earlier


def _is_positive(form: Affine, region: Region) -> bool:
    """Whether a form is at least 0 here."""
    if region.implies(form):
        return True
    if region.excludes(form):
        return False
    raise Open(form)


def _is_zero(form: Affine, region: Region) -> bool:
    return _is_positive(form, region) and not _is_positive(form - 1, region)


def _over_nothing(node: Fold) -> Node:
    return full("zeros" if node.kind == "sum" else "identity", node.shape)
