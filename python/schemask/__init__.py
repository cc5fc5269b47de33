"""Exact token masks for JSON Schema, and the loop of function calling around them.

A `Grammar` is a set of valid texts, a `Vocabulary` a model's tokens. `Grammar.compile` brings them
together; a `Matcher` then says at each step of a generation which tokens may come next.

The plug-ins are modules of their own, so that nothing is imported that is not used:
`schemask.transformers`, `schemask.llama_cpp`, `schemask.models`, `schemask.chat`,
`schemask.agent`, `schemask.synth`.

What takes time, what is kept, and what is done in a slower way than one might think is told to the
logger `schemask` and those below it, by `logging`.
"""

import logging

from schemask._native import (
    Allowed,
    CompiledGrammar,
    Explanation,
    Matcher,
    Preparation,
    __version__,
    fill_masks,
    prepare,
)
from schemask.core.cache import CacheStats, GrammarCache
from schemask.core.grammar import Grammar
from schemask.core.limits import Limits
from schemask.core.masking import allocate_mask, apply_mask
from schemask.core.vocabulary import Vocabulary
from schemask.errors import (
    DataError,
    DependencyError,
    Error,
    FormatError,
    GenerationError,
    GrammarError,
    LimitError,
    MaskError,
    ModelError,
    SchemaError,
    TokenError,
    ToolError,
    UnsupportedSchemaError,
    VocabularyError,
)
from schemask.tools import Tool, ToolSet, tool

__all__ = [
    "Allowed",
    "CacheStats",
    "CompiledGrammar",
    "DataError",
    "DependencyError",
    "Error",
    "Explanation",
    "FormatError",
    "GenerationError",
    "Grammar",
    "GrammarCache",
    "GrammarError",
    "LimitError",
    "Limits",
    "MaskError",
    "Matcher",
    "ModelError",
    "Preparation",
    "SchemaError",
    "TokenError",
    "Tool",
    "ToolError",
    "ToolSet",
    "UnsupportedSchemaError",
    "Vocabulary",
    "VocabularyError",
    "__version__",
    "allocate_mask",
    "apply_mask",
    "fill_masks",
    "prepare",
    "tool",
]

logging.getLogger("schemask").addHandler(logging.NullHandler())
