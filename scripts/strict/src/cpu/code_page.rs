//! The pages that code comes from, and that belong to devices.

use crate::memory::View;

/// The page of code that the last instruction came from.
#[derive(Clone, Copy)]
pub(super) struct Fetch {
    /// Its virtual address, or an address that no page has.
    pub(super) page: u64,
    /// Its physical address.
    pub(super) physical: u64,
    /// Its decoded words.
    pub(super) code: u32,
    /// The copy of RAM that is fetched from.
    pub(super) view: View,
}

impl Fetch {
    /// No page.
    pub(super) fn none() -> Self {
        Self {
            page: u64::MAX,
            physical: 0,
            code: 0,
            view: View::Cached,
        }
    }
}

/// The number of pages of code that are kept; a page's number selects one.
const PAGES: usize = 32;

/// Pages of code that the current level may execute.
pub(super) struct FetchPages([Fetch; PAGES]);

impl FetchPages {
    pub(super) fn new() -> Self {
        Self([Fetch::none(); PAGES])
    }

    pub(super) fn find(&self, address: u64) -> Option<Fetch> {
        let page = address & !0xfff;
        let fetch = self.0[(page >> 12) as usize % PAGES];
        (fetch.page == page).then_some(fetch)
    }

    pub(super) fn insert(&mut self, fetch: Fetch) {
        self.0[(fetch.page >> 12) as usize % PAGES] = fetch;
    }
}

/// A page of devices that the current level may access: a core that waits for a device does little
/// else.
#[derive(Clone, Copy)]
pub(super) struct DevicePage {
    /// Its virtual address.
    pub(super) page: u64,
    /// Its physical address.
    pub(super) physical: u64,
}
