//! JSON Pointers, absolute and relative.

use crate::format::build::Build;
use crate::regex::node::NodeId;

/// A text of reference tokens, each after a `/`; `~` only in `~0` and `~1`.
const POINTER: &str = r"(?:/(?:[^/~]|~[01])*)*";

/// `json-pointer` of RFC 6901, section 3.
pub(super) fn json_pointer(build: Build) -> NodeId {
    build.pattern(POINTER)
}

/// `relative-json-pointer` of draft-handrews-relative-json-pointer, section 3. The manipulation of
/// an index (`0+1`), which a later draft added, is left out: few validators know it.
pub(super) fn relative_json_pointer(build: Build) -> NodeId {
    build.pattern(&format!(r"(?:0|[1-9]\d*)(?:#|{POINTER})"))
}

#[cfg(test)]
mod tests {
    use crate::format::Format;
    use crate::format::testing::check;

    #[test]
    fn tildes_escape_zero_or_one() {
        let valid = [
            "",
            "/",
            "//",
            "/foo/0",
            "/a~1b",
            "/m~0n",
            "/c%d",
            "/ ",
            "/\u{1F60E}",
            "/\0\n",
        ];
        let invalid = ["a", "0", "#", "#/a", "/~", "/~2", "/~0/~", "/~~"];
        check(Format::JsonPointer, &valid, &invalid);
        let valid = ["0", "1", "120/foo", "0#", "0//", "2/~0~1"];
        let invalid = [
            "", "/foo", "-1", "+1", "01", "0##", "1#/a", "1a", "0/~2", "0+1", "1\n",
        ];
        check(Format::RelativeJsonPointer, &valid, &invalid);
    }
}
