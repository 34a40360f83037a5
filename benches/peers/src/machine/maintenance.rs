//! Barriers and invalidations, counted one by one, whoever issues them.
//!
//! Each such instruction in this program is replaced by a BRK whose number is its class; the
//! handler in entry.S counts it and goes on. So the code that is counted is the code that is
//! measured, other libraries' included. The tables under test are never walked by the MMU: nothing
//! is missed.

use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use stilt_peers::workloads::{Bench, Row};

const CLASSES: usize = 5;

/// How often each class was met; entry.S counts. DMB, DSB, ISB, TLBI by address or ASID, TLBI of
/// everything.
#[unsafe(no_mangle)]
static COUNTS: [AtomicU64; CLASSES] = [const { AtomicU64::new(0) }; CLASSES];

unsafe extern "C" {
    static mut __text_start: u32;
    static __text_end: u32;
    safe fn synchronise_code();
}

/// The class of an instruction (DDI 0487 C6.2), if it is one of them.
const fn class(instruction: u32) -> Option<u32> {
    const BARRIER: u32 = 0xffff_f0ff;
    const SYSTEM: u32 = 0xfff8_f000;
    const TLBI: u32 = 0xd508_8000;
    const NO_OPERAND: u32 = 0b11111;
    match (instruction & BARRIER, instruction & SYSTEM) {
        (0xd503_30bf, _) => Some(0),
        (0xd503_309f, _) => Some(1),
        (0xd503_30df, _) => Some(2),
        (_, TLBI) if instruction & NO_OPERAND != NO_OPERAND => Some(3),
        (_, TLBI) => Some(4),
        _ => None,
    }
}

/// Puts the traps in place of all such instructions in .text. There is no way back.
pub(crate) fn trap() {
    const BRK: u32 = 0xd420_0000;
    let start = &raw mut __text_start;
    let end = (&raw const __text_end).addr();
    let words = (end - start.addr()) / size_of::<u32>();
    for index in 0..words {
        let word = start.wrapping_add(index);
        // SAFETY: the word is code of this program, between the linker's two symbols.
        let instruction = unsafe { ptr::read_volatile(word) };
        if let Some(class) = class(instruction) {
            // SAFETY: as above; memory is writable, and BRK is handled.
            unsafe { ptr::write_volatile(word, BRK | class << 5) };
        }
    }
    synchronise_code();
}

/// Counts what [`trap`] traps.
pub(crate) struct Counts([u64; CLASSES]);

impl Counts {
    pub(crate) const fn new() -> Self {
        Self([0; CLASSES])
    }

    fn now() -> [u64; CLASSES] {
        core::array::from_fn(|class| COUNTS[class].load(Ordering::Relaxed))
    }
}

impl Bench for Counts {
    fn measure(&mut self, work: &mut dyn FnMut()) {
        let before = Self::now();
        work();
        let after = Self::now();
        self.0 = core::array::from_fn(|class| after[class] - before[class]);
    }

    fn report(&mut self, row: &Row) {
        let Row {
            subject, workload, ..
        } = row;
        let [dmb, dsb, isb, tlbi, all] = self.0;
        super::line(format_args!(
            "maintenance {subject} {workload} {dmb} {dsb} {isb} {tlbi} {all}"
        ));
    }
}
