//! The memory of tables: the only place where an entry is read or written.
//!
//! Every access is one 64-bit atomic, because a hardware walker or another core's walk may be there
//! at the same time: it finds the old or the new descriptor, never half of each (DDI 0487 B2.2.1,
//! single-copy atomicity). No reference to an entry outlives the access. The loads and stores are
//! relaxed; what order a change needs, `Maintenance` makes with barriers.
//!
//! Runs of entries are worked on eight or sixteen at a time, with one decision for all of them:
//! that is most of what changing a range costs (W1, W5, W6 of the benchmark).
#![expect(unsafe_code, reason = "tables are reached by their address")]

use core::marker::PhantomData;
use core::ops::{ControlFlow, Range};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use core::{array, slice};

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::frame::with_frame;
use crate::node::geometry::{assert_geometry, entries};
use crate::{ENTRIES, GenericPTE, Maintenance, PageSize, PagingHandler, PagingMetaData};

/// The format that memory is read in, and how it is reached.
pub(crate) type Format<M, PTE, H> = PhantomData<fn() -> (M, PTE, H)>;

/// How many entries the loops over runs treat at once: what a loop costs is shared by them.
const UNROLL: usize = 8;

/// Stores `leaf` and returns the leaf of the frames behind it.
#[inline(always)]
fn put<M: PagingMetaData, PTE: GenericPTE>(slot: &AtomicU64, leaf: PTE, size: PageSize) -> PTE {
    M::Maintenance::store(slot, leaf.bits());
    leaf.next(size)
}

/// Whether all of a few entries are present: one branch for all of them.
#[inline(always)]
fn all_present<PTE: GenericPTE>(slots: &[AtomicU64]) -> bool {
    let present = |slot: &AtomicU64| PTE::from_bits(slot.load(Ordering::Relaxed)).is_present();
    slots.iter().fold(true, |all, slot| all & present(slot))
}

/// A table: where the frame that holds its entries is reached.
///
/// # Invariants
/// The frame is a table of a live tree of format `PTE`, or a frame that this room owns.
pub(crate) struct Table<M, PTE, H> {
    at: VirtAddr,
    format: Format<M, PTE, H>,
}

impl<M, PTE, H> Clone for Table<M, PTE, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, PTE, H> Copy for Table<M, PTE, H> {}

/// One entry of a [`Table`]: what Linux calls a `ptep`. Its address is worked out once, for reading
/// and for writing.
///
/// # Invariants
/// `at` is the address of an entry of a [`Table`], for which that one's invariant holds.
pub(crate) struct EntryRef<M, PTE> {
    at: NonNull<AtomicU64>,
    format: PhantomData<fn() -> (M, PTE)>,
}

impl<M, PTE> Clone for EntryRef<M, PTE> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, PTE> Copy for EntryRef<M, PTE> {}

impl<M: PagingMetaData, PTE: GenericPTE> EntryRef<M, PTE> {
    /// Reads the entry, once: what a walker may change meanwhile (an accessed bit) is read anew by
    /// whoever asks again.
    #[inline(always)]
    pub(crate) fn load(self) -> PTE {
        // SAFETY: by the invariant, an aligned word that is readable; the access is atomic.
        let slot = unsafe { self.at.as_ref() };
        PTE::from_bits(slot.load(Ordering::Relaxed))
    }

    /// Writes the entry.
    #[inline(always)]
    pub(crate) fn store(self, entry: PTE) {
        // SAFETY: by the invariant, an aligned word that is writable; the access is atomic.
        let slot = unsafe { self.at.as_ref() };
        M::Maintenance::store(slot, entry.bits());
        M::Maintenance::count_stores(1);
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Table<M, PTE, H> {
    /// The table in the frame at `pa`, for which the invariant holds.
    #[inline(always)]
    pub(crate) fn at(pa: PhysAddr) -> Self {
        const { assert_geometry::<M, PTE>() }
        Self {
            at: H::phys_to_virt(pa),
            format: PhantomData,
        }
    }

    /// The page through which the table is read and written: unmapping it would take the table away
    /// from the one who changes it.
    pub(crate) const fn window(self) -> VirtAddr {
        self.at
    }

    /// The entries from `first` on, `count` of them or as many as there are.
    #[inline(always)]
    fn with_run<R>(self, first: usize, count: usize, work: impl FnOnce(&[AtomicU64]) -> R) -> R {
        with_frame(self.at, |slots| {
            work(slots.get(first..first + count).unwrap_or_default())
        })
    }

    /// Entry `index`, to be read and written: its address is worked out once.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "a remainder is below the divisor")]
    pub(crate) fn entry_ref(self, index: usize) -> EntryRef<M, PTE> {
        EntryRef {
            at: with_frame(self.at, |slots| NonNull::from(&slots[index % ENTRIES])),
            format: PhantomData,
        }
    }

    /// Reads entry `index`.
    #[inline(always)]
    pub(crate) fn load(self, index: usize) -> PTE {
        self.entry_ref(index).load()
    }

    /// Writes entry `index`.
    #[inline(always)]
    pub(crate) fn store(self, index: usize, entry: PTE) {
        self.entry_ref(index).store(entry);
    }

    /// The index of the first used entry of `count` from `first` on, or of as many as the table
    /// has.
    pub(crate) fn first_used(self, first: usize, count: usize) -> Option<usize> {
        let used = |slot: &AtomicU64| slot.load(Ordering::Relaxed) != 0;
        self.with_run(first, count, |run| {
            // Sixteen at a time, with one test for all: most of a table that is nearly empty.
            let mut at = 0;
            while let Some(chunk) = run.get(at..at + 2 * UNROLL) {
                let or = |any, slot: &AtomicU64| any | slot.load(Ordering::Relaxed);
                if chunk.iter().fold(0, or) != 0 {
                    break;
                }
                at += 2 * UNROLL;
            }
            let rest = run.get(at..).unwrap_or_default();
            rest.iter().position(used).map(|index| first + at + index)
        })
    }

    /// The first used entry of `range`: its index and the entry.
    #[inline(always)]
    pub(crate) fn next_used(self, range: Range<usize>) -> Option<(usize, PTE)> {
        if range.is_empty() {
            return None;
        }
        // In most tables it is the very first one.
        let entry = self.load(range.start);
        if !entry.is_unused() {
            return Some((range.start, entry));
        }
        let index = self.first_used(range.start, range.len())?;
        Some((index, self.load(index)))
    }

    /// Shows `visit` every used entry with its index, in the order of addresses: what is looked at
    /// again after a change is found by its index.
    #[inline(always)]
    pub(crate) fn each_used(self, mut visit: impl FnMut(usize, PTE)) {
        let mut index = 0;
        while index < entries::<M>() {
            let entry = self.load(index);
            if !entry.is_unused() {
                visit(index, entry);
                index += 1;
                continue;
            }
            // Tables of the upper levels are mostly empty.
            match self.first_used(index, entries::<M>() - index) {
                Some(next) => index = next,
                None => return,
            }
        }
    }

    /// Shows `visit` every entry, each with the address of the page that it translates; the first
    /// is `va`.
    #[inline(always)]
    pub(crate) fn each<B>(
        self,
        va: VirtAddr,
        mut visit: impl FnMut(VirtAddr, PTE) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.with_run(0, entries::<M>(), |run| {
            let mut va = va.as_usize();
            let mut show = |slot: &AtomicU64| {
                let entry = PTE::from_bits(slot.load(Ordering::Relaxed));
                let this = VirtAddr::new(va);
                va = va.wrapping_add(PAGE_SIZE);
                visit(this, entry)
            };
            let (chunks, rest) = run.as_chunks::<UNROLL>();
            for chunk in chunks {
                chunk.iter().try_for_each(&mut show)?;
            }
            rest.iter().try_for_each(show)
        })
    }

    /// The last used entry of `count` from `first` on, for those who go through a tree backwards.
    pub(crate) fn last_used(self, first: usize, count: usize) -> Option<usize> {
        let used = |slot: &AtomicU64| slot.load(Ordering::Relaxed) != 0;
        self.with_run(first, count, |run| run.iter().rposition(used))
            .map(|index| first + index)
    }

    /// Writes `count` leaves of `size` from `first` on: `leaf` and those for the frames after it.
    /// The caller has checked that there are such frames.
    pub(crate) fn fill(self, first: usize, count: usize, leaf: PTE, size: PageSize) {
        // Each leaf is the one before plus its size: an addition and a store for each.
        self.with_run(first, count, |run| {
            let mut leaf = leaf;
            let (chunks, rest) = run.as_chunks::<{ 2 * UNROLL }>();
            for chunk in chunks {
                // Four written out: a kernel that is compiled for size has no loop unrolled.
                for [first, second, third, fourth] in chunk.as_chunks().0 {
                    leaf = put::<M, PTE>(first, leaf, size);
                    leaf = put::<M, PTE>(second, leaf, size);
                    leaf = put::<M, PTE>(third, leaf, size);
                    leaf = put::<M, PTE>(fourth, leaf, size);
                }
            }
            for slot in rest {
                leaf = put::<M, PTE>(slot, leaf, size);
            }
            M::Maintenance::count_stores(run.len());
        });
    }

    /// Whether all `count` entries from `first` on are present: in a table of the last level,
    /// leaves.
    pub(crate) fn are_present(self, first: usize, count: usize) -> bool {
        self.with_run(first, count, |run| {
            let (chunks, rest) = run.as_chunks::<UNROLL>();
            let all = |chunk: &[AtomicU64; UNROLL]| all_present::<PTE>(chunk);
            chunks.iter().all(all) && all_present::<PTE>(rest)
        })
    }

    /// Whether no entry is used but the `count` from `first` on, of which some are not: `used` of
    /// this table of the last level are. It may say no where some of the `count` are not present.
    #[inline(always)]
    pub(crate) fn holds_only(self, first: usize, count: usize, used: usize) -> bool {
        let others = entries::<M>() - count;
        // Not all is looked at: those outside or those inside, which are fewer.
        if count < others {
            return used == count && self.are_present(first, count);
        }
        used <= count
            && self.first_used(0, first).is_none()
            && self.first_used(first + count, others - first).is_none()
    }

    /// Makes `count` entries from `first` on unused, as long as they are present leaves. Returns
    /// how many were.
    pub(crate) fn clear_present(self, first: usize, count: usize) -> usize {
        self.with_run(first, count, |run| {
            let clear = |slot: &AtomicU64| M::Maintenance::store(slot, 0);
            let mut done = 0;
            // Eight at a time cost one check; where it fails, one at a time find out how far.
            while let Some(chunk) = run.get(done..done + UNROLL) {
                if !all_present::<PTE>(chunk) {
                    break;
                }
                chunk.iter().for_each(clear);
                done += UNROLL;
            }
            let rest = run.get(done..).unwrap_or_default();
            let present = |slot: &&AtomicU64| all_present::<PTE>(slice::from_ref(slot));
            let more = rest.iter().take_while(present);
            let done = done + more.inspect(|slot| clear(slot)).count();
            M::Maintenance::count_stores(done);
            done
        })
    }

    /// Turns `count` leaves of `size` from `first` on into `new`, each with its own frame, as
    /// long as they differ from `old` in their frames only. Returns how many did.
    #[expect(clippy::indexing_slicing, reason = "a chunk is as long as the array")]
    pub(crate) fn rewrite(
        self,
        first: usize,
        count: usize,
        size: PageSize,
        (old, new): (PTE, PTE),
    ) -> usize {
        let address = PTE::address_mask(size);
        // Attributes without the frame: what every leaf of the run has in common, before and after.
        let (old, new) = (old.bits() & !address, new.bits() & !address);
        self.with_run(first, count, |run| {
            // All that is left of an entry with the attributes of `old` is its address: any other
            // bit that is left tells that the leaf differs in more.
            let frame = |slot: &AtomicU64| slot.load(Ordering::Relaxed) ^ old;
            let mut done = 0;
            // Eight at a time cost one check; where it fails, one at a time find out how far.
            while let Some(chunk) = run.get(done..done + UNROLL) {
                let frames: [u64; UNROLL] = array::from_fn(|index| frame(&chunk[index]));
                if frames.iter().fold(0, |any, frame| any | frame) & !address != 0 {
                    break;
                }
                for (slot, frame) in chunk.iter().zip(frames) {
                    M::Maintenance::store(slot, frame | new);
                }
                done += UNROLL;
            }
            for slot in run.get(done..).unwrap_or_default() {
                let frame = frame(slot);
                if frame & !address != 0 {
                    break;
                }
                M::Maintenance::store(slot, frame | new);
                done += 1;
            }
            M::Maintenance::count_stores(done);
            done
        })
    }

    /// How many leaves of `size` from `first` on, at most `count`, differ from `old` in their
    /// frames only: how far a run goes that needs the same maintenance.
    pub(crate) fn alike(self, first: usize, count: usize, size: PageSize, old: PTE) -> usize {
        let address = PTE::address_mask(size);
        self.with_run(first, count, |run| {
            run.iter()
                .position(|slot| (slot.load(Ordering::Relaxed) ^ old.bits()) & !address != 0)
                .unwrap_or(run.len())
        })
    }
}
