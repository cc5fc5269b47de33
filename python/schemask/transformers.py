"""Constrained decoding with `transformers`.

    processor = SchemaLogitsProcessor(compiled, max_tokens=200)
    model.generate(
        **inputs,
        max_new_tokens=200,
        logits_processor=LogitsProcessorList([processor]),
        eos_token_id=compiled.vocabulary.stop_token_ids,
    )

Pass all stop tokens as `eos_token_id`, as above: a model's generation config often names only one
of them, and after the others generation would go on, with stop tokens alone. Decode with
`clean_up_tokenization_spaces=False`, or `decode` edits the text. `generate` does all of this, and
checks each sequence once more before it returns it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import LogitsProcessor, LogitsProcessorList

from schemask._native import CompiledGrammar, Matcher, fill_masks
from schemask.errors import GenerationError
from schemask.generation import refusal, text_of
from schemask.masking import allocate_mask, apply_mask

MIN_CACHED_STATES = 1024


class SchemaLogitsProcessor(LogitsProcessor):
    """Allows exactly the tokens after which the generated text can still become valid.

    States are found by the tokens generated so far, never by row number or call order, and the
    scores passed in are left as they are. So batches with left padding, beam search,
    `num_return_sequences` and assisted decoding (which returns to shorter prefixes) need no further
    care. Use one processor for one `generate` call: the prompts are learned from the first call,
    and a call with other prompts is an error.

    After a stop token a row may hold anything (generation pads finished rows), and only stop tokens
    are allowed. Columns of the scores past the vocabulary are -inf.

    Args:
        compiled: The grammar, compiled for the model's vocabulary.
        max_tokens: A budget, normally `max_new_tokens`: the text is finished and valid within it.
        prompt_length: Tokens per row, padding included, that come before the constrained text. By
            default the width of the first call; a smaller number makes the end of the prompt part
            of the text.

    Raises:
        GenerationError: On a call with rows that hold a token the grammar does not allow, or other
            prompts than those of the first call. It reaches the caller of `generate`.
        MaskError: The model has fewer logits than the vocabulary has allowed tokens.
    """

    # Continuous batching hands over only the last token of each row.
    supports_continuous_batching = False

    def __init__(
        self,
        compiled: CompiledGrammar,
        *,
        max_tokens: int | None = None,
        prompt_length: int | None = None,
    ) -> None:
        self._compiled = compiled
        self._vocabulary = compiled.vocabulary
        self._start = compiled.matcher(max_tokens=max_tokens)
        self._prompt_length = prompt_length
        self._prompts: frozenset[bytes] | None = None
        self._states: OrderedDict[bytes, Matcher] = OrderedDict()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:
        """Masks `scores` (rows, width) by the tokens `input_ids` (rows, length).

        Returns:
            A copy of the scores with -inf for each token that must not come next.
        """
        prompts, texts = self._split(input_ids.cpu().numpy().astype(np.int64, copy=False))
        states = {text: self._state(text) for text in dict.fromkeys(texts)}
        self._forget(keep=max(MIN_CACHED_STATES, 4 * len(texts)))
        _check_refusals(prompts, [states[text] for text in texts])
        live = {text: state for text, state in states.items() if isinstance(state, Matcher)}
        bitmask = allocate_mask(len(live) + 1, self._vocabulary.size)  # the last row allows nothing
        fill_masks(list(live.values()), bitmask[:-1])
        row_of = {text: row for row, text in enumerate(live)}
        rows = [row_of.get(text, -1) for text in texts]
        are_in_order = rows == list(range(len(live)))
        masked = scores.clone()
        apply_mask(masked, bitmask[:-1] if are_in_order else bitmask[rows])
        return masked

    def _split(self, rows: npt.NDArray[np.int64]) -> tuple[list[bytes], list[bytes]]:
        """The prompt and the generated tokens of each row; int64 arrays as bytes, to be keys."""
        if self._prompt_length is None:
            self._prompt_length = rows.shape[1]
        prompts = [row.tobytes() for row in rows[:, : self._prompt_length]]
        if self._prompts is None:
            self._prompts = frozenset(prompts)
        if rows.shape[1] < self._prompt_length or not self._prompts.issuperset(prompts):
            raise GenerationError(
                "the rows do not begin with the prompts of the first call: "
                "make a new SchemaLogitsProcessor for each call of generate"
            )
        return prompts, [row.tobytes() for row in rows[:, self._prompt_length :]]

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

    def _forget(self, keep: int) -> None:
        while len(self._states) > keep:
            self._states.popitem(last=False)


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


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str | Sequence[int]],
    compiled: CompiledGrammar,
    *,
    max_new_tokens: int = 256,
    **options: Any,
) -> list[str]:
    """Generates a valid text for each prompt.

    Adds to `model.generate` what is easily forgotten: left padding, all stop tokens, the token
    budget, texts made of the very bytes that the grammar saw, and an error instead of any text that
    is not valid.

    Args:
        model: A `transformers` model that generates.
        tokenizer: Its tokenizer; encodes those prompts that are strings, with its special tokens.
        prompts: Texts, or token ids (what `apply_chat_template` returns), as one batch.
        compiled: The grammar, compiled for the model's vocabulary.
        max_new_tokens: Tokens for each text, all of which are finished within it.
        options: Further arguments of `model.generate`, such as `do_sample` or `num_beams`.

    Returns:
        `num_return_sequences` texts (default 1) for each prompt, in order.

    Raises:
        GenerationError: A sequence is not valid. Beam search returns such ones when it runs out of
            valid beams.
    """
    encoded = [list(tokenizer(p)["input_ids"]) if isinstance(p, str) else list(p) for p in prompts]
    width = max(map(len, encoded))
    stop_ids = compiled.vocabulary.stop_token_ids
    padding = stop_ids[0]  # behind the attention mask any token will do
    input_ids = torch.tensor([[padding] * (width - len(ids)) + ids for ids in encoded])
    attention = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in encoded])
    processor = SchemaLogitsProcessor(compiled, max_tokens=max_new_tokens)
    output = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=attention.to(model.device),
        max_new_tokens=max_new_tokens,
        logits_processor=LogitsProcessorList([processor, *options.pop("logits_processor", [])]),
        eos_token_id=stop_ids,
        pad_token_id=padding,
        **options,
    )
    sequences = output if isinstance(output, torch.Tensor) else output.sequences
    return [_checked_text(compiled, row) for row in sequences[:, width:].tolist()]


def _checked_text(compiled: CompiledGrammar, tokens: list[int]) -> str:
    vocabulary = compiled.vocabulary
    stops = set(vocabulary.stop_token_ids)
    length = next((n for n, token in enumerate(tokens) if token in stops), len(tokens))
    matcher = compiled.matcher()
    for position, token_id in enumerate(tokens[:length]):
        if not matcher.accept(token_id):
            raise refusal(vocabulary, tokens, position)
    text = text_of(vocabulary, tokens[:length])
    if not matcher.is_accepting:
        raise GenerationError(f"the text ends at position {length}, unfinished: {text!r}")
    return text
