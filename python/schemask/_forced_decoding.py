"""Decoding with transformers in which nobody samples what the grammar forces."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import Any

import torch
from transformers.generation.logits_process import (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

_LOGGER = logging.getLogger(__name__)


class ForcedDecoding:
    """A loop for `model.generate(..., custom_generate=...)`: greedy, or sampling.

    After each token that the model chose, what the grammar forces is appended without asking the
    model, in the tokens of its own tokenizer, and read together with that token in one pass. Rows
    of a batch go on at their own speed: a row that has less to read gets padding before its
    tokens, which nothing attends to.

    Args:
        forced: What the grammar forces after a row of token ids, of shape (length,), and a token
            that was chosen there: token ids, maybe none.
        drafted: Which tokens may well follow a row, given as token ids, and those of them that came
            after the last forced text; maybe none. The model reads them together with what is
            certain, and those that it would have chosen are kept. With one row that is decoded
            greedily, from a cache that can be cut.
        streamer: A streamer of transformers, which gets the prompt, then the tokens of each pass
            at once, then the end. With several rows, rows go on at one speed: it gets a token of
            each row, and nothing that is forced is read at once.
    """

    def __init__(
        self,
        forced: Callable[[torch.Tensor, int], list[int]],
        drafted: Callable[[torch.Tensor, list[int]], list[int]] | None = None,
        streamer: Any = None,
    ) -> None:
        self._forced = forced
        self._drafted = drafted
        self._streamer = streamer

    def __call__(
        self,
        model: Any,
        input_ids: torch.Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> torch.Tensor:
        """The sequences: prompt, generated tokens, padding; of shape (rows, tokens)."""
        runs = self.runs(
            model,
            input_ids,
            logits_processor,
            stopping_criteria,
            generation_config,
            **model_kwargs,
        )
        streamer = self._streamer
        if streamer is not None:
            streamer.put(input_ids.cpu())
        while True:
            try:
                of_rows = next(runs)
            except StopIteration as end:
                sequences: torch.Tensor = end.value
                break
            if streamer is not None:
                streamer.put(torch.tensor([token for run in of_rows for token in run]))
        if streamer is not None:
            streamer.end()
        return sequences

    @torch.no_grad()
    def runs(
        self,
        model: Any,
        input_ids: torch.Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> Generator[list[list[int]], None, torch.Tensor]:
        """The new tokens of each row, pass by pass; in the end, the sequences.

        As `custom_generate` it makes `model.generate` return this generator, which asks the model
        only as far as it is read, and without a thread.
        """
        padding = int(generation_config._pad_token_tensor)
        rows = [_Sequence(ids) for ids in input_ids]
        if len(rows) > 1 and model_kwargs.get("attention_mask") is None:
            model_kwargs["attention_mask"] = torch.ones_like(input_ids)
        read = input_ids  # what is in the cache, padding included
        outputs = model._prefill(input_ids, generation_config, model_kwargs)
        runs_are_read = _takes_runs(outputs) and (
            len(rows) == 1 or (self._streamer is None and _takes_padding(outputs, logits_processor))
        )
        drafted = self._drafted
        if generation_config.do_sample or not runs_are_read or not _can_be_cut(outputs, rows):
            drafted = None
        drafts: list[int] = []
        while True:
            model_kwargs = model._update_model_kwargs_for_generation(
                outputs, model_kwargs, num_new_tokens=0
            )
            logits = outputs.logits[:, -1 - len(drafts) :]
            logits = logits.to(copy=True, dtype=torch.float32, device=read.device)
            cache = outputs.get("cache")
            del outputs
            kept: list[int] = []
            if drafts:
                kept, scores = _verified(logits_processor, rows[0].ids, drafts, logits)
                if refused := len(drafts) - len(kept):
                    cache.crop(-refused)
                    read = read[:, :-refused]
                    model_kwargs = _narrowed(model_kwargs, refused)
            else:
                scores = _processed(logits_processor, rows, logits[:, 0])
            chosen = _chosen(scores, generation_config.do_sample).tolist()
            for row, token in zip(rows, chosen, strict=True):
                if row.is_done:
                    row.rest([] if runs_are_read else [padding])
                    continue
                forced: list[int] = []
                if runs_are_read:
                    forced = self._forced(_extended(row.ids, kept), token)
                row.extend([*kept, token, *forced], stopping_criteria)
                row.value = [] if forced else [*row.value, *kept, token]
            yield [row.run for row in rows]
            if all(row.is_done for row in rows):
                return _sequences(rows, padding)
            drafts = drafted(rows[0].ids, rows[0].value) if drafted and rows[0].value else []
            unread = [[*row.run[len(kept) :], *drafts] for row in rows]
            chunk, is_text = _chunk(unread, padding, read)
            read = torch.cat([read, chunk], dim=1)
            model_kwargs = _widened(model_kwargs, is_text)
            inputs = model.prepare_inputs_for_generation(
                read, next_sequence_length=chunk.shape[1], **model_kwargs
            )
            if drafts and "logits_to_keep" in inputs:
                inputs["logits_to_keep"] = 1 + len(drafts)
            outputs = model(**inputs, return_dict=True)


def options_of(model: Any, options: dict[str, Any]) -> Callable[[str], Any]:
    """What `model.generate` goes by with these options, by name: one of them, or the config's."""
    config = options.get("generation_config") or model.generation_config
    return lambda name: options.get(name, getattr(config, name, None))


def is_for(model: Any, options: dict[str, Any]) -> bool:
    """Whether the loop does what `model.generate` would do with these options."""
    if model.config.is_encoder_decoder:
        return False
    option = options_of(model, options)
    if option("num_beams") not in (None, 1) or option("use_cache") is False:
        return False
    config = options.get("generation_config") or model.generation_config
    if getattr(config, "stop_strings", None):
        return False
    return not any(option(name) for name in _NOT_DONE)


# What asks for another way to decode, or for what this loop does not keep.
_NOT_DONE = (
    "assistant_model",
    "cache_implementation",
    "custom_generate",
    "dola_layers",
    "guidance_scale",
    "inputs_embeds",
    "output_attentions",
    "output_hidden_states",
    "output_logits",
    "output_scores",
    "penalty_alpha",
    "prompt_lookup_num_tokens",
    "return_dict_in_generate",
    "synced_gpus",
)


class _Sequence:
    """A sequence, as it was without padding between its tokens.

    Attributes:
        ids: Its tokens.
        run: Those of the last pass.
        value: Those after the last forced text.
        is_done: Whether it has ended.
    """

    def __init__(self, ids: torch.Tensor) -> None:
        self.ids = ids
        self.run: list[int] = []
        self.value: list[int] = []
        self.is_done = False

    def rest(self, run: list[int]) -> None:
        """Goes on after the end, with padding that keeps rows at one length."""
        self.run = run
        self.ids = _extended(self.ids, run)

    def extend(self, run: list[int], stopping_criteria: Any) -> None:
        """Appends tokens, up to the first after which the criteria stop."""
        self.run = []
        for token in run:
            self.ids = _extended(self.ids, [token])
            self.run.append(token)
            if bool(stopping_criteria(self.ids[None], None)[0]):
                self.is_done = True
                break


def _extended(ids: torch.Tensor, tokens: list[int]) -> torch.Tensor:
    return torch.cat([ids, ids.new_tensor(tokens)]) if tokens else ids


# Processors that ask neither what was generated nor how many rows there are.
_ROW_BY_ROW = (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)


def _takes_runs(outputs: Any) -> bool:
    """Whether the cache takes several tokens at once. Layers with a state take one by one."""
    cache = outputs.get("cache")
    return cache is not None and not any(cache.is_linear)


def _takes_padding(outputs: Any, logits_processor: Any) -> bool:
    """Whether rows may go on at different speeds.

    A window of the cache counts padding as text, and processors may want rows of one length.
    """
    return not any(outputs["cache"].is_sliding) and all(
        isinstance(processor, _ROW_BY_ROW) or hasattr(processor, "forced_after")
        for processor in logits_processor
    )


def _can_be_cut(outputs: Any, rows: list[_Sequence]) -> bool:
    """Whether tokens that were read can be forgotten. Windows would have to know of it before."""
    cache = outputs["cache"]
    return len(rows) == 1 and bool(cache.is_croppable) and not any(cache.is_sliding)


def _verified(
    logits_processor: Any, ids: torch.Tensor, drafts: list[int], logits: torch.Tensor
) -> tuple[list[int], torch.Tensor]:
    """How many of the drafts would have been chosen, and the scores of what comes after them.

    Args:
        logits_processor: What scores the logits.
        ids: The row before the drafts.
        drafts: Its drafts.
        logits: Those after the row, and after each draft; of shape (1, drafts + 1, width).
    """
    for count, draft in enumerate(drafts):
        kept = drafts[:count]
        scores = logits_processor(_extended(ids, kept)[None], logits[:, count])
        if int(scores.argmax(dim=-1)) != draft:
            return kept, scores
    return drafts, logits_processor(_extended(ids, drafts)[None], logits[:, len(drafts)])


def _processed(logits_processor: Any, rows: list[_Sequence], logits: torch.Tensor) -> torch.Tensor:
    """What the processors make of the logits; they see sequences without padding inside."""
    if len({len(row.ids) for row in rows}) == 1:
        scores: torch.Tensor = logits_processor(torch.stack([row.ids for row in rows]), logits)
        return scores
    parts = [
        row_logits if row.is_done else logits_processor(row.ids[None], row_logits)
        for row, row_logits in zip(rows, logits[:, None], strict=True)
    ]
    return torch.cat(parts)


def _chosen(scores: torch.Tensor, do_sample: bool) -> torch.Tensor:
    if do_sample:
        return torch.multinomial(scores.softmax(dim=-1), num_samples=1).squeeze(1)
    return scores.argmax(dim=-1)


def _chunk(
    runs: list[list[int]], padding: int, like: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens that are to be read, padded on the left, and which of them are text."""
    width = max(map(len, runs))
    chunk = [[padding] * (width - len(run)) + run for run in runs]
    is_text = [[0] * (width - len(run)) + [1] * len(run) for run in runs]
    return like.new_tensor(chunk), like.new_tensor(is_text)


def _widened(model_kwargs: dict[str, Any], is_text: torch.Tensor) -> dict[str, Any]:
    """The arguments of a pass with the tokens of a chunk added."""
    widened = dict(model_kwargs)
    if (mask := widened.get("attention_mask")) is not None:
        widened["attention_mask"] = torch.cat([mask, is_text.to(mask)], dim=1)
    if (positions := widened.get("position_ids")) is not None:
        # Of the first text token on; padding repeats the position before it.
        steps = is_text.cumsum(dim=1).to(positions)
        steps = steps.reshape(*[1] * (positions.dim() - 2), *steps.shape)
        widened["position_ids"] = torch.cat([positions, positions[..., -1:] + steps], dim=-1)
    return widened


def _narrowed(model_kwargs: dict[str, Any], refused: int) -> dict[str, Any]:
    """The arguments of a pass without the last tokens of the only row."""
    narrowed = dict(model_kwargs)
    for name in ("attention_mask", "position_ids"):
        if narrowed.get(name) is not None:
            narrowed[name] = narrowed[name][..., :-refused]
    return narrowed


def _sequences(rows: list[_Sequence], padding: int) -> torch.Tensor:
    width = max(len(row.ids) for row in rows)
    return torch.stack(
        [torch.cat([row.ids, row.ids.new_full((width - len(row.ids),), padding)]) for row in rows]
    )
