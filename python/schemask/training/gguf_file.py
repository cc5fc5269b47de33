"""Models of transformers as GGUF, as llama.cpp loads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemask.errors import ModelError, missing
from schemask.models.tokenizers import SPLIT_DIGITS, SPLITS
from schemask.training.options import GgufType
from schemask.training.weights import Weights

ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""The types of models that are written, and what llama.cpp calls them."""


def check_architecture(weights: Weights) -> None:
    """Raises ModelError if the model or its tokenizer cannot be written.

    Args:
        weights: The model.

    Raises:
        ModelError: With the reason.
    """
    config = weights.model.config
    if config.model_type not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise _unknown(f"models of type {config.model_type} (it writes {known})")
    scaling = getattr(config, "rope_parameters", None) or {}
    if (kind := scaling.get("rope_type", "default")) != "default":
        raise _unknown(f"positions that are scaled ({kind})")
    if getattr(config, "use_sliding_window", False):
        raise _unknown("attention in a sliding window")
    if not weights.is_gguf:
        _split_name(json.loads(weights.tokenizer.backend_tokenizer.to_str()))


def write_gguf(weights: Weights, path: Path, kind: GgufType) -> None:
    """Writes a model with its tokenizer and chat template.

    Args:
        weights: The model, in 32 bits. Of one that came from a GGUF, the tokenizer there is taken.
        path: The file to write.
        kind: How matrices are held; vectors are held in 32 bits.

    Raises:
        ModelError: The architecture or the tokenizer cannot be written.
        DependencyError: `gguf` is not installed.
    """
    try:
        import gguf
    except ImportError as error:
        raise missing("gguf", "train", error) from error
    check_architecture(weights)
    config = weights.model.config
    name = ARCHITECTURES[config.model_type]
    writer = gguf.GGUFWriter(path, name)
    file_types = {"f32": 0, "f16": 1, "q8_0": 7}
    writer.add_type("model")
    writer.add_file_type(file_types[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_shape(writer, config)
    if weights.is_gguf:
        _copy_tokenizer(writer, weights.path)
    else:
        _add_tokenizer(writer, weights.tokenizer, config.vocab_size)
    architecture = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == name)
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    is_tied = getattr(config, "tie_word_embeddings", False)
    for own, tensor in weights.model.state_dict().items():
        if own == "lm_head.weight" and is_tied:
            continue
        target = names.get_name(own, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise _unknown(f"the weights {own}")
        values = tensor.detach().float().cpu().numpy()
        if name == "llama" and (".attn_q." in target or ".attn_k." in target):
            is_query = ".attn_q." in target
            values = _interleaved(
                values, config.num_attention_heads if is_query else config.num_key_value_heads
            )
        _add_matrix(writer, target, values, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: Any, config: Any) -> None:
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    rope = getattr(config, "rope_parameters", None) or {}
    writer.add_rope_freq_base(rope.get("rope_theta", 10000.0))


def _interleaved(values: Any, heads: int) -> Any:
    """Rows in the order in which llama.cpp turns them by position: in pairs, not in halves."""
    shape = values.shape
    return (
        values.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)
    )


def _add_matrix(writer: Any, name: str, values: Any, kind: GgufType) -> None:
    import gguf
    import numpy as np

    if values.ndim < 2 or kind == "f32":
        writer.add_tensor(name, values.astype(np.float32))
    elif kind == "q8_0" and values.shape[-1] % 32 == 0:
        quantised = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(name, quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    else:
        writer.add_tensor(name, values.astype(np.float16))


def _copy_tokenizer(writer: Any, path: Path) -> None:
    from gguf import GGUFReader, GGUFValueType

    for name, field in GGUFReader(path).fields.items():
        if name.startswith("tokenizer.") or name == "general.license":
            kinds = field.types
            inner = kinds[-1] if kinds[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), kinds[0], inner)


def _add_tokenizer(writer: Any, tokenizer: Any, size: int) -> None:
    from gguf import TokenType

    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    tokens = [f"[PAD{token_id}]" for token_id in range(size)]
    kinds = [TokenType.UNUSED] * size
    for text, token_id in tokenizer.get_vocab().items():
        tokens[token_id], kinds[token_id] = text, TokenType.NORMAL
    for token_id, added in tokenizer.added_tokens_decoder.items():
        tokens[token_id] = added.content
        kinds[token_id] = TokenType.CONTROL if added.special else TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_split_name(parts))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    merges = parts["model"]["merges"]
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in merges])
    for role in ("bos", "eos", "unk", "pad"):
        if (token_id := getattr(tokenizer, f"{role}_token_id")) is not None:
            getattr(writer, f"add_{role}_token_id")(token_id)
    writer.add_add_space_prefix(False)
    begun = tokenizer.encode("a")[:1]
    writer.add_add_bos_token(begun == [tokenizer.bos_token_id])
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _split_name(parts: dict[str, Any]) -> str:
    """What llama.cpp calls the way in which a tokenizer splits texts before it merges.

    Raises:
        ModelError: It has no name for it that is known here.
    """
    model = parts["model"]
    if model["type"] != "BPE" or model.get("byte_fallback"):
        raise _unknown("tokenizers other than a byte-level BPE")
    split = parts.get("pre_tokenizer") or {}
    steps = split.get("pretokenizers", [split])
    kinds = [step.get("type") for step in steps]
    last = steps[-1]
    if last.get("type") == "ByteLevel" and not last.get("add_prefix_space"):
        if kinds == ["ByteLevel"] and last.get("use_regex"):
            return "gpt-2"
        if kinds == ["Digits", "ByteLevel"] and steps[0].get("individual_digits"):
            return SPLIT_DIGITS
        if kinds == ["Split", "ByteLevel"]:
            pattern = steps[0]["pattern"].get("Regex")
            for name, known in SPLITS.items():
                if pattern == known:
                    return name
    raise _unknown("a tokenizer that splits texts in this way")


def _unknown(what: str) -> ModelError:
    return ModelError(f"no GGUF is written of {what}; train without one (--no-gguf)")
