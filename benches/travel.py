"""Grammars that are kept: files beside compiling, and a cache that threads share.

python benches/travel.py --csv travel.csv

Each of the schemas of MaskBench is compiled, saved, and loaded again, on the vocabulary of Llama 3;
what is loaded has to allow the same first tokens. Then 8 threads ask one cache for 1,000 schemas,
each in an order of its own, with all of them in the cache and with a tenth.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

import record
from corpus import llama3, maskbench
from schemask import CompiledGrammar, Error, Grammar, GrammarCache, Vocabulary, allocate_mask

HEADER = ("part", "what", "count", "p50_us", "p99_us", "max_us", "seconds", "compiles", "bytes_p50")


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schemas", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    tokenizer = llama3()
    vocabulary = Vocabulary(
        tokenizer.tokens,
        stop_token_ids=tokenizer.stop_token_ids,
        special_token_ids=tokenizer.special_token_ids,
    )
    schemas = list(compilable(vocabulary, options.schemas))
    rows = [*files(vocabulary, schemas), *caches(vocabulary, schemas, options.threads)]
    for row in rows:
        print(*row, sep="\t")
    if options.csv is not None:
        data = f"{len(schemas)} schemas of MaskBench, in the order of the file"
        notes = record.circumstances(data, f"python {' '.join(sys.argv)}", ("numpy",))
        record.write(options.csv, notes, HEADER, rows)


def compilable(vocabulary: Vocabulary, count: int) -> Iterator[Any]:
    """Different schemas that compile, whose first masks others have not made fast."""
    texts = set()
    for entry in maskbench():
        text = json.dumps(entry.schema)
        if text in texts:
            continue
        try:
            Grammar.from_json_schema(entry.schema).compile(vocabulary)
        except Error:
            continue
        texts.add(text)
        yield entry.schema
        if len(texts) == count:
            return


def files(vocabulary: Vocabulary, schemas: list[Any]) -> Iterator[tuple[object, ...]]:
    """What it takes to compile, to save and to load."""
    took: dict[str, list[float]] = {"compile": [], "save": [], "load": []}
    sizes = []
    clock = time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grammar.json"
        for schema in tqdm(schemas):
            times = [clock()]
            compiled = Grammar.from_json_schema(schema).compile(vocabulary)
            times.append(clock())
            compiled.save(path)
            times.append(clock())
            loaded = CompiledGrammar.load(path, vocabulary)
            times.append(clock())
            for seconds, (start, end) in zip(took.values(), itertools.pairwise(times), strict=True):
                seconds.append(end - start)
            sizes.append(path.stat().st_size)
            first, second = (first_mask(found, vocabulary) for found in (compiled, loaded))
            assert first == second, schema
    for what, seconds in took.items():
        size = "" if what == "compile" else f"{statistics.median(sizes):.0f}"
        yield "file", what, len(seconds), *percentiles(seconds), f"{sum(seconds):.2f}", "", size


def first_mask(compiled: CompiledGrammar, vocabulary: Vocabulary) -> bytes:
    """Which tokens a text may begin with."""
    mask = allocate_mask(1, vocabulary.size)
    compiled.matcher().fill_mask(mask)
    return bytes(mask)


def caches(
    vocabulary: Vocabulary, schemas: list[Any], threads: int
) -> Iterator[tuple[object, ...]]:
    """What it takes threads to ask for every schema, and how often one was compiled."""
    for size in (len(schemas), len(schemas) // 10):
        cache = GrammarCache(vocabulary, max_size=size)
        for what in ("cold", "warm"):
            before = cache.stats().misses
            asked: list[list[float]] = [[] for _ in range(threads)]

            crew = [
                threading.Thread(
                    target=ask, args=(cache, random.Random(n).sample(schemas, len(schemas)), took)
                )
                for n, took in enumerate(asked)
            ]
            start = time.perf_counter()
            for thread in crew:
                thread.start()
            for thread in crew:
                thread.join()
            seconds = time.perf_counter() - start
            every = list(itertools.chain.from_iterable(asked))
            compiles = cache.stats().misses - before
            name = f"of {size}, {threads} threads, {what}"
            yield "cache", name, len(every), *percentiles(every), f"{seconds:.2f}", compiles, ""


def ask(cache: GrammarCache, schemas: list[Any], took: list[float]) -> None:
    """Asks a cache, and writes down how long each answer took."""
    for schema in schemas:
        start = time.perf_counter()
        cache.get(Grammar.from_json_schema, schema)
        took.append(time.perf_counter() - start)


def percentiles(seconds: list[float]) -> tuple[str, str, str]:
    """The median, the 99th and the last percentile, in microseconds."""
    ordered = sorted(seconds)
    chosen = (ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1])
    return tuple(f"{1e6 * value:.1f}" for value in chosen)  # type: ignore[return-value]


if __name__ == "__main__":
    main()
