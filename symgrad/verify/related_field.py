"""Arithmetic modulo a prime in which calls are related as ``relations`` declares.

``PrimeField`` takes every call as a random number of its own. Here exp of a sum is the
product of random numbers of its summands, to the powers of their rational factors; σ and
tanh follow through their definitions. Roots and steps are generators with r² = v, s² = s.
What is not recognised (a sum that is too long) is a random number of its own, so two
equal values can differ, but a relation that is not declared never holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.lang.algebra import MERSENNE_61, Algebra, at_kink, is_array
from symgrad.verify.related_values import Key, Rational, Ring, Value
from symgrad.verify.relations import Relation, Uses

#: exp(q a) is a power of one random number if 12 q is an integer.
_ROOT = 12
#: exp(q log(x)) is written as x^q up to this q.
MOST_POWER = 12
_HALF = Fraction(1, 2)
_ONE: Key = ((), 1)
_NO_SCALE = Fraction(1)


class RelatedField(Algebra):
    """Residues with related calls. Values belong to one instance.

    That x times the indicator of x = 0 is zero is used in max(x, 0) only: in it x s(x) is
    written with the s of every convention, or with ``own_kinks`` with that of its own.

    Attributes:
        uses: the account of what calls were related to each other.
        steepest: the largest power of random numbers in one call of exp.
    """

    def __init__(
        self,
        prime: int = MERSENNE_61,
        seed: int = 0,
        width: int = 1,
        *,
        own_kinks: bool = False,
    ) -> None:
        self.prime, self.seed, self.own_kinks = prime, seed, own_kinks
        self.ring = Ring(prime, width)
        self.uses = Uses()
        self.steepest = 1
        self._units: dict[tuple[Key, int], int] = {}
        self._atoms: dict[object, int] = {}
        self._exponents: dict[int, Value] = {}
        self._logarithms: dict[int, tuple[Value, str]] = {}
        self._generators: dict[object, Value] = {}

    # ---- ring operations ----

    def const(self, value: Fraction) -> Any:
        return self.ring.constant(value)

    def inverse(self, value: Any) -> Any:
        return self.map(self.ring.inverse, value)

    def diagonal(self, value: Any) -> Any:
        return value * self.eye(value.shape[-2]) if is_array(value) else value

    def number(self, residue: int) -> Value:
        """A random number as a value."""
        return self.ring.number(residue)

    def is_zero(self, value: Any) -> bool:
        entries = value.ravel() if isinstance(value, np.ndarray) else [value]
        return all(not entry.residues() for entry in entries)

    def relations(self) -> tuple[Relation, ...]:
        """The relations that were used so far."""
        if self.ring.squared_roots:
            self.uses.note("sqrt square")
        if self.ring.squared_steps:
            self.uses.note("step square")
        return self.uses.relations()

    @property
    def kinks(self) -> bool:
        """Whether a step had a value at its kink."""
        return any(isinstance(key, tuple) and key[0] == "kink" for key in self._generators)

    @property
    def atoms(self) -> int:
        """How many different random numbers were drawn for calls."""
        return len(self._units) + len(self._atoms) + len(self._generators)

    # ---- functions ----

    def through(self, name: str, definition: Callable[..., Any], argument: Any) -> Any:
        before, self.uses.head = self.uses.head, name if name in ("sigma", "tanh") else "exp"
        try:
            return definition(self, argument)
        finally:
            self.uses.head = before

    def exp(self, value: Any) -> Any:
        return self.map(self._exp, value)

    def log(self, value: Any) -> Any:
        return self.map(self._log, value)

    def sqrt(self, value: Any) -> Any:
        return self.map(self._sqrt, value)

    def step(self, value: Any, at_zero: Fraction | None) -> Any:
        def of(x: Value) -> Value:
            self.uses.kink(self._directed(x)[1].signature, at_zero, value=False)
            return self._step(x, at_zero)

        return self.map(of, value)

    def positive_part(self, value: Any, at_zero: Fraction | None) -> Any:
        return self.map(lambda x: self._positive_part(x, at_zero), value)

    def opaque(self, name: str, order: int, value: Any) -> Any:
        return self.map(lambda x: self._atom((name, order, x.signature)), value)

    def _exp(self, value: Value) -> Value:
        if not value.parts:
            self.uses.note("exp zero")
        call = frozenset(value.parts)
        residue, power, factor = 1, 0, self.ring.constant(Fraction(1))
        for key, q in value.parts.items():
            known = self._logarithms.get(key[1]) if not key[0] else None
            if known is not None and q.denominator == 1 and -MOST_POWER <= q <= MOST_POWER:
                self.uses.note(known[1])
                base = known[0] if q > 0 else self.ring.inverse(known[0])
                for _ in range(abs(q.numerator)):
                    factor = factor * base
                continue
            self.uses.exp(key, Fraction(q), call)
            unit, exponent = self._unit(key, q)
            power += abs(exponent)
            residue = residue * pow(unit, exponent, self.prime) % self.prime
        self.steepest = max(self.steepest, power)
        if factor.parts == {_ONE: 1} and value.parts:
            self._exponents.setdefault(residue, value)
            self._exponents.setdefault(pow(residue, -1, self.prime), -value)
        return self.number(residue) * factor

    def _unit(self, key: Key, q: Rational) -> tuple[int, int]:
        """exp(q · key) as a random number and its exponent."""
        root = _ROOT if _ROOT % q.denominator == 0 else q.denominator
        known = self._units.get((key, root))
        if known is None:
            known = self._units[key, root] = self._random(("exp", key, root))
        return known, (q * root).numerator

    def _log(self, value: Value) -> Value:
        u = value.residue
        if u is None:
            return self._atom(("log", value.signature))
        if u == 0:
            raise ZeroDivisionError("the logarithm of zero")
        if u == 1:
            self.uses.note("log exp")
            return self.ring.constant(Fraction(0))
        if u in self._exponents:
            self.uses.note("log exp")
            return self._exponents[u]
        if u - 1 in self._exponents:
            return self._softplus(self._exponents[u - 1])
        inverse = pow(u, -1, self.prime)
        if inverse - 1 in self._exponents:
            self.uses.note("log sigma")
            return -self._softplus(self._exponents[inverse - 1])
        first = min(u, inverse)
        self.uses.turned("log", first, 1 if u == first else -1, _NO_SCALE)
        found = self._atom(("log", first))
        self._remember(found, self.number(first), "exp log")
        return found if u == first else -found

    def _softplus(self, argument: Value) -> Value:
        """log(1 + exp(x)) for both signs of x from one random number."""
        sign, canonical = self._directed(argument)
        found = self._atom(("softplus", canonical.signature))
        base = self.ring.constant(Fraction(1)) + self._exp(canonical)
        self._remember(found, base, "exp log")
        self.uses.turned("softplus", canonical.signature, sign, _NO_SCALE)
        return found if sign > 0 else found - canonical

    def _sqrt(self, value: Value) -> Value:
        u = value.residue
        if u is not None and u in self._exponents:
            self.uses.note("sqrt exp")
            return self._exp(self._exponents[u] * self.ring.constant(_HALF))
        if u in (0, 1):
            return value
        key = ("sqrt", value.signature)
        if key not in self._generators:
            self._generators[key] = self.ring.generator(value)
        return self._generators[key]

    def _positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        """x s with one s for every convention: at 0 it is 0 in all of them."""
        if not value.parts:
            return value
        canonical = self._directed(value)[1]
        self.uses.kink(canonical.signature, at_zero, value=True)
        return value * self._step(value, at_zero if self.own_kinks else None, "relu")

    def _step(self, value: Value, at_zero: Fraction | None, called: str = "step") -> Value:
        if not value.parts:
            if at_zero is None:
                raise at_kink()
            return self.ring.constant(at_zero)
        sign, canonical = self._directed(value)
        if canonical.parts.keys() == {_ONE}:
            return self.ring.constant(Fraction(int(sign > 0)))
        scale = Fraction(min(canonical.parts.items())[1])
        canonical = canonical * self.ring.constant(1 / scale)
        self.uses.turned(called, canonical.signature, sign, scale)
        # s is 0 at the kink and d is 1 there alone: step_a(c) = s + a d, for -c its mirror image.
        # Without a convention the kink does not matter.
        s = self._idempotent("step", canonical)
        if sign < 0:
            s = self.ring.constant(Fraction(1)) - s
        weight = at_zero or Fraction(0)
        weight = weight if sign > 0 or at_zero is None else weight - 1
        return s + self._at_kink(canonical) * self.ring.constant(weight) if weight else s

    def _idempotent(self, kind: str, argument: Value, apart_from: Value | None = None) -> Value:
        key = (kind, argument.signature)
        if key not in self._generators:
            self._generators[key] = self.ring.generator(None, apart_from=apart_from)
        return self._generators[key]

    def _at_kink(self, argument: Value) -> Value:
        """1 where the argument is 0, and 0 elsewhere."""
        return self._idempotent("kink", argument, self._idempotent("step", argument))

    @staticmethod
    def _directed(value: Value) -> tuple[int, Value]:
        """A sign and the value with that sign, the same for x and -x up to the sign."""
        positive = not value.parts or min(value.parts.items())[1] > 0
        return (1, value) if positive else (-1, -value)

    # ---- random numbers ----

    def _remember(self, atom: Value, argument: Value, relation: str) -> None:
        """That a random number is the logarithm of something."""
        ((_, m),) = atom.parts
        sign = atom.parts[(), m]
        self._logarithms[m] = (argument if sign > 0 else self.ring.inverse(argument), relation)

    def _atom(self, key: object) -> Value:
        if key not in self._atoms:
            self._atoms[key] = self._random(key)
        return self.number(self._atoms[key])

    def _random(self, key: object) -> int:
        data = f"{self.seed}:{self.prime}:{key!r}".encode()
        digest = hashlib.blake2b(data, digest_size=16).digest()
        return int.from_bytes(digest, "big") % (self.prime - 1) + 1
