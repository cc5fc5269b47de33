"""What a process uses, measured from outside of the code that uses it.

The heap is asked of glibc, so it counts what Rust and C++ allocate, to the byte and without the
pages that the allocator keeps. Python's own small objects are not on it.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

_FIELDS = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


class _MallInfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


_libc = ctypes.CDLL(None)
_mallinfo2 = getattr(_libc, "mallinfo2", None)  # glibc 2.33 and later
if _mallinfo2 is not None:
    _mallinfo2.restype = _MallInfo2


def heap_bytes() -> int:
    """Bytes in use on the native heap; 0 where that cannot be told."""
    if _mallinfo2 is None:
        return 0
    info = _mallinfo2()
    return int(info.uordblks) + int(info.hblkhd)


def reset_peak() -> int:
    """Forgets the peak of the resident set; its size now, in bytes."""
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5")
    return _status("VmRSS")


def peak_bytes() -> int:
    """The largest resident set since `reset_peak`; 0 where that cannot be told."""
    return _status("VmHWM")


def _status(name: str) -> int:
    if not _STATUS.exists():
        return 0
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    return 0
