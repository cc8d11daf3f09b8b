"""First-order linear recurrences with constant factor, solved in exponential polynomials.

A sequence is a sum of polynomials in S times powers β^S. SymPy's rational functions are
the coefficients; what is found here is proved by induction before it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sympy

from symgrad.closed.linear import at
from symgrad.errors import NoClosedForm
from symgrad.lang.affine import T, symbol
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Const,
    IndexValue,
    Node,
    Power,
    const,
    index_value,
)

Expr = Any  # SymPy ships no types

#: Steps after the first, S = T - 1, and T itself.
STEP = sympy.Symbol("S")
COUNT = sympy.Symbol("n")


@dataclass
class Sequence:
    """Σ_i coefficient_i(S) · base_i^S: what a linear recurrence is driven by and solved with."""

    terms: list[tuple[Expr, Expr]] = field(default_factory=list)

    def add(self, coefficient: Expr, base: Expr) -> None:
        for i, (known, other) in enumerate(self.terms):
            if sympy.expand(other - base) == 0:
                self.terms[i] = (sympy.cancel(known + coefficient), other)
                return
        self.terms.append((coefficient, base))

    def plus(self, other: Sequence, scale: Expr = 1) -> Sequence:
        result = Sequence(list(self.terms))
        for coefficient, base in other.terms:
            result.add(sympy.cancel(scale * coefficient), base)
        return result

    def value(self, position: int) -> Expr:
        return sympy.cancel(sum(c.subs(STEP, position) * b**position for c, b in self.terms))


def solve(a: Expr, drive: Sequence, start: Expr) -> Sequence:
    """y with y_{S+1} = a y_S + drive(S), y_0 = start."""
    result = Sequence()
    for coefficient, base in drive.terms:
        if sympy.cancel(coefficient) == 0:
            continue
        resonant = sympy.expand(base - a) == 0
        try:
            degree = sympy.Poly(sympy.expand(coefficient), STEP).degree() + (1 if resonant else 0)
        except sympy.PolynomialError as error:
            raise NoClosedForm(f"no closed form known: {coefficient} is no polynomial") from error
        unknowns = [sympy.Symbol(f"q{i}") for i in range(degree + 1)]
        q = sum(u * STEP**i for i, u in enumerate(unknowns))
        equation = sympy.expand(base * q.subs(STEP, STEP + 1) - a * q - coefficient)
        conditions = sympy.Poly(equation, STEP).all_coeffs()
        solution = sympy.solve(conditions, unknowns, dict=True)
        if not solution:
            raise NoClosedForm("no closed form known: the recurrence has no solution of this kind")
        found = q.subs(solution[0]).subs(dict.fromkeys(unknowns, 0))
        result.add(sympy.cancel(found), base)
    result.add(sympy.cancel(start - result.value(0)), a)
    return result


class Translator:
    """Nodes of one recurrence to SymPy and back; calls and h_0 are opaque symbols."""

    def __init__(self) -> None:
        self.symbols: dict[Node, Expr] = {}
        self.nodes: dict[Expr, Node] = {}

    def opaque(self, node: Node) -> Expr:
        if node not in self.symbols:
            made = sympy.Symbol(f"v{len(self.symbols):03d}")
            self.symbols[node] = made
            self.nodes[made] = node
        return self.symbols[node]

    def expr(self, node: Node) -> Expr:
        """A formula free of time as a rational function."""
        if isinstance(node, Const):
            return sympy.Rational(node.value.numerator, node.value.denominator)
        if isinstance(node, Apply) and node.head.name in ("add", "neg", "mul", "div"):
            values = [self.expr(a) for a in node.args]
            if node.head.name == "neg":
                return -values[0]
            if node.head.name == "div":
                return values[0] / values[1]
            total = values[0]
            for value in values[1:]:
                total = total + value if node.head.name == "add" else total * value
            return total
        if isinstance(node, Power) and node.exponent.is_const:
            return self.expr(node.base) ** node.exponent.const
        if at(node, symbol("⋆")) is not node:
            raise NoClosedForm(f"no closed form known: {node!r} depends on time in no simple way")
        return self.opaque(node)

    def sequence(self, node: Node) -> Sequence:
        """A formula in t as a sequence in S = t - 1: products of powers with exponents in t."""
        result = Sequence()
        for coefficient, base in self._terms(node):
            result.add(sympy.expand(coefficient), base)
        return result

    def _terms(self, node: Node) -> list[tuple[Expr, Expr]]:
        if at(node, symbol("⋆")) is node:
            return [(self.expr(node), sympy.Integer(1))]
        if isinstance(node, Power) and node.exponent.coefficient("t"):
            slope = node.exponent.coefficient("t")
            offset = node.exponent.const + slope
            base = self.expr(node.base)
            if slope < 0 or offset < 0 or node.exponent.names != {"t"}:
                raise NoClosedForm(f"no closed form known for the exponent of {node!r}")
            return [(base**offset, base**slope)]
        if isinstance(node, Power) and node.exponent.is_const and node.exponent.const > 0:
            return self._product([node.base] * node.exponent.const)
        if isinstance(node, IndexValue) and node.form.names == {"t"}:
            slope = node.form.coefficient("t")
            return [(slope * (STEP + 1) + node.form.const, sympy.Integer(1))]
        if isinstance(node, Apply) and node.head.name == "add":
            return [term for a in node.args for term in self._terms(a)]
        if isinstance(node, Apply) and node.head.name == "neg":
            return [(-c, b) for c, b in self._terms(node.args[0])]
        if isinstance(node, Apply) and node.head.name == "mul":
            return self._product(list(node.args))
        raise NoClosedForm(f"no closed form known: {node!r} depends on time in no simple way")

    def _product(self, factors: list[Node]) -> list[tuple[Expr, Expr]]:
        result: list[tuple[Expr, Expr]] = [(sympy.Integer(1), sympy.Integer(1))]
        for factor in factors:
            result = [
                (c * d, sympy.expand(b * e)) for c, b in result for d, e in self._terms(factor)
            ]
        return result

    def node(self, expr: Expr, powers: Mapping[Expr, Node]) -> Node:
        """A SymPy rational function as a formula; ``powers`` maps stand-ins to β^T."""
        if expr.is_Rational:
            return const(Fraction(int(expr.p), int(expr.q)))
        if expr == COUNT:
            return index_value(T)
        if expr in powers:
            return powers[expr]
        if expr.is_Symbol:
            return self.nodes[expr]
        order: Callable[[Expr], str] = sympy.default_sort_key
        if expr.is_Add:
            parts = sorted(expr.args, key=lambda e: (negative(e), order(e)))
            return OPERATORS["add"](*[self.node(p, powers) for p in parts])
        if expr.is_Pow:
            base, exponent = expr.args
            if exponent.is_Integer and exponent > 0:
                return self.node(base, powers) ** int(exponent)
            if exponent.is_Integer:
                return const(1) / self.node(base, powers) ** int(-exponent)
        if expr.is_Mul:
            over, under = sympy.fraction(expr)
            if under != 1:
                made = self.node(over, powers)
                minus = isinstance(made, Apply) and made.head.name == "neg"
                ratio = (-made if minus else made) / self.node(under, powers)
                return -ratio if minus else ratio
            return self._product_node(expr, powers)
        raise NoClosedForm(f"no closed form known: cannot write {expr} as a formula")

    def _product_node(self, expr: Expr, powers: Mapping[Expr, Node]) -> Node:
        factors = sorted(expr.args, key=sympy.default_sort_key)
        flip = -1 in factors
        factors = [factor for factor in factors if factor != -1]
        for i, factor in enumerate(factors):
            # -(a - b) reads better as (b - a).
            if flip and factor.is_Add and 2 * sum(map(negative, factor.args)) >= len(factor.args):
                factors[i], flip = sympy.expand(-factor), False
        nodes = [self.node(factor, powers) for factor in factors]
        for i, node in enumerate(nodes):
            # w · w^{T-1} reads better as w^T.
            if isinstance(node, Power) and node.exponent.names and node.base in nodes:
                nodes[i] = node.base ** (node.exponent + 1)
                nodes.remove(node.base)
                break
        made = OPERATORS["mul"](*sorted(nodes, key=lambda n: not isinstance(n, IndexValue)))
        return -made if flip else made


def negative(expr: Expr) -> bool:
    """Whether a term prints with a minus sign in front."""
    return bool(expr.could_extract_minus_sign())
