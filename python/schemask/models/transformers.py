"""Models through transformers."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from schemask.chat import ChatTemplate
from schemask.core.generation import (
    Completion,
    Status,
    TextObserver,
    TextStream,
    check_compiled,
    check_is_vocabulary,
    check_model,
    check_vocabulary,
    token_limit,
)
from schemask.core.mask_step import MaskObserver, Scored, mask_step
from schemask.core.sampling import GREEDY, Sampling, check_is_sampling
from schemask.core.vocabulary import Vocabulary
from schemask.errors import GenerationError
from schemask.models.base import template_of
from schemask.models.digests import weights_digest, with_template

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from schemask._native import CompiledGrammar

_RANDOM = threading.Lock()


class TransformersModel:
    """A causal language model and its tokenizer as a `Model`.

    Args:
        model: The model, on any device.
        tokenizer: Its tokenizer.
        vocabulary: Its vocabulary, if it has been read already.
        template: Its chat template, or the text or path of one, if it is not the tokenizer's.

    Attributes:
        vocabulary: Its vocabulary.
        tokenizer: Its tokenizer.

    Raises:
        ModelError: `model` cannot generate, or `vocabulary` is no `Vocabulary`.
        VocabularyError: The tokens of the tokenizer cannot be read.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        vocabulary: Vocabulary | None = None,
        *,
        template: ChatTemplate | str | None = None,
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
        self._context: int | None = getattr(config, "max_position_embeddings", None)

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

        Raises:
            ModelError: The prompt is empty or fills the context, the grammar is for another
                vocabulary, or an argument is of a wrong type.
            GenerationError: The generation could not go on, or ended where the text is not valid;
                with the position and the text so far.
            LimitError: The limit on tokens is too small for any text of the grammar, or a mask
                takes too much work.
        """
        import torch
        from transformers import LogitsProcessorList, StoppingCriteriaList

        from schemask._forced_decoding import is_for
        from schemask._transformers_request import encode_prompt
        from schemask.transformers import SchemaLogitsProcessor, forced_decoding

        check_is_sampling(sampling)
        if grammar is not None:
            check_compiled(grammar)
            encode = functools.partial(self.tokenizer.encode, add_special_tokens=False)
            check_vocabulary(grammar.vocabulary, encode)
        prompt_ids = encode_prompt(self.tokenizer, prompt, self.vocabulary.size)
        length = len(prompt_ids)
        input_ids = torch.tensor([prompt_ids], device=self._model.device)
        limit = token_limit(sampling.max_tokens, length, self._context)
        stream = TextStream(stop, on_text)
        follower = _Follower(self.vocabulary, stream, length)
        processors = []
        if grammar is not None:
            margin = 0.0 if sampling.temperature == 0 else math.inf
            processors = [SchemaLogitsProcessor(grammar, max_tokens=limit, margin=margin)]
        choosing: dict[str, Any] = {"do_sample": False}
        if processors and is_for(self._model, choosing):
            choosing["custom_generate"] = forced_decoding(processors[0], self.tokenizer)
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
                logits_processor=LogitsProcessorList(
                    processors
                    if on_mask is None
                    else [_Reported(p, on_mask, length) for p in processors]
                ),
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
        if any(processor.is_cut(prompt_ids, tokens) for processor in processors):
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


class _Reported:
    """A logits processor whose masks are told; batch size 1."""

    def __init__(self, processor: Any, on_mask: MaskObserver, prompt_length: int) -> None:
        self._processor = processor
        self._on_mask = on_mask
        self._prompt_length = prompt_length

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        masked = self._processor(input_ids, scores)
        before, after = (Scored.of(row[0].float().cpu().numpy()) for row in (scores, masked))
        self._on_mask(mask_step(input_ids.shape[1] - self._prompt_length, before, after))
        return masked


class _Follower:
    """Stopping criterion that reads each token as it is generated; batch size 1."""

    def __init__(self, vocabulary: Vocabulary, stream: TextStream, prompt_length: int) -> None:
        self.token_ids: list[int] = []
        self.is_complete = False
        self._vocabulary = vocabulary
        self._stops = set(vocabulary.stop_token_ids)
        self._stream = stream
        self._prompt_length = prompt_length

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        seen = self._prompt_length + len(self.token_ids)
        for token in input_ids[0, seen:].tolist():
            if self.is_complete or self._stream.stopped:
                break
            if token in self._stops:
                self.is_complete = True
            else:
                self.token_ids.append(token)
                self._stream.feed(self._vocabulary.token(token))
        done = self.is_complete or self._stream.stopped
        return input_ids.new_full((input_ids.shape[0],), done, dtype=bool)
