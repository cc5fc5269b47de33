"""apply_mask agrees with a loop over bits, for each array type, width and layout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from schemask.errors import MaskError
from schemask.masking import allocate_mask, apply_mask

VOCAB_SIZE = 70  # three words, the last one partly used


def random_mask(batch: int, seed: int = 0) -> np.ndarray:
    """A bitmask with the sign bit of some words set, and nothing past the vocabulary."""
    allowed = np.random.default_rng(seed).random((batch, 96)) < 0.5
    allowed[:, VOCAB_SIZE:] = False
    allowed[:, 31] = True
    mask = np.packbits(allowed, axis=-1, bitorder="little").view(np.int32)
    assert mask.shape == allocate_mask(batch, VOCAB_SIZE).shape
    return mask


def expected(logits: Any, mask: np.ndarray) -> list[list[float]]:
    words = mask.view(np.uint32)
    return [
        [
            float(value)
            if t // 32 < len(words[row]) and int(words[row][t // 32]) >> (t % 32) & 1
            else -math.inf
            for t, value in enumerate(values)
        ]
        for row, values in enumerate(logits.tolist())
    ]


@pytest.mark.parametrize("width", [VOCAB_SIZE, 96, 97, 200])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numpy(dtype: type, width: int) -> None:
    logits = np.random.default_rng(1).normal(size=(3, width)).astype(dtype)
    mask = random_mask(3)
    wanted = expected(logits, mask)
    apply_mask(logits, mask)
    assert logits.tolist() == wanted
    assert logits.dtype == dtype


@pytest.mark.parametrize("width", [VOCAB_SIZE, 96, 97, 200])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_torch(dtype: torch.dtype, width: int) -> None:
    logits = torch.randn(3, width, generator=torch.Generator().manual_seed(1)).to(dtype)
    mask = random_mask(3)
    wanted = expected(logits, mask)
    for bitmask in (mask, torch.from_numpy(mask)):
        masked = logits.clone()
        apply_mask(masked, bitmask)
        assert masked.tolist() == wanted
        assert masked.dtype == dtype


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_torch_on_a_gpu(dtype: torch.dtype) -> None:
    logits = torch.randn(3, 200, device="cuda").to(dtype)
    mask = random_mask(3)
    wanted = expected(logits, mask)
    for bitmask in (mask, torch.from_numpy(mask), torch.from_numpy(mask).cuda()):
        masked = logits.clone()
        apply_mask(masked, bitmask)
        assert masked.tolist() == wanted


def test_single_rows_and_strided_views() -> None:
    mask = random_mask(1)[0]
    records = np.zeros(VOCAB_SIZE, dtype=[("id", np.intc), ("logit", np.float32)])
    records["logit"] = np.arange(VOCAB_SIZE)
    wanted = expected(records["logit"].reshape(1, -1), mask.reshape(1, -1))[0]
    apply_mask(records["logit"], mask)
    assert records["logit"].tolist() == wanted
    transposed = torch.arange(VOCAB_SIZE, dtype=torch.float32).reshape(-1, 1).repeat(1, 2).T
    apply_mask(transposed, mask)  # one mask for both rows
    assert transposed.tolist() == [wanted, wanted]
    every_other = np.repeat(random_mask(2), 2, axis=1)[:, ::2]
    logits = np.ones((2, VOCAB_SIZE))
    apply_mask(logits, every_other)
    assert logits.tolist() == expected(np.ones((2, VOCAB_SIZE)), random_mask(2))


def test_allocated_masks_allow_nothing() -> None:
    mask = allocate_mask(2, VOCAB_SIZE)
    assert mask.shape == (2, 3)
    assert mask.dtype == np.int32
    logits = np.ones((2, VOCAB_SIZE))
    apply_mask(logits, mask)
    assert np.isneginf(logits).all()


def logits_of(*shape: int) -> np.ndarray:
    return np.ones(shape, dtype=np.float32)


def read_only() -> np.ndarray:
    logits = logits_of(1, VOCAB_SIZE)
    logits.flags.writeable = False
    return logits


FULL = np.full((1, 3), -1, dtype=np.int32)


@pytest.mark.parametrize(
    ("logits", "mask"),
    [
        (logits_of(1, 95), FULL),
        (torch.ones(1, 95), FULL),
        (logits_of(1, 64), FULL),
        (logits_of(2, 96), FULL),
        (logits_of(96), FULL),
        (logits_of(1, 1, 96), FULL),
        (logits_of(1, 96), FULL.astype(np.int64)),
        (logits_of(1, 96), FULL.view(np.uint32)),
        (logits_of(1, 96), FULL.tolist()),
        (torch.ones(1, 96), torch.from_numpy(FULL).long()),
        (torch.ones(1, 96), None),
        (logits_of(1, 96).astype(np.int32), FULL),
        (torch.ones(1, 96, dtype=torch.int32), FULL),
        (logits_of(1, 96).tolist(), FULL),
        (read_only(), random_mask(1)),
    ],
)
def test_misfits_are_errors_and_change_nothing(logits: Any, mask: Any) -> None:
    before = logits.copy() if isinstance(logits, np.ndarray) else logits
    with pytest.raises(MaskError):
        apply_mask(logits, mask)
    assert np.array_equal(before, logits)
