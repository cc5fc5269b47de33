"""Tokens per second of mlx-lm without a grammar, with masks, and with forced text as well.

    python benches/mlx_speed.py --model smollm2 --calls 12 --csv mlx.csv

All ways write the same calls of tools: the score of the next token of a call that was chosen before
is raised, whatever the model thinks of it. Times are from the end of the prompt's pass.
README.md beside this file says more.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import mlx_lm
from mlx import core as mx
from mlx import nn
from mlx_lm.generate import generate_step
from tqdm import tqdm

import record
import schemask
import schemask.mlx
from schemask import Grammar, Vocabulary
from schemask.chat import HERMES
from schemask.synth import generate as write_conversations

MAX_TOKENS = 256


class Taught(nn.Module):  # type: ignore[misc]
    """A model that writes a given text.

    Args:
        model: The model.
        tokens: What it writes, a stop token at the end.
        vocabulary: Its vocabulary.
        prompt_length: Tokens before the text.
        by_bytes: Whether its tokens may be other ones of the same text; else their number alone
            says how far it is, and nobody waits for them.
    """

    RAISED = 1e4

    def __init__(
        self,
        model: Any,
        tokens: list[int],
        vocabulary: Vocabulary,
        prompt_length: int,
        by_bytes: bool,
    ) -> None:
        super().__init__()
        self._model = [model]  # in a list, so that mlx does not take it for a part of its own
        self._vocabulary = vocabulary
        self._prompt_length = prompt_length
        self._by_bytes = by_bytes
        self._tokens = tokens
        self._next: dict[int, int] = {}
        position = 0
        for token in tokens:
            self._next[position] = token
            position += len(vocabulary.token(token))
        self._read = 0
        self._position = 0
        self.passes = 0
        self.began = 0.0

    @property
    def layers(self) -> Any:
        return self._model[0].layers

    @property
    def args(self) -> Any:
        return self._model[0].args

    def __call__(self, inputs: mx.array, cache: Any = None) -> mx.array:
        before = self._read
        self._read += inputs.shape[1]
        if self._read < self._prompt_length:
            return self._model[0](inputs, cache=cache)
        if self._read == self._prompt_length:
            self.began = time.perf_counter()
        elif self._by_bytes:
            assert before >= self._prompt_length
            self._position += sum(len(self._vocabulary.token(t)) for t in inputs[0].tolist())
        self.passes += 1
        logits = self._model[0](inputs, cache=cache)
        if self._by_bytes:
            token = self._next[self._position]
        else:  # mlx-lm asks once more after the end
            token = self._tokens[min(self._read - self._prompt_length, len(self._tokens) - 1)]
        return logits.at[0, -1, token].add(self.RAISED)


class Call(NamedTuple):
    """A prompt, and the call that is written after it."""

    prompt: list[int]
    tokens: list[int]
    grammar: Any


class Timed(NamedTuple):
    """How long one way took."""

    seconds: float
    passes: int
    text: str


def calls(tokenizer: Any, vocabulary: Vocabulary, count: int) -> list[Call]:
    """Calls of the tools of `examples/household.py`."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
    import household as book

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.jsonl"
        write_conversations(
            book.PHRASES, book.TOOLS, count, path, shares={"call": 1.0}, progress=False
        )
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    grammar = Grammar.from_tools(book.TOOLS, HERMES, tool_choice="required", parallel=False)
    compiled = grammar.compile(vocabulary)
    found = []
    for line in lines:
        at = next(n for n, message in enumerate(line["messages"]) if message.get("tool_calls"))
        messages = [m for m in line["messages"][:at] if m["role"] != "system"]
        prompt = HERMES.render(messages, book.TOOLS, add_generation_prompt=True)
        text = HERMES.render_assistant(line["messages"][at])
        found.append(
            Call(
                tokenizer.encode(prompt, add_special_tokens=False),
                [
                    *tokenizer.encode(text, add_special_tokens=False),
                    vocabulary.stop_token_ids[0],
                ],
                compiled,
            )
        )
    return found


def stepwise(taught: Taught, call: Call, vocabulary: Vocabulary, masks: bool) -> Timed:
    """mlx-lm's own loop, with or without masks."""
    processors = []
    if masks:
        processors = [schemask.mlx.SchemaLogitsProcessor(call.grammar, max_tokens=MAX_TOKENS)]
    steps = generate_step(
        mx.array(call.prompt), taught, max_tokens=MAX_TOKENS, logits_processors=processors
    )
    row: list[int] = []
    for token, _ in steps:
        if token in vocabulary.stop_token_ids:
            break
        row.append(token)
    seconds = time.perf_counter() - taught.began
    steps.close()
    return Timed(seconds, taught.passes, b"".join(map(vocabulary.token, row)).decode())


def forced(taught: Taught, call: Call, tokenizer: Any) -> Timed:
    """The loop of schemask."""
    completion = schemask.mlx.generate(
        taught, tokenizer, call.prompt, call.grammar, max_tokens=MAX_TOKENS
    )
    return Timed(time.perf_counter() - taught.began, taught.passes, completion.text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="a folder that mlx-lm loads")
    parser.add_argument("--calls", type=int, default=12)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    model, tokenizer = mlx_lm.load(str(arguments.model))
    vocabulary = Vocabulary.from_transformers(tokenizer)
    ways: dict[str, Callable[[Taught, Call], Timed]] = {
        "no grammar": lambda taught, call: stepwise(taught, call, vocabulary, masks=False),
        "masks": lambda taught, call: stepwise(taught, call, vocabulary, masks=True),
        "masks and forced text": lambda taught, call: forced(taught, call, tokenizer),
    }
    rows: list[tuple[int, str, int, int, float]] = []
    for number, call in enumerate(tqdm(calls(tokenizer, vocabulary, arguments.calls))):
        texts = set()
        times: dict[str, list[Timed]] = {way: [] for way in ways}
        for run in range(arguments.runs + 1):
            for way, write in ways.items():
                taught = Taught(
                    model, call.tokens, vocabulary, len(call.prompt), way not in list(ways)[:2]
                )
                timed = write(taught, call)
                texts.add(timed.text)
                if run:  # the first warms up
                    times[way].append(timed)
        assert len(texts) == 1, texts
        for way, timings in times.items():
            median = statistics.median(timing.seconds for timing in timings)
            rows.append((number, way, len(call.tokens), timings[0].passes, median))
    if arguments.csv:
        notes = record.circumstances(
            "calls of examples/household.py",
            f"python benches/mlx_speed.py --calls {arguments.calls} --runs {arguments.runs}",
            ("mlx", "mlx-lm", "numpy"),
        )
        record.write(arguments.csv, notes, ("call", "way", "tokens", "passes", "seconds"), rows)
    print(f"{'way':<24}{'tokens/s':>10}{'passes':>8}{'to no grammar':>15}")
    free = sum(row[4] for row in rows if row[1] == "no grammar")
    for way in ways:
        own = [row for row in rows if row[1] == way]
        seconds = sum(row[4] for row in own)
        print(
            f"{way:<24}{sum(row[2] for row in own) / seconds:>10.1f}"
            f"{sum(row[3] for row in own):>8}{free / seconds:>15.2f}"
        )


if __name__ == "__main__":
    main()
