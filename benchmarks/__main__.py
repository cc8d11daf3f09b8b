"""``python -m benchmarks``, from the repository's root: measure, and write docs/benchmarks.*."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import aims, derivation, throughput
from benchmarks.environment import chosen_core, machine, versions
from benchmarks.plots import draw
from benchmarks.report import Report, markdown
from benchmarks.sessions import Session


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer points and repetitions")
    parser.add_argument("--only", choices=("derivation", "throughput"), default=None)
    parser.add_argument("--out", type=Path, default=Path("docs"), metavar="DIR")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns the exit code: 1 where a gradient of symgrad's own is refused."""
    chosen = options(arguments)
    report = measure(quick=chosen.quick, only=chosen.only)
    write(report, chosen.out)
    rows = [*report.derivation, *report.throughput]
    ours = [row for row in rows if row.name.startswith("symgrad")]
    for row in ours:
        if row.refused or row.missing:
            print(f"benchmarks: {row.name}: {row.refused or row.missing}", file=sys.stderr)
    return 1 if any(row.refused for row in ours) else 0


def measure(*, quick: bool, only: str | None) -> Report:
    """All parts that are asked for."""
    begin = time.monotonic()
    core = chosen_core()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - begin:6.1f} s  {text}", file=sys.stderr)

    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    report = Report(today, quick, machine(), versions())
    if only != "throughput":
        limit = 3.0 if quick else 20.0
        report.derivation = derivation.run(
            lambda entry: Session(entry, core, limit),
            horizons=(1, 3, 10, 100, 1000) if quick else derivation.HORIZONS,
            repetitions=3 if quick else 7,
            cold_starts=1 if quick else 3,
            limit=limit,
            patience=1.0 if quick else 5.0,
            tell=tell,
        )
        report.aims += aims.derivation_aims(report.derivation)
    if only != "derivation":
        report.throughput = throughput.run(
            lambda entry: Session(entry, core, 60.0),
            throughput.QUICK_CASES if quick
            else (*throughput.SCALAR_CASES, *throughput.VECTOR_CASES),
            repetitions=3 if quick else 11,
            patience=1.0 if quick else 4.0,
            tell=tell,
        )  # fmt: skip
        report.aims += aims.throughput_aims(report.throughput)
    return report


def write(report: Report, folder: Path) -> None:
    """benchmarks.md, benchmarks.json and the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    report.plots = draw(report, folder)
    (folder / "benchmarks.md").write_text(markdown(report), encoding="utf-8")
    (folder / "benchmarks.json").write_text(
        json.dumps(as_json(report), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )


def as_json(report: Report) -> dict[str, Any]:
    """All raw numbers of a run."""
    return {
        "date": report.date,
        "quick": report.quick,
        "machine": report.machine,
        "versions": report.versions,
        "aims": [
            {
                "what": aim.text,
                "aim": aim.wanted,
                "measured": None if aim.measured is None else aim.measured.as_json(),
                "reached": aim.met,
            }
            for aim in report.aims
        ],
        "derivation": derivation.as_json(report.derivation),
        "throughput": throughput.as_json(report.throughput),
    }


if __name__ == "__main__":
    sys.exit(main())
