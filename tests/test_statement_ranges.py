"""Statements with a range: judged at exactly those times, and said for no others."""

from __future__ import annotations

import random
from functools import partial
from itertools import product

import pytest

import symgrad as sg
from symgrad.cell import Cell
from symgrad.derivation.claiming import stated_by
from symgrad.derivation.evidence import Evidence
from symgrad.judge import statement
from symgrad.judge.times import Stated, within
from symgrad.lang.affine import Affine, T, as_affine, symbol
from symgrad.lang.nodes import derivative, name
from symgrad.lang.program import before_last_step
from symgrad.parse import ParseError, parse_claim
from symgrad.parse.grammar import Syntax
from symgrad.verify.ranges import TimeRange
from symgrad.verify.times import choices
from symgrad.verify.verdict import Verdict

LINEAR = sg.CATALOGUE["linear"].scalar()
RNN, RNN_SCALAR = sg.CATALOGUE["rnn"], sg.CATALOGUE["rnn"].scalar()
LSTM = sg.CATALOGUE["lstm"].scalar()


def two_states() -> Cell:
    """At t = 1 the state h_0 is given; from t = 2 on it follows from c_{t-1}."""
    c, h = sg.signal("c"), sg.signal("h")
    w, u, v = sg.param("w"), sg.param("u"), sg.param("v")
    return sg.Cell("two", [(c, w * c.prev + u * h.prev), (h, v * c)]).scalar()


TWO = two_states()

# ---- ranges as sets of times -----------------------------------------------------------------

_FORMS = {"": as_affine(0), "T": T} | {x: symbol(x) for x in "tkj"}


@pytest.mark.parametrize("seed", range(60))
def test_ranges_hold_the_times_that_satisfy_them(seed: int) -> None:
    draw = random.Random(seed)
    letters = draw.choice(["", "t", "tk", "tkj"])
    constraints = []
    for _ in range(draw.randint(0, 4)):
        up, down = draw.sample(["", "T", *letters], 2)
        constraints.append(_FORMS[up] - _FORMS[down] + draw.randint(-3, 3))
    found = TimeRange(letters, constraints)
    first = None
    for horizon in range(10):
        every = [
            dict(zip(letters, values, strict=True))
            for values in product(range(horizon + 1), repeat=len(letters))
        ]
        wanted = [
            known
            for known in every
            if all(form.value({"T": horizon, **known}) >= 0 for form in constraints)
        ]
        first = horizon if first is None and wanted else first
        late = found.is_empty or (found.last is not None and horizon > found.last)
        inside = not late and horizon >= found.first()
        assert (choices(found.times, horizon) if inside else []) == wanted
    assert found.is_empty == (first is None)
    assert found.is_empty or found.first() == first


@pytest.mark.parametrize(
    ("letters", "constraints", "words"),
    [
        ("", [T - 1], "T ≥ 1"),
        ("", [-T], "T = 0"),
        ("", [T - 1, 5 - T], "1 ≤ T ≤ 5"),
        ("t", [symbol("t") - 1, T - symbol("t") - 1], "1 ≤ t < T"),
        ("t", [T - 4], "0 ≤ t ≤ T, T ≥ 4"),
        ("tk", [symbol("t") - symbol("k") - 1], "1 ≤ t ≤ T, 0 ≤ k < t"),
        ("tk", [symbol("k") - symbol("t") - 1], "0 ≤ t < T, t < k ≤ T"),
    ],
)
def test_ranges_in_words(letters: str, constraints: list[Affine], words: str) -> None:
    assert TimeRange(letters, constraints).words() == words


def test_what_a_range_implies() -> None:
    t, k = symbol("t"), symbol("k")
    found = TimeRange("tk", [t - k - 2, k - 1])

    assert found.implies(T - 3)
    assert found.implies(t - 3)
    assert not found.implies(t - 4)
    assert not found.implies(T - t - 1)
    assert found.within(TimeRange("tk", [t - k]))
    assert not TimeRange("tk", [t - k]).within(found)


# ---- verdicts --------------------------------------------------------------------------------

#: (cell, statement, status, what the scope says)
SCALAR_CLAIMS = [
    (TWO, "dc_t/dc_{t-1} = w", "refuted", ""),
    (TWO, "dc_t/dc_{t-1} = w for t = 1", "checked", "t = 1"),
    (TWO, "dc_t/dc_{t-1} = w for t ≥ 1", "refuted", "1 ≤ t ≤ T"),
    (TWO, "dc_t/dc_{t-1} = w for t < 3", "refuted", "1 ≤ t ≤ 2"),
    (TWO, "dc_t/dc_{t-1} = w + u v", "refuted", ""),
    (TWO, "dc_t/dc_{t-1} = w + u v for t ≥ 2", "proved", "all 2 ≤ t ≤ T"),
    (TWO, "dc_t/dc_{t-1} = w + u v for 2 ≤ t < T", "proved", "all 2 ≤ t < T"),
    (TWO, "dc_T/dc_{T-1} = w + u v for T ≥ 2", "proved", "all T ≥ 2"),
    (TWO, "dc_T/dc_{T-1} = w + u v for T ≥ 1", "refuted", "T ≥ 1"),
    (LSTM, "dc_t/dc_{t-1} = f_t for t ≥ 2", "refuted", "2 ≤ t ≤ T"),
    (LSTM, "h_t = o_t tanh(c_t) for 3 ≤ t", "proved", "all 3 ≤ t ≤ T"),
    (RNN_SCALAR, "h_{t-1} = tanh(w_x x_{t-1} + w_h h_{t-2} + b_h) for t ≥ 5", "proved", "5 ≤ t"),
    (RNN_SCALAR, "h_{t-1} = tanh(w_x x_{t-1} + w_h h_{t-2}) for t ≥ 5", "refuted", "5 ≤ t ≤ T"),
    (LINEAR, "h_T = h_0", "refuted", ""),
    (LINEAR, "h_T = h_0 for T = 0", "proved", "T = 0"),
    (LINEAR, "h_T = w h_0 for 1 ≤ T ≤ 2", "refuted", "1 ≤ T ≤ 2"),
    (LINEAR, "h_T = w^T h_0 for T ≥ 3", "proved", "all T ≥ 3"),
    (LINEAR, "h_t = w^t h_0 for 2 ≤ t < T", "proved", "all 2 ≤ t < T"),
    (LINEAR, "h_t = w^t h_0 + (T - t) h_0 for t = T", "proved", "all T ≥ 0, t = T"),
    (LINEAR, "dh_t/dh_k = w^(t-k) for 0 ≤ k < t", "proved", "0 ≤ k < t"),
    (LINEAR, "dh_t/dh_k = w^(t-k) for k ≤ T", "refuted", "0 ≤ k ≤ T"),
    (LINEAR, "dh_t/dh_k = w^(t-k) for t = 4", "proved", "0 ≤ k ≤ 4, T ≥ 4, t = 4"),
    (LINEAR, "dh_t/dh_k = w^(t-k) for t = T - 1", "proved", "0 ≤ k < T, t = T - 1"),
    (LINEAR, "dh_t/dh_k = 0 for k > t", "checked", "t < k ≤ T"),
    (LINEAR, "dh_t/dh_k = 0 for k ≥ t", "refuted", "t ≤ k ≤ T"),
    (LINEAR, "dh_t/dh_k = 1 for k = t, t ≥ 3", "proved", "all 3 ≤ t ≤ T, k = t"),
    (LINEAR, "dh_T/dw = T w^(T-1) h_0 for T ≥ 1", "checked", "T ≥ 1"),
    (LINEAR, "dh_T/dw = T w^(T-1) h_0 + h_0 (T-60) for T = 60", "checked", "T = 60"),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "text", "status", "scope"), SCALAR_CLAIMS)
def test_a_range_is_honoured(cell: Cell, text: str, status: str, scope: str) -> None:
    verdict = sg.check(cell, text)
    least = {"checked": ("checked", "proved")}.get(status, (status,))
    assert verdict.status in least, verdict
    assert scope in verdict.scope
    if verdict.status == "proved":
        assert verdict.proof is not None
        assert verdict.proof.replay()


@pytest.mark.parametrize(
    ("cell", "text", "inside"),
    [
        (TWO, "dc_t/dc_{t-1} = w for t ≥ 4", lambda T, t: 4 <= t <= T),
        (TWO, "dc_t/dc_{t-1} = w for 3 ≤ t < T", lambda T, t: 3 <= t < T),
        (TWO, "dc_t/dc_{t-1} = w + u v for 1 ≤ t ≤ 4", lambda T, t: t == 1),
        (LINEAR, "dh_t/dh_k = w for t ≥ k + 2", None),
        (LINEAR, "h_T = w^5 h_0 for 5 ≤ T ≤ 7", None),
    ],
)
def test_a_witness_lies_in_the_range(cell: Cell, text: str, inside: object) -> None:
    verdict = sg.check(cell, text)
    assert verdict.status == "refuted"
    witness = verdict.witness
    assert witness is not None
    assert witness.horizon is not None
    times = dict(witness.times)
    if callable(inside):
        assert inside(witness.horizon, times["t"])
    elif times:
        assert times["k"] + 2 <= times["t"] <= witness.horizon
    else:
        assert 6 <= witness.horizon <= 7


#: True for t < T only, or at T only; and the same said of more.
BACKWARD = [
    ("λ_t^h = W_y^⊤ (∂ℓ_t/∂y_t) for t = T", True),
    ("λ_t^h = W_y^⊤ (∂ℓ_t/∂y_t)", False),
    ("λ_t^h = W_y^⊤ (∂ℓ_t/∂y_t) for 1 ≤ t < T", False),
    ("dL/dh_t = W_y^⊤ (∂ℓ_t/∂y_t) + W_h^⊤ δ_{t+1}^h for 1 ≤ t < T", True),
    ("dL/dh_T = W_y^⊤ (∂ℓ_T/∂y_T) for T ≥ 1", True),
    ("λ_0^h = W_h^⊤ δ_1^h for T ≥ 1", True),
    ("λ_0^h = 0 for T = 0", True),
    ("λ_0^h = 0", False),
    ("λ_0^h = 0 for T ≥ 1", False),
    ("dL/dW_h = sum_{t=1}^T δ_t^h h_{t-1}^⊤ for T ≥ 2", True),
    ("dL/dW_h = δ_T^h h_{T-1}^⊤ for T = 1", True),
    ("dL/dW_h = δ_T^h h_{T-1}^⊤ for T ≥ 1", False),
]


@pytest.mark.parametrize(("text", "right"), BACKWARD)
def test_equations_of_the_backward_pass(text: str, right: bool) -> None:
    verdict = sg.check(RNN, text, objective=sg.loss(RNN))
    assert verdict.status in (("proved", "checked") if right else ("refuted",)), verdict


def test_a_gradient_that_begins_at_0_is_not_proved_by_the_equations_of_a_step() -> None:
    cell = sg.CATALOGUE["linear"]
    summed, final = sg.summed(cell), sg.final(cell)
    text = "dL/dh_t = s + W^⊤ λ_{t+1}^h for"

    assert sg.check(cell, f"{text} 1 ≤ t < T", objective=summed).status == "proved"
    assert sg.check(cell, f"{text} 0 ≤ t < T", objective=summed).status == "refuted"
    found = sg.check(cell, "dL/dh_t = W^⊤ λ_{t+1}^h for t < T", objective=final)
    assert (found.status, found.scope) == ("proved", "all 0 ≤ t < T, all sizes n")
    assert sg.check(cell, "dL/dh_T = s for T ≥ 0", objective=final).status == "proved"
    assert sg.check(cell, "dL/dh_T = s for T ≥ 0", objective=summed).status == "refuted"
    assert sg.check(cell, "dL/dh_T = s for T ≥ 1", objective=summed).status == "proved"


@pytest.mark.parametrize("cell", [RNN_SCALAR, sg.CATALOGUE["linear-input"].scalar()])
def test_all_lines_of_a_printed_gradient_are_judged(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line for its own times; without them some are wrong."""
    monkeypatch.setattr(statement, "Evidence", partial(Evidence, thorough=False))
    objective = sg.loss(cell)
    lines = str(sg.backward(cell, objective)).splitlines()[2:]
    assert any(line.endswith("for 1 ≤ t < T") for line in lines)
    for line in lines:
        assert sg.check(cell, line, objective=objective).status in ("proved", "checked"), line
    at_end = next(line for line in lines if line.startswith("λ_T"))
    without = at_end.partition("for")[0].replace("_T", "_t")
    assert sg.check(cell, without, objective=objective).status == "refuted"


# ---- how ranges are written ------------------------------------------------------------------

WRITTEN = [
    ("text", "h_t = w h_{t-1} for 1 ≤ t < T", ["t - 1", "T - t - 1"]),
    ("text", "h_t = w h_{t-1}   for 1 <= t <= T.", ["t - 1", "T - t"]),
    ("text", "h_t = w h_{t-1} for all t ≥ 2", ["t - 2"]),
    ("text", "h_t = w h_{t-1}, T > t > 0", ["T - t - 1", "t - 1"]),
    ("text", "h_t = w h_{t-1} for t = 1, …, T", ["t - 1", "T - t"]),
    ("text", "h_t = w h_{t-1} for every t", []),
    ("text", "dh_t/dh_k = w for k ≤ t and t ≥ 2, t ≤ T - 1", ["t - k", "t - 2", "T - t - 1"]),
    ("text", "h_i = w h_{i-1} for 1 ≤ i ≤ T", ["i - 1", "T - i"]),
    ("latex", r"h_t = w h_{t-1} \qquad (1 \le t \le T)", ["t - 1", "T - t"]),
    ("latex", r"h_t = w h_{t-1}, 1 \leq t < T", ["t - 1", "T - t - 1"]),
    ("latex", r"h_t = w h_{t-1} \quad\text{for } t < T", ["T - t - 1"]),
    ("latex", r"h_t = w h_{t-1},\quad t = 1, \ldots, T", ["t - 1", "T - t"]),
    ("latex", r"h_t = w h_{t-1},\ \text{for all $t \geq 2$ and } t < T.", ["t - 2", "T - t - 1"]),
    ("latex", r"\begin{align} h_t &= w h_{t-1} && \text{for } T \ge t \end{align}", ["T - t"]),
]  # fmt: skip


@pytest.mark.parametrize(("syntax", "text", "constraints"), WRITTEN)
def test_ranges_as_they_are_written(syntax: Syntax, text: str, constraints: list[str]) -> None:
    claim = parse_claim(text, LINEAR, syntax=syntax)
    assert claim.stated is not None
    assert sorted(map(str, claim.stated.constraints)) == sorted(constraints)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("h_T = h_0 for banana", "1:15", "'banana' is no range of times"),
        ("h_T = h_0 for k ≥ 1", "1:15", "k does not occur in the statement"),
        ("h_T = sum_{k=1}^T h_k for k ≤ T", "1:27", "k is the index of a sum"),
        ("h_t = h_0 for t ≠ T", "1:17", "write t < T"),
        ("h_t = h_0 for 2 t ≤ T", "1:17", "'t' is no range"),
        ("h_t = h_0 for t + k ≤ T", "1:15", "a range compares one time with another"),
        ("dh_t/dh_k = w for t, k ≥ 1", "1:19", "say the range of each time"),
        ("h_t = h_0 for", "1:13", "no range stands here"),
        ("h_t = h_0 for t ≥ 3, t < 2", "1:15", "this range is empty for every T"),
        ("h_t = h_0 for t = T + 1", "1:15", "exist for 0 ≤ t ≤ T"),
        ("h_t = h_0 for T < 0", "1:15", "this range is empty for every T"),
        ("h_t = h_0 for t ≥ 99999999", "1:19", "go up to 10000"),
        ("h_w = h_0 for w ≥ 1", "1:15", "w is a name of this cell"),
    ],
)
def test_ranges_that_are_none(text: str, place: str, says: str) -> None:
    with pytest.raises(ParseError) as caught:
        sg.check(LINEAR, text)
    assert says in str(caught.value)
    assert f"<statement>:{place}: " in str(caught.value)


def test_signals_that_never_exist_together() -> None:
    assert sg.check(RNN_SCALAR, "y_0 = 3").status == "undecided"
    with pytest.raises(ParseError, match="exist for 1 ≤ t ≤ T"):
        sg.check(RNN_SCALAR, "y_t = w_y h_t + b_y for t = 0")


# ---- no proof reaches beyond what it is about ------------------------------------------------


def test_derived_forms_prove_nothing_of_other_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where evaluation saw no difference: the forms are for k up to t."""
    agreed = Verdict("checked", "T = 0..8, scalar")
    monkeypatch.setattr(Evidence, "formula", lambda *arguments, **named: agreed)

    assert sg.check(LINEAR, "dh_t/dh_k = w^(t-k) for k ≤ t").status == "proved"
    assert sg.check(LINEAR, "dh_t/dh_k = w^(t-k) for k > t").status == "checked"


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("all T ≥ 0, all sizes n", "all T ≥ 2, all sizes n"),
        ("all T ≥ 5", "all T ≥ 5"),
        ("all T ≥ 0, w = 1", "T ≥ 2, of all T ≥ 0, w = 1"),
    ],
)
def test_a_proof_for_fewer_times_says_so(scope: str, said: str) -> None:
    found = within(Verdict("proved", scope), TimeRange("", [T - 2]), Stated())
    assert found.scope == said


def test_the_equations_of_a_step_say_nothing_of_time_0() -> None:
    cell = sg.CATALOGUE["linear"]
    gradient = sg.backward(cell, sg.summed(cell))
    left = derivative("gradient", name("L"), cell.states[0])
    right = before_last_step(gradient.adjoints["h"])

    assert stated_by(gradient, left, right, (("t", as_affine(1), T - 1),), 2)
    assert not stated_by(gradient, left, right, (("t", as_affine(0), T - 1),), 1)
    final = sg.backward(cell, sg.final(cell))
    after = before_last_step(final.adjoints["h"])
    assert stated_by(final, left, after, (("t", as_affine(0), T - 1),), 1)
    assert not stated_by(final, left, after, (("t", as_affine(0), T),), 0)


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("h_{t+1} = w h_t for 0 ≤ t ≤ T", "h_{t+1}"),
        ("h_t = w h_{t-1} for 0 ≤ t ≤ T", "h_{t-1}"),
        ("dh_T/dh_{T-1} = w for T ≥ 0", "h_{T-1}"),
        # A side that is not stated ends where the signals do.
        ("h_{t+1} = w h_t for t ≥ 0", ""),
        ("h_t = w h_{t-1} for t ≤ T", ""),
        ("h_t = w h_{t-1} for 1 ≤ t ≤ T", ""),
        ("dh_t/dh_k = w^(t-k) for 0 ≤ k ≤ t ≤ T", ""),
    ],
)
def test_a_range_beyond_the_run_is_told(text: str, absent: str) -> None:
    verdict = sg.check(LINEAR, text)
    assert verdict.status == "proved"
    told = [line for line in verdict.how if line.startswith("nothing is said")]
    words = f"nothing is said of the times of the range at which {absent} is in no run"
    assert told == ([words] if absent else [])


def test_a_loss_at_0_is_in_no_run() -> None:
    right = "sum_{t=k}^T (∂ℓ_t/∂y_t) w_y prod_{j=k+1}^t w_h (1 - h_j^2)"
    for low, told in ((0, True), (1, False)):
        claim = f"dL/dh_k = {right} for {low} ≤ k ≤ T"
        verdict = sg.check(RNN_SCALAR, claim, objective=sg.loss(RNN_SCALAR))
        assert verdict.holds
        assert any("ℓ_k is in no run" in line for line in verdict.how) == told
