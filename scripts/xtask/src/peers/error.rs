//! Errors of measuring.

#![forbid(unsafe_code)]

use std::process::ExitStatus;

use thiserror::Error;

use crate::checkout::FileError;
use crate::failure::EndsVerb;
use crate::program::RunError;

/// Reasons why there are no figures.
#[derive(Debug, Error)]
pub(super) enum PeersError {
    #[error("the build of benches/peers failed ({status})")]
    Build { status: ExitStatus },
    #[error("{program} did not end in {seconds} s")]
    Late { program: String, seconds: u64 },
    #[error("{program} ended with {status}: {reason}")]
    Ended {
        program: String,
        status: ExitStatus,
        reason: String,
    },
    #[error("not a line of figures: {line}")]
    Line { line: String },
    #[error("callgrind wrote no dump for measurement {number}")]
    NoDump { number: usize },
    #[error(
        "the comparison on the host is for x86_64: one of the other libraries has no other format there"
    )]
    OtherHost,
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl EndsVerb for PeersError {}
