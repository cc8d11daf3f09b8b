"""The benchmarks run with peers absent, refuse a peer that is wrong, and write their tables.

No test here looks at a time.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
if str(ROOT) not in sys.path:
    # The folder is no installed package: it is found from the repository's root alone.
    sys.path.insert(0, str(ROOT))

from benchmarks import __main__ as command  # noqa: E402  # after the path
from benchmarks import aims, derivation, throughput  # noqa: E402  # after the path
from benchmarks.environment import ONE_THREAD, chosen_core, machine, versions  # noqa: E402  # after the path
from benchmarks.peers import by_hand, with_symgrad  # noqa: E402  # after the path
from benchmarks.problem import (  # noqa: E402  # after the path
    TOLERANCE,
    directional_error,
    relative_error,
    scalar_error,
    scalar_problem,
    vector_error,
    vector_problem,
)
from benchmarks.report import Report, markdown  # noqa: E402  # after the path
from benchmarks.sessions import (  # noqa: E402  # after the path
    Entry,
    Local,
    Missing,
    PeerError,
    Session,
    TooSlow,
    load,
    told,
)
from benchmarks.spread import ratio, spread  # noqa: E402  # after the path

GHOST = Entry("Ghost", "benchmarks.peers.by_hand", "Throughput", ("no_such_package",))
OURS = derivation.ENTRIES[:2]


def local(peers: dict[str, Callable[[], Any]] | None = None) -> Callable[[Entry], Any]:
    """Sessions in this process; ``peers`` by the name of an entry stand in for its module."""

    def open_session(entry: Entry) -> Local:
        made = (peers or {}).get(entry.name)
        return Local(load(entry) if made is None else made())

    return open_session


def reported(**parts: Any) -> str:
    return markdown(Report("2026-01-01", True, machine(), versions(), **parts))


# ---- derivation ----------------------------------------------------------------------------


class WrongDerivation(with_symgrad.Derivation):
    """Off by one part in a million, in one parameter."""

    def gradient(self, program: Any, problem: Any) -> Any:
        found = super().gradient(program, problem)
        found[4] *= 1 + 1e-6
        return found


class Fails:
    """Cannot derive."""

    def derive(self, horizon: int) -> Any:
        raise ArithmeticError("no idea how")


@pytest.fixture(scope="module")
def rows() -> list[derivation.Row]:
    wrong, fails = Entry("Wrong", "", ""), Entry("Fails", "", "")
    return derivation.run(
        local({"Wrong": WrongDerivation, "Fails": Fails}),
        [*OURS, GHOST, wrong, fails],
        (1, 3, 10),
        repetitions=2,
        cold_starts=1,
    )


def test_everybody_that_is_there_is_measured(rows: list[derivation.Row]) -> None:
    assert [row.name for row in derivation.listed(rows)] == [entry.name for entry in OURS]
    for row in derivation.listed(rows):
        assert list(row.points) == [1, 3, 10]
        for point in row.points.values():
            assert len(point.seconds) == 2
            assert point.error is not None
            assert point.error <= TOLERANCE


def test_who_is_missing_is_named(rows: list[derivation.Row]) -> None:
    text = reported(derivation=rows)

    assert "- Ghost: no_such_package is not installed.\n" in text
    assert "| Ghost |" not in text


def test_a_wrong_derivation_is_never_listed(rows: list[derivation.Row]) -> None:
    text = reported(derivation=rows)

    assert re.search(r"- Wrong: not listed, .*relative error 1\.0e-06 at T = 1\)", text)
    assert "| Wrong |" not in text
    (wrong,) = [row for row in rows if row.name == "Wrong"]
    assert not wrong.points
    assert not wrong.cold


def test_who_cannot_is_named(rows: list[derivation.Row]) -> None:
    assert "- Fails: does not run here (ArithmeticError: no idea how)." in reported(derivation=rows)


def test_operations_are_counted_alike() -> None:
    program = with_symgrad.Derivation().derive(1)
    planned = with_symgrad.Planned()
    _, plan = derived = planned.derive(1)
    # And 4 for the loss, which the forward pass has and the gradient program does not.
    assert plan.forward.cost + 4 == derivation.FORWARD_OPERATIONS

    steps = [with_symgrad.Derivation().operations(program, t) for t in (1000, 1001)]
    shared = [planned.operations(derived, t) for t in (1000, 1001)]

    # 25 of the values, 36 or 39 of the adjoints, 12 of the sums.
    assert steps[1] - steps[0] == 76
    assert shared[1] - shared[0] <= 2.6 * derivation.FORWARD_OPERATIONS


def test_a_limit_ends_a_row() -> None:
    class Slow(with_symgrad.Derivation):
        def derive(self, horizon: int) -> Any:
            if horizon > 1:
                raise TooSlow("over 3 s")
            return super().derive(horizon)

    class Patient(Local):
        def ask(self, name: str, *arguments: Any, limit: float | None = None) -> Any:
            # The first start is not what is tried here.
            return super().ask(name, *((1,) if cold.pop() else arguments), limit=limit)

    cold = [False] * 100 + [True]
    rows = derivation.run(
        lambda entry: Patient(Slow()), [Entry("Slow", "", "")], (1, 3, 10),
        repetitions=1, cold_starts=1,
    )  # fmt: skip

    points = rows[0].points
    assert points[1].seconds
    assert points[3].why_not == "over 3 s"
    assert points[10].why_not == "not tried: over 3 s at T = 3"
    assert "| over 3 s | — |" in reported(derivation=rows)


# ---- throughput ----------------------------------------------------------------------------

SCALAR = throughput.Case("scalar", 3, 4)
VECTOR = throughput.Case("vector", 3, 4, 2)
COMPILED = throughput.SCALAR_ENTRIES[0]
BY_HAND = next(e for e in throughput.SCALAR_ENTRIES if e.module.endswith("by_hand"))


class WrongThroughput(by_hand.Throughput):
    """The gradient of the last sample, or of one weight, is that of another problem."""

    def scalar(self, problem: Any) -> tuple[Any, Any]:
        run, _ = super().scalar(problem)
        return run, lambda found: np.concatenate([found[:, :-1], found[:, :1]], axis=1)

    def vector(self, problem: Any) -> tuple[Any, Any]:
        run, read = super().vector(problem)
        return run, lambda found: {**read(found), "U_o": read(found)["U_o"].T}


@pytest.fixture(scope="module")
def rates() -> list[throughput.Row]:
    entries = [COMPILED, BY_HAND, GHOST, Entry("Wrong", "", "")]
    return throughput.run(
        local({"Wrong": WrongThroughput}),
        [SCALAR, VECTOR],
        scalar_entries=entries,
        vector_entries=entries,
        repetitions=2,
    )


@pytest.mark.parametrize("kind", ["scalar", "vector"])
def test_who_computes_the_same_is_listed(kind: Any, rates: list[throughput.Row]) -> None:
    found = throughput.listed(rates, kind)

    assert [row.name for row in found] == [COMPILED.name, BY_HAND.name]
    assert all(len(result.seconds) == 2 for row in found for result in row.results.values())
    wrong = [row for row in rates if row.name == "Wrong"]
    assert all(row.refused.startswith("relative error") for row in wrong)


def test_tables_of_rates(rates: list[throughput.Row]) -> None:
    text = reported(throughput=rates)

    assert text.count(f"| {BY_HAND.name} |") == 4
    assert text.count("- Ghost: no_such_package is not installed.\n") == 2
    assert text.count("- Wrong: not listed") == 2
    assert "| Wrong |" not in text


@pytest.mark.parametrize(
    ("shape", "names"),
    [((1, 1), "scalar"), ((5, 3), "scalar"), ((2, 2049 * 2), "scalar"), ((4, 2, 3), "vector")],
)
def test_the_code_by_hand_is_right(shape: tuple[int, ...], names: str) -> None:
    if names == "scalar":
        p = scalar_problem(*shape)
        found = by_hand.scalar_gradient(p.params, p.x, p.y, p.h_0, p.c_0)
        assert scalar_error(p, found) <= TOLERANCE
        return
    problem = vector_problem(shape[2], *shape[:2])
    gradient = by_hand.vector_gradient(problem)
    assert directional_error(problem, gradient) <= TOLERANCE
    for name, value in gradient.items():
        wrong = {**gradient, name: value * (1 + 1e-6)}
        assert directional_error(problem, wrong) > TOLERANCE
        assert vector_error(wrong, gradient) > TOLERANCE


# ---- comparison ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "expected", "error"),
    [
        ([[1.0, 2.0]], [[1.0, 2.0]], 0.0),
        ([[1.0, 2.0]], [[1.0, 4.0]], 0.5),
        ([[0.0, 0.0]], [[0.0, 0.0]], 0.0),
        # Where the truth vanishes nothing else is near it.
        ([[1e-300, 0.0]], [[0.0, 0.0]], np.inf),
        # A small row is compared with itself, not with a large one.
        ([[1.0], [2e-20]], [[1.0], [1e-20]], 1.0),
        ([[np.nan, 1.0]], [[1.0, 1.0]], np.inf),
        ([[1.0]], [[1.0, 1.0]], np.inf),
    ],
)
def test_relative_errors(found: Any, expected: Any, error: float) -> None:
    assert relative_error(np.array(found), np.array(expected)) == error


def test_a_gradient_that_lacks_a_parameter_is_wrong() -> None:
    gradient = {"W": np.ones(3), "b": np.ones(1)}
    assert vector_error({"W": np.ones(3)}, gradient) == np.inf


def test_ratios_are_taken_within_repetitions() -> None:
    assert spread([3.0, 1.0, 2.0]).as_json() == {"median": 2.0, "low": 1.0, "high": 3.0, "count": 3}
    # A machine that is half as fast in the second repetition changes nothing.
    assert ratio([4.0, 8.0], [2.0, 4.0]).as_json() == {
        "median": 2.0, "low": 2.0, "high": 2.0, "count": 2,
    }  # fmt: skip
    assert ratio([6.0], [2.0, 3.0, 1.0]).median == 3.0


# ---- aims ------------------------------------------------------------------------------------


def row_of(name: str, seconds: float, case: throughput.Case) -> throughput.Row:
    result = throughput.Result(seconds=[seconds, seconds])
    return throughput.Row(name, case.kind, {case: result})


@pytest.mark.parametrize(("theirs", "reached"), [(4.5, True), (3.5, False)])
def test_an_aim_is_reached_or_not(theirs: float, reached: bool) -> None:
    case = throughput.Case("scalar", 10, 1000)
    rows = [row_of("symgrad C", 1.0, case), row_of("JAX jit", theirs, case)]

    found = {aim.text: aim for aim in aims.throughput_aims(rows)}

    aim = next(aim for text, aim in found.items() if "symgrad C" in text)
    assert aim.met is reached
    others = [a for a in found.values() if a is not aim]
    assert all(a.met is None and a.verdict == "not measured" for a in others)


def test_the_worst_case_counts() -> None:
    first, second = throughput.Case("scalar", 10, 1000), throughput.Case("scalar", 100, 1000)
    ours, theirs = row_of("symgrad NumPy", 1.0, first), row_of("NumPy by hand", 1.0, first)
    ours.results[second] = throughput.Result(seconds=[2.0])
    theirs.results[second] = throughput.Result(seconds=[1.0])

    (aim,) = [a for a in aims.throughput_aims([ours, theirs]) if "by hand" in a.text]

    assert aim.measured is not None
    assert aim.measured.median == 0.5
    assert aim.met is False


# ---- processes -------------------------------------------------------------------------------


class Sleeper:
    """Takes too long; before that it tells where it runs."""

    def scalar(self, problem: Any) -> tuple[Any, Any]:
        if problem == "sleep":
            time.sleep(60)
        found = {key: os.environ.get(key) for key in ONE_THREAD}
        return lambda: None, lambda _: (found, sorted(os.sched_getaffinity(0)))


def test_a_peer_has_a_process_of_its_own_on_one_core() -> None:
    core = max(os.sched_getaffinity(0))
    before = dict(os.environ)
    session = Session(Entry("Sleeper", "test_benchmarks", "Sleeper"), core, 60.0)
    try:
        _, (environment, cores) = session.ask("prepare", "scalar", None)
        assert environment == ONE_THREAD
        assert cores == [core]
        assert dict(os.environ) == before
        with pytest.raises(PeerError, match="AttributeError"):
            session.ask("prepare", "vector", None)
        assert session.alive
        with pytest.raises(TooSlow, match="over 0 s"):
            session.ask("prepare", "scalar", "sleep", limit=0.2)
        assert not session.alive
    finally:
        session.close()


def test_errors_name_no_folder_of_this_machine() -> None:
    folder = "/".join(["", "home", "someone", "x"])
    error = told(ImportError(f"no name 'a/b' in m.py ({folder}/m.py) at https://a.org/b\nmore"))
    assert "someone" not in error
    assert error.startswith("ImportError: no name 'a/b' in m.py (")
    assert error.endswith("at https://a.org/b")


def test_the_chosen_core_is_ours() -> None:
    assert chosen_core() in os.sched_getaffinity(0)


def test_a_missing_package_is_told_by_the_process() -> None:
    with pytest.raises(Missing, match="no_such_package is not installed"):
        Session(GHOST, None, 60.0)


# ---- the command -------------------------------------------------------------------------------


def test_the_documents_are_written(
    rows: list[derivation.Row], rates: list[throughput.Row], tmp_path: Path
) -> None:
    found = [*aims.derivation_aims(rows), *aims.throughput_aims(rates)]
    report = Report("2026-01-01", True, machine(), versions(), rows, rates, found)

    command.write(report, tmp_path)

    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    for heading in ("# Benchmarks", "## Aims", "## Derivation", "## Versions"):
        assert f"\n{heading}" in f"\n{text}"
    data = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert [row["peer"] for row in data["derivation"]][:2] == [entry.name for entry in OURS]
    assert data["derivation"][0]["points"]["10"]["median"] > 0
    assert len(data["aims"]) == len(found)
    assert sorted(re.findall(r"\((benchmarks-\w+\.svg)\)", text)) == sorted(report.plots)
    assert all((tmp_path / name).exists() for name in report.plots)


def test_a_wrong_gradient_of_ours_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = Report("2026-01-01", True, machine(), versions(), [derivation.Row("symgrad")])
    wrong = replace(right, derivation=[derivation.Row("symgrad", refused="relative error 1")])
    for report, code in ((right, 0), (wrong, 1)):
        monkeypatch.setattr(command, "measure", lambda report=report, **kwargs: report)
        assert command.main(["--quick", "--out", str(tmp_path)]) == code
    assert "benchmarks: symgrad: relative error 1" in capsys.readouterr().err
