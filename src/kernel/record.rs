//! How the kernel was entered: written by boot/start.S before anything else is known.
#![expect(unsafe_code, reason = "written by assembly")]

use core::cell::UnsafeCell;

/// The state of core 0 at its first instruction: four words of 64 bits in this order, which
/// boot/start.S writes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct BootRecord {
    /// x0: device tree, ATAGs, or anything.
    pub x0: u64,
    /// The counter, CNTPCT_EL0 or at EL1 CNTVCT_EL0.
    pub counter: u64,
    /// The exception level, 1 to 3.
    pub level: u64,
    /// SCTLR of that level.
    pub sctlr: u64,
}

/// SCTLR_ELx.M and C, bits 0 and 2: MMU, data cache (DDI 0487 D24.2). For the assembly, too.
pub const SCTLR_M_OR_C: u64 = 0b101;

impl BootRecord {
    /// Whether the MMU or the data cache was on at entry, on the level of entry: then boot/start.S
    /// has cleaned image and device tree to memory before it switched them off.
    #[must_use]
    pub const fn caches_were_on(&self) -> bool {
        self.sctlr & SCTLR_M_OR_C != 0
    }
}

/// The record's memory, written before Rust runs.
#[repr(transparent)]
struct RecordCell(UnsafeCell<BootRecord>);

// SAFETY: start.S writes it while nothing else runs; afterwards it is only read.
unsafe impl Sync for RecordCell {}

#[unsafe(no_mangle)]
static BOOT_RECORD: RecordCell = RecordCell(UnsafeCell::new(BootRecord {
    x0: 0,
    counter: 0,
    level: 0,
    sctlr: 0,
}));

/// How the kernel was entered: a copy of what boot/start.S wrote, at any time and on any core.
#[must_use]
pub fn boot_record() -> BootRecord {
    // SAFETY: nobody writes any more; volatile because the writer is assembly.
    unsafe { BOOT_RECORD.0.get().read_volatile() }
}
