//! The console as a stream of bytes, for crates that talk through `embedded_io`.
//!
//! Bytes pass as they are, both ways: no line editor, no echo, no CR before a LF, and Ctrl-C is a
//! byte as any other.
#![forbid(unsafe_code)]

use core::fmt;

use embedded_io::{Error, ErrorKind, ErrorType, Read, ReadReady, Write};

use super::{Queue, Turn, has_received, push_by_polling, try_read, wait_for_input, wait_idle};

/// Reads from the console and writes to it. Any number of them may be in use, by all cores: each
/// byte that comes in goes to one reader, and each call of [`Write::write`] leaves as a whole.
///
/// Not for interrupt handlers, nor with a lock held: both directions wait, and debug builds refuse
/// it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stream;

/// Why the console did not take bytes.
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

impl ErrorType for Stream {
    type Error = StreamError;
}

impl Read for Stream {
    /// Waits for a byte, and takes it and those behind it that are there already. A byte that
    /// arrived damaged is skipped. Feeds no watchdog.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        let mut count = 0;
        for slot in buffer {
            *slot = loop {
                match try_read() {
                    Some(byte) => break byte,
                    None if count > 0 => return Ok(count),
                    None => wait_for_input(),
                }
            };
            count += 1;
        }
        Ok(count)
    }
}

impl ReadReady for Stream {
    fn read_ready(&mut self) -> Result<bool, StreamError> {
        Ok(has_received())
    }
}

impl Write for Stream {
    /// Queues all of `bytes`, when there is room: what is longer than the queue's 4 KiB waits for
    /// its front to leave. Returns how many were queued if the UART stops to send in between.
    ///
    /// # Errors
    /// [`StreamError::NotSent`] if none was.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, StreamError> {
        let _turn = Turn::take();
        match Queue::send(bytes) {
            0 if !bytes.is_empty() => Err(StreamError::NotSent),
            queued => Ok(queued),
        }
    }

    /// Waits until the last byte has left the wire.
    ///
    /// # Errors
    /// [`StreamError::NotSent`].
    fn flush(&mut self) -> Result<(), StreamError> {
        if !push_by_polling() {
            return Err(StreamError::NotSent);
        }
        wait_idle();
        Ok(())
    }
}
