//! Two address spaces: the same addresses, other frames, and a global leaf in both.
#![forbid(unsafe_code)]

use core::mem;

use stilt_paging::{Asid, MappingFlags, PageSize};

use super::{KERNEL_DATA, areas, frame};
use crate::Table;
use crate::failure::{Failure, Translation};
use crate::machine::Machine;
use crate::trial::{Trial, program_table, set_asid};

/// Switches between two trees without any invalidation: each shows its own frames, the global
/// leaf is in both, and what one changes is changed there alone.
pub(super) fn switched<A: Machine>(
    trial: &mut Trial<'_, A>,
    size: PageSize,
) -> Result<(), Failure> {
    let [own, global] = areas::<A>();
    let user = KERNEL_DATA | MappingFlags::USER;
    let to = |block, flags| Translation {
        pa: frame::<A>(block, size),
        flags,
        size,
    };
    let shared = to(0, KERNEL_DATA | MappingFlags::GLOBAL);
    let mut spaces = Spaces::new(trial)?;
    for space in 0..2 {
        trial.map(own, to(space, user))?;
        trial.map(global, shared)?;
        spaces.switch(trial);
    }
    for turn in 0..4 {
        trial.leaf(own, to(turn % 2, user))?;
        trial.leaf(global, shared)?;
        spaces.switch(trial);
    }
    let read_only = to(0, user - MappingFlags::WRITE);
    trial.protect(own, read_only.flags)?;
    trial.leaf(own, read_only)?;
    spaces.switch(trial);
    trial.leaf(own, to(1, user))?;
    trial.unmap(own, to(1, user))?;
    trial.nothing(own, size)?;
    spaces.switch(trial);
    trial.leaf(own, read_only)?;
    trial.unmap(own, read_only)?;
    for _ in 0..2 {
        trial.leaf(global, shared)?;
        trial.unmap(global, shared)?;
        trial.nothing(global, size)?;
        spaces.switch(trial);
    }
    Ok(())
}

/// The tree that the machine does not translate by, and which one that is: 0 or 1.
struct Spaces<A: Machine> {
    other: Table<A>,
    current: u16,
}

impl<A: Machine> Spaces<A> {
    /// The trial's tree becomes space 0, a new one space 1.
    fn new(trial: &mut Trial<'_, A>) -> Result<Self, Failure> {
        let mut other = program_table(trial.machine)?;
        if A::ASIDS > 1 {
            set_asid::<A>(&mut other, asid::<A>(1));
            set_asid::<A>(&mut trial.table, asid::<A>(0));
        }
        trial.activate(asid::<A>(0));
        Ok(Self { other, current: 0 })
    }

    /// Makes the machine translate by the other tree.
    fn switch(&mut self, trial: &mut Trial<'_, A>) {
        mem::swap(&mut self.other, &mut trial.table);
        self.current ^= 1;
        trial.activate(asid::<A>(self.current));
    }
}

/// The ASID of a space: the kernel's own is 0.
const fn asid<A: Machine>(space: u16) -> Asid {
    if A::ASIDS > 1 {
        Asid::new(space + 1)
    } else {
        Asid::KERNEL
    }
}
