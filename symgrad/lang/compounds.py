"""Nodes over other nodes: applications, powers, Σ and Π, blocks, cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from symgrad.lang.affine import Affine
from symgrad.lang.base import OPERATORS, Node, Primitive, Shape
from symgrad.lang.leaves import Full


class Apply(Node):
    """A primitive applied to arguments."""

    __slots__ = ()

    @property
    def head(self) -> Primitive:
        head: Primitive = self.key[0]
        return head

    def with_args(self, args: tuple[Node, ...]) -> Node:
        if args == self.args:
            return self
        build = OPERATORS.get(self.head.name)
        if build is not None:
            return build(*args)
        return Apply(self.key, args, self.head.shape(*[a.shape for a in args]))


class Misfit(Node):
    """An operation whose operands do not conform.

    Kept instead of raised, so that whoever declares a cell is told in which equation
    it stands; evaluating it is an error.
    """

    __slots__ = ()

    @property
    def message(self) -> str:
        return str(self.key[0])

    @property
    def operation(self) -> str:
        return str(self.key[1])


class Power(Node):
    """An integer power. For a square matrix the matrix power, else entry by entry."""

    __slots__ = ()

    @property
    def exponent(self) -> Affine:
        exponent: Affine = self.key[0]
        return exponent

    @property
    def base(self) -> Node:
        return self.args[0]

    @property
    def is_matrix_power(self) -> bool:
        return self.shape[0] == self.shape[1] and not self.is_scalar

    def with_args(self, args: tuple[Node, ...]) -> Node:
        return Power(self.key, args, args[0].shape)


class Fold(Node):
    """Σ or Π over an integer range, empty when upper < lower (Σ = 0, Π = 1).

    The bound index has a canonical name that depends only on how deep binders nest
    inside, so formulas that differ in the letter of the index are one node. A product
    of matrices is ordered, the highest index on the left.
    """

    __slots__ = ()

    @property
    def kind(self) -> Literal["sum", "prod"]:
        return self.key[0]  # type: ignore[no-any-return]

    @property
    def index(self) -> str:
        return str(self.key[1])

    @property
    def lower(self) -> Affine:
        lower: Affine = self.key[2]
        return lower

    @property
    def upper(self) -> Affine:
        upper: Affine = self.key[3]
        return upper

    @property
    def body(self) -> Node:
        return self.args[0]

    def with_args(self, args: tuple[Node, ...]) -> Node:
        return Fold(self.key, args, args[0].shape)


class Block(Node):
    """A matrix of blocks, row by row; ``rows`` × ``columns`` blocks."""

    __slots__ = ()

    @property
    def grid(self) -> tuple[int, int]:
        return (self.key[0], self.key[1])

    @property
    def rows(self) -> tuple[tuple[Node, ...], ...]:
        height, width = self.grid
        return tuple(self.args[r * width : (r + 1) * width] for r in range(height))

    def with_args(self, args: tuple[Node, ...]) -> Node:
        height, width = self.grid
        return block([args[r * width : (r + 1) * width] for r in range(height)])


class Slice(Node):
    """Some rows and columns of a matrix: ``count`` of them from ``start`` on, the first is 0."""

    __slots__ = ()

    @property
    def start(self) -> tuple[Affine, Affine]:
        return (self.key[0], self.key[1])

    @property
    def whole(self) -> Node:
        return self.args[0]

    def with_args(self, args: tuple[Node, ...]) -> Node:
        return self if args == self.args else part(args[0], self.start, self.shape)


@dataclass(frozen=True, slots=True)
class Condition:
    """``left relation right`` between affine forms or between scalar nodes; all must hold."""

    left: Affine | Node
    relation: Literal["=", "≠", "≥", "<"]
    right: Affine | Node


class Cases(Node):
    """A function by cases: the first whose conditions all hold; the last has none.

    ``key`` holds a tuple of condition tuples; ``args`` the values, then the nodes that
    conditions compare, in order.
    """

    __slots__ = ()

    @property
    def conditions(self) -> tuple[tuple[Condition, ...], ...]:
        """One tuple of conditions per value, the last one empty."""
        nodes = self.args[len(self.key[0]) :]

        def side(entry: Affine | int) -> Affine | Node:
            return nodes[entry] if isinstance(entry, int) else entry

        return tuple(
            tuple(Condition(side(left), relation, side(right)) for left, relation, right in row)
            for row in self.key[0]
        )

    @property
    def condition_names(self) -> frozenset[str]:
        """Index names in the conditions, without those in the nodes that they compare."""
        sides = [side for row in self.conditions for c in row for side in (c.left, c.right)]
        return frozenset().union(*[side.names for side in sides if isinstance(side, Affine)])

    @property
    def values(self) -> tuple[Node, ...]:
        return self.args[: len(self.key[0])]


def part(whole: Node, start: tuple[Affine, Affine], shape: Shape) -> Node:
    """The rows and columns of a matrix from ``start`` on.

    A part of a product is a product of parts and a part of a block matrix is a block where
    it can be seen, so that W[:, :n] stands beside what it belongs to.
    """
    if shape == whole.shape:
        return whole
    return OPERATORS["part"](whole, start, shape)


def block(rows: list[tuple[Node, ...]] | tuple[tuple[Node, ...], ...]) -> Node:
    """A block matrix; one block is that block."""
    height, width = len(rows), len(rows[0])
    if height == width == 1:
        return rows[0][0]
    heights = [row[0].shape[0] for row in rows]
    widths = [cell.shape[1] for cell in rows[0]]
    total = (sum(heights[1:], heights[0]), sum(widths[1:], widths[0]))
    if all(isinstance(cell, Full) and cell.kind == "zeros" for row in rows for cell in row):
        return Full(("zeros",), (), total)
    return Block((height, width), tuple(cell for row in rows for cell in row), total)
