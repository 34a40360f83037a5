//! Ending the emulator: Arm semihosting, SYS_EXIT_EXTENDED.
//!
//! Without a listener the HLT is an undefined instruction: the vectors are set to ones that wait.
#![expect(unsafe_code, reason = "a call of the emulator")]

use core::arch::asm;

const SYS_EXIT_EXTENDED: u64 = 0x20;
const ADP_STOPPED_APPLICATION_EXIT: u64 = 0x2_0026;

unsafe extern "C" {
    static __stop_vectors_high: [u8; 0];
}

/// Ends the run with `code` (modulo 256) if a debugger or emulator listens, else stops this core.
pub fn exit(code: u64) -> ! {
    let block = [ADP_STOPPED_APPLICATION_EXIT, code];
    // SAFETY: this core does nothing else any more; the vectors that it gets only wait.
    unsafe {
        asm!(
            "msr daifset, #0b1111",
            "msr vbar_el1, {vectors}",
            "isb",
            "hlt #0xf000",
            "2:",
            "wfe",
            "b 2b",
            vectors = in(reg) (&raw const __stop_vectors_high),
            in("x0") SYS_EXIT_EXTENDED,
            in("x1") &raw const block,
            options(noreturn),
        )
    }
}
