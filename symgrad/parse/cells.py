"""Cells from text: ``read_cell`` and ``read_cell_file``."""

from __future__ import annotations

import re
from pathlib import Path

from symgrad.cell import Cell
from symgrad.cell.cell import default_output
from symgrad.errors import DeclarationError, UsageError
from symgrad.lang.affine import symbol
from symgrad.lang.nodes import Node, Signal
from symgrad.parse.build import Builder, signal_at_t
from symgrad.parse.equations import Equations
from symgrad.parse.errors import Source, did_you_mean
from symgrad.parse.expressions import Expr, Ref, every
from symgrad.parse.forms import Forms
from symgrad.parse.grammar import Syntax
from symgrad.parse.latex_rows import latex_rows
from symgrad.parse.rows import Rows, text_rows
from symgrad.parse.shapes import Shapes
from symgrad.parse.spelling import Name

_t = symbol("t")
_SUFFIXES: dict[str, Syntax] = {".cell": "text", ".tex": "latex"}


def read_cell(text: str, syntax: Syntax = "text", *, name: str = "", file: str = "") -> Cell:
    """The cell that a text of equations declares.

    Args:
        syntax: ``text``, equations as one types them, or ``latex``.
        name: the cell's name, where the text has no header ``name:``.
        file: what to call the text in messages.

    Raises:
        ParseError: the text cannot be read; the message has the place and the repair.
        DeclarationError: the equations make no cell; the message has the place as well.
    """
    if syntax not in ("text", "latex"):
        raise UsageError(f"syntax={syntax!r}: use 'text' or 'latex'")
    source = Source(text, file or f"<{syntax}>", latex=syntax == "latex")
    rows = text_rows(source) if syntax == "text" else latex_rows(source)
    return _CellReader(source, rows, syntax).read(name or "cell")


def read_cell_file(path: str | Path) -> Cell:
    """The cell in a ``.cell`` or ``.tex`` file; its name is that of the file.

    Raises:
        ParseError, DeclarationError: as ``read_cell``.
        UsageError: there is no such file, or it is of another kind.
    """
    path = Path(path)
    syntax = _SUFFIXES.get(path.suffix)
    if syntax is None:
        raise UsageError(f"{path}: cells are read from .cell (text) and .tex (LaTeX) files")
    if not path.is_file():
        raise UsageError(f"no file {path}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}; save it as UTF-8") from error
    return read_cell(text, syntax, name=path.stem, file=str(path))


class _CellReader:
    """One text on its way to a cell."""

    def __init__(self, source: Source, rows: Rows, syntax: Syntax) -> None:
        self.source, self.rows = source, rows
        self.equations = Equations(source, rows, syntax)
        self.scope = self.equations.scope

    def read(self, default: str) -> Cell:
        ordered = self.equations.read()
        self._declared_are_used()
        inputs, output = self._inputs(), self._output(ordered)
        shapes = self._shapes(ordered, output)
        builder = Builder(self.source, shapes)
        made: list[tuple[Signal, Node]] = []
        for target, value in ordered:
            made.append((signal_at_t(target.name, shapes), builder.build(value)))
        headers = {key: header.value for key, header in self.rows.headers.items()}
        try:
            cell = Cell(
                headers.get("name", default),
                made,
                inputs=[signal_at_t(name, shapes) for name in inputs],
                output=signal_at_t(output, shapes),
                title=headers.get("title", ""),
                variant=headers.get("variant", ""),
                source=headers.get("source", ""),
            )
        except DeclarationError as error:
            raise self._located(error, ordered) from None
        return self._as_read(cell)

    def _as_read(self, cell: Cell) -> Cell:
        reading = self.rows.headers.get("reading")
        if reading is None or reading.value == "vector":
            return cell
        if reading.value != "scalar":
            raise self.source.error(
                f"the reading {reading.value!r} is neither vector nor scalar", reading.at
            )
        return cell.scalar()

    def _located(
        self, error: DeclarationError, equations: list[tuple[Ref, Expr]]
    ) -> DeclarationError:
        """The error of the declaration, with the place of the equation that it is about."""
        message = str(error)
        words = re.findall(r"[A-Za-z]\w*", message.partition(":")[2])
        target = next(
            (ref for ref, _ in equations if re.search(rf"equation {ref.name}_t = ", message)),
            None,
        )
        entries = self.scope.names.entries
        named = next((entries[word] for word in words if word in entries), None)
        place = target or named or equations[0][0]
        located = self.source.error(message, place.at, place.end)
        return type(error)(str(located))

    def _declared_are_used(self) -> None:
        known = self.scope.spellings.names
        listed = self._listed()
        for spelling, (_, tree) in self.scope.declared.items():
            if spelling in known:
                continue
            if spelling.plain in listed:
                self.scope.entry(Name(spelling, "", _t, (), tree.at, tree.end), "input")
                continue
            free = [name for other, name in known.items() if other not in self.scope.declared]
            near = did_you_mean(spelling.plain, free)
            raise self.source.error(
                f"{spelling.plain} is declared, but no equation uses it: {near}remove the "
                "declaration, or use the name",
                tree.at,
                tree.end,
            )

    def _listed(self) -> list[str]:
        header = self.rows.headers.get("inputs")
        return [] if header is None else header.value.replace(",", " ").split()

    def _inputs(self) -> list[str]:
        """The inputs: those that the header lists, in its order, or all in order of first use."""
        entries = self.scope.names.entries
        used = [entry.name for entry in entries.values() if entry.role == "input"]
        header = self.rows.headers.get("inputs")
        if header is None:
            return used
        listed = self._listed()
        for name in {*used, *listed}:
            if name not in used or listed.count(name) != 1:
                raise self.source.error(
                    f"the header inputs must list each input once; the inputs are "
                    f"{', '.join(used) or 'none'}",
                    header.at,
                )
        return listed

    def _output(self, equations: list[tuple[Ref, Expr]]) -> str:
        names = [ref.name for ref, _ in equations]
        header = self.rows.headers.get("output")
        if header is None:
            inside = [item for _, value in equations for item in every(value)]
            return default_output(names, {item.name for item in inside if isinstance(item, Ref)})
        wanted = header.value.removesuffix("_t")
        if wanted not in names:
            raise self.source.error(
                f"the output {header.value} has no equation: "
                f"{did_you_mean(wanted, names)}choose one of {', '.join(names)}",
                header.at,
            )
        return wanted

    def _shapes(self, equations: list[tuple[Ref, Expr]], output: str) -> Shapes:
        names = self.scope.names
        Forms(self.source, names, [(ref.name, value) for ref, value in equations]).decide()
        shapes = Shapes(self.source, names)
        shapes.open()
        for ref, value in equations:
            shapes.equate(ref, value)
        lagged = {
            item.name
            for _, value in equations
            for item in every(value)
            if isinstance(item, Ref) and item.time == _t - 1
        }
        states = [ref.name for ref, _ in equations if ref.name in lagged]
        order = [ref.name for ref, _ in equations]
        order += [name for name in names.entries if name not in order]
        shapes.close(order, states, output)
        return shapes
