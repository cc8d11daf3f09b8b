"""Where a formula has no value: its denominators, and at which parameters they vanish.

A statement that holds at random points says nothing of the points where a side divides by
zero. Those that one parameter decides (w = 1 of 1/(w - 1), w = 0 of w^(T-1) at T = 0) are
found and tried; of the others the condition is named as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from symgrad.lang.affine import T
from symgrad.lang.algebra import Algebra, PrimeField, Rationals
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Derivative,
    Fold,
    IndexValue,
    Iverson,
    Node,
    Param,
    const,
    params_in,
    signals_in,
    transform,
    walk,
)
from symgrad.lang.program import Program
from symgrad.lang.tape import Environment, Tape
from symgrad.verify.needs import Needs, OwnNeeds
from symgrad.verify.regions import Region, region_of
from symgrad.verify.special import WithCases


@dataclass(frozen=True)
class Pole:
    """Where a formula may have no value.

    Attributes:
        words: the condition that it has one: ``w ≠ 1``.
        claim: the claim at the value where a denominator vanishes; None where no single
            parameter decides that.
        without: the times at which that claim has no value.
    """

    words: str
    claim: Any = None
    without: tuple[Region, ...] = ()

    def is_without_value(self, horizon: int) -> bool:
        """Whether the claim there has no value at T, for some choice of the free times."""
        at = (T - horizon, horizon - T)
        return any(not region.also(*at).is_empty for region in self.without)

    @property
    def condition(self) -> str:
        """The condition, with the T at which it is needed where they are few; empty for none."""
        if self.claim is None:
            return self.words
        if not self.without:
            return ""
        pinned = [region.value_of("T") for region in self.without]
        known = sorted({value for value in pinned if value is not None})
        if None in pinned:
            return self.words
        return f"{self.words} at T = {', '.join(map(str, known))}"


def poles(claim: Any, program: Program | None, first: int = 0) -> Iterator[Pole]:
    """Where the sides of a claim may have no value; what the program divides by is left out.

    ``first``: the smallest T that is asked about.
    """
    if not isinstance(claim, WithCases):
        return
    fixed = {p for p, _ in claim.imposed}
    region = region_of(getattr(claim, "times", ()), first)
    steps = _asks_for_steps(claim)
    needs = Needs(region, dict(claim.imposed), steps=steps).of(claim.left, claim.right)
    own = OwnNeeds(program)
    told: set[str] = set()
    for need in needs:
        if own.covers(need) or need.is_certain_to_hold:
            continue
        root = None if need.kind != "divisor" else _root(need.formula, fixed)
        words = need.words if root is None else f"{root[0]!r} ≠ {root[1]!r}"
        if words in told:
            continue
        told.add(words)
        if root is None:
            yield Pole(words)
            continue
        at: Any = claim
        special = replace(at, imposed=(*claim.imposed, root))
        yield Pole(words, special, tuple(_vanishing(special, region)))


#: Functions that have a kink at 0 and no convention there.
_KINKED = frozenset({"relu", "max", "abs", "step", "sign"})


def _asks_for_steps(claim: Any) -> bool:
    """Whether it has to be said that a step is not asked at 0.

    Beside derivatives of a cell with kinks it goes without saying: they have no value there.
    """
    derivatives = getattr(claim, "backward", None) is not None or any(
        isinstance(node, Derivative) for node in walk(claim.left, claim.right)
    )
    program = getattr(claim, "program", None)
    if not derivatives or program is None:
        return True
    values = [equation.value for sweep in program.sweeps for equation in sweep.equations]
    return not any(isinstance(n, Apply) and n.head.name in _KINKED for n in walk(*values))


def _vanishing(claim: Any, region: Region) -> Iterator[Region]:
    """The times at which a claim divides by zero, whatever its signals are."""
    steps = _asks_for_steps(claim)
    for need in Needs(region, dict(claim.imposed), steps=steps).of(claim.left, claim.right):
        if need.kind != "divisor" or _values([need.formula]) != [0]:
            continue
        negative = [] if need.exponent is None else [-need.exponent - 1]
        found = need.region.also(*negative)
        if not found.is_empty:
            yield found


def _root(divisor: Node, fixed: Iterable[Param]) -> tuple[Param, Node] | None:
    """A parameter and the value at which a divisor of first degree in it vanishes."""
    if not divisor.is_scalar or signals_in(divisor):
        return None
    if any(isinstance(node, Fold | IndexValue | Iverson) for node in walk(divisor)):
        return None
    taken = set(fixed)
    for theta in params_in(divisor):
        if theta in taken or not theta.is_scalar:
            continue
        try:
            start, one, two = (_with(divisor, theta, const(number)) for number in (0, 1, 2))
        except ZeroDivisionError:
            # It divides by the parameter itself: no polynomial of first degree.
            continue
        slope, bend = one - start, two - one - (one - start)
        values = _values([slope, bend])
        if values is None or values[0] == 0 or values[1] != 0:
            continue
        if params_in(start, slope):
            return theta, OPERATORS["div"](-start, slope)
        exact = _values([start, slope], Rationals())
        return None if exact is None else (theta, const(-Fraction(exact[0]) / exact[1]))
    return None


def _with(node: Node, theta: Param, value: Node) -> Node:
    return transform(node, lambda item: value if item == theta else item)


def _values(nodes: Sequence[Node], algebra: Algebra | None = None) -> list[Any] | None:
    """Values at one point, by default modulo a prime; None where there are none."""
    algebra = PrimeField(seed=7) if algebra is None else algebra
    values = {
        theta.name: algebra.const(Fraction(3 + 1_000_003 * i))
        for i, theta in enumerate(params_in(*nodes))
    }
    try:
        return Tape(nodes, algebra).run(Environment(values, _no_signal, {}))
    except (ArithmeticError, KeyError):
        return None


def _no_signal(label: str, time: int) -> Any:
    raise KeyError(label)
