//! Groups of leaves that the hardware may take for one, and leaves that become one: contiguous
//! groups and `compact`, whose leaves are read and written.
//!
//! A group is changed in one of its members, which breaks it: the other members must stay what
//! they were.

use core::ptr;

use mmu_scenario::{Access, Fault, Privilege};
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::{Asid, MappingFlags, PageSize, PagingMetaData, RegionOptions};

use crate::board;
use crate::cpu::{self, Wxn};
use crate::program::say;
use crate::side::{self, MetaData, Side, Table};
use crate::wrong::{Wrong, done, same};

/// Members of a group (DDI 0487 D8.7.1).
const GROUP: usize = 16;
/// Where the leaves are mapped in either half: a whole number of GiB, past the program.
const AREA: usize = 64 << 30;

const READ_ONLY: MappingFlags = MappingFlags::READ.union(MappingFlags::ACCESSED);
const READ_WRITE: MappingFlags = READ_ONLY.union(MappingFlags::WRITE);

/// Something to try.
type Group<S> = fn(&mut Trial<S>) -> Result<(), Wrong>;

/// A tree under test.
struct Trial<S: Side> {
    table: Table<S>,
    accesses: u64,
}

/// Leaves of one size with consecutive frames.
#[derive(Clone, Copy)]
struct Leaves {
    va: VirtAddr,
    pa: PhysAddr,
    size: PageSize,
    count: usize,
    /// Every how many leaves one is read and written: memory that is never touched costs nothing.
    step: usize,
}

/// What becomes of one leaf among the others.
#[derive(Clone, Copy)]
enum Change {
    Protect,
    Unmap,
    Remap,
}

/// Everything in half `S`, with a line of output for each group; the number of accesses.
pub(crate) fn run<S: Side>() -> Result<u64, Wrong> {
    let groups: [(&str, Group<S>); 2] = [
        ("contiguous groups", contiguous),
        ("leaves made one", compact),
    ];
    let mut total = 0;
    for (name, group) in groups {
        let mut trial = Trial::new()?;
        group(&mut trial)?;
        let accesses = trial.accesses;
        say(format_args!("{}: {name}: {accesses} accesses\n", S::NAME));
        total += accesses;
    }
    Ok(total)
}

/// Maps three groups, changes a leaf of the middle one in each way, unmaps all.
fn contiguous<S: Side>(trial: &mut Trial<S>) -> Result<(), Wrong> {
    for size in [PageSize::Size4K, PageSize::Size2M] {
        for change in [Change::Protect, Change::Unmap, Change::Remap] {
            for member in [0, 5, GROUP - 1] {
                let leaves = Leaves::new::<S>(size, 3 * GROUP);
                trial.map(leaves, RegionOptions::CONTIGUOUS | RegionOptions::HUGE)?;
                trial.check(leaves, None, 3 * GROUP)?;
                let changed = GROUP + member;
                trial.change(leaves, changed, change)?;
                trial.check(leaves, Some((changed, change)), 2 * GROUP)?;
                trial.unmap(leaves)?;
            }
        }
    }
    Ok(())
}

/// Maps leaves that could be a block, reads them, makes a block of them, reads them.
fn compact<S: Side>(trial: &mut Trial<S>) -> Result<(), Wrong> {
    let sizes = [
        (PageSize::Size4K, PageSize::Size2M, 1),
        (PageSize::Size2M, PageSize::Size1G, 73),
    ];
    for (size, block, step) in sizes {
        for options in [RegionOptions::empty(), RegionOptions::CONTIGUOUS] {
            let mut leaves = Leaves::new::<S>(size, block.bytes() / size.bytes());
            leaves.step = step;
            trial.map_each(leaves, options)?;
            let contiguous = match options.is_empty() {
                true => 0,
                false => leaves.count,
            };
            trial.check(leaves, None, contiguous)?;
            let result = trial.table.compact(leaves.va, leaves.bytes());
            done("compact", leaves.va, result.map(|receipt| receipt.flush()))?;
            let found = trial.table.query(leaves.va);
            let (_, _, found) = done("query", leaves.va, found)?;
            same("bytes in a leaf", block.bytes(), found.bytes())?;
            trial.check(leaves, None, 0)?;
            trial.unmap(leaves)?;
        }
    }
    Ok(())
}

impl Leaves {
    /// So many leaves at the start of the area and of the machine's first block.
    fn new<S: Side>(size: PageSize, count: usize) -> Self {
        Self {
            va: MetaData::<S>::vaddr_at(AREA),
            pa: board::BLOCKS[0],
            size,
            count,
            step: 1,
        }
    }

    /// The leaves that are read and written.
    fn indices(self) -> impl Iterator<Item = usize> {
        (0..self.count).step_by(self.step)
    }

    const fn bytes(self) -> usize {
        self.count * self.size.bytes()
    }

    /// The last word of leaf `index`.
    fn word_at(self, index: usize) -> VirtAddr {
        VirtAddr::new(self.va.as_usize() + (index + 1) * self.size.bytes() - size_of::<u64>())
    }

    /// The last word of the frame of leaf `index`, or of the one that it is changed to.
    fn word_in_frame(self, index: usize, change: Option<Change>) -> *mut u64 {
        let frames = match change {
            Some(Change::Remap) => board::BLOCKS[1],
            _ => self.pa,
        };
        let end = frames.as_usize() + (index + 1) * self.size.bytes();
        ptr::with_exposed_provenance_mut(end - size_of::<u64>())
    }
}

impl<S: Side> Trial<S> {
    fn new() -> Result<Self, Wrong> {
        let start = MetaData::<S>::vaddr_at(0);
        let mut table = done("try_new", start, Table::<S>::try_new())?;
        done("mapping the program", start, S::map_program(&mut table))?;
        // SAFETY: the tree holds the program, and `Drop` ends its use before it goes away.
        unsafe { side::activate::<S>(table.root_paddr(), Asid::KERNEL, Wxn::On) };
        Ok(Self { table, accesses: 0 })
    }

    fn map(&mut self, leaves: Leaves, options: RegionOptions) -> Result<(), Wrong> {
        let Leaves { va, pa, .. } = leaves;
        let result = self
            .table
            .map_region(va, pa, leaves.bytes(), READ_WRITE, options);
        done("map_region", va, result.map(|receipt| receipt.flush()))
    }

    /// Maps leaves of exactly this size: `map_region` would take the largest, so a group at a time.
    fn map_each(&mut self, leaves: Leaves, options: RegionOptions) -> Result<(), Wrong> {
        let huge = match leaves.size {
            PageSize::Size4K => RegionOptions::empty(),
            PageSize::Size2M | PageSize::Size1G => RegionOptions::HUGE,
        };
        for first in (0..leaves.count).step_by(GROUP) {
            let offset = first * leaves.size.bytes();
            let group = Leaves {
                va: VirtAddr::new(leaves.va.as_usize() + offset),
                pa: PhysAddr::new(leaves.pa.as_usize() + offset),
                count: GROUP,
                ..leaves
            };
            self.map(group, options | huge)?;
        }
        Ok(())
    }

    fn unmap(&mut self, leaves: Leaves) -> Result<(), Wrong> {
        let result = self.table.unmap_region(leaves.va, leaves.bytes());
        done(
            "unmap_region",
            leaves.va,
            result.map(|receipt| receipt.flush()),
        )?;
        for index in leaves.indices() {
            let va = leaves.word_at(index);
            self.accesses += 1;
            if let Ok(value) = load(va) {
                return Err(Wrong::Access {
                    va,
                    expected: 0,
                    happened: Ok(value),
                });
            }
        }
        Ok(())
    }

    /// Changes leaf `index`.
    fn change(&mut self, leaves: Leaves, index: usize, change: Change) -> Result<(), Wrong> {
        let va = leaves.word_at(index);
        let to = PhysAddr::new(board::BLOCKS[1].as_usize() + index * leaves.size.bytes());
        let result = match change {
            Change::Protect => self
                .table
                .protect(va, READ_ONLY)
                .map(|(_, receipt)| receipt.flush()),
            Change::Remap => self
                .table
                .remap(va, to, READ_WRITE)
                .map(|(_, receipt)| receipt.flush()),
            Change::Unmap => self.table.unmap(va).map(|receipt| {
                let _ = receipt.flush();
            }),
        };
        done("the change of a member", va, result)
    }

    /// Reads and writes every leaf, of which one was changed; so many are in contiguous groups.
    fn check(
        &mut self,
        leaves: Leaves,
        changed: Option<(usize, Change)>,
        contiguous: usize,
    ) -> Result<(), Wrong> {
        let summary = self.table.view().check(0..0).map_err(Wrong::Tree)?;
        same("contiguous leaves", contiguous, summary.contiguous)?;
        for index in leaves.indices() {
            let change = changed
                .filter(|(of, _)| *of == index)
                .map(|(_, change)| change);
            self.check_leaf(leaves, index, change)?;
        }
        Ok(())
    }

    /// A load finds what was put into the frame, a store is seen there, or each is refused.
    fn check_leaf(
        &mut self,
        leaves: Leaves,
        index: usize,
        change: Option<Change>,
    ) -> Result<(), Wrong> {
        let va = leaves.word_at(index);
        let frame = leaves.word_in_frame(index, change);
        self.accesses += 2;
        let stamp = self.accesses.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // SAFETY: the frame is in one of the machine's blocks, which are mapped where they are;
        // nobody holds a reference into them.
        unsafe { frame.write_volatile(stamp) };
        let loaded = load(va);
        // SAFETY: the address leads to that word, or nowhere.
        let stored = unsafe { cpu::access(Access::Store, va, !stamp, Privilege::Kernel) };
        // SAFETY: as above.
        let value = unsafe { frame.read_volatile() };
        let (may_load, may_store) = match change {
            None | Some(Change::Remap) => (true, true),
            Some(Change::Protect) => (true, false),
            Some(Change::Unmap) => (false, false),
        };
        if may_load && loaded != Ok(stamp) || !may_load && loaded.is_ok() {
            return Err(Wrong::Access {
                va,
                expected: stamp,
                happened: loaded,
            });
        }
        let expected = if may_store { !stamp } else { stamp };
        if value != expected {
            return Err(Wrong::Access {
                va,
                expected,
                happened: stored.map(|_| value),
            });
        }
        if stored.is_ok() != may_store {
            return Err(Wrong::Stored { va });
        }
        Ok(())
    }
}

impl<S: Side> Drop for Trial<S> {
    /// Before the tables go.
    fn drop(&mut self) {
        side::deactivate();
    }
}

/// What the kernel reads at `va`.
fn load(va: VirtAddr) -> Result<u64, Fault> {
    // SAFETY: a load changes nothing.
    unsafe { cpu::access(Access::Load, va, 0, Privilege::Kernel) }
}
