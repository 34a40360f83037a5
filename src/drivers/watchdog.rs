//! The power management block's watchdog: how a Raspberry Pi resets and halts.
//!
//! No public manual covers the block; the facts are those that the Linux and firmware sources agree
//! on. A write counts only with the password 0x5a in bits 31:24; other writes are ignored.
//!
//! ```text
//! PM_RSTC 0x1c  5:4    what happens when the watchdog runs out: 0 nothing, 2 full reset
//! PM_RSTS 0x20  0 2 4 6 8 10    boot partition, spread over every second bit; 63: stay halted
//!               1 5 9           last reset was a full one by the debugger, the watchdog, software
//!               12              last reset was by power-on
//! PM_WDOG 0x24  19:0   ticks left, of 1/65536 s
//! ```
//!
//! # Decisions
//!
//! Whole values are written. The status bits of the last reset are cleared with them: nobody is
//! left to read them. Halting is a reset as well, into firmware that is told to stop; QEMU ends
//! with code 0 then.
#![forbid(unsafe_code)]

use tock_registers::interfaces::Writeable;
use tock_registers::registers::ReadWrite;
use tock_registers::{register_bitfields, register_structs};

use super::mmio::Mmio;

register_bitfields! { u32,
    /// Reset control.
    PM_RSTC [
        PASSWORD OFFSET(24) NUMBITS(8) [],
        WRCFG OFFSET(4) NUMBITS(2) [
            FullReset = 0b10,
        ],
    ],
    /// Reset status, and where the firmware goes on.
    PM_RSTS [
        PASSWORD OFFSET(24) NUMBITS(8) [],
        PARTITION OFFSET(0) NUMBITS(11) [
            /// Partition 0: the usual way to boot.
            Default = 0,
            /// Partition 63: do not boot.
            Halt = 0x555,
        ],
    ],
    /// Watchdog.
    PM_WDOG [
        PASSWORD OFFSET(24) NUMBITS(8) [],
        TIME OFFSET(0) NUMBITS(20) [],
    ],
}

register_structs! {
    /// The registers of the power management block that the watchdog needs.
    pub Registers {
        (0x00 => _reserved0),
        (0x1c => pm_rstc: ReadWrite<u32, PM_RSTC::Register>),
        (0x20 => pm_rsts: ReadWrite<u32, PM_RSTS::Register>),
        (0x24 => pm_wdog: ReadWrite<u32, PM_WDOG::Register>),
        (0x28 => @END),
    }
}

/// What makes a write count.
const PASSWORD: u32 = 0x5a;

/// A time until the reset, in 1/65536 s.
///
/// # Invariants
///
/// 1 to 0xf_ffff: what PM_WDOG holds and counts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks(u32);

impl Ticks {
    /// 10 ticks, 0.15 ms: at once, but with time for the last write to arrive.
    pub const SOON: Self = Self(10);

    /// The time nearest to `ticks` that the watchdog can count: at least one, at most 16 s.
    #[must_use]
    pub const fn saturating(ticks: u32) -> Self {
        if ticks == 0 {
            Self(1)
        } else if ticks > 0xf_ffff {
            Self(0xf_ffff)
        } else {
            Self(ticks)
        }
    }
}

/// The watchdog.
#[derive(Clone, Copy, Debug)]
pub struct Watchdog {
    registers: Mmio<Registers>,
}

impl Watchdog {
    /// Drives the watchdog behind `registers`.
    #[must_use]
    pub const fn new(registers: Mmio<Registers>) -> Self {
        Self { registers }
    }

    /// Resets the board after `ticks`, to boot as usual. Returns at once: the caller waits for the
    /// end.
    pub fn reset(&self, ticks: Ticks) {
        self.registers
            .pm_rsts
            .write(PM_RSTS::PASSWORD.val(PASSWORD) + PM_RSTS::PARTITION::Default);
        self.arm(ticks);
    }

    /// Resets the board into firmware that stays halted until the power is cut. Returns at once:
    /// the caller waits for the end.
    pub fn halt(&self) {
        self.registers
            .pm_rsts
            .write(PM_RSTS::PASSWORD.val(PASSWORD) + PM_RSTS::PARTITION::Halt);
        self.arm(Ticks::SOON);
    }

    fn arm(&self, ticks: Ticks) {
        self.registers
            .pm_wdog
            .write(PM_WDOG::PASSWORD.val(PASSWORD) + PM_WDOG::TIME.val(ticks.0));
        self.registers
            .pm_rstc
            .write(PM_RSTC::PASSWORD.val(PASSWORD) + PM_RSTC::WRCFG::FullReset);
    }
}

#[cfg(test)]
mod tests {
    use super::{Ticks, Watchdog};
    use crate::drivers::mmio::fake::FakeRegisters;

    const RSTC: usize = 0x1c;
    const RSTS: usize = 0x20;
    const WDOG: usize = 0x24;

    fn watchdog() -> (&'static FakeRegisters<10>, Watchdog) {
        let memory = FakeRegisters::leak();
        for offset in [RSTC, RSTS, WDOG] {
            memory.set(offset, 0x00ff_ffff);
        }
        (memory, Watchdog::new(memory.view()))
    }

    #[test]
    fn halt_writes_exactly_what_firmware_and_emulator_look_for() {
        let (memory, watchdog) = watchdog();
        watchdog.halt();
        assert_eq!(memory.get(RSTS), 0x5a00_0555);
        assert_eq!(memory.get(WDOG), 0x5a00_000a);
        assert_eq!(memory.get(RSTC), 0x5a00_0020);
    }

    #[test]
    fn reset_asks_for_the_usual_partition() {
        let (memory, watchdog) = watchdog();
        watchdog.reset(Ticks::saturating(0x1_0000));
        assert_eq!(memory.get(RSTS), 0x5a00_0000);
        assert_eq!(memory.get(WDOG), 0x5a01_0000);
        assert_eq!(memory.get(RSTC), 0x5a00_0020);
    }

    #[test]
    fn a_time_never_spills_into_the_password_nor_is_it_none() {
        let (memory, watchdog) = watchdog();
        watchdog.reset(Ticks::saturating(u32::MAX));
        assert_eq!(memory.get(WDOG), 0x5a0f_ffff);
        assert_eq!(Ticks::saturating(0), Ticks::saturating(1));
    }
}
