"""The memory of this process."""

import os


def resident() -> int:
    """Octets that it occupies."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
