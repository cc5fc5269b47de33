"""A model's vocabulary: the exact bytes of each token, read from the tokenizer that made it.

Every reader answers one question: which bytes does the tokenizer's own decoder write for this
token, in the middle of a text? Where that has no certain answer the reader raises
`VocabularyError`; it never guesses.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import json
import struct
import warnings
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from schemask._native import Vocabulary as NativeVocabulary
from schemask.errors import VocabularyError, missing, shortened

if TYPE_CHECKING:
    from typing_extensions import Self

END_OF_TURN_TOKENS = (
    "</s>",
    "<eos>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|eot|>",
    "<|eom|>",
    "<end_of_turn>",
    "<turn|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|end_of_turn|>",
    "<|END_OF_TURN_TOKEN|>",
)
"""Names under which models in use end a text or a turn. `Vocabulary.from_transformers` takes those
of them that the tokenizer marks as special: in some vocabularies `</s>` is a piece of HTML."""

# Where a token begins the body of a message, a turn is made of messages, and goes on after these.
_MESSAGE = "<|message|>"
_ENDS_OF_MESSAGES = {"<|end|>", "<|eom|>"}

WORD_MARK = "▁"  # SentencePiece writes a space as U+2581
UNKNOWN_BYTE = b"[UNK_BYTE_0x"  # llama.cpp writes this for letters outside the byte-level alphabet


class VocabularyData(NamedTuple):
    """What a reader found; the arguments of `Vocabulary`, in order.

    Attributes:
        tokens: The bytes of each token, by id; empty for ids that no text can hold.
        stop_token_ids: Ids that end a generation, ascending.
        special_token_ids: Ids that are never text, ascending; their bytes are only a name.
    """

    tokens: list[bytes]
    stop_token_ids: list[int]
    special_token_ids: list[int]


class Vocabulary(NativeVocabulary):
    """The tokens of one model as bytes, immutable and shared by all grammars compiled for it.

    Build it with the reader for the tokenizer at hand, or from plain bytes:

        Vocabulary([b"a", b"b", b"</s>"], stop_token_ids=[2])

    Args:
        tokens: The bytes of each token, by id; empty for ids that no text can hold.
        stop_token_ids: Ids that end a generation; at least one.
        special_token_ids: Ids that are never text; their bytes are only a name.

    Raises:
        VocabularyError: No stop token, an id outside the vocabulary, or tokens that are too long or
            too many.
    """

    @classmethod
    def from_transformers(
        cls,
        tokenizer: Any,
        vocab_size: int | None = None,
        stop_token_ids: Sequence[int | str] | None = None,
    ) -> Self:
        """Reads a `transformers` tokenizer.

        Understood are fast tokenizers (byte-level BPE; SentencePiece style with or without byte
        fallback), `MistralCommonBackend`, tokenizers that hold a `tiktoken.Encoding`, and slow
        SentencePiece ones; and each of them as mlx-lm wraps it, whose `eos_token_ids` are stop
        tokens, too. Special tokens are known by id alone, other added tokens are text.

        Stop tokens are, unless given: the tokenizer's `eos_token_id`; `eos_token_id` of the
        `generation_config.json` beside the tokenizer, if it is on this machine (nothing is
        downloaded); and the `END_OF_TURN_TOKENS` that the tokenizer marks as special, but for
        those that only end a message of a turn, as `<|end|>` does in the format of gpt-oss.

        Args:
            tokenizer: Any `PreTrainedTokenizerBase` of the kinds above.
            vocab_size: Width of the model's logits, if wider than the tokenizer; ids past the
                tokenizer's last are never allowed.
            stop_token_ids: Ids, or tokens as the tokenizer writes them, that end a generation.

        Raises:
            VocabularyError: An unknown kind of tokenizer or stop token, no stop token, or a
                `vocab_size` smaller than the tokenizer.
        """
        return cls._build(read_transformers(tokenizer, vocab_size, stop_token_ids))

    @classmethod
    def from_llama_cpp(cls, llama: Any) -> Self:
        """Reads the vocabulary of a `llama_cpp.Llama` (a `vocab_only` one will do).

        Every end-of-generation token that llama.cpp knows of is a stop token. Control and unknown
        tokens are special, unused ones are never allowed.

        Args:
            llama: The model; it is only read.

        Raises:
            VocabularyError: A vocabulary that is neither SPM nor BPE.
        """
        return cls._build(read_llama_cpp(llama))

    @classmethod
    def from_tiktoken(cls, encoding: Any, stop_token_ids: Sequence[int | str]) -> Self:
        """Reads a `tiktoken.Encoding`.

        Args:
            encoding: The encoding; its special tokens are known by id alone.
            stop_token_ids: Ids, or special tokens by name (`"<|endoftext|>"`), that end a
                generation.

        Raises:
            VocabularyError: An unknown stop token, or none.
        """
        return cls._build(read_tiktoken(encoding, stop_token_ids))

    @functools.cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that tell the tokens, stop tokens and special tokens: SHA-256."""
        data, starts = self.packed()
        known = hashlib.sha256(len(starts).to_bytes(8, "little") + starts + data)
        for ids in (self.stop_token_ids, self.special_token_ids):
            known.update(repr(ids).encode())
        return known.hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        ids = self.stop_token_ids, self.special_token_ids
        return _revived, (type(self), self.digest, *self.packed(), *ids)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @classmethod
    def _build(cls, data: VocabularyData) -> Self:
        vocabulary = cls(*data)
        missing = [byte for byte in vocabulary.unreachable_bytes if byte not in _RARE_BYTES]
        if missing:
            names = ", ".join(f"0x{byte:02X}" for byte in missing)
            warnings.warn(
                "no token spells these bytes alone, so text that holds them may be "
                f"unreachable: {names}",
                stacklevel=3,
            )
        return vocabulary


_PICKLED: weakref.WeakValueDictionary[tuple[type, str], Vocabulary] = weakref.WeakValueDictionary()


def _revived(
    kind: type[Vocabulary],
    digest: str,
    data: bytes,
    starts: bytes,
    stop: list[int],
    special: list[int],
) -> Vocabulary:
    """The vocabulary of a pickle: one for all pickles of it, since what masks share hangs on it."""
    known = _PICKLED.get((kind, digest))
    if known is None:
        bounds = [start for (start,) in struct.iter_unpack("<I", starts)]
        tokens = [data[start:end] for start, end in itertools.pairwise(bounds)]
        known = _PICKLED.setdefault((kind, digest), kind(tokens, stop, special))
    return known


# Control characters, and what begins characters of planes that have none: many a vocabulary cannot
# spell them, and hardly a text holds them.
_RARE_BYTES = {*range(0x20), 0x7F, 0xF1, 0xF2} - set(b"\t\n\r")


def read_transformers(
    tokenizer: Any,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int | str] | None = None,
) -> VocabularyData:
    """The data behind `Vocabulary.from_transformers`; same arguments and errors."""
    pieces, special = _transformers_pieces(tokenizer)
    if not pieces:
        raise VocabularyError(f"{_type_name(tokenizer)} has no tokens")
    size = max(pieces) + 1
    if vocab_size is not None:
        if isinstance(vocab_size, bool) or not isinstance(vocab_size, int):
            raise VocabularyError(f"vocab_size is a number of tokens, not {shortened(vocab_size)}")
        if vocab_size < size:
            raise VocabularyError(
                f"vocab_size is {vocab_size}, but the tokenizer's highest token id is {size - 1}: "
                "give the width of the model's logits (tokenizer.vocab_size leaves out the added "
                "tokens)"
            )
        size = vocab_size
    tokens = [pieces.get(token_id, b"") for token_id in range(size)]
    if stop_token_ids is None:
        return _data(tokens, _transformers_stop_ids(tokenizer, tokens, special), special)
    stops = _resolve_stop_ids(stop_token_ids, size, tokenizer.get_vocab())
    return _data(tokens, stops, special)


def read_llama_cpp(llama: Any) -> VocabularyData:
    """The data behind `Vocabulary.from_llama_cpp`; same argument and errors."""
    try:
        import llama_cpp
    except ImportError as error:
        raise missing("llama-cpp-python", "llama-cpp", error) from error

    if not hasattr(llama, "_model"):
        raise VocabularyError(f"llama is a llama_cpp.Llama, not {shortened(llama)}")
    vocab = llama._model.vocab
    kind = llama_cpp.llama_vocab_type(vocab)
    if kind not in (llama_cpp.LLAMA_VOCAB_TYPE_SPM, llama_cpp.LLAMA_VOCAB_TYPE_BPE):
        raise VocabularyError(
            f"llama.cpp vocabulary type {kind} (tokenizer.ggml.model = "
            f"{llama.metadata.get('tokenizer.ggml.model')!r}) is not supported; SPM and BPE are"
        )
    not_text = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
    unused = llama_cpp.LLAMA_TOKEN_ATTR_UNUSED
    piece = _llama_cpp_piece_reader(vocab)
    tokens: list[bytes] = []
    stops: list[int] = []
    special: set[int] = set()
    for token_id in range(llama_cpp.llama_vocab_n_tokens(vocab)):
        attributes = llama_cpp.llama_vocab_get_attr(vocab, token_id)
        if attributes & not_text:
            special.add(token_id)
        data = b"" if attributes & unused else piece(token_id)
        tokens.append(b"" if UNKNOWN_BYTE in data else data)
        if llama_cpp.llama_vocab_is_eog(vocab, token_id):
            stops.append(token_id)
    return _data(tokens, stops, special)


def read_tiktoken(encoding: Any, stop_token_ids: Sequence[int | str]) -> VocabularyData:
    """The data behind `Vocabulary.from_tiktoken`; same arguments and errors."""
    if not hasattr(encoding, "n_vocab"):
        raise VocabularyError(f"encoding is a tiktoken.Encoding, not {shortened(encoding)}")
    pieces, special = _tiktoken_pieces(encoding)
    size = encoding.n_vocab
    names = {pieces[token_id].decode(): token_id for token_id in special}
    tokens = [pieces.get(token_id, b"") for token_id in range(size)]
    return _data(tokens, _resolve_stop_ids(stop_token_ids, size, names), special)


def _data(tokens: list[bytes], stops: Iterable[int], special: Iterable[int]) -> VocabularyData:
    data = VocabularyData(tokens, sorted(set(stops)), sorted(set(special)))
    if not data.stop_token_ids:
        raise VocabularyError("the vocabulary has no stop token, so no text could end")
    return data


def _resolve_stop_ids(stops: Sequence[int | str], size: int, names: Mapping[str, int]) -> list[int]:
    if isinstance(stops, str) or not isinstance(stops, Iterable):
        raise VocabularyError(
            f"stop_token_ids is a sequence of ids or tokens, not {shortened(stops)}"
        )
    ids = []
    for stop in stops:
        token_id = names.get(stop) if isinstance(stop, str) else stop
        if not isinstance(token_id, int) or not 0 <= token_id < size:
            raise VocabularyError(f"unknown stop token {stop!r}")
        ids.append(token_id)
    return ids


def _type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


# transformers


def _transformers_pieces(tokenizer: Any) -> tuple[dict[int, bytes], set[int]]:
    """Bytes by id, and the ids of special tokens."""
    if hasattr(tokenizer, "backend_tokenizer"):
        return _fast_pieces(tokenizer)
    if hasattr(tokenizer, "sp_model"):
        pieces, special = _sentencepiece_pieces(
            tokenizer.sp_model, len(tokenizer), tokenizer.convert_ids_to_tokens
        )
    elif hasattr(getattr(tokenizer, "tokenizer", None), "instruct_tokenizer"):
        return _mistral_pieces(tokenizer.tokenizer.instruct_tokenizer.tokenizer)
    else:
        pieces, special = _tiktoken_pieces(_held_encoding(tokenizer))
    for token_id, token in tokenizer.added_tokens_decoder.items():
        pieces[token_id] = token.content.encode()
        if token.special:
            special.add(token_id)
    return pieces, special | set(tokenizer.all_special_ids)


def _fast_pieces(tokenizer: Any) -> tuple[dict[int, bytes], set[int]]:
    backend = tokenizer.backend_tokenizer
    to_bytes = _decoder_function(backend.decoder)
    added = tokenizer.added_tokens_decoder
    special = {token_id for token_id, token in added.items() if token.special}
    special.update(tokenizer.all_special_ids)
    unknown = getattr(backend.model, "unk_token", None)
    if unknown is not None and (unknown_id := backend.token_to_id(unknown)) is not None:
        special.add(unknown_id)
    pieces = {}
    for token, token_id in backend.get_vocab(with_added_tokens=True).items():
        if token_id in special:
            pieces[token_id] = token.encode()
            continue
        data = to_bytes(token)
        # The byte-level decoder garbles added tokens such as "café", whose letters are all in its
        # alphabet: they read as one text when entered and as another when decoded, so no text can
        # hold them.
        garbled = token_id in added and data != token.encode() and not _is_utf8(data)
        pieces[token_id] = b"" if garbled else data
    return pieces, special


def _decoder_function(decoder: Any) -> Callable[[str], bytes]:
    """What the decoder of a fast tokenizer writes for one token in the middle of a text."""
    if decoder is None:
        raise VocabularyError("a fast tokenizer without a decoder joins its tokens with spaces")
    try:
        state = json.loads(decoder.__getstate__())
    except Exception as error:  # a decoder written in Python cannot be serialised
        raise VocabularyError(f"the tokenizer's decoder {decoder!r} cannot be read") from error
    steps = state["decoders"] if state["type"] == "Sequence" else [state]
    replacements: list[tuple[str, str]] = []
    byte_fallback = byte_level = fused = False
    for step in steps:
        match step:
            case {"type": "Fuse"}:
                fused = True
            case {"type": "Strip"} if fused:
                pass  # acts on the ends of the whole text
            case {"type": "Replace", "pattern": {"String": old}, "content": new} if (
                not byte_level and (len(old) == 1 or not fused)
            ):
                replacements.append((old, new))
            case {"type": "Metaspace", "replacement": mark} if not byte_level:
                replacements.append((mark, " "))
            case {"type": "ByteFallback"} if not byte_level and not fused:
                byte_fallback = True
            case {"type": "ByteLevel"} if not fused and not byte_fallback:
                byte_level = True
            case _:
                raise VocabularyError(
                    f"the decoder step {step['type']} does not write tokens independently of each "
                    f"other; the decoder is {json.dumps(state)}"
                )
    if not byte_level and not any(new == " " for _, new in replacements):
        raise VocabularyError(
            "the decoder neither maps bytes nor restores spaces, so the text of tokens is unknown; "
            f"it is {json.dumps(state)}"
        )

    def to_bytes(token: str) -> bytes:
        for old, new in replacements:
            token = token.replace(old, new)
        if byte_level:
            return _byte_level_bytes(token)
        byte = _fallback_byte(token) if byte_fallback else None
        return token.encode() if byte is None else byte

    return to_bytes


def _byte_level_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    alphabet.update({chr(0x100 + n): byte for n, byte in enumerate(others)})
    return alphabet


_BYTE_LEVEL = _byte_level_alphabet()


def _byte_level_bytes(token: str) -> bytes:
    try:
        return bytes([_BYTE_LEVEL[char] for char in token])
    except KeyError:
        return token.encode()  # an added token; the decoder leaves it as it is


def _fallback_byte(token: str) -> bytes | None:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        try:
            return bytes([int(token[3:5], 16)])
        except ValueError:
            return None
    return None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _sentencepiece_pieces(
    processor: Any, size: int, piece_of: Callable[[int], str]
) -> tuple[dict[int, bytes], set[int]]:
    """Reads by piece, as some tokenizers number the pieces differently from the model file."""
    pieces: dict[int, bytes] = {}
    special: set[int] = set()
    for token_id in range(size):
        piece = piece_of(token_id)
        inner_id = processor.piece_to_id(piece)
        if processor.id_to_piece(inner_id) != piece:
            continue  # an added token, or a gap
        if processor.is_byte(inner_id):
            pieces[token_id] = bytes([int(piece[3:5], 16)])
        elif processor.is_control(inner_id) or processor.is_unknown(inner_id):
            pieces[token_id] = piece.encode()
            special.add(token_id)
        elif not processor.is_unused(inner_id):
            pieces[token_id] = piece.replace(WORD_MARK, " ").encode()
    return pieces, special


def _mistral_pieces(inner: Any) -> tuple[dict[int, bytes], set[int]]:
    from mistral_common.tokens.tokenizers.base import SpecialTokenPolicy
    from mistral_common.tokens.tokenizers.sentencepiece import SentencePieceTokenizer
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    if isinstance(inner, Tekkenizer):
        keep = SpecialTokenPolicy.KEEP
        pieces = {i: inner.id_to_byte_piece(i, keep) for i in range(inner.n_words)}
        return pieces, set(inner.special_ids)
    if isinstance(inner, SentencePieceTokenizer):
        return _sentencepiece_pieces(inner._model, inner.n_words, inner.id_to_piece)
    raise VocabularyError(f"unknown mistral-common tokenizer {_type_name(inner)}")


def _held_encoding(tokenizer: Any) -> Any:
    held = [
        value
        for value in getattr(tokenizer, "__dict__", {}).values()
        if _type_name(value) == "tiktoken.core.Encoding"
    ]
    if len(held) != 1:
        raise VocabularyError(
            f"{_type_name(tokenizer)} is not a tokenizer whose tokens can be read as bytes: it has "
            "no backend_tokenizer (fast), no sp_model (SentencePiece), is no MistralCommonBackend, "
            f"and holds {len(held)} tiktoken encodings"
        )
    return held[0]


def _tiktoken_pieces(encoding: Any) -> tuple[dict[int, bytes], set[int]]:
    pieces = {}
    for token_id in range(encoding.n_vocab):
        try:
            pieces[token_id] = encoding.decode_single_token_bytes(token_id)
        except KeyError:
            continue  # a gap between the ranks and the special tokens
    special = {encoding.encode_single_token(name) for name in encoding.special_tokens_set}
    return pieces, special


def _transformers_stop_ids(tokenizer: Any, tokens: list[bytes], special: set[int]) -> set[int]:
    stops = {*_as_ids(tokenizer.eos_token_id), *_generation_config_stop_ids(tokenizer)}
    stops.update(_as_ids(getattr(tokenizer, "eos_token_ids", None)))  # of mlx-lm's wrapper
    if unknown := [stop for stop in stops if not 0 <= stop < len(tokens)]:
        raise VocabularyError(
            f"stop tokens {unknown} are not in the vocabulary of {len(tokens)} tokens"
        )
    spelt = {token_id: tokens[token_id].decode(errors="replace") for token_id in special}
    ends = ends_of_turns(frozenset(spelt.values()))
    return stops | {token_id for token_id, name in spelt.items() if name in ends}


def ends_of_turns(special: Collection[str]) -> list[str]:
    """The `END_OF_TURN_TOKENS` at which turns end, where these are the special tokens.

    Args:
        special: The names of special tokens.
    """
    names = [name for name in END_OF_TURN_TOKENS if name in special]
    if _MESSAGE not in special:
        return names
    return [name for name in names if name not in _ENDS_OF_MESSAGES]


def _generation_config_stop_ids(tokenizer: Any) -> list[int]:
    from transformers import GenerationConfig

    if not tokenizer.name_or_path:
        return []
    try:
        config = GenerationConfig.from_pretrained(tokenizer.name_or_path, local_files_only=True)
    except OSError:
        return []
    return _as_ids(config.eos_token_id)


def _as_ids(value: int | Collection[int] | None) -> list[int]:
    if value is None:
        return []
    return [value] if isinstance(value, int) else list(value)


# llama.cpp


def _llama_cpp_piece_reader(vocab: Any) -> Callable[[int], bytes]:
    """Reads pieces whole; the buffer of `Llama.detokenize` cuts those longer than 32 bytes."""
    from llama_cpp import llama_token_to_piece

    buffer = ctypes.create_string_buffer(256)

    def piece(token_id: int) -> bytes:
        nonlocal buffer
        length = llama_token_to_piece(vocab, token_id, buffer, len(buffer), 0, True)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = llama_token_to_piece(vocab, token_id, buffer, len(buffer), 0, True)
        return buffer.raw[:length]

    return piece
