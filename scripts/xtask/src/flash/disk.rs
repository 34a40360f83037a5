//! The facts about a block device on which it depends whether it may be overwritten.

use std::fmt;
use std::path::PathBuf;

/// The kind of file at the path that the user typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// The device file with the kernel's name for the disk.
    Device,
    /// A device file whose name is not the kernel's.
    Misnamed,
    /// A symbolic link, whose target may change between two looks.
    Symlink { to: PathBuf },
    /// Anything but a block device: a file, a folder, a terminal.
    Other,
}

/// The kind of medium, as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// A medium that can be taken out of its drive: `removable` is 1, as for cards in a USB reader.
    Removable,
    /// An SD card in a slot of its own, for which `removable` is 0 and the type is SD (MMC if it is
    /// soldered).
    SdCard,
    /// Anything else.
    Fixed,
}

/// A partition, or the whole disk if it is in use without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The kernel's name: `sdb1`.
    pub(super) name: String,
    /// The size in bytes.
    pub(super) size: u64,
    /// The folders at which it is mounted.
    pub(super) mounted_at: Vec<PathBuf>,
    /// The other users of it: encryption, RAID, LVM (`dm-0`, `md0`), or swap.
    pub(super) held_by: Vec<String>,
}

/// A block device as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// The kind of file at the user's path.
    pub(super) node: Node,
    /// The kernel's name: `sdb`. Empty if there is no device.
    pub(super) name: String,
    /// The major and the minor number of the device.
    pub(super) number: (u32, u32),
    /// For a partition: the disk that it is a part of.
    pub(super) part_of: Option<String>,
    /// The kind of medium.
    pub(super) medium: Medium,
    /// Whether it is read-only, as a card with its lock set.
    pub(super) locked: bool,
    /// The size in bytes; 0 for a reader without a card.
    pub(super) size: u64,
    /// The manufacturer's name for it.
    pub(super) model: String,
    /// The disk itself first, then its partitions.
    pub(super) parts: Vec<Part>,
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  /dev/{}  {}  {}",
            self.name,
            mebibytes(self.size),
            self.model
        )?;
        for part in self.parts.iter().skip(1) {
            writeln!(f, "    /dev/{}  {}", part.name, mebibytes(part.size))?;
        }
        Ok(())
    }
}

fn mebibytes(size: u64) -> String {
    format!("{} MiB", size / (1024 * 1024))
}
