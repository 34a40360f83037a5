//! The generic timer: the counter, and the virtual timer that interrupts when it reaches a value.
//! Source: DDI 0487 D12.
#![forbid(unsafe_code)]

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    CNTFRQ_EL0, CNTP_CTL_EL0, CNTV_CTL_EL0, CNTV_CVAL_EL0, CNTVCT_EL0, Readable, Writeable,
};

/// CNTV_CTL_EL0.ENABLE; IMASK is clear.
const ENABLE: u64 = 1;

/// The counter; CNTVOFF_EL2 is 0 unless the kernel was entered at EL1.
#[must_use]
pub fn counter() -> u64 {
    barrier::isb(barrier::SY);
    CNTVCT_EL0.get()
}

/// What the counter runs at, in Hz; 0 if nobody has set it.
#[must_use]
pub fn frequency_hz() -> u32 {
    CNTFRQ_EL0.get() as u32
}

/// Brings this core's timers to a known state: neither interrupts.
pub fn init() {
    CNTP_CTL_EL0.set(0);
    CNTV_CTL_EL0.set(0);
    barrier::isb(barrier::SY);
}

/// Interrupts this core from the moment on at which the counter is at `ticks`.
pub fn interrupt_at(ticks: u64) {
    CNTV_CVAL_EL0.set(ticks);
    CNTV_CTL_EL0.set(ENABLE);
    barrier::isb(barrier::SY);
}

/// Interrupts no more.
pub fn stop() {
    CNTV_CTL_EL0.set(0);
    barrier::isb(barrier::SY);
}
