//! The door: what core 0 and a core that is on its way read and write, the one with its caches on,
//! the other with its caches off.
//!
//! 1. Core 0 [opens](open) the door: it writes the [`Handover`] and builds the tree that the others
//!    turn their MMU on with.
//! 2. It [releases](release) a core, which waits in a spin table (arm64 boot protocol: for an
//!    address in page 0) or in the parking loop (boot/park.S: for a word of [`RELEASED`]). The core
//!    goes to `secondary_start`, claims, and waits there until it is admitted.
//! 3. Core 0 finds the claim, counts the core among those that use the live map, and
//!    [admits](admit) it. Now the core loads the live root, turns its MMU on and comes high.
//! 4. When all have come, core 0 [closes](close) the door: its tree is freed, and the parking pages
//!    and page 0 are free for other things.
//!
//! # Decisions
//! A core that has claimed and is not admitted reads nothing but its word of the handover, from the
//! parking pages: it may wait for as long as the door is open, and come late. A core is admitted
//! with the kernel map's lock held: no change of the map that stops other cores is under way, and
//! the next one counts the core in. (All of it goes through memory, with a DSB between: DDI 0487
//! B2.3.7.)
#![expect(unsafe_code, reason = "read by assembly")]

use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::addr::PAGE_SIZE;
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::arch::{cache, cpu, mmu, tlb};
use crate::board::raspi3::{self, CORES};
use crate::kernel::time::wait;
use crate::mm::door_map::{self, DoorTable};
use crate::mm::kernel_space;
use crate::mm::layout::phys_to_virt;
use crate::mm::{layout, symbols};
use crate::paging::{PagingError, PagingResult};

/// What a core reads on its way, with its caches off. Cleaned to memory before anyone is released.
#[repr(C, align(64))]
pub(crate) struct Handover {
    ttbr0: u64,
    ttbr1: u64,
    mair: u64,
    tcr: u64,
    /// Where it goes when its MMU is on.
    entry: u64,
    /// For each core: not 0 as soon as it may come.
    admitted: [u64; CORES],
    /// The upper end of each core's main stack.
    stacks: [u64; CORES],
}

impl Handover {
    /// Offsets for boot/park.S.
    pub(crate) const TTBR0: usize = offset_of!(Self, ttbr0);
    pub(crate) const TTBR1: usize = offset_of!(Self, ttbr1);
    pub(crate) const MAIR: usize = offset_of!(Self, mair);
    pub(crate) const TCR: usize = offset_of!(Self, tcr);
    pub(crate) const ENTRY: usize = offset_of!(Self, entry);
    pub(crate) const ADMITTED: usize = offset_of!(Self, admitted);
    pub(crate) const STACKS: usize = offset_of!(Self, stacks);
}

/// The handover's memory.
#[repr(transparent)]
struct Memory(UnsafeCell<Handover>);

// SAFETY: core 0 alone writes it; the others read it from memory: the whole when they are admitted,
// and before that a word that is written once.
unsafe impl Sync for Memory {}

#[unsafe(no_mangle)]
static SECONDARY: Memory = Memory(UnsafeCell::new(Handover {
    ttbr0: 0,
    ttbr1: 0,
    mair: 0,
    tcr: 0,
    entry: 0,
    admitted: [0; CORES],
    stacks: [0; CORES],
}));

/// For each core whether it may leave the parking loop, in a line of its own.
#[repr(C, align(64))]
struct Released([AtomicU64; CORES]);

/// Loaded with the image, not cleared with `.bss`: cores may look before core 0 has begun.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.released")]
static RELEASED: Released = Released([const { AtomicU64::new(0) }; CORES]);

unsafe extern "C" {
    /// In boot/park.S: per core, 1 once it was released and has come.
    static CLAIMED: [u64; CORES];
}

/// The tree, as long as the door is open.
static TREE: Lock<Option<DoorTable>, lock_classes::Door> = Lock::new(None);

/// Where a core goes when its MMU is on.
pub(crate) type Entry = unsafe extern "C" fn(usize) -> !;

/// Builds the tree and fills the handover. Once, before anyone is released.
///
/// # Errors
/// Those of a mapping.
pub(crate) fn open(entry: Entry) -> PagingResult {
    let tree = door_map::build(&symbols::image())?;
    let registers = mmu::translation_registers();
    let mut stacks = [0; CORES];
    for (core, stack) in stacks.iter_mut().enumerate() {
        *stack = layout::main_stack(core).end() as u64;
    }
    let handover = Handover {
        ttbr0: tree.root_paddr().as_usize() as u64,
        ttbr1: mmu::high_root().as_usize() as u64,
        mair: registers.mair,
        tcr: registers.tcr,
        entry: entry as usize as u64,
        admitted: [0; CORES],
        stacks,
    };
    // SAFETY: no core reads it before it is released.
    unsafe { SECONDARY.0.get().write_volatile(handover) };
    publish(&SECONDARY);
    *TREE.lock() = Some(tree);
    Ok(())
}

/// Whether a core may still come.
pub(crate) fn is_open() -> bool {
    TREE.lock().is_some()
}

/// Makes what this core wrote to `value` visible to cores whose caches are off.
fn publish<T>(value: &'static T) {
    let start = (&raw const *value).addr();
    cache::clean_and_invalidate(start, start + size_of::<T>());
}

/// Lets core `core` go, wherever it waits. The door is open.
pub(crate) fn release(core: usize) {
    if let Some(word) = RELEASED.0.get(core) {
        word.store(1, Ordering::Relaxed);
    }
    publish(&RELEASED);
    let entry = symbols::secondary_entry().as_usize() as u64;
    let slot = phys_to_virt(raspi3::spin_table(core)).as_usize();
    // SAFETY: the spin table lies in page 0, which nobody else uses, and the map has it as long as
    // the door is open.
    unsafe { core::ptr::with_exposed_provenance_mut::<u64>(slot).write_volatile(entry) };
    cache::clean_and_invalidate(slot, slot + size_of::<u64>());
    cpu::send_event();
}

/// Whether core `core` has claimed, as memory has it. The door is open.
pub(crate) fn has_claimed(core: usize) -> bool {
    let flags = &raw const CLAIMED;
    // The cores write with their caches off: what this core may hold of the line is older.
    cache::clean_and_invalidate(flags.addr(), flags.addr() + size_of::<[u64; CORES]>());
    let flag = flags.cast::<u64>().wrapping_add(core % CORES);
    // SAFETY: inside the array, in a page that is mapped as long as the door is open.
    unsafe { flag.read_volatile() != 0 }
}

/// Lets core `core` in, which has claimed: from here on it counts among those that use the live
/// map.
pub(crate) fn admit(core: usize) {
    kernel_space::with_table(|_| wait::set_live(core));
    let admitted = SECONDARY.0.get().cast::<u64>();
    let admitted = admitted
        .wrapping_byte_add(Handover::ADMITTED)
        .wrapping_add(core % CORES);
    // SAFETY: inside the handover; core 0 alone writes, and that core alone reads the word.
    unsafe { admitted.write_volatile(1) };
    publish(&SECONDARY);
    cpu::send_event();
}

/// Gives up what only cores on their way need: all are high. Returns the number of free frames that
/// come of it; none if that was done before.
///
/// # Errors
/// Those of a change of the kernel's map.
pub(crate) fn close() -> PagingResult<usize> {
    let Some(tree) = TREE.lock().take() else {
        return Ok(0);
    };
    tlb::invalidate_every_core();
    drop(tree);
    let image = symbols::image();
    let closed = kernel_space::with_table(|table| {
        let frames = kernel_space::reclaim(table, image.park, image.init)?;
        kernel_space::unmap_linear(table, raspi3::FIRMWARE_PAGE, PAGE_SIZE)?;
        Ok(frames)
    });
    let va = phys_to_virt(raspi3::FIRMWARE_PAGE);
    closed.unwrap_or(Err(PagingError::NotMapped { va }))
}
