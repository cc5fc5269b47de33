"""Conversations as tokens, in which nothing that a message says is a marker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from schemask.chat.messages import encodable
from schemask.chat.templates.encoders import Encoder, Piece, encoder_of
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


def guarded(
    render: Callable[[Any], str],
    values: Any,
    tokenizer: Any,
    *,
    written: str,
    is_template: bool,
) -> Prompt:
    """What `render` writes of `values`, as tokens in which no text of the values is a marker.

    Args:
        render: Writes a text of values like these.
        values: JSON values, all of whose texts and keys may come from anywhere.
        tokenizer: A tokenizer of transformers or a `llama_cpp.Llama`.
        written: What `render` writes around the values.
        is_template: Whether `render` runs the template of a model, which knows what texts begin and
            end with.

    Raises:
        FormatError: As `render` raises; another tokenizer, or one that makes a marker of something
            that is text.
    """
    encoder = encoder_of(tokenizer, written)
    texts = [*texts_in(values), written]
    disguise = Disguise(encoder.markers, texts)
    text = render(disguise.markers_hidden(values))
    # A template may put pieces of texts together, so that they are a marker then.
    if is_template and not encoder.markers.punctuation.isdisjoint("".join(texts[:-1])):
        strict = render(disguise.all_hidden(values))
        if _found(encoder.markers, strict) != _found(encoder.markers, text):
            text = strict
    pieces = _pieces(encoder.markers, encodable(text), disguise)
    shown = "".join(piece.text for piece in pieces)
    special = frozenset(encoder.ids.values())
    wanted = [encoder.ids[piece.text] for piece in pieces if piece.is_token]
    for token_ids in _readings(encoder, shown, pieces, disguise.is_in(text)):
        # Some tokenizers do not find a marker everywhere.
        unused = iter(wanted)
        if all(token_id in unused for token_id in token_ids if token_id in special):
            return Prompt(shown, encoder.completed(token_ids, is_whole=is_template))
    raise FormatError("the tokenizer makes a special token of what is text")


def _readings(
    encoder: Encoder, text: str, pieces: list[Piece], holds_hidden: bool
) -> Iterator[list[int]]:
    """The tokens of a text, read in ways that change it the less the earlier they come."""
    if not holds_hidden:
        yield encoder.encode(text)
    yield encoder.encode_pieces(pieces, cut=False)
    yield encoder.encode_pieces(pieces, cut=True)


def _pieces(markers: Markers, text: str, disguise: Disguise) -> list[Piece]:
    """The text cut at the markers that nobody hid."""
    pieces = []
    end = 0
    for start, next_end in markers.find(text):
        if start > end:
            pieces.append(Piece(disguise.lifted(text[end:start]), False))
        pieces.append(Piece(text[start:next_end], True))
        end = next_end
    if end < len(text):
        pieces.append(Piece(disguise.lifted(text[end:]), False))
    return pieces


def _found(markers: Markers, text: str) -> list[str]:
    return [text[start:end] for start, end in markers.find(text)]
