//! The ARM timer: an SP804 with one timer that counts down and a free-running counter.
//!
//! BCM2835 ARM Peripherals, chapter 14. It runs from the system clock divided by the pre-divider,
//! 250 MHz as the firmware leaves it.
//!
//! # Decisions
//! Running in a debug halt (bit 8) and the 16-bit mode are not modelled: the first needs a debugger,
//! and nobody has asked for the second.

use super::options::{Kind, Nanoseconds};
use super::peripheral::Refused;

const LOAD: u32 = 0x00;
const VALUE: u32 = 0x04;
const CONTROL: u32 = 0x08;
const CLEAR: u32 = 0x0c;
const RAW: u32 = 0x10;
const MASKED: u32 = 0x14;
const RELOAD: u32 = 0x18;
const PREDIVIDER: u32 = 0x1c;
const FREE: u32 = 0x20;

/// Control: a counter of 32 bits, its interrupt, the timer, the free-running counter.
const WIDE: u32 = 1 << 1;
const INTERRUPT: u32 = 1 << 5;
const ENABLED: u32 = 1 << 7;
const FREE_RUNS: u32 = 1 << 9;
/// After a reset: the free-running counter divides by 0x3e + 1.
const RESET_CONTROL: u32 = 0x003e_0020;
const RESET_PREDIVIDER: u32 = 0x7d;
/// The system clock.
const CLOCK_HZ: u64 = 250_000_000;

#[derive(Clone, Debug)]
pub(super) struct ArmTimer {
    kind: Kind,
    control: u32,
    predivider: u32,
    reload: u32,
    raised: bool,
    /// The value at the time `since`; it has counted from there.
    value: u32,
    since: Nanoseconds,
    /// The free-running counter's value, likewise.
    free: u32,
    free_since: Nanoseconds,
}

impl ArmTimer {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            control: RESET_CONTROL,
            predivider: RESET_PREDIVIDER,
            reload: 0,
            raised: false,
            value: 0,
            since: 0,
            free: 0,
            free_since: 0,
        }
    }

    /// Whether the interrupt, number 0 of the basic ones, is up.
    pub(super) fn interrupt(&self) -> bool {
        self.raised && self.control & INTERRUPT != 0
    }

    /// When the interrupt is raised next.
    pub(super) fn next_event(&self) -> Option<Nanoseconds> {
        let runs = self.control & ENABLED != 0 && !self.raised;
        runs.then(|| {
            let ticks = u64::from(self.value) + 1;
            self.since + nanoseconds(ticks, self.divisor())
        })
    }

    /// Lets time pass until `now`: the timer counts to 0, raises its interrupt and is loaded again.
    pub(super) fn advance(&mut self, now: Nanoseconds) {
        if self.control & ENABLED == 0 {
            self.since = now;
            return;
        }
        let divisor = self.divisor();
        let mut ticks = ticks(now.saturating_sub(self.since), divisor);
        self.since += nanoseconds(ticks, divisor);
        if ticks > u64::from(self.value) {
            self.raised = true;
            ticks -= u64::from(self.value) + 1;
            ticks %= u64::from(self.reload) + 1;
            self.value = self.reload;
        }
        self.value -= ticks as u32;
    }

    pub(super) fn read(&self, offset: u32, now: Nanoseconds) -> Result<u32, Refused> {
        // QEMU 7.2's raspi3b has nothing there.
        if self.kind == Kind::Qemu {
            return Err(Refused::NotModelled("the ARM timer of QEMU"));
        }
        Ok(match offset {
            LOAD | RELOAD => self.reload,
            VALUE => self.value,
            CONTROL => self.control,
            // Write-only: it reads as a name, "ARMT" (14.2.4).
            CLEAR => 0x544d_5241,
            RAW => u32::from(self.raised),
            MASKED => u32::from(self.interrupt()),
            PREDIVIDER => self.predivider,
            FREE => self.free_count(now),
            _ => return Err(Refused::NoRegister),
        })
    }

    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Nanoseconds,
    ) -> Result<(), Refused> {
        if self.kind == Kind::Qemu {
            return Err(Refused::NotModelled("the ARM timer of QEMU"));
        }
        match offset {
            LOAD => {
                self.reload = value;
                self.value = value;
                self.since = now;
            }
            RELOAD => self.reload = value,
            CONTROL => {
                if value & ENABLED != 0 && value & WIDE == 0 {
                    return Err(Refused::NotModelled("the 16-bit counter"));
                }
                self.free = self.free_count(now);
                self.free_since = now;
                self.since = now;
                self.control = value & 0x00ff_03ff;
            }
            CLEAR => self.raised = false,
            PREDIVIDER => {
                self.predivider = value & 0x3ff;
                self.since = now;
            }
            // Read-only.
            VALUE | RAW | MASKED | FREE => {}
            _ => return Err(Refused::NoRegister),
        }
        Ok(())
    }

    /// Clocks of a tick: the pre-divider, and 1, 16 or 256 by bits 3:2 of the control register.
    fn divisor(&self) -> u64 {
        let prescale = match self.control >> 2 & 3 {
            0 => 1,
            1 => 16,
            2 => 256,
            _ => 1,
        };
        (u64::from(self.predivider) + 1) * prescale
    }

    fn free_count(&self, now: Nanoseconds) -> u32 {
        if self.control & FREE_RUNS == 0 {
            return self.free;
        }
        let divisor = u64::from(self.control >> 16 & 0xff) + 1;
        self.free
            .wrapping_add(ticks(now.saturating_sub(self.free_since), divisor) as u32)
    }
}

fn ticks(time: Nanoseconds, divisor: u64) -> u64 {
    time / (1_000_000_000 / CLOCK_HZ) / divisor
}

fn nanoseconds(ticks: u64, divisor: u64) -> Nanoseconds {
    ticks
        .saturating_mul(divisor)
        .saturating_mul(1_000_000_000 / CLOCK_HZ)
}

#[cfg(test)]
mod tests {
    use super::{ArmTimer, Kind};

    #[test]
    fn it_counts_down_raises_its_interrupt_and_begins_again() {
        let mut timer = ArmTimer::new(Kind::Board);
        // 250 MHz / 250: a microsecond a tick.
        timer.write(0x1c, 249, 0).expect("the pre-divider");
        timer.write(0x00, 99, 0).expect("the load");
        timer.write(0x08, 0xa2, 0).expect("the control register");
        assert_eq!(timer.next_event(), Some(100_000));
        timer.advance(99_999);
        assert_eq!((timer.read(0x04, 0), timer.interrupt()), (Ok(0), false));
        timer.advance(100_000);
        assert_eq!((timer.read(0x04, 0), timer.interrupt()), (Ok(99), true));
        timer.write(0x0c, 0, 100_000).expect("the clear register");
        assert!(!timer.interrupt());
        assert_eq!(timer.next_event(), Some(200_000));
        timer.advance(350_000);
        assert_eq!((timer.read(0x04, 0), timer.read(0x10, 0)), (Ok(49), Ok(1)));
    }

    #[test]
    fn the_free_running_counter_has_a_divider_of_its_own() {
        let mut timer = ArmTimer::new(Kind::Board);
        assert_eq!(timer.read(0x20, 1000), Ok(0), "it stands after a reset");
        timer
            .write(0x08, 0x00f9_0200, 1000)
            .expect("the control register");
        assert_eq!(timer.read(0x20, 5000), Ok(4), "250 MHz / 250");
    }
}
