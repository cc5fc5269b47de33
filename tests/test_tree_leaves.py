"""Values that a tree spells in other ways than JSON: strings with escapes, and literals."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import schemask
from corpus import llama3
from judges import Judges
from schemask import Grammar
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.limits import limits_of
from strategies import schemas
from test_grammar import small_vocabulary
from test_mask_oracle import Walks, check

SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))
QUOTED = {"'": "\\'", "\\": "\\\\", "\n": "\\n"}
# Also the first characters of `FORMATS`, and what patterns tell apart.
CHARACTERS = "ab'\\\n-1é"
VOCABULARY = small_vocabulary(b"\\'", b"\\\\", b"'a", b"a\\", b"\\n'", b"'b\\n", b"--", b"\\u00")


def tree_grammar(start: Any, **rules: Any) -> Grammar:
    text = json.dumps({"start": start, "rules": rules}, ensure_ascii=False)
    return Grammar._of(
        "from_tree", text, "compact", "schema", "plain", True, False, limits_of(None)
    )


def accepts(compiled: schemask.CompiledGrammar, text: str) -> bool:
    matcher = compiled.matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


def is_valid(judges: Judges, value: Any) -> bool:
    verdict = judges.verdict(json.dumps(value))
    assume(verdict is not None)
    return bool(verdict)


def written(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(c, c) for c in text)


def read_back(text: str, escapes: Mapping[str, str]) -> str | None:
    """The string of which a text is written; none if there is none."""
    of = {escape: c for c, escape in escapes.items()}
    pieces = re.findall("|".join(map(re.escape, of)) + "|.", text, re.DOTALL)
    back = "".join(of.get(piece, piece) for piece in pieces)
    return back if written(back, escapes) == text else None


@st.composite
def codes(draw: Any) -> dict[str, str]:
    """Escapes that can be read back."""
    keys = draw(st.lists(st.sampled_from(CHARACTERS), unique=True, min_size=1, max_size=4))
    escapes: dict[str, str] = {}
    for key in keys:
        first = draw(st.sampled_from(keys))
        text = first + draw(st.text("ab'\\nx", max_size=3))
        others = escapes.values()
        if not any(text.startswith(other) or other.startswith(text) for other in others):
            escapes[key] = text
    # A text must begin with a character that is escaped.
    while any(text[0] not in escapes for text in escapes.values()):
        escapes = {key: text for key, text in escapes.items() if text[0] in escapes}
    assume(escapes)
    return escapes


WORDS = ["", "a", "'", "\\", "\n", "a'b", "\\n", "\\'", "ab", "--", "é'", "it's", "2024-02-29"]
LEAVES = st.one_of(
    st.builds(lambda n: {"minLength": n}, st.integers(0, 3)),
    st.builds(lambda n: {"maxLength": n}, st.integers(0, 3)),
    st.builds(lambda words: {"enum": words}, st.lists(st.sampled_from(WORDS), min_size=1)),
    st.builds(
        lambda pattern: {"pattern": pattern},
        st.sampled_from(
            [
                "'",
                "^[^'\\\\]*$",
                "^a",
                "\\n$",
                "^(a'|'b)*$",
                "^.{1,2}$",
                "^(?!a)",
                "\\\\.",
                "(?<!')b",
            ]
        ),
    ),
    st.sampled_from([{"format": "date"}, {"format": "ipv4"}, {}, {"type": ["string", "null"]}]),
)
STRING_SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda schema: {"not": schema}, inner),
        st.builds(
            lambda keyword, parts: {keyword: parts},
            st.sampled_from(["anyOf", "allOf", "oneOf"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda a, b, c: {"if": a, "then": b, "else": c}, inner, inner, inner),
    ),
    max_leaves=5,
)
STRINGS = st.one_of(st.sampled_from(WORDS), st.text(CHARACTERS, max_size=5))


def strings_with(schema: Any, escapes: Mapping[str, str], stops: list[str]) -> Grammar:
    """The grammar of a schema's strings; none are an error that is no failure."""
    try:
        return tree_grammar({"strings": schema, "stops": stops, "escapes": escapes})
    except schemask.GrammarError as error:
        assume("no text satisfies" not in str(error))
        raise
    except schemask.SchemaError as error:
        assume("nothing satisfies" not in str(error))
        raise


def test_the_texts_are_the_valid_strings_with_escapes() -> None:
    verdicts = {True: 0, False: 0}

    @settings(SETTINGS, max_examples=400)
    @given(
        STRING_SCHEMAS,
        codes(),
        st.lists(st.sampled_from(["\\", "'b", "--", "x"]), max_size=2),
        st.lists(STRINGS, min_size=5, max_size=12),
        st.lists(st.text("ab'\\nx-\n", max_size=6), max_size=8),
    )
    def holds(
        schema: Any, escapes: dict[str, str], stops: list[str], strings: list[str], texts: list[str]
    ) -> None:
        judges = Judges(schema)
        compiled = strings_with(schema, escapes, stops).compile(byte_vocabulary())
        for text in [*(written(string, escapes) for string in strings), *texts]:
            string = read_back(text, escapes)
            expected = (
                string is not None
                and not any(stop in text for stop in stops)
                and is_valid(judges, string)
            )
            assert accepts(compiled, text) == expected, (schema, escapes, stops, text)
            verdicts[expected] += 1
        # What a completion ends with is read back as valid, too.
        ending = compiled.matcher().completion().decode()
        back = read_back(ending, escapes)
        assert back is not None and is_valid(judges, back), (schema, escapes, ending)

    holds()
    assert min(verdicts.values()) >= 0.2 * sum(verdicts.values()), verdicts


@settings(SETTINGS, max_examples=80)
@given(STRING_SCHEMAS, codes(), st.sampled_from([[], ["'"], ["\\"]]), st.integers(0, 2**32))
def test_masks_of_strings_with_escapes(
    schema: Any, escapes: dict[str, str], stops: list[str], seed: int
) -> None:
    strings_with(schema, escapes, stops)
    literals = {"literals": {}, "spelled": {"true": "True", "null": "aa"}}
    strings = {"strings": schema, "stops": stops, "escapes": escapes}
    item = {"any": [{"all": ["'", strings, "'"]}, literals]}
    grammar = tree_grammar({"all": ["[", item, {"repeat": {"all": ["-", item]}}, "]"]})
    choose = random.Random(seed)
    matcher = grammar.compile(VOCABULARY).matcher()
    text = b""
    for _ in range(8):
        allowed = np.flatnonzero(check(matcher, VOCABULARY, (str(grammar), text)))
        ended = matcher.clone()
        ending = ended.completion()
        assert ended.accept_bytes(ending) and ended.is_accepting, (str(grammar), text, ending)
        plain = [t for t in allowed if VOCABULARY.token(int(t)).isascii()]
        likely = [t for t in plain if set(VOCABULARY.token(int(t)).decode()) & set("'\\-an")]
        token = int(choose.choice(likely or plain or list(allowed)))
        assert matcher.accept(token)
        if matcher.is_terminated:
            break
        text += VOCABULARY.token(token)


@pytest.mark.parametrize(
    "schema",
    [{}, {"minLength": 3, "maxLength": 40}, {"pattern": "^[^x]*'"}, {"enum": ["it's", "C:\\new"]}],
    ids=str,
)
def test_all_tokens_of_a_real_vocabulary_in_strings_with_escapes(schema: Any) -> None:
    strings = {"strings": {"type": "string", **schema}, "escapes": QUOTED}
    grammar = tree_grammar({"all": ["f(x='", strings, "', n=", {"json": {"type": "integer"}}, ")"]})
    walks = Walks(llama3())
    compiled = grammar.compile(walks.vocabulary)
    choose = random.Random(0)
    assert walks.along(compiled, "f(x='it\\'s', n=12)", 6, choose) == 6
    assert sum(1 for _ in walks.astray(compiled, 6, choose)) >= 3


def test_what_a_quoted_string_may_be() -> None:
    strings = {"strings": {"type": "string", "minLength": 2, "maxLength": 3}, "escapes": QUOTED}
    grammar = tree_grammar({"all": ["'", strings, "'"]})
    compiled = grammar.compile(byte_vocabulary())
    # Lengths count characters of the string, not of the text.
    for text in ["'ab'", r"'\'\\\n'", "'éé'"]:
        assert accepts(compiled, text), text
    for text in ["'a'", r"'\n'", r"'\'\\\n\n'", "'a''", r"'\a'", "'a\n'", r"'ab\'"]:
        assert not accepts(compiled, text), text
    matcher = compiled.matcher()
    assert matcher.accept_bytes(b"'\\")
    assert matcher.completion().decode() in [rf"{c} '" for c in r"'\n"]
    assert str(grammar) == (
        """root ::= "'" %strings({"type":"string","minLength":2,"maxLength":3}, """
        r'''"\n" as "\\n", "'" as "\\'", "\\" as "\\\\") "'"'''
    )
    with pytest.raises(schemask.UnsupportedSchemaError, match="strings without quotes"):
        grammar.to_gbnf()


def test_completions_hold_no_control_characters_without_need() -> None:
    strings = {"strings": {"type": "string", "minLength": 3}, "escapes": QUOTED}
    assert tree_grammar(strings).compile(byte_vocabulary()).matcher().completion() == b"   "


def test_names_with_punycode_take_escapes_of_other_characters() -> None:
    schema = {"type": "string", "format": "idn-hostname"}
    compiled = tree_grammar({"strings": schema, "escapes": QUOTED}).compile(byte_vocabulary())
    assert accepts(compiled, "xn--bcher-kva.example")
    assert not accepts(compiled, "xn--\\'.example")
    with pytest.raises(schemask.UnsupportedSchemaError, match="an escape for 'x'"):
        tree_grammar({"strings": schema, "escapes": {"x": "xx"}})


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        ({"strings": {}, "escapes": {"'": "\\'"}}, "must begin with a character that is escaped"),
        ({"strings": {}, "escapes": {"'": ""}}, "must begin"),
        ({"strings": {}, "escapes": {"'": "''", "\\": "''\\"}}, "begins with the escape"),
        ({"strings": {}, "escapes": {"'": "''", "\\": "''"}}, "begins with the escape"),
        ({"strings": {}, "escapes": {"ab": "a"}}, "not one character"),
        ({"strings": {}, "escapes": {"": "a"}}, "not one character"),
        ({"strings": {}, "escapes": {"'": 1}}, "1 is no text"),
        ({"strings": {}, "escapes": ["'"]}, "no object of texts"),
        ({"literals": {}, "spelled": {"True": "true"}}, '"True" is not null, true or false'),
        ({"literals": {}, "spelled": {"true": ""}}, "the text of true is empty"),
        ({"literals": {}}, "spelled"),
        ({"literals": {}, "spelled": {}}, "no text satisfies %literals"),
    ],
    ids=str,
)
def test_leaves_that_mean_nothing_are_refused(leaf: Any, message: str) -> None:
    with pytest.raises(schemask.GrammarError, match=re.escape(message)):
        tree_grammar(leaf)


SPELLINGS = [
    {"true": "True", "false": "False", "null": "None"},
    {"true": "yes", "false": "no"},
    {"null": "nullptr"},
    {"true": "a", "false": "ab", "null": "b"},
]


def test_the_literals_are_those_that_are_valid() -> None:
    counts = {True: 0, False: 0}

    @settings(SETTINGS, max_examples=100)
    @given(schemas(), st.sampled_from(SPELLINGS))
    def holds(schema: Any, spelled: dict[str, str]) -> None:
        judges = Judges(schema)
        valid = {text for name, text in spelled.items() if is_valid(judges, json.loads(name))}
        leaf = {"literals": schema, "spelled": spelled}
        counts[bool(valid)] += 1
        if not valid:
            with pytest.raises(schemask.Error, match=r"no text satisfies|nothing satisfies"):
                tree_grammar(leaf)
            return
        grammar = tree_grammar({"all": ["x=", leaf, ";"]})
        compiled = grammar.compile(byte_vocabulary())
        texts = [text for spelling in SPELLINGS for text in spelling.values()]
        for text in [*texts, "true", "null", "1", '"a"', ""]:
            assert accepts(compiled, f"x={text};") == (text in valid), (schema, spelled, text)
        again = Grammar.from_gbnf(grammar.to_gbnf()).compile(byte_vocabulary())
        assert {text for text in texts if accepts(again, f"x={text};")} == valid

    holds()
    assert min(counts.values()) >= 0.1 * sum(counts.values()), counts


def test_literals_print_as_what_they_are() -> None:
    schema = {"type": ["boolean", "string"]}
    grammar = tree_grammar({"literals": schema, "spelled": {"true": "True", "null": "None"}})
    expected = '%literals({"type":["boolean","string"]}, true as "True", null as "None")'
    assert str(grammar) == f"root ::= {expected}"
    assert accepts(grammar.compile(byte_vocabulary()), "True")
    assert not accepts(grammar.compile(byte_vocabulary()), "None")


def test_refused_texts_are_explained() -> None:
    strings = {"strings": {"type": "string", "maxLength": 2}, "escapes": QUOTED}
    literals = {"literals": {}, "spelled": {"true": "True"}}
    grammar = tree_grammar({"all": ["'", strings, "' ", literals]})
    for text, kind in [("'abc", "keyword"), ("'a\\x", "rule"), ("'a' true", "rule")]:
        explained = grammar.compile(byte_vocabulary()).matcher().explain_bytes(text.encode())
        assert not explained.allowed and explained.kind == kind, explained
        if kind == "keyword":
            assert "/maxLength" in explained.reason
