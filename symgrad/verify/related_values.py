"""Values of a random evaluation that remember how they were made, as far as relations need it.

A value is a sum Σ q · g · m: a rational factor q, a residue m modulo a prime that stands
for a product of random numbers, and a product g of quadratic generators (a root with
r² = v, a step with s² = s). The factors let exp(-2 a) be seen as exp(a)^{-2}, the summands
let exp(a + b) be seen as exp(a) exp(b), and the generators make the evaluation one in
F_p[r, s, …] modulo their equations, where no root has to exist.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

#: A product of generators, as sorted numbers.
Generators = tuple[int, ...]
#: A summand without its factor; the residue is in 1..(p-1)/2, its sign is in the factor.
Key = tuple[Generators, int]

#: Products of generators in one value; more are no longer worth it.
MOST_PRODUCTS = 32
#: A rational factor: whole ones are int, which is several times as fast.
Rational = int | Fraction
_LARGE = 1 << 48
_NONE: Generators = ()


class TooManyGenerators(ArithmeticError):
    """A value in which too many roots and steps are multiplied with each other."""


class Value:
    """A sum of summands; immutable."""

    __slots__ = ("parts", "ring")

    def __init__(self, ring: Ring, parts: dict[Key, Rational]) -> None:
        self.ring = ring
        self.parts = parts

    # NotImplemented beside an array: NumPy then goes through its entries.

    def __add__(self, other: Value) -> Value:
        return self.ring.add(self, other) if isinstance(other, Value) else NotImplemented

    def __neg__(self) -> Value:
        return Value(self.ring, {key: -q for key, q in self.parts.items()})

    def __sub__(self, other: Value) -> Value:
        return self.ring.add(self, -other)

    def __mul__(self, other: Value) -> Value:
        return self.ring.mul(self, other) if isinstance(other, Value) else NotImplemented

    def residues(self) -> dict[Generators, int]:
        """The value as residues, one for each product of generators, zeros left out."""
        prime, found = self.ring.prime, dict[Generators, int]()
        for (generators, m), q in self.parts.items():
            found[generators] = (found.get(generators, 0) + self.ring.residue(q) * m) % prime
        return {generators: m for generators, m in found.items() if m}

    @property
    def residue(self) -> int | None:
        """Its residue, if no generator occurs in it."""
        found = self.residues()
        if not found:
            return 0
        return found[_NONE] if found.keys() == {_NONE} else None

    @property
    def signature(self) -> tuple[tuple[Generators, int], ...]:
        """The same for equal values."""
        return tuple(sorted(self.residues().items()))


@dataclass
class Ring:
    """The ring operations on values.

    Attributes:
        prime: residues are modulo this.
        width: how many summands without a generator in common a value keeps; a longer
            sum becomes one residue.
        squares: for each generator what its square is; None for itself (a step).
        exclusive: pairs of generators whose product is zero.
        compared: pairs of summands that were found different, for the error bound.
        most_generators: how many generators a denominator had at most.
        squared_roots, squared_steps: whether any was multiplied with itself.
    """

    prime: int
    width: int
    squares: list[Value | None] = field(default_factory=list)
    exclusive: list[set[int]] = field(default_factory=list)
    compared: int = 0
    most_generators: int = 0
    squared_roots: bool = False
    squared_steps: bool = False

    def constant(self, value: Fraction) -> Value:
        return Value(self, {(_NONE, 1): _whole(value)} if value else {})

    def number(self, residue: int) -> Value:
        """A residue as a summand of its own."""
        residue %= self.prime
        return self._single(_NONE, residue, 1) if residue else Value(self, {})

    def generator(self, square: Value | None, *, apart_from: Value | None = None) -> Value:
        """A new quadratic generator; its product with ``apart_from``, another one, is zero."""
        self.squares.append(square)
        index = len(self.squares) - 1
        if apart_from is not None:
            (((other,), _),) = apart_from.parts
            self.exclusive.append({other, index})
        return Value(self, {((index,), 1): 1})

    def residue(self, q: Rational) -> int:
        if q.denominator == 1:
            return q.numerator % self.prime
        return q.numerator * pow(q.denominator, -1, self.prime) % self.prime

    def add(self, left: Value, right: Value) -> Value:
        if not left.parts or not right.parts:
            return left if left.parts else right
        if self.width == 1 and len(left.parts) == len(right.parts) == 1:
            (((g, m), q),) = left.parts.items()
            (((h, n), r),) = right.parts.items()
            if not g and not h and m != n:
                return self.number(self.residue(q) * m + self.residue(r) * n)
        return self._made(left.parts, list(right.parts.items()))

    def mul(self, left: Value, right: Value) -> Value:
        if len(left.parts) == len(right.parts) == 1:
            # By far the most frequent case.
            (((g, m), q),) = left.parts.items()
            (((h, n), r),) = right.parts.items()
            if not g or not h:
                return self._single(g or h, m * n % self.prime, q * r)
        found: list[tuple[Key, Rational]] = []
        more: list[Value] = []
        for (g, m), q in left.parts.items():
            for (h, n), r in right.parts.items():
                if not g or not h:
                    found.append(((g or h, m * n), q * r))
                    continue
                both, shared = {*g, *h}, {*g} & {*h}
                if any(pair <= both for pair in self.exclusive):
                    continue
                part = self._made({}, [((tuple(sorted(both)), m * n), q * r)])
                more.append(self._reduced(part, shared) if shared else part)
        total = self._made({}, found)
        for part in more:
            total = self.add(total, part)
        return total

    def _reduced(self, part: Value, shared: set[int]) -> Value:
        """A product in which some generators stand for their squares."""
        for generator in shared:
            square = self.squares[generator]
            if square is None:
                self.squared_steps = True
            else:
                self.squared_roots = True
                part = self.mul(self._without(part, generator), square)
        return part

    @staticmethod
    def _without(part: Value, generator: int) -> Value:
        """What stands before a generator."""
        return Value(
            part.ring,
            {(tuple(i for i in g if i != generator), m): q for (g, m), q in part.parts.items()},
        )

    def inverse(self, value: Value) -> Value:
        """1 / value.

        Raises:
            ZeroDivisionError: the value is zero or divides zero.
        """
        generators = {i for g, _ in value.parts for i in g}
        if not generators:
            return self._inverse_number(value)
        self.most_generators = max(self.most_generators, len(generators))
        last = max(generators)
        with_it = {key: q for key, q in value.parts.items() if last in key[0]}
        slope = self._without(Value(self, with_it), last)
        rest = Value(self, {key: q for key, q in value.parts.items() if key not in with_it})
        own = Value(self, {((last,), 1): 1})
        square = self.squares[last]
        if square is None:
            # 1/(a + b s) = 1/a + (1/(a + b) - 1/a) s
            at_0, at_1 = self.inverse(rest), self.inverse(rest + slope)
            return at_0 + (at_1 - at_0) * own
        self.squared_roots = True
        norm = rest * rest - slope * slope * square
        return (rest - slope * own) * self.inverse(norm)

    def _inverse_number(self, value: Value) -> Value:
        if len(value.parts) == 1:
            (((_, m), q),) = value.parts.items()
            inverse = pow(m, -1, self.prime)
            return self._made({}, [((_NONE, inverse), _whole(1 / Fraction(q)))])
        residue = value.residue
        if not residue:
            raise ZeroDivisionError("a denominator vanishes at this random point")
        return self.number(pow(residue, -1, self.prime))

    def _single(self, generators: Generators, m: int, q: Rational) -> Value:
        if abs(q.numerator) > _LARGE or q.denominator > _LARGE:
            m, q = self.residue(q) * m % self.prime, 1
        if m > self.prime // 2:
            m, q = self.prime - m, -q
        return Value(self, {(generators, m): q})

    def _made(self, known: dict[Key, Rational], more: list[tuple[Key, Rational]]) -> Value:
        """A sum with canonical keys, not too many of them."""
        prime, half = self.prime, self.prime // 2
        parts = dict(known)
        for (generators, m), q in more:
            m %= prime
            if abs(q.numerator) > _LARGE or q.denominator > _LARGE:
                m, q = self.residue(q) * m % prime, 1
            if m > half:
                m, q = prime - m, -q
            key = (generators, m)
            total = q + parts.get(key, 0)
            if not m or not total:
                parts.pop(key, None)
            else:
                parts[key] = total
        self.compared += len(parts) ** 2
        value = Value(self, parts)
        return value if len(parts) <= 1 else self._narrowed(value)

    def _narrowed(self, value: Value) -> Value:
        count: dict[Generators, int] = {}
        for generators, _ in value.parts:
            count[generators] = count.get(generators, 0) + 1
        if len(count) > MOST_PRODUCTS:
            raise TooManyGenerators(
                f"a value with {len(count)} products of roots and steps has no short normal form"
            )
        if max(count.values()) <= self.width:
            return value
        wide = {generators for generators, n in count.items() if n > self.width}
        parts = {key: q for key, q in value.parts.items() if key[0] not in wide}
        half = self.prime // 2
        for generators, m in value.residues().items():
            if generators in wide:
                sign = 1 if m <= half else -1
                parts[generators, m if m <= half else self.prime - m] = sign
        return Value(self, parts)


def _whole(q: Fraction) -> Rational:
    return q.numerator if q.denominator == 1 else q
