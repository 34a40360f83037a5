//! The facts that a loader hands over, in either form: a device tree (`device_tree`) or ATAGs
//! (`atags`).
//!
//! Everything is of fixed size, so that the memory in which it was found can be given away.
//!
//! # Decisions
//! - What is wrong in one place takes nothing away that stands in another: it is noted as an
//!   [`Oddity`], and reading goes on. What is said to be reserved stays reserved.
//! - Where that is not enough, because something could be reserved that could not be read, the
//!   facts say so ([`Facts::doubt`]): then only the memory that is certain may be used.
#![forbid(unsafe_code)]

mod oddity;
mod reservation;
mod text;

pub use self::oddity::{Damage, Oddities, Oddity, PropertyOwner};
pub use self::reservation::{Mapping, Origin, RESERVED_RANGES, Reservation, Reservations};
pub use self::text::Text;
use super::range::{PhysRange, RangeList};

/// Ranges of RAM that are kept; those beyond are left out, and each is noted as
/// [`Oddity::MemoryLeftOut`].
pub const MEMORY_RANGES: usize = 8;

/// The facts of a loader, copied: the tree or the list may be overwritten afterwards. A text that
/// it does not have is empty, a number 0, a list without ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The board's name: `model` of the root.
    pub model: Text<64>,
    /// The first, most exact entry of the root's `compatible`.
    pub compatible: Text<64>,
    /// The kernel's command line.
    pub bootargs: Text<1024>,
    /// How many cores are named; 0 if none is.
    pub cores: usize,
    /// How many places describe memory, whether they name some or not.
    pub memory_places: usize,
    /// RAM, as named: in any order, perhaps overlapping or where there can be none, but not empty.
    pub memory: RangeList<MEMORY_RANGES>,
    /// The only RAM that this kernel may use, sorted and without overlap, if a crashed kernel or a
    /// hypervisor left it no more; other memory holds what they have.
    pub usable: Option<RangeList<MEMORY_RANGES>>,
    /// The reservations, as stated. Not judged here: [`Reserved`](super::ram::Reserved) says
    /// what becomes of each.
    pub reservations: Reservations,
    /// The oddities, in the order in which they were found.
    pub oddities: Oddities,
}

impl Facts {
    /// Why there may be reservations that are not among [`Facts::reservations`]; `None` if all
    /// could be read. In doubt only the first 32 MiB of RAM are used
    /// ([`UNRESERVED`](super::ram::UNRESERVED)).
    #[must_use]
    pub fn doubt(&self) -> Option<Oddity> {
        self.oddities.doubt()
    }

    /// Adds RAM.
    pub(super) fn add_memory(&mut self, base: u64, size: u64) {
        if size == 0 {
            // A place that firmware fills in is empty before that.
            return;
        }
        match PhysRange::from_raw(base, size).map(|range| self.memory.push(range)) {
            Some(Ok(())) => {}
            Some(Err(_)) => self.oddities.note(Oddity::MemoryLeftOut { base, size }),
            None => self.oddities.note(Oddity::MemoryWraps { base, size }),
        }
    }

    /// Adds RAM that this kernel may use; from the first on, it may use no other.
    pub(in crate::drivers) fn add_usable(&mut self, base: u64, size: u64) {
        let range = PhysRange::from_raw(base, size);
        let list = self.usable.get_or_insert_default();
        let pushed = range.map(|range| list.push(range));
        list.merge();
        if !matches!(pushed, Some(Ok(()))) {
            self.oddities.note(Oddity::UsableLeftOut { base, size });
        }
    }

    /// Adds what is to be left alone.
    pub(super) fn reserve(&mut self, reservation: Reservation) {
        if self.reservations.push(reservation).is_err() {
            self.oddities.note(Oddity::ManyReservations);
        }
    }

    /// Adds the initial RAM disk that is said to lie from `start` up to `end`.
    pub(super) fn add_initrd(&mut self, start: u64, end: u64) {
        match end.checked_sub(start) {
            None | Some(0) => self.oddities.note(Oddity::InitrdEmpty { start, end }),
            Some(size) => self.reserve(Reservation {
                base: start,
                size,
                mapping: Mapping::Allowed,
                origin: Origin::Initrd,
            }),
        }
    }
}
