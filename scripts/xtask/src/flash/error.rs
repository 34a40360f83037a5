//! Errors of writing a card.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use thiserror::Error;

use super::judge::Refusal;
use crate::checkout::FileError;
use crate::failure::{EndsVerb, WRONG_CALL};

/// Reasons why a card is not written, or does not hold the image afterwards.
#[derive(Debug, Error)]
pub(super) enum FlashError {
    #[error("say which disk: `make flash DEV=/dev/sdX`; `lsblk` lists the disks")]
    NoDevice,
    #[error("{}: {reason}", device.display())]
    Refused { device: PathBuf, reason: Refusal },
    #[error(
        "standard input is not a terminal, so nobody can be asked; --yes means that nobody has to be"
    )]
    NobodyToAsk,
    #[error("nothing was written: {typed:?} is not {expected:?}")]
    NotConfirmed { typed: String, expected: String },
    #[error("{} is not the disk that was shown any more; nothing was written", device.display())]
    DeviceChanged { device: PathBuf },
    #[error("what was read back from {} differs from byte {offset} on: the card or its reader is faulty", device.display())]
    ReadBack { device: PathBuf, offset: u64 },
    #[error(transparent)]
    File(#[from] FileError),
}

impl EndsVerb for FlashError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::NoDevice => WRONG_CALL,
            _ => 1,
        }
    }
}
