"""The nodes of symgrad's language: frozen, hash-consed, with a shape.

Equal nodes are one object, so a formula is a graph and not a tree, comparing is
``is``, and work on shared parts is done once. A node computes nothing: its head is
a ``Primitive`` record that ``ops`` fills, and the operators ``+ - * / @ **`` ask a
registry that ``ops`` fills too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any, ClassVar, Literal, TypeAlias
from weakref import WeakValueDictionary

from symgrad.lang.affine import ONE, Affine, as_affine, symbol
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
        factor: for an operation linear in each argument, the matrix left of the
            differential of argument i, ``(i, args, result) -> matrix``; None where the
            differential does not stand on the right.
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
    definition: Callable[..., Any] | None = None
    definition_text: str = ""
    latex_name: str = ""

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


class Const(Node):
    """A rational literal."""

    __slots__ = ()

    @property
    def value(self) -> Fraction:
        value: Fraction = self.key[0]
        return value


class Full(Node):
    """A matrix of one structure: ``identity``, ``zeros`` or ``ones``, of symbolic shape."""

    __slots__ = ()

    @property
    def kind(self) -> Literal["identity", "zeros", "ones"]:
        return self.key[0]  # type: ignore[no-any-return]


class Param(Node):
    """A parameter: a scalar, a vector or a matrix that does not depend on time."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.key[0])


class Signal(Node):
    """A signal at a time: ``h_{t-1}``, ``x_k``, ``h_0``; ``adjoint`` tells λ and δ from others."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.key[0])

    @property
    def time(self) -> Affine:
        time: Affine = self.key[1]
        return time

    @property
    def adjoint(self) -> str:
        """``""`` for a signal, ``"lam"`` or ``"delta"`` for its adjoint."""
        return str(self.key[2])

    @property
    def prev(self) -> Signal:
        """The same signal one step back."""
        return self.at(self.time - 1)

    def at(self, time: Affine | int) -> Signal:
        return signal(self.name, self.shape, as_affine(time), self.adjoint)

    @property
    def label(self) -> str:
        """The name in code: ``h``, ``lam_h``, ``delta_f``."""
        return f"{self.adjoint}_{self.name}" if self.adjoint else self.name


class IndexValue(Node):
    """An affine form in times and bound indices, as a number: ``T - k`` in ``(T - k) w``."""

    __slots__ = ()

    @property
    def form(self) -> Affine:
        form: Affine = self.key[0]
        return form


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


class Iverson(Node):
    """``[form = 0]``: 1 where the affine form vanishes, else 0 (Iverson's bracket)."""

    __slots__ = ()

    @property
    def form(self) -> Affine:
        form: Affine = self.key[0]
        return form


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


class Derivative(Node):
    """A derivative by name, as it stands on the left of an equation: no rule is applied.

    kinds: ``total`` (d/dθ), ``immediate`` (∂⁺/∂θ, Pascanu et al. 2013), ``restricted``
    (only paths through the signals ``along``), ``gradient`` (of a scalar objective),
    ``loss`` (of a per-step loss with respect to the output: given data).
    """

    __slots__ = ()

    @property
    def kind(self) -> Literal["total", "immediate", "restricted", "gradient", "loss"]:
        return self.key[0]  # type: ignore[no-any-return]

    @property
    def along(self) -> tuple[str, ...]:
        return tuple(self.key[1])

    @property
    def of(self) -> Node:
        return self.args[0]

    @property
    def wrt(self) -> Node:
        return self.args[1]


class Name(Node):
    """A name for a formula: ``L``, ``M_t``. ``time`` may be absent."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.key[0])

    @property
    def time(self) -> Affine | None:
        time: Affine | None = self.key[1]
        return time

    @property
    def roman(self) -> bool:
        return bool(self.key[2])


def const(value: int | Fraction) -> Const:
    """A rational literal."""
    return Const((Fraction(value),), (), SCALAR)


def param(name: str, shape: Shape = SCALAR) -> Param:
    """A parameter."""
    return Param((name,), (), shape)


def signal(name: str, shape: Shape, time: Affine | int, adjoint: str = "") -> Signal:
    """A signal at a time; ``adjoint`` as in ``Signal``."""
    return Signal((name, as_affine(time), adjoint), (), shape)


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


def block(rows: list[tuple[Node, ...]] | tuple[tuple[Node, ...], ...]) -> Node:
    """A block matrix; one block is that block."""
    height, width = len(rows), len(rows[0])
    if height == width == 1:
        return rows[0][0]
    heights = [row[0].shape[0] for row in rows]
    widths = [cell.shape[1] for cell in rows[0]]
    total = (sum(heights[1:], heights[0]), sum(widths[1:], widths[0]))
    return Block((height, width), tuple(cell for row in rows for cell in row), total)


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
        body = _rename(body, index, from_name)
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
    if len(rows) == 1:
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


def _rename(node: Node, old: str, new: str) -> Node:
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
    return fresh, _rename(node.body, node.index, fresh)


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
