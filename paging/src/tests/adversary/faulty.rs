//! Faults of issuing, one planted at a time: doubles of those who order and execute maintenance,
//! which drop, weaken or misaddress what passes through them. With nothing planted, all passes as
//! it is.
//!
//! [`FaultyMaintenance`] stands where the page table asks, and knows what is asked for;
//! [`FaultyInstructions`] stands behind the real sequences of A64, and knows forms and operands.
//! Each fault is a mistake that libraries of page tables, or kernels, have made. Faults of
//! structure (what is asked for at all, and when) are the patches in `paging/tests/planted/`.

use core::cell::Cell;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};
use std::thread_local;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::format::aarch64_tlb::{A64Maintenance, Barrier, Instructions, Tlbi};
use crate::tests::formats::{Format, Halves};
use crate::tests::memory::Recorder;
use crate::{AddressSpace, InvalidateScope, Maintenance, MappingFlags, PagingMetaData};

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A fault of issuing.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum IssuingFault {
            $($(#[$doc])* $name,)*
        }

        impl IssuingFault {
            /// Every one.
            pub(super) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

faults! {
    /// No barrier between the stores that fill a table and the one that links it.
    LinkedBeforeOrdered,
    /// No barrier after an entry became valid.
    NotPublished,
    /// No `isb` after such a barrier: this core itself may not have noticed.
    NotSynchronisedWhenPublished,
    /// A descriptor goes to memory in two halves of 32 bits.
    StoredInTwoSteps,
    /// Receipts invalidate nothing.
    NothingInvalidated,
    /// Between break and make, nothing is invalidated.
    BrokenNotInvalidated,
    /// No barrier before an invalidation.
    NoBarrierBeforeInvalidation,
    /// No barrier after it: nobody waits for it.
    NoBarrierAfterInvalidation,
    /// A barrier after it that waits for this core only.
    BarrierOfThisCore,
    /// No `isb` after that barrier: this core itself may not have noticed.
    NotSynchronisedWhenInvalidated,
    /// Stores of the core that had the table before are not completed.
    NotAdopted,
    /// Invalidations reach this core only.
    LocalInvalidation,
    /// Invalidations of everything reach this core only.
    LocalIfEverything,
    /// The address in an operand is not shifted.
    OperandNotShifted,
    /// The address in an operand keeps its upper bits.
    OperandNotMasked,
    /// The ASID in an invalidation of a whole address space is not shifted.
    AsidNotShifted,
    /// The ASID in an operand is another one.
    WrongAsid,
    /// By address: a form for one ASID in the place of one for all.
    AsidFormForGlobal,
    /// Of everything: a form for one ASID in the place of one for all.
    AsidFormForEverything,
    /// By address: a form for leaves in the place of one that reaches pointers to tables.
    LeafFormForATable,
    /// The addresses that are invalidated together lie 4 KiB apart, whatever they translate.
    StrideOfPages,
}

/// What was executed last.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Last {
    Barrier(Barrier),
    Tlbi,
}

/// What is planted in a thread, and what its doubles remember.
struct Doubles {
    planted: Cell<Option<IssuingFault>>,
    last: Cell<Option<Last>>,
    /// Whether something is broken and not invalidated yet.
    is_broken: Cell<bool>,
    /// Where the next invalidation goes if addresses lie 4 KiB apart.
    next: Cell<Option<VirtAddr>>,
}

thread_local! {
    static DOUBLES: Doubles = const {
        Doubles {
            planted: Cell::new(None),
            last: Cell::new(None),
            is_broken: Cell::new(false),
            next: Cell::new(None),
        }
    };
}

/// Plants `fault` in the doubles of this thread.
pub(super) fn plant(fault: IssuingFault) {
    DOUBLES.with(|doubles| doubles.planted.set(Some(fault)));
}

fn planted() -> Option<IssuingFault> {
    DOUBLES.with(|doubles| doubles.planted.get())
}

/// Notes what is executed. Returns what was executed before it.
fn after(now: Last) -> Option<Last> {
    DOUBLES.with(|doubles| doubles.last.replace(Some(now)))
}

fn is_broken() -> bool {
    DOUBLES.with(|doubles| doubles.is_broken.get())
}

/// Executes what a [`Recorder`] would, or something near it.
pub(super) struct FaultyInstructions;

// SAFETY: no hardware walks these tables.
unsafe impl Instructions for FaultyInstructions {
    fn barrier(barrier: Barrier) {
        use IssuingFault::{
            BarrierOfThisCore, NoBarrierAfterInvalidation, NotSynchronisedWhenInvalidated,
            NotSynchronisedWhenPublished,
        };
        let last = after(Last::Barrier(barrier));
        let waits = barrier == Barrier::DsbIsh && last == Some(Last::Tlbi);
        let synchronises = |behind| barrier == Barrier::Isb && last == Some(Last::Barrier(behind));
        match planted() {
            Some(NoBarrierAfterInvalidation) if waits => {}
            Some(BarrierOfThisCore) if waits => Recorder::barrier(Barrier::DsbNsh),
            Some(NotSynchronisedWhenPublished) if synchronises(Barrier::DsbIshst) => {}
            Some(NotSynchronisedWhenInvalidated) if synchronises(Barrier::DsbIsh) => {}
            _ => Recorder::barrier(barrier),
        }
    }

    fn tlbi(tlbi: Tlbi, operand: u64) {
        after(Last::Tlbi);
        let (form, operand) = planted().map_or((tlbi, operand), |fault| fault.of(tlbi, operand));
        Recorder::tlbi(form, operand);
    }

    fn store(entry: &AtomicU64, bits: u64) {
        if planted() == Some(IssuingFault::StoredInTwoSteps) {
            let upper = !0 << 32;
            let half = entry.load(Ordering::Relaxed) & upper | bits & !upper;
            Recorder::store(entry, half);
        }
        Recorder::store(entry, bits);
    }

    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        Recorder::stop_machine(start, bytes)
    }
}

impl IssuingFault {
    /// What is executed in the place of `tlbi` with `operand`.
    fn of(self, tlbi: Tlbi, operand: u64) -> (Tlbi, u64) {
        use Tlbi::{Aside1is, Vaae1is, Vaale1is, Vae1is, Vale1is, Vmalle1, Vmalle1is};
        // VA[55:12] is in bits 43:0, the ASID in bits 63:48 (DDI 0487 C5.5).
        let by_address = matches!(tlbi, Vaae1is | Vaale1is | Vae1is | Vale1is);
        let by_asid = matches!(tlbi, Vae1is | Vale1is | Aside1is);
        let is_high = operand >> 43 & 1 == 1;
        match (self, tlbi) {
            (Self::LocalInvalidation, _) => (Vmalle1, 0),
            (Self::LocalIfEverything, Vmalle1is | Aside1is) => (Vmalle1, 0),
            (Self::OperandNotShifted, _) if by_address => (tlbi, operand << 12),
            (Self::OperandNotMasked, _) if by_address && is_high => (tlbi, operand | 0xff << 44),
            (Self::AsidNotShifted, Aside1is) => (tlbi, operand >> 48),
            (Self::WrongAsid, _) if by_asid => (tlbi, operand ^ 1 << 48),
            (Self::AsidFormForGlobal, Vaae1is) => (Vae1is, operand),
            (Self::AsidFormForGlobal, Vaale1is) => (Vale1is, operand),
            (Self::AsidFormForEverything, Vmalle1is) => (Aside1is, 0),
            (Self::LeafFormForATable, Vaae1is) => (Vaale1is, operand),
            (Self::LeafFormForATable, Vae1is) => (Vale1is, operand),
            _ => (tlbi, operand),
        }
    }
}

type Sequences = A64Maintenance<FaultyInstructions>;

/// Asks for what [`A64Maintenance`] does, or for a part of it.
pub(super) struct FaultyMaintenance;

impl FaultyMaintenance {
    /// Whether invalidations are left out, with their barriers.
    fn is_silent() -> bool {
        match planted() {
            Some(IssuingFault::NothingInvalidated) => !is_broken(),
            Some(IssuingFault::BrokenNotInvalidated) => is_broken(),
            _ => false,
        }
    }
}

// SAFETY: no hardware walks these tables.
unsafe impl Maintenance for FaultyMaintenance {
    fn store(entry: &AtomicU64, bits: u64) {
        Sequences::store(entry, bits);
    }

    fn order_table() {
        if planted() != Some(IssuingFault::LinkedBeforeOrdered) {
            Sequences::order_table();
        }
    }

    fn publish() {
        if planted() != Some(IssuingFault::NotPublished) {
            Sequences::publish();
        }
    }

    fn adopt() {
        if planted() != Some(IssuingFault::NotAdopted) {
            Sequences::adopt();
        }
    }

    fn begin_invalidation() {
        DOUBLES.with(|doubles| doubles.next.set(None));
        let left_out = planted() == Some(IssuingFault::NoBarrierBeforeInvalidation);
        if !left_out && !Self::is_silent() {
            Sequences::begin_invalidation();
        }
    }

    fn invalidate(va: VirtAddr, space: AddressSpace, scope: InvalidateScope) {
        let next = DOUBLES.with(|doubles| doubles.next.take());
        let va = next.unwrap_or(va);
        if planted() == Some(IssuingFault::StrideOfPages) {
            let next = VirtAddr::new(va.as_usize().wrapping_add(PAGE_SIZE));
            DOUBLES.with(|doubles| doubles.next.set(Some(next)));
        }
        if !Self::is_silent() {
            Sequences::invalidate(va, space, scope);
        }
    }

    fn invalidate_all(space: AddressSpace) {
        if !Self::is_silent() {
            Sequences::invalidate_all(space);
        }
    }

    fn end_invalidation() {
        if !Self::is_silent() {
            Sequences::end_invalidation();
        }
    }

    fn end_invalidation_of_broken() {
        if !Self::is_silent() {
            Sequences::end_invalidation_of_broken();
        }
        DOUBLES.with(|doubles| doubles.is_broken.set(false));
    }

    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        DOUBLES.with(|doubles| doubles.is_broken.set(true));
        Sequences::stop_machine(start, bytes)
    }
}

/// The geometry of `M`, with the doubles in the place of its maintenance.
pub(super) struct FaultyMetaData<M>(PhantomData<M>);

// SAFETY: all is `M`'s; nothing walks these tables.
unsafe impl<M: PagingMetaData> PagingMetaData for FaultyMetaData<M> {
    const LEVELS: usize = M::LEVELS;
    const INDEX_BITS: usize = M::INDEX_BITS;
    const PA_MAX_BITS: usize = M::PA_MAX_BITS;
    const VA_MAX_BITS: usize = M::VA_MAX_BITS;
    const CACHES_INVALID: bool = M::CACHES_INVALID;
    type Maintenance = FaultyMaintenance;

    fn vaddr_is_valid(va: VirtAddr) -> bool {
        M::vaddr_is_valid(va)
    }

    fn vaddr_at(offset: usize) -> VirtAddr {
        M::vaddr_at(offset)
    }

    fn paddr_is_valid(pa: PhysAddr) -> bool {
        M::paddr_is_valid(pa)
    }
}

/// The format `F`, one of A64's, with the doubles in the place of its maintenance.
pub(super) struct Faulty<F>(PhantomData<F>);

impl<F: Format> Format for Faulty<F> {
    type M = FaultyMetaData<F::M>;
    type PTE = F::PTE;
    const VA_BITS: u32 = F::VA_BITS;
    const HALVES: Halves = F::HALVES;
    const PA_BITS: u32 = F::PA_BITS;
    const LEVELS: usize = F::LEVELS;
    const FLAGS: &'static [MappingFlags] = F::FLAGS;

    fn unsupported(flags: MappingFlags) -> Option<MappingFlags> {
        F::unsupported(flags)
    }
}
