//! What both UARTs have in common: a transmitter with its queue, and the terminal's line.

use std::collections::VecDeque;

use super::options::Nanoseconds;

/// The terminal's speed in bits a second.
const TERMINAL_BAUD: u64 = 115_200;
/// Start bit, eight data bits, stop bit.
pub(super) const FRAME_BITS: u64 = 10;
/// The time that the terminal takes for a byte: 86.8 us.
pub(super) const TERMINAL_FRAME: Nanoseconds = FRAME_BITS * 1_000_000_000 / TERMINAL_BAUD;

/// Whether a terminal understands frames that take `frame`, and is understood. The last of ten bits
/// is sampled in its middle, 5 % of a frame from either end; 3 % leave some for edges and the
/// terminal's own clock.
pub(super) fn speeds_agree(frame: Nanoseconds) -> bool {
    frame.abs_diff(TERMINAL_FRAME) * 100 <= TERMINAL_FRAME * 3
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
#[derive(Clone, Debug, Default)]
pub(super) struct Terminal {
    bytes: VecDeque<u8>,
    /// When the first of them has arrived.
    arrives: Nanoseconds,
}

impl Terminal {
    /// Sends `bytes`, one after another, behind those that are under way.
    pub(super) fn send(&mut self, bytes: &[u8], now: Nanoseconds) {
        if self.bytes.is_empty() {
            self.arrives = now.saturating_add(TERMINAL_FRAME);
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
        self.arrives = at.saturating_add(TERMINAL_FRAME);
        Some((self.bytes.pop_front()?, at))
    }

    /// The next byte of a line without a speed, as QEMU's.
    pub(super) fn take(&mut self) -> Option<u8> {
        self.bytes.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::{TERMINAL_FRAME, Terminal, Transmitter, speeds_agree};

    #[test]
    fn bytes_arrive_one_frame_after_another() {
        let mut line = Terminal::default();
        line.send(b"ab", 1_000);
        assert_eq!(TERMINAL_FRAME, 86_805);
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
        assert!(speeds_agree(86_822));
        assert!(!speeds_agree(83_350));
        assert!(!speeds_agree(1_389_166));
    }
}
