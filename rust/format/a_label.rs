//! A-labels: RFC 5890, section 2.3.2.1. They are `xn--` and the Punycode of a U-label.
//!
//! Which letters and digits may follow is decided as they come. A state is the label so far, with
//! all letters but `l` alike where they can only be basic characters, since only a middle dot asks
//! which letter a basic character is. A text goes on if some ending is found: one more insertion
//! into the label, or the delimiter and one. A label with marks or a keraia may want two. Mostly all
//! that was read can be basic characters, to which a common letter can be added; so it is seldom
//! searched for an ending.
//!
//! What is left out are labels that begin with a text for which only rarer endings exist: those
//! with more insertions, and those past the first [`TRIES`]. Most of them have a hyphen between
//! characters beyond ASCII.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::format::build::Build;
use crate::format::punycode::{Decoder, Insertion};
use crate::format::u_label;
use crate::format::u_label::{Direction, LABEL_OCTETS};
use crate::regex::char_blocks::CharBlocks;
use crate::regex::codeset::CodeSet;
use crate::regex::computed::ComputedRule;
use crate::regex::node::NodeId;
use crate::regex::regexes::Regexes;
use crate::work;

/// Octets after `xn--`.
const ROOM: u32 = LABEL_OCTETS - 4;

/// The characters of a label.
const LETTERS_DIGITS_HYPHEN: &str =
    "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Insertions that are tried to end a label.
const TRIES: usize = 100;

/// First insertions that are tried where a label wants two.
const TRIES_OF_TWO: usize = 8;

/// A letter beyond ASCII that any label may hold that is written from left to right.
const COMMON: u32 = 0xDF;

/// Basic characters to which it is tried to add [`COMMON`], at any place, among the first [`TRIES`];
/// enough room is left for its digits.
const SHORT: usize = 45;

/// The digits and delimiter with which basic characters become a label, at least: the first number
/// has three digits from U+00A3 on.
const AFTER_BASICS: u32 = 4;

/// A Greek character that needs another one before and after it, with greater code points.
const KERAIA: u32 = 0x375;

/// Between basic characters and the digits of numbers, in a state. Without it, all that was read
/// are basic characters; with it, they may be, too.
const THEN_DIGITS: char = '|';

/// A-labels of one direction.
pub(super) fn a_label(build: Build, direction: Direction) -> NodeId {
    let rule = match direction {
        Direction::LeftToRight => &LEFT_TO_RIGHT,
        Direction::RightToLeft => &RIGHT_TO_LEFT,
    };
    let start = build.0.computed(rule, "|");
    build.concat(&[build.pattern("[Xx][Nn]--"), start])
}

static LEFT_TO_RIGHT: ComputedRule = ComputedRule {
    name: "A-labels from left to right",
    alphabet: LETTERS_DIGITS_HYPHEN,
    way: |state, c| LabelReading::new(&LEFT, state).way(c),
    holds: |state| LabelReading::new(&LEFT, state).holds(),
    distance: |state| LabelReading::new(&LEFT, state).distance(),
    ending: |state| LabelReading::new(&LEFT, state).ending(),
    free: |state| LabelReading::new(&LEFT, state).free(),
    is_small: false,
};

static RIGHT_TO_LEFT: ComputedRule = ComputedRule {
    name: "A-labels from right to left",
    alphabet: LETTERS_DIGITS_HYPHEN,
    way: |state, c| LabelReading::new(&RIGHT, state).way(c),
    holds: |state| LabelReading::new(&RIGHT, state).holds(),
    distance: |state| LabelReading::new(&RIGHT, state).distance(),
    ending: |state| LabelReading::new(&RIGHT, state).ending(),
    free: |state| LabelReading::new(&RIGHT, state).free(),
    is_small: false,
};

static LEFT: LazyLock<ULabels> =
    LazyLock::new(|| work::once(|| ULabels::new(Direction::LeftToRight)));
static RIGHT: LazyLock<ULabels> =
    LazyLock::new(|| work::once(|| ULabels::new(Direction::RightToLeft)));

/// The U-labels of one direction, of any length. Without lengths the automaton has few states, so
/// that one store is enough for all that ask.
struct ULabels {
    regexes: Regexes,
    start: NodeId,
    /// Characters beyond ASCII.
    chars: CodeSet,
    /// Basic characters of such labels.
    basics: &'static [char],
}

impl ULabels {
    fn new(direction: Direction) -> Self {
        let regexes = Regexes::new();
        let (start, chars) = u_label::u_labels_of_any_length(Build(&regexes), direction);
        ULabels {
            regexes,
            start,
            chars,
            basics: match direction {
                Direction::LeftToRight => &['x', 'l', '0', '-'],
                Direction::RightToLeft => &['0', '-'],
            },
        }
    }

    fn is_label(&self, label: &[u32]) -> bool {
        self.regexes.nullable(self.read(self.start, label))
    }

    fn read(&self, from: NodeId, label: &[u32]) -> NodeId {
        work::spend(2 * label.len());
        let step = |at, &c| self.regexes.step(at, c);
        label.iter().fold(from, step)
    }

    /// The least value of the digits to come that makes an insertion which `fits`, in one of the
    /// `places`; the `tries` are counted.
    fn least_rest(
        &self,
        decoder: &Decoder,
        places: Range<usize>,
        mut tries: usize,
        mut fits: impl FnMut(u64, Insertion) -> bool,
    ) -> Option<u64> {
        let ranges = self.chars.ranges();
        let mut rest = 0;
        while tries > 0 {
            work::spend(4);
            rest = decoder.next_within(rest, &places)?;
            let insertion = decoder.insertion(rest)?;
            let range = ranges.partition_point(|&(_, hi)| hi < insertion.c);
            let (lo, _) = *ranges.get(range)?;
            if lo > insertion.c {
                rest = decoder.rest_for(lo);
            } else if fits(rest, insertion) {
                return Some(rest);
            } else {
                rest += 1;
                tries -= 1;
            }
        }
        None
    }

    /// The digits that end the label with one more insertion, or the rest of one.
    fn distance_of_one(&self, decoder: &Decoder, room: u32) -> Option<u32> {
        work::spend(16 + 8 * decoder.label.len());
        let mut before = vec![self.start];
        for &c in &decoder.label {
            let next = self.regexes.step(before[before.len() - 1], c);
            if next == NodeId::NEVER {
                // No insertion past here helps.
                break;
            }
            before.push(next);
        }
        // Nor does an insertion before a hyphen at the end help.
        let ends_with_hyphen = decoder.label.last() == Some(&'-'.into());
        let first = if ends_with_hyphen {
            decoder.label.len()
        } else {
            0
        };
        let mut known = FxHashMap::default();
        let fits = |_, Insertion { c, at }| {
            let after = self.regexes.step(before[at], c);
            *known.entry((at, after)).or_insert_with(|| {
                let end = self.read(after, &decoder.label[at..]);
                self.regexes.nullable(end)
            })
        };
        let rest = self.least_rest(decoder, first..before.len(), TRIES, fits)?;
        Some(decoder.digits(rest)).filter(|&digits| digits <= room)
    }

    /// Whether two more insertions perhaps make a label of what one cannot: a keraia has two
    /// neighbours, hyphens at both ends two ends to cover, and the marks that many labels hold have
    /// lesser code points than any letter.
    fn wants_two(&self, label: &[u32]) -> bool {
        let hyphen = u32::from('-');
        let (Some(&first), Some(&last)) = (label.first(), label.last()) else {
            return false;
        };
        let mark_first = first >= 0x80 && self.regexes.step(self.start, first) == NodeId::NEVER;
        mark_first || (first == hyphen && last == hyphen) || label.contains(&KERAIA)
    }

    /// The digits that end the label.
    fn distance(&self, decoder: &Decoder, room: u32) -> Option<u32> {
        if decoder.can_end() && self.is_label(&decoder.label) {
            return Some(0);
        }
        let one = self.distance_of_one(decoder, room);
        if one.is_some() || !self.wants_two(&decoder.label) {
            return one;
        }
        let mut second = None;
        let rest = self.least_rest(decoder, 0..usize::MAX, TRIES_OF_TWO, |rest, _| {
            let Some(room) = room.checked_sub(decoder.digits(rest)) else {
                return false;
            };
            second = self.distance_of_one(&decoder.ended(rest), room);
            second.is_some()
        });
        Some(decoder.digits(rest?) + second?)
    }
}

/// A state, taken apart.
struct LabelReading<'a> {
    labels: &'a ULabels,
    state: &'a str,
    /// All that was read, as basic characters.
    text: String,
    /// What was read, with the last part as digits.
    decoder: Option<Decoder>,
    /// Characters to come, at most.
    room: u32,
}

impl<'a> LabelReading<'a> {
    fn new(labels: &'a ULabels, state: &'a str) -> Self {
        let (text, decoder) = match state.split_once(THEN_DIGITS) {
            None => (state.to_owned(), None),
            Some((basics, digits)) => {
                let delimiter = if basics.is_empty() { "" } else { "-" };
                let last = digits.chars().map(kind);
                let text = basics
                    .chars()
                    .chain(delimiter.chars())
                    .chain(last)
                    .collect();
                (text, Decoder::new(basics).after(digits))
            }
        };
        let room = ROOM.saturating_sub(text.len() as u32);
        LabelReading {
            labels,
            state,
            text,
            decoder,
            room,
        }
    }

    fn distance(&self) -> Option<u32> {
        let digits = self.decoder.as_ref();
        let digits = digits.and_then(|decoder| self.labels.distance(decoder, self.room));
        self.nearest(digits, &self.text)
    }

    /// The distance from an end: the smaller of `digits`, which it takes to go on with the digits
    /// read, and of what it takes if all of `text` are basic characters.
    fn nearest(&self, digits: Option<u32>, text: &str) -> Option<u32> {
        if digits.is_some_and(|digits| digits <= AFTER_BASICS) {
            return digits;
        }
        let basics = self.distance_of_basics(text);
        digits.into_iter().chain(basics).min()
    }

    /// If `text` are basic characters: what it takes to go on with another one perhaps, the
    /// delimiter, and one insertion.
    fn distance_of_basics(&self, text: &str) -> Option<u32> {
        let read = text.len() as u32;
        if text.is_empty() || !text.chars().all(|c| self.labels.basics.contains(&c)) {
            return None;
        }
        let room = ROOM.checked_sub(read + 1)?;
        let insert = |text: &str, room| self.labels.distance_of_one(&Decoder::new(text), room);
        if let Some(digits) = insert(text, room) {
            return Some(1 + digits);
        }
        // Hyphens want something after them.
        let longer = format!("{text}{}", self.labels.basics[0]);
        Some(2 + insert(&longer, room.checked_sub(1)?)?)
    }

    /// Whether the digits make a label.
    fn holds(&self) -> bool {
        let decoder = self.decoder.as_ref().filter(|decoder| decoder.can_end());
        decoder.is_some_and(|decoder| self.labels.is_label(&decoder.label))
    }

    fn way(&self, c: char) -> Option<Box<str>> {
        let c = c.to_ascii_lowercase();
        if self.room == 0 || !(c.is_ascii_alphanumeric() || c == '-') {
            return None;
        }
        let is_digit = c != '-';
        let digits = match &self.decoder {
            Some(decoder) if is_digit => decoder.after(c.encode_utf8(&mut [0; 4])).is_some(),
            _ => false,
        };
        if digits {
            return Some(format!("{}{c}", self.state).into());
        }
        let basic = |c| self.labels.basics.contains(&c);
        if !self.text.chars().all(basic) || is_digit && !basic(kind(c)) {
            return None;
        }
        let delimits = !is_digit && !self.text.is_empty();
        Some(match delimits {
            true => format!("{}{THEN_DIGITS}", self.text).into(),
            false => format!("{}{}", self.text, kind(c)).into(),
        })
    }

    /// What was read as basic characters, then the delimiter and the digits of a [`COMMON`] letter
    /// where the shape of a label allows it.
    fn ending(&self) -> Option<String> {
        let basic = |c| self.labels.basics.contains(&c);
        if !basic('x') || self.text.len() > SHORT || !self.text.chars().all(basic) {
            return None;
        }
        let at = place_for_letter(self.text.as_bytes())?;
        let decoder = Decoder::new(&self.text);
        let delimiter = if self.text.is_empty() { "" } else { "-" };
        let rest = decoder.rest_for(COMMON) + at as u64;
        Some(format!("{delimiter}{}", decoder.spell(rest)))
    }

    /// Letters and digits after any text of which, not longer than that, [`LabelReading::ending`]
    /// finds an ending.
    fn free(&self) -> (CharBlocks, u32) {
        let longer = format!("{}x", self.text);
        let basic = |c| self.labels.basics.contains(&c);
        if !basic('x')
            || !longer.chars().all(basic)
            || place_for_letter(longer.as_bytes()).is_none()
        {
            return Default::default();
        }
        let alphanumeric = [('0', '9'), ('A', 'Z'), ('a', 'z')];
        let sketches = alphanumeric.map(|(lo, hi)| CharBlocks::around(lo.into(), hi.into()));
        let characters = sketches
            .into_iter()
            .fold(CharBlocks::default(), CharBlocks::or);
        (characters, (SHORT - self.text.len().min(SHORT)) as u32)
    }
}

/// A place at which one more letter makes basic characters a label, as far as hyphens decide it.
fn place_for_letter(text: &[u8]) -> Option<usize> {
    let is_hyphen = |at: usize| text.get(at) == Some(&b'-');
    (0..=text.len()).find(|&place| {
        // The characters of the label, the letter being none of them.
        let hyphen_at = |at: usize| match at.cmp(&place) {
            Ordering::Less => is_hyphen(at),
            Ordering::Equal => false,
            Ordering::Greater => is_hyphen(at - 1),
        };
        !(hyphen_at(0) || hyphen_at(text.len()) || hyphen_at(2) && hyphen_at(3))
    })
}

/// The character that stands for all basic characters which labels treat like `c`.
fn kind(c: char) -> char {
    match c {
        'l' | '-' => c,
        '0'..='9' => '0',
        _ => 'x',
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::Format;
    use crate::format::testing::{check, reader};
    use crate::regex::char_cost::NO_WAY;
    use crate::regex::node::{Node, Spelling};

    /// Section 6.3 of RFC 3492, as it stands there; for labels with a character beyond ASCII.
    fn encode(label: &str) -> String {
        let adapt = |delta: u32, points: u32, first: bool| {
            let mut delta = if first { delta / 700 } else { delta / 2 };
            delta += delta / points;
            let mut k = 0;
            while delta > 455 {
                delta /= 35;
                k += 36;
            }
            k + 36 * delta / (delta + 38)
        };
        let digit =
            |value: u32| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[value as usize]);
        let mut output: String = label.chars().filter(char::is_ascii).collect();
        let basics = output.len() as u32;
        let mut handled = basics;
        if basics > 0 {
            output.push('-');
        }
        let (mut n, mut delta, mut bias) = (0x80, 0, 72);
        while handled < label.chars().count() as u32 {
            let beyond = label.chars().map(u32::from).filter(|&c| c >= n);
            let next = beyond.min().expect("not all characters are handled");
            delta += (next - n) * (handled + 1);
            n = next;
            for c in label.chars().map(u32::from) {
                delta += u32::from(c < n);
                if c != n {
                    continue;
                }
                let mut q = delta;
                for k in (36..).step_by(36) {
                    let t = if k <= bias { 1 } else { (k - bias).min(26) };
                    if q < t {
                        break;
                    }
                    output.push(digit(t + (q - t) % (36 - t)));
                    q = (q - t) / (36 - t);
                }
                output.push(digit(q));
                bias = adapt(delta, handled + 1, handled == basics);
                delta = 0;
                handled += 1;
            }
            delta += 1;
            n += 1;
        }
        format!("xn--{output}")
    }

    #[test]
    fn samples_encode() {
        for (label, encoded) in [
            ("рф", "xn--p1ai"),
            ("bücher", "xn--bcher-kva"),
            ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
        ] {
            assert_eq!(encode(label), encoded);
        }
    }

    #[test]
    fn a_labels_decode_to_u_labels() {
        let u_labels = [
            "рф",
            "bücher",
            "3ü",
            "a-ü-b",
            "üab--c",
            "一-一",
            "straße",
            "l\u{B7}l",
            "ßlll\u{B7}l",
            "α\u{375}β",
            "א\u{5F3}ב",
            "א1",
            "ב\u{660}ב",
            "\u{30FB}丈",
            "ぁ\u{30FB}",
            "हिंदी",
            "বাংলা",
            "தமிழ்",
            "\u{915}\u{94D}\u{200D}\u{937}",
            "\u{628}\u{64A}\u{200C}\u{628}\u{64A}",
            "ไทย",
            "ß\u{3C2}\u{F0B}\u{3007}",
            "παράδειγμαπαράδειγμαπαράδειγμαπαράδειγμαπαράδειγμαπα",
        ];
        let valid = u_labels.map(encode);
        let upper = valid.each_ref().map(|label| label.to_uppercase());
        let invalid = [
            "ü-",
            "-ü",
            "ab--ü",
            "Ü",
            "☃",
            "ü☃",
            "a\u{B7}l",
            "l\u{B7}",
            "α\u{375}",
            "α\u{375}s",
            "\u{5F3}ב",
            "def\u{30FB}abc",
            "\u{30FB}",
            "ب\u{660}\u{6F0}",
            "\u{915}\u{200D}\u{937}",
            "aא",
            "0א",
            "א.ü",
            "\u{300}hello",
            "e\u{301}",
            "ü_",
        ];
        let invalid = invalid.map(encode);
        let valid: Vec<&str> = valid.iter().chain(&upper).map(String::as_str).collect();
        let invalid: Vec<&str> = invalid.iter().map(String::as_str).collect();
        for format in [Format::Hostname, Format::IdnHostname] {
            check(format, &valid, &invalid);
        }
    }

    #[test]
    fn other_texts_are_no_a_labels() {
        let invalid = [
            "xn--",
            "xn--X",
            "xn--example",
            "xn--example-",
            "xn---9uc",
            "xn--p1ai-",
            "xn--p1ai-a",
            "xn--99999999",
            "xn--\u{FC}",
            "xn-p1ai.",
            "xn--bcher_kva",
            "xm--p1ai",
            "xn--7a",
            "XN--aa---o47jg78q",
            "xn--xn--p1ai",
        ];
        check(Format::Hostname, &[], &invalid);
    }

    #[test]
    fn lengths_are_bounded() {
        let fits = |count| encode(&format!("{}ü", "a".repeat(count)));
        let (longest, longer) = (fits(55), fits(56));
        assert_eq!((longest.len(), longer.len()), (63, 64));
        let name = format!("{0}.{0}.{0}.{1}", longest, "a".repeat(253 - 3 * 64));
        let before = format!("{}.{longest}", [&"a".repeat(63)[..]; 3].join("."));
        assert_eq!((name.len(), before.len()), (253, 255));
        let many = [&"a".repeat(63)[..]; 3].join(".");
        let last = format!("{many}.{}", fits(53));
        assert_eq!(last.len(), 253);
        check(
            Format::Hostname,
            &[&longest, &name, &last],
            &[&longer, &before, &format!("{name}a")],
        );
    }

    #[test]
    fn directions_do_not_mix() {
        let (left, right) = (encode("ü"), encode("א"));
        let join = |labels: &[&str]| labels.join(".");
        let valid = [
            join(&[&right, "a"]),
            join(&["a", "b", &right, "c", &right]),
            join(&["1", &left, "1"]),
            join(&["a", &left, "b"]),
            join(&[&left, &left]),
        ];
        let invalid = [
            join(&[&right, "1"]),
            join(&["1", &right]),
            join(&["1", "a", &right]),
            join(&[&right, "a", "1a"]),
            join(&[&encode("3ü"), &right]),
        ];
        check(
            Format::Hostname,
            &valid.each_ref().map(String::as_str),
            &invalid.each_ref().map(String::as_str),
        );
    }

    #[test]
    fn nothing_is_decided_before_it_is_read() {
        let regexes = Regexes::new();
        let language = Format::Hostname.language(&regexes);
        let at = "xn-"
            .chars()
            .fold(language, |at, c| regexes.step(at, c.into()));
        assert!(regexes.is_live(at));
        let nodes = (0..regexes.len() as u32).map(|id| regexes.node(NodeId(id)));
        assert_eq!(
            nodes
                .filter(|node| matches!(node, Node::Computed(_)))
                .count(),
            2
        );
    }

    #[test]
    fn characters_alone_lead_where_all_ways_do() {
        let (alone, together) = [(); 2].map(|()| Regexes::new()).into();
        for text in [
            "a.xn--p1ai.b",
            "XN--ll-0ea",
            "xn--4dbc5h.x1",
            "xn--a-b-c--9d",
        ] {
            let mut at = [&alone, &together].map(|regexes| Format::Hostname.language(regexes));
            for c in text.chars().map(u32::from) {
                let pieces = together.pieces(at[1]).iter();
                let next = pieces.clone().find(|p| p.lo <= c && c <= p.hi);
                at = [alone.step(at[0], c), next.map_or(NodeId::NEVER, |p| p.to)];
                assert_eq!(
                    alone.fingerprint(at[0]),
                    together.fingerprint(at[1]),
                    "{text}"
                );
                let costs = [
                    alone.cost(at[0], Spelling::Raw),
                    together.cost(at[1], Spelling::Raw),
                ];
                assert_eq!(costs[0], costs[1], "{text}");
            }
        }
    }

    /// Each ending that is found at a glance is one, and each state on the way has a distance.
    fn check_ending(labels: &'static ULabels, rule: &ComputedRule, text: &str) {
        let step = |state: Box<str>, c| (rule.way)(&state, c);
        let Some(mut state) = text.chars().try_fold("|".into(), step) else {
            return;
        };
        let reading = LabelReading::new(labels, &state);
        let (characters, most) = reading.free();
        if text.len() <= SHORT && characters != CharBlocks::default() && most > 0 {
            // At least one: what has been read may end in a hyphen.
            let longer = &"z9".repeat(most as usize)[..most as usize];
            let at = longer.chars().try_fold(state.clone(), step).expect(text);
            assert!((rule.ending)(&at).is_some(), "{text} {longer}");
        }
        let Some(ending) = reading.ending() else {
            return;
        };
        for c in ending.chars() {
            assert!((rule.distance)(&state).is_some(), "{text} {ending} {state}");
            state = step(state, c).expect(&ending);
        }
        assert!((rule.holds)(&state), "{text} {ending}");
        assert_eq!((rule.distance)(&state), Some(0), "{text} {ending}");
        assert!(is_valid(&format!("xn--{text}{ending}")), "{text} {ending}");
    }

    #[test]
    fn endings_at_a_glance_are_found_for_all_but_odd_hyphens() {
        for text in [
            "", "a", "a-", "-a", "ab--c", "xn--p1ai", "p1ai", "l-l", "X9",
        ] {
            assert!((LEFT_TO_RIGHT.ending)(&whole(text)).is_some(), "{text}");
            check_ending(&LEFT, &LEFT_TO_RIGHT, text);
        }
        let long = "-z-lb-CzzCC-llClzCCAz-z-zAl--8l4-ll8ABcz-zB-";
        for text in ["---", "a---", long] {
            assert!((LEFT_TO_RIGHT.ending)(&whole(text)).is_none(), "{text}");
            check_ending(&LEFT, &LEFT_TO_RIGHT, text);
        }
    }

    fn whole(text: &str) -> Box<str> {
        let step = |state: Box<str>, c| (LEFT_TO_RIGHT.way)(&state, c);
        text.chars().try_fold("|".into(), step).expect(text)
    }

    /// Follows the cheapest way from `at` to an end, which must come nearer with each character.
    fn finish(regexes: &Regexes, mut at: NodeId, text: &mut String) {
        let mut cost = regexes.cost(at, Spelling::Json);
        assert_ne!(cost, NO_WAY, "{text}");
        while cost > 0 {
            let mut pieces = regexes.pieces(at).iter();
            let next = pieces.find(|p| regexes.cost(p.to, Spelling::Json) == cost - 1);
            let next = next.unwrap_or_else(|| panic!("{text} needs {cost}"));
            text.extend(char::from_u32(next.lo));
            at = next.to;
            cost -= 1;
        }
        assert!(regexes.nullable(at), "{text}");
    }

    fn is_valid(text: &str) -> bool {
        text.split('.').all(|label| {
            let label = label.to_lowercase();
            let Some(code) = label.strip_prefix("xn--") else {
                return label.get(2..4) != Some("--");
            };
            let (basics, digits) = code.rsplit_once('-').unwrap_or(("", code));
            let decoded = Decoder::new(basics).after(digits).expect("code points");
            let u_label: String = decoded
                .label
                .iter()
                .filter_map(|&c| char::from_u32(c))
                .collect();
            let accepts = |labels: &ULabels| labels.regexes.matches(labels.start, &u_label);
            decoded.can_end() && encode(&u_label) == label && (accepts(&LEFT) || accepts(&RIGHT))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn endings_at_a_glance_are_endings(text in "[a-dlz0-9A-C-]{0,58}") {
            check_ending(&LEFT, &LEFT_TO_RIGHT, &text);
            check_ending(&RIGHT, &RIGHT_TO_LEFT, &text);
        }

        #[test]
        fn every_way_ends_in_a_label(choices in prop::collection::vec(0..1000_usize, 0..80)) {
            let regexes = Regexes::new();
            let language = Format::Hostname.language(&regexes);
            let mut text = "xn--".to_owned();
            let mut at = text.chars().fold(language, |at, c| regexes.step(at, c.into()));
            for choice in choices {
                let mut whole = text.clone();
                finish(&regexes, at, &mut whole);
                assert!(is_valid(&whole), "{whole}");
                let pieces = regexes.pieces(at).iter();
                let live: Vec<_> = pieces.filter(|p| regexes.is_live(p.to)).collect();
                let Some(piece) = live.get(choice % live.len().max(1)) else { break };
                let c = piece.lo + choice as u32 % (piece.hi - piece.lo + 1);
                text.extend(char::from_u32(c));
                at = piece.to;
            }
        }

        #[test]
        fn u_labels_are_accepted_encoded(
            label in "[a-z0-9l-]{0,6}([ü-ÿа-яα-ω·͵]|[ก-ฮ]|[\u{5D0}-\u{5EA}\u{5F3}]|[\u{4E00}-\u{9FFF}\u{30FB}\u{3041}]|[\u{901}-\u{94D}\u{200D}]|[a-z0-9l-]){1,9}",
        ) {
            let labels: [&ULabels; 2] = [&LEFT, &RIGHT];
            let expected = !label.is_ascii()
                && labels.iter().any(|l| l.regexes.matches(l.start, &label))
                && encode(&label).len() <= 63;
            prop_assume!(!label.is_ascii());
            let encoded = encode(&label);
            let found = reader(Format::Hostname)(&encoded);
            // Hyphens may ask for more insertions than are looked for.
            if found || !label.contains('-') {
                prop_assert_eq!(found, expected, "{} {}", label, encoded);
            }
        }
    }
}
