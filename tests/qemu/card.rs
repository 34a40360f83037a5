//! `sdcard.img`, read back with tools that had no part in making it: mtools and fsck.fat.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::harness::checkout;

/// The verb makes one file: one test at a time.
static VERB: Mutex<()> = Mutex::new(());

const SECTOR: usize = 512;
/// Of the first partition's entry in the boot record: type, first sector, sectors.
const ENTRY: usize = 446;
/// FAT32 with sector numbers.
const FAT32_LBA: u8 = 0x0c;
const FIRMWARE: [&str; 3] = ["bootcode.bin", "start.elf", "fixup.dat"];

/// A copy of the image.
struct Card {
    folder: TempDir,
    image: Vec<u8>,
    /// What the verb said.
    said: String,
    _verb: MutexGuard<'static, ()>,
}

impl Card {
    /// Makes the image, with the firmware of a folder if there is one.
    fn make(firmware: Option<&Path>) -> Self {
        let verb = VERB.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = checkout::xtask("sdcard");
        match firmware {
            Some(folder) => command.env("FIRMWARE", folder),
            None => command.env_remove("FIRMWARE"),
        };
        let said = checkout::text(&checkout::run(&mut command).stdout);
        let image = fs::read(checkout::root().join("sdcard.img")).expect("sdcard.img is there");
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("card.img");
        fs::write(&copy, &image).expect("a copy");
        Self {
            folder,
            image,
            said,
            _verb: verb,
        }
    }

    /// A tool of mtools on the partition.
    fn mtool(&self, name: &str) -> Command {
        let mcopy = checkout::tool("mtools");
        let mut command = Command::new(mcopy.with_file_name(name));
        let offset = self.word(ENTRY + 8) * SECTOR;
        let card = self.folder.path().join("card.img");
        command
            .arg("-i")
            .arg(format!("{}@@{offset}", card.display()));
        command
    }

    /// A file's bytes.
    fn file(&self, name: &str) -> Vec<u8> {
        let mut mtype = self.mtool("mtype");
        checkout::run(mtype.arg(format!("::/{name}"))).stdout
    }

    /// The names in the root folder.
    fn names(&self) -> Vec<String> {
        let mut mdir = self.mtool("mdir");
        let listed = checkout::run(mdir.args(["-b", "::/"])).stdout;
        let listed = checkout::text(&listed);
        let names = listed.lines().filter_map(|line| line.strip_prefix("::/"));
        names.map(|name| name.to_lowercase()).collect()
    }

    fn word(&self, offset: usize) -> usize {
        let bytes = self.image[offset..offset + 4]
            .try_into()
            .expect("four bytes");
        u32::from_le_bytes(bytes) as usize
    }

    /// The bytes of the partition.
    fn partition(&self) -> &[u8] {
        let (first, sectors) = (self.word(ENTRY + 8), self.word(ENTRY + 12));
        &self.image[first * SECTOR..(first + sectors) * SECTOR]
    }
}

/// What the settings file must say, each in a line of its own.
const SETTINGS: [&str; 3] = [
    "arm_64bit=1",
    "kernel_address=0x80000",
    "init_uart_clock=48000000",
];

#[track_caller]
fn has_kernel_and_settings(card: &Card) {
    let kernel = fs::read(checkout::image()).expect("kernel8.img can be read");
    assert!(card.file("kernel8.img") == kernel, "another kernel8.img");
    let config = checkout::text(&card.file("config.txt"));
    for setting in SETTINGS {
        assert!(
            config.lines().any(|line| line == setting),
            "{setting}: {config}"
        );
    }
    let names = card.names();
    let kernels = names.iter().filter(|name| name.starts_with("kernel"));
    assert_eq!(kernels.count(), 1, "{names:?}");
}

#[test]
fn the_card_holds_the_kernel_and_its_settings() {
    let card = Card::make(None);
    has_kernel_and_settings(&card);
    let has_firmware = card.names().iter().any(|name| name == FIRMWARE[0]);
    let warns = card.said.contains("will not boot");
    assert_eq!(warns, !has_firmware, "{}", card.said);
}

#[test]
fn the_card_holds_the_firmware_that_the_user_has() {
    let firmware = tempfile::tempdir().expect("a folder");
    for (name, size) in FIRMWARE.into_iter().zip([52_480, 3_000_000, 7_000]) {
        let bytes: Vec<u8> = (0..size)
            .map(|index: u32| (index * 7 % 251) as u8)
            .collect();
        fs::write(firmware.path().join(name), bytes).expect("a file");
    }
    let card = Card::make(Some(firmware.path()));
    has_kernel_and_settings(&card);
    for name in FIRMWARE {
        let original = fs::read(firmware.path().join(name)).expect("a file");
        assert!(card.file(name) == original, "another {name}");
    }
    assert!(!card.said.contains("will not boot"), "{}", card.said);
}

#[test]
fn the_card_has_one_sound_fat32_partition() {
    let card = Card::make(None);
    assert_eq!(card.image[510..512], [0x55, 0xaa]);
    assert_eq!(card.image[ENTRY + 4], FAT32_LBA);
    assert!(
        card.image[ENTRY + 16..510].iter().all(|byte| *byte == 0),
        "more partitions"
    );
    assert!(
        card.image.len().is_power_of_two(),
        "{} bytes",
        card.image.len()
    );
    let volume: PathBuf = card.folder.path().join("partition");
    fs::write(&volume, card.partition()).expect("a file");
    let checked = checkout::run(
        Command::new(checkout::tool("fsck"))
            .args(["-n", "-v"])
            .arg(volume),
    );
    let checked = checkout::text(&checked.stdout);
    assert!(checked.contains("32 bit entries"), "{checked}");
}
