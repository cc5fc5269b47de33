"""Many threads at once on a Python without a GIL: their masks are those that one thread makes.

What threads may share is a vocabulary, a compiled grammar, a store of grammars. A matcher is for
one thread at a time: another one that uses it meanwhile gets an error and changes nothing.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import random
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from string import ascii_lowercase
from typing import Any, TypeVar

import numpy as np
import pytest

import schemask
from schemask import CompiledGrammar, Grammar, GrammarCache, Matcher, Vocabulary

T = TypeVar("T")

is_free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
pytestmark = pytest.mark.skipif(
    not is_free_threaded, reason="needs a free-threaded Python, and this one always has a GIL"
)
without_gil = pytest.mark.skipif(
    getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="the GIL is on: PYTHON_GIL=1, -X gil=1 or another package that was imported needs it",
)

THREADS = 8
PAIRS = [(first + second).encode() for first in ascii_lowercase for second in ascii_lowercase]
WORDS = [b'{"', b'":', b'", "', b'"}', b": ", b", ", b"true", b"false", b"null", b"12", b"[["]
TOKENS = [bytes([byte]) for byte in range(256)] + WORDS + PAIRS + [b""]
STOP = len(TOKENS) - 1

SCHEMAS: dict[str, Any] = {
    "anything": {},
    "person": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^[A-Z][a-z]{1,12}( [A-Z][a-z]{1,12})?$"},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "mail": {"type": "string", "format": "email"},
            "tags": {"type": "array", "items": {"enum": ["a", "bb", 3]}, "uniqueItems": True},
        },
        "required": ["name", "age"],
        "additionalProperties": {"type": "number"},
    },
    "tree": {
        "$defs": {"node": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 3}},
        "$ref": "#/$defs/node",
    },
    "either": {
        "oneOf": [
            {"type": "string", "minLength": 3, "format": "date"},
            {"type": "object", "minProperties": 2, "patternProperties": {"^x": {"type": "null"}}},
            {"type": "number", "multipleOf": 0.25},
        ]
    },
}


def new_vocabulary() -> Vocabulary:
    return Vocabulary(TOKENS, stop_token_ids=[STOP])


def at_once(work: Callable[[int], T], count: int = THREADS) -> list[T]:
    """What `work(0)`, `work(1)` and so on return, in threads that begin together."""
    begin = threading.Barrier(count)
    done: dict[int, T] = {}
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            begin.wait()
            done[number] = work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [done[number] for number in range(count)]


def row_of(matcher: Matcher) -> bytes:
    row = schemask.allocate_mask(1, len(TOKENS))
    matcher.fill_mask(row)
    return row.tobytes()


def allowed(row: bytes) -> list[int]:
    bits = np.unpackbits(np.frombuffer(row, dtype=np.uint8), bitorder="little")
    return np.flatnonzero(bits).tolist()


def walk(compiled: CompiledGrammar, seed: int, steps: int = 40) -> list[Any]:
    """All that is seen on a way through a grammar, with ways back and twins."""
    choose = random.Random(seed)
    matcher = compiled.matcher(80 if seed % 3 == 0 else None)
    seen: list[Any] = []
    for _ in range(steps):
        row = row_of(matcher)
        seen.append((row, matcher.is_accepting, matcher.is_terminated, matcher.token_count))
        count = matcher.token_count
        if count and choose.random() < 0.15:
            matcher.rollback(choose.randint(1, count))
            continue
        if choose.random() < 0.1:
            matcher = matcher.clone()
        if choose.random() < 0.1:
            seen.append((matcher.completion(), matcher.forced_tokens(), repr(matcher)))
        if matcher.is_terminated:
            matcher.reset()
            continue
        may_come = allowed(row)
        refused = choose.randrange(len(TOKENS))
        if refused not in may_come:
            assert not matcher.accept(refused)
            assert row_of(matcher) == row
        assert matcher.accept(choose.choice(may_come))
    return seen


def alone(name: str, seed: int) -> list[Any]:
    """The same way, on a grammar of its own that nobody has used before."""
    return walk(Grammar.from_json_schema(SCHEMAS[name]).compile(new_vocabulary()), seed)


def test_importing_leaves_the_gil_off() -> None:
    code = "import sys, schemask; sys.exit(sys._is_gil_enabled())"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    # Python warns where a module turns the GIL on.
    command = [sys.executable, "-W", "error", "-c", code]
    subprocess.run(command, check=True, env=environment, timeout=120)


@without_gil
@pytest.mark.parametrize("name", SCHEMAS)
def test_matchers_of_one_grammar(name: str) -> None:
    expected = [alone(name, seed) for seed in range(THREADS)]
    for _ in range(5):
        compiled = Grammar.from_json_schema(SCHEMAS[name]).compile(new_vocabulary())
        assert at_once(partial(walk, compiled)) == expected
        assert at_once(partial(walk, compiled)) == expected  # masks that are known


@without_gil
@pytest.mark.parametrize("name", SCHEMAS)
def test_all_on_the_same_way(name: str) -> None:
    """So that each mask is asked for by all threads at the same time."""
    expected = alone(name, 1)
    for _ in range(10):
        compiled = Grammar.from_json_schema(SCHEMAS[name]).compile(new_vocabulary())
        seen = at_once(lambda _, shared=compiled: walk(shared, 1))
        assert seen == [expected] * THREADS


@without_gil
def test_compiling_one_grammar_for_one_vocabulary() -> None:
    expected = {name: alone(name, 2) for name in SCHEMAS}
    for _ in range(5):
        vocabulary = new_vocabulary()
        grammars = {name: Grammar.from_json_schema(schema) for name, schema in SCHEMAS.items()}

        def compile_all(
            number: int, vocabulary: Vocabulary = vocabulary, made: dict[str, Grammar] = grammars
        ) -> None:
            names = list(SCHEMAS)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                assert walk(made[name].compile(vocabulary), 2) == expected[name]
                fresh = Grammar.from_json_schema(SCHEMAS[name])
                assert walk(fresh.compile(vocabulary), 2) == expected[name]

        at_once(compile_all)


@without_gil
def test_many_rows_in_each_thread() -> None:
    """`fill_masks` has threads of its own, which all callers share."""
    text = b'{"name": "Ada Lovelace", "age": 36, "mail": "ada@example.org", "tags": ["bb"'
    rows = 60

    def many(compiled: CompiledGrammar, number: int) -> list[Matcher]:
        made = []
        for row in range(rows):
            matcher = compiled.matcher(120 if row % 2 else None)
            assert matcher.accept_bytes(text[: (7 * row + number) % (len(text) + 1)])
            made.append(matcher)
        return made

    def filled(compiled: CompiledGrammar, number: int) -> bytes:
        matchers = many(compiled, number)
        bitmask = np.full((rows, -(-len(TOKENS) // 32)), -1, dtype=np.int32)
        if number % 2:
            schemask.prepare(matchers).fill(bitmask)
        else:
            schemask.fill_masks(matchers, bitmask)
        return bitmask.tobytes()

    def fresh() -> CompiledGrammar:
        return Grammar.from_json_schema(SCHEMAS["person"]).compile(new_vocabulary())

    expected = [
        b"".join(map(row_of, many(compiled, number)))
        for compiled in [fresh()]
        for number in range(THREADS)
    ]
    for _ in range(5):
        assert at_once(partial(filled, fresh())) == expected


@without_gil
def test_files_and_pickles(tmp_path: Path) -> None:
    vocabulary = new_vocabulary()
    expected = {name: alone(name, 3) for name in SCHEMAS}
    compiled = {
        name: Grammar.from_json_schema(schema).compile(vocabulary)
        for name, schema in SCHEMAS.items()
    }

    def there_and_back(number: int) -> None:
        for name, grammar in compiled.items():
            own, common = tmp_path / f"{name} {number}", tmp_path / name
            grammar.save(own)
            # Each thread replaces what another one wrote, or is told that one is about to.
            with contextlib.suppress(schemask.DataError):
                grammar.save(common)
            for path in (own, common):
                assert walk(CompiledGrammar.load(path, vocabulary), 3) == expected[name]
            revived = pickle.loads(pickle.dumps(grammar))
            assert revived.vocabulary == vocabulary
            assert walk(revived, 3) == expected[name]

    for name, grammar in compiled.items():
        grammar.save(tmp_path / name)
    at_once(there_and_back)


@without_gil
def test_a_store_of_grammars() -> None:
    expected = {name: alone(name, 4) for name in SCHEMAS}
    for size in (1, len(SCHEMAS)):
        cache = GrammarCache(new_vocabulary(), max_size=size)

        def ask(number: int, cache: GrammarCache = cache) -> None:
            choose = random.Random(number)
            for _ in range(10):
                name = choose.choice(list(SCHEMAS))
                grammar = cache.get(Grammar.from_json_schema, SCHEMAS[name])
                assert walk(grammar, 4) == expected[name]

        at_once(ask)
        stats = cache.stats()
        assert stats.hits + stats.misses == 10 * THREADS
        assert stats.size == stats.misses - stats.evicted == min(size, len(SCHEMAS))
        if size == len(SCHEMAS):
            assert stats.misses == size


@without_gil
def test_new_vocabularies() -> None:
    digest = new_vocabulary().digest
    shared = new_vocabulary()

    def read(number: int) -> None:
        own = new_vocabulary()
        assert own == shared and own.digest == shared.digest == digest
        for data in (b'{"name": "Ada"}', b"[[12, null]]"):
            ids = shared.tokenize(data)
            assert ids == own.tokenize(data)
            assert b"".join(map(shared.token, ids)) == data

    at_once(read)


@without_gil
def test_putting_masks_on_logits() -> None:
    compiled = Grammar.from_json_schema(SCHEMAS["person"]).compile(new_vocabulary())
    bitmask = schemask.allocate_mask(1, len(TOKENS))
    compiled.matcher().fill_mask(bitmask)
    bits = np.unpackbits(bitmask.view(np.uint8), bitorder="little")[: len(TOKENS)]
    logits = np.zeros((THREADS, len(TOKENS)), dtype=np.float32)

    def mask(number: int) -> None:
        for _ in range(300):
            logits[number] = number
            schemask.apply_mask(logits[number], bitmask[0])
            row = logits[number]
            assert (row[bits == 1] == number).all() and np.isneginf(row[bits == 0]).all()

    at_once(mask)


@without_gil
def test_one_matcher_in_two_threads() -> None:
    """Each call is done whole, or is an error that says why and changes nothing."""
    compiled = Grammar.from_regex("(ab|a|b)*").compile(new_vocabulary())
    shared = compiled.matcher()
    known = {row_of(shared)}
    choose = random.Random(0)
    for _ in range(20):
        assert shared.accept(choose.choice(b"ab"))
        known.add(row_of(shared))
    shared.reset()

    def use(number: int) -> int:
        choose, taken = random.Random(number), 0
        for _ in range(3000):
            try:
                if choose.random() < 0.5:
                    assert shared.accept(choose.choice(b"ab"))
                    taken += 1
                elif choose.random() < 0.5:
                    assert row_of(shared) in known
                elif choose.random() < 0.5:
                    shared.rollback(1)
                    taken -= 1
                else:
                    assert row_of(shared.clone()) in known
            except RuntimeError as error:
                assert "borrowed" in str(error)
            except schemask.TokenError as error:
                assert "0 were accepted" in str(error)  # there is nothing to take back
        return taken

    taken = at_once(use, 2)
    assert shared.token_count == sum(taken)
    assert row_of(shared) in known


@without_gil
def test_one_matcher_in_many_lists() -> None:
    """Looking at a matcher is no use by one thread alone."""
    compiled = Grammar.from_json_schema(SCHEMAS["person"]).compile(new_vocabulary())
    shared = compiled.matcher()
    assert shared.accept_bytes(b'{"name": "A')
    twin = Grammar.from_json_schema(SCHEMAS["person"]).compile(new_vocabulary()).matcher()
    assert twin.accept_bytes(b'{"name": "A')
    expected = row_of(twin)

    def look(number: int) -> None:
        bitmask = schemask.allocate_mask(20, len(TOKENS))
        for _ in range(20):
            schemask.fill_masks([shared] * 20, bitmask)
            assert {row.tobytes() for row in bitmask} == {row_of(shared)} == {expected}
            shared.completion(), shared.forced_tokens(), shared.allowed(), str(shared.explain(0))

    at_once(look)


@without_gil
def test_one_row_in_two_threads() -> None:
    compiled = Grammar.from_json_schema({}).compile(new_vocabulary())
    row = schemask.allocate_mask(1, len(TOKENS))
    expected = row_of(compiled.matcher())

    def fill(number: int) -> None:
        matcher = compiled.matcher()
        for _ in range(2000):
            try:
                matcher.fill_mask(row)
            except schemask.MaskError as error:
                assert "another call" in str(error)

    at_once(fill, 2)
    assert row.tobytes() == expected


@without_gil
def test_collecting_garbage_meanwhile() -> None:
    """The collector stops all threads, wherever in a call they are."""
    name = "person"
    expected = [alone(name, seed) for seed in range(THREADS - 1)]
    is_done = threading.Event()

    def work(number: int) -> list[Any]:
        if number == THREADS - 1:
            while not is_done.wait(0.001):
                gc.collect()
            return []
        try:
            compiled = Grammar.from_json_schema(SCHEMAS[name]).compile(new_vocabulary())
            for seed in range(20):
                walk(compiled, seed)
            return walk(compiled, number)
        finally:
            if number == 0:
                is_done.set()

    assert at_once(work)[:-1] == expected
