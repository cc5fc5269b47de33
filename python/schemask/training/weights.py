"""Models that are trained: a folder of transformers, or a GGUF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemask.errors import missing
from schemask.models.tokenizers import read_pretrained


@dataclass(frozen=True)
class Weights:
    """A model that is loaded.

    Attributes:
        model: Of transformers.
        tokenizer: Of transformers.
        path: Where they are from.
        is_gguf: Whether that is a GGUF.
    """

    model: Any
    tokenizer: Any
    path: Path
    is_gguf: bool


def load_weights(path: Path, tokenizer: Any) -> Weights:
    """The model of a folder or a GGUF.

    Args:
        path: The folder or file.
        tokenizer: Its tokenizer.

    Raises:
        ModelError: There is none, or it cannot be read.
        DependencyError: A library that reads it is not installed.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, GgufConfig
    except ImportError as error:
        raise missing("transformers", "train", error) from error
    options: dict[str, Any] = {"dtype": "auto"}
    if path.is_file():
        options = {"dtype": torch.float32, "quantization_config": GgufConfig(dequantize=True)}
    model = read_pretrained(path, AutoModelForCausalLM.from_pretrained, **options)
    if path.is_file():
        # What was read is no longer quantised, and would not be loaded if its config said so.
        for holder, name in ((model.config, "quantization_config"), (model, "hf_quantizer")):
            if hasattr(holder, name):
                delattr(holder, name)
        model.is_quantized = False
    return Weights(model, tokenizer, path, path.is_file())
