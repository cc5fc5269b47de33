//! The memory of numpy arrays.
//!
//! Here alone the crate has `unsafe` code. numpy's own borrows of rust-numpy, which is safe, took
//! longer than copying a mask: see `benches/serving.py`.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use numpy::npyffi::{NPY_ARRAY_WRITEABLE, PyArrayObject};
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::vocab::MaskWord;

// SAFETY: it is a `u32`, `repr(transparent)`, and any bits are one.
unsafe impl Zeroable for MaskWord {}
// SAFETY: as above.
unsafe impl Pod for MaskWord {}

/// What may be done with borrowed memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// A type of numbers in native byte order: numpy's letter for the kind, and the bytes of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) kind: u8,
    pub(super) size: usize,
}

impl Number {
    pub(super) const INT32: Number = Number {
        kind: b'i',
        size: 4,
    };
}

/// Why memory is not lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemoryRefusal {
    ReadOnly,
    InUse,
}

/// An array of at least one axis, seen as rows: the last axis is a row.
pub(super) struct Rows<'py> {
    array: Bound<'py, PyUntypedArray>,
    number: Number,
}

impl<'py> Rows<'py> {
    /// `None` if it is no numpy array of one or more axes of numbers in native byte order.
    pub(super) fn of(object: &Bound<'py, PyAny>) -> Option<Self> {
        let array = object.cast::<PyUntypedArray>().ok()?;
        let dtype = array.dtype();
        let number = Number {
            kind: dtype.kind(),
            size: dtype.itemsize(),
        };
        let is_number = matches!(number.kind, b'i' | b'f');
        let fits = is_number && dtype.byteorder() == b'=' && array.ndim() > 0;
        fits.then(|| Rows {
            array: array.clone(),
            number,
        })
    }

    pub(super) fn number(&self) -> Number {
        self.number
    }

    pub(super) fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    pub(super) fn is_contiguous(&self) -> bool {
        self.array.is_c_contiguous()
    }

    /// How many rows an array of one or two axes has.
    pub(super) fn count(&self) -> usize {
        match *self.shape() {
            [rows, _] => rows,
            _ => 1,
        }
    }

    /// Borrows the memory of some rows of an array of one or two axes.
    pub(super) fn borrow(
        &self,
        rows: Range<usize>,
        access: Access,
    ) -> Result<Memory<'_>, MemoryRefusal> {
        assert!(rows.start <= rows.end && rows.end <= self.count());
        let array: *mut PyArrayObject = self.array.as_array_ptr();
        // SAFETY: a numpy array is a `PyArrayObject`, and is alive.
        let (data, flags) = unsafe { ((*array).fields.data, (*array).fields.flags) };
        if access == Access::Write && flags & NPY_ARRAY_WRITEABLE == 0 {
            return Err(MemoryRefusal::ReadOnly);
        }
        let (columns, row_stride, column_stride) = match (self.array.shape(), self.array.strides())
        {
            (&[columns], &[stride]) => (columns, 0, stride),
            (&[_, columns], &[above, stride]) => (columns, above, stride),
            (shape, _) => unreachable!("{} axes", shape.len()),
        };
        let data = data.wrapping_offset(rows.start as isize * row_stride);
        let rows = rows.len();
        let (mut lowest, mut end) = (0, 0);
        if rows > 0 && columns > 0 {
            for (count, stride) in [(rows, row_stride), (columns, column_stride)] {
                let reach = (count - 1) as isize * stride;
                lowest += reach.min(0);
                end += reach.max(0);
            }
            end += self.number.size as isize;
        }
        let range = data.wrapping_offset(lowest) as usize..data.wrapping_offset(end) as usize;
        Ok(Memory {
            _borrow: Borrow::new(range, access).ok_or(MemoryRefusal::InUse)?,
            data: data.cast(),
            number: self.number,
            access,
            rows,
            columns,
            row_stride,
            column_stride,
            array: PhantomData,
        })
    }
}

/// What is borrowed now.
static BORROWED: Mutex<Vec<(Range<usize>, Access)>> = Mutex::new(Vec::new());

/// A range of addresses that nothing else in this crate writes to, or reads while it is written to.
struct Borrow(Range<usize>, Access);

impl Borrow {
    fn new(range: Range<usize>, access: Access) -> Option<Self> {
        let mut borrowed = BORROWED.lock();
        let conflicts = |(other, how): &(Range<usize>, Access)| {
            let both_read = access == Access::Read && *how == Access::Read;
            !both_read && other.start < range.end && range.start < other.end
        };
        if borrowed.iter().any(conflicts) {
            return None;
        }
        borrowed.push((range.clone(), access));
        Some(Borrow(range, access))
    }
}

impl Drop for Borrow {
    fn drop(&mut self) {
        let mut borrowed = BORROWED.lock();
        let own = borrowed
            .iter()
            .rposition(|(range, access)| *range == self.0 && *access == self.1);
        borrowed.swap_remove(own.expect("it was put there"));
    }
}

/// The borrowed memory of an array: rows of numbers.
///
/// Python code that runs meanwhile, and numpy without the GIL, may still reach the same memory: as
/// with all of numpy, it is the caller's to not write to an array in two threads.
pub(super) struct Memory<'a> {
    _borrow: Borrow,
    data: *mut u8,
    number: Number,
    access: Access,
    pub(super) rows: usize,
    pub(super) columns: usize,
    row_stride: isize,
    column_stride: isize,
    array: PhantomData<&'a ()>,
}

// SAFETY: the memory belongs to an array that stays alive, and `Borrow` keeps other borrows away.
unsafe impl Send for Memory<'_> {}
// SAFETY: as above; through a shared reference it is only read.
unsafe impl Sync for Memory<'_> {}

impl Memory<'_> {
    /// Whether some number belongs to several places.
    pub(super) fn overlaps_itself(&self) -> bool {
        let repeats = |count: usize, stride: isize| count > 1 && stride == 0;
        let is_empty = self.rows == 0 || self.columns == 0;
        !is_empty
            && (repeats(self.rows, self.row_stride) || repeats(self.columns, self.column_stride))
    }

    /// The numbers of a row, for reading.
    pub(super) fn row<T: Pod>(&self, row: usize) -> Option<&[T]> {
        let first = self.first_if_slice::<T>(row)?;
        // SAFETY: the array has `columns` numbers of this size from `first` on, one after the
        // other and aligned; nothing writes to them while they are borrowed.
        Some(unsafe { std::slice::from_raw_parts(first, self.columns) })
    }

    /// The numbers of a row, for writing; `None` if they do not lie side by side.
    pub(super) fn row_mut<T: Pod>(&mut self, row: usize) -> Option<&mut [T]> {
        assert_eq!(self.access, Access::Write);
        let first = self.first_if_slice::<T>(row)?;
        // SAFETY: as in `row`; and as they are borrowed for writing, nothing reads them either.
        Some(unsafe { std::slice::from_raw_parts_mut(first, self.columns) })
    }

    /// All numbers, row after row, for writing; `None` if they do not lie side by side.
    pub(super) fn all_mut<T: Pod>(&mut self) -> Option<&mut [T]> {
        let row_bytes = (self.columns * self.number.size) as isize;
        if self.rows > 1 && self.row_stride != row_bytes {
            return None;
        }
        assert_eq!(self.access, Access::Write);
        if self.rows == 0 {
            return Some(&mut []);
        }
        let first = self.first_if_slice::<T>(0)?;
        // SAFETY: as in `row_mut`, and each row begins where the one before it ends.
        Some(unsafe { std::slice::from_raw_parts_mut(first, self.rows * self.columns) })
    }

    /// The numbers of a row, wherever they lie, for writing.
    pub(super) fn strided_mut<T: Pod>(&mut self, row: usize) -> Strided<'_, T> {
        assert_eq!(self.access, Access::Write);
        Strided {
            first: self.first::<T>(row),
            count: self.columns,
            stride: self.column_stride,
            numbers: PhantomData,
        }
    }

    fn first<T: Pod>(&self, row: usize) -> *mut T {
        assert_eq!(size_of::<T>(), self.number.size);
        assert!(row < self.rows);
        self.data
            .wrapping_offset(row as isize * self.row_stride)
            .cast()
    }

    fn first_if_slice<T: Pod>(&self, row: usize) -> Option<*mut T> {
        let first = self.first::<T>(row);
        let side_by_side = self.columns <= 1 || self.column_stride == size_of::<T>() as isize;
        (side_by_side && first.is_aligned() && !first.is_null()).then_some(first)
    }
}

/// Numbers at equal distances, which need not be aligned.
pub(super) struct Strided<'a, T> {
    first: *mut T,
    count: usize,
    stride: isize,
    numbers: PhantomData<&'a mut T>,
}

impl<T: Pod> Strided<'_, T> {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Sets the numbers from `range.start` on.
    pub(super) fn fill(&mut self, range: Range<usize>, value: T) {
        assert!(range.end <= self.count);
        for index in range {
            self.put(index, value);
        }
    }

    /// Sets number `start + i` for each bit `i` of `bits`.
    pub(super) fn set_bits(&mut self, start: usize, mut bits: u32, value: T) {
        let last = start + (31_u32.saturating_sub(bits.leading_zeros())) as usize;
        assert!(bits == 0 || last < self.count);
        while bits != 0 {
            self.put(start + bits.trailing_zeros() as usize, value);
            bits &= bits - 1;
        }
    }

    fn put(&mut self, index: usize, value: T) {
        debug_assert!(index < self.count);
        let place = self
            .first
            .wrapping_byte_offset(index as isize * self.stride);
        // SAFETY: the callers have checked that `index < count`; that number is the array's and is
        // borrowed for writing.
        unsafe { place.write_unaligned(value) }
    }
}
