//! Interrupt numbers of the Raspberry Pi 3: every interrupt of the board in one space.
//!
//! Two controllers make it up. Each core has the local controller's 32 source bits (QA7 4.10), and
//! behind one of these, bit 8, are the lines of the older controller: 64 of the GPU's peripherals
//! and 8 of the ARM block (BCM2835 ARM Peripherals 7.5).
//!
//! ```text
//!   0..=31   local, per core: the bit in the core's source register (8 is no number: the cascade)
//!  32..=95   GPU interrupts 0 to 63
//!  96..=103  the ARM block's "basic" interrupts 0 to 7
//! ```
//!
//! # Decisions
//!
//! - A local number means the line of the core that takes it: each core has its own timer 3.
//! - Bits of the source register that the manual reserves are numbers too. If one is ever raised it
//!   can be counted under its number, like any other that nobody asked for.
//! - The manual's table of GPU interrupts (page 113) leaves most lines blank. Their names here are
//!   those that the board's device tree sources and bindings use.
#![forbid(unsafe_code)]

use core::fmt;

/// First number of the GPU's interrupts.
const GPU_BASE: u8 = 32;
/// First number of the ARM block's interrupts.
const BASIC_BASE: u8 = 96;
/// The local source bit that stands for all of the older controller's lines.
const CASCADE: u8 = 8;

/// The number of an interrupt.
///
/// # Invariants
///
/// Below [`IrqNumber::COUNT`], and not 8: the cascade is not an interrupt of its own.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IrqNumber(u8);

/// The controller of an interrupt and the bit or line that it has there: what a mask or an
/// acknowledgement is written for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IrqKind {
    /// An interrupt of the local controller, one for each core.
    Local {
        /// The bit in the core's source register: 0 to 31, not 8.
        source: u8,
    },
    /// An interrupt of a GPU peripheral.
    Gpu {
        /// GPU interrupt 0 to 63.
        source: u8,
    },
    /// An interrupt of the ARM block.
    Basic {
        /// The bit in the basic pending register: 0 to 7.
        source: u8,
    },
}

impl IrqNumber {
    /// Rows of a table that is indexed by [`IrqNumber::index`]: 32 local, 64 of the GPU, 8 of the
    /// ARM block. Row 8, the cascade, stays empty.
    pub const COUNT: usize = 104;

    /// The EL1 physical timer of a core (CNTPNSIRQ; QA7 4.10, bit 1): high as long as CNTP_CTL_EL0
    /// has ENABLE and ISTATUS without IMASK.
    pub const PHYSICAL_TIMER: Self = Self(1);
    /// The EL1 virtual timer of a core (CNTVIRQ; QA7 4.10, bit 3): high as long as CNTV_CTL_EL0 has
    /// ENABLE and ISTATUS without IMASK.
    pub const VIRTUAL_TIMER: Self = Self(3);
    /// Mailbox 0 of a core (QA7 4.10, bit 4): high as long as any of the mailbox's 32 bits is set
    /// (4.8). IPIs come by it.
    pub const MAILBOX_0: Self = Self(4);
    /// Mailbox 1 of a core (QA7 4.10, bit 5), which this kernel leaves empty and masked.
    pub const MAILBOX_1: Self = Self(5);
    /// Mailbox 2 of a core (QA7 4.10, bit 6), which this kernel leaves empty and masked.
    pub const MAILBOX_2: Self = Self(6);
    /// Mailbox 3 of a core (QA7 4.10, bit 7), which this kernel leaves empty and masked.
    pub const MAILBOX_3: Self = Self(7);
    /// The overflow of a core's performance counters (QA7 4.10, bit 9). It is masked at the local
    /// controller, by the routing of 4.5, until somebody unmasks it.
    pub const PMU: Self = Self(9);
    /// Channel 1 of the system timer: GPU interrupt 1, raised when the counter's lower word equals
    /// compare register 1. Channels 0 and 2 are the VideoCore's.
    pub const SYSTEM_TIMER_1: Self = Self(GPU_BASE + 1);
    /// Channel 3 of the system timer: GPU interrupt 3. No driver here uses it.
    pub const SYSTEM_TIMER_3: Self = Self(GPU_BASE + 3);
    /// The PL011: GPU interrupt 57 (BCM2835 ARM Peripherals, page 113), the OR of its sources that
    /// UARTIMSC lets through.
    pub const UART0: Self = Self(GPU_BASE + 57);
    /// The mailbox from VideoCore: bit 1 of the basic pending register (BCM2835 ARM Peripherals
    /// 7.5). Its driver polls, and leaves this one masked.
    pub const ARM_MAILBOX: Self = Self(BASIC_BASE + 1);

    /// Interrupt `number`; `None` for a number that the board does not have: 8, which is the
    /// cascade, and 104 to 255.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < Self::COUNT && number != CASCADE {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The interrupt at bit `source` of a core's source register: 0 to 31 without 8, else `None`.
    #[must_use]
    pub const fn local(source: u8) -> Option<Self> {
        if source < GPU_BASE {
            Self::new(source)
        } else {
            None
        }
    }

    /// The interrupt at line `line` of the older controller, counted as its FIQ register does
    /// (7.5): the GPU's 0 to 63, then the ARM block's as 64 to 71; `None` from 72 on.
    #[must_use]
    pub const fn behind_cascade(line: u8) -> Option<Self> {
        match line.checked_add(GPU_BASE) {
            Some(number) => Self::new(number),
            None => None,
        }
    }

    /// The controller, and the bit or line there: number 3 is bit 3 of the core's source register,
    /// 89 GPU interrupt 57, 97 bit 1 of the basic pending register.
    #[must_use]
    pub const fn kind(self) -> IrqKind {
        match self.0 {
            0..GPU_BASE => IrqKind::Local { source: self.0 },
            GPU_BASE..BASIC_BASE => IrqKind::Gpu {
                source: self.0 - GPU_BASE,
            },
            _ => IrqKind::Basic {
                source: self.0 - BASIC_BASE,
            },
        }
    }

    /// The row of this interrupt in a table of [`IrqNumber::COUNT`] rows: below that, and never 8.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The name in the output of the command `irq`, at most 16 characters: `uart0`. No two
    /// interrupts have one name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.kind() {
            IrqKind::Local { source } => LOCAL_NAMES[source as usize],
            IrqKind::Gpu { source } => GPU_NAMES[source as usize],
            IrqKind::Basic { source } => BASIC_NAMES[source as usize],
        }
    }
}

/// The name, which obeys width and alignment.
impl fmt::Display for IrqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for IrqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IrqNumber({}: {})", self.0, self.name())
    }
}

/// By bit of a core's source register (QA7 4.10).
const LOCAL_NAMES: [&str; 32] = [
    "secure timer",
    "physical timer",
    "hypervisor timer",
    "virtual timer",
    "core mailbox 0",
    "core mailbox 1",
    "core mailbox 2",
    "core mailbox 3",
    "cascade",
    "pmu",
    "axi outstanding",
    "local timer",
    "local 12",
    "local 13",
    "local 14",
    "local 15",
    "local 16",
    "local 17",
    "local 18",
    "local 19",
    "local 20",
    "local 21",
    "local 22",
    "local 23",
    "local 24",
    "local 25",
    "local 26",
    "local 27",
    "local 28",
    "local 29",
    "local 30",
    "local 31",
];

/// By GPU interrupt.
const GPU_NAMES: [&str; 64] = [
    "system timer 0",
    "system timer 1",
    "system timer 2",
    "system timer 3",
    "codec 0",
    "codec 1",
    "codec 2",
    "jpeg",
    "isp",
    "usb",
    "v3d",
    "transposer",
    "multicore sync 0",
    "multicore sync 1",
    "multicore sync 2",
    "multicore sync 3",
    "dma 0",
    "dma 1",
    "dma 2",
    "dma 3",
    "dma 4",
    "dma 5",
    "dma 6",
    "dma 7",
    "dma 8",
    "dma 9",
    "dma 10",
    "dma 11 to 14",
    "dma all",
    "aux",
    "arm",
    "vpu dma",
    "host port",
    "video scaler",
    "ccp2 tx",
    "sdc",
    "dsi 0",
    "ave",
    "camera 0",
    "camera 1",
    "hdmi 0",
    "hdmi 1",
    "pixel valve 1",
    "i2c spi slave",
    "dsi 1",
    "pixel valve 2",
    "pixel valve 0",
    "cpr",
    "smi",
    "gpio 0",
    "gpio 1",
    "gpio 2",
    "gpio 3",
    "i2c",
    "spi",
    "pcm",
    "sdhost",
    "uart0",
    "slimbus",
    "vec",
    "cpg",
    "rng",
    "emmc",
    "avs monitor",
];

/// By bit of the basic pending register (7.5).
const BASIC_NAMES: [&str; 8] = [
    "arm timer",
    "arm mailbox",
    "arm doorbell 0",
    "arm doorbell 1",
    "gpu 0 halted",
    "gpu 1 halted",
    "illegal access 1",
    "illegal access 0",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::format;
    use std::vec::Vec;

    use super::{IrqKind, IrqNumber};

    fn all() -> Vec<IrqNumber> {
        (0..=u8::MAX).filter_map(IrqNumber::new).collect()
    }

    #[test]
    fn the_numbers_in_use_are_those_of_the_manuals() {
        let table = [
            (IrqNumber::VIRTUAL_TIMER, 3, "virtual timer"),
            (IrqNumber::MAILBOX_0, 4, "core mailbox 0"),
            (IrqNumber::MAILBOX_1, 5, "core mailbox 1"),
            (IrqNumber::MAILBOX_2, 6, "core mailbox 2"),
            (IrqNumber::MAILBOX_3, 7, "core mailbox 3"),
            (IrqNumber::PMU, 9, "pmu"),
            (IrqNumber::SYSTEM_TIMER_1, 33, "system timer 1"),
            (IrqNumber::SYSTEM_TIMER_3, 35, "system timer 3"),
            (IrqNumber::UART0, 89, "uart0"),
            (IrqNumber::ARM_MAILBOX, 97, "arm mailbox"),
        ];
        for (number, index, name) in table {
            assert_eq!((number.index(), number.name()), (index, name));
            assert_eq!(IrqNumber::new(index as u8), Some(number));
        }
    }

    #[test]
    fn neither_the_cascade_nor_anything_past_the_end_is_a_number() {
        assert_eq!(IrqNumber::new(8), None);
        assert_eq!(IrqNumber::new(104), None);
        assert_eq!(IrqNumber::new(255), None);
        assert_eq!(all().len(), IrqNumber::COUNT - 1);
        assert_eq!(IrqNumber::local(8), None);
        assert_eq!(IrqNumber::local(32), None);
        assert_eq!(IrqNumber::behind_cascade(72), None);
        assert_eq!(IrqNumber::behind_cascade(255), None);
    }

    #[test]
    fn the_kind_leads_back_to_the_number() {
        for number in all() {
            let back = match number.kind() {
                IrqKind::Local { source } => IrqNumber::local(source),
                IrqKind::Gpu { source } if source < 64 => IrqNumber::behind_cascade(source),
                IrqKind::Basic { source } if source < 8 => IrqNumber::behind_cascade(64 + source),
                kind => panic!("{kind:?} does not exist"),
            };
            assert_eq!(back, Some(number));
        }
        assert_eq!(IrqNumber::UART0.kind(), IrqKind::Gpu { source: 57 });
        assert_eq!(IrqNumber::ARM_MAILBOX.kind(), IrqKind::Basic { source: 1 });
    }

    #[test]
    fn every_number_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = all().into_iter().map(IrqNumber::name).collect();
        assert_eq!(names.len(), IrqNumber::COUNT - 1);
    }

    #[test]
    fn names_line_up_in_columns() {
        assert_eq!(
            format!("{:<8}|{0:?}", IrqNumber::UART0),
            "uart0   |IrqNumber(89: uart0)"
        );
    }
}
