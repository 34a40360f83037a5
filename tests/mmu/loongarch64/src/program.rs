//! The program: where it lies, in which order it does what, how it ends.

use core::arch::global_asm;
use core::fmt::{self, Write};
use core::panic::PanicInfo;

use mmu_scenario::Pool;
use stilt_paging::PagingResult;
use stilt_paging::addr::PhysAddr;

use crate::devices::{Console, power_off};
use crate::emulator::Emulator;
use crate::machine::{Core, Window};
use crate::{cpu, csr, pairs};

/// Bits 63:60 of addresses in the window of the kernel: PLV 0 alone, cached.
pub(crate) const KERNEL_WINDOW: usize = 0x9;
/// Of user code: PLV 3 alone, cached.
pub(crate) const USER_WINDOW: usize = 0xa;
/// Of devices: PLV 0 alone, uncached.
pub(crate) const DEVICE_WINDOW: usize = 0xb;

/// Memory for tables: where QEMU's RAM goes on behind the devices, in every version.
const TABLES: PhysAddr = PhysAddr::new(0x9000_0000);
const TABLES_BYTES: usize = 16 << 20;

/// DMW: for PLV 0, for PLV 3, memory access type "coherent cached", the window.
const FOR_KERNEL: usize = 1 << 0;
const FOR_USER: usize = 1 << 3;
const CACHED: usize = 1 << 4;
const WINDOW_SHIFT: u32 = 60;
/// Bits of a physical address; those of an address in a window that name it.
pub(crate) const PHYSICAL_BITS: u32 = 48;

/// CRMD: PLV 0, no interrupts, mapped addresses, and when the refill handler runs without,
/// cached fetches and accesses.
const CRMD_MAPPED: usize = 1 << 4 | 1 << 5 | 1 << 7;

global_asm!(
    include_str!("start.S"),
    CRMD = const csr::CRMD,
    CPUID = const csr::CPUID,
    DMW0 = const csr::DMW0,
    DMW1 = const csr::DMW1,
    DMW2 = const csr::DMW2,
    DMW3 = const csr::DMW3,
    KERNEL = const KERNEL_WINDOW << WINDOW_SHIFT | CACHED | FOR_KERNEL,
    USER = const USER_WINDOW << WINDOW_SHIFT | CACHED | FOR_USER,
    DEVICE = const DEVICE_WINDOW << WINDOW_SHIFT | FOR_KERNEL,
    CRMD_MAPPED = const CRMD_MAPPED,
    KERNEL_WINDOW = const KERNEL_WINDOW,
    WINDOW_SHIFT = const WINDOW_SHIFT,
    PHYSICAL_BITS = const PHYSICAL_BITS,
);

/// The address of physical address `pa`, or of what has the address `pa` in any window, in
/// `window`.
pub(crate) const fn window(window: usize, pa: usize) -> usize {
    physical(pa) | window << WINDOW_SHIFT
}

/// The physical address of what has the address `va` in any window.
pub(crate) const fn physical(va: usize) -> usize {
    va & ((1 << PHYSICAL_BITS) - 1)
}

/// Where `start.S` goes, at PLV 0 in the kernel's window.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    cpu::set_up();
    // SAFETY: nothing else is there; this is the only call.
    unsafe { Pool::<Window>::give(TABLES, TABLES_BYTES) };
    if let Err(error) = run() {
        panic!("a tree of the program's own: {error}");
    }
    power_off()
}

/// All checks. The scenario's last line, which says how it went, is also the last of this program.
fn run() -> PagingResult {
    let mut core = Core::new(Emulator::find()?);
    pairs::check(&mut core)?;
    say(format_args!(
        "loongarch64: pairs of leaves, and of nothing: as they must be\n"
    ));
    let _ = mmu_scenario::run(&mut core);
    Ok(())
}

/// Shows text to people.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    // The console takes everything.
    let _ = Console.write_fmt(text);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("loongarch64: WRONG: {info}\n"));
    power_off()
}
