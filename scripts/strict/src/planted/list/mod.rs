//! The faults, by kind. Those of one kind differ by place, form, or range.
//!
//! Names of functions are those of the kernel's symbols; labels of its assembly count as functions.

mod devices;
mod levels;
mod loaded;
mod mailbox;
mod mmu;
mod others;
mod tables;
mod uncached;

use super::plant::Plant;
use crate::entry::Entry;

/// One fault: its name, and for each changed place the function, the pattern and the new words.
macro_rules! fault {
    ($name:literal, $($function:literal: $find:literal => $with:literal),+ $(,)?) => {
        Plant::new($name, &[$(Cut { function: $function, find: $find, with: $with }),+])
    };
}
use fault;

/// The ways in that start at EL3, at EL2, with the caches on, and at EL1.
const EL3: &[Entry] = &[Entry::El3];
const EL2: &[Entry] = &[Entry::Firmware];
const CACHED: &[Entry] = &[Entry::UBoot];
const EL1: &[Entry] = &[Entry::El1];
/// The ways in with other cores: released from the image, or from the firmware's loop.
const CORES: &[Entry] = &[Entry::Firmware, Entry::El3, Entry::UBoot];
/// The ways in through EL2's registers.
const THROUGH_EL2: &[Entry] = &[Entry::Firmware, Entry::El3, Entry::UBoot];

/// Every fault.
pub(super) fn all() -> impl Iterator<Item = Plant> {
    [
        mmu::PLANTS,
        levels::PLANTS,
        loaded::PLANTS,
        uncached::PLANTS,
        others::PLANTS,
        mailbox::PLANTS,
        tables::PLANTS,
        devices::PLANTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
