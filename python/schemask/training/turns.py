"""The turns that a model has to write, as tokens after the prompts of the loop."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from schemask._lines import conversation_of
from schemask.chat import TOOL_CODE, ChatFormat, chat_format
from schemask.chat.messages import Message, check_messages
from schemask.chat.templates.encoders import is_llama_cpp, is_mistral_common
from schemask.chat.tokens import TurnTokens, text_tokens, turn_tokens
from schemask.core.generation import check_is_vocabulary
from schemask.core.vocabulary import Vocabulary
from schemask.errors import DataError, Error, FormatError, shortened
from schemask.models.base import template_of
from schemask.tools import ToolSet, ToolsLike
from schemask.training.grammars import TurnGrammars

Loss: TypeAlias = Literal["all", "choices"]
"""Which of the tokens that a model has to write are trained: all of them, or those for which the
grammar leaves a choice."""

LOSSES = ("all", "choices")


@dataclass(frozen=True)
class LearnedTurn:
    """A turn that a model is to learn.

    Attributes:
        place: Where it stands, for errors.
        prompt: What the model reads before it, as text.
        prompt_ids: The same as tokens.
        text: What the model writes.
        token_ids: The same as tokens, with the one that ends the turn.
        is_trained: Of each of these, whether the loss counts it.
    """

    place: str
    prompt: str
    prompt_ids: list[int]
    text: str
    token_ids: list[int]
    is_trained: list[bool]


class Turns:
    """Makes turns to learn of conversations, for one tokenizer and format.

    Args:
        tokenizer: As of `encode`.
        format: As of `encode`.
        vocabulary: As of `encode`.

    Raises:
        FormatError: An unknown format; or no format follows from the tokenizer's template.
        ModelError: `vocabulary` is no `Vocabulary`.
        VocabularyError: The tokens of the tokenizer cannot be read.
        DependencyError: The library that reads the tokenizer is not installed.
    """

    def __init__(
        self,
        tokenizer: Any,
        format: str | ChatFormat | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        if vocabulary is not None:
            check_is_vocabulary(vocabulary)
        self.tokenizer = tokenizer
        self.form = _own_format(tokenizer) if format is None else chat_format(format)
        self._grammars = _grammars_on(vocabulary or _vocabulary_of(tokenizer))

    def of(
        self, example: Mapping[str, Any], tools: ToolsLike | None = None, loss: Loss = "all"
    ) -> Iterator[LearnedTurn]:
        """The turns of the assistant in a conversation, one after the other.

        Args:
            example: As of `encode`.
            tools: As of `encode`.
            loss: As of `encode`.

        Raises:
            DataError: No conversation, or one without a turn of the assistant; or a turn that the
                template or the grammar does not allow.
            ToolError: What cannot be a tool.
            DependencyError: A library that the tokenizer needs is not installed.
        """
        if loss not in LOSSES:
            raise DataError(f"the loss is one of {', '.join(LOSSES)}, not {shortened(loss)}")
        messages, own_tools = _conversation(example, tools)
        number = 0
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            number += 1
            place = f"turn {number} (message {index})"
            try:
                yield self._turn(messages, index, own_tools, loss, place)
            except DataError as error:
                raise DataError(f"{place}: {error}", column=error.column) from error
        if not number:
            raise DataError("the conversation has no turn of the assistant to learn")

    def pair(
        self, example: Mapping[str, Any], tools: ToolsLike | None = None
    ) -> tuple[LearnedTurn, LearnedTurn]:
        """The last turn of a conversation, and the one under `rejected` in its place.

        The grammar reads the first one alone.

        Args:
            example: As of `preferences`.
            tools: As of `encode`.

        Raises:
            DataError: As `of`; or another shape, or two equal turns.
            ToolError: What cannot be a tool.
            DependencyError: A library that the tokenizer needs is not installed.
        """
        messages, own_tools = _conversation(example, tools)
        if not messages or messages[-1]["role"] != "assistant":
            raise DataError("the last message is not the assistant's turn that is to be chosen")
        place = f"message {len(messages) - 1}"
        try:
            chosen = self._turn(messages, len(messages) - 1, own_tools, "all", place)
            place = "rejected"
            rejected = self._rejected(messages, example.get("rejected"), own_tools)
        except DataError as error:
            raise DataError(f"{place}: {error}", column=error.column) from error
        if chosen.token_ids == rejected.token_ids:
            raise DataError("the turn that is rejected is the one that is chosen")
        return chosen, rejected

    def _rejected(self, messages: list[Message], given: Any, tools: ToolSet) -> LearnedTurn:
        """A turn as a model wrote it, or as a message says, in place of the last one."""
        before = messages[:-1]
        try:
            if isinstance(given, Mapping) and "text" in given:
                given = self._spoilt(messages[-1], given, tools)
            if isinstance(given, str):
                turn = text_tokens(before, given, self.tokenizer, tools, format=self.form)
            elif isinstance(given, Mapping):
                messages = [*before, *check_messages([given])]
                if messages[-1]["role"] != "assistant":
                    raise DataError("the message is not the assistant's")
                turn = turn_tokens(messages, self.tokenizer, tools, format=self.form)
            else:
                raise DataError(f"a text or a message, not {shortened(given)}")
        except (DataError, ImportError):
            raise
        except Error as error:
            raise DataError(str(error), column=error.column) from error
        return self._learned(turn, "rejected")

    def _spoilt(self, right: Message, given: Mapping[str, Any], tools: ToolSet) -> str:
        """A wrong text, if it is one of this format."""
        text, beside = given["text"], given.get("right")
        if not isinstance(text, str) or not isinstance(beside, (str, type(None))):
            raise DataError(f"a text and how the right turn is written, not {shortened(given)}")
        spoken = {key: value for key, value in right.items() if key != "reasoning_content"}
        own = self.form.render_assistant(spoken, tools)
        if beside not in (None, own):
            raise DataError(
                f"the text is of another format, which writes the right turn {shortened(beside)}, "
                f"and this one {shortened(own)}: give `Pair` and `preferences` the same format"
            )
        return text

    def _turn(
        self, messages: list[Message], index: int, tools: ToolSet, loss: Loss, place: str
    ) -> LearnedTurn:
        following = messages[index + 1] if index + 1 < len(messages) else None
        try:
            turn = turn_tokens(
                messages[: index + 1],
                self.tokenizer,
                tools,
                format=self.form,
                following=following,
            )
            learned = self._learned(turn, place)
            is_trained = self._grammars.check(
                self.form, tools, learned.prompt, learned.token_ids, choices=loss == "choices"
            )
        except (DataError, ImportError):
            raise
        except Error as error:
            raise DataError(str(error), column=error.column) from error
        return dataclasses.replace(learned, is_trained=is_trained)

    def _learned(self, turn: TurnTokens, place: str) -> LearnedTurn:
        """The turn with a token that ends it."""
        vocabulary = self._grammars.vocabulary
        stops = vocabulary.stop_token_ids
        token_ids = turn.token_ids
        spelt = [vocabulary.token(token_id) for token_id in token_ids]
        if b"".join(spelt) != turn.text.encode():
            shown = shortened(b"".join(spelt).decode(errors="replace"))
            raise DataError(
                f"the tokens after the prompt spell {shown}, not {shortened(turn.text)}"
            )
        if turn.end:
            # Decoding stops at the first token that it knows as an end, whatever follows it.
            length = len(turn.text.removesuffix(turn.end).encode())
            reached = itertools.accumulate(map(len, spelt))
            ends = (at for at, end in enumerate(reached, 1) if end > length)
            cut = next((at for at in ends if token_ids[at - 1] in stops), len(token_ids))
            token_ids = token_ids[:cut]
        else:
            # The model has to stop by a token that decoding knows as an end.
            known = (turn.next_mark, getattr(self.tokenizer, "eos_token_id", None), stops[0])
            token_ids = [*token_ids, next(mark for mark in known if mark in stops)]
        text = b"".join(map(vocabulary.token, token_ids)).decode()
        return LearnedTurn(place, *turn.prompt, text, token_ids, [True] * len(token_ids))


def _conversation(
    example: Mapping[str, Any], tools: ToolsLike | None
) -> tuple[list[Message], ToolSet]:
    if not isinstance(example, Mapping):
        raise DataError(f"an example is an object, not {shortened(example)}")
    try:
        messages, own_tools = conversation_of(example)
    except DataError:
        raise
    except Error as error:
        raise DataError(str(error)) from error
    return messages, own_tools if tools is None else ToolSet.of(tools)


def _own_format(tokenizer: Any) -> ChatFormat:
    """The format of the model's own template, as the loop takes it."""
    if is_mistral_common(tokenizer):
        raise FormatError("mistral-common has no template: give the format of the model's turns")
    template = template_of(tokenizer, None)
    return TOOL_CODE if template is None else ChatFormat.from_template(template)


_VOCABULARIES: weakref.WeakKeyDictionary[Any, tuple[Any, Vocabulary]] = weakref.WeakKeyDictionary()


def _vocabulary_of(tokenizer: Any) -> Vocabulary:
    """The vocabulary of a tokenizer, which is read once, as long as its tokens and stops stay."""
    key: Any = None
    read: Callable[[Any], Vocabulary] = Vocabulary.from_llama_cpp
    if not is_llama_cpp(tokenizer):
        read = Vocabulary.from_transformers
        # Which tokens are special decides about the stops, too.
        special = tuple(getattr(tokenizer, "all_special_ids", ()))
        key = (len(tokenizer), getattr(tokenizer, "eos_token_id", None), special)
    known = _VOCABULARIES.get(tokenizer)
    if known is None or known[0] != key:
        known = _VOCABULARIES[tokenizer] = key, read(tokenizer)
    return known[1]


@functools.lru_cache(maxsize=8)
def _grammars_on(vocabulary: Vocabulary) -> TurnGrammars:
    return TurnGrammars(vocabulary)
