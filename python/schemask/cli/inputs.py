"""What commands are given: tools and models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemask._lines import decoded, lines
from schemask.errors import DataError, ModelError, ToolError, missing
from schemask.tools import ToolSet
from schemask.tools.files import python_tools

if TYPE_CHECKING:
    from schemask.models.base import Model

CONTEXT_TOKENS = 4096


def load_model(path: Path | None) -> Model:
    """The model of a GGUF or of a folder of transformers; without one, that of the demo."""
    from schemask.demo import model_path
    from schemask.models import LlamaCppModel, preflight

    if path is None:
        path = model_path()
    if any((path / name).is_file() for name in ("config.json", "adapter_config.json")):
        return _load_folder(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    preflight.look(path)
    from schemask.llama_cpp import Llama

    try:
        return LlamaCppModel(Llama(str(path), n_ctx=CONTEXT_TOKENS, verbose=False))
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from error


def load_writer(options: argparse.Namespace) -> Model:
    """The model that the arguments of `add_endpoint` name."""
    if options.openai is None:
        return load_model(options.model)
    try:
        import openai
    except ImportError as error:
        raise ModelError("openai is missing: pip install '.[openai]' in the checkout") from error
    from schemask.models import OpenAIModel

    try:
        client = openai.OpenAI(base_url=options.base_url)
    except openai.OpenAIError as error:
        raise ModelError(str(error)) from error
    return OpenAIModel(client, options.openai)


def _load_folder(path: Path) -> Model:
    from schemask.models import TransformersModel

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


def load_tools(path: Path) -> ToolSet:
    """The tools of a Python file or of a JSON file."""
    if path.suffix == ".py":
        return python_tools(path)
    text = "".join(lines(str(path)))
    try:
        definitions = decoded(text)
    except DataError as error:
        place = str(path) if error.line is None else f"{path}: line {error.line}"
        message = f"{place}: {error}"
        raise DataError(message, line=error.line, column=error.column) from error
    if not isinstance(definitions, list):
        raise ToolError(f"{path}: not a list of tool definitions")
    return ToolSet(definitions)
