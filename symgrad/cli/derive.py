"""``symgrad derive``: one derivative in one form, printed in one format."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import symgrad.render.register  # noqa: F401 (lets values show themselves in errors)
from symgrad.adjoint.objective import Objective, final, loss, summed
from symgrad.cell import Cell
from symgrad.cell.losses import with_loss, with_readout
from symgrad.cell.quantity import cell_param, read_name, read_signal, unknown
from symgrad.cli.loading import load_cell, passage
from symgrad.cli.proof import check_place, write_proof
from symgrad.cli.values import evaluated, read_values
from symgrad.derivation.question import Answer, FormName, Request, When
from symgrad.derivation.request import answer
from symgrad.errors import UsageError
from symgrad.evaluate import equation_text, python_text
from symgrad.lang.affine import T, t
from symgrad.lang.nodes import SCALAR, Node, Param, Signal
from symgrad.render.latex_math import latex
from symgrad.render.layout import Op, Row
from symgrad.render.notation import box
from symgrad.render.text_math import unicode_text


def derive_command(options: argparse.Namespace) -> int:
    """Derive, check, print; the verdict goes to stderr."""
    request = read_request(options)
    if options.proof is not None:
        check_place(options.proof)
    values = None if options.at is None else read_values(request.cell, options.at)
    found = answer(request)
    number = None
    if values is not None:
        number = evaluated(request, found, values)
    if options.proof is not None:
        write_proof(options.proof, request, found)
    printer = {"text": _text, "latex": _latex, "python": _python, "json": _json}[options.format]
    print(printer(request, found, number))
    if options.format != "json":
        print(f"symgrad: {found.verdict!r}", file=sys.stderr)
    return 3 if found.verdict.status == "undecided" else 0


def read_request(options: argparse.Namespace) -> Request:
    """The question that the options ask.

    Raises:
        UsageError: names, times or options that do not go together.
    """
    cell = passage(load_cell(options.cell), options)
    if options.readout or options.loss not in (None, "generic"):
        if options.of != "L":
            raise UsageError("--loss and --readout are about L: ask --of L")
        cell = with_readout(cell) if options.readout else cell
        cell = cell if options.loss in (None, "generic") else with_loss(cell, options.loss)
    elif options.of != "L" and (options.mean or options.decay):
        raise UsageError("--mean and --decay are about L: ask --of L")
    matrices = [p.name for p in cell.params if p.shape[1] != SCALAR[1]]
    if options.scalar or options.format == "python" or options.input or options.at:
        if not options.scalar and options.format == "python":
            print("symgrad: --format python prints the scalar reading", file=sys.stderr)
        cell = cell.scalar()
    of = _quantity(cell, options.of)
    if of is None and options.objective == "final" and options.loss not in (None, "generic"):
        # The last loss alone is a signal at T like any other.
        if options.mean or options.decay:
            raise UsageError("--mean and --decay go with a sum of losses, not with the last alone")
        of = cell.output.at(T)
    wrt = None if options.wrt is None else read_name(cell, options.wrt)
    if options.T is not None and options.T < 0:
        raise UsageError(f"--T {options.T}: the horizon must be a nonnegative integer")
    when: When = options.objective or ("sum" if of is None else "final")
    form: FormName = options.form or ("closed" if options.input or wrt is None else "expanded")
    if options.input and form != "closed":
        raise UsageError(f"--input gives a closed form; it cannot go with --form {form}")
    if wrt is None and form != "closed":
        raise UsageError(f"--form {form} needs --wrt NAME; without it there is the closed form")
    along = tuple(part.strip() for part in options.along.split(",")) if options.along else ()
    along = tuple(cell.declared_name(part) or part for part in along)
    for item in (of, wrt):
        if isinstance(item, Signal):
            _check_time(cell, item)
    if isinstance(wrt, Signal) and of is not None:
        _check_order(of, wrt)
    return Request(
        cell,
        of,
        wrt,
        form,
        when,
        options.immediate,
        along,
        options.T,
        options.input,
        objective_from(cell, options, when, matrices) if of is None else None,
    )


def objective_from(
    cell: Cell, options: argparse.Namespace, when: When, matrices: list[str]
) -> Objective | None:
    """L, where it is more than a sum of unknown losses."""
    known = options.loss not in (None, "generic")
    if not (known or options.mean or options.decay):
        return None
    if known:
        found = final(cell) if when == "final" else summed(cell)
    else:
        found = loss(cell, last_only=when == "final")
    if options.mean:
        found = found.over_mean()
    if not options.decay:
        return found
    return found.with_decay(*_decayed(cell, options.decay, matrices))


def _decayed(cell: Cell, text: str, matrices: list[str]) -> list[Param]:
    """The parameters of weight decay: those named, or with ``all`` every matrix.

    ``matrices``: those of the vector reading; in the scalar reading they are numbers.
    """
    if text == "all":
        if not matrices and cell.params:
            listed = ",".join(p.name for p in cell.params)
            raise UsageError(f"--decay all: {cell.name!r} has no matrix; name them: {listed}")
        return [cell.param(name) for name in matrices]
    found: list[Param] = []
    for part in text.split(","):
        parameter = cell_param(cell, part.strip())
        if parameter is None:
            raise unknown(cell, part.strip())
        found.append(parameter)
    return found


def _quantity(cell: Cell, text: str) -> Signal | None:
    if text == "L":
        return None
    found = read_signal(cell, text)
    if found is None:
        raise UsageError(f"--of {text!r} is a parameter; ask for a signal with its time, or L")
    if found.name in {x.name for x in cell.inputs}:
        raise UsageError(f"--of {text!r} is an input, which depends on nothing")
    if found not in [s.at(found.time) for s in cell.signals]:
        raise unknown(cell, text)
    return found


def _check_time(cell: Cell, item: Signal) -> None:
    time = item.time
    if time.is_const and time.const == 0 and not cell.is_state(item.name):
        raise UsageError(f"{item!r}: only states have a value at time 0")
    if time.names and time.const > 0:
        (letter,) = time.names
        raise UsageError(
            f"{item!r}: write the later of two times as {letter}, the other as {letter}-1"
        )


def _check_order(of: Signal, wrt: Signal) -> None:
    """A quantity at T, t or a number, with respect to something earlier."""
    if of.time.is_const and not wrt.time.is_const:
        raise UsageError(f"{of!r} stands at a number; ask --wrt with a number as well")
    if wrt.time == of.time == T:
        raise UsageError(f"{wrt!r} and {of!r} stand at the same time; ask --wrt {wrt.name}_k")
    if of.time.is_const or of.time.names == wrt.time.names:
        return
    if of.time not in (T, t):
        raise UsageError(f"--of {of!r}: ask for {of.at(T)!r} or {of.at(t)!r}")
    if "T" in wrt.time.names:
        raise UsageError(f"{of!r} does not depend on {wrt!r}, which comes later")


# ---- formats ---------------------------------------------------------------------------


def _statement(request: Request, left: Node, right: Node) -> Row:
    reading = request.cell.reading
    return Row((box(left, reading=reading), Op("=", "relation"), box(right, reading=reading)))


def _text(request: Request, found: Answer, number: str | None) -> str:
    lines = []
    for line in found.lines:
        text = unicode_text(_statement(request, line.left, line.right))
        lines.append(f"{text}   for {line.condition}" if line.condition else text)
    for left, right in found.where:
        lines.append(f"where {unicode_text(_statement(request, left, right))}")
    if number is not None:
        lines.append(f"value: {number}")
    return "\n".join(lines)


def _latex(request: Request, found: Answer, number: str | None) -> str:
    lines = []
    for line in found.lines:
        text = latex(_statement(request, line.left, line.right))
        lines.append(rf"{text} \qquad ({_latex_range(line.condition)})" if line.condition else text)
    for left, right in found.where:
        lines.append(latex(_statement(request, left, right)))
    if number is not None:
        lines.append(f"% value: {number}")
    return "\n".join(lines)


def _latex_range(condition: str) -> str:
    return condition.replace("≤", r"\le").replace("≥", r"\ge")


def _python(request: Request, found: Answer, number: str | None) -> str:
    if found.single:
        form = found.form
        lines = [python_text(found.lines[-1].right if form is None else form.full)]
    else:
        lines = [equation_text(line.left, line.right) for line in found.lines]
    if number is not None:
        lines.append(f"# value: {number}")
    return "\n".join(lines)


def _json(request: Request, found: Answer, number: str | None) -> str:
    scalar = request.cell.is_scalar
    equations = []
    for line in found.lines:
        entry: dict[str, Any] = {
            "left": unicode_text(box(line.left, reading=request.cell.reading)),
            "right": unicode_text(box(line.right, reading=request.cell.reading)),
            "condition": line.condition,
            "latex": latex(_statement(request, line.left, line.right)),
        }
        if scalar:
            form = found.form
            entry["python"] = python_text(line.right if form is None else form.full)
        equations.append(entry)
    verdict = found.verdict
    result = {
        "cell": request.cell.name,
        "reading": request.cell.reading,
        "form": request.form,
        "equations": equations,
        "where": [
            {
                "left": unicode_text(box(left, reading=request.cell.reading)),
                "right": unicode_text(box(right, reading=request.cell.reading)),
            }
            for left, right in found.where
        ],
        "verdict": verdict.status,
        "scope": verdict.scope,
        "conditions": list(verdict.conditions),
        "how": list(verdict.how),
        "value": number,
    }
    return json.dumps(result, ensure_ascii=False, indent=2)


__all__ = ["derive_command", "objective_from", "read_request"]
