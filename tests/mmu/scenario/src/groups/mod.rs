//! What is tried, in groups: each with a tree of its own, which must be as before in the end.
#![forbid(unsafe_code)]

mod accessed;
mod changes;
mod edges;
mod regions;
mod rights;
mod spaces;

use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::{MappingFlags, PageSize, PagingMetaData};

use crate::failure::{Failure, Translation};
use crate::machine::Machine;
use crate::pool;
use crate::trial::{Round, Trial, rounds};

/// Runs a group, with leaves of one size.
type Group<A> = fn(&mut Trial<'_, A>, PageSize) -> Result<(), Failure>;

/// Where a group is for leaves of every size.
const SIZES: &[PageSize] = &PageSize::ALL;
/// Where a group does not depend on the size.
const ONCE: &[PageSize] = &[PageSize::Size4K];
/// What can be split.
const BLOCKS: &[PageSize] = &[PageSize::Size2M, PageSize::Size1G];

/// How far from the start of a half the areas begin in which leaves are mapped: past the program.
const AREA: usize = 64 << 30;

/// Runs every group; the number of accesses.
pub(crate) fn run_all<A: Machine>(machine: &mut A) -> Result<u64, Failure> {
    let groups: [(&str, Group<A>, &[PageSize]); 11] = [
        ("every set of flags", rights::every_set, SIZES),
        (
            "protect, from every set to every set",
            changes::protect,
            SIZES,
        ),
        ("protect to nothing and back", changes::retain, SIZES),
        ("remap", changes::remap, SIZES),
        ("edges of the address space", edges::leaves, SIZES),
        ("addresses that are none", edges::invalid, ONCE),
        ("regions over leaves of all sizes", regions::map, ONCE),
        ("parts of a block", regions::split, BLOCKS),
        ("pages made a block", regions::merge, BLOCKS),
        ("ACCESSED taken away", accessed::cleared, SIZES),
        ("address spaces", spaces::switched, SIZES),
    ];
    let mut total = 0;
    for (name, group, sizes) in groups {
        for &size in sizes {
            let mut accesses = 0;
            for round in rounds::<A>() {
                accesses += run_one(machine, round, group, size)?;
            }
            machine.print(format_args!(
                "{}: {name}, {size}: {accesses} accesses\n",
                A::NAME
            ));
            total += accesses;
        }
    }
    Ok(total)
}

/// Runs one group; afterwards every frame that it took must be back.
fn run_one<A: Machine>(
    machine: &mut A,
    round: Round,
    group: Group<A>,
    size: PageSize,
) -> Result<u64, Failure> {
    let mut trial = Trial::new(machine, round)?;
    let tables = pool::in_use();
    group(&mut trial, size)?;
    all_back(tables)?;
    let accesses = trial.accesses;
    drop(trial);
    all_back(0)?;
    Ok(accesses)
}

/// A failure unless so many frames are in use as before.
fn all_back(before: usize) -> Result<(), Failure> {
    match pool::in_use().checked_sub(before) {
        Some(0) | None => Ok(()),
        Some(lost) => Err(Failure::Frames { lost }),
    }
}

/// Where leaves are mapped: an address in each half of what the tree translates.
fn areas<A: Machine>() -> [VirtAddr; 2] {
    let half = 1 << (A::MetaData::VA_MAX_BITS - 1);
    [AREA, half + AREA].map(A::MetaData::vaddr_at)
}

/// A frame for a leaf of `size` in one of the machine's blocks: not its first one, where the
/// block has several.
fn frame<A: Machine>(block: usize, size: PageSize) -> PhysAddr {
    let inside = match size {
        PageSize::Size4K => 0x12_3000,
        PageSize::Size2M => 0x60_0000,
        PageSize::Size1G => 0,
    };
    PhysAddr::new(A::BLOCKS[block].as_usize() + inside)
}

/// A leaf of `size` with `flags` in the machine's first block.
fn leaf<A: Machine>(flags: MappingFlags, size: PageSize) -> Translation {
    Translation {
        pa: frame::<A>(0, size),
        flags,
        size,
    }
}

/// What everybody maps: data and code, the kernel's and a user's.
const COMMON: [MappingFlags; 4] = [
    KERNEL_DATA,
    KERNEL_CODE,
    KERNEL_DATA.union(MappingFlags::USER),
    KERNEL_CODE.union(MappingFlags::USER),
];
const KERNEL_DATA: MappingFlags = MappingFlags::READ
    .union(MappingFlags::WRITE)
    .union(MappingFlags::ACCESSED);
const KERNEL_CODE: MappingFlags = MappingFlags::READ
    .union(MappingFlags::EXECUTE)
    .union(MappingFlags::ACCESSED);
