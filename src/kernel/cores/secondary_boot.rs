//! How cores 1 to 3 come online: the memory by which core 0, with its caches on, and a secondary
//! core, with its MMU and caches off, tell each other how far they are. Linux's `secondary_data`
//! and `cpu_boot_status` serve this purpose.
//!
//! ```text
//!  core 0                                         core 2 (boot/park.S)
//!  prepare(): SECONDARY_DATA = roots, MAIR, TCR   in the spin table or the parking loop, wfe
//!  release(2): RELEASED[2] = 1; dc civac; sev
//!                                                 secondary_start: CPU_BOOT_STATUS[2] = 1; dsb
//!  is_alive(2): dc civac; ldr -> 1                waits for should_online[2], wfe
//!  let_online(2): counts core 2 as live;
//!    should_online[2] = 1; dc civac; sev
//!                                                 loads the roots, MMU on, br kernel_secondary
//!                                                 per_core: online
//!  free(): the tree, parking pages and page 0
//! ```
//!
//! 1. Core 0 [prepares](prepare): it fills [`SecondaryData`] and builds the identity map by which
//!    the others turn their MMU on ([`secondary_map`]).
//! 2. It [releases](release) a core, which waits for an address in page 0 (spin table of the arm64
//!    boot protocol) or for its word of [`RELEASED`] (boot/park.S). The core goes to
//!    `secondary_start`, sets its boot status, and waits.
//! 3. Core 0 finds the core [alive](is_alive), counts it among those that use the live map, and
//!    [lets it online](let_online). Only now the core loads the live root and turns its MMU on.
//! 4. When all are online, core 0 [frees](free) what they needed: the identity map, the parking
//!    pages and page 0.
//!
//! # Decisions
//! * A core that is alive and not let online reads nothing but its word `should_online`, from the
//!   parking pages: it may wait for as long as that memory is kept, and come late.
//! * A core is let online with the kernel map's lock held: no change of the map that stops other
//!   cores is under way, and the next one stops this core as well.
//! * Everything goes through memory, with a DSB behind: the caches of one side are off, so they are
//!   not coherent with the other's (DDI 0487 B2.3.7).
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
use crate::mm::kernel_space;
use crate::mm::layout::phys_to_virt;
use crate::mm::secondary_map::{self, SecondaryTable};
use crate::mm::{layout, symbols};
use crate::paging::{PagingError, PagingResult};

/// The data that a secondary core reads with its caches off. Cleaned to memory before any is
/// released.
#[repr(C, align(64))]
pub(crate) struct SecondaryData {
    ttbr0: u64,
    ttbr1: u64,
    mair: u64,
    tcr: u64,
    /// The high address to which a core branches when its MMU is on.
    entry: u64,
    /// For each core: 1 when it may turn its MMU on, 0 before.
    should_online: [u64; CORES],
    /// The upper end of each core's main stack.
    stacks: [u64; CORES],
}

impl SecondaryData {
    /// Offsets for boot/park.S.
    pub(crate) const TTBR0: usize = offset_of!(Self, ttbr0);
    pub(crate) const TTBR1: usize = offset_of!(Self, ttbr1);
    pub(crate) const MAIR: usize = offset_of!(Self, mair);
    pub(crate) const TCR: usize = offset_of!(Self, tcr);
    pub(crate) const ENTRY: usize = offset_of!(Self, entry);
    pub(crate) const SHOULD_ONLINE: usize = offset_of!(Self, should_online);
    pub(crate) const STACKS: usize = offset_of!(Self, stacks);
}

/// The memory of [`SecondaryData`].
#[repr(transparent)]
struct SecondaryDataCell(UnsafeCell<SecondaryData>);

// SAFETY: core 0 alone writes it. A secondary core reads its word `should_online`, which is written
// once, and the rest only when that is 1.
unsafe impl Sync for SecondaryDataCell {}

#[unsafe(no_mangle)]
static SECONDARY_DATA: SecondaryDataCell = SecondaryDataCell(UnsafeCell::new(SecondaryData {
    ttbr0: 0,
    ttbr1: 0,
    mair: 0,
    tcr: 0,
    entry: 0,
    should_online: [0; CORES],
    stacks: [0; CORES],
}));

/// For each core: 1 when it may leave the parking loop. In a cache line of its own.
#[repr(C, align(64))]
struct Released([AtomicU64; CORES]);

/// Loaded with the image, not cleared with `.bss`: cores may look before core 0 has begun.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.released")]
static RELEASED: Released = Released([const { AtomicU64::new(0) }; CORES]);

unsafe extern "C" {
    /// In boot/park.S. For each core: 1 when it is alive, in `secondary_start`.
    static CPU_BOOT_STATUS: [u64; CORES];
}

/// The identity map, as long as cores may come.
static TREE: Lock<Option<SecondaryTable>, lock_classes::SecondaryBoot> = Lock::new(None);

/// Where a secondary core begins with its MMU on; the argument is its number.
pub(crate) type Entry = unsafe extern "C" fn(usize) -> !;

/// Builds the identity map and fills [`SecondaryData`]. Once, before any core is released.
///
/// # Errors
/// The errors of a mapping.
pub(crate) fn prepare(entry: Entry) -> PagingResult {
    let tree = secondary_map::build(&symbols::image())?;
    let registers = mmu::translation_registers();
    let mut stacks = [0; CORES];
    for (core, stack) in stacks.iter_mut().enumerate() {
        *stack = layout::main_stack(core).end() as u64;
    }
    let data = SecondaryData {
        ttbr0: tree.root_paddr().as_usize() as u64,
        ttbr1: mmu::high_root().as_usize() as u64,
        mair: registers.mair,
        tcr: registers.tcr,
        entry: entry as usize as u64,
        should_online: [0; CORES],
        stacks,
    };
    // SAFETY: no core reads it before it is released.
    unsafe { SECONDARY_DATA.0.get().write_volatile(data) };
    publish(&SECONDARY_DATA);
    *TREE.lock() = Some(tree);
    Ok(())
}

/// Whether what a core needs to come online is there: prepared, and not freed.
pub(crate) fn is_prepared() -> bool {
    TREE.lock().is_some()
}

/// Cleans `value` to memory, where cores whose caches are off read it.
fn publish<T>(value: &'static T) {
    let start = (&raw const *value).addr();
    cache::clean_and_invalidate(start, start + size_of::<T>());
}

/// Releases core `core` from the parking loop and from the spin table, whichever it is in. The boot
/// memory is prepared.
pub(crate) fn release(core: usize) {
    if let Some(word) = RELEASED.0.get(core) {
        word.store(1, Ordering::Relaxed);
    }
    publish(&RELEASED);
    let entry = symbols::secondary_entry().as_usize() as u64;
    let slot = phys_to_virt(raspi3::spin_table(core)).as_usize();
    // SAFETY: the spin table lies in page 0, which nobody else uses, and which the map has until
    // [`free`].
    unsafe { core::ptr::with_exposed_provenance_mut::<u64>(slot).write_volatile(entry) };
    cache::clean_and_invalidate(slot, slot + size_of::<u64>());
    cpu::send_event();
}

/// Whether core `core` has set its boot status. The boot memory is prepared.
pub(crate) fn is_alive(core: usize) -> bool {
    let flags = &raw const CPU_BOOT_STATUS;
    // The cores write past this core's cache: a copy of the line there may be older than memory.
    cache::clean_and_invalidate(flags.addr(), flags.addr() + size_of::<[u64; CORES]>());
    let flag = flags.cast::<u64>().wrapping_add(core % CORES);
    // SAFETY: inside the array, in a page that is mapped until [`free`].
    unsafe { flag.read_volatile() != 0 }
}

/// Lets core `core`, which is alive, turn its MMU on: from here on it counts among those that use
/// the live map, and `stop_machine` stops it.
pub(crate) fn let_online(core: usize) {
    kernel_space::with_table(|_| wait::set_live(core));
    let should_online = SECONDARY_DATA.0.get().cast::<u64>();
    let should_online = should_online
        .wrapping_byte_add(SecondaryData::SHOULD_ONLINE)
        .wrapping_add(core % CORES);
    // SAFETY: inside [`SecondaryData`]; core 0 alone writes, and that core alone reads the word.
    unsafe { should_online.write_volatile(1) };
    publish(&SECONDARY_DATA);
    cpu::send_event();
}

/// Frees the identity map, the parking pages and page 0: all cores are online. Returns the number
/// of frames that are free now, 0 if that was done before.
///
/// # Errors
/// The errors of a change of the kernel's map.
pub(crate) fn free() -> PagingResult<usize> {
    let Some(tree) = TREE.lock().take() else {
        return Ok(0);
    };
    tlb::invalidate_every_core();
    drop(tree);
    let image = symbols::image();
    let freed = kernel_space::with_table(|table| {
        let frames = kernel_space::reclaim(table, image.park, image.init)?;
        kernel_space::unmap_linear(table, raspi3::FIRMWARE_PAGE, PAGE_SIZE)?;
        Ok(frames)
    });
    let va = phys_to_virt(raspi3::FIRMWARE_PAGE);
    freed.unwrap_or(Err(PagingError::NotMapped { va }))
}
