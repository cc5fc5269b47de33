"""Masks against the slow oracle: a token is allowed exactly if a clone of the matcher takes it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import schemask
from corpus import Llama3, llama3, maskbench, maskbench_file
from maskbench import vocabulary_of
from strategies import KEYS, WORDS, schemas

CASES = [
    case
    for path in sorted((Path(__file__).parent / "cases").glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
    if "error" not in case
]


def mask_of(matcher: schemask.Matcher, vocabulary: schemask.Vocabulary) -> np.ndarray:
    """One bool per token."""
    bitmask = np.full((vocabulary.size + 31) // 32, -1, dtype=np.int32)
    matcher.fill_mask(bitmask)
    bits = np.unpackbits(bitmask.view(np.uint8), bitorder="little").astype(bool)
    assert not bits[vocabulary.size :].any(), "a bit beyond the vocabulary"
    return bits[: vocabulary.size]


def oracle(matcher: schemask.Matcher, vocabulary: schemask.Vocabulary) -> np.ndarray:
    """One bool per token, by trying each."""
    clone = matcher.clone()
    allowed = np.zeros(vocabulary.size, dtype=bool)
    for token in range(vocabulary.size):
        if clone.accept(token):
            clone.rollback(1)
            allowed[token] = True
    return allowed


def check(matcher: schemask.Matcher, vocabulary: schemask.Vocabulary, where: object) -> np.ndarray:
    mask = mask_of(matcher, vocabulary)
    differing = np.flatnonzero(mask != oracle(matcher, vocabulary))
    if len(differing):
        tokens = [(int(t), vocabulary.token(int(t)), bool(mask[t])) for t in differing[:5]]
        pytest.fail(f"{len(differing)} tokens differ (id, bytes, in mask) at {where}: {tokens}")
    return mask


def check_end(matcher: schemask.Matcher, vocabulary: schemask.Vocabulary) -> None:
    """After the end nothing is accepted; the mask allows stop tokens, which batches need."""
    assert list(np.flatnonzero(mask_of(matcher, vocabulary))) == sorted(vocabulary.stop_token_ids)
    assert not oracle(matcher, vocabulary).any()


class Walks:
    """Checks the states that some texts and some random walks reach, each state of a text once."""

    def __init__(self, llama: Llama3) -> None:
        self.llama = llama
        self.vocabulary = vocabulary_of(llama)
        # A choice among all tokens would hardly ever leave a string.
        self.short = np.array([len(token) == 1 for token in llama.tokens])

    def along(
        self, compiled: schemask.CompiledGrammar, text: str, count: int, choose: random.Random
    ) -> int:
        tokens = self.llama.encode(text)
        chosen = set(choose.sample(range(len(tokens) + 1), k=min(count, len(tokens) + 1)))
        matcher = compiled.matcher()
        for position in range(len(tokens) + 1):
            if position in chosen:
                check(matcher, self.vocabulary, (text, position))
            if position < len(tokens):
                assert matcher.accept(tokens[position]), (text, position)
        return len(chosen)

    def astray(
        self, compiled: schemask.CompiledGrammar, steps: int, choose: random.Random
    ) -> Iterator[bytes]:
        matcher, text = compiled.matcher(), b""
        for _ in range(steps):
            allowed = check(matcher, self.vocabulary, text)
            yield text
            likely = allowed & self.short if choose.random() < 0.7 else allowed
            [options] = np.nonzero(likely if likely.any() else allowed)
            token = int(choose.choice(options))
            assert matcher.accept(token)
            if matcher.is_terminated:
                check_end(matcher, self.vocabulary)
                return
            text += self.vocabulary.token(token)


@pytest.fixture(scope="module")
def walks() -> Walks:
    return Walks(llama3())


def test_all_tokens_of_a_real_vocabulary_at_states_of_the_cases(walks: Walks) -> None:
    choose = random.Random(0)
    states = schemas_seen = 0
    for case in CASES:
        grammar = schemask.Grammar.from_json_schema(case["schema"], **case.get("options", {}))
        compiled = grammar.compile(walks.vocabulary)
        schemas_seen += 1
        states += walks.along(compiled, choose.choice(case["valid"]), 2, choose)
        states += sum(1 for _ in walks.astray(compiled, 3, choose))
    assert states >= 500
    assert schemas_seen >= 50


@pytest.mark.skipif(
    not maskbench_file().exists(), reason=f"no data: {maskbench_file()} (see benches/README.md)"
)
def test_all_tokens_of_a_real_vocabulary_at_states_of_real_schemas(walks: Walks) -> None:
    choose = random.Random(1)
    states = 0
    for entry in maskbench(150, seed=1):
        texts = [json.dumps(d, ensure_ascii=False) for d, valid in entry.tests if valid]
        try:
            grammar = schemask.Grammar.from_json_schema(entry.schema, property_order="any")
        except schemask.Error:
            continue
        compiled = grammar.compile(walks.vocabulary)
        for text in texts[:1]:
            if accepts(compiled, text):
                states += walks.along(compiled, text, 2, choose)
        states += sum(1 for _ in walks.astray(compiled, 1, choose))
    assert states >= 100


def accepts(compiled: schemask.CompiledGrammar, text: str) -> bool:
    return compiled.matcher().accept_bytes(text.encode())


def pieces() -> list[bytes]:
    """Bytes to make tokens of: JSON's own, those of the strategies' texts, and their parts."""
    texts = [json.dumps(word, ensure_ascii=False).encode() for word in [*KEYS, *WORDS]]
    texts += [json.dumps(word).encode() for word in [*KEYS, *WORDS]]
    syntax = b'{ } [ ] , : " true false null -1 0 12 .5 e+1 \\u0061 \\n \\ud83d \\ude00'.split()
    singles = {bytes([byte]) for text in [*texts, *syntax] for byte in text}
    return sorted({*texts, *syntax, *singles, b" ", b"\n", b'",', b'":', b'"}', b"]}", b'": "'})


@st.composite
def vocabularies(draw: Any, every_byte: bool = False) -> schemask.Vocabulary:
    """A few dozen tokens that cut texts in all places; some are special, one is empty, two stop."""
    joined = st.lists(st.sampled_from(pieces()), min_size=1, max_size=3).map(b"".join)
    tokens = draw(st.lists(joined, min_size=5, max_size=60))
    special = draw(st.sets(st.integers(0, len(tokens) - 1), max_size=2))
    if every_byte:
        tokens += [bytes([byte]) for byte in range(256)]
    tokens += [b"", b"<end>", b"}"]
    last = len(tokens) - 1
    return schemask.Vocabulary(
        tokens, stop_token_ids=[last - 1, last], special_token_ids=sorted({*special, last - 1})
    )


SETTINGS = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
WHITESPACE = st.sampled_from(["flexible", "compact", "spaced"])
ORDER = st.sampled_from(["schema", "any"])


@settings(SETTINGS, max_examples=400)
@given(schemas(), vocabularies(), WHITESPACE, ORDER, st.integers(0, 2**32))
def test_small_vocabularies(
    schema: Any, vocabulary: schemask.Vocabulary, whitespace: Any, order: Any, seed: int
) -> None:
    try:
        grammar = schemask.Grammar.from_json_schema(
            schema, whitespace=whitespace, property_order=order
        )
    except schemask.SchemaError:
        assume(False)
    choose = random.Random(seed)
    matcher = grammar.compile(vocabulary).matcher()
    text = b""
    for _ in range(12):
        [options] = np.nonzero(check(matcher, vocabulary, text))
        if not len(options):
            return
        token = int(choose.choice(options))
        assert matcher.accept(token)
        if matcher.is_terminated:
            check_end(matcher, vocabulary)
            return
        text += vocabulary.token(token)


@settings(SETTINGS, max_examples=200)
@given(schemas(), vocabularies(every_byte=True), st.integers(1, 12), st.integers(0, 2**32))
def test_a_budget_is_always_kept(
    schema: Any, vocabulary: schemask.Vocabulary, budget: int, seed: int
) -> None:
    """Whatever is chosen among what the masks allow, the text is whole within the budget."""
    try:
        grammar = schemask.Grammar.from_json_schema(schema)
        matcher = grammar.compile(vocabulary).matcher(max_tokens=budget)
    except (schemask.SchemaError, schemask.LimitError):
        assume(False)
    choose = random.Random(seed)
    text = b""
    for _ in range(budget):
        [options] = np.nonzero(check(matcher, vocabulary, text))
        assert len(options)
        token = int(choose.choice(options))
        assert matcher.accept(token)
        if matcher.is_terminated:
            break
        text += vocabulary.token(token)
    if not matcher.is_terminated:
        assert matcher.is_accepting
        assert set(np.flatnonzero(mask_of(matcher, vocabulary))) == set(vocabulary.stop_token_ids)
    json.loads(text)
