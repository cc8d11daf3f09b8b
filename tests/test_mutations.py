"""Wrong formulas made by machine are refuted, true ones never: a sample of the whole score."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import symgrad as sg
from symgrad.cell import Cell
from symgrad.lang.affine import T, symbol
from symgrad.lang.nodes import (
    Fold,
    Node,
    Signal,
    const,
    substitute_indices,
    sum_over,
    transform,
)
from symgrad.testing import Statement, mutants, rewritings, score, statements
from symgrad.testing.mutations import CLASSES
from symgrad.testing.places import everywhere
from symgrad.testing.truth import told_apart
from symgrad.verify.claims import Scope
from symgrad.verify.verdict import Verdict
from tools import THOROUGH, every

CATALOGUE = sg.CATALOGUE
LINEAR, DRIVEN = CATALOGUE["linear"], CATALOGUE["linear-input"]
RNN, LSTM = CATALOGUE["rnn"], CATALOGUE["lstm"]
TINY = 1 + Fraction(1, 10**9)


def gated() -> Cell:
    n, m = sg.sizes("n m")
    x, z, r, h = sg.input_signal("x", m), *(sg.signal(s, n) for s in "zrh")
    W, U = (lambda g: sg.param(f"W_{g}", n, m)), (lambda g: sg.param(f"U_{g}", n, n))
    return Cell(
        "gated",
        [
            (z, sg.sigma(W("z") @ x + U("z") @ h.prev)),
            (r, sg.sigma(W("r") @ x + U("r") @ h.prev)),
            (h, z * h.prev + (1 - z) * sg.tanh(W("h") @ x + U("h") @ (r * h.prev))),
        ],
        inputs=[x],
    )


def joined() -> Cell:
    """One matrix for [h_{t-1}; x_t]."""
    n, m = sg.sizes("n m")
    x, h, f = sg.input_signal("x", m), sg.signal("h", n), sg.signal("f", n)
    W, W_f = sg.param("W", n, n + m), sg.param("W_f", n, n + m)
    both = sg.concat(h.prev, x)
    return Cell(
        "joined", [(f, sg.sigma(W_f @ both)), (h, f * h.prev + sg.tanh(W @ both))], inputs=[x]
    )


GATED, JOINED = gated(), joined()
SAMPLED = [c for cell in CATALOGUE.values() for c in (cell.scalar(), cell)]
SAMPLED += [GATED.scalar(), JOINED, *([GATED] if THOROUGH else [])]
IDS = [f"{cell.name}-{cell.reading}" for cell in SAMPLED]


@pytest.mark.parametrize("cell", SAMPLED, ids=IDS)
def test_a_sample_of_the_score(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every class that applies once or twice; the whole takes minutes, see the document."""
    shorten(monkeypatch, cell)
    wrong, true = (17, 9) if THOROUGH or len(statements(cell)) < 40 else (7, 3)
    found = score.score(cell, wrong=wrong, true=true)
    outcomes = Counter(outcome for (_, outcome), n in found.mutants.items() for _ in range(n))
    assert found.wrong == []
    assert found.astray == []
    assert found.undecided == []
    assert outcomes["refuted"] == len(found.witnesses) >= wrong // 2
    assert all(w.numpy_lines() for w in found.witnesses)
    assert not any(status in ("refuted", "undecided") for _, status in found.rewritings)


def shorten(monkeypatch: pytest.MonkeyPatch, cell: Cell) -> None:
    """Fewer statements, T up to 8: all mutants of a large cell take long to make."""
    whole = statements(cell, thorough=False)
    most = 12 if len(whole) < 40 else 5
    monkeypatch.setattr(score, "statements", lambda cell: whole[:: -(-len(whole) // most)])
    monkeypatch.setattr(score, "mutants", lambda cell, right: few(mutants(cell, right)))
    monkeypatch.setattr(score, "rewritings", lambda cell, right: few(rewritings(cell, right)))


def few(made: dict[Node, str], most: int = 60) -> dict[Node, str]:
    kept = list(made.items())
    return dict(kept[:: max(1, len(kept) // most)])


# ---- what is made ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kinds() -> Counter[str]:
    found: Counter[str] = Counter()
    for cell in (DRIVEN.scalar(), RNN, GATED.scalar(), GATED):
        for statement in every(1 if cell is not GATED else 3, statements(cell)):
            found.update(mutants(cell, statement.right).values())
    return found


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_is_made(kind: str, kinds: Counter[str]) -> None:
    assert kinds[kind] >= 4


def test_there_are_enough_for_every_cell() -> None:
    for cell in CATALOGUE.values():
        for reading in (cell.scalar(), cell):
            if cell is not LSTM:
                found = statements(reading)
                assert len(score.wrong_formulas(reading, found, score.MUTANTS)) >= 140
                assert len(score.true_formulas(reading, found, score.REWRITINGS)) >= 100


def test_mutants_differ_in_shape_from_nothing() -> None:
    for statement in statements(RNN):
        for made in (mutants(RNN, statement.right), rewritings(RNN, statement.right)):
            assert statement.right not in made
            assert {node.shape for node in made} <= {statement.right.shape}


def test_a_change_is_never_captured_by_a_binder() -> None:
    """A signal at the index k of Σ_k is changed to one at a free k, which stays free."""
    h, k = LINEAR.scalar().states[0], symbol("k")
    inner = sum_over("k", 1, T, h.at(k) * h.at(k))

    def free(node: Node) -> Iterator[tuple[str, Node]]:
        if isinstance(node, Signal):
            yield "free", h.at(k)

    made = [node for _, node in everywhere(inner, free)]
    assert len(made) == 2
    for node in made:
        assert isinstance(node, Fold)
        assert substitute_indices(node, {"k": symbol("z")}) is not node


def test_a_rule_that_is_false_is_noticed() -> None:
    """Reordering a product of matrices is no rule: the score must call its users wrong."""
    statement = next(s for s in statements(RNN) if "dL/dh_k" in s.label or "dh_T/dh_0" in s.label)
    (turned,) = {
        node
        for node, label in mutants(RNN, statement.right).items()
        if label == "⊙ for @, or factors of @ swapped" and "@" in repr(node)
    }
    assert statement.judge(turned).status == "refuted"


# ---- the score can fail ------------------------------------------------------------------


def lenient(status: str) -> Callable[[Statement], Statement]:
    verdict = Verdict(status)  # type: ignore[arg-type]
    return lambda statement: replace(statement, judge=lambda right: verdict)


@pytest.mark.parametrize("status", ["proved", "checked", "undecided"])
def test_a_judge_that_lets_pass_is_caught(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = LINEAR.scalar()
    few_of_them = [lenient(status)(s) for s in statements(cell)[:3]]
    monkeypatch.setattr(score, "statements", lambda cell: few_of_them)
    found = score.score(cell, wrong=10, true=2)
    bad = found.undecided if status == "undecided" else found.wrong
    assert len(bad) >= 6
    title = "Undecided" if status == "undecided" else "Wrong verdicts"
    assert f"{title}:" in score.table([found], [])


def test_a_judge_that_refutes_the_truth_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = LINEAR.scalar()
    statement = statements(cell)[0]
    refuted = statement.judge(statement.right * 2)
    always = replace(statement, judge=lambda right: refuted)
    monkeypatch.setattr(score, "statements", lambda cell: [always])
    assert len(score.score(cell, wrong=1, true=5).wrong) == 5


# ---- the oracle --------------------------------------------------------------------------

SCALAR = Scope((0, 1, 2, 3))


def by_label(cell: Cell, text: str) -> Statement:
    return next(s for s in statements(cell) if text in s.label)


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        (RNN.scalar(), "dh_T/dw_h"),
        (LSTM.scalar(), "dc_T/dc_k |"),
        (LSTM.scalar(), "dc_T/dh_k"),
        (RNN.scalar(), "dL/dh_t"),
        (DRIVEN.scalar(), "elementary form of dh_T/du"),
    ],
)
def test_the_oracle_tells_little_from_nothing(cell: Cell, label: str) -> None:
    statement = next((s for s in statements(cell) if label in s.label), None)
    if statement is None:
        statement = next(s for s in statements(cell) if label.split()[0] in repr(s.left))
    scope = Scope(tuple(range(statement.first, statement.first + 3)))
    right = statement.right
    assert not told_apart(statement.claim(right), scope)
    assert told_apart(statement.claim(right * (1 + Fraction(1, 10**50))), scope)


def test_the_oracle_goes_where_cases_are() -> None:
    statement = by_label(DRIVEN.scalar(), "elementary form of dh_T/dw")
    branch = transform(statement.right, lambda n: n)
    wrong = branch.with_args((branch.args[0], const(0), *branch.args[2:]))
    assert not told_apart(statement.claim(branch), SCALAR)
    assert told_apart(statement.claim(wrong), SCALAR)
    assert statement.judge(wrong).status == "refuted"


def test_a_matrix_is_told_apart() -> None:
    statement = by_label(LINEAR, "dh_T/dh_0")
    scope = Scope((2, 3), ((("n", 2),),), scalar=False)
    assert not told_apart(statement.claim(statement.right), scope)
    assert told_apart(statement.claim(statement.right.T), scope)


# ---- the document ------------------------------------------------------------------------

DOCUMENT = Path(__file__).parent.parent / "docs" / "mutation-score.md"


def test_the_document_has_every_cell_and_no_false_verdict() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    header, rows = None, []
    for line in text.splitlines():
        cells = [part.strip() for part in line.strip("|").split("|")]
        if line.startswith("| cell | reading"):
            header = cells
        elif header is not None and re.match(r"\| [\w-]+ \| (vector|scalar) \|", line):
            rows.append(dict(zip(header, cells, strict=False)))
    assert header is not None
    named = {(row["cell"], row["reading"]) for row in rows}
    assert named == {(c, r) for c in (*CATALOGUE, "gru") for r in ("scalar", "vector")}
    for row in rows:
        assert int(row["refuted"]) >= 100, row
        assert row["refuted"] == row["reproduced"], row
        assert int(row["true"]) >= 100, row
        assert (row["missed"], row["false refuted"]) == ("0", "0"), row


def test_the_command_says_which_cell_it_does_not_know() -> None:
    from symgrad.errors import UsageError

    with pytest.raises(UsageError, match="no cell 'lstn'"):
        score.main(["lstn"])


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert score.main(["linear", "--mutants", "8", "--rewritings", "4"]) == 0
    out = capsys.readouterr().out
    assert "| linear | scalar | 8 |" in out
    assert "symgrad.testing.score linear --mutants 8 --rewritings 4 --out" in out
