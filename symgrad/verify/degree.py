"""Degrees: how large the polynomials behind a random evaluation are.

Evaluating the same program in this algebra gives, for every value, bounds on the
degrees of its numerator and denominator in the random numbers, activation calls
counting as new random numbers. The Schwartz-Zippel lemma turns them into an error bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from symgrad.lang.algebra import Algebra, Value


class _EveryCall(Mapping[str, Callable[[Value], Value]]):
    """The same bound for a call of every activation, whatever its name."""

    def __init__(self, call: Callable[[Value], Value]) -> None:
        self.call = call

    def __getitem__(self, name: str) -> Callable[[Value], Value]:
        return self.call

    def get(self, name: str, default: object = None) -> Callable[[Value], Value]:
        return self.call

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Degrees(Algebra):
    """Values are pairs (degree of the numerator, degree of the denominator)."""

    def __init__(self) -> None:
        self.calls = 0
        self.argument = 0
        self.direct = _EveryCall(self.exp)

    def dual_calls(self, pair: Callable[..., Value]) -> Mapping[str, Callable[[Value], Value]]:
        """Calls of dual numbers: the call is a new number, its slope a polynomial in it.

        exp, σ and tanh each satisfy a differential equation y' = p(y) with p of degree at
        most 2, so a tangent through one gains at most that degree.
        """

        def call(argument: Value) -> Value:
            value = self.exp(argument.value)
            if argument.tangent is None:
                return pair(value)
            return pair(value, self.mul((2, 0), argument.tangent))

        return _EveryCall(call)

    def const(self, value: Fraction) -> Value:
        return (0, 0)

    def add(self, left: Value, right: Value) -> Value:
        if left[1] == right[1] == 0:
            return (max(left[0], right[0]), 0)
        return (max(left[0] + right[1], right[0] + left[1]), left[1] + right[1])

    def neg(self, value: Value) -> Value:
        return value

    def mul(self, left: Value, right: Value) -> Value:
        return (left[0] + right[0], left[1] + right[1])

    matmul = mul

    def transpose(self, value: Value) -> Value:
        return value

    def total(self, value: Value) -> Value:
        return value

    def diagonal(self, value: Value) -> Value:
        return value

    def filled(self, rows: int, columns: int, value: Fraction) -> Value:
        return (0, 0)

    def eye(self, size: int) -> Value:
        return (0, 0)

    def blocks(self, rows: list[list[Value]]) -> Value:
        cells = [cell for row in rows for cell in row]
        return (max(c[0] for c in cells), max(c[1] for c in cells))

    def inverse(self, value: Value) -> Value:
        return (value[1], value[0])

    def div(self, left: Value, right: Value) -> Value:
        return self.mul(left, self.inverse(right))

    def exp(self, value: Value) -> Value:
        self.calls += 1
        self.argument = max(self.argument, value[0] + value[1])
        return (1, 0)

    def is_zero(self, value: Value) -> bool:
        return False


def error_bound(degree: int, calls: int, argument: int, prime: int) -> float:
    """Probability that different polynomials agree at one random point.

    A nonzero difference of this degree vanishes with probability at most degree/|S|,
    where activation values come from a set of (p-1)/2 numbers (tanh is two-to-one in
    exp); different arguments of calls coincide with probability at most degree/p a pair.
    """
    values = (prime - 1) // 2
    pairs = calls * (calls + 1) // 2
    return min(1.0, (degree + pairs * max(argument, 1)) / values)
