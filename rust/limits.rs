//! Every cap on work and growth, and the timeout, with their defaults.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::work::Allowance;

/// The largest limit: among greater numbers, `f64` does not have every integer.
const MOST: f64 = (1_u64 << 53) as f64;

/// Caps that turn hostile input into an [`Error`] within bounded time and memory.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a schema or grammar text. Default 16 MiB.
    pub source_bytes: usize,
    /// Nesting depth of a schema document. Default 512.
    pub schema_depth: usize,
    /// Schemas (of all keywords) in one document. Default 1,000,000.
    pub schema_nodes: usize,
    /// Nodes of the syntax tree of one pattern, nested groups included. Default 100,000.
    pub pattern_nodes: usize,
    /// Nesting depth of one pattern's groups. Default 128.
    pub pattern_depth: usize,
    /// Decimal digits of a numeric bound, written without exponent. Default 1,000.
    pub number_digits: usize,
    /// Alternatives that `anyOf` may unfold to at one value. Default 4,096.
    pub alternatives: usize,
    /// States of a grammar in which one text may be at once. Default 256.
    pub readings: usize,
    /// Bytes of a completion: a schema can demand more than anybody wants. Default 1 MiB.
    pub completion_bytes: usize,
    /// Consecutive whitespace characters with `whitespace="flexible"`. Default 32.
    pub whitespace_run: u8,
    /// Bytes of states that texts may make before new texts start on a fresh machine. Default 64 MiB.
    pub machine_bytes: u64,
    /// Units of work of reading a schema or grammar, and of making it ready; a unit takes 10 to 50 ns.
    /// Default 2,000,000.
    pub compile_work: u64,
    /// Units of work of one mask. Default 5,000,000.
    pub mask_work: u64,
    /// Units of work of accepting one token. Default 10,000,000.
    pub accept_work: u64,
    /// Units of work of one completion, or of the forced tokens. Default 10,000,000.
    pub completion_work: u64,
    /// Units of work of one explanation. Default 20,000,000.
    pub explain_work: u64,
    /// Bytes of states that compiling may make, and that one text may. Default 64 MiB.
    pub memory_bytes: u64,
    /// The time that one operation may take. By default there is no such limit: work is counted in
    /// units, which are the same on all machines. Servers may want one on top.
    pub timeout: Option<Duration>,
    /// Bytes of masks that one vocabulary caches for all grammars. Default 64 MiB.
    pub cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            source_bytes: 16 << 20,
            schema_depth: 512,
            schema_nodes: 1_000_000,
            pattern_nodes: 100_000,
            pattern_depth: 128,
            number_digits: 1_000,
            alternatives: 4_096,
            readings: 256,
            completion_bytes: 1 << 20,
            whitespace_run: 32,
            machine_bytes: 64 << 20,
            compile_work: 2_000_000,
            mask_work: 5_000_000,
            accept_work: 10_000_000,
            completion_work: 10_000_000,
            explain_work: 20_000_000,
            memory_bytes: 64 << 20,
            timeout: None,
            cache_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// Sets a limit by the name of its field; `timeout` in seconds.
    ///
    /// # Errors
    ///
    /// If there is no such limit, or the value is negative, no number or too large for it.
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), Error> {
        let fault = |what: String| Error::new(ErrorKind::Limit, what);
        if !(0.0..=MOST).contains(&value) || name != "timeout" && value.fract() != 0.0 {
            return Err(fault(format!("{value} cannot be the limit `{name}`")));
        }
        let whole = value as u64;
        match name {
            "source_bytes" => self.source_bytes = whole as usize,
            "schema_depth" => self.schema_depth = whole as usize,
            "schema_nodes" => self.schema_nodes = whole as usize,
            "pattern_nodes" => self.pattern_nodes = whole as usize,
            "pattern_depth" => self.pattern_depth = whole as usize,
            "number_digits" => self.number_digits = whole as usize,
            "alternatives" => self.alternatives = whole as usize,
            "readings" => self.readings = whole as usize,
            "completion_bytes" => self.completion_bytes = whole as usize,
            "whitespace_run" => self.whitespace_run = whole.min(u64::from(u8::MAX)) as u8,
            "machine_bytes" => self.machine_bytes = whole,
            "compile_work" => self.compile_work = whole,
            "mask_work" => self.mask_work = whole,
            "accept_work" => self.accept_work = whole,
            "completion_work" => self.completion_work = whole,
            "explain_work" => self.explain_work = whole,
            "memory_bytes" => self.memory_bytes = whole,
            "timeout" => self.timeout = Some(Duration::from_secs_f64(value)),
            "cache_bytes" => self.cache_bytes = whole as usize,
            _ => return Err(fault(format!("there is no limit `{name}`"))),
        }
        Ok(())
    }

    pub(crate) fn compile(&self) -> Allowance {
        self.allowance("compiling", "compile_work", self.compile_work)
    }

    pub(crate) fn mask(&self) -> Allowance {
        self.allowance("the mask", "mask_work", self.mask_work)
    }

    /// The allowance of an operation that only looks up what is known.
    pub(crate) fn glance(&self) -> Allowance {
        const UNITS: u64 = 256;
        self.allowance("a look", "mask_work", UNITS.min(self.mask_work))
    }

    /// The allowance of a description that a `repr` or a message adds if it takes a few
    /// milliseconds at most.
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    pub(crate) fn brief(&self) -> Allowance {
        const UNITS: u64 = 100_000;
        let units = UNITS.min(self.completion_work);
        self.allowance("a description", "completion_work", units)
    }

    pub(crate) fn accept(&self) -> Allowance {
        self.allowance("accepting a token", "accept_work", self.accept_work)
    }

    pub(crate) fn completion(&self) -> Allowance {
        self.allowance("finding an ending", "completion_work", self.completion_work)
    }

    /// The allowance of one question of an explanation, if `left` units are left for all of them.
    pub(crate) fn question(&self, left: u64) -> Allowance {
        let units = self.compile_work.saturating_add(self.accept_work).min(left);
        self.allowance("an explanation", "explain_work", units)
    }

    fn allowance(&self, doing: &'static str, limit: &'static str, units: u64) -> Allowance {
        Allowance {
            doing,
            limit,
            units,
            bytes: self.memory_bytes,
            timeout: self.timeout,
        }
    }
}
