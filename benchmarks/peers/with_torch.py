"""PyTorch: a loop over time steps, and nn.LSTM."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.peers import by_hand
from benchmarks.problem import VECTOR_NAMES, Array, Scalar, Vector

torch.set_num_threads(1)


def _given(problem: Scalar | Vector) -> list[Any]:
    arrays = (problem.x, problem.y, problem.h_0, problem.c_0)
    return [torch.from_numpy(array) for array in arrays]


class Loop:
    """The forward pass in a Python loop, ``backward`` by autograd."""

    def scalar(self, problem: Scalar) -> tuple[Any, Any]:
        x, y, h_0, c_0 = _given(problem)
        # One copy of the parameters per sample, so that gradients are not summed over samples.
        W, U, b = (
            torch.from_numpy(problem.params[k::3, None]).expand(4, problem.batch)
            .contiguous().requires_grad_()
            for k in range(3)
        )  # fmt: skip

        def run() -> Any:
            h, c, loss = h_0, c_0, 0.0
            for x_t, y_t in zip(x.unbind(), y.unbind(), strict=True):
                z = W * x_t + U * h + b
                f, i, o = torch.sigmoid(z[:3]).unbind()
                c = f * c + i * torch.tanh(z[3])
                h = o * torch.tanh(c)
                loss = loss + ((h - y_t) ** 2).sum() / 2
            return torch.autograd.grad(loss, (W, U, b))

        return run, lambda found: torch.stack(found, dim=1).reshape(12, -1).numpy()

    def vector(self, problem: Vector) -> tuple[Any, Any]:
        x, y, h_0, c_0 = _given(problem)
        stacked = by_hand.stacked(problem)
        W, U, b = (torch.from_numpy(array).requires_grad_() for array in stacked)

        def run() -> Any:
            h, c, loss = h_0, c_0, 0.0
            projected = x @ W + b
            for z_t, y_t in zip(projected.unbind(), y.unbind(), strict=True):
                f, i, o, g = (z_t + h @ U).chunk(4, dim=1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                loss = loss + ((h - y_t) ** 2).sum() / 2
            return torch.autograd.grad(loss, (W, U, b))

        return run, lambda found: by_hand.named([a.numpy() for a in found])


class Module:
    """``nn.LSTM``; its second bias, whose gradient is the first one's, is set to 0."""

    #: The order in which torch.nn.LSTM stacks the gates.
    ORDER = ("i", "f", "g", "o")

    def vector(self, problem: Vector) -> tuple[Any, Any]:
        x, y, h_0, c_0 = _given(problem)
        module = torch.nn.LSTM(problem.size, problem.size, dtype=torch.float64)
        with torch.no_grad():
            for kind, weight in (("W", module.weight_ih_l0), ("U", module.weight_hh_l0),
                                 ("b", module.bias_ih_l0)):  # fmt: skip
                parts = [torch.from_numpy(problem.params[f"{kind}_{g}"]) for g in self.ORDER]
                weight.copy_(torch.cat(parts))
            module.bias_hh_l0.zero_()
        weights = (module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0)
        start = (h_0[None], c_0[None])

        def run() -> Any:
            h, _ = module(x, start)
            return torch.autograd.grad(((h - y) ** 2).sum() / 2, weights)

        def read(found: Any) -> dict[str, Array]:
            parts = {kind: np.split(a.numpy(), 4) for kind, a in zip("WUb", found, strict=True)}
            return {name: parts[name[0]][self.ORDER.index(name[2])] for name in VECTOR_NAMES}

        return run, read
