//! The board's own firmware, which is not free and not part of this project: its folder, and its
//! files that a card needs.

use std::env;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::card::CardFile;
use crate::checkout::{self, FileError};
use crate::failure::EndsVerb;

/// The files without which the board does not start.
pub(crate) const REQUIRED: &[&str] = &["bootcode.bin", "start.elf", "fixup.dat"];
/// The files that are copied if they exist: device trees, which the firmware loads from the card
/// and passes to the kernel.
const OPTIONAL: &[&str] = &["bcm2710-rpi-3-b.dtb", "bcm2710-rpi-3-b-plus.dtb"];
/// The folder of Debian's package `raspi-firmware`.
const DEBIAN: &str = "/usr/lib/raspi-firmware";

/// Errors of finding and reading the firmware's files.
#[derive(Debug, Error)]
pub(crate) enum FirmwareError {
    #[error("{} is not there, but all of the firmware's files must be in FIRMWARE's folder: {}", missing.display(), REQUIRED.join(", "))]
    Missing { missing: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
}

impl EndsVerb for FirmwareError {}

/// The folder with the firmware: `FIRMWARE`, or else Debian's if it has the files, or else none.
pub(crate) fn folder() -> Option<PathBuf> {
    let named = env::var_os("FIRMWARE").filter(|name| !name.is_empty());
    named.map(PathBuf::from).or_else(|| {
        let debian = Path::new(DEBIAN);
        REQUIRED
            .iter()
            .all(|name| debian.join(name).exists())
            .then(|| debian.to_owned())
    })
}

/// Whether the firmware's folder has the required files, reported before anything is built.
///
/// # Errors
/// Those of [`files`].
pub(crate) fn check() -> Result<(), FirmwareError> {
    match folder() {
        Some(folder) => files(&folder).map(drop),
        None => Ok(()),
    }
}

/// The firmware's files in `folder`: all the required ones, and the optional ones that exist.
///
/// # Errors
/// [`FirmwareError::Missing`] if a required file is missing, [`FirmwareError::File`] if one cannot
/// be read.
pub(crate) fn files(folder: &Path) -> Result<Vec<CardFile>, FirmwareError> {
    let mut files = Vec::new();
    for name in REQUIRED.iter().chain(OPTIONAL) {
        let path = folder.join(name);
        if path.exists() {
            files.push(CardFile {
                name: (*name).to_owned(),
                bytes: checkout::read(&path)?,
            });
        } else if REQUIRED.contains(name) {
            return Err(FirmwareError::Missing { missing: path });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::files;

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), name).unwrap();
        }
        folder
    }

    #[test]
    fn a_missing_required_file_is_an_error_that_names_it() {
        let folder = folder_with(&["bootcode.bin", "start.elf"]);
        let error = files(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains("fixup.dat is not there"),
            "{error}"
        );
    }

    #[test]
    fn optional_files_come_along_only_if_they_are_there() {
        let folder = folder_with(&[
            "bootcode.bin",
            "start.elf",
            "fixup.dat",
            "bcm2710-rpi-3-b.dtb",
            "other.bin",
        ]);
        let found = files(folder.path()).unwrap();
        let names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "bootcode.bin",
                "start.elf",
                "fixup.dat",
                "bcm2710-rpi-3-b.dtb"
            ]
        );
    }
}
