"""Texts of one GGUF model, generated side by side through llama-cpp-python."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from schemask.chat import ChatTemplate
from schemask.core.generation import (
    Completion,
    TextObserver,
    check_cancel,
    check_compiled,
    check_count,
    check_is_vocabulary,
    check_observer,
    check_vocabulary,
    token_limit,
)
from schemask.core.logprobs import TokenObserver
from schemask.core.mask_step import MaskObserver
from schemask.core.mask_times import MasksObserver, fill_masks_timed
from schemask.core.masked_scores import StopTokens
from schemask.core.masking import allocate_mask
from schemask.core.sampling import GREEDY, Sampling, check_is_sampling
from schemask.core.vocabulary import Vocabulary
from schemask.errors import GenerationError, ModelError
from schemask.models.base import template_of
from schemask.models.digests import file_digest, with_template
from schemask.models.running_text import RunningText

if TYPE_CHECKING:
    from llama_cpp import Llama

    from schemask._native import CompiledGrammar
    from schemask.models.llama_cells import LlamaSequence

# llama-cpp-python's own: tokens that are less likely by this factor than the best are not drawn.
MIN_P = 0.05


class LlamaSequences:
    """A `schemask.llama_cpp.Llama` as a `TokenModel` whose texts share each pass of the model.

    Any number of threads may call `generate` at once. As many texts run as the model has sequences
    (`Llama(path, n_ctx=…, n_seq_max=…)`); others wait in the order in which they came. All share
    the `n_ctx` tokens of its context: each text gets what its prompt and its limit on tokens can
    take together, or waits until that much is free. In a pass, each text that runs reads what it
    has chosen and what the grammar forces after that; what the pass still has room for (of the
    `n_batch` tokens of the model) is divided among the prompts that are being read, so that a long
    one holds nobody up for more than a pass.

    A text that runs beside others is the one that it would be alone, but for what floating point
    makes of the last bits of its scores, which depend on what is computed together.

    Args:
        llama: The model; give it to nobody else. To close it is left to its owner, after `close`.
        vocabulary: Its vocabulary, if it has been read already.
        template: Its chat template, or the text or path of one, if it is not the one in the GGUF.
        context_tokens: Most tokens of one prompt and its text together. By default those that the
            model was trained on, or all that the context holds if that is less.

    Attributes:
        vocabulary: Its vocabulary.
        tokenizer: The `Llama`, which `schemask.chat.render_tokens` takes as tokenizer.
        context_tokens: Most tokens of one prompt and its text together.
        on_masks: If it is set, it is told what the masks of each pass take.

    Raises:
        ModelError: `llama` is no `Llama`, or one whose sequences do not share its context;
            `vocabulary` is no `Vocabulary`, or `context_tokens` more than the context holds.
        DependencyError: llama-cpp-python is not installed.
        VocabularyError: The tokens of the model cannot be read.
    """

    def __init__(
        self,
        llama: Llama,
        vocabulary: Vocabulary | None = None,
        *,
        template: ChatTemplate | str | None = None,
        context_tokens: int | None = None,
    ) -> None:
        from schemask.llama_cpp import check_llama
        from schemask.models.llama_cells import LlamaCells

        check_llama(llama)
        if vocabulary is not None:
            check_is_vocabulary(vocabulary)
        self.tokenizer: Any = llama
        self._llama: Any = llama
        params = self._llama.context_params
        if params.n_seq_max > 1 and not params.kv_unified:
            raise ModelError(
                "the sequences do not share the context: make the model with "
                "schemask.llama_cpp.Llama(path, n_seq_max=...)"
            )
        self.vocabulary = vocabulary or Vocabulary.from_llama_cpp(llama)
        self._given_template = template
        self._cells = LlamaCells(llama)
        self.context_tokens = min(self._cells.size, self._llama._model.n_ctx_train())
        if context_tokens is not None:
            check_count("context_tokens", context_tokens)
            if context_tokens > self._cells.size:
                raise ModelError(
                    f"context_tokens is {context_tokens}, but the context holds {self._cells.size}"
                )
            self.context_tokens = context_tokens
        size = self.vocabulary.size
        self._bitmask = allocate_mask(len(self._cells.sequences), size)
        self._stop_tokens = StopTokens(self.vocabulary.stop_token_ids, size)
        self._tokenize: Callable[[bytes], list[int]] = functools.partial(
            self._llama.tokenize, add_bos=False, special=False
        )
        # Guards what stands below; all else is the worker's, who is there while there are texts.
        self._lock = threading.Lock()
        self._waiting: deque[RunningText] = deque()
        self._worker: threading.Thread | None = None
        self._is_closed = False
        self.on_masks: MasksObserver | None = None

    def __repr__(self) -> str:
        count = len(self._cells.sequences)
        return f"<LlamaSequences {count} of {self.vocabulary.size} tokens>"

    def __enter__(self) -> LlamaSequences:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def sequences(self) -> int:
        """How many texts run side by side at most."""
        return len(self._cells.sequences)

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
        cancel: threading.Event | None = None,
        repeatable: bool = True,
    ) -> Completion:
        """Continues `prompt`; the limit on tokens is cut to what `context_tokens` leaves.

        Functions that are told something are called in the thread that calls this, and may lag
        behind the model. What one raises ends the generation and is raised here.

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
            cancel: Once it is set, the generation ends before the next pass of the model, also
                one that waits or reads its prompt.
            repeatable: With a temperature, whether an equal seed gives an equal text to the last
                bit wherever it runs alone. Then it reads its whole prompt, and what idle sequences
                hold is dropped if no other text runs.

        Raises:
            ModelError: The prompt fills the context, the grammar is for another vocabulary, an
                argument is of a wrong type, or the model is closed.
            GenerationError: The generation could not go on, was cancelled, or ended by `close`;
                with the position and the text so far.
            LimitError: The limit on tokens is too small for any text of the grammar, or a mask
                takes too much work.
        """
        from schemask.llama_cpp import encode_prompt

        check_is_sampling(sampling)
        check_observer("on_mask", on_mask)
        check_observer("on_token", on_token)
        check_observer("on_text", on_text)
        check_count("top_logprobs", top_logprobs, least=0)
        check_cancel(cancel)
        prompt_ids = encode_prompt(self._llama, prompt)
        limit = token_limit(sampling.max_tokens, len(prompt_ids), self.context_tokens)
        matcher = None
        if grammar is not None:
            self._check_grammar(grammar)
            matcher = grammar.matcher(max_tokens=limit)
        text = RunningText(
            prompt_ids,
            limit,
            sampling,
            self.vocabulary,
            self._tokenize,
            matcher=matcher,
            margin=0.0 if sampling.temperature == 0 else -math.log(MIN_P),
            stop=stop,
            on_text=on_text,
            on_mask=on_mask,
            on_token=on_token,
            top_logprobs=top_logprobs,
            cancel=cancel,
            repeatable=repeatable,
        )
        self._submit(text)
        return text.wait()

    def close(self) -> None:
        """Ends all generations, and takes no more; the `Llama` stays open."""
        with self._lock:
            self._is_closed = True
            worker = self._worker
        if worker is not None:
            worker.join()

    def _check_grammar(self, grammar: CompiledGrammar) -> None:
        check_compiled(grammar)
        check_vocabulary(grammar.vocabulary, lambda text: self._tokenize(text.encode()))
        if grammar.vocabulary.size != self.vocabulary.size:
            raise ModelError(
                f"the grammar is compiled for a vocabulary of {grammar.vocabulary.size} tokens, "
                f"and the model has {self.vocabulary.size}"
            )

    def _submit(self, text: RunningText) -> None:
        with self._lock:
            if self._is_closed:
                raise ModelError("the model is closed")
            self._waiting.append(text)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="schemask-llama")
                self._worker.start()

    # what the worker does

    def _work(self) -> None:
        try:
            while self._admit():
                self._step()
        except BaseException as error:  # a fault of this module: nobody may wait for ever
            with self._lock:
                self._is_closed = True
                self._fail_all(error)
                self._worker = None
            raise

    def _admit(self) -> bool:
        """Lets texts in that wait; False if there are none at all, and the worker is done."""
        with self._lock:
            if self._is_closed:
                self._fail_all(None)
            for text in [text for text in self._waiting if text.is_unwanted]:
                self._waiting.remove(text)
                text.stop("cancelled")
            while self._waiting and self._cells.admit(self._waiting[0]):
                self._waiting.popleft()
            if self._cells.running:
                return True
            self._worker = None
            return False

    def _fail_all(self, error: BaseException | None) -> None:
        """Ends every text with an error, or because the model was closed."""
        texts = [text for _, text in self._cells.running]
        for text in [*self._waiting, *texts]:
            if error is None:
                text.stop("the model was closed")
            elif not text.is_done:
                text.fail(error)
        self._waiting.clear()
        self._release_done()

    def _step(self) -> None:
        """One pass of the model, and the next token of each text that has been read."""
        for _, text in self._cells.running:
            if text.is_unwanted:
                text.stop("cancelled")
        self._release_done()
        running = self._cells.running
        counts = shares([len(text.pending) for _, text in running], self._cells.batch_size)
        self._fill_masks(
            [
                text
                for (_, text), count in zip(running, counts, strict=True)
                if count == len(text.pending)
            ]
        )
        parts = [
            (sequence, text, count)
            for (sequence, text), count in zip(running, counts, strict=True)
            if not text.is_done
        ]
        self._release_done()
        if not parts:
            return
        try:
            places = self._cells.read(parts)
        except GenerationError as error:
            for _, text, _ in parts:
                text.stop(str(error))
            self._release_done()
            return
        for sequence, text, _ in parts:
            if sequence.index in places:
                self._choose(sequence, text, places[sequence.index])
        self._release_done()

    def _fill_masks(self, texts: list[RunningText]) -> None:
        """Gives these their masks, which ends those whose grammar allows nothing more."""
        constrained = [(text, text.matcher) for text in texts if text.matcher is not None]
        rows = self._bitmask[: len(constrained)]
        try:
            fill_masks_timed([matcher for _, matcher in constrained], rows, self.on_masks)
        except Exception:  # of one of them; asked one by one, they tell whose it is
            for row, (text, matcher) in enumerate(constrained):
                with _failing(text):
                    matcher.fill_mask(rows, row)
        for row, (text, _) in zip(rows, constrained, strict=True):
            if not text.is_done:
                with _failing(text):
                    text.allow(row, self._stop_tokens)

    def _choose(self, sequence: LlamaSequence, text: RunningText, place: int) -> None:
        with _failing(text):
            scores = self._cells.scores(place)
            text.mask(scores)
            text.extend(self._cells.sample(sequence, place), scores)

    def _release_done(self) -> None:
        for sequence, text in self._cells.running:
            if text.is_done:
                self._cells.release(sequence)


@contextlib.contextmanager
def _failing(text: RunningText) -> Iterator[None]:
    """An exception is one of this text alone."""
    try:
        yield
    except Exception as error:
        text.fail(error)


def shares(needs: Sequence[int], room: int) -> list[int]:
    """Divides room fairly: nobody gets more than is needed, and what is left over goes to others.

    Args:
        needs: How much each needs, at least 1.
        room: How much there is, at least 1 for each.

    Returns:
        How much each gets, at least 1.
    """
    parts = [0] * len(needs)
    by_need = sorted(range(len(needs)), key=needs.__getitem__)
    for done, index in enumerate(by_need):
        parts[index] = min(needs[index], room // (len(needs) - done))
        room -= parts[index]
    return parts
