//! Cache maintenance: of data by address, to the point of coherency; of instructions as a whole.
//!
//! Source: Arm DDI 0487 D7.5. Of data by address only: operations by set and way are no substitute
//! on a machine with several cores.
//!
//! # Decisions
//! Cleaning is always clean-and-invalidate: on this core `dc cvac` can lose data (Cortex-A53
//! erratum 855873).
#![expect(unsafe_code, reason = "cache maintenance")]

use core::arch::asm;

/// Throws away what the data cache holds of `[start, end)`, in groups of four lines, and waits.
///
/// # Safety
/// No line of the range holds data that memory lacks, neither of the range itself nor of what
/// shares its first line or its last group of four: best, both ends are multiples of that. The
/// addresses are mapped, or the MMU is off.
#[inline(always)]
pub unsafe fn invalidate_to_coherency(start: usize, end: usize) {
    let line = line_size();
    let mut address = start & !(line - 1);
    barrier();
    while address < end {
        // SAFETY: the caller vouches for the line. Four a turn: boot counts its instructions.
        unsafe {
            asm!(
                "dc ivac, {address}",
                "add {address}, {address}, {line}",
                "dc ivac, {address}",
                "add {address}, {address}, {line}",
                "dc ivac, {address}",
                "add {address}, {address}, {line}",
                "dc ivac, {address}",
                "add {address}, {address}, {line}",
                address = inout(reg) address,
                line = in(reg) line,
                options(nostack, preserves_flags),
            );
        }
    }
    barrier();
}

/// Writes what the data cache holds of `[start, end)` to memory, drops it, and waits.
///
/// `start` and `end` are mapped; an unmapped address faults.
pub fn clean_and_invalidate(start: usize, end: usize) {
    let line = line_size();
    let mut address = start & !(line - 1);
    while address < end {
        // SAFETY: cleaning and invalidating loses nothing.
        unsafe {
            asm!("dc civac, {}", in(reg) address, options(nostack, preserves_flags));
        }
        address += line;
    }
    barrier();
}

/// Lets every core execute what was written to `[start, end)`, through whatever address: data to
/// memory, instruction caches empty. Each core synchronises by itself before it goes there, as an
/// exception return does.
///
/// All instructions, since the Cortex-A53's instruction cache is indexed by virtual address (DDI
/// 0500 6.2.1): by address, a line that came in through another one would stay (DDI 0487 D7.5.8).
///
/// `start` and `end` are mapped; an unmapped address faults.
pub fn make_executable(start: usize, end: usize) {
    clean_and_invalidate(start, end);
    // SAFETY: instructions are fetched again.
    unsafe {
        asm!(
            "ic ialluis",
            "dsb ish",
            "isb",
            options(nostack, preserves_flags)
        )
    };
}

/// The smallest data-cache line in bytes (CTR_EL0.DminLine is its log2 in words).
#[inline(always)]
fn line_size() -> usize {
    let cache_type: usize;
    // SAFETY: reads an identification register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) cache_type, options(nomem, nostack)) };
    4 << ((cache_type >> 16) & 0xf)
}

/// Waits until all memory accesses and cache maintenance so far are done, for every observer.
#[inline(always)]
pub fn barrier() {
    aarch64_cpu::asm::barrier::dsb(aarch64_cpu::asm::barrier::SY);
}
