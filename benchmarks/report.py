"""The tables, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks import derivation, throughput
from benchmarks.aims import Aim
from benchmarks.spread import Spread, ratio


@dataclass
class Report:
    """Everything one run found."""

    date: str
    quick: bool
    machine: dict[str, str]
    versions: dict[str, str]
    derivation: list[derivation.Row] = field(default_factory=list)
    throughput: list[throughput.Row] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    plots: list[str] = field(default_factory=list)


def markdown(report: Report) -> str:
    """The whole document."""
    parts = [_head(report)]
    if report.aims:
        parts.append(_aims(report.aims))
    if report.derivation:
        parts.append(_derivation(report))
    for kind, title in (
        ("scalar", "Gradients per second: scalar LSTM, the gradient of every sample"),
        ("vector", "Gradients per second: vector LSTM, shared weights"),
    ):
        rows = [row for row in report.throughput if row.kind == kind]
        if rows:
            parts.append(_throughput(rows, kind, title, report.plots))
    parts.append(_versions(report))
    return "\n".join(parts)


def _head(report: Report) -> str:
    machine = report.machine
    quick = " A quick run: fewer points and repetitions." if report.quick else ""
    return f"""\
# Benchmarks

Written by `python -m benchmarks` on {report.date}: {machine["processor"]}, {machine["cores"]}
cores of which one is used, {machine["system"]}, Python {machine["python"]}.{quick}

`pip install -e ".[benchmarks]"` installs the peers; each may be absent. `--quick` measures less,
`--only derivation` or `--only throughput` one part, `--out DIR` writes elsewhere. All raw numbers
are in [benchmarks.json](benchmarks.json).

Every peer runs in a process of its own on the same core with one thread; peers take turns within
each repetition. Numbers are medians; a range in brackets is the smallest and the largest of the
repetitions. Ratios are taken within each repetition. Before anything is timed, each peer's
gradient is compared with a reference: its relative error must be at most 1e-9, else the peer is
not listed. Trust ratios within a run, not absolute times.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _aims(aims: Sequence[Aim]) -> str:
    rows = [
        [aim.text, aim.wanted, "" if aim.measured is None else with_range(aim.measured, ratio_text),
         aim.verdict]
        for aim in aims
    ]  # fmt: skip
    return f"## Aims\n\n{table(['what', 'aim', 'measured', 'reached'], rows)}"


def ratio_text(value: float) -> str:
    """Two or three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def seconds_text(value: float) -> str:
    """A time with its unit."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def rate_text(value: float) -> str:
    """Samples per second, three digits."""
    for factor, unit in ((1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g}"


def with_range(value: Spread, show: Callable[[float], str]) -> str:
    """The median, and the range where there is one."""
    text = show(value.median)
    if value.count == 1 or value.low == value.high:
        return text
    return f"{text} ({show(value.low)} … {show(value.high)})"


# ---- derivation ----------------------------------------------------------------------------


def _derivation(report: Report) -> str:
    rows = derivation.listed(report.derivation)
    horizons = list(dict.fromkeys(t for row in rows for t in row.points))
    head = ["peer", "cold, T = 3", *[f"T = {t}" for t in horizons]]
    times = []
    for row in rows:
        cold = seconds_text(sorted(row.cold)[len(row.cold) // 2]) if row.cold else ""
        times.append([row.name, cold, *[_time(row.points.get(t)) for t in horizons]])
    ratios = [[row.name, *[_ratio(row.points.get(t), t) for t in horizons]] for row in rows]
    faster = _faster(rows, horizons)
    return "\n".join(
        [
            "## Derivation: scalar LSTM, squared error at every step, 12 parameters\n",
            _picture("derivation", report.plots),
            "Time from the equations to a gradient program (warm; cold is the first time in a "
            "process,\nafter all imports):\n",
            table(head, times),
            "Times slower than symgrad:\n",
            table(["peer", *head[2:]], faster),
            "Operations of the gradient program over those of the forward pass with its loss "
            f"({derivation.FORWARD_OPERATIONS} per\nstep):\n",
            table(["peer", *head[2:]], ratios),
            _derivation_notes(report.derivation),
        ]
    )


def _time(point: derivation.Point | None) -> str:
    if point is None or point.spread is None:
        return "—" if point is None or not point.why_not else _short(point.why_not)
    return seconds_text(point.spread.median)


def _short(why_not: str) -> str:
    return why_not if why_not.startswith("over ") else "—"


def _ratio(point: derivation.Point | None, horizon: int) -> str:
    found = None if point is None else derivation.operation_ratio(point, horizon)
    return "—" if found is None else f"{found:.2f}"


def _faster(rows: Sequence[derivation.Row], horizons: Sequence[int]) -> list[list[str]]:
    ours = next((row for row in rows if row.name == "symgrad"), None)
    if ours is None:
        return []
    table_rows = []
    for row in rows:
        if row is ours:
            continue
        cells = []
        for horizon in horizons:
            theirs, own = row.points.get(horizon), ours.points.get(horizon)
            known = theirs and own and theirs.seconds and own.seconds
            cells.append(ratio_text(ratio(theirs.seconds, own.seconds).median) if known else "—")
        table_rows.append([row.name, *cells])
    return table_rows


def _derivation_notes(rows: Sequence[derivation.Row]) -> str:
    notes = [
        "symgrad's program is the same for every T, its backward pass being a recurrence; so are "
        "JAX's scan and CasADi's mapaccum. The others write every step out.",
        "The plan is what symgrad generates code from: the program with its common parts shared.",
        "symgrad's time holds the declaration of the cell, as the others' hold the building of "
        "their expressions.",
        "+, -, ×, ÷ and each call of an activation count 1, multiplications by constants too; "
        "copies, constants and selections do not. The value of the loss is left out, as are the "
        "gradients of initial states, but for those that symgrad's plan holds (7 in all).",
        "CasADi and SymEngine write σ with exp, four operations: 3 are taken off for each of the "
        "3 T calls. JAX, SymPy and symgrad have σ as one call.",
        "CasADi's mapaccum is counted on its expansion, up to T = 100. With its default option it "
        "nests, and runs parts of the forward pass again.",
        "SymPy has functions of its own with `fdiff`, its fastest set-up by far.",
    ]
    return "\n".join([*[f"- {note}" for note in notes], *_absent(rows), ""])


def _absent(rows: Sequence[derivation.Row] | Sequence[throughput.Row]) -> list[str]:
    lines = [f"- {row.name}: {row.missing}." for row in rows if row.missing]
    lines += [
        f"- {row.name}: not listed, its gradient is another one ({row.refused})."
        for row in rows
        if row.refused
    ]
    return lines


# ---- throughput -----------------------------------------------------------------------------


def _throughput(rows: Sequence[throughput.Row], kind: str, title: str, plots: Sequence[str]) -> str:
    listed = [row for row in rows if not row.missing and not row.refused]
    cases = list(dict.fromkeys(case for row in listed for case in row.results))
    if kind == "vector":
        cases.sort(key=lambda case: (case.size, case.horizon, case.batch))
    body = []
    for row in listed:
        cells = [_rate(row, case) for case in cases]
        body.append([row.name, *cells])
    said = {
        "scalar": "Samples per second. Parameters are shared, the result is the gradient of each "
        "sample with\nrespect to all 12.",
        "vector": "Samples per second, n units over n inputs. The result is the gradient summed "
        "over the batch.",
    }
    errors = [r.error for row in listed for r in row.results.values() if r.error is not None]
    notes = [
        "- Everybody has the data in arrays of its own beforehand: symgrad a `prepare`d call, JAX "
        "compiled for the shapes, CasADi its matrices.",
    ]
    notes += [f"- The largest relative error of a gradient here: {max(errors, default=0.0):.1e}."]
    notes += [
        f"- {row.name}, {case.title}: {result.why_not}."
        for row in listed
        for case, result in row.results.items()
        if result.why_not
    ]
    return "\n".join(
        [
            f"## {title}\n",
            _picture(kind, plots),
            f"{said[kind]}\n",
            table(["peer", *[case.title for case in cases]], body),
            "Seconds from the problem to the first gradient, compilation included:\n",
            table(["peer", *[case.title for case in cases]], _ready(listed, cases)),
            "\n".join([*notes, *_absent(rows), ""]),
        ]
    )


def _rate(row: throughput.Row, case: throughput.Case) -> str:
    result = row.results.get(case)
    rate = None if result is None else result.rate(case)
    return "—" if rate is None else with_range(rate, rate_text)


def _ready(rows: Sequence[throughput.Row], cases: Sequence[throughput.Case]) -> list[list[str]]:
    def cell(row: throughput.Row, case: throughput.Case) -> str:
        result = row.results.get(case)
        ready = None if result is None else result.ready_seconds
        return "—" if ready is None else seconds_text(ready)

    return [[row.name, *[cell(row, case) for case in cases]] for row in rows]


def _picture(name: str, plots: Sequence[str]) -> str:
    file = f"benchmarks-{name}.svg"
    return f"![{name}]({file})\n" if file in plots else ""


def _versions(report: Report) -> str:
    rows = [[name, version] for name, version in report.versions.items()]
    return f"## Versions\n\n{table(['package', 'version'], rows)}"
