"""Where chat templates are found: tokenizers, models, files and folders of models, plain text."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from schemask.chat.templates.gguf import read_metadata
from schemask.errors import FormatError, missing, shortened

# Types of tokens in a GGUF that its tokenizer finds in a text as a whole: unknown, control and
# user-defined.
_WHOLE = {2, 3, 4}
# What llama.cpp takes for the first and the last token of a text where the file does not say.
_BOS_AND_EOS = {"llama": (1, 2), "gpt2": (11, 11)}


class Source(NamedTuple):
    """What was found.

    Attributes:
        text: The template, or None if there is none.
        named: Special tokens by the names that templates know them by, such as `bos_token`.
        special_tokens: Texts that the tokenizer reads as one token each; white space is not listed.
    """

    text: str | None
    named: dict[str, str]
    special_tokens: tuple[str, ...]


def read_source(source: Any, *, with_tools: bool = True, listed: bool = True) -> Source:
    """What a source says of the chat template; see `ChatTemplate.of`.

    Args:
        source: A tokenizer, a processor, a `Llama`, a path, or the text of a template.
        with_tools: Whether the template for conversations with tools is taken, if there are two.
        listed: Whether the special tokens of a tokenizer or a model, which may be thousands, are
            listed.

    Raises:
        FormatError: Nothing of that kind, or files that cannot be read.
    """
    if isinstance(source, os.PathLike):
        return _of_path(Path(source), with_tools)
    if isinstance(source, str):
        if any(mark in source for mark in ("{{", "{%", "{#", "\n")):
            return Source(source, {}, ())
        if not source.strip() or not os.path.exists(source):
            raise FormatError(
                f"{shortened(source)} is neither a template, which holds '{{{{' or '{{%', nor the "
                "path of a file or folder"
            )
        return _of_path(Path(source), with_tools)
    if hasattr(source, "metadata") and hasattr(source, "_model"):
        return _of_llama(source, with_tools, listed)
    if hasattr(source, "special_tokens_map"):
        return _of_tokenizer(source, getattr(source, "chat_template", None), with_tools, listed)
    if hasattr(inner := getattr(source, "tokenizer", None), "special_tokens_map"):
        # A processor may have a template that its tokenizer does not have.
        template = getattr(source, "chat_template", None) or getattr(inner, "chat_template", None)
        return _of_tokenizer(inner, template, with_tools, listed)
    raise FormatError(
        "a chat template is found in a tokenizer, a Llama, a path or a text, not in "
        f"{shortened(source)}"
    )


def _chosen(templates: Any, with_tools: bool) -> str | None:
    """One of the templates that a model may have by name, as transformers chooses."""
    if templates is None or isinstance(templates, str):
        return templates or None
    if not isinstance(templates, Mapping):
        # As `tokenizer_config.json` lists them.
        templates = {entry["name"]: entry["template"] for entry in templates}
    if with_tools and "tool_use" in templates:
        return str(templates["tool_use"])
    if "default" in templates:
        return str(templates["default"])
    if not templates:
        return None
    raise FormatError(
        f"none of the chat templates {', '.join(map(str, templates))} is the default: give the "
        "text of one of them"
    )


def _visible(tokens: Iterable[str]) -> tuple[str, ...]:
    # SentencePiece writes a space as U+2581.
    return tuple(dict.fromkeys(token for token in tokens if token.strip(" \t\r\n\u2581")))


def _of_tokenizer(tokenizer: Any, template: Any, with_tools: bool, listed: bool) -> Source:
    named = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    special: list[str] = []
    if listed:
        added = getattr(tokenizer, "added_tokens_decoder", {})
        if isinstance(added, Mapping):  # mistral-common has no such table
            special = [token.content for token in added.values()]
        special += map(str, tokenizer.all_special_tokens)
    return Source(_chosen(template, with_tools), named, _visible(special))


def _of_llama(llama: Any, with_tools: bool, listed: bool) -> Source:
    try:
        import llama_cpp
    except ImportError as error:
        raise missing("llama-cpp-python", "llama-cpp", error) from error

    whole = (
        llama_cpp.LLAMA_TOKEN_ATTR_CONTROL
        | llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED
        | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
    )
    vocab = llama._model.vocab
    special = [
        llama._model.token_get_text(token_id)
        for token_id in range(llama_cpp.llama_vocab_n_tokens(vocab) if listed else 0)
        if llama_cpp.llama_vocab_get_attr(vocab, token_id) & whole
    ]
    ids = {"bos_token": llama.token_bos(), "eos_token": llama.token_eos()}
    named = {
        name: llama._model.token_get_text(token_id) if token_id != -1 else ""
        for name, token_id in ids.items()
    }
    return Source(_gguf_template(llama.metadata, with_tools), named, _visible(special))


def _gguf_template(metadata: Mapping[str, Any], with_tools: bool) -> str | None:
    key = "tokenizer.chat_template"
    templates = {
        name.removeprefix(key + "."): text
        for name, text in metadata.items()
        if name.startswith(key + ".")
    }
    if key in metadata:
        templates["default"] = metadata[key]
    return _chosen(templates, with_tools)


def _of_gguf(path: Path, with_tools: bool) -> Source:
    metadata = read_metadata(path, "tokenizer.")
    texts = metadata.get("tokenizer.ggml.tokens", [])
    kinds = metadata.get("tokenizer.ggml.token_type", [])
    special = [text for text, kind in zip(texts, kinds, strict=False) if kind in _WHOLE]
    defaults = _BOS_AND_EOS.get(metadata.get("tokenizer.ggml.model", ""), (-1, -1))
    named = {}
    for name, default in zip(("bos", "eos"), defaults, strict=True):
        token_id = metadata.get(f"tokenizer.ggml.{name}_token_id", default)
        named[f"{name}_token"] = texts[token_id] if 0 <= token_id < len(texts) else ""
    return Source(_gguf_template(metadata, with_tools), named, _visible(special))


def _of_path(path: Path, with_tools: bool) -> Source:
    try:
        if path.is_dir():
            return _of_folder(path, with_tools)
        with path.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
        if is_gguf:
            return _of_gguf(path, with_tools)
        if path.suffix == ".json":
            return _of_config(_read_json(path), None, with_tools)
        return Source(path.read_text(encoding="utf-8"), {}, ())
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is neither a template nor a GGUF file") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise FormatError(f"{path} is not as transformers writes it: {error!r}") from error


def _of_folder(folder: Path, with_tools: bool) -> Source:
    """What the files of a model in transformers' layout say; templates of their own come first."""
    names = ("tokenizer_config.json", "special_tokens_map.json", "tokenizer.json")
    config, named, backend = (
        _read_json(folder / name) if (folder / name).exists() else {} for name in names
    )
    templates = {
        path.stem: path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("additional_chat_templates/*.jinja"))
    }
    if (own := folder / "chat_template.jinja").exists():
        templates["default"] = own.read_text(encoding="utf-8")
    if not templates and (legacy := folder / "chat_template.json").exists():
        templates["default"] = _read_json(legacy).get("chat_template", "")
    if not config and not backend and not templates:
        raise FormatError(f"{folder} holds neither chat_template.jinja nor tokenizer_config.json")
    listed = {str(token["id"]): token for token in backend.get("added_tokens", []) if "id" in token}
    config = {**named, **config}
    config["added_tokens_decoder"] = {**listed, **config.get("added_tokens_decoder", {})}
    return _of_config(config, templates, with_tools)


def _of_config(config: Mapping[str, Any], templates: Any, with_tools: bool) -> Source:
    templates = templates or config.get("chat_template")
    named = {
        name: _content(token)
        for name, token in config.items()
        if name.endswith("_token") and isinstance(token, (str, Mapping))
    }
    extra = config.get("extra_special_tokens") or config.get("additional_special_tokens") or []
    if isinstance(extra, Mapping):
        named.update({name: _content(token) for name, token in extra.items()})
        extra = []
    added = config.get("added_tokens_decoder", {}).values()
    special = [*map(_content, added), *named.values(), *map(_content, extra)]
    return Source(_chosen(templates, with_tools), named, _visible(special))


def _content(token: Any) -> str:
    """The text of a token, which is listed as it is or with how it is read."""
    return str(token["content"] if isinstance(token, Mapping) else token)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{path} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise FormatError(f"{path} holds no object")
    return value
