//! Random numbers for the tests of this room: the same ones in every run.
#![forbid(unsafe_code)]

/// A generator of the xorshift family, with a multiplication at the end. Its seed is not 0.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// Any number.
    pub(super) fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        let product = u128::from(self.word()) * u128::from(limit);
        (product >> 64) as u64
    }

    /// An index into something of `len` elements.
    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A number of any size: as many bits as few.
    pub(super) fn of_any_size(&mut self) -> u64 {
        let shift = self.below(64);
        self.word() >> shift
    }
}
