"""JAX: a scan over time, and a reversed one for the gradient."""

from __future__ import annotations

from symgrad.evaluate.export.names import quoted
from symgrad.evaluate.export.steps import Steps
from symgrad.evaluate.export.wrapping import WIDTH, comment, statement
from symgrad.lang.nodes import Signal


def _tuple(names: list[str]) -> str:
    """A tuple: parentheses always, a comma where it has one entry."""
    return f"({names[0]},)" if len(names) == 1 else f"({', '.join(names)})"


def scan_forward(steps: Steps) -> list[str]:
    """The body of ``forward``."""
    cell = steps.cell
    lines = ["", "    def one_step(carry, given):"]
    lines += [*_unpack([steps.leaf(s.prev) for s in cell.states], "carry")]
    lines += [*_unpack([steps.leaf(x) for x in cell.inputs], "given")]
    lines += steps.forward(8)
    states = _tuple([steps.leaf(s) for s in cell.states])
    signals = _tuple([steps.leaf(s) for s in cell.signals])
    lines += statement("return ", f"{states}, {signals}", 8)
    lines.append("")
    lines += statement("start = ", _tuple([f"initial[{quoted(s.name)}]" for s in cell.states]), 4)
    series = [f"inputs[{quoted(x.name)}]" for x in cell.inputs]
    if series:
        lines += statement("_, values = ", f"lax.scan(one_step, start, {_tuple(series)})", 4)
    else:
        lines.append("    _, values = lax.scan(one_step, start, None, length=T)")
    names = _tuple([quoted(s.name) for s in cell.signals])
    return [*lines, *statement("return ", f"dict(zip({names}, values, strict=True))", 4)]


def _unpack(names: list[str], whole: str, indent: int = 8) -> list[str]:
    """``h, c = carry``; in parentheses over several lines where there are many names."""
    if not names:
        return []
    line = f"{' ' * indent}{_tuple(names) if len(names) == 1 else ', '.join(names)} = {whole}"
    if len(line) <= WIDTH:
        return [line]
    *lines, last = statement("", _tuple(names), indent)
    return [*lines, f"{last} = {whole}"]


def scan_backward(steps: Steps) -> list[str]:
    """The body of ``gradient``."""
    cell = steps.cell
    inner = steps.backward(8)
    series = _series(steps)
    carries = [steps.carry(s) for s in cell.states]
    lines = []
    lagged = [s.name for s in steps.backward_leaves if _is_lagged(s)]
    if lagged:
        names = _tuple([quoted(name) for name in lagged])
        joined = "jnp.concatenate([initial[key][None], values[key][:-1]])"
        lines += statement("before = ", f"{{key: {joined} for key in {names}}}", 4)
    if steps.looks_at_last:
        first = f"initial[{quoted(cell.states[0].name)}]"
        lines += comment("1 at the last step, else 0.", 4)
        lines.append(f"    last_step = (jnp.arange(T) == T - 1).astype({first}.dtype)")
    lines += ["", "    def one_step(carry, given):"]
    lines += _unpack([*carries, "grads"], "carry")
    lines += _unpack(list(series), "given")
    lines += inner
    lines += ["        grads = {"]
    for param in cell.params:
        name, added = quoted(param.name), steps.accumulated(param.name)
        total = f"grads[{name}]" + ("" if added is None else f" + {_plus(added)}")
        lines += statement(f"{name}: ", total, 12, ",")
    lines += ["        }"]
    outputs = []
    for x in cell.inputs:
        name = steps.names.of(("gradient", x.name), f"d_{x.name}")
        lines += statement(f"{name} = ", steps.input_adjoint(x), 8)
        outputs.append(name)
    if steps.carried:
        lines += comment("What reaches step t - 1.", 8)
    for state in steps.carried:
        lines += statement(f"{steps.carry(state)} = ", steps.back(state), 8)
    kept = _tuple(outputs) if outputs else "()"
    lines += statement("return ", f"{_tuple([*carries, 'grads'])}, {kept}", 8)
    return [*lines, "", *_run(steps, list(series.values()), carries)]


def _run(steps: Steps, series: list[str], carries: list[str]) -> list[str]:
    cell = steps.cell
    zeros = "jnp.zeros(jnp.shape(value), jnp.result_type(value, float))"
    lines = statement("grads = ", f"{{key: {zeros} for key, value in params.items()}}", 4)
    start = [f"jnp.zeros_like(initial[{quoted(s.name)}])" for s in cell.states]
    lines += statement("start = ", _tuple([*start, "grads"]), 4)
    if series:
        lines += statement("series = ", _tuple(series), 4)
    given = "series, reverse=True" if series else "None, length=T, reverse=True"
    lines.append(f"    carry, input_grads = lax.scan(one_step, start, {given})")
    lines += _unpack([*carries, "grads"], "carry", 4)
    names = _tuple([quoted(x.name) for x in cell.inputs]) if cell.inputs else "()"
    back = ", ".join(f"{quoted(s.name)}: {steps.carry(s)}" for s in cell.states)
    return [
        *lines,
        *steps.decayed(4),
        "    return {",
        '        "params": grads,',
        f'        "inputs": dict(zip({names}, input_grads, strict=True)),',
        *statement('"initial": ', f"{{{back}}}", 8, ","),
        "    }",
    ]


def _series(steps: Steps) -> dict[str, str]:
    """What a backward step is given: its name within the step, and where it comes from."""
    inputs = {x.name for x in steps.cell.inputs}
    found: dict[str, str] = {}
    for leaf in steps.backward_leaves:
        name = quoted(leaf.name)
        if leaf.name in inputs:
            found[steps.leaf(leaf)] = f"inputs[{name}]"
        else:
            found[steps.leaf(leaf)] = f"{'before' if _is_lagged(leaf) else 'values'}[{name}]"
    if steps.given_step and steps.given:
        found[steps.given_step] = steps.given
    if steps.looks_at_last:
        found["last"] = "last_step"
    return found


def _is_lagged(leaf: Signal) -> bool:
    return leaf.time.const == -1


def _plus(text: str) -> str:
    return f"({text})" if text.startswith("-") else text
