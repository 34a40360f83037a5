//! The states in which a loader leaves the machine: nothing but initial values.

use crate::cpu::Pstate;
use crate::cpu::registers::{Reg, Registers};
use crate::image::LOAD_ADDRESS;
use crate::memory::{Memory, View};

/// The way in which the kernel is entered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// QEMU 7.2 `-M raspi3b -kernel kernel8.img`: EL2, core 0 alone, ATAGs; all strictness off.
    Qemu,
}

/// The address of the ATAGs that QEMU writes.
const ATAGS: u64 = 0x100;
/// The address of the loop in which QEMU keeps the cores 1 to 3.
const SPIN_LOOP: u64 = 0x300;

/// Cores 1 to 3 wait at 0xd8 + 8 * core for the address of their first instruction.
const SPIN_TABLE: [u32; 8] = [
    0xd538_00a2, // mrs x2, mpidr_el1
    0x9240_0442, // and x2, x2, #3
    0xd280_1b01, // mov x1, #0xd8
    0xd503_205f, // wfe
    0xf862_7823, // ldr x3, [x1, x2, lsl #3]
    0xb4ff_ffc3, // cbz x3, .-8
    0xd280_0000, // mov x0, #0
    0xd61f_0060, // br x3
];

/// PSTATE of a level with SP_ELx and every exception masked.
pub(crate) fn masked(level: u8) -> Pstate {
    Pstate {
        nzcv: 0,
        daif: 0b1111,
        level,
        own_stack: true,
        illegal: false,
    }
}

/// The first instruction of a core, and X0.
pub(crate) fn start(core: usize, entry: u64) -> (u64, u64) {
    match core {
        0 => (entry, ATAGS),
        _ => (SPIN_LOOP, 0),
    }
}

/// Writes what QEMU leaves in RAM: a list of ATAGs, and the loop of the other cores.
pub(crate) fn prepare_memory(memory: &mut Memory, ram: u32) {
    let core = [5, 0x5441_0001, 1, 0x1000, 0];
    let ram = [4, 0x5441_0002, ram, 0];
    let none = [0, 0];
    let list = core.into_iter().chain(ram).chain(none);
    let words = (ATAGS..).step_by(4).zip(list);
    let spin = (SPIN_LOOP..).step_by(4).zip(SPIN_TABLE);
    for (address, word) in words.chain(spin) {
        memory.write(address, 4, u64::from(word), View::Cached);
    }
}

/// Sets the registers that QEMU sets.
pub(crate) fn prepare_registers(registers: &mut Registers, counter_hz: u64) {
    let core = registers.written(Reg::MPIDR_EL1);
    let values = [
        (Reg::SCR_EL3, 0x501),
        (Reg::HCR_EL2, 0x8000_0000),
        (Reg::CNTHCTL_EL2, 3),
        (Reg::SCTLR_EL1, 0x00c5_0838),
        (Reg::VPIDR_EL2, registers.written(Reg::MIDR_EL1)),
        (Reg::VMPIDR_EL2, core),
        (Reg::CNTFRQ_EL0, counter_hz),
        (Reg::ID_AA64ISAR0_EL1, 0x1_1120),
    ];
    for (register, value) in values {
        registers.set(register, value);
    }
}

const _: () = assert!(SPIN_LOOP + 4 * SPIN_TABLE.len() as u64 <= LOAD_ADDRESS);
