"""Bitmasks as SGLang allocates them, moves them to its device and puts them on logits."""

from __future__ import annotations

from typing import Any

import torch
from sglang.kernels.ops.grammar.bitmask_ops import apply_token_bitmask_inplace_triton
from sglang.srt.utils import is_hip
from sglang.srt.utils.common import is_pin_memory_available

from schemask.core.masking import WORD_BITS, apply_mask

# Devices for which SGLang has a kernel in Triton. AMD's are called "cuda" as well.
_TRITON_DEVICES = frozenset() if is_hip() else frozenset({"cuda", "xpu", "musa"})


def allocate_vocab_mask(vocab_size: int, batch_size: int, device: Any) -> torch.Tensor:
    """A bitmask of shape `(batch_size, ceil(vocab_size / 32))`, int32 on the CPU, that allows all.

    Args:
        vocab_size: Width of the model's logits.
        batch_size: How many rows.
        device: Where the mask is to go: it is pinned, so it gets there while the model runs.
    """
    shape = (batch_size, -(-vocab_size // WORD_BITS))
    return torch.full(shape, -1, dtype=torch.int32, pin_memory=is_pin_memory_available())


def reset_vocab_mask(vocab_mask: torch.Tensor) -> None:
    """Makes a bitmask allow all again.

    Args:
        vocab_mask: int32.
    """
    vocab_mask.fill_(-1)


def move_vocab_mask(vocab_mask: torch.Tensor, device: Any) -> torch.Tensor:
    """A bitmask on a device; the copy may still be under way.

    Args:
        vocab_mask: int32.
        device: The device.
    """
    return vocab_mask.to(device, non_blocking=True)


def apply_vocab_mask(logits: torch.Tensor, vocab_mask: torch.Tensor) -> None:
    """Sets the logits of tokens that a bitmask does not allow to -inf, in place.

    Args:
        logits: Shape `(batch, width)`.
        vocab_mask: Shape `(batch, words)`, int32, on the same device.
    """
    if logits.device.type in _TRITON_DEVICES:
        apply_token_bitmask_inplace_triton(logits, vocab_mask)
        return
    width = logits.shape[-1]
    if rest := width % WORD_BITS:
        # Rows that allow all also allow tokens past the logits.
        words = -(-width // WORD_BITS)
        vocab_mask = vocab_mask[..., :words].clone()
        vocab_mask[..., -1] &= (1 << rest) - 1
    apply_mask(logits, vocab_mask)
