"""Cells to text: ``cell_text`` and ``cell_latex``, which ``read_cell`` reads back."""

from __future__ import annotations

from collections.abc import Iterable

from symgrad.cell import Cell
from symgrad.cell.cell import default_output
from symgrad.errors import DeclarationError, NotSupportedYet
from symgrad.lang.affine import ONE
from symgrad.lang.nodes import SCALAR, Apply, Node, Param, Shape, Signal, signals_in, walk
from symgrad.ops import GENERIC
from symgrad.parse.cells import read_cell
from symgrad.parse.errors import ParseError
from symgrad.parse.exact import LatexWriter, TextWriter, latex_name, size_text
from symgrad.parse.functions import FUNCTIONS, always_generic
from symgrad.parse.grammar import Syntax
from symgrad.parse.rows import HEADERS, written_header
from symgrad.render.latex_math import latex
from symgrad.render.notation import box
from symgrad.render.notation_names import signal_box


def cell_text(cell: Cell) -> str:
    """The cell as a ``.cell`` file: headers, a declaration for every name, equations.

    Raises:
        NotSupportedYet: a name or an operation that the text cannot spell.
    """
    writer = TextWriter()
    lines = [f"{key}: {written_header(value)}" for key, value in _headers(cell)]
    lines += [_declared(node) for node in _names(cell)]
    lines += [f"{writer.write(e.target)} = {writer.write(e.value)}" for e in cell.equations]
    return _checked(cell, "\n".join(lines) + "\n", "text")


def cell_latex(cell: Cell) -> str:
    """The cell as a ``.tex`` file: headers as comments, declarations, an ``align``.

    Formulas are those of the render layer wherever they are read back as they are.

    Raises:
        NotSupportedYet: a name or an operation that LaTeX cannot spell here.
    """
    writer = LatexWriter()
    exact = [writer.write(e.value) for e in cell.equations]
    found = list(exact)
    _checked(cell, _latex_file(cell, found), "latex")
    for place, equation in enumerate(cell.equations):
        trial = [*found]
        trial[place] = latex(box(equation.value, reading=cell.reading))
        if trial[place] != found[place] and _reads_back(cell, _latex_file(cell, trial)):
            found = trial
    return _latex_file(cell, found)


def _latex_file(cell: Cell, formulas: list[str]) -> str:
    lines = [f"% {key}: {written_header(value)}" for key, value in _headers(cell)]
    rows = [_declared_latex(node) for node in _names(cell)]
    rows += [
        f"{latex(signal_box(e.target.name, e.target.time))} &= {formula}"
        for e, formula in zip(cell.equations, formulas, strict=True)
    ]
    return "\n".join([*lines, r"\begin{align}", " \\\\\n".join(rows), r"\end{align}"]) + "\n"


def _reads_back(cell: Cell, text: str) -> bool:
    try:
        return read_cell(text, "latex") == cell
    except (ParseError, DeclarationError, NotSupportedYet):
        return False


def _checked(cell: Cell, text: str, syntax: Syntax) -> str:
    """The text, if it is read back as the cell."""
    try:
        found = read_cell(text, syntax)
    except (ParseError, DeclarationError) as error:
        raise NotSupportedYet(
            f"cell {cell.name!r} cannot be written as {syntax}, it is not read back: {error}"
        ) from None
    if found != cell:
        names = [
            e.target.name
            for e, other in zip(cell.equations, found.equations, strict=False)
            if e != other
        ]
        raise NotSupportedYet(
            f"cell {cell.name!r} cannot be written as {syntax}: "
            f"{', '.join(names) or 'its declaration'} would be read back differently; rename what "
            "looks like a function or a time"
        )
    return text


# ---- headers and declarations ------------------------------------------------------------


def _headers(cell: Cell) -> Iterable[tuple[str, str]]:
    yield "name", cell.name
    if cell.title != cell.name:
        yield "title", cell.title
    for key, value in (("variant", cell.variant), ("source", cell.source)):
        if value:
            yield key, value
    used = [s.name for s in _inputs_in_order(cell)]
    listed = [s.name for s in cell.inputs]
    if used != listed:
        yield "inputs", ", ".join(listed)
    names = [e.target.name for e in cell.equations]
    read = {s.name for s in signals_in(*[e.value for e in cell.equations])}
    default = default_output(names, read)
    if cell.output.name != default:
        yield "output", cell.output.name
    generic = {
        node.head.name
        for e in cell.equations
        for node in walk(e.value)
        if isinstance(node, Apply) and node.head.name in GENERIC
    }
    unusual = sorted(name for name in generic if not always_generic(name) and name not in FUNCTIONS)
    if unusual:
        yield "functions", ", ".join(unusual)
    if cell.is_scalar:
        yield "reading", "scalar"


def _inputs_in_order(cell: Cell) -> list[Signal]:
    """The inputs in the order in which a reader of the text meets them."""
    given = {s.name: s for s in cell.inputs}
    found: dict[str, Signal] = {}
    for equation in cell.equations:
        for item in signals_in(equation.value):
            if item.name in given:
                found.setdefault(item.name, given[item.name])
    return list(found.values())


def _names(cell: Cell) -> list[Signal | Param]:
    return [*cell.inputs, *cell.signals, *cell.params]


def _sizes(shape: Shape) -> list[str]:
    if shape == SCALAR:
        return []
    return [size_text(size) for size in (shape if shape[1] != ONE else shape[:1])]


def _declared(node: Node) -> str:
    assert isinstance(node, Signal | Param)
    sizes = _sizes(node.shape)
    name = node.name if isinstance(node, Param) else f"{node.name}_t"
    if name in HEADERS or not sizes:
        return f"{name} in R" + (f"^{{{' x '.join(sizes)}}}" if sizes else "")
    return f"{name} : {' x '.join(f'({s})' if '+' in s else s for s in sizes)}"


def _declared_latex(node: Node) -> str:
    assert isinstance(node, Signal | Param)
    sizes = [f"({s})" if "+" in s else s for s in _sizes(node.shape)]
    inside = r" \times ".join(sizes)
    power = f"^{{{inside}}}" if sizes else ""
    name = latex_name(node.name)
    if isinstance(node, Signal):
        name = latex(signal_box(node.name, node.time))
    return rf"{name} &\in \mathbb{{R}}{power}"
