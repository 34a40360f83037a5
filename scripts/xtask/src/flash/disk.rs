//! What is known about a block device before it may be overwritten.

use std::fmt;
use std::path::PathBuf;

/// What the path that the user typed leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// The device file that the kernel's name for the disk stands for.
    Device,
    /// A device file whose name is not the kernel's.
    Misnamed,
    /// A symbolic link; what it points to may change between two looks.
    Symlink { to: PathBuf },
    /// A file, a folder, a terminal: no block device.
    Other,
}

/// What kind of medium the kernel says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// One that can be taken out of its drive: `removable` is 1, as for cards in a USB reader.
    Removable,
    /// An SD card in a slot of its own: those say `removable` 0, but have the type SD (soldered
    /// ones: MMC).
    SdCard,
    /// Anything else.
    Fixed,
}

/// One partition, or the whole disk where that is in use without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The kernel's name: `sdb1`.
    pub(super) name: String,
    /// In bytes.
    pub(super) size: u64,
    /// Where it is mounted.
    pub(super) mounted_at: Vec<PathBuf>,
    /// Who else holds it: encryption, RAID, LVM (`dm-0`, `md0`), or swap.
    pub(super) held_by: Vec<String>,
}

/// A block device as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// What the user's path is.
    pub(super) node: Node,
    /// The kernel's name: `sdb`. Empty if there is no device.
    pub(super) name: String,
    /// Major and minor number.
    pub(super) number: (u32, u32),
    /// For a partition: the disk that it is a part of.
    pub(super) part_of: Option<String>,
    /// Whether it can be taken out.
    pub(super) medium: Medium,
    /// Whether the card's lock is set.
    pub(super) locked: bool,
    /// In bytes; 0 for a reader without a card.
    pub(super) size: u64,
    /// What the manufacturer calls it.
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
