"""Every format: what is written is allowed and read back, what is allowed is read and valid."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import random
import re
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemask import Grammar, Vocabulary
from schemask.chat import (
    FORMATS,
    ArgumentDelta,
    CallFailed,
    CallFinished,
    CallStarted,
    ChatFormat,
    ParsedTurn,
    Reasoning,
    Text,
    ToolCall,
    turn_of,
)
from schemask.chat.texts import TAG
from schemask.errors import FormatError, UnsupportedSchemaError
from schemask.tools import ToolSet

EACH = pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)

TOOLS = ToolSet(
    [
        {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer", "minimum": 1, "maximum": 14},
                    "unit": {"enum": ["celsius", "fahrenheit"]},
                    "exact": {"type": "boolean"},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
                "required": ["city", "unit"],
                "additionalProperties": False,
            },
        },
        {
            "name": "shop.order-item/é",
            "parameters": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{1,3}$"},
                    "tags": {"type": "array", "items": {"type": "string", "maxLength": 5}},
                    "size": {"$ref": "#/$defs/Size"},
                    "price": {"type": "number"},
                },
                "additionalProperties": False,
                "$defs": {
                    "Size": {
                        "type": "object",
                        "properties": {"width": {"type": "integer"}, "big": {"type": "boolean"}},
                        "required": ["width"],
                        "additionalProperties": False,
                    }
                },
            },
        },
        {"name": "ping", "parameters": {"type": "object", "additionalProperties": False}},
    ]
)


def texts_of(form: ChatFormat) -> list[str]:
    """The texts of the notation of arguments."""
    held = dataclasses.astuple(form.spec.arguments)  # type: ignore[call-overload]
    return [text for text in held if isinstance(text, str)]


def marks_of(form: ChatFormat) -> list[str]:
    return [text for text in texts_of(form) if "{" not in text]


HOSTILE = sorted(
    {
        mark
        for form in FORMATS.values()
        for mark in (
            *(
                form.spec.call_open,
                form.spec.call_close,
                form.spec.calls_open,
                form.spec.calls_close,
            ),
            *(form.spec.turn_end, form.spec.turn_start, form.spec.reasoning_open),
            *(form.spec.arguments.closing, *marks_of(form)),
        )
        if mark
    }
    | {"", "'", '"', "\\", "\n", "\r\n", "😀", "null", "true", "5", "{", "[1]", "=", ", ", ")"}
)
hostile = st.one_of(
    st.text(st.characters(codec="utf-8")),
    st.lists(st.sampled_from(HOSTILE), max_size=5).map("".join),
    st.just("é" * 10_000),
)


def tags_of(form: ChatFormat) -> list[str]:
    spec = form.spec
    calls = (spec.call_open, spec.call_close, spec.calls_open, spec.calls_close)
    marks = (*calls, *marks_of(form))
    return [tag for mark in marks for tag in TAG.findall(mark)]


def some(**members: Any) -> Any:
    required = {key: value for key, value in members.items() if not isinstance(value, tuple)}
    optional = {key: value[0] for key, value in members.items() if isinstance(value, tuple)}
    return st.fixed_dictionaries(required, optional=optional)


def numbers() -> Any:
    return st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9)


# Longer integers are not plain.
WHOLE = st.integers(-(10**32) + 1, 10**32 - 1)

calls = st.one_of(
    some(
        city=hostile,
        days=(st.integers(1, 14),),
        unit=st.sampled_from(["celsius", "fahrenheit"]),
        exact=(st.booleans(),),
        note=(st.none() | hostile,),
    ).map(lambda arguments: ToolCall("get_weather", arguments)),
    some(
        code=(st.from_regex("[A-Z]{2}[0-9]{1,3}", fullmatch=True),),
        tags=(st.lists(hostile.map(lambda text: text[:5]), max_size=3),),
        size=(some(width=WHOLE, big=(st.booleans(),)),),
        price=(numbers(),),
    ).map(lambda arguments: ToolCall("shop.order-item/é", arguments)),
    st.just(ToolCall("ping", {})),
)


def message_of(content: str, made: list[ToolCall], reasoning: str = "") -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if reasoning:
        message["reasoning_content"] = reasoning
    if made:
        message["tool_calls"] = [
            {"type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in made
        ]
    return message


@pytest.fixture(scope="session")
def vocabularies(
    llama3_tokenizer: Any, llama3_vocabulary: Any, gemma_tokenizer: Any, mistral_data: Any
) -> dict[str, tuple[Any, Vocabulary]]:
    """Ways to cut text into tokens, each with its vocabulary."""
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    tekken = Tekkenizer.from_file(str(mistral_data / "tekken_240911.json"))

    def llama3(text: str) -> list[int]:
        return llama3_tokenizer.encode(text, add_special_tokens=False)

    def gemma(text: str) -> list[int]:
        return gemma_tokenizer.encode(text, add_special_tokens=False)

    def mistral(text: str) -> list[int]:
        return tekken.encode(text, bos=False, eos=False)

    special = tekken.num_special_tokens
    tokens = [
        tekken.id_to_piece(i).encode() if i < special else tekken.id_to_byte_piece(i)
        for i in range(tekken.n_words)
    ]
    of_mistral = Vocabulary(tokens, stop_token_ids=[2], special_token_ids=list(range(special)))
    return {
        "llama3": (llama3, llama3_vocabulary),
        "gemma": (gemma, Vocabulary.from_transformers(gemma_tokenizer)),
        "mistral": (mistral, of_mistral),
    }


_COMPILED: dict[Any, Any] = {}


def compiled(form: ChatFormat, vocabulary: Vocabulary, **options: Any) -> Any:
    key = (form.name, id(vocabulary), tuple(sorted(options.items())))
    if key not in _COMPILED:
        _COMPILED[key] = Grammar.from_tools(TOOLS, format=form, **options).compile(vocabulary)
    return _COMPILED[key]


def spelling_of(text: str) -> str:
    """Strings hide what would be a tag by an escape, which plain spelling does not know."""
    return "any" if re.search(r"\\u00[2-7]", text) else "plain"


@pytest.fixture(scope="session")
def byte_vocabulary() -> Vocabulary:
    return Vocabulary([bytes([b]) for b in range(256)] + [b""], stop_token_ids=[256])


def can_reason(form: ChatFormat) -> bool:
    """Whether reasoning may follow a prompt of the format."""
    return form.spec.left_of_opening(form.spec.default_prompt)[0] is not None


def drawn(form: ChatFormat, data: Any) -> tuple[dict[str, Any], str] | None:
    """A message and its text; None if the notation refuses to write it."""
    made = data.draw(st.lists(calls, max_size=form.spec.max_calls or 3))
    has_words = not made or data.draw(st.booleans())
    content = data.draw(hostile) if has_words else ""
    reasoning = data.draw(
        st.sampled_from(["", "Hm.\nWell"]) if form.spec.reasoning_open else st.just("")
    )
    message = message_of(content, made, reasoning)
    try:
        return message, form.render_assistant(message, TOOLS)
    except FormatError:
        return None


@EACH
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_written_allowed_and_read_back(
    form: ChatFormat, vocabularies: dict[str, Any], data: Any
) -> None:
    found = drawn(form, data)
    if found is None:
        return
    message, text = found
    assert form.parse(text, TOOLS).message == message
    name = data.draw(st.sampled_from(sorted(vocabularies)))
    encode, vocabulary = vocabularies[name]
    thinks = can_reason(form)
    matcher = compiled(form, vocabulary, reasoning=thinks, spelling=spelling_of(text)).matcher()
    tokens = encode(text)
    own = set(tags_of(form))
    apart = {*vocabulary.special_token_ids, *vocabulary.stop_token_ids}
    if any(t in apart and vocabulary.token(t).decode() not in own for t in tokens):
        # A string spells a special token that is no tag of the format: it is text.
        tokens = vocabulary.tokenize(text.encode())
    for token in tokens:
        assert matcher.accept(token), (name, text, vocabulary.token(token))
    assert matcher.is_accepting


@EACH
@settings(max_examples=40)
@given(data=st.data())
def test_any_cut_gives_the_same_events(form: ChatFormat, data: Any) -> None:
    found = drawn(form, data)
    if found is None:
        return
    message, text = found
    is_cut = len(text) > 2000
    text = text[:400] if is_cut else text
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    whole = merged(form, [text])
    assert (
        merged(form, [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)])
        == whole
    )
    assert merged(form, list(text)) == whole
    spans = spans_of(form, [text])
    assert spans_of(form, list(text)) == spans
    assert all(a <= b <= c for (a, b), (c, _) in itertools.pairwise(spans))
    assert len(spans) == sum(isinstance(event, (CallFinished, CallFailed)) for event in whole)
    if not is_cut:
        assert turn_of(whole).message == message
        for index, call in enumerate(e for e in whole if isinstance(e, CallFinished)):
            deltas = [e.text for e in whole if isinstance(e, ArgumentDelta) and e.index == index]
            assert json.loads("".join(deltas)) == call.call.arguments


def merged(form: ChatFormat, pieces: list[str]) -> list[Any]:
    """The events, those of one kind in a row as one; the error's text, if one ends them."""
    reader = form.reader(TOOLS)
    events: list[Any] = []
    try:
        for piece in pieces:
            events += reader.feed(piece)
        events += reader.finish()
    except FormatError as error:
        events.append(str(error))
    together: list[Any] = []
    for event in events:
        last = together[-1] if together else None
        if type(event) is type(last) and isinstance(event, (Text, Reasoning)):
            together[-1] = type(event)(last.text + event.text)
        elif isinstance(event, ArgumentDelta) and isinstance(last, ArgumentDelta):
            together[-1] = ArgumentDelta(event.index, last.text + event.text)
        else:
            together.append(event)
    return together


def spans_of(form: ChatFormat, pieces: list[str]) -> tuple[tuple[int, int], ...]:
    reader = form.reader(TOOLS)
    with contextlib.suppress(FormatError):
        for piece in pieces:
            reader.feed(piece)
        reader.finish()
    return reader.call_spans


@EACH
def test_where_calls_stand(form: ChatFormat) -> None:
    """From the end of the words to the end of the turn, but for what closes all calls."""
    calls = [ToolCall("ping", {}), ToolCall("get_weather", {"city": "Oslo", "unit": "celsius"})]
    spec = form.spec
    words = "Let me see." if spec.words_with_calls == "before" else ""
    made = calls[: spec.max_calls or 2]
    text = form.render_assistant(message_of(words, made), TOOLS)
    spans = spans_of(form, [text])
    assert len(spans) == len(made)
    assert words in text[: spans[0][0]]
    assert text[spans[0][0] : spans[-1][1]].count("ping") == text.count("ping")
    for (start, end), call in zip(spans, made, strict=True):
        assert [other.name for other in calls if other.name in text[start:end]] == [call.name]
    for before, after in itertools.pairwise(spans):
        assert before[1] == after[0] or spec.has_channels
    if spec.call_mark:
        assert text[spans[0][0] :].lstrip().startswith(spec.call_mark)


def walk(matcher: Any, vocabulary: Vocabulary, rng: random.Random, most: int) -> bytes:
    """A text that follows the masks, at random, for so many tokens at most."""
    mask = np.zeros((1, (vocabulary.size + 31) // 32), dtype=np.int32)
    text = b""
    stops = set(vocabulary.stop_token_ids)
    for _ in range(most):
        matcher.fill_mask(mask)
        allowed = np.flatnonzero(
            np.unpackbits(mask.view(np.uint8), bitorder="little")[: vocabulary.size]
        )
        assert len(allowed), text
        token = int(rng.choice(allowed))
        if rng.random() < 0.3 and (shortest := vocabulary.tokenize(matcher.completion())):
            token = shortest[0]
        if token in stops:
            break
        assert matcher.accept(token)
        text += vocabulary.token(token)
    return text


@EACH
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_tags_may_be_special_tokens(form: ChatFormat, data: Any) -> None:
    """On a vocabulary whose special tokens are all tags of the format, each also spelt as text."""
    found = drawn(form, data)
    if found is None or len(found[1]) > 1000:
        return
    message, text = found
    tags = list(form.spec.tokens) or sorted(set(tags_of(form)) | set(TAG.findall(form.spec.call)))
    vocabulary = tagged(form, tags)
    options = {"reasoning": can_reason(form), "spelling": spelling_of(text)}
    matcher = compiled(form, vocabulary, **options).matcher()
    at, taken = 0, 0
    while at < len(text):
        here = [i for i, tag in enumerate(tags) if text.startswith(tag, at)]
        ahead = matcher.clone()
        # Where words spell a tag, the token is none of theirs: it begins a call, unlike the text.
        if (
            here
            and ahead.accept(256 + here[0])
            and ahead.accept_bytes(text[at + len(tags[here[0]]) :].encode())
            and data.draw(st.booleans())
        ):
            assert matcher.accept(256 + here[0])
            at += len(tags[here[0]])
            taken += 1
        else:
            assert matcher.accept_bytes(text[at].encode()), (text[:at], text[at])
            at += 1
    assert matcher.is_accepting
    if "tool_calls" not in message:
        # Words hold the spelling of a tag at most.
        assert not taken or form.spec.reasoning_open or form.spec.words_open


_TAGGED: dict[str, Vocabulary] = {}


def tagged(form: ChatFormat, tags: list[str]) -> Vocabulary:
    if form.name not in _TAGGED:
        tokens = [bytes([b]) for b in range(256)] + [tag.encode() for tag in tags] + [b""]
        special = list(range(256, 256 + len(tags)))
        stop = 256 + len(tags)
        _TAGGED[form.name] = Vocabulary(tokens, [stop], special_token_ids=special)
    return _TAGGED[form.name]


WALKS: list[dict[str, Any]] = [
    {},
    {"tool_choice": "required"},
    {"tool_choice": "none"},
    {"tool_choice": "shop.order-item/é"},
    {"tool_choice": "required", "parallel": False},
    {"tool_choice": "required", "min_calls": 2, "max_calls": 3},
    {"reasoning": True},
    {"tool_choice": "required", "reasoning": True},
]


@EACH
@pytest.mark.parametrize("options", WALKS, ids=lambda options: "-".join(map(str, options.values())))
def test_walks_are_read_and_valid(
    form: ChatFormat, llama3_vocabulary: Any, options: dict[str, Any]
) -> None:
    """Random texts that the masks allow, ended by a budget or by the shortest ending."""
    least = options.get("min_calls", 1)
    if (options.get("reasoning") and not can_reason(form)) or least > (
        form.spec.max_calls or least
    ):
        return
    validators = {tool.name: jsonschema.Draft202012Validator(tool.parameters) for tool in TOOLS}
    choice = options.get("tool_choice", "auto")
    called = 0
    for seed in range(3 if options in WALKS[:2] else 2):
        rng = random.Random(seed)
        budget = [None, 120, 180][seed % 3]
        matcher = compiled(form, llama3_vocabulary, **options).matcher(max_tokens=budget)
        text = walk(matcher, llama3_vocabulary, rng, budget or 60)
        assert budget is None or matcher.is_accepting
        turn = form.parse((text + matcher.completion()).decode(), TOOLS)
        for call in turn.tool_calls:
            validators[call.name].validate(call.arguments)
            assert choice in ("auto", "required", call.name)
        count = len(turn.tool_calls)
        assert count <= (form.spec.max_calls or count)
        if choice != "none" and (count or choice != "auto"):
            is_single = choice not in ("auto", "required") or not options.get("parallel", True)
            assert least <= count <= (1 if is_single else options.get("max_calls", count))
        assert not count or choice != "none"
        called += count
    assert called or choice in ("auto", "none")


@EACH
def test_counts_and_choices(form: ChatFormat, byte_vocabulary: Vocabulary) -> None:
    one = message_of("", [ToolCall("ping", {})])
    other = message_of("", [ToolCall("get_weather", {"city": "A", "unit": "celsius"})])
    words = message_of("Hello.", [])

    def allowed(message: dict[str, Any], **options: Any) -> bool:
        matcher = compiled(form, byte_vocabulary, **options).matcher()
        text = form.render_assistant(message, TOOLS)
        return matcher.accept_bytes(text.encode()) and matcher.is_accepting

    assert allowed(one) and allowed(other) and allowed(words)
    assert allowed(one, tool_choice="required") and not allowed(words, tool_choice="required")
    assert allowed(words, tool_choice="none") and not allowed(one, tool_choice="none")
    assert allowed(one, tool_choice="ping") and not allowed(other, tool_choice="ping")
    if form.spec.max_calls is None:
        two = message_of("", [ToolCall("ping", {}), ToolCall("ping", {})])
        assert allowed(two) and not allowed(two, parallel=False)
        assert allowed(two, min_calls=2, max_calls=2) and not allowed(one, min_calls=2)
        assert not allowed(two, max_calls=1)


@EACH
def test_what_a_schema_refuses_is_refused(form: ChatFormat, byte_vocabulary: Vocabulary) -> None:
    def allowed(**arguments: Any) -> bool:
        try:
            text = form.render_assistant(
                message_of("", [ToolCall("get_weather", arguments)]), TOOLS
            )
        except FormatError:
            return False
        matcher = compiled(form, byte_vocabulary).matcher()
        return matcher.accept_bytes(text.encode()) and matcher.is_accepting

    assert allowed(city="A", unit="celsius", days=3)
    assert allowed(city="A", unit="celsius", note=None, exact=True)
    assert not allowed(city="A", unit="kelvin")
    assert not allowed(city="A", unit="celsius", days=15)
    assert not allowed(city="A", unit="celsius", days="3")
    assert not allowed(city="A")
    assert not allowed(city="A", unit="celsius", more=1)


@EACH
def test_a_conversation_holds_what_the_model_writes(form: ChatFormat) -> None:
    call = message_of("", [ToolCall("ping", {})])
    words = message_of("Done.", [])
    conversation = [
        {"role": "user", "content": "Go."},
        call,
        {"role": "tool", "name": "ping", "content": "ok"},
        words,
    ]
    text = form.render(conversation, TOOLS)
    for index in (1, 3):
        prompt = form.render(conversation[:index], TOOLS, add_generation_prompt=True)
        turn = form.render_assistant(conversation[index], TOOLS)
        assert text.startswith(prompt + turn + form.spec.end_of(index == 1))


@EACH
@pytest.mark.parametrize("name", [":", "a:0", "a:0:12", "functions.f", "日本-é/x.y", "call", "a"])
def test_any_name(form: ChatFormat, byte_vocabulary: Vocabulary, name: str) -> None:
    tools = ToolSet([{"name": n, "parameters": {"type": "object"}} for n in {name, "a", "a:0:1"}])
    matcher = Grammar.from_tools(tools, format=form).compile(byte_vocabulary).matcher()
    message = message_of("", [ToolCall(name, {})] * (1 if form.spec.max_calls else 2))
    text = form.render_assistant(message, tools)
    assert matcher.accept_bytes(text.encode()) and matcher.is_accepting
    assert form.parse(text, tools).message == message


def nasty_names(form: ChatFormat) -> st.SearchStrategy[str]:
    """Names made of what stands around names in a format."""
    texts = (*texts_of(form), form.spec.call, form.spec.call_close, *form.stops)
    pieces = {piece for text in texts for piece in re.split(r"(\{\w+\}|\W)", text) if piece}
    pieces |= {*texts, "a", " ", "\n", "\u2028", "é", '"', "~1", "class", "{key}"} - {""}
    return st.lists(st.sampled_from(sorted(pieces)), max_size=4).map("".join)


@EACH
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_names_of_arguments_come_back_or_are_refused(
    form: ChatFormat, byte_vocabulary: Vocabulary, data: Any
) -> None:
    names = data.draw(st.lists(nasty_names(form), min_size=1, max_size=3, unique=True))
    kinds = data.draw(st.lists(st.sampled_from(["string", "integer"]), min_size=3, max_size=3))
    properties = {name: {"type": kind} for name, kind in zip(names, kinds, strict=False)}
    parameters = {
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": False,
    }
    tools = ToolSet([{"name": "t", "parameters": parameters}])
    try:
        grammar = Grammar.from_tools(tools, form, tool_choice="required")
    except UnsupportedSchemaError as error:
        pointers = [
            "/properties/" + name.replace("~", "~0").replace("/", "~1") for name in properties
        ]
        assert error.pointer in pointers
        with pytest.raises(FormatError):
            form.render_call("t", {name: "x" for name in names}, None)
        return
    text = grammar.compile(byte_vocabulary).matcher().completion().decode()
    [called] = form.parse(text, tools).tool_calls
    assert called.name == "t"
    assert called.arguments == {
        name: "" if kind["type"] == "string" else 0 for name, kind in properties.items()
    }
    message = ParsedTurn("", [called]).message
    assert form.parse(form.render_assistant(message, tools), tools).tool_calls == [called]


@pytest.mark.parametrize(
    ("form", "name", "pointer"),
    [
        ("lfm2", "a ", "/properties/a "),
        ("lfm2", "x=y", "/properties/x=y"),
        ("lfm2", ")/a", "/properties/)~1a"),
        ("qwen3_coder", "a>\nb", "/properties/a>\nb"),
        ("qwen3_coder", "<|im_end|>", "/properties/<|im_end|>"),
        ("glm45", "\u2028a", "/properties/\u2028a"),
        ("deepseek_v32", 'a" string="b', '/properties/a" string="b'),
        ("gemma4", "a b", "/properties/a b"),
    ],
)
def test_names_that_a_notation_cannot_carry(form: str, name: str, pointer: str) -> None:
    properties = {"fine": {"type": "integer"}, name: {"type": "string"}}
    tool = {"name": "t", "parameters": {"type": "object", "properties": properties}}
    with pytest.raises(UnsupportedSchemaError) as info:
        Grammar.from_tools([tool], form)
    assert info.value.pointer == pointer
    Grammar.from_tools([tool], "hermes")


@EACH
@pytest.mark.parametrize(
    ("head", "nullable"),
    [
        ({}, True),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, False),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:own"}, False),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "id": "urn:own"}, False),
        ({"$schema": "https://spec.openapis.org/oas/3.1/dialect/base"}, True),
        ({"$id": "urn:own"}, True),
    ],
)
def test_the_draft_of_parameters_holds(
    form: ChatFormat, byte_vocabulary: Vocabulary, head: dict[str, Any], nullable: bool
) -> None:
    """As clients of MCP give it; references lead to where they did."""
    parameters = {
        "type": "object",
        "properties": {"a": {"type": "integer", "nullable": True}, "b": {"$ref": "#/$defs/B"}},
        "additionalProperties": False,
        "$defs": {"B": {"type": "integer"}},
    }
    own = {"name": "t", "inputSchema": {**parameters, **head}}
    tools = ToolSet([own, {"name": "u", "inputSchema": parameters}])
    compiled = Grammar.from_tools(tools, form, tool_choice="t").compile(byte_vocabulary)
    for arguments, is_allowed in (
        ({"a": 1, "b": 2}, True),
        ({"a": None}, nullable),
        ({"b": None}, False),
    ):
        message = ParsedTurn("", [ToolCall("t", arguments)]).message
        text = form.render_assistant(message, [])
        matcher = compiled.matcher()
        assert (matcher.accept_bytes(text.encode()) and matcher.is_accepting) == is_allowed, text


def test_raw_text_that_looks_like_json() -> None:
    form = FORMATS["qwen3_coder"]

    def read(note: Any) -> Any:
        call = ToolCall("get_weather", {"city": "5", "unit": "celsius", "note": note})
        text = form.render_assistant(message_of("", [call]), TOOLS)
        assert form.parse(text, TOOLS).tool_calls == [call]

    read("5")
    read(None)
    read("[1")
    with pytest.raises(FormatError, match="taken for"):
        read("null")
    with pytest.raises(FormatError, match="ends it"):
        read("</parameter>")


def test_a_notation_says_what_it_cannot_express() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "anyOf": [{"required": ["a"]}]}
    tools = [{"name": "f", "parameters": schema}]
    Grammar.from_tools(tools, format="hermes")
    for name in ("qwen3_coder", "lfm2", "gemma4"):
        with pytest.raises(UnsupportedSchemaError, match="anyOf"):
            Grammar.from_tools(tools, format=name)


def test_events_of_a_call() -> None:
    reader = FORMATS["hermes"].reader(TOOLS)
    assert reader.feed("Let me see.\n<tool") == [Text("Let me see.")]
    assert reader.feed('_call>\n{"name": "ping", "arg') == [CallStarted(0, "ping")]
    assert reader.feed('uments": {"a": "</tool_call>') == [ArgumentDelta(0, '{"a": "</tool_call>')]
    assert reader.feed('"}}\n</tool_call>') == [
        ArgumentDelta(0, '"}'),
        CallFinished(0, ToolCall("ping", {"a": "</tool_call>"})),
    ]
    assert reader.finish() == []
