"""Tokenizers by their places."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemask.errors import FormatError, ModelError, missing


def tokenizer_of(source: Any) -> Any:
    """A tokenizer, loaded if a place is given.

    Args:
        source: A tokenizer, or the path of a folder that transformers wrote or of a GGUF file, of
            which llama.cpp reads the vocabulary alone.

    Raises:
        FormatError: There is no such place.
        ModelError: It cannot be loaded.
        DependencyError: The library that reads it is not installed.
    """
    if not isinstance(source, (str, os.PathLike)):
        return source
    path = Path(source)
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise FormatError(f"{path}: no such file or folder")
    return _of_gguf(path)


def _of_folder(path: Path) -> Any:
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise missing("transformers", "transformers", error) from error
    try:
        return AutoTokenizer.from_pretrained(path, local_files_only=True)
    except Exception as error:  # of many kinds
        raise ModelError(f"{path}: no tokenizer can be loaded: {error}") from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Drops what llama.cpp says of a vocabulary without weights, whatever it is told."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _of_gguf(path: Path) -> Any:
    from schemask.models import preflight

    preflight.look(path)
    try:
        from llama_cpp import Llama
    except ImportError as error:
        raise missing("llama-cpp-python", "llama-cpp", error) from error
    try:
        with _silence():
            return Llama(str(path), vocab_only=True, verbose=False)
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from error
