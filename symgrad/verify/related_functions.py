"""Rational functions over atoms in which calls are related as ``relations`` declares.

Calls of exp, σ and tanh on multiples of one argument are functions of one atom: y = σ of
the smallest multiple, so that σ(-x) is 1 - y, tanh of half of it 2 y - 1 and exp y/(1 - y);
or, with the summands of arguments apart, exp of each. Powers of roots and of steps are
reduced where equality is decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from symgrad.lang.affine import Affine
from symgrad.lang.algebra import Value, at_kink, is_array
from symgrad.verify.polynomial import Atom, Mono, Poly, TooManyTerms, mono_of
from symgrad.verify.rational import Ratio, RationalFunctions, generator
from symgrad.verify.relations import Relation, Uses

_ONE = Ratio(Poly.const(1), Poly.const(1))
_ZERO = Ratio(Poly({}), Poly.const(1))
_HALF = Fraction(1, 2)
#: exp(q log(x)) is written as x^q up to this q.
_MOST_POWER = 12
#: Evaluations in which arguments of calls, one inside the other, become the same.
_MOST_ROUNDS = 4
#: Products of terms in one evaluation: the LSTM's identities need some thousands.
_MOST_PRODUCTS = 20_000
#: Functions whose calls are written in the atom of their argument.
NAMES = ("exp", "sigma", "tanh", "softplus")


@dataclass
class Units:
    """For each argument of exp: the smallest multiple that occurs, and whether σ or tanh do."""

    smallest: dict[int, Fraction] = field(default_factory=dict)
    bounded: set[int] = field(default_factory=set)

    def take(self, index: int, factor: Fraction, *, bounded: bool) -> None:
        old = self.smallest.get(index, Fraction(0))
        bottom = lcm(old.denominator, factor.denominator)
        top = gcd(int(old * bottom), int(factor * bottom))
        self.smallest[index] = Fraction(top, bottom)
        if bounded:
            self.bounded.add(index)


class RelatedFunctions(RationalFunctions):
    """Exact arithmetic with related calls.

    Args:
        units: what an earlier evaluation found; atoms stand for these multiples.
        apart: exp of a sum is the product over its summands.
    """

    def __init__(self, units: Units, *, apart: bool) -> None:
        super().__init__(NAMES)
        self.units, self.apart = units, apart
        self.found = Units()
        self.uses = Uses()
        self._products = 0
        self._arguments: list[Ratio] = []
        self._exponentials: list[tuple[Ratio, Ratio]] = []
        self._logarithms: list[tuple[Ratio, Ratio]] = []
        self._softplus: list[Ratio] = []
        self._roots: list[tuple[Ratio, Atom]] = []
        self._steps: list[Ratio] = []

    def relations(self) -> tuple[Relation, ...]:
        """The relations that were used so far."""
        return self.uses.relations()

    def add(self, left: Value, right: Value) -> Value:
        for a, b in zip(_entries(left), _entries(right), strict=False):
            if a.under != b.under:
                self._count((a.over, b.under), (b.over, a.under), (a.under, b.under))
        return super().add(left, right)

    def mul(self, left: Value, right: Value) -> Value:
        for a, b in zip(_entries(left), _entries(right), strict=False):
            self._count((a.over, b.over), (a.under, b.under))
        return super().mul(left, right)

    def _count(self, *products: tuple[Poly, Poly]) -> None:
        """Account for products before they are multiplied out.

        Raises:
            TooManyTerms: the normal form would take long.
        """
        self._products += sum(len(a.terms) * len(b.terms) for a, b in products)
        if self._products > _MOST_PRODUCTS:
            raise TooManyTerms("the normal form with related calls is too long")

    # ---- equality ----

    def equal(self, left: Value, right: Value) -> bool:
        if is_array(left) or is_array(right):
            pairs = zip(_entries(left), _entries(right), strict=True)
            return all(self._same(a, b) for a, b in pairs)
        return self._same(left, right)

    def _same(self, left: Ratio, right: Ratio) -> bool:
        if left.under == right.under:
            return self._vanishes(left.over - right.over)
        self._count((left.over, right.under), (right.over, left.under))
        return self._vanishes(left.over * right.under - right.over * left.under)

    def is_zero(self, value: Value) -> bool:
        return all(self._vanishes(entry.over) for entry in _entries(value))

    def inverse_entry(self, value: Ratio) -> Ratio:
        if self._vanishes(value.over):
            raise ZeroDivisionError("division by zero")
        return Ratio(value.under, value.over)

    def _vanishes(self, poly: Poly) -> bool:
        """Whether it is zero once squares of roots and steps are reduced, the latest first."""
        for square, atom in reversed(self._roots):
            poly = self._without_squares(poly, atom, square)
        for index, _ in enumerate(self._steps):
            step, kink = Atom("step", (index,)), Atom("kink", (index,))
            poly = self._idempotent(self._idempotent(poly, step), kink)
            both = [m for m in poly.terms if _exponent(m, step) > 0 and _exponent(m, kink) > 0]
            poly = Poly({mono: c for mono, c in poly.terms.items() if mono not in both})
        return poly.is_zero

    def _without_squares(self, poly: Poly, atom: Atom, square: Ratio) -> Poly:
        halves = [(_exponent(mono, atom) // 2) for mono in poly.terms]
        if not any(halves):
            return poly
        self.uses.note("sqrt square")
        low, high = min(halves), max(halves)
        total = Poly({})
        for (mono, coefficient), half in zip(poly.terms.items(), halves, strict=True):
            rest = _with_exponent(mono, atom, _exponent(mono, atom) % 2)
            part = square.over.power(half - low) * square.under.power(high - half)
            total = total + part.times_mono(rest).scale(coefficient)
        return total

    def _idempotent(self, poly: Poly, atom: Atom) -> Poly:
        total: dict[Mono, Fraction] = {}
        for mono, coefficient in poly.terms.items():
            exponent = _exponent(mono, atom)
            if exponent > 1:
                self.uses.note("step square")
                mono = _with_exponent(mono, atom, 1)
            total[mono] = total.get(mono, Fraction(0)) + coefficient
        return Poly(total)

    def _multiple(self, value: Ratio, of: Ratio) -> Fraction | None:
        """The rational q with value = q · of, if there is one."""
        left, right = value.over, of.over
        if value.under != of.under:
            self._count((left, of.under), (right, value.under))
            left, right = left * of.under, right * value.under
        elif len(left.terms) != len(right.terms):
            return None
        if right.is_zero:
            return None
        mono = next(iter(right.terms))
        factor = left.terms.get(mono, Fraction(0)) / right.terms[mono]
        return factor if factor and (left - right.scale(factor)).is_zero else None

    # ---- exp, σ, tanh ----

    def call(self, name: str, argument: Ratio) -> Ratio:
        if name in ("exp", "sigma", "tanh"):
            self.uses.head = name
            doubled = argument if name != "tanh" else argument + argument
            if not self.apart and name != "exp" and not doubled.over.is_zero:
                index, factor = self._place(doubled)
                if index not in self.units.smallest:
                    # Not known yet what it is a multiple of: an atom, related to nothing.
                    self.found.take(index, factor, bounded=True)
                    self.uses.head = "exp"
                    return generator(name, index, factor)
            e = self._exp(doubled, bounded=name != "exp")
            self.uses.head = "exp"
            top, bottom = e.over, e.under
            self._exponentials += [(e, doubled), (Ratio(bottom, top), -doubled)]
            if name == "exp":
                return e
            whole = top + bottom
            over = top if name == "sigma" else top - bottom
            known = whole.constant
            return Ratio(over.scale(1 / known), _ONE.over) if known else Ratio(over, whole)
        if name == "log":
            return self._log(argument)
        if name == "softplus":
            return self._log(_ONE + self.call("exp", argument))
        if name == "sqrt":
            return self._sqrt(argument)
        return super().call(name, argument)

    def _exp(self, argument: Ratio, *, bounded: bool) -> Ratio:
        """exp of an argument as numerator and denominator; for tanh of twice its argument."""
        if argument.over.is_zero:
            self.uses.note("exp zero")
            return _ONE
        parts = [argument]
        if self.apart:
            parts = [
                Ratio(Poly({mono: c}), argument.under) for mono, c in argument.over.terms.items()
            ]
        places = [self._place(part) for part in parts]
        call = frozenset(index for index, _ in places)
        result = _ONE
        for (index, factor), part in zip(places, parts, strict=True):
            known = self._logarithm(part)
            if known is not None:
                self.uses.note("exp log")
                result = result * known
                continue
            self.uses.exp(index, factor / 2 if self.uses.head == "tanh" else factor, call)
            self.found.take(index, factor, bounded=bounded and not self.apart)
            result = result * self._power(index, factor)
        return result

    def _place(self, part: Ratio) -> tuple[int, Fraction]:
        for index, known in enumerate(self._arguments):
            factor = self._multiple(part, known)
            if factor is not None:
                return index, factor
        self._arguments.append(part)
        return len(self._arguments) - 1, Fraction(1)

    def _power(self, index: int, factor: Fraction) -> Ratio:
        unit = self.units.smallest.get(index)
        exponent = factor / unit if unit else _HALF
        if exponent.denominator != 1:
            # Not known yet, as arguments have changed: an atom of its own, related to nothing.
            return generator("exp", index, factor)
        count = abs(exponent.numerator)
        if index in self.units.bounded:
            y = Poly.atom(Atom("sigma", (index,)))
            over, under = y.power(count), (Poly.const(1) - y).power(count)
        else:
            over, under = Poly.atom(Atom("exp", (index,)), count), Poly.const(1)
        return Ratio(over, under) if exponent > 0 else Ratio(under, over)

    # ---- logarithms, roots, steps ----

    def _logarithm(self, part: Ratio) -> Ratio | None:
        """exp of an integer multiple of a known logarithm."""
        for of, atom in self._logarithms:
            q = self._multiple(part, atom)
            if q is not None and q.denominator == 1 and abs(q) <= _MOST_POWER:
                base = of if q > 0 else self.inverse_entry(of)
                count = abs(q.numerator)
                return Ratio(base.over.power(count), base.under.power(count))
        return None

    def _log(self, of: Ratio) -> Ratio:
        less = of + (-_ONE)
        inverse = self.inverse_entry(of)
        if less.over.is_zero:
            self.uses.note("log exp")
            return _ZERO
        for e, argument in self._exponentials:
            if self._same(of, e):
                self.uses.note("log exp")
                return argument
            if self._same(less, e):
                return self._softplus_of(argument)
            if self._same(inverse + (-_ONE), e):
                self.uses.note("log sigma")
                return -self._softplus_of(argument)
        for known, atom in self._logarithms:
            if self._same(of, known):
                return atom
            if self._same(inverse, known):
                self.uses.note("log negative")
                return -atom
        return self._new_logarithm(of)

    def _new_logarithm(self, of: Ratio) -> Ratio:
        atom = generator("log", len(self._logarithms))
        self._logarithms.append((of, atom))
        return atom

    def _softplus_of(self, argument: Ratio) -> Ratio:
        """log(1 + exp(x)) for both signs of x from one atom."""
        for known in self._softplus:
            factor = self._multiple(argument, known)
            if factor == 1:
                return self._softplus_atom(known)
            if factor == -1:
                self.uses.note("softplus negative")
                return self._softplus_atom(known) + argument
        self._softplus.append(argument)
        return self._softplus_atom(argument)

    def _softplus_atom(self, argument: Ratio) -> Ratio:
        of = _ONE + self._exp(argument, bounded=False)
        for known, atom in self._logarithms:
            if self._same(of, known):
                return atom
        return self._new_logarithm(of)

    def _sqrt(self, of: Ratio) -> Ratio:
        if of.over.is_zero or self._same(of, _ONE):
            return of
        for e, argument in self._exponentials:
            if self._same(of, e):
                self.uses.note("sqrt exp")
                return self.call("exp", Ratio(argument.over.scale(_HALF), argument.under))
        for known, atom in self._roots:
            if self._same(of, known):
                return Ratio(Poly.atom(atom), _ONE.over)
        atom = Atom("root", (len(self._roots),))
        self._roots.append((of, atom))
        return Ratio(Poly.atom(atom), _ONE.over)

    def step(self, value: Value, at_zero: Fraction | None) -> Value:
        return self.map(lambda x: self._step(x, at_zero, "step"), value)

    def positive_part(self, value: Value, at_zero: Fraction | None) -> Value:
        return self.map(lambda x: self._positive_part(x, at_zero), value)

    def _positive_part(self, value: Ratio, at_zero: Fraction | None) -> Ratio:
        # One s for every convention: at 0 the product x s is 0 in all of them.
        if value.over.is_zero:
            return value
        return value * self._step(value, None, "relu", convention=at_zero)

    def _step(
        self, value: Ratio, at_zero: Fraction | None, called: str, convention: Any = ...
    ) -> Ratio:
        if value.over.is_zero:
            if at_zero is None:
                raise at_kink()
            return Ratio(Poly.const(at_zero), _ONE.over)
        number = self._multiple(value, _ONE)
        if number is not None:
            return _ONE if number > 0 else _ZERO
        index, factor = self._direction(value)
        self.uses.turned(called, index, 1 if factor > 0 else -1, abs(factor))
        given = at_zero if convention is ... else convention
        self.uses.kink(index, given, value=called == "relu")
        # s is 0 at the kink and d is 1 there alone: step_a(c) = s + a d, for -c its mirror image.
        # Without a convention the kink does not matter.
        s, d = (Ratio(Poly.atom(Atom(kind, (index,))), _ONE.over) for kind in ("step", "kink"))
        s = s if factor > 0 else _ONE + (-s)
        weight = at_zero or Fraction(0)
        weight = weight if factor > 0 or at_zero is None else weight - 1
        return s + Ratio(d.over.scale(weight), _ONE.over) if weight else s

    def _direction(self, value: Ratio) -> tuple[int, Fraction]:
        for index, known in enumerate(self._steps):
            factor = self._multiple(value, known)
            if factor is not None:
                return index, factor
        self._steps.append(value)
        return len(self._steps) - 1, Fraction(1)


def _entries(value: Value) -> list[Ratio]:
    return list(value.ravel()) if is_array(value) else [value]


def _exponent(mono: Mono, atom: Atom) -> int:
    exponent = dict(mono).get(atom, Affine())
    if not exponent.is_const:
        raise TooManyTerms("a root or a step to a symbolic power")
    return exponent.const


def _with_exponent(mono: Mono, atom: Atom, exponent: int) -> Mono:
    rest = [(a, e) for a, e in mono if a != atom]
    return mono_of([*rest, (atom, Affine(const=exponent))])


def with_relations(holds: Callable[[RelatedFunctions], bool]) -> RelatedFunctions | None:
    """The arithmetic in which something holds, if it does: arguments whole, then apart.

    An evaluation finds the smallest multiples of arguments, which the next one uses; then
    arguments that were different can be the same, so this goes on until nothing changes.
    """
    for apart in (False, True):
        units = Units()
        try:
            for _ in range(_MOST_ROUNDS):
                base = RelatedFunctions(units, apart=apart)
                if holds(base):
                    return base
                if base.found == units:
                    break
                units = base.found
        except (TooManyTerms, ZeroDivisionError):
            continue
    return None
