//! What the fuzzer does with its bytes: a life of a page table, operation by operation.
//!
//! Whatever the bytes say, nothing may panic; an operation that is refused must have changed
//! nothing; one that is not must have done what its name says, at the ends of its range and on
//! neither side of it; the tree must stay sound; and at the end every frame must be back.

mod memory;
mod operation;

use arbitrary::Arbitrary;
use stilt_paging::format::aarch64::{A64MetaData, A64PTE, HighHalf, LowHalf};
use stilt_paging::format::loongarch::{LA64MetaData, LA64PTE};
use stilt_paging::format::riscv::{Rv64PTE, Rv64PbmtPTE, Sv39MetaData, Sv48MetaData};
use stilt_paging::format::x86_64::{X64MetaData, X64PTE};
use stilt_paging::{GenericPTE, PageTable64, PagingMetaData};

use memory::{Frames, Idle};
use operation::Operation;

/// The format of a table.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Format {
    /// VMSAv8-64, TTBR0, 40 bits of physical address.
    A64Low,
    /// VMSAv8-64, TTBR1, 48 bits of physical address.
    A64High,
    /// x86_64.
    X64,
    /// RISC-V, three levels.
    Sv39,
    /// RISC-V, four levels, with memory types.
    Sv48,
    /// LoongArch.
    LA64,
}

/// A format, and what is done with a table of it.
#[derive(Arbitrary, Clone, Debug)]
pub struct Life {
    format: Format,
    operations: Vec<Operation>,
}

impl Life {
    /// Lives it.
    pub fn run(&self) {
        memory::set_budget(usize::MAX);
        match self.format {
            Format::A64Low => self.live::<A64MetaData<LowHalf, Idle, 40>, A64PTE>(),
            Format::A64High => self.live::<A64MetaData<HighHalf, Idle>, A64PTE>(),
            Format::X64 => self.live::<X64MetaData<Idle>, X64PTE>(),
            Format::Sv39 => self.live::<Sv39MetaData<Idle>, Rv64PTE>(),
            Format::Sv48 => self.live::<Sv48MetaData<Idle>, Rv64PbmtPTE>(),
            Format::LA64 => self.live::<LA64MetaData<Idle>, LA64PTE>(),
        }
        assert_eq!(memory::in_use(), 0, "frames are lost");
    }

    fn live<M: PagingMetaData, PTE: GenericPTE>(&self) {
        let Ok(mut table) = PageTable64::<M, PTE, Frames>::try_new() else {
            panic!("no frame for the root");
        };
        for operation in self.operations.iter().take(64) {
            operation.check(&mut table);
            let summary = table.view().check(0..0);
            let summary = summary.unwrap_or_else(|unsound| panic!("{operation:x?}: {unsound}"));
            assert_eq!(summary.tables, memory::in_use(), "{operation:x?}");
        }
    }
}
