//! The power management block's watchdog: how a Raspberry Pi resets and halts.
//!
//! No public manual covers the block; the facts are those that the Linux and firmware sources agree
//! on. A write counts only with the password 0x5a in bits 31:24; other writes are ignored.
//!
//! ```text
//! PM_RSTC 0x1c  5:4    what happens when the watchdog runs out: 0 nothing, 2 full reset; the
//!                      register is 0x102 after a reset
//! PM_RSTS 0x20  0 2 4 6 8 10    boot partition, spread over every second bit; 63: stay halted
//!               1 5 9           last reset was a full one by the debugger, the watchdog, software
//!               12              last reset was by power-on
//! PM_WDOG 0x24  19:0   ticks left, of 1/65536 s
//! ```
//!
//! # Decisions
//!
//! - Whole values are written. The status bits of the last reset are cleared with them: nobody is
//!   left to read them. Halting is a reset as well, into firmware that is told to stop; QEMU ends
//!   with code 0 then.
//! - To feed is to arm again, both registers, as all drivers of this block do: nothing says that
//!   writing the time alone starts it anew.
//!
//! QEMU has the registers and no countdown: it resets as soon as PM_RSTC asks for a full reset,
//! whatever PM_WDOG says, and PM_WDOG stays as it was written. There, an armed watchdog resets
//! at once.
#![forbid(unsafe_code)]

use core::fmt;

use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::ReadWrite;
use tock_registers::{register_bitfields, register_structs};

use super::mmio::Mmio;

register_bitfields! { u32,
    /// Reset control.
    PM_RSTC [
        PASSWORD OFFSET(24) NUMBITS(8) [],
        WRCFG OFFSET(4) NUMBITS(2) [
            Nothing = 0b00,
            FullReset = 0b10,
        ],
        /// The value of the other bits after a reset.
        REST OFFSET(0) NUMBITS(24) [
            Reset = 0x102,
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

/// The password, without which a write is ignored.
const PASSWORD: u32 = 0x5a;

/// A time until the reset, in 1/65536 s.
///
/// # Invariants
///
/// 1 to 0xf_ffff: what PM_WDOG holds and counts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks(u32);

/// A time that the watchdog cannot count: 0, or more than 15 whole seconds. Shown with the limits
/// and the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTime {
    /// The time that was asked for.
    pub seconds: u64,
}

impl fmt::Display for BadTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = Ticks::MAX_SECONDS;
        write!(f, "the watchdog counts 1 to {most} s, not {}", self.seconds)
    }
}

impl core::error::Error for BadTime {}

/// Seconds with two decimals, cut off: `15.00 s`.
impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = self.0 % Self::PER_SECOND;
        let hundredths = fraction * 100 / Self::PER_SECOND;
        write!(f, "{}.{hundredths:02} s", self.0 / Self::PER_SECOND)
    }
}

impl Ticks {
    /// Ticks in a second.
    const PER_SECOND: u32 = 1 << 16;
    /// The largest count.
    const MAX: u32 = 0xf_ffff;
    /// The most whole seconds, 15: a 16th would be one tick too many, since 16 s are 0x10_0000
    /// ticks and PM_WDOG has 20 bits.
    pub const MAX_SECONDS: u32 = Self::MAX / Self::PER_SECOND;
    /// 10 ticks, 0.15 ms: at once, but with time for the last write to arrive.
    pub const SOON: Self = Self(10);

    /// The time `seconds`, which is exact: 15 s are 0xf_0000 ticks.
    ///
    /// # Errors
    ///
    /// [`BadTime`], unless it is 1 to [`Ticks::MAX_SECONDS`].
    pub const fn from_seconds(seconds: u64) -> Result<Self, BadTime> {
        if seconds == 0 || seconds > Self::MAX_SECONDS as u64 {
            return Err(BadTime { seconds });
        }
        Ok(Self(seconds as u32 * Self::PER_SECOND))
    }

    /// The number of ticks of 1/65536 s, 15.3 us: 1 to 0xf_ffff, as PM_WDOG holds it.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0
    }

    /// The time nearest to `ticks` that the watchdog can count: at least one, at most 16 s.
    #[must_use]
    pub const fn saturating(ticks: u32) -> Self {
        if ticks == 0 {
            Self(1)
        } else if ticks > Self::MAX {
            Self(Self::MAX)
        } else {
            Self(ticks)
        }
    }
}

/// The BCM2835's watchdog. An operation is several stores, which must not be mixed with another's:
/// one caller at a time.
#[derive(Clone, Copy, Debug)]
pub struct Watchdog {
    registers: Mmio<Registers>,
}

impl Watchdog {
    /// Drives the watchdog behind `registers`, the power management block at 0x3f10_0000. Nothing
    /// is written: one that a loader armed goes on.
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

    /// Resets the board after `ticks`, unless it is armed again or disarmed before. It boots as
    /// usual then: the firmware's partition is left as it is.
    pub fn arm(&self, ticks: Ticks) {
        self.registers
            .pm_wdog
            .write(PM_WDOG::PASSWORD.val(PASSWORD) + PM_WDOG::TIME.val(ticks.0));
        self.registers
            .pm_rstc
            .write(PM_RSTC::PASSWORD.val(PASSWORD) + PM_RSTC::WRCFG::FullReset);
    }

    /// Nothing happens when the time is over: PM_RSTC becomes 0x102, as after a reset. PM_WDOG is
    /// left as it is.
    pub fn disarm(&self) {
        self.registers
            .pm_rstc
            .write(PM_RSTC::PASSWORD.val(PASSWORD) + PM_RSTC::REST::Reset);
    }

    /// How long it is until the reset; `None` if it is not armed. The time is over at 0 ticks,
    /// which nobody sees: at least one is said to be left.
    #[must_use]
    pub fn remaining(&self) -> Option<Ticks> {
        let armed = self
            .registers
            .pm_rstc
            .matches_all(PM_RSTC::WRCFG::FullReset);
        armed.then(|| Ticks::saturating(self.registers.pm_wdog.read(PM_WDOG::TIME)))
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::{BadTime, Ticks, Watchdog};
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
    fn arming_sets_the_time_before_the_reset_is_asked_for_and_leaves_the_partition() {
        let (memory, watchdog) = watchdog();
        watchdog.arm(Ticks::from_seconds(10).expect("a time"));
        assert_eq!(memory.get(WDOG), 0x5a0a_0000);
        assert_eq!(memory.get(RSTC), 0x5a00_0020);
        assert_eq!(memory.get(RSTS), 0x00ff_ffff);
    }

    #[test]
    fn disarming_writes_what_the_register_is_after_a_reset() {
        let (memory, watchdog) = watchdog();
        watchdog.arm(Ticks::SOON);
        watchdog.disarm();
        assert_eq!(memory.get(RSTC), 0x5a00_0102);
        assert_eq!(memory.get(RSTS), 0x00ff_ffff);
    }

    #[test]
    fn what_is_left_is_told_only_while_a_full_reset_is_asked_for() {
        let (memory, watchdog) = watchdog();
        for (control, time, left) in [
            (0x102, 0xf_0000, None),
            (0x112, 0xf_0000, None),
            (0x132, 0xf_0000, None),
            (0x122, 0xf_0000, Some(0xf_0000)),
            (0x020, 0x0000_0001, Some(1)),
            // Bits that are not the time's, and none at all.
            (0x020, 0xfff1_8000, Some(0x1_8000)),
            (0x020, 0, Some(1)),
        ] {
            memory.set(RSTC, control);
            memory.set(WDOG, time);
            assert_eq!(watchdog.remaining().map(Ticks::count), left, "{control:#x}");
        }
    }

    #[test]
    fn whole_seconds_are_counted_from_one_to_fifteen() {
        let ticks = |seconds| Ticks::from_seconds(seconds).map(Ticks::count);
        assert_eq!(ticks(1), Ok(0x1_0000));
        assert_eq!(ticks(15), Ok(0xf_0000));
        for seconds in [0, 16, 0x1_0000_0001, u64::MAX] {
            assert_eq!(ticks(seconds), Err(BadTime { seconds }));
        }
        let refused = BadTime { seconds: 16 }.to_string();
        assert_eq!(refused, "the watchdog counts 1 to 15 s, not 16");
    }

    #[test]
    fn ticks_are_shown_as_seconds() {
        for (ticks, text) in [
            (1, "0.00 s"),
            (0x8000, "0.50 s"),
            (0xf_ffff, "15.99 s"),
            (0xa_0000, "10.00 s"),
        ] {
            assert_eq!(Ticks::saturating(ticks).to_string(), text);
        }
    }

    #[test]
    fn a_time_never_spills_into_the_password_nor_is_it_none() {
        let (memory, watchdog) = watchdog();
        watchdog.reset(Ticks::saturating(u32::MAX));
        assert_eq!(memory.get(WDOG), 0x5a0f_ffff);
        assert_eq!(Ticks::saturating(0), Ticks::saturating(1));
    }
}
