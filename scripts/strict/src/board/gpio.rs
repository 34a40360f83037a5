//! The pins: which function each has, and with that who hears the UARTs.
//!
//! BCM2835 ARM Peripherals, chapter 6; table 6-31 has the alternate functions: GPIO14 is TXD0 (the
//! PL011) in ALT0 and TXD1 (the mini-UART) in ALT5, GPIO15 RXD0 and RXD1.
//!
//! A board begins with what its firmware left for `enable_uart=1`: the mini-UART on the header, the
//! PL011 towards the Bluetooth chip, the card. Event detection is not modelled.

use super::options::{Kind, Nanoseconds, Notice, Notices};
use super::peripheral::Refused;

const GPFSEL0: u32 = 0x00;
const GPFSEL5: u32 = 0x14;
const GPSET0: u32 = 0x1c;
const GPSET1: u32 = 0x20;
const GPCLR0: u32 = 0x28;
const GPCLR1: u32 = 0x2c;
const GPLEV0: u32 = 0x34;
const GPLEV1: u32 = 0x38;
const GPPUD: u32 = 0x94;
const GPPUDCLK0: u32 = 0x98;
const GPPUDCLK1: u32 = 0x9c;
/// The pairs of event detection, GPEDS0 to GPAFEN1, and the gap behind each.
const EVENTS_FIRST: u32 = 0x40;
const EVENTS_LAST: u32 = 0x8c;

/// Pins 0 to 53.
const PINS_HIGH: u32 = (1 << 22) - 1;
const OUTPUT: u32 = 0b001;
const ALT0: u32 = 0b100;
const ALT5: u32 = 0b010;
/// A line that nobody drives low is high: the terminal's, on GPIO15.
const IDLE_HIGH: u32 = 1 << 15;

/// 150 cycles of the core's clock, at its lowest rate of 250 MHz (GPPUDCLK, steps 2 and 4).
const PULL_SETUP: Nanoseconds = 600;

/// The UART that a pin of the console belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Route {
    Pl011,
    MiniUart,
    None,
}

#[derive(Clone, Debug)]
pub(super) struct Gpio {
    kind: Kind,
    functions: [u32; 6],
    /// What outputs are set to, 0 to 31 and 32 to 53.
    levels: [u32; 2],
    /// When GPPUD was last written.
    control_set: Nanoseconds,
    /// When a clock rose, while it still has to stand.
    clock_rose: Option<Nanoseconds>,
    /// GPPUD, GPPUDCLK0 and GPPUDCLK1.
    pull: [u32; 3],
}

impl Gpio {
    pub(super) fn new(kind: Kind) -> Self {
        let functions = match kind {
            Kind::Qemu => [0; 6],
            Kind::Board => {
                let mut functions = [0; 6];
                for (pin, function) in [(14, ALT5), (15, ALT5), (32, 0b111), (33, 0b111)] {
                    functions[pin / 10] |= function << (pin % 10 * 3);
                }
                for pin in 48..=53 {
                    functions[pin / 10] |= ALT0 << (pin % 10 * 3);
                }
                functions
            }
        };
        Self {
            kind,
            functions,
            levels: [0; 2],
            control_set: 0,
            clock_rose: None,
            pull: [0; 3],
        }
    }

    /// The UART whose transmitter the terminal hears: GPIO14.
    pub(super) fn sender(&self) -> Route {
        self.route(14)
    }

    /// The UART whose receiver hears the terminal: GPIO15.
    pub(super) fn receiver(&self) -> Route {
        self.route(15)
    }

    fn route(&self, pin: usize) -> Route {
        match self.function(pin) {
            ALT0 => Route::Pl011,
            ALT5 => Route::MiniUart,
            _ => Route::None,
        }
    }

    /// Field FSEL of `pin`.
    fn function(&self, pin: usize) -> u32 {
        self.functions[pin / 10] >> (pin % 10 * 3) & 7
    }

    pub(super) fn read(&self, offset: u32) -> Result<u32, Refused> {
        Ok(match offset {
            GPFSEL0..=GPFSEL5 => self.functions[offset as usize / 4],
            GPLEV0 => self.level(0),
            GPLEV1 => self.level(1),
            GPPUD | GPPUDCLK0 | GPPUDCLK1 if self.kind == Kind::Board => {
                self.pull[(offset - GPPUD) as usize / 4]
            }
            GPPUD | GPPUDCLK0 | GPPUDCLK1 => 0,
            // Write-only.
            GPSET0 | GPSET1 | GPCLR0 | GPCLR1 => 0,
            EVENTS_FIRST..=EVENTS_LAST if is_event(offset) => 0,
            _ => return Err(Refused::NoRegister),
        })
    }

    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Nanoseconds,
        notices: &mut Notices,
    ) -> Result<(), Refused> {
        match offset {
            GPFSEL5 => self.functions[5] = value & 0xfff,
            GPFSEL0..GPFSEL5 => self.functions[offset as usize / 4] = value & 0x3fff_ffff,
            GPSET0 => self.levels[0] |= value,
            GPSET1 => self.levels[1] |= self.high(value),
            GPCLR0 => self.levels[0] &= !value,
            GPCLR1 => self.levels[1] &= !value,
            GPPUD | GPPUDCLK0 | GPPUDCLK1 => self.set_pull(offset, value, now, notices),
            // Read-only.
            GPLEV0 | GPLEV1 => {}
            EVENTS_FIRST..=EVENTS_LAST if is_event(offset) => {
                // Zeros ask for nothing, and ones acknowledge nothing in GPEDS.
                if self.kind == Kind::Board && value != 0 && offset > EVENTS_FIRST + 4 {
                    return Err(Refused::NotModelled("event detection"));
                }
            }
            _ => return Err(Refused::NoRegister),
        }
        Ok(())
    }

    /// Pins that exist, of a word for 32 to 63; QEMU keeps all.
    fn high(&self, value: u32) -> u32 {
        match self.kind {
            Kind::Qemu => value,
            Kind::Board => value & PINS_HIGH,
        }
    }

    /// QEMU shows what was set, whatever the function.
    fn level(&self, word: usize) -> u32 {
        if self.kind == Kind::Qemu {
            return self.levels[word];
        }
        let outputs = (0..32)
            .filter(|bit| word * 32 + bit < 54 && self.function(word * 32 + bit) == OUTPUT)
            .fold(0, |outputs, bit| outputs | 1 << bit);
        let inputs = if word == 0 { IDLE_HIGH } else { 0 };
        self.levels[word] & outputs | inputs & !outputs
    }

    /// The clock rises [`PULL_SETUP`] after the control is set, and stands for as long before
    /// either is taken away.
    fn set_pull(&mut self, offset: u32, value: u32, now: Nanoseconds, notices: &mut Notices) {
        if self.kind == Kind::Qemu {
            return;
        }
        self.pull[(offset - GPPUD) as usize / 4] = value;
        let rises = offset != GPPUD && value != 0;
        let since = if rises {
            Some(self.control_set)
        } else {
            self.clock_rose.take()
        };
        let stood = since.map(|since| now.saturating_sub(since));
        if let Some(stood) = stood.filter(|stood| *stood < PULL_SETUP) {
            notices.add(Notice::PullTooShort { stood });
        }
        if rises {
            self.clock_rose = Some(now);
        } else if offset == GPPUD {
            self.control_set = now;
        }
    }
}

/// Whether `offset` is one of a pair, and not the gap behind it: pairs are 12 bytes apart.
fn is_event(offset: u32) -> bool {
    (offset - EVENTS_FIRST) % 12 < 8
}

#[cfg(test)]
mod tests {
    use super::{Gpio, Route};
    use crate::board::options::{Kind, Notice, Notices};
    use crate::board::peripheral::Refused;

    #[test]
    fn the_header_belongs_to_the_uart_that_its_pins_functions_name() {
        let mut gpio = Gpio::new(Kind::Board);
        let mut notices = Notices::default();
        assert_eq!(gpio.sender(), Route::MiniUart);
        // FSEL14 is bits 14:12 of GPFSEL1, FSEL15 bits 17:15; ALT0 is 0b100.
        gpio.write(0x04, 0b100 << 12, 0, &mut notices)
            .expect("GPFSEL1");
        assert_eq!(
            (gpio.sender(), gpio.receiver()),
            (Route::Pl011, Route::None)
        );
        gpio.write(0x04, 0b100_100 << 12, 0, &mut notices)
            .expect("GPFSEL1");
        assert_eq!(gpio.receiver(), Route::Pl011);
        assert_eq!(gpio.read(0x04), Ok(0x2_4000));
        assert_eq!(gpio.read(0x0c), Ok(0b111_111 << 6), "pins 32 and 33");
    }

    #[test]
    fn levels_are_those_of_outputs_and_the_idle_line() {
        let mut gpio = Gpio::new(Kind::Board);
        let mut notices = Notices::default();
        for (offset, value) in [(0x08, 1), (0x1c, 1 << 20 | 1 << 21), (0x20, u32::MAX)] {
            gpio.write(offset, value, 0, &mut notices)
                .expect("a register");
        }
        assert_eq!(gpio.read(0x34), Ok(1 << 20 | 1 << 15));
        assert_eq!(gpio.read(0x38), Ok(0));
        gpio.write(0x28, 1 << 20, 0, &mut notices).expect("GPCLR0");
        assert_eq!(gpio.read(0x34), Ok(1 << 15));
    }

    #[test]
    fn pull_control_and_clock_stand_for_150_cycles() {
        let mut gpio = Gpio::new(Kind::Board);
        let mut notices = Notices::default();
        let mut steps = |start: u64, wait: u64| {
            for (step, (offset, value)) in [(0x94, 2), (0x98, 0xc000), (0x94, 0), (0x98, 0)]
                .into_iter()
                .enumerate()
            {
                let now = start + wait * [0, 1, 2, 2][step];
                gpio.write(offset, value, now, &mut notices)
                    .expect("a register");
            }
            notices.take()
        };
        assert_eq!(steps(10_000, 600), []);
        let short = Notice::PullTooShort { stood: 599 };
        assert_eq!(steps(20_000, 599), [short, short]);
    }

    #[test]
    fn event_detection_is_refused_by_name_and_gaps_are_no_registers() {
        let mut gpio = Gpio::new(Kind::Board);
        let mut notices = Notices::default();
        let refused = Err(Refused::NotModelled("event detection"));
        assert_eq!(gpio.write(0x4c, 1, 0, &mut notices), refused);
        assert_eq!(gpio.write(0x4c, 0, 0, &mut notices), Ok(()));
        assert_eq!(gpio.read(0x48), Err(Refused::NoRegister));
        assert_eq!(gpio.read(0x18), Err(Refused::NoRegister));
        assert_eq!(gpio.read(0x88), Ok(0));
    }
}
