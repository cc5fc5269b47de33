//! Punycode, read digit by digit: RFC 3492.
//!
//! What follows the basic characters are numbers in digits, each the way from one insertion of a
//! character to the next, by rising code point and from left to right. Every text is the encoding
//! of what it decodes to, if some number follows the delimiter and some character is before it.

use std::ops::Range;

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 0x80;

/// Where a reading of numbers stands.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    /// What the numbers so far have made of the basic characters.
    pub(super) label: Vec<u32>,
    /// The code point and place from which the next number counts.
    n: u32,
    i: u32,
    bias: u32,
    /// Whether the first number is still to come.
    first: bool,
    /// The value so far of the number that is being read; then what its next digit weighs, and that
    /// digit's place.
    value: u64,
    weight: u64,
    place: u32,
}

/// A way to end the number in reading.
pub(super) struct Insertion {
    pub(super) c: u32,
    pub(super) at: usize,
}

impl Decoder {
    pub(super) fn new(basics: &str) -> Self {
        Decoder {
            label: basics.chars().map(u32::from).collect(),
            n: INITIAL_N,
            i: 0,
            bias: INITIAL_BIAS,
            first: true,
            value: 0,
            weight: 1,
            place: 0,
        }
    }

    /// The decoder after `digits`, which spell numbers, the last perhaps in part; `None` if a
    /// number inserts what is no character.
    pub(super) fn after(&self, digits: &str) -> Option<Decoder> {
        let mut next = self.clone();
        for digit in digits.chars() {
            next.read(digit)?;
        }
        Some(next)
    }

    fn read(&mut self, digit: char) -> Option<()> {
        let digit = match digit {
            'a'..='z' => digit as u32 - 'a' as u32,
            _ => digit.to_digit(10)? + 26,
        };
        let t = self.threshold(self.place);
        self.value += u64::from(digit) * self.weight;
        self.insertion(0)?;
        if digit < t {
            self.insert();
        } else {
            self.weight *= u64::from(BASE - t);
            self.place += 1;
        }
        Some(())
    }

    /// Whether numbers were read, the last to its end.
    pub(super) fn can_end(&self) -> bool {
        self.place == 0 && !self.first
    }

    /// What is inserted where if the digits still to come are worth `rest`.
    pub(super) fn insertion(&self, rest: u64) -> Option<Insertion> {
        let way = u64::from(self.i) + self.value + rest * self.weight;
        let places = self.label.len() as u64 + 1;
        let c = u64::from(self.n) + way / places;
        (c <= char::MAX as u64).then_some(Insertion {
            c: c as u32,
            at: (way % places) as usize,
        })
    }

    /// The least value from `rest` on that inserts in one of the `places`.
    pub(super) fn next_within(&self, rest: u64, places: &Range<usize>) -> Option<u64> {
        let all = self.label.len() as u64 + 1;
        let way = u64::from(self.i) + self.value;
        // After so many, the places recur.
        (rest..rest + all)
            .find(|rest| places.contains(&(((way + rest * self.weight) % all) as usize)))
    }

    /// The least `rest` that inserts `c`, or a greater character.
    pub(super) fn rest_for(&self, c: u32) -> u64 {
        let places = self.label.len() as u64 + 1;
        let way = u64::from(c.saturating_sub(self.n)) * places;
        let missing = way.saturating_sub(u64::from(self.i) + self.value);
        missing.div_ceil(self.weight)
    }

    /// How many digits spell `rest`.
    pub(super) fn digits(&self, mut rest: u64) -> u32 {
        let mut digits = 1;
        let mut place = self.place;
        while let Some(more) = rest.checked_sub(u64::from(self.threshold(place))) {
            rest = more / u64::from(BASE - self.threshold(place));
            place += 1;
            digits += 1;
        }
        digits
    }

    /// The digits that spell `rest`.
    pub(super) fn spell(&self, mut rest: u64) -> String {
        let digit =
            |value: u64| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[value as usize]);
        let mut digits = String::new();
        let mut place = self.place;
        loop {
            let threshold = u64::from(self.threshold(place));
            let Some(more) = rest.checked_sub(threshold) else {
                digits.push(digit(rest));
                return digits;
            };
            let base = u64::from(BASE) - threshold;
            digits.push(digit(threshold + more % base));
            rest = more / base;
            place += 1;
        }
    }

    /// The decoder after digits that are worth `rest` and end the number.
    pub(super) fn ended(&self, rest: u64) -> Decoder {
        let mut next = self.clone();
        next.value += rest * next.weight;
        next.insert();
        next
    }

    fn insert(&mut self) {
        let Some(Insertion { c, at }) = self.insertion(0) else {
            unreachable!("only values that insert a character are read");
        };
        self.label.insert(at, c);
        self.bias = adapt(self.value, self.label.len() as u64, self.first);
        self.n = c;
        self.i = at as u32 + 1;
        self.first = false;
        (self.value, self.weight, self.place) = (0, 1, 0);
    }

    fn threshold(&self, place: u32) -> u32 {
        (BASE * (place + 1))
            .saturating_sub(self.bias)
            .clamp(T_MIN, T_MAX)
    }
}

fn adapt(delta: u64, length: u64, first: bool) -> u32 {
    let mut delta = delta / if first { u64::from(DAMP) } else { 2 };
    delta += delta / length;
    let mut k = 0;
    while delta > u64::from((BASE - T_MIN) * T_MAX / 2) {
        delta /= u64::from(BASE - T_MIN);
        k += BASE;
    }
    k + ((BASE - T_MIN + 1) * delta as u32) / (delta as u32 + SKEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Option<String> {
        let (basics, digits) = text.rsplit_once('-').unwrap_or(("", text));
        let decoder = Decoder::new(basics).after(digits)?;
        decoder.label.into_iter().map(char::from_u32).collect()
    }

    /// The samples of RFC 3492, section 7.1, and names in use.
    #[test]
    fn samples_decode() {
        for (text, decoded) in [
            ("ihqwcrb4cv8a8dqg056pqjye", "他们为什么不说中文"),
            ("p1ai", "рф"),
            ("bcher-kva", "bücher"),
            ("9n2bp8q", "실례"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(decoded), "{text}");
        }
        assert_eq!(decode("99999999"), None);
    }

    #[test]
    fn digits_are_counted() {
        let decoder = Decoder::new("abc").after("b").unwrap();
        for first in 'a'..='z' {
            let one = decoder.after(&first.to_string()).unwrap();
            let rest = (first as u64) - ('a' as u64);
            assert_eq!(decoder.digits(rest) == 1, one.can_end(), "{first}");
        }
    }
}
