//! Long calls without the GIL, which Ctrl-C ends.

use std::cell::Cell;

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

fn is_interrupted() -> bool {
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
