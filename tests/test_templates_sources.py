"""Templates are found where models keep them, with the special tokens that they refer to."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from schemask.chat.templates.gguf import read_metadata
from schemask.chat.templates.template import ChatTemplate
from schemask.errors import FormatError

TEXT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    "{{ pad_token }}"
)
MESSAGES = [{"role": "user", "content": "Hello."}]


def tokenizer_of(template: Any, **tokens: Any) -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: at for at, letter in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **tokens)
    tokenizer.chat_template = template
    return tokenizer


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = tokenizer_of(
        TEXT,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens=["<|user|>"],
    )
    tokenizer.add_tokens(["<tool_call>", "\n\n", AddedToken("<x>", special=True)])
    return tokenizer


def test_of_a_tokenizer(tokenizer: PreTrainedTokenizerFast) -> None:
    template = ChatTemplate.of(tokenizer)
    assert (template.text, template.bos_token, template.eos_token) == (TEXT, "<s>", "</s>")
    assert set(template.special_tokens) == {
        *("<s>", "</s>", "<pad>", "<|user|>", "<tool_call>", "<x>")
    }
    assert template.render(MESSAGES) == "<s><|user|>Hello.<pad>"
    assert template.render(MESSAGES) == tokenizer.apply_chat_template(MESSAGES, tokenize=False)


def test_what_is_none_is_not_there(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = "{% for m in messages %}{{ m.keys()|list }}{{ m.a }}{% endfor %}"
    messages = [{"role": "user", "content": None, "a": {"b": None}}]
    said = ChatTemplate.of(tokenizer).render(messages)
    assert said == "['role', 'a']{'b': None}"
    assert said == tokenizer.apply_chat_template(messages, tokenize=False)


def test_of_a_processor(tokenizer: PreTrainedTokenizerFast) -> None:
    processor = SimpleNamespace(tokenizer=tokenizer, chat_template="its own {{ bos_token }}")
    assert ChatTemplate.of(processor).render(MESSAGES) == "its own <s>"
    processor.chat_template = None
    assert ChatTemplate.of(processor).text == TEXT


def test_templates_by_name_are_chosen_as_transformers_does() -> None:
    named = {"default": "words", "tool_use": "tools", "rag": "documents"}
    tokenizer = tokenizer_of(named, eos_token="</s>")
    for with_tools in (True, False):
        ours = ChatTemplate.of(tokenizer, with_tools=with_tools).render(MESSAGES)
        tools = [{"type": "function"}] if with_tools else None
        assert ours == tokenizer.apply_chat_template(MESSAGES, tools=tools, tokenize=False)
    tokenizer.chat_template = {"rag": "documents"}
    with pytest.raises(FormatError, match="rag is the default"):
        ChatTemplate.of(tokenizer)
    with pytest.raises(ValueError, match="rag"):
        tokenizer.apply_chat_template(MESSAGES, tokenize=False)


def test_of_a_folder(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    for jinja_file in (True, False):
        folder = tmp_path / str(jinja_file)
        tokenizer.save_pretrained(folder, save_jinja_files=jinja_file)
        assert (folder / "chat_template.jinja").exists() == jinja_file
        loaded = ChatTemplate.of(AutoTokenizer.from_pretrained(folder))
        for source in (folder, str(folder)):
            found = ChatTemplate.of(source)
            assert set(found.special_tokens) == set(loaded.special_tokens)
            assert (found.text, found.variables) == (loaded.text, loaded.variables)
            assert (found.bos_token, found.eos_token) == ("<s>", "</s>")
    assert ChatTemplate.of(folder / "tokenizer_config.json").text == TEXT


def test_of_a_folder_with_several_templates(tmp_path: Path) -> None:
    named = {"default": "{{ 'words' }}", "tool_use": "{{ 'tools' }}"}
    tokenizer_of(named, eos_token="</s>").save_pretrained(tmp_path)
    assert (tmp_path / "additional_chat_templates").exists()
    assert ChatTemplate.of(tmp_path).render(MESSAGES) == "tools"
    assert ChatTemplate.of(tmp_path, with_tools=False).render(MESSAGES) == "words"


def test_of_a_folder_of_older_files(tmp_path: Path) -> None:
    config = {
        "bos_token": {"content": "<s>", "lstrip": False},
        "eos_token": None,
        "add_bos_token": True,
        "additional_special_tokens": ["<a>", {"content": "<b>"}],
        "added_tokens_decoder": {"5": {"content": "<c>", "special": True}},
        "chat_template": [{"name": "default", "template": "{{ bos_token }}!"}],
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    template = ChatTemplate.of(tmp_path)
    assert template.render(MESSAGES) == "<s>!"
    assert set(template.special_tokens) == {"<s>", "<a>", "<b>", "<c>"}


def test_of_text_and_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jinja"
    path.write_text(TEXT, encoding="utf-8")
    for source in (TEXT, path, str(path)):
        template = ChatTemplate.of(
            source, bos_token="<s>", eos_token="</s>", special_tokens=["<|user|>"]
        )
        assert template.text == TEXT
        assert (template.eos_token, template.special_tokens) == ("</s>", ("<|user|>",))
        assert template.render(MESSAGES) == "<s><|user|>Hello."


def test_what_is_given_counts_more(tokenizer: PreTrainedTokenizerFast) -> None:
    template = ChatTemplate.of(tokenizer, bos_token="<begin>", special_tokens=["<y>", "<x>"])
    assert (template.bos_token, template.eos_token) == ("<begin>", "</s>")
    assert template.special_tokens[-1] == "<y>" and template.special_tokens.count("<x>") == 1


@pytest.mark.parametrize("name", ["gguf_path", "gemma_path"])
def test_a_gguf_says_the_same_to_llama_cpp_and_to_us(
    name: str, request: pytest.FixtureRequest
) -> None:
    from llama_cpp import Llama

    path = request.getfixturevalue(name)
    llama = Llama(str(path), vocab_only=True, verbose=False)
    by_llama, by_file = ChatTemplate.find(llama), ChatTemplate.find(path)
    if name == "gemma_path":  # it was made without one
        assert by_llama is by_file is None
        with pytest.raises(FormatError, match="has no chat template"):
            ChatTemplate.of(path)
    else:
        assert by_llama is not None and by_llama == by_file
        assert (by_llama.bos_token, by_llama.eos_token) == ("<|im_start|>", "<|im_end|>")
        assert {"<|im_start|>", "<repo_name>"} < set(by_llama.special_tokens)
    llama.close()


@pytest.fixture
def gguf_file(tmp_path: Path) -> Callable[..., Path]:
    def write(**values: Any) -> Path:
        path = tmp_path / "a.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_tokenizer_model("llama")
        writer.add_token_list(["<unk>", "<s>", "</s>", "a", "<tool>", "<0x0A>", "▁▁"])
        writer.add_token_types([2, 3, 3, 1, 4, 6, 4])
        writer.add_array("tokenizer.ggml.nested", [[1, 2], [3]])
        writer.add_float64("tokenizer.ggml.number", 0.5)
        for key, value in values.items():
            getattr(writer, f"add_{key}")(value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        return path

    return write


def test_of_a_gguf(gguf_file: Callable[..., Path]) -> None:
    template = ChatTemplate.of(gguf_file(chat_template=TEXT))
    assert (template.text, template.bos_token, template.eos_token) == (TEXT, "<s>", "</s>")
    assert template.special_tokens == ("<unk>", "<s>", "</s>", "<tool>")
    templates = [
        {"name": "default", "template": "{{ 'words' }}"},
        {"name": "tool_use", "template": "{{ 'tools' }}"},
    ]
    path = gguf_file(chat_template=templates, bos_token_id=3)
    assert ChatTemplate.of(path, with_tools=False).text == "{{ 'words' }}"
    assert ChatTemplate.of(path).text == "{{ 'tools' }}"
    assert ChatTemplate.of(path).bos_token == "a"
    metadata = read_metadata(path, "tokenizer.ggml.n")
    assert metadata == {"tokenizer.ggml.nested": [[1, 2], [3]], "tokenizer.ggml.number": 0.5}


def test_a_gguf_that_was_cut(gguf_file: Callable[..., Path]) -> None:
    path = gguf_file(chat_template=TEXT)
    whole = path.read_bytes()
    for length in range(4, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match="no whole GGUF file"):
            ChatTemplate.of(path)
    huge = whole[:16] + struct.pack("<QQ", 1, 2**62)
    for broken in (huge, whole[:4] + struct.pack("<I", 1) + whole[8:]):
        path.write_bytes(broken)
        with pytest.raises(FormatError, match="no whole GGUF file"):
            ChatTemplate.of(path)


def test_what_is_no_source(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    binary = tmp_path / "model.bin"
    binary.write_bytes(b"\xff\xfe\x00")
    broken = tmp_path / "tokenizer_config.json"
    broken.write_text('{"added_tokens_decoder": {"0": {}}}')
    no_json = tmp_path / "a.json"
    no_json.write_text("{")
    empty = tmp_path / "empty"
    empty.mkdir()
    tokenizer.chat_template = None
    for source, message in (
        (None, "a chat template is found in"),
        (3, "a chat template is found in"),
        ("", "neither a template"),
        ("nowhere.jinja", "neither a template"),
        (Path("nowhere.jinja"), "cannot be read: No such file"),
        (binary, "neither a template nor a GGUF"),
        (broken, "not as transformers writes it"),
        (no_json, "no JSON"),
        (empty, "holds neither"),
        (tokenizer, "has no chat template"),
        ("{% if %}", "line 1"),
    ):
        with pytest.raises(FormatError, match=message):
            ChatTemplate.of(source)
    assert ChatTemplate.find(tokenizer) is None
