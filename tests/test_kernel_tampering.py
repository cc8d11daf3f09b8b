"""Tampered proofs: every part of a proof is changed, and no change lets anything through.

A proof with one thing changed is refused, or proves a theorem that ``difference`` tells apart
from what the cell and the formula say. A lemma in its middle may also be changed into an
equivalent one (its factors in another order), and what is multiplied out may be named in another
order: then the theorem is the same, word for word.
Where proofs are long, every n-th change is tried, the first of each kind of part always.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

import symgrad as sg
from symgrad.cell import Cell
from symgrad.closed import Form
from symgrad.derivation.certificates import Certificate, certificate, difference
from symgrad.verify import kernel
from symgrad.verify.encoding import canonical
from tools import THOROUGH

Json = Any
Place = tuple[Any, ...]


def twins() -> Cell:
    """Two states that drive each other."""
    p, q, x = sg.signal("p"), sg.signal("q"), sg.input_signal("x")
    a, b, c = sg.param("a"), sg.param("b"), sg.param("c")
    equations = [(p, a * p.prev + sg.tanh(b * q.prev)), (q, c * p.prev + x)]
    return Cell("twins", equations, inputs=[x]).scalar()


def _forms() -> Iterator[tuple[str, Cell, Form]]:
    linear, driven = (sg.CATALOGUE[name].scalar() for name in ("linear", "linear-input"))
    lstm = sg.CATALOGUE["lstm"].scalar()
    yield "linear h_T", linear, sg.forward_form(linear, "h_T")
    yield "linear dh/dw", linear, sg.closed_form(linear, "h_T", "w")
    yield "driven dh/dw", driven, sg.closed_form(driven, "h_T", "w")
    yield "driven dh/dh_k", driven, sg.expanded_form(driven, "h_T", "h_k")
    yield "twins dp/da", twins(), sg.expanded_form(twins(), "p_T", "a")
    yield "twins dp/dq_k", twins(), sg.expanded_form(twins(), "p_T", "q_k")
    yield "lstm path", lstm, sg.expanded_form(lstm, "c_T", "c_k", along=("c",))
    yield "lstm one step", lstm, sg.expanded_form(lstm, "c_t", "c_{t-1}")
    vector = sg.CATALOGUE["linear-input"]
    yield "vector h_T", vector, sg.forward_form(vector, "h_T")
    yield "vector dL/dW", vector, sg.closed_form(vector, "h_T", "W")


FORMS = {name: (cell, form) for name, cell, form in _forms()}
#: How many changes of one proof are tried.
MANY = 100_000 if THOROUGH else 100


@cache
def proved(name: str) -> Certificate:
    return certificate(*FORMS[name])


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
        yield from (
            PARTNERS.get(value, value + "_"),
            value + "_",
            value + ",",
            "",
            1,
            "T",
            "h",
            "w",
        )
        if value.lstrip("-").isdigit():
            yield from (str(int(value) + 1), str(int(value) - 1), f"{value}/2")
    elif isinstance(value, list):
        for i in range(len(value)):
            yield value[:i] + value[i + 1 :]
            yield value[: i + 1] + value[i:]
            yield value[:i] + value[i : i + 2][::-1] + value[i + 2 :]
        yield from ([], {}, "", [value], value[::-1])
    elif isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
            yield {(k + "_" if k == key else k): v for k, v in value.items()}
        yield from ({}, [], "", {**value, "z": 1})
        if all(type(v) is int for v in value.values()):
            yield {**value, "": value.get("", 0) + 1}
    yield None


def tampered(proof: str) -> Iterator[tuple[Place, Json, str]]:
    """Every proof with one part changed: where, to what, and the whole as text."""
    lines = json.loads(proof)
    for path, value in places(lines):
        for change in changes(value):
            if json.dumps(change) == json.dumps(value):
                continue
            whole = copy.deepcopy(lines)
            if path:
                part = whole
                for key in path[:-1]:
                    part = part[key]
                part[path[-1]] = change
            else:
                whole = change
            yield path, change, json.dumps(whole)


def kind(path: Place, change: Json) -> Any:
    """Changes that are alike: the same field, the same sort of value."""
    return tuple(key for key in path if isinstance(key, str)), type(change)


def some(proof: str) -> Iterator[tuple[Place, Json, str]]:
    """All changes, or of many every n-th and the first of each kind."""
    found = list(tampered(proof))
    step, seen = max(1, len(found) // MANY), set()
    for place, (path, change, text) in enumerate(found):
        if place % step == 0 or kind(path, change) not in seen:
            yield path, change, text
        seen.add(kind(path, change))


@pytest.mark.parametrize("name", FORMS)
def test_a_changed_proof_is_refused_or_proves_something_else(name: str) -> None:
    cell, form = FORMS[name]
    proof, right = proved(name).proof, canonical(proved(name).theorem)
    lines = json.loads(proof)
    lemmas = {i for i, line in enumerate(lines[:-1]) if line["rule"] == "show"}
    refused = others = same = 0
    for path, change, text in some(proof):
        try:
            theorem = kernel.check(text)
        except kernel.Refused:
            refused += 1
            continue
        if difference(theorem, cell, form):
            others += 1
            continue
        assert canonical(theorem) == right, (path, change)
        assert path[0] in lemmas or "bases" in path, (path, change)
        same += 1
    assert refused > 50
    assert others > 0
    assert same <= 0.02 * (refused + others)


def test_renamed_throughout_it_is_a_theorem_of_another_cell() -> None:
    """A valid proof, every w in it an a: nothing is refused, and nothing is proved of the cell."""
    cell, form = FORMS["driven dh/dw"]
    theorem = kernel.check(proved("driven dh/dw").proof.replace('"w"', '"a"'))
    assert "another formula" in difference(theorem, cell, form)


def test_another_recurrence_with_its_own_closed_form() -> None:
    """h_t = w h_{t-1} + u x_t doubled on both sides of the proof."""
    cell, form = FORMS["linear h_T"]
    doubled = sg.Cell("linear", [(cell.signals[0], 2 * cell.equations[0].value)])
    other = sg.forward_form(doubled, "h_T")
    theorem = kernel.check(certificate(doubled, other).proof)
    assert difference(theorem, doubled, other) == ""
    assert "another formula" in difference(theorem, cell, form)
    # The same formula displayed, a changed recurrence below it.
    assert "no equation of the cell" in difference(theorem, cell, other)


def test_a_theorem_for_other_times_is_another() -> None:
    cell, form = FORMS["linear h_T"]
    theorem = kernel.check(proved("linear h_T").proof)
    for when in ([{"T": 1, "": -1}], [{"T": 2}], [], [{"T": 1}, {"k": 1}]):
        assert "other times" in difference(theorem | {"when": when}, cell, form)
