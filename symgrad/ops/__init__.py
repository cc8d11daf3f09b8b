"""The primitives: one table of derivatives, shapes, values and costs."""

from symgrad.ops.elementwise import GENERIC as GENERIC
from symgrad.ops.functions import absolute as absolute
from symgrad.ops.functions import activation as activation
from symgrad.ops.functions import concat as concat
from symgrad.ops.functions import diag as diag
from symgrad.ops.functions import dot as dot
from symgrad.ops.functions import exp as exp
from symgrad.ops.functions import log as log
from symgrad.ops.functions import logsumexp as logsumexp
from symgrad.ops.functions import maximum as maximum
from symgrad.ops.functions import mean as mean
from symgrad.ops.functions import minimum as minimum
from symgrad.ops.functions import norm as norm
from symgrad.ops.functions import outer as outer
from symgrad.ops.functions import relu as relu
from symgrad.ops.functions import rows as rows
from symgrad.ops.functions import sigma as sigma
from symgrad.ops.functions import sign as sign
from symgrad.ops.functions import softmax as softmax
from symgrad.ops.functions import softplus as softplus
from symgrad.ops.functions import sqrt as sqrt
from symgrad.ops.functions import step as step
from symgrad.ops.functions import tanh as tanh
from symgrad.ops.functions import total as total
from symgrad.ops.functions import variance as variance
from symgrad.ops.table import PRIMITIVES as PRIMITIVES
