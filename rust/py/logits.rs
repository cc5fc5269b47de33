//! Putting a mask on the logits in an array.

use bytemuck::Pod;
use pyo3::prelude::*;

use crate::py::memory::{Access, Memory, Number, Rows, Strided};
use crate::vocab::MaskWord;

const WORD_BITS: usize = MaskWord::BITS;

/// The bits of a floating point number.
trait Bits: Pod {
    /// Sets the numbers whose bits in `word` are 0 to `value`.
    fn keep(numbers: &mut [Self; WORD_BITS], word: MaskWord, value: Self);
}

macro_rules! bits {
    ($type:ty) => {
        impl Bits for $type {
            // A block of numbers has as many as each number has bits. Then no number has to be
            // widened to test its bit, and the loop becomes vector instructions.
            #[inline]
            fn keep(numbers: &mut [Self; WORD_BITS], MaskWord(word): MaskWord, value: Self) {
                const AT_ONCE: usize = if <$type>::BITS < 32 { 16 } else { 32 };
                for part in 0..WORD_BITS / AT_ONCE {
                    let bits = (word >> (part * AT_ONCE)) as $type;
                    let numbers = &mut numbers[part * AT_ONCE..][..AT_ONCE];
                    for i in 0..AT_ONCE {
                        numbers[i] = if bits & (1 << i) == 0 {
                            value
                        } else {
                            numbers[i]
                        };
                    }
                }
            }
        }
    };
}

bits!(u16);
bits!(u32);
bits!(u64);

/// From so many logits on, other threads may run meanwhile.
const DETACHED: usize = 1 << 20;

/// Up to so many numbers are set one by one.
const FEW: u32 = 6;

const FLOAT16: u16 = 0xfc00;
const BFLOAT16: u16 = 0xff80;
const FLOAT32: u32 = f32::NEG_INFINITY.to_bits();
const FLOAT64: u64 = f64::NEG_INFINITY.to_bits();

/// Sets logits that a bitmask does not allow to -inf, in place, if that needs no other library.
///
/// Args:
///     logits: A writable numpy array of shape `(batch, width)` or `(width,)` of float16, float32
///         or float64; with `bfloat16`, of int16 in place of bfloat16.
///     bitmask: int32, of shape `(batch, words)` or `(words,)`; see `Matcher.fill_mask`.
///     bfloat16: Whether the numbers are bfloat16.
///
/// Returns:
///     Whether it was done. If not, nothing has changed: `schemask.apply_mask` takes more, and says
///     what is wrong.
#[pyfunction]
#[pyo3(signature = (logits, bitmask, bfloat16 = false))]
pub(super) fn apply_mask(
    py: Python<'_>,
    logits: &Bound<'_, PyAny>,
    bitmask: &Bound<'_, PyAny>,
    bfloat16: bool,
) -> bool {
    let (Some(logits), Some(bitmask)) = (Rows::of(logits), Rows::of(bitmask)) else {
        return false;
    };
    let (shape, mask_shape) = (logits.shape(), bitmask.shape());
    let fits = bitmask.number() == Number::INT32
        && match (shape, mask_shape) {
            ([_] | [_, _], [_]) => true,
            ([rows, _], [mask_rows, _]) => rows == mask_rows,
            _ => false,
        };
    if !fits {
        return false;
    }
    let number = logits.number();
    let (Ok(mut logits), Ok(bitmask)) = (
        logits.borrow(0..logits.count(), Access::Write),
        bitmask.borrow(0..bitmask.count(), Access::Read),
    ) else {
        return false;
    };
    if logits.overlaps_itself() {
        return false;
    }
    let mut apply = || match (number.kind, number.size, bfloat16) {
        (b'f', 2, false) => apply::<u16>(&mut logits, &bitmask, FLOAT16),
        (b'i', 2, true) => apply::<u16>(&mut logits, &bitmask, BFLOAT16),
        (b'f', 4, false) => apply::<u32>(&mut logits, &bitmask, FLOAT32),
        (b'f', 8, false) => apply::<u64>(&mut logits, &bitmask, FLOAT64),
        _ => false,
    };
    match shape.iter().product::<usize>() {
        0..DETACHED => apply(),
        _ => py.detach(apply),
    }
}

fn apply<T: Bits>(logits: &mut Memory<'_>, bitmask: &Memory<'_>, minus_infinity: T) -> bool {
    let mask = |row: usize| bitmask.row::<MaskWord>(row.min(bitmask.rows - 1));
    // All rows are looked at before any is changed.
    for row in 0..bitmask.rows {
        if !mask(row).is_some_and(|mask| has_columns(mask, logits.columns)) {
            return false;
        }
    }
    for row in 0..logits.rows {
        let Some(mask) = mask(row) else { return false };
        match logits.row_mut::<T>(row) {
            Some(numbers) => keep(numbers, mask, minus_infinity),
            None => keep_strided(logits.strided_mut(row), mask, minus_infinity),
        }
    }
    true
}

/// Whether each allowed token has a column.
fn has_columns(mask: &[MaskWord], columns: usize) -> bool {
    let (whole, rest) = (columns / WORD_BITS, columns % WORD_BITS);
    let mut beyond = mask.iter().skip(whole);
    beyond.next().is_none_or(|word| word.0 >> rest == 0)
        && beyond.all(|&word| word == MaskWord::NONE)
}

fn keep<T: Bits>(numbers: &mut [T], mask: &[MaskWord], minus_infinity: T) {
    let known = numbers.len().min(mask.len() * WORD_BITS);
    let (known, unknown) = numbers.split_at_mut(known);
    unknown.fill(minus_infinity);
    let (whole, rest) = known.as_chunks_mut::<WORD_BITS>();
    for (numbers, &word) in whole.iter_mut().zip(mask) {
        match word.0.count_zeros() {
            0 => {}
            32 => numbers.fill(minus_infinity),
            1..=FEW => {
                let mut forbidden = !word.0;
                while forbidden != 0 {
                    numbers[forbidden.trailing_zeros() as usize] = minus_infinity;
                    forbidden &= forbidden - 1;
                }
            }
            _ => T::keep(numbers, word, minus_infinity),
        }
    }
    let last = mask.get(whole.len()).copied().unwrap_or(MaskWord::NONE);
    for (i, number) in rest.iter_mut().enumerate() {
        if last.0 >> i & 1 == 0 {
            *number = minus_infinity;
        }
    }
}

fn keep_strided<T: Bits>(mut numbers: Strided<'_, T>, mask: &[MaskWord], minus_infinity: T) {
    let length = numbers.len();
    let known = length.min(mask.len() * WORD_BITS);
    for (start, &word) in (0..known).step_by(WORD_BITS).zip(mask) {
        let count = (known - start).min(WORD_BITS);
        match word {
            MaskWord::ALL => {}
            MaskWord::NONE => numbers.fill(start..start + count, minus_infinity),
            _ => {
                let columns = u32::MAX >> (WORD_BITS - count);
                numbers.set_bits(start, !word.0 & columns, minus_infinity);
            }
        }
    }
    numbers.fill(known..length, minus_infinity);
}
