//! Which physical memory the ARM may use: a decision from what the device tree and the mailbox say.
//!
//! Both speak for the firmware, and both may be absent, wrong, or at odds. A frame that belongs to
//! the VideoCore must never be handed out, so where they differ only what both grant is RAM.
//!
//! # Decisions
//!
//! A claim is believed as a whole or not at all. One that leaves out the memory in which the kernel
//! runs is false. One that names the peripherals as RAM was never adapted to this board by its
//! firmware (the trees that come with Linux name 1 GiB, which the firmware replaces and other
//! loaders do not), so it cannot know what the VideoCore has taken.
#![forbid(unsafe_code)]

use core::fmt;

use super::device_tree::{Facts, MEMORY_RANGES};
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
    /// Where RAM ends at the latest.
    pub ram_limit: PhysAddr,
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

/// RAM: whole frames, sorted, without overlap.
pub type Ram = RangeList<MEMORY_RANGES>;

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
}

/// Decides what is RAM. `mailbox` is the base and the size in bytes that the mailbox answered.
#[must_use]
pub fn ram_from(tree: Option<&Facts>, mailbox: Option<(u64, u64)>, certain: &Certain) -> Decision {
    let (tree, device_tree_refused) = split(tree.map(|facts| from_tree(facts, certain)));
    let (mailbox, mailbox_refused) =
        split(mailbox.map(|(base, size)| from_mailbox(base, size, certain)));
    let mut differ = None;
    let (ram, source) = match (tree, mailbox) {
        (Some(tree), Some(mailbox)) => {
            if *tree != [mailbox] {
                differ = Some(Differ {
                    device_tree_bytes: tree.total_size(),
                    mailbox_bytes: mailbox.size(),
                });
            }
            let both = tree.filter_map(|range| range.intersection(mailbox));
            (both, Source::Both)
        }
        (Some(tree), None) => (tree, Source::DeviceTree),
        (None, Some(mailbox)) => (Ram::of(mailbox), Source::Mailbox),
        (None, None) => (Ram::of(ASSUMED), Source::Assumed),
    };
    Decision {
        ram,
        source,
        differ,
        device_tree_refused,
        mailbox_refused,
    }
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
    let ram = facts.memory.merged().filter_map(whole_frames);
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
mod tests {
    use super::{Certain, Decision, Differ, Refused, Source, ram_from};
    use crate::addr::PhysAddr;
    use crate::drivers::device_tree::Facts;
    use crate::drivers::range::{PhysRange, range};

    const LIMIT: usize = 0x3f00_0000;

    fn certain() -> Certain {
        Certain {
            ram_limit: PhysAddr::new(LIMIT),
            kernel: range(0, 2 << 20),
        }
    }

    fn tree(memory: &[PhysRange]) -> Facts {
        let mut facts = Facts::default();
        for &range in memory {
            facts.memory.push(range).expect("room");
        }
        facts
    }

    fn decide(memory: &[PhysRange], mailbox: Option<(u64, u64)>) -> Decision {
        ram_from(Some(&tree(memory)), mailbox, &certain())
    }

    #[test]
    fn where_both_agree_there_is_nothing_to_warn_about() {
        let decision = decide(&[range(0, 0x3b40_0000)], Some((0, 0x3b40_0000)));
        assert_eq!(*decision.ram, [range(0, 0x3b40_0000)]);
        assert_eq!(decision.source, Source::Both);
        assert_eq!(decision.differ, None);
        assert_eq!(decision.device_tree_refused, None);
        assert_eq!(decision.mailbox_refused, None);
    }

    #[test]
    fn where_they_differ_only_what_both_grant_is_ram() {
        let decision = decide(
            &[range(0, 0x1000_0000), range(0x2000_0000, 0x1f00_0000)],
            Some((0, 0x3c00_0000)),
        );
        assert_eq!(
            *decision.ram,
            [range(0, 0x1000_0000), range(0x2000_0000, 0x1c00_0000)]
        );
        assert_eq!(decision.source, Source::Both);
        let differ = Differ {
            device_tree_bytes: 0x2f00_0000,
            mailbox_bytes: 0x3c00_0000,
        };
        assert_eq!(decision.differ, Some(differ));
    }

    #[test]
    fn the_only_voice_is_believed() {
        let decision = decide(&[range(0, 0x1000_0000)], None);
        assert_eq!(*decision.ram, [range(0, 0x1000_0000)]);
        assert_eq!(decision.source, Source::DeviceTree);
        let decision = ram_from(None, Some((0, 0x3c00_0000)), &certain());
        assert_eq!(*decision.ram, [range(0, 0x3c00_0000)]);
        assert_eq!(decision.source, Source::Mailbox);
    }

    #[test]
    fn with_no_voice_at_all_64_mib_are_ram() {
        let decision = ram_from(None, None, &certain());
        assert_eq!(*decision.ram, [range(0, 0x0400_0000)]);
        assert_eq!(decision.source, Source::Assumed);
    }

    #[test]
    fn a_false_mailbox_counts_as_absent_and_says_why() {
        let kernel = range(0, 2 << 20);
        for (answer, refused) in [
            ((0, 0), Refused::NoRange { base: 0, size: 0 }),
            (
                (0x1000, u64::MAX),
                Refused::NoRange {
                    base: 0x1000,
                    size: u64::MAX,
                },
            ),
            (
                (0, 0x3f00_0001),
                Refused::PastLimit {
                    claimed: range(0, 0x3f00_0001),
                    limit: PhysAddr::new(LIMIT),
                },
            ),
            ((0x1000, 0x1000_0000), Refused::KernelOutside { kernel }),
            ((0, 0x10_0000), Refused::KernelOutside { kernel }),
        ] {
            let decision = ram_from(None, Some(answer), &certain());
            assert_eq!(decision.mailbox_refused, Some(refused));
            assert_eq!(decision.source, Source::Assumed);
            let decision = decide(&[range(0, 0x1000_0000)], Some(answer));
            assert_eq!(decision.mailbox_refused, Some(refused));
            assert_eq!(decision.source, Source::DeviceTree);
        }
    }

    #[test]
    fn a_tree_that_was_not_made_for_this_board_counts_as_absent() {
        let decision = decide(&[range(0, 0x4000_0000)], Some((0, 0x3c00_0000)));
        assert_eq!(decision.source, Source::Mailbox);
        assert_eq!(*decision.ram, [range(0, 0x3c00_0000)]);
        assert!(matches!(
            decision.device_tree_refused,
            Some(Refused::PastLimit { .. })
        ));
        let decision = decide(&[range(0x1000_0000, 0x1000_0000)], None);
        assert_eq!(decision.source, Source::Assumed);
        assert!(matches!(
            decision.device_tree_refused,
            Some(Refused::KernelOutside { .. })
        ));
    }

    #[test]
    fn ram_is_whole_frames_sorted_and_without_overlap() {
        let decision = decide(
            &[
                range(0x1000_0800, 0x2000),
                range(0x0800_0000, 0x1000),
                range(0x0000_1000, 0x0800_0000),
                range(0, 0x1000),
                range(0x2000_0001, 0xffe),
            ],
            None,
        );
        assert_eq!(
            *decision.ram,
            [range(0, 0x0800_1000), range(0x1000_1000, 0x1000)]
        );
    }
}
