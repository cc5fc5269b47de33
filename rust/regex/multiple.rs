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
