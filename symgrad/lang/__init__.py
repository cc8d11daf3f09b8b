"""The language of formulas: nodes, times, programs, evaluation. No calculus, no output format."""
