//! A leaf that is changed in place: its flags, its frame, all its rights.
#![forbid(unsafe_code)]

use stilt_paging::addr::{PAGE_SIZE, VirtAddr};
use stilt_paging::{MappingFlags, PageSize};

use super::{areas, frame, leaf};
use crate::failure::{Failure, Translation};
use crate::machine::Machine;
use crate::trial::{Trial, accepted_flags, at, within};

/// Changes a leaf from every set of flags to every other, used before and after. Memory types
/// change no right: only from each set to the next.
pub(super) fn protect<A: Machine>(trial: &mut Trial<'_, A>, size: PageSize) -> Result<(), Failure> {
    let [_, va] = areas::<A>();
    let rights = || accepted_flags::<A>().filter(|set| !set.intersects(MappingFlags::MEMORY_TYPE));
    for from in rights() {
        let old = leaf::<A>(from, size);
        trial.map(va, old)?;
        for to in rights() {
            protect_to(trial, va, leaf::<A>(to, size))?;
            protect_to(trial, va, old)?;
        }
        trial.unmap(va, old)?;
    }
    let mut last = leaf::<A>(super::KERNEL_DATA, size);
    trial.map(va, last)?;
    for flags in accepted_flags::<A>() {
        last.flags = flags;
        protect_to(trial, va, last)?;
    }
    trial.unmap(va, last)
}

/// Changes the leaf at `va` to `to`, and uses its last page.
fn protect_to<A: Machine>(
    trial: &mut Trial<'_, A>,
    va: VirtAddr,
    to: Translation,
) -> Result<(), Failure> {
    let last = to.size.bytes() - PAGE_SIZE;
    trial.protect(at(va, last), to.flags)?;
    trial.page(at(va, last), Some(within(to, last)))
}

/// Takes all rights away from a leaf and gives them back: frame, size and flags are kept.
pub(super) fn retain<A: Machine>(trial: &mut Trial<'_, A>, size: PageSize) -> Result<(), Failure> {
    let nothing = MappingFlags::RIGHTS | MappingFlags::EXECUTE_ANYWAY;
    for va in areas::<A>() {
        for flags in accepted_flags::<A>() {
            let full = leaf::<A>(flags, size);
            let inaccessible = leaf::<A>(flags - nothing, size);
            trial.map(va, full)?;
            trial.leaf(va, full)?;
            trial.protect(va, inaccessible.flags)?;
            trial.nothing(va, size)?;
            trial.kept(va, inaccessible)?;
            trial.protect(va, flags)?;
            trial.leaf(va, full)?;
            trial.protect(va, inaccessible.flags)?;
            trial.unmap(va, inaccessible)?;
        }
    }
    Ok(())
}

/// Gives a leaf other frames and flags in turn.
pub(super) fn remap<A: Machine>(trial: &mut Trial<'_, A>, size: PageSize) -> Result<(), Failure> {
    for va in areas::<A>() {
        let mut last = leaf::<A>(super::KERNEL_DATA, size);
        trial.map(va, last)?;
        for (turn, flags) in accepted_flags::<A>().enumerate() {
            trial.leaf(va, last)?;
            last = Translation {
                pa: frame::<A>((turn + 1) % A::BLOCKS.len(), size),
                flags,
                size,
            };
            trial.remap(va, last)?;
        }
        trial.leaf(va, last)?;
        trial.unmap(va, last)?;
        trial.nothing(va, size)?;
    }
    Ok(())
}
