"""The plug-ins: files or packages, one for each library that some users do not have.

A new one is found here, and so by the tests of layers, docstrings and missing libraries.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1] / "python" / "schemask"


class Plugin(NamedTuple):
    """A plug-in.

    Attributes:
        name: Its name in the package.
        is_package: Whether it is a package itself.
        library: The module that it imports first, which is missing without the extra.
        extra: The extra that its message names.
    """

    name: str
    library: str
    extra: str
    is_package: bool


def plugins() -> Iterator[Plugin]:
    """All modules at the top of the package that `raise missing(...)` when they are imported."""
    for path in sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("*/__init__.py")]):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case ast.Try(
                    body=[ast.Import(names=[ast.alias(name=library)]), *_]
                    | [ast.ImportFrom(module=str(library)), *_],
                    handlers=[
                        ast.ExceptHandler(
                            body=[
                                ast.Raise(
                                    exc=ast.Call(
                                        func=ast.Name(id="missing"),
                                        args=[_, ast.Constant(value=str(extra)), *_],
                                    )
                                )
                            ]
                        )
                    ],
                ):
                    is_package = path.name == "__init__.py"
                    name = path.parent.name if is_package else path.stem
                    yield Plugin(name, library, extra, is_package)


PLUGINS = list(plugins())


def with_entry_point(folder: Path, group: str) -> str:
    """A path on which new processes find the package as if it were installed: what pyproject.toml
    says of its entry point in a group, and its sources."""
    root = PACKAGE.parents[1]
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition(f'[project.entry-points."{group}"]\n')[2]
    name, _, value = section.partition("\n")[0].partition(" = ")
    info = folder / "schemask_entry-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: schemask-entry\nVersion: 0\n")
    entry = f"[{group}]\n{name} = {json.loads(value)}\n"
    (info / "entry_points.txt").write_text(entry)
    return os.pathsep.join([str(folder), str(root / "python")])
