//! The system timer: a counter of microseconds, and four compare registers.
//!
//! BCM2835 ARM Peripherals, chapter 12. A compare register matches when the counter's lower word
//! *is* its value: one that was passed matches after the counter has come round, 71 minutes later.
//! On a board the firmware has run for a while when the kernel starts, and channels 0 and 2 are the
//! VideoCore's. QEMU's counter begins with 0.
//!
//! # Decisions
//! A compare register matches once a write, as QEMU's: the match of each further 71 minutes would
//! only wake a machine that sleeps for good.

use super::options::{Kind, Nanoseconds, Notice, Notices};
use super::peripheral::Refused;

const CS: u32 = 0x00;
const CLO: u32 = 0x04;
const CHI: u32 = 0x08;
const C0: u32 = 0x0c;
const C3: u32 = 0x18;

/// What the firmware takes to start a kernel, in microseconds.
const FIRMWARE_US: u64 = 2_300_000;

#[derive(Clone, Debug)]
pub(super) struct SystemTimer {
    kind: Kind,
    matched: u32,
    compare: [u32; 4],
    /// The counts at which the channels match next.
    due_us: [Option<u64>; 4],
}

impl SystemTimer {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            matched: 0,
            compare: [0; 4],
            due_us: [None; 4],
        }
    }

    /// GPU interrupts 0 to 3: the channels that have matched.
    pub(super) fn interrupts(&self) -> u32 {
        self.matched
    }

    /// When the next channel matches whose bit is not set.
    pub(super) fn next_event(&self) -> Option<Nanoseconds> {
        (0..4)
            .filter(|channel| self.matched >> channel & 1 == 0)
            .filter_map(|channel| self.due_us[channel])
            .min()
            .map(|due_us| (due_us - self.start_us()).saturating_mul(1000))
    }

    /// Lets time pass until `now`.
    pub(super) fn advance(&mut self, now: Nanoseconds) {
        let count_us = self.count_us(now);
        for (channel, due_us) in self.due_us.iter_mut().enumerate() {
            if due_us.take_if(|due_us| *due_us <= count_us).is_some() {
                self.matched |= 1 << channel;
            }
        }
    }

    pub(super) fn read(&self, offset: u32, now: Nanoseconds) -> Result<u32, Refused> {
        Ok(match offset {
            CS => self.matched,
            CLO => self.count_us(now) as u32,
            CHI => (self.count_us(now) >> 32) as u32,
            C0..=C3 => self.compare[(offset - C0) as usize / 4],
            _ => return Err(Refused::NoRegister),
        })
    }

    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Nanoseconds,
        notices: &mut Notices,
    ) -> Result<(), Refused> {
        match offset {
            CS => self.matched &= !value,
            C0..=C3 => {
                let channel = (offset - C0) / 4;
                if self.kind == Kind::Board && channel.is_multiple_of(2) {
                    let channel = channel as u8;
                    notices.add(Notice::VideoCoreTimer { channel });
                }
                let count_us = self.count_us(now);
                let ahead_us = value.wrapping_sub(count_us as u32);
                self.compare[channel as usize] = value;
                self.due_us[channel as usize] = Some(count_us + u64::from(ahead_us));
            }
            // Read-only.
            CLO | CHI => {}
            _ => return Err(Refused::NoRegister),
        }
        Ok(())
    }

    fn start_us(&self) -> u64 {
        match self.kind {
            Kind::Qemu => 0,
            Kind::Board => FIRMWARE_US,
        }
    }

    fn count_us(&self, now: Nanoseconds) -> u64 {
        self.start_us() + now / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::SystemTimer;
    use crate::board::options::{Kind, Notice, Notices};

    #[test]
    fn a_channel_matches_when_the_counter_is_its_value_and_stays_until_acknowledged() {
        let mut timer = SystemTimer::new(Kind::Board);
        let mut notices = Notices::default();
        assert_eq!(timer.read(0x04, 5_999), Ok(2_300_005));
        timer
            .write(0x10, 2_300_105, 5_999, &mut notices)
            .expect("C1");
        assert_eq!(timer.next_event(), Some(105_000));
        timer.advance(104_999);
        assert_eq!(timer.interrupts(), 0);
        timer.advance(105_000);
        assert_eq!((timer.interrupts(), timer.read(0, 105_000)), (2, Ok(2)));
        timer.write(0, 0b1101, 105_000, &mut notices).expect("CS");
        assert_eq!(timer.interrupts(), 2, "other channels' bits change nothing");
        timer.write(0, 0b0010, 105_000, &mut notices).expect("CS");
        assert_eq!(timer.interrupts(), 0);
        assert_eq!(notices.take(), []);
    }

    #[test]
    fn a_value_that_was_passed_matches_a_round_later() {
        let mut timer = SystemTimer::new(Kind::Board);
        let mut notices = Notices::default();
        timer.write(0x18, 2_299_999, 0, &mut notices).expect("C3");
        let round = ((1 << 32) - 1) * 1000;
        timer.advance(round - 1);
        assert_eq!(timer.interrupts() & 8, 0);
        timer.advance(round);
        assert_eq!(timer.interrupts() & 8, 8);
        assert_eq!(timer.read(0x08, round), Ok(1));
        assert_eq!(timer.next_event(), None, "once");
    }

    #[test]
    fn the_videocores_channels_are_noticed() {
        let mut timer = SystemTimer::new(Kind::Board);
        let mut notices = Notices::default();
        timer.write(0x14, 5, 0, &mut notices).expect("C2");
        assert_eq!(notices.take(), [Notice::VideoCoreTimer { channel: 2 }]);
    }

    #[test]
    fn qemus_counter_begins_with_0() {
        let mut timer = SystemTimer::new(Kind::Qemu);
        let mut notices = Notices::default();
        assert_eq!(timer.next_event(), None);
        timer.write(0x0c, 7, 0, &mut notices).expect("C0");
        timer.advance(7_000);
        assert_eq!((timer.interrupts(), timer.next_event()), (1, None));
    }
}
