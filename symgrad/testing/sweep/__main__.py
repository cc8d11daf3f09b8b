"""``python -m symgrad.testing.sweep``: a sweep from the command line."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Literal

from symgrad.cells import CATALOGUE
from symgrad.cli.progress import Progress
from symgrad.errors import SymgradError, UsageError
from symgrad.testing.sweep.campaign import LIMIT, sweep
from symgrad.testing.sweep.child import described
from symgrad.testing.sweep.table import exit_code, table
from symgrad.testing.sweep.tasks import (
    ALL,
    OBJECTIVES,
    ObjectiveName,
    Sizes,
    Task,
    cell_source,
    grid,
)

_MOST = 10**6


def read_numbers(text: str, option: str) -> list[int]:
    """``0..20``, ``0,1,5`` or both: ``0..5,10``.

    Raises:
        UsageError: anything else.
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:\.\.(\d{1,9}))?", part.strip(), re.ASCII)
        if match is None:
            raise UsageError(f"{option} {text!r}: write numbers as 0..20 or 0,1,5")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first >= _MOST:
            raise UsageError(f"{option} {text!r}: {part} is no range")
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def read_sizes(text: str) -> Sizes | Literal["scalar"]:
    """``scalar``, or ``n=3,m=2``.

    Raises:
        UsageError: anything else.
    """
    if text == "scalar":
        return "scalar"
    found: dict[str, int] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*([^\W\d]\w*)\s*=\s*(\d{1,4})\s*", part)
        if match is None or int(match[2]) < 1:
            raise UsageError(f"--sizes {text!r}: write scalar, or values such as n=3,m=2")
        found[match[1]] = int(match[2])
    return tuple(sorted(found.items()))


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(
        prog="python -m symgrad.testing.sweep",
        description="Check every gradient of cells at many T, sizes and seeds.",
    )
    found.add_argument(
        "--cells",
        default=",".join(CATALOGUE),
        metavar="CELLS",
        help="names of the catalogue, FILE.cell, FILE.tex, FILE.py:NAME; default: the catalogue",
    )
    found.add_argument("--T", default="0..8", metavar="NUMBERS", help="0..20 or 0,1,5")
    found.add_argument(
        "--sizes",
        nargs="+",
        default=(),
        metavar="SIZES",
        help="scalar, n=3,m=2, …; default: scalar and two sets of sizes",
    )
    found.add_argument("--seeds", default="1", metavar="N", help="how many, or a range: 5..9")
    found.add_argument("--quantities", default=ALL, metavar="NAMES", help="W_h,h,x; default: all")
    found.add_argument("--objectives", default="loss", metavar="NAMES", help=",".join(OBJECTIVES))
    found.add_argument(
        "--statement", default="", help="judge this claim, such as 'dh_T/dw = …', instead"
    )
    found.add_argument("--out", required=True, type=Path, help="the results, one JSON a line")
    found.add_argument("--workers", type=int, default=None, metavar="N")
    found.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS", help="of a task")
    found.add_argument("--retry", action="store_true", help="what is not decided once more")
    found.add_argument("--dask", metavar="ADDRESS", help="of a scheduler, in place of --workers")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sweep and print its summary; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except SymgradError as error:
        print(f"symgrad: error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has left; the results are in the file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(
            f"symgrad: interrupted; the same command continues from {options.out}", file=sys.stderr
        )
        return 130
    except Exception as error:
        print(f"symgrad: internal error: {described(error)}", file=sys.stderr)
        return 4


def _run(options: argparse.Namespace) -> int:
    tasks = read_tasks(options)
    progress = Progress()

    def told(done: int, count: int, task: Task) -> None:
        progress(f"{done} of {count}: {task.key}")

    with ExitStack() as stack:
        executor: Executor | Callable[[], Executor] | None = None
        if options.dask is not None:
            executor = _dask(options.dask, stack)
        results = sweep(
            tasks,
            options.out,
            executor=executor,
            workers=options.workers,
            limit=options.limit,
            retry=options.retry,
            told=told,
        )
    progress.clear()
    print(table(results), end="")
    return exit_code(results)


def read_tasks(options: argparse.Namespace) -> list[Task]:
    """The grid that the options describe.

    Raises:
        UsageError: cells, sizes, ranges or names that do not exist.
    """
    objectives: list[ObjectiveName] = []
    for part in options.objectives.split(","):
        known = [name for name in OBJECTIVES if name == part.strip()]
        if not known:
            raise UsageError(f"--objectives {part!r}: use {', '.join(OBJECTIVES)}")
        objectives += known
    seeds = read_numbers(options.seeds, "--seeds")
    if options.seeds.strip().isdecimal():
        seeds = list(range(seeds[0]))
    found = grid(
        [cell_source(part.strip()) for part in options.cells.split(",")],
        read_numbers(options.T, "--T"),
        [read_sizes(text) for text in options.sizes],
        seeds,
        [part.strip() for part in options.quantities.split(",")],
        objectives,
        statement=options.statement,
    )
    if not found:
        raise UsageError("there is nothing to do: no seeds, or no T at which an objective exists")
    return found


def _dask(address: str, stack: ExitStack) -> Executor:
    try:
        distributed = import_module("distributed")
    except ModuleNotFoundError as error:
        raise UsageError(
            "--dask needs the package distributed: pip install 'symgrad[dask]'"
        ) from error
    try:
        client = stack.enter_context(distributed.Client(address, timeout=10))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"--dask {address}: no scheduler answers ({error})") from error
    found: Executor = client.get_executor()
    return found


if __name__ == "__main__":
    sys.exit(main())
