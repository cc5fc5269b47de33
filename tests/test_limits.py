"""Bounds of work and memory: what exceeds one ends in a `LimitError`, and nothing is lost by it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import schemask

TOKENS = [bytes([byte]) for byte in range(256)] + [b""]
VOCABULARY = schemask.Vocabulary(TOKENS, stop_token_ids=[256])


def conjunction(count: int) -> dict[str, Any]:
    """A schema whose strings have states without end, as soon as one asks whether there are any."""
    patterns = [{"pattern": f"{chr(97 + i)}.{{12}}{chr(98 + i)}"} for i in range(count)]
    return {"type": "string", "allOf": patterns, "maxLength": 12 + count}


SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string", "pattern": "^(x|y)*z$"}, "b": {"type": "integer"}},
    "required": ["a"],
}


@pytest.mark.parametrize("limit", ["compile_work", "mask_work", "accept_work", "completion_work"])
def test_too_much_work_is_an_error_that_names_the_limit(limit: str) -> None:
    with pytest.raises(schemask.LimitError, match=limit):
        grammar = schemask.Grammar.from_json_schema(SCHEMA, limits={limit: 0})  # type: ignore[misc]
        matcher = grammar.compile(VOCABULARY).matcher()
        mask = schemask.allocate_mask(1, VOCABULARY.size)
        for byte in b'{"a": "xyz"}':
            matcher.fill_mask(mask)
            matcher.completion()
            assert matcher.accept(byte)


def test_an_error_changes_nothing() -> None:
    """The state is as before, and where the work is enough the masks are those without limits."""
    text = b'{"a": "xyz"}'
    expected = schemask.allocate_mask(1, VOCABULARY.size)
    mask = schemask.allocate_mask(1, VOCABULARY.size)
    errors = ends = 0
    for work in range(2, 260, 4):
        follower = schemask.Grammar.from_json_schema(SCHEMA).compile(VOCABULARY).matcher()
        limits: schemask.Limits = {"mask_work": work, "accept_work": work}
        grammar = schemask.Grammar.from_json_schema(SCHEMA, limits=limits)
        matcher = grammar.compile(VOCABULARY).matcher()
        for byte in text:
            try:
                matcher.fill_mask(mask)
                assert matcher.accept(byte)
            except schemask.LimitError:
                errors += 1
                assert matcher.token_count == follower.token_count
                assert matcher.completion() == follower.completion()
                break
            follower.fill_mask(expected)
            np.testing.assert_array_equal(mask, expected)
            assert follower.accept(byte)
        ends += matcher.is_accepting
    assert errors > 5 and ends > 5, (errors, ends)


def test_memory_is_bounded() -> None:
    with pytest.raises(schemask.LimitError, match="memory_bytes"):
        schemask.Grammar.from_json_schema(SCHEMA, limits={"memory_bytes": 500})


def kinds_of_objects(count: int) -> dict[str, Any]:
    """Objects of which each kind demands a member of its own."""
    kinds = [
        {
            "if": {"properties": {"kind": {"const": f"kind {i}"}}, "required": ["kind"]},
            "then": {"required": [f"of {i}"]},
        }
        for i in range(count)
    ]
    return {"type": "object", "required": ["kind"], "allOf": kinds}


@pytest.mark.parametrize(
    "schema, text",
    [
        ({"enum": [{"id": i, "name": f"n{i}"} for i in range(1_000)]}, '{"id": 7, "name": "n7"}'),
        (kinds_of_objects(100), '{"kind": "kind 7", "of 7": 0}'),
    ],
)
def test_many_values_of_one_key_are_within_the_limits(schema: Any, text: str) -> None:
    matcher = schemask.Grammar.from_json_schema(schema).compile(VOCABULARY).matcher()
    mask = schemask.allocate_mask(1, VOCABULARY.size)
    for byte in text.encode():
        matcher.fill_mask(mask)
        assert matcher.accept(byte)
    assert matcher.is_accepting


def test_time_can_be_bounded() -> None:
    limits: schemask.Limits = {"compile_work": 1 << 50, "timeout": 0.01}
    with pytest.raises(schemask.LimitError, match="timeout"):
        schemask.Grammar.from_json_schema(conjunction(12), limits=limits)


@pytest.mark.parametrize(
    "limits",
    [{"work": 1}, {"mask_work": -1}, {"mask_work": 0.5}, {"mask_work": "1"}, {"timeout": None}, 3],
)
def test_wrong_limits(limits: Any) -> None:
    with pytest.raises(schemask.LimitError):
        schemask.Grammar.from_regex("a", limits=limits)


COMPILES = """
import resource, schemask, signal, sys
from test_limits import conjunction
# A shell that starts this in the background has the signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
limits = {"compile_work": 1 << 50, "alternatives": 1 << 50, "memory_bytes": 1 << 50}
print("begins", flush=True)
try:
    schemask.Grammar.from_json_schema(conjunction(12), limits=limits)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_a_long_call() -> None:
    command = [sys.executable, "-c", COMPILES]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=__file__.rpartition("/")[0]
    ) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "begins\n"
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.5)
            child.send_signal(signal.SIGINT)
            # Its processor time is limited, so this ends.
            assert child.stdout.readline() == "interrupted\n"
        finally:
            child.kill()


def test_what_is_made_once_for_a_process_is_not_lost_with_an_operation() -> None:
    """Some tables are made by whoever needs them first, in a process of its own here."""
    script = """
import schemask
from schemask.core.byte_vocabulary import byte_vocabulary

def reads(text, **limits):
    schema = {"type": "array", "items": {"type": "string", "format": "idn-hostname"}}
    grammar = schemask.Grammar.from_json_schema(schema, limits=limits)
    matcher = grammar.compile(byte_vocabulary()).matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting

for units in (100, 1_000, 10_000):
    try:
        print(reads('["bücher.example"]', accept_work=units))
    except schemask.LimitError:
        print("limit")
print(reads('["bücher.example", "xn--bcher-kva.example"]'), reads('["a..b"]'))
"""
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["limit", "limit", "limit", "True", "False"]
