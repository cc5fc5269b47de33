//! Many texts at once.

use std::cell::RefCell;
use std::hint;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuilder};
use rustc_hash::FxHashSet;

use crate::error::{Error, ErrorKind};
use crate::matcher::{Matcher, NewMask};
use crate::vocab::MaskWord;
use crate::work;

/// Work shorter than this is done on the calling thread: to wake another one and wait for it takes
/// as long.
const WORTH_WAKING: Duration = Duration::from_micros(60);

/// Rows that are only copied are shared if they take longer than this: their time is that of the memory, which
/// threads share.
const WORTH_SHARING: Duration = Duration::from_millis(1);

/// How often to look whether other threads are done before sleeping until they are.
const LOOKS: u32 = 10_000;

/// A row of a bitmask, and whose it is.
type Row<'a> = (&'a mut [MaskWord], &'a Matcher);

/// How many rows a thread takes at once: few, so that all threads end at about the same time.
const ROWS: usize = 4;

/// Fills row `i` of a bitmask for `matchers[i]`, in parallel.
///
/// `bits` holds the rows one after the other, each `row_words` words long; words beyond those that
/// a matcher's vocabulary needs become 0.
///
/// # Errors
///
/// If there are fewer rows than matchers, or a row is shorter than a matcher's vocabulary needs.
pub fn fill_masks(
    matchers: &[&Matcher],
    bits: &mut [MaskWord],
    row_words: usize,
) -> Result<(), Error> {
    let rows = bits.len().checked_div(row_words).unwrap_or(0);
    if rows < matchers.len() {
        let message = format!(
            "the bitmask has {rows} rows for {} matchers",
            matchers.len()
        );
        return Err(Error::new(ErrorKind::Mask, message));
    }
    let rows = bits.chunks_mut(row_words.max(1));
    let others = copy_known(rows.zip(matchers.iter().copied()));
    let count = others.len() as u32;
    let mut rows = others.into_iter();
    let begin = Instant::now();
    for (filled, (row, matcher)) in (1..).zip(rows.by_ref()) {
        fill_row(matcher, row)?;
        if begin.elapsed() * (count - filled) / filled > WORTH_WAKING {
            break;
        }
    }
    if rows.len() == 0 {
        return Ok(());
    }
    let pool = Pool::of_this_process();
    let helpers = pool.map_or(0, |pool| pool.current_num_threads() - 1);
    let helpers = helpers.min(rows.len());
    let work = Work {
        rows: Mutex::new(rows),
        begun: Mutex::default(),
        fault: Mutex::default(),
        busy: AtomicUsize::new(helpers),
    };
    match pool {
        None => work.go_on(),
        Some(pool) => pool.in_place_scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|_| {
                    work.go_on();
                    work.busy.fetch_sub(1, Ordering::Release);
                });
            }
            work.go_on();
            // The last rows take others less time than it takes to fall asleep and be woken.
            for _ in 0..LOOKS {
                if work.busy.load(Ordering::Acquire) == 0 {
                    break;
                }
                hint::spin_loop();
            }
        }),
    }
    work.fault.into_inner().map_or(Ok(()), Err)
}

/// Fills the rows whose masks are known, as long as that is not worth sharing, and gives the others.
fn copy_known<'a>(mut rows: impl ExactSizeIterator<Item = Row<'a>>) -> Vec<Row<'a>> {
    let begin = Instant::now();
    let mut others = Vec::new();
    let mut seen = 0;
    while let Some((row, matcher)) = rows.next() {
        if !copy_row(matcher, row) {
            others.push((row, matcher));
        }
        seen += 1;
        let left = rows.len() as u32;
        if seen % 16 == 0 && begin.elapsed() * left / seen > WORTH_SHARING {
            break;
        }
    }
    others.extend(rows);
    others
}

/// Masks that are being made while the caller does something else, to be at hand when they are
/// needed. Dropping it stops that.
#[derive(Debug)]
pub struct Preparation {
    stopped: Arc<AtomicBool>,
}

impl Preparation {
    /// Stops: masks that are not begun are left, and long ones that are begun given up.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

impl Drop for Preparation {
    fn drop(&mut self) {
        self.stop();
    }
}

thread_local! {
    /// Whether what this thread prepares is still wanted.
    static STOPPED: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

fn is_stopped() -> bool {
    STOPPED.with_borrow(|stopped| {
        let flag = stopped.as_ref();
        flag.is_some_and(|flag| flag.load(Ordering::Relaxed))
    })
}

/// Begins to make the masks that come next for `matchers`, as far as their grammars do not keep them
/// yet, and returns at once.
///
/// The threads are others than those of [`fill_masks`], which so never waits for one of them. What
/// goes wrong will go wrong again where the mask is needed, and is told there.
pub fn prepare(matchers: &[&Matcher]) -> Preparation {
    let stopped = Arc::new(AtomicBool::new(false));
    let preparation = Preparation {
        stopped: Arc::clone(&stopped),
    };
    let mut begun = FxHashSet::default();
    let new: Vec<Matcher> = matchers
        .iter()
        .filter(|matcher| matcher.new_mask().is_some_and(|mask| begun.insert(mask)))
        .map(|matcher| matcher.here())
        .collect();
    if new.is_empty() {
        return preparation;
    }
    let Some(pool) = Pool::preparing() else {
        return preparation;
    };
    for matcher in new {
        let stopped = Arc::clone(&stopped);
        pool.spawn(move || {
            STOPPED.set(Some(stopped));
            let before = work::set_interrupt(Some(is_stopped));
            if !is_stopped() {
                let words = matcher.compiled().vocabulary().mask_words();
                let mut row = vec![MaskWord::NONE; words];
                let _ = matcher.fill_mask(&mut row);
            }
            work::set_interrupt(before);
            STOPPED.set(None);
        });
    }
    preparation
}

/// Threads of one process.
///
/// A child that was made by `fork` has none of its parent's threads, and would wait for them for
/// ever; so it gets its own when it first needs some. A chain of cells that are written once keeps
/// those of all ancestors, and needs no lock that another thread could have held during the fork.
struct Pool {
    process: u32,
    /// `None` if the system has no more threads.
    threads: Option<ThreadPool>,
    /// Those that prepare masks: one less than there are processors. None of a single one, whose time
    /// they would take from what the caller does meanwhile.
    preparing: OnceLock<Option<ThreadPool>>,
    child: OnceLock<Box<Pool>>,
}

impl Pool {
    fn of_this_process() -> Option<&'static ThreadPool> {
        Pool::here().threads.as_ref()
    }

    fn preparing() -> Option<&'static ThreadPool> {
        let made = Pool::here().preparing.get_or_init(|| {
            let others = thread::available_parallelism().map_or(0, |count| count.get() - 1);
            let builder = (others > 0).then(|| ThreadPoolBuilder::new().num_threads(others));
            builder?.build().ok()
        });
        made.as_ref()
    }

    fn here() -> &'static Pool {
        static FIRST: OnceLock<Box<Pool>> = OnceLock::new();
        let mut cell = &FIRST;
        loop {
            let pool = cell.get_or_init(Pool::new);
            if pool.process == process::id() {
                return pool;
            }
            cell = &pool.child;
        }
    }

    fn new() -> Box<Pool> {
        Box::new(Pool {
            process: process::id(),
            threads: ThreadPoolBuilder::new().build().ok(),
            preparing: OnceLock::new(),
            child: OnceLock::new(),
        })
    }
}

/// Rows that threads share.
struct Work<I> {
    rows: Mutex<I>,
    /// Masks that a thread has begun to make: texts of one grammar are often at the same place.
    begun: Mutex<FxHashSet<NewMask>>,
    fault: Mutex<Option<Error>>,
    /// How many other threads are not done.
    busy: AtomicUsize,
}

impl<'a, I: Iterator<Item = (&'a mut [MaskWord], &'a Matcher)>> Work<I> {
    /// Fills rows until none is left that another thread has not taken.
    fn go_on(&self) {
        let mut later = Vec::new();
        loop {
            let taken: Vec<_> = self.rows.lock().by_ref().take(ROWS).collect();
            if taken.is_empty() {
                break;
            }
            for (row, matcher) in taken {
                if copy_row(matcher, row) {
                    continue;
                }
                match matcher.new_mask() {
                    Some(mask) if !self.begun.lock().insert(mask) => later.push((row, matcher)),
                    _ => self.fill(row, matcher),
                }
            }
        }
        for (row, matcher) in later {
            self.fill(row, matcher);
        }
    }

    fn fill(&self, row: &mut [MaskWord], matcher: &Matcher) {
        if let Err(error) = fill_row(matcher, row) {
            self.fault.lock().get_or_insert(error);
        }
    }
}

/// Fills one row with a matcher's mask; words beyond those that the vocabulary needs become 0.
pub(crate) fn fill_row(matcher: &Matcher, row: &mut [MaskWord]) -> Result<(), Error> {
    let words = matcher.compiled().vocabulary().mask_words();
    if row.len() < words {
        return matcher.fill_mask(row);
    }
    let (needed, beyond) = row.split_at_mut(words);
    beyond.fill(MaskWord::NONE);
    matcher.fill_mask(needed)
}

/// Sets, in one row, the bits of the tokens that only the budget forbids, and says whether there
/// are any; words beyond those that the vocabulary needs become 0.
#[cfg_attr(not(feature = "python"), allow(dead_code))]
pub(crate) fn fill_unaffordable(matcher: &Matcher, row: &mut [MaskWord]) -> Result<bool, Error> {
    let words = matcher.compiled().vocabulary().mask_words();
    let (needed, beyond) = row.split_at_mut(words.min(row.len()));
    beyond.fill(MaskWord::NONE);
    matcher.fill_unaffordable(needed)
}

/// Fills one row if its mask is cached and need only be copied, and says whether it did; otherwise
/// the row stays as it is.
pub(crate) fn copy_row(matcher: &Matcher, row: &mut [MaskWord]) -> bool {
    let words = matcher.compiled().vocabulary().mask_words();
    let Some((needed, beyond)) = row.split_at_mut_checked(words) else {
        return false;
    };
    let copied = matcher.copy_mask(needed);
    if copied {
        beyond.fill(MaskWord::NONE);
    }
    copied
}
