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
from typing import Any

import mpmath
import numpy as np

Value = Any


class Algebra:
    """Arithmetic on Python objects that define ``+ - * /``; arrays work entry by entry."""

    #: Tells algebras with the same arithmetic apart from others; None: never the same.
    key: tuple[object, ...] | None = None

    #: Functions the algebra evaluates itself, by primitive name.
    direct: Mapping[str, Callable[[Value], Value]] = {}

    def const(self, value: Fraction) -> Value:
        return value

    @property
    def one(self) -> Value:
        return self.const(Fraction(1))

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
        grid = [[_entry(cell) for cell in row] for row in rows]
        return np.concatenate([np.concatenate(row, -1) for row in grid], -2)

    def inverse(self, value: Value) -> Value:
        return self.map(lambda x: 1 / x, value)

    def div(self, left: Value, right: Value) -> Value:
        return self.mul(left, self.inverse(right))

    def exp(self, value: Value) -> Value:
        raise ArithmeticError(f"{type(self).__name__} has no exponential function")

    def is_zero(self, value: Value) -> bool:
        return bool(np.all(value == 0))

    def equal(self, left: Value, right: Value) -> bool:
        """Equal entry by entry; a scalar array counts as its entry."""
        return self.is_zero(self.add(left, self.neg(right)))

    @staticmethod
    def map(function: Callable[[Any], Any], value: Value) -> Value:
        if not is_array(value):
            return function(value)
        result = np.empty(value.shape, dtype=object)
        for position in np.ndindex(value.shape):
            result[position] = function(value[position])
        return result


def _entry(value: Value) -> Value:
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
        self.prime = prime
        self.seed = seed
        self.key = ("prime field", prime, seed)
        self._atoms: dict[int, int] = {}

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

    def _atom(self, argument: int) -> int:
        found = self._atoms.get(argument)
        if found is None:
            data = f"{self.seed}:{self.prime}:{argument}".encode()
            digest = hashlib.blake2b(data, digest_size=16).digest()
            found = self._atoms[argument] = int.from_bytes(digest, "big") % (self.prime - 1) + 1
        return found


class Multiprecision(Algebra):
    """mpmath numbers at the working precision of an own context."""

    def __init__(self, digits: int = 60) -> None:
        self.context = mpmath.MPContext()
        self.context.dps = digits
        self.direct = {
            "tanh": lambda v: self.map(self.context.tanh, v),
        }

    def const(self, value: Fraction) -> Value:
        return self.context.mpf(value.numerator) / value.denominator

    def exp(self, value: Value) -> Value:
        return self.map(self.context.exp, value)


def _sigmoid(value: Value) -> Value:
    # Both branches of the textbook's stable form: exp never overflows. The sign is that of
    # the real part and never 0, else the complex step along a real part of 0 is lost.
    positive = np.real(value) >= 0
    small = np.exp(np.where(positive, -value, value))
    return np.where(positive, 1 / (1 + small), small / (1 + small))[()]


class Floats(Algebra):
    """NumPy numbers: real or complex, vectorised over leading batch axes."""

    def __init__(self, dtype: Any = np.float64) -> None:
        self.dtype = np.dtype(dtype)
        self.direct = {"tanh": np.tanh, "sigma": _sigmoid}

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
