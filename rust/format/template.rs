//! URI Templates: RFC 6570.

use crate::format::build::Build;
use crate::format::uri::{self, PERCENT_ENCODED};
use crate::regex::node::NodeId;

/// `URI-Template` of RFC 6570, section 2. The operators that it reserves for extensions (`=`, `,`,
/// `!`, `@`, `|`) are left out: nothing expands them. An apostrophe is a literal, as its erratum
/// 6937 says.
pub(super) fn uri_template(build: Build) -> NodeId {
    let literal = build.or([
        build.pattern(r"[!#$&-;=?-\[\]_a-z~]"),
        build.pattern(PERCENT_ENCODED),
        build.0.class(uri::ucs_chars().union(&uri::private_chars())),
    ]);
    let name_char = format!("(?:[A-Za-z0-9_]|{PERCENT_ENCODED})");
    let name = format!(r"{name_char}(?:\.?{name_char})*");
    let variable = build.pattern(&format!(r"{name}(?:\*|:[1-9]\d{{0,3}})?"));
    let expression = build.concat(&[
        build.pattern(r"\{[+#./;?&]?"),
        build.list(variable, build.text(",")),
        build.text("}"),
    ]);
    build.star(build.or([literal, expression]))
}

#[cfg(test)]
mod tests {
    use crate::format::Format;
    use crate::format::testing::check;

    #[test]
    fn expressions_hold_variables() {
        let valid = [
            "",
            "http://a/{term:1}/{term}",
            "{+a}{#a}{.a}{/a}{;a}{?a}{&a}",
            "{a*,b:9999}",
            "{a.b}",
            "{%41_1}",
            "a%41b",
            "a'b",
            "é\u{E000}",
        ];
        let invalid = [
            "{",
            "}",
            "{}",
            "{a",
            "{a,}",
            "{a,,b}",
            "{a:0}",
            "{a:01}",
            "{a:10000}",
            "{a..b}",
            "{.a.}",
            "{a b}",
            "{=a}",
            "{|a}",
            "{a=b}",
            "{{a}}",
            "a b",
            "%4",
            "<",
            "\"",
            "\\",
            "^",
            "`",
            "|",
            "\u{7F}",
        ];
        check(Format::UriTemplate, &valid, &invalid);
    }
}
