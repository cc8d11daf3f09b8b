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

from symgrad.lang.algebra import Algebra, PrimeField, Rationals
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Const,
    Fold,
    Full,
    IndexValue,
    Iverson,
    Node,
    Param,
    Power,
    Signal,
    const,
    params_in,
    signals_in,
    transform,
    walk,
)
from symgrad.lang.program import Program
from symgrad.lang.tape import Environment, Tape
from symgrad.verify.special import WithCases

#: Functions that are positive everywhere.
_POSITIVE = frozenset({"exp", "sigma", "softplus"})


@dataclass(frozen=True)
class Pole:
    """Where a formula may have no value.

    Attributes:
        words: the condition that it has one: ``w ≠ 1``.
        claim: the claim at the value where a denominator vanishes; None where no single
            parameter decides that.
    """

    words: str
    claim: Any = None


def poles(claim: Any, program: Program | None) -> Iterator[Pole]:
    """Where the sides of a claim may have no value; what the program divides by is left out."""
    if not isinstance(claim, WithCases):
        return
    own = _own(program)
    fixed = {p for p, _ in claim.imposed}
    for divisor, certain in divisors(claim.left, claim.right).items():
        if _timeless(divisor) in own or is_positive(divisor):
            continue
        root = _root(divisor, fixed)
        if root is not None:
            at: Any = claim
            special = replace(at, imposed=(*claim.imposed, root))
            yield Pole(f"{root[0]!r} ≠ {root[1]!r}", special)
        elif certain:
            yield Pole(f"{divisor!r} ≠ 0")


def divisors(*roots: Node) -> dict[Node, bool]:
    """What the formulas divide by, factor by factor, and whether it does so at every time.

    A power whose exponent depends on a time divides where that is negative; it is listed
    as not certain.
    """
    found: dict[Node, bool] = {}
    for node in walk(*roots):
        if isinstance(node, Apply) and node.head.name == "div":
            found |= dict.fromkeys(_factors(node.args[1]), True)
        elif isinstance(node, Power):
            exponent = node.exponent
            certain = exponent.is_const and exponent.const < 0
            if certain or exponent.const < 0 or any(c < 0 for _, c in exponent.terms):
                for factor in _factors(node.base):
                    found[factor] = found.get(factor, False) or certain
    return {node: c for node, c in found.items() if not isinstance(node, Const | Full)}


def _factors(node: Node) -> Iterator[Node]:
    if isinstance(node, Power) and not node.is_matrix_power:
        yield from _factors(node.base)
    elif isinstance(node, Apply) and node.head.name in ("mul", "neg"):
        for argument in node.args:
            yield from _factors(argument)
    elif isinstance(node, Apply) and node.head.name == "div":
        yield from _factors(node.args[0])
    else:
        yield node


def _own(program: Program | None) -> set[Node]:
    """The program's divisors, and its signals: it divides by them itself."""
    if program is None:
        return set()
    values = [e.value for sweep in program.sweeps for e in sweep.equations]
    inside = {_timeless(node) for node in divisors(*values)}
    made = {e.target.name: e.value for sweep in program.sweeps for e in sweep.equations}
    positive = {name for name, value in made.items() if is_positive(value)}
    return inside | {
        _timeless(node)
        for node in signals_in(
            *values, *(e.target for sweep in program.sweeps for e in sweep.equations)
        )
        if node.name in positive
    }


def _timeless(node: Node) -> Node:
    return transform(node, lambda item: item.at(0) if isinstance(item, Signal) else item)


def is_positive(node: Node) -> bool:
    """Whether a formula is positive for all real values, as far as its form shows."""
    if isinstance(node, Const):
        return node.value > 0
    if isinstance(node, IndexValue):
        return node.form.const > 0 and all(factor >= 0 for _, factor in node.form.terms)
    if isinstance(node, Power):
        return is_positive(node.base)
    if not isinstance(node, Apply):
        return False
    name, args = node.head.name, node.args
    if name in _POSITIVE:
        return True
    if name in ("sqrt", "mul", "div"):
        return all(is_positive(a) for a in args)
    if name == "add":
        return all(_is_no_less(a) for a in args) and any(is_positive(a) for a in args)
    return False


def _is_no_less(node: Node) -> bool:
    """Whether a formula is at least 0, as far as its form shows."""
    if is_positive(node) or (isinstance(node, Const) and node.value == 0):
        return True
    if isinstance(node, Power):
        exponent = node.exponent
        return exponent.is_const and exponent.const % 2 == 0 and not node.is_matrix_power
    if isinstance(node, IndexValue | Iverson):
        return not isinstance(node, IndexValue) or (
            node.form.const >= 0 and all(factor >= 0 for _, factor in node.form.terms)
        )
    if not isinstance(node, Apply):
        return False
    name, args = node.head.name, node.args
    if name in ("sqrt", "abs", "abs_0", "variance") or name.startswith("relu"):
        return True
    if name == "mul" and len(args) == 2 and args[0] == args[1]:
        return True
    return name in ("add", "mul", "div", "total", "mean") and all(_is_no_less(a) for a in args)


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
        start, one, two = (_with(divisor, theta, const(number)) for number in (0, 1, 2))
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
