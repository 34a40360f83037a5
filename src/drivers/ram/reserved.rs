//! The verdict on each reservation that a loader states.
//!
//! | a reservation that... | answer |
//! |---|---|
//! | lies in RAM | kept: its frames, whole ones, are nobody's |
//! | overlaps another in part | both are kept, and it is reported |
//! | reaches past RAM | its part in RAM is kept, and it is reported |
//! | lies outside RAM | there is nothing to keep |
//! | overlaps the image | the image is the kernel's; the rest is kept, and it is reported |
//! | reaches past the last address | kept up to there, and reported |
//! | is empty | ignored, and reported |
//! | leaves the kernel too little to run | kept: the kernel says so, and does not boot |
//! | is `no-map` as well | left out of RAM as a whole: neither a frame nor mapped |
//! | is switched off (`status`) | kept all the same: in doubt it is somebody's |
//!
//! A reservation that equals another, or contains it, is no conflict: loaders put a place into the
//! reservation block and into `/reserved-memory`. Nor is one over the device tree itself, which
//! loaders reserve.
//!
//! # Decisions
//! No reservation is refused for want of room. Frames of somebody else's that are handed out are
//! written over in silence; a kernel that does not boot says why.
#![forbid(unsafe_code)]

use core::fmt;

use super::Ram;
use super::room::Pieces;
use crate::addr::PAGE_SIZE;
use crate::drivers::facts::{Mapping, Origin, RESERVED_RANGES, Reservation};
use crate::drivers::range::PhysRange;

/// The ranges that are in use whatever the reservations say. A reservation of them is no reason to
/// give them up, and none of them to hand them out.
#[derive(Clone, Copy, Debug)]
pub struct Needed {
    /// The image, whole frames: it is the kernel's, whatever is reserved.
    pub image: PhysRange,
    /// The frame in which cores wait: it stays mapped until they run.
    pub firmware_page: PhysRange,
    /// The device tree, if there is one.
    pub tree: Option<PhysRange>,
}

impl Needed {
    fn all(&self) -> impl Iterator<Item = PhysRange> {
        [Some(self.image), Some(self.firmware_page), self.tree]
            .into_iter()
            .flatten()
    }
}

/// The verdict on a reservation, with the part that it is about; the table at the head of the file
/// has all cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationVerdict {
    /// Left alone.
    Kept,
    /// Left alone; overlaps another in part.
    Overlaps {
        /// The reservation that it overlaps.
        other: PhysRange,
    },
    /// Left alone as far as there is RAM.
    PastRam {
        /// The part that is RAM.
        kept: PhysRange,
    },
    /// Left alone but for the image.
    Image {
        /// The frames of the kernel's image.
        image: PhysRange,
    },
    /// Left alone, but mapped in part.
    FirmwarePage {
        /// The part that stays mapped.
        page: PhysRange,
    },
    /// There is no RAM.
    OutsideRam,
    /// Ignored: no byte.
    Empty,
    /// Ignored: reaches past the last address, and touches no RAM before.
    Wraps,
}

impl ReservationVerdict {
    /// Whether the place is left alone, or a part of it: then no frame that it touches is handed
    /// out.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        match self {
            Self::Kept
            | Self::Overlaps { .. }
            | Self::PastRam { .. }
            | Self::Image { .. }
            | Self::FirmwarePage { .. } => true,
            Self::OutsideRam | Self::Empty | Self::Wraps => false,
        }
    }

    /// Whether there is something wrong with the reservation: the report puts `warning:` before it.
    /// One outside RAM has nothing to keep, and is not wrong.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        !matches!(self, Self::Kept | Self::OutsideRam)
    }
}

impl fmt::Display for ReservationVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("left alone"),
            Self::Overlaps { other } => write!(f, "overlaps {other}: both are left alone"),
            Self::PastRam { kept } => write!(f, "reaches past RAM: {kept} is left alone"),
            Self::Image { image } => {
                write!(f, "overlaps the kernel at {image}: the rest is left alone")
            }
            Self::FirmwarePage { page } => {
                write!(f, "left alone, but {page} is mapped: cores wait there")
            }
            Self::OutsideRam => f.write_str("not in RAM"),
            Self::Empty => f.write_str("no memory: ignored"),
            Self::Wraps => f.write_str("reaches past the last address: ignored"),
        }
    }
}

/// A reservation, and what became of it: a line of the report, `0x8000000..0x8100000 left alone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The range that the loader reserves.
    pub reservation: Reservation,
    /// The verdict on it.
    pub verdict: ReservationVerdict,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warning = if self.verdict.is_conflict() {
            "warning: "
        } else {
            ""
        };
        let no_map = match self.reservation.mapping {
            Mapping::Allowed => "",
            Mapping::Forbidden => " (no-map)",
        };
        let why = match self.reservation.origin {
            Origin::DisabledPlace if self.verdict.is_kept() => "; disabled, but perhaps in use",
            Origin::Several => "; several, with what lies between",
            _ => "",
        };
        let Self {
            reservation,
            verdict,
        } = self;
        write!(f, "{warning}{reservation}{no_map} {verdict}{why}")
    }
}

/// All reservations, each with its verdict, and the memory that follows from them. It is some
/// kilobytes large, and so is filled where it stays: [`Reserved::new`], then [`Reserved::judge`]
/// once.
#[derive(Clone, Debug)]
pub struct Reserved<'a> {
    /// Whole frames that are nobody's, merged: at most one more range than there are reservations,
    /// for what lies below the image and what lies above it ends at its edges.
    pub kept: Ram,
    /// RAM less what may not be mapped.
    pub mapped: Ram,
    needed: Needed,
    asked: &'a [Reservation],
    /// Of each that is asked for.
    verdicts: [Option<ReservationVerdict>; RESERVED_RANGES],
}

impl<'a> Reserved<'a> {
    /// The reservations `asked` in `ram`, not judged yet: [`RESERVED_RANGES`] at most, the rest is
    /// not looked at.
    #[must_use]
    pub const fn new(asked: &'a [Reservation], ram: &Ram, needed: Needed) -> Self {
        Self {
            kept: Ram::new(),
            mapped: *ram,
            needed,
            asked,
            verdicts: [None; RESERVED_RANGES],
        }
    }

    /// Judges all that is asked of `ram`, which is the list that [`Reserved::new`] had. Once; in
    /// place, since it is large.
    #[inline(never)]
    pub fn judge(&mut self, ram: &Ram) {
        for (index, &reservation) in self.asked.iter().take(RESERVED_RANGES).enumerate() {
            self.verdicts[index] = Some(self.place(reservation, ram));
        }
        self.mapped.merge();
    }

    /// Everything that is not free: what the kernel needs, and what is kept. In no order, and
    /// ranges may overlap.
    pub fn in_use(&self) -> impl Iterator<Item = PhysRange> {
        self.needed.all().chain(self.kept.iter().copied())
    }

    /// The first `bytes` bytes, rounded up to whole frames, that nobody has, in one piece: behind
    /// the image, or else below it. `None` if no piece is large enough. It marks nothing as used.
    #[must_use]
    pub fn free_place(&self, bytes: usize) -> Option<PhysRange> {
        Pieces::new(&self.mapped, || self.in_use()).place(bytes, self.needed.image)
    }

    /// Bytes of the largest piece that nobody has, whole frames; 0 if somebody has everything.
    #[must_use]
    pub fn largest_piece(&self) -> usize {
        Pieces::new(&self.mapped, || self.in_use()).largest()
    }

    /// Every reservation with its verdict, in the loader's order; none before [`Reserved::judge`].
    pub fn judged(&self) -> impl Iterator<Item = Judged> {
        let judged = self.asked.iter().zip(self.verdicts.iter().flatten());
        judged.map(|(&reservation, &verdict)| Judged {
            reservation,
            verdict,
        })
    }

    /// Judges one, and keeps what is to be kept of it.
    #[inline(never)]
    fn place(&mut self, reservation: Reservation, ram: &Ram) -> ReservationVerdict {
        let range = reservation.range();
        let Some((range, in_ram)) = range.and_then(|range| Some((range, in_ram(range, ram)?)))
        else {
            return match reservation.size {
                0 => ReservationVerdict::Empty,
                _ if reservation.wraps() => ReservationVerdict::Wraps,
                _ => ReservationVerdict::OutsideRam,
            };
        };
        let frames = in_ram.aligned_outward(PAGE_SIZE).unwrap_or(in_ram);
        let Needed {
            image,
            firmware_page,
            ..
        } = self.needed;
        push_parts(&mut self.kept, frames, image);
        let forbidden = reservation.mapping == Mapping::Forbidden;
        if forbidden {
            forbid(&mut self.mapped, frames, &self.needed);
        }
        if range.intersection(image).is_some() {
            return ReservationVerdict::Image { image };
        }
        match frames.intersection(firmware_page) {
            Some(page) if forbidden => ReservationVerdict::FirmwarePage { page },
            _ => match self.overlapped(range) {
                Some(other) => ReservationVerdict::Overlaps { other },
                None if in_ram != range => ReservationVerdict::PastRam { kept: in_ram },
                None => ReservationVerdict::Kept,
            },
        }
    }

    /// A reservation judged before that has a part in common with `range`, while neither contains
    /// the other.
    fn overlapped(&self, range: PhysRange) -> Option<PhysRange> {
        let mut before = self.judged().filter(|judged| judged.verdict.is_kept());
        before.find_map(|judged| {
            let other = judged.reservation.range()?;
            let common = other.intersection(range)?;
            (common != other && common != range).then_some(other)
        })
    }
}

/// Takes `frames` out of what is mapped, but for what has to be.
#[inline(never)]
fn forbid(mapped: &mut Ram, frames: PhysRange, needed: &Needed) {
    for part in frames.without(needed.firmware_page).into_iter().flatten() {
        for part in part.without(needed.image).into_iter().flatten() {
            let Ok(()) = mapped.remove(part) else {
                unreachable!("RAM has room for a split by every range that is kept");
            };
        }
    }
}

/// The part of `range` from the first byte of RAM to its last; `None` if it touches no RAM.
fn in_ram(range: PhysRange, ram: &Ram) -> Option<PhysRange> {
    ram.iter().find_map(|part| part.intersection(range))?;
    let whole = PhysRange::between(ram.first()?.base(), ram.last()?.end())?;
    whole.intersection(range)
}

/// Adds to `list` what `hole` leaves of `range`.
#[inline(never)]
fn push_parts(list: &mut Ram, range: PhysRange, hole: PhysRange) {
    for part in range.without(hole).into_iter().flatten() {
        let Ok(()) = list.push(part) else {
            unreachable!("there is room for the parts of every reservation");
        };
    }
    list.merge();
}
