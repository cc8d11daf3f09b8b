"""A peer in a process of its own, pinned to one core, asked one thing at a time.

A runtime then cannot disturb another, a time limit can be kept (compiled code is not
interruptible), and what is missing or crashes concerns one row of a table.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.environment import ONE_THREAD, pin

#: The folders of an absolute path.
_FOLDERS = re.compile(r"(?<![\w./:])/(?:[^\s/]+/)+")

#: The shortest that is measured as one piece: below, calls are repeated.
SHORTEST = 0.02


@dataclass(frozen=True)
class Entry:
    """One row of a table: its name, the module that holds it and the class in it."""

    name: str
    module: str
    factory: str
    #: Extra packages the row needs; missing: the row says so.
    needs: tuple[str, ...] = ()


class PeerError(Exception):
    """The peer cannot do this; the message is what the table's notes say."""


class Missing(PeerError):
    """Not installed."""


class TooSlow(PeerError):
    """Over the time limit; the process is gone."""


class Worker:
    """What a peer's process does for each question. Tests use it without a process."""

    def __init__(self, peer: Any) -> None:
        self.peer = peer
        self._run: Callable[[], Any] = lambda: None
        self._kept: Any = None

    def derive(self, horizon: int) -> float:
        """Seconds of one derivation; its result is kept for ``examine``."""
        self._kept = None
        gc.collect()
        start = time.perf_counter()
        self._kept = self.peer.derive(horizon)
        return time.perf_counter() - start

    def examine(self, horizon: int, problem: Any) -> tuple[float | None, Any]:
        """Operations per run of what was derived last, and the gradient it gives, (12, B)."""
        operations = self.peer.operations(self._kept, horizon)
        return operations, self.peer.gradient(self._kept, problem)

    def prepare(self, kind: str, problem: Any) -> tuple[float, Any]:
        """Make the problem ready (compile, lay out the data) and call once.

        The seconds that took, and the gradient.
        """
        start = time.perf_counter()
        self._run, read = getattr(self.peer, kind)(problem)
        raw = self._run()
        return time.perf_counter() - start, read(raw)

    def calibrate(self) -> int:
        """How many calls make a measurement long enough; warms up on the way."""
        start = time.perf_counter()
        self._run()
        once = time.perf_counter() - start
        if once < SHORTEST / 4:
            count = max(1, int(SHORTEST / 8 / max(once, 1e-7)))
            once = self.measure(count)
        return max(1, ceil(SHORTEST / max(once, 1e-7)))

    def measure(self, count: int) -> float:
        """Seconds per call over ``count`` calls."""
        run = self._run
        gc.collect()
        start = time.perf_counter()
        for _ in range(count):
            run()
        return (time.perf_counter() - start) / count


def told(error: Exception) -> str:
    """An error on one line, without the folders of this machine: it stands in a document."""
    line = _FOLDERS.sub("", str(error).partition("\n")[0])
    return f"{type(error).__name__}: {line[:200]}"


def load(entry: Entry) -> Any:
    """The peer itself.

    Raises:
        Missing: a package it needs is not installed.
    """
    for package in entry.needs:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise Missing(f"{package} is not installed") from error
    return getattr(importlib.import_module(entry.module), entry.factory)()


def _serve(connection: Connection, entry: Entry, core: int | None) -> None:
    pin(core)
    try:
        worker = Worker(load(entry))
    except Missing as error:
        connection.send(("missing", str(error)))
        return
    except Exception as error:
        connection.send(("failed", told(error)))
        return
    connection.send(("done", None))
    while True:
        question = connection.recv()
        if question is None:
            return
        name, arguments = question
        try:
            connection.send(("done", getattr(worker, name)(*arguments)))
        except Exception as error:
            connection.send(("failed", told(error)))


class Session:
    """The other end of a worker's process."""

    def __init__(self, entry: Entry, core: int | None, limit: float) -> None:
        self.entry = entry
        self.core = core
        self.limit = limit
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, entry, core), daemon=True)
        before = dict(os.environ)
        os.environ.update(ONE_THREAD)
        try:
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()
        self._receive(120.0)

    def ask(self, name: str, *arguments: Any, limit: float | None = None) -> Any:
        """The worker's answer.

        Raises:
            TooSlow: it took longer than the limit; the process was ended.
            PeerError: the worker could not, or is gone.
        """
        try:
            self._connection.send((name, arguments))
        except OSError as error:
            raise PeerError("the process ended") from error
        return self._receive(self.limit if limit is None else limit)

    def _receive(self, limit: float) -> Any:
        try:
            if not self._connection.poll(limit):
                self.close()
                raise TooSlow(f"over {limit:.0f} s")
            status, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise PeerError("the process ended") from error
        if status == "missing":
            raise Missing(answer)
        if status == "failed":
            raise PeerError(answer)
        return answer

    @property
    def alive(self) -> bool:
        """Whether there still is a process to ask."""
        return self._process.is_alive()

    def close(self) -> None:
        """End the process."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._connection.close()


class Local:
    """A session without a process: for tests, and for peers that are being written."""

    alive = True

    def __init__(self, peer: Any) -> None:
        self._worker = Worker(peer)

    def ask(self, name: str, *arguments: Any, limit: float | None = None) -> Any:
        try:
            return getattr(self._worker, name)(*arguments)
        except PeerError:
            raise
        except Exception as error:
            raise PeerError(told(error)) from error

    def close(self) -> None:
        """Nothing to end."""
