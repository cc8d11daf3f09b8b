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
    index: str, lower: Affine, upper: Affine, body: Poly, *, from_one: bool = False
) -> tuple[Affine, Affine, Poly]:
    """The same range and body in the one direction and with the one shift.

    ``from_one``: where no signal says which shift that is, the range begins at 1.
    """
    if not poly_depends(body, index):
        return lower, upper, body
    back = substitute(body, {index: lower + upper - symbol(index)})
    if _backwards(back, index) < _backwards(body, index):
        body = back
    shift = _latest(body, index)
    if shift is None:
        shift = 1 - lower if from_one else Affine()
    if shift != Affine():
        body = substitute(body, {index: symbol(index) - shift})
        lower, upper = lower + shift, upper + shift
    return lower, upper, body


def _backwards(body: Poly, index: str) -> tuple[int, int, int]:
    """How much runs against the index: times and limits; then growing powers, and terms.

    Of powers alone the direction w^{u-k} is taken: what an induction multiplies by w then
    stands in front of the same sum.
    """
    times = growth = 0
    for mono in body.terms:
        for atom, exponent in mono:
            growth += exponent.coefficient(index)
            for form in _forms(atom):
                times += form.coefficient(index) < 0
    return times, growth, len(body.terms)


def _latest(body: Poly, index: str) -> Affine | None:
    """What stands beside the index in the time of the latest signal; None where there is none.

    Where that depends on other times, signals are compared that differ by a number only, first
    those of the first label: a shift of the whole range does not change which they are.
    """
    found = [
        (label, form - symbol(index))
        for mono in body.terms
        for atom, _ in mono
        for label, form in _signals(atom)
        if form.coefficient(index) == 1 and not _is_bound(form - symbol(index))
    ]
    if not found:
        return None
    first = min(label for label, _ in found)
    for wanted in ({label for label, _ in found}, {first}):
        rests = [rest for label, rest in found if label in wanted]
        if all((rest - rests[0]).is_const for rest in rests):
            return max(rests, key=lambda rest: rest.const)
    return Affine()


def _is_bound(form: Affine) -> bool:
    """Whether a time depends on the index of a Σ or Π inside, which means nothing outside."""
    return any(name.startswith("#") for name in form.names)


def _forms(atom: Atom) -> Iterator[Affine]:
    """The times of signals in an atom, and the limits of the sums and products in it."""
    yield from (form for _, form in _signals(atom))
    if atom.kind in ("sum", "prod"):
        yield atom.data[1]


def _signals(atom: Atom) -> Iterator[tuple[str, Affine]]:
    """Labels and times of the signals in an atom."""
    kind, data = atom.kind, atom.data
    if kind == "sig" or (kind == "name" and data[1] is not None):
        yield data[0], data[1]
    elif kind in ("call", "base", "prod"):
        for mono in data[-1].terms:
            for inner, _ in mono:
                yield from _signals(inner)
    elif kind == "sum":
        for inner, _ in data[2]:
            yield from _signals(inner)


__all__ = ["oriented"]
