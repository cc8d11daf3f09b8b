"""``Cell``: the equations of one time step, checked when they are declared.

No calculus here. The same declaration is read as vector equations with symbolic
sizes and, through ``scalar()``, as scalar equations in which everything commutes.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from symgrad.cell.checks import check_cell
from symgrad.cell.hooks import hook
from symgrad.cell.passage import concatenated, has_concatenation, separated
from symgrad.cell.scalar import lower_case, scalar_node
from symgrad.errors import UsageError
from symgrad.lang.affine import t
from symgrad.lang.display import Displayable
from symgrad.lang.nodes import Node, Param, Signal, params_in, signals_in, walk
from symgrad.lang.program import Equation, Program, Sweep

Reading = Literal["vector", "scalar"]


@dataclass(frozen=True, init=False, repr=False)
class Cell(Displayable):
    """A recurrent cell.

    Args:
        name: a short name, such as ``lstm``.
        equations: pairs (signal, formula) in the order of evaluation; a formula may
            use inputs, parameters, the signals defined before it, and ``.prev`` of any.
        inputs: the signals given from outside.
        output: what a per-step loss looks at; default: ``y`` if it is declared, else the
            one signal that no equation uses, else ``h``, else that of the last equation.
        title, variant, source: for people: what it is, which of several conventions,
            and where it was published (paper and equation numbers).

    Raises:
        DeclarationError: the equations contradict themselves; the message names the
            equation, the names and the repair.

    Example:
        >>> n, m = sizes("n m")
        >>> h, x = signal("h", n), input_signal("x", m)
        >>> W, U = param("W", n, n), param("U", n, m)
        >>> cell = Cell("mine", [(h, tanh(W @ h.prev + U @ x))], inputs=[x])
    """

    display_kind: ClassVar[str] = "cell"

    name: str
    equations: tuple[Equation, ...]
    inputs: tuple[Signal, ...]
    output: Signal
    title: str
    variant: str
    source: str
    reading: Reading

    def __init__(
        self,
        name: str,
        equations: Iterable[tuple[Signal, Node]],
        *,
        inputs: Sequence[Signal] = (),
        output: Signal | None = None,
        title: str = "",
        variant: str = "",
        source: str = "",
    ) -> None:
        made = check_cell(name, tuple(equations), tuple(inputs), output)
        self._fill(name, made, tuple(inputs), output, title or name, variant, source, "vector")

    def _fill(
        self,
        name: str,
        equations: tuple[Equation, ...],
        inputs: tuple[Signal, ...],
        output: Signal | None,
        title: str,
        variant: str,
        source: str,
        reading: Reading,
    ) -> None:
        names = [equation.target.name for equation in equations]
        used = {s.name for s in signals_in(*[equation.value for equation in equations])}
        default = equations[names.index(default_output(names, used))].target
        chosen = default if output is None else output
        values = {
            "name": name,
            "equations": equations,
            "inputs": inputs,
            "output": chosen,
            "title": title,
            "variant": variant,
            "source": source,
            "reading": reading,
        }
        for field_name, value in values.items():
            object.__setattr__(self, field_name, value)

    def param(self, name: str) -> Param:
        """The parameter of a name.

        Raises:
            UsageError: there is none; the message lists those that there are.
        """
        found = next((p for p in self.params if p.name == self.declared_name(name)), None)
        if found is None:
            listed = ", ".join(p.name for p in self.params) or "none"
            raise UsageError(f"cell {self.name!r} has no parameter {name!r}; it has {listed}")
        return found

    @cached_property
    def params(self) -> tuple[Param, ...]:
        """The parameters, in the order in which they are first used."""
        return tuple(params_in(*[equation.value for equation in self.equations]))

    @cached_property
    def states(self) -> tuple[Signal, ...]:
        """The signals whose ``.prev`` is used, in the order of their equations."""
        lagged = {s.name for s in signals_in(*[e.value for e in self.equations]) if s.time == t - 1}
        return tuple(e.target for e in self.equations if e.target.name in lagged)

    @cached_property
    def signals(self) -> tuple[Signal, ...]:
        """The computed signals at time t, in the order of their equations."""
        return tuple(equation.target for equation in self.equations)

    @cached_property
    def size_names(self) -> tuple[str, ...]:
        """The names of the symbolic sizes, sorted."""
        shapes = [node.shape for e in self.equations for node in walk(e.value, e.target)]
        return tuple(sorted({name for shape in shapes for size in shape for name in size.names}))

    @cached_property
    def program(self) -> Program:
        """The forward pass: one sweep over t = 1..T."""
        return Program((Sweep(1, self.equations),), self.params, self.inputs, self.states)

    @property
    def is_scalar(self) -> bool:
        return self.reading == "scalar"

    def equation_of(self, signal: Signal) -> Node:
        """The right-hand side of a signal's equation at time t."""
        return next(e.value for e in self.equations if e.target.name == signal.name)

    def is_state(self, name: str) -> bool:
        return any(state.name == name for state in self.states)

    def scalar(self) -> Cell:
        """The same cell with all sizes 1; matrices and vectors print in lower case."""
        return self._scalar if self.reading == "vector" else self

    def separated(self) -> Cell:
        """The same cell with ``W_h h + W_x x`` for ``W [h; x]``.

        Raises:
            DeclarationError: a concatenation stands elsewhere than right of one matrix.
        """
        return self._with(separated(self.equations))

    def concatenated(self) -> Cell:
        """The same cell with ``W [u; v]`` for sums ``A u + B v``, as many papers write it."""
        return self._with(concatenated(self.equations))

    def _with(self, equations: tuple[Equation, ...]) -> Cell:
        return Cell(
            self.name,
            [(e.target, e.value) for e in equations],
            inputs=self.inputs,
            output=self.output,
            title=self.title,
            variant=self.variant,
            source=self.source,
        )

    @cached_property
    def _scalar(self) -> Cell:
        if has_concatenation(self.equations):
            return self.separated().scalar()
        cell = object.__new__(Cell)
        cell._fill(
            self.name,
            tuple(Equation(_signal(e.target), scalar_node(e.value)) for e in self.equations),
            tuple(_signal(s) for s in self.inputs),
            _signal(self.output),
            self.title,
            self.variant,
            self.source,
            "scalar",
        )
        return cell

    def unroll(self, T: int) -> Any:
        """The computation graph of T steps, a ``symgrad.graph.Graph``.

        The graph stands above this layer: it registers itself in ``cell.hooks``.
        """
        return hook("unroll", "symgrad.graph")(self, T)

    def declared_name(self, name: str) -> str | None:
        """The declared name that ``name`` means; either case is accepted."""
        names = [p.name for p in self.params] + [s.name for s in (*self.signals, *self.inputs)]
        if name in names:
            return name
        return next((known for known in names if lower_case(known) == lower_case(name)), None)


def default_output(names: Sequence[str], used: Container[str]) -> str:
    """The output among the signals of the equations, in their order, if none is named.

    ``used`` are those that some equation uses, in its step or the next.
    """
    for name in ("y", "y_hat"):
        if name in names:
            return name
    last = [name for name in names if name not in used]
    if len(last) == 1:
        return last[0]
    return "h" if "h" in names else names[-1]


def _signal(vector: Signal) -> Signal:
    scalar = scalar_node(vector)
    assert isinstance(scalar, Signal)
    return scalar
