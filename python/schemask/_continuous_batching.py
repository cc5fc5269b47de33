"""Masks for the continuous batching of transformers, each request under a grammar of its own."""

from __future__ import annotations

import itertools
import logging
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessor,
)

from schemask._native import CompiledGrammar, Matcher, fill_masks
from schemask.core.generation import refusal
from schemask.core.masking import WORD_BITS, allocate_mask, apply_mask
from schemask.errors import Error

_LOGGER = logging.getLogger(__name__)
MIN_KEPT_TEXTS = 1024


class GrammarProcessor(ContinuousBatchingLogitsProcessor):
    """Masks the rows of those requests that came with a grammar.

    The forward pass, which may have been captured as a graph, only ever sees one number of each
    request: the row of its mask in a table that lies where it always was. The masks are written
    there before.

    Args:
        manager: The manager, before its first pass.
    """

    def __init__(self, manager: Any) -> None:
        # By these names, transformers checks what comes with a request.
        self.supported_kwargs: dict[str, type] = {"grammar": CompiledGrammar}
        self.ignored_kwargs: tuple[str, ...] = ()
        self._manager = manager
        self._width: int = manager.model.config.get_text_config().vocab_size
        self._texts: OrderedDict[str, _Text] = OrderedDict()
        self._table = torch.zeros(0, dtype=torch.int32)

    def fill_defaults(self, int32_tensor: torch.Tensor) -> None:
        """Rows without a grammar have the last row of the table, which allows everything."""
        rows = self._manager.continuous_batching_config.max_requests_per_batch
        table = allocate_mask(rows + 1, self._width)
        allow(table[rows], range(self._width))
        self._table = torch.from_numpy(table).to(int32_tensor.device)
        int32_tensor.fill_(rows)

    def prepare_tensor_args(self, requests_with_new_token: list[Any]) -> torch.Tensor:
        """Writes the masks of the requests that are to get a token, and says where they are."""
        everything = len(self._table) - 1
        states = [request.state for request in requests_with_new_token]
        texts = [self._text_of(state) for state in states]
        while len(self._texts) > max(MIN_KEPT_TEXTS, 2 * len(states)):
            self._texts.popitem(last=False)
        bound = [text for text in texts if text is not None]
        if bound:
            masks = torch.from_numpy(_masks(bound, self._width))
            self._table[: len(bound)] = masks.to(self._table.device)
            if self._table.device.type != "cpu":
                torch.accelerator.synchronize()  # the pass may be on another stream
        rows = itertools.count()
        numbers = [everything if text is None else next(rows) for text in texts]
        return torch.tensor(numbers, dtype=torch.int32)

    def __call__(self, scores: torch.Tensor, tensor_arg: torch.Tensor) -> torch.Tensor:
        """The scores (rows, width) with -inf for each token that must not come next."""
        words = self._table[tensor_arg[: len(scores)].long()]
        masked = scores.clone()
        if masked.device.type == "cpu":
            apply_mask(masked, words)
            return masked
        # What a graph can hold: nothing here depends on what is in the table.
        shifts = torch.arange(WORD_BITS, dtype=torch.int32, device=scores.device)
        is_forbidden = ((words.unsqueeze(-1) >> shifts) & 1).eq(0).flatten(1)
        return masked.masked_fill_(is_forbidden[:, : self._width], -torch.inf)

    def _text_of(self, state: Any) -> _Text | None:
        grammar = state.logit_processor_kwargs.get("grammar")
        if grammar is None:
            return None
        # A request that had to make room begins again, and what it had generated is then a part of
        # its prompt.
        tokens: list[int] = state.to_generation_output().generated_tokens
        text = self._texts.pop(state.request_id, None)
        if text is None or text.grammar is not grammar or text.tokens != tokens[: len(text.tokens)]:
            budget = state.max_new_tokens
            if budget is not None:
                budget += len(tokens) - len(state.generated_tokens)
            text = _Text(grammar, budget)
        self._texts[state.request_id] = text
        text.go_on(tokens)
        return text


class _Text:
    """What a request has generated; without a matcher if it cannot go on."""

    def __init__(self, grammar: CompiledGrammar, budget: int | None) -> None:
        self.grammar = grammar
        self.tokens: list[int] = []
        self.matcher: Matcher | None = None
        try:
            self.matcher = grammar.matcher(max_tokens=budget)
        except Error as error:
            self.end(error)

    def end(self, error: Error) -> None:
        """Has the text end: what would be raised in a batch would end all others, too."""
        _LOGGER.warning("a text of a batch ends unfinished: %s", error)
        self.matcher = None

    def go_on(self, tokens: list[int]) -> None:
        for position in range(len(self.tokens), len(tokens)):
            if self.matcher is None or self.matcher.is_terminated:
                break
            try:
                if not self.matcher.accept(tokens[position]):
                    raise refusal(self.grammar.vocabulary, tokens, position)
            except Error as error:
                self.end(error)
        self.tokens = tokens

    def fill(self, row: npt.NDArray[np.int32]) -> None:
        if self.matcher is not None:
            try:
                self.matcher.fill_mask(row)
                return
            except Error as error:
                self.end(error)
        row[:] = 0
        allow(row, self.grammar.vocabulary.stop_token_ids)


def _masks(texts: list[_Text], width: int) -> npt.NDArray[np.int32]:
    masks = allocate_mask(len(texts), width)
    matchers = [text.matcher for text in texts if text.matcher is not None]
    try:
        if len(matchers) == len(texts):
            fill_masks(matchers, masks)
            return masks
    except Error:
        pass  # of one of them; the others have masks
    for text, row in zip(texts, masks, strict=True):
        text.fill(row)
    return masks


def allow(row: npt.NDArray[np.int32], token_ids: Iterable[int]) -> None:
    """Sets the bits of tokens in one row of a mask."""
    ids = np.fromiter(token_ids, dtype=np.int64)
    np.bitwise_or.at(
        row.view(np.uint32), ids // WORD_BITS, np.uint32(1) << (ids % WORD_BITS).astype(np.uint32)
    )
