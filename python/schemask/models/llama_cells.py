"""The cells of a llama.cpp context, shared by the sequences of several texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp._internals import LlamaBatch

from schemask.core.masked_scores import Logits
from schemask.errors import GenerationError
from schemask.models.running_text import RunningText


class LlamaSequence:
    """One sequence of a context.

    Attributes:
        index: Its number there.
        held: The tokens that its cells hold.
        text: The text that it generates, or None if it is idle.
        sampler: The sampler of that text, of llama-cpp-python.
        last_used: When it was last given a text; more is later.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.held: list[int] = []
        self.text: RunningText | None = None
        self.sampler: Any = None
        self.last_used = 0


class LlamaCells:
    """A context, whose cells each text gets as many of as it can need; one thread uses it.

    Idle sequences keep what they hold until its cells are needed, and a new text takes over the
    longest beginning that any sequence shares with it.

    Args:
        llama: A `llama_cpp.Llama`; what its context holds is dropped.
    """

    def __init__(self, llama: Any) -> None:
        self._llama = llama
        self._context = llama._ctx.ctx
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocab_size = llama.n_vocab()
        self.size: int = llama.n_ctx()
        self.batch_size: int = llama_cpp.llama_n_batch(self._context)
        self._batch = LlamaBatch(n_tokens=self.batch_size, embd=0, n_seq_max=1)
        # In a step, each text reads at least one token.
        count = min(llama.context_params.n_seq_max, self.batch_size)
        self.sequences = [LlamaSequence(index) for index in range(count)]
        self._clock = 0
        llama.reset()
        self._forget_all()

    @property
    def running(self) -> list[tuple[LlamaSequence, RunningText]]:
        """The sequences that generate a text, and their texts."""
        return [(each, each.text) for each in self.sequences if each.text is not None]

    def admit(self, text: RunningText) -> bool:
        """Gives a text a sequence and cells, if there are enough.

        Args:
            text: The text, which then need not read what its sequence holds already.

        Returns:
            Whether there were enough.
        """
        idle = [sequence for sequence in self.sequences if sequence.text is None]
        promised = sum(other.most_cells for _, other in self.running)
        if not idle or promised + text.most_cells > self.size:
            return False
        is_fresh = text.is_repeatable and text.sampling.temperature > 0
        if is_fresh and not self.running:
            self._forget_all()
        chosen = self._prepared(idle, [] if is_fresh else text.pending)
        text.pending = text.pending[len(chosen.held) :]
        self._clock += 1
        chosen.last_used = self._clock
        chosen.text = text
        chosen.sampler = self._sampler(text)
        self._evict(self.size - promised - text.most_cells)
        return True

    def release(self, sequence: LlamaSequence) -> None:
        """Makes a sequence idle; what it holds stays for texts that begin like it."""
        sequence.text = None
        if sequence.sampler is not None:
            sequence.sampler.close()
            sequence.sampler = None

    def read(self, parts: Iterable[tuple[LlamaSequence, RunningText, int]]) -> dict[int, int]:
        """Has the model read the next tokens of some texts, in one pass.

        Args:
            parts: The sequences and texts, and how many pending tokens of each; `batch_size` in
                all.

        Returns:
            For each sequence, by its number, whose text has nothing pending any more, the place of
            its scores, for `scores` and `sample`.

        Raises:
            GenerationError: The model could not read them; what these sequences held is gone.
        """
        parts = list(parts)
        batch = self._batch.batch
        at = 0
        places: dict[int, int] = {}
        for sequence, text, count in parts:
            for offset, token_id in enumerate(text.pending[:count]):
                batch.token[at] = token_id
                batch.pos[at] = len(sequence.held) + offset
                batch.n_seq_id[at] = 1
                batch.seq_id[at][0] = sequence.index
                batch.logits[at] = False
                at += 1
            if count == len(text.pending):
                batch.logits[at - 1] = True
                places[sequence.index] = at - 1
        batch.n_tokens = at
        code = llama_cpp.llama_decode(self._context, batch)
        if code != 0:
            for sequence, _, _ in parts:
                self._forget(sequence)
            raise GenerationError(f"llama_decode returned {code}")
        for sequence, text, count in parts:
            sequence.held += text.pending[:count]
            text.pending = text.pending[count:]
        return places

    def scores(self, place: int) -> Logits:
        """The logits at a place that `read` told, of shape (width,), until the next `read`.

        `sample` chooses by what is written there.
        """
        row = llama_cpp.llama_get_logits_ith(self._context, place)
        return np.ctypeslib.as_array(row, shape=(self._vocab_size,))

    def sample(self, sequence: LlamaSequence, place: int) -> int:
        """The token that a sequence's sampler chooses by the scores at a place."""
        return int(sequence.sampler.sample(self._llama._ctx, place))

    def _sampler(self, text: RunningText) -> Any:
        """What llama-cpp-python would sample with, its own defaults included."""
        sampling = text.sampling
        self._llama.set_seed(sampling.seed)
        cuts = {} if sampling.top_p is None else {"top_p": sampling.top_p}
        return self._llama._init_sampler(temp=sampling.temperature, **cuts)

    def _prepared(self, idle: list[LlamaSequence], tokens: list[int]) -> LlamaSequence:
        """An idle sequence that holds as much of the beginning of `tokens` as any does.

        The last token is left to be read, so that there are scores.
        """
        shared = {each.index: _shared(each.held, tokens[:-1]) for each in self.sequences}
        best = max(self.sequences, key=lambda each: (shared[each.index], each.text is None))
        keep = shared[best.index] if self._is_whole(best) else 0
        if best.text is None and 2 * keep >= len(best.held):
            self._cut(best, keep)
            return best
        oldest = min(idle, key=lambda each: each.last_used)
        if oldest is best:
            self._cut(best, keep)
            return best
        self._forget(oldest)
        if keep > 0:
            llama_cpp.llama_memory_seq_cp(self._memory, best.index, oldest.index, 0, keep)
            oldest.held = best.held[:keep]
        return oldest

    def _is_whole(self, sequence: LlamaSequence) -> bool:
        """Whether any beginning of what a sequence holds can be gone on from: models with a state
        or a window may have dropped it."""
        return bool(llama_cpp.llama_memory_seq_pos_min(self._memory, sequence.index) == 0)

    def _evict(self, room: int) -> None:
        """Has idle sequences forget, the longest idle first, until they hold `room` at most."""
        idle = [sequence for sequence in self.sequences if sequence.text is None]
        idle.sort(key=lambda sequence: sequence.last_used)
        held = sum(len(sequence.held) for sequence in idle)
        for sequence in idle:
            if held <= room:
                break
            held -= len(sequence.held)
            self._forget(sequence)

    def _cut(self, sequence: LlamaSequence, keep: int) -> None:
        if llama_cpp.llama_memory_seq_rm(self._memory, sequence.index, keep, -1):
            del sequence.held[keep:]
        else:
            self._forget(sequence)

    def _forget(self, sequence: LlamaSequence) -> None:
        # A whole sequence can always be removed, and this says so.
        llama_cpp.llama_memory_seq_rm(self._memory, sequence.index, -1, -1)
        sequence.held = []

    def _forget_all(self) -> None:
        llama_cpp.llama_memory_clear(self._memory, True)
        for sequence in self.sequences:
            sequence.held = []


def _shared(one: list[int], other: list[int]) -> int:
    """How many tokens two texts have in common at their beginnings."""
    for place, (ours, theirs) in enumerate(zip(one, other, strict=False)):
        if ours != theirs:
            return place
    return min(len(one), len(other))
