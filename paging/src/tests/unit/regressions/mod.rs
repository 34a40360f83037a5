//! Inputs that other page-table libraries got wrong, for every format.
#![forbid(unsafe_code)]

mod entry;
mod extent;
mod maintenance;
mod refusal;

use crate::tests::formats::{Format, Table};
use crate::tests::memory::Event;
use crate::tests::{RW, pa};
use crate::{PageSize, RegionOptions};

const HUGE: RegionOptions = RegionOptions::HUGE;
const PAGES: RegionOptions = RegionOptions::empty();

fn map<F: Format>(table: &mut Table<F>, offset: usize, frame: usize, size: PageSize) {
    let mapped = table.map(F::va(offset), pa(frame), size, RW);
    mapped.unwrap().flush();
}

/// Whether `offset` is mapped, and where to.
fn frame_at<F: Format>(table: &Table<F>, offset: usize) -> Option<usize> {
    let found = table.query(F::va(offset)).ok();
    found.map(|(pa, ..)| pa.as_usize())
}

/// How many invalidations there are.
fn invalidated(log: &[Event]) -> usize {
    let is = |event: &&Event| {
        matches!(
            event,
            Event::Tlbi(..) | Event::Invalidate(..) | Event::InvalidateAll(_)
        )
    };
    log.iter().filter(is).count()
}
