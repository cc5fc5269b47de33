"""Constrained decoding with mlx-lm.

    tokenizer.eos_token_ids = compiled.vocabulary.stop_token_ids
    processor = SchemaLogitsProcessor(compiled, max_tokens=200)
    mlx_lm.generate(model, tokenizer, prompt, max_tokens=200, logits_processors=[processor])

mlx-lm ends a text at `tokenizer.eos_token_ids` alone, hence the first line. `generate` and `stream`
do without it, and append what the grammar forces without asking the model, which then reads it in
one pass.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from schemask._native import CompiledGrammar
from schemask.core.completion_pieces import CompletionPieces, taken
from schemask.core.followed_text import FollowedText
from schemask.core.generation import (
    Completion,
    Status,
    TextObserver,
    TextStream,
    check_cancel,
    check_compiled,
    check_count,
    check_not_cancelled,
    check_number,
    check_prompt,
    check_token_ids,
    check_vocabulary,
    is_wish,
    text_of,
    token_limit,
)
from schemask.core.logprobs import TokenObserver, forced_logprobs, token_logprobs
from schemask.core.mask_step import MaskObserver, Scored, mask_step
from schemask.core.mask_times import MasksObserver, fill_masks_timed
from schemask.core.masked_scores import StopTokens
from schemask.core.masking import WORD_BITS, allocate_mask
from schemask.errors import GenerationError, MaskError, ModelError, missing, shortened

try:
    import mlx_lm
    from mlx import core as mx
    from mlx import nn
    from mlx_lm.generate import generation_stream, wired_limit
except ImportError as error:
    raise missing("mlx-lm", "mlx", error) from error

Sampler = Callable[[mx.array], mx.array]

# How many tokens of a prompt are read at once, and after how many passes memory that mlx keeps for
# reuse is given back: as mlx-lm does it.
_PREFILL_TOKENS = 2048
_PASSES_TO_CLEAR = 256


class SchemaLogitsProcessor:
    """Allows exactly the tokens after which the generated text can still become valid.

    For `logits_processors` of `generate`, `stream_generate` and `generate_step` of mlx-lm, with a
    draft model, too, and of `BatchGenerator.insert`. What stops it is raised there.

    A processor follows one sequence, by its tokens: those of the first call are the prompt, and to
    go back to a shorter or another text after them, as speculation does, is fine. In a batch each
    sequence has its own: `BatchGenerator.insert(prompts, logits_processors=[[first], [second]])`.
    (`batch_generate` would give the same ones to all; that is an error.) To `input_embeddings` the
    tokens of the prompt belong: without them mlx-lm asks nobody about the first token.

    To know where the text stands, it waits for the token before, which mlx-lm otherwise leaves to
    be computed while it goes on. mlx puts the masks on.

    Args:
        compiled: The grammar, compiled for the model's vocabulary.
        max_tokens: A budget, normally that of mlx-lm: the text is finished and valid within it.
        margin: By how much a token's score may lie below the best one for the sampler to choose it,
            for `is_cut`: 0 where decoding is greedy.
        on_mask: Called with each mask's `MaskStep`. mlx-lm asks for the mask after the last token,
            too.

    Raises:
        ModelError: An argument of a wrong type or out of range.
        LimitError: `max_tokens` is too small for any valid text; on a call, a mask takes too much
            work.
        GenerationError: On a call with tokens that do not begin with the prompt, or that the
            grammar does not allow; and with logits of several sequences.
        MaskError: On a call, if the model has fewer logits than the vocabulary has allowed tokens.
    """

    def __init__(
        self,
        compiled: CompiledGrammar,
        *,
        max_tokens: int | None = None,
        margin: float = math.inf,
        on_mask: MaskObserver | None = None,
    ) -> None:
        check_compiled(compiled)
        if max_tokens is not None:
            check_count("max_tokens", max_tokens)
        check_number("margin", margin)
        self._text = _MaskedText(compiled, max_tokens, margin, on_mask)
        self._prompt: npt.NDArray[Any] | None = None

    def __call__(self, tokens: mx.array, logits: mx.array) -> mx.array:
        """Masks `logits`, of shape (1, width) or (width,), by `tokens`, of shape (length,).

        Returns:
            The logits with -inf for each token that must not come next.
        """
        if logits.size != logits.shape[-1] or tokens.ndim != 1:
            raise GenerationError(
                f"logits of shape {logits.shape} after tokens of shape {tokens.shape}: "
                "a processor follows one sequence"
            )
        self._follow(np.asarray(tokens))  # waits for the last of them, not for the logits
        return self._text.mask(logits)

    @property
    def is_accepting(self) -> bool:
        """Whether the text may end where it was at the last call."""
        return self._text.matcher.is_accepting

    @property
    def is_cut(self) -> bool:
        """Whether the budget forbade a token that might have been chosen: the text is valid, but
        what it says may be cut short."""
        return self._text.is_cut

    def _follow(self, tokens: npt.NDArray[Any]) -> None:
        if self._prompt is None:
            self._prompt = tokens.copy()
        length = len(self._prompt)
        if not np.array_equal(tokens[:length], self._prompt):
            raise GenerationError(
                "the tokens do not begin with the prompt of the first call: make a new "
                "SchemaLogitsProcessor for each generation, and for each sequence of a batch"
            )
        self._text.become(tokens[length:].tolist())


class _MaskedText(FollowedText):
    """The text of one sequence, and the masks for what comes after it."""

    def __init__(
        self,
        compiled: CompiledGrammar,
        max_tokens: int | None,
        margin: float,
        on_mask: MaskObserver | None,
        on_masks: MasksObserver | None = None,
    ) -> None:
        super().__init__(compiled, max_tokens)
        self._stop_tokens = StopTokens(self.vocabulary.stop_token_ids, self.vocabulary.size)
        self._margin = margin
        self._on_mask = on_mask
        self._on_masks = on_masks
        self._cut_at: int | None = None

    @property
    def is_cut(self) -> bool:
        """Whether the budget forbade a token that might have been chosen."""
        return self._cut_at is not None

    def become(self, token_ids: list[int]) -> int | None:
        """See `FollowedText`."""
        left = super().become(token_ids)
        if left is not None and self._cut_at is not None and self._cut_at >= left:
            self._cut_at = None  # the mask there is made again
        return left

    @property
    def must_end(self) -> bool:
        """Whether the grammar allows nothing more, whatever the budget and the model."""
        if not self.matcher.is_accepting:
            return False
        words = allocate_mask(1, self.vocabulary.size)[0]
        self.matcher.fill_mask(words)
        return self._stop_tokens.are_all(words) and not self.matcher.fill_unaffordable(words)

    def mask(self, logits: mx.array) -> mx.array:
        """The logits with -inf for each token that must not come next."""
        bitmask = self._allocate(logits)
        fill_masks_timed([self.matcher], bitmask[None], self._on_masks)
        masked = _masked(logits, bitmask)
        if self._on_mask is not None:
            before, after = Scored.of(row_of(logits)), Scored.of(row_of(masked))
            self._on_mask(mask_step(len(self.token_ids), before, after))
        self._note_cut(logits, masked)
        return masked

    def _note_cut(self, logits: mx.array, masked: mx.array) -> None:
        unaffordable = self._allocate(logits)
        if self.is_cut or not self.matcher.fill_unaffordable(unaffordable):
            return
        wish, best = mx.max(_masked(logits, unaffordable)).item(), mx.max(masked).item()
        if is_wish(float(wish), float(best), self._margin):
            self._cut_at = len(self.token_ids)

    def _allocate(self, logits: mx.array) -> npt.NDArray[np.int32]:
        width = max(logits.shape[-1], self.vocabulary.size)
        row: npt.NDArray[np.int32] = allocate_mask(1, width)[0]
        return row


def _masked(logits: mx.array, bitmask: npt.NDArray[np.int32]) -> mx.array:
    """The logits that a mask, of shape (words,) and at least as wide, leaves."""
    width = logits.shape[-1]
    past = bitmask[width // WORD_BITS :].astype("<i4").view(np.uint8)
    if np.unpackbits(past, bitorder="little")[width % WORD_BITS :].any():
        raise MaskError(f"the bitmask allows tokens past the {width} columns of the logits")
    words = mx.array(bitmask.view(np.uint32))
    bits = (words[:, None] >> mx.arange(WORD_BITS, dtype=mx.uint32)) & 1
    allowed = bits.reshape(-1)[:width].astype(mx.bool_)
    return mx.where(allowed, logits, mx.array(-math.inf, logits.dtype))


@dataclass(frozen=True)
class _TextRequest:
    """What a generation goes by, all of it checked.

    Attributes:
        model: The model.
        prompt_ids: The prompt.
        tokenize: The model's own tokenizer; see `accept_forced`.
        text: The text, still empty.
        budget: How many tokens there may be.
        sampler: Chooses tokens.
        on_token: Is told of each token.
        top_logprobs: How many of the likeliest tokens it is told.
        cancel: Set by whoever wants no more of the text.
    """

    model: Any
    prompt_ids: list[int]
    tokenize: Callable[[bytes], list[int]]
    text: _MaskedText
    budget: int
    sampler: Sampler
    on_token: TokenObserver | None
    top_logprobs: int
    cancel: threading.Event | None


def generate(
    model: Any,
    tokenizer: Any,
    prompt: str | Sequence[int],
    compiled: CompiledGrammar,
    *,
    max_tokens: int = 256,
    sampler: Sampler | None = None,
    stop: str | Sequence[str] = (),
    on_text: TextObserver | None = None,
    on_mask: MaskObserver | None = None,
    on_masks: MasksObserver | None = None,
    on_token: TokenObserver | None = None,
    top_logprobs: int = 0,
    cancel: threading.Event | None = None,
) -> Completion:
    """Generates a valid text; tokens that the grammar forces are read in one pass, not sampled.

    Args:
        model: A model of mlx-lm.
        tokenizer: Its tokenizer, as `mlx_lm.load` returns it, or one of transformers.
        prompt: Text, before which the tokenizer puts its own tokens unless it begins with the one
            that begins texts; or token ids, taken as they are.
        compiled: The grammar, compiled for `Vocabulary.from_transformers(tokenizer)`.
        max_tokens: Budget in tokens, cut to what the context still holds; the text is finished
            within it.
        sampler: Chooses tokens by the logarithms of their probabilities, as `make_sampler` of
            mlx-lm makes it; None is greedy.
        stop: Strings that end the generation early, and are not part of the text. Only then is the
            text not valid, but the beginning of a valid one.
        on_text: Called with each piece of text once it is certain to be part of the result.
        on_mask: Called with the `MaskStep` of each token that is not forced: what the model would
            have written without the grammar.
        on_masks: Called in each pass of the model with 1, and the seconds that its mask took.
        on_token: Called with the `TokenLogprobs` of each token, before `on_text`.
        top_logprobs: How many of the likeliest tokens it is told.
        cancel: Once it is set, the generation ends before the next pass of the model.

    Raises:
        ModelError: The prompt fills the context, the grammar is for another vocabulary, or an
            argument has no sense.
        GenerationError: The generation could not go on, or was cancelled; with the position and
            the text so far.
        LimitError: The budget is too small for any valid text, or a mask takes too much work.
    """
    check_cancel(cancel)
    request = _request(
        model,
        tokenizer,
        prompt,
        compiled,
        max_tokens,
        sampler,
        on_mask,
        on_token,
        top_logprobs,
        on_masks,
        cancel,
    )
    pieces = CompletionPieces(_pieces(request, TextStream(stop, on_text), []))
    with pieces:
        for _ in pieces:  # `on_text` got them
            pass
    return pieces.completion


def stream(
    model: Any,
    tokenizer: Any,
    prompt: str | Sequence[int],
    compiled: CompiledGrammar,
    *,
    max_tokens: int = 256,
    sampler: Sampler | None = None,
    stop: str | Sequence[str] = (),
    on_mask: MaskObserver | None = None,
    on_token: TokenObserver | None = None,
    top_logprobs: int = 0,
) -> CompletionPieces:
    """Generates a valid text as `generate` does, piece by piece.

    Args:
        model: A model of mlx-lm.
        tokenizer: Its tokenizer.
        prompt: Text or token ids, as for `generate`.
        compiled: The grammar, compiled for `Vocabulary.from_transformers(tokenizer)`.
        max_tokens: Budget in tokens, cut to what the context still holds; the text is finished
            within it.
        sampler: Chooses tokens; None is greedy.
        stop: Strings that end the generation early, and are not part of the text.
        on_mask: Called with the `MaskStep` of each token that is not forced.
        on_token: Called with the `TokenLogprobs` of each token, before its text is a piece.
        top_logprobs: How many of the likeliest tokens it is told.

    Returns:
        An iterator of pieces of text, which holds the `Completion` when it has ended.

    Raises:
        ModelError: The prompt fills the context, the grammar is for another vocabulary, or an
            argument has no sense.
        GenerationError: When pieces are taken: the generation could not go on; with the position
            and the text so far.
        LimitError: The budget is too small for any valid text; when pieces are taken, a mask takes
            too much work.
    """
    request = _request(
        model, tokenizer, prompt, compiled, max_tokens, sampler, on_mask, on_token, top_logprobs
    )
    certain: list[str] = []
    return CompletionPieces(_pieces(request, TextStream(stop, certain.append), certain))


def _request(
    model: Any,
    tokenizer: Any,
    prompt: str | Sequence[int],
    compiled: CompiledGrammar,
    max_tokens: int,
    sampler: Sampler | None,
    on_mask: MaskObserver | None,
    on_token: TokenObserver | None,
    top_logprobs: int,
    on_masks: MasksObserver | None = None,
    cancel: threading.Event | None = None,
) -> _TextRequest:
    check_compiled(compiled)
    check_count("max_tokens", max_tokens)
    check_count("top_logprobs", top_logprobs, least=0)
    check_mlx(model, tokenizer)
    vocabulary = compiled.vocabulary
    check_vocabulary(vocabulary, lambda text: tokenizer.encode(text, add_special_tokens=False))
    prompt_ids = encode_prompt(tokenizer, prompt, vocabulary.size)
    budget = token_limit(max_tokens, len(prompt_ids), context_of(model))

    def tokenize(text: bytes) -> list[int]:
        try:
            ids: list[int] = tokenizer.encode(text.decode(), add_special_tokens=False)
        except UnicodeDecodeError:  # it ends inside a character
            return []
        return ids

    margin = 0.0 if sampler is None else math.inf
    text = _MaskedText(compiled, budget, margin, on_mask, on_masks)
    choose = sampler or mlx_lm.sample_utils.greedy_sampler
    return _TextRequest(
        model, prompt_ids, tokenize, text, budget, choose, on_token, top_logprobs, cancel
    )


def _pieces(
    request: _TextRequest, written: TextStream, certain: list[str]
) -> Generator[str, None, Completion]:
    """What `stream` goes through; `written` puts what is certain into `certain`."""
    text, budget = request.text, request.budget
    token = text.vocabulary.token
    generated: list[int] = []
    status: Status = "max_tokens"
    with contextlib.closing(_runs(request)) as runs:
        for run, logprobs in runs:
            for place, token_id in enumerate(run):
                generated.append(token_id)
                _tell(request, token_id, None if place else logprobs)
                if written.feed(token(token_id)):
                    break
            if written.stopped:
                status = "stop"
                break
            yield from taken(certain)
            if len(generated) >= budget:
                break
        else:
            status = "complete"
    if status != "stop" and not text.matcher.is_accepting:
        raise GenerationError(
            f"the text ends at position {len(generated)}, unfinished: "
            f"{text_of(text.vocabulary, generated)!r}"
        )
    if text.is_cut:
        status = "max_tokens"
    whole = written.finish()
    yield from taken(certain)
    return Completion(whole, generated, status, len(request.prompt_ids), len(generated))


def _runs(request: _TextRequest) -> Generator[tuple[list[int], mx.array], None, None]:
    """Each token that is chosen, with what is forced after it, and the logarithms of the
    probabilities by which it was chosen, up to a stop token. Where only that is left, the model is
    not asked."""
    model, text = request.model, request.text
    stop_ids = set(text.vocabulary.stop_token_ids)
    with wired_limit(model, [generation_stream]):
        cache = mlx_lm.models.cache.make_prompt_cache(model)
        *before, last = request.prompt_ids
        for start in range(0, len(before), _PREFILL_TOKENS):
            check_not_cancelled(request.cancel, text.vocabulary, [])
            with mx.stream(generation_stream):
                model(mx.array([before[start : start + _PREFILL_TOKENS]]), cache=cache)
                mx.eval([layer.state for layer in cache])
            mx.clear_cache()
        run = [last]
        for passes in itertools.count(1):
            check_not_cancelled(request.cancel, text.vocabulary, text.token_ids)
            with mx.stream(generation_stream):
                logits = model(mx.array([run]), cache=cache)[:, -1, :]
                mx.async_eval(logits)  # the mask is computed meanwhile
                masked = text.mask(logits)
                logprobs = masked - mx.logsumexp(masked, axis=-1, keepdims=True)
                chosen = int(request.sampler(logprobs).item())
            if chosen in stop_ids:
                return
            run = text.extend(chosen, request.tokenize)
            yield run, logprobs
            if text.must_end:
                return
            if passes % _PASSES_TO_CLEAR == 0:
                mx.clear_cache()


def _tell(request: _TextRequest, token_id: int, logprobs: mx.array | None) -> None:
    """Tells of a token, which was forced if there are no probabilities."""
    if request.on_token is None:
        return
    if logprobs is None:
        request.on_token(forced_logprobs(token_id, request.top_logprobs))
    else:
        request.on_token(token_logprobs(token_id, row_of(logprobs), request.top_logprobs))


def row_of(logits: mx.array) -> npt.NDArray[np.float32]:
    """Logits of one place as numpy has them: float32, of shape (width,).

    Args:
        logits: Of shape (1, width) or (width,).
    """
    return np.array(logits.astype(mx.float32)).reshape(-1)


def check_mlx(model: object, tokenizer: object) -> None:
    """Refuses what is no model of mlx-lm with its tokenizer.

    Args:
        model: Anything.
        tokenizer: Anything.

    Raises:
        ModelError: One of them is none.
    """
    if not isinstance(model, nn.Module) or not hasattr(model, "layers"):
        raise ModelError(f"the model is one of mlx-lm, not {shortened(model)}")
    if not hasattr(tokenizer, "encode") or not hasattr(tokenizer, "bos_token"):
        raise ModelError(f"the tokenizer is one of mlx-lm, not {shortened(tokenizer)}")


def unwrapped(tokenizer: Any) -> Any:
    """The tokenizer of transformers that mlx-lm wraps.

    Args:
        tokenizer: The wrapped one; or another one, which is returned as it is.
    """
    if isinstance(tokenizer, mlx_lm.tokenizer_utils.TokenizerWrapper):
        return tokenizer._tokenizer
    return tokenizer


def context_of(model: Any) -> int | None:
    """How many tokens a model can attend to, or None if it does not say.

    Args:
        model: A model of mlx-lm.
    """
    context = getattr(getattr(model, "args", None), "max_position_embeddings", None)
    return context if isinstance(context, int) else None


def width_of(model: Any) -> int | None:
    """How many logits a model has, or None if it does not say.

    Args:
        model: A model of mlx-lm.
    """
    width = getattr(getattr(model, "args", None), "vocab_size", None)
    return width if isinstance(width, int) else None


def encode_prompt(tokenizer: Any, prompt: str | Sequence[int], size: int) -> list[int]:
    """The tokens of a prompt, as `generate` reads it.

    Args:
        tokenizer: The tokenizer, which puts its own tokens around a text; but not if the text
            begins with the token that begins texts, as chat templates write it.
        prompt: Text or token ids.
        size: How many tokens there are.

    Raises:
        ModelError: No tokens, or no prompt.
    """
    if isinstance(prompt, str):
        check_prompt(prompt)
        bos = tokenizer.bos_token or ""
        is_whole = bos != "" and prompt.startswith(bos)
        ids = list(tokenizer.encode(prompt, add_special_tokens=not is_whole))
    elif isinstance(prompt, Iterable) and not isinstance(prompt, bytes):
        ids = prompt.tolist() if isinstance(prompt, mx.array) else list(prompt)
    else:
        raise ModelError(f"a prompt is a string or a list of token ids, not {shortened(prompt)}")
    check_token_ids(ids, size)
    return ids
