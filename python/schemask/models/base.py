"""The protocol between schemask and whatever generates text.

`Model` continues a prompt; with a vocabulary, it does so under a grammar. `ChatModel` is for remote
endpoints that take messages and tool definitions and keep the prompt to themselves: nothing can
constrain them, so callers validate what comes back. A model may be both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from schemask.chat import ChatTemplate, ParsedTurn
from schemask.chat.templates.sources import read_source
from schemask.core.generation import Completion as Completion
from schemask.core.generation import Status, TextObserver, TextStream, check_prompt
from schemask.core.sampling import GREEDY as GREEDY
from schemask.core.sampling import Sampling as Sampling
from schemask.core.sampling import check_is_sampling
from schemask.errors import ModelError, shortened
from schemask.tools import ToolsLike

if TYPE_CHECKING:
    from schemask._native import CompiledGrammar
    from schemask.core.vocabulary import Vocabulary


@dataclass(frozen=True)
class ChatTurn:
    """The assistant's next turn, as a chat endpoint gives it.

    Attributes:
        turn: The words and calls; no call is validated.
        status: "complete" if the model ended the turn itself, "max_tokens" if it was cut off.
        prompt_tokens: Length of the prompt, in tokens; 0 if it is not known.
        completion_tokens: Length of the turn, in tokens; 0 if it is not known.
    """

    turn: ParsedTurn
    status: Status
    prompt_tokens: int
    completion_tokens: int


@runtime_checkable
class Model(Protocol):
    """Continues a prompt."""

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The vocabulary to compile grammars for, or None if the model cannot be constrained."""

    def generate(
        self,
        prompt: str | Sequence[int],
        *,
        grammar: CompiledGrammar | None = None,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
        on_text: TextObserver | None = None,
    ) -> Completion:
        """Continues `prompt`.

        Args:
            prompt: The text to continue, in which special tokens may be spelt, and before which the
                token is put that begins a text, if it is missing; or token ids, taken as they are.
                Only a `TokenModel` has to take these.
            grammar: What the text must match, compiled for `vocabulary`. The text then ends valid
                within `sampling.max_tokens`.
            sampling: How tokens are chosen. The status is "max_tokens" whenever the limit on tokens
                had a say in the text, also where a grammar closed the text in time.
            stop: Texts at which to end; none of them is part of the result.
            on_text: Called with each piece of text once it is certain to be part of the result.
                If what it returns is true, the generation ends there, as at a stop string.

        Raises:
            ModelError: The model cannot do what is asked: no grammar, prompt too long, no answer.
            GenerationError: The generation could not go on; with the position and the text so far.
            LimitError: The limit on tokens is too small for any text of the grammar, or a mask
                takes too much work.
        """


class TokenModel(Model, Protocol):
    """A model whose prompts are made of token ids, so that no text in them can be a marker."""

    @property
    def tokenizer(self) -> Any:
        """What `schemask.chat.render_tokens` takes as tokenizer."""

    @property
    def template(self) -> ChatTemplate | None:
        """The chat template that the model was trained on, or None if it brings none.

        Raises:
            FormatError: It cannot be read.
        """


def template_of(source: Any, template: ChatTemplate | str | None) -> ChatTemplate | None:
    """The template of a model.

    Args:
        source: The tokenizer of the model, or the model.
        template: What to take instead of the model's own.

    Raises:
        FormatError: What is there is no template.
    """
    if isinstance(template, ChatTemplate):
        return template
    found = read_source(source)
    if template is not None:
        found = found._replace(text=ChatTemplate.of(template).text)
    return None if found.text is None else ChatTemplate.made_of(found)


@runtime_checkable
class ChatModel(Protocol):
    """Writes the next turn of a conversation, on its own terms.

    If its `chat` has a parameter `response_schema`, it gets the JSON Schema of what words should
    be, where a run has one.
    """

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: ToolsLike = (),
        tool_choice: str = "auto",
        parallel: bool = True,
        sampling: Sampling = GREEDY,
    ) -> ChatTurn:
        """The next turn; names and arguments of its calls are not validated.

        Args:
            messages: The conversation, in the shape of transformers' chat templates.
            tools: The tools that the turn may call.
            tool_choice: "auto", "required", "none" or the name of a tool.
            parallel: Whether the turn may hold several calls.
            sampling: How tokens are chosen.

        Raises:
            ModelError: No answer, or one that was filtered or refused.
            FormatError: Calls that are no JSON.
        """


class CallableModel:
    """Any function from prompt to text as a `Model`, such as `lambda prompt: ...`.

    It cannot be constrained, and it sets limits, temperature and seed itself.

    Args:
        function: Called with each prompt; returns the whole answer.

    Raises:
        ModelError: `function` cannot be called.
    """

    vocabulary = None

    def __init__(self, function: Callable[[str], str]) -> None:
        if not callable(function):
            raise ModelError(f"a function from prompt to text is called, not {shortened(function)}")
        self._function = function

    def __repr__(self) -> str:
        return f"<CallableModel of {shortened(self._function)}>"

    def generate(
        self,
        prompt: str | Sequence[int],
        *,
        grammar: CompiledGrammar | None = None,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
        on_text: TextObserver | None = None,
    ) -> Completion:
        """Continues `prompt` with what the function answers, up to the first of the `stop` texts.

        Args:
            prompt: The text to continue.
            grammar: Must be None.
            sampling: Checked, and without effect.
            stop: Texts at which to end; none of them is part of the result.
            on_text: Called with each piece of text once it is certain to be part of the result.
                If what it returns is true, the generation ends there, as at a stop string.

        Returns:
            The text, without token ids; its counts of tokens are 0.

        Raises:
            ModelError: A grammar, arguments of a wrong type, or an answer that is no string.
        """
        prompt = check_prompt(prompt)
        check_is_sampling(sampling)
        if grammar is not None:
            raise ModelError("a plain callable cannot be constrained by a grammar")
        stream = TextStream(stop, on_text)
        text = self._function(prompt)
        if not isinstance(text, str):
            raise ModelError(f"the callable returned {type(text).__name__} instead of text")
        stream.feed(text.encode("utf-8", "backslashreplace"))
        return Completion(stream.finish(), [], "stop" if stream.stopped else "complete", 0, 0)
