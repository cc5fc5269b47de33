"""The keys and values at the head of a GGUF file, read without llama.cpp.

A template is looked at before a model is loaded, and on machines that could not load it.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

from schemask.errors import FormatError

_NUMBERS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9


def read_metadata(path: Path, prefix: str = "") -> dict[str, Any]:
    """The values of all keys that begin with `prefix`, by key.

    Args:
        path: A GGUF file of version 2 or 3, in little-endian order.
        prefix: What the keys that are wanted have in common.

    Raises:
        FormatError: No such file, or one that was cut.
        OSError: It cannot be opened.
    """
    with path.open("rb") as file:
        try:
            return _Reader(file).metadata(prefix)
        except (struct.error, EOFError, UnicodeDecodeError, KeyError) as error:
            raise FormatError(f"{path} is no whole GGUF file: {error!r}") from error


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        file.seek(0)

    def metadata(self, prefix: str) -> dict[str, Any]:
        magic, version, _, count = struct.unpack("<4sIQQ", self._bytes(24))
        if magic != b"GGUF" or version not in (2, 3):
            raise EOFError(f"it begins with {magic!r}, version {version}")
        found = {}
        for _ in range(count):
            key = self._string().decode()
            value = self._value(self._number("<I"), is_wanted=key.startswith(prefix))
            if key.startswith(prefix):
                found[key] = value
        return found

    def _value(self, kind: int, is_wanted: bool) -> Any:
        if kind == _STRING:
            text = self._string()
            return text.decode("utf-8", "replace") if is_wanted else None
        if kind != _ARRAY:
            return self._number(_NUMBERS[kind])
        kind, count = struct.unpack("<IQ", self._bytes(12))
        if kind in (_STRING, _ARRAY):
            return [self._value(kind, is_wanted) for _ in range(count)]
        form = _NUMBERS[kind]
        data = self._bytes(count * struct.calcsize(form))
        return [number for (number,) in struct.iter_unpack(form, data)]

    def _string(self) -> bytes:
        return self._bytes(self._number("<Q"))

    def _number(self, form: str) -> Any:
        (number,) = struct.unpack(form, self._bytes(struct.calcsize(form)))
        return number

    def _bytes(self, length: int) -> bytes:
        # A length that no file has shall not be reserved as memory.
        if length > self._size:
            raise EOFError(f"something is said to be {length} bytes long")
        data = self._file.read(length)
        if len(data) < length:
            raise EOFError("it ends early")
        return data
