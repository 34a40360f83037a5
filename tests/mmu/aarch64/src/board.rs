//! QEMU's `virt`: its memory, its PL011, and the end by semihosting.
//!
//! Sources: PL011 TRM (DDI 0183): the UART sends as QEMU leaves it. Semihosting for AArch32 and
//! AArch64: SYS_EXIT_EXTENDED.

use core::arch::asm;
use core::fmt;
use core::ops::Range;
use core::ptr;

use mmu_scenario::ONE_GIB;
use stilt_paging::MappingFlags;
use stilt_paging::addr::PhysAddr;

/// RAM: `-m 3G`.
pub(crate) const RAM: Range<usize> = ONE_GIB..4 * ONE_GIB;
/// The registers of the UART, and 2 MiB around them.
pub(crate) const DEVICES: Range<usize> = UART..UART + 0x20_0000;
/// What may be done with them.
pub(crate) const DEVICE_FLAGS: MappingFlags = MappingFlags::READ
    .union(MappingFlags::WRITE)
    .union(MappingFlags::ACCESSED)
    .union(MappingFlags::GLOBAL)
    .union(MappingFlags::DEVICE);
/// Memory for tables: from the middle of the first GiB on, far behind the program.
pub(crate) const TABLES: PhysAddr = PhysAddr::new(RAM.start + ONE_GIB / 2);
pub(crate) const TABLES_BYTES: usize = 256 << 20;
/// Memory for what is mapped: behind the GiB that holds the program and the tables.
pub(crate) const BLOCKS: [PhysAddr; 2] = [
    PhysAddr::new(RAM.start + ONE_GIB),
    PhysAddr::new(RAM.start + 2 * ONE_GIB),
];

/// UARTDR at 0, UARTFR at 0x18.
const UART: usize = 0x0900_0000;
const UART_DATA: *mut u32 = ptr::without_provenance_mut(UART);
const UART_FLAGS: *const u32 = ptr::without_provenance(UART + 0x18);
/// UARTFR.TXFF: no room.
const UART_FULL: u32 = 1 << 5;

/// How the run ended: QEMU's exit code.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Verdict {
    Pass = 0,
    Fail = 1,
}

/// The console.
pub(crate) struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: the register is there, and every tree maps it; reading it changes nothing.
            while unsafe { UART_FLAGS.read_volatile() } & UART_FULL != 0 {}
            // SAFETY: as above; the byte is sent.
            unsafe { UART_DATA.write_volatile(u32::from(byte)) };
        }
        Ok(())
    }
}

/// Ends QEMU.
pub(crate) fn exit(verdict: Verdict) -> ! {
    const SYS_EXIT_EXTENDED: u64 = 0x20;
    const ADP_STOPPED_APPLICATION_EXIT: u64 = 0x2_0026;
    let block = [ADP_STOPPED_APPLICATION_EXIT, verdict as u64];
    // SAFETY: nothing runs afterwards.
    unsafe {
        asm!(
            "hlt #0xf000",
            "2:",
            "wfi",
            "b 2b",
            in("x0") SYS_EXIT_EXTENDED,
            in("x1") &raw const block,
            options(noreturn),
        )
    }
}
