//! Host tests of page tables.
//!
//! | room | what it holds |
//! |---|---|
//! | `memory` | the machine's stand-in: frames, and a record of stores, barriers and invalidations |
//! | `spaces` | ASIDs of trees that no hardware translates by |
//! | `formats` | the formats that generic tests run over, and the bits of each against its manual |
//! | `unit` | one property a file, by cases |
//! | `model` | random and exhaustive operations against a model of pages |
//! | `oracle` | a machine that judges what is stored and executed, and its own tests |
//! | `adversary` | random operations before the oracle, with and without planted faults |

mod adversary;
mod formats;
mod memory;
mod model;
mod oracle;
mod spaces;
mod unit;

use super::MappingFlags;
use crate::addr::{PhysAddr, VirtAddr};

const K4: usize = 0x1000;
const M2: usize = 0x20_0000;
const G1: usize = 0x4000_0000;

const R: MappingFlags = MappingFlags::READ;
const W: MappingFlags = MappingFlags::WRITE;
const X: MappingFlags = MappingFlags::EXECUTE;
const U: MappingFlags = MappingFlags::USER;
const D: MappingFlags = MappingFlags::DEVICE;
const N: MappingFlags = MappingFlags::UNCACHED;
const G: MappingFlags = MappingFlags::GLOBAL;
const A: MappingFlags = MappingFlags::ACCESSED;
const ANYWAY: MappingFlags = MappingFlags::EXECUTE_ANYWAY;
/// Kernel memory as the kernel maps it.
const RW: MappingFlags = R.union(W).union(G).union(A);
const RO: MappingFlags = R.union(G).union(A);
const NONE: MappingFlags = MappingFlags::empty();

const fn va(address: usize) -> VirtAddr {
    VirtAddr::new(address)
}

const fn pa(address: usize) -> PhysAddr {
    PhysAddr::new(address)
}
