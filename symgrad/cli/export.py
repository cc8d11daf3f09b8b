"""``symgrad export``: the source of a cell and its gradient, for other projects."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from symgrad.cli.options import CELL_HELP

if TYPE_CHECKING:
    from symgrad.adjoint import Objective
    from symgrad.cell import Cell

#: Repeated from the layer that writes them, so that ``--help`` imports nothing.
TARGETS = ("numpy", "torch", "jax")

_EPILOG = """\
examples:
  symgrad export lstm --target numpy > lstm.py
  symgrad export lstm --target jax --readout --loss cross_entropy
  symgrad export lstm --target torch --objective final --of c
  symgrad export mycell.py:cell --target numpy --scalar
"""


def add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of the command."""
    command = commands.add_parser(
        "export",
        help="write a cell and its gradient as code for NumPy, PyTorch or JAX",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("cell", metavar="CELL", help=CELL_HELP)
    command.add_argument("--target", required=True, choices=TARGETS)
    command.add_argument(
        "--objective",
        choices=("final", "sum"),
        default="sum",
        help="whether L looks at the last step only, or sums over all (default: sum)",
    )
    command.add_argument(
        "--loss",
        choices=("squared", "cross_entropy", "generic", "linear"),
        default="squared",
        help="the loss of a step; generic: any, given by its gradient; linear: the signal itself "
        "times a fixed cotangent (default: squared)",
    )
    command.add_argument("--mean", action="store_true", help="the mean over time")
    command.add_argument(
        "--readout", action="store_true", help="a linear layer y = W_y h + b_y first"
    )
    command.add_argument(
        "--of", metavar="SIGNAL", default=None, help="what L looks at (default: the output)"
    )
    command.add_argument("--scalar", action="store_true", help="all sizes 1")
    command.add_argument(
        "--debug", action="store_true", help=argparse.SUPPRESS, default=argparse.SUPPRESS
    )


def export_command(options: argparse.Namespace) -> int:
    """Print the module to stdout."""
    from symgrad.evaluate.export import export

    cell, objective = _read(options)
    print(export(cell, objective, options.target), end="")
    return 0


def _read(options: argparse.Namespace) -> tuple[Cell, Objective]:
    """The cell and the objective that the options ask for.

    Raises:
        UsageError: there is no such cell or signal, or options do not go together.
    """
    from symgrad.adjoint import final, loss, summed
    from symgrad.cell.losses import with_loss, with_readout
    from symgrad.cli.loading import load_cell

    cell, of = load_cell(options.cell), options.of
    if options.readout:
        cell, of = with_readout(cell, of=of), None
    if options.loss == "cross_entropy":
        cell, of = with_loss(cell, "cross_entropy", of=of), None
    if options.scalar:
        cell = cell.scalar()
    last_only = options.objective == "final"
    if options.loss in ("linear", "cross_entropy"):
        made = (final if last_only else summed)(cell, of)
        return cell, made.over_mean() if options.mean else made
    squared = options.loss == "squared"
    return cell, loss(cell, of, squared=squared, last_only=last_only, mean=options.mean)


__all__ = ["add_export", "export_command"]
