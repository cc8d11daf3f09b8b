"""What is known of a cell, as equations between formulas: to prove claims about it.

A derivative is the form that symgrad derives and proves; a call such as tanh(W x_t + U h_{t-1})
is the signal that the cell names so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from symgrad.adjoint import Gradient
from symgrad.adjoint.reverse import lam
from symgrad.cell import Cell
from symgrad.closed import closed_form, expanded_form, forward_form
from symgrad.closed.forms import Form
from symgrad.closed.solutions import direct_form
from symgrad.derivation.claiming import stated_value
from symgrad.errors import SymgradError
from symgrad.lang.affine import Affine, T, as_affine, symbol, t
from symgrad.lang.nodes import (
    Apply,
    Derivative,
    Node,
    Param,
    Signal,
    signals_in,
    substitute_indices,
)
from symgrad.lang.program import at_last_step, before_last_step
from symgrad.verify.regions import Region
from symgrad.verify.resolution import Open, Unresolved
from symgrad.verify.sameness import Sameness

#: Which forms: expanded; closed; closed with the states closed too; a state from its own equation.
Kind: TypeAlias = Literal["expanded", "closed", "written out", "direct"]
KINDS: tuple[Kind, ...] = ("expanded", "closed", "written out", "direct")

_k = symbol("k")
_ZERO = as_affine(0)


@dataclass
class Known:
    """Rewrites derivatives, states and calls; collects the forms that it used.

    ``states``: the signals that are rewritten where only some are.
    """

    cell: Cell
    kind: Kind
    states: frozenset[str] = frozenset()
    used: dict[Node, Form] = field(default_factory=dict)

    def __call__(self, node: Node, region: Region) -> Node:
        """What a node is equal to, where that is known; else the node.

        Raises:
            Open: it holds in a part of the region.
            Unresolved: no form of a derivative is known there.
        """
        if isinstance(node, Derivative):
            return self._derivative(node, region)
        if isinstance(node, Signal) and not node.adjoint:
            return self._state(node, region)
        if isinstance(node, Apply) and node.head.elementwise:
            return self._call(node, region)
        return node

    def _call(self, node: Apply, region: Region) -> Node:
        """The signal that a call is, unless that signal is written out as the call again."""
        found = named_call(self.cell, node, region)
        written = isinstance(found, Signal) and self._state(found, region) is not found
        return node if written else found

    # ---- derivatives and states ----

    def _derivative(self, node: Derivative, region: Region) -> Node:
        of, wrt = node.of, node.wrt
        if not isinstance(of, Signal) or node.kind not in ("total", "restricted"):
            raise Unresolved(f"{node!r}")
        at = {"T": of.time}
        if isinstance(wrt, Param):
            return self._put(self._form(of.at(T), wrt, node.along), at, region)
        if not isinstance(wrt, Signal):
            raise Unresolved(f"{node!r}")
        if wrt.time == _ZERO:
            return self._put(self._form(of.at(T), wrt, node.along), at, region)
        form = self._form(of.at(T), wrt.at(_k), node.along)
        return self._put(form, {**at, "k": wrt.time}, region)

    def _form(self, of: Signal, wrt: Node, along: tuple[str, ...]) -> Form:
        try:
            if self.kind in ("expanded", "direct") or along:
                return expanded_form(self.cell, of, wrt, along=along)
            return closed_form(self.cell, of, wrt)
        except SymgradError as error:
            raise Unresolved(str(error)) from None

    def _state(self, node: Signal, region: Region) -> Node:
        if self.kind != "written out" and not (self.kind == "direct" and node.name in self.states):
            return node
        of = next((s for s in self.cell.signals if s.name == node.name), None)
        if of is None or node.time == _ZERO or region.implies(-node.time):
            return node
        if not region.implies(node.time - 1):
            raise Open(node.time - 1)
        try:
            form = (
                direct_form(self.cell, of.at(t))
                if self.kind == "direct"
                else forward_form(self.cell, of.at(T))
            )
        except SymgradError:
            return node
        return self._put(form, {"T": node.time}, region)

    def _put(self, form: Form, at: dict[str, Affine], region: Region) -> Node:
        """The form at some times, where it holds there."""
        needed = [T - form.first_horizon]
        for name, low, last in form.times:
            needed += [symbol(name) - low, last - symbol(name)]
        within(region, *(bound.substitute(at) for bound in needed))
        self.used[form.left] = form
        return substitute_indices(form.full, at)


class Adjoints:
    """Rewrites dL/dq_t as λ_t, adjoints that their own step gives, such as δ_t, and calls."""

    def __init__(self, gradient: Gradient) -> None:
        self.gradient = gradient
        values = {e.target.label: e.value for e in gradient.equations}
        values |= {
            f"lam_{name}": value
            for name, value in gradient.adjoints.items()
            if f"lam_{name}" not in values
        }
        #: Adjoints that no later step has a part in, with their values at t.
        self.within_step = {
            label: value
            for label, value in values.items()
            if at_last_step(value) is before_last_step(value)
        }

    def __call__(self, node: Node, region: Region) -> Node:
        """What a node is equal to, where that is known; else the node.

        Raises:
            Open: it holds in a part of the region.
            Unresolved: a derivative that is none of L.
        """
        if isinstance(node, Derivative):
            return self._derivative(node, region)
        if isinstance(node, Signal) and node.label in self.within_step and node.time != _ZERO:
            within(region, node.time - 1, T - node.time)
            return substitute_indices(self.within_step[node.label], {"t": node.time})
        if isinstance(node, Apply) and node.head.elementwise:
            return named_call(self.gradient.cell, node, region)
        return node

    def _derivative(self, node: Derivative, region: Region) -> Node:
        wrt = node.wrt
        if node.kind != "gradient" or not isinstance(wrt, Param | Signal):
            raise Unresolved(f"{node!r}")
        if isinstance(wrt, Signal):
            within(region, wrt.time, T - wrt.time)
            if not wrt.adjoint:
                return lam(wrt)
        value = stated_value(self.gradient, wrt)
        if value is None:
            raise Unresolved(f"{node!r}")
        return value


def within(region: Region, *needed: Affine) -> None:
    """Nothing, where each form is at least 0 in the region.

    Raises:
        Open: one is so in a part of it.
        Unresolved: one is so nowhere.
    """
    for form in needed:
        if region.excludes(form):
            raise Unresolved(f"{form} is negative")
        if not region.implies(form):
            raise Open(form)


def named_call(cell: Cell, node: Apply, region: Region) -> Node:
    """The signal of the cell that a call is, such as h_t of tanh(W x_t + U h_{t-1})."""
    for equation in cell.equations:
        value = equation.value
        if not isinstance(value, Apply) or value.key != node.key or value.shape != node.shape:
            continue
        for time in _times(value, node):
            at_time = substitute_indices(value, {"t": time})
            if Sameness(at_time.args[0], node.args[0], region).relations() != ():
                continue  # another argument, or the same by a relation that would not be listed
            if region.implies(time - 1):
                return equation.target.at(time)
            if not region.excludes(time - 1):
                raise Open(time - 1)
    return node


def _times(value: Node, node: Node) -> Iterator[Affine]:
    """The times at which an equation could be what a call says, from the signals in both."""
    offsets = {(s.label, s.time - t) for s in signals_in(value)}
    found = {
        item.time - offset
        for item in signals_in(node)
        for label, offset in offsets
        if label == item.label and not item.time.names & _bound(item)
    }
    yield from sorted(found)


def _bound(item: Signal) -> frozenset[str]:
    return frozenset(name for name in item.time.names if name.startswith("#"))
