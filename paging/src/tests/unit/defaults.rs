//! What a kernel gets that says no more of its machine than it must.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use std::vec::Vec;
use std::{thread_local, vec};

use crate::addr::{PhysAddr, VirtAddr};
use crate::format::aarch64_tlb::{A64Maintenance, Barrier, Instructions, Tlbi};
use crate::format::x86_64::X64MetaData;
use crate::metadata::while_broken;
use crate::tests::formats::{Format, every_format};
use crate::tests::{K4, pa, va};
use crate::{
    AddressSpace, ENTRIES, GenericPTE, InvalidateScope, Maintenance, MappingFlags, PageSize,
    PagingHandler, PagingResult,
};

/// A machine without caches.
struct Bare;

// SAFETY: no hardware walks its tables.
unsafe impl Maintenance for Bare {
    fn order_table() {}
    fn publish() {}
    fn begin_invalidation() {}
    fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
    fn invalidate_all(_: AddressSpace) {}
    fn end_invalidation() {}
}

// SAFETY: as above.
unsafe impl Instructions for Bare {
    fn barrier(_: Barrier) {}
    fn tlbi(_: Tlbi, _: u64) {}
}

/// One frame.
#[repr(align(4096))]
struct Frame([AtomicU64; ENTRIES]);

static FRAME: Frame = Frame([const { AtomicU64::new(!0) }; ENTRIES]);

/// Reaches that frame, whatever its address, and has none to give.
struct OneFrame;

// SAFETY: no frame is handed out; the only address that is asked for is that of `FRAME`, which
// lives for ever and may be written through its atomics.
unsafe impl PagingHandler for OneFrame {
    fn alloc_frame() -> Option<PhysAddr> {
        None
    }

    fn dealloc_frame(_: PhysAddr) {}

    fn phys_to_virt(_: PhysAddr) -> VirtAddr {
        va(FRAME.0.as_ptr().addr())
    }
}

#[test]
fn a_descriptor_is_stored() {
    for store in [<Bare as Maintenance>::store, <Bare as Instructions>::store] {
        let entry = AtomicU64::new(1);
        store(&entry, 0x1234_5678_9abc_def0);
        assert_eq!(entry.into_inner(), 0x1234_5678_9abc_def0);
    }
}

/// Of the two, only one has more to hold than nothing.
struct Holds;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

struct Hold;

impl Drop for Hold {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
    }
}

// SAFETY: no hardware walks its tables.
unsafe impl Instructions for Holds {
    fn barrier(_: Barrier) {}
    fn tlbi(_: Tlbi, _: u64) {}
    fn stop_machine(_: VirtAddr, _: usize) -> impl Sized {
        HELD.set(HELD.get() + 1);
        Hold
    }
}

/// An implementor says who is held, and for how long; whether the work is done is not its to say.
#[test]
fn what_is_broken_is_made_once_with_others_held() {
    let mut held = Vec::new();
    while_broken::<X64MetaData<Bare>>(va(0), K4, || held.push(HELD.get()));
    while_broken::<X64MetaData<A64Maintenance<Bare>>>(va(0), K4, || held.push(HELD.get()));
    while_broken::<X64MetaData<A64Maintenance<Holds>>>(va(0), K4, || held.push(HELD.get()));
    assert_eq!((held, HELD.get()), (vec![0, 0, 1], 0));
}

#[test]
fn all_bytes_of_a_frame_become_zero() {
    OneFrame::zero_frame(pa(0));
    let words = FRAME.0.iter();
    assert_eq!(
        words.map(|word| word.load(Ordering::Relaxed)).max(),
        Some(0)
    );
}

/// An entry of `P` whose format brings no more than it must.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Plain<P>(P);

// SAFETY: `P` keeps the promises; the defaults change no more than `P` itself would.
unsafe impl<P: GenericPTE> GenericPTE for Plain<P> {
    fn new_page(pa: PhysAddr, flags: MappingFlags, size: PageSize) -> PagingResult<Self> {
        P::new_page(pa, flags, size).map(Self)
    }
    fn new_table(pa: PhysAddr) -> Self {
        Self(P::new_table(pa))
    }
    fn from_bits(bits: u64) -> Self {
        Self(P::from_bits(bits))
    }
    fn bits(self) -> u64 {
        self.0.bits()
    }
    fn paddr(self) -> PhysAddr {
        self.0.paddr()
    }
    fn flags(self) -> MappingFlags {
        self.0.flags()
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
    fn needs_break(self, new: Self) -> bool {
        self.0.needs_break(new.0)
    }
    fn broken(self) -> Self {
        Self(self.0.broken())
    }
    fn is_broken(self) -> bool {
        self.0.is_broken()
    }
}

/// Every set of flags to every other, every size: the same bits, or the same refusal.
fn a_leaf_is_changed_alike_with_and_without_the_defaults<F: Format>() {
    let sets = || (0..MappingFlags::SETS).map(MappingFlags::from_bits_retain);
    for size in PageSize::ALL {
        let (frame, other) = (pa(2 * size.bytes()), pa(5 * size.bytes()));
        for own in sets().filter_map(|flags| F::PTE::new_page(frame, flags, size).ok()) {
            assert_eq!(Plain(own).next(size).0, own.next(size));
            for pa in [other, pa(K4 + 1), pa(1 << 60)] {
                let (mut plain, mut own) = (Plain(own), own);
                assert_eq!(plain.set_paddr(pa, size), own.set_paddr(pa, size));
                assert_eq!(plain.0, own);
            }
            for flags in sets() {
                let (mut plain, mut own) = (Plain(own), own);
                assert_eq!(plain.set_flags(flags, size), own.set_flags(flags, size));
                assert_eq!(plain.0, own);
            }
        }
    }
}

every_format! {
    a_leaf_is_changed_alike_with_and_without_the_defaults,
}
