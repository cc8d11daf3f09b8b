"""symgrad beside its peers: ``python -m benchmarks`` measures all of them in one run.

Not part of the package: every peer is optional, and none of this is installed.
"""
