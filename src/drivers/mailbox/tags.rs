//! The property tags that this kernel asks for, each a type with its answer.
//!
//! Raspberry Pi firmware wiki, "Mailbox property interface", which gives numbers and values.
#![forbid(unsafe_code)]

use super::property::Tag;

/// Declares tags that ask without a value and answer with a number of one word.
macro_rules! one_word_tags {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl Tag for $name {
                type Answer = u32;
                const NUMBER: u32 = $number;
                const ANSWER_WORDS: usize = 1;

                fn value(self) -> [u32; 3] {
                    [0; 3]
                }

                fn decode([number, ..]: [u32; 3]) -> u32 {
                    number
                }
            }
        )*
    };
}

one_word_tags! {
    /// The firmware's revision: its time of building, in seconds since 1970, on a board.
    FirmwareRevision = 0x0000_0001;
    /// The board's model; 0 for every Raspberry Pi so far, [`BoardRevision`] tells them apart.
    BoardModel = 0x0001_0001;
    /// The board's revision code: memory, maker, processor, type and revision, as bit fields.
    BoardRevision = 0x0001_0002;
    /// What has slowed the processor down: bits 3:0 now, 19:16 since boot; under-voltage, frequency
    /// capped, throttled, temperature limit.
    Throttled = 0x0003_0046;
}

/// The board's serial number.
#[derive(Clone, Copy, Debug)]
pub struct BoardSerial;

impl Tag for BoardSerial {
    type Answer = u64;
    const NUMBER: u32 = 0x0001_0004;
    const ANSWER_WORDS: usize = 2;

    fn value(self) -> [u32; 3] {
        [0; 3]
    }

    fn decode([low, high, _]: [u32; 3]) -> u64 {
        u64::from(high) << 32 | u64::from(low)
    }
}

/// A part of RAM, as the firmware names it: not checked in any way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAnswer {
    /// Physical address of the first byte.
    pub base: u32,
    /// Bytes.
    pub size: u32,
}

/// Declares tags that ask without a value and answer with a part of RAM.
macro_rules! memory_tags {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl Tag for $name {
                type Answer = MemoryAnswer;
                const NUMBER: u32 = $number;
                const ANSWER_WORDS: usize = 2;

                fn value(self) -> [u32; 3] {
                    [0; 3]
                }

                fn decode([base, size, _]: [u32; 3]) -> MemoryAnswer {
                    MemoryAnswer { base, size }
                }
            }
        )*
    };
}

memory_tags! {
    /// The RAM that the firmware leaves to the ARM.
    ArmMemory = 0x0001_0005;
    /// The RAM that the VideoCore keeps.
    VideoCoreMemory = 0x0001_0006;
}

/// A clock of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Clock {
    /// The SD card controller's.
    Emmc = 1,
    /// The PL011's.
    Uart = 2,
    /// The ARM cores'.
    Arm = 3,
    /// The VideoCore's, and the peripherals'.
    Core = 4,
}

/// The rate that a clock is set to, in Hz; 0 if there is no such clock.
#[derive(Clone, Copy, Debug)]
pub struct ClockRate(pub Clock);

/// The rate that a clock is measured at, in Hz; 0 if there is no such clock. QEMU 7.2 does not
/// answer.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredClockRate(pub Clock);

/// Sets a clock. The answer is the rate that it got, in Hz: the nearest possible, or 0 if there is
/// no such clock.
#[derive(Clone, Copy, Debug)]
pub struct SetClockRate {
    /// The clock.
    pub clock: Clock,
    /// The wanted rate.
    pub rate_hz: u32,
}

/// The processor's temperature, in thousandths of a degree Celsius.
#[derive(Clone, Copy, Debug)]
pub struct Temperature;

/// The only temperature sensor.
const SENSOR: u32 = 0;
/// [`SetClockRate`]: do not raise the voltage and the other clocks along with the ARM's.
const SKIP_TURBO: u32 = 1;

/// Implements a tag whose answer repeats what was asked about, and then gives a number.
macro_rules! answers_about {
    ($($name:ident = $number:literal, $this:ident => $value:expr;)*) => {
        $(
            impl Tag for $name {
                type Answer = u32;
                const NUMBER: u32 = $number;
                const ANSWER_WORDS: usize = 2;

                fn value(self) -> [u32; 3] {
                    let $this = self;
                    $value
                }

                fn decode([_, number, _]: [u32; 3]) -> u32 {
                    number
                }
            }
        )*
    };
}

answers_about! {
    ClockRate = 0x0003_0002, tag => [tag.0 as u32, 0, 0];
    MeasuredClockRate = 0x0003_0047, tag => [tag.0 as u32, 0, 0];
    SetClockRate = 0x0003_8002, tag => [tag.clock as u32, tag.rate_hz, SKIP_TURBO];
    Temperature = 0x0003_0006, _tag => [SENSOR, 0, 0];
}

#[cfg(test)]
mod tests {
    use super::{BoardSerial, Clock, MemoryAnswer, SetClockRate, Temperature, VideoCoreMemory};
    use crate::drivers::mailbox::Tag;

    #[test]
    fn values_are_those_of_the_property_interface() {
        let set = SetClockRate {
            clock: Clock::Uart,
            rate_hz: 48_000_000,
        };
        assert_eq!(set.value(), [2, 48_000_000, 1]);
        assert_eq!(Temperature.value(), [0, 0, 0]);
    }

    #[test]
    fn answers_are_read_from_their_own_words() {
        assert_eq!(
            BoardSerial::decode([0x89ab_cdef, 0x0123_4567, 9]),
            0x0123_4567_89ab_cdef
        );
        let memory = MemoryAnswer {
            base: 0x3c00_0000,
            size: 0x0400_0000,
        };
        assert_eq!(
            VideoCoreMemory::decode([0x3c00_0000, 0x0400_0000, 9]),
            memory
        );
        assert_eq!(SetClockRate::decode([2, 47_999_625, 9]), 47_999_625);
    }
}
