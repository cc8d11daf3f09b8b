"""``symgrad check``: a claimed formula, judged; the exit code says how it went."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from symgrad.cli.options import CELL_HELP, add_objective, add_passage

if TYPE_CHECKING:
    from symgrad.adjoint import Objective
    from symgrad.cell import Cell
    from symgrad.derivation.question import When
    from symgrad.verify.verdict import Verdict, Witness

_EPILOG = """\
examples:
  symgrad check 'dc_t/dc_{t-1} = f_t' --cell lstm --scalar
  symgrad check 'dL/dh_t = W_y^⊤ (∂ℓ_t/∂y_t) for t = T' --cell rnn
  symgrad check 'dh_T/dw = sum_{k=1}^T a_k h_{k-1}, where a_k = w^(T-k)' --cell linear --scalar
  symgrad derive lstm --of h_T --wrt U_f | symgrad check - --cell lstm
"""


def add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of the command."""
    command = commands.add_parser(
        "check",
        help="judge a claimed formula: proved, checked, or refuted with a witness",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "statement",
        metavar="STATEMENT",
        help="left = right, with a range or definitions behind it; - reads standard input",
    )
    command.add_argument("--cell", required=True, metavar="CELL", help=CELL_HELP)
    command.add_argument("--scalar", action="store_true", help="all sizes 1")
    command.add_argument(
        "--syntax", choices=("text", "latex"), default="text", help="of STATEMENT (default: text)"
    )
    command.add_argument(
        "--power",
        choices=("ask", "power", "transpose"),
        default="ask",
        help="what ^T at a square matrix is (default: an error that asks)",
    )
    command.add_argument(
        "--at-least",
        choices=("proved", "checked", "tested"),
        default="checked",
        help="the verdict that is enough for exit code 0 (default: checked)",
    )
    command.add_argument("--json", action="store_true", help="print one object")
    command.add_argument(
        "--objective",
        choices=("final", "sum"),
        default=None,
        help="what L is, for a statement about L: the loss ℓ_T of the last step, or the sum of all "
        "(default); L = s^⊤ h_T is said behind the statement: where L = s^⊤ h_T",
    )
    add_objective(command, "for a statement about L")
    add_passage(command)
    command.add_argument(
        "--debug", action="store_true", help=argparse.SUPPRESS, default=argparse.SUPPRESS
    )


def check_command(options: argparse.Namespace) -> int:
    """Judge, print; 0 where the verdict reaches ``--at-least``, 1 refuted, 3 otherwise."""
    import symgrad.render.register  # noqa: F401 (lets values show themselves)
    from symgrad.judge import check

    text = sys.stdin.read() if options.statement == "-" else options.statement
    cell, objective = _read(options, text)
    verdict = check(cell, text, syntax=options.syntax, horizon=options.power, objective=objective)
    print(_json(cell, text, verdict) if options.json else repr(verdict))
    if verdict.status == "refuted":
        return 1
    return 0 if verdict.reaches(options.at_least) else 3


def _read(options: argparse.Namespace, text: str) -> tuple[Cell, Objective | None]:
    """The cell, and what L is unless the statement says it.

    Raises:
        UsageError: options that do not go together.
    """
    from symgrad.adjoint import loss
    from symgrad.cell.losses import with_loss, with_readout
    from symgrad.cli.derive import objective_from
    from symgrad.cli.loading import load_cell, passage
    from symgrad.lang.nodes import SCALAR
    from symgrad.parse.claims import ClaimText

    cell = passage(load_cell(options.cell), options)
    if options.readout:
        cell = with_readout(cell)
    if options.loss not in (None, "generic"):
        cell = with_loss(cell, options.loss)
    matrices = [p.name for p in cell.params if p.shape[1] != SCALAR[1]]
    if options.scalar:
        cell = cell.scalar()
    when: When = options.objective or "sum"
    given = objective_from(cell, options, when, matrices)
    if given is None and options.objective is None:
        said = ClaimText(text, cell, options.syntax).meaning is not None
        return cell, None if said else loss(cell)
    return cell, given or loss(cell, last_only=when == "final")


def _json(cell: Cell, text: str, verdict: Verdict) -> str:
    result = {
        "cell": cell.name,
        "reading": cell.reading,
        "statement": text,
        "verdict": verdict.status,
        "scope": verdict.scope,
        "conditions": list(verdict.conditions),
        "how": list(verdict.how),
        "witness": None if verdict.witness is None else _witness(verdict.witness),
        "explanation": repr(verdict),
    }
    return json.dumps(result, ensure_ascii=False, indent=2)


def _witness(witness: Witness) -> dict[str, Any]:
    return {
        "T": witness.horizon,
        "times": dict(witness.times),
        "sizes": dict(witness.sizes),
        "values": dict(witness.values),
        "entry": None if witness.entry is None else list(witness.entry),
        "left": witness.left,
        "right": witness.right,
        "exact": witness.exact,
        "program": witness.numpy_lines(),
    }


__all__ = ["add_check", "check_command"]
