//! Multiples of a decimal, digit by digit.

/// Where a reading of `digits[.digits]` stands modulo `modulus` / 10^`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Multiple {
    pub(crate) modulus: u64,
    /// Digits after the point that can matter; later ones must be zero.
    pub(crate) scale: u32,
    /// The value read so far, modulo `modulus`, scaled by what was read after the point.
    pub(crate) rest: u64,
    /// Digits read after the point; `None` before the point.
    pub(crate) fraction: Option<u32>,
}

impl Multiple {
    /// Whether the digits so far, if they end here, are a multiple.
    pub(super) fn holds(self) -> bool {
        match self.fraction {
            Some(0) => false,
            read => {
                let missing = self.scale - read.unwrap_or(0).min(self.scale);
                (0..missing).fold(self.rest, |rest, _| self.shift(rest, 0)) == 0
            }
        }
    }

    /// The fewest characters that make the reading a multiple; `None` if none do.
    pub(super) fn shortest(self) -> Option<u32> {
        match self.fraction {
            // A point needs a digit after it, which may be a zero.
            Some(0) => self.digits_needed(self.scale, 1),
            Some(read) if read <= self.scale => self.digits_needed(self.scale - read, 0),
            Some(_) => Some(0),
            None => {
                let whole = self.digits_needed_whole();
                let point = Multiple {
                    fraction: Some(0),
                    ..self
                };
                let with_point = point.shortest().map(|digits| digits + 1);
                [whole, with_point].into_iter().flatten().min()
            }
        }
    }

    /// The fewest more digits, at least `least`, of a fraction that has `room` for digits that
    /// matter.
    fn digits_needed(self, room: u32, least: u32) -> Option<u32> {
        if room == 0 {
            return (self.rest == 0).then_some(least);
        }
        (least..=room).find(|&digits| self.reaches(digits, room - digits))
    }

    /// The fewest more digits before the point, without a fraction. Enough digits reach any
    /// remainder.
    fn digits_needed_whole(self) -> Option<u32> {
        (0..=20).find(|&digits| self.reaches(digits, self.scale))
    }

    /// Whether some `digits` more digits, and `zeros` zeros after them, make a multiple.
    fn reaches(self, digits: u32, zeros: u32) -> bool {
        let modulus = u128::from(self.modulus);
        let scaled = |value: u128, times: u32| (0..times).fold(value, |v, _| v * 10 % modulus);
        // value * 10^zeros is a multiple of the modulus if value is one of what is left of it.
        let left = modulus / gcd(modulus, scaled(1, zeros).max(1)).max(1);
        let left = if zeros > 0 && scaled(1, zeros) == 0 {
            1
        } else {
            left
        };
        let missing = (left - scaled(u128::from(self.rest), digits) % left) % left;
        10_u128
            .checked_pow(digits)
            .is_none_or(|limit| missing < limit)
    }

    fn shift(self, rest: u64, digit: u64) -> u64 {
        ((u128::from(rest) * 10 + u128::from(digit)) % u128::from(self.modulus)) as u64
    }

    pub(super) fn derive(self) -> Vec<(u32, Multiple)> {
        let mut out = Vec::with_capacity(11);
        if self.fraction.is_none() {
            out.push((
                '.' as u32,
                Multiple {
                    fraction: Some(0),
                    ..self
                },
            ));
        }
        for digit in 0..10_u64 {
            let next = match self.fraction {
                None => Multiple {
                    rest: self.shift(self.rest, digit),
                    ..self
                },
                Some(read) if read < self.scale => Multiple {
                    rest: self.shift(self.rest, digit),
                    fraction: Some(read + 1),
                    ..self
                },
                // Past what matters only zeros follow, and only if all is well so far.
                Some(_) if digit == 0 && self.rest == 0 => Multiple {
                    fraction: Some(self.scale + 1),
                    ..self
                },
                Some(_) => continue,
            };
            out.push(('0' as u32 + digit as u32, next));
        }
        out
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fewest characters, found by trying.
    fn tried(from: Multiple) -> Option<u32> {
        let mut states = vec![from];
        for length in 0..7 {
            if states.iter().any(|state| state.holds()) {
                return Some(length);
            }
            states = states
                .iter()
                .flat_map(|s| s.derive())
                .map(|(_, next)| next)
                .collect();
            states.sort_unstable_by_key(|s| (s.rest, s.fraction));
            states.dedup();
        }
        None
    }

    #[test]
    fn shortest_is_what_trying_finds() {
        for modulus in [1, 2, 3, 7, 10, 25, 40, 99, 100, 1_250] {
            for scale in 0..4 {
                for rest in 0..modulus {
                    for fraction in [None, Some(0), Some(1), Some(scale), Some(scale + 1)] {
                        let past = fraction.is_some_and(|read| read > scale);
                        let rest = if past { 0 } else { rest };
                        let state = Multiple {
                            modulus,
                            scale,
                            rest,
                            fraction,
                        };
                        assert_eq!(state.shortest(), tried(state), "{state:?}");
                    }
                }
            }
        }
    }
}
