//! The first and last addresses, and those behind them.
#![forbid(unsafe_code)]

use stilt_paging::addr::VirtAddr;
use stilt_paging::{PageSize, PagingError, PagingMetaData};

use super::{COMMON, KERNEL_DATA, frame, leaf};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::trial::{Trial, at, done, refused};

/// Maps the first and the last leaf of each half, where the program leaves room for it.
pub(super) fn leaves<A: Machine>(trial: &mut Trial<'_, A>, size: PageSize) -> Result<(), Failure> {
    let (half, whole) = halves::<A>();
    let offsets = [0, half - size.bytes(), half, whole - size.bytes()];
    for va in offsets.map(A::MetaData::vaddr_at) {
        if overlaps_program::<A>(va, size.bytes()) {
            continue;
        }
        for flags in COMMON {
            let leaf = leaf::<A>(flags, size);
            trial.map(va, leaf)?;
            trial.leaf(va, leaf)?;
            trial.unmap(va, leaf)?;
            trial.nothing(va, size)?;
        }
    }
    Ok(())
}

/// Neither table nor machine takes an address outside the tree for one inside.
pub(super) fn invalid<A: Machine>(trial: &mut Trial<'_, A>, size: PageSize) -> Result<(), Failure> {
    let (half, whole) = halves::<A>();
    let (low_end, high) = (half - size.bytes(), A::MetaData::vaddr_at(half));
    let last = A::MetaData::vaddr_at(low_end);
    trial.map(last, leaf::<A>(KERNEL_DATA, size))?;
    trial.map(high, leaf::<A>(KERNEL_DATA, size))?;
    let behind = at(last, size.bytes());
    let before = VirtAddr::new(high.as_usize().wrapping_sub(size.bytes()));
    // Each differs from an address that is mapped in the bits alone that no level uses.
    let aliases = [0, half].map(|offset| {
        let va = A::MetaData::vaddr_at(offset).as_usize();
        [va ^ whole, va ^ 1 << 63, va ^ !(whole - 1)].map(VirtAddr::new)
    });
    for va in [behind, before]
        .into_iter()
        .chain(aliases.into_iter().flatten())
    {
        if A::MetaData::vaddr_is_valid(va) {
            continue;
        }
        trial.invalid(va)?;
        let to = frame::<A>(0, size);
        match trial.table.map(va, to, size, KERNEL_DATA) {
            Err(PagingError::InvalidVirtAddr { .. }) => {}
            Err(error) => done("map", va, Err(error))?,
            Ok(_) => refused("map", va)?,
        }
    }
    trial.unmap(last, leaf::<A>(KERNEL_DATA, size))?;
    trial.unmap(high, leaf::<A>(KERNEL_DATA, size))
}

/// Bytes in a half of the tree, and in all of it.
fn halves<A: Machine>() -> (usize, usize) {
    let whole = 1 << A::MetaData::VA_MAX_BITS;
    (whole / 2, whole)
}

fn overlaps_program<A: Machine>(va: VirtAddr, bytes: usize) -> bool {
    let last = va.as_usize() + (bytes - 1);
    va.as_usize() < A::PROGRAM.end && last >= A::PROGRAM.start
}
