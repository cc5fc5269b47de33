//! The times of RFC 3339 whose second is 60, where UTC is 23:59.
//!
//! A local time after UTC (`+`) has the offset local + 00:01, one before it (`-`) has the offset
//! 23:59 - local, modulo a day. As an expression this has more than a thousand nodes, so it is a
//! function that says what may follow.

use crate::format::build::Build;
use crate::regex::char_blocks::CharBlocks;
use crate::regex::computed::ComputedRule;
use crate::regex::node::NodeId;

/// All times whose second is 60.
pub(super) fn language(build: Build) -> NodeId {
    build.0.computed(&LEAP_SECOND, "")
}

/// Minutes of a day.
const DAY: u32 = 24 * 60;

/// A local time that is UTC, up to its second.
const UTC: &str = "23:59:60";

/// A state is what has been read, with one zero for any digits of a fraction; from the sign or the `Z` on,
/// it is [`REST`] and the only text that may follow.
static LEAP_SECOND: ComputedRule = ComputedRule {
    name: "leap seconds",
    alphabet: "0123456789+-.:Zz",
    way,
    holds: |state| rest(state) == Some(""),
    distance: |state| Some(ending(state).len() as u32),
    ending: |state| Some(ending(state)),
    free: |_| (CharBlocks::default(), 0),
    is_small: true,
};

const REST: char = '=';

fn rest(state: &str) -> Option<&str> {
    state.strip_prefix(REST)
}

fn way(state: &str, c: char) -> Option<Box<str>> {
    if let Some(rest) = rest(state) {
        return Some(format!("{REST}{}", rest.strip_prefix(c)?).into());
    }
    let is_read = match (state.len(), c) {
        (0, '0'..='2') | (3, '0'..='5') | (1 | 4 | 9, '0'..='9') => state != "2" || c <= '3',
        (2 | 5, ':') | (6, '6') | (7, '0') | (8, '.') => true,
        (10, '0'..='9') => return Some(state.into()),
        (8 | 10, 'z' | 'Z') => return state.starts_with(UTC).then(|| REST.to_string().into()),
        (8 | 10, '+' | '-') => return Some(format!("{REST}{}", offset(state, c)).into()),
        _ => false,
    };
    let c = if state.len() == 9 { '0' } else { c };
    is_read.then(|| format!("{state}{c}").into())
}

/// The offset after a sign.
fn offset(state: &str, sign: char) -> String {
    let number = |text: &str| text.bytes().fold(0, |n, c| 10 * n + u32::from(c - b'0'));
    let local = 60 * number(&state[..2]) + number(&state[3..5]);
    let offset = match sign {
        '+' => (local + 1) % DAY,
        _ => DAY - 1 - local,
    };
    format!("{:02}:{:02}", offset / 60, offset % 60)
}

/// A shortest text from a state to an end.
fn ending(state: &str) -> String {
    if let Some(rest) = rest(state) {
        return rest.into();
    }
    let (zulu, other) = (UTC, "00:00:60");
    let is_zulu = zulu.starts_with(state) || state.starts_with(zulu);
    let way = if is_zulu { zulu } else { other };
    let mut ending = match state.len() {
        9 => "0".to_owned(),
        read => way.get(read..).unwrap_or_default().to_owned(),
    };
    match is_zulu {
        true => ending.push('Z'),
        false => ending += &format!("+{}", offset(&format!("{state}{ending}"), '+')),
    }
    ending
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regex::node::Spelling;
    use crate::regex::regexes::Regexes;

    /// The same language as an expression. The hours of time and offset, and their minutes, are related one by one,
    /// except where the minute 59 carries.
    fn written(regexes: &Regexes) -> NodeId {
        let build = Build(regexes);
        let two = |n| build.text(&format!("{n:02}"));
        let at_sixty = build.pattern(r":60(?:\.\d+)?");
        let (plus, minus, colon) = (build.text("+"), build.text("-"), build.text(":"));
        let (any_hour, any_minute) = (
            build.pattern(r"(?:[01]\d|2[0-3])"),
            build.pattern(r"[0-5]\d"),
        );
        let utc = build.concat(&[build.text("23:59"), at_sixty, build.pattern("[zZ]")]);
        let carried = (0..24).map(|h| {
            let offset = build.concat(&[plus, two((h + 1) % 24), build.text(":00")]);
            build.concat(&[two(h), build.text(":59"), at_sixty, offset])
        });
        let carried: Vec<NodeId> = carried.collect();
        let hours = (0..24).map(|h| {
            let offset = build.or([
                build.concat(&[plus, two(h)]),
                build.concat(&[minus, two(23 - h)]),
            ]);
            build.concat(&[
                two(h),
                colon,
                any_minute,
                at_sixty,
                offset,
                colon,
                any_minute,
            ])
        });
        let hours: Vec<NodeId> = hours.collect();
        let minutes = (0..60).map(|m| {
            let before = build.concat(&[minus, any_hour, colon, two(59 - m)]);
            let offset = match m {
                59 => before,
                _ => build.or([before, build.concat(&[plus, any_hour, colon, two(m + 1)])]),
            };
            build.concat(&[any_hour, colon, two(m), at_sixty, offset])
        });
        let minutes: Vec<NodeId> = minutes.collect();
        let related = build.and([build.or(hours), build.or(minutes)]);
        build.or([utc, build.or(carried), related])
    }

    #[test]
    fn the_function_and_the_expression_are_one_language() {
        let regexes = Regexes::new();
        let (computed, written) = (language(Build(&regexes)), written(&regexes));
        let apart = |a, b| regexes.and(vec![a, regexes.not(b)]);
        assert!(!regexes.is_live(apart(computed, written)));
        assert!(!regexes.is_live(apart(written, computed)));
    }

    #[test]
    fn endings_are_shortest_and_lead_to_an_end() {
        let regexes = Regexes::new();
        let mut states: Vec<(Box<str>, NodeId)> = vec![("".into(), written(&regexes))];
        let mut seen = rustc_hash::FxHashSet::default();
        while let Some((state, language)) = states.pop() {
            if !seen.insert(state.clone()) {
                continue;
            }
            let shortest = ending(&state);
            assert_eq!(
                shortest.len() as u32,
                regexes.cost(language, Spelling::Chars),
                "{state}"
            );
            assert!(regexes.matches(language, &shortest), "{state}{shortest}");
            let next = ('\0'..='\x7F').filter_map(|c| Some((c, way(&state, c)?)));
            states.extend(next.map(|(c, to)| (to, regexes.step(language, c.into()))));
        }
        assert!(seen.len() > 10_000);
    }
}
