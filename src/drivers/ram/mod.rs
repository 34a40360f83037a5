//! The physical memory that the ARM may use, decided from the loader (device tree or ATAGs) and the
//! mailbox.
//!
//! Both may be absent, wrong, or at odds. A frame that belongs to the VideoCore must never be
//! handed out, so where they differ only what both grant is RAM, and what the mailbox calls the
//! VideoCore's is not, whoever else calls it RAM. What the loader reserves in it is judged in
//! `reserved.rs`; `room.rs` finds what nobody has.
//!
//! # Decisions
//!
//! - In doubt less is handed out. A range that reaches past the end of RAM is not used at all: it
//!   was never adapted to this board by its firmware (the trees that come with Linux name 1 GiB,
//!   which the firmware replaces and other loaders do not), so it cannot know what the VideoCore
//!   has taken of it. A share of the VideoCore's that cannot be right takes what it can of the
//!   rest.
//! - Memory that leaves out the kernel is not quite true. The kernel keeps what it stands on all
//!   the same, and uses no more than that memory, if it has room where everybody has RAM; or else
//!   the memory is not believed. What the loader reserves is, in any case.
//! - If there may be reservations that could not be read, only [`UNRESERVED`] is used.
//! - No list of RAM stops the boot: where all of them together leave the kernel no room, it assumes
//!   what the firmware leaves to the ARM in any case. What is reserved in that, or outside what a
//!   crashed kernel left to this one ([`Facts::usable`]), is not handed out even if the boot ends
//!   for it.
#![forbid(unsafe_code)]

use core::iter;

mod reasons;
mod reserved;
mod room;

pub use self::reasons::{Differ, Overlap, RamSource, Refused, Voice};
pub use self::reserved::{Judged, Needed, ReservationVerdict, Reserved};
use self::room::Pieces;
pub use self::room::ROOM_BYTES;
use super::facts::{Facts, MEMORY_RANGES, Oddity, RESERVED_RANGES};
use super::range::{PhysRange, RangeList};
use crate::addr::{PAGE_SIZE, PhysAddr};

/// The RAM that the firmware leaves to the ARM in any case: `gpu_mem` takes at most 944 of the 1024
/// MiB.
const ASSUMED: PhysRange = match PhysRange::new(PhysAddr::new(0), 64 << 20) {
    Some(range) => range,
    None => panic!("64 MiB are a range"),
};

/// Where nobody puts anything for the kernel to leave alone: U-Boot loads what it hands over from
/// 36 MiB on, QEMU from 128 MiB on, and the firmware at the end of RAM.
pub const UNRESERVED: PhysRange = match PhysRange::new(PhysAddr::new(0), 32 << 20) {
    Some(range) => range,
    None => panic!("32 MiB are a range"),
};

/// The ranges that are certain without a source: the board's limits, and the image, which is in RAM
/// because it runs.
#[derive(Clone, Copy, Debug)]
pub struct Certain {
    /// Where RAM that the ARM can use ends at the latest.
    pub ram_limit: PhysAddr,
    /// Where the RAM chip ends; the VideoCore can use it to there.
    pub chip_end: PhysAddr,
    /// The range that must be RAM: the kernel is in it.
    pub kernel: PhysRange,
}

/// Ranges of RAM: as many as a loader can name, one more for the VideoCore's hole, one for each
/// range to which a loader can restrict it, and one for each reservation and the image.
const RAM_RANGES: usize = 2 * MEMORY_RANGES + 1 + RESERVED_RANGES + 2;

/// RAM: whole frames, sorted, without overlap. About 1.3 KiB: hand it on by reference.
pub type Ram = RangeList<RAM_RANGES>;

/// The mailbox's answers about RAM: base and size in bytes, not checked, and perhaps no range at
/// all. `None` if it did not answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct MailboxClaims {
    /// The ARM's share of RAM.
    pub arm: Option<(u64, u64)>,
    /// The VideoCore's share of RAM.
    pub videocore: Option<(u64, u64)>,
}

/// The ranges of RAM, their source, and the warnings: each warning is for the report, and stops
/// nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The ranges that the kernel may use.
    pub ram: Ram,
    /// The source of the ranges.
    pub source: RamSource,
    /// Both were believed, and said different things.
    pub differ: Option<Differ>,
    /// Ranges of the loader's that reach past the end of RAM: not used.
    pub past_limit: RangeList<MEMORY_RANGES>,
    /// The loader speaks, and its memory is not believed.
    pub loader_refused: Option<Refused>,
    /// The loader's memory is used, and the kernel is not in it.
    pub kernel_left_out: bool,
    /// There was an answer from the mailbox, and it is not believed.
    pub mailbox_refused: Option<Refused>,
    /// The VideoCore's share, if the mailbox named one that is believed.
    pub videocore: Option<PhysRange>,
    /// A source called a part of it RAM.
    pub overlap: Option<Overlap>,
    /// There was an answer about the VideoCore's share, and it is not believed.
    pub videocore_refused: Option<Refused>,
    /// Bytes in one piece that all lists together would leave: too little to run, so RAM is
    /// assumed.
    pub too_little: Option<usize>,
    /// Why there may be reservations that could not be read: only [`UNRESERVED`] is used.
    pub doubt: Option<Oddity>,
}

/// Decides what is RAM, from what the loader says, if there is any, and from the mailbox. A pure
/// function: it reads no register. If nothing can be believed, 64 MiB from 0 are assumed; a
/// restriction by the loader ([`Facts::usable`]) can leave less.
#[inline(never)]
#[must_use]
pub fn ram_from(
    loader: Option<(Voice, &Facts)>,
    claims: MailboxClaims,
    certain: &Certain,
) -> Decision {
    let mut decision = Decision {
        ram: Ram::of(ASSUMED),
        source: RamSource::Assumed,
        differ: None,
        past_limit: RangeList::new(),
        loader_refused: None,
        kernel_left_out: false,
        mailbox_refused: None,
        videocore: None,
        overlap: None,
        videocore_refused: None,
        too_little: None,
        doubt: loader.and_then(|(_, facts)| facts.doubt()),
    };
    if let Some((voice, facts)) = loader {
        decision.take_loader(voice, facts, certain);
    }
    if let Some((base, size)) = claims.arm {
        decision.take_mailbox(base, size, certain);
    }
    if let Some((base, size)) = claims.videocore {
        decision.take_videocore(base, size, certain);
    }
    decision.insist_on_room(certain);
    if decision.doubt.is_some() {
        decision
            .ram
            .filter_map(|range| range.intersection(UNRESERVED));
    }
    if let Some((_, facts)) = loader {
        decision.restrict(facts);
    }
    decision
}

impl Decision {
    /// Takes the loader's list of RAM, unless that neither contains the kernel nor gives it room.
    fn take_loader(&mut self, voice: Voice, facts: &Facts, certain: &Certain) {
        let mut ram = Ram::new();
        for &claimed in facts.memory.iter() {
            let pushed = if claimed.end() <= certain.ram_limit {
                ram.push(claimed)
            } else {
                self.past_limit.push(claimed)
            };
            let Ok(()) = pushed else {
                unreachable!("there is room for every range that a loader can name");
            };
        }
        ram.merge();
        ram.filter_map(whole_frames);
        let has_kernel = ram.iter().any(|range| range.contains(certain.kernel));
        if has_kernel || largest_low(&ram, certain.kernel) >= ROOM_BYTES {
            self.ram = ram;
            self.source = RamSource::Loader(voice);
            self.kernel_left_out = !has_kernel;
            return;
        }
        let over_kernel = |range: &&PhysRange| range.contains(certain.kernel);
        self.loader_refused = match (facts.memory_places, facts.memory.is_empty()) {
            // A list without a tag for memory is complete; a tree is not.
            (0, _) if voice == Voice::Atags => None,
            (0, _) => Some(Refused::Unsaid),
            (_, true) => Some(Refused::Empty),
            (_, false) => Some(match self.past_limit.iter().find(over_kernel) {
                Some(&claimed) => Refused::PastLimit {
                    claimed,
                    limit: certain.ram_limit,
                },
                None => kernel_outside(certain),
            }),
        };
    }

    /// The range that the mailbox calls the ARM's.
    fn take_mailbox(&mut self, base: u64, size: u64, certain: &Certain) {
        let mailbox = match from_mailbox(base, size, certain) {
            Ok(mailbox) => mailbox,
            Err(refused) => {
                self.mailbox_refused = Some(refused);
                return;
            }
        };
        let RamSource::Loader(voice) = self.source else {
            self.ram = Ram::of(mailbox);
            self.source = RamSource::Mailbox;
            return;
        };
        if *self.ram != [mailbox] {
            self.differ = Some(Differ {
                voice,
                loader_bytes: self.ram.total_size(),
                mailbox_bytes: mailbox.size(),
            });
        }
        self.ram.filter_map(|range| range.intersection(mailbox));
        self.source = RamSource::Both(voice);
    }

    /// The range that the mailbox calls the VideoCore's.
    fn take_videocore(&mut self, base: u64, size: u64, certain: &Certain) {
        let before = self.ram.total_size();
        match videocore_from(base, size, certain) {
            Ok(share) => {
                self.videocore = Some(share);
                self.remove(share);
                let bytes = before - self.ram.total_size();
                self.overlap = (bytes > 0).then_some(Overlap {
                    videocore: share,
                    bytes,
                });
            }
            Err(refused) => {
                self.videocore_refused = Some(refused);
                let claimed = PhysRange::from_raw(base, size);
                let parts = claimed.map(|claimed| claimed.without(ASSUMED));
                for part in parts.into_iter().flatten().flatten() {
                    self.remove(part);
                }
            }
        }
    }

    /// Assumes RAM, if there is too little of it where it is used in any case.
    fn insist_on_room(&mut self, certain: &Certain) {
        let bytes = largest(&self.ram, certain.kernel);
        let low = largest_low(&self.ram, certain.kernel);
        if bytes < ROOM_BYTES || (self.doubt.is_some() && low < ROOM_BYTES) {
            self.too_little = Some(bytes);
            self.ram = Ram::of(ASSUMED);
            self.source = RamSource::Assumed;
        }
    }

    /// Leaves of RAM what the loader calls usable, whoever calls the rest RAM.
    fn restrict(&mut self, facts: &Facts) {
        let Some(usable) = &facts.usable else {
            return;
        };
        let [first, last] = [0, usize::MAX].map(PhysAddr::new);
        let starts = usable.iter().map(|range| range.end());
        let ends = usable.iter().map(|range| range.base());
        let holes = iter::once(first)
            .chain(starts)
            .zip(ends.chain(iter::once(last)));
        for hole in holes.filter_map(|(start, end)| PhysRange::between(start, end)) {
            self.remove(hole);
        }
    }

    /// Leaves of RAM what lies outside `share`, in whole frames.
    fn remove(&mut self, share: PhysRange) {
        let Ok(()) = self.ram.remove(share) else {
            unreachable!("RAM has room for a split by the VideoCore, and by what is not usable");
        };
        self.ram.merge();
        self.ram.filter_map(whole_frames);
    }
}

fn from_mailbox(base: u64, size: u64, certain: &Certain) -> Result<PhysRange, Refused> {
    let claimed = PhysRange::from_raw(base, size).ok_or(Refused::NoRange { base, size })?;
    if claimed.end() > certain.ram_limit {
        return Err(Refused::PastLimit {
            claimed,
            limit: certain.ram_limit,
        });
    }
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

/// Bytes of the largest piece of RAM beside the kernel.
fn largest(ram: &Ram, kernel: PhysRange) -> usize {
    Pieces::new(ram, || [kernel].into_iter()).largest()
}

/// Bytes of the largest piece of RAM beside the kernel that lies in [`UNRESERVED`].
#[inline(never)]
fn largest_low(ram: &Ram, kernel: PhysRange) -> usize {
    let mut low = *ram;
    low.filter_map(|range| range.intersection(UNRESERVED));
    largest(&low, kernel)
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
