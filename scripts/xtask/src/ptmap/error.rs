//! Errors of reading a map.

use std::io;
use std::path::PathBuf;

use ptmap::gdb::GdbError;
use thiserror::Error;

use crate::checkout::FileError;
use crate::failure::{EndsVerb, WRONG_CALL};
use crate::stub::StubError;

/// Reasons why there is no map.
#[derive(Debug, Error)]
pub(super) enum MapError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Stub(#[from] StubError),
    #[error(transparent)]
    Gdb(#[from] GdbError),
    #[error("{}: no symbols can be read: {source}", path.display())]
    Symbols {
        path: PathBuf,
        source: object::Error,
    },
    #[error("{}: there is no `kernel_main` in it, where the boot map is read", path.display())]
    NoEntry { path: PathBuf },
    #[error(
        "ATTACH={address}: {source}; expected HOST:PORT, or the path of a socket, of a QEMU that \
         was started with -gdb (-s is 127.0.0.1:1234) and has no other debugger"
    )]
    Attach { address: String, source: io::Error },
    #[error("the picture shows the boot map beside the final map: ATTACH has only one")]
    OneMap,
    #[error("there is no core {core}: cores 0 to {last}")]
    NoCore { core: usize, last: usize },
    #[error("the kernel did not come to `kernel_main` {how}; it printed:\n{output}")]
    NotBooted { how: String, output: String },
    #[error("the kernel did not come to its prompt in {seconds} s; it printed:\n{output}")]
    NoPrompt { seconds: u64, output: String },
}

impl EndsVerb for MapError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::NoCore { .. } | Self::OneMap => WRONG_CALL,
            _ => 1,
        }
    }
}
