//! Description of a block device from Linux's /sys and /proc.
//!
//! The kernel's documentation: `Documentation/ABI/stable/sysfs-block`, and `/proc/PID/mountinfo` in
//! proc(5).

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Dev, major, minor};

use super::disk::{Disk, Medium, Node, Part};
use crate::checkout::FileError;

/// The unit of sizes in /sys, in bytes, whatever the disk's own sectors are.
const SECTOR: u64 = 512;

/// The description of the device file `device`.
///
/// # Errors
/// [`FileError::Read`] if there is nothing at that path, or if /sys or /proc cannot be read.
pub(super) fn describe(device: &Path) -> Result<Disk, FileError> {
    let error = |source| FileError::Read {
        path: device.to_owned(),
        source,
    };
    let metadata = fs::symlink_metadata(device).map_err(error)?;
    if metadata.file_type().is_symlink() {
        let to = fs::canonicalize(device).map_err(error)?;
        return Ok(nothing(Node::Symlink { to }));
    }
    if !metadata.file_type().is_block_device() {
        return Ok(nothing(Node::Other));
    }
    let kernel = Kernel {
        sys: PathBuf::from("/sys"),
        mounts: read("/proc/self/mountinfo")?,
        swaps: read("/proc/swaps")?,
    };
    let mut disk = kernel.disk(number_of(&metadata)).map_err(error)?;
    if device != Path::new("/dev").join(&disk.name) {
        disk.node = Node::Misnamed;
    }
    Ok(disk)
}

/// Major and minor number of a device file.
pub(super) fn number_of(metadata: &Metadata) -> (u32, u32) {
    // On some systems a device number has another width than the one that std returns.
    let device = metadata.rdev() as Dev;
    (major(device), minor(device))
}

fn read(path: &str) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError::Read {
        path: path.into(),
        source,
    })
}

/// The description of a path that leads to no disk.
fn nothing(node: Node) -> Disk {
    Disk {
        node,
        name: String::new(),
        number: (0, 0),
        part_of: None,
        medium: Medium::Fixed,
        locked: false,
        size: 0,
        model: String::new(),
        parts: Vec::new(),
    }
}

/// The kernel's information: /sys, the mounts and the swap areas. Tests give their own.
struct Kernel {
    sys: PathBuf,
    mounts: String,
    swaps: String,
}

impl Kernel {
    fn disk(&self, number: (u32, u32)) -> io::Result<Disk> {
        let folder = self
            .sys
            .join(format!("dev/block/{}:{}", number.0, number.1))
            .canonicalize()?;
        let part_of = folder
            .join("partition")
            .exists()
            .then(|| folder.parent().map(name_of))
            .flatten();
        let mut parts = vec![self.part(&folder)?];
        for entry in fs::read_dir(&folder)? {
            let below = entry?.path();
            if below.join("partition").exists() {
                parts.push(self.part(&below)?);
            }
        }
        parts[1..].sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Disk {
            node: Node::Device,
            name: name_of(&folder),
            number,
            part_of,
            medium: medium_of(&folder),
            locked: attribute(&folder, "ro") == "1",
            size: parts[0].size,
            model: model_of(&folder),
            parts,
        })
    }

    fn part(&self, folder: &Path) -> io::Result<Part> {
        let name = name_of(folder);
        let number = attribute(folder, "dev");
        let device = format!("/dev/{name}");
        let mut held_by = match fs::read_dir(folder.join("holders")) {
            Ok(entries) => entries
                .map(|entry| entry.map(|entry| name_of(&entry.path())))
                .collect::<io::Result<_>>()?,
            Err(_) => Vec::new(),
        };
        if self
            .swaps
            .lines()
            .any(|line| line.split_whitespace().next() == Some(&device))
        {
            held_by.push("swap".to_owned());
        }
        Ok(Part {
            size: attribute(folder, "size").parse::<u64>().unwrap_or(0) * SECTOR,
            mounted_at: mounts_of(&self.mounts, &number, &device),
            name,
            held_by,
        })
    }
}

fn name_of(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// A one-line file in /sys; empty if it is not there, as not every kind of disk has every file.
fn attribute(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn medium_of(folder: &Path) -> Medium {
    if attribute(folder, "removable") == "1" {
        Medium::Removable
    } else if attribute(folder, "device/type") == "SD" {
        Medium::SdCard
    } else {
        Medium::Fixed
    }
}

fn model_of(folder: &Path) -> String {
    let words =
        ["device/vendor", "device/model", "device/name"].map(|name| attribute(folder, name));
    words
        .iter()
        .filter(|word| !word.is_empty())
        .cloned()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Where the device is mounted: by number, or by name, since some file systems (btrfs) hide the
/// number.
fn mounts_of(mountinfo: &str, number: &str, device: &str) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else {
            continue;
        };
        let source = after.split(' ').nth(1);
        let fields: Vec<&str> = before.split(' ').collect();
        if let (Some(&device_number), Some(&place)) = (fields.get(2), fields.get(4))
            && (device_number == number || source == Some(device))
        {
            places.push(PathBuf::from(unescape(place)));
        }
    }
    places
}

/// Replaces mountinfo's escapes: `\040` for a blank, and those for tab, newline and backslash.
fn unescape(field: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(field.to_owned(), |text, (escaped, plain)| {
        text.replace(escaped, plain)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::{Kernel, Medium, Node, Path, PathBuf, describe, fs, medium_of};

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
90 22 8:17 / /media/my\\040card rw,nosuid - vfat /dev/sdb1 rw
91 22 0:41 / /mnt rw shared:2 - btrfs /dev/sdb2 rw
";

    /// A /sys with one card reader `sdb` (8:16) that has two partitions.
    fn kernel(folder: &Path) -> Kernel {
        let files = [
            ("sdb", "dev", "8:16"),
            ("sdb", "removable", "1"),
            ("sdb", "ro", "0"),
            ("sdb", "size", "15523840"),
            ("sdb/device", "vendor", "Generic "),
            ("sdb/device", "model", "SD Reader"),
            ("sdb/sdb2", "partition", "2"),
            ("sdb/sdb2", "dev", "8:18"),
            ("sdb/sdb2/holders/dm-0", "dev", "254:0"),
            ("sdb/sdb1", "partition", "1"),
            ("sdb/sdb1", "dev", "8:17"),
            ("sdb/sdb1", "size", "2048"),
        ];
        for (below, name, text) in files {
            let below = folder.join("devices").join(below);
            fs::create_dir_all(&below).unwrap();
            fs::write(below.join(name), format!("{text}\n")).unwrap();
        }
        fs::create_dir_all(folder.join("dev/block")).unwrap();
        for (number, to) in [("8:16", "sdb"), ("8:17", "sdb/sdb1")] {
            symlink(
                folder.join("devices").join(to),
                folder.join("dev/block").join(number),
            )
            .unwrap();
        }
        let swaps = "Filename Type Size Used Priority\n/dev/sdb1 partition 1 0 -2\n".to_owned();
        Kernel {
            sys: folder.to_owned(),
            mounts: MOUNTS.to_owned(),
            swaps,
        }
    }

    #[test]
    fn a_card_is_described_with_its_partitions_and_their_users() {
        let folder = tempfile::tempdir().unwrap();
        let disk = kernel(folder.path()).disk((8, 16)).unwrap();
        assert_eq!(
            (disk.name.as_str(), disk.model.as_str()),
            ("sdb", "Generic SD Reader")
        );
        assert_eq!(
            (disk.medium, disk.size, disk.part_of),
            (Medium::Removable, 15_523_840 * 512, None)
        );
        let names: Vec<&str> = disk.parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["sdb", "sdb1", "sdb2"]);
        assert_eq!(disk.parts[1].mounted_at, [PathBuf::from("/media/my card")]);
        assert_eq!(disk.parts[1].held_by, ["swap"]);
        assert_eq!(disk.parts[2].mounted_at, [PathBuf::from("/mnt")]);
        assert_eq!(disk.parts[2].held_by, ["dm-0"]);
    }

    #[test]
    fn a_partition_knows_its_disk() {
        let folder = tempfile::tempdir().unwrap();
        let part = kernel(folder.path()).disk((8, 17)).unwrap();
        assert_eq!(part.part_of.as_deref(), Some("sdb"));
    }

    #[test]
    fn files_links_and_terminals_are_not_taken_for_disks() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(describe(&file).unwrap().node, Node::Other);
        assert_eq!(describe(Path::new("/dev/null")).unwrap().node, Node::Other);
        assert!(matches!(
            describe(&link).unwrap().node,
            Node::Symlink { .. }
        ));
        assert!(describe(&folder.path().join("nothing")).is_err());
    }

    #[test]
    fn a_soldered_chip_is_not_a_card() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("device")).unwrap();
        fs::write(folder.path().join("device/type"), "MMC\n").unwrap();
        assert_eq!(medium_of(folder.path()), Medium::Fixed);
        fs::write(folder.path().join("device/type"), "SD\n").unwrap();
        assert_eq!(medium_of(folder.path()), Medium::SdCard);
    }
}
