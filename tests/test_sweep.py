"""Sweeps: nothing a task does harms another, results survive, and wrong gradients are found."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import mpmath
import pytest

import sweep_runs
from symgrad.errors import UsageError
from symgrad.lang.nodes import Primitive
from symgrad.ops.elementwise import TANH
from symgrad.testing.sweep import Outcome, ResultFile, Task, cell_source, check, grid, sweep
from symgrad.testing.sweep.__main__ import main, read_numbers, read_sizes
from symgrad.testing.sweep.campaign import Results
from symgrad.testing.sweep.children import guarded, processes
from symgrad.testing.sweep.numbers import EXTREMES, Point, compare, number
from symgrad.testing.sweep.pieces import Numerical, Piece, pieces
from symgrad.testing.sweep.results import OPEN, STATUSES
from symgrad.testing.sweep.table import exit_code, table
from symgrad.testing.sweep.tasks import CellSource
from symgrad.verify.verdict import Verdict
from tools import require_module

ROOT = Path(__file__).parent.parent
LINEAR, RNN, LSTM = (cell_source(name) for name in ("linear", "rnn", "lstm"))


def some(folder: Path, *horizons: int) -> list[Task]:
    """Tasks for the functions of ``sweep_runs``; they leave their lines in the folder."""
    folder.mkdir(exist_ok=True)
    return [Task(CellSource("a", "catalogue", str(folder), "0"), T) for T in horizons]


def runs(folder: Path) -> dict[int, int]:
    """How often each T was run to its end."""
    return {
        int(path.name[1:]): len(path.read_text(encoding="utf-8").splitlines())
        for path in folder.glob("T*")
    }


def statuses(results: Results) -> dict[int, str]:
    return {task.T: "not run" if o is None else o.status for task, o in results}


# ---- executors ---------------------------------------------------------------------------


def spawning(workers: int = 1) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, get_context("spawn"))


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    distributed = require_module("distributed")
    import dask.config

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = {"distributed.scheduler.allowed-failures": 0}
        with (
            dask.config.set(settings),
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@pytest.fixture(params=["threads of the sweep", "threads", "processes", "dask"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor | None]:
    if request.param == "threads of the sweep":
        yield None
    elif request.param == "dask":
        yield request.getfixturevalue("dask").get_executor()
    else:
        made = ThreadPoolExecutor(2) if request.param == "threads" else spawning()
        with made:
            yield made


MISBEHAVING = {
    0: "checked",
    1: "timed out",
    2: "died",
    3: "failed",
    4: "died",
    5: "failed",
    6: "checked",
    7: "checked",
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Dask leaves sockets to the collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_a_task_does_is_its_own(executor: Executor | None, tmp_path: Path) -> None:
    # All of them once; starting processes takes long.
    expected = {T: s for T, s in MISBEHAVING.items() if executor is None or T in (1, 2, 3, 6)}
    tasks = some(tmp_path / "ran", *expected)
    results = sweep(
        *(tasks, tmp_path / "out.jsonl"),
        executor=executor, workers=2, run=sweep_runs.misbehave, limit=1.5,
    )  # fmt: skip

    assert statuses(results) == expected
    assert runs(tmp_path / "ran") == {T: 1 for T, s in expected.items() if s == "checked"}
    why = {task.T: " ".join(o.why) for task, o in results if o is not None}
    assert why[1] == "not done after 1.5 s"
    assert why[2] == "its process ended with exit code 7"
    assert why[3].startswith("ValueError: this one is wrong (sweep_runs.py, line ")
    assert why.get(4) in (None, "its process was killed by SIGKILL")
    assert why.get(5) in (None, "it gave a NoneType, no Outcome")
    assert exit_code(results) == 3
    assert processes() == []
    if executor is not None:
        # It is the caller's, and still works.
        assert executor.submit(abs, -3).result() == 3


@pytest.mark.parametrize("given", ["a pool", "a function"])
def test_a_pool_that_breaks_loses_the_task_that_broke_it(given: str, tmp_path: Path) -> None:
    # One after the other the task is last alone, and together it has company.
    horizons = (2, 3, 4) if given == "a pool" else (3, 4)
    tasks = some(tmp_path / "ran", *horizons)
    pool: Executor | Callable[[], Executor] = spawning(2) if given == "a pool" else spawning
    results = sweep(
        tasks, tmp_path / "out.jsonl", executor=pool, run=sweep_runs.kill_the_worker, limit=60
    )

    assert statuses(results) == {T: "lost" if T == 3 else "checked" for T in horizons}
    ((_, outcome),) = [pair for pair in results if pair[0].T == 3]
    assert outcome is not None
    assert "failed again with this task alone: BrokenProcessPool" in outcome.why[0]


def test_a_dead_worker_of_a_cluster_loses_its_task(dask: Any, tmp_path: Path) -> None:
    tasks = some(tmp_path / "ran", *range(6))
    results = sweep(
        tasks, tmp_path / "out.jsonl", executor=dask.get_executor(),
        run=sweep_runs.kill_the_worker, limit=60,
    )  # fmt: skip
    assert statuses(results) == {T: "lost" if T == 3 else "checked" for T in range(6)}
    lost = results[3][1]
    assert lost is not None
    assert "KilledWorker" in lost.why[0]


class Silent(Executor):
    """Takes everything and never answers."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()


class Refusing(Silent):
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise RuntimeError("closed")


class Angry(Silent):
    """Answers by an error of its own."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        found: Future[Any] = Future()
        found.set_exception(ConnectionError("the node is gone"))
        return found


def test_an_executor_without_answers_is_given_up(tmp_path: Path) -> None:
    tasks = some(tmp_path / "ran", 0, 1)
    results = sweep(tasks, tmp_path / "a", executor=Silent(), patience=0.1)
    assert statuses(results) == {0: "lost", 1: "lost"}
    results = sweep(tasks, tmp_path / "b", executor=Angry())
    assert statuses(results) == {0: "lost", 1: "lost"}
    assert results[0][1] is not None
    assert "ConnectionError: the node is gone" in results[0][1].why[0]
    with pytest.raises(UsageError, match="takes no tasks: RuntimeError: closed"):
        sweep(tasks, tmp_path / "c", executor=Refusing())
    results = sweep(tasks, tmp_path / "c", run=sweep_runs.note)
    assert statuses(results) == {0: "checked", 1: "checked"}


def test_pools_that_never_work_end_the_sweep(tmp_path: Path) -> None:
    def broken() -> Executor:
        return ProcessPoolExecutor(1, get_context("spawn"), os._exit, (3,))

    with pytest.raises(UsageError, match="broke one after the other"):
        sweep(some(tmp_path / "ran", *range(12)), tmp_path / "out.jsonl", executor=broken)


def test_a_process_that_is_killed_from_outside(tmp_path: Path) -> None:
    tasks = some(tmp_path / "ran", 0, 1)

    def kill() -> None:
        path = tmp_path / "ran" / "T0"
        while not path.exists() or not path.read_text(encoding="utf-8").endswith("\n"):
            time.sleep(0.02)
        os.kill(int(path.read_text(encoding="utf-8")), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    results = sweep(tasks, tmp_path / "out.jsonl", workers=2, run=sweep_runs.slowly, limit=60)
    killer.join()
    assert statuses(results) == {0: "died", 1: "checked"}


def test_processes_are_used_again(tmp_path: Path) -> None:
    tasks = some(tmp_path / "ran", *range(8))
    sweep(tasks, tmp_path / "out.jsonl", workers=1, run=sweep_runs.note)
    assert len({path.read_text(encoding="utf-8") for path in (tmp_path / "ran").iterdir()}) == 1


def test_what_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be sent"):
        sweep([], tmp_path / "out.jsonl", run=lambda task: sweep_runs.FINE)
    for options in ({"workers": 0}, {"limit": 0.0}):
        with pytest.raises(UsageError, match=next(iter(options))):
            sweep([], tmp_path / "out.jsonl", **options)  # type: ignore[arg-type]


# ---- the result file ---------------------------------------------------------------------


def test_a_sweep_is_continued(tmp_path: Path) -> None:
    tasks, out = some(tmp_path / "ran", *range(4)), tmp_path / "out.jsonl"
    first = sweep(tasks[:3], out, run=sweep_runs.note, workers=1)
    lines = out.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3

    # Killed while the third line was written: it is run again, and what is there is not.
    for cut in (1, 3, len(lines[2]) // 2, len(lines[2]) - 1):
        out.write_bytes(b"".join(lines[:2]) + lines[2][:cut])
        with ResultFile(out) as found:
            assert list(found.outcomes) == [json.loads(line)["key"] for line in lines[:2]]
        assert out.read_bytes() == b"".join(lines[:2])
    results = sweep(tasks, out, run=sweep_runs.note, workers=1)

    again = json.loads(lines[2])["T"]
    assert runs(tmp_path / "ran") == {**dict.fromkeys(range(4), 1), again: 2}
    assert statuses(results) == dict.fromkeys(range(4), "checked")
    assert table(results[:3]) == table(first)
    before = out.read_bytes()
    assert table(sweep(tasks, out, run=sweep_runs.note)) == table(results)
    assert out.read_bytes() == before


def test_what_is_not_decided_is_run_again_when_asked(tmp_path: Path) -> None:
    tasks, out = some(tmp_path / "ran", *range(len(STATUSES))), tmp_path / "out.jsonl"
    with ResultFile(out) as file:
        for task, status in zip(tasks, STATUSES, strict=True):
            file.add(task, Outcome(status))
    assert [o.status for _, o in sweep(tasks, out, run=sweep_runs.note) if o] == list(STATUSES)
    assert runs(tmp_path / "ran") == {}
    results = sweep(tasks, out, run=sweep_runs.note, retry=True)
    kept = {T: s for T, s in enumerate(STATUSES) if s not in OPEN}
    assert statuses(results) == {T: kept.get(T, "checked") for T in range(len(STATUSES))}
    assert set(runs(tmp_path / "ran")) == set(range(len(STATUSES))) - set(kept)
    assert kept == {0: "checked", 1: "tested", 2: "refuted"}


def test_another_version_says_nothing_about_this_one(tmp_path: Path) -> None:
    tasks, out = some(tmp_path / "ran", 0), tmp_path / "out.jsonl"
    sweep(tasks, out, run=sweep_runs.note)
    out.write_text(out.read_text(encoding="utf-8").replace('"symgrad": "', '"symgrad": "0.0.'))
    sweep(tasks, out, run=sweep_runs.note)
    assert runs(tmp_path / "ran") == {0: 2}


@pytest.mark.parametrize(
    "text", ["not json\n", '{"key": "a"}\n', "[1]\n", "my notes", "{}\n" + "x" * 9]
)
def test_a_file_that_is_none_of_a_sweep_stays_as_it_is(text: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="line 1: no result of a sweep"):
        sweep(some(tmp_path / "ran", 0), out, run=sweep_runs.note)
    assert out.read_text(encoding="utf-8") == text
    with pytest.raises(UsageError, match="No such file"):
        sweep([], tmp_path / "nowhere" / "out.jsonl")


def test_two_sweeps_do_not_share_a_file(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="only POSIX locks files")
    out = tmp_path / "out.jsonl"
    with ResultFile(out), pytest.raises(UsageError, match="another sweep"):
        sweep([], out)
    sweep([], out)


def test_a_line_holds_all_of_an_outcome(tmp_path: Path) -> None:
    whole = Outcome("refuted", "+inf", (2, 3), ("a", "δ"), "at T = 1", "print(1)", 0.25)
    (task,) = some(tmp_path / "ran", 1)
    with ResultFile(tmp_path / "out.jsonl") as file:
        file.add(task, whole)
    with ResultFile(tmp_path / "out.jsonl") as file:
        assert file.outcomes == {task.key: whole}


# ---- the table ---------------------------------------------------------------------------


def test_the_table_depends_on_the_results_alone(tmp_path: Path) -> None:
    tasks = some(tmp_path / "ran", 3, 5, *range(6, 12))
    mixed = tasks[:]
    random.Random(1).shuffle(mixed)
    assert mixed != tasks
    found = []
    for order, workers in ((tasks, 1), (mixed, 2)):
        out = tmp_path / f"{workers}.jsonl"
        sweep(order, out, run=sweep_runs.misbehave, workers=workers)
        found.append(table(sweep(tasks, out, run=sweep_runs.misbehave)))
    assert found[0] == found[1]
    assert "6" in found[0].splitlines()[1]


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
    relu = tmp_path / "relu.cell"
    relu.write_text("h_t = relu_0(W x_t + U h_{t-1} + b)\n", encoding="utf-8")
    square = tmp_path / "square.cell"
    square.write_text("h_t = w h_{t-1} ⊙ h_{t-1} + x_t\n", encoding="utf-8")
    for task in grid([cell_source(str(relu))], [3], ["scalar"], range(4)):
        assert check(task).status == "checked"
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


def test_the_command_on_a_cluster(
    dask: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--cells", "linear", "--sizes", "scalar", "n=2", "--T", "0..1"]
    address = dask.cluster.scheduler_address
    assert main([*words, "--out", str(tmp_path / "far"), "--dask", address]) == 0
    far = capsys.readouterr().out
    assert main([*words, "--out", str(tmp_path / "near")]) == 0
    assert capsys.readouterr().out == far


def test_numbers_and_sizes_are_read() -> None:
    assert read_numbers("0..2,5,1", "--T") == [0, 1, 2, 5]
    assert read_sizes("n=3, m=2") == (("m", 2), ("n", 3))
    assert read_sizes("scalar") == "scalar"


def test_an_interrupted_sweep_is_continued(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    words = ["--cells", "linear", "--sizes", "scalar", "--T", "0..99", "--workers", "1"]
    command = [sys.executable, "-m", "symgrad.testing.sweep", *words, "--out", str(out)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not out.exists() or out.read_bytes().count(b"\n") < 1:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    printed, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert printed == ""
    assert told == f"symgrad: interrupted; the same command continues from {out}\n"
    kept = out.read_bytes()
    done = kept.count(b"\n")
    assert 1 <= done < 100
    words[words.index("0..99")] = f"0..{done}"
    assert main([*words, "--out", str(out)]) == 0
    assert out.read_bytes().startswith(kept)
    assert out.read_bytes().count(b"\n") == done + 1
