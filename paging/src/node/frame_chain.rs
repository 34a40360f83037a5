//! [`FrameChain`]: frames without a place of their own: tables that were unlinked and go back after
//! their invalidation, or that an operation takes before it begins.
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use crate::addr::PhysAddr;
use crate::node::memory::{Format, Table};
use crate::{GenericPTE, PagingError, PagingHandler, PagingMetaData, PagingResult};

/// A list of frames that is kept in the frames themselves: the first entry names the next one. No
/// memory is needed to remember hundreds of tables until their invalidation has completed.
///
/// ```text
/// head: broken 0x8000_5000 --> frame 0x8000_5000, entry 0: broken 0x8000_1000 --> ... entry 0: unused
/// ```
///
/// It is a table's entry, broken: a walker that still holds a pointer to an unlinked table finds
/// nothing there.
pub struct FrameChain<M, PTE, H> {
    /// An entry with the address of the first frame, broken; unused if there is none.
    head: PTE,
    format: Format<M, PTE, H>,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> FrameChain<M, PTE, H> {
    pub(crate) fn new() -> Self {
        Self {
            head: PTE::from_bits(0),
            format: PhantomData,
        }
    }

    /// The list that [`FrameChain::into_bits`] was.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self {
            head: PTE::from_bits(bits),
            format: PhantomData,
        }
    }

    /// The list as one word; 0 if it is empty.
    pub(crate) fn into_bits(self) -> u64 {
        self.head.bits()
    }

    /// How many frames there are.
    pub(crate) fn len(&self) -> usize {
        let next = |link: &PTE| Some(Table::<M, PTE, H>::at(link.paddr()).load(0));
        let links = core::iter::successors(Some(self.head), next);
        links.take_while(|link| !link.is_unused()).count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_unused()
    }

    /// Takes `count` frames from the handler, or none.
    pub(crate) fn reserve(count: usize) -> PagingResult<Self> {
        let mut chain = Self::new();
        for _ in 0..count {
            match H::alloc_frame() {
                Some(frame) => chain.push(frame),
                None => {
                    chain.release();
                    return Err(PagingError::NoMemory);
                }
            }
        }
        Ok(chain)
    }

    /// Takes ownership of the frame at `pa`.
    #[inline]
    pub(crate) fn push(&mut self, pa: PhysAddr) {
        Table::<M, PTE, H>::at(pa).store(0, self.head);
        self.head = PTE::new_table(pa).broken();
    }

    /// Gives one frame up.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<PhysAddr> {
        if self.head.is_unused() {
            return None;
        }
        let pa = self.head.paddr();
        self.head = Table::<M, PTE, H>::at(pa).load(0);
        Some(pa)
    }

    /// A frame of a reserve, which holds as many as the operation counted before.
    #[expect(clippy::panic, reason = "to go on would lose mappings")]
    pub(crate) fn take(&mut self) -> PhysAddr {
        let Some(frame) = self.pop() else {
            panic!("an operation on a page table reserved too few tables");
        };
        frame
    }

    /// Returns every frame to the handler. If it panics, the rest stay in the chain.
    #[inline]
    pub(crate) fn release(&mut self) {
        while let Some(pa) = self.pop() {
            H::dealloc_frame(pa);
        }
    }
}
