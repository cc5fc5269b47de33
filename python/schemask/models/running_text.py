"""One text of several that one worker generates, and the thread that waits for it."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
import numpy.typing as npt

from schemask._native import Matcher
from schemask.core.generation import (
    Completion,
    Status,
    TextObserver,
    TextStream,
    accept_forced,
    refusal,
    stopped_at,
    text_of,
)
from schemask.core.logprobs import TokenObserver, forced_logprobs, token_logprobs
from schemask.core.mask_step import MaskObserver
from schemask.core.masked_scores import Logits, MaskedScores, StopTokens
from schemask.core.sampling import Sampling
from schemask.core.vocabulary import Vocabulary
from schemask.errors import GenerationError


class RunningText:
    """A text from its prompt to its end.

    The worker carries it on; observers are called by the thread that waits for the text, so that a
    slow one delays no other text, and what one raises is raised where it belongs.

    Args:
        prompt_ids: The tokens to continue.
        limit: Most tokens of the text.
        sampling: How tokens are chosen.
        vocabulary: The vocabulary of the model.
        tokenize: The model's own tokenizer; see `accept_forced`.
        matcher: Where the text stands in its grammar, if it has one, with the limit as budget.
        margin: See `MaskedScores`.
        stop: Texts at which to end.
        on_text: Called with each piece of text once it is certain to be part of the result.
            If what it returns is true, the generation ends there, as at a stop string.
        on_mask: Called with the `MaskStep` of each token that is chosen under the grammar.
        on_token: Called with the `TokenLogprobs` of each token.
        top_logprobs: How many of the likeliest tokens it is told.
        cancel: Set by whoever wants no more of the text.
        repeatable: Whether nothing of earlier texts may have a say in the last bit of a score.

    Attributes:
        sampling: How tokens are chosen.
        matcher: Where the text stands in its grammar, if it has one.
        pending: The tokens that the model has to read next.
        most_cells: How many tokens the model holds of prompt and text at the end, at most.
        is_repeatable: Whether nothing of earlier texts may have a say.
    """

    def __init__(
        self,
        prompt_ids: list[int],
        limit: int,
        sampling: Sampling,
        vocabulary: Vocabulary,
        tokenize: Callable[[bytes], list[int]],
        *,
        matcher: Matcher | None,
        margin: float,
        stop: Sequence[str],
        on_text: TextObserver | None,
        on_mask: MaskObserver | None,
        on_token: TokenObserver | None,
        top_logprobs: int,
        cancel: threading.Event | None,
        repeatable: bool,
    ) -> None:
        self.sampling = sampling
        self.matcher = matcher
        self.pending = prompt_ids
        self.most_cells = len(prompt_ids) + limit
        self.is_repeatable = repeatable
        self._vocabulary = vocabulary
        self._tokenize = tokenize
        self._prompt_tokens = len(prompt_ids)
        self._limit = limit
        self._on_token = self._later(on_token)
        self._top = top_logprobs
        self._stream = TextStream(stop, self._later(on_text))
        self._bitmask: npt.NDArray[np.int32] | None = None
        self._masked: MaskedScores | None = None
        if matcher is not None:
            later = self._later(on_mask)
            self._masked = MaskedScores(matcher, vocabulary.size, margin, later)
        self._stop_ids = frozenset(vocabulary.stop_token_ids)
        self._token_ids: list[int] = []
        self._cancel = cancel
        self._is_left = False
        self._on_text = on_text
        # An observer, what it is told, and how many tokens there were then.
        self._told: queue.SimpleQueue[tuple[Callable[[Any], object], Any, int] | None] = (
            queue.SimpleQueue()
        )
        self._outcome: Future[Completion] = Future()

    # for the thread that waits

    def wait(self) -> Completion:
        """The result, once it is there; until then, calls the observers.

        Raises:
            GenerationError: The generation could not go on.
            LimitError: A mask takes too much work.
        """
        text = ""
        try:
            while (told := self._told.get()) is not None:
                observer, value, count = told
                is_enough = bool(observer(value))
                if observer is self._on_text:
                    text += value
                    if is_enough:
                        self._is_left = True
                        ids = self._token_ids[:count]
                        return Completion(text, ids, "stop", self._prompt_tokens, count)
        except BaseException:
            self._is_left = True
            raise
        return self._outcome.result()

    # for the worker

    @property
    def is_unwanted(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._is_left or (self._cancel is not None and self._cancel.is_set())

    @property
    def is_done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._outcome.done()

    def allow(self, bitmask: npt.NDArray[np.int32], stop_tokens: StopTokens) -> None:
        """Takes the mask where the text stands; ends the text if that allows nothing more.

        Args:
            bitmask: The mask, of shape (words,), which stays as it is until the next token.
            stop_tokens: Those of the vocabulary.

        Raises:
            LimitError: To find what the budget forbids takes too much work.
            GenerationError: The text is not finished.
        """
        self._bitmask = bitmask
        if self._masked is None or not stop_tokens.are_all(bitmask):
            return
        if not self._masked.budget_forbids():
            self._end("complete")

    def mask(self, scores: Logits) -> None:
        """Sets what the grammar forbids to -inf in `scores`, of shape (width,).

        Raises:
            MaskError: The mask is narrower.
            LimitError: To find what the budget forbids takes too much work.
        """
        if self._masked is not None and self._bitmask is not None:
            self._masked.apply(scores, self._bitmask, len(self._token_ids))

    def extend(self, chosen: int, scores: Logits) -> None:
        """Goes on with a token that was chosen, and with what is forced after it.

        Args:
            chosen: The token.
            scores: The masked scores that it was chosen by.

        Raises:
            GenerationError: The grammar does not allow the token, or the text ends unfinished.
            LimitError: To find the forced text takes too much work.
        """
        if chosen in self._stop_ids:
            self._end("complete")
            return
        run = [chosen, *self._forced_after(chosen)]
        for place, token_id in enumerate(run):
            if self._on_token is not None:
                is_forced = place > 0
                self._on_token(
                    forced_logprobs(token_id, self._top)
                    if is_forced
                    else token_logprobs(token_id, scores, self._top)
                )
            self._token_ids.append(token_id)
            if self._stream.feed(self._vocabulary.token(token_id)):
                self._end("stop")
                return
        if len(self._token_ids) >= self._limit:
            self._end("max_tokens")
        self.pending = run

    def stop(self, reason: str) -> None:
        """Ends it with a `GenerationError`."""
        self.fail(stopped_at(self._vocabulary, self._token_ids, reason))

    def fail(self, error: BaseException) -> None:
        """Ends it with an exception."""
        self._outcome.set_exception(error)
        self._told.put(None)

    def _forced_after(self, chosen: int) -> list[int]:
        if self.matcher is None:
            return []
        if chosen >= self._vocabulary.size or not self.matcher.accept(chosen):
            raise refusal(self._vocabulary, [*self._token_ids, chosen], len(self._token_ids))
        return accept_forced(self.matcher, self._vocabulary, self._tokenize)

    def _end(self, status: Status) -> None:
        if status != "stop" and self.matcher is not None and not self.matcher.is_accepting:
            raise GenerationError(
                f"the text ends at position {len(self._token_ids)}, unfinished: "
                f"{text_of(self._vocabulary, self._token_ids)!r}"
            )
        if self._masked is not None and self._masked.is_cut:
            status = "max_tokens"
        text, ids = self._stream.finish(), self._token_ids
        self._outcome.set_result(Completion(text, ids, status, self._prompt_tokens, len(ids)))
        self._told.put(None)

    def _later(self, observer: Callable[[Any], object] | None) -> Callable[[Any], None] | None:
        """An observer that has another one called by the thread that waits."""
        return None if observer is None else functools.partial(self._tell, observer)

    def _tell(self, observer: Callable[[Any], object], value: object) -> None:
        self._told.put((observer, value, len(self._token_ids)))
