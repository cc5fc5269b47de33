"""One step of a batch of 256 texts in mixed states: schemask beside other engines, in one run.

    python benches/batch.py --csv batch.csv
    python benches/batch.py --schemas 4 --each 8 --rounds 1 --steps 16 --engines schemask glrmask

A step is what a server does between two passes of its model: the masks of all texts are written
into one bitmask, then each text goes on with a token. Every engine runs in a process of its own, on
two threads at most. The engines take turns block by block of steps, never at the same time, so that
a busy machine is busy for all of them. README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

import record
from batch_engines import COMPARED, THREADS, WAYS
from batch_steps import Begin, Case, Place, Read, Step, can_read, read
from corpus import Entry, Tokenizer, llama3, maskbench
from measuring import MEMORY_LIMIT
from workers import Asked, Limits

COLUMNS = (
    *("engine", "pass", "part", "steps", "mean_us", "p50_us", "p90_us", "p99_us", "max_us"),
    "max_of_least_us",
)
PASSES = ("first", "again")

Times = dict[tuple[str, str], list[list[Step]]]
"""The steps of each round, by engine and pass."""


def cases(entries: Sequence[Entry], tokenizer: Tokenizer, least: int, seed: int) -> Iterator[Case]:
    """The schemas in an order drawn by `seed`, each once.

    Args:
        entries: The schemas with their instances.
        tokenizer: Splits the valid instances, whose tokens end with a stop token.
        least: How many tokens those of a schema have together, at least.
        seed: Of the order.
    """
    stop = tokenizer.stop_token_ids[-1]
    seen = set()
    for entry in random.Random(seed).sample(entries, len(entries)):
        schema = json.dumps(entry.schema)
        texts = [json.dumps(data, ensure_ascii=False) for data, valid in entry.tests if valid]
        tokens = [[*tokenizer.encode(text), stop] for text in texts]
        if schema not in seen and sum(map(len, tokens)) >= least:
            seen.add(schema)
            yield Case(schema, tokens)


def common(
    candidates: Iterable[Case], engines: Sequence[str], count: int, limit: int
) -> tuple[list[Case], int]:
    """The first cases that every engine can read, and how many were tried.

    Args:
        candidates: Those that are tried.
        engines: Names of `WAYS`.
        count: How many are wanted.
        limit: Seconds of the processor for a case, and for an engine to begin.
    """
    asked = [Asked(partial(can_read, engine), Limits(limit, MEMORY_LIMIT)) for engine in engines]
    found: list[Case] = []
    tried = 0
    with tqdm(total=count, unit="schema", mininterval=5) as progress:
        for tried, case in enumerate(candidates, 1):  # noqa: B007 - how many there were
            if all(engine(case).result is True for engine in asked):
                found.append(case)
                progress.update()
            if len(found) == count:
                break
    for engine in asked:
        engine.end()
    return found, tried


def places(cases: Sequence[Case], each: int, seed: int) -> list[Place]:
    """Where sequences begin: `each` of each case, at different tokens of its texts."""
    draw = random.Random(seed)
    drawn = []
    for number, case in enumerate(cases):
        all_places = [
            Place(number, text, token)
            for text, tokens in enumerate(case.texts)
            for token in range(len(tokens))
        ]
        drawn += draw.sample(all_places, each)
    draw.shuffle(drawn)
    return drawn


class Turns:
    """The engines' processes, which do the same in turns; one that fails is left out from there."""

    def __init__(self, engines: Sequence[str], limit: int) -> None:
        limits = Limits(limit, MEMORY_LIMIT)
        self._asked = {engine: Asked(partial(read, engine), limits) for engine in engines}
        self._turn = 0

    def ask(self, task: Begin | Read) -> Iterator[tuple[str, list[Step]]]:
        """What each engine answers, another one first each time."""
        names = list(self._asked)
        self._turn += 1
        for i in range(len(names)):
            name = names[(self._turn + i) % len(names)]
            outcome = self._asked[name](task)
            if outcome.failure:
                print(f"{name} is left out: {outcome.failure}", file=sys.stderr)
                self._asked.pop(name).end()
                continue
            yield name, outcome.result

    def end(self) -> None:
        for asked in self._asked.values():
            asked.end()


def measure(turns: Turns, begin: Begin, rounds: int, steps: int, block: int) -> Times:
    """Both passes of each round, then a block of steps whose masks are checked one by one."""
    times: Times = {}
    for _ in tqdm(range(rounds), unit="round"):
        list(turns.ask(begin))
        for pass_ in PASSES:
            taken: dict[str, list[Step]] = {}
            for done in range(0, steps, block):
                task = Read(min(block, steps - done), is_anew=done == 0)
                for engine, answer in turns.ask(task):
                    taken.setdefault(engine, []).extend(answer)
            for engine, answers in taken.items():
                times.setdefault((engine, pass_), []).append(answers)
        list(turns.ask(Read(min(block, steps), is_anew=True, is_checked=True)))
    return times


def rows(times: Times, engines: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Rows of `COLUMNS`."""
    for engine, pass_ in itertools.product(engines, PASSES):
        rounds = times.get((engine, pass_))
        if not rounds:
            continue
        # Of an engine that was left out, the last round may be shorter.
        whole = [steps for steps in rounds if len(steps) == len(rounds[0])]
        masks, accept = np.moveaxis(np.array(whole) / 1e3, 2, 0)
        for part, values in (("masks", masks), ("accept", accept), ("both", masks + accept)):
            points = np.percentile(values, [50, 90, 99])
            figures = (values.mean(), *points, values.max(), values.min(axis=0).max())
            yield (engine, pass_, part, values.size, *(f"{figure:.1f}" for figure in figures))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schemas", type=int, default=32, help="how many, drawn from MaskBench")
    parser.add_argument("--each", type=int, default=8, help="how many sequences of each schema")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=128, help="of each pass")
    parser.add_argument("--block", type=int, default=16, help="steps of an engine's turn")
    parser.add_argument("--timeout", type=int, default=30, help="seconds per schema and engine")
    parser.add_argument(
        "--engines", nargs="+", choices=WAYS, default=list(COMPARED), metavar="ENGINE"
    )
    parser.add_argument("--csv", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    drawn = cases(list(maskbench()), llama3(), options.each, options.seed)
    chosen, tried = common(drawn, options.engines, options.schemas, options.timeout)
    if not chosen:
        parser.exit(1, "no schema that all of these engines can read\n")
    begin = Begin(chosen, places(chosen, options.each, options.seed))
    turns = Turns(options.engines, options.timeout * (len(chosen) + 1))
    times = measure(turns, begin, options.rounds, options.steps, options.block)
    table = list(rows(times, options.engines))
    turns.end()
    notes = record.circumstances(
        f"{len(begin.places)} sequences of {len(chosen)} schemas, which of {tried} of MaskBench, "
        f"drawn by seed {options.seed}, are those that all of these engines can read; "
        f"{options.rounds} rounds of {options.steps} steps; vocabulary llama3; "
        f"{THREADS} processors; wall clock",
        " ".join(["python benches/batch.py", *sys.argv[1:]]),
        record.ENGINES,
    )
    print(*notes, sep="\n")
    for row in itertools.chain([COLUMNS], table):
        print(*row, sep="\t")
    if options.csv:
        record.write(options.csv, notes, COLUMNS, table)


if __name__ == "__main__":
    main()
