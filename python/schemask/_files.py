"""Files that are written so that nothing is lost: whole or not at all, or line by line."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from schemask.errors import DataError

if sys.platform != "win32":
    import fcntl


def check_new(path: Path, *, force: bool) -> None:
    """Raises DataError if `replacing` would refuse the path."""
    with _explained(path), contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError(f"{path} is a folder")
        if stat.S_ISREG(mode) and not force:
            raise DataError(f"{path} exists, and is overwritten with --force only")
        return
    with _explained(path):
        Path(os.path.realpath(path)).parent.stat()


@contextlib.contextmanager
def replacing(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends without an exception.

    It is written beside the path. Until it is whole and on the disk, also after a kill, what was
    there before is there still. Devices and pipes, which hold nothing, are written as they are.

    Args:
        path: Where the file shall be. A link is followed.
        force: Whether it may take the place of a file.

    Raises:
        DataError: There is a file and no `force`, somebody else is writing it, or the system
            refuses.
    """
    check_new(path, force=force)
    if path.exists() and not path.is_file():
        # Nothing is opened for reading: of a pipe, that would wait for somebody who writes it.
        with _explained(path), path.open("wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    with _explained(path), contextlib.ExitStack() as stack:
        try:
            old = stack.enter_context(target.open("rb"))
        except FileNotFoundError:
            old = None
        if old is not None:
            _lock(old.fileno(), path)
        part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
        # Not by tempfile: such a file would be private, and this one is as any that is made.
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            stack.callback(part.unlink, missing_ok=True)
            if old is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(os.fstat(old.fileno()).st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        _put(part, target, force)


def _put(part: Path, target: Path, force: bool) -> None:
    if force:
        part.replace(target)
    else:
        try:
            os.link(part, target)  # fails if there is a file by now
        except FileExistsError as error:
            raise DataError(f"{target} has come into being meanwhile") from error
        except OSError:  # a file system without links
            part.replace(target)
    # The new name is in the folder, which is written to the disk by itself.
    with contextlib.suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Journal:
    """A file to which whole lines are added, by one writer at a time.

    Nothing that is there is changed but by `cut`. A file that did not exist and got no line is
    removed at the end.

    Raises:
        DataError: No regular file, another writer, or the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_new = False
        with _explained(path):
            if path.exists() and not path.is_file():
                raise DataError(f"{path} is no regular file")
            flags = os.O_RDWR | os.O_APPEND
            try:
                number = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
                self._is_new = True
            except FileExistsError:
                number = os.open(path, flags)
            # Without a buffer, of which a part could be left after an error.
            self._file = open(number, "ab+", buffering=0)  # noqa: SIM115
        try:
            _lock(number, path)
            self._check_place()
        except DataError:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._file:
            if self._is_new and not self.size:
                with contextlib.suppress(OSError):
                    self.path.unlink()

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._file.fileno()).st_size

    def keep(self) -> None:
        """Lets the file stay, also without a line."""
        self._is_new = False

    def lines(self) -> Iterator[bytes]:
        """The lines of the file with their line breaks, which the last one may lack."""
        with _explained(self.path), open(os.dup(self._file.fileno()), "rb") as file:
            file.seek(0)
            yield from file

    def append(self, line: bytes) -> None:
        """Adds bytes and waits until they are on the disk; if that fails, none of them is left."""
        size = self.size
        with _explained(self.path):
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(self._file.fileno(), rest) :]
                os.fsync(self._file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    self.cut(size)
                raise
            self._check_place()

    def cut(self, size: int) -> None:
        """Removes what comes after so many bytes."""
        os.ftruncate(self._file.fileno(), size)

    def _check_place(self) -> None:
        try:
            is_there = os.path.samestat(os.fstat(self._file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            is_there = False
        if not is_there:
            raise DataError(f"{self.path} was moved or replaced while it was being written")


def _lock(number: int, path: Path) -> None:
    """Keeps other writers out until the file is closed."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataError(f"{path} is being written by somebody else") from error


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
