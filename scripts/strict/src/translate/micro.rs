//! Translations of ordinary RAM, ready for the next access of the same core at the same level.

/// The number of entries; a page's number selects one.
const ENTRIES: usize = 256;

/// No page has this number.
const NO_PAGE: u64 = u64::MAX;

#[derive(Clone, Copy)]
struct Entry {
    page: u64,
    slot: u32,
}

/// A direct-mapped table from pages (virtual address / 4096) to the slots of RAM that they map.
///
/// It holds pages whose accesses are plain: Normal cacheable RAM, permitted at the current level.
/// Every change of level, root or control, and every invalidation, empties it: it saves time and
/// decides nothing.
pub(crate) struct MicroTlb {
    entries: [Entry; ENTRIES],
}

impl MicroTlb {
    /// A table without a translation.
    pub(crate) fn new() -> Self {
        Self {
            entries: [Entry {
                page: NO_PAGE,
                slot: 0,
            }; ENTRIES],
        }
    }

    /// The slot of the page of `address`.
    #[inline]
    pub(crate) fn find(&self, address: u64) -> Option<u32> {
        let page = address >> 12;
        let entry = &self.entries[page as usize % ENTRIES];
        (entry.page == page).then_some(entry.slot)
    }

    /// Notes the slot of the page of `address`.
    pub(crate) fn insert(&mut self, address: u64, slot: u32) {
        let page = address >> 12;
        self.entries[page as usize % ENTRIES] = Entry { page, slot };
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        for entry in &mut self.entries {
            entry.page = NO_PAGE;
        }
    }
}
