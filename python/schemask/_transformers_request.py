"""What `model.generate` is asked: prompts and their padding, stop tokens, room, a streamer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from transformers import LogitsProcessorList

from schemask._native import CompiledGrammar
from schemask.core.generation import (
    check_compiled,
    check_count,
    check_model,
    check_prompt,
    check_token_ids,
    check_vocabulary,
    token_limit,
)
from schemask.errors import ModelError, shortened

# Arguments of `model.generate` that `generate` sets.
_OWN_OPTIONS = {
    "input_ids",
    "inputs",
    "attention_mask",
    "eos_token_id",
    "pad_token_id",
    "tokenizer",
}


class Request(NamedTuple):
    """What `model.generate` is asked.

    Attributes:
        padded: The prompts, with padding before them, all `width` long.
        attention: What of them is no padding, of shape (prompts, width).
        width: Tokens of the longest prompt.
        context: Tokens that the model has room for, if it says so.
        budget: The most tokens to be generated.
        stop_ids: The tokens that end a text.
    """

    padded: list[list[int]]
    attention: torch.Tensor
    width: int
    context: int | None
    budget: int
    stop_ids: list[int]

    @classmethod
    def of(
        cls,
        model: Any,
        tokenizer: Any,
        prompts: str | Sequence[str | Sequence[int]],
        compiled: CompiledGrammar,
        max_new_tokens: int,
        options: dict[str, Any],
    ) -> Request:
        """Of the arguments of `schemask.transformers.generate`, which says what it raises."""
        check_compiled(compiled)
        check_count("max_new_tokens", max_new_tokens)
        check_model(model)
        if not hasattr(tokenizer, "encode"):
            raise ModelError(f"the tokenizer is one of transformers, not {shortened(tokenizer)}")
        if taken := _OWN_OPTIONS & options.keys():
            raise ModelError(f"{min(taken)} is set by schemask, and cannot be given")
        config = model.config.get_text_config()
        vocabulary = compiled.vocabulary
        check_vocabulary(vocabulary, lambda text: tokenizer.encode(text, add_special_tokens=False))
        encoded = [
            encode_prompt(tokenizer, prompt, config.vocab_size) for prompt in _prompt_list(prompts)
        ]
        width = max(map(len, encoded))
        context = getattr(config, "max_position_embeddings", None)
        budget = token_limit(max_new_tokens, width, context)
        padding = vocabulary.stop_token_ids[0]  # behind the attention mask any token will do
        return cls(
            padded=[[padding] * (width - len(ids)) + ids for ids in encoded],
            attention=torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in encoded]),
            width=width,
            context=context,
            budget=budget,
            stop_ids=vocabulary.stop_token_ids,
        )

    def generate(self, model: Any, processor: Any, **options: Any) -> Any:
        """What `model.generate` returns; the processor comes before those in the options."""
        others = options.pop("logits_processor", None) or []
        return model.generate(
            input_ids=torch.tensor(self.padded).to(model.device),
            attention_mask=self.attention.to(model.device),
            max_new_tokens=self.budget,
            logits_processor=LogitsProcessorList([processor, *others]),
            eos_token_id=self.stop_ids,
            pad_token_id=self.stop_ids[0],
            **options,
        )


class _Told:
    """A streamer whose end is told once, although two of them would do it."""

    def __init__(self, streamer: Any) -> None:
        self._streamer = streamer
        self._is_ended = False

    def put(self, tokens: torch.Tensor) -> None:
        self._streamer.put(tokens)

    def end(self) -> None:
        if not self._is_ended:
            self._is_ended = True
            self._streamer.end()


@contextlib.contextmanager
def ended(streamer: Any) -> Iterator[_Told | None]:
    """The streamer, whose end is told in the end; transformers tells it only if all went well."""
    if streamer is None:
        yield None
        return
    if not hasattr(streamer, "put") or not hasattr(streamer, "end"):
        raise ModelError(f"the streamer is one of transformers, not {shortened(streamer)}")
    told = _Told(streamer)
    try:
        yield told
    finally:
        told.end()


def _prompt_list(
    prompts: str | Sequence[str | Sequence[int]],
) -> Sequence[str | Sequence[int]]:
    if isinstance(prompts, str):
        return [prompts]
    if not isinstance(prompts, Sequence):
        raise ModelError(f"prompts are strings or lists of token ids, not {type(prompts).__name__}")
    if not prompts:
        raise ModelError("prompts is empty: there is nothing to continue")
    return prompts


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
        bos = getattr(tokenizer, "bos_token", None) or ""
        is_whole = bos != "" and prompt.startswith(bos)
        ids = list(tokenizer(prompt, add_special_tokens=not is_whole)["input_ids"])
    elif isinstance(prompt, Iterable) and not isinstance(prompt, bytes):
        ids = list(prompt)
    else:
        raise ModelError(f"a prompt is a string or a list of token ids, not {shortened(prompt)}")
    check_token_ids(ids, size)
    return ids
