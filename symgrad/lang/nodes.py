"""The nodes of symgrad's language: frozen, hash-consed, with a shape.

The one module to import nodes from; ``base``, ``leaves``, ``compounds`` and ``construct``
hold them by kind.
"""

from symgrad.lang.base import OPERATORS as OPERATORS
from symgrad.lang.base import SCALAR as SCALAR
from symgrad.lang.base import Node as Node
from symgrad.lang.base import Operand as Operand
from symgrad.lang.base import Primitive as Primitive
from symgrad.lang.base import Shape as Shape
from symgrad.lang.compounds import Apply as Apply
from symgrad.lang.compounds import Block as Block
from symgrad.lang.compounds import Cases as Cases
from symgrad.lang.compounds import Condition as Condition
from symgrad.lang.compounds import Fold as Fold
from symgrad.lang.compounds import Misfit as Misfit
from symgrad.lang.compounds import Power as Power
from symgrad.lang.compounds import Slice as Slice
from symgrad.lang.compounds import block as block
from symgrad.lang.compounds import part as part
from symgrad.lang.construct import binder_height as binder_height
from symgrad.lang.construct import cases as cases
from symgrad.lang.construct import const as const
from symgrad.lang.construct import derivative as derivative
from symgrad.lang.construct import fold as fold
from symgrad.lang.construct import full as full
from symgrad.lang.construct import index_value as index_value
from symgrad.lang.construct import iverson as iverson
from symgrad.lang.construct import name as name
from symgrad.lang.construct import open_fold as open_fold
from symgrad.lang.construct import param as param
from symgrad.lang.construct import params_in as params_in
from symgrad.lang.construct import prod_over as prod_over
from symgrad.lang.construct import rename_index as rename_index
from symgrad.lang.construct import signals_in as signals_in
from symgrad.lang.construct import substitute_indices as substitute_indices
from symgrad.lang.construct import sum_over as sum_over
from symgrad.lang.construct import transform as transform
from symgrad.lang.construct import walk as walk
from symgrad.lang.leaves import Const as Const
from symgrad.lang.leaves import Derivative as Derivative
from symgrad.lang.leaves import Full as Full
from symgrad.lang.leaves import IndexValue as IndexValue
from symgrad.lang.leaves import Iverson as Iverson
from symgrad.lang.leaves import Name as Name
from symgrad.lang.leaves import Param as Param
from symgrad.lang.leaves import Signal as Signal
from symgrad.lang.leaves import signal as signal
