//! Why a machine cannot be read.

use std::io;

use thiserror::Error;

/// The longest part of an answer that is shown.
const SHOWN: usize = 60;

/// What went wrong between us and a stub.
#[derive(Debug, Error)]
pub enum GdbError {
    /// The connection failed.
    #[error("the connection to the debugger's stub failed: {0}")]
    Connection(#[from] io::Error),
    /// The other side has gone.
    #[error("the debugger's stub has closed the connection")]
    Closed,
    /// Nothing came in time.
    #[error("no answer to `{request}` in {seconds:.1} s: is that a debugger's stub, and free?")]
    Silent {
        /// What was asked.
        request: String,
        /// How long it was waited for.
        seconds: f32,
    },
    /// Wrong sums, or refusals, again and again.
    #[error("the line is broken: `{request}` and its answer do not get through undamaged")]
    Damaged {
        /// What was asked.
        request: String,
    },
    /// An answer without an end.
    #[error("an answer longer than {limit} bytes")]
    TooLong {
        /// The longest that is accepted.
        limit: usize,
    },
    /// An answer that the protocol does not know there.
    #[error("`{request}` was answered {answer:?}, which is no answer to it")]
    Unexpected {
        /// What was asked.
        request: String,
        /// The beginning of the answer.
        answer: String,
    },
    /// An error number.
    #[error("`{request}` was refused: {answer}")]
    Refused {
        /// What was asked.
        request: String,
        /// `E` and two digits.
        answer: String,
    },
    /// A register that the stub does not describe.
    #[error("the debugger's stub describes no register {name}: is that an AArch64 QEMU?")]
    NoRegister {
        /// The names that would do.
        name: String,
    },
    /// `Qqemu.PhyMemMode` is not known.
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
