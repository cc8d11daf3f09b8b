"""Ordered products of small matrices of scalars, as scalar sums over all paths.

SymPy's ``Product`` holds no matrices. For row · M_hi ⋯ M_lo · column with s × s factors
write out every matrix product: a path chooses one of s states before the first factor
and after each, and contributes the product of the entries it passes. A path is a number
p in base s, its digit d_i = ⌊p / s^i⌋ mod s the state after i factors; with n = hi - lo + 1

    Σ_{p=0}^{s^{n+1}-1} row[d_n] · Π_{j=lo}^{hi} M_j[d_{j-lo+1}, d_{j-lo}] · column[d_0].

SymPy carries out a sum inside another only where its range does not depend on the outer
index. So where lo and hi do, p runs over paths through the widest range, and digits
outside lo - 1 .. hi must be zero. Its ``doit`` takes seconds up to 100 paths (T = 6 for
two states) and minutes beyond: evaluate with ``lambdified``, which multiplies matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import sympy

from symgrad.evaluate.names import Expr

Matrix: TypeAlias = tuple[tuple[Expr, ...], ...]


def identity(size: int) -> Matrix:
    """The unit matrix as rows of expressions."""
    return tuple(tuple(sympy.Integer(1 if r == c else 0) for c in range(size)) for r in range(size))


def dot(row: Sequence[Expr], column: Sequence[Expr]) -> Expr:
    """The sum of products of two rows, zero entries left out."""
    return sympy.Add(*[a * b for a, b in zip(row, column, strict=True)])


def product(left: Matrix, right: Matrix) -> Matrix:
    """The matrix product of small matrices written out."""
    columns = tuple(zip(*right, strict=True))
    return tuple(tuple(dot(row, column) for column in columns) for row in left)


@dataclass(frozen=True)
class Limits:
    """The range of an ordered product: its index, its bounds, and the widest they get."""

    index: Expr
    lower: Expr
    upper: Expr
    lowest: Expr
    highest: Expr


def path_sum(
    row: Sequence[Expr], factor: Matrix, column: Sequence[Expr], limits: Limits, path: Expr
) -> Expr:
    """row · (factor at ``upper``) ⋯ (factor at ``lower``) · column; right for upper >= lower - 1.

    ``path`` is a symbol used nowhere else. Entries that are zero leave no trace.
    """
    index, lower, upper = limits.index, limits.lower, limits.upper
    size = sympy.Integer(len(row))
    states = range(len(row))
    if size == 1:
        return row[0] * sympy.Product(factor[0][0], (index, lower, upper)) * column[0]

    def at(state: int, position: Expr) -> Expr:
        digit = sympy.Mod(sympy.floor(path / size**position), size)
        return sympy.KroneckerDelta(state, digit)

    start, end = lower - limits.lowest, upper - limits.lowest + 1
    before = index - limits.lowest
    step = sympy.Add(
        *[
            factor[r][c] * at(r, before + 1) * at(c, before)
            for r in states
            for c in states
            if factor[r][c] != 0
        ]
    )
    value = sympy.Mul(
        sympy.Add(*[column[c] * at(c, start) for c in states if column[c] != 0]),
        sympy.Product(step, (index, lower, upper)),
        sympy.Add(*[row[r] * at(r, end) for r in states if row[r] != 0]),
    )
    # p < s**(end + 1) also where the range says so: a summand by cases SymPy neither sums
    # symbolically nor splits into partial fractions, which takes minutes here.
    whole = sympy.And(sympy.Eq(sympy.Mod(path, size**start), 0), path < size ** (end + 1))
    count = size ** (limits.highest - limits.lowest + 2)
    return sympy.Sum(sympy.Piecewise((value, whole), (0, True)), (path, 0, count - 1))


def sum_over(body: Expr, limits: tuple[Expr, Expr, Expr], where: Expr) -> Expr:
    """Σ body over the indices that satisfy ``where``.

    Sums over paths that stand in the body are written outermost: there SymPy is fastest.
    """
    plain: list[Expr] = []
    result: list[Expr] = []
    for term in sympy.Add.make_args(_apart(body)):
        factors = sympy.Mul.make_args(term)
        inner = [f for f in factors if isinstance(f, sympy.Sum)]
        if len(inner) != 1 or any(limits[0] in limit.free_symbols for limit in inner[0].limits):
            plain.append(term)
            continue
        rest = sympy.Mul(*[f for f in factors if f is not inner[0]])
        summand = only_where(rest * inner[0].function, where, 0)
        result.append(sympy.Sum(summand, limits, *inner[0].limits))
    if plain:
        result.insert(0, sympy.Sum(only_where(sympy.Add(*plain), where, 0), limits))
    return sympy.Add(*result)


def _apart(body: Expr) -> Expr:
    """Factors that are sums with a Σ among their terms, multiplied out.

    SymPy lifts the cases of a Piecewise out of a Σ in a Σ with the bound index still in the
    conditions (``piecewise_fold`` in ``Sum``); of a Σ over two indices it does not.
    """
    factors = sympy.Mul.make_args(body)
    for factor in factors:
        if isinstance(factor, sympy.Add) and factor.has(sympy.Sum):
            rest = sympy.Mul(*[f for f in factors if f is not factor])
            return sympy.Add(*[_apart(rest * term) for term in factor.args])
    return body


def product_over(body: Expr, limits: tuple[Expr, Expr, Expr], where: Expr) -> Expr:
    """Π body over the indices that satisfy ``where``."""
    return sympy.Product(only_where(body, where, 1), limits)


def only_where(value: Expr, where: Expr, otherwise: int) -> Expr:
    """The value where a condition holds, else a number."""
    if where is sympy.true:
        return value
    return sympy.Piecewise((value, where), (sympy.Integer(otherwise), True))
