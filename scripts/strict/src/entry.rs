//! The states in which a loader leaves the machine: nothing but initial values.
//!
//! What a loader does not set is UNKNOWN: noise, where the liberty is taken.

use crate::board::CORES;
use crate::cpu::Pstate;
use crate::image::Image;
use crate::memory::{Memory, Placed};
use crate::registers::{Reg, Registers};
use crate::watch::{Boot, Lint};

/// The way in which the kernel is entered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// The firmware's armstub8: core 0 at EL2 with the caches off, the others in its spin loop.
    Firmware,
    /// Power-on: all four cores at EL3 at the kernel's first instruction.
    El3,
    /// A loader that has gone down to EL1, with the caches off.
    El1,
    /// U-Boot's `go`: core 0 at EL2 with the MMU and the caches on, the image in dirty lines.
    UBoot,
    /// QEMU 7.2 `-M raspi3b -kernel kernel8.img`: EL2, core 0 alone, ATAGs.
    Qemu,
}

impl Entry {
    /// Every way in.
    pub const ALL: [Self; 5] = [
        Self::Firmware,
        Self::El3,
        Self::El1,
        Self::UBoot,
        Self::Qemu,
    ];

    /// The name that `--entry` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::El3 => "el3",
            Self::El1 => "el1",
            Self::UBoot => "u-boot",
            Self::Qemu => "qemu",
        }
    }

    /// The way in with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entry| entry.name() == name)
    }

    /// Whether an image can be entered in this way: it does not lie over its loader.
    pub(crate) fn can_enter(self, image: &Image) -> bool {
        self == Self::El3 || self == Self::Qemu || !image.lies_below(ARMSTUB_END)
    }

    /// The exception level at which a core begins.
    fn level(self, core: usize) -> u8 {
        match (self, core) {
            (Self::El3, _) => 3,
            (Self::El1, 0) => 1,
            _ => 2,
        }
    }
}

/// The first instruction of a core, its level, X0, and the registers that its loader has written.
pub(crate) struct Start {
    pub(crate) pc: u64,
    pub(crate) state: Pstate,
    pub(crate) x0: u64,
    pub(crate) boot: Boot,
}

/// The address of the ATAGs that QEMU writes.
const ATAGS: u64 = 0x100;
/// The end of what the firmware's armstub8 has in RAM: a kernel from address 0 up (`kernel_old=1`) is
/// entered without it, by all cores at EL3.
const ARMSTUB_END: u64 = 0x1000;
/// The address of the loop in which the cores 1 to 3 wait: QEMU's, and the firmware's in page 0.
const QEMU_LOOP: u64 = 0x300;
const FIRMWARE_LOOP: u64 = 0x80;

/// Cores 1 to 3 wait at 0xd8 + 8 * core for the address of their first instruction.
const SPIN_LOOP: [u32; 8] = [
    0xd538_00a2, // mrs x2, mpidr_el1
    0x9240_0442, // and x2, x2, #3
    0xd280_1b01, // mov x1, #0xd8
    0xd503_205f, // wfe
    0xf862_7823, // ldr x3, [x1, x2, lsl #3]
    0xb4ff_ffc3, // cbz x3, .-8
    0xd280_0000, // mov x0, #0
    0xd61f_0060, // br x3
];

/// The spin table: a word for each core.
const SPIN_TABLE: u64 = 0xd8;

const _: () = {
    let size = 4 * SPIN_LOOP.len() as u64;
    assert!(
        FIRMWARE_LOOP + size <= SPIN_TABLE,
        "the loop ends below its table"
    );
    assert!(
        QEMU_LOOP >= SPIN_TABLE + 8 * CORES as u64,
        "the table ends below QEMU's loop"
    );
};

/// CPUECTLR_EL1.SMPEN.
const SMPEN: u64 = 1 << 6;
/// The crystal's frequency, CNTFRQ_EL0 on a board.
const CRYSTAL_HZ: u64 = 19_200_000;
/// QEMU's counter.
const QEMU_HZ: u64 = 62_500_000;

/// The tables of U-Boot, at the end of RAM: one of level 1, one of level 2.
const U_BOOT_TABLES: u64 = 0x3b00_0000;

fn masked(level: u8) -> Pstate {
    Pstate {
        nzcv: 0,
        daif: 0b1111,
        level,
        own_stack: true,
        illegal: false,
    }
}

/// Prepares one core: sets the registers that the loader sets, and says where it begins.
///
/// At the firmware's way in, what armstub8 leaves as the core's own reset has it is known too, unless
/// the kernel is judged by the architecture alone, which leaves it UNKNOWN ([`Lint::Yes`]).
pub(crate) fn start(
    (entry, lint): (Entry, Lint),
    core: usize,
    image: u64,
    registers: &mut Registers,
) -> Start {
    let values = match entry {
        Entry::Qemu => qemu(registers),
        Entry::El3 => Vec::new(),
        Entry::Firmware if lint == Lint::No => [core_reset(registers), firmware()].concat(),
        Entry::Firmware => firmware(),
        Entry::El1 => [firmware(), loader_at_el1(registers)].concat(),
        Entry::UBoot if core == 0 => [firmware(), u_boot()].concat(),
        Entry::UBoot => firmware(),
    };
    for (register, value) in &values {
        registers.set(*register, *value);
    }
    let (pc, x0) = match (entry, core) {
        (Entry::Qemu, 0) => (image, ATAGS),
        (_, 0) | (Entry::El3, _) => (image, 0),
        (Entry::Qemu, _) => (QEMU_LOOP, 0),
        (_, _) => (FIRMWARE_LOOP, 0),
    };
    let mut boot = Boot::entered(&values);
    if (entry, lint) == (Entry::Firmware, Lint::No) {
        boot.never_translated_at_el1();
    }
    Start {
        pc,
        state: masked(entry.level(core)),
        x0,
        boot: match core {
            0 => boot.first(),
            _ => boot,
        },
    }
}

/// The registers that QEMU sets for a kernel at EL2.
fn qemu(registers: &Registers) -> Vec<(Reg, u64)> {
    vec![
        (Reg::SCR_EL3, 0x501),
        (Reg::HCR_EL2, 0x8000_0000),
        (Reg::CNTHCTL_EL2, 3),
        (Reg::SCTLR_EL1, 0x00c5_0838),
        (Reg::VPIDR_EL2, registers.written(Reg::MIDR_EL1)),
        (Reg::VMPIDR_EL2, registers.written(Reg::MPIDR_EL1)),
        (Reg::CNTFRQ_EL0, QEMU_HZ),
        (Reg::ID_AA64ISAR0_EL1, 0x1_1120),
        (Reg::ID_ISAR5_EL1, 0x1_1121),
    ]
}

/// The registers to which the Cortex-A53's reset gives a value (DDI 0500, tables of 4.2; 10.3.1 for
/// the timers). VTTBR_EL2's VMID is compared, but never changes while stage 2 is off.
fn core_reset(registers: &Registers) -> Vec<(Reg, u64)> {
    vec![
        (Reg::SCTLR_EL1, 0x00c5_0838),
        (Reg::HCR_EL2, 0),
        (Reg::CPACR_EL1, 0),
        (Reg::CNTKCTL_EL1, 0),
        (Reg::MDSCR_EL1, 0),
        (Reg::PMUSERENR_EL0, 0),
        (Reg::SCTLR_EL2, 0x30c5_0838),
        (Reg::CPTR_EL3, 0),
        (Reg::MDCR_EL3, 0),
        (Reg::CPTR_EL2, 0x33ff),
        (Reg::HSTR_EL2, 0),
        (Reg::MDCR_EL2, 6),
        (Reg::CNTHCTL_EL2, 3),
        (Reg::VTTBR_EL2, 0),
        (Reg::VPIDR_EL2, registers.written(Reg::MIDR_EL1)),
        (Reg::VMPIDR_EL2, registers.written(Reg::MPIDR_EL1)),
    ]
}

/// The registers that armstub8 sets; EL3's own are known to it alone.
fn firmware() -> Vec<(Reg, u64)> {
    vec![
        (Reg::SCR_EL3, 0x5b1),
        (Reg::CPTR_EL3, 0),
        (Reg::MDCR_EL3, 0),
        (Reg::SCTLR_EL2, 0x30c5_0830),
        (Reg::CNTVOFF_EL2, 0),
        (Reg::CNTFRQ_EL0, CRYSTAL_HZ),
        (Reg::CPUECTLR_EL1, SMPEN),
        (Reg::L2CTLR_EL1, 0x0300_0022),
    ]
}

/// A loader that has gone down to EL1; CNTVOFF_EL2 is what it likes.
fn loader_at_el1(registers: &Registers) -> Vec<(Reg, u64)> {
    vec![
        (Reg::HCR_EL2, 1 << 31),
        (Reg::CNTHCTL_EL2, 3),
        (Reg::CNTVOFF_EL2, 0x0123_4567_89ab),
        (Reg::CPTR_EL2, 0x33ff),
        (Reg::HSTR_EL2, 0),
        (Reg::MDCR_EL2, 6),
        (Reg::VTTBR_EL2, 0),
        (Reg::VPIDR_EL2, registers.written(Reg::MIDR_EL1)),
        (Reg::VMPIDR_EL2, registers.written(Reg::MPIDR_EL1)),
        (Reg::SCTLR_EL1, 0x30d0_0800),
    ]
}

/// U-Boot at EL2: a flat map of RAM and devices, MMU and caches on.
fn u_boot() -> Vec<(Reg, u64)> {
    vec![
        (Reg::HCR_EL2, 1 << 31),
        // 40-bit output, inner shareable, write-back walks, 32-bit input.
        (Reg::TCR_EL2, 0x8082_3520),
        // Attribute 0 is Device-nGnRnE, 1 is Normal write-back.
        (Reg::MAIR_EL2, 0xff00),
        (Reg::TTBR0_EL2, U_BOOT_TABLES),
        (Reg::SCTLR_EL2, 0x30c5_183d),
        (Reg::VBAR_EL2, U_BOOT_TABLES + 0x1_0000),
    ]
}

/// Writes what a loader leaves in RAM beside the image; `ram` is the size of RAM that it reports.
pub(crate) fn prepare_memory(entry: Entry, memory: &mut Memory, ram: u32) {
    let address = match entry {
        Entry::Qemu => QEMU_LOOP,
        Entry::El3 => return,
        Entry::Firmware | Entry::El1 | Entry::UBoot => FIRMWARE_LOOP,
    };
    memory.place(address, &bytes(&SPIN_LOOP), Placed::Clean);
    memory.place(SPIN_TABLE, &[0; 8 * CORES], Placed::Clean);
    match entry {
        Entry::Qemu => {
            let core = [5, 0x5441_0001, 1, 0x1000, 0];
            let ram = [4, 0x5441_0002, ram, 0];
            let list = [&core[..], &ram, &[0, 0]].concat();
            memory.place(ATAGS, &bytes(&list), Placed::Clean);
        }
        Entry::UBoot => u_boot_tables(memory),
        Entry::Firmware | Entry::El3 | Entry::El1 => {}
    }
}

/// A table of level 1 over 4 GiB: its first entry leads to one of level 2, RAM in blocks of 2 MiB
/// and the peripherals; its second is a block with the local ones.
fn u_boot_tables(memory: &mut Memory) {
    const TABLE: u64 = 0b11;
    /// Access flag, inner shareable, attribute 1, a block.
    const NORMAL: u64 = 1 << 10 | 3 << 8 | 1 << 2 | 0b01;
    /// Access flag, attribute 0, execute never.
    const DEVICE: u64 = 1 << 54 | 1 << 10 | 0b01;
    const PERIPHERALS: u64 = 0x3f00_0000;
    let level_2 = U_BOOT_TABLES + 0x1000;
    let roots = [level_2 | TABLE, 0x4000_0000 | DEVICE, 0, 0];
    let blocks = (0..512_u64).map(|index| {
        let address = index << 21;
        match address < PERIPHERALS {
            true => address | NORMAL,
            false => address | DEVICE,
        }
    });
    let roots: Vec<u8> = roots.into_iter().flat_map(u64::to_le_bytes).collect();
    let blocks: Vec<u8> = blocks.flat_map(u64::to_le_bytes).collect();
    memory.place(U_BOOT_TABLES, &roots, Placed::Clean);
    memory.place(level_2, &blocks, Placed::Clean);
}

/// The copies in which the loader has left the image. The Cortex-A53's reset empties its caches, and
/// armstub8 runs with them off (DDI 0500 6.2.4); the architecture promises neither.
pub(crate) fn image_placed((entry, lint): (Entry, Lint)) -> Placed {
    match entry {
        Entry::UBoot => Placed::Dirty,
        Entry::Firmware if lint == Lint::No => Placed::Memory,
        Entry::Firmware | Entry::El3 | Entry::El1 | Entry::Qemu => Placed::Clean,
    }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn each_name_names_its_entry() {
        for entry in Entry::ALL {
            assert_eq!(Entry::named(entry.name()), Some(entry));
        }
        assert_eq!(Entry::named("luck"), None);
    }
}
