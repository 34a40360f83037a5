//! `init_kernel_pt`, and the assembly before it: both sides of the MMU.
#![expect(
    unsafe_code,
    reason = "called from assembly; tables that the linker places"
)]

use alloc::vec::Vec;
use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::mem::{MaybeUninit, offset_of};

use super::early_map::BootTables;
use crate::addr::PhysAddr;
use crate::arch::exception::{STACKS_SIZE, VECTOR_ALIGNMENT};
use crate::arch::{cache, mmu};
use crate::board::raspi3;
use crate::kernel::cores::secondary_boot::SecondaryData;
use crate::kernel::exit::ExitCode;
use crate::kernel::record::{BootRecord, SCTLR_M_OR_C};
use crate::mm::symbols;
use crate::paging::Run;
use crate::paging::format::aarch64_registers::{SCTLR_EL1_MMU_OFF, SCTLR_EL1_MMU_ON};

// For the linker script, which keeps more room for the names of a debug image.
#[cfg(debug_assertions)]
global_asm!(".global __debug_image", ".set __debug_image, 1");

global_asm!(
    include_str!(concat!(env!("OUT_DIR"), "/start.S")),
    LOAD_ADDRESS = const raspi3::LOAD_ADDRESS.as_usize(),
    KERNEL_VA_OFFSET = const raspi3::KERNEL_VA_OFFSET,
    SCTLR_EL1_MMU_OFF = const SCTLR_EL1_MMU_OFF,
    SCTLR_EL1_MMU_ON = const SCTLR_EL1_MMU_ON,
    // RES1 bits 4, 5, 11, 16, 18, 22, 23, 28, 29 (DDI 0487 D24.2, SCTLR_EL2 and SCTLR_EL3).
    SCTLR_EL2_MMU_OFF = const 0x30c5_0830_u32,
    SCTLR_EL3_MMU_OFF = const 0x30c5_0830_u32,
    SCTLR_M_OR_C = const SCTLR_M_OR_C,
    // RW (10), HCE (8), SMD (7), RES1 (5:4), NS (0).
    SCR_EL3 = const 0x5b1,
    // Cortex-A53 TRM DDI 0500 4.3.66: access to L2ACTLR, L2ECTLR, L2CTLR, CPUECTLR, CPUACTLR.
    ACTLR_LOWER_ACCESS = const 0x73,
    // DDI 0500 4.3.67: hardware coherency with the other cores.
    CPUECTLR_SMPEN = const 1 << 6,
    // DDI 0500 4.3.58: data RAM setup 1, latency 3 cycles, as the firmware's stub sets them.
    L2CTLR_LATENCY = const 0x22,
    HCR_EL2_RW = const 1_u64 << 31,
    // EL0 has no debug channel.
    MDSCR_EL1_TDCC = const 1 << 12,
    CPTR_EL2_RES1 = const 0x33ff,
    // D, A, I, F masked; EL2h and EL1h.
    SPSR_EL2H = const 0x3c9,
    SPSR_EL1H = const 0x3c5,
    COUNTER_HZ = const raspi3::COUNTER_HZ,
    COUNTER_MIN_HZ = const raspi3::COUNTER_MIN_HZ,
    COUNTER_MAX_HZ = const raspi3::COUNTER_MAX_HZ,
    LOCAL_PERIPHERALS = const raspi3::LOCAL_PERIPHERALS.as_usize(),
    LOCAL_CONTROL = const raspi3::LOCAL_CONTROL,
    LOCAL_PRESCALER = const raspi3::LOCAL_PRESCALER,
    // Devicetree specification 5.2; the header is big-endian, the core is not.
    FDT_MAGIC_LE = const 0xd00d_feed_u32.swap_bytes(),
    FDT_MAX_SIZE = const raspi3::DEVICE_TREE_MAX_SIZE,
    BOOT_CLEARED_SIZE = const BootTables::CLEARED_SIZE,
    STACKS_SIZE = const STACKS_SIZE,
    VECTOR_ALIGNMENT = const VECTOR_ALIGNMENT,
    RECORD_X0 = const offset_of!(BootRecord, x0),
    RECORD_COUNTER = const offset_of!(BootRecord, counter),
    RECORD_LEVEL = const offset_of!(BootRecord, level),
    RECORD_SCTLR = const offset_of!(BootRecord, sctlr),
);

/// The UART's divisor in 64ths, to the nearest (DDI 0183 3.3.6): 48 MHz / (16 * 115200) = 26 +
/// 3/64.
const UART_SIXTY_FOURTHS: u32 =
    (4 * raspi3::UART_CLOCK_HZ + raspi3::CONSOLE_BAUD / 2) / raspi3::CONSOLE_BAUD;

global_asm!(
    include_str!(concat!(env!("OUT_DIR"), "/early.S")),
    VECTOR_ALIGNMENT = const VECTOR_ALIGNMENT,
    UART0 = const raspi3::UART0.as_usize(),
    GPIO = const raspi3::GPIO.as_usize(),
    UART_IBRD = const UART_SIXTY_FOURTHS / 64,
    UART_FBRD = const UART_SIXTY_FOURTHS % 64,
    EXIT_EARLY = const ExitCode::EarlyException as u64,
    CORES = const raspi3::CORES,
    // QA7 4.8: core 0's mailbox 0, write-set, by which cores interrupt each other.
    LOCAL_MAILBOXES = const raspi3::LOCAL_PERIPHERALS.as_usize() + raspi3::LOCAL_MAILBOXES,
);

global_asm!(
    include_str!(concat!(env!("OUT_DIR"), "/park.S")),
    CORES = const raspi3::CORES,
    SCTLR_EL1_MMU_ON = const SCTLR_EL1_MMU_ON,
    SECONDARY_TTBR0 = const SecondaryData::TTBR0,
    SECONDARY_TTBR1 = const SecondaryData::TTBR1,
    SECONDARY_MAIR = const SecondaryData::MAIR,
    SECONDARY_TCR = const SecondaryData::TCR,
    SECONDARY_ENTRY = const SecondaryData::ENTRY,
    SECONDARY_SHOULD_ONLINE = const SecondaryData::SHOULD_ONLINE,
    SECONDARY_STACKS = const SecondaryData::STACKS,
);

/// Memory of the boot tables: written here, read by the hardware, given up after boot.
#[repr(transparent)]
struct TableMemory(UnsafeCell<MaybeUninit<BootTables>>);

// SAFETY: only `init_kernel_pt` touches it, once, on one core.
unsafe impl Sync for TableMemory {}

#[unsafe(link_section = ".boot_tables")]
static BOOT_TABLES: TableMemory = TableMemory(UnsafeCell::new(MaybeUninit::uninit()));

unsafe extern "C" {
    /// In boot/start.S.
    fn enable_mmu_and_enter_kernel(dtb: u64) -> !;
}

/// Builds the boot tables, sets MAIR, TCR and both TTBRs, and leaves for the high half.
///
/// # Safety
/// Called by boot/start.S alone: EL1h, one core, MMU and caches off, on the boot stack, levels 0
/// and 1 of the boot tables clear. `dtb` is x0 as it was at entry.
#[unsafe(no_mangle)]
unsafe extern "C" fn init_kernel_pt(dtb: u64) -> ! {
    let tables = BOOT_TABLES.0.get().cast::<BootTables>();
    let base = PhysAddr::new(tables.addr());
    // SAFETY: nobody else refers to the tables before the MMU is on; `u64`s have no invalid
    // values, and `fill` writes every entry that start.S has not cleared.
    let tables = unsafe { &mut *tables };
    let roots = tables.fill(base, &symbols::image().regions());

    let (start, end) = symbols::written_before_caches();
    // SAFETY: the range is ours, its contents are in memory (caches are off), and what lines of
    // it a loader may have left clean in the cache must go, not come back.
    unsafe { cache::invalidate_to_coherency(start.as_usize(), end.as_usize()) };
    // SAFETY: the trees identity-map `.init` and the boot stack, and map the kernel high.
    unsafe { mmu::install(roots.low, roots.high) };
    // SAFETY: registers and tables are set for it.
    unsafe { enable_mmu_and_enter_kernel(dtb) }
}

/// Builds the boot tables again, in memory of the heap, and shows `visit` each leaf as
/// [`BootTables::each_leaf`] does. Declared by kernel/report/boot_map.rs, which is in a lower room.
/// Returns whether there was memory.
///
/// The tables that the MMU used were given up after boot; the image is where it was, and the code
/// is the same.
#[unsafe(no_mangle)]
fn each_boot_leaf(visit: &mut dyn FnMut(Run)) -> bool {
    let mut room = Vec::<BootTables>::new();
    if room.try_reserve_exact(1).is_err() {
        return false;
    }
    let tables = room.as_mut_ptr();
    // SAFETY: the reserved memory of one value, all of whose bytes may be zero.
    unsafe { tables.write_bytes(0, 1) };
    // SAFETY: the value is written.
    unsafe { room.set_len(1) };
    for tables in &mut room {
        tables.fill(
            PhysAddr::new(BOOT_TABLES.0.get().addr()),
            &symbols::image().regions(),
        );
        tables.each_leaf(visit);
    }
    true
}
