"""Source code of a cell and its gradient, for people to paste into a project."""

from symgrad.evaluate.export.module import TARGETS as TARGETS
from symgrad.evaluate.export.module import export as export
