//! The generic timer: the counter, the virtual timer that interrupts when it reaches a value, and
//! the physical timer, for what must not depend on the virtual one or on its offset. Source: DDI
//! 0487 D12.
#![forbid(unsafe_code)]

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    CNTFRQ_EL0, CNTP_CTL_EL0, CNTP_CVAL_EL0, CNTPCT_EL0, CNTV_CTL_EL0, CNTV_CVAL_EL0, CNTVCT_EL0,
    Readable, Writeable,
};

use crate::arch::counter;

/// CNTV_CTL_EL0.ENABLE and CNTP_CTL_EL0's; IMASK is clear.
const ENABLE: u64 = 1;
/// CNTP_CTL_EL0.ISTATUS: the condition is met. Unknown without ENABLE.
const IS_DUE: u64 = 1 << 2;

/// The counter. CNTVOFF_EL2 is 0 unless the kernel was entered at EL1; then it is unknown, and a
/// reading means something only beside another one of this core.
#[must_use]
pub fn counter() -> u64 {
    barrier::isb(barrier::SY);
    CNTVCT_EL0.get()
}

/// Ticks, [`frequency_hz`] a second, since this core's counter was at `start`, a reading of this
/// core. A counter that came round meanwhile is allowed for; 0 if it is before `start`.
#[must_use]
pub fn ticks_since(start: u64) -> u64 {
    counter::ticks_since(start, counter())
}

/// CNTFRQ_EL0: the counter's frequency in Hz, as the firmware has set it; 0 if it has not.
#[must_use]
pub fn frequency_hz() -> u32 {
    CNTFRQ_EL0.get() as u32
}

/// Brings this core's timers to a known state, whatever a loader left: both are off, and neither
/// interrupts. To be called before the core lets interrupts in.
pub fn init() {
    CNTP_CTL_EL0.set(0);
    CNTV_CTL_EL0.set(0);
    barrier::isb(barrier::SY);
}

/// Interrupts this core as soon as its counter is `deadline` ticks behind the reading `origin`. May
/// interrupt early: whoever takes the interrupt looks at the time, and sets it again.
pub fn interrupt_at(origin: u64, deadline: u64) {
    let passed = ticks_since(origin);
    CNTV_CVAL_EL0.set(counter::compare_value(origin, passed, deadline));
    CNTV_CTL_EL0.set(ENABLE);
    barrier::isb(barrier::SY);
}

/// Switches this core's virtual timer off (CNTV_CTL_EL0 = 0): it does not interrupt any more, and
/// an interrupt that is pending goes away.
pub fn stop() {
    CNTV_CTL_EL0.set(0);
    barrier::isb(barrier::SY);
}

/// Whether the counter is ahead of the physical one: CNTVOFF_EL2, taken as a signed number, is
/// negative. 0 is not, since the physical counter is read behind the other.
#[must_use]
pub fn is_ahead_of_physical() -> bool {
    counter() > physical_counter()
}

fn physical_counter() -> u64 {
    barrier::isb(barrier::SY);
    CNTPCT_EL0.get()
}

/// Interrupts this core by its physical timer in `ticks` from now, or earlier; replaces the
/// deadline of before. Independent of CNTVOFF_EL2.
pub fn physical_interrupt_in(ticks: u64) {
    let now = physical_counter();
    CNTP_CVAL_EL0.set(counter::compare_value(now, 0, ticks));
    CNTP_CTL_EL0.set(ENABLE);
    barrier::isb(barrier::SY);
}

/// Whether the physical timer is on and has come to what it was set to (ENABLE and ISTATUS).
/// `false` for one that is off, where ISTATUS is unknown.
#[must_use]
pub fn physical_is_due() -> bool {
    CNTP_CTL_EL0.get() & (ENABLE | IS_DUE) == ENABLE | IS_DUE
}

/// Switches this core's physical timer off (CNTP_CTL_EL0 = 0): it interrupts no more, and an
/// interrupt that is pending goes away.
pub fn physical_stop() {
    CNTP_CTL_EL0.set(0);
    barrier::isb(barrier::SY);
}
