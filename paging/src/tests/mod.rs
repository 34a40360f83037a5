//! Host tests of page tables: `memory` stands in for the machine, `formats` lists what the generic
//! suite runs over, `model` says what must come out, `oracle` what must happen on the way.

mod adversary;
mod asid;
mod bad_input;
mod batch;
mod defaults;
mod descriptors;
mod due;
mod exhaustive;
mod format_aarch64_peer;
mod format_cases;
mod format_loongarch;
mod format_riscv;
mod format_x86_64;
#[cfg(target_arch = "x86_64")]
mod format_x86_64_peer;
mod formats;
mod judge;
mod memory;
mod merging;
mod model;
mod operation;
mod oracle;
mod outside;
mod panics;
mod pins;
mod random;
mod regressions;
mod sequences;
mod share;
mod share_asid;
mod share_random;
mod share_steps;
mod share_threads;
mod share_walks;
mod spread;
mod thrift;
mod told;
mod walk;

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
