"""Models through mlx-lm."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemask.chat import ChatTemplate
from schemask.core.generation import (
    Completion,
    Status,
    TextObserver,
    TextStream,
    check_cancel,
    check_count,
    check_is_vocabulary,
    check_not_cancelled,
    context_within,
    token_limit,
)
from schemask.core.logprobs import TokenObserver, token_logprobs
from schemask.core.mask_step import MaskObserver
from schemask.core.mask_times import MasksObserver
from schemask.core.sampling import GREEDY, Sampling, check_is_sampling
from schemask.core.vocabulary import Vocabulary
from schemask.models.base import template_of
from schemask.models.digests import with_template
from schemask.models.waiting_line import WaitingLine

if TYPE_CHECKING:
    from mlx import core as mx

    from schemask._native import CompiledGrammar


class MlxModel:
    """A model of mlx-lm and its tokenizer as a `Model`.

    Args:
        model: The model, as `mlx_lm.load` returns it. Generations in several threads wait for one
            another, in the order in which they came.
        tokenizer: Its tokenizer, likewise, or one of transformers.
        vocabulary: Its vocabulary, if it has been read already.
        template: Its chat template, or the text or path of one, if it is not the tokenizer's.
        context_tokens: Most tokens of one prompt and its text together, where the model has room
            for more.

    Attributes:
        vocabulary: Its vocabulary.
        tokenizer: Its tokenizer, as transformers made it.
        context_tokens: Most tokens of one prompt and its text together; None if nobody says.
        on_masks: If it is set, it is told what the mask of each pass takes.

    Raises:
        ModelError: `model` or `tokenizer` is none of mlx-lm, `vocabulary` is no `Vocabulary`, or
            `context_tokens` is no number of tokens.
        DependencyError: mlx-lm is not installed.
        VocabularyError: The tokens of the tokenizer cannot be read.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        vocabulary: Vocabulary | None = None,
        *,
        template: ChatTemplate | str | None = None,
        context_tokens: int | None = None,
    ) -> None:
        from schemask.mlx import check_mlx, context_of, unwrapped, width_of

        check_mlx(model, tokenizer)
        if vocabulary is not None:
            check_is_vocabulary(vocabulary)
        self.vocabulary = vocabulary or Vocabulary.from_transformers(
            tokenizer, vocab_size=width_of(model)
        )
        self.tokenizer: Any = unwrapped(tokenizer)
        self._model = model
        self.context_tokens = context_within(context_of(model), context_tokens)
        self.on_masks: MasksObserver | None = None
        self._given_template = template
        self._line = WaitingLine()

    def __repr__(self) -> str:
        return f"<MlxModel {type(self._model).__module__} of {self.vocabulary.size} tokens>"

    @functools.cached_property
    def template(self) -> ChatTemplate | None:
        """The chat template of the model, or the one that was given; None if there is none.

        Raises:
            FormatError: The template that was given, or the model's own, is none.
            DependencyError: A library without which it cannot be read is not installed.
        """
        return template_of(self.tokenizer, self._given_template)

    @functools.cached_property
    def digest(self) -> str:
        """Sixteen digits that tell the weights of the model and its template from any other."""
        import numpy as np
        from mlx import core as mx
        from mlx.utils import tree_flatten

        known = hashlib.sha256(repr(getattr(self.tokenizer, "chat_template", None)).encode())
        for name, value in sorted(tree_flatten(self._model.parameters())):
            known.update(f"{name} {value.dtype} {value.shape}".encode())
            known.update(np.array(value.reshape(-1).view(mx.uint8)).tobytes())
        digest = with_template(known.hexdigest()[:16], self._given_template)
        assert digest is not None
        return digest

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
            prompt: The text to continue, as the tokenizer reads it, or its tokens.
            grammar: What the text must match, compiled for `vocabulary`; the text then ends valid
                within the limit on tokens.
            sampling: How tokens are chosen. Without its `top_p`, all of them can be drawn.
            stop: Texts at which to end; none of them is part of the result.
            on_text: Called with each piece of text once it is certain to be part of the result.
                If what it returns is true, the generation ends there, as at a stop string.
            on_mask: Called with the `MaskStep` of each token that is chosen under the grammar.
            on_token: Called with the `TokenLogprobs` of each token, before `on_text`.
            top_logprobs: How many of the likeliest tokens it is told.
            cancel: Once it is set, the generation ends before the next pass of the model, also
                one that waits or reads its prompt.

        Raises:
            ModelError: The prompt fills the context, the grammar is for another vocabulary, or an
                argument is of a wrong type.
            GenerationError: The generation could not go on, or was cancelled; with the position
                and the text so far.
            LimitError: The limit on tokens is too small for any text of the grammar, or a mask
                takes too much work.
        """
        from schemask.mlx import generate

        check_is_sampling(sampling)
        check_cancel(cancel)
        with self._line.turn(cancel):
            if grammar is None:
                return self._continue(
                    prompt, sampling, stop, on_text, on_token, top_logprobs, cancel
                )
            return generate(
                self._model,
                self.tokenizer,
                prompt,
                grammar,
                max_tokens=sampling.max_tokens,
                sampler=_sampler(sampling),
                stop=stop,
                on_text=on_text,
                on_mask=on_mask,
                on_masks=self.on_masks,
                on_token=on_token,
                top_logprobs=top_logprobs,
                cancel=cancel,
            )

    def _continue(
        self,
        prompt: str | Sequence[int],
        sampling: Sampling,
        stop: Sequence[str],
        on_text: TextObserver | None,
        on_token: TokenObserver | None,
        top_logprobs: int,
        cancel: threading.Event | None,
    ) -> Completion:
        from mlx import core as mx
        from mlx_lm.generate import generate_step, generation_stream, wired_limit

        from schemask.mlx import encode_prompt, row_of

        check_count("top_logprobs", top_logprobs, least=0)
        prompt_ids = encode_prompt(self.tokenizer, prompt, self.vocabulary.size)
        limit = token_limit(sampling.max_tokens, len(prompt_ids), self.context_tokens)
        stream = TextStream(stop, on_text)
        stop_ids = set(self.vocabulary.stop_token_ids)
        token_ids: list[int] = []
        status: Status = "max_tokens"

        def look(*_: int) -> None:
            check_not_cancelled(cancel, self.vocabulary, token_ids)

        steps = generate_step(
            mx.array(prompt_ids),
            self._model,
            max_tokens=limit,
            sampler=_sampler(sampling),
            prompt_progress_callback=look,
        )
        with wired_limit(self._model, [generation_stream]), contextlib.closing(steps):
            for token, logprobs in steps:
                if token in stop_ids:
                    status = "complete"
                    break
                token_ids.append(token)
                if on_token is not None:
                    on_token(token_logprobs(token, row_of(logprobs), top_logprobs))
                if stream.feed(self._bytes(token)):
                    status = "stop"
                    break
                look()
        return Completion(stream.finish(), token_ids, status, len(prompt_ids), len(token_ids))

    def _bytes(self, token_id: int) -> bytes:
        """What a token spells; nothing where the model has more logits than there are tokens."""
        is_known = token_id < self.vocabulary.size
        return self.vocabulary.token(token_id) if is_known else b""


def _sampler(sampling: Sampling) -> Callable[[mx.array], mx.array] | None:
    """Chooses tokens as mlx-lm does, by random numbers that depend on the seed alone; None is
    greedy."""
    from mlx import core as mx
    from mlx_lm.sample_utils import apply_top_p

    temperature, top_p = sampling.temperature, sampling.top_p
    if temperature == 0 or top_p == 0:  # of the least share there is only the likeliest token
        return None
    key = mx.random.key(sampling.seed)

    def choose(logprobs: mx.array) -> mx.array:
        nonlocal key
        key, own = mx.random.split(key)
        if top_p is not None and top_p < 1:
            logprobs = apply_top_p(logprobs, top_p)
        # In half precision, the best one could overflow like the others.
        return mx.random.categorical(logprobs.astype(mx.float32) / temperature, key=own)

    return choose


def is_mlx_folder(path: Path) -> bool:
    """Whether the weights in a folder say that mlx wrote them. What cannot be read does not.

    Args:
        path: The folder.
    """
    for file in sorted(path.glob("model*.safetensors")):
        try:
            with file.open("rb") as weights:
                length = int.from_bytes(weights.read(8), "little")
                header = json.loads(weights.read(min(length, _LONGEST_HEADER)))
            return bool(header["__metadata__"]["format"] == "mlx")
        except (OSError, ValueError, KeyError, TypeError):
            return False
    return False


_LONGEST_HEADER = 100_000_000  # safetensors refuses longer ones
