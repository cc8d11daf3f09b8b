"""Buffers of one step: a linear scan over its units, each buffer free after its last use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from symgrad.evaluate.compiled.packs import WHOLE, Packing
from symgrad.evaluate.compiled.plan import Operand, Value
from symgrad.evaluate.compiled.units import Home, Unit
from symgrad.lang.base import Shape


class Buffers:
    """Allots buffers to homes; sections that follow each other use the same ones."""

    def __init__(self, shapes: list[tuple[int, Shape]]) -> None:
        self.shapes = shapes

    def plan(
        self,
        packing: Packing,
        units: list[Unit],
        fixed: set[Value] | set[Operand],
        alias: Mapping[Value, Operand],
        results: Iterable[Operand],
    ) -> list[tuple[dict[Home, int], int | None]]:
        """For each unit the buffers of the homes that begin there, and its scratch buffer."""

        def home_of(operand: Operand) -> Home | None:
            while isinstance(operand, Value) and operand in alias:
                operand = alias[operand]
            if not isinstance(operand, Value) or operand in fixed:
                return None
            if operand not in ours or not packing.varies(operand):
                return None
            return packing.home(operand)

        ours = {target for unit in units for target in made_by(unit)}
        last: dict[Home, int] = {}
        for number, unit in enumerate(units):
            for operand in (*unit.operands, *made_by(unit)):
                home = home_of(operand)
                if home is not None:
                    last[home] = number
        # What the end of the step reads is never free.
        last.update({home: len(units) for o in results if (home := home_of(o)) is not None})
        free: list[int] = list(range(len(self.shapes)))
        where: dict[Home, int] = {}
        result: list[tuple[dict[Home, int], int | None]] = []
        for number, unit in enumerate(units):
            new: dict[Home, int] = {}
            for target in made_by(unit):
                home = home_of(target)
                if home is not None and home not in where:
                    dying = self._reusable(unit, number, last, where, home_of)
                    key = (home.count, target.shape)
                    if dying is not None and self.shapes[where[dying]] == key:
                        buffer = where[dying]
                        # It passes on: not free when its old owner ends.
                        last[dying] = -1
                    else:
                        buffer = self._take(free, key)
                    new[home] = where[home] = buffer
            scratch = None
            if unit.kind == "accumulate" and unit.ops:
                scratch = self._take(free, (len(unit.ops), unit.ops[0].target.shape))
                free.append(scratch)
            free += [where[home] for home, end in last.items() if end == number]
            free.sort()
            result.append((new, scratch))
        return result

    def _take(self, free: list[int], key: tuple[int, Shape]) -> int:
        for buffer in free:
            if self.shapes[buffer] == key:
                free.remove(buffer)
                return buffer
        self.shapes.append(key)
        return len(self.shapes) - 1

    def _reusable(
        self,
        unit: Unit,
        number: int,
        last: Mapping[Home, int],
        where: Mapping[Home, int],
        home_of: Callable[[Operand], Home | None],
    ) -> Home | None:
        """The home of a first or second argument that nobody reads after this unit.

        NumPy may write over an argument of the same call; a third argument is read by a
        later call and must still be there.
        """
        if unit.kind not in ("one", "group") or unit.ops[0].head in WHOLE:
            return None
        columns = list(zip(*[op.args for op in unit.ops], strict=True))
        later = {home_of(o) for column in columns[2:] for o in column}
        for column in columns[:2]:
            homes = {home_of(o) for o in column}
            (home, *others) = homes
            if home is None or others or home in later or last.get(home) != number:
                continue
            if home in where and tuple(home.values) == tuple(column):
                return home
        return None


def made_by(unit: Unit) -> tuple[Value, ...]:
    """The values that a unit assigns."""
    if unit.kind == "accumulate":
        return ()
    return (unit.ops[0].target,) if unit.kind == "sum" else tuple(op.target for op in unit.ops)
