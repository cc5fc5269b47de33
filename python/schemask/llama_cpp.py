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

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemask._native import CompiledGrammar
from schemask.core.generation import (
    Completion,
    Status,
    TextStream,
    accept_forced,
    check_compiled,
    check_count,
    check_number,
    check_prompt,
    check_sampling,
    check_token_ids,
    check_vocabulary,
    is_wish,
    refusal,
    text_of,
    token_limit,
)
from schemask.core.mask_step import MaskObserver, Scored, mask_step
from schemask.core.masking import allocate_mask, apply_mask
from schemask.errors import GenerationError, ModelError, missing, shortened

try:
    import llama_cpp
    from llama_cpp import LogitsProcessorList
except ImportError as error:
    raise missing("llama-cpp-python", "llama-cpp", error) from error

Logits = npt.NDArray[np.float32]


class Llama(llama_cpp.Llama):
    """A `llama_cpp.Llama` that also works where llama.cpp was built for AMX.

    Such a build, the default on Intel processors that have AMX, lays weights out anew for it and
    crashes when it multiplies them (llama.cpp #20824). Here weights stay as they are in the file.
    It is made, and everything is done with it, as with a `llama_cpp.Llama`, `from_pretrained`
    included. What that raises passes through.
    """

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
        self._on_mask = on_mask
        self._vocabulary = compiled.vocabulary
        self._matcher = compiled.matcher(max_tokens=max_tokens)
        self._margin = margin
        self._bitmask = allocate_mask(1, self._vocabulary.size)
        self._unaffordable = allocate_mask(1, self._vocabulary.size)
        self._cut_at: int | None = None
        self._prompt: npt.NDArray[np.intc] | None = None
        self._generated: list[int] = []
        self._error: BaseException | None = None

    def __call__(self, input_ids: npt.NDArray[np.intc], scores: Logits) -> Logits:
        """Sets what `input_ids` (length,) forbids to -inf in `scores` (width,), and returns them.

        llama-cpp-python copies what is returned over the scores of its candidates, which lie far
        apart. Of the scores themselves, numpy makes no copy.
        """
        if self._error is None:
            try:
                self._follow(input_ids)
                self._matcher.fill_mask(self._bitmask)
                wish = self._best_unaffordable(scores)
                before = None if self._on_mask is None else Scored.of(scores)
                apply_mask(scores, self._bitmask[0])
                if self._on_mask is not None and before is not None:
                    self._on_mask(mask_step(len(self._generated), before, Scored.of(scores)))
                if wish > -math.inf and is_wish(wish, float(scores.max()), self._margin):
                    self._cut_at = len(self._generated)
                return scores
            except BaseException as error:  # ctypes would print and drop even a KeyboardInterrupt
                self._error = error
        masked = np.full(len(scores), -np.inf, dtype=np.float32)
        masked[self._vocabulary.stop_token_ids] = 0.0
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
            raise GenerationError(
                f"stopped at position {len(self._generated)}, after "
                f"{text_of(self._vocabulary, self._generated)!r}: {error}"
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
        self._accept(sampled)
        forced = accept_forced(self._matcher, self._vocabulary, tokenize)
        self._generated += forced
        return [sampled, *forced]

    @property
    def is_accepting(self) -> bool:
        """Whether the text may end here."""
        return self._matcher.is_accepting

    @property
    def is_cut(self) -> bool:
        """Whether the budget forbade a token that might have been chosen: the text is valid, but
        what it says may be cut short."""
        return self._cut_at is not None

    def _best_unaffordable(self, scores: Logits) -> float:
        """The best score of the tokens that the budget alone forbids; -inf if there are none."""
        if self.is_cut or not self._matcher.fill_unaffordable(self._unaffordable):
            return -math.inf
        masked = scores.copy()
        apply_mask(masked, self._unaffordable[0])
        return float(masked.max())

    def _follow(self, input_ids: npt.NDArray[np.intc]) -> None:
        if self._prompt is None:
            self._prompt = input_ids.copy()
        length = len(self._prompt)
        if not np.array_equal(input_ids[:length], self._prompt):
            raise GenerationError(
                "the tokens do not begin with the prompt of the first call: "
                "make a new SchemaLogitsProcessor for each generation"
            )
        tokens = input_ids[length:].tolist()
        shared = len(self._generated)
        if tokens[:shared] != self._generated:
            pairs = zip(self._generated, tokens, strict=False)
            differing = (at for at, (ours, theirs) in enumerate(pairs) if ours != theirs)
            shared = next(differing, len(tokens))
            self._matcher.rollback(len(self._generated) - shared)
            del self._generated[shared:]
            if self._cut_at is not None and self._cut_at >= shared:
                self._cut_at = None
        for token_id in tokens[shared:]:
            self._accept(token_id)

    def _accept(self, token_id: int) -> None:
        known = 0 <= token_id < self._vocabulary.size
        if not known or not self._matcher.accept(token_id):
            tokens = [*self._generated, token_id]
            raise refusal(self._vocabulary, tokens, len(self._generated))
        self._generated.append(token_id)


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
    on_text: Callable[[str], None] | None = None,
    on_mask: MaskObserver | None = None,
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
        on_mask: Called with the `MaskStep` of each token that is not forced: what the model would
            have written without the grammar.

    Raises:
        ModelError: The prompt fills the context, the grammar is for another vocabulary, or an
            argument has no sense.
        GenerationError: The generation could not go on; with the position and the text so far.
        LimitError: The budget is too small for any valid text, or a mask takes too much work.
    """
    check_compiled(compiled)
    check_sampling(max_tokens, temperature, seed)
    check_count("top_k", top_k, least=-1)
    check_number("top_p", top_p, most=1)
    check_number("min_p", min_p, most=1)
    check_llama(llama)
    tokenize = functools.partial(llama.tokenize, add_bos=False, special=False)
    check_vocabulary(compiled.vocabulary, lambda text: tokenize(text.encode()))
    prompt_ids = encode_prompt(llama, prompt)
    budget = token_limit(max_tokens, len(prompt_ids), llama.n_ctx())
    vocabulary = compiled.vocabulary
    stop_ids = set(vocabulary.stop_token_ids)
    margin = 0.0
    if temperature > 0:
        margin = -math.log(min_p) if min_p > 0 else math.inf
    processor = SchemaLogitsProcessor(compiled, max_tokens=budget, margin=margin, on_mask=on_mask)
    text = TextStream(stop, on_text)
    generated: list[int] = []
    status: Status = "max_tokens"
    if temperature > 0:
        # Logits after a cached prefix differ a little from those of a prompt read in one go: enough
        # for the same seed to draw another token.
        llama.reset()
    llama.set_seed(seed)
    sampled = llama.generate(
        prompt_ids,
        temp=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        logits_processor=LogitsProcessorList([processor]),
    )
    try:
        # The generator evaluates the prompt, reusing what is cached of it, and sets up a sampler
        # that `llama.sample` goes on with. Feeding it forced tokens would turn them into drafts.
        token_id = next(sampled)
        sampled.close()
        while True:
            processor.raise_if_failed()
            if token_id in stop_ids:
                status = "complete"
                break
            run = processor.extend(token_id, tokenize)
            generated += run
            if text.feed(b"".join(map(vocabulary.token, run))):
                status = "stop"
                break
            if len(generated) >= budget:
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
    return Completion(text.finish(), generated, status, len(prompt_ids), len(generated))


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
