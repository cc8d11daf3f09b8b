"""The LSTM with a forget gate and no peepholes (Gers, Schmidhuber and Cummins 2000)."""

from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.lang.nodes import Node, Signal
from symgrad.ops import sigma, tanh

_n, _m = sizes("n m")
_x = input_signal("x", _m)
_f, _i, _o, _g = (signal(name, _n) for name in "fiog")
_c, _h = signal("c", _n), signal("h", _n)


def _affine(gate: Signal) -> Node:
    """The pre-activation of a gate: W x_t + U h_{t-1} + b."""
    W, U = param(f"W_{gate.name}", _n, _m), param(f"U_{gate.name}", _n, _n)
    return W @ _x + U @ _h.prev + param(f"b_{gate.name}", _n)


LSTM = Cell(
    "lstm",
    [
        (_f, sigma(_affine(_f))),
        (_i, sigma(_affine(_i))),
        (_o, sigma(_affine(_o))),
        (_g, tanh(_affine(_g))),
        (_c, _f * _c.prev + _i * _g),
        (_h, _o * tanh(_c)),
    ],
    inputs=[_x],
    title="LSTM",
    variant="forget gate, no peepholes, one bias per gate",
    source="Hochreiter and Schmidhuber, Neural Computation 9(8), 1997; forget gate: Gers, "
    "Schmidhuber and Cummins, Neural Computation 12(10), 2000",
)
