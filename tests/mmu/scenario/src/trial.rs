//! [`Trial`]: one tree under test, what is done to it, and what is asked of its leaves. The
//! accesses are made and judged in `judge`.

use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::{Asid, GenericPTE, MappingFlags, PageSize, PagingMetaData, PagingResult};

use crate::Table;
use crate::failure::{Failure, Translation};
use crate::machine::{Machine, Privilege};

/// Who makes accesses in turn: the kernel in one way, and user code.
///
/// Never in both ways: to change between them may make a machine forget translations, and that
/// would hide a missing invalidation.
pub(crate) type Round = [Privilege; 2];

/// The rounds of a machine.
pub(crate) fn rounds<A: Machine>() -> impl Iterator<Item = Round> {
    let kernels = A::PRIVILEGES.iter().filter(|&&who| who != Privilege::User);
    kernels.map(|&kernel| [kernel, Privilege::User])
}

/// A tree that the machine translates by.
pub(crate) struct Trial<'machine, A: Machine> {
    pub(crate) machine: &'machine mut A,
    pub(crate) table: Table<A>,
    /// Who makes accesses in this trial.
    pub(crate) round: Round,
    /// How many accesses were made and judged.
    pub(crate) accesses: u64,
    /// What the next store writes: never the same twice.
    pub(crate) next_value: u64,
}

/// Says under which ASID the machine uses `table`: a number that no other tree of the trial has.
pub(crate) fn set_asid<A: Machine>(table: &mut Table<A>, asid: Asid) {
    // SAFETY: of a tree that comes from `program_table`, the program alone may be cached under
    // another number by now, and that stays as it is.
    unsafe { table.set_asid(Some(asid)) };
}

impl<'machine, A: Machine> Trial<'machine, A> {
    /// A tree with nothing but the program in it; the machine translates by it from here on.
    pub(crate) fn new(machine: &'machine mut A, round: Round) -> Result<Self, Failure> {
        let table = program_table(machine)?;
        let mut trial = Self {
            machine,
            table,
            round,
            accesses: 0,
            next_value: 0x0123_4567_89ab_cdef,
        };
        trial.activate(Asid::KERNEL);
        Ok(trial)
    }

    /// Makes the machine translate by `self.table`.
    pub(crate) fn activate(&mut self, asid: Asid) {
        let root = self.table.root_paddr();
        // SAFETY: every table here comes from `program_table`, and `Drop` ends its use before it
        // goes away.
        unsafe { self.machine.activate(root, asid) };
    }

    /// Maps a leaf.
    pub(crate) fn map(&mut self, va: VirtAddr, to: Translation) -> Result<(), Failure> {
        let result = self.table.map(va, to.pa, to.size, to.flags);
        done("map", va, result.map(|receipt| receipt.flush()))
    }

    /// Unmaps the leaf at `va`, which must be `from`, present or inaccessible.
    pub(crate) fn unmap(&mut self, va: VirtAddr, from: Translation) -> Result<(), Failure> {
        let receipt = match self.table.unmap(va) {
            Ok(receipt) => receipt,
            Err(error) => return done("unmap", va, Err(error)),
        };
        let (flags, size) = (receipt.flags(), receipt.size());
        let pa = receipt.flush();
        self.same(va, Some(from), Some(Translation { pa, flags, size }))
    }

    /// Changes the flags of the leaf at `va`.
    pub(crate) fn protect(&mut self, va: VirtAddr, flags: MappingFlags) -> Result<(), Failure> {
        let result = self.table.protect(va, flags);
        done("protect", va, result.map(|(_, receipt)| receipt.flush()))
    }

    /// Changes frame and flags of the leaf at `va`.
    pub(crate) fn remap(&mut self, va: VirtAddr, to: Translation) -> Result<(), Failure> {
        let result = self.table.remap(va, to.pa, to.flags);
        done("remap", va, result.map(|(_, receipt)| receipt.flush()))
    }

    /// Checks every access by everybody to the first, a middle and the last page of the leaf at
    /// `va`, which is to be `leaf`, and to the pages on either side, where nothing is.
    pub(crate) fn leaf(&mut self, va: VirtAddr, leaf: Translation) -> Result<(), Failure> {
        for offset in positions(leaf.size) {
            self.page(at(va, offset), Some(within(leaf, offset)))?;
        }
        self.around(va, leaf.size.bytes())
    }

    /// Checks that there is nothing at the first, a middle and the last page of a leaf.
    pub(crate) fn nothing(&mut self, va: VirtAddr, size: PageSize) -> Result<(), Failure> {
        for offset in positions(size) {
            self.page(at(va, offset), None)?;
        }
        Ok(())
    }

    /// Checks that the leaf at `va` is inaccessible, and what it keeps.
    pub(crate) fn kept(&self, va: VirtAddr, inaccessible: Translation) -> Result<(), Failure> {
        let found = self.table.view().leaf(va).ok().map(|leaf| Translation {
            pa: leaf.paddr(),
            flags: leaf.flags(),
            size: leaf.size,
        });
        self.same(va, Some(inaccessible), found)
    }

    /// Checks that there is nothing on either side of `bytes` from `va`, as far as there are
    /// addresses.
    pub(crate) fn around(&mut self, va: VirtAddr, bytes: usize) -> Result<(), Failure> {
        let before = va.as_usize().checked_sub(PAGE_SIZE);
        let after = va.as_usize().checked_add(bytes);
        for neighbour in [before, after].into_iter().flatten().map(VirtAddr::new) {
            if A::MetaData::vaddr_is_valid(neighbour) {
                self.page(neighbour, None)?;
            } else {
                self.invalid(neighbour)?;
            }
        }
        Ok(())
    }
}

impl<A: Machine> Drop for Trial<'_, A> {
    /// Before the tables go.
    fn drop(&mut self) {
        self.machine.deactivate();
    }
}

/// A tree with nothing but the program in it.
pub(crate) fn program_table<A: Machine>(machine: &A) -> Result<Table<A>, Failure> {
    let failed = |error| Failure::Operation {
        what: "mapping the program",
        va: VirtAddr::new(A::PROGRAM.start),
        error: Some(error),
    };
    let mut table = Table::<A>::try_new().map_err(failed)?;
    machine.map_program(&mut table).map_err(failed)?;
    Ok(table)
}

/// Every set of flags that the format accepts.
pub(crate) fn accepted_flags<A: Machine>() -> impl Iterator<Item = MappingFlags> {
    (0..MappingFlags::SETS)
        .filter_map(MappingFlags::from_bits)
        .filter(|&flags| A::Entry::new_page(PhysAddr::new(0), flags, PageSize::Size4K).is_ok())
}

/// The address `bytes` from `va`: within one leaf or region, or just behind it.
pub(crate) fn at(va: VirtAddr, bytes: usize) -> VirtAddr {
    VirtAddr::new(va.as_usize().wrapping_add(bytes))
}

/// What the page `offset` into a leaf translates to.
pub(crate) fn within(leaf: Translation, offset: usize) -> Translation {
    Translation {
        pa: PhysAddr::new(leaf.pa.as_usize() + offset),
        ..leaf
    }
}

/// The pages of a leaf that stand for all: the first, one in the middle, the last.
pub(crate) fn positions(size: PageSize) -> impl Iterator<Item = usize> {
    let last = size.bytes() - PAGE_SIZE;
    let middle = (size.bytes() / 2).min(last);
    let all = [Some(0), Some(middle), Some(last)];
    all.into_iter()
        .flatten()
        .take(if last == 0 { 1 } else { 3 })
}

/// A failure unless the operation was done.
pub(crate) fn done(what: &'static str, va: VirtAddr, result: PagingResult) -> Result<(), Failure> {
    result.map_err(|error| Failure::Operation {
        what,
        va,
        error: Some(error),
    })
}

/// The failure of an operation that should have been refused.
pub(crate) fn refused(what: &'static str, va: VirtAddr) -> Result<(), Failure> {
    Err(Failure::Operation {
        what,
        va,
        error: None,
    })
}
