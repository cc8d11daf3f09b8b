"""Normal forms of scalar formulas with symbolic T: polynomials over atoms.

Activation calls are atoms; so are Σ and Π of what depends on their index, from 1 to
an upper limit. Σ_{k=l}^{u} is S(u) - S(l-1) and Π_{j=l}^{u} is P(u)/P(l-1), factors
that do not depend on the index move out, so reindexed, split and reordered sums
and products have one form. ``peel`` splits the last term off: S(T) = S(T-1) + f(T).

Soundness. All manipulations hold for nonzero factors and whenever the recorded
``Requirement``s hold (ranges not emptier than empty, symbolic exponents not negative; a
negative number is a division, and ``domain.poles`` says where that has a value). For a
given T both sides are then polynomials in every factor (rational functions where the
formula divides), so an identity for nonzero values is one for all values at which both
sides are defined, zero included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from symgrad.lang.affine import Affine, symbol
from symgrad.lang.nodes import (
    Apply,
    Const,
    Derivative,
    Fold,
    IndexValue,
    Name,
    Node,
    Param,
    Power,
    Signal,
    open_fold,
)
from symgrad.verify.folding import (
    NoNormalForm,
    affine_poly,
    clear_bases,
    extract_content,
    peel,
    poly_depends,
    power,
    ratio,
    scaled,
    split,
    sum_to,
)
from symgrad.verify.orientation import oriented
from symgrad.verify.polynomial import Atom, Poly, mono_of, mono_times


@dataclass(frozen=True)
class Requirement:
    """``bound >= 0`` whenever all ``premises`` are ``>= 0``."""

    bound: Affine
    premises: tuple[Affine, ...] = ()

    def holds_from(self, name: str, start: int) -> bool:
        """True if it holds for every integer ``name`` >= start (and nothing else is free)."""
        if (self.bound.names | {n for p in self.premises for n in p.names}) - {name}:
            return False
        low, high = start, None
        for premise in self.premises:
            slope, offset = premise.coefficient(name), premise.const
            if slope > 0:
                low = max(low, -(offset // slope))
            elif slope < 0:
                limit = offset // -slope
                high = limit if high is None else min(high, limit)
            elif offset < 0:
                return True
        if high is not None and high < low:
            return True
        slope = self.bound.coefficient(name)
        at_low = self.bound.value({name: low}) >= 0
        if slope >= 0:
            return at_low
        return at_low and high is not None and self.bound.value({name: high}) >= 0


def call_atom(name: str, argument: Poly) -> Poly:
    """A call as an atom of its own: nothing is known of it but its argument."""
    return Poly.atom(Atom("call", (name, argument)))


class Normalizer:
    """Turns nodes into polynomials and records what the result needs to hold.

    ``from_one``: sums of powers and numbers alone, which no signal ties to a time, begin at 1;
    so shifted ones have one form, and ranges that meet do not.

    ``calls``: how a call is written, by its name and its argument; by default as an atom.
    """

    def __init__(
        self,
        signals: Mapping[Signal, Node] | None = None,
        *,
        from_one: bool = False,
        calls: Callable[[str, Poly], Poly] = call_atom,
    ) -> None:
        self.requirements: list[Requirement] = []
        self.signals = signals or {}
        self.from_one = from_one
        self.calls = calls
        self._memo: dict[Node, Poly] = {}

    # ---- from nodes ----

    def __call__(self, node: Node) -> Poly:
        found = self._memo.get(node)
        if found is None:
            found = self._memo[node] = self._normal(node)
        return found

    def _normal(self, node: Node) -> Poly:
        if not node.is_scalar:
            raise NoNormalForm(f"{node!r} is not scalar")
        if isinstance(node, Const):
            return Poly.const(node.value)
        if isinstance(node, Param):
            return Poly.atom(Atom("var", (node.name,)))
        if isinstance(node, Signal):
            if node in self.signals:
                return self(self.signals[node])
            return Poly.atom(Atom("sig", (node.label, node.time)))
        if isinstance(node, IndexValue):
            return affine_poly(node.form)
        if isinstance(node, Name):
            return Poly.atom(Atom("name", (node.name, node.time)))
        if isinstance(node, Derivative):
            return Poly.atom(Atom("name", (repr(node), None)))
        if isinstance(node, Apply):
            return self._apply(node)
        if isinstance(node, Power):
            # With a negative number as exponent it is a quotient, and has a value where that has.
            if not node.exponent.is_const:
                self._require(node.exponent)
            return power(self(node.base), node.exponent)
        if isinstance(node, Fold):
            return self._fold(node)
        raise NoNormalForm(f"no normal form for {type(node).__name__.lower()} {node!r}")

    def _apply(self, node: Apply) -> Poly:
        name = node.head.name
        if node.head.elementwise:
            return self.calls(name, self(node.args[0]))
        values = [self(argument) for argument in node.args]
        if name == "neg":
            return -values[0]
        if name in ("add", "mul", "matmul"):
            result = values[0]
            for value in values[1:]:
                result = result + value if name == "add" else result * value
            return result
        if name == "div":
            return values[0] * power(values[1], Affine(const=-1))
        raise NoNormalForm(f"no normal form for {name}")

    def _over_range(
        self, requirement: Requirement, index: str, lower: Affine, upper: Affine
    ) -> None:
        """A requirement for every value of an index in a range.

        Everything is affine, so it is enough to ask at the ends of the part of the range
        where the premises hold: the ends of the range, and where a premise becomes zero.
        """
        places = [lower, upper]
        usable: list[Affine] = []
        for premise in requirement.premises:
            slope = premise.coefficient(index)
            if abs(slope) > 1:
                continue  # without this premise the requirement only gets stronger
            usable.append(premise)
            if slope:
                places.append((premise - symbol(index).scale(slope)).scale(-slope))
        for place in places:
            at_place = {index: place}
            self.requirements.append(
                Requirement(
                    requirement.bound.substitute(at_place),
                    (*(p.substitute(at_place) for p in usable), place - lower, upper - place),
                )
            )

    def _require(self, bound: Affine) -> None:
        if not (bound.is_const and bound.const >= 0):
            self.requirements.append(Requirement(bound))

    def _fold(self, node: Fold) -> Poly:
        fresh, body_node = open_fold(node)
        outer, self.requirements = self.requirements, []
        body = self(body_node)
        inner, self.requirements = self.requirements, outer
        nonempty = node.upper - node.lower
        for requirement in inner:
            self._over_range(requirement, fresh, node.lower, node.upper)
        self._require(nonempty + 1)
        combine = self.sum if node.kind == "sum" else self.product
        return combine(fresh, node.lower, node.upper, body)

    # ---- Σ and Π of polynomials ----

    def sum(self, index: str, lower: Affine, upper: Affine, body: Poly) -> Poly:
        total = Poly({})
        for mono, coefficient in body.terms.items():
            # Term by term: what adds up to one sum need not run in one direction.
            one = Poly({mono: coefficient})
            low, high, turned = oriented(index, lower, upper, one, from_one=self.from_one)
            total = total + self._sum_of(index, low, high, turned)
        return total

    def _sum_of(self, index: str, lower: Affine, upper: Affine, body: Poly) -> Poly:
        total = Poly({})
        for mono, coefficient in body.terms.items():
            free, bound = split(mono, index)
            if bound:
                part = sum_to(index, upper, bound) - sum_to(index, lower - 1, bound)
            else:
                part = affine_poly(upper - lower + 1)
            total = total + part.times_mono(free).scale(coefficient)
        return total

    def product(self, index: str, lower: Affine, upper: Affine, body: Poly) -> Poly:
        if not poly_depends(body, index):
            return power(body, upper - lower + 1)
        lower, upper, body = oriented(index, lower, upper, body)
        content, primitive = extract_content(body)
        free, bound = split(content, index)
        length = upper - lower + 1
        result = Poly({mono_of((a, scaled(e, length)) for a, e in free): Fraction(1)})
        for atom, exponent in bound:
            # Π_j w^{j} and the like: the exponents add up to something quadratic.
            if index in exponent.names:
                raise NoNormalForm("a product over an exponent that depends on its index")
            factor = Poly.atom(atom)
            result = result * ratio(index, lower, upper, factor, exponent)
        if primitive.constant == 1:
            return result
        return result * ratio(index, lower, upper, primitive, Affine(const=1))


def difference(
    left: Node, right: Node, *, step: str | None = None
) -> tuple[Poly, list[Requirement]]:
    """left - right in normal form, split at ``step``'s last term; and what that needs."""
    normal = Normalizer()
    gap = normal(left) - normal(right)
    if step is not None:
        gap = peel(gap, step)
    return clear_bases(gap), normal.requirements


__all__ = [
    "NoNormalForm",
    "Normalizer",
    "Requirement",
    "clear_bases",
    "difference",
    "mono_times",
    "peel",
]
