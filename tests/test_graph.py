"""Unrolled graphs: the sum over paths of edge Jacobians is the gradient; path counts by hand."""

from __future__ import annotations

import random
import sys
from fractions import Fraction
from functools import reduce
from itertools import islice, pairwise
from typing import Any, cast

import numpy as np
import pytest

from symgrad.adjoint import backward, final
from symgrad.adjoint.reverse import lam
from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.cell.hooks import HOOKS
from symgrad.cells import CATALOGUE
from symgrad.errors import UsageError
from symgrad.graph import Graph, unroll
from symgrad.lang.algebra import Algebra, Floats, PrimeField
from symgrad.lang.nodes import Node, Signal, signals_in
from symgrad.lang.program import Inputs, Runner
from symgrad.lang.tape import evaluate
from symgrad.ops import sigma, tanh

# ---- a cell that is not in the catalogue ----------------------------------------------


def leaky() -> Cell:
    """Two states, a product of a state with a gate, a skip from the input to the output."""
    n, m = sizes("n m")
    x, g, h, y = input_signal("x", m), signal("g", n), signal("h", n), signal("y", n)
    W, U, V, a = param("W", n, n), param("U", n, m), param("V", n, m), param("a")
    return Cell(
        "leaky",
        [
            (g, sigma(W @ h.prev + U @ x)),
            (h, a * h.prev + (1 - a) * g * tanh(y.prev) - g**3),
            (y, W @ h + V @ x - 2 * y.prev),
        ],
        inputs=[x],
    )


CELLS = {
    f"{cell.name}-{cell.reading}": cell
    for declared in (*CATALOGUE.values(), leaky())
    for cell in (declared, declared.scalar())
}
SIZES = {"n": 2, "m": 3, "q": 2}
every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)


def random_inputs(cell: Cell, algebra: Algebra, seed: int = 1) -> Inputs:
    """Random values of everything that is given, of the shapes of the reading."""
    chance = random.Random(seed)

    def number() -> Any:
        if isinstance(algebra, PrimeField):
            return chance.randrange(algebra.prime)
        return chance.uniform(-1.0, 1.0)

    def value(node: Node) -> Any:
        if cell.is_scalar:
            return number()
        rows, columns = (size.value(SIZES) for size in node.shape)
        entries = [[number() for _ in range(columns)] for _ in range(rows)]
        return np.array(entries, dtype=algebra.dtype if isinstance(algebra, Floats) else object)

    params: dict[str, Any] = {p.name: value(p) for p in cell.params}
    params["s"] = value(cell.output)  # the cotangent of the objective
    initial = {s.name: value(s) for s in cell.states}
    given = {s.name: [value(s) for _ in range(9)] for s in cell.inputs}
    return Inputs(params, initial, lambda name, time: given[name][time], SIZES)


def path_sum(graph: Graph, source: Signal, target: Signal, algebra: Algebra, env: Any) -> Any:
    """Σ over paths of the product of the edge Jacobians, the latest on the left."""
    jacobians = {(e.source, e.target): evaluate(e.jacobian, algebra, env) for e in graph.edges}
    products = []
    for path in graph.paths(source, target):
        along = [jacobians[pair] for pair in pairwise(path)]
        products.append(reduce(lambda done, factor: algebra.matmul(factor, done), along))
    return reduce(algebra.add, products)


# ---- the paths are the gradient -----------------------------------------------------------


@every_cell
@pytest.mark.parametrize("T", [1, 2, 3])
def test_sum_over_paths_is_the_gradient_exactly(cell: Cell, T: int) -> None:
    """dL/d(source) of backward = (Σ over paths Π Jacobians)ᵀ s, modulo 2^61 - 1."""
    algebra = PrimeField()
    inputs = random_inputs(cell, algebra)
    gradient = backward(cell, final(cell))
    program = gradient.with_signal_adjoints(*[x.name for x in cell.inputs])
    trace = Runner(program, algebra).run(inputs, T)
    graph = unroll(cell, T)
    s = algebra.const(Fraction(1)) if cell.is_scalar else inputs.params["s"]
    sources = [*[state.at(0) for state in cell.states], *[x.at(1) for x in cell.inputs]]
    for source in sources:
        if not graph.count_paths(source, cell.output.at(T)):
            continue
        total = path_sum(graph, source, cell.output.at(T), algebra, trace.environment())
        expected = algebra.matmul(algebra.transpose(total), s)

        assert algebra.equal(expected, trace.values[lam(source).label, source.time.const]), source


@every_cell
def test_sum_over_paths_is_the_jacobian_by_complex_step(cell: Cell) -> None:
    """Column j of the path sum = Im(forward pass at the state + i·10⁻³⁰ e_j) / 10⁻³⁰."""
    T, algebra = 2, Floats(np.complex128)
    inputs = random_inputs(cell, algebra)
    forward = Runner(cell.program, algebra)
    trace = forward.run(inputs, T)
    for state in cell.states:
        total = path_sum(
            unroll(cell, T), state.at(0), cell.output.at(T), algebra, trace.environment()
        )
        value = np.asarray(inputs.initial[state.name], dtype=complex)
        for j in range(value.size):
            moved = value.copy()
            moved.flat[j] += 1e-30j
            initial = {**inputs.initial, state.name: moved if value.ndim else complex(moved)}
            stepped = forward.run(Inputs(inputs.params, initial, inputs.signals, SIZES), T)
            column = np.imag(stepped.values[cell.output.name, T]) / 1e-30

            np.testing.assert_allclose(
                np.real(np.atleast_2d(total))[:, [j]], np.atleast_2d(column), rtol=1e-10
            )


# ---- paths and their number ------------------------------------------------------------------


@every_cell
def test_counting_agrees_with_listing(cell: Cell) -> None:
    graph = unroll(cell, 3)
    nodes = [node.signal for node in graph.nodes]
    for source in nodes[:6]:
        for target in nodes:
            listed = list(graph.paths(source, target))

            assert graph.count_paths(source, target) == len(listed) == len(set(listed))
            edges = {(e.source, e.target) for e in graph.edges}
            assert all(pair in edges for path in listed for pair in pairwise(path))
            assert all((path[0], path[-1]) == (source, target) for path in listed)


def test_rnn_has_one_path_from_state_to_state() -> None:
    graph = unroll(CATALOGUE["rnn"], 5)
    h = graph.cell.states[0]

    assert list(graph.paths(h.at(0), h.at(5))) == [tuple(h.at(time) for time in range(6))]


@pytest.mark.parametrize(("T", "count"), [(1, 4), (2, 19), (3, 91), (4, 436)])
def test_lstm_path_counts(T: int, count: int) -> None:
    """By hand: let H_t, C_t be the paths from h_0 to h_t and to c_t; H_0 = 1, C_0 = 0.

    c_t is reached from c_{t-1} and from h_{t-1} through f, i or g; h_t is reached from
    c_t and from h_{t-1} through o:

        C_t = C_{t-1} + 3 H_{t-1},   H_t = C_t + H_{t-1}
        t=1: C = 3, H = 4;  t=2: C = 15, H = 19;  t=3: C = 72, H = 91;  t=4: C = 345, H = 436.
    """
    graph = unroll(CATALOGUE["lstm"], T)
    h = signal("h", *sizes("n"))

    assert graph.count_paths(h.at(0), h.at(T)) == count


def test_paths_along_named_signals() -> None:
    """Between c_0 and c_T the signal c alone leaves one path; h and f are needed for more."""
    graph = unroll(CATALOGUE["lstm"], 3)
    c = next(s for s in graph.cell.signals if s.name == "c")

    assert list(graph.paths(c.at(0), c.at(3), along=[c])) == [tuple(c.at(i) for i in range(4))]
    # c_0 → c_1 → c_2 → c_3, c_a → h_a → f_{a+1} → c_{a+1} for a in a subset of {1, 2}.
    assert graph.count_paths(c.at(0), c.at(3), along=["c", "h", "f"]) == 4
    assert len(list(graph.paths(c.at(0), c.at(3), along=["c", "h", "f"]))) == 4


def test_a_node_has_one_path_to_itself_and_none_backwards() -> None:
    graph = unroll(CATALOGUE["rnn"], 3)
    h = graph.cell.states[0]

    assert list(graph.paths(h.at(2), h.at(2))) == [(h.at(2),)]
    assert graph.count_paths(h.at(3), h.at(1)) == 0
    assert list(graph.paths(h.at(3), h.at(1))) == []


def test_long_graphs_are_counted_and_walked_without_recursion() -> None:
    """The LSTM has some 10^1360 paths over 2000 steps: counted, and the first one made."""
    graph = unroll(CATALOGUE["lstm"], 2000)
    h = graph.cell.states[-1]
    before = sys.getrecursionlimit()
    count = graph.count_paths(h.at(0), h.at(2000))
    (path,) = islice(graph.paths(h.at(0), h.at(2000)), 1)

    # H_t = 5 H_{t-1} - H_{t-2} grows by (5 + √21)/2 = 4.7913 a step: 2000 · log10 = 1360.9.
    assert len(str(count)) == 1361
    assert path[0] == h.at(0)
    assert path[-1] == h.at(2000)
    assert sys.getrecursionlimit() == before


# ---- nodes, equations, text --------------------------------------------------------------------


def test_equations_are_those_of_the_cell_at_concrete_times() -> None:
    graph = unroll(CATALOGUE["rnn"], 2)

    assert str(graph).splitlines() == [
        "rnn, vector reading, T = 2",
        "given: h_0, x_1, x_2",
        "shared: W_x, W_h, b_h, W_y, b_y",
        "h_1 = tanh(W_x @ x_1 + W_h @ h_0 + b_h)",
        "y_1 = W_y @ h_1 + b_y",
        "h_2 = tanh(W_x @ x_2 + W_h @ h_1 + b_h)",
        "y_2 = W_y @ h_2 + b_y",
    ]
    assert [n.role for n in graph.nodes] == ["initial", *["input", "signal", "signal"] * 2]


@every_cell
def test_every_signal_an_equation_reads_is_a_node(cell: Cell) -> None:
    graph = unroll(cell, 3)
    nodes = {node.signal for node in graph.nodes}

    assert {e.target for e in graph.equations} == {
        n.signal for n in graph.nodes if n.role == "signal"
    }
    for equation in graph.equations:
        assert nodes.issuperset(signals_in(equation.value))
    assert [(e.source, e.target) for e in graph.edges] == [
        (source, e.target) for e in graph.equations for source in signals_in(e.value)
    ]


def test_edges_are_written_with_the_activated_value() -> None:
    graph = unroll(CATALOGUE["rnn"], 2)
    jacobians = {(repr(e.source), repr(e.target)): repr(e.jacobian) for e in graph.edges}

    assert jacobians["h_1", "h_2"] == "diag(1 - h_2^2) @ W_h"
    assert jacobians["h_2", "y_2"] == "W_y"


@every_cell
def test_no_steps_leave_the_initial_states(cell: Cell) -> None:
    graph = unroll(cell, 0)

    assert [n.signal for n in graph.nodes] == [s.at(0) for s in cell.states]
    assert not graph.equations
    assert not graph.edges
    assert graph.count_paths(cell.states[0].at(0), cell.states[0].at(0)) == 1
    assert len(str(graph).splitlines()) == 3


def test_the_cell_unrolls_itself() -> None:
    assert str(CATALOGUE["lstm"].unroll(2)) == str(unroll(CATALOGUE["lstm"], 2))


def test_an_unregistered_hook_says_what_to_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(HOOKS, "unroll")
    with pytest.raises(RuntimeError, match=r"import symgrad\.graph first"):
        CATALOGUE["lstm"].unroll(2)


# ---- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [-1, 2.0, "3", None, True])
def test_bad_horizons_are_refused_with_their_value(T: Any) -> None:
    with pytest.raises(UsageError, match=r"T=.*give an integer, 0 or more") as caught:
        unroll(CATALOGUE["rnn"], T)
    assert repr(T) in str(caught.value)


def test_integers_of_numpy_are_integers() -> None:
    assert unroll(CATALOGUE["rnn"], cast(Any, np.int64(2))).T == 2


def test_nodes_that_do_not_exist_are_named() -> None:
    graph = unroll(CATALOGUE["rnn"], 3)
    h, y = graph.cell.signals
    for node, message in [
        (h, "concrete time"),
        (h.at(4), r"h_4 does not exist: the times are 0\.\.3"),
        (y.at(0), "y_0 does not exist: at time 0 there are the states h"),
        (signal("z", *sizes("n")).at(1), "no signal 'z' .* it has x, h, y"),
        (lam(h).at(1), "not a node"),
    ]:
        with pytest.raises(UsageError, match=message):
            graph.count_paths(node, h.at(3))
    with pytest.raises(UsageError, match=r"along=\['h'\]"):
        graph.count_paths(h.at(0), h.at(3), along="h")
    with pytest.raises(UsageError, match=r"step 4 is not one of 1\.\.3"):
        graph.edges_at(4)
