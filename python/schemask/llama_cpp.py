"""Constrained decoding with llama-cpp-python.

`complete` is the supported way. Its `SchemaLogitsProcessor` also works with
`Llama.create_completion` and `Llama.generate`, but llama-cpp-python swallows exceptions raised in a
logits processor; so after such a call ask `processor.raise_if_failed()` before using the text:

    processor = SchemaLogitsProcessor(compiled, max_tokens=64)
    result = llama.create_completion(
        prompt, max_tokens=64, logits_processor=LogitsProcessorList([processor])
    )
    processor.raise_if_failed()

Do not combine it with `logit_bias`: llama-cpp-python then drops both, without a word. A processor
that was never called is an error in `raise_if_failed` for that reason.

`Llama` stands for `llama_cpp.Llama`, whose models crash where llama.cpp was built for AMX.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemask._native import CompiledGrammar, Vocabulary
from schemask.core.completion_pieces import CompletionPieces, taken
from schemask.core.followed_text import FollowedText
from schemask.core.generation import (
    Completion,
    Status,
    TextObserver,
    TextStream,
    check_compiled,
    check_count,
    check_number,
    check_observer,
    check_prompt,
    check_sampling,
    check_token_ids,
    check_vocabulary,
    text_of,
    token_limit,
)
from schemask.core.logprobs import TokenObserver, forced_logprobs, token_logprobs
from schemask.core.mask_step import MaskObserver
from schemask.core.masked_scores import Logits, MaskedScores, StopTokens
from schemask.core.masking import allocate_mask
from schemask.errors import GenerationError, ModelError, missing, shortened

try:
    import llama_cpp
    from llama_cpp import LogitsProcessorList
except ImportError as error:
    raise missing("llama-cpp-python", "llama-cpp", error) from error


class Llama(llama_cpp.Llama):
    """A `llama_cpp.Llama` that also works where llama.cpp was built for AMX.

    Such a build, the default on Intel processors that have AMX, lays weights out anew for it and
    crashes when it multiplies them (llama.cpp #20824). Here weights stay as they are in the file.
    It is made, and everything is done with it, as with a `llama_cpp.Llama`, `from_pretrained`
    included. What that raises passes through.

    Args:
        model_path: The GGUF.
        n_seq_max: How many texts `schemask.models.LlamaSequences` generates at once; they share
            the `n_ctx` tokens of the context.
        options: What else a `llama_cpp.Llama` takes.

    Raises:
        ModelError: `n_seq_max` is no number of sequences.
    """

    def __init__(self, model_path: str, *, n_seq_max: int = 1, **options: Any) -> None:
        self._n_seq_max = n_seq_max
        super().__init__(model_path, **options)

    def __getstate__(self) -> dict[str, Any]:
        parent: Any = super()
        return {**parent.__getstate__(), "n_seq_max": self._n_seq_max}

    @property
    def model_params(self) -> Any:
        """The parameters of the model, as llama.cpp takes them."""
        return self._model_params

    @model_params.setter
    def model_params(self, params: Any) -> None:
        # The constructor takes llama.cpp's defaults and has no argument for this one.
        if b"AMX_INT8 = 1" in llama_cpp.llama_print_system_info():
            params.use_extra_bufts = False
        self._model_params = params

    @property
    def context_params(self) -> Any:
        """The parameters of the context, as llama.cpp takes them."""
        return self._context_params

    @context_params.setter
    def context_params(self, params: Any) -> None:
        # Not before: the destructor needs what the constructor begins with.
        check_count("n_seq_max", self._n_seq_max)
        params.n_seq_max = self._n_seq_max
        # Each sequence may take whatever cells of the context are free, instead of an equal part.
        params.kv_unified = self._n_seq_max > 1
        self._context_params = params


class SchemaLogitsProcessor:
    """Allows exactly the tokens after which the generated text can still become valid.

    It fails closed: on any exception it allows nothing but stop tokens from then on, and
    `raise_if_failed` raises the exception to the caller. Use one processor for one generation: the
    prompt is learned from the first call. Going back to a shorter text of the same prompt is fine.

    Args:
        compiled: The grammar, compiled for the vocabulary of the model.
        max_tokens: A budget: the text is finished and valid within it.
        margin: By how much a token's score may lie below the best one for the sampler to choose it,
            for `is_cut`: 0 where decoding is greedy, `-log(min_p)` under min-p sampling.
        on_mask: Called with each mask's `MaskStep`. What it raises ends the generation.

    Raises:
        ModelError: An argument of a wrong type or out of range.
        LimitError: `max_tokens` is too small for any valid text.
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
        self._text = FollowedText(compiled, max_tokens)
        vocabulary = compiled.vocabulary
        self._masked = MaskedScores(self._text.matcher, vocabulary.size, margin, on_mask)
        self._bitmask = allocate_mask(1, vocabulary.size)
        self._stop_tokens = StopTokens(vocabulary.stop_token_ids, vocabulary.size)
        self._prompt: npt.NDArray[np.intc] | None = None
        self._error: BaseException | None = None

    def __call__(self, input_ids: npt.NDArray[np.intc], scores: Logits) -> Logits:
        """Sets what `input_ids` (length,) forbids to -inf in `scores` (width,), and returns them.

        llama-cpp-python copies what is returned over the scores of its candidates, which lie far
        apart. Of the scores themselves, numpy makes no copy.
        """
        if self._error is None:
            try:
                self._follow(input_ids)
                self._text.matcher.fill_mask(self._bitmask)
                self._masked.apply(scores, self._bitmask[0], len(self._text.token_ids))
                return scores
            except BaseException as error:  # ctypes would print and drop even a KeyboardInterrupt
                self._error = error
        masked = np.full(len(scores), -np.inf, dtype=np.float32)
        masked[self.vocabulary.stop_token_ids] = 0.0
        return masked

    def raise_if_failed(self) -> None:
        """Raises what stopped the generation, if anything did.

        Raises:
            GenerationError: With the position and the text so far; its `__cause__` is the original
                exception. Also if the processor was never called, as the text is then
                unconstrained.
            BaseException: An interrupt, such as KeyboardInterrupt, is raised as it was.
        """
        error = self._error
        if error is None:
            if self._prompt is None:
                raise GenerationError(
                    "the logits processor was never called: the text is unconstrained"
                )
        elif isinstance(error, GenerationError) or not isinstance(error, Exception):
            raise error
        else:
            token_ids = self._text.token_ids
            raise GenerationError(
                f"stopped at position {len(token_ids)}, after "
                f"{text_of(self.vocabulary, token_ids)!r}: {error}"
            ) from error

    def extend(self, sampled: int, tokenize: Callable[[bytes], list[int]]) -> list[int]:
        """Accepts a token just sampled, and the text after it that is forced.

        Args:
            sampled: The token.
            tokenize: The model's own tokenizer; see `accept_forced`.

        Returns:
            The accepted tokens, the sampled one first.

        Raises:
            GenerationError: The grammar does not allow the sampled token.
            LimitError: To find the forced text takes too much work.
        """
        return self._text.extend(sampled, tokenize)

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the grammar."""
        return self._text.vocabulary

    @property
    def is_accepting(self) -> bool:
        """Whether the text may end here."""
        return self._text.matcher.is_accepting

    @property
    def is_cut(self) -> bool:
        """Whether the budget forbade a token that might have been chosen: the text is valid, but
        what it says may be cut short."""
        return self._masked.is_cut

    @property
    def must_end(self) -> bool:
        """Whether the grammar allows nothing more: the text ends here, whatever the model says.

        Raises:
            LimitError: The mask takes too much work.
        """
        self._text.matcher.fill_mask(self._bitmask)
        only_stops = self._stop_tokens.are_all(self._bitmask[0])
        return only_stops and not self._masked.budget_forbids()

    def _follow(self, input_ids: npt.NDArray[np.intc]) -> None:
        if self._prompt is None:
            self._prompt = input_ids.copy()
        length = len(self._prompt)
        if not np.array_equal(input_ids[:length], self._prompt):
            raise GenerationError(
                "the tokens do not begin with the prompt of the first call: "
                "make a new SchemaLogitsProcessor for each generation"
            )
        left = self._text.become(input_ids[length:].tolist())
        if left is not None:
            self._masked.go_back(left)


def complete(
    llama: Any,
    prompt: str | Sequence[int],
    compiled: CompiledGrammar,
    *,
    max_tokens: int = 256,
    temperature: float = 0.0,
    top_k: int = 40,
    top_p: float = 0.95,
    min_p: float = 0.05,
    seed: int = 0,
    stop: str | Sequence[str] = (),
    on_text: TextObserver | None = None,
    on_mask: MaskObserver | None = None,
    on_token: TokenObserver | None = None,
    top_logprobs: int = 0,
) -> Completion:
    """Generates a valid text; tokens that the grammar forces are evaluated in one batch, not
    sampled.

    Args:
        llama: A `llama_cpp.Llama`.
        prompt: Text, in which special tokens are recognised and before which the model's BOS token
            is put if the model wants one; or token ids, taken as they are.
        compiled: The grammar, compiled for `Vocabulary.from_llama_cpp(llama)`.
        max_tokens: Budget in tokens, cut to what the context still holds; the text is finished
            within it.
        temperature: 0 is greedy.
        top_k: Sampling draws from so many of the likeliest allowed tokens; 0 and -1 from all.
        top_p: And from the likeliest ones that have this share of the probability.
        min_p: And from those that have this share of the likeliest one's probability.
        seed: Of the sampler; equal seeds give equal texts.
        stop: Strings that end the generation early, and are not part of the text. Only then is the
            text not valid, but the beginning of a valid one.
        on_text: Called with each piece of text once it is certain to be part of the result.
            If what it returns is true, the generation ends there, as at a stop string.
        on_mask: Called with the `MaskStep` of each token that is not forced: what the model would
            have written without the grammar.
        on_token: Called with the `TokenLogprobs` of each token, before `on_text`.
        top_logprobs: How many of the likeliest tokens it is told.

    Raises:
        ModelError: The prompt fills the context, the grammar is for another vocabulary, or an
            argument has no sense.
        GenerationError: The generation could not go on; with the position and the text so far.
        LimitError: The budget is too small for any valid text, or a mask takes too much work.
    """
    check_observer("on_text", on_text)
    pieces = _begun(
        [],
        on_text,
        llama,
        prompt,
        compiled,
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        seed=seed,
        stop=stop,
        on_mask=on_mask,
        on_token=on_token,
        top_logprobs=top_logprobs,
    )
    with pieces:
        for _ in pieces:
            pass  # on_text is told of them
    return pieces.completion


def iter_complete(
    llama: Any,
    prompt: str | Sequence[int],
    compiled: CompiledGrammar,
    *,
    max_tokens: int = 256,
    temperature: float = 0.0,
    top_k: int = 40,
    top_p: float = 0.95,
    min_p: float = 0.05,
    seed: int = 0,
    stop: str | Sequence[str] = (),
    on_mask: MaskObserver | None = None,
    on_token: TokenObserver | None = None,
    top_logprobs: int = 0,
) -> CompletionPieces:
    """Generates a valid text as `complete` does, piece by piece.

    Nothing else may be done with `llama` before the last piece is taken or the pieces are closed.

    Args:
        llama: A `llama_cpp.Llama`.
        prompt: Text or token ids, as for `complete`.
        compiled: The grammar, compiled for `Vocabulary.from_llama_cpp(llama)`.
        max_tokens: Budget in tokens, cut to what the context still holds; the text is finished
            within it.
        temperature: 0 is greedy.
        top_k: Sampling draws from so many of the likeliest allowed tokens; 0 and -1 from all.
        top_p: And from the likeliest ones that have this share of the probability.
        min_p: And from those that have this share of the likeliest one's probability.
        seed: Of the sampler; equal seeds give equal texts.
        stop: Strings that end the generation early, and are not part of the text.
        on_mask: Called with the `MaskStep` of each token that is not forced.
        on_token: Called with the `TokenLogprobs` of each token, before its text is a piece.
        top_logprobs: How many of the likeliest tokens it is told.

    Returns:
        An iterator of pieces of text, which holds the `Completion` when it has ended.

    Raises:
        ModelError: The prompt fills the context, the grammar is for another vocabulary, or an
            argument has no sense.
        GenerationError: From the iterator: the generation could not go on.
        LimitError: The budget is too small for any valid text; from the iterator: a mask takes too
            much work.
    """
    certain: list[str] = []
    return _begun(
        certain,
        certain.append,
        llama,
        prompt,
        compiled,
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        seed=seed,
        stop=stop,
        on_mask=on_mask,
        on_token=on_token,
        top_logprobs=top_logprobs,
    )


def _begun(
    certain: list[str],
    on_text: TextObserver | None,
    llama: Any,
    prompt: str | Sequence[int],
    compiled: CompiledGrammar,
    *,
    max_tokens: int,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    seed: int,
    stop: str | Sequence[str],
    on_mask: MaskObserver | None,
    on_token: TokenObserver | None,
    top_logprobs: int,
) -> CompletionPieces:
    """A generation whose text `on_text` is told; its pieces are what that puts into `certain`."""
    check_compiled(compiled)
    check_sampling(max_tokens, temperature, seed)
    check_count("top_k", top_k, least=-1)
    check_number("top_p", top_p, most=1)
    check_number("min_p", min_p, most=1)
    check_observer("on_token", on_token)
    check_count("top_logprobs", top_logprobs, least=0)
    check_llama(llama)
    tokenize = functools.partial(llama.tokenize, add_bos=False, special=False)
    check_vocabulary(compiled.vocabulary, lambda text: tokenize(text.encode()))
    prompt_ids = encode_prompt(llama, prompt)
    budget = token_limit(max_tokens, len(prompt_ids), llama.n_ctx())
    margin = 0.0
    if temperature > 0:
        margin = -math.log(min_p) if min_p > 0 else math.inf
    processor = SchemaLogitsProcessor(compiled, max_tokens=budget, margin=margin, on_mask=on_mask)
    reporter = TokenReporter(on_token, top_logprobs)
    choosing = {
        "temp": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "logits_processor": LogitsProcessorList([processor, *reporter.processors]),
    }
    text = TextStream(stop, on_text)
    return CompletionPieces(
        _pieces(llama, prompt_ids, processor, reporter, text, certain, budget, seed, choosing)
    )


def _pieces(
    llama: Any,
    prompt_ids: list[int],
    processor: SchemaLogitsProcessor,
    reporter: TokenReporter,
    text: TextStream,
    certain: list[str],
    budget: int,
    seed: int,
    choosing: dict[str, Any],
) -> Generator[str, None, Completion]:
    """What `iter_complete` goes through; `text` puts what is certain into `certain`."""
    tokenize = functools.partial(llama.tokenize, add_bos=False, special=False)
    vocabulary = processor.vocabulary
    stop_ids = set(vocabulary.stop_token_ids)
    generated: list[int] = []
    status: Status = "max_tokens"
    if choosing["temp"] > 0:
        # Logits after a cached prefix differ a little from those of a prompt read in one go: enough
        # for the same seed to draw another token.
        llama.reset()
    llama.set_seed(seed)
    try:
        # The generator evaluates the prompt, reusing what is cached of it, and sets up a sampler
        # that `llama.sample` goes on with. Feeding it forced tokens would turn them into drafts.
        with contextlib.closing(llama.generate(prompt_ids, **choosing)) as sampled:
            token_id = next(sampled)
        while True:
            processor.raise_if_failed()
            if token_id in stop_ids:
                status = "complete"
                break
            run = processor.extend(token_id, tokenize)
            for place, token_id in enumerate(run):
                generated.append(token_id)
                reporter.tell(token_id, is_forced=place > 0)
                if text.feed(vocabulary.token(token_id)):
                    break
            if text.stopped:
                status = "stop"
                break
            yield from taken(certain)
            if len(generated) >= budget:
                break
            if processor.must_end:
                status = "complete"
                break
            llama.eval(run)
            token_id = llama.sample()
    finally:
        llama._sampler = None  # a later llama.sample would use it instead of its own arguments
    if status != "stop" and not processor.is_accepting:
        raise GenerationError(
            f"the text ends at position {len(generated)}, unfinished: "
            f"{text_of(vocabulary, generated)!r}"
        )
    if processor.is_cut:
        status = "max_tokens"
    whole = text.finish()
    yield from taken(certain)
    return Completion(whole, generated, status, len(prompt_ids), len(generated))


class TokenReporter:
    """Tells an observer of tokens, and keeps the scores that this takes.

    Args:
        on_token: The observer, or None.
        top: How many of the likeliest tokens it is told.

    Attributes:
        processors: What llama-cpp-python must be given after a grammar's processor.
    """

    def __init__(self, on_token: TokenObserver | None, top: int) -> None:
        self._on_token = on_token
        self._top = top
        self._scores = np.zeros(0, dtype=np.float32)
        self.processors = [] if on_token is None else [self._keep]

    def tell(self, token_id: int, *, is_forced: bool) -> None:
        """Tells of the next token.

        Args:
            token_id: The token.
            is_forced: Whether the grammar forces it; else it was chosen by the last scores.
        """
        if self._on_token is not None and is_forced:
            self._on_token(forced_logprobs(token_id, self._top))
        elif self._on_token is not None:
            self._on_token(token_logprobs(token_id, self._scores, self._top))

    def _keep(self, input_ids: npt.NDArray[np.intc], scores: Logits) -> Logits:
        self._scores = scores.copy()  # the sampler sorts and cuts what it is given
        return scores


def check_llama(llama: object) -> None:
    """Refuses what is no `llama_cpp.Llama`.

    Args:
        llama: Anything.

    Raises:
        ModelError: It is none.
    """
    if not isinstance(llama, llama_cpp.Llama):
        raise ModelError(f"llama is a llama_cpp.Llama, not {shortened(llama)}")


def encode_prompt(llama: Any, prompt: str | Sequence[int]) -> list[int]:
    """The tokens of a prompt, as `complete` reads it.

    Args:
        llama: A `llama_cpp.Llama`.
        prompt: Text, in which special tokens are recognised and before which the model's BOS token
            is put if the model wants one; or token ids, taken as they are.

    Returns:
        The token ids, at least one if the prompt is text.

    Raises:
        ModelError: Another type, or ids that the model has not.
    """
    if not isinstance(prompt, str):
        if isinstance(prompt, bytes) or not isinstance(prompt, Iterable):
            raise ModelError(
                f"a prompt is a string or a list of token ids, not {shortened(prompt)}"
            )
        ids = list(prompt)
        check_token_ids(ids, llama.n_vocab())
        return [int(token_id) for token_id in ids]
    check_prompt(prompt)
    ids = list(llama.tokenize(prompt.encode(), add_bos=False, special=True))
    bos = llama.token_bos()
    if not ids or (llama._model.add_bos_token() and ids[0] != bos):
        ids.insert(0, bos)
    return ids
