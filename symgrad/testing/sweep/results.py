"""Outcomes of tasks, and the file that keeps them: one JSON object a line, only appended.

A line is written by one call, so a sweep that is killed leaves at most a part of its last
line. That part is removed when the file is opened again, and its task is run again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from symgrad import __version__
from symgrad.errors import UsageError
from symgrad.testing.sweep.tasks import Task

Status = Literal["checked", "tested", "refuted", "undecided", "failed", "timed out", "died", "lost"]
STATUSES: tuple[Status, ...] = get_args(Status)
HOLDS: tuple[Status, ...] = ("checked", "tested")
#: What another run may decide.
OPEN: tuple[Status, ...] = ("undecided", "failed", "timed out", "died", "lost")


@dataclass(frozen=True)
class Outcome:
    """What came out of one task.

    Attributes:
        status: ``checked``: exactly, with an error bound, and numerically; ``tested``:
            numerically only; ``refuted``; ``undecided``; ``failed``: the check raised an
            error; ``timed out``; ``died``: its process ended; ``lost``: the executor never
            answered.
        error: the largest relative error of the numerical comparisons, such as ``3.1e-41``.
        compared: the number of exact and of numerical comparisons.
        why: reasons, where it is not ``checked``.
        witness: where the two sides differ.
        numpy: a NumPy program that prints both sides, where there is one.
        seconds: how long it took; never shown in a table.
    """

    status: Status
    error: str = ""
    compared: tuple[int, int] = (0, 0)
    why: tuple[str, ...] = ()
    witness: str = ""
    numpy: str = ""
    seconds: float = 0.0


@dataclass
class ResultFile:
    """The results of a sweep by the key of the task; the last line about a task counts.

    Use it as a context manager: it locks the file, where the system can, against a second
    sweep that would write to it.

    Raises:
        UsageError: the file is no result file, cannot be opened, or another sweep has it.
    """

    path: Path
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    _descriptor: int = -1

    def __enter__(self) -> ResultFile:
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}") from error
        try:
            _lock(self._descriptor, self.path)
            self._read()
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def _read(self) -> None:
        data = self.path.read_bytes()
        whole, _, rest = data.rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        for number, line in enumerate(lines, start=1):
            self._take(line, number)
        if rest:
            # A line that was being written when the sweep was killed.
            if not rest.startswith(b'{"key"'[: len(rest)]):
                raise UsageError(f"{self.path}, line {len(lines) + 1}: no result of a sweep")
            os.ftruncate(self._descriptor, len(data) - len(rest))

    def _take(self, line: bytes, number: int) -> None:
        try:
            record = json.loads(line)
            key, version = record["key"], record["symgrad"]
            outcome = _outcome(record)
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self.path}, line {number}: no result of a sweep; remove the line, or give "
                "another file"
            ) from error
        # What another version found says nothing about this one.
        if version == __version__:
            self.outcomes[key] = outcome

    def add(self, task: Task, outcome: Outcome) -> None:
        """Append one line."""
        record: dict[str, Any] = {
            "key": task.key,
            "symgrad": __version__,
            "cell": task.cell.name,
            "quantity": task.quantity,
            "objective": task.objective,
            "T": task.T,
            "sizes": dict(task.sizes),
            "seed": task.seed,
            **({"statement": task.statement} if task.statement else {}),
            **asdict(outcome),
        }
        line = json.dumps(record, ensure_ascii=False) + "\n"
        try:
            _write(self._descriptor, line.encode())
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}") from error
        self.outcomes[task.key] = outcome


def _outcome(record: Mapping[str, Any]) -> Outcome:
    if record["status"] not in STATUSES:
        raise ValueError(record["status"])
    exact, numerical = record["compared"]
    return Outcome(
        record["status"],
        str(record["error"]),
        (int(exact), int(numerical)),
        tuple(str(reason) for reason in record["why"]),
        str(record["witness"]),
        str(record["numpy"]),
        float(record["seconds"]),
    )


def _write(descriptor: int, data: bytes) -> None:
    """All of it; in one piece unless the disk is full."""
    while data:
        data = data[os.write(descriptor, data) :]


def _lock(descriptor: int, path: Path) -> None:
    try:
        import fcntl
    except ModuleNotFoundError:
        return  # Windows: nothing keeps a second sweep away
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(f"{path}: another sweep is writing to it") from error
    except OSError:
        return  # a file system without locks


__all__ = ["HOLDS", "OPEN", "STATUSES", "Outcome", "ResultFile", "Status"]
