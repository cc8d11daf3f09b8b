"""``symgrad cells``: the catalogue, and one cell in full."""

from __future__ import annotations

import argparse

import symgrad.render.register  # noqa: F401 (lets cells show themselves)
from symgrad.cells import CATALOGUE
from symgrad.cli.loading import load_cell, passage


def cells_command(options: argparse.Namespace) -> int:
    """Print the catalogue or one cell."""
    if options.name is None:
        width = max(map(len, CATALOGUE))
        for name, cell in CATALOGUE.items():
            print(f"{name:<{width}}  {cell.title}: {cell.variant}")
        return 0
    cell = passage(load_cell(options.name), options)
    print((cell.scalar() if options.scalar else cell).plain_text())
    return 0
