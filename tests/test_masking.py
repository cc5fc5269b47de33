"""apply_mask agrees with a loop over bits, for each array type, width and layout."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from schemask.core.masking import allocate_mask, apply_mask
from schemask.errors import MaskError

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


DTYPES = ["float16", "float32", "float64", "bfloat16", "longdouble", ">f4"]


@st.composite
def layouts(draw: st.DrawFn, rows: int, columns: int) -> tuple[tuple[int, ...], Any]:
    """The shape of an array, and an index that leaves a view of `rows` by `columns` of it."""
    step, before, after = draw(st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(0, 2)))
    row_step = draw(st.integers(1, 2))
    index = (slice(None, None, row_step), slice(before, before + columns * step, step))
    return (max(1, rows) * row_step, before + columns * step + after), index


@given(data=st.data())
def test_every_layout_agrees_with_the_loop(data: st.DataObject) -> None:
    """Arrays and tensors of any type, width and strides, with masks of any strides, or one for
    all rows; what lies between the logits stays as it is."""
    draw = data.draw
    rows, columns, words = (
        draw(st.integers(0, 4)),
        draw(st.integers(0, 150)),
        draw(st.integers(0, 4)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    is_shared, transposed = draw(st.booleans()), draw(st.booleans())

    shape, index = draw(layouts(1 if is_shared else rows, words))
    dense = rng.random((*shape, 32)) < draw(st.sampled_from([0.02, 0.5, 0.98]))
    dense[rng.random(shape) < 0.3] = draw(st.booleans())
    mask = np.packbits(dense, axis=-1, bitorder="little").view(np.int32)[..., 0][index]
    mask = mask[: 1 if is_shared else rows]
    wanted_mask = np.repeat(mask, rows, axis=0) if is_shared else mask
    bits = np.ascontiguousarray(mask).view(np.uint8)
    cut = np.unpackbits(bits, axis=-1, bitorder="little")[:, columns:]

    shape, index = draw(layouts(rows, columns))
    values = rng.normal(size=shape)
    dtype = draw(st.sampled_from(DTYPES))
    is_tensor = dtype == "bfloat16" or (dtype.startswith("float") and draw(st.booleans()))
    whole: Any = (
        torch.from_numpy(values).to(getattr(torch, dtype)) if is_tensor else values.astype(dtype)
    )
    if transposed:
        whole = (whole.T.contiguous() if is_tensor else whole.T.copy()).T
    logits = whole[index][:rows]
    before = whole.clone() if is_tensor else whole.copy()
    given_mask = mask[0] if is_shared else mask
    if draw(st.booleans()):
        given_mask = torch.from_numpy(np.ascontiguousarray(given_mask))

    if cut.any():
        with pytest.raises(MaskError):
            apply_mask(logits, given_mask)
    else:
        wanted = expected(logits, np.ascontiguousarray(wanted_mask))
        apply_mask(logits, given_mask)
        assert logits.tolist() == wanted
        before[index][:rows] = logits
    assert np.array_equal(before.tolist(), whole.tolist())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_way_of_other_devices(dtype: torch.dtype) -> None:
    """Logits that need a gradient are masked by torch itself, as on a GPU."""
    for width in (VOCAB_SIZE, 96, 200):
        logits = torch.randn(3, width).to(dtype)
        mask = random_mask(3)
        wanted = expected(logits, mask)
        masked = logits.clone().requires_grad_()
        apply_mask(masked, mask)
        assert masked.tolist() == wanted


def test_torch_knows_that_the_logits_have_changed() -> None:
    logits, weights = torch.ones(1, VOCAB_SIZE), torch.ones(1, VOCAB_SIZE, requires_grad=True)
    loss = (logits * weights).sum()
    apply_mask(logits, random_mask(1))
    with pytest.raises(RuntimeError, match="inplace"):
        loss.backward()
    with torch.inference_mode():
        logits = torch.ones(1, VOCAB_SIZE)
        apply_mask(logits, random_mask(1))
    assert logits.isneginf().any()


def test_memory_that_torch_does_not_lend_as_it_is() -> None:
    mask = random_mask(1)
    negated = torch.ones(1, VOCAB_SIZE, dtype=torch.complex64).mul_(1j).conj().imag
    assert negated.is_neg()
    wanted = expected(negated, mask)
    apply_mask(negated, mask)
    assert negated.tolist() == wanted
    logits = np.ones((2, VOCAB_SIZE), dtype=np.float32)
    words = logits.view(np.int32)[:, :3]  # the mask lies in the logits themselves
    words[:] = random_mask(2)
    wanted = expected(logits, words.copy())
    apply_mask(logits, words)
    assert np.isneginf(logits[:, 3:]).tolist() == np.isneginf(np.array(wanted)[:, 3:]).tolist()


def test_large_batches_in_several_threads() -> None:
    rows = 48
    mask = np.repeat(random_mask(1), 256, axis=1)  # much more than is masked with the GIL
    logits = [np.ones((rows, mask.shape[1] * 32), dtype=np.float32) for _ in range(4)]
    threads = [threading.Thread(target=apply_mask, args=(some, mask[0])) for some in logits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = expected(np.ones((1, mask.shape[1] * 32)), mask)
    assert all(np.array_equal(row, wanted[0]) for some in logits for row in some)


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


@given(st.data())
def test_rows_that_are_not_named_stay_as_they_are(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    rows, masks = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    draw = np.random.default_rng(data.draw(st.integers(0, 999)))
    width = size + data.draw(st.integers(0, 3))
    logits = draw.normal(size=(rows, width)).astype(
        data.draw(st.sampled_from(["float16", "float32", "float64"]))
    )
    bitmask = allocate_mask(masks, size)
    for row in bitmask:
        row[: size // 32] = draw.integers(-(2**31), 2**31, size=size // 32)
    indices = data.draw(st.lists(st.integers(0, min(rows, masks) - 1), unique=True))
    wanted = logits.copy()
    for index in indices:
        apply_mask(wanted[index], bitmask[index])
    if data.draw(st.booleans()):
        tensor = torch.from_numpy(logits)
        apply_mask(tensor, torch.from_numpy(bitmask), indices=torch.tensor(indices))
    else:
        apply_mask(logits, bitmask, indices=indices)
    np.testing.assert_array_equal(logits, wanted)


@pytest.mark.parametrize(
    ("logits", "bitmask", "indices", "message"),
    [
        (np.zeros((2, 8)), np.zeros((2, 1), np.int32), [2], "from 0 to 1"),
        (np.zeros((2, 8)), np.zeros((2, 1), np.int32), [-1], "from 0 to 1"),
        (np.zeros((2, 8)), np.zeros((2, 1), np.int32), [0.5], "row numbers"),
        (np.zeros((2, 8)), np.zeros((2, 1), np.int32), [[0]], "row numbers"),
        (np.zeros((2, 8)), np.zeros(1, np.int32), [0], "batch axis"),
        (np.zeros(8), np.zeros(1, np.int32), [0], "batch axis"),
        ([[0.0] * 8], np.zeros((1, 1), np.int32), [0], "arrays"),
        (np.zeros((2, 8)), np.array([[0], [1 << 9]], np.int32), [0, 1], "past the 8 columns"),
        (np.zeros((2, 8), int), np.zeros((2, 1), np.int32), [0], "floating point"),
    ],
)
def test_rows_that_cannot_be_masked_are_left(
    logits: Any, bitmask: Any, indices: Any, message: str
) -> None:
    with pytest.raises(MaskError, match=message):
        apply_mask(logits, bitmask, indices=indices)
    assert not np.isinf(logits).any()
