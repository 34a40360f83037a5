//! Ending QEMU with an exit code: Arm semihosting, SYS_EXIT_EXTENDED.

use core::arch::asm;

/// Ends the emulator with `code`; one that does not listen sees an exception, and the core sleeps.
pub(crate) fn exit(code: u64) -> ! {
    const ADP_STOPPED_APPLICATION_EXIT: u64 = 0x2_0026;
    let block = [ADP_STOPPED_APPLICATION_EXIT, code];
    // SAFETY: nothing runs afterwards.
    unsafe {
        asm!(
            "hlt #0xf000",
            "2:",
            "wfi",
            "b 2b",
            in("x0") 0x20,
            in("x1") &raw const block,
            options(noreturn),
        )
    }
}
