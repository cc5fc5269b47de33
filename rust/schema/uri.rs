//! URI references, resolved as RFC 3986 says.

/// The parts of a URI reference without fragment.
struct UriParts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> UriParts<'a> {
    fn of(uri: &'a str) -> Self {
        let (rest, query) = match uri.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (uri, None),
        };
        let is_scheme = |s: &str| {
            s.starts_with(|c: char| c.is_ascii_alphabetic())
                && s.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        UriParts {
            scheme,
            authority,
            path,
            query,
        }
    }

    fn write(&self, path: &str) -> String {
        let mut uri = String::new();
        for part in [self.scheme, self.scheme.and(Some(":"))]
            .into_iter()
            .flatten()
        {
            uri.push_str(part);
        }
        for part in [self.authority.and(Some("//")), self.authority]
            .into_iter()
            .flatten()
        {
            uri.push_str(part);
        }
        uri.push_str(path);
        for part in [self.query.and(Some("?")), self.query]
            .into_iter()
            .flatten()
        {
            uri.push_str(part);
        }
        uri
    }
}

/// `reference` as seen from `base`; neither has a fragment. An empty base leaves it as it is.
pub(super) fn resolve(base: &str, reference: &str) -> String {
    let (base, mut target) = (UriParts::of(base), UriParts::of(reference));
    if target.scheme.is_some() {
        return target.write(&without_dots(target.path));
    }
    target.scheme = base.scheme;
    if target.authority.is_some() {
        return target.write(&without_dots(target.path));
    }
    target.authority = base.authority;
    if target.path.is_empty() {
        target.query = target.query.or(base.query);
        return target.write(base.path);
    }
    if target.path.starts_with('/') {
        return target.write(&without_dots(target.path));
    }
    let directory = match base.path.rfind('/') {
        Some(i) => &base.path[..=i],
        None if base.authority.is_some() => "/",
        None => "",
    };
    target.write(&without_dots(&format!("{directory}{}", target.path)))
}

/// Removes the segments `.` and `..` of a path.
fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_in_dots = false;
    for segment in path.split('/') {
        ends_in_dots = segment == "." || segment == "..";
        match segment {
            "." => {}
            ".." if segments.last().is_some_and(|last| !last.is_empty()) => {
                segments.pop();
            }
            ".." => {}
            segment => segments.push(segment),
        }
    }
    if ends_in_dots {
        segments.push("");
    }
    segments.join("/")
}

/// Undoes `%XX`; `None` if that is malformed or gives no UTF-8.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            (digit()? * 16 + digit()?) as u8
        } else {
            byte
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_rfc_3986() {
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("..g", "http://a/b/c/..g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/../h", "http://a/b/c/h"),
        ] {
            assert_eq!(
                resolve("http://a/b/c/d;p?q", reference),
                expected,
                "{reference}"
            );
        }
    }

    #[test]
    fn bases_of_other_shapes() {
        assert_eq!(resolve("", "item.json"), "item.json");
        assert_eq!(resolve("root.json", "item.json"), "item.json");
        assert_eq!(resolve("dir/root.json", "item.json"), "dir/item.json");
        assert_eq!(resolve("http://a", "b"), "http://a/b");
        assert_eq!(resolve("urn:uuid:1", ""), "urn:uuid:1");
        assert_eq!(resolve("http://a/b", "urn:x:y"), "urn:x:y");
    }

    #[test]
    fn percent_escapes() {
        assert_eq!(percent_decode("a%25b%C3%A9").as_deref(), Some("a%bé"));
        for malformed in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(percent_decode(malformed), None, "{malformed}");
        }
    }
}
