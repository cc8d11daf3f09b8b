"""Derivatives of programs: reverse mode, step Jacobians. Knows no rule of its own."""

from symgrad.adjoint.objective import Objective as Objective
from symgrad.adjoint.objective import final as final
from symgrad.adjoint.objective import loss as loss
from symgrad.adjoint.objective import summed as summed
from symgrad.adjoint.reverse import Gradient as Gradient
from symgrad.adjoint.reverse import backward as backward
