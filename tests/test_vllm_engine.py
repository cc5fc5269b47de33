"""A real vLLM with a small model of random weights writes valid texts, with speculation as without.

Its engine is a process of its own, which finds the backend by the entry point.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed", allow_module_level=True)

from judges import Judges
from plugins import with_entry_point
from test_vllm import ENTRY_POINTS, PERSON, folder
from vllm_engine import Engine

__all__ = ["folder"]

SCHEMAS: list[Any] = [
    PERSON,
    {"type": "array", "items": {"type": "string", "pattern": "^[a-c]+$"}, "minItems": 2},
    {"type": "string", "pattern": r"(a)\1"},
    {"oneOf": [{"type": "integer", "multipleOf": 7}, {"format": "date"}]},
    {"type": "object", "additionalProperties": {"type": "string", "minLength": 3}},
    {"const": {"a": [1, None]}},
]
REFUSED = 2


@pytest.fixture(scope="module")
def model(folder: Path) -> str:
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(folder, initializer_range=0.5, max_position_embeddings=1024)
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def outputs(model: str, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Any]:
    """Without and with speculation, in new processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", with_entry_point(tmp_path_factory.mktemp("entry"), ENTRY_POINTS))
        patch.setenv("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
        found = {}
        for speculates in (False, True):
            with Engine("schemask", model, 48, speculates) as engine:
                found[speculates] = [engine.output(schema) for schema in SCHEMAS]
        return found


def test_every_text_is_valid(outputs: dict[bool, Any]) -> None:
    for found in outputs.values():
        for number, (schema, output) in enumerate(zip(SCHEMAS, found, strict=True)):
            if number == REFUSED:
                assert "/pattern" in output["refused"]
            else:
                assert Judges(schema).verdict(output["text"]), json.dumps(output)


def test_speculation_changes_no_token(outputs: dict[bool, Any]) -> None:
    for alone, speculated in zip(outputs[False], outputs[True], strict=True):
        assert alone.get("tokens") == speculated.get("tokens")
