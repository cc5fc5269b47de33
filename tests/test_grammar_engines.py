"""Grammars against other engines.

Explained differences, which the tests step around:
- llama.cpp refuses left recursion, and what it takes for it: repetitions of what may be empty.
- llama.cpp reads `[]` as nothing at all, and takes the last of several rules of one name; both are
  errors here.
- llguidance matches terminals greedily: after the terminal /[a-z]+/ no letter can follow. Here a
  grammar stands for all texts that some division into terminals explains.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import schemask
from corpus import llama3
from grammars import LETTERS, Rules, grammars, to_gbnf, to_lark
from schemask import Grammar
from test_grammar import SETTINGS, read, within_limits

llama_cpp = pytest.importorskip("llama_cpp.llama_cpp")


class LlamaGrammar:
    """llama.cpp's own grammar, asked about single letters and the end."""

    def __init__(self, vocabulary: Any, letters: dict[str, int], stop: int) -> None:
        self.vocabulary, self.letters, self.stop = vocabulary, letters, stop

    def start(self, text: str) -> Any:
        """A sampler; `None` if the grammar is refused."""
        return llama_cpp.llama_sampler_init_grammar(self.vocabulary, text.encode(), b"root")

    def allowed(self, sampler: Any) -> set[str]:
        names = {token: letter for letter, token in self.letters.items()} | {self.stop: "end"}
        data = (llama_cpp.llama_token_data * len(names))()
        for entry, token in zip(data, names, strict=True):
            entry.id, entry.logit, entry.p = token, 1.0, 0.0
        array = llama_cpp.llama_token_data_array(data, len(names), -1, False)
        llama_cpp.llama_sampler_apply(sampler, ctypes.byref(array))
        return {names[entry.id] for entry in data if entry.logit > 0}

    def accept(self, sampler: Any, letter: str) -> None:
        llama_cpp.llama_sampler_accept(sampler, self.letters[letter])


@pytest.fixture(scope="module")
def llama_grammar(llama_vocab_only: Any) -> Iterator[LlamaGrammar]:
    model = llama_vocab_only
    letters = {c: model.tokenize(c.encode(), add_bos=False)[-1] for c in (*LETTERS, "d")}
    vocabulary = llama_cpp.llama_model_get_vocab(model.model)
    yield LlamaGrammar(vocabulary, letters, model.token_eos())


@pytest.fixture(scope="module")
def letters() -> schemask.Vocabulary:
    return schemask.Vocabulary([b"a", b"b", b"c", b"d", b""], [4])


def ours(matcher: Any) -> set[str]:
    found = {c for c in (*LETTERS, "d") if matcher.clone().accept_bytes(c.encode())}
    return found | ({"end"} if matcher.is_accepting else set())


@pytest.mark.parametrize("place", ['"{}"', "[{}]", "[^{}]", "[ab{}c]"])
def test_escapes_of_gbnf_are_those_of_llama_cpp(llama_grammar: LlamaGrammar, place: str) -> None:
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
        assert is_read == bool(llama_grammar.start(text)), text


@settings(SETTINGS, max_examples=150)
@given(rules=grammars(), seed=st.integers(0, 2**32))
@within_limits
def test_random_gbnf_against_llama_cpp(
    llama_grammar: LlamaGrammar, letters: schemask.Vocabulary, rules: Rules, seed: int
) -> None:
    grammar = read(rules)
    text = to_gbnf(rules)
    sampler = llama_grammar.start(text)
    # Left recursion, also where what comes before may be empty.
    assume(sampler)
    choose = random.Random(seed)
    try:
        matcher = grammar.compile(letters).matcher()
        for _ in range(8):
            found = ours(matcher)
            assert found == llama_grammar.allowed(sampler), text
            options = sorted(found - {"end"})
            if not options:
                break
            letter = choose.choice(options)
            llama_grammar.accept(sampler, letter)
            assert matcher.accept_bytes(letter.encode())
    finally:
        llama_cpp.llama_sampler_free(sampler)


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
    llama_grammar: LlamaGrammar, letters: schemask.Vocabulary, text: str
) -> None:
    compiled = Grammar.from_gbnf(text).compile(letters)
    for seed in range(30):
        choose = random.Random(seed)
        sampler, matcher = llama_grammar.start(text), compiled.matcher()
        for _ in range(8):
            found = ours(matcher)
            assert found == llama_grammar.allowed(sampler), text
            if not found - {"end"}:
                break
            letter = choose.choice(sorted(found - {"end"}))
            llama_grammar.accept(sampler, letter)
            assert matcher.accept_bytes(letter.encode())
        llama_cpp.llama_sampler_free(sampler)


@pytest.mark.parametrize(
    "text", ['root ::= "a', "root ::= b", "root ::= [a", 'root ::= * "a"', "root ::= ("]
)
def test_what_llama_cpp_refuses_is_refused(llama_grammar: LlamaGrammar, text: str) -> None:
    assert not llama_grammar.start(text)
    with pytest.raises(schemask.GrammarError):
        Grammar.from_gbnf(text)


@pytest.fixture(scope="module")
def lark_matcher() -> Callable[[str], Any]:
    llguidance = pytest.importorskip("llguidance")
    tokens = pytest.importorskip("llguidance.tiktoken")
    llama = llama3()
    tokenizer = tokens.lltokenizer_from_encoding(
        llama.encoding, n_vocab=len(llama.tokens), eos_token=llama.stop_token_ids
    )
    return lambda text: llguidance.LLMatcher(tokenizer, text, log_level=0)


@settings(SETTINGS, max_examples=100)
@given(rules=grammars(), seed=st.integers(0, 2**32))
@within_limits
def test_random_lark_against_llguidance(
    lark_matcher: Callable[[str], Any], letters: schemask.Vocabulary, rules: Rules, seed: int
) -> None:
    read(rules)
    text = to_lark(rules)
    other = lark_matcher(text)
    assume(not other.is_error())
    tokens = llama3().tokens[:256]
    ids = {c: tokens.index(c.encode()) for c in (*LETTERS, "d")}
    matcher = Grammar.from_lark(text).compile(letters).matcher()
    choose = random.Random(seed)
    for _ in range(8):
        found = ours(matcher)
        theirs = {c for c, token in ids.items() if other.validate_tokens([token]) == 1}
        if other.is_accepting():
            theirs.add("end")
        assume(not other.is_error())
        assert found == theirs, text
        if not found - {"end"}:
            break
        letter = choose.choice(sorted(found - {"end"}))
        assert matcher.accept_bytes(letter.encode()) and other.consume_token(ids[letter])
