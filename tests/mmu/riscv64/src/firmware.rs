//! Machine mode, which keeps the console and the end: `start.S`, and the way to call it.
//!
//! It reaches its devices whatever supervisor mode translates by, so no tree has to map them.
//!
//! Addresses are those of QEMU's `virt`: a 16550 UART, and SiFive's test device, which ends QEMU.

use core::arch::{asm, global_asm};
use core::fmt;

/// The transmit register of the UART.
const UART: usize = 0x1000_0000;
const TEST_DEVICE: usize = 0x0010_0000;
const TEST_PASS: u32 = 0x5555;
/// QEMU ends with exit code 1.
const TEST_FAIL: u32 = 0x1_3333;
/// The service that ends QEMU.
const CALL_EXIT: usize = 1;
/// The service that puts a character out.
const CALL_PUT: usize = 0;
/// menvcfg.PBMTE and menvcfg.ADUE.
const MENVCFG_BITS: u64 = 1 << 62 | 1 << 61;
/// What supervisor mode handles itself: misaligned, access, illegal, breakpoint, calls of user
/// mode, page faults.
const MEDELEG: u64 = 0b1011_0001_1111_1111;

global_asm!(
    include_str!("start.S"),
    UART = const UART,
    TEST_DEVICE = const TEST_DEVICE,
    TEST_FAIL = const TEST_FAIL,
    CALL_EXIT = const CALL_EXIT,
    MEDELEG = const MEDELEG,
    MENVCFG_BITS = const MENVCFG_BITS,
);

/// How the run ended.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    Pass,
    Fail,
}

/// The console.
pub(crate) struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            call(CALL_PUT, u32::from(byte));
        }
        Ok(())
    }
}

/// Ends QEMU.
pub(crate) fn exit(verdict: Verdict) -> ! {
    call(
        CALL_EXIT,
        match verdict {
            Verdict::Pass => TEST_PASS,
            Verdict::Fail => TEST_FAIL,
        },
    );
    loop {
        core::hint::spin_loop();
    }
}

fn call(service: usize, argument: u32) {
    // SAFETY: machine mode changes t0 and t1 alone, and returns behind the call.
    unsafe {
        asm!(
            "ecall",
            in("a7") service,
            in("a0") argument,
            out("t0") _,
            out("t1") _,
            options(nostack),
        );
    }
}
