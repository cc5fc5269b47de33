"""The server's interface: what requests may hold, and what is answered."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("uvicorn")

from servers import NAME, Running, Typist, running, until

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 12}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
SAID = {
    "call": CALL,
    "words and a call": f"I will look.\n{CALL}",
    "two calls": f"{CALL}\n{CALL.replace('Oslo', 'Rome')}",
    "clock": '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>',
    "hello": "Hello, you. How are you?",
    "person": '{"name": "Ada <tool_call>", "age": 36}',
    "yes": "yes!",
    "long": "word " * 400,
    "accents": "Å 東京 😀.",
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
JSON_PERSON = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}


def says(prompt: str) -> str:
    """What stands for the last thing that the user said."""
    last = prompt.rpartition("<|im_start|>user\n")[2].partition("<|im_end|>")[0] or prompt
    return SAID.get(last, last)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(Typist(says)) as found:
        yield found


def request(
    server: Running,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    method: str = "POST",
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    told = {"Content-Type": "application/json", **(headers or {})}
    connection.request(method, path, data, told)
    answer = connection.getresponse()
    read = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    connection.close()
    return read


def asked(user: str = "hello", **parameters: Any) -> dict[str, Any]:
    return {"model": NAME, "messages": [{"role": "user", "content": user}], **parameters}


def chat(server: Running, user: str = "hello", **parameters: Any) -> Any:
    """The answer to a request that has to be served."""
    status, _, data = request(server, "/v1/chat/completions", asked(user, **parameters))
    assert status == 200, data
    return json.loads(data)


def choice(server: Running, user: str = "hello", **parameters: Any) -> Any:
    return chat(server, user, **parameters)["choices"][0]


def refused(server: Running, body: Any, path: str = "/v1/chat/completions") -> tuple[int, Any]:
    """The error that a request is answered with, which has the shape of OpenAI's."""
    status, _, data = request(server, path, body)
    answer = json.loads(data)
    assert status >= 400 and list(answer) == ["error"]
    assert list(answer["error"]) == ["message", "type", "param", "code"]
    assert isinstance(answer["error"]["message"], str) and answer["error"]["message"]
    return status, answer["error"]


def events(server: Running, path: str, body: dict[str, Any]) -> list[Any]:
    """The chunks of a stream, which ends as it should."""
    status, headers, data = request(server, path, {**body, "stream": True})
    assert status == 200, data
    assert headers["content-type"].startswith("text/event-stream")
    *held, done, rest = data.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(line.removeprefix("data: ")) for line in held]


def put_together(chunks: list[Any]) -> tuple[dict[str, Any], str]:
    """The message that deltas make, and why it ended."""
    message: dict[str, Any] = {"content": ""}
    calls: list[dict[str, Any]] = []
    reasons = []
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["id"] == chunks[0]["id"]
        for one in chunk["choices"]:
            delta = one["delta"]
            message["content"] += delta.get("content") or ""
            for call in delta.get("tool_calls", ()):
                if "id" in call:
                    assert call["index"] == len(calls)
                    calls.append({"name": call["function"]["name"], "arguments": ""})
                calls[call["index"]]["arguments"] += call["function"]["arguments"]
            reasons.append(one["finish_reason"])
    assert reasons[:-1] == [None] * (len(reasons) - 1)
    return {**message, "calls": calls}, reasons[-1]


def calls_of(found: Any) -> list[dict[str, str]]:
    return [call["function"] for call in found["message"].get("tool_calls", [])]


def test_words(server: Running) -> None:
    answer = chat(server)
    (found,) = answer["choices"]
    assert found["message"]["content"] == SAID["hello"]
    assert "tool_calls" not in found["message"]
    assert (found["finish_reason"], found["logprobs"], found["index"]) == ("stop", None, 0)
    assert (answer["object"], answer["model"]) == ("chat.completion", NAME)
    usage = answer["usage"]
    assert usage["completion_tokens"] == len(SAID["hello"])
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_calls(server: Running) -> None:
    found = choice(server, "two calls", tools=[WEATHER, CLOCK])
    assert found["finish_reason"] == "tool_calls"
    assert found["message"]["content"] is None
    calls = found["message"]["tool_calls"]
    assert [call["type"] for call in calls] == ["function", "function"]
    assert len({call["id"] for call in calls}) == 2
    assert [json.loads(call["arguments"])["city"] for call in calls_of(found)] == ["Oslo", "Rome"]


def test_words_before_calls(server: Running) -> None:
    found = choice(server, "words and a call", tools=[WEATHER])
    assert found["message"]["content"] == "I will look."
    assert calls_of(found)[0]["name"] == "weather"


@pytest.mark.parametrize(
    ("tool_choice", "user", "expected"),
    [
        ("auto", "call", ["weather"]),
        ("auto", "hello", []),
        ("none", "call", []),
        ("required", "call", ["weather"]),
        ("required", "hello", ["*"]),
        ({"type": "function", "function": {"name": "clock"}}, "call", ["clock"]),
        ({"type": "function", "function": {"name": "weather"}}, "two calls", ["weather"]),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "clock"}}],
                },
            },
            "call",
            ["clock"],
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "clock"}}],
                },
            },
            "hello",
            [],
        ),
    ],
)
def test_tool_choice(server: Running, tool_choice: Any, user: str, expected: list[str]) -> None:
    found = choice(server, user, tools=[WEATHER, CLOCK], tool_choice=tool_choice)
    names = [call["name"] for call in calls_of(found)]
    assert names == expected or (expected == ["*"] and names and set(names) <= {"weather", "clock"})
    for call in calls_of(found):
        arguments = json.loads(call["arguments"])
        assert list(arguments) == (["city"] if call["name"] == "weather" else [])
    if not expected:
        assert "<tool_call>" not in found["message"]["content"]


def test_parallel_tool_calls(server: Running) -> None:
    one = choice(server, "two calls", tools=[WEATHER], parallel_tool_calls=False)
    assert len(calls_of(one)) == 1


@pytest.mark.parametrize(
    ("words", "user", "expected"),
    [
        ({"response_format": {"type": "text"}}, "hello", SAID["hello"]),
        ({"response_format": {"type": "json_object"}}, "person", SAID["person"]),
        ({"response_format": JSON_PERSON}, "person", SAID["person"]),
        ({"response_format": {"type": "regex", "pattern": "(yes|no)!"}}, "yes", "yes!"),
        ({"response_format": {"type": "grammar", "grammar": 'root ::= "yes" "!"'}}, "yes", "yes!"),
        ({"response_format": {"type": "grammar", "grammar": 'start: "yes" "!"'}}, "yes", "yes!"),
        ({"structured_outputs": {"json": PERSON}}, "person", SAID["person"]),
        ({"structured_outputs": {"json": json.dumps(PERSON)}}, "person", SAID["person"]),
        ({"structured_outputs": {"json_object": True}}, "person", SAID["person"]),
        ({"structured_outputs": {"regex": "y.s!"}}, "yes", "yes!"),
        ({"structured_outputs": {"choice": ["yes!", "no"]}}, "yes", "yes!"),
        ({"structured_outputs": {"grammar": 'root ::= "yes!"'}}, "yes", "yes!"),
    ],
)
@pytest.mark.parametrize("with_tools", [False, True])
def test_words_of_a_format_beside_tools(
    server: Running, words: dict[str, Any], user: str, expected: str, with_tools: bool
) -> None:
    beside = {"tools": [WEATHER]} if with_tools else {}
    found = choice(server, user, **words, **beside)
    assert (found["message"]["content"], found["finish_reason"]) == (expected, "stop")
    assert "tool_calls" not in found["message"]
    if with_tools and words != {"response_format": {"type": "text"}}:
        called = choice(server, "call", **words, **beside)
        assert calls_of(called)[0]["arguments"] == '{"city": "Oslo"}'
        assert called["message"]["content"] is None
        forced = choice(server, user, **words, **beside, tool_choice="required")
        assert [call["name"] for call in calls_of(forced)] == ["weather"]
        # What the model says is neither: it is bound to one of both.
        other = choice(server, "Well then.", **words, **beside)
        assert calls_of(other) or other["message"]["content"] != "Well then."


def test_words_that_might_be_calls_are_refused(server: Running) -> None:
    free = {"type": "regex", "pattern": "[^]*"}
    assert choice(server, "hello", response_format=free)["message"]["content"] == SAID["hello"]
    status, error = refused(server, asked(response_format=free, tools=[WEATHER]))
    assert (status, error["param"]) == (400, "response_format.pattern")
    assert "mistaken for a call" in error["message"]


CASES: list[tuple[str, dict[str, Any]]] = [
    ("hello", {}),
    ("accents", {}),
    ("hello", {"stop": [" How", "x"]}),
    ("two calls", {"tools": [WEATHER]}),
    ("words and a call", {"tools": [WEATHER]}),
    ("person", {"tools": [WEATHER], "response_format": JSON_PERSON}),
    ("call", {"tools": [WEATHER], "response_format": {"type": "regex", "pattern": "yes!"}}),
    ("long", {"max_completion_tokens": 20}),
]


@pytest.mark.parametrize(("user", "parameters"), CASES)
def test_a_stream_is_the_answer_in_pieces(
    server: Running, user: str, parameters: dict[str, Any]
) -> None:
    whole = chat(server, user, **parameters)
    body = asked(user, **parameters, stream_options={"include_usage": True})
    chunks = events(server, "/v1/chat/completions", body)
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    *others, last = chunks
    assert (last["choices"], last["usage"]) == ([], whole["usage"])
    assert all(chunk["usage"] is None for chunk in others)
    message, reason = put_together(chunks)
    found = whole["choices"][0]
    assert message["content"] == (found["message"]["content"] or "")
    assert message["calls"] == calls_of(found)
    assert reason == found["finish_reason"]


def test_stop_texts_end_words_and_not_calls(server: Running) -> None:
    found = choice(server, "hello", stop="How")
    assert (found["message"]["content"], found["finish_reason"]) == ("Hello, you. ", "stop")
    called = choice(server, "call", stop=["Oslo", "}"], tools=[WEATHER])
    assert calls_of(called)[0]["arguments"] == '{"city": "Oslo"}'
    both = choice(server, "words and a call", stop="look", tools=[WEATHER])
    assert (both["message"]["content"], calls_of(both)) == ("I will ", [])
    assert both["finish_reason"] == "stop"


def test_a_text_ends_valid_within_the_limit(server: Running) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        found = choice(server, "person", response_format=JSON_PERSON, **{name: 26})
        assert found["finish_reason"] == "length"
        assert set(json.loads(found["message"]["content"])) == {"name", "age"}
    found = choice(server, "long", max_tokens=5)
    assert (len(found["message"]["content"]), found["finish_reason"]) == (5, "length")
    status, error = refused(server, asked(response_format=JSON_PERSON, max_tokens=3))
    assert (status, error["code"], error["param"]) == (
        400,
        "limit_exceeded",
        "max_completion_tokens",
    )


def test_reasoning_is_apart(server: Running) -> None:
    from schemask.chat import FORMATS

    thought = "<think>\nHm.\n</think>\n\nFine."
    with running(Typist(lambda prompt: thought), FORMATS["qwen3"]) as other:
        message = choice(other)["message"]
        assert (message["reasoning_content"], message["content"]) == ("Hm.", "Fine.")
        chunks = events(other, "/v1/chat/completions", asked())
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Hm."
        assert "".join(delta.get("content") or "" for delta in deltas) == "Fine."


def test_words_of_a_grammar_do_not_reason() -> None:
    """In a format that may: what says so comes first, and is no part of the words."""
    from schemask.chat import FORMATS

    said = "<think>\n\n</think>\n\nyes!"
    with running(Typist(lambda prompt: said), FORMATS["qwen3"]) as other:
        words = {"type": "regex", "pattern": "yes!|no"}
        for beside in ({}, {"tools": [WEATHER]}):
            message = choice(other, response_format=words, **beside)["message"]
            assert message["content"] == "yes!" and "reasoning_content" not in message
            chunks = events(other, "/v1/chat/completions", asked(response_format=words, **beside))
            assert put_together(chunks)[0]["content"] == "yes!"


def test_formats_whose_words_stand_between_markers() -> None:
    from schemask.chat import FORMATS

    with running(Typist(lambda prompt: "yes!"), FORMATS["command_a"]) as other:
        words = {"type": "regex", "pattern": "yes!"}
        status, error = refused(other, asked(response_format=words))
        assert (status, error["param"]) == (400, "response_format.pattern")


def test_formats_that_write_calls_as_bare_json() -> None:
    from schemask.chat import FORMATS

    said = '{"name": "Ada", "age": 36}'
    with running(Typist(lambda prompt: said), FORMATS["llama3_json"]) as other:
        assert choice(other, response_format=JSON_PERSON)["message"]["content"] == said
        none = {"tools": [WEATHER], "tool_choice": "none"}
        assert choice(other, response_format=JSON_PERSON, **none)["message"]["content"] == said
        status, error = refused(other, asked(response_format=JSON_PERSON, tools=[WEATHER]))
        assert (status, error["param"]) == (400, "response_format.json_schema.schema")


def test_logprobs(server: Running) -> None:
    found = choice(server, "accents", logprobs=True, top_logprobs=1)
    content = found["logprobs"]["content"]
    assert bytes(byte for token in content for byte in token["bytes"]).decode() == SAID["accents"]
    assert {token["logprob"] for token in content} == {-0.5}
    assert [len(token["top_logprobs"]) for token in content] == [1] * len(content)
    assert choice(server, logprobs=True)["logprobs"]["content"][0]["top_logprobs"] == []
    body = asked("accents", logprobs=True, top_logprobs=1)
    chunks = events(server, "/v1/chat/completions", body)
    told = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [token for part in told if part for token in part["content"]] == content


def test_logprobs_of_a_model_that_does_not_tell() -> None:
    from parrot import Parrot

    with running(Parrot("Hello")) as other:
        status, error = refused(other, asked(logprobs=True))
        assert (status, error["param"]) == (400, "logprobs")
        assert choice(other)["message"]["content"] == "Hello"


def test_completions(server: Running) -> None:
    path = "/v1/completions"
    body = {"model": NAME, "prompt": "hello", "max_tokens": 50, "logprobs": 1}
    answer = json.loads(request(server, path, body)[2])
    (found,) = answer["choices"]
    assert (found["text"], found["finish_reason"]) == (SAID["hello"], "stop")
    assert found["logprobs"]["tokens"] == list(SAID["hello"])
    assert found["logprobs"]["text_offset"] == list(range(len(SAID["hello"])))
    assert answer["object"] == "text_completion"
    chunks = events(server, path, {**body, "stream_options": {"include_usage": True}})
    assert "".join(c["choices"][0]["text"] for c in chunks if c["choices"]) == SAID["hello"]
    assert chunks[-1]["usage"] == answer["usage"]
    parts = {"model": NAME, "prompt": "accents", "logprobs": 0}
    (spread,) = json.loads(request(server, path, parts)[2])["choices"]
    # A part of a character has a name of its own, and stands where the character does.
    assert spread["logprobs"]["tokens"][:4] == ["bytes:\\xc3", "bytes:\\x85", " ", "bytes:\\xe6"]
    offsets = [0, 0, 1, 2, 2, 2, 3, 3, 3, 4, 5, 5, 5, 5, 6]
    assert spread["logprobs"]["text_offset"] == offsets
    assert spread["logprobs"]["top_logprobs"][0] == {"bytes:\\xc3": -0.5}
    for prompt in (list(b"hello"), ["hello"], [list(b"hello")]):
        assert (
            json.loads(request(server, path, {**body, "prompt": prompt})[2])["choices"][0]["text"]
            == (SAID["hello"])
        )
    cut = {"model": NAME, "prompt": "hello", "stop": ["you"]}
    assert json.loads(request(server, path, cut)[2])["choices"][0]["text"] == "Hello, "
    bound = {"model": NAME, "prompt": "person", "max_tokens": 60, "response_format": JSON_PERSON}
    found = json.loads(request(server, path, bound)[2])["choices"][0]
    assert found["text"] == SAID["person"]


def test_a_tool_loop(server: Running) -> None:
    messages: list[Any] = [{"role": "user", "content": "call"}]
    first = choice(server, tools=[WEATHER], messages=messages)["message"]
    messages += [first, {"role": "tool", "tool_call_id": "", "content": "18 <|im_end|> degrees"}]
    messages[-1]["tool_call_id"] = first["tool_calls"][0]["id"]
    messages.append({"role": "user", "content": "hello"})
    second = choice(server, tools=[WEATHER], messages=messages)
    assert second["message"]["content"] == SAID["hello"]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": "hello"}],
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": None, "refusal": "no", "annotations": []},
            {"role": "user", "content": "hello", "name": "Ada"},
        ],
    ],
)
def test_messages_as_clients_send_them(server: Running, messages: list[Any]) -> None:
    assert choice(server, messages=messages)["message"]["content"] == SAID["hello"]


USER = {"role": "user", "content": "hello"}
CALLED = {
    "role": "assistant",
    "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    ],
}
WRONG: list[tuple[str, dict[str, Any]]] = [
    ("model", {"model": 3}),
    ("model", {"model": None}),
    ("messages", {"messages": None}),
    ("messages", {"messages": []}),
    ("messages", {"messages": {}}),
    ("messages", {"messages": "hello"}),
    ("messages", {"messages": ["hello"]}),
    ("messages", {"messages": [{"role": "robot", "content": "hello"}]}),
    ("messages", {"messages": [{"role": "user", "content": 3}]}),
    ("messages", {"messages": [{"role": "user"}]}),
    ("messages", {"messages": [{**USER, "mood": "good"}]}),
    (
        "messages",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
    ),
    (
        "messages",
        {"messages": [{"role": "user", "content": "x", "tool_calls": CALLED["tool_calls"]}]},
    ),
    ("messages[1].tool_call_id", {"messages": [USER, {"role": "tool", "content": "18"}]}),
    (
        "messages[2].tool_call_id",
        {"messages": [USER, CALLED, {"role": "tool", "tool_call_id": "d", "content": "18"}]},
    ),
    ("tools", {"tools": {}}),
    ("tools", {"tools": [WEATHER, WEATHER]}),
    ("tools[0]", {"tools": ["weather"]}),
    ("tools[0].type", {"tools": [{"function": {"name": "f"}}]}),
    ("tools[0].type", {"tools": [{"type": "custom", "custom": {"name": "f"}}]}),
    ("tools[0].function", {"tools": [{"type": "function"}]}),
    ("tools[0].function.name", {"tools": [{"type": "function", "function": {}}]}),
    ("tools[0].function.name", {"tools": [{"type": "function", "function": {"name": 1}}]}),
    (
        "tools[0].function.description",
        {"tools": [{"type": "function", "function": {"name": "f", "description": 1}}]},
    ),
    (
        "tools[0].function.parameters",
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
    ),
    (
        "tools[0].function.strict",
        {"tools": [{"type": "function", "function": {"name": "f", "strict": "yes"}}]},
    ),
    (
        "tools",
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "parameters": {"type": "object", "properties": {"a": {"type": "int"}}},
                    },
                }
            ]
        },
    ),
    (
        "tools",
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "parameters": {"type": "object", "properties": {"a": {"type": "int"}}},
                    },
                }
            ],
            "response_format": JSON_PERSON,
        },
    ),
    (
        "response_format.json_schema.schema",
        {
            "tools": [WEATHER],
            "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "int"}}},
        },
    ),
    ("tool_choice", {"tool_choice": "required"}),
    ("tool_choice", {"tools": [WEATHER], "tool_choice": "always"}),
    ("tool_choice", {"tools": [WEATHER], "tool_choice": 1}),
    ("tool_choice.type", {"tools": [WEATHER], "tool_choice": {}}),
    (
        "tool_choice.function.name",
        {
            "tools": [WEATHER],
            "tool_choice": {"type": "function", "function": {"name": "other"}},
        },
    ),
    (
        "tool_choice.allowed_tools.tools",
        {
            "tools": [WEATHER],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": []},
            },
        },
    ),
    ("parallel_tool_calls", {"parallel_tool_calls": "no"}),
    ("response_format", {"response_format": "json"}),
    ("response_format.type", {"response_format": {"type": "xml"}}),
    ("response_format.json_schema", {"response_format": {"type": "json_schema"}}),
    (
        "response_format.json_schema.schema",
        {"response_format": {"type": "json_schema", "json_schema": {"schema": "s"}}},
    ),
    (
        "response_format.json_schema.schema",
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "int"}}}},
    ),
    ("response_format.pattern", {"response_format": {"type": "regex"}}),
    ("response_format.pattern", {"response_format": {"type": "regex", "pattern": "("}}),
    ("response_format.grammar", {"response_format": {"type": "grammar", "grammar": "root ::= ("}}),
    ("structured_outputs", {"structured_outputs": []}),
    (
        "structured_outputs",
        {"structured_outputs": {"regex": "a"}, "response_format": {"type": "text"}},
    ),
    ("structured_outputs.choice", {"structured_outputs": {"choice": []}}),
    ("structured_outputs.json", {"structured_outputs": {"json": "{"}}),
    ("max_tokens", {"max_tokens": 0}),
    ("max_tokens", {"max_tokens": "many"}),
    ("max_completion_tokens", {"max_completion_tokens": 2.5}),
    ("max_completion_tokens", {"max_completion_tokens": True}),
    ("temperature", {"temperature": -1}),
    ("temperature", {"temperature": 2.5}),
    ("temperature", {"temperature": "hot"}),
    ("top_p", {"top_p": 1.5}),
    ("seed", {"seed": "x"}),
    ("stop", {"stop": [1]}),
    ("stop", {"stop": ""}),
    ("stop", {"stop": list("abcde")}),
    ("stream", {"stream": 1}),
    ("stream_options", {"stream_options": {"include_usage": True}}),
    ("stream_options.color", {"stream": True, "stream_options": {"color": 1}}),
    ("logprobs", {"logprobs": 3}),
    ("top_logprobs", {"top_logprobs": 2}),
    ("top_logprobs", {"logprobs": True, "top_logprobs": 21}),
    ("n", {"n": 2}),
    ("frequency_penalty", {"frequency_penalty": 0.5}),
    ("presence_penalty", {"presence_penalty": 1}),
    ("logit_bias", {"logit_bias": {"50256": -100}}),
    ("functions", {"functions": [{"name": "f"}]}),
    ("function_call", {"function_call": "auto"}),
    ("modalities", {"modalities": ["audio"]}),
    ("reasoning_effort", {"reasoning_effort": "high"}),
    ("guided_json", {"guided_json": {}}),
    ("top_k", {"top_k": 3}),
    ("some_new_thing", {"some_new_thing": True}),
]


@pytest.mark.parametrize(("param", "parameters"), WRONG)
def test_what_is_wrong_is_refused_by_name(
    server: Running, param: str, parameters: dict[str, Any]
) -> None:
    status, error = refused(server, {**asked(), **parameters})
    assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert error["code"]


HARMLESS = {
    "user": "me",
    "metadata": {"a": "b"},
    "n": 1,
    "frequency_penalty": 0.0,
    "presence_penalty": 0,
    "logit_bias": {},
    "store": False,
    "service_tier": "auto",
    "modalities": ["text"],
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "functions": None,
    "seed": -3,
    "top_p": 1,
    "stop": None,
    "prediction": None,
}


def test_what_changes_nothing_is_taken(server: Running) -> None:
    status, _, data = request(server, "/v1/chat/completions", {**asked(), **HARMLESS})
    assert status == 200
    assert json.loads(data)["choices"][0]["message"]["content"] == SAID["hello"]


@pytest.mark.parametrize(
    ("param", "parameters"),
    [
        ("prompt", {"prompt": None}),
        ("prompt", {"prompt": 3}),
        ("prompt", {"prompt": []}),
        ("prompt", {"prompt": ["a", "b"]}),
        ("prompt", {"prompt": [1, -1]}),
        ("prompt", {"prompt": [10**6]}),
        ("echo", {"echo": True}),
        ("suffix", {"suffix": "end"}),
        ("best_of", {"best_of": 2}),
        ("logprobs", {"logprobs": True}),
        ("messages", {"messages": [USER]}),
    ],
)
def test_wrong_completions(server: Running, param: str, parameters: dict[str, Any]) -> None:
    body = {"model": NAME, "prompt": "hello", **parameters}
    status, error = refused(server, body, "/v1/completions")
    assert (status, error["param"]) == (400, param)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"model": "typist", "model": "other"}',
        b'{"temperature": NaN}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b'{"model": "\xff"}',
        b'{"model": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
    ],
)
def test_bodies_that_are_no_request(server: Running, body: bytes) -> None:
    status, error = refused(server, body)
    assert (status, error["type"]) == (400, "invalid_request_error")


def test_addresses(server: Running) -> None:
    status, _, data = request(server, "/health", method="GET")
    assert (status, json.loads(data)) == (200, {"status": "ok"})
    listed = json.loads(request(server, "/v1/models", method="GET")[2])
    assert [model["id"] for model in listed["data"]] == [NAME]
    assert request(server, f"/v1/models/{NAME}", method="GET")[0] == 200
    assert refused(server, {**asked(), "model": "other"})[0] == 404
    assert refused(server, asked(), "/v1/embeddings")[0] == 404
    status, _, data = request(server, "/v1/chat/completions", method="GET")
    assert (status, json.loads(data)["error"]["type"]) == (405, "invalid_request_error")
    status, _, data = request(
        server, "/v1/chat/completions", asked(), {"Content-Type": "text/plain"}
    )
    assert (status, json.loads(data)["error"]["code"]) == (415, "invalid_content_type")


def test_api_key() -> None:
    with running(Typist(says), api_key="secret") as other:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
            status, told, data = request(other, "/v1/chat/completions", asked(), headers)
            assert (status, told["www-authenticate"]) == (401, "Bearer")
            assert json.loads(data)["error"]["code"] == "invalid_api_key"
        key = {"Authorization": "Bearer secret"}
        assert request(other, "/v1/chat/completions", asked(), key)[0] == 200
        assert request(other, "/metrics", method="GET")[0] == 401
        assert request(other, "/health", method="GET")[0] == 200
    with running(Typist(says), api_key="clé") as other:
        key = {"Authorization": "Bearer clé".encode().decode("latin-1")}
        assert request(other, "/v1/models", headers=key, method="GET")[0] == 200


def test_names_of_the_server() -> None:
    with running(Typist(says), hosts=frozenset({"localhost", "::1"})) as other:
        for called in ("localhost:1", "LOCALHOST", "[::1]:9"):
            assert request(other, "/v1/chat/completions", asked(), {"Host": called})[0] == 200
        for called in ("evil.example", "localhost.evil.example:1", "[::1", "::1", "127.0.0.1"):
            status, _, data = request(other, "/v1/chat/completions", asked(), {"Host": called})
            assert (status, json.loads(data)["error"]["code"]) == (403, "invalid_host")
        assert request(other, "/metrics", headers={"Host": "evil"}, method="GET")[0] == 403
        assert request(other, "/health", headers={"Host": "evil"}, method="GET")[0] == 200


def test_metrics() -> None:
    with running(Typist(says)) as other:
        for _ in range(2):
            chat(other, "call", tools=[WEATHER])
        refused(other, {**asked(), "n": 2})

        def told_now() -> dict[str, str]:
            text = request(other, "/metrics", method="GET")[2].decode()
            lines = [line for line in text.splitlines() if not line.startswith("#")]
            return dict(line.rsplit(" ", 1) for line in lines)

        until(lambda: told_now()["schemask_running"] == "0.0")
        told = told_now()
    answered = 'schemask_requests_total{endpoint="/v1/chat/completions",status="%d"}'
    assert (told[answered % 200], told[answered % 400]) == ("2.0", "1.0")
    assert told['schemask_refusals_total{code="unsupported_parameter"}'] == "1.0"
    assert float(told['schemask_tokens_total{kind="completion"}']) == 2 * len(CALL)
    assert told["schemask_grammar_cache_hits_total"] == "1.0"
    assert told["schemask_grammar_cache_misses_total"] == "1.0"
    assert told["schemask_time_to_first_token_seconds_count"] == "2.0"
    assert told["schemask_waiting"] == "0.0"
