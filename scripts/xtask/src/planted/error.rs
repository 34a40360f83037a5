//! Errors of planting faults.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use thiserror::Error;

use crate::checkout::FileError;
use crate::failure::{EndsVerb, WRONG_CALL};
use crate::program::RunError;

/// Reasons why no fault could be planted.
#[derive(Debug, Error)]
pub(super) enum PlantedError {
    #[error("there is no patch in {}", folder.display())]
    NoPatches { folder: PathBuf },
    #[error("there is no patch {name:?} in {}", folder.display())]
    NoSuchPatch { name: String, folder: PathBuf },
    #[error("{}: its header has no line `{field}: ...`", path.display())]
    Header { path: PathBuf, field: &'static str },
    #[error("{} is in no package", folder.display())]
    NoPackage { folder: PathBuf },
    #[error("git lists no files of {}: {said}", root.display())]
    NoFiles { root: PathBuf, said: String },
    #[error(
        "without any fault, the tests {test:?} {outcome}: nothing that they find afterwards would tell anything"
    )]
    Baseline { test: String, outcome: String },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl EndsVerb for PlantedError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::NoPatches { .. } | Self::NoSuchPatch { .. } => WRONG_CALL,
            _ => 1,
        }
    }
}
