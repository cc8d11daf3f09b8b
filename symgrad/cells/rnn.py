"""The tanh RNN with a linear output layer (Elman 1990, with output as in Pascanu et al. 2013)."""

from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.ops import tanh

_n, _m, _q = sizes("n m q")
_h, _y, _x = signal("h", _n), signal("y", _q), input_signal("x", _m)
_W_x, _W_h, _b_h = param("W_x", _n, _m), param("W_h", _n, _n), param("b_h", _n)
_W_y, _b_y = param("W_y", _q, _n), param("b_y", _q)

RNN = Cell(
    "rnn",
    [
        (_h, tanh(_W_x @ _x + _W_h @ _h.prev + _b_h)),
        (_y, _W_y @ _h + _b_y),
    ],
    inputs=[_x],
    title="tanh RNN with output layer",
    variant="state after the activation, linear output",
    source="Elman, Finding Structure in Time, Cognitive Science 14, 1990; "
    "Goodfellow, Bengio, Courville, Deep Learning, eqs. (10.8)-(10.10)",
)
