"""What commands are given: tools and models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from schemask._lines import decoded, lines
from schemask.errors import DataError, ModelError, ToolError
from schemask.tools import ToolSet
from schemask.tools.files import python_tools

if TYPE_CHECKING:
    from schemask.models.base import Model


def load_model(path: Path | None) -> Model:
    """The model of a GGUF or of a folder of transformers; without one, that of the demo."""
    from schemask.demo import model_path
    from schemask.models import open_model

    return open_model(model_path() if path is None else path)


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


def writer_label(options: argparse.Namespace) -> str:
    """What ledgers call the model that the arguments of `add_endpoint` name."""
    if options.openai is not None:
        return str(options.openai)
    return options.model.name if options.model else "SmolLM2-135M-Instruct"


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
