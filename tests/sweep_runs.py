"""Tasks that misbehave, for tests of sweeps: importable by name in other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from symgrad.testing.sweep import Outcome, Task

FINE = Outcome("checked", "1.0e-20", (1, 1))


def note(task: Task) -> Outcome:
    """Leaves a line in the folder that the body of the cell names: who ran it."""
    path = Path(task.cell.body) / f"T{task.T}"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    return FINE


def misbehave(task: Task) -> Outcome:
    """By T: 1 sleeps for ever, 2 exits, 3 raises, 4 is killed, 5 gives nothing; others are fine."""
    if task.T == 1:
        time.sleep(10**6)
    if task.T == 2:
        os._exit(7)
    if task.T == 3:
        raise ValueError("this one is wrong")
    if task.T == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if task.T == 5:
        return None  # type: ignore[return-value]
    print("what a task prints disturbs nobody")
    return note(task)


def kill_the_worker(task: Task) -> Outcome:
    """At T = 3 ends the worker of the executor, beside which its process runs."""
    if task.T == 3:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(10**6)
    return note(task)


def slowly(task: Task) -> Outcome:
    """Takes a while, and says first in which process."""
    note(task)
    time.sleep(1.0 if task.T else 10**6)
    return FINE


def with_a_child(task: Task) -> Outcome:
    """Starts a process, leaves its id in the folder, and never ends."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (Path(task.cell.body) / "child").write_text(f"{child.pid}\n", encoding="utf-8")
    time.sleep(10**6)
    return FINE
