"""A model that writes prepared texts, as far as a grammar lets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemask import CompiledGrammar
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.generation import TextStream
from schemask.models import GREEDY, Completion, Sampling


class Parrot:
    """Writes prepared texts, one a turn, byte by byte as far as the grammar lets it.

    Attributes:
        prompts: What it was given.
        grammars: What it was bound to.
        written: How many bytes it has generated.
        is_writing: Whether a generation is under way.
    """

    def __init__(self, *texts: str) -> None:
        self.vocabulary = byte_vocabulary()
        self.prompts: list[str] = []
        self.grammars: list[CompiledGrammar] = []
        self.written = 0
        self.is_writing = False
        self._texts = list(texts)

    def generate(
        self,
        prompt: str,
        *,
        grammar: CompiledGrammar | None = None,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Completion:
        assert grammar is not None and not stop and not self.is_writing
        self.prompts.append(prompt)
        self.grammars.append(grammar)
        self.is_writing = True
        try:
            return self._write(self._texts.pop(0), prompt, grammar, sampling, on_text)
        finally:
            self.is_writing = False

    def _write(
        self,
        text: str,
        prompt: str,
        grammar: CompiledGrammar,
        sampling: Sampling,
        on_text: Callable[[str], None] | None,
    ) -> Completion:
        matcher = grammar.matcher(max_tokens=sampling.max_tokens)
        stream = TextStream((), on_text)
        token_ids: list[int] = []

        def add(byte: int) -> None:
            token_ids.append(byte)
            self.written += 1
            stream.feed(bytes([byte]))

        for byte in text.encode():
            if not matcher.accept(byte):
                break
            add(byte)
        for byte in matcher.completion():
            assert matcher.accept(byte)
            add(byte)
        status = "max_tokens" if len(token_ids) == sampling.max_tokens else "complete"
        return Completion(stream.finish(), token_ids, status, len(prompt), len(token_ids))
