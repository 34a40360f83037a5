//! The generic timer of one core: DDI 0487 D11.

use super::core::Core;
use crate::board::TimerLines;
use crate::bus::Bus;
use crate::registers::Reg;

/// A timer of the core.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Timer {
    /// EL1 physical: CNTP.
    Physical,
    /// EL1 virtual: CNTV, against the virtual counter.
    Virtual,
    /// EL2 physical: CNTHP.
    Hypervisor,
    /// Secure EL1 physical: CNTPS.
    Secure,
}

impl Timer {
    const ALL: [Self; 4] = [
        Self::Physical,
        Self::Virtual,
        Self::Hypervisor,
        Self::Secure,
    ];

    fn registers(self) -> [Reg; 2] {
        match self {
            Self::Physical => [Reg::CNTP_CTL_EL0, Reg::CNTP_CVAL_EL0],
            Self::Virtual => [Reg::CNTV_CTL_EL0, Reg::CNTV_CVAL_EL0],
            Self::Hypervisor => [Reg::CNTHP_CTL_EL2, Reg::CNTHP_CVAL_EL2],
            Self::Secure => [Reg::CNTPS_CTL_EL1, Reg::CNTPS_CVAL_EL1],
        }
    }
}

/// CTL.ENABLE, CTL.IMASK and CTL.ISTATUS.
const ENABLE: u64 = 1;
const MASK: u64 = 2;
const STATUS: u64 = 4;

impl Core {
    /// CNTVCT_EL0: the counter less CNTVOFF_EL2.
    pub(crate) fn virtual_counter(&self, bus: &Bus) -> u64 {
        bus.counter()
            .wrapping_sub(self.system.effective(Reg::CNTVOFF_EL2))
    }

    fn counter_of(&self, timer: Timer, bus: &Bus) -> u64 {
        match timer {
            Timer::Virtual => self.virtual_counter(bus),
            _ => bus.counter(),
        }
    }

    fn is_due(&self, timer: Timer, bus: &Bus) -> bool {
        let [_, compare] = timer.registers();
        self.counter_of(timer, bus) >= self.system.written(compare)
    }

    /// CTL of a timer, with ISTATUS.
    pub(crate) fn timer_control(&self, timer: Timer, bus: &Bus) -> u64 {
        let [control, _] = timer.registers();
        let bits = self.system.written(control) & (ENABLE | MASK);
        let due = bits & ENABLE != 0 && self.is_due(timer, bus);
        bits | if due { STATUS } else { 0 }
    }

    /// TVAL of a timer: the signed 32-bit distance from the counter to the compare value.
    pub(crate) fn timer_value(&self, timer: Timer, bus: &Bus) -> u64 {
        let [_, compare] = timer.registers();
        let distance = self
            .system
            .written(compare)
            .wrapping_sub(self.counter_of(timer, bus));
        distance & 0xffff_ffff
    }

    /// A write of TVAL: the compare value is the counter plus the signed number.
    pub(crate) fn set_timer_value(&mut self, timer: Timer, value: u64, bus: &Bus) {
        let [_, compare] = timer.registers();
        let distance = i64::from(value as u32 as i32);
        let at = self.counter_of(timer, bus).wrapping_add_signed(distance);
        self.system.set(compare, at);
    }

    fn raises(&self, timer: Timer, bus: &Bus) -> bool {
        self.timer_control(timer, bus) & (ENABLE | MASK | STATUS) == ENABLE | STATUS
    }

    /// The lines of the core's timers into the local interrupt controller.
    pub(super) fn timer_lines(&self, bus: &Bus) -> TimerLines {
        let order = [
            Timer::Secure,
            Timer::Physical,
            Timer::Hypervisor,
            Timer::Virtual,
        ];
        let levels = order.map(|timer| u8::from(self.raises(timer, bus)));
        TimerLines(levels[0] | levels[1] << 1 | levels[2] << 2 | levels[3] << 3)
    }

    /// Tells the local interrupt controller the levels of the core's timers.
    pub(super) fn tell_timers(&self, bus: &mut Bus) {
        let lines = self.timer_lines(bus);
        bus.board.set_timers(self.number, lines);
    }

    /// The virtual time at which the next enabled timer of the core becomes due.
    pub(crate) fn next_timer(&self, bus: &Bus) -> Option<u64> {
        let waits = Timer::ALL.into_iter().filter_map(|timer| {
            let control = self.timer_control(timer, bus);
            if control & (ENABLE | MASK | STATUS) != ENABLE {
                return None;
            }
            let [_, compare] = timer.registers();
            let offset = match timer {
                Timer::Virtual => self.system.effective(Reg::CNTVOFF_EL2),
                _ => 0,
            };
            // A sum that wraps lies behind: the counter comes there in some centuries.
            let due = self.system.written(compare).wrapping_add(offset);
            let time = bus.board.time_of_counter(due)?;
            (time > bus.now()).then_some(time)
        });
        waits.min()
    }
}
