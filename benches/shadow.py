"""Masks in the shadow of the forward pass, beside masks in line.

    python benches/shadow.py --csv shadow.csv

A step of a batch is a forward pass of some layers of torch, on one thread, and the masks of what
comes next: with `prepare` before the pass and `Preparation.fill` after it, or with `fill_masks`
after it. The texts are instances of MaskBench, each under its own schema, on the vocabulary of
Llama 3. Both ways take turns, step for step at the same places. README.md beside this file says
what is measured.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import record
import schemask
from corpus import llama3, maskbench

HEADER = (
    "state", "batch", "masks", "steps", "pass_p50_us", "masks_p50_us", "step_p50_us", "step_p99_us",
    "step_mean_us",
)  # fmt: skip
WAYS = ("in line", "prepared")
# The texts of a batch begin at different tokens, of as many as this.
SPREAD = 16

Step = tuple[float, float]
"""Seconds of the forward pass, and of all that the masks take."""


class Model:
    """Layers of random weights: what they compute is of no use, and takes its time."""

    def __init__(self, width: int, layers: int) -> None:
        self._layers = [torch.randn(width, width) / width**0.5 for _ in range(layers)]

    def run(self, batch: int) -> None:
        hidden = torch.ones(batch, self._layers[0].shape[0])
        for layer in self._layers:
            hidden = torch.relu(hidden @ layer)


class Texts:
    """A batch's grammars, and the tokens of a text of each.

    Args:
        vocabulary: Of the tokens.
        texts: Schemas, each with the tokens of an instance.
    """

    def __init__(
        self, vocabulary: schemask.Vocabulary, texts: list[tuple[schemask.Grammar, list[int]]]
    ) -> None:
        self._vocabulary = vocabulary
        self._grammars = [grammar for grammar, _ in texts]
        self._tokens = [tokens for _, tokens in texts]

    def compiled(self) -> list[schemask.CompiledGrammar]:
        """The grammars, with no masks kept yet but those that all grammars share."""
        return [grammar.compile(self._vocabulary) for grammar in self._grammars]

    def walk(
        self, compiled: list[schemask.CompiledGrammar], way: str, model: Model, steps: int
    ) -> Iterator[Step]:
        """Steps of the whole batch, as many as there are."""
        matchers = [grammar.matcher() for grammar in compiled]
        for number, (matcher, tokens) in enumerate(zip(matchers, self._tokens, strict=True)):
            for token in tokens[: number % SPREAD]:
                assert matcher.accept(token)
        bitmask = schemask.allocate_mask(len(matchers), self._vocabulary.size)
        clock = time.perf_counter
        for step in range(steps):
            if step:
                for number, matcher in enumerate(matchers):
                    assert matcher.accept(self._tokens[number][number % SPREAD + step - 1])
            begin = clock()
            preparation = schemask.prepare(matchers) if way == "prepared" else None
            before = clock()
            model.run(len(matchers))
            after = clock()
            if preparation is None:
                schemask.fill_masks(matchers, bitmask)
            else:
                preparation.fill(bitmask)
            end = clock()
            yield after - before, end - begin - (after - before)


def texts_of(
    count: int, least: int
) -> tuple[schemask.Vocabulary, list[tuple[schemask.Grammar, list[int]]]]:
    """Different schemas of MaskBench, each with an instance of at least so many tokens."""
    llama = llama3()
    vocabulary = schemask.Vocabulary(llama.tokens, llama.stop_token_ids, llama.special_token_ids)
    found: dict[str, tuple[schemask.Grammar, list[int]]] = {}
    for entry in maskbench():
        text = json.dumps(entry.schema)
        valid = [json.dumps(data) for data, is_valid in entry.tests if is_valid]
        tokens = max(map(llama.encode, valid), key=len, default=[])
        if text in found or len(tokens) < least:
            continue
        try:
            grammar = schemask.Grammar.from_json_schema(
                entry.schema, property_order="any", spelling="any"
            )
            matcher = grammar.compile(vocabulary).matcher()
            is_taken = all(map(matcher.accept, tokens))
        except schemask.Error:
            continue
        if is_taken:
            found[text] = grammar, tokens
        if len(found) == count:
            break
    return vocabulary, list(found.values())


def measured(
    texts: Texts, model: Model, rounds: int, steps: int
) -> Iterator[tuple[str, str, list[Step]]]:
    """What steps take, in states that are new to the grammars and in those that are known."""
    fresh: dict[str, list[Step]] = {way: [] for way in WAYS}
    known: dict[str, list[Step]] = {way: [] for way in WAYS}
    for turn in range(rounds):
        order = WAYS if turn % 2 else WAYS[::-1]
        for way in order:
            fresh[way] += texts.walk(texts.compiled(), way, model, steps)
        compiled = texts.compiled()
        for _ in texts.walk(compiled, "in line", Model(1, 1), steps):
            pass
        # What is known to both is the same: step by step they take turns.
        walks = [texts.walk(compiled, way, model, steps) for way in order]
        for both in zip(*walks, strict=True):
            for way, step in zip(order, both, strict=True):
                known[way].append(step)
    for state, times in (("new", fresh), ("known", known)):
        for way in WAYS:
            yield state, way, times[way]


def row_of(state: str, batch: int, way: str, steps: list[Step]) -> tuple[object, ...]:
    passes, masks = (1e6 * np.array(times) for times in zip(*steps, strict=True))
    whole = passes + masks
    medians = [np.median(times) for times in (passes, masks, whole)]
    figures = (*medians, np.quantile(whole, 0.99), whole.mean())
    return (state, batch, way, len(steps), *(f"{figure:.0f}" for figure in figures))


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 8, 64, 256])
    parser.add_argument("--steps", type=int, default=16, help="of each batch in each round")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--width", type=int, default=1024, help="of the model")
    parser.add_argument("--layers", type=int, default=8, help="of the model")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    vocabulary, found = texts_of(max(options.batches), options.steps + SPREAD)
    model = Model(options.width, options.layers)
    rows = []
    gc.disable()
    with torch.inference_mode():
        for batch in options.batches:
            # The same texts go round if there are fewer.
            texts = Texts(vocabulary, list(itertools.islice(itertools.cycle(found), batch)))
            for state, way, steps in measured(texts, model, options.rounds, options.steps):
                rows.append(row_of(state, batch, way, steps))
                print(*rows[-1], sep="\t", flush=True)
            gc.collect()
    if options.csv is not None:
        data = (
            f"{len(found)} schemas of MaskBench, each with an instance that is long enough; "
            f"{options.layers} layers of width {options.width}, on one thread; "
            f"{len(os.sched_getaffinity(0))} processors for the process"
        )
        notes = record.circumstances(data, f"python {' '.join(sys.argv)}", ("numpy", "torch"))
        record.write(options.csv, notes, HEADER, rows)


if __name__ == "__main__":
    main()
