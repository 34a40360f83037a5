//! Host tests of page tables: `memory` stands in for the machine, `model` says what must come
//! out, `oracle` what must happen on the way.

mod descriptors;
mod memory;
mod model;
mod operation;
mod oracle;
mod random;
mod regressions;
mod sequences;
mod walk;

use super::MappingFlags;
use super::format::aarch64::{A64PageTable, HighHalf};
use crate::addr::{PhysAddr, VirtAddr};
use memory::{Frames, Recorder};

/// A table under test.
type Table<S> = A64PageTable<S, Recorder, Frames>;
type HighTable = Table<HighHalf>;

const K4: usize = 0x1000;
const M2: usize = 0x20_0000;
const G1: usize = 0x4000_0000;
/// Bytes that a half translates.
const SPACE: usize = 1 << 48;
/// The first physical address that a Cortex-A53 has not.
const FRAME_LIMIT: usize = 1 << 40;
const HIGH: usize = 0xffff_0000_0000_0000;
const LAST_PAGE: usize = 0xffff_ffff_ffff_f000;

/// Kernel memory as the kernel maps it.
const RW: MappingFlags = MappingFlags::READ
    .union(MappingFlags::WRITE)
    .union(MappingFlags::ACCESSED)
    .union(MappingFlags::GLOBAL);
const RO: MappingFlags = RW.difference(MappingFlags::WRITE);

const fn va(address: usize) -> VirtAddr {
    VirtAddr::new(address)
}

const fn pa(address: usize) -> PhysAddr {
    PhysAddr::new(address)
}

/// An empty table of the high half, with its root at physical 0.
fn high_table() -> HighTable {
    let table = HighTable::try_new().unwrap();
    assert_eq!(table.root_paddr(), pa(0));
    table
}
