"""`render_tokens`: conversations as the tokens that a model reads, whatever writes their text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from schemask.chat.catalog import chat_format
from schemask.chat.format import ChatFormat
from schemask.chat.messages import Message, check_messages
from schemask.chat.renderer import Renderer
from schemask.chat.templates.encoders import encoder_of, is_mistral_common
from schemask.chat.templates.markers import Disguise
from schemask.chat.templates.shape import with_ids
from schemask.chat.templates.sources import read_source
from schemask.chat.templates.template import ChatTemplate, plain
from schemask.chat.templates.tokens import Guarded, Prompt, Written
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
        format = form
    else:
        values = {
            "messages": plain(list(_checked_list(messages))),
            "tools": None if tools is None else _definitions(tools),
            **plain(variables),
        }
        written = Written(_around(format), lambda disguise: disguise.all_hidden(values))
    guard = _guarded(
        format, values, tokenizer, written, add_generation_prompt=add_generation_prompt
    )
    return guard.prompt


class TurnTokens(NamedTuple):
    """A turn of the assistant as the model has to write it.

    Attributes:
        prompt: What the model reads before it.
        text: What the model writes, up to the marker that ends the turn, which is a part of it.
        token_ids: The tokens of that.
        end: That marker; empty if the format has none.
        next_mark: The token that opens the turn after it, of a turn without such a marker.
    """

    prompt: Prompt
    text: str
    token_ids: list[int]
    end: str
    next_mark: int | None


def turn_tokens(
    messages: Sequence[Message],
    tokenizer: Any,
    tools: ToolSet,
    *,
    format: ChatFormat,
    following: Message | None = None,
) -> TurnTokens:
    """The last turn of a conversation, after the prompt to which a loop has a model answer.

    Args:
        messages: Messages as `check_messages` returns them; the last one is the assistant's.
        tokenizer: As in `render_tokens`.
        tools: The tools that the model may call.
        format: What writes the conversation.
        following: The message after them, if there is one.

    Raises:
        FormatError: As `render_tokens`; or the template writes the turn otherwise than its format.
        ToolError: What cannot be a tool.
        DependencyError: A library that the tokenizer needs is not installed.
    """
    last = _LastTurn(messages, tokenizer, tools, format)
    end = last.end
    turn = last.written(end)
    mark = None if end else last.mark_before(following or _answer_to(messages[-1]))
    return TurnTokens(last.prompt.prompt, turn.text, last.prompt.continued(turn), end, mark)


class _LastTurn:
    """A conversation whose last message is a turn of the assistant, as its template writes it.

    Attributes:
        prompt: What the model reads before the turn.
        begun: The text up to the turn's end, without what marks that.
    """

    def __init__(
        self, messages: Sequence[Message], tokenizer: Any, tools: ToolSet, form: ChatFormat
    ) -> None:
        self._form, self._tools, self._tokenizer = form, tools, tokenizer
        self.prompt = self._rendered(messages[:-1], is_prompt=True)
        self._whole = self._rendered(messages).text
        self.begun = ""
        for way in _ways(messages, is_derived=form.derived is not None):
            self._messages = way
            self.begun = self.prompt.text + self.written().text
            if self._whole.startswith(self.begun):
                return
        self._messages = list(messages)
        self.begun = self.prompt.text + self.written().text
        start = len(self.prompt.text)
        if self._whole.startswith(self.prompt.text):
            raise FormatError(
                f"the template does not write the turn {shortened(self.begun[start:])}, "
                f"but {shortened(self._whole[start:])}"
            )

    @property
    def end(self) -> str:
        """The marker that ends the turn, as far as can be seen in the whole conversation."""
        spec = self._form.spec
        has_calls = "tool_calls" in self._messages[-1]
        for mark in (spec.calls_end if has_calls else "", spec.turn_end):
            if mark and self._whole.startswith(self.begun + mark):
                return mark
        return spec.end_of(has_calls)

    def written(self, end: str = "") -> Guarded:
        """What the model writes of the turn, and what ends it."""
        form = self._form
        renderer = Renderer(form.spec)
        opened = form.spec.opened_by(self.prompt.text)
        *before, message = self._messages
        called = sum(len(turn.get("tool_calls", ())) for turn in before)

        def render(values: Any) -> str:
            own = ToolSet.of(values["tools"])
            return renderer.assistant(values["message"], own, opened, called) + end

        values = {"message": message, "tools": self._tools.definitions}
        return Guarded(render, values, self._tokenizer, Written(_around(form), None))

    def mark_before(self, following: Message) -> int | None:
        """The token with which the next turn begins; None if it is none that the format names."""
        text = self._rendered([*self._messages, following]).text
        rest = text.removeprefix(self.begun).lstrip()
        marks = [mark for mark in self._form.spec.next_turns if rest.startswith(mark)]
        return self.prompt.marker(marks[0]) if marks else None

    def _rendered(self, messages: Sequence[Message], is_prompt: bool = False) -> Guarded:
        values, written = _of_format(self._form, messages, self._tools)
        form, tokenizer = self._form, self._tokenizer
        return _guarded(form, values, tokenizer, written, add_generation_prompt=is_prompt)


def _ways(messages: Sequence[Message], *, is_derived: bool) -> Iterator[list[Message]]:
    """The conversation, in the ways in which a template may write its last turn."""
    yield list(messages)
    *before, message = messages
    words = {key: message[key].strip() for key in _WORDS if key in message}
    stripped = [*before, {**message, **words}]
    if is_derived:  # it may want ids of calls, or drop the white space around words
        yield from (with_ids(messages), stripped, with_ids(stripped))


def text_tokens(
    messages: Sequence[Message],
    text: str,
    tokenizer: Any,
    tools: ToolSet,
    *,
    format: ChatFormat,
) -> TurnTokens:
    """A turn that a model wrote, after the prompt of `turn_tokens`: markers in it are its own.

    Args:
        messages: The messages before it, as `check_messages` returns them.
        text: The turn; if no marker ends it, one is put there.
        tokenizer: As in `render_tokens`.
        tools: As of `turn_tokens`.
        format: As of `turn_tokens`.

    Raises:
        FormatError: As `render_tokens`.
        ToolError: What cannot be a tool.
        DependencyError: A library that the tokenizer needs is not installed.
    """
    values, written = _of_format(format, messages, tools)
    guard = _guarded(format, values, tokenizer, written, add_generation_prompt=True)
    spec = format.spec
    end = next((end for end in (spec.calls_end, spec.turn_end) if end and text.endswith(end)), "")
    if not end:
        end = spec.end_of(bool(spec.call_mark) and spec.call_mark in text)
        text += end
    turn = Guarded(lambda _: text, {}, tokenizer, Written(_around(format), None))
    return TurnTokens(guard.prompt, turn.text, guard.continued(turn), end, None)


def _answer_to(message: Message) -> Message:
    """What may follow a turn."""
    if "tool_calls" in message:
        name = message["tool_calls"][0]["function"]["name"]
        return {"role": "tool", "name": name, "content": "0"}
    return {"role": "user", "content": "0"}


def _guarded(
    form: ChatFormat | ChatTemplate,
    values: Any,
    tokenizer: Any,
    written: Written,
    *,
    add_generation_prompt: bool,
) -> Guarded:
    def render(values: Any) -> str:
        return form.render(**values, add_generation_prompt=add_generation_prompt)

    return Guarded(render, values, tokenizer, written)


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
