//! What a tree asks to be left alone: as it says it, not looked at in any way.
//!
//! Devicetree Specification, release 0.4: 5.3, the reservation block; 3.5, `/reserved-memory`.
//!
//! # Decisions
//! A reservation that makes no sense does not take the others with it: each is kept in its own
//! numbers here, and judged by itself in `drivers::ram`. Only their count is bounded.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::Deref;

use super::RESERVED_RANGES;
use crate::drivers::range::{Full, PhysRange};

/// Whether the kernel may map a place that it leaves alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// It may.
    #[default]
    Allowed,
    /// It may not: `no-map`.
    Forbidden,
}

/// A place that is to be left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reservation {
    /// As named.
    pub base: u64,
    /// As named, in bytes.
    pub size: u64,
    /// Whether it may be mapped.
    pub mapping: Mapping,
}

impl Reservation {
    /// The place, or `None` if it is empty or reaches past the last address.
    #[must_use]
    pub fn range(self) -> Option<PhysRange> {
        PhysRange::from_raw(self.base, self.size)
    }
}

/// The range, or the numbers that are none: `0x0 bytes at 0x1000`.
impl fmt::Display for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.range() {
            Some(range) => range.fmt(f),
            None => write!(f, "{:#x} bytes at {:#x}", self.size, self.base),
        }
    }
}

/// The reservations of a tree, in its order.
///
/// # Invariants
///
/// `len <= RESERVED_RANGES`; what is behind is [`Reservation::default`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reservations {
    all: [Reservation; RESERVED_RANGES],
    len: usize,
}

impl Reservations {
    /// Adds one.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn push(&mut self, reservation: Reservation) -> Result<(), Full> {
        let free = self.all.get_mut(self.len).ok_or(Full {
            capacity: RESERVED_RANGES,
        })?;
        *free = reservation;
        self.len += 1;
        Ok(())
    }
}

impl Deref for Reservations {
    type Target = [Reservation];

    fn deref(&self) -> &[Reservation] {
        self.all.get(..self.len).unwrap_or(&self.all)
    }
}
