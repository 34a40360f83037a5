//! Tiny geometries in real formats: [`Spread`], entries whose addresses are spread out, and a small
//! memory that can be saved and put back.
//!
//! A table of the tiny geometry has 2 or 4 entries. Each digit of a frame's number, as long as an
//! index, takes the place of a digit of 9 bits in the real entry: what is aligned to a block there
//! is aligned to a real one here, and all checks of the format hold.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use std::boxed::Box;
use std::thread_local;
use std::vec::Vec;

use crate::addr::{PhysAddr, VirtAddr};
use crate::tests::K4;
use crate::tests::formats::Format;
use crate::{
    ENTRIES, GenericPTE, MappingFlags, PageSize, PagingHandler, PagingMetaData, PagingResult,
};

/// Levels of a tiny tree.
pub(super) const LEVELS: usize = 3;
/// Frames of a thread's tiny memory.
const FRAMES: usize = 32;
/// The entries of a frame that are ever used.
const WORDS: usize = 4;

/// An entry of format `P` in a geometry with `BITS` of index; groups of `GROUP` leaves have the
/// contiguous hint, if the format has one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Spread<P, const BITS: usize, const GROUP: usize>(P);

/// Moves the digits of a frame's number, `from` bits each, `to` bits apart.
fn move_digits(frame: usize, from: usize, to: usize) -> usize {
    let mask = (1 << from.min(to)) - 1;
    let digits = (0..LEVELS).map(|digit| (frame >> (digit * from) & mask) << (digit * to));
    digits.sum::<usize>() | frame >> (LEVELS * from) << (LEVELS * to)
}

fn spread<const BITS: usize>(pa: PhysAddr) -> PhysAddr {
    let frame = pa.as_usize() / K4;
    PhysAddr::new(move_digits(frame, BITS, 9) * K4 + pa.as_usize() % K4)
}

fn gather<const BITS: usize>(pa: PhysAddr) -> PhysAddr {
    PhysAddr::new(move_digits(pa.as_usize() / K4, 9, BITS) * K4)
}

// SAFETY: an entry is one of `P`; spreading and gathering are each other's inverse on the frames of
// a tiny memory.
unsafe impl<P: GenericPTE, const BITS: usize, const GROUP: usize> GenericPTE
    for Spread<P, BITS, GROUP>
{
    const COUNTS: bool = P::COUNTS;
    const CONTIGUOUS: usize = GROUP;
    const SOFTWARE: u64 = P::SOFTWARE;
    const SWAP: bool = P::SWAP;

    fn new_page(pa: PhysAddr, flags: MappingFlags, size: PageSize) -> PagingResult<Self> {
        P::new_page(spread::<BITS>(pa), flags, size).map(Self)
    }

    fn new_table(pa: PhysAddr) -> Self {
        Self(P::new_table(spread::<BITS>(pa)))
    }

    fn from_bits(bits: u64) -> Self {
        Self(P::from_bits(bits))
    }

    fn bits(self) -> u64 {
        self.0.bits()
    }

    fn paddr(self) -> PhysAddr {
        gather::<BITS>(self.0.paddr())
    }

    fn flags(self) -> MappingFlags {
        self.0.flags()
    }

    fn set_paddr(&mut self, pa: PhysAddr, size: PageSize) -> PagingResult {
        self.0.set_paddr(spread::<BITS>(pa), size)
    }

    fn set_flags(&mut self, flags: MappingFlags, size: PageSize) -> PagingResult {
        self.0.set_flags(flags, size)
    }

    fn is_present(self) -> bool {
        self.0.is_present()
    }

    fn is_huge(self) -> bool {
        self.0.is_huge()
    }

    fn address_mask(size: PageSize) -> u64 {
        P::address_mask(size)
    }

    fn next(self, size: PageSize) -> Self {
        let bytes = K4 << (BITS * size.levels_below());
        let pa = PhysAddr::new(self.paddr().as_usize() + bytes);
        let mut next = self;
        next.set_paddr(pa, size).expect("a frame after this one");
        next
    }

    fn needs_break(self, new: Self) -> bool {
        self.0.needs_break(new.0)
    }

    fn broken(self) -> Self {
        Self(self.0.broken())
    }

    fn is_broken(self) -> bool {
        self.0.is_broken()
    }

    fn new_swap(value: u32) -> Self {
        Self(P::new_swap(value))
    }

    fn swap(self) -> Option<u32> {
        self.0.swap()
    }

    fn is_page(self) -> bool {
        self.0.is_page()
    }

    fn with_count(self, count: usize) -> Self {
        Self(self.0.with_count(count))
    }

    fn count(self) -> usize {
        self.0.count()
    }

    fn is_contiguous(self) -> bool {
        GROUP > 1 && self.0.is_contiguous()
    }

    fn with_contiguous(self) -> Self {
        Self(self.0.with_contiguous())
    }

    fn without_contiguous(self) -> Self {
        Self(self.0.without_contiguous())
    }
}

/// The tiny geometry with `BITS` of index; all else is as in `F`.
pub(super) struct TinyMetaData<F, const BITS: usize>(core::marker::PhantomData<fn() -> F>);

// SAFETY: no hardware walks these trees; offsets are addresses.
unsafe impl<F: Format, const BITS: usize> PagingMetaData for TinyMetaData<F, BITS> {
    const LEVELS: usize = LEVELS;
    const INDEX_BITS: usize = BITS;
    const PA_MAX_BITS: usize = 24;
    const CACHES_INVALID: bool = F::M::CACHES_INVALID;
    type Maintenance = <F::M as PagingMetaData>::Maintenance;

    fn vaddr_is_valid(va: VirtAddr) -> bool {
        va.as_usize() >> Self::VA_MAX_BITS == 0
    }

    fn vaddr_at(offset: usize) -> VirtAddr {
        VirtAddr::new(offset)
    }
}

struct Tiny {
    frames: Box<[[AtomicU64; ENTRIES]]>,
    /// A bit for each owned frame.
    owned: Cell<u32>,
    budget: Cell<usize>,
}

thread_local! {
    static TINY: Tiny = Tiny {
        frames: (0..FRAMES).map(|_| [const { AtomicU64::new(!0) }; ENTRIES]).collect(),
        owned: const { Cell::new(0) },
        budget: const { Cell::new(usize::MAX) },
    };
}

impl Tiny {
    fn owned(&self, pa: PhysAddr) -> &[AtomicU64; ENTRIES] {
        let frame = pa.as_usize() / K4;
        let owned = self.owned.get().checked_shr(frame as u32).unwrap_or(0);
        assert!(owned & 1 == 1, "{pa:?} is not owned");
        &self.frames[frame]
    }

    fn fill(&self, pa: PhysAddr, bits: u64) {
        for word in self.owned(pa).iter().take(WORDS) {
            word.store(bits, Ordering::Relaxed);
        }
    }
}

/// Frames of [`TINY`], the lowest first; those handed out hold garbage.
pub(super) struct TinyFrames;

// SAFETY: a frame that is owned is not handed out again; its memory is there as long as its thread,
// which the tests do not leave.
unsafe impl PagingHandler for TinyFrames {
    fn alloc_frame() -> Option<PhysAddr> {
        TINY.with(|tiny| {
            tiny.budget.set(tiny.budget.get().checked_sub(1)?);
            let frame = tiny.owned.get().trailing_ones();
            let bit = 1_u32.checked_shl(frame)?;
            tiny.owned.set(tiny.owned.get() | bit);
            let pa = PhysAddr::new(frame as usize * K4);
            tiny.fill(pa, 0x0000_dead_beef_f003);
            Some(pa)
        })
    }

    fn dealloc_frame(pa: PhysAddr) {
        TINY.with(|tiny| {
            tiny.owned(pa);
            let bit = 1 << (pa.as_usize() / K4);
            tiny.owned.set(tiny.owned.get() & !bit);
        });
    }

    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        TINY.with(|tiny| VirtAddr::new(tiny.owned(pa).as_ptr() as usize))
    }

    fn zero_frame(pa: PhysAddr) {
        TINY.with(|tiny| tiny.fill(pa, 0));
    }
}

/// From now on `budget` allocations succeed.
pub(super) fn set_budget(budget: usize) {
    TINY.with(|tiny| tiny.budget.set(budget));
}

/// Frames in use.
pub(super) fn live() -> usize {
    TINY.with(|tiny| tiny.owned.get().count_ones() as usize)
}

/// What is in the owned frames, and which they are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Saved {
    owned: u32,
    words: Vec<u64>,
}

/// The frames whose bits are set.
fn frames(mut owned: u32) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let frame = owned.trailing_zeros();
        owned &= owned.wrapping_sub(1);
        (frame < u32::BITS).then_some(frame as usize)
    })
}

impl Saved {
    /// The memory as it is; `words` of each frame count.
    pub(super) fn now(words: usize) -> Self {
        TINY.with(|tiny| {
            let owned = tiny.owned.get();
            let used = frames(owned).flat_map(|frame| tiny.frames[frame].iter().take(words));
            let words = used.map(|word| word.load(Ordering::Relaxed)).collect();
            Self { owned, words }
        })
    }

    /// Whether the memory is still like this.
    pub(super) fn holds(&self, words: usize) -> bool {
        TINY.with(|tiny| {
            let used = frames(self.owned).flat_map(|frame| tiny.frames[frame].iter().take(words));
            let now = used.map(|word| word.load(Ordering::Relaxed));
            tiny.owned.get() == self.owned && now.eq(self.words.iter().copied())
        })
    }

    /// Makes the memory like this again.
    pub(super) fn restore(&self, words: usize) {
        TINY.with(|tiny| {
            tiny.owned.set(self.owned);
            let used = frames(self.owned).flat_map(|frame| tiny.frames[frame].iter().take(words));
            for (word, bits) in used.zip(&self.words) {
                word.store(*bits, Ordering::Relaxed);
            }
        });
    }
}

#[test]
fn a_tiny_block_is_as_many_tiny_leaves_as_its_table_has_entries() {
    use crate::node::geometry::leaf_bytes;
    use crate::tests::formats::A64High;
    let two = PageSize::ALL.map(leaf_bytes::<TinyMetaData<A64High, 1>>);
    let four = PageSize::ALL.map(leaf_bytes::<TinyMetaData<A64High, 2>>);
    assert_eq!(two, [K4, 2 * K4, 4 * K4]);
    assert_eq!(four, [K4, 4 * K4, 16 * K4]);
}
