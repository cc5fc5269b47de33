//! Work units: what keeps every operation within bounds.
//!
//! Searches, derivatives, clauses and walks [`spend`] units where they do their work, and whatever is
//! kept says how much memory it [`hold`]s. An operation of the public surface runs [`within`] an
//! [`Allowance`]; when that is used up, the operation is left by unwinding to where it began, and
//! ends there as an error. So no function in between needs a way to say "I do not know", and nothing
//! half done is kept: a memo is filled after its value has been computed, or not at all.
//!
//! Units are counted, not timed: an operation does the same work on every machine, but for what
//! earlier operations on the same grammar have left in its memos.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};

/// What an operation may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// What is being done, for the error: "compiling".
    pub(crate) doing: &'static str,
    /// The field of [`Limits`](crate::Limits) that bounds the units.
    pub(crate) limit: &'static str,
    pub(crate) units: u64,
    /// Bytes that may be kept.
    pub(crate) bytes: u64,
    pub(crate) timeout: Option<Duration>,
}

/// Units between two looks at the clock and at [`set_interrupt`]'s function: a fraction of a millisecond.
const STRIDE: u64 = 1 << 14;

/// How often the function of [`set_interrupt`] is called, at most.
const BETWEEN_CALLS: Duration = Duration::from_millis(50);

/// Says whether the caller wants to be interrupted.
pub(crate) type Interrupt = fn() -> bool;

/// What is left to the operation that runs on this thread.
#[derive(Clone, Copy)]
struct Meter {
    /// Units until the next look; the rest of the allowance is in `reserve`.
    left: u64,
    reserve: u64,
    bytes: u64,
    allowance: Allowance,
    began: Option<Instant>,
    called: Option<Instant>,
}

/// The meter outside of operations, where nothing is bounded: tests call functions of the engine
/// directly.
const UNLIMITED: Meter = Meter {
    left: u64::MAX,
    reserve: 0,
    bytes: u64::MAX,
    allowance: Allowance {
        doing: "",
        limit: "",
        units: u64::MAX,
        bytes: u64::MAX,
        timeout: None,
    },
    began: None,
    called: None,
};

thread_local! {
    /// The units of [`Meter::left`], kept apart from the rest of the meter since they change so
    /// often.
    static LEFT: Cell<u64> = const { Cell::new(UNLIMITED.left) };
    static BYTES: Cell<u64> = const { Cell::new(UNLIMITED.bytes) };
    static METER: Cell<Meter> = const { Cell::new(UNLIMITED) };
    static INTERRUPT: Cell<Option<Interrupt>> = const { Cell::new(None) };
    static PLACE: Cell<Option<SchemaPlace>> = const { Cell::new(None) };
}

/// A schema: which of a grammar's, and which schema in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SchemaPlace {
    pub(crate) model: u32,
    pub(crate) schema: u32,
}

/// The payload of the unwinding that leads back to where the operation began.
struct Stop(Error);

/// What an operation has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) units: u64,
    pub(crate) bytes: u64,
}

/// Counts units of work: one is about what it takes to look up a state or to visit a node.
#[inline]
pub(crate) fn spend(units: usize) {
    let left = LEFT.get();
    match left.checked_sub(units as u64) {
        Some(less) => LEFT.set(less),
        None => go_on(units as u64 - left),
    }
}

/// Counts memory that is kept after the operation.
#[inline]
pub(crate) fn hold(bytes: usize) {
    match BYTES.get().checked_sub(bytes as u64) {
        Some(less) => BYTES.set(less),
        None => stop(
            "memory",
            "memory_bytes",
            METER.get().allowance.bytes,
            "bytes",
        ),
    }
}

/// Says which schema the work that follows is about; what it was about before.
pub(crate) fn at(place: Option<SchemaPlace>) -> Option<SchemaPlace> {
    PLACE.replace(place)
}

/// Takes more units from the reserve, if nothing speaks against it.
#[cold]
fn go_on(short: u64) {
    let mut meter = METER.get();
    if meter.reserve < short {
        let Allowance { limit, units, .. } = meter.allowance;
        stop("work", limit, units, "units");
    }
    if let Some(began) = meter.began {
        if let Some(timeout) = meter.allowance.timeout
            && began.elapsed() > timeout
        {
            let message = format!(
                "{} took longer than {timeout:?} (the limit `timeout`)",
                meter.allowance.doing
            );
            resume_unwind(Box::new(Stop(Error::new(ErrorKind::Limit, message))));
        }
        if let Some(is_interrupted) = INTERRUPT.get()
            && meter.called.unwrap_or(began).elapsed() > BETWEEN_CALLS
        {
            if is_interrupted() {
                let error = Error::new(ErrorKind::Interrupted, "interrupted");
                resume_unwind(Box::new(Stop(error)));
            }
            meter.called = Some(Instant::now());
        }
    }
    meter.reserve -= short;
    let next = meter.reserve.min(STRIDE);
    meter.reserve -= next;
    LEFT.set(next);
    METER.set(meter);
}

#[cold]
fn stop(what: &str, limit: &str, most: u64, of: &str) -> ! {
    let doing = METER.get().allowance.doing;
    let message =
        format!("{doing} takes more {what} than the limit `{limit}` of {most} {of} allows");
    resume_unwind(Box::new(Stop(Error::new(ErrorKind::Limit, message))));
}

/// Ends the operation since it cannot be decided, within a cap of a search of its own, `whether` something
/// is so. Nothing is guessed.
#[cold]
pub(crate) fn undecided(whether: &str) -> ! {
    let message = format!("it cannot be decided within the limits whether {whether}");
    resume_unwind(Box::new(Stop(Error::new(ErrorKind::Limit, message))));
}

/// Does something within an allowance, and says what it used. Inside another operation, its
/// allowance comes on top.
///
/// # Errors
///
/// If the allowance is used up, or the caller interrupts.
pub(crate) fn within<T>(
    allowance: Allowance,
    operation: impl FnOnce() -> Result<T, Error>,
) -> Result<(T, Used), Error> {
    let (result, used) = apart(allowance, operation);
    result.map(|value| (value, used))
}

/// Does something that is worth so many units of the operation's and no more; `None` if it takes more.
pub(crate) fn attempt<T>(units: u64, f: impl FnOnce() -> T) -> Option<T> {
    let meter = METER.get();
    let allowance = Allowance {
        units: units.min(LEFT.get().saturating_add(meter.reserve)),
        bytes: BYTES.get(),
        timeout: None,
        ..meter.allowance
    };
    let (result, used) = apart(allowance, || Ok(f()));
    hold(used.bytes as usize);
    match result {
        Ok(value) => {
            spend(used.units as usize);
            Some(value)
        }
        Err(error) if error.is_limit() => {
            // If no more was left, this ends the operation.
            spend(units.min(allowance.units.saturating_add(1)) as usize);
            None
        }
        Err(error) => resume_unwind(Box::new(Stop(error))),
    }
}

/// Computes something that a process computes once, whichever operation needs it first. No
/// allowance pays for it, and nothing interrupts it: what is left half done would stay so for good.
pub(crate) fn once<T>(f: impl FnOnce() -> T) -> T {
    let allowance = Allowance {
        doing: "making a table",
        limit: "",
        units: u64::MAX,
        bytes: u64::MAX,
        timeout: None,
    };
    let interrupt = set_interrupt(None);
    let (result, _) = apart(allowance, || Ok(f()));
    set_interrupt(interrupt);
    result.unwrap_or_else(|error| unreachable!("{error}"))
}

/// Does something with a meter of its own.
fn apart<T>(
    allowance: Allowance,
    operation: impl FnOnce() -> Result<T, Error>,
) -> (Result<T, Error>, Used) {
    let outer = (METER.get(), LEFT.get(), BYTES.get());
    let left = allowance.units.min(STRIDE);
    let is_timed = allowance.timeout.is_some() || INTERRUPT.get().is_some();
    METER.set(Meter {
        left,
        reserve: allowance.units - left,
        bytes: allowance.bytes,
        allowance,
        began: is_timed.then(Instant::now),
        called: None,
    });
    LEFT.set(left);
    BYTES.set(allowance.bytes);
    // What is caught below goes on unwinding, or the operation has ended with an error and nothing
    // that it was about to write has been written.
    let result = catch_unwind(AssertUnwindSafe(operation));
    let used = Used {
        units: allowance.units - METER.get().reserve - LEFT.get(),
        bytes: allowance.bytes - BYTES.get(),
    };
    METER.set(outer.0);
    LEFT.set(outer.1);
    BYTES.set(outer.2);
    match result {
        Ok(result) => (result, used),
        Err(payload) => match payload.downcast::<Stop>() {
            Ok(stop) => (Err(stop.0), used),
            Err(panic) => resume_unwind(panic),
        },
    }
}

/// Operations on this thread ask `interrupt` now and then whether to go on.
pub(crate) fn set_interrupt(interrupt: Option<Interrupt>) -> Option<Interrupt> {
    INTERRUPT.replace(interrupt)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An allowance for a test.
    pub(crate) fn allowance(units: u64, bytes: u64) -> Allowance {
        Allowance {
            doing: "testing",
            limit: "test_work",
            units,
            bytes,
            timeout: None,
        }
    }

    #[test]
    fn what_is_used_is_told_and_what_is_too_much_is_an_error() {
        for units in [0, 1, 1000, STRIDE, STRIDE + 1, 10 * STRIDE + 7] {
            let spend_all = |more: u64| {
                within(allowance(units, 10), || {
                    for _ in 0..units + more {
                        spend(1);
                    }
                    Ok(())
                })
            };
            assert_eq!(spend_all(0).unwrap().1, Used { units, bytes: 0 });
            let error = spend_all(1).unwrap_err();
            assert!(
                error.is_limit() && error.message().contains("test_work"),
                "{error}"
            );
        }
        let error = within(allowance(10, 10), || {
            hold(11);
            Ok(())
        })
        .unwrap_err();
        assert!(error.message().contains("memory_bytes"), "{error}");
    }

    #[test]
    fn allowances_nest() {
        let inner = || {
            within(allowance(5, 5), || {
                spend(6);
                Ok(())
            })
            .unwrap_err()
        };
        let (error, used) = within(allowance(50, 50), || {
            spend(7);
            hold(3);
            Ok(inner())
        })
        .unwrap();
        assert!(error.is_limit());
        assert_eq!(used, Used { units: 7, bytes: 3 });
    }

    #[test]
    fn attempts_end_alone_and_are_paid_for() {
        let many = 3 * STRIDE as usize;
        let attempts = || {
            assert_eq!(attempt(10, || spend(11)), None);
            assert_eq!(attempt(10, || spend(9)), Some(()));
            assert_eq!(attempt(10, || undecided("it is")), None::<()>);
            assert_eq!(attempt(u64::MAX, || spend(many)), Some(()));
            Ok(())
        };
        let units = 10 + 9 + 10 + many as u64;
        let (_, used) = within(allowance(units, 10), attempts).unwrap();
        assert_eq!(used, Used { units, bytes: 0 });
        let error = within(allowance(units - 1, 10), attempts).unwrap_err();
        assert!(error.message().contains("test_work"), "{error}");
        let error = within(allowance(50, 50), || {
            let interrupted = Error::new(ErrorKind::Interrupted, "interrupted");
            Ok(attempt(10, || -> u32 {
                resume_unwind(Box::new(Stop(interrupted)))
            }))
        });
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }

    #[test]
    fn time_and_interrupts_end_operations() {
        let timed = Allowance {
            timeout: Some(Duration::from_millis(1)),
            ..allowance(u64::MAX, 0)
        };
        let for_ever = || -> Result<(), Error> {
            loop {
                spend(1);
            }
        };
        assert!(
            within(timed, for_ever)
                .unwrap_err()
                .message()
                .contains("timeout")
        );
        let before = set_interrupt(Some(|| true));
        let error = within(allowance(u64::MAX, 0), for_ever).unwrap_err();
        set_interrupt(before);
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }

    #[test]
    fn what_is_made_once_is_made_whole() {
        let before = set_interrupt(Some(|| true));
        let (made, used) = within(allowance(9, 9), || {
            Ok(once(|| {
                spend(10 * STRIDE as usize);
                hold(10);
                7
            }))
        })
        .unwrap();
        assert!(set_interrupt(before).is_some());
        assert_eq!((made, used), (7, Used { units: 0, bytes: 0 }));
    }

    #[test]
    fn other_panics_go_on() {
        let panic = catch_unwind(|| within::<()>(allowance(9, 9), || panic!("another")));
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"another"));
    }
}
