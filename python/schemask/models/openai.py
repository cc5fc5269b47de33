"""Models behind an endpoint that speaks OpenAI's chat completions protocol."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from schemask.chat import ParsedTurn, check_messages
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.generation import (
    Completion,
    Status,
    TextObserver,
    TextStream,
    check_prompt,
)
from schemask.core.grammar import Grammar
from schemask.core.sampling import GREEDY, Sampling, check_is_sampling
from schemask.errors import FormatError, GenerationError, ModelError, missing, shortened
from schemask.models.base import ChatTurn
from schemask.schemas.schema import Schema
from schemask.tools import ToolSet, ToolsLike

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion

    from schemask._native import CompiledGrammar

_STATUS: dict[str | None, Status] = {
    "stop": "complete",
    "tool_calls": "complete",
    "length": "max_tokens",
}


# Under which key a server takes a grammar in GBNF, beside what OpenAI's protocol has.
_GRAMMARS: dict[str, Callable[[str], dict[str, Any]]] = {
    "llama-server": lambda gbnf: {"grammar": gbnf},
    "vllm": lambda gbnf: {"structured_outputs": {"grammar": gbnf}},
}


class OpenAIModel:
    """A remote model, as teacher or as agent.

    Args:
        client: The client, which knows the address and the key.
        model: Name of the model at that endpoint.
        server: What answers there: "openai" is anything that has no more than OpenAI's protocol;
            "llama-server" and "vllm" take grammars, too.
        options: Sent with each request, over what this class sends; None leaves a key out. Models
            that want another name for the limit take `max_tokens=None, max_completion_tokens=512`.

    Raises:
        ModelError: An asynchronous client, or an argument of a wrong type.
    """

    vocabulary = None

    def __init__(
        self, client: openai.OpenAI, model: str, *, server: str = "openai", **options: Any
    ) -> None:
        if type(client).__name__.startswith("Async"):
            raise ModelError(
                f"{type(client).__name__} answers later: give the client that waits, openai.OpenAI"
            )
        if not hasattr(client, "chat"):
            raise ModelError(f"the client is an openai.OpenAI, not {shortened(client)}")
        if not isinstance(model, str) or not model:
            raise ModelError(f"the model is named by a string, not {shortened(model)}")
        known = ["openai", *_GRAMMARS]
        if server not in known:
            raise ModelError(f"the server {shortened(server)} is none of {', '.join(known)}")
        self._client = client
        self._model = model
        self._server = server
        self._options = options

    def __repr__(self) -> str:
        return f"<OpenAIModel {self._model}>"

    def generate(
        self,
        prompt: str | Sequence[int],
        *,
        grammar: CompiledGrammar | Grammar | None = None,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
        on_text: TextObserver | None = None,
    ) -> Completion:
        """Sends `prompt` as one message of the user; the answer is the text.

        Args:
            prompt: The message.
            grammar: What the text must match: a `Grammar`, not compiled, for a `server` that takes
                grammars. It is sent as `Grammar.to_gbnf` writes it. Servers differ in what they
                make of it, and some ignore what they do not know: the answer is checked.
            sampling: How tokens are chosen; sent with the request.
            stop: Texts at which the result ends; none of them is part of it. They are searched for
                in the whole answer, since endpoints differ in how many they take.
            on_text: Called with the text, once the answer is there.

        Returns:
            The text, without token ids; its counts of tokens are those of the endpoint, or 0.

        Raises:
            ModelError: A grammar for a server that takes none, or one that is compiled; an argument
                of a wrong type, no answer, or one that was refused or filtered.
            UnsupportedSchemaError: A grammar that GBNF cannot say.
            LimitError: A grammar that takes too many rules there.
            GenerationError: The answer is not a text of the grammar, so the server ignored it.
            DependencyError: openai is not installed.
        """
        prompt = check_prompt(prompt)
        check_is_sampling(sampling)
        beside = {} if grammar is None else self._grammar_body(grammar)
        stream = TextStream(stop, on_text)
        answer = self._request(
            [{"role": "user", "content": prompt}], beside, **dataclasses.asdict(sampling)
        )
        content = answer.choices[0].message.content or ""
        status = _status(answer)
        if isinstance(grammar, Grammar):
            _check_follows(content, grammar, is_whole=status == "complete")
        stream.feed(content.encode("utf-8", "backslashreplace"))
        text = stream.finish()
        return Completion(text, [], "stop" if stream.stopped else status, *_usage(answer))

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: ToolsLike = (),
        tool_choice: str = "auto",
        parallel: bool = True,
        sampling: Sampling = GREEDY,
        response_schema: Schema | bool | None = None,
    ) -> ChatTurn:
        """The next turn; names and arguments of its calls are not validated.

        Args:
            messages: The conversation, in the shape of transformers' chat templates.
            tools: The tools that the turn may call.
            tool_choice: "auto", "required", "none" or the name of a tool.
            parallel: Whether the turn may hold several calls.
            sampling: How tokens are chosen; sent with the request.
            response_schema: JSON Schema of what the words should be; sent as `response_format`. Not
                so beside tools to a server "llama-server", which refuses both, or "vllm", which
                would let the model call none of them.

        Returns:
            The turn. One that was cut off inside a call is "max_tokens" and has no calls.

        Raises:
            ModelError: No answer, one that was refused or filtered, the result of a tool before its
                call, or an argument of a wrong type.
            FormatError: Messages of another shape, or calls whose arguments are no JSON.
            ToolError: What cannot be a tool.
            DependencyError: openai is not installed.
        """
        check_is_sampling(sampling)
        request: dict[str, Any] = {}
        if definitions := ToolSet.of(tools).definitions:
            named = {"type": "function", "function": {"name": tool_choice}}
            request["tools"] = definitions
            request["tool_choice"] = (
                tool_choice if tool_choice in ("auto", "required", "none") else named
            )
            if not parallel:
                request["parallel_tool_calls"] = False
        if response_schema is not None and (self._server == "openai" or not definitions):
            described = {"name": "response", "schema": response_schema}
            request["response_format"] = {"type": "json_schema", "json_schema": described}
        answer = self._request(_to_openai(messages), {}, **dataclasses.asdict(sampling), **request)
        message, status = answer.choices[0].message, _status(answer)
        calls = [
            {"function": {"name": call.function.name, "arguments": call.function.arguments}}
            for call in message.tool_calls or []
            if call.type == "function"
        ]
        content = message.content or ""
        try:
            turn = ParsedTurn.from_message(
                {"role": "assistant", "content": content, "tool_calls": calls}
            )
        except FormatError:
            if status != "max_tokens":
                raise
            turn = ParsedTurn(content, [])
        return ChatTurn(turn, status, *_usage(answer))

    def _grammar_body(self, grammar: CompiledGrammar | Grammar) -> dict[str, Any]:
        """What a request holds beside OpenAI's protocol."""
        if self._server not in _GRAMMARS:
            raise ModelError(
                "a remote model cannot be constrained by a grammar, unless its server takes them: "
                f"name one of {', '.join(_GRAMMARS)} as server"
            )
        if not isinstance(grammar, Grammar):
            raise ModelError(f"a server takes a Grammar that is not compiled, not {grammar!r}")
        return _GRAMMARS[self._server](grammar.to_gbnf())

    def _request(
        self, messages: list[dict[str, Any]], beside: dict[str, Any], **request: Any
    ) -> ChatCompletion:
        """The answer to a request, which holds some keys beside those of the protocol."""
        try:
            import openai
        except ImportError as error:
            raise missing("openai", "openai", error) from error

        request = {"model": self._model, "messages": messages, **request, **self._options}
        if beside:
            request["extra_body"] = {**(request.get("extra_body") or {}), **beside}
        given = {key: value for key, value in request.items() if value is not None}
        try:
            answer: ChatCompletion = self._client.chat.completions.create(**given)
        except openai.OpenAIError as error:
            raise ModelError(f"{self._model}: {error}") from error
        if not answer.choices:
            raise ModelError(f"{self._model} gave no answer")
        if refusal := answer.choices[0].message.refusal:
            raise ModelError(f"{self._model} refused: {refusal}")
        return answer


def _check_follows(text: str, grammar: Grammar, is_whole: bool) -> None:
    """Raises GenerationError if a text is not of a grammar, or begins none."""
    matcher = grammar.compile(byte_vocabulary()).matcher()
    problem = None
    if not matcher.accept_bytes(text.encode("utf-8", "backslashreplace")):
        problem = matcher.explain_bytes(text.encode("utf-8", "backslashreplace"))
    elif is_whole and not matcher.is_accepting:
        problem = matcher.explain_end()
    if problem is not None:
        raise GenerationError(f"the server did not follow the grammar: {problem}")


def _status(answer: ChatCompletion) -> Status:
    reason = answer.choices[0].finish_reason
    if reason not in _STATUS:
        raise ModelError(f"the answer ended with {reason!r}")
    return _STATUS[reason]


def _usage(answer: ChatCompletion) -> tuple[int, int]:
    usage = answer.usage
    return (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)


def _to_openai(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages with arguments as text and with ids that tie results to calls, in order."""
    converted: list[dict[str, Any]] = []
    open_ids: list[str] = []
    count = 0
    for message in check_messages(messages):
        if message["role"] == "tool":
            if not open_ids:
                raise ModelError("a chat endpoint takes the result of a tool after its call only")
            message = {
                "role": "tool",
                "tool_call_id": open_ids.pop(0),
                "content": message["content"],
            }
        elif calls := message.get("tool_calls"):
            # Nine letters and digits: the one form of id that every endpoint takes.
            open_ids = [f"call{count + index:05d}" for index in range(len(calls))]
            count += len(calls)
            message = {
                "role": "assistant",
                "content": message["content"] or None,
                "tool_calls": [
                    {
                        "id": id,
                        "type": "function",
                        "function": {
                            "name": call["function"]["name"],
                            "arguments": json.dumps(call["function"]["arguments"]),
                        },
                    }
                    for id, call in zip(open_ids, calls, strict=True)
                ],
            }
        converted.append(message)
    return converted
