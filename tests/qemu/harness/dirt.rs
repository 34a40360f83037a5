//! What a loader may leave behind: registers with any value that does not stop the loader itself,
//! memory full of noise, a UART that somebody else used.
//!
//! Source: Arm DDI 0487 D24.2 for the registers' fields; BCM2835 ARM Peripherals 6.1 and DDI 0183
//! for pins and UART.

use super::{Code, Sys};

/// Registers of EL1 and EL0 that the code of a higher level does not notice.
const BELOW: [(Sys, u64); 31] = [
    (Sys::new(0, 1, 0, 0), 0xffff_ffff),            // SCTLR_EL1
    (Sys::new(0, 1, 0, 2), 0x0030_0000),            // CPACR_EL1
    (Sys::new(0, 2, 0, 0), 0x5a5a_0000_5a5a_5000),  // TTBR0_EL1
    (Sys::new(0, 2, 0, 1), 0xa5a5_0000_a5a5_5000),  // TTBR1_EL1
    (Sys::new(0, 2, 0, 2), 0x0000_0023_9955_2288),  // TCR_EL1
    (Sys::new(0, 4, 0, 0), 0x3c4),                  // SPSR_EL1
    (Sys::new(0, 4, 0, 1), 0xdead_beef_0000_0004),  // ELR_EL1
    (Sys::new(0, 4, 1, 0), 0xdead_beef_0000_0008),  // SP_EL0
    (Sys::new(4, 4, 1, 0), 0xdead_beef_0000_0010),  // SP_EL1
    (Sys::new(0, 5, 1, 0), 0x5a5a),                 // AFSR0_EL1
    (Sys::new(0, 5, 2, 0), 0x9600_0047),            // ESR_EL1
    (Sys::new(0, 6, 0, 0), 0x0000_1234_5678_9abc),  // FAR_EL1
    (Sys::new(0, 7, 4, 0), 0x0000_0000_1234_5000),  // PAR_EL1
    (Sys::new(0, 10, 2, 0), 0x1122_3344_5566_7788), // MAIR_EL1
    (Sys::new(0, 10, 3, 0), 0x5a5a_5a5a),           // AMAIR_EL1
    (Sys::new(0, 12, 0, 0), 0x0000_0000_0bad_0800), // VBAR_EL1
    (Sys::new(0, 13, 0, 1), 0x0000_0000_5a5a_5a5a), // CONTEXTIDR_EL1
    (Sys::new(0, 13, 0, 4), 0x1111_2222_3333_4444), // TPIDR_EL1
    (Sys::new(3, 13, 0, 2), 0x5555_6666_7777_8888), // TPIDR_EL0
    (Sys::new(3, 13, 0, 3), 0x9999_aaaa_bbbb_cccc), // TPIDRRO_EL0
    (Sys::new(0, 14, 1, 0), 0x3ff),                 // CNTKCTL_EL1
    (Sys::new(3, 14, 2, 2), 0),                     // CNTP_CVAL_EL0
    (Sys::new(3, 14, 2, 1), 1),                     // CNTP_CTL_EL0: on, and its time has come
    (Sys::new(3, 14, 3, 2), 0),                     // CNTV_CVAL_EL0
    (Sys::new(3, 14, 3, 1), 1),                     // CNTV_CTL_EL0: the same
    (Sys::new(3, 9, 12, 1), 0x8000_003f),           // PMCNTENSET_EL0
    (Sys::new(0, 9, 14, 1), 0x8000_003f),           // PMINTENSET_EL1
    (Sys::new(3, 9, 14, 0), 0xf),                   // PMUSERENR_EL0
    (Sys::new(3, 9, 12, 0), 0x1),                   // PMCR_EL0: on
    (Sys::debug(0, 0, 2, 2), 0xa000),               // MDSCR_EL1: MDE, KDE
    (Sys::debug(0, 1, 0, 4), 0),                    // OSLAR_EL1: unlocked
];

/// Registers of EL2 that decide about EL1, or that EL2 does not notice while its MMU is off.
const EL2: [(Sys, u64); 17] = [
    (Sys::new(4, 0, 0, 0), 0x5a5a_5a5a),            // VPIDR_EL2
    (Sys::new(4, 0, 0, 5), 0x0000_0001_8000_0303),  // VMPIDR_EL2
    (Sys::new(4, 1, 1, 0), 0x0000_0002_ffff_fbff),  // HCR_EL2: all traps, VM, TGE
    (Sys::new(4, 1, 1, 1), 0x0000_0e3f),            // MDCR_EL2: all traps
    (Sys::new(4, 1, 1, 2), 0x8000_37ff),            // CPTR_EL2: all traps
    (Sys::new(4, 1, 1, 3), 0x0000_adef),            // HSTR_EL2: all traps
    (Sys::new(4, 2, 0, 0), 0x0000_0000_5a5a_5000),  // TTBR0_EL2
    (Sys::new(4, 2, 0, 2), 0x8080_3520),            // TCR_EL2
    (Sys::new(4, 2, 1, 0), 0x00ff_0000_5a5a_5000),  // VTTBR_EL2
    (Sys::new(4, 2, 1, 2), 0x8002_3558),            // VTCR_EL2
    (Sys::new(4, 10, 2, 0), 0x8877_6655_4433_2211), // MAIR_EL2
    (Sys::new(4, 12, 0, 0), 0x0000_0000_0bad_1800), // VBAR_EL2
    (Sys::new(4, 13, 0, 2), 0x1234_1234_1234_1234), // TPIDR_EL2
    (Sys::new(4, 14, 0, 3), 0x0123_4567_89ab_cdef), // CNTVOFF_EL2
    (Sys::new(4, 14, 1, 0), 0xf0),                  // CNTHCTL_EL2: EL1 may use nothing
    (Sys::new(4, 14, 2, 2), 0),                     // CNTHP_CVAL_EL2
    (Sys::new(4, 14, 2, 1), 1),                     // CNTHP_CTL_EL2: on, and its time has come
];

/// Registers of EL3 that EL3 does not notice.
const EL3: [(Sys, u64); 6] = [
    (Sys::SCTLR_EL2, 0xffff_ffff),
    (Sys::new(6, 1, 1, 0), 0x0000_0030), // SCR_EL3: secure, AArch32 below
    (Sys::new(6, 1, 1, 2), 0x8010_0400), // CPTR_EL3: all traps
    (Sys::new(6, 1, 3, 1), 0x0003_0640), // MDCR_EL3: all traps
    (Sys::new(6, 12, 0, 0), 0x0000_0000_0bad_2800), // VBAR_EL3
    (Sys::new(6, 13, 0, 2), 0x4321_4321_4321_4321), // TPIDR_EL3
];

/// SCTLR_ELx of the level that is entered: I and SA as they are not after a reset, MMU and data
/// cache off.
pub(super) const SCTLR_FLIPPED: u64 = 1 << 12 | 1 << 3;

/// Dirt for an entry at EL1.
pub(super) fn for_el1(code: Code) -> Code {
    // What EL1 itself is under way with: not its own SCTLR, and no step of a debugger.
    write_all(code, &BELOW[1..])
}

/// Dirt for an entry at EL2.
pub(super) fn for_el2(code: Code) -> Code {
    write_all(write_all(code, &BELOW), &EL2)
}

/// Dirt for an entry at EL3.
pub(super) fn for_el3(code: Code) -> Code {
    write_all(for_el2(code), &EL3)
}

fn write_all(code: Code, registers: &[(Sys, u64)]) -> Code {
    registers.iter().fold(code, |code, (register, value)| {
        code.write(*register, *value)
    })
}

/// x1 to x30, each with a value of its own that is no address of anything.
pub(super) fn general_registers(code: Code) -> Code {
    (1..=30).fold(code, |code, register| {
        code.set(register, 0xdead_0000_beef_0001 | u64::from(register) << 32)
    })
}

/// The UART as the board's firmware sets it up for the Bluetooth chip: GPIO32 and 33 ALT3, 3
/// Mbit/s, and something half received in between; the header's pins are the mini-UART's.
pub(super) fn bluetooth(code: Code) -> Code {
    const GPIO: u64 = 0x3f20_0000;
    const UART: u64 = 0x3f20_1000;
    code.store(GPIO + 0x04, 0b010_010 << 12)
        .store(GPIO + 0x0c, 0b111_111 << 6 | 0b100 << 24)
        .store(UART + 0x30, 0)
        .store(UART + 0x24, 1)
        .store(UART + 0x28, 0)
        .store(UART + 0x2c, 0x70)
        .store(UART + 0x38, 0x7ff)
        .store(UART + 0x30, 0xf01)
}

/// Bytes that are no zeros, nor anything else that could be expected; the same ones each time.
pub(super) fn noise(bytes: usize) -> Vec<u8> {
    let mut state: u32 = 0x5717_0001;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 | 1
    };
    (0..bytes).map(|_| next()).collect()
}
