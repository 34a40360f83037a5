//! The audit of every address space of the low half, by a walk that believes no descriptor.
#![forbid(unsafe_code)]

use super::live_audit::{AuditError, LiveTables, RunList, TABLES, TableOwner, with_room};
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::board::raspi3;
use crate::mm::extents::Extent;
use crate::mm::kernel_frames;
use crate::mm::live_walk::{MapWalkSummary, walk};
use crate::mm::space_error::SpaceError;
use crate::mm::user_audit::{Owners, check_space};
use crate::mm::user_space::{self, UserSpace};

/// How many spaces there are, and how many pages EL0 can reach in them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct SpaceCounts {
    pub(crate) spaces: usize,
    pub(crate) pages: usize,
}

/// Audits all of them.
///
/// # Errors
/// The first [`MapViolation`], or why it is not known.
pub(super) fn check() -> Result<SpaceCounts, AuditError> {
    let mut counts = SpaceCounts::default();
    let spaces = user_space::all()?;
    if spaces.is_empty() {
        return Ok(counts);
    }
    let words = Owners::words_for(raspi3::PERIPHERALS);
    let mut owned = with_room(words)?;
    owned.resize(words, 0);
    let mut owners = Owners::new(&mut owned);
    for space in &spaces {
        counts.spaces += 1;
        counts.pages += check_one(space, &mut owners)?;
    }
    owners.check_shared()?;
    Ok(counts)
}

/// Audits `space`, and adds what it owns to `owners`. Returns its pages.
fn check_one(space: &UserSpace, owners: &mut Owners<'_>) -> Result<usize, AuditError> {
    let mut tables = LiveTables::new(with_room(TABLES)?, TableOwner::Space);
    space.inspect(|extents, root| {
        // One more than are right: then a run too many is seen, and what it breaks is told.
        let mut runs = RunList::new(with_room(runs_at_most(extents) + 1)?);
        let mut walked = Ok(MapWalkSummary::default());
        space.with_view(&mut |_| {
            let leaf = &mut |run| runs.add(run);
            walked = walk(root, VirtAddr::new(0), &mut tables, leaf);
        });
        let walked = walked?;
        let noted = [walked.foreign, walked.miscounted];
        let pages = check_space(runs.as_slice(), extents)?;
        if let Some(violation) = noted.into_iter().flatten().next() {
            return Err(violation.into());
        }
        for extent in extents.iter().filter(|extent| extent.owned) {
            owners.add(extent, kernel_frames::references)?;
        }
        Ok(pages)
    })?
}

/// More runs than a sound space with these extents can have: a leaf is a page or more.
fn runs_at_most(extents: &[Extent]) -> usize {
    extents.iter().map(|extent| extent.bytes / PAGE_SIZE).sum()
}

impl From<SpaceError> for AuditError {
    fn from(error: SpaceError) -> Self {
        match error {
            SpaceError::NoMemory { .. } => Self::NoMemory,
            error => Self::Space(error),
        }
    }
}
