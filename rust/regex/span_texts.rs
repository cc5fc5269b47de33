//! Texts with the places where spans of them begin and end: what stands from a word to a word.

use crate::work;

/// What stands after each text; a byte that no text has, and that is greater than all others.
pub(super) const END: u8 = 0xFF;

/// A text, and where spans of it begin and end, in bytes and sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct SpanText {
    pub(super) text: String,
    pub(super) starts: Vec<u32>,
    pub(super) ends: Vec<u32>,
}

/// Some texts with their spans.
#[derive(Debug)]
pub(super) struct SpanTexts {
    /// The texts, each with [`END`] after it.
    pub(super) bytes: Box<[u8]>,
    /// Where spans begin, sorted by what follows.
    pub(super) starts: Box<[u32]>,
    /// Of each byte: the next place, there or later, where a span ends.
    ends: Box<[u32]>,
    /// At least the characters of the longest span.
    pub(super) longest: u32,
    /// At least the bytes from any place to the next where a span ends.
    pub(super) longest_gap: u32,
    pub(super) fingerprint: u128,
}

impl SpanText {
    /// Spans begin where words do, and at each character that is of no word; they end likewise, and
    /// neither begin nor end with white space.
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim();
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        let mut before = None;
        for (at, c) in text.char_indices() {
            let is_inside = before.is_some_and(|before| is_in_word(before) && is_in_word(c));
            if !is_inside {
                if before.is_some_and(|before: char| !before.is_whitespace()) {
                    ends.push(at as u32);
                }
                if !c.is_whitespace() {
                    starts.push(at as u32);
                }
            }
            before = Some(c);
        }
        ends.extend(before.map(|_| text.len() as u32));
        work::spend(text.len());
        SpanText {
            text: text.to_owned(),
            starts,
            ends,
        }
    }
}

/// How many bytes two texts have in common before one of them ends.
fn common(one: &[u8], other: &[u8]) -> usize {
    const STRIDE: usize = 64;
    let mut pairs = one.chunks(STRIDE).zip(other.chunks(STRIDE));
    let same = |&(a, b): &(&[u8], &[u8])| a == b && !a.contains(&END);
    let skipped = STRIDE
        * pairs
            .by_ref()
            .position(|pair| !same(&pair))
            .unwrap_or_default();
    let rest = one[skipped..].iter().zip(&other[skipped..]);
    skipped + rest.take_while(|&(a, b)| a == b && *a != END).count()
}

/// Whether a character is no word by itself beside others like it: Thai, Lao, Khmer, Burmese, Kana
/// and Han have no spaces between words.
pub(super) fn is_in_word(c: char) -> bool {
    let is_spaceless = matches!(c,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
        | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}');
    (c.is_alphanumeric() || c == '_') && !is_spaceless
}

impl SpanTexts {
    /// The texts, where nothing is sorted yet; `name` makes a fingerprint of them.
    pub(super) fn of(texts: &[SpanText], name: impl Fn(&[u8], &[u32], &[u32]) -> u128) -> Self {
        let size = texts.iter().map(|text| text.text.len() + 1).sum();
        let (mut bytes, mut ends) = (Vec::with_capacity(size), Vec::with_capacity(size));
        let mut starts = Vec::new();
        for text in texts {
            let first = bytes.len() as u32;
            bytes.extend_from_slice(text.text.as_bytes());
            bytes.push(END);
            starts.extend(text.starts.iter().map(|&start| first + start));
            let mut next = text.ends.iter().copied().peekable();
            for at in 0..=text.text.len() as u32 {
                while next.next_if(|&end| end < at).is_some() {}
                ends.push(first + next.peek().copied().unwrap_or(at));
            }
        }
        work::spend(2 * bytes.len());
        let gaps = ends.iter().zip(0_u32..).map(|(&end, at)| end - at);
        let longest = texts.iter().map(|text| text.text.chars().count()).max();
        SpanTexts {
            longest: longest.unwrap_or_default() as u32,
            longest_gap: gaps.max().unwrap_or_default(),
            fingerprint: name(&bytes, &starts, &ends),
            bytes: bytes.into(),
            starts: starts.into(),
            ends: ends.into(),
        }
    }

    pub(super) fn sort(&mut self) {
        let bytes = &self.bytes;
        self.starts.sort_unstable_by(|&a, &b| {
            let [one, other] = [a, b].map(|start| &bytes[start as usize..]);
            let same = common(one, other);
            work::spend(1 + same / 128);
            one.get(same).cmp(&other.get(same)).then(a.cmp(&b))
        });
    }

    pub(super) fn place(&self, i: u32, depth: u32) -> usize {
        (self.starts[i as usize] + depth) as usize
    }

    pub(super) fn is_end(&self, place: usize) -> bool {
        self.ends[place] as usize == place
    }

    /// What follows a place up to the nearest end of a span, which is not where the span begins.
    pub(super) fn rest(&self, i: u32, depth: u32) -> &str {
        let from = self.place(i, depth);
        let end = self.ends[from.max(self.place(i, 1))] as usize;
        std::str::from_utf8(&self.bytes[from..end]).unwrap_or_default()
    }

    /// The character at a place, and its bytes.
    pub(super) fn char_at(&self, place: usize) -> Option<(char, &[u8])> {
        let size = match self.bytes[place] {
            END => return None,
            0..=0x7F => 1,
            0x80..=0xDF => 2,
            0xE0..=0xEF => 3,
            _ => 4,
        };
        let bytes = &self.bytes[place..place + size];
        let c = std::str::from_utf8(bytes).ok()?.chars().next()?;
        Some((c, bytes))
    }

    /// The texts as they were given.
    pub(super) fn texts(&self) -> Vec<SpanText> {
        let mut starts: Vec<u32> = self.starts.to_vec();
        starts.sort_unstable();
        let mut found = Vec::new();
        let mut first = 0;
        for text in self.bytes.split_inclusive(|&byte| byte == END) {
            let places = first..first + text.len();
            let within = |&&start: &&u32| places.contains(&(start as usize));
            found.push(SpanText {
                text: String::from_utf8_lossy(&text[..text.len() - 1]).into_owned(),
                starts: starts
                    .iter()
                    .filter(within)
                    .map(|start| start - first as u32)
                    .collect(),
                ends: places
                    .clone()
                    .filter(|&place| self.is_end(place))
                    .map(|place| (place - first) as u32)
                    .collect(),
            });
            first = places.end;
        }
        found
    }
}
