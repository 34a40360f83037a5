//! The property tags that this kernel asks for, each a type with its answer.
//!
//! Raspberry Pi firmware wiki, "Mailbox property interface", which gives numbers and values. QEMU
//! 7.2 answers a tag that it does not know with no bytes ([`MailboxError::ShortAnswer`]): those of
//! voltages, measured rates and throttling.
//!
//! [`MailboxError::ShortAnswer`]: super::MailboxError::ShortAnswer
#![forbid(unsafe_code)]

use core::fmt;

use super::property::Tag;
use super::units::{MacAddress, Microvolts, MilliCelsius, Slowdown};

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
                const ANSWER_BYTES: u32 = 4;

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
}

/// The board's serial number, 64 bits; the firmware answers the low word first.
#[derive(Clone, Copy, Debug)]
pub struct BoardSerial;

impl Tag for BoardSerial {
    type Answer = u64;
    const NUMBER: u32 = 0x0001_0004;
    const ANSWER_BYTES: u32 = 8;

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
    /// The size in bytes.
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
                const ANSWER_BYTES: u32 = 8;

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

/// The causes of throttling, now and since power-on: bits as [`Slowdown`] has them.
#[derive(Clone, Copy, Debug)]
pub struct Throttled;

impl Tag for Throttled {
    type Answer = Slowdown;
    const NUMBER: u32 = 0x0003_0046;
    const ANSWER_BYTES: u32 = 4;

    fn value(self) -> [u32; 3] {
        [0; 3]
    }

    fn decode([bits, ..]: [u32; 3]) -> Slowdown {
        Slowdown(bits)
    }
}

/// The Ethernet address of the board: six bytes, the first four in the answer's first word, lowest
/// byte first.
#[derive(Clone, Copy, Debug)]
pub struct BoardMac;

impl Tag for BoardMac {
    type Answer = MacAddress;
    const NUMBER: u32 = 0x0001_0003;
    const ANSWER_BYTES: u32 = 6;

    fn value(self) -> [u32; 3] {
        [0; 3]
    }

    fn decode([first, last, _]: [u32; 3]) -> MacAddress {
        let [a, b, c, d] = first.to_le_bytes();
        let [e, f, ..] = last.to_le_bytes();
        MacAddress([a, b, c, d, e, f])
    }
}

/// A clock of the board, by its number in the firmware's interface, 1 to 10.
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
    /// The 3D unit's.
    V3d = 5,
    /// The video decoder's.
    H264 = 6,
    /// The camera's image processor's.
    Isp = 7,
    /// The RAM's.
    Sdram = 8,
    /// The display's.
    Pixel = 9,
    /// The pulse width modulator's.
    Pwm = 10,
}

impl Clock {
    /// Every clock, by number, for a list of their rates. The firmware may not have all: the rate
    /// of one that it has not is 0.
    pub const ALL: [Self; 10] = [
        Self::Emmc,
        Self::Uart,
        Self::Arm,
        Self::Core,
        Self::V3d,
        Self::H264,
        Self::Isp,
        Self::Sdram,
        Self::Pixel,
        Self::Pwm,
    ];
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Emmc => "EMMC",
            Self::Uart => "UART",
            Self::Arm => "ARM",
            Self::Core => "core",
            Self::V3d => "V3D",
            Self::H264 => "H264",
            Self::Isp => "ISP",
            Self::Sdram => "SDRAM",
            Self::Pixel => "pixel",
            Self::Pwm => "PWM",
        })
    }
}

/// The rate that a clock is set to, in Hz; 0 if there is no such clock.
#[derive(Clone, Copy, Debug)]
pub struct ClockRate(pub Clock);

/// The highest rate that a clock can be set to, in Hz; 0 if there is no such clock.
#[derive(Clone, Copy, Debug)]
pub struct MaxClockRate(pub Clock);

/// The rate that a clock is measured at, in Hz; 0 if there is no such clock.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredClockRate(pub Clock);

/// Sets a clock. The answer is the rate that it got, in Hz: the nearest possible, or 0 if there is
/// no such clock.
#[derive(Clone, Copy, Debug)]
pub struct SetClockRate {
    /// The clock to set.
    pub clock: Clock,
    /// The wanted rate in Hz.
    pub rate_hz: u32,
}

/// The processor's temperature, in thousandths of a degree Celsius, signed: 47_236 is shown as
/// `47.2 C`. The chip has one sensor, number 0.
#[derive(Clone, Copy, Debug)]
pub struct Temperature;

/// The temperature above which the firmware slows the processor down, in thousandths of a degree
/// Celsius.
#[derive(Clone, Copy, Debug)]
pub struct MaxTemperature;

/// A supply of the chip, by its number in the firmware's interface, 1 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Supply {
    /// The processors'.
    Core = 1,
    /// The SDRAM's controller.
    SdramController = 2,
    /// The SDRAM's physical interface.
    SdramPhysical = 3,
    /// The SDRAM's inputs and outputs.
    SdramInputOutput = 4,
}

impl Supply {
    /// Every supply, by number, for a list of their voltages ([`Voltage`]); QEMU 7.2 answers none
    /// of them.
    pub const ALL: [Self; 4] = [
        Self::Core,
        Self::SdramController,
        Self::SdramPhysical,
        Self::SdramInputOutput,
    ];
}

impl fmt::Display for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Core => "core",
            Self::SdramController => "SDRAM C",
            Self::SdramPhysical => "SDRAM P",
            Self::SdramInputOutput => "SDRAM I",
        })
    }
}

/// The voltage of a supply; `None` if there is no such supply.
///
/// In microvolts, as the wiki says since 2022. Before, it said that the value is an offset in steps
/// of 25 mV, which no firmware answers.
#[derive(Clone, Copy, Debug)]
pub struct Voltage(pub Supply);

/// The only temperature sensor.
const SENSOR: u32 = 0;
/// [`SetClockRate`]: do not raise the voltage and the other clocks along with the ARM's.
const SKIP_TURBO: u32 = 1;
/// [`Voltage`]: the answer if there is no such supply.
const NO_SUPPLY: u32 = 0x8000_0000;

/// Implements a tag whose answer repeats what was asked about, and then gives a number.
macro_rules! answers_about {
    ($($name:ident = $number:literal, $this:ident => $value:expr, $result:ident => $answer:expr, $type:ty;)*) => {
        $(
            impl Tag for $name {
                type Answer = $type;
                const NUMBER: u32 = $number;
                const ANSWER_BYTES: u32 = 8;

                fn value(self) -> [u32; 3] {
                    let $this = self;
                    $value
                }

                fn decode([_, $result, _]: [u32; 3]) -> $type {
                    $answer
                }
            }
        )*
    };
}

answers_about! {
    ClockRate = 0x0003_0002, tag => [tag.0 as u32, 0, 0], hz => hz, u32;
    MaxClockRate = 0x0003_0004, tag => [tag.0 as u32, 0, 0], hz => hz, u32;
    MeasuredClockRate = 0x0003_0047, tag => [tag.0 as u32, 0, 0], hz => hz, u32;
    SetClockRate = 0x0003_8002, tag => [tag.clock as u32, tag.rate_hz, SKIP_TURBO], hz => hz, u32;
    Temperature = 0x0003_0006, _tag => [SENSOR, 0, 0], value => MilliCelsius(value.cast_signed()), MilliCelsius;
    MaxTemperature = 0x0003_000a, _tag => [SENSOR, 0, 0], value => MilliCelsius(value.cast_signed()), MilliCelsius;
    Voltage = 0x0003_0003, tag => [tag.0 as u32, 0, 0],
        value => (value != NO_SUPPLY).then_some(Microvolts(value)), Option<Microvolts>;
}

#[cfg(test)]
mod tests {
    use super::{
        BoardMac, BoardSerial, Clock, MaxClockRate, MaxTemperature, MemoryAnswer, SetClockRate,
        Supply, Temperature, Throttled, VideoCoreMemory, Voltage,
    };
    use crate::drivers::mailbox::{MacAddress, Microvolts, MilliCelsius, Slowdown, Tag};

    #[test]
    fn values_are_those_of_the_property_interface() {
        let set = SetClockRate {
            clock: Clock::Uart,
            rate_hz: 48_000_000,
        };
        assert_eq!(set.value(), [2, 48_000_000, 1]);
        assert_eq!(Temperature.value(), [0, 0, 0]);
        assert_eq!(MaxClockRate(Clock::Pwm).value(), [10, 0, 0]);
        assert_eq!(Voltage(Supply::SdramInputOutput).value(), [4, 0, 0]);
    }

    #[test]
    fn lists_are_in_the_order_of_the_interface() {
        let clocks = Clock::ALL.map(|clock| clock as u32);
        assert_eq!(clocks, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(Supply::ALL.map(|supply| supply as u32), [1, 2, 3, 4]);
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
        assert_eq!(MaxClockRate::decode([3, 1_200_000_000, 9]), 1_200_000_000);
        assert_eq!(Throttled::decode([0x5_0005, 9, 9]), Slowdown(0x5_0005));
        // Its second value is the temperature; the first is the sensor's number.
        assert_eq!(Temperature::decode([0, 47_236, 9]), MilliCelsius(47_236));
        assert_eq!(MaxTemperature::decode([0, 85_000, 9]), MilliCelsius(85_000));
        assert_eq!(
            Temperature::decode([0, 0xffff_fc18, 9]),
            MilliCelsius(-1000)
        );
    }

    #[test]
    fn a_mac_address_is_six_bytes_and_not_more() {
        // b8:27:eb:12:34:56 as it lies in memory, and then what nobody wrote.
        assert_eq!(
            BoardMac::decode([0x12eb_27b8, 0xffff_5634, 9]),
            MacAddress([0xb8, 0x27, 0xeb, 0x12, 0x34, 0x56])
        );
        assert_eq!(BoardMac::ANSWER_BYTES, 6);
    }

    #[test]
    fn a_supply_that_does_not_exist_has_no_voltage() {
        assert_eq!(
            Voltage::decode([1, 1_312_500, 9]),
            Some(Microvolts(1_312_500))
        );
        assert_eq!(Voltage::decode([1, 0x8000_0000, 9]), None);
    }
}
