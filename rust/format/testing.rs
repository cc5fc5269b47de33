//! What the tests of formats share.

use crate::format::Format;
use crate::regex::regexes::Regexes;

/// Fails unless the format's language holds the `valid` texts and none of the `invalid` ones.
pub(super) fn check(format: Format, valid: &[&str], invalid: &[&str]) {
    let regexes = Regexes::new();
    let language = format.language(&regexes);
    for text in valid {
        assert!(regexes.matches(language, text), "{format:?} {text:?}");
    }
    for text in invalid {
        assert!(!regexes.matches(language, text), "{format:?} {text:?}");
    }
}

/// Whether each text is in the format's language.
pub(super) fn reader(format: Format) -> impl Fn(&str) -> bool {
    let regexes = Regexes::new();
    let language = format.language(&regexes);
    move |text| regexes.matches(language, text)
}
