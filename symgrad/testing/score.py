"""The mutation score: ``python -m symgrad.testing.score [CELL …] [--out FILE]``.

For every cell and reading, wrong formulas by class and true rewritings by rule are judged;
each witness is reproduced by running the NumPy lines that it prints. Cells are judged side by
side, in one process for each.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from symgrad.cell import Cell
from symgrad.cells import CATALOGUE, catalogue_cell
from symgrad.lang.nodes import Node
from symgrad.parse import read_cell_file
from symgrad.testing.mutations import CLASSES, mutants
from symgrad.testing.rewritings import rewritings
from symgrad.testing.statements import Statement, statements
from symgrad.testing.truth import outside, told_apart
from symgrad.verify.claims import Scope, all_sizes
from symgrad.verify.verdict import Witness

#: How many of each are judged for a cell in one reading, if so many can be made.
MUTANTS, REWRITINGS = 150, 110

Case = tuple[Statement, str, Node]


@dataclass
class Score:
    """What came out for one cell in one reading.

    Attributes:
        name, reading: of the cell.
        mutants, rewritings: (class, outcome) -> number.
        equivalent: mutants that the 60-digit oracle cannot tell from the truth.
        undecided: mutants that it can, of which nothing is known.
        wrong: false verdicts, with the formula and the verdict.
        witnesses: the witnesses of the refuted mutants.
        astray: witnesses that their NumPy lines did not reproduce.
        seconds: how long it took.
    """

    name: str
    reading: str
    mutants: Counter[tuple[str, str]] = field(default_factory=Counter)
    rewritings: Counter[tuple[str, str]] = field(default_factory=Counter)
    equivalent: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    astray: list[str] = field(default_factory=list)
    seconds: float = 0.0


def chosen(cases: list[Case], total: int) -> list[Case]:
    """About ``total`` of the cases: every class alike, evenly spread over the statements."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case[1], []).append(case)
    picked: list[Case] = []
    left = total
    for count, group in enumerate(sorted(groups.values(), key=len)):
        quota = min(len(group), -(-left // (len(groups) - count)))
        picked += [group[i * len(group) // quota] for i in range(quota)]
        left -= quota
    return picked


def wrong_formulas(cell: Cell, found: list[Statement], total: int) -> list[Case]:
    """Mutants of the statements; of their rewritings where there are too few."""
    cases = _made(found, lambda s: mutants(cell, s.right))
    if len(cases) < total:
        seen = {(s.label, m) for s, _, m in cases}
        for statement, _, way in true_formulas(cell, found, total):
            more = [(statement, label, m) for m, label in mutants(cell, way).items()]
            # A change of what a rule has put in is often none of the value.
            cases += [c for c in more[:2] if (c[0].label, c[2]) not in seen]
    return chosen(cases, total)


def true_formulas(cell: Cell, found: list[Statement], total: int) -> list[Case]:
    """Rewritings of the statements; rewritten once more where there are too few."""
    cases = _made(found, lambda s: rewritings(cell, s.right))
    if len(cases) < total:
        for statement, label, way in list(cases):
            again = rewritings(cell, way)
            cases += [(statement, f"{label}, then {r}", m) for m, r in list(again.items())[:2]]
    return chosen(cases, total)


def _made(found: list[Statement], make: object) -> list[Case]:
    assert callable(make)
    return [
        (s, label, node) for s in found for node, label in make(s).items() if node is not s.right
    ]


def score(cell: Cell, *, wrong: int = MUTANTS, true: int = REWRITINGS) -> Score:
    """Judge wrong formulas and true ones of a cell in its reading."""
    begun = time.perf_counter()
    result, found = Score(cell.name, cell.reading), statements(cell)
    for statement, label, node in wrong_formulas(cell, found, wrong):
        result.mutants[label, _outcome(cell, statement, node, result)] += 1
    for statement, label, node in true_formulas(cell, found, true):
        verdict = statement.judge(node)
        rule = label.partition(",")[0]
        result.rewritings[rule, verdict.status] += 1
        if verdict.status == "refuted":
            result.wrong.append(f"{statement.label}, {label}: {node!r}: {verdict!r}")
    result.astray = list(not_reproduced(result.witnesses))
    result.seconds = time.perf_counter() - begun
    return result


def _outcome(cell: Cell, statement: Statement, node: Node, result: Score) -> str:
    text = f"{statement.left!r} = {node!r}"
    sizes = ((),) if cell.is_scalar else all_sizes(cell.size_names)
    horizons = tuple(range(statement.first, statement.first + 4))
    scope = Scope(horizons, sizes, cell.is_scalar)
    if outside(statement.claim(node), scope):
        return "outside"
    verdict = statement.judge(node)
    if any("is in no run" in line for line in verdict.how):
        return "outside"
    if verdict.status == "refuted":
        assert verdict.witness is not None
        result.witnesses.append(verdict.witness)
        return "refuted"
    if not told_apart(statement.claim(node), scope):
        result.equivalent.append(text)
        return "equivalent"
    if verdict.status == "undecided":
        result.undecided.append(f"{text}: {verdict!r}")
        return "undecided"
    result.wrong.append(f"{text}: {verdict!r}")
    return f"false {verdict.status}"


# ---- witnesses ---------------------------------------------------------------------------

_DRIVER = """import runpy, sys
for path in sys.argv[1:]:
    print("program", path)
    try:
        runpy.run_path(path)
    except Exception as error:
        print("error", repr(error))
"""


def not_reproduced(witnesses: list[Witness]) -> Iterator[str]:
    """The witnesses whose NumPy program does not print both of their sides, with the reason."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, witness in enumerate(witnesses):
            path = Path(folder) / f"w{number}.py"
            path.write_text(witness.numpy_lines(), encoding="utf-8")
            paths.append(str(path))
        driver = Path(folder) / "driver.py"
        driver.write_text(_DRIVER, encoding="utf-8")
        run = subprocess.run(
            [sys.executable, str(driver), *paths], capture_output=True, text=True, check=True
        )
    outputs = run.stdout.split("program ")[1:]
    for witness, output in zip(witnesses, outputs, strict=True):
        lines = output.splitlines()[1:]
        if not agrees(witness, lines):
            yield f"{witness}: its program printed {lines}"


def agrees(witness: Witness, lines: list[str]) -> bool:
    """Whether printed lines are the sides of the witness, as far as float64 can tell."""
    printed = dict(line.split(" ", 1) for line in lines if " " in line)
    if set(printed) != {"left", "right"}:
        return False
    known = [_fraction(witness.left), _fraction(witness.right)]
    found = [Fraction(float(printed[side])) for side in ("left", "right")]
    # As large as the rounding of a side, or too small beside the difference to make it.
    size, gap = max(abs(value) for value in known), abs(known[0] - known[1])
    allowed = max(size / 10**11, gap / 10**6)
    return all(abs(a - b) <= allowed for a, b in zip(known, found, strict=True))


def _fraction(text: str) -> Fraction:
    return Fraction(text)


# ---- the table ---------------------------------------------------------------------------

_HEAD = """# Mutation score

Wrong formulas made by machine, one thing changed in a formula that holds, and true formulas
made by rules that always hold, all judged as if somebody had claimed them. Regenerate with

```
python -m symgrad.testing.score{cells} --out docs/mutation-score.md
```

A mutant is *refuted* when the verdict is, and *reproduced* when the NumPy lines of its
witness print both sides in a separate process. It is *equivalent* when a 60-digit oracle,
differences of the forward pass, cannot tell it from the truth; one that is neither, and was
proved or checked, is *missed*. *Outside* are changes that read a signal before the initial
state or after T, or take a matrix to a negative power: no statement about a run.
"""


def table(scores: list[Score], words: list[str]) -> str:
    """The document; ``words`` are those that the command was given: cells and how many."""
    named = "".join(f" {shlex.quote(word)}" for word in words)
    parts = [_HEAD.replace("{cells}", named), _summary(scores)]
    for one in scores:
        parts += _section(one)
    return "\n".join(parts) + "\n"


def _summary(scores: list[Score]) -> str:
    rows = [
        "| cell | reading | wrong | refuted | reproduced | exact witness | equivalent | undecided "
        "| outside | missed | true | proved | checked | undecided | false refuted |",
        "|---|---|" + "---:|" * 13,
    ]
    for one in scores:
        outcomes, status = _by(one.mutants), _by(one.rewritings)
        missed = sum(n for key, n in outcomes.items() if key.startswith("false"))
        exact = sum(w.exact for w in one.witnesses)
        entries = [
            *(sum(outcomes.values()), outcomes["refuted"]),
            *(outcomes["refuted"] - len(one.astray), exact),
            *(outcomes["equivalent"], outcomes["undecided"], outcomes["outside"], missed),
            *(sum(status.values()), status["proved"], status["checked"], status["undecided"]),
            status["refuted"],
        ]
        numbers = " | ".join(str(entry) for entry in entries)
        rows.append(f"| {one.name} | {one.reading} | {numbers} |")
    return "\n".join(rows) + "\n"


def _by(counts: Counter[tuple[str, str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, outcome), number in counts.items():
        found[outcome] += number
    return found


def _section(one: Score) -> list[str]:
    parts = [f"## {one.name}, {one.reading} reading\n"]
    outcomes = ("refuted", "equivalent", "undecided", "outside", "false checked", "false proved")
    parts.append(_rows("class of mutants", CLASSES, outcomes, one.mutants))
    rules = tuple(sorted({rule for rule, _ in one.rewritings}))
    statuses = ("proved", "checked", "undecided", "refuted")
    parts.append(_rows("rule of rewritings", rules, statuses, one.rewritings))
    absent = [c for c in CLASSES if not any(c == key for key, _ in one.mutants)]
    if absent:
        parts.append(f"Do not apply: {'; '.join(absent)}.\n")
    for title, found in (
        ("Equivalent", one.equivalent),
        ("Undecided", one.undecided),
        ("Wrong verdicts", one.wrong),
        ("Not reproduced", one.astray),
    ):
        if found:
            parts.append(
                f"{title}:\n\n" + "\n".join(f"- `{_short(text)}`" for text in found) + "\n"
            )
    return parts


def _rows(
    title: str,
    names: tuple[str, ...],
    outcomes: tuple[str, ...],
    counts: Counter[tuple[str, str]],
) -> str:
    lines = [
        f"| {title} | made | {' | '.join(outcomes)} |",
        "|---|" + "---:|" * (len(outcomes) + 1),
    ]
    for name in names:
        numbers = [counts[name, outcome] for outcome in outcomes]
        if sum(numbers):
            lines.append(f"| {name} | {sum(numbers)} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines) + "\n"


def _short(text: str, longest: int = 400) -> str:
    text = text.replace("`", "'").replace("\n", " ")
    return text if len(text) <= longest else f"{text[:longest]} …"


def main(arguments: list[str] | None = None) -> int:
    """Write the table; 1 if a verdict is wrong or a witness is not reproduced."""
    parser = argparse.ArgumentParser(prog="python -m symgrad.testing.score")
    parser.add_argument(
        "cells",
        nargs="*",
        metavar="CELL",
        default=list(CATALOGUE),
        help="names of the catalogue, and .cell or .tex files; default: the catalogue",
    )
    parser.add_argument("--out", type=Path, help="write the table here; default: print it")
    parser.add_argument("--mutants", type=int, default=MUTANTS)
    parser.add_argument("--rewritings", type=int, default=REWRITINGS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    for key in options.cells:
        # Before long work begins.
        _cell(key)
    scores = []
    for one in _scores(options.cells, options.mutants, options.rewritings, options.jobs):
        scores.append(one)
        summary = f"{dict(_by(one.mutants))} {dict(_by(one.rewritings))}"
        print(f"{one.name}, {one.reading}: {summary} {one.seconds:.0f} s", file=sys.stderr)
        for text in (*one.wrong, *one.astray):
            print(f"  {_short(text, 2000)}", file=sys.stderr)
    words = [] if options.cells == list(CATALOGUE) else [*options.cells]
    for option, number, usual in (
        ("--mutants", options.mutants, MUTANTS),
        ("--rewritings", options.rewritings, REWRITINGS),
    ):
        words += [] if number == usual else [option, str(number)]
    text = table(scores, words)
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")
    return 1 if any(one.wrong or one.astray for one in scores) else 0


def _cell(key: str) -> Cell:
    return read_cell_file(key) if key.endswith((".cell", ".tex")) else catalogue_cell(key)


def _one(key: str, scalar: bool, wrong: int, true: int) -> Score:
    whole = _cell(key)
    return score(whole.scalar() if scalar else whole, wrong=wrong, true=true)


def _scores(cells: list[str], wrong: int, true: int, jobs: int) -> Iterator[Score]:
    """The scores in the order of the cells, each in the scalar reading first."""
    tasks = [(key, scalar, wrong, true) for key in cells for scalar in (True, False)]
    if jobs < 2:
        yield from (_one(*task) for task in tasks)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        # What takes longest begins first: the vector readings, the last cells.
        order = sorted(range(len(tasks)), key=lambda i: (tasks[i][1], -i))
        running = {i: pool.submit(_one, *tasks[i]) for i in order}
        yield from (running[i].result() for i in range(len(tasks)))


if __name__ == "__main__":
    sys.exit(main())
