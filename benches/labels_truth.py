"""What of a conversation a model has to write, by its template alone: a slow oracle for labels.

A turn is what the template writes more with the turn than before it, where it prompts for it. It
ends with a marker under one of the names of ends of turns, or with its last one; and if the
template writes none after words, with the one that comes next.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from schemask.chat.templates.shape import MessageShape
from schemask.core.vocabulary import ends_of_turns

PROBE = "qzxjq"


class Unknown(Exception):
    """The template alone does not tell."""


class TrueTurn(NamedTuple):
    """A turn that a model writes.

    Attributes:
        prompt_ids: The tokens that it reads first.
        token_ids: Those that it writes.
        has_no_end: Whether the last one is what begins the next turn.
    """

    prompt_ids: list[int]
    token_ids: list[int]
    has_no_end: bool


def render(tokenizer: Any, messages: list[Any], tools: Any, prompt: bool = False) -> list[int]:
    """The tokens of a conversation as transformers makes them, or `Unknown` where it refuses."""
    errors = []
    for shape in (MessageShape(), MessageShape(arguments_as_text=True)):
        shaped = [
            {"thinking": message["reasoning_content"], **message}
            if "reasoning_content" in message
            else message
            for message in shape.of(messages)
        ]
        try:
            ids: list[int] = tokenizer.apply_chat_template(
                shaped, tools=tools, add_generation_prompt=prompt, return_dict=False
            )
        except Exception as error:  # whatever a template raises
            errors.append(str(error))
        else:
            return ids
    raise Unknown(f"refused: {errors[0]}")


def markers(tokenizer: Any) -> set[int]:
    return {
        token_id
        for token_id, token in tokenizer.added_tokens_decoder.items()
        if not token.content.isspace()
    }


def end_of_words(tokenizer: Any, known: set[int]) -> int | None:
    """The last marker after what the assistant says; None if there is none."""
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": PROBE}]
    ids = render(tokenizer, messages, None)
    for at in range(len(ids) - 1, -1, -1):
        if PROBE in tokenizer.decode(ids[at:]):
            return None
        if ids[at] in known:
            return ids[at]
    return None


def truth(tokenizer: Any, messages: list[Any], tools: Any) -> list[TrueTurn]:
    """The turns of a conversation.

    Raises:
        Unknown: The template refuses it, or writes a turn otherwise than as its prompt goes on.
    """
    known = markers(tokenizer)
    end_of_all = end_of_words(tokenizer, known)
    added = tokenizer.get_added_vocab()
    ends = ({added[name] for name in ends_of_turns(added)} | {end_of_all}) & known
    turns = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt_ids = render(tokenizer, messages[:index], tools, prompt=True)
        whole = render(tokenizer, messages[: index + 1], tools)
        if whole[: len(prompt_ids)] != prompt_ids:
            raise Unknown("the template does not go on as its prompt ends")
        token_ids = whole[len(prompt_ids) :]
        said = _said(tokenizer, token_ids, message, known)
        found = [at for at in range(said, len(token_ids)) if token_ids[at] in ends]
        marked = [at for at in range(said, len(token_ids)) if token_ids[at] in known]
        if found:
            token_ids = token_ids[: found[0] + 1]
        elif marked and end_of_all is not None:
            token_ids = token_ids[: marked[-1] + 1]  # turns of calls have an end of their own
        else:
            while token_ids and tokenizer.decode(token_ids[-1:]).isspace():
                token_ids = token_ids[:-1]
            end = _next_marker(tokenizer, messages, index, tools, known)
            turns.append(TrueTurn(prompt_ids, [*token_ids, end], True))
            continue
        turns.append(TrueTurn(prompt_ids, token_ids, False))
    return turns


def _said(tokenizer: Any, token_ids: list[int], message: dict[str, Any], known: set[int]) -> int:
    """How many tokens it takes until all is said; what a marker spells says nothing."""

    def text_of(token_ids: list[int]) -> str:
        return str(tokenizer.decode([i for i in token_ids if i not in known]))

    parts = [message.get("content", "").strip(), message.get("reasoning_content", "")]
    parts += [call["function"]["name"] for call in message.get("tool_calls", ())]
    text = text_of(token_ids)
    for part in filter(None, parts):
        if text.count(part) < parts.count(part):
            raise Unknown(f"the template drops {part!r}")
    for length in range(len(token_ids), 0, -1):
        rest = text_of(token_ids[length - 1 :])
        if any(part in rest for part in filter(None, parts)):
            return length
    return 0


def _next_marker(
    tokenizer: Any, messages: list[Any], index: int, tools: Any, known: set[int]
) -> int:
    """The first marker after a turn, if something follows it."""
    turn = messages[: index + 1]
    following = messages[index + 1 : index + 2]
    if not following and "tool_calls" in turn[-1]:
        raise Unknown("a call without an end, and no result after it")
    ids = render(tokenizer, [*turn, *(following or [{"role": "user", "content": "a"}])], tools)
    start = len(render(tokenizer, turn, tools))
    while start < len(ids) and tokenizer.decode(ids[start : start + 1]).isspace():
        start += 1
    if start < len(ids) and ids[start] in known:
        return ids[start]
    raise Unknown("no marker ends the turn")


WORDS = (
    "Hello",
    "It is 21 °C",
    "No, thanks.",
    "naïve 日本 😀",
    "two\nlines",
    "x = {1: [2]}",
    "100%",
)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Where."},
                    "days": {"type": "integer", "description": "How many."},
                },
                "required": ["city"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "search",
            "description": "Finds pages.",
            "parameters": {
                "type": "object",
                "properties": {"query": {"type": "string", "description": "What."}},
                "required": ["query"],
            },
        },
    },
]
KINDS = ("words", "talk", "system", "call", "parallel", "asks", "steps", "beside", "thinks")


def conversation(kind: str, seed: int) -> tuple[list[dict[str, Any]], Any]:
    """A conversation of a kind, and its tools.

    Args:
        kind: One of `KINDS`: an answer; several; one after a system message; a call with its
            result and an answer; two calls in a turn; a call at the end; calls in several turns;
            words beside a call; reasoning.
        seed: Decides what is said.
    """
    rng = random.Random(f"{kind} {seed}")

    def user() -> dict[str, Any]:
        return {"role": "user", "content": rng.choice(WORDS)}

    def said(**more: Any) -> dict[str, Any]:
        return {"role": "assistant", "content": rng.choice(WORDS), **more}

    def call() -> dict[str, Any]:
        if rng.random() < 0.5:
            function = {"name": "search", "arguments": {"query": rng.choice(WORDS)}}
        else:
            arguments: dict[str, Any] = {"city": rng.choice(WORDS)}
            if rng.random() < 0.5:
                arguments["days"] = rng.randint(-3, 30)
            function = {"name": "get_weather", "arguments": arguments}
        return {"type": "function", "function": function}

    def calls(count: int = 1, content: str = "", **more: Any) -> dict[str, Any]:
        made = [call() for _ in range(count)]
        return {"role": "assistant", "content": content, "tool_calls": made, **more}

    def results(turn: dict[str, Any]) -> list[dict[str, Any]]:
        names = [made["function"]["name"] for made in turn["tool_calls"]]
        return [{"role": "tool", "name": name, "content": rng.choice(WORDS)} for name in names]

    def answered(turn: dict[str, Any]) -> list[dict[str, Any]]:
        return [turn, *results(turn)]

    made: list[dict[str, Any]] = {
        "words": lambda: [user(), said()],
        "talk": lambda: [user(), said(), user(), said(), user(), said()],
        "system": lambda: [{"role": "system", "content": "Be brief."}, user(), said()],
        "call": lambda: [user(), *answered(calls()), said()],
        "parallel": lambda: [user(), *answered(calls(2)), said(), user(), said()],
        "asks": lambda: [user(), calls()],
        "steps": lambda: [user(), *answered(calls()), *answered(calls()), said(), user(), calls()],
        "beside": lambda: [user(), *answered(calls(content="Let me look.")), said()],
        "thinks": lambda: [
            user(),
            *answered(calls(reasoning_content="I must look.")),
            said(reasoning_content="Now I know."),
        ],
    }[kind]()
    return made, None if kind in ("words", "talk", "system") else TOOLS
