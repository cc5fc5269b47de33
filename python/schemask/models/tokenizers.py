"""Tokenizers of models on this machine, and what else transformers reads of them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from schemask.chat.templates.gguf import read_metadata
from schemask.errors import FormatError, ModelError, missing, shortened

SPLIT_DIGITS = "smollm"

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# The names by which llama.cpp knows how a byte-level BPE splits a text before it merges.
SPLITS = {"qwen2": QWEN2, "llama-bpe": LLAMA3}


def load_tokenizer(model: str | os.PathLike[str]) -> Any:
    """The tokenizer of a folder or a GGUF.

    Args:
        model: The folder or file.

    Raises:
        ModelError: There is none, or it cannot be read.
        DependencyError: A library that reads it is not installed.
    """
    path = model_location(model)
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise missing("transformers", "transformers", error) from error
    tokenizer = read_pretrained(path, AutoTokenizer.from_pretrained)
    if path.is_file():
        mend_split(tokenizer, path)
    return tokenizer


def model_location(model: object) -> Path:
    """The path of a model.

    Args:
        model: What should be one.

    Raises:
        ModelError: It is none, or nothing is there.
    """
    if not isinstance(model, (str, os.PathLike)):
        raise ModelError(f"a model is a folder or a GGUF, not {shortened(model)}")
    path = Path(model)
    if not path.exists():
        raise ModelError(f"{path}: no such folder or file")
    return path


def read_pretrained(path: Path, read: Any, **options: Any) -> Any:
    """What a function of transformers makes of a folder or a GGUF.

    Args:
        path: The folder or file.
        read: A `from_pretrained`.
        options: What else it is given.

    Raises:
        ModelError: It cannot be read.
        DependencyError: A library that reads it is not installed.
    """
    alone = str(path)
    try:
        if path.is_file():
            # Of what lies beside it, such as a tokenizer.json, transformers would take parts.
            with tempfile.TemporaryDirectory() as alone:
                Path(alone, path.name).symlink_to(path.resolve())
                return read(alone, gguf_file=path.name, **options)
        return read(alone, local_files_only=True, **options)
    except ImportError as error:
        raise missing("what reads the model", "train", error) from error
    except Exception as error:  # tokenizers and safetensors have errors of their own
        problem = str(error).replace(alone, str(path if path.is_dir() else path.parent))
        raise ModelError(f"{path}: {shortened(problem, 300)}") from error


def mend_split(tokenizer: Any, path: Path) -> None:
    """Lets a tokenizer split texts as llama.cpp does, which transformers reads only of some.

    Args:
        tokenizer: Of transformers, read from a GGUF.
        path: The GGUF.

    Raises:
        ModelError: It is no GGUF, or one that says so in a way that is not known here.
    """
    from tokenizers import Regex, pre_tokenizers

    try:
        kind, pre = (
            read_metadata(path, key).get(key)
            for key in ("tokenizer.ggml.model", "tokenizer.ggml.pre")
        )
    except (FormatError, OSError) as error:
        raise ModelError(f"{path}: no GGUF: {error}") from error
    if kind != "gpt2":
        return
    name = pre or "default"
    if name == SPLIT_DIGITS:
        first: Any = pre_tokenizers.Digits(individual_digits=True)
    elif name in SPLITS:
        first = pre_tokenizers.Split(Regex(SPLITS[name]), behavior="isolated", invert=False)
    elif name in ("gpt-2", "gpt2"):
        return
    else:
        raise ModelError(
            f"{path}: how it splits texts ({name}) is not known here: give a folder of transformers"
        )
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=name == SPLIT_DIGITS)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([first, last])
