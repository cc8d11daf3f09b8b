"""A task in a process of its own that can be killed: what makes a sweep safe anywhere.

``guarded`` runs in a worker of any executor, be it a thread here, a process of a pool, or a
node of a cluster. It keeps processes beside it, gives one of them the task, and kills it at
the time limit. So a task that hangs, exits or is killed ends its own process and no worker.
Processes are started anew (never forked), so threads of the caller do not matter; each is
used again for the next task.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from symgrad.testing.sweep.child import receive, send
from symgrad.testing.sweep.results import Outcome
from symgrad.testing.sweep.tasks import Task

#: The paths come first: what a task needs is imported as it is here.
_START = (
    "import sys, pickle; "
    "sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from symgrad.testing.sweep.child import serve; "
    "serve()"
)
#: Seconds that a process may take until it is ready: imports on a busy machine.
_MOST_TO_START = 180.0

_idle: list[Child] = []
_all: set[Child] = set()
_lock = threading.Lock()
#: Counts the calls of ``kill_all``: what was begun before one of them must not go on.
_ended = 0


def _forget() -> None:
    """A forked worker of a pool has none of these processes: they are its parent's."""
    global _lock
    _idle.clear()
    _all.clear()
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class Died(Exception):
    """The process ended; the message says how."""


class Child:
    """One process, ready for a task, unless all were killed since ``ended``."""

    def __init__(self, ended: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # In a session of its own Ctrl-C is ours to handle, and killing ends its children.
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.answers: queue.Queue[tuple[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()
        with _lock:
            _all.add(self)
            late = ended != _ended
        if late:
            self.kill()
            raise Died("all processes were ended")
        try:
            pickle.dump(sys.path, self.process.stdin)
            self.process.stdin.flush()
        except OSError as error:
            raise Died(self._how()) from error
        self.answer(_MOST_TO_START)

    def _read(self, stream: Any) -> None:
        with stream:
            while (data := receive(stream)) is not None:
                self.answers.put(pickle.loads(data))
        self.answers.put(None)

    def give(self, function: Callable[[Task], Any], task: Task) -> None:
        """Send a task, and wait until it is begun."""
        assert self.process.stdin is not None
        try:
            send(self.process.stdin, (function, task))
        except OSError as error:
            raise Died(self._how()) from error
        self.answer(_MOST_TO_START)

    def answer(self, seconds: float) -> tuple[str, Any]:
        """The next answer.

        Raises:
            Died: the process ended.
            queue.Empty: none has come in this time.
        """
        found = self.answers.get(timeout=seconds)
        if found is None:
            raise Died(self._how())
        return found

    def _how(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        code = self.process.poll()
        if code is not None and code < 0:
            with suppress(ValueError):
                return f"its process was killed by {signal.Signals(-code).name}"
        return f"its process ended with exit code {code}"

    def kill(self) -> None:
        """End the process, and what it started, at once."""
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        self.process.wait()
        self._close()

    def dismiss(self) -> None:
        """Let the process end by itself: it has no task."""
        self._close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def _close(self) -> None:
        with _lock:
            _all.discard(self)
        with suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()


def guarded(
    function: Callable[[Task], Outcome], task: Task, limit: float, ticket: str = ""
) -> Outcome:
    """The outcome of a task, run by a process of its own for at most ``limit`` seconds.

    Never raises because of the task. ``function`` must be importable by its name. ``ticket``
    makes two calls with the same task differ: Dask answers an equal call from memory.
    """
    begun = time.monotonic()
    ended = _ended
    child: Child | None = None
    try:
        child = _with(function, task, ended)
        begun = time.monotonic()
        kind, value = child.answer(limit)
    except queue.Empty:
        assert child is not None
        child.kill()
        return Outcome("timed out", why=(f"not done after {limit:g} s",), seconds=limit)
    except Died as error:
        if child is not None:
            child.kill()
        return Outcome("died", why=(str(error),), seconds=_since(begun))
    with _lock:
        _idle.append(child)
    if kind == "failed":
        return Outcome("failed", why=(value,), seconds=_since(begun))
    if not isinstance(value, Outcome):
        return Outcome("failed", why=(f"it gave a {type(value).__name__}, no Outcome",))
    return replace(value, seconds=_since(begun))


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)


def _with(function: Callable[[Task], Outcome], task: Task, ended: int) -> Child:
    """A process that has begun the task: an idle one, if it still lives, or a new one."""
    while True:
        with _lock:
            child = _idle.pop() if _idle else None
        if child is None:
            break
        try:
            child.give(function, task)
        except (Died, queue.Empty):
            child.kill()
            continue
        return child
    child = Child(ended)
    try:
        child.give(function, task)
    except (Died, queue.Empty) as error:
        child.kill()
        raise Died(f"before it began: {error}") from error
    return child


def dismiss_idle() -> None:
    """End the processes that have no task."""
    with _lock:
        idle, _idle[:] = _idle[:], []
    for child in idle:
        child.dismiss()


def kill_all() -> None:
    """End all processes of this one, whatever they do."""
    global _ended
    with _lock:
        _ended += 1
        every = list(_all)
        _idle.clear()
    for child in every:
        child.kill()


def processes() -> list[int]:
    """The ids of the processes that live."""
    with _lock:
        return sorted(child.process.pid for child in _all)
