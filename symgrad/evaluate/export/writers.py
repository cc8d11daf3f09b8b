"""The functions of the module: forward pass, objective, gradient."""

from __future__ import annotations

import re

from symgrad.errors import NotSupportedYet
from symgrad.evaluate.export.names import quoted
from symgrad.evaluate.export.parts import PRODUCT
from symgrad.evaluate.export.scans import scan_backward, scan_forward
from symgrad.evaluate.export.steps import Steps
from symgrad.evaluate.export.wrapping import comment, statement
from symgrad.lang.nodes import Node, Signal

_RUN_DOC = '    """Run the cell over t = 1..T, T >= 1; every signal by its name, time first."""'

_GRADIENT_DOC = '''\
    """The gradient of L by backpropagation through time, written out.

    lam_s is dL/ds_t, delta_s the derivative with respect to the pre-activation of s_t,
    carry_s what came back to s_t from step t + 1. Returns the gradients of "params" (summed
    over the batch), of "inputs" over time and of the "initial" states, each by name.
    """'''.splitlines()


def arguments(steps: Steps, *, given: bool = False) -> str:
    """The arguments of a function: a cell without inputs is told T."""
    names = ["params", "inputs", "initial"]
    if given:
        names += [*([steps.given] if steps.given else []), *steps.coefficients]
    if not steps.cell.inputs:
        names.append("T")
    return ", ".join(names)


def _call(steps: Steps) -> str:
    return f"forward({arguments(steps)})"


def run_lines(steps: Steps) -> list[str]:
    """``forward``."""
    roots = [e.value for e in steps.cell.equations]
    body = scan_forward(steps) if steps.dialect.name == "jax" else _loop_forward(steps)
    return [
        f"def forward({arguments(steps)}):",
        _RUN_DOC,
        *preamble(steps, roots, body),
        *body,
    ]


def preamble(steps: Steps, roots: list[Node], body: list[str]) -> list[str]:
    """Names that the lines after it use: parameters, sizes, the batch, the horizon."""
    lines = [f"    {steps.leaf(p)} = params[{quoted(p.name)}]" for p in steps.params_read(roots)]
    code = "\n".join(line for line in body if not line.lstrip().startswith("#"))

    def uses(name: str) -> bool:
        return re.search(rf"(?<![.\w]){name}\b", code) is not None

    for name, read in steps.sizes.items():
        if uses(steps.size(name)):
            lines.append(f"    {steps.size(name)} = {read}")
    # The scalar reading may have no state left: softmax of a single entry is 1.
    axis = 0 if steps.cell.states else 1
    first = "initial" if steps.cell.states else "inputs"
    leading = [*steps.cell.states, *steps.cell.inputs][:1]
    if not leading:
        raise NotSupportedYet(
            f"{steps.cell.name!r} has neither states nor inputs, so it has no batch to export"
        )
    first += f"[{quoted(leading[0].name)}]"
    if uses("batch"):
        lines.append(f"    batch = {first}.shape[{axis}]")
    if uses("like"):
        lines.append(f'    like = {{"dtype": {first}.dtype, "device": {first}.device}}')
    if uses("T") and steps.cell.inputs:
        lines.append(f"    T = len(inputs[{quoted(steps.cell.inputs[0].name)}])")
    return lines


def objective_lines(steps: Steps) -> list[str]:
    """``objective``; nothing where a loss is given by its gradient alone."""
    objective, np = steps.objective, steps.dialect.np
    if objective.kind == "loss":
        return []
    of = f"{_call(steps)}[{quoted(objective.signal.name)}]"
    if objective.when == "final":
        of += "[-1]"
    value = steps.leaf(objective.signal)
    if objective.kind == "squared":
        result = f"{np}.sum(({value} - {steps.given}) ** 2) / 2"
    else:
        result = f"{np}.sum({value} * {steps.given})" if steps.given else f"{np}.sum({value})"
    if objective.mean:
        result = f"{result} / T"
    if objective.decay:
        result = f"{result} + {steps.write.at(objective.penalty, PRODUCT)}"
    body = statement("return ", result, 4)
    return [
        f"def objective({arguments(steps, given=True)}):",
        '    """L, summed over the batch."""',
        *preamble(steps, [objective.penalty], body),
        f"    {value} = {of}",
        *body,
    ]


def gradient_lines(steps: Steps) -> list[str]:
    """``gradient``."""
    roots = [e.value for e in steps.adjoint_equations] + [
        *steps.gradient.terms.values(),
        *steps.gradient.back.values(),
        *[steps.gradient.adjoints[x.name] for x in steps.cell.inputs],
        *steps.gradient.extra.values(),
    ]
    body = scan_backward(steps) if steps.dialect.name == "jax" else _loop_backward(steps)
    decorated = ["@torch.no_grad()"] if steps.dialect.is_torch else []
    return [
        *decorated,
        f"def gradient({arguments(steps, given=True)}):",
        *_GRADIENT_DOC,
        f"    values = {_call(steps)}",
        *preamble(steps, roots, body),
        *body,
    ]


# ---- a loop over time: NumPy and PyTorch ------------------------------------------------


def _loop_forward(steps: Steps) -> list[str]:
    cell = steps.cell
    lines = [f"    {_prev(steps, s)} = initial[{quoted(s.name)}]" for s in cell.states]
    kept = ", ".join(f"{quoted(s.name)}: []" for s in cell.signals)
    lines += statement("values = ", f"{{{kept}}}", 4)
    lines.append(f"    for {'t' if cell.inputs else '_'} in range(T):")
    lines += [f"        {steps.leaf(x)} = inputs[{quoted(x.name)}][t]" for x in cell.inputs]
    lines += steps.forward(8)
    lines += [f"        values[{quoted(s.name)}].append({steps.leaf(s)})" for s in cell.signals]
    lines += [f"        {_prev(steps, s)} = {steps.leaf(s)}" for s in cell.states]
    stacked = steps.dialect.stacked("series")
    lines.append(f"    return {{key: {stacked} for key, series in values.items()}}")
    return lines


def _prev(steps: Steps, state: Signal) -> str:
    return steps.leaf(state.prev)


def _loop_backward(steps: Steps) -> list[str]:
    cell, dialect = steps.cell, steps.dialect
    inner = steps.backward(8)
    np = dialect.np
    zeros = "torch.zeros_like(value)" if dialect.is_torch else "np.zeros(np.shape(value))"
    lines = [f"    grads = {{key: {zeros} for key, value in params.items()}}"]
    if cell.inputs:
        kept = ", ".join(f"{quoted(x.name)}: [None] * T" for x in cell.inputs)
        lines += statement("input_grads = ", f"{{{kept}}}", 4)
    for state in cell.states:
        first = f"initial[{quoted(state.name)}]"
        zero = f"torch.zeros_like({first})" if dialect.is_torch else f"np.zeros(np.shape({first}))"
        lines.append(f"    {steps.carry(state)} = {zero}")
    lines.append("    for t in reversed(range(T)):")
    lines += _unpacked(steps)
    lines += inner
    for param in cell.params:
        added = steps.accumulated(param.name)
        if added is not None:
            lines += statement(f"grads[{quoted(param.name)}] += ", added, 8)
    for x in cell.inputs:
        lines += statement(f"input_grads[{quoted(x.name)}][t] = ", steps.input_adjoint(x), 8)
    if steps.carried:
        lines += comment("What reaches step t - 1.", 8)
    for state in steps.carried:
        lines += statement(f"{steps.carry(state)} = ", steps.back(state), 8)
    back = ", ".join(f"{quoted(s.name)}: {steps.carry(s)}" for s in cell.states)
    inputs = "{}"
    if cell.inputs:
        inputs = f"{{key: {np}.stack(series) for key, series in input_grads.items()}}"
    return [
        *lines,
        *steps.decayed(4),
        "    return {",
        '        "params": grads,',
        f'        "inputs": {inputs},',
        *statement('"initial": ', f"{{{back}}}", 8, ","),
        "    }",
    ]


def _unpacked(steps: Steps) -> list[str]:
    """The values of step t that the backward pass reads."""
    inputs = {x.name for x in steps.cell.inputs}
    lines: list[str] = []
    for leaf in steps.backward_leaves:
        name = quoted(leaf.name)
        if leaf.name in inputs:
            value = f"inputs[{name}][t]"
        elif leaf == leaf.at(steps.cell.signals[0].time):
            value = f"values[{name}][t]"
        else:
            value = f"values[{name}][t - 1] if t > 0 else initial[{name}]"
        lines.append(f"        {steps.leaf(leaf)} = {value}")
    if steps.given_step:
        lines.append(f"        {steps.given_step} = {steps.given}[t]")
    if steps.looks_at_last:
        lines += comment("1 at the last step, else 0.", 8)
        lines.append("        last = float(t == T - 1)")
    return lines
