//! The page of code that instructions come from.

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
