//! Decimal numbers of any length, as JSON writes them.

use std::cmp::Ordering;

/// An exact decimal: `digits` × 10^`exponent`, negated if `negative`.
///
/// Normal form: no leading or trailing zero in `digits`; zero is no digits, exponent 0, not negative.
/// So equal values are equal structs, and `1`, `1.0` and `10e-1` are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    pub(crate) negative: bool,
    /// ASCII digits, the most significant first.
    pub(crate) digits: Vec<u8>,
    pub(crate) exponent: i64,
}

impl Decimal {
    /// Reads a JSON number; `None` if it is none, or its exponent does not fit 32 bits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(i) => (&text[..i], text[i + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = int.bytes().chain(fraction.bytes()).collect();
        if int.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let exponent = i64::from(exponent) - fraction.len() as i64;
        Some(Decimal::new(negative, digits, exponent))
    }

    /// The normal form of `digits` × 10^`exponent`.
    pub(crate) fn new(negative: bool, mut digits: Vec<u8>, mut exponent: i64) -> Self {
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent += 1;
        }
        let zeros = digits.iter().take_while(|&&d| d == b'0').count();
        digits.drain(..zeros);
        let is_zero = digits.is_empty();
        Decimal {
            negative: negative && !is_zero,
            digits,
            exponent: if is_zero { 0 } else { exponent },
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(crate) fn negated(&self) -> Self {
        Decimal::new(!self.negative, self.digits.clone(), self.exponent)
    }

    /// Where the point stands, counted from before the first digit: 3 for 123, -1 for 0.05.
    pub(crate) fn point(&self) -> i64 {
        self.digits.len() as i64 + self.exponent
    }

    /// Whether the value is a whole number.
    pub(crate) fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// The digits before and after the decimal point of the absolute value, without exponent.
    /// The integer part has no leading zeros (zero is empty), the fraction no trailing ones.
    /// `None` if either would be longer than `cap`.
    pub(crate) fn plain(&self, cap: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let point = self.point();
        if point > cap as i64 || -self.exponent > cap as i64 {
            return None;
        }
        if point <= 0 {
            let mut fraction = vec![b'0'; (-point) as usize];
            fraction.extend(&self.digits);
            return Some((
                Vec::new(),
                if self.is_zero() { Vec::new() } else { fraction },
            ));
        }
        let point = point as usize;
        let mut int = self.digits.clone();
        if point >= int.len() {
            int.resize(point, b'0');
            return Some((int, Vec::new()));
        }
        let fraction = int.split_off(point);
        Some((int, fraction))
    }

    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        if self.is_zero() || other.is_zero() {
            return other.is_zero().cmp(&self.is_zero());
        }
        self.point()
            .cmp(&other.point())
            .then_with(|| self.digits.cmp(&other.digits))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn equal_values_are_equal() {
        assert_eq!(d("1"), d("1.0"));
        assert_eq!(d("1"), d("10e-1"));
        assert_eq!(d("-0"), d("0.00e5"));
        assert_ne!(d("1"), d("-1"));
        assert!(d("1e2").is_integer() && !d("1.5").is_integer());
    }

    #[test]
    fn ordered_by_value() {
        let sorted = [
            "-1e3", "-10.5", "-10", "-0.1", "0", "0.01", "0.1", "1", "1.5", "2", "10", "1e3",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(d(a).cmp(&d(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn plain_parts() {
        assert_eq!(d("12.50").plain(10), Some((b"12".to_vec(), b"5".to_vec())));
        assert_eq!(d("0.05").plain(10), Some((vec![], b"05".to_vec())));
        assert_eq!(d("1e3").plain(10), Some((b"1000".to_vec(), vec![])));
        assert_eq!(d("0").plain(10), Some((vec![], vec![])));
        assert_eq!(d("1e30").plain(10), None);
    }
}
