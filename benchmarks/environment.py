"""One core, one thread: what makes runtimes comparable, and what the tables say about them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from pathlib import Path

#: Read by the runtimes when they are imported, so they stand before any import of theirs.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "1",
}

#: The distributions that the tables name with their versions.
DISTRIBUTIONS = (
    "symgrad", "numpy", "sympy", "symengine", "casadi", "jax", "jaxlib", "torch", "numba",
    "autograd",
)  # fmt: skip


def pin(core: int | None) -> None:
    """Keep this process, and every thread it will start, on one core."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def chosen_core() -> int | None:
    """Of the cores that are ours the one that is idle most, now; the last where it is not known."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    ours = sorted(os.sched_getaffinity(0))
    before = _idle_ticks()
    time.sleep(0.5)
    after = _idle_ticks()
    return max(ours, key=lambda core: (after.get(core, 0) - before.get(core, 0), core))


def _idle_ticks() -> dict[int, int]:
    """How long each core has been idle, in ticks of the kernel."""
    found = {}
    stat = Path("/proc/stat")
    for line in stat.read_text(encoding="utf-8").splitlines() if stat.exists() else ():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdigit():
            found[int(name[3:])] = int(fields[3])
    return found


def versions() -> dict[str, str]:
    """Version by distribution; "not installed" where there is none."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, str]:
    """Cores and the processor's general model; nothing that names this machine."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = named[0] if named else model
    return {
        "cores": str(os.cpu_count()),
        "processor": model,
        "python": platform.python_version(),
        "system": platform.system(),
    }
