"""Formulas of one time step as ordered assignments: from nodes to the ops of a section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any

from symgrad.errors import NotSupportedYet
from symgrad.evaluate.compiled.items import Items, Signed, is_fixed
from symgrad.evaluate.compiled.plan import Number, Op, Operand, Role, Value
from symgrad.lang.affine import Affine
from symgrad.lang.base import Shape
from symgrad.lang.nodes import (
    SCALAR,
    Apply,
    Block,
    Const,
    Full,
    IndexValue,
    Iverson,
    Node,
    Power,
    Slice,
    walk,
)

#: Views and numbers: made again where they are needed, never kept over time.
_FREE = frozenset({"transpose", "slice", "full", "index", "iverson"})


@dataclass(frozen=True)
class Root:
    """A formula to assign; later formulas of the section may read it as ``target``."""

    value: Node
    role: Role = "temp"
    label: str = ""
    target: Node | None = None


class Lowering:
    """Lowers the sections of one plan one after another; what one computed the next reuse."""

    def __init__(self) -> None:
        self.setup: list[Op] = []
        self.known: dict[Node, Operand] = {}
        self._names = count()
        self._fixed: set[Value] = set()
        # (head, arguments, data, shape) -> what was assigned: setup's, and those kept.
        self._done: dict[tuple[Any, ...], Value] = {}

    def value(self, role: Role, label: str, shape: Shape) -> Value:
        return Value(f"v{next(self._names)}", role, label, shape)

    def given(self, node: Node, role: Role, label: str) -> Value:
        """A value from outside that stands for a node."""
        found = self.known[node] = self.value(role, label, node.shape)
        return found

    def section(
        self, roots: Sequence[Root], *, keep: bool = False
    ) -> tuple[list[Op], list[Operand]]:
        """The assignments and the operand of each root.

        ``keep``: later sections may use what this one computes (the forward pass).
        """
        return _Section(self, keep).run(roots)

    def fixed(self, operand: Operand) -> bool:
        return is_fixed(operand, self._fixed)

    def find(self, key: tuple[Any, ...]) -> Value | None:
        return self._done.get(key)

    def remember(self, key: tuple[Any, ...], value: Value, *, fixed: bool) -> None:
        self._done[key] = value
        if fixed:
            self._fixed.add(value)


class _Section:
    def __init__(self, owner: Lowering, keep: bool) -> None:
        self.owner = owner
        self.keep = keep
        self.items = Items()
        self.built: dict[Node, Signed] = {}
        self.uses: Counter[Node] = Counter()
        self.ops: list[Op] = []
        self.emitted: dict[int, Operand] = {}
        self.done: dict[tuple[Any, ...], Value] = {}
        self.wanted: dict[int, tuple[Role, str]] = {}

    def run(self, roots: Sequence[Root]) -> tuple[list[Op], list[Operand]]:
        for root in roots:
            self.uses[root.value] += 1
        for node in walk(*[root.value for root in roots]):
            self.uses.update(node.args)
        numbers: list[int] = []
        for root in roots:
            sign, number = self._build(root.value)
            if sign < 0:
                number = self._apply("neg", [number], root.value.shape)
            if root.target is not None:
                self.built[root.target] = (1, number)
            if root.label:
                self.wanted.setdefault(number, (root.role, root.label))
            numbers.append(number)
        self.items.share()
        operands = [self._emit(number) for number in numbers]
        if self.keep:
            for node, (sign, number) in self.built.items():
                free = self.items.all[number].head in _FREE
                if sign > 0 and number in self.emitted and not free:
                    self.owner.known.setdefault(node, self.emitted[number])
            for key, value in self.done.items():
                if key[0] not in _FREE:
                    self.owner.remember(key, value, fixed=False)
        return self.ops, operands

    # ---- nodes to items ----------------------------------------------------------------

    def _build(self, node: Node) -> Signed:
        found = self.built.get(node)
        if found is None:
            known = self.owner.known.get(node)
            if known is not None:
                found = (1, self.items.atom(known, fixed=self.owner.fixed(known)))
            else:
                found = self._new(node)
            self.built[node] = found
        return found

    def _new(self, node: Node) -> Signed:
        if isinstance(node, Const):
            return self._number(node.value)
        if isinstance(node, Full):
            return 1, self._apply("full", [], node.shape, node.kind)
        if isinstance(node, IndexValue):
            return 1, self._apply("index", [], SCALAR, node.form)
        if isinstance(node, Iverson):
            return 1, self._apply("iverson", [], SCALAR, node.form)
        if isinstance(node, Block):
            return 1, self._apply("block", self._plain(node.args), node.shape, *node.grid)
        if isinstance(node, Power):
            return self._power(node)
        if isinstance(node, Apply):
            return self._application(node)
        if isinstance(node, Slice):
            (row, column), (rows, columns) = node.start, node.shape
            part = (row, rows, column, columns)
            return 1, self._apply("slice", self._plain(node.args), node.shape, *part)
        raise NotSupportedYet(
            f"no code for {type(node).__name__} in {node!r}; evaluate it through lang.tape, or "
            "write it with primitives"
        )

    def _number(self, value: Fraction) -> Signed:
        return (-1 if value < 0 else 1), self.items.atom(Number(abs(value)), fixed=True)

    def _power(self, node: Power) -> Signed:
        exponent = node.exponent
        if node.is_matrix_power:
            return 1, self._apply("matpower", self._plain(node.args), node.shape, exponent)
        if not exponent.is_const:
            return 1, self._apply("power", self._plain(node.args), node.shape, exponent)
        sign, base = self._build(node.base)
        times = abs(exponent.const)
        product = (
            self.items.combine("mul", [(sign, base)] * times)
            if times
            else self._number(Fraction(1))
        )
        if exponent.const >= 0:
            return product
        one = self._number(Fraction(1))[1]
        return product[0], self._apply("div", [one, product[1]], node.shape)

    def _application(self, node: Apply) -> Signed:
        head = node.head.name
        if head == "neg":
            sign, number = self._build(node.args[0])
            return -sign, number
        if head == "add":
            return self.items.combine("add", self._terms(node, top=True), node.shape)
        if head == "mul":
            return self.items.combine("mul", self._factors(node, top=True), node.shape)
        if head in ("matmul", "div", "transpose", "total", "diag"):
            # Linear in what they take: signs move out, where sums can use them.
            parts = [self._build(a) for a in node.args]
            sign = 1
            for part_sign, _ in parts:
                sign *= part_sign
            return sign, self._apply(head, [number for _, number in parts], node.shape)
        return 1, self._apply(head, self._plain(node.args), node.shape)

    def _inside(self, node: Node, top: bool) -> bool:
        """Whether a sum (product) is used in one sum (product) only and may dissolve in it."""
        if node in self.built or node in self.owner.known:
            return False
        return top or self.uses[node] == 1

    def _terms(self, node: Node, *, top: bool = False) -> list[Signed]:
        if isinstance(node, Apply) and self._inside(node, top):
            # A scalar that broadcasts is kept as one term.
            if node.head.name == "add":
                return [term for a in node.args for term in self._terms(a)]
            if node.head.name == "neg":
                return [(-sign, number) for sign, number in self._terms(node.args[0])]
        return [self._build(node)]

    def _factors(self, node: Node, *, top: bool = False) -> list[Signed]:
        if self._inside(node, top):
            if isinstance(node, Apply) and node.head.name == "mul":
                return [factor for a in node.args for factor in self._factors(a)]
            if isinstance(node, Apply) and node.head.name == "neg":
                (first_sign, first), *rest = self._factors(node.args[0])
                return [(-first_sign, first), *rest]
            if isinstance(node, Power) and not node.is_matrix_power:
                times = node.exponent.const if node.exponent.is_const else 0
                if times > 0:
                    return self._factors(node.base) * times
        sign, number = self._build(node)
        item = self.items.all[number]
        if item.operand == Number(Fraction(1)):
            # Only the sign of a literal 1 matters, and the empty product is 1 again.
            return [(sign, number)] if sign < 0 or top else []
        return [(sign, number)]

    def _plain(self, nodes: Iterable[Node]) -> list[int]:
        """Arguments without signs."""
        numbers = []
        for node in nodes:
            sign, number = self._build(node)
            numbers.append(number if sign > 0 else self._apply("neg", [number], node.shape))
        return numbers

    def _apply(self, head: str, numbers: list[int], shape: Shape, *data: Any) -> int:
        timeless = not any(isinstance(d, Affine) and d.names & {"t", "T"} for d in data)
        return self.items.apply(head, numbers, shape, data, fixed=timeless)

    # ---- items to assignments ----------------------------------------------------------

    def _emit(self, number: int) -> Operand:
        found = self.emitted.get(number)
        if found is None:
            found = self.emitted[number] = self._assign(number)
        return found

    def _assign(self, number: int) -> Operand:
        item = self.items.all[number]
        if item.operand is not None:
            return item.operand
        if item.head == "same":
            role_label = self.wanted.get(number)
            inner = item.terms[0][1]
            if role_label is not None:
                self.wanted.setdefault(inner, role_label)
            return self._emit(inner)
        terms = list(item.terms)
        data = item.data
        if item.head == "add":
            # Positive terms first: a subtraction needs no negation.
            terms.sort(key=lambda term: term[0] < 0)
            data = tuple(sign for sign, _ in terms)
        elif item.head == "mul":
            # Scalars first: they are cheaper to multiply with each other. Then parameters.
            entries = self.items.all
            terms.sort(
                key=lambda term: (entries[term[1]].shape != SCALAR, not entries[term[1]].fixed)
            )
        args = tuple(self._emit(i) for _, i in terms)
        key = (item.head, args, data, item.shape)
        before = self.owner.find(key) or self.done.get(key)
        if before is not None:
            return before
        role: Role = "temp"
        label = ""
        if not item.fixed:
            role, label = self.wanted.get(number, (role, label))
        value = self.owner.value(role, label, item.shape)
        (self.owner.setup if item.fixed else self.ops).append(Op(value, item.head, args, data))
        if item.fixed:
            self.owner.remember(key, value, fixed=True)
        else:
            self.done[key] = value
        return value
