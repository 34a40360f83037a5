//! How a fault is written in the list, and the ways in that show one.

use crate::entry::Entry;

/// One fault: its name, and for each changed place the function, the pattern and the new words.
macro_rules! fault {
    ($name:literal, $($function:literal: $find:literal => $with:literal),+ $(,)?) => {
        Plant::new($name, &[$(Cut { function: $function, find: $find, with: $with }),+])
    };
}
pub(super) use fault;

/// The ways in that start at EL3, at EL2, with the caches on, and at EL1.
pub(super) const EL3: &[Entry] = &[Entry::El3];
pub(super) const EL2: &[Entry] = &[Entry::Firmware];
pub(super) const CACHED: &[Entry] = &[Entry::UBoot];
pub(super) const EL1: &[Entry] = &[Entry::El1];
/// The ways in with other cores: released from the image, or from the firmware's loop.
pub(super) const CORES: &[Entry] = &[Entry::Firmware, Entry::El3, Entry::UBoot];
/// The ways in through EL2's registers.
pub(super) const THROUGH_EL2: &[Entry] = &[Entry::Firmware, Entry::El3, Entry::UBoot];
