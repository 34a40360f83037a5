//! The BCM2835's system timer: a counter of microseconds that runs from the same crystal as the
//! cores' counter, by other dividers.
//!
//! BCM2835 ARM Peripherals, chapter 12: registers in this order and with these names. Channels 0
//! and 2 are the VideoCore's; nothing here writes to them.
#![forbid(unsafe_code)]

use tock_registers::interfaces::{Readable, Writeable};
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

/// A channel that the ARM may use: channels 0 and 2 are the VideoCore's. The number is that of the
/// compare register and of the bit in CS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Channel {
    /// Compare register 1, GPU interrupt 1.
    One = 1,
    /// Compare register 3, GPU interrupt 3.
    Three = 3,
}

impl Channel {
    /// Its bit in CS.
    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The BCM2835's system timer: a counter of 1 MHz, whatever the clocks of the cores and of the
/// VideoCore, and compare registers that interrupt.
#[derive(Clone, Copy, Debug)]
pub struct SystemTimer {
    registers: Mmio<Registers>,
}

impl SystemTimer {
    /// Reads the timer behind `registers`, the block at 0x3f00_3000. The counter runs freely: there
    /// is nothing to start.
    #[must_use]
    pub const fn new(registers: Mmio<Registers>) -> Self {
        Self { registers }
    }

    /// The counter's lower word (CLO) in microseconds, modulo 2^32: they come round after 71
    /// minutes, so a difference is taken wrapping. One load, at any time, from any core.
    #[must_use]
    pub fn count_us(&self) -> u32 {
        self.registers.clo.get()
    }

    /// The shortest alarm, in microseconds. A channel matches when the counter *is* its compare
    /// register: an alarm that the counter has passed when it is written comes 71 minutes late.
    pub const LEAST_US: u32 = 20;

    /// Makes `channel` interrupt in `delay_us`, at least [`SystemTimer::LEAST_US`]; a match of
    /// before is forgotten. With interrupts masked between the look at the counter and the store,
    /// or with time to spare.
    pub fn set_alarm(&self, channel: Channel, delay_us: u32) {
        self.acknowledge(channel);
        let at_us = self.count_us().wrapping_add(delay_us.max(Self::LEAST_US));
        if let Some(compare) = self.registers.compare.get(channel as usize) {
            compare.set(at_us);
        }
    }

    /// Whether `channel` has matched and was not [acknowledged](Self::acknowledge): its bit in CS,
    /// which keeps the interrupt up.
    #[must_use]
    pub fn is_due(&self, channel: Channel) -> bool {
        self.registers.cs.get() & channel.bit() != 0
    }

    /// Ends the interrupt of `channel`: writing a one to its bit of CS clears it, and zeros change
    /// nothing.
    pub fn acknowledge(&self, channel: Channel) {
        self.registers.cs.set(channel.bit());
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, SystemTimer};
    use crate::drivers::mmio::fake::FakeRegisters;

    #[test]
    fn an_alarm_is_a_compare_value_ahead_of_the_counter_and_one_bit_of_cs() {
        for (channel, offset, bit) in [(Channel::One, 0x10, 0b10), (Channel::Three, 0x18, 0b1000)] {
            let memory = FakeRegisters::<7>::leak();
            let timer = SystemTimer::new(memory.view());
            memory.set(0x04, 0xffff_fff0);
            timer.set_alarm(channel, 0x30);
            assert_eq!(memory.get(offset), 0x20, "it comes round");
            assert_eq!(memory.get(0x00), bit, "what matched before is cleared");
            timer.set_alarm(channel, 1);
            assert_eq!(memory.get(offset), 0x4, "never so near that it is passed");
            memory.set(0x00, 0b1010 & !bit);
            assert!(!timer.is_due(channel));
            memory.set(0x00, bit);
            assert!(timer.is_due(channel));
            let others = [0x0c, 0x10, 0x14, 0x18]
                .into_iter()
                .filter(|other| *other != offset);
            assert!(others.into_iter().all(|other| memory.get(other) == 0));
        }
    }

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
