"""`render_tokens`: conversations as the tokens that a model reads, whatever writes their text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from schemask.chat.catalog import chat_format
from schemask.chat.format import ChatFormat
from schemask.chat.messages import Message, check_messages
from schemask.chat.templates.encoders import encoder_of, is_mistral_common
from schemask.chat.templates.markers import Disguise
from schemask.chat.templates.shape import with_ids
from schemask.chat.templates.sources import read_source
from schemask.chat.templates.template import ChatTemplate, plain
from schemask.chat.templates.tokens import Prompt, Written, guarded, guarded_labels
from schemask.errors import FormatError, check_flags, shortened
from schemask.tools import ToolSet, ToolsLike

_WORDS = ("content", "reasoning_content")


def render_tokens(
    messages: Sequence[Mapping[str, Any]],
    tokenizer: Any,
    tools: ToolsLike | None = None,
    *,
    format: str | ChatFormat | ChatTemplate | None = None,
    add_generation_prompt: bool = False,
    **variables: Any,
) -> list[int]:
    """The tokens of a conversation, in which no text of a message, tool or variable is a marker.

    A special token stands only where the template wrote it: a message that holds `<|im_end|>` ends
    no turn, and one that holds `[TOOL_CALLS]` opens no call, since both are read as text. Where
    nothing holds a marker, these are the tokens of `tokenizer.apply_chat_template`.

    Markers are the tokens that the tokenizer finds in a text as a whole, special or added, except
    words, white space, and elements of HTML that the template does not write. A template does not
    see the markers of messages: reasoning is given under `reasoning_content`, not between tags.
    What marks turns or calls without being a token of the tokenizer is text, whoever writes it;
    formats refuse messages that hold such a mark.

    Args:
        messages: The conversation.
        tokenizer: A tokenizer of transformers, or a `llama_cpp.Llama`, whose texts begin with the
            token that the model wants there in any case. `MistralCommonBackend` has no template,
            but reads messages by itself; it takes neither of the options that follow.
        tools: Tools to describe to the model.
        format: What writes the conversation, if it is not the tokenizer's own template.
        add_generation_prompt: End with what makes the model speak.
        variables: Variables of the template.

    Raises:
        FormatError: There is no template; it refuses the messages; a tokenizer of another kind, or
            one that makes a special token of what is text.
        ToolError: What cannot be a tool.
        DependencyError: The library that reads the tokenizer is not installed.
    """
    if format is None and is_mistral_common(tokenizer):
        return _by_mistral_common(messages, tokenizer, tools)
    if format is None:
        found = read_source(tokenizer, with_tools=tools is not None, listed=False)
        format = ChatTemplate.made_of(found)
    return prompt_of(
        messages,
        tokenizer,
        tools,
        format=format,
        add_generation_prompt=add_generation_prompt,
        **variables,
    ).token_ids


def _by_mistral_common(
    messages: Sequence[Mapping[str, Any]], tokenizer: Any, tools: ToolsLike | None
) -> list[int]:
    """As `render_tokens`, by the library that has no template and reads all messages as text."""
    try:
        ids: list[int] = tokenizer.apply_chat_template(
            with_ids(check_messages(_checked_list(messages))),
            tools=None if tools is None else ToolSet.of(tools).definitions,
            return_dict=False,
        )
    except FormatError:
        raise
    except Exception as error:
        raise FormatError(f"mistral-common refuses the messages: {error}") from error
    return ids


def prompt_of(
    messages: Sequence[Mapping[str, Any]],
    tokenizer: Any,
    tools: ToolsLike | None = None,
    *,
    format: str | ChatFormat | ChatTemplate,
    add_generation_prompt: bool = False,
    **variables: Any,
) -> Prompt:
    """As `render_tokens`, with the text."""
    check_flags(FormatError, add_generation_prompt=add_generation_prompt)
    if not isinstance(format, ChatTemplate):
        if variables:
            raise FormatError(f"a chat format has no variable {shortened(next(iter(variables)))}")
        form = chat_format(format)
        values, written = _of_format(form, messages, tools)
        render: Callable[..., str] = form.render
    else:
        values = {
            "messages": plain(list(_checked_list(messages))),
            "tools": None if tools is None else _definitions(tools),
            **plain(variables),
        }
        written = Written(_around(format), lambda disguise: disguise.all_hidden(values))
        render = format.render
    return guarded(
        lambda values: render(**values, add_generation_prompt=add_generation_prompt),
        values,
        tokenizer,
        written,
    )


def render_labels(
    messages: Sequence[Mapping[str, Any]],
    tokenizer: Any,
    tools: ToolsLike | None = None,
    *,
    format: str | ChatFormat,
) -> dict[str, list[int]]:
    """A conversation to train on: the tokens of `render_tokens`, and those that the loss counts.

    Args:
        messages: As in `render_tokens`.
        tokenizer: A fast tokenizer of transformers.
        tools: As in `render_tokens`.
        format: What writes the conversation.

    Returns:
        `input_ids`, and `labels`: the same where a token begins in one of the spans of
        `ChatFormat.render_spans`, which is what the model writes itself, and -100 elsewhere.

    Raises:
        FormatError: As `render_tokens` and `ChatFormat.render_spans`; or another tokenizer.
        ToolError: What cannot be a tool.
        DependencyError: A library that the tokenizer needs is not installed.
    """
    form = chat_format(format)
    values, written = _of_format(form, messages, tools)
    ids, learned = guarded_labels(
        lambda values: form.render_spans(**values), values, tokenizer, written
    )
    labels = [
        token_id if is_learned else -100 for token_id, is_learned in zip(ids, learned, strict=True)
    ]
    return {"input_ids": ids, "labels": labels}


def _of_format(
    form: ChatFormat, messages: Sequence[Mapping[str, Any]], tools: ToolsLike | None
) -> tuple[dict[str, Any], Written]:
    """What a format renders, and what it writes around it."""
    checked = check_messages(_checked_list(messages))
    values = {"messages": checked, "tools": ToolSet.of(tools or ()).definitions}

    def words_hidden(disguise: Disguise) -> Any:
        # The order of a call's arguments is found by its keys and the schema of the tool.
        hidden = disguise.markers_hidden(values)
        for message, shown in zip(checked, hidden["messages"], strict=True):
            words = {key: message[key] for key in _WORDS if key in message}
            shown.update(disguise.all_hidden(words))
        return hidden

    is_template = getattr(form, "template", None) is not None
    return values, Written(_around(form), words_hidden if is_template else None)


def _checked_list(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        raise FormatError(f"messages are a list, not {shortened(messages)}")
    return messages


def result_message(form: ChatFormat, name: str, text: str, tokenizer: Any) -> Message:
    """The result of a tool as `form.tool_message` writes it, for a prompt of `render_tokens`.

    Marks of the format that are tokens of the tokenizer stay as they are: they are text there.
    """
    disguise = Disguise(encoder_of(tokenizer, _around(form)).markers, [name, text])
    message = form.tool_message(name, disguise.markers_hidden(text))
    return {**message, "content": disguise.lifted(message["content"])}


def _around(format: ChatFormat | ChatTemplate) -> str:
    """What a template or a format writes around messages."""
    if isinstance(format, ChatTemplate):
        return "\0".join((format.text, *map(str, format.variables.values())))
    template = getattr(format, "template", None)
    own = str(dataclasses.asdict(format.spec))
    return own if template is None else own + _around(template)


def _definitions(tools: ToolsLike) -> list[Any]:
    """Definitions as they were given, or those of functions."""
    given = tools if isinstance(tools, ToolSet) else list(tools)
    if not isinstance(given, ToolSet) and all(isinstance(tool, Mapping) for tool in given):
        return [plain(tool) for tool in given]
    return ToolSet.of(given).definitions
