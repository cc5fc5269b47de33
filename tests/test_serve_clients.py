"""The clients that people use, each with its own loop of tool calls, against a real server.

Each loop runs twice: over a model that calls and then answers, so that what the client makes of
both is known, and over SmolLM2, which is far too small to know when to call: there the first call
is demanded, and all that is known is that it is one of the tool, with arguments of its schema.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field

pytest.importorskip("uvicorn")

import openai

from servers import Running, Typist, child, running

CITIES = ("Oslo", "Rome")
QUESTION = "What is the weather in Oslo?"
ANSWER = "It is sunny in Oslo."
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
FINAL = '<tool_call>\n{"name": "final_answer", "arguments": {"answer": "sunny"}}\n</tool_call>'
MOST = 40


def says(prompt: str) -> str:
    """A call, and an answer once there is a result."""
    if '"final_answer"' in prompt:
        return FINAL if prompt.count("is sunny") else CALL
    if "is sunny" in prompt:
        return ANSWER
    return CALL if '"weather"' in prompt else '{"city": "Oslo", "degrees": 18}'


def weather_of(city: str) -> str:
    assert city in CITIES
    return f"{city} is sunny"


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": list(CITIES)}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


class Report(BaseModel):
    city: Literal["Oslo", "Rome"]
    degrees: int = Field(ge=-50, le=50)


@pytest.fixture(scope="module")
def small() -> Iterator[Running]:
    with child("--max-tokens", str(MOST), "--api-key", "key") as (_, found):
        yield found


@pytest.fixture(scope="module")
def typist() -> Iterator[Running]:
    with running(Typist(says), api_key="key") as found:
        yield found


@pytest.fixture(params=["typist", "small"])
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def is_typist(server: Running) -> bool:
    return server.name == "typist"


def check_answer(server: Running, answer: Any) -> None:
    assert isinstance(answer, str)
    assert answer == ANSWER or not is_typist(server)


def client(server: Running) -> Any:
    return openai.OpenAI(base_url=server.address, api_key="key", max_retries=0)


def awaiting(server: Running) -> Any:
    return openai.AsyncOpenAI(base_url=server.address, api_key="key", max_retries=0)


def results(message: Any) -> list[dict[str, Any]]:
    """The messages that answer a message with calls."""
    assert message.tool_calls
    return [
        {
            "role": "tool",
            "tool_call_id": call.id,
            "content": weather_of(**json.loads(call.function.arguments)),
        }
        for call in message.tool_calls
    ]


def test_openai(server: Running) -> None:
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    common = {"model": server.name, "tools": [WEATHER], "temperature": 0}
    create = client(server).chat.completions.create
    first = create(messages=messages, tool_choice="required", **common)
    message = first.choices[0].message
    messages += [message, *results(message)]
    last = create(messages=messages, tool_choice="none", **common)
    check_answer(server, last.choices[0].message.content)
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens


def test_openai_asynchronous(server: Running) -> None:
    async def ask() -> Any:
        async with awaiting(server) as made:
            return await asyncio.gather(
                *(
                    made.chat.completions.create(
                        model=server.name,
                        messages=[{"role": "user", "content": QUESTION}],
                        tools=[WEATHER],
                        tool_choice={"type": "function", "function": {"name": "weather"}},
                    )
                    for _ in range(3)
                )
            )

    for answer in asyncio.run(ask()):
        assert len(results(answer.choices[0].message)) == 1


def test_openai_streaming(server: Running) -> None:
    with client(server).chat.completions.stream(
        model=server.name,
        messages=[{"role": "user", "content": QUESTION}],
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
        stream_options={"include_usage": True},
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.delta" in kinds
    assert kinds.count("tool_calls.function.arguments.done") == 1
    assert len(results(final.choices[0].message)) == 1
    assert final.usage.completion_tokens > 0


def test_openai_parse(server: Running) -> None:
    answer = client(server).chat.completions.parse(
        model=server.name,
        messages=[{"role": "user", "content": "The weather in Oslo: 18 degrees."}],
        response_format=Report,
        temperature=0,
    )
    parsed = answer.choices[0].message.parsed
    assert isinstance(parsed, Report)
    if is_typist(server):
        assert parsed == Report(city="Oslo", degrees=18)


def test_openai_parse_of_tools(server: Running) -> None:
    answer = client(server).chat.completions.parse(
        model=server.name,
        messages=[{"role": "user", "content": "Report 18 degrees in Oslo."}],
        tools=[openai.pydantic_function_tool(Report)],
        tool_choice="required",
        parallel_tool_calls=False,
    )
    (call,) = answer.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, Report)


def test_openai_errors(server: Running) -> None:
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    with pytest.raises(openai.BadRequestError) as refused:
        client(server).chat.completions.create(model=server.name, messages=messages, n=2)
    assert (refused.value.param, refused.value.code) == ("n", "unsupported_parameter")
    with pytest.raises(openai.NotFoundError):
        client(server).chat.completions.create(model="other", messages=messages)
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=server.address, api_key="no", max_retries=0).models.list()
    assert [model.id for model in client(server).models.list()] == [server.name]


def test_openai_completions(server: Running) -> None:
    made = client(server).completions.create(model=server.name, prompt="Once", max_tokens=5)
    assert made.choices[0].text


def test_litellm(server: Running) -> None:
    litellm = pytest.importorskip("litellm")
    common: dict[str, Any] = {
        "model": f"openai/{server.name}",
        "api_base": server.address,
        "api_key": "key",
        "tools": [WEATHER],
        "temperature": 0,
        "num_retries": 0,
    }
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    first = litellm.completion(messages=messages, tool_choice="required", **common)
    message = first.choices[0].message
    messages += [message.model_dump(), *results(message)]
    pieces = litellm.completion(messages=messages, tool_choice="none", stream=True, **common)
    check_answer(server, "".join(piece.choices[0].delta.content or "" for piece in pieces))


def test_langchain(server: Running) -> None:
    langchain_openai = pytest.importorskip("langchain_openai")
    from langchain_core.messages import HumanMessage
    from langchain_core.tools import tool

    @tool
    def weather(city: Literal["Oslo", "Rome"]) -> str:
        """The weather of a city."""
        return weather_of(city)

    model = langchain_openai.ChatOpenAI(
        model=server.name, base_url=server.address, api_key="key", temperature=0, max_retries=0
    )
    messages: list[Any] = [HumanMessage(QUESTION)]
    first = model.bind_tools([weather], tool_choice="any").invoke(messages)
    assert first.tool_calls and not first.invalid_tool_calls
    messages += [first, *(weather.invoke(call) for call in first.tool_calls)]
    last = model.bind_tools([weather], tool_choice="none").stream(messages)
    check_answer(server, "".join(str(piece.content) for piece in last))
    report = model.with_structured_output(Report, method="json_schema").invoke("18 degrees in Oslo")
    assert isinstance(report, Report)


def test_pydantic_ai(server: Running) -> None:
    pytest.importorskip("pydantic_ai")
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.settings import ModelSettings

    asked_of: list[str] = []

    def weather(city: Literal["Oslo", "Rome"]) -> str:
        """The weather of a city."""
        asked_of.append(city)
        return weather_of(city)

    provider = OpenAIProvider(base_url=server.address, api_key="key")
    model = OpenAIChatModel(server.name, provider=provider)
    settings = ModelSettings(temperature=0)
    talking = Agent(model, tools=[weather], model_settings=settings)
    result = talking.run_sync(QUESTION)
    check_answer(server, result.output)
    if is_typist(server):
        assert asked_of == ["Oslo"]
    # A typed output is a tool that has to be called.
    if not is_typist(server):
        report = Agent(model, output_type=Report, model_settings=settings).run_sync(QUESTION)
        assert isinstance(report.output, Report)


def test_openai_agents(server: Running) -> None:
    agents = pytest.importorskip("agents")
    agents.set_tracing_disabled(True)
    asked_of: list[str] = []

    @agents.function_tool
    def weather(city: Literal["Oslo", "Rome"]) -> str:
        """The weather of a city."""
        asked_of.append(city)
        return weather_of(city)

    async def run() -> Any:
        async with awaiting(server) as made:
            agent = agents.Agent(
                name="Reporter",
                instructions="Answer by the tool.",
                tools=[weather],
                model=agents.OpenAIChatCompletionsModel(server.name, made),
                # After a call, the choice is "auto" again.
                model_settings=agents.ModelSettings(tool_choice="required", temperature=0),
            )
            return await agents.Runner.run(agent, QUESTION, max_turns=8)

    try:
        result = asyncio.run(run())
    except agents.MaxTurnsExceeded:
        assert not is_typist(server)
    else:
        check_answer(server, result.final_output)
    assert asked_of and set(asked_of) <= set(CITIES)


def test_smolagents(server: Running) -> None:
    smolagents = pytest.importorskip("smolagents")
    asked_of: list[str] = []

    class Weather(smolagents.Tool):  # type: ignore[misc, name-defined]
        name = "weather"
        description = "The weather of a city."
        inputs: ClassVar = {
            "city": {"type": "string", "description": "The city.", "enum": list(CITIES)}
        }
        output_type = "string"

        def forward(self, city: str) -> str:
            asked_of.append(city)
            return weather_of(city)

    model = smolagents.OpenAIServerModel(
        server.name, api_base=server.address, api_key="key", temperature=0
    )
    agent = smolagents.ToolCallingAgent(
        tools=[Weather()], model=model, max_steps=2, verbosity_level=0
    )
    answer = agent.run(QUESTION)
    assert isinstance(answer, str)
    # Every step is a call that could be read, of a tool that there is.
    steps = [step for step in agent.memory.steps if isinstance(step, smolagents.ActionStep)]
    assert steps and all(step.tool_calls for step in steps if step.error is None)
    if is_typist(server):
        assert (answer, asked_of) == ("sunny", ["Oslo"])
