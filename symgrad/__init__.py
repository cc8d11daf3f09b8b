"""symgrad derives, proves and debugs the gradients of recurrent networks.

Public names are imported when they are first used, so that ``import symgrad`` and the
command line's ``--help`` load neither SymPy nor NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from symgrad.adjoint import Gradient as Gradient
    from symgrad.adjoint import Objective as Objective
    from symgrad.adjoint import backward as backward
    from symgrad.adjoint import final as final
    from symgrad.adjoint import loss as loss
    from symgrad.adjoint import summed as summed
    from symgrad.cell import Cell as Cell
    from symgrad.cell import input_signal as input_signal
    from symgrad.cell import param as param
    from symgrad.cell import signal as signal
    from symgrad.cell import sizes as sizes
    from symgrad.cell.losses import with_loss as with_loss
    from symgrad.cell.losses import with_readout as with_readout
    from symgrad.cells import CATALOGUE as CATALOGUE
    from symgrad.closed import Form as Form
    from symgrad.closed import closed_form as closed_form
    from symgrad.closed import elementary_form as elementary_form
    from symgrad.closed import expanded_form as expanded_form
    from symgrad.closed import forward_form as forward_form
    from symgrad.derivation import Writer as Writer
    from symgrad.derivation import verdict_of as verdict_of
    from symgrad.evaluate import form_value as form_value
    from symgrad.evaluate import sympy_equations as sympy_equations
    from symgrad.evaluate import to_sympy as to_sympy
    from symgrad.evaluate.compiled import compile as compile
    from symgrad.evaluate.export import export as export
    from symgrad.graph import unroll as unroll
    from symgrad.ops import absolute as absolute
    from symgrad.ops import activation as activation
    from symgrad.ops import concat as concat
    from symgrad.ops import cosh as cosh
    from symgrad.ops import diag as diag
    from symgrad.ops import dot as dot
    from symgrad.ops import exp as exp
    from symgrad.ops import log as log
    from symgrad.ops import logsumexp as logsumexp
    from symgrad.ops import maximum as maximum
    from symgrad.ops import mean as mean
    from symgrad.ops import minimum as minimum
    from symgrad.ops import norm as norm
    from symgrad.ops import outer as outer
    from symgrad.ops import relu as relu
    from symgrad.ops import rows as rows
    from symgrad.ops import sech as sech
    from symgrad.ops import sigma as sigma
    from symgrad.ops import sign as sign
    from symgrad.ops import sinh as sinh
    from symgrad.ops import softmax as softmax
    from symgrad.ops import softplus as softplus
    from symgrad.ops import sqrt as sqrt
    from symgrad.ops import step as step
    from symgrad.ops import tanh as tanh
    from symgrad.ops import total as total
    from symgrad.ops import variance as variance
    from symgrad.parse import read_cell as read_cell
    from symgrad.parse import read_cell_file as read_cell_file

_HOMES = {
    "symgrad.adjoint": ("Gradient", "Objective", "backward", "final", "loss", "summed"),
    "symgrad.cell": ("Cell", "input_signal", "param", "signal", "sizes"),
    "symgrad.cell.losses": ("with_loss", "with_readout"),
    "symgrad.cells": ("CATALOGUE",),
    "symgrad.closed": ("Form", "closed_form", "elementary_form", "expanded_form", "forward_form"),
    "symgrad.derivation": ("Writer", "verdict_of"),
    "symgrad.evaluate": ("form_value", "sympy_equations", "to_sympy"),
    "symgrad.evaluate.compiled": ("compile",),
    "symgrad.evaluate.export": ("export",),
    "symgrad.graph": ("unroll",),
    "symgrad.ops": (
        "absolute",
        "activation",
        "concat",
        "cosh",
        "diag",
        "dot",
        "exp",
        "log",
        "logsumexp",
        "maximum",
        "mean",
        "minimum",
        "norm",
        "outer",
        "relu",
        "rows",
        "sech",
        "sigma",
        "sign",
        "sinh",
        "softmax",
        "softplus",
        "sqrt",
        "step",
        "tanh",
        "total",
        "variance",
    ),
    "symgrad.parse": ("read_cell", "read_cell_file"),
    "symgrad.judge": ("check",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name from its home, and the renderers that let values show themselves."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'symgrad' has no attribute {name!r}")
    import_module("symgrad.render.register")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted([*_HOME_OF, "__version__"])
