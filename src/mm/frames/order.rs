//! The order of a block of frames: order 3 is 2^3 frames, 32 KiB, at a multiple of 0x8000.
#![forbid(unsafe_code)]

use core::fmt;

use crate::addr::PAGE_SIZE;

/// The size of a block: 2^order frames, 4 KiB to 2 MiB. Orders compare as their sizes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Order(u8);

impl Order {
    /// One frame, 4 KiB.
    pub const FRAME: Self = Self(0);
    /// The largest block, 2 MiB: what one block descriptor of level 2 maps (DDI 0487 D8.3, granule
    /// of 4 KiB).
    pub const MAX: Self = Self(9);
    /// How many orders there are, 0 to 9: the length of a table with an entry for each.
    pub const COUNT: usize = Self::MAX.index() + 1;

    /// The order of that number; `None` past [`MAX`](Self::MAX).
    #[must_use]
    pub const fn new(number: usize) -> Option<Self> {
        if number < Self::COUNT {
            Some(Self(number as u8))
        } else {
            None
        }
    }

    /// The smallest order with room for `bytes`: order 0 up to 4096, order 1 from 4097 on; `None`
    /// past 2 MiB, since no block has it.
    #[must_use]
    pub const fn for_bytes(bytes: usize) -> Option<Self> {
        let frames = bytes.div_ceil(PAGE_SIZE);
        if frames > Self::MAX.frames() {
            return None;
        }
        Self::new(frames.next_power_of_two().trailing_zeros() as usize)
    }

    /// All of them, smallest first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        (0..=Self::MAX.0).map(Self)
    }

    /// The order as a number: 0 for one frame, 9 for 512.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Frames in such a block: 1 for order 0, 512 for [`MAX`](Self::MAX).
    #[must_use]
    pub const fn frames(self) -> usize {
        1 << self.0
    }

    /// Bytes in such a block, and what its address is a multiple of: 0x8000 for order 3.
    #[must_use]
    pub const fn bytes(self) -> usize {
        PAGE_SIZE << self.0
    }

    /// The size as a number and its unit.
    pub(super) const fn quantity(self) -> (usize, &'static str) {
        match self.bytes() >> 20 {
            0 => (self.bytes() >> 10, "KiB"),
            mebibytes => (mebibytes, "MiB"),
        }
    }
}

/// The size: `4 KiB`, `2 MiB`.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = self.quantity();
        write!(f, "{number} {unit}")
    }
}
