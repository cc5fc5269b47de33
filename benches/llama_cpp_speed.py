"""Tokens per second of llama.cpp without a grammar, with masks, and with forced text as well.

    python benches/llama_cpp_speed.py --samples speed.jsonl --csv llama_cpp_speed.csv

The texts are those that SmolLM2 writes, one by one and eight at once. What a pass of the model
takes does not hang on what is written, so that ways may write different texts. Prompts are read
before the time is taken. README.md beside this file says more.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

import record
import schemask
from corpus import maskbench
from schemask import Grammar, Vocabulary
from schemask.chat import HERMES
from schemask.demo import model_path
from schemask.llama_cpp import Llama, SchemaLogitsProcessor, complete
from schemask.models import LlamaSequences, Sampling
from schemask.synth import generate as write_conversations

AT_ONCE = 8
MAX_TOKENS = 96
CONTEXT_TOKENS = 2048
# Enough of a schema for a prompt.
PROMPT_CHARACTERS = 600

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class Case(NamedTuple):
    """A prompt, and what is written after it.

    Attributes:
        kind: The group that its figures belong to.
        prompt: The text before.
        grammar: What the text matches.
    """

    kind: str
    prompt: str
    grammar: Grammar


class Sample(NamedTuple):
    """One generation, or several at once.

    Attributes:
        kind: As of the case.
        at_once: How many texts.
        case: The number of the case, or of the group of cases.
        way: How they were written.
        rate: Tokens per second of all together, stop tokens that were sampled included.
    """

    kind: str
    at_once: int
    case: int
    way: str
    rate: float


def household(count: int) -> Iterator[Case]:
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
    for line in lines[:count]:
        at = next(n for n, message in enumerate(line["messages"]) if message.get("tool_calls"))
        messages = [message for message in line["messages"][:at] if message["role"] != "system"]
        prompt = HERMES.render(messages, book.TOOLS, add_generation_prompt=True)
        yield Case("tool calls", prompt, grammar)


def instances(count: int) -> Iterator[Case]:
    """Instances of schemas of MaskBench."""
    found = 0
    for entry in maskbench(20 * count, seed=1):
        try:
            grammar = Grammar.from_json_schema(entry.schema, whitespace="spaced")
        except schemask.Error:
            continue
        shown = json.dumps(entry.schema)
        if not 150 <= len(shown) <= PROMPT_CHARACTERS:
            continue
        yield Case("MaskBench", f"{shown}\nAn instance: ", grammar)
        found += 1
        if found == count:
            return


class Bench:
    """SmolLM2, and the ways in which it writes.

    Args:
        threads: Of llama.cpp.
        clock: What tells the time.
    """

    def __init__(self, threads: int, clock: Callable[[], float]) -> None:
        options: dict[str, Any] = {
            "n_threads": threads,
            "n_threads_batch": threads,
            "verbose": False,
        }
        self._clock = clock
        path = str(model_path())
        self._llama = Llama(path, n_ctx=CONTEXT_TOKENS, **options)
        self._vocabulary = Vocabulary.from_llama_cpp(self._llama)
        shared = Llama(path, n_ctx=AT_ONCE * CONTEXT_TOKENS, n_seq_max=AT_ONCE, **options)
        self._model = LlamaSequences(shared, self._vocabulary)

    def close(self) -> None:
        self._model.close()

    def one(self, number: int, cases: list[Case]) -> Iterator[Sample]:
        """The ways to write one text."""
        (case,) = cases
        ids = self._llama.tokenize(case.prompt.encode(), add_bos=False, special=True)
        length = MAX_TOKENS
        for way in ("forced text", "masks", "unconstrained"):
            # A grammar that has no masks yet, on a vocabulary that knows its own.
            compiled = case.grammar.compile(self._vocabulary)
            self._read(ids)
            begin = self._clock()
            if way == "forced text":
                done = complete(self._llama, ids, compiled, max_tokens=MAX_TOKENS)
                tokens = length = done.completion_tokens
            else:
                processor = SchemaLogitsProcessor(compiled)
                tokens = self._sampled(ids, length, [processor] if way == "masks" else [])
            seconds = self._clock() - begin
            yield Sample(case.kind, 1, number, way, tokens / seconds)

    def several(self, number: int, cases: list[Case]) -> Iterator[Sample]:
        """The ways to write several texts at once; masks alone are no way of the library's."""
        lengths = [MAX_TOKENS] * len(cases)
        for way in ("forced text", "unconstrained"):
            compiled = [case.grammar.compile(self._vocabulary) for case in cases]
            # What the prompts have in common is read once.
            self._write(cases[:1], None, [1])
            self._write(cases, None, [1] * len(cases))
            begin = self._clock()
            lengths = self._write(cases, compiled if way == "forced text" else None, lengths)
            seconds = self._clock() - begin
            yield Sample(cases[0].kind, len(cases), number, way, sum(lengths) / seconds)

    def _read(self, ids: list[int]) -> None:
        """Reads a prompt, but for the beginning that is held already."""
        held = self._llama._input_ids.tolist()
        pairs = zip(held, ids[:-1], strict=False)
        shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        self._llama.n_tokens = shared
        self._llama.eval(ids[shared:])

    def _sampled(self, ids: list[int], length: int, processors: list[Any]) -> int:
        """Writes so many tokens, or what a grammar allows of them, and counts them."""
        stops = set(self._vocabulary.stop_token_ids)
        sampled = self._llama.generate(ids, temp=0.0, logits_processor=processors or None)
        count = 0
        for token in sampled:
            count += 1
            if count == length or (processors and token in stops):
                break
        sampled.close()
        self._llama._sampler = None
        return count

    def _write(self, cases: list[Case], compiled: list[Any] | None, limits: list[int]) -> list[int]:
        """Writes texts at once, of so many tokens at most, and counts those of each."""
        with ThreadPoolExecutor(len(cases)) as pool:
            futures = [
                pool.submit(
                    self._model.generate,
                    case.prompt,
                    grammar=compiled[place] if compiled else None,
                    sampling=Sampling(max_tokens=limit),
                )
                for place, (case, limit) in enumerate(zip(cases, limits, strict=True))
            ]
            return [future.result().completion_tokens for future in futures]


COLUMNS = ("kind", "at once", "way", "cases", "tokens per second", "of unconstrained", "worst case")


def summary(samples: list[Sample]) -> Iterator[tuple[object, ...]]:
    """Medians over the cases, and of the ratios to the same case without a grammar."""
    groups = dict.fromkeys((sample.kind, sample.at_once, sample.way) for sample in samples)
    for kind, at_once, way in groups:
        rates: dict[str, dict[int, float]] = {"unconstrained": {}, way: {}}
        for sample in samples:
            if (sample.kind, sample.at_once) == (kind, at_once) and sample.way in rates:
                rates[sample.way][sample.case] = sample.rate
        ratios = [rate / rates["unconstrained"][case] for case, rate in rates[way].items()]
        median = statistics.median(rates[way].values())
        shown = f"{median:.1f}", f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}"
        yield (kind, at_once, way, len(ratios), *shown)


def measured(bench: Bench, count: int, path: Path) -> list[Sample]:
    """All samples; those that the file has are not taken again."""
    samples = []
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
        samples = [Sample(*json.loads(line)) for line in lines]
    done = {sample[:3] for sample in samples}
    with path.open("a", encoding="utf-8") as file:
        for kind in (household, instances):
            cases = list(kind(count))
            groups = [[case] for case in cases]
            groups += [cases[at : at + AT_ONCE] for at in range(0, count - AT_ONCE + 1, AT_ONCE)]
            for number, group in enumerate(tqdm(groups, mininterval=10)):
                if (group[0].kind, len(group), number) not in done:
                    taken = bench.several if len(group) > 1 else bench.one
                    for sample in list(taken(number, group)):
                        samples.append(sample)
                        print(json.dumps(sample), file=file, flush=True)
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=24, help="of each kind")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--samples", type=Path, required=True, help="is gone on with")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    bench = Bench(arguments.threads, CLOCKS[arguments.clock])
    samples = measured(bench, arguments.cases, arguments.samples)
    bench.close()
    rows = list(summary(samples))
    for row in [COLUMNS, *rows]:
        print("  ".join(f"{value!s:<17}" for value in row))
    if arguments.csv:
        data = (
            f"SmolLM2-135M-Instruct, {arguments.threads} threads, {arguments.clock} clock: "
            f"{arguments.cases} household calls, {arguments.cases} schemas of MaskBench"
        )
        packages = ("numpy", "llama-cpp-python")
        notes = record.circumstances(data, f"python {' '.join(sys.argv)}", packages)
        record.write(arguments.csv, notes, COLUMNS, rows)


if __name__ == "__main__":
    main()
