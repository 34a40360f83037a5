//! [`State`]: what is pending, in one word.
//!
//! ```text
//!  63                                  12 11     9  8      7            6           5       0
//! +--------------------------------------+--------+------+------------+-----------+---------+
//! | address of the one page              | 0      | PAGE | ALL_SPACES | ANY_LEVEL | COUNT   |
//! +--------------------------------------+--------+------+------------+-----------+---------+
//! ```
//!
//! | word | what is pending |
//! |---|---|
//! | 0 | nothing |
//! | 0xffff_0000_0040_3100 | the page 0xffff_0000_0040_3000, and no range is in the list |
//! | 0x02 | the leaves of the two ranges in the list, under the tree's own ASID |
//! | 0x42 | the two ranges with cached pointers to tables |
//! | 0xa1 | everything, under every ASID: 33 ranges are one more than the list holds |
//!
//! One word, because nearly every unmapping finds nothing pending, leaves one page, and its receipt
//! issues that: a comparison with zero, one store, and another to clear it. With the page in the
//! list there would be three stores and a loop (W10 of the benchmark counts them).
#![forbid(unsafe_code)]

use core::mem;

use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::{AddressSpace, InvalidateScope};

/// More ranges than this are invalidated as a whole address space. The Cortex-A53's main TLB has
/// 512 entries (DDI 0500, 5.2), but what an invalidation costs is the broadcast, and what a full
/// one costs is a few hundred refills.
pub(crate) const BY_ADDRESS_LIMIT: usize = 32;

/// The number of ranges, in bits 5:0.
const COUNT: usize = (1 << 6) - 1;
const _: () = assert!(BY_ADDRESS_LIMIT < COUNT);
/// A table was linked or unlinked: cached pointers to tables must go, too. An invalidation of
/// everything reaches them anyway, so of hundreds of tables that go at once none writes the state.
const ANY_LEVEL: usize = 1 << 6;
/// A global leaf is concerned, or one of tables that other trees use under their own ASIDs.
const ALL_SPACES: usize = 1 << 7;
/// There is one range, a page, and its address is in the bits above instead of in the list.
const PAGE: usize = 1 << 8;
/// All that is not the address of a page.
const FLAGS: usize = PAGE_SIZE - 1;

/// The pending invalidations (one page, the number of ranges in a list, or everything), and the
/// levels and ASIDs that they must reach.
#[derive(Clone, Copy)]
pub(in crate::flush) struct State(usize);

// Not generic, and called from generic code that other crates instantiate: without `inline`, each
// call could stay a call into this crate where there is no LTO.
impl State {
    /// Nothing is pending.
    pub(in crate::flush) const EMPTY: Self = Self(0);

    /// The leaf of the page at `va`, under the tree's own ASID.
    #[inline(always)]
    pub(in crate::flush) const fn one_page(va: VirtAddr) -> Self {
        Self(va.as_usize() | PAGE)
    }

    /// Whether nothing is pending. By reference: the compiler then makes one branch of this test
    /// and that of the entry which is mapped (W10: three instructions).
    #[inline(always)]
    pub(in crate::flush) const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Whether one page is all, and its leaf under the tree's own ASID: no other flag is set.
    #[inline(always)]
    pub(in crate::flush) const fn is_page_alone(self) -> bool {
        self.0 & FLAGS == PAGE
    }

    /// The page, where there is one.
    #[inline(always)]
    pub(in crate::flush) const fn page(self) -> VirtAddr {
        VirtAddr::new(self.0 & !FLAGS)
    }

    /// Takes the page out, to be put into the list: from now on one range is counted. The other
    /// flags stay.
    #[inline(always)]
    pub(in crate::flush) const fn take_page(&mut self) -> Option<VirtAddr> {
        if self.0 & PAGE == 0 {
            return None;
        }
        let page = self.page();
        self.0 = ((self.0 - page.as_usize()) & !PAGE) | 1;
        Some(page)
    }

    /// How many ranges are in the list; more than [`BY_ADDRESS_LIMIT`] where everything is pending.
    #[inline(always)]
    pub(in crate::flush) const fn count(self) -> usize {
        self.0 & COUNT
    }

    /// One more range is in the list.
    #[inline(always)]
    pub(in crate::flush) const fn count_one_more(&mut self) {
        self.0 += 1;
    }

    /// From now on everything is pending. How far it must reach stays.
    pub(in crate::flush) const fn set_everything(&mut self) {
        self.0 = self.0 & (ANY_LEVEL | ALL_SPACES) | (BY_ADDRESS_LIMIT + 1);
    }

    /// Cached pointers to tables must go, too.
    #[inline(always)]
    pub(in crate::flush) const fn reach_any_level(&mut self) {
        self.0 |= ANY_LEVEL;
    }

    /// Every ASID must be reached.
    #[inline(always)]
    pub(in crate::flush) const fn reach_all_spaces(&mut self) {
        self.0 |= ALL_SPACES;
    }

    /// How deep the invalidations must reach.
    #[inline(always)]
    pub(in crate::flush) const fn scope(self) -> InvalidateScope {
        if self.0 & ANY_LEVEL != 0 {
            InvalidateScope::AnyLevel
        } else {
            InvalidateScope::LastLevel
        }
    }

    /// The spaces that they must reach, in a tree that belongs to `own`.
    #[inline(always)]
    pub(in crate::flush) const fn space(self, own: AddressSpace) -> AddressSpace {
        if self.0 & ALL_SPACES != 0 {
            AddressSpace::All
        } else {
            own
        }
    }

    /// Returns the state and leaves it empty.
    #[inline(always)]
    pub(in crate::flush) const fn take(&mut self) -> Self {
        mem::replace(self, Self::EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL_SPACES, ANY_LEVEL, BY_ADDRESS_LIMIT, COUNT, FLAGS, PAGE, State};
    use crate::addr::VirtAddr;

    #[test]
    fn the_drawing_of_the_word_is_that_of_the_constants() {
        assert_eq!((COUNT, ANY_LEVEL, ALL_SPACES), (0x3f, 1 << 6, 1 << 7));
        assert_eq!((PAGE, FLAGS), (1 << 8, 0xfff));
        let page = VirtAddr::new(0xffff_0000_0040_3000);
        let mut state = State::one_page(page);
        assert_eq!(state.0, 0xffff_0000_0040_3100);
        assert!(state.is_page_alone() && state.page() == page);
        assert_eq!((state.take_page(), state.0), (Some(page), 0x01));
        assert_eq!((state.take_page(), state.0), (None, 0x01));
        state.count_one_more();
        assert_eq!(state.0, 0x02);
        state.reach_any_level();
        assert_eq!(state.0, 0x42);
        let mut all = State::EMPTY;
        all.reach_all_spaces();
        all.set_everything();
        assert_eq!((all.0, all.count()), (0xa1, BY_ADDRESS_LIMIT + 1));
        assert_eq!((all.take().0, all.0), (0xa1, 0));
    }
}
