"""What a tree means once its names are known: products, calls, times; no shapes yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from symgrad.lang.affine import Affine


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expr:
    """Base; compared by identity, so that each occurrence keeps its own place."""

    at: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Number(Expr):
    """A literal."""

    value: Fraction


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ref(Expr):
    """A declared or found name; a signal has a time, a parameter has none."""

    name: str
    time: Affine | None = None
    adjoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Special(Expr):
    """The identity matrix, or zeros or ones of the size that conforms."""

    kind: Literal["identity", "ones", "zeros"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Index(Expr):
    """A time as a number, in a formula: ``T - k``."""

    form: Affine


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Add(Expr):
    """Signed terms; one negative term is a negation."""

    terms: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Product(Expr):
    """Factors side by side, or joined by ``@`` or a dot: shapes decide what is meant."""

    factors: tuple[Expr, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entrywise(Expr):
    """``left ⊙ right``, ``left * right`` or ``left / right``."""

    sign: Literal["⊙", "*", "/"]
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Raised(Expr):
    """A power: of a square matrix the matrix power, else entry by entry."""

    base: Expr
    exponent: Affine


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transposed(Expr):
    """A transpose; ``letter``: written with T, which is the horizon as well."""

    body: Expr
    letter: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Called(Expr):
    """A function of the table, or a generic activation where ``generic``."""

    function: str
    args: tuple[Expr, ...]
    generic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stacked(Expr):
    """Blocks row by row; ``listed``: written in brackets with commas."""

    rows: tuple[tuple[Expr, ...], ...]
    listed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sliced(Expr):
    """``count`` rows and columns from ``start`` on; None for all of them."""

    body: Expr
    start: tuple[Affine, Affine]
    count: tuple[Affine | None, Affine | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Portion(Expr):
    """The rows of a column that belong to one of several signals stacked on the left."""

    body: Expr
    signals: tuple[Ref, ...]
    place: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folded(Expr):
    """Σ or Π over a time, in a formula."""

    kind: Literal["sum", "prod"]
    index: str
    lower: Affine
    upper: Affine
    body: Expr


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared(Expr):
    """``left relation right``, of times or of scalars: a condition."""

    left: Expr
    relation: str
    right: Expr


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ByCases(Expr):
    """A function by cases: the first whose conditions all hold; the last has none."""

    rows: tuple[tuple[Expr, tuple[Compared, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bracketed(Expr):
    """``[form = 0]``."""

    form: Affine


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Derived(Expr):
    """A derivative by name."""

    kind: str
    of: Expr
    wrt: Expr
    along: tuple[str, ...] = ()


def children(expr: Expr) -> tuple[Expr, ...]:
    """The parts directly inside."""
    match expr:
        case Add(terms=terms):
            return tuple(term for _, term in terms)
        case Product(factors=factors):
            return factors
        case Entrywise(left=left, right=right) | Compared(left=left, right=right):
            return (left, right)
        case Raised(base=base):
            return (base,)
        case Transposed(body=body) | Folded(body=body) | Sliced(body=body) | Portion(body=body):
            return (body,)
        case Called(args=args):
            return args
        case Stacked(rows=rows):
            return tuple(cell for row in rows for cell in row)
        case ByCases(rows=cases):
            return tuple(part for value, when in cases for part in (value, *when))
        case Derived(of=of, wrt=wrt):
            return (of, wrt)
    return ()


def every(expr: Expr) -> Iterator[Expr]:
    """The expression and all below it."""
    stack = [expr]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(reversed(children(item)))
