"""What the plug-ins and the models share: the result of a generation, its text as it grows, and
the errors that stop it."""

from __future__ import annotations

import codecs
import itertools
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from schemask._native import CompiledGrammar, Matcher, Vocabulary
from schemask.errors import GenerationError, ModelError, shortened

Status: TypeAlias = Literal["complete", "max_tokens", "stop"]
TextObserver: TypeAlias = Callable[[str], object]
"""Called with each piece of text once it is certain to be part of the result; the generation ends
there, as at a stop string, if what it returns is true."""


@dataclass(frozen=True)
class Completion:
    """What a model wrote after a prompt.

    Attributes:
        text: The text, without stop tokens and stop strings.
        token_ids: The tokens as generated, without a stop token; empty if the model does not tell.
        status: Why it ended: "complete" with a stop token of the model, "stop" at a stop string,
            "max_tokens" at the limit. Under a grammar the text is valid, unless a stop string cut
            it; "max_tokens" then means that the limit ended it or had a say in it: at some token
            it forbade one that the model might have chosen, so what the text says may be cut
            short. Greedy decoding counts only what the model would have chosen.
        prompt_tokens: Number of tokens of the prompt; 0 if the model does not tell.
        completion_tokens: Number of tokens generated; 0 if the model does not tell.
    """

    text: str
    token_ids: list[int]
    status: Status
    prompt_tokens: int
    completion_tokens: int

    def __repr__(self) -> str:
        return f"<Completion {self.status}: {shortened(self.text)}>"


class TextStream:
    """Turns the bytes of tokens into text, watches for stop strings, and reports what is certain.

    Characters may be spread over tokens, and stop strings over both. Bytes that are no UTF-8 (an
    unconstrained model can write such) become U+FFFD.
    """

    def __init__(self, stop: str | Sequence[str], on_text: TextObserver | None = None) -> None:
        if not isinstance(stop, Iterable):
            raise ModelError(f"stop is a string or a list of strings, not {shortened(stop)}")
        check_observer("on_text", on_text)
        stop = [stop] if isinstance(stop, str) else list(stop)
        if wrong := [item for item in stop if not isinstance(item, str)]:
            raise ModelError(f"stop strings are strings, not {shortened(wrong[0])}")
        if not all(stop):
            raise ModelError("an empty stop string would stop everything")
        self.stopped = False
        self._stop = tuple(stop)
        self._longest = max(map(len, self._stop), default=0)
        self._on_text = on_text
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._reported = 0

    def feed(self, data: bytes) -> bool:
        """Adds the bytes of one token; True once the text holds a stop string."""
        self._add(self._decoder.decode(data))
        return self.stopped

    def finish(self) -> str:
        """The whole text, up to the first stop string."""
        self._add(self._decoder.decode(b"", final=True))
        self._report(len(self._text))
        return self._text

    def _add(self, piece: str) -> None:
        if self.stopped:
            return
        unsearched = max(0, len(self._text) - self._longest + 1)
        self._text += piece
        # The stop string that is complete first counts, however the text is cut into pieces.
        found = [
            (at + len(stop), at)
            for stop in self._stop
            if (at := self._text.find(stop, unsearched)) >= 0
        ]
        if found:
            self.stopped = True
            self._text = self._text[: min(found)[1]]
        self._report(len(self._text) - (0 if self.stopped else self._held_back()))

    def _held_back(self) -> int:
        """Length of the longest end of the text that may be the start of a stop string."""
        for length in range(min(self._longest - 1, len(self._text)), 0, -1):
            if any(stop.startswith(self._text[-length:]) for stop in self._stop):
                return length
        return 0

    def _report(self, end: int) -> None:
        if self._on_text is not None and end > self._reported:
            piece, self._reported = self._text[self._reported : end], end
            self.stopped = bool(self._on_text(piece)) or self.stopped


def context_within(context: int | None, most: int | None) -> int | None:
    """How many tokens a prompt and its text may take together; None if nobody says.

    Args:
        context: For how many the model has room, if it says so.
        most: How many its user allows, if that is bounded.

    Raises:
        ModelError: `most` is no number of tokens.
    """
    if most is None:
        return context
    check_count("context_tokens", most)
    return most if context is None else min(context, most)


def token_limit(max_tokens: int, prompt_tokens: int, context: int | None) -> int:
    """`max_tokens`, cut to what a context of so many tokens still holds after the prompt.

    Raises:
        ModelError: That is nothing.
    """
    limit = max_tokens if context is None else min(max_tokens, context - prompt_tokens)
    if limit <= 0:
        room = "" if context is None else f" of {context} tokens of context"
        raise ModelError(
            f"no room to generate: max_tokens is {max_tokens}, and the prompt takes "
            f"{prompt_tokens}{room}"
        )
    return limit


# Letters, digits and the marks of JSON: no tokenizer that can be read as bytes changes these.
_PROBE = '{"name": "Ada Lovelace", "born": 1815, "works": ["notes"]}'


def check_compiled(grammar: object) -> None:
    """Raises ModelError for what is no `CompiledGrammar`."""
    if isinstance(grammar, CompiledGrammar):
        return
    hint = ""
    if hasattr(grammar, "compile"):
        hint = ": compile it for the model's vocabulary, grammar.compile(vocabulary)"
    raise ModelError(f"the grammar is a CompiledGrammar, not {type(grammar).__name__}{hint}")


def check_is_vocabulary(vocabulary: object) -> None:
    """Raises ModelError for what is no `Vocabulary`."""
    if not isinstance(vocabulary, Vocabulary):
        raise ModelError(f"the vocabulary is a Vocabulary, not {shortened(vocabulary)}")


def check_model(model: object) -> None:
    """Raises ModelError for what is no model of transformers."""
    if not hasattr(model, "generate") or not hasattr(model, "config"):
        raise ModelError(f"the model is one of transformers, not {shortened(model)}")


def check_vocabulary(vocabulary: Vocabulary, tokenize: Callable[[str], Sequence[int]]) -> None:
    """Raises ModelError if the model's own tokens of a text do not spell it in the vocabulary."""
    ids = tokenize(_PROBE)
    known = all(0 <= token_id < vocabulary.size for token_id in ids)
    if not known or text_of(vocabulary, ids).strip() != _PROBE:
        raise ModelError(
            f"the grammar is compiled for another vocabulary (of {vocabulary.size} tokens) than "
            "the model's: compile it for the vocabulary of this model"
        )


def check_count(name: str, value: object, least: int = 1) -> None:
    """Raises ModelError for a number that is no integer or too small."""
    if problem := count_problem(name, value, least):
        raise ModelError(problem)


def count_problem(name: str, value: object, least: int = 1) -> str | None:
    """What is wrong with a number that should be an integer of at least `least`, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        return f"{name} is an integer, not {shortened(value)}"
    return f"{name} is at least {least}, not {shortened(value)}" if value < least else None


def check_cancel(cancel: object) -> None:
    """Raises ModelError for what is neither None nor an event."""
    if cancel is not None and not isinstance(cancel, threading.Event):
        raise ModelError(f"cancel is a threading.Event, not {shortened(cancel)}")


def check_observer(name: str, observer: object) -> None:
    """Raises ModelError for what is neither None nor can be called."""
    if observer is not None and not callable(observer):
        raise ModelError(f"{name} is a function, not {shortened(observer)}")


def check_prompt(prompt: object) -> str:
    """The prompt; raises ModelError if it is no string, or one that UTF-8 cannot hold."""
    if not isinstance(prompt, str):
        raise ModelError(f"the prompt is a string, not {shortened(prompt)}")
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise ModelError(f"the prompt has a lone surrogate at character {error.start}") from error
    return prompt


def check_number(name: str, value: object, most: float = math.inf) -> None:
    """Raises ModelError for what is no number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise ModelError(f"{name} is a number, not {shortened(value)}")
    if not 0 <= value <= most:
        raise ModelError(f"{name} is from 0 to {most}, not {shortened(value)}")


def check_token_ids(ids: Sequence[object], size: int) -> None:
    """Raises ModelError for a prompt of no tokens, or of ids that a vocabulary of `size` lacks."""
    if not ids:
        raise ModelError("the prompt has no tokens")
    for token_id in ids:
        if isinstance(token_id, bool) or not isinstance(token_id, (int, np.integer)):
            raise ModelError(
                f"a prompt is a string or a list of token ids, not of {shortened(token_id)}"
            )
        if not 0 <= token_id < size:
            raise ModelError(
                f"token {shortened(token_id)} of the prompt is none of the model's {size}"
            )


def check_sampling(max_tokens: object, temperature: object, seed: object) -> None:
    """Raises ModelError for settings that no model takes."""
    check_count("max_tokens", max_tokens)
    check_count("seed", seed, least=0)
    if isinstance(temperature, bool) or not isinstance(temperature, (int, float, np.number)):
        raise ModelError(f"temperature is a number, not {shortened(temperature)}")
    if not 0 <= temperature < math.inf:
        raise ModelError(f"temperature is at least 0 and finite, not {temperature}")


def is_wish(forbidden: float, allowed: float, margin: float) -> bool:
    """Whether a token that a budget forbids might have been chosen, had there been no budget.

    Args:
        forbidden: The best score of the tokens that the budget forbids; -inf if there are none.
        allowed: The best score of those that are left.
        margin: By how much a token's score may lie below the best one for it to be chosen: 0 where
            decoding is greedy, inf where any token can be drawn.
    """
    return forbidden > -math.inf and forbidden >= max(forbidden, allowed) - margin


def text_of(vocabulary: Vocabulary, token_ids: Sequence[int]) -> str:
    """The text of generated tokens; bytes that are not UTF-8 become U+FFFD."""
    return b"".join(map(vocabulary.token, token_ids)).decode(errors="replace")


def accept_forced(
    matcher: Matcher, vocabulary: Vocabulary, tokenize: Callable[[bytes], list[int]]
) -> list[int]:
    """Accepts the text that is forced next, as far as the budget allows, and returns its tokens.

    Args:
        matcher: Where the text stands.
        vocabulary: The vocabulary of the matcher.
        tokenize: The model's own tokenizer. It writes the forced text as the model would; a
            model that is made to read other tokens of the same text goes astray.

    Raises:
        LimitError: To find the forced text takes too much work.
    """
    forced = matcher.forced_tokens()
    text = b"".join(map(vocabulary.token, forced))
    own = tokenize(text) if text else []
    if b"".join(map(vocabulary.token, own)) == text:  # no space was put before it
        forced = own
    return [*itertools.takewhile(matcher.accept, forced)]


def check_not_cancelled(
    cancel: threading.Event | None, vocabulary: Vocabulary, token_ids: Sequence[int]
) -> None:
    """Raises GenerationError once nobody wants the text any more.

    Args:
        cancel: Set by whoever wants no more of it.
        vocabulary: The vocabulary of the model.
        token_ids: The tokens so far.
    """
    if cancel is not None and cancel.is_set():
        raise stopped_at(vocabulary, token_ids, "cancelled")


def stopped_at(vocabulary: Vocabulary, token_ids: Sequence[int], reason: str) -> GenerationError:
    """The error for a text that is ended from outside.

    Args:
        vocabulary: The vocabulary of the model.
        token_ids: The tokens so far.
        reason: Why it is ended.
    """
    return GenerationError(
        f"stopped at position {len(token_ids)}, after {text_of(vocabulary, token_ids)!r}: {reason}"
    )


def refusal(vocabulary: Vocabulary, token_ids: Sequence[int], position: int) -> GenerationError:
    """The error for a sequence that holds a token the grammar does not allow there.

    Args:
        vocabulary: The vocabulary of the grammar.
        token_ids: The generated tokens.
        position: Index of the refused token in `token_ids`.
    """
    token_id = token_ids[position]
    known = 0 <= token_id < vocabulary.size
    name = repr(vocabulary.token(token_id)) if known else "outside the vocabulary"
    return GenerationError(
        f"token {token_id} ({name}) at position {position} of the generated text "
        f"is not allowed after {text_of(vocabulary, token_ids[:position])!r}"
    )
