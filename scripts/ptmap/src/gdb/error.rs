//! Errors of reading a machine through a debugger's stub.

use std::io;

use thiserror::Error;

/// The longest part of an answer that an error shows, in letters.
const SHOWN: usize = 60;

/// An error of the connection or of the protocol.
#[derive(Debug, Error)]
pub enum GdbError {
    /// An error of the socket.
    #[error("the connection to the debugger's stub failed: {0}")]
    Connection(#[from] io::Error),
    /// The other side closed the connection.
    #[error("the debugger's stub has closed the connection")]
    Closed,
    /// No answer within the timeout.
    #[error("no answer to `{request}` in {seconds:.1} s: is that a debugger's stub, and free?")]
    Silent {
        /// The packet that was sent, or the event that was waited for.
        request: String,
        /// The timeout in seconds.
        seconds: f32,
    },
    /// Wrong checksums or refusals, as often as a packet is tried.
    #[error("the line is broken: `{request}` and its answer do not get through undamaged")]
    Damaged {
        /// The packet that did not get through.
        request: String,
    },
    /// An answer that goes on behind the limit.
    #[error("an answer longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// An answer that the protocol does not have for this packet.
    #[error("`{request}` was answered {answer:?}, which is no answer to it")]
    Unexpected {
        /// The packet that was sent.
        request: String,
        /// The answer, cut off behind 60 letters.
        answer: String,
    },
    /// An error number as the answer.
    #[error("`{request}` was refused: {answer}")]
    Refused {
        /// The packet that was sent.
        request: String,
        /// The answer: `E` and two digits.
        answer: String,
    },
    /// A register that the stub does not describe.
    #[error("the debugger's stub describes no register {name}: is that an AArch64 QEMU?")]
    NoRegister {
        /// The names under which it was looked for, joined by `or`.
        name: String,
    },
    /// `Qqemu.PhyMemMode` is unknown to the stub, so that it reads virtual addresses alone.
    #[error("the debugger's stub reads no physical memory: it is not QEMU's")]
    NotQemu,
}

impl GdbError {
    pub(super) fn unexpected(request: &str, answer: &str) -> Self {
        Self::Unexpected {
            request: request.to_owned(),
            answer: answer.chars().take(SHOWN).collect(),
        }
    }
}
