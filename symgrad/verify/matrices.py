"""Matrix formulas as an algebra: the same evaluation as of numbers, for all sizes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from symgrad.lang.affine import Affine, as_affine
from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.base import SCALAR, Shape
from symgrad.verify.polynomial import Atom
from symgrad.verify.tensors import (
    Tensor,
    added,
    atom,
    diagonal,
    filled,
    identity,
    matrix_product,
    multiplied,
    number,
    placed,
    size_value,
    taken,
    total,
    transposed,
)
from symgrad.verify.terms import Term, Work

_MINUS = Fraction(-1)


class MatrixFunctions(Algebra):
    """Exact arithmetic on matrices of unknown entries and unknown sizes.

    Sizes are affine forms instead of numbers: where an evaluation is given sizes, each stands
    for itself. Calls of functions are atoms named by their argument, entry by entry. What is
    divided by is an atom where it is a sum; sums that are numbers are cleared away in ``equal``.

    ``names``: the functions whose calls are atoms; others go through their definition.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.direct = {name: self._caller(name) for name in names}
        self._sums: dict[Atom, Tensor] = {}

    def _caller(self, name: str) -> Callable[[Value], Value]:
        return lambda argument: self.call(name, argument)

    def const(self, value: Fraction) -> Value:
        return number(value)

    def index(self, value: Affine | int) -> Value:
        return size_value(as_affine(value))

    def share(self, size: Affine | int) -> Value:
        return self.inverse(self.index(size))

    def add(self, left: Value, right: Value) -> Value:
        return added(left, right)

    def neg(self, value: Value) -> Value:
        return value.scaled(_MINUS)

    def mul(self, left: Value, right: Value) -> Value:
        return multiplied(left, right)

    def matmul(self, left: Value, right: Value) -> Value:
        return matrix_product(left, right)

    def transpose(self, value: Value) -> Value:
        return transposed(value)

    def total(self, value: Value) -> Value:
        return total(value)

    def diagonal(self, value: Value) -> Value:
        return diagonal(value)

    def filled(self, rows: Affine | int, columns: Affine | int, value: Fraction) -> Value:
        return filled((as_affine(rows), as_affine(columns)), value)

    def eye(self, size: Affine | int) -> Value:
        return identity(as_affine(size))

    def blocks(self, rows: list[list[Value]]) -> Value:
        heights = [row[0].shape[0] for row in rows]
        widths = [cell.shape[1] for cell in rows[0]]
        whole = (_sum(heights), _sum(widths))
        found = filled(whole, Fraction(0))
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                value = cell
                if len(heights) > 1:
                    value = placed(value, 0, _sum(heights[:i]), whole[0])
                if len(widths) > 1:
                    value = placed(value, 1, _sum(widths[:j]), whole[1])
                found = added(found, value)
        return found

    def part(self, value: Value, start: tuple[int, int], shape: tuple[int, int]) -> Value:
        for axis in (0, 1):
            value = taken(value, axis, as_affine(start[axis]), as_affine(shape[axis]))
        return value

    def inverse(self, value: Value) -> Value:
        if value.is_zero:
            raise ZeroDivisionError("division by zero")
        first = min(value.terms, key=repr)
        leading = 1 / value.terms[first]
        if len(value.terms) == 1 and _is_monomial(first):
            work = Work(
                {entry: -e for entry, e in first.entries},
                first.row,
                first.column,
                list(first.sizes),
            )
            return Tensor(value.shape, dict(work.terms(leading)))
        same = value.scaled(leading)
        name = Atom("sum", (repr(same),))
        self._sums[name] = same
        return atom(name, value.shape, -1).scaled(leading)

    def exp(self, value: Value) -> Value:
        return self.call("exp", value)

    def log(self, value: Value) -> Value:
        return self.call("log", value)

    def sqrt(self, value: Value) -> Value:
        return self.call("sqrt", value)

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        return self.call(f"step {at_zero}", value)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        return self.mul(value, self.step(value, at_zero))

    def opaque(self, name: str, order: int, value: Value) -> Value:
        return self.call(name + "'" * order, value)

    def call(self, name: str, argument: Tensor) -> Tensor:
        """A function of each entry as an atom: equal arguments give the same atom."""
        return atom(Atom("call", (name, repr(argument))), argument.shape)

    def is_zero(self, value: Value) -> bool:
        return bool(self._cleared(value).is_zero)

    def equal(self, left: Value, right: Value) -> bool:
        if left.shape != right.shape and SCALAR not in (left.shape, right.shape):
            return False
        return self.is_zero(added(left, right.scaled(_MINUS)))

    def _cleared(self, value: Tensor) -> Tensor:
        """The value times the numbers that it divides by: zero where it was zero."""
        while True:
            under = self._denominator(value)
            if under is None:
                return value
            name, most = under
            found = filled(value.shape, Fraction(0))
            for term, c in value.terms.items():
                entries = dict(term.entries)
                e = entries.pop((name, ()), 0) + most
                rest = Tensor(value.shape, {_with(term, entries): c})
                for _ in range(e):
                    rest = multiplied(self._sums[name], rest)
                found = added(found, rest)
            value = found

    def _denominator(self, value: Tensor) -> tuple[Atom, int] | None:
        """A sum that the terms divide by, and how often at most."""
        exponents: dict[Atom, int] = {}
        for term in value.terms:
            for (name, indices), e in term.entries:
                if name.kind == "sum" and not indices and e < 0:
                    exponents[name] = max(exponents.get(name, 0), -e)
        return min(exponents.items(), key=lambda item: item[0].key) if exponents else None


def _with(term: Term, entries: Mapping[tuple[Atom, tuple[int, ...]], int]) -> Term:
    ((found, _),) = Work(dict(entries), term.row, term.column, list(term.sizes)).terms(Fraction(1))
    return found


def _is_monomial(term: Term) -> bool:
    """Whether each entry is a product of entries, so that it has an inverse of that form."""
    whole = term.row is None or term.row != term.column
    return whole and term.is_open and all(name.kind != "unit" for (name, _), _ in term.entries)


def _sum(sizes: Iterable[Affine]) -> Affine:
    return sum(sizes, as_affine(0))


def matrix_atom(kind: str, label: str, shape: Shape) -> Tensor:
    """A value that is not known further, by its label."""
    return atom(Atom(kind, (label,)), shape)
