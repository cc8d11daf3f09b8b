"""Evaluation: formulas as lists of instructions over any algebra.

``Tape`` orders the distinct nodes of some formulas once; running it costs one call
per node. Bodies of Σ and Π and the branches of cases are tapes of their own, run
only where needed. A product Π_{j=k+1}^{T} inside a sum over k is continued from the
product for k + 1, so the expanded form of a gradient is evaluated in time linear in T.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial
from operator import eq, ge, lt, ne

from symgrad.lang.affine import Affine
from symgrad.lang.algebra import Algebra, Value, is_array
from symgrad.lang.environment import Environment as Environment
from symgrad.lang.folds import FoldRunner
from symgrad.lang.nodes import (
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
    Name,
    Node,
    Param,
    Power,
    Signal,
    Slice,
    index_value,
)

Instruction = Callable[[list[Value], Environment], Value]

# Nearly all of the time goes into operations of the algebra on one or two values: they are
# told apart from other instructions, so that none is a call of a call. Where values are residues
# (``Algebra.modulus``) sums and products are not calls at all.
_ANY, _ONE, _TWO, _SUM, _PRODUCT = range(5)

#: What kind of instruction, what to call, and the places of one or two arguments.
_Step = tuple[int, Callable[..., Value], int, int]


class Tape:
    """The distinct nodes of ``roots`` in order, ready to run in one algebra."""

    def __init__(self, roots: Iterable[Node], algebra: Algebra) -> None:
        self.algebra = algebra
        self._slots: dict[Node, int] = {}
        self._steps: list[_Step] = []
        self._outputs = [self._place(root) for root in roots]

    def run(self, environment: Environment) -> list[Value]:
        """The values of the roots."""
        values: list[Value] = []
        append = values.append
        modulus = self.algebra.modulus
        for kind, call, left, right in self._steps:
            if kind == _PRODUCT:
                append(values[left] * values[right] % modulus)
            elif kind == _SUM:
                append((values[left] + values[right]) % modulus)
            elif kind == _TWO:
                append(call(values[left], values[right]))
            elif kind == _ONE:
                append(call(values[left]))
            else:
                append(call(values, environment))
        return [values[slot] for slot in self._outputs]

    def _place(self, node: Node) -> int:
        found = self._slots.get(node)
        if found is not None:
            return found
        if isinstance(node, Fold | Cases):
            self._add(self._lazy(node))
        else:
            # A derivative is a name: what it is of has a value only for whoever knows it.
            parts = () if isinstance(node, Derivative) else node.args
            arguments = [self._place(argument) for argument in parts]
            if isinstance(node, Apply):
                self._call(node.head.evaluate, arguments)
            else:
                self._add(self._strict(node, arguments))
        slot = self._slots[node] = len(self._steps) - 1
        return slot

    def _add(self, instruction: Instruction) -> None:
        self._steps.append((_ANY, instruction, 0, 0))

    def _call(self, function: Callable[..., Value], arguments: list[int]) -> None:
        algebra = self.algebra
        bind = getattr(function, "bind", None)
        first, *others = arguments
        if bind is None and len(others) > 1:
            self._add(lambda values, env: function(algebra, *[values[a] for a in arguments]))
            return
        operation = partial(function, algebra) if bind is None else bind(algebra)
        if not others:
            self._steps.append((_ONE, operation, first, 0))
            return
        kind = _TWO
        if algebra.modulus:
            kind = {"add": _SUM, "mul": _PRODUCT}.get(getattr(function, "method", ""), _TWO)
        for other in others:
            # From the left, as the operation itself takes many arguments.
            self._steps.append((kind, operation, first, other))
            first = len(self._steps) - 1

    def _strict(self, node: Node, arguments: list[int]) -> Instruction:
        algebra = self.algebra
        if isinstance(node, Const):
            constant = algebra.const(node.value)
            return lambda values, env: constant
        if isinstance(node, Param):
            name = node.name
            return lambda values, env: env.params[name]
        if isinstance(node, Signal):
            label, time = node.label, node.time
            if len(time.terms) == 1 and time.terms[0][1] == 1:
                # t - 1, the time of nearly every signal.
                (letter, _), shift = time.terms[0], time.const
                return lambda values, env: env.signal(label, env.indices[letter] + shift)
            return lambda values, env: env.signal(label, time.value(env.indices))
        if isinstance(node, Power):
            exponent, matrix, (base,) = node.exponent, node.is_matrix_power, arguments
            return lambda values, env: integer_power(
                algebra, values[base], exponent.value(env.indices), matrix
            )
        if isinstance(node, IndexValue):
            form = node.form
            return lambda values, env: algebra.index(env.number(form))
        if isinstance(node, Iverson):
            form = node.form
            return lambda values, env: algebra.const(
                Fraction(1 if form.value(env.indices) == 0 else 0)
            )
        if isinstance(node, Full):
            kind, shape = node.kind, node.shape
            return lambda values, env: full_value(algebra, kind, env.shape(shape))
        if isinstance(node, Block):
            height, width = node.grid
            return lambda values, env: algebra.blocks(
                [[values[a] for a in arguments[r * width : (r + 1) * width]] for r in range(height)]
            )
        if isinstance(node, Slice):
            start, size, (whole,) = node.start, node.shape, arguments
            return lambda values, env: algebra.part(
                values[whole], env.shape(start), env.shape(size)
            )
        if isinstance(node, Name | Derivative):
            return lambda values, env: env.named(node)
        raise TypeError(f"cannot evaluate a {type(node).__name__}")

    def _lazy(self, node: Fold | Cases) -> Instruction:
        if isinstance(node, Fold):
            runner = FoldRunner(node, self.algebra, Tape([node.body], self.algebra).run)
            return lambda values, env: runner.run(env)
        algebra = self.algebra
        branches = [Tape([value], algebra) for value in node.values]
        tests = [[_test(c, algebra) for c in row] for row in node.conditions]

        def choose(values: list[Value], env: Environment) -> Value:
            for branch, conditions in zip(branches, tests, strict=True):
                if all(test(env) for test in conditions):
                    return branch.run(env)[0]
            raise AssertionError("the last case has no condition")

        return choose


_RELATIONS: dict[str, Callable[[int, int], bool]] = {"=": eq, "≠": ne, "≥": ge, "<": lt}


def _operand(side: Affine | Node) -> Node:
    return index_value(side) if isinstance(side, Affine) else side


def _test(condition: Condition, algebra: Algebra) -> Callable[[Environment], bool]:
    relation = condition.relation
    left, right = condition.left, condition.right
    if isinstance(left, Affine) and isinstance(right, Affine):
        gap = left - right
        compare = _RELATIONS[relation]
        return lambda env: compare(gap.value(env.indices), 0)
    if relation not in ("=", "≠"):
        raise TypeError(f"formulas can be compared with = and ≠ only, got {relation}")
    tape = Tape([_operand(left), _operand(right)], algebra)

    def same(env: Environment) -> bool:
        first, second = tape.run(env)
        return algebra.equal(first, second) == (relation == "=")

    return same


def integer_power(algebra: Algebra, base: Value, exponent: int, matrix: bool) -> Value:
    """``base ** exponent`` by squaring; exponent 0 gives 1, also for base 0."""
    multiply = algebra.matmul if matrix else algebra.mul
    if exponent < 0:
        if matrix:
            raise ArithmeticError("a matrix power with a negative exponent")
        base, exponent = algebra.inverse(base), -exponent
    if exponent == 0:
        if not is_array(base):
            return algebra.const(Fraction(1))
        if matrix:
            return algebra.eye(base.shape[-1])
        return algebra.filled(base.shape[-2], base.shape[-1], Fraction(1))
    result: Value = None
    square = base
    while exponent:
        if exponent & 1:
            result = square if result is None else multiply(result, square)
        exponent >>= 1
        if exponent:
            square = multiply(square, square)
    return result


def full_value(algebra: Algebra, kind: str, shape: tuple[int, int]) -> Value:
    """The identity, zeros or ones, as an array."""
    if kind == "identity":
        return algebra.eye(shape[0])
    return algebra.filled(*shape, Fraction(1 if kind == "ones" else 0))


def tape_of(roots: Iterable[Node], algebra: Algebra) -> Tape:
    """The tape of some formulas, made once for an algebra and kept with it."""
    key = tuple(roots)
    found = algebra.tapes.get(key)
    if found is None:
        found = algebra.tapes[key] = Tape(key, algebra)
    return found


def evaluate(node: Node, algebra: Algebra, environment: Environment) -> Value:
    """The value of one formula."""
    return Tape([node], algebra).run(environment)[0]
