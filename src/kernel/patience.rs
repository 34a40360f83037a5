//! How long one waits for another: every limit, and how they depend on each other.
//!
//! All are long enough for an emulator on a busy host, whose cores may stand for most of a second,
//! and none is so long that a person at the prompt takes the kernel for dead.
#![forbid(unsafe_code)]

/// A second.
const S: u64 = 1_000_000_000;

/// The answer to a call.
pub const ANSWER_NS: u64 = 3 * S;
/// The end of a job that was asked to end. A job may be waiting for an answer.
pub const JOB_END_NS: u64 = 5 * S;

const _: () = assert!(JOB_END_NS > ANSWER_NS);
