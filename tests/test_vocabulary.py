"""The readers give the exact bytes of each token: what the tokenizer encodes is what they spell."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import pytest
import tiktoken
from llama_cpp import Llama
from sentencepiece import SentencePieceProcessor
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BertGenerationTokenizer,
    ByT5Tokenizer,
    PreTrainedTokenizer,
    PreTrainedTokenizerFast,
)
from transformers.tokenization_mistral_common import MistralCommonBackend

from schemask.core.vocabulary import (
    Vocabulary,
    VocabularyData,
    read_llama_cpp,
    read_tiktoken,
    read_transformers,
)
from schemask.errors import VocabularyError

TEXTS = [
    '{"name": "get_weather", "arguments": {"city": "Zürich", "days": [1, -2.5e3, null]}}',
    "  two leading spaces, three   within, and two trailing  ",
    " one leading space",
    "tab\tnewline\n\n\ncarriage\r\nreturn",
    "control \x01\x07\x1f\x7f and zero \x00 bytes",
    "emoji 😀 👩‍👩‍👧‍👦 🏳️‍🌈, flags 🇨🇭",
    "漢字かな交じり文 한국어 العربية עברית हिन्दी ไทย",
    "rare 𒀀 𓂀 \U0001d518\U0001d52b \U000e0041 \ufeff \u2028",
    "combining e\u0301 and Ã© Ġ Ċ ▁ marks",
    "def f(x):\n    return [x ** 2 for _ in range(10)]  # code\n",
    "<tool_code>{}</tool_code> <table> </s> <0x0A> &amp; \\u003c \\\\",
    "!" * 40 + " " * 40 + "a" * 40,
]


def spell(data: VocabularyData, token_ids: list[int]) -> bytes:
    assert not set(token_ids) & set(data.special_token_ids)
    return b"".join(data.tokens[token_id] for token_id in token_ids)


def small_backend() -> Tokenizer:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|im_end|>", "<pad>"],
        show_progress=False,
    )
    backend.train_from_iterator(TEXTS, trainer)
    return backend


@pytest.fixture
def small_tokenizer() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=small_backend(), eos_token="<|im_end|>")


# tiktoken


@pytest.fixture(scope="module")
def llama3_data(llama3_encoding: tiktoken.Encoding) -> VocabularyData:
    return read_tiktoken(llama3_encoding, ["<|eot_id|>", 128001])


@pytest.mark.parametrize("text", TEXTS)
def test_tiktoken_spells_text(
    llama3_data: VocabularyData, llama3_encoding: tiktoken.Encoding, text: str
) -> None:
    assert spell(llama3_data, llama3_encoding.encode_ordinary(text)) == text.encode()


def test_tiktoken_special_and_stop_tokens(llama3_data: VocabularyData) -> None:
    assert len(llama3_data.tokens) == 128256
    assert llama3_data.special_token_ids == list(range(128000, 128256))
    assert llama3_data.stop_token_ids == [128001, 128009]


def test_tiktoken_gaps_hold_no_text() -> None:
    ranks = {bytes([byte]): byte for byte in range(256)}
    encoding = tiktoken.Encoding(
        "gaps", pat_str=".", mergeable_ranks=ranks, special_tokens={"<end>": 300}
    )
    data = read_tiktoken(encoding, ["<end>"])
    assert data.tokens[256:300] == [b""] * 44
    assert data.tokens[300] == b"<end>"


@pytest.mark.parametrize("stop", [["<|nowhere|>"], [128256], [-1], "<|eot_id|>", []])
def test_unknown_stop_tokens_are_errors(llama3_encoding: tiktoken.Encoding, stop: Any) -> None:
    with pytest.raises(VocabularyError, match="stop"):
        read_tiktoken(llama3_encoding, stop)


# transformers, fast


def test_fast_byte_level_equals_tiktoken(
    llama3_data: VocabularyData, llama3_tokenizer: Any
) -> None:
    data = read_transformers(llama3_tokenizer)
    assert data.tokens == llama3_data.tokens
    assert data.special_token_ids == llama3_data.special_token_ids
    names = [data.tokens[stop] for stop in data.stop_token_ids]
    assert names == [b"<|end_of_text|>", b"<|eom_id|>", b"<|eot_id|>"]


@pytest.mark.parametrize("text", TEXTS)
def test_fast_byte_level_spells_text(small_tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    data = read_transformers(small_tokenizer)
    assert spell(data, small_tokenizer.encode(text)) == text.encode()


def test_added_tokens_are_text_and_special_ones_are_not(
    small_tokenizer: PreTrainedTokenizerFast,
) -> None:
    small_tokenizer.add_tokens(["<tool code>", "日本", "Ġ ", AddedToken("<s>", special=True)])
    data = read_transformers(small_tokenizer)
    id_of = small_tokenizer.convert_tokens_to_ids
    for token in ["<tool code>", "日本", "Ġ "]:
        assert data.tokens[id_of(token)] == token.encode()
        assert id_of(token) not in data.special_token_ids
    assert id_of("<s>") in data.special_token_ids


def test_added_tokens_that_the_decoder_garbles_hold_no_text(
    small_tokenizer: PreTrainedTokenizerFast,
) -> None:
    small_tokenizer.add_tokens(["café"])
    token_id = small_tokenizer.convert_tokens_to_ids("café")
    assert small_tokenizer.decode([token_id]) != "café"
    assert read_transformers(small_tokenizer).tokens[token_id] == b""


def test_heads_wider_than_the_tokenizer_get_tokens_without_text(
    small_tokenizer: PreTrainedTokenizerFast,
) -> None:
    size = len(small_tokenizer)
    data = read_transformers(small_tokenizer, vocab_size=size + 28)
    assert len(data.tokens) == size + 28
    assert data.tokens[size:] == [b""] * 28
    with pytest.raises(VocabularyError, match="vocab_size"):
        read_transformers(small_tokenizer, vocab_size=size - 1)


def test_stop_tokens_given_by_name_and_id(small_tokenizer: PreTrainedTokenizerFast) -> None:
    data = read_transformers(small_tokenizer, stop_token_ids=["<pad>", 5])
    assert data.stop_token_ids == sorted([small_tokenizer.convert_tokens_to_ids("<pad>"), 5])
    with pytest.raises(VocabularyError, match="nowhere"):
        read_transformers(small_tokenizer, stop_token_ids=["<nowhere>"])


def test_stop_tokens_of_the_generation_config(
    small_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    small_tokenizer.save_pretrained(tmp_path)
    eos = small_tokenizer.convert_tokens_to_ids(["<|im_end|>", "<pad>"])
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": eos}))
    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert read_transformers(loaded).stop_token_ids == sorted(eos)


@pytest.mark.parametrize(
    ("special", "stops"),
    [
        # gpt-oss: reasoning ends with <|end|>, and the turn goes on.
        (
            ("<|message|>", "<|end|>", "<|return|>", "<|call|>"),
            ("<|im_end|>", "<|return|>", "<|call|>"),
        ),
        (("<|message|>", "<|eom|>", "<|eot|>"), ("<|im_end|>", "<|eot|>")),
        (("<|end|>", "<|user|>"), ("<|im_end|>", "<|end|>")),
        (("<|eom|>", "<|eot|>"), ("<|im_end|>", "<|eom|>", "<|eot|>")),
    ],
)
def test_what_ends_messages_ends_no_turn(special: Sequence[str], stops: Sequence[str]) -> None:
    tokenizer = small_tokenizer_with(special)
    data = read_transformers(tokenizer)
    assert data.stop_token_ids == sorted(tokenizer.convert_tokens_to_ids(list(stops)))


def test_a_stop_token_that_the_tokenizer_names_is_one() -> None:
    tokenizer = small_tokenizer_with(["<|message|>", "<|end|>"])
    tokenizer.eos_token = "<|end|>"
    assert read_transformers(tokenizer).stop_token_ids == sorted(
        tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|end|>"])
    )


def small_tokenizer_with(special: Sequence[str]) -> PreTrainedTokenizerFast:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=small_backend(), eos_token="<|im_end|>")
    tokenizer.add_tokens(list(special), special_tokens=True)
    return tokenizer


def test_a_tokenizer_without_stop_token_is_an_error() -> None:
    backend = small_backend()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, extra_special_tokens=["<pad>"])
    tokenizer.add_tokens(["</s>"])  # text, as it is not special
    data = read_transformers(tokenizer, stop_token_ids=["<pad>"])
    assert data.stop_token_ids == [tokenizer.convert_tokens_to_ids("<pad>")]
    backend = Tokenizer(models.BPE({"a": 0, "b": 1}, []))
    backend.decoder = decoders.ByteLevel()
    with pytest.raises(VocabularyError, match="no stop token"):
        read_transformers(PreTrainedTokenizerFast(tokenizer_object=backend))


def test_metaspace_pieces_keep_their_space() -> None:
    pieces = [("<unk>", 0.0), ("</s>", 0.0), ("▁a", -1.0), ("b", -1.0), ("é", -1.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", unk_token="<unk>"
    )
    data = read_transformers(tokenizer)
    assert data.tokens == [b"<unk>", b"</s>", b" a", b"b", "é".encode()]
    assert data.special_token_ids == [0, 1]


@pytest.mark.parametrize(
    ("decoder", "seen"),
    [
        (None, "without a decoder"),
        (decoders.WordPiece(), "WordPiece"),
        (decoders.BPEDecoder(), "BPEDecoder"),
        (decoders.Fuse(), "Fuse"),
        (decoders.Sequence([decoders.Strip(" ", 1, 0), decoders.ByteLevel()]), "Strip"),
    ],
)
def test_decoders_that_leave_bytes_unknown_are_errors(decoder: Any, seen: str) -> None:
    backend = Tokenizer(models.BPE({"a": 0, "</s>": 1}, []))
    if decoder is not None:
        backend.decoder = decoder
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    with pytest.raises(VocabularyError, match=seen):
        read_transformers(tokenizer)


# transformers, other


@pytest.mark.parametrize("name", ["tekken_240718.json", "tekken_240911.json"])
def test_tekken_spells_text(mistral_data: Path, name: str) -> None:
    tokenizer = MistralCommonBackend(mistral_data / name)
    data = read_transformers(tokenizer)
    assert data.stop_token_ids == [tokenizer.eos_token_id]
    assert data.special_token_ids == list(range(1000))
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert spell(data, ids) == text.encode()


@pytest.mark.parametrize(
    "name", ["tokenizer.model.v1", "mistral_instruct_tokenizer_240323.model.v3"]
)
def test_mistral_sentencepiece_spells_text_after_its_dummy_space(
    mistral_data: Path, name: str
) -> None:
    tokenizer = MistralCommonBackend(mistral_data / name)
    data = read_transformers(tokenizer)
    assert data.tokens[data.stop_token_ids[0]] == b"</s>"
    for text in TEXTS:
        if "▁" not in text:  # SentencePiece itself reads that letter as a space
            ids = tokenizer.encode(text, add_special_tokens=False)
            assert spell(data, ids) == b" " + text.encode()


def test_slow_sentencepiece_is_read_by_piece(mistral_data: Path) -> None:
    path = mistral_data / "tokenizer.model.v1"
    tokenizer = BertGenerationTokenizer(str(path))
    tokenizer.add_tokens(["<tool code>"])
    data = read_transformers(tokenizer)
    processor = SentencePieceProcessor(model_file=str(path))
    for text in TEXTS:
        if "▁" not in text:
            assert spell(data, processor.encode(text)) == b" " + text.encode()
    assert data.tokens[tokenizer.convert_tokens_to_ids("<tool code>")] == b"<tool code>"


def test_a_slow_tokenizer_that_holds_an_encoding(
    llama3_encoding: tiktoken.Encoding, llama3_data: VocabularyData
) -> None:
    class HoldsEncoding(PreTrainedTokenizer):
        """The shape of the tokenizers that Kimi, GLM-4 and the first Qwen ship as code."""

        def __init__(self, **options: Any) -> None:
            self.model = llama3_encoding
            super().__init__(**options)

        @property
        def vocab_size(self) -> int:
            return self.model.n_vocab

        def get_vocab(self) -> dict[str, int]:
            return {data.decode("latin-1"): i for i, data in enumerate(llama3_data.tokens)}

    tokenizer = HoldsEncoding(eos_token="<|eot_id|>")
    tokenizer.add_tokens(["<tool_code>"])
    data = read_transformers(tokenizer)
    assert data.tokens == [*llama3_data.tokens, b"<tool_code>"]
    assert data.special_token_ids == llama3_data.special_token_ids
    assert data.stop_token_ids == [128001, 128008, 128009]


def test_other_tokenizers_are_errors_that_say_what_was_seen() -> None:
    with pytest.raises(VocabularyError, match="ByT5Tokenizer"):
        read_transformers(ByT5Tokenizer())
    with pytest.raises(VocabularyError, match=r"builtins\.str"):
        read_transformers("gpt2")


# llama.cpp


@pytest.fixture(scope="module")
def gemma_data(gemma: Llama) -> VocabularyData:
    return read_llama_cpp(gemma)


@pytest.mark.parametrize("text", TEXTS)
def test_llama_cpp_spells_text(gemma_data: VocabularyData, gemma: Llama, text: str) -> None:
    ids = gemma.tokenize(text.encode(), add_bos=False, special=False)
    # Gemma's tokenizer reads U+2581 as a space.
    assert spell(gemma_data, ids) == text.replace("▁", " ").encode()


def test_llama_cpp_stop_and_special_tokens(gemma_data: VocabularyData) -> None:
    stops = [gemma_data.tokens[stop] for stop in gemma_data.stop_token_ids]
    assert stops == [b"<eos>", b"<end_of_turn>", b"</s>"]
    special = {gemma_data.tokens[token_id] for token_id in gemma_data.special_token_ids}
    assert special == {
        b"",  # the unused ones
        b"<pad>",
        b"<eos>",
        b"<bos>",
        b"<unk>",
        b"<mask>",
        b"<start_of_turn>",
        b"<end_of_turn>",
        b"</s>",
    }


def test_pieces_longer_than_the_wrappers_buffer_are_whole(
    gemma_data: VocabularyData, gemma: Llama
) -> None:
    import llama_cpp

    long = [(i, token) for i, token in enumerate(gemma_data.tokens) if len(token) > 32]
    assert len(long) == 379
    for token_id, token in long:
        text = llama_cpp.llama_vocab_get_text(gemma._model.vocab, token_id)
        assert token == text.replace("▁".encode(), b" ")


def test_llama_cpp_and_transformers_read_the_same_gemma(
    gemma_data: VocabularyData, gemma_tokenizer: Any
) -> None:
    data = read_transformers(gemma_tokenizer)
    differing = {
        token_id
        for token_id, (ours, theirs) in enumerate(zip(gemma_data.tokens, data.tokens, strict=True))
        if ours != theirs
    }
    # llama.cpp knows that they are unused; to transformers they are special tokens like others.
    assert all(data.tokens[token_id].startswith(b"<unused") for token_id in differing)
    assert differing <= set(gemma_data.special_token_ids) & set(data.special_token_ids)
    # llama.cpp takes any `</s>` for an end of generation; in Gemma it is the end of an HTML tag.
    html_tag = {gemma_data.tokens.index(b"</s>")}
    assert set(gemma_data.special_token_ids) - set(data.special_token_ids) == html_tag
    assert set(gemma_data.stop_token_ids) - set(data.stop_token_ids) == html_tag
    for text in TEXTS:
        ids = gemma_tokenizer.encode(text, add_special_tokens=False)
        assert spell(data, ids) == text.replace("▁", " ").encode()


def write_gguf(path: Path, kind: str, tokens: list[str], types: list[int]) -> Path:
    """A GGUF that holds nothing but a vocabulary."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(kind)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_merges(["a b"])
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_bos_token_id(len(tokens) - 1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def test_llama_cpp_byte_level_bpe_equals_tiktoken(
    llama3_tokenizer: Any, llama3_data: VocabularyData, tmp_path: Path
) -> None:
    vocab = llama3_tokenizer.get_vocab()
    tokens = sorted(vocab, key=vocab.__getitem__)
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    path = write_gguf(
        tmp_path / "bpe.gguf",
        "gpt2",
        tokens,
        [normal if i < 128000 else control for i in range(len(tokens))],
    )
    llama = Llama(str(path), vocab_only=True, verbose=False)
    data = read_llama_cpp(llama)
    llama.close()
    assert data.tokens == llama3_data.tokens
    assert data.special_token_ids == llama3_data.special_token_ids
    assert {128001, 128008, 128009} <= set(data.stop_token_ids)


def test_llama_cpp_pieces_that_it_cannot_decode_hold_no_text(tmp_path: Path) -> None:
    normal, defined = gguf.TokenType.NORMAL, gguf.TokenType.USER_DEFINED
    tokens = ["a", "日本", "日本語", "Ġa", "<|end|>"]
    path = write_gguf(
        tmp_path / "bpe.gguf", "gpt2", tokens, [normal, normal, defined, normal, normal]
    )
    llama = Llama(str(path), vocab_only=True, verbose=False)
    data = read_llama_cpp(llama)
    llama.close()
    assert data.tokens == [b"a", b"", "日本語".encode(), b" a", b"<|end|>"]


def test_llama_cpp_vocabularies_of_other_kinds_are_errors(tmp_path: Path) -> None:
    tokens = ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]", "▁a", "b"]
    path = write_gguf(tmp_path / "wpm.gguf", "bert", tokens, [1] * len(tokens))
    llama = Llama(str(path), vocab_only=True, verbose=False)
    with pytest.raises(VocabularyError, match="bert"):
        read_llama_cpp(llama)
    llama.close()


# Vocabulary


def test_vocabulary_is_built_from_what_a_reader_found(
    llama3_data: VocabularyData, llama3_encoding: tiktoken.Encoding
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vocabulary = Vocabulary.from_tiktoken(llama3_encoding, ["<|eot_id|>", 128001])
    assert isinstance(vocabulary, Vocabulary)
    assert vocabulary.size == 128256
    assert vocabulary.stop_token_ids == llama3_data.stop_token_ids
    assert vocabulary.special_token_ids == llama3_data.special_token_ids
    assert vocabulary.unreachable_bytes == []
    for token_id in [0, 255, 256, 127999, 128009]:
        assert vocabulary.token(token_id) == llama3_data.tokens[token_id]


def test_bytes_without_a_token_are_named_in_a_warning() -> None:
    """But not those that hardly a text holds."""
    missing = (0x04, 0x7B, 0xF0, 0xF1, 0xFF)
    ranks = {bytes([byte]): byte for byte in range(256) if byte not in missing}
    encoding = tiktoken.Encoding(
        "no-brace", pat_str=".", mergeable_ranks=ranks, special_tokens={"<end>": 256}
    )
    with pytest.warns(UserWarning, match=r"unreachable: 0x7B, 0xF0$") as caught:
        vocabulary = Vocabulary.from_tiktoken(encoding, ["<end>"])
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert vocabulary.unreachable_bytes == [0x04, 0x7B, 0xF0, 0xF1]  # no text holds 0xFF
