"""Regions of times: the integer points at which some affine forms are at least 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from symgrad.lang.affine import Affine, symbol
from symgrad.verify import kernel
from symgrad.verify.times import Times

#: Values of times that are looked for.
_LARGEST = 64


@dataclass(frozen=True)
class Region:
    """Where every form of ``premises`` is at least 0.

    ``values``: forms that are 0, of times that were replaced by their values everywhere else.
    """

    premises: tuple[Affine, ...] = ()
    values: tuple[Affine, ...] = ()

    def implies(self, form: Affine) -> bool:
        """Whether a form is at least 0 everywhere here; False says nothing.

        Decided over the rationals: what only integers satisfy may stay unknown.
        """
        try:
            return kernel.entails(self.context, encoded(form))
        except kernel.Refused:
            return False

    @property
    def context(self) -> tuple[kernel.Aff, ...]:
        """All of it in the kernel's terms."""
        both = (*self.values, *(-form for form in self.values))
        return tuple(map(encoded, (*self.premises, *both)))

    def excludes(self, form: Affine) -> bool:
        """Whether a form is below 0 everywhere here; False says nothing."""
        return self.implies(-form - 1)

    @property
    def is_empty(self) -> bool:
        """Whether there surely is no point."""
        return self.implies(Affine(const=-1))

    def also(self, *forms: Affine) -> Region:
        """The part in which more forms are at least 0."""
        new = [form for form in forms if not (form.is_const and form.const >= 0)]
        return Region(tuple(dict.fromkeys((*self.premises, *new))), self.values)

    def where(self, name: str, value: Affine) -> Region:
        """The part in which a time has a value, which takes its place."""
        at = {name: value}
        values = [form.substitute(at) for form in self.values]
        kept = tuple(form for form in (*values, symbol(name) - value) if not form.is_const)
        return Region((), kept).also(*(form.substitute(at) for form in self.premises))

    def pinned(self) -> tuple[str, Affine] | None:
        """A time that has one value in terms of the others here, and that value."""
        for form in self.premises:
            if not self.implies(-form):
                continue
            for name, coefficient in form.terms:
                if abs(coefficient) == 1:
                    rest = form - symbol(name).scale(coefficient)
                    return name, rest.scale(-coefficient)
        return None

    def value_of(self, name: str) -> int | None:
        """The one value of a time here, where it has one; a small number."""
        form = symbol(name)
        found = next((c for c in range(_LARGEST) if not self.implies(form - c - 1)), _LARGEST)
        return found if self.implies(found - form) and self.implies(form - found) else None

    def start_of(self, name: str) -> int | None:
        """The first value of a time, where it has one and bounds nothing but itself."""
        bounds = []
        for form in self.premises:
            if form.names == {name} and form.coefficient(name) == 1:
                bounds.append(-form.const)
            elif name in form.names:
                return None
        return max(bounds, default=None)


def region_of(times: Times, first: int) -> Region:
    """All T from the first on, and the free times between their limits."""
    forms: list[Affine] = [symbol("T") - first]
    for name, low, last in times:
        forms += [symbol(name) - low, last - symbol(name)]
    return Region().also(*forms)


def encoded(form: Affine) -> kernel.Aff:
    """A form in the kernel's terms."""
    constant: Iterable[tuple[str, int]] = [("", form.const)] if form.const else []
    return frozenset((*form.terms, *constant))
