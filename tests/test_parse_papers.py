"""Cells in LaTeX as papers, books and manuals write them, against cells written by hand.

The expected cells use the constructors of a declaration, and none of the parser.
"""

from __future__ import annotations

import pytest

from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.lang.affine import Affine
from symgrad.lang.nodes import Node, Param, Signal, block, full
from symgrad.ops import (
    absolute,
    activation,
    concat,
    diag,
    exp,
    log,
    maximum,
    mean,
    norm,
    relu,
    rows,
    sigma,
    softmax,
    sqrt,
    tanh,
)
from symgrad.parse import read_cell

n, m, p, d, u = sizes("n m p d u")


def S(name: str, size: Affine | int = n) -> Signal:
    return signal(name, size)


def I(name: str, size: Affine = m) -> Signal:  # noqa: E743 (an input)
    return input_signal(name, size)


def X(size: Affine) -> Signal:
    return input_signal("x", size)


def U(size: Affine) -> Signal:
    return input_signal("u", size)


def H(size: Affine) -> Signal:
    return signal("h", size)


def W(name: str, *shape: Affine) -> Param:
    return param(name, *shape)


def act(name: str, argument: Node) -> Node:
    return activation(name)(argument)


h, c, f, i, o, g, z, r = (signal(name, n) for name in "hcfiogzr")
x, Y = X(m), signal("y", p)
hx, ax = concat(h.prev, x), concat(S("a").prev, x)


def gate(name: str) -> Node:
    """W x_t + U h_{t-1} + b."""
    return W(f"W_{name}", n, m) @ x + W(f"U_{name}", n, n) @ h.prev + W(f"b_{name}", n)


#: name -> (LaTeX, equations)
PAPERS: dict[str, tuple[str, list[tuple[Signal, Node]]]] = {
    "elman": (
        r"""
\begin{align}
h_t &= \sigma_h(W_h x_t + U_h h_{t-1} + b_h) \\
y_t &= \sigma_y(W_y h_t + b_y)
\end{align}""",
        [
            (h, act("sigma_h", W("W_h", n, m) @ x + W("U_h", n, n) @ h.prev + W("b_h", n))),
            (Y, act("sigma_y", W("W_y", p, n) @ h + W("b_y", p))),
        ],
    ),
    "jordan": (
        r"""
h_t = \sigma_h(W_h x_t + U_h y_{t-1} + b_h), \\
y_t = \sigma_y(W_y h_t + b_y).""",
        [
            (
                S("h", p),
                act("sigma_h", W("W_h", p, m) @ x + W("U_h", p, n) @ S("y", n).prev + W("b_h", p)),
            ),
            (S("y", n), act("sigma_y", W("W_y", n, p) @ S("h", p) + W("b_y", n))),
        ],
    ),
    "deep-learning-book": (
        r"""
\begin{align}
\boldsymbol{a}^{(t)} &= \boldsymbol{b} + \boldsymbol{W}\boldsymbol{h}^{(t-1)}
  + \boldsymbol{U}\boldsymbol{x}^{(t)}, \tag{10.8} \\
\boldsymbol{h}^{(t)} &= \tanh(\boldsymbol{a}^{(t)}), \tag{10.9} \\
\boldsymbol{o}^{(t)} &= \boldsymbol{c} + \boldsymbol{V}\boldsymbol{h}^{(t)}, \tag{10.10} \\
\hat{\boldsymbol{y}}^{(t)} &= \operatorname{softmax}(\boldsymbol{o}^{(t)}) \tag{10.11}
\end{align}""",
        [
            (S("a"), W("b", n) + W("W", n, n) @ h.prev + W("U", n, m) @ x),
            (h, tanh(S("a"))),
            (S("o", p), W("c", p) + W("V", p, n) @ h),
            (S("y_hat", p), softmax(S("o", p))),
        ],
    ),
    "colah": (
        r"""
\begin{align*}
f_t &= \sigma\left(W_f \cdot [h_{t-1}, x_t] + b_f\right) \\
i_t &= \sigma\left(W_i \cdot [h_{t-1}, x_t] + b_i\right) \\
\tilde{C}_t &= \tanh(W_C \cdot [h_{t-1}, x_t] + b_C) \\
C_t &= f_t * C_{t-1} + i_t * \tilde{C}_t \\
o_t &= \sigma\left(W_o \left[h_{t-1}, x_t\right] + b_o\right) \\
h_t &= o_t * \tanh(C_t)
\end{align*}""",
        [
            (f, sigma(W("W_f", n, n + m) @ hx + W("b_f", n))),
            (i, sigma(W("W_i", n, n + m) @ hx + W("b_i", n))),
            (S("C_tilde"), tanh(W("W_C", n, n + m) @ hx + W("b_C", n))),
            (S("C"), f * S("C").prev + i * S("C_tilde")),
            (o, sigma(W("W_o", n, n + m) @ hx + W("b_o", n))),
            (h, o * tanh(S("C"))),
        ],
    ),
    "wikipedia-lstm": (
        r"""
\begin{align}
f_t &= \sigma_g(W_{f} x_t + U_{f} h_{t-1} + b_f) \\
i_t &= \sigma_g(W_{i} x_t + U_{i} h_{t-1} + b_i) \\
o_t &= \sigma_g(W_{o} x_t + U_{o} h_{t-1} + b_o) \\
\tilde{c}_t &= \sigma_c(W_{c} x_t + U_{c} h_{t-1} + b_c) \\
c_t &= f_t \circ c_{t-1} + i_t \circ \tilde{c}_t \\
h_t &= o_t \circ \sigma_h(c_t)
\end{align}""",
        [
            (f, act("sigma_g", gate("f"))),
            (i, act("sigma_g", gate("i"))),
            (o, act("sigma_g", gate("o"))),
            (S("c_tilde"), act("sigma_c", gate("c"))),
            (c, f * c.prev + i * S("c_tilde")),
            (h, o * act("sigma_h", c)),
        ],
    ),
    "wikipedia-gru": (
        r"""
\begin{aligned}
z_t &= \sigma(W_{z} x_t + U_{z} h_{t-1} + b_z) \\
r_t &= \sigma(W_{r} x_t + U_{r} h_{t-1} + b_r) \\
\hat{h}_t &= \phi(W_{h} x_t + U_{h} (r_t \odot h_{t-1}) + b_h) \\
h_t &= (1-z_t) \odot  h_{t-1} + z_t \odot \hat{h}_t
\end{aligned}""",
        [
            (z, sigma(gate("z"))),
            (r, sigma(gate("r"))),
            (
                S("h_hat"),
                act("phi", W("W_h", n, m) @ x + W("U_h", n, n) @ (r * h.prev) + W("b_h", n)),
            ),
            (h, (1 - z) * h.prev + z * S("h_hat")),
        ],
    ),
    "cho-gru": (
        r"""
$$r = \sigma(W_r x_t + U_r h_{t-1})$$
$$z = \sigma(W_z x_t + U_z h_{t-1})$$
$$\tilde{h}_t = \phi(W x_t + U (r \odot h_{t-1}))$$
$$h_t = z \odot h_{t-1} + (1 - z) \odot \tilde{h}_t$$""",
        [
            (r, sigma(W("W_r", n, m) @ x + W("U_r", n, n) @ h.prev)),
            (z, sigma(W("W_z", n, m) @ x + W("U_z", n, n) @ h.prev)),
            (S("h_tilde"), act("phi", W("W", n, m) @ x + W("U", n, n) @ (r * h.prev))),
            (h, z * h.prev + (1 - z) * S("h_tilde")),
        ],
    ),
    "chung-gru": (
        r"""
h_t = (1 - z_t) \odot h_{t-1} + z_t \odot \tilde{h}_t, \\
z_t = \sigma\left(W_z \mathbf{x}_t + U_z h_{t-1}\right). \\
\tilde{h}_t = \tanh\left(W \mathbf{x}_t + U (r_t \odot h_{t-1})\right), \\
r_t = \sigma(W_r \mathbf{x}_t + U_r h_{t-1}).""",
        [
            (z, sigma(W("W_z", n, m) @ x + W("U_z", n, n) @ h.prev)),
            (r, sigma(W("W_r", n, m) @ x + W("U_r", n, n) @ h.prev)),
            (S("h_tilde"), tanh(W("W", n, m) @ x + W("U", n, n) @ (r * h.prev))),
            (h, (1 - z) * h.prev + z * S("h_tilde")),
        ],
    ),
    "graves-peephole": (
        r"""
\begin{eqnarray}
i_t & = & \sigma\left(W_{xi} x_t + W_{hi} h_{t-1} + w_{ci} \odot c_{t-1} + b_i\right) \\
f_t & = & \sigma\left(W_{xf} x_t + W_{hf} h_{t-1} + w_{cf} \odot c_{t-1} + b_f\right) \\
c_t & = & f_t \odot c_{t-1} + i_t \odot \tanh\left(W_{xc} x_t + W_{hc} h_{t-1} + b_c\right) \\
o_t & = & \sigma\left(W_{xo} x_t + W_{ho} h_{t-1} + w_{co} \odot c_t + b_o\right) \\
h_t & = & o_t \odot \tanh(c_t)
\end{eqnarray}""",
        [
            (
                i,
                sigma(
                    W("W_x_i", n, m) @ x
                    + W("W_hi", n, n) @ h.prev
                    + W("w_ci", n) * c.prev
                    + W("b_i", n)
                ),
            ),
            (
                f,
                sigma(
                    W("W_xf", n, m) @ x
                    + W("W_hf", n, n) @ h.prev
                    + W("w_cf", n) * c.prev
                    + W("b_f", n)
                ),
            ),
            (
                c,
                f * c.prev + i * tanh(W("W_xc", n, m) @ x + W("W_hc", n, n) @ h.prev + W("b_c", n)),
            ),
            (
                o,
                sigma(
                    W("W_xo", n, m) @ x + W("W_ho", n, n) @ h.prev + W("w_co", n) * c + W("b_o", n)
                ),
            ),
            (h, o * tanh(c)),
        ],
    ),
    "peephole-capital": (
        r"""
i_t = \sigma(W_{xi} x_t + W_{hi} h_{t-1} + W_{ci} \circ c_{t-1} + b_i) \\
f_t = \sigma(W_{xf} x_t + W_{hf} h_{t-1} + W_{cf} \circ c_{t-1} + b_f) \\
c_t = f_t \circ c_{t-1} + i_t \circ \tanh(W_{xc} x_t + W_{hc} h_{t-1} + b_c) \\
o_t = \sigma(W_{xo} x_t + W_{ho} h_{t-1} + W_{co} \circ c_t + b_o) \\
h_t = o_t \circ \tanh(c_t)""",
        [
            (
                i,
                sigma(
                    W("W_x_i", n, m) @ x
                    + W("W_hi", n, n) @ h.prev
                    + W("W_ci", n) * c.prev
                    + W("b_i", n)
                ),
            ),
            (
                f,
                sigma(
                    W("W_xf", n, m) @ x
                    + W("W_hf", n, n) @ h.prev
                    + W("W_cf", n) * c.prev
                    + W("b_f", n)
                ),
            ),
            (
                c,
                f * c.prev + i * tanh(W("W_xc", n, m) @ x + W("W_hc", n, n) @ h.prev + W("b_c", n)),
            ),
            (
                o,
                sigma(
                    W("W_xo", n, m) @ x + W("W_ho", n, n) @ h.prev + W("W_co", n) * c + W("b_o", n)
                ),
            ),
            (h, o * tanh(c)),
        ],
    ),
    "coupled-gates": (
        r"""
f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f) \\
o_t = \sigma(W_o x_t + U_o h_{t-1} + b_o) \\
g_t = \tanh(W_g x_t + U_g h_{t-1} + b_g) \\
c_t = f_t \odot c_{t-1} + (\mathbf{1} - f_t) \odot g_t \\
h_t = o_t \odot \tanh(c_t)""",
        [
            (f, sigma(gate("f"))),
            (o, sigma(gate("o"))),
            (g, tanh(gate("g"))),
            (c, f * c.prev + (1 - f) * g),
            (h, o * tanh(c)),
        ],
    ),
    "mgu": (
        r"""
\begin{gather}
f_t = \sigma(W_f [h_{t-1}, x_t] + b_f), \\
\tilde{h}_t = \tanh(W_h [f_t \odot h_{t-1}, x_t] + b_h), \\
h_t = (1 - f_t) \odot h_{t-1} + f_t \odot \tilde{h}_t.
\end{gather}""",
        [
            (f, sigma(W("W_f", n, n + m) @ hx + W("b_f", n))),
            (S("h_tilde"), tanh(W("W_h", n, n + m) @ concat(f * h.prev, x) + W("b_h", n))),
            (h, (1 - f) * h.prev + f * S("h_tilde")),
        ],
    ),
    "mingru": (
        r"""
z_t = \sigma(\mathrm{W}_z x_t) \\
\tilde{h}_t = \mathrm{W}_h x_t \\
h_t = (1 - z_t) \odot h_{t-1} + z_t \odot \tilde{h}_t""",
        [
            (z, sigma(W("W_z", n, m) @ x)),
            (S("h_tilde"), W("W_h", n, m) @ x),
            (h, (1 - z) * h.prev + z * S("h_tilde")),
        ],
    ),
    "sru": (
        r"""
\tilde{x}_t = W x_t \\
f_t = \sigma(W_f x_t + v_f \odot c_{t-1} + b_f) \\
c_t = f_t \odot c_{t-1} + (1 - f_t) \odot (W x_t) \\
r_t = \sigma(W_r x_t + v_r \odot c_{t-1} + b_r) \\
h_t = r_t \odot c_t + (1 - r_t) \odot x_t \\
y_t = V \tilde{x}_t""",
        [
            (S("x_tilde"), W("W", n, n) @ X(n)),
            (f, sigma(W("W_f", n, n) @ X(n) + W("v_f", n) * c.prev + W("b_f", n))),
            (c, f * c.prev + (1 - f) * (W("W", n, n) @ X(n))),
            (r, sigma(W("W_r", n, n) @ X(n) + W("v_r", n) * c.prev + W("b_r", n))),
            (h, r * c + (1 - r) * X(n)),
            (Y, W("V", p, n) @ S("x_tilde")),
        ],
    ),
    "qrnn-fo": (
        r"""
z_t = \tanh(W_z^1 x_t), \quad f_t = \sigma(W_f^1 x_t), \quad o_t = \sigma(W_o^1 x_t) \\
c_t = f_t \odot c_{t-1} + (1 - f_t) \odot z_t \\
h_t = o_t \odot c_t""",
        [
            (z, tanh(W("W_z_1", n, m) @ x)),
            (f, sigma(W("W_f_1", n, m) @ x)),
            (o, sigma(W("W_o_1", n, m) @ x)),
            (c, f * c.prev + (1 - f) * z),
            (h, o * c),
        ],
    ),
    "indrnn": (
        r"""\mathbf{h}_t = \operatorname{ReLU}(\mathbf{W}\mathbf{x}_t + \mathbf{u}
  \odot \mathbf{h}_{t-1} + \mathbf{b})""",
        [(h, relu(W("W", n, m) @ x + W("u", n) * h.prev + W("b", n)))],
    ),
    "letters-in-one-bold": (
        r"\mathbf{h}_t = \sigma(\mathbf{Wx}_t + \mathbf{u} \odot \mathbf{h}_{t-1} + \mathbf{b})",
        [(h, sigma(W("W", n, m) @ x + W("u", n) * h.prev + W("b", n)))],
    ),
    "janet": (
        r"""
\begin{align}
\mathbf{f}_t &= \sigma(\mathbf{U}_f \mathbf{h}_{t-1} + \mathbf{W}_f \mathbf{x}_t + \mathbf{b}_f) \\
\mathbf{c}_t &= \mathbf{f}_t \odot \mathbf{c}_{t-1} + (1 - \mathbf{f}_t)
  \odot \tanh(\mathbf{U}_c \mathbf{h}_{t-1} + \mathbf{W}_c \mathbf{x}_t + \mathbf{b}_c) \\
\mathbf{h}_t &= \mathbf{c}_t
\end{align}""",
        [
            (f, sigma(W("U_f", n, n) @ h.prev + W("W_f", n, m) @ x + W("b_f", n))),
            (
                c,
                f * c.prev
                + (1 - f) * tanh(W("U_c", n, n) @ h.prev + W("W_c", n, m) @ x + W("b_c", n)),
            ),
            (h, c),
        ],
    ),
    "leaky-esn": (
        r"""
\tilde{\mathbf{x}}(t) = \tanh\bigl(\mathbf{W}^{\mathrm{in}} [1; \mathbf{u}(t)]
  + \mathbf{W}\mathbf{x}(t-1)\bigr), \\
\mathbf{x}(t) = (1 - \alpha)\mathbf{x}(t-1) + \alpha\tilde{\mathbf{x}}(t), \\
\mathbf{y}(t) = \mathbf{W}^{\mathrm{out}} [1; \mathbf{u}(t); \mathbf{x}(t)]""",
        [
            (
                S("x_tilde"),
                tanh(W("W_in", n, m + 1) @ concat(1, U(m)) + W("W", n, n) @ S("x").prev),
            ),
            (S("x"), (1 - W("alpha")) * S("x").prev + W("alpha") * S("x_tilde")),
            (Y, W("W_out", p, n + m + 1) @ concat(1, U(m), S("x"))),
        ],
    ),
    "cornn": (
        r"""
z_t = z_{t-1} + \Delta t\, \sigma(W y_{t-1} + \mathcal{W} z_{t-1} + V u_t
  + b) - \Delta t\, \gamma y_{t-1} - \Delta t\, \epsilon z_{t-1}, \\
y_t = y_{t-1} + \Delta t\, z_t""",
        [
            (
                z,
                z.prev
                + W("dt")
                * sigma(
                    W("W", n, n) @ S("y").prev
                    + W("W_cal", n, n) @ z.prev
                    + W("V", n, m) @ U(m)
                    + W("b", n)
                )
                - W("dt") * W("gamma") * S("y").prev
                - W("dt") * W("epsilon") * z.prev,
            ),
            (S("y"), S("y").prev + W("dt") * z),
        ],
    ),
    "antisymmetric": (
        r"""h_t = h_{t-1} + \epsilon \tanh\left( (W_h - W_h^T - \gamma I) h_{t-1} + V_h x_t
  + b_h \right)""",
        [
            (
                h,
                h.prev
                + W("epsilon")
                * tanh(
                    (W("W_h", n, n) - W("W_h", n, n).T - W("gamma") * full("identity", (n, n)))
                    @ h.prev
                    + W("V_h", n, m) @ x
                    + W("b_h", n)
                ),
            )
        ],
    ),
    "ugrnn": (
        r"""
\mathbf{c}_t = \tanh(\mathbf{W}^{ch}\mathbf{h}_{t-1} + \mathbf{W}^{cx}\mathbf{x}_t
  + \mathbf{b}^c) \\
\mathbf{g}_t = \sigma(\mathbf{W}^{gh}\mathbf{h}_{t-1} + \mathbf{W}^{gx}\mathbf{x}_t
  + \mathbf{b}^g) \\
\mathbf{h}_t = \mathbf{g}_t \odot \mathbf{h}_{t-1} + (1 - \mathbf{g}_t) \odot \mathbf{c}_t""",
        [
            (c, tanh(W("W_ch", n, n) @ h.prev + W("W_cx", n, m) @ x + W("b_c", n))),
            (g, sigma(W("W_gh", n, n) @ h.prev + W("W_gx", n, m) @ x + W("b_g", n))),
            (h, g * h.prev + (1 - g) * c),
        ],
    ),
    "coursera": (
        r"""
\begin{align}
\tilde{c}^{\langle t \rangle} &= \tanh(W_c[a^{\langle t-1 \rangle}, x^{\langle t \rangle}] + b_c) \\
\Gamma_u &= \sigma(W_u[a^{\langle t-1 \rangle}, x^{\langle t \rangle}] + b_u) \\
\Gamma_f^{\langle t \rangle} &= \sigma(W_f[a^{\langle t-1 \rangle}, x^{\langle t \rangle}] + b_f) \\
\Gamma_o &= \sigma(W_o[a^{\langle t-1 \rangle}, x^{\langle t \rangle}] + b_o) \\
c^{<t>} &= \Gamma_u * \tilde{c}^{<t>} + \Gamma_f^{<t>} * c^{<t-1>} \\
a^{<t>} &= \Gamma_o * \tanh c^{<t>}
\end{align}""",
        [
            (S("c_tilde"), tanh(W("W_c", n, n + m) @ ax + W("b_c", n))),
            (S("Gamma_u"), sigma(W("W_u", n, n + m) @ ax + W("b_u", n))),
            (S("Gamma_f"), sigma(W("W_f", n, n + m) @ ax + W("b_f", n))),
            (S("Gamma_o"), sigma(W("W_o", n, n + m) @ ax + W("b_o", n))),
            (c, S("Gamma_u") * S("c_tilde") + S("Gamma_f") * c.prev),
            (S("a"), S("Gamma_o") * tanh(c)),
        ],
    ),
    "cs231n": (
        r"""
h_t = \tanh(W_{hh} h_{t-1} + W_{xh} x_t) \\
y_t = W_{hy} h_t""",
        [(h, tanh(W("W_hh", n, n) @ h.prev + W("W_xh", n, m) @ x)), (Y, W("W_hy", p, n) @ h)],
    ),
    "cs231n-stack": (
        r"""
\begin{align*}
\begin{pmatrix} i \\ f \\ o \\ g \end{pmatrix}
&= \begin{pmatrix} \sigma \\ \sigma \\ \sigma \\ \tanh \end{pmatrix}
W \begin{pmatrix} h_{t-1} \\ x_t \end{pmatrix} \\
c_t &= f \odot c_{t-1} + i \odot g \\
h_t &= o \odot \tanh(c_t)
\end{align*}""",
        [
            (i, sigma(rows(W("W", n + n + n + n, n + m) @ hx, 0, n))),
            (f, sigma(rows(W("W", n + n + n + n, n + m) @ hx, n, n))),
            (o, sigma(rows(W("W", n + n + n + n, n + m) @ hx, n + n, n))),
            (g, tanh(rows(W("W", n + n + n + n, n + m) @ hx, n + n + n, n))),
            (c, f * c.prev + i * g),
            (h, o * tanh(c)),
        ],
    ),
    "zaremba": (
        r"""
\begin{pmatrix} i \\ f \\ o \\ g \end{pmatrix} = \begin{pmatrix}
  \mathrm{sigm} \\ \mathrm{sigm} \\ \mathrm{sigm} \\ \tanh \end{pmatrix} T_{2n,4n}
  \begin{pmatrix} x_t \\ h_{t-1} \end{pmatrix} \\
c_t = f \odot c_{t-1} + i \odot g \\
h_t = o \odot \tanh(c_t)""",
        [
            (i, sigma(rows(W("T_2n_4n", n + n + n + n, n + m) @ concat(x, h.prev), 0, n))),
            (f, sigma(rows(W("T_2n_4n", n + n + n + n, n + m) @ concat(x, h.prev), n, n))),
            (o, sigma(rows(W("T_2n_4n", n + n + n + n, n + m) @ concat(x, h.prev), n + n, n))),
            (g, tanh(rows(W("T_2n_4n", n + n + n + n, n + m) @ concat(x, h.prev), n + n + n, n))),
            (c, f * c.prev + i * g),
            (h, o * tanh(c)),
        ],
    ),
    "d2l-rnn": (
        r"""
$$\mathbf{H}_t = \phi(\mathbf{X}_t \mathbf{W}_{\textrm{xh}}
  + \mathbf{H}_{t-1} \mathbf{W}_{\textrm{hh}}  + \mathbf{b}_\textrm{h}).$$
$$\mathbf{O}_t = \mathbf{H}_t \mathbf{W}_{\textrm{hq}} + \mathbf{b}_\textrm{q}.$$""",
        [
            (
                S("H"),
                act(
                    "phi",
                    W("W_xh", m, n).T @ I("X") + W("W_hh", n, n).T @ S("H").prev + W("b_h", n),
                ),
            ),
            (S("O", p), W("W_hq", n, p).T @ S("H") + W("b_q", p)),
        ],
    ),
    "d2l-gru": (
        r"""
\begin{aligned}
\mathbf{R}_t = \sigma(\mathbf{X}_t \mathbf{W}_{xr} + \mathbf{H}_{t-1} \mathbf{W}_{hr}
  + \mathbf{b}_r),\\
\mathbf{Z}_t = \sigma(\mathbf{X}_t \mathbf{W}_{xz} + \mathbf{H}_{t-1} \mathbf{W}_{hz}
  + \mathbf{b}_z),
\end{aligned}
$$\tilde{\mathbf{H}}_t = \tanh(\mathbf{X}_t \mathbf{W}_{xh} + \left(\mathbf{R}_t
  \odot \mathbf{H}_{t-1}\right) \mathbf{W}_{hh} + \mathbf{b}_h),$$
$$\mathbf{H}_t = \mathbf{Z}_t \odot \mathbf{H}_{t-1}  + (1 - \mathbf{Z}_t)
  \odot \tilde{\mathbf{H}}_t.$$""",
        [
            (
                S("R"),
                sigma(W("W_xr", m, n).T @ I("X") + W("W_hr", n, n).T @ S("H").prev + W("b_r", n)),
            ),
            (
                S("Z"),
                sigma(W("W_xz", m, n).T @ I("X") + W("W_hz", n, n).T @ S("H").prev + W("b_z", n)),
            ),
            (
                S("H_tilde"),
                tanh(
                    W("W_xh", m, n).T @ I("X")
                    + W("W_hh", n, n).T @ (S("R") * S("H").prev)
                    + W("b_h", n)
                ),
            ),
            (S("H"), S("Z") * S("H").prev + (1 - S("Z")) * S("H_tilde")),
        ],
    ),
    "pytorch-rnn": (
        r"""h_t = \tanh(x_t W_{ih}^T + b_{ih} + h_{t-1}W_{hh}^T + b_{hh})""",
        [(h, tanh(W("W_ih", n, m) @ x + W("b_ih", n) + W("W_hh", n, n) @ h.prev + W("b_hh", n)))],
    ),
    "pytorch-gru": (
        r"""
\begin{array}{ll}
    r_t = \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{(t-1)} + b_{hr}) \\
    z_t = \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{(t-1)} + b_{hz}) \\
    n_t = \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{(t-1)}+ b_{hn})) \\
    h_t = (1 - z_t) \odot n_t + z_t \odot h_{(t-1)}
\end{array}""",
        [
            (
                S("r", d),
                sigma(
                    W("W_ir", d, m) @ x + W("b_ir", d) + W("W_hr", d, d) @ H(d).prev + W("b_hr", d)
                ),
            ),
            (
                S("z", d),
                sigma(
                    W("W_iz", d, m) @ x + W("b_iz", d) + W("W_hz", d, d) @ H(d).prev + W("b_hz", d)
                ),
            ),
            (
                S("n", d),
                tanh(
                    W("W_in", d, m) @ x
                    + W("b_in", d)
                    + S("r", d) * (W("W_hn", d, d) @ H(d).prev + W("b_hn", d))
                ),
            ),
            (H(d), (1 - S("z", d)) * S("n", d) + S("z", d) * H(d).prev),
        ],
    ),
    "keras-lstm": (
        r"""
f_t = \mathrm{sigmoid}(W_f x_t + U_f h_{t-1} + b_f) \\
i_t = \operatorname{sigmoid}(W_i x_t + U_i h_{t-1} + b_i) \\
o_t = \text{sigmoid}(W_o x_t + U_o h_{t-1} + b_o) \\
\tilde{c}_t = \text{tanh}(W_c x_t + U_c h_{t-1} + b_c) \\
c_t = f_t \otimes c_{t-1} + i_t \otimes \tilde{c}_t \\
h_t = o_t \otimes \text{tanh}(c_t)""",
        [
            (f, sigma(gate("f"))),
            (i, sigma(gate("i"))),
            (o, sigma(gate("o"))),
            (S("c_tilde"), tanh(gate("c"))),
            (c, f * c.prev + i * S("c_tilde")),
            (h, o * tanh(c)),
        ],
    ),
    "layer-norm-lstm": (
        r"""
a_t = W_x x_t + W_h h_{t-1} + b \\
\mu_t = \operatorname{mean}(a_t) \\
\sigma_t = \sqrt{\operatorname{mean}((a_t - \mu_t)^2)} \\
n_t = \gamma \odot \frac{a_t - \mu_t}{\sigma_t} + \beta \\
h_t = \tanh(n_t)""",
        [
            (S("a", d), W("W_x", d, m) @ x + W("W_h", d, d) @ H(d).prev + W("b", d)),
            (S("mu", 1), mean(S("a", d))),
            (S("sigma", 1), sqrt(mean((S("a", d) - S("mu", 1)) ** 2))),
            (S("n", d), W("gamma", d) * ((S("a", d) - S("mu", 1)) / S("sigma", 1)) + W("beta", d)),
            (H(d), tanh(S("n", d))),
        ],
    ),
    "slstm": (
        r"""
\begin{align}
z_t &= \varphi(W_z x_t + R_z h_{t-1} + b_z) \\
i_t &= \exp\left(\tilde{i}_t\right), & \tilde{i}_t &= W_i x_t + R_i h_{t-1} + b_i \\
f_t &= \sigma\left(\tilde{f}_t\right), & \tilde{f}_t &= W_f x_t + R_f h_{t-1} + b_f \\
o_t &= \sigma\left(\tilde{o}_t\right), & \tilde{o}_t &= W_o x_t + R_o h_{t-1} + b_o \\
c_t &= f_t \odot c_{t-1} + i_t \odot z_t \\
n_t &= f_t \odot n_{t-1} + i_t \\
h_t &= o_t \odot \frac{c_t}{n_t}
\end{align}""",
        [
            (
                S("z", d),
                act("phi", W("W_z", d, m) @ x + W("R_z", d, d) @ H(d).prev + W("b_z", d)),
            ),
            (S("i_tilde", d), W("W_i", d, m) @ x + W("R_i", d, d) @ H(d).prev + W("b_i", d)),
            (S("i", d), exp(S("i_tilde", d))),
            (S("f_tilde", d), W("W_f", d, m) @ x + W("R_f", d, d) @ H(d).prev + W("b_f", d)),
            (S("f", d), sigma(S("f_tilde", d))),
            (S("o_tilde", d), W("W_o", d, m) @ x + W("R_o", d, d) @ H(d).prev + W("b_o", d)),
            (S("o", d), sigma(S("o_tilde", d))),
            (S("c", d), S("f", d) * S("c", d).prev + S("i", d) * S("z", d)),
            (S("n", d), S("f", d) * S("n", d).prev + S("i", d)),
            (H(d), S("o", d) * (S("c", d) / S("n", d))),
        ],
    ),
    "slstm-stabilised": (
        r"""
i_t = \exp(W_i x_t), \quad f_t = \sigma(W_f x_t) \\
m_t = \max\left(\log(f_t) + m_{t-1}, \log(i_t)\right) \\
i'_t = \exp(\log(i_t) - m_t) \\
f'_t = \exp(\log(f_t) + m_{t-1} - m_t) \\
c_t = f'_t \odot c_{t-1} + i'_t \odot (W_z x_t)""",
        [
            (i, exp(W("W_i", n, u) @ X(u))),
            (f, sigma(W("W_f", n, u) @ X(u))),
            (S("m"), maximum(log(f) + S("m").prev, log(i))),
            (S("i_prime"), exp(log(i) - S("m"))),
            (S("f_prime"), exp(log(f) + S("m").prev - S("m"))),
            (c, S("f_prime") * c.prev + S("i_prime") * (W("W_z", n, u) @ X(u))),
        ],
    ),
    "mut1": (
        r"""
z = \operatorname{sigm}(W_{xz} x_t + b_z) \\
r = \operatorname{sigm}(W_{xr} x_t + W_{hr} h_{t-1} + b_r) \\
h_t = \tanh(W_{hh}(r \odot h_{t-1}) + \tanh(x_t) + b_h) \odot z + h_{t-1} \odot (1 - z)""",
        [
            (z, sigma(W("W_xz", n, n) @ X(n) + W("b_z", n))),
            (r, sigma(W("W_xr", n, n) @ X(n) + W("W_hr", n, n) @ h.prev + W("b_r", n))),
            (
                h,
                tanh(W("W_hh", n, n) @ (r * h.prev) + tanh(X(n)) + W("b_h", n)) * z
                + h.prev * (1 - z),
            ),
        ],
    ),
    "rate-model": (
        r"""r_t = (1 - \alpha) r_{t-1} + \alpha f(W r_{t-1} + W^{\text{in}} u_t)""",
        [
            (
                r,
                (1 - W("alpha")) * r.prev
                + W("alpha") * act("f", W("W", n, n) @ r.prev + W("W_in", n, m) @ U(m)),
            )
        ],
    ),
    "sigmoid-by-hand": (
        r"""f_t = \frac{1}{1 + e^{-(W x_t + U h_{t-1})}}, \quad h_t = f_t \odot h_{t-1}""",
        [(f, 1 / (1 + exp(-(W("W", n, m) @ x + W("U", n, n) @ h.prev)))), (h, f * h.prev)],
    ),
    "multi-line": (
        r"""
\begin{multline}
h_t = \tanh\Bigl(W x_t \\
  + U h_{t-1} \\
  + b \Bigr)
\end{multline}""",
        [(h, tanh(W("W", n, m) @ x + W("U", n, n) @ h.prev + W("b", n)))],
    ),
    "split": (
        r"""
\begin{equation}\begin{split}
h_t &= (1 - z_t) \odot h_{t-1} \\
    &\quad + z_t \odot \tanh(W x_t) \\
z_t &= \sigma(V x_t)
\end{split}\end{equation}""",
        [(z, sigma(W("V", n, m) @ x)), (h, (1 - z) * h.prev + z * tanh(W("W", n, m) @ x))],
    ),
    "declared": (
        r"""
% name: declared
% title: A declared cell
The input is $x_t \in \mathbb{R}^m$, the state $h_t \in \mathbb{R}^{2n}$, and
$W \in \mathbb{R}^{2n \times m}$; $a \in \mathbb{R}^{2n}$ and $\beta \in \mathbb{R}$ scale:
\[ h_t = a \odot h_{t-1} + \beta W x_t \]
for all $t$.""",
        [(S("h", n + n), W("a", n + n) * S("h", n + n).prev + W("beta") * (W("W", n + n, m) @ x))],
    ),
    "norm-gate": (
        r"""
s_t = v^\top h_{t-1} \\
h_t = s_t W x_t + \lVert h_{t-1} \rVert b""",
        [
            (S("s", 1), W("v", n).T @ h.prev),
            (h, S("s", 1) * (W("W", n, m) @ x) + norm(h.prev) * W("b", n)),
        ],
    ),
    "remark-and-bars": (
        r"""h_t = \tanh(W x_t) \quad \text{(the state)}, \\ y_t = \left| h_t - y_{t-1} \right|""",
        [(h, tanh(W("W", n, m) @ x)), (S("y"), absolute(h - S("y").prev))],
    ),
    "cfn": (
        r"""
\theta_t = \sigma(U_\theta h_{t-1} + V_\theta x_t + b_\theta) \\
\eta_t = \sigma(U_\eta h_{t-1} + V_\eta x_t + b_\eta) \\
h_t = \theta_t \odot \tanh(h_{t-1}) + \eta_t \odot \tanh(W x_t)""",
        [
            (
                S("theta"),
                sigma(W("U_theta", n, n) @ h.prev + W("V_theta", n, m) @ x + W("b_theta", n)),
            ),
            (S("eta"), sigma(W("U_eta", n, n) @ h.prev + W("V_eta", n, m) @ x + W("b_eta", n))),
            (h, S("theta") * tanh(h.prev) + S("eta") * tanh(W("W", n, m) @ x)),
        ],
    ),
    "stacked-layers": (
        r"""
h^{(1)}_t = \tanh(W^{(1)} x_t + U^{(1)} h^{(1)}_{t-1} + b^{(1)}) \\
h^{(2)}_t = \tanh(W^{(2)} h_t^{(1)} + U^{(2)} h^{(2)}_{t-1} + b^{(2)}) \\
y_t = V h^{(2)}_t""",
        [
            (S("h_1"), tanh(W("W_1", n, m) @ x + W("U_1", n, n) @ S("h_1").prev + W("b_1", n))),
            (
                S("h_2", d),
                tanh(W("W_2", d, n) @ S("h_1") + W("U_2", d, d) @ S("h_2", d).prev + W("b_2", d)),
            ),
            (Y, W("V", p, d) @ S("h_2", d)),
        ],
    ),
    "bmatrix": (
        r"""
h_t = \tanh\left( \begin{bmatrix} U & W \end{bmatrix}
  \begin{bmatrix} h_{t-1} \\ x_t \end{bmatrix} \right)""",
        [(h, tanh(block([(W("U", n, n), W("W", n, m))]) @ hx))],
    ),
    "arrow-labels": (
        r"""
h_t \leftarrow \tanh(W_{x\to h} x_t + W_{h\rightarrow h} h_{t-1})""",
        [(h, tanh(W("W_x_to_h", n, m) @ x + W("W_h_to_h", n, n) @ h.prev))],
    ),
    "powers": (
        r"""h_t := \alpha^2 h_{t-1} + W x_t^2 + U^{2} h_{t-1}""",
        [(h, W("alpha") ** 2 * h.prev + W("W", n, m) @ x**2 + W("U", n, n) ** 2 @ h.prev)],
    ),
    "attention-like": (
        r"""a_t = \operatorname{softmax}(W_a h_{t-1}),
  \quad h_t = \tanh(\operatorname{diag}(a_t) U h_{t-1} + W x_t)""",
        [
            (S("a"), softmax(W("W_a", n, n) @ h.prev)),
            (h, tanh(diag(S("a")) @ (W("U", n, n) @ h.prev) + W("W", n, m) @ x)),
        ],
    ),
}


@pytest.mark.parametrize("name", PAPERS)
def test_a_cell_as_it_stands_in_a_paper(name: str) -> None:
    text, equations = PAPERS[name]
    found = read_cell(text, "latex", name=name)

    # Line by line first: a difference is shown where it is.
    for equation, (target, value) in zip(found.equations, equations, strict=True):
        assert repr((equation.target, equation.value)) == repr((target, value))
        assert equation.target is target
        assert equation.value is value
    assert Cell(name, equations, inputs=found.inputs).equations == found.equations


def test_there_are_enough_of_them() -> None:
    assert len(PAPERS) >= 40


def test_a_wrong_expectation_is_noticed() -> None:
    text, equations = PAPERS["cs231n"]
    found = read_cell(text, "latex")
    transposed = [(h, tanh(W("W_hh", n, n).T @ h.prev + W("W_xh", n, m) @ x)), equations[1]]

    assert [e.value for e in found.equations] == [value for _, value in equations]
    assert [e.value for e in found.equations] != [value for _, value in transposed]


def test_a_letter_before_one_name_in_parentheses_is_a_function() -> None:
    """Greff et al. write h(c^t) for an activation: a factor would need no parentheses."""
    cell = read_cell(
        r"""\begin{align*}
        \mathbf{z}^t &= g(\mathbf{W}_z \mathbf{x}^t + \mathbf{R}_z \mathbf{y}^{t-1})
            & \text{block input}\\
        \mathbf{c}^t &= \mathbf{z}^t + \mathbf{c}^{t-1} & \text{cell}\\
        \mathbf{y}^t &= h(\mathbf{c}^t) & \text{output.}
        \end{align*}""",
        "latex",
    )
    assert [str(e.value) for e in cell.equations] == [
        "g(W_z @ x_t + R_z @ y_{t-1})",
        "z_t + c_{t-1}",
        "h(c_t)",
    ]
    scaled = read_cell(r"c_t = a(c_{t-1} + x_t)", "latex")
    assert str(scaled.equations[0].value) == "a * (c_{t-1} + x_t)"
    factor = read_cell(r"c_t = a(c_{t-1}) + a x_t", "latex")
    assert str(factor.equations[0].value) == "a * c_{t-1} + a * x_t"
