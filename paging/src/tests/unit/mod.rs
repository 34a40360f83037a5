//! One property a file, by cases that were worked out by hand.

mod aging;
mod asid;
mod bad_input;
mod batch;
mod bounds;
mod defaults;
mod display;
mod map_frames;
mod merging;
mod minimal_flushes;
mod minimal_stores;
mod panics;
mod pins;
mod protect_with;
mod read;
mod readme;
mod regressions;
mod sequences;
pub(super) mod share;
mod software;
mod swap;
mod trace;
mod unmap_with;
