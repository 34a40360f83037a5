//! A console as a stream of bytes, for crates that talk through `embedded_io`.
//!
//! Bytes pass as they are, both ways: no line editor, no echo, no CR before a LF, and Ctrl-C is a
//! byte as any other. Pure: the UART is a [`SerialLine`].
#![forbid(unsafe_code)]

use core::fmt;

use embedded_io::{Error, ErrorKind, ErrorType, Read, ReadReady, Write};

/// A UART with a queue each way, which all cores use. The last three methods wait: so they are not
/// for interrupt handlers, nor for a core that holds a lock.
pub trait SerialLine {
    /// The next byte that came in, if one has; a byte that arrived damaged is skipped.
    fn try_read(&self) -> Option<u8>;

    /// Whether a byte waits to be read.
    fn has_received(&self) -> bool;

    /// Waits until a byte may have come in: the caller looks, and waits again if none has.
    fn wait_for_input(&self);

    /// Queues `bytes` as a whole, when there is room. Returns how many were queued: fewer if the
    /// UART stops to send in between.
    fn send(&self, bytes: &[u8]) -> usize;

    /// Waits until the last queued byte has left the wire. Returns whether it has: not if the UART
    /// stops to send.
    fn push_out(&self) -> bool;
}

/// Reads from a [`SerialLine`] and writes to it. Any number may be in use, by all cores: each
/// byte that comes in goes to one reader, and each call of [`Write::write`] leaves as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stream<L>(L);

impl<L> Stream<L> {
    /// The stream of `line`.
    pub const fn new(line: L) -> Self {
        Self(line)
    }
}

/// Why the console did not take bytes; to crates that know `embedded_io` alone it is
/// [`ErrorKind::TimedOut`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamError {
    /// The UART sends nothing, although it was waited for: its flow control is on, or its clock is
    /// off.
    NotSent,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent => f.write_str("the UART does not send"),
        }
    }
}

impl core::error::Error for StreamError {}

impl Error for StreamError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotSent => ErrorKind::TimedOut,
        }
    }
}

impl<L> ErrorType for Stream<L> {
    type Error = StreamError;
}

impl<L: SerialLine> Read for Stream<L> {
    /// Waits for a byte, and takes it and those behind it that are there already. Returns how many
    /// it took: 0 only for an empty buffer, which waits for nothing.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        let mut count = 0;
        for slot in buffer {
            *slot = loop {
                match self.0.try_read() {
                    Some(byte) => break byte,
                    None if count > 0 => return Ok(count),
                    None => self.0.wait_for_input(),
                }
            };
            count += 1;
        }
        Ok(count)
    }
}

impl<L: SerialLine> ReadReady for Stream<L> {
    fn read_ready(&mut self) -> Result<bool, StreamError> {
        Ok(self.0.has_received())
    }
}

impl<L: SerialLine> Write for Stream<L> {
    /// Queues all of `bytes`, when there is room: what is longer than the queue waits for its front
    /// to leave. Returns how many were queued if the UART stops to send in between.
    ///
    /// # Errors
    /// [`StreamError::NotSent`] if none was.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, StreamError> {
        match self.0.send(bytes) {
            0 if !bytes.is_empty() => Err(StreamError::NotSent),
            queued => Ok(queued),
        }
    }

    /// Waits until the last byte has left the wire.
    ///
    /// # Errors
    /// [`StreamError::NotSent`].
    fn flush(&mut self) -> Result<(), StreamError> {
        if self.0.push_out() {
            return Ok(());
        }
        Err(StreamError::NotSent)
    }
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};
    use std::collections::VecDeque;
    use std::string::ToString;
    use std::vec::Vec;

    use embedded_io::{Error, ErrorKind, Read, ReadExactError, ReadReady, Write};

    use super::{SerialLine, Stream, StreamError};

    /// A line to which each wait brings the next of `arrivals`, and which sends `sends` bytes more.
    #[derive(Default)]
    struct Wire {
        received: RefCell<VecDeque<u8>>,
        arrivals: RefCell<VecDeque<&'static [u8]>>,
        waits: Cell<usize>,
        sent: RefCell<Vec<u8>>,
        sends: Cell<usize>,
    }

    impl SerialLine for &Wire {
        fn try_read(&self) -> Option<u8> {
            self.received.borrow_mut().pop_front()
        }

        fn has_received(&self) -> bool {
            !self.received.borrow().is_empty()
        }

        fn wait_for_input(&self) {
            self.waits.set(self.waits.get() + 1);
            let bytes = self.arrivals.borrow_mut().pop_front();
            let bytes = bytes.expect("the reader waits for ever");
            self.received.borrow_mut().extend(bytes);
        }

        fn send(&self, bytes: &[u8]) -> usize {
            let count = bytes.len().min(self.sends.get());
            self.sends.set(self.sends.get() - count);
            self.sent.borrow_mut().extend(&bytes[..count]);
            count
        }

        fn push_out(&self) -> bool {
            self.sends.get() > 0
        }
    }

    fn receiving(arrivals: &[&'static [u8]]) -> Wire {
        Wire {
            arrivals: RefCell::new(arrivals.iter().copied().collect()),
            ..Wire::default()
        }
    }

    fn sending(sends: usize) -> Wire {
        Wire {
            sends: Cell::new(sends),
            ..Wire::default()
        }
    }

    #[test]
    fn a_read_waits_for_one_byte_and_takes_those_that_are_there() {
        let wire = receiving(&[b"", b"", b"abc", b"d"]);
        let mut buffer = [0; 8];
        let mut stream = Stream::new(&wire);
        assert_eq!(stream.read(&mut buffer), Ok(3));
        assert_eq!(&buffer[..3], b"abc");
        assert_eq!(wire.waits.get(), 3, "it waits again when nothing came");
        assert_eq!(stream.read(&mut buffer), Ok(1));
        assert_eq!(&buffer[..1], b"d");
    }

    #[test]
    fn a_read_leaves_what_the_buffer_has_no_room_for() {
        let wire = receiving(&[b"abcde"]);
        let mut buffer = [0; 2];
        let mut stream = Stream::new(&wire);
        for (count, bytes) in [(2, b"ab"), (2, b"cd"), (1, b"ed")] {
            assert_eq!(stream.read(&mut buffer), Ok(count));
            assert_eq!(&buffer, bytes);
        }
        assert_eq!(wire.waits.get(), 1, "what is there is not waited for");
    }

    #[test]
    fn a_read_into_an_empty_buffer_neither_waits_nor_takes() {
        let wire = receiving(&[b"a"]);
        let mut stream = Stream::new(&wire);
        assert_eq!(stream.read(&mut []), Ok(0));
        assert_eq!(wire.waits.get(), 0);
        assert_eq!(stream.read(&mut [0]), Ok(1));
        assert_eq!(stream.read(&mut []), Ok(0));
    }

    #[test]
    fn a_stream_is_ready_as_long_as_a_byte_is_there() {
        let wire = receiving(&[b"ab"]);
        let mut stream = Stream::new(&wire);
        assert_eq!(stream.read_ready(), Ok(false));
        assert_eq!(wire.waits.get(), 0, "it is asked without waiting");
        let mut buffer = [0];
        assert_eq!(stream.read(&mut buffer), Ok(1));
        assert_eq!(stream.read_ready(), Ok(true));
        assert_eq!(stream.read_ready(), Ok(true), "and nothing is taken");
        assert_eq!(stream.read(&mut buffer), Ok(1));
        assert_eq!((buffer, stream.read_ready()), (*b"b", Ok(false)));
    }

    #[test]
    fn exact_reads_go_on_over_parts() {
        let wire = receiving(&[b"a", b"bc", b"", b"de"]);
        let mut stream = Stream::new(&wire);
        let mut buffer = [0; 4];
        let read: Result<(), ReadExactError<StreamError>> = stream.read_exact(&mut buffer);
        assert_eq!((read, &buffer), (Ok(()), b"abcd"));
        assert!(wire.received.borrow().iter().eq(b"e"));
    }

    #[test]
    fn bytes_pass_as_they_are_both_ways() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let wire = sending(1 << 10);
        wire.received.borrow_mut().extend(&all);
        let mut stream = Stream::new(&wire);
        let mut buffer = [0; 256];
        assert_eq!(stream.read(&mut buffer), Ok(256));
        assert_eq!(buffer[..], all);
        assert_eq!(stream.write(&buffer), Ok(256));
        assert_eq!(*wire.sent.borrow(), all);
        assert_eq!(stream.flush(), Ok(()));
    }

    #[test]
    fn a_write_tells_how_much_was_queued_and_fails_if_nothing_was() {
        let wire = sending(3);
        let mut stream = Stream::new(&wire);
        assert_eq!(stream.write(b"ab"), Ok(2));
        assert_eq!(stream.write(b"cd"), Ok(1));
        assert_eq!(stream.write(b"d"), Err(StreamError::NotSent));
        assert_eq!(stream.flush(), Err(StreamError::NotSent));
        assert_eq!(*wire.sent.borrow(), b"abc");
    }

    #[test]
    fn an_empty_write_succeeds_on_a_line_that_does_not_send() {
        let wire = sending(0);
        assert_eq!(Stream::new(&wire).write(b""), Ok(0));
    }

    #[test]
    fn a_whole_write_ends_with_the_error() {
        let wire = sending(3);
        let mut stream = Stream::new(&wire);
        assert_eq!(stream.write_all(b"abcd"), Err(StreamError::NotSent));
        assert_eq!(*wire.sent.borrow(), b"abc");
    }

    #[test]
    fn a_line_that_does_not_send_is_a_timeout() {
        assert_eq!(StreamError::NotSent.kind(), ErrorKind::TimedOut);
        assert_eq!(StreamError::NotSent.to_string(), "the UART does not send");
    }
}
