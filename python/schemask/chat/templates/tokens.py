"""The tokens of a text of which it is known what messages said: none of that is a marker."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from schemask.chat.messages import encodable
from schemask.chat.templates.encoders import Piece, encoder_of
from schemask.chat.templates.markers import Disguise, Markers, texts_in
from schemask.errors import FormatError


class Prompt(NamedTuple):
    """A conversation that was rendered.

    Attributes:
        text: As text.
        token_ids: As tokens, among which a special one stands only where the template put it.
    """

    text: str
    token_ids: list[int]


class Written(NamedTuple):
    """What may write conversations.

    Attributes:
        around: What it writes around messages.
        hidden: Of a template, which knows what texts begin and end with: gives the values with all
            disguised that the template can do without.
    """

    around: str
    hidden: Callable[[Disguise], Any] | None


Spans: TypeAlias = list[tuple[int, int]]


def guarded(render: Callable[[Any], str], values: Any, tokenizer: Any, written: Written) -> Prompt:
    """What `render` writes of `values`, as tokens in which no text of the values is a marker.

    Args:
        render: Writes a text of values like these.
        values: JSON values, all of whose texts and keys may come from anywhere.
        tokenizer: A tokenizer of transformers or a `llama_cpp.Llama`.
        written: What `render` does.

    Raises:
        FormatError: As `render` raises; another tokenizer, or one that makes a marker of something
            that is text.
    """
    guard = _Guarded(lambda values: (render(values), []), values, tokenizer, written)
    return Prompt(guard.text, guard.completed(guard.token_ids()))


def guarded_labels(
    render: Callable[[Any], tuple[str, Spans]], values: Any, tokenizer: Any, written: Written
) -> tuple[list[int], list[bool]]:
    """As `guarded`, with what a model that is trained learns to write.

    Args:
        render: Writes a text, and says which spans of it are learned.
        values: As in `guarded`.
        tokenizer: A fast tokenizer of transformers.
        written: As in `guarded`.

    Returns:
        The tokens, and of each whether it begins in one of the spans.

    Raises:
        FormatError: As `guarded`.
    """
    guard = _Guarded(render, values, tokenizer, written)
    read = guard.learned()
    token_ids = [token_id for token_id, _ in read]
    completed = guard.completed(token_ids)
    before = next(
        at for at in range(len(completed) + 1) if completed[at:][: len(read)] == token_ids
    )
    learned = [False] * len(completed)
    learned[before : before + len(read)] = [is_learned for _, is_learned in read]
    return completed, learned


class _Guarded:
    """A conversation of which is known which markers are the template's."""

    def __init__(
        self,
        render: Callable[[Any], tuple[str, Spans]],
        values: Any,
        tokenizer: Any,
        written: Written,
    ) -> None:
        self._encoder = encoder_of(tokenizer, written.around)
        self._is_whole = written.hidden is not None
        markers = self._encoder.markers
        texts = list(texts_in(values))
        disguise = Disguise(markers, [*texts, written.around])
        text, spans = render(disguise.markers_hidden(values))
        # A template may put pieces of texts together, so that they are a marker then.
        if written.hidden is not None and not markers.punctuation.isdisjoint("".join(texts)):
            strict, strict_spans = render(written.hidden(disguise))
            if _found(markers, strict) != _found(markers, text):
                text, spans = strict, strict_spans
        self._pieces = _pieces(markers, encodable(text), spans, disguise)
        self._holds_hidden = disguise.is_in(text)
        self.text = "".join(piece.text for piece in self._pieces)
        self._special = frozenset(self._encoder.ids.values())
        self._wanted = [self._encoder.ids[piece.text] for piece in self._pieces if piece.is_token]

    def token_ids(self) -> list[int]:
        """The tokens, read in the first way in which nothing is a marker but the template's."""
        if not self._holds_hidden:
            token_ids = self._encoder.encode(self.text)
            if self._is_right(token_ids):
                return token_ids
        return [token_id for token_id, _ in self._read(self._unlearned)]

    def learned(self) -> list[tuple[int, bool]]:
        """The tokens, and whether they are learned."""
        return self._read(self._encoder.encode_learned)

    def completed(self, token_ids: list[int]) -> list[int]:
        """The tokens of a whole prompt."""
        return self._encoder.completed(token_ids, is_whole=self._is_whole)

    def _unlearned(self, pieces: list[Piece], *, cut: bool) -> list[tuple[int, bool]]:
        return [(token_id, False) for token_id in self._encoder.encode_pieces(pieces, cut=cut)]

    def _read(self, encode: Callable[..., list[tuple[int, bool]]]) -> list[tuple[int, bool]]:
        for cut in (False, True):
            read = encode(self._pieces, cut=cut)
            if self._is_right([token_id for token_id, _ in read]):
                return read
        raise FormatError("the tokenizer makes a special token of what is text")

    def _is_right(self, token_ids: list[int]) -> bool:
        # Some tokenizers do not find a marker everywhere.
        unused = iter(self._wanted)
        return all(token_id in unused for token_id in token_ids if token_id in self._special)


def _pieces(markers: Markers, text: str, spans: Spans, disguise: Disguise) -> list[Piece]:
    """The text cut at the markers that nobody hid, and where spans begin and end."""
    found = dict(markers.find(text))
    borders = {0, len(text), *found, *found.values()}
    borders.update(border for span in spans for border in span)
    pieces = []
    for start, end in itertools.pairwise(sorted(borders)):
        is_learned = any(first <= start < last for first, last in spans)
        is_token = found.get(start) == end
        part = text[start:end] if is_token else disguise.lifted(text[start:end])
        pieces.append(Piece(part, is_token, is_learned))
    return pieces


def _found(markers: Markers, text: str) -> list[str]:
    return [text[start:end] for start, end in markers.find(text)]
