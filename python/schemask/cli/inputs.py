"""What commands are given: tools and models."""

from __future__ import annotations

import runpy
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemask._lines import decoded, lines
from schemask.errors import DataError, Error, ModelError, ToolError, missing
from schemask.tools import Tool, ToolSet

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
    if path.suffix != ".py":
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
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    found = [value for value in _run_file(path).values() if isinstance(value, Tool)]
    if not found:
        raise ToolError(f"{path}: no function has the decorator @tool")
    # One tool may have two names in the file.
    return ToolSet(list(dict.fromkeys(found)))


def _run_file(path: Path) -> dict[str, Any]:
    """What a Python file defines. What it raises is told with the line, as other bad input is."""
    try:
        return runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        if isinstance(error, SyntaxError) and error.filename == str(path):
            lines.append(error.lineno)
        place = f"{path}: line {lines[-1]}" if lines else str(path)
        what = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
        raise ToolError(f"{place}: {what}", line=lines[-1] if lines else None) from error
