"""Models of files."""

from __future__ import annotations

import os
from pathlib import Path

from schemask.errors import ModelError, missing, shortened
from schemask.models import preflight
from schemask.models.base import Model
from schemask.models.mlx import MlxModel, is_mlx_folder
from schemask.models.tokenizers import load_tokenizer, model_location, read_pretrained

CONTEXT_TOKENS = 4096


def open_model(path: str | os.PathLike[str]) -> Model:
    """The model of a GGUF, by llama.cpp, or of a folder, by mlx-lm if mlx wrote its weights, else
    by transformers.

    Args:
        path: The file or the folder.

    Raises:
        ModelError: There is no model, or one that cannot be loaded.
        DependencyError: The library that loads it is not installed.
        VocabularyError: Its tokens cannot be read.
    """
    place = model_location(path)
    if place.is_dir():
        return _of_folder(place)
    preflight.look(place)
    from schemask.llama_cpp import Llama
    from schemask.models.llama_cpp import LlamaCppModel

    try:
        return LlamaCppModel(Llama(str(place), n_ctx=CONTEXT_TOKENS, verbose=False))
    except ValueError as error:
        raise ModelError(f"{place}: {error}") from error


def open_for_many(path: str | os.PathLike[str], sequences: int, context_tokens: int) -> Model:
    """As `open_model`, for texts that are generated side by side.

    Args:
        path: The file or the folder. Of a folder, texts wait for one another, in the order in which
            they came.
        sequences: How many texts of a GGUF run at once.
        context_tokens: What each of them may take, with its prompt, as far as the model has room.
            Of a GGUF, memory is taken for all.

    Raises:
        ModelError: There is no model, or one that cannot be loaded.
        DependencyError: The library that loads it is not installed.
    """
    place = model_location(path)
    if place.is_dir():
        return _of_folder(place, context_tokens)
    preflight.look(place)
    from schemask.llama_cpp import Llama
    from schemask.models.llama_sequences import LlamaSequences

    try:
        llama = Llama(
            str(place), n_ctx=sequences * context_tokens, n_seq_max=sequences, verbose=False
        )
    except ValueError as error:
        raise ModelError(f"{place}: {error}") from error
    return LlamaSequences(llama, context_tokens=context_tokens)


def _of_folder(path: Path, context_tokens: int | None = None) -> Model:
    if not (path / "config.json").is_file():
        raise ModelError(f"{path}: the folder has no config.json, so it is no model")
    of_library = _of_mlx if is_mlx_folder(path) else _of_transformers
    return of_library(path, context_tokens)


def _of_transformers(path: Path, context_tokens: int | None) -> Model:
    from schemask.models.transformers import TransformersModel

    try:
        import torch
        from transformers import AutoModelForCausalLM
    except ImportError as error:
        raise missing("transformers", "transformers", error) from error
    tokenizer = load_tokenizer(path)
    model = read_pretrained(path, AutoModelForCausalLM.from_pretrained, dtype="auto")
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return TransformersModel(model, tokenizer, context_tokens=context_tokens)


def _of_mlx(path: Path, context_tokens: int | None) -> Model:
    try:
        import mlx_lm
    except ImportError as error:
        raise missing("mlx-lm", "mlx", error) from error
    try:
        model, tokenizer = mlx_lm.load(str(path))
    except Exception as error:  # mlx and tokenizers have errors of their own
        raise ModelError(f"{path}: {shortened(str(error), 300)}") from error
    return MlxModel(model, tokenizer, context_tokens=context_tokens)
