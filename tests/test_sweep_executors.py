"""Sweeps on executors: nothing a task does harms another, and results survive."""

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
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import sweep_runs
from symgrad.errors import UsageError
from symgrad.testing.sweep import Outcome, ResultFile, Task, sweep
from symgrad.testing.sweep.__main__ import main
from symgrad.testing.sweep.campaign import Results
from symgrad.testing.sweep.children import guarded, processes
from symgrad.testing.sweep.results import OPEN, STATUSES
from symgrad.testing.sweep.table import exit_code, table
from symgrad.testing.sweep.tasks import CellSource
from tools import require_module

ROOT = Path(__file__).parent.parent


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


def spawning() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"))


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
                n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
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
        made = ThreadPoolExecutor(1) if request.param == "threads" else spawning()
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
    kept = (1, 6) if isinstance(executor, ThreadPoolExecutor) else (2, 6)
    expected = {T: s for T, s in MISBEHAVING.items() if executor is None or T in kept}
    tasks = some(tmp_path / "ran", *expected)
    results = sweep(
        *(tasks, tmp_path / "out.jsonl"),
        executor=executor, workers=2, run=sweep_runs.misbehave, limit=1.5,
    )  # fmt: skip

    assert statuses(results) == expected
    assert runs(tmp_path / "ran") == {T: 1 for T, s in expected.items() if s == "checked"}
    why = {task.T: " ".join(o.why) for task, o in results if o is not None}
    assert why.get(1) in (None, "not done after 1.5 s")
    assert why.get(2) in (None, "its process ended with exit code 7")
    if executor is None:
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
    # Two tasks are on their way when the pool breaks, or one.
    horizons = (3, 4) if given == "a pool" else (3,)
    tasks = some(tmp_path / "ran", *horizons)
    pool: Executor | Callable[[], Executor] = spawning() if given == "a pool" else spawning
    results = sweep(
        tasks, tmp_path / "out.jsonl", executor=pool, run=sweep_runs.kill_the_worker, limit=60
    )

    assert statuses(results) == {T: "lost" if T == 3 else "checked" for T in horizons}
    ((_, outcome),) = [pair for pair in results if pair[0].T == 3]
    assert outcome is not None
    assert "failed again with this task alone: BrokenProcessPool" in outcome.why[0]


def test_a_dead_worker_of_a_cluster_loses_its_task(dask: Any, tmp_path: Path) -> None:
    tasks = some(tmp_path / "ran", *range(4))
    results = sweep(
        tasks, tmp_path / "out.jsonl", executor=dask.get_executor(),
        run=sweep_runs.kill_the_worker, limit=60,
    )  # fmt: skip
    assert statuses(results) == {T: "lost" if T == 3 else "checked" for T in range(4)}
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


class Blaming(Executor):
    """Fails with all that it has, once; then it works."""

    def __init__(self) -> None:
        self.pending: list[Future[Any]] = []
        self.tickets: list[str] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.tickets.append(args[3])
        found: Future[Any] = Future()
        if len(self.tickets) > 3:
            assert all(future.done() for future in self.pending)
            found.set_result(fn(*args))
        self.pending.append(found)
        if len(self.tickets) == 3:
            for future in self.pending:
                future.set_exception(ConnectionError("the node is gone"))
        return found


def test_those_that_were_there_when_an_executor_failed_are_run_again(tmp_path: Path) -> None:
    tasks, executor = some(tmp_path / "ran", 0, 1, 6), Blaming()
    results = sweep(tasks, tmp_path / "a", executor=executor, run=sweep_runs.misbehave, limit=1.5)
    assert statuses(results) == {0: "checked", 1: "timed out", 6: "checked"}
    # Dask would answer an equal call with what it has.
    assert len(set(executor.tickets)) == len(executor.tickets) == 6


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


def started(folder: Path, call: str) -> tuple[subprocess.Popen[str], int]:
    """A program that has begun a task that never ends, and the process of the task."""
    (folder / "ran").mkdir()
    program = (
        "import sweep_runs\n"
        "from symgrad.testing.sweep.campaign import guarded, sweep\n"
        "from symgrad.testing.sweep.tasks import CellSource, Task\n"
        f"task = Task(CellSource('a', 'catalogue', {str(folder / 'ran')!r}, '0'), 0)\n"
        f"{call}\n"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    noted = folder / "ran" / "T0"
    while not noted.exists() or not noted.read_text(encoding="utf-8").endswith("\n"):
        assert process.poll() is None
        time.sleep(0.02)
    return process, int(noted.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_sweep_leaves_no_process(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    call = f"sweep([task], {str(out)!r}, run=sweep_runs.slowly, limit=10**6)"
    process, child = started(tmp_path, call)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert told.rstrip().endswith("KeyboardInterrupt")
    assert not is_running(child)
    assert out.read_bytes() == b""


def test_a_process_ends_with_its_sweep(tmp_path: Path) -> None:
    """Nothing goes on computing for nobody, even if the sweep is killed."""
    process, child = started(tmp_path, "guarded(sweep_runs.slowly, task, 10**6)")
    process.kill()
    process.communicate(timeout=20)
    waited = time.monotonic()
    while is_running(child):
        assert time.monotonic() - waited < 20
        time.sleep(0.02)


def is_running(process: int) -> bool:
    """Whether a process lives; one that only waits to be collected does not."""
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return Path("/proc/self").exists() is False
    return state.rpartition(")")[2].split()[0] != "Z"


def test_the_limit_ends_a_task_and_what_it_started(tmp_path: Path) -> None:
    (task,) = some(tmp_path / "ran", 0)
    assert guarded(sweep_runs.note, task, 60).status == "checked"  # a process is ready now
    begun = time.monotonic()
    found = guarded(sweep_runs.with_a_child, task, 2.0)
    assert found.status == "timed out"
    # A limit that is longer than it says would be seen; a busy machine takes some seconds.
    assert 2 <= time.monotonic() - begun < 20
    child = int((tmp_path / "ran" / "child").read_text(encoding="utf-8"))
    while is_running(child):
        assert time.monotonic() - begun < 20
        time.sleep(0.02)


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


def test_the_command_on_a_cluster(
    dask: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--cells", "linear", "--sizes", "scalar", "--T", "0..1"]
    address = dask.cluster.scheduler_address
    assert main([*words, "--out", str(tmp_path / "far"), "--dask", address]) == 0
    far = capsys.readouterr().out
    assert main([*words, "--out", str(tmp_path / "near")]) == 0
    assert capsys.readouterr().out == far
