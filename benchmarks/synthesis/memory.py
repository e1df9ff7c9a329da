"""The largest memory that this process ever held."""

import resource
from pathlib import Path


def peak_mb() -> float:
    """Resident memory at its largest, in MB, libraries included.

    From the kernel's own mark where there is one: getrusage's also counts what the parent held before the process
    became another program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
