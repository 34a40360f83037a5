//! [`FlushRange`]: the addresses that one pending invalidation stands for.
//!
//! An invalidation has the address of a page as its operand, and removes whatever TLB entry covers
//! it: a page, a block, or, for a table that was unlinked, a cached pointer to it. So a range is
//! two things: the page to name, and how many bytes may still be translated the old way until it
//! was invalidated. One word holds both:
//!
//! ```text
//!  63                                          12 11          6 5            0
//! +----------------------------------------------+-------------+--------------+
//! | page to invalidate                           | 0           | log2 (bytes) |
//! +----------------------------------------------+-------------+--------------+
//! ```
//!
//! | word | page | range |
//! |---|---|---|
//! | 0xffff_0000_0040_300c | 0xffff_0000_0040_3000 | that page: 2^12 bytes |
//! | 0xffff_0000_0040_3015 | 0xffff_0000_0040_3000 | 0xffff_0000_0040_0000 and 2^21 bytes: its table went, too |
#![forbid(unsafe_code)]

use crate::addr::{PAGE_SIZE, VirtAddr};

/// A power of two of bytes, aligned to that, with the page in it whose address is invalidated.
#[derive(Clone, Copy)]
pub(in crate::flush) struct FlushRange(usize);

// Not generic, and called from generic code that other crates instantiate: without `inline`, each
// call could stay a call into this crate where there is no LTO.
impl FlushRange {
    /// No range: what stands in the unused places of a list.
    pub(in crate::flush) const UNUSED: Self = Self(0);

    /// The range of `bytes`, a power of two, in which the page at `at` is.
    #[inline(always)]
    pub(in crate::flush) const fn new(at: usize, bytes: usize) -> Self {
        Self(at | bytes.trailing_zeros() as usize)
    }

    /// The page whose address the invalidation names.
    #[inline(always)]
    pub(in crate::flush) const fn page(self) -> VirtAddr {
        VirtAddr::new(self.0 & !(PAGE_SIZE - 1))
    }

    #[inline(always)]
    pub(in crate::flush) const fn bytes(self) -> usize {
        1 << (self.0 & (PAGE_SIZE - 1))
    }

    /// The first address of the range.
    pub(in crate::flush) const fn first(self) -> usize {
        self.0 & !(self.bytes() - 1)
    }

    /// Whether some address is in both this range and the `bytes` from `start` on; neither is
    /// empty. Ends are compared by their last address: one past it does not exist for a range at
    /// the end of the address space.
    pub(in crate::flush) const fn overlaps(self, start: usize, bytes: usize) -> bool {
        let first = self.first();
        first <= start + (bytes - 1) && start <= first + (self.bytes() - 1)
    }
}
