"""Cells and documents from where the user names them."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from symgrad.cell import Cell
from symgrad.cells import catalogue_cell
from symgrad.errors import SymgradError, UsageError
from symgrad.parse import read_cell_file


def load_cell(text: str) -> Cell:
    """A cell of the catalogue, ``FILE.py:NAME``, ``FILE.cell`` or ``FILE.tex``.

    A Python file is imported as the user's own program; text and LaTeX are data.

    Raises:
        UsageError: there is no such cell, file or name.
        ParseError, DeclarationError: the equations in the file cannot be read.
    """
    path, separator, name = text.rpartition(":")
    if separator and path.endswith(".py"):
        module = load_module(Path(path))
        found = getattr(module, name, None)
        if not isinstance(found, Cell):
            cells = sorted(key for key, value in vars(module).items() if isinstance(value, Cell))
            listed = f"its cells are {', '.join(cells)}" if cells else "it declares no Cell"
            raise UsageError(f"{path} has no cell named {name!r}; {listed}")
        return found
    if text.endswith(".py"):
        raise UsageError(f"name the cell in the file as well: {text}:NAME")
    if text.endswith((".cell", ".tex")):
        return read_cell_file(text)
    return catalogue_cell(text)


def load_module(path: Path) -> ModuleType:
    """A Python file as a module, with its own folder importable.

    Raises:
        UsageError: it cannot be read or fails while it is imported.
    """
    if not path.is_file():
        raise UsageError(f"no file {path}")
    name = f"symgrad_user_{path.stem.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except SymgradError as error:
        raise type(error)(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return module


def passage(cell: Cell, options: argparse.Namespace) -> Cell:
    """The cell with one matrix on a concatenation, or one for each part, where that is asked."""
    if options.concatenated:
        return cell.concatenated()
    return cell.separated() if options.separated else cell
