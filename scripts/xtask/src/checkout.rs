//! Paths of the checkout, and reading and writing of whole files.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::failure::EndsVerb;

/// A file that could not be read or written.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl EndsVerb for FileError {}

/// The top of the checkout that this tool was built in.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// The folder into which scripts/setup.sh unpacks emulators for which the package manager has no
/// room.
pub(crate) fn tools() -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("tools/bin")
}

/// The flat image, as the firmware and the emulator load it.
pub(crate) fn image() -> PathBuf {
    root().join("kernel8.img")
}

/// The ELF file that the image was made from, with symbols.
pub(crate) fn elf() -> PathBuf {
    root().join("kernel8.elf")
}

/// The SD card as a file.
pub(crate) fn card() -> PathBuf {
    root().join("sdcard.img")
}

/// Reads a whole file.
///
/// # Errors
/// [`FileError::Read`] with the path.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|source| FileError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Makes `path` hold `bytes`. A reader sees the old file or the new one. A file that holds them
/// already is not written, so that its time still tells when it last changed.
///
/// # Errors
/// [`FileError::Write`] with the path.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let unfinished = PathBuf::from(name);
    fs::write(&unfinished, bytes)
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(|source| {
            // Removes the unfinished file; if that fails, the error below is still the one to
            // report.
            drop(fs::remove_file(&unfinished));
            FileError::Write {
                path: path.to_owned(),
                source,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::{fs, read, root, write};

    #[test]
    fn the_root_is_where_the_linker_script_belongs() {
        assert!(root().join("scripts/xtask/Cargo.toml").exists());
    }

    #[test]
    fn writing_the_same_bytes_leaves_the_file_alone_and_no_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"one").unwrap();
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        write(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), time);
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
