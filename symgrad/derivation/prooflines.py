"""Lines of a proof in JSON: made one after the other, written with the lines they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symgrad.lang.affine import Affine, T, symbol
from symgrad.lang.nodes import (
    SCALAR,
    signal,
    transform,
)
from symgrad.verify import kernel
from symgrad.verify.encoding import (
    affine,
    canonical,
    encode,
)
from symgrad.verify.induction import Induction

Json = Any


@dataclass(eq=False)
class Line:
    """One line of a proof, with what it states in the kernel's terms, for choosing references."""

    data: dict[str, Json]
    claims: tuple[tuple[Any, Any], ...] = ()
    needs: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Ref:
    """A use of a line (or, for None, of the induction hypothesis) at some times."""

    line: Line | None
    claim: int = 0
    at: tuple[tuple[str, Affine], ...] = ()

    def instance(self, claims: tuple[tuple[Any, Any], ...]) -> tuple[Any, Any]:
        """Both sides, in the kernel's terms."""
        pair = claims[self.claim] if self.line is None else self.line.claims[self.claim]
        put = {name: kernel.read("a", affine(form)) for name, form in self.at}
        left, right = kernel.subst(pair, put)
        return left, right


def plain(term: Any) -> Json:
    """A term of the kernel as JSON."""
    if isinstance(term, tuple):
        if term[0] in ("add", "mul") and len(term) == 2:
            return plain(term[1])
        small = term[0] in ("par", "dir", "sig") and term[-2:] == kernel.SCALAR
        return [plain(part) for part in (term[:-2] if small else term)]
    if isinstance(term, frozenset):
        return {name.removeprefix("·"): c for name, c in sorted(term)}
    return str(term) if isinstance(term, Fraction) else term


def given(when: Sequence[Affine], left: Json, right: Json) -> Line:
    """An equation that is assumed."""
    data = {"rule": "given", "when": [affine(form) for form in when], "claims": [[left, right]]}
    return Line(data, ((kernel.read("t", left), kernel.read("t", right)),))


def show(
    claims: Sequence[tuple[Json, Json]],
    on: str,
    start: Affine,
    bases: Sequence[Sequence[Ref]],
    step: Sequence[Ref],
    when: Sequence[Affine] = (),
) -> Line:
    """Claims for all ``on`` >= ``start``; references that change nothing are left out."""
    made = tuple((kernel.read("t", left), kernel.read("t", right)) for left, right in claims)
    kept: list[list[Ref]] = []
    for place, refs in enumerate([*bases, step]):
        here = affine(start + place) if place < len(bases) else {on: 1}
        pairs = kernel.subst(made, {on: kernel.read("a", here)})
        kept.append([])
        for ref in refs:
            after = kernel.replaced(pairs, dict([ref.instance(made)]))
            if after != pairs:
                pairs = after
                kept[-1].append(ref)
    data = {
        "rule": "show",
        "when": [affine(form) for form in when],
        "claims": [[left, right] for left, right in claims],
        "on": on,
        "from": affine(start),
        "bases": kept[:-1],
        "step": kept[-1],
    }
    lines = tuple(ref.line for refs in kept for ref in refs if ref.line is not None)
    return Line(data, made, lines)


def written(last: Line) -> str:
    """The proof that ends in a line, as JSON: the lines it needs, each before its use."""
    order: dict[Line, int] = {}

    def place(line: Line) -> None:
        if line not in order:
            for needed in line.needs:
                place(needed)
            order[line] = len(order)

    place(last)

    def reference(ref: Ref, own: int) -> Json:
        line = own if ref.line is None else order[ref.line]
        return [line, ref.claim, {name: affine(form) for name, form in ref.at}]

    lines: list[Json] = []
    for line, own in order.items():
        data = dict(line.data)
        if data["rule"] == "show":
            data["bases"] = [[reference(ref, own) for ref in refs] for refs in data["bases"]]
            data["step"] = [reference(ref, own) for ref in data["step"]]
        if data["rule"] == "differentiate":
            data["line"] = order[data["line"]]
        lines.append(data)
    return canonical(lines)


def use(line: Line, claim: int, free: str, form: Affine) -> Ref:
    """A line at a time; as it stands where that is its own."""
    return Ref(line, claim, () if form == symbol(free) else ((free, form),))


def under_binder(x: Any, free: str, depth: int = 0) -> Any:
    """A free time of a kernel's term as the index of a binder to be put around it."""
    if isinstance(x, frozenset):
        return kernel.subst(x, {free: frozenset({(f"@{depth}", 1)})})
    if not isinstance(x, tuple):
        return x
    body = 3 if x[0] in ("sum", "prod") else -1
    return tuple(under_binder(p, free, depth + (i == body)) for i, p in enumerate(x))


def names_of_times(x: Any) -> set[str]:
    """The free times in a kernel's term."""
    if isinstance(x, frozenset):
        return {name for name, _ in x if name and name[0] not in "@·"}
    return set().union(*map(names_of_times, x)) if isinstance(x, tuple) else set()


def occurs(part: Any, x: Any) -> bool:
    """Whether a term is a part of another."""
    return bool(x == part or (isinstance(x, tuple) and any(occurs(part, p) for p in x)))


def pruned(x: Any) -> Any:
    """A kernel's term without the summands that have a factor 0."""
    if not isinstance(x, tuple):
        return x
    x = tuple(pruned(p) for p in x)
    if x[0] == "add":
        kept = [p for p in x[1:] if not _is_nothing(p)]
        return x[1] if not kept else kept[0] if len(kept) == 1 else ("add", *kept)
    return x


def _is_nothing(x: Any) -> bool:
    return x == ("num", 0) or (x[0] == "mul" and any(_is_nothing(p) for p in x[1:]))


def induction_certificate(induction: Induction) -> str:
    """The proof of an induction of the prover, its recurrence taken as given.

    The value y_T is called Y here, whatever its name.

    Raises:
        NotEncoded: a formula in it has no place in the language of proofs.
    """
    first = induction.first
    at = {time: signal("Y", SCALAR, form) for time, form in (("now", T), ("before", T - 1))}
    step = transform(induction.step, lambda n: at["before"] if n is induction.previous else n)
    later = first + 1 if induction.second is None else first + 2
    lines = [given([], encode(at["now"].at(first)), encode(induction.start))]
    if induction.second is not None:
        lines.append(given([], encode(at["now"].at(first + 1)), encode(induction.second)))
    recurrence = given([T - later], encode(at["now"]), encode(step))
    count = len(induction.bases)
    bases = []
    for place in range(count):
        refs = [use(recurrence, 0, "T", first + place)] if place >= (later - first).const else []
        refs += [Ref(None, 0, (("T", first + place - 1),))] if refs else []
        bases.append([*refs, *(Ref(line) for line in lines)])
    refs = [Ref(recurrence), Ref(None, 0, (("T", T - 1),))]
    when = [symbol(n) for n in sorted(first.names)]
    claim = (encode(at["now"]), encode(induction.right))
    return written(show([claim], "T", first, bases, refs, when))
