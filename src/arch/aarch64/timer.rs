//! The generic timer's counter. Source: DDI 0487 D12.
#![forbid(unsafe_code)]

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{CNTFRQ_EL0, CNTVCT_EL0, Readable};

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
