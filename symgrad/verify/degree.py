"""Degrees: how large the polynomials behind a random evaluation are.

Evaluating the same program in this algebra gives, for every value, bounds on the
degrees of its numerator and denominator in the random numbers, activation calls
counting as new random numbers. The Schwartz-Zippel lemma turns them into an error bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symgrad.lang.algebra import Algebra, Value


@dataclass(frozen=True, slots=True)
class Degree:
    """A value is P / Π D_i^{e_i}: the degree of P, and the exponent of each denominator.

    A denominator stands for one per entry of what was divided by, so that adding the
    entries of a column brings them to one common denominator.
    """

    over: int
    under: Mapping[int, int] = field(default_factory=dict)


_CONSTANT = Degree(0)
_CALL = Degree(1)


class Degrees(Algebra):
    """Bounds on the degrees of numerators and denominators, entry by entry the same.

    ``entries``: how many entries a matrix has at most.
    """

    def __init__(self, entries: int = 1) -> None:
        self.entries = entries
        self.calls = 0
        self.argument = 0
        self.direct = dict.fromkeys(_QUADRATIC, self._call)
        self._weights: list[int] = []

    def dual_calls(self, pair: Callable[..., Value]) -> Mapping[str, Callable[[Value], Value]]:
        """Calls of dual numbers: the call is a new number, its slope a polynomial in it.

        exp, σ and tanh each satisfy a differential equation y' = p(y) with p of degree at
        most 2, so a tangent through one gains at most that degree.
        """

        def call(argument: Value) -> Value:
            value = self._call(argument.value)
            if argument.tangent is None:
                return pair(value)
            return pair(value, self.mul(Degree(2), argument.tangent))

        return dict.fromkeys(_QUADRATIC, call)

    def whole(self, value: Degree) -> int:
        """The degree of the numerator together with that of the denominator."""
        return value.over + self._under(value.under)

    def _under(self, exponents: Mapping[int, int]) -> int:
        return sum(self._weights[i] * e for i, e in exponents.items())

    def const(self, value: Fraction) -> Value:
        return _CONSTANT

    def add(self, left: Value, right: Value) -> Value:
        if not left.under and not right.under:
            return Degree(max(left.over, right.over))
        common = dict(left.under)
        for i, e in right.under.items():
            common[i] = max(e, common.get(i, 0))
        whole = self._under(common)
        over = max(side.over + whole - self._under(side.under) for side in (left, right))
        return Degree(over, common)

    def neg(self, value: Value) -> Value:
        return value

    def mul(self, left: Value, right: Value) -> Value:
        if not right.under:
            return Degree(left.over + right.over, left.under)
        product = dict(left.under)
        for i, e in right.under.items():
            product[i] = e + product.get(i, 0)
        return Degree(left.over + right.over, product)

    matmul = mul

    def transpose(self, value: Value) -> Value:
        return value

    def total(self, value: Value) -> Value:
        return value

    def diagonal(self, value: Value) -> Value:
        return value

    def part(self, value: Value, start: tuple[int, int], shape: tuple[int, int]) -> Value:
        return value

    def filled(self, rows: int, columns: int, value: Fraction) -> Value:
        return _CONSTANT

    def eye(self, size: int) -> Value:
        return _CONSTANT

    def blocks(self, rows: list[list[Value]]) -> Value:
        cells = [cell for row in rows for cell in row]
        result = cells[0]
        for cell in cells[1:]:
            result = self.add(result, cell)
        return result

    def inverse(self, value: Value) -> Value:
        if not value.over and not value.under:
            return _CONSTANT
        self._weights.append(value.over * self.entries)
        # One of the denominators is divided by; the others, and what stood below, are above.
        above = self._under(value.under) + value.over * (self.entries - 1)
        return Degree(above, {len(self._weights) - 1: 1})

    def div(self, left: Value, right: Value) -> Value:
        return self.mul(left, self.inverse(right))

    def exp(self, value: Value) -> Value:
        return self._call(value)

    def log(self, value: Value) -> Value:
        return self._call(value)

    def sqrt(self, value: Value) -> Value:
        return self._call(value)

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        return self._call(value)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        return self.mul(value, self.step(value, at_zero))

    def opaque(self, name: str, order: int, value: Value) -> Value:
        return self._call(value)

    def _call(self, value: Value) -> Value:
        self.calls += 1
        self.argument = max(self.argument, self.whole(value))
        return _CALL

    def is_zero(self, value: Value) -> bool:
        return False


#: Functions whose derivative is a polynomial of degree at most 2 in their value.
_QUADRATIC = ("exp", "sigma", "tanh")


def error_bound(degree: int, calls: int, argument: int, prime: int) -> float:
    """Probability that different polynomials agree at one random point.

    A nonzero difference of this degree vanishes with probability at most degree/|S|,
    where activation values come from a set of (p-1)/2 numbers (tanh is two-to-one in
    exp); different arguments of calls coincide with probability at most degree/p a pair.
    """
    values = (prime - 1) // 2
    pairs = calls * (calls + 1) // 2
    return min(1.0, (degree + pairs * max(argument, 1)) / values)


#: More random points than this are not tried.
_MOST_POINTS = 6


def points_needed(single: float, least: float) -> int | None:
    """How many points bring the error probability of one below ``least``; None: too many."""
    if single > 0.5:
        return None
    return next((n for n in range(1, _MOST_POINTS + 1) if single**n <= least), None)
