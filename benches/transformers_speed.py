"""Tokens per second of transformers without a grammar, with masks, and with forced text as well.

    python benches/transformers_speed.py --model smollm2 --samples speed.jsonl --csv speed.csv

All ways write the same texts: a teacher raises the score of the next token of a text that was
chosen before, a call of a tool or an instance of MaskBench, whatever the model thinks of it. So
the figures do not hang on what a small model writes, and each way is paid for the same tokens.
README.md beside this file says more.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

import record
import schemask
import schemask.transformers
from corpus import maskbench
from schemask import Grammar, Vocabulary
from schemask.chat import HERMES
from schemask.demo import model_path
from schemask.evaluation import read_bfcl
from schemask.synth import generate as write_conversations

ROWS = 8
MAX_NEW_TOKENS = 256
# Enough of a schema for a prompt, and of a text for a figure.
PROMPT_CHARACTERS = 600
TEXT_TOKENS = range(12, 120)


@dataclass(frozen=True)
class Case:
    """Prompts that are continued together, under one grammar.

    Attributes:
        kind: The group that its figures belong to.
        prompts: The texts before.
        texts: What is written after each.
        grammar: What they match.
    """

    kind: str
    prompts: list[str]
    texts: list[str]
    grammar: Grammar


@dataclass(frozen=True)
class Sample:
    """One generation.

    Attributes:
        case: The number of the case in its kind and size of batch.
        tokens: Those of the texts, in the model's own way of writing them, stop tokens included.
        passes: How often the model was asked after the prompt.
        seconds: From the end of the prompt's pass to the last token.
        whole_seconds: With the prompt's pass, and whatever comes before and after.
        cpu_seconds: As `seconds`, of the processor.
        cpu_whole_seconds: As `whole_seconds`, of the processor.
    """

    kind: str
    batch: int
    case: int
    way: str
    run: int
    tokens: int
    passes: int
    seconds: float
    whole_seconds: float
    cpu_seconds: float
    cpu_whole_seconds: float


def household(count: int, batch: int) -> Iterator[Case]:
    """Calls of the tools of `examples/household.py`."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
    import household as book

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.jsonl"
        write_conversations(
            book.PHRASES, book.TOOLS, count * batch, path, shares={"call": 1.0}, progress=False
        )
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    tools = book.TOOLS
    grammar = Grammar.from_tools(tools, HERMES, tool_choice="required", parallel=False)
    pairs = []
    for line in lines:
        # A line offers some of the tools: rows of one batch are to share all of them.
        at = next(n for n, message in enumerate(line["messages"]) if message.get("tool_calls"))
        messages = [m for m in line["messages"][:at] if m["role"] != "system"]
        prompt = HERMES.render(messages, tools, add_generation_prompt=True)
        pairs.append((prompt, HERMES.render_assistant(line["messages"][at])))
    for begin in range(0, len(pairs), batch):
        prompts, texts = zip(*pairs[begin : begin + batch], strict=True)
        yield Case("household calls", list(prompts), list(texts), grammar)


def bfcl(count: int, batch: int) -> Iterator[Case]:
    """Calls that BFCL expects; each has functions of its own, so that there is no batch."""
    if batch > 1:
        return
    examples = read_bfcl(os.environ.get("SCHEMASK_BFCL"), ["simple_python", "multiple"])
    for example in examples[:: len(examples) // count][:count]:
        ((name, values),) = example.expected.shown[0].items()
        # The first of the values that are right; "" stands for one that may be left out.
        arguments = {key: right[0] for key, right in values.items() if right[0] != ""}
        message = {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"type": "function", "function": {"name": name, "arguments": arguments}}
            ],
        }
        grammar = Grammar.from_tools(example.tools, HERMES, tool_choice="required", parallel=False)
        prompt = HERMES.render(example.messages, example.tools, add_generation_prompt=True)
        yield Case("BFCL calls", [prompt], [HERMES.render_assistant(message)], grammar)


def instances(count: int, batch: int) -> Iterator[Case]:
    """Valid instances of schemas of MaskBench; the rows of a batch are of one schema."""
    found = 0
    for entry in maskbench(60 * count, seed=batch):
        valid = [data for data, is_valid in entry.tests if is_valid]
        try:
            grammar = Grammar.from_json_schema(entry.schema, whitespace="spaced")
            texts = [json.dumps(grammar.in_order(data), ensure_ascii=False) for data in valid]
        except schemask.Error:
            continue
        if not texts or not 60 <= len(texts[0]) <= 400:
            continue
        schema = json.dumps(entry.schema)[:PROMPT_CHARACTERS]
        prompts = [f"{schema}\nInstance {row}: " for row in range(batch)]
        rows = list(itertools.islice(itertools.cycle(texts), batch))
        yield Case("MaskBench", prompts, rows, grammar)
        found += 1
        if found == count:
            return


KINDS: tuple[Callable[[int, int], Iterator[Case]], ...] = (household, bfcl, instances)


class Clocks(NamedTuple):
    """Seconds of the wall, and of the processor, all threads together."""

    wall: float
    cpu: float


def clocks() -> Clocks:
    return Clocks(time.perf_counter(), time.process_time())


class Teacher(AbstractContextManager["Teacher"]):
    """Has a model write the given texts, and notes when the prompt was read and how many passes
    came after it.

    Args:
        model: The model; its forward pass gets the new tokens of each row, padding before them.
        encode: Its tokenizer.
        vocabulary: Its vocabulary.
        texts: The text of each row.
    """

    RAISED = 1e4

    def __init__(
        self,
        model: Any,
        encode: Callable[[str], list[int]],
        vocabulary: Vocabulary,
        texts: list[str],
    ) -> None:
        self._model = model
        self._encode = encode
        self._vocabulary = vocabulary
        self._stops = vocabulary.stop_token_ids
        self._texts = [text.encode() for text in texts]
        self._next: list[dict[int, int]] = []
        self.tokens = 0
        for text in texts:
            position, following = 0, {}
            for token in encode(text):
                following[position] = token
                position += len(vocabulary.token(token))
            self._next.append({**following, position: self._stops[0]})
            self.tokens += len(following) + 1
        self._positions = [0] * len(texts)
        self._prompt = 0
        # Of a single row: the positions after the prompt and after each further token.
        self._read = [0]
        self.passes = -1
        self.read_at = clocks()

    def __enter__(self) -> Teacher:
        self._hook = self._model.register_forward_hook(self._raise, with_kwargs=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hook.remove()

    def _raise(self, _model: Any, _args: Any, kwargs: Any, outputs: Any) -> None:
        self.passes += 1
        logits = outputs.logits
        ids = kwargs["input_ids"].tolist()
        length = outputs.cache.get_seq_length()
        if self.passes == 0:
            self._prompt = length
        elif len(ids) == 1:
            # Drafts that were refused are not in the cache any more.
            del self._read[length - len(ids[0]) - self._prompt + 1 :]
            self._positions[0] = self._read[-1]
        mask = kwargs.get("attention_mask")
        width = len(ids[0])
        for row, chunk in enumerate(ids):
            if self.passes == 0:
                run = []
            elif mask is None:
                run = chunk
            else:
                run = chunk[width - int(mask[row, -width:].sum()) :]
            wanted = [self._wanted(row, None)]
            for token in run:
                # What follows a draft that is not of the text is dropped with it.
                wanted.append(self._wanted(row, token) if wanted[-1] >= 0 else -1)
                self._read.append(self._positions[row])
            kept = wanted[-logits.shape[1] :]
            for place, token in enumerate(kept, start=logits.shape[1] - len(kept)):
                if token >= 0:
                    logits[row, place, token] += self.RAISED
        if self.passes == 0:
            self.read_at = clocks()

    def _wanted(self, row: int, token: int | None) -> int:
        """The token to come after one more token; -1 if that one is not of the text."""
        text, position = self._texts[row], self._positions[row]
        if token is not None and token not in self._stops:
            data = self._vocabulary.token(token)
            if not text.startswith(data, position):
                return -1
            position += len(data)
            self._positions[row] = position
        following = self._next[row]
        if position not in following:
            # Inside a token: the rest of it.
            end = next(at for at in following if at > position)
            rest = self._encode(text[position:end].decode(errors="ignore"))
            return rest[0] if rest else self._vocabulary.tokenize(text[position:end])[0]
        return following[position]


class Bench:
    """A model, and the ways in which it writes.

    Args:
        folder: A folder in the layout of transformers; if there is none, SmolLM2's GGUF is read.
        dtype: The type of the weights, as torch names it.
    """

    def __init__(self, folder: Path | None, dtype: str) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

        place, options = folder, {}
        if folder is None:
            place = model_path().parent
            options = {"gguf_file": model_path().name}
        self.tokenizer = AutoTokenizer.from_pretrained(place, **options)
        if options:
            options["quantization_config"] = GgufConfig(dequantize=True)
        self.model = AutoModelForCausalLM.from_pretrained(
            place, dtype=getattr(torch, dtype), **options
        ).eval()
        self.vocabulary = Vocabulary.from_transformers(
            self.tokenizer, vocab_size=self.model.config.vocab_size
        )

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def takes(self, case: Case) -> bool:
        """Whether the texts are of a fair length, and of the grammar."""
        if not all(len(self.encode(text)) in TEXT_TOKENS for text in case.texts):
            return False
        matchers = [case.grammar.compile(self.vocabulary).matcher() for _ in case.texts]
        return all(
            matcher.accept_bytes(text.encode()) and matcher.is_accepting
            for matcher, text in zip(matchers, case.texts, strict=True)
        )

    def unconstrained(self, case: Case, prompts: list[list[int]]) -> list[str]:
        stops = self.vocabulary.stop_token_ids
        width = max(map(len, prompts))
        rows = [[stops[0]] * (width - len(ids)) + ids for ids in prompts]
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
        sequences = self.model.generate(
            input_ids=torch.tensor(rows),
            attention_mask=torch.tensor(mask),
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
            eos_token_id=stops,
            pad_token_id=stops[0],
        )
        found = []
        for row in sequences[:, width:].tolist():
            kept = itertools.takewhile(lambda token: token not in stops, row)
            found.append(b"".join(map(self.vocabulary.token, kept)).decode())
        return found

    def constrained(self, case: Case, prompts: list[list[int]], **options: Any) -> list[str]:
        # A grammar that has no masks yet, on a vocabulary that knows its own.
        compiled = case.grammar.compile(self.vocabulary)
        return schemask.transformers.generate(
            self.model,
            self.tokenizer,
            prompts,
            compiled,
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
            **options,
        )

    def ways(self) -> dict[str, Callable[[Case, list[list[int]]], list[str]]]:
        """What is compared, by name."""
        return {
            "unconstrained": self.unconstrained,
            "masks": lambda case, ids: self.constrained(case, ids, forced_tokens=False),
            "forced text": lambda case, ids: self.constrained(case, ids, prompt_lookup=False),
            "prompt lookup": lambda case, ids: self.constrained(case, ids, prompt_lookup=True),
        }

    def sample(self, way: str, case: Case, number: int, run: int) -> Sample:
        prompts = [self.encode(prompt) for prompt in case.prompts]
        with Teacher(self.model, self.encode, self.vocabulary, case.texts) as teacher:
            begin = clocks()
            texts = self.ways()[way](case, prompts)
            end = clocks()
        if texts != case.texts:
            raise SystemExit(f"{way} wrote {texts} and not {case.texts}")
        return Sample(
            kind=case.kind,
            batch=len(prompts),
            case=number,
            way=way,
            run=run,
            tokens=teacher.tokens,
            passes=teacher.passes,
            seconds=end.wall - teacher.read_at.wall,
            whole_seconds=end.wall - begin.wall,
            cpu_seconds=end.cpu - teacher.read_at.cpu,
            cpu_whole_seconds=end.cpu - begin.cpu,
        )


def measured(
    bench: Bench, counts: dict[int, int], runs: int, kinds: list[str], path: Path
) -> list[Sample]:
    """All samples; those that the file has are not taken again."""
    samples = []
    if path.exists():
        samples = [Sample(**json.loads(line)) for line in path.read_text().splitlines()]
    done = {(s.kind, s.batch, s.case, s.way, s.run) for s in samples}
    cases = [
        (number, case)
        for batch, count in counts.items()
        if count
        for kind in KINDS
        if kind.__name__ in kinds
        for number, case in enumerate(kind(count, batch))
        if bench.takes(case)
    ]
    ways = list(bench.ways())
    with path.open("a", encoding="utf-8") as file:
        for number, case in tqdm(cases, mininterval=10):
            for run in range(runs):
                turn = (number + run) % len(ways)
                for way in ways[turn:] + ways[:turn]:
                    if (case.kind, len(case.texts), number, way, run) not in done:
                        sample = bench.sample(way, case, number, run)
                        samples.append(sample)
                        print(json.dumps(asdict(sample)), file=file, flush=True)
    return samples


def summary(samples: list[Sample], clock: str) -> Iterator[tuple[object, ...]]:
    """Medians over the cases of each kind, and of the ratios to the same case without a grammar."""
    groups = sorted({(s.kind, s.batch) for s in samples})
    ways = dict.fromkeys(s.way for s in samples)
    for kind, batch in groups:
        for time_of in ("seconds", "whole_seconds"):
            rates: dict[tuple[str, int], float] = {}
            passes: dict[str, list[float]] = {}
            for way in ways:
                own = [s for s in samples if (s.kind, s.batch, s.way) == (kind, batch, way)]
                for case in {s.case for s in own}:
                    name = time_of if clock == "wall" else f"cpu_{time_of}"
                    times = [getattr(s, name) for s in own if s.case == case]
                    tokens = next(s.tokens for s in own if s.case == case)
                    rates[way, case] = tokens / statistics.median(times)
                    asked = next(s.passes for s in own if s.case == case)
                    passes.setdefault(way, []).append(tokens / batch / max(asked, 1))
            for way in ways:
                cases = [case for name, case in rates if name == way]
                ratios = [
                    rates[way, case] / rates["unconstrained", case]
                    for case in cases
                    if ("unconstrained", case) in rates
                ]
                if not ratios:
                    continue
                measure = "after the prompt" if time_of == "seconds" else "prompt and text"
                yield (
                    kind,
                    batch,
                    measure,
                    way,
                    len(cases),
                    f"{statistics.median(rates[way, case] for case in cases):.2f}",
                    f"{statistics.median(ratios):.3f}",
                    f"{min(ratios):.3f}",
                    f"{statistics.median(passes[way]):.2f}",
                )


COLUMNS = (
    "kind",
    "batch",
    "measure",
    "way",
    "cases",
    "tokens per second",
    "of unconstrained",
    "worst case",
    "tokens per row and pass",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a folder; SmolLM2's GGUF is read without it")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", type=int, default=8, help="of each kind, one by one")
    parser.add_argument("--batches", type=int, default=2, help="of each kind, of 8 rows")
    parser.add_argument("--runs", type=int, default=1, help="of each case and way")
    parser.add_argument("--kinds", nargs="+", default=[kind.__name__ for kind in KINDS])
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--samples", type=Path, required=True, help="is gone on with")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    bench = Bench(arguments.model, arguments.dtype)
    counts = {1: arguments.cases, ROWS: arguments.batches}
    samples = measured(bench, counts, arguments.runs, arguments.kinds, arguments.samples)
    rows = list(summary(samples, arguments.clock))
    for row in [COLUMNS, *rows]:
        print("  ".join(f"{value!s:<17}" for value in row))
    if arguments.csv:
        how = f"{arguments.dtype}, {arguments.threads} threads, {arguments.clock} time"
        data = f"SmolLM2-135M-Instruct, {how}: {', '.join(arguments.kinds)}"
        notes = record.circumstances(data, f"python {' '.join(sys.argv)}", record.DECODING)
        record.write(arguments.csv, notes, COLUMNS, rows)


if __name__ == "__main__":
    main()
