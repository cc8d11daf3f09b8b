"""Statements about a few steps, ``dc_t/dc_{t-1} = f_t``: proved at one of them, so at all."""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.cell import Cell
from symgrad.derivation.evidence import Evidence
from symgrad.judge.times import earliest, times_of
from symgrad.lang.affine import Affine
from symgrad.lang.nodes import Derivative, Node, Signal, signals_in, substitute_indices, walk
from symgrad.verify.onestep import same_at_every_time
from symgrad.verify.verdict import Verdict


@dataclass(frozen=True)
class Steps:
    """The letter of a statement of few steps, how many they are, and how far back they end."""

    letter: str
    count: int
    shift: int


def steps_of(cell: Cell, left: Node, right: Node) -> Steps | None:
    """The steps that a statement is about; None where it is about the whole run."""
    signals = signals_in(left, right)
    letters = {letter for item in signals for letter in item.time.names}
    if len(letters) != 1 or not same_at_every_time(left, right):
        return None
    if any(item.time.is_const for item in signals):
        return None
    (letter,) = letters
    # What the states bring along is one tangent: for one parameter, or for none.
    by = {node.wrt for node in walk(left, right) if isinstance(node, Derivative)}
    of_one = cell.is_scalar and len(by) == 1
    if not of_one and any(not isinstance(wrt, Signal) for wrt in by):
        return None
    later = max(item.time.const for item in signals)
    gap = max(earliest(cell, item) - item.time.const for item in signals)
    if any(item.time.coefficient(letter) != 1 for item in signals):
        return None
    return Steps(letter, gap + later, -later) if later <= 0 and gap + later >= 1 else None


def judged_at_a_step(
    evidence: Evidence, steps: Steps, left: Node, right: Node, stated: tuple[Affine, ...]
) -> Verdict:
    """The verdict on a statement of a few steps.

    Args:
        stated: the range behind it, which decides at which step the proof may begin.
    """
    letter, first = steps.letter, steps.count + steps.shift
    if not stated:
        # The same at the latest times: h_{t-8} is a state like h_t.
        there = {letter: Affine(((letter, 1),), steps.shift)}
        left, right = (substitute_indices(side, there) for side in (left, right))
        times = times_of(evidence.cell, left, right)
        return evidence.one_step(
            left,
            right,
            times=times.times,
            horizon=steps.count,
            indices={letter: steps.count} if letter != "T" else {},
            scope=f"all {letter} ≥ {first}",
            first=max(times.first(), steps.count),
            later=True,
        )
    times = times_of(evidence.cell, left, right, stated)
    # Behind the first time the states before follow from those before them.
    later = min(times.first(letter) - first, 1)
    return evidence.one_step(
        left,
        right,
        times=times.times,
        horizon=steps.count + later,
        indices={letter: first + later},
        scope=f"all {letter} ≥ {first + later}",
        first=times.first(),
        last=times.last,
        later=not later,
    )
