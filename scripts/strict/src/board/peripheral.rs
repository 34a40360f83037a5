//! The BCM2837's peripherals by address, and the ways in which an access to one is refused.
//!
//! BCM2835 ARM Peripherals, table of contents and section 1.2 (its bus address 0x7e20_1000 is the
//! ARM's 0x3f20_1000); QA7, chapter 4, for the local block. What neither covers (mailboxes, power
//! management, random numbers) stands as the board's device tree names it.

use std::fmt;

use thiserror::Error;

/// A peripheral: what an access belongs to for the rule that reads of two peripherals are kept
/// apart by a DMB (BCM2835 ARM Peripherals, 1.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peripheral {
    /// The system timer (chapter 12).
    SystemTimer,
    /// The interrupt controller of the GPU's peripherals and of the ARM block (7.5).
    GpuInterrupts,
    /// The ARM block's timer (chapter 14).
    ArmTimer,
    /// Mailboxes 0 and 1, between the ARM and the VideoCore.
    Mailbox,
    /// Power management, with the watchdog.
    Power,
    /// The random number generator.
    Random,
    /// The pins (chapter 6).
    Gpio,
    /// The PL011 (chapter 13).
    Pl011,
    /// The auxiliary block, with the mini-UART (chapter 2).
    Aux,
    /// The BCM2836's local block (QA7).
    Local,
    /// One that is not modelled, by its name: an access stops the run.
    Unmodelled(&'static str),
}

/// First address, bytes and peripheral, by address.
const MAP: [(u64, u64, Peripheral); 35] = [
    (0x3f00_3000, 0x20, Peripheral::SystemTimer),
    (0x3f00_6000, 0x1000, Peripheral::Unmodelled("MPHI")),
    (0x3f00_7000, 0x1000, Peripheral::Unmodelled("DMA")),
    (0x3f00_b200, 0x28, Peripheral::GpuInterrupts),
    (0x3f00_b400, 0x24, Peripheral::ArmTimer),
    (0x3f00_b840, 0x10, Peripheral::Unmodelled("doorbells")),
    (0x3f00_b880, 0x40, Peripheral::Mailbox),
    (0x3f10_0000, 0x200, Peripheral::Power),
    (0x3f10_1000, 0x1000, Peripheral::Unmodelled("clock manager")),
    (0x3f10_2000, 0x1000, Peripheral::Unmodelled("PLLs")),
    (0x3f10_4000, 0x20, Peripheral::Random),
    (0x3f20_0000, 0x100, Peripheral::Gpio),
    (0x3f20_1000, 0x1000, Peripheral::Pl011),
    (0x3f20_2000, 0x100, Peripheral::Unmodelled("SDHOST")),
    (0x3f20_3000, 0x100, Peripheral::Unmodelled("PCM")),
    (0x3f20_4000, 0x20, Peripheral::Unmodelled("SPI0")),
    (0x3f20_5000, 0x20, Peripheral::Unmodelled("I2C0")),
    (0x3f20_6000, 0x100, Peripheral::Unmodelled("pixel valve 0")),
    (0x3f20_7000, 0x100, Peripheral::Unmodelled("pixel valve 1")),
    (0x3f20_c000, 0x28, Peripheral::Unmodelled("PWM")),
    (0x3f20_f000, 0x80, Peripheral::Unmodelled("OTP")),
    (0x3f21_2000, 0x8, Peripheral::Unmodelled("thermal sensor")),
    (0x3f21_4000, 0x100, Peripheral::Unmodelled("I2C/SPI slave")),
    (0x3f21_5000, 0x100, Peripheral::Aux),
    (0x3f30_0000, 0x100, Peripheral::Unmodelled("EMMC")),
    (0x3f40_0000, 0x6000, Peripheral::Unmodelled("HVS")),
    (0x3f60_0000, 0x100, Peripheral::Unmodelled("SMI")),
    (0x3f80_4000, 0x20, Peripheral::Unmodelled("I2C1")),
    (0x3f80_5000, 0x20, Peripheral::Unmodelled("I2C2")),
    (0x3f80_7000, 0x100, Peripheral::Unmodelled("pixel valve 2")),
    (0x3f90_2000, 0x600, Peripheral::Unmodelled("HDMI")),
    (0x3f98_0000, 0x1_0000, Peripheral::Unmodelled("USB")),
    (0x3fc0_0000, 0x1000, Peripheral::Unmodelled("V3D")),
    (0x3fe0_5000, 0x100, Peripheral::Unmodelled("DMA 15")),
    (0x4000_0000, 0x100, Peripheral::Local),
];

impl Peripheral {
    /// The peripheral at `address` and the offset from its first register; `None` in a gap.
    pub(super) fn find(address: u64) -> Option<(Self, u32)> {
        let after = MAP.partition_point(|(first, ..)| *first <= address);
        let (first, bytes, peripheral) = MAP.get(after.checked_sub(1)?)?;
        let offset = address - first;
        (offset < *bytes).then_some((*peripheral, offset as u32))
    }
}

/// The name as messages give it: `PL011`, `USB`.
impl fmt::Display for Peripheral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SystemTimer => "system timer",
            Self::GpuInterrupts => "interrupt controller",
            Self::ArmTimer => "ARM timer",
            Self::Mailbox => "mailbox",
            Self::Power => "power management",
            Self::Random => "random number generator",
            Self::Gpio => "GPIO",
            Self::Pl011 => "PL011",
            Self::Aux => "auxiliary block",
            Self::Local => "local block",
            Self::Unmodelled(name) => name,
        })
    }
}

/// An access that the model does not execute: it stops the run. Nothing has changed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum BoardError {
    /// The peripheral is not modelled.
    #[error("{peripheral} at {address:#010x} is not modelled")]
    Peripheral {
        /// The peripheral.
        peripheral: Peripheral,
        /// The physical address of the access.
        address: u64,
    },
    /// The peripheral is modelled without this register, or without this use of it.
    #[error("{peripheral}: {what} at {address:#010x} is not modelled")]
    NotModelled {
        /// The peripheral.
        peripheral: Peripheral,
        /// The register, and the use that is made of it.
        what: &'static str,
        /// The physical address of the access.
        address: u64,
    },
    /// The manuals name no register at the address, though it lies within a peripheral.
    #[error("{peripheral} has no register at {address:#010x}")]
    NoRegister {
        /// The peripheral.
        peripheral: Peripheral,
        /// The physical address of the access.
        address: u64,
    },
    /// No peripheral is at the address. QEMU has RAM in the gaps of 0x3f00_0000..0x4000_0000.
    #[error("no peripheral is at {address:#010x}")]
    Gap {
        /// The physical address of the access.
        address: u64,
    },
    /// The access is not of 32 aligned bits, as the registers of this board demand (BCM2835 ARM
    /// Peripherals 1.2, QA7 chapter 4).
    #[error("an access of {size} bytes to a device at {address:#010x}: registers have 32 bits")]
    NotAWord {
        /// The physical address of the access.
        address: u64,
        /// Its bytes.
        size: u32,
    },
}

/// The answer of a device that does not execute an access.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// [`BoardError::NoRegister`].
    NoRegister,
    /// [`BoardError::NotModelled`].
    NotModelled(&'static str),
}

impl Refused {
    /// The error for an access to `peripheral` at `address`.
    pub(super) fn at(self, peripheral: Peripheral, address: u64) -> BoardError {
        match self {
            Self::NoRegister => BoardError::NoRegister {
                peripheral,
                address,
            },
            Self::NotModelled(what) => BoardError::NotModelled {
                peripheral,
                what,
                address,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAP, Peripheral};

    #[test]
    fn the_map_is_sorted_and_nothing_overlaps() {
        for pair in MAP.windows(2) {
            assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{pair:x?}");
        }
    }

    #[test]
    fn an_address_belongs_to_the_peripheral_that_its_manual_puts_there() {
        let find = Peripheral::find;
        assert_eq!(find(0x3f20_1018), Some((Peripheral::Pl011, 0x18)));
        assert_eq!(find(0x3f00_b8a0), Some((Peripheral::Mailbox, 0x20)));
        assert_eq!(find(0x4000_00fc), Some((Peripheral::Local, 0xfc)));
        assert_eq!(find(0x3f98_0000), Some((Peripheral::Unmodelled("USB"), 0)));
        for gap in [
            0,
            0x3f00_0000,
            0x3f00_3020,
            0x3f00_b228,
            0x4000_0100,
            u64::MAX,
        ] {
            assert_eq!(find(gap), None, "{gap:#x}");
        }
    }
}
