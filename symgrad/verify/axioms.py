"""Proofs of the table's entries: each claimed derivative against the function's definition.

σ = E/(1+E), tanh = (E²-1)/(E²+1) with E = exp(x) and dE = E dx turn a claimed derivative
into an identity of rational functions in E, which is decided exactly. The claim comes
in as a formula: nothing here reads the table of derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from symgrad.lang.algebra import Value
from symgrad.lang.nodes import Node, Param, Primitive
from symgrad.lang.tape import Environment, Tape
from symgrad.verify.dual import Calls, Dual, Pair
from symgrad.verify.matrices import MatrixFunctions
from symgrad.verify.rational import RationalFunctions, generator
from symgrad.verify.verdict import Verdict


@dataclass(frozen=True)
class Entry:
    """A claimed derivative: ``claim`` is a formula in ``answer`` and ``argument``."""

    primitive: Primitive
    claim: Node
    answer: Param
    argument: Param

    def __str__(self) -> str:
        return f"{self.primitive.name}' = {self.claim!r} with ans = {self.primitive.name}(x)"


@dataclass(frozen=True)
class EntryProof:
    """The proof of an entry; ``replay`` decides it anew."""

    entry: Entry

    def replay(self) -> bool:
        return _holds(self.entry)


def _holds(entry: Entry) -> bool:
    definition = entry.primitive.definition
    if definition is None:
        raise ValueError(f"{entry.primitive.name} has no definition to prove its derivative from")
    base = RationalFunctions()
    x = generator("var", "x")
    pair: Pair = definition(Dual(base), Pair(x, base.one))
    values = {entry.answer.name: pair.value, entry.argument.name: x}
    claimed = Tape([entry.claim], base).run(Environment(values, _no_signal, {}))[0]
    slope: Value = Dual(base).tangent(pair)
    return bool(slope.same(claimed))


def _no_signal(label: str, time: int) -> Value:
    raise KeyError(f"{label} at {time}")


def prove_entry(entry: Entry) -> Verdict:
    """``proved`` or ``refuted``; a derivative through ``exp`` is always decided."""
    if _holds(entry):
        return Verdict(
            "proved",
            "every x",
            (f"{entry.primitive.name} = {entry.primitive.definition_text}",),
            proof=EntryProof(entry),
        )
    return Verdict(
        "refuted",
        "generic x",
        (
            f"the table says {entry}, but {entry.primitive.name} = "
            f"{entry.primitive.definition_text} has another derivative",
        ),
    )


def entry_calls(entries: Mapping[str, Entry], base: RationalFunctions | MatrixFunctions) -> Calls:
    """Entries as calls of ``Dual``: the call is an atom, its slope the claimed formula."""

    def pair(entry: Entry) -> tuple[Callable[[Value], Value], Callable[[Value, Value], Value]]:
        tape = Tape([entry.claim], base)

        def slope(value: Value, argument: Value) -> Value:
            names = {entry.answer.name: value, entry.argument.name: argument}
            return tape.run(Environment(names, _no_signal, {}))[0]

        return (lambda argument: base.call(entry.primitive.name, argument)), slope

    return {name: pair(entry) for name, entry in entries.items()}
