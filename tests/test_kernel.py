"""The kernel of proofs: what it accepts is true, and what is tampered with it refuses.

Whether a theorem is true is decided here by an evaluator of its own: signals are computed from
the theorem's hypotheses over fractions, derivatives by dual numbers, calls are values drawn at
random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

import symgrad as sg
from proof_model import holds
from symgrad.cell import Cell
from symgrad.closed import Form
from symgrad.closed.solutions import direct_form
from symgrad.derivation.certificates import Certificate, certificate, difference
from symgrad.derivation.prooflines import induction_certificate
from symgrad.verify import kernel
from symgrad.verify.encoding import NotEncoded, encode
from test_induction import TRUE, wrong

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
