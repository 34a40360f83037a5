//! [`Violation`]: what a trace does that the architecture does not forgive.
#![forbid(unsafe_code)]

use core::fmt;

use super::descriptor::Cached;

/// What was done wrong, with the addresses. `va` is the first virtual address concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Violation {
    /// A store to, an allocation or a release of a frame that does not stand for it.
    Foreign { address: usize },
    /// A walk can find a descriptor with an encoding or bits that have no meaning at its level;
    /// a leaf at level 0 is one.
    Reserved { va: usize, level: usize, bits: u64 },
    /// A walk can come to a frame that is no table of the tree.
    NoTable { va: usize, frame: usize },
    /// A walk can find a word that nobody stored to since its frame was allocated.
    Unfilled { va: usize, address: usize },
    /// A walk can find what was in a word before its table was filled: no barrier between that
    /// and the link.
    Unordered { va: usize, address: usize },
    /// A valid descriptor goes into a table that is unlinked, but that a walk can still come to.
    BehindStalePointer { va: usize, address: usize },
    /// Two different translations of one address can be cached at once: no break before make.
    NotBroken { va: usize, old: Cached, new: Cached },
    /// A contiguous group is not aligned, or its valid members are not alike; or it is incomplete
    /// at the end of an operation.
    Contiguous { va: usize },
    /// An invalidation has an operand with bits that must be zero.
    Operand { operand: u64 },
    /// A table goes back to the allocator, and a walk can still come to it.
    TableFreed { va: usize, frame: usize },
    /// A table goes back to the allocator, and software that walks may stand in it.
    ReadTableFreed { frame: usize },
    /// A frame that was mapped goes back to the caller, and a translation leads to it.
    FrameFreed { va: usize, frame: usize },
    /// A leaf that is gone or changed can still be used after the end of the operation.
    StaleLeaf { va: usize, frame: usize },
    /// A table that was unlinked can still be walked after the end of the operation.
    StalePointer { va: usize, table: usize },
    /// That there was nothing may still be cached after the end of the operation.
    StaleAbsence { va: usize },
    /// A new leaf or table may still be missed by walks after the end of the operation.
    NotPublished { va: usize },
    /// No `isb` after the last barrier: the writer itself may not have noticed.
    NotSynchronised,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Foreign { address } => write!(f, "{address:#x} is not the tree's to use so"),
            Self::Reserved { va, level, bits } => {
                write!(f, "{va:#x}: {bits:#x} means nothing at level {level}")
            }
            Self::NoTable { va, frame } => write!(f, "{va:#x}: {frame:#x} is no table"),
            Self::Unfilled { va, address } => {
                write!(f, "{va:#x}: walks find garbage at {address:#x}")
            }
            Self::Unordered { va, address } => {
                write!(f, "{va:#x}: linked before {address:#x} was ordered")
            }
            Self::BehindStalePointer { va, address } => {
                write!(
                    f,
                    "{va:#x}: {address:#x} is in an unlinked table that walks still find"
                )
            }
            Self::NotBroken { va, old, new } => {
                write!(f, "{va:#x}: {new:x?} is made while {old:x?} may be cached")
            }
            Self::Contiguous { va } => write!(f, "{va:#x}: its contiguous group is not whole"),
            Self::Operand { operand } => write!(f, "{operand:#x} is no operand of a TLBI"),
            Self::TableFreed { va, frame } => {
                write!(f, "{va:#x}: walks still find the freed table {frame:#x}")
            }
            Self::ReadTableFreed { frame } => {
                write!(f, "a reader may stand in the freed table {frame:#x}")
            }
            Self::FrameFreed { va, frame } => {
                write!(
                    f,
                    "{va:#x}: a stale leaf leads to the freed frame {frame:#x}"
                )
            }
            Self::StaleLeaf { va, frame } => {
                write!(f, "{va:#x}: the old leaf, at {frame:#x}, may still be used")
            }
            Self::StalePointer { va, table } => {
                write!(
                    f,
                    "{va:#x}: the unlinked table {table:#x} may still be walked"
                )
            }
            Self::StaleAbsence { va } => {
                write!(f, "{va:#x}: that there was nothing may still be cached")
            }
            Self::NotPublished { va } => write!(f, "{va:#x}: what is new may not be seen"),
            Self::NotSynchronised => write!(f, "no isb after the last barrier"),
        }
    }
}
