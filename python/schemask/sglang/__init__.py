"""SGLang: a grammar backend for structured outputs.

SGLang (0.5.23) finds it by the entry point of this package, in each of its processes:

    sglang serve --model-path MODEL --grammar-backend schemask

`Engine` looks for entry points itself, so `Engine(model_path=…, grammar_backend="schemask")` is all
that it takes in Python.
"""

from schemask.errors import missing

try:
    import sglang  # noqa: F401
except ImportError as error:
    raise missing("SGLang", "sglang", error) from error

from schemask.sglang.backend import SchemaskGrammarBackend
from schemask.sglang.grammar import SchemaskGrammar
from schemask.sglang.plugin import register

__all__ = ["SchemaskGrammar", "SchemaskGrammarBackend", "register"]
