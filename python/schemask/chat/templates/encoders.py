"""Tokenizers of any kind behind one interface: texts in which some markers are tokens.

A tokenizer finds its special tokens wherever their text stands. Here it is told where they stand: a
marker that is a piece of its own becomes its token, and all else is read as text.
"""

from __future__ import annotations

import re
import secrets
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from schemask.chat.templates.markers import Markers
from schemask.errors import FormatError, missing, shortened

# Tokens that are found as a whole, and stand in texts of any kind: words, single characters, white
# space (which SentencePiece writes as U+2581), and the elements of HTML.
_ORDINARY = re.compile(r"[\s\u2581]+|\w+|.", re.S)
_ELEMENT = re.compile(
    r"</?(a|abbr|article|aside|b|blockquote|body|br|button|caption|center|cite|code|col|dd|del|div"
    r"|dl|dt|em|figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|label|li"
    r"|link|main|meta|nav|ol|option|p|pre|q|script|section|select|small|span|strong|style|sub|sup"
    r"|svg|table|tbody|td|textarea|tfoot|th|thead|title|tr|u|ul|video)>"
)


class Piece(NamedTuple):
    """A part of a text.

    Attributes:
        text: What it says.
        is_token: Whether it is a marker, and to be read as one token.
    """

    text: str
    is_token: bool


class Encoder(Protocol):
    """A tokenizer.

    Attributes:
        markers: The texts that it reads as one token, other than such as any text may hold.
        ids: Their tokens.
        size: All its tokens are below.
    """

    markers: Markers
    ids: dict[str, int]
    size: int

    def encode(self, text: str) -> list[int]:
        """The tokens of a text as the tokenizer reads it by itself."""

    def encode_pieces(self, pieces: Sequence[Piece], *, cut: bool) -> list[int]:
        """The tokens of a text that is given in pieces.

        Args:
            pieces: The pieces.
            cut: Whether markers are cut in two where they are text. There are models that make the
                token of a marker out of the tokens of its parts.
        """

    def encode_after(
        self, before: Sequence[Piece], pieces: Sequence[Piece], *, cut: bool
    ) -> list[int]:
        """The tokens of pieces that follow others, of which none reaches back into those.

        Args:
            before: What stands before them.
            pieces: The pieces.
            cut: As of `encode_pieces`.

        Raises:
            FormatError: The tokenizer has a token that does.
        """

    def completed(self, token_ids: list[int], *, is_whole: bool) -> list[int]:
        """The tokens with those that the model wants around every text.

        Args:
            token_ids: The tokens.
            is_whole: Whether a template wrote them, which knows what it begins and ends with.
        """


def encoder_of(tokenizer: Any, written: str) -> Encoder:
    """The encoder of a tokenizer.

    Args:
        tokenizer: A tokenizer of transformers or a `llama_cpp.Llama`.
        written: What is written around messages: a token that looks like an element of HTML is a
            marker only if it stands there.

    Raises:
        FormatError: Another tokenizer.
    """
    if is_llama_cpp(tokenizer):
        return _LlamaCpp(tokenizer, written)
    if hasattr(tokenizer, "backend_tokenizer"):
        return _Fast(tokenizer, written)
    if is_mistral_common(tokenizer):
        return _MistralCommon(tokenizer, written)
    if hasattr(tokenizer, "added_tokens_decoder") and hasattr(tokenizer, "_tokenize"):
        return _Slow(tokenizer, written)
    raise FormatError(
        "texts are read by a tokenizer of transformers or a llama_cpp.Llama, not by "
        f"{shortened(tokenizer)}"
    )


def is_llama_cpp(tokenizer: Any) -> bool:
    """Whether it is a `llama_cpp.Llama`."""
    return hasattr(tokenizer, "metadata") and hasattr(tokenizer, "_model")


def is_mistral_common(tokenizer: Any) -> bool:
    """Whether it is a `MistralCommonBackend` of transformers."""
    return hasattr(getattr(tokenizer, "tokenizer", None), "instruct_tokenizer")


class _Added(NamedTuple):
    """A token that a tokenizer finds as a whole."""

    text: str
    id: int
    is_special: bool
    stands_alone: bool


class _Known:
    """What has been found out about a tokenizer, kept as long as the tokenizer is.

    Attributes:
        added: Its tokens that are found as a whole.
        size: How many tokens it had.
        markers: Those that are markers and their ids, by what is written around messages.
        guards: Tokenizers in which these have other names, likewise.
    """

    def __init__(self, added: Iterable[_Added], size: int) -> None:
        self.added = list(added)
        self.size = size
        self.markers: dict[str, tuple[Markers, dict[str, int]]] = {}
        self.guards: dict[str, _Guard] = {}


_KNOWN: weakref.WeakKeyDictionary[Any, _Known] = weakref.WeakKeyDictionary()


class _Base:
    """What is common to all kinds of tokenizers."""

    def __init__(self, tokenizer: Any, written: str) -> None:
        size = self._size(tokenizer)
        known = _KNOWN.get(tokenizer)
        if known is None or known.size != size:
            known = _KNOWN[tokenizer] = _Known(self._added(tokenizer), size)
        if written not in known.markers:
            added = [token for token in known.added if _is_marker(token, written)]
            ids = {token.text: token.id for token in added}
            alone = [token.text for token in added if token.stands_alone]
            known.markers[written] = Markers(ids, alone), ids
        self.markers, self.ids = known.markers[written]
        # Those that were added may lie past gaps.
        self.size = max(size, *(token.id + 1 for token in known.added), 0)
        self._tokenizer = tokenizer
        self._written = written
        self._known = known

    def encode_pieces(self, pieces: Sequence[Piece], *, cut: bool) -> list[int]:
        raise NotImplementedError

    def encode_after(
        self, before: Sequence[Piece], pieces: Sequence[Piece], *, cut: bool
    ) -> list[int]:
        start = self.encode_pieces(before, cut=cut)
        both = self.encode_pieces([*before, *pieces], cut=cut)
        if both[: len(start)] != start:
            raise FormatError("a token reaches over the end of the prompt")
        return both[len(start) :]

    def _halves(self, text: str) -> list[str]:
        """A text cut after the first character of each marker."""
        cuts = [start + 1 for start in self.markers.begin(text)]
        return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    def _size(self, tokenizer: Any) -> int:
        return len(tokenizer)

    def _added(self, tokenizer: Any) -> Iterable[_Added]:
        for token_id, token in tokenizer.added_tokens_decoder.items():
            yield _Added(token.content, token_id, token.special, token.single_word)


def _is_marker(token: _Added, written: str) -> bool:
    if _ORDINARY.fullmatch(token.text):
        return False
    return token.is_special or token.text in written or not _ELEMENT.fullmatch(token.text)


# transformers


class _OfTransformers(_Base):
    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def completed(self, token_ids: list[int], *, is_whole: bool) -> list[int]:
        if is_whole:
            return token_ids
        inner, whole = self.encode("a"), self._tokenizer("a")["input_ids"]
        for start in range(len(whole) - len(inner) + 1):
            if whole[start : start + len(inner)] == inner:
                before, after = whole[:start], whole[start + len(inner) :]
                is_begun = token_ids[:start] == before
                return [*([] if is_begun else before), *token_ids, *after]
        raise FormatError("the tokens that the tokenizer puts around a text change the text")


# The number of the token that only parts a text.
_CUT = -1


class _Guard(NamedTuple):
    """A tokenizer of the same model that knows the markers by names that no text holds.

    Attributes:
        backend: The tokenizer, of the library `tokenizers`.
        ids: The numbers of tokens that have another number there.
        secret: What all the names hold.
    """

    backend: Any
    ids: dict[int, int]
    secret: str

    def name(self, token_id: int) -> str:
        return f"\U000f0000{self.secret}.{token_id}\U000f0001"


class _Fast(_OfTransformers):
    """A tokenizer of the library `tokenizers`.

    All that surrounds a marker is read as the tokenizer reads it, since the guard differs from it
    in nothing but the names.
    """

    def encode_pieces(self, pieces: Sequence[Piece], *, cut: bool) -> list[int]:
        return self._encoded(pieces, cut=cut, is_parted=False)

    def encode_after(
        self, before: Sequence[Piece], pieces: Sequence[Piece], *, cut: bool
    ) -> list[int]:
        return self._encoded(pieces, cut=cut, is_parted=True)

    def _encoded(self, pieces: Sequence[Piece], *, cut: bool, is_parted: bool) -> list[int]:
        """The tokens of pieces, parted from what stands before them or at the beginning."""
        guard = self._known.guards.get(self._written)
        if guard is None or any(guard.secret in piece.text for piece in pieces):
            guard = self._known.guards[self._written] = self._guard(secrets.token_hex(8))
        texts = []
        for piece in pieces:
            if piece.is_token:
                texts.append(guard.name(self.ids[piece.text]))
            elif cut:
                texts.append(guard.name(_CUT).join(self._halves(piece.text)))
            else:
                texts.append(piece.text)
        start = guard.name(_CUT) if is_parted else ""
        encoded = guard.backend.encode("".join([start, *texts]), add_special_tokens=False)
        ids = (guard.ids.get(token_id, token_id) for token_id in encoded.ids)
        return [token_id for token_id in ids if token_id != _CUT]

    def _guard(self, secret: str) -> _Guard:
        from tokenizers import AddedToken, Tokenizer

        backend = self._tokenizer.backend_tokenizer
        made = Tokenizer(backend.model)
        if backend.normalizer is not None:
            made.normalizer = backend.normalizer
        if backend.pre_tokenizer is not None:
            made.pre_tokenizer = backend.pre_tokenizer
        guard = _Guard(made, {}, secret)
        tokens = {
            guard.name(token_id) if token.content in self.markers.texts else token.content: (
                token_id,
                token,
            )
            for token_id, token in self._tokenizer.added_tokens_decoder.items()
        }
        made.add_tokens(
            [
                AddedToken(
                    name,
                    single_word=token.single_word,
                    lstrip=token.lstrip,
                    rstrip=token.rstrip,
                    normalized=token.normalized,
                )
                for name, (_, token) in tokens.items()
            ]
        )
        made.add_tokens([AddedToken(guard.name(_CUT), normalized=False)])
        ids = {name: token_id for name, (token_id, _) in tokens.items()}
        ids[guard.name(_CUT)] = _CUT
        guard.ids.update({_id(made, name): token_id for name, token_id in ids.items()})
        return guard


def _id(backend: Any, name: str) -> int:
    token_id: int = backend.token_to_id(name)
    return token_id


class _Slow(_OfTransformers):
    """A tokenizer written in Python, which reads each piece by itself."""

    def encode_pieces(self, pieces: Sequence[Piece], *, cut: bool) -> list[int]:
        ids: list[int] = []
        for piece in pieces:
            if piece.is_token:
                ids.append(self.ids[piece.text])
                continue
            end = 0
            for start, next_end in self.markers.find(piece.text):
                ids += self._inner(piece.text[end:start], as_text=False, is_first=not ids)
                marker = piece.text[start:next_end]
                for part in self._halves(marker) if cut else [marker]:
                    ids += self._inner(part, as_text=True, is_first=not ids)
                end = next_end
            ids += self._inner(piece.text[end:], as_text=False, is_first=not ids)
        return ids

    def _inner(self, text: str, *, as_text: bool, is_first: bool) -> list[int]:
        """The tokens of a text that follows another, before which no space is put."""

        def encode(text: str) -> list[int]:
            ids: list[int] = self._tokenizer.encode(
                text, add_special_tokens=False, split_special_tokens=as_text
            )
            return ids

        if not text:
            return []
        newline = encode("\n")
        ids = [] if is_first else encode("\n" + text)
        return ids[len(newline) :] if newline and ids[: len(newline)] == newline else encode(text)


class _MistralCommon(_OfTransformers):
    """A tokenizer of mistral-common, which reads pieces by itself and never finds a marker."""

    def encode(self, text: str) -> list[int]:
        pieces = []
        end = 0
        for start, next_end in self.markers.find(text):
            pieces += [Piece(text[end:start], False), Piece(text[start:next_end], True)]
            end = next_end
        return self.encode_pieces([*pieces, Piece(text[end:], False)], cut=False)

    def encode_pieces(self, pieces: Sequence[Piece], *, cut: bool) -> list[int]:
        ids: list[int] = []
        for piece in pieces:
            if piece.is_token:
                ids.append(self.ids[piece.text])
            elif piece.text:
                ids += self._tokenizer.encode(piece.text, add_special_tokens=False)
        return ids

    def _added(self, tokenizer: Any) -> Iterable[_Added]:
        named = zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
        return (_Added(text, token_id, True, False) for text, token_id in named)


# llama.cpp


class _LlamaCpp(_Base):
    """llama.cpp reads what stands between tokens piece by piece, too.

    Only control tokens are text where it is told so. What users defined, such as `<tool_call>`, it
    finds everywhere, so texts of that kind are given to it in two halves.
    """

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.tokenize(text.encode(), add_bos=False, special=True)
        return ids

    def encode_pieces(self, pieces: Sequence[Piece], *, cut: bool) -> list[int]:
        import llama_cpp

        vocab = self._tokenizer._model.vocab
        ids: list[int] = []
        attributes = [
            llama_cpp.llama_vocab_get_attr(vocab, self.ids[piece.text]) if piece.is_token else 0
            for piece in pieces
        ]
        for at, piece in enumerate(pieces):
            if piece.is_token:
                ids.append(self.ids[piece.text])
                continue
            text = piece.text
            if at > 0 and attributes[at - 1] & llama_cpp.LLAMA_TOKEN_ATTR_RSTRIP:
                text = text.lstrip()
            if at + 1 < len(pieces) and attributes[at + 1] & llama_cpp.LLAMA_TOKEN_ATTR_LSTRIP:
                text = text.rstrip()
            ids += self._text(text)
        return ids

    def completed(self, token_ids: list[int], *, is_whole: bool) -> list[int]:
        # As llama.cpp begins every text, whoever wrote it.
        bos = self._tokenizer.token_bos()
        if not token_ids or (self._tokenizer._model.add_bos_token() and token_ids[0] != bos):
            return [bos, *token_ids]
        return token_ids

    def _text(self, text: str) -> list[int]:
        first, *others = self._halves(text)
        ids = self._plain(first)
        for half in others:
            ids += self._after(half)
        return ids

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.tokenize(text.encode(), add_bos=False, special=False)
        return ids

    def _after(self, text: str) -> list[int]:
        """The tokens of a text that follows another, before which no space is put."""
        newline = self._plain("\n")
        return self._plain("\n" + text)[len(newline) :]

    def _size(self, tokenizer: Any) -> int:
        size: int = tokenizer.n_vocab()
        return size

    def _added(self, tokenizer: Any) -> Iterable[_Added]:
        try:
            import llama_cpp
        except ImportError as error:
            raise missing("llama-cpp-python", "llama-cpp", error) from error

        special = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
        vocab = tokenizer._model.vocab
        for token_id in range(llama_cpp.llama_vocab_n_tokens(vocab)):
            attributes = llama_cpp.llama_vocab_get_attr(vocab, token_id)
            if attributes & (special | llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED):
                text = tokenizer._model.token_get_text(token_id)
                yield _Added(text, token_id, bool(attributes & special), False)
