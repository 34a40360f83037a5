//! The decision whether a disk may be overwritten: a pure function of its description.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::disk::{Disk, Medium, Node};

/// Reasons why a device must not be overwritten.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Refusal {
    #[error("this is a symbolic link; if you mean {}, name that", to.display())]
    Symlink { to: PathBuf },
    #[error("this is not a disk (no block device)")]
    NotABlockDevice,
    #[error("the kernel's name for this device is /dev/{name}; if you mean that, name it")]
    Misnamed { name: String },
    #[error("this is a partition; the whole disk is /dev/{disk}")]
    Partition { disk: String },
    #[error("the running system is on this disk")]
    HoldsRoot,
    #[error("/dev/{part} is mounted at {}; unmount it first: sudo umount {}", at.display(), at.display())]
    Mounted { part: String, at: PathBuf },
    #[error("/dev/{part} is in use by {by}")]
    InUse { part: String, by: String },
    #[error(
        "it cannot be taken out of its drive; only SD cards and removable disks are written to"
    )]
    NotRemovable,
    #[error("there is no card in it")]
    Empty,
    #[error("the card is locked: see the switch on its side")]
    Locked,
    #[error("it has {size} bytes, but the image needs {needed}")]
    TooSmall { size: u64, needed: u64 },
}

/// Whether an image of `needed` bytes may overwrite `disk`.
///
/// # Errors
/// The first reason against it; the most dangerous ones are looked for first.
pub(super) fn judge(disk: &Disk, needed: u64) -> Result<(), Refusal> {
    judge_name(disk)?;
    judge_use(disk)?;
    if disk.medium == Medium::Fixed {
        return Err(Refusal::NotRemovable);
    }
    if disk.size == 0 {
        return Err(Refusal::Empty);
    }
    if disk.locked {
        return Err(Refusal::Locked);
    }
    if disk.size < needed {
        return Err(Refusal::TooSmall {
            size: disk.size,
            needed,
        });
    }
    Ok(())
}

/// The path must be the device file itself, under the kernel's name.
fn judge_name(disk: &Disk) -> Result<(), Refusal> {
    match &disk.node {
        Node::Symlink { to } => return Err(Refusal::Symlink { to: to.clone() }),
        Node::Other => return Err(Refusal::NotABlockDevice),
        Node::Misnamed => {
            return Err(Refusal::Misnamed {
                name: disk.name.clone(),
            });
        }
        Node::Device => {}
    }
    match &disk.part_of {
        Some(whole) => Err(Refusal::Partition {
            disk: whole.clone(),
        }),
        None => Ok(()),
    }
}

/// No part of the disk may be in use.
fn judge_use(disk: &Disk) -> Result<(), Refusal> {
    if disk
        .parts
        .iter()
        .any(|part| part.mounted_at.iter().any(|at| at == Path::new("/")))
    {
        return Err(Refusal::HoldsRoot);
    }
    for part in &disk.parts {
        if let Some(at) = part.mounted_at.first() {
            return Err(Refusal::Mounted {
                part: part.name.clone(),
                at: at.clone(),
            });
        }
        if let Some(by) = part.held_by.first() {
            return Err(Refusal::InUse {
                part: part.name.clone(),
                by: by.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::disk::Part;
    use super::{Disk, Medium, Node, PathBuf, Refusal, judge};

    const NEEDED: u64 = 0x400_0000;

    /// A card in a USB reader, with the partitions of an earlier use.
    fn card() -> Disk {
        let part = |name: &str| Part {
            name: name.to_owned(),
            size: 1 << 30,
            ..Part::default()
        };
        Disk {
            node: Node::Device,
            name: "sdb".to_owned(),
            number: (8, 16),
            part_of: None,
            medium: Medium::Removable,
            locked: false,
            size: 8 << 30,
            model: "Card Reader".to_owned(),
            parts: vec![part("sdb"), part("sdb1"), part("sdb2")],
        }
    }

    fn judged(change: impl FnOnce(&mut Disk)) -> Result<(), Refusal> {
        let mut disk = card();
        change(&mut disk);
        judge(&disk, NEEDED)
    }

    #[test]
    fn an_unused_card_may_be_overwritten_in_a_reader_or_in_a_slot() {
        assert_eq!(judged(|_| ()), Ok(()));
        assert_eq!(judged(|disk| disk.medium = Medium::SdCard), Ok(()));
        assert_eq!(judged(|disk| disk.size = NEEDED), Ok(()));
    }

    #[test]
    fn a_link_is_refused_even_if_it_leads_to_a_card() {
        let to = PathBuf::from("/dev/sdb");
        assert_eq!(
            judged(|disk| disk.node = Node::Symlink { to: to.clone() }),
            Err(Refusal::Symlink { to: to.clone() })
        );
    }

    #[test]
    fn a_file_is_refused() {
        assert_eq!(
            judged(|disk| disk.node = Node::Other),
            Err(Refusal::NotABlockDevice)
        );
    }

    #[test]
    fn a_device_file_under_another_name_is_refused() {
        assert_eq!(
            judged(|disk| disk.node = Node::Misnamed),
            Err(Refusal::Misnamed {
                name: "sdb".to_owned()
            })
        );
    }

    #[test]
    fn a_partition_is_refused_and_its_disk_named() {
        assert_eq!(
            judged(|disk| disk.part_of = Some("sdb".to_owned())),
            Err(Refusal::Partition {
                disk: "sdb".to_owned()
            })
        );
    }

    #[test]
    fn the_disk_of_the_running_system_is_refused_even_if_it_is_removable() {
        assert_eq!(
            judged(|disk| disk.parts[2].mounted_at.push("/".into())),
            Err(Refusal::HoldsRoot)
        );
    }

    #[test]
    fn a_mounted_partition_is_refused_and_the_place_shown() {
        let mounted =
            judged(|disk| disk.parts[1].mounted_at.push("/media/card".into())).unwrap_err();
        assert_eq!(
            mounted,
            Refusal::Mounted {
                part: "sdb1".to_owned(),
                at: "/media/card".into()
            }
        );
        assert!(
            mounted
                .to_string()
                .contains("/dev/sdb1 is mounted at /media/card")
        );
    }

    #[test]
    fn a_disk_mounted_without_partitions_is_refused() {
        assert!(matches!(
            judged(|disk| disk.parts[0].mounted_at.push("/mnt".into())),
            Err(Refusal::Mounted { .. })
        ));
    }

    #[test]
    fn a_partition_that_encryption_or_swap_holds_is_refused() {
        let held = judged(|disk| disk.parts[2].held_by.push("dm-0".to_owned()));
        assert_eq!(
            held,
            Err(Refusal::InUse {
                part: "sdb2".to_owned(),
                by: "dm-0".to_owned()
            })
        );
    }

    #[test]
    fn a_fixed_disk_is_refused() {
        assert_eq!(
            judged(|disk| disk.medium = Medium::Fixed),
            Err(Refusal::NotRemovable)
        );
    }

    #[test]
    fn an_empty_reader_a_locked_card_and_a_small_one_are_refused() {
        assert_eq!(judged(|disk| disk.size = 0), Err(Refusal::Empty));
        assert_eq!(judged(|disk| disk.locked = true), Err(Refusal::Locked));
        assert_eq!(
            judged(|disk| disk.size = NEEDED - 1),
            Err(Refusal::TooSmall {
                size: NEEDED - 1,
                needed: NEEDED
            })
        );
    }
}
