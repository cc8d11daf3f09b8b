"""What the docstring of an exported module tells: the objective, and all shapes."""

from __future__ import annotations

from symgrad.evaluate.export.parts import kind
from symgrad.evaluate.export.steps import Steps
from symgrad.lang.nodes import Const, Node
from symgrad.lang.text import text as plain


def objective_text(steps: Steps) -> str:
    """L as people write it."""
    objective = steps.objective
    of = objective.signal.name
    index = "t" if objective.when == "sum" else "T"
    if objective.kind == "loss":
        text = f"l_{index}({of}_{index}), given by its gradient {steps.given}"
    elif objective.kind == "squared":
        text = f"1/2 |{of}_{index} - target_{of}_{index}|^2"
    elif isinstance(objective.cotangent, Const):
        text = f"{of}_{index}"
    else:
        text = f"{plain(objective.cotangent)} . {of}_{index}"
    prefix = "sum over t of " if objective.when == "sum" else ""
    if objective.mean:
        prefix = "mean over t of "
    whole = f"L = {prefix}{text}, summed over the batch"
    if objective.decay:
        whole += f"; and once {plain(objective.penalty)}"
    return whole


def shapes(steps: Steps) -> dict[str, dict[str, str]]:
    """The shapes of parameters, inputs and initial states by name."""
    cell = steps.cell
    return {
        "params": {p.name: shape_text(steps, p) for p in cell.params},
        "inputs": {x.name: shape_text(steps, x, "T", "B") for x in cell.inputs},
        "initial": {s.name: shape_text(steps, s, "B") for s in cell.states},
    }


def given_shapes(steps: Steps) -> dict[str, str]:
    """The shape of the argument that the objective needs."""
    numbers = dict.fromkeys(steps.coefficients, "a number")
    if steps.given is None:
        return numbers
    if steps.objective.kind == "linear":
        return {steps.given: shape_text(steps, steps.objective.cotangent), **numbers}
    outer = ("T", "B") if steps.objective.when == "sum" else ("B",)
    return {steps.given: shape_text(steps, steps.objective.signal, *outer), **numbers}


def shape_text(steps: Steps, node: Node, *outer: str) -> str:
    """A shape as Python writes it, the axes of time and batch first."""
    rows, columns = (str(form) for form in node.shape)
    own = {"scalar": [], "column": [rows], "row": [columns], "matrix": [rows, columns]}
    sizes = own[kind(node)]
    if outer and not sizes and not steps.cell.is_scalar:
        sizes = ["1"]
    axes = [*outer, *sizes]
    return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})" if axes else "a number"
