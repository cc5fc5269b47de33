//! Calls without the GIL, which Ctrl-C ends, and short ones that keep it.
//!
//! What the threads of a grammar find out is found once, and who needs it meanwhile waits. Who finds
//! it may want Python, to see whether Ctrl-C was pressed; so a thread must not keep Python from it
//! while it waits, by the GIL or, where there is none, by not being ready when all threads have to
//! stop.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::work;

thread_local! {
    /// What a signal handler raised in the middle of a call.
    static RAISED: Cell<Option<PyErr>> = const { Cell::new(None) };
}

/// Does something without the GIL. Signals are looked at now and then; what their handlers raise,
/// such as `KeyboardInterrupt`, ends it.
pub(super) fn detached<T: Send>(py: Python<'_>, f: impl FnOnce() -> T + Send) -> T {
    py.detach(|| {
        let before = work::set_interrupt(Some(is_interrupted));
        let result = f();
        work::set_interrupt(before);
        result
    })
}

/// Does something short with the GIL, which may wait for what another thread finds out. If one wants
/// Python just now, it is done without.
pub(super) fn attached<T: Send>(py: Python<'_>, f: impl FnOnce() -> T + Send) -> T {
    let keeping = Counting::on(OWN.with(|own| *own));
    if WANTING.load(Ordering::SeqCst) > 0 {
        drop(keeping);
        return detached(py, f);
    }
    f()
}

/// Calls of [`attached`] that keep Python. Threads count apart, so as not to wait for each other's
/// counts.
static KEEPING: [Count; COUNTS] = [const { Count(AtomicUsize::new(0)) }; COUNTS];

const COUNTS: usize = 32;

/// A count that has its cache lines for itself.
#[repr(align(128))]
struct Count(AtomicUsize);

thread_local! {
    /// The count of this thread, which it may share with some others.
    static OWN: &'static AtomicUsize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        &KEEPING[NEXT.fetch_add(1, Ordering::Relaxed) % COUNTS].0
    };
}

/// Threads that want Python in the middle of [`detached`].
///
/// A thread first says here that it wants it and then looks at [`KEEPING`]; one that keeps it says
/// so there and then looks here. So of two at least one sees the other, and gives way.
static WANTING: AtomicUsize = AtomicUsize::new(0);

/// One more in a count, for as long as it lives.
struct Counting(&'static AtomicUsize);

impl Counting {
    fn on(count: &'static AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Counting(count)
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn is_interrupted() -> bool {
    let _wanting = Counting::on(&WANTING);
    if KEEPING
        .iter()
        .any(|count| count.0.load(Ordering::SeqCst) > 0)
    {
        return false; // it is asked again soon
    }
    Python::attach(|py| match py.check_signals() {
        Ok(()) => false,
        Err(raised) => {
            RAISED.set(Some(raised));
            true
        }
    })
}

/// What ended the call.
pub(super) fn raised(py: Python<'_>) -> PyErr {
    let raised = RAISED.take();
    raised.unwrap_or_else(|| PyKeyboardInterrupt::new_err(py.None()))
}
