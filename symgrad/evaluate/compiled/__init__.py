"""The equations of a cell and of its gradient as fast functions, and the plan they are made of."""

from symgrad.evaluate.compiled.api import Compiled as Compiled
from symgrad.evaluate.compiled.api import compile as compile
from symgrad.evaluate.compiled.build import plan_of as plan_of
from symgrad.evaluate.compiled.counting import operation_ratio as operation_ratio
from symgrad.evaluate.compiled.plan import Plan as Plan
from symgrad.evaluate.compiled.plan import listing as listing
from symgrad.evaluate.compiled.results import GradientValues as GradientValues
from symgrad.evaluate.compiled.results import Repeated as Repeated
