"""Languages with more states than can be made: within the limits or a LimitError, never wrong."""

import json
import string
from collections.abc import Callable

import numpy as np
import pytest

from schemask import Grammar, LimitError, Limits, Matcher, SchemaError, Vocabulary, allocate_mask

WORDS = [
    "ab",
    "abc",
    " a",
    "foo",
    "foob",
    "--",
    "a-",
    "Passw0rd",
    "x" * 20,
    "a" * 40,
    "é",
    "\n\n",
    "\u2003",
]
TOKENS = [*(bytes([byte]) for byte in range(256)), *(word.encode() for word in WORDS)]
VOCABULARY = Vocabulary([*TOKENS, b""], [len(TOKENS)])


def lookaheads(count: int) -> str:
    return "".join(f"(?=.*{letter})" for letter in string.ascii_lowercase[:count]) + ".*"


def string_schema(**keywords: object) -> str:
    return json.dumps({"type": "string", **keywords})


def allowed(matcher: Matcher) -> set[int]:
    mask = allocate_mask(1, VOCABULARY.size)
    matcher.fill_mask(mask)
    bits = np.unpackbits(mask.view(np.uint8), bitorder="little")[: VOCABULARY.size]
    return set(np.flatnonzero(bits).tolist())


def walk(grammar: Grammar, text: str) -> None:
    """Reads a text; each mask is what trying each token says, each ending is one."""
    matcher = grammar.compile(VOCABULARY).matcher()
    for token in [*VOCABULARY.tokenize(text.encode()), None]:
        found = allowed(matcher)
        tried = {t for t in range(len(TOKENS)) if matcher.clone().accept(t)}
        assert found - {len(TOKENS)} == tried
        ended = matcher.clone()
        assert ended.accept_bytes(matcher.completion())
        assert ended.is_accepting
        if token is None or not matcher.accept(token):
            return


@pytest.mark.parametrize("count", [5, 10, 15, 26])
def test_lookaheads_of_a_password(count: int) -> None:
    grammar = Grammar.from_regex(lookaheads(count))
    assert sorted(grammar.compile(VOCABULARY).matcher().completion().decode()) == list(
        string.ascii_lowercase[:count]
    )
    walk(grammar, "fooab")


@pytest.mark.parametrize(
    ("pattern", "search", "text"),
    [
        (".*a.{30}", False, "abab\u2003aab"),
        ("(.*a.{20}|.*b.{21}|.*c.{22})", False, "abcabc"),
        ("[ab]*a[ab]{20}", False, "ababa"),
        ("a.{20}b", True, "a--ab\n\nab"),
        ("(.*a){30}", False, "xa" * 10),
        (r"(?=\S)a.{3}a.{3}", True, " a-a"),
        ("(?:[^a]|a(?!b))*", False, "xxa-"),
    ],
)
def test_counts_after_any_text(pattern: str, search: bool, text: str) -> None:
    walk(Grammar.from_regex(pattern, search), text)


@pytest.mark.parametrize(
    "schema",
    [
        string_schema(allOf=[{"pattern": f"{letter}.{{10}}"} for letter in "abcd"]),
        string_schema(
            allOf=[{"pattern": p} for p in ("[a-z]", "[A-Z]", r"\d")], minLength=8, maxLength=64
        ),
        string_schema(
            allOf=[{"pattern": "foo"}, {"pattern": r"\s"}],
            **{"not": {"pattern": r"(.|foo)(?=.*\s)-"}},
        ),
        string_schema(
            allOf=[{"pattern": r"(?=\S)a.{3}a.{3}"}],
            **{"not": {"pattern": "[^a][^a]a"}},
            maxLength=200,
        ),
        string_schema(pattern=lookaheads(9)),
        string_schema(**{"not": {"format": "hostname"}}),
    ],
)
def test_strings_of_which_much_is_asked(schema: str) -> None:
    walk(Grammar.from_json_schema(schema), '"a foo-')


@pytest.mark.parametrize(
    "make",
    [
        lambda: Grammar.from_regex(".*a" * 2_000),
        lambda: Grammar.from_regex("." * 90_000),
        lambda: Grammar.from_regex("(" * 60 + "a" + "){0,2}" * 60),
        lambda: Grammar.from_gbnf('root ::= "' + "a" * (1 << 20) + '"'),
        lambda: Grammar.from_gbnf('root ::= "a" #' + "x" * (10 << 20)),
        lambda: Grammar.from_gbnf(
            "root ::= r0\n" + "\n".join(f'r{i} ::= "a" r{i + 1}' for i in range(50_000))
        ),
        lambda: Grammar.from_json_schema(
            string_schema(allOf=[{"pattern": f"{c}.{{10}}"} for c in "abcdefgh"])
        ),
        lambda: Grammar.from_json_schema(
            string_schema(format="date-time", minLength=20, maxLength=40, pattern="a.*b"),
        ),
    ],
)
def test_the_rest_ends_within_the_limits(make: Callable[[], Grammar]) -> None:
    try:
        matcher = make().compile(VOCABULARY).matcher()
        allowed(matcher)
        matcher.completion()
    except LimitError:
        pass
    except ValueError as error:
        # Some have no text at all, or none that is short enough.
        assert (
            "nothing satisfies" in str(error) or "ending" in str(error) or "undefined" in str(error)
        )


@pytest.mark.parametrize(
    "keywords",
    [
        {"format": "time", "minLength": 30, "pattern": "a.{3}b"},
        {"format": "date-time", "minLength": 20, "maxLength": 40, "pattern": "a.*b"},
        {"format": "uuid", "pattern": "^.*z.*$"},
        {"pattern": "^[a-f]{0,300}$", "minLength": 200, "allOf": [{"pattern": "x.{3}b"}]},
    ],
)
def test_what_needs_characters_that_a_format_has_not_is_known_to_be_empty(
    keywords: dict[str, object],
) -> None:
    """Before a text leads there: the search for such a text would not come to an end."""
    with pytest.raises(SchemaError, match="nothing satisfies"):
        Grammar.from_json_schema(string_schema(**keywords))
    either = {"anyOf": [{"type": "string", **keywords}, {"type": "null"}]}
    inside = {"properties": {"a": {"type": "string", **keywords}, "b": {"type": "integer"}}}
    walk(Grammar.from_json_schema(json.dumps(either)), "null")
    for text in ('{"a":"0', '{"a":"2', '{"b":1}'):
        walk(Grammar.from_json_schema(json.dumps({"type": "object", **inside})), text)


def test_keys_of_languages_that_are_hard_to_tell_apart_are_looked_up_within_the_limits() -> None:
    schema = {
        "type": "object",
        "propertyNames": {"format": "regex"},
        "patternProperties": {"b$": {"type": "integer"}, "^\\S*$": True},
    }
    for work in (1_000, 5_000_000):
        limits = Limits(mask_work=work)
        matcher = Grammar.from_json_schema(schema, limits=limits).compile(VOCABULARY).matcher()
        assert matcher.accept_bytes(b'{"')
        if work == 1_000:
            with pytest.raises(LimitError, match="mask_work"):
                allowed(matcher)
        else:
            assert ord("a") in allowed(matcher)


@pytest.mark.parametrize(
    "text", ["faß.de", "www.例え.テスト", "правительство.рф", "xn--mnchen-3ya.de"]
)
def test_international_hostnames_are_written_within_the_limits(text: str) -> None:
    walk(
        Grammar.from_json_schema(string_schema(format="idn-hostname")),
        json.dumps(text, ensure_ascii=False),
    )
