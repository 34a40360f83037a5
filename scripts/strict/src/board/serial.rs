//! What both UARTs have in common: a transmitter with its queue, and the terminal's line.

use std::collections::VecDeque;

use super::options::Nanoseconds;

/// Start bit, eight data bits, stop bit.
pub(super) const FRAME_BITS: u64 = 10;

/// The time that a byte takes at `baud` bits a second: 86.8 us at 115200.
pub(super) fn frame_of(baud: u32) -> Nanoseconds {
    FRAME_BITS * 1_000_000_000 / u64::from(baud.max(1))
}

/// The bits a second of frames that take `frame`.
pub(super) fn baud_of(frame: Nanoseconds) -> u32 {
    u32::try_from(FRAME_BITS * 1_000_000_000 / frame.max(1)).unwrap_or(u32::MAX)
}

/// Whether a terminal whose frames take `terminal` understands those that take `frame`, and is
/// understood. The last of ten bits is sampled in its middle, 5 % of a frame from either end; 3 %
/// leave some for edges and the clocks.
pub(super) fn speeds_agree(frame: Nanoseconds, terminal: Nanoseconds) -> bool {
    frame.abs_diff(terminal).saturating_mul(100) <= terminal * 3
}

/// A byte that has left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Sent {
    pub(super) byte: u8,
    /// The UART's bits a second, if the terminal does not understand the byte.
    pub(super) garbled: Option<u32>,
}

/// A queue in front of a shift register.
#[derive(Clone, Debug, Default)]
pub(super) struct Transmitter {
    pub(super) queue: VecDeque<u8>,
    shifting: Option<(u8, Nanoseconds)>,
}

impl Transmitter {
    /// Whether a byte is on the line.
    pub(super) fn is_shifting(&self) -> bool {
        self.shifting.is_some()
    }

    /// When the byte on the line has left, to the end of its stop bit.
    pub(super) fn ends(&self) -> Option<Nanoseconds> {
        self.shifting.map(|(_, ends)| ends)
    }

    /// Moves the queue's first byte onto the line at `at` if this is free and there is one, for
    /// `frame`. Returns whether it did.
    pub(super) fn start(&mut self, at: Nanoseconds, frame: Nanoseconds) -> bool {
        if self.shifting.is_some() {
            return false;
        }
        let Some(byte) = self.queue.pop_front() else {
            return false;
        };
        self.shifting = Some((byte, at.saturating_add(frame)));
        true
    }

    /// The byte that has left by `now`, and when.
    pub(super) fn finish(&mut self, now: Nanoseconds) -> Option<(u8, Nanoseconds)> {
        self.shifting.take_if(|(_, ends)| *ends <= now)
    }
}

/// The terminal's side of the line: bytes that are on their way to the receive pin.
#[derive(Clone, Debug)]
pub(super) struct Terminal {
    /// The time that a byte takes.
    frame: Nanoseconds,
    bytes: VecDeque<u8>,
    /// When the first of them has arrived.
    arrives: Nanoseconds,
}

impl Terminal {
    pub(super) fn new(baud: u32) -> Self {
        Self {
            frame: frame_of(baud),
            bytes: VecDeque::new(),
            arrives: 0,
        }
    }

    /// Sends `bytes`, one after another, behind those that are under way.
    pub(super) fn send(&mut self, bytes: &[u8], now: Nanoseconds) {
        if self.bytes.is_empty() {
            self.arrives = now.saturating_add(self.frame);
        }
        self.bytes.extend(bytes);
    }

    /// When the next byte arrives, if one is under way.
    pub(super) fn next(&self) -> Option<Nanoseconds> {
        (!self.bytes.is_empty()).then_some(self.arrives)
    }

    /// The next byte that has arrived by `now`, and when.
    pub(super) fn arrived(&mut self, now: Nanoseconds) -> Option<(u8, Nanoseconds)> {
        let at = self.next().filter(|at| *at <= now)?;
        self.arrives = at.saturating_add(self.frame);
        Some((self.bytes.pop_front()?, at))
    }

    /// The next byte of a line without a speed, as QEMU's.
    pub(super) fn take(&mut self) -> Option<u8> {
        self.bytes.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::{Terminal, Transmitter, baud_of, frame_of, speeds_agree};

    #[test]
    fn bytes_arrive_one_frame_after_another() {
        let mut line = Terminal::new(115_200);
        line.send(b"ab", 1_000);
        assert_eq!(line.next(), Some(87_805));
        assert_eq!(line.arrived(87_804), None);
        line.send(b"c", 50_000);
        assert_eq!(line.arrived(400_000), Some((b'a', 87_805)));
        assert_eq!(line.arrived(400_000), Some((b'b', 174_610)));
        assert_eq!(line.arrived(400_000), Some((b'c', 261_415)));
        assert_eq!(line.next(), None);
    }

    #[test]
    fn a_byte_leaves_after_its_frame_and_lets_the_next_one_start() {
        let mut transmitter = Transmitter::default();
        transmitter.queue.extend(b"xy");
        assert!(transmitter.start(10, 100));
        assert!(!transmitter.start(20, 100), "the line is in use");
        assert_eq!(transmitter.finish(109), None);
        assert_eq!(transmitter.finish(110), Some((b'x', 110)));
        assert!(transmitter.start(110, 100));
        assert_eq!(transmitter.ends(), Some(210));
    }

    #[test]
    fn speeds_agree_within_three_percent() {
        // 48 MHz / (16 * 26 3/64); the same divisor at 50 MHz; a clock of 3 MHz.
        let agree = |frame| speeds_agree(frame, frame_of(115_200));
        assert_eq!([86_822, 83_350, 1_389_166].map(agree), [true, false, false]);
        assert_eq!((frame_of(115_200), baud_of(1_389_166)), (86_805, 7_198));
    }
}
