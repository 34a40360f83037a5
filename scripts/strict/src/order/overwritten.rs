//! Values that were overwritten a short time ago.
//!
//! 1. core 1 stores the data, and then with release a flag;
//! 2. core 0 loads the flag, and then the data, without acquire: the load of the data may have been
//!    performed before the store of step 1, and gets what was there before;
//! 3. core 0 loads the data again: it has got the new value now, and keeps getting it (DDI 0487
//!    B2.3.8, coherence).
//!
//! # Decisions
//! - A direct-mapped table of words, so that a load costs one comparison. A word that is displaced
//!   is no longer found: a liberty is not taken.
//! - Step 3 is kept as a bit a core, cleared by the next store of another core.

/// The number of words that are kept: 2 to this power.
const BITS: u32 = 9;

/// A word before the last store to it.
#[derive(Clone, Copy)]
struct Word {
    /// The physical address, a multiple of 8.
    address: u64,
    /// The number of stores before that one.
    stores: u64,
    /// The value before it.
    value: u64,
    /// The virtual address of the instruction that stored.
    at: u64,
    /// The cores that have seen the store, a bit each.
    seen: u8,
}

/// The last words that were overwritten.
pub(crate) struct Overwritten {
    words: Vec<Word>,
    stores: u64,
}

/// A value that a load may get that was performed early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Former {
    /// The eight bytes at the load's address, rounded down to a multiple of 8.
    pub(crate) value: u64,
    /// The number of stores before the one that overwrote it.
    pub(crate) stores: u64,
    /// The virtual address of the instruction that overwrote it.
    pub(crate) at: u64,
}

impl Overwritten {
    pub(crate) fn new() -> Self {
        let none = Word {
            address: u64::MAX,
            stores: 0,
            value: 0,
            at: 0,
            seen: u8::MAX,
        };
        Self {
            words: vec![none; 1 << BITS],
            stores: 0,
        }
    }

    /// The number of stores that were performed.
    #[inline]
    pub(crate) fn stores(&self) -> u64 {
        self.stores
    }

    /// A core's store, executed at `at`, is performed to the word at `address`, whose value is
    /// `value`.
    pub(crate) fn add(&mut self, core: usize, at: u64, address: u64, value: u64) {
        self.words[index(address)] = Word {
            address: address & !7,
            stores: self.stores,
            value,
            at,
            seen: 1 << core,
        };
        self.stores += 1;
    }

    /// The value before the last store to the word at `address`, if the core has not seen that store.
    #[inline]
    pub(crate) fn former(&self, core: usize, address: u64) -> Option<Former> {
        let word = &self.words[index(address)];
        (word.address == address & !7 && word.seen >> core & 1 == 0).then_some(Former {
            value: word.value,
            stores: word.stores,
            at: word.at,
        })
    }

    /// The core sees the last store to the word at `address`.
    pub(crate) fn see(&mut self, core: usize, address: u64) {
        let word = &mut self.words[index(address)];
        if word.address == address & !7 {
            word.seen |= 1 << core;
        }
    }
}

/// The place of a word. Data at one offset in several pages is common, so all bits count.
fn index(address: u64) -> usize {
    ((address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::Overwritten;

    #[test]
    fn a_store_is_overlooked_by_others_until_they_see_it() {
        let mut overwritten = Overwritten::new();
        overwritten.add(1, 0x80, 0x1004, 7);
        assert_eq!(overwritten.former(1, 0x1000), None, "the storing core");
        let former = overwritten.former(0, 0x1000).expect("not seen yet");
        assert_eq!((former.value, former.stores, former.at), (7, 0, 0x80));
        assert_eq!(overwritten.former(0, 0x1008), None, "another word");
        overwritten.see(0, 0x1000);
        assert_eq!(overwritten.former(0, 0x1000), None);
        assert!(overwritten.former(2, 0x1000).is_some());
        overwritten.add(1, 0x84, 0x1000, 8);
        assert_eq!(
            overwritten.former(0, 0x1000).map(|former| former.value),
            Some(8)
        );
        assert_eq!(overwritten.stores(), 2);
    }
}
