"""Options that several commands have. Nothing is imported that ``--help`` does not need."""

from __future__ import annotations

import argparse

CELL_HELP = "a cell of the catalogue, FILE.cell, FILE.tex, or FILE.py:NAME"


def add_objective(command: argparse.ArgumentParser, when: str) -> None:
    """What L is: the loss of a step, the mean, weight decay; ``when`` says where they apply."""
    command.add_argument(
        "--loss",
        choices=("generic", "squared", "cross_entropy"),
        default=None,
        help=f"{when}: the loss of a step (default: generic)",
    )
    command.add_argument(
        "--readout", action="store_true", help=f"{when}: a linear layer y = W_y h + b_y first"
    )
    command.add_argument("--mean", action="store_true", help=f"{when}: the mean over time")
    command.add_argument(
        "--decay", metavar="NAMES", help=f"{when}: weight decay on W,U or on all matrices"
    )


def add_passage(command: argparse.ArgumentParser) -> None:
    """One matrix on [h, x], or one for each."""
    passage = command.add_mutually_exclusive_group()
    passage.add_argument(
        "--concatenated", action="store_true", help="one matrix on [h, x] instead of one for each"
    )
    passage.add_argument(
        "--separated", action="store_true", help="a matrix for each part of a concatenation"
    )
