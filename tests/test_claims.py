"""Exact claims modulo a prime: no changed equation passes, and every refutation is real.

A refutation names the values at which the two sides differ. Both sides are computed
again here from those values: the networks are written out by hand, adjoints are
numerical derivatives of L in 40 digits.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symgrad.adjoint import Gradient, backward, final, loss
from symgrad.cell import Cell, input_signal, param, signal
from symgrad.cells import CATALOGUE
from symgrad.closed import expanded_form
from symgrad.derivation import Writer, verdict_of
from symgrad.derivation.claiming import explicit_pre_activations, pre_activation
from symgrad.derivation.entries import entry_of
from symgrad.derivation.evidence import Evidence
from symgrad.errors import FailedCheck
from symgrad.lang.affine import Affine, T, as_affine, t
from symgrad.lang.algebra import Multiprecision, PrimeField
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Condition,
    Const,
    Fold,
    Node,
    Param,
    Power,
    Signal,
    cases,
    const,
    derivative,
    name,
    substitute_indices,
    sum_over,
)
from symgrad.lang.program import before_last_step
from symgrad.lang.tape import Environment, evaluate
from symgrad.ops import sigma, tanh
from symgrad.ops.elementwise import SIGMA, TANH
from symgrad.ops.linear import DIV, MUL
from symgrad.verify.axioms import prove_entry
from symgrad.verify.claims import Scope, check
from symgrad.verify.degree import Degree, Degrees
from symgrad.verify.dual import Dual, Pair
from symgrad.verify.sampling import residues
from symgrad.verify.verdict import Verdict
from tools import every

F = Fraction
L = name("L")
TINY = 1 + F(1, 10**9)
READINGS = [("rnn", "scalar"), ("lstm", "scalar"), ("rnn", "vector"), ("lstm", "vector")]


def cell_of(key: str, reading: str) -> Cell:
    return CATALOGUE[key] if reading == "vector" else CATALOGUE[key].scalar()


# ---- the equations of a backward pass --------------------------------------------------------


@dataclass(frozen=True)
class Statement:
    """``left = right`` for the free times, from T = first on."""

    left: Node
    right: Node
    times: tuple[tuple[str, Affine, Affine], ...]
    first: int


def statements(gradient: Gradient) -> list[Statement]:
    signals = {s.name: s for s in (*gradient.cell.signals, *gradient.cell.inputs)}
    found = []
    for equation in gradient.equations:
        of = signals[equation.target.name]
        source = pre_activation(of) if equation.target.adjoint == "delta" else of
        right = before_last_step(equation.value)
        found.append(
            Statement(derivative("gradient", L, source), right, (("t", as_affine(1), T - 1),), 2)
        )
    for parameter in gradient.cell.params:
        right = sum_over("t", 1, T, gradient.terms[parameter.name])
        found.append(Statement(derivative("gradient", L, parameter), right, (), 1))
    for state in gradient.cell.states:
        left = derivative("gradient", L, state.at(0))
        found.append(Statement(left, before_last_step(gradient.start[state.name]), (), 1))
    for entry in gradient.cell.inputs:
        right = gradient.adjoints[entry.name]
        left = derivative("gradient", L, entry)
        found.append(Statement(left, right, (("t", as_affine(1), T),), 1))
    return found


@lru_cache
def judged(key: str, reading: str) -> tuple[Evidence, Gradient]:
    cell = cell_of(key, reading)
    return Evidence(cell, thorough=False), backward(cell, loss(cell))


def judge(key: str, reading: str, statement: Statement, right: Node) -> Verdict:
    evidence, gradient = judged(key, reading)
    return evidence.adjoint(gradient, statement.left, right, statement.times, statement.first)


# ---- single changes --------------------------------------------------------------------------


def changed(node: Node) -> Iterator[tuple[str, Node]]:
    """Single changes of the node itself, in the shape that it has."""
    if isinstance(node, Apply) and node.head.name in ("add", "mul") and node.args:
        for place, argument in enumerate(node.args):
            rest = [a for i, a in enumerate(node.args) if i != place]
            made = OPERATORS[node.head.name](*rest) if len(rest) > 1 else rest[0]
            if made.shape == node.shape:
                yield "dropped", made
            if node.head.name == "add":
                signed = (*node.args[:place], -argument, *node.args[place + 1 :])
                yield "sign", OPERATORS["add"](*signed)
    if isinstance(node, Apply) and node.head.name == "add" and len(node.args) == 2:
        one, square = node.args
        if isinstance(one, Const) and one.value == 1:
            (inner,) = square.args
            if isinstance(inner, Power):  # 1 - a², the slope of tanh
                yield "sigma' for tanh'", inner.base * (1 - inner.base)
            else:  # 1 - s in s (1 - s)
                yield "tanh' for sigma'", 1 - inner**2
    if isinstance(node, Apply) and node.head.name == "transpose":
        (inner,) = node.args
        if inner.shape == node.shape:
            yield "transpose", inner
    if isinstance(node, Signal) and node.time.names:
        # Within the run: adjoints of t + 1 to t, everything else one step back or on.
        for shift in (-1, 1):
            if node.adjoint in ("lam", "delta") and (shift > 0) == (node.time.const > 0):
                continue
            if node.adjoint in ("lam", "delta") and shift < 0 and node.time == t:
                continue
            if not node.adjoint and node.time == t and shift < 0 and node.name != "x":
                continue
            yield "index", node.at(node.time + shift)
    if isinstance(node, Fold):
        body, kind, index = node.args, node.kind, node.index
        yield "lower", Fold((kind, index, node.lower + 1, node.upper), body, node.shape)
        yield "upper", Fold((kind, index, node.lower, node.upper - 1), body, node.shape)
    if isinstance(node, Apply | Signal | Fold | Param):
        yield "coefficient", node * TINY
        yield "sign", -node


def mutations(node: Node) -> Iterator[tuple[str, Node]]:
    """Every single change anywhere in a formula."""
    yield from changed(node)
    for place, argument in enumerate(node.args):
        for kind, mutant in mutations(argument):
            if kind == "sign" and isinstance(node, Power):
                continue  # (-h)² is h²
            changed_args = (*node.args[:place], mutant, *node.args[place + 1 :])
            yield kind, node.with_args(changed_args)


def in_range(mutant: Node, statement: Statement) -> bool:
    """Whether every adjoint that it reads is one of the run, at its first and last t."""
    for item in _signals(mutant):
        for index, low, high in statement.times or (("t", as_affine(1), T),):
            first = item.time.substitute({index: low})
            last = item.time.substitute({index: high})
            computed = item.adjoint != "dl" and item.name != "x"
            state = item.name in ("h", "c") and not item.adjoint
            if first.is_const and first.const < (0 if state or item.name == "x" else 1):
                return False
            if computed and last.coefficient("T") and last.const > 0:
                return False
            if item.adjoint == "dl" and first.is_const and first.const < 1:
                return False
    return True


def _signals(node: Node) -> list[Signal]:
    """Signals, those under a bound t at the free t."""
    if isinstance(node, Fold):
        body = substitute_indices(node.body, {node.index: t})
        return _signals(body)
    own = [node] if isinstance(node, Signal) else []
    return own + [s for argument in node.args for s in _signals(argument)]


def wrong(key: str, reading: str) -> list[tuple[Statement, str, Node]]:
    _, gradient = judged(key, reading)
    found: dict[tuple[Node, Node], tuple[Statement, str, Node]] = {}
    for statement in statements(gradient):
        for kind, mutant in mutations(statement.right):
            if mutant is not statement.right and in_range(mutant, statement):
                found.setdefault((statement.left, mutant), (statement, kind, mutant))
    return list(found.values())


# ---- both sides of a witness, computed again -------------------------------------------------

DIGITS = Multiprecision(40)
MP = DIGITS.context
Values = dict[str, str]


def squash(function: Any, value: Any) -> Any:
    return DIGITS.map(function, value)


def logistic(a: Any) -> Any:
    return 1 / (1 + MP.exp(-a))


class ByHand:
    """A network run by hand from the values of a witness; L = Σ_t ⟨dl_t, output_t⟩."""

    def __init__(self, cell: Cell, values: Values, sizes: dict[str, int], horizon: int) -> None:
        self.cell, self.sizes, self.horizon, self.drawn = cell, sizes, horizon, values
        self.cache: dict[Any, Any] = {}
        self.numbers: dict[tuple[str, int | None], Any] = {}
        self.params = {p.name: self.array(p.name, p) for p in cell.params}
        self.run()

    def array(self, label: str, like: Node) -> Any:
        rows, columns = (size.value(self.sizes) for size in like.shape)
        entries = np.empty((rows, columns), dtype=object)
        for r, c in np.ndindex(rows, columns):
            text = label if self.cell.is_scalar else f"{label}[{r},{c}]"
            number = F(self.drawn.get(text, "1/3"))
            entries[r, c] = MP.mpf(number.numerator) / number.denominator
        return entries

    def given(self, label: str, time: int) -> Any:
        of = next(
            s for s in (*self.cell.signals, *self.cell.inputs) if s.name == label.split("_")[-1]
        )
        return self.array(f"{label}_{time}", of)

    def run(self, bump: tuple[str, int | None, Any] | None = None) -> Any:
        """L, with a number added to one signal, pre-activation or parameter."""
        p = dict(self.params)

        def moved(label: str, time: int | None, value: Any) -> Any:
            if bump is not None and bump[:2] == (label, time):
                value = value + bump[2]
            if bump is None:
                self.numbers[label, time] = value
            return value

        for key, value in p.items():
            p[key] = moved(key, None, value)

        def w(key: str) -> Any:
            return p[key.lower()] if self.cell.is_scalar else p[key]

        value = MP.mpf(0)
        h = moved("h", 0, self.given("h", 0))
        lstm = self.cell.name == "lstm"
        c = moved("c", 0, self.given("c", 0)) if lstm else None
        for time in range(1, self.horizon + 1):
            x = moved("x", time, self.given("x", time))
            if lstm:
                gates = {}
                for gate in "fiog":
                    pre = w(f"W_{gate}") @ x + w(f"U_{gate}") @ h + w(f"b_{gate}")
                    pre = moved(f"pre_{gate}", time, pre)
                    gates[gate] = moved(
                        gate, time, squash(MP.tanh if gate == "g" else logistic, pre)
                    )
                c = moved("c", time, gates["f"] * c + gates["i"] * gates["g"])
                h = moved("h", time, gates["o"] * squash(MP.tanh, c))
                out, label = h, "dl_h"
            else:
                pre = moved("pre_h", time, w("W_x") @ x + w("W_h") @ h + w("b_h"))
                h = moved("h", time, squash(MP.tanh, pre))
                out, label = moved("y", time, w("W_y") @ h + w("b_y")), "dl_y"
            value += (self.given(label, time) * out).sum()
        return value

    def slope(self, label: str, time: int | None) -> Any:
        """dL/d(label_time), by central differences of order 2 in 40 digits, extrapolated."""
        if (label, time) not in self.cache:
            like = self.numbers[label, time]
            found = np.empty(like.shape, dtype=object)
            for place in np.ndindex(*like.shape):
                unit = np.zeros(like.shape, dtype=int).astype(object)
                unit[place] = 1

                def central(step: Any, unit: Any = unit) -> Any:
                    up, down = (self.run((label, time, s * step * unit)) for s in (1, -1))
                    return (up - down) / (2 * step)

                h = MP.mpf(10) ** -8
                found[place] = (4 * central(h / 2) - central(h)) / 3
            self.cache[label, time] = found
        return self.cache[label, time]

    def signal(self, label: str, time: int) -> Any:
        kind, _, of = label.partition("_")
        if kind in ("lam", "delta"):
            return self.slope(of if kind == "lam" else f"pre_{of}", time)
        if (label, time) in self.numbers:
            return self.numbers[label, time]
        return self.given(label, time)

    def left(self, statement: Statement, index: int) -> Any:
        wrt = statement.left.args[1]
        if isinstance(wrt, Param):
            return self.slope(wrt.name, None)
        assert isinstance(wrt, Signal)
        return self.slope(wrt.label, wrt.time.value({"T": self.horizon, "t": index}))

    def right(self, node: Node, index: int) -> Any:
        env = Environment(self.params, self.signal, {"T": self.horizon, "t": index}, self.sizes)
        return evaluate(node, DIGITS, env)


@lru_cache(maxsize=32)
def by_hand(cell: Cell, values: Any, sizes: Any, horizon: int) -> ByHand:
    return ByHand(cell, dict(values), dict(sizes), horizon)


def reproduced(cell: Cell, statement: Statement, right: Node, verdict: Verdict) -> bool:
    """Whether a pair of entries, at one of the free times, has the values of the witness."""
    witness = verdict.witness
    assert witness is not None
    assert witness.horizon is not None
    hand = by_hand(cell, witness.values, witness.sizes, witness.horizon)
    at = {"T": witness.horizon}
    indices = [
        i for _, low, high in statement.times for i in range(low.value(at), high.value(at) + 1)
    ]
    for index in indices or [0]:
        pairs = np.broadcast_arrays(hand.left(statement, index), hand.right(right, index))
        for a, b in zip(*(side.ravel() for side in pairs), strict=True):
            if _same(a, witness.left) and _same(b, witness.right):
                return True
    return False


def _same(number: Any, text: str) -> bool:
    """All printed digits, up to the last one."""
    return bool(abs(number - MP.mpf(text)) <= abs(number) * MP.mpf(10) ** -11)


# ---- the tests -------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "reading"), READINGS)
def test_the_right_equations_hold(key: str, reading: str) -> None:
    _, gradient = judged(key, reading)
    for statement in statements(gradient):
        verdict = judge(key, reading, statement, statement.right)
        assert verdict.status == "proved", statement


@pytest.mark.parametrize(("key", "reading"), READINGS)
def test_every_single_change_is_refuted_with_a_witness(key: str, reading: str) -> None:
    cases = wrong(key, reading)
    kinds = {kind for _, kind, _ in cases}
    assert kinds >= {"dropped", "sign", "index", "lower", "upper", "coefficient"}
    assert ("transpose" in kinds) == (reading == "vector")
    assert {"sigma' for tanh'", "tanh' for sigma'"} & kinds
    if reading == "vector":
        # Coefficients and signs are seen in the scalar reading; here every third is enough.
        small = [case for case in cases if case[1] in ("coefficient", "sign", "index")]
        cases = [case for case in cases if case not in small] + small[::5]
    elif len(cases) > 150:
        # Every kind, and of each kind every third.
        cases = [case for kind in sorted(kinds) for case in [c for c in cases if c[1] == kind][::3]]
    if len(cases) > 60:
        # Of a large cell, of each kind some.
        cases = [c for kind in sorted(kinds) for c in every(3, [c for c in cases if c[1] == kind])]
    assert len(cases) >= 30
    assert {kind for _, kind, _ in cases} == kinds
    for statement, kind, mutant in cases:
        verdict = judge(key, reading, statement, mutant)
        assert verdict.status == "refuted", (kind, statement.left, mutant, verdict)
        witness = verdict.witness
        assert witness is not None
        assert witness.left != witness.right
        assert reproduced(cell_of(key, reading), statement, mutant, verdict), (
            kind,
            mutant,
            witness,
        )


def test_a_missing_transpose_is_seen_from_size_two_on() -> None:
    _, gradient = judged("rnn", "vector")
    (lam, *_) = statements(gradient)
    (mutant,) = [m for kind, m in mutations(lam.right) if kind == "transpose"]
    witness = judge("rnn", "vector", lam, mutant).witness
    assert witness is not None
    assert dict(witness.sizes)["n"] == 2


REWRITTEN: dict[str, Callable[[Node, Node, Node], Node]] = {
    "a slope factored": lambda lam, g, f: lam * (1 - g) * (1 + g),
    "a slope expanded": lambda lam, g, f: lam - lam * g * g,
    "negated": lambda lam, g, f: -(lam * (g**2 - 1)),
    "a product around": lambda lam, g, f: (1 - g**2) * lam,
    "multiplied and divided": lambda lam, g, f: lam * (1 - g**2) * (f + 2) / (2 + f),
    "halves": lambda lam, g, f: lam * (1 - g**2) / 2 + (1 - g**2) * lam / 2,
}


@pytest.mark.parametrize("case", REWRITTEN)
@pytest.mark.parametrize("key", ["rnn", "lstm"])
def test_true_rewritings_are_never_refuted(key: str, case: str) -> None:
    evidence, gradient = judged(key, "scalar")
    signals = {s.name: s for s in evidence.cell.signals}
    squashed, lam = ("h", "h") if key == "rnn" else ("g", "c")
    found = [s for s in statements(gradient) if s.left.args[1] is pre_activation(signals[squashed])]
    (statement,) = found
    adjoint = signal(lam).at(t)
    upper = Signal((adjoint.name, adjoint.time, "lam"), (), adjoint.shape)
    if key == "lstm":
        upper = upper * signals["i"]
    other = signals["h"]
    right = REWRITTEN[case](upper, signals[squashed], other)
    assert judge(key, "scalar", statement, right).status in ("proved", "checked")


def test_sums_written_another_way_are_never_refuted() -> None:
    _, gradient = judged("lstm", "scalar")
    for statement in statements(gradient):
        if not isinstance(statement.right, Fold):
            continue
        term = gradient.terms[statement.left.args[1].name]  # type: ignore[attr-defined]
        ways = [
            sum_over("t", 1, T - 1, term) + substitute_indices(term, {"t": T}),
            sum_over("t", 0, T - 1, substitute_indices(term, {"t": t + 1})),
            sum_over("t", 2, T, term) + substitute_indices(term, {"t": as_affine(1)}),
        ]
        for way in ways:
            assert judge("lstm", "scalar", statement, way).holds


def test_one_early_summand_at_a_late_horizon() -> None:
    """At T = 200 the summand for t = 2 alone reads h_2 for h_1."""
    evidence, gradient = judged("rnn", "scalar")
    w_h = next(p for p in gradient.cell.params if p.name == "w_h")
    term = gradient.terms["w_h"]
    left = derivative("gradient", L, w_h)

    def at(time: int) -> Node:
        return substitute_indices(term, {"t": as_affine(time)})

    def verdict(second: Node) -> Verdict:
        right = at(1) + second + sum_over("t", 3, T, term)
        claim = evidence.claim(left, right, (), gradient.objective, gradient)
        return check(claim, Scope((200,)))

    assert verdict(at(2)).status == "checked"
    (delta, h_1) = at(2).args
    assert isinstance(h_1, Signal)
    for wrong_second in every(2, (delta * h_1.at(2), delta * h_1 * TINY, const(0))):
        refuted = verdict(wrong_second)
        assert refuted.status == "refuted"
        assert refuted.witness is not None
        assert refuted.witness.horizon == 200


def squaring() -> Cell:
    h, x, w = signal("h"), input_signal("x"), param("w")
    return Cell("squaring", [(h, w * h.prev * h.prev + x)], inputs=[x]).scalar()


def test_a_degree_that_is_too_high_is_undecided() -> None:
    """The degree of h_T is above 2^T: from 2^56 on agreement modulo 2^61 - 1 says too little."""
    cell = squaring()
    evidence = Evidence(cell)
    (state,) = cell.states
    for wrt in cell.params:
        form = expanded_form(cell, state.at(T), wrt)
        claim = evidence.claim(form.left, form.full)
        for horizon in (56, 60, 61, 80):
            verdict = check(claim, Scope((horizon,)))
            assert verdict.status == "undecided"
            assert "degree is too high" in verdict.how[0]
        # The induction does not need any of this.
        assert verdict_of(cell, form).status == "proved"


def test_a_high_degree_takes_more_points() -> None:
    """At T = 50 one point is wrong with 2^51 / 2^60, so at least five are needed for 2^-40."""
    cell = squaring()
    (state,) = cell.states
    claim = Evidence(cell).claim(state.at(T), state.at(T))
    for horizon, least in ((3, 1), (18, 1), (30, 2), (50, 5)):
        verdict = check(claim, Scope((horizon,)))
        assert verdict.status == "checked"
        ((points,),) = [re.findall(r"at (\d+) random point", verdict.how[0])]
        assert int(points) >= least
        (exponent,) = bounds(verdict)
        # h_T has degree 2^{T+1} - 1; no point says more than degree / 2^61.
        assert int(points) * (horizon - 61) <= exponent <= -40


def test_degrees_bound_the_degree_of_a_tangent() -> None:
    """dh_T/dw of h_t = tanh(w h_{t-1}) has the term w^{T-1} h_0 Π (1 - h_j²) of degree 3 T."""
    degrees = Degrees()
    dual = Dual(degrees)
    h, w = Pair(Degree(1)), Pair(Degree(1), Degree(0))
    for steps in range(1, 11):
        h = dual.direct["tanh"](dual.mul(w, h))
        assert degrees.whole(dual.tangent(h)) >= 3 * steps


def test_fermat_is_no_proof() -> None:
    """h_61 = h_0² modulo p for h_t = h_{t-1}²: with one prime it would pass every point."""
    h = signal("h")
    cell = Cell("square", [(h, h.prev * h.prev)]).scalar()
    (state,) = cell.states
    field = PrimeField()
    value = 123456789
    for _ in range(61):
        value = value * value % field.prime
    assert value == 123456789**2 % field.prime
    claim = Evidence(cell).claim(state.at(T), state.at(0) * state.at(0))
    assert check(claim, Scope((61,))).status == "undecided"


def test_a_zero_denominator_draws_a_new_point() -> None:
    cell = CATALOGUE["linear"].scalar()
    (w,) = cell.params
    evidence = Evidence(cell)
    # The residue that w has at the first point.
    first = int(residues(PrimeField(seed=0))("w"))
    gap = w - const(first)
    h = cell.states[0].at(T)
    assert evidence.formula(h / gap, h * (1 / gap)).status == "checked"
    verdict = evidence.formula(h / gap, h / (2 * gap))
    assert verdict.status == "refuted"


def bounds(verdict: Verdict) -> list[int]:
    return [int(e) for line in verdict.how for e in re.findall(r"below 2\^(-\d+)", line)]


def test_printed_error_bounds_are_below_two_to_minus_forty() -> None:
    seen = []
    for key, reading in READINGS:
        if reading == "vector":
            evidence, gradient = judged(key, reading)
            for made in statements(gradient)[:9]:
                options = (made.times, gradient.objective, gradient)
                claim = evidence.claim(
                    made.left, made.right, *options, explicit_pre_activations(evidence.cell)
                )
                scope = evidence.scope(first=made.first, few=True)
                seen += bounds(evidence.checked(claim, scope))
    cell = CATALOGUE["lstm"].scalar()
    c = cell.signals[4]
    seen += bounds(verdict_of(cell, expanded_form(cell, c.at(T), cell.params[0])))
    assert len(seen) >= 15
    assert all(exponent <= -40 for exponent in seen)


# ---- a broken table --------------------------------------------------------------------------


@pytest.fixture
def broken() -> Iterator[Callable[[Any, str, Any], None]]:
    saved: list[tuple[Any, str, Any]] = []

    def replace(primitive: Any, field: str, value: Any) -> None:
        saved.append((primitive, field, getattr(primitive, field)))
        object.__setattr__(primitive, field, value)

    yield replace
    for primitive, field, value in reversed(saved):
        object.__setattr__(primitive, field, value)


WRONG_ENTRIES: dict[str, tuple[Any, Callable[[Node, Node], Node]]] = {
    "tanh' = 1 - h": (TANH, lambda ans, x: 1 - ans),
    "tanh' = h (1 - h)": (TANH, lambda ans, x: ans * (1 - ans)),
    "tanh' = 1 + h²": (TANH, lambda ans, x: 1 + ans**2),
    "tanh' off by 1e-9": (TANH, lambda ans, x: (1 - ans**2) * TINY),
    "sigma' = 1 - s²": (SIGMA, lambda ans, x: 1 - ans**2),
    "sigma' = s": (SIGMA, lambda ans, x: ans),
    "sigma' of the value": (SIGMA, lambda ans, x: x * (1 - x)),
}


@pytest.mark.parametrize("primitive", [TANH, SIGMA])
def test_the_entries_are_proved(primitive: Any) -> None:
    verdict = prove_entry(entry_of(primitive))
    assert verdict.status == "proved"
    assert verdict.proof is not None
    assert verdict.proof.replay()


def derivation(document: str) -> Any:
    path = Path(__file__).parent.parent / "derivations" / f"{document}.py"
    spec = importlib.util.spec_from_file_location(f"derivation_{document}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("case", WRONG_ENTRIES)
def test_a_wrong_entry_is_refuted_and_stops_everything(
    case: str, broken: Callable[[Any, str, Any], None]
) -> None:
    primitive, slope = WRONG_ENTRIES[case]
    broken(primitive, "partials", lambda ans, x: (slope(ans, x),))
    assert prove_entry(entry_of(primitive)).status == "refuted"
    cell = CATALOGUE["lstm"].scalar()
    with pytest.raises(FailedCheck, match=f"wrong at {primitive.name}"):
        verdict_of(cell, backward(cell, loss(cell)))
    for document in ("rnn", "lstm") if primitive is TANH else ("lstm",):
        writer = Writer(document, document, document)
        with pytest.raises(FailedCheck, match=f"the table says {primitive.name}'"):
            derivation(document).derive(writer)


def test_a_wrong_entry_of_a_ring_operation_is_refuted(
    broken: Callable[[Any, str, Any], None],
) -> None:
    """The quotient and the product have no definition; dual numbers see them all the same."""
    h, x, w = signal("h"), input_signal("x"), param("w")
    cell = Cell("ring", [(h, h.prev / w + w * x)], inputs=[x]).scalar()
    assert verdict_of(cell, backward(cell, loss(cell))).status == "proved"
    broken(DIV, "partials", lambda ans, over, under: (1 / under, ans / under))
    assert verdict_of(cell, backward(cell, loss(cell))).status == "refuted"
    cell_of_products = CATALOGUE["linear-input"].scalar()
    right = MUL.transpose
    broken(MUL, "transpose", lambda i, g, args: 2 * right(i, g, args))  # type: ignore[misc]
    gradient = backward(cell_of_products, loss(cell_of_products))
    assert verdict_of(cell_of_products, gradient).status == "refuted"


def test_activations_are_told_apart() -> None:
    """tanh a = 2 σ(2a) - 1 is true; modulo a prime it may be unknown, never refuted."""
    cell = CATALOGUE["rnn"].scalar()
    h = cell.states[0]
    a = cell.equation_of(h).args[0]
    times = (("t", as_affine(1), T),)
    evidence = Evidence(cell, thorough=False)
    assert evidence.formula(h, tanh(a), times=times, first=1).status == "checked"
    assert evidence.formula(h, 2 * sigma(2 * a) - 1, times=times, first=1).status != "refuted"
    assert evidence.formula(h, sigma(a), times=times, first=1).status == "refuted"


# ---- found while these tests were written ----------------------------------------------------


def test_an_adjoint_proof_is_about_the_right_side_that_is_shown() -> None:
    evidence, gradient = judged("rnn", "scalar")
    statement = next(s for s in statements(gradient) if isinstance(s.right, Fold))
    late = cases([(const(0), (Condition(T, "=", as_affine(60)),)), (statement.right, ())])
    verdict = evidence.adjoint(gradient, statement.left, late, (), 1)
    claim = evidence.claim(statement.left, late, (), gradient.objective, gradient)
    assert check(claim, Scope((60,))).status == "refuted"
    assert verdict.status != "proved"


def test_a_proof_of_one_step_is_about_every_t() -> None:
    cell = CATALOGUE["linear"].scalar()
    (h,), (w,) = cell.states, cell.params
    evidence = Evidence(cell)
    left = derivative("total", h, h.prev)
    late = cases([(const(0), (Condition(t, "=", as_affine(20)),)), (w, ())])
    verdict = evidence.one_step(left, late, times=(("t", as_affine(1), T),))
    claim = evidence.claim(left, late, (("t", as_affine(1), T),))
    assert check(claim, Scope((20,))).status == "refuted"
    assert verdict.status != "proved"


def test_a_witness_shows_that_its_values_differ() -> None:
    """dh_200/dw_h without its second summand: the difference is far behind the 12th digit."""
    cell = CATALOGUE["rnn"].scalar()
    evidence, gradient = Evidence(cell, thorough=False), backward(cell, final(cell, "h"))
    w_h, term = next(p for p in cell.params if p.name == "w_h"), gradient.terms["w_h"]
    right = sum_over("t", 3, T, term) + substitute_indices(term, {"t": as_affine(1)})
    left = derivative("gradient", L, w_h)
    claim = evidence.claim(left, right, (), gradient.objective, gradient)
    verdict = check(claim, Scope((200,)))
    assert verdict.status == "refuted"
    assert verdict.witness is not None
    assert verdict.witness.left != verdict.witness.right


def test_parameters_and_signals_draw_numbers_of_their_own() -> None:
    """A further name may read like a signal at a time; a parameter of a cell may not."""
    h, x, w = signal("h"), input_signal("x"), param("w")
    cell = Cell("collision", [(h, w * h.prev + x)], inputs=[x]).scalar()
    for other, text in ((x.at(1), "x_1"), (h.at(0), "h_0")):
        assert Evidence(cell).formula(other, param(text), first=1).status == "refuted"


def test_a_denominator_that_is_always_zero_is_undecided() -> None:
    cell = CATALOGUE["linear"].scalar()
    (w,), h = cell.params, cell.states[0].at(T)
    assert Evidence(cell).formula(h / (w - w), h / (w - w)).status == "undecided"
