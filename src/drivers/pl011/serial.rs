//! [`Serial`]: a PL011 driven by interrupts, with a [`Ring`] each way.
//!
//! # How late is too late
//!
//! The receive interrupt comes with the eighth byte in the device's queue of 16. From then on, a
//! service that begins within [`RECEIVE_SLACK_FRAMES`], 8 frames, loses nothing; at 115200 bit/s,
//! 10 bits a frame, these are 694 us. The ninth frame completes after 781 us and finds the queue
//! full. So long, all in all, may a core keep interrupts masked or hold the lock of this.
//!
//! A byte that is lost in the device is counted: [`SerialCounts::overruns`]. None is lost in
//! memory: when the receive ring is full, reading stops, the receive interrupts are masked, and the
//! rest waits in the device's queue until [`Serial::read`] makes room. An emulated UART then makes
//! its sender wait; on the board, what comes beyond 16 bytes is an overrun, and is counted as one.
//!
//! # Who may call what
//!
//! All methods take `&mut self`: one lock guards the rings, and the interrupt mask with them. The
//! interrupt's handler takes it too, so whoever holds it has interrupts masked. A panic uses a
//! [`Pl011`] of its own, and takes no lock.
//!
//! # Decisions
//!
//! - Interrupts are acknowledged first, and then everything is served until nothing is left: what
//!   comes in between is raised anew. The opposite order would lose it.
//! - A gap that an overrun leaves is counted by the mark on the byte that follows it; until that
//!   comes, if it ever does, by the overrun's interrupt. Marks alone would miss a gap at the end,
//!   interrupts alone several gaps during one service. An interrupt that is served after its mark
//!   was read counts one gap too many until the next mark; none goes uncounted.
//! - The interrupts for framing, parity and break stay masked: their bytes are in the queue, carry
//!   the error with them, and raise the receive interrupts as any other.
//! - The transmit interrupt comes when 2 of 16 bytes are left. A late service there costs a pause
//!   on the line and no byte, so it is fewer interrupts that count.
//! - What is unmasked is remembered here: the mask is written whole, and only when it changes.
#![forbid(unsafe_code)]

use super::{
    Divisor, LineErrors, Pl011, Port, QUEUE_DEPTH, QueueLevel, Queues, ReceiveError, Transmit,
    UartInterrupts,
};
use crate::drivers::ring::Ring;

const RECEIVE_LEVEL: QueueLevel = QueueLevel::Half;
const TRANSMIT_LEVEL: QueueLevel = QueueLevel::Eighth;

/// How often the set-up looks for another byte of somebody who is sending: at 0.1 us a look and
/// more, longer than the 87 us that a frame takes.
const QUIET_LOOKS: u32 = 1_000;

/// The interrupts that bring bytes.
const RECEIVING: UartInterrupts = UartInterrupts::RECEIVE.union(UartInterrupts::RECEIVE_TIMEOUT);

/// How many frames may come in from the receive interrupt to the first read of its service, without
/// loss.
pub const RECEIVE_SLACK_FRAMES: u32 = QUEUE_DEPTH - RECEIVE_LEVEL.bytes();

/// Counts of the serial line since [`Serial::new`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SerialCounts {
    /// Good bytes taken into the receive ring.
    pub received: u64,
    /// Times that the device lost one byte or several in a row, because service was late.
    pub overruns: u64,
    /// Bytes dropped because they came without their stop bit.
    pub framing_errors: u64,
    /// Bytes dropped because of their parity.
    pub parity_errors: u64,
    /// Times that the line was held low.
    pub breaks: u64,
    /// Times that the receive ring was full and bytes had to wait in the device.
    pub pauses: u64,
}

/// A PL011 with interrupts, and rings of `RECEIVE` and `TRANSMIT` bytes, powers of two.
#[derive(Clone, Debug)]
pub struct Serial<P, const RECEIVE: usize, const TRANSMIT: usize> {
    uart: Pl011<P>,
    received: Ring<RECEIVE>,
    to_send: Ring<TRANSMIT>,
    /// The value of IMSC.
    unmasked: UartInterrupts,
    /// Whether bytes wait in the device for room in `received`.
    paused: bool,
    /// Whether an overrun's interrupt came, and the byte behind its gap not yet.
    gap_ahead: bool,
    /// Overruns here are those whose mark came.
    counts: SerialCounts,
}

impl<P: Port, const RECEIVE: usize, const TRANSMIT: usize> Serial<P, RECEIVE, TRANSMIT> {
    /// Queues for `uart`, which is not set up: [`Serial::init`] does that.
    #[must_use]
    pub const fn new(uart: Pl011<P>) -> Self {
        Self {
            uart,
            received: Ring::new(),
            to_send: Ring::new(),
            unmasked: UartInterrupts::empty(),
            paused: false,
            gap_ahead: false,
            counts: SerialCounts {
                received: 0,
                overruns: 0,
                framing_errors: 0,
                parity_errors: 0,
                breaks: 0,
                pauses: 0,
            },
        }
    }

    /// Sets the UART up from whatever state a loader left it in, after what is still being sent:
    /// eight bits, no parity, one stop bit, all interrupts masked. [`Serial::start`] is what
    /// unmasks some. Needs a sole caller.
    ///
    /// Bytes that have come in are kept: somebody may have typed, or piped, since the loader set
    /// the line up. Switching the device's queue empties it, so it is switched only where that
    /// loses nothing:
    ///
    /// 1. The line is stopped, and the device read out. A stopped receiver ends the byte that is on
    ///    its way (DDI 0183 3.3.8): if somebody was sending, a frame's time is waited for it.
    /// 2. A loader that left the queue on has done the work: the queue is never off.
    /// 3. If the queue was off and nothing came, it is switched on. An emulator's line is never
    ///    off: its first byte may come just then, and is looked for where it was emptied out.
    /// 4. If the queue was off and something came, it stays off. An emulator's other side waits for
    ///    room, so its line needs none; but a byte that comes while its queue is switched is lost
    ///    if others were read before. On a board this takes a loader that leaves the queue off, and
    ///    a key that is pressed before the kernel starts: from then on, the service of a byte has
    ///    one frame's time, 87 us, and an overrun is counted.
    pub fn init(&mut self, divisor: Divisor) {
        let found = self.uart.switch_off();
        self.unmasked = UartInterrupts::empty();
        let has_come = self.take_in_until_quiet();
        if !self.uart.is_idle() {
            self.uart.drop_unsent();
        }
        match (found, has_come) {
            (Queues::On, _) => self.uart.set_format(divisor, Queues::On),
            (Queues::Off, true) => self.uart.set_format(divisor, Queues::Off),
            (Queues::Off, false) => {
                self.uart.set_format(divisor, Queues::On);
                self.take_emptied_out();
            }
        }
        self.uart.switch_on();
    }

    /// Takes the byte that the device lost when its queues were switched on.
    fn take_emptied_out(&mut self) {
        if self.received.room() > 0
            && let Some(byte) = self.uart.emptied_out()
        {
            self.accept(byte);
        }
    }

    /// Takes what has come and, if that shows that somebody is sending, what comes for a frame's
    /// time after it. Returns whether there was a byte.
    fn take_in_until_quiet(&mut self) -> bool {
        if self.take_in() == 0 {
            return false;
        }
        for _ in 0..QUIET_LOOKS {
            self.take_in();
        }
        true
    }

    /// Sets the levels, takes what has come so far, and lets the device interrupt: from here on
    /// [`Serial::service`] is called for each interrupt, and nobody has to poll.
    pub fn start(&mut self) {
        self.uart.set_levels(RECEIVE_LEVEL, TRANSMIT_LEVEL);
        self.uart.acknowledge(UartInterrupts::all());
        self.take_in();
        self.update_mask();
    }

    /// Serves the device's interrupts, and says which they were: none, if it was spurious.
    pub fn service(&mut self) -> UartInterrupts {
        let pending = self.uart.pending();
        self.uart.acknowledge(pending);
        if pending.intersects(RECEIVING) {
            self.take_in();
        }
        // After the bytes: the marks among those that lay in the queue are of earlier gaps.
        if pending.contains(UartInterrupts::OVERRUN) {
            self.gap_ahead = true;
        }
        if pending.contains(UartInterrupts::TRANSMIT) {
            self.send_on();
        }
        self.update_mask();
        pending
    }

    /// The byte that has waited longest in the receive ring. Makes the device's queue move on if it
    /// had to wait.
    pub fn read(&mut self) -> Option<u8> {
        let byte = self.received.pop()?;
        if self.paused {
            self.take_in();
            self.update_mask();
        }
        Some(byte)
    }

    /// Whether [`Serial::read`] has something.
    #[must_use]
    pub const fn has_received(&self) -> bool {
        !self.received.is_empty()
    }

    /// Bytes that [`Serial::read`] has: those of the ring, without those that wait in the device
    /// because the ring is full.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.received.len()
    }

    /// Whether `byte` is among those that wait in the receive ring. Behind a ring that is full
    /// nobody looks.
    #[must_use]
    pub fn has_received_byte(&self, byte: u8) -> bool {
        self.received.contains(byte)
    }

    /// Takes the first `byte` out of the receive ring, whatever waits before it. Returns whether
    /// there was one.
    pub fn remove_received(&mut self, byte: u8) -> bool {
        let removed = self.received.remove_first(byte);
        if removed && self.paused {
            self.take_in();
            self.update_mask();
        }
        removed
    }

    /// Takes as many of `bytes` as fit, from the first on, says how many, and sees to it that they
    /// are sent. The others can be written once the transmit interrupt was served.
    #[must_use]
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        loop {
            let more = self.to_send.push_slice(&bytes[taken..]);
            taken += more;
            self.send_on();
            if more == 0 || taken == bytes.len() {
                break;
            }
        }
        self.update_mask();
        taken
    }

    /// Fills the device's queue from memory, without its interrupt. Returns how many bytes are left
    /// in memory: 0 when all are in the device, though they may not be on the line yet.
    pub fn push(&mut self) -> usize {
        self.send_on();
        self.update_mask();
        self.unsent()
    }

    /// Sends all that was written, by polling, and waits until it has left, or until it is clear
    /// that it never will: [`Serial::unsent`] says so.
    pub fn flush(&mut self) {
        while let Some(byte) = self.to_send.front() {
            if self.uart.write_blocking(byte) == Transmit::Full {
                break;
            }
            self.to_send.pop();
        }
        self.uart.wait_idle();
        self.update_mask();
    }

    /// Bytes that were written and are not yet in the device, at most as many as the transmit ring
    /// holds.
    #[must_use]
    pub const fn unsent(&self) -> usize {
        self.to_send.len()
    }

    /// The counts so far.
    #[must_use]
    pub const fn counts(&self) -> SerialCounts {
        let mut counts = self.counts;
        counts.overruns += self.gap_ahead as u64;
        counts
    }

    /// Empties the device's receive queue, as far as there is room. Returns how many bytes it had.
    fn take_in(&mut self) -> usize {
        let mut taken = 0;
        while self.received.room() > 0 {
            let Some(byte) = self.uart.try_read() else {
                self.paused = false;
                return taken;
            };
            taken += 1;
            match byte {
                Ok(byte) => self.accept(byte),
                Err(error) => self.take_marked(error),
            }
        }
        if !self.paused {
            self.paused = true;
            self.counts.pauses += 1;
        }
        taken
    }

    /// Stores a good byte, for which there is room.
    fn accept(&mut self, byte: u8) {
        self.received
            .push(byte)
            .expect("room was seen under the same lock");
        self.counts.received += 1;
    }

    /// Counts what is wrong with a byte, and drops it, unless only bytes before it are lost. A
    /// break also lacks its stop bit.
    fn take_marked(&mut self, ReceiveError { byte, errors }: ReceiveError) {
        if errors.contains(LineErrors::OVERRUN) {
            self.counts.overruns += 1;
            self.gap_ahead = false;
        }
        let counts = &mut self.counts;
        if errors == LineErrors::OVERRUN {
            self.accept(byte);
        } else if errors.contains(LineErrors::BREAK) {
            counts.breaks += 1;
        } else if errors.contains(LineErrors::FRAMING) {
            counts.framing_errors += 1;
        } else {
            counts.parity_errors += 1;
        }
    }

    /// Fills the device's transmit queue. If something is left after that, the queue is full, and
    /// the transmit interrupt will come.
    fn send_on(&mut self) {
        while let Some(byte) = self.to_send.front() {
            if self.uart.try_write(byte) == Transmit::Full {
                break;
            }
            self.to_send.pop();
        }
    }

    /// Masks what there is nothing to do for, and nothing else.
    fn update_mask(&mut self) {
        let mut wanted = UartInterrupts::OVERRUN;
        if !self.paused {
            wanted |= RECEIVING;
        }
        if !self.to_send.is_empty() {
            wanted |= UartInterrupts::TRANSMIT;
        }
        if wanted != self.unmasked {
            self.uart.set_unmasked(wanted);
            self.unmasked = wanted;
        }
    }
}
