//! The values of the keyword `format` that JSON Schema defines, as languages of text.

use crate::regex::node::{NodeId, Regexes};

/// A format that is asserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    Ipv4,
}

impl Format {
    /// The format of a name; `None` for names that JSON Schema does not define.
    pub(crate) fn named(name: &str) -> Option<Format> {
        (name == "ipv4").then_some(Format::Ipv4)
    }

    /// The texts that have the format.
    pub(crate) fn language(self, regexes: &Regexes) -> NodeId {
        let _ = regexes;
        NodeId::ANY
    }
}
