"""Tools of Python files and modules."""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from schemask.errors import DataError, Error, ToolError
from schemask.tools.tool_set import Tool, ToolSet


def python_tools(source: str | os.PathLike[str]) -> ToolSet:
    """The tools that a Python file or a module defines.

    Args:
        source: The path of a file that ends in `.py`, or the name of a module.

    Raises:
        DataError: There is no such file.
        ToolError: It raises an exception, which is told with the line; or it has no tool.
    """
    return tools_among(python_values(source), source)


def tools_among(values: Mapping[str, Any], source: str | os.PathLike[str]) -> ToolSet:
    """The tools among what a Python file or a module defines.

    Args:
        values: What it defines, as of `python_values`.
        source: The file or module, for errors.

    Raises:
        ToolError: There is none.
    """
    found = [value for value in values.values() if isinstance(value, Tool)]
    if not found:
        raise ToolError(f"{os.fspath(source)}: no function has the decorator @tool")
    # One tool may have two names in the file.
    return ToolSet(list(dict.fromkeys(found)))


def python_values(source: str | os.PathLike[str]) -> dict[str, Any]:
    """What a Python file or a module defines, by name.

    A file may import what lies beside it, also later, when its functions are called: its folder
    becomes the last one of `sys.path`.

    Args:
        source: The path of a file that ends in `.py`, or the name of a module.

    Raises:
        DataError: There is no such file.
        ToolError: It raises an exception, which is told with the line.
    """
    name = os.fspath(source)
    if not is_python_file(name):
        return _loaded(name, lambda: vars(importlib.import_module(name)))
    if not os.path.isfile(name):
        raise DataError(f"{name}: no such file")
    folder = os.path.dirname(os.path.abspath(name))
    if folder not in sys.path:
        sys.path.append(folder)  # the last: a `datasets.py` beside it is not that of the library
    return _loaded(name, lambda: runpy.run_path(name))


def is_python_file(name: str) -> bool:
    """Whether a name is that of a file, and not that of a module."""
    return name.endswith(".py") or os.sep in name


def _loaded(name: str, load: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What it defines. What it raises is told with the line, as other bad input is."""
    try:
        return load()
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == name]
        if isinstance(error, SyntaxError) and error.filename == name:
            lines.append(error.lineno)
        place = f"{name}: line {lines[-1]}" if lines else name
        what = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
        raise ToolError(f"{place}: {what}", line=lines[-1] if lines else None) from error
