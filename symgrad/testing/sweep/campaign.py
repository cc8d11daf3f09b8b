"""``sweep``: tasks on any executor of ``concurrent.futures``, into a file that can be resumed.

What an executor is trusted with is little. A task runs in a process of its own beside the
worker (``guarded``), so a worker outlives whatever a task does. Workers that end all the same
(a killed node, a broken pool) lose the task they had, at worst, and the rest goes on.
"""

from __future__ import annotations

import os
import pickle
from asyncio import CancelledError as AsyncCancelled
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from symgrad.errors import UsageError
from symgrad.testing.sweep.check import check
from symgrad.testing.sweep.child import described
from symgrad.testing.sweep.children import dismiss_idle, guarded, kill_all
from symgrad.testing.sweep.results import OPEN, Outcome, ResultFile
from symgrad.testing.sweep.tasks import Task

#: Seconds that a task may take, unless told otherwise.
LIMIT = 300.0
#: Tasks handed to an executor ahead of their results, where its workers cannot be counted.
AHEAD = 256
_MOST_SECONDS = 10**7
#: So many pools that break on their first task, one after the other, are no accident.
_MOST_BREAKS = 10

Run = Callable[[Task], Outcome]
Results = list[tuple[Task, Outcome | None]]


def sweep(
    tasks: Iterable[Task],
    path: str | Path,
    *,
    executor: Executor | Callable[[], Executor] | None = None,
    workers: int | None = None,
    run: Run = check,
    limit: float = LIMIT,
    patience: float | None = None,
    retry: bool = False,
    told: Callable[[int, int, Task], None] | None = None,
) -> Results:
    """Run the tasks that the file at ``path`` has no result of; all results, in order of tasks.

    Args:
        executor: any executor, which stays open; or a function that makes one, called again
            when one breaks, and closed here. Default: threads of this process, each with a
            process for its tasks.
        workers: how many threads; default: one for each processor.
        run: what a task is; it must be importable by its name where tasks run.
        limit: seconds after which a task is killed and has ``timed out``.
        patience: seconds without any result after which the executor is given up and what it
            has is ``lost``; default: the limit and two minutes.
        retry: run what is undecided, failed, timed out, died or lost once more.
        told: called with the number done, the number to do, and the task just done.

    Raises:
        UsageError: the file is none of a sweep; a task or ``run`` cannot be sent to another
            process; the executor takes no tasks, or breaks on each.
        KeyboardInterrupt: interrupted; what was done is in the file.
    """
    if not 0 < limit <= _MOST_SECONDS:
        raise UsageError(
            f"limit={limit:g}: the seconds of a task must be positive, and at most {_MOST_SECONDS}"
        )
    asked = list(dict.fromkeys(tasks))
    _check_sendable(run, asked)
    with ResultFile(Path(path)) as results:
        todo = [t for t in asked if _is_open(results.outcomes.get(t.key), retry)]
        campaign = _Campaign(
            results,
            deque(todo),
            _Source(executor, workers),
            run,
            limit,
            limit + 120 if patience is None else patience,
            told or (lambda done, count, task: None),
        )
        campaign.go()
        return [(task, results.outcomes.get(task.key)) for task in asked]


def _is_open(outcome: Outcome | None, retry: bool) -> bool:
    return outcome is None or (retry and outcome.status in OPEN)


def _check_sendable(run: Run, tasks: list[Task]) -> None:
    try:
        pickle.dumps((run, tasks))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(
            f"{run!r} cannot be sent to another process ({error}); tasks and functions are sent "
            "by their names, so declare the function in a module"
        ) from error
    if getattr(run, "__module__", "") == "__main__":
        raise UsageError(
            f"{run!r} is declared in the program itself, which other processes do not import; "
            "move it into a module"
        )


class _Source:
    """Executors: the one given, or as many as it takes."""

    def __init__(
        self, given: Executor | Callable[[], Executor] | None, workers: int | None
    ) -> None:
        if workers is not None and workers < 1:
            raise UsageError(f"workers={workers}: at least one is needed")
        self.own = not isinstance(given, Executor)
        if given is None:
            count = workers or os.cpu_count() or 1
            self.make: Callable[[], Executor] = lambda: ThreadPoolExecutor(count)
        elif isinstance(given, Executor):
            first = given
            self.make = lambda: first
        else:
            self.make = given
        self.current = self.make()

    def ahead(self) -> int:
        """How many tasks to hand over: some more than there are workers."""
        count = getattr(self.current, "_max_workers", None)
        return 2 * count if isinstance(count, int) else AHEAD

    def renew(self) -> None:
        """Another executor for a broken one."""
        broken = self.current
        if self.own:
            broken.shutdown(wait=False, cancel_futures=True)
            self.current = self.make()
        elif isinstance(broken, ProcessPoolExecutor):
            # A pool of the standard library does not recover; one like it takes its place.
            like: Any = broken
            self.current = ProcessPoolExecutor(
                like._max_workers, like._mp_context, like._initializer, like._initargs
            )
            self.own, self.make = (
                True,
                lambda: ProcessPoolExecutor(
                    like._max_workers, like._mp_context, like._initializer, like._initargs
                ),
            )
        else:
            raise UsageError(
                f"{type(broken).__name__} is broken; the results so far are in the file. Pass a "
                "function that makes an executor, and a broken one is replaced"
            )

    def close(self, *, interrupted: bool) -> None:
        """End what was made here."""
        if self.own:
            self.current.shutdown(wait=not interrupted, cancel_futures=True)


@dataclass
class _Campaign:
    """Tasks on their way.

    Attributes:
        waiting: not handed over yet.
        suspects: those that an executor had when it failed: each is run once more, alone, so
            that one it fails with again is known.
    """

    results: ResultFile
    waiting: deque[Task]
    source: _Source
    run: Run
    limit: float
    patience: float
    told: Callable[[int, int, Task], None]
    suspects: deque[Task] = field(default_factory=deque)
    suspected: set[Task] = field(default_factory=set)
    flying: dict[Future[Outcome], Task] = field(default_factory=dict)
    done: int = 0
    breaks: int = 0
    broken: bool = False

    def go(self) -> None:
        """Run all tasks, or as many as the executor lives for."""
        self.count = len(self.waiting)
        interrupted = True
        try:
            while self._hand_over():
                self._collect()
            interrupted = False
        except KeyboardInterrupt:
            self._take_what_is_done()
            raise
        finally:
            for future in self.flying:
                future.cancel()
            if interrupted:
                kill_all()
            self.source.close(interrupted=interrupted)
            dismiss_idle()

    def _hand_over(self) -> bool:
        """Submit what may be submitted now; whether anything is on its way."""
        while self.suspects or self.waiting:
            alone = bool(self.suspects)
            if len(self.flying) >= (1 if alone else self.source.ahead()):
                break
            task = self.suspects.popleft() if alone else self.waiting.popleft()
            try:
                future = self.source.current.submit(
                    guarded, self.run, task, self.limit, uuid4().hex
                )
            except BrokenExecutor:
                # It broke with others on their way, or before it began.
                self.suspects.appendleft(task)
                if not self.flying:
                    self._broke()
                break
            except Exception as error:
                self.waiting.appendleft(task)
                raise UsageError(
                    f"the executor takes no tasks: {described(error)}; what was done is in the file"
                ) from error
            self.flying[future] = task
            if alone:
                break
        return bool(self.flying or self.suspects or self.waiting)

    def _collect(self) -> None:
        """Wait for results and write them down."""
        if not self.flying:
            return
        ready, _ = wait(self.flying, timeout=self.patience, return_when=FIRST_COMPLETED)
        if not ready:
            self._give_up()
        alone = len(self.flying) == 1
        broken = False
        for future in ready:
            task = self.flying.pop(future)
            try:
                outcome = future.result()
            except (Exception, AsyncCancelled) as error:
                # Guarded tasks raise nothing: this is the executor's word, and it may blame
                # whatever a worker had besides the task that ended it.
                broken = broken or isinstance(error, BrokenExecutor)
                if alone and task in self.suspected:
                    words = f"the executor failed again with this task alone: {described(error)}"
                    self._record(task, Outcome("lost", why=(words,)))
                else:
                    self.suspects.append(task)
                    self.suspected.add(task)
            else:
                self.breaks = 0
                self._record(task, outcome)
        self.broken = self.broken or broken
        if self.broken and not self.flying:
            self._broke()

    def _broke(self) -> None:
        self.broken = False
        self.breaks += 1
        if self.breaks > _MOST_BREAKS:
            raise UsageError(
                f"{self.breaks} executors broke one after the other without one result; what was "
                "done is in the file"
            )
        self.source.renew()

    def _give_up(self) -> None:
        """Nothing comes back any more."""
        for future, task in self.flying.items():
            future.cancel()
            words = f"the executor gave no result of any task for {self.patience:g} s"
            self._record(task, Outcome("lost", why=(words,)))
        self.flying.clear()
        self.waiting.clear()
        self.suspects.clear()

    def _take_what_is_done(self) -> None:
        for future, task in list(self.flying.items()):
            if future.done() and not future.cancelled():
                with suppress(Exception):
                    self._record(task, future.result())

    def _record(self, task: Task, outcome: Outcome) -> None:
        self.results.add(task, outcome)
        self.done += 1
        self.told(self.done, self.count, task)


__all__ = ["LIMIT", "Results", "sweep"]
