"""Serving folders: of transformers, and of weights that mlx wrote."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("uvicorn")

from schemask.chat import HERMES
from schemask.models import MlxModel, TransformersModel, open_model
from servers import NAME, Running, child, running, until
from test_serve import (
    JSON_PERSON,
    WEATHER,
    asked,
    calls_of,
    chat,
    choice,
    events,
    put_together,
    refused,
    request,
)
from test_serve_load import PATH, metric, opened

MOST = 200
CONTEXT = 1024


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, hf_tokenizer: Any) -> Path:
    """A folder of transformers: random weights, and SmolLM2's tokenizer."""
    torch = pytest.importorskip("torch")
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(hf_tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.5,
    )
    folder = tmp_path_factory.mktemp("folders") / "plain"
    LlamaForCausalLM(config).save_pretrained(folder)
    hf_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def converted(plain: Path) -> Path:
    """The same weights as mlx writes them."""
    mlx_lm = pytest.importorskip("mlx_lm")
    folder = plain.parent / "converted"
    mlx_lm.convert(str(plain), str(folder))
    return folder


class Served(NamedTuple):
    """A server over a folder.

    Attributes:
        server: The server.
        model: Its model.
        begun: The prompt of each generation that has begun.
        ends: How each generation has ended: with a `Completion`, or with an exception.
    """

    server: Running
    model: Any
    begun: list[Any]
    ends: list[Any]


def watched(generate: Callable[..., Any], begun: list[Any], ends: list[Any]) -> Callable[..., Any]:
    """The same, and that it begins and how it ends is noted."""

    @functools.wraps(generate)
    def watch(*given: Any, **named: Any) -> Any:
        begun.append(given[0])
        try:
            ends.append(generate(*given, **named))
        except BaseException as error:
            ends.append(error)
            raise
        return ends[-1]

    return watch


@pytest.fixture(scope="module", params=["plain", "converted"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    model: Any = open_model(request.getfixturevalue(request.param))
    kind = TransformersModel if request.param == "plain" else MlxModel
    assert isinstance(model, kind)
    begun: list[Any] = []
    ends: list[Any] = []
    model.generate = watched(model.generate, begun, ends)
    with running(model, HERMES, max_tokens=MOST) as server:
        yield Served(server, model, begun, ends)


@pytest.fixture
def server(served: Served) -> Running:
    return served.server


def test_words_and_what_they_took(served: Served) -> None:
    answer = chat(served.server, max_tokens=20, temperature=0)
    (found,) = answer["choices"]
    completion = served.ends[-1]
    assert found["message"]["content"] == completion.text
    assert found["finish_reason"] == "length"
    usage = answer["usage"]
    assert usage["completion_tokens"] == len(completion.token_ids) <= 20
    assert usage["prompt_tokens"] == completion.prompt_tokens > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_calls_and_formats_beside_them(server: Running) -> None:
    for tool_choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        found = choice(server, tools=[WEATHER], tool_choice=tool_choice, temperature=0.5)
        for call in calls_of(found):
            assert list(json.loads(call["arguments"])) == ["city"]
        assert calls_of(found) and calls_of(found)[0]["name"] == "weather"
    for seed in range(3):
        found = choice(server, tools=[WEATHER], response_format=JSON_PERSON, seed=seed)
        if not calls_of(found):
            assert list(json.loads(found["message"]["content"])) == ["name", "age"]
    found = choice(server, max_tokens=9, response_format={"type": "regex", "pattern": "[a-c]+!"})
    assert found["message"]["content"].endswith("!")


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_tokens": 30},
        {"tools": [WEATHER], "tool_choice": "required"},
        {"response_format": JSON_PERSON, "max_tokens": 40},
    ],
)
def test_a_stream_is_the_answer_in_pieces(server: Running, parameters: dict[str, Any]) -> None:
    """With an equal seed, and so are the probabilities."""
    body = asked(**parameters, seed=3, logprobs=True, top_logprobs=2)
    whole = json.loads(request(server, PATH, body)[2])
    chunks = events(server, PATH, {**body, "stream_options": {"include_usage": True}})
    assert chunks[-1]["usage"] == whole["usage"]
    (found,) = whole["choices"]
    message, reason = put_together(chunks)
    assert reason == found["finish_reason"]
    assert message["content"] == (found["message"]["content"] or "")
    assert message["calls"] == calls_of(found)
    told = [one["logprobs"] for chunk in chunks for one in chunk["choices"]]
    tokens = [token for part in told if part for token in part["content"]]
    assert tokens == found["logprobs"]["content"]
    assert len(tokens) == whole["usage"]["completion_tokens"]


def test_seeds(server: Running) -> None:
    def said(**parameters: Any) -> str:
        content: str = choice(server, max_tokens=12, **parameters)["message"]["content"]
        return content

    assert said(seed=1) == said(seed=1) != said(seed=2)
    assert len({said() for _ in range(3)}) == 3  # without one, each is another one
    assert said(temperature=0) == said(temperature=1e-200, seed=9)


def test_logprobs(served: Served) -> None:
    server = served.server
    found = choice(server, max_tokens=12, temperature=0, logprobs=True, top_logprobs=3)
    content = found["logprobs"]["content"]
    spelt = bytes(byte for token in content for byte in token["bytes"])
    assert spelt.decode(errors="replace") == served.ends[-1].text
    for token in content:
        assert token["logprob"] == token["top_logprobs"][0]["logprob"] <= 0
        assert sum(math.exp(other["logprob"]) for other in token["top_logprobs"]) < 1 + 1e-5
    options: dict[str, Any] = {"logprobs": True, "top_logprobs": 3, "tools": [WEATHER]}
    content = choice(server, tool_choice="required", **options)["logprobs"]["content"]
    # What the format demands is certain.
    assert [token["logprob"] for token in content].count(0.0) > len(content) // 2
    body = {"model": NAME, "prompt": "Once", "max_tokens": 5, "logprobs": 2, "temperature": 0}
    (found,) = json.loads(request(server, "/v1/completions", body)[2])["choices"]
    assert len(found["logprobs"]["tokens"]) == len(found["logprobs"]["token_logprobs"]) == 5


def test_stop_texts(served: Served) -> None:
    whole = choice(served.server, max_tokens=40, temperature=0)["message"]["content"]
    stop = whole[len(whole) // 2 :][:4]
    answer = chat(served.server, max_tokens=40, temperature=0, stop=[stop])
    (found,) = answer["choices"]
    assert found["message"]["content"] == whole[: whole.index(stop)]
    assert found["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == len(served.ends[-1].token_ids) < 40


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_ends_the_generation(served: Served, stream: bool) -> None:
    server, begun, ends = served.server, served.begun, served.ends
    gone = metric(server, "schemask_gone_total")
    count = len(ends)
    connection = opened(server, asked(stream=stream, max_tokens=MOST, seed=1))
    until(lambda: len(begun) == count + 1)
    connection.close()
    until(lambda: len(ends) == count + 1)
    assert isinstance(ends[-1], BaseException)
    until(lambda: metric(server, "schemask_running") == 0)
    until(lambda: metric(server, "schemask_gone_total") == gone + 1)
    assert chat(server, max_tokens=3)["usage"]["completion_tokens"] <= 3


def test_requests_that_wait_for_one_another(served: Served) -> None:
    """They are answered as each is alone."""
    server, count = served.server, len(served.ends)
    alone = [chat(server, f"number {n}", max_tokens=10 + n, temperature=0) for n in range(4)]
    held = []
    for number in range(4):
        body = asked(f"number {number}", max_tokens=10 + number, temperature=0)
        held.append(opened(server, body))
    for connection, expected in zip(held, alone, strict=True):
        data = b""
        while b"}}" not in data:
            data += connection.recv(65536)
        answer = json.loads(data.partition(b"\r\n\r\n")[2])
        assert answer["choices"] == expected["choices"]
        connection.close()
    lengths = [len(end.token_ids) for end in served.ends[count:]]
    assert sorted(lengths[4:]) == sorted(lengths[:4])


def test_what_the_model_has_no_room_for(server: Running) -> None:
    for user, times in (("Hello", CONTEXT), ("Hello " * CONTEXT, 1)):
        messages = [{"role": "user", "content": user}] * times
        status, error = refused(server, asked(messages=messages))
        assert (status, error["code"]) == (400, "context_length_exceeded")
    status, error = refused(server, asked(response_format=JSON_PERSON, max_tokens=2))
    assert (status, error["param"]) == (400, "max_completion_tokens")
    assert error["code"] == "limit_exceeded"
    body = {"model": NAME, "prompt": [10**6]}
    assert refused(server, body, "/v1/completions")[0] == 400


def test_masks_are_measured(server: Running) -> None:
    before = metric(server, "schemask_masks_total")
    chat(server, tools=[WEATHER], tool_choice="required")
    assert metric(server, "schemask_masks_total") > before
    assert metric(server, "schemask_masks_seconds_count") > 0


def test_mlx_in_a_process_of_its_own(converted: Path) -> None:
    """The tool loop, a stream, and an end by a signal."""
    with child(str(converted), "--max-tokens", str(MOST)) as (process, server):
        assert server.name == converted.name
        common: dict[str, Any] = {"model": server.name, "tools": [WEATHER], "temperature": 0}
        messages: list[Any] = [{"role": "user", "content": "What is the weather in Oslo?"}]
        first = choice(server, messages=messages, tool_choice="required", **common)["message"]
        call = first["tool_calls"][0]
        assert json.loads(call["function"]["arguments"]).keys() == {"city"}
        messages.append(first)
        for call in first["tool_calls"]:
            result = {"role": "tool", "tool_call_id": call["id"], "content": "18 degrees"}
            messages.append(result)
        body = {**common, "messages": messages, "tool_choice": "none", "max_tokens": 12}
        said, _ = put_together(events(server, PATH, body))
        assert said["content"] and not said["calls"]
        assert metric(server, "schemask_masks_total") > 0
        process.terminate()
        assert process.wait(60) == 0
