//! Which physical memory the ARM may use: a decision from what the device tree and the mailbox say.
//!
//! Both speak for the firmware, and both may be absent, wrong, or at odds. A frame that belongs to
//! the VideoCore must never be handed out, so where they differ only what both grant is RAM, and
//! what the mailbox calls the VideoCore's is not, whoever else calls it RAM. What the tree reserves
//! in it is judged in `reserved.rs`.
//!
//! # Decisions
//!
//! A claim is believed as a whole or not at all. One that leaves out the memory in which the kernel
//! runs is false. One that names the peripherals as RAM was never adapted to this board by its
//! firmware (the trees that come with Linux name 1 GiB, which the firmware replaces and other
//! loaders do not), so it cannot know what the VideoCore has taken.
#![forbid(unsafe_code)]

mod reserved;
mod room;

use core::fmt;

pub use self::reserved::{Judged, Needed, ROOM_BYTES, Reserved, Verdict};
use super::device_tree::{Facts, MEMORY_RANGES, RESERVED_RANGES};
use super::range::{PhysRange, RangeList};
use crate::addr::{PAGE_SIZE, PhysAddr};

/// What the firmware leaves to the ARM in any case: `gpu_mem` takes at most 944 of the 1024 MiB.
const ASSUMED: PhysRange = match PhysRange::new(PhysAddr::new(0), 64 << 20) {
    Some(range) => range,
    None => panic!("64 MiB are a range"),
};

/// What is certain without asking.
#[derive(Clone, Copy, Debug)]
pub struct Certain {
    /// Where RAM that the ARM can use ends at the latest.
    pub ram_limit: PhysAddr,
    /// Where the RAM chip ends; the VideoCore can use it to there.
    pub chip_end: PhysAddr,
    /// What must be RAM, since the kernel lies in it.
    pub kernel: PhysRange,
}

/// Who named the RAM that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The device tree and the mailbox; [`Decision::differ`] if each said something else.
    Both,
    /// The device tree alone.
    DeviceTree,
    /// The mailbox alone.
    Mailbox,
    /// Nobody: 64 MiB from 0 are assumed.
    Assumed,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Both => "device tree and mailbox",
            Self::DeviceTree => "device tree",
            Self::Mailbox => "mailbox",
            Self::Assumed => "assumed",
        })
    }
}

/// Why a claim is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No memory, or memory past the last address.
    NoRange {
        /// As claimed.
        base: u64,
        /// As claimed, in bytes.
        size: u64,
    },
    /// Memory where there is none on this board.
    PastLimit {
        /// As claimed.
        claimed: PhysRange,
        /// Where RAM ends at the latest.
        limit: PhysAddr,
    },
    /// The VideoCore's share takes what it leaves to the ARM in any case.
    TakesAll {
        /// As claimed.
        claimed: PhysRange,
        /// What is the ARM's.
        arm: PhysRange,
    },
    /// The kernel is not in the claimed memory, and yet it runs.
    KernelOutside {
        /// Where the kernel is.
        kernel: PhysRange,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRange { base, size } => write!(f, "{size:#x} bytes at {base:#x} are no memory"),
            Self::PastLimit { claimed, limit } => {
                write!(f, "{claimed} reaches past the end of RAM at {limit}")
            }
            Self::TakesAll { claimed, arm } => {
                write!(f, "{claimed} takes a part of {arm}, which is the ARM's")
            }
            Self::KernelOutside { kernel } => {
                write!(f, "the kernel's memory {kernel} is not in it")
            }
        }
    }
}

impl core::error::Error for Refused {}

/// The device tree and the mailbox name different memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differ {
    /// Bytes that the device tree names, below the limit of RAM.
    pub device_tree_bytes: usize,
    /// Bytes that the mailbox names.
    pub mailbox_bytes: usize,
}

impl fmt::Display for Differ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "device tree: {:#x} bytes, mailbox: {:#x} bytes; only what both name is used",
            self.device_tree_bytes, self.mailbox_bytes
        )
    }
}

/// RAM and the VideoCore's share have memory in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The VideoCore's share.
    pub videocore: PhysRange,
    /// Bytes of it that were called RAM, in whole frames.
    pub bytes: usize,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:#x} bytes of RAM are in the VideoCore's {}; they are not used",
            self.bytes, self.videocore
        )
    }
}

/// Ranges of RAM: as many as the tree can name, one more for the VideoCore's hole, and one for each
/// reservation and the image.
const RAM_RANGES: usize = MEMORY_RANGES + 1 + RESERVED_RANGES + 2;

/// RAM: whole frames, sorted, without overlap.
pub type Ram = RangeList<RAM_RANGES>;

/// What the mailbox answers about RAM: base and size in bytes, if it does.
#[derive(Clone, Copy, Debug, Default)]
pub struct MailboxClaims {
    /// The ARM's share.
    pub arm: Option<(u64, u64)>,
    /// The VideoCore's share.
    pub videocore: Option<(u64, u64)>,
}

/// What is RAM, who says so, and what there is to warn about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the kernel may use; it contains [`Certain::kernel`].
    pub ram: Ram,
    /// Who named it.
    pub source: Source,
    /// Both were believed, and said different things.
    pub differ: Option<Differ>,
    /// There was a device tree, and its memory is not believed.
    pub device_tree_refused: Option<Refused>,
    /// There was an answer from the mailbox, and it is not believed.
    pub mailbox_refused: Option<Refused>,
    /// The VideoCore's share, if the mailbox named one that is believed.
    pub videocore: Option<PhysRange>,
    /// Somebody called a part of it RAM.
    pub overlap: Option<Overlap>,
    /// There was an answer about the VideoCore's share, and it is not believed.
    pub videocore_refused: Option<Refused>,
}

/// Decides what is RAM.
#[inline(never)]
#[must_use]
pub fn ram_from(tree: Option<&Facts>, claims: MailboxClaims, certain: &Certain) -> Decision {
    let (tree, device_tree_refused) = split(tree.map(|facts| from_tree(facts, certain)));
    let (mailbox, mailbox_refused) = split(
        claims
            .arm
            .map(|(base, size)| from_mailbox(base, size, certain)),
    );
    let (videocore, videocore_refused) = split(
        claims
            .videocore
            .map(|(base, size)| videocore_from(base, size, certain)),
    );
    let mut differ = None;
    let (named, source) = match (tree, mailbox) {
        (Some(tree), Some(mailbox)) => {
            if *tree != [mailbox] {
                differ = Some(Differ {
                    device_tree_bytes: tree.total_size(),
                    mailbox_bytes: mailbox.size(),
                });
            }
            let mut both = tree;
            both.filter_map(|range| range.intersection(mailbox));
            (both, Source::Both)
        }
        (Some(tree), None) => (tree, Source::DeviceTree),
        (None, Some(mailbox)) => (Ram::of(mailbox), Source::Mailbox),
        (None, None) => (Ram::of(ASSUMED), Source::Assumed),
    };
    let mut ram = named;
    if let Some(share) = videocore {
        remove(&mut ram, share);
    }
    let taken = named.total_size() - ram.total_size();
    Decision {
        ram,
        source,
        differ,
        device_tree_refused,
        mailbox_refused,
        videocore,
        overlap: videocore.filter(|_| taken > 0).map(|videocore| Overlap {
            videocore,
            bytes: taken,
        }),
        videocore_refused,
    }
}

/// Leaves of RAM what lies outside the VideoCore's `share`, in whole frames.
fn remove(ram: &mut Ram, share: PhysRange) {
    let Ok(()) = ram.remove(share) else {
        unreachable!("RAM has room for a split by the VideoCore");
    };
    ram.merge();
    ram.filter_map(whole_frames);
}

fn split<T, E>(claim: Option<Result<T, E>>) -> (Option<T>, Option<E>) {
    match claim {
        None => (None, None),
        Some(Ok(claim)) => (Some(claim), None),
        Some(Err(refused)) => (None, Some(refused)),
    }
}

fn from_tree(facts: &Facts, certain: &Certain) -> Result<Ram, Refused> {
    for &claimed in facts.memory.iter() {
        check_limit(claimed, certain)?;
    }
    let mut ram = Ram::new();
    for &claimed in facts.memory.iter() {
        let Ok(()) = ram.push(claimed) else {
            unreachable!("RAM has room for every range that a tree can name");
        };
    }
    ram.merge();
    ram.filter_map(whole_frames);
    if ram.iter().any(|range| range.contains(certain.kernel)) {
        Ok(ram)
    } else {
        Err(kernel_outside(certain))
    }
}

fn from_mailbox(base: u64, size: u64, certain: &Certain) -> Result<PhysRange, Refused> {
    let claimed = PhysRange::from_raw(base, size).ok_or(Refused::NoRange { base, size })?;
    check_limit(claimed, certain)?;
    whole_frames(claimed)
        .filter(|ram| ram.contains(certain.kernel))
        .ok_or(kernel_outside(certain))
}

fn videocore_from(base: u64, size: u64, certain: &Certain) -> Result<PhysRange, Refused> {
    let claimed = PhysRange::from_raw(base, size).ok_or(Refused::NoRange { base, size })?;
    if claimed.end() > certain.chip_end {
        return Err(Refused::PastLimit {
            claimed,
            limit: certain.chip_end,
        });
    }
    if claimed.intersection(ASSUMED).is_some() {
        let arm = ASSUMED;
        return Err(Refused::TakesAll { claimed, arm });
    }
    Ok(claimed)
}

fn check_limit(claimed: PhysRange, certain: &Certain) -> Result<(), Refused> {
    if claimed.end() > certain.ram_limit {
        return Err(Refused::PastLimit {
            claimed,
            limit: certain.ram_limit,
        });
    }
    Ok(())
}

const fn kernel_outside(certain: &Certain) -> Refused {
    Refused::KernelOutside {
        kernel: certain.kernel,
    }
}

fn whole_frames(range: PhysRange) -> Option<PhysRange> {
    range.aligned_inward(PAGE_SIZE)
}

#[cfg(test)]
mod tests;
