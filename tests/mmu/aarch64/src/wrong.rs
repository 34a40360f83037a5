//! [`Wrong`]: what was not as it had to be, outside the scenario.
#![forbid(unsafe_code)]

use core::fmt;

use mmu_scenario::Fault;
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::backend::aarch64::Access;
use stilt_paging::format::par::TranslationResult;
use stilt_paging::{MappingFlags, PageSize, PagingError, PagingResult, Unsound};

use crate::random::Found;

/// What an address is mapped to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mapped {
    /// The frame, or a byte in it.
    pub(crate) pa: PhysAddr,
    /// Rights and memory type.
    pub(crate) flags: MappingFlags,
    /// The size of the leaf.
    pub(crate) size: PageSize,
}

/// What was not as it had to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wrong {
    /// An operation on the table was refused.
    Refused {
        /// Which one.
        what: &'static str,
        /// Where.
        va: VirtAddr,
        /// Why.
        error: PagingError,
    },
    /// The table does not say what was asked for.
    Mapping {
        /// Which operation was the last.
        what: &'static str,
        /// Where.
        va: VirtAddr,
        /// What was asked for.
        expected: Option<Mapped>,
        /// What it says.
        found: Option<Mapped>,
    },
    /// An AT instruction does not find what the table says.
    Translation {
        /// Where.
        va: VirtAddr,
        /// For what access.
        access: Access,
        /// What the table says.
        mapped: Option<Mapped>,
        /// What should have been found.
        expected: Found,
        /// PAR_EL1.
        par: u64,
    },
    /// A load or store does not do what the table says.
    Access {
        /// Where.
        va: VirtAddr,
        /// What should have been loaded.
        expected: u64,
        /// What happened.
        happened: Result<u64, Fault>,
    },
    /// A store was possible that should not have been.
    Stored {
        /// Where.
        va: VirtAddr,
    },
    /// The tree is not sound.
    Tree(Unsound),
    /// A number that had to be another one.
    Count {
        /// Of what.
        what: &'static str,
        /// What it should have been.
        expected: usize,
        /// What it is.
        found: usize,
    },
}

impl fmt::Display for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pa, self.flags, self.size)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { what, va, error } => write!(f, "{what} at {va} was refused: {error}"),
            Self::Mapping {
                what,
                va,
                expected,
                found,
            } => write!(
                f,
                "after {what}, {va} is mapped to {}, not to {}",
                Shown(*found),
                Shown(*expected)
            ),
            Self::Translation {
                va,
                access,
                mapped,
                expected,
                par,
            } => write!(
                f,
                "{access:?} of {va}, mapped to {}: expected {expected}, found {} (PAR_EL1 {par:#x})",
                Shown(*mapped),
                TranslationResult(*par)
            ),
            Self::Access {
                va,
                expected,
                happened: Ok(value),
            } => write!(f, "a load at {va} found {value:#x}, not {expected:#x}"),
            Self::Access {
                va,
                happened: Err(fault),
                ..
            } => write!(f, "an access at {va} ended with a {fault}"),
            Self::Stored { va } => write!(f, "a store at {va} was not refused"),
            Self::Tree(unsound) => unsound.fmt(f),
            Self::Count {
                what,
                expected,
                found,
            } => write!(f, "{found} {what}, not {expected}"),
        }
    }
}

struct Shown(Option<Mapped>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(mapped) => mapped.fmt(f),
            None => f.write_str("nothing"),
        }
    }
}

/// The result of an operation that must not be refused.
pub(crate) fn done<T>(
    what: &'static str,
    va: VirtAddr,
    result: PagingResult<T>,
) -> Result<T, Wrong> {
    result.map_err(|error| Wrong::Refused { what, va, error })
}

/// A failure unless the numbers are equal.
pub(crate) fn same(what: &'static str, expected: usize, found: usize) -> Result<(), Wrong> {
    if expected == found {
        return Ok(());
    }
    Err(Wrong::Count {
        what,
        expected,
        found,
    })
}
