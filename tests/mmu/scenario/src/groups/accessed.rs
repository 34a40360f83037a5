//! `ACCESSED`: taken away, and given by whoever gives it.
#![forbid(unsafe_code)]

use stilt_paging::addr::VirtAddr;
use stilt_paging::{MappingFlags, PageSize};

use super::{COMMON, areas, leaf};
use crate::failure::{Failure, Translation};
use crate::machine::{AccessedBit, Machine};
use crate::trial::Trial;

/// Takes `ACCESSED` away from a leaf that was used: the next use faults, or sets it again, which
/// hardware can only do if the leaf is in no TLB any more.
pub(super) fn cleared<A: Machine>(trial: &mut Trial<'_, A>, size: PageSize) -> Result<(), Failure> {
    for va in areas::<A>() {
        for flags in COMMON {
            let used = leaf::<A>(flags, size);
            let fresh = leaf::<A>(flags - MappingFlags::ACCESSED, size);
            trial.map(va, fresh)?;
            use_fresh(trial, va, fresh)?;
            trial.protect(va, used.flags)?;
            trial.leaf(va, used)?;
            trial.protect(va, fresh.flags)?;
            use_fresh(trial, va, fresh)?;
            trial.unmap(va, fresh)?;
        }
    }
    Ok(())
}

/// Uses a leaf that nobody used since `ACCESSED` was taken away.
fn use_fresh<A: Machine>(
    trial: &mut Trial<'_, A>,
    va: VirtAddr,
    fresh: Translation,
) -> Result<(), Failure> {
    let expect = |trial: &Trial<'_, A>, to| {
        let found = trial.query(va);
        if found == Some(to) {
            return Ok(());
        }
        Err(Failure::Query {
            va,
            expected: Some(to),
            found,
            bits: trial.bits(va),
        })
    };
    expect(trial, fresh)?;
    trial.leaf(va, fresh)?;
    match trial.machine.accessed_bit() {
        AccessedBit::Faults => expect(trial, fresh),
        AccessedBit::SetByHardware => {
            let flags = fresh.flags | MappingFlags::ACCESSED;
            expect(trial, Translation { flags, ..fresh })
        }
    }
}
