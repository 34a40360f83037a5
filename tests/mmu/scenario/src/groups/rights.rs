//! Every set of flags, mapped and unmapped.
#![forbid(unsafe_code)]

use stilt_paging::PageSize;

use super::{areas, leaf};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::trial::{Trial, accepted_flags};

/// Maps a leaf with every set of flags in both halves: nothing before, the rights then, nothing
/// afterwards.
pub(super) fn every_set<A: Machine>(
    trial: &mut Trial<'_, A>,
    size: PageSize,
) -> Result<(), Failure> {
    for va in areas::<A>() {
        for flags in accepted_flags::<A>() {
            let leaf = leaf::<A>(flags, size);
            trial.nothing(va, size)?;
            trial.map(va, leaf)?;
            trial.leaf(va, leaf)?;
            trial.unmap(va, leaf)?;
            trial.nothing(va, size)?;
        }
    }
    Ok(())
}
