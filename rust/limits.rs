//! Every cap on growth, in one place.

/// Caps that turn hostile input into an [`Error`](crate::Error) within bounded time and memory.
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
    /// States explored by one search for a witness (is there such a string?). Default 20,000.
    pub witness_states: usize,
    /// Steps of one search for tokens that finish a text, on a vocabulary that cannot spell every
    /// text. Default 300,000.
    pub spelling_steps: usize,
    /// Bytes of a completion: a schema can demand more than anybody wants. Default 1 MiB.
    pub completion_bytes: usize,
    /// Consecutive whitespace characters with `whitespace="flexible"`. Default 32.
    pub whitespace_run: u8,
    /// States that texts may make before new texts start on a fresh machine; a state takes some
    /// hundred bytes. Default 500,000.
    pub states: usize,
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
            witness_states: 20_000,
            spelling_steps: 300_000,
            completion_bytes: 1 << 20,
            whitespace_run: 32,
            states: 500_000,
            cache_bytes: 64 << 20,
        }
    }
}
