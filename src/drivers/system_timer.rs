//! The BCM2835's system timer: a counter of microseconds that runs from the same crystal as the cores'
//! counter, by other dividers.
//!
//! BCM2835 ARM Peripherals, chapter 12: registers in this order and with these names. Channels 0 and
//! 2 are the VideoCore's; nothing here writes to any.
#![forbid(unsafe_code)]

use tock_registers::interfaces::Readable;
use tock_registers::register_structs;
use tock_registers::registers::{ReadOnly, ReadWrite};

use super::mmio::Mmio;

register_structs! {
    /// The timer's registers.
    pub Registers {
        (0x00 => cs: ReadWrite<u32>),
        (0x04 => clo: ReadOnly<u32>),
        (0x08 => chi: ReadOnly<u32>),
        (0x0c => compare: [ReadWrite<u32>; 4]),
        (0x1c => @END),
    }
}

/// The timer.
#[derive(Clone, Copy, Debug)]
pub struct SystemTimer {
    registers: Mmio<Registers>,
}

impl SystemTimer {
    /// Reads the timer behind `registers`.
    #[must_use]
    pub const fn new(registers: Mmio<Registers>) -> Self {
        Self { registers }
    }

    /// Microseconds, modulo 2^32: they come round after 71 minutes.
    #[must_use]
    pub fn count_us(&self) -> u32 {
        self.registers.clo.get()
    }
}

#[cfg(test)]
mod tests {
    use super::SystemTimer;
    use crate::drivers::mmio::fake::FakeRegisters;

    #[test]
    fn the_count_is_the_lower_word_and_nothing_is_written() {
        let memory = FakeRegisters::<7>::leak();
        memory.set(0x04, 0xdead_beef);
        memory.set(0x08, 7);
        assert_eq!(SystemTimer::new(memory.view()).count_us(), 0xdead_beef);
        let rest = [0x00, 0x0c, 0x10, 0x14, 0x18].map(|offset| memory.get(offset));
        assert_eq!(rest, [0; 5]);
    }
}
