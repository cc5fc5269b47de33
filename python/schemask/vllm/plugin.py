"""What vLLM calls in each of its processes, by the entry point `vllm.general_plugins`."""

from __future__ import annotations

import logging

from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager

from schemask.errors import DependencyError
from schemask.vllm.patch import NAME, patch

_PARSERS = (
    (ToolParserManager, "schemask.vllm.tool_parser", "SchemaskToolParser"),
    (ReasoningParserManager, "schemask.vllm.reasoning_parser", "SchemaskReasoningParser"),
)


def register() -> None:
    """Makes backend and parsers known to vLLM in this process. Again is the same as once.

    vLLM calls it by itself, but `LLM(structured_outputs_config=…)` reads the name of the backend
    before it does.

    Raises:
        DependencyError: The code of this vLLM is another one than that of 0.32 and 0.33.
    """
    for manager, module, name in _PARSERS:
        manager.register_lazy_module(NAME, module, name)
    patch()


def load() -> None:
    """As `register`, for the entry point: what another vLLM has differently is only logged.

    Whoever has chosen the backend is told by vLLM that it knows none of that name; all others can
    go on.
    """
    try:
        register()
    except DependencyError as error:
        logging.getLogger("vllm.schemask").error("%s", error)
