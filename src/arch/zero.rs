//! Memory made zero a cache line at a time, by DC ZVA (DDI 0487 C5.3.8).
#![expect(unsafe_code, reason = "an instruction that writes memory")]

use core::arch::asm;

/// Makes `bytes` bytes at `start` zero.
///
/// # Safety
/// The bytes are mapped as Normal cacheable memory that nobody else uses, in whole blocks of
/// [`BLOCK_MAX`].
pub unsafe fn zero(start: *mut u8, bytes: usize) {
    match block_size() {
        Some(block) => {
            let blocks = bytes / block;
            let mut line = start;
            // Four a turn: of the instructions that a page of a space takes, nearly all are here.
            for _ in 0..blocks / 4 {
                // SAFETY: the blocks lie in what the caller gave.
                unsafe {
                    asm!(
                        "dc zva, {line}",
                        "add {line}, {line}, {block}",
                        "dc zva, {line}",
                        "add {line}, {line}, {block}",
                        "dc zva, {line}",
                        "add {line}, {line}, {block}",
                        "dc zva, {line}",
                        "add {line}, {line}, {block}",
                        line = inout(reg) line,
                        block = in(reg) block,
                        options(nostack, preserves_flags),
                    );
                }
            }
            for index in 0..blocks % 4 {
                let line = line.wrapping_add(index * block);
                // SAFETY: the block lies in what the caller gave.
                unsafe { asm!("dc zva, {}", in(reg) line, options(nostack, preserves_flags)) };
            }
        }
        // SAFETY: the caller's promise.
        None => unsafe { start.write_bytes(0, bytes) },
    }
}

/// The largest block that the instruction may have, in bytes: DCZID_EL0.BS is 9 at most, the
/// logarithm of the words.
pub const BLOCK_MAX: usize = 2048;

/// Bytes that one instruction zeroes, 64 on the Cortex-A53, or `None` if it is prohibited
/// (DCZID_EL0.DZP).
fn block_size() -> Option<usize> {
    let id: u64;
    // SAFETY: reads an identification register.
    unsafe { asm!("mrs {}, dczid_el0", out(reg) id, options(nomem, nostack, preserves_flags)) };
    let prohibited = id & 1 << 4 != 0;
    (!prohibited).then_some(4 << (id & 0xf))
}
