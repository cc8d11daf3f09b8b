"""Cells: a recurrent network declared once, as a few equations of one time step."""

from symgrad.cell.cell import Cell as Cell
from symgrad.cell.names import input_signal as input_signal
from symgrad.cell.names import param as param
from symgrad.cell.names import signal as signal
from symgrad.cell.names import sizes as sizes
