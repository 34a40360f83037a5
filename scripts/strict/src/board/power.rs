//! Power management: the watchdog, which resets and halts the board.
//!
//! No public manual covers it: names and values are those of the board's device tree and of the
//! drivers that Linux and the firmware have for it. A write counts with 0x5a in bits 31:24 only.
//! PM_WDOG counts ticks of 1/65536 s, down, as long as PM_RSTC asks for a full reset. QEMU resets as
//! soon as it is asked.

use super::options::{Ending, Kind, Nanoseconds, Notice, Notices};
use super::peripheral::Refused;

const RSTC: u32 = 0x1c;
const RSTS: u32 = 0x20;
const WDOG: u32 = 0x24;

const PASSWORD: u32 = 0x5a;
/// WRCFG, bits 5:4 of PM_RSTC, and its value for a full reset.
const RSTC_WRCFG: u32 = 0b11 << 4;
const RSTC_FULL_RESET: u32 = 0b10 << 4;
/// What QEMU looks at: one bit of the two.
const RSTC_QEMU_RESET: u32 = 1 << 5;
/// Partition 63, in every second bit of PM_RSTS: stay halted.
const RSTS_HALT: u32 = 0x555;
const WDOG_TIME: u32 = 0xf_ffff;

#[derive(Clone, Debug)]
pub(super) struct Power {
    kind: Kind,
    rstc: u32,
    rsts: u32,
    /// The ticks that were left at `since`, or that stand.
    ticks: u32,
    /// Since when they have counted, if they do.
    since: Option<Nanoseconds>,
}

impl Power {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            rstc: 0x102,
            rsts: 0x1000,
            ticks: 0,
            since: None,
        }
    }

    /// What has ended the run by `now`.
    pub(super) fn ended(&self, now: Nanoseconds) -> Option<Ending> {
        self.end().filter(|at| *at <= now)?;
        let mask = match self.kind {
            Kind::Qemu => 0xfff,
            Kind::Board => RSTS_HALT,
        };
        Some(if self.rsts & mask == RSTS_HALT {
            Ending::Halt
        } else {
            Ending::Reset
        })
    }

    /// When the watchdog ends the run, if it counts.
    pub(super) fn end(&self) -> Option<Nanoseconds> {
        let since = self.since?;
        let left = match self.kind {
            Kind::Qemu => 0,
            Kind::Board => (u64::from(self.ticks) * 1_000_000_000).div_ceil(1 << 16),
        };
        Some(since.saturating_add(left))
    }

    pub(super) fn read(&self, offset: u32, now: Nanoseconds) -> Result<u32, Refused> {
        Ok(match offset {
            RSTC => self.rstc,
            RSTS => self.rsts,
            WDOG => self.left(now),
            _ => return Err(Refused::NotModelled("power domain")),
        })
    }

    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Nanoseconds,
        notices: &mut Notices,
    ) -> Result<(), Refused> {
        if !matches!(offset, RSTC | RSTS | WDOG) {
            return Err(Refused::NotModelled("power domain"));
        }
        if value >> 24 != PASSWORD {
            if self.kind == Kind::Board {
                notices.add(Notice::NoPassword { offset });
            }
            return Ok(());
        }
        let value = value & 0xff_ffff;
        match offset {
            RSTS => self.rsts = value,
            WDOG => {
                self.ticks = match self.kind {
                    Kind::Qemu => value,
                    Kind::Board => value & WDOG_TIME,
                };
                self.since = self.since.map(|_| now);
            }
            _ => self.write_rstc(value, now),
        }
        Ok(())
    }

    fn write_rstc(&mut self, value: u32, now: Nanoseconds) {
        let resets = match self.kind {
            Kind::Qemu => value & RSTC_QEMU_RESET != 0,
            Kind::Board => value & RSTC_WRCFG == RSTC_FULL_RESET,
        };
        self.ticks = self.left(now);
        self.rstc = value;
        self.since = resets.then_some(now);
    }

    /// The ticks that are left: those of QEMU stand.
    fn left(&self, now: Nanoseconds) -> u32 {
        let Some(since) = self.since.filter(|_| self.kind == Kind::Board) else {
            return self.ticks;
        };
        let passed = u128::from(now.saturating_sub(since)) * (1 << 16) / 1_000_000_000;
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        self.ticks.saturating_sub(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::{Power, RSTC, RSTS, WDOG};
    use crate::board::options::{Ending, Kind, Notice, Notices};

    const SECOND: u64 = 1_000_000_000;

    fn after(kind: Kind, writes: &[(u32, u32)]) -> (Power, Notices) {
        let mut power = Power::new(kind);
        let mut notices = Notices::default();
        for (offset, value) in writes {
            power
                .write(*offset, *value, 0, &mut notices)
                .expect("a register");
        }
        (power, notices)
    }

    #[test]
    fn an_armed_watchdog_counts_down_in_65536ths_of_a_second() {
        let (mut power, mut notices) =
            after(Kind::Board, &[(WDOG, 0x5a0a_0000), (RSTC, 0x5a00_0020)]);
        assert_eq!(power.read(WDOG, SECOND * 3), Ok(0x7_0000));
        assert_eq!(power.ended(SECOND * 10 - 1), None);
        assert_eq!(power.ended(SECOND * 10), Some(Ending::Reset));
        // Fed after 9 s with 2 s.
        power
            .write(WDOG, 0x5a02_0000, SECOND * 9, &mut notices)
            .expect("WDOG");
        assert_eq!(power.ended(SECOND * 11 - 1), None);
        assert_eq!(power.end(), Some(SECOND * 11));
        power
            .write(RSTC, 0x5a00_0102, SECOND * 10, &mut notices)
            .expect("RSTC");
        assert_eq!((power.end(), power.read(RSTC, 0)), (None, Ok(0x102)));
        assert_eq!(power.read(WDOG, SECOND * 99), Ok(0x1_0000), "it stands");
    }

    #[test]
    fn partition_63_halts() {
        let writes = [
            (RSTS, 0x5a00_0555),
            (WDOG, 0x5a00_000a),
            (RSTC, 0x5a00_0020),
        ];
        let (power, _) = after(Kind::Board, &writes);
        assert_eq!(power.ended(152_587), None);
        assert_eq!(power.ended(152_588), Some(Ending::Halt), "10 ticks");
        let (power, _) = after(Kind::Qemu, &writes);
        assert_eq!(power.ended(0), Some(Ending::Halt));
        assert_eq!(power.read(WDOG, SECOND), Ok(10));
    }

    #[test]
    fn writes_without_the_password_are_ignored() {
        let (power, mut notices) = after(Kind::Board, &[(WDOG, 1), (RSTC, 0x5b00_0020)]);
        assert_eq!((power.read(RSTC, 0), power.end()), (Ok(0x102), None));
        let noticed = [WDOG, RSTC].map(|offset| Notice::NoPassword { offset });
        assert_eq!(notices.take(), noticed);
    }
}
