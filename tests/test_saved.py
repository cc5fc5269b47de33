"""Grammars that travel: pickles, copies and files of them, and the store that threads share."""

from __future__ import annotations

import contextlib
import copy
import json
import multiprocessing
import pickle
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import schemask
from grammars import grammars, productive, to_gbnf
from schemask import CacheStats, CompiledGrammar, Grammar, GrammarCache, allocate_mask
from strategies import schemas
from test_grammar import small_vocabulary

VOCABULARY = small_vocabulary()
SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)

NESTED = Grammar.reference("nested")
GRAMMARS = {
    "schema": Grammar.from_json_schema(
        {"properties": {"b": {"$ref": "urn:x"}, "a": {"type": "integer"}}},
        whitespace="spaced",
        property_order="any",
        spelling="any",
        resources={"urn:x": {"enum": ["ab", "ü\n"]}},
        limits={"schema_depth": 50},
    ),
    "loose": Grammar.from_json_schema({"type": "string", "format": "color"}, strict=False),
    "tools": Grammar.from_tools([{"name": "f", "parameters": {"type": "object"}}], "hermes"),
    "python": Grammar.from_tools(
        [{"name": "f", "parameters": {"type": "object"}}], "llama4_pythonic"
    ),
    "gbnf": Grammar.from_gbnf('root ::= "a" top\ntop ::= "b"*'),
    "lark": Grammar.from_lark('start: "a" | "b" start'),
    "regex": Grammar.from_regex("a{2,3}", search=True),
    "token": Grammar.token(3) | Grammar.token("<|x|>"),
    "free": "ab" + Grammar.free_text("b", "ca") + Grammar.literal("c").repeat(2, 5),
    "nested": NESTED.define(nested=("(" + NESTED + ")").optional()),
}


def seen(compiled: CompiledGrammar, steps: int = 6) -> list[bytes]:
    """The masks of a walk that takes the middle one of the tokens that may come."""
    matcher = compiled.matcher()
    masks = []
    for _ in range(steps):
        mask = allocate_mask(1, compiled.vocabulary.size)
        matcher.fill_mask(mask)
        masks.append(mask.tobytes())
        ids = [i for i in range(compiled.vocabulary.size) if mask[0, i // 32] >> (i % 32) & 1]
        if not ids or matcher.is_terminated:
            break
        assert matcher.accept(ids[len(ids) // 2])
    return masks


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_pickle_a_copy_and_a_file_mean_the_same(name: str, tmp_path: Path) -> None:
    grammar = GRAMMARS[name]
    compiled = grammar.compile(VOCABULARY)
    revived = pickle.loads(pickle.dumps(grammar))
    assert str(revived) == str(grammar)
    assert repr(revived) == repr(grammar)
    assert revived.warnings == grammar.warnings
    compiled.save(tmp_path / "grammar.json")
    for other in (
        revived.compile(VOCABULARY),
        pickle.loads(pickle.dumps(compiled)),
        copy.deepcopy({"it": compiled})["it"],
        copy.deepcopy(grammar).compile(VOCABULARY),
        CompiledGrammar.load(tmp_path / "grammar.json", VOCABULARY),
        CompiledGrammar.load(str(tmp_path / "grammar.json"), small_vocabulary()),
    ):
        assert seen(other) == seen(compiled)
        assert str(other.grammar) == str(grammar)
    if name == "schema":
        assert revived.in_order({"a": 1, "b": 2}) == grammar.in_order({"a": 1, "b": 2})


@SETTINGS
@given(schemas(), grammars(), st.data())
def test_what_is_put_together_travels(schema: Any, rules: Any, data: st.DataObject) -> None:
    assume(productive(rules))
    try:
        whole = Grammar.from_json_schema(schema) | Grammar.from_gbnf(to_gbnf(rules))
    except schemask.Error:
        assume(False)
        raise
    for _ in range(data.draw(st.integers(0, 3))):
        whole = data.draw(
            st.sampled_from([whole + whole, whole | "ab", whole.repeat(1, 2), whole.optional()])
        )
    revived = pickle.loads(pickle.dumps(whole))
    assert str(revived) == str(whole)
    try:
        compiled = whole.compile(VOCABULARY)
    except schemask.Error as error:
        with pytest.raises(type(error)):
            revived.compile(VOCABULARY)
        return
    assert seen(pickle.loads(pickle.dumps(compiled)), 2) == seen(compiled, 2)


def test_another_process_gets_the_same_masks() -> None:
    compiled = [grammar.compile(VOCABULARY) for grammar in GRAMMARS.values()]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert list(pool.map(seen, compiled)) == [seen(grammar) for grammar in compiled]


def test_a_part_that_occurs_often_is_written_once(tmp_path: Path) -> None:
    whole = Grammar.from_regex("[a-c]{3}")
    for _ in range(9):
        whole = whole | whole
    compiled = whole.compile(VOCABULARY)
    compiled.save(tmp_path / "grammar.json")
    assert len(json.loads((tmp_path / "grammar.json").read_bytes())["parts"]) == 10
    assert seen(CompiledGrammar.load(tmp_path / "grammar.json", VOCABULARY)) == seen(compiled)


def test_a_long_chain_travels() -> None:
    whole = Grammar.literal("a")
    for _ in range(3000):
        whole = whole + "b"
    assert str(pickle.loads(pickle.dumps(whole))) == str(whole)


def test_pickles_share_the_vocabulary() -> None:
    # One that nothing else has pickled.
    vocabulary = small_vocabulary(b"shared")
    sent = [pickle.dumps(GRAMMARS[name].compile(vocabulary)) for name in ("gbnf", "lark")]
    first, second = (pickle.loads(data) for data in sent)
    assert first.vocabulary is second.vocabulary
    assert first.vocabulary == vocabulary
    assert copy.copy(vocabulary) is copy.deepcopy(vocabulary) is vocabulary


def test_digests_tell_vocabularies() -> None:
    tokens = [b"a", b"bc", b"<x>", b"</s>", b"</s>"]
    kinds = [
        schemask.Vocabulary(tokens, [4]),
        schemask.Vocabulary(tokens, [3]),
        schemask.Vocabulary(tokens, [4], [2]),
        schemask.Vocabulary([b"ab", b"c", *tokens[2:]], [4]),
        schemask.Vocabulary([*tokens, b""], [4]),
    ]
    assert len({vocabulary.digest for vocabulary in kinds}) == len(kinds)
    assert schemask.Vocabulary(tokens, [4]).digest == kinds[0].digest


def test_a_file_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    GRAMMARS["gbnf"].compile(VOCABULARY).save(tmp_path / "grammar.json")
    with pytest.raises(schemask.VocabularyError, match="another vocabulary"):
        CompiledGrammar.load(tmp_path / "grammar.json", small_vocabulary(b"more"))
    with pytest.raises(schemask.Error):
        CompiledGrammar.load(tmp_path / "grammar.json", "no vocabulary")
    with pytest.raises(schemask.DataError, match="No such file"):
        CompiledGrammar.load(tmp_path / "none.json", VOCABULARY)
    with pytest.raises(schemask.DataError):
        GRAMMARS["gbnf"].compile(VOCABULARY).save(tmp_path / "none" / "grammar.json")
    with pytest.raises(schemask.DataError):
        GRAMMARS["gbnf"].compile(VOCABULARY).save(3)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 2**70)
    | st.floats()
    | st.sampled_from(["a", "then"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["part", "step", "arguments", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@contextlib.contextmanager
def saved_as(content: bytes) -> Iterator[Path]:
    """A file for one example: the folders of fixtures are for all of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grammar.json"
        path.write_bytes(content)
        yield path


@SETTINGS
@given(st.sampled_from(sorted(GRAMMARS)), st.data())
def test_a_spoilt_file_is_an_error(name: str, data: st.DataObject) -> None:
    with saved_as(b"") as path:
        GRAMMARS[name].compile(VOCABULARY).save(path)
        content = json.loads(path.read_bytes())
    place: Any = content
    key: Any = data.draw(st.sampled_from(["parts", "vocabulary", "schemask_grammar"]))
    while isinstance(place[key], (list, dict)) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(
            st.sampled_from(sorted(place))
            if isinstance(place, dict)
            else st.integers(0, len(place) - 1)
        )
    place[key] = data.draw(JSON)
    with saved_as(json.dumps(content).encode()) as path:
        try:
            compiled = CompiledGrammar.load(path, VOCABULARY)
        except schemask.Error:
            return
    seen(compiled, 1)


@SETTINGS
@given(st.binary(max_size=60))
def test_a_file_of_anything_is_an_error(content: bytes) -> None:
    with saved_as(content) as path, pytest.raises(schemask.DataError):
        CompiledGrammar.load(path, VOCABULARY)


def test_one_thread_makes_what_many_ask_for() -> None:
    cache = GrammarCache(VOCABULARY, max_size=50)
    made: list[int] = []

    def make(number: int) -> Grammar:
        made.append(number)
        time.sleep(0.001)
        return Grammar.from_json_schema({"const": number})

    def ask(turn: int) -> list[CompiledGrammar]:
        return [cache.get(make, (number * (turn + 1)) % 41) for number in range(41)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert sorted(made) == list(range(41))
    assert len({id(compiled) for row in found for compiled in row}) == 41
    assert cache.stats() == CacheStats(41, 8 * 41 - 41, 41, 0)


def test_the_oldest_use_is_dropped() -> None:
    cache = GrammarCache(VOCABULARY, max_size=2)
    first = cache.get(Grammar.from_regex, "a")
    cache.get(Grammar.from_regex, "b")
    assert cache.get(Grammar.from_regex, "a") is first
    cache.get(Grammar.from_regex, "c")
    assert cache.get(Grammar.from_regex, "a") is first
    assert cache.stats() == CacheStats(2, 2, 3, 1)
    cache.get(Grammar.from_regex, "b")
    assert cache.stats() == CacheStats(2, 2, 4, 2)
    cache.clear()
    assert len(cache) == 0
    assert cache.get(Grammar.from_regex, "a") is not first


def test_what_differs_is_told_apart() -> None:
    cache = GrammarCache(VOCABULARY)
    different: list[tuple[Any, dict[str, Any]]] = [
        ({"const": 1}, {}),
        ({"const": 1.0}, {}),
        ({"const": True}, {}),
        ({"enum": [1, 2]}, {}),
        ({"enum": [[1, 2]]}, {}),
        ({"properties": {"a": {}, "b": {}}}, {}),
        ({"properties": {"b": {}, "a": {}}}, {}),
        ({"const": 1}, {"whitespace": "compact"}),
        ({"const": 1}, {"limits": {"schema_depth": 9}}),
        ('{"const": 1}', {}),
        (int, {}),
    ]
    for schema, options in different * 2:
        cache.get(Grammar.from_json_schema, schema, **options)
    assert cache.stats() == CacheStats(len(different), len(different), len(different), 0)


def test_what_cannot_be_made_is_asked_for_again() -> None:
    cache = GrammarCache(VOCABULARY)
    begun = threading.Event()
    tries: list[int] = []

    def make(_: str) -> Grammar:
        tries.append(1)
        begun.wait(5)
        return Grammar.from_regex("(")

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(cache.get, make, "x") for _ in range(3)]
        while cache.stats().hits < 2:
            time.sleep(0.001)
        begun.set()
        for answer in asked:
            with pytest.raises(schemask.GrammarError):
                answer.result()
    assert len(tries) == 1
    assert len(cache) == 0
    with pytest.raises(schemask.GrammarError):
        cache.get(make, "x")
    assert len(tries) == 2


def test_an_interrupted_thread_takes_no_other_with_it() -> None:
    cache = GrammarCache(VOCABULARY)
    begun = threading.Event()

    def make() -> Grammar:
        begun.wait(5)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(cache.get, make) for _ in range(2)]
        while cache.stats().hits < 1:
            time.sleep(0.001)
        begun.set()
        errors = {type(answer.exception()) for answer in asked}
    assert errors == {KeyboardInterrupt, schemask.GrammarError}


def test_arguments_that_cannot_be_keys_are_errors() -> None:
    cache = GrammarCache(VOCABULARY)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for value in ({"a": {1, 2}}, deep, bytearray(b"a")):
        with pytest.raises(schemask.GrammarError):
            cache.get(Grammar.from_json_schema, value)
    with pytest.raises(schemask.Error):
        GrammarCache(VOCABULARY, max_size=0)
    with pytest.raises(schemask.Error):
        GrammarCache("no vocabulary")  # type: ignore[arg-type]
