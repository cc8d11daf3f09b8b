"""Matrix formulas for all sizes: sums of products of entries, with indices that run over sizes.

``W h`` is Σ_j W[i,j] h[j]: a term is a product of entries of atoms, with an index for each row
and column, the open ones for the rows and columns of the whole, the others summed over. Matrix
products, elementwise products, transposes, diagonals, total sums, blocks and parts all are of
this form, with equal indices or summed ones. Formulas with equal terms are equal for all
sizes. (The converse holds up to relations between the atoms that are not known here: a
difference proves nothing.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import TypeAlias

from symgrad.lang.affine import ONE, Affine
from symgrad.lang.base import Shape
from symgrad.verify.polynomial import MOST_PRODUCTS, Atom, TooManyTerms
from symgrad.verify.terms import Term, Work


class Tensor:
    """A sum of terms of one shape, with fractions as coefficients."""

    __slots__ = ("_text", "shape", "terms")

    def __init__(self, shape: Shape, terms: Mapping[Term, Fraction]) -> None:
        self.shape = shape
        self.terms = {term: c for term, c in terms.items() if c}
        self._text: str | None = None

    @property
    def ndim(self) -> int:
        return 2

    @property
    def is_zero(self) -> bool:
        return not self.terms

    @property
    def is_scalar(self) -> bool:
        return self.shape == (ONE, ONE)

    def __repr__(self) -> str:
        if self._text is None:
            parts = sorted(f"{c} {term!r}" for term, c in self.terms.items())
            self._text = f"{self.shape}: {' + '.join(parts) or '0'}"
        return self._text

    def scaled(self, factor: Fraction) -> Tensor:
        return Tensor(self.shape, {term: c * factor for term, c in self.terms.items()})


def number(value: Fraction) -> Tensor:
    """A number."""
    return Tensor((ONE, ONE), {Term((), None, None, ()): value})


def atom(name: Atom, shape: Shape, exponent: int = 1) -> Tensor:
    """A scalar, a vector or a matrix of entries that are not known further."""
    indices, row, column, sizes = _open(shape)
    return Tensor(shape, {Term((((name, indices), exponent),), row, column, sizes): Fraction(1)})


def filled(shape: Shape, value: Fraction) -> Tensor:
    """Every entry the same number."""
    _, row, column, sizes = _open(shape)
    return Tensor(shape, {Term((), row, column, sizes): value})


def identity(size: Affine) -> Tensor:
    """Ones where row and column are equal."""
    if size == ONE:
        return number(Fraction(1))
    return Tensor((size, size), {Term((), 0, 0, (size,)): Fraction(1)})


def size_value(form: Affine) -> Tensor:
    """The number that a size stands for."""
    found = number(Fraction(form.const))
    for name, factor in form.terms:
        found = added(found, atom(Atom("size", (name,)), (ONE, ONE)).scaled(Fraction(factor)))
    return found


def _open(shape: Shape) -> tuple[tuple[int, ...], int | None, int | None, tuple[Affine, ...]]:
    row = None if shape[0] == ONE else 0
    column = None if shape[1] == ONE else int(row is not None)
    indices = tuple(i for i in (row, column) if i is not None)
    return indices, row, column, tuple(size for size in shape if size != ONE)


def widened(value: Tensor, shape: Shape) -> Tensor:
    """A number as a matrix of that number everywhere."""
    if value.shape == shape:
        return value
    return multiplied(filled(shape, Fraction(1)), value)


def added(left: Tensor, right: Tensor) -> Tensor:
    """The sum; a number is added to every entry."""
    shape = right.shape if left.is_scalar else left.shape
    total = dict(widened(left, shape).terms)
    for term, c in widened(right, shape).terms.items():
        total[term] = total.get(term, Fraction(0)) + c
    return Tensor(shape, total)


def multiplied(left: Tensor, right: Tensor) -> Tensor:
    """Entry by entry; a number multiplies every entry."""

    def glue(a: Term, b: Term, shift: int) -> _Joint:
        br, bc = _moved(b.row, shift), _moved(b.column, shift)
        if left.is_scalar:
            return [], br, bc
        if right.is_scalar:
            return [], a.row, a.column
        return _pairs((a.row, br), (a.column, bc)), a.row, a.column

    return _joined(left, right, right.shape if left.is_scalar else left.shape, glue)


def matrix_product(left: Tensor, right: Tensor) -> Tensor:
    """The matrix product."""

    def glue(a: Term, b: Term, shift: int) -> _Joint:
        pairs = _pairs((a.column, _moved(b.row, shift)))
        return pairs, a.row, _moved(b.column, shift)

    return _joined(left, right, (left.shape[0], right.shape[1]), glue)


def transposed(value: Tensor) -> Tensor:
    """Rows and columns exchanged."""
    return _changed(value, value.shape[::-1], lambda term: (term.column, term.row))


def total(value: Tensor) -> Tensor:
    """The sum of all entries."""
    return _changed(value, (ONE, ONE), lambda term: (None, None))


def diagonal(value: Tensor) -> Tensor:
    """The diagonal matrix of a column."""
    size = value.shape[0]
    return _changed(value, (size, size), lambda term: (term.row, term.row))


def by_direction(value: Tensor, direction: Atom, count: Affine) -> Tensor:
    """The matrix J of a column J v that is linear in the entries of v, ``count`` of them.

    Raises:
        ValueError: it is not linear.
    """
    found: dict[Term, Fraction] = {}
    for term, c in value.terms.items():
        entries = dict(term.entries)
        mine = [entry for entry in entries if entry[0] == direction]
        if len(mine) != 1 or entries.pop(mine[0]) != 1:
            raise ValueError("not linear in the direction")
        (column,) = mine[0][1]
        _add(found, Work(entries, term.row, column, list(term.sizes)).terms(c))
    return Tensor((value.shape[0], count), found)


# ---- parts of rows and columns ---------------------------------------------------------


def placed(value: Tensor, axis: int, start: Affine, whole: Affine) -> Tensor:
    """The rows (axis 0) or columns (axis 1) put into ``whole`` ones from ``start`` on; else 0."""
    return _selected(value, axis, Atom("unit", (start, value.shape[axis], whole)), whole)


def taken(value: Tensor, axis: int, start: Affine, count: Affine) -> Tensor:
    """Some rows or columns."""
    whole = value.shape[axis]
    if count == whole:
        return value
    return _selected(value, axis, Atom("unit", (start, count, whole)), count)


def _selected(value: Tensor, axis: int, unit: Atom, new: Affine) -> Tensor:
    """Multiply by columns of the identity of ``whole``: their entries are [in whole, in part]."""
    shape = (new, value.shape[1]) if axis == 0 else (value.shape[0], new)
    found: dict[Term, Fraction] = {}
    for term, c in value.terms.items():
        work = Work(dict(term.entries), term.row, term.column, list(term.sizes))
        here = term.row if axis == 0 else term.column
        there = None if new == ONE else work.fresh(new)
        order = (there, here) if new == unit.data[2] else (here, there)
        work.times((unit, tuple(i for i in order if i is not None)))
        if axis == 0:
            work.row = there
        else:
            work.column = there
        _add(found, work.terms(c))
    return Tensor(shape, found)


# ---- terms -----------------------------------------------------------------------------

_Joint: TypeAlias = tuple[list[tuple[int, int]], "int | None", "int | None"]
#: From two terms, the indices of the second counted on: those that are the same, row, column.
_Glue: TypeAlias = Callable[[Term, Term, int], _Joint]


def _moved(index: int | None, shift: int) -> int | None:
    return None if index is None else index + shift


def _pairs(*pairs: tuple[int | None, int | None]) -> list[tuple[int, int]]:
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def _joined(left: Tensor, right: Tensor, shape: Shape, glue: _Glue) -> Tensor:
    if len(left.terms) * len(right.terms) > MOST_PRODUCTS:
        raise TooManyTerms(f"more than {MOST_PRODUCTS} products of terms")
    found: dict[Term, Fraction] = {}
    for a, c in left.terms.items():
        shift = len(a.sizes)
        for b, d in right.terms.items():
            pairs, row, column = glue(a, b, shift)
            work = Work(dict(a.entries), row, column, [*a.sizes, *b.sizes])
            for (name, indices), e in b.entries:
                work.times((name, tuple(i + shift for i in indices)), e)
            for same, other in pairs:
                work.merge(same, other)
            _add(found, work.terms(c * d))
    return Tensor(shape, found)


def _changed(
    value: Tensor, shape: Shape, sides: Callable[[Term], tuple[int | None, int | None]]
) -> Tensor:
    found: dict[Term, Fraction] = {}
    for term, c in value.terms.items():
        _add(found, Work(dict(term.entries), *sides(term), list(term.sizes)).terms(c))
    return Tensor(shape, found)


def _add(found: dict[Term, Fraction], terms: Iterable[tuple[Term, Fraction]]) -> None:
    for term, c in terms:
        found[term] = found.get(term, Fraction(0)) + c
