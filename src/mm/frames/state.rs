//! What is known of one frame: a word, and zero for nearly all of them.
//!
//! | bits | field |
//! |---|---|
//! | 3:0 | order of the block that begins here |
//! | 5:4 | its kind: 0 none begins here, 1 free, 2 allocated, 3 hot |
//! | 31:8 | the next free block of this order, as a frame number |
//! | 63:40 | the one before |
//!
//! # Decisions
//! Only the first frame of a block has a state. A frame with none lies inside a block that begins
//! before it, or is foreign: at most one look for each order tells which. So a block of any size is
//! added, split, merged, allocated and freed without a write to the frames inside.
#![forbid(unsafe_code)]

use super::Order;

/// The frame number that ends a list; no frame has it.
pub(super) const NIL: u32 = (1 << 24) - 1;

const ORDER: u64 = 0xf;
const KIND: u64 = 0x30;
const FREE: u64 = 0x10;
const ALLOCATED: u64 = 0x20;
const HOT: u64 = 0x30;
const NEXT_SHIFT: u32 = 8;
const PREVIOUS_SHIFT: u32 = 40;
/// Zero in every state.
const UNUSED: u64 = 0xff_0000_00c0;

/// One frame's metadata. Opaque; zero says that no block begins at the frame.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(transparent)]
pub struct FrameState(u64);

/// What a block is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// On the list of its order.
    Free,
    /// With a user.
    Allocated,
    /// A free frame on the stack of hot ones.
    Hot,
}

impl FrameState {
    /// No block begins here.
    pub(super) const NONE: Self = Self(0);
    /// A hot frame.
    pub(super) const HOT: Self = Self(HOT);

    /// The first frame of an allocated block.
    pub(super) const fn allocated(order: Order) -> Self {
        Self(ALLOCATED | order.index() as u64)
    }

    /// The first frame of the free block that begins a list, before the block `next`.
    pub(super) const fn first_free(order: usize, next: u32) -> Self {
        let links = (NIL as u64) << PREVIOUS_SHIFT | (next as u64) << NEXT_SHIFT;
        Self(links | FREE | order as u64)
    }

    /// The first frame of the only free block of that order.
    pub(super) const fn alone(order: usize) -> Self {
        Self::first_free(order, NIL)
    }

    /// The same for the next smaller order, which there must be.
    pub(super) const fn smaller(self) -> Self {
        Self(self.0 - 1)
    }

    /// The same for the next larger order, which there must be.
    pub(super) const fn larger(self) -> Self {
        Self(self.0 + 1)
    }

    /// The block that begins here, if one does.
    pub(super) fn block(self) -> Option<(Kind, Order)> {
        let kind = match self.0 & KIND {
            FREE => Kind::Free,
            ALLOCATED => Kind::Allocated,
            HOT => Kind::Hot,
            _ => return None,
        };
        Some((kind, Order::new((self.0 & ORDER) as usize)?))
    }

    /// Whether all bits are as this room writes them.
    pub(super) const fn is_whole(self) -> bool {
        match self.0 & KIND {
            FREE => self.0 & UNUSED == 0,
            HOT => self.0 == HOT,
            // Allocated, or none: no links.
            _ => self.0 & !(KIND | ORDER) == 0,
        }
    }

    /// Whether a free block of that order begins here.
    pub(super) const fn is_free(self, order: usize) -> bool {
        self.0 & (KIND | ORDER) == FREE | order as u64
    }

    /// The next free block of the same order, or [`NIL`].
    pub(super) const fn next(self) -> u32 {
        (self.0 >> NEXT_SHIFT) as u32 & NIL
    }

    /// The free block of the same order before this one, or [`NIL`].
    pub(super) const fn previous(self) -> u32 {
        (self.0 >> PREVIOUS_SHIFT) as u32
    }

    /// With some bits inverted, as by a write from outside.
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
