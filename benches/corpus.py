"""What tests and benchmarks read: real schemas with instances, and the Llama 3 vocabulary."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tiktoken
from llama_models.llama3.tokenizer import Tokenizer


@dataclass(frozen=True)
class Entry:
    """A schema with instances; `tests` pairs each instance with whether the schema allows it."""

    id: str
    schema: Any
    tests: list[tuple[Any, bool]]


def data_folder() -> Path:
    """The folder of the data files: `$SCHEMASK_DATA`, or `../shared/data` beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("SCHEMASK_DATA", default))


def maskbench_file() -> Path:
    return data_folder() / "maskbench.jsonl.gz"


def maskbench(count: int | None = None, seed: int = 0) -> Iterator[Entry]:
    """All entries of MaskBench, or `count` of them drawn by `seed`, in the file's order.

    Source: guidance-ai/jsonschemabench.
    """
    with gzip.open(maskbench_file(), "rt", encoding="utf-8") as file:
        lines = file.readlines()
    chosen = range(len(lines))
    if count is not None and count < len(lines):
        chosen = sorted(random.Random(seed).sample(chosen, count))
    for i in chosen:
        entry = json.loads(lines[i])
        tests = [(test["data"], test["valid"]) for test in entry["tests"]]
        yield Entry(entry["id"], entry["schema"], tests)


@dataclass(frozen=True)
class Llama3:
    """The 128,256-token vocabulary of Llama 3; `tokens[id]` are the bytes of a token."""

    encoding: tiktoken.Encoding
    tokens: list[bytes]
    special_token_ids: list[int]
    stop_token_ids: list[int]

    def encode(self, text: str) -> list[int]:
        """The canonical tokens of `text`; names of special tokens in it are plain text."""
        return self.encoding.encode(text, disallowed_special=())


def llama3() -> Llama3:
    tokenizer = Tokenizer.get_instance()
    encoding = tokenizer.model
    tokens = [encoding.decode_single_token_bytes(i) for i in range(encoding.n_vocab)]
    specials = sorted(tokenizer.special_tokens.values())
    return Llama3(encoding, tokens, specials, list(tokenizer.stop_tokens))
