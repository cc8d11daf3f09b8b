"""Σ and Π of polynomials with symbolic limits, and powers with symbolic exponents.

Σ_{k=l}^{u} is S(u) - S(l-1) and Π_{j=l}^{u} is P(u)/P(l-1), with S and P atoms; factors
that do not depend on the index move out; ``peel`` splits the last term off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from symgrad.lang.affine import Affine, symbol
from symgrad.verify.polynomial import Atom, Mono, Poly, mono_of


class NoNormalForm(Exception):
    """The formula has no normal form here; the reason is the message."""


#: Sums and products with a numeric upper limit are written out up to this many terms.
WRITE_OUT = 12
#: … and products only where that makes no more terms than this.
MOST_WRITTEN = 256


def depends(atom: Atom, index: str) -> bool:
    """Whether an atom changes with a free index."""
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
    """Whether a polynomial changes with a free index."""
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


def power(base: Poly, exponent: Affine) -> Poly:
    """base ** exponent; a sum under a symbolic exponent is an atom of its own."""
    if exponent.is_const and exponent.const >= 0:
        return base.power(exponent.const)
    if base.is_zero:
        raise NoNormalForm("a power of zero with an exponent that may be 0")
    if len(base.terms) == 1:
        ((mono, coefficient),) = base.terms.items()
        result = Poly({mono_of((a, scaled(e, exponent)) for a, e in mono): Fraction(1)})
        if coefficient == 1:
            return result
        if exponent.is_const:
            return result.scale(coefficient**exponent.const)
        return result * Poly.atom(Atom("base", (Poly.const(coefficient),)), exponent)
    return Poly.atom(Atom("base", (base,)), exponent)


def scaled(exponent: Affine, factor: Affine) -> Affine:
    """An exponent times a number of factors, where one of the two is a number."""
    if exponent.is_const:
        return factor.scale(exponent.const)
    if factor.is_const:
        return exponent.scale(factor.const)
    raise NoNormalForm("an exponent that is quadratic in times")


def affine_poly(form: Affine) -> Poly:
    """An affine form in times as a polynomial."""
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


def canonical_mono(index: str, mono: Mono) -> tuple[str, Mono]:
    """A summand with the bound index under its canonical name."""
    name = f"#{height(mono) + 1}"
    poly = substitute(Poly({mono: Fraction(1)}), {index: symbol(name)})
    ((renamed, _),) = poly.terms.items()
    return name, renamed


def _between(upper: int) -> range:
    """1..upper, or for a negative upper limit the positions upper+1..0."""
    return range(1, upper + 1) if upper >= 0 else range(upper + 1, 1)


def sum_to(index: str, upper: Affine, mono: Mono) -> Poly:
    """S(upper) = Σ_{index=1}^{upper} mono, as an atom or written out."""
    if upper.is_const and abs(upper.const) <= WRITE_OUT:
        # Below zero S(u) is minus what lies between u and 0, so that S(u) - S(l-1) is the sum.
        sign = 1 if upper.const >= 0 else -1
        total = Poly({})
        for position in _between(upper.const):
            term = substitute(Poly({mono: Fraction(1)}), {index: Affine(const=position)})
            total = total + term.scale(Fraction(sign))
        return total
    name, body = canonical_mono(index, mono)
    return Poly.atom(Atom("sum", (name, upper, body)))


def product_to(index: str, upper: Affine, body: Poly, exponent: Affine) -> Poly:
    """P(upper)^exponent with P(u) = Π_{index=1}^{u} body."""
    count = abs(upper.const)
    short = count <= WRITE_OUT and len(body.terms) ** count <= MOST_WRITTEN
    if upper.is_const and short:
        signed = exponent if upper.const >= 0 else -exponent
        result = Poly.const(1)
        for position in _between(upper.const):
            factor = substitute(body, {index: Affine(const=position)})
            result = result * power(factor, signed)
        return result
    inner = max((height(mono) for mono in body.terms), default=0)
    name = f"#{inner + 1}"
    renamed = substitute(body, {index: symbol(name)})
    return Poly.atom(Atom("prod", (name, upper, renamed)), exponent)


def ratio(index: str, lower: Affine, upper: Affine, body: Poly, exponent: Affine) -> Poly:
    """Π_{index=lower}^{upper} body^exponent as P(upper)/P(lower - 1)."""
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
        return power(affine_poly(symbol(data[0]).substitute(values)), exponent)
    if kind == "sig":
        return Poly.atom(Atom("sig", (data[0], data[1].substitute(values))), exponent)
    if kind == "name":
        return Poly.atom(Atom("name", (data[0], data[1].substitute(values))), exponent)
    if kind == "call":
        return Poly.atom(Atom("call", (data[0], substitute(data[1], values))), exponent)
    if kind == "base":
        return power(substitute(data[0], values), exponent)
    if kind == "sum":
        inner = substitute(Poly({data[2]: Fraction(1)}), values)
        total = Poly({})
        upper = data[1].substitute(values)
        for mono, coefficient in inner.terms.items():
            free, bound = split(mono, data[0])
            part = sum_to(data[0], upper, bound) if bound else affine_poly(upper)
            total = total + part.times_mono(free).scale(coefficient)
        return power(total, exponent)
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
            return power(sum_to(index, neighbour, body) + term, exponent)
        factor = power(substitute(body, at), exponent.scale(step))
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
