"""Masks against the slow oracle: a token is allowed exactly if a clone of the matcher takes it."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import schemask
from corpus import Entry, Llama3, llama3, maskbench, maskbench_file
from maskbench import vocabulary_of
from strategies import open_objects, schemas
from strategies.words import KEYS, WORDS

GROUPS = {
    path.stem: [case for case in json.loads(path.read_text(encoding="utf-8")) if "valid" in case]
    for path in sorted((Path(__file__).parent / "cases").glob("*.json"))
}
GROUPS = {name: cases for name, cases in GROUPS.items() if cases}
CASES = [case for cases in GROUPS.values() for case in cases]
SPELLINGS = ["plain", "any"]


def mask_of(matcher: schemask.Matcher, vocabulary: schemask.Vocabulary) -> np.ndarray:
    """One bool per token."""
    bitmask = np.full((vocabulary.size + 31) // 32, -1, dtype=np.int32)
    matcher.fill_mask(bitmask)
    bits = np.unpackbits(bitmask.view(np.uint8), bitorder="little").astype(bool)
    assert not bits[vocabulary.size :].any(), "a bit beyond the vocabulary"
    return bits[: vocabulary.size]


def oracle(matcher: schemask.Matcher, vocabulary: schemask.Vocabulary) -> np.ndarray:
    """One bool per token, by trying each."""
    clone = matcher.clone()
    allowed = np.zeros(vocabulary.size, dtype=bool)
    for token in range(vocabulary.size):
        if clone.accept(token):
            clone.rollback(1)
            allowed[token] = True
    return allowed


def check(matcher: schemask.Matcher, vocabulary: schemask.Vocabulary, where: object) -> np.ndarray:
    mask = mask_of(matcher, vocabulary)
    differing = np.flatnonzero(mask != oracle(matcher, vocabulary))
    if len(differing):
        tokens = [(int(t), vocabulary.token(int(t)), bool(mask[t])) for t in differing[:5]]
        pytest.fail(f"{len(differing)} tokens differ (id, bytes, in mask) at {where}: {tokens}")
    return mask


def check_end(matcher: schemask.Matcher, vocabulary: schemask.Vocabulary) -> None:
    """After the end nothing is accepted; the mask allows stop tokens, which batches need."""
    assert list(np.flatnonzero(mask_of(matcher, vocabulary))) == sorted(vocabulary.stop_token_ids)
    assert not oracle(matcher, vocabulary).any()


class Walks:
    """Checks the states that some texts and some random walks reach, each state of a text once."""

    def __init__(self, llama: Llama3) -> None:
        self.llama = llama
        self.vocabulary = vocabulary_of(llama)
        # A choice among all tokens would hardly ever leave a string.
        self.short = np.array([len(token) == 1 for token in llama.tokens])
        self.quoting = np.array([b'"' in token or token.isalpha() for token in llama.tokens])

    def along(
        self, compiled: schemask.CompiledGrammar, text: str, count: int, choose: random.Random
    ) -> int:
        tokens = self.llama.encode(text)
        chosen = set(choose.sample(range(len(tokens) + 1), k=min(count, len(tokens) + 1)))
        matcher = compiled.matcher()
        for position in range(len(tokens) + 1):
            if position in chosen:
                check(matcher, self.vocabulary, (text, position))
            if position < len(tokens):
                assert matcher.accept(tokens[position]), (text, position)
        return len(chosen)

    def astray(
        self, compiled: schemask.CompiledGrammar, steps: int, choose: random.Random
    ) -> Iterator[bytes]:
        matcher, text = compiled.matcher(), b""
        for _ in range(steps):
            allowed = check(matcher, self.vocabulary, text)
            yield text
            likely = allowed & self.short if choose.random() < 0.7 else allowed
            [options] = np.nonzero(likely if likely.any() else allowed)
            token = int(choose.choice(options))
            assert matcher.accept(token)
            if matcher.is_terminated:
                check_end(matcher, self.vocabulary)
                return
            text += self.vocabulary.token(token)


@pytest.fixture(scope="module")
def walks() -> Walks:
    return Walks(llama3())


def test_all_tokens_of_a_real_vocabulary_at_states_of_the_cases(walks: Walks) -> None:
    choose = random.Random(0)
    states = schemas_seen = 0
    for case in choose.sample(CASES, 120):
        compiled = compiled_case(case, walks.vocabulary)
        schemas_seen += 1
        states += walks.along(compiled, choose.choice(case["valid"]), 2, choose)
        compiled = compiled_case(case, walks.vocabulary, spelling=choose.choice(SPELLINGS))
        states += sum(1 for _ in walks.astray(compiled, 3, choose))
    assert states >= 500
    assert schemas_seen == 120


def compiled_entries(
    count: int, seed: int, vocabulary: schemask.Vocabulary
) -> Iterator[tuple[Entry, schemask.CompiledGrammar]]:
    """Some of MaskBench's schemas, but for those that are refused."""
    for entry in maskbench(count, seed=seed):
        try:
            grammar = schemask.Grammar.from_json_schema(
                entry.schema, property_order="any", spelling=SPELLINGS[seed % 2]
            )
        except schemask.Error:
            continue
        yield entry, grammar.compile(vocabulary)


@pytest.mark.skipif(
    not maskbench_file().exists(), reason=f"no data: {maskbench_file()} (see benches/README.md)"
)
def test_all_tokens_of_a_real_vocabulary_at_states_of_real_schemas(walks: Walks) -> None:
    choose = random.Random(1)
    states = 0
    for entry, compiled in compiled_entries(150, 1, walks.vocabulary):
        texts = [json.dumps(d, ensure_ascii=False) for d, valid in entry.tests if valid]
        for text in texts[:1]:
            if accepts(compiled, text):
                states += walks.along(compiled, text, 2, choose)
        states += sum(1 for _ in walks.astray(compiled, 1, choose))
    assert states >= 100


# However it begins, much must follow, and more after some keys.
LONG = {
    "properties": {
        "text": {"type": "string"},
        "more": {"type": "array", "items": {"type": "string"}, "minItems": 12},
        **{f"number {i}": {"type": "integer", "minimum": 1000} for i in range(5)},
    },
    "required": ["text", *(f"number {i}" for i in range(5))],
    "type": "object",
}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": r"^(\w+ ){2,4}\w+$"},
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 3},
        {"type": "object", "propertyNames": {"pattern": "^[a-z]{2,9}$"}, "minProperties": 2},
        {"properties": {"name": {"minLength": 3}}, "required": ["name", "nature"]},
        {"oneOf": [{"pattern": "a.*b"}, {"minLength": 4}], "type": "string"},
        LONG,
    ],
    ids=["pattern", "unique", "keys", "known keys", "asked", "long"],
)
def test_all_tokens_of_a_real_vocabulary_near_the_end_of_a_budget(
    schema: Any, walks: Walks
) -> None:
    compiled = schemask.Grammar.from_json_schema(schema).compile(walks.vocabulary)
    shortest = len(walks.vocabulary.tokenize(compiled.matcher().completion()))
    choose = random.Random(2)
    for budget in (shortest, shortest + 2, 2 * shortest + 3):
        matcher, text = compiled.matcher(max_tokens=budget), b""
        for step in range(budget):
            allowed = mask_of(matcher, walks.vocabulary)
            if step % 3 == choose.randrange(3):
                check(matcher, walks.vocabulary, text)
            quoting = allowed & walks.quoting
            [options] = np.nonzero(quoting if quoting.any() else allowed)
            token = int(choose.choice(options))
            assert matcher.accept(token)
            if matcher.is_terminated:
                break
            text += walks.vocabulary.token(token)
        assert matcher.is_terminated or matcher.is_accepting
        json.loads(text)


@pytest.mark.skipif(
    not maskbench_file().exists(), reason=f"no data: {maskbench_file()} (see benches/README.md)"
)
def test_budgets_on_real_schemas_drop_what_no_longer_fits(walks: Walks) -> None:
    """Of the tokens that a budget drops and of those that it leaves, some tried one by one."""
    choose = random.Random(3)
    dropped = 0
    for entry, compiled in compiled_entries(60, 3, walks.vocabulary):
        data = next((data for data, valid in entry.tests if valid), None)
        tokens = walks.vocabulary.tokenize(json.dumps(data, ensure_ascii=False).encode())
        budget = len(tokens) + choose.choice((0, 1, 3, 10, 30))
        try:
            matcher = compiled.matcher(max_tokens=budget)
        except schemask.LimitError:
            continue  # no valid text is so short
        unbound = compiled.matcher()
        for token in tokens[:300]:
            if choose.random() < 0.1:
                left = mask_of(matcher, walks.vocabulary)
                gone = mask_of(unbound, walks.vocabulary) & ~left
                for tokens_of, may in ((left, True), (gone, False)):
                    [some] = np.nonzero(tokens_of)
                    for one in choose.sample(list(some), min(len(some), 20)):
                        assert matcher.clone().accept(int(one)) == may, (entry.id, one)
                dropped += int(gone.sum())
            if not matcher.accept(token) or not unbound.accept(token):
                break
    assert dropped


# Besides single characters, tokens that cross the borders of keys, strings, numbers and values.
CROSSING = (
    *("ab", "aa", "abc", 'a"', '":', '": ', '":"', '","', '", "', '{"', '{"a', '{"a":', '"}'),
    *('"}]', "}}", "},", "]}", "]]", "[[", "[]", "{}", "[1", "1,", "1, ", "12", "1.", ".5", "00"),
    *("-1", "1}", "1]", "10", "1e", "e1", "1e2", "E+", "e-", ".0", "0e", "true", "false,", "null"),
    *("nul", "tru", "  ", ' "', "\n", "\n  ", " {", ": ", ", ", "\\u", "\\u00", "\\u0061", "0061"),
    *("\\n", '\\"', 'u0061"', "é", "😀", 'b":1', '"a":1,"', '":1,"a":', 'a":1}', '":{"a":"'),
    *("\\ud83d", "\\ude00", '"a","b"', '""', '":"","a":', '"a":', '"b":', '"c":', '"a","a"]'),
    *(
        '{"a":1,"b":2}',
        '"a":1,"\\u0061":',
        "[1,1",
        "1,1.0]",
        ",1]",
        "{},{}",
        '"b":1}',
        "2024-",
        "-02-",
    ),
    *('"x', "x1", "1.2.", ".3.4", "127.0", "a-b", "0-0", "aa08", '[{"', '"},{"', "null,", ",null]"),
)


def crossing_vocabulary() -> schemask.Vocabulary:
    """Token 0 ends the text, 1 is special; then all bytes and longer tokens."""
    tokens = [b"", b"<special>", *(bytes([byte]) for byte in range(256))]
    tokens += [token.encode() for token in CROSSING]
    return schemask.Vocabulary(tokens, stop_token_ids=[0], special_token_ids=[1])


@pytest.mark.parametrize(
    "text", ['{"', '{"a', '{"a\\', '{"x": 2, "a', '[{"a', '[{}, {"a', '[{}, {"a\\']
)
@pytest.mark.parametrize("unique", [False, True])
def test_tokens_that_end_a_key_and_read_another(text: str, unique: bool) -> None:
    tokens = [b"", *(bytes([byte]) for byte in range(256))]
    for first, second in itertools.product(
        ["", "b", '"', '"a', "nb", "bb"], ["a", "ab", "b", "\\u0061"]
    ):
        tokens.append(f'{first}":1,"{second}":'.encode())
    vocabulary = schemask.Vocabulary(tokens, stop_token_ids=[0])
    schema: Any = {"type": "object"}
    if text.startswith("["):
        schema = {"type": "array", "items": schema, "uniqueItems": unique}
    for spelling in SPELLINGS:
        grammar = schemask.Grammar.from_json_schema(schema, spelling=spelling)
        matcher = grammar.compile(vocabulary).matcher()
        if spelling == "any" or "\\" not in text:
            assert matcher.accept_bytes(text.encode())
            check(matcher, vocabulary, text)


class Retokenizer:
    """Cuts texts into tokens of a vocabulary at random."""

    def __init__(self, vocabulary: schemask.Vocabulary) -> None:
        self._by_first: dict[int, list[tuple[bytes, int]]] = {}
        for token in range(2, vocabulary.size):
            data = vocabulary.token(token)
            self._by_first.setdefault(data[0], []).append((data, token))

    def cut(self, text: bytes, choose: random.Random) -> list[int]:
        tokens, position = [], 0
        while position < len(text):
            options = self._by_first[text[position]]
            fitting = [option for option in options if text.startswith(option[0], position)]
            data, token = choose.choice(fitting)
            tokens.append(token)
            position += len(data)
        return tokens


def compiled_case(
    case: dict[str, Any], vocabulary: schemask.Vocabulary, **options: str
) -> schemask.CompiledGrammar:
    chosen = {"spelling": "any", **case.get("options", {}), **options}
    return schemask.Grammar.from_json_schema(case["schema"], **chosen).compile(vocabulary)


def check_along(compiled: schemask.CompiledGrammar, text: str, choose: random.Random) -> int:
    """Checks the mask along as much of the text as is accepted, then along some random steps."""
    vocabulary, matcher = compiled.vocabulary, compiled.matcher()
    read, states = b"", 0
    for token in Retokenizer(vocabulary).cut(text.encode(), choose)[: choose.randrange(1, 25)]:
        check(matcher, vocabulary, read)
        states += 1
        if not matcher.accept(token):
            break
        read += vocabulary.token(token)
    for _ in range(6):
        [options] = np.nonzero(check(matcher, vocabulary, read))
        states += 1
        if not len(options):
            break
        token = int(choose.choice(options))
        assert matcher.accept(token)
        if matcher.is_terminated:
            check_end(matcher, vocabulary)
            break
        read += vocabulary.token(token)
    return states


@pytest.mark.parametrize("group", GROUPS)
def test_masks_of_each_keyword_group(group: str) -> None:
    """Both orders and all kinds of whitespace, whatever the case itself asks for."""
    vocabulary = crossing_vocabulary()
    choose = random.Random(group)
    for case in GROUPS[group]:
        for order in ("schema", "any"):
            for whitespace in ("flexible", "compact", "spaced"):
                compiled = compiled_case(
                    case,
                    vocabulary,
                    property_order=order,
                    whitespace=whitespace,
                    spelling=choose.choice(SPELLINGS),
                )
                for text in choose.choices(case["valid"], k=3):
                    assert check_along(compiled, text, choose)


@pytest.mark.parametrize("group", GROUPS)
def test_a_text_leads_to_one_state_however_it_is_tokenized(group: str) -> None:
    vocabulary = crossing_vocabulary()
    retokenizer = Retokenizer(vocabulary)
    choose = random.Random(group)
    for case in GROUPS[group]:
        compiled = compiled_case(case, vocabulary)
        for text in choose.sample(case["valid"], min(3, len(case["valid"]))):
            data = text.encode()
            data = data[: choose.randrange(len(data) + 1)]
            states = []
            for _ in range(3):
                matcher = compiled.matcher()
                for token in retokenizer.cut(data, choose):
                    assert matcher.accept(token), (data, vocabulary.token(token))
                mask = list(np.flatnonzero(mask_of(matcher, vocabulary)))
                states.append(
                    (mask, matcher.completion(), matcher.forced_tokens(), matcher.is_accepting)
                )
            assert states[0] == states[1] == states[2], data


def accepts(compiled: schemask.CompiledGrammar, text: str) -> bool:
    return compiled.matcher().accept_bytes(text.encode())


def pieces() -> list[bytes]:
    """Bytes to make tokens of: JSON's own, those of the strategies' texts, and their parts."""
    texts = [json.dumps(word, ensure_ascii=False).encode() for word in [*KEYS, *WORDS]]
    texts += [json.dumps(word).encode() for word in [*KEYS, *WORDS]]
    syntax = b'{ } [ ] , : " true false null -1 0 12 .5 e+1 \\u0061 \\n \\ud83d \\ude00'.split()
    singles = {bytes([byte]) for text in [*texts, *syntax] for byte in text}
    return sorted({*texts, *syntax, *singles, b" ", b"\n", b'",', b'":', b'"}', b"]}", b'": "'})


@st.composite
def vocabularies(draw: Any) -> schemask.Vocabulary:
    """All bytes, and a few dozen tokens that cut texts in all places; some are special, one is
    empty, two stop. Without all bytes, `test_spelling_vocabularies` looks at the masks."""
    joined = st.lists(st.sampled_from(pieces()), min_size=1, max_size=3).map(b"".join)
    tokens = draw(st.lists(joined, min_size=5, max_size=60))
    special = draw(st.sets(st.integers(0, len(tokens) - 1), max_size=2))
    tokens += [bytes([byte]) for byte in range(256)]
    tokens += [b"", b"<end>", b"}"]
    last = len(tokens) - 1
    return schemask.Vocabulary(
        tokens, stop_token_ids=[last - 1, last], special_token_ids=sorted({*special, last - 1})
    )


SETTINGS = settings(
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)
WHITESPACE = st.sampled_from(["flexible", "compact", "spaced"])
INDENT = st.none() | st.sampled_from([0, 2, "\t"])
ORDER = st.sampled_from(["schema", "any"])
SPELLING = st.sampled_from(SPELLINGS)


@settings(SETTINGS, max_examples=200)
@given(schemas(), vocabularies(), WHITESPACE, INDENT, ORDER, SPELLING, st.integers(0, 2**32))
def test_small_vocabularies(
    schema: Any,
    vocabulary: schemask.Vocabulary,
    whitespace: Any,
    indent: Any,
    order: Any,
    spelling: Any,
    seed: int,
) -> None:
    try:
        grammar = schemask.Grammar.from_json_schema(
            schema,
            whitespace=whitespace,
            property_order=order,
            spelling=spelling,
            indent=indent,
        )
    except schemask.SchemaError:
        assume(False)
    choose = random.Random(seed)
    matcher = grammar.compile(vocabulary).matcher()
    text = b""
    for _ in range(12):
        [options] = np.nonzero(check(matcher, vocabulary, text))
        if not len(options):
            return
        token = int(choose.choice(options))
        assert matcher.accept(token)
        if matcher.is_terminated:
            check_end(matcher, vocabulary)
            return
        text += vocabulary.token(token)


@settings(SETTINGS, max_examples=100)
@given(schemas(), ORDER, SPELLING, st.integers(0, 2**32))
def test_random_texts_lead_to_one_state_however_they_are_tokenized(
    schema: Any, order: Any, spelling: Any, seed: int
) -> None:
    vocabulary = crossing_vocabulary()
    try:
        grammar = schemask.Grammar.from_json_schema(schema, property_order=order, spelling=spelling)
    except (schemask.SchemaError, schemask.LimitError):
        assume(False)
    compiled = grammar.compile(vocabulary)
    choose = random.Random(seed)
    walked, text = compiled.matcher(), b""
    for _ in range(12):
        options = np.flatnonzero(mask_of(walked, vocabulary)[1:]) + 1
        if not len(options):
            break
        token = int(choose.choice(options))
        assert walked.accept(token)
        text += vocabulary.token(token)
        other = compiled.matcher()
        for part in Retokenizer(vocabulary).cut(text, choose):
            assert other.accept(part), (text, vocabulary.token(part))
        assert (mask_of(walked, vocabulary) == mask_of(other, vocabulary)).all(), text
        assert walked.completion() == other.completion(), text


@settings(SETTINGS, max_examples=200)
@given(
    st.one_of(schemas(), open_objects()),
    vocabularies(),
    ORDER,
    SPELLING,
    st.integers(0, 40),
    st.integers(0, 2**32),
)
def test_a_budget_is_always_kept(
    schema: Any,
    vocabulary: schemask.Vocabulary,
    order: Any,
    spelling: Any,
    spare: int,
    seed: int,
) -> None:
    """Whatever is chosen among what the masks allow, the text is whole within the budget."""
    try:
        grammar = schemask.Grammar.from_json_schema(schema, property_order=order, spelling=spelling)
        compiled = grammar.compile(vocabulary)
        budget = len(vocabulary.tokenize(compiled.matcher().completion())) + spare
        matcher = compiled.matcher(max_tokens=budget)
    except (schemask.SchemaError, schemask.LimitError):
        assume(False)
    keep(matcher, vocabulary, budget, random.Random(seed))


def keep(
    matcher: schemask.Matcher, vocabulary: schemask.Vocabulary, budget: int, choose: random.Random
) -> None:
    """A walk within a budget, its masks held against trying each token."""
    structure = {*b'{}[]":,\\', *b"u0"}
    text = b""
    for _ in range(budget):
        [options] = np.nonzero(check(matcher, vocabulary, text))
        assert len(options), text
        # Most bytes are those of plain text, after which nothing is decided.
        telling = [t for t in options if {*vocabulary.token(int(t))} & structure]
        token = int(choose.choice(telling if telling and choose.random() < 0.7 else options))
        assert matcher.accept(token)
        if matcher.is_terminated:
            break
        text += vocabulary.token(token)
    if not matcher.is_terminated:
        assert matcher.is_accepting
        assert set(np.flatnonzero(mask_of(matcher, vocabulary))) == set(vocabulary.stop_token_ids)
    json.loads(text)


SHAPE = {
    "type": "object",
    "properties": {
        "dimensions": {"type": "object", "required": ["length", "radius", "base", "height"]},
        "shape": {},
    },
    "required": ["shape"],
}


@pytest.mark.parametrize(
    ("schema", "head"),
    [
        # What has begun of a character excludes the shorter key.
        (SHAPE, b'{"\\u00'),
        (SHAPE, b'{"\\u0064'),
        (SHAPE, b'{"dim'),
        (SHAPE, b'{"dimensions":{"len'),
        # Endings of equally many bytes, of which that key makes one longer that is also a shortest.
        (
            {
                "oneOf": [
                    {"unevaluatedProperties": {"additionalProperties": False}},
                    {"maxProperties": 1},
                ]
            },
            b'{"x',
        ),
        # The shortest unknown keys come next, unless one of them is being read.
        ({"type": "object", "minProperties": 3}, b"{"),
        ({"type": "object", "minProperties": 3}, b'{"'),
        ({"type": "object", "minProperties": 3}, b'{"a'),
        ({"type": "object", "patternProperties": {"^.$": {}}, "minProperties": 3}, b'{"'),
        ({"type": "object", "propertyNames": {"pattern": "^.a?$"}, "minProperties": 2}, b'{"b'),
    ],
)
@pytest.mark.parametrize("order", ["schema", "any"])
def test_budgets_of_all_sizes_after_a_text(schema: Any, head: bytes, order: Any) -> None:
    # An escape that is not needed is not plain.
    spelling: Any = "any" if b"\\" in head else "plain"
    longer = [b'{"', b'":', b'":"', b'","', b',"', b'"}', b"}}", b"u0061", b"ab"]
    tokens = [*(bytes([byte]) for byte in range(256)), *longer, b"<end>"]
    vocabulary = schemask.Vocabulary(tokens, stop_token_ids=[len(tokens) - 1])
    grammar = schemask.Grammar.from_json_schema(
        schema, property_order=order, whitespace="compact", spelling=spelling
    )
    compiled = grammar.compile(vocabulary)
    shortest = len(vocabulary.tokenize(compiled.matcher().completion()))
    begun = 0
    for budget in range(shortest, 75):
        matcher = compiled.matcher(max_tokens=budget)
        if all(matcher.accept(token) for token in vocabulary.tokenize(head)):
            check(matcher, vocabulary, (budget, head))
            begun += 1
    assert begun


def test_lengths_inside_a_character() -> None:
    """A token that goes on inside a string after `\\` is none of a string that begins with it."""
    tokens = [*(bytes([byte]) for byte in range(256)), b'"ab"', b'"abc"', b'"abc', b"<end>"]
    vocabulary = schemask.Vocabulary(tokens, stop_token_ids=[len(tokens) - 1])
    for bound, length in itertools.product(("minLength", "maxLength"), range(1, 8)):
        grammar = schemask.Grammar.from_json_schema({"type": "string", bound: length})
        matcher = grammar.compile(vocabulary).matcher()
        assert matcher.accept_bytes(b'"\\')
        check(matcher, vocabulary, (bound, length))
