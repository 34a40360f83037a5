//! The mini-UART: says a line, if somebody has set it up.
//!
//! BCM2835 ARM Peripherals, chapter 2: registers in this order and with these names. The console is
//! the PL011; this UART is set up by the firmware (`enable_uart=1`) or by a loader for itself, and
//! in an emulator it is always there.
//!
//! # Decisions
//! - Nothing is set up here: the speed depends on the core's clock, which changes, and the pins are
//!   the PL011's.
//! - All waits are bounded by a number of polls, and the first byte that finds no room ends the
//!   line: a transmitter that is off never has any.
#![forbid(unsafe_code)]

use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, ReadWrite};
use tock_registers::{register_bitfields, register_structs};

use super::mmio::Mmio;

register_bitfields! { u32,
    /// AUX_ENABLES.
    ENABLES [
        MINI_UART OFFSET(0) NUMBITS(1) [],
    ],
    /// AUX_MU_IO_REG.
    IO [
        DATA OFFSET(0) NUMBITS(8) [],
    ],
    /// AUX_MU_LSR_REG.
    LSR [
        /// There is room for a byte at least.
        TX_EMPTY OFFSET(5) NUMBITS(1) [],
    ],
}

register_structs! {
    /// The auxiliary peripherals' registers, up to those of the mini-UART.
    pub Registers {
        (0x00 => irq: ReadOnly<u32>),
        (0x04 => enables: ReadWrite<u32, ENABLES::Register>),
        (0x08 => _reserved0),
        (0x40 => mu_io: ReadWrite<u32, IO::Register>),
        (0x44 => mu_ier: ReadWrite<u32>),
        (0x48 => mu_iir: ReadWrite<u32>),
        (0x4c => mu_lcr: ReadWrite<u32>),
        (0x50 => mu_mcr: ReadWrite<u32>),
        (0x54 => mu_lsr: ReadOnly<u32, LSR::Register>),
        (0x58 => @END),
    }
}

/// Polls after which a byte that finds no room is given up: far more than a byte takes at 9600
/// baud.
const POLLS: u32 = 100_000;

/// The outcome of printing a line. A text of which a part was sent is [`Said::Stuck`] too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Said {
    /// All of it is in the queue.
    All,
    /// The mini-UART is not enabled: its registers were not touched.
    Disabled,
    /// It does not send.
    Stuck,
}

/// The BCM2835's mini-UART, polled: for a line to a terminal that is at this UART, while the
/// console is the PL011.
#[derive(Clone, Copy, Debug)]
pub struct MiniUart {
    registers: Mmio<Registers>,
}

impl MiniUart {
    /// Uses the mini-UART behind `registers`, the auxiliary block at 0x3f21_5000. Nothing is set
    /// up.
    #[must_use]
    pub const fn new(registers: Mmio<Registers>) -> Self {
        Self { registers }
    }

    /// Sends `text` as it is, at the speed to which somebody has set the line up; a newline gets no
    /// carriage return. Returns before the last bytes have left the queue.
    pub fn say(&self, text: &str) -> Said {
        // As long as it is disabled, its registers may not be accessed (2.1.1).
        if !self.registers.enables.is_set(ENABLES::MINI_UART) {
            return Said::Disabled;
        }
        for byte in text.bytes() {
            if !self.has_room() {
                return Said::Stuck;
            }
            self.registers.mu_io.write(IO::DATA.val(byte.into()));
        }
        Said::All
    }

    fn has_room(&self) -> bool {
        (0..POLLS).any(|_| self.registers.mu_lsr.is_set(LSR::TX_EMPTY))
    }
}

#[cfg(test)]
mod tests {
    use super::{MiniUart, Said};
    use crate::drivers::mmio::fake::FakeRegisters;

    const ENABLES: usize = 0x04;
    const IO: usize = 0x40;
    const LSR: usize = 0x54;

    #[test]
    fn one_that_is_not_enabled_is_left_alone() {
        let memory = FakeRegisters::<22>::leak();
        memory.set(ENABLES, 0b110);
        memory.set(LSR, 1 << 5);
        assert_eq!(MiniUart::new(memory.view()).say("x"), Said::Disabled);
        assert_eq!(memory.get(IO), 0);
    }

    #[test]
    fn one_that_does_not_send_is_given_up() {
        let memory = FakeRegisters::<22>::leak();
        memory.set(ENABLES, 1);
        memory.set(LSR, 1 << 6);
        assert_eq!(MiniUart::new(memory.view()).say("xy"), Said::Stuck);
        assert_eq!(memory.get(IO), 0);
    }

    #[test]
    fn a_text_is_sent_to_its_last_byte_and_nothing_else_is_written() {
        let memory = FakeRegisters::<22>::leak();
        for offset in (0..0x58).step_by(4) {
            memory.set(offset, 0xffff_ffff);
        }
        assert_eq!(MiniUart::new(memory.view()).say("stilt"), Said::All);
        assert_eq!(memory.get(IO), u32::from(b't'));
        for offset in (0..0x58).step_by(4).filter(|offset| *offset != IO) {
            assert_eq!(memory.get(offset), 0xffff_ffff, "{offset:#x}");
        }
    }
}
