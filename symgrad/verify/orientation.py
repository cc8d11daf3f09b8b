"""One way to run through a range: reversed and shifted sums and products get one form.

Σ_{k=l}^{u} f(k) = Σ_{k=l}^{u} f(l + u - k) = Σ_{k=l-s}^{u-s} f(k + s), for every range that is
not emptier than empty. Of the two directions the one is taken in which times run with the
index; of all shifts the one after which the latest signal stands at the index itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.lang.affine import Affine, symbol
from symgrad.verify.folding import poly_depends, substitute
from symgrad.verify.polynomial import Atom, Poly


def oriented(
    index: str, lower: Affine, upper: Affine, body: Poly
) -> tuple[Affine, Affine, Poly]:
    """The same range and body in the one direction and with the one shift."""
    if not poly_depends(body, index):
        return lower, upper, body
    back = substitute(body, {index: lower + upper - symbol(index)})
    if _backwards(back, index) < _backwards(body, index):
        body = back
    shift = _latest(body, index)
    if shift:
        body = substitute(body, {index: symbol(index) - shift})
        lower, upper = lower + shift, upper + shift
    return lower, upper, body


def _backwards(body: Poly, index: str) -> tuple[int, int, int]:
    """How much runs against the index: times and limits; then terms, and growing powers.

    Of powers alone the direction w^{u-k} is taken: what an induction multiplies by w then
    stands in front of the same sum.
    """
    times = growth = 0
    for mono in body.terms:
        for atom, exponent in mono:
            growth += exponent.coefficient(index)
            for form in _forms(atom):
                times += form.coefficient(index) < 0
    return times, len(body.terms), growth


def _latest(body: Poly, index: str) -> int:
    """The largest constant beside the index in the time of a signal; 0 where there is none."""
    found = [
        form.const
        for mono in body.terms
        for atom, _ in mono
        for form in _times(atom)
        if form.terms == ((index, 1),)
    ]
    return max(found, default=0)


def _forms(atom: Atom) -> Iterator[Affine]:
    """The times of signals in an atom, and the limits of the sums and products in it."""
    yield from _times(atom)
    if atom.kind in ("sum", "prod"):
        yield atom.data[1]


def _times(atom: Atom) -> Iterator[Affine]:
    kind, data = atom.kind, atom.data
    if kind == "sig" or (kind == "name" and data[1] is not None):
        yield data[1]
    elif kind in ("call", "base", "prod"):
        for mono in data[-1].terms:
            for inner, _ in mono:
                yield from _times(inner)
    elif kind == "sum":
        for inner, _ in data[2]:
            yield from _times(inner)


__all__ = ["oriented"]
