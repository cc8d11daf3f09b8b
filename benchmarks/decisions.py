"""``python -m benchmarks.decisions``: how long symgrad takes to decide about gradients.

Prints a table; nothing is asserted here, and nothing is written. With ``--limit SECONDS``
SymPy is given the same question at T = 1, 2, 3, in processes that are ended at the limit.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from benchmarks.spread import Spread, spread
from symgrad.adjoint import backward, loss
from symgrad.cell import Cell, signal
from symgrad.cells import CATALOGUE
from symgrad.closed import expanded_form
from symgrad.derivation import verdict_of
from symgrad.derivation.evidence import Evidence
from symgrad.lang.affine import T, as_affine
from symgrad.lang.nodes import Node, Signal, derivative, name, substitute_indices, sum_over
from symgrad.verify.claims import Scope, check
from symgrad.verify.verdict import Verdict

LSTM = CATALOGUE["lstm"].scalar()
RNN = CATALOGUE["rnn"].scalar()
HORIZONS = (10, 100, 1000)


def decisions() -> Iterator[tuple[str, Callable[[], Verdict]]]:
    """What is decided, in words, and the call that decides it from nothing."""
    for horizon in HORIZONS:
        yield (
            f"LSTM, dc_T/du_f against forward mode, T = {horizon}",
            lambda horizon=horizon: total_gradient(horizon),  # type: ignore[misc]
        )
        yield (
            f"LSTM, dL/du_f by the backward pass against forward mode, T = {horizon}",
            lambda horizon=horizon: backward_pass(horizon),  # type: ignore[misc]
        )
    yield "LSTM, the whole gradient of Σ_t ℓ_t, every T", every_horizon
    yield "RNN, index of the summand t = 2 right, T = 200", lambda: early_summand(wrong=False)
    yield "RNN, index of the summand t = 2 wrong, T = 200", lambda: early_summand(wrong=True)
    yield "a state squared at every step, wrong by Fermat, T = 61", squared_state


def total_gradient(horizon: int) -> Verdict:
    """The expanded sum of products against dual numbers, at one T."""
    form = expanded_form(LSTM, "c_T", "u_f")
    return check(Evidence(LSTM).claim(form.left, form.full), Scope((horizon,)))


def backward_pass(horizon: int) -> Verdict:
    """The accumulated sum of the backward pass against dual numbers, at one T."""
    gradient = backward(LSTM, loss(LSTM))
    wrt = next(p for p in LSTM.params if p.name == "u_f")
    right = sum_over("t", 1, T, gradient.terms["u_f"])
    left = derivative("gradient", name("L"), wrt)
    claim = Evidence(LSTM).claim(left, right, (), gradient.objective, gradient)
    return check(claim, Scope((horizon,)))


def every_horizon() -> Verdict:
    """All parts of a gradient, for every T."""
    return verdict_of(LSTM, backward(LSTM, loss(LSTM)))


def early_summand(*, wrong: bool) -> Verdict:
    """dL/dw_h with the summand of t = 2 written out; h_2 for h_1 in it where it is wrong."""
    gradient = backward(RNN, loss(RNN))
    term = gradient.terms["w_h"]
    wrt = next(p for p in RNN.params if p.name == "w_h")

    def at(step: int) -> Node:
        return substitute_indices(term, {"t": as_affine(step)})

    second = at(2)
    if wrong:
        delta, state = second.args
        assert isinstance(state, Signal)
        second = delta * state.at(2)
    right = at(1) + second + sum_over("t", 3, T, term)
    left = derivative("gradient", name("L"), wrt)
    claim = Evidence(RNN).claim(left, right, (), gradient.objective, gradient)
    return check(claim, Scope((200,)))


def squared_state() -> Verdict:
    """h_61 = h_0² holds at every point modulo 2^61 - 1, and is false."""
    h = signal("h")
    cell = Cell("square", [(h, h.prev * h.prev)]).scalar()
    (state,) = cell.states
    return check(Evidence(cell).claim(state.at(T), state.at(0) ** 2), Scope((61,)))


def measured(decide: Callable[[], Verdict], repetitions: int) -> tuple[Verdict, Spread]:
    """The verdict and the processor seconds of this process, from the second time on."""
    verdict = decide()
    seconds = []
    for _ in range(repetitions):
        gc.collect()
        begin = time.process_time()
        verdict = decide()
        seconds.append(time.process_time() - begin)
    return verdict, spread(seconds)


# ---- SymPy ----------------------------------------------------------------------------------


def sympy_decides(horizon: int, method: str) -> None:
    """Whether SymPy's ``simplify`` or ``.equals`` sees that the LSTM's dc_T/du_f is itself."""
    import sympy as sp

    names = [f"{kind}_{gate}" for gate in "fiog" for kind in "wub"]
    p = {key: sp.Symbol(key, real=True) for key in names}
    x = [sp.Symbol(f"x_{k}", real=True) for k in range(1, horizon + 1)]
    h, c = sp.Symbol("h_0", real=True), sp.Symbol("c_0", real=True)
    dh = dc = sp.Integer(0)
    for value in x:
        gates, slopes = {}, {}
        for gate in "fiog":
            a = p[f"w_{gate}"] * value + p[f"u_{gate}"] * h + p[f"b_{gate}"]
            da = p[f"u_{gate}"] * dh + (h if gate == "f" else 0)
            gates[gate] = sp.tanh(a) if gate == "g" else 1 / (1 + sp.exp(-a))
            s = gates[gate]
            slopes[gate] = da * (1 - s**2 if gate == "g" else s * (1 - s))
        dc = slopes["f"] * c + gates["f"] * dc + slopes["i"] * gates["g"] + gates["i"] * slopes["g"]
        c = gates["f"] * c + gates["i"] * gates["g"]
        dh = slopes["o"] * sp.tanh(c) + gates["o"] * (1 - sp.tanh(c) ** 2) * dc
        h = gates["o"] * sp.tanh(c)
    other = sp.diff(c, p["u_f"])
    if method == "equals":
        other.equals(dc)
    else:
        sp.simplify(other - dc)


def within(limit: float, horizon: int, method: str) -> str:
    """The seconds that SymPy takes, or that it was ended."""
    process = multiprocessing.get_context("spawn").Process(
        target=sympy_decides, args=(horizon, method)
    )
    begin = time.monotonic()
    process.start()
    process.join(limit)
    if process.is_alive():
        process.terminate()
        process.join()
        return f"over {limit:g} s"
    return f"{time.monotonic() - begin:.2f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decisions")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--limit", type=float, default=0.0, help="seconds for SymPy; 0: leave out")
    options = parser.parse_args(arguments)
    print("| question | verdict | seconds |\n|---|---|---:|")
    for words, decide in decisions():
        verdict, seconds = measured(decide, options.repetitions)
        verdict = replace(verdict, witness=None, proof=None)
        span = f"{seconds.median:.2f} ({seconds.low:.2f} … {seconds.high:.2f})"
        print(f"| {words} | {verdict.status} | {span} |", flush=True)
    for horizon in (1, 2, 3) if options.limit else ():
        for method in ("simplify", "equals"):
            took = within(options.limit, horizon, method)
            print(f"| SymPy's {method}, dc_T/du_f, T = {horizon} | | {took} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
