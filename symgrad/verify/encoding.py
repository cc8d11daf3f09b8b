"""The canonical encoding of formulas as JSON, in which proofs and their theorems are written.

Equal formulas have equal encodings, so a theorem that the kernel returns can be compared with
a cell and a displayed formula. The kernel reads this language and imports nothing of it; what
each list means stands in docs/proofs.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symgrad.lang.affine import Affine, as_affine
from symgrad.lang.nodes import (
    SCALAR,
    Apply,
    Block,
    Cases,
    Condition,
    Const,
    Derivative,
    Fold,
    Full,
    IndexValue,
    Iverson,
    Node,
    Param,
    Power,
    Shape,
    Signal,
)

Term = list[Any]
_ONE = {"": 1}
#: Constant powers up to this are written as products, so that they have a derivative.
_WRITTEN_OUT = 8
#: The function 1/x, which has no name elsewhere.
INVERSE = "inv"


class NotEncoded(Exception):
    """The formula has no place in the language of proofs; the message names the part."""


def canonical(value: Any) -> str:
    """JSON as one text: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def affine(form: Affine | int, bound: Mapping[str, int] | None = None) -> dict[str, int]:
    """``T - k - 1`` as ``{"T": 1, "k": -1, "": -1}``; bound indices as @0 for the nearest."""
    form, depths = as_affine(form), bound or {}
    terms = {f"@{depths[n]}" if n in depths else n: c for n, c in form.terms}
    return terms | ({"": form.const} if form.const else {})


def sizes(shape: Shape) -> list[Any]:
    """Rows and columns; nothing for a number."""
    return [] if shape == SCALAR else [affine(side) for side in shape]


def encode(node: Node, bound: Mapping[str, int] | None = None) -> Term:
    """A formula as nested lists.

    Raises:
        NotEncoded: a part of it has no place in the language.
    """
    return _Encoder(bound or {}).term(node)


def paths(along: Iterable[str]) -> str:
    """What a derivative goes along: ``d`` through everything, else ``c,h,`` those signals."""
    return "".join(f"{name}," for name in sorted(along)) or "d"


def joined(head: str, terms: Sequence[Term]) -> Term:
    """A sum or a product; of one term, that term."""
    return [head, *terms] if len(terms) > 1 else terms[0]


def number(value: Any) -> Term:
    """A rational number."""
    return ["num", str(value)]


def zero(shape: Shape) -> Term:
    """A number 0, or a matrix of zeros."""
    return number(0) if shape == SCALAR else ["mul", number(0), ["ones", *sizes(shape)]]


def ones(shape: Shape) -> Term:
    """A number 1, or a matrix of ones."""
    return number(1) if shape == SCALAR else ["ones", *sizes(shape)]


def identity(shape: Shape) -> Term:
    """The number 1, or an identity matrix."""
    return number(1) if shape == SCALAR else ["diag", ["ones", affine(shape[0]), dict(_ONE)]]


class _Encoder:
    """Encodes below some binders; ``bound`` counts how many stand between an index and here."""

    def __init__(self, bound: Mapping[str, int]) -> None:
        self.bound = bound

    def affine(self, form: Affine) -> dict[str, int]:
        return affine(form, self.bound)

    def term(self, node: Node) -> Term:
        if isinstance(node, Const):
            return number(node.value)
        if isinstance(node, Full):
            made = {"identity": identity, "zeros": zero, "ones": ones}[node.kind]
            return made(node.shape)
        if isinstance(node, Param):
            return ["par", node.name, *sizes(node.shape)]
        if isinstance(node, Signal):
            if node.adjoint:
                raise NotEncoded(f"{node!r}: adjoints have no place in proofs")
            return ["sig", node.name, self.affine(node.time), *sizes(node.shape)]
        if isinstance(node, IndexValue):
            return ["int", self.affine(node.form)]
        if isinstance(node, Iverson):
            return ["cases", self.affine(node.form), number(1), number(0)]
        if isinstance(node, Power):
            return self.power(node)
        if isinstance(node, Fold):
            return self.fold(node)
        if isinstance(node, Block):
            return self.block(node)
        if isinstance(node, Cases):
            return self.cases(node)
        if isinstance(node, Derivative) and node.kind in ("total", "restricted"):
            return ["der", self.term(node.of), self.term(node.wrt), paths(node.along)]
        if isinstance(node, Apply):
            return self.application(node)
        raise NotEncoded(f"{node!r} has no place in the language of proofs")

    def application(self, node: Apply) -> Term:
        name, args = node.head.name, node.args
        if name == "add":
            return joined("add", [self.wide(argument, node.shape) for argument in args])
        if name == "neg":
            return ["mul", number(-1), self.term(args[0])]
        if name == "matmul":
            return joined("mul", [self.term(argument) for argument in args])
        if name == "mul":
            return self.product(list(args), node)
        if name == "div":
            over = self.wide(args[0], node.shape)
            if isinstance(args[1], Const):
                return ["mul", number(1 / args[1].value), over]
            under = ["call", INVERSE, self.term(args[1])]
            if args[1].is_scalar:
                return ["mul", under, over]
            return self.scaled(under, args[1].shape, over)
        if name == "transpose":
            return ["T", self.term(args[0])]
        if name == "diag":
            return ["diag", self.term(args[0])]
        if name == "total":
            rows, columns = args[0].shape
            left = ["T", ones((rows, as_affine(1)))]
            right = [] if columns == as_affine(1) else [ones((columns, as_affine(1)))]
            return ["mul", left, self.term(args[0]), *right]
        if node.head.elementwise and name != INVERSE:
            return ["call", name, self.term(args[0])]
        raise NotEncoded(f"{name} has no place in the language of proofs")

    def wide(self, node: Node, shape: Shape) -> Term:
        """A number beside matrices stands for a matrix of it."""
        if node.shape == shape:
            return self.term(node)
        return ["mul", self.term(node), ones(shape)]

    def product(self, args: list[Node], node: Node) -> Term:
        """Entry by entry: diag(u) v for columns. A product of matrices in it stands last."""
        numbers = [self.term(a) for a in args if a.is_scalar]
        wide = sorted((a for a in args if not a.is_scalar), key=_has_product)
        if not wide:
            return joined("mul", numbers)
        result = self.term(wide[-1])
        for factor in reversed(wide[:-1]):
            result = self.scaled(self.term(factor), factor.shape, result)
        return ["mul", *numbers, result] if numbers else result

    def scaled(self, factor: Term, shape: Shape, other: Term) -> Term:
        if shape[1] != as_affine(1):
            raise NotEncoded("an elementwise product of matrices has no place in proofs")
        return ["mul", ["diag", factor], other]

    def power(self, node: Power) -> Term:
        base, exponent = self.term(node.base), node.exponent
        if not node.is_scalar and not node.is_matrix_power:
            if not exponent.is_const or not 1 <= exponent.const <= _WRITTEN_OUT:
                raise NotEncoded(f"{node!r}: a power of a column has a small exponent in proofs")
            result = base
            for _ in range(exponent.const - 1):
                result = self.scaled(base, node.shape, result)
            return result
        if exponent.is_const and -_WRITTEN_OUT <= exponent.const <= _WRITTEN_OUT:
            if exponent.const > 0:
                return joined("mul", [base] * exponent.const)
            if exponent.const < 0 and node.is_scalar:
                return joined("mul", [["call", INVERSE, base]] * -exponent.const)
        return ["pow", base, self.affine(exponent)]

    def fold(self, node: Fold) -> Term:
        rows, columns = node.shape
        if node.kind == "prod" and rows != columns:
            raise NotEncoded("a product over time of columns has no place in proofs")
        inner = {name: depth + 1 for name, depth in self.bound.items()} | {node.index: 0}
        limits = [self.affine(node.lower), self.affine(node.upper)]
        return [node.kind, *limits, _Encoder(inner).term(node.body)]

    def block(self, node: Block) -> Term:
        heights = [row[0].shape[0] for row in node.rows]
        widths = [cell.shape[1] for cell in node.rows[0]]
        terms: list[Term] = []
        for i, row in enumerate(node.rows):
            for j, cell in enumerate(row):
                value = self.term(cell)
                left = [] if len(heights) == 1 else [unit(i, heights)]
                right = [] if len(widths) == 1 else [["T", unit(j, widths)]]
                if not _is_zero(cell):
                    terms.append(joined("mul", [*left, value, *right]))
        return joined("add", terms) if terms else zero(node.shape)

    def cases(self, node: Cases) -> Term:
        result = self.term(node.values[-1])
        rows = zip(node.values[:-1], node.conditions[:-1], strict=True)
        for value, conditions in reversed(list(rows)):
            if len(conditions) != 1 or not _equates_times(conditions[0]):
                raise NotEncoded("cases on other than one time have no place in proofs")
            (condition,) = conditions
            assert isinstance(condition.left, Affine)
            assert isinstance(condition.right, Affine)
            gap = condition.left - condition.right
            result = ["cases", self.affine(gap), self.term(value), result]
        return result


def unit(place: int, parts: list[Affine]) -> Term:
    """The columns of the identity that belong to one block: what stands before, in, after it."""
    before = sum(parts[:place], as_affine(0))
    after = sum(parts[place + 1 :], as_affine(0))
    return ["unit", affine(before), affine(parts[place]), affine(after)]


def _equates_times(condition: Condition) -> bool:
    sides = (condition.left, condition.right)
    return condition.relation == "=" and all(isinstance(side, Affine) for side in sides)


def _has_product(node: Node) -> bool:
    """Whether a product of matrices is in it, other than below a function of entries."""
    if isinstance(node, Fold) or (isinstance(node, Apply) and node.head.name == "matmul"):
        return True
    if isinstance(node, Apply) and node.head.elementwise and len(node.args) == 1:
        return node.head.name == "neg" and _has_product(node.args[0])
    return any(map(_has_product, node.args))


def _is_zero(node: Node) -> bool:
    if isinstance(node, Const):
        return node.value == 0
    return isinstance(node, Full) and node.kind == "zeros"
