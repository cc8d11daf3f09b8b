"""Writes the proof of one form as lines of JSON, and knows what its theorem must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from symgrad.cell import Cell
from symgrad.closed.forms import Form, write_out
from symgrad.closed.solutions import closed_form, forward_form
from symgrad.closed.sums import expanded_form
from symgrad.closed.transition import Transition
from symgrad.derivation.hypotheses import Hypotheses, Varied
from symgrad.derivation.prooflines import (
    Json,
    Line,
    Ref,
    given,
    occurs,
    plain,
    pruned,
    show,
    under_binder,
    use,
)
from symgrad.errors import SymgradError
from symgrad.lang.affine import Affine, T, as_affine, symbol, t
from symgrad.lang.nodes import (
    SCALAR,
    Derivative,
    Name,
    Param,
    Signal,
    signals_in,
)
from symgrad.verify import kernel
from symgrad.verify.encoding import NotEncoded, affine, canonical, encode, joined, sizes, unit, zero

_k, _u = symbol("k"), symbol("u")
_ZERO = as_affine(0)


class NoCertificate(SymgradError):
    """No proof in JSON is known for the form, or it does not prove it; the message says why."""

    exit_code = 3


class ProofWriter:
    """Writes the proof of one form, and knows what its theorem must be."""

    def __init__(self, cell: Cell, form: Form, facts: Hypotheses | None = None) -> None:
        self.cell = cell
        self.form = form
        self.facts = facts or Hypotheses(cell)
        self.closed = form.kind == "closed"
        left = form.left
        self.varied: Varied | None = None
        self.of: Signal
        if isinstance(left, Signal):
            self.of = left
        elif isinstance(left, Derivative):
            of = left.of
            objective = form.objective
            if isinstance(of, Name) and objective is not None and objective.when == "final":
                of = objective.signal.at(T)
            if not isinstance(of, Signal):
                raise NoCertificate(f"no proof in JSON is written for {left!r}")
            if left.kind not in ("total", "restricted", "gradient"):
                raise NoCertificate(f"no proof in JSON is written for a derivative {left!r}")
            self.of = of
            self.varied = Varied(left.wrt, left.along)
        else:
            raise NoCertificate(f"no proof in JSON is written for {left!r}")

    # ---- what the theorem must be ----

    @property
    def is_gradient(self) -> bool:
        return isinstance(self.form.left, Derivative) and self.form.left.kind == "gradient"

    def claim(self) -> tuple[Json, Json]:
        """The displayed equation; the gradient G of sᵀ q_T as sᵀ dq_T = tr(Gᵀ dθ) for all dθ."""
        right = encode(self.form.full)
        if not self.is_gradient:
            return encode(self.form.left), right
        assert self.varied is not None
        wrt, objective = self.varied.wrt, self.form.objective
        if not isinstance(wrt, Param):
            raise NoCertificate(f"no proof in JSON is written for the gradient by {wrt!r}")
        if objective is None or objective.kind != "linear" or objective.decay:
            raise NoCertificate("no proof in JSON is written for a loss")
        if objective.when != "final" or self.of != objective.signal.at(T):
            raise NoCertificate("no proof in JSON is written for a sum of losses")
        cotangent = encode(objective.cotangent)
        left = ["mul", ["T", cotangent], self.varied.of(self.of)]
        if wrt.shape == SCALAR:
            return left, right
        return left, ["tr", ["mul", ["T", right], ["dir", wrt.name, *sizes(wrt.shape)]]]

    def when(self) -> list[Affine]:
        """The times at which the form says that it holds, as forms that are at least 0."""
        found = [form for free, low, last in self.form.times for form in _between(free, low, last)]
        first = T - self.form.first_horizon
        return found if _follow(found, [affine(first)]) else [*found, first]

    def allowed(self) -> list[Json]:
        """The hypotheses that may be made about the cell and what is varied."""
        facts, varied = self.facts, self.varied
        lines = [facts.equation(signal) for signal in self.encoded]
        lines += facts.slopes.values()
        if varied is not None:
            varied = varied if self.span() is None else self.anywhere(varied)
            lines += facts.inputs(varied)
            lines += facts.start(varied)
            if isinstance(varied.wrt, Signal):
                lines += facts.past(varied)
        return [line.data for line in lines]

    @cached_property
    def encoded(self) -> list[Signal]:
        """The signals whose equations have a place in proofs; the others may not be needed."""
        found = []
        for equation in self.cell.equations:
            try:
                self.facts.equation(equation.target)
            except NotEncoded:
                continue
            found.append(equation.target)
        return found

    # ---- the proof ----

    def conclusion(self) -> Line:
        """The last line of the proof: the claim, at the times of the form."""
        on = next(iter(self.of.time.names), "T")
        premises = self.when()
        start = next((f for f in premises if f.coefficient(on) == 1), None)
        if start is None:
            raise NoCertificate(f"no proof in JSON is written for {self.form.left!r}")
        rest = [form for form in premises if form != start]
        span = self.span()
        if span is not None:
            return show([self.claim()], on, symbol(on) - start, [], self.few_steps(span), rest)
        if self.of.time != T and not (self.of.time == t and isinstance(self.form.left, Derivative)):
            raise NoCertificate(f"no proof in JSON is written for the time of {self.of!r}")
        line = self.forward() if self.varied is None else self.moved(self.varied)
        if line.data["claims"] == [[*self.claim()]] and self._same_times(line):
            return line
        bases: list[list[Ref]] = []
        if _rows([self.claim()]) and self.varied is not None:
            # The last step is a case of its own: what is varied may be of the same step.
            bases.append(self.at_start(self.varied, symbol(on) - start))
        return show([self.claim()], on, symbol(on) - start, bases, self.last_step(line, on), rest)

    def span(self) -> int | None:
        """How many steps the form spans, where that is a fixed number."""
        if self.varied is None or not isinstance(self.varied.wrt, Signal):
            return None
        gap = self.of.time - self.varied.time
        return gap.const if gap.is_const else None

    def anywhere(self, varied: Varied) -> Varied:
        """The same signal varied at a time of its own name, put in its place with each use."""
        assert isinstance(varied.wrt, Signal)
        return replace(varied, wrt=varied.wrt.at(_u)) if varied.time.names else varied

    def few_steps(self, span: int) -> list[Ref]:
        """A fixed number of steps back, and what is known where the variation begins."""
        assert self.varied is not None
        begin, times = self.varied.time, range(span)
        varied = self.anywhere(self.varied)
        refs = [r for back in times for r in self.steps(varied, self.of.time - back)]
        refs += self.at_start(varied, begin)
        put = ((_u.terms[0][0], begin),) if begin.names else ()
        return [Ref(ref.line, ref.claim, (*ref.at, *put)) for ref in refs]

    def last_step(self, line: Line, on: str) -> list[Ref]:
        """A signal that is no state, in terms of the states now and one step back."""
        now = symbol(on)
        refs = self.written(now)
        if self.varied is not None:
            refs = (
                []
                if self.cell.is_state(self.of.name)
                else self.steps(self.varied, now, self.cell.states)
            )
        refs += [use(line, i, "T", now - back) for i in range(len(line.claims)) for back in (0, 1)]
        return [*refs, *self.written(T)] if self.closed else refs

    def _same_times(self, line: Line) -> bool:
        start = {"T": 1} if not line.data["from"] else affine(T - _form(line.data["from"]))
        have = [*line.data["when"], start]
        return {canonical(f) for f in have} == {canonical(affine(f)) for f in self.when()}

    def written(self, time: Affine) -> list[Ref]:
        """Signals that are computed within the step, in terms of the states before it."""
        computed = [s for s in reversed(self.encoded) if not self.cell.is_state(s.name)]
        return [use(self.facts.equation(s), 0, "t", time) for s in computed]

    def forward(self) -> Line:
        """h_T in closed form by induction on T, its step the equation of the cell."""
        state = self.of if self.cell.is_state(self.of.name) else self.cell.states[0]
        state = state.at(t)
        mine = state.name == self.of.name
        right = self.form.full if mine else forward_form(self.cell, state.at(T)).full
        computed = {s.name for s in self.cell.signals} - {state.name}
        direct = any(s.name in computed for s in signals_in(right))
        refs = [use(self.facts.equation(state), 0, "t", T)]
        refs += [] if direct else self.written(T)
        refs.append(Ref(None, 0, (("T", T - 1),)))
        return show([(encode(state.at(T)), encode(right))], "T", _ZERO, [[]], refs)

    def steps(self, varied: Varied, time: Affine, but: Sequence[Signal] = ()) -> list[Ref]:
        """The differentiated equations at a time, the latest signal first; inputs do not move."""
        names = {s.name for s in but}
        signals = [s for s in reversed(self.encoded) if varied.moves(s)]
        refs = [
            use(self.facts.derivative(s, varied), 0, "t", time)
            for s in signals
            if s.name not in names
        ]
        still = zip(self.cell.inputs, self.facts.inputs(varied), strict=True)
        return [*refs, *(use(line, 0, "t", time) for x, line in still if x.name not in names)]

    def in_play(self, varied: Varied) -> list[Signal]:
        """The states on whose derivatives that of the quantity rests, some step back."""
        states = [s for s in self.cell.states if varied.moves(s)]
        found: set[str] = set()
        behind = [self.of]
        while behind:
            of = behind.pop()
            at_T = kernel.read("t", varied.of(of.at(T)))
            found |= {of.name}
            for ref in self.steps(varied, T, () if self.cell.is_state(of.name) else states):
                at_T = kernel.replaced(at_T, dict([ref.instance(())]))
            for state in states:
                names = (kernel.read("t", varied.of(state.at(T - back))) for back in (0, 1))
                if state.name not in found and any(occurs(name, at_T) for name in names):
                    behind.append(state)
        return [s for s in states if s.name in found] or states

    def moved(self, varied: Varied) -> Line:
        """The derivatives of all states in play, by one induction on T."""
        states = self.in_play(varied)
        claims = [(varied.of(s.at(T)), self.right_of(s, varied)) for s in states]
        begin = varied.time if isinstance(varied.wrt, Signal) else _ZERO
        if begin not in (_ZERO, _k):
            raise NoCertificate(f"no proof in JSON is written for a derivative by {varied.wrt!r}")
        lemmas: list[Ref] = []
        if self.closed and isinstance(varied.wrt, Param):
            closed = forward_form(self.cell, states[0].at(T))
            lemma = ProofWriter(self.cell, closed, self.facts).forward()
            lemmas = [use(lemma, 0, "T", T - 1)]
        bases = [self.at_start(varied, begin)]
        for place in range(1, 1 + _rows(claims)):
            bases.append([_moved(ref, place) for ref in self.one_step(varied, states, lemmas)])
            bases[-1] += [Ref(line) for line in self.facts.start(varied)]
        when = [_k - low for _, low, _ in self.form.times] if begin == _k else []
        return show(claims, "T", begin, bases, self.one_step(varied, states, lemmas), when)

    def one_step(self, varied: Varied, states: Sequence[Signal], lemmas: list[Ref]) -> list[Ref]:
        """One step of the induction at T: the equations, the hypothesis, the closed state."""
        hypotheses = [Ref(None, i, (("T", T - 1),)) for i in range(len(states))]
        written = [*self.written(T), *lemmas] if self.closed else []
        return [*self.steps(varied, T), *hypotheses, *written]

    def at_start(self, varied: Varied, begin: Affine) -> list[Ref]:
        """The base case: what does not move, and the signals that follow within the step."""
        refs = [Ref(line) for line in self.facts.start(varied)]
        if isinstance(varied.wrt, Signal) and not begin.is_const:
            refs = [*refs, *self.steps(varied, begin, [varied.wrt]), *refs]
            refs += [use(line, 0, "v", begin - 1) for line in self.facts.past(varied)]
        return refs

    def right_of(self, state: Signal, varied: Varied) -> Json:
        """The formula that the derivative of a state is proved to be."""
        at_T = state.at(T)
        if not self.is_gradient:
            if state.name == self.of.name and self.of.time == T:
                return encode(self.form.full)
            if self.closed:
                return encode(closed_form(self.cell, at_T, varied.wrt).full)
            form = expanded_form(self.cell, at_T, varied.wrt, along=varied.along)
            return encode(form.full)
        return self.tangent(state, varied)

    def tangent(self, state: Signal, varied: Varied) -> Json:
        """Σ_k (M_T ⋯ M_{k+1}) ∂⁺z_k: how a state moves when a parameter moves in a direction."""
        states = self.cell.states
        moving = Transition(self.cell)
        chain = write_out(moving.product(T, _k), moving.where)
        columns = [kernel.read("t", varied.of(s)) for s in states]
        for ref in [*self.steps(varied, t), *(Ref(line) for line in self.still(varied))]:
            columns = [kernel.replaced(c, dict([ref.instance(())])) for c in columns]
        if self.closed:
            forward = kernel.read("t", encode(forward_form(self.cell, states[0].at(T)).full))
            before = kernel.subst(forward, {"T": kernel.read("a", affine(t - 1))})
            columns = [
                kernel.replaced(c, {kernel.read("t", encode(states[0].prev)): before})
                for c in columns
            ]
        made = [plain(under_binder(pruned(c), "t")) for c in columns]
        heights = [s.shape[0] for s in states]
        pieces = [["mul", unit(i, heights), c] for i, c in enumerate(made)]
        parts = [encode(chain, {"k": 0}), joined("add", pieces) if len(states) > 1 else made[0]]
        row = [] if len(states) == 1 else [["T", unit(list(states).index(state), heights)]]
        return ["sum", {"": 1}, {"T": 1}, joined("mul", [*row, *parts])]

    def still(self, varied: Varied) -> list[Line]:
        """States one step back that do not move: the immediate derivative."""
        return [given([], varied.of(s.prev), zero(varied.shape(s))) for s in self.cell.states]


def _between(free: str, low: Affine, last: Affine) -> list[Affine]:
    return [symbol(free) - low, last - symbol(free)]


def _follow(premises: Sequence[Affine], conclusions: Sequence[Json]) -> bool:
    """Whether forms are at least 0 wherever the premises are."""
    context = tuple(kernel.read("a", affine(form)) for form in premises)
    return all(kernel.entails(context, kernel.read("a", form)) for form in conclusions)


def _form(data: dict[str, int]) -> Affine:
    total = as_affine(data.get("", 0))
    for free, c in data.items():
        total = total + (symbol(free).scale(c) if free else 0)
    return total


def _moved(ref: Ref, place: int) -> Ref:
    """A use in the step at T, at a number instead."""
    number = as_affine(place)
    at = tuple((free, form.substitute({"T": number})) for free, form in ref.at)
    if ref.line is not None and not at and ref.line.data["rule"] == "show":
        at = (("T", number),)
    return Ref(ref.line, ref.claim, at)


def _rows(claims: Sequence[tuple[Json, Json]]) -> int:
    """How many first values have rows of their own."""
    count, right = 0, claims[0][1]
    while right[0] == "cases":
        count, right = count + 1, right[3]
    return count
