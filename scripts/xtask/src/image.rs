//! `cargo xtask image`: builds the kernel and leaves `kernel8.img` and `kernel8.elf` at the top of
//! the checkout; with `DEBUG=1` a debug build, as `kernel8-debug.img` and `kernel8-debug.elf`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use lexopt::{Arg, Parser, ValueExt};
use thiserror::Error;

use crate::checkout::{self, FileError};
use crate::failure::{EndsVerb, Failure, WRONG_CALL};
use crate::flat::{self, ImageError};
use crate::names::{self, NamesError, Summary};
use crate::noise;
use crate::program::{RunError, cannot_run};

const TARGET: &str = "aarch64-unknown-none-softfloat";
/// The profile of the released image, whose size is limited.
const RELEASE: &str = "release";

/// The profile of `DEBUG=1`: cargo's name for the one with debug assertions.
const DEBUG: &str = "dev";

/// Reasons why there is no image.
#[derive(Debug, Error)]
pub(crate) enum BuildError {
    #[error("DEBUG={}: expected 1 for a debug build, or nothing", value.display())]
    DebugValue { value: OsString },
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("the kernel's build failed ({status})")]
    Compile { status: ExitStatus },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {source}", path.display())]
    Image { path: PathBuf, source: ImageError },
    #[error("{}: {source}", path.display())]
    Names { path: PathBuf, source: NamesError },
}

impl EndsVerb for BuildError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::DebugValue { .. } => WRONG_CALL,
            _ => 1,
        }
    }
}

/// The files of a build.
pub(crate) struct Files {
    /// The flat image.
    pub(crate) image: PathBuf,
    /// The ELF file that it was made from.
    pub(crate) elf: PathBuf,
}

/// Runs `cargo xtask image`.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    let mut profile = wanted_profile()?.to_owned();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("profile") => profile = args.value()?.string()?,
            other => return Err(other.unexpected().into()),
        }
    }
    println!("{}", build(&profile)?);
    Ok(ExitCode::SUCCESS)
}

/// Builds the release image, which most verbs use.
///
/// # Errors
/// The build's, or that of the finished image's checks.
pub(crate) fn build_release() -> Result<(), BuildError> {
    build(RELEASE).map(drop)
}

/// Builds the image that the environment asks for: the release, or with `DEBUG=1` the debug build.
///
/// # Errors
/// Those of [`build_release`], and a `DEBUG` that is neither 0 nor 1.
pub(crate) fn build_wanted() -> Result<Files, BuildError> {
    let profile = wanted_profile()?;
    build(profile)?;
    Ok(files(profile))
}

fn wanted_profile() -> Result<&'static str, BuildError> {
    let value = env::var_os("DEBUG").unwrap_or_default();
    match value.to_str() {
        Some("" | "0") => Ok(RELEASE),
        Some("1") => Ok(DEBUG),
        _ => Err(BuildError::DebugValue { value }),
    }
}

/// The files of a build of this profile: a debug build has its own, so that tests and cards never
/// get one.
fn files(profile: &str) -> Files {
    if profile == DEBUG {
        let [image, elf] = ["kernel8-debug.img", "kernel8-debug.elf"];
        return Files {
            image: checkout::root().join(image),
            elf: checkout::root().join(elf),
        };
    }
    Files {
        image: checkout::image(),
        elf: checkout::elf(),
    }
}

fn build(profile: &str) -> Result<Summary, BuildError> {
    let elf = compile(profile)?;
    let mut bytes = checkout::read(&elf)?;
    let summary =
        names::fill(&mut bytes, checkout::root()).map_err(|source| BuildError::Names {
            path: elf.clone(),
            source,
        })?;
    let wrong = |source| BuildError::Image {
        path: elf.clone(),
        source,
    };
    let image = flat::flatten(&bytes).map_err(wrong)?;
    image.check_header().map_err(wrong)?;
    if profile == RELEASE {
        image.check_size().map_err(wrong)?;
    }
    let files = files(profile);
    checkout::write(&files.elf, &bytes)?;
    checkout::write(&files.image, &image.bytes)?;
    Ok(summary)
}

/// Runs cargo with the kernel's toolchain; returns the path of the ELF file.
fn compile(profile: &str) -> Result<PathBuf, BuildError> {
    let script = checkout::root().join("scripts/kcargo.sh");
    let target_dir = kernel_target_dir();
    let mut command = Command::new(&script);
    command.args(["build", "--package", "stilt", "--bin", "kernel8"]);
    command.args(["--profile", profile]);
    command.env("KERNEL_TARGET_DIR", &target_dir);
    let status = noise::run_without(&mut command).map_err(cannot_run(script))?;
    if !status.success() {
        return Err(BuildError::Compile { status });
    }
    // Cargo's one exception: the profile `dev` goes to a folder of another name.
    let folder = if profile == DEBUG { "debug" } else { profile };
    Ok(target_dir.join(TARGET).join(folder).join("kernel8"))
}

/// The folder of the kernel's build, apart from the host's: the toolchain may differ, and an outer
/// cargo may hold the lock of the host's.
pub(crate) fn kernel_target_dir() -> PathBuf {
    let host = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    checkout::root().join(Path::new(&host)).join("kernel")
}
