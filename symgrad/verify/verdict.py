"""Verdicts: what is known about an equation, for which scope, and why. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

from symgrad.lang.display import Displayable

Status = Literal["given", "proved", "checked", "tested", "refuted", "undecided"]

#: From strongest to weakest among those that let a document build.
STRENGTH: dict[str, int] = {"given": 0, "proved": 1, "checked": 2, "tested": 3}


@dataclass(frozen=True)
class Witness:
    """Where two sides differ: the horizon, the sizes, the values put in, both results.

    Attributes:
        horizon: T; None where the statement has none.
        sizes: n, m, … in the vector reading.
        values: every number put in, zeros included.
        left, right: both sides there: fractions where ``exact``, else certified decimals.
        times: the free times of the statement at which they differ.
        entry: which entry of both sides, counted from 0, where they are matrices.
        exact: no function had to be rounded: tanh 0 = 0, σ(0) = 1/2, exp 0 = 1.
        lines: a NumPy program that prints both sides.
    """

    horizon: int | None
    sizes: tuple[tuple[str, int], ...]
    values: tuple[tuple[str, str], ...]
    left: str
    right: str
    times: tuple[tuple[str, int], ...] = ()
    entry: tuple[int, int] | None = None
    exact: bool = False
    lines: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        where = [] if self.horizon is None else [f"T = {self.horizon}"]
        where += [f"{name} = {value}" for name, value in (*self.times, *self.sizes)]
        where += [f"{name} = {value}" for name, value in self.values if value != "0"]
        zeros = sum(value == "0" for _, value in self.values)
        if zeros:
            where.append("all other values 0" if zeros < len(self.values) else "all values 0")
        place = ", ".join(where) or "everywhere"
        entry = "" if self.entry is None else f", entry {list(self.entry)}"
        return f"at {place}{entry}: left side {self.left}, right side {self.right}"

    def numpy_lines(self) -> str:
        """A short NumPy program that prints the left side and the right side; "" if none."""
        return "\n".join(self.lines)


class Replayable(Protocol):
    """A proof that can be decided anew."""

    def replay(self) -> bool:
        """Whether it holds."""
        ...


@dataclass(frozen=True, repr=False)
class Verdict(Displayable):
    """A status with its scope and evidence.

    Attributes:
        status: given, proved, checked, tested, refuted or undecided.
        scope: for which T, sizes and conditions, in words.
        how: one line per piece of evidence.
        witness: for ``refuted``.
        proof: for ``proved``: an object that can be recomputed (``replay``).
        conditions: where the sides have a value: ``w ≠ 1``; outside nothing is said.
    """

    display_kind: ClassVar[str] = "verdict"

    status: Status
    scope: str = ""
    how: tuple[str, ...] = ()
    witness: Witness | None = None
    proof: Replayable | None = None
    conditions: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        raise TypeError(
            "a verdict is neither true nor false; ask verdict.holds, or compare verdict.status"
        )

    @property
    def holds(self) -> bool:
        """Whether a document may show the equation."""
        return self.status in STRENGTH

    @property
    def whole_scope(self) -> str:
        """The scope with the conditions."""
        parts = [self.scope, f"where {' and '.join(self.conditions)}" if self.conditions else ""]
        return ", ".join(part for part in parts if part)

    def reaches(self, least: str) -> bool:
        """At least as strong as ``least`` (``given`` counts as reached)."""
        return self.holds and STRENGTH[self.status] <= STRENGTH[least]

    def plain_text(self) -> str:
        parts: list[str] = [self.status]
        if self.whole_scope:
            parts.append(f"for {self.whole_scope}" if self.scope else self.whole_scope)
        if self.how:
            parts.append("; ".join(self.how))
        if self.witness is not None:
            parts.append(str(self.witness))
        return ": ".join([parts[0], ", ".join(parts[1:])]) if len(parts) > 1 else parts[0]

    def __repr__(self) -> str:
        return self.plain_text()


GIVEN = Verdict("given")


def weakest(verdicts: list[Verdict]) -> Verdict:
    """The verdict that decides whether all hold."""
    order: list[str] = [*STRENGTH, "undecided", "refuted"]
    return max(verdicts, key=lambda verdict: order.index(verdict.status))
