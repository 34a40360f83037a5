//! What a kernel gets that says no more of its machine than it must.

use core::sync::atomic::{AtomicU64, Ordering};

use super::{K4, pa, va};
use crate::addr::{PhysAddr, VirtAddr};
use crate::paging::format::aarch64_tlb::{Barrier, Instructions, Tlbi};
use crate::paging::{AddressSpace, ENTRIES, InvalidateScope, Maintenance, PagingHandler};

/// A machine without caches.
struct Bare;

impl Maintenance for Bare {
    fn order_table() {}
    fn publish() {}
    fn begin_invalidation() {}
    fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
    fn invalidate_all(_: AddressSpace) {}
    fn end_invalidation() {}
}

impl Instructions for Bare {
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
        let slot = AtomicU64::new(1);
        store(&slot, 0x1234_5678_9abc_def0);
        assert_eq!(slot.into_inner(), 0x1234_5678_9abc_def0);
    }
}

#[test]
fn what_is_broken_is_made_once() {
    let mut times = 0;
    <Bare as Maintenance>::while_broken(va(0), K4, || times += 1);
    <Bare as Instructions>::while_broken(va(0), K4, || times += 1);
    assert_eq!(times, 2);
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
