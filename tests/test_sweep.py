"""Sweeps: right gradients hold, wrong ones are refuted, and the command says so."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import pytest

from symgrad.errors import UsageError
from symgrad.lang.nodes import Primitive
from symgrad.ops.elementwise import TANH
from symgrad.testing.sweep import Outcome, ResultFile, Task, cell_source, check, grid
from symgrad.testing.sweep.__main__ import main, read_numbers, read_sizes
from symgrad.testing.sweep.children import guarded
from symgrad.testing.sweep.numbers import EXTREMES, Point, compare, number
from symgrad.testing.sweep.pieces import Numerical, Piece, pieces
from symgrad.testing.sweep.table import exit_code, table
from symgrad.testing.sweep.tasks import CellSource
from symgrad.verify.verdict import Verdict
from tools import require_module

ROOT = Path(__file__).parent.parent
LINEAR, RNN, LSTM = (cell_source(name) for name in ("linear", "rnn", "lstm"))


# ---- the table ---------------------------------------------------------------------------


def test_the_table_tells_all() -> None:
    source = CellSource("a", "catalogue", "a", "0")
    outcomes = [
        Outcome("checked", "1.0e-20", (4, 5), seconds=3.0),
        Outcome("refuted", "+inf", (1, 2), ("no",), "at T = 1: left side 1, right side 2"),
        Outcome("timed out", why=("not done after 9 s",)),
        None,
    ]
    results = [(Task(source, T), outcome) for T, outcome in enumerate(outcomes)]
    assert table(results) == (
        "cell  sizes   objective  tasks  checked  refuted  timed out  not run  exact  numerical"
        "  largest relative error\n"
        "a     scalar  loss           4        1        1          1        1      5          7"
        "                    +inf\n"
        "\n"
        "refuted: a#0 all loss T=1 scalar seed=0: at T = 1: left side 1, right side 2\n"
        "timed out: a#0 all loss T=2 scalar seed=0: not done after 9 s\n"
    )
    assert [exit_code(results[:1]), exit_code(results), exit_code(results[2:])] == [0, 1, 3]
    assert exit_code([(results[3][0], None)]) == 3


# ---- what a task checks ------------------------------------------------------------------

SMALL = (("m", 1), ("n", 2), ("q", 1))


@pytest.mark.parametrize(
    ("name", "objective", "place"),
    [
        ("linear", "loss", SMALL),
        ("linear", "final", "scalar"),
        ("linear-input", "summed", "scalar"),
        ("rnn", "squared", "scalar"),
        ("rnn", "final", SMALL),
        ("rnn", "loss", SMALL),
    ],
)
def test_right_gradients_are_checked(name: str, objective: Any, place: Any) -> None:
    for task in grid([cell_source(name)], [0, 2], [place], (3,), objectives=(objective,)):
        found = check(task)
        assert found.status == "checked", found
        assert found.why == ()
        assert min(found.compared) >= 4
        assert mpmath.mpf(found.error) < 1e-9


def test_one_quantity_alone() -> None:
    alone = grid([LSTM], [2], ["scalar"], quantities=("u_f", "c", "x"))
    labels = [[piece.label for piece in pieces(t, t.read_cell())] for t in alone]
    assert [found[0] for found in labels] == ["dL/du_f", "dL/dc_0", "dL/dx_t"]
    assert "expanded form of dh_T/du_f" in labels[0]
    assert not any("u_i" in label for found in labels for label in found)
    found = check(alone[0])
    assert found.status == "checked"
    assert check(alone[0]) == found


@pytest.fixture
def wrong_tanh() -> Iterator[None]:
    """tanh' is wrong by 1e-9 of it."""
    slope = TANH.partials
    assert slope is not None
    set_slope(TANH, lambda ans, x: (slope(ans, x)[0] * (1 + Fraction(1, 10**9)),))
    yield
    set_slope(TANH, slope)


def set_slope(primitive: Primitive, slope: Any) -> None:
    object.__setattr__(primitive, "partials", slope)


def test_a_wrong_entry_of_the_table_is_refuted(wrong_tanh: None) -> None:
    (task,) = grid([RNN], [1], ["scalar"], quantities=("w_x",))
    found = check(task)
    assert found.status == "refuted"
    assert found.witness.startswith("dL/dw_x at T = 1")
    # The witness is a program that anybody can run; the complex step gives its left side.
    printed = subprocess.run(
        [sys.executable, "-c", found.numpy], capture_output=True, text=True, check=True
    ).stdout
    left, right = (float(line.split()[1]) for line in printed.splitlines())
    assert abs(abs(right / left - 1) / 1e-9 - 1) < 1e-3
    (task,) = grid([RNN], [2], [(("m", 1), ("n", 2), ("q", 1))], quantities=("W_h",))
    assert check(task).status == "refuted"


def test_numbers_alone_refute_a_wrong_entry(
    wrong_tanh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = Verdict("checked")
    monkeypatch.setattr(
        sys.modules["symgrad.testing.sweep.check"], "exactly", lambda claim, scope: blind
    )
    (task,) = grid([RNN], [2], ["scalar"], quantities=("w_x",))
    found = check(task)
    assert found.status == "refuted"
    assert "at ordinary numbers of seed 0" in found.witness
    assert abs(mpmath.mpf(found.error) / 1e-9 - 1.5) < 1


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("dh_T/dw = T w^{T-1} h_0", "checked"),
        ("dh_T/dw = T w^T h_0", "refuted"),
        ("dh_T/dw = (T + 1/1000000000) w^{T-1} h_0", "refuted"),
        ("h_T = w^T h_0", "checked"),
        ("dh_T/dh_0 = w^T", "checked"),
        ("dh_T/dh_0 = w^{T-1}", "refuted"),
    ],
)
def test_a_claim_is_judged(statement: str, status: str) -> None:
    (task,) = grid([LINEAR], [3], ["scalar"], objectives=("final",), statement=statement)
    found = check(task)
    assert found.status == status, found
    assert ("left side" in found.witness) == (status == "refuted")
    assert statement in task.key


def test_a_claim_about_other_times_is_refused() -> None:
    (task,) = grid([LINEAR], [3], ["scalar"], statement="dh_T/dh_k = w^{T-k}")
    with pytest.raises(UsageError, match="no other time"):
        check(task)


def test_kinks_and_high_degrees(tmp_path: Path) -> None:
    """A difference over a kink, or a polynomial of degree 2^T, decides nothing wrongly."""
    met = False
    relu = tmp_path / "relu.cell"
    relu.write_text("h_t = relu_0(W x_t + U h_{t-1} + b)\n", encoding="utf-8")
    square = tmp_path / "square.cell"
    square.write_text("h_t = w h_{t-1} ⊙ h_{t-1} + x_t\n", encoding="utf-8")
    for task in grid([cell_source(str(relu))], [3], ["scalar"], range(4)):
        assert check(task).status == "checked"
    # Zeros are among the numbers of this seed: the derivative there is what is declared.
    relu.write_text("h_t = relu_1(W x_t) + h_{t-1}\n", encoding="utf-8")
    for task in grid([cell_source(str(relu))], [2], ["scalar"], range(3, 60, 4)):
        found = check(task)
        assert found.status == "checked", found
        met = met or "exactly at its kink" in " ".join(found.why)
    assert met
    (task,) = grid([cell_source(str(square))], [70], ["scalar"], quantities=("w",))
    assert check(replace(task, T=9)).status == "checked"
    found = check(task)
    assert found.status == "tested"
    assert "the degree is too high" in found.why[0]


# ---- the oracles -------------------------------------------------------------------------


def some_piece(name: str, T: int) -> tuple[Piece, Numerical]:
    (task, *_) = grid([cell_source(name)], [T], ["scalar"])
    piece = next(iter(pieces(task, task.read_cell())))
    assert piece.numerical is not None
    return piece, piece.numerical


@pytest.mark.parametrize("regime", ["ordinary", *EXTREMES])
def test_the_oracles_tell_little_from_nothing(regime: str) -> None:
    _, how = some_piece("rnn", 2)
    point = Point(5, regime, {}, True, 2)
    assert compare(how, point).status == "agrees"
    along = how.along

    def off(trace: Any, algebra: Any, direction: Any) -> Any:
        return along(trace, algebra, direction) * (1 + algebra.context.mpf(10) ** -17)

    found = compare(replace(how, along=off), Point(5, regime, {}, True, 2))
    assert found.status == "differs"
    assert abs(found.errors["tangents"] * 10**17 - 1) < 1e-3

    def none(trace: Any, algebra: Any, direction: Any) -> Any:
        return along(trace, algebra, direction) * 0

    # A 0 that rounding may have made refutes nothing; any other does.
    found = compare(replace(how, along=none), Point(5, regime, {}, True, 2))
    assert found.status in ("differs", "unresolved")
    assert found.status == "differs" or regime == "mixed"


def test_oracles_that_disagree_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = sys.modules["symgrad.testing.sweep.numbers"]
    _, how = some_piece("rnn", 1)
    for oracle in ("_tangent", "_complex"):
        right = getattr(numbers, oracle)
        with monkeypatch.context() as patch:
            patch.setattr(numbers, oracle, lambda *a, right=right: [2 * v for v in right(*a)])
            assert compare(how, Point(0, "ordinary", {}, True, 1)).status == "undecided"
    right = numbers._difference

    def twice(*given: Any) -> Any:
        found = right(*given)
        return replace(found, value=2 * found.value)

    monkeypatch.setattr(numbers, "_difference", twice)
    assert compare(how, Point(0, "ordinary", {}, True, 1)).status == "undecided"
    assert compare(how, Point(0, "ordinary", {}, True, 1), differences=False).status == "agrees"


def test_extreme_numbers_are_drawn() -> None:
    labels = [f"W[{i},{j}]" for i in range(12) for j in range(12)]
    drawn = {r: [abs(number(1, r, label)) for label in labels] for r in ("ordinary", *EXTREMES)}
    assert max(drawn["ordinary"]) <= 2
    assert sum(v >= 20 for v in drawn["saturating"]) > 20
    assert min(drawn["tiny"]) < Fraction(1, 10**250)
    assert max(drawn["huge"]) >= 400
    assert 0 in drawn["mixed"]
    assert max(drawn["mixed"]) == 300
    assert number(1, "ordinary", "w") != number(2, "ordinary", "w")


# ---- the grid ----------------------------------------------------------------------------


def test_the_grid() -> None:
    found = grid([LINEAR, RNN], [0, 1], seeds=(0, 1))
    assert len(found) == 24
    assert [t.place for t in found[:12:4]] == ["scalar", "n=2", "n=3"]
    assert found[-1].key == f"rnn#{RNN.digest} all loss T=1 m=3,n=2,q=4 seed=1"
    assert len({t.key for t in found}) == 24
    # The output y has no value at time 0, and sizes that a cell does not have are left out.
    assert [t.T for t in grid([RNN], [0, 1], ["scalar"], objectives=("final",))] == [1]
    place = (("m", 9), ("n", 4))
    assert [t.place for t in grid([LINEAR], [1], [place, place])] == ["n=4"]
    with pytest.raises(UsageError, match=r"no value of q: give all, such as m=9,n=4,q=2"):
        grid([RNN], [1], [place])
    with pytest.raises(UsageError, match="declares no 'W_z'"):
        grid([RNN], [1], quantities=("W_z",))


def test_cells_travel_as_data(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "leaky.cell").read_text(encoding="utf-8")
    path = tmp_path / "leaky.cell"
    path.write_text(text, encoding="utf-8")
    module = tmp_path / "mine.py"
    module.write_text(
        "import symgrad as sg\nh, w = sg.signal('h'), sg.param('w')\n"
        "MINE = sg.Cell('mine', [(h, w * h.prev)])\n",
        encoding="utf-8",
    )
    sources = [cell_source(str(path)), cell_source(f"{module}:MINE")]
    path.unlink()
    tasks = grid([sources[0]], [1], ["scalar"], quantities=("alpha",))
    tasks += grid([sources[1]], [1])
    assert [o.status for t in tasks if (o := guarded(check, t, 60.0))] == ["checked", "checked"]
    # A result is never taken for that of a cell with other equations.
    module.write_text(module.read_text(encoding="utf-8").replace("w * h", "2 * w * h"))
    changed = guarded(check, replace(tasks[1], seed=9), 60.0)
    other = CellSource(sources[1].name, "python", sources[1].body, "0" * 8)
    assert other.digest != cell_source(f"{module}:MINE").digest != sources[1].digest
    assert guarded(check, replace(tasks[1], cell=other), 60.0).status == "failed"
    assert changed.status == "checked"  # loaded before the change, in the same process


# ---- the command -------------------------------------------------------------------------


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.jsonl"
    words = ["--cells", "linear", "--sizes", "scalar", "--out", str(out), "--workers", "1"]
    assert main([*words, "--T", "0..1", "--seeds", "2"]) == 0
    first = capsys.readouterr()
    assert first.err == ""
    assert first.out.splitlines()[1].split()[:5] == ["linear", "scalar", "loss", "4", "4"]
    assert len(out.read_text(encoding="utf-8").splitlines()) == 4
    assert main([*words, "--T", "0..1", "--seeds", "2"]) == 0
    assert capsys.readouterr().out == first.out
    assert main([*words, "--T", "2", "--statement", "dh_T/dw = w h_0"]) == 1
    assert "refuted: linear#" in capsys.readouterr().out
    assert main([*words, "--T", "2", "--statement", "dh_T/dh_k = 1"]) == 3
    assert "failed: linear#" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cells", "lstn"], "did you mean 'lstm'"),
        (["--T", "3..1"], "is no range"),
        (["--T", "x"], "write numbers as"),
        (["--sizes", "n:3"], "write scalar, or values"),
        (["--sizes", "n=0"], "write scalar, or values"),
        (["--seeds", "0"], "nothing to do"),
        (["--objectives", "lost"], "use loss, squared"),
        (["--quantities", "W_q"], "declares no 'W_q'"),
        (["--limit", "-1"], "must be positive"),
        (["--limit", "nan"], "must be positive"),
        (["--dask", "tcp://127.0.0.1:1"], "no scheduler answers"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_bad_usage(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if "--dask" in words:
        distributed = require_module("distributed")
        monkeypatch.setattr(distributed, "Client", unreachable)
    assert main(["--cells", "linear", "--out", str(tmp_path / "out"), *words]) == 2
    assert message in capsys.readouterr().err


def unreachable(address: str, timeout: float) -> None:
    raise OSError(f"timed out trying to connect to {address}")


def test_dask_is_an_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["--cells", "linear", "--out", str(tmp_path / "o"), "--dask", "a"]) == 2
    assert "pip install 'symgrad[dask]'" in capsys.readouterr().err


def test_numbers_and_sizes_are_read() -> None:
    assert read_numbers("0..2,5,1", "--T") == [0, 1, 2, 5]
    assert read_sizes("n=3, m=2") == (("m", 2), ("n", 3))
    assert read_sizes("scalar") == "scalar"


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_sweep_that_ended_early_is_continued(how: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    words = ["--cells", "linear", "--sizes", "scalar", "--T", "0..99", "--workers", "1"]
    command = [sys.executable, "-m", "symgrad.testing.sweep", *words, "--out", str(out)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # Results are in the file while the sweep runs, not only at its end.
    while not out.exists() or out.read_bytes().count(b"\n") < 1:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(how)
    printed, told = process.communicate(timeout=30)
    assert printed == ""
    if how == signal.SIGINT:
        assert process.returncode == 130, told
        assert told == f"symgrad: interrupted; the same command continues from {out}\n"
    else:
        assert process.returncode == -signal.SIGKILL
    kept = out.read_bytes().rpartition(b"\n")[0] + b"\n"
    done = kept.count(b"\n")
    assert 1 <= done < 100
    words[words.index("0..99")] = f"0..{done}"
    assert main([*words, "--out", str(out)]) == 0
    assert out.read_bytes().startswith(kept)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["T"] for line in lines] == list(range(done + 1))
    assert {line["status"] for line in lines} == {"checked"}


def test_the_fields_of_a_line_are_documented(tmp_path: Path) -> None:
    (task,) = grid([LINEAR], [1], ["scalar"], statement="h_T = w^T h_0")
    with ResultFile(tmp_path / "out.jsonl") as file:
        file.add(task, Outcome("checked"))
    (line,) = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    page = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    table_of_fields = page.partition("| field | holds |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table_of_fields, re.MULTILINE) == list(json.loads(line))
