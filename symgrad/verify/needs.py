"""What the parts of a formula need to have a value: divisors that are not 0, and the like.

A formula is walked with the ranges of its times, so that a power w^{T-k} in a sum over k up to T
is no division, and a denominator inside a case counts where the case is met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from symgrad.lang.affine import Affine, symbol
from symgrad.lang.nodes import (
    Apply,
    Cases,
    Condition,
    Const,
    Derivative,
    Fold,
    Full,
    IndexValue,
    Iverson,
    Node,
    Power,
    Signal,
    rename_index,
    signals_in,
    substitute_indices,
    transform,
)
from symgrad.lang.program import Program
from symgrad.verify.regions import Region, region_of

Kind: TypeAlias = Literal["divisor", "positive", "not negative"]

_RELATIONS: dict[Kind, str] = {"divisor": "≠ 0", "positive": "> 0", "not negative": "≥ 0"}
#: Functions that are positive everywhere.
_POSITIVE = frozenset({"exp", "sigma", "softplus"})
#: What arguments of functions have to be.
_ARGUMENTS: dict[str, Kind] = {"log": "positive", "sqrt": "not negative"}
#: Functions without a value at 0: steps without a convention there.
_STEPS = frozenset({"step", "sign"})
_LETTERS = "kjilmpqr"
#: Nothing is known of the times.
ANYWHERE = Region()


@dataclass(frozen=True)
class Need:
    """A formula that is not 0, positive, or not negative, wherever the whole has a value.

    Attributes:
        region: the times at which it is asked.
        exponent: the exponent with which it stands, where that may be negative at some times only.
    """

    formula: Node
    kind: Kind
    region: Region
    exponent: Affine | None = None

    @property
    def words(self) -> str:
        """The condition: ``h_t ≠ 0``."""
        where = "" if self.exponent is None else f" while {self.exponent} < 0"
        return f"{self.formula!r} {_RELATIONS[self.kind]}{where}"

    @property
    def is_certain_to_hold(self) -> bool:
        """Whether it holds for all real values, as far as the form shows."""
        formula = self.formula
        if self.kind == "not negative":
            return is_no_less(formula, self.region)
        if self.kind == "divisor" and isinstance(formula, IndexValue):
            return self.region.implies(formula.form - 1) or self.region.excludes(formula.form)
        if is_positive(formula, self.region):
            return True
        return self.kind == "divisor" and is_positive(-formula, self.region)


class Needs:
    """Collects what formulas need, once for each region of times at which they need it.

    ``values``: parameters that have one.
    ``steps``: whether a step without a convention needs that it is not asked at 0.
    """

    def __init__(
        self, region: Region, values: Mapping[Node, Node] | None = None, *, steps: bool = False
    ) -> None:
        self.region = region
        self.values = values or {}
        self.steps = steps
        self.found: dict[Need, None] = {}
        self._seen: set[tuple[Node, Region]] = set()

    def of(self, *roots: Node) -> list[Need]:
        """What the formulas need, each once."""
        for root in roots:
            self._visit(root, self.region, 0)
        return list(self.found)

    def _visit(self, node: Node, region: Region, depth: int) -> None:
        if (node, region) in self._seen or isinstance(node, Derivative) or region.is_empty:
            return
        self._seen.add((node, region))
        if isinstance(node, Fold):
            self._inside(node, region, depth)
            return
        if isinstance(node, Cases):
            self._by_cases(node, region, depth)
            return
        if isinstance(node, Power):
            self._power(node, region)
        elif isinstance(node, Apply) and node.head.name == "div":
            for factor in factors(node.args[1]):
                self._add(factor, "divisor", region)
        elif isinstance(node, Apply) and node.head.name in _ARGUMENTS:
            self._add(node.args[0], _ARGUMENTS[node.head.name], region)
        elif self.steps and isinstance(node, Apply) and node.head.name in _STEPS:
            for factor in factors(node.args[0]):
                self._add(factor, "divisor", region)
        for argument in node.args:
            self._visit(argument, region, depth)

    def _inside(self, node: Fold, region: Region, depth: int) -> None:
        taken = {name for form in region.premises for name in form.names}
        letter = next((x for x in _LETTERS[depth:] if x not in taken), f"k{depth}")
        body = rename_index(node.body, node.index, letter)
        inner = region.also(symbol(letter) - node.lower, node.upper - symbol(letter))
        self._visit(body, inner, depth + 1)

    def _by_cases(self, node: Cases, region: Region, depth: int) -> None:
        for value, row in zip(node.values, node.conditions, strict=True):
            compared = [side for c in row for side in (c.left, c.right) if isinstance(side, Node)]
            for side in compared:
                self._visit(side, region.also(*_forms(row)), depth)
            known = [self._holds(condition) for condition in row]
            if False in known:
                continue
            self._visit(value, region.also(*_forms(row)), depth)
            if all(known):
                return
            if len(row) == 1:
                region = _after(row[0], region)

    def _holds(self, condition: Condition) -> bool | None:
        """Whether a condition on parameters holds at their values; None where that is open."""
        left, right = condition.left, condition.right
        if isinstance(left, Affine) or isinstance(right, Affine):
            return None
        try:
            one, two = self._at_values(left), self._at_values(right)
        except ZeroDivisionError:
            return None
        if one is two:
            return condition.relation in ("=", "≥")
        differ = isinstance(one, Const) and isinstance(two, Const)
        return condition.relation == "≠" if differ and condition.relation in ("=", "≠") else None

    def _at_values(self, node: Node) -> Node:
        if not self.values:
            return node
        return transform(node, lambda item: self.values.get(item, item))

    def _power(self, node: Power, region: Region) -> None:
        exponent = node.exponent
        if region.implies(exponent):
            return
        certain = region.excludes(exponent)
        for factor in factors(node.base):
            self._add(factor, "divisor", region, None if certain else exponent)

    def _add(
        self, formula: Node, kind: Kind, region: Region, exponent: Affine | None = None
    ) -> None:
        try:
            formula = self._at_values(formula)
        except ZeroDivisionError:
            # What it divides by is a need of its own.
            return
        if isinstance(formula, Full) or (isinstance(formula, Const) and formula.value > 0):
            return
        if isinstance(formula, Const) and formula.value and kind == "divisor":
            return
        self.found.setdefault(Need(formula, kind, region, exponent))


def _forms(row: tuple[Condition, ...]) -> list[Affine]:
    """What conditions on times say, as forms that are at least 0."""
    found: list[Affine] = []
    for condition in row:
        if isinstance(condition.left, Affine) and isinstance(condition.right, Affine):
            gap = condition.left - condition.right
            found += {"=": [gap, -gap], "≥": [gap], "<": [-gap - 1], "≠": []}[condition.relation]
    return found


def _after(condition: Condition, region: Region) -> Region:
    """The part of a region in which a condition does not hold, as far as it is one."""
    left, right = condition.left, condition.right
    if not (isinstance(left, Affine) and isinstance(right, Affine)):
        return region
    gap = left - right
    if condition.relation == "≥":
        return region.also(-gap - 1)
    if condition.relation == "<":
        return region.also(gap)
    if condition.relation == "=" and region.implies(gap):
        return region.also(gap - 1)
    if condition.relation == "=" and region.implies(-gap):
        return region.also(-gap - 1)
    return region


def factors(node: Node) -> Iterator[Node]:
    """The factors of a divisor, none of which may vanish."""
    if isinstance(node, Power) and not node.is_matrix_power:
        yield from factors(node.base)
    elif isinstance(node, Apply) and node.head.name in ("mul", "neg"):
        for argument in node.args:
            yield from factors(argument)
    elif isinstance(node, Apply) and node.head.name == "div":
        yield from factors(node.args[0])
    else:
        yield node


class OwnNeeds:
    """What a run of a program needs itself: a run without it is none."""

    def __init__(self, program: Program | None) -> None:
        equations = [] if program is None else [e for s in program.sweeps for e in s.equations]
        # An equation is one of each t from 1 to T.
        at_each = region_of((("t", Affine(const=1), symbol("T")),), 0)
        self.needs = Needs(at_each).of(*(e.value for e in equations))
        made = {e.target.label: e.value for e in equations}
        self.positive = {label for label, value in made.items() if is_positive(value)}

    def covers(self, need: Need) -> bool:
        """Whether every run fulfils a need."""
        formula, region = need.formula, need.region
        if isinstance(formula, Signal) and formula.label in self.positive:
            return region.implies(formula.time - 1)
        return any(
            own.kind in (need.kind, "positive") and self._is_asked(own.formula, formula, region)
            for own in self.needs
        )

    def _is_asked(self, own: Node, formula: Node, region: Region) -> bool:
        """Whether it is what an equation needs at some step of the run."""
        if own is formula and not signals_in(own):
            return True
        offsets = {(s.label, s.time - symbol("t")) for s in signals_in(own)}
        for item in signals_in(formula):
            for label, offset in offsets:
                time = item.time - offset
                if label != item.label or substitute_indices(own, {"t": time}) is not formula:
                    continue
                if region.implies(time - 1) and region.implies(symbol("T") - time):
                    return True
        return False


def is_positive(node: Node, region: Region = ANYWHERE) -> bool:
    """Whether a formula is positive for all real values, as far as its form shows.

    ``region``: the times at which it is asked.
    """
    if isinstance(node, Const):
        return node.value > 0
    if isinstance(node, IndexValue):
        return region.implies(node.form - 1)
    if isinstance(node, Power):
        return is_positive(node.base, region)
    if not isinstance(node, Apply):
        return False
    name, args = node.head.name, node.args
    if name in _POSITIVE:
        return True
    if name in ("sqrt", "mul", "div", "total"):
        return all(is_positive(a, region) for a in args)
    if name == "add":
        no_less = all(is_no_less(a, region) for a in args)
        return no_less and any(is_positive(a, region) for a in args)
    return False


def is_no_less(node: Node, region: Region = ANYWHERE) -> bool:
    """Whether a formula is at least 0, as far as its form shows."""
    if is_positive(node, region) or (isinstance(node, Const) and node.value == 0):
        return True
    if isinstance(node, Power):
        exponent = node.exponent
        return exponent.is_const and exponent.const % 2 == 0 and not node.is_matrix_power
    if isinstance(node, IndexValue):
        return region.implies(node.form)
    if isinstance(node, Iverson):
        return True
    if not isinstance(node, Apply):
        return False
    name, args = node.head.name, node.args
    if name in ("sqrt", "abs", "abs_0", "variance") or name.startswith("relu"):
        return True
    if name == "mul" and len(args) == 2 and args[0] == args[1]:
        return True
    return name in ("add", "mul", "div", "total", "mean") and all(
        is_no_less(a, region) for a in args
    )


__all__ = ["Need", "Needs", "OwnNeeds", "factors", "is_no_less", "is_positive"]
