"""Normal forms of scalar formulas with symbolic T: polynomials over atoms.

Activation calls are atoms; so are Σ and Π of what depends on their index, from 1 to
an upper limit. Σ_{k=l}^{u} is S(u) - S(l-1) and Π_{j=l}^{u} is P(u)/P(l-1), factors
that do not depend on the index move out, so reindexed, split, reversed and reordered
sums and products have one form. ``peel`` splits the last term off: S(T) = S(T-1) + f(T).

Soundness. All manipulations hold for nonzero factors and whenever the recorded
``Requirement``s hold (ranges not emptier than empty, exponents not negative). For a
given T both sides are then polynomials in every factor, so an identity for nonzero
values is one for all values, zero included.
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
from symgrad.verify.polynomial import Atom, Mono, Poly, mono_of, mono_times


class NoNormalForm(Exception):
    """The formula has no normal form here; the reason is the message."""


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


#: Sums and products with a numeric upper limit are written out up to this many terms.
WRITE_OUT = 12


def depends(atom: Atom, index: str) -> bool:
    kind, data = atom.kind, atom.data
    if kind == "idx":
        return bool(data[0] == index)
    if kind == "sig":
        return index in data[1].names
    if kind == "name":
        return data[1] is not None and index in data[1].names
    if kind == "call":
        return poly_depends(data[1], index)
    if kind == "base":
        return poly_depends(data[0], index)
    if kind == "sum":
        return index in data[1].names or any(
            depends(a, index) or index in e.names for a, e in data[2]
        )
    if kind == "prod":
        return index in data[1].names or poly_depends(data[2], index)
    return False


def poly_depends(poly: Poly, index: str) -> bool:
    return any(depends(a, index) or index in e.names for mono in poly.terms for a, e in mono)


def height(mono: Mono) -> int:
    """How deep Σ and Π atoms nest in a monomial."""
    return max((_atom_height(atom) for atom, _ in mono), default=0)


def _atom_height(atom: Atom) -> int:
    if atom.kind == "sum":
        return 1 + height(atom.data[2])
    if atom.kind in ("prod", "call", "base"):
        poly = atom.data[-1]
        inner = max((height(mono) for mono in poly.terms), default=0)
        return inner + (atom.kind == "prod")
    return 0


class Normalizer:
    """Turns nodes into polynomials and records what the result needs to hold."""

    def __init__(self, signals: Mapping[Signal, Node] | None = None) -> None:
        self.requirements: list[Requirement] = []
        self.signals = signals or {}
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
            self._require(node.exponent)
            return self.power(self(node.base), node.exponent)
        if isinstance(node, Fold):
            return self._fold(node)
        raise NoNormalForm(f"no normal form for {type(node).__name__.lower()} {node!r}")

    def _apply(self, node: Apply) -> Poly:
        name = node.head.name
        if node.head.elementwise:
            return Poly.atom(Atom("call", (name, self(node.args[0]))))
        values = [self(argument) for argument in node.args]
        if name == "neg":
            return -values[0]
        if name in ("add", "mul", "matmul"):
            result = values[0]
            for value in values[1:]:
                result = result + value if name == "add" else result * value
            return result
        if name == "div":
            return values[0] * self.power(values[1], Affine(const=-1))
        raise NoNormalForm(f"no normal form for {name}")

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
            for end in (node.lower, node.upper):
                at_end = {fresh: end}
                self.requirements.append(
                    Requirement(
                        requirement.bound.substitute(at_end),
                        (*(p.substitute(at_end) for p in requirement.premises), nonempty),
                    )
                )
        self._require(nonempty + 1)
        combine = self.sum if node.kind == "sum" else self.product
        return combine(fresh, node.lower, node.upper, body)

    # ---- Σ and Π of polynomials ----

    def sum(self, index: str, lower: Affine, upper: Affine, body: Poly) -> Poly:
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
            return self.power(body, upper - lower + 1)
        content, primitive = extract_content(body)
        free, bound = split(content, index)
        length = upper - lower + 1
        result = Poly({mono_of((a, _scale(e, length)) for a, e in free): Fraction(1)})
        for atom, exponent in bound:
            # Π_j w^{j} and the like: the exponents add up to something quadratic.
            if index in exponent.names:
                raise NoNormalForm("a product over an exponent that depends on its index")
            factor = Poly.atom(atom)
            result = result * _ratio(index, lower, upper, factor, exponent)
        if primitive.constant == 1:
            return result
        return result * _ratio(index, lower, upper, primitive, Affine(const=1))

    def power(self, base: Poly, exponent: Affine) -> Poly:
        if exponent.is_const and exponent.const >= 0:
            return base.power(exponent.const)
        if base.is_zero:
            raise NoNormalForm("a power of zero with an exponent that may be 0")
        if len(base.terms) == 1:
            ((mono, coefficient),) = base.terms.items()
            result = Poly({mono_of((a, _scale(e, exponent)) for a, e in mono): Fraction(1)})
            if coefficient == 1:
                return result
            if exponent.is_const:
                return result.scale(coefficient**exponent.const)
            return result * Poly.atom(Atom("base", (Poly.const(coefficient),)), exponent)
        return Poly.atom(Atom("base", (base,)), exponent)


def _scale(exponent: Affine, factor: Affine) -> Affine:
    if exponent.is_const:
        return factor.scale(exponent.const)
    if factor.is_const:
        return exponent.scale(factor.const)
    raise NoNormalForm("an exponent that is quadratic in times")


def affine_poly(form: Affine) -> Poly:
    result = Poly.const(form.const)
    for name, coefficient in form.terms:
        result = result + Poly.atom(Atom("idx", (name,))).scale(Fraction(coefficient))
    return result


def split(mono: Mono, index: str) -> tuple[Mono, Mono]:
    """What does not depend on the index, and what does; ``w^{T-k}`` is ``w^T · w^{-k}``."""
    free: list[tuple[Atom, Affine]] = []
    bound: list[tuple[Atom, Affine]] = []
    for atom, exponent in mono:
        if depends(atom, index):
            bound.append((atom, exponent))
            continue
        part = symbol(index).scale(exponent.coefficient(index))
        bound.append((atom, part))
        free.append((atom, exponent - part))
    return mono_of(free), mono_of(bound)


def extract_content(poly: Poly) -> tuple[Mono, Poly]:
    """The common monomial factor (constant exponents only) and what is left."""
    monos = list(poly.terms)
    common = dict(monos[0])
    for mono in monos[1:]:
        exponents = dict(mono)
        kept: dict[Atom, Affine] = {}
        for atom, exponent in common.items():
            other = exponents.get(atom)
            if other is not None and (exponent - other).is_const:
                kept[atom] = exponent if (exponent - other).const <= 0 else other
        common = kept
    content = mono_of(common.items())
    inverse = tuple((atom, -exponent) for atom, exponent in content)
    return content, poly.times_mono(inverse)


def _canonical_mono(index: str, mono: Mono) -> tuple[str, Mono]:
    name = f"#{height(mono) + 1}"
    poly = substitute(Poly({mono: Fraction(1)}), {index: symbol(name)})
    ((renamed, _),) = poly.terms.items()
    return name, renamed


def sum_to(index: str, upper: Affine, mono: Mono) -> Poly:
    """S(upper) = Σ_{index=1}^{upper} mono, as an atom or written out."""
    if upper.is_const and upper.const <= WRITE_OUT:
        total = Poly({})
        for position in range(1, upper.const + 1):
            total = total + substitute(Poly({mono: Fraction(1)}), {index: Affine(const=position)})
        return total
    name, body = _canonical_mono(index, mono)
    return Poly.atom(Atom("sum", (name, upper, body)))


def product_to(index: str, upper: Affine, body: Poly, exponent: Affine) -> Poly:
    """P(upper)^exponent with P(u) = Π_{index=1}^{u} body."""
    if upper.is_const and upper.const <= WRITE_OUT:
        result = Poly.const(1)
        for position in range(1, upper.const + 1):
            factor = substitute(body, {index: Affine(const=position)})
            result = result * Normalizer().power(factor, exponent)
        return result
    inner = max((height(mono) for mono in body.terms), default=0)
    name = f"#{inner + 1}"
    renamed = substitute(body, {index: symbol(name)})
    return Poly.atom(Atom("prod", (name, upper, renamed)), exponent)


def _ratio(index: str, lower: Affine, upper: Affine, body: Poly, exponent: Affine) -> Poly:
    return product_to(index, upper, body, exponent) * product_to(index, lower - 1, body, -exponent)


# ---- substitution and splitting ----------------------------------------------------


def substitute(poly: Poly, values: Mapping[str, Affine]) -> Poly:
    """Replace free indices by affine forms."""
    total = Poly({})
    for mono, coefficient in poly.terms.items():
        part = Poly.const(coefficient)
        for atom, exponent in mono:
            part = part * _substitute_power(atom, exponent.substitute(values), values)
        total = total + part
    return total


def _substitute_power(atom: Atom, exponent: Affine, values: Mapping[str, Affine]) -> Poly:
    kind, data = atom.kind, atom.data
    if not any(depends(atom, name) for name in values):
        return Poly.atom(atom, exponent)
    if kind == "idx":
        return Normalizer().power(affine_poly(symbol(data[0]).substitute(values)), exponent)
    if kind == "sig":
        return Poly.atom(Atom("sig", (data[0], data[1].substitute(values))), exponent)
    if kind == "name":
        return Poly.atom(Atom("name", (data[0], data[1].substitute(values))), exponent)
    if kind == "call":
        return Poly.atom(Atom("call", (data[0], substitute(data[1], values))), exponent)
    if kind == "base":
        return Normalizer().power(substitute(data[0], values), exponent)
    if kind == "sum":
        inner = substitute(Poly({data[2]: Fraction(1)}), values)
        total = Poly({})
        upper = data[1].substitute(values)
        for mono, coefficient in inner.terms.items():
            free, bound = split(mono, data[0])
            part = sum_to(data[0], upper, bound) if bound else affine_poly(upper)
            total = total + part.times_mono(free).scale(coefficient)
        return Normalizer().power(total, exponent)
    assert kind == "prod"
    return product_to(data[0], data[1].substitute(values), substitute(data[2], values), exponent)


def rewrite(poly: Poly, change: Callable[[Atom, Affine], Poly | None]) -> Poly:
    """Replace powers of atoms at the top level until nothing changes."""
    while True:
        changed = False
        total = Poly({})
        for mono, coefficient in poly.terms.items():
            part = Poly.const(coefficient)
            for atom, exponent in mono:
                new = change(atom, exponent)
                changed = changed or new is not None
                part = part * (Poly.atom(atom, exponent) if new is None else new)
            total = total + part
        poly = total
        if not changed:
            return poly


def peel(poly: Poly, name: str) -> Poly:
    """Bring every S(name + c) and P(name + c) to S(name - 1) and P(name - 1)."""
    reference = symbol(name) - 1

    def change(atom: Atom, exponent: Affine) -> Poly | None:
        if atom.kind not in ("sum", "prod"):
            return None
        index, upper, body = atom.data
        gap = upper - reference
        if not gap.is_const or gap.const == 0:
            return None
        at = {index: upper} if gap.const > 0 else {index: upper + 1}
        step = 1 if gap.const > 0 else -1
        neighbour = upper - step
        if atom.kind == "sum":
            term = substitute(Poly({body: Fraction(1)}), at).scale(Fraction(step))
            return Normalizer().power(sum_to(index, neighbour, body) + term, exponent)
        factor = Normalizer().power(substitute(body, at), exponent.scale(step))
        return product_to(index, neighbour, body, exponent) * factor

    return rewrite(poly, change)


def clear_bases(poly: Poly) -> Poly:
    """Multiply by powers of sums that stand as bases, and write them out.

    The result is zero exactly when the polynomial is, as the bases are not zero.
    """
    while True:
        target: Atom | None = None
        for mono in poly.terms:
            for atom, exponent in mono:
                if atom.kind == "base" and exponent.const != 0:
                    target = atom
                    break
            if target is not None:
                break
        if target is None:
            return poly
        lowest = min(dict(mono).get(target, Affine()).const for mono in poly.terms)
        total = Poly({})
        for mono, coefficient in poly.terms.items():
            exponents = dict(mono)
            exponent = exponents.pop(target, Affine())
            whole = exponent.const - lowest
            symbolic = exponent - exponent.const
            rest = mono_of([*exponents.items(), (target, symbolic)])
            total = total + target.data[0].power(whole).times_mono(rest).scale(coefficient)
        poly = total


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
