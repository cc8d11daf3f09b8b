"""What NumPy, PyTorch and JAX call things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Functions that are written out in the module: name -> (NumPy and JAX, PyTorch).
#: ``np`` stands for the namespace.
_HELPERS: Mapping[str, tuple[str, str]] = {
    "sigma": ("np.exp(-np.logaddexp(0.0, -z))", "torch.sigmoid(z)"),
    "softplus": ("np.logaddexp(0.0, z)", "torch.logaddexp(torch.zeros_like(z), z)"),
    "softmax": (
        "np.exp(z - logsumexp(z))",
        "torch.softmax(z, dim=-1)",
    ),
    "logsumexp": (
        "np.log(np.sum(np.exp(z - np.max(z, axis=-1, keepdims=True)), axis=-1, keepdims=True))"
        " + np.max(z, axis=-1, keepdims=True)",
        "torch.logsumexp(z, dim=-1, keepdim=True)",
    ),
    "mean": ("np.mean(z, axis=-1, keepdims=True)", "torch.mean(z, dim=-1, keepdim=True)"),
    "variance": (
        "np.var(z, axis=-1, keepdims=True)",
        "torch.var(z, dim=-1, keepdim=True, correction=0)",
    ),
}

_SAID = {
    "sigma": "1 / (1 + exp(-z)), written so that nothing overflows.",
    "softplus": "log(1 + exp(z)), written so that nothing overflows.",
    "softmax": "exp(z) / sum(exp(z)) along the last axis.",
    "logsumexp": "log(sum(exp(z))) along the last axis, which stays with length 1.",
    "mean": "The mean along the last axis, which stays with length 1.",
    "variance": "The mean square of the distance from the mean, along the last axis.",
    "maximum": "The larger of two, entry by entry.",
}

#: The value of the step at 0 by the suffix of the function's name; nan: there is none.
_AT_ZERO = {"": "np.nan", "_0": "0.0", "_half": "0.5", "_1": "1.0"}


@dataclass(frozen=True)
class Dialect:
    """One target.

    Attributes:
        name: as the user says it.
        np: the namespace of array functions.
        imports: the lines at the top.
        axis, keepdims: the names of those arguments.
    """

    name: str
    np: str
    imports: tuple[str, ...]
    axis: str = "axis"
    keepdims: str = "keepdims"

    @property
    def is_torch(self) -> bool:
        return self.name == "torch"

    @property
    def like(self) -> str:
        """Makes new arrays of the type of the states: other defaults are single precision."""
        return ", **like" if self.is_torch else ""

    def native(self, head: str) -> str | None:
        """The function of the namespace that evaluates a head, if there is one."""
        if head in ("exp", "log", "sqrt", "tanh"):
            return f"{self.np}.{head}"
        if head in ("abs", "abs_0"):
            return f"{self.np}.abs"
        if head.partition("_")[0] == "max" and not self.is_torch:
            return f"{self.np}.maximum"
        if head == "sign_0":
            return f"{self.np}.sign"
        return None

    def helper(self, head: str) -> tuple[str, tuple[str, ...]] | None:
        """A function to be written into the module: its name and the heads of all it needs."""
        base, _, suffix = head.partition("_")
        if head in _HELPERS:
            needs = ("logsumexp",) if head == "softmax" and not self.is_torch else ()
            return head, (*needs, head)
        if base in ("relu", "max") and (f"_{suffix}" if suffix else "") in _AT_ZERO:
            # The convention at the kink is one of the derivative; the value has none.
            name = "relu" if base == "relu" else "maximum"
            return name, (name,)
        if base in ("step", "sign") and (f"_{suffix}" if suffix else "") in _AT_ZERO:
            return head, (head,)
        return None

    def helper_lines(self, name: str) -> list[str]:
        """The definition of a helper."""
        base, _, suffix = name.partition("_")
        suffix = f"_{suffix}" if suffix else ""
        if name in _HELPERS:
            body = _HELPERS[name][1 if self.is_torch else 0]
            said = _SAID[name]
        elif name == "relu":
            body = "torch.clamp(z, min=0.0)" if self.is_torch else "np.maximum(z, 0.0)"
            said = "max(z, 0)"
        elif name == "maximum":
            return [
                "def maximum(a, b):",
                f'    """{_SAID[name]}"""',
                "    return torch.where(a > b, a, b)",
            ]
        else:
            low = "0.0" if base == "step" else "-1.0"
            at = _AT_ZERO[suffix].replace("np.nan", "torch.nan" if self.is_torch else "np.nan")
            body = f"np.where(z > 0, 1.0, np.where(z < 0, {low}, {at}))"
            if self.is_torch:
                body += ".to(z.dtype)"
            there = f"{at} at 0" if suffix else "not a number at 0, where no value was chosen"
            said = f"1 for z > 0, {low[:-2]} for z < 0, {there}."
        body = body.replace("np.", f"{self.np}.")
        if name == "relu":
            said = "max(z, 0), entry by entry."
        return [f"def {name}(z):", f'    """{said}"""', f"    return {body}"]

    def sum_last(self, text: str) -> str:
        """The sum along the last axis, which stays with length 1."""
        return f"{self.np}.sum({text}, {self.axis}=-1, {self.keepdims}=True)"

    def sum_batch(self, text: str) -> str:
        return f"{self.np}.sum({text}, {self.axis}=0)"

    def sum_matrix(self, text: str) -> str:
        """The sum of all entries of each matrix, as a last axis of length 1."""
        return f"{self.np}.sum({text}, {self.axis}=(-2, -1))[..., None]"

    def swapped(self, text: str) -> str:
        """The transposes of a batch of matrices."""
        return f"np.swapaxes({text}, -1, -2)" if self.np == "np" else f"{text}.mT"

    def joined(self, parts: list[str], axis: int) -> str:
        function = "cat" if self.is_torch else "concatenate"
        return f"{self.np}.{function}([{', '.join(parts)}], {self.axis}={axis})"

    def stacked(self, text: str) -> str:
        return f"{self.np}.stack({text})"

    def made(self, kind: str, sizes: list[str]) -> str:
        """zeros, ones or the identity."""
        if kind == "identity":
            return f"{self.np}.eye({sizes[0]}{self.like})"
        shape = sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"
        return f"{self.np}.{kind}({shape}{self.like})"


DIALECTS = {
    "numpy": Dialect("numpy", "np", ("import numpy as np",)),
    "torch": Dialect("torch", "torch", ("import torch",), axis="dim", keepdims="keepdim"),
    "jax": Dialect("jax", "jnp", ("import jax.numpy as jnp", "from jax import lax")),
}
