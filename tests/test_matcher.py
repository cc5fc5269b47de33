"""The matcher as a plug-in uses it: arrays, ways back, forced text, budgets, misuse."""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import schemask
from schemask.core.byte_vocabulary import byte_vocabulary
from strategies import schemas

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
WORDS = 9  # of a row for the 257 tokens of the byte vocabulary


def matcher_of(schema: Any, **options: Any) -> schemask.Matcher:
    max_tokens = options.pop("max_tokens", None)
    grammar = schemask.Grammar.from_json_schema(schema, **options)
    return grammar.compile(byte_vocabulary()).matcher(max_tokens)


def look(matcher: schemask.Matcher) -> tuple[Any, ...]:
    """All that can be seen of a matcher's state."""
    row = np.zeros(WORDS, dtype=np.int32)
    matcher.fill_mask(row)
    seen = (matcher.is_accepting, matcher.is_terminated, matcher.token_count)
    return (row.tobytes(), matcher.completion(), matcher.forced_tokens(), *seen)


def test_every_kind_of_bitmask() -> None:
    matcher = matcher_of(PERSON)
    one = np.zeros(WORDS, dtype=np.int32)
    matcher.fill_mask(one)
    allowed = np.flatnonzero(np.unpackbits(one.view(np.uint8), bitorder="little"))
    assert bytes(allowed.tolist()) == b"\t\n\r {"

    rows = np.full((3, WORDS), 7, dtype=np.int32)
    matcher.fill_mask(rows, row=1)
    assert (rows[1] == one).all()
    assert (rows[[0, 2]] == 7).all()

    tensor = torch.full((2, WORDS), 7, dtype=torch.int32)
    matcher.fill_mask(tensor, row=1)
    assert (tensor[1].numpy() == one).all()
    assert (tensor[0] == 7).all()


def test_a_row_for_a_head_that_is_wider_than_the_vocabulary() -> None:
    exact, wide = np.zeros(WORDS, dtype=np.int32), np.full(WORDS + 2, -1, dtype=np.int32)
    matcher_of(PERSON).fill_mask(exact)
    matcher_of(PERSON).fill_mask(wide)
    assert (wide[:WORDS] == exact).all()
    assert not wide[WORDS:].any()


@pytest.mark.parametrize(
    "bitmask",
    [
        np.zeros(WORDS - 1, dtype=np.int32),
        np.zeros((2, WORDS - 1), dtype=np.int32),
        np.zeros((1, 1, WORDS), dtype=np.int32),
        np.zeros(WORDS, dtype=np.int64),
        np.zeros(WORDS, dtype=np.uint32),
        np.zeros(WORDS, dtype=np.float32),
        np.zeros(WORDS, dtype=np.int32).byteswap().view(">i4"),
        np.zeros((WORDS, 2), dtype=np.int32).T,
        np.zeros(2 * WORDS, dtype=np.int32)[::2],
        np.frombuffer(bytes(4 * WORDS), dtype=np.int32),
        torch.zeros(WORDS, dtype=torch.int64),
        torch.zeros(2 * WORDS, dtype=torch.int32)[::2],
        torch.zeros(WORDS, dtype=torch.int32, device="meta"),
        [0] * WORDS,
        bytes(4 * WORDS),
        None,
    ],
    ids=lambda bitmask: f"{type(bitmask).__name__} {getattr(bitmask, 'dtype', '')}",
)
def test_bitmasks_of_a_wrong_kind(bitmask: Any) -> None:
    with pytest.raises(schemask.MaskError):
        matcher_of(PERSON).fill_mask(bitmask)
    with pytest.raises(schemask.MaskError):
        schemask.fill_masks([matcher_of(PERSON)], bitmask)


def test_a_row_that_does_not_exist() -> None:
    bitmask = np.zeros((2, WORDS), dtype=np.int32)
    with pytest.raises(schemask.MaskError):
        matcher_of(PERSON).fill_mask(bitmask, row=2)
    with pytest.raises(schemask.MaskError):
        schemask.fill_masks([matcher_of(PERSON)] * 3, bitmask)
    assert not bitmask.any()


def test_a_text_may_end_without_a_stop_token() -> None:
    grammar = schemask.Grammar.from_regex("ab?|abc")
    compiled = grammar.compile(byte_vocabulary())
    ends = compiled.matcher(terminate_without_stop_token=True)
    waits = compiled.matcher()
    for letter, has_ended in zip(b"abc", (False, False, True), strict=True):
        assert not ends.is_terminated
        assert ends.accept(letter) and waits.accept(letter)
        assert ends.is_terminated == has_ended
    assert ends.is_accepting and not waits.is_terminated
    assert ends.clone().is_terminated and copy.copy(ends).is_terminated
    masks = np.zeros((2, WORDS), dtype=np.int32)
    ends.fill_mask(masks, 0)
    waits.fill_mask(masks, 1)
    assert (masks[0] == masks[1]).all()
    assert not ends.accept(ord("d"))
    assert ends.accept(256) and ends.is_terminated
    ends.rollback(2)
    assert not ends.is_terminated
    ends.reset()
    assert not ends.is_terminated and ends.accept(ord("a"))


@given(st.from_regex("(a|bc){0,3}d?", fullmatch=True))
def test_it_ends_where_only_a_stop_token_may_come(text: str) -> None:
    compiled = schemask.Grammar.from_regex("(a|bc){0,3}d?").compile(byte_vocabulary())
    matcher = compiled.matcher(terminate_without_stop_token=True)
    for letter in text.encode():
        assert matcher.is_terminated == (matcher.allowed(300).token_ids == [256])
        assert matcher.accept(letter)
    assert matcher.is_terminated == (matcher.allowed(300).token_ids == [256])


def test_many_rows_at_once() -> None:
    texts = [
        b"",
        b"{",
        b'{"name',
        b'{"name": "',
        b'{"name": "a", "age": 1',
        b'{"name": "", "age":0}',
    ]
    matchers = [matcher_of(PERSON) for _ in texts]
    expected = np.zeros((len(texts), WORDS), dtype=np.int32)
    for row, (matcher, text) in enumerate(zip(matchers, texts, strict=True)):
        assert matcher.accept_bytes(text)
        matcher.fill_mask(expected, row)
    for bitmask in (np.zeros_like(expected), torch.zeros(expected.shape, dtype=torch.int32)):
        schemask.fill_masks(matchers, bitmask)
        assert (np.asarray(bitmask) == expected).all()


def test_more_rows_than_one_thread_fills() -> None:
    text = b'{"name": "a name of some length", "age": 12345}'
    schemas = [PERSON, {}, {**PERSON, "additionalProperties": {"type": "number"}}]

    def matchers() -> list[schemask.Matcher]:
        grammars = [schemask.Grammar.from_json_schema(schema) for schema in schemas]
        compiled = [grammar.compile(byte_vocabulary()) for grammar in grammars]
        out = []
        for row in range(900):
            budget = 60 + row % 40 if row % 2 else None
            matcher = compiled[row % 3].matcher(max_tokens=budget)
            for byte in text[: row % (len(text) + 1)]:
                assert matcher.accept(byte)
            out.append(matcher)
        return out

    expected = np.zeros((900, WORDS + 2), dtype=np.int32)
    for row, matcher in enumerate(matchers()):
        matcher.fill_mask(expected, row)
    bitmask = np.full_like(expected, -1)
    schemask.fill_masks(matchers(), bitmask)
    assert (bitmask == expected).all()
    assert len({row.tobytes() for row in bitmask}) > 10

    wide = schemask.Vocabulary([bytes([i % 256]) * (1 + i // 256) for i in range(999)], [998])
    many = matchers()
    many[700] = schemask.Grammar.from_json_schema(PERSON).compile(wide).matcher()
    with pytest.raises(schemask.MaskError, match="32 words"):
        schemask.fill_masks(many, bitmask)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_threads_of_its_own() -> None:
    """The parent's are not there, and waiting for them would never end."""
    fill = (
        "import os, signal, sys\n"
        "import numpy as np, schemask\n"
        "from schemask.core.byte_vocabulary import byte_vocabulary\n"
        "compiled = schemask.Grammar.from_json_schema({}).compile(byte_vocabulary())\n"
        "def fill(letter):\n"
        "    many = [compiled.matcher() for _ in range(400)]\n"
        "    for i, m in enumerate(many): m.accept_bytes(b'{\"%d' % i + letter)\n"
        "    rows = np.zeros((400, 9), np.int32)\n"
        "    schemask.fill_masks(many, rows)\n"
        "    for i, m in enumerate(many):\n"
        "        one = np.zeros(9, np.int32)\n"
        "        m.fill_mask(one)\n"
        "        assert (rows[i] == one).all()\n"
        "def child(letters):\n"
        "    fill(letters[:1])\n"
        "    if letters[1:]:\n"
        "        pid = os.fork()\n"
        "        if not pid: signal.alarm(60); child(letters[1:]); os._exit(0)\n"
        "        assert os.waitpid(pid, 0)[1] == 0\n"
        "child(b'abc')\n"
    )
    # In a fresh process, because this one has threads that do not survive a fork either.
    subprocess.run([sys.executable, "-c", fill], check=True, timeout=240)


def test_matchers_of_one_grammar_in_many_threads() -> None:
    compiled = schemask.Grammar.from_json_schema(PERSON).compile(byte_vocabulary())
    text = b'{"name": "a name of some length", "age": 12345}'
    seen: list[list[bytes]] = []

    def follow() -> None:
        matcher, rows = compiled.matcher(), []
        for byte in text:
            row = np.zeros(WORDS, dtype=np.int32)
            matcher.fill_mask(row)
            rows.append(row.tobytes())
            assert matcher.accept(byte)
        seen.append(rows)

    threads = [threading.Thread(target=follow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert all(rows == seen[0] for rows in seen)


def test_rows_of_one_bitmask_in_many_threads() -> None:
    expected = np.zeros(WORDS, dtype=np.int32)
    matcher_of(PERSON).fill_mask(expected)
    bitmask = np.zeros((8, WORDS), dtype=np.int32)
    failures: list[BaseException] = []

    def fill(row: int) -> None:
        try:
            for _ in range(50):
                matcher_of(PERSON).fill_mask(bitmask, row)  # a mask that has to be made
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=fill, args=(row,)) for row in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert (bitmask == expected).all()


@pytest.mark.parametrize("token", [-1, 257, 2**31, 2**40])
def test_token_ids_outside_the_vocabulary(token: int) -> None:
    matcher = matcher_of(PERSON)
    before = look(matcher)
    with pytest.raises(schemask.TokenError, match=str(token)):
        matcher.accept(token)
    assert look(matcher) == before


def test_a_stop_token_comes_exactly_where_the_text_may_end() -> None:
    matcher = matcher_of({"type": "integer"})
    stop = 256
    assert not matcher.accept(stop)
    assert matcher.accept_bytes(b"-")
    assert not matcher.accept(stop)
    assert matcher.accept_bytes(b"7")
    assert matcher.accept(stop)
    assert matcher.is_terminated
    assert not matcher.accept(stop)
    assert not matcher.accept(ord("1"))
    assert not matcher.accept_bytes(b" ")
    assert matcher.completion() == b""
    assert matcher.forced_tokens() == []
    matcher.rollback(1)
    assert not matcher.is_terminated
    assert matcher.accept_bytes(b"1")


@settings(deadline=None, max_examples=200)
@given(schemas(), st.integers(0, 2**32), st.sampled_from([None, 60]))
def test_ways_back_lead_where_the_text_was(schema: Any, seed: int, budget: int | None) -> None:
    try:
        matcher = matcher_of(schema, max_tokens=budget)
    except (schemask.SchemaError, schemask.LimitError):
        assume(False)
    choose = random.Random(seed)
    seen = [look(matcher)]
    tokens: list[int] = []
    for _ in range(25):
        if tokens and choose.random() < 0.2:
            count = choose.randint(0, len(tokens))
            matcher.rollback(count)
            del tokens[len(tokens) - count :], seen[len(seen) - count :]
            assert look(matcher) == seen[-1]
            continue
        allowed = [t for t in range(257) if seen[-1][0][t // 8] >> (t % 8) & 1]
        refused = choose.choice([t for t in range(257) if t not in set(allowed)] or [256])
        if refused not in allowed:
            assert not matcher.accept(refused)
            assert look(matcher) == seen[-1]
        if matcher.is_terminated or not allowed:
            break
        twin = copy.copy(matcher) if choose.random() < 0.5 else matcher.clone()
        token = choose.choice(allowed)
        assert matcher.accept(token)
        assert look(twin) == seen[-1]
        tokens.append(token)
        seen.append(look(matcher))
    with pytest.raises(schemask.TokenError):
        matcher.rollback(len(tokens) + 1)
    assert look(matcher) == seen[-1]
    matcher.reset()
    assert look(matcher) == seen[0]


def test_forced_tokens_spell_what_has_no_choice() -> None:
    matcher = matcher_of(PERSON, whitespace="spaced")
    assert bytes(matcher.forced_tokens()) == b'{"name": "'
    for token in matcher.forced_tokens():
        assert matcher.accept(token)
    assert matcher.forced_tokens() == []
    assert matcher.accept_bytes(b'Ann"')
    assert bytes(matcher.forced_tokens()) == b', "age": '
    # Where the text may end, nothing is forced.
    done = matcher_of({"const": 1}, whitespace="compact")
    assert done.accept_bytes(b"1")
    assert done.forced_tokens() == []


def test_a_character_that_is_begun_in_a_key_where_another_key_ended() -> None:
    matcher = matcher_of({"type": "object"})
    text = '{"":1,"é'.encode()[:-1]
    assert matcher.accept_bytes(text)
    assert set(json.loads(text + matcher.completion())) > {""}


def test_a_budget_that_is_too_small() -> None:
    shortest = len('{"name":"","age":0}')
    matcher = matcher_of(PERSON, max_tokens=shortest)
    assert json.loads(matcher.completion()) == {"name": "", "age": 0}
    with pytest.raises(schemask.LimitError, match=str(shortest)):
        matcher_of(PERSON, max_tokens=shortest - 1)
    with pytest.raises(schemask.LimitError):
        matcher_of(PERSON, max_tokens=0)


@pytest.mark.parametrize("budget", [1, 2, 3, None])
def test_a_stop_token_that_a_grammar_reads_can_end_a_text(budget: int | None) -> None:
    """It does where it cannot be read within the budget, as the mask says."""
    a, named, stop = range(3)
    vocabulary = schemask.Vocabulary([b"a", b"<end>", b""], [named, stop], [named])
    grammar = schemask.Grammar.literal("a") | ("a" + schemask.Grammar.token(named) + "a")
    matcher = grammar.compile(vocabulary).matcher(budget)
    assert matcher.accept(a)
    row = np.zeros(1, dtype=np.int32)
    matcher.fill_mask(row)
    accepted = [token for token in range(3) if matcher.clone().accept(token)]
    assert np.unpackbits(row.view(np.uint8), bitorder="little").nonzero()[0].tolist() == accepted
    assert accepted == [named, stop]
    assert matcher.accept(named)
    assert matcher.is_terminated == (budget in (1, 2))


def test_a_budget_leaves_what_fits() -> None:
    matcher = matcher_of({"type": "string"}, max_tokens=4)
    assert matcher.accept_bytes(b'"')
    assert matcher.accept_bytes(b"a")
    row = np.zeros(WORDS, dtype=np.int32)
    matcher.fill_mask(row)
    # One more character fits, but no first byte of several, and no backslash.
    allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
    assert allowed.tolist() == [byte for byte in range(0x20, 0x80) if byte != ord("\\")]
    assert matcher.accept_bytes(b"b")
    assert not matcher.accept_bytes(b"c")
    assert matcher.accept_bytes(b'"')
    assert matcher.is_accepting


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (([b"a"], [1]), schemask.VocabularyError),
        (([b"a"], [-1]), schemask.VocabularyError),
        (([b"a"], []), schemask.VocabularyError),
        (([], []), schemask.VocabularyError),
        (([b"a", b""], [1], [2]), schemask.VocabularyError),
    ],
)
def test_vocabularies_that_are_inconsistent(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        schemask.Vocabulary(*arguments)


@pytest.mark.parametrize(
    "options", [{"whitespace": "loose"}, {"property_order": "sorted"}, {"whitespace": ""}]
)
def test_options_that_do_not_exist(options: dict[str, str]) -> None:
    with pytest.raises(schemask.GrammarError, match="one of"):
        schemask.Grammar.from_json_schema({}, **options)


@pytest.mark.parametrize(
    "schema", [3, object(), {"const": object()}, "{", "[]", {"a": float("nan")}]
)
def test_what_is_no_schema_at_all(schema: Any) -> None:
    with pytest.raises(schemask.SchemaError):
        schemask.Grammar.from_json_schema(schema)


def test_hostile_schemas_end_in_errors() -> None:
    nested = "[" * 100_000 + "]" * 100_000
    for schema in (nested, '{"items":' * 20_000 + "{}" + "}" * 20_000):
        with pytest.raises(schemask.Error):
            schemask.Grammar.from_json_schema(schema)
