"""Lines of a proof in JSON, and the hypotheses that may be made about a cell.

A hypothesis is an equation of the cell, a derivative of the table that is proved from its
definition, or says that inputs, initial values and the past do not move with what is varied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from symgrad.adjoint.steps import within_step
from symgrad.cell import Cell
from symgrad.derivation.entries import proved_entries
from symgrad.lang.affine import Affine, T, as_affine, symbol, t
from symgrad.lang.nodes import (
    SCALAR,
    Apply,
    Node,
    Param,
    Shape,
    Signal,
    full,
    param,
    signal,
    transform,
    walk,
)
from symgrad.verify import kernel
from symgrad.verify.encoding import (
    INVERSE,
    NotEncoded,
    affine,
    canonical,
    encode,
    identity,
    paths,
    zero,
)
from symgrad.verify.induction import Induction

Json = Any
#: Times before a signal is varied, in the hypothesis that the past does not move.
_v = symbol("v")


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


@dataclass(frozen=True)
class Varied:
    """What is varied: a parameter, or a signal at a time; ``along``: only through these signals."""

    wrt: Node
    along: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return paths(self.along)

    def moves(self, of: Signal) -> bool:
        """Whether paths lead through a signal."""
        return not self.along or of.name in self.along

    @property
    def time(self) -> Affine:
        assert isinstance(self.wrt, Signal)
        return self.wrt.time

    def shape(self, of: Signal) -> Shape:
        return (of.shape[0], self.wrt.shape[0]) if isinstance(self.wrt, Signal) else of.shape

    def of(self, of: Signal) -> Json:
        """The derivative of a signal, as a term."""
        return ["der", encode(of), encode(self.wrt), self.kind]


@dataclass
class Hypotheses:
    """The lines that may be assumed of a cell, each made once."""

    cell: Cell
    _made: dict[Any, Line] = field(default_factory=dict)

    def _line(self, key: Any, when: Sequence[Affine], left: Json, right: Json) -> Line:
        if key not in self._made:
            self._made[key] = given(when, left, right)
        return self._made[key]

    def equation(self, of: Signal) -> Line:
        """h_t = … for t >= 1."""
        value = self.cell.equation_of(of)
        line = self._line(("equation", of), [t - 1], encode(of), encode(value))
        # To the kernel all names but those of sizes in shapes are times, for which all is said.
        others = {name for name in names_of_times(line.claims) if name != "t"}
        if others:
            raise NotEncoded(f"{of!r}: {', '.join(sorted(others))} as a number has no place here")
        return line

    @cached_property
    def slopes(self) -> dict[Any, Line]:
        """The derivative of each function that the cell calls, at each shape it is called at."""
        found: dict[Any, Line] = {}
        entries = proved_entries(self.cell)
        calls = [i for e in self.cell.equations for i in walk(e.value) if isinstance(i, Apply)]
        wanted: dict[tuple[str, Shape], Json] = {}
        for call in calls:
            if call.head.elementwise:
                entry = entries[call.head.name]
                named: dict[Node, Node] = {
                    entry.answer: param("ans", call.shape),
                    entry.argument: param("arg", call.shape),
                }
                wanted[call.head.name, call.shape] = encode(_slope(entry.claim, named, call.shape))
            elif call.head.name == "div":
                shape = call.args[1].shape
                answer = param("ans", shape)
                wanted[INVERSE, shape] = encode(-(answer * answer))
        for (name, shape), slope in wanted.items():
            call_of = ["call", name, encode(param("arg", shape))]
            read = kernel.read("t", call_of)
            size = kernel.normal(read, ())[1]
            found[name, size] = Line({"rule": "slope", "call": call_of, "is": slope})
        return found

    def inputs(self, varied: Varied) -> list[Line]:
        """Inputs do not move; one that is varied moves at that time alone."""
        lines = []
        for x in self.cell.inputs:
            wrt = varied.wrt
            mine = isinstance(wrt, Signal) and wrt.name == x.name
            when = [x.time - varied.time - 1] if mine else []
            lines.append(
                self._line(("input", x, varied), when, varied.of(x), zero(varied.shape(x)))
            )
        return lines

    def start(self, varied: Varied) -> list[Line]:
        """What is known where the variation begins: initial values, or the varied signal itself."""
        wrt = varied.wrt
        if isinstance(wrt, Param):
            return [
                self._line(("start", s, varied), [], varied.of(s.at(0)), zero(s.shape))
                for s in self.cell.states
            ]
        assert isinstance(wrt, Signal)
        one = identity(varied.shape(wrt))
        lines = [self._line(("self", varied), [wrt.time], varied.of(wrt), one)]
        for state in self.cell.states:
            if state.name != wrt.name and self.unmoved(state, wrt):
                of, nothing = varied.of(state.at(wrt.time)), zero(varied.shape(state))
                lines.append(self._line(("other", state, varied), [wrt.time], of, nothing))
        return lines

    def unmoved(self, state: Signal, wrt: Signal) -> bool:
        """Whether a state does not depend on another one within the same step."""
        if wrt.time == as_affine(0):
            return True  # initial values do not depend on each other
        return state.name not in within_step(self.cell, wrt.at(t))

    def past(self, varied: Varied) -> list[Line]:
        """No signal moves before the one that is varied."""
        return [
            self._line(
                ("past", s, varied),
                [varied.time - _v - 1],
                varied.of(s.at(_v)),
                zero(varied.shape(s)),
            )
            for s in (*self.cell.signals, *self.cell.inputs)
        ]

    def derivative(self, moving: Signal, varied: Varied) -> Line:
        """The equation of a signal, differentiated."""
        key = ("derivative", moving, varied)
        if key not in self._made:
            equation = self.equation(moving)
            ((left, right),) = equation.claims
            numbered = list(self.slopes.items())
            slopes = {
                k: (i, kernel.read("t", line.data["is"])) for i, (k, line) in enumerate(numbered)
            }
            wrt, used = kernel.read("t", encode(varied.wrt)), set[int]()
            try:
                moved = kernel.derive(right, wrt, varied.kind, slopes, used, {right: left})
            except KeyError:
                raise NotEncoded(f"{moving!r}: a function in it has no proved derivative") from None
            of = ("der", left, wrt, varied.kind)
            nothing = ("mul", ("num", Fraction(0)), of)
            data = {
                "rule": "differentiate",
                "line": equation,
                "wrt": encode(varied.wrt),
                "kind": varied.kind,
            }
            needs = (equation, *(numbered[i][1] for i in sorted(used)))
            self._made[key] = Line(data, ((of, moved or nothing),), needs)
        return self._made[key]


def _slope(claim: Node, named: Mapping[Node, Node], shape: Shape) -> Node:
    """A derivative of the table at the shape of a call, entry by entry."""

    def change(item: Node) -> Node:
        return named.get(item, item)

    found = transform(claim, change)
    return found if found.shape == shape else found * full("ones", shape)


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
