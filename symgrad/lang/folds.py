"""Evaluation of Σ and Π in time linear in their range, and less where much is known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from symgrad.lang.affine import Affine
from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.environment import Environment, Kept
from symgrad.lang.nodes import (
    SCALAR,
    Cases,
    Derivative,
    Fold,
    IndexValue,
    Iverson,
    Name,
    Node,
    Power,
    Signal,
    walk,
)


class FoldRunner:
    """Runs a Σ or a Π; continues a Π from the neighbouring range, and a Σ from a smaller T.

    ``body`` evaluates the body in an environment.
    """

    def __init__(
        self, node: Fold, algebra: Algebra, body: Callable[[Environment], list[Value]]
    ) -> None:
        self.node = node
        self.algebra = algebra
        self.body = body
        self.scalar = node.shape == SCALAR
        inside = _indices(node.body) - {node.index}
        # The body depends on no other bound index: its products can be continued.
        self.reusable = not any(name.startswith("#") for name in inside)
        # Nor on T: over one run, the sum up to T is continued from the one up to T - 1.
        self.lasting = "T" not in inside and not any(
            isinstance(item, Name | Derivative) for item in walk(node.body)
        )
        self.free = tuple(sorted(inside))
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
                value = self._times(known[lower + 1, upper], self._factor(env, lower))
            elif (lower, upper - 1) in known:
                value = self._times(self._factor(env, upper), known[lower, upper - 1])
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
            return self.body(env)[0]
        finally:
            if before is None:
                del env.indices[self.node.index]
            else:
                env.indices[self.node.index] = before

    def _sum(self, env: Environment, lower: int, upper: int) -> Value:
        if self.lasting and env.kept is not None:
            return self._continued(env, env.kept, lower, upper)
        # Downwards: the products inside then grow by one factor at a time.
        total = self._body(env, upper)
        for position in range(upper - 1, lower - 1, -1):
            total = self.algebra.add(total, self._body(env, position))
        return total

    def _continued(self, env: Environment, kept: Kept, lower: int, upper: int) -> Value:
        # A size among them has no index: it is the same in the whole run.
        key = (self.node, tuple(env.indices.get(name) for name in self.free))
        first, last, total = kept.get(key, (lower, lower - 1, None))
        if first != lower or last > upper:
            last, total = lower - 1, None
        for position in range(last + 1, upper + 1):
            term = self._body(env, position)
            total = term if total is None else self.algebra.add(total, term)
        kept[key] = (lower, upper, total)
        return total

    def _product(self, env: Environment, lower: int, upper: int) -> Value:
        result = self._factor(env, lower)
        for position in range(lower + 1, upper + 1):
            result = self._times(self._factor(env, position), result)
        return result

    def _factor(self, env: Environment, position: int) -> Value:
        """A factor of a product; over one run it is the same for every T and every range."""
        if env.kept is None or self.free or not self.lasting:
            return self._body(env, position)
        key = (self.node, (position,))
        if key not in env.kept:
            env.kept[key] = self._body(env, position)
        return env.kept[key]

    def _times(self, later: Value, earlier: Value) -> Value:
        rows, columns = self.node.shape
        if self.scalar or rows != columns:
            return self.algebra.mul(later, earlier)
        return self.algebra.matmul(later, earlier)


def _indices(node: Node) -> set[str]:
    """Names of indices that occur free in the formula, T among them."""
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
            names.update(item.condition_names)
        for form in forms:
            names.update(form.names)
        if isinstance(item, Fold):
            inner = _indices(item.body) - {item.index}
            names.update(inner)
            return
        for argument in item.args:
            visit(argument)

    visit(node)
    return names
