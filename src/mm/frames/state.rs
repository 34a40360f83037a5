//! The state of one frame: a word of 64 bits, 0 for every frame but the first of a block.
//!
//! A free block of order 2 at frame 12, the only one on its list, has the word
//! `0xffffff00_ffffff12` at frame 12 (order 2, kind 1, both links [`NIL`]), and zeros at frames 13
//! to 15.
//!
//! | bits | field |
//! |---|---|
//! | 3:0 | order of the block that begins here |
//! | 5:4 | its kind: 0 none begins here, 1 free, 2 allocated, 3 cached |
//! | 31:8 | the next free block of this order, as a frame number |
//! | 63:40 | the free block before it on that list |
//!
//! A single frame in use has the number of its references beyond the first in 31:8 and again in
//! 63:40: `0x00000200_00000220` is a frame with three owners. Both fields are 0 for nearly all, and
//! differ only where somebody else wrote.
//!
//! # Decisions
//! Only the first frame of a block has a state. A frame with none lies inside a block that begins
//! before it, or belongs to nobody: for frame 13 the states of frames 12, 12, 8, 0 (13 with its
//! lowest 1, 2, 3, 4 bits cleared) tell which. So a block of any size is added, split, merged,
//! allocated and freed without a write to the frames inside.
#![forbid(unsafe_code)]

use super::Order;

/// The frame number that ends a list; no frame has it.
pub(super) const NIL: u32 = (1 << 24) - 1;

const ORDER: u64 = 0xf;
const KIND: u64 = 0x30;
const FREE: u64 = 0x10;
const ALLOCATED: u64 = 0x20;
const CACHED: u64 = 0x30;
const NEXT_SHIFT: u32 = 8;
const PREVIOUS_SHIFT: u32 = 40;
/// A reference to a single frame in use, in both fields.
const ONE_REFERENCE: u64 = 1 << NEXT_SHIFT | 1 << PREVIOUS_SHIFT;
/// Zero in every state.
const UNUSED: u64 = 0xff_0000_00c0;

/// One frame's state. Opaque; zero says that no block begins at the frame. The allocator's metadata
/// is one for each 4 KiB of address space below the end of RAM, 8 bytes each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(transparent)]
pub struct FrameState(u64);

/// The use of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BlockKind {
    /// On the list of its order.
    Free,
    /// Allocated, and not freed since.
    Allocated,
    /// A single free frame in the cache of those freed last.
    Cached,
}

impl FrameState {
    /// No block begins here.
    pub(super) const NONE: Self = Self(0);
    /// A cached frame.
    pub(super) const CACHED: Self = Self(CACHED);

    /// The first frame of an allocated block.
    pub(super) const fn allocated(order: Order) -> Self {
        Self(ALLOCATED | order.index() as u64)
    }

    /// The first frame of the free block that begins a list, before the block `next`.
    pub(super) const fn first_free(order: usize, next: u32) -> Self {
        let links = (NIL as u64) << PREVIOUS_SHIFT | (next as u64) << NEXT_SHIFT;
        Self(links | FREE | order as u64)
    }

    /// The first frame of the only free block of order `order`.
    pub(super) const fn only_free(order: usize) -> Self {
        Self::first_free(order, NIL)
    }

    /// A state of [`only_free`](Self::only_free) with the order one less: 4 becomes 3. Not for
    /// order 0.
    pub(super) const fn smaller(self) -> Self {
        Self(self.0 - 1)
    }

    /// A state of [`only_free`](Self::only_free) with the order one more: 3 becomes 4. Not for the
    /// largest.
    pub(super) const fn larger(self) -> Self {
        Self(self.0 + 1)
    }

    /// The block that begins here, if one does.
    // Whoever looks for a block asks frame by frame.
    #[inline]
    pub(super) fn block(self) -> Option<(BlockKind, Order)> {
        let kind = match self.0 & KIND {
            FREE => BlockKind::Free,
            ALLOCATED => BlockKind::Allocated,
            CACHED => BlockKind::Cached,
            _ => return None,
        };
        Some((kind, Order::new((self.0 & ORDER) as usize)?))
    }

    /// Whether the word is one that the allocator writes: no other bits are set.
    pub(super) const fn is_whole(self) -> bool {
        match self.0 & KIND {
            FREE => self.0 & UNUSED == 0,
            CACHED => self.0 == CACHED,
            ALLOCATED if self.0 & ORDER == 0 => {
                self.0 & UNUSED == 0 && self.next() == self.previous()
            }
            // Larger and allocated, or none: no links.
            _ => self.0 & !(KIND | ORDER) == 0,
        }
    }

    /// Whether a free block of order `order` begins here.
    pub(super) const fn is_free(self, order: usize) -> bool {
        self.0 & (KIND | ORDER) == FREE | order as u64
    }

    /// The references to a single frame in use: 1 for one that [`allocated`](Self::allocated) made.
    /// `None` for anything else.
    pub(super) const fn references(self) -> Option<u32> {
        match self.0 & (KIND | ORDER) {
            ALLOCATED => Some(1 + self.next()),
            _ => None,
        }
    }

    /// A single frame in use with one reference more; `None` past 2^24.
    pub(super) const fn with_one_more(self) -> Option<Self> {
        if self.next() == NIL {
            return None;
        }
        Some(Self(self.0 + ONE_REFERENCE))
    }

    /// A single frame in use, of several references, with one less.
    pub(super) const fn with_one_less(self) -> Self {
        Self(self.0 - ONE_REFERENCE)
    }

    /// The next free block of the same order, or [`NIL`].
    pub(super) const fn next(self) -> u32 {
        (self.0 >> NEXT_SHIFT) as u32 & NIL
    }

    /// The free block of the same order before this one, or [`NIL`].
    pub(super) const fn previous(self) -> u32 {
        (self.0 >> PREVIOUS_SHIFT) as u32
    }

    /// The word with `bits` inverted, as by a write from outside.
    #[cfg(test)]
    pub(super) const fn with(self, bits: u64) -> Self {
        Self(self.0 ^ bits)
    }

    /// Sets what [`next`](Self::next) says.
    pub(super) const fn set_next(&mut self, next: u32) {
        self.0 &= !((NIL as u64) << NEXT_SHIFT);
        self.0 |= (next as u64) << NEXT_SHIFT;
    }

    /// Sets what [`previous`](Self::previous) says.
    pub(super) const fn set_previous(&mut self, previous: u32) {
        self.0 &= !((NIL as u64) << PREVIOUS_SHIFT);
        self.0 |= (previous as u64) << PREVIOUS_SHIFT;
    }
}
