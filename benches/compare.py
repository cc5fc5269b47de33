"""Mask and compile times of schemask beside llguidance and xgrammar, on real schemas, in one run.

    python benches/compare.py --schemas 300 --csv compare.csv

Every engine runs in a process of its own. The engines take turns schema by schema, never at the
same time, so that a busy machine is busy for all of them. README.md beside this file says what is
measured.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import gc
import importlib.metadata
import json
import multiprocessing
import os
import platform
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from corpus import Entry, Llama3, llama3, maskbench

MEMORY_LIMIT = 12 << 30
START_TIMEOUT = 120.0
WARM_UP = ({"type": "object", "properties": {"a": {"type": "string"}}}, ['{"a": "b"}'])

Start = tuple[Callable[[], Any], Callable[[int], bool]]


class Schemask:
    def __init__(self, llama: Llama3, bitmask: np.ndarray, **options: str) -> None:
        import schemask

        self.vocabulary = schemask.Vocabulary(
            llama.tokens,
            stop_token_ids=llama.stop_token_ids,
            special_token_ids=llama.special_token_ids,
        )
        self.bitmask = bitmask
        self.read = partial(schemask.Grammar.from_json_schema, **options)

    def compile(self, schema: Any) -> Any:
        compiled = self.read(schema).compile(self.vocabulary)
        compiled.matcher()
        return compiled

    def start(self, compiled: Any) -> Start:
        matcher = compiled.matcher()
        return partial(matcher.fill_mask, self.bitmask), matcher.accept


class LLGuidance:
    def __init__(self, llama: Llama3, bitmask: np.ndarray) -> None:
        import llguidance
        import llguidance.numpy
        import llguidance.tiktoken

        self.matcher = partial(
            llguidance.LLMatcher,
            llguidance.tiktoken.lltokenizer_from_encoding(
                llama.encoding, n_vocab=len(llama.tokens), eos_token=llama.stop_token_ids
            ),
            log_level=0,
        )
        self.read = llguidance.LLMatcher.grammar_from_json_schema
        self.fill = llguidance.numpy.fill_next_token_bitmask
        self.bitmask = bitmask.reshape(1, -1)

    def compile(self, schema: Any) -> Any:
        matcher = self.matcher(self.read(json.dumps(schema)))
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        return matcher

    def start(self, compiled: Any) -> Start:
        matcher = compiled.deep_copy()
        return partial(self.fill, matcher, self.bitmask, 0), matcher.consume_token


class XGrammar:
    def __init__(self, llama: Llama3, bitmask: np.ndarray, **options: bool) -> None:
        import torch
        import xgrammar

        torch.set_num_threads(1)
        # xgrammar knows special tokens by their being empty.
        special = set(llama.special_token_ids)
        tokens = [b"" if i in special else token for i, token in enumerate(llama.tokens)]
        info = xgrammar.TokenizerInfo(tokens, stop_token_ids=llama.stop_token_ids)
        self.read = partial(xgrammar.GrammarCompiler(info).compile_json_schema, **options)
        self.matcher = xgrammar.GrammarMatcher
        self.bitmask = torch.from_numpy(bitmask.reshape(1, -1))

    def compile(self, schema: Any) -> Any:
        compiled = self.read(json.dumps(schema))
        self.matcher(compiled)
        return compiled

    def start(self, compiled: Any) -> Start:
        matcher = self.matcher(compiled)
        return partial(matcher.fill_next_token_bitmask, self.bitmask), matcher.accept_token


ENGINES: dict[str, Callable[[Llama3, np.ndarray], Any]] = {
    "schemask": Schemask,
    "schemask spaced": partial(Schemask, whitespace="spaced"),
    "llguidance": LLGuidance,
    # By default xgrammar closes objects that JSON Schema leaves open.
    "xgrammar": XGrammar,
    "xgrammar open": partial(XGrammar, strict_mode=False),
    "xgrammar spaced": partial(XGrammar, any_whitespace=False),
}
PACKAGES = ("schemask", "llguidance", "xgrammar", "numpy", "torch", "tiktoken")


@dataclass
class Outcome:
    """What one engine did with one schema.

    `status` is "compiled", "refused" (an error at compile time), "timeout" or "crashed"; times are
    in nanoseconds, and `steps_ns` are mask + accept of each token of the accepted instances.
    """

    status: str
    message: str = ""
    compile_ns: int = 0
    instances: int = 0
    accepted: int = 0
    steps_ns: list[int] = field(default_factory=list)


def measure(
    engine: Any, bitmask: np.ndarray, stop: int, schema: Any, texts: list[list[int]]
) -> Outcome:
    clock = time.perf_counter_ns
    begin = clock()
    try:
        compiled = engine.compile(schema)
    except Exception as error:  # each library has its own
        return Outcome("refused", f"{type(error).__name__}: {error}"[:200])
    outcome = Outcome("compiled", compile_ns=clock() - begin, instances=len(texts))
    for tokens in texts:
        fill, accept = engine.start(compiled)
        steps = []
        for token in tokens:
            begin = clock()
            fill()
            taken = accept(token)
            steps.append(clock() - begin)
            if not taken:
                break
        else:
            fill()
            if bitmask[stop >> 5] >> (stop & 31) & 1:
                outcome.accepted += 1
                outcome.steps_ns += steps
    return outcome


def serve(name: str, connection: Any) -> None:
    """A worker: reads (schema, token ids of texts) and writes an Outcome, until the pipe closes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    llama = llama3()
    bitmask = np.zeros((len(llama.tokens) + 31) // 32, dtype=np.int32)
    engine = ENGINES[name](llama, bitmask)
    stop = llama.stop_token_ids[-1]
    measure(engine, bitmask, stop, WARM_UP[0], [llama.encode(text) for text in WARM_UP[1]])
    # A collection would fall into one engine's step by chance.
    gc.collect()
    gc.freeze()
    gc.disable()
    connection.send(None)
    while True:
        try:
            schema, texts = connection.recv()
        except EOFError:
            return
        connection.send(measure(engine, bitmask, stop, schema, texts))
        gc.collect()


class Worker:
    """One engine's process, started again after a timeout or a crash."""

    def __init__(self, name: str, timeout: float) -> None:
        self.name = name
        self.timeout = timeout
        self.begin()

    def begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, child = context.Pipe()
        self.process = context.Process(target=serve, args=(self.name, child), daemon=True)
        self.process.start()
        child.close()
        if not self.connection.poll(START_TIMEOUT):
            raise TimeoutError(f"{self.name} did not start in {START_TIMEOUT:.0f} s")
        self.connection.recv()

    def run(self, schema: Any, texts: list[list[int]]) -> Outcome:
        self.connection.send((schema, texts))
        try:
            if self.connection.poll(self.timeout):
                outcome: Outcome = self.connection.recv()
                return outcome
            status = "timeout"
        except EOFError:
            status = "crashed"
        self.close()
        self.begin()
        return Outcome(status)

    def close(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def run(entries: list[Entry], names: list[str], timeout: float) -> dict[str, list[Outcome]]:
    llama = llama3()
    workers = {name: Worker(name, timeout) for name in names}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    for i, entry in enumerate(tqdm(entries, unit="schema", mininterval=5)):
        texts = [
            llama.encode(json.dumps(d, ensure_ascii=False)) for d, valid in entry.tests if valid
        ]
        for j in range(len(names)):
            name = names[(i + j) % len(names)]
            outcomes[name].append(workers[name].run(entry.schema, texts))
    for worker in workers.values():
        worker.close()
    return outcomes


def summary(times_ns: list[int]) -> list[float]:
    """Median, p90, p99, p99.9 and maximum in microseconds."""
    if not times_ns:
        return [float("nan")] * 5
    return [float(x) / 1e3 for x in np.percentile(times_ns, [50, 90, 99, 99.9, 100])]


def table(outcomes: dict[str, list[Outcome]]) -> list[list[Any]]:
    """Rows of (measure, schemas, engine, count, median, p90, p99, p99.9, max), times in µs.

    "own": the schemas that the engine itself gets right; "common": those that every engine gets
    right, that is, compiles and accepts all instances of.
    """
    right = {
        name: {
            i for i, o in enumerate(list_) if o.status == "compiled" and o.accepted == o.instances
        }
        for name, list_ in outcomes.items()
    }
    common = set.intersection(*right.values())
    rows: list[list[Any]] = []
    for label, chosen in (("own", right), ("common", dict.fromkeys(right, common))):
        for name, list_ in outcomes.items():
            compiles = [list_[i].compile_ns for i in chosen[name]]
            rows.append(["compile", label, name, len(compiles), *summary(compiles)])
        for name, list_ in outcomes.items():
            steps = [step for i in chosen[name] for step in list_[i].steps_ns]
            rows.append(["mask+accept", label, name, len(steps), *summary(steps)])
    return sorted(rows, key=lambda row: (row[0], row[1]))


def machine() -> list[str]:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].split(":")[1].strip() if models else cpu
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} not installed")
    return [
        f"date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        f"machine: {cpu}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        f"versions: Python {platform.python_version()}, {', '.join(versions)}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schemas", type=int, default=300, help="how many, drawn from MaskBench")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds per schema and engine")
    parser.add_argument(
        "--engines", nargs="+", choices=ENGINES, default=list(ENGINES), metavar="ENGINE"
    )
    parser.add_argument("--csv", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()

    entries = list(maskbench(arguments.schemas, arguments.seed))
    notes = [
        *machine(),
        f"data: {len(entries)} schemas of MaskBench, seed {arguments.seed}; Llama 3 vocabulary; "
        f"at most {arguments.timeout:g} s per schema and engine",
    ]
    outcomes = run(entries, arguments.engines, arguments.timeout)
    print(*notes, sep="\n")

    columns = ("compiled", "refused", "timeout", "crashed", "valid accepted")
    print(f"\n{'engine':<20}" + "".join(f"{column:>16}" for column in columns))
    for name, list_ in outcomes.items():
        count = Counter(outcome.status for outcome in list_)
        accepted = f"{sum(o.accepted for o in list_)}/{sum(o.instances for o in list_)}"
        cells = [*(count[column] for column in columns[:-1]), accepted]
        print(f"{name:<20}" + "".join(f"{cell:>16}" for cell in cells))

    header = ["measure", "schemas", "engine", "count", "median", "p90", "p99", "p99.9", "max"]
    rows = table(outcomes)
    previous = None
    for row in rows:
        if previous != row[:2]:
            previous = row[:2]
            print(f"\n{row[0]}, µs ({row[1]} schemas)")
            print(f"  {'':<20}" + "".join(f"{column:>12}" for column in header[3:]))
        print(f"  {row[2]:<20}{row[3]:>12}" + "".join(f"{x:>12.1f}" for x in row[4:]))
    if arguments.csv:
        with arguments.csv.open("w", newline="", encoding="utf-8") as file:
            file.writelines(f"# {note}\n" for note in notes)
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows([*row[:4], *(f"{x:.2f}" for x in row[4:])] for row in rows)


if __name__ == "__main__":
    main()
