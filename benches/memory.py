"""What a process uses, measured from outside of the code that uses it.

Libraries bring allocators of their own, so only the pages that are resident are counted.
"""

from __future__ import annotations

from pathlib import Path

_STATUS = Path("/proc/self/status")
_ROLLUP = Path("/proc/self/smaps_rollup")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def resident_bytes() -> int:
    """The resident set, to the page; 0 where that cannot be told."""
    # What /proc/self/status says of it is a sum of counters that each processor keeps for a while.
    return _field(_ROLLUP, "Rss")


def reset_peak() -> int:
    """Forgets the peak of the resident set; its size now, in bytes."""
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5")
    return _status("VmRSS")


def peak_bytes() -> int:
    """The largest resident set since `reset_peak`; 0 where that cannot be told."""
    return _status("VmHWM")


def _status(name: str) -> int:
    return _field(_STATUS, name)


def _field(path: Path, name: str) -> int:
    if not path.exists():
        return 0
    for line in path.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    return 0
