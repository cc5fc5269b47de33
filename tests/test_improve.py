"""The whole loop, on a tiny scale: a model of random weights, two requests, one step."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from schemask.errors import DataError, ToolError
from schemask.evaluation import read_records
from schemask.improve import Improvement, improve
from schemask.models.tokenizers import mend_split
from schemask.training import TrainingOptions

HOUSEHOLD = Path(__file__).parents[1] / "examples" / "household.py"
OPTIONS = TrainingOptions(steps=1, gguf=None, precision="fp32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, hf_tokenizer: Any, gguf_path: Path) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = copy.deepcopy(hf_tokenizer)
    mend_split(tokenizer, gguf_path)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=True,
    )
    folder = tmp_path_factory.mktemp("model")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def run(folder: Path, out: Path, said: list[str]) -> Improvement:
    return improve(
        HOUSEHOLD,
        folder,
        out,
        count=10,
        held_out=2,
        options=OPTIONS,
        say=said.append,
        progress=False,
    )


def test_from_functions_to_a_report(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    done = run(folder, tmp_path, said)
    assert (done.model / "model.safetensors").is_file()
    assert done.gguf is None
    assert "before" in (page := done.report.read_text(encoding="utf-8")) and "after" in page
    lines = (tmp_path / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    results = [
        message["content"]
        for line in lines
        for message in json.loads(line)["messages"]
        if message["role"] == "tool"
    ]
    # Of the functions themselves.
    assert results and "{}" not in results
    assert json.loads((tmp_path / "lint.json").read_text(encoding="utf-8"))["errors"] == 0
    for name, records in (("before", done.before.records), ("after", done.after.records)):
        assert len(records) == 2 * 2
        assert read_records(tmp_path / f"{name}.jsonl").records == records
    assert re.match(r"held-out\.jsonl: 2 conversations \(\d \w+", said[0])
    assert any(text.startswith("after, all, constrained: ") for text in said)

    changed = (done.model / "model.safetensors").stat().st_mtime_ns
    again = run(folder, tmp_path, [])
    assert (done.model / "model.safetensors").stat().st_mtime_ns == changed
    assert again.after.records == done.after.records


@pytest.mark.parametrize(
    ("source", "error", "problem"),
    [
        ("", ToolError, "no function has the decorator"),
        (
            "from schemask import tool\n@tool\ndef f() -> int:\n    '''F.'''\n    return 1\n",
            DataError,
            "the file has 0 phrasebooks",
        ),
    ],
)
def test_what_cannot_be_learned(
    tmp_path: Path, source: str, error: type[Exception], problem: str
) -> None:
    path = tmp_path / "functions.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(error, match=problem):
        improve(path, tmp_path, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
