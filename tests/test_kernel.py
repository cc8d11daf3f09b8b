"""The kernel of proofs: what it accepts is true, and what is tampered with it refuses.

Whether a theorem is true is decided here by an evaluator of its own: signals are computed from
the theorem's hypotheses over fractions, derivatives by dual numbers, calls are values drawn at
random. Whether a proof is tampered with is decided by the theorem that comes out of it.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgrad as sg
from symgrad.cell import Cell
from symgrad.closed import Form
from symgrad.closed.solutions import direct_form
from symgrad.derivation.certificates import Certificate, certificate, difference
from symgrad.derivation.prooflines import induction_certificate
from symgrad.verify import kernel
from symgrad.verify.encoding import NotEncoded, canonical, encode
from test_induction import TRUE, wrong

F = Fraction
KERNEL = Path(kernel.__file__)
Json = Any

# ---- an evaluator of the language of proofs ---------------------------------------------------

Pair = tuple[Any, Any]  # a matrix of fractions, and how it moves
SIZES = {"n": 2, "m": 3, "q": 2}


class Model:
    """Values for the names of a theorem, its signals computed from its hypotheses."""

    def __init__(self, theorem: dict[str, Json], seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.known: dict[Any, Any] = {}
        self.only_shapes = False
        self.equations: dict[str, Json] = {}
        self.slopes: dict[str, Json] = {}
        for line in theorem["hypotheses"]:
            if line["rule"] == "slope":
                self.slopes[line["call"][1]] = line["is"]
            elif line["when"] == [{"": -1, "t": 1}]:
                ((left, right),) = line["claims"]
                assert left[0] == "sig"
                self.equations[left[1]] = right

    def size(self, side: Json) -> int:
        return sum(c * (SIZES[n] if n else 1) for n, c in side.items())

    def draw(self, key: Any, shape: tuple[int, int]) -> Any:
        """A value that depends on the name alone."""
        if key not in self.known:
            found = np.empty(shape, dtype=object)
            for place in np.ndindex(shape):
                found[place] = F(self.random.randint(-5, 5), self.random.randint(2, 4))
            self.known[key] = found
        return self.known[key]

    def time(self, form: Json, env: dict[str, int], bound: list[int]) -> int:
        def of(name: str) -> int:
            return bound[-1 - int(name[1:])] if name.startswith("@") else env[name]

        return sum(c * (of(n) if n else 1) for n, c in form.items())

    def matrix(self, term: Json, first: int) -> tuple[int, int]:
        sides = term[first:] or [{"": 1}, {"": 1}]
        return (self.size(sides[0]), self.size(sides[1]))

    def signal(self, term: Json, time: int, move: Any) -> Pair:
        """A signal; ``move``: (kind, what is varied, its time, which entry)."""
        name, shape = term[1], self.matrix(term, 3)
        key = ("signal", name, time, move)
        if key in self.known:
            return self.known[key]
        value = None
        moved = np.full(shape, F(0), dtype=object)
        if name in self.equations and time >= 1:
            inner = move
            if move and move[0] != "d" and name not in move[0].split(","):
                inner = None
            value, moved = self(self.equations[name], {"t": time}, move=inner)
        else:
            value = self.draw(("signal", name, time), shape)
        if move and move[1:3] == (name, time):
            moved = np.full(shape, F(0), dtype=object)
            moved[move[3], 0] = F(1)
        self.known[key] = (value, moved)
        return self.known[key]

    def call(self, term: Json, argument: Pair, move: Any) -> Pair:
        value = np.empty(argument[0].shape, dtype=object)
        for place, entry in np.ndenumerate(argument[0]):
            if term[1] == "inv":
                value[place] = 1 / entry
            else:
                value[place] = self.draw(("call", term[1], entry), (1, 1))[0, 0]
        if not move or not argument[1].any():
            return value, argument[1]
        slope = self.slopes[term[1]]
        column = np.empty(value.shape, dtype=object)
        for place, entry in np.ndenumerate(argument[0]):
            column[place] = self.scalar_slope(slope, value[place], entry)
        return value, column * argument[1]

    def scalar_slope(self, slope: Json, ans: Fraction, arg: Fraction) -> Fraction:
        """An entrywise slope at one entry: diag(u) v is u v there."""
        head, *rest = slope
        if head == "num":
            return F(rest[0])
        if head == "ones":
            return F(1)
        if head == "par":
            return ans if rest[0] == "ans" else arg
        if head == "diag":
            return self.scalar_slope(rest[0], ans, arg)
        values = [self.scalar_slope(r, ans, arg) for r in rest]
        return sum(values, F(0)) if head == "add" else np.prod(np.array(values, dtype=object))

    def derivative(self, term: Json, env: dict[str, int], bound: list[int]) -> Any:
        of, wrt, kind = term[1:]
        time = self.time(of[2], env, bound)
        if wrt[0] == "par":
            return self.signal(of, time, ("d", wrt[1], None, 0))[1]
        at = self.time(wrt[2], env, bound)
        rows = self.matrix(wrt, 3)[0]
        columns = [self.signal(of, time, (kind, wrt[1], at, i))[1] for i in range(rows)]
        return np.concatenate(columns, axis=1)

    def __call__(
        self, term: Json, env: dict[str, int], bound: list[int] | None = None, move: Any = None
    ) -> Pair:
        """The value of a term, and how it moves."""
        head, bound = term[0], bound or []

        def of(part: Json, more: list[int] | None = None) -> Pair:
            return self(part, env, [*bound, *(more or [])], move)

        def still(value: Any) -> Pair:
            found = np.array(value, dtype=object).reshape(np.shape(value) or (1, 1))
            return found, np.full(found.shape, F(0), dtype=object)

        if head == "num":
            return still(F(term[1]))
        if head == "int":
            return still(F(self.time(term[1], env, bound)))
        if head in ("par", "dir"):
            shape = self.matrix(term, 2)
            value = self.draw((head, term[1]), shape)
            if head == "par" and move and move[1:3] == (term[1], None):
                one = np.full((1, 1), F(1), dtype=object)
                return value, one if shape == (1, 1) else self.draw(("dir", term[1]), shape)
            return still(value)
        if head == "ones":
            return still(np.full(self.matrix(term, 1), F(1), dtype=object))
        if head == "unit":
            before, mine, after = map(self.size, term[1:])
            found = np.full((before + mine + after, mine), F(0), dtype=object)
            for i in range(mine):
                found[before + i, i] = F(1)
            return still(found)
        if head == "sig":
            return self.signal(term, self.time(term[2], env, bound), move)
        if head == "der":
            return still(self.derivative(term, env, bound))
        if head == "cases":
            return of(term[2] if self.time(term[1], env, bound) == 0 else term[3])
        if head == "call":
            return self.call(term, of(term[2]), move)
        if head == "pow":
            e = self.time(term[2], env, bound)
            assert e >= 0 or self.only_shapes
            value = of(term[1])[0]
            power = self.eye(len(value))
            for _ in range(e):
                power = power @ value
            return still(power)
        if head in ("sum", "prod"):
            low, high = (self.time(f, env, bound) for f in term[1:3])
            parts = [of(term[3], [i])[0] for i in range(low, high + 1)]
            if not parts:
                before, self.only_shapes = self.only_shapes, True
                like = of(term[3], [low])[0]
                self.only_shapes = before
                return still(np.full(like.shape, F(0)) if head == "sum" else self.eye(len(like)))
            total = parts[0]
            for part in parts[1:]:
                total = total + part if head == "sum" else part @ total
            return still(total)
        value, moved = of(term[1])
        if head == "T":
            return value.T, moved.T
        if head == "diag":
            eye = self.eye(len(value))
            return value * eye, moved * eye
        if head == "tr":
            return still(sum(value.diagonal(), F(0)))
        for part in term[2:]:
            other, change = of(part)
            if head == "add":
                assert value.shape == other.shape
                value, moved = value + other, moved + change
            elif (1, 1) in (value.shape, other.shape):
                value, moved = value * other, moved * other + value * change
            else:
                value, moved = value @ other, moved @ other + value @ change
        return value, moved

    @staticmethod
    def eye(size: int) -> Any:
        found = np.full((size, size), F(0), dtype=object)
        for i in range(size):
            found[i, i] = F(1)
        return found


def holds(theorem: dict[str, Json], last: int = 6) -> bool:
    """Whether the claims are true for T up to 6, at values drawn at random."""
    names = sorted({n for f in theorem["when"] for n in f if n})
    model, compared = Model(theorem), 0
    for times in np.ndindex(*[last + 1] * len(names)):
        env = dict(zip(names, map(int, times), strict=True))
        if any(model.time(form, env, []) < 0 for form in theorem["when"]):
            continue
        for left, right in theorem["claims"]:
            compared += 1
            if (model(left, env)[0] != model(right, env)[0]).any():
                return False
    assert compared >= 4
    return True


# ---- what is proved ---------------------------------------------------------------------------

CELLS = sg.CATALOGUE


def gated() -> Cell:
    h, x, a, u = sg.signal("h"), sg.input_signal("x"), sg.param("a"), sg.param("u")
    return Cell("gated", [(h, sg.sigma(a * x) * h.prev + u * x)], inputs=[x]).scalar()


def leaky() -> Cell:
    n, m = sg.sizes("n m")
    h, x = sg.signal("h", n), sg.input_signal("x", m)
    w, alpha = sg.param("W", n, m), sg.param("alpha")
    return Cell("leaky", [(h, (1 - alpha) * h.prev + alpha * (w @ x))], inputs=[x])


def _forms() -> Iterator[tuple[str, Cell, Form]]:
    linear, driven = CELLS["linear"].scalar(), CELLS["linear-input"].scalar()
    rnn, lstm = CELLS["rnn"].scalar(), CELLS["lstm"].scalar()
    yield "linear h_T", linear, sg.forward_form(linear, "h_T")
    yield "linear dh/dw", linear, sg.closed_form(linear, "h_T", "w")
    yield "driven h_T", driven, sg.forward_form(driven, "h_T")
    yield "driven dh/dw", driven, sg.closed_form(driven, "h_T", "w")
    yield "driven dh/du", driven, sg.closed_form(driven, "h_T", "u")
    yield "driven dh/dh_k", driven, sg.expanded_form(driven, "h_T", "h_k")
    yield "rnn dh/dw", rnn, sg.expanded_form(rnn, "h_T", "w_h")
    yield "rnn dy/dw", rnn, sg.expanded_form(rnn, "y_T", "w_h")
    yield "rnn dh_t/dw", rnn, sg.expanded_form(rnn, "h_t", "w_h")
    yield "rnn dh/dh_k", rnn, sg.expanded_form(rnn, "h_T", "h_k")
    yield "rnn dh/dx_k", rnn, sg.expanded_form(rnn, "h_T", "x_k")
    yield "lstm c_T", lstm, direct_form(lstm, lstm.states[0])
    yield "lstm path", lstm, sg.expanded_form(lstm, "c_T", "c_k", along=("c",))
    yield "lstm two paths", lstm, sg.expanded_form(lstm, "c_T", "c_k", along=("c", "h"))
    yield "lstm dc/dh_k", lstm, sg.expanded_form(lstm, "c_T", "h_k")
    yield "lstm dc/dw", lstm, sg.expanded_form(lstm, "c_T", "w_f")
    yield "lstm df/dc_k", lstm, sg.expanded_form(lstm, "f_T", "c_k")
    yield "lstm one step", lstm, sg.expanded_form(lstm, "c_t", "c_{t-1}")
    yield "lstm two steps", lstm, sg.expanded_form(lstm, "h_t", "h_{t-2}")
    gate = gated()
    yield "nested sums", gate, sg.closed_form(gate, "h_T", "a")
    leak = leaky()
    yield "leaky dα", leak.scalar(), sg.closed_form(leak.scalar(), "h_T", "alpha")
    yield "leaky dα, vector", leak, sg.closed_form(leak, "h_T", "alpha")
    linear, driven = CELLS["linear"], CELLS["linear-input"]
    rnn, lstm = CELLS["rnn"], CELLS["lstm"]
    yield "linear dh/dh_k, vector", linear, sg.expanded_form(linear, "h_T", "h_k")
    yield "driven h_T, vector", driven, sg.forward_form(driven, "h_T")
    yield "driven dL/dW", driven, sg.closed_form(driven, "h_T", "W")
    yield "driven dL/db", driven, sg.closed_form(driven, "h_T", "b")
    yield "rnn dh/dh_k, vector", rnn, sg.expanded_form(rnn, "h_T", "h_k")
    yield "rnn dL/dW", rnn, sg.expanded_form(rnn, "h_T", "W_h")
    yield "rnn dL/dW of y", rnn, sg.expanded_form(rnn, "y_T", "W_x")
    yield "lstm c_T, vector", lstm, direct_form(lstm, lstm.states[0])
    yield "lstm dc/dh_k, vector", lstm, sg.expanded_form(lstm, "c_T", "h_k")
    yield "lstm dh/dc_k, vector", lstm, sg.expanded_form(lstm, "h_T", "c_k")
    yield "lstm dL/dU", lstm, sg.expanded_form(lstm, "c_T", "U_f")


FORMS = {name: (cell, form) for name, cell, form in _forms()}


@cache
def proved(name: str) -> Certificate:
    return certificate(*FORMS[name])


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_proved_and_its_theorem_is_true(name: str) -> None:
    found = proved(name)
    assert difference(found.theorem, *FORMS[name]) == ""
    assert kernel.check(found.proof) == found.theorem
    assert holds(found.theorem, last=4 if "lstm" in name else 6)


NAMED = ("geometric sum", "two geometric")


@pytest.mark.parametrize("case", [case for case in TRUE if case not in NAMED])
def test_the_inductions_of_the_prover_are_proofs(case: str) -> None:
    theorem = kernel.check(induction_certificate(TRUE[case]))
    assert theorem["claims"] == [[["sig", "Y", {"T": 1}], encode(TRUE[case].right)]]
    rules = [line["claims"][0][0] for line in theorem["hypotheses"]]
    assert {left[1] for left in rules} == {"Y"}


# ---- what is not ------------------------------------------------------------------------------


@pytest.mark.parametrize("case", TRUE)
def test_no_wrong_formula_is_proved(case: str) -> None:
    """Every single change of a right formula that plain evaluation says is wrong."""
    for mutant in wrong(case):
        try:
            proof = induction_certificate(replace(TRUE[case], right=mutant))
        except (NotEncoded, ZeroDivisionError):
            continue
        with pytest.raises(kernel.Refused):
            kernel.check(proof)


# ---- tampering --------------------------------------------------------------------------------

Place = tuple[Any, ...]
PARTNERS = {"sum": "prod", "prod": "sum", "add": "mul", "mul": "add", "T": "diag", "given": "show"}


def places(value: Json, path: Place = ()) -> Iterator[tuple[Place, Json]]:
    """Every part of a JSON value with the way to it."""
    yield path, value
    if not isinstance(value, dict | list):
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        yield from places(part, (*path, key))


def changes(value: Json) -> Iterator[Json]:
    """Single changes of one part."""
    if isinstance(value, int):
        yield from (value + 1, value - 1, -value, float(value), str(value), True, bool(value))
        yield from (10**30, float("nan"))
    elif isinstance(value, str):
        yield from (PARTNERS.get(value, value + "_"), value + "_", "", 1, "T", "h", "w")
        if value.lstrip("-").isdigit():
            yield from (str(int(value) + 1), str(int(value) - 1), f"{value}/2")
    elif isinstance(value, list):
        for i in range(len(value)):
            yield value[:i] + value[i + 1 :]
            yield value[: i + 1] + value[i:]
            yield value[:i] + value[i : i + 2][::-1] + value[i + 2 :]
        yield from ([], {}, [value], value[::-1])
    elif isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
            yield {(k + "_" if k == key else k): v for k, v in value.items()}
        yield from (
            {},
            [],
            {**value, "z": 1},
            {**value, "": value.get("", 0) + 1}
            if all(type(v) is int for v in value.values())
            else {},
        )
    yield None


def tampered(proof: str) -> Iterator[tuple[Place, Json, str]]:
    """Every proof with one part changed: where, to what, and the whole as text."""
    lines = json.loads(proof)
    before = canonical(lines)
    for path, value in places(lines):
        for change in changes(value):
            whole = copy.deepcopy(lines)
            if path:
                part = whole
                for key in path[:-1]:
                    part = part[key]
                part[path[-1]] = change
            else:
                whole = change
            text = json.dumps(whole)
            if json.dumps(whole, sort_keys=True, ensure_ascii=False) != before:
                yield path, change, text
