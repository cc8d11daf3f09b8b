"""The base of all nodes: interning, shapes, operators.

Equal nodes are one object, so a formula is a graph and not a tree, comparing is ``is``,
and work on shared parts is done once. A node computes nothing: its head is a
``Primitive`` record that ``ops`` fills, and the operators ``+ - * / @ **`` ask a
registry that ``ops`` fills too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, TypeAlias
from weakref import WeakValueDictionary

from symgrad.lang.affine import ONE, Affine, as_affine
from symgrad.lang.display import Displayable

Shape: TypeAlias = tuple[Affine, Affine]
SCALAR: Shape = (ONE, ONE)


@dataclass(frozen=True, eq=False)
class Primitive:
    """One operation of the language.

    Attributes:
        name: its name in plain text.
        shape: the shape of the result from the arguments' shapes; raises ``ShapeError``.
        evaluate: its value in an algebra, from the algebra and the arguments' values.
        cost: what one call counts as an operation, from the number of arguments.
        elementwise: True for a function applied to each entry of its one argument.
        partials: the derivative table, ``(ans, *args) -> partial of each argument``,
            for operations that act entry by entry. Only calculus may read it.
        transpose: for an operation linear in each argument, the adjoint map in
            argument i, ``(i, cotangent, args) -> cotangent of argument i``.
        factor: the matrix left of the differential of argument i, ``(i, args, ans) ->
            matrix``; None where the differential does not stand on the right.
        pull: for a function of a whole column, ``(i, cotangent, ans, args) -> cotangent of
            argument i``.
        definition: for an elementwise function, its value through ``exp`` and
            arithmetic, ``(algebra, value) -> value``.
    """

    name: str
    shape: Callable[..., Shape]
    evaluate: Callable[..., Any]
    cost: Callable[[int], int] = lambda count: 1
    elementwise: bool = False
    partials: Callable[..., tuple[Node, ...]] | None = None
    transpose: Callable[[int, Node, tuple[Node, ...]], Node] | None = None
    factor: Callable[[int, tuple[Node, ...], Node], Node | None] | None = None
    pull: Callable[[int, Node, Node, tuple[Node, ...]], Node] | None = None
    definition: Callable[..., Any] | None = None
    definition_text: str = ""

    def __repr__(self) -> str:
        return f"Primitive({self.name})"


_INTERNED: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()

#: Smart constructors by primitive name, filled by ``ops``; they fold zeros and ones.
OPERATORS: dict[str, Callable[..., Node]] = {}

Operand: TypeAlias = "Node | int | Fraction"


class Node(Displayable):
    """Base of all nodes. Shape is (rows, columns); a scalar is (1, 1), a vector (n, 1)."""

    __slots__ = ("__weakref__", "args", "key", "shape")
    display_kind: ClassVar[str] = "node"

    shape: Shape
    args: tuple[Node, ...]
    key: tuple[Any, ...]

    def __new__(cls, key: tuple[Any, ...], args: tuple[Node, ...], shape: Shape) -> Node:
        full = (cls, key, args, shape)
        found = _INTERNED.get(full)
        if found is not None:
            return found
        node = object.__new__(cls)
        object.__setattr__(node, "key", key)
        object.__setattr__(node, "args", args)
        object.__setattr__(node, "shape", shape)
        _INTERNED[full] = node
        return node

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"nodes are immutable: cannot set {name!r}")

    def with_args(self, args: tuple[Node, ...]) -> Node:
        """The same node over other arguments; shapes are recomputed where they can change."""
        return self if args == self.args else type(self)(self.key, args, self.shape)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.key, self.args, self.shape))

    @property
    def is_scalar(self) -> bool:
        return self.shape == SCALAR

    @property
    def T(self) -> Node:
        return OPERATORS["transpose"](self)

    def __add__(self, other: Operand) -> Node:
        return OPERATORS["add"](self, other)

    def __radd__(self, other: Operand) -> Node:
        return OPERATORS["add"](other, self)

    def __sub__(self, other: Operand) -> Node:
        return OPERATORS["sub"](self, other)

    def __rsub__(self, other: Operand) -> Node:
        return OPERATORS["sub"](other, self)

    def __neg__(self) -> Node:
        return OPERATORS["neg"](self)

    def __mul__(self, other: Operand) -> Node:
        return OPERATORS["mul"](self, other)

    def __rmul__(self, other: Operand) -> Node:
        return OPERATORS["mul"](other, self)

    def __matmul__(self, other: Node) -> Node:
        return OPERATORS["matmul"](self, other)

    def __truediv__(self, other: Operand) -> Node:
        return OPERATORS["div"](self, other)

    def __rtruediv__(self, other: Operand) -> Node:
        return OPERATORS["div"](other, self)

    def __pow__(self, exponent: int | Affine) -> Node:
        return OPERATORS["power"](self, as_affine(exponent))

    def __bool__(self) -> bool:
        raise TypeError("a formula is neither true nor false; compare with `is` or ask verify")

    def __repr__(self) -> str:
        return self.plain_text()
