"""Options and exit codes. Nothing is imported that a command does not need."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from symgrad import __version__
from symgrad.cli.check import add_check
from symgrad.cli.export import add_export
from symgrad.cli.options import CELL_HELP, add_objective, add_passage
from symgrad.errors import SymgradError

_DESCRIPTION = "Derive, prove and debug the gradients of recurrent networks."

_DERIVE_EPILOG = """\
examples:
  symgrad derive linear --of h_T --wrt w --form closed --scalar
  symgrad derive rnn --of h_T --wrt w_h --scalar --format python
  symgrad derive lstm --of c_t --wrt c_{t-1}
  symgrad derive lstm --of c_T --wrt c_k --along c --scalar
  symgrad derive lstm --of c_T --wrt c_k --along c --proof path.json
  symgrad derive mycell.py:cell --of L --wrt W --form recursive
"""


def parser() -> argparse.ArgumentParser:
    """The options of all commands."""
    top = argparse.ArgumentParser(prog="symgrad", description=_DESCRIPTION)
    top.add_argument("--version", action="version", version=f"symgrad {__version__}")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_build(commands)
    _add_cells(commands)
    _add_derive(commands)
    add_check(commands)
    add_export(commands)
    return top


def _add_build(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    build = commands.add_parser("build", help="build derivation documents")
    build.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="documents, or cells: FILE.cell, FILE.tex, FILE.py:NAME; default: all documents",
    )
    build.add_argument(
        "--from",
        dest="source",
        default="derivations",
        metavar="DIR",
        help="folder of document modules (default: derivations)",
    )
    build.add_argument(
        "--out", default="build", metavar="DIR", help="folder to write to (default: build)"
    )
    build.add_argument(
        "--format",
        default=None,
        metavar="LIST",
        help="some of html,tex,md,pdf (default: all; pdf where TeX is installed)",
    )
    build.add_argument(
        "--debug", action="store_true", help=argparse.SUPPRESS, default=argparse.SUPPRESS
    )


def _add_cells(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    cells = commands.add_parser("cells", help="the catalogue, or one cell of it")
    cells.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help=CELL_HELP,
    )
    cells.add_argument("--scalar", action="store_true", help="the scalar reading")
    add_passage(cells)
    cells.add_argument(
        "--debug", action="store_true", help=argparse.SUPPRESS, default=argparse.SUPPRESS
    )


def _add_derive(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    derive = commands.add_parser(
        "derive",
        help="derive a gradient in one of its forms",
        epilog=_DERIVE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    derive.add_argument("cell", metavar="CELL", help=CELL_HELP)
    derive.add_argument(
        "--of", required=True, metavar="QUANTITY", help="a signal with its time (h_T, c_t), or L"
    )
    derive.add_argument(
        "--wrt",
        metavar="NAME",
        help="a parameter, x_k, h_0, or a signal with its time; without it a state's closed form",
    )
    derive.add_argument(
        "--form",
        choices=("recursive", "expanded", "closed", "unrolled"),
        default=None,
        help="default: expanded",
    )
    derive.add_argument("--T", type=int, default=None, metavar="N", help="the horizon, for numbers")
    derive.add_argument("--scalar", action="store_true", help="all sizes 1")
    derive.add_argument("--objective", choices=("final", "sum"), default=None)
    add_objective(derive, "with --of L")
    add_passage(derive)
    derive.add_argument(
        "--immediate", action="store_true", help="∂⁺: states of the step before held fixed"
    )
    derive.add_argument(
        "--along", metavar="NAMES", default=None, help="only paths through these signals: c or c,h"
    )
    derive.add_argument(
        "--input",
        choices=("zero", "constant", "geometric"),
        default=None,
        help="elementary closed form for this kind of input",
    )
    derive.add_argument(
        "--at", metavar="VALUES", default=None, help="evaluate: w=0.9,h_0=1 (with --T)"
    )
    derive.add_argument("--format", choices=("text", "latex", "python", "json"), default="text")
    derive.add_argument(
        "--proof",
        metavar="FILE",
        default=None,
        help="write the proof as JSON, after the kernel has accepted it (none known: exit code 3)",
    )
    derive.add_argument(
        "--debug", action="store_true", help=argparse.SUPPRESS, default=argparse.SUPPRESS
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except SymgradError as error:
        if options.debug:
            raise
        print(f"symgrad: error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has left; nothing is wrong here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("symgrad: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if options.debug:
            raise
        print(
            f"symgrad: internal error: {type(error).__name__}: {error}\n"
            "symgrad: this is a bug; run again with --debug for the traceback",
            file=sys.stderr,
        )
        return 4


def _run(options: argparse.Namespace) -> int:
    if options.command == "build":
        from symgrad.cli.build import build_command

        return build_command(options)
    if options.command == "cells":
        from symgrad.cli.catalogue import cells_command

        return cells_command(options)
    if options.command == "check":
        from symgrad.cli.check import check_command

        return check_command(options)
    if options.command == "export":
        from symgrad.cli.export import export_command

        return export_command(options)
    from symgrad.cli.derive import derive_command

    return derive_command(options)
