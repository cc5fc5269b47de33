//! In which of its spellings a JSON value may be written.

/// Which of several spellings of the same JSON string or number a grammar allows.
///
/// `docs/design.md` says exactly what is plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum JsonSpelling {
    /// As `json.dumps(value, ensure_ascii=False)` of Python and `JSON.stringify` of JavaScript
    /// write values: no needless escape, no needless zero, no integer with a fraction.
    #[default]
    Plain,
    /// All spellings that JSON has.
    Any,
}
