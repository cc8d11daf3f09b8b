"""Evaluation: formulas as lists of instructions over any algebra.

``Tape`` orders the distinct nodes of some formulas once; running it costs one call
per node. Bodies of Σ and Π and the branches of cases are tapes of their own, run
only where needed. A product Π_{j=k+1}^{T} inside a sum over k is continued from the
product for k + 1, so the expanded form of a gradient is evaluated in time linear in T.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from operator import eq, ge, lt, ne

from symgrad.lang.affine import Affine
from symgrad.lang.algebra import Algebra, Value, is_array
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
    Name,
    Node,
    Param,
    Power,
    Shape,
    Signal,
    Slice,
    index_value,
)


def _no_name(node: Node) -> Value:
    raise KeyError(f"no value for {node!r}")


@dataclass
class Environment:
    """What the names in a formula stand for.

    Attributes:
        params: value of each parameter by name.
        signal: value of a signal or an adjoint, from its label and its time.
        indices: value of T, t, k and other free indices.
        sizes: value of n, m and other sizes (not needed in the scalar reading).
        named: value of a ``Name`` or a ``Derivative`` that stands in the formula.
    """

    params: Mapping[str, Value]
    signal: Callable[[str, int], Value]
    indices: dict[str, int]
    sizes: Mapping[str, int] = field(default_factory=dict)
    named: Callable[[Node], Value] = _no_name

    def number(self, form: Affine) -> int:
        """The value of an affine form in times, indices and sizes."""
        return form.value({**self.sizes, **self.indices})

    def shape(self, shape: Shape) -> tuple[int, int]:
        return (shape[0].value(self.sizes), shape[1].value(self.sizes))


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
            runner = _FoldRunner(node, self.algebra)
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


class _FoldRunner:
    """Runs a Σ or a Π; continues products from the neighbouring range where it can."""

    def __init__(self, node: Fold, algebra: Algebra) -> None:
        self.node = node
        self.algebra = algebra
        self.tape = Tape([node.body], algebra)
        self.scalar = node.shape == SCALAR
        # The body depends on no other bound index: its products can be continued.
        self.reusable = not _bound_indices(node.body) - {node.index}
        self._known: dict[tuple[int, int], Value] = {}
        self._owner: tuple[Environment, tuple[tuple[str, int], ...]] | None = None

    def run(self, env: Environment) -> Value:
        node = self.node
        lower, upper = node.lower.value(env.indices), node.upper.value(env.indices)
        if upper < lower:
            return self._empty(env)
        if node.kind == "sum":
            return self._sum(env, lower, upper)
        if not self.reusable:
            return self._product(env, lower, upper)
        free = tuple(sorted((n, v) for n, v in env.indices.items() if not n.startswith("#")))
        if self._owner is None or self._owner[0] is not env or self._owner[1] != free:
            self._owner, self._known = (env, free), {}
        known = self._known
        if (lower, upper) not in known:
            if (lower + 1, upper) in known:
                value = self._times(known[lower + 1, upper], self._body(env, lower))
            elif (lower, upper - 1) in known:
                value = self._times(self._body(env, upper), known[lower, upper - 1])
            else:
                value = self._product(env, lower, upper)
            known[lower, upper] = value
        return known[lower, upper]

    def _empty(self, env: Environment) -> Value:
        if self.node.kind == "sum":
            if self.scalar:
                return self.algebra.const(Fraction(0))
            return self.algebra.zeros(*env.shape(self.node.shape))
        if self.scalar:
            return self.algebra.const(Fraction(1))
        rows, columns = env.shape(self.node.shape)
        if rows == columns:
            return self.algebra.eye(rows)
        return self.algebra.filled(rows, columns, Fraction(1))

    def _body(self, env: Environment, position: int) -> Value:
        before = env.indices.get(self.node.index)
        env.indices[self.node.index] = position
        try:
            return self.tape.run(env)[0]
        finally:
            if before is None:
                del env.indices[self.node.index]
            else:
                env.indices[self.node.index] = before

    def _sum(self, env: Environment, lower: int, upper: int) -> Value:
        # Downwards: the products inside then grow by one factor at a time.
        total = self._body(env, upper)
        for position in range(upper - 1, lower - 1, -1):
            total = self.algebra.add(total, self._body(env, position))
        return total

    def _product(self, env: Environment, lower: int, upper: int) -> Value:
        result = self._body(env, lower)
        for position in range(lower + 1, upper + 1):
            result = self._times(self._body(env, position), result)
        return result

    def _times(self, later: Value, earlier: Value) -> Value:
        rows, columns = self.node.shape
        if self.scalar or rows != columns:
            return self.algebra.mul(later, earlier)
        return self.algebra.matmul(later, earlier)


def _bound_indices(node: Node) -> set[str]:
    """Names of canonical bound indices that occur free in the formula."""
    names: set[str] = set()
    seen: set[Node] = set()

    def visit(item: Node) -> None:
        if item in seen:
            return
        seen.add(item)
        forms: list[Affine] = []
        if isinstance(item, Signal):
            forms = [item.time]
        elif isinstance(item, IndexValue | Iverson):
            forms = [item.form]
        elif isinstance(item, Power):
            forms = [item.exponent]
        elif isinstance(item, Fold):
            forms = [item.lower, item.upper]
        elif isinstance(item, Name) and item.time is not None:
            forms = [item.time]
        elif isinstance(item, Cases):
            names.update(n for n in item.condition_names if n.startswith("#"))
        for form in forms:
            names.update(n for n in form.names if n.startswith("#"))
        if isinstance(item, Fold):
            inner = _bound_indices(item.body) - {item.index}
            names.update(inner)
            return
        for argument in item.args:
            visit(argument)

    visit(node)
    return names


def evaluate(node: Node, algebra: Algebra, environment: Environment) -> Value:
    """The value of one formula."""
    return Tape([node], algebra).run(environment)[0]
