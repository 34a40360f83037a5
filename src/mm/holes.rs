//! The check of the heap's free list, which `linked_list_allocator` itself has none of.
//!
//! Free memory is a list of holes. A hole begins with its size and the address of the next one, two
//! words, so that a write past the end of an allocation hits it first. The list is sorted by
//! address, and what is free and what is given out add up to the heap. Links are not believed: an
//! address is compared with the heap's bounds and the hole before it prior to any read, so that the
//! walk goes upwards only and ends.
//!
//! The walk goes in steps, because the heap's lock masks interrupts: a [`HoleWalk`] remembers where
//! it is.
//!
//! Pure: reads through a closure.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::Range;

use crate::addr::VirtAddr;

/// Bytes of what a hole begins with, which is the smallest hole.
const HEADER: usize = 2 * WORD;
const WORD: usize = size_of::<usize>();

/// The first thing found that must not be, with the values that show it; addresses are virtual. The
/// usual cause is a write past the end of the allocation below.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum HeapViolation {
    /// A link leads to no place for a hole: out of the heap, into its last bytes, or not to a
    /// multiple of a word.
    Link {
        /// Where the link stands.
        at: VirtAddr,
        /// The address that it holds.
        to: VirtAddr,
    },
    /// A link leads back, or into the hole that it belongs to.
    Order {
        /// Where the link stands.
        at: VirtAddr,
        /// The address that it holds.
        to: VirtAddr,
    },
    /// A hole has a size that it cannot have: it would reach past the heap, or is no multiple of a
    /// word, or too small.
    Size {
        /// The hole's first address.
        hole: VirtAddr,
        /// The hole's size in bytes.
        size: usize,
    },
    /// The memory system refuses to read a hole.
    Unreadable {
        /// The hole's first address.
        hole: VirtAddr,
    },
    /// The holes do not add up to what is free.
    Sum {
        /// Bytes in all holes.
        found: usize,
        /// Bytes that the heap says are free.
        free: usize,
    },
}

/// As [`Display`](fmt::Display) has it: what a derive makes of these fields is kilobytes of the
/// image.
impl fmt::Debug for HeapViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for HeapViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { at, to } => {
                write!(f, "the link at {at} leads to {to}: no place for a hole")
            }
            Self::Order { at, to } => write!(f, "the link at {at} leads back to {to}"),
            Self::Size { hole, size } => {
                write!(f, "the hole at {hole} cannot have {size:#x} bytes")
            }
            Self::Unreadable { hole } => write!(f, "the hole at {hole} cannot be read"),
            Self::Sum { found, free } => {
                write!(f, "the holes have {found} bytes, but {free} bytes are free")
            }
        }
    }
}

impl core::error::Error for HeapViolation {}

/// The list as its owner describes it, read anew for every step of a [`HoleWalk`], with the heap's
/// lock held. Addresses are virtual.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct List {
    /// The heap's addresses, first to behind the last.
    pub bounds: Range<usize>,
    /// Bytes that are free.
    pub free: usize,
    /// Where the link to the first hole stands.
    pub head_at: usize,
    /// That link; 0 for none.
    pub head: usize,
}

/// How far a walk of the list has come. If anything was given out or came back since, it must begin
/// again: the caller counts that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HoleWalk {
    /// Where the next link stands, and where it leads; 0 is the end.
    at: usize,
    next: usize,
    /// Behind the last hole.
    end: usize,
    /// Holes that were met so far.
    pub holes: usize,
    /// Bytes in these holes.
    pub bytes: usize,
}

impl HoleWalk {
    /// At the beginning of `list`.
    #[must_use]
    pub const fn new(list: &List) -> Self {
        Self {
            at: list.head_at,
            next: list.head,
            end: list.bounds.start,
            holes: 0,
            bytes: 0,
        }
    }

    /// Looks at `steps` more holes of `list`, at most. Returns whether the end was reached, with a
    /// sum that is right. `read` reads a word in the heap's bounds, if that can be read.
    ///
    /// # Errors
    /// The first [`HeapViolation`].
    pub fn go_on(
        &mut self,
        list: &List,
        steps: usize,
        mut read: impl FnMut(VirtAddr) -> Option<usize>,
    ) -> Result<bool, HeapViolation> {
        for _ in 0..steps {
            if self.next == 0 {
                return self.sum(list).map(|()| true);
            }
            self.hole(list, &mut read)?;
        }
        Ok(false)
    }

    fn hole(
        &mut self,
        list: &List,
        read: &mut impl FnMut(VirtAddr) -> Option<usize>,
    ) -> Result<(), HeapViolation> {
        let (at, to) = (VirtAddr::new(self.at), VirtAddr::new(self.next));
        let last = list.bounds.end.saturating_sub(HEADER);
        if !(list.bounds.start..=last).contains(&self.next) || !self.next.is_multiple_of(WORD) {
            return Err(HeapViolation::Link { at, to });
        }
        if self.next < self.end {
            return Err(HeapViolation::Order { at, to });
        }
        let unreadable = HeapViolation::Unreadable { hole: to };
        let size = read(to).ok_or(unreadable)?;
        let room = list.bounds.end - self.next;
        if !(HEADER..=room).contains(&size) || !size.is_multiple_of(WORD) {
            return Err(HeapViolation::Size { hole: to, size });
        }
        let link = self.next + WORD;
        self.end = self.next + size;
        self.next = read(VirtAddr::new(link)).ok_or(unreadable)?;
        self.at = link;
        self.holes += 1;
        self.bytes += size;
        Ok(())
    }

    fn sum(&self, list: &List) -> Result<(), HeapViolation> {
        let (found, free) = (self.bytes, list.free);
        if found == free {
            return Ok(());
        }
        Err(HeapViolation::Sum { found, free })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{HeapViolation, HoleWalk, List};
    use crate::addr::VirtAddr;

    const BOTTOM: usize = 0xffff_8000_4000_1000;
    const HEAD_AT: usize = 0xffff_0000_000c_0000;

    /// A heap of 4 KiB with holes at 0x20 (0x10 bytes), 0x100 (0x40) and 0x800 to the end.
    fn sound() -> (List, BTreeMap<usize, usize>) {
        let list = List {
            bounds: BOTTOM..BOTTOM + 0x1000,
            free: 0x10 + 0x40 + 0x800,
            head_at: HEAD_AT,
            head: BOTTOM + 0x20,
        };
        let words = [
            (0x20, 0x10),
            (0x28, BOTTOM + 0x100),
            (0x100, 0x40),
            (0x108, BOTTOM + 0x800),
            (0x800, 0x800),
            (0x808, 0),
        ];
        let words = words.map(|(offset, word)| (BOTTOM + offset, word));
        (list, words.into())
    }

    fn walk(
        list: &List,
        words: &BTreeMap<usize, usize>,
        steps: usize,
    ) -> Result<HoleWalk, HeapViolation> {
        let mut walk = HoleWalk::new(list);
        let read = |at: VirtAddr| words.get(&at.as_usize()).copied();
        for _ in 0..1000 {
            if walk.go_on(list, steps, read)? {
                return Ok(walk);
            }
        }
        panic!("the walk does not end");
    }

    /// The violation when the word at an offset of the heap is another.
    fn with(offset: usize, word: usize) -> HeapViolation {
        let (list, mut words) = sound();
        words.insert(BOTTOM + offset, word);
        walk(&list, &words, 7).unwrap_err()
    }

    const fn va(offset: usize) -> VirtAddr {
        VirtAddr::new(BOTTOM + offset)
    }

    #[test]
    fn a_sound_list_is_counted_in_steps_of_any_length() {
        let (list, words) = sound();
        for steps in [1, 2, 3, 4, 100] {
            let walk = walk(&list, &words, steps).unwrap();
            assert_eq!((walk.holes, walk.bytes), (3, 0x850));
        }
        let full = List {
            free: 0,
            head: 0,
            ..list
        };
        assert_eq!(walk(&full, &words, 1).unwrap().holes, 0);
    }

    #[test]
    fn a_link_out_of_the_heap_is_found_where_it_stands_and_not_followed() {
        let outside = [
            8,
            BOTTOM - 0x10,
            BOTTOM + 0x1000,
            BOTTOM + 0xff8,
            BOTTOM + 0x104,
            usize::MAX,
        ];
        for to in outside {
            let (at, to) = (va(0x28), VirtAddr::new(to));
            assert_eq!(with(0x28, to.as_usize()), HeapViolation::Link { at, to });
        }
        let (list, words) = sound();
        let list = List {
            head: 0x1234_5678,
            ..list
        };
        let (at, to) = (VirtAddr::new(HEAD_AT), VirtAddr::new(0x1234_5678));
        assert_eq!(walk(&list, &words, 1), Err(HeapViolation::Link { at, to }));
    }

    #[test]
    fn a_link_back_or_into_the_hole_itself_is_found() {
        for (offset, to) in [(0x108, 0x20), (0x108, 0x100), (0x108, 0x138), (0x28, 0x28)] {
            let (at, to) = (va(offset), va(to));
            assert_eq!(with(offset, to.as_usize()), HeapViolation::Order { at, to });
        }
    }

    #[test]
    fn a_size_that_no_hole_can_have_is_found() {
        for size in [0, 8, 0x14, 0xf01, 0x1000, usize::MAX, usize::MAX & !7] {
            let hole = va(0x100);
            assert_eq!(with(0x100, size), HeapViolation::Size { hole, size });
        }
    }

    #[test]
    fn a_size_that_reaches_over_the_next_hole_and_one_that_is_too_small_are_found() {
        let (at, to) = (va(0x108), va(0x800));
        assert_eq!(with(0x100, 0x708), HeapViolation::Order { at, to });
        assert_eq!(
            with(0x100, 0x38),
            HeapViolation::Sum {
                found: 0x848,
                free: 0x850
            }
        );
        assert_eq!(
            with(0x108, 0),
            HeapViolation::Sum {
                found: 0x50,
                free: 0x850
            }
        );
    }

    #[test]
    fn a_hole_that_cannot_be_read_is_told() {
        let (list, mut words) = sound();
        words.remove(&(BOTTOM + 0x108));
        let hole = va(0x100);
        assert_eq!(
            walk(&list, &words, 9),
            Err(HeapViolation::Unreadable { hole })
        );
    }
}
