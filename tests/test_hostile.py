"""Expensive input ends or is an error: some of `benches/hostile_cases/`, each in a process."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

import schemask
from hostile_cases import cases
from hostile_cases.keywords import CHAINS, NESTINGS
from schemask.core.byte_vocabulary import byte_vocabulary
from workers import Outcome, Tell, limit_memory, run

ALL = {case.name: case for case in cases()}
GROUPS = ("odd pattern", "odd gbnf", "lark")
SAMPLE = [
    *(f"nested: {keyword}, {depth} deep" for keyword in NESTINGS for depth in (10, 60)),
    *(f"chain: {keyword}, 30 long" for keyword in CHAINS),
    *("strings: allOf of 6 x.{10}", "strings: not allOf of 4 anyOf", "strings: idn-email"),
    *("strings: date-time, lengths and a pattern", "strings: hostnames that differ"),
    *("pattern: .*a.{30}", "pattern: (.*a.{20}|.*b.{21}|.*c.{22})", "pattern: {0,2} 60 deep"),
    *("pattern: 20 lookaheads in a row", "pattern: 10 lookaheads in each other"),
    *("pattern: 2,000 .*a", "pattern: 10,000 (a|b)", "pattern: 8 negative lookaheads in a loop"),
    *("gbnf: a literal of 1 MiB", "gbnf: doubling or not, 30 times", "gbnf: ambiguous sums"),
    *("gbnf: {0,1000000}, 3 deep", "gbnf: 11 rules, all recursive on both sides"),
    *("everyday: allOf of 8 anyOf of required", "everyday: password of allOf"),
    *(name for name in ALL if name.partition(":")[0] in GROUPS),
]
# Nothing here is about speed: what takes so much hangs. The bytes are beyond what a fork of the
# tests has from them, which may be more.
SECONDS = 120.0
MEMORY = 4 << 30


def walk(name: str, tell: Tell) -> None:
    """Compiles, walks and completes. A limit may end this anywhere, another error at the start."""
    limit_memory(MEMORY)
    choose = random.Random(name)
    vocabulary = byte_vocabulary()
    mask = schemask.allocate_mask(1, vocabulary.size)
    try:
        compiled = ALL[name].grammar().compile(vocabulary)
    except schemask.Error:
        return
    try:
        matcher = compiled.matcher()
        tell(matcher.completion()[:100])
        for step in range(40):
            tell(step)
            matcher.fill_mask(mask)
            bits = np.unpackbits(mask.view(np.uint8), bitorder="little")[: vocabulary.size]
            assert matcher.accept(int(choose.choice(np.flatnonzero(bits))))
            if matcher.is_terminated:
                break
        matcher.completion()
    except schemask.LimitError:
        return


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Outcome]]:
    yield {outcome.task: outcome for outcome in run(walk, SAMPLE, 2, SECONDS)}


@pytest.mark.parametrize("name", SAMPLE)
def test_expensive_input_ends_or_is_an_error(name: str, outcomes: dict[str, Outcome]) -> None:
    assert not outcomes[name].failure, (outcomes[name].failure, outcomes[name].last)


def test_the_names_of_cases_tell_them_apart() -> None:
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)
