"""Linear recurrent networks: no activation, so closed forms exist."""

from symgrad.cell import Cell, input_signal, param, signal, sizes

_n, _m = sizes("n m")
_h, _x = signal("h", _n), input_signal("x", _m)
_W, _U, _b = param("W", _n, _n), param("U", _n, _m), param("b", _n)

LINEAR = Cell(
    "linear",
    [(_h, _W @ _h.prev)],
    title="Linear RNN without input",
    variant="the input is the initial state h_0",
    source="M. Yang, A Primer on Vanishing/Exploding Gradients and LSTM, blog, 2022",
)

LINEAR_INPUT = Cell(
    "linear-input",
    [(_h, _W @ _h.prev + _U @ _x + _b)],
    inputs=[_x],
    title="Linear RNN with input",
    variant="one bias, input at every step",
    source="Zhang et al., Dive into Deep Learning, section 9.7 (without output layer)",
)
