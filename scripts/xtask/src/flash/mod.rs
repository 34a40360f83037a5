//! `cargo xtask flash DEVICE`: writes `sdcard.img` to a real card, after checking that it is one.
//!
//! [`disk`] describes the device, [`judge`] decides by that description alone, [`mod@write`]
//! writes.

mod describe;
mod disk;
mod error;
mod judge;
mod write;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use crate::checkout::{self, FileError};
use crate::failure::Failure;
use crate::{firmware, image, sdcard};
use disk::Disk;
use error::FlashError;

/// Whether the user has to confirm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Consent {
    Ask,
    Given,
}

/// Runs `cargo xtask flash`.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    let mut device = None;
    let mut consent = Consent::Ask;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("yes") => consent = Consent::Given,
            Arg::Value(path) if device.is_none() => device = Some(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    let device = device
        .filter(|path| !path.as_os_str().is_empty())
        .ok_or(FlashError::NoDevice)?;
    firmware::check()?;
    if cfg!(target_os = "macos") {
        image::build_release()?;
        sdcard::make()?;
        explain_macos(&device);
        return Ok(ExitCode::FAILURE);
    }
    flash(&device, consent)?;
    Ok(ExitCode::SUCCESS)
}

fn flash(device: &Path, consent: Consent) -> Result<(), Failure> {
    let refused = |reason| FlashError::Refused {
        device: device.to_owned(),
        reason,
    };
    let disk = describe::describe(device)?;
    judge::judge(&disk, 0).map_err(refused)?;
    if consent == Consent::Ask && !io::stdin().is_terminal() {
        return Err(FlashError::NobodyToAsk.into());
    }
    image::build_release()?;
    sdcard::make()?;
    let card = checkout::read(&checkout::card())?;
    judge::judge(&disk, card.len() as u64).map_err(refused)?;
    println!("\nAll of this will be overwritten:\n{disk}");
    if consent == Consent::Ask {
        confirm(&disk)?;
    }
    write::write(device, &disk, &card)?;
    println!("Written, read back and compared: the card can be taken out.");
    Ok(())
}

/// Asks the user to type the device's name, so that it is read.
fn confirm(disk: &Disk) -> Result<(), FlashError> {
    let expected = disk.name.clone();
    print!("Type {expected} to go on: ");
    let mut typed = String::new();
    let stdin = Path::new("standard input");
    io::stdout()
        .flush()
        .and_then(|()| io::stdin().lock().read_line(&mut typed))
        .map_err(|source| FileError::Read {
            path: stdin.to_owned(),
            source,
        })?;
    let typed = typed.trim().to_owned();
    if typed == expected {
        Ok(())
    } else {
        Err(FlashError::NotConfirmed { typed, expected })
    }
}

/// Prints the commands for macOS, which has no /sys to examine: the user has to decide.
fn explain_macos(device: &Path) {
    let name = device
        .file_name()
        .unwrap_or(device.as_os_str())
        .to_string_lossy();
    println!(
        "Nothing was written. See with the first line that this is the card; the others overwrite it."
    );
    println!("  diskutil info {}", device.display());
    println!("  diskutil unmountDisk {}", device.display());
    println!(
        "  sudo dd if={} of=/dev/r{name} bs=1m",
        checkout::card().display()
    );
    println!("  diskutil eject {}", device.display());
}
