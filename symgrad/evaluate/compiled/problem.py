"""Arguments of one run, checked: names, shapes, sizes, the batch and the horizon.

What users pass has time first, then the batch, then entries: (T, B, m). Inside, entries come
before the batch, so that one entry of all samples is one contiguous run of memory:

    quantity        user, without / with batch      inside, shared / per sample
    scalar          ()      (B,)                    ()        (B,)
    vector          (n,)    (B, n)                  (n, 1)    (n, B)
    matrix          (n, m)  (B, n, m)               (n, m)    (n, m, B)
    over time       (T, …) in front                 (T, …, B)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np

from symgrad.errors import UsageError
from symgrad.evaluate.compiled.plan import Plan, Value
from symgrad.lang.affine import ONE, Affine

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
#: Makes an array of a backend's numbers from a value; the text says whose it is.
Convert: TypeAlias = Callable[[Any, str], Array]
#: The size of the batch among the other sizes: a size of a cell may be called B, too.
_BATCH = "the batch B"


@dataclass
class Problem:
    """Arguments in the layout used inside.

    Attributes:
        T, B: the horizon and the number of samples (1 without a batch).
        batched: whether any argument has a batch axis.
        sizes: value of n, m, ….
        params: by name; per sample where the name is in ``varying``, else shared.
        inputs, given: by label, over time (``given`` at the last step only for a final
            objective, and for the cotangent), per sample.
        initial: by state, per sample.
        shared: labels of the inputs and states that the user gave without a batch axis.
    """

    T: int
    B: int
    batched: bool
    sizes: dict[str, int]
    params: dict[str, Array]
    inputs: dict[str, Array]
    initial: dict[str, Array]
    given: dict[str, Array]
    varying: frozenset[str]
    shared: frozenset[str]


def rank_of(value: Value) -> int:
    """Axes of the entries: 0 for a scalar, 1 for a column, 2 for any other matrix."""
    return 0 if value.is_scalar else 1 if value.shape[1] == ONE else 2


def rows_of(value: Value, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The entries' axes as numbers: (), (n,) or (n, m)."""
    rank = rank_of(value)
    return tuple(size.value(sizes) for size in value.shape[:rank])


class Arguments:
    """Reads the arguments of runs of one plan; made once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        over_time = plan.when == "sum"
        self.params = _Kind("parameter", [_Slot(v, 0) for v in plan.params])
        self.inputs = _Kind("input", [_Slot(v, 1) for v in plan.inputs])
        self.initial = _Kind("initial state", [_Slot(v, 0) for v in plan.states])
        self.given = _Kind(
            "target, dl or cotangent",
            [_Slot(v, int(over_time and v.role == "given")) for v in plan.givens],
        )

    def problem(
        self,
        convert: Convert,
        params: Mapping[str, Any],
        inputs: Mapping[str, Any] | None,
        initial: Mapping[str, Any] | None,
        given: Mapping[str, Any] | None,
        T: int | None,
    ) -> Problem:
        """Check the arguments of one run and bring them into the layout used inside.

        Raises:
            UsageError: a name is missing or unknown, or shapes do not fit; says which and why.
        """
        reader = _Reader(self.plan, convert)
        number = isinstance(T, int | np.integer) and not isinstance(T, bool)
        if T is not None and not (number and T >= 0):
            raise UsageError(f"T={T!r}: the horizon is an integer, 0 or more")
        got = [
            reader.read(self.params, params, optional=not self.params.slots),
            reader.read(self.inputs, inputs, optional=not self.inputs.slots),
            reader.read(self.initial, initial, optional=True),
            reader.read(self.given, given, optional=given is None),
        ]
        if T is not None:
            reader.agree("T", int(T), "the argument T:", None)
        sizes = reader.settled()
        if "T" not in sizes:
            raise UsageError(
                f"{self.plan.name!r} has no input whose length gives the horizon: pass T="
            )
        horizon, batched, B = sizes.pop("T"), _BATCH in sizes, sizes.pop(_BATCH, 1)
        unknown = [name for name in self.plan.sizes if name not in sizes]
        if unknown:
            raise UsageError(
                f"no argument tells the size {unknown[0]} of {self.plan.name!r}; pass the initial "
                "state"
            )
        for slot in self.initial.slots:
            if slot.label not in got[2]:
                shape = rows_of(slot.value, sizes)
                got[2][slot.label] = convert(np.zeros(shape), slot.label)
        shared = {
            slot.label
            for kind, values in ((self.inputs, got[1]), (self.initial, got[2]))
            for slot in kind.slots
            if values[slot.label].ndim == slot.lead + slot.rank
        }
        varying = []
        for slot in self.params.slots:
            array = got[0][slot.label]
            if array.ndim > slot.rank:
                varying.append(slot.label)
                if slot.rank:
                    got[0][slot.label] = np.ascontiguousarray(np.moveaxis(array, 0, -1))
            elif slot.rank == 1:
                got[0][slot.label] = array[:, None]
        return Problem(
            horizon,
            B,
            batched,
            sizes,
            got[0],
            _spread(self.inputs, got[1], B),
            _spread(self.initial, got[2], B),
            _spread(self.given, got[3], B),
            frozenset(varying),
            frozenset(shared),
        )


class _Slot:
    """One argument: its label, whether time leads, and the sizes of its entries."""

    def __init__(self, value: Value, lead: int) -> None:
        self.value, self.label, self.lead = value, value.label, lead
        self.rank = rank_of(value)
        self.sizes = value.shape[: self.rank]

    @property
    def words(self) -> str:
        """The shapes that it may have: ``(T, m) or (T, B, m)``."""
        sizes = [str(size) for size in self.sizes]
        first = ["T"] * self.lead

        def text(parts: list[str]) -> str:
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"

        return f"{text([*first, *sizes])} or {text([*first, 'B', *sizes])}"


class _Kind:
    """The arguments of one kind, by label."""

    def __init__(self, what: str, slots: list[_Slot]) -> None:
        self.what, self.slots = what, slots
        self.labels = [slot.label for slot in slots]


class _Reader:
    """Collects arguments one by one; what two of them say about a size must agree."""

    def __init__(self, plan: Plan, convert: Convert) -> None:
        self.plan, self.convert = plan, convert
        self.sizes: dict[str, int] = {}
        self.origin: dict[str, str] = {}
        #: Sizes such as n + m that were read before n and m.
        self.waiting: list[tuple[Affine, int, str, Array, _Slot]] = []

    def settled(self) -> dict[str, int]:
        """The sizes, after those that had to wait for others were read too."""
        waiting, self.waiting = self.waiting, []
        for arguments in waiting:
            self._size(*arguments)
        return self.sizes if len(self.waiting) in (0, len(waiting)) else self.settled()

    def read(
        self, kind: _Kind, values: Mapping[str, Any] | None, *, optional: bool
    ) -> dict[str, Array]:
        """Arrays by label, with the axes the user gave; none at all where they are optional."""
        if values is None and optional:
            return {}
        listed = ", ".join(kind.labels) or "none"
        if not isinstance(values, Mapping):
            raise UsageError(
                f"{kind.what}s of {self.plan.name!r} must be a mapping by name ({listed}), got "
                f"{type(values).__name__}"
            )
        for name in values:
            if name not in kind.labels:
                near = get_close_matches(str(name), kind.labels, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise UsageError(
                    f"{self.plan.name!r} has no {kind.what} {name!r}; it has {listed}{hint}"
                )
        if not values and optional:
            return {}
        missing = [name for name in kind.labels if name not in values]
        if missing:
            raise UsageError(
                f"no value of {kind.what} {missing[0]!r} of {self.plan.name!r}; needed are {listed}"
            )
        return {slot.label: self._one(kind, slot, values[slot.label]) for slot in kind.slots}

    def _one(self, kind: _Kind, slot: _Slot, given: Any) -> Array:
        where = f"{kind.what} {slot.label!r} of {self.plan.name!r}"
        array = self.convert(given, where)
        batch = array.ndim - slot.lead - slot.rank
        if batch not in (0, 1):
            raise UsageError(f"{where} has shape {array.shape}; it must be {slot.words}")
        if slot.lead:
            self.agree("T", array.shape[0], where, array)
        if batch:
            if array.shape[slot.lead] == 0:
                raise UsageError(f"{where} has shape {array.shape}, a batch without a sample")
            self.agree(_BATCH, array.shape[slot.lead], where, array)
        for axis, size in enumerate(slot.sizes, slot.lead + batch):
            self._size(size, array.shape[axis], where, array, slot)
        return array

    def _size(self, size: Affine, number: int, where: str, array: Array, slot: _Slot) -> None:
        unknown = [name for name in size.names if name not in self.sizes]
        if not unknown:
            if size.value(self.sizes) != number:
                known = [f"{n} = {self.sizes[n]} from {self.origin[n]}" for n in size.names]
                told = f" with {', '.join(known)}" if known else ""
                raise UsageError(f"{where} has shape {array.shape}; it must be {slot.words}{told}")
        elif len(unknown) == 1:
            (name,) = unknown
            others = sum(c * self.sizes[other] for other, c in size.terms if other != name)
            value, rest = divmod(number - size.const - others, size.coefficient(name))
            if rest or value < 1:
                raise UsageError(f"{where} has shape {array.shape}; it must be {slot.words}")
            self.agree(name, value, where, array)
        else:
            self.waiting.append((size, number, where, array, slot))

    def agree(self, name: str, number: int, where: str, array: Array | None) -> None:
        """Note a size, or refuse one that contradicts another argument."""
        before = self.sizes.setdefault(name, number)
        if before != number:
            shape = "" if array is None else f" has shape {array.shape}, so"
            raise UsageError(
                f"{where}{shape} {name} = {number}, but {name} = {before} from {self.origin[name]}"
            )
        self.origin.setdefault(name, where)


def _spread(kind: _Kind, values: dict[str, Array], B: int) -> dict[str, Array]:
    """With the batch at the end; what all samples share is seen B times."""
    result = {}
    for slot in kind.slots:
        if slot.label not in values:
            continue
        array = values[slot.label]
        if array.ndim == slot.lead + slot.rank:
            array = np.broadcast_to(array[..., None], (*array.shape, B))
        elif slot.rank:
            array = np.moveaxis(array, slot.lead, -1)
        result[slot.label] = array
    return result


def real_array(value: Any, where: str) -> Array:
    """An array of float64.

    Raises:
        UsageError: it holds something else.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{array.dtype} holds no real numbers of at most 64 bits")
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where} is no array of numbers: {error}") from None


def with_own_arrays(problem: Problem) -> Problem:
    """The same problem in arrays that belong to nobody else and may be written into."""

    def own(arrays: dict[str, Array]) -> dict[str, Array]:
        return {key: np.array(array) for key, array in arrays.items()}

    return replace(
        problem,
        params=own(problem.params),
        inputs=own(problem.inputs),
        initial=own(problem.initial),
        given=own(problem.given),
    )
