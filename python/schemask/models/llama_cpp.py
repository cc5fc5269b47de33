"""GGUF models through llama-cpp-python."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemask.chat import ChatTemplate
from schemask.core.generation import (
    Completion,
    Status,
    TextObserver,
    TextStream,
    check_count,
    check_is_vocabulary,
    check_observer,
    token_limit,
)
from schemask.core.logprobs import TokenObserver
from schemask.core.mask_step import MaskObserver
from schemask.core.sampling import GREEDY, Sampling, check_is_sampling
from schemask.core.vocabulary import Vocabulary
from schemask.models.base import template_of
from schemask.models.digests import file_digest, with_template
from schemask.models.waiting_line import WaitingLine

if TYPE_CHECKING:
    from llama_cpp import Llama

    from schemask._native import CompiledGrammar


class LlamaCppModel:
    """A `llama_cpp.Llama` as a `Model`.

    Args:
        llama: The model. Generations in several threads wait for one another, in the order in
            which they came, as it has room for one; give it to one `LlamaCppModel` only.
        vocabulary: Its vocabulary, if it has been read already.
        template: Its chat template, or the text or path of one, if it is not the one in the GGUF.

    Attributes:
        vocabulary: Its vocabulary.
        tokenizer: The `Llama`, which `schemask.chat.render_tokens` takes as tokenizer.

    Raises:
        ModelError: `vocabulary` is no `Vocabulary`.
        DependencyError: llama-cpp-python is not installed.
        VocabularyError: The tokens of the model cannot be read.
    """

    def __init__(
        self,
        llama: Llama,
        vocabulary: Vocabulary | None = None,
        *,
        template: ChatTemplate | str | None = None,
    ) -> None:
        if vocabulary is not None:
            check_is_vocabulary(vocabulary)
        self.vocabulary = vocabulary or Vocabulary.from_llama_cpp(llama)
        self.tokenizer: Any = llama
        self._llama: Any = llama
        self._given_template = template
        self._line = WaitingLine()

    def __repr__(self) -> str:
        return f"<LlamaCppModel of {self.vocabulary.size} tokens>"

    @functools.cached_property
    def template(self) -> ChatTemplate | None:
        """The chat template of the model, or the one that was given; None if there is none.

        Raises:
            FormatError: The template that was given, or the model's own, is none.
            DependencyError: A library without which it cannot be read is not installed.
        """
        return template_of(self._llama, self._given_template)

    @functools.cached_property
    def digest(self) -> str | None:
        """Sixteen digits that tell its file and template from others; None without a file."""
        return with_template(file_digest(Path(self._llama.model_path)), self._given_template)

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
    ) -> Completion:
        """Continues `prompt`; the limit on tokens is cut to what the context still holds.

        Args:
            prompt: The text to continue, in which special tokens are recognised, or its tokens.
            grammar: What the text must match, compiled for `vocabulary`; the text then ends valid
                within the limit on tokens.
            sampling: How tokens are chosen. Without its `top_p`, that of llama-cpp-python is taken.
            stop: Texts at which to end; none of them is part of the result.
            on_text: Called with each piece of text once it is certain to be part of the result.
                If what it returns is true, the generation ends there, as at a stop string.
            on_mask: Called with the `MaskStep` of each token that is chosen under the grammar.
            on_token: Called with the `TokenLogprobs` of each token, before `on_text`.
            top_logprobs: How many of the likeliest tokens it is told.

        Raises:
            ModelError: The prompt fills the context, the grammar is for another vocabulary, or an
                argument is of a wrong type.
            GenerationError: The generation could not go on; with the position and the text so far.
            LimitError: The limit on tokens is too small for any text of the grammar, or a mask
                takes too much work.
            DependencyError: llama-cpp-python is not installed.
        """
        check_is_sampling(sampling)
        with self._line.turn():
            if grammar is None:
                return self._continue(prompt, sampling, stop, on_text, on_token, top_logprobs)
            from schemask.llama_cpp import complete

            return complete(
                self._llama,
                prompt,
                grammar,
                max_tokens=sampling.max_tokens,
                stop=stop,
                temperature=sampling.temperature,
                seed=sampling.seed,
                on_text=on_text,
                on_mask=on_mask,
                on_token=on_token,
                top_logprobs=top_logprobs,
                **_cuts(sampling),
            )

    def _continue(
        self,
        prompt: str | Sequence[int],
        sampling: Sampling,
        stop: Sequence[str],
        on_text: TextObserver | None,
        on_token: TokenObserver | None,
        top_logprobs: int,
    ) -> Completion:
        from llama_cpp import LogitsProcessorList

        from schemask.llama_cpp import TokenReporter, encode_prompt

        check_observer("on_token", on_token)
        check_count("top_logprobs", top_logprobs, least=0)
        reporter = TokenReporter(on_token, top_logprobs)
        prompt_ids = encode_prompt(self._llama, prompt)
        limit = token_limit(sampling.max_tokens, len(prompt_ids), self._llama.n_ctx())
        stream = TextStream(stop, on_text)
        stop_ids = set(self.vocabulary.stop_token_ids)
        token_ids: list[int] = []
        status: Status = "max_tokens"
        if sampling.temperature > 0:
            self._llama.reset()  # for the sake of the seed; see schemask.llama_cpp.complete
        self._llama.set_seed(sampling.seed)
        tokens = self._llama.generate(
            prompt_ids,
            temp=sampling.temperature,
            **_cuts(sampling),
            logits_processor=LogitsProcessorList(reporter.processors),
        )
        try:
            for token in tokens:
                if token in stop_ids:
                    status = "complete"
                    break
                token_ids.append(token)
                reporter.tell(token, is_forced=False)
                if stream.feed(self.vocabulary.token(token)):
                    status = "stop"
                    break
                if len(token_ids) == limit:
                    break
        finally:
            tokens.close()
            # A later `Llama.sample` would go on with this sampler, whatever its own arguments say.
            self._llama._sampler = None
        return Completion(stream.finish(), token_ids, status, len(prompt_ids), len(token_ids))


def _cuts(sampling: Sampling) -> dict[str, Any]:
    """What is not left to the library."""
    return {} if sampling.top_p is None else {"top_p": sampling.top_p}
