"""The logits processor of transformers, which knows where each text of a batch stands."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import LogitsProcessor

from schemask._native import CompiledGrammar, Matcher
from schemask._prompt_lookup import MOST_TOKENS, continuation
from schemask.core.generation import (
    accept_forced,
    check_compiled,
    check_count,
    check_number,
    is_wish,
    refusal,
)
from schemask.core.mask_times import MasksObserver, fill_masks_timed
from schemask.core.masked_scores import StopTokens
from schemask.core.masking import WORD_BITS, allocate_mask, apply_mask
from schemask.errors import GenerationError

MIN_CACHED_STATES = 1024


class SchemaLogitsProcessor(LogitsProcessor):
    """Allows exactly the tokens after which the generated text can still become valid.

    States are found by the tokens generated so far, never by row number or call order, and the
    scores passed in are left as they are. So batches with left padding, beam search,
    `num_return_sequences` and assisted decoding (which returns to shorter prefixes) need no further
    care. Prompts are learned from the calls: rows that begin with none that is known begin a new
    generation, so that a `pipeline` can go through many prompts. (A prompt that begins with an
    earlier one is taken for that one and generated text: give it a processor of its own.)

    After a stop token a row may hold anything (generation pads finished rows), and only stop tokens
    are allowed. Columns of the scores past the vocabulary are -inf.

    Args:
        compiled: The grammar, compiled for the model's vocabulary.
        max_tokens: A budget, normally `max_new_tokens`: the text is finished and valid within it.
        prompt_length: Tokens per row, padding included, that come before the constrained text. By
            default the width of the call that begins a generation; a smaller number makes the end
            of the prompt part of the text.
        margin: By how much a token's score may lie below the best one for it to be chosen, for
            `is_cut`: 0 where decoding is greedy.
        on_masks: Called on each call with the number of masks that were made, and the seconds that
            they took together.

    Raises:
        ModelError: An argument of a wrong type or out of range.
        LimitError: `max_tokens` is too small for any valid text; on a call, a mask takes too much
            work.
        GenerationError: On a call with rows that hold a token the grammar does not allow, or that
            are shorter than `prompt_length`. It reaches the caller of `generate`.
        MaskError: On a call, if the model has fewer logits than the vocabulary has allowed tokens.
    """

    # Continuous batching hands over only the last token of each row.
    supports_continuous_batching = False

    def __init__(
        self,
        compiled: CompiledGrammar,
        *,
        max_tokens: int | None = None,
        prompt_length: int | None = None,
        margin: float = math.inf,
        on_masks: MasksObserver | None = None,
    ) -> None:
        check_compiled(compiled)
        if max_tokens is not None:
            check_count("max_tokens", max_tokens)
        check_number("margin", margin)
        self._vocabulary = compiled.vocabulary
        # Of what is looked at on the way.
        self._row = np.zeros(-(-self._vocabulary.size // WORD_BITS), dtype=np.int32)
        self._stop_tokens = StopTokens(self._vocabulary.stop_token_ids, self._vocabulary.size)
        self._start = compiled.matcher(max_tokens=max_tokens)
        self._margin = margin
        self._on_masks = on_masks
        self._cuts: set[tuple[bytes, bytes]] = set()
        self._prompt_text = b"", b""  # of the last prompt that was asked for
        if prompt_length is not None:
            check_count("prompt_length", prompt_length, least=0)
        self._prompt_length = prompt_length
        self._prompts: OrderedDict[bytes, None] = OrderedDict()
        self._states: OrderedDict[bytes, Matcher] = OrderedDict()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:
        """Masks `scores` (rows, width) by the tokens `input_ids` (rows, length).

        Returns:
            A copy of the scores with -inf for each token that must not come next.
        """
        prompts, texts = self._split(input_ids.cpu().numpy().astype(np.int64, copy=False))
        states = {text: self._state(text) for text in dict.fromkeys(texts)}
        keep = max(MIN_CACHED_STATES, 4 * len(texts))
        _forget(self._states, keep)
        _forget(self._prompts, keep)
        _check_refusals(prompts, [states[text] for text in texts])
        live = {text: state for text, state in states.items() if isinstance(state, Matcher)}
        bitmask = allocate_mask(len(live) + 1, self._vocabulary.size)  # the last row allows nothing
        fill_masks_timed(list(live.values()), bitmask[:-1], self._on_masks)
        row_of = {text: row for row, text in enumerate(live)}
        rows = [row_of.get(text, -1) for text in texts]
        are_in_order = rows == list(range(len(live)))
        masked = scores.clone()
        apply_mask(masked, bitmask[:-1] if are_in_order else bitmask[rows])
        self._note_cuts(list(zip(prompts, texts, strict=True)), states, scores, masked)
        return masked

    def allowed_after(self, ids: torch.Tensor) -> list[int]:
        """The tokens that may come after a row, in order.

        A row that holds a token which the grammar does not allow is a beam that beam search kept
        for want of better ones, with a score of -inf: it may only end.

        Args:
            ids: The row, of shape (length,).

        Raises:
            GenerationError: The row is shorter than `prompt_length`.
            LimitError: The mask takes too much work.
        """
        _, (text,) = self._split(ids[None].cpu().numpy().astype(np.int64, copy=False))
        state = self._state(text)
        if not isinstance(state, Matcher):
            return self._vocabulary.stop_token_ids
        allowed: list[int] = self._allowed(state).nonzero()[0].tolist()
        return allowed

    def forced_after(
        self, ids: torch.Tensor, token_id: int, tokenize: Callable[[bytes], list[int]]
    ) -> list[int]:
        """The tokens after a chosen one whose text the grammar forces; none if it ends there.

        Args:
            ids: A row of the last call, of shape (length,).
            token_id: The token chosen after it.
            tokenize: The model's own tokenizer; see `accept_forced`.

        Raises:
            GenerationError: The row is shorter than `prompt_length`.
            LimitError: To find the forced text takes too much work.
        """
        _, (text,) = self._split(ids[None].cpu().numpy().astype(np.int64, copy=False))
        state = self._state(text)
        if not isinstance(state, Matcher):
            return []
        matcher = state.clone()
        if not self._accepts(matcher, token_id) or matcher.is_terminated:
            return []
        forced = accept_forced(matcher, self._vocabulary, tokenize)
        if self._must_end(matcher):
            forced.append(self._vocabulary.stop_token_ids[0])
            matcher.accept(forced[-1])
        # The next call finds it, and need not read the text from its beginning.
        self._states[text + np.array([token_id, *forced], dtype=np.int64).tobytes()] = matcher
        return forced

    def drafted_after(
        self, ids: torch.Tensor, value: list[int], tokenize: Callable[[bytes], list[int]]
    ) -> list[int]:
        """Tokens that may well come after a row, since they stand in its prompt; maybe none.

        The grammar allows them; whether the model would choose them, it says.

        Args:
            ids: The row, of shape (length,).
            value: Its last tokens, which are all of one value.
            tokenize: The model's own tokenizer; see `accept_forced`.

        Raises:
            GenerationError: The row is shorter than `prompt_length`.
            LimitError: A token takes too much work.
        """
        (prompt,), (text,) = self._split(ids[None].cpu().numpy().astype(np.int64, copy=False))
        state = self._state(text)
        if not isinstance(state, Matcher):
            return []
        written = b"".join(map(self._vocabulary.token, value))
        likely = tokenize(continuation(self._text_of(prompt), written))
        matcher = state.clone()
        drafts: list[int] = []
        for token_id in likely[:MOST_TOKENS]:
            # Where text is forced, it is not the model that says in which tokens.
            if not matcher.accept(token_id) or matcher.forced_tokens():
                break
            drafts.append(token_id)
        return drafts

    def _text_of(self, prompt: bytes) -> bytes:
        if self._prompt_text[0] != prompt:
            size = self._vocabulary.size
            ids = (token for token in np.frombuffer(prompt, dtype=np.int64).tolist())
            parts = (self._vocabulary.token(token) for token in ids if 0 <= token < size)
            self._prompt_text = prompt, b"".join(parts)
        return self._prompt_text[1]

    def _must_end(self, matcher: Matcher) -> bool:
        """Whether only a stop token may come."""
        if not matcher.is_accepting:
            return False
        if matcher.fill_unaffordable(self._row):
            return False  # the model is asked, to see whether it had more to say
        matcher.fill_mask(self._row)
        return self._stop_tokens.are_all(self._row)

    def _allowed(self, matcher: Matcher) -> npt.NDArray[np.uint8]:
        """A 1 for each token that may come, by id."""
        matcher.fill_mask(self._row)
        return np.unpackbits(self._row.astype("<i4", copy=False).view(np.uint8), bitorder="little")

    def is_cut(self, prompt_ids: Sequence[int], token_ids: Sequence[int]) -> bool:
        """Whether the budget forbade a token of a text that might have been chosen.

        Such a text is valid, but what it says may be cut short.

        Args:
            prompt_ids: The prompt as `generate` got it, padding included.
            token_ids: The tokens generated after it, without a stop token.
        """
        prompt = np.asarray(prompt_ids, dtype=np.int64).tobytes()
        text = np.asarray(token_ids, dtype=np.int64).tobytes()
        return any((prompt, text[:end]) in self._cuts for end in range(0, len(text) + 8, 8))

    def _note_cuts(
        self,
        rows: list[tuple[bytes, bytes]],
        states: dict[bytes, Matcher | GenerationError],
        scores: torch.Tensor,
        masked: torch.Tensor,
    ) -> None:
        unaffordable = allocate_mask(1, self._vocabulary.size)
        for number, (prompt, text) in enumerate(rows):
            state = states[text]
            if not isinstance(state, Matcher) or not state.fill_unaffordable(unaffordable):
                continue
            wishes = scores[number].clone()
            apply_mask(wishes, unaffordable[0])
            if is_wish(float(wishes.max()), float(masked[number].max()), self._margin):
                self._cuts.add((prompt, text))

    def _split(self, rows: npt.NDArray[np.int64]) -> tuple[list[bytes], list[bytes]]:
        """The prompt and the generated tokens of each row; int64 arrays as bytes, to be keys."""
        whole = [row.tobytes() for row in rows]
        lengths = list(map(self._prompt_bytes, whole))
        if None in lengths:
            length = rows.shape[1] if self._prompt_length is None else self._prompt_length
            if rows.shape[1] < length:
                raise GenerationError(
                    f"rows of {rows.shape[1]} tokens are shorter than prompt_length={length}"
                )
            self._cuts.clear()
            lengths = [8 * length] * len(whole)
        prompts = [row[:end] for row, end in zip(whole, lengths, strict=True)]
        for prompt in prompts:
            self._prompts[prompt] = None
            self._prompts.move_to_end(prompt)
        return prompts, [row[end:] for row, end in zip(whole, lengths, strict=True)]

    def _prompt_bytes(self, row: bytes) -> int | None:
        """The length of the longest known prompt that a row begins with."""
        lengths = sorted({len(prompt) for prompt in self._prompts}, reverse=True)
        return next((end for end in lengths if row[:end] in self._prompts), None)

    def _state(self, text: bytes) -> Matcher | GenerationError:
        """The matcher after the generated tokens `text`, or its refusal of one of them."""
        state = self._states.get(text)
        if state is None:
            tokens: list[int] = np.frombuffer(text, dtype=np.int64).tolist()
            parent = self._states.get(text[:-8])
            known = 0 if parent is None else len(tokens) - 1
            state = (parent or self._start).clone()
            for position in range(known, len(tokens)):
                if state.is_terminated:
                    break
                if not self._accepts(state, tokens[position]):
                    return refusal(self._vocabulary, tokens, position)
            self._states[text] = state
        self._states.move_to_end(text)
        return state

    def _accepts(self, state: Matcher, token_id: int) -> bool:
        return 0 <= token_id < self._vocabulary.size and state.accept(token_id)


def _forget(cache: OrderedDict[bytes, Any], keep: int) -> None:
    while len(cache) > keep:
        cache.popitem(last=False)


def _check_refusals(prompts: list[bytes], states: list[Matcher | GenerationError]) -> None:
    """Raises if a row holds a token that is not allowed, unless it is a beam without a future.

    Beam sampling draws more candidates than there may be allowed tokens, and keeps the surplus,
    with a score of -inf, beside a living beam of the same prompt. Nothing may follow in those.
    Without beams such a row does not get through either: greedy rows of one prompt are equal and
    fail together, and torch refuses to sample from a row without choice.
    """
    alive = {p for p, state in zip(prompts, states, strict=True) if isinstance(state, Matcher)}
    for prompt, state in zip(prompts, states, strict=True):
        if isinstance(state, GenerationError) and prompt not in alive:
            raise state
