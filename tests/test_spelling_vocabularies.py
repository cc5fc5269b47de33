"""Vocabularies that cannot spell everything: tokens come only where others finish the text."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemask
from grammars import LETTERS, Rules, grammars
from schemask import Grammar
from strategies import schemas
from test_grammar import SETTINGS, read, within_limits
from test_mask_oracle import mask_of


def vocabulary(*tokens: str | bytes) -> schemask.Vocabulary:
    spelled = [token.encode() if isinstance(token, str) else token for token in tokens]
    return schemask.Vocabulary([*spelled, b""], [len(spelled)])


def tokens_of(matcher: schemask.Matcher, words: schemask.Vocabulary) -> list[int]:
    """The mask, held against trying each token."""
    allowed = np.flatnonzero(mask_of(matcher, words)).tolist()
    for token in range(words.size):
        assert matcher.clone().accept(token) == (token in allowed)
    assert allowed, "a dead end"
    return allowed


EVERYTHING = vocabulary(*(bytes([byte]) for byte in range(256)))
PIECES = st.lists(st.text(LETTERS, min_size=1, max_size=3), min_size=1, max_size=5, unique=True)


@settings(SETTINGS, max_examples=100)
@given(rules=grammars(), pieces=PIECES, budget=st.sampled_from([None, None, 3, 6]))
@within_limits
def test_tokens_lead_to_an_end(rules: Rules, pieces: list[str], budget: int | None) -> None:
    """Every token of a mask does, and each that does within a few more is in it."""
    grammar = read(rules)
    words = vocabulary(*pieces)
    everything = grammar.compile(EVERYTHING)

    def is_valid(text: str) -> bool:
        matcher = everything.matcher()
        return matcher.accept_bytes(text.encode()) and matcher.is_accepting

    def ends_within(text: str, more: int) -> bool:
        counts = range(more + 1)
        rests = (rest for count in counts for rest in itertools.product(pieces, repeat=count))
        return any(is_valid(text + "".join(rest)) for rest in rests)

    try:
        matcher = grammar.compile(words).matcher(budget)
    except (schemask.VocabularyError, schemask.LimitError):
        if budget is None:
            assert not ends_within("", 3)
        return
    text = ""
    for step in range(4):
        allowed = tokens_of(matcher, words)
        ending = matcher.completion()
        assert words.tokenize(ending) is not None and is_valid(text + ending.decode())
        for token, piece in enumerate(pieces):
            if token in allowed:
                follower = matcher.clone()
                assert follower.accept(token)
                assert is_valid(text + piece + follower.completion().decode())
            elif budget is None:
                assert not ends_within(text + piece, 2)
        token = allowed[(step + len(text)) % len(allowed)]
        if token == len(pieces):
            return
        assert matcher.accept(token)
        text += pieces[token]


@settings(SETTINGS, max_examples=100)
@given(
    schema=schemas(),
    missing=st.sets(st.sampled_from('abnrtu01{["\\\\é'), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
)
def test_walks_of_schemas_end(schema: Any, missing: set[str], seed: int) -> None:
    gone = set("".join(missing).encode())
    words = vocabulary(*(bytes([byte]) for byte in range(256) if byte not in gone), b'": "', b"ab")
    try:
        grammar = Grammar.from_json_schema(schema, "compact")
        matcher = grammar.compile(words).matcher()
    except (schemask.SchemaError, schemask.VocabularyError, schemask.LimitError):
        return
    walk = np.random.default_rng(seed)
    text = b""
    for _ in range(12):
        allowed = tokens_of(matcher, words)
        ending = matcher.completion()
        full = grammar.compile(EVERYTHING).matcher()
        assert full.accept_bytes(text + ending) and full.is_accepting
        assert words.tokenize(ending) is not None
        token = int(walk.choice(allowed))
        if token == words.size - 1:
            return
        assert matcher.accept(token)
        text += words.token(token)


# A tokenizer that was trained on text without some characters has no token for a few control
# characters, nor for three bytes with which other characters begin.
UNSEEN = {0x04, 0x06, 0x13, 0x14, 0xC5, 0xF1, 0xF2}
SEEN = [bytes([byte]) for byte in range(256) if byte not in UNSEEN]
TRAINED = vocabulary(
    *SEEN, b"ab", b'": "', "\U00040000", b"\xf2\x80", "a\u0140", b'","', b"\x03\x03"
)
EDGES = "\x03\x04\x05\x13\x14\x15ab\u013f\u0140\u017f\u0180\U0003ffff\U00040000\U000bffff\U000c0000"


@st.composite
def classes(draw: st.DrawFn) -> str:
    """A class of a pattern whose ends lie about what no token spells."""
    ends = draw(
        st.lists(st.tuples(st.sampled_from(EDGES), st.sampled_from(EDGES)), min_size=1, max_size=2)
    )
    ranges = (f"\\u{{{ord(low):x}}}-\\u{{{ord(high):x}}}" for low, high in map(sorted, ends))
    return f"[{draw(st.sampled_from(['', '', '^']))}{''.join(ranges)}]"


PATTERNS = st.recursive(
    classes() | st.sampled_from([".", "a", "b", r"\u{40000}"]),
    lambda inner: (
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}{pair[1]})")
        | st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})")
        | inner.map(lambda pattern: f"(?:{pattern}){{0,2}}")
        | inner.map(lambda pattern: f"(?={pattern}){pattern}")
    ),
    max_leaves=5,
)


@settings(SETTINGS, max_examples=200)
@given(
    pattern=PATTERNS,
    form=st.sampled_from(["text", "string", "key", "constant"]),
    budget=st.sampled_from([None, 12, 24]),
    seed=st.integers(0, 2**32),
)
@within_limits
def test_characters_that_no_token_begins(
    pattern: str, form: str, budget: int | None, seed: int
) -> None:
    """Whether some of them can be left out or must be looked at: no dead ends, nothing is lost."""
    match form:
        case "text":
            grammar = Grammar.from_regex(f"^(?:{pattern})$")
        case "string":
            grammar = Grammar.from_json_schema(
                {"pattern": f"^{pattern}$", "type": "string"}, "compact"
            )
        case "key":
            keys: Any = {
                "patternProperties": {f"^{pattern}$": {"type": "null"}},
                "minProperties": 1,
            }
            schema = {**keys, "type": "object", "additionalProperties": False}
            grammar = Grammar.from_json_schema(schema, "compact")
        case _:
            texts = ["\x04", "\U00040000", "a\u0140", "b"]
            schema = {
                "anyOf": [{"enum": texts}, {"properties": {texts[1]: True}, "minProperties": 1}]
            }
            schema["anyOf"][1]["additionalProperties"] = False
            grammar = Grammar.from_json_schema({**schema, "type": ["string", "object"]}, "compact")
    try:
        matcher = grammar.compile(TRAINED).matcher(budget)
    except (schemask.VocabularyError, schemask.LimitError, schemask.SchemaError):
        return
    everything = grammar.compile(EVERYTHING)
    walk = np.random.default_rng(seed)
    text = b""
    for _ in range(10):
        allowed = tokens_of(matcher, TRAINED)
        ending = matcher.completion()
        spelled = TRAINED.tokenize(ending)
        assert spelled is not None
        full = everything.matcher()
        assert full.accept_bytes(text) and full.clone().accept_bytes(ending)
        if budget is None:
            # What is left out has no end: none that a byte or two more would be.
            for token in set(range(TRAINED.size - 1)) - set(allowed):
                after = full.clone()
                if not after.accept_bytes(TRAINED.token(token)):
                    continue
                assert not any(ends_after(after, more) for more in [b"", *ENDINGS])
        token = int(walk.choice(allowed))
        if token == TRAINED.size - 1:
            return
        assert matcher.accept(token)
        text += TRAINED.token(token)


ENDINGS = [b'"', b'":null}', b"\x03", b"a", b"ab", b'a"', b'\x03"', "\U000c0000".encode()]


def ends_after(matcher: schemask.Matcher, text: bytes) -> bool:
    after = matcher.clone()
    return after.accept_bytes(text) and after.is_accepting


def test_a_vocabulary_can_do_without_characters_that_nothing_tells_apart() -> None:
    for pattern in [r"[^\x00-\x1f]{2}", r"[^a]+", r"(?!.*b)[\s\S]*", r"\p{L}.*"]:
        matcher = Grammar.from_regex(f"^{pattern}$").compile(TRAINED).matcher()
        assert TRAINED.tokenize(matcher.completion()) is not None
        tokens_of(matcher, TRAINED)
    with pytest.raises(schemask.VocabularyError, match="0x04"):
        Grammar.from_regex(r"^[\x04]$").compile(TRAINED)
    with pytest.raises(schemask.VocabularyError, match="0xF2"):
        Grammar.from_json_schema({"const": "\U000bffff"}).compile(TRAINED)
    token = TRAINED.tokenize("\U00040000".encode())
    matcher = Grammar.from_json_schema({"const": "\U00040000"}).compile(TRAINED).matcher()
    assert token is not None and matcher.accept_bytes(b'"') and tokens_of(matcher, TRAINED) == token


def test_a_text_that_nothing_can_spell_is_an_error_of_compiling() -> None:
    with pytest.raises(schemask.VocabularyError, match="no token is `c` alone"):
        Grammar.from_regex("a(c|d)").compile(vocabulary("a", "b"))
    with pytest.raises(schemask.VocabularyError, match="no token is `c` alone"):
        Grammar.from_regex("[ab]*c").compile(vocabulary("a", "b", "ab"))
    with pytest.raises(schemask.VocabularyError, match="0xC3"):
        Grammar.literal("é").compile(vocabulary("e"))
    with pytest.raises(schemask.VocabularyError, match="set of tokens"):
        Grammar.from_gbnf('root ::= "a" !<[0]>').compile(vocabulary("a"))


def test_tokens_that_lead_nowhere_are_refused() -> None:
    words = vocabulary("a", "b", "ab")
    matcher = Grammar.from_regex("a(c|bb)|ac|b").compile(words).matcher()
    assert tokens_of(matcher, words) == [0, 1, 2]
    assert matcher.accept(0) and tokens_of(matcher, words) == [1]
    assert matcher.completion() == b"bb"
    assert not matcher.accept_bytes(b"c") or matcher.is_accepting


def test_tokens_of_several_bytes_spell_what_single_bytes_cannot() -> None:
    words = vocabulary("é", "ok", '"', "x")
    grammar = Grammar.from_json_schema({"enum": ["é", "ok", "éx", "o"]}, "compact")
    matcher = grammar.compile(words).matcher()
    assert tokens_of(matcher, words) == [2]
    assert matcher.accept(2) and tokens_of(matcher, words) == [0, 1]
    assert matcher.forced_tokens() == []
    assert matcher.accept(0) and tokens_of(matcher, words) == [2, 3]


def test_a_text_may_be_given_that_the_vocabulary_cannot_spell() -> None:
    words = vocabulary("a", "b")
    matcher = Grammar.from_regex("c?(a|d)").compile(words).matcher()
    assert matcher.accept_bytes(b"c") and tokens_of(matcher, words) == [0]


def test_budgets_count_what_can_be_spelled() -> None:
    words = vocabulary("a", "b")
    compiled = Grammar.from_regex("a*(c|bb)").compile(words)
    with pytest.raises(schemask.LimitError, match="takes 2 tokens"):
        compiled.matcher(1)
    matcher = compiled.matcher(3)
    assert tokens_of(matcher, words) == [0, 1]
    assert matcher.accept(0) and tokens_of(matcher, words) == [1]
