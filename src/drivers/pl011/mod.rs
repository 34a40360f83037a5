//! The PL011 UART: eight bits, no parity, one stop bit, both queues on.
//!
//! Arm PrimeCell UART (PL011), DDI 0183. Owns the order in which the device is set up, the bytes
//! and their errors, and the interrupts. Two ways to use it:
//!
//! - [`Pl011`] polls. Every method takes `&self` and none takes a lock: a panic can print through a
//!   [`Pl011`] of its own, whatever state the console's lock and queues are in. Who wants whole
//!   lines from several cores puts a lock around it.
//! - [`Serial`] sets the device up, is driven by interrupts, and has queues in memory before the
//!   device's.
//!
//! # Decisions
//!
//! All waits are bounded by a number of polls. A UART that is switched off or whose clock stands
//! never drains, and a console must not take the kernel down with it.
#![forbid(unsafe_code)]

mod divisor;
mod interrupt_bits;
#[cfg(test)]
mod model;
mod registers;
mod serial;
#[cfg(test)]
mod tests;

use core::fmt;

use bitflags::bitflags;

pub use self::divisor::{BaudError, Divisor};
pub use self::interrupt_bits::{QUEUE_DEPTH, QueueLevel, UartInterrupts};
pub use self::registers::{Port, Registers};
pub use self::serial::{RECEIVE_SLACK_FRAMES, Serial, SerialCounts};

use self::registers::{CR, DR, FBRD, FR, IBRD, IFLS, INTERRUPTS, LCR_H};
use super::mmio::Mmio;

/// Polls after which a transmitter that does not drain is given up: far more than the 17 frames
/// of a full queue take, some 10 ms of polling and more.
const DRAIN_POLLS: u32 = 200_000;

bitflags! {
    /// The errors of a received byte: DR bits 11 to 8, moved down.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct LineErrors: u8 {
        /// No stop bit where one was due: the other side's rate or format differs.
        const FRAMING = 1 << 0;
        /// The parity bit is wrong.
        const PARITY = 1 << 1;
        /// The line was held low for longer than a frame.
        const BREAK = 1 << 2;
        /// The queue was full: bytes before this one are lost.
        const OVERRUN = 1 << 3;
    }
}

/// A byte that came in with errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveError {
    /// The received byte: right if [`LineErrors::OVERRUN`] is the only error, 0 for a break.
    pub byte: u8,
    /// The errors: at least one.
    pub errors: LineErrors,
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "received {:#04x} with", self.byte)?;
        self.errors
            .iter_names()
            .try_for_each(|(name, _)| write!(f, " {name}"))
    }
}

impl core::error::Error for ReceiveError {}

/// The outcome of sending a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Transmit {
    /// It is in the queue.
    Queued,
    /// There was no room: it is not sent.
    Full,
}

/// The state of the device's queues (LCR_H.FEN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queues {
    /// The device keeps [`QUEUE_DEPTH`] bytes each way.
    On,
    /// The device keeps one byte each way.
    Off,
}

/// A PL011, polled. `P` is the device, or a test's model of it.
#[derive(Clone, Copy, Debug)]
pub struct Pl011<P = Mmio<Registers>> {
    port: P,
}

impl<P> Pl011<P> {
    /// Drives the UART behind `port`, which may already be running.
    #[must_use]
    pub const fn new(port: P) -> Self {
        Self { port }
    }
}

/// The steps in which [`Serial::init`] sets the UART up, in this order. All whole values: the reset
/// values of these registers say nothing worth keeping.
impl<P: Port> Pl011<P> {
    /// Stops the line and masks all interrupts, after what is still being sent. What has come in so
    /// far stays in the device. Returns how the loader left the queues.
    fn switch_off(&self) -> Queues {
        self.wait_idle();
        self.port.write_imsc(0);
        self.port.write_cr(0);
        self.port.write_icr(INTERRUPTS::ALL.val(0x7ff).value);
        if LCR_H::FEN.is_set(self.port.read_lcr_h()) {
            Queues::On
        } else {
            Queues::Off
        }
    }

    /// Empties the queues of a transmitter that does not send: what it holds would go out at the
    /// new speed. The format is lost. The UART is off.
    fn drop_unsent(&self) {
        self.port.write_lcr_h(0);
    }

    /// Sets speed, format and queues. Switching the queues on or off empties both.
    fn set_format(&self, divisor: Divisor, queues: Queues) {
        self.port
            .write_ibrd(IBRD::BAUD_DIVINT.val(divisor.integer()).value);
        self.port
            .write_fbrd(FBRD::BAUD_DIVFRAC.val(divisor.fraction()).value);
        let fen = match queues {
            Queues::On => LCR_H::FEN::SET,
            Queues::Off => LCR_H::FEN::CLEAR,
        };
        // After the divisors: the three are one register inside, loaded by a write to this one.
        self.port.write_lcr_h((LCR_H::WLEN::EightBits + fen).value);
    }

    /// The byte that came just when the queues were switched on, if one did: it was emptied out,
    /// but its interrupt stands, and DR shows it if it was the first byte of all. So it is where
    /// the line is never off; a UART that is off as long as this one has no such interrupt.
    fn emptied_out(&self) -> Option<u8> {
        let came = UartInterrupts::RECEIVE.bits() & self.port.read_ris() != 0;
        let is_gone = FR::RXFE.is_set(self.port.read_fr());
        (came && is_gone).then(|| DR::DATA.read(self.port.read_dr()) as u8)
    }

    /// Lets the line work, both ways.
    fn switch_on(&self) {
        let enable = CR::UARTEN::SET + CR::TXE::SET + CR::RXE::SET;
        self.port.write_cr(enable.value);
    }
}

impl<P: Port> Pl011<P> {
    /// The next byte that came in, if there is one.
    #[must_use]
    pub fn try_read(&self) -> Option<Result<u8, ReceiveError>> {
        if FR::RXFE.is_set(self.port.read_fr()) {
            return None;
        }
        let data = self.port.read_dr();
        let byte = DR::DATA.read(data) as u8;
        let errors = LineErrors::from_bits_truncate((data >> 8) as u8);
        Some(if errors.is_empty() {
            Ok(byte)
        } else {
            Err(ReceiveError { byte, errors })
        })
    }

    /// Queues `byte` if there is room.
    pub fn try_write(&self, byte: u8) -> Transmit {
        if FR::TXFF.is_set(self.port.read_fr()) {
            return Transmit::Full;
        }
        self.port.write_dr(DR::DATA.val(byte.into()).value);
        Transmit::Queued
    }

    /// Queues `byte` as soon as there is room. [`Transmit::Full`] only if the UART does not send at
    /// all.
    pub fn write_blocking(&self, byte: u8) -> Transmit {
        for _ in 0..DRAIN_POLLS {
            if self.try_write(byte) == Transmit::Queued {
                return Transmit::Queued;
            }
        }
        Transmit::Full
    }

    /// Whether everything is sent, to the last stop bit.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !FR::BUSY.is_set(self.port.read_fr())
    }

    /// Waits until everything is sent, or until it is clear that it never will be.
    pub fn wait_idle(&self) {
        for _ in 0..DRAIN_POLLS {
            if self.is_idle() {
                return;
            }
        }
    }
}

impl<P: Port> Pl011<P> {
    /// Chooses when the interrupts of the two queues come.
    pub fn set_levels(&self, receive: QueueLevel, transmit: QueueLevel) {
        let levels = IFLS::RXIFLSEL.val(receive as u32) + IFLS::TXIFLSEL.val(transmit as u32);
        self.port.write_ifls(levels.value);
    }

    /// Unmasks `interrupts` and masks all others. A whole value: nothing is read and modified, but
    /// who calls this for one interrupt decides for all, and so needs the lock of all.
    pub fn set_unmasked(&self, interrupts: UartInterrupts) {
        self.port.write_imsc(interrupts.bits());
    }

    /// The interrupts that are raised and not masked.
    #[must_use]
    pub fn pending(&self) -> UartInterrupts {
        UartInterrupts::from_bits_truncate(INTERRUPTS::ALL.read(self.port.read_mis()))
    }

    /// Lets `interrupts` fall. To be done before their cause is served: one that is raised again in
    /// between stays.
    pub fn acknowledge(&self, interrupts: UartInterrupts) {
        self.port.write_icr(interrupts.bits());
    }
}
