"""Context-free grammars: their front ends against slow readers and other engines."""

from __future__ import annotations

import functools
import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import schemask
from corpus import llama3
from grammars import Reader, Rules, ambiguous_grammars, grammars, productive, to_gbnf, to_lark
from oracles import REGEX
from schemask import Grammar
from schemask.core.byte_vocabulary import byte_vocabulary
from strategies import instances, schemas
from test_mask_oracle import Walks, check, mask_of

SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))
STOP = b"</s>"


def small_vocabulary(*more: bytes) -> schemask.Vocabulary:
    """All bytes, what crosses borders of small grammars, a stop token and a special one."""
    words = [b"ab", b"abc", b"ca", b"bb", b"aaa", b"cab", b"  ", b"1+", b"((", b"))", b'":', b'"}']
    tokens = [bytes([i]) for i in range(256)] + words + list(more) + [b"<|x|>", STOP]
    return schemask.Vocabulary(tokens, [len(tokens) - 1], [len(tokens) - 2])


VOCABULARY = small_vocabulary()


def accepts(grammar: Grammar, text: str | bytes) -> bool:
    matcher = grammar.compile(VOCABULARY).matcher()
    data = text.encode() if isinstance(text, str) else text
    return matcher.accept_bytes(data) and matcher.is_accepting


def begins(grammar: Grammar, text: str) -> bool:
    return grammar.compile(VOCABULARY).matcher().accept_bytes(text.encode())


def within_limits(test: Callable[..., None]) -> Callable[..., None]:
    """A text that can be read in too many ways is an error, and no failure."""

    @functools.wraps(test)
    def checked(*arguments: Any, **named: Any) -> None:
        try:
            test(*arguments, **named)
        except schemask.LimitError as error:
            assert "ways at once" in str(error)

    return checked


def read(rules: Rules) -> Grammar:
    assume(productive(rules) == set(range(len(rules))))
    return Grammar.from_gbnf(to_gbnf(rules))


@settings(SETTINGS, max_examples=80)
@given(grammars())
def test_random_grammars_against_a_slow_reader(rules: Rules) -> None:
    compiled = read(rules).compile(VOCABULARY)
    texts = [""]
    for text in texts:
        reader = Reader(rules, text)
        matcher = compiled.matcher()
        begun = matcher.accept_bytes(text.encode())
        assert begun == reader.is_begun, (to_gbnf(rules), text)
        assert (begun and matcher.is_accepting) == reader.accepts, (to_gbnf(rules), text)
        if begun and len(text) < 5 and len(texts) < 120:
            texts += [text + c for c in "abcd"]


@settings(SETTINGS, max_examples=80)
@given(ambiguous_grammars(), st.integers(0, 2**32))
def test_ambiguous_grammars_against_a_slow_reader(rules: Rules, seed: int) -> None:
    matcher = read(rules).compile(VOCABULARY).matcher()
    choose = random.Random(seed)
    text = ""
    for _ in range(12):
        reader = Reader(rules, text)
        assert matcher.is_accepting == reader.accepts, (to_gbnf(rules), text)
        begun = [c for c in "abc" if Reader(rules, text + c).is_begun]
        mask = mask_of(matcher, VOCABULARY)
        assert [c for c in "abc" if mask[ord(c)]] == begun, (to_gbnf(rules), text)
        if not begun:
            break
        letter = choose.choice(begun)
        assert matcher.accept(ord(letter))
        text += letter


@settings(SETTINGS, max_examples=80)
@given(st.one_of(grammars(), ambiguous_grammars()), st.integers(0, 2**32))
@within_limits
def test_masks_of_random_grammars(rules: Rules, seed: int) -> None:
    grammar = read(rules)
    choose = random.Random(seed)
    matcher = grammar.compile(VOCABULARY).matcher()
    text = b""
    for _ in range(8):
        allowed = np.flatnonzero(check(matcher, VOCABULARY, (to_gbnf(rules), text)))
        ended = matcher.clone()
        ending = ended.completion()
        assert ended.accept_bytes(ending) and ended.is_accepting, (to_gbnf(rules), text, ending)
        if not len(allowed):
            break
        plain = [t for t in allowed if VOCABULARY.token(int(t)).isascii()]
        token = int(choose.choice(plain or list(allowed)))
        assert matcher.accept(token)
        if matcher.is_terminated:
            break
        text += VOCABULARY.token(token)


@settings(SETTINGS, max_examples=100)
@given(grammars(), st.integers(0, 2**32), st.integers(0, 4))
@within_limits
def test_budgets_of_random_grammars(rules: Rules, seed: int, spare: int) -> None:
    compiled = read(rules).compile(VOCABULARY)
    choose = random.Random(seed)
    least = len(VOCABULARY.tokenize(compiled.matcher().completion()))
    budget = least + spare
    matcher = compiled.matcher(max_tokens=budget)
    for _ in range(budget):
        allowed = np.flatnonzero(check(matcher, VOCABULARY, to_gbnf(rules)))
        allowed = [int(t) for t in allowed if t not in VOCABULARY.stop_token_ids]
        if not allowed:
            break
        assert matcher.accept(choose.choice(allowed))
    assert matcher.is_accepting


@settings(SETTINGS, max_examples=60)
@given(grammars(), st.integers(0, 2**32))
@within_limits
def test_one_state_however_a_text_is_split(rules: Rules, seed: int) -> None:
    compiled = read(rules).compile(VOCABULARY)
    choose = random.Random(seed)
    matcher, text = compiled.matcher(), ""
    for _ in range(10):
        options = [c for c in "abcd" if compiled_accepts(matcher, c)]
        if not options:
            break
        text += choose.choice(options)
        assert matcher.accept_bytes(text[-1].encode())
    whole = compiled.matcher()
    assert whole.accept_bytes(text.encode())
    assert (mask_of(whole, VOCABULARY) == mask_of(matcher, VOCABULARY)).all()
    assert whole.completion() == matcher.completion()
    matcher.rollback(len(text))
    assert (mask_of(matcher, VOCABULARY) == mask_of(compiled.matcher(), VOCABULARY)).all()


def compiled_accepts(matcher: Any, text: str) -> bool:
    return matcher.clone().accept_bytes(text.encode())


SEED = r"""
root   ::= object
object ::= "{" space ( member ("," space member)* )? space "}"
member ::= string ":" space value
string ::= "\"" ([^"]*) "\""
value  ::= string | number | object | array | "true" | "false" | "null"
space  ::= " "?
"""
MISSING = """number ::= "-"? [0-9]+ ("." [0-9]+)?
array  ::= "[" space (value ("," space value)*)? space "]"
"""


def test_rules_that_are_not_defined_are_named_with_their_lines() -> None:
    with pytest.raises(schemask.GrammarError) as info:
        Grammar.from_gbnf(SEED)
    assert "`number` (line 6), `array` (line 6)" in str(info.value)
    assert (info.value.line, info.value.column) == (6, 21)
    whole = Grammar.from_gbnf(SEED + MISSING)
    assert accepts(whole, '{"a": [1, -2.5, {"b": null}], "c": "d"}')
    assert not accepts(whole, '{"a": [1, -2.5, {"b": null}], "c": "d"')


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ('root ::= "a', "not closed", 1, 10),
        ("root ::= [a", "not closed", 1, 10),
        ("root ::= []", "empty", 1, 10),
        ("root ::= [z-a]", "ends before", 1, 11),
        ('root ::= "\\q"', "unknown escape, at `\\q", 1, 11),
        ('root ::= "\\u12"', "4 hexadecimal digits", 1, 11),
        ('root ::= "\\U00110000"', "no character", 1, 11),
        ('root ::= "a" {2', "`}`", 1, 16),
        ('root ::= "a" {3,2}', "below", 1, 14),
        ("root ::= * ", "nothing to be repeated", 1, 10),
        ('root ::= ("a"', "`)`", 1, 14),
        ('root ::= "a" )', "no part of it", 1, 14),
        ('root = "a"', "`::=`", 1, 6),
        ('a ::= "x"\nroot ::= a\na ::= "y"', "defined already", 3, 1),
        ('start ::= "a"', "no rule is named `root`", 1, 14),
        ("root ::= a\na ::= a", "unproductive", 1, 1),
        ('root ::= "a" | b\n\nb ::= "c" b', "`b` (line 3, column 1)", 3, 1),
        ("root ::= <[3", "`]>`", 1, 13),
        ("root ::= !a", "a token is missing", 1, 11),
        (r'root ::= "\uD800"', "no character", 1, 11),
        (r"root ::= [\U00110000]", "no character", 1, 11),
        (r"root ::= [\uD800-\uDFFF]", "no character", 1, 10),
    ],
)
def test_errors_of_gbnf_say_where(text: str, message: str, line: int, column: int) -> None:
    with pytest.raises(schemask.GrammarError) as info:
        Grammar.from_gbnf(text)
    assert message in str(info.value)
    assert (info.value.line, info.value.column) == (line, column)


# Left recursion behind what may be empty, and through several rules.
HIDDEN = 'root ::= a\na ::= b? a "x" | "y"\nb ::= "z"?'
INDIRECT = 'root ::= a\na ::= b "1" | "2"\nb ::= c "3" | a "4"\nc ::= a "5" | b "6" | "7"'


@pytest.mark.parametrize(
    ("text", "valid", "invalid"),
    [
        (r'root ::= "\x41\u00e9\U0001F600\t\r\n\\\"\[\]"', ['Aé😀\t\r\n\\"[]'], ["A"]),
        ("root ::= .", ["a", "\n", "😀"], ["", "ab"]),
        ("root ::= [^a-c\\]]", ["d", "[", "é"], ["a", "]"]),
        ("root ::= [a-]", ["a", "-"], ["b"]),
        (r"root ::= [A-Z_\-]+", ["A", "-", "_-A"], ["\\", "a", ""]),
        (r'root ::= "a\-b" [a\-c]', ["a-bc", "a-b-"], ["a-bb", "ab"]),
        (r"root ::= [\uD800-\uE000]", ["\ue000"], ["a"]),
        (r"root ::= [^\uD800-\uDFFF]", ["a", "\ue000"], [""]),
        ('root ::= | "a"', ["", "a"], ["aa"]),
        ('root ::= "a" |', ["", "a"], ["aa"]),
        ('root ::= ( | "a" | ) "b"', ["b", "ab"], ["a", ""]),
        ('root ::= "a"{2} "b"{1,} "c"{0,2}', ["aab", "aabbbcc"], ["ab", "aaccc", "aabccc"]),
        ('# first\nroot ::= "a" # more\n  | \n# between\n"b"\n', None, None),
        ('root ::= ("a" |\n\n "b")\n', ["a", "b"], ["ab"]),
        ("root ::= x\nx ::= x x | [ab]", ["a", "abab"], ["", "c"]),
        ('root ::= "a" root | ""', ["", "aaa"], ["b"]),
        (HIDDEN, ["y", "yxx", "zyx", "zzyxx"], ["x", "z", "zyz"]),
        (INDIRECT, ["2", "731", "2531", "73631", "241"], ["1", "24"]),
    ],
)  # fmt: skip
def test_the_dialect_of_gbnf(text: str, valid: list[str] | None, invalid: list[str] | None) -> None:
    if valid is None or invalid is None:
        # A line begins with an alternative only inside parentheses.
        with pytest.raises(schemask.GrammarError):
            Grammar.from_gbnf(text)
        return
    grammar = Grammar.from_gbnf(text)
    for one in valid:
        assert accepts(grammar, one), one
    for one in invalid:
        assert not accepts(grammar, one), one


def test_any_rule_can_be_the_root() -> None:
    text = 'root ::= "a" other\nother ::= "b" | "c" other'
    grammar = Grammar.from_gbnf(text, root="other")
    assert accepts(grammar, "ccb") and not accepts(grammar, "ab")


def test_tokens_are_matched_by_their_ids() -> None:
    special = VOCABULARY.size - 2
    for text in (f"root ::= <[{special}]> [a]", "root ::= <|x|> [a]"):
        compiled = Grammar.from_gbnf(text).compile(VOCABULARY)
        matcher = compiled.matcher()
        check(matcher, VOCABULARY, text)
        assert list(np.flatnonzero(mask_of(matcher, VOCABULARY))) == [special]
        assert not matcher.accept_bytes(b"<|x|>")
        assert matcher.completion() == b"<|x|>a"
        assert matcher.accept(special) and matcher.accept_bytes(b"a") and matcher.is_accepting
        matcher.rollback(2)
        budget = compiled.matcher(max_tokens=2)
        assert list(np.flatnonzero(mask_of(budget, VOCABULARY))) == [special]
        with pytest.raises(schemask.LimitError):
            compiled.matcher(max_tokens=1)


def test_negated_and_plain_tokens() -> None:
    a, stop = ord("a"), VOCABULARY.size - 1
    compiled = Grammar.from_gbnf(f'root ::= !<[{a}]> "b" | "a" "c"').compile(VOCABULARY)
    matcher = compiled.matcher()
    allowed = check(matcher, VOCABULARY, "negated")
    # By its text `a` is fine, and so is what is no text at all.
    assert allowed.sum() == VOCABULARY.size - 1 and not allowed[stop]
    assert matcher.accept(VOCABULARY.size - 2) and matcher.accept(ord("b"))
    both = Grammar.from_gbnf(f'root ::= <[{a}]> "b" | "a" "c"').compile(VOCABULARY).matcher()
    assert both.accept(a)
    assert list(np.flatnonzero(check(both, VOCABULARY, "both"))) == [ord("b"), ord("c")]


def test_a_stop_token_that_a_grammar_names_ends_the_text() -> None:
    stop = VOCABULARY.size - 1
    matcher = Grammar.from_gbnf('root ::= "a" </s>').compile(VOCABULARY).matcher()
    assert matcher.accept(ord("a")) and not matcher.is_accepting
    assert list(np.flatnonzero(mask_of(matcher, VOCABULARY))) == [stop]
    assert matcher.accept(stop) and matcher.is_terminated


def test_unknown_tokens_are_errors_of_the_vocabulary() -> None:
    for text in ("root ::= <nothing>", "root ::= <[100000]>"):
        with pytest.raises(schemask.VocabularyError):
            Grammar.from_gbnf(text).compile(VOCABULARY)


def test_grammars_combine() -> None:
    number = Grammar.from_regex("[0-9]+")
    person = Grammar.from_json_schema({"type": "object", "required": ["a"]}, whitespace="compact")
    call = "<t>" + person + "</t>"
    turn = Grammar.free_text("<t>", inclusive=False) + call.repeat(1, 2) + ("!" | number).optional()
    assert accepts(turn, 'text <t>{"a":1}</t><t>{"a":{}}</t>42')
    assert accepts(turn, '<t>{"a":1}</t>!')
    assert not accepts(turn, '<t>{"b":1}</t>') and not accepts(turn, "text")
    nested = ("(" + Grammar.reference("nested") + ")").optional()
    grammar = Grammar.reference("nested").define(nested=nested)
    assert accepts(grammar, "((()))") and not accepts(grammar, "((())")
    assert str(grammar) == 'root ::= nested\nnested ::= ("(" nested ")")?'
    even = Grammar.reference("even").define(
        even="a" + Grammar.reference("odd") | "", odd="a" + Grammar.reference("even")
    )
    assert accepts(even, "aaaa") and not accepts(even, "aaa")


def test_what_cannot_be_combined() -> None:
    with pytest.raises(schemask.GrammarError, match="undefined"):
        Grammar.reference("nowhere").compile(VOCABULARY)
    with pytest.raises(schemask.GrammarError, match="nothing refers"):
        Grammar.literal("a").define(b="c")
    with pytest.raises(schemask.GrammarError, match="below"):
        Grammar.literal("a").repeat(3, 2)
    with pytest.raises(schemask.GrammarError):
        Grammar.literal("a").repeat(-1)
    with pytest.raises(schemask.GrammarError, match="whitespace"):
        Grammar.from_json_schema(True, whitespace="compact") + Grammar.from_json_schema(True)
    with pytest.raises(schemask.GrammarError):
        Grammar.free_text("")


@settings(SETTINGS, max_examples=60)
@given(st.integers(0, 2**32))
def test_masks_of_json_inside_grammars(seed: int) -> None:
    choose = random.Random(seed)
    schema: Any = choose.choice(
        [{"type": "integer"}, {"type": "string", "pattern": "^a*$"}, {"enum": [1, 10, "ab", None]},
         {"type": "object", "properties": {"a": {"type": "number"}}, "additionalProperties": False}]
    )  # fmt: skip
    json = Grammar.from_json_schema(schema, whitespace="compact")
    around = choose.choice(
        [json + Grammar.from_regex("[0-9ab]*"), "a" + json | json + "1", (json + ",").repeat(0, 3),
         Grammar.free_text("{", inclusive=False) + json.optional() + Grammar.token("<|x|>")]
    )  # fmt: skip
    matcher, text = around.compile(VOCABULARY).matcher(), b""
    for _ in range(7):
        allowed = np.flatnonzero(check(matcher, VOCABULARY, (str(around), text)))
        ended = matcher.clone()
        ending = ended.completion()
        if not ending.endswith(b"<|x|>"):
            assert ended.accept_bytes(ending) and ended.is_accepting
        token = int(choose.choice(allowed))
        assert matcher.accept(token)
        if matcher.is_terminated:
            break
        text += VOCABULARY.token(token)


REGEXES = [
    "a*b+",
    "(ab|ba)*c?",
    "[^a]{2,4}",
    "(a|b)*a(a|b){3}",
    "a(?=b)[a-c]*",
    "(?!ab)[abc]+",
    "",
    "(a?b?c?){2}",
]


@pytest.mark.parametrize("pattern", REGEXES)
def test_regular_expressions_against_another_engine(pattern: str) -> None:
    pytest.importorskip("regex")
    whole, search = Grammar.from_regex(pattern), Grammar.from_regex(pattern, search=True)
    texts = ["".join(t) for length in range(5) for t in itertools.product("abc", repeat=length)]
    answers = REGEX((pattern, texts)).result
    for text, (is_whole, is_found, is_begun) in zip(texts, answers, strict=True):
        assert accepts(whole, text) == is_whole, text
        assert accepts(search, text) == is_found, text
        if "(?" not in pattern:
            assert begins(whole, text) == is_begun, text


def test_patterns_that_match_nothing_are_errors() -> None:
    with pytest.raises(schemask.GrammarError, match="no text satisfies"):
        Grammar.from_regex("a(?!b)b")
    with pytest.raises(schemask.GrammarError) as info:
        Grammar.from_regex("a(b")
    assert info.value.line == 1


OBJECT = {
    "type": "object",
    "properties": {
        "a": {"type": "integer", "minimum": 3},
        "b": {"pattern": "^x+$", "type": "string"},
    },
    "required": ["a"],
    "additionalProperties": False,
}


PAIRS = [(comma, colon) for comma in (",", ", ") for colon in (":", ": ")]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text("ab,: ", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:, ", max_size=3), inner)
    ),
    max_leaves=8,
)


@SETTINGS
@given(JSON_VALUES, st.sampled_from(PAIRS))
def test_separators_are_those_of_json_dumps(value: Any, separators: tuple[str, str]) -> None:
    compiled = Grammar.from_json_schema({}, whitespace=separators).compile(VOCABULARY)
    wanted = json.dumps(value, ensure_ascii=False, separators=separators).encode()
    for others in PAIRS:
        text = json.dumps(value, ensure_ascii=False, separators=others).encode()
        matcher = compiled.matcher()
        is_taken = matcher.accept_bytes(text) and matcher.is_accepting
        assert is_taken == (text == wanted)
    matcher = compiled.matcher()
    for byte in wanted:
        ending = matcher.clone()
        assert ending.accept_bytes(ending.completion()) and ending.is_accepting
        assert matcher.accept(byte)
    assert matcher.is_accepting


@pytest.mark.parametrize("separators", PAIRS)
def test_the_shortest_text_has_the_separators(separators: tuple[str, str]) -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"enum": [1]}, "minItems": 3},
            "b": {"const": {"c": 2}},
        },
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    grammar = Grammar.from_json_schema(schema, whitespace=separators)
    compiled = grammar.compile(byte_vocabulary())
    shortest = compiled.matcher().completion()
    value = json.loads(shortest)
    assert shortest == json.dumps(value, separators=separators).encode()
    compiled.matcher(max_tokens=len(shortest))
    with pytest.raises(schemask.LimitError):
        compiled.matcher(max_tokens=len(shortest) - 1)
    gbnf = Grammar.from_gbnf(grammar.to_gbnf()).compile(byte_vocabulary()).matcher()
    assert gbnf.accept_bytes(shortest) and gbnf.is_accepting
    refused = compiled.matcher().explain_bytes(b'{ "a"')
    assert refused.options == ["whitespace"]


def test_separators_that_are_none() -> None:
    for pair in ((",", " : "), (",",), ("", ":"), (",", ":", ","), 7, [",", 5]):
        with pytest.raises(schemask.GrammarError, match="separators"):
            Grammar.from_json_schema({}, whitespace=pair)  # type: ignore[arg-type]


@pytest.mark.parametrize("whitespace", ["flexible", "compact", "spaced", *PAIRS])
def test_schemas_in_gbnf(whitespace: Any) -> None:
    schema = {"type": "array", "items": {"anyOf": [OBJECT, {"enum": ["é\n", None]}]}, "maxItems": 2}
    grammar = Grammar.from_json_schema(schema, whitespace=whitespace)
    again = Grammar.from_gbnf(grammar.to_gbnf())
    for value in (
        [],
        [None],
        ["é\n", {"a": 17}],
        [{"a": 3, "b": "xx"}],
        [1],
        [{"a": 2.5}],
        [None] * 3,
    ):
        for text in (
            json.dumps(value, ensure_ascii=False),
            json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        ):
            assert accepts(grammar, text) == accepts(again, text), text


def test_what_gbnf_cannot_say() -> None:
    for schema in (
        {"type": "object"},
        {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        {"patternProperties": {"^a": True}, "additionalProperties": False},
        {"contains": {"const": 5}},
        {"type": "array", "contains": {"type": "string"}, "minContains": 0, "maxContains": 1},
        {
            "type": "object",
            "properties": {"tags": {"type": "array", "contains": {"const": "x"}}},
            "additionalProperties": False,
        },
    ):
        with pytest.raises(schemask.UnsupportedSchemaError, match="GBNF cannot say"):
            Grammar.from_json_schema(schema).to_gbnf()


@settings(SETTINGS, max_examples=100)
@given(data=st.data(), schema=schemas(), whitespace=st.sampled_from(["flexible", "spaced"]))
def test_random_schemas_in_gbnf(data: st.DataObject, schema: Any, whitespace: Any) -> None:
    """What comes out allows nothing else, and the plain spelling of every value."""
    try:
        grammar = Grammar.from_json_schema(schema, whitespace)
    except schemask.SchemaError:
        return
    try:
        again = Grammar.from_gbnf(grammar.to_gbnf())
    except (schemask.UnsupportedSchemaError, schemask.LimitError):
        return
    for _ in range(6):
        value = plainly(data.draw(instances(schema)))
        text = json.dumps(value, ensure_ascii=False)
        assert accepts(again, text) == accepts(grammar, text), text
    text = again.compile(VOCABULARY).matcher().completion()
    assert accepts(grammar, text), text


def plainly(value: Any) -> Any:
    """The same value with whole numbers as integers."""
    if isinstance(value, dict):
        return {key: plainly(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plainly(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_grammars_in_gbnf() -> None:
    text = Grammar.from_regex("a+b?") + ("," + Grammar.from_json_schema(OBJECT)).repeat(0, 2)
    again = Grammar.from_gbnf(text.to_gbnf())
    for one in ("aab", 'a,{"a":5}', "b", 'ab,{"a": 3},{"a":4,"b":"x"}', 'a,{"a":2}'):
        assert accepts(text, one) == accepts(again, one), one


def test_free_text() -> None:
    until = Grammar.free_text("</a>", "stop")
    assert (
        accepts(until, "x </a") is False and accepts(until, "x < </a>") and accepts(until, "stop")
    )
    assert not accepts(until, "stop </a>")
    without = Grammar.free_text("</a>", inclusive=False)
    assert accepts(without, "") and accepts(without, "</a") and not accepts(without, "</a>")
    assert accepts(Grammar.free_text(inclusive=False), "any text: é 😀")


def chain(first: str, rule: Callable[[int], str], count: int) -> str:
    rules = "\n".join(f"r{i} ::= {rule(i)}" for i in range(1, count + 1))
    return f"root ::= r{count}\nr0 ::= {first}\n{rules}"


SUM = 'root ::= root "+" root | root "*" root | "(" root ")" | [0-9]+'
LINES = r"""
root ::= (e ";")+
e    ::= e ("+" | "-" | "*" | "/" | "<" | "==" | "=" | ",") e | [-!&*] e | e ("++" | "--") |
         e "(" e? ")" | e "[" e "]" | e ("." | "->") name | e "?" e ":" e |
         "(" e ")" | name | [0-9]+
name ::= [a-z_]+
"""
IF = 'root ::= s+\ns ::= "if(" name ")" s ("else " s)? | "{" s* "}" | name ";"\nname ::= [a-z]+'
SPLIT = 'root ::= l r\nl ::= "a" l "b" | "a" l | ""\nr ::= "b" r | ""'
COUNTS = 'root ::= x | y\nx ::= "(" x ")" | "a"\ny ::= "(" y ")" | "a" ";"'
AMBIGUOUS = {
    "sums": (SUM, "1+2*(3+4)*50+((6))+" * 600, "7"),
    "nested sums": (SUM, "1+(" * 3_000 + "2", ")" * 3_000),
    "expressions": (LINES, "a=b+-c*d(x,y+1)[3].z?q--:!w->r;" * 350, ""),
    "dangling else": (IF, "if(a)" * 1_500 + "x;" + "else x;" * 1_000, ""),
    "lists": ('root ::= root root | "a"', "a" * 10_000, ""),
    "longer lists": ('root ::= root root root | root root | "a"', "a" * 10_000, ""),
    "empty lists": ('root ::= root root | "a" | ""', "a" * 10_000, ""),
    "stars": ('root ::= (root "a" root)*', "a" * 10_000, ""),
    "nested stars": ('root ::= ("a" | "b" | "ab" | "(" root ")")*', "ab(a(bab)ab)" * 900, ""),
    "middles": ('root ::= "a" root "a" | "a"', "a" * 10_000, "a"),
    "split": (SPLIT, "a" * 6_000, "b" * 7_000),
    "two counts": (COUNTS, "(" * 5_000, "a;"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_readings_do_not_multiply(name: str) -> None:
    source, text, ending = AMBIGUOUS[name]
    matcher = Grammar.from_gbnf(source).compile(VOCABULARY).matcher()
    choose = random.Random(0)
    for at, byte in enumerate(text.encode()):
        if choose.random() < 0.002:
            check(matcher, VOCABULARY, (name, text[max(0, at - 20) : at]))
            assert matcher.clone().accept_bytes(matcher.completion())
        assert mask_of(matcher, VOCABULARY)[byte] and matcher.accept(byte), at
    assert not matcher.accept(ord("$"))
    matcher.rollback(len(text) // 2)
    assert matcher.accept_bytes(text[len(text) - len(text) // 2 :].encode())
    assert matcher.accept_bytes(ending.encode())
    assert matcher.accept_bytes(matcher.completion()) and matcher.is_accepting


def test_too_many_readings_are_an_error_between_tokens() -> None:
    # Of each letter it may be that the count begins there.
    grammar = Grammar.from_gbnf('root ::= "a" root "b" | "a"{0,999} "c"')
    matcher = grammar.compile(VOCABULARY).matcher()
    with pytest.raises(schemask.LimitError, match="ways at once"):
        for _ in range(999):
            for token in np.flatnonzero(mask_of(matcher, VOCABULARY)):
                assert matcher.clone().accept(int(token))
            assert matcher.accept(ord("a"))
    assert matcher.token_count > 200
    for go_on in (lambda: matcher.accept(ord("a")), lambda: matcher.accept_bytes(b"c")):
        with pytest.raises(schemask.LimitError, match="ways at once"):
            go_on()
    matcher.rollback(1)
    mask_of(matcher, VOCABULARY)


HOSTILE = {
    "doubling": chain("[ab]", lambda i: f"r{i - 1} r{i - 1}", 30),
    "chain": chain("[ab]", lambda i: f'r{i - 1} | "b"', 5000),
    "left chain": chain("[ab]", lambda i: f'r{i} "x" | r{i - 1}', 300),
    "circle": chain('r100 "x" | "a"', lambda i: f'r{i - 1} "x" | "a"', 100),
    "long words": "root ::= " + " | ".join(f'"a{i}"' for i in range(20_000)),
    "long sequence": "root ::= " + " ".join('"a"?' for _ in range(2_000)),
    "count": 'root ::= ("a" | "b"){1000000}',
    "counts": 'root ::= (("a"{1,1000}){1,1000} "b"?){1,1000}',
    "far back": 'root ::= [ab]* "a" [ab]{400}',
    "deep": "root ::= " + "(" * 2000 + '"a"' + ")" * 2000,
    "palindromes": 'root ::= "a" root "a" | "b" root "b" | ""',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_grammars_stay_within_bounds(name: str) -> None:
    try:
        compiled = Grammar.from_gbnf(HOSTILE[name]).compile(VOCABULARY)
        matcher = compiled.matcher()
        for token in b"ab" * 60:
            mask_of(matcher, VOCABULARY)
            if not matcher.accept(token) and not matcher.accept(ord("a")):
                break
        matcher.completion()
    except schemask.LimitError:
        pass


def test_lark() -> None:
    grammar = Grammar.from_lark(
        r"""
        // A language of assignments.
        ?start: statement+
        statement: "let" NAME "=" expr ";"   -> assign
                 | "print" expr ";"
        expr: expr "+" term | term
        term: NUMBER | NAME | "(" expr ")" | %json {"type": "boolean"}
        NAME: /[a-z_]\w*/i & ~/let|print/
        %import common.NUMBER
        %import common (WS, SH_COMMENT)
        %ignore WS
        %ignore SH_COMMENT
        """
    )
    assert accepts(grammar, "let x = 1 + (y+2.5e3); # more\nprint X;")
    assert accepts(grammar, " let x=true;")
    assert not accepts(grammar, "let let = 1;") and not accepts(grammar, "let x = 1")


@pytest.mark.parametrize(
    ("text", "valid", "invalid"),
    [
        ('start: | "a" | "b"', ["", "a", "b"], ["ab"]),
        ('start:\n   | "a"\n   | "b"', ["", "a", "b"], ["ab"]),
        ('start: "a" |', ["", "a"], ["b"]),
        ('start: "a"\n  |', ["", "a"], ["b"]),
        ('start: "a" | | "b"', ["", "a", "b"], ["ab"]),
        ('start: ( | "a") "b"', ["b", "ab"], ["", "a"]),
        ('start: ("a" | ) "b"', ["b", "ab"], ["", "a"]),
        ('start: (\n | "a"\n | "c") "b"', ["b", "ab", "cb"], ["", "a"]),
        ('start: [ | "a"] "b"', ["b", "ab"], ["", "a"]),
        ('start: (|) "b" ()', ["b"], ["", "a"]),
        ('start: "x" (|"a")+ "y"', ["xy", "xay", "xaay"], ["x", "xx"]),
        ('start: A "b"\nA: "x" ( | "a")', ["xb", "xab"], ["b", "ab"]),
        ('start: -> nothing\n   | "a"', ["", "a"], ["b"]),
        ("start:", [""], ["a"]),
    ],
)
def test_empty_alternatives_of_lark(text: str, valid: list[str], invalid: list[str]) -> None:
    """As Lark itself reads them, wherever they stand."""
    grammar = Grammar.from_lark(text)
    for one in valid:
        assert accepts(grammar, one), one
    for one in invalid:
        assert not accepts(grammar, one), one


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("start: A\nA.2: /a/", "priorities", 2),
        ('start: x{"a"}\nx{y}: y', "templates", 1),
        ("start: A b\nA: /a/", "`b` (line 1, column 10)", 1),
        ("start: /a(?=b)/", "lookarounds", 1),
        ("start: /a/x", "flag", 1),
        ("%import python.NAME\nstart: NAME", "common", 1),
        ("%import common.NOTHING\nstart: NOTHING", "no terminal", 1),
        ("%declare A\nstart: A", "%declare", 1),
        ("start: A & B", "terminals only", 1),
        ("start: A\nA: b\nb: /c/", "terminals, not of rules", 2),
        ("start: %json {", "not JSON", 1),
        ('start: "a', "not closed", 1),
        ("start: \"b\"..\"a\"", "range", 1),
        # What an intersection is made of is not empty, but the intersection is.
        ("start: A\nA: /a/ & /b/", "no text satisfies", 1),
        ('start: "x" | A\nA: /./ &', "no text satisfies", 2),
        ('start: "x" | A\nA: ~/[^]*/', "no text satisfies", 2),
    ],
)  # fmt: skip
def test_errors_of_lark_say_where(text: str, message: str, line: int) -> None:
    with pytest.raises(schemask.GrammarError) as info:
        Grammar.from_lark(text)
    assert message in str(info.value)
    assert info.value.line == line


@settings(SETTINGS, max_examples=60)
@given(grammars())
def test_lark_and_gbnf_are_one(rules: Rules) -> None:
    gbnf, lark = read(rules), Grammar.from_lark(to_lark(rules))
    for length in range(4):
        for letters in itertools.product("abc", repeat=length):
            text = "".join(letters)
            assert accepts(gbnf, text) == accepts(lark, text), (to_lark(rules), text)


EXAMPLES = Path(__file__).parents[1] / "examples" / "grammars"


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.gbnf")))
def test_examples(name: str) -> None:
    grammar = Grammar.from_gbnf((EXAMPLES / f"{name}.gbnf").read_text(encoding="utf-8"))
    text = (EXAMPLES / "texts" / f"{name}.txt").read_text(encoding="utf-8")
    assert accepts(grammar, text)
    assert str(Grammar.from_gbnf(str(grammar))) == str(grammar)
    matcher = grammar.compile(VOCABULARY).matcher()
    choose = random.Random(0)
    at = 0
    data = text.encode()
    while at < min(len(data), 300):
        if choose.random() < 0.15:
            check(matcher, VOCABULARY, data[:at])
        assert matcher.accept(data[at])
        at += 1


WORDS = r"""
root ::= w+
w    ::= [a-zé]+ "_t" | [a-zé]+ ("(" root? ")" | " " w)? | "it" | "\"" ([^"\\] | "\\" .)* "\""
"""
REAL = {path.stem: path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.gbnf"))}
REAL_TEXTS = {
    name: (EXAMPLES / "texts" / f"{name}.txt").read_text(encoding="utf-8") for name in REAL
}
REAL |= {"expressions": LINES, "words": WORDS}
REAL_TEXTS |= {
    "expressions": "a=b+-c*dd(x,y+1)[3].zeta?q--:!w->r;" * 3,
    "words": 'foo_tbar(baz)the_tfoo it xéé"yes \\" no é"it it',
}


@pytest.fixture(scope="module")
def walks() -> Walks:
    return Walks(llama3())


@pytest.mark.parametrize("name", REAL)
def test_masks_of_a_real_vocabulary(walks: Walks, name: str) -> None:
    compiled = Grammar.from_gbnf(REAL[name]).compile(walks.vocabulary)
    walks.along(compiled, REAL_TEXTS[name], 12, random.Random(0))


SURROGATE = "a\n  b\ud800"


@pytest.mark.parametrize(
    "made",
    [
        Grammar.from_gbnf,
        lambda text: Grammar.from_gbnf('root ::= "a"', text),
        Grammar.from_lark,
        Grammar.from_regex,
        Grammar.from_json_schema,
        lambda text: Grammar.from_json_schema({}, whitespace=text),
        lambda text: Grammar.from_json_schema({}, resources={text: {}}),
        Grammar.literal,
        Grammar.token,
        Grammar.reference,
        Grammar.free_text,
        lambda text: Grammar.literal("a") + text,
        lambda text: Grammar.reference("a").define(**{text: "b"}),
    ],
)
def test_lone_surrogates_are_errors_with_their_place(made: Callable[[str], Grammar]) -> None:
    with pytest.raises(schemask.errors.Error, match="lone surrogate") as info:
        made(SURROGATE)
    assert (info.value.line, info.value.column) == (2, 4)


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ("\ud800", None),
        ({"enum": ["a", "\udfff"]}, "/enum/1"),
        ({"properties": {"a/b": {"description": "\ud800x"}}}, "/properties/a~1b/description"),
        ({"properties": {"\ud83d": True}}, "/properties/\\ud83d"),
    ],
)
def test_lone_surrogates_in_schemas_are_pointed_at(schema: Any, pointer: str | None) -> None:
    with pytest.raises(schemask.SchemaError, match="lone surrogate") as info:
        Grammar.from_json_schema(schema)
    assert info.value.pointer == pointer


def test_pairs_of_surrogates_are_characters() -> None:
    grammar = Grammar.from_json_schema({"enum": ["\U0001f600"]})
    assert accepts(grammar, '"\U0001f600"')
