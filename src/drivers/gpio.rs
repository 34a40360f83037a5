//! GPIO of the BCM2835: which function a pin has, and its pull resistor.
//!
//! BCM2835 ARM Peripherals, chapter 6: registers in this order and with these names; table 6-31 has
//! the alternate functions. Owns the way of the PL011 to the header's pins 8 and 10.
//!
//! A function register is shared by ten pins, and the manual gives no other way to set one of them
//! than to read, modify and write: the methods need a sole caller.
#![forbid(unsafe_code)]

use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::register_structs;
use tock_registers::registers::{ReadOnly, ReadWrite, WriteOnly};

use super::mmio::Mmio;

register_structs! {
    /// The GPIO registers. Pairs hold one bit a pin, 0 to 31 and 32 to 53.
    pub Registers {
        (0x00 => gpfsel: [ReadWrite<u32>; 6]),
        (0x18 => _reserved0),
        (0x1c => gpset: [WriteOnly<u32>; 2]),
        (0x24 => _reserved1),
        (0x28 => gpclr: [WriteOnly<u32>; 2]),
        (0x30 => _reserved2),
        (0x34 => gplev: [ReadOnly<u32>; 2]),
        (0x3c => _reserved3),
        (0x40 => gpeds: [ReadWrite<u32>; 2]),
        (0x48 => _reserved4),
        (0x4c => gpren: [ReadWrite<u32>; 2]),
        (0x54 => _reserved5),
        (0x58 => gpfen: [ReadWrite<u32>; 2]),
        (0x60 => _reserved6),
        (0x64 => gphen: [ReadWrite<u32>; 2]),
        (0x6c => _reserved7),
        (0x70 => gplen: [ReadWrite<u32>; 2]),
        (0x78 => _reserved8),
        (0x7c => gparen: [ReadWrite<u32>; 2]),
        (0x84 => _reserved9),
        (0x88 => gpafen: [ReadWrite<u32>; 2]),
        (0x90 => _reserved10),
        (0x94 => gppud: ReadWrite<u32>),
        (0x98 => gppudclk: [ReadWrite<u32>; 2]),
        (0xa0 => @END),
    }
}

/// Core clock cycles for which the pull control, and then its clock, must stand (GPPUDCLK, steps 2
/// and 4).
pub const PULL_SETUP_CYCLES: u32 = 150;

/// A pin by its GPIO number, which is not that of the header: GPIO14 is the header's pin 8.
///
/// # Invariants
///
/// At most 53, so that its registers exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin(u8);

impl Pin {
    const TXD0: Self = Self(14);
    const RXD0: Self = Self(15);
    /// Towards the Bluetooth chip of the Pi 3.
    const TXD0_BLUETOOTH: Self = Self(32);
    /// From the Bluetooth chip of the Pi 3.
    const RXD0_BLUETOOTH: Self = Self(33);

    /// GPIO `number`, or `None` above 53: the last pin that the function registers have.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number <= 53 {
            Some(Self(number))
        } else {
            None
        }
    }
}

/// The function of a pin: the values of its field FSEL, three bits in GPFSEL0 to GPFSEL5. The
/// meaning of an alternate function depends on the pin (table 6-31): Alt0 of GPIO14 is TXD0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum PinFunction {
    /// An input.
    Input = 0b000,
    /// An output.
    Output = 0b001,
    /// Alternate function 0.
    Alt0 = 0b100,
    /// Alternate function 1.
    Alt1 = 0b101,
    /// Alternate function 2.
    Alt2 = 0b110,
    /// Alternate function 3.
    Alt3 = 0b111,
    /// Alternate function 4.
    Alt4 = 0b011,
    /// Alternate function 5.
    Alt5 = 0b010,
}

/// A pin's pull resistor: the values of GPPUD. It cannot be read back, so a state that is not set
/// is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Pull {
    /// No pull resistor.
    Off = 0b00,
    /// A resistor towards ground.
    Down = 0b01,
    /// A resistor towards 3.3 V.
    Up = 0b10,
}

/// The BCM2835's GPIO block: functions and pull resistors of pins. Levels and interrupts of pins
/// are not used here.
#[derive(Clone, Copy, Debug)]
pub struct Gpio {
    registers: Mmio<Registers>,
}

impl Gpio {
    /// Drives the pins behind `registers`, the block at 0x3f20_0000. Nothing is written yet.
    #[must_use]
    pub const fn new(registers: Mmio<Registers>) -> Self {
        Self { registers }
    }

    /// Gives `pin` a function, at once. The other nine pins of its register keep theirs, unless
    /// somebody else changes them meanwhile: it is read, modified and written.
    pub fn set_function(&self, pin: Pin, function: PinFunction) {
        let register = &self.registers.gpfsel[usize::from(pin.0 / 10)];
        let shift = u32::from(pin.0 % 10) * 3;
        register.set(register.get() & !(0b111 << shift) | (function as u32) << shift);
    }

    /// Sets the pull resistor of `pin`. `delay` returns after [`PULL_SETUP_CYCLES`] or later; it is
    /// called twice.
    pub fn set_pull(&self, pin: Pin, pull: Pull, mut delay: impl FnMut()) {
        let clock = &self.registers.gppudclk[usize::from(pin.0 / 32)];
        self.registers.gppud.set(pull as u32);
        delay();
        clock.set(1 << (pin.0 % 32));
        delay();
        self.registers.gppud.set(0);
        clock.set(0);
    }

    /// Connects the PL011 to GPIO14 (transmit) and GPIO15 (receive, pulled up so that an open line
    /// is idle), and to nothing else: firmware connects it to the Bluetooth chip through GPIO32 and
    /// GPIO33, and a receiver with two inputs takes bytes from both.
    ///
    /// `delay` returns after [`PULL_SETUP_CYCLES`] or later.
    pub fn route_pl011(&self, mut delay: impl FnMut()) {
        self.set_function(Pin::TXD0_BLUETOOTH, PinFunction::Input);
        self.set_function(Pin::RXD0_BLUETOOTH, PinFunction::Input);
        self.set_pull(Pin::TXD0, Pull::Off, &mut delay);
        self.set_pull(Pin::RXD0, Pull::Up, &mut delay);
        self.set_function(Pin::TXD0, PinFunction::Alt0);
        self.set_function(Pin::RXD0, PinFunction::Alt0);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{Gpio, Pin, PinFunction, Pull};
    use crate::drivers::mmio::fake::FakeRegisters;

    const GPPUD: usize = 0x94;
    const GPPUDCLK0: usize = 0x98;
    const GPPUDCLK1: usize = 0x9c;

    fn gpio() -> (&'static FakeRegisters<40>, Gpio) {
        let memory = FakeRegisters::leak();
        (memory, Gpio::new(memory.view()))
    }

    #[test]
    fn a_pin_above_53_does_not_exist() {
        assert!(Pin::new(53).is_some());
        assert_eq!(Pin::new(54), None);
    }

    #[test]
    fn a_function_changes_its_own_three_bits_only() {
        let (memory, gpio) = gpio();
        for offset in (0..0x18).step_by(4) {
            memory.set(offset, 0xffff_ffff);
        }
        gpio.set_function(Pin::new(53).expect("a pin"), PinFunction::Input);
        gpio.set_function(Pin::new(9).expect("a pin"), PinFunction::Alt5);
        assert_eq!(memory.get(0x14), 0xffff_f1ff, "GPFSEL5, bits 11:9");
        assert_eq!(memory.get(0x00), 0xd7ff_ffff, "GPFSEL0, bits 29:27");
        for offset in [0x04, 0x08, 0x0c, 0x10] {
            assert_eq!(memory.get(offset), 0xffff_ffff);
        }
    }

    #[test]
    fn the_pl011_goes_to_the_header_and_leaves_bluetooth() {
        let (memory, gpio) = gpio();
        // As the Pi 3's firmware leaves it: 14 and 15 ALT5, 32 and 33 ALT3, and neighbours.
        memory.set(0x04, 0b001 << 9 | 0b010 << 12 | 0b010 << 15 | 0b100 << 18);
        memory.set(0x0c, 0b100 << 3 | 0b111 << 6 | 0b111 << 9 | 0b100 << 12);
        gpio.route_pl011(|| {});
        assert_eq!(
            memory.get(0x04),
            0b001 << 9 | 0b100 << 12 | 0b100 << 15 | 0b100 << 18
        );
        assert_eq!(memory.get(0x0c), 0b100 << 3 | 0b100 << 12);
        assert_eq!(memory.get(GPPUD), 0);
        assert_eq!(memory.get(GPPUDCLK0), 0);
    }

    #[test]
    fn a_pull_is_set_up_held_and_released_in_the_manuals_order() {
        let (memory, gpio) = gpio();
        let mut seen = Vec::new();
        let pin = Pin::new(33).expect("a pin");
        gpio.set_pull(pin, Pull::Up, || {
            seen.push((
                memory.get(GPPUD),
                memory.get(GPPUDCLK0),
                memory.get(GPPUDCLK1),
            ));
        });
        assert_eq!(seen, [(0b10, 0, 0), (0b10, 0, 1 << 1)]);
        assert_eq!((memory.get(GPPUD), memory.get(GPPUDCLK1)), (0, 0));
    }
}
