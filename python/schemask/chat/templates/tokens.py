"""The tokens of a text of which it is known what messages said: none of that is a marker."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

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


class Guarded:
    """What `render` writes of `values`: a text in which no text of the values is a marker.

    Args:
        render: Writes a text of values like these.
        values: JSON values, all of whose texts and keys may come from anywhere.
        tokenizer: A tokenizer of transformers or a `llama_cpp.Llama`.
        written: What `render` does.

    Attributes:
        text: The text.

    Raises:
        FormatError: As `render` raises; or another tokenizer.
    """

    def __init__(
        self, render: Callable[[Any], str], values: Any, tokenizer: Any, written: Written
    ) -> None:
        self._encoder = encoder_of(tokenizer, written.around)
        self._is_whole = written.hidden is not None
        markers = self._encoder.markers
        texts = list(texts_in(values))
        disguise = Disguise(markers, [*texts, written.around])
        text = render(disguise.markers_hidden(values))
        # A template may put pieces of texts together, so that they are a marker then.
        if written.hidden is not None and not markers.punctuation.isdisjoint("".join(texts)):
            strict = render(written.hidden(disguise))
            if _found(markers, strict) != _found(markers, text):
                text = strict
        self._pieces = _pieces(markers, encodable(text), disguise)
        self._holds_hidden = disguise.is_in(text)
        self.text = "".join(piece.text for piece in self._pieces)

    @functools.cached_property
    def prompt(self) -> Prompt:
        """The text with its tokens, and those that the model wants around every text.

        Raises:
            FormatError: A tokenizer that makes a marker of something that is text.
        """
        ids = self._encoder.completed(self._own_ids, is_whole=self._is_whole)
        return Prompt(self.text, ids)

    def continued(self, turn: Guarded) -> list[int]:
        """The tokens of a turn that follows this text.

        They are those that the tokenizer reads there if it reads both together; unless one would
        reach over the border, for the model has the tokens of this text before it already.

        Args:
            turn: The turn.

        Raises:
            FormatError: As `prompt`; or the tokens cannot be parted.
        """
        pieces = [*self._pieces, *turn._pieces]
        both = self._read(pieces, self._holds_hidden or turn._holds_hidden)
        length = len(self._own_ids)
        if both[:length] == self._own_ids:
            return both[length:]
        for cut in (False, True):
            ids = self._encoder.encode_after(self._pieces, turn._pieces, cut=cut)
            if self._is_right(ids, turn._pieces):
                return ids
        raise FormatError(_FORGED)

    def marker(self, text: str) -> int | None:
        """The token of a marker; None if the tokenizer has none.

        Args:
            text: The marker.
        """
        return self._encoder.ids.get(text)

    @functools.cached_property
    def _own_ids(self) -> list[int]:
        return self._read(self._pieces, self._holds_hidden)

    def _read(self, pieces: list[Piece], holds_hidden: bool) -> list[int]:
        """The tokens, read in the first way in which nothing is a marker but the template's."""
        if not holds_hidden:
            token_ids = self._encoder.encode("".join(piece.text for piece in pieces))
            if self._is_right(token_ids, pieces):
                return token_ids
        for cut in (False, True):
            token_ids = self._encoder.encode_pieces(pieces, cut=cut)
            if self._is_right(token_ids, pieces):
                return token_ids
        raise FormatError(_FORGED)

    def _is_right(self, token_ids: list[int], pieces: list[Piece]) -> bool:
        # Some tokenizers do not find a marker everywhere.
        wanted = [self._encoder.ids[piece.text] for piece in pieces if piece.is_token]
        unused = iter(wanted)
        special = self._special
        return all(token_id in unused for token_id in token_ids if token_id in special)

    @functools.cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(self._encoder.ids.values())


_FORGED = "the tokenizer makes a special token of what is text"


def _pieces(markers: Markers, text: str, disguise: Disguise) -> list[Piece]:
    """The text cut at the markers that nobody hid."""
    found = dict(markers.find(text))
    borders = {0, len(text), *found, *found.values()}
    pieces = []
    for start, end in itertools.pairwise(sorted(borders)):
        is_token = found.get(start) == end
        part = text[start:end] if is_token else disguise.lifted(text[start:end])
        pieces.append(Piece(part, is_token))
    return pieces


def _found(markers: Markers, text: str) -> list[str]:
    return [text[start:end] for start, end in markers.find(text)]
