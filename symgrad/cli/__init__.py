"""The command line: ``symgrad build``, ``symgrad cells``, ``symgrad derive``.

Results go to stdout, everything else to stderr. Exit codes: 0 done; 1 a document does
not build or a check failed; 2 bad usage, bad input or not supported yet; 3 no closed
form known, or undecided; 4 internal error; 130 interrupted.
"""

from symgrad.cli.main import main as main
