"""Compiled grammars as files: how they were made, and for which tokens."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

from schemask import _native
from schemask._files import replacing
from schemask.core.generation import check_compiled, check_is_vocabulary
from schemask.core.grammar import SOURCES, Grammar
from schemask.core.recipe import Part, Recipe, parts_of
from schemask.core.vocabulary import Vocabulary
from schemask.errors import DataError, Error, VocabularyError, shortened

FORMAT = 1
"""The number of the format. A file of another one is refused."""

_STEPS = {*SOURCES, "define", "repeat", "then", "or_"}


def save(compiled: _native.CompiledGrammar, path: str | os.PathLike[str]) -> None:
    """What `CompiledGrammar.save` does."""
    check_compiled(compiled)
    content = {
        "schemask_grammar": FORMAT,
        "vocabulary": cast(Vocabulary, compiled.vocabulary).digest,
        "parts": [
            {"step": step, "arguments": _as_json(arguments)}
            for step, arguments in parts_of(compiled.grammar._recipe)
        ],
    }
    with replacing(_path(path), force=True) as file:
        file.write(json.dumps(content, ensure_ascii=False).encode())


def load(path: str | os.PathLike[str], vocabulary: Any) -> _native.CompiledGrammar:
    """What `CompiledGrammar.load` does."""
    check_is_vocabulary(vocabulary)
    place = _path(path)
    try:
        content = json.loads(place.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("schemask_grammar") != FORMAT:
        raise DataError(f"{path} holds no grammar in format {FORMAT} of CompiledGrammar.save")
    if content.get("vocabulary") != vocabulary.digest:
        raise VocabularyError(f"{path} was compiled for another vocabulary, of other tokens")
    try:
        grammar = Grammar._from_parts([_recipe(entry, place) for entry in content["parts"]])
    except Error:
        raise
    except (TypeError, LookupError, OverflowError) as error:
        raise DataError(f"{path} holds no whole grammar: {error}") from error
    return grammar.compile(vocabulary)


def _path(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path)
    except TypeError as error:
        raise DataError(f"no path of a file: {error}") from error


def _as_json(value: Any) -> Any:
    if isinstance(value, Part):
        return {"part": value.number}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    return value


def _from_json(value: Any, is_inner: bool = False) -> Any:
    if isinstance(value, dict) and set(value) == {"part"}:
        return Part(value["part"])
    if isinstance(value, list):
        items = [_from_json(item, True) for item in value]
        # The lists inside lists are pairs.
        return tuple(items) if is_inner else items
    return value


def _recipe(entry: dict[str, Any], path: Path) -> Recipe:
    if entry["step"] not in _STEPS:
        raise DataError(f"{path}: a grammar is not made by {shortened(entry['step'])}")
    return Recipe(entry["step"], tuple(_from_json(value) for value in entry["arguments"]))
