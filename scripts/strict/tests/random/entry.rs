//! The beginning of the image: from the loader's entry at EL2 to the first block.
//!
//! 1. The other cores, which wait in the loader's loop for an address (at 0xe0, 0xe8, 0xf0), are
//!    sent to a loop of WFI. An emulator has more time then for the first one.
//! 2. The serial line is set up: pins 14 and 15 to function 0, 115200 baud from 48 MHz.
//! 3. DC CVAC is made to invalidate, too: erratum 855873 of the Cortex-A53.
//! 4. EL2 gets values that hide nothing from EL1, but SMC, which it takes (HCR_EL2.TSC): there is
//!    no EL3 of ours.
//! 5. The level at which the blocks run gets its page tables, vectors and SCTLR, and is entered.

use super::code::Code;
use super::encode::{self, DMB, DSB, ERET, ISB, SEV, WFI, ZERO};
use super::layout::{
    ATTRIBUTES, ENTRY, GPIO, Level, PL011, SAVED, TABLES, TCR_EL1, TCR_EL2, UPPER_VECTORS, VECTORS,
};
use super::settings::Settings;

/// Where the loader's loops look for the address to go to, cores 1 to 3.
const SPIN_TABLE: u64 = 0xe0;
/// HCR_EL2: EL1 is AArch64 (RW), SMC is trapped (TSC).
const HCR_EL2: u64 = 1 << 31 | 1 << 19;
/// CPTR_EL2 with its RES1 bits; TFP, bit 10, traps SIMD and floating point of EL2.
const CPTR_EL2: u64 = 0x33ff;
/// DAIF set and EL1 with its own stack pointer, for SPSR_EL2.
const TO_EL1: u64 = 0x3c5;

/// Registers that have no defined value at reset, and that blocks read or that steer EL0.
const CLEARED: [&str; 14] = [
    "tpidr_el0",
    "tpidrro_el0",
    "tpidr_el1",
    "contextidr_el1",
    "csselr_el1",
    "elr_el1",
    "spsr_el1",
    "esr_el1",
    "far_el1",
    "par_el1",
    "cntkctl_el1",
    "sp_el0",
    "mdscr_el1",
    "pmuserenr_el0",
];

/// Further ones that blocks at EL2 read: EL2's own, and those of EL1 that are set up for EL1.
const CLEARED_FOR_EL2: [&str; 10] = [
    "tpidr_el2",
    "elr_el2",
    "spsr_el2",
    "esr_el2",
    "far_el2",
    "sp_el1",
    "ttbr0_el1",
    "tcr_el1",
    "mair_el1",
    "vbar_el1",
];
/// SCTLR_EL1 with the MMU off: the bits that are RES1 in Armv8.0.
const SCTLR_EL1_OFF: u64 = 0x30d0_0800;

/// The code at [`ENTRY`], which goes on at `first`.
pub(crate) fn code(settings: Settings, first: u64) -> Code {
    let mut code = Code::at(ENTRY);
    park(&mut code);
    serial_line(&mut code);
    work_around(&mut code);
    hypervisor(&mut code, settings.level);
    for register in CLEARED {
        code.emit(encode::msr(register, ZERO));
    }
    if settings.level == Level::El2 {
        for register in CLEARED_FOR_EL2 {
            code.emit(encode::msr(register, ZERO));
        }
        set(&mut code, "sctlr_el1", SCTLR_EL1_OFF);
    }
    translation(&mut code, settings);
    match settings.level {
        Level::El1 => {
            set(&mut code, "spsr_el2", TO_EL1);
            set(&mut code, "elr_el2", first);
            code.emit(ERET);
        }
        Level::El2 => code.to(first, encode::b),
    }
    code
}

fn set(code: &mut Code, register: &str, value: u64) {
    code.constant(0, value);
    code.emit(encode::msr(register, 0));
}

fn park(code: &mut Code) {
    code.over(encode::b, |code| {
        code.emit(WFI);
        code.emit(encode::b(-4));
    });
    code.constant(1, ENTRY + 4);
    code.constant(2, SPIN_TABLE);
    for core in 0..3 {
        code.emit(encode::str(1, 2, core * 8));
    }
    code.extend([DSB, SEV]);
}

fn serial_line(code: &mut Code) {
    /// GPFSEL1: pins 10 to 19, three bits each; 4 is function 0.
    const PINS: u64 = GPIO + 4;
    code.constant(1, PINS);
    code.emit(encode::ldr_w(2, 1, 0));
    code.emit(encode::and_run(2, 2, 18, 58));
    code.constant(3, 4 << 12 | 4 << 15);
    code.emit(encode::eor(2, 2, 3));
    code.emit(encode::str_w(2, 1, 0));
    // One peripheral after another (BCM2835 ARM Peripherals, 1.3).
    code.emit(DMB);
    code.constant(1, PL011);
    // UARTCR off; UARTIBRD and UARTFBRD, 48 MHz / (16 × 115200) = 26 + 3/64; UARTLCR_H, eight bits
    // and the queue; UARTCR, transmitter and receiver on.
    for (offset, value) in [
        (0x30, 0),
        (0x24, 26),
        (0x28, 3),
        (0x2c, 0x70),
        (0x30, 0x301),
    ] {
        code.constant(2, value);
        code.emit(encode::str_w(2, 1, offset));
    }
}

fn work_around(code: &mut Code) {
    /// CPUACTLR_EL1, DDI 0500 4.3.66, and its bit ENDCCASCI.
    const CPUACTLR_EL1: [u16; 5] = [3, 1, 15, 2, 0];
    const ENDCCASCI: u32 = 44;
    code.emit(encode::mrs_of(0, CPUACTLR_EL1));
    code.emit(encode::and_run(0, 0, ENDCCASCI + 1, 63));
    code.constant(1, 1 << ENDCCASCI);
    code.emit(encode::eor(0, 0, 1));
    code.emit(encode::msr_of(CPUACTLR_EL1, 0));
    code.emit(ISB);
}

fn hypervisor(code: &mut Code, level: Level) {
    let trap_vectors = match level {
        Level::El1 => 0,
        Level::El2 => 1 << 10,
    };
    for (register, value) in [
        ("hcr_el2", HCR_EL2),
        ("cptr_el2", CPTR_EL2 | trap_vectors),
        ("hstr_el2", 0),
        ("mdcr_el2", 6),
        ("cnthctl_el2", 3),
        ("cntvoff_el2", 0),
        ("vttbr_el2", 0),
        ("cpacr_el1", 0),
        ("vbar_el2", UPPER_VECTORS),
    ] {
        set(code, register, value);
    }
    for (from, to) in [("midr_el1", "vpidr_el2"), ("mpidr_el1", "vmpidr_el2")] {
        code.emit(encode::mrs(0, from));
        code.emit(encode::msr(to, 0));
    }
}

fn translation(code: &mut Code, settings: Settings) {
    let level = settings.level;
    let (control, invalidation) = match level {
        Level::El1 => (TCR_EL1, "tlbi vmalle1"),
        Level::El2 => (TCR_EL2, "tlbi alle2"),
    };
    set(code, &level.of("mair"), ATTRIBUTES);
    set(code, &level.of("tcr"), control | settings.tcr);
    set(code, &level.of("ttbr0"), TABLES);
    set(code, &level.of("vbar"), VECTORS);
    code.emit(ISB);
    for operation in [invalidation, "ic iallu"] {
        code.emit(encode::sys(operation, ZERO));
    }
    code.extend([DSB, ISB]);
    set(code, &level.of("sctlr"), settings.sctlr);
    code.emit(ISB);
    code.constant(20, SAVED);
}
