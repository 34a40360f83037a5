//! The local timer, which interrupts the core that its routing names (QA7 4.11).

use crate::board::options::{Kind, Nanoseconds};
use crate::board::peripheral::Refused;

const FLAG: u32 = 1 << 31;
/// Of the write flags; the control register has no such bit.
const RELOAD: u32 = 1 << 30;
const INTERRUPTS: u32 = 1 << 29;
const ENABLE: u32 = 1 << 28;
const VALUE: u32 = ENABLE - 1;

#[derive(Clone, Debug)]
pub(super) struct LocalTimer {
    kind: Kind,
    control: u32,
    /// When it reaches 0.
    due: Option<Nanoseconds>,
}

impl LocalTimer {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            control: 0,
            due: None,
        }
    }

    pub(super) fn control(&self) -> u32 {
        self.control
    }

    pub(super) fn interrupts(&self) -> bool {
        self.control & FLAG != 0 && self.control & INTERRUPTS != 0
    }

    /// When the flag is raised, if that is low.
    pub(super) fn next_event(&self) -> Option<Nanoseconds> {
        self.due.filter(|_| self.control & FLAG == 0)
    }

    /// Lets time pass until `now`.
    pub(super) fn advance(&mut self, now: Nanoseconds) {
        let Some(due) = self.due.filter(|due| *due <= now) else {
            return;
        };
        self.control |= FLAG;
        let period = self.period();
        let periods = (now - due) / period + 1;
        self.due = due.checked_add(periods.saturating_mul(period));
    }

    pub(super) fn set(&mut self, value: u32, now: Nanoseconds) -> Result<(), Refused> {
        if value & ENABLE != 0 && value & VALUE == 0 {
            return Err(Refused::NotModelled("local timer that reloads 0"));
        }
        self.control = match self.kind {
            Kind::Qemu => value,
            // The flag is read-only here.
            Kind::Board => value & !(FLAG | RELOAD) | self.control & FLAG,
        };
        self.due = None;
        self.reload(now);
        Ok(())
    }

    pub(super) fn write_flags(&mut self, value: u32, now: Nanoseconds) {
        if value & FLAG != 0 {
            self.control &= !FLAG;
        }
        if value & RELOAD != 0 {
            self.reload(now);
        }
    }

    fn reload(&mut self, now: Nanoseconds) {
        if self.control & ENABLE != 0 {
            self.due = now.checked_add(self.period());
        }
    }

    /// Both edges of the crystal's clock are counted: 38.4 MHz, 625/24 ns each.
    fn period(&self) -> Nanoseconds {
        u64::from((self.control & VALUE).max(1)) * 625 / 24
    }
}
