//! The faults, by kind. Those of one kind differ by place, form, or range.
//!
//! Names of functions are those of the kernel's symbols; labels of its assembly count as functions.

mod devices;
mod levels;
mod loaded;
mod mailbox;
mod mmu;
mod order;
mod others;
mod tables;
mod uncached;
mod ways;

use super::plant::Plant;
pub(super) use tables::CHANGES;

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
        order::PLANTS,
        devices::PLANTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
