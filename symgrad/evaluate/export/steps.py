"""The statements of one step, forwards and backwards, and every name that occurs in them."""

from __future__ import annotations

from collections.abc import Iterable

from symgrad.adjoint import Gradient
from symgrad.adjoint.objective import loss_gradient, target
from symgrad.cell import Cell
from symgrad.errors import NotSupportedYet
from symgrad.evaluate.export.dialects import Dialect
from symgrad.evaluate.export.expressions import Expressions
from symgrad.evaluate.export.names import Names, quoted
from symgrad.evaluate.export.parts import is_batched, kind
from symgrad.evaluate.export.repeated import repeated
from symgrad.evaluate.export.sums import batch_sum
from symgrad.evaluate.export.wrapping import comment, statement
from symgrad.lang.affine import symbol, t
from symgrad.lang.nodes import (
    Apply,
    Iverson,
    Node,
    Param,
    Signal,
    signal,
    signals_in,
    walk,
)
from symgrad.lang.program import Equation
from symgrad.lang.text import text as plain
from symgrad.ops import GENERIC
from symgrad.ops.parts import is_zero


class Steps:
    """Everything that the writers of functions arrange.

    Attributes:
        helpers: functions the module must define, in their order.
        generic: names of generic activations and their derivatives, by head.
    """

    def __init__(self, cell: Cell, gradient: Gradient, dialect: Dialect) -> None:
        self.cell, self.gradient, self.dialect = cell, gradient, dialect
        self.objective = gradient.objective
        self.helpers: dict[str, None] = {}
        self.generic: dict[str, str] = {}
        self.sizes: dict[str, str] = {}
        self.names = Names(_helper_names())
        # Before any name of our own: what is declared keeps its name where it can.
        for param in cell.params:
            self.leaf(param)
        for signal_t in cell.signals:
            self.leaf(signal_t)
        self.write = Expressions(dialect, self.leaf, self.function, self.size, flat=cell.is_scalar)

    # ---- names -----------------------------------------------------------------------

    def leaf(self, node: Node) -> str:
        """What a parameter or a signal is called within a step."""
        if isinstance(node, Param):
            return self.names.of(("value", node.name), node.name)
        assert isinstance(node, Signal)
        lag = node.time - t
        if node.adjoint == "carry":
            return self.carry(node)
        if node.adjoint in ("dl", "target"):
            label = f"{node.label}_t" if self.objective.when == "sum" else node.label
            return self.names.of(("given", node.label, self.objective.when), label)
        if not lag.is_const or lag.const not in (0, -1) or (node.adjoint and lag.const):
            raise NotSupportedYet(f"{node!r} is at another time than t and t - 1; not exported")
        if lag.const == -1:
            return self.names.of(("previous", node.name), f"{node.name}_prev")
        if node.name in {x.name for x in self.cell.inputs} and not node.adjoint:
            return self.names.of(("input", node.name), f"{node.name}_t")
        if not node.adjoint:
            return self.names.of(("value", node.name), node.name)
        return self.names.of(("adjoint", node.label), node.label)

    def carry(self, state: Signal) -> str:
        """What came back to a state from the step after."""
        return self.names.of(("carry", state.name), f"carry_{state.name}")

    @property
    def given(self) -> str | None:
        """The argument that an objective needs: targets, gradients of losses, a cotangent."""
        objective = self.objective
        if objective.kind == "linear":
            of = objective.cotangent
            return self.leaf(of) if isinstance(of, Param) else None
        node = target(objective.signal) if objective.kind == "squared" else None
        node = loss_gradient(objective.signal) if node is None else node
        return self.names.of(("given", node.label, "final"), node.label)

    @property
    def coefficients(self) -> list[str]:
        """The coefficients of weight decay that are no numbers and no parameters of the cell."""
        found = [rho for _, rho in self.objective.decay if isinstance(rho, Param)]
        return list(dict.fromkeys(self.leaf(rho) for rho in found if rho not in self.cell.params))

    @property
    def given_step(self) -> str | None:
        """The same within a step, where it differs from step to step."""
        if self.objective.kind == "linear" or self.objective.when == "final":
            return None
        of = self.objective.signal
        return self.leaf(target(of) if self.objective.kind == "squared" else loss_gradient(of))

    def function(self, head: str) -> str:
        """What a function is called; what the module must define is noted."""
        base = head.rstrip("'")
        if base in GENERIC:
            suffix = "_prime" * (len(head) - len(base))
            self.generic.setdefault(head, self.names.of(("function", head), base + suffix))
            return self.generic[head]
        native = self.dialect.native(head)
        if native is not None:
            return native
        helper = self.dialect.helper(head)
        if helper is None:
            raise NotSupportedYet(
                f"the function {head!r} cannot be exported to {self.dialect.name} yet; write the "
                "cell with the others of the table"
            )
        name, needed = helper
        self.helpers.update(dict.fromkeys(needed))
        return name

    def size(self, name: str) -> str:
        """A symbolic size; how to read it off an array is noted."""
        if name not in self.sizes:
            self.sizes[name] = self._read_size(name)
        return self.names.of(("size", name), name)

    def _read_size(self, name: str) -> str:
        wanted = symbol(name)
        for item in self.cell.params:
            rows, columns = item.shape
            if wanted in (rows, columns):
                matrix = kind(item) == "matrix"
                axis = 1 if matrix and rows != wanted else 0
                return f"params[{quoted(item.name)}].shape[{axis}]"
        for group, items in (("initial", self.cell.states), ("inputs", self.cell.inputs)):
            for signal_t in items:
                if signal_t.shape[0] == wanted:
                    return f"{group}[{quoted(signal_t.name)}].shape[-1]"
        raise NotSupportedYet(f"the size {name} cannot be read off any array of the cell")

    # ---- statements ------------------------------------------------------------------

    def assign(self, target_t: Signal, value: Node, indent: int) -> list[str]:
        """``name = expression``, of the full shape of the batch."""
        text = self.write.text(value)
        if not is_batched(value):
            text = self.broadcast(text, target_t)
        return statement(f"{self.leaf(target_t)} = ", text, indent)

    def broadcast(self, text: str, like: Signal) -> str:
        """An expression without a batch as one value per sample."""
        rows = self.write.length(like.shape[0])[0]
        shape = "batch" if self.cell.is_scalar else f"batch, {rows}"
        if self.dialect.is_torch:
            text = f"torch.as_tensor({text}{self.dialect.like})"
        comma = "," if self.cell.is_scalar else ""
        return f"{self.dialect.np}.broadcast_to({text}, ({shape}{comma}))"

    def forward(self, indent: int) -> list[str]:
        """The equations of the cell."""
        equations = [(e.target, e.value, plain(e.target) + " = " + plain(e.value))
                     for e in self.cell.equations]  # fmt: skip
        return self._block(equations, [e.value for e in self.cell.equations], indent)

    def backward(self, indent: int) -> list[str]:
        """The adjoint equations; what comes back from the step after is in the carries."""
        statements: list[tuple[Signal, Node, str]] = []
        for equation in self.adjoint_equations:
            target_t, value = equation.target, equation.value
            said = next(e.value for e in self.gradient.equations if e.target == target_t)
            statements.append((target_t, value, f"{plain(target_t)} = {plain(said)}"))
        roots = [e.value for e in self.adjoint_equations] + self._results
        return self._block(statements, roots, indent)

    @property
    def adjoint_equations(self) -> list[Equation]:
        """As the gradient's, with carries for what comes from t + 1."""
        found = []
        for equation in self.gradient.equations:
            target_t, value = equation.target, equation.value
            if target_t.adjoint == "lam" and self.cell.is_state(target_t.name):
                value = self.gradient.now[target_t.name]
                if not is_zero(self.gradient.back[target_t.name]):
                    carry = signal(target_t.name, target_t.shape, t, "carry")
                    value = carry if is_zero(value) else value + carry
            found.append(Equation(target_t, value))
        return found

    @property
    def _results(self) -> list[Node]:
        """What a backward step leaves: terms of sums, adjoints of inputs, carries."""
        gradient = self.gradient
        return [
            *gradient.terms.values(),
            *[gradient.adjoints[x.name] for x in self.cell.inputs],
            *gradient.back.values(),
        ]

    def _block(
        self, statements: list[tuple[Signal, Node, str]], roots: list[Node], indent: int
    ) -> list[str]:
        shared = repeated(roots)
        self.write.shared = {}
        lines: list[str] = []
        for target_t, value, said in statements:
            lines += self._name_shared(value, shared, indent)
            lines += [*comment(said, indent), *self.assign(target_t, value, indent)]
        for root in roots[len(statements) :]:
            lines += self._name_shared(root, shared, indent)
        return lines

    def _name_shared(self, value: Node, shared: Iterable[Node], indent: int) -> list[str]:
        """Names for what occurs more than once in the step, before its first use."""
        lines: list[str] = []
        inside = set(walk(value))
        for node in shared:
            if node in inside and node not in self.write.shared:
                text = self.write.text(node)
                assert isinstance(node, Apply)
                (*_, argument) = node.args
                simple = isinstance(argument, Signal) and len(node.args) == 1
                wanted = f"part_{len(self.write.shared) + 1}"
                if simple:
                    wanted = f"{node.head.name}_{self.leaf(argument)}".replace("'", "_prime")
                name = self.names.of(("shared", node), wanted)
                self.write.shared[node] = name
                lines += statement(f"{name} = ", text, indent)
        return lines

    def accumulated(self, name: str) -> str | None:
        """What a step adds to the gradient of a parameter; None for nothing."""
        term = self.gradient.terms[name]
        return None if is_zero(term) else batch_sum(self.write, term)[0]

    def decayed(self, indent: int) -> list[str]:
        """What weight decay adds to the gradients, once and not per sample."""
        lines: list[str] = []
        for name, value in self.gradient.extra.items():
            lines += statement(f"grads[{quoted(name)}] += ", self.write.text(value), indent)
        return [*comment("Weight decay, once and not per sample.", indent), *lines] if lines else []

    def input_adjoint(self, input_t: Signal) -> str:
        """dL/dx_t."""
        return self._result(self.gradient.adjoints[input_t.name], input_t)

    def back(self, state: Signal) -> str:
        """What goes back to a state of the step before."""
        return self._result(self.gradient.back[state.name], state)

    def _result(self, value: Node, like: Signal) -> str:
        text = self.write.text(value)
        return text if is_batched(value) else self.broadcast(text, like)

    @property
    def carried(self) -> list[Signal]:
        """The states to which something comes back."""
        return [s for s in self.cell.states if not is_zero(self.gradient.back[s.name])]

    @property
    def backward_leaves(self) -> list[Signal]:
        """The signals of the forward pass that a backward step reads."""
        roots = [e.value for e in self.adjoint_equations] + self._results
        found = [s for s in signals_in(*roots) if not s.adjoint]
        order = [s.name for s in (*self.cell.signals, *self.cell.inputs)]
        return sorted(found, key=lambda s: (-s.time.const, order.index(s.name)))

    @property
    def looks_at_last(self) -> bool:
        """Whether a step must know if it is the last."""
        roots = [e.value for e in self.adjoint_equations] + self._results
        return any(isinstance(item, Iverson) for item in walk(*roots))

    def params_read(self, roots: list[Node]) -> list[Param]:
        """The parameters that formulas use, in the order of the cell."""
        used = {item for item in walk(*roots) if isinstance(item, Param)}
        return [p for p in self.cell.params if p in used]


def _helper_names() -> set[str]:
    """Functions that modules may define; nothing declared may hide one."""
    kinks = {f"{base}{s}" for base in ("step", "sign") for s in ("", "_0", "_half", "_1")}
    columns = {"softmax", "logsumexp", "mean", "variance"}
    return {"sigma", "softplus", "relu", "maximum", *columns, *kinks}
