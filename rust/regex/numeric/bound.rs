//! Comparing the digits of a number with those of a bound, as they are read.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::intern::Interner;
use crate::regex::numeric::interval::End;

/// A number that a schema constrains has no exponent beyond this. Without a cap, "the value is at
/// least five" is no regular language: `0.0…05e99` compares zeros with an exponent. Three digits
/// are far more than doubles have, and cost the fewest states.
pub(crate) const MAX_EXPONENT: i32 = 999;

/// The digits of bounds.
pub(super) type Digits = Interner<Box<[u8]>>;

/// Which side of a bound is allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    AtLeast,
    AtMost,
}

/// What a bound says of the exponent that the number may have, in terms of the digits read.
///
/// A digit before the point is worth an exponent of one, so each lowers the exponents here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bound {
    /// All exponents are allowed, whatever digits follow.
    Free,
    /// The digits differ from the bound's: this exponent, and those on its side, are allowed.
    Decided(i32),
    /// So far the digits are those of the bound. With the exponent `gap` they also stand in the
    /// same places.
    Matching {
        digits: u32,
        open: bool,
        matched: u32,
        gap: i32,
    },
}

impl Bound {
    /// The upper bound that allows no number but zero.
    pub(super) const ZERO: Bound = Bound::Decided(i32::MIN);

    /// A bound that is not zero, before any digit.
    pub(super) fn new(end: &End, store: &Digits) -> Self {
        Bound::Matching {
            digits: store.intern(end.value.digits.as_slice().into()),
            open: end.open,
            matched: 0,
            gap: end.value.point() as i32,
        }
    }

    /// The bound after a digit before the point, or after a zero between the point and all other
    /// digits.
    pub(super) fn shifted(self, by: i32) -> Self {
        match self {
            Bound::Decided(at) if self != Bound::ZERO => Bound::Decided(at + by),
            Bound::Matching {
                digits,
                open,
                matched,
                gap,
            } => Bound::Matching {
                digits,
                open,
                matched,
                gap: gap + by,
            },
            Bound::Free | Bound::Decided(_) => self,
        }
    }

    /// The bound after one more digit, if [`Bound::shifted`] has accounted for its place.
    pub(super) fn read(self, digit: u8, side: Side, store: &Digits) -> Self {
        let Bound::Matching {
            digits,
            open,
            matched,
            gap,
        } = self
        else {
            return self;
        };
        let bound = store.get(digits);
        let wanted = bound.get(matched as usize).map_or(0, |&d| d - b'0');
        match digit.cmp(&wanted) {
            Ordering::Less => Bound::Decided(gap + i32::from(side == Side::AtLeast)),
            Ordering::Greater => Bound::Decided(gap - i32::from(side == Side::AtMost)),
            Ordering::Equal => {
                let matched = (matched as usize + 1).min(bound.len());
                let all = matched == bound.len();
                match side {
                    // Nothing that follows makes the number smaller, or greater, again.
                    Side::AtLeast if all && !open => Bound::Decided(gap),
                    Side::AtMost if all && open => Bound::Decided(gap - 1),
                    _ => Bound::Matching {
                        digits,
                        open,
                        matched: matched as u32,
                        gap,
                    },
                }
            }
        }
    }

    /// Whether [`Bound::read`] makes the same of two digits.
    pub(super) fn reads_alike(self, digits: [u8; 2], store: &Digits) -> bool {
        let Bound::Matching { .. } = self else {
            return true;
        };
        let wanted = self.wanted(store).first().map_or(0, |&digit| digit - b'0');
        let [a, b] = digits.map(|digit| digit.cmp(&wanted));
        a == b
    }

    /// Whether the bound allows any digits with this exponent, and without a look at them.
    pub(super) fn is_met(self, at: i32, side: Side) -> bool {
        match (self, side) {
            (Bound::Free, _) => true,
            (Bound::Decided(last), Side::AtLeast) => at >= last,
            (Bound::Decided(last), Side::AtMost) => at <= last,
            (Bound::Matching { gap, .. }, Side::AtLeast) => at > gap,
            (Bound::Matching { gap, .. }, Side::AtMost) => at < gap,
        }
    }

    /// The last exponent that is allowed on the side, if the digits end here.
    pub(super) fn at_end(self, side: Side) -> Option<i32> {
        match self {
            Bound::Free => None,
            Bound::Decided(at) => Some(at),
            // Digits that match begin the bound's: what they lack is more than nothing.
            Bound::Matching { gap, .. } => Some(gap + i32::from(side == Side::AtLeast)),
        }
    }

    /// The last exponent on the side for which digits can follow that make it allowed.
    pub(super) fn in_reach(self) -> Option<i32> {
        match self {
            Bound::Free => None,
            Bound::Decided(at) => Some(at),
            Bound::Matching { gap, .. } => Some(gap),
        }
    }

    pub(super) fn is_matching(self) -> bool {
        matches!(self, Bound::Matching { .. })
    }

    /// Hashes the bound in the same way in all stores.
    pub(super) fn fingerprint(self, store: &Digits, hasher: &mut impl Hasher) {
        match self {
            Bound::Free => hasher.write_u8(0),
            Bound::Decided(at) => (1_u8, at).hash(hasher),
            Bound::Matching { open, gap, .. } => {
                (2_u8, open, gap, self.wanted(store)).hash(hasher);
            }
        }
    }

    /// The digits that a bound still wants.
    pub(super) fn wanted(self, store: &Digits) -> &[u8] {
        match self {
            Bound::Matching {
                digits, matched, ..
            } => &store.get(digits)[matched as usize..],
            _ => &[],
        }
    }
}
