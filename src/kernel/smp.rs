//! Cores 1 to 3: how they are called, and what they do when they are here.
//!
//! A core comes from a spin table (arm64 boot protocol: it waits for an address in page 0) or from
//! the parking loop (boot/park.S: it waits for a word of [`RELEASED`]). Both lead to
//! `secondary_start`, which takes from [`SECONDARY`] what it needs to turn its MMU on.
//!
//! # Decisions
//! A core that comes late must not run into memory that was given up. So it first claims, then
//! reads whether it is admitted; core 0, out of patience, first closes the door, then reads the
//! claims. One of the two sees the other (DDI 0487 B2.3.7: both do so through memory, with a DSB
//! between).

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};

use super::{interrupts, per_core, time, wait};
use crate::addr::PhysAddr;
use crate::arch::aarch64::relax::relax;
use crate::arch::aarch64::{cache, cpu, exception, mmu};
use crate::board::raspi3::{self, CORES};
use crate::log;
use crate::mm::kernel_space::{empty_table, linear};
use crate::mm::{layout, symbols};

/// How long a core may take to claim: as long as a polling loop may sleep, and much more.
const CLAIM_PATIENCE_US: u64 = 500_000;
/// How long a core that has claimed may take to be online.
const ONLINE_PATIENCE_US: u64 = 2_000_000;

/// What a core reads on its way, with its caches off. Cleaned to memory before anyone is released.
#[repr(C, align(64))]
pub(crate) struct Handover {
    ttbr0: u64,
    ttbr1: u64,
    mair: u64,
    tcr: u64,
    /// Where it goes when its MMU is on.
    entry: u64,
    /// For each core: not 0 as long as it may still come.
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

// SAFETY: core 0 alone writes it; the others read it from memory when it is complete.
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

/// What has become of a core.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CoreState {
    /// It runs.
    Online,
    /// It came, but never got ready.
    Lost,
    /// It never came.
    Absent,
}

impl fmt::Display for CoreState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Online => "runs",
            Self::Lost => "lost",
            Self::Absent => "absent",
        })
    }
}

/// Calls cores 1 to 3 and waits for those that come. `low_root` is the tree that identity-maps
/// `.park` and `.init`. Returns what may be given up afterwards.
pub(super) fn start(low_root: PhysAddr) -> BootMemory {
    let began = time::now_us();
    prepare(low_root);
    for core in 1..CORES {
        release(core);
    }
    let claimed = |core: usize| has_claimed(core);
    wait_for(CLAIM_PATIENCE_US, || (1..CORES).all(claimed));
    for core in (1..CORES).filter(|core| !has_claimed(*core)) {
        close_the_door(core);
    }
    let ready = |core: usize| !has_claimed(core) || per_core::of(core).is_online();
    wait_for(ONLINE_PATIENCE_US, || (1..CORES).all(ready));
    let online = (0..CORES).filter(|core| state(*core) == CoreState::Online);
    let count = online.count();
    log!(
        "cores",
        "{count} of {CORES} online after {} us",
        time::now_us().saturating_sub(began)
    );
    for core in 1..CORES {
        match state(core) {
            CoreState::Online => {}
            CoreState::Lost => log!("cores", "warning: core {core} came, but is not ready"),
            CoreState::Absent => log!("cores", "core {core} does not come"),
        }
    }
    (0..CORES)
        .map(state)
        .fold(BootMemory::Free, BootMemory::needed)
}

/// What of the memory that cores need on their way may be used for other things.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BootMemory {
    /// Everything: all cores run.
    Free,
    /// All but where a core may wait, or come to late.
    ParkingNeeded,
    /// Nothing: a core is on its way and may come yet.
    Needed,
}

impl BootMemory {
    fn needed(self, state: CoreState) -> Self {
        match state {
            CoreState::Online => self,
            CoreState::Absent if self == Self::Free => Self::ParkingNeeded,
            CoreState::Absent => self,
            CoreState::Lost => Self::Needed,
        }
    }
}

/// What has become of core `core`.
pub(super) fn state(core: usize) -> CoreState {
    if core == 0 || per_core::of(core).is_online() {
        CoreState::Online
    } else if per_core::of(core).was_claimed() {
        CoreState::Lost
    } else {
        CoreState::Absent
    }
}

/// Fills the handover and opens the door.
fn prepare(low_root: PhysAddr) {
    let registers = mmu::translation_registers();
    let mut stacks = [0; CORES];
    for (core, stack) in stacks.iter_mut().enumerate() {
        *stack = layout::main_stack(core).end() as u64;
    }
    let handover = Handover {
        ttbr0: low_root.as_usize() as u64,
        ttbr1: mmu::high_root().as_usize() as u64,
        mair: registers.mair,
        tcr: registers.tcr,
        entry: kernel_secondary as unsafe extern "C" fn(usize) -> ! as usize as u64,
        admitted: [1; CORES],
        stacks,
    };
    // SAFETY: no core reads it before it is released.
    unsafe { SECONDARY.0.get().write_volatile(handover) };
    publish(&SECONDARY);
}

/// Makes what this core wrote to `value` visible to cores whose caches are off.
fn publish<T>(value: &'static T) {
    let start = (&raw const *value).addr();
    cache::clean_and_invalidate(start, start + size_of::<T>());
}

/// Lets core `core` go, wherever it waits.
fn release(core: usize) {
    if let Some(word) = RELEASED.0.get(core) {
        word.store(1, Ordering::Relaxed);
    }
    publish(&RELEASED);
    let entry = symbols::secondary_entry().as_usize() as u64;
    let slot = linear(raspi3::spin_table(core)).as_usize();
    // SAFETY: the spin table lies in page 0, which nobody else uses, and the final map has it.
    unsafe { core::ptr::with_exposed_provenance_mut::<u64>(slot).write_volatile(entry) };
    cache::clean_and_invalidate(slot, slot + size_of::<u64>());
    cpu::send_event();
}

/// Whether core `core` has claimed, as memory has it.
fn has_claimed(core: usize) -> bool {
    let flags = &raw const CLAIMED;
    // The cores write with their caches off: what this core may hold of the line is older.
    cache::clean_and_invalidate(flags.addr(), flags.addr() + size_of::<[u64; CORES]>());
    let flag = flags.cast::<u64>().wrapping_add(core % CORES);
    // SAFETY: inside the array, in a page that is mapped as long as cores may come.
    let claimed = unsafe { flag.read_volatile() } != 0;
    if claimed {
        per_core::of(core).set_claimed();
    }
    claimed
}

/// From here on core `core`, which has not claimed, stays parked. If it claims just now, it may have
/// been admitted or not: then it is waited for, and nothing is given up if it does not get ready.
fn close_the_door(core: usize) {
    let admitted = SECONDARY.0.get().cast::<u64>();
    let admitted = admitted
        .wrapping_byte_add(Handover::ADMITTED)
        .wrapping_add(core % CORES);
    // SAFETY: inside the handover; core 0 alone writes, that core reads the word at most once.
    unsafe { admitted.write_volatile(0) };
    publish(&SECONDARY);
}

fn wait_for(patience_us: u64, mut done: impl FnMut() -> bool) {
    let start = time::now_us();
    while !done() && time::now_us().saturating_sub(start) < patience_us {
        relax();
    }
}

/// Where a core comes from boot/park.S: high, on its main stack, on the final map, DAIF masked.
///
/// # Safety
/// Called by boot/park.S alone, once on each core but 0.
unsafe extern "C" fn kernel_secondary(core: usize) -> ! {
    let stack = layout::exception_stack(core);
    // SAFETY: this core's stacks are mapped and used by nobody else.
    unsafe { exception::install(stack.end()) };
    // SAFETY: code, stack, vectors and data of this core are all high.
    unsafe { mmu::give_up_low_half(empty_table()) };
    cpu::unmask_errors();
    time::join();
    interrupts::init_core();
    wait::set_live(core);
    per_core::this().set_online();
    per_core::this().work()
}
