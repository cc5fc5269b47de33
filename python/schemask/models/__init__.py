"""Models behind one protocol: `Model` continues prompts, `ChatModel` answers conversations.

Each adapter stands in the module of its library and imports it only when used.
"""

from schemask.models.base import (
    GREEDY,
    CallableModel,
    ChatModel,
    ChatTurn,
    Completion,
    Model,
    Sampling,
    TokenModel,
)
from schemask.models.llama_cpp import LlamaCppModel
from schemask.models.llama_sequences import LlamaSequences
from schemask.models.mlx import MlxModel
from schemask.models.openai import OpenAIModel
from schemask.models.opening import open_model
from schemask.models.transformers import TransformersModel

__all__ = [
    "GREEDY",
    "CallableModel",
    "ChatModel",
    "ChatTurn",
    "Completion",
    "LlamaCppModel",
    "LlamaSequences",
    "MlxModel",
    "Model",
    "OpenAIModel",
    "Sampling",
    "TokenModel",
    "TransformersModel",
    "open_model",
]
