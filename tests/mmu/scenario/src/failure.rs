//! [`Failure`]: what was not as it had to be.
#![forbid(unsafe_code)]

use core::fmt;

use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::{MappingFlags, PageSize, PagingError};

use crate::machine::{Access, Fault, Privilege};

/// What a page translates to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Translation {
    /// The frame.
    pub pa: PhysAddr,
    /// Rights and memory type.
    pub flags: MappingFlags,
    /// The size of the leaf.
    pub size: PageSize,
}

/// What was not as it had to be.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// An operation on the table was refused, or was not and should have been.
    Operation {
        /// Which one.
        what: &'static str,
        /// Where.
        va: VirtAddr,
        /// Why it was refused.
        error: Option<PagingError>,
    },
    /// `query` does not say what was asked for.
    Query {
        /// Where.
        va: VirtAddr,
        /// What was asked for; `None`: nothing is to be mapped.
        expected: Option<Translation>,
        /// What it says.
        found: Option<Translation>,
        /// The descriptor, 0 if there is none.
        bits: u64,
    },
    /// The machine does not do what `query` says.
    Access {
        /// What was done.
        access: Access,
        /// By whom.
        who: Privilege,
        /// Where.
        va: VirtAddr,
        /// What `query` says about it.
        mapped: Option<Translation>,
        /// Whether it should have worked, and what a load, or the frame after a store, should
        /// have shown.
        expected: Result<u64, Fault>,
        /// What happened.
        happened: Result<u64, Fault>,
        /// The descriptor, 0 if there is none.
        bits: u64,
    },
    /// Frames for tables that did not come back.
    Frames {
        /// How many.
        lost: usize,
    },
}

impl fmt::Display for Translation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pa, self.flags, self.size)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation { what, va, error } => match error {
                Some(error) => write!(f, "{what} at {va} was refused: {error}"),
                None => write!(f, "{what} at {va} was not refused"),
            },
            Self::Query {
                va,
                expected,
                found,
                bits,
            } => write!(
                f,
                "query of {va} says {}, not {}; the descriptor is {bits:#018x}",
                Shown(*found),
                Shown(*expected)
            ),
            Self::Access {
                access,
                who,
                va,
                mapped,
                expected,
                happened,
                bits,
            } => write!(
                f,
                "{access:?} at {va} by {who:?}, mapped to {}: expected {}, happened: {}; \
                 the descriptor is {bits:#018x}",
                Shown(*mapped),
                Outcome(*expected),
                Outcome(*happened)
            ),
            Self::Frames { lost } => write!(f, "{lost} frames of tables did not come back"),
        }
    }
}

struct Shown(Option<Translation>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(translation) => translation.fmt(f),
            None => f.write_str("nothing"),
        }
    }
}

struct Outcome(Result<u64, Fault>);

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(value) => write!(f, "value {value:#x}"),
            Err(fault) => fault.fmt(f),
        }
    }
}
