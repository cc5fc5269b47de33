"""Small models with random weights, each byte a token, and a grammar that they write."""

from __future__ import annotations

import random
from typing import Any

import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
)

from schemask import Grammar
from schemask.core.byte_vocabulary import byte_vocabulary

# Each byte is a token, so that a forced text has one spelling, and all ways end in one text.
VOCABULARY = byte_vocabulary()
STOP = VOCABULARY.stop_token_ids[0]
COMPILED = Grammar.from_json_schema(
    {
        "type": "object",
        "properties": {
            "location": {"type": "string", "maxLength": 6},
            "unit_of_measure": {"enum": ["celsius", "fahrenheit"]},
            "number": {"type": "integer", "minimum": 0, "maximum": 99},
        },
        "required": ["location", "unit_of_measure", "number"],
        "additionalProperties": False,
    },
    whitespace="compact",
).compile(VOCABULARY)


class Bytes:
    """The tokenizer of these models, as far as it is asked."""

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return list(text.encode())

    def decode(self, ids: list[int]) -> str:
        return bytes(token for token in ids if token != STOP).decode(errors="replace")


def model_of(kind: str) -> Any:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    small: dict[str, Any] = {"vocab_size": 260, "hidden_size": 32, "initializer_range": 0.3}
    deep = {"intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**small, **deep)).eval()
    if kind == "windows":
        config = Gemma3TextConfig(
            **small, **deep, num_key_value_heads=1, head_dim=16, sliding_window=16
        )
        return Gemma3ForCausalLM(config).eval()
    return MambaForCausalLM(MambaConfig(**small, num_hidden_layers=2, state_size=4)).eval()


MODELS = {kind: model_of(kind) for kind in ("llama", "windows", "states")}


def prompts(seed: int, count: int) -> list[list[int]]:
    draw = random.Random(seed)
    return [[draw.randrange(256) for _ in range(draw.randint(1, 9))] for _ in range(count)]
