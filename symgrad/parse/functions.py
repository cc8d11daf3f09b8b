"""The functions that a text may call: how they are written, and how many arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import symgrad.ops as ops
from symgrad.errors import NotSupportedYet
from symgrad.lang.nodes import OPERATORS, Node
from symgrad.parse.letters import words

_KINKS: dict[str, Any] = {"0": 0, "half": Fraction(1, 2), "1": 1}


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its name in ``symgrad.ops``, its arguments, what it does to shapes.

    ``acts``: ``entries`` (entry by entry), ``pair`` (two operands, entry by entry), ``many``,
    ``column`` (a column to a column), ``reduce`` (to a scalar), ``dot``, ``outer``, ``diag``.
    """

    operation: str
    acts: str
    kink: Any = None

    def takes(self, count: int) -> str:
        """Empty where it takes so many arguments, else how many it takes."""
        if self.acts == "many":
            return "" if count >= 2 else "at least 2 arguments"
        wanted = 2 if self.acts in ("pair", "dot", "outer") else 1
        plural = "s" if wanted > 1 else ""
        return "" if count == wanted else f"{wanted} argument{plural}"

    def apply(self, *args: Node) -> Node:
        """The node of one call.

        Raises:
            NotSupportedYet: symgrad has no such operation.
        """
        if self.acts == "many":
            return OPERATORS[self.operation](*args)
        build: Callable[..., Node] | None = getattr(ops, self.operation, None)
        if build is None:
            raise NotSupportedYet(f"{self.operation} is not supported yet")
        return build(*args) if self.kink is None else build(*args, at_kink=self.kink)


def _table() -> dict[str, Function]:
    table: dict[str, Function] = {}
    spelled = {
        "tanh": "tanh", "exp": "exp", "log": "log ln", "sqrt": "sqrt",
        "cosh": "cosh", "sinh": "sinh", "sech": "sech",
        "sigma": "sigma sigmoid logistic sigm Sigmoid logsig", "softplus": "softplus SoftPlus",
    }  # fmt: skip
    for operation, names in spelled.items():
        table |= {name: Function(operation, "entries") for name in names.split()}
    kinked = {
        "relu": ("entries", "relu ReLU RELU Relu"),
        "maximum": ("pair", "max maximum"),
        "minimum": ("pair", "min minimum"),
        "absolute": ("entries", "abs absolute"),
        "step": ("entries", "step heaviside"),
        "sign": ("entries", "sign sgn"),
    }
    for operation, (acts, names) in kinked.items():
        for name in names.split():
            table[name] = Function(operation, acts)
            for suffix, kink in _KINKS.items():
                table[f"{name}_{suffix}"] = Function(operation, acts, kink)
    table |= {
        "softmax": Function("softmax", "column"),
        # Sums and products that are no chains of two, which some constructions make.
        "add": Function("add", "many"),
        "mul": Function("mul", "many"),
        "variance": Function("variance", "reduce"),
        "var": Function("variance", "reduce"),
        "logsumexp": Function("logsumexp", "reduce"),
        "sum": Function("total", "reduce"),
        "total": Function("total", "reduce"),
        "mean": Function("mean", "reduce"),
        "norm": Function("norm", "reduce"),
        "dot": Function("dot", "dot"),
        "outer": Function("outer", "outer"),
        "diag": Function("diag", "diag"),
    }
    return table


FUNCTIONS: dict[str, Function] = _table()

#: What to write for functions that papers have and symgrad has not.
WRITTEN_OUT = {
    "LN": "write it out: a_t = W x_t, h_t = (a_t - mean(a_t)) / sqrt(mean((a_t - mean(a_t))^2))",
    "LayerNorm": "write it out with mean and sqrt",
    "layernorm": "write it out with mean and sqrt",
    "BN": "a batch has no notation here",
    **dict.fromkeys(
        ("Linear", "linear", "Dense", "dense", "FC", "Affine", "MLP", "NN"),
        "write a layer out with parameters of its own, W_z x_t + b_z",
    ),
    "concat": "write [a, b]",
    "hardsigmoid": "write max(0, min(1, x / 6 + 1 / 2))",
    "swish": "write x ⊙ sigma(x)",
    "silu": "write x ⊙ sigma(x)",
    "SiLU": "write x ⊙ sigma(x)",
    "erf": "write a generic activation phi(x)",
    "gelu": "write a generic activation phi(x)",
    "GELU": "write a generic activation phi(x)",
}

#: Letters that stand for a function where they are applied and mean nothing else.
GENERIC = words("phi varphi psi varpsi Phi Psi f g F G act activation nonlinearity")


def always_generic(name: str) -> bool:
    """Whether a name is read as a generic activation where it is applied: φ, f, σ_g."""
    base, _, rest = name.partition("_")
    return base in GENERIC or (base == "sigma" and bool(rest))
