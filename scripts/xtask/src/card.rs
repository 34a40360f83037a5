//! An SD card as bytes: a master boot record and one FAT32 partition, which the board's boot
//! ROM can read.
//!
//! Layouts: the Microsoft FAT specification 1.03 (BPB, section 3), and the classic MBR (446 bytes
//! of code, four entries of 16 bytes, 0x55 0xAA).
//!
//! # Decisions
//! - The card's size is a power of two: QEMU accepts no other.
//! - The bytes depend on the files alone: times and identifiers are fixed, and files stand in the
//!   order given.
//! - The MBR is written by hand: one entry of constants weighs less than a crate for partition
//!   tables.

use std::io::{self, Cursor, Write};

use fatfs::{
    Date, DateTime, FatType, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider,
};
use thiserror::Error;

use crate::failure::EndsVerb;

const SECTOR: usize = 512;
/// Partitions begin on a boundary of 1 MiB: no card's erase block is shared with the MBR.
const PARTITION_START: usize = 1024 * 1024;
/// The smallest card: small, and still large enough for FAT32, which needs 65,525 clusters.
const SMALLEST: usize = 64 * 1024 * 1024;
/// A cluster of one sector, so that a card of the smallest size has enough clusters.
const CLUSTER: u32 = 512;

const MBR_ENTRY: usize = 446;
const MBR_SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// The type of a FAT32 partition that is addressed by sector number (LBA).
const PARTITION_TYPE: u8 = 0x0c;
/// The cylinder, head and sector of a partition that is addressed by sector number: the values for
/// "not valid".
const NO_CHS: [u8; 3] = [0xfe, 0xff, 0xff];
/// The offset of `BPB_HiddSec`, the number of sectors before the partition, in the boot sector and
/// in its copy.
const HIDDEN_SECTORS: usize = 28;
const BOOT_SECTOR_COPY: usize = 6 * SECTOR;
/// The identifier of the disk and of the volume.
const IDENTIFIER: u32 = 0x5374_696c;
const LABEL: [u8; 11] = *b"STILT      ";

/// A file for the card's top folder. (`fatfs` 0.3 gives a folder a `.` and a `..` that fsck.fat
/// finds fault with.)
#[derive(Debug)]
pub(crate) struct CardFile {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The card's file system could not be made: a name is not one that FAT can hold, or a file is too
/// large for it.
#[derive(Debug, Error)]
#[error("cannot make the card's file system: {0}")]
pub(crate) struct CardError(io::Error);

impl EndsVerb for CardError {}

/// The bytes of a card with `files`: the smallest size that is a power of two, valid for FAT32 and
/// large enough.
///
/// # Errors
/// [`CardError`] if a name is not one that FAT can hold.
pub(crate) fn image(files: &[CardFile]) -> Result<Vec<u8>, CardError> {
    let content: usize = files.iter().map(|file| file.bytes.len()).sum();
    let mut card = vec![0; SMALLEST.max((2 * content).next_power_of_two())];
    write_mbr(&mut card);
    let partition = &mut card[PARTITION_START..];
    fill(partition, files).map_err(CardError)?;
    for sector in [0, BOOT_SECTOR_COPY] {
        put(
            partition,
            sector + HIDDEN_SECTORS,
            &sectors(PARTITION_START).to_le_bytes(),
        );
    }
    Ok(card)
}

fn write_mbr(card: &mut [u8]) {
    let length = sectors(card.len() - PARTITION_START);
    put(card, MBR_ENTRY - 6, &IDENTIFIER.to_le_bytes());
    put(card, MBR_ENTRY + 1, &NO_CHS);
    put(card, MBR_ENTRY + 4, &[PARTITION_TYPE]);
    put(card, MBR_ENTRY + 5, &NO_CHS);
    put(card, MBR_ENTRY + 8, &sectors(PARTITION_START).to_le_bytes());
    put(card, MBR_ENTRY + 12, &length.to_le_bytes());
    put(card, SECTOR - 2, &MBR_SIGNATURE);
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// The number of sectors; 32 bits are enough for 2 TiB, far more than a card here has.
fn sectors(bytes: usize) -> u32 {
    (bytes / SECTOR) as u32
}

fn fill(partition: &mut [u8], files: &[CardFile]) -> io::Result<()> {
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(CLUSTER);
    let options = options.volume_id(IDENTIFIER).volume_label(LABEL);
    fatfs::format_volume(Cursor::new(&mut *partition), options)?;
    let volume = FileSystem::new(
        Cursor::new(partition),
        FsOptions::new().time_provider(&FIXED_TIME),
    )?;
    for CardFile { name, bytes } in files {
        let mut file = volume.root_dir().create_file(name)?;
        file.write_all(bytes)?;
        file.flush()?;
    }
    // Counts the free clusters, so that the count is written to the card.
    volume.stats()?;
    volume.unmount()
}

/// The first moment that FAT can express, as the time of every file.
#[derive(Debug)]
struct FixedTime;

static FIXED_TIME: FixedTime = FixedTime;

impl TimeProvider for FixedTime {
    fn get_current_date(&self) -> Date {
        Date {
            year: 1980,
            month: 1,
            day: 1,
        }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime {
            date: self.get_current_date(),
            time: Time {
                hour: 0,
                min: 0,
                sec: 0,
                millis: 0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{CardFile, Cursor, FatType, FileSystem, FsOptions, image};

    fn files() -> Vec<CardFile> {
        let file = |name: &str, bytes: Vec<u8>| CardFile {
            name: name.to_owned(),
            bytes,
        };
        vec![
            file("config.txt", b"arm_64bit=1\n".to_vec()),
            file(
                "kernel8.img",
                (0..200_000_u32).map(|index| (index % 251) as u8).collect(),
            ),
            file("bcm2710-rpi-3-b-plus.dtb", b"long name".to_vec()),
        ]
    }

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn the_only_partition_is_fat32_from_1_mib_to_the_end_of_a_power_of_two() {
        let card = image(&files()).unwrap();
        assert_eq!(card.len(), 0x400_0000);
        assert_eq!(card[510..512], [0x55, 0xaa]);
        assert_eq!(card[450], 0x0c);
        assert_eq!((word(&card, 454), word(&card, 458)), (2048, 129_024));
        assert!(card[462..510].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn the_volume_has_enough_clusters_to_be_fat32_and_knows_where_it_lies() {
        let card = image(&files()).unwrap();
        let volume = &card[0x10_0000..];
        assert_eq!(word(volume, 28), 2048);
        assert_eq!(word(volume, 6 * 512 + 28), 2048);
        let (reserved, fats) = (u32::from(volume[14]), u32::from(volume[16]));
        let (total, sectors_a_fat) = (word(volume, 32), word(volume, 36));
        let clusters = (total - reserved - fats * sectors_a_fat) / u32::from(volume[13]);
        assert!(clusters >= 65_525, "{clusters}");
        assert_eq!(&volume[82..90], b"FAT32   ");
    }

    #[test]
    fn every_file_reads_back_as_it_was() {
        let mut card = image(&files()).unwrap();
        let volume =
            FileSystem::new(Cursor::new(&mut card[0x10_0000..]), FsOptions::new()).unwrap();
        assert_eq!(volume.fat_type(), FatType::Fat32);
        for CardFile { name, bytes } in files() {
            let mut read = Vec::new();
            volume
                .root_dir()
                .open_file(&name)
                .unwrap()
                .read_to_end(&mut read)
                .unwrap();
            assert_eq!(read, bytes, "{name}");
        }
    }

    #[test]
    fn the_same_files_give_the_same_card() {
        assert!(image(&files()).unwrap() == image(&files()).unwrap());
    }

    #[test]
    fn a_card_grows_with_its_files() {
        let large = CardFile {
            name: "large.bin".to_owned(),
            bytes: vec![7; 40_000_000],
        };
        assert_eq!(image(&[large]).unwrap().len(), 128 * 1024 * 1024);
    }
}
