"""A model's chat template, and what it makes of a conversation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemask.chat.templates.environment import (
    compiled,
    rendered,
    rendered_with_spans,
    undeclared,
)
from schemask.chat.templates.sources import Source, read_source
from schemask.errors import FormatError, shortened

_FUNCTIONS = "functions"
_REASONING_KEYS = ("reasoning_content", "thinking", "reasoning")


@dataclass(frozen=True, repr=False)
class ChatTemplate:
    """The Jinja text by which a model's conversations are written, and what it refers to.

    Rendering is as transformers' `apply_chat_template(tokenize=False)`: reasoning is found under
    each of the names `reasoning_content`, `thinking` and `reasoning`.

    Attributes:
        text: The template.
        bos_token: Text of the token that begins a text; the variable `bos_token`.
        eos_token: Text of the token that ends one; the variable `eos_token`.
        special_tokens: Texts of all special tokens of the model, as far as they are known.
        variables: Further variables of the template, such as `enable_thinking`.

    Raises:
        FormatError: The text is no template.
    """

    text: str
    bos_token: str = ""
    eos_token: str = ""
    special_tokens: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        compiled(self.text)

    @classmethod
    def of(
        cls,
        source: Any,
        *,
        bos_token: str = "",
        eos_token: str = "",
        special_tokens: Iterable[str] = (),
        with_tools: bool = True,
    ) -> ChatTemplate:
        """The template of a model.

        A string is the text of a template if it holds `{{`, `{%`, `{#` or a newline, else a path.
        Of a GGUF file only the head is read: no model is loaded, and llama.cpp is not needed.

        Args:
            source: A tokenizer or processor of transformers; a `llama_cpp.Llama`; the path of a
                GGUF, of a template, or of a folder that transformers wrote; or the text.
            bos_token: Text of the token that begins a text, over what the source says.
            eos_token: Text of the token that ends one, over what the source says.
            special_tokens: Texts of special tokens, beside those of the source.
            with_tools: Whether the template for conversations with tools is taken, of models that
                have one of their own for them.

        Raises:
            FormatError: The source has no template, or is none of these.
            DependencyError: The library that reads such a source is not installed.
        """
        found = read_source(source, with_tools=with_tools)
        if found.text is None:
            raise FormatError(f"{shortened(source)} has no chat template")
        given = {"bos_token": bos_token, "eos_token": eos_token}
        named = {**found.named, **{name: text for name, text in given.items() if text}}
        return cls.made_of(Source(found.text, named, (*found.special_tokens, *special_tokens)))

    @classmethod
    def find(cls, source: Any) -> ChatTemplate | None:
        """The template of a model, or None if the model has none.

        Args:
            source: A tokenizer or processor of transformers; a `llama_cpp.Llama`; the path of a
                GGUF, of a template, or of a folder that transformers wrote; or the text.

        Raises:
            FormatError: The source is nothing that could have one.
            DependencyError: The library that reads such a source is not installed.
        """
        found = read_source(source)
        return None if found.text is None else cls.made_of(found)

    @classmethod
    def made_of(cls, source: Source) -> ChatTemplate:
        """The template that was found in a source.

        Args:
            source: What was found there.

        Raises:
            FormatError: None was, or it is no template.
        """
        if source.text is None:
            raise FormatError("there is no chat template")
        named = dict(source.named)
        bos_token, eos_token = named.pop("bos_token", ""), named.pop("eos_token", "")
        special = tuple(dict.fromkeys(source.special_tokens))
        return cls(source.text, bos_token, eos_token, special, named)

    def __repr__(self) -> str:
        return f"<ChatTemplate of {len(self.text)} characters, {self.digest[:8]}>"

    @property
    def digest(self) -> str:
        """SHA-256 of the text and of what it refers to, in hexadecimal digits."""
        held = (self.text, self.bos_token, self.eos_token, sorted(self.variables.items()))
        return hashlib.sha256(repr(held).encode()).hexdigest()

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        add_generation_prompt: bool = False,
        **variables: Any,
    ) -> str:
        """The conversation as text.

        Args:
            messages: Messages of plain JSON values.
            tools: Definitions of functions, or None.
            add_generation_prompt: End with what makes the model speak.
            variables: Variables of the template for this rendering.

        Raises:
            FormatError: The template refuses the messages, or fails.
        """
        values = self._values(messages, tools, add_generation_prompt, variables)
        return rendered(compiled(self.text), values)

    def render_with_spans(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
        **variables: Any,
    ) -> tuple[str, list[tuple[int, int]]]:
        """The conversation, and where its `{% generation %}` blocks stand: pairs of start and end.

        Args:
            messages: As in `render`.
            tools: As in `render`.
            variables: As in `render`.

        Raises:
            FormatError: As `render`.
        """
        values = self._values(messages, tools, False, variables)
        return rendered_with_spans(compiled(self.text), values)

    def _values(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None,
        add_generation_prompt: bool,
        variables: Mapping[str, Any],
    ) -> dict[str, Any]:
        # transformers gives a template all special tokens that a tokenizer has a name for, and
        # no others: what is not there is undefined.
        tokens = {"bos_token": self.bos_token, "eos_token": self.eos_token}
        if tools is not None and _FUNCTIONS in (names := undeclared(self.text)):
            # Some want the tools as text, by the name that they once had.
            tokens |= {} if "tools" in names else {_FUNCTIONS: json.dumps(plain(tools), indent=4)}
        return {
            **tokens,
            **plain(self.variables),
            "messages": [_with_reasoning(_said(message)) for message in messages],
            "tools": None if tools is None else plain(tools),
            "documents": None,
            "add_generation_prompt": add_generation_prompt,
            **plain(variables),
        }


def plain(value: Any) -> Any:
    """A copy in which templates may change lists and objects; pydantic's models are objects."""
    if not isinstance(value, Mapping) and callable(getattr(value, "model_dump", None)):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _said(message: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a message without what is None: to many templates that is another value."""
    copy = plain(message)
    if not isinstance(copy, dict):
        raise FormatError(f"a message is an object, not {shortened(message)}")
    return {key: item for key, item in copy.items() if item is not None}


def _with_reasoning(message: dict[str, Any]) -> dict[str, Any]:
    """The message with its reasoning under each name by which templates look for it."""
    found = (message[key] for key in _REASONING_KEYS if message.get(key) is not None)
    reasoning = next(found, None)
    if reasoning is None:
        return message
    return {"thinking": reasoning, **message, "reasoning_content": reasoning}
