//! A loader that enters the image as boards, hypervisors and other loaders may: at any exception
//! level, with the MMU and the caches on, with anything in x0, on one core or on all, from a wrong
//! place, with a mailbox that never answers, with a watchdog that does nothing but remember, and
//! with everything dirty that can be.
//!
//! QEMU starts every core in it at EL3. A core's code is a straight line that was made for the case
//! at hand: it writes the registers of the level that is to be entered, whose MMU is off or on from
//! its first instruction there, and returns "down" to the image. Cores that are not wanted wait
//! here.
//!
//! Sources: Arm DDI 0487 D8.3 (descriptors), D24.2 (registers).

use super::setup::Setup;
use super::{Code, Sys};
use super::{checkout, dirt};

/// Where the image belongs.
pub(crate) const LOAD_ADDRESS: u64 = 0x8_0000;
/// The loader's own memory: RAM that a kernel comes to last.
const LOADER: u64 = 0x2000_0000;
const CORE_SIZE: u64 = 0x1000;
const TABLES: u64 = LOADER + 0x1_0000;
/// The tables, one page each from [`TABLES`] on.
const LEVEL_1: u64 = TABLES;
const LEVEL_2: u64 = TABLES + 0x1000;
const LEVEL_3: u64 = TABLES + 0x2000;
/// RAM in place of the mailbox.
const SILENT_PAGE: u64 = TABLES + 0x3000;
/// Up to here memory behind the image can be noisy: more than the kernel uses before it knows what
/// is RAM.
const NOISE_END: u64 = 0x80_0000;
/// RAM in place of power management.
const TAME_PAGE: u64 = TABLES + 0x4000;

const CORES: u64 = 4;
const PERIPHERALS: u64 = 0x3f00_0000;
const LOCAL_PERIPHERALS: u64 = 0x4000_0000;
/// The page with both mailboxes, and their status registers in it.
const MAILBOX_PAGE: u64 = 0x3f00_b000;
/// The page with the watchdog.
const POWER_PAGE: u64 = 0x3f10_0000;
const MAILBOX_0_STATUS: usize = 0x898;
const STATUS_EMPTY: u32 = 1 << 30;

/// RW, HCE, SMD, RES1, NS: the lower levels are non-secure and AArch64.
const SCR_EL3: u64 = 0x5b1;
/// SCTLR_EL1 and SCTLR_EL2 after a reset, and with M, C and I.
const SCTLR_EL1_OFF: u64 = 0x30d0_0800;
const SCTLR_EL2_OFF: u64 = 0x30c5_0830;
const SCTLR_ON: u64 = 1 | 1 << 2 | 1 << 12;
/// 39 bits of addresses from level 1 on, 4 KiB granule, inner shareable, write-back.
const T0SZ: u64 = 25 | 1 << 8 | 1 << 10 | 3 << 12;
/// Index 0 is Normal write-back, index 1 Device-nGnRE.
const MAIR: u64 = 0x04ff;

/// An exception level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    El1,
    El2,
    El3,
}

/// Who translates by the loader's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Regime {
    El1,
    El2,
    Stage2,
}

/// The device that has RAM in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instead {
    Nothing,
    Mailbox,
    Watchdog,
}

/// How to enter the image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loader {
    level: Level,
    regime: Option<Regime>,
    memory: Instead,
    x0: u64,
    kernel_at: u64,
    cores: u64,
    /// CNTVOFF_EL2 of each core, for an entry at EL1.
    counter_offsets: [u64; CORES as usize],
    /// CNTFRQ_EL0, if the loader sets it.
    counter_hz: Option<u32>,
    state: State,
}

/// What the image finds in registers and memory beside what it was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// What is there after a reset of the emulator: mostly zeros.
    Clean,
    /// Every register that can be, and RAM behind the image and below it.
    Dirty,
}

impl Loader {
    /// At `level`, MMU off, on one core, with 0 in x0.
    pub(crate) const fn at(level: Level) -> Self {
        Self {
            level,
            regime: None,
            memory: Instead::Nothing,
            x0: 0,
            kernel_at: LOAD_ADDRESS,
            cores: 1,
            counter_offsets: [0; CORES as usize],
            counter_hz: None,
            state: State::Clean,
        }
    }

    /// With EL1's counters at `readings` about when the machine starts, a reading a core.
    pub(crate) fn with_counters_at(mut self, readings: [u64; CORES as usize]) -> Self {
        assert!(self.level == Level::El1);
        self.counter_offsets = readings.map(u64::wrapping_neg);
        self
    }

    /// With `hz` in CNTFRQ_EL0, whatever the counter runs at.
    pub(crate) const fn with_counter_hz(mut self, hz: u32) -> Self {
        self.counter_hz = Some(hz);
        self
    }

    /// With every register of the level that is entered, and of those below, and x1 to x30, with
    /// values that no reset leaves; the UART in use by somebody else; and RAM behind the image and
    /// below it full of noise. Not with the MMU on.
    pub(crate) const fn dirty(mut self) -> Self {
        assert!(self.regime.is_none());
        self.state = State::Dirty;
        self
    }

    /// With the MMU and the caches of that level on, and an identity map.
    pub(crate) const fn with_mmu(mut self) -> Self {
        self.regime = match self.level {
            Level::El1 => Some(Regime::El1),
            Level::El2 => Some(Regime::El2),
            Level::El3 => panic!("no loader enters at EL3 with the MMU on"),
        };
        self
    }

    /// With RAM in place of the mailboxes, by a second stage of translation.
    pub(crate) const fn with_silent_mailbox(self) -> Self {
        self.with_memory(Instead::Mailbox)
    }

    /// With RAM in place of the watchdog, by the same: it keeps what is written, and never resets.
    pub(crate) const fn with_tame_watchdog(self) -> Self {
        self.with_memory(Instead::Watchdog)
    }

    const fn with_memory(mut self, memory: Instead) -> Self {
        assert!(matches!(self.level, Level::El1) && self.regime.is_none());
        self.regime = Some(Regime::Stage2);
        self.memory = memory;
        self
    }

    /// With `x0` in x0.
    pub(crate) const fn with_x0(mut self, x0: u64) -> Self {
        self.x0 = x0;
        self
    }

    /// With the image at another address.
    pub(crate) const fn with_image_at(mut self, address: u64) -> Self {
        self.kernel_at = address;
        self
    }

    /// All four cores enter at once.
    pub(crate) const fn on_all_cores(self) -> Self {
        self.on_cores(CORES)
    }

    /// So many cores enter at once; the others never do.
    pub(crate) const fn on_cores(mut self, cores: u64) -> Self {
        self.cores = cores;
        self
    }

    /// The machine, with image and loader in its memory.
    pub(crate) fn setup(self) -> Setup {
        let mut setup = Setup::bare().memory_from(&checkout::image(), self.kernel_at);
        for core in 0..CORES {
            let code = if core < self.cores {
                self.enter(core as usize)
            } else {
                Code::new().wait()
            };
            let start = LOADER + core * CORE_SIZE;
            setup = setup
                .memory(&format!("core{core}"), start, &code.bytes())
                .arg("-device")
                .arg(format!("loader,addr={start:#x},cpu-num={core}"));
        }
        if self.state == State::Dirty {
            let image = std::fs::metadata(checkout::image()).expect("there is an image");
            let behind = (self.kernel_at + image.len()).next_multiple_of(16);
            setup = setup
                .memory(
                    "behind",
                    behind,
                    &dirt::noise((NOISE_END - behind) as usize),
                )
                .memory(
                    "below",
                    0x1000,
                    &dirt::noise((self.kernel_at - 0x1000) as usize),
                );
        }
        match self.regime {
            Some(regime) => setup.memory("tables", TABLES, &tables(regime, self.memory)),
            None => setup,
        }
    }

    fn enter(self, core: usize) -> Code {
        match self.state {
            State::Clean => self.enter_clean(core),
            State::Dirty => self.enter_dirty(),
        }
    }

    /// The registers of the level that is entered are as a loader leaves them, but for those that
    /// would stop it; EL3's let the lower levels run.
    fn enter_dirty(self) -> Code {
        let code = dirt::bluetooth(Code::new());
        let (code, mode) = match self.level {
            Level::El3 => (dirt::for_el3(code), 0x3cd),
            Level::El2 => (dirt::for_el2(code), 0x3c9),
            Level::El1 => (dirt::for_el1(code), 0x3c5),
        };
        let code = match self.level {
            Level::El3 => code.write(Sys::SCTLR_EL3, SCTLR_EL2_OFF ^ dirt::SCTLR_FLIPPED),
            Level::El2 => code
                .write(Sys::SCTLR_EL2, SCTLR_EL2_OFF ^ dirt::SCTLR_FLIPPED)
                .write(Sys::SCR_EL3, SCR_EL3),
            Level::El1 => code
                .write(Sys::SCTLR_EL1, SCTLR_EL1_OFF ^ dirt::SCTLR_FLIPPED)
                .write(Sys::CNTHCTL_EL2, 0b11)
                .write(Sys::CNTVOFF_EL2, 0)
                .write(Sys::HCR_EL2, 1 << 31)
                .write(Sys::SCR_EL3, SCR_EL3),
        };
        let code = code
            .write(Sys::SPSR_EL3, mode)
            .write(Sys::ELR_EL3, self.kernel_at)
            .isb();
        dirt::general_registers(code).set(0, self.x0).eret()
    }

    fn enter_clean(self, core: usize) -> Code {
        let code = match self.counter_hz {
            Some(hz) => Code::new().write(Sys::CNTFRQ_EL0, hz.into()),
            None => Code::new(),
        };
        let code = match self.level {
            Level::El3 => return code.set(0, self.x0).jump(self.kernel_at),
            Level::El2 => self.prepare_el2(code).write(Sys::SPSR_EL3, 0x3c9),
            Level::El1 => self.prepare_el1(code, core).write(Sys::SPSR_EL3, 0x3c5),
        };
        code.write(Sys::SCR_EL3, SCR_EL3)
            .write(Sys::ELR_EL3, self.kernel_at)
            .set(0, self.x0)
            .isb()
            .eret()
    }

    fn prepare_el2(self, code: Code) -> Code {
        if self.regime.is_none() {
            return code.write(Sys::SCTLR_EL2, SCTLR_EL2_OFF);
        }
        // RES1 bits 31 and 23, 40 bits of physical addresses.
        code.write(Sys::TCR_EL2, T0SZ | 1 << 31 | 1 << 23 | 2 << 16)
            .write(Sys::MAIR_EL2, MAIR)
            .write(Sys::TTBR0_EL2, LEVEL_1)
            .write(Sys::SCTLR_EL2, SCTLR_EL2_OFF | SCTLR_ON)
    }

    fn prepare_el1(self, code: Code, core: usize) -> Code {
        let code = code
            .write(Sys::CNTHCTL_EL2, 0b11)
            .write(Sys::CNTVOFF_EL2, self.counter_offsets[core]);
        let off = |code: Code| code.write(Sys::SCTLR_EL1, SCTLR_EL1_OFF);
        match self.regime {
            // RW: EL1 is AArch64.
            None | Some(Regime::El2) => off(code).write(Sys::HCR_EL2, 1 << 31),
            Some(Regime::El1) => code
                .write(Sys::HCR_EL2, 1 << 31)
                // EPD1, 40 bits of physical addresses.
                .write(Sys::TCR_EL1, T0SZ | 1 << 23 | 2 << 32)
                .write(Sys::MAIR_EL1, MAIR)
                .write(Sys::TTBR0_EL1, LEVEL_1)
                .write(Sys::SCTLR_EL1, SCTLR_EL1_OFF | SCTLR_ON),
            // RES1 bit 31, 40 bits of physical addresses, from level 1 on; VM.
            Some(Regime::Stage2) => off(code)
                .write(Sys::VTCR_EL2, T0SZ | 1 << 31 | 2 << 16 | 1 << 6)
                .write(Sys::VTTBR_EL2, LEVEL_1)
                .write(Sys::HCR_EL2, 1 << 31 | 1),
        }
    }
}

impl Regime {
    /// Attributes of RAM, valid and a block: executable, writable, AF, inner shareable.
    const fn ram(self) -> u64 {
        let common = 0b01 | 1 << 10 | 3 << 8;
        match self {
            Self::El1 => common,
            // AP[1] is RES1.
            Self::El2 => common | 1 << 6,
            // MemAttr write-back, S2AP read and write.
            Self::Stage2 => common | 0b1111 << 2 | 0b11 << 6,
        }
    }

    /// Attributes of devices.
    const fn device(self) -> u64 {
        let common = 0b01 | 1 << 10;
        match self {
            Self::El1 => common | 1 << 2 | 0b11 << 53,
            Self::El2 => common | 1 << 2 | 1 << 6 | 1 << 54,
            // MemAttr Device-nGnRE.
            Self::Stage2 => common | 0b0001 << 2 | 0b11 << 6,
        }
    }
}

/// Levels 1 to 3 of an identity map, and the pages in place of devices.
fn tables(regime: Regime, instead: Instead) -> Vec<u8> {
    const TABLE: u64 = 0b11;
    let mut level_1 = [0; 512];
    level_1[0] = LEVEL_2 | TABLE;
    level_1[1] = LOCAL_PERIPHERALS | regime.device();
    let mut level_2 = [0; 512];
    for (entry, start) in level_2.iter_mut().zip((0..).step_by(2 << 20)) {
        let ram = start < PERIPHERALS;
        *entry = start | if ram { regime.ram() } else { regime.device() };
    }
    let mut level_3 = [0; 512];
    for (entry, start) in level_3.iter_mut().zip((PERIPHERALS..).step_by(0x1000)) {
        let target = match (instead, start) {
            (Instead::Mailbox, MAILBOX_PAGE) => SILENT_PAGE,
            (Instead::Watchdog, POWER_PAGE) => TAME_PAGE,
            _ => start,
        };
        // A page instead of a block.
        *entry = 0b10 | regime.device() | target;
    }
    if regime == Regime::Stage2 {
        level_2[(PERIPHERALS >> 21) as usize] = LEVEL_3 | TABLE;
    }
    let tables = [level_1, level_2, level_3];
    let mut bytes: Vec<u8> = tables
        .as_flattened()
        .iter()
        .flat_map(|entry: &u64| entry.to_le_bytes())
        .collect();
    bytes.resize((TAME_PAGE - TABLES) as usize + 0x1000, 0);
    let status = (SILENT_PAGE - TABLES) as usize + MAILBOX_0_STATUS;
    bytes[status..status + 4].copy_from_slice(&STATUS_EMPTY.to_le_bytes());
    bytes
}
