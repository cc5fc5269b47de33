"""Putting a packed bitmask on logits.

A bitmask is an int32 array of shape `(batch, words)` or `(words,)` with `words = ceil(vocabulary
size / 32)`: token `t` is allowed where bit `t % 32` (least significant first) of word `t // 32` is
set.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from schemask import _native
from schemask.errors import MaskError, shortened

if TYPE_CHECKING:
    import torch

WORD_BITS = 32


def allocate_mask(batch: int, vocab_size: int) -> npt.NDArray[np.int32]:
    """A bitmask of shape `(batch, ceil(vocab_size / 32))`, int32, that allows nothing.

    Args:
        batch: How many rows, one for each text.
        vocab_size: How many tokens: `Vocabulary.size`, or the width of the model's logits if that
            is more.

    Raises:
        MaskError: A size that is negative or no integer.
    """
    for name, size in (("batch", batch), ("vocab_size", vocab_size)):
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
            raise MaskError(f"{name} is a size, not {shortened(size)}")
    try:
        return np.zeros((batch, -(-vocab_size // WORD_BITS)), dtype=np.int32)
    except (ValueError, OverflowError, MemoryError) as error:
        shape = f"batch {shortened(batch)}, vocab_size {shortened(vocab_size)}"
        raise MaskError(f"no room for a mask ({shape}): {error}") from error


def apply_mask(logits: Any, bitmask: Any, *, indices: Sequence[int] | None = None) -> None:
    """Sets the logits of all tokens that the bitmask does not allow to -inf, in place.

    Args:
        logits: Shape `(batch, width)` or `(width,)`: a writable numpy array (float16, float32,
            float64) or a torch tensor on any device (also bfloat16); it need not be contiguous.
            Columns past the bitmask's tokens become -inf: the heads of models are often wider than
            their vocabulary.
        bitmask: Shape `(batch, words)` or `(words,)`, int32: a numpy array or a torch tensor.
            Without a batch axis it applies to each row of the logits.
        indices: Which rows to mask: row `i` of the logits by row `i` of the bitmask, for each `i`
            of them; the others stay as they are. Then both have a batch axis, and may have a
            different number of rows.

    Raises:
        MaskError: A wrong type or shape, no such row, or logits that lack a column for an allowed
            token. The logits are unchanged then.
    """
    if indices is not None:
        _apply_to_rows(logits, bitmask, indices)
        return
    if isinstance(logits, np.ndarray):
        if not _native.apply_mask(logits, _as_array(bitmask)):
            _apply_to_array(logits, bitmask)
    elif _is_tensor(logits):
        if not _apply_to_memory(logits, bitmask):
            _apply_to_tensor(logits, bitmask)
    else:
        raise MaskError(f"logits are a numpy array or a torch tensor, not {type(logits).__name__}")


def _apply_to_rows(logits: Any, bitmask: Any, indices: Sequence[int]) -> None:
    both = (logits, bitmask)
    if not all(isinstance(value, np.ndarray) or _is_tensor(value) for value in both):
        raise MaskError("logits and bitmask are numpy arrays or torch tensors, for indices")
    if any(len(value.shape) != 2 for value in both):
        raise MaskError("with indices, logits and bitmask have a batch axis")
    rows = np.asarray(indices)
    if rows.size == 0:
        return
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise MaskError(f"indices are a list of row numbers, not {shortened(indices)}")
    count = min(len(logits), len(bitmask))
    if rows.min() < 0 or rows.max() >= count:
        raise MaskError(f"indices are rows from 0 to {count - 1}, not {shortened(indices)}")
    chosen = rows.tolist()
    part = logits[chosen]  # a copy, so that nothing is half done where there is an error
    apply_mask(part, bitmask[chosen])
    logits[chosen] = part


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")  # nothing is a tensor before torch is imported
    return torch is not None and isinstance(value, torch.Tensor)


def _as_array(bitmask: Any) -> Any:
    """The array that shares the memory of a tensor on the CPU; anything else as it is."""
    if isinstance(bitmask, np.ndarray) or not _is_tensor(bitmask) or bitmask.device.type != "cpu":
        return bitmask
    return bitmask.numpy()


def _apply_to_memory(logits: torch.Tensor, bitmask: Any) -> bool:
    """Masks a plain tensor on the CPU; False if it is anything else, and unchanged."""
    import torch

    # A subclass may not be what its memory says, and a gradient has to know of the mask.
    if type(logits) is not torch.Tensor or logits.device.type != "cpu" or logits.requires_grad:
        return False
    if logits.layout is not torch.strided or logits.is_neg():
        return False
    is_bfloat16 = logits.dtype is torch.bfloat16  # which numpy does not know
    if not is_bfloat16 and logits.dtype not in (torch.float16, torch.float32, torch.float64):
        return False
    array = (logits.view(torch.int16) if is_bfloat16 else logits).numpy()
    if not _native.apply_mask(array, _as_array(bitmask), is_bfloat16):
        return False
    if not logits.is_inference():
        torch.autograd.graph.increment_version(logits)
    return True


def _apply_to_array(logits: npt.NDArray[Any], bitmask: Any) -> None:
    if not np.issubdtype(logits.dtype, np.floating):
        raise MaskError(f"logits are floating point numbers, not {logits.dtype}")
    if not logits.flags.writeable:
        raise MaskError("the logits are read-only")
    mask = bitmask.cpu().numpy() if _is_tensor(bitmask) else bitmask
    if not isinstance(mask, np.ndarray) or mask.dtype != np.int32:
        raise MaskError(f"a bitmask is an int32 array, not {_describe(bitmask)}")
    _check_shapes(logits.shape, mask.shape)
    octets = np.ascontiguousarray(mask).astype("<i4", copy=False).view(np.uint8)
    allowed = np.unpackbits(octets, axis=-1, bitorder="little").view(np.bool_)
    width = logits.shape[-1]
    known = allowed.shape[-1]
    if known > width:
        _check_cut(width, bool(allowed[..., width:].any()))
    np.copyto(logits[..., :known], -np.inf, where=~allowed[..., :width])
    logits[..., known:] = -np.inf


def _apply_to_tensor(logits: torch.Tensor, bitmask: Any) -> None:
    import torch

    if not logits.dtype.is_floating_point:
        raise MaskError(f"logits are floating point numbers, not {logits.dtype}")
    mask = torch.from_numpy(bitmask) if isinstance(bitmask, np.ndarray) else bitmask
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.int32:
        raise MaskError(f"a bitmask is an int32 array, not {_describe(bitmask)}")
    _check_shapes(logits.shape, mask.shape)
    words = mask.to(logits.device, non_blocking=True)
    # Each bit becomes the sign of a number of its own.
    shifts = torch.arange(WORD_BITS - 1, -1, -1, dtype=torch.int32, device=logits.device)
    forbidden = words.unsqueeze(-1).bitwise_left_shift(shifts).ge(0).flatten(-2)
    width = logits.shape[-1]
    known = forbidden.shape[-1]
    if known > width:
        _check_cut(width, not forbidden[..., width:].all())
    with torch.no_grad():
        logits[..., :known].masked_fill_(forbidden[..., :width], -torch.inf)
        if known < width:
            logits[..., known:] = -torch.inf


def _check_shapes(logits: tuple[int, ...], mask: tuple[int, ...]) -> None:
    if not (1 <= len(mask) <= len(logits) <= 2 and logits[:-1][: len(mask) - 1] == mask[:-1]):
        raise MaskError(
            f"the logits' shape {tuple(logits)} and the bitmask's shape {tuple(mask)} do not fit: "
            "they are (batch, width) and (batch, words), or one row of either"
        )


def _check_cut(width: int, cuts_allowed: bool) -> None:
    if cuts_allowed:
        raise MaskError(f"the bitmask allows tokens past the {width} columns of the logits")


def _describe(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return type(value).__name__ if dtype is None else f"{type(value).__name__} of {dtype}"
