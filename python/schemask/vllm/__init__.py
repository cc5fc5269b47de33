"""vLLM: a backend for structured outputs, and parsers of tool calls and of reasoning.

vLLM (0.32 and 0.33) finds all of it by the entry point of this package, in each of its processes:

    vllm serve MODEL --structured-outputs-config.backend schemask \\
        --enable-auto-tool-choice --tool-call-parser schemask --reasoning-parser schemask

`LLM` reads the name of the backend before it looks for entry points, so there one calls `register`:

    schemask.vllm.register()
    llm = LLM(model, structured_outputs_config={"backend": "schemask"})

It is no logits processor: vLLM leaves those out under speculation, without a word.
"""

from schemask.errors import missing

try:
    import vllm  # noqa: F401
except ImportError as error:
    raise missing("vLLM", "vllm", error) from error

from schemask.vllm.backend import SchemaskBackend, SchemaskGrammar
from schemask.vllm.plugin import register

__all__ = ["SchemaskBackend", "SchemaskGrammar", "register"]
