"""Figures as SVG: double logarithmic, on white, in colours that the colour-blind tell apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import derivation, throughput
from benchmarks.report import Report

#: Okabe and Ito's palette; symgrad's rows are drawn thick.
_COLOURS = (
    "#0072B2", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#7A5C00", "#555555",
    "#000000",
)  # fmt: skip
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*", "h")


def draw(report: Report, folder: Path) -> list[str]:
    """Write the figures; the names of the files, none where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("svg")
    # Text as text, and the same bytes for the same numbers.
    matplotlib.rcParams.update(
        {"svg.hashsalt": "symgrad", "svg.fonttype": "none", "font.family": "sans-serif",
         "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    )  # fmt: skip
    files = []
    if report.derivation:
        files.append(_save(_derivation(report.derivation), folder / "benchmarks-derivation.svg"))
    for kind in ("scalar", "vector"):
        rows = [row for row in report.throughput if row.kind == kind]
        rows = [row for row in rows if any(r.seconds for r in row.results.values())]
        if rows:
            figure = _scalar(rows) if kind == "scalar" else _vector(rows)
            files.append(_save(figure, folder / f"benchmarks-{kind}.svg"))
    return files


def _save(figure: Any, path: Path) -> str:
    figure.savefig(path, format="svg", facecolor="white", bbox_inches="tight",
                   metadata={"Date": None, "Creator": None})  # fmt: skip
    return path.name


def _figure(columns: int, width: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 4.4), layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _line(axes: Any, index: int, name: str, points: Sequence[tuple[float, float]]) -> None:
    if not points:
        return
    ours = name.startswith("symgrad")
    axes.plot(*zip(*points, strict=True), label=name, color=_COLOURS[index % len(_COLOURS)],
              marker=_MARKS[index % len(_MARKS)], markersize=6 if ours else 4.5,
              linewidth=2.6 if ours else 1.3, zorder=3 if ours else 2)  # fmt: skip


def _finish(axes: Any, x: str, y: str, ticks: Sequence[int]) -> None:
    from matplotlib.ticker import NullFormatter

    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)


def _legend(figure: Any, axes: Any, columns: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def _derivation(rows: Sequence[derivation.Row]) -> Any:
    from matplotlib.ticker import NullFormatter

    figure, (times, operations) = _figure(2, 10)
    listed = derivation.listed(rows)
    for index, row in enumerate(listed):
        seconds = [(t, p.spread.median * 1e3) for t, p in row.points.items() if p.spread]
        _line(times, index, row.name, seconds)
        ratios = [
            (t, ratio)
            for t, p in row.points.items()
            if (ratio := derivation.operation_ratio(p, t)) is not None
        ]
        _line(operations, index, row.name, ratios)
    ticks = [1, 3, 10, 50, 100, 1000]
    _finish(times, "T (steps)", "derivation time (ms)", ticks)
    _finish(operations, "T (steps)", "operations of the gradient / forward pass", ticks)
    operations.set_yticks([1, 2, 3, 5, 10], ["1", "2", "3", "5", "10"])
    operations.yaxis.set_minor_formatter(NullFormatter())
    _legend(figure, times, 3)
    return figure


def _scalar(rows: Sequence[throughput.Row]) -> Any:
    cases = {case for row in rows for case in row.results}
    batches = sorted({case.batch for case in cases})
    # A batch with one T only is a point, and no line.
    lines = [b for b in batches if len({c.horizon for c in cases if c.batch == b}) > 1]
    return _rates(
        rows,
        [(f"scalar LSTM, B = {b}", lambda case, b=b: case.batch == b) for b in lines or batches],
    )


def _vector(rows: Sequence[throughput.Row]) -> Any:
    cases = {case for row in rows for case in row.results}
    batch = max(case.batch for case in cases)
    panels = []
    for size in sorted({case.size for case in cases if case.batch == batch}):
        wanted = (size, batch)
        title = f"vector LSTM, n = {size}, B = {batch}"
        panels.append((title, lambda case, w=wanted: (case.size, case.batch) == w))
    return _rates(rows, panels)


def _rates(
    rows: Sequence[throughput.Row], panels: Sequence[tuple[str, Callable[..., bool]]]
) -> Any:
    figure, all_axes = _figure(len(panels), 5 * len(panels))
    ticks: set[int] = set()
    for axes, (title, wanted) in zip(all_axes, panels, strict=True):
        for index, row in enumerate(rows):
            points = [
                (case.horizon, rate.median)
                for case, result in row.results.items()
                if wanted(case) and (rate := result.rate(case))
            ]
            ticks |= {t for t, _ in points}
            _line(axes, index, row.name, sorted(points))
        axes.set_title(title, fontsize=10)
    for axes in all_axes:
        _finish(axes, "T (steps)", "gradients per second (samples/s)", sorted(ticks))
    _legend(figure, all_axes[0], 4 if len(panels) > 1 else 2)
    return figure
