"""Grammars against other engines.

Explained differences, which the tests step around:
- llama.cpp refuses left recursion, and what it takes for it: repetitions of what may be empty.
- llama.cpp reads `[]` as nothing at all, and takes the last of several rules of one name; both are
  errors here.
- llguidance matches terminals greedily: after the terminal /[a-z]+/ no letter can follow. Here a
  grammar stands for all texts that some division into terminals explains.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import schemask
from grammars import Choice, Repeat, Rule, Rules, Sequence, Text, grammars, to_gbnf, to_lark
from oracles import ALPHABET, LLAMA_CPP, LLGUIDANCE, mostly_answered
from schemask import Grammar
from test_grammar import SETTINGS, read, within_limits

# root ::= (r1){2,2}, r1 ::= (((r2 root root)){0,2})*, r2 ::= "c" | "b"
SLOW: Rules = (
    Repeat(Rule(1), 2, 2),
    Repeat(Repeat(Sequence((Rule(2), Rule(0), Rule(0))), 0, 2), 0, None),
    Choice((Text("c"), Text("b"))),
)


@pytest.fixture(scope="module")
def letters() -> schemask.Vocabulary:
    return schemask.Vocabulary([b"a", b"b", b"c", b"d", b""], [4])


def ours(matcher: Any) -> set[str]:
    found = {c for c in ALPHABET if matcher.clone().accept_bytes(c.encode())}
    return found | ({"end"} if matcher.is_accepting else set())


def walk(matcher: Any, choose: random.Random) -> tuple[str, list[set[str]]]:
    """A random text of eight letters at most, and what may come before and after each of them."""
    text, found = "", [ours(matcher)]
    while len(text) < 8 and (options := sorted(found[-1] - {"end"})):
        text += choose.choice(options)
        assert matcher.accept_bytes(text[-1].encode())
        found.append(ours(matcher))
    return text, found


def test_random_gbnf_against_llama_cpp(gguf_path: Path, letters: schemask.Vocabulary) -> None:
    @settings(SETTINGS, max_examples=150)
    @given(rules=grammars(), seed=st.integers(0, 2**32))
    @example(rules=SLOW, seed=0)
    @within_limits
    def compare(rules: Rules, seed: int) -> None:
        matcher = read(rules).compile(letters).matcher()
        text, found = walk(matcher, random.Random(seed))
        outcome = LLAMA_CPP((str(gguf_path), to_gbnf(rules), text))
        # Refused is left recursion, also where what comes before may be empty.
        assume(outcome.result is not None)
        assert found == outcome.result, (to_gbnf(rules), text)

    with mostly_answered(LLAMA_CPP):
        compare()


def test_a_question_that_costs_too_much_has_no_verdict(gguf_path: Path) -> None:
    """llama.cpp reads this in the number of ways in which a text can be divided."""
    with pytest.raises(AssertionError, match="died"), mostly_answered(LLAMA_CPP):
        outcome = LLAMA_CPP((str(gguf_path), to_gbnf(SLOW), "cbcbcbcbcbcbcbcb"))
        assert outcome.failure
        # The next question is answered by a new process.
        [first, second] = LLAMA_CPP((str(gguf_path), 'root ::= "a"', "a")).result
        assert (first, second) == ({"a"}, {"end"})


@pytest.mark.parametrize("place", ['"{}"', "[{}]", "[^{}]", "[ab{}c]"])
def test_escapes_of_gbnf_are_those_of_llama_cpp(gguf_path: Path, place: str) -> None:
    """Older ones know no `\\-`, which nothing here writes."""
    escapes = [chr(code) for code in range(0x20, 0x7F)]
    escapes += ["x41", "x4", "u00e9", "u00e", "U0001F600", "U0001F60", "-", "--", "-\\-"]
    for escape in escapes:
        text = "root ::= " + place.format("\\" + escape)
        try:
            Grammar.from_gbnf(text)
            is_read = True
        except schemask.GrammarError:
            is_read = False
        outcome = LLAMA_CPP((str(gguf_path), text, ""))
        assert not outcome.failure
        assert is_read == (outcome.result is not None), text


@pytest.mark.parametrize(
    "text",
    [
        r'root ::= "\x61" "\u0062" "\U00000063"',
        "root ::= [^b-d] [a\\x62]{1,2} .",
        'root ::= ("a" | # one\n "b")* "c"?\n\n# the end',
        'root ::= x{2,}\nx ::= "a" | "b" y\ny ::= [a-c-]',
        'root ::= "a"{0,2} "b"{2} ("c"{1,})',
        'root ::= a | "b" root "d"\na ::= "a" a | ""',
    ],
)
def test_the_dialect_against_llama_cpp(
    gguf_path: Path, letters: schemask.Vocabulary, text: str
) -> None:
    compiled = Grammar.from_gbnf(text).compile(letters)
    for seed in range(30):
        walked, found = walk(compiled.matcher(), random.Random(seed))
        assert LLAMA_CPP((str(gguf_path), text, walked)).result == found, (text, walked)


@pytest.mark.parametrize(
    "text", ['root ::= "a', "root ::= b", "root ::= [a", 'root ::= * "a"', "root ::= ("]
)
def test_what_llama_cpp_refuses_is_refused(gguf_path: Path, text: str) -> None:
    outcome = LLAMA_CPP((str(gguf_path), text, ""))
    assert not outcome.failure and outcome.result is None
    with pytest.raises(schemask.GrammarError):
        Grammar.from_gbnf(text)


def test_random_lark_against_llguidance(letters: schemask.Vocabulary) -> None:
    pytest.importorskip("llguidance.tiktoken")

    @settings(SETTINGS, max_examples=100)
    @given(rules=grammars(), seed=st.integers(0, 2**32))
    @within_limits
    def compare(rules: Rules, seed: int) -> None:
        read(rules)
        grammar = to_lark(rules)
        text, found = walk(
            Grammar.from_lark(grammar).compile(letters).matcher(), random.Random(seed)
        )
        outcome = LLGUIDANCE((grammar, text))
        assume(outcome.result is not None)
        assert found == outcome.result, (grammar, text)

    with mostly_answered(LLGUIDANCE):
        compare()
