"""Algebras: the arithmetic that a formula can be evaluated in.

A value is either a plain number of the algebra (in the scalar reading) or a
two-dimensional NumPy array of numbers. An algebra knows rational constants, the
ring operations, division and ``exp``; every other function is evaluated through
its definition or through a faster equivalent that the algebra offers in ``direct``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

import mpmath
import numpy as np

from symgrad.errors import OutsideDomain
from symgrad.lang.float_functions import logsumexp, sigmoid, softmax, softplus

Value = Any


class Algebra:
    """Arithmetic on Python objects that define ``+ - * /``; arrays work entry by entry."""

    #: Tells algebras with the same arithmetic apart from others; None: never the same.
    key: tuple[object, ...] | None = None

    #: The prime where values are its residues (or arrays of them) and + and × are taken modulo
    #: it and nothing else; 0: the methods tell.
    modulus: int = 0

    #: Functions the algebra evaluates itself, by primitive name.
    direct: Mapping[str, Callable[[Value], Value]] = {}

    @cached_property
    def tapes(self) -> dict[Any, Any]:
        """What is made once for this algebra: its tapes by their roots (``tape.tape_of``), and the
        dual numbers over it with theirs (``verify.dual.dual_of``)."""
        return {}

    def const(self, value: Fraction) -> Value:
        return value

    @property
    def one(self) -> Value:
        return self.const(Fraction(1))

    def index(self, value: Any) -> Value:
        """A time or a size as a number."""
        return self.const(Fraction(value))

    def share(self, size: Any) -> Value:
        """1/n of a size n."""
        return self.const(Fraction(1, size))

    def reduce(self, value: Value) -> Value:
        """Bring a result into canonical range (a residue, for F_p)."""
        return value

    def add(self, left: Value, right: Value) -> Value:
        return self.reduce(left + right)

    def neg(self, value: Value) -> Value:
        return self.reduce(-value)

    def mul(self, left: Value, right: Value) -> Value:
        return self.reduce(left * right)

    def matmul(self, left: Value, right: Value) -> Value:
        if not is_array(left) or not is_array(right):
            # A plain number stands for a 1 × 1 matrix.
            return self.mul(left, right)
        return self.reduce(left @ right)

    def transpose(self, value: Value) -> Value:
        return value.swapaxes(-1, -2) if is_array(value) else value

    def total(self, value: Value) -> Value:
        """The sum of all entries."""
        if not is_array(value):
            return value
        return self.reduce(value.sum(axis=(-1, -2), keepdims=True))

    def diagonal(self, value: Value) -> Value:
        """The diagonal matrix of a column."""
        if not is_array(value):
            return value
        size = value.shape[-2]
        one = self.const(Fraction(1))
        # Of the values' type or a wider one: numbers of a complex algebra may come in real.
        eye = np.zeros((size, size), dtype=np.result_type(value.dtype, np.asarray(one).dtype))
        for i in range(size):
            eye[i, i] = one
        return value * eye

    def zeros(self, rows: int, columns: int) -> Value:
        return self.filled(rows, columns, Fraction(0))

    def filled(self, rows: int, columns: int, value: Fraction) -> Value:
        entries = np.empty((rows, columns), dtype=object)
        entries[...] = self.const(value)
        return entries

    def eye(self, size: int) -> Value:
        entries = self.zeros(size, size)
        for i in range(size):
            entries[i, i] = self.const(Fraction(1))
        return entries

    def blocks(self, rows: list[list[Value]]) -> Value:
        """A block matrix; plain numbers count as blocks of one entry."""
        grid = [[as_matrix(cell) for cell in row] for row in rows]
        return np.concatenate([np.concatenate(row, -1) for row in grid], -2)

    def inverse(self, value: Value) -> Value:
        return self.map(lambda x: 1 / x, value)

    def div(self, left: Value, right: Value) -> Value:
        return self.mul(left, self.inverse(right))

    def through(self, name: str, definition: Callable[..., Value], argument: Value) -> Value:
        """A function through its definition; ``name`` is for an algebra that keeps account."""
        return definition(self, argument)

    def exp(self, value: Value) -> Value:
        raise ArithmeticError(f"{type(self).__name__} has no exponential function")

    def log(self, value: Value) -> Value:
        raise ArithmeticError(f"{type(self).__name__} has no logarithm")

    def sqrt(self, value: Value) -> Value:
        raise ArithmeticError(f"{type(self).__name__} has no square root")

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        """1 where the value is positive, 0 where it is negative, ``at_zero`` at 0."""
        return self.map(lambda x: self.const(_step(x, at_zero)), value)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        """max(x, 0), whose derivative is the step with the same convention."""
        return self.map(lambda x: x if getattr(x, "real", x) > 0 else 0 * x, value)

    def opaque(self, name: str, order: int, value: Value) -> Value:
        """A generic activation, or its derivative of an order."""
        raise ArithmeticError(f"{type(self).__name__} has no values of the function {name}")

    def part(self, value: Value, start: tuple[int, int], shape: tuple[int, int]) -> Value:
        """Some rows and columns."""
        (top, left), (rows, columns) = start, shape
        return value[..., top : top + rows, left : left + columns]

    def is_zero(self, value: Value) -> bool:
        return bool(np.all(value == 0))

    def equal(self, left: Value, right: Value) -> bool:
        """Equal entry by entry; a scalar array counts as its entry."""
        return self.is_zero(self.add(left, self.neg(right)))

    @staticmethod
    def map(function: Callable[[Any], Any], value: Value) -> Value:
        if type(value) is int or not is_array(value):
            return function(value)
        result = np.empty(value.shape, dtype=object)
        for position in np.ndindex(value.shape):
            result[position] = function(value[position])
        return result


def _step(value: Any, at_zero: Fraction | None) -> Fraction:
    # An analytic function on either side: what is far from the real axis is not asked.
    real = value.real if hasattr(value, "real") else value
    if real == 0 and at_zero is None:
        raise at_kink()
    return Fraction(int(real > 0)) if real else at_zero or Fraction(0)


def at_kink() -> OutsideDomain:
    """The refusal to take a derivative where there is none."""
    return OutsideDomain(
        "a function with a kink (relu, max, abs) is differentiated exactly at its kink; choose a "
        "convention there, such as relu_0, or move the point"
    )


def as_matrix(value: Value) -> Value:
    """A plain number as an array with one entry; an array as it is."""
    if is_array(value):
        return value
    if isinstance(value, np.ndarray | np.generic | float | complex):
        return np.asarray(value)[..., None, None]
    entry = np.empty((1, 1), dtype=object)
    entry[0, 0] = value
    return entry


def is_array(value: Value) -> bool:
    """Whether a value has rows and columns; the last two axes are those."""
    return isinstance(value, np.ndarray) and value.ndim >= 2


class Rationals(Algebra):
    """Exact arithmetic on fractions; no transcendental function."""


#: 2^61 - 1, a Mersenne prime: products fit in Python's small integers' fast path.
MERSENNE_61 = (1 << 61) - 1


class PrimeField(Algebra):
    """Arithmetic modulo a prime; ``exp`` is a random function of its argument.

    Each distinct argument of ``exp`` gets an independent value that depends on the
    seed only: the atoms of a random evaluation. Relations such as exp(a+b) = exp(a)exp(b)
    are not known here, so equal formulas can differ (a difference must be confirmed
    elsewhere), while formulas that agree agree as polynomials in the atoms, up to the
    error bound.
    """

    def __init__(self, prime: int = MERSENNE_61, seed: int = 0) -> None:
        self.prime = self.modulus = prime
        self.seed = seed
        self.key = ("prime field", prime, seed)
        self._atoms: dict[tuple[str, int], int] = {}

    @property
    def one(self) -> Value:
        return 1

    # The three operations of nearly every step, without a call to ``reduce`` each.

    def add(self, left: Value, right: Value) -> Value:
        return (left + right) % self.prime

    def neg(self, value: Value) -> Value:
        return -value % self.prime

    def mul(self, left: Value, right: Value) -> Value:
        return left * right % self.prime

    def const(self, value: Fraction) -> Value:
        if value.denominator == 1:
            return value.numerator % self.prime
        return value.numerator * pow(value.denominator, -1, self.prime) % self.prime

    def reduce(self, value: Value) -> Value:
        return value % self.prime

    def inverse(self, value: Value) -> Value:
        def invert(x: int) -> int:
            if x == 0:
                raise ZeroDivisionError("a denominator vanishes at this random point")
            return pow(x, -1, self.prime)

        return self.map(invert, value)

    def exp(self, value: Value) -> Value:
        return self.map(self._atom, value)

    # Of the following nothing is known but the name: equal formulas may differ through a
    # relation (the square of a root, s² = s of a step), never the other way round.

    def log(self, value: Value) -> Value:
        return self.map(lambda x: self._atom(x, "log"), value)

    def sqrt(self, value: Value) -> Value:
        return self.map(lambda x: self._atom(x, "sqrt"), value)

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        return self.map(lambda x: self._atom(x, f"step {at_zero}"), value)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        return self.mul(value, self.step(value, at_zero))

    def opaque(self, name: str, order: int, value: Value) -> Value:
        return self.map(lambda x: self._atom(x, f"{name} {order}"), value)

    def _atom(self, argument: int, function: str = "") -> int:
        key = (function, argument)
        found = self._atoms.get(key)
        if found is None:
            data = f"{self.seed}:{self.prime}:{function}{argument}".encode()
            digest = hashlib.blake2b(data, digest_size=16).digest()
            found = self._atoms[key] = int.from_bytes(digest, "big") % (self.prime - 1) + 1
        return found


class Multiprecision(Algebra):
    """mpmath numbers at the working precision of an own context, or of a given one."""

    def __init__(self, digits: int = 60, context: Any = None) -> None:
        self.context = mpmath.MPContext() if context is None else context
        self.context.dps = digits
        self.direct = {
            "tanh": lambda v: self.map(self.context.tanh, v),
        }

    def const(self, value: Fraction) -> Value:
        return self.context.mpf(value.numerator) / value.denominator

    def exp(self, value: Value) -> Value:
        return self.map(self.context.exp, value)

    def log(self, value: Value) -> Value:
        return self.map(lambda x: self.context.log(_positive(x, "log")), value)

    def sqrt(self, value: Value) -> Value:
        return self.map(lambda x: self.context.sqrt(_positive(x, "sqrt", or_zero=True)), value)

    def opaque(self, name: str, order: int, value: Value) -> Value:
        return self.map(lambda x: some_function(self.context, name, order, x), value)


def _positive(value: Any, function: str, *, or_zero: bool = False) -> Any:
    if not (value.real > 0 or (or_zero and value.real == 0)):
        raise OutsideDomain(
            f"{function} of {value}, which is {'negative' if or_zero else 'not positive'}"
        )
    return value


def some_function(functions: Any, name: str, order: int, value: Any) -> Any:
    """A smooth function to stand for a generic activation, and its derivatives.

    sin(x + a) + exp(x / 2), with a of its own for each name: no derivative is a polynomial
    in the function and the others, so a wrong formula shows.
    """
    phase = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=2).digest(), "big")
    shift = phase % 97 / 97
    turned = (functions.sin, functions.cos)[order % 2](value + shift)
    sign = -1 if order % 4 in (2, 3) else 1
    return sign * turned + functions.exp(value / 2) / 2**order


class Floats(Algebra):
    """NumPy numbers: real or complex, vectorised over leading batch axes."""

    def __init__(self, dtype: Any = np.float64) -> None:
        self.dtype = np.dtype(dtype)
        self.direct = {
            "tanh": np.tanh,
            "sigma": sigmoid,
            "softplus": softplus,
            "softmax": softmax,
            "logsumexp": logsumexp,
        }

    def const(self, value: Fraction) -> Value:
        return self.dtype.type(value.numerator) / self.dtype.type(value.denominator)

    def filled(self, rows: int, columns: int, value: Fraction) -> Value:
        return np.full((rows, columns), self.const(value), dtype=self.dtype)

    def inverse(self, value: Value) -> Value:
        return 1 / value

    def div(self, left: Value, right: Value) -> Value:
        return left / right

    def exp(self, value: Value) -> Value:
        return np.exp(value)

    def log(self, value: Value) -> Value:
        if np.size(value):
            _positive(np.min(np.real(value)), "log")
        return np.log(value)

    def sqrt(self, value: Value) -> Value:
        if np.size(value):
            _positive(np.min(np.real(value)), "sqrt", or_zero=True)
        return np.sqrt(value)

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        real = np.real(value)
        if at_zero is None and np.any(real == 0):
            raise at_kink()
        result = np.where(real == 0, float(at_zero or 0), real > 0)
        return result.astype(self.dtype)[()]

    def opaque(self, name: str, order: int, value: Value) -> Value:
        return some_function(np, name, order, value)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        # The sign of the real part decides: the complex step passes.
        return np.where(np.real(value) > 0, value, 0)[()]
