"""Models through transformers."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from schemask.chat import ChatTemplate
from schemask.core.generation import (
    Completion,
    Status,
    TextObserver,
    TextStream,
    check_cancel,
    check_compiled,
    check_count,
    check_is_vocabulary,
    check_model,
    check_not_cancelled,
    check_observer,
    check_vocabulary,
    context_within,
    token_limit,
)
from schemask.core.logprobs import TokenObserver, forced_logprobs, token_logprobs
from schemask.core.mask_step import MaskObserver, Scored, mask_step
from schemask.core.mask_times import MasksObserver
from schemask.core.sampling import GREEDY, Sampling, check_is_sampling
from schemask.core.vocabulary import Vocabulary
from schemask.errors import GenerationError
from schemask.models.base import template_of
from schemask.models.digests import weights_digest, with_template
from schemask.models.waiting_line import WaitingLine

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from schemask._native import CompiledGrammar

_RANDOM = threading.Lock()


class TransformersModel:
    """A causal language model and its tokenizer as a `Model`.

    Args:
        model: The model, on any device. Generations in several threads wait for one another, in the
            order in which they came.
        tokenizer: Its tokenizer.
        vocabulary: Its vocabulary, if it has been read already.
        template: Its chat template, or the text or path of one, if it is not the tokenizer's.
        context_tokens: Most tokens of one prompt and its text together, where the model has room
            for more.

    Attributes:
        vocabulary: Its vocabulary.
        tokenizer: Its tokenizer.
        context_tokens: Most tokens of one prompt and its text together; None if nobody says.
        on_masks: If it is set, it is told what the mask of each pass takes.

    Raises:
        ModelError: `model` cannot generate, `vocabulary` is no `Vocabulary`, or `context_tokens` is
            no number of tokens.
        VocabularyError: The tokens of the tokenizer cannot be read.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        vocabulary: Vocabulary | None = None,
        *,
        template: ChatTemplate | str | None = None,
        context_tokens: int | None = None,
    ) -> None:
        check_model(model)
        if vocabulary is not None:
            check_is_vocabulary(vocabulary)
        config = model.config.get_text_config()
        self.vocabulary = vocabulary or Vocabulary.from_transformers(
            tokenizer, vocab_size=config.vocab_size
        )
        self._model: Any = model
        self.tokenizer: Any = tokenizer
        self._given_template = template
        self.context_tokens = context_within(
            getattr(config, "max_position_embeddings", None), context_tokens
        )
        self.on_masks: MasksObserver | None = None
        self._line = WaitingLine()

    def __repr__(self) -> str:
        return f"<TransformersModel {type(self._model).__name__} of {self.vocabulary.size} tokens>"

    @functools.cached_property
    def template(self) -> ChatTemplate | None:
        """The chat template of the model, or the one that was given; None if there is none.

        Raises:
            FormatError: The template that was given, or the model's own, is none.
            DependencyError: A library without which it cannot be read is not installed.
        """
        return template_of(self.tokenizer, self._given_template)

    @functools.cached_property
    def digest(self) -> str | None:
        """Sixteen digits that tell the weights of the model and its template from any other."""
        return with_template(weights_digest(self._model, self.tokenizer), self._given_template)

    def generate(
        self,
        prompt: str | Sequence[int],
        *,
        grammar: CompiledGrammar | None = None,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
        on_text: TextObserver | None = None,
        on_mask: MaskObserver | None = None,
        on_token: TokenObserver | None = None,
        top_logprobs: int = 0,
        cancel: threading.Event | None = None,
    ) -> Completion:
        """Continues `prompt`; the limit on tokens is cut to what the context still holds.

        Args:
            prompt: The text to continue, as the tokenizer reads it.
            grammar: What the text must match, compiled for `vocabulary`; the text then ends valid
                within the limit on tokens.
            sampling: How tokens are chosen. Without its `top_p`, that of the model's generation
                config is taken.
            stop: Texts at which to end; none of them is part of the result.
            on_text: Called with each piece of text once it is certain to be part of the result.
                If what it returns is true, the generation ends there, as at a stop string.
            on_mask: Called with the `MaskStep` of each token that is chosen under the grammar.
            on_token: Called with the `TokenLogprobs` of each token, before `on_text`.
            top_logprobs: How many of the likeliest tokens it is told.
            cancel: Once it is set, the generation ends before the next pass of the model, also
                one that waits. A prompt is read in one pass.

        Raises:
            ModelError: The prompt is empty or fills the context, the grammar is for another
                vocabulary, or an argument is of a wrong type.
            GenerationError: The generation could not go on, was cancelled, or ended where the text
                is not valid; with the position and the text so far.
            LimitError: The limit on tokens is too small for any text of the grammar, or a mask
                takes too much work.
        """
        check_is_sampling(sampling)
        check_observer("on_mask", on_mask)
        check_observer("on_token", on_token)
        check_count("top_logprobs", top_logprobs, least=0)
        check_cancel(cancel)
        with self._line.turn(cancel):
            return self._generate(
                prompt, grammar, sampling, stop, on_text, on_mask, on_token, top_logprobs, cancel
            )

    def _generate(
        self,
        prompt: str | Sequence[int],
        grammar: CompiledGrammar | None,
        sampling: Sampling,
        stop: Sequence[str],
        on_text: TextObserver | None,
        on_mask: MaskObserver | None,
        on_token: TokenObserver | None,
        top_logprobs: int,
        cancel: threading.Event | None,
    ) -> Completion:
        import torch
        from transformers import LogitsProcessorList, StoppingCriteriaList

        from schemask._forced_decoding import is_for
        from schemask._transformers_request import encode_prompt
        from schemask.transformers import SchemaLogitsProcessor, forced_decoding

        if grammar is not None:
            check_compiled(grammar)
            encode = functools.partial(self.tokenizer.encode, add_special_tokens=False)
            check_vocabulary(grammar.vocabulary, encode)
        prompt_ids = encode_prompt(self.tokenizer, prompt, self.vocabulary.size)
        length = len(prompt_ids)
        input_ids = torch.tensor([prompt_ids], device=self._model.device)
        limit = token_limit(sampling.max_tokens, length, self.context_tokens)
        stream = TextStream(stop, on_text)
        processor = None
        if grammar is not None:
            processor = SchemaLogitsProcessor(
                grammar,
                max_tokens=limit,
                margin=0.0 if sampling.temperature == 0 else math.inf,
                on_masks=self.on_masks,
            )
        scores = _Scores(processor, length, on_mask, on_token, top_logprobs)
        follower = _Follower(self.vocabulary, stream, length, scores, cancel)
        choosing: dict[str, Any] = {"do_sample": False}
        if processor is not None and is_for(self._model, choosing):
            choosing["custom_generate"] = forced_decoding(processor, self.tokenizer)
        if sampling.temperature > 0:
            choosing |= {"do_sample": True, "temperature": sampling.temperature}
            if sampling.top_p is not None:
                choosing["top_p"] = sampling.top_p
        with _seeded(sampling):
            self._model.generate(
                input_ids=input_ids,
                attention_mask=torch.ones_like(input_ids),
                **choosing,
                num_beams=1,
                num_return_sequences=1,
                max_new_tokens=limit,
                logits_processor=LogitsProcessorList([scores]),
                stopping_criteria=StoppingCriteriaList([follower]),
                eos_token_id=self.vocabulary.stop_token_ids,
                pad_token_id=self.vocabulary.stop_token_ids[0],
            )
        status: Status = "max_tokens"
        if stream.stopped:
            status = "stop"
        elif follower.is_complete:
            status = "complete"
        tokens = follower.token_ids
        if processor is not None and processor.is_cut(prompt_ids, tokens):
            status = "max_tokens"
        if grammar is not None and not stream.stopped:
            # The model's own generation config can end a generation in ways unknown here.
            matcher = grammar.matcher()
            if not all(map(matcher.accept, tokens)) or not matcher.is_accepting:
                raise GenerationError(
                    f"the text ends unfinished at position {len(tokens)}: {stream.finish()!r}"
                )
        return Completion(stream.finish(), tokens, status, length, len(tokens))


@contextlib.contextmanager
def _seeded(sampling: Sampling) -> Iterator[None]:
    """Random numbers that depend on the seed alone, if any are drawn. Their generator is that of
    the process, so that generations which draw wait for one another."""
    if sampling.temperature == 0:
        yield
        return
    import torch

    with _RANDOM, torch.random.fork_rng():
        torch.manual_seed(sampling.seed)
        yield


class _Scores:
    """The scores by which tokens are chosen, and who is told of them; batch size 1.

    As a logits processor it stands before all that cuts unlikely tokens off.

    Args:
        processor: Masks them, if there is a grammar.
        prompt_length: How many tokens come before the text.
        on_mask: Called with each mask's `MaskStep`.
        on_token: Called with the `TokenLogprobs` of each token.
        top: How many of the likeliest tokens it is told.
    """

    def __init__(
        self,
        processor: Any,
        prompt_length: int,
        on_mask: MaskObserver | None,
        on_token: TokenObserver | None,
        top: int,
    ) -> None:
        self._processor = processor
        self._prompt_length = prompt_length
        self._on_mask = on_mask
        self._on_token = on_token
        self._top = top
        self._position = -1
        self._row: npt.NDArray[Any] = np.zeros(0)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        masked = scores if self._processor is None else self._processor(input_ids, scores)
        self._position = input_ids.shape[1] - self._prompt_length
        if self._on_mask is not None and self._processor is not None:
            before, after = Scored.of(_row(scores)), Scored.of(_row(masked))
            self._on_mask(mask_step(self._position, before, after))
        if self._on_token is not None:
            self._row = _row(masked)
        return masked

    def tell(self, position: int, token_id: int) -> None:
        """Tells of a token; one that nobody chose is forced.

        Args:
            position: How many tokens came before it.
            token_id: The token.
        """
        if self._on_token is not None:
            is_chosen = position == self._position
            self._on_token(
                token_logprobs(token_id, self._row, self._top)
                if is_chosen
                else forced_logprobs(token_id, self._top)
            )


def _row(scores: Any) -> npt.NDArray[Any]:
    """The first of some rows of scores, of shape (width,)."""
    row: npt.NDArray[Any] = scores[0].float().cpu().numpy().copy()
    return row


class _Follower:
    """Stopping criterion that reads each token as it is generated; batch size 1."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        stream: TextStream,
        prompt_length: int,
        scores: _Scores,
        cancel: threading.Event | None,
    ) -> None:
        self.token_ids: list[int] = []
        self.is_complete = False
        self._vocabulary = vocabulary
        self._stops = set(vocabulary.stop_token_ids)
        self._stream = stream
        self._prompt_length = prompt_length
        self._scores = scores
        self._cancel = cancel

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        seen = self._prompt_length + len(self.token_ids)
        for token in input_ids[0, seen:].tolist():
            if self.is_complete or self._stream.stopped:
                break
            if token in self._stops:
                self.is_complete = True
            else:
                self._scores.tell(len(self.token_ids), token)
                self.token_ids.append(token)
                self._stream.feed(self._vocabulary.token(token))
        done = self.is_complete or self._stream.stopped
        if not done:
            check_not_cancelled(self._cancel, self._vocabulary, self.token_ids)
        return input_ids.new_full((input_ids.shape[0],), done, dtype=bool)
