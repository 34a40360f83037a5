//! The sources of the list of RAM, and the reasons why one is not believed or not used in whole.
#![forbid(unsafe_code)]

use core::fmt;

use crate::addr::PhysAddr;
use crate::drivers::range::PhysRange;

/// The form in which the loader says what it says. A list of ATAGs without a tag for memory is
/// complete; a tree without a memory node is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// In a device tree.
    DeviceTree,
    /// In a list of ATAGs.
    Atags,
}

impl fmt::Display for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeviceTree => "device tree",
            Self::Atags => "ATAGs",
        })
    }
}

/// The source of the list of RAM that is used, as the report shows it: `device tree and mailbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RamSource {
    /// The loader and the mailbox; [`Decision::differ`](super::Decision::differ) tells whether they
    /// disagree.
    Both(Voice),
    /// The loader alone.
    Loader(Voice),
    /// The mailbox alone.
    Mailbox,
    /// No source: 64 MiB from 0 are assumed.
    Assumed,
}

impl fmt::Display for RamSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Both(voice) => write!(f, "{voice} and mailbox"),
            Self::Loader(voice) => voice.fmt(f),
            Self::Mailbox => f.write_str("mailbox"),
            Self::Assumed => f.write_str("assumed"),
        }
    }
}

/// Why a claim is not believed, with the claimed numbers. Another source is used then; shown as the
/// rest of a report's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nothing describes memory.
    Unsaid,
    /// The description of memory names none.
    Empty,
    /// No memory, or memory past the last address.
    NoRange {
        /// The claimed first address.
        base: u64,
        /// The claimed size in bytes.
        size: u64,
    },
    /// Memory where there is none on this board.
    PastLimit {
        /// The claimed range.
        claimed: PhysRange,
        /// Where RAM ends at the latest.
        limit: PhysAddr,
    },
    /// The VideoCore's share takes what it leaves to the ARM in any case.
    TakesAll {
        /// The claimed range.
        claimed: PhysRange,
        /// The range that is left to the ARM in any case.
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
            Self::Unsaid => f.write_str("it has none"),
            Self::Empty => f.write_str("it is not filled in"),
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

/// The loader and the mailbox name different memory. Only what both name is RAM; the sizes are for
/// the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differ {
    /// How the loader names it.
    pub voice: Voice,
    /// Bytes that the loader names, below the limit of RAM.
    pub loader_bytes: usize,
    /// Bytes that the mailbox names.
    pub mailbox_bytes: usize,
}

impl fmt::Display for Differ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:#x} bytes, mailbox: {:#x} bytes; only what both name is used",
            self.voice, self.loader_bytes, self.mailbox_bytes
        )
    }
}

/// RAM and the VideoCore's share have memory in common. It was taken out of RAM: the VideoCore may
/// write there at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The VideoCore's share of RAM.
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
