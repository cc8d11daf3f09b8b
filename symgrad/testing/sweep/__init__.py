"""Verification sweeps: every gradient of many cells at many T, sizes and seeds.

``grid`` makes tasks, ``sweep`` runs them on any executor into a result file that it can
continue, ``check`` is what one task does. ``python -m symgrad.testing.sweep`` is the command.
"""

from symgrad.testing.sweep.campaign import sweep as sweep
from symgrad.testing.sweep.check import check as check
from symgrad.testing.sweep.results import Outcome as Outcome
from symgrad.testing.sweep.results import ResultFile as ResultFile
from symgrad.testing.sweep.tasks import Task as Task
from symgrad.testing.sweep.tasks import cell_source as cell_source
from symgrad.testing.sweep.tasks import grid as grid
