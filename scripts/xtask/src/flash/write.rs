//! Writing of a card, and reading it back from the medium.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

use super::describe::number_of;
use super::disk::Disk;
use super::error::FlashError;
use crate::checkout::FileError;

/// The bytes that are written or read at once.
const CHUNK: usize = 1024 * 1024;

/// Overwrites the beginning of `device` with `bytes`.
///
/// # Errors
/// [`FlashError::DeviceChanged`] if it is another device than `disk`; [`FlashError::ReadBack`] if
/// its contents differ from `bytes`; [`FlashError::File`].
pub(super) fn write(device: &Path, disk: &Disk, bytes: &[u8]) -> Result<(), FlashError> {
    // On a block device O_EXCL fails while it is mounted or in use in another way.
    let opened = open(
        device,
        OFlags::RDWR | OFlags::EXCL | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let write_error = |source| FileError::Write {
        path: device.to_owned(),
        source,
    };
    let mut file = File::from(opened.map_err(|errno| write_error(errno.into()))?);
    if number_of(&file.metadata().map_err(write_error)?) != disk.number {
        return Err(FlashError::DeviceChanged {
            device: device.to_owned(),
        });
    }
    write_all(&mut file, bytes).map_err(write_error)?;
    let read_error = |source| FileError::Read {
        path: device.to_owned(),
        source,
    };
    match first_difference(&mut file, bytes).map_err(read_error)? {
        Some(offset) => Err(FlashError::ReadBack {
            device: device.to_owned(),
            offset,
        }),
        None => Ok(()),
    }
}

fn write_all(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    for chunk in bytes.chunks(CHUNK) {
        file.write_all(chunk)?;
    }
    file.sync_all()?;
    // Drops the page cache, so that the card is read and not this machine's memory. The condition
    // is here and not on a `mod` line: macOS, which only prints the commands, lacks this one call.
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(&*file, 0, None, rustix::fs::Advice::DontNeed)?;
    file.rewind()
}

/// The offset of the first byte of `file` that differs from `bytes`.
fn first_difference(file: &mut impl Read, bytes: &[u8]) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; CHUNK];
    for (index, chunk) in bytes.chunks(CHUNK).enumerate() {
        let read = &mut buffer[..chunk.len()];
        file.read_exact(read)?;
        if let Some(at) = read.iter().zip(chunk).position(|(a, b)| a != b) {
            return Ok(Some((index * CHUNK + at) as u64));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::{first_difference, write_all};

    #[test]
    fn what_was_written_reads_back_without_a_difference() {
        let bytes: Vec<u8> = (0..3_000_000_u32)
            .map(|index| (index % 253) as u8)
            .collect();
        let mut file = tempfile::tempfile().unwrap();
        write_all(&mut file, &bytes).unwrap();
        assert_eq!(first_difference(&mut file, &bytes).unwrap(), None);
    }

    #[test]
    fn one_wrong_byte_is_found_where_it_is() {
        let bytes = vec![7; 3_000_000];
        let mut on_card = bytes.clone();
        on_card[2_500_000] = 6;
        assert_eq!(
            first_difference(&mut on_card.as_slice(), &bytes).unwrap(),
            Some(2_500_000)
        );
    }

    #[test]
    fn a_card_that_ends_early_is_an_error() {
        assert!(first_difference(&mut [7; 10].as_slice(), &[7; 20]).is_err());
    }
}
