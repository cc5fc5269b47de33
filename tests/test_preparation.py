"""Masks that are made while something else is done, against those made when they are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemask
from schemask import Grammar, LimitError, allocate_mask, fill_masks, prepare
from schemask.core.byte_vocabulary import byte_vocabulary

VOCABULARY = byte_vocabulary()
SCHEMAS: list[Any] = [
    {},
    {"type": "array", "items": {"enum": ["red", "green", 12, None]}, "uniqueItems": True},
    {"type": "object", "properties": {"a": {"type": "string", "pattern": "^[a-c]{2,9}$"}}},
    {"type": "string", "format": "email"},
]


def walked(matcher: Any, draw: np.random.Generator, steps: int) -> list[int]:
    """Some random tokens, which the matcher accepts."""
    tokens: list[int] = []
    while len(tokens) < steps and not matcher.is_terminated:
        tokens.append(int(draw.choice(matcher.allowed(257).token_ids)))
        assert matcher.accept(tokens[-1])
    return tokens


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 10**6),
    st.lists(st.sampled_from(range(len(SCHEMAS))), min_size=1, max_size=12),
    st.sampled_from([None, 60]),
    st.booleans(),
)
def test_masks_are_the_same(seed: int, kinds: list[int], budget: int | None, waits: bool) -> None:
    draw = np.random.default_rng(seed)
    compiled = [Grammar.from_json_schema(schema).compile(VOCABULARY) for schema in SCHEMAS]
    matchers = [compiled[kind].matcher(max_tokens=budget) for kind in kinds]
    texts = [walked(matcher, draw, int(draw.integers(8))) for matcher in matchers]
    bitmask = np.full((len(matchers), 9), -1, dtype=np.int32)
    preparation = prepare(matchers)
    if waits:
        preparation.fill(np.zeros_like(bitmask))
        preparation = prepare(matchers)
    preparation.fill(bitmask)
    again = [Grammar.from_json_schema(schema).compile(VOCABULARY) for schema in SCHEMAS]
    for row, (kind, text) in enumerate(zip(kinds, texts, strict=True)):
        other = again[kind].matcher(max_tokens=budget)
        assert all(map(other.accept, text))
        one = allocate_mask(1, VOCABULARY.size)
        other.fill_mask(one)
        assert (bitmask[row] == one[0]).all()


def test_matchers_may_go_on_meanwhile() -> None:
    compiled = Grammar.from_json_schema({"type": "string"}).compile(VOCABULARY)
    matchers = [compiled.matcher() for _ in range(8)]
    preparation = prepare(matchers)
    for number, matcher in enumerate(matchers):
        assert matcher.accept_bytes(b'"' if number % 2 else b'"a"')
    filled, wanted = allocate_mask(8, 257), allocate_mask(8, 257)
    preparation.fill(filled)
    fill_masks(matchers, wanted)
    assert (filled == wanted).all()


def test_what_is_prepared_is_kept_with_the_grammar() -> None:
    """So that `fill_masks` has it, too, whoever asks."""
    compiled = Grammar.from_json_schema({"type": "string", "format": "email"}).compile(VOCABULARY)
    matcher = compiled.matcher()
    assert matcher.accept_bytes(b'"a')
    prepare([matcher]).stop()
    prepare([])
    preparation = prepare([matcher])
    del preparation
    bitmask = allocate_mask(1, 257)
    fill_masks([matcher], bitmask)
    assert bitmask.any()


def test_an_error_comes_where_the_mask_is_needed() -> None:
    schema = {"type": "string", "pattern": "^(.*a){12}b{3,40}(c|d.*e){8}$", "format": "email"}
    compiled = Grammar.from_json_schema(schema, limits={"mask_work": 10}).compile(VOCABULARY)
    preparation = prepare([compiled.matcher()])
    with pytest.raises(LimitError, match="mask_work"):
        preparation.fill(allocate_mask(1, 257))


def test_preparations_of_many_threads() -> None:
    compiled = Grammar.from_json_schema({}).compile(VOCABULARY)
    faults: list[BaseException] = []

    def serve(number: int) -> None:
        try:
            matchers = [compiled.matcher() for _ in range(5)]
            for letter in b'{"key%d": [1, 2' % number:
                preparation = prepare(matchers)
                bitmask = allocate_mask(5, 257)
                preparation.fill(bitmask)
                for row, matcher in enumerate(matchers):
                    assert bitmask[row][letter // 32] >> (letter % 32) & 1
                    assert matcher.accept(letter)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_prepares_as_well() -> None:
    code = (
        "import os, signal\n"
        "import schemask\n"
        "from schemask.core.byte_vocabulary import byte_vocabulary\n"
        "compiled = schemask.Grammar.from_json_schema({}).compile(byte_vocabulary())\n"
        "def fill():\n"
        "    bitmask = schemask.allocate_mask(3, 257)\n"
        "    schemask.prepare([compiled.matcher() for _ in range(3)]).fill(bitmask)\n"
        "    assert bitmask.all(axis=-1).sum() == 0 and bitmask.any()\n"
        "fill()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.alarm(30)\n"
        "    fill()\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_bitmask_of_a_wrong_kind() -> None:
    compiled = Grammar.from_json_schema({}).compile(VOCABULARY)
    preparation = prepare([compiled.matcher()])
    with pytest.raises(schemask.MaskError):
        preparation.fill([0] * 9)
