"""The lines of an unrolled gradient against the program that the verdict is about."""

from __future__ import annotations

from typing import Any

from symgrad.adjoint.reverse import Gradient
from symgrad.derivation.claiming import given_nodes
from symgrad.errors import FailedCheck
from symgrad.evaluate.unrolled import StraightLine
from symgrad.lang.algebra import PrimeField, Value
from symgrad.lang.nodes import Node, Param, Signal, const
from symgrad.lang.program import Program, Runner
from symgrad.lang.tape import Environment, Tape
from symgrad.verify.claims import all_sizes
from symgrad.verify.sampling import Sampler, residues

#: Random points: other ones where a denominator vanishes.
_SEEDS = range(5)


def check_lines(
    gradient: Gradient, program: Program, lines: StraightLine, wrt: Node, result: Node
) -> None:
    """Compute what is printed, line by line, and compare it with a run of the program.

    Raises:
        FailedCheck: they differ modulo a prime at a random point.
    """
    cell = gradient.cell
    sizes = dict(() if cell.is_scalar else all_sizes(cell.size_names)[1])
    for seed in _SEEDS:
        algebra = PrimeField(seed=seed)
        sampler = Sampler(residues(algebra), sizes, scalar=cell.is_scalar)
        given = given_nodes(cell, program, const(0), const(0), gradient.objective)
        inputs = sampler.inputs(program, given)
        try:
            trace = Runner(program, algebra).run(inputs, lines.horizon)
            printed = _computed(lines, result, inputs, algebra)
        except ZeroDivisionError:
            continue
        if isinstance(wrt, Param):
            wanted = trace.totals[wrt.name]
        else:
            assert isinstance(wrt, Signal)
            assert isinstance(result, Signal)
            wanted = trace.values[result.label, result.time.const]
        if not algebra.equal(printed, wanted):
            raise FailedCheck(f"the unrolled lines of dL/d{wrt!r} are not the derived gradient")
        return


def _computed(lines: StraightLine, result: Node, inputs: Any, algebra: PrimeField) -> Value:
    signals: dict[tuple[str, int], Value] = {}
    names: dict[Node, Value] = {}

    def signal(label: str, time: int) -> Value:
        if (label, time) in signals:
            return signals[label, time]
        if time == 0 and label in inputs.initial:
            return inputs.initial[label]
        return inputs.signals(label, time)

    env = Environment(inputs.params, signal, {"T": lines.horizon}, inputs.sizes)
    env.named = lambda node: names[node]
    for line in lines.assignments:
        value = Tape([line.value], algebra).run(env)[0]
        if isinstance(line.target, Signal):
            signals[line.target.label, line.target.time.const] = value
        else:
            names[line.target] = value
    return Tape([result], algebra).run(env)[0]
