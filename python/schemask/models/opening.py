"""Models of files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from schemask.errors import ModelError, missing
from schemask.models import preflight
from schemask.models.base import Model

CONTEXT_TOKENS = 4096


def open_model(path: str | os.PathLike[str]) -> Model:
    """The model of a GGUF, by llama.cpp, or of a folder, by transformers.

    Args:
        path: The file or the folder.

    Raises:
        ModelError: There is no model, or one that cannot be loaded.
        DependencyError: The library that loads it is not installed.
    """
    place = Path(path)
    if any((place / name).is_file() for name in ("config.json", "adapter_config.json")):
        return _of_folder(place)
    if place.is_dir():
        raise ModelError(f"{place}: the folder has no config.json, so it is no model")
    if not place.is_file():
        raise ModelError(f"{place}: no such file")
    preflight.look(place)
    from schemask.llama_cpp import Llama
    from schemask.models.llama_cpp import LlamaCppModel

    try:
        return LlamaCppModel(Llama(str(place), n_ctx=CONTEXT_TOKENS, verbose=False))
    except ValueError as error:
        raise ModelError(f"{place}: {error}") from error


def _of_folder(path: Path) -> Model:
    from schemask.models.transformers import TransformersModel

    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise missing("transformers", "transformers", error) from error
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(path, dtype="auto", local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    except (ImportError, KeyError, OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: {error}") from error
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return TransformersModel(model, tokenizer)
