"""What users say: claimed formulas, judged."""

from symgrad.judge.statement import check as check
